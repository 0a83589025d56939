/* SPDX-License-Identifier: BSD-3-Clause
 * The round-trip time and the timeout that follows from it (RFC 6298).
 */
#include "tcp-lite/tcp_inside.h"

enum { INITIAL_RTO_US = 1000000 }; /* RFC 6298 (2.1) */

void perch_tcp_rtt_open(struct perch_tcb *c)
{
	c->rttvar_us = INITIAL_RTO_US;
}

/* srtt is kept times 8 and rttvar times 4, so that their gains of 1/8 and 1/4 lose no bits; the 4
 * is also the K of (2.3). */
void perch_tcp_rtt_sample(struct perch_tcb *c, int64_t rtt_us)
{
	const int64_t longest_us = 60 * 1000 * 1000;
	int32_t us = (int32_t)RTE_MIN(RTE_MAX(rtt_us, 1), longest_us);
	int32_t error;

	if (c->srtt_us == 0) {
		c->srtt_us = (uint32_t)us << 3;
		c->rttvar_us = (uint32_t)us << 1;
	} else {
		error = us - (int32_t)(c->srtt_us >> 3);
		c->srtt_us = (uint32_t)((int32_t)c->srtt_us + error);
		error = (error < 0 ? -error : error) - (int32_t)(c->rttvar_us >> 2);
		c->rttvar_us = (uint32_t)((int32_t)c->rttvar_us + error);
	}
}
