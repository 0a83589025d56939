/* SPDX-License-Identifier: BSD-3-Clause
 * The flow table at the load that it is made for: every flow is found, none that has left is, and
 * an entry costs what the budget of an idle connection allows it.
 */
#include "tcp-lite/flow_table.h"

#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"

enum { FLOWS = 200000, BYTES_PER_FLOW = 16 };

static struct perch_flow_table table;
static struct perch_tcb *tcbs;
static void *buckets;

static void set(uint32_t i, struct perch_ip raddr, uint16_t rport, uint16_t lport)
{
	const struct perch_ip laddr4 = {.b = {[10] = 0xff, 0xff, 10, 0, 0, 2}};
	const struct perch_ip laddr6 = {.b = {0xfd, [15] = 2}};

	perch_tcb_set_tuple(&tcbs[i],
		&(struct perch_tuple){perch_ip_is_v4(&raddr) ? &laddr4 : &laddr6, &raddr, lport,
			rport});
}

static void open_case(void)
{
	static const uint8_t secret[16] = "not so secret...";
	uint32_t i;

	tcbs = aligned_alloc(64, (size_t)FLOWS * sizeof(*tcbs));
	buckets = aligned_alloc(64, perch_flow_table_bytes(FLOWS));
	CU_ASSERT_FATAL(tcbs != NULL && buckets != NULL);
	memset(buckets, 0, perch_flow_table_bytes(FLOWS));
	perch_flow_table_init(&table, buckets, FLOWS, tcbs, secret);
	for (i = 0; i < FLOWS; i++) {
		memset(&tcbs[i], 0, sizeof(tcbs[i]));
		set(i, (struct perch_ip){.b = {[10] = 0xff, 0xff, 198, 18, [15] = (uint8_t)i}},
			(uint16_t)(i >> 8), 7);
	}
}

static void close_case(void)
{
	free(buckets);
	free(tcbs);
}

static struct perch_flow_hash hash(uint32_t id)
{
	struct perch_tuple t = perch_tuple_of(&tcbs[id]);

	return perch_flow_hash(&table, &t);
}

static uint32_t find(uint32_t id)
{
	struct perch_tuple t = perch_tuple_of(&tcbs[id]);

	return perch_flow_find(&table, hash(id), &t);
}

static void full_table_finds_all(void)
{
	uint32_t i, wrong = 0, guessed = 0;

	open_case();
	for (i = 0; i < FLOWS; i++)
		perch_flow_insert(&table, hash(i), i);
	for (i = 0; i < FLOWS; i++) {
		wrong += find(i) != i;
		guessed += perch_flow_guess(&table, hash(i)) == i;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_TRUE(guessed > FLOWS / 10 * 8); /* good enough to prefetch by */
	close_case();
}

/* Those that came when the table was fullest are not the worse for it. */
static void latest_are_guessed(void)
{
	const uint32_t latest = FLOWS / 256;
	uint32_t i, guessed = 0;

	open_case();
	for (i = 0; i < FLOWS; i++)
		perch_flow_insert(&table, hash(i), i);
	for (i = FLOWS - latest; i < FLOWS; i++)
		guessed += perch_flow_guess(&table, hash(i)) == i;
	CU_ASSERT_TRUE(guessed > latest / 10 * 9);
	close_case();
}

/* Nothing is left behind by those who leave: no tombstones, no counts. */
static void empty_again_is_as_new(void)
{
	const struct perch_flow_bucket *b;
	uint32_t i, wrong = 0, rest = 0;

	open_case();
	for (i = 0; i < FLOWS; i++)
		perch_flow_insert(&table, hash(i), i);
	for (i = 0; i < FLOWS; i += 2)
		perch_flow_remove(&table, hash(i), i);
	for (i = 0; i < FLOWS; i++)
		wrong += find(i) != (i % 2 ? i : PERCH_FLOW_NONE);
	CU_ASSERT_EQUAL(wrong, 0);
	for (i = 1; i < FLOWS; i += 2)
		perch_flow_remove(&table, hash(i), i);
	for (b = table.buckets; b < table.buckets + table.n_buckets; b++) {
		rest += b->passed;
		for (i = 0; i < PERCH_FLOW_WAYS; i++)
			rest += b->tags[i];
	}
	CU_ASSERT_EQUAL(rest, 0);
	close_case();
}

/* Of tuples that differ in few bits, as many as elsewhere are found at the first look. */
static void similar_tuples_spread(void)
{
	const struct perch_ip v4 = {.b = {[10] = 0xff, 0xff, 198, 18}};
	uint32_t i, kind, guessed;

	for (kind = 0; kind < 3; kind++) {
		open_case();
		for (i = 0, guessed = 0; i < FLOWS; i++) {
			uint8_t last = kind < 2 ? 1 : (uint8_t)(i >> 16);
			struct perch_ip v6 = {.b = {0xfd, [15] = last}};

			set(i, kind ? v6 : v4, (uint16_t)i, kind < 2 ? (uint16_t)(i >> 16) : 7);
			perch_flow_insert(&table, hash(i), i);
		}
		for (i = 0; i < FLOWS; i++)
			guessed += perch_flow_guess(&table, hash(i)) == i;
		CU_ASSERT_TRUE(guessed > FLOWS / 10 * 8);
		close_case();
	}
}

/* The words that a TCB's first line has of both addresses may be another's too. */
static void addresses_count_whole(void)
{
	const struct perch_ip mapped = {.b = {[10] = 0xff, 0xff, [15] = 1}};
	const struct perch_ip ip = {.b = {0xfd, [15] = 1}};
	struct perch_ip others[] = {ip, ip};
	struct perch_tcb c = {.ip4 = 0};
	struct perch_tuple t = {&ip, &ip, 1, 2};
	unsigned i;

	others[0].b[1] = 1;
	others[1].b[11] = 1;
	perch_tcb_set_tuple(&c, &t);
	CU_ASSERT_TRUE(perch_tuple_equal(&c, &t));
	CU_ASSERT_FALSE(perch_tuple_equal(&c, &(struct perch_tuple){&mapped, &mapped, 1, 2}));
	for (i = 0; i < 2; i++) {
		const struct perch_tuple to = {&others[i], &ip, 1, 2};
		const struct perch_tuple from = {&ip, &others[i], 1, 2};

		CU_ASSERT_FALSE(perch_tuple_equal(&c, &to) || perch_tuple_equal(&c, &from));
	}
	perch_tcb_set_tuple(&c, &(struct perch_tuple){&mapped, &mapped, 1, 2});
	CU_ASSERT_TRUE(perch_tuple_equal(&c, &(struct perch_tuple){&mapped, &mapped, 1, 2}));
	CU_ASSERT_FALSE(perch_tuple_equal(&c, &(struct perch_tuple){&ip, &ip, 1, 2}));
	CU_ASSERT_FALSE(perch_tuple_equal(&c, &(struct perch_tuple){&mapped, &mapped, 2, 2}));
	CU_ASSERT_FALSE(perch_tuple_equal(&c, &(struct perch_tuple){&mapped, &mapped, 1, 1}));
}

static void entry_is_small(void)
{
	uint32_t flows;

	for (flows = 1000; flows <= 10000000; flows *= 10)
		CU_ASSERT(perch_flow_table_bytes(flows) <= (size_t)flows * BYTES_PER_FLOW);
	/* At most half of the places are ever in use. */
	CU_ASSERT(perch_flow_table_bytes(4000000) / sizeof(struct perch_flow_bucket) *
		PERCH_FLOW_WAYS >= 8000000);
}

int main(int argc, char **argv)
{
	const struct suite_case cases[] = {
		{"full_table_finds_all", full_table_finds_all},
		{"latest_are_guessed", latest_are_guessed},
		{"empty_again_is_as_new", empty_again_is_as_new},
		{"similar_tuples_spread", similar_tuples_spread},
		{"addresses_count_whole", addresses_count_whole},
		{"entry_is_small", entry_is_small},
		{NULL, NULL},
	};

	return suite_main("flow table", cases, argc, argv);
}
