/* SPDX-License-Identifier: BSD-3-Clause
 * The outbox: what the layer above has written, in segments.
 *
 * Small writes of one turn become one segment, for a segment is filled up as long as it has not
 * been sent. Nagle's algorithm is not here: what the window lets go, goes at the end of the turn.
 */
#include "tcp-lite/cksum.h"
#include "tcp-lite/tcp_inside.h"

enum {
	SNDBUF_LEAST = 256 * 1024,
	LOANS_MAX = 60000, /* segments of one memory: DPDK counts them in 16 bits */
};

static uint32_t queued(const struct perch_tcb *c)
{
	return c->outbox ? tcb_outbox(c)->end - c->snd_una : 0;
}

/* One that was sent on from a peer may begin further back than our own do. */
static uint32_t capacity(const struct perch_tcb *c, struct rte_mbuf *m)
{
	return RTE_MIN((uint32_t)c->mss, (uint32_t)m->buf_len - perch_pkt(m)->tcp.off);
}

/* How many bytes can still go into the last segment? It must not have been sent. */
static uint32_t tail_room(const struct perch_tcb *c)
{
	const struct perch_outbox *o = tcb_outbox(c);
	const struct perch_pkt *p;

	if (!c->outbox || !o->unsent)
		return 0;
	p = perch_pkt(o->tail);
	if (unlikely(p->tcp.flags & SEG_LENT))
		return 0;
	return capacity(c, o->tail) - RTE_MIN(p->tcp.len, capacity(c, o->tail));
}

/* A window in flight and one to follow it, so that a fast path is kept full and a slow one does not
 * hoard packet buffers. */
static uint32_t sndbuf(const struct perch_net *net, const struct perch_tcb *c)
{
	uint32_t most = net->cfg.sndbuf_bytes, least = RTE_MIN(most, (uint32_t)SNDBUF_LEAST);

	return RTE_MIN(RTE_MAX(2 * (uint64_t)c->cwnd, least), most);
}

uint32_t perch_tcp_unacked(struct perch_tcb *c)
{
	if (c->outbox)
		c->marks |= TCB_WANTS_ROOM;
	return queued(c);
}

/* Does the outbox hold as many packets as it may? */
static bool is_long(const struct perch_net *net, const struct perch_tcb *c)
{
	return c->outbox &&
		tcb_outbox(c)->mbufs >= perch_net_share(net, net->tcp->out_mbufs_max);
}

uint32_t perch_tcp_writable(const struct perch_net *net, const struct perch_tcb *c)
{
	uint32_t held = queued(c), room = sndbuf(net, c);

	room = room > held ? room - held : 0;
	if (!tcp_synchronized(c) || (c->marks & TCB_FIN_QUEUED))
		return 0;
	if (is_long(net, c))
		return RTE_MIN(room, tail_room(c)); /* many small segments: see mbufs_for() */
	return room;
}

/* m, whose payload lies at off, becomes the last segment. */
static void link_segment(struct perch_net *net, struct perch_tcb *c, struct rte_mbuf *m,
	uint16_t off, uint32_t len)
{
	struct perch_outbox *o = tcb_outbox(c);
	struct perch_pkt *p = perch_pkt(m);

	p->next = NULL;
	p->tcp.seq = o->end;
	p->tcp.len = len;
	p->tcp.off = off;
	p->tcp.flags = p->tcp.sent = 0;
	o->end += len;
	if (o->tail)
		perch_pkt(o->tail)->next = m;
	else
		o->head = m;
	o->tail = m;
	if (!o->unsent)
		o->unsent = m;
	o->mbufs++;
	net->held++;
}

/* A new last segment, empty. NULL: no packet buffer, or none for us. */
static struct rte_mbuf *add_segment(struct perch_net *net, struct perch_tcb *c)
{
	struct rte_mbuf *m;

	if (unlikely(perch_net_share(net, 1) == 0)) {
		net->drops[PERCH_DROP_mbuf_exhausted]++;
		return NULL;
	}
	m = perch_net_alloc(net);
	if (!m)
		return NULL;
	if (!c->outbox && !perch_outbox_new(net, c)) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	perch_pkt(m)->tcp.sum = 0;
	perch_pkt(m)->tcp.summed = net->tcp->sums;
	link_segment(net, c, m, PAYLOAD_OFF, 0);
	return m;
}

/* Copied, and summed on the way where that is wanted: later the bytes may have left the cache. */
static void append(struct perch_tcb *c, const uint8_t *from, uint32_t len)
{
	struct perch_outbox *o = tcb_outbox(c);
	struct perch_pkt *p = perch_pkt(o->tail);
	uint8_t *to = (uint8_t *)o->tail->buf_addr + p->tcp.off + p->tcp.len;

	if (likely(p->tcp.summed))
		p->tcp.sum = perch_cksum_join(
			p->tcp.sum, p->tcp.len, perch_cksum_copy(to, from, len));
	else
		memcpy(to, from, len);
	p->tcp.len += len;
	o->end += len;
}

/* Returns how many of len bytes found a packet buffer. */
static uint32_t fill(struct perch_net *net, struct perch_tcb *c, const uint8_t *data, uint32_t len)
{
	uint32_t done = 0, n;

	while (done < len) {
		n = RTE_MIN(tail_room(c), len - done);
		if (n == 0) {
			if (is_long(net, c) || !add_segment(net, c))
				break;
			continue;
		}
		append(c, data + done, n);
		done += n;
	}
	return done;
}

/* May the layer above write? 0, or as perch_tcp_write. */
static int may_write(const struct perch_tcb *c)
{
	if (c->state == PERCH_TCP_CLOSED)
		return c->error ? -(int)c->error : -EPIPE;
	if (c->marks & TCB_FIN_QUEUED)
		return -EPIPE;
	return tcp_synchronized(c) ? 0 : -ENOTCONN;
}

int64_t perch_tcp_write(struct perch_net *net, struct perch_tcb *c, const void *data, uint32_t len)
{
	int rc = may_write(c);
	uint32_t n, done;

	if (rc < 0)
		return rc;
	n = RTE_MIN(len, perch_tcp_writable(net, c));
	done = fill(net, c, data, n);
	if (done > 0)
		perch_tcb_touch(net, c);
	if (done < len)
		c->marks |= TCB_WANTS_ROOM;
	return done == 0 && n > 0 ? -ENOBUFS : (int64_t)done;
}

/* ---- without a copy ------------------------------------------------------------------------- */

/* A segment whose payload lies at data: it refers to that, or where it may not, holds a copy.
 * Either way the stream is cut into the same segments. */
static bool lend_segment(struct perch_net *net, struct perch_tcb *c,
	const struct perch_tcp_loan *loan, const uint8_t *data, uint32_t len)
{
	struct rte_mbuf *m;
	struct perch_pkt *p;

	if (loan->shared && rte_mbuf_ext_refcnt_read(loan->shared) >= LOANS_MAX) {
		net->tcp->counters.loans_refused++;
		return false;
	}
	m = add_segment(net, c);
	if (!m)
		return false;
	perch_pkt(m)->tcp.flags = SEG_LENT;
	if (!loan->shared) {
		append(c, data, len);
		return true;
	}
	net->tcp->counters.lent++;
	rte_mbuf_ext_refcnt_update(loan->shared, 1);
	rte_pktmbuf_attach_extbuf(m, (void *)(uintptr_t)data,
		loan->iova + (rte_iova_t)(data - (const uint8_t *)loan->data), (uint16_t)len,
		loan->shared);
	p = perch_pkt(m);
	if (p->tcp.summed)
		p->tcp.sum = perch_cksum_raw(data, len);
	p->tcp.off = 0;
	p->tcp.len = len;
	tcb_outbox(c)->end += len;
	return true;
}

int64_t perch_tcp_lend(struct perch_net *net, struct perch_tcb *c,
	const struct perch_tcp_loan *loan, const void *data, uint32_t len)
{
	uint32_t n = RTE_MIN(len, perch_tcp_writable(net, c)), done = 0, part;
	bool starved = false;
	int rc = may_write(c);

	if (rc < 0)
		return rc;
	while (done < n && !starved) {
		part = RTE_MIN(n - done, (uint32_t)c->mss);
		if (is_long(net, c) || (c->outbox && part < c->mss && n < len))
			break; /* full; where only the data ends a segment is shorter */
		starved = !lend_segment(net, c, loan, (const uint8_t *)data + done, part);
		done += starved ? 0 : part;
	}
	if (done > 0)
		perch_tcb_touch(net, c);
	if (done < len)
		c->marks |= TCB_WANTS_ROOM;
	return done == 0 && starved ? -ENOBUFS : (int64_t)done;
}

int perch_tcp_write_mbuf(struct perch_net *net, struct perch_tcb *c, struct rte_mbuf *m)
{
	int rc = may_write(c);

	if (rc < 0)
		return rc;
	if (m->data_len == 0 || m->nb_segs != 1 || m->data_off < PAYLOAD_OFF ||
		rte_mbuf_refcnt_read(m) != 1 || !RTE_MBUF_DIRECT(m))
		return -EINVAL;
	if (perch_tcp_writable(net, c) == 0 || is_long(net, c)) {
		c->marks |= TCB_WANTS_ROOM;
		return -EAGAIN;
	}
	if (!c->outbox && !perch_outbox_new(net, c))
		return -ENOBUFS;
	perch_pkt(m)->tcp.summed = net->tcp->sums;
	if (net->tcp->sums)
		perch_pkt(m)->tcp.sum =
			perch_cksum_raw(rte_pktmbuf_mtod(m, const void *), m->data_len);
	link_segment(net, c, m, m->data_off, m->data_len);
	perch_tcb_touch(net, c);
	return 0;
}

/* A payload that is not larger than a segment of c, and would not find room in the last one: there
 * small ones gather, and copying a few bytes is cheaper than a packet more. */
static bool may_forward(const struct perch_net *net, const struct perch_tcb *c, uint32_t n)
{
	if (n == 0 || n > c->mss)
		return false;
	if (likely(!c->outbox)) /* the send buffer is empty, and never smaller than that */
		return n <= RTE_MIN(net->cfg.sndbuf_bytes, (uint32_t)SNDBUF_LEAST) &&
			tcp_synchronized(c) && !(c->marks & TCB_FIN_QUEUED);
	return n > tail_room(c) && n <= perch_tcp_writable(net, c) && !is_long(net, c);
}

/* Does m hold these bytes and no others, for nobody else, with room for headers in front? */
static bool may_move(const struct rte_mbuf *m, const void *data, uint32_t n)
{
	return m && m->data_len == n && rte_pktmbuf_mtod(m, const void *) == data &&
		m->data_off >= PAYLOAD_OFF && rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m);
}

bool perch_tcp_forward(struct perch_net *net, struct perch_tcb *from, struct perch_tcb *c,
	const void *data, uint32_t n)
{
	struct perch_inbox *in = tcb_inbox(from);
	struct rte_mbuf *m = from->inbox ? in->head : NULL;

	if (!may_move(m, data, n) || in->lent || !may_forward(net, c, n))
		return false;
	if (!c->outbox && !perch_outbox_new(net, c))
		return false;
	in->head = perch_pkt(m)->next;
	if (!in->head)
		in->tail = NULL;
	in->mbufs--;
	net->held--;
	in->bytes -= n;
	in->lent = m;
	rte_mbuf_refcnt_set(m, 2);
	link_segment(net, c, m, m->data_off, n);
	net->tcp->counters.forwarded++;
	perch_tcb_touch(net, c);
	perch_tcp_was_moved(net, from);
	return true;
}

/* A quarter of the buffer, so that a writer is not woken for every segment. */
void perch_tcp_tell_room(struct perch_net *net, struct perch_tcb *c)
{
	if (perch_tcp_writable(net, c) < sndbuf(net, c) / 4)
		return;
	c->marks &= (uint16_t)~TCB_WANTS_ROOM;
	if (c->marks & TCB_OWNED)
		perch_net_mark_ready(net, &c->flow, PERCH_FLOW_WRITABLE);
}

bool perch_tcp_split(struct perch_net *net, struct perch_tcb *c, struct rte_mbuf *m, uint32_t len)
{
	struct perch_outbox *o = tcb_outbox(c);
	struct perch_pkt *p = perch_pkt(m), *q;
	struct rte_mbuf *rest = perch_net_alloc(net);

	if (!rest)
		return false;
	q = perch_pkt(rest);
	*q = *p;
	q->tcp.seq += len;
	q->tcp.len -= len;
	q->tcp.off = PAYLOAD_OFF;
	p->tcp.summed = q->tcp.summed = false;
	memcpy((uint8_t *)rest->buf_addr + PAYLOAD_OFF, (uint8_t *)m->buf_addr + p->tcp.off + len,
		q->tcp.len);
	p->tcp.len = len;
	p->next = rest;
	if (o->tail == m)
		o->tail = rest;
	o->mbufs++;
	net->held++;
	return true;
}

/* May next be put behind what m holds? Only if nobody else reads m. */
static bool fits_behind(const struct perch_tcb *c, const struct rte_mbuf *m,
	const struct rte_mbuf *next)
{
	const struct perch_pkt *p = perch_pkt((struct rte_mbuf *)(uintptr_t)m);
	const struct perch_pkt *q = perch_pkt((struct rte_mbuf *)(uintptr_t)next);

	return next != tcb_outbox(c)->unsent && (q->tcp.flags & SEG_LOST) &&
		p->tcp.len + q->tcp.len <= c->mss &&
		p->tcp.off + p->tcp.len + q->tcp.len <= m->buf_len &&
		rte_mbuf_refcnt_read(m) == 1 && !(p->tcp.flags & SEG_LENT);
}

void perch_tcp_gather(struct perch_net *net, struct perch_tcb *c, struct rte_mbuf *m)
{
	struct perch_outbox *o = tcb_outbox(c);
	struct perch_pkt *p = perch_pkt(m), *q;
	struct rte_mbuf *next;

	while ((next = p->next) && fits_behind(c, m, next)) {
		q = perch_pkt(next);
		memcpy((uint8_t *)m->buf_addr + p->tcp.off + p->tcp.len,
			(const uint8_t *)next->buf_addr + q->tcp.off, q->tcp.len);
		p->tcp.summed = false;
		p->tcp.len += q->tcp.len;
		p->next = q->next;
		if (o->tail == next)
			o->tail = m;
		o->mbufs--;
		net->held--;
		rte_pktmbuf_free_seg(next);
	}
}
