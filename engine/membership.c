/* SPDX-License-Identifier: BSD-3-Clause
 * Joining and leaving multicast groups: the lcore's own net delivers, lcore 0's net speaks to
 * routers for all lcores, and the port lets the groups in.
 *
 * Rejected: each lcore reporting for itself. A switch that takes a leave at its word (immediate
 * leave is common where feeds are) would cut off the lcore that stays.
 */
#include "engine/membership.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/address.h"
#include "engine/lcore.h"
#include "tcp-lite/mcast.h"
#include "tcp-lite/udp.h"

enum { NIC_GROUPS = 1024, INTERFACE = 0 }; /* more groups than that: let all in */

int perch_groups_open(struct perch_shared_groups *s, uint32_t n)
{
	if (n == 0)
		return 0;
	s->entries = calloc(n, sizeof(*s->entries));
	s->n = s->entries ? n : 0;
	return s->entries ? 0 : -ENOMEM;
}

void perch_groups_close(struct perch_shared_groups *s)
{
	free(s->entries);
	pthread_mutex_destroy(&s->lock);
}

/* ---- lcores other than 0 ask ---------------------------------------------------------------- */

static struct perch_shared_group *find_shared(struct perch_shared_groups *s,
	const struct perch_ip *group, const struct perch_ip *source)
{
	struct perch_shared_group *free_one = NULL, *g;
	uint32_t i;

	for (i = 0; i < s->n; i++) {
		g = &s->entries[i];
		if (g->wanted == 0 && !g->joined)
			free_one = free_one ? free_one : g;
		else if (perch_ip_equal(&g->group, group) && perch_ip_equal(&g->source, source))
			return g;
	}
	return free_one;
}

/* With the lock. Returns false when there is no room. */
static bool enter(struct perch_shared_groups *s, const struct perch_share *share)
{
	struct perch_shared_group *g = find_shared(s, &share->group, &share->source);

	if (!g)
		return false;
	if (g->wanted == 0 && !g->joined)
		*g = (struct perch_shared_group){.group = share->group, .source = share->source};
	g->wanted = (uint32_t)((int)g->wanted + share->by);
	return true;
}

/* by +1 or -1. Returns 0 or -ENOBUFS. */
static int share(struct perch_lcore *l, const struct perch_ip *group,
	const struct perch_ip *source, int by)
{
	const struct perch_share what = {.group = *group, .source = *source, .by = by};
	struct perch_shared_groups *s = &l->engine->groups;
	int rc;

	if (l->id == 0)
		return 0;
	pthread_mutex_lock(&s->lock);
	if (unlikely(l->scripted))
		rc = perch_playback_share(l, &what);
	else
		rc = enter(s, &what) ? 0 : -ENOBUFS;
	if (rc == 0) {
		atomic_fetch_add_explicit(&s->gen, 1, memory_order_relaxed);
		if (unlikely(l->recorded))
			perch_record_share(l);
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* ---- lcore 0 does --------------------------------------------------------------------------- */

static void enter_late(struct perch *e, const struct perch_share *share)
{
	enter(&e->groups, share);
}

/* What lcore 0 cannot join for another, because its own table is full, is counted there and tried
 * again at the next change. */
static void follow_shared(struct perch_lcore *l)
{
	struct perch_shared_groups *s = &l->engine->groups;
	struct perch_shared_group *g;
	uint32_t i;

	pthread_mutex_lock(&s->lock);
	if (unlikely(l->scripted))
		perch_playback_groups(l, enter_late);
	if (unlikely(l->recorded))
		perch_record_groups(l);
	l->groups_seen = atomic_load_explicit(&s->gen, memory_order_relaxed);
	for (i = 0; i < s->n; i++) {
		g = &s->entries[i];
		if (g->wanted > 0 && !g->joined) {
			g->joined = perch_mcast_join(
				l->net, INTERFACE, NULL, &g->group, &g->source) == 0;
		} else if (g->wanted == 0 && g->joined) {
			perch_mcast_leave(l->net, INTERFACE, NULL, &g->group, &g->source);
			g->joined = false;
		}
	}
	pthread_mutex_unlock(&s->lock);
}

static void tell_port(struct perch_lcore *l)
{
	struct rte_ether_addr macs[NIC_GROUPS];
	uint32_t n = perch_mcast_socket_macs(l->net, macs, NIC_GROUPS);

	l->groups_told = l->net->group_gen;
	perch_port_steer_groups(l->port, l->id, macs, n);
	if (l->id != 0)
		return;
	n = perch_mcast_macs(l->net, macs, NIC_GROUPS);
	perch_port_filter_groups(l->port, macs, RTE_MIN(n, (uint32_t)NIC_GROUPS), n > NIC_GROUPS);
}

void perch_lcore_follow_groups(struct perch_lcore *l)
{
	const _Atomic uint32_t *gen = &l->engine->groups.gen;

	if (l->id == 0 && l->groups_seen != atomic_load_explicit(gen, memory_order_relaxed))
		follow_shared(l);
	if (l->groups_told != l->net->group_gen)
		tell_port(l);
}

/* ---- for coroutines ------------------------------------------------------------------------- */

static struct perch_ip source_of(const struct perch_addr *source)
{
	const struct perch_ip any = {.d = {0, 0}};

	return source ? perch_ip_of(source) : any;
}

int perch_join(
	struct perch_udp *u, const struct perch_addr *group, const struct perch_addr *source)
{
	struct perch_lcore *l = perch_lcore_self;
	struct perch_ip to = perch_ip_of(group), from = source_of(source);
	int rc = perch_mcast_join(l->net, INTERFACE, u, &to, &from);

	if (rc < 0)
		return rc;
	rc = share(l, &to, &from, 1);
	if (rc < 0)
		perch_mcast_leave(l->net, INTERFACE, u, &to, &from);
	return rc;
}

int perch_leave(
	struct perch_udp *u, const struct perch_addr *group, const struct perch_addr *source)
{
	struct perch_lcore *l = perch_lcore_self;
	struct perch_ip to = perch_ip_of(group), from = source_of(source);
	int rc = perch_mcast_leave(l->net, INTERFACE, u, &to, &from);

	return rc < 0 ? rc : share(l, &to, &from, -1);
}

void perch_group_leave_all(struct perch_udp *u)
{
	struct perch_lcore *l = perch_lcore_self;
	struct perch_ip to, from;

	while (perch_mcast_any_of(l->net, u, &to, &from)) {
		perch_mcast_leave(l->net, INTERFACE, u, &to, &from);
		share(l, &to, &from, -1);
	}
}

void perch_group_hops(struct perch_udp *u, uint8_t hops)
{
	u->group_hops = hops;
}
