/* SPDX-License-Identifier: BSD-3-Clause
 * The algorithms of congestion control by name, and what they have in common.
 */
#include "tcp-lite/tcp_inside.h"

enum { INITIAL_SEGMENTS = 10, INITIAL_BYTES = 14600 }; /* RFC 6928 section 2 */

const struct perch_tcp_cc *perch_tcp_cc_find(const char *name)
{
	const struct perch_tcp_cc *const all[] = {&perch_tcp_cubic, &perch_tcp_newreno};
	unsigned i;

	if (!name)
		return all[0];
	for (i = 0; i < RTE_DIM(all); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

static uint32_t initial_window(const struct perch_tcb *c)
{
	return RTE_MIN((uint32_t)INITIAL_SEGMENTS * c->mss,
		RTE_MAX(2u * c->mss, (uint32_t)INITIAL_BYTES));
}

void perch_tcp_cc_open(struct perch_tcb *c)
{
	c->cwnd = initial_window(c);
	c->ssthresh = INT32_MAX;
}

/* RFC 5681 section 4.1, by RFC 2861's halves, as Linux does it: one for each timeout that went by
 * since the last data was sent, down to the initial window. ssthresh remembers most of it, so that
 * slow start is soon back. */
void perch_tcp_cc_after_idle(const struct perch_net *net, struct perch_tcb *c)
{
	int64_t idle_ns = tcp_coarse_age_ns(net, c->sent_tick), rto_ns = tcp_rto_ns(net, c);
	uint32_t least = initial_window(c);

	if (net->cfg.keep_cwnd || idle_ns <= rto_ns || c->cwnd <= least)
		return;
	c->ssthresh = RTE_MAX(c->ssthresh, c->cwnd / 4 * 3);
	for (; idle_ns > rto_ns && c->cwnd > least; idle_ns -= rto_ns)
		c->cwnd = RTE_MAX(c->cwnd / 2, least);
}

void *perch_tcp_cc_room(struct perch_tcb *c)
{
	return tcb_outbox(c)->cc;
}
