/* SPDX-License-Identifier: BSD-3-Clause
 * A port: what it refuses, what it negotiates, what its pools hold, and bursts over each vdev that
 * needs neither root nor a kernel interface.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drivers-glue/eal.h"
#include "drivers-glue/port_inside.h"
#include "drivers-glue/recording.h"
#include "drivers-glue/vdev.h"
#include "tests/suite.h"

static char why[256];

static bool eal(const char *const *vdevs)
{
	const struct perch_eal_config cfg = {.no_huge = true, .memory_mb = 256, .vdevs = vdevs};

	if (perch_eal_start(&cfg, why, sizeof(why)) == 0)
		return true;
	printf("  EAL: %s\n", why);
	return false;
}

static struct perch_port *open_named(const char *name, const struct perch_port_config *given)
{
	struct perch_port_config cfg = given ? *given : (struct perch_port_config){0};
	struct perch_port *p = NULL;

	cfg.name = name;
	if (!cfg.mbufs)
		cfg.mbufs = 1024;
	why[0] = '\0';
	if (perch_port_open(&p, &cfg, why, sizeof(why)) < 0)
		printf("  %s\n", why);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	return p;
}

/* A frame of `len` bytes, each of them `fill`. */
static struct rte_mbuf *frame(struct perch_port *p, uint16_t len, uint8_t fill)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(perch_port_pool(p, 0));

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	memset(rte_pktmbuf_append(m, len), fill, len);
	return m;
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void refused(const struct perch_port_config *cfg, int rc, const char *says)
{
	struct perch_port *p = (void *)1;

	why[0] = '\0';
	CU_ASSERT_EQUAL(perch_port_open(&p, cfg, why, sizeof(why)), rc);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, says));
	CU_ASSERT_PTR_NULL(strchr(why, '\n'));
}

static void refuses_bad_configurations(void)
{
	const char *vdevs[] = {"net_null1", NULL};
	struct perch_port *p;

	CU_ASSERT_FATAL(eal(vdevs));
	refused(&(struct perch_port_config){.name = "net_nosuch0"}, -ENODEV, "net_nosuch0");
	refused(&(struct perch_port_config){.index = 999}, -ENODEV, "999");
	refused(&(struct perch_port_config){.name = "net_null1", .lcores = PORT_MAX_LCORES + 1},
		-EINVAL, "lcores");
	p = open_named("net_null1", NULL);
	refused(&(struct perch_port_config){.name = "net_null1"}, -EBUSY, "in use");
	perch_port_close(p);
}

/* What comes out of a pool is what went in last, beyond what the lcore's cache of it holds, too:
 * those buffers are in the CPU's caches. */
static void pools_are_stacks(void)
{
	enum { OUT = 1200, ALL = 4096 };
	static struct rte_mbuf *first[OUT], *again[OUT];
	const char *vdevs[] = {"net_null9", NULL};
	unsigned i, k, same = 0;
	struct perch_port *p;

	CU_ASSERT_FATAL(eal(vdevs));
	p = open_named("net_null9", &(struct perch_port_config){.mbufs = ALL});
	for (i = 0; i < OUT; i++)
		first[i] = rte_pktmbuf_alloc(perch_port_pool(p, 0));
	rte_pktmbuf_free_bulk(first, OUT);
	for (i = 0; i < OUT; i++) {
		again[i] = rte_pktmbuf_alloc(perch_port_pool(p, 0));
		for (k = 0; k < OUT && first[k] != again[i]; k++)
			;
		same += k < OUT;
	}
	rte_pktmbuf_free_bulk(again, OUT);
	CU_ASSERT_TRUE(same > OUT * 3 / 4);
	perch_port_close(p);
}

static void refuses_more_than_there_is(void)
{
	const char *vdevs[] = {"net_null2", NULL};

	CU_ASSERT_FATAL(eal(vdevs));
	refused(&(struct perch_port_config){.name = "net_null2", .mbufs = 1 << 20}, -ENOMEM,
		"packet buffers");
}

/* ---- checksums ------------------------------------------------------------------------------ */

static void nic_is_believed_for_what_it_has(void)
{
	const uint64_t all_rx = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM |
		RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	struct rte_eth_dev_info dev = {.driver_name = "net_ixgbe",
		.rx_offload_capa = all_rx | RTE_ETH_RX_OFFLOAD_TCP_LRO,
		.tx_offload_capa = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
			RTE_ETH_TX_OFFLOAD_TCP_TSO};
	struct rte_eth_conf conf = {0};

	CU_ASSERT_EQUAL(perch_offloads_choose(&dev, &conf, false),
		PERCH_PORT_RX_CKSUM | PERCH_PORT_TX_IP4_CKSUM | PERCH_PORT_TX_TCP_CKSUM);
	CU_ASSERT_EQUAL(conf.rxmode.offloads, all_rx);
	CU_ASSERT_EQUAL(conf.txmode.offloads,
		RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM);

	memset(&conf, 0, sizeof(conf)); /* it cuts only what may lie in pieces */
	dev.tx_offload_capa |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	CU_ASSERT_EQUAL(perch_offloads_choose(&dev, &conf, false),
		PERCH_PORT_RX_CKSUM | PERCH_PORT_TX_IP4_CKSUM | PERCH_PORT_TX_TCP_CKSUM |
			PERCH_PORT_TX_TCP_TSO);
	CU_ASSERT_TRUE(conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_TCP_TSO);

	memset(&conf, 0, sizeof(conf)); /* without IPv4's, as virtio and vmxnet3 */
	dev.rx_offload_capa = all_rx & ~RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	CU_ASSERT_TRUE(perch_offloads_choose(&dev, &conf, false) & PERCH_PORT_RX_CKSUM);
	CU_ASSERT_EQUAL(conf.rxmode.offloads, dev.rx_offload_capa);

	memset(&conf, 0, sizeof(conf)); /* IPv4's alone are not worth a question */
	dev.rx_offload_capa = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	dev.tx_offload_capa = 0;
	CU_ASSERT_EQUAL(perch_offloads_choose(&dev, &conf, false), 0);
	CU_ASSERT_EQUAL(conf.rxmode.offloads, 0);
}

static void vdev_is_not_believed(void)
{
	struct rte_eth_dev_info dev = {.driver_name = "net_tap", .rx_offload_capa = UINT64_MAX,
		.tx_offload_capa = UINT64_MAX};
	struct rte_eth_conf conf = {0};

	CU_ASSERT_EQUAL(perch_offloads_choose(&dev, &conf, false), 0);
	CU_ASSERT_EQUAL(conf.rxmode.offloads | conf.txmode.offloads, 0);
	CU_ASSERT_TRUE(perch_offloads_choose(&dev, &conf, true) & PERCH_PORT_TX_TCP_TSO);
	dev.driver_name = "net_memif"; /* it may be asked for anything, and does nothing */
	CU_ASSERT_EQUAL(perch_offloads_choose(&dev, &conf, true), 0);
}

/* ---- pools ---------------------------------------------------------------------------------- */

static void pools_are_as_asked(void)
{
	const char *vdevs[] = {"net_null3", NULL};
	const struct perch_port_config cfg = {.mbufs = 700, .priv_bytes = 60, .lcores = 2};
	struct rte_mempool *pool;
	struct perch_port_info info;
	struct perch_port *p;
	struct rte_mbuf *m;

	CU_ASSERT_FATAL(eal(vdevs));
	p = open_named("net_null3", &cfg);
	perch_port_info(p, &info);
	CU_ASSERT_EQUAL(info.mtu, 1500);
	CU_ASSERT_EQUAL(info.hw_queues, 1); /* net_null has more, but none can fill them */
	CU_ASSERT_PTR_NOT_EQUAL(perch_port_pool(p, 0), perch_port_pool(p, 1));
	pool = perch_port_pool(p, 1);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(pool), 700);
	m = rte_pktmbuf_alloc(pool);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT(rte_pktmbuf_tailroom(m) >= 1500 + 26);
	CU_ASSERT(rte_pktmbuf_priv_size(pool) >= 60);
	rte_pktmbuf_free(m);
	perch_port_close(p);
}

static void a_frame_fits_whatever_the_mtu(void)
{
	struct perch_port_info info;
	struct rte_mbuf *m;
	struct perch_port *p;

	CU_ASSERT_FATAL(eal(NULL));
	CU_ASSERT_EQUAL_FATAL(perch_vdev_ring_pair("net_ring_ma", "net_ring_mb", 64), 0);
	p = open_named("net_ring_ma", &(struct perch_port_config){.mtu = 1280});
	perch_port_info(p, &info);
	CU_ASSERT_EQUAL(info.mtu, 1280);
	CU_ASSERT_EQUAL(info.mac[0] & 1, 0); /* net_ring has none: one was made */
	CU_ASSERT_NOT_EQUAL(info.mac[0], 0);
	m = rte_pktmbuf_alloc(perch_port_pool(p, 0));
	CU_ASSERT(rte_pktmbuf_tailroom(m) >= 1280 + 26);
	rte_pktmbuf_free(m);
	perch_port_close(p);
}

/* ---- bursts --------------------------------------------------------------------------------- */

/* Send n frames from a to b, of growing size, and compare. */
static void carries(struct perch_port *a, struct perch_port *b, uint16_t n)
{
	struct rte_mbuf *out[32], *in[32];
	unsigned tries = 0;
	uint16_t i, sent = 0, got = 0;

	for (i = 0; i < n; i++)
		out[i] = frame(a, (uint16_t)(60 + 40 * i), (uint8_t)i);
	while ((sent < n || got < n) && tries++ < 100000) {
		sent += perch_port_tx(a, 0, out + sent, n - sent);
		got += perch_port_rx(b, 0, in + got, n - got, NULL);
	}
	CU_ASSERT_EQUAL(sent, n);
	CU_ASSERT_EQUAL(got, n);
	for (i = 0; i < got; i++) {
		const uint8_t *d = rte_pktmbuf_mtod(in[i], const uint8_t *);

		CU_ASSERT_EQUAL(in[i]->pkt_len, 60u + 40u * i);
		CU_ASSERT(d[0] == (uint8_t)i && memcmp(d, d + 1, in[i]->pkt_len - 1) == 0);
		rte_pktmbuf_free(in[i]);
	}
}

static void net_ring_carries(void)
{
	struct perch_port *a, *b;

	CU_ASSERT_FATAL(eal(NULL));
	CU_ASSERT_EQUAL_FATAL(perch_vdev_ring_pair("net_ring_ca", "net_ring_cb", 64), 0);
	a = open_named("net_ring_ca", NULL);
	b = open_named("net_ring_cb", NULL);
	carries(a, b, 32);
	carries(b, a, 32);
	perch_port_close(a);
	perch_port_close(b);
}

/* What TCP holds for a retransmission must not change hands. */
static void net_ring_copies_what_is_shared(void)
{
	struct perch_port *a, *b;
	struct rte_mbuf *m, *in;

	CU_ASSERT_FATAL(eal(NULL));
	CU_ASSERT_EQUAL_FATAL(perch_vdev_ring_pair("net_ring_sa", "net_ring_sb", 64), 0);
	a = open_named("net_ring_sa", NULL);
	b = open_named("net_ring_sb", NULL);
	m = frame(a, 60, 7);
	rte_mbuf_refcnt_update(m, 1);
	CU_ASSERT_EQUAL(perch_port_tx(a, 0, &m, 1), 1);
	CU_ASSERT_EQUAL(rte_mbuf_refcnt_read(m), 1);
	CU_ASSERT_EQUAL_FATAL(perch_port_rx(b, 0, &in, 1, NULL), 1);
	CU_ASSERT_PTR_NOT_EQUAL(in, m);
	CU_ASSERT_EQUAL(*rte_pktmbuf_mtod(in, uint8_t *), 7);
	rte_pktmbuf_free(in);
	rte_pktmbuf_free(m);
	perch_port_close(a);
	perch_port_close(b);
}

static void full_ring_takes_what_fits(void)
{
	struct rte_mbuf *out[64];
	struct perch_port *a;
	uint16_t i, sent;

	CU_ASSERT_FATAL(eal(NULL));
	CU_ASSERT_EQUAL_FATAL(perch_vdev_ring_pair("net_ring_fa", "net_ring_fb", 32), 0);
	a = open_named("net_ring_fa", NULL);
	for (i = 0; i < 64; i++)
		out[i] = frame(a, 60, 0);
	sent = perch_port_tx(a, 0, out, 64);
	CU_ASSERT_EQUAL(sent, 31); /* a ring of 32 holds one less */
	rte_pktmbuf_free_bulk(out + sent, 64u - sent); /* they stayed ours */
	perch_port_close(a);
}

static void net_memif_carries(void)
{
	char server[128], client[128], path[64];
	const char *vdevs[] = {server, client, NULL};
	struct perch_port *a, *b;

	snprintf(path, sizeof(path), "/tmp/perch-port-test-%d.sock", (int)getpid());
	snprintf(server, sizeof(server), "net_memif0,role=server,id=0,socket-abstract=no,socket=%s",
		path);
	snprintf(client, sizeof(client), "net_memif1,role=client,id=0,socket-abstract=no,socket=%s",
		path);
	if (!eal(vdevs)) {
		suite_skip("net_memif cannot be made here");
		return;
	}
	a = open_named("net_memif0", NULL);
	b = open_named("net_memif1", NULL);
	usleep(300000); /* memif connects from EAL's interrupt thread */
	carries(a, b, 20);
	carries(b, a, 20);
	perch_port_close(b);
	perch_port_close(a);
	unlink(path);
}

struct going {
	uint16_t self, peer;
	bool up; /* the link, long after the peer went, while the burst lasts */
};

static bool is_up(uint16_t id)
{
	struct rte_eth_link link;

	return rte_eth_link_get_nowait(id, &link) == 0 && link.link_status;
}

static bool becomes(uint16_t id, bool up)
{
	unsigned i;

	for (i = 0; i < 500 && is_up(id) != up; i++)
		usleep(10000);
	return is_up(id) == up;
}

/* Called by ethdev within a transmit burst, before the driver. */
static uint16_t peer_goes(
	uint16_t id, uint16_t queue, struct rte_mbuf **pkts, uint16_t n, void *arg)
{
	struct going *g = arg;

	(void)id, (void)queue, (void)pkts;
	rte_eth_dev_stop(g->peer);
	usleep(200000);
	g->up = is_up(g->self);
	return n;
}

/* The driver's rings are not taken from under a burst when the other end goes, but after it. */
static void net_memif_peer_goes_in_a_burst(void)
{
	char server[128], client[128], path[64];
	const char *vdevs[] = {server, client, NULL};
	const struct rte_eth_rxtx_callback *callback;
	struct perch_port *a, *b;
	struct rte_mbuf *m;
	struct going g = {.up = false};

	snprintf(path, sizeof(path), "/tmp/perch-port-test-%d.sock", (int)getpid());
	snprintf(server, sizeof(server), "net_memif2,role=server,id=2,socket-abstract=no,socket=%s",
		path);
	snprintf(client, sizeof(client), "net_memif3,role=client,id=2,socket-abstract=no,socket=%s",
		path);
	if (!eal(vdevs)) {
		suite_skip("net_memif cannot be made here");
		return;
	}
	a = open_named("net_memif2", NULL);
	b = open_named("net_memif3", NULL);
	CU_ASSERT_EQUAL(rte_eth_dev_get_port_by_name("net_memif2", &g.self), 0);
	CU_ASSERT_EQUAL(rte_eth_dev_get_port_by_name("net_memif3", &g.peer), 0);
	CU_ASSERT_FATAL(becomes(g.self, true) && becomes(g.peer, true));
	callback = rte_eth_add_tx_callback(g.self, 0, peer_goes, &g);
	CU_ASSERT_PTR_NOT_NULL_FATAL(callback);
	m = frame(a, 60, 1);
	if (perch_port_tx(a, 0, &m, 1) == 0)
		rte_pktmbuf_free(m);
	CU_ASSERT_TRUE(g.up);
	CU_ASSERT_EQUAL(rte_eth_remove_tx_callback(g.self, 0, callback), 0);
	CU_ASSERT_TRUE(becomes(g.self, false));
	m = frame(a, 60, 1);
	CU_ASSERT_EQUAL(perch_port_tx(a, 0, &m, 1), 0);
	rte_pktmbuf_free(m);
	CU_ASSERT_EQUAL(rte_eth_dev_start(g.peer), 0); /* and it comes back */
	CU_ASSERT_FATAL(becomes(g.self, true) && becomes(g.peer, true));
	carries(a, b, 20);
	perch_port_close(b);
	perch_port_close(a);
	unlink(path);
}

static void net_null_swallows_and_yields(void)
{
	const char *vdevs[] = {"net_null4,size=80", NULL};
	struct rte_mbuf *m, *in[4];
	struct perch_port *p;

	CU_ASSERT_FATAL(eal(vdevs));
	p = open_named("net_null4", NULL);
	m = frame(p, 60, 1);
	CU_ASSERT_EQUAL(perch_port_tx(p, 0, &m, 1), 1);
	CU_ASSERT_EQUAL_FATAL(perch_port_rx(p, 0, in, 4, NULL), 4);
	CU_ASSERT_EQUAL(in[0]->pkt_len, 80);
	rte_pktmbuf_free_bulk(in, 4);
	perch_port_close(p);
}

/* ---- warmed --------------------------------------------------------------------------------- */

struct bursts {
	unsigned of_none, others;
};

static uint16_t count_burst(
	uint16_t id, uint16_t queue, struct rte_mbuf **pkts, uint16_t n, void *arg)
{
	struct bursts *b = arg;

	(void)id;
	(void)queue;
	(void)pkts;
	b->of_none += n == 0;
	b->others += n > 0;
	return n;
}

/* The bursts that the device sees when it is warmed. */
static struct bursts warmed(const char *name, uint16_t lcores)
{
	struct perch_port *p = open_named(name, &(struct perch_port_config){.lcores = lcores});
	const struct rte_eth_rxtx_callback *cb;
	struct bursts seen = {0};
	struct rte_mbuf *m = frame(p, 60, 1);

	cb = rte_eth_add_tx_callback(p->id, 0, count_burst, &seen);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cb);
	perch_port_warm(p, m);
	CU_ASSERT_EQUAL(rte_mbuf_refcnt_read(m), 1);
	CU_ASSERT_EQUAL(rte_eth_remove_tx_callback(p->id, 0, cb), 0);
	rte_pktmbuf_free(m);
	perch_port_close(p);
	return seen;
}

/* Where a queue is not one lcore's alone, somebody else may be at it. */
static void warming_is_a_burst_of_none(void)
{
	const char *vdevs[] = {"net_null6", "net_null7", NULL};
	struct bursts b;

	CU_ASSERT_FATAL(eal(vdevs));
	b = warmed("net_null6", 1);
	CU_ASSERT_EQUAL(b.of_none, 1);
	CU_ASSERT_EQUAL(b.others, 0);
	b = warmed("net_null7", 2);
	CU_ASSERT_EQUAL(b.of_none + b.others, 0);
}

/* ---- recorded ------------------------------------------------------------------------------- */

/* As tcp-lite looks at them: NONE is a sum that was verified, and never filled in. */
static void marks_of_checksums_survive(void)
{
	const uint64_t ip[] = {0, RTE_MBUF_F_RX_IP_CKSUM_GOOD, RTE_MBUF_F_RX_IP_CKSUM_BAD};
	const uint64_t l4[] = {0, RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_MBUF_F_RX_L4_CKSUM_BAD};
	struct perch_recorded_sums sums = {0};
	unsigned i;

	for (i = 0; i < 9; i++)
		perch_recorded_sums_note(&sums, i, ip[i / 3] | l4[i % 3]);
	perch_recorded_sums_note(&sums, PERCH_RECORDED_BURST - 1, RTE_MBUF_F_RX_L4_CKSUM_NONE);
	for (i = 0; i < 9; i++)
		CU_ASSERT_EQUAL(perch_recorded_sums_flags(&sums, i), ip[i / 3] | l4[i % 3]);
	CU_ASSERT_EQUAL(perch_recorded_sums_flags(&sums, i), 0);
	CU_ASSERT_EQUAL(perch_recorded_sums_flags(&sums, PERCH_RECORDED_BURST - 1),
		RTE_MBUF_F_RX_L4_CKSUM_GOOD);
}

int main(int argc, char **argv)
{
	const struct suite_case cases[] = {
		{"refuses_bad_configurations", refuses_bad_configurations},
		{"pools_are_stacks", pools_are_stacks},
		{"refuses_more_than_there_is", refuses_more_than_there_is},
		{"nic_is_believed_for_what_it_has", nic_is_believed_for_what_it_has},
		{"vdev_is_not_believed", vdev_is_not_believed},
		{"pools_are_as_asked", pools_are_as_asked},
		{"a_frame_fits_whatever_the_mtu", a_frame_fits_whatever_the_mtu},
		{"net_ring_carries", net_ring_carries},
		{"net_ring_copies_what_is_shared", net_ring_copies_what_is_shared},
		{"full_ring_takes_what_fits", full_ring_takes_what_fits},
		{"net_memif_carries", net_memif_carries},
		{"net_memif_peer_goes_in_a_burst", net_memif_peer_goes_in_a_burst},
		{"net_null_swallows_and_yields", net_null_swallows_and_yields},
		{"warming_is_a_burst_of_none", warming_is_a_burst_of_none},
		{"marks_of_checksums_survive", marks_of_checksums_survive},
		{NULL, NULL},
	};

	return suite_main("port", cases, argc, argv);
}
