/* SPDX-License-Identifier: BSD-3-Clause
 * Queues of parked coroutines, for whatever coroutines wait for: channels, groups.
 *
 * A coroutine may wait in several queues at once (a select), each by one of its cases. The links
 * and the values handed over lie in memory of the scheduler, never on a stack, because the stack
 * of a parked coroutine is not where it was.
 */
#ifndef PERCH_SCHED_WAIT_H
#define PERCH_SCHED_WAIT_H

#include <stdbool.h>
#include <stdint.h>

struct perch_sched;
struct perch_co;

enum {
	PERCH_WAIT_CASES = 8, /* queues that a coroutine can be in at once */
	PERCH_WAIT_BYTES = 48, /* of a value handed over: with its links, a cache line */
};

struct perch_wait_queue { /* zero: empty */
	uint32_t first, last;
};

/* The running coroutine joins the end of q by its case k. */
void perch_wait_join(struct perch_sched *s, struct perch_wait_queue *q, unsigned k);

/* Park until somebody takes the running coroutine from one of its queues. Returns that case's
 * number, or a negative park result; in both cases it is in no queue any more. *over: it was
 * taken because what it waits for came to an end. */
int perch_wait_park(struct perch_sched *s, int64_t deadline_ns, bool *over);

/* Take the first coroutine of q that still waits out of all its queues; NULL if there is none. It
 * stays parked: fill in or read the value of its case k, then wake it. */
struct perch_co *perch_wait_take(struct perch_sched *s, struct perch_wait_queue *q, bool over,
				 unsigned *k);
void *perch_wait_value(struct perch_sched *s, const struct perch_co *co, unsigned k);

#endif
