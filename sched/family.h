/* SPDX-License-Identifier: BSD-3-Clause
 * Children: coroutines that a coroutine started, can wait for and can cancel, and that never
 * outlive it: whoever returns with children alive cancels them first and waits for their end.
 *
 * Thread context: called by a coroutine, about its own children.
 */
#ifndef PERCH_SCHED_FAMILY_H
#define PERCH_SCHED_FAMILY_H

#include "sched/coro.h"

/* As perch_co_spawn, a child of the running coroutine. */
struct perch_co *perch_co_spawn_child(struct perch_sched *s, perch_co_fn fn, void *arg,
				      unsigned flags);

/* Wait until no child is alive. 0; -ETIMEDOUT, -ECANCELED, -ENOMEM as from a park. */
int perch_co_join(struct perch_sched *s, int64_t deadline_ns);

/* Cancel all children and wait for their end, whatever happens: what a return does by itself, for
 * those who have to tidy up after it. From here on no cancel ends a park of the caller. */
void perch_co_end_children(struct perch_sched *s);

/* Cancel all children; to see them gone, join. */
void perch_co_cancel_children(struct perch_sched *s);

#endif
