/* SPDX-License-Identifier: BSD-3-Clause
 * NewReno's window (RFC 5681), by bytes acknowledged (RFC 3465).
 */
#include <rte_common.h>

#include "tcp-lite/tcp_cc.h"

enum { STRETCH = 2 }; /* segments that one ACK may count for in slow start: RFC 3465's L */

struct newreno {
	uint32_t acked; /* bytes acknowledged that have not yet raised cwnd */
};
static_assert(sizeof(struct newreno) <= PERCH_TCP_CC_ROOM, "it fits");

static void acked(struct perch_tcb *c, uint32_t bytes, uint32_t rtt_us, int64_t now_ns)
{
	struct newreno *r = perch_tcp_cc_room(c);
	uint32_t mss = c->mss;

	(void)rtt_us;
	(void)now_ns;
	if (c->cwnd < c->ssthresh) {
		c->cwnd += RTE_MIN(bytes, STRETCH * mss);
		return;
	}
	/* A segment for each window that was acknowledged. */
	r->acked += bytes;
	if (r->acked >= c->cwnd) {
		r->acked -= c->cwnd;
		c->cwnd += mss;
	}
}

static uint32_t threshold(struct perch_tcb *c, uint32_t flight_bytes)
{
	struct newreno *r = perch_tcp_cc_room(c);

	r->acked = 0;
	flight_bytes = RTE_MIN(flight_bytes, c->cwnd); /* without limited transmit's (RFC 3042) */
	return RTE_MAX(flight_bytes / 2, 2u * c->mss); /* RFC 5681 equation 4 */
}

const struct perch_tcp_cc perch_tcp_newreno = {
	.name = "newreno",
	.acked = acked,
	.threshold = threshold,
};
