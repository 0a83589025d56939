/* SPDX-License-Identifier: BSD-3-Clause
 * Ethernet II and 802.1Q, both ways: which frames are for us, and the header of those that we send.
 */
#include <errno.h>
#include <string.h>

#include <rte_byteorder.h>

#include "tcp-lite/ether.h"
#include "tcp-lite/ip.h"
#include "tcp-lite/mcast.h"

enum { VLAN_MASK = 0xfff }; /* the rest of a tag is priority */

/* Headers in a buffer of their own, as senders of memory that is not theirs make them, are put in
 * front of what follows. NULL: this is not such a frame. */
static struct rte_mbuf *in_front_of_next(struct rte_mbuf *m)
{
	struct rte_mbuf *rest = m->next;

	if (m->nb_segs != 2 || m->data_len > rest->data_len ||
		m->data_len > rte_pktmbuf_headroom(rest) || rte_mbuf_refcnt_read(m) != 1 ||
		rte_mbuf_refcnt_read(rest) != 1 || !RTE_MBUF_DIRECT(rest))
		return NULL;
	rest->pkt_len = rest->data_len;
	memcpy(rte_pktmbuf_prepend(rest, m->data_len), rte_pktmbuf_mtod(m, const void *),
		m->data_len);
	rest->ol_flags = m->ol_flags & ~(RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL);
	rest->vlan_tci = m->vlan_tci;
	rest->port = m->port;
	rte_pktmbuf_free_seg(m);
	return rest;
}

/* Everything above reads headers and payload in one piece, so a frame in several is made one. */
static struct rte_mbuf *in_one_piece(struct perch_net *net, struct rte_mbuf *m)
{
	uint32_t len = m->pkt_len;
	struct rte_mbuf *whole = in_front_of_next(m);

	if (whole)
		return whole;
	if (len - m->data_len <= rte_pktmbuf_tailroom(m) && rte_mbuf_refcnt_read(m) == 1 &&
		RTE_MBUF_DIRECT(m)) {
		rte_pktmbuf_linearize(m);
		return m;
	}
	whole = perch_net_alloc(net);
	if (!whole) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	if (len > rte_pktmbuf_tailroom(whole)) {
		perch_net_drop(net, PERCH_DROP_eth_too_long, m);
		rte_pktmbuf_free(whole);
		return NULL;
	}
	for (const struct rte_mbuf *seg = m; seg; seg = seg->next)
		memcpy(rte_pktmbuf_append(whole, seg->data_len),
			rte_pktmbuf_mtod(seg, const void *), seg->data_len);
	whole->ol_flags |= m->ol_flags &
		(RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_VLAN |
			RTE_MBUF_F_RX_VLAN_STRIPPED);
	whole->vlan_tci = m->vlan_tci;
	rte_pktmbuf_free(m);
	return whole;
}

static bool refuse(struct perch_net *net, struct perch_rx *rx, enum perch_drop why)
{
	perch_rx_drop(net, rx, why);
	return false;
}

static bool is_for_us(const struct rte_ether_hdr *eth, const struct perch_net_if *nif,
	struct perch_rx *rx)
{
	rx->to_group = rte_is_multicast_ether_addr(&eth->dst_addr); /* broadcast is one of them */
	return rx->to_group || rte_is_same_ether_addr(&eth->dst_addr, &nif->mac) || nif->any_mac;
}

struct tag {
	uint16_t vlan; /* 0: none, or only a priority */
	uint16_t len;  /* of the Ethernet header with the tag; more than the frame: cut off */
};

/* One tag, before the payload or already taken off by the NIC; *type becomes what is behind it. */
static struct tag untag(const struct rte_mbuf *m, uint16_t *type)
{
	struct tag tag = {.len = sizeof(struct rte_ether_hdr)};
	const struct rte_vlan_hdr *v;

	if (unlikely(m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)) {
		tag.vlan = m->vlan_tci & VLAN_MASK;
	} else if (unlikely(*type == RTE_ETHER_TYPE_VLAN)) {
		v = rte_pktmbuf_mtod_offset(m, const struct rte_vlan_hdr *, tag.len);
		tag.len += sizeof(*v);
		if (tag.len <= m->data_len) {
			tag.vlan = rte_be_to_cpu_16(v->vlan_tci) & VLAN_MASK;
			*type = rte_be_to_cpu_16(v->eth_proto);
		}
	}
	return tag;
}

bool perch_ether_parse(struct perch_net *net, struct perch_rx *rx)
{
	const struct perch_net_if *nif = &net->cfg.ifs[rx->ifidx];
	const struct rte_ether_hdr *eth;
	struct tag tag;
	uint16_t type;

	if (unlikely(rx->m->nb_segs > 1)) {
		rx->m = in_one_piece(net, rx->m);
		if (!rx->m)
			return false;
	}
	if (unlikely(rx->m->data_len < sizeof(*eth)))
		return refuse(net, rx, PERCH_DROP_eth_truncated);
	eth = rte_pktmbuf_mtod(rx->m, const struct rte_ether_hdr *);
	if (unlikely(!is_for_us(eth, nif, rx)))
		return refuse(net, rx, PERCH_DROP_eth_not_ours);
	if (unlikely(rx->to_group && !perch_mcast_wants_mac(net, &eth->dst_addr)))
		return refuse(net, rx, PERCH_DROP_eth_not_joined);
	if (unlikely(rte_is_multicast_ether_addr(&eth->src_addr) ||
		    rte_is_same_ether_addr(&eth->src_addr, &nif->mac)))
		return refuse(net, rx, PERCH_DROP_eth_bad_source);
	type = rte_be_to_cpu_16(eth->ether_type);
	tag = untag(rx->m, &type);
	if (unlikely(tag.len > rx->m->data_len))
		return refuse(net, rx, PERCH_DROP_eth_truncated);
	if (unlikely(tag.vlan != net->cfg.ifs[rx->ifidx].vlan))
		return refuse(net, rx, PERCH_DROP_eth_vlan);

	rte_pktmbuf_adj(rx->m, tag.len);
	switch (type) {
	case RTE_ETHER_TYPE_IPV4: return perch_ip4_parse(net, rx);
	case RTE_ETHER_TYPE_IPV6: return perch_ip6_parse(net, rx);
	case RTE_ETHER_TYPE_ARP: rx->is_arp = true; return true;
	case RTE_ETHER_TYPE_VLAN:
	case RTE_ETHER_TYPE_QINQ: return refuse(net, rx, PERCH_DROP_eth_vlan);
	default: return refuse(net, rx, PERCH_DROP_eth_type_unknown);
	}
}

int perch_ether_send(struct perch_net *net, unsigned ifidx, struct rte_mbuf *m,
	const struct rte_ether_addr *to, uint16_t type)
{
	struct rte_ether_hdr *eth;
	struct rte_vlan_hdr *v;

	if (unlikely(net->n_tx == PERCH_NET_TX)) {
		perch_net_drop(net, PERCH_DROP_tx_queue_full, m);
		return -ENOBUFS;
	}
	eth = (struct rte_ether_hdr *)rte_pktmbuf_prepend(m, perch_ether_len(net, ifidx));
	if (unlikely(!eth)) {
		perch_net_drop(net, PERCH_DROP_no_headroom, m);
		return -ENOBUFS;
	}
	if (net->cfg.ifs[ifidx].vlan) {
		v = (struct rte_vlan_hdr *)(eth + 1);
		v->vlan_tci = rte_cpu_to_be_16(net->cfg.ifs[ifidx].vlan);
		v->eth_proto = rte_cpu_to_be_16(type);
		type = RTE_ETHER_TYPE_VLAN;
	}
	eth->dst_addr = *to;
	eth->src_addr = net->cfg.ifs[ifidx].mac;
	eth->ether_type = rte_cpu_to_be_16(type);
	m->port = (uint16_t)ifidx;
	net->tx[net->n_tx++] = m;
	net->tx_packets++;
	net->tx_bytes += m->pkt_len;
	return 0;
}

void perch_ether_group(const struct perch_ip *group, struct rte_ether_addr *mac)
{
	if (!perch_ip_is_multicast(group)) {
		memset(mac->addr_bytes, 0xff, sizeof(mac->addr_bytes));
	} else if (perch_ip_is_v4(group)) {
		memcpy(mac->addr_bytes, (const uint8_t[]){0x01, 0x00, 0x5e}, 3);
		memcpy(mac->addr_bytes + 3, group->b + 13, 3);
		mac->addr_bytes[3] &= 0x7f; /* 23 bits of the address */
	} else {
		mac->addr_bytes[0] = mac->addr_bytes[1] = 0x33;
		memcpy(mac->addr_bytes + 2, group->b + 12, 4);
	}
}
