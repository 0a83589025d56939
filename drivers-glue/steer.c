/* SPDX-License-Identifier: BSD-3-Clause
 * Several lcores on one port. What has no ports (ARP, NDP, ICMP errors) is copied to all of them,
 * for each has its own neighbour cache and flows. And where the device has one queue, lcore 0 polls
 * it, hashes in software as a NIC would, hands packets over by rings, and sends for the others.
 *
 * Rejected: a lock around the queue (every lcore would wait for every other); hashing on the
 * sender's side only (the peer decides what arrives).
 */
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <rte_arp.h>
#include <rte_ip.h>
#include <rte_ring.h>
#include <rte_thash.h>

#include "drivers-glue/placement.h"
#include "drivers-glue/port_inside.h"

enum { RING = 4096, GROUP_BUCKETS = 1024 };

struct lane { /* of one lcore */
	struct rte_ring *in, *out; /* out: lcore 0 sends what lies there; NULL: own queue */
	struct rte_mbuf *held[PORT_BURST]; /* taken from out, not yet taken by the device */
	uint16_t n_held;
	uint64_t dropped; /* by this lcore, because another's ring was full */
} __rte_cache_aligned;

struct perch_steer {
	size_t ring_bytes;
	int node;
	_Atomic uint64_t groups[GROUP_BUCKETS]; /* by MAC address: bits of the lcores to have it */
	struct lane lanes[PORT_MAX_LCORES];
};

/* A copy to learn from is marked in its pointer on the ring: mbufs are aligned to cache lines. */
static void *to_learn(struct rte_mbuf *m)
{
	return (void *)((uintptr_t)m | 1);
}

/* ---- open and close ------------------------------------------------------------------------- */

static struct rte_ring *make_ring(const struct perch_steer *s, unsigned flags)
{
	struct rte_ring *r = perch_numa_alloc(s->ring_bytes, s->node);

	if (r && rte_ring_init(r, "perch_steer", RING, flags) != 0) {
		perch_numa_free(r, s->ring_bytes);
		return NULL;
	}
	return r;
}

int perch_steer_open(struct perch_port *p, int node)
{
	struct perch_steer *s = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*s));
	struct lane *l;
	unsigned i;

	if (!s)
		return -ENOMEM;
	memset(s, 0, sizeof(*s));
	s->ring_bytes = (size_t)rte_ring_get_memsize(RING);
	s->node = node;
	p->steer = s;
	for (i = 0; i < p->lcores; i++) {
		l = &s->lanes[i];
		l->in = make_ring(s, RING_F_SC_DEQ);
		if (!l->in)
			return -ENOMEM;
		if (i == 0 || p->hw_queues > 1)
			continue;
		l->out = make_ring(s, RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (!l->out)
			return -ENOMEM;
	}
	return 0;
}

static void drain(struct rte_ring *r, size_t bytes)
{
	void *m;

	while (r && rte_ring_dequeue(r, &m) == 0)
		rte_pktmbuf_free((struct rte_mbuf *)((uintptr_t)m & ~(uintptr_t)1));
	perch_numa_free(r, bytes);
}

void perch_steer_close(struct perch_port *p)
{
	struct perch_steer *s = p->steer;
	unsigned i;

	for (i = 0; i < p->lcores; i++) {
		rte_pktmbuf_free_bulk(s->lanes[i].held, s->lanes[i].n_held);
		drain(s->lanes[i].in, s->ring_bytes);
		drain(s->lanes[i].out, s->ring_bytes);
	}
	free(s);
	p->steer = NULL;
}

uint64_t perch_steer_dropped(const struct perch_port *p)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < p->lcores; i++)
		sum += p->steer->lanes[i].dropped;
	return sum;
}

/* ---- where a packet belongs ----------------------------------------------------------------- */

/* words: source, destination, ports, in host order, as RSS hashes them. */
unsigned perch_steer_lcore(const struct perch_port *p, const uint32_t *words, unsigned n)
{
	uint32_t in[9], hash;

	memcpy(in, words, n * sizeof(*words)); /* rte_softrss wants to write to it */
	hash = rte_softrss(in, n, p->rss_key);
	return p->reta_size ? p->reta[hash % p->reta_size] : hash % p->lcores;
}

enum belongs { HERE, ELSEWHERE, EVERYWHERE, MEMBERS };

static unsigned bucket_of(const struct rte_ether_addr *mac)
{
	const uint8_t *b = mac->addr_bytes;
	uint32_t low = (uint32_t)b[2] << 24 | (uint32_t)b[3] << 16 | (uint32_t)b[4] << 8 | b[5];

	return low * 0x9e3779b1U >> 22; /* 10 bits: GROUP_BUCKETS */
}

/* Bits are set and cleared one by one, so that datagrams of other groups never see them missing. */
void perch_steer_groups(
	struct perch_port *p, unsigned lcore, const struct rte_ether_addr *macs, uint32_t n)
{
	uint64_t wanted[GROUP_BUCKETS / 64] = {0}, bit = UINT64_C(1) << lcore;
	unsigned i, b;

	for (i = 0; i < n; i++) {
		b = bucket_of(&macs[i]);
		wanted[b / 64] |= UINT64_C(1) << (b % 64);
	}
	for (b = 0; b < GROUP_BUCKETS; b++) {
		if (wanted[b / 64] >> (b % 64) & 1)
			atomic_fetch_or_explicit(&p->steer->groups[b], bit, memory_order_relaxed);
		else if (atomic_load_explicit(&p->steer->groups[b], memory_order_relaxed) & bit)
			atomic_fetch_and_explicit(&p->steer->groups[b], ~bit, memory_order_relaxed);
	}
}

static bool is_to_group(const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

	return rte_is_multicast_ether_addr(&eth->dst_addr) &&
		!rte_is_broadcast_ether_addr(&eth->dst_addr);
}

/* Look at IPv4's transport: `at` is its offset. */
static enum belongs of_transport(const struct perch_port *p, const struct rte_mbuf *m, uint8_t proto,
	uint32_t at, uint32_t *words, unsigned n, unsigned *lcore)
{
	const uint8_t *t = rte_pktmbuf_mtod_offset(m, const uint8_t *, at);

	if (proto == IPPROTO_UDP && is_to_group(m))
		return MEMBERS;
	if (proto == IPPROTO_IGMP || (proto == IPPROTO_HOPOPTS && is_to_group(m)))
		return EVERYWHERE; /* a query, to be answered by lcore 0 */
	if (m->data_len < at + 4)
		return HERE;
	if (proto == IPPROTO_ICMP)
		return t[0] == ICMP_ECHO || t[0] == ICMP_ECHOREPLY ? HERE : EVERYWHERE;
	if (proto == IPPROTO_ICMPV6)
		return t[0] == ICMP6_ECHO_REQUEST || t[0] == ICMP6_ECHO_REPLY ? HERE : EVERYWHERE;
	if ((proto != IPPROTO_TCP && proto != IPPROTO_UDP) || p->hw_queues > 1)
		return HERE;
	words[n] = (uint32_t)t[0] << 24 | (uint32_t)t[1] << 16 | (uint32_t)t[2] << 8 | t[3];
	*lcore = perch_steer_lcore(p, words, n + 1);
	return ELSEWHERE;
}

/* Pieces have no ports to hash, or not all of them: as NICs do, by addresses alone, so that they
 * meet. The datagram is put together there, whoever may have bound its port. */
static enum belongs of_fragment(const struct perch_port *p, const struct rte_mbuf *m,
	const uint32_t *words, unsigned n, unsigned *lcore)
{
	if (is_to_group(m))
		return MEMBERS;
	if (p->hw_queues > 1)
		return HERE;
	*lcore = perch_steer_lcore(p, words, n);
	return ELSEWHERE;
}

static enum belongs of_ip4(
	const struct perch_port *p, const struct rte_mbuf *m, uint32_t at, unsigned *lcore)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, at);
	uint32_t words[3];

	if (m->data_len < at + sizeof(*ip) ||
		rte_ipv4_hdr_len(ip) < sizeof(*ip))
		return HERE;
	words[0] = rte_be_to_cpu_32(ip->src_addr);
	words[1] = rte_be_to_cpu_32(ip->dst_addr);
	if (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK))
		return of_fragment(p, m, words, 2, lcore);
	return of_transport(
		p, m, ip->next_proto_id, at + rte_ipv4_hdr_len(ip), words, 2, lcore);
}

static enum belongs of_ip6(
	const struct perch_port *p, const struct rte_mbuf *m, uint32_t at, unsigned *lcore)
{
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv6_hdr *, at);
	uint32_t words[9], i;

	if (m->data_len < at + sizeof(*ip))
		return HERE;
	memcpy(words, ip->src_addr, 16);
	memcpy(words + 4, ip->dst_addr, 16);
	for (i = 0; i < 8; i++)
		words[i] = rte_be_to_cpu_32(words[i]);
	if (ip->proto == IPPROTO_FRAGMENT)
		return of_fragment(p, m, words, 8, lcore);
	return of_transport(p, m, ip->proto, at + sizeof(*ip), words, 8, lcore);
}

static enum belongs where(const struct perch_port *p, const struct rte_mbuf *m, unsigned *lcore)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_vlan_hdr *tag = (const struct rte_vlan_hdr *)(eth + 1);
	rte_be16_t type = eth->ether_type;
	uint32_t at = sizeof(*eth);

	if (m->data_len < sizeof(*eth) + sizeof(*tag))
		return HERE;
	if (type == RTE_BE16(RTE_ETHER_TYPE_VLAN)) {
		type = tag->eth_proto;
		at += sizeof(*tag);
	}
	switch (type) {
	case RTE_BE16(RTE_ETHER_TYPE_IPV4):
		return of_ip4(p, m, at, lcore);
	case RTE_BE16(RTE_ETHER_TYPE_IPV6):
		return of_ip6(p, m, at, lcore);
	case RTE_BE16(RTE_ETHER_TYPE_ARP):
		return EVERYWHERE;
	default:
		return HERE;
	}
}

/* ---- in ------------------------------------------------------------------------------------- */

static void hand_over(struct perch_port *p, unsigned from, unsigned to, void *tagged)
{
	if (rte_ring_enqueue(p->steer->lanes[to].in, tagged) == 0)
		return;
	rte_pktmbuf_free((struct rte_mbuf *)((uintptr_t)tagged & ~(uintptr_t)1));
	p->steer->lanes[from].dropped++;
}

static void tell_all(struct perch_port *p, unsigned from, struct rte_mbuf *m)
{
	struct rte_mbuf *copy;
	unsigned i;

	for (i = 0; i < p->lcores; i++) {
		if (i == from)
			continue;
		copy = rte_pktmbuf_copy(m, p->pools[from], 0, UINT32_MAX);
		if (copy)
			hand_over(p, from, i, to_learn(copy));
		else
			p->steer->lanes[from].dropped++;
	}
}

/* The first member gets the packet, the others copies. Returns whether lcore `from` keeps m. */
static bool give_members(struct perch_port *p, unsigned from, struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	uint64_t members = atomic_load_explicit(
		&p->steer->groups[bucket_of(&eth->dst_addr)], memory_order_relaxed);
	bool keep = members == 0 || members >> from & 1; /* nobody's is dropped here, by name */
	struct rte_mbuf *copy;
	unsigned to;

	for (members &= ~(UINT64_C(1) << from); members; members &= members - 1) {
		to = (unsigned)__builtin_ctzll(members);
		if (!keep && (members & (members - 1)) == 0) {
			hand_over(p, from, to, m);
			return false;
		}
		copy = rte_pktmbuf_copy(m, p->pools[from], 0, UINT32_MAX);
		if (copy)
			hand_over(p, from, to, copy);
		else
			p->steer->lanes[from].dropped++;
	}
	return true;
}

/* What others left for this lcore. */
static uint16_t from_ring(
	struct lane *l, struct rte_mbuf **pkts, uint16_t n, uint64_t *learn)
{
	uint16_t got = (uint16_t)rte_ring_dequeue_burst(l->in, (void **)pkts, n, NULL), i;

	for (i = 0; i < got; i++)
		if ((uintptr_t)pkts[i] & 1) {
			pkts[i] = (struct rte_mbuf *)((uintptr_t)pkts[i] & ~(uintptr_t)1);
			*learn |= UINT64_C(1) << i;
		}
	return got;
}

/* Packets of lcore `of`, by lcore `by`, which has a queue of its own. */
static uint16_t send_of(
	struct perch_port *p, unsigned by, unsigned of, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t taken;

	if (likely(!p->left))
		return perch_port_send(p, by, pkts, n);
	rte_spinlock_lock(&p->left_lock);
	taken = perch_port_send(p, by, pkts, n);
	if (taken > 0)
		p->left(p->left_arg, by, of, taken);
	rte_spinlock_unlock(&p->left_lock);
	return taken;
}

static void send_for_others(struct perch_port *p)
{
	struct lane *l;
	uint16_t sent, k;
	unsigned i;

	for (i = 1; i < p->lcores; i++) {
		l = &p->steer->lanes[i];
		if (l->n_held == 0)
			l->n_held = (uint16_t)rte_ring_dequeue_burst(
				l->out, (void **)l->held, PORT_BURST, NULL);
		if (l->n_held == 0)
			continue;
		sent = send_of(p, 0, i, l->held, l->n_held);
		for (k = sent; k < l->n_held; k++)
			l->held[k - sent] = l->held[k];
		l->n_held -= sent;
	}
}

uint16_t perch_steer_rx(
	struct perch_port *p, unsigned lcore, struct rte_mbuf **pkts, uint16_t n, uint64_t *learn)
{
	uint16_t got = from_ring(&p->steer->lanes[lcore], pkts, n, learn), kept = got, i, burst;
	unsigned to = lcore;

	if (lcore >= p->hw_queues)
		return got;
	if (lcore == 0 && p->hw_queues == 1)
		send_for_others(p);
	burst = perch_port_poll(p, lcore, pkts + got, n - got, learn);
	for (i = got; i < got + burst; i++) {
		switch (where(p, pkts[i], &to)) {
		case ELSEWHERE:
			if (to != lcore) {
				hand_over(p, lcore, to, pkts[i]);
				continue;
			}
			break;
		case EVERYWHERE:
			tell_all(p, lcore, pkts[i]);
			break;
		case MEMBERS:
			if (!give_members(p, lcore, pkts[i]))
				continue;
			break;
		case HERE:
			break;
		}
		pkts[kept++] = pkts[i];
	}
	return kept;
}

/* ---- out ------------------------------------------------------------------------------------ */

uint16_t perch_steer_tx(struct perch_port *p, unsigned lcore, struct rte_mbuf **pkts, uint16_t n)
{
	if (lcore == 0 && p->hw_queues == 1)
		send_for_others(p);
	if (n == 0)
		return 0;
	if (lcore < p->hw_queues)
		return send_of(p, lcore, lcore, pkts, n);
	return (uint16_t)rte_ring_enqueue_burst(p->steer->lanes[lcore].out, (void *const *)pkts, n,
		NULL);
}

void perch_steer_send_rest(struct perch_port *p)
{
	unsigned i;

	for (i = 0; p->hw_queues == 1 && i < RING / PORT_BURST + 1; i++)
		send_for_others(p);
}
