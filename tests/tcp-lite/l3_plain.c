/* SPDX-License-Identifier: BSD-3-Clause
 * The short way of plain packets beside the long way of all: the same packets, from fixed seeds,
 * take both, and what comes out is compared.
 */
#include <netinet/in.h>
#include <string.h>

#include "tcp-lite/cksum.h"
#include "tcp-lite/ether.h"
#include "tcp-lite/ip.h"
#include "tcp-lite/mcast.h"
#include "tcp-lite/neigh.h"
#include "tcp-lite/plain.h"
#include "tcp-lite/udp.h"
#include "tests/suite.h"
#include "tests/tcp-lite/lab.h"

enum { ROUNDS = 40000, TCP_BYTES = 20, AT_IP = 14, AT_PROTO = 23, AT_TCP = 34 };

static struct lab lab;
static uint64_t seed;

static uint32_t dice(uint32_t sides)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33) % sides;
}

/* ---- in ------------------------------------------------------------------------------------- */

static const char *const addresses[] = {"10.0.0.2", "10.0.0.1", "10.0.0.0", "10.0.0.255",
	"10.0.0.3", "10.0.0.4", "10.0.1.255", "255.255.255.255", "0.0.0.0", "0.1.2.3", "127.0.0.1",
	"224.0.0.1", "239.1.1.1", "239.129.1.1", "239.1.1.2", "240.0.0.1", "223.255.255.255",
	"9.9.9.9"};

/* A segment to us; now and then it is UDP, its addresses are others (its frame then that of the
 * group, or ours still), it is longer or shorter than it says, or a byte of its headers is. */
static void make(struct frame *f)
{
	struct ends e = lab_ends4();
	uint8_t text[100] = {(uint8_t)dice(256)};

	if (dice(4) == 0)
		e.src = packets_ip(addresses[dice(RTE_DIM(addresses))]);
	if (dice(4) == 0)
		e.dst = packets_ip(addresses[dice(RTE_DIM(addresses))]);
	if (perch_ip_is_multicast(&e.dst) && dice(4) != 0)
		perch_ether_group(&e.dst, (struct rte_ether_addr *)&e.dmac);
	frame_tcp(f, &e, 1, 2, dice(9), dice(9), 0x18, 100, text, dice(sizeof(text)));
	if (dice(2) == 0)
		f->b[AT_PROTO] = IPPROTO_UDP;
	if (dice(4) == 0)
		f->b[dice(AT_TCP)] ^= (uint8_t)(1 << dice(8));
	if (dice(4) != 0)
		frame_fix_ip4(f);
	if (dice(4) == 0)
		frame_add(f, text, dice(10)); /* as padding */
	if (dice(8) == 0)
		f->len = dice(f->len + 1);
}

static uint64_t verdict(void)
{
	static const uint64_t flags[] = {0, 0, 0, RTE_MBUF_F_RX_IP_CKSUM_GOOD,
		RTE_MBUF_F_RX_IP_CKSUM_BAD, RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED};

	return flags[dice(RTE_DIM(flags))];
}

static bool same(const struct perch_rx *a, const struct perch_rx *b)
{
	return perch_ip_equal(&a->src, &b->src) && perch_ip_equal(&a->dst, &b->dst) &&
		a->l3_len == b->l3_len && a->proto == b->proto && a->ttl == b->ttl &&
		a->tos == b->tos && a->to_group == b->to_group && a->group == b->group &&
		!a->is_arp && !a->borrowed &&
		a->m->data_off == b->m->data_off && a->m->data_len == b->m->data_len &&
		a->m->pkt_len == b->m->pkt_len;
}

/* Should the short way have taken what the long way has let through? */
static bool looks_plain(const struct perch_rx *rx, const struct frame *f, uint64_t flags)
{
	struct rte_ether_addr mac = lab.net->cfg.ifs[0].mac;

	if (rx->group)
		perch_ether_group(&rx->dst, &mac);
	return (rx->proto == IPPROTO_TCP || rx->proto == IPPROTO_UDP) && f->b[12] == 8 &&
		f->b[AT_IP] == 0x45 && rx->m->data_len >= TCP_BYTES &&
		rx->to_group == (rx->group && rx->proto == IPPROTO_UDP) &&
		memcmp(f->b, &mac, sizeof(mac)) == 0 && !(flags & RTE_MBUF_F_RX_VLAN);
}

/* Returns whether the frame went the short way. `any`: this net has plain packets. */
static bool compare_once(bool any)
{
	struct perch_rx brief, full;
	bool plain, passed;
	uint64_t flags = verdict();
	struct frame f;

	make(&f);
	brief = (struct perch_rx){.m = frame_to_mbuf(lab_pool, &f)};
	full = (struct perch_rx){.m = frame_to_mbuf(lab_pool, &f)};
	brief.m->ol_flags |= flags;
	full.m->ol_flags |= flags;
	plain = perch_plain_parse(lab.net, &brief);
	if (!plain)
		CU_ASSERT(brief.m->pkt_len == f.len && brief.m->data_len == f.len);
	passed = perch_ether_parse(lab.net, &full);
	if (plain)
		CU_ASSERT(passed && same(&brief, &full));
	if (passed) {
		CU_ASSERT(plain == (any && looks_plain(&full, &f, flags)));
		rte_pktmbuf_free(full.m);
	}
	rte_pktmbuf_free(brief.m);
	return plain;
}

static void compare_with(const struct perch_net_config *cfg, bool any_plain)
{
	const struct perch_ip group = packets_ip("239.1.1.1"), any = {.d = {0, 0}};
	unsigned i, plain = 0;
	struct perch_udp *u;

	lab_open_with(&lab, cfg);
	CU_ASSERT_EQUAL(perch_udp_open(lab.net, &any, 2, 0, &u), 0);
	CU_ASSERT_EQUAL(perch_mcast_join(lab.net, 0, u, &group, &any), 0);
	for (i = 0; i < ROUNDS; i++)
		plain += compare_once(any_plain);
	CU_ASSERT(any_plain ? plain > ROUNDS / 100 : plain == 0);
	lab_close(&lab);
}

static void both_ways_in(void)
{
	static const uint8_t prefixes[] = {24, 16, 8, 0, 30, 31, 32};
	struct perch_net_config cfg;
	unsigned i;

	seed = 1;
	lab_config(&cfg);
	for (i = 0; i < RTE_DIM(prefixes); i++) {
		cfg.ifs[0].addrs[0].prefix_len = prefixes[i];
		compare_with(&cfg, true);
	}
	lab_config(&cfg);
	cfg.ifs[0].addrs[0].ip = packets_ip("10.0.0.3");
	cfg.ifs[0].addrs[0].count = 2;
	compare_with(&cfg, true);
}

/* What the short way does not know, it leaves alone. */
static void not_plain_at_all(void)
{
	struct perch_net_config cfg;

	seed = 2;
	lab_config(&cfg);
	cfg.ifs[0].vlan = 5;
	compare_with(&cfg, false);
	lab_config(&cfg);
	cfg.ifs[0].n_addrs = 3;
	cfg.ifs[0].addrs[2] = (struct perch_net_addr){packets_ip("10.1.0.1"), 24, 1};
	compare_with(&cfg, false);
}

/* An address that somebody else has, too, is not ours. */
static void not_while_in_doubt(void)
{
	struct perch_rx rx;
	struct frame f;

	lab_open(&lab);
	frame_tcp(&f, &(struct ends){lab_peer_mac, lab_mac, packets_ip("10.0.0.2"),
		packets_ip("10.0.0.1")}, 1, 2, 0, 0, 0x10, 1, "", 0);
	rx = (struct perch_rx){.m = frame_to_mbuf(lab_pool, &f)};
	lab.net->addr_off[0] = 1;
	CU_ASSERT_FALSE(perch_plain_parse(lab.net, &rx));
	lab.net->addr_off[0] = 0;
	CU_ASSERT_TRUE(perch_plain_parse(lab.net, &rx));
	rte_pktmbuf_free(rx.m);
	lab_close(&lab);
}

/* ---- out ------------------------------------------------------------------------------------ */

/* A segment as TCP makes it, with its payload's sum or without. */
static struct rte_mbuf *segment(uint64_t salt, bool summed)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(lab_pool);
	uint8_t *b;
	unsigned i, len;

	seed = salt;
	len = TCP_BYTES + dice(200);
	m->data_off = 128;
	b = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)len);
	for (i = 0; i < len; i++)
		b[i] = (uint8_t)dice(256);
	b[12] = TCP_BYTES << 2;
	b[16] = b[17] = 0;
	if (summed) {
		uint16_t sum = perch_cksum_raw(b + TCP_BYTES, len - TCP_BYTES);

		memcpy(b + 16, &sum, sizeof(sum));
	}
	m->l4_len = summed ? TCP_BYTES : 0;
	return m;
}

static void send_both_ways(uint64_t salt)
{
	const struct ends e = packets_reverse(&(struct ends){.src = packets_ip("10.0.0.2"),
		.dst = packets_ip("10.0.0.1")});
	struct perch_path path = {0, 0};
	struct rte_mbuf *brief = segment(salt, salt & 1), *full = segment(salt, salt & 1);
	struct frame a, b;
	uint64_t flags;

	perch_ip_send(lab.net, full, &e.src, &e.dst, IPPROTO_TCP, 0, &path);
	CU_ASSERT_EQUAL(lab.net->n_tx, 1);
	CU_ASSERT_TRUE(perch_plain_send(lab.net, brief, e.src.w[3], e.dst.w[3], &path,
		perch_cksum_sum(rte_pktmbuf_mtod(brief, const void *), TCP_BYTES)));
	CU_ASSERT_EQUAL(lab.net->n_tx, 2);
	flags = full->ol_flags;
	CU_ASSERT_EQUAL(brief->ol_flags, flags);
	if (flags)
		CU_ASSERT(brief->l2_len == full->l2_len && brief->l3_len == full->l3_len);
	lab_tx(&lab, &a);
	lab_tx(&lab, &b);
	CU_ASSERT_TRUE(frame_equal(&a, &b));
}

static void both_ways_out(void)
{
	struct perch_net_config cfg;
	uint32_t offloads;
	uint64_t salt;

	lab_config(&cfg);
	for (offloads = 0; offloads < 4; offloads++) {
		cfg.ifs[0].tx_offloads = offloads;
		lab_open_with(&lab, &cfg);
		lab_meet_peer(&lab);
		for (salt = 0; salt < 1000; salt++)
			send_both_ways(salt);
		lab_close(&lab);
	}
}

static bool sends(struct perch_path *path, const char *dst, unsigned len)
{
	struct perch_ip src = packets_ip("10.0.0.1"), to = packets_ip(dst);
	struct rte_mbuf *m = segment(1, false);
	unsigned before = lab.net->n_tx;
	bool sent;

	if (len > m->pkt_len)
		rte_pktmbuf_append(m, (uint16_t)(len - m->pkt_len));
	sent = perch_plain_send(lab.net, m, src.w[3], to.w[3], path, 0);
	CU_ASSERT_EQUAL(lab.net->n_tx, before + sent);
	if (!sent)
		rte_pktmbuf_free(m);
	return sent;
}

/* No short way to whom is not known, or no longer, nor for what is too long. */
static void not_to_everybody(void)
{
	struct perch_path path = {0, 0};
	struct perch_ip peer = packets_ip("10.0.0.2");

	lab_open(&lab);
	CU_ASSERT_FALSE(sends(&path, "10.0.0.2", 0));
	path = perch_neigh_path(lab.net, perch_neigh_add(lab.net, 0, &peer));
	CU_ASSERT_FALSE(sends(&path, "10.0.0.2", 0));
	lab_meet_peer(&lab);
	CU_ASSERT_TRUE(sends(&path, "10.0.0.2", 0));
	CU_ASSERT_TRUE(sends(&path, "10.0.0.2", 1480));
	CU_ASSERT_FALSE(sends(&path, "10.0.0.2", 1481));
	lab_pass(&lab, 31 * LAB_S); /* it has become stale: it is asked first */
	CU_ASSERT_FALSE(sends(&path, "10.0.0.2", 0));
	lab_close(&lab);
}

int main(int argc, char **argv)
{
	const struct suite_case suite[] = {
		{"both ways in", both_ways_in},
		{"not plain at all", not_plain_at_all},
		{"not while in doubt", not_while_in_doubt},
		{"both ways out", both_ways_out},
		{"not to everybody", not_to_everybody},
		{NULL, NULL},
	};

	lab_pool = packets_start("l3_plain");
	return suite_main("l3 plain", suite, argc, argv);
}
