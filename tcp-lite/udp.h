/* SPDX-License-Identifier: BSD-3-Clause
 * UDP sockets of one lcore (RFC 768): a bound port with a bounded queue of datagrams.
 */
#ifndef PERCH_TCP_LITE_UDP_H
#define PERCH_TCP_LITE_UDP_H

#include "tcp-lite/net.h"

struct perch_udp { /* storage is the net's */
	struct perch_flow flow; /* lport 0: free slot */
	struct perch_ip laddr; /* :: means any address of ours, both families */
	struct perch_ip raddr; /* connected: the only peer */
	uint16_t rport;        /* 0: not connected */
	uint16_t queued, queue_max;
	int error;             /* connected: the last ICMP error, a negative errno not yet told */
	uint16_t n_groups;     /* memberships (mcast.h) */
	uint8_t group_hops;    /* hop limit of datagrams to groups; 0: 1 (RFC 1112 section 6.1) */
	struct perch_pktq rxq; /* m's data is the payload; perch_pkt(m)->udp says from and to */
};

/* Bind. lport 0 picks a free ephemeral port (RFC 6056). queue_max 0 = 1,024 datagrams.
 * laddr may be a group: then only what is sent to it is received, once it is joined, and several
 * sockets may share the port. Returns 0, -EADDRINUSE, -EADDRNOTAVAIL or -ENOBUFS (max_udp are
 * bound). */
int perch_udp_open(struct perch_net *net, const struct perch_ip *laddr, uint16_t lport,
	uint16_t queue_max, struct perch_udp **out);
/* Leave all groups, drop what is queued and free the slot. The flow leaves the ready list. */
void perch_udp_close(struct perch_net *net, struct perch_udp *u);

/* Take datagrams from raddr:rport only, and remember ICMP errors about those to it; rport 0 undoes
 * it. What others sent before stays queued. Returns 0, -EINVAL or -ENETUNREACH. */
int perch_udp_connect(struct perch_net *net, struct perch_udp *u, const struct perch_ip *raddr,
	uint16_t rport);

/* The oldest datagram, now the caller's, or NULL. */
struct rte_mbuf *perch_udp_take(struct perch_net *net, struct perch_udp *u);

/* Send one datagram of len bytes to dst:dport, from src (any, or a group: chosen by route). Copies
 * the data. Returns 0, -EMSGSIZE (over 65,535 with headers; over the path's MTU it
 * goes in fragments), -ENETUNREACH, -EHOSTUNREACH, -EADDRNOTAVAIL or
 * -ENOBUFS. */
int perch_udp_send(struct perch_net *net, struct perch_udp *u, const struct perch_ip *src,
	const struct perch_ip *dst, uint16_t dport, const void *data, size_t len);

/* ---- inside the folder */
size_t perch_udp_bytes(const struct perch_net_config *cfg);
void perch_udp_init(struct perch_net *net, void *mem);
void perch_udp_fini(struct perch_net *net);
void perch_udp_input(struct perch_net *net, struct perch_rx *rx);
struct perch_icmp_error;
/* An ICMP error quotes a datagram. False if no socket can have sent it. */
bool perch_udp_report(struct perch_net *net, const struct perch_icmp_error *e);

#endif
