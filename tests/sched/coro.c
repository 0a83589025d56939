/* SPDX-License-Identifier: BSD-3-Clause
 * Coroutines: order, budget, deadlines, cancellation, refusals, and that a parked stack comes back
 * as it was.
 */
#include "sched/coro.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched/fiber.h"
#include "tests/suite.h"

#define NEVER PERCH_SCHED_NEVER

#ifdef PERCH_DEBUG
enum { STACKS_CHECKED = 1 };
#else
enum { STACKS_CHECKED = 0 };
#endif

/* How many stacks stay in place where a case does not care: all cases run with none and with 64. */
#ifndef IN_PLACE
#define IN_PLACE PERCH_SCHED_NONE_IN_PLACE
#endif

static struct perch_sched *open_sched(const struct perch_sched_config *cfg)
{
	struct perch_sched_config c = *cfg;
	struct perch_sched *s = NULL;

	if (c.max_in_place == 0)
		c.max_in_place = IN_PLACE;
	CU_ASSERT_EQUAL_FATAL(perch_sched_open(&s, &c), 0);
	return s;
}

static struct perch_sched *open_small(void)
{
	struct perch_sched_config cfg = {.max_co = 64, .max_private = 8};

	return open_sched(&cfg);
}

static struct perch_sched_stats stats_of(struct perch_sched *s)
{
	struct perch_sched_stats st;

	perch_sched_stats(s, &st);
	return st;
}

static void run_dry(struct perch_sched *s)
{
	while (perch_sched_ready(s))
		perch_sched_run(s, UINT32_MAX);
}

/* What the coroutines of a case share: a log of who ran, and how their parks ended. */
struct scene {
	struct perch_sched *s;
	char log[64];
	int result[8];
	unsigned n;
	int64_t deadline;
};

struct actor {
	struct scene *scene;
	char name;
	int rounds;
};

static void note(struct scene *sc, char c)
{
	if (sc->n < sizeof(sc->log) - 1)
		sc->log[sc->n++] = c;
}

static void yields(void *arg)
{
	struct actor *a = arg;

	while (a->rounds-- > 0) {
		note(a->scene, a->name);
		CU_ASSERT_EQUAL(perch_co_yield(a->scene->s), 0);
	}
	note(a->scene, a->name);
}

static void parks_once(void *arg)
{
	struct scene *sc = arg;

	sc->result[0] = perch_co_park(sc->s, sc->deadline);
	sc->n++;
}

static void parks_twice(void *arg)
{
	struct scene *sc = arg;

	sc->result[0] = perch_co_park(sc->s, NEVER);
	sc->result[1] = perch_co_park(sc->s, NEVER);
	sc->n++;
}

static void does_nothing(void *arg)
{
	(void)arg;
}

static void spawn_runs_later(void)
{
	struct scene sc = {.s = open_small()};
	struct actor a = {&sc, 'a', 0};
	struct perch_co *co = perch_co_spawn(sc.s, yields, &a, 0);

	CU_ASSERT_PTR_NOT_NULL_FATAL(co);
	CU_ASSERT_EQUAL(sc.n, 0);
	CU_ASSERT(perch_sched_ready(sc.s));
	CU_ASSERT_PTR_NULL(perch_co_current(sc.s));
	CU_ASSERT_PTR_EQUAL(perch_co_by_id(sc.s, perch_co_id(sc.s, co)), co);
	CU_ASSERT_EQUAL(perch_sched_run(sc.s, 10), 1);
	CU_ASSERT_STRING_EQUAL(sc.log, "a");
	CU_ASSERT_EQUAL(stats_of(sc.s).finished, 1);
	CU_ASSERT_EQUAL(stats_of(sc.s).alive, 0);
	CU_ASSERT_PTR_NULL(perch_co_by_id(sc.s, 1));
	perch_sched_close(sc.s);
}

static void order_and_budget(void)
{
	struct scene sc = {.s = open_small()};
	struct actor a = {&sc, 'a', 2}, b = {&sc, 'b', 2}, c = {&sc, 'c', 2};

	perch_co_spawn(sc.s, yields, &a, 0);
	perch_co_spawn(sc.s, yields, &b, 0);
	perch_co_spawn(sc.s, yields, &c, 0);
	CU_ASSERT_EQUAL(perch_sched_run(sc.s, 2), 2);
	CU_ASSERT_STRING_EQUAL(sc.log, "ab");
	CU_ASSERT_EQUAL(perch_sched_run(sc.s, 100), 3); /* those that yield run in the next call */
	CU_ASSERT_STRING_EQUAL(sc.log, "abcab");
	run_dry(sc.s);
	CU_ASSERT_STRING_EQUAL(sc.log, "abcabcabc");
	CU_ASSERT_EQUAL(perch_sched_run(sc.s, 100), 0);
	perch_sched_close(sc.s);
}

static void wake_gives_result(void)
{
	struct scene sc = {.s = open_small(), .deadline = NEVER};
	struct perch_co *co = perch_co_spawn(sc.s, parks_once, &sc, 0);

	perch_co_wake(sc.s, co, 1); /* not parked yet: nothing */
	perch_sched_run(sc.s, 10);
	CU_ASSERT_EQUAL(sc.n, 0);
	perch_co_wake(sc.s, co, 42);
	perch_co_wake(sc.s, co, 43); /* ready already: nothing */
	CU_ASSERT_EQUAL(stats_of(sc.s).ready, 1);
	perch_sched_run(sc.s, 10);
	CU_ASSERT_EQUAL(sc.n, 1);
	CU_ASSERT_EQUAL(sc.result[0], 42);
	perch_sched_close(sc.s);
}

static void spawns_child(void *arg)
{
	struct actor *a = arg;

	note(a->scene, '1');
	perch_co_spawn(a->scene->s, yields, a, 0);
	note(a->scene, '2');
}

static void spawn_within_runs_next(void)
{
	struct scene sc = {.s = open_small()};
	struct actor a = {&sc, 'x', 0};

	perch_co_spawn(sc.s, spawns_child, &a, 0);
	CU_ASSERT_EQUAL(perch_sched_run(sc.s, 10), 1);
	CU_ASSERT_STRING_EQUAL(sc.log, "12");
	run_dry(sc.s);
	CU_ASSERT_STRING_EQUAL(sc.log, "12x");
	perch_sched_close(sc.s);
}

static void deadline_passes(void)
{
	struct scene sc = {.s = open_small(), .deadline = 5000};

	perch_co_spawn(sc.s, parks_once, &sc, 0);
	perch_sched_run(sc.s, 1);
	CU_ASSERT_EQUAL(perch_sched_next_deadline(sc.s), 5000);
	perch_sched_advance(sc.s, 4999);
	CU_ASSERT(!perch_sched_ready(sc.s));
	perch_sched_advance(sc.s, 5000);
	CU_ASSERT(perch_sched_ready(sc.s));
	perch_sched_run(sc.s, 1);
	CU_ASSERT_EQUAL(sc.result[0], -ETIMEDOUT);
	CU_ASSERT_EQUAL(perch_sched_next_deadline(sc.s), NEVER);
	perch_sched_close(sc.s);
}

/* A second park with a later deadline, in the same block: the entry of the first is not it. */
static void sleeps_twice(void *arg)
{
	struct scene *sc = arg;

	sc->result[0] = perch_co_park(sc->s, 5000);
	sc->n++;
	sc->result[1] = perch_co_park(sc->s, 9000);
	sc->n++;
	sc->result[2] = perch_co_park(sc->s, 8000); /* over already */
	sc->n++;
}

static void deadline_of_an_earlier_park_is_forgotten(void)
{
	struct scene sc = {.s = open_small()};
	struct perch_co *co = perch_co_spawn(sc.s, sleeps_twice, &sc, 0);

	perch_sched_run(sc.s, 1);
	perch_co_wake(sc.s, co, 7);
	perch_sched_run(sc.s, 1);
	CU_ASSERT_EQUAL(sc.n, 1);
	perch_sched_advance(sc.s, 6000);
	perch_sched_run(sc.s, 1);
	CU_ASSERT_EQUAL(sc.n, 1);
	CU_ASSERT(perch_sched_next_deadline(sc.s) <= 9000);
	perch_sched_advance(sc.s, 9000);
	perch_sched_run(sc.s, 1);
	CU_ASSERT_EQUAL(sc.n, 3);
	CU_ASSERT_EQUAL(sc.result[0], 7);
	CU_ASSERT_EQUAL(sc.result[1], -ETIMEDOUT);
	CU_ASSERT_EQUAL(sc.result[2], -ETIMEDOUT);
	perch_sched_close(sc.s);
}

/* A virtual clock jumps from deadline to deadline; nobody wakes early, nobody is left. */
static void virtual_clock(void)
{
	struct perch_sched *s = open_small();
	struct scene sc[32];
	int64_t now = 0;
	int i, steps = 0;

	memset(sc, 0, sizeof(sc));
	for (i = 0; i < 32; i++) {
		sc[i].s = s;
		sc[i].deadline = (int64_t)(i % 7 + 1) * 977 << (i % 31);
		perch_co_spawn(s, parks_once, &sc[i], 0);
	}
	run_dry(s);
	while ((now = perch_sched_next_deadline(s)) != NEVER && steps++ < 1000) {
		perch_sched_advance(s, now);
		for (i = 0; i < 32; i++)
			CU_ASSERT(sc[i].n == 0 || sc[i].deadline <= now);
		run_dry(s);
	}
	for (i = 0; i < 32; i++)
		CU_ASSERT_EQUAL(sc[i].result[0], -ETIMEDOUT);
	CU_ASSERT(steps < 150);
	perch_sched_close(s);
}

static void cancel_unwinds(void)
{
	struct scene sc = {.s = open_small()};
	struct perch_co *co = perch_co_spawn(sc.s, parks_twice, &sc, 0);

	perch_sched_run(sc.s, 1);
	perch_co_cancel(sc.s, co);
	perch_co_cancel(sc.s, co);
	CU_ASSERT_EQUAL(perch_sched_run(sc.s, 10), 1);
	CU_ASSERT_EQUAL(sc.n, 1);
	CU_ASSERT_EQUAL(sc.result[0], -ECANCELED);
	CU_ASSERT_EQUAL(sc.result[1], -ECANCELED);
	perch_sched_close(sc.s);
}

static void cancel_before_it_ran_and_after_wake(void)
{
	struct scene fresh = {.s = open_small()}, woken = fresh;
	struct perch_sched *s = fresh.s;
	struct perch_co *co = perch_co_spawn(s, parks_twice, &woken, 0);

	perch_sched_run(s, 1);
	perch_co_wake(s, co, 5);
	perch_co_spawn(s, parks_twice, &fresh, 0);
	perch_sched_cancel_all(s);
	run_dry(s);
	CU_ASSERT_EQUAL(fresh.result[0], -ECANCELED);
	CU_ASSERT_EQUAL(woken.result[0], -ECANCELED);
	CU_ASSERT_EQUAL(woken.result[1], -ECANCELED);
	CU_ASSERT_EQUAL(stats_of(s).alive, 0);
	perch_sched_close(s);
}

static void yields_cancelled(void *arg)
{
	struct scene *sc = arg;

	sc->result[0] = perch_co_park(sc->s, NEVER);
	sc->result[1] = perch_co_yield(sc->s);
	sc->n++;
}

static void cancelled_yield_still_gives_way(void)
{
	struct scene sc = {.s = open_small()};
	struct perch_co *co = perch_co_spawn(sc.s, yields_cancelled, &sc, 0);

	perch_sched_run(sc.s, 1);
	perch_co_cancel(sc.s, co);
	CU_ASSERT_EQUAL(perch_sched_run(sc.s, 1), 1);
	CU_ASSERT_EQUAL(sc.n, 0);
	perch_sched_run(sc.s, 1);
	CU_ASSERT_EQUAL(sc.n, 1);
	CU_ASSERT_EQUAL(sc.result[1], -ECANCELED);
	perch_sched_close(sc.s);
}

/* ---- stacks ---- */

struct diver {
	struct perch_sched *s;
	unsigned id, depth, rounds;
	uint64_t wrong;
};

static uint64_t stamp(uint64_t id, uint64_t depth)
{
	uint64_t x = (id << 32 | depth) * 0x9e3779b97f4a7c15u;

	return x ^ x >> 29;
}

/* Fills a frame at every depth, parks at the bottom, and checks every frame on the way back. */
__attribute__((noinline)) static void dive(struct diver *d, unsigned depth)
{
	volatile uint64_t frame[13];
	double f = (double)d->id * 1.25 + depth;
	size_t i;

	for (i = 0; i < 13; i++)
		frame[i] = stamp(d->id, depth) + i;
	if (depth > 0)
		dive(d, depth - 1);
	else
		perch_co_park(d->s, NEVER);
	for (i = 0; i < 13; i++)
		d->wrong += frame[i] != stamp(d->id, depth) + i;
	d->wrong += f != (double)d->id * 1.25 + depth;
}

static void dives(void *arg)
{
	struct diver *d = arg;

	while (d->rounds-- > 0)
		dive(d, (d->depth + d->rounds * d->id) % (d->depth + 1));
}

/* Random wakes of coroutines of all depths, some of them on private stacks. */
static void stacks_survive(unsigned count, unsigned depths, unsigned rounds, unsigned privates)
{
	struct perch_sched_config cfg = {.max_co = count, .max_private = privates + 1,
					 .save_bytes = (size_t)count * (depths + 4) * 256};
	struct perch_sched *s = open_sched(&cfg);
	struct diver *d = calloc(count, sizeof(*d));
	struct perch_co **co = calloc(count, sizeof(struct perch_co *));
	uint64_t wrong = 0, x = 88172645463325252u;
	unsigned i, n;

	CU_ASSERT_FATAL(d != NULL && co != NULL);
	for (i = 0; i < count; i++) {
		d[i] = (struct diver){.s = s, .id = i, .depth = i % depths, .rounds = rounds};
		co[i] = perch_co_spawn(s, dives, &d[i], i < privates ? PERCH_CO_PRIVATE : 0);
		CU_ASSERT_PTR_NOT_NULL_FATAL(co[i]);
	}
	run_dry(s);
	while (stats_of(s).alive > 0) {
		for (n = 0; n < 32; n++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			if (d[x % count].rounds != UINT32_MAX) /* that is: not finished */
				perch_co_wake(s, co[x % count], 0);
		}
		if (n == 32 && !perch_sched_ready(s))
			for (i = 0; i < count; i++)
				if (d[i].rounds != UINT32_MAX)
					perch_co_wake(s, co[i], 0);
		run_dry(s);
	}
	for (i = 0; i < count; i++)
		wrong += d[i].wrong;
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(stats_of(s).refused_save, 0);
	perch_sched_close(s);
	free(co);
	free(d);
}

static void equal_stacks_survive(void)
{
	stacks_survive(100, 1, 20, 0);
}

static void mixed_stacks_survive(void)
{
	stacks_survive(100, 30, 20, 7);
}

static void many_stacks_survive(void)
{
	stacks_survive(FIBER_PRIVATE ? 2000 : 20000, 12, 4, 0); /* TSan ends at 8,128 fibers */
}

static void deep_stack(void)
{
	struct perch_sched *s = open_small();
	struct diver deep = {.s = s, .id = 1, .depth = 1000, .rounds = 1}; /* over 100 KB */
	struct diver flat = {.s = s, .id = 2, .depth = 0, .rounds = 1};
	struct perch_co *a = perch_co_spawn(s, dives, &deep, 0);
	struct perch_co *b = perch_co_spawn(s, dives, &flat, 0);

	run_dry(s);
	perch_co_wake(s, a, 0);
	perch_co_wake(s, b, 0);
	run_dry(s);
	CU_ASSERT_EQUAL(deep.wrong + flat.wrong, 0);
	CU_ASSERT_EQUAL(stats_of(s).alive, 0);
	perch_sched_close(s);
}

struct shared_address {
	struct perch_sched *s;
	int *where;
	int seen;
};

static void lends_address(void *arg)
{
	struct shared_address *sh = arg;
	int value = 1;

	sh->where = &value;
	perch_co_park(sh->s, NEVER);
	sh->seen = value;
}

static void private_addresses_stay(void)
{
	struct perch_sched *s = open_small();
	struct shared_address sh[3];
	struct perch_co *co[3];
	struct scene other = {.s = s, .deadline = NEVER};
	struct perch_co *o;
	int i;

	for (i = 0; i < 3; i++) {
		sh[i] = (struct shared_address){.s = s};
		co[i] = perch_co_spawn(s, lends_address, &sh[i], PERCH_CO_PRIVATE);
	}
	o = perch_co_spawn(s, parks_once, &other, 0);
	run_dry(s);
	for (i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(*sh[i].where, 1);
		*sh[i].where = 100 + i;
	}
	for (i = 0; i < 3; i++)
		perch_co_wake(s, co[i], 0);
	perch_co_wake(s, o, 0);
	run_dry(s);
	for (i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(sh[i].seen, 100 + i);
	perch_sched_close(s);
}

/* ---- refusals ---- */

/* Two stay where they are, the others move out for each other; a place that was left is taken. */
static void the_first_stay_in_place(void)
{
	struct perch_sched_config cfg = {.max_co = 8, .max_private = 1, .max_in_place = 2};
	struct perch_sched *s = open_sched(&cfg);
	struct shared_address sh[6];
	struct perch_co *co[6];
	int i;

	if (FIBER_PRIVATE || STACKS_CHECKED) {
		perch_sched_close(s);
		suite_skip("sanitizer and debug builds have none in place");
		return;
	}
	for (i = 0; i < 6; i++)
		sh[i] = (struct shared_address){.s = s};
	for (i = 0; i < 4; i++)
		co[i] = perch_co_spawn(s, lends_address, &sh[i], 0);
	run_dry(s);
	CU_ASSERT(sh[0].where != sh[1].where && sh[0].where != sh[2].where);
	CU_ASSERT(sh[1].where != sh[2].where);
	CU_ASSERT((sh[0].where - sh[1].where) % (4096 / (int)sizeof(int)) != 0); /* coloured */
	CU_ASSERT_PTR_EQUAL(sh[2].where, sh[3].where);
	CU_ASSERT(stats_of(s).saved_bytes >= 64 && stats_of(s).saved_bytes < 1024);
	*sh[1].where = 7;
	perch_co_wake(s, co[1], 0);
	run_dry(s);
	CU_ASSERT_EQUAL(sh[1].seen, 7);
	perch_sched_trim(s); /* drops only the place that nobody has */
	for (i = 4; i < 6; i++)
		co[i] = perch_co_spawn(s, lends_address, &sh[i], 0);
	run_dry(s);
	CU_ASSERT_PTR_EQUAL(sh[4].where, sh[1].where);
	CU_ASSERT_PTR_EQUAL(sh[5].where, sh[3].where);
	for (i = 0; i < 6; i++)
		if (i != 1)
			perch_co_wake(s, co[i], 0);
	run_dry(s);
	for (i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(sh[i].seen, i == 1 ? 7 : 1);
	CU_ASSERT_EQUAL(stats_of(s).alive, 0);
	perch_sched_close(s);
}

static void refuses_nonsense(void)
{
	struct perch_sched_config small = {.stack_bytes = 100}, priv = {.private_bytes = 1};
	struct perch_sched_config none = {.max_co = PERCH_CO_NONE};
	struct perch_sched_config big = {.stack_bytes = 64 << 20};
	struct perch_sched *s;

	CU_ASSERT_EQUAL(perch_sched_open(&s, &small), -EINVAL);
	CU_ASSERT_EQUAL(perch_sched_open(&s, &priv), -EINVAL);
	CU_ASSERT_EQUAL(perch_sched_open(&s, &none), -EINVAL);
	CU_ASSERT_EQUAL(perch_sched_open(&s, &big), -EINVAL);
	CU_ASSERT_EQUAL_FATAL(perch_sched_open(&s, NULL), 0);
	perch_sched_close(s);
	perch_sched_close(NULL);
}

static void refuses_over_max_co(void)
{
	struct perch_sched_config cfg = {.max_co = 2, .max_private = 1};
	struct perch_sched *s = open_sched(&cfg);

	CU_ASSERT_PTR_NOT_NULL(perch_co_spawn(s, does_nothing, NULL, 0));
	CU_ASSERT_PTR_NOT_NULL(perch_co_spawn(s, does_nothing, NULL, 0));
	CU_ASSERT_PTR_NULL(perch_co_spawn(s, does_nothing, NULL, 0));
	CU_ASSERT_EQUAL(stats_of(s).refused_co, 1);
	run_dry(s);
	CU_ASSERT_PTR_NOT_NULL(perch_co_spawn(s, does_nothing, NULL, 0));
	run_dry(s);
	perch_sched_close(s);
}

static void refuses_over_max_private(void)
{
	struct perch_sched_config cfg = {.max_co = 8, .max_private = 1};
	struct perch_sched *s = open_sched(&cfg);

	CU_ASSERT_PTR_NOT_NULL(perch_co_spawn(s, does_nothing, NULL, PERCH_CO_PRIVATE));
	CU_ASSERT_PTR_NULL(perch_co_spawn(s, does_nothing, NULL, PERCH_CO_PRIVATE));
	CU_ASSERT_PTR_NOT_NULL(perch_co_spawn(s, does_nothing, NULL, 0));
	CU_ASSERT_EQUAL(stats_of(s).refused_private, 1);
	CU_ASSERT_EQUAL(stats_of(s).alive, 2);
	run_dry(s);
	CU_ASSERT_PTR_NOT_NULL(perch_co_spawn(s, does_nothing, NULL, PERCH_CO_PRIVATE));
	run_dry(s);
	perch_sched_close(s);
}

static void parks_until_refused(void *arg)
{
	struct scene *sc = arg;
	int r = perch_co_park(sc->s, NEVER);

	sc->result[r == -ENOMEM]++;
}

/* Room for a few images only: the rest are told so at once, and nothing is corrupted. */
static void refuses_without_save_memory(void)
{
	struct perch_sched_config cfg = {.max_co = 64, .save_bytes = 4096,
					 .max_in_place = PERCH_SCHED_NONE_IN_PLACE};
	struct scene sc = {.s = open_sched(&cfg)};
	int i;

	for (i = 0; i < 64; i++)
		perch_co_spawn(sc.s, parks_until_refused, &sc, 0);
	run_dry(sc.s);
	CU_ASSERT(FIBER_PRIVATE || sc.result[1] > 0);
	CU_ASSERT_EQUAL(stats_of(sc.s).refused_save, (uint64_t)sc.result[1]);
	CU_ASSERT(stats_of(sc.s).alive > 4);
	perch_sched_cancel_all(sc.s);
	run_dry(sc.s);
	CU_ASSERT_EQUAL(sc.result[0] + sc.result[1], 64);
	perch_sched_close(sc.s);
}

/* Small images fill the memory and leave it in pieces; a large one fits after all. */
static void save_memory_merges(void)
{
	struct perch_sched_config cfg = {.max_co = 8192, .save_bytes = 400 << 10,
					 .max_in_place = PERCH_SCHED_NONE_IN_PLACE};
	struct perch_sched *s = open_sched(&cfg);
	struct scene sc = {.s = s};
	struct diver deep[2] = {{.s = s, .id = 1, .depth = 700, .rounds = 1}, /* over 100 KB */
				{.s = s, .id = 2, .depth = 700, .rounds = 1}};
	int i, n = FIBER_PRIVATE ? 4096 : 8192; /* TSan ends at 8,128 fibers */

	for (i = 0; i < n; i++)
		perch_co_spawn(s, parks_until_refused, &sc, 0);
	run_dry(s);
	CU_ASSERT(FIBER_PRIVATE || sc.result[1] > 0);
	perch_sched_cancel_all(s);
	run_dry(s);
	CU_ASSERT_EQUAL(stats_of(s).alive, 0);
	CU_ASSERT_EQUAL(stats_of(s).saved_bytes, 0);
	sc.result[1] = (int)stats_of(s).refused_save;
	for (i = 0; i < 2; i++)
		perch_co_spawn(s, dives, &deep[i], 0);
	perch_sched_run(s, 1);
	perch_sched_run(s, 1);
	CU_ASSERT_EQUAL(stats_of(s).refused_save, (uint64_t)sc.result[1]);
	perch_sched_trim(s);
	perch_sched_cancel_all(s);
	run_dry(s);
	CU_ASSERT_EQUAL(deep[0].wrong + deep[1].wrong, 0);
	perch_sched_close(s);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"spawn runs later", spawn_runs_later},
		{"order and budget", order_and_budget},
		{"wake gives its result", wake_gives_result},
		{"spawn within a coroutine runs next", spawn_within_runs_next},
		{"a deadline passes", deadline_passes},
		{"deadline of an earlier park is forgotten", deadline_of_an_earlier_park_is_forgotten},
		{"a virtual clock", virtual_clock},
		{"cancel unwinds", cancel_unwinds},
		{"cancel before it ran and after a wake", cancel_before_it_ran_and_after_wake},
		{"a cancelled yield still gives way", cancelled_yield_still_gives_way},
		{"equal stacks survive", equal_stacks_survive},
		{"mixed stacks survive", mixed_stacks_survive},
		{"many stacks survive", many_stacks_survive},
		{"a deep stack", deep_stack},
		{"private addresses stay", private_addresses_stay},
		{"the first stay in place", the_first_stay_in_place},
		{"refuses nonsense", refuses_nonsense},
		{"refuses over max_co", refuses_over_max_co},
		{"refuses over max_private", refuses_over_max_private},
		{"refuses without save memory", refuses_without_save_memory},
		{"save memory merges", save_memory_merges},
		{NULL, NULL},
	};

	return suite_main("sched coro", cases, argc, argv);
}
