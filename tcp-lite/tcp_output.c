/* SPDX-License-Identifier: BSD-3-Clause
 * What a connection may send now, and the segments themselves (RFC 9293 section 3.1).
 */
#include <rte_tcp.h>

#include "tcp-lite/plain.h"
#include "tcp-lite/tcp_inside.h"

enum {
	RESETS_PER_SECOND = 1000,
	CHALLENGES_PER_SECOND = 1000,
	SUPER_MOST = 65535 - 40 - TCP_HEADER_MAX, /* an IP packet's length has 16 bits */
};

/* ---- headers -------------------------------------------------------------------------------- */

struct outgoing { /* what goes into a header, beside what the TCB says */
	uint32_t seq;
	uint8_t flags;
	uint16_t wnd;
	bool summed;  /* is the payload's sum known? */
	uint16_t sum;
};

/* Write a header in front of m's data. A payload whose sum is known need not be summed again:
 * perch_ip_send is told to sum l4_len bytes only, among which stands that sum. */
static void push_header(struct rte_mbuf *m, uint16_t lport, uint16_t rport, uint32_t ack,
	const struct outgoing *out, const struct perch_tcp_opts *opts)
{
	uint8_t bytes[TCP_HEADER_MAX - TCP_HEADER];
	unsigned len = perch_tcp_opts_build(opts, bytes);
	struct rte_tcp_hdr *h =
		(struct rte_tcp_hdr *)rte_pktmbuf_prepend(m, (uint16_t)(TCP_HEADER + len));

	h->src_port = rte_cpu_to_be_16(lport);
	h->dst_port = rte_cpu_to_be_16(rport);
	h->sent_seq = rte_cpu_to_be_32(out->seq);
	h->recv_ack = out->flags & ACK ? rte_cpu_to_be_32(ack) : 0;
	h->data_off = (uint8_t)((TCP_HEADER + len) << 2);
	h->tcp_flags = out->flags;
	h->rx_win = rte_cpu_to_be_16(out->wnd);
	h->cksum = out->summed ? out->sum : 0;
	h->tcp_urp = 0;
	memcpy(h + 1, bytes, len);
	m->l4_len = out->summed || m->tso_segsz ? TCP_HEADER + len : 0;
}

static uint8_t *put_word(uint8_t *p, uint32_t word, uint64_t *sum)
{
	memcpy(p, &word, sizeof(word));
	*sum += word;
	return p + sizeof(word);
}

/* The header of a segment of c as nearly all are: with timestamps, if agreed, and no other option.
 * The same bytes as push_header's, but in words whose sum is taken on the way. Returns it. */
static __rte_always_inline uint64_t push_usual(const struct perch_net *net,
	const struct perch_tcb *c, struct rte_mbuf *m, const struct outgoing *out)
{
	bool times = c->marks & TCB_TS;
	uint32_t len = TCP_HEADER + (times ? TCP_TIMES_BYTES : 0);
	const uint16_t fifth[2] = {out->summed ? out->sum : 0, 0}; /* checksum and urgent pointer */
	uint32_t word;
	uint64_t sum = 0;
	uint8_t *p = (uint8_t *)rte_pktmbuf_prepend(m, (uint16_t)len);

	memcpy(&word, fifth, sizeof(word));
	p = put_word(p, rte_cpu_to_be_32((uint32_t)c->flow.lport << 16 | c->rport), &sum);
	p = put_word(p, rte_cpu_to_be_32(out->seq), &sum);
	p = put_word(p, rte_cpu_to_be_32(c->rcv_nxt), &sum);
	p = put_word(p, rte_cpu_to_be_32(len << 26 | (uint32_t)out->flags << 16 | out->wnd), &sum);
	p = put_word(p, word, &sum);
	if (likely(times)) {
		p = put_word(p, TCP_TIMES_WORD, &sum);
		p = put_word(p, rte_cpu_to_be_32(tcp_now_ms(net) + c->ts_offset), &sum);
		put_word(p, rte_cpu_to_be_32(c->ts_recent), &sum);
	}
	m->l4_len = out->summed || m->tso_segsz ? len : 0;
	return sum;
}

static void set_times(
	const struct perch_net *net, const struct perch_tcb *c, struct perch_tcp_opts *opts)
{
	opts->has_ts = true;
	opts->ts_val = tcp_now_ms(net) + c->ts_offset;
	opts->ts_ecr = c->ts_recent; /* 0 in a SYN, as RFC 7323 section 3.2 wants */
}

/* RFC 2018 section 4: the block of the latest arrival first, so that one lost ACK costs nothing. */
static void set_blocks(const struct perch_tcb *c, struct perch_tcp_opts *opts)
{
	unsigned max = opts->has_ts ? TCP_SACK_MAX - 1 : TCP_SACK_MAX;

	if (c->marks & TCB_SACK)
		opts->n_blocks = (uint8_t)perch_tcp_sack_blocks(c, opts->blocks, max);
}

static void send_ip(struct perch_net *net, struct perch_tcb *c, struct rte_mbuf *m)
{
	const struct perch_ip laddr4 = perch_ip_from_v4(c->laddr4);
	const struct perch_ip raddr4 = perch_ip_from_v4(c->raddr4);
	int rc;

	net->tcp->counters.segs_out++;
	rc = perch_ip_send(net, m, c->ip4 ? &laddr4 : &c->laddr, c->ip4 ? &raddr4 : &c->raddr,
		IPPROTO_TCP, 0, &c->path);
	if (unlikely(rc == -EHOSTUNREACH || rc == -ENETUNREACH))
		c->error = (uint8_t)-rc; /* soft: told if it lasts (RFC 1122 section 4.2.3.9) */
}

static bool dsack_waits(const struct perch_inbox *in)
{
	return in->dsack.from != in->dsack.to;
}

/* While something came early, or twice. */
static void send_with_holes(struct perch_net *net, struct perch_tcb *c, struct rte_mbuf *m,
	const struct outgoing *out)
{
	struct perch_tcp_opts opts = {.mss = 0};
	bool empty = m->pkt_len == 0;

	if (c->marks & TCB_TS)
		set_times(net, c, &opts);
	if (empty)
		set_blocks(c, &opts);
	push_header(m, c->flow.lport, c->rport, c->rcv_nxt, out, &opts);
	if (dsack_waits(tcb_inbox(c))) {
		if (empty)
			perch_tcp_dsack_told(net, c);
		else
			c->marks |= TCB_ACK_NOW; /* there was no room for it beside data */
	}
	send_ip(net, c, m);
}

/* Every segment of a synchronised connection acknowledges and offers a window, so that nothing else
 * needs to. */
static __rte_always_inline void send_segment(struct perch_net *net, struct perch_tcb *c,
	struct rte_mbuf *m, struct outgoing out)
{
	uint64_t sum;

	out.flags |= ACK;
	out.wnd = perch_tcp_offer(net, c);
	c->rcv_acked = c->rcv_nxt;
	c->marks &= (uint16_t)~(TCB_ACK_NOW | TCB_ACK_LATER);
	if (unlikely(c->inbox && (tcb_inbox(c)->early || dsack_waits(tcb_inbox(c))))) {
		send_with_holes(net, c, m, &out);
		return;
	}
	sum = push_usual(net, c, m, &out);
	if (likely(c->ip4) &&
		likely(perch_plain_send(net, m, c->laddr4, c->raddr4, &c->path, sum)))
		net->tcp->counters.segs_out++;
	else
		send_ip(net, c, m);
}

static __rte_noinline void send_acking(struct perch_net *net, struct perch_tcb *c,
	struct rte_mbuf *m, uint32_t seq, uint8_t flags)
{
	send_segment(net, c, m, (struct outgoing){.seq = seq, .flags = flags});
}

/* A packet without data, with room for all headers; NULL: come back later. */
static struct rte_mbuf *bare(struct perch_net *net)
{
	struct rte_mbuf *m;

	if (unlikely(net->n_tx >= PERCH_NET_TX))
		return NULL;
	m = perch_net_alloc(net);
	if (likely(m))
		m->data_off = PAYLOAD_OFF;
	return m;
}

/* ---- SYN ------------------------------------------------------------------------------------ */

static void send_syn_in(struct perch_net *net, struct perch_tcb *c, struct rte_mbuf *m)
{
	bool answer = c->state == PERCH_TCP_SYN_RECEIVED;
	struct outgoing out = {.seq = c->snd_una, .flags = answer ? SYN | ACK : SYN,
		.wnd = perch_tcp_offer_syn(net, c)};
	struct perch_tcp_opts opts = {.mss = perch_tcp_mss_offer(net, &c->raddr)};

	/* What the peer did not offer is not offered to it either. */
	opts.sack_ok = !answer || (c->marks & TCB_SACK);
	opts.has_scale = !answer || (c->marks & TCB_SCALE);
	opts.scale = net->tcp->rcv_scale;
	if (!answer || (c->marks & TCB_TS))
		set_times(net, c, &opts);
	push_header(m, c->flow.lport, c->rport, c->rcv_nxt, &out, &opts);
	c->rcv_acked = c->rcv_nxt;
	c->marks &= (uint16_t)~(TCB_RESEND | TCB_ACK_NOW);
	c->snd_nxt = c->snd_una + 1;
	send_ip(net, c, m);
}

static bool send_syn(struct perch_net *net, struct perch_tcb *c)
{
	struct rte_mbuf *m;

	if (c->snd_nxt != c->snd_una && !(c->marks & TCB_RESEND)) {
		if (!(c->marks & TCB_ACK_NOW))
			return true;
		m = bare(net);
		if (m)
			send_acking(net, c, m, c->snd_nxt, 0);
		return m;
	}
	m = bare(net);
	if (!m)
		return false;
	net->tcp->counters.retransmits += (c->marks & TCB_RESEND) != 0;
	send_syn_in(net, c, m);
	return true;
}

/* ---- data ----------------------------------------------------------------------------------- */

uint32_t perch_tcp_pipe(const struct perch_tcb *c)
{
	const struct perch_outbox *o = tcb_outbox(c);
	uint32_t arrived;

	if (!c->outbox)
		return 0;
	if (c->marks & TCB_SACK)
		return o->pipe;
	/* Without SACK every duplicate ACK stands for a segment that has left the network, but which
	 * one is not known (RFC 6582's window inflation, seen from the other side). */
	arrived = (uint32_t)o->dup_acks * c->mss;
	return o->pipe > arrived ? o->pipe - arrived : 0;
}

/* The port may still hold m, on its way or long since sent (a NIC frees in batches): m is not to be
 * touched, and not to be waited for either. A copy goes instead. */
static struct rte_mbuf *copy_of(struct perch_net *net, struct rte_mbuf *m)
{
	const struct perch_pkt *p = perch_pkt(m);
	struct rte_mbuf *copy = bare(net);

	if (copy)
		memcpy(rte_pktmbuf_append(copy, (uint16_t)p->tcp.len),
			(const uint8_t *)m->buf_addr + p->tcp.off, p->tcp.len);
	return copy;
}

/* In front of memory that is lent there is no room for headers: they get a packet of their own,
 * with m behind it. */
static struct rte_mbuf *behind_headers(struct perch_net *net, struct rte_mbuf *m)
{
	const struct perch_pkt *p = perch_pkt(m);
	struct rte_mbuf *h;

	if (rte_mbuf_refcnt_read(m) > 1)
		return copy_of(net, m);
	h = bare(net);
	if (!h)
		return NULL;
	m->data_off = p->tcp.off;
	m->data_len = (uint16_t)p->tcp.len;
	m->next = NULL;
	rte_mbuf_refcnt_set(m, 2);
	h->next = m;
	h->nb_segs = 2;
	h->pkt_len = p->tcp.len;
	return h;
}

/* m, or a copy, as a packet whose data is the payload, with a reference for the way. An ACK may
 * have cut it at an odd place, and headers are written as words. */
static struct rte_mbuf *payload_of(struct perch_net *net, struct rte_mbuf *m)
{
	const struct perch_pkt *p = perch_pkt(m);

	if (unlikely(!RTE_MBUF_DIRECT(m)))
		return behind_headers(net, m);
	if (unlikely(rte_mbuf_refcnt_read(m) > 1 || (p->tcp.off & 1)))
		return copy_of(net, m);
	m->data_off = p->tcp.off;
	m->data_len = (uint16_t)p->tcp.len;
	m->pkt_len = p->tcp.len;
	m->next = NULL; /* it may have been part of a super-segment */
	m->nb_segs = 1;
	m->ol_flags = 0;
	m->tx_offload = 0;
	rte_mbuf_refcnt_set(m, 2);
	return m;
}

static uint32_t window_left(const struct perch_tcb *c)
{
	return seq_span(c->snd_nxt, c->snd_una + c->snd_wnd);
}

/* The flags of a data segment: PSH where the data queued so far ends, FIN if it is the last of all
 * and the window has room for it. */
static uint8_t data_flags(const struct perch_tcb *c, const struct perch_pkt *p)
{
	uint32_t after = p->tcp.seq + p->tcp.len;

	if (after != tcb_outbox(c)->end)
		return 0;
	if (!(c->marks & TCB_FIN_QUEUED) || seq_ge(after, c->snd_una + c->snd_wnd))
		return PSH;
	return PSH | FIN;
}

/* m goes now. Returns the flags of its header. */
static uint8_t note_sent(struct perch_net *net, struct perch_tcb *c, struct rte_mbuf *m)
{
	struct perch_pkt *p = perch_pkt(m);
	uint8_t flags = data_flags(c, p);

	if ((flags & FIN) && !(c->marks & TCB_FIN_SENT)) {
		c->marks |= TCB_FIN_SENT;
		c->snd_nxt = tcb_outbox(c)->end + 1;
	}
	p->time_ns = net->now_ns;
	perch_outbox_sent(tcb_outbox(c), m);
	net->tcp->counters.bytes_out += p->tcp.len;
	return flags;
}

/* m in out, which is m or a packet with it, or a copy. */
static void send_out(struct perch_net *net, struct perch_tcb *c, const struct rte_mbuf *m,
	struct rte_mbuf *out, uint8_t flags)
{
	const struct perch_pkt *p = perch_pkt((struct rte_mbuf *)(uintptr_t)m);

	send_segment(net, c, out, (struct outgoing){.seq = p->tcp.seq, .flags = flags,
		.summed = p->tcp.summed, .sum = p->tcp.sum});
}

static bool send_again(struct perch_net *net, struct perch_tcb *c, struct rte_mbuf *m)
{
	struct rte_mbuf *out = payload_of(net, m);

	if (unlikely(!out))
		return false;
	send_out(net, c, m, out, note_sent(net, c, m));
	return true;
}

/* The next segment to be sent again, or NULL. */
static struct rte_mbuf *next_lost(struct perch_outbox *o)
{
	while (o->lost && o->lost != o->unsent && !(perch_pkt(o->lost)->tcp.flags & SEG_LOST))
		o->lost = outbox_step(o->lost);
	if (o->lost == o->unsent)
		o->lost = NULL;
	return o->lost;
}

static bool resend_lost(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *o = tcb_outbox(c);
	struct rte_mbuf *m;

	while ((m = next_lost(o))) {
		struct perch_pkt *p = perch_pkt(m);

		perch_tcp_gather(net, c, m);
		if (o->urgent == 0 && perch_tcp_pipe(c) + p->tcp.len > c->cwnd)
			return true;
		if (net->n_tx >= PERCH_NET_TX)
			return false;
		if (p->tcp.len > c->mss && !perch_tcp_split(net, c, m, c->mss))
			return false; /* the path became narrower since it was made */
		if (!send_again(net, c, m))
			return false;
		p->tcp.flags |= SEG_AGAIN;
		perch_undo_resent(net, c);
		o->urgent -= o->urgent > 0;
		net->tcp->counters.retransmits++;
	}
	return true;
}

/* How many bytes of m, which was never sent, may go now? A part only if the window is so small that
 * waiting for a larger one could be for ever (RFC 9293 section 3.8.6.2.1). */
static uint32_t may_send(const struct perch_tcb *c, const struct rte_mbuf *m)
{
	const struct perch_pkt *p = perch_pkt((struct rte_mbuf *)(uintptr_t)m);
	uint32_t most = unlikely(p->tcp.flags & SEG_TRIAL) ? p->tcp.len : c->mss;
	uint32_t len = RTE_MIN(p->tcp.len, most), left = window_left(c);
	uint32_t pipe = perch_tcp_pipe(c);

	if (unlikely(tcb_outbox(c)->urgent > 0))
		return RTE_MIN(len, left);
	if (pipe > 0 && pipe + len > c->cwnd)
		return 0;
	if (likely(left >= len))
		return len;
	return left >= (uint32_t)c->snd_wnd_max << c->snd_scale >> 1 ? left : 0;
}

/* ---- super-segments: several in one packet, which the port cuts again (TSO) ----------------- */

/* May m, the next that was never sent, go behind what is in out? The port cuts at mss. */
static bool may_join(const struct perch_net *net, const struct perch_tcb *c,
	const struct rte_mbuf *out, const struct rte_mbuf *m)
{
	const struct perch_pkt *p = perch_pkt((struct rte_mbuf *)(uintptr_t)m);

	return p->tcp.len <= c->mss && !(p->tcp.flags & SEG_TRIAL) &&
		rte_mbuf_refcnt_read(m) == 1 && out->nb_segs < net->tcp->super_pieces &&
		out->pkt_len + p->tcp.len <= SUPER_MOST && tcb_outbox(c)->urgent == 0 &&
		may_send(c, m) == p->tcp.len;
}

static void chain(struct rte_mbuf *out, struct rte_mbuf *last, struct rte_mbuf *m)
{
	const struct perch_pkt *p = perch_pkt(m);

	m->data_off = p->tcp.off;
	m->data_len = (uint16_t)p->tcp.len;
	m->next = NULL;
	rte_mbuf_refcnt_set(m, 2);
	last->next = m;
	out->nb_segs++;
	out->pkt_len += p->tcp.len;
}

/* m goes, in out: those behind it go along as long as they may, and all but the last are full. Each
 * of them stays a segment, to the scoreboard, to RACK and to the path's MTU, and is sent again by
 * itself. Returns the flags of the last. */
static uint8_t join(struct perch_net *net, struct perch_tcb *c, const struct rte_mbuf *m,
	struct rte_mbuf *out, uint8_t flags)
{
	struct perch_outbox *o = tcb_outbox(c);
	struct rte_mbuf *last = rte_pktmbuf_lastseg(out), *next;
	uint32_t len = perch_pkt((struct rte_mbuf *)(uintptr_t)m)->tcp.len, first = out->pkt_len;

	while (len == c->mss && (next = o->unsent) && may_join(net, c, out, next)) {
		len = perch_pkt(next)->tcp.len;
		chain(out, last, next);
		last = next;
		c->snd_nxt += len;
		flags = note_sent(net, c, next);
		o->unsent = perch_pkt(next)->next;
		net->tcp->counters.segs_out++;
	}
	if (out->pkt_len > first) {
		out->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
		out->tso_segsz = c->mss;
		net->tcp->counters.supers++;
	}
	return flags;
}

/* ---- new data ------------------------------------------------------------------------------- */

static bool send_new(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *o = tcb_outbox(c);
	struct rte_mbuf *m, *out;
	uint8_t flags;

	if (unlikely(c->mtu_search && o->unsent))
		perch_tcp_mtu_try(net, c);
	while ((m = o->unsent)) {
		struct perch_pkt *p = perch_pkt(m);
		uint32_t len = may_send(c, m);

		if (len == 0)
			return true;
		if (net->n_tx >= PERCH_NET_TX)
			return false;
		if (len < p->tcp.len && !perch_tcp_split(net, c, m, len))
			return false;
		out = payload_of(net, m);
		if (!out)
			return false;
		c->snd_nxt = p->tcp.seq + p->tcp.len;
		flags = note_sent(net, c, m);
		o->unsent = p->next;
		if (unlikely(net->tcp->super_pieces) && o->urgent == 0)
			flags = join(net, c, m, out, flags);
		o->urgent -= o->urgent > 0;
		send_out(net, c, m, out, flags);
	}
	return true;
}

/* ---- FIN, ACKs and probes ------------------------------------------------------------------- */

static bool fin_may_go(const struct perch_tcb *c)
{
	if (c->marks & TCB_RESEND)
		return true;
	return (c->marks & (TCB_FIN_QUEUED | TCB_FIN_SENT)) == TCB_FIN_QUEUED &&
		!(c->outbox && tcb_outbox(c)->unsent) && window_left(c) > 0;
}

static bool send_fin(struct perch_net *net, struct perch_tcb *c)
{
	struct rte_mbuf *m;

	if (likely(!(c->marks & TCB_FIN_QUEUED)) || !fin_may_go(c))
		return true;
	m = bare(net);
	if (!m)
		return false;
	if (c->marks & TCB_RESEND)
		net->tcp->counters.retransmits++;
	else
		c->snd_nxt++;
	c->marks |= TCB_FIN_SENT;
	c->marks &= (uint16_t)~TCB_RESEND;
	send_acking(net, c, m, c->snd_nxt - 1, FIN);
	return true;
}

static bool send_ack(struct perch_net *net, struct perch_tcb *c, uint32_t seq)
{
	struct rte_mbuf *m = bare(net);

	if (!m)
		return false;
	send_acking(net, c, m, seq, 0);
	return true;
}

/* What no data segment has carried. Every early arrival gets a duplicate ACK of its own, for the
 * peer counts them (RFC 5681 section 3.2). */
static bool send_acks(struct perch_net *net, struct perch_tcb *c)
{
	if ((c->marks & TCB_ACK_NOW) && !send_ack(net, c, c->snd_nxt))
		return false;
	while (c->inbox && tcb_inbox(c)->dup_acks > 0) {
		if (!send_ack(net, c, c->snd_nxt))
			return false;
		if (c->inbox)
			tcb_inbox(c)->dup_acks--;
	}
	if (c->marks & TCB_PROBE) {
		/* A number that was acknowledged long ago: whoever gets it must say where he is
		 * (RFC 9293 section 3.10.7.4, first). A probe with a byte of new data, as RFC 9293
		 * section 3.8.6.1 has it, would move SND.NXT out of the closed window, and then
		 * our own ACKs and window updates would be unacceptable to the peer. */
		if (!send_ack(net, c, c->snd_una - 1))
			return false;
		c->marks &= (uint16_t)~TCB_PROBE;
	}
	return true;
}

static bool send_stream(struct perch_net *net, struct perch_tcb *c)
{
	if (c->outbox && !(resend_lost(net, c) && send_new(net, c)))
		return false;
	return send_fin(net, c) && send_acks(net, c);
}

bool perch_tcp_send_some(struct perch_net *net, struct perch_tcb *c)
{
	uint32_t before = c->snd_nxt;
	bool done;

	if (unlikely(c->state == PERCH_TCP_CLOSED))
		return true;
	done = tcp_synchronized(c) ? send_stream(net, c) : send_syn(net, c);
	if (c->snd_nxt != before && c->outbox && c->timer == TIMER_RESEND)
		/* RFC 8985 section 7.2: from the last transmission */
		perch_tlp_schedule(net, c, tcp_rto_at_ns(net, c));
	perch_tcp_timer_choose(net, c);
	return done;
}

/* It stays on the list of those with something to send: that is looked at once, at the end of the
 * turn, and what is left, for want of room or of packet buffers, is found there. Each step asks for
 * room itself; without any none is begun. */
void perch_tcp_push(struct perch_net *net, struct perch_tcb *c)
{
	if (likely(net->n_tx < PERCH_NET_TX))
		perch_tcp_send_some(net, c);
}

/* ---- RST and challenges --------------------------------------------------------------------- */

void perch_tcp_send_reset(struct perch_net *net, struct perch_tcb *c)
{
	const struct perch_tcp_opts none = {.mss = 0};
	struct outgoing out = {.seq = c->snd_nxt, .flags = RST | ACK};
	struct rte_mbuf *m = bare(net);

	if (!m)
		return;
	push_header(m, c->flow.lport, c->rport, c->rcv_nxt, &out, &none);
	net->tcp->counters.reset_sent++;
	send_ip(net, c, m);
}

void perch_tcp_refuse(struct perch_net *net, const struct perch_segment *s)
{
	const struct perch_tcp_opts none = {.mss = 0};
	uint32_t end = s->seq + s->len + !!(s->flags & SYN) + !!(s->flags & FIN);
	struct outgoing out = {.flags = RST | ACK};
	struct rte_mbuf *m;

	if (s->flags & RST)
		return;
	if (!perch_tcp_limit_take(net, &net->tcp->resets, RESETS_PER_SECOND))
		return;
	m = bare(net);
	if (!m)
		return;
	if (s->flags & ACK)
		out = (struct outgoing){.seq = s->ack, .flags = RST};
	push_header(m, s->tuple.lport, s->tuple.rport, end, &out, &none);
	net->tcp->counters.reset_sent++;
	net->tcp->counters.segs_out++;
	perch_ip_send(net, m, s->tuple.laddr, s->tuple.raddr, IPPROTO_TCP, 0, NULL);
}

bool perch_tcp_send_cookie(struct perch_net *net, const struct perch_segment *syn, uint32_t cookie,
	struct perch_tcp_opts *opts)
{
	struct outgoing out = {.seq = cookie, .flags = SYN | ACK,
		.wnd = (uint16_t)RTE_MIN(net->cfg.rcvbuf_bytes, (uint32_t)UINT16_MAX)};
	struct rte_mbuf *m = bare(net);

	if (!m)
		return false;
	opts->mss = perch_tcp_mss_offer(net, syn->tuple.raddr);
	push_header(m, syn->tuple.lport, syn->tuple.rport, syn->seq + 1, &out, opts);
	net->tcp->counters.segs_out++;
	perch_ip_send(net, m, syn->tuple.laddr, syn->tuple.raddr, IPPROTO_TCP, 0, NULL);
	return true;
}

/* Was c's last answer to something unacceptable long enough ago? Then now is the next. */
static bool may_answer(struct perch_net *net, struct perch_tcb *c, uint32_t pause_ms)
{
	uint32_t *answered_ms = &net->tcp->answered_ms[tcb_id(net, c)];

	if (tcp_now_ms(net) - *answered_ms < pause_ms)
		return false;
	*answered_ms = tcp_now_ms(net);
	return true;
}

void perch_tcp_answer_ack(struct perch_net *net, struct perch_tcb *c)
{
	if (!may_answer(net, c, ANSWER_MS))
		return;
	c->marks |= TCB_ACK_NOW;
	perch_tcb_touch(net, c);
}

/* RFC 5961 section 7. The limit of each connection comes first: a stranger who forges segments of
 * one can then not use up what all share, and see that happen on a connection of his own
 * (CVE-2016-5696). What all share is drawn anew each second. */
void perch_tcp_challenge(struct perch_net *net, struct perch_tcb *c)
{
	if (!may_answer(net, c, CHALLENGE_MS) ||
		!perch_tcp_limit_take(net, &net->tcp->challenges, CHALLENGES_PER_SECOND)) {
		net->drops[PERCH_DROP_tcp_challenge_limited]++;
		return;
	}
	net->tcp->counters.challenge_acks++;
	c->marks |= TCB_ACK_NOW;
	perch_tcb_touch(net, c);
}
