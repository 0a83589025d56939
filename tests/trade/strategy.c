/* SPDX-License-Identifier: BSD-3-Clause
 * The strategies that come with perch-gateway: which moves of the top they answer, and with what.
 */
#include "apps/trade/strategy.h"

#include <stdio.h>

#include "tests/suite.h"

/* What it makes of a move: "B 101", an order's side and price, or "" for none. All else of an order
 * is the same each time. */
static const char *answer(const char *name, uint64_t bid, uint64_t ask, uint64_t new_bid,
	uint64_t new_ask, bool ioc)
{
	const struct tick last = {.symbol = 3, .bid = bid, .ask = ask};
	const struct tick now = {.symbol = 3, .bid = new_bid, .ask = new_ask};
	struct desk_intent order = {.shares = 1};
	static char text[32];

	if (!strategy_find(name)->decide(&last, &now, &order))
		return "";
	CU_ASSERT_EQUAL(order.symbol, 3);
	CU_ASSERT_EQUAL(order.shares, 100);
	CU_ASSERT_EQUAL(order.ioc, ioc);
	snprintf(text, sizeof(text), "%c %llu", order.side, (unsigned long long)order.price);
	return text;
}

static void none(void)
{
	CU_ASSERT_STRING_EQUAL(answer("none", 100, 102, 101, 101, true), "");
}

static void take(void)
{
	CU_ASSERT_STRING_EQUAL(answer("take", 100, 102, 100, 101, true), "B 101");
	CU_ASSERT_STRING_EQUAL(answer("take", 100, 102, 101, 102, true), "S 101");
	CU_ASSERT_STRING_EQUAL(answer("take", 100, 102, 100, 103, true), "");
	CU_ASSERT_STRING_EQUAL(answer("take", 100, 102, 99, 102, true), "");
	CU_ASSERT_STRING_EQUAL(answer("take", 100, 102, 100, 102, true), "");
	/* Nothing is better than nothing. */
	CU_ASSERT_STRING_EQUAL(answer("take", 100, 0, 100, 101, true), "");
	CU_ASSERT_STRING_EQUAL(answer("take", 100, 102, 100, 0, true), "");
	CU_ASSERT_STRING_EQUAL(answer("take", 0, 102, 100, 102, true), "");
	CU_ASSERT_STRING_EQUAL(answer("take", 100, 102, 0, 102, true), "");
}

static void every(void)
{
	CU_ASSERT_STRING_EQUAL(answer("every", 100, 102, 100, 103, true), "B 103");
	CU_ASSERT_STRING_EQUAL(answer("every", 100, 102, 99, 102, true), "S 99");
	CU_ASSERT_STRING_EQUAL(answer("every", 100, 102, 100, 102, true), "");
	CU_ASSERT_STRING_EQUAL(answer("every", 100, 102, 100, 0, true), "");
	CU_ASSERT_STRING_EQUAL(answer("every", 100, 102, 0, 102, true), "");
}

static void rest(void)
{
	CU_ASSERT_STRING_EQUAL(answer("rest", 100, 102, 150, 152, false), "B 147");
	CU_ASSERT_STRING_EQUAL(answer("rest", 100, 102, 100, 101, false), "");
	CU_ASSERT_STRING_EQUAL(answer("rest", 100, 102, 0, 102, false), "");
}

static void names(void)
{
	CU_ASSERT_PTR_NULL(strategy_find("win"));
	CU_ASSERT_STRING_EQUAL(strategy_names(), "none, take, every, rest");
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"none", none},
		{"take", take},
		{"every", every},
		{"rest", rest},
		{"names", names},
		{NULL, NULL},
	};

	return suite_main("strategy", cases, argc, argv);
}
