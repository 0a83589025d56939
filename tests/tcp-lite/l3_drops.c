/* SPDX-License-Identifier: BSD-3-Clause
 * Every reason of layers 2 to 4 (without TCP) to drop a packet: what triggers it is counted under
 * its name and no other, answered only where the RFCs say so, and leaks nothing.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "tcp-lite/ip.h"
#include "tcp-lite/mcast.h"
#include "tcp-lite/udp.h"
#include "tests/suite.h"
#include "tests/tcp-lite/lab.h"

enum { AT_IP = 14, AT_L4 = 34, AT_L4_6 = 54 };

static struct frame f; /* the one that a case is about */

/* ---- Ethernet ------------------------------------------------------------------------------- */

static void eth_truncated(struct lab *lab)
{
	frame_ether(&f, &lab_mac, &lab_peer_mac, 0x0800);
	f.len = 13;
	lab_rx(lab, &f);
}

static void eth_not_ours(struct lab *lab)
{
	struct ends e = lab_ends4();

	e.dmac = lab_other_mac;
	frame_udp(&f, &e, 1, 2, "", 0);
	lab_rx(lab, &f);
}

static void eth_bad_source(struct lab *lab)
{
	struct ends e = lab_ends4();

	e.smac = packets_broadcast;
	frame_udp(&f, &e, 1, 2, "", 0);
	lab_rx(lab, &f);
	e.smac = lab_mac;
	frame_udp(&f, &e, 1, 2, "", 0);
	lab_rx(lab, &f);
}

static void eth_not_joined(struct lab *lab)
{
	struct ends e = lab_ends4();

	e.dst = packets_ip("224.0.0.251");
	e.dmac = (struct mac){{1, 0, 0x5e, 0, 0, 251}};
	frame_udp(&f, &e, 1, 2, "", 0);
	lab_rx(lab, &f);
	frame_ether(&f, &(struct mac){{1, 0x80, 0xc2, 0, 0, 0}}, &lab_peer_mac, 0x88cc);
	lab_rx(lab, &f);
}

static void eth_too_long(struct lab *lab)
{
	frame_ether(&f, &lab_mac, &lab_peer_mac, 0x0800);
	f.len = 3000; /* two segments of 1500; a buffer of the pool holds 2048 */
	lab_rx_mbuf(lab, frame_to_segments(lab_pool, &f, 1500));
}

static void eth_type_unknown(struct lab *lab)
{
	frame_ether(&f, &lab_mac, &lab_peer_mac, 0x88cc); /* LLDP */
	lab_rx(lab, &f);
}

static void eth_vlan(struct lab *lab)
{
	struct ends e = lab_ends4();
	struct rte_mbuf *m;

	frame_ether(&f, &lab_mac, &lab_peer_mac, 0x8100);
	frame_add(&f, "\0\5\x08\0", 4);
	lab_rx(lab, &f);
	frame_ether(&f, &lab_mac, &lab_peer_mac, 0x88a8);
	lab_rx(lab, &f);
	frame_udp(&f, &e, 1, 2, "", 0);
	m = frame_to_mbuf(lab_pool, &f);
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 5;
	lab_rx_mbuf(lab, m);
}

/* ---- ARP ------------------------------------------------------------------------------------ */

static void make_arp(const char *spa, const char *tpa, uint16_t op)
{
	struct perch_ip s = packets_ip(spa), t = packets_ip(tpa);

	frame_arp(&f, &packets_broadcast, op, &lab_peer_mac, &s, &lab_no_mac, &t);
}

static void arp_truncated(struct lab *lab)
{
	make_arp("10.0.0.2", "10.0.0.1", 1);
	f.len--;
	lab_rx(lab, &f);
}

/* One wrong byte at a time. */
static void arp_malformed(struct lab *lab)
{
	const unsigned at[] = {1, 3, 4, 5, 7};

	for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		make_arp("10.0.0.2", "10.0.0.1", 1);
		f.b[14 + at[i]] += 7;
		lab_rx(lab, &f);
	}
	make_arp("10.0.0.2", "10.0.0.1", 1);
	f.b[14 + 8] |= 1; /* a group as the sender's MAC address */
	lab_rx(lab, &f);
	make_arp("224.0.0.5", "10.0.0.1", 1);
	lab_rx(lab, &f);
	make_arp("10.0.0.255", "10.0.0.1", 1);
	lab_rx(lab, &f);
}

static void arp_not_ours(struct lab *lab)
{
	make_arp("10.0.0.2", "10.0.0.3", 1);
	lab_rx(lab, &f);
	make_arp("0.0.0.0", "10.0.0.3", 1);
	lab_rx(lab, &f);
	make_arp("10.0.0.2", "10.0.0.1", 2);
	lab_rx(lab, &f);
	make_arp("10.0.0.2", "10.0.0.2", 1); /* an announcement of somebody unknown */
	lab_rx(lab, &f);
}

static void arp_conflict(struct lab *lab)
{
	struct frame sent;

	make_arp("10.0.0.1", "10.0.0.1", 1);
	lab_rx(lab, &f);
	lab_tx(lab, &sent); /* the defence */
}

/* ---- neighbours ----------------------------------------------------------------------------- */

static void ping_from(struct lab *lab, const char *src)
{
	struct ends e = lab_ends4();

	e.src = packets_ip(src);
	frame_icmp(&f, &e, 8, 0, 0, "", 0);
	lab_rx(lab, &f);
}

static void drain(struct lab *lab)
{
	while (!lab_tx_none(lab))
		lab_tx(lab, &f);
}

static void neigh_queue_full(struct lab *lab)
{
	for (int i = 0; i < 17; i++)
		ping_from(lab, "10.0.0.9");
	drain(lab);
}

static void neigh_unreachable(struct lab *lab)
{
	ping_from(lab, "10.0.0.9");
	lab_pass(lab, 4 * LAB_S);
	drain(lab);
}

static void neigh_table_full(struct lab *lab)
{
	char name[32];

	for (int i = 0; i <= 1024; i++) {
		snprintf(name, sizeof(name), "10.1.%d.%d", i / 200, 1 + i % 200);
		ping_from(lab, name); /* on the link of the wide configuration */
		drain(lab);
	}
}

static void neigh_not_on_link(struct lab *lab)
{
	struct ends e = lab_ends6();

	make_arp("192.168.1.2", "10.0.0.1", 1);
	lab_rx(lab, &f);
	e.src = packets_ip("fd77::2");
	frame_nd(&f, &e, 135, 0, &e.dst, &lab_peer_mac);
	lab_rx(lab, &f);
	drain(lab);
}

/* ---- IPv4 ----------------------------------------------------------------------------------- */

static void make_udp4(void)
{
	struct ends e = lab_ends4();

	frame_udp(&f, &e, 1000, 7, "hello", 5);
}

static void ip4_truncated(struct lab *lab)
{
	make_udp4();
	f.len = AT_IP + 19;
	lab_rx(lab, &f);
	make_udp4();
	f.len--; /* total length says more */
	lab_rx(lab, &f);
}

static void rx_fixed4(struct lab *lab)
{
	frame_fix_ip4(&f);
	lab_rx(lab, &f);
}

static void ip4_malformed(struct lab *lab)
{
	make_udp4();
	f.b[AT_IP] = 0x55;
	lab_rx(lab, &f);
	make_udp4();
	f.b[AT_IP] = 0x44;
	lab_rx(lab, &f);
	make_udp4();
	f.b[AT_IP + 3] = 19; /* total length below the header's */
	rx_fixed4(lab);
	make_udp4();
	f.b[AT_IP] = 0x46;
	memcpy(f.b + AT_L4, (const uint8_t[]){7, 9, 4, 0}, 4); /* option longer than the room */
	rx_fixed4(lab);
	memcpy(f.b + AT_L4, (const uint8_t[]){1, 1, 7, 0}, 4); /* and one of length zero */
	rx_fixed4(lab);
	memcpy(f.b + AT_L4, (const uint8_t[]){1, 1, 1, 7}, 4); /* and one without length */
	rx_fixed4(lab);
}

static void ip4_bad_checksum(struct lab *lab)
{
	struct rte_mbuf *m;

	make_udp4();
	f.b[AT_IP + 10] ^= 1;
	lab_rx(lab, &f);
	make_udp4();
	m = frame_to_mbuf(lab_pool, &f);
	m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_BAD; /* the NIC knows better */
	lab_rx_mbuf(lab, m);
}

static void ip4_bad_source(struct lab *lab)
{
	const char *bad[] = {"255.255.255.255", "10.0.0.255", "10.0.0.0", "224.0.0.1", "127.0.0.1",
		"0.0.0.0", "240.1.2.3", "10.0.0.1"}; /* the last one is ours: a LAND attack */
	struct ends e = lab_ends4();

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e.src = packets_ip(bad[i]);
		frame_tcp(&f, &e, 7, 7, 1, 0, 2, 1000, "", 0);
		lab_rx(lab, &f);
	}
	CU_ASSERT_EQUAL(lab_tcp.segments, 0);
}

static void ip4_not_ours(struct lab *lab)
{
	const char *other[] = {"10.0.0.3", "224.0.0.251", "10.0.1.255", "0.0.0.0"};
	struct ends e = lab_ends4();

	for (unsigned i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		e.dst = packets_ip(other[i]);
		frame_udp(&f, &e, 1, 2, "", 0);
		lab_rx(lab, &f);
	}
}

static void ip4_group_frame(struct lab *lab)
{
	struct ends e = lab_ends4();

	e.dmac = packets_broadcast;
	frame_udp(&f, &e, 1, 2, "", 0);
	lab_rx(lab, &f);
}

static void ip4_options(struct lab *lab)
{
	make_udp4();
	f.b[AT_IP] = 0x46;
	memcpy(f.b + AT_L4, (const uint8_t[]){131, 3, 4, 0}, 4);
	rx_fixed4(lab);
	memcpy(f.b + AT_L4, (const uint8_t[]){1, 137, 3, 4}, 4);
	rx_fixed4(lab);
}

static void ip4_proto_unknown(struct lab *lab)
{
	struct ends e = lab_ends4(), back = packets_reverse(&e);
	struct frame error;

	lab_meet_peer(lab);
	frame_ip(&f, &e, 132, "sctp", 4);
	lab_rx(lab, &f);
	frame_icmp(&error, &back, 3, 2, 0, f.b + AT_IP, f.len - AT_IP);
	CU_ASSERT(lab_tx_is(lab, &error)); /* RFC 1122 section 3.2.2.1 */
}

/* ---- IPv6 ----------------------------------------------------------------------------------- */

static void make_udp6(void)
{
	struct ends e = lab_ends6();

	frame_udp(&f, &e, 1000, 7, "hello", 5);
}

/* A packet with these bytes of extension headers before nothing more. */
static void rx_extended(struct lab *lab, uint8_t first, const uint8_t *headers, unsigned len)
{
	struct ends e = lab_ends6();

	frame_ip(&f, &e, first, headers, len);
	lab_rx(lab, &f);
}

#define EXTENDED(lab, first, ...) \
	rx_extended(lab, first, (const uint8_t[]){__VA_ARGS__}, \
		sizeof((const uint8_t[]){__VA_ARGS__}))

/* The parameter problem that the last frame earned. */
static bool tx_is_problem(struct lab *lab, uint8_t code, uint32_t pointer)
{
	struct ends e = lab_ends6(), back = packets_reverse(&e);
	struct frame error;

	frame_icmp(&error, &back, 4, code, pointer, f.b + AT_IP, f.len - AT_IP);
	return lab_tx_is(lab, &error);
}

static void ip6_truncated(struct lab *lab)
{
	make_udp6();
	f.len = AT_IP + 39;
	lab_rx(lab, &f);
	make_udp6();
	f.len--;
	lab_rx(lab, &f);
	EXTENDED(lab, IPPROTO_DSTOPTS, 17, 0, 1, 2); /* half a header */
	EXTENDED(lab, IPPROTO_DSTOPTS, 17, 1, 1, 4, 0, 0, 0, 0); /* says 16 bytes */
	rx_extended(lab, IPPROTO_HOPOPTS, NULL, 0); /* payload length 0: a jumbogram at best */
}

static void ip6_malformed(struct lab *lab)
{
	make_udp6();
	f.b[AT_IP] = 0x50;
	lab_rx(lab, &f);
	EXTENDED(lab, IPPROTO_DSTOPTS, 17, 0, 1, 5, 0, 0, 0, 0); /* an option that sticks out */
}

static void ip6_bad_source(struct lab *lab)
{
	const char *bad[] = {"ff02::1", "::1", "::", "::ffff:10.0.0.2", "fd00::1"};
	struct ends e = lab_ends6();

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		frame_tcp(&f, &e, 7, 7, 1, 0, 2, 1000, "", 0);
		memcpy(f.b + AT_IP + 8, packets_ip(bad[i]).b, 16);
		frame_fix_transport(&f);
		lab_rx(lab, &f);
	}
	e.src = packets_ip("::"); /* good for detecting duplicates, not for a ping */
	e.dmac = (struct mac){{0x33, 0x33, 0, 0, 0, 1}};
	e.dst = packets_ip("ff02::1");
	frame_icmp(&f, &e, 128, 0, 0, "", 0);
	lab_rx(lab, &f);
	CU_ASSERT_EQUAL(lab_tcp.segments, 0);
}

static void ip6_not_ours(struct lab *lab)
{
	/* The last one would be ours if it were IPv4. */
	const char *other[] = {"fd00::3", "ff02::fb", "ff02::1:ff00:3", "::", "::ffff:10.0.0.1"};

	for (unsigned i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		make_udp6();
		memcpy(f.b + AT_IP + 24, packets_ip(other[i]).b, 16);
		frame_fix_transport(&f);
		lab_rx(lab, &f);
	}
}

static void ip6_group_frame(struct lab *lab)
{
	struct ends e = lab_ends6();

	e.dmac = (struct mac){{0x33, 0x33, 0, 0, 0, 1}};
	frame_udp(&f, &e, 1, 2, "", 0);
	lab_rx(lab, &f);
}

static void ip6_option(struct lab *lab)
{
	lab_meet_peer(lab);
	EXTENDED(lab, IPPROTO_DSTOPTS, 59, 0, 0x40, 0, 1, 2, 0, 0);
	CU_ASSERT(lab_tx_none(lab));
	EXTENDED(lab, IPPROTO_DSTOPTS, 59, 0, 0x80, 0, 1, 2, 0, 0);
	CU_ASSERT(tx_is_problem(lab, 2, 42));
	EXTENDED(lab, IPPROTO_HOPOPTS, 59, 0, 0, 0xc2, 1, 0, 1, 0);
	CU_ASSERT(tx_is_problem(lab, 2, 43));
	/* Never about an ICMPv6 error: RFC 4443 section 2.4 (e.1). */
	EXTENDED(lab, IPPROTO_DSTOPTS, 58, 0, 0x80, 0, 1, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0);
	CU_ASSERT(lab_tx_none(lab));
}

static void ip6_routing(struct lab *lab)
{
	lab_meet_peer(lab);
	EXTENDED(lab, IPPROTO_ROUTING, 17, 0, 0, 1, 0, 0, 0, 0);
	CU_ASSERT(tx_is_problem(lab, 0, 42));
}

static void ip6_too_many_headers(struct lab *lab)
{
	uint8_t many[7 * 8] = {0}, options[32] = {17, 3}, wide[264] = {17, 32};
	unsigned i;

	for (i = 0; i < sizeof(many); i += 8)
		many[i] = IPPROTO_DSTOPTS;
	rx_extended(lab, IPPROTO_DSTOPTS, many, sizeof(many));
	for (i = 2; i < 20; i += 2)
		options[i] = 0x1e; /* nine that nobody knows */
	rx_extended(lab, IPPROTO_DSTOPTS, options, sizeof(options));
	rx_extended(lab, IPPROTO_DSTOPTS, wide, sizeof(wide));
}

static void ip6_header_unknown(struct lab *lab)
{
	lab_meet_peer(lab);
	EXTENDED(lab, 132, 's', 'c', 't', 'p');
	CU_ASSERT(tx_is_problem(lab, 1, 6));
	EXTENDED(lab, IPPROTO_DSTOPTS, 0, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0);
	CU_ASSERT(tx_is_problem(lab, 1, 40)); /* hop-by-hop options that are not first */
	EXTENDED(lab, IPPROTO_NONE, 1);
	CU_ASSERT(lab_tx_none(lab));
}

/* ---- NDP ------------------------------------------------------------------------------------ */

static void nd_malformed(struct lab *lab)
{
	struct ends e = lab_ends6();
	struct perch_ip group = packets_ip("ff02::1"), ours = e.dst;
	struct perch_ip our_ip4 = packets_ip("10.0.0.1");

	frame_nd(&f, &e, 135, 0, &e.dst, &lab_peer_mac);
	f.b[AT_IP + 7] = 254; /* it has crossed a router */
	lab_rx(lab, &f);
	frame_nd(&f, &e, 135, 0, &group, &lab_peer_mac);
	lab_rx(lab, &f);
	frame_nd(&f, &e, 135, 0, &e.dst, &lab_peer_mac);
	f.b[AT_L4_6 + 1] = 1; /* code */
	frame_fix_transport(&f);
	lab_rx(lab, &f);
	frame_nd(&f, &e, 135, 0, &e.dst, &lab_peer_mac);
	f.b[AT_L4_6 + 25] = 0; /* an option of length zero */
	frame_fix_transport(&f);
	lab_rx(lab, &f);
	frame_icmp(&f, &e, 135, 0, 0, "short", 5);
	f.b[AT_IP + 7] = 255;
	lab_rx(lab, &f);

	e.src = packets_ip("::"); /* detecting duplicates goes to the solicited-node group only */
	e.dmac = (struct mac){{0x33, 0x33, 0, 0, 0, 1}};
	e.dst = group;
	frame_nd(&f, &e, 135, 0, &ours, NULL);
	lab_rx(lab, &f);
	e.dst = packets_ip("ff02::1:ff00:1"); /* ... and has no MAC address to tell */
	frame_nd(&f, &e, 135, 0, &ours, &lab_peer_mac);
	lab_rx(lab, &f);
	e = lab_ends6();
	e.dmac = (struct mac){{0x33, 0x33, 0, 0, 0, 1}};
	e.dst = group;
	frame_nd(&f, &e, 136, 0x40, &e.src, &lab_peer_mac); /* solicited, yet to everybody */
	lab_rx(lab, &f);
	e = lab_ends6();
	frame_nd(&f, &e, 135, 0, &our_ip4, &lab_peer_mac); /* an IPv4 address in disguise */
	lab_rx(lab, &f);
}

static void nd_not_ours(struct lab *lab)
{
	struct ends e = lab_ends6();
	struct perch_ip other = packets_ip("fd00::3");

	frame_nd(&f, &e, 135, 0, &other, &lab_peer_mac);
	lab_rx(lab, &f);
	frame_nd(&f, &e, 136, 0x60, &other, &lab_peer_mac);
	lab_rx(lab, &f);
}

static void nd_conflict(struct lab *lab)
{
	struct ends e = lab_ends6();

	frame_nd(&f, &e, 136, 0x20, &e.dst, &lab_peer_mac);
	lab_rx(lab, &f);
}

/* ---- ICMP ----------------------------------------------------------------------------------- */

static void icmp_truncated(struct lab *lab)
{
	struct ends e4 = lab_ends4(), e6 = lab_ends6();

	frame_ip(&f, &e4, IPPROTO_ICMP, "\x08\0\xf7\xff\0\0\0", 7);
	lab_rx(lab, &f);
	frame_ip(&f, &e6, IPPROTO_ICMPV6, "\x80\0\0\0\0\0\0", 7);
	lab_rx(lab, &f);
}

static void icmp_bad_checksum(struct lab *lab)
{
	struct ends e4 = lab_ends4(), e6 = lab_ends6();

	frame_icmp(&f, &e4, 8, 0, 1, "x", 1);
	f.b[AT_L4 + 8] ^= 1;
	lab_rx(lab, &f);
	frame_icmp(&f, &e6, 128, 0, 1, "x", 1);
	f.b[AT_L4_6 + 8] ^= 1;
	lab_rx(lab, &f);
}

static void icmp_echo_to_group(struct lab *lab)
{
	struct ends e4 = lab_ends4(), e6 = lab_ends6();

	e4.dmac = packets_broadcast;
	e4.dst = packets_ip("10.0.0.255");
	frame_icmp(&f, &e4, 8, 0, 1, "x", 1);
	lab_rx(lab, &f);
	e6.dmac = (struct mac){{0x33, 0x33, 0, 0, 0, 1}};
	e6.dst = packets_ip("ff02::1");
	frame_icmp(&f, &e6, 128, 0, 1, "x", 1);
	lab_rx(lab, &f);
}

static void icmp_type_unknown(struct lab *lab)
{
	struct ends e4 = lab_ends4(), e6 = lab_ends6();

	frame_icmp(&f, &e4, 0, 0, 0, "reply", 5);
	lab_rx(lab, &f);
	frame_icmp(&f, &e6, 200, 0, 0, "private", 7);
	lab_rx(lab, &f);
}

static void icmp_redirect(struct lab *lab)
{
	struct ends e = lab_ends4();

	frame_icmp(&f, &e, 5, 1, 0, "redirect", 8);
	lab_rx(lab, &f);
}

static void nd_router_ignored(struct lab *lab)
{
	struct ends e = lab_ends6();

	frame_icmp(&f, &e, 134, 0, 0, "advert", 6);
	lab_rx(lab, &f);
	frame_icmp(&f, &e, 137, 0, 0, "redirect", 8);
	lab_rx(lab, &f);
}

/* The bucket holds 43 to 50. */
static void icmp_rate_limited(struct lab *lab)
{
	struct ends e = lab_ends4();

	lab_meet_peer(lab);
	for (int i = 0; i < 51; i++) {
		frame_ip(&f, &e, 132, "x", 1);
		lab_rx(lab, &f);
	}
	CU_ASSERT(lab->net->n_tx >= 43 && lab->net->n_tx <= 50);
	lab->net->drops[PERCH_DROP_ip4_proto_unknown] = 0; /* the other name of these */
	drain(lab);
}

static void icmp_no_flow(struct lab *lab)
{
	struct ends e4 = lab_ends4(), e6 = lab_ends6(), e;
	struct frame quoted;

	lab_tcp.knows_flow = false;
	e = packets_reverse(&e4);
	frame_tcp(&quoted, &e, 5, 6, 1, 0, 2, 1000, "", 0);
	frame_icmp(&f, &e4, 3, 1, 0, quoted.b + AT_IP, 28);
	lab_rx(lab, &f);
	CU_ASSERT_EQUAL(lab_tcp.errors, 1);
	quoted.b[AT_IP + 7] = 1; /* a later fragment: no ports in it */
	frame_icmp(&f, &e4, 3, 1, 0, quoted.b + AT_IP, 28);
	lab_rx(lab, &f);
	quoted.b[AT_IP + 7] = 0;
	frame_icmp(&f, &e4, 3, 1, 0, quoted.b + AT_IP, 27); /* not even the ports */
	lab_rx(lab, &f);
	frame_icmp(&f, &e6, 1, 3, 0, quoted.b + AT_IP, 28); /* of the other family */
	lab_rx(lab, &f);
	frame_icmp(&f, &e4, 3, 1, 0, "", 0);
	lab_rx(lab, &f);
	frame_tcp(&quoted, &e4, 5, 6, 1, 0, 2, 1000, "", 0); /* we never sent that */
	frame_icmp(&f, &e4, 3, 1, 0, quoted.b + AT_IP, 28);
	lab_rx(lab, &f);
	e = packets_reverse(&e6);
	frame_udp(&quoted, &e, 5, 6, "", 0); /* no socket on port 5 */
	frame_icmp(&f, &e6, 1, 4, 0, quoted.b + AT_IP, 48);
	lab_rx(lab, &f);
	CU_ASSERT_EQUAL(lab_tcp.errors, 1);
}

/* ---- UDP ------------------------------------------------------------------------------------ */

static void udp_truncated(struct lab *lab)
{
	struct ends e = lab_ends4();

	frame_ip(&f, &e, IPPROTO_UDP, "\0\1\0\2\0\7\0", 7);
	lab_rx(lab, &f);
	frame_ip(&f, &e, IPPROTO_UDP, "\0\1\0\2\0\7\0\0", 8); /* length 7 */
	lab_rx(lab, &f);
	frame_ip(&f, &e, IPPROTO_UDP, "\0\1\0\2\0\x9\0\0", 8); /* length 9 */
	lab_rx(lab, &f);
}

static void udp_bad_checksum(struct lab *lab)
{
	struct rte_mbuf *m;

	make_udp4();
	f.b[AT_L4 + 8] ^= 1;
	lab_rx(lab, &f);
	make_udp6();
	f.b[AT_L4_6 + 6] = f.b[AT_L4_6 + 7] = 0; /* none: not over IPv6 */
	lab_rx(lab, &f);
	make_udp4();
	m = frame_to_mbuf(lab_pool, &f);
	m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_BAD;
	lab_rx_mbuf(lab, m);
}

static void udp_no_port(struct lab *lab)
{
	struct ends e4 = lab_ends4(), e6 = lab_ends6(), back;
	struct frame error;

	lab_meet_peer(lab);
	make_udp4();
	lab_rx(lab, &f);
	back = packets_reverse(&e4);
	frame_icmp(&error, &back, 3, 3, 0, f.b + AT_IP, f.len - AT_IP);
	CU_ASSERT(lab_tx_is(lab, &error));
	make_udp6();
	lab_rx(lab, &f);
	back = packets_reverse(&e6);
	frame_icmp(&error, &back, 1, 4, 0, f.b + AT_IP, f.len - AT_IP);
	CU_ASSERT(lab_tx_is(lab, &error));
	e4.dmac = packets_broadcast; /* no answer to a broadcast */
	e4.dst = packets_ip("255.255.255.255");
	frame_udp(&f, &e4, 1, 2, "", 0);
	lab_rx(lab, &f);
}

/* ---- fragments ------------------------------------------------------------------------------ */

/* A piece of a datagram to us: its place in units of 8 bytes, flag 0x20 for more. */
static void rx_piece4(struct lab *lab, uint8_t place, uint8_t flag, unsigned len, uint8_t id)
{
	static const uint8_t data[64];
	struct ends e = lab_ends4();

	frame_ip(&f, &e, IPPROTO_UDP, data, len);
	f.b[AT_IP + 5] = id;
	f.b[AT_IP + 6] = flag;
	f.b[AT_IP + 7] = place;
	rx_fixed4(lab);
}

static void frag_malformed(struct lab *lab)
{
	rx_piece4(lab, 0, 0x20, 15, 1);
	rx_piece4(lab, 1, 0, 0, 1);
	lab_meet_peer(lab);
	EXTENDED(lab, IPPROTO_FRAGMENT, 17, 0, 0, 1, 0, 0, 0, 9, 1, 2, 3);
	drain(lab); /* is told of it */
}

static void frag_overlap(struct lab *lab)
{
	rx_piece4(lab, 0, 0x20, 24, 1);
	rx_piece4(lab, 2, 0x20, 16, 1);
	rx_piece4(lab, 4, 0, 8, 1);
}

static void frag_duplicate(struct lab *lab)
{
	rx_piece4(lab, 0, 0x20, 24, 1);
	rx_piece4(lab, 0, 0x20, 24, 1);
}

static void frag_too_big(struct lab *lab)
{
	rx_piece4(lab, 0xff, 0x1f, 24, 1);
}

static void frag_timeout(struct lab *lab)
{
	rx_piece4(lab, 1, 0x20, 24, 1); /* nobody is told: the first one is missing */
	lab_pass(lab, 60 * LAB_S);
}

static void frag_table_full(struct lab *lab)
{
	for (uint8_t id = 0; id < 9; id++)
		rx_piece4(lab, 0, 0x20, 24, id);
}

/* ---- multicast ------------------------------------------------------------------------------ */

static void join_one(struct lab *lab, const char *group, uint16_t port)
{
	const struct perch_ip any = {.d = {0, 0}};
	struct perch_ip g = packets_ip(group);
	struct perch_udp *u;

	CU_ASSERT_EQUAL(perch_udp_open(lab->net, &any, port, 0, &u), 0);
	CU_ASSERT_EQUAL(perch_mcast_join(lab->net, 0, u, &g, &any), 0);
}

static void rx_igmp(struct lab *lab, const void *b, unsigned len, bool fix)
{
	struct ends e = lab_ends4();

	e.dst = packets_ip("224.0.0.1");
	e.dmac = (struct mac){{1, 0, 0x5e, 0, 0, 1}};
	frame_ip(&f, &e, IPPROTO_IGMP, b, len);
	if (fix)
		frame_fix_transport(&f);
	lab_rx(lab, &f);
}

static void igmp_truncated(struct lab *lab)
{
	rx_igmp(lab, "\x11\0\0\0\0\0\0", 7, true);
	rx_igmp(lab, "", 0, false);
}

static void igmp_bad_checksum(struct lab *lab)
{
	rx_igmp(lab, "\x11\x0a\0\0\0\0\0\0", 8, false);
}

static void igmp_malformed(struct lab *lab)
{
	rx_igmp(lab, "\x11\x0a\0\0\x0a\0\0\1", 8, true);             /* of a host */
	rx_igmp(lab, "\x11\x0a\0\0\0\0\0\0\0\0", 10, true);          /* between two versions */
	rx_igmp(lab, "\x11\x0a\0\0\xef\1\1\1\2\x7d\0\1", 12, true); /* a source is missing */
	rx_igmp(lab, "\x11\x0a\0\0\0\0\0\0\2\x7d\0\1\1\2\3\4", 16, true);
	rx_igmp(lab, "\x16\0\0\0\xef\1\1\1", 8, true);                /* to another group */
}

static void igmp_type_unknown(struct lab *lab)
{
	rx_igmp(lab, "\x13\0\0\0\0\0\0\0", 8, true); /* DVMRP */
}

/* Without the router alert, from beyond the link, too short, of no group. */
static void mld_malformed(struct lab *lab)
{
	struct ends e = lab_ends6();
	uint8_t query[28] = {0};

	e.src = packets_ip("fe80::9");
	e.dst = packets_ip("ff02::1");
	e.dmac = (struct mac){{0x33, 0x33, 0, 0, 0, 1}};
	frame_icmp(&f, &e, 130, 0, 0, query, 16);
	lab_rx(lab, &f);
	e.src = packets_ip("fd00::2");
	frame_icmp(&f, &e, 130, 0, 0, query, 16);
	lab_rx(lab, &f);
	frame_icmp(&f, &e, 130, 0, 0, query, 15);
	lab_rx(lab, &f);
	frame_icmp(&f, &e, 131, 0, 0, query, 16);
	lab_rx(lab, &f);
}

static void group_table_full(struct lab *lab)
{
	const struct perch_ip any = {.d = {0, 0}};
	struct perch_ip g = packets_ip("239.0.0.0");
	struct perch_udp *u;
	int rc = 0;

	CU_ASSERT_EQUAL(perch_udp_open(lab->net, &any, 1, 0, &u), 0);
	for (unsigned i = 0; rc == 0 && i < 1000; i++) {
		g.b[14] = (uint8_t)(i >> 8);
		g.b[15] = (uint8_t)i;
		rc = perch_mcast_join(lab->net, 0, u, &g, &any);
	}
	CU_ASSERT_EQUAL(rc, -ENOBUFS);
	CU_ASSERT(u->n_groups >= 256);
}

static void udp_no_member(struct lab *lab)
{
	struct ends e = lab_ends4();

	join_one(lab, "239.1.1.1", 7);
	e.dst = packets_ip("239.1.1.1");
	e.dmac = (struct mac){{1, 0, 0x5e, 1, 1, 1}};
	frame_udp(&f, &e, 4000, 8, "x", 1);
	lab_rx(lab, &f);
}

static void udp_queue_full(struct lab *lab)
{
	struct perch_ip any = {.d = {0, 0}};
	struct perch_udp *u;

	CU_ASSERT_EQUAL(perch_udp_open(lab->net, &any, 7, 2, &u), 0);
	for (int i = 0; i < 3; i++) {
		make_udp4();
		lab_rx(lab, &f);
	}
	CU_ASSERT_EQUAL(u->queued, 2);
}

static void udp_unread(struct lab *lab)
{
	struct perch_ip any = {.d = {0, 0}};
	struct perch_udp *u;

	CU_ASSERT_EQUAL(perch_udp_open(lab->net, &any, 7, 2, &u), 0);
	make_udp4();
	lab_rx(lab, &f);
	CU_ASSERT_EQUAL(u->queued, 1);
	perch_udp_close(lab->net, u);
}

static void tcp_bad_checksum(struct lab *lab)
{
	struct ends e = lab_ends4();

	frame_tcp(&f, &e, 1, 2, 3, 4, 16, 5, "data", 4);
	f.b[f.len - 1] ^= 1;
	lab_rx(lab, &f);
}

/* ---- memory and the way out ----------------------------------------------------------------- */

static void mbuf_exhausted(struct lab *lab)
{
	static struct rte_mbuf *all[4096];
	struct rte_mbuf *m;
	unsigned n = 0;

	make_arp("10.0.0.2", "10.0.0.1", 1);
	m = frame_to_mbuf(lab_pool, &f);
	while ((all[n] = rte_pktmbuf_alloc(lab_pool)))
		n++;
	lab_rx_mbuf(lab, m); /* it would be answered */
	CU_ASSERT(lab_tx_none(lab));
	rte_pktmbuf_free_bulk(all, n);
}

static int send_udp(struct lab *lab, const char *dst, unsigned len)
{
	struct perch_ip src = packets_ip("10.0.0.1"), to = packets_ip(dst);
	struct rte_mbuf *m = perch_net_alloc(lab->net);

	memset(rte_pktmbuf_append(m, (uint16_t)len), 0, len);
	return perch_ip_send(lab->net, m, &src, &to, IPPROTO_UDP, 0, NULL);
}

static void tx_queue_full(struct lab *lab)
{
	lab_meet_peer(lab);
	for (int i = 0; i < PERCH_NET_TX; i++)
		CU_ASSERT_EQUAL(send_udp(lab, "10.0.0.2", 8), 0);
	CU_ASSERT_EQUAL(send_udp(lab, "10.0.0.2", 8), -ENOBUFS);
	drain(lab);
}

static void no_route(struct lab *lab)
{
	CU_ASSERT_EQUAL(send_udp(lab, "0.0.0.0", 8), -ENETUNREACH);
	CU_ASSERT_EQUAL(send_udp(lab, "10.0.0.1", 8), -ENETUNREACH); /* no loopback */
	CU_ASSERT_EQUAL(send_udp(lab, "fd00::2", 8), -ENETUNREACH);  /* from an IPv4 address */
}

static void no_headroom(struct lab *lab)
{
	struct perch_ip src = packets_ip("10.0.0.1"), dst = packets_ip("10.0.0.2");
	struct rte_mbuf *m;

	lab_meet_peer(lab);
	for (uint16_t room = 10; room < 40; room += 20) { /* not for IP, not for Ethernet */
		m = rte_pktmbuf_alloc(lab_pool);
		m->data_off = room;
		memset(rte_pktmbuf_append(m, 8), 0, 8);
		CU_ASSERT_EQUAL(perch_ip_send(lab->net, m, &src, &dst, IPPROTO_UDP, 0, NULL),
			-ENOBUFS);
	}
}

static void too_big(struct lab *lab)
{
	struct perch_ip any = {.d = {0, 0}}, to = packets_ip("10.0.0.2");
	static const uint8_t data[65508];
	struct perch_udp *u;

	CU_ASSERT_EQUAL(perch_udp_open(lab->net, &any, 7, 0, &u), 0);
	CU_ASSERT_EQUAL(
		perch_udp_send(lab->net, u, &any, &to, 7, data, sizeof(data)), -EMSGSIZE);
}

/* ---- the table ------------------------------------------------------------------------------ */

static const struct {
	enum perch_drop name;
	unsigned count; /* how often the case triggers it */
	void (*run)(struct lab *lab);
} cases[] = {
#define CASE(name, count) {PERCH_DROP_##name, count, name}
	CASE(eth_truncated, 1), CASE(eth_not_ours, 1), CASE(eth_bad_source, 2),
	CASE(eth_too_long, 1), CASE(eth_type_unknown, 1), CASE(eth_vlan, 3),
	CASE(arp_truncated, 1), CASE(arp_malformed, 8), CASE(arp_not_ours, 4),
	CASE(arp_conflict, 1), CASE(neigh_queue_full, 1), CASE(neigh_unreachable, 1),
	CASE(neigh_table_full, 1), CASE(neigh_not_on_link, 2), CASE(ip4_truncated, 2),
	CASE(ip4_malformed, 6), CASE(ip4_bad_checksum, 2), CASE(ip4_bad_source, 8),
	CASE(ip4_not_ours, 4), CASE(ip4_group_frame, 1), CASE(ip4_options, 2),
	CASE(ip4_proto_unknown, 1), CASE(ip6_truncated, 5),
	CASE(ip6_malformed, 2), CASE(ip6_bad_source, 6), CASE(ip6_not_ours, 5),
	CASE(ip6_group_frame, 1), CASE(ip6_option, 4), CASE(ip6_routing, 1),
	CASE(ip6_too_many_headers, 3), CASE(ip6_header_unknown, 3),
	CASE(nd_malformed, 9), CASE(nd_not_ours, 2), CASE(nd_conflict, 1),
	CASE(icmp_truncated, 2), CASE(icmp_bad_checksum, 2), CASE(icmp_echo_to_group, 2),
	CASE(icmp_type_unknown, 2), CASE(icmp_redirect, 1), CASE(nd_router_ignored, 2),
	 CASE(icmp_rate_limited, 8), CASE(icmp_no_flow, 7),
	CASE(udp_truncated, 3), CASE(udp_bad_checksum, 3), CASE(udp_no_port, 3),
	CASE(frag_malformed, 3), CASE(frag_overlap, 2), CASE(frag_duplicate, 1),
	CASE(frag_too_big, 1), CASE(frag_timeout, 1), CASE(frag_table_full, 1),
	CASE(udp_unread, 1),
	CASE(udp_queue_full, 1), CASE(eth_not_joined, 2), CASE(igmp_truncated, 2),
	CASE(igmp_bad_checksum, 1), CASE(igmp_malformed, 5), CASE(igmp_type_unknown, 1),
	CASE(mld_malformed, 4), CASE(group_table_full, 1), CASE(udp_no_member, 1),
	CASE(tcp_bad_checksum, 1), CASE(mbuf_exhausted, 1),
	CASE(tx_queue_full, 1), CASE(no_route, 3), CASE(no_headroom, 2), CASE(too_big, 1),
};

enum { N_CASES = sizeof(cases) / sizeof(cases[0]) };

static void open_for(struct lab *lab, enum perch_drop name)
{
	struct perch_net_config cfg;

	lab_config(&cfg);
	if (name == PERCH_DROP_neigh_table_full)
		cfg.ifs[0].addrs[0].prefix_len = 8;
	lab_open_with(lab, &cfg);
}

static void each_by_name(void)
{
	struct lab lab;
	uint64_t counted;

	for (unsigned i = 0; i < N_CASES; i++) {
		open_for(&lab, cases[i].name);
		cases[i].run(&lab);
		counted = lab.net->drops[cases[i].name];
		/* The error bucket's size is random within limits; it alone may count less. */
		if (cases[i].name == PERCH_DROP_icmp_rate_limited
				? counted < 1 || counted > cases[i].count
				: counted != cases[i].count) {
			printf("  %s: counted %lu times\n", perch_drop_texts[cases[i].name].name,
				(unsigned long)counted);
			CU_FAIL("miscounted");
		}
		if (lab_drops(&lab) != counted) {
			printf("  %s: other names were counted too\n",
				perch_drop_texts[cases[i].name].name);
			CU_FAIL("misnamed");
		}
		if (!lab_tx_none(&lab)) {
			printf("  %s: was answered\n", perch_drop_texts[cases[i].name].name);
			CU_FAIL("answered");
		}
		lab_close(&lab);
	}
}

/* What the port and the engine count has no case here, nor has TCP's own. */
static bool has_case_elsewhere(enum perch_drop name)
{
	return strncmp(perch_drop_texts[name].name, "tcp_", 4) == 0 ||
		name == PERCH_DROP_tx_port_full || name == PERCH_DROP_tx_stopped ||
		name >= PERCH_DROP_co_exhausted;
}

static void no_name_without_a_case(void)
{
	unsigned name, i;

	for (name = 0; name < PERCH_DROP_COUNT; name++) {
		for (i = 0; i < N_CASES && cases[i].name != name; i++)
			;
		if (i == N_CASES && !has_case_elsewhere(name)) {
			printf("  %s has no case\n", perch_drop_texts[name].name);
			CU_FAIL("no case");
		}
	}
}

/* Sockets that nobody reads leave packet buffers for one that comes later. */
static void unread_sockets_leave_room(void)
{
	enum { SOCKETS = 6, EACH = 600, LATE = 100 };
	struct perch_ip any = {.d = {0, 0}};
	struct ends e = lab_ends4();
	struct perch_udp *u;
	struct lab lab;

	lab_open(&lab);
	for (unsigned i = 0; i < SOCKETS; i++) {
		CU_ASSERT_EQUAL(perch_udp_open(lab.net, &any, (uint16_t)(7 + i), EACH, &u), 0);
		frame_udp(&f, &e, 4000, (uint16_t)(7 + i), "x", 1);
		for (unsigned k = 0; k < EACH; k++)
			lab_rx(&lab, &f);
	}
	CU_ASSERT(lab.net->held <= lab.net->held_max && lab.net->held_max < SOCKETS * EACH);
	CU_ASSERT(lab.net->drops[PERCH_DROP_udp_queue_full] > 0);
	CU_ASSERT(rte_mempool_avail_count(lab_pool) > lab_pool->size / 3);
	CU_ASSERT_EQUAL(perch_udp_open(lab.net, &any, LATE, EACH, &u), 0);
	frame_udp(&f, &e, 4000, LATE, "x", 1);
	lab_rx(&lab, &f);
	CU_ASSERT_EQUAL(u->queued, 1);
	lab_close(&lab);
}

/* A copy to learn from was counted by the lcore that received it. */
static void copies_are_not_counted(void)
{
	struct lab lab;
	struct ends e = lab_ends4();

	lab_open(&lab);
	make_arp("10.0.0.2", "10.0.0.3", 1);
	perch_net_learn(lab.net, 0, frame_to_mbuf(lab_pool, &f), lab.now_ns);
	frame_icmp(&f, &e, 8, 0, 0, "ping", 4);
	perch_net_learn(lab.net, 0, frame_to_mbuf(lab_pool, &f), lab.now_ns);
	make_udp4();
	perch_net_learn(lab.net, 0, frame_to_mbuf(lab_pool, &f), lab.now_ns);
	CU_ASSERT_EQUAL(lab_drops(&lab), 0);
	CU_ASSERT(lab_tx_none(&lab));
	lab_close(&lab);
}

int main(int argc, char **argv)
{
	const struct suite_case suite[] = {
		{"each by name", each_by_name},
		{"no name without a case", no_name_without_a_case},
		{"copies are not counted", copies_are_not_counted},
		{"unread sockets leave room", unread_sockets_leave_room},
		{NULL, NULL},
	};

	lab_pool = packets_start("l3_drops");
	return suite_main("l3 drops", suite, argc, argv);
}
