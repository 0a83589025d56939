/* SPDX-License-Identifier: BSD-3-Clause
 * The sender's scoreboard (RFC 2018 section 5, RFC 6675 section 4): where each segment in flight
 * is, as far as we know, and what SACK and D-SACK blocks (RFC 2883) add to that.
 */
#include "tcp-lite/tcp_inside.h"

/* ---- on their way, by time of sending ------------------------------------------------------- */

/* RFC 8985 section 3.2: of what left together, the higher number was sent later. */
static bool is_later(const struct perch_pkt *a, const struct perch_pkt *b)
{
	return a->time_ns > b->time_ns ||
		(a->time_ns == b->time_ns && seq_gt(a->tcp.seq, b->tcp.seq));
}

static void link_by_time(struct perch_outbox *o, struct rte_mbuf *m)
{
	struct perch_pkt *p = perch_pkt(m);
	struct rte_mbuf *at = o->newest;

	while (at && is_later(perch_pkt(at), p)) /* only for one that was not lost */
		at = perch_pkt(at)->tcp.older;
	p->tcp.older = at;
	p->tcp.newer = at ? perch_pkt(at)->tcp.newer : o->oldest;
	if (p->tcp.newer)
		perch_pkt(p->tcp.newer)->tcp.older = m;
	else
		o->newest = m;
	if (at)
		perch_pkt(at)->tcp.newer = m;
	else
		o->oldest = m;
}

static void unlink_by_time(struct perch_outbox *o, struct rte_mbuf *m)
{
	struct perch_pkt *p = perch_pkt(m);

	if (p->tcp.older)
		perch_pkt(p->tcp.older)->tcp.newer = p->tcp.newer;
	else
		o->oldest = p->tcp.newer;
	if (p->tcp.newer)
		perch_pkt(p->tcp.newer)->tcp.older = p->tcp.older;
	else
		o->newest = p->tcp.older;
}

void perch_outbox_sent(struct perch_outbox *o, struct rte_mbuf *m)
{
	struct perch_pkt *p = perch_pkt(m);

	p->tcp.sent += p->tcp.sent < UINT8_MAX;
	p->tcp.flags &= (uint8_t)~SEG_LOST;
	o->pipe += p->tcp.len;
	o->prr_out += p->tcp.len;
	link_by_time(o, m);
}

void perch_outbox_lose(struct perch_outbox *o, struct rte_mbuf *m)
{
	struct perch_pkt *p = perch_pkt(m);

	if (p->tcp.flags & (SEG_LOST | SEG_SACKED))
		return;
	unlink_by_time(o, m);
	p->tcp.flags |= SEG_LOST;
	o->pipe -= p->tcp.len;
	outbox_tried(o, m, TRIAL_LOST);
	if (!o->lost || seq_lt(p->tcp.seq, perch_pkt(o->lost)->tcp.seq))
		o->lost = m;
}

void perch_outbox_unlose(struct perch_outbox *o, struct rte_mbuf *m)
{
	struct perch_pkt *p = perch_pkt(m);

	if (!(p->tcp.flags & SEG_LOST))
		return;
	p->tcp.flags &= (uint8_t)~SEG_LOST;
	o->pipe += p->tcp.len;
	link_by_time(o, m);
}

/* ---- SACKed --------------------------------------------------------------------------------- */

/* m, whose predecessor is prev, joins the runs beside it. */
static void join_runs(struct perch_outbox *o, struct rte_mbuf *prev, struct rte_mbuf *m)
{
	struct perch_pkt *p = perch_pkt(m);
	struct rte_mbuf *first = m, *last = m;

	p->tcp.older = p->tcp.newer = m;
	if (prev && (perch_pkt(prev)->tcp.flags & SEG_SACKED))
		first = perch_pkt(prev)->tcp.older;
	if (p->next && p->next != o->unsent && (perch_pkt(p->next)->tcp.flags & SEG_SACKED))
		last = perch_pkt(p->next)->tcp.newer;
	perch_pkt(first)->tcp.newer = last;
	perch_pkt(last)->tcp.older = first;
}

static void mark_sacked(struct perch_outbox *o, struct rte_mbuf *prev, struct rte_mbuf *m)
{
	struct perch_pkt *p = perch_pkt(m);

	if (p->tcp.flags & SEG_LOST) {
		p->tcp.flags &= (uint8_t)~SEG_LOST;
	} else {
		unlink_by_time(o, m);
		o->pipe -= p->tcp.len;
	}
	p->tcp.flags |= SEG_SACKED;
	outbox_tried(o, m, TRIAL_ARRIVED);
	o->sacked += p->tcp.len;
	o->sacked_mbufs++;
	join_runs(o, prev, m);
	if (!o->high || seq_gt(p->tcp.seq, perch_pkt(o->high)->tcp.seq))
		o->high = m;
}

/* The head leaves: the run goes on behind it. */
static void leave_run(struct perch_outbox *o, struct rte_mbuf *m)
{
	struct perch_pkt *p = perch_pkt(m);
	struct rte_mbuf *last = p->tcp.newer;

	o->sacked_mbufs--;
	if (o->high == m)
		o->high = NULL;
	if (last == m)
		return;
	perch_pkt(p->next)->tcp.newer = last;
	perch_pkt(last)->tcp.older = p->next;
}

void perch_outbox_forget(struct perch_outbox *o, struct rte_mbuf *m, uint32_t bytes)
{
	struct perch_pkt *p = perch_pkt(m);
	bool all = bytes == p->tcp.len;

	if (p->tcp.flags & SEG_SACKED) {
		o->sacked -= bytes;
		if (all)
			leave_run(o, m);
	} else if (!(p->tcp.flags & SEG_LOST)) {
		o->pipe -= bytes;
		if (all)
			unlink_by_time(o, m);
	}
}

void perch_outbox_renege(struct perch_outbox *o)
{
	struct rte_mbuf *m;

	for (m = o->head; m && m != o->unsent; m = perch_pkt(m)->next) {
		struct perch_pkt *p = perch_pkt(m);

		if (!(p->tcp.flags & SEG_SACKED))
			continue;
		p->tcp.flags = (uint8_t)((p->tcp.flags & ~SEG_SACKED) | SEG_LOST);
		if (!o->lost || seq_lt(p->tcp.seq, perch_pkt(o->lost)->tcp.seq))
			o->lost = m;
	}
	o->sacked = o->sacked_mbufs = 0;
	o->high = NULL;
	o->n_seen = 0;
}

/* ---- blocks --------------------------------------------------------------------------------- */

static bool is_within(const struct perch_tcp_block *a, const struct perch_tcp_block *b)
{
	return seq_ge(a->from, b->from) && seq_le(a->to, b->to);
}

/* Those beyond SND.NXT are nonsense, and those below SND.UNA old. */
static bool block_ok(const struct perch_tcb *c, const struct perch_tcp_block *b)
{
	return seq_lt(b->from, b->to) && seq_ge(b->from, c->snd_una) && seq_le(b->to, c->snd_nxt);
}

/* RFC 2883 section 4: the first block lies below the ACK, or in the second. */
static bool is_dsack(const struct perch_tcb *c, const struct perch_tcp_opts *o)
{
	const struct perch_tcp_block *b = &o->blocks[0];

	if (!seq_lt(b->from, b->to) || seq_gt(b->to, c->snd_nxt))
		return false;
	if (seq_le(b->to, c->snd_una)) /* of what we sent lately */
		return seq_ge(b->from, c->snd_una - ((uint32_t)c->snd_wnd_max << c->snd_scale));
	return o->n_blocks > 1 && is_within(b, &o->blocks[1]);
}

/* Have we seen it in the last ACK? Most are repetitions. */
static bool seen_before(const struct perch_outbox *o, const struct perch_tcp_block *b)
{
	unsigned i;

	for (i = 0; i < o->n_seen; i++)
		if (b->from == o->seen[i].from && b->to == o->seen[i].to)
			return true;
	return false;
}

/* A new block mostly makes the highest run longer. */
static struct rte_mbuf *first_of(const struct perch_outbox *o, const struct perch_tcp_block *b)
{
	struct rte_mbuf *first;

	if (!o->high)
		return o->head;
	first = perch_pkt(o->high)->tcp.older;
	return seq_ge(b->from, perch_pkt(first)->tcp.seq) ? first : o->head;
}

static void take_block(const struct perch_net *net, struct perch_tcb *c, struct perch_tcp_ack *a,
	const struct perch_tcp_block *b)
{
	struct perch_outbox *o = tcb_outbox(c);
	struct rte_mbuf *prev = NULL, *m = first_of(o, b), *next;

	for (; m && m != o->unsent && seq_lt(perch_pkt(m)->tcp.seq, b->to); m = next) {
		struct perch_pkt *p = perch_pkt(m);

		next = outbox_step(m);
		if (p->tcp.flags & SEG_SACKED) {
			prev = p->tcp.newer;
			continue;
		}
		if (seq_ge(p->tcp.seq, b->from) && seq_le(p->tcp.seq + p->tcp.len, b->to)) {
			a->delivered += p->tcp.len;
			perch_rack_arrived(net, c, m, &a->s->opts);
			mark_sacked(o, prev, m);
		}
		prev = m;
	}
}

void perch_tcp_sack(const struct perch_net *net, struct perch_tcb *c, struct perch_tcp_ack *a)
{
	const struct perch_tcp_opts *opts = &a->s->opts;
	struct perch_outbox *o = tcb_outbox(c);
	unsigned i = 0;

	if (is_dsack(c, opts)) {
		a->dsack_from = opts->blocks[0].from;
		a->dsacked = opts->blocks[0].to - opts->blocks[0].from;
		i = 1;
	}
	for (; i < opts->n_blocks; i++)
		if (block_ok(c, &opts->blocks[i]) && !seen_before(o, &opts->blocks[i]))
			take_block(net, c, a, &opts->blocks[i]);
	memcpy(o->seen, opts->blocks, sizeof(o->seen));
	o->n_seen = opts->n_blocks;
}
