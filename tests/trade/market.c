/* SPDX-License-Identifier: BSD-3-Clause
 * The exchange without its wires: what accounts are told, what the public is told, and that both
 * agree with the books.
 */
#include "apps/trade/market.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/feed/book.h"
#include "apps/feed/itch.h"
#include "tests/suite.h"

static struct market *m;
static uint64_t told[MARKET_ACCOUNTS], published; /* what was looked at already */
static enum ouch_version version;

static void begin(enum ouch_version v)
{
	const struct market_config cfg = {
		.version = v, .max_orders = 64, .log2_reports = 14, .log2_feed = 14};

	version = v;
	CU_ASSERT_EQUAL_FATAL(market_open(&m, &cfg), 0);
	CU_ASSERT_EQUAL(market_symbol(m, "CVLT", 0), 0);
	CU_ASSERT_EQUAL(market_account(m, "alice", "a"), 0);
	CU_ASSERT_EQUAL(market_account(m, "bob", "b"), 1);
	market_phase(m, true, 0);
	told[0] = told[1] = 2; /* past the system event */
	published = archive_next(market_feed(m));
}

static struct ouch order(uint64_t ref, char side, uint32_t shares, uint64_t price)
{
	struct ouch o = {.type = OUCH_ENTER,
		.ref = ref,
		.side = side,
		.shares = shares,
		.symbol = "CVLT",
		.price = price,
		.tif = '0',
		.tif_s = 99998};

	snprintf(o.token, sizeof(o.token), "T%d", (int)ref);
	return o;
}

static void send(int account, const struct ouch *o)
{
	uint8_t out[OUCH_MAX];
	int n = ouch_encode(version, OUCH_CLIENT, o, out);

	CU_ASSERT_FATAL(n > 0);
	market_input(m, account, out, (size_t)n, 42);
}

static void enter(int account, uint64_t ref, char side, uint32_t shares, uint64_t price)
{
	struct ouch o = order(ref, side, shares, price);

	send(account, &o);
}

/* The account's next report. */
static struct ouch expect(int account, char type, uint64_t ref, uint64_t shares)
{
	struct ouch got = {0};
	char token[15];
	size_t len;
	const void *data = archive_get(market_reports(m, account), told[account]++, &len);

	CU_ASSERT_PTR_NOT_NULL(data);
	if (!data)
		return got;
	CU_ASSERT_EQUAL(ouch_decode(version, OUCH_SERVER, data, len, &got), 0);
	CU_ASSERT_EQUAL(got.type, type);
	if (version == OUCH_50) {
		CU_ASSERT_EQUAL(got.ref, ref);
	} else {
		snprintf(token, sizeof(token), "T%d", (int)ref);
		CU_ASSERT_STRING_EQUAL(got.token, token);
	}
	if (type != OUCH_REJECTED)
		CU_ASSERT_EQUAL(got.shares, shares);
	CU_ASSERT_EQUAL(got.time_ns, 42);
	return got;
}

static void expect_quiet(int account)
{
	CU_ASSERT_EQUAL(told[account], archive_next(market_reports(m, account)));
}

/* The public's next message. */
static struct itch expect_public(char type)
{
	struct itch got = {0};
	size_t len;
	const void *data = archive_get(market_feed(m), published++, &len);

	CU_ASSERT_PTR_NOT_NULL(data);
	if (data)
		CU_ASSERT_EQUAL(itch_decode(data, len, &got), 0);
	CU_ASSERT_EQUAL(got.type, type);
	return got;
}

static void trade_in(enum ouch_version v)
{
	struct ouch r;
	struct itch i;

	begin(v);
	enter(0, 1, 'S', 100, 630200);
	r = expect(0, 'A', 1, 100);
	CU_ASSERT_EQUAL(r.state, 'L');
	CU_ASSERT_STRING_EQUAL(r.symbol, "CVLT");
	i = expect_public('A');
	CU_ASSERT_EQUAL(i.add.ref, r.order_ref);
	CU_ASSERT(i.add.side == 'S' && i.add.shares == 100 && i.add.price == 630200);
	enter(1, 1, 'B', 150, 630300);
	expect(1, 'A', 1, 150);
	r = expect(1, 'E', 1, 100);
	CU_ASSERT(r.price == 630200 && r.liquidity == 'R');
	r = expect(0, 'E', 1, 100);
	CU_ASSERT(r.price == 630200 && r.liquidity == 'A');
	i = expect_public('E');
	CU_ASSERT(i.executed.shares == 100 && i.executed.match == r.match);
	i = expect_public('A'); /* what is left of bob's */
	CU_ASSERT(i.add.side == 'B' && i.add.shares == 50);
	expect_quiet(0);
	expect_quiet(1);
	market_close(m);
}

static void trades(void)
{
	trade_in(OUCH_50);
	trade_in(OUCH_42);
}

static void cancel_in(enum ouch_version v)
{
	struct ouch x = {.type = OUCH_CANCEL, .ref = 1, .token = "T1", .shares = 30};

	begin(v);
	enter(0, 1, 'B', 100, 5000);
	expect(0, 'A', 1, 100);
	expect_public('A');
	send(0, &x);
	expect(0, 'C', 1, 70);
	CU_ASSERT_EQUAL(expect_public('X').cancel.shares, 70);
	x.shares = 0;
	send(0, &x);
	expect(0, 'C', 1, 30);
	expect_public('D');
	send(0, &x); /* too late: nothing is said */
	expect_quiet(0);
	CU_ASSERT_EQUAL(market_counters(m)->unknown_orders, 1);
	send(1, &x); /* somebody else's */
	expect_quiet(1);
	market_close(m);
}

static void cancels(void)
{
	cancel_in(OUCH_50);
	cancel_in(OUCH_42);
}

/* shares of a replacement count what has traded already. */
static void replaces(void)
{
	struct ouch u = {.type = OUCH_REPLACE,
		.old_ref = 1,
		.ref = 2,
		.shares = 120,
		.price = 5100,
		.tif = '0'};
	struct ouch r;

	begin(OUCH_50);
	enter(0, 1, 'B', 100, 5000);
	enter(1, 1, 'S', 40, 5000);
	expect(0, 'A', 1, 100);
	expect(0, 'E', 1, 40);
	send(0, &u);
	r = expect(0, 'U', 2, 80);
	CU_ASSERT(r.old_ref == 1 && r.price == 5100 && r.side == 'B');
	CU_ASSERT_STRING_EQUAL(r.symbol, "CVLT");
	expect_public('A');
	expect_public('E');
	expect_public('D');
	expect_public('A');
	u.ref = 3; /* the one that is replaced is no more */
	send(0, &u);
	expect(0, 'J', 3, 0);
	u.old_ref = 2;
	u.ref = 4;
	u.shares = 0;
	send(0, &u);
	expect(0, 'J', 4, 0);
	expect_quiet(0);
	market_close(m);
}

static void rejects(void)
{
	struct ouch o;

	begin(OUCH_50);
	enter(0, 1, 'B', 0, 5000);
	CU_ASSERT_EQUAL(expect(0, 'J', 1, 0).reason_code, 2);
	enter(0, 2, 'B', 1, 0);
	CU_ASSERT_EQUAL(expect(0, 'J', 2, 0).reason_code, 3);
	enter(0, 3, 'Q', 1, 1);
	CU_ASSERT_EQUAL(expect(0, 'J', 3, 0).reason_code, 4);
	o = order(4, 'B', 1, 1);
	strcpy(o.symbol, "NONE");
	send(0, &o);
	CU_ASSERT_EQUAL(expect(0, 'J', 4, 0).reason_code, 1);
	market_phase(m, false, 42);
	expect(0, 'S', 0, 0);
	enter(0, 5, 'B', 1, 1);
	CU_ASSERT_EQUAL(expect(0, 'J', 5, 0).reason_code, 5);
	expect_quiet(0);
	CU_ASSERT_EQUAL(market_counters(m)->rejects, 5);
	market_close(m);
}

/* 5.0: references only rise; what comes again is what was sent again. */
static void sent_again(void)
{
	begin(OUCH_50);
	enter(0, 7, 'B', 1, 1);
	expect(0, 'A', 7, 1);
	enter(0, 7, 'B', 1, 1);
	enter(0, 6, 'B', 1, 1);
	expect_quiet(0);
	CU_ASSERT_EQUAL(market_counters(m)->retransmitted, 2);
	market_input(m, 0, "Q", 1, 42);
	expect(0, 'Q', 8, 0);
	market_input(m, 0, "?", 1, 42);
	market_input(m, 0, "O", 1, 42);
	CU_ASSERT_EQUAL(market_counters(m)->malformed, 2);
	market_close(m);
}

static void ioc_and_no_room(void)
{
	struct ouch o = order(1, 'B', 10, 5000);
	uint64_t ref;

	begin(OUCH_50);
	o.tif = '3';
	send(0, &o);
	expect(0, 'A', 1, 10);
	expect(0, 'C', 1, 10);
	CU_ASSERT_EQUAL(published, archive_next(market_feed(m))); /* it was never in the book */
	for (ref = 2; ref < 2 + 64; ref++) {
		enter(0, ref, 'B', 1, ref);
		expect(0, 'A', ref, 1);
	}
	enter(0, ref, 'B', 1, 1);
	CU_ASSERT_EQUAL(expect(0, 'J', ref, 0).reason_code, 6);
	market_cancel_all(m, 0, NULL, 'D', 42);
	enter(0, ref + 1, 'B', 1, 1);
	told[0] += 64;
	expect(0, 'A', ref + 1, 1);
	market_close(m);
}

/* One message for all: of one account, of one symbol if it is named. */
static void mass_cancel(void)
{
	struct ouch all = {.type = OUCH_MASS_CANCEL, .ref = 10}, one = all,
		    o = order(3, 'B', 5, 50);

	begin(OUCH_50);
	market_symbol(m, "AAPL", 0);
	enter(0, 1, 'B', 10, 50);
	enter(1, 1, 'B', 10, 50);
	memcpy(o.symbol, "AAPL", 5);
	send(0, &o);
	told[0] += 2;
	told[1] += 1;
	memcpy(one.symbol, "AAPL", 5);
	send(0, &one);
	expect(0, 'X', 10, 0);
	expect(0, 'C', 3, 5);
	expect_quiet(0);
	send(0, &all); /* the reference was there before: it was sent again */
	expect_quiet(0);
	all.ref = 11;
	send(0, &all);
	expect(0, 'X', 11, 0);
	CU_ASSERT_EQUAL(expect(0, 'C', 1, 10).reason, 'U');
	expect_quiet(0);
	expect_quiet(1);
	CU_ASSERT_EQUAL(market_counters(m)->mass_cancels, 2);
	market_close(m);
}

/* The shares of a cancel and of a replace count what has traded. */
static void what_has_traded_counts(void)
{
	struct ouch x = {.type = OUCH_CANCEL, .ref = 1, .shares = 6};
	struct ouch u = {.type = OUCH_REPLACE, .old_ref = 1, .ref = 3, .shares = 4, .price = 50};

	begin(OUCH_50);
	enter(0, 1, 'B', 10, 50);
	enter(1, 1, 'S', 4, 50);
	told[0] += 2;
	send(0, &x);
	expect(0, 'C', 1, 4);
	send(0, &u);
	CU_ASSERT_EQUAL(expect(0, 'J', 3, 0).reason_code, 2);
	u.ref = 4;
	u.shares = 5;
	send(0, &u);
	expect(0, 'U', 4, 1);
	market_close(m);
}

/* Smaller, or a sale of another kind, in its place of the queue; the public sees only the size. */
static void modify_in(enum ouch_version v)
{
	struct ouch o = {.type = OUCH_MODIFY, .ref = 1, .token = "T1", .side = 'S', .shares = 8};
	struct itch i;

	begin(v);
	enter(0, 1, 'S', 10, 50);
	enter(0, 2, 'S', 10, 50);
	enter(1, 1, 'B', 3, 50); /* takes three of the first */
	told[0] += 3;
	told[1] += 2;
	published = archive_next(market_feed(m));
	send(0, &o);
	CU_ASSERT_EQUAL(expect(0, 'M', 1, 5).side, 'S'); /* of eight three have traded */
	i = expect_public('X');
	CU_ASSERT_EQUAL(i.cancel.shares, 2);
	send(0, &o); /* nothing to change */
	o.shares = 9;
	send(0, &o); /* nor does it grow */
	o.side = 'B';
	o.shares = 4;
	send(0, &o); /* nor become a purchase */
	if (v == OUCH_50)
		market_input(m, 0, "M\0\0\0\1\0\0\0\0\4", 10, 42); /* of no side */
	expect_quiet(0);
	o.side = 'T';
	o.shares = 100;
	send(0, &o); /* short now, the size stays */
	CU_ASSERT_EQUAL(expect(0, 'M', 1, 5).side, 'T');
	send(0, &o); /* as it is already */
	expect_quiet(0);
	CU_ASSERT_EQUAL(published, archive_next(market_feed(m)));
	CU_ASSERT_EQUAL(market_counters(m)->modified, 2);
	enter(1, 2, 'B', 1, 50); /* still first in the queue */
	expect(0, 'E', 1, 1);
	o.shares = 4; /* as many as have traded */
	send(0, &o);
	expect(0, 'M', 1, 0);
	expect_public('E');
	expect_public('D');
	send(0, &o); /* it is gone */
	CU_ASSERT_EQUAL(market_counters(m)->unknown_orders, 1);
	o = (struct ouch){
		.type = OUCH_MODIFY, .ref = 2, .token = "T2", .side = 'S', .shares = 5};
	told[1] += 2;
	send(1, &o); /* not its own: it has traded, and so is unknown */
	expect_quiet(0);
	expect_quiet(1);
	CU_ASSERT_EQUAL(market_counters(m)->malformed, 0);
	market_close(m);
}

static void modifies(void)
{
	modify_in(OUCH_50);
	modify_in(OUCH_42);
}

/* No more orders of this account, nor replacements, until it says otherwise; cancels go. */
static void disabled_and_enabled(void)
{
	struct ouch off = {.type = OUCH_DISABLE, .ref = 2, .firm = "FIRM"},
		    on = {.type = OUCH_ENABLE, .ref = 6, .firm = "FIRM"},
		    u = {.type = OUCH_REPLACE, .old_ref = 1, .ref = 4, .shares = 5, .price = 50},
		    x = {.type = OUCH_CANCEL, .ref = 1};

	begin(OUCH_50);
	enter(0, 1, 'B', 10, 50);
	expect(0, 'A', 1, 10);
	send(0, &off);
	CU_ASSERT_STRING_EQUAL(expect(0, 'G', 2, 0).firm, "FIRM");
	enter(0, 3, 'B', 10, 50);
	CU_ASSERT_EQUAL(expect(0, 'J', 3, 0).reason_code, 8);
	send(0, &u);
	CU_ASSERT_EQUAL(expect(0, 'J', 4, 0).reason_code, 8);
	enter(1, 1, 'B', 10, 50); /* somebody else's business */
	expect(1, 'A', 1, 10);
	send(0, &x);
	expect(0, 'C', 1, 10);
	on.ref = 2;
	send(0, &on); /* sent again, says its reference */
	expect_quiet(0);
	on.ref = 6;
	send(0, &on);
	CU_ASSERT_STRING_EQUAL(expect(0, 'K', 6, 0).firm, "FIRM");
	enter(0, 7, 'B', 10, 50);
	expect(0, 'A', 7, 10);
	expect_quiet(0);
	market_close(m);
}

static void logins(void)
{
	begin(OUCH_50);
	CU_ASSERT_EQUAL(market_login(m, "bob", "b"), 1);
	CU_ASSERT_EQUAL(market_login(m, "bob", "a"), -EACCES);
	CU_ASSERT_EQUAL(market_login(m, "carol", "b"), -ENOENT);
	market_close(m);
}

/* Random trading: books made of the feed are the matching engine's. */
static void the_public_sees_the_book(void)
{
	struct books_config cfg = {.max_orders = 1024, .max_books = 4};
	struct ouch x = {.type = OUCH_CANCEL};
	uint64_t ref[2] = {0}, price, shares, n;
	struct book_top top;
	struct books *b;
	const void *data;
	size_t len;
	int i, who;

	begin(OUCH_50);
	CU_ASSERT_EQUAL_FATAL(books_open(&b, &cfg), 0);
	srandom(11);
	for (i = 0, n = 1; i < 5000; i++) {
		who = (int)random() % 2;
		if (random() % 3 == 0 && ref[who] > 0) {
			x.ref = 1 + (uint64_t)random() % ref[who];
			send(who, &x);
		} else {
			enter(who, ++ref[who], random() % 2 ? 'B' : 'S',
				1 + (uint32_t)random() % 100, 1000 + (uint64_t)random() % 20);
		}
		for (; (data = archive_get(market_feed(m), n, &len)); n++)
			books_apply(b, data, len);
		books_top(b, 0, &top);
		match_best(market_match(m), 0, 'B', &price, &shares);
		CU_ASSERT(top.side[BOOK_BUY].price == price && top.side[BOOK_BUY].shares == shares);
		match_best(market_match(m), 0, 'S', &price, &shares);
		CU_ASSERT(
			top.side[BOOK_SELL].price == price && top.side[BOOK_SELL].shares == shares);
	}
	CU_ASSERT_EQUAL(books_counters(b)->unknown_order, 0);
	CU_ASSERT_EQUAL(books_counters(b)->overdrawn, 0);
	CU_ASSERT(market_counters(m)->executions > 100);
	books_close(b);
	market_close(m);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"trades", trades},
		{"cancels", cancels},
		{"replaces", replaces},
		{"rejects", rejects},
		{"sent again", sent_again},
		{"ioc and no room", ioc_and_no_room},
		{"mass cancel", mass_cancel},
		{"what has traded counts", what_has_traded_counts},
		{"modifies", modifies},
		{"disabled and enabled", disabled_and_enabled},
		{"logins", logins},
		{"the public sees the book", the_public_sees_the_book},
		{NULL, NULL},
	};

	alarm(25); /* a list that has become a ring is walked for ever */
	return suite_main("market", cases, argc, argv);
}
