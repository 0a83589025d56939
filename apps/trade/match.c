/* SPDX-License-Identifier: BSD-3-Clause
 * Books as sorted arrays of levels, best last, each with a queue of orders. Trading happens at the
 * best level, where an array's end is: insertion far from it is the rare case.
 *
 * An order's number is a serial number and, in its low bits, the slot that it rests in, so that it
 * is found without a table.
 */
#include "apps/trade/match.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_ORDERS = 65536, DEFAULT_LEVELS = 4096, SLOT_BITS = 20 };

struct order {
	uint64_t number, price;
	void *owner;
	uint32_t left;
	uint32_t next, prev; /* slots in the level's queue, or in the free list; 0: none */
	uint16_t symbol;
	char side;
};

struct level {
	uint64_t price, shares;
	uint32_t first, last; /* oldest, newest */
};

struct half {
	struct level *levels; /* best last */
	uint32_t n;
	bool buys;
};

struct match {
	uint32_t max_orders, max_levels;
	uint16_t n_symbols;
	char names[MATCH_SYMBOLS][9];
	struct half halves[MATCH_SYMBOLS][2]; /* [buys] */
	struct level *levels;
	struct order *orders; /* slot 0 is nobody */
	uint32_t free;
	uint64_t serial, matches;
	struct match_event *events;
	uint32_t n_events, at_event, max_events;
};

/* ---- open and close ------------------------------------------------------------------------- */

int match_open(struct match **out, const struct match_config *cfg)
{
	struct match *m;
	uint32_t i;

	*out = NULL;
	if (cfg->max_orders > MATCH_MOST_ORDERS)
		return -EINVAL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->max_orders = cfg->max_orders ? cfg->max_orders : DEFAULT_ORDERS;
	m->max_levels = cfg->max_levels ? cfg->max_levels : DEFAULT_LEVELS;
	/* One entry can execute against every resting order, and then rest or expire. */
	m->max_events = m->max_orders + 2;
	m->orders = calloc(m->max_orders + 1u, sizeof(*m->orders));
	m->levels = calloc((size_t)m->max_levels * 2 * MATCH_SYMBOLS, sizeof(*m->levels));
	m->events = calloc(m->max_events, sizeof(*m->events));
	if (!m->orders || !m->levels || !m->events) {
		match_close(m);
		return -ENOMEM;
	}
	for (i = m->max_orders; i > 0; i--) {
		m->orders[i].next = m->free;
		m->free = i;
	}
	for (i = 0; i < 2 * MATCH_SYMBOLS; i++)
		m->halves[i / 2][i % 2] = (struct half){
			.levels = m->levels + (size_t)i * m->max_levels, .buys = i % 2};
	*out = m;
	return 0;
}

void match_close(struct match *m)
{
	if (!m)
		return;
	free(m->orders);
	free(m->levels);
	free(m->events);
	free(m);
}

int match_symbol(struct match *m, const char *name)
{
	if (m->n_symbols == MATCH_SYMBOLS || strlen(name) > 8)
		return -ENOSPC;
	snprintf(m->names[m->n_symbols], sizeof(m->names[0]), "%s", name);
	return m->n_symbols++;
}

int match_symbol_find(const struct match *m, const char *name)
{
	unsigned i;

	for (i = 0; i < m->n_symbols; i++)
		if (strcmp(m->names[i], name) == 0)
			return (int)i;
	return -ENOENT;
}

const char *match_symbol_name(const struct match *m, uint16_t symbol)
{
	return m->names[symbol];
}

/* ---- events --------------------------------------------------------------------------------- */

/* The list is empty before every call that adds to it, or has room: its reader keeps up, or what
 * it has not read is the price of not reading. */
static void tell(struct match *m, const struct match_event *ev)
{
	if (m->at_event == m->n_events)
		m->at_event = m->n_events = 0;
	if (m->n_events < m->max_events)
		m->events[m->n_events++] = *ev;
}

bool match_next(struct match *m, struct match_event *ev)
{
	if (m->at_event == m->n_events)
		return false;
	*ev = m->events[m->at_event++];
	return true;
}

/* ---- levels --------------------------------------------------------------------------------- */

/* Is price a better than price b for that half's owners? */
static bool better(const struct half *h, uint64_t a, uint64_t b)
{
	return h->buys ? a > b : a < b;
}

/* Where a level of that price is, or would be. */
static uint32_t level_at(const struct half *h, uint64_t price)
{
	uint32_t lo = 0, hi = h->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (better(h, price, h->levels[mid].price))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct level *level_of(const struct match *m, struct half *h, uint64_t price)
{
	uint32_t at = level_at(h, price);

	if (at < h->n && h->levels[at].price == price)
		return &h->levels[at];
	if (h->n == m->max_levels)
		return NULL;
	memmove(&h->levels[at + 1], &h->levels[at], (h->n - at) * sizeof(h->levels[0]));
	h->n++;
	h->levels[at] = (struct level){.price = price};
	return &h->levels[at];
}

static void level_remove(struct half *h, struct level *l)
{
	size_t behind = (size_t)(h->levels + h->n - l - 1);

	memmove(l, l + 1, behind * sizeof(*l));
	h->n--;
}

/* ---- orders in levels ----------------------------------------------------------------------- */

static void enqueue(struct match *m, struct level *l, uint32_t slot)
{
	struct order *o = &m->orders[slot];

	o->next = 0;
	o->prev = l->last;
	if (l->last)
		m->orders[l->last].next = slot;
	else
		l->first = slot;
	l->last = slot;
	l->shares += o->left;
}

static uint32_t take_slot(struct match *m)
{
	uint32_t slot = m->free;

	m->free = m->orders[slot].next; /* slot 0 leads to itself */
	return slot;
}

static void give_slot(struct match *m, uint32_t slot)
{
	if (slot == 0)
		return;
	m->orders[slot].number = 0;
	m->orders[slot].next = m->free;
	m->free = slot;
}

/* Take shares off an order; one with none left leaves the book, and so does its level. */
static void reduce(struct match *m, struct half *h, struct level *l, uint32_t slot, uint32_t shares)
{
	struct order *o = &m->orders[slot];

	o->left -= shares;
	l->shares -= shares;
	if (o->left > 0)
		return;
	if (o->prev)
		m->orders[o->prev].next = o->next;
	else
		l->first = o->next;
	if (o->next)
		m->orders[o->next].prev = o->prev;
	else
		l->last = o->prev;
	give_slot(m, slot);
	if (!l->first)
		level_remove(h, l);
}

static uint32_t slot_of(const struct match *m, uint64_t number)
{
	uint32_t slot = (uint32_t)(number & ((1u << SLOT_BITS) - 1));

	return number && slot <= m->max_orders && m->orders[slot].number == number ? slot : 0;
}

/* ---- trading -------------------------------------------------------------------------------- */

static void execute(struct match *m, struct half *h, struct level *l, uint64_t taker,
	void *taker_owner, uint32_t shares)
{
	struct order *o = &m->orders[l->first];

	tell(m, &(struct match_event){.kind = MATCH_EXECUTED,
			.side = o->side,
			.symbol = o->symbol,
			.shares = shares,
			.left = o->left - shares,
			.order = o->number,
			.taker = taker,
			.match = ++m->matches,
			.price = l->price,
			.owner = o->owner,
			.taker_owner = taker_owner});
	reduce(m, h, l, l->first, shares);
}

static uint32_t trade(struct match *m, struct half *other, uint64_t taker, void *owner,
	uint32_t shares, uint64_t price)
{
	struct level *best;
	uint32_t n;

	while (shares > 0 && other->n > 0) {
		best = &other->levels[other->n - 1];
		if (better(other, price, best->price))
			break;
		n = m->orders[best->first].left;
		if (n > shares)
			n = shares;
		execute(m, other, best, taker, owner, n);
		shares -= n;
	}
	return shares;
}

/* Put what is left into the book, in the slot that its number names. */
static bool rest(struct match *m, uint32_t slot, const struct order *o)
{
	struct half *h = &m->halves[o->symbol][o->side == 'B'];
	struct level *l = slot ? level_of(m, h, o->price) : NULL;

	if (!l)
		return false;
	m->orders[slot] = *o;
	enqueue(m, l, slot);
	return true;
}

uint64_t match_enter(struct match *m, uint16_t symbol, char side, uint32_t shares, uint64_t price,
	bool ioc, void *owner, uint32_t *left)
{
	uint32_t slot = take_slot(m);
	struct order o = {.number = ++m->serial << SLOT_BITS | slot,
		.price = price,
		.owner = owner,
		.symbol = symbol,
		.side = side == 'B' ? 'B' : 'S'};
	struct match_event ev = {.kind = MATCH_ADDED,
		.side = o.side,
		.symbol = symbol,
		.order = o.number,
		.price = price,
		.owner = owner};

	*left = 0;
	if (symbol < m->n_symbols && shares && price)
		o.left =
			trade(m, &m->halves[symbol][o.side != 'B'], o.number, owner, shares, price);
	else
		o.number = 0;
	ev.shares = ev.left = o.left;
	if (o.left > 0 && !ioc && rest(m, slot, &o)) {
		*left = o.left;
		tell(m, &ev);
		return o.number;
	}
	give_slot(m, slot);
	ev.kind = MATCH_EXPIRED;
	ev.left = 0;
	if (ev.shares > 0)
		tell(m, &ev);
	return o.number;
}

int match_cancel(struct match *m, uint64_t number, uint32_t keep)
{
	uint32_t slot = slot_of(m, number), off;
	struct order *o = &m->orders[slot];
	struct half *h;

	if (!slot)
		return -ENOENT;
	if (keep >= o->left)
		return 0;
	off = o->left - keep;
	h = &m->halves[o->symbol][o->side == 'B'];
	tell(m, &(struct match_event){.kind = MATCH_CANCELED,
			.side = o->side,
			.symbol = o->symbol,
			.shares = off,
			.left = keep,
			.order = number,
			.price = o->price,
			.owner = o->owner});
	reduce(m, h, &h->levels[level_at(h, o->price)], slot, off);
	return 0;
}

bool match_find(const struct match *m, uint64_t number, void **owner, uint32_t *left)
{
	uint32_t slot = slot_of(m, number);

	if (!slot)
		return false;
	*owner = m->orders[slot].owner;
	*left = m->orders[slot].left;
	return true;
}

void match_disown(struct match *m, const void *owner)
{
	uint32_t i;

	for (i = 1; i <= m->max_orders; i++)
		if (m->orders[i].owner == owner)
			m->orders[i].owner = NULL;
}

void match_best(
	const struct match *m, uint16_t symbol, char side, uint64_t *price, uint64_t *shares)
{
	const struct half *h = &m->halves[symbol][side == 'B'];

	*price = h->n ? h->levels[h->n - 1].price : 0;
	*shares = h->n ? h->levels[h->n - 1].shares : 0;
}
