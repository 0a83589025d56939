/* SPDX-License-Identifier: BSD-3-Clause
 * The timing wheel, by example and against a model that keeps every deadline in an array.
 */
#include "sched/wheel.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"

enum { TICK = 1000 };

enum { LEFT = 0x1ef7, RIGHT = 0x516b7 };

/* Of the owner of an id, who gives the wheel a word of it. */
struct record {
	uint32_t left, word, right;
};

static bool in_records; /* all cases run in both forms */
static struct record *records;
static uint32_t n_records;

static struct perch_wheel *open_asking(
	uint32_t max_ids, int64_t (*due)(void *arg, uint32_t id), void *arg)
{
	struct perch_wheel_config cfg = {
		.max_ids = max_ids, .tick_ns = TICK, .due = due, .due_arg = arg};
	struct perch_wheel *w = NULL;
	uint32_t i;

	if (in_records) {
		n_records = max_ids;
		records = malloc(n_records * sizeof(*records));
		for (i = 0; i < n_records; i++)
			records[i] = (struct record){LEFT, 0, RIGHT};
		cfg.words = &records[0].word;
		cfg.word_stride_bytes = sizeof(*records);
	}
	CU_ASSERT_EQUAL_FATAL(perch_wheel_open(&w, &cfg), 0);
	return w;
}

static struct perch_wheel *open_wheel(uint32_t max_ids)
{
	return open_asking(max_ids, NULL, NULL);
}

/* Nothing but its words was written. */
static void close_wheel(struct perch_wheel *w)
{
	uint32_t i;

	perch_wheel_close(w);
	for (i = 0; in_records && i < n_records; i++)
		CU_ASSERT(records[i].left == LEFT && records[i].right == RIGHT);
	free(records);
	records = NULL;
	n_records = 0;
}

/* Names at most one id, and expects no second. */
static uint32_t only(struct perch_wheel *w, int64_t now_ns)
{
	uint32_t ids[2] = {UINT32_MAX, UINT32_MAX}, n = perch_wheel_expire(w, now_ns, ids, 2);

	CU_ASSERT(n <= 1);
	return n == 1 ? ids[0] : UINT32_MAX;
}

static void refuses_nonsense(void)
{
	struct perch_wheel_config none = {.max_ids = 0}, backwards = {.max_ids = 1, .tick_ns = -1};
	uint32_t words[2] = {0, 0};
	struct perch_wheel_config nowhere = {.max_ids = 1, .word_stride_bytes = 8};
	struct perch_wheel_config all_alike = {.max_ids = 2, .words = words};
	struct perch_wheel_config askew = {.max_ids = 1, .words = words, .word_stride_bytes = 6};
	struct perch_wheel *w;

	CU_ASSERT_EQUAL(perch_wheel_open(&w, &none), -EINVAL);
	CU_ASSERT_EQUAL(perch_wheel_open(&w, &backwards), -EINVAL);
	CU_ASSERT_EQUAL(perch_wheel_open(&w, &nowhere), -EINVAL);
	CU_ASSERT_EQUAL(perch_wheel_open(&w, &all_alike), -EINVAL);
	CU_ASSERT_EQUAL(perch_wheel_open(&w, &askew), -EINVAL);
	perch_wheel_close(NULL);
}

static void names_once_and_not_early(void)
{
	struct perch_wheel *w = open_wheel(8);

	CU_ASSERT_EQUAL(perch_wheel_next(w), INT64_MAX);
	perch_wheel_arm(w, 3, 5 * TICK + 1);
	CU_ASSERT_EQUAL(perch_wheel_next(w), 6 * TICK);
	CU_ASSERT_EQUAL(only(w, 5 * TICK + 999), UINT32_MAX);
	CU_ASSERT_EQUAL(only(w, 6 * TICK), 3);
	CU_ASSERT_EQUAL(only(w, 600 * TICK), UINT32_MAX);
	CU_ASSERT_EQUAL(perch_wheel_next(w), INT64_MAX);
	close_wheel(w);
}

static void past_deadline_is_due_now(void)
{
	struct perch_wheel *w = open_wheel(8);

	CU_ASSERT_EQUAL(only(w, 1000 * TICK), UINT32_MAX);
	perch_wheel_arm(w, 1, 3);
	CU_ASSERT_EQUAL(perch_wheel_next(w), 1000 * TICK);
	CU_ASSERT_EQUAL(only(w, 1000 * TICK), 1);
	close_wheel(w);
}

static void shortened_names_early_and_once(void)
{
	struct perch_wheel *w = open_wheel(8);

	perch_wheel_arm(w, 2, 100000 * TICK);
	perch_wheel_arm(w, 2, 70000 * TICK); /* within a slot of level 2 */
	perch_wheel_arm(w, 2, 300 * TICK);
	perch_wheel_arm(w, 2, 9 * TICK);
	CU_ASSERT_EQUAL(only(w, 9 * TICK), 2);
	CU_ASSERT_EQUAL(only(w, 200000 * TICK), UINT32_MAX);
	close_wheel(w);
}

static void lengthened_stays_lazily(void)
{
	struct perch_wheel *w = open_wheel(8);

	perch_wheel_arm(w, 2, 10 * TICK);
	perch_wheel_arm(w, 2, 99 * TICK);
	CU_ASSERT_EQUAL(only(w, 10 * TICK), 2);
	perch_wheel_arm(w, 2, 99 * TICK);
	CU_ASSERT_EQUAL(only(w, 98 * TICK), UINT32_MAX);
	CU_ASSERT_EQUAL(only(w, 99 * TICK), 2);
	close_wheel(w);
}

/* However they were armed, in pieces, across chunks, and whatever the ids' bytes are. */
static void one_tick_names_in_order_of_ids(void)
{
	static const uint32_t counts[] = {1, 2, 31, 32, 200, 257, 992, 994, 70000};
	static uint32_t ids[70000];
	uint32_t i, k, got, n;

	for (k = 0; k < sizeof(counts) / sizeof(*counts); k++) {
		const uint32_t spread = counts[k] < 1000 ? 65537 : 17, count = counts[k];
		struct perch_wheel *w = open_wheel(count * spread);

		for (i = 0; i < count; i++) /* 40503 has no factor in common with the counts */
			perch_wheel_arm(w, (uint32_t)((i + 1ull) * 40503 % count) * spread,
					500 * TICK);
		for (got = 0; got < count; got += n) {
			n = perch_wheel_expire(w, 500 * TICK, ids + got, 7);
			CU_ASSERT_FATAL(n == 7 || got + n == count);
		}
		for (i = 0; i < count; i++)
			CU_ASSERT_FATAL(ids[i] == i * spread);
		CU_ASSERT_EQUAL(only(w, 1000 * TICK), UINT32_MAX);
		close_wheel(w);
	}
}

/* Those that are armed for the present while it is being named come when the others were. */
static void armed_meanwhile_comes_after(void)
{
	enum { IDS = 40, TIMES = 3 };
	struct perch_wheel *w = open_wheel(IDS);
	uint32_t ids[7], i, got = 0, n;

	for (i = 0; i < IDS; i++)
		perch_wheel_arm(w, i, 500 * TICK);
	while ((n = perch_wheel_expire(w, 500 * TICK, ids, 7)) > 0)
		for (i = 0; i < n; i++, got++) {
			CU_ASSERT_EQUAL(ids[i], got % IDS);
			if (got < (TIMES - 1) * IDS)
				perch_wheel_arm(w, ids[i], 3 * TICK);
		}
	CU_ASSERT_EQUAL(got, TIMES * IDS);
	close_wheel(w);
}

/* Sixty thousand in one slot of the top level: they come down a few at a time. */
static void many_come_down_in_step(void)
{
	enum { IDS = 60000, STEP = 10 * TICK };
	struct perch_wheel *w = open_wheel(IDS);
	uint64_t before, most = 0;
	uint32_t ids[64], i, got = 0, n;
	int64_t now;

	for (i = 0; i < IDS; i++)
		perch_wheel_arm(w, i, (52000000ll + 100ll * i) * TICK);
	for (now = 0; now < 59000000ll * TICK; now += STEP) {
		before = perch_wheel_moves(w);
		n = perch_wheel_expire(w, now, ids, 64);
		for (i = 0; i < n; i++)
			CU_ASSERT(ids[i] == got + i);
		got += n;
		if (perch_wheel_moves(w) - before > most)
			most = perch_wheel_moves(w) - before;
	}
	CU_ASSERT_EQUAL(got, IDS);
	CU_ASSERT(most <= 3 * 31); /* a chunk from each level */
	CU_ASSERT(perch_wheel_moves(w) >= 2 * IDS); /* in, and down at least once */
	close_wheel(w);
}

/* ---- owners who are asked ---- */

static int64_t deadline_in(void *arg, uint32_t id)
{
	const int64_t *deadline = arg;

	return deadline[id];
}

static void what_was_put_off_is_not_named(void)
{
	int64_t deadline[2] = {100000 * TICK, 30000000ll * TICK}, now;
	struct perch_wheel *w = open_asking(2, deadline_in, deadline);

	perch_wheel_arm(w, 0, 20000 * TICK);
	perch_wheel_arm(w, 1, 20000000ll * TICK);
	for (now = 0; now < 100000 * TICK; now += 100 * TICK)
		CU_ASSERT_EQUAL_FATAL(only(w, now), UINT32_MAX);
	CU_ASSERT_EQUAL(only(w, now), 0);
	while (now < 30000000ll * TICK) {
		now = perch_wheel_next(w);
		CU_ASSERT_FATAL(now <= 30000000ll * TICK);
		CU_ASSERT_EQUAL(only(w, now), now < 30000000ll * TICK ? UINT32_MAX : 1);
	}
	CU_ASSERT_EQUAL(perch_wheel_next(w), INT64_MAX);
	close_wheel(w);
}

/* The time of the first look comes by itself, or is jumped to, or over. */
static void what_is_not_wanted_leaves(void)
{
	static const int64_t looks[] = {20000 * TICK, 20480 * TICK, 500000 * TICK};
	unsigned i;

	for (i = 0; i < 3; i++) {
		int64_t deadline = INT64_MAX;
		struct perch_wheel *w = open_asking(1, deadline_in, &deadline);

		perch_wheel_arm(w, 0, 21000 * TICK);
		CU_ASSERT_EQUAL(only(w, looks[i]), UINT32_MAX);
		CU_ASSERT_EQUAL(perch_wheel_next(w), INT64_MAX);
		perch_wheel_arm(w, 0, 600000 * TICK); /* and may come again */
		deadline = 600000 * TICK;
		CU_ASSERT_EQUAL(only(w, 599999 * TICK), UINT32_MAX);
		CU_ASSERT_EQUAL(only(w, 600000 * TICK), 0);
		close_wheel(w);
	}
}

static void put_off_and_shortened(void)
{
	int64_t deadline = 50000 * TICK;
	struct perch_wheel *w = open_asking(1, deadline_in, &deadline);

	perch_wheel_arm(w, 0, 20000 * TICK);
	CU_ASSERT_EQUAL(only(w, 19000 * TICK), UINT32_MAX);
	deadline = 30000 * TICK;
	perch_wheel_arm(w, 0, deadline);
	CU_ASSERT_EQUAL(only(w, 29999 * TICK), UINT32_MAX);
	CU_ASSERT_EQUAL(only(w, 30000 * TICK), 0);
	deadline = INT64_MAX;
	CU_ASSERT_EQUAL(only(w, 60000 * TICK), UINT32_MAX);
	CU_ASSERT_EQUAL(perch_wheel_next(w), INT64_MAX);
	close_wheel(w);
}

/* Same arms, same deadlines; one wheel goes from tick to tick and the other jumps: what they name
 * at the end, and in which order, is the same. */
static void pace_does_not_tell(void)
{
	enum { SLOT = 4096, BEGINS = 300 * SLOT, DUE = BEGINS + 7, OLD = 600, ALL = OLD + SLOT };
	static int64_t deadline[ALL];
	static uint32_t ids[2][ALL];
	struct perch_wheel *steps = open_asking(ALL, deadline_in, deadline);
	struct record *of_steps = records;
	struct perch_wheel *jumps = open_asking(ALL, deadline_in, deadline);
	struct record *of_jumps = records;
	uint32_t i, k;
	int64_t now;

	for (i = 0; i < ALL; i++)
		deadline[i] = DUE * TICK;
	for (i = 0; i < OLD; i++) {
		k = i * 7 % ALL;
		perch_wheel_arm(steps, k, (DUE - i % 3) * TICK);
		perch_wheel_arm(jumps, k, (DUE - i % 3) * TICK);
	}
	for (now = BEGINS - SLOT; now < BEGINS; now++, i++) {
		CU_ASSERT_EQUAL(perch_wheel_expire(steps, now * TICK, ids[0], 1), 0);
		k = (uint32_t)((uint64_t)i * 7 % ALL);
		perch_wheel_arm(steps, k, DUE * TICK);
		perch_wheel_arm(jumps, k, DUE * TICK);
	}
	CU_ASSERT_EQUAL(perch_wheel_expire(steps, DUE * TICK, ids[0], ALL), ALL);
	CU_ASSERT_EQUAL(perch_wheel_expire(jumps, DUE * TICK, ids[1], ALL), ALL);
	CU_ASSERT(memcmp(ids[0], ids[1], sizeof(ids[0])) == 0);
	records = of_steps;
	close_wheel(steps);
	records = of_jumps;
	n_records = in_records ? ALL : 0;
	close_wheel(jumps);
}

static void horizon_names_early_but_names(void)
{
	struct perch_wheel *w = open_wheel(2);
	int64_t far = INT64_MAX - 1, step;
	uint32_t id = UINT32_MAX;
	int steps = 0;

	perch_wheel_arm(w, 0, far);
	while (id == UINT32_MAX && steps++ < 10) {
		step = perch_wheel_next(w);
		CU_ASSERT_FATAL(step != INT64_MAX);
		id = only(w, step);
	}
	CU_ASSERT_EQUAL(id, 0);
	close_wheel(w);
}

/* A year of idle time in jumps from next to next: a handful of steps, not millions of ticks. */
static void time_jumps(void)
{
	struct perch_wheel *w = open_wheel(2);
	const int64_t hour = 3600ll * 1000000000;
	int64_t now = 0;
	int steps = 0, h;

	for (h = 1; h <= 24 * 365; h++) {
		perch_wheel_arm(w, 1, h * hour / 4);
		while (only(w, now) == UINT32_MAX) {
			now = perch_wheel_next(w);
			CU_ASSERT_FATAL(now <= h * hour / 4);
			steps++;
		}
		CU_ASSERT_EQUAL(now, h * hour / 4);
	}
	CU_ASSERT(steps <= 5 * h);
	close_wheel(w);
}

/* Every tick arms far, shortens and fires: each leaves a stale entry, and memory must suffice. */
static void stale_entries_are_bounded(void)
{
	struct perch_wheel *w = open_wheel(4);
	int64_t t;

	for (t = 1; t < 200000; t++) {
		perch_wheel_arm(w, t % 4, (t + 1000000) * TICK);
		perch_wheel_arm(w, t % 4, t * TICK);
		CU_ASSERT_EQUAL_FATAL(only(w, t * TICK), t % 4);
	}
	CU_ASSERT_EQUAL(only(w, 5000000ll * TICK), UINT32_MAX);
	close_wheel(w);
}

/* ---- against a model ---- */

enum { MODEL_IDS = 300 };

/* Every id has a deadline, or none. It is armed when it becomes earlier; when it becomes later the
 * wheel hears of it by asking, or by naming in vain. */
struct model {
	struct perch_wheel *w;
	int64_t due[MODEL_IDS];    /* rounded up to ticks; INT64_MAX: none */
	int64_t queued[MODEL_IDS]; /* likewise: what a wheel that does not ask has it for */
	bool asks;
	int64_t now;
	uint64_t seed;
};

static uint64_t random_of(struct model *m)
{
	m->seed ^= m->seed << 13;
	m->seed ^= m->seed >> 7;
	m->seed ^= m->seed << 17;
	return m->seed;
}

/* Delays of all sizes alike: from a tick to days. */
static int64_t delay_of(struct model *m)
{
	return (int64_t)(random_of(m) >> (64 - 1 - random_of(m) % 40));
}

static void model_arm(struct model *m, uint32_t id)
{
	perch_wheel_arm(m->w, id, m->due[id]);
	if (m->due[id] < m->queued[id])
		m->queued[id] = m->due[id];
}

static void model_change(struct model *m)
{
	uint32_t id = (uint32_t)(random_of(m) % MODEL_IDS);
	int64_t deadline = m->now + delay_of(m), was = m->due[id];

	if (random_of(m) % 8 == 0) {
		m->due[id] = INT64_MAX;
		return;
	}
	m->due[id] = (deadline + TICK - 1) / TICK * TICK;
	if (was == INT64_MAX || m->due[id] < was)
		model_arm(m, id);
}

static void model_expire(struct model *m)
{
	uint32_t ids[16], n, i;
	int64_t last = 0;

	do {
		n = perch_wheel_expire(m->w, m->now, ids, 16);
		for (i = 0; i < n; i++) {
			CU_ASSERT_FATAL(m->asks || (m->queued[ids[i]] >= last &&
						    m->queued[ids[i]] <= m->now));
			last = m->queued[ids[i]]; /* in order of time */
			m->queued[ids[i]] = INT64_MAX;
			if (m->due[ids[i]] <= m->now)
				m->due[ids[i]] = INT64_MAX;
			else if (m->due[ids[i]] != INT64_MAX)
				model_arm(m, ids[i]);
		}
	} while (n == 16);
	for (i = 0; i < MODEL_IDS; i++)
		CU_ASSERT_FATAL(m->due[i] > m->now / TICK * TICK);
}

static void model_next(struct model *m)
{
	int64_t earliest = INT64_MAX, next = perch_wheel_next(m->w);
	uint32_t i;

	for (i = 0; i < MODEL_IDS; i++)
		if (m->due[i] < earliest)
			earliest = m->due[i];
	CU_ASSERT_FATAL(next <= earliest);
	CU_ASSERT_FATAL(next > m->now / TICK * TICK);
}

static void run_model(uint64_t seed, bool asks)
{
	struct model m = {.now = TICK, .seed = seed * 0x9e3779b97f4a7c15u, .asks = asks};
	int step, k;

	for (k = 0; k < MODEL_IDS; k++)
		m.due[k] = m.queued[k] = INT64_MAX;
	m.w = open_asking(MODEL_IDS, asks ? deadline_in : NULL, m.due);
	for (step = 0; step < 300; step++) {
		for (k = (int)(random_of(&m) % 20); k > 0; k--)
			model_change(&m);
		if (random_of(&m) % 4 == 0 && perch_wheel_next(m.w) != INT64_MAX)
			m.now = perch_wheel_next(m.w);
		else
			m.now += delay_of(&m) / 4;
		model_expire(&m);
		model_next(&m);
	}
	close_wheel(m.w);
}

static void agrees_with_model(void)
{
	uint64_t seed;

	for (seed = 1; seed <= 200; seed++) {
		run_model(seed, false);
		run_model(seed, true);
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"refuses nonsense", refuses_nonsense},
		{"names once and not early", names_once_and_not_early},
		{"a past deadline is due now", past_deadline_is_due_now},
		{"shortened: named early and once", shortened_names_early_and_once},
		{"lengthened: stays lazily", lengthened_stays_lazily},
		{"one tick names in the order of ids", one_tick_names_in_order_of_ids},
		{"armed meanwhile comes after", armed_meanwhile_comes_after},
		{"many come down in step with time", many_come_down_in_step},
		{"what was put off is not named", what_was_put_off_is_not_named},
		{"what is not wanted leaves", what_is_not_wanted_leaves},
		{"put off, and shortened", put_off_and_shortened},
		{"the pace does not tell", pace_does_not_tell},
		{"the horizon names early, but names", horizon_names_early_but_names},
		{"time jumps", time_jumps},
		{"stale entries are bounded", stale_entries_are_bounded},
		{"agrees with a model", agrees_with_model},
		{NULL, NULL},
	};
	int rc;

	rc = suite_main("sched wheel", cases, argc, argv);
	in_records = true;
	return suite_main("sched wheel, its words in records", cases, argc, argv) | rc;
}
