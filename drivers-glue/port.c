/* SPDX-License-Identifier: BSD-3-Clause
 * A port over an ethdev: opened once, then a burst in and a burst out per turn.
 */
#include <errno.h>
#include <stdarg.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_alarm.h>
#include <rte_cycles.h>
#include <rte_errno.h>

#include "drivers-glue/crowd.h"
#include "drivers-glue/eal.h"
#include "drivers-glue/placement.h"
#include "drivers-glue/port_inside.h"

enum port_defaults {
	DEFAULT_DESC = 1024,
	DEFAULT_MBUFS = 16384,
	POOL_CACHE = 256,
	PACKET_ROOM = 2048,
	FRAME_EXTRA = 14 + 4 + 8, /* Ethernet, CRC, two VLAN tags */
	TAP_PIECES = 32, /* it makes at most 64 mbufs of one */
};

static int fail(char *why, size_t why_bytes, int rc, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int fail(char *why, size_t why_bytes, int rc, const char *fmt, ...)
{
	va_list args;

	if (why && why_bytes) {
		va_start(args, fmt);
		vsnprintf(why, why_bytes, fmt, args);
		va_end(args);
	}
	return rc;
}

/* ---- open ----------------------------------------------------------------------------------- */

static int find_device(const struct perch_port_config *cfg, uint16_t *id, char *why,
	size_t why_bytes)
{
	uint16_t n = 0;

	if (cfg->name) {
		if (rte_eth_dev_get_port_by_name(cfg->name, id) == 0)
			return 0;
		return fail(why, why_bytes, -ENODEV, "no port is named '%s'", cfg->name);
	}
	RTE_ETH_FOREACH_DEV(*id)
		if (n++ == cfg->index)
			return 0;
	if (n == 0)
		return fail(why, why_bytes, -ENODEV, "there is no port: add one, for example with "
			"--vdev net_tap0,iface=perch0, or bind a NIC to a DPDK driver%s%s",
			perch_eal_last_error()[0] ? "; EAL says: " : "", perch_eal_last_error());
	return fail(why, why_bytes, -ENODEV, "there are %u ports, and none with index %u", n,
		cfg->index);
}

/* A port serves one engine. */
static int take_ownership(struct perch_port *p, char *why, size_t why_bytes)
{
	struct rte_eth_dev_owner owner = {.name = "perch"};

	if (rte_eth_dev_owner_new(&owner.id) < 0 || rte_eth_dev_owner_set(p->id, &owner) < 0)
		return fail(why, why_bytes, -EBUSY, "the port '%s' is in use already",
			p->info.name);
	p->owner = owner.id;
	return 0;
}

static bool has_arg(const struct rte_eth_dev_info *dev, const char *arg)
{
	const struct rte_devargs *args = rte_dev_devargs(dev->device);

	return args && args->args && strstr(args->args, arg);
}

static bool reads_file(const struct rte_eth_dev_info *dev)
{
	return strcmp(dev->driver_name, "net_pcap") == 0 && has_arg(dev, "rx_pcap=");
}

/* But for a net_memif without copies: DPDK 22.11 asks whether four slots of the ring are free for
 * four packets, and writes over those in use if the packets lie in pieces. */
static bool gathers(const struct rte_eth_dev_info *dev)
{
	return dev->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS &&
		!has_arg(dev, "zero-copy=yes");
}

/* The key of Microsoft's RSS verification suite, which every NIC is tested with. */
static const uint8_t rss_key[RSS_KEY_BYTES] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f,
	0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
	0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

static void choose_queues(
	struct perch_port *p, const struct rte_eth_dev_info *dev, struct rte_eth_conf *conf)
{
	const uint64_t wanted = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;
	uint64_t rss = dev->flow_type_rss_offloads & wanted;

	memcpy(p->rss_key, rss_key, sizeof(p->rss_key));
	p->hw_queues = 1;
	if (p->lcores == 1 || p->lcores > dev->max_rx_queues || p->lcores > dev->max_tx_queues ||
		!(rss & (RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_TCP)) ||
		!perch_is_nic(dev->driver_name))
		return; /* software RSS on one queue: the other lcores' would stay empty */
	p->hw_queues = p->lcores;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){
		.rss_key = p->rss_key, .rss_key_len = sizeof(p->rss_key), .rss_hf = rss};
}

static void spread_reta(struct perch_port *p, uint16_t size)
{
	struct rte_eth_rss_reta_entry64 conf[RETA_ENTRIES / RTE_ETH_RETA_GROUP_SIZE];
	uint16_t i;

	if (p->hw_queues == 1 || size == 0 || size > RETA_ENTRIES)
		return;
	memset(conf, 0, sizeof(conf));
	for (i = 0; i < size; i++) {
		p->reta[i] = i % p->hw_queues;
		conf[i / RTE_ETH_RETA_GROUP_SIZE].mask |= UINT64_C(1) << (i % RTE_ETH_RETA_GROUP_SIZE);
		conf[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] = p->reta[i];
	}
	if (rte_eth_dev_rss_reta_update(p->id, conf, size) == 0)
		p->reta_size = size;
}

/* Last in, first out, so that the buffers in use are those that are in the CPU's caches: the default
 * is a queue, of which bulk traffic touches every buffer before one comes again. */
static struct rte_mempool *make_pool(const char *name, uint32_t n, uint16_t priv, uint16_t room,
	int node)
{
	uint32_t cache = RTE_MIN((uint32_t)POOL_CACHE, n / 8);
	struct rte_mempool *pool =
		rte_pktmbuf_pool_create_by_ops(name, n, cache, priv, room, node, "stack");

	if (!pool && rte_errno != ENOMEM) /* its plugin is not installed */
		pool = rte_pktmbuf_pool_create(name, n, cache, priv, room, node);
	return pool;
}

static int make_pools(struct perch_port *p, const struct perch_port_config *cfg, char *why,
	size_t why_bytes)
{
	uint32_t n = cfg->mbufs ? cfg->mbufs : DEFAULT_MBUFS;
	uint32_t room = RTE_MAX((uint32_t)PACKET_ROOM, (uint32_t)cfg->mtu + FRAME_EXTRA) +
		RTE_PKTMBUF_HEADROOM;
	uint16_t priv = RTE_ALIGN_CEIL(cfg->priv_bytes, RTE_MBUF_PRIV_ALIGN), i;
	char name[RTE_MEMPOOL_NAMESIZE];
	int node;

	for (i = 0; i < p->lcores; i++) {
		node = perch_numa_node_of_cpu(cfg->cpus ? cfg->cpus[i] : -1);
		if (node < 0)
			node = p->info.numa_node;
		snprintf(name, sizeof(name), "perch_%u_%u", p->id, i);
		p->pools[i] = make_pool(name, n, priv, (uint16_t)room, node);
		if (!p->pools[i] && node >= 0) /* better far than none */
			p->pools[i] = make_pool(name, n, priv, (uint16_t)room, SOCKET_ID_ANY);
		if (!p->pools[i])
			return fail(why, why_bytes, -ENOMEM, "no memory for %u packet buffers per "
				"lcore (%u MB): reserve more huge pages, or ask for fewer", n,
				(unsigned)((uint64_t)n * (room + 384) >> 20));
	}
	return 0;
}

static uint16_t clip_desc(uint16_t wanted, const struct rte_eth_desc_lim *lim, uint32_t mbufs)
{
	uint16_t n = wanted ? wanted : DEFAULT_DESC;

	n = (uint16_t)RTE_MIN((uint32_t)n, RTE_MAX(mbufs / 4, 64u));
	if (lim->nb_max && n > lim->nb_max)
		n = lim->nb_max;
	if (n < lim->nb_min)
		n = lim->nb_min;
	return lim->nb_align > 1 ? RTE_ALIGN_FLOOR(n, lim->nb_align) : n;
}

static int set_up_queues(struct perch_port *p, const struct perch_port_config *cfg,
	const struct rte_eth_dev_info *dev, char *why, size_t why_bytes)
{
	uint32_t mbufs = cfg->mbufs ? cfg->mbufs : DEFAULT_MBUFS;
	uint16_t rx = clip_desc(cfg->rx_desc, &dev->rx_desc_lim, mbufs);
	uint16_t tx = clip_desc(cfg->tx_desc, &dev->tx_desc_lim, mbufs), q;
	int node = p->info.numa_node, rc;

	for (q = 0; q < p->hw_queues; q++) {
		rc = rte_eth_rx_queue_setup(p->id, q, rx, (unsigned)node, NULL, p->pools[q]);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(p->id, q, tx, (unsigned)node, NULL);
		if (rc < 0)
			return fail(why, why_bytes, rc, "queue %u of port '%s' cannot be set up: %s",
				q, p->info.name, strerror(-rc));
	}
	return 0;
}

static int start(struct perch_port *p, char *why, size_t why_bytes)
{
	struct rte_eth_link link;
	int rc = rte_eth_dev_start(p->id);

	if (rc < 0)
		return fail(why, why_bytes, rc, "port '%s' does not start: %s%s%s", p->info.name,
			strerror(-rc), perch_eal_last_error()[0] ? "; EAL says: " : "",
			perch_eal_last_error());
	p->started = true;
	/* IPv6 needs its groups; a driver that can filter neither way receives them anyhow. */
	rte_eth_allmulticast_enable(p->id);
	p->info.link_up = rte_eth_link_get_nowait(p->id, &link) == 0 && link.link_status;
	return 0;
}

/* The address that we shall be known by. net_ring has none. That of a tap is its kernel side's, and
 * that is the peer: two stations with one address cannot talk. */
static void choose_mac(struct perch_port *p, struct rte_ether_addr mac)
{
	if (rte_is_zero_ether_addr(&mac))
		mac = (struct rte_ether_addr){.addr_bytes = {0x02, 'p', 'e', 'r', 'c', (uint8_t)p->id}};
	if (strcmp(p->info.driver, "net_tap") == 0) {
		mac.addr_bytes[0] |= RTE_ETHER_LOCAL_ADMIN_ADDR;
		mac.addr_bytes[5] ^= 1;
	}
	memcpy(p->info.mac, mac.addr_bytes, sizeof(p->info.mac));
}

/* DPDK 22.11's net_tap cuts IPv4 only, and takes its MTU for that of whole frames. */
static void choose_cutting(struct perch_port *p, const struct rte_eth_dev_info *dev)
{
	bool tap = strcmp(dev->driver_name, "net_tap") == 0;

	if (!(p->info.offloads & PERCH_PORT_TX_TCP_TSO))
		return;
	p->prepare = true;
	p->info.tso_pieces = tap ? TAP_PIECES : dev->tx_desc_lim.nb_seg_max;
	p->info.tso_ip4_only = tap;
	p->info.mtu -= tap ? RTE_ETHER_HDR_LEN : 0;
}

static int configure(struct perch_port *p, const struct perch_port_config *cfg, char *why,
	size_t why_bytes)
{
	struct rte_eth_conf conf = {.rxmode = {.mtu = cfg->mtu}};
	struct rte_eth_dev_info dev;
	struct rte_ether_addr mac;
	int rc = rte_eth_dev_info_get(p->id, &dev);

	if (rc < 0 || rte_eth_macaddr_get(p->id, &mac) < 0)
		return fail(why, why_bytes, -ENODEV, "port '%s' does not answer", p->info.name);
	snprintf(p->info.driver, sizeof(p->info.driver), "%s", dev.driver_name);
	choose_mac(p, mac);
	p->info.numa_node = rte_eth_dev_socket_id(p->id);
	p->info.reads_file = reads_file(&dev);
	p->info.gathers = gathers(&dev);
	p->info.reads_anywhere = !perch_is_nic(dev.driver_name); /* by the CPU */
	p->copy_shared = strcmp(dev.driver_name, "net_ring") == 0;
	if (!cfg->no_offloads)
		p->info.offloads = perch_offloads_choose(&dev, &conf, cfg->soft_offloads);
	if (p->info.gathers)
		conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	choose_queues(p, &dev, &conf);
	p->info.hw_queues = p->hw_queues;
	rc = rte_eth_dev_configure(p->id, p->hw_queues, p->hw_queues, &conf);
	if (rc < 0)
		return fail(why, why_bytes, rc, "port '%s' cannot be configured: %s", p->info.name,
			strerror(-rc));
	if (cfg->mtu && rte_eth_dev_set_mtu(p->id, cfg->mtu) < 0 && cfg->mtu > 1500)
		return fail(why, why_bytes, -EINVAL, "port '%s' does not take an MTU of %u",
			p->info.name, cfg->mtu);
	p->info.mtu = cfg->mtu ? cfg->mtu : 1500;
	choose_cutting(p, &dev);
	rc = make_pools(p, cfg, why, why_bytes);
	if (rc == 0)
		rc = set_up_queues(p, cfg, &dev, why, why_bytes);
	if (rc == 0)
		rc = start(p, why, why_bytes);
	if (rc == 0)
		spread_reta(p, dev.reta_size);
	if (rc == 0 && strcmp(dev.driver_name, "net_tap") == 0)
		perch_tap_poll(p, dev.if_index);
	if (rc == 0 && strcmp(dev.driver_name, "net_memif") == 0)
		perch_memif_guard(p);
	if (rc == 0 && cfg->promiscuous)
		rte_eth_promiscuous_enable(p->id);
	return rc;
}

/* Files need no device, and give no offloads. */
static int open_files(struct perch_port *p, const struct perch_port_config *cfg, char *why,
	size_t why_bytes)
{
	p->replay = cfg->replay;
	p->id = (uint16_t)(RTE_MAX_ETHPORTS + cfg->index); /* part of the pools' names */
	p->hw_queues = p->info.hw_queues = 1;
	p->info.mtu = cfg->mtu ? cfg->mtu : 1500;
	p->info.numa_node = -1;
	p->info.link_up = p->info.gathers = p->info.reads_anywhere = true;
	snprintf(p->info.name, sizeof(p->info.name), "replay%u", cfg->index);
	snprintf(p->info.driver, sizeof(p->info.driver), "perch_replay");
	perch_replay_mac(p->replay, p->info.mac);
	memcpy(p->rss_key, rss_key, sizeof(p->rss_key));
	return make_pools(p, cfg, why, why_bytes);
}

static int open_device(struct perch_port *p, const struct perch_port_config *cfg, char *why,
	size_t why_bytes)
{
	int rc = find_device(cfg, &p->id, why, why_bytes);

	if (rc < 0)
		return rc;
	rte_eth_dev_get_name_by_port(p->id, p->info.name);
	rc = take_ownership(p, why, why_bytes);
	return rc < 0 ? rc : configure(p, cfg, why, why_bytes);
}

int perch_port_open(struct perch_port **out, const struct perch_port_config *cfg, char *why,
	size_t why_bytes)
{
	struct perch_port *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return fail(why, why_bytes, -ENOMEM, "out of memory");
	p->id = RTE_MAX_ETHPORTS;
	p->lcores = cfg->lcores ? cfg->lcores : 1;
	if (p->lcores > PORT_MAX_LCORES)
		rc = fail(why, why_bytes, -EINVAL, "at most %d lcores can share a port",
			PORT_MAX_LCORES);
	else
		rc = cfg->replay ? open_files(p, cfg, why, why_bytes)
		                 : open_device(p, cfg, why, why_bytes);
	if (rc == 0 && p->lcores > 1 && !cfg->no_steering) {
		rc = perch_steer_open(p, p->info.numa_node);
		if (rc < 0)
			fail(why, why_bytes, rc, "no memory for the rings between %u lcores",
				p->lcores);
	}
	if (rc < 0) {
		perch_port_close(p);
		return rc;
	}
	p->detour = p->steer || p->replay || p->ring_tap;
	*out = p;
	return 0;
}

void perch_port_end_device(struct perch_port *p)
{
	if (p->started)
		rte_eth_dev_stop(p->id);
	if (p->steer)
		perch_steer_close(p);
	if (p->owner) {
		rte_eth_dev_owner_unset(p->id, p->owner);
		/* The device goes, too: its queues hold packets of pools that go now. */
		rte_eth_dev_close(p->id);
	}
}

void perch_port_close(struct perch_port *p)
{
	uint16_t i;

	if (p->owner && strcmp(p->info.driver, "net_memif") == 0)
		perch_memif_end(p);
	else
		perch_port_end_device(p);
	if (p->owner)
		perch_crowd_close(p->info.name);
	for (i = 0; i < p->lcores && i < PORT_MAX_LCORES; i++)
		rte_mempool_free(p->pools[i]);
	free(p);
}

/* ---- groups --------------------------------------------------------------------------------- */

/* The vdevs filter nothing: telling them would cost system calls and change nothing. */
void perch_port_filter_groups(
	struct perch_port *p, struct rte_ether_addr *macs, uint32_t n, bool all)
{
	if (!perch_is_nic(p->info.driver))
		return;
	if (!all && rte_eth_dev_set_mc_addr_list(p->id, macs, n) == 0)
		rte_eth_allmulticast_disable(p->id);
	else if (rte_eth_allmulticast_enable(p->id) != 0)
		rte_eth_promiscuous_enable(p->id);
}

void perch_port_steer_groups(
	struct perch_port *p, unsigned lcore, const struct rte_ether_addr *macs, uint32_t n)
{
	if (p->steer)
		perch_steer_groups(p, lcore, macs, n);
}

/* ---- what it is ----------------------------------------------------------------------------- */

void perch_port_info(struct perch_port *p, struct perch_port_info *out)
{
	*out = p->info;
}

void perch_port_stats(struct perch_port *p, struct perch_port_stats *out)
{
	struct rte_eth_stats s;

	memset(out, 0, sizeof(*out));
	if (!p->replay && rte_eth_stats_get(p->id, &s) == 0)
		*out = (struct perch_port_stats){
			.rx_packets = s.ipackets, .rx_bytes = s.ibytes,
			.tx_packets = s.opackets, .tx_bytes = s.obytes,
			.rx_missed = s.imissed, .rx_errors = s.ierrors,
			.rx_nombuf = s.rx_nombuf, .tx_errors = s.oerrors,
		};
	if (p->steer)
		out->steer_dropped = perch_steer_dropped(p);
}

struct rte_mempool *perch_port_pool(struct perch_port *p, unsigned lcore)
{
	return p->pools[lcore];
}

unsigned perch_port_lcore_of(const struct perch_port *p, const uint8_t raddr[16],
	const uint8_t laddr[16], uint16_t rport, uint16_t lport, uint8_t proto)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool v4 = memcmp(raddr, mapped, sizeof(mapped)) == 0;
	uint32_t words[9], n = v4 ? 1 : 4, i, w;

	(void)proto; /* TCP and UDP hash alike */
	if (p->lcores == 1)
		return 0;
	for (i = 0; i < n; i++) {
		memcpy(&w, raddr + (v4 ? 12 : 4 * i), sizeof(w));
		words[i] = rte_be_to_cpu_32(w);
		memcpy(&w, laddr + (v4 ? 12 : 4 * i), sizeof(w));
		words[n + i] = rte_be_to_cpu_32(w);
	}
	words[2 * n] = (uint32_t)rport << 16 | lport;
	return perch_steer_lcore(p, words, 2 * n + 1);
}

/* ---- bursts --------------------------------------------------------------------------------- */

uint16_t perch_port_rx(
	struct perch_port *p, unsigned lcore, struct rte_mbuf **pkts, uint16_t n, uint64_t *learn)
{
	if (unlikely(p->detour))
		return p->steer ? perch_steer_rx(p, lcore, pkts, n, learn)
		                : perch_port_poll(p, lcore, pkts, n, learn);
	return perch_port_rx_queue(p, 0, pkts, n);
}

uint16_t perch_port_tx(struct perch_port *p, unsigned lcore, struct rte_mbuf **pkts, uint16_t n)
{
	if (unlikely(p->detour))
		return p->steer ? perch_steer_tx(p, lcore, pkts, n)
		                : perch_port_send(p, lcore, pkts, n);
	return n > 0 ? perch_port_send(p, 0, pkts, n) : 0;
}

void perch_port_tell_left(struct perch_port *p, perch_port_left_fn fn, void *arg)
{
	rte_spinlock_init(&p->left_lock);
	p->left_arg = arg;
	p->left = fn;
}

void perch_port_send_rest(struct perch_port *p)
{
	if (p->steer)
		perch_steer_send_rest(p);
}

/* The reader gets the mbuf itself, so one that TCP holds as well must be copied. */
static uint16_t send_copies(
	struct perch_port *p, unsigned queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct rte_mbuf *out[PORT_BURST];
	uint16_t i, ready, taken;

	n = RTE_MIN(n, (uint16_t)PORT_BURST);
	for (ready = 0; ready < n; ready++) {
		out[ready] = pkts[ready];
		if (rte_mbuf_refcnt_read(pkts[ready]) > 1)
			out[ready] = rte_pktmbuf_copy(pkts[ready], p->pools[queue], 0, UINT32_MAX);
		if (!out[ready])
			break; /* no buffer now: what is left waits */
	}
	taken = rte_eth_tx_burst(p->id, (uint16_t)queue, out, ready);
	for (i = 0; i < ready; i++)
		if (out[i] != pkts[i])
			rte_pktmbuf_free(i < taken ? pkts[i] : out[i]);
	return taken;
}

uint16_t perch_port_poll(struct perch_port *p, unsigned queue, struct rte_mbuf **pkts, uint16_t n,
	uint64_t *learn)
{
	if (p->replay)
		return perch_replay_rx(p->replay, p->pools[queue], pkts, n, learn);
	if (p->ring_tap)
		p->ring_tap(p->tap_signal);
	return perch_port_rx_queue(p, queue, pkts, n);
}

uint16_t perch_port_send(struct perch_port *p, unsigned queue, struct rte_mbuf **pkts, uint16_t n)
{
	if (unlikely(p->replay != NULL))
		return perch_replay_tx(p->replay, queue, pkts, n);
	if (p->copy_shared)
		return send_copies(p, queue, pkts, n);
	if (p->prepare) /* what comes from here on is taken next time, or given up */
		n = rte_eth_tx_prepare(p->id, (uint16_t)queue, pkts, n);
	return perch_port_tx_queue(p, queue, pkts, n);
}

void perch_port_warm(struct perch_port *p, struct rte_mbuf *m)
{
	if (!p->detour)
		perch_port_tx_queue(p, 0, &m, 0);
}
