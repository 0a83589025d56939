/* SPDX-License-Identifier: BSD-3-Clause
 * A matching engine with price-time priority for one venue of a few symbols: what perch-exchange
 * trades with. A pure state machine: orders go in, what happened comes out as a list. The same
 * orders in the same sequence give the same events. All memory is taken at open. One thread.
 *
 * Prices have 4 implied decimals.
 */
#ifndef PERCH_APPS_TRADE_MATCH_H
#define PERCH_APPS_TRADE_MATCH_H

#include <stdbool.h>
#include <stdint.h>

enum { MATCH_SYMBOLS = 64, MATCH_MOST_ORDERS = (1 << 20) - 1 };

struct match;

enum match_event_kind {
	MATCH_ADDED,	/* order rests in the book with `shares` */
	MATCH_EXECUTED, /* `shares` of a resting order traded with `taker` at the resting price */
	MATCH_CANCELED, /* `shares` taken off a resting order; `left` rest on */
	MATCH_EXPIRED,	/* what an IOC order did not get, or a market with no room */
};

struct match_event {
	uint8_t kind; /* enum match_event_kind */
	char side;    /* of `order` */
	uint16_t symbol;
	uint32_t shares, left;
	uint64_t order, taker; /* order numbers, never 0 */
	uint64_t match;	       /* of an execution */
	uint64_t price;
	void *owner, *taker_owner;
};

struct match_config {
	uint32_t max_orders; /* resting at once, at most MATCH_MOST_ORDERS; default 65,536 */
	uint32_t max_levels; /* price levels of one side of one symbol; default 4,096 */
};

int match_open(struct match **out, const struct match_config *cfg); /* 0, -EINVAL, -ENOMEM */
void match_close(struct match *m);

/* Returns an index or -ENOSPC. */
int match_symbol(struct match *m, const char *name);
/* Returns an index or -ENOENT. */
int match_symbol_find(const struct match *m, const char *name);
const char *match_symbol_name(const struct match *m, uint16_t symbol);

/* A new order. Returns its number (*left is what rests in the book), or 0 when it is refused: no
 * shares, no price, no such symbol, or no room to rest. Events are added to the list. */
uint64_t match_enter(struct match *m, uint16_t symbol, char side, uint32_t shares, uint64_t price,
	bool ioc, void *owner, uint32_t *left);

/* Reduce a resting order to `keep` shares (0: all off). Returns 0, or -ENOENT: not in the book. */
int match_cancel(struct match *m, uint64_t order, uint32_t keep);

/* The order's owner and what is left of it; false: not in the book. */
bool match_find(const struct match *m, uint64_t order, void **owner, uint32_t *left);

/* Nobody owns that owner's orders any more: they stay, and their executions have no owner. */
void match_disown(struct match *m, const void *owner);

/* The next event, oldest first. False: none left. */
bool match_next(struct match *m, struct match_event *ev);

/* Best prices and their sizes; price 0: none. */
void match_best(
	const struct match *m, uint16_t symbol, char side, uint64_t *price, uint64_t *shares);

#endif
