/* SPDX-License-Identifier: BSD-3-Clause
 * From a transport segment to a packet at its next hop: checksum, IP header, neighbour.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>

#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_jhash.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "tcp-lite/cksum.h"
#include "tcp-lite/ether.h"
#include "tcp-lite/ip.h"
#include "tcp-lite/neigh.h"
#include "tcp-lite/pmtu.h"

enum {
	DEFAULT_HOP_LIMIT = 64,
	FRAGMENT_BYTES = 8, /* IPv6's fragment header */
	ND_HOP_LIMIT = 255, /* RFC 4861 section 3.1: proof that no router was crossed */
};

/* Where to, once it is known. */
struct hop {
	unsigned ifidx;
	struct perch_ip next;
	struct perch_neigh *neigh; /* or NULL */
	bool is_nd;                /* neighbour discovery itself asks no questions back */
};

/* From whom to whom a transport segment goes. */
struct segment {
	const struct perch_ip *src, *dst;
	uint8_t proto, hop_limit;
};

struct transport {
	uint32_t offload;  /* enum perch_net_offload that does it, or 0 */
	uint64_t ol_flags; /* how to ask for that */
	size_t cksum_at;   /* offset of the checksum field */
};

static struct transport transport_of(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return (struct transport){PERCH_NET_TX_TCP_CKSUM, RTE_MBUF_F_TX_TCP_CKSUM,
			offsetof(struct rte_tcp_hdr, cksum)};
	case IPPROTO_UDP:
		return (struct transport){PERCH_NET_TX_UDP_CKSUM, RTE_MBUF_F_TX_UDP_CKSUM,
			offsetof(struct rte_udp_hdr, dgram_cksum)};
	default:
		return (struct transport){0, 0, offsetof(struct rte_icmp_hdr, icmp_cksum)};
	}
}

/* Of a segment whose payload's sum is known already, l4_len says how long its header is, and in its
 * checksum field stands that sum. */
static uint16_t segment_cksum(
	const struct rte_mbuf *m, const struct perch_ip *src, const struct perch_ip *dst)
{
	uint32_t sum = perch_cksum_raw(rte_pktmbuf_mtod(m, const void *), m->l4_len);

	return (uint16_t)~perch_cksum_fold(
		sum + perch_cksum_pseudo(src, dst, IPPROTO_TCP, m->pkt_len));
}

/* Fill the checksum field, or what the NIC needs to do it. Returns the offload flag that is used.
 * ICMP and IGMP have no pseudo-header. */
static uint64_t checksum(struct rte_mbuf *m, const struct perch_ip *src,
	const struct perch_ip *dst, uint8_t proto, uint32_t offloads)
{
	struct transport t = transport_of(proto);
	uint16_t *field = rte_pktmbuf_mtod_offset(m, uint16_t *, t.cksum_at);

	if (unlikely(m->ol_flags & RTE_MBUF_F_TX_TCP_SEG)) { /* the port adds each one's length */
		*field = perch_cksum_pseudo(src, dst, proto, 0);
		return RTE_MBUF_F_TX_TCP_SEG | t.ol_flags;
	}
	if (t.offload & offloads) {
		*field = perch_cksum_pseudo(src, dst, proto, m->pkt_len);
		return t.ol_flags;
	}
	if (proto == IPPROTO_TCP && m->l4_len)
		*field = segment_cksum(m, src, dst);
	else if (proto == IPPROTO_ICMP || proto == IPPROTO_IGMP)
		*field = (uint16_t)~perch_cksum_data(m);
	else
		*field = perch_cksum_transport(m, src, dst, proto);
	if (proto == IPPROTO_UDP && *field == 0)
		*field = 0xffff; /* zero means none (RFC 768) */
	return 0;
}

/* RFC 6437: one label per flow, hard to guess. ICMPv6 goes without. */
static uint32_t flow_label(const struct perch_net *net, const struct rte_mbuf *m,
	const struct perch_ip *src, const struct perch_ip *dst, uint8_t proto)
{
	const uint64_t spread = UINT64_C(0x9e3779b97f4a7c15);
	uint32_t ports;
	uint64_t h;

	if (proto == IPPROTO_ICMPV6)
		return 0;
	memcpy(&h, net->cfg.secret, sizeof(h));
	memcpy(&ports, rte_pktmbuf_mtod(m, const void *), sizeof(ports));
	h ^= ports;
	h = (h ^ src->d[0] ^ dst->d[1]) * spread;
	h = (h ^ h >> 32 ^ src->d[1]) * spread;
	h = (h ^ h >> 32 ^ dst->d[0]) * spread;
	return (uint32_t)(h >> 44); /* 20 bits */
}

/* DF is set, so the identification may be anything (RFC 6864). */
static bool push_ip4(struct rte_mbuf *m, const struct perch_ip *src, const struct perch_ip *dst,
	uint8_t proto, uint8_t hop_limit, uint64_t ol_flags, uint32_t offloads)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)rte_pktmbuf_prepend(m, sizeof(*ip));

	if (unlikely(!ip))
		return false;
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16((uint16_t)m->pkt_len),
		.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = hop_limit,
		.next_proto_id = proto,
		.src_addr = src->w[3],
		.dst_addr = dst->w[3],
	};
	if (offloads & PERCH_NET_TX_IP4_CKSUM)
		ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
	else
		ip->hdr_checksum =
			(uint16_t)~perch_cksum_fold(perch_cksum_header(ip, sizeof(*ip)));
	if (ol_flags)
		m->ol_flags |= ol_flags | RTE_MBUF_F_TX_IPV4;
	return true;
}

static bool push_ip6(struct rte_mbuf *m, const struct perch_ip *src, const struct perch_ip *dst,
	uint8_t proto, uint8_t hop_limit, uint64_t ol_flags, uint32_t label)
{
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)rte_pktmbuf_prepend(m, sizeof(*ip));

	if (unlikely(!ip))
		return false;
	ip->vtc_flow = rte_cpu_to_be_32(UINT32_C(6) << 28 | label);
	ip->payload_len = rte_cpu_to_be_16((uint16_t)(m->pkt_len - sizeof(*ip)));
	ip->proto = proto;
	ip->hop_limits = hop_limit;
	memcpy(ip->src_addr, src->b, sizeof(ip->src_addr));
	memcpy(ip->dst_addr, dst->b, sizeof(ip->dst_addr));
	if (ol_flags)
		m->ol_flags |= ol_flags | RTE_MBUF_F_TX_IPV6;
	return true;
}

static int refuse(struct perch_net *net, struct rte_mbuf *m, enum perch_drop why, int err)
{
	perch_net_drop(net, why, m);
	return err;
}

static int hand_on(struct perch_net *net, struct rte_mbuf *m, const struct hop *hop)
{
	if (likely(hop->neigh))
		return perch_neigh_send(net, hop->neigh, m, !hop->is_nd);
	return perch_neigh_send_group(net, hop->ifidx, &hop->next, m);
}

/* ---- fragments ------------------------------------------------------------------------------ */

/* RFC 6864 section 4.3 wants them not to repeat towards one destination, RFC 7739 not to be
 * guessed: a keyed start for each destination, and counters that few share. */
static uint32_t next_id(struct perch_net *net, const struct perch_ip *src,
	const struct perch_ip *dst)
{
	uint32_t key, h;

	memcpy(&key, net->cfg.secret + 4, sizeof(key));
	h = rte_jhash_32b(dst->w, 4, rte_jhash_32b(src->w, 4, key));
	return h + net->ip_id[h >> 8 & (RTE_DIM(net->ip_id) - 1)]++;
}

/* Which part of which datagram. */
struct slice {
	uint32_t id, at, len;
	bool more;
};

static bool push_fragment4(struct rte_mbuf *m, const struct perch_ip *src,
	const struct perch_ip *dst, uint8_t proto, uint8_t hop_limit, const struct slice *s)
{
	struct rte_ipv4_hdr *ip;

	if (!push_ip4(m, src, dst, proto, hop_limit, 0, 0))
		return false;
	ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
	ip->packet_id = (uint16_t)s->id;
	ip->fragment_offset = rte_cpu_to_be_16((uint16_t)(s->at / RTE_IPV4_HDR_OFFSET_UNITS |
		(s->more ? RTE_IPV4_HDR_MF_FLAG : 0)));
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	return true;
}

static bool push_fragment6(struct rte_mbuf *m, const struct perch_ip *src,
	const struct perch_ip *dst, uint8_t proto, uint8_t hop_limit, const struct slice *s)
{
	uint8_t *h = (uint8_t *)rte_pktmbuf_prepend(m, FRAGMENT_BYTES);

	if (!h)
		return false;
	h[0] = proto;
	h[1] = 0;
	h[2] = (uint8_t)(s->at >> 8);
	h[3] = (uint8_t)(s->at | s->more);
	memcpy(h + 4, &s->id, sizeof(s->id));
	return push_ip6(m, src, dst, IPPROTO_FRAGMENT, hop_limit, 0, 0);
}

/* A packet with the bytes of whole from s->at on, as data; they are copied. */
static struct rte_mbuf *cut(struct perch_net *net, const struct rte_mbuf *whole,
	const struct slice *s)
{
	struct rte_mbuf *m = perch_net_alloc(net);
	const void *from;
	char *to;

	if (!m)
		return NULL;
	to = rte_pktmbuf_append(m, (uint16_t)s->len);
	from = rte_pktmbuf_read(whole, s->at, s->len, to);
	if (from != to)
		memcpy(to, from, s->len);
	return m;
}

/* A datagram longer than its path takes (RFC 791, RFC 8200 section 4.5). All its fragments go, or
 * what the first that could not be made leaves behind will time out at the receiver. */
static int send_fragments(struct perch_net *net, struct rte_mbuf *whole, const struct segment *g,
	const struct hop *hop, uint16_t mtu)
{
	bool v4 = perch_ip_is_v4(g->dst), pushed;
	uint16_t headers = v4 ? sizeof(struct rte_ipv4_hdr)
	                      : sizeof(struct rte_ipv6_hdr) + FRAGMENT_BYTES;
	uint32_t room = RTE_MIN((uint32_t)mtu - headers,
		rte_pktmbuf_data_room_size(net->pool) - (uint32_t)RTE_PKTMBUF_HEADROOM) & ~7U;
	struct slice s = {.id = next_id(net, g->src, g->dst)};
	struct rte_mbuf *m;
	int rc = 0;

	if (net->n_tx + whole->pkt_len / room + 1 > PERCH_NET_TX)
		return refuse(net, whole, PERCH_DROP_tx_queue_full, -ENOBUFS);
	for (; s.at < whole->pkt_len && rc == 0; s.at += s.len) {
		s.len = RTE_MIN(room, whole->pkt_len - s.at);
		s.more = s.at + s.len < whole->pkt_len;
		m = cut(net, whole, &s);
		if (!m) {
			rc = -ENOBUFS;
			break;
		}
		pushed = v4 ? push_fragment4(m, g->src, g->dst, g->proto, g->hop_limit, &s)
		            : push_fragment6(m, g->src, g->dst, g->proto, g->hop_limit, &s);
		rc = pushed ? hand_on(net, m, hop)
		            : refuse(net, m, PERCH_DROP_no_headroom, -ENOBUFS);
	}
	rte_pktmbuf_free(whole);
	return rc;
}

/* ---- one packet ----------------------------------------------------------------------------- */

/* TCP cuts its data itself; its segments never become fragments. */
static bool may_fragment(uint8_t proto)
{
	return proto != IPPROTO_TCP;
}

/* Bytes of transport header and payload, of the longest piece if the port cuts m. */
static uint32_t longest(const struct rte_mbuf *m)
{
	return unlikely(m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) ? (uint32_t)m->l4_len + m->tso_segsz
	                                                      : m->pkt_len;
}

static int send_to_hop(struct perch_net *net, struct rte_mbuf *m, const struct segment *g,
	const struct hop *hop)
{
	const struct perch_net_if *nif = &net->cfg.ifs[hop->ifidx];
	bool v4 = perch_ip_is_v4(g->dst), pushed;
	uint16_t l3_len = v4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr);
	uint16_t mtu = nif->mtu;
	uint64_t ol_flags;

	/* What the receiving or an earlier transmission left behind is not for this one. */
	m->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL |
		(g->proto == IPPROTO_TCP ? RTE_MBUF_F_TX_TCP_SEG : 0);
	if (may_fragment(g->proto))
		mtu = perch_pmtu_of(net, g->dst, mtu);
	if (unlikely(longest(m) + l3_len > mtu)) {
		if (!may_fragment(g->proto) || m->pkt_len + (v4 ? l3_len : 0) > UINT16_MAX)
			return refuse(net, m, PERCH_DROP_too_big, -EMSGSIZE);
		checksum(m, g->src, g->dst, g->proto, 0);
		return send_fragments(net, m, g, hop, mtu);
	}
	m->l2_len = perch_ether_len(net, hop->ifidx);
	m->l3_len = l3_len;
	ol_flags = checksum(m, g->src, g->dst, g->proto, nif->tx_offloads);
	if (v4)
		pushed = push_ip4(m, g->src, g->dst, g->proto, g->hop_limit, ol_flags,
			nif->tx_offloads);
	else
		pushed = push_ip6(m, g->src, g->dst, g->proto, g->hop_limit, ol_flags,
			flow_label(net, m, g->src, g->dst, g->proto));
	if (unlikely(!pushed))
		return refuse(net, m, PERCH_DROP_no_headroom, -ENOBUFS);
	return hand_on(net, m, hop);
}

/* A source address that is on one interface only decides for destinations that are on all. */
static int find_hop(struct perch_net *net, const struct perch_ip *src, const struct perch_ip *dst,
	struct hop *hop)
{
	int rc = perch_ip_route(net, dst, &hop->ifidx, &hop->next, NULL);

	if (rc == 0 && (perch_ip_is_multicast(dst) || perch_ip_is_link_local6(dst)))
		perch_ip_is_ours(net, src, &hop->ifidx);
	return rc;
}

static bool is_group(const struct perch_net *net, const struct perch_ip *ip)
{
	return perch_ip_is_multicast(ip) || perch_ip_is_broadcast(net, ip);
}

int perch_ip_send(struct perch_net *net, struct rte_mbuf *m, const struct perch_ip *src,
	const struct perch_ip *dst, uint8_t proto, uint8_t hop_limit, struct perch_path *path)
{
	struct segment g = {src, dst, proto, hop_limit ? hop_limit : DEFAULT_HOP_LIMIT};
	struct hop hop = {.neigh = path ? perch_neigh_recall(net, path) : NULL};

	if (likely(hop.neigh)) {
		hop.ifidx = hop.neigh->ifidx;
		return send_to_hop(net, m, &g, &hop);
	}
	if (perch_ip_is_v4(src) != perch_ip_is_v4(dst) || find_hop(net, src, dst, &hop) < 0)
		return refuse(net, m, PERCH_DROP_no_route, -ENETUNREACH);
	if (!is_group(net, &hop.next)) {
		hop.neigh = perch_neigh_find(net, hop.ifidx, &hop.next);
		if (!hop.neigh)
			hop.neigh = perch_neigh_add(net, hop.ifidx, &hop.next);
		if (path)
			*path = perch_neigh_path(net, hop.neigh);
	}
	return send_to_hop(net, m, &g, &hop);
}

int perch_ip_send_nd(struct perch_net *net, unsigned ifidx, struct rte_mbuf *m,
	const struct perch_ip *src, const struct perch_ip *dst)
{
	struct segment g = {src, dst, IPPROTO_ICMPV6, ND_HOP_LIMIT};
	struct hop hop = {.ifidx = ifidx, .next = *dst, .is_nd = true};

	if (!is_group(net, dst)) {
		hop.neigh = perch_neigh_find(net, ifidx, dst);
		if (!hop.neigh)
			hop.neigh = perch_neigh_add(net, ifidx, dst);
	}
	return send_to_hop(net, m, &g, &hop);
}

/* RFC 2113, before it the IPv4 header, which is one word longer than usual. */
static bool push_alert4(struct rte_mbuf *m, const struct perch_ip *src, const struct perch_ip *dst)
{
	static const uint8_t option[] = {148, 4, 0, 0};
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)rte_pktmbuf_prepend(
		m, sizeof(*ip) + sizeof(option));

	if (!ip)
		return false;
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF + 1,
		.type_of_service = 0xc0, /* RFC 3376 section 4: internetwork control */
		.total_length = rte_cpu_to_be_16((uint16_t)m->pkt_len),
		.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = 1,
		.next_proto_id = IPPROTO_IGMP,
		.src_addr = src->w[3],
		.dst_addr = dst->w[3],
	};
	memcpy(ip + 1, option, sizeof(option));
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, sizeof(*ip) + sizeof(option));
	return true;
}

/* RFC 2711: hop-by-hop options of one unit, the alert and two bytes of padding. */
static bool push_alert6(struct rte_mbuf *m, const struct perch_ip *src, const struct perch_ip *dst)
{
	const uint8_t options[] = {IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0};
	uint8_t *at = (uint8_t *)rte_pktmbuf_prepend(m, sizeof(options));

	if (!at)
		return false;
	memcpy(at, options, sizeof(options));
	return push_ip6(m, src, dst, IPPROTO_HOPOPTS, 1, 0, 0);
}

int perch_ip_send_alert(struct perch_net *net, unsigned ifidx, struct rte_mbuf *m,
	const struct perch_ip *dst, uint8_t proto)
{
	bool v4 = perch_ip_is_v4(dst);
	struct perch_ip src = v4 ? perch_ip_from_v4(0) : (struct perch_ip){.d = {0, 0}}, own;
	const struct perch_ip link = {.b = {0xff, 0x02, [15] = 1}}; /* MLD is link-local's */

	if (!perch_ip_source(net, ifidx, v4 ? dst : &link, &own))
		own = src; /* RFC 3376 section 4.2.13, RFC 3810 section 5.2.13: unspecified */
	m->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	checksum(m, &own, dst, proto, 0);
	if (!(v4 ? push_alert4(m, &own, dst) : push_alert6(m, &own, dst)))
		return refuse(net, m, PERCH_DROP_no_headroom, -ENOBUFS);
	return perch_neigh_send_group(net, ifidx, dst, m);
}

static bool verdict_of_nic(const struct rte_mbuf *m, bool *ok)
{
	switch (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) {
	case RTE_MBUF_F_RX_L4_CKSUM_GOOD:
	case RTE_MBUF_F_RX_L4_CKSUM_NONE: /* verified on the way, the field was never filled in */
		*ok = true;
		return true;
	case RTE_MBUF_F_RX_L4_CKSUM_BAD:
		*ok = false;
		return true;
	default:
		return false;
	}
}

bool perch_ip_transport_cksum_ok(const struct perch_rx *rx)
{
	bool ok;

	if (verdict_of_nic(rx->m, &ok))
		return ok;
	return perch_cksum_transport(rx->m, &rx->src, &rx->dst, rx->proto) == 0;
}

bool perch_ip_tcp_cksum_ok(const struct perch_rx *rx, uint16_t header_len)
{
	struct perch_pkt *p = perch_pkt(rx->m);
	const uint8_t *h = rte_pktmbuf_mtod(rx->m, const uint8_t *);
	uint64_t text, sum;
	bool ok;

	p->tcp.summed = false;
	if (verdict_of_nic(rx->m, &ok))
		return ok;
	p->tcp.summed = true;
	text = perch_cksum_sum(h + header_len, rx->m->data_len - header_len);
	p->tcp.sum = perch_cksum_fold(text);
	sum = text + perch_cksum_header(h, header_len);
	sum += perch_cksum_pseudo_sum(&rx->src, &rx->dst, rx->proto, rx->m->pkt_len);
	return perch_cksum_fold(sum) == 0xffff;
}
