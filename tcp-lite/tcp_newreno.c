/* SPDX-License-Identifier: BSD-3-Clause
 * NewReno's window (RFC 5681), by bytes acknowledged (RFC 3465), from an initial window of ten
 * segments (RFC 6928).
 */
#include <rte_common.h>

#include "tcp-lite/tcp_cc.h"
#include "tcp-lite/tcp_inside.h"

enum {
	INITIAL_SEGMENTS = 10,
	INITIAL_BYTES = 14600,
	STRETCH = 2, /* segments that one ACK may count for in slow start: RFC 3465's L */
};

static void open(struct perch_tcb *c)
{
	c->cwnd = RTE_MIN((uint32_t)INITIAL_SEGMENTS * c->mss,
		RTE_MAX(2u * c->mss, (uint32_t)INITIAL_BYTES));
	c->ssthresh = INT32_MAX;
}

static void acked(struct perch_tcb *c, uint32_t bytes, int64_t now_ns)
{
	uint32_t mss = c->mss;
	struct perch_outbox *o = c->outbox;

	(void)now_ns;
	if (c->cwnd < c->ssthresh) {
		c->cwnd += RTE_MIN(bytes, STRETCH * mss);
		return;
	}
	/* A segment for each window that was acknowledged. */
	if (!o)
		return;
	o->acked += bytes;
	if (o->acked >= c->cwnd) {
		o->acked -= c->cwnd;
		c->cwnd += mss;
	}
}

static uint32_t threshold(struct perch_tcb *c, uint32_t flight_bytes)
{
	return RTE_MAX(flight_bytes / 2, 2u * c->mss); /* RFC 5681 equation 4 */
}

const struct perch_tcp_cc perch_tcp_newreno = {
	.name = "newreno",
	.open = open,
	.acked = acked,
	.threshold = threshold,
};
