/* SPDX-License-Identifier: BSD-3-Clause
 * The flow table. Probing goes on to the next bucket. Half full at most, for it is the latest
 * connections, mostly the busiest, that find their bucket full: at a load of 7/8 more than a third
 * of the last ones live in another, which no prefetch guesses, and at 1/2 one in fifty.
 */
#include "tcp-lite/flow_table.h"

enum { FULL_EIGHTHS = 4 /* of the places are in use when all flows are */ };

static uint32_t buckets_for(uint32_t max_flows)
{
	return (uint32_t)((uint64_t)max_flows * 8 / (FULL_EIGHTHS * PERCH_FLOW_WAYS)) + 1;
}

size_t perch_flow_table_bytes(uint32_t max_flows)
{
	return (size_t)buckets_for(max_flows) * sizeof(struct perch_flow_bucket);
}

void perch_flow_table_init(struct perch_flow_table *t, struct perch_flow_bucket *buckets,
	uint32_t max_flows, const struct perch_tcb *tcbs, const uint8_t secret[16])
{
	t->buckets = buckets;
	t->tcbs = tcbs;
	t->n_buckets = buckets_for(max_flows);
	memcpy(t->key, secret, sizeof(t->key));
}

static uint8_t tag_of(struct perch_flow_hash h)
{
	return (uint8_t)h.tag ? (uint8_t)h.tag : 1;
}

/* One bit for each byte of the twelve that equals tag, in the byte's top bit. The carry-free form
 * of the zero-byte test, so that a match says nothing false about the byte above it. */
struct tag_match {
	uint64_t low;  /* ways 0 .. 7 */
	uint32_t high; /* ways 8 .. 11 */
};

static uint64_t zero_bytes(uint64_t x)
{
	const uint64_t low7 = 0x7f7f7f7f7f7f7f7f;

	return ~(((x & low7) + low7) | x | low7);
}

static struct tag_match match(const struct perch_flow_bucket *b, uint8_t tag)
{
	const uint64_t spread = UINT64_C(0x0101010101010101) * tag;
	uint64_t low;
	uint32_t high;

	memcpy(&low, b->tags, sizeof(low));
	memcpy(&high, b->tags + sizeof(low), sizeof(high));
	low = rte_le_to_cpu_64(low);
	high = rte_le_to_cpu_32(high);
	return (struct tag_match){zero_bytes(low ^ spread),
		(uint32_t)zero_bytes(high ^ (uint32_t)spread)};
}

/* Take the lowest matching way out of the set; -1: it is empty. */
static int take_way(struct tag_match *set)
{
	int way;

	if (set->low) {
		way = __builtin_ctzll(set->low) / 8;
		set->low &= set->low - 1;
		return way;
	}
	if (set->high) {
		way = 8 + __builtin_ctz(set->high) / 8;
		set->high &= set->high - 1;
		return way;
	}
	return -1;
}

static struct perch_flow_bucket *next_bucket(
	const struct perch_flow_table *t, struct perch_flow_bucket *b)
{
	return ++b == t->buckets + t->n_buckets ? t->buckets : b;
}

uint32_t perch_flow_find(const struct perch_flow_table *t, struct perch_flow_hash h,
	const struct perch_tuple *tuple)
{
	struct perch_flow_bucket *b = perch_flow_bucket(t, h);
	uint32_t probes = t->n_buckets;

	for (;;) {
		struct tag_match hits = match(b, tag_of(h));
		int way;

		while ((way = take_way(&hits)) >= 0)
			if (likely(perch_tuple_equal(&t->tcbs[b->ids[way]], tuple)))
				return b->ids[way];
		if (likely(b->passed == 0) || --probes == 0)
			return PERCH_FLOW_NONE;
		b = next_bucket(t, b);
	}
}

uint32_t perch_flow_guess(const struct perch_flow_table *t, struct perch_flow_hash h)
{
	const struct perch_flow_bucket *b = perch_flow_bucket(t, h);
	struct tag_match hits = match(b, tag_of(h));
	int way = take_way(&hits);

	return way < 0 ? PERCH_FLOW_NONE : b->ids[way];
}

void perch_flow_insert(struct perch_flow_table *t, struct perch_flow_hash h, uint32_t id)
{
	struct perch_flow_bucket *b = perch_flow_bucket(t, h);
	struct tag_match free_ways = match(b, 0);
	int way;

	while ((way = take_way(&free_ways)) < 0) {
		b->passed++;
		b = next_bucket(t, b);
		free_ways = match(b, 0);
	}
	b->tags[way] = tag_of(h);
	b->ids[way] = id;
}

void perch_flow_remove(struct perch_flow_table *t, struct perch_flow_hash h, uint32_t id)
{
	struct perch_flow_bucket *b = perch_flow_bucket(t, h);

	for (;;) {
		struct tag_match hits = match(b, tag_of(h));
		int way;

		while ((way = take_way(&hits)) >= 0) {
			if (b->ids[way] == id) {
				b->tags[way] = 0;
				return;
			}
		}
		b->passed--;
		b = next_bucket(t, b);
	}
}
