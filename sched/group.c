/* SPDX-License-Identifier: BSD-3-Clause
 * Wait groups (see group.h).
 */
#include "sched/group.h"

#include <errno.h>
#include <stdlib.h>

#include "sched/inside.h"
#include "sched/wait.h"

struct perch_co_group {
	struct perch_sched *s;
	uint32_t count;
	uint32_t inside; /* coroutines that wait, or were woken and have not run yet */
	bool freed;
	struct perch_wait_queue waiters;
};

int perch_co_group_open(struct perch_co_group **out, struct perch_sched *s)
{
	struct perch_co_group *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return -ENOMEM;
	g->s = s;
	*out = g;
	return 0;
}

static void wake_all(struct perch_co_group *g, bool over)
{
	struct perch_co *co;
	unsigned k;

	while ((co = perch_wait_take(g->s, &g->waiters, over, &k)) != NULL)
		perch_co_wake(g->s, co, 0);
}

void perch_co_group_free(struct perch_co_group *g)
{
	if (g == NULL)
		return;
	wake_all(g, true);
	g->freed = true;
	if (g->inside == 0)
		free(g);
}

struct perch_sched *perch_co_group_sched(const struct perch_co_group *g)
{
	return g->s;
}

int perch_co_group_add(struct perch_co_group *g, uint32_t n)
{
	if (n > UINT32_MAX - g->count)
		return -EOVERFLOW;
	g->count += n;
	return 0;
}

int perch_co_group_done(struct perch_co_group *g)
{
	if (g->count == 0)
		return -EINVAL;
	if (--g->count == 0)
		wake_all(g, false);
	return 0;
}

int perch_co_group_wait(struct perch_co_group *g, int64_t deadline_ns)
{
	bool over;
	int k;

	if (g->count == 0)
		return 0;
	g->inside++;
	perch_wait_join(g->s, &g->waiters, 0);
	k = perch_wait_park(g->s, deadline_ns, &over);
	if (--g->inside == 0 && g->freed)
		free(g);
	if (k < 0)
		return k;
	return over ? -EPIPE : 0;
}
