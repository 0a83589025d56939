/* SPDX-License-Identifier: BSD-3-Clause
 * A segment's way in. The expected one is recognised by a list of questions; for all others the
 * steps of RFC 9293 section 3.10.7 follow, each a function.
 *
 * Whoever returns false has dropped or consumed the packet, and may have freed the connection.
 */
#include <rte_tcp.h>

#include "tcp-lite/tcp_inside.h"

/* ---- taking it apart ------------------------------------------------------------------------ */

static bool flags_ok(uint8_t flags)
{
	return !(flags & SYN) || !(flags & (FIN | RST));
}

/* Header, checksum and addresses (RFC 9293 section 3.1, RFC 1122 section 4.2.3.10). */
static bool take_apart(struct perch_net *net, struct perch_rx *rx, struct perch_segment *s)
{
	const struct rte_tcp_hdr *h = rte_pktmbuf_mtod(rx->m, const struct rte_tcp_hdr *);
	enum perch_drop why = PERCH_DROP_tcp_malformed;

	if (unlikely(rx->m->data_len < TCP_HEADER || rx->m->nb_segs != 1)) {
		why = PERCH_DROP_tcp_truncated;
		goto drop;
	}
	s->rx = rx;
	s->header_len = (h->data_off >> 4) * 4;
	s->flags = h->tcp_flags & (FIN | SYN | RST | PSH | ACK | URG);
	if (unlikely(s->header_len > rx->m->data_len)) {
		why = PERCH_DROP_tcp_truncated;
		goto drop;
	}
	if (unlikely(s->header_len < TCP_HEADER || !h->src_port || !h->dst_port ||
		!flags_ok(s->flags)))
		goto drop;
	if (unlikely(!perch_ip_tcp_cksum_ok(rx, s->header_len))) {
		why = PERCH_DROP_tcp_bad_checksum;
		goto drop;
	}
	if (unlikely(rx->to_group || perch_ip_is_multicast(&rx->src))) {
		why = PERCH_DROP_tcp_not_unicast;
		goto drop;
	}
	s->seq = rte_be_to_cpu_32(h->sent_seq);
	s->ack = rte_be_to_cpu_32(h->recv_ack);
	s->wnd = rte_be_to_cpu_16(h->rx_win);
	s->len = rx->m->data_len - s->header_len;
	s->tuple = (struct perch_tuple){&rx->dst, &rx->src, rte_be_to_cpu_16(h->dst_port),
		rte_be_to_cpu_16(h->src_port)};
	perch_tcp_opts_parse(&s->opts, (const uint8_t *)(h + 1), s->header_len - TCP_HEADER);
	return true;
drop:
	perch_net_drop(net, why, rx->m);
	return false;
}

/* The second prefetch stage has left a guess, made before the burst's earlier packets ran. */
static struct perch_tcb *find(struct perch_net *net, const struct perch_segment *s)
{
	uint32_t id = perch_pkt(s->rx->m)->tcp.len;
	struct perch_tcb *c;

	if (likely(id < net->tcp->born)) {
		c = &net->tcp->tcbs[id];
		if (likely(c->state != PERCH_TCP_CLOSED && perch_tuple_equal(c, &s->tuple)))
			return c;
	}
	return perch_tcb_find(net, &s->tuple);
}

/* Sequence space that it takes. */
static uint32_t extent(const struct perch_segment *s)
{
	return s->len + !!(s->flags & SYN) + !!(s->flags & FIN);
}

static bool drop(struct perch_net *net, const struct perch_segment *s, enum perch_drop why)
{
	perch_net_drop(net, why, s->rx->m);
	return false;
}

static bool drop_and_ack(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s,
	enum perch_drop why)
{
	if (extent(s) == 0) {
		perch_tcp_answer_ack(net, c);
		return drop(net, s, why);
	}
	c->marks |= TCB_ACK_NOW;
	perch_tcb_touch(net, c);
	return drop(net, s, why);
}

/* ---- the expected segment ------------------------------------------------------------------- */

/* An established connection's next bytes, or an acknowledgement of ours, with nothing unusual about
 * it (Van Jacobson's header prediction). */
static bool is_expected(const struct perch_tcb *c, const struct perch_segment *s)
{
	return c->state == PERCH_TCP_ESTABLISHED && (s->flags & ~(uint32_t)PSH) == ACK &&
		s->seq == c->rcv_nxt && s->len <= c->rcv_edge - c->rcv_nxt &&
		s->ack - c->snd_una <= c->snd_nxt - c->snd_una &&
		(s->len > 0 || s->ack != c->snd_una) &&
		s->opts.has_ts == !!(c->marks & TCB_TS) &&
		(!s->opts.has_ts || !seq_lt(s->opts.ts_val, c->ts_recent)) &&
		s->opts.n_blocks == 0 && (!c->inbox || !tcb_inbox(c)->early);
}

/* RFC 7323 section 5.5: a clock that has stood still for 24 days proves nothing. */
static bool clock_expired(const struct perch_net *net, const struct perch_tcb *c)
{
	const uint16_t stale = (uint16_t)((24u * 24 * 3600 * 1000) >> 16);

	return (uint16_t)(tcp_now_minute(net) - c->ts_heard) > stale;
}

/* RFC 7323 section 4.3 (2): what to echo. */
static void take_time(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	if (!s->opts.has_ts || !(c->marks & TCB_TS))
		return;
	if (seq_le(s->seq, c->rcv_acked) &&
		(likely(seq_ge(s->opts.ts_val, c->ts_recent)) || clock_expired(net, c))) {
		c->ts_recent = s->opts.ts_val;
		c->ts_heard = tcp_now_minute(net);
	}
}

/* The peer lives. */
static void heard(struct perch_net *net, struct perch_tcb *c)
{
	if (c->timer == TIMER_KEEPALIVE) {
		c->timer_ns = net->now_ns + perch_tcp_keepalive_ns(net);
		if (unlikely(c->marks & TCB_PATIENCE))
			c->retries = 0;
	}
}

static void take_expected(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	struct rte_mbuf *m = s->rx->m;

	take_time(net, c, s);
	heard(net, c);
	if (s->ack != c->snd_una)
		perch_tcp_acked(net, c, s);
	else
		perch_tcp_acked_nothing(net, c, s);
	if (s->len == 0) {
		rte_pktmbuf_free(m);
		return;
	}
	rte_pktmbuf_adj(m, s->header_len);
	perch_tcp_deliver(net, c, m);
}

/* ---- 3.10.7.1, 3.10.7.2: no connection ------------------------------------------------------ */

static void refuse(struct perch_net *net, const struct perch_segment *s)
{
	perch_tcp_refuse(net, s);
	drop(net, s, PERCH_DROP_tcp_no_flow);
}

static void take_unexpected(
	struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s);

/* The connection that a cookie stood for begins, and this is its first segment. */
static void cookie_back(struct perch_net *net, struct perch_tcp_listener *l,
	const struct perch_segment *s, const struct perch_segment *syn)
{
	struct perch_tcb *c = perch_tcp_cookie_open(net, l, syn, s->ack - 1);

	if (c)
		take_unexpected(net, c, s);
	else
		rte_pktmbuf_free(s->rx->m); /* counted; the peer will send its text again */
}

static void no_connection(struct perch_net *net, const struct perch_segment *s)
{
	struct perch_tcp_listener *l;
	struct perch_segment syn;

	if (s->flags & RST) {
		drop(net, s, PERCH_DROP_tcp_no_flow);
		return;
	}
	l = perch_tcp_listener_find(net, s->tuple.laddr, s->tuple.lport);
	if (l && perch_tcp_cookie_ok(net, l, s, &syn)) {
		cookie_back(net, l, s, &syn);
		return;
	}
	if (!l || (s->flags & ACK)) {
		refuse(net, s);
		return;
	}
	if (!(s->flags & SYN)) {
		drop(net, s, PERCH_DROP_tcp_no_ack);
		return;
	}
	/* Text that comes with a SYN is not kept; the peer sends it again. */
	perch_tcp_passive_open(net, l, s);
	rte_pktmbuf_free(s->rx->m);
}

/* ---- 3.10.7.3: SYN-SENT --------------------------------------------------------------------- */

static bool syn_sent_ack_ok(const struct perch_tcb *c, const struct perch_segment *s)
{
	return seq_gt(s->ack, c->snd_una) && seq_le(s->ack, c->snd_nxt);
}

static void syn_sent(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	bool acks = s->flags & ACK;

	if (acks && !syn_sent_ack_ok(c, s)) { /* first */
		perch_tcp_refuse(net, s);
		drop(net, s, PERCH_DROP_tcp_bad_ack);
		return;
	}
	if (s->flags & RST) { /* second */
		if (acks) {
			net->tcp->counters.reset_received++;
			rte_pktmbuf_free(s->rx->m);
			perch_tcp_fail(net, c, ECONNREFUSED);
		} else {
			drop(net, s, PERCH_DROP_tcp_bad_rst);
		}
		return;
	}
	if (!(s->flags & SYN)) { /* fifth */
		drop(net, s, PERCH_DROP_tcp_no_ack);
		return;
	}
	perch_tcp_agree(net, c, s); /* fourth */
	rte_pktmbuf_free(s->rx->m);
	if (acks) {
		perch_tcp_opened(net, c, s);
		c->marks |= TCB_ACK_NOW;
	} else { /* both have opened at once (section 3.5): our SYN goes again, with an ACK */
		c->state = PERCH_TCP_SYN_RECEIVED;
		c->marks |= TCB_RESEND;
	}
	perch_tcb_touch(net, c);
}

/* ---- 3.10.7.4: the other states ------------------------------------------------------------- */

/* RFC 6191 section 2, RFC 1122 section 4.2.2.13: may this SYN begin a new connection where an old
 * one still waits? If only the new one has timestamps, old segments without are told by that. */
static bool reopens(const struct perch_tcb *c, const struct perch_segment *s)
{
	bool had_ts = c->marks & TCB_TS;

	if (s->flags & ACK)
		return false;
	if (!had_ts && s->opts.has_ts)
		return true;
	if (had_ts && s->opts.has_ts && s->opts.ts_val != c->ts_recent)
		return seq_gt(s->opts.ts_val, c->ts_recent);
	return seq_gt(s->seq, c->rcv_nxt);
}

/* RFC 1122 section 4.2.2.13 (b): our numbers go on beyond all that the old connection has used; its
 * stream may have been faster than the clock of ISNs. */
static void reopen(struct perch_net *net, struct perch_tcb *old, const struct perch_segment *s)
{
	const struct perch_tuple tuple = s->tuple;
	uint32_t end = old->snd_nxt;
	struct perch_tcb *c;

	perch_tcp_finish(net, old);
	no_connection(net, s);
	c = perch_tcb_find(net, &tuple);
	if (c && !seq_gt(c->snd_una, end))
		c->snd_una = c->snd_nxt = end + 1;
}

static bool syn_received_ack(
	struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	if (!syn_sent_ack_ok(c, s)) {
		perch_tcp_refuse(net, s);
		return drop(net, s, PERCH_DROP_tcp_bad_ack);
	}
	perch_tcp_opened(net, c, s);
	return true;
}

/* Fourth, done first because RFC 5961 section 4.2 wants it irrespective of the number. */
static bool check_syn(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	if (likely(!(s->flags & SYN)))
		return true;
	if (c->state == PERCH_TCP_TIME_WAIT && reopens(c, s)) {
		reopen(net, c, s);
		return false;
	}
	if (c->state == PERCH_TCP_SYN_RECEIVED && s->seq == c->rcv_nxt - 1) {
		if (s->flags & ACK) /* simultaneous open: its ACK counts (figure 8) */
			return syn_received_ack(net, c, s) &&
				drop_and_ack(net, c, s, PERCH_DROP_tcp_duplicate);
		c->marks |= TCB_RESEND; /* our answer was lost */
		perch_tcb_touch(net, c);
		return drop(net, s, PERCH_DROP_tcp_duplicate);
	}
	perch_tcp_challenge(net, c);
	return drop(net, s, PERCH_DROP_tcp_bad_syn);
}

/* RFC 7323 section 5: a segment from before the last one that we have seen. */
static bool check_paws(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	if (!(c->marks & TCB_TS) || (s->flags & RST))
		return true;
	if (!s->opts.has_ts) /* RFC 7323 section 3.2 */
		return drop(net, s, PERCH_DROP_tcp_paws);
	if (seq_ge(s->opts.ts_val, c->ts_recent) || clock_expired(net, c))
		return true;
	return drop_and_ack(net, c, s, PERCH_DROP_tcp_paws);
}

/* One without text may be a little old (an ACK that a data segment has overtaken) or stand at the
 * very edge (an ACK from behind text that was lost): its ACK is good. When the window is closed,
 * text at the edge is still let in for the sake of its ACK; cut_to_window takes the text off. */
static bool in_window(const struct perch_tcb *c, const struct perch_segment *s)
{
	uint32_t end = s->seq + extent(s);

	if (extent(s) == 0)
		return seq_ge(s->seq, c->rcv_acked) && seq_le(s->seq, c->rcv_edge);
	if (c->rcv_edge == c->rcv_nxt)
		return s->seq == c->rcv_nxt;
	return seq_lt(s->seq, c->rcv_edge) && seq_gt(end, c->rcv_nxt);
}

/* First. A FIN that comes again means that our last ACK was lost. */
static bool check_sequence(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	if (likely(in_window(c, s)))
		return true;
	if (s->flags & RST)
		return drop(net, s, PERCH_DROP_tcp_bad_rst);
	perch_tcp_twice(net, c, s);
	if (c->state == PERCH_TCP_TIME_WAIT && (s->flags & FIN))
		perch_tcp_timer_set(
			net, c, TIMER_TIME_WAIT, net->now_ns + net->cfg.time_wait_ns);
	return drop_and_ack(net, c, s, seq_lt(s->seq, c->rcv_nxt) ? PERCH_DROP_tcp_duplicate
	                                                          : PERCH_DROP_tcp_out_of_window);
}

/* Second: RFC 5961 section 3.2. In TIME-WAIT nothing can be reset any more (RFC 1337). */
static bool check_rst(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	if (likely(!(s->flags & RST)))
		return true;
	if (c->state == PERCH_TCP_TIME_WAIT)
		return drop(net, s, PERCH_DROP_tcp_bad_rst);
	if (s->seq != c->rcv_nxt) {
		if (seq_gt(s->seq, c->rcv_nxt) && seq_lt(s->seq, c->rcv_edge))
			perch_tcp_challenge(net, c);
		return drop(net, s, PERCH_DROP_tcp_bad_rst);
	}
	net->tcp->counters.reset_received++;
	rte_pktmbuf_free(s->rx->m);
	if (c->state == PERCH_TCP_SYN_RECEIVED)
		perch_tcp_fail(net, c, ECONNREFUSED);
	else if (c->state == PERCH_TCP_CLOSING || c->state == PERCH_TCP_LAST_ACK)
		perch_tcp_finish(net, c); /* both have closed: nothing was lost that we know of */
	else
		perch_tcp_fail(net, c, ECONNRESET);
	return false;
}

/* RFC 5961 section 5.2. */
static bool ack_ok(const struct perch_tcb *c, const struct perch_segment *s)
{
	uint32_t max_wnd = (uint32_t)c->snd_wnd_max << c->snd_scale;

	return seq_ge(s->ack, c->snd_una - max_wnd) && seq_le(s->ack, c->snd_nxt);
}

/* Our FIN has arrived. */
static bool fin_acked(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	switch (c->state) {
	case PERCH_TCP_FIN_WAIT_1:
		c->state = PERCH_TCP_FIN_WAIT_2;
		perch_tcp_timer_restart(net, c);
		return true;
	case PERCH_TCP_CLOSING:
		perch_tcp_enter_time_wait(net, c);
		return true;
	case PERCH_TCP_LAST_ACK:
		rte_pktmbuf_free(s->rx->m);
		perch_tcp_finish(net, c);
		return false;
	default:
		return true;
	}
}

/* Fifth. */
static bool check_ack(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	if (unlikely(!(s->flags & ACK)))
		return drop(net, s, PERCH_DROP_tcp_no_ack);
	if (c->state == PERCH_TCP_SYN_RECEIVED)
		return syn_received_ack(net, c, s);
	if (!ack_ok(c, s)) {
		perch_tcp_challenge(net, c);
		return drop(net, s, PERCH_DROP_tcp_bad_ack);
	}
	if (seq_gt(s->ack, c->snd_una))
		perch_tcp_acked(net, c, s);
	else if (s->ack == c->snd_una)
		perch_tcp_acked_nothing(net, c, s);
	if ((c->marks & TCB_FIN_SENT) && c->snd_una == c->snd_nxt)
		return fin_acked(net, c, s);
	return true;
}

/* RFC 2525 section 2.17, RFC 1122 section 4.2.2.13: text for an owner who has gone would vanish,
 * and the peer must not believe that it was read. */
static bool check_reader(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	if ((c->marks & TCB_OWNED) || s->len == 0 || !seq_gt(s->seq + s->len, c->rcv_nxt))
		return true;
	perch_tcp_send_reset(net, c);
	perch_tcb_free(net, c);
	return drop(net, s, PERCH_DROP_tcp_after_close);
}

/* Seventh and eighth. Urgent data (sixth) is data. */
static void take_text(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	if (extent(s) - !!(s->flags & SYN) == 0) {
		rte_pktmbuf_free(s->rx->m);
		return;
	}
	if (!tcp_receiving(c)) { /* nothing can come after its FIN */
		drop_and_ack(net, c, s, PERCH_DROP_tcp_duplicate);
		return;
	}
	if (check_reader(net, c, s))
		perch_tcp_text(net, c, s);
}

static void take_unexpected(
	struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	if (c->state == PERCH_TCP_SYN_SENT) {
		syn_sent(net, c, s);
		return;
	}
	if (!check_syn(net, c, s) || !check_paws(net, c, s) || !check_sequence(net, c, s) ||
		!check_rst(net, c, s))
		return;
	take_time(net, c, s);
	heard(net, c);
	if (check_ack(net, c, s))
		take_text(net, c, s);
}

void perch_tcp_input(struct perch_net *net, struct perch_rx *rx)
{
	struct perch_segment s;
	struct perch_tcb *c;

	net->tcp->counters.segs_in++;
	if (unlikely(!take_apart(net, rx, &s)))
		return;
	c = find(net, &s);
	if (unlikely(!c))
		no_connection(net, &s);
	else if (likely(is_expected(c, &s)))
		take_expected(net, c, &s);
	else
		take_unexpected(net, c, &s);
}
