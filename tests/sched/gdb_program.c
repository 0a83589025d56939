/* SPDX-License-Identifier: BSD-3-Clause
 * A program for the debugger to look at: parked coroutines, saved, in place and private, and one
 * that is new. Exit status 0 if all of them end well after being looked at.
 */
#include <stdio.h>

#include "sched/coro.h"

void stop_here(struct perch_sched *s); /* external, so that it stays a place to break at */

static struct perch_sched *sched;
static int ended;

__attribute__((noinline)) static int inner(int depth)
{
	volatile int mark = depth * 7;
	int result = depth > 0 ? inner(depth - 1) : perch_co_park(sched, PERCH_SCHED_NEVER);

	return mark == depth * 7 ? result : -1;
}

static void handler(void *arg)
{
	ended += inner(2) == 5 && arg != NULL;
}

__attribute__((noinline)) void stop_here(struct perch_sched *s)
{
	__asm__ volatile("" : : "r"(s) : "memory");
}

int main(void)
{
	struct perch_sched_config cfg = {.max_co = 8, .max_private = 1, .max_in_place = 1};
	struct perch_co *co[4];
	int i;

	if (perch_sched_open(&sched, &cfg) < 0)
		return 1;
	for (i = 0; i < 3; i++)
		co[i] = perch_co_spawn(sched, handler, &ended, i == 1 ? PERCH_CO_PRIVATE : 0);
	perch_sched_run(sched, 3);
	co[3] = perch_co_spawn(sched, handler, &ended, 0);
	stop_here(sched);
	perch_sched_run(sched, 1);
	for (i = 0; i < 4; i++)
		perch_co_wake(sched, co[i], 5);
	perch_sched_run(sched, 4);
	perch_sched_close(sched);
	return ended == 4 ? 0 : 1;
}
