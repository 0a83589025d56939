/* SPDX-License-Identifier: BSD-3-Clause
 * Loss recovery: the phases of a connection that has lost something, and how much it may send in
 * each.
 *
 * What is lost is found out with SACK by time (tcp_rack.c), without it by three duplicate ACKs and
 * then partial ACKs (RFC 5681, RFC 6582), which is here; and by timeouts. What is sent when is not
 * here: tcp_output.c sends lost segments first and whatever else cwnd and the pipe allow.
 */
#include "tcp-lite/tcp_inside.h"

static bool has_sack(const struct perch_tcb *c)
{
	return c->marks & TCB_SACK;
}

static void slow_down(struct perch_net *net, struct perch_tcb *c)
{
	c->ssthresh = net->tcp->cc->threshold(c, c->snd_nxt - c->snd_una);
}

/* ---- in and out ----------------------------------------------------------------------------- */

static void enter_recovery(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *o = tcb_outbox(c);

	net->tcp->counters.fast_retransmits++;
	perch_undo_begin(c);
	slow_down(net, c);
	o->recover = c->snd_nxt;
	o->phase = PHASE_RECOVERY;
	o->tlp = TLP_NONE;
	o->pto_ns = PERCH_NET_NEVER;
	o->prr_delivered = o->prr_out = 0;
	o->prr_flight = c->snd_nxt - c->snd_una;
}

static void leave_recovery(struct perch_tcb *c)
{
	struct perch_outbox *o = tcb_outbox(c);

	o->dup_acks = 0;
	if (o->phase == PHASE_RECOVERY) {
		c->cwnd = c->ssthresh;
		if (!has_sack(c)) /* RFC 6582 section 3.2 step 3: no burst */
			c->cwnd = RTE_MIN(c->cwnd,
				RTE_MAX(perch_tcp_pipe(c), (uint32_t)c->mss) + c->mss);
		perch_rack_recovered(o);
	}
	o->phase = PHASE_OPEN;
	o->urgent = 0;
}

static bool is_recovered(const struct perch_tcb *c)
{
	const struct perch_outbox *o = tcb_outbox(c);

	return seq_ge(c->snd_una, o->recover) || !o->head || o->head == o->unsent;
}

/* ---- with SACK ------------------------------------------------------------------------------ */

/* RFC 6937: what arrives sets the pace of what leaves. While more is on its way than ssthresh, one
 * leaves for each so many that arrive; below it, as many as arrive, and one more if that repaired
 * something and found nothing else lost. */
static void reduce(struct perch_tcb *c, const struct perch_tcp_ack *a, bool lost)
{
	struct perch_outbox *o = tcb_outbox(c);
	uint32_t due, paid = o->prr_out;

	o->prr_delivered += a->delivered;
	if (o->pipe > c->ssthresh) {
		due = (uint32_t)(((uint64_t)o->prr_delivered * c->ssthresh + o->prr_flight - 1) /
			o->prr_flight);
		due = due > paid ? due - paid : 0;
	} else {
		due = o->prr_delivered > paid ? o->prr_delivered - paid : 0;
		due = RTE_MAX(due, a->delivered);
		if (a->advance > 0 && !lost)
			due += c->mss;
		due = RTE_MIN(due, c->ssthresh - o->pipe);
	}
	if (paid == 0) /* fast retransmit */
		due = RTE_MAX(due, (uint32_t)c->mss);
	c->cwnd = o->pipe + due;
}

/* RFC 8985 section 7.4.2: a probe has hidden a loss from us. */
static void repaired(struct perch_net *net, struct perch_tcb *c)
{
	slow_down(net, c);
	c->cwnd = RTE_MIN(c->cwnd, c->ssthresh);
}

/* Returns how many segments congestion has lost. */
static unsigned detect(struct perch_net *net, struct perch_tcb *c)
{
	unsigned lost = perch_rack_detect(net, c);

	if (unlikely(tcb_outbox(c)->trial > TRIAL_OUT))
		lost -= perch_tcp_mtu_judge(net, c);
	return lost;
}

static void recover_by_sack(
	struct perch_net *net, struct perch_tcb *c, const struct perch_tcp_ack *a)
{
	struct perch_outbox *o = tcb_outbox(c);
	bool over = false;
	unsigned lost;

	if (a->dsacked > 0)
		perch_rack_dsacked(c, a->s->ack);
	if (perch_tlp_acked(c, a))
		repaired(net, c);
	perch_undo_check(net, c, a);
	if (o->phase != PHASE_OPEN && is_recovered(c)) {
		over = o->phase == PHASE_RECOVERY; /* this ACK has been counted */
		leave_recovery(c);
	}
	lost = detect(net, c);
	if (lost > 0 && o->phase == PHASE_OPEN)
		enter_recovery(net, c);
	if (o->phase == PHASE_RECOVERY)
		reduce(c, a, lost > 0);
	else if (!over && outbox_growth(o, a) > 0 && (a->limited || o->phase == PHASE_LOSS))
		net->tcp->cc->acked(c, outbox_growth(o, a), a->rtt_us, net->now_ns);
}

void perch_tcp_recover_late(struct perch_net *net, struct perch_tcb *c)
{
	const struct perch_tcp_ack nothing = {.advance = 0};
	struct perch_outbox *o = tcb_outbox(c);
	unsigned lost = detect(net, c);

	if (lost > 0 && o->phase == PHASE_OPEN)
		enter_recovery(net, c);
	if (lost > 0 && o->phase == PHASE_RECOVERY)
		reduce(c, &nothing, true);
	perch_tcb_touch(net, c);
}

/* ---- without -------------------------------------------------------------------------------- */

static void lose_head(struct perch_outbox *o)
{
	perch_outbox_lose(o, o->head);
	o->urgent = 1;
}

/* RFC 5681 section 3.2. Limited transmit (RFC 3042) is in the pipe: each duplicate ACK makes room
 * for a segment. */
void perch_tcp_recover_dup_ack(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *o = tcb_outbox(c);
	struct rte_mbuf *m;

	perch_tcb_touch(net, c);
	if (o->phase == PHASE_LOSS)
		return;
	o->dup_acks += o->dup_acks < UINT16_MAX;
	/* RFC 6582 section 3.2 step 2: those for what was sent again in the last recovery tell
	 * nothing about this window. */
	if (o->phase != PHASE_OPEN || o->dup_acks < DUP_ACKS || !seq_gt(c->snd_una, o->recover))
		return;
	enter_recovery(net, c);
	c->cwnd = c->ssthresh;
	for (m = o->head; m && m != o->unsent; m = perch_pkt(m)->next)
		perch_pkt(m)->tcp.flags &= (uint8_t)~SEG_AGAIN;
	lose_head(o);
}

/* The next hole has been found by the ACK for the last one. */
static void partial_ack(struct perch_tcb *c, uint32_t segments)
{
	struct perch_outbox *o = tcb_outbox(c);

	/* One of these was sent again; of the others each had its duplicate ACK. */
	o->dup_acks -= RTE_MIN((uint32_t)o->dup_acks, segments > 0 ? segments - 1 : 0);
	if (perch_pkt(o->head)->tcp.flags & SEG_AGAIN)
		return; /* on its way a second time already */
	lose_head(o);
}

static void recover_by_ack(
	struct perch_net *net, struct perch_tcb *c, const struct perch_tcp_ack *a)
{
	struct perch_outbox *o = tcb_outbox(c);

	if (a->advance == 0)
		return;
	perch_undo_check(net, c, a);
	if (o->phase != PHASE_OPEN && is_recovered(c)) {
		leave_recovery(c);
		return;
	}
	if (o->phase == PHASE_RECOVERY) {
		partial_ack(c, a->segments);
		return;
	}
	if (o->phase == PHASE_OPEN)
		o->dup_acks = 0;
	if (a->limited || o->phase == PHASE_LOSS)
		net->tcp->cc->acked(c, a->advance, a->rtt_us, net->now_ns);
}

void perch_tcp_recover(struct perch_net *net, struct perch_tcb *c, const struct perch_tcp_ack *a)
{
	if (has_sack(c))
		recover_by_sack(net, c, a);
	else
		recover_by_ack(net, c, a);
}

/* ---- timeout -------------------------------------------------------------------------------- */

/* RFC 8985 section 6.3 and RFC 6298 (5.4): the first, and whatever else is overdue; without SACK
 * nothing tells that the rest is not. */
static void lose_overdue(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *o = tcb_outbox(c);
	int64_t sent_ns = net->now_ns - (int64_t)o->rack_rtt_us * 1000;

	if (perch_pkt(o->head)->tcp.flags & SEG_SACKED)
		perch_outbox_renege(o);
	perch_outbox_lose(o, o->head);
	while (o->oldest && (!has_sack(c) || perch_pkt(o->oldest)->time_ns <= sent_ns))
		perch_outbox_lose(o, o->oldest);
}

/* RFC 5681 section 3.1: ssthresh falls once for a loss: not for each time that its repetition is
 * lost, and not if a recovery has lowered it for this window. */
void perch_tcp_recover_timeout(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *o = tcb_outbox(c);
	struct rte_mbuf *m;

	if (o->head == o->unsent)
		return; /* only a FIN or nothing is in flight */
	if (o->phase == PHASE_OPEN)
		perch_undo_begin(c);
	if (c->retries <= 1 && o->phase != PHASE_RECOVERY)
		slow_down(net, c);
	perch_tcp_mtu_timeout(net, c);
	c->cwnd = c->mss;
	o->recover = c->snd_nxt;
	o->phase = PHASE_LOSS;
	o->tlp = TLP_NONE;
	o->pto_ns = o->reo_ns = PERCH_NET_NEVER;
	o->dup_acks = 0;
	o->urgent = 1;
	lose_overdue(net, c);
	for (m = o->head; m && m != o->unsent; m = perch_pkt(m)->next)
		perch_pkt(m)->tcp.flags &= (uint8_t)~SEG_AGAIN;
	if (unlikely(o->trial > TRIAL_OUT))
		perch_tcp_mtu_judge(net, c);
}

/* ---- a narrower path ------------------------------------------------------------------------ */

/* The segments that are too long now will not arrive: send them again, in pieces. */
void perch_tcp_recover_narrow(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *o = tcb_outbox(c);
	struct rte_mbuf *m;

	for (m = o->head; m && m != o->unsent; m = perch_pkt(m)->next)
		if (perch_pkt(m)->tcp.len > c->mss)
			perch_outbox_lose(o, m);
	o->urgent = 1;
	perch_tcb_touch(net, c);
}
