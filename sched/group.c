/* SPDX-License-Identifier: BSD-3-Clause
 * Wait groups (see group.h).
 */
#include "sched/group.h"

#include <assert.h>

#include "sched/inside.h"

void perch_group_init(struct perch_group *g, struct perch_sched *s)
{
	assert(!perch_sched_on_stack(s, g));
	*g = (struct perch_group){.s = s};
}

void perch_group_add(struct perch_group *g, uint32_t n)
{
	g->count += n;
}

void perch_group_done(struct perch_group *g)
{
	struct perch_co *co;
	unsigned k;

	assert(g->count > 0);
	if (--g->count > 0)
		return;
	while ((co = perch_wait_take(g->s, &g->waiters, false, &k)) != NULL)
		perch_co_wake(g->s, co, 0);
}

int perch_group_wait(struct perch_group *g, int64_t deadline_ns)
{
	bool over;
	int k;

	if (g->count == 0)
		return 0;
	perch_wait_join(g->s, &g->waiters, 0);
	k = perch_wait_park(g->s, deadline_ns, &over);
	return k < 0 ? k : 0;
}
