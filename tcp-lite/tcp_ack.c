/* SPDX-License-Identifier: BSD-3-Clause
 * What acknowledgements do: free what has arrived, measure the way, open the windows
 * (RFC 9293 section 3.10.7.4, fifth step).
 */
#include "tcp-lite/neigh.h"
#include "tcp-lite/tcp_inside.h"

enum { DELACK_MOST_MS = 500 }; /* RFC 1122 section 4.2.3.2 */

/* The front of m has arrived, the rest has not. Only the description changes: the port may still
 * be reading m itself. */
static void trim_front(struct perch_outbox *o, struct perch_tcp_ack *a, struct rte_mbuf *m)
{
	struct perch_pkt *p = perch_pkt(m);
	uint32_t ack = a->s->ack, bytes = ack - p->tcp.seq;

	if (!(p->tcp.flags & SEG_SACKED))
		a->delivered += bytes;
	perch_outbox_forget(o, m, bytes);
	p->tcp.seq = ack;
	p->tcp.len -= bytes;
	p->tcp.off = (uint16_t)(p->tcp.off + bytes);
	p->tcp.summed = false;
}

/* m, the head, has arrived as a whole. */
static void take_one(struct perch_net *net, struct perch_tcb *c, struct perch_tcp_ack *a,
	struct rte_mbuf *m)
{
	struct perch_outbox *o = tcb_outbox(c);
	struct perch_pkt *p = perch_pkt(m);

	if (likely(!(p->tcp.flags & SEG_SACKED))) {
		a->delivered += p->tcp.len;
		if (c->marks & TCB_SACK)
			perch_rack_arrived(net, c, m, &a->s->opts);
	}
	outbox_tried(o, m, TRIAL_ARRIVED);
	if (p->tcp.len >= c->mss)
		c->mtu_proven = 1;
	perch_outbox_forget(o, m, p->tcp.len);
	a->segments++;
	a->sent_ns = p->time_ns;
	if (unlikely(p->tcp.sent > 1)) {
		a->again = true;
		a->resent_ns = a->resent_ns ? RTE_MIN(a->resent_ns, p->time_ns) : p->time_ns;
	}
	o->head = p->next;
	if (o->lost == m)
		o->lost = p->next;
	o->mbufs--;
	net->held--;
	rte_pktmbuf_free_seg(m);
}

static void take_acked(struct perch_net *net, struct perch_tcb *c, struct perch_tcp_ack *a)
{
	struct perch_outbox *o = tcb_outbox(c);
	struct rte_mbuf *m;

	while ((m = o->head) && m != o->unsent && seq_lt(perch_pkt(m)->tcp.seq, a->s->ack)) {
		if (seq_gt(perch_pkt(m)->tcp.seq + perch_pkt(m)->tcp.len, a->s->ack)) {
			trim_front(o, a, m);
			break;
		}
		take_one(net, c, a, m);
	}
	if (!o->head)
		o->tail = NULL;
}

/* Does the ACK leave nothing in the outbox, with all calm and cwnd no part of it? So ends every
 * small exchange. */
static bool takes_all(const struct perch_outbox *o, const struct perch_tcp_ack *a)
{
	return a->s->ack == o->end && !o->unsent && !a->limited && !a->s->opts.n_blocks &&
		outbox_is_calm(o) && !o->trial;
}

/* What RACK and the scoreboard would note of it would go with the outbox at once. */
static void take_all(struct perch_net *net, struct perch_tcb *c, struct perch_tcp_ack *a)
{
	struct perch_outbox *o = tcb_outbox(c);
	struct rte_mbuf *m, *next;

	for (m = o->head; m; m = next) {
		struct perch_pkt *p = perch_pkt(m);

		a->segments++;
		a->sent_ns = p->time_ns;
		a->again |= p->tcp.sent > 1;
		if (unlikely(p->tcp.len >= c->mss))
			c->mtu_proven = 1;
		next = p->next;
		perch_net_done(net, m);
	}
	c->sent_tick = tcp_coarse(a->sent_ns);
	net->held -= o->mbufs;
	tcp_give_outbox(net, c);
}

/* Karn: what was sent twice times nothing, unless timestamps tell which of the two it was (RFC 7323
 * section 4); they only tell it to the millisecond. An echo that is older than a round trip and the
 * longest delayed ACK (RFC 1122 section 4.2.3.2) explain answers a copy that came first while its
 * ACKs were lost: that was no round trip. */
static void measure(struct perch_net *net, struct perch_tcb *c, struct perch_tcp_ack *a)
{
	const struct perch_tcp_opts *opts = &a->s->opts;
	int64_t us;
	int32_t ms;

	if (a->segments > 0 && !a->again) {
		us = (net->now_ns - a->sent_ns) / 1000;
		a->rtt_us = (uint32_t)RTE_MIN(us, INT32_MAX);
		perch_tcp_rtt_sample(c, us);
	} else if (a->again && (c->marks & TCB_TS) && opts->has_ts && opts->ts_ecr != 0) {
		ms = (int32_t)(tcp_now_ms(net) + c->ts_offset - opts->ts_ecr);
		if (ms >= 0 && ms <= 2 * tcp_rto_ns(net, c) / MS_NS + DELACK_MOST_MS)
			perch_tcp_rtt_sample(c, ms * INT64_C(1000));
	}
}

/* RFC 7661's lesson: a window that was not used has not been tested, and does not grow. What waits
 * to be sent counts as used: of a burst of ACKs the later ones find room that the earlier ones
 * made, and that the end of the turn will fill. */
static bool cwnd_limited(const struct perch_tcb *c)
{
	const struct perch_outbox *o = tcb_outbox(c);
	uint32_t used = c->snd_nxt - c->snd_una;

	if (c->outbox && o->unsent)
		used = RTE_MAX(used, RTE_MIN(o->end - c->snd_una, c->snd_wnd));
	if (used * 2 < c->cwnd && used + 2u * c->mss <= c->cwnd)
		return false; /* whatever ssthresh is */
	if (c->cwnd < c->ssthresh)
		return used * 2 >= c->cwnd;
	return used + 2u * c->mss > c->cwnd;
}

/* Wrong order, old window (RFC 9293's SND.WL1 and SND.WL2). SND.WL2 is not kept: it never exceeds
 * SND.UNA, and an ACK below that does not come here. Of two segments with the same numbers the
 * larger window is the newer, for windows do not shrink; but one that is closed is believed, or a
 * peer in want of memory would be sent repetitions until we give it up. An ACK of more than the
 * last is newer whatever its number: that of a repetition may be old. */
static void take_window(struct perch_tcb *c, const struct perch_segment *s)
{
	uint32_t wnd = (uint32_t)s->wnd << c->snd_scale;

	if (s->ack == c->snd_una && !seq_gt(s->seq, c->snd_wl1) &&
		!(s->seq == c->snd_wl1 && (wnd > c->snd_wnd || wnd == 0)))
		return;
	c->snd_wnd = wnd;
	c->snd_wl1 = s->seq;
	c->snd_wnd_max = RTE_MAX(c->snd_wnd_max, s->wnd);
}

/* Is there more to send, now that there is room? */
static bool wants_output(const struct perch_tcb *c)
{
	const struct perch_outbox *o = tcb_outbox(c);

	if (c->outbox && (o->unsent || o->lost))
		return true;
	return (c->marks & (TCB_FIN_QUEUED | TCB_FIN_SENT)) == TCB_FIN_QUEUED;
}

/* What the ACK has told about data: the outbox has one. */
static void take_news(struct perch_net *net, struct perch_tcb *c, struct perch_tcp_ack *a)
{
	struct perch_outbox *o = tcb_outbox(c);

	if (unlikely(a->s->opts.n_blocks) && (c->marks & TCB_SACK))
		perch_tcp_sack(net, c, a);
	if (unlikely(!outbox_is_calm(o)) || a->dsacked > 0)
		perch_tcp_recover(net, c, a);
	else if (a->limited)
		net->tcp->cc->acked(c, outbox_growth(o, a), a->rtt_us, net->now_ns);
	if (unlikely(o->trial > TRIAL_OUT))
		perch_tcp_mtu_judge(net, c);
	o->progress_ns = net->now_ns;
	if (!o->head) {
		c->sent_tick = tcp_coarse(a->sent_ns);
		perch_tlp_suspend(c);
		perch_outbox_free(net, c);
	}
}

void perch_tcp_acked(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	struct perch_tcp_ack a = {.s = s, .advance = s->ack - c->snd_una,
		.limited = cwnd_limited(c)};

	a.in_order = !c->outbox || tcb_outbox(c)->reo_mult == 0;
	if (likely(c->outbox && takes_all(tcb_outbox(c), &a)))
		take_all(net, c, &a);
	else if (c->outbox)
		take_acked(net, c, &a);
	take_window(c, s); /* asks whether SND.UNA moves */
	c->snd_una = s->ack;
	measure(net, c, &a);
	perch_neigh_confirm(net, &c->path);
	tcp_forget_tries(c);
	c->marks &= (uint16_t)~TCB_RESEND; /* a FIN that timed out has arrived after all */
	if (c->outbox)
		take_news(net, c, &a);
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

/* RFC 2018: what a duplicate ACK tells is in its blocks. */
static void take_blocks(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	struct perch_tcp_ack a = {.s = s, .limited = cwnd_limited(c),
		.in_order = tcb_outbox(c)->reo_mult == 0};

	perch_tcp_sack(net, c, &a);
	if (a.delivered == 0 && a.dsacked == 0)
		return;
	perch_tcp_recover(net, c, &a);
	perch_tcp_timer_choose(net, c);
	perch_tcb_touch(net, c);
}

void perch_tcp_acked_nothing(
	struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	uint32_t wnd = c->snd_wnd;
	bool in_flight = c->outbox && tcb_outbox(c)->head != tcb_outbox(c)->unsent;
	bool sack = c->marks & TCB_SACK;

	/* RFC 8985 section 7.4.2: both copies have come, so nothing was lost. */
	if (unlikely(c->tlp_asked) && (s->opts.n_blocks || (uint32_t)s->wnd << c->snd_scale == wnd))
		c->tlp_asked = 0;
	if (c->timer == TIMER_PERSIST && (c->marks & TCB_OWNED))
		c->retries = 0; /* it is there, it only has no room; we wait while anybody cares */
	if (unlikely(s->opts.n_blocks) && sack && in_flight)
		take_blocks(net, c, s);
	if (is_duplicate(c, s)) {
		net->tcp->counters.dup_acks_in++;
		if (!sack && in_flight)
			perch_tcp_recover_dup_ack(net, c);
		return;
	}
	take_window(c, s);
	if (c->snd_wnd != wnd && wants_output(c))
		perch_tcb_touch(net, c);
}
