/* SPDX-License-Identifier: BSD-3-Clause
 * Order books and price levels of chosen symbols, made of ITCH 5.0 messages. Memory is reserved by
 * books_open; what does not fit in it is refused and counted. One thread at a time.
 *
 * Orders of a price stand in the order in which they came, so a queue position can be told. Levels
 * are kept per side in one array, best price last, where the trade is.
 */
#ifndef PERCH_APPS_FEED_BOOK_H
#define PERCH_APPS_FEED_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct books_config {
	const char *const *symbols; /* NULL at the end: their books are numbered in this order;
	                             * NULL: every symbol, as it comes */
	uint32_t max_books;         /* default: as many as symbols, or 16,384 */
	uint32_t max_orders;        /* default 1,048,576 */
	uint32_t max_levels;        /* over all books; default: an eighth of max_orders */
	uint32_t depth;             /* levels of one side of a book; default 512 */
	uint64_t seed;              /* of the table of order numbers */
};

enum { BOOK_BUY, BOOK_SELL };

struct book_level {
	uint32_t price;             /* 4 decimals */
	uint32_t orders;
	uint64_t shares;
};

struct book_top {
	struct book_level side[2];  /* no orders: that side is empty */
};

#define BOOKS_COUNTERS(X)                                                                          \
	X(messages, "messages looked at")                                                          \
	X(booked, "messages that changed a book")                                                  \
	X(unknown_type, "messages of unknown types, skipped")                                      \
	X(malformed, "messages shorter than their type")                                           \
	X(unknown_order, "messages about orders that are not booked")                              \
	X(doubled_order, "orders added under a number that is taken")                              \
	X(overdrawn, "executions and cancels of more shares than there were")                      \
	X(no_room_books, "symbols that no book was left for")                                      \
	X(no_room_orders, "orders that no memory was left for")                                    \
	X(no_room_levels, "orders at a price that no level was left for")

struct books_counters {
#define BOOKS_FIELD(name, text) uint64_t name;
	BOOKS_COUNTERS(BOOKS_FIELD)
#undef BOOKS_FIELD
	uint64_t of_type[256];
};

struct books;

/* Returns 0, -EINVAL (a symbol of no or more than eight characters, or twice the same; sizes beyond
 * 2^31) or -ENOMEM. */
int books_open(struct books **out, const struct books_config *cfg);
void books_close(struct books *b);

/* Take one message in. */
void books_apply(struct books *b, const void *data, size_t len);

/* The same for several, in stages, so that their cache misses overlap. */
struct books_message {
	const void *data;
	size_t len;
};
enum { BOOKS_BURST = 32 };
void books_apply_burst(struct books *b, const struct books_message *m, unsigned n);

/* Forget all orders, and which locate is which symbol: before a snapshot or a session. */
void books_clear(struct books *b);

/* Books are numbered from 0. */
unsigned books_count(const struct books *b);
const char *books_symbol(const struct books *b, unsigned book, char text[9]);
/* The number of a book, or -1. */
int books_find(const struct books *b, const char *symbol);
char books_state(const struct books *b, unsigned book); /* H message; ' ': none came */
void books_top(const struct books *b, unsigned book, struct book_top *out);
/* Shares executed since books_open, and the last price, 0: none. */
void books_trades(const struct books *b, unsigned book, uint64_t *shares, uint32_t *price);
/* At most max levels from the best one on; returns how many. */
unsigned books_levels(
	const struct books *b, unsigned book, int side, struct book_level *out, unsigned max);

struct book_order {
	uint64_t ref;
	uint32_t shares, price;
	char side;       /* 'B' or 'S' */
	char mpid[4];    /* NUL first: not attributed */
};
/* At most max orders of a level (0: the best), those that are executed first coming first. */
unsigned books_orders(const struct books *b, unsigned book, int side, unsigned level,
	struct book_order *out, unsigned max);

/* The numbers of books of which the top has changed since the last call; returns how many. */
unsigned books_changed(struct books *b, uint32_t *out, unsigned max);

/* Everything that the books hold as bytes, the same for the same books whatever way led to them.
 * Returns how many bytes that takes; they are written if there is room for all of them. */
size_t books_dump(const struct books *b, void *out, size_t room);

/* A snapshot as GLIMPSE has it: R, H, A and F messages, each in a SoupBinTCP sequenced packet, then
 * a G message with next. Returns the bytes it takes, written if there is room for them all. */
size_t books_snapshot(const struct books *b, uint64_t next, void *out, size_t room);

const struct books_counters *books_counters(const struct books *b);

#endif
