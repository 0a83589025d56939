/* SPDX-License-Identifier: BSD-3-Clause
 * The IPv4 way in: which packets are well-formed and for us (RFC 791, RFC 1122 section 3.2.1).
 */
#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ip.h>

#include "tcp-lite/cksum.h"
#include "tcp-lite/frag.h"
#include "tcp-lite/icmp.h"
#include "tcp-lite/ip.h"
#include "tcp-lite/mcast.h"

enum ip4_option {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_LOOSE_ROUTE = 131,
	OPTION_STRICT_ROUTE = 137,
};

static bool refuse(struct perch_net *net, struct perch_rx *rx, enum perch_drop why)
{
	perch_rx_drop(net, rx, why);
	return false;
}

static bool header_cksum_ok(const struct rte_mbuf *m, uint16_t header_len)
{
	switch (m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) {
	case RTE_MBUF_F_RX_IP_CKSUM_GOOD:
	case RTE_MBUF_F_RX_IP_CKSUM_NONE: /* verified on the way, the field was never filled in */
		return true;
	case RTE_MBUF_F_RX_IP_CKSUM_BAD:
		return false;
	default:
		return perch_cksum_raw(rte_pktmbuf_mtod(m, const void *), header_len) == 0xffff;
	}
}

/* Options are let through unread but for source routes (RFC 7126 sections 4.3 and 4.4), which would
 * turn an answer of ours into a packet for a third party. */
static bool options_ok(
	struct perch_net *net, struct perch_rx *rx, const uint8_t *option, const uint8_t *end)
{
	while (option < end && *option != OPTION_END) {
		if (*option == OPTION_NOP) {
			option++;
			continue;
		}
		if (end - option < 2 || option[1] < 2 || option[1] > end - option)
			return refuse(net, rx, PERCH_DROP_ip4_malformed);
		if (*option == OPTION_LOOSE_ROUTE || *option == OPTION_STRICT_ROUTE)
			return refuse(net, rx, PERCH_DROP_ip4_options);
		option += option[1];
	}
	return true;
}

/* Broadcasts, the group that all hosts are in (RFC 1112 section 4), and those that were joined. */
static bool is_our_group(const struct perch_net *net, struct perch_rx *rx)
{
	if (!perch_ip_is_multicast(&rx->dst))
		return perch_ip_is_broadcast(net, &rx->dst);
	rx->group = perch_mcast_find(net, rx->ifidx, &rx->dst);
	return rx->group || rx->dst.w[3] == RTE_BE32(0xe0000001);
}

/* A switch that queries for want of a router has no address (RFC 4541 section 2.1.1). */
static bool source_ok(const struct perch_net *net, const struct perch_rx *rx)
{
	if (unlikely(rx->proto == IPPROTO_IGMP && rx->src.w[3] == 0))
		return true;
	return perch_ip_is_host(net, &rx->src) && !perch_ip_is_ours(net, &rx->src, NULL);
}

static bool addresses_ok(struct perch_net *net, struct perch_rx *rx)
{
	bool framed_to_group = rx->to_group;

	if (unlikely(!source_ok(net, rx)))
		return refuse(net, rx, PERCH_DROP_ip4_bad_source);
	if (likely(perch_ip_is_ours(net, &rx->dst, NULL))) {
		if (unlikely(framed_to_group)) /* RFC 1122 section 3.3.6 */
			return refuse(net, rx, PERCH_DROP_ip4_group_frame);
		return true;
	}
	rx->to_group = true;
	if (!is_our_group(net, rx))
		return refuse(net, rx, PERCH_DROP_ip4_not_ours);
	return true;
}

static bool header_ok(struct perch_net *net, struct perch_rx *rx)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(rx->m, const struct rte_ipv4_hdr *);
	uint16_t header_len, total_len;

	if (unlikely(rx->m->data_len < sizeof(*ip)))
		return refuse(net, rx, PERCH_DROP_ip4_truncated);
	header_len = rte_ipv4_hdr_len(ip);
	total_len = rte_be_to_cpu_16(ip->total_length);
	if (unlikely(ip->version_ihl >> 4 != 4 || header_len < sizeof(*ip) ||
		    total_len < header_len))
		return refuse(net, rx, PERCH_DROP_ip4_malformed);
	if (unlikely(total_len > rx->m->data_len))
		return refuse(net, rx, PERCH_DROP_ip4_truncated);
	if (unlikely(!header_cksum_ok(rx->m, header_len)))
		return refuse(net, rx, PERCH_DROP_ip4_bad_checksum);
	rte_pktmbuf_trim(rx->m, rx->m->data_len - total_len); /* Ethernet's padding */
	if (header_len == sizeof(*ip))
		return true;
	return options_ok(net, rx, (const uint8_t *)(ip + 1), (const uint8_t *)ip + header_len);
}

/* Pieces but the last are of whole units (RFC 791); reaching behind 64 KB was the ping of death. A
 * whole that TCP would keep must not hold a buffer of reassembly. */
static bool gather(struct perch_net *net, struct perch_rx *rx, const struct rte_ipv4_hdr *ip)
{
	uint16_t field = rte_be_to_cpu_16(ip->fragment_offset);
	struct perch_frag f = {
		.id = ip->packet_id,
		.at = (field & RTE_IPV4_HDR_OFFSET_MASK) * (uint32_t)RTE_IPV4_HDR_OFFSET_UNITS,
		.data_off = rte_ipv4_hdr_len(ip),
		.proto = ip->next_proto_id,
		.more = field & RTE_IPV4_HDR_MF_FLAG,
	};

	f.len = (uint32_t)rx->m->data_len - f.data_off;
	if (f.len == 0 || (f.more && f.len % RTE_IPV4_HDR_OFFSET_UNITS != 0))
		return refuse(net, rx, PERCH_DROP_frag_malformed);
	if (!perch_frag_input(net, rx, &f))
		return false;
	if (rx->proto == IPPROTO_TCP && rx->borrowed)
		return refuse(net, rx, PERCH_DROP_frag_too_big);
	return true;
}

bool perch_ip4_parse(struct perch_net *net, struct perch_rx *rx)
{
	const struct rte_ipv4_hdr *ip;

	if (!header_ok(net, rx))
		return false;
	ip = rte_pktmbuf_mtod(rx->m, const struct rte_ipv4_hdr *);
	rx->src = perch_ip_from_v4(ip->src_addr);
	rx->dst = perch_ip_from_v4(ip->dst_addr);
	rx->proto = ip->next_proto_id;
	rx->ttl = ip->time_to_live;
	rx->tos = ip->type_of_service;
	if (!addresses_ok(net, rx))
		return false;
	if (unlikely(ip->fragment_offset &
		    rte_cpu_to_be_16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK))) {
		if (!gather(net, rx, ip))
			return false;
		ip = rte_pktmbuf_mtod(rx->m, const struct rte_ipv4_hdr *);
	}
	if (unlikely(rx->proto != IPPROTO_TCP && rx->proto != IPPROTO_UDP &&
		    rx->proto != IPPROTO_ICMP && rx->proto != IPPROTO_IGMP)) {
		perch_icmp_send_error(
			net, rx, PERCH_ICMP_UNREACHABLE, PERCH_ICMP_PROTOCOL_UNREACHABLE, 0);
		return refuse(net, rx, PERCH_DROP_ip4_proto_unknown);
	}
	rx->l3_len = rte_ipv4_hdr_len(ip);
	rte_pktmbuf_adj(rx->m, rx->l3_len);
	return true;
}
