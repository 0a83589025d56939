/* SPDX-License-Identifier: BSD-3-Clause
 * The turn: what an lcore does, over and over, with one look at the clock.
 */
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <time.h>

#include <rte_pause.h>

#include "drivers-glue/recording.h"
#include "engine/lcore.h"
#include "tcp-lite/tcp.h"

enum turn_limits {
	READY_BUDGET = 512,        /* coroutines run per turn, so that packets are not kept waiting */
	TIMER_BATCH = 64,          /* flow ids taken from the wheel at a time */
	MAIL_BUDGET = 64,          /* messages taken per turn; PERCH_RECORDED_MAILS holds them */
	SETTLE_QUIET_NS = 2000000, /* stop: nothing came for this long, so all that came is answered */
	SETTLE_MAX_NS = 200000000,
	UNWIND_STALL_NS = 100000000,
	LATE_NS = 500000,          /* between turns: somebody else had the CPU */
	LATE_BURSTS = 128,         /* that may have come meanwhile: as much as rx rings hold */
	TX_HOLD_NS = 1000000,      /* a port that takes nothing for this long loses what waits */
};

static_assert((int)MAIL_BUDGET <= (int)PERCH_RECORDED_MAILS, "a turn's messages can be recorded");

__thread struct perch_lcore *perch_lcore_self;

/* After a turn that came late, what would have put a timer off may lie in the rx ring: timers wait
 * until it is empty. Else a CPU that was away for a few milliseconds looks like a lost segment to
 * every connection. */
static bool timers_wait(struct perch_lcore *l, unsigned received)
{
	if (unlikely(l->scripted))
		return l->timers_wait; /* as they did */
	if (likely(l->late_bursts == 0))
		return false;
	l->late_bursts = received < l->rx_burst ? 0 : l->late_bursts - 1;
	return received > 0; /* after the last ones a turn more, which wakes who waits for them */
}

static void read_clock(struct perch_lcore *l)
{
	int64_t before_ns = l->now_ns;

	l->now_ns = perch_clock_now(&l->clock);
	if (unlikely(l->turns > 0 && l->now_ns - before_ns > LATE_NS))
		l->late_bursts = LATE_BURSTS;
}

/* The clock is looked at when the burst is back: that is when its packets were here, and whatever
 * kept the CPU from asking for them is not charged to what follows. */
static unsigned receive(struct perch_lcore *l)
{
	struct rte_mbuf *pkts[PERCH_BURST];
	uint64_t learn = 0;
	uint16_t i, kept = 0, n = perch_port_rx(l->port, l->id, pkts, l->rx_burst, &learn);
	unsigned received = n;

	perch_stage_stamp(&l->stages, PERCH_STAGE_RX);
	read_clock(l);
	l->timers_wait = timers_wait(l, n);
	if (unlikely(l->recorded))
		perch_record_turn(l, pkts, n, learn);
	if (n == 0)
		return 0;
	if (unlikely(learn)) {
		for (i = 0; i < n; i++)
			if (learn & (UINT64_C(1) << i))
				perch_net_learn(l->net, 0, pkts[i], l->now_ns);
			else
				pkts[kept++] = pkts[i];
		n = kept;
	}
	perch_net_input(l->net, 0, pkts, n, l->now_ns);
	perch_stage_stamp(&l->stages, PERCH_STAGE_INPUT);
	return received;
}

static unsigned fire_timers(struct perch_lcore *l)
{
	uint32_t ids[TIMER_BATCH], i, n, fired = 0;
	int64_t next;

	do {
		n = perch_wheel_expire(l->flow_timers, l->now_ns, ids, TIMER_BATCH);
		for (i = 0; i < n; i++)
			perch_net_prefetch(l->net, ids[i]);
		for (i = 0; i < n; i++) {
			next = perch_net_expire(l->net, ids[i], l->now_ns);
			if (next != PERCH_NET_NEVER)
				perch_wheel_arm(l->flow_timers, ids[i], next);
		}
		fired += n;
	} while (n == TIMER_BATCH);
	perch_net_tick(l->net, l->now_ns);
	perch_sched_advance(l->sched, l->now_ns);
	return fired;
}

/* Its waiters are woken, which prefetches their saved stacks for the run that follows. */
static void wake_flow(struct perch_lcore *l, struct perch_flow *f)
{
	const uint8_t for_reader = PERCH_FLOW_READABLE | PERCH_FLOW_FAILED;
	const uint8_t for_writer = PERCH_FLOW_WRITABLE | PERCH_FLOW_CONNECTED | PERCH_FLOW_FAILED;
	uint8_t events = f->events;

	f->events = 0;
	if (unlikely(events & PERCH_FLOW_ACCEPTED)) {
		perch_conn_accept(l, f);
		return; /* the handler looks for itself before it waits */
	}
	if (events & for_reader)
		perch_co_wake_id(l->sched, f->waiter[0], 0);
	if (events & for_writer)
		perch_co_wake_id(l->sched, f->waiter[1], 0);
}

/* The third and fourth stage of a burst, after the flow table and the control blocks (net.c): the
 * coroutines' blocks are asked for, then their stacks, and all are here when they run. */
static unsigned wake_flows(struct perch_lcore *l)
{
	struct perch_flow *f[PERCH_BURST];
	unsigned i, n, woken = 0;

	do {
		for (n = 0; n < PERCH_BURST && (f[n] = perch_net_next_ready(l->net)); n++)
			perch_co_prefetch(l->sched, f[n]->waiter[0]);
		for (i = 0; i < n; i++)
			wake_flow(l, f[i]);
		woken += n;
	} while (n == PERCH_BURST);
	return woken;
}

/* Returns how many of the n packets the port took, or that were let go instead. A port that did not
 * take all is not asked again in this turn: so a replay needs to know one number of each turn. */
static unsigned flush(struct perch_lcore *l, struct rte_mbuf **pkts, unsigned n)
{
	uint16_t taken, burst;
	unsigned done = 0;

	while (done < n) {
		burst = RTE_MIN(n - done, 64U);
		taken = perch_port_tx(l->port, l->id, pkts + done, burst);
		done += taken;
		if (taken < burst)
			break;
	}
	l->tx_taken += done;
	l->tx_full = done < n;
	if (unlikely(done < n && l->recorded))
		perch_record_tx(l, (unsigned)(l->tx_taken - l->tx_before));
	if (likely(done > 0 || n == 0))
		l->tx_held_ns = 0;
	else if (l->tx_held_ns == 0)
		l->tx_held_ns = l->now_ns;
	else if (l->now_ns - l->tx_held_ns > TX_HOLD_NS) {
		for (; done < n; done++)
			perch_net_drop(l->net, PERCH_DROP_tx_port_full, pkts[done]);
		l->tx_held_ns = 0; /* here, for a replay has no idle turns that would do it */
	}
	return done;
}

static void transmit(struct perch_lcore *l)
{
	struct perch_net *net = l->net;
	unsigned i, done;

	if (unlikely(l->muted_now)) {
		for (i = 0; i < net->n_tx; i++)
			perch_net_drop(net, PERCH_DROP_tx_stopped, net->tx[i]);
		net->n_tx = 0;
		return;
	}
	if (unlikely(l->tx_full))
		return;
	/* Even with nothing to send: lcore 0 sends for others where the port has one queue. */
	done = flush(l, net->tx, net->n_tx);
	for (i = done; i < net->n_tx; i++)
		net->tx[i - done] = net->tx[i];
	net->n_tx -= done;
}

static void send(struct perch_lcore *l)
{
	int64_t deadline;
	uint32_t id;

	perch_net_output(l->net, l->now_ns);
	while (perch_net_next_arm(l->net, &id, &deadline))
		perch_wheel_arm(l->flow_timers, id, deadline);
	perch_stage_stamp(&l->stages, PERCH_STAGE_OUTPUT);
	transmit(l);
	perch_stage_stamp(&l->stages, PERCH_STAGE_TX);
}

void perch_lcore_push(struct perch_lcore *l, struct perch_tcb *t)
{
	perch_stage_stamp(&l->stages, PERCH_STAGE_HANDLERS);
	perch_tcp_push(l->net, t);
	perch_stage_stamp(&l->stages, PERCH_STAGE_OUTPUT);
	transmit(l);
	perch_stage_stamp(&l->stages, PERCH_STAGE_TX);
}

static bool flows_finished(const struct perch_lcore *l)
{
	const struct perch_tcp_counters *c = perch_tcp_counters(l->net);
	struct perch_sched_stats s;

	perch_sched_stats(l->sched, &s);
	return s.alive == 0 && c->flows == c->time_wait && l->net->n_tx == 0;
}

/* However many coroutines were cancelled, each gets its turn. Only one that does not return, for
 * as long as nothing else does, is left behind. */
static bool unwound(struct perch_lcore *l)
{
	struct perch_sched_stats s;

	perch_sched_stats(l->sched, &s);
	if (s.alive < l->unwinding) {
		l->unwinding = (uint32_t)s.alive;
		l->unwind_until_ns = l->now_ns + UNWIND_STALL_NS;
	}
	return s.alive == 0 || l->now_ns >= l->unwind_until_ns;
}

static bool phase_is_over(struct perch_lcore *l)
{
	switch (l->phase) {
	case PERCH_RUNNING: return true;
	case PERCH_SETTLING:
		return l->now_ns - l->busy_ns >= SETTLE_QUIET_NS || l->now_ns >= l->phase_until_ns;
	case PERCH_UNWINDING:
		return unwound(l) && (flows_finished(l) || l->now_ns >= l->phase_until_ns);
	case PERCH_STOPPED: break;
	}
	return false;
}

/* A stop takes its course over several turns: first all that came before it is answered, then the
 * coroutines unwind and their connections close, and at last nothing is left to do. */
static void advance_phase(struct perch_lcore *l)
{
	if (!phase_is_over(l))
		return;
	switch (l->phase) {
	case PERCH_RUNNING:
		l->phase = PERCH_SETTLING;
		l->phase_until_ns = l->now_ns + SETTLE_MAX_NS;
		l->busy_ns = l->now_ns;
		perch_lcore_unlisten(l);
		break;
	case PERCH_SETTLING:
		l->phase = PERCH_UNWINDING;
		l->phase_until_ns = l->now_ns + l->engine->drain_ns;
		l->unwinding = UINT32_MAX;
		perch_sched_cancel_all(l->sched);
		break;
	case PERCH_UNWINDING:
		l->phase = PERCH_STOPPED;
		break;
	case PERCH_STOPPED:
		break;
	}
}

bool perch_lcore_has_work(struct perch_lcore *l)
{
	return l->turns == 0 || perch_wheel_next(l->flow_timers) <= l->now_ns ||
		perch_sched_next_deadline(l->sched) <= l->now_ns ||
		perch_net_next_tick(l->net) <= l->now_ns || perch_sched_ready(l->sched) ||
		l->net->ready_end > 0 || l->net->n_tx > 0 || perch_mailbox_ready(l->mail) ||
		(l->stop_now && phase_is_over(l));
}

static unsigned take_mail(struct perch_lcore *l)
{
	unsigned n, i;

	if (unlikely(l->scripted))
		return perch_playback_mail(l);
	if (likely(!l->recorded))
		return perch_mailbox_drain(l->mail, MAIL_BUDGET);
	n = perch_mailbox_waiting(l->mail, MAIL_BUDGET);
	for (i = 0; i < n; i++)
		perch_record_mail(l, i);
	return perch_mailbox_drain(l->mail, n);
}

/* Lcore 0 looks for all. What it reads of the others may be a turn old, which is no matter. */
static void stop_if_idle(struct perch_lcore *l)
{
	struct perch *e = l->engine;
	unsigned i;

	for (i = 0; i < e->n_lcores; i++)
		if (l->now_ns - e->lcores[i]->busy_ns < e->until_idle_ns)
			return;
	perch_stop(e);
}

/* What other threads ask for is looked at once per turn, so that a turn can be had again. */
static void begin(struct perch_lcore *l)
{
	const struct perch *e = l->engine;

	l->stop_now = atomic_load_explicit(&e->stop, memory_order_relaxed);
	l->muted_now = atomic_load_explicit(&e->muted, memory_order_relaxed);
	l->tx_full = false;
	l->tx_before = l->tx_taken;
	if (unlikely(l->scripted))
		perch_playback_flags(l);
}

static void begin_first(struct perch_lcore *l)
{
	read_clock(l);
	if (l->recorded)
		perch_record_turn(l, NULL, 0, 0);
}

unsigned perch_lcore_turn(struct perch_lcore *l)
{
	unsigned work, received = 0;

	perch_stages_begin(&l->stages, l->turns);
	begin(l);
	if (likely(l->turns > 0)) /* first of all, what was started before may bind and listen */
		received = receive(l);
	else
		begin_first(l);
	work = received;
	if (likely(!l->timers_wait))
		work += fire_timers(l);
	if (unlikely(perch_lcore_groups_moved(l)))
		perch_lcore_follow_groups(l);
	perch_stage_stamp(&l->stages, PERCH_STAGE_TIMERS);
	work += wake_flows(l);
	work += take_mail(l);
	perch_stage_stamp(&l->stages, PERCH_STAGE_WAKE);
	work += perch_sched_run(l->sched, READY_BUDGET);
	perch_stage_stamp(&l->stages, PERCH_STAGE_HANDLERS);
	send(l);
	perch_stages_end(&l->stages, received, work);

	l->turns++;
	if (work)
		l->busy_ns = l->now_ns;
	else
		l->idle_turns++;
	if (unlikely(work == 0 && l->engine->until_idle_ns && l->id == 0))
		stop_if_idle(l);
	if (unlikely(l->stop_now))
		advance_phase(l);
	return work;
}

/* Backing off sleeps a twentieth of the time that has been idle, 100 us at most, and never past the
 * next timer: a burst of traffic is met awake, a quiet box stays cool. */
void perch_lcore_idle(struct perch_lcore *l)
{
	const int64_t longest_ns = 100000, shortest_ns = 5000;
	int64_t sleep_ns, next_ns;

	if (l->engine->idle == PERCH_BUSY_POLL) {
		if (l->shared_cpu)
			sched_yield();
		else
			rte_pause();
		return;
	}
	sleep_ns = RTE_MIN((l->now_ns - l->busy_ns) / 20, longest_ns);
	next_ns = RTE_MIN(perch_sched_next_deadline(l->sched), perch_wheel_next(l->flow_timers));
	next_ns = RTE_MIN(next_ns, perch_net_next_tick(l->net));
	sleep_ns = RTE_MIN(sleep_ns, next_ns - l->now_ns);
	if (sleep_ns < shortest_ns || perch_sched_ready(l->sched)) {
		rte_pause();
		return;
	}
	clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = sleep_ns}, NULL);
}
