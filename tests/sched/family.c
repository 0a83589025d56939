/* SPDX-License-Identifier: BSD-3-Clause
 * Children and wait groups: who waits for whom, and that nobody outlives a parent.
 */
#include "sched/family.h"

#include <errno.h>
#include <string.h>

#include "sched/group.h"
#include "tests/suite.h"

#define NEVER PERCH_SCHED_NEVER

static struct perch_sched *s;

static void open_case(void)
{
	struct perch_sched_config cfg = {.max_co = 256, .max_private = 1,
					 .max_in_place = PERCH_SCHED_NONE_IN_PLACE};

	CU_ASSERT_EQUAL_FATAL(perch_sched_open(&s, &cfg), 0);
}

static uint32_t alive(void)
{
	struct perch_sched_stats st;

	perch_sched_stats(s, &st);
	return st.alive;
}

static void run_dry(void)
{
	while (perch_sched_ready(s))
		perch_sched_run(s, UINT32_MAX);
}

static void close_case(void)
{
	run_dry();
	CU_ASSERT_EQUAL(alive(), 0);
	perch_sched_close(s);
}

struct house {
	int children, ended, cancelled;
	int joined;      /* what join returned */
	int over;        /* the parent got past it */
	int64_t deadline;
	struct perch_co *co[64];
};

static void child(void *arg)
{
	struct house *h = arg;
	int err = perch_co_park(s, NEVER);

	h->cancelled += err == -ECANCELED;
	h->ended++;
}

static void start_children(struct house *h)
{
	int i;

	for (i = 0; i < h->children; i++)
		h->co[i] = perch_co_spawn_child(s, child, h, 0);
}

static void joins(void *arg)
{
	struct house *h = arg;

	start_children(h);
	h->joined = perch_co_join(s, h->deadline);
	h->over = 1;
}

static void cancels(void *arg)
{
	struct house *h = arg;

	start_children(h);
	perch_co_yield(s);
	perch_co_cancel_children(s);
	h->joined = perch_co_join(s, NEVER);
	h->over = 1;
}

static void leaves(void *arg)
{
	start_children(arg);
	perch_co_yield(s);
}

static void join_waits_for_all(void)
{
	struct house h = {.children = 5, .deadline = NEVER};
	int i;

	open_case();
	perch_co_spawn(s, joins, &h, 0);
	run_dry();
	for (i = 4; i >= 0; i -= 2) /* the last first, then from the middle */
		perch_co_wake(s, h.co[i], 0);
	run_dry();
	CU_ASSERT_EQUAL(h.ended, 3);
	CU_ASSERT_EQUAL(h.over, 0);
	perch_co_wake(s, h.co[1], 0);
	perch_co_wake(s, h.co[3], 0);
	run_dry();
	CU_ASSERT_EQUAL(h.over, 1);
	CU_ASSERT_EQUAL(h.joined, 0);
	close_case();
}

static void join_has_a_deadline(void)
{
	struct house h = {.children = 2, .deadline = 4000};

	open_case();
	perch_co_spawn(s, joins, &h, 0);
	run_dry();
	perch_sched_advance(s, 4000);
	run_dry();
	CU_ASSERT_EQUAL(h.joined, -ETIMEDOUT);
	CU_ASSERT_EQUAL(h.cancelled, 2); /* for the parent returned */
	close_case();
}

static void parent_cancels(void)
{
	struct house h = {.children = 3};

	open_case();
	perch_co_spawn(s, cancels, &h, 0);
	run_dry();
	CU_ASSERT_EQUAL(h.cancelled, 3);
	CU_ASSERT_EQUAL(h.joined, 0);
	close_case();
}

static void nobody_outlives_a_parent(void)
{
	struct house h = {.children = 30};

	open_case();
	perch_co_spawn(s, leaves, &h, 0);
	run_dry();
	CU_ASSERT_EQUAL(h.cancelled, 30);
	CU_ASSERT_EQUAL(alive(), 0);
	close_case();
}

static void cancelled_parent_takes_its_children_along(void)
{
	struct house h = {.children = 3, .deadline = NEVER};
	struct perch_co *parent;

	open_case();
	parent = perch_co_spawn(s, joins, &h, 0);
	run_dry();
	perch_co_cancel(s, parent);
	perch_sched_run(s, 1);
	CU_ASSERT_EQUAL(h.joined, -ECANCELED);
	CU_ASSERT_EQUAL(alive(), 4); /* it returned, and waits */
	perch_co_cancel(s, parent);
	run_dry();
	CU_ASSERT_EQUAL(h.cancelled, 3);
	close_case();
}

struct generation {
	struct generation *next;
	int ended;
};

static void descends(void *arg)
{
	struct generation *g = arg;

	if (g->next != NULL)
		perch_co_spawn_child(s, descends, g->next, 0);
	perch_co_park(s, NEVER);
	g->ended = 1;
}

static void cancel_reaches_grandchildren(void)
{
	struct generation g[7] = {{0}};
	struct perch_co *eldest;
	int i;

	open_case();
	for (i = 0; i < 6; i++)
		g[i].next = &g[i + 1];
	eldest = perch_co_spawn(s, descends, &g[0], 0);
	run_dry();
	CU_ASSERT_EQUAL(alive(), 7);
	perch_co_cancel(s, eldest);
	run_dry();
	for (i = 0; i < 7; i++)
		CU_ASSERT_EQUAL(g[i].ended, 1);
	close_case();
}

/* ---- groups ---- */

struct outing {
	struct perch_co_group *group;
	int64_t deadline;
	int result[4], waited;
};

static void works(void *arg)
{
	struct outing *o = arg;

	perch_co_yield(s);
	perch_co_group_done(o->group);
}

static void waits(void *arg)
{
	struct outing *o = arg;
	int err = perch_co_group_wait(o->group, o->deadline);

	o->result[o->waited++] = err;
}

static void group_waits_for_all(void)
{
	struct outing o = {.deadline = NEVER};
	int i;

	open_case();
	CU_ASSERT_EQUAL_FATAL(perch_co_group_open(&o.group, s), 0);
	perch_co_group_add(o.group, 10);
	perch_co_spawn(s, waits, &o, 0);
	perch_co_spawn(s, waits, &o, 0);
	for (i = 0; i < 9; i++)
		perch_co_spawn(s, works, &o, 0);
	run_dry();
	CU_ASSERT_EQUAL(o.waited, 0);
	perch_co_spawn(s, works, &o, 0);
	run_dry();
	CU_ASSERT_EQUAL(o.waited, 2);
	CU_ASSERT_EQUAL(o.result[0] | o.result[1], 0);
	perch_co_spawn(s, waits, &o, 0); /* nothing under way: at once */
	run_dry();
	CU_ASSERT_EQUAL(o.waited, 3);
	perch_co_group_free(o.group);
	close_case();
}

static void group_has_a_deadline(void)
{
	struct outing o = {.deadline = 3000};

	open_case();
	CU_ASSERT_EQUAL_FATAL(perch_co_group_open(&o.group, s), 0);
	perch_co_group_add(o.group, 1);
	perch_co_spawn(s, waits, &o, 0);
	run_dry();
	perch_sched_advance(s, 3000);
	run_dry();
	CU_ASSERT_EQUAL(o.waited, 1);
	CU_ASSERT_EQUAL(o.result[0], -ETIMEDOUT);
	perch_co_group_done(o.group);
	perch_co_group_free(o.group);
	close_case();
}

static void group_freed_tells_who_waits(void)
{
	struct outing o = {.deadline = NEVER};

	open_case();
	CU_ASSERT_EQUAL_FATAL(perch_co_group_open(&o.group, s), 0);
	CU_ASSERT_EQUAL(perch_co_group_done(o.group), -EINVAL);
	CU_ASSERT_EQUAL(perch_co_group_add(o.group, 1), 0);
	CU_ASSERT_EQUAL(perch_co_group_add(o.group, UINT32_MAX), -EOVERFLOW);
	perch_co_spawn(s, waits, &o, 0);
	perch_co_spawn(s, waits, &o, 0);
	run_dry();
	perch_co_group_free(o.group);
	run_dry();
	CU_ASSERT_EQUAL(o.waited, 2);
	CU_ASSERT_EQUAL(o.result[0], -EPIPE);
	CU_ASSERT_EQUAL(o.result[1], -EPIPE);
	perch_co_group_free(NULL);
	close_case();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"join waits for all", join_waits_for_all},
		{"join has a deadline", join_has_a_deadline},
		{"a parent cancels", parent_cancels},
		{"nobody outlives a parent", nobody_outlives_a_parent},
		{"a cancelled parent takes its children along", cancelled_parent_takes_its_children_along},
		{"cancel reaches grandchildren", cancel_reaches_grandchildren},
		{"a group waits for all", group_waits_for_all},
		{"a group has a deadline", group_has_a_deadline},
		{"a group freed tells who waits", group_freed_tells_who_waits},
		{NULL, NULL},
	};

	return suite_main("sched family", cases, argc, argv);
}
