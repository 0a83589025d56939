/* SPDX-License-Identifier: BSD-3-Clause
 * Fragments: what comes in pieces is put together in any order and within limits, what is longer
 * than the path takes leaves in pieces; path MTUs; VLAN tags.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "tcp-lite/ip.h"
#include "tcp-lite/mcast.h"
#include "tcp-lite/udp.h"
#include "tests/suite.h"
#include "tests/tcp-lite/lab.h"

enum { AT_IP = 14, PORT = 7 };

static struct lab lab;
static struct frame f;
static struct perch_udp *sock;
static const struct perch_ip any = {.d = {0, 0}};

/* A datagram that is sent to us in pieces: UDP header and data. */
static struct {
	struct ends e;
	uint8_t b[65535];
	unsigned len, id, proto;
} whole;

static void open_lab(void)
{
	lab_open(&lab);
	lab_meet_peer(&lab);
	CU_ASSERT_EQUAL_FATAL(perch_udp_open(lab.net, &any, PORT, 0, &sock), 0);
}

static void fill(uint8_t *b, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		b[i] = (uint8_t)(i * 31 + i / 251);
}

/* With `len` bytes of data; over IPv4 without a checksum when it does not fit a frame. */
static void make_whole(bool v4, unsigned len)
{
	static uint8_t data[65535];
	struct frame udp;

	whole.e = v4 ? lab_ends4() : lab_ends6();
	whole.id = 0x1234;
	whole.proto = IPPROTO_UDP;
	whole.len = len + 8;
	fill(data, len);
	if (len <= 4000) {
		frame_udp(&udp, &whole.e, 4000, PORT, data, len);
		memcpy(whole.b, udp.b + (v4 ? 34 : 54), whole.len);
		return;
	}
	memcpy(whole.b, (const uint8_t[]){4000 >> 8, 4000 & 255, 0, PORT,
		(uint8_t)(whole.len >> 8), (uint8_t)whole.len, 0, 0}, 8);
	memcpy(whole.b + 8, data, len);
}

static void make_piece(unsigned at, unsigned len, bool more)
{
	uint8_t header[8] = {(uint8_t)whole.proto, 0, (uint8_t)(at >> 8), (uint8_t)(at | more),
		0, 0, (uint8_t)(whole.id >> 8), (uint8_t)whole.id};

	if (!perch_ip_is_v4(&whole.e.dst)) {
		frame_ip(&f, &whole.e, IPPROTO_FRAGMENT, header, 8);
		frame_add(&f, whole.b + at, len);
		f.b[AT_IP + 4] = (uint8_t)((len + 8) >> 8);
		f.b[AT_IP + 5] = (uint8_t)(len + 8);
		return;
	}
	frame_ip(&f, &whole.e, (uint8_t)whole.proto, whole.b + at, len);
	f.b[AT_IP + 4] = (uint8_t)(whole.id >> 8);
	f.b[AT_IP + 5] = (uint8_t)whole.id;
	f.b[AT_IP + 6] = (uint8_t)((more ? 0x20 : 0) | at / 8 >> 8);
	f.b[AT_IP + 7] = (uint8_t)(at / 8);
	frame_fix_ip4(&f);
}

static void rx_piece(unsigned at, unsigned len, bool more)
{
	make_piece(at, len, more);
	lab_rx(&lab, &f);
}

/* The piece from `at` on, of at most `size` bytes. */
static void rx_nth(unsigned n, unsigned size)
{
	unsigned at = n * size, len = RTE_MIN(size, whole.len - at);

	rx_piece(at, len, at + len < whole.len);
}

/* Is what lies in the socket the whole, in one piece? */
static bool got_whole(void)
{
	struct rte_mbuf *m = perch_udp_take(lab.net, sock);
	bool same;

	if (!m)
		return false;
	same = m->nb_segs == 1 && m->data_len == whole.len - 8 &&
		memcmp(rte_pktmbuf_mtod(m, void *), whole.b + 8, m->data_len) == 0;
	rte_pktmbuf_free(m);
	return same;
}

static uint64_t drops(enum perch_drop name)
{
	return lab.net->drops[name];
}

/* ---- in ------------------------------------------------------------------------------------- */

static void in_any_order(bool v4)
{
	static const unsigned orders[][4] = {
		{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}, {1, 3, 0, 2}};

	for (unsigned i = 0; i < 4; i++) {
		make_whole(v4, 3992);
		whole.id += i;
		for (unsigned k = 0; k < 4; k++) {
			CU_ASSERT_PTR_NULL(sock->rxq.head);
			rx_nth(orders[i][k], 1000);
		}
		CU_ASSERT(got_whole());
	}
}

static void any_order(void)
{
	open_lab();
	in_any_order(true);
	in_any_order(false);
	CU_ASSERT_EQUAL(lab_drops(&lab), 0);
	CU_ASSERT_EQUAL(perch_net_next_tick(lab.net) > lab.now_ns, 1);
	lab_close(&lab);
}

/* RFC 791: 65,535 bytes with the header; RFC 768: 65,507 of data. */
static void longest(void)
{
	open_lab();
	make_whole(true, 65507);
	for (unsigned n = 0; n * 1480 < whole.len; n++)
		rx_nth(n, 1480);
	CU_ASSERT(got_whole());
	make_whole(true, 65507);
	rx_piece(0, 1480, true);
	rx_piece(65504, 16, false); /* the ping of death */
	CU_ASSERT_EQUAL(drops(PERCH_DROP_frag_too_big), 1);
	lab_close(&lab);
}

/* One that fits a packet buffer does not keep one of reassembly from others. */
static void small_ones_move(void)
{
	struct rte_mbuf *m;

	open_lab();
	for (unsigned i = 0; i < 100; i++) {
		make_whole(true, 1600);
		whole.id += i;
		rx_nth(0, 800);
		rx_nth(1, 800);
		rx_nth(2, 800);
	}
	CU_ASSERT_EQUAL(sock->queued, 100);
	m = perch_udp_take(lab.net, sock);
	CU_ASSERT(RTE_MBUF_DIRECT(m));
	rte_pktmbuf_free(m);
	lab_close(&lab);
}

/* A large one keeps its buffer until it is read; a quarter of them is one source's share. */
static void large_ones_wait(void)
{
	unsigned read = 0;

	open_lab();
	for (unsigned i = 0; i < 10; i++) {
		make_whole(true, 5000);
		whole.id += i;
		for (unsigned n = 0; n < 4; n++)
			rx_nth(n, 1480);
	}
	CU_ASSERT_EQUAL(sock->queued, 8);
	CU_ASSERT_EQUAL(drops(PERCH_DROP_frag_table_full), 8); /* four pieces of two datagrams */
	while (got_whole())
		read++;
	CU_ASSERT_EQUAL(read, 8);
	whole.id += 100;
	for (unsigned n = 0; n < 4; n++)
		rx_nth(n, 1480);
	CU_ASSERT(got_whole());
	lab_close(&lab);
}

/* RFC 5722 section 4: not only the piece that overlaps, but all of the datagram, also what comes
 * later. */
static void overlap(bool v4, unsigned at, unsigned len)
{
	make_whole(v4, 3992);
	whole.id += at + len;
	rx_nth(0, 1000);
	rx_nth(2, 1000);
	whole.b[at + 1] ^= 1;
	rx_piece(at, len, true);
	whole.b[at + 1] ^= 1;
	rx_nth(1, 1000);
	rx_nth(3, 1000);
	CU_ASSERT_PTR_NULL(sock->rxq.head);
}

static void overlaps(void)
{
	open_lab();
	for (unsigned v4 = 0; v4 < 2; v4++) {
		overlap(v4, 0, 1000);    /* the same place, other bytes */
		overlap(v4, 992, 1008);  /* a tail */
		overlap(v4, 1496, 1000); /* a head */
		overlap(v4, 1000, 2000); /* all of another */
		overlap(v4, 8, 16);      /* within another */
	}
	CU_ASSERT_EQUAL(drops(PERCH_DROP_frag_overlap), 2 * 5 * 3);
	CU_ASSERT_EQUAL(lab_drops(&lab), 2 * 5 * 3);
	lab_pass(&lab, 61 * LAB_S);
	CU_ASSERT(lab_tx_none(&lab)); /* silently */
	lab_close(&lab);
}

/* Two ends, or data behind the end, contradict each other as overlaps do. */
static void two_ends(void)
{
	open_lab();
	make_whole(true, 3992);
	rx_piece(3000, 1000, false);
	rx_piece(2000, 504, false);
	rx_piece(0, 2000, true);
	rx_piece(2000, 1000, true);
	CU_ASSERT_EQUAL(drops(PERCH_DROP_frag_overlap), 3);
	whole.id++;
	rx_piece(3000, 1000, true);
	rx_piece(2000, 504, false);
	CU_ASSERT_EQUAL(drops(PERCH_DROP_frag_overlap), 4);
	whole.id++;
	rx_piece(2000, 504, false);
	rx_piece(3000, 1000, true);
	CU_ASSERT_EQUAL(drops(PERCH_DROP_frag_overlap), 5);
	CU_ASSERT_PTR_NULL(sock->rxq.head);
	lab_close(&lab);
}

/* RFC 8200 section 4.5: exact copies are the network's doing. */
static void copies_are_ignored(void)
{
	open_lab();
	make_whole(false, 2992);
	rx_nth(0, 1000);
	rx_nth(0, 1000);
	rx_nth(2, 1000);
	rx_nth(2, 1000);
	rx_nth(1, 1000);
	CU_ASSERT(got_whole());
	CU_ASSERT_EQUAL(drops(PERCH_DROP_frag_duplicate), 2);
	lab_close(&lab);
}

/* Same addresses, other identification, other protocol: other datagrams. */
static void keys(void)
{
	open_lab();
	make_whole(true, 1992);
	rx_nth(0, 1000);
	whole.id++;
	rx_nth(1, 1000);
	whole.id--;
	whole.proto = IPPROTO_ICMP;
	rx_nth(1, 1000);
	CU_ASSERT_PTR_NULL(sock->rxq.head);
	whole.proto = IPPROTO_UDP;
	rx_nth(1, 1000);
	CU_ASSERT(got_whole());
	lab_close(&lab);
}

/* RFC 792, RFC 4443 section 3.3: the sender of a first piece is told after 60 s, with no more than
 * what has come of it. */
static void times_out(bool v4)
{
	struct frame answer;
	unsigned at = v4 ? 34 : 54;

	make_whole(v4, 2992);
	rx_nth(0, 1000);
	lab_pass(&lab, 59 * LAB_S);
	while (!lab_tx_none(&lab))
		lab_tx(&lab, &answer); /* nothing but talk among neighbours */
	lab_pass(&lab, 2 * LAB_S);
	lab_tx(&lab, &answer);
	CU_ASSERT_EQUAL(answer.b[at], v4 ? 11 : 3);
	CU_ASSERT_EQUAL(answer.b[at + 1], 1);
	CU_ASSERT(answer.len <= at + 8 + (v4 ? 20 : 40) + 1000);
	CU_ASSERT_EQUAL(memcmp(answer.b + at + 8 + (v4 ? 20 : 40), whole.b, 64), 0);
	rx_nth(1, 1000);
	rx_nth(2, 1000);
	CU_ASSERT_PTR_NULL(sock->rxq.head);
	lab_pass(&lab, 61 * LAB_S); /* without the first piece nobody can be told */
	while (!lab_tx_none(&lab)) {
		lab_tx(&lab, &answer);
		CU_ASSERT(answer.b[at] != (v4 ? 11 : 3));
	}
}

static void timeouts(void)
{
	open_lab();
	times_out(true);
	times_out(false);
	CU_ASSERT_EQUAL(drops(PERCH_DROP_frag_timeout), 4);
	lab_close(&lab);
}

/* Whoever floods us with first pieces loses his own: the oldest make room. */
static void flood(void)
{
	open_lab();
	for (unsigned i = 0; i < 200; i++) {
		make_whole(true, 1992);
		whole.e.src.b[15] = (uint8_t)(20 + i); /* forged */
		rx_nth(0, 1000);
	}
	make_whole(true, 1992);
	rx_nth(0, 1000);
	rx_nth(1, 1000);
	CU_ASSERT(got_whole());
	CU_ASSERT_EQUAL(drops(PERCH_DROP_frag_table_full), 200 - 32 + 1);
	lab_close(&lab);
}

/* RFC 7112: the first piece of an IPv6 datagram shows what it is. */
static void first_piece_without_headers(void)
{
	open_lab();
	make_whole(false, 1992);
	whole.proto = IPPROTO_DSTOPTS;
	whole.b[0] = IPPROTO_UDP;
	whole.b[1] = 4; /* 40 bytes, of which 32 come */
	rx_piece(0, 32, true);
	CU_ASSERT_EQUAL(drops(PERCH_DROP_frag_malformed), 1);
	lab_tx(&lab, &f);
	CU_ASSERT_EQUAL(f.b[54], 4); /* parameter problem */
	CU_ASSERT_EQUAL(f.b[55], 3); /* section 5: incomplete header chain */
	lab_close(&lab);
}

/* RFC 8200 section 4.5: what must be told of pieces that cannot be. */
static void impossible_pieces(void)
{
	open_lab();
	make_whole(false, 1992);
	rx_piece(0, 1001, true);
	lab_tx(&lab, &f);
	CU_ASSERT_EQUAL(f.b[54], 4);
	CU_ASSERT_EQUAL(f.b[55], 0);
	CU_ASSERT_EQUAL(f.b[61], 4); /* the payload length */
	rx_piece(65528, 16, false);
	lab_tx(&lab, &f);
	CU_ASSERT_EQUAL(f.b[61], 42); /* the fragment offset */
	make_whole(true, 1992);
	rx_piece(0, 1001, true);
	rx_piece(1000, 0, false);
	CU_ASSERT_EQUAL(drops(PERCH_DROP_frag_malformed), 4);
	CU_ASSERT(lab_tx_none(&lab));
	lab_close(&lab);
}

/* What TCP queues must not hold a buffer of reassembly. */
static void tcp_in_pieces(void)
{
	static uint8_t data[3000];
	struct frame tcp;

	open_lab();
	make_whole(true, 0);
	whole.proto = IPPROTO_TCP;
	frame_tcp(&tcp, &whole.e, 4000, 80, 1, 2, 16, 1000, data, 1000);
	whole.len = tcp.len - 34;
	memcpy(whole.b, tcp.b + 34, whole.len);
	rx_nth(0, 800);
	rx_nth(1, 800);
	CU_ASSERT_EQUAL(lab_tcp.segments, 1);
	whole.id++;
	frame_tcp(&tcp, &whole.e, 4000, 80, 1, 2, 16, 1000, data, 3000);
	whole.len = tcp.len - 34;
	memcpy(whole.b, tcp.b + 34, whole.len);
	for (unsigned n = 0; n < 4; n++)
		rx_nth(n, 800);
	CU_ASSERT_EQUAL(lab_tcp.segments, 1);
	CU_ASSERT_EQUAL(drops(PERCH_DROP_frag_too_big), 1);
	lab_close(&lab);
}

/* To several members of a group, who share the buffer. */
static void to_a_group(void)
{
	struct perch_ip group = packets_ip("239.1.1.1");
	struct perch_udp *a, *b;

	open_lab();
	CU_ASSERT_EQUAL(perch_udp_open(lab.net, &group, PORT, 0, &a), 0);
	CU_ASSERT_EQUAL(perch_udp_open(lab.net, &group, PORT, 0, &b), 0);
	CU_ASSERT_EQUAL(perch_mcast_join(lab.net, 0, a, &group, &any), 0);
	CU_ASSERT_EQUAL(perch_mcast_join(lab.net, 0, b, &group, &any), 0);
	make_whole(true, 5000);
	whole.e.dst = group;
	whole.e.dmac = (struct mac){{1, 0, 0x5e, 1, 1, 1}};
	for (unsigned n = 0; n < 4; n++)
		rx_nth(n, 1480);
	sock = a;
	CU_ASSERT(got_whole());
	sock = b;
	CU_ASSERT(got_whole());
	lab_close(&lab);
}

/* ---- out ------------------------------------------------------------------------------------ */

/* What was sent, put together again: UDP header and data. Returns its length. */
static unsigned collect(uint8_t *out, bool v4, unsigned mtu, unsigned *n)
{
	unsigned at, len, end = 0, header = v4 ? 20 : 48;
	uint16_t field;
	uint32_t id = 0;
	bool more = true;

	for (*n = 0; !lab_tx_none(&lab); ++*n) {
		lab_tx(&lab, &f);
		CU_ASSERT(f.len <= 14 + mtu);
		CU_ASSERT_FATAL(v4 || f.b[AT_IP + 6] == IPPROTO_FRAGMENT);
		CU_ASSERT(!v4 || packets_cksum(f.b + AT_IP, 20, 0) == 0);
		field = v4 ? (uint16_t)(f.b[AT_IP + 6] << 8 | f.b[AT_IP + 7])
		           : (uint16_t)(f.b[AT_IP + 42] << 8 | f.b[AT_IP + 43]);
		at = v4 ? (field & 0x1fffU) * 8 : field & 0xfff8U;
		CU_ASSERT(more); /* they leave in order */
		more = v4 ? field & 0x2000 : field & 1;
		CU_ASSERT(!v4 || !(field & 0x4000)); /* DF */
		CU_ASSERT_EQUAL(at, end);
		len = f.len - AT_IP - header;
		CU_ASSERT(!more || len % 8 == 0);
		memcpy(out + at, f.b + AT_IP + header, len);
		if (*n == 0)
			memcpy(&id, f.b + AT_IP + (v4 ? 2 : 44), 4);
		CU_ASSERT(memcmp(&id, f.b + AT_IP + (v4 ? 2 : 44), 4) == 0 || v4);
		end = at + len;
	}
	CU_ASSERT(!more);
	return end;
}

static void sends_fragments(bool v4, unsigned len, unsigned mtu)
{
	static uint8_t data[65535], out[70000];
	struct ends e = v4 ? lab_ends4() : lab_ends6(), back = packets_reverse(&e);
	struct frame udp;
	unsigned n;

	fill(data, len);
	CU_ASSERT_EQUAL(perch_udp_send(lab.net, sock, &any, &e.src, 9, data, len), 0);
	CU_ASSERT_EQUAL(collect(out, v4, mtu, &n), len + 8);
	CU_ASSERT(n >= (len + 8) / (mtu - 20));
	CU_ASSERT_EQUAL(memcmp(out + 8, data, len), 0);
	if (len <= 4000) { /* one checksum over all */
		frame_udp(&udp, &back, PORT, 9, data, len);
		CU_ASSERT_EQUAL(memcmp(out, udp.b + (v4 ? 34 : 54), 8), 0);
	}
}

static void long_datagrams(void)
{
	static const unsigned lens[] = {1473, 1480, 2952, 4000, 8000, 65507};

	open_lab();
	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		sends_fragments(true, lens[i], 1500);
		sends_fragments(false, lens[i], 1500);
	}
	CU_ASSERT_EQUAL(lab_drops(&lab), 0);
	lab_close(&lab);
}

static void too_long(void)
{
	static const uint8_t data[65536];
	struct perch_ip peer = lab_ends4().src, peer6 = lab_ends6().src;

	open_lab();
	CU_ASSERT_EQUAL(perch_udp_send(lab.net, sock, &any, &peer, 9, data, 65508), -EMSGSIZE);
	CU_ASSERT_EQUAL(perch_udp_send(lab.net, sock, &any, &peer6, 9, data, 65528), -EMSGSIZE);
	CU_ASSERT_EQUAL(drops(PERCH_DROP_too_big), 2);
	CU_ASSERT(lab_tx_none(&lab));
	lab_close(&lab);
}

/* RFC 6864 section 4.3: new ones to one peer; RFC 7739: not one count for all. */
static void identifications(void)
{
	static const uint8_t data[3000];
	struct perch_ip peer = lab_ends4().src, other = packets_ip("239.9.9.9");
	uint16_t ids[3];

	open_lab();
	for (unsigned i = 0; i < 3; i++) {
		perch_udp_send(lab.net, sock, &any, i == 1 ? &other : &peer, 9, data, 3000);
		while (!lab_tx_none(&lab))
			lab_tx(&lab, &f);
		ids[i] = (uint16_t)(f.b[AT_IP + 4] << 8 | f.b[AT_IP + 5]);
	}
	CU_ASSERT_NOT_EQUAL(ids[0], ids[2]);
	CU_ASSERT((uint16_t)(ids[1] - ids[0]) > 2);
	lab_close(&lab);
}

/* ping -s 4000: comes and goes in pieces. */
static void long_ping(bool v4)
{
	static uint8_t out[70000], data[4000];
	struct frame ping;
	unsigned n;

	make_whole(v4, 0);
	whole.proto = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	fill(data, sizeof(data));
	frame_icmp(&ping, &whole.e, v4 ? 8 : 128, 0, 0x12345678, data, sizeof(data));
	whole.len = ping.len - (v4 ? 34 : 54);
	memcpy(whole.b, ping.b + (v4 ? 34 : 54), whole.len);
	for (n = 0; n < 3; n++)
		rx_nth(n, 1440);
	CU_ASSERT_EQUAL(collect(out, v4, 1500, &n), 4008);
	CU_ASSERT_EQUAL(n, 3);
	CU_ASSERT_EQUAL(out[0], v4 ? 0 : 129);
	CU_ASSERT_EQUAL(memcmp(out + 4, whole.b + 4, 4004), 0);
}

static void long_pings(void)
{
	open_lab();
	long_ping(true);
	long_ping(false);
	CU_ASSERT_EQUAL(lab_drops(&lab), 0);
	lab_close(&lab);
}

/* ---- path MTU: RFC 1191, RFC 8201 ------------------------------------------------------------ */

static void rx_too_big(bool v4, uint32_t mtu, uint16_t sport, uint16_t total)
{
	struct ends e = v4 ? lab_ends4() : lab_ends6(), back = packets_reverse(&e);
	struct frame quoted;

	frame_udp(&quoted, &back, sport, 9, "12345678", 8);
	quoted.b[AT_IP + 2] = (uint8_t)(total >> 8);
	quoted.b[AT_IP + 3] = (uint8_t)total;
	e.src = packets_ip(v4 ? "192.0.2.1" : "fd99::1");
	frame_icmp(&f, &e, v4 ? 3 : 2, v4 ? 4 : 0, mtu, quoted.b + AT_IP, v4 ? 36 : 56);
	lab_rx(&lab, &f);
}

static void path_mtu(void)
{
	struct perch_ip peer = lab_ends4().src, peer6 = lab_ends6().src;

	open_lab();
	rx_too_big(true, 1300, PORT, 1500);
	rx_too_big(false, 1290, PORT, 0);
	CU_ASSERT_EQUAL(perch_ip_mtu(lab.net, &peer), 1300);
	CU_ASSERT_EQUAL(perch_ip_mtu(lab.net, &peer6), 1290);
	sends_fragments(true, 1400, 1300);
	sends_fragments(false, 1400, 1290);
	rx_too_big(true, 1400, PORT, 1500); /* no message raises it */
	CU_ASSERT_EQUAL(perch_ip_mtu(lab.net, &peer), 1300);
	lab_pass(&lab, 601 * LAB_S); /* RFC 1191 section 6.3 */
	CU_ASSERT_EQUAL(perch_ip_mtu(lab.net, &peer), 1500);
	CU_ASSERT_EQUAL(perch_ip_mtu(lab.net, &peer6), 1500);
	lab_close(&lab);
}

/* RFC 5927: only for what we can have sent, and not down to crumbs. */
static void path_mtu_forged(void)
{
	struct perch_ip peer = lab_ends4().src, peer6 = lab_ends6().src;

	open_lab();
	rx_too_big(true, 600, PORT + 1, 1500);
	CU_ASSERT_EQUAL(drops(PERCH_DROP_icmp_no_flow), 1);
	CU_ASSERT_EQUAL(perch_ip_mtu(lab.net, &peer), 1500);
	rx_too_big(true, 68, PORT, 1500);
	CU_ASSERT_EQUAL(perch_ip_mtu(lab.net, &peer), 552);
	rx_too_big(false, 1000, PORT, 0); /* RFC 8201 section 4: below 1280 is no news */
	CU_ASSERT_EQUAL(perch_ip_mtu(lab.net, &peer6), 1500);
	lab_close(&lab);
}

/* RFC 1191 section 5: a router that does not say; the next plateau. */
static void path_mtu_unsaid(void)
{
	struct perch_ip peer = lab_ends4().src;

	open_lab();
	rx_too_big(true, 0, PORT, 1500);
	CU_ASSERT_EQUAL(perch_ip_mtu(lab.net, &peer), 1492);
	rx_too_big(true, 0, PORT, 1492);
	CU_ASSERT_EQUAL(perch_ip_mtu(lab.net, &peer), 1006);
	lab_close(&lab);
}

/* ---- connected sockets ---------------------------------------------------------------------- */

static void rx_unreachable(uint16_t dport)
{
	struct ends e = lab_ends4(), back = packets_reverse(&e);
	struct frame quoted;

	frame_udp(&quoted, &back, PORT, dport, "x", 1);
	frame_icmp(&f, &e, 3, 3, 0, quoted.b + AT_IP, 28);
	lab_rx(&lab, &f);
}

/* RFC 1122 section 4.1.3.3: an error is for who sent the datagram, once it can be told which. */
static void connected(void)
{
	struct ends e = lab_ends4();

	open_lab();
	rx_unreachable(9);
	CU_ASSERT_EQUAL(sock->error, 0);
	CU_ASSERT_EQUAL(perch_udp_connect(lab.net, sock, &e.src, 9), 0);
	rx_unreachable(8);
	CU_ASSERT_EQUAL(sock->error, 0);
	CU_ASSERT_EQUAL(drops(PERCH_DROP_icmp_no_flow), 1);
	rx_unreachable(9);
	CU_ASSERT_EQUAL(sock->error, -ECONNREFUSED);
	CU_ASSERT_PTR_EQUAL(perch_net_next_ready(lab.net), &sock->flow);
	frame_udp(&f, &e, 9, PORT, "x", 1);
	lab_rx(&lab, &f);
	frame_udp(&f, &e, 8, PORT, "x", 1);
	lab_rx(&lab, &f);
	CU_ASSERT_EQUAL(sock->queued, 1);
	CU_ASSERT_EQUAL(drops(PERCH_DROP_udp_no_port), 1);
	CU_ASSERT_EQUAL(perch_udp_connect(lab.net, sock, &any, 0), 0);
	CU_ASSERT_EQUAL(sock->error, 0);
	frame_udp(&f, &e, 8, PORT, "x", 1);
	lab_rx(&lab, &f);
	CU_ASSERT_EQUAL(sock->queued, 2);
	e.src = packets_ip("239.1.1.1");
	CU_ASSERT_EQUAL(perch_udp_connect(lab.net, sock, &e.src, 9), -EINVAL);
	lab_close(&lab);
}

/* ---- VLANs: IEEE 802.1Q ---------------------------------------------------------------------- */

static void open_vlan(uint16_t vlan)
{
	struct perch_net_config cfg;

	lab_config(&cfg);
	cfg.ifs[0].vlan = vlan;
	lab_open_with(&lab, &cfg);
}

/* Put a tag into f. */
static void tag(uint16_t tci)
{
	memmove(f.b + 16, f.b + 12, f.len - 12);
	f.len += 4;
	memcpy(f.b + 12, (const uint8_t[]){0x81, 0, (uint8_t)(tci >> 8), (uint8_t)tci}, 4);
}

static void ping_tagged(uint16_t tci)
{
	struct ends e = lab_ends4();

	frame_icmp(&f, &e, 8, 0, 1, "x", 1);
	tag(tci);
	lab_rx(&lab, &f);
}

static void vlan(void)
{
	struct ends e = lab_ends4(), back = packets_reverse(&e);
	struct rte_mbuf *m;
	struct frame sent;

	open_vlan(100);
	frame_arp(&f, &packets_broadcast, 1, &lab_peer_mac, &e.src, &lab_no_mac, &e.dst);
	tag(100);
	lab_rx(&lab, &f);
	frame_arp(&f, &lab_peer_mac, 2, &lab_mac, &e.dst, &lab_peer_mac, &e.src);
	tag(100);
	CU_ASSERT(lab_tx_is(&lab, &f));
	ping_tagged(0xe064); /* with priority 7 */
	frame_icmp(&f, &back, 0, 0, 1, "x", 1);
	tag(100);
	CU_ASSERT(lab_tx_is(&lab, &f));
	lab_tx(&lab, &sent); /* are you still there */
	frame_icmp(&f, &e, 8, 0, 1, "x", 1);
	m = frame_to_mbuf(lab_pool, &f); /* the tag is off already */
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 0x2064;
	lab_rx_mbuf(&lab, m);
	frame_icmp(&f, &back, 0, 0, 1, "x", 1);
	tag(100);
	CU_ASSERT(lab_tx_is(&lab, &f));
	CU_ASSERT_EQUAL(lab_drops(&lab), 0);
	ping_tagged(101);
	ping_tagged(0);
	frame_icmp(&f, &e, 8, 0, 1, "x", 1);
	lab_rx(&lab, &f); /* untagged */
	CU_ASSERT_EQUAL(drops(PERCH_DROP_eth_vlan), 3);
	CU_ASSERT(lab_tx_none(&lab));
	lab_close(&lab);
}

/* 802.1Q section 6.9: VLAN 0 is a priority and no VLAN. */
static void priority_tags(void)
{
	lab_open(&lab);
	lab_meet_peer(&lab);
	ping_tagged(0xa000);
	lab_tx(&lab, &f);
	CU_ASSERT_EQUAL(f.b[12], 0x08);
	CU_ASSERT_EQUAL(f.b[34], 0);
	frame_ether(&f, &lab_mac, &lab_peer_mac, 0x8100);
	frame_add(&f, "\0", 1); /* cut off within the tag */
	lab_rx(&lab, &f);
	CU_ASSERT_EQUAL(drops(PERCH_DROP_eth_truncated), 1);
	lab_close(&lab);
}

static void vlan_fragments(void)
{
	struct perch_ip group = packets_ip("239.1.1.1");
	static const uint8_t data[3000];

	open_vlan(4094);
	CU_ASSERT_EQUAL(perch_udp_open(lab.net, &any, PORT, 0, &sock), 0);
	CU_ASSERT_EQUAL(perch_udp_send(lab.net, sock, &any, &group, 9, data, 3000), 0);
	CU_ASSERT_EQUAL(lab.net->n_tx, 3);
	while (!lab_tx_none(&lab)) {
		lab_tx(&lab, &f);
		CU_ASSERT(f.len <= 18 + 1500);
		CU_ASSERT_EQUAL(f.b[12], 0x81);
		CU_ASSERT_EQUAL((f.b[14] & 0xf) << 8 | f.b[15], 4094);
	}
	lab_close(&lab);
}

int main(int argc, char **argv)
{
	const struct suite_case suite[] = {
		{"any order", any_order},
		{"longest", longest},
		{"small ones move", small_ones_move},
		{"large ones wait", large_ones_wait},
		{"overlaps", overlaps},
		{"two ends", two_ends},
		{"copies are ignored", copies_are_ignored},
		{"keys", keys},
		{"timeouts", timeouts},
		{"flood", flood},
		{"first piece without headers", first_piece_without_headers},
		{"impossible pieces", impossible_pieces},
		{"TCP in pieces", tcp_in_pieces},
		{"to a group", to_a_group},
		{"long datagrams", long_datagrams},
		{"too long", too_long},
		{"identifications", identifications},
		{"long pings", long_pings},
		{"path MTU", path_mtu},
		{"path MTU forged", path_mtu_forged},
		{"path MTU unsaid", path_mtu_unsaid},
		{"connected", connected},
		{"VLAN", vlan},
		{"priority tags", priority_tags},
		{"VLAN fragments", vlan_fragments},
		{NULL, NULL},
	};

	lab_pool = packets_start("l3_frag");
	return suite_main("l3 frag", suite, argc, argv);
}
