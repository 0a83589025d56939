/* SPDX-License-Identifier: BSD-3-Clause
 * ICMP and ICMPv6 errors: sending them where the RFCs allow and the rate limit lets us, and
 * finding the flow that a received one quotes.
 */
#include <errno.h>
#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "tcp-lite/icmp.h"
#include "tcp-lite/ip.h"
#include "tcp-lite/pmtu.h"
#include "tcp-lite/tcp.h"
#include "tcp-lite/udp.h"

enum icmp_error_limits {
	QUOTE_MAX = 576 - 20 - 8,    /* RFC 1812 section 4.3.2.3 */
	QUOTE6_MAX = 1280 - 40 - 8,  /* RFC 4443 section 2.4 (c) */
	BURST = 50,                  /* errors at once, less a random few ... */
	BURST_NOISE = 8,             /* ... so that a stranger cannot count what others got */
	FRAGMENT_BYTES = 8,          /* IPv6's fragment header */
	QUOTED_PORTS = 8,            /* bytes of the transport header that every error quotes */
};

#define TOKEN_NS INT64_C(1000000) /* 1,000 errors a second */

struct perch_icmp {
	int64_t credit_ns; /* unused time, TOKEN_NS of it for each error */
	int64_t last_ns;
};

size_t perch_icmp_bytes(const struct perch_net_config *cfg)
{
	(void)cfg;
	return sizeof(struct perch_icmp);
}

void perch_icmp_init(struct perch_net *net, void *mem)
{
	net->icmp = mem;
	net->icmp->last_ns = net->now_ns;
	net->icmp->credit_ns = BURST * TOKEN_NS;
}

/* A token bucket (RFC 4443 section 2.4 (f)). Its size varies because a constant one is a side
 * channel: CVE-2020-25705. */
static bool rate_allows(struct perch_net *net)
{
	struct perch_icmp *b = net->icmp;
	int64_t full = TOKEN_NS * (BURST - perch_net_random(net) % BURST_NOISE);

	b->credit_ns += net->now_ns - b->last_ns;
	b->last_ns = net->now_ns;
	if (b->credit_ns > full)
		b->credit_ns = full;
	if (b->credit_ns < TOKEN_NS) {
		net->drops[PERCH_DROP_icmp_rate_limited]++;
		return false;
	}
	b->credit_ns -= TOKEN_NS;
	return true;
}

/* Does this IPv6 packet end in an ICMPv6 error? Those are never answered (RFC 4443 section 2.4
 * (e.1)); one that we cannot follow to its end counts as such. */
static bool is_icmp6_error(const uint8_t *packet, uint32_t len)
{
	uint32_t at = sizeof(struct rte_ipv6_hdr);
	uint8_t next = packet[offsetof(struct rte_ipv6_hdr, proto)];

	while (next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS || next == IPPROTO_ROUTING ||
		next == IPPROTO_FRAGMENT) {
		if (at + 8 > len)
			return true;
		uint32_t header_len = next == IPPROTO_FRAGMENT ? 8 : (packet[at + 1] + 1U) * 8;

		next = packet[at];
		at += header_len;
	}
	return next == IPPROTO_ICMPV6 && (at >= len || packet[at] < PERCH_ICMP6_ECHO);
}

void perch_icmp_send_error(
	struct perch_net *net, const struct perch_rx *rx, uint8_t type, uint8_t code, uint32_t rest)
{
	const uint8_t *packet = rte_pktmbuf_mtod(rx->m, const uint8_t *) - rx->l3_len;
	uint32_t len = rx->m->data_len + (uint32_t)rx->l3_len;
	bool v4 = perch_ip_is_v4(&rx->dst);
	struct perch_icmp_header *h;
	struct rte_mbuf *m;

	if (!perch_rx_may_answer(rx) || rx->to_group || perch_ip_is_any(&rx->src))
		return;
	if (!v4 && is_icmp6_error(packet, len))
		return;
	if (!rate_allows(net))
		return;
	m = perch_net_alloc(net);
	if (!m)
		return;
	h = (struct perch_icmp_header *)rte_pktmbuf_append(m, sizeof(*h));
	*h = (struct perch_icmp_header){.type = type, .code = code, .rest = rte_cpu_to_be_32(rest)};
	len = RTE_MIN(len, (uint32_t)(v4 ? QUOTE_MAX : QUOTE6_MAX));
	len = RTE_MIN(len, (uint32_t)rte_pktmbuf_tailroom(m));
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), packet, len);
	perch_ip_send(net, m, &rx->dst, &rx->src, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, 0, NULL);
}

/* What the quoted packet says of its flow: from us to them. `transport` gets its transport header,
 * of which QUOTED_PORTS bytes are there. Returns its protocol, or -1 if it is no packet of ours. */
static int read_quoted4(
	const uint8_t *p, uint32_t len, struct perch_icmp_error *e, const uint8_t **transport)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)p;
	uint32_t header_len;

	if (len < sizeof(*ip))
		return -1;
	header_len = rte_ipv4_hdr_len(ip);
	if (header_len < sizeof(*ip) || len < header_len + QUOTED_PORTS ||
		ip->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_OFFSET_MASK))
		return -1;
	e->laddr = perch_ip_from_v4(ip->src_addr);
	e->raddr = perch_ip_from_v4(ip->dst_addr);
	*transport = p + header_len;
	return ip->next_proto_id;
}

/* Of extension headers we send only the one of fragments, and the first fragment has the ports. */
static int read_quoted6(
	const uint8_t *p, uint32_t len, struct perch_icmp_error *e, const uint8_t **transport)
{
	const struct rte_ipv6_hdr *ip = (const struct rte_ipv6_hdr *)p;

	if (len < sizeof(*ip) + QUOTED_PORTS)
		return -1;
	e->laddr = perch_ip_from_v6(ip->src_addr);
	e->raddr = perch_ip_from_v6(ip->dst_addr);
	if (perch_ip_is_v4(&e->laddr) || perch_ip_is_v4(&e->raddr))
		return -1;
	*transport = p + sizeof(*ip);
	if (ip->proto != IPPROTO_FRAGMENT)
		return ip->proto;
	if (len < sizeof(*ip) + FRAGMENT_BYTES + QUOTED_PORTS || p[sizeof(*ip) + 2] != 0 ||
		p[sizeof(*ip) + 3] > 1)
		return -1;
	*transport += FRAGMENT_BYTES;
	return p[sizeof(*ip)];
}

/* True if a flow of ours had sent that: for TCP, with a sequence number that is in flight (RFC 5927
 * section 4); for UDP, from a port that is bound. */
static bool tell_flow(struct perch_net *net, uint8_t proto, const uint8_t *transport,
	struct perch_icmp_error *e)
{
	const struct rte_tcp_hdr *tcp = (const struct rte_tcp_hdr *)transport;

	e->lport = rte_be_to_cpu_16(tcp->src_port); /* UDP's ports lie at the same place */
	e->rport = rte_be_to_cpu_16(tcp->dst_port);
	e->seq = rte_be_to_cpu_32(tcp->sent_seq);
	if (proto == IPPROTO_UDP)
		return perch_udp_report(net, e);
	return perch_tcp_icmp_error(net, e);
}

bool perch_icmp_report(
	struct perch_net *net, const uint8_t *ip, uint32_t len, int err, uint32_t mtu)
{
	struct perch_icmp_error e = {.err = err, .mtu = mtu};
	const uint8_t *transport;
	int proto = -1;

	if (len > 0 && ip[0] >> 4 == 4)
		proto = read_quoted4(ip, len, &e, &transport);
	else if (len > 0 && ip[0] >> 4 == 6)
		proto = read_quoted6(ip, len, &e, &transport);
	if ((proto != IPPROTO_TCP && proto != IPPROTO_UDP) ||
		!perch_ip_is_ours(net, &e.laddr, NULL))
		return false;
	if (err == -EMSGSIZE && mtu == 0 && ip[0] >> 4 == 4)
		e.mtu = perch_pmtu_guess(
			rte_be_to_cpu_16(((const struct rte_ipv4_hdr *)ip)->total_length));
	if (!tell_flow(net, (uint8_t)proto, transport, &e))
		return false;
	if (err == -EMSGSIZE && e.mtu > 0)
		perch_pmtu_learn(net, &e.raddr, e.mtu);
	return true;
}
