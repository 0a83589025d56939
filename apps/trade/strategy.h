/* SPDX-License-Identifier: BSD-3-Clause
 * Strategies: from the top of a book to at most one order. The hook that a firm replaces by its
 * own; the ones here exist to be measured and tested with.
 */
#ifndef PERCH_APPS_TRADE_STRATEGY_H
#define PERCH_APPS_TRADE_STRATEGY_H

#include "apps/trade/desk.h"

struct tick { /* the top of a book after a message; prices with 4 decimals, 0: that side is empty */
	uint16_t symbol; /* the desk's index */
	uint64_t bid, ask;
	uint64_t bid_shares, ask_shares;
};

struct strategy {
	const char *name, *text;
	/* Returns true with *order filled in. It keeps nothing: with --warm it is asked also about
	 * ticks that never were, of which nothing is sent. last is the tick before of the same
	 * symbol. */
	bool (*decide)(const struct tick *last, const struct tick *now, struct desk_intent *order);
};

/* NULL: none is called that. */
const struct strategy *strategy_find(const char *name);
/* Their names, with commas. */
const char *strategy_names(void);

#endif
