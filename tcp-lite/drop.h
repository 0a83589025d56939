/* SPDX-License-Identifier: BSD-3-Clause
 * Every reason for which perch lets go of a packet or refuses a request, each with the name that
 * users see and one sentence for them. Counted where it happens, in the lcore's own array.
 * Add a reason here, and it is shown everywhere.
 */
#ifndef PERCH_TCP_LITE_DROP_H
#define PERCH_TCP_LITE_DROP_H

#include <stdint.h>

/* clang-format off */
#define PERCH_DROPS(X) \
	/* Ethernet */ \
	X(eth_truncated,        "frame shorter than its Ethernet header") \
	X(eth_not_ours,         "unicast frame for another MAC address") \
	X(eth_not_joined,       "frame for a group MAC address that nobody has joined") \
	X(eth_bad_source,       "source MAC address is a group address or our own") \
	X(eth_too_long,         "frame in several pieces that do not fit one packet buffer") \
	X(eth_type_unknown,     "EtherType that perch does not speak") \
	X(eth_vlan,             "frame of another VLAN, or tagged twice") \
	/* ARP (RFC 826, RFC 5227) */ \
	X(arp_truncated,        "ARP packet shorter than 28 bytes") \
	X(arp_malformed,        "ARP hardware, protocol, lengths or operation not Ethernet/IPv4") \
	X(arp_not_ours,         "ARP request for another host, or an answer that was not asked for") \
	X(arp_conflict,         "ARP from another host that claims our address") \
	/* neighbour cache */ \
	X(neigh_queue_full,     "packet waiting for a MAC address pushed out by newer ones") \
	X(neigh_unreachable,    "the next hop did not answer ARP or NDP") \
	X(neigh_table_full,     "no room in the neighbour cache") \
	X(neigh_not_on_link,    "neighbour message from an address outside our prefixes") \
	/* IPv4 (RFC 791, RFC 1122) */ \
	X(ip4_truncated,        "IPv4 packet shorter than its header or total length") \
	X(ip4_malformed,        "IPv4 version, header length or total length is wrong") \
	X(ip4_bad_checksum,     "IPv4 header checksum is wrong") \
	X(ip4_bad_source,       "IPv4 source is a broadcast, multicast, loopback or our own address") \
	X(ip4_not_ours,         "IPv4 destination is not an address of ours") \
	X(ip4_group_frame,      "IPv4 unicast packet in a broadcast or multicast frame") \
	X(ip4_options,          "IPv4 source-route option (RFC 7126)") \
	X(ip4_proto_unknown,    "IPv4 protocol that perch does not speak") \
	/* IPv6 (RFC 8200) */ \
	X(ip6_truncated,        "IPv6 packet shorter than its header or payload length") \
	X(ip6_malformed,        "IPv6 version or an extension header is wrong") \
	X(ip6_bad_source,       "IPv6 source is multicast, loopback, v4-mapped or our own address") \
	X(ip6_not_ours,         "IPv6 destination is not an address of ours") \
	X(ip6_group_frame,      "IPv6 unicast packet in a multicast frame") \
	X(ip6_option,           "IPv6 option that asks for the packet to be dropped") \
	X(ip6_routing,          "IPv6 routing header with segments left (RFC 5095)") \
	X(ip6_too_many_headers, "IPv6 extension headers beyond the limit") \
	X(ip6_header_unknown,   "IPv6 next header that perch does not speak") \
	/* fragments (RFC 791, RFC 5722, RFC 8200) */ \
	X(frag_malformed,       "fragment that is empty, of odd length, or lacks headers") \
	X(frag_overlap,         "fragment that overlaps, or comes after one that does") \
	X(frag_duplicate,       "fragment that has come already") \
	X(frag_too_big,         "fragment beyond 64 KB, or of a TCP segment beyond 2 KB") \
	X(frag_timeout,         "datagram of which a fragment did not come in 60 s") \
	X(frag_table_full,      "fragments of too many datagrams at once, or of one source") \
	/* NDP (RFC 4861) */ \
	X(nd_malformed,         "NDP message that fails the checks of RFC 4861 sections 6.1 and 7.1") \
	X(nd_not_ours,          "NDP solicitation for another host, or advertisement not asked for") \
	X(nd_conflict,          "NDP from another host that claims our address") \
	X(nd_router_ignored,    "router advertisement or redirect: routes are configured") \
	/* ICMP, ICMPv6 */ \
	X(icmp_truncated,       "ICMP message shorter than its header") \
	X(icmp_bad_checksum,    "ICMP or ICMPv6 checksum is wrong") \
	X(icmp_echo_to_group,   "ping of a broadcast or multicast address") \
	X(icmp_type_unknown,    "ICMP type that perch does not act on") \
	X(icmp_redirect,        "ICMP redirect: routes are configured") \
	X(icmp_rate_limited,    "ICMP answer withheld by the rate limit") \
	X(icmp_no_flow,         "ICMP error that quotes no flow of ours") \
	/* multicast (RFC 3376, RFC 3810) */ \
	X(igmp_truncated,       "IGMP message shorter than 8 bytes") \
	X(igmp_bad_checksum,    "IGMP checksum is wrong") \
	X(igmp_malformed,       "IGMP query or report that contradicts itself") \
	X(igmp_type_unknown,    "IGMP type that perch does not act on") \
	X(mld_malformed,        "MLD message that contradicts itself, or not from this link") \
	X(group_table_full,     "join refused: all memberships that were reserved are in use") \
	/* UDP (RFC 768) */ \
	X(udp_truncated,        "UDP datagram shorter than its header or length field") \
	X(udp_bad_checksum,     "UDP checksum is wrong, or zero over IPv6") \
	X(udp_no_port,          "UDP datagram for a port that nobody has bound") \
	X(udp_no_member,        "multicast datagram that no socket has joined") \
	X(udp_queue_full,       "UDP socket's receive queue is full") \
	X(udp_unread,           "UDP datagram that lay unread when its socket was unbound") \
	/* TCP (RFC 9293) */ \
	X(tcp_truncated,        "TCP segment shorter than its header") \
	X(tcp_malformed,        "TCP data offset, port zero, or flags that exclude each other") \
	X(tcp_bad_checksum,     "TCP checksum is wrong") \
	X(tcp_not_unicast,      "TCP segment to or from a broadcast or multicast address") \
	X(tcp_no_flow,          "TCP segment for no connection and no listener (answered by RST)") \
	X(tcp_out_of_window,    "TCP segment outside the receive window") \
	X(tcp_bad_ack,          "TCP segment whose ACK is unacceptable (RFC 5961)") \
	X(tcp_no_ack,           "TCP segment without ACK where one is required") \
	X(tcp_bad_rst,          "TCP RST whose sequence number is not acceptable (RFC 5961)") \
	X(tcp_bad_syn,          "TCP SYN inside a synchronised connection (RFC 5961)") \
	X(tcp_paws,             "TCP segment older than the last timestamp (RFC 7323 PAWS)") \
	X(tcp_duplicate,        "TCP segment that holds nothing new") \
	X(tcp_after_close,      "TCP data for a connection that its owner has closed") \
	X(tcp_no_share,         "TCP segment beyond its connection's share of packet buffers") \
	X(tcp_reassembly_full,  "out-of-order TCP segment beyond the reassembly limit") \
	X(tcp_backlog_full,     "SYN refused: backlog full, and no packet buffer for a cookie") \
	X(tcp_flow_table_full,  "connection refused: all flows that were reserved are in use") \
	X(tcp_timewait_reused,  "TIME_WAIT cut short to make room (oldest first)") \
	X(tcp_challenge_limited, "challenge ACK withheld by the rate limit (RFC 5961 section 10)") \
	/* memory and the way out */ \
	X(mbuf_exhausted,       "no packet buffer left in the lcore's pool") \
	X(tx_queue_full,        "answer not sent: the turn's transmit list was full") \
	X(tx_port_full,         "packet not sent: the port's transmit ring stayed full") \
	X(no_route,             "no address or gateway of ours reaches that destination") \
	X(no_headroom,          "packet without room in front for its headers") \
	X(too_big,              "datagram larger than the MTU") \
	X(tx_stopped,           "packet not sent: the kill switch is on") \
	/* the engine */ \
	X(co_exhausted,         "connection refused: no coroutine left for its handler")
/* clang-format on */

enum perch_drop {
#define X(name, text) PERCH_DROP_##name,
	PERCH_DROPS(X)
#undef X
		PERCH_DROP_COUNT
};

struct perch_drop_text {
	const char *name, *text;
};

/* PERCH_DROP_COUNT entries, in the order of the enum. */
extern const struct perch_drop_text perch_drop_texts[];

#endif
