/* SPDX-License-Identifier: BSD-3-Clause
 * What accounts ask for, what the matching engine makes of it, and who is told.
 */
#include "apps/trade/market.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/feed/itch.h"

enum { DEFAULT_ORDERS = 65536, DEFAULT_LOG2 = 16, DEFAULT_FEED_LOG2 = 20, NAME_BYTES = 16 };

/* An order that rests, as its account knows it. The matching engine's owner of an order is this. */
struct standing {
	uint64_t number; /* the matching engine's; 0: free */
	uint64_t ref, price;
	char token[15];
	char side;
	uint16_t symbol;
	uint32_t executed;
	int account;
	uint32_t next; /* in its hash chain, or of the free list; index + 1 */
};

struct account {
	char name[NAME_BYTES], password[NAME_BYTES];
	bool disabled;     /* it has asked for no more orders of its own */
	uint64_t last_ref; /* 5.0: what is not above it was sent again */
	struct archive *log;
};

struct market {
	struct market_config cfg;
	struct match *match;
	bool is_open;
	int n_accounts;
	struct account accounts[MARKET_ACCOUNTS];
	struct standing *standing;
	uint32_t *chains, chain_mask, free;
	struct archive *feed;
	struct market_counters counters;
};

/* ---- the public feed ------------------------------------------------------------------------ */

static struct itch itch_of(char type, uint16_t symbol, int64_t now_ns)
{
	return (struct itch){
		.type = type, .locate = (uint16_t)(symbol + 1), .time_ns = (uint64_t)now_ns};
}

static void publish(struct market *m, const struct itch *msg)
{
	uint8_t out[ITCH_BYTES_MAX];

	archive_add(m->feed, out, itch_encode(msg, out));
}

static void put_name(char out[8], const char *name)
{
	memset(out, ' ', 8);
	memcpy(out, name, strnlen(name, 8));
}

static void publish_system(struct market *m, char event, int64_t now_ns)
{
	struct itch msg = itch_of('S', UINT16_MAX, now_ns);

	msg.system_event.event = event;
	publish(m, &msg);
}

static void publish_directory(struct market *m, uint16_t symbol, int64_t now_ns)
{
	struct itch msg = itch_of('R', symbol, now_ns);

	msg.directory = (struct itch_directory){.market_category = 'Q',
		.financial_status = 'N',
		.round_lot = 100,
		.round_lots_only = 'N',
		.issue_class = 'C',
		.issue_subtype = {'C', ' '},
		.authenticity = 'T',
		.short_sale_threshold = 'N',
		.ipo = 'N',
		.luld_tier = '1',
		.etp = 'N',
		.inverse = 'N'};
	put_name(msg.directory.stock, match_symbol_name(m->match, symbol));
	publish(m, &msg);
}

static void publish_added(struct market *m, const struct match_event *ev, int64_t now_ns)
{
	struct itch msg = itch_of('A', ev->symbol, now_ns);

	msg.add = (struct itch_add){.ref = ev->order,
		.side = ev->side,
		.shares = ev->shares,
		.price = (uint32_t)ev->price};
	put_name(msg.add.stock, match_symbol_name(m->match, ev->symbol));
	publish(m, &msg);
}

static void publish_executed(struct market *m, const struct match_event *ev, int64_t now_ns)
{
	struct itch msg = itch_of('E', ev->symbol, now_ns);

	msg.executed =
		(struct itch_executed){.ref = ev->order, .shares = ev->shares, .match = ev->match};
	publish(m, &msg);
}

static void publish_canceled(struct market *m, const struct match_event *ev, int64_t now_ns)
{
	struct itch msg = itch_of(ev->left ? 'X' : 'D', ev->symbol, now_ns);

	if (ev->left)
		msg.cancel = (struct itch_cancel){.ref = ev->order, .shares = ev->shares};
	else
		msg.delete.ref = ev->order;
	publish(m, &msg);
}

/* ---- reports to accounts -------------------------------------------------------------------- */

static void report(struct market *m, int account, struct ouch *r, int64_t now_ns)
{
	uint8_t out[OUCH_MAX];
	int n;

	r->time_ns = (uint64_t)now_ns;
	n = ouch_encode(m->cfg.version, OUCH_SERVER, r, out);
	if (n > 0)
		archive_add(m->accounts[account].log, out, (size_t)n);
}

static void name_order(struct ouch *r, const struct standing *s)
{
	r->ref = s->ref;
	memcpy(r->token, s->token, sizeof(r->token));
}

static void report_executed(
	struct market *m, void *owner, const struct match_event *ev, char liquidity, int64_t now_ns)
{
	struct ouch r = {.type = OUCH_EXECUTED,
		.shares = ev->shares,
		.price = ev->price,
		.liquidity = liquidity,
		.match = ev->match};
	struct standing *s = owner;

	if (!s)
		return;
	s->executed += ev->shares;
	name_order(&r, s);
	report(m, s->account, &r, now_ns);
}

static void report_canceled(
	struct market *m, const struct standing *s, uint32_t shares, char reason, int64_t now_ns)
{
	struct ouch r = {.type = OUCH_CANCELED, .shares = shares, .reason = reason};

	if (!s)
		return;
	name_order(&r, s);
	report(m, s->account, &r, now_ns);
}

static void reject(struct market *m, int account, const struct ouch *in, enum market_reject why,
	int64_t now_ns)
{
	static const char letters[] = "SZXICORD";
	struct ouch r = *in;

	m->counters.rejects++;
	r.type = OUCH_REJECTED;
	r.reason = (char)why;
	r.reason_code = (uint64_t)(strchr(letters, why) - letters + 1);
	report(m, account, &r, now_ns);
}

/* ---- orders by their accounts' names for them -------------------------------------------------
 */

static uint32_t *chain_of(const struct market *m, int account, const struct ouch *in)
{
	uint64_t h = (uint64_t)account + 1;
	unsigned i;

	if (m->cfg.version == OUCH_50)
		h = h * UINT64_C(0x9e3779b97f4a7c15) + in->ref;
	else
		for (i = 0; in->token[i]; i++)
			h = h * 31 + (uint8_t)in->token[i];
	h *= UINT64_C(0x9e3779b97f4a7c15);
	return &m->chains[(h >> 32) & m->chain_mask];
}

static bool is_named(
	const struct market *m, const struct standing *s, int account, const struct ouch *in)
{
	if (s->account != account)
		return false;
	return m->cfg.version == OUCH_50 ? s->ref == in->ref : strcmp(s->token, in->token) == 0;
}

static struct standing *find(const struct market *m, int account, const struct ouch *in)
{
	uint32_t at = *chain_of(m, account, in);

	while (at && !is_named(m, &m->standing[at - 1], account, in))
		at = m->standing[at - 1].next;
	return at ? &m->standing[at - 1] : NULL;
}

static struct standing *stand(struct market *m, int account, const struct ouch *in, uint16_t symbol)
{
	uint32_t at = m->free, *chain = chain_of(m, account, in);
	struct standing *s;

	if (!at)
		return NULL;
	s = &m->standing[at - 1];
	m->free = s->next;
	*s = (struct standing){.ref = in->ref,
		.price = in->price,
		.side = in->side,
		.symbol = symbol,
		.account = account,
		.next = *chain};
	memcpy(s->token, in->token, sizeof(s->token));
	*chain = at;
	return s;
}

static void unstand(struct market *m, struct standing *s)
{
	struct ouch name = {.ref = s->ref};
	uint32_t at = (uint32_t)(s - m->standing) + 1, *link;

	memcpy(name.token, s->token, sizeof(name.token));
	for (link = chain_of(m, s->account, &name); *link != at;)
		link = &m->standing[*link - 1].next;
	*link = s->next;
	s->number = 0;
	s->next = m->free;
	m->free = at;
}

/* ---- what the matching engine says ---------------------------------------------------------- */

static void tell_executed(struct market *m, const struct match_event *ev, int64_t now_ns)
{
	m->counters.executions++;
	publish_executed(m, ev, now_ns);
	report_executed(m, ev->owner, ev, 'A', now_ns);
	report_executed(m, ev->taker_owner, ev, 'R', now_ns);
	if (ev->owner && ev->left == 0)
		unstand(m, ev->owner);
}

/* reason: of the cancels among them, or 0 when the account is told otherwise. */
static void tell_all(struct market *m, char reason, int64_t now_ns)
{
	struct match_event ev;

	while (match_next(m->match, &ev))
		switch ((enum match_event_kind)ev.kind) {
		case MATCH_ADDED: publish_added(m, &ev, now_ns); break;
		case MATCH_EXECUTED: tell_executed(m, &ev, now_ns); break;
		case MATCH_CANCELED:
			m->counters.cancels++;
			publish_canceled(m, &ev, now_ns);
			if (reason)
				report_canceled(m, ev.owner, ev.shares, reason, now_ns);
			if (ev.owner && ev.left == 0)
				unstand(m, ev.owner);
			break;
		case MATCH_EXPIRED: report_canceled(m, ev.owner, ev.shares, 'I', now_ns); break;
		}
}

/* ---- what accounts ask for ------------------------------------------------------------------ */

static bool is_ioc(const struct market *m, const struct ouch *in)
{
	return m->cfg.version == OUCH_50 ? in->tif == '3' : in->tif_s == 0;
}

/* 5.0: a reference that is not above all before it was sent again; 4.2: so was a token that stands.
 */
static bool was_seen(struct market *m, int account, const struct ouch *in)
{
	struct account *a = &m->accounts[account];
	bool seen = m->cfg.version == OUCH_50 ? in->ref <= a->last_ref : !!find(m, account, in);

	if (seen)
		m->counters.retransmitted++;
	else if (m->cfg.version == OUCH_50)
		a->last_ref = in->ref;
	return seen;
}

static enum market_reject fault(
	const struct market *m, int account, const struct ouch *in, int *symbol)
{
	*symbol = match_symbol_find(m->match, in->symbol);
	if (!m->is_open)
		return MARKET_CLOSED;
	if (m->accounts[account].disabled)
		return MARKET_DISABLED;
	if (*symbol < 0)
		return MARKET_BAD_SYMBOL;
	if (!in->side || !strchr("BSTE", in->side))
		return MARKET_BAD_SIDE;
	if (in->shares == 0 || in->shares > 1000000)
		return MARKET_BAD_SHARES;
	if (in->price == 0 || in->price > UINT32_MAX)
		return MARKET_BAD_PRICE;
	return m->free ? 0 : MARKET_NO_ROOM;
}

/* in is an order or what replaces one: ack's type says which. */
static void place(struct market *m, int account, const struct ouch *in, uint16_t symbol,
	struct ouch *ack, int64_t now_ns)
{
	struct standing *s = stand(m, account, in, symbol);
	uint32_t left;

	m->counters.orders++;
	s->number = match_enter(m->match, symbol, in->side == 'B' ? 'B' : 'S', (uint32_t)in->shares,
		in->price, is_ioc(m, in), s, &left);
	ack->order_ref = s->number;
	ack->state = 'L';
	report(m, account, ack, now_ns);
	tell_all(m, 0, now_ns);
	if (left == 0)
		unstand(m, s);
}

static void enter(struct market *m, int account, const struct ouch *in, int64_t now_ns)
{
	enum market_reject why;
	struct ouch ack = *in;
	int symbol;

	if (was_seen(m, account, in))
		return;
	why = fault(m, account, in, &symbol);
	if (why) {
		reject(m, account, in, why, now_ns);
		return;
	}
	ack.type = OUCH_ACCEPTED;
	place(m, account, in, (uint16_t)symbol, &ack, now_ns);
}

static void cancel(struct market *m, int account, const struct ouch *in, int64_t now_ns)
{
	struct standing *s = find(m, account, in);

	if (!s) { /* too late: the account has its report already */
		m->counters.unknown_orders++;
		return;
	}
	/* shares is what the order shall have had in all; what has traded is part of it. */
	match_cancel(m->match, s->number,
		in->shares > s->executed ? (uint32_t)in->shares - s->executed : 0);
	tell_all(m, 'U', now_ns);
}

/* The old order leaves the book and the new one enters it, with a new place in the queue. */
static void replace(struct market *m, int account, const struct ouch *in, int64_t now_ns)
{
	struct ouch old = {.ref = in->old_ref}, order = *in;
	struct standing *s;
	enum market_reject why;
	int symbol;

	memcpy(old.token, in->old_token, sizeof(old.token));
	s = find(m, account, &old);
	if (was_seen(m, account, in))
		return;
	if (!s) {
		reject(m, account, in, MARKET_BAD_REPLACE, now_ns);
		return;
	}
	order.side = s->side;
	snprintf(order.symbol, sizeof(order.symbol), "%s", match_symbol_name(m->match, s->symbol));
	why = fault(m, account, &order, &symbol);
	if (!why && order.shares <= s->executed)
		why = MARKET_BAD_SHARES;
	if (why && why != MARKET_NO_ROOM) {
		reject(m, account, in, why, now_ns);
		return;
	}
	order.shares -= s->executed;
	match_cancel(m->match, s->number, 0);
	tell_all(m, 0, now_ns);
	old = order;
	old.type = OUCH_REPLACED;
	place(m, account, &order, (uint16_t)symbol, &old, now_ns);
}

/* The order keeps its place in the queue: it may become smaller, and a sale of another kind. What
 * asks for anything else is no request, and as in the specification not answered. */
static void modify(struct market *m, int account, const struct ouch *in, int64_t now_ns)
{
	struct standing *s = find(m, account, in);
	struct ouch r = {.type = OUCH_MODIFIED, .side = in->side};
	uint32_t left = 0, keep;
	void *owner;

	if (!s || !match_find(m->match, s->number, &owner, &left)) {
		m->counters.unknown_orders++;
		return;
	}
	keep = in->shares > s->executed ? (uint32_t)in->shares - s->executed : 0;
	keep = keep < left ? keep : left;
	if (!in->side || !strchr(s->side == 'B' ? "B" : "STE", in->side) ||
		(in->side == s->side && keep == left))
		return;
	s->side = in->side;
	name_order(&r, s);
	r.shares = keep;
	m->counters.modified++;
	report(m, account, &r, now_ns);
	match_cancel(m->match, s->number, keep);
	tell_all(m, 0, now_ns);
}

/* No more orders of the account, or again. It has one firm, whatever the message calls it. */
static void set_disabled(
	struct market *m, int account, const struct ouch *in, bool disabled, int64_t now_ns)
{
	struct ouch r = *in;

	if (was_seen(m, account, in))
		return;
	m->accounts[account].disabled = disabled;
	r.type = disabled ? OUCH_DISABLED : OUCH_ENABLED;
	r.appendage_len = 0;
	report(m, account, &r, now_ns);
}

static void cancel_many(struct market *m, int account, const struct ouch *in, int64_t now_ns)
{
	struct ouch r = *in;

	if (was_seen(m, account, in))
		return;
	r.type = OUCH_MASS_CANCELED;
	report(m, account, &r, now_ns);
	market_cancel_all(m, account, in->symbol[0] ? in->symbol : NULL, 'U', now_ns);
}

/* 5.0 account query: the next reference that will do. */
static void answer_query(struct market *m, int account, int64_t now_ns)
{
	struct ouch r = {.type = OUCH_QUERY_ANSWER, .ref = m->accounts[account].last_ref + 1};

	report(m, account, &r, now_ns);
}

void market_input(struct market *m, int account, const void *data, size_t len, int64_t now_ns)
{
	struct ouch in;

	if (ouch_decode(m->cfg.version, OUCH_CLIENT, data, len, &in) < 0) {
		m->counters.malformed++;
		return;
	}
	switch (in.type) {
	case OUCH_ENTER: enter(m, account, &in, now_ns); break;
	case OUCH_CANCEL: cancel(m, account, &in, now_ns); break;
	case OUCH_REPLACE: replace(m, account, &in, now_ns); break;
	case OUCH_QUERY: answer_query(m, account, now_ns); break;
	case OUCH_MASS_CANCEL: cancel_many(m, account, &in, now_ns); break;
	case OUCH_MODIFY: modify(m, account, &in, now_ns); break;
	case OUCH_DISABLE: set_disabled(m, account, &in, true, now_ns); break;
	case OUCH_ENABLE: set_disabled(m, account, &in, false, now_ns); break;
	default: /* trade now: this venue has no such thing */ m->counters.malformed++; break;
	}
}

/* ---- the house, and all of an account ---------------------------------------------------------
 */

uint64_t market_house(struct market *m, uint16_t symbol, char side, uint32_t shares, uint64_t price,
	int64_t now_ns)
{
	uint32_t left;
	uint64_t n = match_enter(m->match, symbol, side, shares, price, false, NULL, &left);

	tell_all(m, 0, now_ns);
	return n;
}

int market_house_cancel(struct market *m, uint64_t order, int64_t now_ns)
{
	int rc = match_cancel(m->match, order, 0);

	tell_all(m, 0, now_ns);
	return rc;
}

void market_cancel_all(
	struct market *m, int account, const char *symbol, char reason, int64_t now_ns)
{
	int only = symbol ? match_symbol_find(m->match, symbol) : 0;
	const struct standing *s;

	m->counters.mass_cancels++;
	for (s = m->standing; s < m->standing + m->cfg.max_orders; s++)
		if (s->number && s->account == account && (!symbol || s->symbol == only)) {
			match_cancel(m->match, s->number, 0);
			tell_all(m, reason, now_ns);
		}
}

void market_phase(struct market *m, bool open, int64_t now_ns)
{
	struct ouch r = {.type = OUCH_SYSTEM, .event = open ? 'S' : 'E'};
	int i;

	m->is_open = open;
	publish_system(m, open ? 'Q' : 'M', now_ns);
	for (i = 0; i < m->n_accounts; i++)
		report(m, i, &r, now_ns);
}

/* ---- open, close, look ---------------------------------------------------------------------- */

int market_open(struct market **out, const struct market_config *cfg)
{
	struct market *m = calloc(1, sizeof(*m));
	uint32_t i, chains = 1;
	int rc = -ENOMEM;

	*out = NULL;
	if (!m)
		return -ENOMEM;
	m->cfg = *cfg;
	m->cfg.max_orders = cfg->max_orders ? cfg->max_orders : DEFAULT_ORDERS;
	m->cfg.log2_reports = cfg->log2_reports ? cfg->log2_reports : DEFAULT_LOG2;
	while (chains < m->cfg.max_orders)
		chains *= 2;
	m->chain_mask = chains - 1;
	m->chains = calloc(chains, sizeof(*m->chains));
	m->standing = calloc(m->cfg.max_orders, sizeof(*m->standing));
	if (m->chains && m->standing)
		rc = match_open(&m->match, &(struct match_config){.max_orders = m->cfg.max_orders,
						   .max_levels = cfg->max_levels});
	if (rc == 0)
		rc = archive_open(&m->feed, cfg->log2_feed ? cfg->log2_feed : DEFAULT_FEED_LOG2,
			ITCH_BYTES_MAX);
	if (rc < 0) {
		market_close(m);
		return rc;
	}
	for (i = m->cfg.max_orders; i > 0; i--) {
		m->standing[i - 1].next = m->free;
		m->free = i;
	}
	publish_system(m, 'O', 0);
	*out = m;
	return 0;
}

void market_close(struct market *m)
{
	if (!m)
		return;
	while (m->n_accounts > 0)
		archive_close(m->accounts[--m->n_accounts].log);
	archive_close(m->feed);
	match_close(m->match);
	free(m->chains);
	free(m->standing);
	free(m);
}

int market_symbol(struct market *m, const char *name, int64_t now_ns)
{
	int symbol = match_symbol(m->match, name);

	if (symbol >= 0)
		publish_directory(m, (uint16_t)symbol, now_ns);
	return symbol;
}

int market_account(struct market *m, const char *name, const char *password)
{
	struct account *a = &m->accounts[m->n_accounts];
	int rc;

	if (m->n_accounts == MARKET_ACCOUNTS)
		return -ENOSPC;
	rc = archive_open(&a->log, m->cfg.log2_reports, OUCH_MAX);
	if (rc < 0)
		return rc;
	snprintf(a->name, sizeof(a->name), "%s", name);
	snprintf(a->password, sizeof(a->password), "%s", password);
	return m->n_accounts++;
}

int market_login(const struct market *m, const char *name, const char *password)
{
	int i;

	for (i = 0; i < m->n_accounts; i++)
		if (strcmp(m->accounts[i].name, name) == 0)
			return strcmp(m->accounts[i].password, password) == 0 ? i : -EACCES;
	return -ENOENT;
}

const struct archive *market_reports(const struct market *m, int account)
{
	return m->accounts[account].log;
}

const struct archive *market_feed(const struct market *m)
{
	return m->feed;
}

const struct market_counters *market_counters(const struct market *m)
{
	return &m->counters;
}

struct match *market_match(struct market *m)
{
	return m->match;
}
