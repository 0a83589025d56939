/* SPDX-License-Identifier: BSD-3-Clause
 * Names of coroutines that stay unmistakable after they have finished, and signals to them that are
 * not lost when they come early: the ground for wakes from other threads.
 *
 * Thread context: the scheduler's thread. A name may be copied anywhere.
 */
#ifndef PERCH_SCHED_REF_H
#define PERCH_SCHED_REF_H

#include "sched/coro.h"

struct perch_co_ref {
	uint32_t id, birth; /* ids are given out again; a birth is not, for 2^32 lives of an id */
};

struct perch_co_ref perch_co_refer(struct perch_sched *s, struct perch_co *co);
struct perch_co *perch_co_find(struct perch_sched *s, struct perch_co_ref ref); /* NULL: finished */

/* Park until a signal, or take the one that came before. Returns its value, or a negative result
 * as from a park. Other wakes do not end it. */
int perch_co_await(struct perch_sched *s, int64_t deadline_ns);

/* value >= 0. Of several that come before an await the last one stands. Wherever else the coroutine
 * is parked, it stays there. Returns 0 or -ESRCH: it has finished. */
int perch_co_signal(struct perch_sched *s, struct perch_co_ref ref, int value);

#endif
