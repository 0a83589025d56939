/* SPDX-License-Identifier: BSD-3-Clause
 * The neighbour cache: one hash table in fixed memory for ARP and NDP.
 *
 * Ageing follows RFC 4861 section 7.3 for both families: a stale neighbour that is used has five
 * seconds in which TCP's progress may confirm it, and is asked then. One of which we have only
 * heard, or that has moved, is asked at once: that is how a forgery is found out.
 *
 * Against poisoning: a message that answers no question of ours makes an entry only when its
 * sender wants to talk to us, such an entry never displaces one that we asked for, and it does not
 * change a MAC address that was confirmed within the last second. Packets to addresses that nobody
 * has (a scan, a flood from forged sources) displace each other before anybody who answers.
 */
#include <errno.h>

#include <rte_jhash.h>

#include "tcp-lite/ether.h"
#include "tcp-lite/icmp.h"
#include "tcp-lite/neigh.h"

enum { NONE = 0xffff };

struct list {
	uint16_t first, last;
	uint8_t which; /* enum perch_neigh_list */
};

struct perch_neigh_table {
	uint32_t key, bucket_mask;
	uint16_t free;      /* linked by hash_next */
	struct list by_use[PERCH_NEIGH_RANKS]; /* most recently used last */
	struct list retry;  /* soonest first: INCOMPLETE, PROBE */
	struct list delay;  /* DELAY */
	struct perch_neigh *slots;
	uint16_t *buckets;
};

static void list_init(struct list *l, uint8_t which)
{
	*l = (struct list){.first = NONE, .last = NONE, .which = which};
}

static void list_append(struct perch_neigh_table *t, struct list *l, struct perch_neigh *n)
{
	uint16_t slot = (uint16_t)(n - t->slots);

	n->link[l->which].prev = l->last;
	n->link[l->which].next = NONE;
	if (l->last == NONE)
		l->first = slot;
	else
		t->slots[l->last].link[l->which].next = slot;
	l->last = slot;
}

static void list_remove(struct perch_neigh_table *t, struct list *l, struct perch_neigh *n)
{
	uint16_t prev = n->link[l->which].prev, next = n->link[l->which].next;

	if (prev == NONE)
		l->first = next;
	else
		t->slots[prev].link[l->which].next = next;
	if (next == NONE)
		l->last = prev;
	else
		t->slots[next].link[l->which].prev = prev;
}

static uint32_t bucket_count(const struct perch_net_config *cfg)
{
	return rte_align32pow2(cfg->max_neighbours);
}

static size_t slots_bytes(const struct perch_net_config *cfg)
{
	return sizeof(struct perch_neigh) * cfg->max_neighbours;
}

size_t perch_neigh_bytes(const struct perch_net_config *cfg)
{
	return sizeof(struct perch_neigh_table) + slots_bytes(cfg) +
		sizeof(uint16_t) * bucket_count(cfg);
}

void perch_neigh_init(struct perch_net *net, void *mem)
{
	struct perch_neigh_table *t = mem;
	uint32_t i;

	t->slots = (struct perch_neigh *)(t + 1);
	t->buckets = (uint16_t *)((uint8_t *)t->slots + slots_bytes(&net->cfg));
	t->bucket_mask = bucket_count(&net->cfg) - 1;
	memcpy(&t->key, net->cfg.secret + 8, sizeof(t->key));
	for (i = 0; i <= t->bucket_mask; i++)
		t->buckets[i] = NONE;
	t->free = NONE;
	for (i = net->cfg.max_neighbours; i-- > 0; t->free = (uint16_t)i)
		t->slots[i].hash_next = t->free;
	for (i = 0; i < PERCH_NEIGH_RANKS; i++)
		list_init(&t->by_use[i], PERCH_NEIGH_BY_USE);
	list_init(&t->retry, PERCH_NEIGH_BY_RETRY);
	list_init(&t->delay, PERCH_NEIGH_BY_RETRY);
	net->neigh = t;
}

void perch_neigh_fini(struct perch_net *net)
{
	uint32_t i;

	for (i = 0; i < net->cfg.max_neighbours; i++)
		rte_pktmbuf_free_bulk(net->neigh->slots[i].wait, net->neigh->slots[i].n_wait);
}

/* ---- the table ------------------------------------------------------------------------------ */

static uint16_t *bucket_of(struct perch_neigh_table *t, unsigned ifidx, const struct perch_ip *ip)
{
	return &t->buckets[rte_jhash_32b(ip->w, 4, t->key + ifidx) & t->bucket_mask];
}

struct perch_neigh *perch_neigh_find(
	struct perch_net *net, unsigned ifidx, const struct perch_ip *ip)
{
	struct perch_neigh_table *t = net->neigh;
	struct perch_neigh *n;
	uint16_t slot;

	for (slot = *bucket_of(t, ifidx, ip); slot != NONE; slot = n->hash_next) {
		n = &t->slots[slot];
		if (n->ifidx == ifidx && perch_ip_equal(&n->ip, ip))
			return n;
	}
	return NULL;
}

static bool is_asking(const struct perch_neigh *n)
{
	return n->state == PERCH_NEIGH_INCOMPLETE || n->state == PERCH_NEIGH_PROBE;
}

static void stop_timer(struct perch_neigh_table *t, struct perch_neigh *n)
{
	if (is_asking(n))
		list_remove(t, &t->retry, n);
	else if (n->state == PERCH_NEIGH_DELAY)
		list_remove(t, &t->delay, n);
}

/* The packets that waited in n stay in its array; the caller has taken them. */
static void forget(struct perch_net *net, struct perch_neigh *n)
{
	struct perch_neigh_table *t = net->neigh;
	uint16_t slot = (uint16_t)(n - t->slots);
	uint16_t *at = bucket_of(t, n->ifidx, &n->ip);

	while (*at != slot)
		at = &t->slots[*at].hash_next;
	*at = n->hash_next;
	list_remove(t, &t->by_use[n->rank], n);
	stop_timer(t, n);
	n->state = PERCH_NEIGH_FREE;
	n->hash_next = t->free;
	t->free = slot;
	if (++net->path_gen == 0)
		net->path_gen = 1;
}

static void evict(struct perch_net *net, uint16_t slot)
{
	struct perch_neigh *n = &net->neigh->slots[slot];

	while (n->n_wait > 0)
		perch_net_drop(net, PERCH_DROP_neigh_table_full, n->wait[--n->n_wait]);
	forget(net, n);
}

/* Somebody of at most that rank makes room. */
static void make_room(struct perch_net *net, enum perch_neigh_rank up_to)
{
	struct perch_neigh_table *t = net->neigh;
	unsigned rank;

	for (rank = 0; t->free == NONE && rank <= up_to; rank++)
		if (t->by_use[rank].first != NONE)
			evict(net, t->by_use[rank].first);
}

/* An entry in state FREE, hashed and listed, or NULL. A stranger takes only a stranger's place. */
static struct perch_neigh *insert(struct perch_net *net, unsigned ifidx, const struct perch_ip *ip,
	enum perch_neigh_rank rank)
{
	struct perch_neigh_table *t = net->neigh;
	uint16_t *bucket = bucket_of(t, ifidx, ip);
	struct perch_neigh *n;

	make_room(net, rank == PERCH_NEIGH_STRANGER ? PERCH_NEIGH_STRANGER : PERCH_NEIGH_FRIEND);
	if (t->free == NONE)
		return NULL;
	n = &t->slots[t->free];
	t->free = n->hash_next;
	*n = (struct perch_neigh){
		.ip = *ip,
		.ifidx = (uint8_t)ifidx,
		.rank = (uint8_t)rank,
		.hash_next = *bucket,
		.confirmed_ns = net->now_ns - PERCH_NEIGH_LOCK_NS,
	};
	*bucket = (uint16_t)(n - t->slots);
	list_append(t, &t->by_use[rank], n);
	return n;
}

/* It is used, and as somebody of that rank. */
static void touch(
	struct perch_neigh_table *t, struct perch_neigh *n, enum perch_neigh_rank rank)
{
	if (likely(t->by_use[rank].last == (uint16_t)(n - t->slots)))
		return;
	list_remove(t, &t->by_use[n->rank], n);
	n->rank = (uint8_t)rank;
	list_append(t, &t->by_use[rank], n);
}

struct perch_path perch_neigh_path(const struct perch_net *net, const struct perch_neigh *n)
{
	return (struct perch_path){
		.neigh = (uint16_t)(n - net->neigh->slots),
		.gen = net->path_gen,
	};
}

struct perch_neigh *perch_neigh_recall(struct perch_net *net, const struct perch_path *path)
{
	return path->gen == net->path_gen ? &net->neigh->slots[path->neigh] : NULL;
}

/* ---- asking --------------------------------------------------------------------------------- */

static void solicit(struct perch_net *net, const struct perch_neigh *n)
{
	if (perch_ip_is_v4(&n->ip))
		perch_arp_solicit(net, n);
	else
		perch_nd_solicit(net, n);
}

static void ask(struct perch_net *net, struct perch_neigh *n)
{
	n->tries++;
	n->retry_ns = net->now_ns + PERCH_NEIGH_RETRY_NS;
	list_append(net->neigh, &net->neigh->retry, n);
	solicit(net, n);
}

struct perch_neigh *perch_neigh_add(
	struct perch_net *net, unsigned ifidx, const struct perch_ip *ip)
{
	struct perch_neigh *n = insert(net, ifidx, ip, PERCH_NEIGH_WANTED);

	n->state = PERCH_NEIGH_INCOMPLETE;
	ask(net, n);
	return n;
}

/* RFC 1122 section 2.4: the sender learns of it, here without a detour over the wire. */
static void give_up(struct perch_net *net, struct perch_neigh *n)
{
	struct rte_mbuf *waited[PERCH_NEIGH_WAIT];
	unsigned i, n_waited = n->n_wait;

	memcpy(waited, n->wait, sizeof(waited[0]) * n_waited);
	n->n_wait = 0;
	forget(net, n);
	for (i = 0; i < n_waited; i++) {
		perch_icmp_report(net, rte_pktmbuf_mtod(waited[i], const uint8_t *),
			waited[i]->data_len, -EHOSTUNREACH, 0);
		perch_net_drop(net, PERCH_DROP_neigh_unreachable, waited[i]);
	}
}

/* Nobody has confirmed it: ask. */
static void probe(struct perch_net *net, struct perch_neigh *n)
{
	stop_timer(net->neigh, n);
	n->state = PERCH_NEIGH_PROBE;
	n->tries = 0;
	ask(net, n);
}

void perch_neigh_tick(struct perch_net *net)
{
	struct perch_neigh_table *t = net->neigh;
	struct perch_neigh *n;

	while (t->delay.first != NONE && t->slots[t->delay.first].retry_ns <= net->now_ns)
		probe(net, &t->slots[t->delay.first]);
	while (t->retry.first != NONE) {
		n = &t->slots[t->retry.first];
		if (n->retry_ns > net->now_ns)
			return;
		if (n->tries >= PERCH_NEIGH_TRIES) {
			give_up(net, n);
			continue;
		}
		list_remove(t, &t->retry, n);
		ask(net, n);
	}
}

static int64_t first_ns(const struct perch_neigh_table *t, const struct list *l)
{
	return l->first == NONE ? PERCH_NET_NEVER : t->slots[l->first].retry_ns;
}

int64_t perch_neigh_next_tick(const struct perch_net *net)
{
	const struct perch_neigh_table *t = net->neigh;

	return RTE_MIN(first_ns(t, &t->delay), first_ns(t, &t->retry));
}

/* ---- sending -------------------------------------------------------------------------------- */

static uint16_t ether_type(const struct perch_ip *ip)
{
	return perch_ip_is_v4(ip) ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6;
}

/* RFC 1122 section 2.3.2.2: save at least the latest packet; older ones make room. */
static void wait_for_mac(struct perch_net *net, struct perch_neigh *n, struct rte_mbuf *m)
{
	if (n->n_wait == PERCH_NEIGH_WAIT) {
		perch_net_drop(net, PERCH_DROP_neigh_queue_full, n->wait[0]);
		n->n_wait--;
		memmove(&n->wait[0], &n->wait[1], sizeof(n->wait[0]) * n->n_wait);
	}
	n->wait[n->n_wait++] = m;
}

static bool is_stale(const struct perch_net *net, const struct perch_neigh *n)
{
	return n->state == PERCH_NEIGH_KNOWN && n->known_until_ns <= net->now_ns;
}

static void wait_for_hint(struct perch_net *net, struct perch_neigh *n)
{
	n->state = PERCH_NEIGH_DELAY;
	n->retry_ns = net->now_ns + PERCH_NEIGH_DELAY_NS;
	list_append(net->neigh, &net->neigh->delay, n);
}

int perch_neigh_send(
	struct perch_net *net, struct perch_neigh *n, struct rte_mbuf *m, bool may_probe)
{
	int rc;

	if (unlikely(n->state == PERCH_NEIGH_INCOMPLETE)) {
		touch(net->neigh, n, PERCH_NEIGH_WANTED);
		wait_for_mac(net, n, m);
		return 0;
	}
	touch(net->neigh, n, PERCH_NEIGH_FRIEND);
	rc = perch_ether_send(net, n->ifidx, m, &n->mac, ether_type(&n->ip));
	if (unlikely(is_stale(net, n) && may_probe)) {
		if (n->sure)
			wait_for_hint(net, n);
		else
			probe(net, n);
	}
	return rc;
}

const struct rte_ether_addr *perch_neigh_ready(
	struct perch_net *net, const struct perch_path *path)
{
	struct perch_neigh *n = perch_neigh_recall(net, path);

	if (unlikely(!n || n->state != PERCH_NEIGH_KNOWN || n->known_until_ns <= net->now_ns))
		return NULL;
	if (unlikely(net->neigh->by_use[PERCH_NEIGH_FRIEND].last != path->neigh))
		touch(net->neigh, n, PERCH_NEIGH_FRIEND);
	return &n->mac;
}

int perch_neigh_send_group(
	struct perch_net *net, unsigned ifidx, const struct perch_ip *group, struct rte_mbuf *m)
{
	struct rte_ether_addr mac;

	perch_ether_group(group, &mac);
	return perch_ether_send(net, ifidx, m, &mac, ether_type(group));
}

/* ---- hearing -------------------------------------------------------------------------------- */

static void send_waiting(struct perch_net *net, struct perch_neigh *n)
{
	unsigned i;

	for (i = 0; i < n->n_wait; i++)
		perch_ether_send(net, n->ifidx, n->wait[i], &n->mac, ether_type(&n->ip));
	n->n_wait = 0;
}

static void settle(struct perch_net *net, struct perch_neigh *n, bool confirmed)
{
	stop_timer(net->neigh, n);
	if (is_asking(n))
		touch(net->neigh, n, PERCH_NEIGH_FRIEND);
	n->state = PERCH_NEIGH_KNOWN;
	n->sure = confirmed;
	n->known_until_ns = net->now_ns;
	if (confirmed) {
		n->confirmed_ns = net->now_ns;
		n->known_until_ns += PERCH_NEIGH_REACHABLE_NS;
	}
	send_waiting(net, n);
}

static void meet(struct perch_net *net, unsigned ifidx, const struct perch_ip *ip,
	const struct rte_ether_addr *mac)
{
	struct perch_neigh *n = insert(net, ifidx, ip, PERCH_NEIGH_STRANGER);

	if (!n) {
		net->drops[PERCH_DROP_neigh_table_full]++;
		return;
	}
	n->mac = *mac;
	settle(net, n, false);
}

/* RFC 4861 section 7.2.5, appendix C; an ARP reply is an advertisement with the override flag. */
static void update(struct perch_net *net, struct perch_neigh *n, const struct rte_ether_addr *mac,
	unsigned news)
{
	bool answer = news & PERCH_NEIGH_ANSWER && is_asking(n);
	bool differs = mac && !rte_is_same_ether_addr(mac, &n->mac);

	if (n->state == PERCH_NEIGH_INCOMPLETE) {
		if (!mac)
			return;
		n->mac = *mac;
		settle(net, n, answer);
		return;
	}
	if (differs && !answer && net->now_ns - n->confirmed_ns < PERCH_NEIGH_LOCK_NS)
		return;
	if (differs && !(news & PERCH_NEIGH_OVERRIDE)) {
		n->known_until_ns = RTE_MIN(n->known_until_ns, net->now_ns);
		n->sure = false;
		if (n->state == PERCH_NEIGH_DELAY)
			probe(net, n);
		return;
	}
	if (differs)
		n->mac = *mac;
	if (differs || answer)
		settle(net, n, answer);
}

/* Called for every ACK of new data, so the entry is written only when it has aged by a second. */
void perch_neigh_confirm(struct perch_net *net, const struct perch_path *path)
{
	const int64_t grain_ns = INT64_C(1000000000);
	struct perch_neigh *n = perch_neigh_recall(net, path);

	if (!n || !n->sure || n->state == PERCH_NEIGH_INCOMPLETE ||
		n->known_until_ns - net->now_ns > PERCH_NEIGH_REACHABLE_NS - grain_ns)
		return;
	stop_timer(net->neigh, n);
	n->state = PERCH_NEIGH_KNOWN;
	n->known_until_ns = net->now_ns + PERCH_NEIGH_REACHABLE_NS;
}

bool perch_neigh_hear(struct perch_net *net, unsigned ifidx, const struct perch_ip *ip,
	const struct rte_ether_addr *mac, unsigned news)
{
	struct perch_neigh *n = perch_neigh_find(net, ifidx, ip);

	if (n)
		update(net, n, mac, news);
	else if (news & PERCH_NEIGH_CREATE && mac)
		meet(net, ifidx, ip, mac);
	else
		return false;
	return true;
}
