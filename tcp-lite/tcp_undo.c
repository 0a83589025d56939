/* SPDX-License-Identifier: BSD-3-Clause
 * Were those losses none? Timestamps tell that an ACK answers the first copy (Eifel, RFC 3522), and
 * D-SACKs that every repetition was one too many (RFC 3708). Then what was taken from the window
 * is given back (RFC 4015).
 *
 * F-RTO (RFC 5682) is not here: it serves peers without timestamps, at the price of new data in the
 * middle of a recovery; with SACK, D-SACKs tell the same a round trip later.
 */
#include "tcp-lite/tcp_inside.h"

void perch_undo_begin(struct perch_tcb *c)
{
	struct perch_outbox *o = tcb_outbox(c);

	o->undo = UNDO_WATCHING;
	o->undo_cwnd = c->cwnd;
	o->undo_ssthresh = c->ssthresh;
	o->undo_from = c->snd_una;
	o->undo_resent = 0;
}

void perch_undo_resent(const struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *o = tcb_outbox(c);

	o->undo_resent += o->undo_resent < UINT16_MAX;
	if (o->undo != UNDO_WATCHING)
		return;
	o->undo = UNDO_STAMPED;
	o->undo_stamp = tcp_now_ms(net) + c->ts_offset;
}

/* What was lost arrived before it was sent again: news that came together. */
static bool none_was_needed(const struct perch_outbox *o, const struct perch_tcp_ack *a)
{
	return o->undo == UNDO_WATCHING && o->phase != PHASE_OPEN && a->advance > 0;
}

/* RFC 3522 section 3.2: the echo is older than the first repetition. */
static bool answers_the_first(const struct perch_tcb *c, const struct perch_tcp_ack *a)
{
	const struct perch_tcp_opts *opts = &a->s->opts;

	return a->advance > 0 && (c->marks & TCB_TS) && opts->has_ts && opts->ts_ecr != 0 &&
		seq_lt(opts->ts_ecr, tcb_outbox(c)->undo_stamp);
}

/* RFC 3708 section 2: all that was repeated has arrived twice. */
static bool all_came_twice(struct perch_tcb *c, const struct perch_tcp_ack *a)
{
	struct perch_outbox *o = tcb_outbox(c);
	uint32_t segments = RTE_MAX(a->dsacked / c->mss, 1u);

	if (a->dsacked == 0 || seq_lt(a->dsack_from, o->undo_from))
		return false;
	o->undo_resent = (uint16_t)(o->undo_resent - RTE_MIN((uint32_t)o->undo_resent, segments));
	return o->undo_resent == 0;
}

static void give_back(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *o = tcb_outbox(c);
	uint32_t cwnd = o->undo_cwnd, burst = 10u * c->mss;
	struct rte_mbuf *m;

	net->tcp->counters.spurious_recoveries++;
	for (m = o->lost; m && m != o->unsent; m = outbox_step(m))
		perch_outbox_unlose(o, m);
	o->lost = NULL;
	c->ssthresh = RTE_MAX(c->ssthresh, o->undo_ssthresh);
	if (o->phase == PHASE_LOSS) { /* RFC 4015 section 3.4: back, but not in one burst */
		c->ssthresh = RTE_MAX(c->ssthresh, cwnd);
		cwnd = RTE_MIN(cwnd, o->pipe + burst);
	}
	c->cwnd = RTE_MAX(c->cwnd, cwnd);
	if (net->tcp->cc->undo)
		net->tcp->cc->undo(c);
	o->reo_mult = RTE_MAX(o->reo_mult, (uint8_t)1);
	o->undo = UNDO_NOTHING;
	o->phase = PHASE_OPEN;
	o->dup_acks = 0;
	o->urgent = 0;
}

void perch_undo_check(struct perch_net *net, struct perch_tcb *c, const struct perch_tcp_ack *a)
{
	struct perch_outbox *o = tcb_outbox(c);

	if (unlikely(none_was_needed(o, a)))
		give_back(net, c);
	if (o->undo != UNDO_STAMPED)
		return;
	if (o->phase != PHASE_OPEN && answers_the_first(c, a)) {
		if (o->phase == PHASE_RECOVERY && a->resent_ns)
			perch_rack_late(c, net->now_ns - a->resent_ns);
		give_back(net, c);
	} else if (all_came_twice(c, a)) {
		give_back(net, c);
	}
}
