/* SPDX-License-Identifier: BSD-3-Clause
 * References and signals: none is lost, none reaches another than it was meant for.
 */
#include "sched/ref.h"

#include <errno.h>

#include "tests/suite.h"

#define NEVER PERCH_SCHED_NEVER

static struct perch_sched *s;

struct waiter {
	struct perch_co_ref ref;
	int64_t deadline;
	int result[4], awaits, done, naps;
};

static void waits(void *arg)
{
	struct waiter *w = arg;
	int i;

	w->ref = perch_co_refer(s, perch_co_current(s));
	for (i = 0; i < w->naps; i++)
		perch_co_park(s, NEVER);
	for (i = 0; i < w->awaits; i++) {
		w->result[i] = perch_co_await(s, w->deadline);
		w->done++;
	}
}

static struct perch_co *start(struct waiter *w)
{
	struct perch_co *co = perch_co_spawn(s, waits, w, 0);

	perch_sched_run(s, 1);
	return co;
}

static void open_case(void)
{
	struct perch_sched_config cfg = {.max_co = 4, .max_private = 1,
					 .max_in_place = PERCH_SCHED_NONE_IN_PLACE};

	CU_ASSERT_EQUAL_FATAL(perch_sched_open(&s, &cfg), 0);
}

static void signals_arrive(void)
{
	struct waiter w = {.deadline = NEVER, .awaits = 2};
	struct perch_co *co;

	open_case();
	co = start(&w);
	perch_co_wake(s, co, 99); /* somebody's mistake */
	perch_sched_run(s, 1);
	CU_ASSERT_EQUAL(w.done, 0);
	CU_ASSERT_EQUAL(perch_co_signal(s, w.ref, 0), 0);
	perch_sched_run(s, 1);
	CU_ASSERT_EQUAL(w.done, 1);
	CU_ASSERT_EQUAL(w.result[0], 0);
	CU_ASSERT_EQUAL(perch_co_signal(s, w.ref, INT32_MAX), 0);
	perch_sched_run(s, 1);
	CU_ASSERT_EQUAL(w.result[1], INT32_MAX);
	perch_sched_close(s);
}

/* Before it awaits, and while it is parked for another reason: kept, and wakes nobody. */
static void early_signal_is_kept(void)
{
	struct waiter w = {.deadline = NEVER, .awaits = 1, .naps = 1};
	struct perch_co *co;

	open_case();
	co = start(&w);
	CU_ASSERT_EQUAL(perch_co_signal(s, w.ref, 1), 0);
	CU_ASSERT_EQUAL(perch_co_signal(s, w.ref, 2), 0);
	CU_ASSERT_FALSE(perch_sched_ready(s));
	perch_co_wake(s, co, 0);
	perch_sched_run(s, 1);
	CU_ASSERT_EQUAL(w.done, 1);
	CU_ASSERT_EQUAL(w.result[0], 2);
	perch_sched_close(s);
}

static void deadline_and_cancel_end_it(void)
{
	struct waiter w = {.deadline = 5000, .awaits = 2};
	struct perch_co *co;

	open_case();
	co = start(&w);
	w.deadline = NEVER;
	perch_sched_advance(s, 5000);
	perch_sched_run(s, 1);
	CU_ASSERT_EQUAL(w.result[0], -ETIMEDOUT);
	perch_co_cancel(s, co);
	CU_ASSERT_EQUAL(perch_co_signal(s, w.ref, 7), 0); /* came before it ran: not lost */
	perch_sched_run(s, 1);
	CU_ASSERT_EQUAL(w.result[1], 7);
	perch_sched_close(s);
}

/* The next coroutine of the same id is another. */
static void finished_is_not_found(void)
{
	struct waiter first = {.awaits = 0}, second = {.deadline = NEVER, .awaits = 1};
	struct perch_co *co;

	open_case();
	start(&first);
	CU_ASSERT_PTR_NULL(perch_co_find(s, first.ref));
	co = start(&second);
	CU_ASSERT_EQUAL(first.ref.id, second.ref.id);
	CU_ASSERT_PTR_NULL(perch_co_find(s, first.ref));
	CU_ASSERT_PTR_EQUAL(perch_co_find(s, second.ref), co);
	CU_ASSERT_EQUAL(perch_co_signal(s, first.ref, 1), -ESRCH);
	CU_ASSERT_PTR_NULL(perch_co_find(s, (struct perch_co_ref){3, 1}));
	CU_ASSERT_PTR_NULL(perch_co_find(s, (struct perch_co_ref){PERCH_CO_NONE, 1}));
	CU_ASSERT_FALSE(perch_sched_ready(s));
	CU_ASSERT_EQUAL(perch_co_signal(s, second.ref, 1), 0);
	perch_sched_run(s, 1);
	CU_ASSERT_EQUAL(second.done, 1);
	perch_sched_close(s);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"signals arrive", signals_arrive},
		{"an early signal is kept", early_signal_is_kept},
		{"deadline and cancel end it", deadline_and_cancel_end_it},
		{"the finished is not found", finished_is_not_found},
		{NULL, NULL},
	};

	return suite_main("sched ref", cases, argc, argv);
}
