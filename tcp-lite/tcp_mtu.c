/* SPDX-License-Identifier: BSD-3-Clause
 * How long a segment may be that the path lets through: what routers tell of it and whether that is
 * believed (RFC 5927 section 7.2); what their silence tells (RFC 4821 section 7.7, RFC 8899 section
 * 4.3); and whether longer ones go through after all, which is tried with text that waits anyhow
 * (RFC 4821 section 7).
 *
 * Few connections ever come here, so what they need is in a small table by id: of two that meet in
 * it, the later has to begin anew, with a pause. Without SACK nothing is tried, for the loss of a
 * trial could cost a timeout.
 */
#include "tcp-lite/pmtu.h"
#include "tcp-lite/tcp_inside.h"

enum {
	MTU4_LEAST = 576,     /* RFC 5927 section 7: a lie cannot make us send dust */
	MTU_BASE = 1280,      /* RFC 8899 section 5.1.2; the least of IPv6 */
	SILENT_TIMEOUTS = 3,  /* of a long segment, in a row: the path swallows it (Linux: 3) */
	SEARCH_FINE = 16,     /* bytes: known as closely as this, an MTU is known */
	SEGMENTS_BEHIND = 4,  /* a trial: their SACKs tell of its loss without a timeout */
};

#define TRIAL_PAUSE_NS S_NS         /* between trials that failed */
#define RAISE_PAUSE_NS (600 * S_NS) /* RFC 8899 section 5.1.1: then from the top again */

static uint32_t overhead(const struct perch_tcb *c)
{
	return tcp_headers_bytes(&c->raddr) + (c->marks & TCB_TS ? TCP_TIMES_BYTES : 0u);
}

static uint32_t least_mtu(const struct perch_tcb *c)
{
	return perch_ip_is_v4(&c->raddr) ? MTU4_LEAST : MTU_BASE;
}

/* ---- what is known of one that searches ----------------------------------------------------- */

static void begin_search(struct perch_net *net, struct perch_tcb *c, int64_t pause_ns)
{
	uint32_t id = tcb_id(net, c);

	c->mtu_search = 1;
	net->tcp->searches[id % TCP_SEARCHES] = (struct perch_tcp_search){
		.id = id, .next_ns = net->now_ns + pause_ns};
}

static struct perch_tcp_search *search_of(struct perch_net *net, struct perch_tcb *c)
{
	uint32_t id = tcb_id(net, c);
	struct perch_tcp_search *s = &net->tcp->searches[id % TCP_SEARCHES];

	if (s->id != id || s->next_ns == 0)
		begin_search(net, c, TRIAL_PAUSE_NS);
	return s;
}

/* ---- narrower ------------------------------------------------------------------------------- */

/* Segments that are too long are cut when they are sent again, which is now. cwnd stays: it was not
 * congestion. */
static void narrow(struct perch_net *net, struct perch_tcb *c, uint32_t mtu)
{
	c->mss = (uint16_t)(mtu - overhead(c));
	c->mtu_proven = 0;
	if (c->outbox && tcb_outbox(c)->head != tcb_outbox(c)->unsent)
		perch_tcp_recover_narrow(net, c);
}

/* RFC 8201, RFC 1191. A router may have forgotten the narrow link when pmtu.c has. */
static void believe(struct perch_net *net, struct perch_tcb *c, uint32_t mtu)
{
	narrow(net, c, mtu);
	begin_search(net, c, RAISE_PAUSE_NS);
}

bool perch_tcp_mtu_told(
	struct perch_net *net, struct perch_tcb *c, uint32_t mtu, uint32_t seq)
{
	struct perch_outbox *o = tcb_outbox(c);

	mtu = RTE_MAX(mtu, least_mtu(c));
	if (!tcp_synchronized(c) || mtu - overhead(c) >= c->mss)
		return true; /* no news for this connection */
	if (!c->mtu_proven) {
		believe(net, c, mtu);
		return true;
	}
	net->tcp->counters.mtu_reports_doubted++;
	if (c->outbox) {
		o->told_mtu = (uint16_t)mtu;
		o->told_seq = seq;
	}
	return false;
}

/* What a timeout says about the length of what was lost: nothing, or the MTU to try. If what is no
 * longer than that vanishes too, with the next timeout, what every host must take. */
static uint32_t silence_tells(const struct perch_tcb *c)
{
	uint32_t bytes = perch_pkt(tcb_outbox(c)->head)->tcp.len + overhead(c);

	if (bytes > MTU_BASE)
		return c->retries >= SILENT_TIMEOUTS ? MTU_BASE : 0;
	return c->retries > SILENT_TIMEOUTS && bytes > least_mtu(c) ? least_mtu(c) : 0;
}

void perch_tcp_mtu_timeout(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *o = tcb_outbox(c);
	uint32_t mtu;

	if (o->head == o->unsent)
		return;
	if (o->told_mtu && seq_le(c->snd_una, o->told_seq)) { /* no progress: so it was true */
		perch_pmtu_learn(net, &c->raddr, o->told_mtu);
		mtu = o->told_mtu;
		o->told_mtu = 0;
		if (mtu - overhead(c) < c->mss)
			believe(net, c, mtu);
		return;
	}
	o->told_mtu = 0;
	mtu = silence_tells(c);
	if (mtu == 0 || mtu - overhead(c) >= c->mss)
		return;
	net->tcp->counters.black_holes++;
	begin_search(net, c, TRIAL_PAUSE_NS); /* it may have been an outage: try soon */
	narrow(net, c, mtu);
}

/* ---- wider ---------------------------------------------------------------------------------- */

/* The next length to try, or 0: nothing to gain. First all that the path is believed to take, then
 * halfway to what did not go. */
static uint16_t trial_of(const struct perch_net *net, const struct perch_tcb *c,
	const struct perch_tcp_search *s)
{
	uint16_t most = perch_tcp_mss(net, c);

	if (s->high && s->high <= most)
		most = s->high - c->mss <= SEARCH_FINE ? 0 : (uint16_t)((c->mss + s->high) / 2);
	return most > c->mss ? most : 0;
}

/* The first segment that waits becomes so long, with what waits behind it. */
static bool lengthen(struct perch_net *net, struct perch_outbox *o, uint32_t bytes)
{
	struct rte_mbuf *m = o->unsent, *next;
	struct perch_pkt *p = perch_pkt(m), *q;
	uint32_t n;

	if (rte_mbuf_refcnt_read(m) > 1 || (p->tcp.flags & SEG_LENT) ||
		p->tcp.off + bytes > m->buf_len)
		return false;
	p->tcp.summed = false;
	while (p->tcp.len < bytes) {
		next = p->next;
		q = perch_pkt(next);
		n = RTE_MIN(q->tcp.len, bytes - p->tcp.len);
		memcpy((uint8_t *)m->buf_addr + p->tcp.off + p->tcp.len,
			(const uint8_t *)next->buf_addr + q->tcp.off, n);
		p->tcp.len += n;
		q->tcp.seq += n;
		q->tcp.off = (uint16_t)(q->tcp.off + n);
		q->tcp.len -= n;
		q->tcp.summed = false;
		if (q->tcp.len > 0)
			break;
		p->next = q->next;
		o->mbufs--;
		net->held--;
		rte_pktmbuf_free_seg(next);
	}
	return true;
}

/* RFC 4821 section 7.4: only when all is well, and when enough follows that its loss will be told
 * by SACKs. */
static bool may_try(const struct perch_tcb *c, uint32_t bytes)
{
	const struct perch_outbox *o = tcb_outbox(c);
	uint32_t wanted = bytes + SEGMENTS_BEHIND * (uint32_t)c->mss;

	return o->phase == PHASE_OPEN && o->trial == TRIAL_NONE && !o->lost && o->urgent == 0 &&
		o->end - c->snd_nxt >= wanted && perch_tcp_pipe(c) + wanted <= c->cwnd &&
		c->snd_nxt + wanted - c->snd_una <= c->snd_wnd;
}

void perch_tcp_mtu_try(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_tcp_search *s = search_of(net, c);
	struct perch_outbox *o = tcb_outbox(c);
	uint16_t bytes;

	if (net->now_ns < s->next_ns || !(c->marks & TCB_SACK))
		return;
	bytes = trial_of(net, c, s);
	if (bytes == 0) { /* and then from the top */
		s->high = 0;
		s->next_ns = net->now_ns + RAISE_PAUSE_NS;
		return;
	}
	if (!may_try(c, bytes) || perch_pkt(o->unsent)->tcp.len > bytes || !lengthen(net, o, bytes))
		return;
	net->tcp->counters.mtu_trials++;
	perch_pkt(o->unsent)->tcp.flags |= SEG_TRIAL;
	o->trial = TRIAL_OUT;
	o->trial_bytes = bytes;
}

/* Returns true if it was lost: that was its length and no congestion (RFC 4821 section 7.5). */
bool perch_tcp_mtu_judge(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_tcp_search *s = search_of(net, c);
	struct perch_outbox *o = tcb_outbox(c);
	bool lost = o->trial == TRIAL_LOST;

	o->trial = TRIAL_NONE;
	if (lost) {
		net->tcp->counters.mtu_trials_lost++;
		s->high = o->trial_bytes;
		s->next_ns = net->now_ns + TRIAL_PAUSE_NS;
		o->urgent = RTE_MAX(o->urgent, (uint8_t)2); /* its two halves, at once */
		perch_tcb_touch(net, c);
	} else if (o->trial_bytes > c->mss) {
		c->mss = o->trial_bytes;
		c->mtu_proven = 1;
		s->next_ns = net->now_ns;
	}
	return lost;
}
