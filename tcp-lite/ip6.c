/* SPDX-License-Identifier: BSD-3-Clause
 * The IPv6 way in: which packets are well-formed and for us, and the extension headers before
 * their transport header (RFC 8200 section 4).
 */
#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ip.h>

#include "tcp-lite/frag.h"
#include "tcp-lite/icmp.h"
#include "tcp-lite/ip.h"
#include "tcp-lite/mcast.h"
#include "tcp-lite/nd.h"

/* Nobody needs more, and each costs us work that a sender gets for free (RFC 8504 section 5.3). */
enum ip6_limits {
	MAX_EXTENSIONS = 6,
	MAX_EXTENSION_BYTES = 256,
	MAX_OPTIONS = 8, /* of one header, padding not counted */
};

enum { PAD1 = 0, PADN = 1, ROUTER_ALERT = 5, FRAGMENT_BYTES = 8, ND_HOP_LIMIT = 255 };

/* Where the walk along the headers stands; the packet in rx->m starts at the IPv6 header. */
struct walk {
	const uint8_t *packet;
	uint16_t len;      /* of the packet */
	uint16_t at;       /* the header that is next */
	uint16_t named_at; /* the field that says what it is */
	uint8_t next;      /* what it is */
};

static bool refuse(struct perch_net *net, struct perch_rx *rx, enum perch_drop why)
{
	perch_rx_drop(net, rx, why);
	return false;
}

static bool refuse_loudly(struct perch_net *net, struct perch_rx *rx, enum perch_drop why,
	uint8_t code, uint32_t pointer)
{
	perch_icmp_send_error(net, rx, PERCH_ICMP6_PARAMETER, code, pointer);
	return refuse(net, rx, why);
}

/* RFC 8200 section 4.2: the two high bits of an unknown option say what to do with the packet. */
static bool unknown_option_ok(
	struct perch_net *net, struct perch_rx *rx, uint8_t option, uint16_t at)
{
	switch (option >> 6) {
	case 0: return true;
	case 1: return refuse(net, rx, PERCH_DROP_ip6_option);
	default:
		return refuse_loudly(net, rx, PERCH_DROP_ip6_option, PERCH_ICMP6_BAD_OPTION, at);
	}
}

static bool options_ok(
	struct perch_net *net, struct perch_rx *rx, const struct walk *w, uint16_t header_len)
{
	uint16_t at = w->at + 2, end = w->at + header_len;
	unsigned seen = 0;

	while (at < end) {
		uint8_t option = w->packet[at];

		if (option == PAD1) {
			at++;
			continue;
		}
		if (end - at < 2 || w->packet[at + 1] > end - at - 2)
			return refuse(net, rx, PERCH_DROP_ip6_malformed);
		if (option != PADN) {
			if (++seen > MAX_OPTIONS)
				return refuse(net, rx, PERCH_DROP_ip6_too_many_headers);
			if (option == ROUTER_ALERT && w->next == IPPROTO_HOPOPTS)
				rx->router_alert = true; /* RFC 2711: for routers, and for MLD */
			else if (!unknown_option_ok(net, rx, option, at))
				return false;
		}
		at += 2 + w->packet[at + 1];
	}
	return true;
}

/* A router we are not: only an exhausted route may be ignored (section 4.4, RFC 5095). */
static bool routing_ok(struct perch_net *net, struct perch_rx *rx, const struct walk *w)
{
	if (w->packet[w->at + 3] == 0)
		return true;
	return refuse_loudly(
		net, rx, PERCH_DROP_ip6_routing, PERCH_ICMP6_BAD_FIELD, w->at + 2U);
}

/* RFC 7112, RFC 8200 section 4.5: the first piece holds all headers, so that whoever filters can
 * see what it is. Here: as far as the transport's ports. */
static bool holds_headers(const uint8_t *h, uint32_t len, uint8_t next)
{
	uint32_t at = 0;

	while (next == IPPROTO_DSTOPTS || next == IPPROTO_ROUTING) {
		if (at + 2 > len)
			return false;
		next = h[at];
		at += (h[at + 1] + 1U) * 8;
	}
	return at + (next == IPPROTO_TCP ? 20 : 8) <= len;
}

static void start_walk(struct walk *w, const struct perch_rx *rx)
{
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod(rx->m, const struct rte_ipv6_hdr *);

	*w = (struct walk){
		.packet = (const uint8_t *)ip,
		.len = rx->m->data_len,
		.at = sizeof(*ip),
		.named_at = offsetof(struct rte_ipv6_hdr, proto),
		.next = ip->proto,
	};
}

/* Section 4.5. A fragment header on a whole packet means nothing (RFC 6946). When the last piece
 * has come the walk starts again, along the headers of the whole. */
static bool gather(struct perch_net *net, struct perch_rx *rx, struct walk *w)
{
	const uint8_t *h = w->packet + w->at;
	uint16_t field = (uint16_t)(h[2] << 8 | h[3]);
	struct perch_frag f = {
		.at = field & 0xfff8,
		.data_off = w->at + FRAGMENT_BYTES,
		.len = (uint32_t)w->len - w->at - FRAGMENT_BYTES,
		.proto = h[0],
		.more = field & 1,
	};

	memcpy(&f.id, h + 4, sizeof(f.id));
	if (f.more && f.len % 8 != 0)
		return refuse_loudly(net, rx, PERCH_DROP_frag_malformed, PERCH_ICMP6_BAD_FIELD,
			offsetof(struct rte_ipv6_hdr, payload_len));
	if (f.at + f.len > UINT16_MAX)
		return refuse_loudly(net, rx, PERCH_DROP_frag_malformed, PERCH_ICMP6_BAD_FIELD,
			w->at + 2U);
	if (f.at == 0 && !holds_headers(h + FRAGMENT_BYTES, f.len, f.proto))
		return refuse_loudly(net, rx, PERCH_DROP_frag_malformed,
			PERCH_ICMP6_INCOMPLETE_CHAIN, 0);
	if (f.len == 0)
		return refuse(net, rx, PERCH_DROP_frag_malformed);
	if (!perch_frag_input(net, rx, &f))
		return false;
	start_walk(w, rx);
	if (w->next == IPPROTO_FRAGMENT || w->next == IPPROTO_HOPOPTS)
		return refuse(net, rx, PERCH_DROP_frag_malformed); /* neither is in fragments */
	return true;
}

static bool is_whole(const struct walk *w)
{
	return w->packet[w->at + 2] == 0 && (w->packet[w->at + 3] & 0xf9) == 0;
}

static bool extension_ok(
	struct perch_net *net, struct perch_rx *rx, const struct walk *w, uint16_t header_len)
{
	switch (w->next) {
	case IPPROTO_ROUTING: return routing_ok(net, rx, w);
	default: return options_ok(net, rx, w, header_len);
	}
}

/* Hop-by-hop options stand first or nowhere (section 4.1). */
static bool is_extension(const struct walk *w)
{
	return w->next == IPPROTO_ROUTING || w->next == IPPROTO_FRAGMENT ||
		w->next == IPPROTO_DSTOPTS ||
		(w->next == IPPROTO_HOPOPTS && w->at == sizeof(struct rte_ipv6_hdr));
}

static bool walk_extensions(struct perch_net *net, struct perch_rx *rx, struct walk *w)
{
	unsigned n = 0, header_len;

	for (; is_extension(w); w->at += header_len) {
		if (w->len - w->at < 8)
			return refuse(net, rx, PERCH_DROP_ip6_truncated);
		header_len = w->next == IPPROTO_FRAGMENT ? FRAGMENT_BYTES
		                                         : (w->packet[w->at + 1] + 1U) * 8;
		if (header_len > (unsigned)w->len - w->at)
			return refuse(net, rx, PERCH_DROP_ip6_truncated);
		if (++n > MAX_EXTENSIONS || w->at + header_len > MAX_EXTENSION_BYTES)
			return refuse(net, rx, PERCH_DROP_ip6_too_many_headers);
		if (w->next == IPPROTO_FRAGMENT && !is_whole(w)) {
			if (!gather(net, rx, w))
				return false;
			header_len = 0;
			continue;
		}
		if (w->next != IPPROTO_FRAGMENT && !extension_ok(net, rx, w, header_len))
			return false;
		w->next = w->packet[w->at];
		w->named_at = w->at;
	}
	return true;
}

/* A v4-mapped address in an IPv6 header would be taken for IPv4 (RFC 4942 section 2.2). The
 * unspecified source belongs to duplicate address detection alone, and our own to an advertisement
 * of who else has it, as icmp.c and nd.c check. */
static bool source_ok(const struct perch_net *net, const struct perch_rx *rx)
{
	if (rx->src.d[0] == 0 && rx->src.d[1] == 0)
		return rx->proto == IPPROTO_ICMPV6 && rx->to_group;
	if (perch_ip_is_v4(&rx->src) || !perch_ip_is_host(net, &rx->src))
		return false;
	return !perch_ip_is_ours(net, &rx->src, NULL) ||
		(rx->proto == IPPROTO_ICMPV6 && rx->ttl == ND_HOP_LIMIT);
}

static bool is_our_group(const struct perch_net *net, struct perch_rx *rx)
{
	if (rx->dst.b[0] != 0xff)
		return false;
	/* All nodes (RFC 4291 section 2.7.1) of scope 1 or 2. */
	if ((rx->dst.w[0] == RTE_BE32(0xff010000) || rx->dst.w[0] == RTE_BE32(0xff020000)) &&
		rx->dst.w[1] == 0 && rx->dst.d[1] == RTE_BE64(1))
		return true;
	rx->group = perch_mcast_find(net, rx->ifidx, &rx->dst);
	return rx->group || perch_nd_is_our_group(net, rx->ifidx, &rx->dst);
}

static bool destination_ok(struct perch_net *net, struct perch_rx *rx)
{
	bool framed_to_group = rx->to_group;

	if (likely(!perch_ip_is_v4(&rx->dst) && perch_ip_is_ours(net, &rx->dst, NULL))) {
		if (unlikely(framed_to_group))
			return refuse(net, rx, PERCH_DROP_ip6_group_frame);
		return true;
	}
	rx->to_group = true;
	if (!is_our_group(net, rx))
		return refuse(net, rx, PERCH_DROP_ip6_not_ours);
	return true;
}

static bool header_ok(struct perch_net *net, struct perch_rx *rx)
{
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod(rx->m, const struct rte_ipv6_hdr *);
	uint32_t len;

	if (unlikely(rx->m->data_len < sizeof(*ip)))
		return refuse(net, rx, PERCH_DROP_ip6_truncated);
	if (unlikely(rte_be_to_cpu_32(ip->vtc_flow) >> 28 != 6))
		return refuse(net, rx, PERCH_DROP_ip6_malformed);
	len = sizeof(*ip) + rte_be_to_cpu_16(ip->payload_len);
	if (unlikely(len > rx->m->data_len))
		return refuse(net, rx, PERCH_DROP_ip6_truncated);
	rte_pktmbuf_trim(rx->m, (uint16_t)(rx->m->data_len - len)); /* Ethernet's padding */
	rx->src = perch_ip_from_v6(ip->src_addr);
	rx->dst = perch_ip_from_v6(ip->dst_addr);
	rx->proto = ip->proto;
	rx->ttl = ip->hop_limits;
	rx->tos = (uint8_t)(rte_be_to_cpu_32(ip->vtc_flow) >> 20);
	return true;
}

bool perch_ip6_parse(struct perch_net *net, struct perch_rx *rx)
{
	struct walk w;

	if (!header_ok(net, rx) || !destination_ok(net, rx))
		return false;
	if (unlikely(!source_ok(net, rx)))
		return refuse(net, rx, PERCH_DROP_ip6_bad_source);
	start_walk(&w, rx);
	if (!walk_extensions(net, rx, &w))
		return false;
	if (unlikely(w.next == IPPROTO_NONE))
		return refuse(net, rx, PERCH_DROP_ip6_header_unknown);
	if (unlikely(w.next != IPPROTO_TCP && w.next != IPPROTO_UDP && w.next != IPPROTO_ICMPV6))
		return refuse_loudly(net, rx, PERCH_DROP_ip6_header_unknown,
			PERCH_ICMP6_BAD_HEADER, w.named_at);
	if (unlikely(w.next == IPPROTO_TCP && rx->borrowed))
		return refuse(net, rx, PERCH_DROP_frag_too_big); /* TCP would keep the buffer */
	rx->proto = w.next;
	rx->l3_len = w.at;
	rte_pktmbuf_adj(rx->m, w.at);
	return true;
}
