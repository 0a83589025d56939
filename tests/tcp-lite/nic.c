/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/tcp-lite/nic.h"

#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>

struct packet { /* gathered */
	uint8_t bytes[14 + 65535];
	uint32_t len, l2, l3, l4, segment;
	uint64_t flags;
};

static void complain(const char **wrong, bool if_so, const char *what)
{
	if (if_so && !*wrong)
		*wrong = what;
}

static void gather(struct packet *p, const struct rte_mbuf *m, const char **wrong)
{
	const struct rte_mbuf *piece;
	unsigned n = 0;

	p->len = 0;
	p->l2 = m->l2_len;
	p->l3 = m->l3_len;
	p->l4 = m->l4_len;
	p->segment = m->tso_segsz;
	p->flags = m->ol_flags;
	for (piece = m; piece; piece = piece->next, n++) {
		if (p->len + piece->data_len > sizeof(p->bytes)) {
			complain(wrong, true, "a packet is too long");
			break;
		}
		memcpy(p->bytes + p->len, rte_pktmbuf_mtod(piece, const void *), piece->data_len);
		p->len += piece->data_len;
	}
	complain(wrong, n != m->nb_segs, "nb_segs is not the number of pieces");
	complain(wrong, p->len != m->pkt_len, "pkt_len is not the sum of data_len");
}

static uint16_t pseudo_sum(const void *ip, uint64_t flags)
{
	return flags & RTE_MBUF_F_TX_IPV4 ? rte_ipv4_phdr_cksum(ip, flags)
	                                  : rte_ipv6_phdr_cksum(ip, flags);
}

/* The checksums of a frame that begins with p's headers: those that are asked for, or all if it was
 * cut out of a longer one. */
static void sum(const struct packet *p, uint8_t *frame)
{
	struct rte_ipv4_hdr *ip4 = (struct rte_ipv4_hdr *)(frame + p->l2);
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(frame + p->l2 + p->l3);
	uint64_t l4 = p->flags & RTE_MBUF_F_TX_L4_MASK;

	if (p->flags & RTE_MBUF_F_TX_IPV4 &&
		p->flags & (RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_SEG)) {
		ip4->hdr_checksum = 0;
		ip4->hdr_checksum = rte_ipv4_cksum(ip4);
	}
	if (l4 != RTE_MBUF_F_TX_TCP_CKSUM && !(p->flags & RTE_MBUF_F_TX_TCP_SEG))
		return;
	tcp->cksum = 0;
	tcp->cksum = p->flags & RTE_MBUF_F_TX_IPV4
		? rte_ipv4_udptcp_cksum(ip4, tcp)
		: rte_ipv6_udptcp_cksum((struct rte_ipv6_hdr *)ip4, tcp);
}

/* The headers of the segment that begins at byte `at` of the payload, n bytes long. */
static void head_segment(const struct packet *p, uint8_t *frame, uint32_t at, uint32_t n)
{
	struct rte_ipv4_hdr *ip4 = (struct rte_ipv4_hdr *)(frame + p->l2);
	struct rte_ipv6_hdr *ip6 = (struct rte_ipv6_hdr *)(frame + p->l2);
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(frame + p->l2 + p->l3);
	bool last = p->l2 + p->l3 + p->l4 + at + n == p->len;

	if (p->flags & RTE_MBUF_F_TX_IPV4) {
		ip4->total_length = rte_cpu_to_be_16((uint16_t)(p->l3 + p->l4 + n));
		ip4->packet_id = rte_cpu_to_be_16(
			(uint16_t)(rte_be_to_cpu_16(ip4->packet_id) + at / p->segment));
	} else {
		ip6->payload_len = rte_cpu_to_be_16((uint16_t)(p->l3 - sizeof(*ip6) + p->l4 + n));
	}
	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + at);
	if (!last)
		tcp->tcp_flags &= (uint8_t)~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
}

typedef void (*emitter)(void *arg, const uint8_t *frame, uint32_t bytes);

static void cut(const struct packet *p, emitter emit, void *arg)
{
	uint32_t head = p->l2 + p->l3 + p->l4, at, n;
	uint8_t frame[sizeof(p->bytes)];

	for (at = 0; head + at < p->len; at += n) {
		n = RTE_MIN(p->segment, p->len - head - at);
		memcpy(frame, p->bytes, head);
		memcpy(frame + head, p->bytes + head + at, n);
		head_segment(p, frame, at, n);
		sum(p, frame);
		emit(arg, frame, head + n);
	}
}

static uint32_t said_length(const struct packet *p)
{
	const struct rte_ipv4_hdr *ip4 = (const struct rte_ipv4_hdr *)(p->bytes + p->l2);
	const struct rte_ipv6_hdr *ip6 = (const struct rte_ipv6_hdr *)(p->bytes + p->l2);

	return p->flags & RTE_MBUF_F_TX_IPV4 ? rte_be_to_cpu_16(ip4->total_length)
	                                     : rte_be_to_cpu_16(ip6->payload_len) + p->l3;
}

static void inspect(const struct packet *p, const char **wrong)
{
	const uint64_t family = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6;
	const uint8_t *ip = p->bytes + p->l2;
	const struct rte_tcp_hdr *tcp = (const struct rte_tcp_hdr *)(ip + p->l3);
	bool seg = p->flags & RTE_MBUF_F_TX_TCP_SEG;

	if (!seg && (p->flags & RTE_MBUF_F_TX_L4_MASK) != RTE_MBUF_F_TX_TCP_CKSUM)
		return;
	complain(wrong, (p->flags & family) == 0 || (p->flags & family) == family,
		"the family of an offload is not said");
	complain(wrong, p->l2 < 14 || p->l3 < 20, "the headers of an offload are not measured");
	complain(wrong, tcp->cksum != pseudo_sum(ip, p->flags),
		"the pseudo-header is not in the checksum");
	if (!seg)
		return;
	complain(wrong, p->len - p->l2 != said_length(p), "the IP header says another length");
	complain(wrong, p->l4 != (tcp->data_off >> 4) * 4u, "l4_len is not the TCP header's");
	complain(wrong, p->segment == 0, "tso_segsz is zero");
	complain(wrong, p->len - p->l2 - p->l3 - p->l4 <= p->segment, "there is nothing to cut");
}

const char *nic_send(const struct rte_mbuf *m, emitter emit, void *arg)
{
	const char *wrong = NULL;
	struct packet p;

	gather(&p, m, &wrong);
	inspect(&p, &wrong);
	if (wrong)
		return wrong;
	if (p.flags & RTE_MBUF_F_TX_TCP_SEG) {
		cut(&p, emit, arg);
	} else {
		sum(&p, p.bytes);
		emit(arg, p.bytes, p.len);
	}
	return NULL;
}
