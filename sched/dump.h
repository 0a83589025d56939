/* SPDX-License-Identifier: BSD-3-Clause
 * What a coroutine costs and where it is: for people, and for tools.
 *
 * Thread context: the scheduler's thread, outside of any coroutine (info: anywhere on it). Not for
 * the hot path: a backtrace may allocate, and a dump writes to a file.
 */
#ifndef PERCH_SCHED_DUMP_H
#define PERCH_SCHED_DUMP_H

#include <stdio.h>

#include "sched/coro.h"

struct perch_co_description {
	uint32_t id;
	perch_co_fn fn;         /* what it was started with */
	void *arg;
	const char *state;      /* "new", "ready", "running", "parked" */
	bool on_private;        /* it asked for that */
	bool in_place;          /* its stack is its own, for few are alive */
	bool cancelled;
	size_t live_bytes;      /* of its stack, at its last park */
	size_t peak_bytes;      /* the most at any park */
	uint32_t switches;      /* how often it ran */
	uint64_t cycles;        /* spent in it, while they were counted */
	const void *parked_at;  /* where its park will return to; NULL: it does not wait */
	int64_t deadline_ns;    /* of its park; PERCH_SCHED_NEVER if none */
};

/* Returns 0, or -ESRCH: it has finished. */
int perch_co_describe(const struct perch_sched *s, const struct perch_co *co,
		  struct perch_co_description *out);

/* Count the cycles spent in each coroutine from now on, from zero, or no more. Called outside of
 * any coroutine. */
void perch_sched_count_cycles(struct perch_sched *s, bool on);

/* The return addresses of a parked or ready coroutine, innermost first. Returns how many. */
unsigned perch_co_backtrace(struct perch_sched *s, struct perch_co *co, void **pc, unsigned max);

/* The coroutines alive among `most` ids from id `from` on, a line each and, if asked for, a
 * backtrace; with a hint at those whose frames are so large that a private stack would serve them
 * better. From 0 on a line about all of them comes first. Returns the id to go on from, or
 * PERCH_CO_NONE: so a dump of millions need not stop the lcore for longer than a few. */
uint32_t perch_sched_dump(struct perch_sched *s, FILE *to, bool backtraces, uint32_t from,
			  uint32_t most);

/* From now on descriptions, dumps and overflow reports name fn as what the running coroutine was
 * started with: for those that are started through a function of their starter's. */
void perch_co_rename(struct perch_sched *s, perch_co_fn fn);

#endif
