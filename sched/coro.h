/* SPDX-License-Identifier: BSD-3-Clause
 * Coroutines of one lcore: spawn, park, wake, run. No packets, no DPDK, no clock: time is an
 * argument.
 *
 * Thread context: a perch_sched belongs to the one thread that runs it. Nothing here is atomic.
 * Memory: everything is reserved by perch_sched_open; running out later is a counted refusal.
 *
 * A pointer into a coroutine's stack is valid only while that coroutine runs: when it parks, its
 * live bytes may move away and another coroutine's frames take their place. Wait nodes, results
 * and buffers that others write live elsewhere. Coroutines that must share stack addresses or hold
 * large frames ask for PERCH_CO_PRIVATE at spawn.
 *
 * errno and other thread-local state belong to the lcore: a park clobbers them.
 */
#ifndef PERCH_SCHED_CORO_H
#define PERCH_SCHED_CORO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct perch_sched; /* one lcore's scheduler */
struct perch_co;    /* one coroutine */

typedef void (*perch_co_fn)(void *arg);

/* Absolute times are nanoseconds of the caller's clock; a deadline that never comes. */
#define PERCH_SCHED_NEVER INT64_MAX
/* The id of no coroutine. Ids are dense: 0 .. max_co - 1, reused after a coroutine finished. */
#define PERCH_CO_NONE UINT32_MAX
#define PERCH_SCHED_NONE_IN_PLACE UINT32_MAX /* as max_in_place */

enum perch_co_flags {
	PERCH_CO_PRIVATE = 1u << 0, /* a stack of its own, whose addresses stay valid while parked */
};

struct perch_sched_config {     /* zero means default */
	uint32_t max_co;        /* coroutines alive at once; default 65,536 */
	uint32_t stack_bytes;   /* the shared stack; default 256 KB */
	uint32_t private_bytes; /* a private stack; default 64 KB */
	uint32_t max_private;   /* private stacks; default 1,024 */
	uint32_t max_in_place;  /* the first so many alive need not share; default 64 */
	size_t save_bytes;      /* memory for the saved images of parked coroutines */
	int numa_node;          /* placement hint + 1; 0 = anywhere */
};

struct perch_sched_stats {
	uint64_t spawned, finished, switches;
	uint64_t refused_co;      /* spawns refused: max_co were alive */
	uint64_t refused_private; /* spawns refused: max_private were alive */
	uint64_t refused_save;    /* parks that could not be saved (the park returns -ENOMEM) */
	uint32_t alive, ready;
	size_t saved_bytes;       /* of the stacks that were moved away, now */
};

/* Reserve everything for one lcore. Returns 0, -EINVAL or -ENOMEM. */
int perch_sched_open(struct perch_sched **out, const struct perch_sched_config *cfg);
/* Free it all. Every coroutine must have finished (asserted). */
void perch_sched_close(struct perch_sched *s);

/* A new coroutine that will run fn(arg) at the next perch_sched_run. NULL: refused, and counted.
 * It may be called by a coroutine or by the thread that runs the scheduler. */
struct perch_co *perch_co_spawn(struct perch_sched *s, perch_co_fn fn, void *arg, unsigned flags);

/* Park the running coroutine until perch_co_wake, or until perch_sched_advance passes deadline_ns
 * (PERCH_SCHED_NEVER: no deadline). Returns the value given to wake, -ETIMEDOUT, or -ECANCELED if
 * the coroutine was cancelled (then, and at every later park, at once). */
int perch_co_park(struct perch_sched *s, int64_t deadline_ns);
/* The same in two steps, for who would not keep deadline_ns on a stack that is copied: note it,
 * which returns the id of the running coroutine, and park. It stays noted. */
uint32_t perch_co_note_deadline(struct perch_sched *s, int64_t deadline_ns);
int64_t perch_co_noted_deadline(const struct perch_sched *s);
int perch_co_park_noted(struct perch_sched *s);

/* Go to the back of the run queue. Returns 0 or -ECANCELED. */
int perch_co_yield(struct perch_sched *s);

/* Make a parked coroutine ready; its park returns `result`. A coroutine that is not parked (ready
 * already, or running) is left as it is, so that two wakes in one turn are one. */
void perch_co_wake(struct perch_sched *s, struct perch_co *co, int result);

/* The same by id; an id that was never given out, PERCH_CO_NONE too, is ignored. */
void perch_co_wake_id(struct perch_sched *s, uint32_t id, int result);

/* Ask it to unwind: its current and all later parks return -ECANCELED. */
void perch_co_cancel(struct perch_sched *s, struct perch_co *co);

/* Cancel every coroutine alive. */
void perch_sched_cancel_all(struct perch_sched *s);

/* Run at most `budget` ready coroutines, each until it parks or finishes; one that becomes ready
 * meanwhile runs in the next call. Returns how many ran. Never called by a coroutine. */
unsigned perch_sched_run(struct perch_sched *s, unsigned budget);

/* Move time on: coroutines whose deadline has passed become ready with -ETIMEDOUT. */
void perch_sched_advance(struct perch_sched *s, int64_t now_ns);

/* A time no later than the earliest deadline of a parked coroutine, and not in the past of the
 * last advance (may be early by the wheel's grain, never late); PERCH_SCHED_NEVER if none. */
int64_t perch_sched_next_deadline(const struct perch_sched *s);

bool perch_sched_ready(const struct perch_sched *s); /* is anything in the run queue? */

struct perch_co *perch_co_current(const struct perch_sched *s); /* NULL outside a coroutine */
uint32_t perch_co_id(const struct perch_sched *s, const struct perch_co *co);
/* NULL for an id that was never given out. Touches nothing of the coroutine, which may have
 * finished. */
struct perch_co *perch_co_by_id(const struct perch_sched *s, uint32_t id);


/* Prefetch what a wake of that id will touch; the wake prefetches what the resume will. So a burst
 * is dealt with in stages: prefetch all, wake all, run. Any id. */
void perch_co_prefetch(const struct perch_sched *s, uint32_t id);

/* Give memory that parked stacks no longer need back to the kernel: after a peak, not while there
 * is work. */
void perch_sched_trim(struct perch_sched *s);

void perch_sched_stats(const struct perch_sched *s, struct perch_sched_stats *out);

#endif
