/* SPDX-License-Identifier: BSD-3-Clause
 * What mcast.c (who wants what) and mcast_report.c (what routers are told) share.
 */
#ifndef PERCH_TCP_LITE_MCAST_INSIDE_H
#define PERCH_TCP_LITE_MCAST_INSIDE_H

#include "tcp-lite/mcast.h"

enum { PERCH_MCAST_NONE = 0xffff }; /* no slot */

struct perch_mcast_member {
	struct perch_udp *u;    /* NULL: reported and received, delivered to nobody here */
	struct perch_ip source; /* :: any */
	uint16_t group;         /* PERCH_MCAST_NONE: free */
	uint16_t next;          /* of the group, or of the free ones */
};

struct perch_mcast_source {
	struct perch_ip ip;
	uint16_t refs; /* members that want it; 0: only to be told of once more */
	uint16_t next;
	uint8_t left;  /* reports of its coming or going that are still to be sent */
	bool asked;    /* by a query that waits for its answer */
};

struct perch_mcast { /* the reception state of one group on one interface */
	struct perch_ip ip;
	int64_t change_ns; /* when a report of a change is due, or NEVER */
	int64_t answer_ns; /* when an answer to a query about this group is due, or NEVER */
	uint8_t ifidx;
	bool is_told;      /* routers want to know of it: not so for all hosts and all nodes */
	bool asked_all;    /* the query was about all its sources */
	bool is_last;      /* RFC 2236 section 3: we were the last to report it */
	uint8_t mode_left; /* reports of a changed filter mode that are still to be sent */
	uint16_t n_members, n_any; /* n_members 0: gone, but not all has been told */
	uint16_t n_sockets;        /* members that are sockets here */
	uint16_t members, sources, hash_next; /* slots */
};

struct perch_mcast_querier { /* of one interface and family */
	int64_t older_until_ns[2]; /* a querier of version 1, of version 2 was heard: until then */
	int64_t answer_ns;         /* when an answer to a general query is due, or NEVER */
	int64_t interval_ns;
	uint8_t robustness;
	uint8_t version; /* that we speak: RFC 3376 section 7.2.1 */
};

struct perch_mcast_table {
	int64_t next_ns;
	uint32_t n_groups, n_members, n_sources; /* slots of each */
	uint32_t bucket_mask, mac_mask;
	uint16_t free_groups, free_members, free_sources;
	bool too_many_macs; /* more addresses of ours than groups could be reserved for */
	struct perch_mcast *groups; /* free: ip is :: */
	struct perch_mcast_member *members;
	struct perch_mcast_source *sources;
	uint64_t *macs; /* open addressing; 0: free */
	uint16_t *buckets;
	struct perch_mcast_querier queriers[PERCH_NET_IFS][2]; /* IPv4 first */
};

static inline struct perch_mcast_querier *perch_mcast_querier(
	struct perch_net *net, unsigned ifidx, bool v4)
{
	return &net->groups->queriers[ifidx][!v4];
}

/* What changes in a group's state: before and after it, for perch_mcast_report_change. */
struct perch_mcast_change {
	bool was_joined, was_any;
	struct perch_mcast_source *source; /* that came or went, or NULL */
};
void perch_mcast_report_change(
	struct perch_net *net, struct perch_mcast *g, const struct perch_mcast_change *change);

/* Free the sources and the group that nobody wants and of which all has been told. */
void perch_mcast_sweep(struct perch_net *net, struct perch_mcast *g);

/* Send an old-style message about one group (igmp.c, mld.c); version as in perch_mcast_query. */
void perch_igmp_send_old(
	struct perch_net *net, unsigned ifidx, const struct perch_ip *group, uint8_t version,
	bool leave);
void perch_mld_send_old(
	struct perch_net *net, unsigned ifidx, const struct perch_ip *group, bool leave);

#endif
