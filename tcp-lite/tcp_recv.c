/* SPDX-License-Identifier: BSD-3-Clause
 * The inbox: text that has arrived (RFC 9293 section 3.10.7.4, seventh and eighth step), what came
 * early, the window that we offer, and reading.
 *
 * Packets are queued as they came. So that a flood of tiny segments cannot hold the whole pool, a
 * small payload is copied behind the last one where there is room, the inbox holds at most a packet
 * per BYTES_PER_MBUF of the receive buffer in order and half as many early ones, and the window is
 * not opened further than the packets left can carry at that many bytes each.
 */
#include "tcp-lite/tcp_inside.h"

enum {
	SMALL_PAYLOAD = 256, /* four cache lines: copying costs less than another mbuf */
	RCVBUF_LEAST = 256 * 1024,
	RCV_DOUBLED = 15,    /* the bits of rcv_tuned */
};

/* ---- the window that we offer --------------------------------------------------------------- */

/* The receive buffer begins at RCVBUF_LEAST and is doubled when a reader who leaves nothing lying
 * has taken so much: what the way can carry is found by carrying it. The TCB's rcv_tuned is RCV.NXT
 * at the last doubling, but for its low four bits, which say how often. */
static uint32_t rcvbuf(const struct perch_net *net, const struct perch_tcb *c)
{
	uint64_t grown = (uint64_t)RCVBUF_LEAST << (c->rcv_tuned & RCV_DOUBLED);

	return (uint32_t)RTE_MIN(grown, (uint64_t)net->cfg.rcvbuf_bytes);
}

static void tune(const struct perch_net *net, struct perch_tcb *c)
{
	uint32_t since = c->rcv_nxt - (c->rcv_tuned & ~(uint32_t)RCV_DOUBLED), now;

	if (likely(since < RCVBUF_LEAST))
		return;
	now = rcvbuf(net, c);
	if (now == net->cfg.rcvbuf_bytes || (c->inbox && tcb_inbox(c)->head) || since < now)
		return;
	if (since < 2 * now) /* else it is long ago: begin to count */
		c->rcv_tuned++;
	c->rcv_tuned = (c->rcv_nxt & ~(uint32_t)RCV_DOUBLED) | (c->rcv_tuned & RCV_DOUBLED);
}

static inline uint32_t room_for_more(const struct perch_net *net, const struct perch_tcb *c)
{
	const struct perch_inbox *in = tcb_inbox(c);
	uint32_t room = rcvbuf(net, c), share;

	if (c->inbox) {
		share = perch_net_share(net, net->tcp->in_mbufs_max);
		share -= RTE_MIN(in->mbufs, share);
		room = RTE_MIN(seq_span(in->bytes, room), share * (uint32_t)BYTES_PER_MBUF);
	}
	return RTE_MIN(room, (uint32_t)UINT16_MAX << tcp_rcv_scale(net, c));
}

/* RFC 9293 section 3.8.6.2.2: the edge moves by a worthwhile step or not at all, and never back. */
static bool worth_telling(const struct perch_net *net, const struct perch_tcb *c, uint32_t room)
{
	uint32_t open = c->rcv_edge - c->rcv_nxt;

	return room >= open + RTE_MIN((uint32_t)c->mss, net->cfg.rcvbuf_bytes / 2);
}

uint16_t perch_tcp_offer(struct perch_net *net, struct perch_tcb *c)
{
	uint32_t room = room_for_more(net, c), scale = tcp_rcv_scale(net, c);
	uint32_t field = (c->rcv_edge - c->rcv_nxt + (1u << scale) - 1) >> scale;

	if (worth_telling(net, c, room))
		field = RTE_MAX(field, room >> scale);
	field = RTE_MIN(field, (uint32_t)UINT16_MAX);
	c->rcv_edge = c->rcv_nxt + (field << scale);
	return (uint16_t)field;
}

uint16_t perch_tcp_offer_syn(struct perch_net *net, struct perch_tcb *c)
{
	uint16_t field = (uint16_t)RTE_MIN(net->cfg.rcvbuf_bytes, (uint32_t)UINT16_MAX);

	c->rcv_edge = seq_max(c->rcv_edge, c->rcv_nxt + field);
	return field;
}

/* ---- in order ------------------------------------------------------------------------------- */

void perch_tcp_owe_ack(struct perch_net *net, struct perch_tcb *c)
{
	/* RFC 5681 section 4.2: at least every second segment. What a full one is we do not know:
	 * the peer's may be smaller than ours. A burst put together counts by its bytes. */
	if (net->cfg.delack_ns > 0 && !(c->marks & TCB_ACK_LATER) &&
		c->rcv_nxt - c->rcv_acked < 2u * c->mss) {
		perch_tcp_delay_ack(net, c);
		return;
	}
	c->marks |= TCB_ACK_NOW;
	perch_tcb_touch(net, c);
}

static void owe_ack_now(struct perch_net *net, struct perch_tcb *c)
{
	c->marks |= TCB_ACK_NOW;
	perch_tcb_touch(net, c);
}

/* Copy m's small payload behind the last packet, if that is ours alone. */
static bool merge(struct perch_inbox *in, struct rte_mbuf *m)
{
	struct rte_mbuf *tail = in->tail;
	uint16_t len = m->data_len;

	if (!tail || len > SMALL_PAYLOAD || rte_pktmbuf_tailroom(tail) < len ||
		rte_mbuf_refcnt_read(tail) != 1 || !RTE_MBUF_DIRECT(tail))
		return false;
	memcpy(rte_pktmbuf_append(tail, len), rte_pktmbuf_mtod(m, const void *), len);
	perch_pkt(tail)->tcp.summed = false;
	rte_pktmbuf_free(m);
	return true;
}

/* Is there room for one more packet in order? */
static bool admit(struct perch_net *net, struct perch_tcb *c)
{
	if (!c->inbox && !perch_inbox_new(net, c)) {
		net->drops[PERCH_DROP_mbuf_exhausted]++;
		return false;
	}
	if (tcb_inbox(c)->mbufs < perch_net_share(net, net->tcp->in_mbufs_max))
		return true;
	net->drops[tcb_inbox(c)->mbufs < net->tcp->in_mbufs_max ? PERCH_DROP_tcp_no_share
	                                                       : PERCH_DROP_tcp_out_of_window]++;
	return false;
}

static void append(struct perch_net *net, struct perch_tcb *c, struct rte_mbuf *m)
{
	struct perch_inbox *in = tcb_inbox(c);
	uint32_t len = m->data_len;

	c->rcv_nxt += len;
	in->bytes += len;
	if (merge(in, m))
		return;
	perch_pkt(m)->next = NULL;
	if (in->tail)
		perch_pkt(in->tail)->next = m;
	else
		in->head = m;
	in->tail = m;
	in->mbufs++;
	net->held++;
}

void perch_tcp_deliver(struct perch_net *net, struct perch_tcb *c, struct rte_mbuf *m)
{
	if (unlikely(!admit(net, c))) {
		rte_pktmbuf_free(m);
		return;
	}
	net->tcp->counters.bytes_in += m->data_len;
	append(net, c, m);
	perch_net_mark_ready(net, &c->flow, PERCH_FLOW_READABLE);
	perch_tcp_owe_ack(net, c);
}

void perch_tcp_fin(struct perch_net *net, struct perch_tcb *c)
{
	c->marks |= TCB_FIN_RCVD;
	c->rcv_nxt++;
	c->rcv_edge = seq_max(c->rcv_edge, c->rcv_nxt);
	owe_ack_now(net, c);
	if (c->marks & TCB_OWNED)
		perch_net_mark_ready(net, &c->flow, PERCH_FLOW_READABLE);
	switch (c->state) {
	case PERCH_TCP_ESTABLISHED:
		c->state = PERCH_TCP_CLOSE_WAIT;
		break;
	case PERCH_TCP_FIN_WAIT_1: /* were our FIN acknowledged, it would be FIN-WAIT-2 by now */
		c->state = PERCH_TCP_CLOSING;
		break;
	case PERCH_TCP_FIN_WAIT_2:
		perch_tcp_enter_time_wait(net, c);
		break;
	}
}

/* ---- early ---------------------------------------------------------------------------------- */

static uint32_t end_of(const struct perch_pkt *p)
{
	return p->tcp.seq + p->tcp.len;
}

static void cut_front(struct rte_mbuf *m, uint32_t bytes)
{
	perch_pkt(m)->tcp.seq += bytes;
	perch_pkt(m)->tcp.len -= bytes;
	perch_pkt(m)->tcp.summed &= bytes == 0;
	rte_pktmbuf_adj(m, (uint16_t)bytes);
}

static void cut_back(struct rte_mbuf *m, uint32_t bytes)
{
	perch_pkt(m)->tcp.len -= bytes;
	perch_pkt(m)->tcp.flags &= (uint8_t)~SEG_FIN;
	perch_pkt(m)->tcp.summed = false;
	rte_pktmbuf_trim(m, (uint16_t)bytes);
}

/* The first early one leaves: its run goes on behind it. */
static struct rte_mbuf *pop_early(struct perch_net *net, struct perch_inbox *in)
{
	struct rte_mbuf *m = in->early, *last = perch_pkt(m)->tcp.newer;
	struct perch_pkt *p = perch_pkt(m);

	in->early = p->next;
	in->early_mbufs--;
	net->held--;
	if (last != m) {
		perch_pkt(p->next)->tcp.newer = last;
		perch_pkt(last)->tcp.older = p->next;
	} else if (!in->early) {
		in->early_last = NULL;
	}
	return m;
}

/* What was early and is in order now. */
static void take_early(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_inbox *in = tcb_inbox(c);
	struct rte_mbuf *m;

	while (in->early && seq_le(perch_pkt(in->early)->tcp.seq, c->rcv_nxt)) {
		bool fin;
		uint32_t old;

		m = pop_early(net, in);
		fin = (perch_pkt(m)->tcp.flags & SEG_FIN) &&
			seq_ge(end_of(perch_pkt(m)), c->rcv_nxt);
		old = RTE_MIN(c->rcv_nxt - perch_pkt(m)->tcp.seq, perch_pkt(m)->tcp.len);
		cut_front(m, old);
		if (m->data_len > 0) {
			net->tcp->counters.bytes_in += m->data_len;
			append(net, c, m);
		} else {
			rte_pktmbuf_free(m);
		}
		if (fin)
			perch_tcp_fin(net, c);
	}
}

/* Give back an inbox that holds nothing. */
static void tidy(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_inbox *in = tcb_inbox(c);

	if (c->inbox && !in->head && !in->early && !in->lent && in->dsack.from == in->dsack.to)
		tcp_give_inbox(net, c);
}

/* RFC 2883: these bytes came twice. Nobody needs to know it; so it is not told when there is no
 * inbox to be had. */
static void note_twice(struct perch_net *net, struct perch_tcb *c, uint32_t from, uint32_t to)
{
	if (!(c->marks & TCB_SACK) || from == to)
		return;
	if (!c->inbox && !perch_inbox_new(net, c))
		return;
	tcb_inbox(c)->dsack = (struct perch_tcp_block){from, to};
}

void perch_tcp_twice(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	uint32_t end = s->seq + s->len;

	if (seq_lt(s->seq, c->rcv_nxt))
		note_twice(net, c, s->seq, seq_lt(end, c->rcv_nxt) ? end : c->rcv_nxt);
}

void perch_tcp_dsack_told(struct perch_net *net, struct perch_tcb *c)
{
	tcb_inbox(c)->dsack.to = tcb_inbox(c)->dsack.from;
	tidy(net, c);
}

static struct perch_tcp_block run_of(struct rte_mbuf *first)
{
	return (struct perch_tcp_block){
		perch_pkt(first)->tcp.seq, end_of(perch_pkt(perch_pkt(first)->tcp.newer))};
}

static bool holds(const struct perch_tcp_block *b, uint32_t seq)
{
	return seq_le(b->from, seq) && seq_lt(seq, b->to);
}

/* The last packet before seq, which ends a run, unless seq lies in that run; NULL: none is. */
static struct rte_mbuf *last_before(struct perch_inbox *in, uint32_t seq)
{
	struct rte_mbuf *m, *before = NULL;

	if (in->early_last && seq_ge(seq, end_of(perch_pkt(in->early_last))))
		return in->early_last; /* most come in the order in which they were sent */
	for (m = in->early; m && seq_le(perch_pkt(m)->tcp.seq, seq); m = perch_pkt(before)->next)
		before = perch_pkt(m)->tcp.newer;
	return before;
}

/* Link m behind `before`, and to the runs that it touches. Returns the first of its run. */
static struct rte_mbuf *link_early(struct perch_net *net, struct perch_inbox *in,
	struct rte_mbuf *before, struct rte_mbuf *m)
{
	struct rte_mbuf **link = before ? &perch_pkt(before)->next : &in->early;
	struct rte_mbuf *next = *link, *first = m, *last = m;

	perch_pkt(m)->next = next;
	*link = m;
	in->early_mbufs++;
	net->held++;
	if (!next)
		in->early_last = m;
	if (before && end_of(perch_pkt(before)) == perch_pkt(m)->tcp.seq)
		first = perch_pkt(before)->tcp.older;
	if (next && perch_pkt(next)->tcp.seq == end_of(perch_pkt(m)))
		last = perch_pkt(next)->tcp.newer;
	perch_pkt(first)->tcp.newer = last;
	perch_pkt(last)->tcp.older = first;
	return first;
}

/* RFC 2018 section 4: the latest first; a run is known by where it begins. */
static void remember(struct perch_inbox *in, struct rte_mbuf *first)
{
	struct perch_tcp_block run = run_of(first);
	unsigned i, n = 1;
	uint32_t recent[TCP_SACK_MAX] = {run.from};

	for (i = 0; i < in->n_recent && n < TCP_SACK_MAX; i++)
		if (!holds(&run, in->recent[i]))
			recent[n++] = in->recent[i];
	memcpy(in->recent, recent, sizeof(recent));
	in->n_recent = (uint8_t)n;
}

/* Cut m to the gap behind `before`. What has come already is kept, and what lies beyond the gap is
 * sent again when its turn comes: so early ones never overlap, whatever is sent to us. False:
 * nothing of it is new. */
static bool cut_to_gap(struct perch_net *net, struct perch_tcb *c, struct rte_mbuf *before,
	struct rte_mbuf *m)
{
	struct rte_mbuf *next = before ? perch_pkt(before)->next : tcb_inbox(c)->early;
	struct perch_pkt *p = perch_pkt(m);
	uint32_t end = end_of(p), known = before ? end_of(perch_pkt(before)) : p->tcp.seq;

	if (seq_gt(known, p->tcp.seq)) {
		note_twice(net, c, p->tcp.seq, seq_lt(known, end) ? known : end);
		if (seq_ge(known, end)) {
			if (known == end)
				perch_pkt(before)->tcp.flags |= p->tcp.flags & SEG_FIN;
			return false;
		}
		cut_front(m, known - p->tcp.seq);
	}
	if (next && seq_gt(end, perch_pkt(next)->tcp.seq))
		cut_back(m, end - perch_pkt(next)->tcp.seq);
	return true;
}

/* Unlink the early packet that is the farthest from what is in order. */
static struct rte_mbuf *pop_farthest(struct perch_net *net, struct perch_inbox *in)
{
	struct rte_mbuf *last = in->early_last, *first = perch_pkt(last)->tcp.older;
	struct rte_mbuf *m, *before = NULL;

	if (first == last) { /* a run of its own: the one before it ends the list now */
		for (m = in->early; m != last; m = perch_pkt(before)->next)
			before = perch_pkt(m)->tcp.newer;
	} else {
		for (before = first; perch_pkt(before)->next != last;)
			before = perch_pkt(before)->next;
		perch_pkt(first)->tcp.newer = before;
		perch_pkt(before)->tcp.older = first;
	}
	if (before)
		perch_pkt(before)->next = NULL;
	else
		in->early = NULL;
	in->early_last = before;
	in->early_mbufs--;
	net->held--;
	return last;
}

/* A place for m among the early ones. The nearest are worth most: without them what is far is of no
 * use, and where order is lost it would keep them out for ever. What was told by SACK may be taken
 * back (RFC 2018 section 8). */
static bool make_room(struct perch_net *net, struct perch_inbox *in, struct rte_mbuf *m)
{
	if (in->early_mbufs < perch_net_share(net, net->tcp->in_mbufs_max) / 2)
		return true;
	if (!in->early_last || seq_ge(perch_pkt(m)->tcp.seq, perch_pkt(in->early_last)->tcp.seq))
		return false;
	perch_net_drop(net, PERCH_DROP_tcp_reassembly_full, pop_farthest(net, in));
	return true;
}

/* Keep m for later. */
static void keep_early(struct perch_net *net, struct perch_tcb *c, struct rte_mbuf *m)
{
	struct perch_inbox *in = c->inbox ? tcb_inbox(c) : perch_inbox_new(net, c);
	struct rte_mbuf *before;

	if (!in || !make_room(net, in, m)) {
		perch_net_drop(net, PERCH_DROP_tcp_reassembly_full, m);
		return;
	}
	net->tcp->counters.out_of_order++;
	in->dup_acks += in->dup_acks < UINT16_MAX;
	before = last_before(in, perch_pkt(m)->tcp.seq);
	if (!cut_to_gap(net, c, before, m)) {
		perch_net_drop(net, PERCH_DROP_tcp_duplicate, m);
		remember(in, perch_pkt(before)->tcp.older);
		return;
	}
	remember(in, link_early(net, in, before, m));
}

unsigned perch_tcp_sack_blocks(
	const struct perch_tcb *c, struct perch_tcp_block *blocks, unsigned max)
{
	const struct perch_inbox *in = tcb_inbox(c);
	struct perch_tcp_block found[TCP_SACK_MAX] = {{0, 0}};
	unsigned i, n = 0;
	struct rte_mbuf *m;

	for (m = in->early; m; m = perch_pkt(perch_pkt(m)->tcp.newer)->next) {
		struct perch_tcp_block b = run_of(m);

		for (i = 0; i < in->n_recent; i++)
			if (b.from == in->recent[i])
				found[i] = b;
	}
	if (in->dsack.from != in->dsack.to) /* RFC 2883 section 4: first, and once */
		blocks[n++] = in->dsack;
	for (i = 0; i < in->n_recent && n < max; i++)
		if (found[i].from != found[i].to)
			blocks[n++] = found[i];
	return n;
}

/* ---- any text ------------------------------------------------------------------------------- */

/* Cut s's payload, already alone in m, to the window. False: nothing is left. */
static bool cut_to_window(struct perch_tcb *c, struct rte_mbuf *m, bool fin)
{
	struct perch_pkt *p = perch_pkt(m);
	uint32_t old = RTE_MIN(seq_span(p->tcp.seq, c->rcv_nxt), p->tcp.len);
	uint32_t beyond;

	p->tcp.flags = fin ? SEG_FIN : 0;
	if (fin && seq_ge(end_of(p), c->rcv_edge))
		p->tcp.flags = 0;
	if (seq_lt(end_of(p), c->rcv_nxt))
		return false;
	cut_front(m, old);
	beyond = RTE_MIN(seq_span(c->rcv_edge, end_of(p)), p->tcp.len);
	if (beyond > 0)
		cut_back(m, beyond);
	return p->tcp.len > 0 || (p->tcp.flags & SEG_FIN);
}

static void take_in_order(struct perch_net *net, struct perch_tcb *c, struct rte_mbuf *m)
{
	bool fin = perch_pkt(m)->tcp.flags & SEG_FIN;
	bool had_hole = c->inbox && tcb_inbox(c)->early;
	uint32_t before = c->rcv_nxt;

	if (m->data_len > 0) {
		perch_tcp_deliver(net, c, m);
		if (c->rcv_nxt == before)
			return; /* refused: its FIN is too */
	} else {
		rte_pktmbuf_free(m);
	}
	if (fin)
		perch_tcp_fin(net, c);
	if (!had_hole)
		return;
	take_early(net, c);
	tcb_inbox(c)->dup_acks = 0; /* they spoke of a hole that is no more */
	owe_ack_now(net, c);    /* RFC 5681 section 4.2: a hole was filled, in part at least */
}

void perch_tcp_text(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	struct rte_mbuf *m = s->rx->m;
	struct perch_pkt *p = perch_pkt(m);

	perch_tcp_twice(net, c, s);
	rte_pktmbuf_adj(m, s->header_len);
	p->tcp.seq = s->seq;
	p->tcp.len = s->len;
	if (!cut_to_window(c, m, s->flags & FIN)) {
		owe_ack_now(net, c);
		perch_net_drop(net, seq_lt(s->seq, c->rcv_nxt) ? PERCH_DROP_tcp_duplicate
		                                               : PERCH_DROP_tcp_out_of_window, m);
		return;
	}
	if (p->tcp.seq == c->rcv_nxt) {
		take_in_order(net, c, m);
	} else {
		perch_tcb_touch(net, c);
		keep_early(net, c, m);
	}
	tidy(net, c);
}

/* ---- reading -------------------------------------------------------------------------------- */

uint32_t perch_tcp_readable(const struct perch_tcb *c)
{
	return c->inbox ? tcb_inbox(c)->bytes : 0;
}

bool perch_tcp_at_eof(const struct perch_tcb *c)
{
	return (c->marks & TCB_FIN_RCVD) && perch_tcp_readable(c) == 0;
}

uint32_t perch_tcp_peek(struct perch_tcb *c, const void **data)
{
	struct rte_mbuf *m = c->inbox ? tcb_inbox(c)->head : NULL;

	if (!m)
		return 0;
	c->read_ns = perch_pkt(m)->time_ns;
	*data = rte_pktmbuf_mtod(m, const void *);
	return m->data_len;
}

uint32_t perch_tcp_peek_on(struct perch_tcb *c, struct rte_mbuf **at, const void **data)
{
	if (!*at) {
		*at = c->inbox ? tcb_inbox(c)->head : NULL;
		return perch_tcp_peek(c, data);
	}
	*at = perch_pkt(*at)->next;
	if (!*at)
		return 0;
	*data = rte_pktmbuf_mtod(*at, const void *);
	return (*at)->data_len;
}

uint32_t perch_tcp_copy(struct perch_tcb *c, uint32_t offset, void *to, uint32_t len)
{
	struct rte_mbuf *m = c->inbox ? tcb_inbox(c)->head : NULL;
	uint8_t *out = to;
	uint32_t n, done = 0;

	for (; m && offset >= m->data_len; m = perch_pkt(m)->next)
		offset -= m->data_len;
	if (m)
		c->read_ns = perch_pkt(m)->time_ns;
	for (; m && done < len; m = perch_pkt(m)->next) {
		n = RTE_MIN(m->data_len - offset, len - done);
		memcpy(out + done, rte_pktmbuf_mtod_offset(m, const uint8_t *, offset), n);
		done += n;
		offset = 0;
	}
	return done;
}

int64_t perch_tcp_rx_time(const struct perch_tcb *c)
{
	return c->read_ns;
}

/* Take n bytes out of the inbox. */
static void discard(struct perch_net *net, struct perch_inbox *in, uint32_t n)
{
	in->bytes -= n;
	while (n > 0) {
		struct rte_mbuf *m = in->head;
		uint32_t part = RTE_MIN(n, (uint32_t)m->data_len);

		n -= part;
		if (part < m->data_len) {
			rte_pktmbuf_adj(m, (uint16_t)part);
			perch_pkt(m)->tcp.summed = false;
			return;
		}
		in->head = perch_pkt(m)->next;
		if (!in->head)
			in->tail = NULL;
		in->mbufs--;
		net->held--;
		rte_pktmbuf_free(m);
	}
}

void perch_tcp_consume(struct perch_net *net, struct perch_tcb *c, uint32_t n)
{
	if (n == 0)
		return;
	discard(net, tcb_inbox(c), n);
	perch_tcp_was_read(net, c);
}

struct rte_mbuf *perch_tcp_take_mbuf(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_inbox *in = tcb_inbox(c);
	struct rte_mbuf *m = c->inbox ? in->head : NULL;

	if (!m)
		return NULL;
	c->read_ns = perch_pkt(m)->time_ns;
	in->head = perch_pkt(m)->next;
	if (!in->head)
		in->tail = NULL;
	in->mbufs--;
	net->held--;
	in->bytes -= m->data_len;
	perch_tcp_was_read(net, c);
	return m;
}

void perch_tcp_was_read(struct perch_net *net, struct perch_tcb *c)
{
	tidy(net, c);
	perch_tcp_was_moved(net, c);
}

void perch_tcp_was_moved(struct perch_net *net, struct perch_tcb *c)
{
	tune(net, c);
	/* Tell a peer that is held up by our window that there is room again, unless an ACK that is
	 * owed anyhow tells it. */
	if (!(c->marks & TCB_ACK_NOW) && tcp_receiving(c) &&
		worth_telling(net, c, room_for_more(net, c)))
		owe_ack_now(net, c);
}

void perch_tcp_release(struct perch_net *net, struct perch_tcb *from)
{
	struct rte_mbuf *m = tcb_inbox(from)->lent;

	tcb_inbox(from)->lent = NULL;
	if (likely(rte_mbuf_refcnt_read(m) == 2 && perch_pkt(m)->tcp.sent == 0))
		rte_mbuf_refcnt_set(m, 1); /* the outbox alone has it: no atomic operation */
	else
		rte_pktmbuf_free_seg(m);
	tidy(net, from);
}

int perch_tcp_pull(struct perch_net *net, struct perch_tcb *c, uint32_t n)
{
	struct perch_inbox *in = tcb_inbox(c);
	struct rte_mbuf *m;

	if (n == 0 || (c->inbox && in->head && n <= in->head->data_len))
		return 0;
	if (n > perch_tcp_readable(c))
		return -EMSGSIZE;
	m = perch_net_alloc(net);
	if (!m)
		return -ENOBUFS;
	if (n > rte_pktmbuf_tailroom(m)) {
		rte_pktmbuf_free(m);
		return -EMSGSIZE;
	}
	perch_pkt(m)->time_ns = perch_pkt(in->head)->time_ns;
	perch_pkt(m)->tcp.summed = false;
	perch_tcp_copy(c, 0, rte_pktmbuf_append(m, (uint16_t)n), n);
	discard(net, in, n);
	in->bytes += n;
	in->mbufs++;
	net->held++;
	perch_pkt(m)->next = in->head;
	in->head = m;
	if (!in->tail)
		in->tail = m;
	return 0;
}
