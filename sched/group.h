/* SPDX-License-Identifier: BSD-3-Clause
 * A wait group: a count of things under way, and coroutines that wait until it is zero.
 *
 * Thread context: the scheduler's thread; only a coroutine can wait. A group must not lie on a
 * coroutine's shared stack (asserted): others write to it while its owner is parked.
 */
#ifndef PERCH_SCHED_GROUP_H
#define PERCH_SCHED_GROUP_H

#include <stdint.h>

#include "sched/wait.h"

struct perch_group {
	struct perch_sched *s;
	uint32_t count;
	struct perch_wait_queue waiters;
};

void perch_group_init(struct perch_group *g, struct perch_sched *s);
void perch_group_add(struct perch_group *g, uint32_t n);
void perch_group_done(struct perch_group *g); /* one less; the last one wakes all that wait */

/* 0 when the count is zero; -ETIMEDOUT, -ECANCELED, -ENOMEM as from a park. */
int perch_group_wait(struct perch_group *g, int64_t deadline_ns);

#endif
