/* SPDX-License-Identifier: BSD-3-Clause
 * Pings, UDP datagrams and ICMP errors over both families, compared byte by byte with what the
 * RFCs ask for.
 */
#include <errno.h>
#include <netinet/in.h>

#include "tcp-lite/ip.h"
#include "tcp-lite/udp.h"
#include "tests/suite.h"
#include "tests/tcp-lite/lab.h"

enum { AT_IP = 14 };

static struct lab lab;
static struct frame f, expected;
static const struct perch_ip any = {.d = {0, 0}};

static struct ends ends_of(bool v4)
{
	return v4 ? lab_ends4() : lab_ends6();
}

static void make_bytes(uint8_t *b, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		b[i] = (uint8_t)(i * 37 + len);
}

/* ---- ping ----------------------------------------------------------------------------------- */

static void ping(bool v4, unsigned len)
{
	struct ends e = ends_of(v4), back = packets_reverse(&e);
	uint8_t data[1500];

	make_bytes(data, len);
	frame_icmp(&f, &e, v4 ? 8 : 128, 0, 0x12345678, data, len);
	frame_icmp(&expected, &back, v4 ? 0 : 129, 0, 0x12345678, data, len);
	lab_rx(&lab, &f);
	CU_ASSERT(lab_tx_is(&lab, &expected));
}

static void ping_of_every_length(void)
{
	lab_open(&lab);
	lab_meet_peer(&lab);
	for (unsigned len = 0; len <= 1472; len += len < 70 ? 1 : 97)
		ping(true, len);
	ping(true, 1472);
	for (unsigned len = 0; len <= 1452; len += len < 70 ? 1 : 97)
		ping(false, len);
	ping(false, 1452);
	CU_ASSERT_EQUAL(lab_drops(&lab), 0);
	lab_close(&lab);
}

/* The reply is the request's packet; what the NIC said of that one is not said of this one. */
static void ping_forgets_the_nics_verdict(void)
{
	struct ends e = lab_ends4();
	struct rte_mbuf *m;

	lab_open(&lab);
	lab_meet_peer(&lab);
	frame_icmp(&f, &e, 8, 0, 1, "x", 1);
	m = frame_to_mbuf(lab_pool, &f);
	m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_RSS_HASH;
	lab_rx_mbuf(&lab, m);
	CU_ASSERT_EQUAL_FATAL(lab.net->n_tx, 1);
	CU_ASSERT_EQUAL(lab.net->tx[0]->ol_flags, RTE_MBUF_F_EXTERNAL);
	lab_close(&lab);
}

/* However the driver cuts it. */
static void ping_in_segments(void)
{
	struct ends e = lab_ends6(), back = packets_reverse(&e);
	uint8_t data[1000];

	lab_open(&lab);
	lab_meet_peer(&lab);
	make_bytes(data, sizeof(data));
	frame_icmp(&f, &e, 128, 0, 1, data, sizeof(data));
	frame_icmp(&expected, &back, 129, 0, 1, data, sizeof(data));
	for (unsigned seg = 1; seg < 1200; seg += seg < 60 ? 1 : 111) {
		lab_rx_mbuf(&lab, frame_to_segments(lab_pool, &f, seg));
		CU_ASSERT(lab_tx_is(&lab, &expected));
	}
	lab_close(&lab);
}

static struct rte_mbuf *two_external_pieces(unsigned first)
{
	struct frame part = {.len = 0};
	struct rte_mbuf *head, *tail;

	frame_add(&part, f.b, first);
	head = frame_to_mbuf(lab_pool, &part);
	part.len = 0;
	frame_add(&part, f.b + first, f.len - first);
	tail = frame_to_mbuf(lab_pool, &part);
	rte_pktmbuf_chain(head, tail);
	return head;
}

/* A first segment without room behind: the frame is copied, and the NIC's verdict with it. */
static void ping_in_foreign_segments(void)
{
	struct ends e = lab_ends4(), back = packets_reverse(&e);
	struct rte_mbuf *m;

	lab_open(&lab);
	lab_meet_peer(&lab);
	frame_icmp(&f, &e, 8, 0, 1, "0123456789", 10);
	frame_icmp(&expected, &back, 0, 0, 1, "0123456789", 10);
	lab_rx_mbuf(&lab, two_external_pieces(20));
	CU_ASSERT(lab_tx_is(&lab, &expected));
	m = two_external_pieces(20);
	m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_BAD;
	lab_rx_mbuf(&lab, m);
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_ip4_bad_checksum], 1);
	lab_close(&lab);
}

static void ping_padded(void)
{
	struct ends e = lab_ends4(), back = packets_reverse(&e);

	lab_open(&lab);
	lab_meet_peer(&lab);
	frame_icmp(&f, &e, 8, 0, 1, "x", 1);
	memset(f.b + f.len, 0xee, 60 - f.len); /* Ethernet's padding is not the ping's */
	f.len = 60;
	lab_rx(&lab, &f);
	frame_icmp(&expected, &back, 0, 0, 1, "x", 1);
	CU_ASSERT(lab_tx_is(&lab, &expected));
	lab_close(&lab);
}

/* Unread options, an atomic fragment header, an exhausted route: the packet behind them counts. */
static void ping_behind_headers(void)
{
	static const uint8_t chain[] = {
		43, 0, 0x1e, 4, 0, 0, 0, 0,        /* hop-by-hop: an option to be skipped */
		60, 0, 0, 0, 0, 0, 0, 0,           /* routing, no segments left */
		44, 0, 1, 4, 0, 0, 0, 0,           /* destination options: padding */
		58, 0, 0, 0, 9, 9, 9, 9,           /* a fragment that is the whole */
	};
	struct ends e = lab_ends6(), back = packets_reverse(&e);
	struct frame ping6;

	lab_open(&lab);
	lab_meet_peer(&lab);
	frame_icmp(&ping6, &e, 128, 0, 1, "x", 1);
	frame_ip(&f, &e, 0, chain, sizeof(chain));
	frame_add(&f, ping6.b + 54, ping6.len - 54);
	f.b[AT_IP + 5] = (uint8_t)(sizeof(chain) + 9);
	lab_rx(&lab, &f);
	frame_icmp(&expected, &back, 129, 0, 1, "x", 1);
	CU_ASSERT(lab_tx_is(&lab, &expected));
	lab_close(&lab);
}

static void ping_with_ip4_options(void)
{
	struct ends e = lab_ends4(), back = packets_reverse(&e);
	struct frame plain;

	lab_open(&lab);
	lab_meet_peer(&lab);
	frame_icmp(&plain, &e, 8, 0, 1, "x", 1);
	f = plain;
	f.len = AT_IP + 20;
	f.b[AT_IP] = 0x46;
	f.b[AT_IP + 3] += 4;
	frame_add(&f, (const uint8_t[]){148, 4, 0, 0}, 4); /* router alert */
	frame_add(&f, plain.b + AT_IP + 20, plain.len - AT_IP - 20);
	frame_fix_ip4(&f);
	lab_rx(&lab, &f);
	frame_icmp(&expected, &back, 0, 0, 1, "x", 1);
	CU_ASSERT(lab_tx_is(&lab, &expected));
	lab_close(&lab);
}

/* ---- UDP ------------------------------------------------------------------------------------ */

static void udp_echo(bool v4, unsigned len)
{
	struct ends e = ends_of(v4), back = packets_reverse(&e);
	struct perch_udp *u;
	struct rte_mbuf *m;
	uint8_t data[1500];

	make_bytes(data, len);
	CU_ASSERT_EQUAL_FATAL(perch_udp_open(lab.net, &any, 7, 0, &u), 0);
	frame_udp(&f, &e, 4000, 7, data, len);
	lab_rx(&lab, &f);
	CU_ASSERT_PTR_EQUAL(perch_net_next_ready(lab.net), &u->flow);
	CU_ASSERT_EQUAL(u->flow.events, PERCH_FLOW_READABLE);
	m = perch_udp_take(lab.net, u);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(m->pkt_len, len);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(m, void *), data, len), 0);
	CU_ASSERT(perch_ip_equal(&perch_pkt(m)->udp.src, &e.src));
	CU_ASSERT(perch_ip_equal(&perch_pkt(m)->udp.dst, &e.dst));
	CU_ASSERT_EQUAL(perch_pkt(m)->udp.sport, 4000);
	CU_ASSERT_EQUAL(perch_pkt(m)->udp.dport, 7);
	CU_ASSERT_EQUAL(perch_pkt(m)->time_ns, lab.now_ns);
	rte_pktmbuf_free(m);
	CU_ASSERT_PTR_NULL(perch_udp_take(lab.net, u));

	CU_ASSERT_EQUAL(perch_udp_send(lab.net, u, &e.dst, &e.src, 4000, data, len), 0);
	frame_udp(&expected, &back, 7, 4000, data, len);
	CU_ASSERT(lab_tx_is(&lab, &expected));
	perch_udp_close(lab.net, u);
}

static void udp_both_ways(void)
{
	lab_open(&lab);
	lab_meet_peer(&lab);
	for (unsigned len = 0; len < 40; len++) {
		udp_echo(true, len);
		udp_echo(false, len);
	}
	udp_echo(true, 1472);
	udp_echo(false, 1452);
	CU_ASSERT_EQUAL(lab_drops(&lab), 0);
	lab_close(&lab);
}

static void udp_no_checksum_over_ip4(void)
{
	struct ends e = lab_ends4();
	struct perch_udp *u;

	lab_open(&lab);
	perch_udp_open(lab.net, &any, 7, 0, &u);
	frame_udp(&f, &e, 4000, 7, "x", 1);
	f.b[AT_IP + 26] = f.b[AT_IP + 27] = 0;
	lab_rx(&lab, &f);
	CU_ASSERT_EQUAL(u->queued, 1);
	lab_close(&lab);
}

/* A sum of zero is sent as 0xffff. */
static void udp_checksum_of_zero(void)
{
	struct ends e = lab_ends4(), back = packets_reverse(&e);
	struct perch_udp *u;
	uint8_t data[2];
	uint16_t sum;

	lab_open(&lab);
	lab_meet_peer(&lab);
	perch_udp_open(lab.net, &any, 7, 0, &u);
	frame_udp(&expected, &back, 7, 4000, "\0\0", 2);
	sum = (uint16_t)(expected.b[AT_IP + 26] << 8 | expected.b[AT_IP + 27]);
	data[0] = (uint8_t)(sum >> 8); /* what is missing to all ones */
	data[1] = (uint8_t)sum;
	frame_udp(&expected, &back, 7, 4000, data, 2);
	CU_ASSERT_EQUAL(expected.b[AT_IP + 26], 0xff);
	CU_ASSERT_EQUAL(expected.b[AT_IP + 27], 0xff);
	perch_udp_send(lab.net, u, &any, &e.src, 4000, data, 2);
	CU_ASSERT(lab_tx_is(&lab, &expected));
	lab_close(&lab);
}

/* UDP's own length may be shorter than IP's. */
static void udp_length_rules(void)
{
	struct ends e = lab_ends4();
	struct perch_udp *u;
	struct rte_mbuf *m;

	lab_open(&lab);
	perch_udp_open(lab.net, &any, 7, 0, &u);
	frame_udp(&f, &e, 4000, 7, "abc", 3);
	frame_add(&f, "surplus", 7);
	f.b[AT_IP + 3] += 7;
	frame_fix_ip4(&f);
	lab_rx(&lab, &f);
	m = perch_udp_take(lab.net, u);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(m->pkt_len, 3);
	rte_pktmbuf_free(m);
	lab_close(&lab);
}

static void udp_sockets(void)
{
	struct perch_ip ours = packets_ip("10.0.0.1"), other = packets_ip("10.0.0.9");
	struct perch_ip zero = packets_ip("0.0.0.0");
	struct perch_udp *wide, *narrow, *u;
	struct ends e = lab_ends4();

	lab_open(&lab);
	CU_ASSERT_EQUAL(perch_udp_open(lab.net, &any, 7, 0, &wide), 0);
	CU_ASSERT_EQUAL(perch_udp_open(lab.net, &ours, 7, 0, &narrow), 0);
	CU_ASSERT_EQUAL(perch_udp_open(lab.net, &any, 7, 0, &u), -EADDRINUSE);
	CU_ASSERT_EQUAL(perch_udp_open(lab.net, &zero, 7, 0, &u), -EADDRINUSE);
	CU_ASSERT_EQUAL(perch_udp_open(lab.net, &ours, 7, 0, &u), -EADDRINUSE);
	CU_ASSERT_EQUAL(perch_udp_open(lab.net, &other, 7, 0, &u), -EADDRNOTAVAIL);
	frame_udp(&f, &e, 4000, 7, "x", 1);
	lab_rx(&lab, &f);
	CU_ASSERT_EQUAL(narrow->queued, 1);
	CU_ASSERT_EQUAL(wide->queued, 0);
	e = lab_ends6();
	frame_udp(&f, &e, 4000, 7, "x", 1);
	lab_rx(&lab, &f);
	CU_ASSERT_EQUAL(wide->queued, 1);
	perch_udp_close(lab.net, narrow); /* it leaves the ready list, the other one stays */
	CU_ASSERT_PTR_EQUAL(perch_net_next_ready(lab.net), &wide->flow);
	CU_ASSERT_PTR_NULL(perch_net_next_ready(lab.net));
	lab_close(&lab); /* with a datagram queued */
}

/* Closing takes a socket out of the ready list wherever it stands in it. */
static void udp_closed_while_ready(void)
{
	struct ends e = lab_ends4();
	struct perch_udp *u[4];

	lab_open(&lab);
	for (uint16_t i = 0; i < 3; i++) {
		perch_udp_open(lab.net, &any, 7 + i, 0, &u[i]);
		frame_udp(&f, &e, 4000, 7 + i, "x", 1);
		lab_rx(&lab, &f);
	}
	perch_udp_close(lab.net, u[2]);
	perch_udp_open(lab.net, &any, 10, 0, &u[3]);
	frame_udp(&f, &e, 4000, 10, "x", 1);
	lab_rx(&lab, &f);
	perch_udp_close(lab.net, u[1]);
	CU_ASSERT_PTR_EQUAL(perch_net_next_ready(lab.net), &u[0]->flow);
	CU_ASSERT_PTR_EQUAL(perch_net_next_ready(lab.net), &u[3]->flow);
	CU_ASSERT_PTR_NULL(perch_net_next_ready(lab.net));
	lab_close(&lab);
}

static void udp_ephemeral_ports(void)
{
	struct perch_udp *u[64], *more;

	lab_open(&lab);
	for (unsigned i = 0; i < 64; i++) {
		CU_ASSERT_EQUAL_FATAL(perch_udp_open(lab.net, &any, 0, 0, &u[i]), 0);
		CU_ASSERT(u[i]->flow.lport >= 49152);
		for (unsigned k = 0; k < i; k++)
			CU_ASSERT_NOT_EQUAL(u[i]->flow.lport, u[k]->flow.lport);
	}
	CU_ASSERT_EQUAL(perch_udp_open(lab.net, &any, 0, 0, &more), -ENOBUFS);
	perch_udp_close(lab.net, u[5]);
	CU_ASSERT_EQUAL(perch_udp_open(lab.net, &any, 9, 0, &more), 0);
	lab_close(&lab);
}

static void udp_send_refusals(void)
{
	struct perch_ip peer = packets_ip("10.0.0.2"), peer6 = packets_ip("fd00::2");
	struct perch_ip not_ours = packets_ip("10.0.0.9");
	static const uint8_t data[65528];
	struct perch_udp *u;

	lab_open(&lab);
	perch_udp_open(lab.net, &any, 7, 0, &u);
	CU_ASSERT_EQUAL(perch_udp_send(lab.net, u, &any, &peer, 1, data, 65508), -EMSGSIZE);
	CU_ASSERT_EQUAL(perch_udp_send(lab.net, u, &any, &peer6, 1, data, 65528), -EMSGSIZE);
	CU_ASSERT_EQUAL(perch_udp_send(lab.net, u, &any, &any, 1, data, 1), -ENETUNREACH);
	CU_ASSERT_EQUAL(
		perch_udp_send(lab.net, u, &not_ours, &peer, 1, data, 1), -EADDRNOTAVAIL);
	CU_ASSERT_EQUAL(
		perch_udp_send(lab.net, u, &peer6, &peer, 1, data, 1), -EADDRNOTAVAIL);
	lab_close(&lab);
}

/* Jumbo datagrams take several buffers on the way out and fit one on the way in or are refused. */
static void udp_jumbo(void)
{
	struct ends e = lab_ends6(), back = packets_reverse(&e);
	struct perch_net_config cfg;
	struct perch_udp *u;
	uint8_t data[3952];

	lab_config(&cfg);
	cfg.ifs[0].mtu = 4000;
	lab_open_with(&lab, &cfg);
	lab_meet_peer(&lab);
	make_bytes(data, sizeof(data));
	perch_udp_open(lab.net, &any, 7, 0, &u);
	CU_ASSERT_EQUAL(
		perch_udp_send(lab.net, u, &any, &e.src, 4000, data, sizeof(data)), 0);
	frame_udp(&expected, &back, 7, 4000, data, sizeof(data));
	CU_ASSERT(lab_tx_is(&lab, &expected));
	CU_ASSERT_EQUAL(perch_udp_send(lab.net, u, &any, &e.src, 4000, data, 3001), 0);
	frame_udp(&expected, &back, 7, 4000, data, 3001);
	CU_ASSERT(lab_tx_is(&lab, &expected));
	lab_close(&lab);
}

/* ---- errors about what we sent -------------------------------------------------------------- */

struct error_case {
	bool v4;
	uint8_t type, code;
	uint32_t rest;
	int err;
	uint32_t mtu;
};

static void errors_reach_tcp(void)
{
	static const struct error_case cases[] = {
		{true, 3, 0, 0, -ENETUNREACH, 0},
		{true, 3, 1, 0, -EHOSTUNREACH, 0},
		{true, 3, 2, 0, -ECONNREFUSED, 0},
		{true, 3, 3, 0, -ECONNREFUSED, 0},
		{true, 3, 4, 1400, -EMSGSIZE, 1400}, /* RFC 1191 */
		{true, 3, 13, 0, -EHOSTUNREACH, 0},
		{true, 11, 0, 0, -EHOSTUNREACH, 0},
		{true, 12, 0, 0, -EPROTO, 0},
		{false, 1, 0, 0, -ENETUNREACH, 0},
		{false, 1, 3, 0, -EHOSTUNREACH, 0},
		{false, 1, 4, 0, -ECONNREFUSED, 0},
		{false, 2, 0, 1280, -EMSGSIZE, 1280}, /* RFC 8201 */
		{false, 3, 0, 0, -EHOSTUNREACH, 0},
		{false, 4, 1, 6, -EPROTO, 0},
	};
	struct frame quoted;

	lab_open(&lab);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct error_case *c = &cases[i];
		struct ends e = ends_of(c->v4), back = packets_reverse(&e);

		frame_tcp(&quoted, &back, 1025, 80, 0xdeadbeef, 0, 16, 1000, "data", 4);
		e.src = packets_ip(c->v4 ? "192.0.2.1" : "fd99::1"); /* a router on the way */
		frame_icmp(&f, &e, c->type, c->code, c->rest, quoted.b + AT_IP,
			c->v4 ? 28 : quoted.len - AT_IP);
		lab_rx(&lab, &f);
		CU_ASSERT_EQUAL(lab_tcp.errors, i + 1);
		CU_ASSERT_EQUAL(lab_tcp.error.err, c->err);
		CU_ASSERT_EQUAL(lab_tcp.error.mtu, c->mtu);
		CU_ASSERT_EQUAL(lab_tcp.error.lport, 1025);
		CU_ASSERT_EQUAL(lab_tcp.error.rport, 80);
		CU_ASSERT_EQUAL(lab_tcp.error.seq, 0xdeadbeef);
		CU_ASSERT(perch_ip_equal(&lab_tcp.error.laddr, &back.src));
		CU_ASSERT(perch_ip_equal(&lab_tcp.error.raddr, &back.dst));
	}
	CU_ASSERT_EQUAL(lab_drops(&lab), 0);
	CU_ASSERT(lab_tx_none(&lab)); /* errors are never answered */
	lab_close(&lab);
}

static void errors_about_udp(void)
{
	struct ends e = lab_ends4(), back = packets_reverse(&e);
	struct frame quoted;
	struct perch_udp *u;

	lab_open(&lab);
	perch_udp_open(lab.net, &any, 7, 0, &u);
	frame_udp(&quoted, &back, 7, 9, "x", 1);
	frame_icmp(&f, &e, 3, 3, 0, quoted.b + AT_IP, 28);
	lab_rx(&lab, &f);
	CU_ASSERT_EQUAL(lab_drops(&lab), 0);
	lab_close(&lab);
}

/* ---- errors that we send -------------------------------------------------------------------- */

/* RFC 1812 section 4.3.2.3, RFC 4443 section 2.4 (c): how much is quoted. */
static void errors_quote_enough(void)
{
	uint8_t data[1400] = {1, 2, 3};
	struct ends e, back;

	lab_open(&lab);
	lab_meet_peer(&lab);
	e = lab_ends4();
	back = packets_reverse(&e);
	frame_udp(&f, &e, 1, 9, data, sizeof(data));
	lab_rx(&lab, &f);
	frame_icmp(&expected, &back, 3, 3, 0, f.b + AT_IP, 548);
	CU_ASSERT(lab_tx_is(&lab, &expected));
	e = lab_ends6();
	back = packets_reverse(&e);
	frame_udp(&f, &e, 1, 9, data, sizeof(data));
	lab_rx(&lab, &f);
	frame_icmp(&expected, &back, 1, 4, 0, f.b + AT_IP, 1232);
	CU_ASSERT(lab_tx_is(&lab, &expected));
	lab_close(&lab);
}

/* 1,000 a second after a burst of 43 to 50. */
static void errors_are_rate_limited(void)
{
	struct ends e = lab_ends4();
	unsigned sent;

	lab_open(&lab);
	lab_meet_peer(&lab);
	frame_udp(&f, &e, 1, 9, "", 0);
	for (int i = 0; i < 100; i++)
		lab_rx(&lab, &f);
	sent = lab.net->n_tx;
	CU_ASSERT(sent >= 43 && sent <= 50);
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_icmp_rate_limited], 100 - sent);
	for (int i = 0; i < 100; i++) { /* twice as fast as allowed */
		lab.now_ns += LAB_MS / 2;
		lab_rx(&lab, &f);
	}
	CU_ASSERT(lab.net->n_tx - sent >= 49 && lab.net->n_tx - sent <= 51);
	lab_close(&lab);
}

int main(int argc, char **argv)
{
	const struct suite_case suite[] = {
		{"ping: of every length", ping_of_every_length},
		{"ping: forgets the NIC's verdict", ping_forgets_the_nics_verdict},
		{"ping: in segments", ping_in_segments},
		{"ping: in foreign segments", ping_in_foreign_segments},
		{"ping: padded", ping_padded},
		{"ping: behind extension headers", ping_behind_headers},
		{"ping: with IPv4 options", ping_with_ip4_options},
		{"udp: both ways", udp_both_ways},
		{"udp: no checksum over IPv4", udp_no_checksum_over_ip4},
		{"udp: a checksum of zero", udp_checksum_of_zero},
		{"udp: length rules", udp_length_rules},
		{"udp: sockets", udp_sockets},
		{"udp: closed while ready", udp_closed_while_ready},
		{"udp: ephemeral ports", udp_ephemeral_ports},
		{"udp: send refusals", udp_send_refusals},
		{"udp: jumbo", udp_jumbo},
		{"errors: reach TCP", errors_reach_tcp},
		{"errors: about UDP", errors_about_udp},
		{"errors: quote enough", errors_quote_enough},
		{"errors: are rate-limited", errors_are_rate_limited},
		{NULL, NULL},
	};

	lab_pool = packets_start("l3_answers");
	return suite_main("l3 answers", suite, argc, argv);
}
