/* SPDX-License-Identifier: BSD-3-Clause
 * Bytes that nobody meant: random ones, and valid packets with bits flipped, cut or patched with
 * right checksums, from fixed seeds. Nothing may crash, read behind a packet (the buffers end where
 * the packets do) or leak.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "tcp-lite/ip.h"
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
	struct perch_udp *u;

	lab_open(&lab);
	CU_ASSERT_EQUAL(perch_udp_open(lab.net, &any, 7, 4, &u), 0);
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
		m = perch_udp_take((struct perch_udp *)flow);
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
	static const uint8_t protos[] = {1, 6, 17, 58, 0, 43, 44, 60, 59, 132};
	struct ends e = dice(2) ? lab_ends4() : lab_ends6();
	uint8_t bytes[300];
	unsigned len = dice(sizeof(bytes));

	for (unsigned i = 0; i < len; i++)
		bytes[i] = dice(3) ? (uint8_t)dice(256) : protos[dice(10)];
	frame_ip(&f, &e, protos[dice(10)], bytes, len);
}

/* ---- valid packets, damaged ----------------------------------------------------------------- */

static void make_valid(void)
{
	bool v4 = dice(2);
	struct ends e = v4 ? lab_ends4() : lab_ends6(), back = packets_reverse(&e);
	struct frame quoted;
	uint8_t data[64] = {0};

	switch (dice(7)) {
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
	for (int i = 0; i < 300; i++) {
		make_valid();
		lab_rx(&lab, &f);
		pass_and_drain();
	}
	CU_ASSERT(lab_tcp.segments > 20);
	CU_ASSERT(lab_tcp.errors > 20);
	CU_ASSERT(lab.net->tx_packets > 100);
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
