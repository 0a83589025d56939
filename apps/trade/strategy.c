/* SPDX-License-Identifier: BSD-3-Clause
 * The strategies that come with perch-gateway.
 */
#include "apps/trade/strategy.h"

#include <string.h>

enum { LOT = 100 };

static bool nothing(const struct tick *last, const struct tick *now, struct desk_intent *order)
{
	(void)last;
	(void)now;
	(void)order;
	return false;
}

/* The price has become better for us than it was: take one lot of it, or let it be. */
static bool take(const struct tick *last, const struct tick *now, struct desk_intent *order)
{
	*order = (struct desk_intent){.symbol = now->symbol, .ioc = true, .shares = LOT};
	if (now->ask && last->ask && now->ask < last->ask) {
		order->side = 'B';
		order->price = now->ask;
		return true;
	}
	if (now->bid && now->bid > last->bid && last->bid) {
		order->side = 'S';
		order->price = now->bid;
		return true;
	}
	return false;
}

/* An order for every move of either side: the most that a feed can ask of the way to the wire. */
static bool every(const struct tick *last, const struct tick *now, struct desk_intent *order)
{
	bool buy = now->ask != last->ask;

	*order = (struct desk_intent){.symbol = now->symbol, .ioc = true, .shares = LOT};
	order->side = buy ? 'B' : 'S';
	order->price = buy ? now->ask : now->bid;
	return order->price && (buy || now->bid != last->bid);
}

/* A lot that waits far behind the best bid, for every move of it. */
static bool rest(const struct tick *last, const struct tick *now, struct desk_intent *order)
{
	*order = (struct desk_intent){.symbol = now->symbol,
		.side = 'B',
		.shares = LOT,
		.price = now->bid - now->bid / 50};
	return now->bid && now->bid != last->bid;
}

static const struct strategy strategies[] = {
	{"none", "watches", nothing},
	{"take", "takes a lot of every better price", take},
	{"every", "sends an order at every move of the top", every},
	{"rest", "leaves orders behind the best bid", rest},
};

enum { N = sizeof(strategies) / sizeof(strategies[0]) };

const struct strategy *strategy_find(const char *name)
{
	unsigned i;

	for (i = 0; i < N; i++)
		if (strcmp(strategies[i].name, name) == 0)
			return &strategies[i];
	return NULL;
}

const char *strategy_names(void)
{
	return "none, take, every, rest";
}
