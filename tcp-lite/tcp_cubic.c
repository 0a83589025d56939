/* SPDX-License-Identifier: BSD-3-Clause
 * CUBIC (RFC 9438), which leaves slow start by HyStart++ (RFC 9406).
 *
 * The window is a function of the time since the last loss, in milliseconds: for round trips below
 * that the Reno-friendly estimate leads anyhow. Windows are in bytes, with 16 bits of fraction
 * where they grow by less.
 */
#include <rte_common.h>

#include "tcp-lite/tcp_cc.h"
#include "tcp-lite/tcp_seq.h"

enum {
	SLOW_START_STRETCH = 8, /* segments that one ACK may count for: RFC 9406 section 4.3's L */
	CSS_DIVISOR = 4,        /* the rest of these: RFC 9406 section 4.3 */
	CSS_ROUNDS = 5,
	RTT_SAMPLES = 8,
	THRESH_MIN_US = 4000,
	THRESH_MAX_US = 16000,
	LONGEST_MS = 200000,    /* of an epoch: the cube of it, times a segment, fits 64 bits */
};

struct cubic {
	uint32_t w_max;      /* cwnd before the last reduction */
	uint32_t w_max_was;  /* and before that, for undo */
	uint32_t origin;     /* where the curve is flat */
	uint32_t epoch_ms;   /* when this avoidance of congestion began */
	uint32_t k_ms;       /* how long until the origin is reached */
	uint32_t fraction;   /* of cwnd, in 1/65536 bytes */
	uint64_t w_est;      /* Reno-friendly window, in 1/65536 bytes */
	bool in_epoch, in_css;
	uint8_t css_rounds, samples;
	uint32_t round_end;  /* HyStart++: a round is over when this is acknowledged */
	uint32_t last_min_us, min_us, css_base_us; /* 0: none */
};
static_assert(sizeof(struct cubic) <= PERCH_TCP_CC_ROOM, "it fits");

/* ---- slow start: RFC 9406 section 4.2 ------------------------------------------------------- */

static void next_round(struct perch_tcb *c, struct cubic *q)
{
	q->round_end = c->snd_nxt;
	q->last_min_us = q->min_us;
	q->min_us = 0;
	q->samples = 0;
	if (q->in_css && ++q->css_rounds >= CSS_ROUNDS)
		c->ssthresh = c->cwnd;
}

static void watch_rtt(struct cubic *q, uint32_t rtt_us)
{
	uint32_t thresh_us;

	q->min_us = q->min_us ? RTE_MIN(q->min_us, rtt_us) : rtt_us;
	q->samples += q->samples < RTT_SAMPLES;
	if (q->samples < RTT_SAMPLES)
		return;
	if (q->in_css) {
		q->in_css = q->min_us >= q->css_base_us; /* else it was a false alarm */
	} else if (q->last_min_us) {
		thresh_us = RTE_MIN(RTE_MAX(q->last_min_us / 8, (uint32_t)THRESH_MIN_US),
			(uint32_t)THRESH_MAX_US);
		q->in_css = q->min_us >= q->last_min_us + thresh_us;
		q->css_base_us = q->min_us;
		q->css_rounds = 0;
	}
}

static void slow_start(struct perch_tcb *c, struct cubic *q, uint32_t bytes, uint32_t rtt_us)
{
	bytes = RTE_MIN(bytes, (uint32_t)SLOW_START_STRETCH * c->mss);
	c->cwnd += q->in_css ? bytes / CSS_DIVISOR : bytes;
	if (c->ssthresh != INT32_MAX || rtt_us == 0)
		return; /* only the first slow start looks for the end */
	watch_rtt(q, rtt_us);
	if (q->round_end == 0 || seq_ge(c->snd_una, q->round_end))
		next_round(c, q);
}

/* ---- congestion avoidance: RFC 9438 section 4 ----------------------------------------------- */

static uint32_t cube_root(uint64_t a)
{
	uint64_t root = 0, bit, next;

	for (bit = UINT64_C(1) << 20; bit; bit >>= 1) {
		next = root | bit;
		if (next * next * next <= a)
			root = next;
	}
	return (uint32_t)root;
}

/* Section 4.2, figure 2: K = cbrt((W_max - cwnd) / C), C = 0.4 segments per cubic second. */
static void begin(struct perch_tcb *c, struct cubic *q, uint32_t now_ms)
{
	uint64_t segments_times_1000;

	q->in_epoch = true;
	q->epoch_ms = now_ms;
	q->w_est = (uint64_t)c->cwnd << 16;
	q->fraction = 0;
	q->k_ms = 0;
	q->origin = c->cwnd;
	if (c->cwnd >= q->w_max)
		return;
	q->origin = q->w_max;
	segments_times_1000 = (uint64_t)(q->w_max - c->cwnd) * 1000 / c->mss;
	q->k_ms = cube_root(segments_times_1000 * 2500000); /* / 0.4, in cubic milliseconds */
}

/* Figure 1: C (t - K)^3 + W_max. */
static uint32_t w_cubic(const struct perch_tcb *c, const struct cubic *q, uint32_t t_ms)
{
	int64_t d = (int64_t)RTE_MIN(t_ms, (uint32_t)LONGEST_MS) - q->k_ms;
	int64_t w = q->origin + d * d * d / 1000 * 2 / 5 * c->mss / 1000000;

	return (uint32_t)RTE_MIN(RTE_MAX(w, 0), INT32_MAX);
}

/* Section 4.3: what Reno would have, with a slope (alpha) that makes up for beta, until it has made
 * good what the last loss cost. */
static uint32_t w_reno(struct perch_tcb *c, struct cubic *q, uint32_t bytes)
{
	uint64_t step = ((uint64_t)c->mss << 16) * bytes / c->cwnd;

	q->w_est += q->w_est >> 16 < q->w_max ? step * 9 / 17 : step;
	return (uint32_t)RTE_MIN(q->w_est >> 16, (uint64_t)INT32_MAX);
}

/* Sections 4.4 and 4.5: towards where the curve will be a round trip from now. */
static void approach(struct perch_tcb *c, struct cubic *q, uint32_t target, uint32_t bytes)
{
	uint64_t step;

	target = RTE_MIN(target, c->cwnd + c->cwnd / 2);
	if (target <= c->cwnd)
		return;
	step = ((uint64_t)(target - c->cwnd) << 16) * bytes / c->cwnd + q->fraction;
	q->fraction = (uint32_t)(step & 0xffff);
	c->cwnd += (uint32_t)(step >> 16);
}

static void acked(struct perch_tcb *c, uint32_t bytes, uint32_t rtt_us, int64_t now_ns)
{
	struct cubic *q = perch_tcp_cc_room(c);
	uint32_t now_ms = (uint32_t)(now_ns / 1000000), t_ms, reno;

	if (c->cwnd < c->ssthresh) {
		slow_start(c, q, bytes, rtt_us);
		return;
	}
	if (!q->in_epoch)
		begin(c, q, now_ms);
	t_ms = now_ms - q->epoch_ms;
	reno = w_reno(c, q, bytes);
	if (w_cubic(c, q, t_ms) < reno)
		c->cwnd = RTE_MAX(c->cwnd, reno);
	else
		approach(c, q, w_cubic(c, q, t_ms + (c->srtt_us >> 3) / 1000), bytes);
}

/* Sections 4.6 and 4.7. cwnd and not what is in flight counts, for cwnd does not grow when it is
 * not used (tcp_ack.c). Fast convergence: one that gets less than last time has a new rival, and
 * makes room for it. */
static uint32_t threshold(struct perch_tcb *c, uint32_t flight_bytes)
{
	struct cubic *q = perch_tcp_cc_room(c);

	(void)flight_bytes;
	q->in_epoch = q->in_css = false;
	q->w_max_was = q->w_max;
	q->w_max = c->cwnd < q->w_max ? (uint32_t)((uint64_t)c->cwnd * 17 / 20) : c->cwnd;
	return RTE_MAX((uint32_t)((uint64_t)c->cwnd * 7 / 10), 2u * c->mss);
}

/* Section 4.9. */
static void undo(struct perch_tcb *c)
{
	struct cubic *q = perch_tcp_cc_room(c);

	q->w_max = q->w_max_was;
	q->in_epoch = false;
}

const struct perch_tcp_cc perch_tcp_cubic = {
	.name = "cubic",
	.acked = acked,
	.threshold = threshold,
	.undo = undo,
};
