/* SPDX-License-Identifier: BSD-3-Clause
 * The order flow: a day's opening, orders around a price that wanders, the day's end.
 */
#include "apps/feed/flow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/feed/chance.h"

enum {
	TICK = 100,         /* a cent */
	BAND = 40,          /* ticks on either side of the middle */
	OPENING_NS = 34200, /* 9:30, in s */
	DEFAULT_SYMBOLS = 8, DEFAULT_LIVE = 64, DEFAULT_GAP_NS = 1000,
};

struct live {
	uint64_t ref;
	uint32_t shares, price;
	char side;
	char mpid[4];
};

struct symbol {
	char stock[8];
	uint32_t middle;    /* buyers bid less, sellers ask more */
	uint32_t n;
	struct live *live;
};

struct flow {
	struct flow_config cfg;
	struct chance chance;
	struct symbol *symbols;
	struct live *live;  /* 2 * cfg.live for each symbol */
	uint64_t time_ns, made, next_ref, next_match;
};

int flow_open(struct flow **out, const struct flow_config *cfg)
{
	struct flow *f = calloc(1, sizeof(*f));
	uint32_t i;
	char name[16];

	*out = NULL;
	if (!f)
		return -ENOMEM;
	f->cfg = *cfg;
	f->cfg.symbols = cfg->symbols ? cfg->symbols : DEFAULT_SYMBOLS;
	f->cfg.live = cfg->live ? cfg->live : DEFAULT_LIVE;
	f->cfg.gap_ns = cfg->gap_ns ? cfg->gap_ns : DEFAULT_GAP_NS;
	f->chance.state = cfg->seed;
	f->time_ns = OPENING_NS * UINT64_C(1000000000);
	f->next_ref = f->next_match = 1;
	f->symbols = calloc(f->cfg.symbols, sizeof(*f->symbols));
	f->live = calloc((size_t)f->cfg.symbols * 2 * f->cfg.live, sizeof(*f->live));
	if (!f->symbols || !f->live || f->cfg.symbols > 9999) {
		flow_close(f);
		return cfg->symbols > 9999 ? -EINVAL : -ENOMEM;
	}
	for (i = 0; i < f->cfg.symbols; i++) {
		snprintf(name, sizeof(name), "S%04u   ", i + 1);
		memcpy(f->symbols[i].stock, name, 8);
		f->symbols[i].live = f->live + (size_t)i * 2 * f->cfg.live;
		f->symbols[i].middle = (1000 + chance_below(&f->chance, 20000)) * TICK;
	}
	*out = f;
	return 0;
}

void flow_close(struct flow *f)
{
	if (!f)
		return;
	free(f->symbols);
	free(f->live);
	free(f);
}

/* ---- orders --------------------------------------------------------------------------------- */

static uint32_t lots(struct flow *f)
{
	return 100 * (1 + chance_below(&f->chance, 10));
}

/* Near the middle more often than far from it. */
static uint32_t price_for(struct flow *f, const struct symbol *s, char side)
{
	uint32_t a = chance_below(&f->chance, BAND), b = chance_below(&f->chance, BAND);
	uint32_t away = (1 + (a < b ? a : b)) * TICK;

	return side == 'B' ? s->middle - away : s->middle + away;
}

/* The middle moves a tick if nobody is in its way. */
static void wander(struct flow *f, struct symbol *s)
{
	uint32_t to = chance_below(&f->chance, 2) ? s->middle + TICK : s->middle - TICK, i;

	for (i = 0; i < s->n; i++)
		if (s->live[i].price == to)
			return;
	if (to > 2 * BAND * TICK)
		s->middle = to;
}

static void add(struct flow *f, struct symbol *s, struct itch *m)
{
	struct live *o = &s->live[s->n++];

	*o = (struct live){.ref = f->next_ref++, .shares = lots(f)};
	o->side = chance_below(&f->chance, 2) ? 'B' : 'S';
	o->price = price_for(f, s, o->side);
	m->type = 'A';
	if (chance_below(&f->chance, 10) == 0) {
		m->type = 'F';
		memcpy(o->mpid, "MKTM", 4);
	}
	m->add.ref = o->ref;
	m->add.side = o->side;
	m->add.shares = o->shares;
	memcpy(m->add.stock, s->stock, 8);
	m->add.price = o->price;
	memcpy(m->add_mpid.mpid, o->mpid, 4);
}

static void replace(struct flow *f, struct symbol *s, struct live *o, struct itch *m)
{
	m->type = 'U';
	m->replace.ref = o->ref;
	o->ref = f->next_ref++;
	o->shares = lots(f);
	o->price = price_for(f, s, o->side);
	m->replace.new_ref = o->ref;
	m->replace.shares = o->shares;
	m->replace.price = o->price;
}

/* In part or in full: E, C or X. */
static void reduce(struct flow *f, struct symbol *s, struct live *o, struct itch *m, char type)
{
	uint32_t shares = chance_below(&f->chance, 2) ? o->shares : 1 + o->shares / 3;

	m->type = type;
	m->executed.ref = o->ref;
	m->executed.shares = shares;
	if (type == 'X') {
		m->cancel = (struct itch_cancel){o->ref, shares};
	} else {
		m->executed.match = f->next_match++;
		m->executed_price.printable = chance_below(&f->chance, 4) ? 'Y' : 'N';
		m->executed_price.price = o->price;
	}
	o->shares -= shares;
	if (o->shares == 0)
		*o = s->live[--s->n];
}

static void about_order(struct flow *f, struct symbol *s, struct itch *m)
{
	struct live *o = &s->live[chance_below(&f->chance, s->n)];
	uint32_t what = chance_below(&f->chance, 100);

	if (what < 70) {
		m->type = 'D';
		m->delete.ref = o->ref;
		*o = s->live[--s->n];
	} else if (what < 80) {
		replace(f, s, o, m);
	} else {
		reduce(f, s, o, m, what < 92 ? 'E' : what < 95 ? 'C' : 'X');
	}
}

/* ---- everything else ------------------------------------------------------------------------ */

/* Types that do not touch the books, with fields that a reader can recognise. */
static void aside(struct flow *f, struct symbol *s, struct itch *m)
{
	static const char types[] = "PPPPPPQBIIIINYLVWKJhOH";
	uint8_t filled[ITCH_BYTES_MAX] = {0};
	struct itch blank = *m;

	blank.type = types[chance_below(&f->chance, sizeof(types) - 1)];
	memset(&blank.noii, 0, sizeof(blank.noii));
	itch_encode(&blank, filled);
	itch_decode(filled, sizeof(filled), m);
	switch (m->type) {
	case 'P':
		m->trade = (struct itch_trade){.side = 'B', .shares = lots(f),
			.price = s->middle, .match = f->next_match++};
		memcpy(m->trade.stock, s->stock, 8);
		break;
	case 'Q':
		m->cross = (struct itch_cross){.shares = lots(f), .price = s->middle,
			.match = f->next_match++, .cross = 'O'};
		memcpy(m->cross.stock, s->stock, 8);
		break;
	case 'I':
		m->noii = (struct itch_noii){.paired = lots(f), .imbalance = lots(f),
			.direction = 'B', .far = s->middle, .near = s->middle,
			.reference = s->middle, .cross = 'O', .variation = 'L'};
		memcpy(m->noii.stock, s->stock, 8);
		break;
	case 'H':
		m->trading_action = (struct itch_trading_action){
			.state = chance_below(&f->chance, 4) ? 'T' : 'P', .reserved = ' '};
		memcpy(m->trading_action.reason, "    ", 4);
		memcpy(m->trading_action.stock, s->stock, 8);
		break;
	case 'B':
		m->broken.match = 1;
		break;
	}
}

static void directory(const struct symbol *s, struct itch *m)
{
	m->type = 'R';
	m->directory = (struct itch_directory){.market_category = 'Q', .financial_status = 'N',
		.round_lot = 100, .round_lots_only = 'N', .issue_class = 'C', .authenticity = 'P',
		.short_sale_threshold = 'N', .ipo = 'N', .luld_tier = '1', .etp = 'N',
		.inverse = 'N'};
	memcpy(m->directory.issue_subtype, "Z ", 2);
	memcpy(m->directory.stock, s->stock, 8);
}

/* The first messages of a day, and its last two. Returns false for those between. */
static bool framing(const struct flow *f, struct itch *m)
{
	static const char events[] = {'O', 'S', 'Q'};
	uint64_t n = f->made, symbols = f->cfg.symbols;

	m->type = 'S';
	m->locate = 0;
	if (n == 0) {
		m->system_event.event = events[0];
	} else if (n <= symbols) {
		m->locate = (uint16_t)n;
		directory(&f->symbols[n - 1], m);
	} else if (n <= 2 * symbols) {
		m->locate = (uint16_t)(n - symbols);
		m->type = 'H';
		m->trading_action = (struct itch_trading_action){.state = 'T', .reserved = ' '};
		memcpy(m->trading_action.reason, "    ", 4);
		memcpy(m->trading_action.stock, f->symbols[n - symbols - 1].stock, 8);
	} else if (n <= 2 * symbols + 2) {
		m->system_event.event = events[n - 2 * symbols];
	} else if (f->cfg.messages && n + 2 >= f->cfg.messages) {
		m->system_event.event = n + 2 == f->cfg.messages ? 'M' : 'C';
	} else {
		return false;
	}
	return true;
}

bool flow_next(struct flow *f, struct itch *m)
{
	struct symbol *s;
	uint32_t i;

	if (f->cfg.messages && f->made >= f->cfg.messages)
		return false;
	i = chance_below(&f->chance, f->cfg.symbols);
	s = &f->symbols[i];
	f->time_ns += chance_roll(&f->chance) % (2 * f->cfg.gap_ns + 1);
	m->tracking = 0;
	m->time_ns = f->time_ns;
	if (!framing(f, m)) {
		m->locate = (uint16_t)(i + 1);
		if (chance_below(&f->chance, 32) == 0)
			wander(f, s);
		if (chance_below(&f->chance, 64) == 0)
			aside(f, s, m);
		else if (s->n == 0 || (s->n < 2 * f->cfg.live &&
				 chance_below(&f->chance, 2 * f->cfg.live) >= s->n))
			add(f, s, m);
		else
			about_order(f, s, m);
	}
	f->made++;
	return true;
}
