/* SPDX-License-Identifier: BSD-3-Clause
 * The net: its memory, and the order in which a burst, a timer and the turn's output run.
 */
#include <errno.h>
#include <netinet/in.h>

#include <rte_prefetch.h>

#include "tcp-lite/arp.h"
#include "tcp-lite/dad.h"
#include "tcp-lite/ether.h"
#include "tcp-lite/frag.h"
#include "tcp-lite/icmp.h"
#include "tcp-lite/igmp.h"
#include "tcp-lite/ip.h"
#include "tcp-lite/mcast.h"
#include "tcp-lite/nd.h"
#include "tcp-lite/neigh.h"
#include "tcp-lite/plain.h"
#include "tcp-lite/pmtu.h"
#include "tcp-lite/tcp.h"
#include "tcp-lite/tcp_cc.h"
#include "tcp-lite/udp.h"

enum net_limits {
	STAGE = 32,         /* packets of a burst that are in flight between the stages */
	PREFETCH_AHEAD = 4, /* headers are asked for this many packets early */
	MTU_DEFAULT = 1500,
	MTU_MIN = 576,      /* RFC 1122 section 3.3.3 */
	MTU6_MIN = 1280,    /* RFC 8200 section 5 */
	ANNOUNCEMENTS = 2,  /* ANNOUNCE_NUM of RFC 5227 section 1.1 */
	VLAN_MAX = 4094,    /* IEEE 802.1Q: 4095 is reserved */
	MEMBERSHIPS_MAX = 16384, /* slots are 16 bits, and there are more groups and sources */
};

#define ANNOUNCE_INTERVAL_NS INT64_C(2000000000)

#define MS_NS INT64_C(1000000)
#define S_NS  INT64_C(1000000000)

/* ---- open and close ------------------------------------------------------------------------- */

static bool has_ip6(const struct perch_net_if *nif)
{
	unsigned i;

	for (i = 0; i < nif->n_addrs; i++)
		if (!perch_ip_is_v4(&nif->addrs[i].ip))
			return true;
	return nif->has_gw6;
}

static bool addr_ok(const struct perch_net_addr *a)
{
	return a->prefix_len <= (perch_ip_is_v4(&a->ip) ? 32 : 128) && !perch_ip_is_any(&a->ip) &&
		!perch_ip_is_multicast(&a->ip);
}

static bool if_ok(const struct perch_net_if *nif)
{
	unsigned i;

	if (nif->n_addrs > PERCH_NET_ADDRS || !rte_is_valid_assigned_ether_addr(&nif->mac))
		return false;
	for (i = 0; i < nif->n_addrs; i++)
		if (!addr_ok(&nif->addrs[i]))
			return false;
	if ((nif->has_gw4 && !perch_ip_is_v4(&nif->gw4)) ||
		(nif->has_gw6 && perch_ip_is_v4(&nif->gw6)))
		return false;
	if (nif->vlan > VLAN_MAX)
		return false;
	return nif->mtu >= (has_ip6(nif) ? MTU6_MIN : MTU_MIN);
}

static bool config_ok(const struct perch_net_config *cfg)
{
	unsigned i;

	if (cfg->n_ifs < 1 || cfg->n_ifs > PERCH_NET_IFS || !cfg->pool ||
		rte_pktmbuf_priv_size(cfg->pool) < PERCH_PKT_PRIV)
		return false;
	for (i = 0; i < cfg->n_ifs; i++)
		if (!if_ok(&cfg->ifs[i]))
			return false;
	return cfg->max_neighbours <= PERCH_NEIGH_MAX && cfg->max_udp < UINT16_MAX &&
		cfg->max_memberships <= MEMBERSHIPS_MAX &&
		perch_tcp_bytes(cfg) <= PERCH_TCP_BYTES_MAX && cfg->dad <= PERCH_NET_DAD_OFF &&
		perch_tcp_cc_find(cfg->cc);
}

#define DEFAULT(field, value) ((field) = (field) ? (field) : (value))

static void fill_defaults(struct perch_net_config *cfg)
{
	unsigned i;

	for (i = 0; i < RTE_MIN((unsigned)cfg->n_ifs, (unsigned)PERCH_NET_IFS); i++)
		DEFAULT(cfg->ifs[i].mtu, MTU_DEFAULT);
	DEFAULT(cfg->max_flows, 4096);
	DEFAULT(cfg->max_listeners, 64);
	DEFAULT(cfg->max_udp, 64);
	DEFAULT(cfg->max_neighbours, 1024);
	DEFAULT(cfg->max_memberships, 256);
	DEFAULT(cfg->max_reassemblies, 32);
	DEFAULT(cfg->sndbuf_bytes, 4 * 1024 * 1024);
	DEFAULT(cfg->rcvbuf_bytes, 4 * 1024 * 1024);
	DEFAULT(cfg->backlog, 1024);
	DEFAULT(cfg->rto_min_ns, 5 * MS_NS);
	DEFAULT(cfg->rto_max_ns, 60 * S_NS);
	DEFAULT(cfg->time_wait_ns, 60 * S_NS);
	DEFAULT(cfg->fin_wait2_ns, 60 * S_NS);
	DEFAULT(cfg->syn_retries, 6);
	DEFAULT(cfg->data_retries, 15);
}

struct layout { /* offsets of the parts */
	size_t tcp, lists, udp, neigh, icmp, groups, frags, pmtu, dad, end;
};

static size_t place(size_t *end, size_t bytes)
{
	size_t at = *end;

	*end += RTE_ALIGN_CEIL(bytes, (size_t)RTE_CACHE_LINE_SIZE);
	return at;
}

static size_t max_listed(const struct perch_net_config *cfg)
{
	return (size_t)cfg->max_flows + cfg->max_udp;
}

static struct layout layout_of(const struct perch_net_config *cfg)
{
	struct layout l = {.end = 0};

	place(&l.end, sizeof(struct perch_net));
	l.tcp = place(&l.end, perch_tcp_bytes(cfg));
	l.lists = place(&l.end, max_listed(cfg) * sizeof(struct perch_net_list));
	l.udp = place(&l.end, perch_udp_bytes(cfg));
	l.neigh = place(&l.end, perch_neigh_bytes(cfg));
	l.icmp = place(&l.end, perch_icmp_bytes(cfg));
	l.groups = place(&l.end, perch_mcast_bytes(cfg));
	l.frags = place(&l.end, perch_frag_bytes(cfg));
	l.pmtu = place(&l.end, perch_pmtu_bytes(cfg));
	l.dad = place(&l.end, perch_dad_bytes(cfg));
	return l;
}

size_t perch_net_bytes(const struct perch_net_config *cfg)
{
	struct perch_net_config full = *cfg;

	fill_defaults(&full);
	return layout_of(&full).end;
}

/* RFC 4291 appendix A. */
static struct perch_ip link_local_of(const struct rte_ether_addr *mac)
{
	const uint8_t *b = mac->addr_bytes;

	return (struct perch_ip){.b = {0xfe, 0x80, [8] = b[0] ^ 2, b[1], b[2], 0xff, 0xfe, b[3],
					 b[4], b[5]}};
}

/* What a pool has beyond what lies in a port's rings (drivers-glue gives it 1,024 packets each way,
 * or a quarter of the pool) and in the bursts of a turn. */
static uint32_t held_max(uint32_t pool)
{
	const uint32_t rings = 2560;

	return pool - RTE_MAX(pool / 4, RTE_MIN(pool / 2, rings));
}

int perch_net_open(struct perch_net **out, void *mem, const struct perch_net_config *cfg)
{
	struct perch_net *net = mem;
	struct layout l;
	unsigned i;

	net->cfg = *cfg;
	fill_defaults(&net->cfg);
	if (!config_ok(&net->cfg))
		return -EINVAL;
	l = layout_of(&net->cfg);
	net->pool = cfg->pool;
	net->held_max = held_max(cfg->pool->size);
	net->held_easily = net->held_max - RTE_MIN(net->held_max,
		net->held_max / 8 + 2 * (cfg->pool->size / 8));
	perch_net_set_time(net, cfg->now_ns);
	net->path_gen = 1;
	net->rng = cfg->seed ? cfg->seed : 1; /* zero is xorshift's fixed point */
	net->announce_ns = cfg->passive ? PERCH_NET_NEVER : cfg->now_ns;
	net->defended_ns = cfg->now_ns - 3600 * S_NS;
	for (i = 0; i < net->cfg.n_ifs; i++)
		if (has_ip6(&net->cfg.ifs[i]))
			net->link_local[i] = link_local_of(&net->cfg.ifs[i].mac);
	perch_plain_init(net);
	perch_icmp_init(net, (uint8_t *)mem + l.icmp);
	perch_neigh_init(net, (uint8_t *)mem + l.neigh);
	perch_udp_init(net, (uint8_t *)mem + l.udp);
	perch_mcast_init(net, (uint8_t *)mem + l.groups);
	perch_frag_init(net, (uint8_t *)mem + l.frags);
	perch_pmtu_init(net, (uint8_t *)mem + l.pmtu);
	perch_dad_init(net, (uint8_t *)mem + l.dad);
	net->max_listed = (uint32_t)max_listed(&net->cfg);
	net->lists = (struct perch_net_list *)((uint8_t *)mem + l.lists) + net->max_listed - 1;
	for (i = 0; i < RTE_DIM(net->ip_id); i++)
		net->ip_id[i] = (uint16_t)perch_net_random(net);
	perch_tcp_init(net, (uint8_t *)mem + l.tcp);
	*out = net;
	return 0;
}

void perch_net_close(struct perch_net *net)
{
	perch_tcp_fini(net);
	perch_udp_fini(net);
	perch_neigh_fini(net);
	rte_pktmbuf_free_bulk(net->tx, net->n_tx);
	net->n_tx = 0;
	net->ready_first = net->ready_end = 0;
}

/* ---- packets in ----------------------------------------------------------------------------- */

static void process(struct perch_net *net, struct perch_rx *rx)
{
	if (unlikely(rx->is_arp)) {
		perch_arp_input(net, rx);
		return;
	}
	switch (rx->proto) {
	case IPPROTO_TCP:
		perch_pkt(rx->m)->time_ns = net->now_ns;
		perch_tcp_input(net, rx);
		break;
	case IPPROTO_UDP:
		perch_udp_input(net, rx);
		break;
	case IPPROTO_ICMP:
		perch_icmp_input(net, rx);
		break;
	case IPPROTO_IGMP:
		perch_igmp_input(net, rx);
		break;
	default:
		perch_icmp6_input(net, rx);
	}
}

/* Each stage touches what the next one reads: headers, table entries, control blocks. */
static void input_stages(
	struct perch_net *net, unsigned ifidx, struct rte_mbuf **pkts, unsigned n)
{
	struct perch_rx rx[STAGE];
	unsigned i, kept = 0;

	for (i = 0; i < n; i++) {
		if (i + PREFETCH_AHEAD < n)
			rte_prefetch0(rte_pktmbuf_mtod(pkts[i + PREFETCH_AHEAD], const void *));
		net->rx_bytes += pkts[i]->pkt_len;
		rx[kept] = (struct perch_rx){.m = pkts[i], .ifidx = (uint8_t)ifidx};
		kept += likely(perch_plain_parse(net, &rx[kept])) ||
			perch_ether_parse(net, &rx[kept]);
	}
	perch_tcp_prefetch(net, rx, kept);
	for (i = 0; i < kept; i++)
		process(net, &rx[i]);
}

void perch_net_input(
	struct perch_net *net, unsigned ifidx, struct rte_mbuf **pkts, unsigned n, int64_t now_ns)
{
	unsigned done, stage;

	perch_net_set_time(net, now_ns);
	net->rx_packets += n;
	for (done = 0; done < n; done += stage) {
		stage = RTE_MIN(n - done, (unsigned)STAGE);
		input_stages(net, ifidx, pkts + done, stage);
	}
	if (net->n_done > 0)
		rte_mempool_put_bulk(net->pool, (void **)net->done, net->n_done);
	net->n_done = 0;
}

void perch_net_learn(struct perch_net *net, unsigned ifidx, struct rte_mbuf *m, int64_t now_ns)
{
	struct perch_rx rx = {.m = m, .ifidx = (uint8_t)ifidx, .learn_only = true};

	perch_net_set_time(net, now_ns);
	if (!perch_ether_parse(net, &rx))
		return;
	if (rx.is_arp || rx.proto == IPPROTO_ICMP || rx.proto == IPPROTO_ICMPV6 ||
		rx.proto == IPPROTO_IGMP)
		process(net, &rx);
	else
		rte_pktmbuf_free(rx.m);
}

/* ---- time ----------------------------------------------------------------------------------- */

void perch_net_prefetch(const struct perch_net *net, uint32_t id)
{
	perch_tcp_prefetch_flow(net, id);
}

uint32_t *perch_net_wheel_words(const struct perch_net *net, size_t *stride_bytes)
{
	return perch_tcp_wheel_words(net, stride_bytes);
}

int64_t perch_net_expire(struct perch_net *net, uint32_t id, int64_t now_ns)
{
	perch_net_set_time(net, now_ns);
	return perch_tcp_expire(net, id);
}

int64_t perch_net_due(struct perch_net *net, uint32_t id)
{
	return perch_tcp_due(net, id);
}

/* So that neighbours who knew another MAC address for ours forget it. Of a range, the first
 * address: the others are learnt when they are asked for. */
static void announce(struct perch_net *net)
{
	const struct perch_net_if *nif;
	unsigned i, k;

	for (i = 0; i < net->cfg.n_ifs; i++) {
		nif = &net->cfg.ifs[i];
		for (k = 0; k < nif->n_addrs; k++) {
			if (net->addr_off[i] & 1U << k)
				continue;
			if (perch_ip_is_v4(&nif->addrs[k].ip))
				perch_arp_announce(net, i, &nif->addrs[k].ip);
			else
				perch_nd_announce(net, i, &nif->addrs[k].ip);
		}
		if (!perch_ip_is_any(&net->link_local[i]) &&
			!(net->addr_off[i] & 1U << PERCH_NET_ADDRS))
			perch_nd_announce(net, i, &net->link_local[i]);
	}
	net->announced++;
	net->announce_ns = net->announced < ANNOUNCEMENTS ? net->now_ns + ANNOUNCE_INTERVAL_NS
	                                                  : PERCH_NET_NEVER;
}

void perch_net_tick(struct perch_net *net, int64_t now_ns)
{
	perch_net_set_time(net, now_ns);
	if (unlikely(net->announce_ns <= now_ns))
		announce(net);
	perch_neigh_tick(net);
	perch_mcast_tick(net);
	perch_frag_tick(net);
	perch_dad_tick(net);
}

int64_t perch_net_next_tick(const struct perch_net *net)
{
	int64_t a = RTE_MIN(net->announce_ns, perch_neigh_next_tick(net));
	int64_t b = RTE_MIN(perch_mcast_next_tick(net), perch_frag_next_tick(net));

	return RTE_MIN(RTE_MIN(a, b), perch_dad_next_tick(net));
}

/* ---- packets and flows out ------------------------------------------------------------------ */

void perch_net_output(struct perch_net *net, int64_t now_ns)
{
	perch_net_set_time(net, now_ns);
	perch_mcast_tick(net); /* a leave must not wait for a turn that never comes */
	perch_tcp_output(net);
}

struct perch_flow *perch_net_next_ready(struct perch_net *net)
{
	struct perch_flow *f;

	if (net->ready_end == 0)
		return NULL;
	f = perch_net_listed(net, net->ready_first++)->ready;
	if (net->ready_first == net->ready_end)
		net->ready_first = net->ready_end = 0;
	f->in_ready = 0;
	return f;
}

void perch_net_pack_ready(struct perch_net *net)
{
	uint32_t i;

	net->ready_end -= net->ready_first;
	for (i = 0; i < net->ready_end; i++)
		perch_net_listed(net, i)->ready =
			perch_net_listed(net, net->ready_first + i)->ready;
	net->ready_first = 0;
}

/* There are as many as one turn has events, and a flow that ends is seldom among them. */
void perch_net_leave_ready(struct perch_net *net, struct perch_flow *f)
{
	uint32_t i = net->ready_first;

	f->events = 0;
	if (!f->in_ready)
		return;
	while (perch_net_listed(net, i)->ready != f)
		i++;
	for (net->ready_end--; i < net->ready_end; i++)
		perch_net_listed(net, i)->ready = perch_net_listed(net, i + 1)->ready;
	if (net->ready_first == net->ready_end)
		net->ready_first = net->ready_end = 0;
	f->in_ready = 0;
}

bool perch_net_next_arm(struct perch_net *net, uint32_t *id, int64_t *deadline_ns)
{
	return perch_tcp_next_arm(net, id, deadline_ns);
}

struct rte_mbuf *perch_net_alloc(struct perch_net *net)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(net->pool);

	if (unlikely(!m))
		net->drops[PERCH_DROP_mbuf_exhausted]++;
	return m;
}

/* xorshift64* (Vigna 2016), the high half. */
uint32_t perch_net_random(struct perch_net *net)
{
	net->rng ^= net->rng >> 12;
	net->rng ^= net->rng << 25;
	net->rng ^= net->rng >> 27;
	return (uint32_t)(net->rng * UINT64_C(0x2545f4914f6cdd1d) >> 32);
}
