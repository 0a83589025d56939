/* SPDX-License-Identifier: BSD-3-Clause
 * Loss recovery: which segments in flight are lost, and how much is on its way.
 *
 * The outbox is the scoreboard. A segment in flight is on its way until it is acknowledged, SACKed
 * or found lost; a lost one is on its way again when it has been sent again. Who finds it lost is
 * told here: three duplicate ACKs and then partial ACKs (RFC 5681, RFC 6582), three segments SACKed
 * beyond it (RFC 6675), or a timeout. What is sent when is not: tcp_output.c sends lost segments
 * first and whatever else cwnd and the pipe allow.
 */
#include "tcp-lite/tcp_inside.h"

static void mark_lost(struct perch_outbox *o, struct rte_mbuf *m)
{
	struct perch_pkt *p = perch_pkt(m);

	if (p->tcp.flags & (SEG_LOST | SEG_SACKED))
		return;
	p->tcp.flags |= SEG_LOST;
	o->pipe -= p->tcp.len;
	if (!o->lost || seq_lt(p->tcp.seq, perch_pkt(o->lost)->tcp.seq))
		o->lost = m;
}

/* ---- what SACK tells ------------------------------------------------------------------------ */

static void mark_sacked(struct perch_outbox *o, struct perch_pkt *p)
{
	if (p->tcp.flags & SEG_SACKED)
		return;
	if (p->tcp.flags & SEG_LOST)
		p->tcp.flags &= (uint8_t)~SEG_LOST;
	else
		o->pipe -= p->tcp.len;
	p->tcp.flags |= SEG_SACKED;
	o->sacked += p->tcp.len;
}

/* Blocks below SND.UNA are D-SACKs (RFC 2883), and those beyond SND.NXT are nonsense. */
static bool block_ok(const struct perch_tcb *c, const struct perch_tcp_block *b)
{
	return seq_lt(b->from, b->to) && seq_ge(b->from, c->snd_una) && seq_le(b->to, c->snd_nxt);
}

static void take_block(struct perch_outbox *o, const struct perch_tcp_block *b)
{
	struct rte_mbuf *m;

	for (m = o->head; m && m != o->unsent; m = perch_pkt(m)->next) {
		struct perch_pkt *p = perch_pkt(m);

		if (seq_ge(p->tcp.seq, b->to))
			break;
		if (seq_ge(p->tcp.seq, b->from) && seq_le(p->tcp.seq + p->tcp.len, b->to))
			mark_sacked(o, p);
	}
}

/* RFC 6675's IsLost: more than two full segments, in bytes, were SACKed beyond it. A segment that
 * was sent again is left to the timeout. */
static void find_lost(struct perch_tcb *c)
{
	struct perch_outbox *o = c->outbox;
	uint32_t beyond = o->sacked;
	struct rte_mbuf *m;

	for (m = o->head; m && m != o->unsent && beyond > (DUP_ACKS - 1) * (uint32_t)c->mss;
		m = perch_pkt(m)->next) {
		struct perch_pkt *p = perch_pkt(m);

		if (p->tcp.flags & SEG_SACKED)
			beyond -= p->tcp.len;
		else if (!(p->tcp.flags & SEG_AGAIN))
			mark_lost(o, m);
	}
}

/* ---- fast recovery -------------------------------------------------------------------------- */

static void enter_recovery(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *o = c->outbox;
	struct rte_mbuf *m;

	net->tcp->counters.fast_retransmits++;
	c->ssthresh = net->tcp->cc->threshold(c, c->snd_nxt - c->snd_una);
	c->cwnd = c->ssthresh;
	c->recover = c->snd_nxt;
	o->phase = PHASE_RECOVERY;
	o->acked = 0;
	for (m = o->head; m && m != o->unsent; m = perch_pkt(m)->next)
		perch_pkt(m)->tcp.flags &= (uint8_t)~SEG_AGAIN;
	mark_lost(o, o->head);
	o->urgent = 1;
	if (c->marks & TCB_SACK)
		find_lost(c);
}

void perch_tcp_recover_sack(
	struct perch_net *net, struct perch_tcb *c, const struct perch_tcp_opts *opts)
{
	struct perch_outbox *o = c->outbox;
	unsigned i;

	if (!o)
		return;
	for (i = 0; i < opts->n_blocks; i++)
		if (block_ok(c, &opts->blocks[i]))
			take_block(o, &opts->blocks[i]);
	if (o->phase == PHASE_RECOVERY)
		find_lost(c);
	else if (o->phase == PHASE_OPEN && o->sacked > (DUP_ACKS - 1) * (uint32_t)c->mss)
		enter_recovery(net, c);
	perch_tcb_touch(net, c);
}

/* Limited transmit (RFC 3042) is in the pipe: each duplicate ACK makes room for a segment. */
void perch_tcp_recover_dup_ack(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *o = c->outbox;

	perch_tcb_touch(net, c);
	if (o->phase == PHASE_LOSS)
		return;
	o->dup_acks += o->dup_acks < UINT16_MAX;
	/* RFC 6582 section 3.2 step 2: those for what was sent again in the last recovery tell
	 * nothing about this window. With SACK they do. */
	if (o->phase == PHASE_OPEN && o->dup_acks >= DUP_ACKS &&
		((c->marks & TCB_SACK) || seq_gt(c->snd_una, c->recover)))
		enter_recovery(net, c);
}

static void leave_recovery(struct perch_tcb *c)
{
	struct perch_outbox *o = c->outbox;

	/* RFC 6582 section 3.2 step 3: no burst, if an ACK has emptied the pipe. */
	o->dup_acks = 0;
	if (o->phase == PHASE_RECOVERY)
		c->cwnd = RTE_MIN(c->ssthresh, RTE_MAX(perch_tcp_pipe(c), (uint32_t)c->mss) + c->mss);
	o->phase = PHASE_OPEN;
	o->urgent = 0;
}

/* The next hole has been found by the ACK for the last one. */
static void partial_ack(struct perch_tcb *c, uint32_t segments)
{
	struct perch_outbox *o = c->outbox;

	/* One of these was sent again; of the others each had its duplicate ACK. */
	o->dup_acks -= RTE_MIN((uint32_t)o->dup_acks, segments > 0 ? segments - 1 : 0);
	if (perch_pkt(o->head)->tcp.flags & SEG_AGAIN)
		return; /* on its way a second time already */
	mark_lost(o, o->head);
	o->urgent = 1;
}

void perch_tcp_recover_ack(
	struct perch_net *net, struct perch_tcb *c, uint32_t segments, uint32_t bytes)
{
	struct perch_outbox *o = c->outbox;

	if (seq_ge(c->snd_una, c->recover) || !o->head || o->head == o->unsent) {
		leave_recovery(c);
		return;
	}
	if (o->phase == PHASE_LOSS)
		net->tcp->cc->acked(c, bytes, net->now_ns);
	else
		partial_ack(c, segments);
}

/* ---- timeout -------------------------------------------------------------------------------- */

/* RFC 5681 section 3.1: ssthresh falls once for a loss, not for each time that its repetition is
 * lost. RFC 2018 section 8: the peer may have thrown away what it SACKed. */
void perch_tcp_recover_timeout(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *o = c->outbox;
	struct rte_mbuf *m;

	if (o->head == o->unsent)
		return; /* only a FIN or nothing is in flight */
	if (c->retries <= 1)
		c->ssthresh = net->tcp->cc->threshold(c, c->snd_nxt - c->snd_una);
	c->cwnd = c->mss;
	c->recover = c->snd_nxt;
	o->phase = PHASE_LOSS;
	o->dup_acks = 0;
	o->acked = 0;
	o->sacked = 0;
	o->pipe = 0;
	o->urgent = 1;
	o->lost = o->head;
	for (m = o->head; m && m != o->unsent; m = perch_pkt(m)->next) {
		perch_pkt(m)->tcp.flags &= (uint8_t)~(SEG_SACKED | SEG_AGAIN);
		perch_pkt(m)->tcp.flags |= SEG_LOST;
	}
}

/* ---- a narrower path ------------------------------------------------------------------------ */

/* The segments that are too long now will not arrive: send them again, in pieces. */
void perch_tcp_recover_narrow(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *o = c->outbox;
	struct rte_mbuf *m;

	for (m = o->head; m && m != o->unsent; m = perch_pkt(m)->next)
		if (perch_pkt(m)->tcp.len > c->mss)
			mark_lost(o, m);
	o->urgent = 1;
	perch_tcb_touch(net, c);
}
