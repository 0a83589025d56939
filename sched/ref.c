/* SPDX-License-Identifier: BSD-3-Clause
 * References and signals (see ref.h), in the table beside the control blocks that costs nothing to
 * coroutines without a name.
 */
#include "sched/ref.h"

#include <assert.h>
#include <errno.h>

#include "sched/inside.h"

/* co_kin.signal: nothing, a value + 1, or somebody waits for one. */
enum { NO_SIGNAL = 0 };
#define AWAITED UINT32_MAX

struct perch_co_ref perch_co_refer(struct perch_sched *s, struct perch_co *co)
{
	struct co_kin *kin = &s->kin[co_id(s, co)];

	if (!(co->flags & CO_NAMED)) {
		co->flags |= CO_NAMED;
		kin->birth++;
		kin->signal = NO_SIGNAL;
	}
	return (struct perch_co_ref){co_id(s, co), kin->birth};
}

struct perch_co *perch_co_find(struct perch_sched *s, struct perch_co_ref ref)
{
	struct perch_co *co = perch_co_by_id(s, ref.id);

	if (co == NULL || co->state == CO_FREE || !(co->flags & CO_NAMED) ||
	    s->kin[ref.id].birth != ref.birth)
		return NULL;
	return co;
}

int perch_co_await(struct perch_sched *s, int64_t deadline_ns)
{
	struct co_kin *kin = &s->kin[perch_co_refer(s, s->current).id];
	int rc = 0, value;

	if (kin->signal == NO_SIGNAL)
		kin->signal = AWAITED;
	while (rc >= 0 && kin->signal == AWAITED)
		rc = perch_co_park(s, deadline_ns);
	value = kin->signal == AWAITED ? rc : (int)(kin->signal - 1);
	kin->signal = NO_SIGNAL;
	return value;
}

int perch_co_signal(struct perch_sched *s, struct perch_co_ref ref, int value)
{
	struct perch_co *co = perch_co_find(s, ref);
	struct co_kin *kin = &s->kin[ref.id];
	bool awaited;

	assert(value >= 0);
	if (co == NULL)
		return -ESRCH;
	awaited = kin->signal == AWAITED;
	kin->signal = (uint32_t)value + 1;
	if (awaited)
		perch_co_wake(s, co, 0);
	return 0;
}
