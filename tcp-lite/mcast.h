/* SPDX-License-Identifier: BSD-3-Clause
 * Multicast reception: which sockets want which groups and sources, which frames are let in for
 * them, and what the routers and switches on the link are told (IGMP and MLD, mcast_report.c).
 *
 * A membership is a socket, a group and a source (or any). Those of one group on one interface are
 * merged into one reception state, as RFC 3376 section 3.2 says: EXCLUDE{} if any of them takes
 * every source, else INCLUDE of their sources. Lists of sources to exclude are not supported.
 */
#ifndef PERCH_TCP_LITE_MCAST_H
#define PERCH_TCP_LITE_MCAST_H

#include "tcp-lite/net.h"

struct perch_udp;

/* Let u receive what source (:: any) sends to group through that interface. u NULL: receive and
 * report the group, but deliver to nobody here (another lcore does). Returns 0; -EINVAL: not a
 * group, or of a family that the interface does not speak, or a source that cannot be one, any
 * source of an SSM group (RFC 4604 section 2.2.1), or any and some sources on one socket;
 * -EADDRINUSE: joined already; -ENOBUFS: max_memberships are in use (counted). */
int perch_mcast_join(struct perch_net *net, unsigned ifidx, struct perch_udp *u,
	const struct perch_ip *group, const struct perch_ip *source);
/* Undo that. Returns 0 or -EADDRNOTAVAIL: u is not a member. */
int perch_mcast_leave(struct perch_net *net, unsigned ifidx, struct perch_udp *u,
	const struct perch_ip *group, const struct perch_ip *source);
/* Undo all joins of u. */
void perch_mcast_leave_all(struct perch_net *net, struct perch_udp *u);

/* Any membership of u. False: it has none. */
bool perch_mcast_any_of(const struct perch_net *net, const struct perch_udp *u,
	struct perch_ip *group, struct perch_ip *source);

/* The group MAC addresses that a NIC must let in: at most max are written, all are counted. More
 * than max, or UINT32_MAX, means all of them. They change when net->group_gen does. */
uint32_t perch_mcast_macs(
	const struct perch_net *net, struct rte_ether_addr *out, uint32_t max);
/* Those of groups that sockets have joined, perhaps some twice; never more than
 * max_memberships. */
uint32_t perch_mcast_socket_macs(
	const struct perch_net *net, struct rte_ether_addr *out, uint32_t max);

/* ---- inside the folder ---------------------------------------------------------------------- */

struct perch_mcast;

size_t perch_mcast_bytes(const struct perch_net_config *cfg);
/* Joins the solicited-node groups of our addresses (RFC 4861 section 7.2.1). */
void perch_mcast_init(struct perch_net *net, void *mem);

/* May a frame to this group MAC address be for us? */
bool perch_mcast_wants_mac(const struct perch_net *net, const struct rte_ether_addr *mac);

/* The state of a group that somebody here has joined, or NULL. */
const struct perch_mcast *perch_mcast_find(
	const struct perch_net *net, unsigned ifidx, const struct perch_ip *ip);

/* The sockets that take rx, a UDP datagram to rx->group for dport, one at a time: *at is 0 at
 * first. NULL: no more. */
struct perch_udp *perch_mcast_next_socket(
	const struct perch_net *net, const struct perch_rx *rx, uint16_t dport, uint16_t *at);

/* A query that was heard, in the terms of IGMP; MLD version 2 is counted as 3, version 1 as 2. */
struct perch_mcast_query {
	struct perch_ip group;  /* :: or 0.0.0.0: a general query */
	int64_t max_delay_ns;   /* to answer within */
	int64_t interval_ns;    /* QQI; 0: not said */
	unsigned ifidx;
	uint8_t version;        /* 1, 2, 3 */
	bool v4;
	uint8_t robustness;     /* QRV; 0: not said */
	uint16_t n_sources;
	const uint8_t *sources; /* of 4 or 16 bytes each */
};
void perch_mcast_hear_query(struct perch_net *net, const struct perch_mcast_query *q);
/* Another host has reported this group in an old version (RFC 2236 section 3). */
void perch_mcast_hear_report(struct perch_net *net, unsigned ifidx, const struct perch_ip *group);

void perch_mcast_tick(struct perch_net *net);
int64_t perch_mcast_next_tick(const struct perch_net *net);

#endif
