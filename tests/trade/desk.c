/* SPDX-License-Identifier: BSD-3-Clause
 * The desk: each limit alone, orders through their lives, and the kill switch.
 */
#include "apps/trade/desk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"

#define SECOND INT64_C(1000000000)

static struct desk d;

static void begin(enum ouch_version v, const struct desk_limits *l)
{
	CU_ASSERT_EQUAL_FATAL(desk_open(&d, v, l, 113, "LIME"), 0);
	d.session_open = true;
	CU_ASSERT_EQUAL(desk_symbol(&d, "CVLT"), 0);
	CU_ASSERT_EQUAL(desk_symbol(&d, "AAPL"), 1);
	desk_reference(&d, 0, 630000);
}

static enum desk_verdict enter_as(char side, uint32_t shares, uint64_t price, int64_t now_ns)
{
	const struct desk_intent i = {.side = side, .shares = shares, .price = price};
	uint8_t out[DESK_BYTES];
	size_t len;
	enum desk_verdict v = desk_enter(&d, &i, now_ns, out, &len);

	CU_ASSERT_EQUAL(len > 0, v == DESK_ok);
	return v;
}

static enum desk_verdict enter(uint32_t shares, uint64_t price)
{
	return enter_as('B', shares, price, 0);
}

static int report(char type, uint64_t ref, uint64_t shares)
{
	struct ouch m = {.type = type, .ref = ref, .shares = shares, .state = 'L'};

	return desk_report(&d, &m);
}

/* The patched bytes are what encoding would have made. */
static void prepared_is_encoded(enum ouch_version v, bool ioc)
{
	const struct desk_limits none = {0};
	const struct desk_intent i = {
		.symbol = 1, .side = 'S', .ioc = ioc, .shares = 225, .price = 630200};
	struct ouch m = {.type = 'O',
		.ref = 113,
		.token = "00000000000113",
		.side = 'S',
		.shares = 225,
		.symbol = "AAPL",
		.price = 630200,
		.tif = '0',
		.tif_s = 99998,
		.firm = "LIME",
		.display = 'Y',
		.capacity = 'P',
		.iso = 'N',
		.cross = 'N',
		.customer = 'N'};
	uint8_t out[DESK_BYTES], want[OUCH_MAX];
	size_t len;
	int n;

	begin(v, &none);
	if (ioc) {
		m.tif = '3';
		m.tif_s = 0;
	}
	if (v == OUCH_50)
		memset(m.token, ' ', 14);
	n = ouch_encode(v, OUCH_CLIENT, &m, want);
	CU_ASSERT_EQUAL(desk_enter(&d, &i, 0, out, &len), DESK_ok);
	CU_ASSERT_EQUAL(len, (size_t)n + SOUP_HEAD);
	CU_ASSERT(out[0] == 0 && out[1] == n + 1 && out[2] == 'U');
	CU_ASSERT_EQUAL(memcmp(out + SOUP_HEAD, want, (size_t)n), 0);
	desk_close(&d);
}

static void prepared_orders(void)
{
	prepared_is_encoded(OUCH_42, false);
	prepared_is_encoded(OUCH_42, true);
	prepared_is_encoded(OUCH_50, false);
	prepared_is_encoded(OUCH_50, true);
}

static void limits_of_an_order(void)
{
	const struct desk_limits l = {
		.max_shares = 500, .max_notional = 300 * 630000, .collar_bp = 100};

	begin(OUCH_50, &l);
	CU_ASSERT_EQUAL(enter(300, 630000), DESK_ok);
	CU_ASSERT_EQUAL(enter(0, 630000), DESK_shares);
	CU_ASSERT_EQUAL(enter(501, 630000), DESK_shares);
	CU_ASSERT_EQUAL(enter(301, 630000), DESK_notional);
	CU_ASSERT_EQUAL(enter(1, UINT64_MAX), DESK_notional);
	CU_ASSERT_EQUAL(enter(2, UINT64_MAX), DESK_notional); /* the product overflows */
	CU_ASSERT_EQUAL(enter(2, UINT64_C(1) << 63), DESK_notional);
	CU_ASSERT_EQUAL(enter(1, 630000 + 6300), DESK_ok);    /* 100 basis points */
	CU_ASSERT_EQUAL(enter(1, 630000 + 6301), DESK_collar);
	CU_ASSERT_EQUAL(enter(1, 630000 - 6301), DESK_collar);
	CU_ASSERT_EQUAL(enter(1, 630000 + 429497), DESK_collar); /* 10,000 times that is 2^32 */
	d.symbols[0].reference = 0;
	CU_ASSERT_EQUAL(enter(1, 630000), DESK_collar);
	CU_ASSERT_EQUAL(enter(1, 0), DESK_collar);
	CU_ASSERT_EQUAL(d.verdicts[DESK_collar], 5);
	desk_close(&d);
}

static void limits_of_all_orders(void)
{
	const struct desk_limits l = {.max_open = 2, .max_gross = 30 * 100};

	begin(OUCH_50, &l);
	CU_ASSERT_EQUAL(enter(10, 100), DESK_ok);
	CU_ASSERT_EQUAL(enter(10, 100), DESK_ok);
	CU_ASSERT_EQUAL(enter(10, 100), DESK_open);
	CU_ASSERT_EQUAL(report('C', 113, 10), 0);
	CU_ASSERT_EQUAL(enter(11, 100), DESK_gross);
	CU_ASSERT_EQUAL(enter(10, 100), DESK_ok);
	CU_ASSERT_EQUAL(d.gross, 3000);
	desk_close(&d);
}

/* What could be filled counts, and what was. */
static void limit_of_position(void)
{
	const struct desk_limits l = {.max_position = 100};

	begin(OUCH_50, &l);
	CU_ASSERT_EQUAL(enter(60, 1), DESK_ok); /* 113 */
	CU_ASSERT_EQUAL(enter(41, 1), DESK_position);
	CU_ASSERT_EQUAL(enter(40, 1), DESK_ok); /* 114 */
	CU_ASSERT_EQUAL(report('E', 113, 60), 0);
	CU_ASSERT_EQUAL(d.symbols[0].position, 60);
	CU_ASSERT_EQUAL(enter(1, 1), DESK_position);
	CU_ASSERT_EQUAL(report('C', 114, 40), 0);
	CU_ASSERT_EQUAL(enter(40, 1), DESK_ok);
	CU_ASSERT_EQUAL(enter_as('S', 160, 1, 0), DESK_ok); /* from 60 to -100 */
	CU_ASSERT_EQUAL(enter_as('S', 1, 1, 0), DESK_position);
	desk_close(&d);
}

static void limit_of_rate(void)
{
	const struct desk_limits l = {.max_per_second = 10};
	unsigned i;

	begin(OUCH_50, &l);
	for (i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(enter_as('B', 1, 1, SECOND), DESK_ok);
	CU_ASSERT_EQUAL(enter_as('B', 1, 1, SECOND), DESK_rate);
	CU_ASSERT_EQUAL(enter_as('B', 1, 1, SECOND + SECOND / 10 - 1), DESK_rate);
	CU_ASSERT_EQUAL(enter_as('B', 1, 1, SECOND + SECOND / 10), DESK_ok);
	CU_ASSERT_EQUAL(enter_as('B', 1, 1, SECOND + SECOND / 10), DESK_rate);
	desk_close(&d);
}

static void lives_of_orders(void)
{
	const struct desk_limits none = {0};
	struct ouch dead = {.type = 'A', .ref = 115, .state = 'D'};
	uint8_t out[DESK_BYTES];

	begin(OUCH_50, &none);
	enter(100, 1);
	enter_as('S', 50, 1, 0);
	enter(10, 1);
	CU_ASSERT_EQUAL(d.orders[113 & d.mask].state, DESK_SENT);
	CU_ASSERT_EQUAL(report('A', 113, 100), 0);
	CU_ASSERT_EQUAL(d.orders[113 & d.mask].state, DESK_LIVE);
	CU_ASSERT_EQUAL(report('E', 113, 30), 0);
	CU_ASSERT_EQUAL(d.symbols[0].open_buy, 80);
	CU_ASSERT_EQUAL(d.symbols[0].position, 30);
	CU_ASSERT_EQUAL(report('E', 114, 50), 0);
	CU_ASSERT_EQUAL(d.symbols[0].position, -20);
	CU_ASSERT_EQUAL(report('E', 114, 1), -ENOENT); /* all of it was done */
	CU_ASSERT_EQUAL(desk_report(&d, &dead), 0);
	CU_ASSERT_EQUAL(d.open, 1);
	CU_ASSERT(desk_cancel(&d, 113, out) > 0);
	CU_ASSERT(out[SOUP_HEAD] == 'X' && out[SOUP_HEAD + 4] == 113);
	CU_ASSERT_EQUAL(d.orders[113 & d.mask].state, DESK_CANCELING);
	CU_ASSERT_EQUAL(report('A', 113, 100), 0); /* said again */
	CU_ASSERT_EQUAL(d.orders[113 & d.mask].state, DESK_CANCELING);
	CU_ASSERT_EQUAL(report('I', 113, 0), 0); /* not to be had */
	CU_ASSERT_EQUAL(d.orders[113 & d.mask].state, DESK_LIVE);
	CU_ASSERT_EQUAL(report('C', 113, 20), 0); /* a part of it, as the venue likes */
	CU_ASSERT_EQUAL(d.symbols[0].open_buy, 50);
	CU_ASSERT_EQUAL(report('B', 113, 0), 0);
	CU_ASSERT_EQUAL(report('F', 113, 0), 0);
	CU_ASSERT_EQUAL(d.broken, 2);
	CU_ASSERT_EQUAL(d.filled_shares, 80);
	CU_ASSERT_EQUAL(desk_cancel(&d, 114, out), 0);
	CU_ASSERT_EQUAL(report('J', 113, 0), 0);
	CU_ASSERT_EQUAL(d.open, 0);
	CU_ASSERT_EQUAL(d.symbols[0].open_buy, 0);
	CU_ASSERT_EQUAL(report('A', 9999, 1), -ENOENT); /* of no symbol of ours */
	CU_ASSERT_EQUAL(d.unknown, 2);
	CU_ASSERT_EQUAL(report('I', 113, 0), 0); /* too late a cancel is nothing strange */
	CU_ASSERT_EQUAL(d.unknown, 2);
	CU_ASSERT_EQUAL(report('I', 9999, 0), -ENOENT); /* one of no order is */
	CU_ASSERT_EQUAL(d.unknown, 3);
	CU_ASSERT_EQUAL(report('S', 0, 0), 0);
	desk_close(&d);
}

/* After a restart the session's reports, from the first, say what was. */
static void an_earlier_life(void)
{
	struct ouch m = {.type = 'A',
		.ref = 7,
		.side = 'T',
		.shares = 100,
		.symbol = "AAPL",
		.price = 5,
		.state = 'L'};
	const struct desk_limits none = {0};

	begin(OUCH_50, &none);
	CU_ASSERT_EQUAL(desk_report(&d, &m), 0);
	CU_ASSERT_EQUAL(d.adopted, 1);
	CU_ASSERT_EQUAL(d.symbols[1].open_sell, 100);
	CU_ASSERT_EQUAL(report('E', 7, 30), 0);
	CU_ASSERT_EQUAL(d.symbols[1].position, -30);
	CU_ASSERT_EQUAL(report('C', 7, 70), 0);
	CU_ASSERT_EQUAL(d.open, 0);
	CU_ASSERT_EQUAL(d.symbols[1].open_sell, 0);
	desk_close(&d);
}

static void tokens_of_42(void)
{
	struct ouch m = {.type = 'E', .token = "00000000000113", .shares = 5};
	const struct desk_limits none = {0};

	begin(OUCH_42, &none);
	enter(5, 1);
	CU_ASSERT_EQUAL(desk_report(&d, &m), 0);
	CU_ASSERT_EQUAL(d.open, 0);
	desk_close(&d);
}

/* What is just within a limit, and what names nothing of ours. */
static void at_the_edges(void)
{
	const struct desk_limits l = {.max_shares = 100, .max_open = 1};
	struct ouch m = {
		.type = OUCH_ACCEPTED, .ref = 8, .shares = 5, .side = 'B', .symbol = "CVLT"};
	struct desk_intent i = {.symbol = 2, .side = 'B', .shares = 1, .price = 1};
	const struct desk_order *o;
	uint8_t out[DESK_BYTES];
	uint32_t cursor = 0;
	size_t len;

	begin(OUCH_50, &l);
	CU_ASSERT_EQUAL(desk_enter(&d, &i, 0, out, &len), DESK_symbol);
	CU_ASSERT_EQUAL(enter(101, 1), DESK_shares);
	CU_ASSERT_EQUAL(enter(100, 1), DESK_ok);
	CU_ASSERT_EQUAL(report(OUCH_ACCEPTED, 113 + d.mask + 1, 1), -ENOENT); /* its slot's twin */
	CU_ASSERT_EQUAL(report(OUCH_EXECUTED, 113 + d.mask + 1, 1), -ENOENT);
	CU_ASSERT_EQUAL(desk_report(&d, &m), -ENOENT); /* an earlier life's: there is no room */
	CU_ASSERT(d.open == 1 && d.symbols[0].position == 0 && d.adopted == 0);
	o = desk_next_open(&d, &cursor); /* sent, and no word of it yet: it may be live */
	CU_ASSERT(o && o->ref == 113 && o->state == DESK_CANCELING);
	CU_ASSERT_PTR_NULL(desk_next_open(&d, &cursor));
	m = (struct ouch){.type = OUCH_ACCEPTED, .ref = 113, .state = 'D', .shares = 100};
	desk_report(&d, &m);
	CU_ASSERT(d.open == 0 && d.symbols[0].open_buy == 0);
	desk_close(&d);
}

static void killed(void)
{
	const struct desk_limits none = {0};
	uint8_t out[2 * DESK_BYTES];
	uint32_t cursor = 0;
	size_t n, all = 0;
	unsigned i;

	begin(OUCH_50, &none);
	for (i = 0; i < 6; i++)
		enter(1, 1);
	CU_ASSERT_EQUAL(report('C', 115, 1), 0); /* it is over already */
	desk_kill(&d);
	CU_ASSERT_EQUAL(enter(1, 1), DESK_killed);
	while ((n = desk_cancel_all(&d, &cursor, out, sizeof(out))) > 0)
		all += n;
	CU_ASSERT_EQUAL(all, 5 * (SOUP_HEAD + 9));
	cursor = 0;
	CU_ASSERT_EQUAL(desk_cancel_all(&d, &cursor, out, DESK_BYTES - 1), 0); /* no room for one */
	d.session_open = false;
	CU_ASSERT_EQUAL(desk_cancel_all(&d, &cursor, out, sizeof(out)), 0);
	desk_close(&d);
}

/* References go on around an order that rests, however many come and go. */
static void one_that_rests(void)
{
	const struct desk_limits l = {.max_open = 2};
	struct desk_intent i = {.side = 'B', .shares = 1, .price = 1};
	uint64_t last = 113, ref;
	unsigned n;

	begin(OUCH_50, &l);
	CU_ASSERT_EQUAL(enter(1, 1), DESK_ok); /* 113 */
	for (n = 0; n < 100; n++) {
		CU_ASSERT_EQUAL_FATAL(desk_admit(&d, &i, 0, &ref), DESK_ok);
		CU_ASSERT(ref > last && (ref & d.mask) != (113 & d.mask));
		CU_ASSERT_EQUAL(report('C', ref, 1), 0);
		last = ref;
	}
	CU_ASSERT_EQUAL(report('E', 113, 1), 0); /* it is still the one that it was */
	CU_ASSERT_EQUAL(d.symbols[0].position, 1);
	desk_close(&d);
}

/* One message where the protocol has one, with a reference of its own. */
static void killed_at_once(void)
{
	const struct desk_limits none = {0};
	uint8_t out[DESK_BYTES];
	struct ouch m;

	begin(OUCH_50, &none);
	enter(1, 1);
	desk_kill(&d);
	CU_ASSERT_EQUAL(desk_mass_cancel(&d, out), SOUP_HEAD + 19);
	CU_ASSERT_EQUAL(ouch_decode(OUCH_50, OUCH_CLIENT, out + SOUP_HEAD, 19, &m), 0);
	CU_ASSERT(m.type == OUCH_MASS_CANCEL && m.ref == 114 && !m.symbol[0]);
	CU_ASSERT_STRING_EQUAL(m.firm, "LIME");
	CU_ASSERT_EQUAL(report(OUCH_MASS_CANCELED, 114, 0), 0);
	CU_ASSERT_EQUAL(d.unknown, 0);
	d.ref_ceiling = 115;
	CU_ASSERT_EQUAL(desk_mass_cancel(&d, out), 0);
	d.ref_ceiling = UINT64_MAX;
	d.session_open = false;
	CU_ASSERT_EQUAL(desk_mass_cancel(&d, out), 0);
	desk_close(&d);
	begin(OUCH_42, &none);
	CU_ASSERT_EQUAL(desk_mass_cancel(&d, out), 0);
	CU_ASSERT_EQUAL(d.next_ref, 113); /* none was used for it */
	desk_close(&d);
}

/* What a rehearsal writes is what the next order is; nothing else of it is left. */
static void rehearse(const struct desk_intent *i, enum desk_verdict want)
{
	struct desk before = d;
	size_t bytes = (d.mask + 1) * sizeof(*d.orders), len = 1, sent;
	struct desk_order *orders = malloc(bytes);
	uint8_t out[DESK_BYTES], real[DESK_BYTES];
	uint64_t ref;

	CU_ASSERT_PTR_NOT_NULL_FATAL(orders);
	memcpy(orders, d.orders, bytes);
	CU_ASSERT_EQUAL(desk_rehearse(&d, i, 7, out, &len), want);
	CU_ASSERT_EQUAL(len > 0, want == DESK_ok);
	CU_ASSERT_EQUAL(desk_rehearse_admit(&d, i, 7, &ref), want);
	CU_ASSERT_EQUAL(memcmp(&d, &before, sizeof(d)), 0);
	CU_ASSERT_EQUAL(memcmp(d.orders, orders, bytes), 0);
	free(orders);
	if (want != DESK_ok)
		return;
	CU_ASSERT_EQUAL(ref, d.next_ref);
	CU_ASSERT_EQUAL(desk_enter(&d, i, 7, real, &sent), DESK_ok);
	CU_ASSERT_EQUAL(sent, len);
	CU_ASSERT_EQUAL(memcmp(out, real, len), 0);
}

static void rehearsed(void)
{
	const struct desk_limits l = {.max_open = 8, .max_shares = 100, .collar_bp = 100,
		.max_per_second = 1, .max_gross = 1000 * 630000, .max_position = 500};
	struct desk_intent i = {.side = 'B', .shares = 50, .price = 630000};

	begin(OUCH_50, &l);
	rehearse(&i, DESK_ok);
	rehearse(&i, DESK_rate); /* the order after it took what there was */
	d.tokens_ns = SECOND;
	i.side = 'S';
	rehearse(&i, DESK_ok);
	d.tokens_ns = SECOND;
	i.shares = 101;
	rehearse(&i, DESK_shares);
	i.shares = 1;
	i.price = 700000;
	rehearse(&i, DESK_collar);
	i.price = 630000;
	i.symbol = 2; /* there are two */
	rehearse(&i, DESK_symbol);
	i.symbol = UINT16_MAX;
	rehearse(&i, DESK_symbol);
	i.symbol = 0;
	desk_kill(&d);
	rehearse(&i, DESK_killed);
	desk_close(&d);
	begin(OUCH_42, &l);
	rehearse(&i, DESK_ok);
	d.session_open = false;
	rehearse(&i, DESK_no_session);
	desk_close(&d);
}

static void no_session_no_reference(void)
{
	const struct desk_limits none = {0};

	begin(OUCH_50, &none);
	d.session_open = false;
	CU_ASSERT_EQUAL(enter(1, 1), DESK_no_session);
	d.session_open = true;
	d.ref_ceiling = 114;
	CU_ASSERT_EQUAL(enter(1, 1), DESK_ok);
	CU_ASSERT_EQUAL(enter(1, 1), DESK_no_ref);
	desk_close(&d);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"prepared orders", prepared_orders},
		{"limits of an order", limits_of_an_order},
		{"limits of all orders", limits_of_all_orders},
		{"limit of position", limit_of_position},
		{"limit of rate", limit_of_rate},
		{"lives of orders", lives_of_orders},
		{"an earlier life", an_earlier_life},
		{"tokens of 4.2", tokens_of_42},
		{"at the edges", at_the_edges},
		{"killed", killed},
		{"one that rests", one_that_rests},
		{"killed at once", killed_at_once},
		{"rehearsed", rehearsed},
		{"no session, no reference", no_session_no_reference},
		{NULL, NULL},
	};

	return suite_main("desk", cases, argc, argv);
}
