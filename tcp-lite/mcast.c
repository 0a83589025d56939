/* SPDX-License-Identifier: BSD-3-Clause
 * Memberships: joins and leaves of sockets, merged into the reception state of each group, and the
 * filters that let packets in for them. All in fixed memory.
 */
#include <errno.h>

#include <rte_jhash.h>

#include "tcp-lite/ether.h"
#include "tcp-lite/mcast_inside.h"
#include "tcp-lite/ip.h"
#include "tcp-lite/nd.h"
#include "tcp-lite/udp.h"

enum group_limits {
	SOLICITED_MAX = 64, /* addresses of a range whose solicited-node groups are joined */
	STANDARD_MACS = 2,  /* all hosts, all nodes */
	NONE = PERCH_MCAST_NONE,
};

/* ---- memory --------------------------------------------------------------------------------- */

/* Groups that our own addresses need. */
static uint32_t own_groups(const struct perch_net_config *cfg)
{
	uint32_t n = 0;
	unsigned i, k;

	for (i = 0; i < cfg->n_ifs; i++) {
		for (k = 0; k < cfg->ifs[i].n_addrs && k < PERCH_NET_ADDRS; k++)
			if (!perch_ip_is_v4(&cfg->ifs[i].addrs[k].ip))
				n += RTE_MIN(RTE_MAX(cfg->ifs[i].addrs[k].count, 1U),
					(uint32_t)SOLICITED_MAX);
		n++; /* the link-local address */
	}
	return n;
}

static uint32_t group_count(const struct perch_net_config *cfg)
{
	return cfg->max_memberships + own_groups(cfg);
}

static uint32_t bucket_count(const struct perch_net_config *cfg)
{
	return rte_align32pow2(group_count(cfg));
}

static uint32_t mac_count(const struct perch_net_config *cfg)
{
	return rte_align32pow2(2 * (group_count(cfg) + STANDARD_MACS));
}

/* A source that left is still told of while another one may come in its place. */
static uint32_t source_count(const struct perch_net_config *cfg)
{
	return 2 * cfg->max_memberships;
}

size_t perch_mcast_bytes(const struct perch_net_config *cfg)
{
	return sizeof(struct perch_mcast_table) + group_count(cfg) * (sizeof(struct perch_mcast) +
		sizeof(struct perch_mcast_member)) +
		source_count(cfg) * sizeof(struct perch_mcast_source) +
		mac_count(cfg) * sizeof(uint64_t) + bucket_count(cfg) * sizeof(uint16_t);
}

static void lay_out(struct perch_mcast_table *t, const struct perch_net_config *cfg)
{
	uint32_t i;

	t->n_groups = t->n_members = group_count(cfg);
	t->n_sources = source_count(cfg);
	t->bucket_mask = bucket_count(cfg) - 1;
	t->mac_mask = mac_count(cfg) - 1;
	t->groups = (struct perch_mcast *)(t + 1);
	t->members = (struct perch_mcast_member *)(t->groups + t->n_groups);
	t->sources = (struct perch_mcast_source *)(t->members + t->n_members);
	t->macs = (uint64_t *)(t->sources + t->n_sources);
	t->buckets = (uint16_t *)(t->macs + t->mac_mask + 1);
	for (i = 0; i <= t->bucket_mask; i++)
		t->buckets[i] = NONE;
	t->free_groups = t->free_members = t->free_sources = NONE;
	for (i = t->n_groups; i-- > 0; t->free_groups = (uint16_t)i)
		t->groups[i].hash_next = t->free_groups;
	for (i = t->n_members; i-- > 0; t->free_members = (uint16_t)i)
		t->members[i] = (struct perch_mcast_member){
			.group = NONE, .next = t->free_members};
	for (i = t->n_sources; i-- > 0; t->free_sources = (uint16_t)i)
		t->sources[i].next = t->free_sources;
}

/* ---- which frames --------------------------------------------------------------------------- */

static uint64_t mac_key(const struct rte_ether_addr *mac)
{
	uint64_t key = 0;

	memcpy(&key, mac->addr_bytes, sizeof(mac->addr_bytes));
	return key;
}

static uint64_t *mac_slot(const struct perch_mcast_table *t, uint64_t key)
{
	uint32_t at = (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & t->mac_mask;

	while (t->macs[at] != 0 && t->macs[at] != key)
		at = (at + 1) & t->mac_mask;
	return &t->macs[at];
}

static void want_mac(const struct perch_mcast_table *t, const struct perch_ip *group)
{
	struct rte_ether_addr mac;
	uint64_t key;

	perch_ether_group(group, &mac);
	key = mac_key(&mac);
	*mac_slot(t, key) = key;
}

/* Groups come and go rarely, so the set of their MAC addresses is made anew. */
static void refresh_macs(struct perch_net *net)
{
	const struct perch_ip all_hosts = perch_ip_from_v4(RTE_BE32(0xe0000001));
	const struct perch_ip all_nodes = {.b = {0xff, 0x02, [15] = 1}};
	struct perch_mcast_table *t = net->groups;
	uint32_t i;

	memset(t->macs, 0, (t->mac_mask + 1) * sizeof(t->macs[0]));
	want_mac(t, &all_hosts);
	want_mac(t, &all_nodes);
	for (i = 0; i < t->n_groups; i++)
		if (t->groups[i].n_members > 0)
			want_mac(t, &t->groups[i].ip);
	net->group_gen++;
}

bool perch_mcast_wants_mac(const struct perch_net *net, const struct rte_ether_addr *mac)
{
	const uint8_t *b = mac->addr_bytes;

	/* Broadcast; and every solicited-node group, for of a range not all are joined and the
	 * target address is looked at anyhow. */
	if ((b[0] == 0xff && rte_is_broadcast_ether_addr(mac)) ||
		(b[0] == 0x33 && b[1] == 0x33 && b[2] == 0xff))
		return true;
	return *mac_slot(net->groups, mac_key(mac)) != 0;
}

uint32_t perch_mcast_macs(
	const struct perch_net *net, struct rte_ether_addr *out, uint32_t max)
{
	const struct perch_mcast_table *t = net->groups;
	uint32_t i, n = 0;

	if (t->too_many_macs)
		return UINT32_MAX;
	for (i = 0; i <= t->mac_mask; i++) {
		if (t->macs[i] == 0)
			continue;
		if (n < max)
			memcpy(out[n].addr_bytes, &t->macs[i], sizeof(out[n].addr_bytes));
		n++;
	}
	return n;
}

uint32_t perch_mcast_socket_macs(
	const struct perch_net *net, struct rte_ether_addr *out, uint32_t max)
{
	const struct perch_mcast_table *t = net->groups;
	uint32_t i, n = 0;

	for (i = 0; i < t->n_groups && n < max; i++)
		if (t->groups[i].n_sockets > 0)
			perch_ether_group(&t->groups[i].ip, &out[n++]);
	return n;
}

/* ---- groups and their sources --------------------------------------------------------------- */

static uint16_t *bucket_of(
	const struct perch_mcast_table *t, unsigned ifidx, const struct perch_ip *ip)
{
	return &t->buckets[rte_jhash_32b(ip->w, 4, ifidx) & t->bucket_mask];
}

static struct perch_mcast *lookup(
	const struct perch_net *net, unsigned ifidx, const struct perch_ip *ip)
{
	const struct perch_mcast_table *t = net->groups;
	struct perch_mcast *g;
	uint16_t slot;

	for (slot = *bucket_of(t, ifidx, ip); slot != NONE; slot = g->hash_next) {
		g = &t->groups[slot];
		if (g->ifidx == ifidx && perch_ip_equal(&g->ip, ip))
			return g;
	}
	return NULL;
}

const struct perch_mcast *perch_mcast_find(
	const struct perch_net *net, unsigned ifidx, const struct perch_ip *ip)
{
	const struct perch_mcast *g = lookup(net, ifidx, ip);

	return g && g->n_members > 0 ? g : NULL;
}

/* RFC 3376 section 5: nothing is said of all hosts; RFC 3810 section 6: nor of all nodes, nor of
 * groups that do not leave the node. */
static bool is_told(const struct perch_ip *group)
{
	const struct perch_ip all_nodes = {.b = {0xff, 0x02, [15] = 1}};

	if (perch_ip_is_v4(group))
		return group->w[3] != RTE_BE32(0xe0000001);
	return (group->b[1] & 0xf) > 1 && !perch_ip_equal(group, &all_nodes);
}

static struct perch_mcast *add_group(
	struct perch_net *net, unsigned ifidx, const struct perch_ip *ip)
{
	struct perch_mcast_table *t = net->groups;
	uint16_t *bucket = bucket_of(t, ifidx, ip);
	struct perch_mcast *g;

	if (t->free_groups == NONE)
		return NULL;
	g = &t->groups[t->free_groups];
	t->free_groups = g->hash_next;
	*g = (struct perch_mcast){
		.ip = *ip,
		.ifidx = (uint8_t)ifidx,
		.is_told = is_told(ip) && !net->cfg.passive,
		.change_ns = PERCH_NET_NEVER,
		.answer_ns = PERCH_NET_NEVER,
		.members = NONE,
		.sources = NONE,
		.hash_next = *bucket,
	};
	*bucket = (uint16_t)(g - t->groups);
	return g;
}

static void free_group(struct perch_net *net, struct perch_mcast *g)
{
	struct perch_mcast_table *t = net->groups;
	uint16_t slot = (uint16_t)(g - t->groups);
	uint16_t *at = bucket_of(t, g->ifidx, &g->ip);

	while (*at != slot)
		at = &t->groups[*at].hash_next;
	*at = g->hash_next;
	*g = (struct perch_mcast){.hash_next = t->free_groups};
	t->free_groups = slot;
}

void perch_mcast_sweep(struct perch_net *net, struct perch_mcast *g)
{
	struct perch_mcast_table *t = net->groups;
	uint16_t *at = &g->sources, slot;

	while ((slot = *at) != NONE) {
		struct perch_mcast_source *s = &t->sources[slot];

		if (s->refs > 0 || s->left > 0) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		s->next = t->free_sources;
		t->free_sources = slot;
	}
	if (g->n_members == 0 && g->sources == NONE && g->mode_left == 0)
		free_group(net, g);
}

static struct perch_mcast_source *find_source(
	const struct perch_mcast_table *t, const struct perch_mcast *g, const struct perch_ip *ip)
{
	uint16_t slot;

	for (slot = g->sources; slot != NONE; slot = t->sources[slot].next)
		if (perch_ip_equal(&t->sources[slot].ip, ip))
			return &t->sources[slot];
	return NULL;
}

static struct perch_mcast_source *add_source(
	struct perch_mcast_table *t, struct perch_mcast *g, const struct perch_ip *ip)
{
	struct perch_mcast_source *s = find_source(t, g, ip);

	if (s || t->free_sources == NONE)
		return s;
	s = &t->sources[t->free_sources];
	t->free_sources = s->next;
	*s = (struct perch_mcast_source){.ip = *ip, .next = g->sources};
	g->sources = (uint16_t)(s - t->sources);
	return s;
}

/* ---- joining and leaving -------------------------------------------------------------------- */

/* RFC 4607 section 1: 232/8 and ff3x::/32. */
static bool is_ssm(const struct perch_ip *group)
{
	if (perch_ip_is_v4(group))
		return group->b[12] == 232;
	return (group->b[1] & 0xf0) == 0x30 && group->b[2] == 0 && group->b[3] == 0;
}

static bool speaks(const struct perch_net *net, unsigned ifidx, bool v4)
{
	const struct perch_net_if *nif = &net->cfg.ifs[ifidx];
	unsigned i;

	for (i = 0; i < nif->n_addrs; i++)
		if (perch_ip_is_v4(&nif->addrs[i].ip) == v4)
			return true;
	return !v4 && !perch_ip_is_any(&net->link_local[ifidx]);
}

static bool may_join(const struct perch_net *net, unsigned ifidx, const struct perch_ip *group,
	const struct perch_ip *source)
{
	bool v4 = perch_ip_is_v4(group);

	if (ifidx >= net->cfg.n_ifs || !perch_ip_is_multicast(group) || !speaks(net, ifidx, v4))
		return false;
	if (perch_ip_is_any(source))
		return !is_ssm(group);
	return perch_ip_is_v4(source) == v4 && perch_ip_is_host(net, source);
}

/* The link that holds u's membership, or the end of g's list. *mixed: u has the other kind. */
static uint16_t *find_member(struct perch_mcast_table *t, struct perch_mcast *g,
	const struct perch_udp *u, const struct perch_ip *source, bool *mixed)
{
	struct perch_mcast_member *m;
	uint16_t *at;

	*mixed = false;
	for (at = &g->members; *at != NONE; at = &m->next) {
		m = &t->members[*at];
		if (m->u != u)
			continue;
		if (perch_ip_equal(&m->source, source))
			break;
		if (perch_ip_is_any(&m->source) || perch_ip_is_any(source))
			*mixed = u != NULL; /* nobody's memberships are of many */
	}
	return at;
}

static int add_member(struct perch_net *net, struct perch_mcast *g, struct perch_udp *u,
	const struct perch_ip *source)
{
	struct perch_mcast_change change = {g->n_members > 0, g->n_any > 0, NULL};
	struct perch_mcast_table *t = net->groups;
	struct perch_mcast_member *m;

	if (!perch_ip_is_any(source)) {
		change.source = add_source(t, g, source);
		if (!change.source)
			return -ENOBUFS;
	}
	if (t->free_members == NONE)
		return -ENOBUFS;
	m = &t->members[t->free_members];
	t->free_members = m->next;
	*m = (struct perch_mcast_member){.u = u, .source = *source,
		.group = (uint16_t)(g - t->groups), .next = g->members};
	g->members = (uint16_t)(m - t->members);
	g->n_members++;
	if (!change.source)
		g->n_any++;
	else if (change.source->refs++ > 0)
		change.source = NULL; /* it was wanted before */
	if (u) {
		u->n_groups++;
		g->n_sockets++;
	}
	perch_mcast_report_change(net, g, &change);
	refresh_macs(net);
	return 0;
}

int perch_mcast_join(struct perch_net *net, unsigned ifidx, struct perch_udp *u,
	const struct perch_ip *group, const struct perch_ip *source)
{
	struct perch_ip from = {.d = {0, 0}};
	struct perch_mcast *g;
	bool mixed;
	int rc;

	if (!perch_ip_is_any(source)) /* 0.0.0.0 is :: here */
		from = *source;
	if (!may_join(net, ifidx, group, &from))
		return -EINVAL;
	g = lookup(net, ifidx, group);
	if (g) {
		if (*find_member(net->groups, g, u, &from, &mixed) != NONE)
			return -EADDRINUSE;
		if (mixed)
			return -EINVAL;
	} else {
		g = add_group(net, ifidx, group);
	}
	rc = g ? add_member(net, g, u, &from) : -ENOBUFS;
	if (rc < 0) {
		net->drops[PERCH_DROP_group_table_full]++;
		if (g)
			perch_mcast_sweep(net, g);
	}
	return rc;
}

static void remove_member(struct perch_net *net, struct perch_mcast *g, uint16_t *at)
{
	struct perch_mcast_change change = {true, g->n_any > 0, NULL};
	struct perch_mcast_table *t = net->groups;
	struct perch_mcast_member *m = &t->members[*at];
	uint16_t slot = *at;

	if (m->u) {
		m->u->n_groups--;
		g->n_sockets--;
	}
	if (perch_ip_is_any(&m->source)) {
		g->n_any--;
	} else {
		change.source = find_source(t, g, &m->source);
		if (--change.source->refs > 0)
			change.source = NULL; /* others want it still */
	}
	*at = m->next;
	*m = (struct perch_mcast_member){.group = NONE, .next = t->free_members};
	t->free_members = slot;
	g->n_members--;
	refresh_macs(net);
	perch_mcast_report_change(net, g, &change);
	perch_mcast_sweep(net, g);
}

int perch_mcast_leave(struct perch_net *net, unsigned ifidx, struct perch_udp *u,
	const struct perch_ip *group, const struct perch_ip *source)
{
	struct perch_mcast *g = lookup(net, ifidx, group);
	struct perch_ip from = {.d = {0, 0}};
	uint16_t *at;
	bool mixed;

	if (!perch_ip_is_any(source))
		from = *source;
	if (!g)
		return -EADDRNOTAVAIL;
	at = find_member(net->groups, g, u, &from, &mixed);
	if (*at == NONE)
		return -EADDRNOTAVAIL;
	remove_member(net, g, at);
	return 0;
}

static const struct perch_mcast_member *any_member(
	const struct perch_mcast_table *t, const struct perch_udp *u)
{
	uint32_t i;

	for (i = 0; i < t->n_members && u->n_groups > 0; i++)
		if (t->members[i].u == u && t->members[i].group != NONE)
			return &t->members[i];
	return NULL;
}

bool perch_mcast_any_of(const struct perch_net *net, const struct perch_udp *u,
	struct perch_ip *group, struct perch_ip *source)
{
	const struct perch_mcast_member *m = any_member(net->groups, u);

	if (!m)
		return false;
	*group = net->groups->groups[m->group].ip;
	*source = m->source;
	return true;
}

void perch_mcast_leave_all(struct perch_net *net, struct perch_udp *u)
{
	struct perch_mcast_table *t = net->groups;
	const struct perch_mcast_member *m;
	struct perch_ip group, source;

	while ((m = any_member(t, u))) {
		group = t->groups[m->group].ip;
		source = m->source;
		perch_mcast_leave(net, t->groups[m->group].ifidx, u, &group, &source);
	}
}

/* ---- delivery ------------------------------------------------------------------------------- */

struct perch_udp *perch_mcast_next_socket(
	const struct perch_net *net, const struct perch_rx *rx, uint16_t dport, uint16_t *at)
{
	const struct perch_mcast_table *t = net->groups;
	const struct perch_mcast_member *m;
	uint16_t slot = *at == 0 ? rx->group->members : t->members[*at - 1].next;

	for (; slot != NONE; slot = m->next) {
		m = &t->members[slot];
		if (m->u && m->u->flow.lport == dport &&
			(perch_ip_is_any(&m->source) || perch_ip_equal(&m->source, &rx->src)) &&
			(perch_ip_is_any(&m->u->laddr) || perch_ip_equal(&m->u->laddr, &rx->dst))) {
			*at = (uint16_t)(slot + 1);
			return m->u;
		}
	}
	return NULL;
}

/* ---- at the start --------------------------------------------------------------------------- */

static void join_solicited(struct perch_net *net, unsigned ifidx, const struct perch_ip *ip)
{
	const struct perch_ip any = {.d = {0, 0}};
	struct perch_ip group = perch_nd_group_of(ip);

	if (perch_mcast_join(net, ifidx, NULL, &group, &any) == -ENOBUFS)
		net->groups->too_many_macs = true;
}

static void join_solicited_of_range(
	struct perch_net *net, unsigned ifidx, const struct perch_net_addr *a)
{
	uint32_t i, count = RTE_MAX(a->count, 1U);
	struct perch_ip ip = a->ip;

	if (count > SOLICITED_MAX)
		net->groups->too_many_macs = true;
	for (i = 0; i < RTE_MIN(count, (uint32_t)SOLICITED_MAX); i++) {
		join_solicited(net, ifidx, &ip);
		ip.d[1] = rte_cpu_to_be_64(rte_be_to_cpu_64(ip.d[1]) + 1);
	}
}

void perch_mcast_init(struct perch_net *net, void *mem)
{
	const int64_t query_interval_ns = INT64_C(125000000000); /* RFC 3376 section 8.2 */
	struct perch_mcast_table *t = mem;
	const struct perch_net_if *nif;
	unsigned i, k;

	lay_out(t, &net->cfg);
	t->next_ns = PERCH_NET_NEVER;
	for (i = 0; i < PERCH_NET_IFS; i++)
		for (k = 0; k < 2; k++)
			t->queriers[i][k] = (struct perch_mcast_querier){
				.older_until_ns = {INT64_MIN, INT64_MIN},
				.answer_ns = PERCH_NET_NEVER,
				.interval_ns = query_interval_ns,
				.robustness = 2,
				.version = 3,
			};
	net->groups = t;
	refresh_macs(net);
	for (i = 0; i < net->cfg.n_ifs; i++) {
		nif = &net->cfg.ifs[i];
		for (k = 0; k < nif->n_addrs; k++)
			if (!perch_ip_is_v4(&nif->addrs[k].ip))
				join_solicited_of_range(net, i, &nif->addrs[k]);
		if (!perch_ip_is_any(&net->link_local[i]))
			join_solicited(net, i, &net->link_local[i]);
	}
}
