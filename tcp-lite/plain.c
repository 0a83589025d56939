/* SPDX-License-Identifier: BSD-3-Clause
 * Plain packets, both ways: each check and each field of ether.c, ip4.c and ip_send.c that such a
 * packet meets there, without the choices.
 */
#include <netinet/in.h>

#include <rte_ip.h>
#include <rte_tcp.h>

#include "tcp-lite/cksum.h"
#include "tcp-lite/ether.h"
#include "tcp-lite/mcast.h"
#include "tcp-lite/neigh.h"
#include "tcp-lite/plain.h"

enum { HOP_LIMIT = 64 };

struct headers {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
} __rte_packed __rte_aligned(2);
static_assert(sizeof(struct headers) == 34, "as on the wire");

/* Six bytes in the upper part of a word, to be compared at once. */
static uint64_t mac_at(const void *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word)); /* what follows a MAC address here is a header, too */
	return rte_le_to_cpu_64(word) << 16;
}

/* ---- set up --------------------------------------------------------------------------------- */

/* With one IPv4 prefix in all, every question about an address is a comparison. */
static const struct perch_net_addr *only_v4(const struct perch_net *net)
{
	const struct perch_net_if *nif = &net->cfg.ifs[0];
	const struct perch_net_addr *only = NULL;
	unsigned i;

	if (net->cfg.n_ifs != 1 || nif->vlan)
		return NULL;
	for (i = 0; i < nif->n_addrs; i++) {
		if (!perch_ip_is_v4(&nif->addrs[i].ip))
			continue;
		if (only)
			return NULL;
		only = &nif->addrs[i];
	}
	return only;
}

/* The headers of all that is sent, but for addresses of the peer, lengths and checksums. */
static void write_template(struct perch_net *net)
{
	struct headers h = {
		.eth = {.src_addr = net->cfg.ifs[0].mac,
			.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)},
		.ip = {.version_ihl = RTE_IPV4_VHL_DEF,
			.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
			.time_to_live = HOP_LIMIT,
			.next_proto_id = IPPROTO_TCP},
	};

	memcpy(net->plain.headers, &h, sizeof(h));
	net->plain.mac = mac_at(h.eth.src_addr.addr_bytes);
	net->plain.sum = perch_cksum_header(&h.ip, sizeof(h.ip));
}

void perch_plain_init(struct perch_net *net)
{
	const struct perch_net_addr *a = only_v4(net);

	if (!a)
		return; /* net->plain.count is 0: no packet is plain */
	net->plain.first = rte_be_to_cpu_32(a->ip.w[3]);
	net->plain.count = RTE_MAX(a->count, 1u);
	net->plain.hosts = a->prefix_len > 30 ? 0 : UINT32_MAX >> a->prefix_len;
	net->plain.offloads = net->cfg.ifs[0].tx_offloads;
	write_template(net);
}

/* ---- in ------------------------------------------------------------------------------------- */

static bool is_ours(const struct perch_net *net, uint32_t ip)
{
	return ip - net->plain.first < net->plain.count;
}

/* A host's, and not one of ours: see source_ok() in ip4.c. Prefixes without broadcast addresses
 * have `hosts` 0. */
static bool source_ok(const struct perch_net *net, uint32_t ip)
{
	uint32_t hosts = net->plain.hosts, top = ip >> 24;

	if (unlikely(top - 1 >= 223 || top == 127 || is_ours(net, ip)))
		return false;
	if (hosts == 0 || ((ip ^ net->plain.first) & ~hosts) != 0)
		return true;
	return ((ip + 1) & hosts) > 1; /* neither all ones nor all zeroes */
}

static bool frame_ok(const struct perch_net *net, const struct rte_mbuf *m)
{
	const uint64_t odd = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED |
		RTE_MBUF_F_RX_IP_CKSUM_MASK;
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

	return m->nb_segs == 1 &&
		m->data_len >= sizeof(struct headers) + sizeof(struct rte_tcp_hdr) &&
		((m->ol_flags & odd) & ~RTE_MBUF_F_RX_IP_CKSUM_GOOD) == 0 &&
		rte_is_unicast_ether_addr(&eth->src_addr) &&
		mac_at(&eth->src_addr) != net->plain.mac &&
		eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4);
}

static bool header_ok(const struct rte_mbuf *m, const struct rte_ipv4_hdr *ip)
{
	const uint16_t pieces = RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);
	uint16_t len = rte_be_to_cpu_16(ip->total_length);

	return ip->version_ihl == RTE_IPV4_VHL_DEF &&
		(ip->next_proto_id == IPPROTO_TCP || ip->next_proto_id == IPPROTO_UDP) &&
		!(ip->fragment_offset & pieces) &&
		len <= m->data_len - sizeof(struct rte_ether_hdr) &&
		len >= sizeof(*ip) + sizeof(struct rte_tcp_hdr) &&
		(m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_GOOD ||
			perch_cksum_fold(perch_cksum_header(ip, sizeof(*ip))) == 0xffff);
}

/* The group of a datagram, if it was joined, and the frame is the one that RFC 1112 section 6.4 has
 * for it; else NULL. */
static const struct perch_mcast *group_of(
	const struct perch_net *net, const struct perch_rx *rx, const struct headers *h)
{
	const struct perch_ip dst = perch_ip_from_v4(h->ip.dst_addr);
	struct rte_ether_addr mac;

	if (net->plain.count == 0 || h->ip.next_proto_id != IPPROTO_UDP ||
		!perch_ip_is_multicast(&dst))
		return NULL;
	perch_ether_group(&dst, &mac);
	if (!rte_is_same_ether_addr(&h->eth.dst_addr, &mac))
		return NULL;
	return perch_mcast_find(net, rx->ifidx, &dst);
}

bool perch_plain_parse(struct perch_net *net, struct perch_rx *rx)
{
	struct rte_mbuf *m = rx->m;
	const struct headers *h = rte_pktmbuf_mtod(m, const struct headers *);
	const struct rte_ipv4_hdr *ip = &h->ip;
	const struct perch_mcast *group = NULL;

	if (unlikely(!frame_ok(net, m) || !header_ok(m, ip) ||
		    !source_ok(net, rte_be_to_cpu_32(ip->src_addr)) || net->addr_off[0]))
		return false;
	if (unlikely(!is_ours(net, rte_be_to_cpu_32(ip->dst_addr)))) {
		group = group_of(net, rx, h);
		if (!group)
			return false;
	} else if (unlikely(mac_at(&h->eth.dst_addr) != net->plain.mac)) {
		return false;
	}
	rx->src = perch_ip_from_v4(ip->src_addr);
	rx->dst = perch_ip_from_v4(ip->dst_addr);
	rx->l3_len = sizeof(*ip);
	rx->proto = ip->next_proto_id;
	rx->group = group;
	rx->to_group = group != NULL;
	rx->ttl = ip->time_to_live;
	rx->tos = ip->type_of_service;
	m->data_off += sizeof(struct headers);
	m->data_len = (uint16_t)(rte_be_to_cpu_16(ip->total_length) - sizeof(*ip));
	m->pkt_len = m->data_len; /* without Ethernet's padding */
	return true;
}

/* ---- out ------------------------------------------------------------------------------------ */

/* What of the headers is this packet's own. */
static void write_headers(const struct perch_net *net, struct headers *h, uint16_t len,
	uint32_t src, uint32_t dst, const struct rte_ether_addr *to)
{
	memcpy(h, net->plain.headers, sizeof(*h));
	h->eth.dst_addr = *to;
	h->ip.total_length = rte_cpu_to_be_16(len);
	h->ip.src_addr = src;
	h->ip.dst_addr = dst;
	if (likely(!(net->plain.offloads & PERCH_NET_TX_IP4_CKSUM)))
		h->ip.hdr_checksum = (uint16_t)~perch_cksum_fold(net->plain.sum +
			h->ip.total_length + src + dst);
}

/* What the NIC is asked for. */
static void request(const struct perch_net *net, struct rte_mbuf *m)
{
	m->ol_flags |= RTE_MBUF_F_TX_IPV4;
	if (net->plain.offloads & PERCH_NET_TX_IP4_CKSUM)
		m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
	if (net->plain.offloads & PERCH_NET_TX_TCP_CKSUM)
		m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
	m->l2_len = sizeof(struct rte_ether_hdr);
	m->l3_len = sizeof(struct rte_ipv4_hdr);
}

static uint64_t pseudo_sum(const struct rte_mbuf *m, uint32_t src, uint32_t dst)
{
	return rte_cpu_to_be_32(m->pkt_len) + (uint64_t)RTE_BE32(IPPROTO_TCP) + src + dst;
}

/* The payload is summed unless that was done: then its sum is part of the header's. */
static uint16_t segment_cksum(
	const struct rte_mbuf *m, const struct rte_tcp_hdr *tcp, uint64_t sum)
{
	uint32_t header_len = (tcp->data_off >> 4) * 4;

	if (!m->l4_len)
		sum += perch_cksum_sum((const uint8_t *)tcp + header_len, m->pkt_len - header_len);
	return (uint16_t)~perch_cksum_fold(sum);
}

static void put(struct perch_net *net, struct rte_mbuf *m)
{
	m->port = 0;
	net->tx[net->n_tx++] = m;
	net->tx_packets++;
	net->tx_bytes += m->pkt_len;
}

/* In pieces that are not summed yet, or to be cut by the port. */
static bool is_odd(const struct rte_mbuf *m)
{
	return m->nb_segs != 1 && (!m->l4_len || m->tso_segsz);
}

bool perch_plain_send(struct perch_net *net, struct rte_mbuf *m, uint32_t src, uint32_t dst,
	const struct perch_path *path, uint64_t header_sum)
{
	struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod(m, struct rte_tcp_hdr *);
	struct headers *h = (struct headers *)((uint8_t *)tcp - sizeof(*h));
	uint32_t len = m->pkt_len + sizeof(h->ip);
	const struct rte_ether_addr *to;

	if (unlikely(net->plain.count == 0 || len > net->cfg.ifs[0].mtu || is_odd(m) ||
		    m->data_off < sizeof(*h) || net->n_tx == PERCH_NET_TX))
		return false;
	to = perch_neigh_ready(net, path);
	if (unlikely(!to))
		return false;
	m->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	if (unlikely(net->plain.offloads))
		request(net, m);
	if (likely(!(net->plain.offloads & PERCH_NET_TX_TCP_CKSUM)))
		tcp->cksum = segment_cksum(m, tcp, header_sum + pseudo_sum(m, src, dst));
	else
		tcp->cksum = perch_cksum_fold(pseudo_sum(m, src, dst));
	write_headers(net, h, (uint16_t)len, src, dst, to);
	m->data_off -= sizeof(*h);
	m->data_len += sizeof(*h);
	m->pkt_len += sizeof(*h);
	put(net, m);
	return true;
}
