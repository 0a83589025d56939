/* SPDX-License-Identifier: BSD-3-Clause
 * Channels: order, rendezvous, closing, select, deadlines, and that a value is never lost to one
 * who gave up.
 */
#include "sched/chan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sched/coro.h"
#include "tests/suite.h"

#define NEVER PERCH_SCHED_NEVER

static struct perch_sched *s;
static struct perch_co_chan *ch, *other;

static void run_dry(void)
{
	while (perch_sched_ready(s))
		perch_sched_run(s, UINT32_MAX);
}

static void open_case(uint32_t capacity)
{
	struct perch_sched_config cfg = {.max_co = 256, .max_private = 1,
					 .max_in_place = PERCH_SCHED_NONE_IN_PLACE};

	CU_ASSERT_EQUAL_FATAL(perch_sched_open(&s, &cfg), 0);
	CU_ASSERT_EQUAL_FATAL(perch_co_chan_open(&ch, s, sizeof(int), capacity), 0);
	CU_ASSERT_EQUAL_FATAL(perch_co_chan_open(&other, s, sizeof(int), capacity), 0);
}

static void close_case(void)
{
	struct perch_sched_stats st;

	run_dry();
	perch_sched_stats(s, &st);
	CU_ASSERT_EQUAL(st.alive, 0);
	perch_co_chan_free(ch);
	perch_co_chan_free(other);
	perch_sched_close(s);
}

/* One that sends first .. last, and one that receives until an error. */
struct party {
	int first, last, sum, count, err;
	int got[64];
	int64_t deadline;
};

static void sends(void *arg)
{
	struct party *p = arg;
	int i;

	for (i = p->first; i <= p->last && p->err == 0; i++) {
		p->err = perch_co_chan_send(ch, &i, p->deadline);
		p->count += p->err == 0;
	}
}

static void receives(void *arg)
{
	struct party *p = arg;
	int value;

	while ((p->err = perch_co_chan_recv(ch, &value, p->deadline)) == 0) {
		if (p->count < 64)
			p->got[p->count] = value;
		p->count++;
		p->sum += value;
	}
}

static void passes_in_order(uint32_t capacity)
{
	struct party from = {.first = 1, .last = 50, .deadline = NEVER}, to = {.deadline = NEVER};
	int i;

	open_case(capacity);
	perch_co_spawn(s, sends, &from, 0);
	perch_co_spawn(s, receives, &to, 0);
	run_dry();
	CU_ASSERT_EQUAL(to.count, 50);
	for (i = 0; i < 50; i++)
		CU_ASSERT_EQUAL(to.got[i], i + 1);
	perch_co_chan_close(ch);
	run_dry();
	CU_ASSERT_EQUAL(to.err, -EPIPE);
	CU_ASSERT_EQUAL(from.err, 0);
	close_case();
}

static void buffered(void)
{
	passes_in_order(1);
	passes_in_order(7);
	passes_in_order(100);
}

static void rendezvous(void)
{
	struct party from = {.first = 1, .last = 3, .deadline = NEVER};

	passes_in_order(0);
	open_case(0);
	perch_co_spawn(s, sends, &from, 0);
	run_dry();
	CU_ASSERT_EQUAL(from.count, 0); /* nobody is there to take it */
	CU_ASSERT_EQUAL(perch_co_chan_count(ch), 0);
	perch_co_chan_close(ch);
	run_dry();
	CU_ASSERT_EQUAL(from.err, -EPIPE);
	close_case();
}

static void many_to_many(void)
{
	struct party from[20] = {{0}}, to[20] = {{0}};
	int i, sent = 0, got = 0;

	open_case(3);
	for (i = 0; i < 20; i++) {
		from[i] = (struct party){.first = i * 10, .last = i * 10 + 9, .deadline = NEVER};
		to[i] = (struct party){.deadline = NEVER};
		perch_co_spawn(s, i % 2 ? sends : receives, i % 2 ? &from[i] : &to[i], 0);
	}
	for (i = 0; i < 20; i++)
		perch_co_spawn(s, i % 2 ? receives : sends, i % 2 ? &to[i] : &from[i], 0);
	run_dry();
	perch_co_chan_close(ch);
	run_dry();
	for (i = 0; i < 20; i++) {
		sent += from[i].count;
		got += to[i].sum;
	}
	CU_ASSERT_EQUAL(sent, 200);
	CU_ASSERT_EQUAL(got, 199 * 200 / 2);
	close_case();
}

static void close_keeps_what_is_buffered(void)
{
	struct party from = {.first = 1, .last = 2, .deadline = NEVER}, to = {.deadline = NEVER};
	struct party late = {.first = 9, .last = 9, .deadline = NEVER};

	open_case(4);
	perch_co_spawn(s, sends, &from, 0);
	run_dry();
	perch_co_chan_close(ch);
	perch_co_chan_close(ch);
	perch_co_spawn(s, receives, &to, 0);
	perch_co_spawn(s, sends, &late, 0);
	run_dry();
	CU_ASSERT_EQUAL(to.sum, 3);
	CU_ASSERT_EQUAL(to.err, -EPIPE);
	CU_ASSERT_EQUAL(late.err, -EPIPE);
	close_case();
}

/* Both a deadline and a value in the same turn: who gave up gets none, the next one does. */
static void value_goes_past_who_gave_up(void)
{
	struct party hasty = {.deadline = 5000}, patient = {.deadline = NEVER};
	int value = 7;

	open_case(0);
	perch_co_spawn(s, receives, &hasty, 0);
	perch_co_spawn(s, receives, &patient, 0);
	run_dry();
	perch_sched_advance(s, 5000);
	CU_ASSERT_EQUAL(perch_co_chan_send(ch, &value, 0), 0); /* by the thread itself */
	run_dry();
	CU_ASSERT_EQUAL(hasty.count, 0);
	CU_ASSERT_EQUAL(hasty.err, -ETIMEDOUT);
	CU_ASSERT_EQUAL(patient.sum, 7);
	CU_ASSERT_EQUAL(perch_co_chan_send(ch, &value, 0), 0);
	run_dry();
	CU_ASSERT_EQUAL(perch_co_chan_recv(ch, &value, 0), -EAGAIN);
	perch_co_chan_close(ch);
	close_case();
}

/* Taken first, cancelled after: what was handed over counts. */
static void value_is_not_lost_to_a_cancel(void)
{
	struct party to = {.deadline = NEVER};
	struct perch_co *co;
	int value = 7;

	open_case(0);
	co = perch_co_spawn(s, receives, &to, 0);
	run_dry();
	CU_ASSERT_EQUAL(perch_co_chan_send(ch, &value, 0), 0);
	perch_co_cancel(s, co);
	run_dry();
	CU_ASSERT_EQUAL(to.sum, 7);
	CU_ASSERT_EQUAL(to.err, -ECANCELED);
	close_case();
}

static void tries(void *arg)
{
	struct party *p = arg;
	int value = 1;

	p->got[0] = perch_co_chan_recv(ch, &value, 0);
	p->got[1] = perch_co_chan_send(ch, &value, 0);
	p->got[2] = perch_co_chan_send(ch, &value, 0);
	p->got[3] = perch_co_chan_recv(ch, &value, 0);
	p->count = 1;
}

static void past_deadline_is_a_try(void)
{
	struct party p = {0};

	open_case(1);
	perch_co_spawn(s, tries, &p, 0);
	run_dry();
	CU_ASSERT_EQUAL(p.count, 1);
	CU_ASSERT_EQUAL(p.got[0], -ETIMEDOUT);
	CU_ASSERT_EQUAL(p.got[1], 0);
	CU_ASSERT_EQUAL(p.got[2], -ETIMEDOUT);
	CU_ASSERT_EQUAL(p.got[3], 0);
	close_case();
}

/* Receives from either, or sends 99 to `other` once. */
static void selects(void *arg)
{
	struct party *p = arg;
	int a = 0, b = 0;

	for (;;) {
		struct perch_co_select cases[] = {{.chan = ch, .recv = &a}, {.chan = other, .recv = &b}};
		int k = perch_co_chan_select(cases, 2, p->deadline);

		p->err = k < 0 ? k : cases[k].err;
		if (p->err < 0)
			return;
		p->got[p->count++] = k == 0 ? a : 100 + b;
	}
}

static void select_waits_for_any(void)
{
	struct party p = {.deadline = 9000};
	int value;

	open_case(0);
	perch_co_spawn(s, selects, &p, 0);
	run_dry();
	value = 1;
	CU_ASSERT_EQUAL(perch_co_chan_send(other, &value, 0), 0);
	run_dry();
	value = 2;
	CU_ASSERT_EQUAL(perch_co_chan_send(ch, &value, 0), 0);
	CU_ASSERT_EQUAL(perch_co_chan_send(ch, &value, 0), -EAGAIN); /* it has one already */
	CU_ASSERT_EQUAL(perch_co_chan_send(other, &value, 0), -EAGAIN);
	run_dry();
	CU_ASSERT_EQUAL(p.count, 2);
	CU_ASSERT_EQUAL(p.got[0], 101);
	CU_ASSERT_EQUAL(p.got[1], 2);
	perch_sched_advance(s, 9000);
	run_dry();
	CU_ASSERT_EQUAL(p.err, -ETIMEDOUT);
	CU_ASSERT_EQUAL(perch_co_chan_send(ch, &value, 0), -EAGAIN); /* it left both queues */
	CU_ASSERT_EQUAL(perch_co_chan_send(other, &value, 0), -EAGAIN);
	close_case();
}

static void select_takes_what_is_there(void)
{
	struct party p = {.deadline = NEVER};
	int i, firsts = 0;

	open_case(8);
	for (i = 0; i < 8; i++) {
		perch_co_chan_send(ch, &i, 0);
		perch_co_chan_send(other, &i, 0);
	}
	perch_co_chan_close(other);
	perch_co_spawn(s, selects, &p, 0);
	run_dry();
	for (i = 0; i < p.count; i++)
		firsts += p.got[i] < 100;
	CU_ASSERT(firsts >= 7); /* neither starved */
	CU_ASSERT(p.count - firsts == 8);
	CU_ASSERT_EQUAL(p.err, -EPIPE);
	perch_co_chan_close(ch);
	close_case();
}

static void selects_to_send(void *arg)
{
	struct party *p = arg;
	int give = 5, take = 0;
	struct perch_co_select cases[] = {
		{.chan = ch, .send = &give}, {.chan = other, .recv = &take}};

	p->got[0] = perch_co_chan_select(cases, 2, NEVER);
	p->err = cases[p->got[0]].err;
	p->count = 1;
}

static void select_sends(void)
{
	struct party p = {0}, closed = {0};
	int value = 0;

	open_case(0);
	perch_co_spawn(s, selects_to_send, &p, 0);
	run_dry();
	CU_ASSERT_EQUAL(perch_co_chan_recv(ch, &value, 0), 0);
	CU_ASSERT_EQUAL(value, 5);
	CU_ASSERT_EQUAL(perch_co_chan_send(other, &value, 0), -EAGAIN);
	run_dry();
	CU_ASSERT_EQUAL(p.count, 1);
	CU_ASSERT_EQUAL(p.got[0], 0);
	perch_co_spawn(s, selects_to_send, &closed, 0);
	run_dry();
	perch_co_chan_close(other);
	run_dry();
	CU_ASSERT_EQUAL(closed.got[0], 1);
	CU_ASSERT_EQUAL(closed.err, -EPIPE);
	close_case();
}

/* Whoever waits is told, and leaves a channel that is still there. */
static void free_waits_for_those_inside(void)
{
	struct party p[2] = {{.deadline = NEVER}, {.deadline = NEVER}};
	struct perch_co *gone;

	open_case(0);
	perch_co_spawn(s, receives, &p[0], 0);
	gone = perch_co_spawn(s, receives, &p[1], 0);
	run_dry();
	perch_co_cancel(s, gone); /* woken, and has not run yet */
	perch_co_chan_free(ch);
	ch = NULL;
	run_dry();
	CU_ASSERT_EQUAL(p[0].err, -EPIPE);
	CU_ASSERT_EQUAL(p[1].err, -ECANCELED);
	close_case();
}

static void refuses_nonsense(void)
{
	open_case(1);
	CU_ASSERT_EQUAL(perch_co_chan_open(&ch, s, 0, 1), -EINVAL);
	CU_ASSERT_EQUAL(perch_co_chan_open(&ch, s, PERCH_CO_CHAN_MAX_BYTES + 1, 1), -EINVAL);
	perch_co_chan_free(NULL);
	close_case();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"buffered", buffered},
		{"rendezvous", rendezvous},
		{"many to many", many_to_many},
		{"close keeps what is buffered", close_keeps_what_is_buffered},
		{"a value goes past who gave up", value_goes_past_who_gave_up},
		{"a value is not lost to a cancel", value_is_not_lost_to_a_cancel},
		{"a past deadline is a try", past_deadline_is_a_try},
		{"select waits for any", select_waits_for_any},
		{"select takes what is there", select_takes_what_is_there},
		{"select sends", select_sends},
		{"free waits for those inside", free_waits_for_those_inside},
		{"refuses nonsense", refuses_nonsense},
		{NULL, NULL},
	};

	return suite_main("sched chan", cases, argc, argv);
}
