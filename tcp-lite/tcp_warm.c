/* SPDX-License-Identifier: BSD-3-Clause
 * Sending without sending, for who sends seldom: caches and branch predictors see the way again.
 *
 * It is the way itself that is gone, on the connection itself, and what it changed is put back. A
 * second way that changes nothing would warm other code and other lines; a flag that every step of
 * the real one asks for would cost each segment, and one step that forgets to ask sends an order.
 * So it is done only when little can change: c is quiet, and so is all that may send.
 */
#include "tcp-lite/neigh.h"
#include "tcp-lite/tcp_inside.h"

struct before {
	struct perch_tcb tcb;
	struct perch_tcp_counters counters;
	uint32_t n_arm;
	uint64_t tx_packets, tx_bytes, exhausted;
};

/* Nothing of c is under way, nobody is about to send, and no segment would ask who the peer is. */
static bool is_quiet(struct perch_net *net, const struct perch_tcb *c)
{
	return !c->outbox && !c->inbox && !c->mtu_search && net->n_tx == 0 &&
		net->tcp->output_end == 0 && perch_neigh_ready(net, &c->path);
}

static void note(const struct perch_net *net, const struct perch_tcb *c, struct before *b)
{
	const struct perch_tcp *t = net->tcp;

	*b = (struct before){.tcb = *c, .counters = t->counters, .n_arm = t->n_arm,
		.tx_packets = net->tx_packets, .tx_bytes = net->tx_bytes,
		.exhausted = net->drops[PERCH_DROP_mbuf_exhausted]};
}

/* The side block goes back where it came from, which frees what it holds. */
static void put_back(struct perch_net *net, struct perch_tcb *c, const struct before *b)
{
	struct perch_tcp *t = net->tcp;

	perch_outbox_free(net, c);
	*c = b->tcb;
	t->counters = b->counters;
	t->output_first = t->output_end = 0;
	t->n_arm = b->n_arm;
	net->n_tx = 0;
	net->tx_packets = b->tx_packets;
	net->tx_bytes = b->tx_bytes;
	net->drops[PERCH_DROP_mbuf_exhausted] = b->exhausted;
}

int perch_tcp_warm(struct perch_net *net, struct perch_tcb *c, const void *data, uint32_t len,
	struct rte_mbuf **out)
{
	struct before before;
	int64_t n;

	*out = NULL;
	if (len == 0 || len > c->mss)
		return -EINVAL;
	if (!is_quiet(net, c))
		return -EAGAIN;
	note(net, c, &before);
	n = perch_tcp_write(net, c, data, len);
	if (n > 0)
		perch_tcp_push(net, c);
	if (net->n_tx > 0)
		*out = net->tx[0]; /* it has a reference of its own */
	put_back(net, c, &before);
	net->tcp->counters.warmed += *out != NULL;
	return *out ? 0 : n < 0 ? (int)n : -EAGAIN;
}
