/* SPDX-License-Identifier: BSD-3-Clause
 * An exchange without its wires: OUCH messages of accounts and the time go in; every account's
 * reports and one public ITCH 5.0 feed come out, as logs of numbered messages. A pure state
 * machine: the same messages at the same times give the same logs. All memory is taken at open. One
 * thread.
 *
 * Times are nanoseconds since midnight, as both protocols have them.
 */
#ifndef PERCH_APPS_TRADE_MARKET_H
#define PERCH_APPS_TRADE_MARKET_H

#include <stdbool.h>
#include <stdint.h>

#include "apps/feed/archive.h"
#include "apps/trade/match.h"
#include "apps/trade/ouch.h"

enum { MARKET_ACCOUNTS = 16, MARKET_HOUSE = -1 };

struct market_config { /* zero means default */
	enum ouch_version version;
	uint32_t max_orders;   /* resting at once; default 65,536 */
	uint32_t max_levels;   /* as in match_config */
	unsigned log2_reports; /* kept of each account's reports, 2^this; default 16 */
	unsigned log2_feed;    /* of the feed; default 20 */
};

/* Why an order was refused, as the letter of 4.2; 5.0 sends its number in the list, from 1. */
enum market_reject {
	MARKET_BAD_SYMBOL = 'S',
	MARKET_BAD_SHARES = 'Z',
	MARKET_BAD_PRICE = 'X',
	MARKET_BAD_SIDE = 'I',
	MARKET_CLOSED = 'C',
	MARKET_NO_ROOM = 'O',
	MARKET_BAD_REPLACE = 'R',
	MARKET_DISABLED = 'D',
};

struct market_counters {
	uint64_t orders, executions, cancels, rejects, retransmitted, malformed, unknown_orders,
		mass_cancels, modified;
};

struct market;

int market_open(struct market **out, const struct market_config *cfg); /* 0, -EINVAL, -ENOMEM */
void market_close(struct market *m);

/* Returns its index, or -ENOSPC. Symbols are announced by Stock Directory messages. */
int market_symbol(struct market *m, const char *name, int64_t now_ns);
/* Returns its index, -ENOSPC or -ENOMEM. */
int market_account(struct market *m, const char *name, const char *password);
/* Returns the account's index, -ENOENT or -EACCES. */
int market_login(const struct market *m, const char *name, const char *password);

/* Open or close for orders: system events to the feed and to every account. */
void market_phase(struct market *m, bool open, int64_t now_ns);

/* One OUCH message of an account. What it causes stands in the logs when this returns. */
void market_input(struct market *m, int account, const void *data, size_t len, int64_t now_ns);

/* An order of the house, for a market that is not empty. Returns its number or 0. */
uint64_t market_house(struct market *m, uint16_t symbol, char side, uint32_t shares, uint64_t price,
	int64_t now_ns);
/* Take one off. Returns 0 or -ENOENT. */
int market_house_cancel(struct market *m, uint64_t order, int64_t now_ns);

/* All orders of an account, of one symbol or of all (NULL); reason as reports have it: D after a
 * lost connection, U when the account asks for it. */
void market_cancel_all(
	struct market *m, int account, const char *symbol, char reason, int64_t now_ns);

const struct archive *market_reports(const struct market *m, int account);
const struct archive *market_feed(const struct market *m);
const struct market_counters *market_counters(const struct market *m);
struct match *market_match(struct market *m);

#endif
