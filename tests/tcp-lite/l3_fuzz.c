/* SPDX-License-Identifier: BSD-3-Clause
 * Bytes that nobody meant: random ones, and valid packets with bits flipped, cut or patched with
 * right checksums, from fixed seeds. Nothing may crash, read behind a packet (the buffers end where
 * the packets do) or leak.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "tcp-lite/ip.h"
#include "tcp-lite/mcast.h"
#include "tcp-lite/udp.h"
#include "tests/suite.h"
#include "tests/tcp-lite/lab.h"

enum { ROUNDS = 60000, REOPEN_EVERY = 2000 };

static struct lab lab;
static struct frame f;
static uint64_t seed;

static uint32_t dice(uint32_t sides)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33) % sides;
}

static void open_with_sockets(void)
{
	const struct perch_ip any = {.d = {0, 0}};
	const char *groups[] = {"239.1.1.1", "232.1.1.1", "ff05::1", "ff3e::1"};
	const char *sources[] = {NULL, "10.0.0.2", NULL, "fd00::2"};
	struct perch_ip group, source;
	struct perch_udp *u;

	lab_open(&lab);
	CU_ASSERT_EQUAL(perch_udp_open(lab.net, &any, 7, 4, &u), 0);
	for (unsigned i = 0; i < 4; i++) {
		group = packets_ip(groups[i]);
		source = sources[i] ? packets_ip(sources[i]) : any;
		CU_ASSERT_EQUAL(perch_mcast_join(lab.net, 0, u, &group, &source), 0);
	}
}

static void rx_somehow(void)
{
	struct rte_mbuf *m;

	m = dice(8) ? frame_to_mbuf(lab_pool, &f) : frame_to_segments(lab_pool, &f, 1 + dice(80));
	/* With checksums taken for right, damage gets further in. */
	m->ol_flags |= (uint64_t)dice(2) * RTE_MBUF_F_RX_IP_CKSUM_GOOD |
		(uint64_t)dice(2) * RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	if (dice(10) == 0)
		perch_net_learn(lab.net, 0, m, lab.now_ns);
	else
		lab_rx_mbuf(&lab, m);
}

static void pass_and_drain(void)
{
	struct frame sent;
	struct perch_flow *flow;
	struct rte_mbuf *m;

	if (dice(50) == 0)
		lab_pass(&lab, dice(2000000000));
	while (!lab_tx_none(&lab))
		lab_tx(&lab, &sent);
	while ((flow = perch_net_next_ready(lab.net))) {
		m = perch_udp_take(lab.net, (struct perch_udp *)flow);
		if (m && dice(2))
			perch_udp_send(lab.net, (struct perch_udp *)flow, &perch_pkt(m)->udp.dst,
				&perch_pkt(m)->udp.src, perch_pkt(m)->udp.sport,
				rte_pktmbuf_mtod(m, void *), m->data_len);
		rte_pktmbuf_free(m);
		flow->events = 0;
	}
}

/* Every packet is either dropped by name, sent back, queued or learnt from; the lab's close
 * asserts that none is lost. */
static void run(uint64_t from_seed, void (*make)(void))
{
	seed = from_seed;
	for (int i = 0; i < ROUNDS; i++) {
		if (i % REOPEN_EVERY == 0) {
			if (i > 0)
				lab_close(&lab);
			open_with_sockets();
		}
		make();
		rx_somehow();
		pass_and_drain();
	}
	lab_close(&lab);
}

/* ---- random bytes, behind headers that let them in ------------------------------------------ */

static void make_random(void)
{
	static const uint16_t types[] = {0x0800, 0x86dd, 0x0806, 0x8100, 0x1234};
	unsigned len = dice(200);

	frame_ether(&f, dice(4) ? &lab_mac : &packets_broadcast, &lab_peer_mac, types[dice(5)]);
	while (len-- > 0)
		frame_add(&f, &(uint8_t){(uint8_t)dice(256)}, 1);
	if (dice(20) == 0)
		f.len = dice(f.len + 1);
}

static void make_random_transport(void)
{
	static const uint8_t protos[] = {1, 6, 17, 58, 0, 43, 44, 60, 59, 2};
	struct ends e = dice(2) ? lab_ends4() : lab_ends6();
	uint8_t bytes[300];
	unsigned len = dice(sizeof(bytes));

	for (unsigned i = 0; i < len; i++)
		bytes[i] = dice(3) ? (uint8_t)dice(256) : protos[dice(10)];
	frame_ip(&f, &e, protos[dice(10)], bytes, len);
}

/* ---- valid packets, damaged ----------------------------------------------------------------- */

static void to_group(struct ends *e, const char *group)
{
	e->dst = packets_ip(group);
	e->dmac = perch_ip_is_v4(&e->dst)
		? (struct mac){{1, 0, 0x5e, e->dst.b[13] & 0x7f, e->dst.b[14], e->dst.b[15]}}
		: (struct mac){{0x33, 0x33, e->dst.b[12], e->dst.b[13], e->dst.b[14],
			e->dst.b[15]}};
}

static void make_query(bool v4)
{
	uint8_t b[28 + 32] = {v4 ? 0x11 : 130, (uint8_t)(v4 ? dice(256) : 0)};
	uint8_t alert[8] = {IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0};
	struct ends e = v4 ? lab_ends4() : lab_ends6();
	unsigned at = v4 ? 8 : 24, n = dice(3), size = v4 ? 4 : 16;
	bool general = dice(2);

	to_group(&e, v4 ? general ? "224.0.0.1" : "232.1.1.1" : general ? "ff02::1" : "ff3e::1");
	if (!general)
		memcpy(b + (v4 ? 4 : 8), e.dst.b + (v4 ? 12 : 0), size);
	b[at] = (uint8_t)dice(256);
	b[at + 3] = (uint8_t)(general ? 0 : n);
	memcpy(b + at + 4, lab_ends6().src.b, 16);
	if (v4)
		memcpy(b + at + 4, lab_ends4().src.b + 12, 4);
	at = dice(3) ? at + 4 + b[at + 3] * size : at;
	if (v4) {
		frame_ip(&f, &e, IPPROTO_IGMP, b, at);
		frame_fix_transport(&f);
		return;
	}
	e.src = packets_ip("fe80::2");
	frame_icmp(&f, &e, 130, 0, (uint32_t)dice(65536) << 16, b + 8, at - 8);
	memmove(f.b + 62, f.b + 54, f.len - 54); /* its checksum stays right */
	memcpy(f.b + 54, alert, 8);
	f.len += 8;
	f.b[19] += 8;
	f.b[20] = 0;
	f.b[21] = 1;
}

static void make_fragment(bool v4)
{
	struct ends e = v4 ? lab_ends4() : lab_ends6();
	uint8_t b[8 + 64] = {IPPROTO_UDP, [3] = (uint8_t)(dice(8) * 8 | dice(2)),
		[7] = (uint8_t)dice(4)};
	unsigned len = 8 * dice(9);

	if (dice(4) == 0)
		to_group(&e, v4 ? "239.1.1.1" : "ff05::1");
	frame_ip(&f, &e, v4 ? IPPROTO_UDP : IPPROTO_FRAGMENT, b, v4 ? len : 8 + len);
	if (!v4)
		return;
	f.b[19] = b[7];
	f.b[20] = b[3] & 1 ? 0x20 : 0;
	f.b[21] = b[3] >> 3;
	frame_fix_ip4(&f);
}

/* Into VLAN 0, which is none. */
static void tag(void)
{
	memmove(f.b + 16, f.b + 12, f.len - 12);
	memcpy(f.b + 12, (const uint8_t[]){0x81, 0, 0x60, 0}, 4);
	f.len += 4;
}

static void make_valid(void)
{
	bool v4 = dice(2);
	struct ends e = v4 ? lab_ends4() : lab_ends6(), back = packets_reverse(&e);
	struct frame quoted;
	uint8_t data[64] = {0};

	switch (dice(10)) {
	case 7:
		make_query(v4);
		break;
	case 8:
		make_fragment(v4);
		break;
	case 9:
		to_group(&e, v4 ? "239.1.1.1" : "ff05::1");
		frame_udp(&f, &e, 4000, 7, data, dice(64));
		break;
	case 0:
		frame_arp(&f, &packets_broadcast, (uint16_t)(1 + dice(2)), &lab_peer_mac, &e.src,
			&lab_mac, &e.dst);
		break;
	case 1:
		frame_icmp(&f, &e, v4 ? 8 : 128, 0, 1, data, dice(64));
		break;
	case 2:
		frame_udp(&f, &e, 4000, (uint16_t)(7 + dice(2)), data, dice(64));
		break;
	case 3:
		frame_tcp(&f, &e, 4000, 7, 1, 2, (uint8_t)dice(64), 100, data, dice(64));
		break;
	case 4:
		e = lab_ends6();
		frame_nd(&f, &e, 135, 0, &e.dst, &lab_peer_mac);
		break;
	case 5:
		e = lab_ends6();
		frame_nd(&f, &e, 136, (uint8_t)dice(256), &e.src, &lab_other_mac);
		break;
	default:
		frame_tcp(&quoted, &back, 7, 4000, 1, 2, 16, 100, data, dice(64));
		frame_icmp(&f, &e, v4 ? 3 : 1, (uint8_t)dice(6), dice(2000), quoted.b + 14,
			quoted.len - 14);
	}
}

static void make_damaged(void)
{
	make_valid();
	if (dice(8) == 0)
		tag();
	for (unsigned n = dice(4); n > 0; n--)
		f.b[12 + dice(f.len - 12)] ^= (uint8_t)(1u << dice(8));
	if (dice(8) == 0)
		f.len = dice(f.len + 1);
}

/* Damage under checksums that are right again gets past them. */
static void make_damaged_and_fixed(void)
{
	unsigned header;

	do
		make_valid();
	while (f.b[12] == 0x08 && f.b[13] == 0x06); /* ARP has no checksum */
	header = f.b[12] == 0x86 ? 54 : 34;
	if (f.len == header)
		return;
	for (unsigned n = 1 + dice(3); n > 0; n--)
		f.b[header + dice(f.len - header)] = (uint8_t)dice(256);
	frame_fix_transport(&f);
}

static void random_bytes(void)
{
	run(1, make_random);
}

static void random_transport(void)
{
	run(2, make_random_transport);
}

static void damaged(void)
{
	run(3, make_damaged);
}

static void damaged_and_fixed(void)
{
	run(4, make_damaged_and_fixed);
}

/* The undamaged ones do get through: otherwise the others would prove nothing. */
static void valid_ones_pass(void)
{
	seed = 5;
	open_with_sockets();
	lab_meet_peer(&lab);
	for (int i = 0; i < 600; i++) {
		make_valid();
		lab_rx(&lab, &f);
		pass_and_drain();
	}
	CU_ASSERT(lab_tcp.segments > 20);
	CU_ASSERT(lab_tcp.errors > 20);
	CU_ASSERT(lab.net->tx_packets > 100);
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_igmp_malformed], 0);
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_mld_malformed], 0);
	CU_ASSERT(lab.net->drops[PERCH_DROP_frag_overlap] > 5); /* made of dice */
	lab_close(&lab);
}

int main(int argc, char **argv)
{
	const struct suite_case suite[] = {
		{"valid ones pass", valid_ones_pass},
		{"random bytes", random_bytes},
		{"random transport", random_transport},
		{"damaged", damaged},
		{"damaged and fixed", damaged_and_fixed},
		{NULL, NULL},
	};

	lab_pool = packets_start("l3_fuzz");
	return suite_main("l3 fuzz", suite, argc, argv);
}
