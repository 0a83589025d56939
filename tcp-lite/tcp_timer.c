/* SPDX-License-Identifier: BSD-3-Clause
 * TCP's timers: what each connection waits for, when the timing wheel should name it, and what
 * happens when a wait was in vain.
 *
 * A connection has one timer, because what its timers wait for excludes each other, and beside it
 * the short wait of a delayed ACK. The timing wheel is told only of deadlines that became earlier.
 */
#include "tcp-lite/tcp_inside.h"

enum {
	USER_TIMEOUT_SHIFT = 23, /* ns: 8.4 ms, up to nine minutes */
	KEEPALIVE_TRIES = 9,
	BACKOFF_MAX = 16,
};

#define KEEPALIVE_INTERVAL_NS (75 * S_NS)
#define KEEPALIVE_DEFAULT_NS  (7200 * S_NS)

static uint32_t now_us(const struct perch_net *net)
{
	return (uint32_t)(net->now_ns / 1000);
}

/* How far ahead the delayed ACK is due; negative: overdue. */
static int64_t delack_in_ns(const struct perch_net *net, const struct perch_tcb *c)
{
	return (int64_t)(int32_t)(c->delack_us - now_us(net)) * 1000;
}

int64_t perch_tcp_deadline(const struct perch_net *net, const struct perch_tcb *c)
{
	if (likely(!(c->marks & TCB_ACK_LATER)))
		return c->timer_ns;
	return RTE_MIN(c->timer_ns, net->now_ns + delack_in_ns(net, c));
}

/* Put c on the arm list if it wants to be named earlier than was agreed. */
static void arm(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_tcp *t = net->tcp;
	int64_t deadline_ns = perch_tcp_deadline(net, c);
	uint32_t tick = tcp_tick(deadline_ns);

	if (deadline_ns == PERCH_NET_NEVER)
		return;
	if (c->armed_tick != TICK_NEVER && seq_ge(tick, c->armed_tick))
		return;
	c->armed_tick = tick;
	if (c->marks & TCB_ON_ARM)
		return;
	c->marks |= TCB_ON_ARM;
	perch_net_listed(net, t->n_arm++)->arm = tcb_id(net, c);
}

void perch_tcp_timer_set(
	struct perch_net *net, struct perch_tcb *c, enum perch_tcp_timer timer, int64_t at_ns)
{
	c->timer = timer & 7;
	c->timer_ns = at_ns;
	arm(net, c);
}

/* ---- which timer ---------------------------------------------------------------------------- */

static bool fin_waits(const struct perch_tcb *c)
{
	return (c->marks & (TCB_FIN_QUEUED | TCB_FIN_SENT)) == TCB_FIN_QUEUED;
}

static inline enum perch_tcp_timer timer_for(const struct perch_tcb *c)
{
	if (c->snd_una != c->snd_nxt)
		return TIMER_RESEND;
	if (!tcp_synchronized(c))
		return TIMER_NONE;
	if (c->outbox || fin_waits(c))
		return TIMER_PERSIST;
	if (c->state == PERCH_TCP_FIN_WAIT_2 && !(c->marks & TCB_OWNED))
		return TIMER_FIN_WAIT_2;
	return c->keepalive ? TIMER_KEEPALIVE : TIMER_NONE;
}

/* RFC 9293 section 3.8.4: two hours, if somebody wants it and nobody says how long. */
int64_t perch_tcp_keepalive_ns(const struct perch_net *net)
{
	return net->cfg.keepalive_ns ? net->cfg.keepalive_ns : KEEPALIVE_DEFAULT_NS;
}

/* RFC 9293 section 3.8.3, RFC 5482 section 2: until when may what was sent be unacknowledged, or
 * what waits be held up by a closed window? A SYN or a FIN counts as sent when it was asked for. */
static inline int64_t user_deadline_ns(const struct perch_net *net, const struct perch_tcb *c)
{
	int64_t ns = net->cfg.user_timeout_ns;

	if (unlikely(c->marks & TCB_PATIENCE) && c->user_timeout)
		ns = (int64_t)c->user_timeout << USER_TIMEOUT_SHIFT;
	if (likely(ns == 0))
		return PERCH_NET_NEVER;
	if (c->outbox)
		return tcb_outbox(c)->progress_ns + ns;
	return net->now_ns - tcp_coarse_age_ns(net, c->sent_tick) + ns;
}

static int64_t duration_ns(
	const struct perch_net *net, const struct perch_tcb *c, enum perch_tcp_timer timer)
{
	switch (timer) {
	case TIMER_RESEND:
	case TIMER_PERSIST:
		return tcp_backed_off_ns(net, c);
	case TIMER_KEEPALIVE:
		return perch_tcp_keepalive_ns(net);
	case TIMER_FIN_WAIT_2:
		return net->cfg.fin_wait2_ns;
	default:
		return PERCH_NET_NEVER;
	}
}

/* Is data in flight, and not just a SYN or a FIN? Then its three waits stand in the outbox. */
static bool data_in_flight(const struct perch_tcb *c)
{
	return c->outbox && tcb_outbox(c)->head != tcb_outbox(c)->unsent;
}

static inline void wait_for_ack(struct perch_net *net, struct perch_tcb *c, int64_t rto_at_ns)
{
	const struct perch_outbox *o = tcb_outbox(c);
	int64_t at_ns = RTE_MIN(rto_at_ns, RTE_MIN(o->pto_ns, o->reo_ns));

	at_ns = RTE_MIN(at_ns, user_deadline_ns(net, c));
	if (c->timer != TIMER_RESEND || c->timer_ns != at_ns)
		perch_tcp_timer_set(net, c, TIMER_RESEND, at_ns);
}

static void start(struct perch_net *net, struct perch_tcb *c, enum perch_tcp_timer timer)
{
	int64_t at_ns;

	if (likely(timer == TIMER_NONE)) { /* what was waited for has come */
		c->timer = TIMER_NONE;
		c->timer_ns = PERCH_NET_NEVER;
		return;
	}
	if (timer == TIMER_RESEND && data_in_flight(c)) {
		tcb_outbox(c)->rto_base_ns = net->now_ns;
		at_ns = tcp_rto_at_ns(net, c);
		perch_tlp_schedule(net, c, at_ns);
		wait_for_ack(net, c, at_ns);
		return;
	}
	at_ns = net->now_ns + duration_ns(net, c, timer);
	if (timer == TIMER_RESEND || timer == TIMER_PERSIST)
		at_ns = RTE_MIN(at_ns, user_deadline_ns(net, c));
	perch_tcp_timer_set(net, c, timer, at_ns);
}

void perch_tcp_timer_choose(struct perch_net *net, struct perch_tcb *c)
{
	enum perch_tcp_timer timer;

	if (c->state == PERCH_TCP_CLOSED || c->state == PERCH_TCP_TIME_WAIT)
		return;
	timer = timer_for(c);
	if (timer == c->timer) {
		if (timer == TIMER_RESEND && data_in_flight(c))
			wait_for_ack(net, c, tcp_rto_at_ns(net, c));
		return;
	}
	tcp_forget_tries(c);
	start(net, c, timer);
}

void perch_tcp_timer_restart(struct perch_net *net, struct perch_tcb *c)
{
	if (c->state == PERCH_TCP_CLOSED || c->state == PERCH_TCP_TIME_WAIT)
		return;
	start(net, c, timer_for(c));
}

void perch_tcp_delay_ack(struct perch_net *net, struct perch_tcb *c)
{
	if (c->marks & (TCB_ACK_NOW | TCB_ACK_LATER))
		return;
	c->marks |= TCB_ACK_LATER;
	c->delack_us = now_us(net) + (uint32_t)(net->cfg.delack_ns / 1000);
	arm(net, c);
}

void perch_tcp_set_keepalive(struct perch_net *net, struct perch_tcb *c, bool on)
{
	c->keepalive = on;
	perch_tcp_timer_choose(net, c);
}

int perch_tcp_set_user_timeout(struct perch_net *net, struct perch_tcb *c, int64_t ns)
{
	const int64_t grain_ns = INT64_C(1) << USER_TIMEOUT_SHIFT;

	if (ns < 0 || ns > UINT16_MAX * grain_ns)
		return -EINVAL;
	c->user_timeout = (uint16_t)((ns + grain_ns - 1) / grain_ns);
	c->marks |= TCB_PATIENCE;
	if (c->timer == TIMER_RESEND || c->timer == TIMER_PERSIST)
		perch_tcp_timer_set(net, c, (enum perch_tcp_timer)c->timer,
			RTE_MIN(c->timer_ns, user_deadline_ns(net, c)));
	return 0;
}

/* ---- in vain -------------------------------------------------------------------------------- */

static void back_off(struct perch_net *net, struct perch_tcb *c)
{
	c->marks |= TCB_PATIENCE;
	c->retries++;
	if (c->backoff < BACKOFF_MAX && tcp_backed_off_ns(net, c) < net->cfg.rto_max_ns)
		c->backoff++;
}

/* RFC 1122 section 4.2.3.5, RFC 9293 section 3.8.3: R2. What ICMP has told tells more than that
 * time ran out. */
static void give_up(struct perch_net *net, struct perch_tcb *c)
{
	perch_tcp_fail(net, c, c->error ? c->error : ETIMEDOUT);
}

/* RFC 8985 sections 6.2 and 7.3: was it a shorter wait than the timeout? */
static bool short_wait_due(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *o = tcb_outbox(c);

	if (!data_in_flight(c))
		return false;
	if (o->reo_ns <= net->now_ns)
		perch_tcp_recover_late(net, c);
	else if (o->pto_ns <= net->now_ns)
		perch_tlp_send(net, c);
	else if (tcp_rto_at_ns(net, c) <= net->now_ns)
		return false;
	wait_for_ack(net, c, tcp_rto_at_ns(net, c));
	return true;
}

/* RFC 6298 section 5, (5.4) to (5.7). */
static void resend_due(struct perch_net *net, struct perch_tcb *c)
{
	unsigned tries = tcp_synchronized(c) ? net->cfg.data_retries : net->cfg.syn_retries;

	if (user_deadline_ns(net, c) <= net->now_ns) {
		give_up(net, c);
		return;
	}
	if (short_wait_due(net, c))
		return;
	if (c->retries >= tries) {
		give_up(net, c);
		return;
	}
	net->tcp->counters.rto_fired++;
	back_off(net, c);
	if (c->outbox)
		perch_tcp_recover_timeout(net, c);
	else
		c->marks |= TCB_RESEND;
	start(net, c, TIMER_RESEND);
	perch_tcb_touch(net, c);
}

/* RFC 1122 section 4.2.2.17: a peer that answers our probes may keep its window shut for ever. One
 * that keeps it small gets what fits after all (RFC 9293 section 3.8.6.2.1: the override). */
static void persist_due(struct perch_net *net, struct perch_tcb *c)
{
	if (c->retries >= net->cfg.data_retries || user_deadline_ns(net, c) <= net->now_ns) {
		give_up(net, c);
		return;
	}
	back_off(net, c);
	if (c->snd_wnd > 0 && c->outbox) {
		tcb_outbox(c)->urgent = 1;
	} else {
		c->marks |= TCB_PROBE;
		net->tcp->counters.zero_window_probes++;
	}
	start(net, c, TIMER_PERSIST);
	perch_tcb_touch(net, c);
}

static void keepalive_due(struct perch_net *net, struct perch_tcb *c)
{
	if (c->retries >= KEEPALIVE_TRIES) {
		give_up(net, c);
		return;
	}
	c->retries++;
	c->marks |= TCB_PATIENCE | TCB_PROBE;
	perch_tcp_timer_set(net, c, TIMER_KEEPALIVE,
		net->now_ns + RTE_MIN(perch_tcp_keepalive_ns(net), KEEPALIVE_INTERVAL_NS));
	perch_tcb_touch(net, c);
}

static void timer_due(struct perch_net *net, struct perch_tcb *c)
{
	switch ((enum perch_tcp_timer)c->timer) {
	case TIMER_NONE:
		break;
	case TIMER_RESEND:
		resend_due(net, c);
		break;
	case TIMER_PERSIST:
		persist_due(net, c);
		break;
	case TIMER_KEEPALIVE:
		keepalive_due(net, c);
		break;
	case TIMER_FIN_WAIT_2:
	case TIMER_TIME_WAIT:
		perch_tcp_finish(net, c);
		break;
	}
}

uint32_t *perch_tcp_wheel_words(const struct perch_net *net, size_t *stride_bytes)
{
	*stride_bytes = sizeof(struct perch_tcb);
	return &net->tcp->tcbs[0].wheel_word;
}

/* NULL: no connection is in that slot. */
static struct perch_tcb *in_slot(const struct perch_net *net, uint32_t id)
{
	struct perch_tcb *c = &net->tcp->tcbs[id];

	return id < net->tcp->born && c->state != PERCH_TCP_CLOSED ? c : NULL;
}

static int64_t agreed(const struct perch_net *net, struct perch_tcb *c)
{
	int64_t deadline_ns = perch_tcp_deadline(net, c);

	c->armed_tick = deadline_ns == PERCH_NET_NEVER ? TICK_NEVER : tcp_tick(deadline_ns);
	return deadline_ns;
}

int64_t perch_tcp_due(struct perch_net *net, uint32_t id)
{
	struct perch_tcb *c = in_slot(net, id);

	return c ? agreed(net, c) : PERCH_NET_NEVER;
}

/* The wheel may name a connection early, for deadlines that were put off, or one whose slot has a
 * new tenant: it is the deadlines here that count. */
int64_t perch_tcp_expire(struct perch_net *net, uint32_t id)
{
	struct perch_tcb *c = in_slot(net, id);

	if (!c)
		return PERCH_NET_NEVER;
	c->armed_tick = tcp_tick(net->now_ns); /* nobody needs to arm it: the caller will */
	if ((c->marks & TCB_ACK_LATER) && delack_in_ns(net, c) <= 0) {
		c->marks ^= TCB_ACK_LATER | TCB_ACK_NOW;
		perch_tcb_touch(net, c);
	}
	if (c->timer_ns <= net->now_ns)
		timer_due(net, c);
	return c->state == PERCH_TCP_CLOSED ? PERCH_NET_NEVER : agreed(net, c);
}
