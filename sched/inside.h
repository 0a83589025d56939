/* SPDX-License-Identifier: BSD-3-Clause
 * What the files of this folder know of a scheduler and of a coroutine, and nobody else does.
 */
#ifndef PERCH_SCHED_INSIDE_H
#define PERCH_SCHED_INSIDE_H

#include <assert.h>
#include <stdint.h>

#include "sched/coro.h"
#include "sched/fiber.h"
#include "sched/stack.h"
#include "sched/wheel.h"

enum co_state {
	CO_FREE,     /* zero: memory never touched holds free coroutines */
	CO_NEW,      /* in the run queue, without a stack yet */
	CO_READY,    /* in the run queue */
	CO_RUNNING,
	CO_PARKED,
	CO_FINISHED, /* for the moment between its last instruction and the run loop's next */
};

/* Beside the public PERCH_CO_* flags, in the same byte. */
enum co_flags {
	CO_CANCELLED = 1u << 6,
	CO_OWN_STACK = 1u << 7, /* asked for one, or forced to */
};

/* The one cache line that a wake touches. */
struct perch_co {
	void *sp;            /* while it does not run: see switch.h for what lies there */
	perch_co_fn fn;
	void *arg;
	int64_t deadline_ns; /* of its park */
	void *parked_at;     /* the caller of its last park */
	uint32_t home;       /* its save area (0: on the shared stack, or none), or its private slot */
	uint32_t next;       /* id: in the run queue, or in the list of free coroutines */
	int32_t result;      /* what its park returns */
	uint32_t switches;   /* how often it was resumed */
	uint16_t lines;      /* live at its last park; also the size of its save area */
	uint16_t peak_lines; /* the most there ever were */
	uint8_t state;
	uint8_t flags;
	uint16_t unused;
};

static_assert(sizeof(struct perch_co) == 64, "a coroutine is one cache line");

struct perch_sched {
	struct perch_co *co;       /* all of them, by id */
	struct perch_co *current;  /* NULL: the thread itself runs */
	struct perch_co *occupant; /* whose frames lie on the shared stack */
	void *sp;                  /* the thread's stack pointer while a coroutine runs */
	uint32_t head, tail;       /* the run queue, ids; meaningless when ready is 0 */
	uint32_t ready;
	bool valgrind;
	int64_t now_ns;
	struct shared_stack shared;
	struct save_pool saves;
	struct perch_wheel *wheel;

	uint32_t max_co;
	uint32_t fresh_co;         /* those from here on were never used */
	uint32_t free_co;          /* id + 1: a LIFO list */
	uint32_t max_private;      /* that may be asked for */
	uint32_t alive, alive_private;
	struct private_stacks private;
	struct fiber *fibers;      /* by private slot; sanitizer builds only */
	struct fiber thread;
	unsigned valgrind_id;
	struct perch_sched_stats stats;
};

static inline uint32_t co_id(const struct perch_sched *s, const struct perch_co *co)
{
	return (uint32_t)(co - s->co);
}

#endif
