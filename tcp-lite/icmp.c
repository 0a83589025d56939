/* SPDX-License-Identifier: BSD-3-Clause
 * ICMP and ICMPv6 messages to us: pings answered, errors handed to the flow that they are about.
 */
#include <errno.h>
#include <netinet/in.h>

#include <rte_byteorder.h>

#include "tcp-lite/cksum.h"
#include "tcp-lite/icmp.h"
#include "tcp-lite/ip.h"
#include "tcp-lite/mld.h"
#include "tcp-lite/nd.h"

enum { FRAGMENTATION_NEEDED = 4 }; /* code of PERCH_ICMP_UNREACHABLE */

/* RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1. */
static int unreachable_errno(uint8_t code)
{
	switch (code) {
	case 0: case 6: case 11: return -ENETUNREACH;
	case 2: case 3: return -ECONNREFUSED;
	case FRAGMENTATION_NEEDED: return -EMSGSIZE;
	default: return -EHOSTUNREACH;
	}
}

/* RFC 4443 section 3.1. */
static int unreachable6_errno(uint8_t code)
{
	switch (code) {
	case 0: return -ENETUNREACH;
	case 4: return -ECONNREFUSED;
	default: return -EHOSTUNREACH;
	}
}

static void report(struct perch_net *net, struct perch_rx *rx, int err, uint32_t mtu)
{
	const uint8_t *quoted = rte_pktmbuf_mtod_offset(
		rx->m, const uint8_t *, sizeof(struct perch_icmp_header));
	uint32_t len = rx->m->data_len - sizeof(struct perch_icmp_header);
	uint8_t version = perch_ip_is_v4(&rx->src) ? 4 : 6;

	if (len > 0 && *quoted >> 4 == version && perch_icmp_report(net, quoted, len, err, mtu))
		rte_pktmbuf_free(rx->m);
	else
		perch_rx_drop(net, rx, PERCH_DROP_icmp_no_flow);
}

/* The request becomes its reply where it lies; only its type and checksum change. */
static void echo(struct perch_net *net, struct perch_rx *rx, uint8_t reply)
{
	struct perch_icmp_header *h = rte_pktmbuf_mtod(rx->m, struct perch_icmp_header *);

	if (rx->to_group) { /* RFC 1122 section 3.2.2.6 allows silence, which no smurf abuses */
		perch_rx_drop(net, rx, PERCH_DROP_icmp_echo_to_group);
		return;
	}
	if (!perch_rx_may_answer(rx)) {
		rte_pktmbuf_free(rx->m);
		return;
	}
	h->type = reply;
	h->cksum = 0;
	perch_ip_send(net, rx->m, &rx->dst, &rx->src, rx->proto, 0, NULL);
}

/* Our routes are the configuration's. RFC 1122 section 3.2.2.2 would follow redirects, forged ones
 * as well. */
static void input4(struct perch_net *net, struct perch_rx *rx, const struct perch_icmp_header *h)
{
	switch (h->type) {
	case PERCH_ICMP_UNREACHABLE: /* RFC 1191 section 4: the low half is the next hop's MTU */
		report(net, rx, unreachable_errno(h->code), rte_be_to_cpu_32(h->rest) & 0xffff);
		break;
	case PERCH_ICMP_TIME_EXCEEDED:
		report(net, rx, -EHOSTUNREACH, 0);
		break;
	case PERCH_ICMP_PARAMETER:
		report(net, rx, -EPROTO, 0);
		break;
	case PERCH_ICMP_REDIRECT:
		perch_rx_drop(net, rx, PERCH_DROP_icmp_redirect);
		break;
	default:
		perch_rx_drop(net, rx, PERCH_DROP_icmp_type_unknown);
	}
}

void perch_icmp_input(struct perch_net *net, struct perch_rx *rx)
{
	const struct perch_icmp_header *h =
		rte_pktmbuf_mtod(rx->m, const struct perch_icmp_header *);

	if (rx->m->data_len < sizeof(*h))
		perch_rx_drop(net, rx, PERCH_DROP_icmp_truncated);
	else if (perch_cksum_data(rx->m) != 0xffff)
		perch_rx_drop(net, rx, PERCH_DROP_icmp_bad_checksum);
	else if (h->type == PERCH_ICMP_ECHO && h->code == 0)
		echo(net, rx, PERCH_ICMP_ECHO_REPLY);
	else
		input4(net, rx, h);
}

static void input6(struct perch_net *net, struct perch_rx *rx, const struct perch_icmp_header *h)
{
	switch (h->type) {
	case PERCH_ND_SOLICIT:
	case PERCH_ND_ADVERT:
		perch_nd_input(net, rx);
		break;
	case PERCH_ND_ROUTER_ADVERT:
	case PERCH_ND_REDIRECT:
		perch_rx_drop(net, rx, PERCH_DROP_nd_router_ignored);
		break;
	case PERCH_MLD_QUERY:
	case PERCH_MLD_REPORT1:
	case PERCH_MLD_DONE1:
	case PERCH_MLD_REPORT2:
		perch_mld_input(net, rx);
		break;
	case PERCH_ICMP6_UNREACHABLE:
		report(net, rx, unreachable6_errno(h->code), 0);
		break;
	case PERCH_ICMP6_TOO_BIG:
		report(net, rx, -EMSGSIZE, rte_be_to_cpu_32(h->rest));
		break;
	case PERCH_ICMP6_TIME_EXCEEDED:
		report(net, rx, -EHOSTUNREACH, 0);
		break;
	case PERCH_ICMP6_PARAMETER:
		report(net, rx, -EPROTO, 0);
		break;
	default:
		perch_rx_drop(net, rx, PERCH_DROP_icmp_type_unknown);
	}
}

/* From nobody: only duplicate address detection asks so. From us: another host advertises an
 * address of ours. */
static bool source_ok(const struct perch_net *net, const struct perch_rx *rx, uint8_t type)
{
	if (unlikely(perch_ip_is_any(&rx->src)))
		return type == PERCH_ND_SOLICIT;
	return type == PERCH_ND_ADVERT || rx->ttl != 255 || !perch_ip_is_ours(net, &rx->src, NULL);
}

void perch_icmp6_input(struct perch_net *net, struct perch_rx *rx)
{
	const struct perch_icmp_header *h =
		rte_pktmbuf_mtod(rx->m, const struct perch_icmp_header *);

	if (rx->m->data_len < sizeof(*h))
		perch_rx_drop(net, rx, PERCH_DROP_icmp_truncated);
	else if (perch_cksum_transport(rx->m, &rx->src, &rx->dst, IPPROTO_ICMPV6) != 0)
		perch_rx_drop(net, rx, PERCH_DROP_icmp_bad_checksum);
	else if (!source_ok(net, rx, h->type))
		perch_rx_drop(net, rx, PERCH_DROP_ip6_bad_source);
	else if (h->type == PERCH_ICMP6_ECHO && h->code == 0)
		echo(net, rx, PERCH_ICMP6_ECHO_REPLY);
	else
		input6(net, rx, h);
}
