/* SPDX-License-Identifier: BSD-3-Clause
 * Segments that are made and not sent: they are what would have left, and nothing knows of them.
 */
#include <string.h>

#include "tests/tcp-lite/talk.h"

enum { ORDER = 50 };

static uint8_t order[2000];

/* All that may be seen of sending, of the connection and beside it. */
struct view {
	struct perch_tcb tcb;
	struct perch_tcp_counters counters;
	uint64_t drops[PERCH_DROP_COUNT];
	uint64_t tx_packets, tx_bytes;
	uint32_t n_tx;
};

static void look(struct view *v)
{
	memset(v, 0, sizeof(*v));
	memcpy(&v->tcb, talk.c, sizeof(v->tcb));
	memcpy(&v->counters, perch_tcp_counters(talk.net), sizeof(v->counters));
	v->counters.warmed = 0;
	memcpy(v->drops, talk.net->drops, sizeof(v->drops));
	v->tx_packets = talk.net->tx_packets;
	v->tx_bytes = talk.net->tx_bytes;
	v->n_tx = talk.net->n_tx;
}

static uint64_t warmed(void)
{
	return perch_tcp_counters(talk.net)->warmed;
}

/* Returns what the call does; *m, if given, is the packet, which is freed else. */
static int warm(uint32_t len, struct rte_mbuf **m)
{
	struct view before, after;
	struct rte_mbuf *made;
	uint64_t so_far = warmed();
	uint32_t i;
	int rc;

	for (i = 0; i < len && i < sizeof(order); i++)
		order[i] = talk_byte(talk.written + i);
	look(&before);
	rc = perch_tcp_warm(talk.net, talk.c, order, len, &made);
	look(&after);
	check(memcmp(&before, &after, sizeof(before)) == 0);
	check((rc == 0) == (made != NULL));
	check(warmed() == so_far + (rc == 0));
	if (m)
		*m = made;
	else
		rte_pktmbuf_free(made);
	return rc;
}

/* With all that the kernel's connections agree on. */
static void begin(void)
{
	talk_begin();
	accepts("mss full,sackok,scale 7,ts 1 0");
}

static void nothing_leaves(void)
{
	unsigned i;

	begin();
	for (i = 0; i < 100; i++)
		check(warm(ORDER, NULL) == 0);
	no_tx_until(3 * SECOND); /* nor is a timer on */
	writes(ORDER);
	tx("PA 1:51 ack 1");
	tx_after(0, SECOND, "PA 1:51"); /* its loss probe */
	rx("A 1 ack 51");
	no_tx_until(3 * SECOND);
	check(warm(ORDER, NULL) == 0);
	writes(ORDER);
	tx("PA 51:101 ack 1");
	rx("A 1 ack 101");
	talk_end();
}

/* Byte for byte, and the port would have been asked for the same. */
static void it_is_what_would_leave(void)
{
	struct rte_mbuf *made, *sent;

	begin();
	check(warm(ORDER, &made) == 0);
	check(perch_tcp_write(talk.net, talk.c, order, ORDER) == ORDER);
	perch_tcp_push(talk.net, talk.c);
	check(talk.net->n_tx == 1);
	sent = talk.net->tx[0];
	check(made != NULL && made->pkt_len == sent->pkt_len && made->nb_segs == 1);
	check(made->ol_flags == sent->ol_flags && made->tx_offload == sent->tx_offload);
	check(memcmp(rte_pktmbuf_mtod(made, void *), rte_pktmbuf_mtod(sent, void *),
		      sent->pkt_len) == 0);
	check(rte_mbuf_refcnt_read(made) == 1);
	rte_pktmbuf_free(made);
	talk.written += ORDER;
	tx("PA 1:51 ack 1");
	rx("A 1 ack 51");
	talk_end();
}

static void not_while_something_is_under_way(void)
{
	begin();
	writes(ORDER);
	check(warm(ORDER, NULL) == -EAGAIN); /* queued */
	tx("PA 1:51");
	check(warm(ORDER, NULL) == -EAGAIN); /* in flight */
	rx("A 1 ack 51");
	check(warm(ORDER, NULL) == 0);
	rx("PA 1:11 ack 51");
	check(warm(ORDER, NULL) == -EAGAIN); /* not read, and an ACK is due */
	tx("A 51 ack 11");
	reads(10);
	check(warm(ORDER, NULL) == 0);
	rx("PA 21:31 ack 51"); /* behind a hole */
	check(warm(ORDER, NULL) == -EAGAIN);
	check(forget_tx() > 0);
	check(warm(ORDER, NULL) == -EAGAIN); /* the hole is still there */
	talk_end();
}

/* A datagram, say. */
static void packets_that_wait_stay(void)
{
	struct rte_mbuf *m;

	begin();
	m = rte_pktmbuf_alloc(talk.net->pool);
	talk.net->tx[talk.net->n_tx++] = m;
	check(warm(ORDER, NULL) == -EAGAIN);
	check(talk.net->n_tx == 1 && talk.net->tx[0] == m);
	talk.net->n_tx = 0;
	rte_pktmbuf_free(m);
	talk_end();
}

/* Of what is owed and what was put off nothing is paid by it. */
static void a_delayed_ack_stays_due(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.delack_ns = 40 * MS;
	talk_begin_with(&cfg);
	accepts("mss 1000,sackok");
	rx("A 1:11 ack 1");
	reads(10);
	check(warm(ORDER, NULL) == 0);
	tx_after(30 * MS, 50 * MS, "A 1 ack 11");
	talk_end();
}

static void only_what_may_be_sent(void)
{
	begin();
	check(warm(0, NULL) == -EINVAL);
	check(warm(talk.c->mss + 1u, NULL) == -EINVAL);
	check(warm(talk.c->mss, NULL) == 0);
	rx("A 1 ack 1 win 0");
	check(warm(ORDER, NULL) == -EAGAIN); /* the window is closed */
	rx("A 1 ack 1 win 1000");
	check(warm(ORDER, NULL) == 0);
	perch_tcp_shutdown(talk.net, talk.c);
	check(warm(ORDER, NULL) == -EAGAIN); /* a FIN is about to leave */
	tx("FA 1");
	check(warm(ORDER, NULL) == -EPIPE);
	talk_end();
}

static void not_before_it_is_open(void)
{
	talk_begin();
	dials();
	tx("S 0");
	check(warm(ORDER, NULL) == -ENOTCONN);
	no_tx();
	talk_end();
}

/* A connection that is quiet for long finds cwnd as it was left, and may shrink it when it sends,
 * but not for a rehearsal. */
static void idle_time_is_not_over(void)
{
	uint32_t cwnd;

	begin();
	writes(8000);
	while (forget_tx() > 0)
		rx("A 1");
	cwnd = talk.c->cwnd;
	pass(20 * SECOND);
	warm(ORDER, NULL);
	check(talk.c->cwnd == cwnd);
	forget_tx();
	talk_end();
}

/* Somebody else's segment waits for its turn: it is not mixed up with what does not leave. */
static void others_may_send_first(void)
{
	struct talk first;

	talk_begin();
	accepts("mss 1000,sackok");
	first = talk;
	talk.peer_port = 4001;
	talk.written = 0;
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1");
	rx("A 1 ack 1");
	event(PERCH_FLOW_ACCEPTED);
	writes(10);
	turn_to(&first);
	check(warm(ORDER, NULL) == -EAGAIN);
	check(forget_tx() == 1);
	check(warm(ORDER, NULL) == 0);
	talk_end();
}

/* No packet buffer: counted for nobody, as nothing was to be sent. */
static void the_pool_is_empty(void)
{
	struct rte_mbuf *held[4096];
	unsigned n = 0, i;

	begin();
	while (n < RTE_DIM(held) && (held[n] = rte_pktmbuf_alloc(talk.net->pool)))
		n++;
	check(n < RTE_DIM(held));
	check(warm(ORDER, NULL) == -ENOBUFS);
	for (i = 0; i < n; i++)
		rte_pktmbuf_free(held[i]);
	check(warm(ORDER, NULL) == 0);
	talk_end();
}

int main(int argc, char **argv)
{
	const struct suite_case cases[] = {
		{"nothing leaves", nothing_leaves},
		{"it is what would leave", it_is_what_would_leave},
		{"not while something is under way", not_while_something_is_under_way},
		{"packets that wait stay", packets_that_wait_stay},
		{"a delayed ACK stays due", a_delayed_ack_stays_due},
		{"only what may be sent", only_what_may_be_sent},
		{"not before it is open", not_before_it_is_open},
		{"idle time is not over", idle_time_is_not_over},
		{"others may send first", others_may_send_first},
		{"the pool is empty", the_pool_is_empty},
		{NULL, NULL},
	};

	return talk_main("tcp warm", cases, argc, argv);
}
