/* SPDX-License-Identifier: BSD-3-Clause
 * Ethernet II, both ways. For the files of this folder.
 */
#ifndef PERCH_TCP_LITE_ETHER_H
#define PERCH_TCP_LITE_ETHER_H

#include "tcp-lite/net.h"

/* rx->m is a frame from interface rx->ifidx: check it and everything above it, up to the transport
 * header. False when it was dropped, by name. */
bool perch_ether_parse(struct perch_net *net, struct perch_rx *rx);

/* What perch_ether_send puts before a packet. */
static inline uint8_t perch_ether_len(const struct perch_net *net, unsigned ifidx)
{
	return sizeof(struct rte_ether_hdr) +
		(net->cfg.ifs[ifidx].vlan ? sizeof(struct rte_vlan_hdr) : 0);
}

/* Put an Ethernet header before m and m into net->tx. Consumes m. Returns 0 or -ENOBUFS. */
int perch_ether_send(struct perch_net *net, unsigned ifidx, struct rte_mbuf *m,
	const struct rte_ether_addr *to, uint16_t type);

/* The MAC address of a group: RFC 1112 section 6.4, RFC 2464 section 7, or broadcast. */
void perch_ether_group(const struct perch_ip *group, struct rte_ether_addr *mac);

#endif
