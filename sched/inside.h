/* SPDX-License-Identifier: BSD-3-Clause
 * What the files of this folder know of a scheduler and of a coroutine, and nobody else does.
 */
#ifndef PERCH_SCHED_INSIDE_H
#define PERCH_SCHED_INSIDE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "sched/coro.h"
#include "sched/fiber.h"
#include "sched/stack.h"
#include "sched/switch.h"
#include "sched/wait.h"
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
	CO_NAMED = 1u << 1,     /* a reference to it was given out */
	CO_PARENT = 1u << 2,    /* has children alive */
	CO_CHILD = 1u << 3,     /* of a parent alive */
	CO_JOINING = 1u << 4,   /* waits for its children */
	CO_ENDING = 1u << 5,    /* returned, but its children are alive: no cancel reaches it */
	CO_CANCELLED = 1u << 6,
	CO_OWN_STACK = 1u << 7, /* a private one, or one in place */
};

/* The one cache line that a wake touches. */
struct perch_co {
	struct switch_place place; /* where it left; of one that has not begun, sp alone */
	perch_co_fn fn;
	void *arg;
	int64_t deadline_ns; /* of its park */
	uint32_t home;       /* its save area (0: on the shared stack, or none), or its own stack */
	uint32_t next;       /* id: in the run queue, or in the list of free coroutines */
	int32_t result;      /* what its park returns */
	uint32_t switches;   /* how often it was resumed */
	uint16_t lines;      /* live at its last park; also the size of its save area */
	uint16_t peak_lines; /* the most there ever were */
	uint8_t state;
	uint8_t flags;
	uint8_t wait_cases;  /* queues that it is in: see wait.h */
	uint8_t wait_done;   /* the case that was done for it + 1 */
};

static_assert(sizeof(struct perch_co) == 64, "a coroutine is one cache line");
static_assert(offsetof(struct perch_co, flags) == offsetof(struct perch_co, state) + 1 &&
	      offsetof(struct perch_co, state) % 2 == 0, "they are looked at together");

/* A place in a queue: see wait.h. Eight for each coroutine, touched by those that wait. */
struct wait_node {
	struct perch_wait_queue *queue;
	uint32_t next, prev;
	unsigned char value[PERCH_WAIT_BYTES];
};

/* Of each coroutine, what only some have: touched by those that have it. */
struct co_kin {
	uint32_t parent;                  /* id */
	uint32_t first_child, next, prev; /* ids + 1 */
	uint64_t cycles;                  /* if they are counted */
	uint32_t birth;                   /* so many named coroutines had this id */
	uint32_t signal;                  /* see ref.c */
};

struct perch_sched {
	struct perch_co *co;       /* all of them, by id */
	struct perch_co *current;  /* NULL: the thread itself runs */
	struct perch_co *occupant; /* whose frames lie on the shared stack */
	void *sp;                  /* the thread's stack pointer while a coroutine runs */
	uint32_t head;             /* of the run queue, an id; meaningless when ready is 0 */
	struct perch_co *tail;     /* likewise */
	uint32_t ready;            /* so many are in it */
	bool valgrind;
	bool wide;                 /* the processor moves half a line at once */
	bool counting;             /* cycles */
	int64_t now_ns;
	struct shared_stack shared;
	struct save_pool saves;
	struct perch_wheel *wheel;

	uint32_t max_co;
	uint32_t fresh_co;         /* those from here on were never used */
	uint32_t free_co;          /* id + 1: a LIFO list */
	uint32_t max_private;      /* that may be asked for */
	uint32_t alive, alive_private;
	uint32_t selects;          /* so many were begun: the case to try first */
	uint32_t poisoned_lines;   /* PERCH_DEBUG: of the empty shared stack */
	struct own_stacks in_place; /* of the first so many that are alive */
	struct own_stacks private;
	struct wait_node *waits;   /* PERCH_WAIT_CASES for each coroutine */
	struct co_kin *kin;
	struct fiber *fibers;      /* by id; sanitizer builds only */
	struct fiber thread;
	unsigned valgrind_id;
	struct perch_sched_stats stats;
};

/* Where the stack of a CO_OWN_STACK is. */
static inline const struct own_stacks *own_stacks(const struct perch_sched *s,
						  const struct perch_co *co)
{
	return FIBER_PRIVATE || co->flags & PERCH_CO_PRIVATE ? &s->private : &s->in_place;
}

/* A function's address as the debugger and the dynamic linker want it. */
static inline const void *code_address(perch_co_fn fn)
{
	return (const void *)(uintptr_t)fn;
}

/* Defined by coro.c, for dump.c: bring a parked coroutine's frames to their addresses, to look at
 * them; and leave them again. */
void perch_co_settle(struct perch_sched *s, struct perch_co *co);
void perch_co_unsettle(struct perch_sched *s, struct perch_co *co);

/* Defined by family.c, for coro.c. */
void perch_family_leave(struct perch_sched *s, struct perch_co *child); /* it is ending */
void perch_family_end(struct perch_sched *s, struct perch_co *parent);  /* until all children did */

static inline uint32_t co_id(const struct perch_sched *s, const struct perch_co *co)
{
	return (uint32_t)(co - s->co);
}

#endif
