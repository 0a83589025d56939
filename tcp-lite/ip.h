/* SPDX-License-Identifier: BSD-3-Clause
 * The way out and the questions of layer 3: routes, source addresses, the IP and Ethernet headers,
 * and checksums. IPv4 (RFC 791, 1122) and IPv6 (RFC 8200).
 */
#ifndef PERCH_TCP_LITE_IP_H
#define PERCH_TCP_LITE_IP_H

#include "tcp-lite/net.h"

/* Room to leave before a transport header: Ethernet + IPv6. */
#define PERCH_IP_HEADROOM (14 + 40)

/* Which interface, next hop and source address reach dst. src may be NULL.
 * Returns 0 or -ENETUNREACH. */
int perch_ip_route(const struct perch_net *net, const struct perch_ip *dst, unsigned *ifidx,
	struct perch_ip *next_hop, struct perch_ip *src);

/* Is this a unicast address of the net? ifidx may be NULL. */
bool perch_ip_is_ours(const struct perch_net *net, const struct perch_ip *ip, unsigned *ifidx);

/* The largest IP packet towards dst, in bytes (interface MTU; path MTU where known). 0: no route */
uint16_t perch_ip_mtu(const struct perch_net *net, const struct perch_ip *dst);

/* Send m, whose data is a complete transport header and payload with a zero checksum field, from
 * src to dst: checksum or offload, IP header, Ethernet header, into net->tx, or to wait for the
 * next hop's MAC address. `path` caches the next hop between calls; NULL is fine. Consumes one
 * reference of m in every case. Returns 0, -ENETUNREACH, -EHOSTUNREACH, -EMSGSIZE or -ENOBUFS, all
 * counted by name. What is longer than the path takes goes in fragments, unless it is TCP's. proto
 * is IPPROTO_TCP, _UDP, _ICMP or _ICMPV6; hop_limit 0 = 64. */
int perch_ip_send(struct perch_net *net, struct rte_mbuf *m, const struct perch_ip *src,
	const struct perch_ip *dst, uint8_t proto, uint8_t hop_limit, struct perch_path *path);

/* Is the transport checksum of rx right? Uses the NIC's verdict where there is one. */
bool perch_ip_transport_cksum_ok(const struct perch_rx *rx);
/* The same of a TCP segment; leaves its payload's sum beside the packet if it had to be made. */
bool perch_ip_tcp_cksum_ok(const struct perch_rx *rx, uint16_t header_len);

/* ---- inside the folder ---------------------------------------------------------------------- */

/* Is it a unicast address of that interface? */
bool perch_ip_is_on(const struct perch_net *net, unsigned ifidx, const struct perch_ip *ip);

/* Is ip within a prefix of that interface, so that it may be a neighbour? */
bool perch_ip_is_on_link(const struct perch_net *net, unsigned ifidx, const struct perch_ip *ip);

/* 255.255.255.255, or the all-ones or all-zeros host of an IPv4 prefix of ours. */
bool perch_ip_is_broadcast(const struct perch_net *net, const struct perch_ip *ip);

/* May ip be one host's address at all? Refuses multicast, broadcast, loopback and reserved ones. */
bool perch_ip_is_host(const struct perch_net *net, const struct perch_ip *ip);

/* The source address for packets to dst that leave through that interface. */
bool perch_ip_source(const struct perch_net *net, unsigned ifidx, const struct perch_ip *dst,
	struct perch_ip *src);

/* As perch_ip_send, for neighbour discovery: through that interface, to a neighbour or group. */
int perch_ip_send_nd(struct perch_net *net, unsigned ifidx, struct rte_mbuf *m,
	const struct perch_ip *src, const struct perch_ip *dst);

/* For IGMP and MLD: to a group on the link, hop limit 1, with the router alert option (RFC 2113,
 * RFC 2711) and the precedence of RFC 3376 section 4. Consumes m. */
int perch_ip_send_alert(struct perch_net *net, unsigned ifidx, struct rte_mbuf *m,
	const struct perch_ip *dst, uint8_t proto);

/* rx->m starts at the IP header: check it, fill rx and move m on to the transport header. False
 * when the packet was dropped, by name. */
bool perch_ip4_parse(struct perch_net *net, struct perch_rx *rx);
bool perch_ip6_parse(struct perch_net *net, struct perch_rx *rx);

#endif
