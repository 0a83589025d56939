/* SPDX-License-Identifier: BSD-3-Clause
 * Order books: a table of orders by number, levels by price, queues of orders at each.
 */
#include "apps/feed/book.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "apps/feed/itch.h"
#include "apps/feed/soup.h"
#include "apps/feed/wire.h"

enum { NONE = UINT16_MAX, UNASKED = UINT16_MAX - 1, BOOKS_MAX = UNASKED };
#define NIL UINT32_MAX

/* Two of these share a cache line. */
struct order {
	uint64_t ref;
	uint32_t shares, level;
	uint32_t chain;      /* next with this hash; of the free ones: next */
	uint32_t prev, next; /* in the queue of the level */
	char mpid[4];
};

struct level {
	uint64_t shares;
	uint32_t price, orders;
	uint32_t first, last; /* of the queue; first of the free ones: next */
	uint16_t book;
	uint8_t side;
};

_Static_assert(sizeof(struct order) == 32 && sizeof(struct level) == 32, "halves of cache lines");

struct rung {
	uint32_t key;   /* grows with how good the price is */
	uint32_t level;
};

struct side {
	struct rung *rungs; /* best last */
	uint32_t n;
};

struct book {
	uint64_t stock;     /* its eight characters, as they lie */
	uint16_t locate;
	char state;
	bool changed;
	struct side side[2];
	uint64_t executed_shares;
	uint32_t last_price;
};

struct books {
	struct order *orders;
	uint32_t *table;     /* first order with a hash */
	uint64_t factor;
	unsigned shift;
	struct level *levels;
	uint32_t free_order, free_level;
	struct rung *rungs;
	struct book *book;
	uint32_t *changed, n_changed;
	uint32_t n_books, max_books, max_orders, max_levels, depth;
	bool all;            /* a book for every symbol */
	uint64_t time_ns;
	struct books_counters counters;
	uint16_t of_locate[UINT16_MAX + 1];
};

/* ---- open and close ------------------------------------------------------------------------- */

static uint64_t stock_of(const char *symbol)
{
	char text[8];
	uint64_t stock;

	memset(text, ' ', sizeof(text));
	memcpy(text, symbol, strnlen(symbol, sizeof(text)));
	memcpy(&stock, text, sizeof(stock));
	return stock;
}

static int find_stock(const struct books *b, uint64_t stock)
{
	unsigned i;

	for (i = 0; i < b->n_books; i++)
		if (b->book[i].stock == stock)
			return (int)i;
	return -1;
}

static struct book *add_book(struct books *b, uint64_t stock)
{
	struct rung *rungs = b->rungs + (size_t)b->n_books * 2 * b->depth;
	struct book *k = &b->book[b->n_books++];

	*k = (struct book){.stock = stock, .state = ' ',
		.side = {{.rungs = rungs}, {.rungs = rungs + b->depth}}};
	return k;
}

static int set_sizes(struct books *b, const struct books_config *cfg)
{
	uint32_t n = 0;

	for (b->all = !cfg->symbols; cfg->symbols && cfg->symbols[n]; n++)
		if (cfg->symbols[n][0] == '\0' || strlen(cfg->symbols[n]) > 8)
			return -EINVAL;
	b->max_books = cfg->max_books ? cfg->max_books : b->all ? 16384 : n;
	b->max_orders = cfg->max_orders ? cfg->max_orders : 1u << 20;
	b->max_levels = cfg->max_levels ? cfg->max_levels : b->max_orders / 8 + 64;
	b->depth = cfg->depth ? cfg->depth : 512;
	if (n > b->max_books || b->max_books > BOOKS_MAX || b->max_orders > 1u << 31 ||
		b->max_levels > 1u << 31 || b->depth > 1u << 24)
		return -EINVAL;
	b->factor = cfg->seed * 2 + 0x9e3779b97f4a7c15; /* odd */
	for (b->shift = 60; b->shift > 32 && UINT64_C(1) << (64 - b->shift) < b->max_orders;)
		b->shift--;
	return 0;
}

/* A table that is looked at here and there, in huge pages if there are any: a page walk costs as
 * much as the cache miss itself. */
static void *reserve_table(size_t bytes)
{
	const size_t page = 1 << 21;
	void *p;

	if (bytes < page)
		return malloc(bytes);
	bytes = (bytes + page - 1) / page * page;
	p = aligned_alloc(page, bytes);
	if (p)
		madvise(p, bytes, MADV_HUGEPAGE); /* a hint: no harm if there are none */
	return p;
}

static int reserve(struct books *b)
{
	b->orders = reserve_table(b->max_orders * sizeof(*b->orders));
	b->table = reserve_table((UINT64_C(1) << (64 - b->shift)) * sizeof(*b->table));
	b->levels = malloc(b->max_levels * sizeof(*b->levels));
	b->rungs = malloc((size_t)b->max_books * 2 * b->depth * sizeof(*b->rungs));
	b->book = calloc(b->max_books ? b->max_books : 1, sizeof(*b->book));
	b->changed = malloc((b->max_books ? b->max_books : 1) * sizeof(*b->changed));
	if (b->orders && b->table && b->levels && b->rungs && b->book && b->changed)
		return 0;
	return -ENOMEM;
}

int books_open(struct books **out, const struct books_config *cfg)
{
	struct books *b = calloc(1, sizeof(*b));
	int rc = b ? set_sizes(b, cfg) : -ENOMEM;
	unsigned i;

	*out = NULL;
	if (rc == 0)
		rc = reserve(b);
	for (i = 0; rc == 0 && !b->all && cfg->symbols[i]; i++) {
		if (find_stock(b, stock_of(cfg->symbols[i])) >= 0)
			rc = -EINVAL;
		else
			add_book(b, stock_of(cfg->symbols[i]));
	}
	if (rc < 0) {
		books_close(b);
		return rc;
	}
	books_clear(b);
	*out = b;
	return 0;
}

void books_close(struct books *b)
{
	if (!b)
		return;
	free(b->orders);
	free(b->table);
	free(b->levels);
	free(b->rungs);
	free(b->book);
	free(b->changed);
	free(b);
}

static void note_change(struct books *b, struct book *k)
{
	if (k->changed)
		return;
	k->changed = true;
	b->changed[b->n_changed++] = (uint32_t)(k - b->book);
}

void books_clear(struct books *b)
{
	uint32_t i;

	for (i = 0; i < b->n_books; i++) {
		if (b->book[i].side[0].n || b->book[i].side[1].n)
			note_change(b, &b->book[i]);
		b->book[i].side[0].n = b->book[i].side[1].n = 0;
		b->book[i].state = ' ';
	}
	memset(b->table, 0xff, (UINT64_C(1) << (64 - b->shift)) * sizeof(*b->table));
	for (i = 0; i < b->max_orders; i++)
		b->orders[i].chain = i + 1 < b->max_orders ? i + 1 : NIL;
	for (i = 0; i < b->max_levels; i++)
		b->levels[i].first = i + 1 < b->max_levels ? i + 1 : NIL;
	b->free_order = b->free_level = 0;
	for (i = 0; i <= UINT16_MAX; i++)
		b->of_locate[i] = UNASKED;
}

/* ---- which book ----------------------------------------------------------------------------- */

/* Of a message that names its stock. */
static struct book *book_named(struct books *b, uint16_t locate, const char *stock_text)
{
	uint16_t *known = &b->of_locate[locate];
	uint64_t stock;
	int i;

	if (*known == NONE)
		return NULL;
	if (*known != UNASKED)
		return &b->book[*known];
	memcpy(&stock, stock_text, sizeof(stock));
	i = find_stock(b, stock);
	if (i < 0 && b->all && b->n_books < b->max_books)
		i = (int)(add_book(b, stock) - b->book);
	else if (i < 0 && b->all)
		b->counters.no_room_books++;
	*known = i < 0 ? NONE : (uint16_t)i;
	if (i < 0)
		return NULL;
	b->book[i].locate = locate;
	return &b->book[i];
}

/* ---- orders by number ----------------------------------------------------------------------- */

/* Sixteen numbers in a row share a cache line of the table, for new orders come in a row: of their
 * buckets, all but the first are there already. */
static uint32_t *bucket(const struct books *b, uint64_t ref)
{
	return &b->table[((ref >> 4) * b->factor >> b->shift) ^ (ref & 15)];
}

/* The link that leads to the order, or NULL. */
static uint32_t *find_order(const struct books *b, uint64_t ref)
{
	uint32_t *link = bucket(b, ref);

	while (*link != NIL && b->orders[*link].ref != ref)
		link = &b->orders[*link].chain;
	return *link == NIL ? NULL : link;
}

/* ---- levels --------------------------------------------------------------------------------- */

static uint32_t key_of(int side, uint32_t price)
{
	return side == BOOK_BUY ? price : ~price;
}

/* Where that key is, or where it belongs. Most of the time that is at the end. */
static uint32_t find_rung(const struct side *s, uint32_t key)
{
	uint32_t low = 0, high = s->n, i;

	for (i = 0; i < 8 && high > 0; i++, high--)
		if (s->rungs[high - 1].key < key)
			return high;
		else if (s->rungs[high - 1].key == key)
			return high - 1;
	while (low < high) {
		i = low + (high - low) / 2;
		if (s->rungs[i].key < key)
			low = i + 1;
		else
			high = i;
	}
	return low;
}

/* The level of that price; made if need be. NIL: no room. */
static uint32_t level_at(struct books *b, struct book *k, int side, uint32_t price)
{
	struct side *s = &k->side[side];
	uint32_t key = key_of(side, price), at = find_rung(s, key), l = b->free_level;

	if (at < s->n && s->rungs[at].key == key) {
		l = s->rungs[at].level;
	} else if (l == NIL || s->n == b->depth) {
		b->counters.no_room_levels++;
		return NIL;
	} else {
		b->free_level = b->levels[l].first;
		b->levels[l] = (struct level){.price = price, .first = NIL, .last = NIL,
			.book = (uint16_t)(k - b->book), .side = (uint8_t)side};
		memmove(s->rungs + at + 1, s->rungs + at, (s->n - at) * sizeof(*s->rungs));
		s->rungs[at] = (struct rung){key, l};
		s->n++;
	}
	if (at == s->n - 1)
		note_change(b, k);
	return l;
}

static void drop_level(struct books *b, uint32_t l)
{
	struct level *level = &b->levels[l];
	struct side *s = &b->book[level->book].side[level->side];
	uint32_t at = find_rung(s, key_of(level->side, level->price));

	s->n--;
	memmove(s->rungs + at, s->rungs + at + 1, (s->n - at) * sizeof(*s->rungs));
	level->first = b->free_level;
	b->free_level = l;
}

/* ---- what can happen to an order ------------------------------------------------------------ */

static void add_order(struct books *b, struct book *k, int side, const struct itch_add_mpid *a)
{
	uint32_t *link = bucket(b, a->ref), i = b->free_order, l;
	struct order *o;

	if (find_order(b, a->ref)) {
		b->counters.doubled_order++;
		return;
	}
	if (i == NIL) {
		b->counters.no_room_orders++;
		return;
	}
	l = level_at(b, k, side, a->price);
	if (l == NIL)
		return;
	o = &b->orders[i];
	b->free_order = o->chain;
	*o = (struct order){.ref = a->ref, .shares = a->shares, .level = l, .chain = *link,
		.prev = b->levels[l].last, .next = NIL};
	memcpy(o->mpid, a->mpid, sizeof(o->mpid));
	*link = i;
	if (o->prev == NIL)
		b->levels[l].first = i;
	else
		b->orders[o->prev].next = i;
	b->levels[l].last = i;
	b->levels[l].orders++;
	b->levels[l].shares += a->shares;
	b->counters.booked++;
}

static void note_if_best(struct books *b, const struct level *l)
{
	struct book *k = &b->book[l->book];
	const struct side *s = &k->side[l->side];

	if (&b->levels[s->rungs[s->n - 1].level] == l)
		note_change(b, k);
}

static void remove_order(struct books *b, uint32_t *link)
{
	uint32_t i = *link;
	struct order *o = &b->orders[i];
	struct level *l = &b->levels[o->level];

	note_if_best(b, l);
	*link = o->chain;
	if (o->prev == NIL)
		l->first = o->next;
	else
		b->orders[o->prev].next = o->next;
	if (o->next == NIL)
		l->last = o->prev;
	else
		b->orders[o->next].prev = o->prev;
	l->shares -= o->shares;
	if (--l->orders == 0)
		drop_level(b, o->level);
	o->chain = b->free_order;
	b->free_order = i;
}

/* Executed or cancelled in part, or in full. */
static void reduce_order(struct books *b, uint32_t *link, uint32_t shares)
{
	struct order *o = &b->orders[*link];

	if (shares > o->shares)
		b->counters.overdrawn++;
	if (shares >= o->shares) {
		remove_order(b, link);
		return;
	}
	o->shares -= shares;
	b->levels[o->level].shares -= shares;
	note_if_best(b, &b->levels[o->level]);
}

static void replace_order(struct books *b, uint32_t *link, const struct itch_replace *r)
{
	const struct order *o = &b->orders[*link];
	const struct level *l = &b->levels[o->level];
	struct itch_add_mpid a = {.ref = r->new_ref, .shares = r->shares, .price = r->price};
	struct book *k = &b->book[l->book];
	int side = l->side;

	memcpy(a.mpid, o->mpid, sizeof(a.mpid));
	remove_order(b, link);
	add_order(b, k, side, &a);
}

static void note_trade(struct books *b, const struct level *l, uint32_t shares, uint32_t price)
{
	struct book *k = &b->book[l->book];

	k->executed_shares += shares;
	k->last_price = price;
}

/* ---- messages ------------------------------------------------------------------------------- */

static void add(struct books *b, const struct itch *m)
{
	struct book *k = book_named(b, m->locate, m->add.stock);
	struct itch_add_mpid a = {.ref = m->add.ref, .shares = m->add.shares,
		.price = m->add.price};

	if (!k)
		return;
	if (m->type == 'F')
		memcpy(a.mpid, m->add_mpid.mpid, sizeof(a.mpid));
	add_order(b, k, m->add.side == 'B' ? BOOK_BUY : BOOK_SELL, &a);
}

static void about_order(struct books *b, const struct itch *m)
{
	uint32_t *link;
	const struct level *l;

	if (b->of_locate[m->locate] == NONE)
		return; /* a symbol that was not chosen */
	link = find_order(b, m->delete.ref);
	if (!link) {
		/* Unless nothing has named this locate yet: then it may be nobody's. */
		b->counters.unknown_order += b->of_locate[m->locate] != UNASKED;
		return;
	}
	l = &b->levels[b->orders[*link].level];
	b->counters.booked += m->type != 'U';
	switch (m->type) {
	case 'E':
		note_trade(b, l, m->executed.shares, l->price);
		reduce_order(b, link, m->executed.shares);
		break;
	case 'C':
		if (m->executed_price.printable == 'Y')
			note_trade(b, l, m->executed.shares, m->executed_price.price);
		reduce_order(b, link, m->executed.shares);
		break;
	case 'X':
		reduce_order(b, link, m->cancel.shares);
		break;
	case 'D':
		remove_order(b, link);
		break;
	default:
		replace_order(b, link, &m->replace);
	}
}

static void note_trading_action(struct books *b, const struct itch *m)
{
	struct book *k = book_named(b, m->locate, m->trading_action.stock);

	if (k) {
		k->state = m->trading_action.state;
		b->counters.booked++;
	}
}

void books_apply(struct books *b, const void *data, size_t len)
{
	struct itch m;
	int rc = itch_decode(data, len, &m);

	b->counters.messages++;
	if (rc < 0) {
		if (rc == -ENOENT)
			b->counters.unknown_type++;
		else
			b->counters.malformed++;
		return;
	}
	b->counters.of_type[(uint8_t)m.type]++;
	b->time_ns = m.time_ns;
	switch (m.type) {
	case 'A':
	case 'F':
		add(b, &m);
		break;
	case 'E':
	case 'C':
	case 'X':
	case 'D':
	case 'U':
		about_order(b, &m);
		break;
	case 'H':
		note_trading_action(b, &m);
		break;
	case 'R':
		book_named(b, m.locate, m.directory.stock);
		break;
	}
}

static const bool has_ref[256] = {
	['A'] = true, ['F'] = true, ['E'] = true, ['C'] = true, ['X'] = true, ['D'] = true,
	['U'] = true,
};

/* Where the number of the order lies, in every message that has one; NULL: none that matters. */
static const uint8_t *ref_in(const struct books *b, const struct books_message *m)
{
	const uint8_t *at = m->data;

	if (m->len < ITCH_COMMON + 8 || !has_ref[at[0]] ||
		b->of_locate[wire_be16(at + 1)] == NONE)
		return NULL;
	return at + ITCH_COMMON;
}

void books_apply_burst(struct books *b, const struct books_message *m, unsigned n)
{
	uint32_t *at[BOOKS_BURST], now, i;
	const uint8_t *ref;

	for (; n; m += now, n -= now) {
		now = n < BOOKS_BURST ? n : BOOKS_BURST;
		for (i = 0; i < now; i++) {
			ref = ref_in(b, &m[i]);
			at[i] = ref ? bucket(b, wire_be64(ref)) : NULL;
			if (at[i])
				__builtin_prefetch(at[i]);
		}
		for (i = 0; i < now; i++)
			if (at[i] && *at[i] != NIL)
				__builtin_prefetch(&b->orders[*at[i]], 1);
		for (i = 0; i < now; i++)
			if (at[i] && *at[i] != NIL)
				__builtin_prefetch(&b->levels[b->orders[*at[i]].level], 1);
		for (i = 0; i < now; i++)
			books_apply(b, m[i].data, m[i].len);
	}
}

/* ---- what the books hold -------------------------------------------------------------------- */

unsigned books_count(const struct books *b)
{
	return b->n_books;
}

const char *books_symbol(const struct books *b, unsigned book, char text[9])
{
	unsigned n = 8;

	memcpy(text, &b->book[book].stock, 8);
	while (n && text[n - 1] == ' ')
		n--;
	text[n] = '\0';
	return text;
}

int books_find(const struct books *b, const char *symbol)
{
	return find_stock(b, stock_of(symbol));
}

char books_state(const struct books *b, unsigned book)
{
	return b->book[book].state;
}

static const struct level *level_of(const struct books *b, unsigned book, int side, unsigned level)
{
	const struct side *s = &b->book[book].side[side];

	return level < s->n ? &b->levels[s->rungs[s->n - 1 - level].level] : NULL;
}

unsigned books_levels(
	const struct books *b, unsigned book, int side, struct book_level *out, unsigned max)
{
	const struct level *l;
	unsigned i;

	for (i = 0; i < max && (l = level_of(b, book, side, i)); i++)
		out[i] = (struct book_level){l->price, l->orders, l->shares};
	return i;
}

void books_top(const struct books *b, unsigned book, struct book_top *out)
{
	*out = (struct book_top){.side = {{0}, {0}}};
	books_levels(b, book, BOOK_BUY, &out->side[BOOK_BUY], 1);
	books_levels(b, book, BOOK_SELL, &out->side[BOOK_SELL], 1);
}

void books_trades(const struct books *b, unsigned book, uint64_t *shares, uint32_t *price)
{
	*shares = b->book[book].executed_shares;
	*price = b->book[book].last_price;
}

unsigned books_orders(const struct books *b, unsigned book, int side, unsigned level,
	struct book_order *out, unsigned max)
{
	const struct level *l = level_of(b, book, side, level);
	const struct order *o;
	uint32_t i;
	unsigned n = 0;

	for (i = l ? l->first : NIL; i != NIL && n < max; i = o->next) {
		o = &b->orders[i];
		out[n] = (struct book_order){.ref = o->ref, .shares = o->shares, .price = l->price,
			.side = side == BOOK_BUY ? 'B' : 'S'};
		memcpy(out[n++].mpid, o->mpid, sizeof(o->mpid));
	}
	return n;
}

unsigned books_changed(struct books *b, uint32_t *out, unsigned max)
{
	unsigned n = 0;

	while (b->n_changed && n < max) {
		out[n] = b->changed[--b->n_changed];
		b->book[out[n++]].changed = false;
	}
	return n;
}

const struct books_counters *books_counters(const struct books *b)
{
	return &b->counters;
}

/* ---- books as bytes ------------------------------------------------------------------------- */

/* Counts what does not fit, too. */
struct sink {
	uint8_t *at;
	size_t room, len;
};

static void put(struct sink *s, const void *data, size_t len)
{
	if (s->len + len <= s->room)
		memcpy(s->at + s->len, data, len);
	s->len += len;
}

static void put_number(struct sink *s, uint64_t n)
{
	put(s, &n, sizeof(n));
}

static void dump_side(const struct books *b, unsigned book, int side, struct sink *s)
{
	const struct level *l;
	unsigned n;
	uint32_t i;

	put_number(s, b->book[book].side[side].n);
	for (n = 0; (l = level_of(b, book, side, n)); n++) {
		put_number(s, l->price);
		put_number(s, l->shares);
		put_number(s, l->orders);
		for (i = l->first; i != NIL; i = b->orders[i].next) {
			put_number(s, b->orders[i].ref);
			put_number(s, b->orders[i].shares);
			put(s, b->orders[i].mpid, sizeof(b->orders[i].mpid));
		}
	}
}

size_t books_dump(const struct books *b, void *out, size_t room)
{
	struct sink s = {.at = out, .room = room};
	unsigned locate, i;

	for (locate = 0; locate <= UINT16_MAX; locate++) {
		i = b->of_locate[locate];
		if (i >= b->n_books)
			continue;
		put(&s, &b->book[i].stock, sizeof(b->book[i].stock));
		put(&s, &b->book[i].state, 1);
		dump_side(b, i, BOOK_BUY, &s);
		dump_side(b, i, BOOK_SELL, &s);
	}
	return s.len;
}

static void put_message(struct sink *s, const struct itch *m)
{
	uint8_t out[SOUP_HEAD + ITCH_BYTES_MAX];

	put(s, out, soup_put(out, SOUP_SEQUENCED, NULL, itch_encode(m, out + SOUP_HEAD)));
}

static void snapshot_side(const struct books *b, unsigned book, int side, struct itch *m,
	struct sink *s)
{
	const struct level *l;
	const struct order *o;
	unsigned n;
	uint32_t i;

	m->add.side = side == BOOK_BUY ? 'B' : 'S';
	for (n = 0; (l = level_of(b, book, side, n)); n++)
		for (i = l->first; i != NIL; i = o->next) {
			o = &b->orders[i];
			m->type = o->mpid[0] ? 'F' : 'A';
			m->add.ref = o->ref;
			m->add.shares = o->shares;
			m->add.price = l->price;
			memcpy(m->add_mpid.mpid, o->mpid, sizeof(o->mpid));
			put_message(s, m);
		}
}

/* The directory fields that we do not keep are those of an ordinary listed stock. */
static void snapshot_book(const struct books *b, unsigned book, struct sink *s)
{
	const struct book *k = &b->book[book];
	struct itch m = {.locate = k->locate, .time_ns = b->time_ns};

	m.type = 'R';
	m.directory = (struct itch_directory){.market_category = 'Q', .financial_status = 'N',
		.round_lot = 100, .round_lots_only = 'N', .issue_class = 'C', .authenticity = 'P',
		.short_sale_threshold = 'N', .ipo = 'N', .luld_tier = '1', .etp = 'N',
		.inverse = 'N', .issue_subtype = "Z "};
	memcpy(m.directory.stock, &k->stock, sizeof(k->stock));
	put_message(s, &m);
	if (k->state != ' ') {
		m.type = 'H';
		m.trading_action = (struct itch_trading_action){.state = k->state,
			.reserved = ' ', .reason = "    "};
		memcpy(m.trading_action.stock, &k->stock, sizeof(k->stock));
		put_message(s, &m);
	}
	memcpy(m.add.stock, &k->stock, sizeof(k->stock));
	snapshot_side(b, book, BOOK_BUY, &m, s);
	snapshot_side(b, book, BOOK_SELL, &m, s);
}

size_t books_snapshot(const struct books *b, uint64_t next, void *out, size_t room)
{
	struct sink s = {.at = out, .room = room};
	uint8_t end[SOUP_HEAD + 21] = {[SOUP_HEAD] = 'G'};
	unsigned i;

	for (i = 0; i < b->n_books; i++)
		snapshot_book(b, i, &s);
	soup_put_number(end + SOUP_HEAD + 1, 20, next);
	put(&s, end, soup_put(end, SOUP_SEQUENCED, NULL, 21));
	return s.len;
}
