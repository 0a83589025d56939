/* SPDX-License-Identifier: BSD-3-Clause
 * The mailbox: order, refusal, and threads that send to an owner which sleeps and wakes.
 */
#include "sched/mailbox.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/suite.h"

enum { SENDERS = 3, LETTERS = 20000 };

static struct perch_sched *open_sched(void)
{
	struct perch_sched_config cfg = {.max_co = 64, .max_private = 1,
					 .max_in_place = PERCH_SCHED_NONE_IN_PLACE};
	struct perch_sched *s = NULL;

	CU_ASSERT_EQUAL_FATAL(perch_sched_open(&s, &cfg), 0);
	return s;
}

static struct perch_mailbox *open_mailbox(const struct perch_mailbox_config *cfg)
{
	struct perch_mailbox *m = NULL;

	CU_ASSERT_EQUAL_FATAL(perch_mailbox_open(&m, cfg), 0);
	return m;
}

static void appends(void *arg)
{
	int *log = arg;

	log[0]++;
	log[log[0]] = log[0];
}

static char *into;

static void says(void *arg)
{
	strcat(into, arg);
}

static void order_and_refusal(void)
{
	struct perch_mailbox_config cfg = {.sched = open_sched(), .slots = 3}; /* becomes 4 */
	struct perch_mailbox *m = open_mailbox(&cfg);
	int log[16] = {0}, i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < 4; i++)
			CU_ASSERT_EQUAL(perch_mailbox_post(m, appends, log), 0);
		CU_ASSERT_EQUAL(perch_mailbox_post(m, appends, log), -ENOBUFS);
		CU_ASSERT_EQUAL(perch_mailbox_drain(m, 3), 3);
		CU_ASSERT_EQUAL(perch_mailbox_drain(m, 3), 1);
		CU_ASSERT_EQUAL(perch_mailbox_drain(m, 3), 0);
	}
	CU_ASSERT_EQUAL(log[0], 12);
	CU_ASSERT_EQUAL(perch_mailbox_refused(m), 3);
	perch_mailbox_close(m);
	perch_sched_close(cfg.sched);
}

struct sleeper {
	struct perch_sched *s;
	struct perch_co_ref ref;
	int result;
};

static void sleeps(void *arg)
{
	struct sleeper *sl = arg;

	sl->ref = perch_co_refer(sl->s, perch_co_current(sl->s));
	sl->result = perch_co_await(sl->s, PERCH_SCHED_NEVER);
}

/* Whoever wrote down in which order they came has them again in that order. */
static void carried_out_of_turn(void)
{
	struct perch_mailbox_config cfg = {.sched = open_sched(), .slots = 4};
	struct perch_mailbox *m = open_mailbox(&cfg);
	const unsigned next[] = {2, 0, 1, 0}; /* of those that wait: c, a, d, b */
	char *what[] = {"a", "b", "c", "d"};
	char said[8] = "";
	unsigned i, round;

	for (round = 0; round < 3; round++) {
		said[0] = '\0';
		into = said;
		for (i = 0; i < 4; i++)
			CU_ASSERT_EQUAL(perch_mailbox_post(m, says, what[i]), 0);
		CU_ASSERT_EQUAL(perch_mailbox_look(m, 3)->kind, PERCH_MAIL_CALL);
		CU_ASSERT_STRING_EQUAL(perch_mailbox_look(m, 3)->arg, "d");
		for (i = 0; i < 4; i++) {
			CU_ASSERT_EQUAL(perch_mailbox_waiting(m, 8), 4 - i);
			perch_mailbox_carry(m, next[i]);
		}
		CU_ASSERT_STRING_EQUAL(said, "cadb");
	}
	CU_ASSERT(!perch_mailbox_ready(m));
	perch_mailbox_close(m);
	perch_sched_close(cfg.sched);
}

static void spawns_signals_and_cancels(void)
{
	struct perch_mailbox_config cfg = {.sched = open_sched()};
	struct perch_mailbox *m = open_mailbox(&cfg);
	struct sleeper sl = {.s = cfg.sched};

	CU_ASSERT_EQUAL(perch_mailbox_spawn(m, sleeps, &sl, 0), 0);
	CU_ASSERT_EQUAL(perch_mailbox_drain(m, 10), 1);
	perch_sched_run(cfg.sched, 1);
	CU_ASSERT_EQUAL(perch_mailbox_signal(m, sl.ref, 17), 0);
	CU_ASSERT_EQUAL(perch_mailbox_drain(m, 10), 1);
	perch_sched_run(cfg.sched, 1);
	CU_ASSERT_EQUAL(sl.result, 17);
	CU_ASSERT_EQUAL(perch_mailbox_spawn(m, sleeps, &sl, 0), 0);
	CU_ASSERT_EQUAL(perch_mailbox_cancel(m, sl.ref), 0); /* of the one that has finished */
	CU_ASSERT_EQUAL(perch_mailbox_drain(m, 10), 2);
	perch_sched_run(cfg.sched, 1);
	CU_ASSERT_FALSE(perch_sched_ready(cfg.sched));
	CU_ASSERT_EQUAL(perch_mailbox_cancel(m, sl.ref), 0);
	CU_ASSERT_EQUAL(perch_mailbox_drain(m, 10), 1);
	perch_sched_run(cfg.sched, 1);
	CU_ASSERT_EQUAL(sl.result, -ECANCELED);
	perch_mailbox_close(m);
	perch_sched_close(cfg.sched);
}

/* ---- threads ---- */

struct office {
	struct perch_mailbox *m;
	int bell;                   /* an eventfd */
	uint64_t last[SENDERS];     /* of each sender; the owner's */
	uint64_t out_of_order, received;
	atomic_uint alarms;
};

struct letter {
	struct office *office;
	unsigned sender;
	uint64_t number;
};

static void receive(void *arg)
{
	struct letter *l = arg;
	struct office *o = l->office;

	o->out_of_order += l->number != o->last[l->sender] + 1;
	o->last[l->sender] = l->number;
	o->received++;
}

static void ring(void *arg)
{
	struct office *o = arg;
	uint64_t one = 1;

	atomic_fetch_add(&o->alarms, 1);
	if (write(o->bell, &one, sizeof(one)) != sizeof(one))
		return; /* it rings already */
}

static struct letter letters[SENDERS][LETTERS];

static void *send_all(void *arg)
{
	struct letter *l = arg;
	int i;

	for (i = 0; i < LETTERS; i++) {
		while (perch_mailbox_post(l->office->m, receive, &l[i]) < 0)
			sched_yield();
		if (i % 1000 == 0)
			usleep(100); /* let the owner fall asleep */
	}
	return NULL;
}

/* Sleeps whenever it may: a lost wake-up would hang it, and the poll's patience fails the test. */
static void attend(struct office *o)
{
	struct pollfd fd = {.fd = o->bell, .events = POLLIN};
	uint64_t count;

	while (o->received < (uint64_t)SENDERS * LETTERS) {
		if (perch_mailbox_drain(o->m, 64) > 0)
			continue;
		if (!perch_mailbox_rest(o->m))
			continue;
		if (poll(&fd, 1, 20000) != 1) {
			CU_FAIL("nobody rang");
			return;
		}
		CU_ASSERT_EQUAL(read(o->bell, &count, sizeof(count)), sizeof(count));
		perch_mailbox_rise(o->m);
	}
}

static void threads_send_and_the_owner_sleeps(void)
{
	struct office o = {.bell = eventfd(0, EFD_NONBLOCK)};
	struct perch_mailbox_config cfg = {.sched = open_sched(), .slots = 256, .alarm = ring,
					   .alarm_arg = &o};
	pthread_t thread[SENDERS];
	unsigned i, k;

	o.m = open_mailbox(&cfg);
	for (i = 0; i < SENDERS; i++)
		for (k = 0; k < LETTERS; k++)
			letters[i][k] = (struct letter){&o, i, k + 1};
	for (i = 0; i < SENDERS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&thread[i], NULL, send_all, letters[i]), 0);
	attend(&o);
	for (i = 0; i < SENDERS; i++)
		pthread_join(thread[i], NULL);
	CU_ASSERT_EQUAL(o.received, SENDERS * LETTERS);
	CU_ASSERT_EQUAL(o.out_of_order, 0);
	CU_ASSERT(atomic_load(&o.alarms) > 0);
	perch_mailbox_close(o.m);
	perch_sched_close(cfg.sched);
	close(o.bell);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"order and refusal", order_and_refusal},
		{"carried out of turn", carried_out_of_turn},
		{"spawns, signals and cancels", spawns_signals_and_cancels},
		{"threads send, and the owner sleeps", threads_send_and_the_owner_sleeps},
		{NULL, NULL},
	};

	return suite_main("sched mailbox", cases, argc, argv);
}
