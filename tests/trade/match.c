/* SPDX-License-Identifier: BSD-3-Clause
 * The matching engine: priority, partial fills, and random trading against a slow model.
 */
#include "apps/trade/match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/suite.h"

static struct match *m;
static char alice, bob; /* owners are addresses */

static void begin(uint32_t max_orders)
{
	const struct match_config cfg = {.max_orders = max_orders, .max_levels = 64};

	CU_ASSERT_EQUAL_FATAL(match_open(&m, &cfg), 0);
	CU_ASSERT_EQUAL(match_symbol(m, "CVLT"), 0);
}

static uint64_t put(char side, uint32_t shares, uint64_t price)
{
	uint32_t left;

	return match_enter(m, 0, side, shares, price, false, side == 'B' ? &bob : &alice, &left);
}

static void expect(unsigned kind, uint64_t order, uint32_t shares, uint64_t price)
{
	struct match_event ev = {0};

	CU_ASSERT(match_next(m, &ev));
	CU_ASSERT_EQUAL(ev.kind, kind);
	CU_ASSERT_EQUAL(ev.order, order);
	CU_ASSERT_EQUAL(ev.shares, shares);
	CU_ASSERT_EQUAL(ev.price, price);
}

static void expect_no_more(void)
{
	struct match_event ev;

	CU_ASSERT(!match_next(m, &ev));
}

/* Best price first, then the oldest; at the resting price. */
static void price_then_time(void)
{
	uint64_t a, b, c, price, shares;
	struct match_event ev;

	begin(0);
	a = put('S', 100, 1002);
	b = put('S', 100, 1001);
	c = put('S', 100, 1001);
	match_best(m, 0, 'S', &price, &shares);
	CU_ASSERT(price == 1001 && shares == 200);
	expect(MATCH_ADDED, a, 100, 1002);
	expect(MATCH_ADDED, b, 100, 1001);
	expect(MATCH_ADDED, c, 100, 1001);
	put('B', 250, 1005);
	CU_ASSERT(match_next(m, &ev) && ev.order == b && ev.match == 1);
	CU_ASSERT(ev.kind == MATCH_EXECUTED && ev.shares == 100 && ev.price == 1001);
	CU_ASSERT(match_next(m, &ev) && ev.order == c && ev.match == 2);
	CU_ASSERT(match_next(m, &ev) && ev.order == a && ev.shares == 50 && ev.price == 1002);
	CU_ASSERT_EQUAL(ev.left, 50);
	expect_no_more();
	match_best(m, 0, 'S', &price, &shares);
	CU_ASSERT(price == 1002 && shares == 50);
	match_best(m, 0, 'B', &price, &shares);
	CU_ASSERT_EQUAL(price, 0);
	match_close(m);
}

static void what_is_left_rests(void)
{
	uint64_t a, b;
	uint32_t left;

	begin(0);
	a = put('B', 10, 1000);
	b = put('S', 30, 1000);
	expect(MATCH_ADDED, a, 10, 1000);
	expect(MATCH_EXECUTED, a, 10, 1000);
	expect(MATCH_ADDED, b, 20, 1000);
	CU_ASSERT(match_enter(m, 0, 'B', 50, 1000, true, &bob, &left) > 0);
	CU_ASSERT_EQUAL(left, 0);
	expect(MATCH_EXECUTED, b, 20, 1000);
	CU_ASSERT(match_next(m, &(struct match_event){0})); /* the rest expires */
	expect_no_more();
	match_close(m);
}

static void cancels(void)
{
	uint64_t a, price, shares;
	void *owner;
	uint32_t left;

	begin(0);
	a = put('B', 100, 1000);
	expect(MATCH_ADDED, a, 100, 1000);
	CU_ASSERT_EQUAL(match_cancel(m, a, 40), 0);
	expect(MATCH_CANCELED, a, 60, 1000);
	CU_ASSERT(match_find(m, a, &owner, &left) && owner == &bob && left == 40);
	CU_ASSERT_EQUAL(match_cancel(m, a, 40), 0); /* no more than that is left anyway */
	expect_no_more();
	CU_ASSERT_EQUAL(match_cancel(m, a, 0), 0);
	expect(MATCH_CANCELED, a, 40, 1000);
	CU_ASSERT_EQUAL(match_cancel(m, a, 0), -ENOENT);
	CU_ASSERT_EQUAL(match_cancel(m, 0, 0), -ENOENT);
	match_best(m, 0, 'B', &price, &shares);
	CU_ASSERT_EQUAL(price, 0);
	match_close(m);
}

static void refusals(void)
{
	uint64_t a, b;
	uint32_t left;
	void *owner;

	begin(1);
	CU_ASSERT_EQUAL(put('B', 0, 1000), 0);
	CU_ASSERT_EQUAL(put('B', 1, 0), 0);
	CU_ASSERT_EQUAL(match_enter(m, 1, 'B', 1, 1, false, NULL, &left), 0);
	CU_ASSERT_EQUAL(match_symbol_find(m, "NONE"), -ENOENT);
	a = put('B', 5, 1000);
	b = put('B', 5, 1000); /* no room: it expires */
	expect(MATCH_ADDED, a, 5, 1000);
	expect(MATCH_EXPIRED, b, 5, 1000);
	CU_ASSERT(!match_find(m, b, &owner, &left));
	put('S', 5, 1000);
	expect(MATCH_EXECUTED, a, 5, 1000);
	a = put('B', 5, 1000); /* and there is room again */
	expect(MATCH_ADDED, a, 5, 1000);
	match_disown(m, &bob);
	CU_ASSERT(match_find(m, a, &owner, &left) && owner == NULL);
	match_close(m);
}

/* ---- against a model: an unsorted list that is searched through every time ---------------------
 */

enum { MODEL = 512 };

static struct {
	uint64_t number, price;
	uint32_t left;
	char side;
} model[MODEL];
static unsigned modelled;

/* A price more than there are levels for does not rest. */
static void no_level_left(void)
{
	uint64_t price, shares;
	uint32_t i, left;

	begin(0);
	for (i = 1; i <= 64; i++)
		CU_ASSERT(put('B', 1, i) != 0);
	match_enter(m, 0, 'B', 1, 65, false, NULL, &left);
	CU_ASSERT_EQUAL(left, 0);
	match_best(m, 0, 'B', &price, &shares);
	CU_ASSERT_EQUAL(price, 64);
	match_close(m);
}

static void model_trade(char side, uint32_t *shares, uint64_t price)
{
	unsigned i, best;
	uint32_t n;

	for (;;) {
		best = MODEL;
		for (i = 0; i < modelled; i++)
			if (model[i].left && model[i].side != side &&
				(side == 'B' ? model[i].price <= price : model[i].price >= price) &&
				(best == MODEL ||
					(side == 'B' ? model[i].price < model[best].price
						     : model[i].price > model[best].price)))
				best = i;
		if (best == MODEL || *shares == 0)
			return;
		n = model[best].left < *shares ? model[best].left : *shares;
		expect(MATCH_EXECUTED, model[best].number, n, model[best].price);
		model[best].left -= n;
		*shares -= n;
	}
}

static void random_trading(void)
{
	unsigned round, i;
	uint32_t shares, left;
	uint64_t price, number;
	char side;

	srandom(7);
	for (round = 0; round < 50; round++) {
		begin(0);
		for (modelled = 0; modelled < MODEL;) {
			i = modelled ? (unsigned)random() % modelled : 0;
			if (modelled && random() % 4 == 0 && model[i].left) {
				expect_no_more();
				CU_ASSERT_EQUAL(match_cancel(m, model[i].number, 0), 0);
				expect(MATCH_CANCELED, model[i].number, model[i].left,
					model[i].price);
				model[i].left = 0;
				continue;
			}
			side = random() % 2 ? 'B' : 'S';
			shares = 1 + (uint32_t)random() % 100;
			price = 1000 + (uint64_t)random() % 20;
			number = match_enter(m, 0, side, shares, price, false, NULL, &left);
			model_trade(side, &shares, price);
			CU_ASSERT_EQUAL(left, shares);
			if (shares)
				expect(MATCH_ADDED, number, shares, price);
			model[modelled].number = number;
			model[modelled].price = price;
			model[modelled].side = side;
			model[modelled++].left = shares;
		}
		expect_no_more();
		match_close(m);
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"price then time", price_then_time},
		{"what is left rests", what_is_left_rests},
		{"cancels", cancels},
		{"refusals", refusals},
		{"no level left", no_level_left},
		{"random trading", random_trading},
		{NULL, NULL},
	};

	alarm(25); /* a list that has become a ring is walked for ever */
	return suite_main("match", cases, argc, argv);
}
