/* SPDX-License-Identifier: BSD-3-Clause
 * From a connection's tuple to its id: an open-addressing hash table whose bucket is one cache
 * line of twelve 1-byte tags, twelve ids, and a count of the entries that wanted to live here and
 * live further on.
 *
 * A look-up reads one bucket and stops when that count is zero; only a tag that matches costs a
 * look at the TCB: at its first line, but for IPv6. The tuple is not stored here. An entry that
 * leaves lowers the counts that it had raised, so there are no tombstones, and the table is as good
 * after a year as on the first day. At the full load of 1/2 an entry costs 10.7 bytes.
 *
 * Rejected: rte_hash (needs EAL memory, 2 lines per look-up, and keys stored twice); chaining
 * through the TCBs (a miss per link).
 */
#ifndef PERCH_TCP_LITE_FLOW_TABLE_H
#define PERCH_TCP_LITE_FLOW_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "tcp-lite/tcb.h"

#define PERCH_FLOW_NONE UINT32_MAX

enum { PERCH_FLOW_WAYS = 12 };

struct perch_flow_bucket {
	uint8_t tags[PERCH_FLOW_WAYS]; /* 0: free */
	uint32_t passed;               /* entries that found this bucket full and went on */
	uint32_t ids[PERCH_FLOW_WAYS];
};
static_assert(sizeof(struct perch_flow_bucket) == 64, "one cache line");

struct perch_flow_table {
	struct perch_flow_bucket *buckets;
	const struct perch_tcb *tcbs;
	uint32_t n_buckets;
	uint64_t key[2];
};

struct perch_tuple { /* as we see it: two addresses of one family; ports in host order */
	const struct perch_ip *laddr, *raddr;
	uint16_t lport, rport;
};

struct perch_flow_hash {
	uint32_t place, tag;
};

static inline bool perch_tuple_equal(const struct perch_tcb *c, const struct perch_tuple *t)
{
	if (c->flow.lport != t->lport || c->rport != t->rport || c->raddr4 != t->raddr->w[3] ||
		c->laddr4 != t->laddr->w[3])
		return false;
	if (likely(c->ip4))
		return perch_ip_is_v4(t->raddr);
	return perch_ip_equal(&c->raddr, t->raddr) && perch_ip_equal(&c->laddr, t->laddr);
}

static inline struct perch_tuple perch_tuple_of(const struct perch_tcb *c)
{
	return (struct perch_tuple){&c->laddr, &c->raddr, c->flow.lport, c->rport};
}

static inline void perch_tcb_set_tuple(struct perch_tcb *c, const struct perch_tuple *t)
{
	c->laddr = *t->laddr;
	c->raddr = *t->raddr;
	c->laddr4 = t->laddr->w[3];
	c->raddr4 = t->raddr->w[3];
	c->ip4 = perch_ip_is_v4(t->raddr);
	c->flow.lport = t->lport;
	c->rport = t->rport;
}

/* Bytes of bucket memory for so many flows. */
size_t perch_flow_table_bytes(uint32_t max_flows);
/* buckets: zeroed, 64-byte aligned. tcbs: the array that ids index. */
void perch_flow_table_init(struct perch_flow_table *t, struct perch_flow_bucket *buckets,
	uint32_t max_flows, const struct perch_tcb *tcbs, const uint8_t secret[16]);

/* Both halves of a product, folded: each bit of a and b reaches nearly all of the result. */
static inline uint64_t perch_flow_mix(uint64_t a, uint64_t b)
{
	__extension__ typedef unsigned __int128 wide;
	wide product = (wide)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Keyed, because whoever can choose addresses and ports could otherwise fill one chain of buckets.
 * Products are no cipher, but an attacker never sees the value; at worst he pays a packet for every
 * step that a look-up loses. SipHash, which ISNs have, because they are seen, would be the dearest
 * thing that is done for a packet. */
static inline struct perch_flow_hash perch_flow_hash(
	const struct perch_flow_table *t, const struct perch_tuple *tuple)
{
	const struct perch_ip *l = tuple->laddr, *r = tuple->raddr;
	uint64_t ports = (uint64_t)tuple->lport << 16 | tuple->rport, h;

	if (likely(perch_ip_is_v4(r))) {
		h = perch_flow_mix(((uint64_t)l->w[3] << 32 | r->w[3]) ^ t->key[0],
			ports ^ t->key[1]);
	} else {
		h = perch_flow_mix(r->d[0] ^ t->key[0], r->d[1] ^ t->key[1]);
		h = perch_flow_mix(h ^ l->d[0] ^ t->key[0], l->d[1] ^ t->key[1]);
		h = perch_flow_mix(h ^ t->key[0], ports ^ t->key[1]);
	}
	h = perch_flow_mix(h, t->key[1] | 1);
	return (struct perch_flow_hash){(uint32_t)(h >> 32), (uint32_t)h};
}

static inline struct perch_flow_bucket *perch_flow_bucket(
	const struct perch_flow_table *t, struct perch_flow_hash h)
{
	return &t->buckets[(uint64_t)h.place * t->n_buckets >> 32];
}

/* The id of the connection with that tuple, or PERCH_FLOW_NONE. */
uint32_t perch_flow_find(const struct perch_flow_table *t, struct perch_flow_hash h,
	const struct perch_tuple *tuple);

/* The id that is probably it, by the tag alone: for prefetching. Touches no TCB. */
uint32_t perch_flow_guess(const struct perch_flow_table *t, struct perch_flow_hash h);

/* Add the id of a TCB whose tuple is set and is not in the table. There is always room: the table
 * has more places than there are TCBs. */
void perch_flow_insert(struct perch_flow_table *t, struct perch_flow_hash h, uint32_t id);
/* Remove an id that is in the table. */
void perch_flow_remove(struct perch_flow_table *t, struct perch_flow_hash h, uint32_t id);

#endif
