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

void perch_tcp_cc_open(struct perch_tcb *c)
{
	c->cwnd = RTE_MIN((uint32_t)INITIAL_SEGMENTS * c->mss,
		RTE_MAX(2u * c->mss, (uint32_t)INITIAL_BYTES));
	c->ssthresh = INT32_MAX;
}

void *perch_tcp_cc_room(struct perch_tcb *c)
{
	return c->outbox->cc;
}
