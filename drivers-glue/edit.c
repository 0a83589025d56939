/* SPDX-License-Identifier: BSD-3-Clause
 * Headers in captured frames.
 */
#include "drivers-glue/edit.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static bool is_tag(uint16_t type)
{
	return type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ;
}

static bool parse4(const uint8_t *frame, uint32_t len, struct perch_edit_view *v)
{
	const uint8_t *ip = frame + v->l3;
	uint32_t header = (ip[0] & 15u) * 4;

	v->v4 = true;
	v->proto = ip[9];
	v->l4 = v->l3 + header;
	v->end = v->l3 + get16(ip + 2);
	return header >= sizeof(struct rte_ipv4_hdr) && v->end <= len && v->l4 <= v->end &&
		(get16(ip + 6) & 0x3fff) == 0; /* not a fragment */
}

/* Extension headers are not walked: what has some is left as it is. */
static bool parse6(const uint8_t *frame, uint32_t len, struct perch_edit_view *v)
{
	const uint8_t *ip = frame + v->l3;

	v->v4 = false;
	v->proto = ip[6];
	v->l4 = v->l3 + sizeof(struct rte_ipv6_hdr);
	v->end = v->l4 + get16(ip + 4);
	return v->end <= len;
}

bool perch_edit_parse(const uint8_t *frame, uint32_t len, struct perch_edit_view *out)
{
	uint32_t at = offsetof(struct rte_ether_hdr, ether_type);
	uint16_t type;

	if (len < sizeof(struct rte_ether_hdr))
		return false;
	while (is_tag(type = get16(frame + at)) && at + 6 <= len)
		at += sizeof(struct rte_vlan_hdr);
	out->l3 = at + 2;
	if (type == RTE_ETHER_TYPE_IPV4 && len >= out->l3 + sizeof(struct rte_ipv4_hdr))
		return parse4(frame, len, out);
	if (type == RTE_ETHER_TYPE_IPV6 && len >= out->l3 + sizeof(struct rte_ipv6_hdr))
		return parse6(frame, len, out);
	return false;
}

uint32_t perch_edit_udp_payload(const uint8_t *frame, uint32_t len, uint32_t *payload_len)
{
	struct perch_edit_view v;

	if (!perch_edit_parse(frame, len, &v) || v.proto != IPPROTO_UDP ||
		v.end - v.l4 < sizeof(struct rte_udp_hdr))
		return 0;
	*payload_len = v.end - v.l4 - (uint32_t)sizeof(struct rte_udp_hdr);
	return v.l4 + (uint32_t)sizeof(struct rte_udp_hdr);
}

uint32_t perch_edit_untag(uint8_t *frame, uint32_t len)
{
	const uint32_t at = offsetof(struct rte_ether_hdr, ether_type);
	const uint32_t tag = sizeof(struct rte_vlan_hdr);

	if (len < sizeof(struct rte_ether_hdr) + tag || !is_tag(get16(frame + at)))
		return len;
	memmove(frame + at, frame + at + tag, len - at - tag);
	return len - tag;
}

/* ---- checksums ------------------------------------------------------------------------------ */

static void put_checksum(uint8_t *at, uint16_t sum)
{
	memcpy(at, &sum, sizeof(sum)); /* as DPDK computes it: in network order */
}

/* Over a header without pseudo header: ICMP, IGMP. */
static void plain_checksum(uint8_t *l4, uint32_t bytes, uint32_t at)
{
	put_checksum(l4 + at, 0);
	put_checksum(l4 + at, (uint16_t)~rte_raw_cksum(l4, bytes));
}

static void pseudo_checksum(uint8_t *frame, const struct perch_edit_view *v, uint32_t at)
{
	uint8_t *l4 = frame + v->l4;
	const void *ip = frame + v->l3;

	put_checksum(l4 + at, 0);
	put_checksum(l4 + at,
		v->v4 ? rte_ipv4_udptcp_cksum(ip, l4) : rte_ipv6_udptcp_cksum(ip, l4));
}

void perch_edit_checksums(uint8_t *frame, uint32_t len)
{
	struct perch_edit_view v;
	uint32_t bytes;

	if (!perch_edit_parse(frame, len, &v))
		return;
	bytes = v.end - v.l4;
	if (v.v4) {
		put_checksum(frame + v.l3 + 10, 0);
		put_checksum(frame + v.l3 + 10, rte_ipv4_cksum((const void *)(frame + v.l3)));
	}
	if (v.proto == IPPROTO_TCP && bytes >= sizeof(struct rte_tcp_hdr))
		pseudo_checksum(frame, &v, offsetof(struct rte_tcp_hdr, cksum));
	else if (v.proto == IPPROTO_UDP && bytes >= sizeof(struct rte_udp_hdr))
		pseudo_checksum(frame, &v, offsetof(struct rte_udp_hdr, dgram_cksum));
	else if (v.proto == IPPROTO_ICMPV6 && bytes >= 4)
		pseudo_checksum(frame, &v, 2);
	else if ((v.proto == IPPROTO_ICMP || v.proto == IPPROTO_IGMP) && bytes >= 4)
		plain_checksum(frame + v.l4, bytes, 2);
}
