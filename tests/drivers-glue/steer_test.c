/* SPDX-License-Identifier: BSD-3-Clause
 * Several lcores on a device with one queue: who gets what, and that it is whom a NIC would choose.
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_arp.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "drivers-glue/eal.h"
#include "drivers-glue/port_inside.h"
#include "drivers-glue/replay.h"
#include "drivers-glue/vdev.h"
#include "tests/suite.h"

enum { LCORES = 4 };

/* RTE_IPV4 shifts into the sign. */
#define ip_of(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (c) << 8 | (d))

static struct perch_port *far_end, *port; /* what we send on far_end, port receives */

static void open_both(const char *a, const char *b, uint16_t lcores, uint32_t mbufs)
{
	const struct perch_eal_config eal = {.no_huge = true, .memory_mb = 256};
	struct perch_port_config cfg = {.mbufs = mbufs};
	char why[256] = "";

	CU_ASSERT_EQUAL_FATAL(perch_eal_start(&eal, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL_FATAL(perch_vdev_ring_pair(a, b, 1024), 0);
	cfg.name = a;
	CU_ASSERT_EQUAL_FATAL(perch_port_open(&far_end, &cfg, why, sizeof(why)), 0);
	cfg.name = b;
	cfg.lcores = lcores;
	CU_ASSERT_EQUAL_FATAL(perch_port_open(&port, &cfg, why, sizeof(why)), 0);
}

static void close_both(void)
{
	perch_port_close(far_end);
	perch_port_close(port);
}

/* ---- frames --------------------------------------------------------------------------------- */

struct tuple {
	uint8_t src[16], dst[16]; /* IPv4 mapped */
	uint16_t sport, dport;
};

static struct tuple tuple4(uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport)
{
	struct tuple t = {.src = {[10] = 0xff, [11] = 0xff}, .dst = {[10] = 0xff, [11] = 0xff},
		.sport = sport, .dport = dport};

	src = rte_cpu_to_be_32(src);
	dst = rte_cpu_to_be_32(dst);
	memcpy(t.src + 12, &src, 4);
	memcpy(t.dst + 12, &dst, 4);
	return t;
}

static struct rte_mbuf *frame(uint16_t type, const void *l3, uint16_t l3_len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(perch_port_pool(far_end, 0));
	struct rte_ether_hdr *eth;

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	eth = (struct rte_ether_hdr *)rte_pktmbuf_append(m, sizeof(*eth));
	memset(eth, 0, sizeof(*eth));
	eth->ether_type = rte_cpu_to_be_16(type);
	memcpy(rte_pktmbuf_append(m, l3_len), l3, l3_len);
	return m;
}

static struct rte_mbuf *ip4(const struct tuple *t, uint8_t proto, const uint8_t *l4, uint16_t len)
{
	uint8_t packet[64];
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)packet;

	*ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF, .next_proto_id = proto,
		.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + len))};
	memcpy(&ip->src_addr, t->src + 12, 4);
	memcpy(&ip->dst_addr, t->dst + 12, 4);
	memcpy(ip + 1, l4, len);
	return frame(RTE_ETHER_TYPE_IPV4, packet, (uint16_t)(sizeof(*ip) + len));
}

static struct rte_mbuf *ip6(const struct tuple *t, uint8_t proto, const uint8_t *l4, uint16_t len)
{
	uint8_t packet[96];
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)packet;

	*ip = (struct rte_ipv6_hdr){.vtc_flow = rte_cpu_to_be_32(6u << 28), .proto = proto,
		.payload_len = rte_cpu_to_be_16(len)};
	memcpy(ip->src_addr, t->src, 16);
	memcpy(ip->dst_addr, t->dst, 16);
	memcpy(ip + 1, l4, len);
	return frame(RTE_ETHER_TYPE_IPV6, packet, (uint16_t)(sizeof(*ip) + len));
}

static struct rte_mbuf *with_ports(const struct tuple *t, uint8_t proto)
{
	uint8_t l4[20] = {(uint8_t)(t->sport >> 8), (uint8_t)t->sport, (uint8_t)(t->dport >> 8),
		(uint8_t)t->dport};

	return t->src[10] == 0xff ? ip4(t, proto, l4, sizeof(l4)) : ip6(t, proto, l4, sizeof(l4));
}

/* ---- who got it ----------------------------------------------------------------------------- */

enum { NOBODY = -1, ALL = -2 };

struct got {
	unsigned originals, copies; /* bits, by lcore */
};

/* Let every lcore receive, lcore 0 first, for it polls for the others. */
static struct got send_one(struct rte_mbuf *m)
{
	struct got g = {0, 0};
	struct rte_mbuf *in[8];
	uint64_t learn;
	uint16_t i, n;
	unsigned l;

	CU_ASSERT_EQUAL_FATAL(perch_port_tx(far_end, 0, &m, 1), 1);
	for (l = 0; l < port->lcores; l++) {
		learn = 0;
		n = perch_port_rx(port, l, in, 8, &learn);
		for (i = 0; i < n; i++) {
			if (learn >> i & 1)
				g.copies |= 1u << l;
			else
				g.originals |= 1u << l;
			rte_pktmbuf_free(in[i]);
		}
	}
	return g;
}

static bool goes_to_its_lcore(const struct tuple *t, uint8_t proto)
{
	unsigned l = perch_port_lcore_of(port, t->src, t->dst, t->sport, t->dport, proto);
	struct got g = send_one(with_ports(t, proto));

	return l < port->lcores && g.originals == 1u << l && g.copies == 0;
}

/* ---- cases ---------------------------------------------------------------------------------- */

/* The examples of Microsoft's RSS specification, which NICs are verified with. */
static void hashes_as_nics_do(void)
{
	const struct {
		uint32_t src, dst;
		uint16_t sport, dport;
		uint32_t hash;
	} row[] = {
		{ip_of(66, 9, 149, 187), ip_of(161, 142, 100, 80), 2794, 1766, 0x51ccc178},
		{ip_of(199, 92, 111, 2), ip_of(65, 69, 140, 83), 14230, 4739, 0xc626b0ea},
		{ip_of(24, 19, 198, 95), ip_of(12, 22, 207, 184), 12898, 38024, 0x5c2b394a},
		{ip_of(38, 27, 205, 30), ip_of(209, 142, 163, 6), 48228, 2217, 0xafc7327f},
	};
	const struct tuple six = {
		.src = {0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x1f, 0xff, 0, 0, 0, 0, 0, 0, 0, 7},
		.dst = {0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x00, 0x03, 0, 0, 0, 0, 0, 0, 0, 1},
		.sport = 2794, .dport = 1766};
	struct tuple t;
	size_t i;

	open_both("net_ring_ha", "net_ring_hb", 64, 256);
	for (i = 0; i < RTE_DIM(row); i++) {
		t = tuple4(row[i].src, row[i].dst, row[i].sport, row[i].dport);
		CU_ASSERT_EQUAL(perch_port_lcore_of(port, t.src, t.dst, t.sport, t.dport,
			IPPROTO_TCP), row[i].hash % 64);
	}
	CU_ASSERT_EQUAL(perch_port_lcore_of(port, six.src, six.dst, six.sport, six.dport,
		IPPROTO_TCP), 0x40207d3du % 64);
	close_both();
}

static void flows_go_to_one_lcore(void)
{
	struct tuple t;
	unsigned port_no, bad = 0, seen = 0;

	open_both("net_ring_ta", "net_ring_tb", LCORES, 1024);
	for (port_no = 1; port_no <= 100; port_no++) {
		t = tuple4(ip_of(10, 0, 0, 2), ip_of(10, 0, 0, 1), (uint16_t)port_no, 7);
		bad += !goes_to_its_lcore(&t, IPPROTO_TCP);
		bad += !goes_to_its_lcore(&t, IPPROTO_UDP);
		seen |= 1u << perch_port_lcore_of(port, t.src, t.dst, t.sport, 7, IPPROTO_TCP);
		memset(t.src, 0x20, 16);
		memset(t.dst, 0x30, 16);
		bad += !goes_to_its_lcore(&t, IPPROTO_TCP);
	}
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT_EQUAL(seen, (1u << LCORES) - 1);
	close_both();
}

static bool taught(struct got g)
{
	return g.originals == 1 && g.copies == (((1u << LCORES) - 1) & ~1u);
}

static bool only_lcore0(struct got g)
{
	return g.originals == 1 && g.copies == 0;
}

static void what_teaches_goes_to_all(void)
{
	const struct tuple t = tuple4(ip_of(10, 0, 0, 2), ip_of(10, 0, 0, 1), 0, 0);
	const struct rte_arp_hdr arp = {0};
	struct tuple t6 = t;

	memset(t6.src, 0x20, 16);
	open_both("net_ring_la", "net_ring_lb", LCORES, 1024);
	CU_ASSERT(taught(send_one(frame(RTE_ETHER_TYPE_ARP, &arp, sizeof(arp)))));
	CU_ASSERT(taught(send_one(ip4(&t, IPPROTO_ICMP, (const uint8_t[28]){3, 3}, 28))));
	CU_ASSERT(only_lcore0(send_one(ip4(&t, IPPROTO_ICMP, (const uint8_t[28]){8}, 28))));
	CU_ASSERT(taught(send_one(ip6(&t6, IPPROTO_ICMPV6, (const uint8_t[24]){135}, 24))));
	CU_ASSERT(taught(send_one(ip6(&t6, IPPROTO_ICMPV6, (const uint8_t[24]){136}, 24))));
	CU_ASSERT(only_lcore0(send_one(ip6(&t6, IPPROTO_ICMPV6, (const uint8_t[24]){128}, 24))));
	close_both();
}

/* Too short for what they claim to be: they reach somebody, who drops them by name. */
static void damaged_frames_reach_lcore0(void)
{
	const struct tuple t = tuple4(1, 2, 3, 4);
	uint16_t len;
	struct rte_mbuf *m;

	open_both("net_ring_da", "net_ring_db", LCORES, 1024);
	for (len = 1; len < 36; len++) {
		m = with_ports(&t, IPPROTO_TCP);
		rte_pktmbuf_trim(m, (uint16_t)(m->data_len - len));
		CU_ASSERT(only_lcore0(send_one(m)));
	}
	close_both();
}

static void all_send_through_lcore0(void)
{
	struct rte_mbuf *m, *in[LCORES];
	unsigned l;

	open_both("net_ring_oa", "net_ring_ob", LCORES, 1024);
	for (l = 0; l < LCORES; l++) {
		m = rte_pktmbuf_alloc(perch_port_pool(port, l));
		memset(rte_pktmbuf_append(m, 60), (int)l, 60);
		CU_ASSERT_EQUAL(perch_port_tx(port, l, &m, 1), 1);
	}
	perch_port_tx(port, 0, NULL, 0); /* lcore 0's next turn */
	CU_ASSERT_EQUAL_FATAL(perch_port_rx(far_end, 0, in, LCORES, NULL), LCORES);
	for (l = 0; l < LCORES; l++)
		CU_ASSERT_EQUAL(*rte_pktmbuf_mtod(in[l], uint8_t *), l);
	rte_pktmbuf_free_bulk(in, LCORES);
	close_both();
}

/* ---- in which order ------------------------------------------------------------------------- */

enum { BURSTS = 3000, LOG = 2 * BURSTS };

static struct {
	unsigned by, of, n;
} told[LOG];
static unsigned n_told;

static void note_left(void *arg, unsigned by, unsigned of, uint16_t n)
{
	if (n_told == LOG || arg != &n_told)
		return;
	told[n_told].by = by;
	told[n_told].of = of;
	told[n_told++].n = n;
}

static void the_rest_is_sent_and_told(void)
{
	struct rte_mbuf *m, *in[2];
	unsigned l;

	open_both("net_ring_sa", "net_ring_sb", 3, 1024);
	perch_port_tell_left(port, note_left, &n_told);
	n_told = 0;
	for (l = 3; l-- > 1;) {
		m = rte_pktmbuf_alloc(perch_port_pool(port, l));
		memset(rte_pktmbuf_append(m, 60), (int)l, 60);
		CU_ASSERT_EQUAL(perch_port_tx(port, l, &m, 1), 1);
	}
	CU_ASSERT_EQUAL(n_told, 0); /* they lie in rings */
	perch_port_send_rest(port);
	CU_ASSERT_EQUAL_FATAL(perch_port_rx(far_end, 0, in, 2, NULL), 2);
	CU_ASSERT_EQUAL_FATAL(n_told, 2);
	for (l = 0; l < 2; l++) {
		CU_ASSERT_EQUAL(*rte_pktmbuf_mtod(in[l], uint8_t *), l + 1);
		CU_ASSERT(told[l].by == 0 && told[l].of == l + 1 && told[l].n == 1);
	}
	rte_pktmbuf_free_bulk(in, 2);
	close_both();
}

static void *send_many(void *arg)
{
	unsigned l = (unsigned)(uintptr_t)arg, i;
	struct rte_mbuf *m;

	for (i = 0; i < BURSTS; i++) {
		m = rte_pktmbuf_alloc(perch_port_pool(port, l));
		if (m && rte_pktmbuf_append(m, 60) &&
			memset(rte_pktmbuf_mtod(m, void *), (int)l + 1, 60))
			perch_port_tx(port, l, &m, 1);
	}
	return NULL;
}

/* A port of files whose lcores have queues of their own, as a NIC's have: the file says in which
 * order their packets left. */
static void queues_leave_as_told(void)
{
	const struct perch_replay_config files = {.tx_path = "steer_test.pcapng"};
	struct perch_port_config cfg = {.lcores = 2, .mbufs = 1024};
	struct perch_capture_config read = {.path = files.tx_path};
	struct perch_capture *c;
	struct perch_frame f;
	pthread_t threads[2];
	char why[256] = "";
	uintptr_t i;

	CU_ASSERT_EQUAL_FATAL(perch_replay_open(&cfg.replay, &files, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL_FATAL(perch_port_open(&port, &cfg, why, sizeof(why)), 0);
	port->hw_queues = 2;
	perch_port_tell_left(port, note_left, &n_told);
	n_told = 0;
	for (i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, send_many, (void *)i);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	perch_port_close(port);
	CU_ASSERT_EQUAL(perch_replay_close(cfg.replay), 0);
	CU_ASSERT_EQUAL_FATAL(n_told, LOG);
	CU_ASSERT_EQUAL_FATAL(perch_capture_open(&c, &read, why, sizeof(why)), 0);
	for (i = 0; perch_capture_next(c, &f) == 1 && i < n_told; i++)
		if (told[i].by != told[i].of || told[i].n != 1 || f.data[0] != told[i].of + 1)
			break;
	CU_ASSERT_EQUAL(i, n_told);
	perch_capture_close(c);
	unlink(files.tx_path);
}

/* Lcore 1 is asleep while more comes than its ring of 4,096 holds. */
static void full_ring_is_counted(void)
{
	const unsigned ring = 4095, sent = ring + 100;
	struct tuple t = tuple4(ip_of(10, 0, 0, 2), ip_of(10, 0, 0, 1), 1, 7);
	struct perch_port_stats stats;
	struct rte_mbuf *m, *in[32];
	unsigned i, n, got = 0, strays = 0;
	uint64_t learn = 0;

	open_both("net_ring_ra", "net_ring_rb", 2, 8192);
	while (perch_port_lcore_of(port, t.src, t.dst, t.sport, t.dport, IPPROTO_TCP) != 1)
		t.sport++;
	for (i = 0; i < sent; i++) {
		m = with_ports(&t, IPPROTO_TCP);
		CU_ASSERT_EQUAL_FATAL(perch_port_tx(far_end, 0, &m, 1), 1);
		strays += perch_port_rx(port, 0, in, 32, &learn);
	}
	while ((n = perch_port_rx(port, 1, in, 32, &learn)) > 0) {
		rte_pktmbuf_free_bulk(in, n);
		got += n;
	}
	perch_port_stats(port, &stats);
	CU_ASSERT_EQUAL(strays, 0);
	CU_ASSERT_EQUAL(got, ring);
	CU_ASSERT_EQUAL(stats.steer_dropped, sent - ring);
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(perch_port_pool(far_end, 0)), 0);
	close_both();
}

int main(int argc, char **argv)
{
	const struct suite_case cases[] = {
		{"hashes_as_nics_do", hashes_as_nics_do},
		{"flows_go_to_one_lcore", flows_go_to_one_lcore},
		{"what_teaches_goes_to_all", what_teaches_goes_to_all},
		{"damaged_frames_reach_lcore0", damaged_frames_reach_lcore0},
		{"all_send_through_lcore0", all_send_through_lcore0},
		{"the_rest_is_sent_and_told", the_rest_is_sent_and_told},
		{"queues_leave_as_told", queues_leave_as_told},
		{"full_ring_is_counted", full_ring_is_counted},
		{NULL, NULL},
	};

	return suite_main("steer", cases, argc, argv);
}
