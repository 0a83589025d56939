/* SPDX-License-Identifier: BSD-3-Clause
 * The desk: the orders of one session, the limits that every one must pass, and the prepared bytes
 * that become an order by patching four fields. A pure state machine: intents, reports and the time
 * go in, OUCH messages inside SoupBinTCP packets come out. No allocation after desk_open.
 *
 * Limits are judged by what could happen: a position counts with all of its open orders filled.
 * Prices have 4 implied decimals. One thread.
 */
#ifndef PERCH_APPS_TRADE_DESK_H
#define PERCH_APPS_TRADE_DESK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apps/feed/soup.h"
#include "apps/trade/ouch.h"

enum { DESK_SYMBOLS = 256, DESK_BYTES = SOUP_HEAD + 64 }; /* the longest packet that a desk makes */

/* Why an order did not leave. */
#define DESK_VERDICTS(X)                                                           \
	X(ok, "sent")                                                              \
	X(killed, "the kill switch is on")                                         \
	X(no_session, "there is no open session")                                  \
	X(no_ref, "the sequence store has not caught up with the references")      \
	X(symbol, "the symbol may not be traded")                                  \
	X(shares, "more shares than one order may have, or none")                  \
	X(notional, "more money than one order may move")                          \
	X(collar, "the price is too far from the last one seen, or there is none") \
	X(open, "too many orders are open")                                        \
	X(position, "the position could grow beyond its limit")                    \
	X(gross, "the day's notional would pass its limit")                        \
	X(rate, "too many orders in this second")

enum desk_verdict {
#define X(name, text) DESK_##name,
	DESK_VERDICTS(X)
#undef X
		DESK_VERDICTS_N,
};
const char *desk_verdict_name(enum desk_verdict v);
const char *desk_verdict_text(enum desk_verdict v);

struct desk_limits { /* 0: no limit, but for max_open, which is also the memory: default 4,096 */
	uint64_t max_shares;	 /* of an order */
	uint64_t max_notional;	 /* of an order, price x shares, 4 decimals */
	uint64_t collar_bp;	 /* distance from the reference price, 1/10,000 of it */
	uint32_t max_open;	 /* orders */
	uint64_t max_position;	 /* shares of a symbol, either way */
	uint64_t max_gross;	 /* notional sent since open */
	uint32_t max_per_second; /* orders; a bucket of as many */
};

struct desk_intent {
	uint16_t symbol; /* index that desk_symbol gave */
	char side;	 /* B or S */
	bool ioc;	 /* what is not filled at once is cancelled */
	uint32_t shares;
	uint64_t price;
};

struct desk_order {
	uint64_t ref;
	uint64_t price;
	uint32_t open; /* shares that may still trade */
	uint16_t symbol;
	char side;
	uint8_t state; /* enum desk_order_state */
	int64_t sent_ns;
};
enum desk_order_state { DESK_FREE, DESK_SENT, DESK_LIVE, DESK_CANCELING };

struct desk_symbol {
	char name[9];
	uint64_t reference; /* price that the collar is measured from; 0: none yet */
	int64_t position;   /* shares, bought less sold */
	uint64_t open_buy, open_sell;
};

struct desk {
	enum ouch_version version;
	char firm[5];
	struct desk_limits limits;
	bool killed, session_open;
	uint64_t next_ref, ref_ceiling; /* references below the ceiling may be used */
	uint64_t gross;
	uint64_t tokens_ns; /* rate bucket, in nanoseconds of orders */
	int64_t bucket_ns;
	uint32_t open, mask;
	uint16_t n_symbols;
	struct desk_symbol symbols[DESK_SYMBOLS];
	struct desk_order *orders; /* by ref & mask */
	uint8_t enter[DESK_BYTES]; /* prepared: the packet of an order */
	uint16_t enter_len;
	uint16_t at_ref, at_side, at_shares, at_symbol, at_price, at_tif;
	uint8_t price_width, tif_width;
	uint64_t verdicts[DESK_VERDICTS_N];
	uint64_t accepted, adopted, filled_shares, canceled, rejected, broken, unknown;
};

/* Returns 0 or -ENOMEM. first_ref: no reference below it is used. firm: in 4.2 of
 * orders, in 5.0 of mass cancels; at most 4 letters. */
int desk_open(struct desk *d, enum ouch_version v, const struct desk_limits *limits,
	uint64_t first_ref, const char *firm);
void desk_close(struct desk *d);

/* A symbol that may be traded. Returns its index or -ENOSPC. */
int desk_symbol(struct desk *d, const char *name);

/* The market moved: what collars are measured from. */
static inline void desk_reference(struct desk *d, uint16_t symbol, uint64_t price)
{
	d->symbols[symbol].reference = price;
}

/* Judge an order and, when it may go, write its packet to out[DESK_BYTES]; *len is its length (0
 * when it may not). The order is open from now on. */
enum desk_verdict desk_enter(
	struct desk *d, const struct desk_intent *i, int64_t now_ns, void *out, size_t *len);

/* The same, but the caller writes the order, with this reference, in a protocol of its own. */
enum desk_verdict desk_admit(
	struct desk *d, const struct desk_intent *i, int64_t now_ns, uint64_t *ref);

/* The same two, and afterwards nothing of d has changed, no counter either: for caches and branch
 * predictors, between orders that are rare. What they write must not be sent. */
enum desk_verdict desk_rehearse(
	struct desk *d, const struct desk_intent *i, int64_t now_ns, void *out, size_t *len);
enum desk_verdict desk_rehearse_admit(
	struct desk *d, const struct desk_intent *i, int64_t now_ns, uint64_t *ref);

/* Ask for the end of an order: the packet to out[DESK_BYTES]. Returns its length; 0: not open. */
size_t desk_cancel(struct desk *d, uint64_t ref, void *out);

/* Ask for the end of every open order, as packets in out while they fit. *cursor begins at 0.
 * Returns the bytes; 0 when all have been asked for. Works with the kill switch on. */
size_t desk_cancel_all(struct desk *d, uint32_t *cursor, void *out, size_t room);

/* Ask for the end of all of them in one packet, where the protocol has that (OUCH 5.0). Returns its
 * length; 0: it has not, or no session, or no reference for it. Works with the kill switch on. */
size_t desk_mass_cancel(struct desk *d, void *out);

/* The next open order, for who writes the cancel in a protocol of its own: it counts as asked for.
 * *cursor begins at 0. NULL: there are no more. */
const struct desk_order *desk_next_open(struct desk *d, uint32_t *cursor);

/* What the venue says. An acceptance of an order that the desk does not know is of an earlier life
 * and adopted, so that all reports of a session, from the first, make positions and open orders
 * what they were. Returns 0, or -ENOENT for an order that is not ours (counted). */
int desk_report(struct desk *d, const struct ouch *m);

/* No new orders from now on; cancels still go. */
static inline void desk_kill(struct desk *d)
{
	d->killed = true;
}

#endif
