/* SPDX-License-Identifier: BSD-3-Clause
 * The neighbour cache of both families: who has which MAC address, how sure we are of it
 * (RFC 4861 section 7.3.2), and the packets that wait to know. For the files of this folder.
 *
 * A packet that waits or is handed over here starts at its IP header.
 */
#ifndef PERCH_TCP_LITE_NEIGH_H
#define PERCH_TCP_LITE_NEIGH_H

#include "tcp-lite/net.h"

enum perch_neigh_limits {
	PERCH_NEIGH_WAIT = 16,     /* packets that wait for one MAC address */
	PERCH_NEIGH_MAX = 0xfffe,  /* entries: slots are 16 bits, the last one means none */
	PERCH_NEIGH_TRIES = 3,     /* MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT */
};

#define PERCH_NEIGH_RETRY_NS     INT64_C(1000000000)  /* RETRANS_TIMER */
#define PERCH_NEIGH_DELAY_NS     INT64_C(5000000000)  /* DELAY_FIRST_PROBE_TIME */
#define PERCH_NEIGH_REACHABLE_NS INT64_C(30000000000) /* REACHABLE_TIME */
#define PERCH_NEIGH_LOCK_NS      INT64_C(1000000000)  /* a fresh answer outlives rumours */

enum perch_neigh_state {
	PERCH_NEIGH_FREE,
	PERCH_NEIGH_INCOMPLETE, /* asked everybody; packets wait */
	PERCH_NEIGH_KNOWN,      /* RFC 4861's REACHABLE until known_until_ns, STALE after it */
	PERCH_NEIGH_DELAY,      /* used when stale: TCP has some seconds to confirm it */
	PERCH_NEIGH_PROBE,      /* nobody did: asked itself; packets go on */
};

enum perch_neigh_rank { /* who makes room first */
	PERCH_NEIGH_STRANGER, /* told us its MAC, but we never sent to it */
	PERCH_NEIGH_WANTED,   /* we want to send to it, but it has not answered */
	PERCH_NEIGH_FRIEND,   /* we have sent to it */
	PERCH_NEIGH_RANKS,
};

enum perch_neigh_list { /* an entry is on up to two lists */
	PERCH_NEIGH_BY_USE,   /* the one of its rank */
	PERCH_NEIGH_BY_RETRY, /* INCOMPLETE and PROBE, or DELAY: each waits equally long */
	PERCH_NEIGH_LISTS,
};

struct perch_neigh {
	struct perch_ip ip;
	int64_t known_until_ns;   /* KNOWN: reachable until then */
	int64_t confirmed_ns;     /* when it last answered a question of ours */
	int64_t retry_ns;         /* INCOMPLETE, DELAY, PROBE: when to ask again */
	struct rte_ether_addr mac;
	uint8_t state, ifidx;
	uint8_t tries;
	uint8_t n_wait;
	uint8_t rank;
	bool sure; /* it has answered from this MAC address; hearsay is asked about at once */
	uint16_t hash_next;
	struct {
		uint16_t prev, next; /* slots */
	} link[PERCH_NEIGH_LISTS];
	struct rte_mbuf *wait[PERCH_NEIGH_WAIT];
};

enum perch_neigh_news {
	PERCH_NEIGH_ANSWER = 1u << 0,   /* addressed to us; counts as an answer if we have asked */
	PERCH_NEIGH_OVERRIDE = 1u << 1, /* may replace another MAC address */
	PERCH_NEIGH_CREATE = 1u << 2,   /* the sender wants to talk to us: worth a new entry */
};

size_t perch_neigh_bytes(const struct perch_net_config *cfg);
void perch_neigh_init(struct perch_net *net, void *mem);
void perch_neigh_fini(struct perch_net *net);

struct perch_neigh *perch_neigh_find(
	struct perch_net *net, unsigned ifidx, const struct perch_ip *ip);
/* A new entry to send through; the least recently used one of the lowest rank makes room. Asks for
 * its MAC. */
struct perch_neigh *perch_neigh_add(
	struct perch_net *net, unsigned ifidx, const struct perch_ip *ip);

struct perch_path perch_neigh_path(const struct perch_net *net, const struct perch_neigh *n);
/* The entry that path remembers, or NULL when it may be another's now. */
struct perch_neigh *perch_neigh_recall(struct perch_net *net, const struct perch_path *path);

/* Send m to n, now or when its MAC is known. A stale n is asked whether it is still there if
 * may_probe. Consumes m. Returns 0 or -ENOBUFS. */
int perch_neigh_send(
	struct perch_net *net, struct perch_neigh *n, struct rte_mbuf *m, bool may_probe);
int perch_neigh_send_group(
	struct perch_net *net, unsigned ifidx, const struct perch_ip *group, struct rte_mbuf *m);

/* The MAC address at the end of path, for a packet that goes there now, if nothing else is to be
 * done: nobody waits for it and nobody doubts it. Else NULL. */
const struct rte_ether_addr *perch_neigh_ready(
	struct perch_net *net, const struct perch_path *path);

/* Data that went along path has arrived: its next hop is reachable (RFC 4861 section 7.3.1). */
void perch_neigh_confirm(struct perch_net *net, const struct perch_path *path);

/* `ip` says that its MAC address is mac (NULL: unchanged); news of enum perch_neigh_news.
 * False when there is no entry for it and none was made. */
bool perch_neigh_hear(struct perch_net *net, unsigned ifidx, const struct perch_ip *ip,
	const struct rte_ether_addr *mac, unsigned news);

void perch_neigh_tick(struct perch_net *net);
int64_t perch_neigh_next_tick(const struct perch_net *net);

/* Ask who has n->ip: everybody, or n itself at the MAC address that it had. In arp.c and nd.c. */
void perch_arp_solicit(struct perch_net *net, const struct perch_neigh *n);
void perch_nd_solicit(struct perch_net *net, const struct perch_neigh *n);

#endif
