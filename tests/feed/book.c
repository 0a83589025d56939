/* SPDX-License-Identifier: BSD-3-Clause
 * Order books: what messages do to them, against what they should hold; and against a naive book
 * over long order flows.
 */
#include "apps/feed/book.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/feed/flow.h"
#include "apps/feed/soup.h"
#include "tests/suite.h"

static struct books *opened(const struct books_config *cfg)
{
	struct books *b = NULL;

	CU_ASSERT_EQUAL_FATAL(books_open(&b, cfg), 0);
	return b;
}

static void apply(struct books *b, const struct itch *m)
{
	uint8_t out[ITCH_BYTES_MAX];

	books_apply(b, out, itch_encode(m, out));
}

static void add(struct books *b, const char *stock, uint64_t ref, char side, uint32_t shares,
	uint32_t price)
{
	struct itch m = {.type = 'A', .locate = (uint16_t)(stock[0])};

	m.add = (struct itch_add){.ref = ref, .side = side, .shares = shares, .price = price};
	memset(m.add.stock, ' ', 8);
	memcpy(m.add.stock, stock, strlen(stock));
	apply(b, &m);
}

static void executed(struct books *b, uint16_t locate, uint64_t ref, uint32_t shares)
{
	struct itch m = {.type = 'E', .locate = locate, .executed = {ref, shares, 1}};

	apply(b, &m);
}

static void expect_top(const struct books *b, unsigned book, uint32_t bid, uint64_t bid_shares,
	uint32_t ask, uint64_t ask_shares)
{
	struct book_top t;

	books_top(b, book, &t);
	CU_ASSERT_EQUAL(t.side[BOOK_BUY].price, bid);
	CU_ASSERT_EQUAL(t.side[BOOK_BUY].shares, bid_shares);
	CU_ASSERT_EQUAL(t.side[BOOK_SELL].price, ask);
	CU_ASSERT_EQUAL(t.side[BOOK_SELL].shares, ask_shares);
}

static const char *const CHOSEN[] = {"AB", "CD", NULL};

static void life_of_orders(void)
{
	const struct books_config cfg = {.symbols = CHOSEN};
	struct books *b = opened(&cfg);
	struct book_order o[4];
	uint64_t shares;
	uint32_t price;
	struct itch m;

	add(b, "AB", 1, 'B', 100, 5000);
	add(b, "AB", 2, 'B', 200, 5100);
	add(b, "AB", 3, 'B', 300, 5100);
	add(b, "AB", 4, 'S', 400, 5300);
	add(b, "AB", 5, 'S', 500, 5200);
	add(b, "XX", 6, 'S', 500, 5200); /* not chosen */
	expect_top(b, 0, 5100, 500, 5200, 500);
	expect_top(b, 1, 0, 0, 0, 0);
	executed(b, 'A', 2, 150);
	expect_top(b, 0, 5100, 350, 5200, 500);
	m = (struct itch){.type = 'U', .locate = 'A', .replace = {2, 7, 60, 5100}};
	apply(b, &m); /* loses its place in the queue */
	CU_ASSERT_EQUAL(books_orders(b, 0, BOOK_BUY, 0, o, 4), 2);
	CU_ASSERT_EQUAL(o[0].ref, 3);
	CU_ASSERT_EQUAL(o[1].ref, 7);
	CU_ASSERT_EQUAL(o[1].shares, 60);
	m = (struct itch){.type = 'X', .locate = 'A', .cancel = {3, 300}};
	apply(b, &m);
	expect_top(b, 0, 5100, 60, 5200, 500);
	m = (struct itch){.type = 'D', .locate = 'A', .delete = {7}};
	apply(b, &m);
	expect_top(b, 0, 5000, 100, 5200, 500);
	m = (struct itch){.type = 'C', .locate = 'A', .executed_price = {5, 500, 9, 'Y', 5199}};
	apply(b, &m);
	expect_top(b, 0, 5000, 100, 5300, 400);
	books_trades(b, 0, &shares, &price);
	CU_ASSERT_EQUAL(shares, 650);
	CU_ASSERT_EQUAL(price, 5199);
	m = (struct itch){.type = 'C', .locate = 'A', .executed_price = {4, 1, 9, 'N', 1}};
	apply(b, &m); /* told of elsewhere, by a cross */
	books_trades(b, 0, &shares, &price);
	CU_ASSERT_EQUAL(shares, 650);
	CU_ASSERT_EQUAL(price, 5199);
	CU_ASSERT_EQUAL(books_counters(b)->booked, 11);
	CU_ASSERT_EQUAL(books_state(b, 0), ' ');
	m = (struct itch){
		.type = 'H', .locate = 'A', .trading_action = {"AB      ", 'P', ' ', "    "}};
	apply(b, &m);
	CU_ASSERT_EQUAL(books_state(b, 0), 'P');
	CU_ASSERT_EQUAL(books_counters(b)->unknown_order, 0);
	books_close(b);
}

/* In a replace the old order makes room for the new one, and hands on its attribution. */
static void replaced(void)
{
	const struct books_config cfg = {.symbols = CHOSEN, .max_orders = 1};
	struct books *b = opened(&cfg);
	struct book_order o;
	struct itch m = {.type = 'F', .locate = 'A'};

	m.add_mpid = (struct itch_add_mpid){.ref = 1, .side = 'B', .shares = 100, .price = 5000};
	memcpy(m.add_mpid.stock, "AB      ", 8);
	memcpy(m.add_mpid.mpid, "MKTM", 4);
	apply(b, &m);
	m = (struct itch){.type = 'U', .locate = 'A', .replace = {1, 2, 60, 5100}};
	apply(b, &m);
	expect_top(b, 0, 5100, 60, 0, 0);
	CU_ASSERT_EQUAL(books_counters(b)->no_room_orders, 0);
	CU_ASSERT_EQUAL(books_orders(b, 0, BOOK_BUY, 0, &o, 1), 1);
	CU_ASSERT(o.ref == 2 && memcmp(o.mpid, "MKTM", 4) == 0);
	books_close(b);
}

static void refusals(void)
{
	const struct books_config cfg = {.symbols = CHOSEN, .max_orders = 4, .depth = 2};
	struct books *b = opened(&cfg);
	const struct books_counters *c = books_counters(b);

	add(b, "AB", 1, 'B', 100, 5000);
	add(b, "AB", 1, 'B', 100, 5000);
	CU_ASSERT_EQUAL(c->doubled_order, 1);
	executed(b, 'A', 99, 1);
	CU_ASSERT_EQUAL(c->unknown_order, 1);
	executed(b, 'X', 99, 1); /* of a symbol that nobody has heard of */
	CU_ASSERT_EQUAL(c->unknown_order, 1);
	executed(b, 'A', 1, 101);
	CU_ASSERT_EQUAL(c->overdrawn, 1);
	expect_top(b, 0, 0, 0, 0, 0);
	add(b, "AB", 1, 'B', 1, 5000);
	add(b, "AB", 2, 'B', 1, 5001);
	add(b, "AB", 3, 'B', 1, 5002);
	CU_ASSERT_EQUAL(c->no_room_levels, 1);
	add(b, "AB", 3, 'B', 1, 5001);
	add(b, "AB", 4, 'S', 1, 5002);
	add(b, "AB", 5, 'S', 1, 5002);
	CU_ASSERT_EQUAL(c->no_room_orders, 1);
	expect_top(b, 0, 5001, 2, 5002, 1);
	books_apply(b, "zzzzzzzzzzzz", 12);
	books_apply(b, "A", 1);
	CU_ASSERT_EQUAL(c->unknown_type, 1);
	CU_ASSERT_EQUAL(c->malformed, 1);
	books_close(b);
}

/* More symbols than books. */
static void no_book_left(void)
{
	const struct books_config cfg = {.max_books = 1};
	struct books *b = opened(&cfg);

	add(b, "AB", 1, 'B', 100, 5000);
	add(b, "XY", 2, 'B', 100, 5000);
	add(b, "XY", 3, 'B', 100, 5000); /* known by now */
	expect_top(b, 0, 5000, 100, 0, 0);
	CU_ASSERT_EQUAL(books_count(b), 1);
	CU_ASSERT_EQUAL(books_counters(b)->no_room_books, 1);
	books_close(b);
}

static void bad_configs(void)
{
	static const char *const twice[] = {"AB", "AB", NULL};
	static const char *const lengthy[] = {"ABCDEFGHI", NULL};
	static const char *const empty[] = {"", NULL};
	struct books *b;

	CU_ASSERT_EQUAL(books_open(&b, &(struct books_config){.symbols = twice}), -EINVAL);
	CU_ASSERT_EQUAL(books_open(&b, &(struct books_config){.symbols = lengthy}), -EINVAL);
	CU_ASSERT_EQUAL(books_open(&b, &(struct books_config){.symbols = empty}), -EINVAL);
	CU_ASSERT_PTR_NULL(b);
}

/* Only what touches the best price is told of. */
static void changes(void)
{
	const struct books_config cfg = {.symbols = CHOSEN};
	struct books *b = opened(&cfg);
	uint32_t out[4];

	add(b, "CD", 1, 'B', 100, 5000);
	add(b, "CD", 2, 'B', 100, 5000);
	CU_ASSERT_EQUAL(books_changed(b, out, 4), 1);
	CU_ASSERT_EQUAL(out[0], 1);
	add(b, "CD", 3, 'B', 100, 4900);
	CU_ASSERT_EQUAL(books_changed(b, out, 4), 0);
	executed(b, 'C', 3, 1);
	CU_ASSERT_EQUAL(books_changed(b, out, 4), 0);
	executed(b, 'C', 1, 100);
	CU_ASSERT_EQUAL(books_changed(b, out, 4), 1);
	books_clear(b);
	CU_ASSERT_EQUAL(books_changed(b, out, 4), 1);
	books_close(b);
}

/* ---- against a book that is too simple to be wrong ------------------------------------------ */

enum { NAIVE_MAX = 4096 };

struct naive {
	unsigned n;
	struct naive_order {
		uint64_t ref;
		uint32_t shares, price;
		uint16_t locate;
		char side;
	} order[NAIVE_MAX]; /* those that came first, first */
};

static struct naive_order *naive_find(struct naive *v, uint64_t ref)
{
	unsigned i;

	for (i = 0; i < v->n; i++)
		if (v->order[i].ref == ref)
			return &v->order[i];
	return NULL;
}

static void naive_drop(struct naive *v, struct naive_order *o)
{
	memmove(o, o + 1, (char *)&v->order[v->n] - (char *)(o + 1));
	v->n--;
}

static void naive_apply(struct naive *v, const struct itch *m)
{
	struct naive_order *o, copy;

	if (m->type == 'A' || m->type == 'F') {
		CU_ASSERT_TRUE_FATAL(v->n < NAIVE_MAX);
		v->order[v->n++] = (struct naive_order){m->add.ref, m->add.shares, m->add.price,
			m->locate, m->add.side};
	}
	if (!strchr("ECXDU", m->type) || !(o = naive_find(v, m->delete.ref)))
		return;
	copy = *o;
	if (strchr("ECX", m->type) && o->shares > m->executed.shares)
		o->shares -= m->executed.shares;
	else
		naive_drop(v, o);
	if (m->type == 'U') {
		copy.ref = m->replace.new_ref;
		copy.shares = m->replace.shares;
		copy.price = m->replace.price;
		v->order[v->n++] = copy;
	}
}

/* Every order of the book, level by level, is where the naive one has it: and no others are. */
static void compare(struct books *b, const struct naive *v, uint16_t locate, int side)
{
	struct book_order o[64];
	unsigned level, i, j, n, seen = 0, expected = 0;
	uint32_t last = 0;

	for (i = 0; i < v->n; i++)
		expected += v->order[i].locate == locate &&
			v->order[i].side == (side == BOOK_BUY ? 'B' : 'S');
	for (level = 0; (n = books_orders(b, locate - 1u, side, level, o, 64)) > 0; level++) {
		CU_ASSERT_TRUE(level == 0 || (side == BOOK_BUY) == (o[0].price < last));
		last = o[0].price;
		for (i = j = 0; i < v->n && j < n; i++) {
			const struct naive_order *w = &v->order[i];

			if (w->locate != locate || w->side != o[j].side || w->price != last)
				continue;
			CU_ASSERT_EQUAL(o[j].ref, w->ref);
			CU_ASSERT_EQUAL(o[j].shares, w->shares);
			j++;
		}
		CU_ASSERT_EQUAL(j, n);
		seen += n;
	}
	CU_ASSERT_EQUAL(seen, expected);
}

static void against_naive(void)
{
	static struct naive v;
	const struct flow_config flow_cfg = {.seed = 7, .symbols = 4, .live = 50,
		.messages = 60000};
	const struct books_config cfg = {.max_books = 4};
	struct books *b = opened(&cfg);
	uint64_t n = 0;
	struct flow *f;
	struct itch m;
	uint16_t i;

	CU_ASSERT_EQUAL_FATAL(flow_open(&f, &flow_cfg), 0);
	while (flow_next(f, &m)) {
		apply(b, &m);
		naive_apply(&v, &m);
		n++;
		for (i = 1; n % 500 == 0 && i <= 4; i++) {
			compare(b, &v, i, BOOK_BUY);
			compare(b, &v, i, BOOK_SELL);
		}
	}
	CU_ASSERT_EQUAL(books_counters(b)->unknown_order, 0);
	CU_ASSERT_EQUAL(books_counters(b)->doubled_order, 0);
	CU_ASSERT_EQUAL(books_counters(b)->overdrawn, 0);
	CU_ASSERT_EQUAL(books_counters(b)->messages, flow_cfg.messages);
	CU_ASSERT_TRUE(v.n > 20);
	flow_close(f);
	books_close(b);
}

/* ---- the flow, bursts, snapshots ------------------------------------------------------------ */

static struct books *after_flow(const struct books_config *cfg, uint64_t seed, uint64_t n)
{
	const struct flow_config flow_cfg = {.seed = seed, .symbols = 20, .messages = n};
	struct books *b = opened(cfg);
	struct flow *f;
	struct itch m;

	CU_ASSERT_EQUAL_FATAL(flow_open(&f, &flow_cfg), 0);
	while (flow_next(f, &m))
		apply(b, &m);
	flow_close(f);
	return b;
}

static bool same(const struct books *x, const struct books *y)
{
	size_t n = books_dump(x, NULL, 0), m = books_dump(y, NULL, 0);
	uint8_t *a = malloc(n), *b = malloc(m);
	bool yes = n == m && n > 100;

	books_dump(x, a, n);
	books_dump(y, b, m);
	yes = yes && memcmp(a, b, n) == 0;
	free(a);
	free(b);
	return yes;
}

static void every_type_flows(void)
{
	const struct books_config cfg = {0};
	struct books *b = after_flow(&cfg, 1, 100000);
	const char *t;
	uint32_t i;
	struct book_top top;

	for (t = "SRHYLVWKJhAFECXDUPQBINO"; *t; t++)
		CU_ASSERT_TRUE(books_counters(b)->of_type[(uint8_t)*t] > 0);
	for (i = 0; i < 20; i++) {
		books_top(b, i, &top);
		CU_ASSERT_TRUE(top.side[BOOK_SELL].price > top.side[BOOK_BUY].price);
	}
	books_close(b);
}

static void bursts(void)
{
	const struct books_config cfg = {.seed = 5};
	struct books *one = after_flow(&cfg, 3, 20000), *many = opened(&cfg);
	static uint8_t bytes[100][ITCH_BYTES_MAX];
	const struct flow_config flow_cfg = {.seed = 3, .symbols = 20, .messages = 20000};
	struct books_message m[100];
	struct flow *f;
	struct itch i;
	unsigned n = 0;

	CU_ASSERT_EQUAL_FATAL(flow_open(&f, &flow_cfg), 0);
	while (flow_next(f, &i)) {
		m[n] = (struct books_message){bytes[n], itch_encode(&i, bytes[n])};
		if (++n == 100) {
			books_apply_burst(many, m, n);
			n = 0;
		}
	}
	books_apply_burst(many, m, n);
	CU_ASSERT_TRUE(same(one, many));
	flow_close(f);
	books_close(one);
	books_close(many);
}

/* A snapshot read back makes the same books, even if other symbols are in it. */
#define OPENING_NS UINT64_C(34200000000000) /* 9:30, when the flow begins */

static void snapshots(void)
{
	static const char *const some[] = {"S0003", "S0017", NULL};
	const struct books_config all = {0}, chosen = {.symbols = some, .seed = 9};
	struct books *from = after_flow(&all, 4, 30000), *to = opened(&all);
	struct books *from_some = after_flow(&chosen, 4, 30000), *to_some = opened(&chosen);
	size_t n = books_snapshot(from, 30001, NULL, 0), at = 0;
	uint8_t *bytes = malloc(n);
	struct soup_packet p;
	uint64_t next = 0;
	struct itch m;

	CU_ASSERT_EQUAL(books_snapshot(from, 30001, bytes, n), n);
	while (at < n) {
		at += (size_t)soup_parse(bytes + at, n - at, &p);
		CU_ASSERT_EQUAL_FATAL(p.type, SOUP_SEQUENCED);
		if (p.payload[0] == 'G') {
			CU_ASSERT_EQUAL(soup_number(p.payload + 1, 20, &next), 0);
			break;
		}
		CU_ASSERT_EQUAL(itch_decode(p.payload, p.len, &m), 0);
		CU_ASSERT_TRUE(m.time_ns > OPENING_NS); /* as late as what it stands for */
		books_apply(to, p.payload, p.len);
		books_apply(to_some, p.payload, p.len);
	}
	CU_ASSERT_EQUAL(next, 30001);
	CU_ASSERT_EQUAL(at, n);
	CU_ASSERT_TRUE(same(from, to));
	CU_ASSERT_TRUE(same(from_some, to_some));
	CU_ASSERT_FALSE(same(from, from_some));
	free(bytes);
	books_close(from);
	books_close(to);
	books_close(from_some);
	books_close(to_some);
}

/* Everything given back can be had again: a day in books that just hold it, three times over. */
static void no_leaks(void)
{
	const struct books_config cfg = {.max_orders = 20 * 128, .max_levels = 1600, .depth = 90,
		.max_books = 20};
	const struct flow_config flow_cfg = {.seed = 6, .symbols = 20, .messages = 400000};
	struct books *b = opened(&cfg);
	struct flow *f;
	struct itch m;
	uint64_t n = 0;

	CU_ASSERT_EQUAL_FATAL(flow_open(&f, &flow_cfg), 0);
	while (flow_next(f, &m))
		apply(b, &m);
	n = books_counters(b)->no_room_orders + books_counters(b)->no_room_levels;
	CU_ASSERT_EQUAL(n, 0);
	flow_close(f);
	books_close(b);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"the life of orders", life_of_orders},
		{"replaced", replaced},
		{"refusals", refusals},
		{"no book left", no_book_left},
		{"bad configurations", bad_configs},
		{"changes", changes},
		{"against a naive book", against_naive},
		{"every type flows", every_type_flows},
		{"bursts", bursts},
		{"snapshots", snapshots},
		{"no leaks", no_leaks},
		{NULL, NULL},
	};

	alarm(25); /* a list that has become a ring is walked for ever */
	return suite_main("feed book", cases, argc, argv);
}
