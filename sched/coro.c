/* SPDX-License-Identifier: BSD-3-Clause
 * The life of a coroutine: spawn, run, park, wake, cancel, finish.
 *
 * The run queue is a list through the control blocks, first in first out. A parked coroutine is in
 * no list at all: whoever will wake it holds it, and a deadline holds its id in the wheel.
 *
 * The first 64 that are alive have a stack each and stay in place, because for so few a copy costs
 * more than the cache that their stacks take; all others share one.
 *
 * Rejected: direct hand-off from one coroutine to the next (saves nothing once the switch is
 * inline); 64 shared stacks, each for a 64th of all (with a million 34 ns an event against 29, for
 * most find another on a stack that has gone cold); saving at every park (a flow that gets packets
 * in a row would copy for nothing).
 */
#include "sched/coro.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched/inside.h"
#include "sched/lines.h"
#include "sched/region.h"

enum {
	DEFAULT_MAX_CO = 65536,
	DEFAULT_STACK_BYTES = 256 << 10,
	DEFAULT_PRIVATE_BYTES = 64 << 10,
	DEFAULT_MAX_PRIVATE = 1024,
	DEFAULT_MAX_IN_PLACE = 64, /* their live lines fit a first cache, their pages its TLB */
	SAVE_BYTES_PER_CO = 512, /* by default; address space, not memory */
	GRAIN_NS = 1000,         /* of deadlines: the wheel turns over in 35 minutes of it */
	MIN_STACK_BYTES = 16 << 10,
	POISON = 0xd5,
	POISON_BELOW_LINES = 64, /* of dead frames under the live ones */
	PARK_SLACK_LINES = 4,    /* from a park's frame down to where its switch leaves the stack */
	EXPIRE_BATCH = 64,
	LINES_FETCHED = 16,      /* of an image, at most, when its owner is woken */
	FIBER_FRAME_FACTOR = 4,  /* a sanitizer's red zones make frames larger by about as much */
};

#ifdef PERCH_DEBUG
enum { STACK_CHECKED = 1 };
#else
enum { STACK_CHECKED = 0 };
#endif

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

void perch_co_end(struct perch_sched *s); /* called by perch_switch_entry */

/* Into the second cache: the first has few buffers for misses, and drops what a burst asks beyond
 * them (Zen 4: 131 ns for the three lines of an image in bursts of 32, against 33). */
static inline void fetch(const void *line)
{
	__builtin_prefetch(line, 0, 2);
	__asm__ volatile(""); /* a function that only prefetches is pure to gcc, and deleted */
}

/* ---- the run queue ---- */

static inline void push_ready(struct perch_sched *s, struct perch_co *co, uint32_t id)
{
	if (s->ready++ == 0)
		s->head = id;
	else
		s->tail->next = id;
	s->tail = co;
}

static inline struct perch_co *pop_ready(struct perch_sched *s)
{
	struct perch_co *co = &s->co[s->head];

	s->head = co->next;
	s->ready--;
	return co;
}

bool perch_sched_ready(const struct perch_sched *s)
{
	return s->ready > 0;
}

/* ---- the shared stack ---- */

static uint32_t lines_below(const char *top, const void *sp)
{
	return (uint32_t)((size_t)(top - (const char *)sp + STACK_LINE - 1) >> STACK_LINE_BITS);
}

static char *shared_lines(const struct perch_sched *s, uint32_t lines)
{
	return s->shared.top - ((size_t)lines << STACK_LINE_BITS);
}

/* There is room: the park made sure, and nobody saved since. */
static void move_out(struct perch_sched *s, struct perch_co *co)
{
	co->home = perch_save_take(&s->saves, co->lines);
	assert(co->home != 0);
	copy_lines(save_area(&s->saves, co->home), shared_lines(s, co->lines), co->lines);
}

static void move_in(struct perch_sched *s, struct perch_co *co)
{
	if (unlikely(s->valgrind))
		fiber_undefined(shared_lines(s, co->lines),
				(size_t)co->lines << STACK_LINE_BITS);
	copy_lines(shared_lines(s, co->lines), save_area(&s->saves, co->home), co->lines);
	perch_save_give(&s->saves, co->home, co->lines);
	co->home = 0;
}

static inline __attribute__((always_inline)) void change_places(
	struct perch_sched *s, struct perch_co *in, struct perch_co *out)
{
	uint32_t home = in->home;

	out->home = home;
	in->home = 0;
	exchange_lines(save_area(&s->saves, home), shared_lines(s, in->lines), in->lines, s->wide);
}

/* Debug builds move everybody out at once and fill the place with a pattern, so that whoever still
 * uses a parked coroutine's stack reads nonsense, and if he writes is found out. */
static void poison(struct perch_sched *s, uint32_t live_lines)
{
	s->poisoned_lines = live_lines + POISON_BELOW_LINES;
	if (s->poisoned_lines > s->saves.max_lines)
		s->poisoned_lines = s->saves.max_lines;
	memset(shared_lines(s, s->poisoned_lines), POISON,
	       (size_t)s->poisoned_lines << STACK_LINE_BITS);
}

static void check_poison(struct perch_sched *s)
{
	const unsigned char *p = (const void *)shared_lines(s, s->poisoned_lines);

	for (; p < (const unsigned char *)s->shared.top; p++) {
		if (*p == POISON)
			continue;
		fprintf(stderr, "perch: somebody wrote to the stack of a parked coroutine, at %p\n",
			(const void *)p);
		abort();
	}
	s->poisoned_lines = 0;
}

static void vacate(struct perch_sched *s, struct perch_co *co)
{
	if (s->occupant == co) {
		move_out(s, co);
		s->occupant = NULL;
	}
	poison(s, co->lines);
}

static __attribute__((noinline)) void occupy_unequal(struct perch_sched *s, struct perch_co *co,
						      struct perch_co *out)
{
	if (out != NULL)
		move_out(s, out);
	if (co->home != 0)
		move_in(s, co);
}

/* Make co the occupant of the shared stack. */
static inline __attribute__((always_inline)) void occupy(struct perch_sched *s,
							 struct perch_co *co)
{
	struct perch_co *out = s->occupant;

	if (STACK_CHECKED)
		check_poison(s);
	if (out == co)
		return;
	s->occupant = co;
	if (likely(out != NULL && out->lines == co->lines))
		change_places(s, co, out);
	else
		occupy_unequal(s, co, out);
}

/* ---- starting and ending ---- */

/* A sanitizer must hear of the arrival before anything else happens on the new stack. */
static void arrive_first(void *arg)
{
	struct perch_sched *s = arg;
	struct perch_co *co = s->current;

	fiber_arrive(&s->fibers[co_id(s, co)], &s->thread);
	co->fn(co->arg);
}

/* What the first switch to it pops (see switch.h), and what perch_switch_entry then does. */
static void *first_frame(struct perch_sched *s, const struct perch_co *co, void *top)
{
	uintptr_t *frame = (uintptr_t *)top - 4;

	frame[0] = (uintptr_t)s;
	frame[1] = (uintptr_t)perch_switch_entry;
	frame[2] = (uintptr_t)(FIBER_PRIVATE ? arrive_first : co->fn);
	frame[3] = (uintptr_t)(FIBER_PRIVATE ? s : co->arg);
	return frame;
}

static void start(struct perch_sched *s, struct perch_co *co)
{
	if (co->flags & CO_OWN_STACK) {
		char *low = perch_own_low(own_stacks(s, co), co->home);
		char *top = own_top(own_stacks(s, co), co->home);

		if (FIBER_PRIVATE)
			fiber_open(&s->fibers[co_id(s, co)], low, (size_t)(top - low));
		co->place.sp = first_frame(s, co, top);
		return;
	}
	co->place.sp = first_frame(s, co, s->shared.top);
}

/* Its stack ends here: it leaves without a look back, and the run loop retires it. */
void perch_co_end(struct perch_sched *s)
{
	struct perch_co *co = s->current;

	if (unlikely(co->flags & CO_PARENT))
		perch_family_end(s, co);
	co->state = CO_FINISHED;
	if (FIBER_PRIVATE)
		fiber_leave(&s->fibers[co_id(s, co)], &s->thread, true);
	switch_stack(&co->place.sp, s->sp);
	__builtin_unreachable();
}

static void give_co(struct perch_sched *s, struct perch_co *co)
{
	co->state = CO_FREE;
	co->next = s->free_co;
	s->free_co = co_id(s, co) + 1;
}

static void give_stack(struct perch_sched *s, const struct perch_co *co)
{
	if (FIBER_PRIVATE || co->flags & PERCH_CO_PRIVATE)
		perch_own_give(&s->private, co->home);
	else
		perch_own_give(&s->in_place, co->home);
	s->alive_private -= (co->flags & PERCH_CO_PRIVATE) != 0;
}

static void retire(struct perch_sched *s, struct perch_co *co)
{
	if (unlikely(co->flags & CO_CHILD))
		perch_family_leave(s, co);
	if (co->flags & CO_OWN_STACK) {
		if (FIBER_PRIVATE)
			fiber_close(&s->fibers[co_id(s, co)]);
		give_stack(s, co);
	} else {
		s->occupant = NULL;
	}
	give_co(s, co);
	s->alive--;
	s->stats.finished++;
}

static struct perch_co *take_co(struct perch_sched *s)
{
	struct perch_co *co;

	if (s->free_co != 0) {
		co = &s->co[s->free_co - 1];
		s->free_co = co->next;
		return co;
	}
	if (s->fresh_co == s->max_co)
		return NULL;
	return &s->co[s->fresh_co++];
}

static bool own_slot(struct perch_co *co, struct own_stacks *from)
{
	co->home = perch_own_take(from);
	if (co->home == 0)
		return false;
	co->flags |= CO_OWN_STACK;
	return true;
}

/* A private one may run out; for everybody else there is the shared stack. */
static bool take_stack(struct perch_sched *s, struct perch_co *co, unsigned flags)
{
	if (!FIBER_PRIVATE && !(flags & PERCH_CO_PRIVATE)) {
		own_slot(co, &s->in_place);
		return true;
	}
	if (flags & PERCH_CO_PRIVATE && s->alive_private == s->max_private)
		return false;
	if (!own_slot(co, &s->private))
		return false;
	s->alive_private += (flags & PERCH_CO_PRIVATE) != 0;
	return true;
}

struct perch_co *perch_co_spawn(struct perch_sched *s, perch_co_fn fn, void *arg, unsigned flags)
{
	struct perch_co *co = take_co(s);

	if (unlikely(co == NULL)) {
		s->stats.refused_co++;
		return NULL;
	}
	*co = (struct perch_co){
		.fn = fn,
		.arg = arg,
		.deadline_ns = PERCH_SCHED_NEVER,
		.state = CO_NEW,
		.flags = flags & PERCH_CO_PRIVATE,
	};
	if (unlikely(!take_stack(s, co, flags))) {
		s->stats.refused_private++;
		give_co(s, co);
		return NULL;
	}
	if (unlikely(s->counting))
		s->kin[co_id(s, co)].cycles = 0;
	s->alive++;
	s->stats.spawned++;
	push_ready(s, co, co_id(s, co));
	return co;
}

/* ---- running ---- */

static inline void measure(struct perch_co *co, const char *top)
{
	co->lines = (uint16_t)lines_below(top, co->place.sp);
	if (unlikely(co->lines > co->peak_lines))
		co->peak_lines = co->lines;
}

static char *top_of(const struct perch_sched *s, const struct perch_co *co)
{
	return co->flags & CO_OWN_STACK ? own_top(own_stacks(s, co), co->home) : s->shared.top;
}

static inline uint64_t cycles(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	uint64_t t;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
	return t;
#endif
}

static inline __attribute__((always_inline)) void note_entry(struct perch_sched *s,
							      struct perch_co *co)
{
	co->state = CO_RUNNING;
	co->switches++;
	s->current = co;
	if (FIBER_PRIVATE)
		fiber_leave(&s->thread, &s->fibers[co_id(s, co)], false);
}

/* Is it one that has waited, on the shared stack, and nothing else is to be known of it? */
static inline bool is_plain(const struct perch_co *co)
{
	const uint16_t plain = CO_READY; /* and no flags */
	uint16_t state_and_flags;

	memcpy(&state_and_flags, &co->state, sizeof(state_and_flags));
	return state_and_flags == plain;
}

/* Let such a one run until it leaves. All of it is inlined in the run loop: see switch.h. */
static inline __attribute__((always_inline)) void resume_plain(struct perch_sched *s,
								struct perch_co *co)
{
	occupy(s, co);
	note_entry(s, co);
	switch_resume(&s->sp, &co->place, co->result);
	co = s->current;
	if (unlikely(co->state == CO_FINISHED))
		retire(s, co);
	else
		measure(co, s->shared.top);
}

static inline __attribute__((always_inline)) void resume(struct perch_sched *s,
							 struct perch_co *co)
{
	bool begins = co->state == CO_NEW;

	if (!(co->flags & CO_OWN_STACK))
		occupy(s, co);
	if (unlikely(begins))
		start(s, co);
	note_entry(s, co);
	if (unlikely(begins))
		switch_stack(&s->sp, co->place.sp);
	else
		switch_resume(&s->sp, &co->place, co->result);
	if (FIBER_PRIVATE)
		fiber_arrive(&s->thread, NULL);
	co = s->current;
	if (unlikely(co->state == CO_FINISHED))
		retire(s, co);
	else
		measure(co, top_of(s, co));
	if (STACK_CHECKED && !(co->flags & CO_OWN_STACK))
		vacate(s, co);
}

/* Out of the way of those who do not count. A coroutine that has ended keeps its kin until the next
 * is born. */
static __attribute__((noinline)) void resume_counting(struct perch_sched *s, struct perch_co *co)
{
	uint64_t start = cycles();

	resume(s, co);
	s->kin[co_id(s, co)].cycles += cycles() - start;
}

void perch_co_settle(struct perch_sched *s, struct perch_co *co)
{
	if (!(co->flags & CO_OWN_STACK))
		occupy(s, co);
}

void perch_co_unsettle(struct perch_sched *s, struct perch_co *co)
{
	if (STACK_CHECKED && !(co->flags & CO_OWN_STACK))
		vacate(s, co);
}

unsigned perch_sched_run(struct perch_sched *s, unsigned budget)
{
	unsigned n = s->ready < budget ? s->ready : budget, left;

	assert(s->current == NULL);
	if (FIBER_PRIVATE)
		fiber_thread(&s->thread);
	for (left = n; left > 0; left--) {
		struct perch_co *co = pop_ready(s);

		if (unlikely(s->counting))
			resume_counting(s, co);
		else if (!STACK_CHECKED && !FIBER_PRIVATE && is_plain(co))
			resume_plain(s, co);
		else
			resume(s, co);
	}
	s->current = NULL;
	s->stats.switches += n;
	return n;
}

/* ---- parking and waking ---- */

/* An image that could not be moved out later must not be left behind now. */
static __attribute__((noinline)) bool find_room(struct perch_sched *s, struct perch_co *co)
{
	char here = 0; /* below the park's frame */

	if (co->flags & CO_OWN_STACK)
		return true;
	if (perch_save_room(&s->saves, lines_below(s->shared.top, &here) + PARK_SLACK_LINES))
		return true;
	s->stats.refused_save++;
	return false;
}

/* Even for the largest image. */
static inline bool room_for_any(const struct perch_sched *s)
{
	return s->saves.fresh < s->saves.ample;
}

static inline bool room_to_park(struct perch_sched *s, struct perch_co *co)
{
	return likely(room_for_any(s)) || find_room(s, co);
}

/* Give the thread back to the run loop, and return when it resumes this coroutine. A tail call, so
 * that a park has no frame of its own: that would be part of every image. */
static inline __attribute__((always_inline)) int give_way(struct perch_sched *s,
							   struct perch_co *co)
{
	int result;

	if (!FIBER_PRIVATE)
		return perch_switch_leave(&co->place, s->sp);
	fiber_leave(&s->fibers[co_id(s, co)], &s->thread, false);
	result = perch_switch_leave(&co->place, s->sp);
	fiber_arrive(&s->fibers[co_id(s, co)], &s->thread);
	return result;
}

static __attribute__((noinline)) int park_with_care(struct perch_sched *s, int64_t deadline_ns)
{
	struct perch_co *co = s->current;

	assert(co != NULL);
	if (unlikely((co->flags & (CO_CANCELLED | CO_ENDING)) == CO_CANCELLED))
		return -ECANCELED;
	if (unlikely(!room_to_park(s, co)))
		return -ENOMEM;
	if (deadline_ns != PERCH_SCHED_NEVER) {
		if (deadline_ns <= s->now_ns)
			return -ETIMEDOUT;
		perch_wheel_arm(s->wheel, co_id(s, co), deadline_ns);
	}
	co->deadline_ns = deadline_ns;
	co->state = CO_PARKED;
	return give_way(s, co);
}

/* Most wait for an event, and may: that is not made to pay for the registers of the rest. */
__attribute__((noinline)) int perch_co_park(struct perch_sched *s, int64_t deadline_ns)
{
	struct perch_co *co = s->current;

	assert(co != NULL);
	if (unlikely(FIBER_PRIVATE || deadline_ns != PERCH_SCHED_NEVER ||
		     co->flags & CO_CANCELLED || !room_for_any(s)))
		return park_with_care(s, deadline_ns);
	co->deadline_ns = PERCH_SCHED_NEVER;
	co->state = CO_PARKED;
	return give_way(s, co);
}

uint32_t perch_co_note_deadline(struct perch_sched *s, int64_t deadline_ns)
{
	s->current->deadline_ns = deadline_ns;
	return co_id(s, s->current);
}

int64_t perch_co_noted_deadline(const struct perch_sched *s)
{
	return s->current->deadline_ns;
}

int perch_co_park_noted(struct perch_sched *s)
{
	return perch_co_park(s, s->current->deadline_ns);
}

__attribute__((noinline)) int perch_co_yield(struct perch_sched *s)
{
	struct perch_co *co = s->current;

	assert(co != NULL);
	if (unlikely(!room_to_park(s, co)))
		return -ENOMEM;
	co->result = co->flags & CO_CANCELLED ? -ECANCELED : 0;
	co->state = CO_READY;
	push_ready(s, co, co_id(s, co));
	return give_way(s, co);
}

static __attribute__((noinline)) void fetch_rest(const struct perch_sched *s,
						  const struct perch_co *co)
{
	const char *image = save_area(&s->saves, co->home);
	uint32_t i;

	for (i = 2; i < co->lines && i < LINES_FETCHED; i++)
		fetch(image + ((size_t)i << STACK_LINE_BITS));
}

/* Two lines are what a handler that waits has. The hardware does not follow a longer image (a fifth
 * line: 150 cycles). */
static inline void prefetch_image(const struct perch_sched *s, const struct perch_co *co)
{
	const char *image;

	if (co->flags & CO_OWN_STACK)
		return;
	image = save_area(&s->saves, co->home);
	fetch(image);
	fetch(image + STACK_LINE);
	if (unlikely(co->lines > 2))
		fetch_rest(s, co);
}

static inline __attribute__((always_inline)) void wake(
	struct perch_sched *s, struct perch_co *co, uint32_t id, int result)
{
	if (co->state != CO_PARKED)
		return;
	co->state = CO_READY;
	co->result = result;
	prefetch_image(s, co);
	push_ready(s, co, id);
}

void perch_co_wake(struct perch_sched *s, struct perch_co *co, int result)
{
	wake(s, co, co_id(s, co), result);
}

void perch_co_wake_id(struct perch_sched *s, uint32_t id, int result)
{
	if (id < s->fresh_co)
		wake(s, &s->co[id], id, result);
}

void perch_co_prefetch(const struct perch_sched *s, uint32_t id)
{
	fetch(&s->co[id < s->fresh_co ? id : 0]);
}

void perch_co_cancel(struct perch_sched *s, struct perch_co *co)
{
	if (co->state == CO_FREE)
		return;
	co->flags |= CO_CANCELLED;
	if (co->state == CO_READY)
		co->result = -ECANCELED;
	perch_co_wake(s, co, -ECANCELED);
}

void perch_sched_cancel_all(struct perch_sched *s)
{
	uint32_t id;

	for (id = 0; id < s->fresh_co; id++)
		perch_co_cancel(s, &s->co[id]);
}

/* ---- time ---- */

/* Of its park: one that runs has none, and says so when it parks again. */
static int64_t deadline_of(void *sched, uint32_t id)
{
	const struct perch_co *co = &((struct perch_sched *)sched)->co[id];

	return co->state == CO_PARKED ? co->deadline_ns : PERCH_SCHED_NEVER;
}

/* The wheel named it: is its deadline over, later than it was, or gone? */
static void look_at_deadline(struct perch_sched *s, uint32_t id)
{
	int64_t deadline_ns = deadline_of(s, id);

	if (deadline_ns <= s->now_ns)
		perch_co_wake(s, &s->co[id], -ETIMEDOUT);
	else if (deadline_ns != PERCH_SCHED_NEVER)
		perch_wheel_arm(s->wheel, id, deadline_ns);
}

void perch_sched_advance(struct perch_sched *s, int64_t now_ns)
{
	uint32_t ids[EXPIRE_BATCH], n, i;

	if (now_ns > s->now_ns)
		s->now_ns = now_ns;
	do {
		n = perch_wheel_expire(s->wheel, s->now_ns, ids, EXPIRE_BATCH);
		for (i = 0; i < n; i++)
			fetch(&s->co[ids[i]]);
		for (i = 0; i < n; i++)
			look_at_deadline(s, ids[i]);
	} while (n == EXPIRE_BATCH);
}

int64_t perch_sched_next_deadline(const struct perch_sched *s)
{
	int64_t next_ns = perch_wheel_next(s->wheel);

	return next_ns < s->now_ns ? s->now_ns : next_ns;
}

/* ---- who is who ---- */

struct perch_co *perch_co_current(const struct perch_sched *s)
{
	return s->current;
}

uint32_t perch_co_id(const struct perch_sched *s, const struct perch_co *co)
{
	return co_id(s, co);
}

struct perch_co *perch_co_by_id(const struct perch_sched *s, uint32_t id)
{
	return id < s->fresh_co ? &s->co[id] : NULL;
}

void perch_sched_trim(struct perch_sched *s)
{
	perch_save_trim(&s->saves);
	perch_own_trim(&s->private);
	perch_own_trim(&s->in_place);
	if (s->alive > 0)
		return;
	s->fresh_co = 0; /* nobody is left: forget the free list that runs through all of them */
	s->free_co = 0;
	perch_region_drop(s->co, s->co + s->max_co);
}

void perch_sched_stats(const struct perch_sched *s, struct perch_sched_stats *out)
{
	*out = s->stats;
	out->alive = s->alive;
	out->ready = s->ready;
	out->saved_bytes = (size_t)s->saves.used << STACK_LINE_BITS;
}

/* ---- open and close ---- */

static int with_defaults(struct perch_sched_config *c)
{
	if (c->max_co == 0)
		c->max_co = DEFAULT_MAX_CO;
	if (c->stack_bytes == 0)
		c->stack_bytes = DEFAULT_STACK_BYTES;
	if (c->private_bytes == 0)
		c->private_bytes = DEFAULT_PRIVATE_BYTES;
	if (c->max_private == 0)
		c->max_private = DEFAULT_MAX_PRIVATE;
	if (c->max_in_place == 0)
		c->max_in_place = DEFAULT_MAX_IN_PLACE;
	if (c->max_in_place == PERCH_SCHED_NONE_IN_PLACE || STACK_CHECKED || FIBER_PRIVATE)
		c->max_in_place = 0;
	if (c->save_bytes == 0)
		c->save_bytes = (size_t)c->max_co * SAVE_BYTES_PER_CO + 4 * (size_t)c->stack_bytes;
	if (c->max_co > PERCH_CO_NONE / PERCH_WAIT_CASES - 1 || c->stack_bytes < MIN_STACK_BYTES ||
	    c->private_bytes < MIN_STACK_BYTES)
		return -EINVAL;
	if (FIBER_PRIVATE && c->private_bytes < FIBER_FRAME_FACTOR * c->stack_bytes)
		c->private_bytes = FIBER_FRAME_FACTOR * c->stack_bytes;
	return 0;
}

static int open_stacks(struct perch_sched *s, const struct perch_sched_config *c)
{
	uint32_t private = FIBER_PRIVATE ? c->max_co : c->max_private;
	int node = c->numa_node - 1, err;

	err = perch_shared_open(&s->shared, c->stack_bytes, node);
	if (err < 0)
		return err;
	err = perch_save_open(&s->saves, c->save_bytes, s->shared.bytes, node);
	if (err < 0)
		goto no_saves;
	err = perch_own_open(&s->private, private, c->private_bytes,
			     FIBER_PRIVATE ? 0 : STACK_PAGE, node);
	if (err < 0)
		goto no_private;
	err = perch_own_open(&s->in_place, c->max_in_place, c->stack_bytes, STACK_SHARED_GUARD,
			     node);
	if (err < 0)
		goto no_place;
	return 0;
no_place:
	perch_own_close(&s->private);
no_private:
	perch_save_close(&s->saves);
no_saves:
	perch_shared_close(&s->shared);
	return err;
}

static void close_stacks(struct perch_sched *s)
{
	perch_own_close(&s->in_place);
	perch_own_close(&s->private);
	perch_save_close(&s->saves);
	perch_shared_close(&s->shared);
}

static void close_blocks(struct perch_sched *s)
{
	size_t n = s->max_co;

	perch_wheel_close(s->wheel);
	perch_region_unmap(s->fibers, n * sizeof(*s->fibers));
	perch_region_unmap(s->kin, n * sizeof(*s->kin));
	perch_region_unmap(s->waits, n * PERCH_WAIT_CASES * sizeof(*s->waits));
	perch_region_unmap(s->co, n * sizeof(*s->co));
}

static int open_blocks(struct perch_sched *s, const struct perch_sched_config *c)
{
	struct perch_wheel_config wheel = {
		.max_ids = c->max_co, .tick_ns = GRAIN_NS, .due = deadline_of, .due_arg = s};
	size_t n = c->max_co;
	int node = c->numa_node - 1;

	s->max_co = c->max_co;
	s->max_private = c->max_private;
	s->co = perch_region_map(n * sizeof(*s->co), node);
	s->waits = perch_region_map(n * PERCH_WAIT_CASES * sizeof(*s->waits), node);
	s->kin = perch_region_map(n * sizeof(*s->kin), node);
	if (FIBER_PRIVATE)
		s->fibers = perch_region_map(n * sizeof(*s->fibers), node);
	if (s->co == NULL || s->waits == NULL || s->kin == NULL ||
	    (FIBER_PRIVATE && s->fibers == NULL) || perch_wheel_open(&s->wheel, &wheel) < 0) {
		close_blocks(s);
		return -ENOMEM;
	}
	return 0;
}

int perch_sched_open(struct perch_sched **out, const struct perch_sched_config *cfg)
{
	struct perch_sched_config c = cfg != NULL ? *cfg : (struct perch_sched_config){0};
	struct perch_sched *s;
	int err = with_defaults(&c);

	if (err < 0)
		return err;
	s = perch_region_map(sizeof(*s), c.numa_node - 1);
	if (s == NULL)
		return -ENOMEM;
	err = open_stacks(s, &c);
	if (err < 0)
		goto no_stacks;
	err = open_blocks(s, &c);
	if (err < 0)
		goto no_blocks;
	s->valgrind = fiber_valgrind();
	s->wide = lines_wide();
	s->valgrind_id = fiber_register(s->shared.base, s->shared.top);
	*out = s;
	return 0;
no_blocks:
	close_stacks(s);
no_stacks:
	perch_region_unmap(s, sizeof(*s));
	return err;
}

/* Prints instead of only asserting: the caller's bug is a handler that did not unwind. */
static void assert_all_finished(const struct perch_sched *s)
{
	if (s->alive == 0)
		return;
	fprintf(stderr, "perch: scheduler closed with %u coroutines alive\n", s->alive);
	abort();
}

void perch_sched_close(struct perch_sched *s)
{
	if (s == NULL)
		return;
	assert_all_finished(s);
	fiber_unregister(s->valgrind_id);
	close_blocks(s);
	close_stacks(s);
	perch_region_unmap(s, sizeof(*s));
}
