/* SPDX-License-Identifier: BSD-3-Clause
 * What acknowledgements do: free what has arrived, measure the way, open the windows
 * (RFC 9293 section 3.10.7.4, fifth step).
 */
#include "tcp-lite/tcp_inside.h"

enum { DELACK_MOST_MS = 500 }; /* RFC 1122 section 4.2.3.2 */

struct taken { /* what one ACK took out of the outbox */
	uint32_t segments;
	int64_t sent_ns;   /* when the last of them was sent */
	bool again;        /* one was sent more than once */
};

static void forget(struct perch_outbox *o, const struct perch_pkt *p, uint32_t bytes)
{
	if (p->tcp.flags & SEG_SACKED)
		o->sacked -= bytes;
	else if (!(p->tcp.flags & SEG_LOST))
		o->pipe -= bytes;
}

/* The front of m has arrived, the rest has not. Only the description changes: the port may still
 * be reading m itself. */
static void trim_front(struct perch_outbox *o, struct perch_pkt *p, uint32_t ack)
{
	uint32_t bytes = ack - p->tcp.seq;

	forget(o, p, bytes);
	p->tcp.seq = ack;
	p->tcp.len -= bytes;
	p->tcp.off = (uint16_t)(p->tcp.off + bytes);
}

static struct taken take_acked(struct perch_outbox *o, uint32_t ack)
{
	struct taken t = {0, 0, false};
	struct rte_mbuf *m;

	while ((m = o->head) && m != o->unsent && seq_lt(perch_pkt(m)->tcp.seq, ack)) {
		struct perch_pkt *p = perch_pkt(m);

		if (seq_gt(p->tcp.seq + p->tcp.len, ack)) {
			trim_front(o, p, ack);
			break;
		}
		forget(o, p, p->tcp.len);
		t.segments++;
		t.sent_ns = p->time_ns;
		t.again |= p->tcp.sent > 1;
		o->head = p->next;
		if (o->lost == m)
			o->lost = p->next;
		o->mbufs--;
		rte_pktmbuf_free(m);
	}
	if (!o->head)
		o->tail = NULL;
	return t;
}

/* Karn: what was sent twice times nothing, unless timestamps tell which of the two it was (RFC 7323
 * section 4); they only tell it to the millisecond. An echo that is older than a round trip and the
 * longest delayed ACK (RFC 1122 section 4.2.3.2) explain answers a copy that came first while its
 * ACKs were lost: that was no round trip. */
static void measure(struct perch_net *net, struct perch_tcb *c, const struct taken *t,
	const struct perch_segment *s)
{
	int32_t ms;

	if (t->segments > 0 && !t->again) {
		perch_tcp_rtt_sample(net, c, net->now_ns - t->sent_ns);
	} else if (t->again && (c->marks & TCB_TS) && s->opts.has_ts && s->opts.ts_ecr != 0) {
		ms = (int32_t)(tcp_now_ms(net) + c->ts_offset - s->opts.ts_ecr);
		if (ms >= 0 && ms <= (int32_t)(2 * (c->rto_us / 1000)) + DELACK_MOST_MS)
			perch_tcp_rtt_sample(net, c, ms * MS_NS);
	}
}

/* RFC 7661's lesson: a window that was not used has not been tested, and does not grow. */
static bool cwnd_limited(const struct perch_tcb *c, uint32_t flight)
{
	if (c->cwnd < c->ssthresh)
		return flight * 2 >= c->cwnd;
	return flight + 2u * c->mss > c->cwnd;
}

/* Wrong order, old window (RFC 9293's SND.WL1). SND.WL2 is not kept: an ACK below SND.UNA does not
 * come here, and of two equal ones the larger window is the newer, for windows do not shrink. */
static void take_window(struct perch_tcb *c, const struct perch_segment *s)
{
	uint32_t wnd = (uint32_t)s->wnd << c->snd_scale;

	if (s->ack == c->snd_una && !seq_gt(s->seq, c->snd_wl1) &&
		!(s->seq == c->snd_wl1 && wnd > c->snd_wnd))
		return;
	c->snd_wnd = wnd;
	c->snd_wl1 = s->seq;
	c->snd_wnd_max = RTE_MAX(c->snd_wnd_max, s->wnd);
}

/* Is there more to send, now that there is room? */
static bool wants_output(const struct perch_tcb *c)
{
	const struct perch_outbox *o = c->outbox;

	if (o && (o->unsent || o->lost))
		return true;
	return (c->marks & (TCB_FIN_QUEUED | TCB_FIN_SENT)) == TCB_FIN_QUEUED;
}

void perch_tcp_acked(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	uint32_t bytes = s->ack - c->snd_una, flight = c->snd_nxt - c->snd_una;
	struct perch_outbox *o = c->outbox;
	struct taken taken = {0, 0, false};

	if (o)
		taken = take_acked(o, s->ack);
	take_window(c, s); /* asks whether SND.UNA moves */
	c->snd_una = s->ack;
	measure(net, c, &taken, s);
	if (unlikely(s->opts.n_blocks))
		perch_tcp_recover_sack(net, c, &s->opts);
	c->backoff = c->retries = 0;
	if (o && o->phase != PHASE_OPEN)
		perch_tcp_recover_ack(net, c, taken.segments, bytes);
	else if (cwnd_limited(c, flight))
		net->tcp->cc->acked(c, bytes, net->now_ns);
	if (o && o->phase == PHASE_OPEN)
		o->dup_acks = 0;
	if (o && !o->head)
		perch_outbox_free(net, c);
	if (c->marks & TCB_WANTS_ROOM)
		perch_tcp_tell_room(net, c);
	perch_tcp_timer_restart(net, c);
	if (wants_output(c))
		perch_tcb_touch(net, c);
}

/* RFC 5681 section 2: (a) to (e). */
static bool is_duplicate(const struct perch_tcb *c, const struct perch_segment *s)
{
	return c->snd_una != c->snd_nxt && s->len == 0 && !(s->flags & (SYN | FIN)) &&
		(uint32_t)s->wnd << c->snd_scale == c->snd_wnd;
}

void perch_tcp_acked_nothing(
	struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	uint32_t wnd = c->snd_wnd;

	if (c->timer == TIMER_PERSIST && (c->marks & TCB_OWNED))
		c->retries = 0; /* it is there, it only has no room; we wait while anybody cares */
	if (unlikely(s->opts.n_blocks))
		perch_tcp_recover_sack(net, c, &s->opts);
	if (is_duplicate(c, s)) {
		net->tcp->counters.dup_acks_in++;
		if (c->outbox && c->outbox->head != c->outbox->unsent)
			perch_tcp_recover_dup_ack(net, c);
		return;
	}
	take_window(c, s);
	if (c->snd_wnd != wnd && wants_output(c))
		perch_tcb_touch(net, c);
}
