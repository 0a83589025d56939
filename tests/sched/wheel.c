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

static struct perch_wheel *open_wheel(uint32_t max_ids)
{
	struct perch_wheel_config cfg = {.max_ids = max_ids, .tick_ns = TICK};
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

static void one_tick_names_in_order_armed(void)
{
	struct perch_wheel *w = open_wheel(200);
	uint32_t ids[200], i, got = 0, n;

	for (i = 0; i < 200; i++)
		perch_wheel_arm(w, i, 500 * TICK);
	do { /* in pieces, across chunks */
		n = perch_wheel_expire(w, 500 * TICK, ids + got, 7);
		got += n;
	} while (n == 7);
	CU_ASSERT_EQUAL(got, 200);
	for (i = 0; i < got; i++)
		CU_ASSERT_EQUAL(ids[i], i);
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

/* An id that is armed while older ones of its tick are on their way down is named after them. */
static void late_comers_stand_behind(void)
{
	enum { SLOT = 1024, BEGINS = 300 * SLOT, DUE = BEGINS + 7, OLD = 600, ALL = OLD + SLOT };
	struct perch_wheel *w = open_wheel(ALL);
	uint32_t ids[ALL], i, got;
	int64_t now;

	for (i = 0; i < OLD; i++)
		perch_wheel_arm(w, i, DUE * TICK);
	for (now = BEGINS - SLOT; now < BEGINS; now++) { /* a tick after the other */
		CU_ASSERT_EQUAL(perch_wheel_expire(w, now * TICK, ids, 1), 0);
		perch_wheel_arm(w, i++, DUE * TICK);
	}
	got = perch_wheel_expire(w, DUE * TICK, ids, ALL);
	CU_ASSERT_EQUAL(got, ALL);
	for (i = 0; i < got; i++)
		CU_ASSERT_EQUAL(ids[i], i);
	close_wheel(w);
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

struct model {
	struct perch_wheel *w;
	int64_t at[MODEL_IDS]; /* when it must be named, rounded to ticks; 0 = not queued */
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

static void model_arm(struct model *m)
{
	uint32_t id = (uint32_t)(random_of(m) % MODEL_IDS);
	int64_t deadline = m->now + delay_of(m), due = (deadline + TICK - 1) / TICK * TICK;

	perch_wheel_arm(m->w, id, deadline);
	if (m->at[id] == 0 || due < m->at[id])
		m->at[id] = due;
}

static void model_expire(struct model *m)
{
	uint32_t ids[16], n, i;
	int64_t last = 0;

	do {
		n = perch_wheel_expire(m->w, m->now, ids, 16);
		for (i = 0; i < n; i++) {
			CU_ASSERT_FATAL(m->at[ids[i]] != 0 && m->at[ids[i]] <= m->now);
			CU_ASSERT_FATAL(m->at[ids[i]] >= last); /* in order of time */
			last = m->at[ids[i]];
			m->at[ids[i]] = 0;
		}
	} while (n == 16);
	for (i = 0; i < MODEL_IDS; i++)
		CU_ASSERT_FATAL(m->at[i] == 0 || m->at[i] > m->now / TICK * TICK);
}

static void model_next(struct model *m)
{
	int64_t earliest = INT64_MAX, next = perch_wheel_next(m->w);
	uint32_t i;

	for (i = 0; i < MODEL_IDS; i++)
		if (m->at[i] != 0 && m->at[i] < earliest)
			earliest = m->at[i];
	CU_ASSERT_FATAL(next <= earliest);
	CU_ASSERT_FATAL(next > m->now / TICK * TICK);
}

static void agrees_with_model(void)
{
	uint64_t seed;
	int step, k;

	for (seed = 1; seed <= 200; seed++) {
		struct model m = {.w = open_wheel(MODEL_IDS), .now = TICK,
				  .seed = seed * 0x9e3779b97f4a7c15u};

		for (step = 0; step < 300; step++) {
			for (k = (int)(random_of(&m) % 20); k > 0; k--)
				model_arm(&m);
			if (random_of(&m) % 4 == 0 && perch_wheel_next(m.w) != INT64_MAX)
				m.now = perch_wheel_next(m.w);
			else
				m.now += delay_of(&m) / 4;
			model_expire(&m);
			model_next(&m);
		}
		close_wheel(m.w);
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
		{"one tick names in the order armed", one_tick_names_in_order_armed},
		{"many come down in step with time", many_come_down_in_step},
		{"latecomers stand behind those on their way", late_comers_stand_behind},
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
