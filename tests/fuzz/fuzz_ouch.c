/* SPDX-License-Identifier: BSD-3-Clause
 * OUCH of either version from either side: a message that is understood is written as it was; a
 * desk's positions and a market's books bear whatever comes.
 */
#include <stdlib.h>
#include <string.h>

#include "apps/trade/desk.h"
#include "apps/trade/market.h"
#include "tests/fuzz/target.h"

enum { MESSAGE_MAX = 255, ORDERS = 32 };

static const struct desk_limits limits = {.max_open = ORDERS, .max_shares = 1000000};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

/* In memory of its own size: reading behind it is an error to ASan. */
static uint8_t *take(struct fuzz_input *in, size_t *len)
{
	uint8_t *bytes, want = fuzz_take8(in);
	size_t i, left = (size_t)(in->end - in->at);

	*len = want < left ? want : left;
	bytes = malloc(*len ? *len : 1);
	for (i = 0; i < *len; i++)
		bytes[i] = fuzz_take8(in);
	return bytes;
}

static void walk_tags(const struct ouch *m)
{
	struct ouch_tag t;
	size_t at = 0, last;

	for (last = at; ouch_next_tag(m, &at, &t) == 1; last = at) {
		promise(at > last && at <= m->appendage_len);
		promise(t.len == 0 || t.value + t.len == m->appendage + at);
	}
}

/* What was understood says the same when it is written and read again. */
static void there_and_back(enum ouch_version v, enum ouch_from from, const struct ouch *m)
{
	uint8_t out[OUCH_MAX], again[OUCH_MAX];
	struct ouch back;
	int n = ouch_encode(v, from, m, out);

	if (m->appendage_len > UINT8_MAX) {
		promise(n < 0);
		return;
	}
	promise(n > 0 && n <= OUCH_MAX);
	promise(ouch_decode(v, from, out, (size_t)n, &back) == 0);
	promise(ouch_encode(v, from, &back, again) == n && memcmp(out, again, (size_t)n) == 0);
}

/* ---- who must bear it ----------------------------------------------------------------------- */

static void check_desk(const struct desk *d)
{
	uint64_t buy = 0, sell = 0;
	uint32_t i, open = 0;

	for (i = 0; i <= d->mask; i++) {
		const struct desk_order *o = &d->orders[i];

		if (o->state == DESK_FREE)
			continue;
		open++;
		*(o->side == 'B' ? &buy : &sell) += o->open;
	}
	promise(open == d->open && open <= d->limits.max_open);
	promise(buy == d->symbols[0].open_buy && sell == d->symbols[0].open_sell);
}

static void to_desk(struct fuzz_input *in, enum ouch_version v)
{
	struct desk_intent i = {.shares = 1};
	uint8_t out[DESK_BYTES], *bytes, what;
	struct ouch m;
	struct desk d;
	size_t len;

	promise(desk_open(&d, v, &limits, 1, "LIME") == 0);
	desk_symbol(&d, "A");
	d.session_open = true;
	while (in->at < in->end) {
		what = fuzz_take8(in);
		i.side = what & 1 ? 'B' : 'S';
		i.price = i.shares = what;
		if (what < 64)
			desk_enter(&d, &i, what, out, &len);
		else if (what < 72)
			desk_cancel(&d, fuzz_take8(in), out);
		bytes = take(in, &len);
		if (what >= 72 && ouch_decode(v, OUCH_SERVER, bytes, len, &m) == 0)
			desk_report(&d, &m);
		free(bytes);
		check_desk(&d);
	}
	desk_close(&d);
}

static void to_market(struct fuzz_input *in, enum ouch_version v)
{
	const struct market_config cfg = {.version = v,
		.max_orders = ORDERS,
		.max_levels = ORDERS,
		.log2_reports = 6,
		.log2_feed = 6};
	uint64_t bid, ask, n;
	struct market *m;
	uint8_t *bytes;
	size_t len;

	promise(market_open(&m, &cfg) == 0);
	market_symbol(m, "A", 0);
	market_account(m, "a", "a");
	market_account(m, "b", "b");
	market_phase(m, true, 0);
	while (in->at < in->end) {
		int account = fuzz_take8(in) & 1;

		bytes = take(in, &len);
		market_input(m, account, bytes, len, 1);
		free(bytes);
		match_best(market_match(m), 0, 'B', &bid, &n);
		match_best(market_match(m), 0, 'S', &ask, &n);
		promise(bid == 0 || ask == 0 || bid < ask);
	}
	market_close(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = {data, data + len};
	uint8_t how = fuzz_take8(&in);
	enum ouch_version v = how & 1 ? OUCH_50 : OUCH_42;
	enum ouch_from from = how & 2 ? OUCH_SERVER : OUCH_CLIENT;
	struct ouch m;
	uint8_t *bytes;
	size_t n;

	if (how & 4) {
		(from == OUCH_SERVER ? to_desk : to_market)(&in, v);
		return 0;
	}
	bytes = take(&in, &n);
	if (ouch_decode(v, from, bytes, n, &m) == 0) {
		walk_tags(&m);
		there_and_back(v, from, &m);
	}
	free(bytes);
	return 0;
}
