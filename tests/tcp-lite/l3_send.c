/* SPDX-License-Identifier: BSD-3-Clause
 * The way out: routes, source addresses, groups, checksums by software and by the NIC, and what
 * perch_ip_send leaves alone in a packet that its owner keeps.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "tcp-lite/cksum.h"
#include "tcp-lite/ip.h"
#include "tests/suite.h"
#include "tests/tcp-lite/lab.h"

enum { AT_IP = 14, TCP_LEN = 20, UDP_LEN = 8 };

static struct lab lab;
static struct frame f, expected;

/* ---- routes --------------------------------------------------------------------------------- */

static void expect_route(const char *dst, unsigned ifidx, const char *hop, const char *src)
{
	struct perch_ip d = packets_ip(dst), h = packets_ip(hop), s = packets_ip(src), hop_is, src_is;
	unsigned if_is;

	CU_ASSERT_EQUAL(perch_ip_route(lab.net, &d, &if_is, &hop_is, &src_is), 0);
	CU_ASSERT_EQUAL(if_is, ifidx);
	CU_ASSERT(perch_ip_equal(&hop_is, &h));
	CU_ASSERT(perch_ip_equal(&src_is, &s));
}

static void expect_no_route(const char *dst)
{
	struct perch_ip d = packets_ip(dst), hop;
	unsigned ifidx;

	CU_ASSERT_EQUAL(perch_ip_route(lab.net, &d, &ifidx, &hop, NULL), -ENETUNREACH);
	CU_ASSERT_EQUAL(perch_ip_mtu(lab.net, &d), 0);
}

/* The second interface has a longer prefix inside the first one's, and no gateways. */
static void two_interfaces(struct perch_net_config *cfg)
{
	struct perch_net_if *nif = &cfg->ifs[1];

	lab_config(cfg);
	cfg->n_ifs = 2;
	nif->mac = (struct rte_ether_addr){{2, 0, 0, 0, 1, 1}};
	nif->mtu = 1400;
	nif->n_addrs = 5;
	nif->addrs[0] = (struct perch_net_addr){.ip = packets_ip("10.0.0.129"), .prefix_len = 28};
	nif->addrs[1] = (struct perch_net_addr){.ip = packets_ip("172.16.0.1"), .prefix_len = 31};
	nif->addrs[2] = (struct perch_net_addr){.ip = packets_ip("fd01::1"), .prefix_len = 61};
	nif->addrs[3] = (struct perch_net_addr){.ip = packets_ip("fd00::f1"), .prefix_len = 48};
	nif->addrs[4] = (struct perch_net_addr){.ip = packets_ip("fd01::9:1"), .prefix_len = 112};
}

static void routes(void)
{
	struct perch_net_config cfg;
	struct perch_ip ip;

	two_interfaces(&cfg);
	lab_open_with(&lab, &cfg);
	expect_route("10.0.0.2", 0, "10.0.0.2", "10.0.0.1");
	expect_route("10.0.0.130", 1, "10.0.0.130", "10.0.0.129");
	expect_route("172.16.0.0", 1, "172.16.0.0", "172.16.0.1"); /* RFC 3021 */
	expect_route("8.8.8.8", 0, "10.0.0.254", "10.0.0.1");
	expect_route("fd00::77", 0, "fd00::77", "fd00::1");
	expect_route("fd01:0:0:7::1", 1, "fd01:0:0:7::1", "fd01::1");
	expect_route("fd00:0:0:1::7", 1, "fd00:0:0:1::7", "fd00::f1"); /* /48 outside the /64 */
	expect_route("fd01::9:7", 1, "fd01::9:7", "fd01::9:1"); /* the nearer of two sources */
	expect_route("fd01:0:0:8::1", 0, "fd00::fe", "fd00::1");
	expect_route("fe80::9", 0, "fe80::9", "fe80::ff:fe00:1");
	expect_route("ff02::5", 0, "ff02::5", "fe80::ff:fe00:1");
	expect_route("ff0e::5", 0, "ff0e::5", "fd00::1");
	expect_route("239.1.2.3", 0, "239.1.2.3", "10.0.0.1");
	expect_route("255.255.255.255", 0, "255.255.255.255", "10.0.0.1");
	expect_no_route("10.0.0.1");
	expect_no_route("fd01::1");
	expect_no_route("fe80::ff:fe00:1");
	expect_no_route("::");
	expect_no_route("0.0.0.0");
	ip = packets_ip("172.16.0.0"); /* RFC 3021: a host, not a broadcast */
	CU_ASSERT(perch_ip_is_host(lab.net, &ip));
	ip = packets_ip("10.0.0.143");
	CU_ASSERT(!perch_ip_is_host(lab.net, &ip));
	ip = packets_ip("10.0.0.131");
	CU_ASSERT_EQUAL(perch_ip_mtu(lab.net, &ip), 1400);
	lab_close(&lab);
}

static void no_gateway_no_route(void)
{
	struct perch_net_config cfg;

	lab_config(&cfg);
	cfg.ifs[0].has_gw4 = cfg.ifs[0].has_gw6 = false;
	lab_open_with(&lab, &cfg);
	expect_no_route("8.8.8.8");
	expect_no_route("2001:db8::1");
	lab_close(&lab);
}

static void expect_ours(const char *text, bool ours)
{
	struct perch_ip ip = packets_ip(text);

	CU_ASSERT_EQUAL(perch_ip_is_ours(lab.net, &ip, NULL), ours);
}

static void ranges_of_addresses(void)
{
	struct perch_net_config cfg;

	lab_config(&cfg);
	cfg.ifs[0].addrs[0] =
		(struct perch_net_addr){.ip = packets_ip("10.0.0.250"), .prefix_len = 8, .count = 300};
	cfg.ifs[0].addrs[1].count = 65536;
	lab_open_with(&lab, &cfg);
	expect_ours("10.0.0.249", false);
	expect_ours("10.0.0.250", true);
	expect_ours("10.0.2.37", true);
	expect_ours("10.0.2.38", false);
	expect_ours("fd00::0", false);
	expect_ours("fd00::1:0", true);
	expect_ours("fd00::1:1", false);
	expect_ours("fd00:0:0:1::2", false);
	lab_close(&lab);
}

static void bad_configurations(void)
{
	struct perch_net_config cfg;
	struct perch_net *net;
	void *mem;

	lab_config(&cfg);
	mem = calloc(1, perch_net_bytes(&cfg));
	cfg.n_ifs = 0;
	CU_ASSERT_EQUAL(perch_net_open(&net, mem, &cfg), -EINVAL);
	lab_config(&cfg);
	cfg.ifs[0].mtu = 1279; /* RFC 8200 section 5 */
	CU_ASSERT_EQUAL(perch_net_open(&net, mem, &cfg), -EINVAL);
	lab_config(&cfg);
	cfg.ifs[0].addrs[0].prefix_len = 33;
	CU_ASSERT_EQUAL(perch_net_open(&net, mem, &cfg), -EINVAL);
	lab_config(&cfg);
	cfg.ifs[0].addrs[1].ip = packets_ip("ff02::1");
	CU_ASSERT_EQUAL(perch_net_open(&net, mem, &cfg), -EINVAL);
	lab_config(&cfg);
	cfg.ifs[0].gw4 = packets_ip("fd00::1");
	CU_ASSERT_EQUAL(perch_net_open(&net, mem, &cfg), -EINVAL);
	lab_config(&cfg);
	cfg.ifs[0].mac = (struct rte_ether_addr){{0}};
	CU_ASSERT_EQUAL(perch_net_open(&net, mem, &cfg), -EINVAL);
	lab_config(&cfg);
	cfg.pool = NULL;
	CU_ASSERT_EQUAL(perch_net_open(&net, mem, &cfg), -EINVAL);
	free(mem);
}

/* ---- checksums ------------------------------------------------------------------------------ */

/* The transport part of f, its checksum zeroed, as its owner would hand it over. */
static struct rte_mbuf *transport_of(const struct frame *from, unsigned l3_len, unsigned cksum_at,
	unsigned seg_len)
{
	struct frame t = {.len = 0};

	frame_add(&t, from->b + AT_IP + l3_len, from->len - AT_IP - l3_len);
	memset(t.b + cksum_at, 0, 2);
	return frame_to_segments(lab_pool, &t, seg_len);
}

static struct ends to_peer(bool v4)
{
	struct ends e = v4 ? lab_ends4() : lab_ends6();

	return packets_reverse(&e);
}

static void make_tcp(const struct ends *e, unsigned len)
{
	uint8_t data[1400];

	for (unsigned i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 151 + 3);
	frame_tcp(&expected, e, 1025, 80, 0x11223344, 5, 24, 7777, data, len);
}

static void software_checksums(void)
{
	lab_open(&lab);
	lab_meet_peer(&lab);
	for (unsigned len = 0; len < 1400; len += len < 66 ? 1 : 89) {
		for (unsigned v4 = 0; v4 < 2; v4++) {
			struct ends e = to_peer(v4);

			make_tcp(&e, len);
			perch_ip_send(lab.net, transport_of(&expected, v4 ? 20 : 40, 16, 21 + len / 3),
				&e.src, &e.dst, IPPROTO_TCP, 0, NULL);
			CU_ASSERT(lab_tx_is(&lab, &expected));
		}
	}
	lab_close(&lab);
}

/* What the NIC does: the sum over the segment with the pseudo-header's sum in the field. */
static void nic_completes(struct rte_mbuf *m, unsigned field)
{
	unsigned at = m->l2_len + m->l3_len;
	uint8_t *b = rte_pktmbuf_mtod(m, uint8_t *);
	uint16_t sum = packets_cksum(b + at, m->data_len - at, 0);

	b[at + field] = (uint8_t)(sum >> 8);
	b[at + field + 1] = (uint8_t)sum;
	if (m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) {
		sum = packets_cksum(b + AT_IP, 20, 0);
		b[AT_IP + 10] = (uint8_t)(sum >> 8);
		b[AT_IP + 11] = (uint8_t)sum;
	}
}

static void offloaded(bool v4, uint8_t proto, unsigned len)
{
	struct ends e = to_peer(v4);
	uint64_t l4 = proto == IPPROTO_TCP ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
	unsigned field = proto == IPPROTO_TCP ? 16 : 6;
	struct rte_mbuf *m;

	if (proto == IPPROTO_TCP)
		make_tcp(&e, len);
	else
		frame_udp(&expected, &e, 7, 9, "some data of odd length", len);
	perch_ip_send(lab.net, transport_of(&expected, v4 ? 20 : 40, field, 2000), &e.src, &e.dst,
		proto, 0, NULL);
	CU_ASSERT_EQUAL_FATAL(lab.net->n_tx, 1);
	m = lab.net->tx[0];
	CU_ASSERT_EQUAL(m->ol_flags,
		l4 | (v4 ? RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM : RTE_MBUF_F_TX_IPV6));
	CU_ASSERT_EQUAL(m->l2_len, 14);
	CU_ASSERT_EQUAL(m->l3_len, v4 ? 20 : 40);
	nic_completes(m, field);
	CU_ASSERT(lab_tx_is(&lab, &expected));
}

static void offloaded_checksums(void)
{
	struct perch_net_config cfg;

	lab_config(&cfg);
	cfg.ifs[0].tx_offloads =
		PERCH_NET_TX_IP4_CKSUM | PERCH_NET_TX_TCP_CKSUM | PERCH_NET_TX_UDP_CKSUM;
	lab_open_with(&lab, &cfg);
	lab_meet_peer(&lab);
	for (unsigned len = 0; len < 24; len++) {
		offloaded(true, IPPROTO_TCP, len);
		offloaded(false, IPPROTO_TCP, len);
		offloaded(true, IPPROTO_UDP, len);
		offloaded(false, IPPROTO_UDP, len);
	}
	lab_close(&lab);
}

/* ICMP is never offloaded; the IPv4 header may be. */
static void icmp_beside_offloads(void)
{
	struct ends e = lab_ends4(), back = packets_reverse(&e);
	struct perch_net_config cfg;

	lab_config(&cfg);
	cfg.ifs[0].tx_offloads = PERCH_NET_TX_TCP_CKSUM | PERCH_NET_TX_UDP_CKSUM;
	lab_open_with(&lab, &cfg);
	lab_meet_peer(&lab);
	frame_icmp(&f, &e, 8, 0, 1, "ping", 4);
	lab_rx(&lab, &f);
	CU_ASSERT_EQUAL(lab.net->tx[0]->ol_flags & RTE_MBUF_F_TX_L4_MASK, 0);
	frame_icmp(&expected, &back, 0, 0, 1, "ping", 4);
	CU_ASSERT(lab_tx_is(&lab, &expected));
	lab_close(&lab);
}

static void rx_with_flags(uint64_t flags, bool break_it)
{
	struct ends e = lab_ends4();
	struct rte_mbuf *m;

	frame_tcp(&f, &e, 1, 2, 3, 4, 16, 5, "data", 4);
	if (break_it)
		f.b[f.len - 1] ^= 1;
	m = frame_to_mbuf(lab_pool, &f);
	m->ol_flags |= flags;
	lab_rx_mbuf(&lab, m);
}

/* The NIC's verdict goes before our own arithmetic, in both directions. */
static void verdicts_of_the_nic(void)
{
	uint64_t *bad;

	lab_open(&lab);
	bad = &lab.net->drops[PERCH_DROP_tcp_bad_checksum];
	rx_with_flags(RTE_MBUF_F_RX_L4_CKSUM_GOOD, true);
	CU_ASSERT_EQUAL(*bad, 0);
	rx_with_flags(RTE_MBUF_F_RX_L4_CKSUM_NONE, true);
	CU_ASSERT_EQUAL(*bad, 0);
	rx_with_flags(RTE_MBUF_F_RX_L4_CKSUM_BAD, false);
	CU_ASSERT_EQUAL(*bad, 1);
	rx_with_flags(RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN, true);
	CU_ASSERT_EQUAL(*bad, 2);
	rx_with_flags(RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN, false);
	CU_ASSERT_EQUAL(*bad, 2);
	CU_ASSERT_EQUAL(lab_tcp.segments, 5);
	lab_close(&lab);
}

/* ---- groups --------------------------------------------------------------------------------- */

static void expect_mac(const char *dst, const char *src, const struct mac *mac)
{
	struct ends e = {lab_mac, *mac, packets_ip(src), packets_ip(dst)};

	frame_udp(&expected, &e, 7, 9, "x", 1);
	CU_ASSERT_EQUAL(perch_ip_send(lab.net,
				transport_of(&expected, perch_ip_is_v4(&e.dst) ? 20 : 40, 6, 100),
				&e.src, &e.dst, IPPROTO_UDP, 0, NULL), 0);
	CU_ASSERT(lab_tx_is(&lab, &expected));
}

static void groups_have_macs(void)
{
	lab_open(&lab);
	expect_mac("239.129.2.3", "10.0.0.1", &(struct mac){{0x01, 0, 0x5e, 0x01, 2, 3}});
	expect_mac("ff02::1:2:3", "fe80::ff:fe00:1", &(struct mac){{0x33, 0x33, 0, 2, 0, 3}});
	expect_mac("255.255.255.255", "10.0.0.1", &packets_broadcast);
	expect_mac("10.0.0.255", "10.0.0.1", &packets_broadcast);
	lab_close(&lab);
}

/* With two interfaces, a group is reached through the one that the source address is on. */
static void groups_follow_their_source(void)
{
	struct perch_net_config cfg;
	struct perch_ip src = packets_ip("172.16.0.1"), group = packets_ip("239.1.1.1");
	struct ends e = {lab_mac, lab_peer_mac, src, group};

	two_interfaces(&cfg);
	lab_open_with(&lab, &cfg);
	frame_udp(&expected, &e, 7, 9, "x", 1);
	perch_ip_send(lab.net, transport_of(&expected, 20, 6, 100), &src, &group, IPPROTO_UDP, 0,
		NULL);
	CU_ASSERT_EQUAL_FATAL(lab.net->n_tx, 1);
	CU_ASSERT_EQUAL(lab.net->tx[0]->port, 1);
	lab_close(&lab);
}

/* ---- what is left alone --------------------------------------------------------------------- */

/* TCP keeps a reference of what it may have to send again. */
static void owner_keeps_its_packet(void)
{
	struct ends e = to_peer(true);
	struct perch_pkt before;
	struct rte_mbuf *m;

	lab_open(&lab);
	make_tcp(&e, 10);
	m = transport_of(&expected, 20, 16, 2000);
	memset(perch_pkt(m), 0x5a, sizeof(*perch_pkt(m)));
	before = *perch_pkt(m);
	rte_mbuf_refcnt_update(m, 1);
	perch_ip_send(lab.net, m, &e.src, &e.dst, IPPROTO_TCP, 0, NULL); /* waits for a MAC */
	CU_ASSERT_EQUAL(rte_mbuf_refcnt_read(m), 2);
	CU_ASSERT_EQUAL(memcmp(perch_pkt(m), &before, sizeof(before)), 0);
	lab_pass(&lab, 5 * LAB_S); /* in vain */
	CU_ASSERT_EQUAL(rte_mbuf_refcnt_read(m), 1);
	rte_pktmbuf_free(m);
	while (!lab_tx_none(&lab))
		lab_tx(&lab, &f);
	lab_close(&lab);
}

static void flow_label(const char *dst, uint16_t sport, uint8_t label[3])
{
	struct ends e = to_peer(false);

	e.dst = packets_ip(dst);
	frame_udp(&f, &e, sport, 9, "x", 1);
	perch_ip_send(lab.net, transport_of(&f, 40, 6, 100), &e.src, &e.dst, IPPROTO_UDP, 0, NULL);
	memcpy(label, rte_pktmbuf_mtod_offset(lab.net->tx[0], uint8_t *, AT_IP + 1), 3);
	rte_pktmbuf_free(lab.net->tx[0]);
	lab.net->n_tx = 0;
}

/* RFC 6437 section 2: the same for all of a flow, another for another. */
static void flow_labels(void)
{
	uint8_t a[3], b[3], c[3];

	lab_open(&lab);
	lab_meet_peer(&lab);
	flow_label("fd00::2", 7, a);
	flow_label("fd00::2", 7, b);
	flow_label("fd00::2", 8, c);
	CU_ASSERT_EQUAL(memcmp(a, b, 3), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(a, c, 3), 0);
	lab_close(&lab);
}

/* ---- the sum itself ------------------------------------------------------------------------- */

/* Against the sum byte by byte, at every length and alignment, and with every byte at its largest,
 * where carries are lost if they are. */
static void sums_of_every_length(void)
{
	static uint8_t b[1700];
	unsigned len, at, i, fill;

	for (fill = 0; fill < 2; fill++) {
		for (i = 0; i < sizeof(b); i++)
			b[i] = fill ? 0xff : (uint8_t)(i * 2654435761u >> 13);
		for (len = 0; len <= 1600; len++)
			for (at = 0; at < 17; at += 1 + at / 4)
				CU_ASSERT_EQUAL(rte_be_to_cpu_16(perch_cksum_raw(b + at, len)),
					(uint16_t)~packets_cksum(b + at, len, 0));
	}
}

int main(int argc, char **argv)
{
	const struct suite_case suite[] = {
		{"routes", routes},
		{"no gateway, no route", no_gateway_no_route},
		{"ranges of addresses", ranges_of_addresses},
		{"bad configurations", bad_configurations},
		{"software checksums", software_checksums},
		{"offloaded checksums", offloaded_checksums},
		{"ICMP beside offloads", icmp_beside_offloads},
		{"verdicts of the NIC", verdicts_of_the_nic},
		{"groups have MACs", groups_have_macs},
		{"groups follow their source", groups_follow_their_source},
		{"the owner keeps its packet", owner_keeps_its_packet},
		{"flow labels", flow_labels},
		{"sums of every length", sums_of_every_length},
		{NULL, NULL},
	};

	lab_pool = packets_start("l3_send");
	return suite_main("l3 send", suite, argc, argv);
}
