/* SPDX-License-Identifier: BSD-3-Clause
 * RACK-TLP (RFC 8985): a segment is lost when one that was sent later, by more than the reordering
 * that we allow for, has arrived; and when nothing arrives any more, a probe brings out whether the
 * last ones did.
 *
 * Segments on their way are linked by the time of their sending, so a look costs no more than what
 * it finds lost. Instead of one timer for the last of those that may yet turn out late (section 6.2
 * step 5), the timer is for the first of them and then for the next: the timing wheel makes one of
 * what lies close together.
 */
#include "tcp-lite/tcp_inside.h"

enum {
	PTO_MIN_US = 1000,   /* for the sake of the timing wheel, not of the network */
	PTO_FIRST_US = 1000000, /* no round trip was measured yet (section 7.2) */
	REO_PERSIST = 16,    /* recoveries without a D-SACK until we believe in order again */
};

/* Section 3.2, RACK_sent_after. */
static bool sent_after(int64_t a_ns, uint32_t a_end, int64_t b_ns, uint32_t b_end)
{
	return a_ns > b_ns || (a_ns == b_ns && seq_gt(a_end, b_end));
}

/* ---- what has arrived ----------------------------------------------------------------------- */

/* Half of the smoothed one until there is a measurement: it must not be too large. */
static uint32_t min_rtt_us(const struct perch_tcb *c)
{
	uint32_t us = tcb_outbox(c)->min_rtt_us;

	return us == UINT32_MAX ? c->srtt_us >> 4 : us;
}

/* Section 6.2 step 2: an ACK of something sent twice may be for the first time. */
static bool is_for_the_first(const struct perch_net *net, const struct perch_tcb *c,
	const struct perch_pkt *p, const struct perch_tcp_opts *opts)
{
	uint32_t sent_ms = (uint32_t)(p->time_ns / MS_NS) + c->ts_offset;

	if (p->tcp.sent <= 1)
		return false;
	if ((c->marks & TCB_TS) && opts->has_ts && seq_lt(opts->ts_ecr, sent_ms))
		return true;
	return net->now_ns - p->time_ns < (int64_t)min_rtt_us(c) * 1000;
}

/* Step 3: something beyond it came first. */
static void see_order(struct perch_outbox *o, const struct perch_pkt *p, uint32_t end)
{
	if (seq_gt(end, o->rack_fack))
		o->rack_fack = end;
	else if (seq_lt(end, o->rack_fack) && p->tcp.sent == 1 && o->reo_mult == 0)
		o->reo_mult = 1;
}

void perch_rack_arrived(const struct perch_net *net, const struct perch_tcb *c,
	const struct rte_mbuf *m, const struct perch_tcp_opts *opts)
{
	const struct perch_pkt *p = perch_pkt((struct rte_mbuf *)(uintptr_t)m);
	uint32_t end = p->tcp.seq + p->tcp.len, rtt_us;
	struct perch_outbox *o = tcb_outbox(c);

	see_order(o, p, end);
	if (unlikely(is_for_the_first(net, c, p, opts)))
		return;
	rtt_us = (uint32_t)((net->now_ns - p->time_ns) / 1000);
	if (p->tcp.sent == 1) /* step 1 */
		o->min_rtt_us = RTE_MIN(o->min_rtt_us, rtt_us);
	if (!sent_after(p->time_ns, end, o->rack_ns, o->rack_end))
		return;
	o->rack_ns = p->time_ns;
	o->rack_end = end;
	o->rack_rtt_us = rtt_us;
}

/* ---- what has not --------------------------------------------------------------------------- */

/* Step 4. */
static int64_t reo_wnd_ns(const struct perch_tcb *c)
{
	const struct perch_outbox *o = tcb_outbox(c);
	int64_t wnd_us;

	if (o->reo_mult == 0 && (o->phase != PHASE_OPEN || o->sacked_mbufs >= DUP_ACKS))
		return 0;
	wnd_us = (int64_t)RTE_MAX(o->reo_mult, (uint8_t)1) * min_rtt_us(c) / 4;
	return RTE_MIN(wnd_us, (int64_t)(c->srtt_us >> 3)) * 1000;
}

/* Step 5. */
unsigned perch_rack_detect(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *o = tcb_outbox(c);
	int64_t patience_ns = (int64_t)o->rack_rtt_us * 1000 + reo_wnd_ns(c);
	struct rte_mbuf *m;
	unsigned found = 0;

	o->reo_ns = PERCH_NET_NEVER;
	while ((m = o->oldest)) {
		const struct perch_pkt *p = perch_pkt(m);

		if (!sent_after(o->rack_ns, o->rack_end, p->time_ns, p->tcp.seq + p->tcp.len))
			break;
		if (p->time_ns + patience_ns > net->now_ns) {
			o->reo_ns = p->time_ns + patience_ns;
			break;
		}
		perch_outbox_lose(o, m);
		found++;
	}
	return found;
}

/* Once in a round trip. */
void perch_rack_dsacked(struct perch_tcb *c, uint32_t ack)
{
	struct perch_outbox *o = tcb_outbox(c);

	if (o->reo_persist > 0 && seq_lt(ack, o->dsack_round))
		return;
	o->dsack_round = c->snd_nxt;
	o->reo_mult += o->reo_mult < UINT8_MAX;
	o->reo_persist = REO_PERSIST;
}

/* RFC 8985 section 6.2 step 4 adds a quarter of the shortest round trip for each round trip with a
 * D-SACK. Where a queue has made round trips a thousand times longer that would take minutes, while
 * a needless repetition which is told by its timestamp also tells how long to wait for the next. */
void perch_rack_late(struct perch_tcb *c, int64_t late_ns)
{
	struct perch_outbox *o = tcb_outbox(c);
	int64_t quarters = late_ns / 250 / RTE_MAX(min_rtt_us(c), 1u) + 1;

	o->reo_mult = (uint8_t)RTE_MIN(o->reo_mult + quarters, UINT8_MAX);
	o->reo_persist = REO_PERSIST;
}

void perch_rack_recovered(struct perch_outbox *o)
{
	if (o->reo_persist > 0 && --o->reo_persist == 0)
		o->reo_mult = 1;
}

/* ---- probes for a lost tail ----------------------------------------------------------------- */

/* Section 7.2. */
static int64_t pto_ns(const struct perch_net *net, const struct perch_tcb *c)
{
	int64_t ns;

	if (unlikely(c->srtt_us == 0))
		return PTO_FIRST_US * INT64_C(1000);
	ns = 2000 * (int64_t)(c->srtt_us >> 3);
	if (c->snd_nxt - c->snd_una <= c->mss) /* its ACK may be a delayed one */
		ns += net->cfg.rto_min_ns;
	return RTE_MAX(ns, PTO_MIN_US * INT64_C(1000));
}

void perch_tlp_schedule(const struct perch_net *net, struct perch_tcb *c, int64_t rto_at_ns)
{
	struct perch_outbox *o = tcb_outbox(c);

	if ((c->marks & TCB_SACK) && outbox_is_calm(o) && o->head != o->unsent)
		o->pto_ns = RTE_MIN(net->now_ns + pto_ns(net, c), rto_at_ns);
	else
		o->pto_ns = PERCH_NET_NEVER;
}

/* The segment in flight with the highest number. */
static struct rte_mbuf *last_sent(const struct perch_outbox *o)
{
	struct rte_mbuf *m = o->newest, *next;

	while ((next = perch_pkt(m)->next) && next != o->unsent)
		m = next;
	return m;
}

/* Section 7.3: new data if there is some and the window lets it go, else the last segment again. */
void perch_tlp_send(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *o = tcb_outbox(c);

	o->pto_ns = PERCH_NET_NEVER;
	if (!o->newest)
		return;
	net->tcp->counters.loss_probes++;
	o->urgent = 1;
	if (o->unsent && seq_lt(perch_pkt(o->unsent)->tcp.seq, c->snd_una + c->snd_wnd)) {
		o->tlp = TLP_NEW;
		o->tlp_end = RTE_MIN(perch_pkt(o->unsent)->tcp.len, (uint32_t)c->mss) + c->snd_nxt;
	} else {
		o->tlp = TLP_AGAIN;
		o->tlp_end = c->snd_nxt;
		perch_outbox_lose(o, last_sent(o));
	}
	o->rto_base_ns = net->now_ns;
	perch_tcb_touch(net, c);
}

/* Section 7.4.2. Whether an ACK of exactly what was probed for is one of the first copy or of the
 * second, only the next ACK shows. */
bool perch_tlp_acked(struct perch_tcb *c, const struct perch_tcp_ack *a)
{
	struct perch_outbox *o = tcb_outbox(c);
	bool repaired;

	if (o->tlp == TLP_NONE || seq_lt(a->s->ack, o->tlp_end))
		return false;
	repaired = o->tlp == TLP_AGAIN && a->dsacked == 0 && seq_gt(a->s->ack, o->tlp_end);
	if (repaired || o->tlp == TLP_NEW || a->dsacked > 0 || a->advance == 0)
		o->tlp = TLP_NONE;
	return repaired;
}

/* A probe that repeated the last segment, of which one copy is acknowledged: the connection may be
 * idle until the other is, and its outbox gone. */
void perch_tlp_suspend(struct perch_tcb *c)
{
	c->tlp_asked = tcb_outbox(c)->tlp == TLP_AGAIN;
}

void perch_tlp_resume(struct perch_outbox *o, struct perch_tcb *c)
{
	if (likely(!c->tlp_asked))
		return;
	c->tlp_asked = 0;
	o->tlp = TLP_AGAIN;
	o->tlp_end = c->snd_nxt;
}
