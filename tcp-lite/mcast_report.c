/* SPDX-License-Identifier: BSD-3-Clause
 * What routers and snooping switches are told of our groups: the host's half of IGMPv3 (RFC 3376)
 * and MLDv2 (RFC 3810), which are one protocol with two address sizes, and of the older versions
 * where an older querier rules the link (RFC 3376 section 7.2.1, RFC 3810 section 8.2).
 *
 * Changes are reported at once and repeated at random times; queries are answered after random
 * delays. Groups whose time has come share packets, and one draw of the dice: so what was joined
 * together stays together, and a thousand joins are a handful of packets.
 */
#include <netinet/in.h>

#include <rte_byteorder.h>

#include "tcp-lite/mcast_inside.h"
#include "tcp-lite/ip.h"

enum record_type { /* RFC 3376 section 4.2.12 */
	IS_INCLUDE = 1,
	IS_EXCLUDE,
	TO_INCLUDE,
	TO_EXCLUDE,
	ALLOW,
	BLOCK,
};

enum report_limits {
	HEADER_BYTES = 8,
	IGMP3_REPORT = 0x22,
	MLD2_REPORT = 143,
	OLD_REPORTS = 2,    /* RFC 2236 section 3: the first one and a repetition */
	ROBUSTNESS = 2,     /* RFC 3376 section 8.1: the default */
	ROBUSTNESS_MAX = 7, /* what fits a query */
	NONE = PERCH_MCAST_NONE,
};

#define UNSOLICITED_NS     INT64_C(1000000000)  /* RFC 3376 section 8.11 */
#define OLD_UNSOLICITED_NS INT64_C(10000000000) /* RFC 2236 section 8.10, RFC 2710 section 7.10 */
#define RESPONSE_NS        INT64_C(10000000000) /* RFC 3376 section 8.3 */

static void wake_at(struct perch_net *net, int64_t when_ns)
{
	net->groups->next_ns = RTE_MIN(net->groups->next_ns, when_ns);
}

/* In (0, max_ns]. */
static int64_t random_delay(struct perch_net *net, int64_t max_ns)
{
	uint64_t r = (uint64_t)perch_net_random(net) << 32;

	r |= perch_net_random(net);
	return 1 + (int64_t)(r % (uint64_t)max_ns);
}

static struct perch_mcast_querier *querier_of(struct perch_net *net, const struct perch_mcast *g)
{
	return perch_mcast_querier(net, g->ifidx, perch_ip_is_v4(&g->ip));
}

/* ---- packets -------------------------------------------------------------------------------- */

/* A report that is being written. */
struct report {
	struct perch_net *net;
	unsigned ifidx;
	bool v4;
	struct rte_mbuf *m;          /* NULL: nothing yet */
	uint16_t n_records;
	uint32_t room;               /* bytes */
	uint8_t type;                /* of the current record */
	const struct perch_ip *group;
	uint8_t *record;
};

static unsigned address_bytes(const struct report *r)
{
	return r->v4 ? 4 : 16;
}

static void put_count(uint8_t *at, uint16_t n)
{
	at[0] = (uint8_t)(n >> 8);
	at[1] = (uint8_t)n;
}

static void flush(struct report *r)
{
	const struct perch_ip routers4 = perch_ip_from_v4(RTE_BE32(0xe0000016)); /* 224.0.0.22 */
	const struct perch_ip routers6 = {.b = {0xff, 0x02, [15] = 0x16}};

	if (!r->m)
		return;
	put_count(rte_pktmbuf_mtod_offset(r->m, uint8_t *, HEADER_BYTES - 2), r->n_records);
	perch_ip_send_alert(r->net, r->ifidx, r->m, r->v4 ? &routers4 : &routers6,
		r->v4 ? IPPROTO_IGMP : IPPROTO_ICMPV6);
	r->m = NULL;
}

static uint8_t *grow(struct report *r, unsigned bytes)
{
	uint8_t *at = (uint8_t *)rte_pktmbuf_append(r->m, (uint16_t)bytes);

	memset(at, 0, bytes);
	r->room -= bytes;
	return at;
}

static bool open_packet(struct report *r)
{
	const unsigned headers = r->v4 ? 24 : 48; /* IP with router alert */

	r->m = perch_net_alloc(r->net);
	if (!r->m)
		return false;
	r->room = RTE_MIN((uint32_t)rte_pktmbuf_tailroom(r->m),
		(uint32_t)r->net->cfg.ifs[r->ifidx].mtu - headers);
	r->n_records = 0;
	*grow(r, HEADER_BYTES) = r->v4 ? IGMP3_REPORT : MLD2_REPORT;
	return true;
}

/* With room for one source at least: a record without any means something else. */
static bool begin_record(struct report *r, enum record_type type, const struct perch_ip *group)
{
	unsigned bytes = 4 + address_bytes(r);

	r->type = (uint8_t)type;
	r->group = group;
	if (r->m && r->room < bytes + address_bytes(r))
		flush(r);
	if (!r->m && !open_packet(r))
		return false;
	r->record = grow(r, bytes);
	r->record[0] = r->type;
	memcpy(r->record + 4, group->b + 16 - address_bytes(r), address_bytes(r));
	r->n_records++;
	return true;
}

static bool add_source(struct report *r, const struct perch_ip *source)
{
	uint16_t n;

	if (r->room < address_bytes(r)) {
		flush(r);
		if (!begin_record(r, r->type, r->group))
			return false;
	}
	n = (uint16_t)(r->record[2] << 8 | r->record[3]);
	put_count(r->record + 2, (uint16_t)(n + 1));
	memcpy(grow(r, address_bytes(r)), source->b + 16 - address_bytes(r), address_bytes(r));
	return true;
}

/* A record of those sources of g that `which` picks; none picked: no record. */
static bool add_sources(struct report *r, enum record_type type, const struct perch_mcast *g,
	bool (*which)(const struct perch_mcast_source *s))
{
	const struct perch_mcast_source *s;
	bool begun = false;
	uint16_t slot;

	for (slot = g->sources; slot != NONE; slot = s->next) {
		s = &r->net->groups->sources[slot];
		if (!which(s))
			continue;
		if (!begun && !begin_record(r, type, &g->ip))
			return false;
		begun = true;
		if (!add_source(r, &s->ip))
			return false;
	}
	return begun;
}

static bool is_wanted(const struct perch_mcast_source *s) { return s->refs > 0; }
static bool is_asked(const struct perch_mcast_source *s) { return s->refs > 0 && s->asked; }
static bool has_come(const struct perch_mcast_source *s) { return s->refs > 0 && s->left > 0; }
static bool has_gone(const struct perch_mcast_source *s) { return s->refs == 0 && s->left > 0; }

/* ---- changes -------------------------------------------------------------------------------- */

static void clear_sources_left(struct perch_net *net, struct perch_mcast *g)
{
	uint16_t slot;

	for (slot = g->sources; slot != NONE; slot = net->groups->sources[slot].next)
		net->groups->sources[slot].left = 0;
}

/* RFC 3376 section 5.1. */
void perch_mcast_report_change(
	struct perch_net *net, struct perch_mcast *g, const struct perch_mcast_change *change)
{
	const struct perch_mcast_querier *q = querier_of(net, g);
	bool any = g->n_any > 0, joined = g->n_members > 0;

	if (!g->is_told)
		return;
	if (q->version < 3) { /* knows no sources */
		if (joined == change->was_joined)
			return;
		g->mode_left = joined ? OLD_REPORTS : 1;
	} else if (any != change->was_any) {
		g->mode_left = q->robustness;
		clear_sources_left(net, g);
	} else if (!any && change->source) {
		change->source->left = q->robustness;
	} else {
		return;
	}
	g->change_ns = net->now_ns;
	wake_at(net, net->now_ns);
}

/* As one report of changed state has it; counts it. */
static void add_change(struct report *r, struct perch_mcast *g)
{
	struct perch_mcast_table *t = r->net->groups;
	uint16_t slot;

	if (g->mode_left > 0) {
		if (g->n_any > 0)
			begin_record(r, TO_EXCLUDE, &g->ip);
		else if (!add_sources(r, TO_INCLUDE, g, is_wanted))
			begin_record(r, TO_INCLUDE, &g->ip);
		g->mode_left--;
		return;
	}
	add_sources(r, ALLOW, g, has_come);
	add_sources(r, BLOCK, g, has_gone);
	for (slot = g->sources; slot != NONE; slot = t->sources[slot].next)
		if (t->sources[slot].left > 0)
			t->sources[slot].left--;
}

static void send_old(struct perch_net *net, const struct perch_mcast *g, bool leave)
{
	if (perch_ip_is_v4(&g->ip))
		perch_igmp_send_old(
			net, g->ifidx, &g->ip, querier_of(net, g)->version, leave);
	else
		perch_mld_send_old(net, g->ifidx, &g->ip, leave);
}

/* RFC 2236 section 3: a leave only if nobody has reported the group after us, and never to a
 * router of version 1. */
static void send_old_change(struct perch_net *net, struct perch_mcast *g)
{
	if (g->n_members == 0) {
		if (g->is_last && querier_of(net, g)->version > 1)
			send_old(net, g, true);
		g->mode_left = 0;
		return;
	}
	send_old(net, g, false);
	g->is_last = true;
	g->mode_left--;
}

static bool has_changes_left(const struct perch_net *net, const struct perch_mcast *g)
{
	uint16_t slot;

	for (slot = g->sources; slot != NONE; slot = net->groups->sources[slot].next)
		if (net->groups->sources[slot].left > 0)
			return true;
	return g->mode_left > 0;
}

static void send_changes(struct perch_net *net, unsigned ifidx, bool v4)
{
	struct report r = {.net = net, .ifidx = ifidx, .v4 = v4};
	bool old = perch_mcast_querier(net, ifidx, v4)->version < 3;
	int64_t again_ns = net->now_ns +
		random_delay(net, old ? OLD_UNSOLICITED_NS : UNSOLICITED_NS);
	struct perch_mcast *g;
	uint32_t i;

	for (i = 0; i < net->groups->n_groups; i++) {
		g = &net->groups->groups[i];
		if (perch_ip_is_any(&g->ip) || g->ifidx != ifidx ||
			perch_ip_is_v4(&g->ip) != v4 || g->change_ns > net->now_ns)
			continue;
		if (old)
			send_old_change(net, g);
		else
			add_change(&r, g);
		g->change_ns = has_changes_left(net, g) ? again_ns : PERCH_NET_NEVER;
		perch_mcast_sweep(net, g);
	}
	flush(&r);
}

/* ---- queries -------------------------------------------------------------------------------- */

/* RFC 3376 section 7.2.1: whoever speaks the oldest version decides. */
static uint8_t version_now(const struct perch_net *net, const struct perch_mcast_querier *q)
{
	return q->older_until_ns[0] > net->now_ns ? 1 : q->older_until_ns[1] > net->now_ns ? 2 : 3;
}

static void forget_asked(struct perch_net *net, struct perch_mcast *g)
{
	uint16_t slot;

	g->answer_ns = PERCH_NET_NEVER;
	g->asked_all = false;
	for (slot = g->sources; slot != NONE; slot = net->groups->sources[slot].next)
		net->groups->sources[slot].asked = false;
}

/* "Whenever a host changes its compatibility mode, it cancels all its pending responses and
 * retransmissions" (section 7.2.1). */
static void change_version(
	struct perch_net *net, unsigned ifidx, bool v4, struct perch_mcast_querier *q)
{
	struct perch_mcast *g;
	uint32_t i;

	q->version = version_now(net, q);
	q->answer_ns = PERCH_NET_NEVER;
	for (i = 0; i < net->groups->n_groups; i++) {
		g = &net->groups->groups[i];
		if (perch_ip_is_any(&g->ip) || g->ifidx != ifidx || perch_ip_is_v4(&g->ip) != v4)
			continue;
		g->change_ns = PERCH_NET_NEVER;
		g->mode_left = 0;
		clear_sources_left(net, g);
		forget_asked(net, g);
		perch_mcast_sweep(net, g);
	}
}

/* RFC 3376 sections 4.1.6, 4.1.7, 7.2.1 and 8.12. */
static void learn_from_query(struct perch_net *net, const struct perch_mcast_query *in,
	struct perch_mcast_querier *q)
{
	if (in->version == 3) {
		q->robustness = in->robustness ? (uint8_t)RTE_MIN(in->robustness, ROBUSTNESS_MAX)
		                               : ROBUSTNESS;
		if (in->interval_ns)
			q->interval_ns = in->interval_ns;
	} else {
		q->older_until_ns[in->version - 1] =
			net->now_ns + q->robustness * q->interval_ns + RESPONSE_NS;
		wake_at(net, q->older_until_ns[in->version - 1]);
	}
	if (version_now(net, q) != q->version)
		change_version(net, in->ifidx, in->v4, q);
}

/* The sources that are asked for, of those that we want. False: none. */
static bool mark_asked(
	struct perch_net *net, struct perch_mcast *g, const struct perch_mcast_query *in)
{
	const unsigned bytes = in->v4 ? 4 : 16;
	struct perch_mcast_source *s;
	bool any = false;
	uint16_t slot;
	unsigned i;

	for (slot = g->sources; slot != NONE; slot = s->next) {
		s = &net->groups->sources[slot];
		for (i = 0; i < in->n_sources && s->refs > 0; i++)
			if (memcmp(s->ip.b + 16 - bytes, in->sources + i * bytes, bytes) == 0)
				s->asked = any = true;
	}
	return any;
}

/* RFC 3376 section 5.2, rules 3 to 5. Where every source is taken all those asked for are wanted,
 * and the state of the group says so. */
static void schedule_answer(struct perch_net *net, struct perch_mcast *g,
	const struct perch_mcast_query *in, int64_t when_ns)
{
	if (in->n_sources == 0 || g->n_any > 0)
		g->asked_all = true;
	else if (!mark_asked(net, g, in))
		return;
	g->answer_ns = RTE_MIN(g->answer_ns, when_ns);
	wake_at(net, g->answer_ns);
}

/* Older versions answer for each group by itself (RFC 2236 section 3). */
static void schedule_all(struct perch_net *net, const struct perch_mcast_query *in)
{
	struct perch_mcast *g;
	uint32_t i;

	for (i = 0; i < net->groups->n_groups; i++) {
		g = &net->groups->groups[i];
		if (g->n_members > 0 && g->is_told && g->ifidx == in->ifidx &&
			perch_ip_is_v4(&g->ip) == in->v4)
			schedule_answer(net, g, in,
				net->now_ns + random_delay(net, in->max_delay_ns));
	}
}

void perch_mcast_hear_query(struct perch_net *net, const struct perch_mcast_query *in)
{
	struct perch_mcast_querier *q = perch_mcast_querier(net, in->ifidx, in->v4);
	const struct perch_mcast *g;
	int64_t when_ns;

	learn_from_query(net, in, q);
	if (perch_ip_is_any(&in->group) && q->version < 3) {
		schedule_all(net, in);
		return;
	}
	when_ns = net->now_ns + random_delay(net, in->max_delay_ns);
	if (q->answer_ns <= when_ns)
		return; /* rule 1: that answer says it all */
	if (perch_ip_is_any(&in->group)) {
		q->answer_ns = when_ns;
		wake_at(net, when_ns);
		return;
	}
	g = perch_mcast_find(net, in->ifidx, &in->group);
	if (g && g->is_told)
		schedule_answer(net, &net->groups->groups[g - net->groups->groups], in, when_ns);
}

/* RFC 2236 section 3: one report of a group is enough for an old router. Version 3 has no
 * suppression, and of an SSM group it would be an attack (RFC 4604 section 2.2.3). */
void perch_mcast_hear_report(struct perch_net *net, unsigned ifidx, const struct perch_ip *group)
{
	const struct perch_mcast *found = perch_mcast_find(net, ifidx, group);
	struct perch_mcast *g;

	if (!found || found->n_any == 0)
		return;
	g = &net->groups->groups[found - net->groups->groups];
	if (querier_of(net, g)->version == 3)
		return;
	forget_asked(net, g);
	g->mode_left = 0;
	g->change_ns = PERCH_NET_NEVER;
	g->is_last = false;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void add_state(struct report *r, const struct perch_mcast *g)
{
	if (g->n_any > 0)
		begin_record(r, IS_EXCLUDE, &g->ip);
	else
		add_sources(r, IS_INCLUDE, g, is_wanted);
}

static void answer_one(struct report *r, struct perch_mcast *g)
{
	if (perch_mcast_querier(r->net, r->ifidx, r->v4)->version < 3) {
		send_old(r->net, g, false);
		g->is_last = true;
	} else if (g->asked_all) {
		add_state(r, g);
	} else {
		add_sources(r, IS_INCLUDE, g, is_asked);
	}
	forget_asked(r->net, g);
}

static void send_answers(struct perch_net *net, unsigned ifidx, bool v4)
{
	struct perch_mcast_querier *q = perch_mcast_querier(net, ifidx, v4);
	struct report r = {.net = net, .ifidx = ifidx, .v4 = v4};
	bool all = q->answer_ns <= net->now_ns;
	struct perch_mcast *g;
	uint32_t i;

	if (all)
		q->answer_ns = PERCH_NET_NEVER;
	for (i = 0; i < net->groups->n_groups; i++) {
		g = &net->groups->groups[i];
		if (g->n_members == 0 || !g->is_told || g->ifidx != ifidx ||
			perch_ip_is_v4(&g->ip) != v4)
			continue;
		if (g->answer_ns <= net->now_ns)
			answer_one(&r, g);
		else if (all)
			add_state(&r, g);
	}
	flush(&r);
}

/* ---- time ----------------------------------------------------------------------------------- */

static void run_interface(struct perch_net *net, unsigned ifidx, bool v4)
{
	struct perch_mcast_querier *q = perch_mcast_querier(net, ifidx, v4);

	if (version_now(net, q) != q->version)
		change_version(net, ifidx, v4, q);
	send_changes(net, ifidx, v4);
	send_answers(net, ifidx, v4);
	wake_at(net, q->answer_ns);
	if (q->version < 3)
		wake_at(net, q->older_until_ns[q->version - 1]);
}

void perch_mcast_tick(struct perch_net *net)
{
	struct perch_mcast_table *t = net->groups;
	unsigned i, k;

	if (likely(t->next_ns > net->now_ns))
		return;
	t->next_ns = PERCH_NET_NEVER;
	for (i = 0; i < net->cfg.n_ifs; i++)
		for (k = 0; k < 2; k++)
			run_interface(net, i, k == 0);
	for (i = 0; i < t->n_groups; i++)
		if (!perch_ip_is_any(&t->groups[i].ip))
			wake_at(net, RTE_MIN(t->groups[i].change_ns, t->groups[i].answer_ns));
}

int64_t perch_mcast_next_tick(const struct perch_net *net)
{
	return net->groups->next_ns;
}
