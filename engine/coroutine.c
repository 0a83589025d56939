/* SPDX-License-Identifier: BSD-3-Clause
 * What a coroutine may ask for itself: siblings, sleep, the time.
 */
#include <assert.h>
#include <errno.h>

#include "engine/lcore.h"

static_assert((int)PERCH_PRIVATE_STACK == (int)PERCH_CO_PRIVATE, "flags pass through");
static_assert(PERCH_FOREVER == PERCH_SCHED_NEVER, "deadlines pass through");

int perch_spawn(void (*fn)(void *), void *arg, unsigned flags)
{
	return perch_co_spawn(perch_lcore_self->sched, fn, arg, flags) ? 0 : -ENOBUFS;
}

int perch_sleep(int64_t deadline_ns)
{
	int rc = perch_co_park(perch_lcore_self->sched, deadline_ns);

	return rc == -ETIMEDOUT ? 0 : rc;
}

int perch_yield(void)
{
	return perch_co_yield(perch_lcore_self->sched);
}

int64_t perch_now(void)
{
	return perch_lcore_self->now_ns;
}

struct perch *perch_self(void)
{
	return perch_lcore_self->engine;
}

unsigned perch_lcore(void)
{
	return perch_lcore_self->id;
}
