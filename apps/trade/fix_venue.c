/* SPDX-License-Identifier: BSD-3-Clause
 * FIX orders of an account, by their ClOrdIDs and by the references that the market has for them.
 *
 * A reference names its slot, as at a desk: the next one whose slot is free is used.
 */
#include "apps/trade/fix_venue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ORDERS = 4096, CHAINS = 4096, ID_MAX = 32 };

struct order {
	uint64_t ref;			    /* 0: free */
	char id[ID_MAX], cancel_id[ID_MAX]; /* of the order; of the request to cancel it */
	char symbol[9], side;		    /* side as FIX has it */
	uint64_t shares, done, notional, price, venue_ref;
	uint64_t replaces;  /* the reference of the order that this one is to replace */
	struct order *next; /* in its chain */
};

struct fix_venue {
	struct market *market;
	struct fix_session *session;
	enum ouch_version market_version;
	int account;
	bool is_42;
	uint64_t next_ref, next_report, refusals;
	struct order *chains[CHAINS];
	struct order orders[ORDERS]; /* by ref % ORDERS */
};

/* ---- orders --------------------------------------------------------------------------------- */

static struct order **chain_of(struct fix_venue *v, const char *id)
{
	uint32_t h = 0;

	while (*id)
		h = h * 31 + (uint8_t)*id++;
	return &v->chains[h % CHAINS];
}

static struct order *find(struct fix_venue *v, const char *id)
{
	struct order *o = *chain_of(v, id);

	while (o && strcmp(o->id, id) != 0)
		o = o->next;
	return o;
}

static struct order *by_ref(struct fix_venue *v, uint64_t ref)
{
	struct order *o = &v->orders[ref % ORDERS];

	return ref && o->ref == ref ? o : NULL;
}

/* NULL: no slot is free. */
static struct order *add(struct fix_venue *v, const struct order *as)
{
	struct order **chain = chain_of(v, as->id), *o;
	unsigned i;

	for (i = 0; i < ORDERS; i++) {
		o = &v->orders[(v->next_ref + i) % ORDERS];
		if (o->ref)
			continue;
		*o = *as;
		o->ref = v->next_ref + i;
		o->next = *chain;
		*chain = o;
		v->next_ref = o->ref + 1;
		return o;
	}
	return NULL;
}

static void drop(struct fix_venue *v, struct order *o)
{
	struct order **link = chain_of(v, o->id);

	while (*link != o)
		link = &(*link)->next;
	*link = o->next;
	o->ref = 0;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void put_letter(struct fix_body *b, unsigned tag, char value)
{
	const char text[2] = {value, '\0'};

	fix_put(b, tag, text);
}

struct report {
	char type, status;	/* ExecType (150) and OrdStatus (39) */
	uint64_t shares, price; /* of a fill */
	uint64_t left;
	const char *cancel_id, *replaces, *text;
	uint64_t number; /* of the market's report; 0: it said nothing */
};

static void put_ids(
	struct fix_venue *v, struct fix_body *b, const struct order *o, const struct report *r)
{
	char exec_id[24];

	if (o->venue_ref)
		fix_put_number(b, 37, o->venue_ref);
	else
		fix_put(b, 37, "NONE");
	fix_put(b, 11, r->cancel_id ? r->cancel_id : o->id);
	if (r->cancel_id || r->replaces)
		fix_put(b, 41, r->cancel_id ? o->id : r->replaces);
	snprintf(exec_id, sizeof(exec_id), "%c%" PRIu64, r->number ? 'E' : 'R',
		r->number ? r->number : ++v->refusals);
	fix_put(b, 17, exec_id);
	if (v->is_42)
		fix_put(b, 20, "0"); /* ExecTransType: new */
}

/* An ExecutionReport (8). */
static void tell(struct fix_venue *v, const struct order *o, const struct report *r, int64_t now_ns)
{
	struct fix_body b = {0};

	put_ids(v, &b, o, r);
	put_letter(&b, 150, r->type);
	put_letter(&b, 39, r->status);
	fix_put(&b, 55, o->symbol[0] ? o->symbol : "?");
	put_letter(&b, 54, o->side ? o->side : '1');
	fix_put_number(&b, 38, o->shares);
	fix_put_price(&b, 44, o->price);
	if (r->shares) {
		fix_put_number(&b, 32, r->shares);
		fix_put_price(&b, 31, r->price);
	}
	fix_put_number(&b, 151, r->left);
	fix_put_number(&b, 14, o->done);
	fix_put_price(&b, 6, o->done ? o->notional / o->done : 0);
	fix_put_time(&b, 60, now_ns + fix_utc_offset(v->session));
	if (r->text)
		fix_put(&b, 58, r->text);
	fix_send(v->session, "8", &b, now_ns);
}

static void refuse_order(
	struct fix_venue *v, const struct order *o, const char *why, int64_t now_ns)
{
	tell(v, o, &(struct report){.type = '8', .status = '8', .text = why}, now_ns);
}

/* An OrderCancelReject (9), of a cancel or a replace. */
static void refuse_change(struct fix_venue *v, const char *id, const char *old_id, bool is_replace,
	const char *why, int64_t now_ns)
{
	struct fix_body b = {0};

	fix_put(&b, 37, "NONE");
	fix_put(&b, 11, id);
	fix_put(&b, 41, old_id);
	fix_put(&b, 39, "8");
	fix_put(&b, 434, is_replace ? "2" : "1");
	fix_put(&b, 102, "1"); /* CxlRejReason: unknown order */
	fix_put(&b, 58, why);
	fix_send(v->session, "9", &b, now_ns);
}

/* A BusinessMessageReject (j): of a type that is not dealt with (3), or a field is missing (5). */
static void refuse_message(
	struct fix_venue *v, const struct fix_event *ev, const char *reason, int64_t now_ns)
{
	struct fix_body b = {0};

	fix_put_number(&b, 45, ev->sequence);
	fix_put(&b, 372, ev->type);
	fix_put(&b, 380, reason);
	fix_send(v->session, "j", &b, now_ns);
}

/* ---- what the account asks for -------------------------------------------------------------- */

static bool get_text(const struct fix_message *m, unsigned tag, char *out, int size)
{
	const char *value;
	int n = fix_get(m, tag, &value);

	if (n <= 0 || n >= size)
		return false;
	memcpy(out, value, (size_t)n);
	out[n] = '\0';
	return true;
}

static void ask_market(
	struct fix_venue *v, struct ouch *m, uint64_t ref, uint64_t old_ref, int64_t today_ns)
{
	uint8_t text[OUCH_MAX];
	int n;

	m->ref = ref;
	m->old_ref = old_ref;
	snprintf(m->token, sizeof(m->token), "%014" PRIu64, ref % UINT64_C(100000000000000));
	snprintf(m->old_token, sizeof(m->old_token), "%014" PRIu64,
		old_ref % UINT64_C(100000000000000));
	n = ouch_encode(v->market_version, OUCH_CLIENT, m, text);
	if (n > 0)
		market_input(v->market, v->account, text, (size_t)n, today_ns);
}

/* Everything of an order but what only the market can judge. Returns why not, or NULL. */
static const char *take_order(const struct fix_message *m, struct order *o, struct ouch *out)
{
	char side[2], type[2], tif[2] = "0";

	if (!get_text(m, 54, side, sizeof(side)) || !strchr("1256", side[0]))
		return "Side is not 1, 2, 5 or 6";
	if (!get_text(m, 40, type, sizeof(type)) || type[0] != '2')
		return "OrdType is not 2, limit";
	if (!get_text(m, 55, o->symbol, sizeof(o->symbol)))
		return "unknown symbol";
	get_text(m, 59, tif, sizeof(tif));
	if (tif[0] != '0' && tif[0] != '3')
		return "TimeInForce is neither 0 nor 3";
	if (fix_get_number(m, 38, &o->shares) < 0 || o->shares > UINT32_MAX)
		return "no OrderQty";
	if (fix_get_price(m, 44, &o->price) < 0 || o->price > UINT32_MAX)
		return "no Price, or too large a one";
	o->side = side[0];
	out->side = side[0] == '1' ? 'B' : side[0] == '2' ? 'S' : side[0] == '5' ? 'T' : 'E';
	out->shares = o->shares;
	out->price = o->price;
	memcpy(out->symbol, o->symbol, sizeof(out->symbol));
	out->tif = tif[0];
	out->tif_s = tif[0] == '3' ? 0 : 99998;
	return NULL;
}

static const struct ouch plain = {
	.display = 'Y', .capacity = 'P', .iso = 'N', .cross = 'N', .customer = 'N'};

static void enter(struct fix_venue *v, const struct fix_event *ev, int64_t today_ns, int64_t now_ns)
{
	struct order o = {0}, *added = NULL;
	struct ouch out = plain;
	const char *why;

	if (!get_text(&ev->message, 11, o.id, sizeof(o.id))) {
		refuse_message(v, ev, "5", now_ns);
		return;
	}
	out.type = OUCH_ENTER;
	why = take_order(&ev->message, &o, &out);
	if (!why && find(v, o.id))
		why = "duplicate ClOrdID";
	if (!why && !(added = add(v, &o)))
		why = "too many orders";
	if (why)
		refuse_order(v, &o, why, now_ns);
	else
		ask_market(v, &out, added->ref, 0, today_ns);
}

static void cancel(struct fix_venue *v, const char *id, struct order *old, int64_t today_ns)
{
	struct ouch out = plain;

	out.type = OUCH_CANCEL;
	snprintf(old->cancel_id, sizeof(old->cancel_id), "%s", id);
	ask_market(v, &out, old->ref, 0, today_ns);
}

static void replace(struct fix_venue *v, const struct fix_event *ev, const char *id,
	struct order *old, int64_t today_ns, int64_t now_ns)
{
	struct order o = {.done = old->done, .notional = old->notional, .replaces = old->ref};
	struct order *added = NULL;
	struct ouch out = plain;
	const char *why = take_order(&ev->message, &o, &out);

	snprintf(o.id, sizeof(o.id), "%s", id);
	out.type = OUCH_REPLACE;
	if (!why && find(v, id))
		why = "duplicate ClOrdID";
	if (!why && !(added = add(v, &o)))
		why = "too many orders";
	if (why)
		refuse_change(v, id, old->id, true, why, now_ns);
	else
		ask_market(v, &out, added->ref, old->ref, today_ns);
}

/* OrderCancelRequest (F) and OrderCancelReplaceRequest (G). */
static void change(
	struct fix_venue *v, const struct fix_event *ev, int64_t today_ns, int64_t now_ns)
{
	bool is_replace = ev->type[0] == 'G';
	char id[ID_MAX], old_id[ID_MAX];
	struct order *old;

	if (!get_text(&ev->message, 11, id, sizeof(id)) ||
		!get_text(&ev->message, 41, old_id, sizeof(old_id))) {
		refuse_message(v, ev, "5", now_ns);
		return;
	}
	old = find(v, old_id);
	if (!old)
		refuse_change(v, id, old_id, is_replace, "unknown order", now_ns);
	else if (is_replace)
		replace(v, ev, id, old, today_ns, now_ns);
	else
		cancel(v, id, old, today_ns);
}

/* OrderMassCancelRequest (q) of all orders. */
static void cancel_all(
	struct fix_venue *v, const struct fix_event *ev, int64_t today_ns, int64_t now_ns)
{
	struct fix_body b = {0};
	char id[ID_MAX];
	bool all = fix_is(&ev->message, 530, "7");

	if (!get_text(&ev->message, 11, id, sizeof(id))) {
		refuse_message(v, ev, "5", now_ns);
		return;
	}
	if (all)
		market_cancel_all(v->market, v->account, NULL, 'U', today_ns);
	fix_venue_report(v, now_ns);
	fix_put(&b, 11, id);
	fix_put(&b, 37, "NONE");
	fix_put(&b, 530, all ? "7" : "1");
	fix_put(&b, 531, all ? "7" : "0"); /* MassCancelResponse: all orders, or refused */
	fix_send(v->session, "r", &b, now_ns);
}

void fix_venue_input(
	struct fix_venue *v, const struct fix_event *ev, int64_t today_ns, int64_t now_ns)
{
	fix_venue_report(v, now_ns); /* what an order is by now */
	if (strcmp(ev->type, "D") == 0)
		enter(v, ev, today_ns, now_ns);
	else if (strcmp(ev->type, "F") == 0 || strcmp(ev->type, "G") == 0)
		change(v, ev, today_ns, now_ns);
	else if (strcmp(ev->type, "q") == 0 && !v->is_42)
		cancel_all(v, ev, today_ns, now_ns);
	else
		refuse_message(v, ev, "3", now_ns);
	fix_venue_report(v, now_ns);
}

/* ---- what the market says ------------------------------------------------------------------- */

static void accepted(struct fix_venue *v, struct order *o, const struct ouch *m, struct report *r,
	int64_t now_ns)
{
	struct order *old = by_ref(v, o->replaces);

	o->venue_ref = m->order_ref;
	r->type = r->status = '0';
	r->left = o->shares - o->done;
	if (m->type == OUCH_REPLACED) {
		r->type = r->status = '5';
		r->replaces = old ? old->id : NULL;
	}
	tell(v, o, r, now_ns);
	if (m->type == OUCH_REPLACED && old)
		drop(v, old);
}

static void executed(struct fix_venue *v, struct order *o, const struct ouch *m, struct report *r,
	int64_t now_ns)
{
	o->done += m->shares;
	o->notional += m->shares * m->price;
	r->left = o->shares > o->done ? o->shares - o->done : 0;
	r->status = r->left ? '1' : '2';
	r->type = v->is_42 ? r->status : 'F';
	r->shares = m->shares;
	r->price = m->price;
	tell(v, o, r, now_ns);
	if (r->left == 0)
		drop(v, o);
}

static void rejected(struct fix_venue *v, struct order *o, struct report *r, int64_t now_ns)
{
	struct order *old = by_ref(v, o->replaces);

	r->type = r->status = '8';
	r->text = "refused by the market";
	if (o->replaces)
		refuse_change(v, o->id, old ? old->id : "NONE", true, r->text, now_ns);
	else
		tell(v, o, r, now_ns);
	drop(v, o);
}

static void canceled(struct fix_venue *v, struct order *o, struct report *r, int64_t now_ns)
{
	r->type = r->status = '4';
	r->cancel_id = o->cancel_id[0] ? o->cancel_id : NULL;
	tell(v, o, r, now_ns);
	drop(v, o);
}

static void pass_on(struct fix_venue *v, const struct ouch *m, uint64_t number, int64_t now_ns)
{
	uint64_t ref = v->market_version == OUCH_50 ? m->ref : strtoull(m->token, NULL, 10);
	struct order *o = by_ref(v, ref);
	struct report r = {.number = number};

	if (!o)
		return; /* a system event, or an order of the account that came by OUCH */
	switch (m->type) {
	case OUCH_ACCEPTED:
	case OUCH_REPLACED: accepted(v, o, m, &r, now_ns); break;
	case OUCH_EXECUTED: executed(v, o, m, &r, now_ns); break;
	case OUCH_CANCELED: canceled(v, o, &r, now_ns); break;
	case OUCH_REJECTED: rejected(v, o, &r, now_ns); break;
	default: break;
	}
}

void fix_venue_report(struct fix_venue *v, int64_t now_ns)
{
	const struct archive *log = market_reports(v->market, v->account);
	const void *data;
	struct ouch m;
	size_t len;

	while (v->next_report < archive_next(log) && fix_is_ready(v->session)) {
		data = archive_get(
			log, v->next_report, &len); /* NULL: gone while nobody listened */
		if (data && ouch_decode(v->market_version, OUCH_SERVER, data, len, &m) == 0)
			pass_on(v, &m, v->next_report, now_ns);
		v->next_report++;
	}
}

/* ---- open and close ------------------------------------------------------------------------- */

int fix_venue_open(struct fix_venue **out, struct market *m, enum ouch_version market_version,
	int account, struct fix_session *s, const char *version)
{
	struct fix_venue *v = calloc(1, sizeof(*v));

	*out = v;
	if (!v)
		return -ENOMEM;
	v->market = m;
	v->session = s;
	v->market_version = market_version;
	v->account = account;
	v->is_42 = strcmp(version, "FIX.4.2") == 0;
	v->next_ref = v->next_report = 1;
	return 0;
}

void fix_venue_close(struct fix_venue *v)
{
	free(v);
}
