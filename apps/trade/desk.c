/* SPDX-License-Identifier: BSD-3-Clause
 * Orders of one session: limits before they leave, books after they are answered.
 */
#include "apps/trade/desk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/feed/wire.h"

enum { DEFAULT_OPEN = 4096 };

#define SECOND_NS UINT64_C(1000000000)

static const struct {
	const char *name, *text;
} verdicts[DESK_VERDICTS_N] = {
#define X(name, text) {#name, text},
	DESK_VERDICTS(X)
#undef X
};

const char *desk_verdict_name(enum desk_verdict v)
{
	return verdicts[v].name;
}

const char *desk_verdict_text(enum desk_verdict v)
{
	return verdicts[v].text;
}

/* ---- the prepared order --------------------------------------------------------------------- */

static uint16_t place(const struct desk *d, enum ouch_field f, unsigned *width)
{
	return (uint16_t)(SOUP_HEAD + ouch_field_at(d->version, OUCH_CLIENT, OUCH_ENTER, f, width));
}

/* Everything that orders have in common is encoded once. */
static void prepare(struct desk *d, const char *firm)
{
	struct ouch m = {.type = OUCH_ENTER,
		.side = 'B',
		.tif = '0',
		.tif_s = 99998,
		.display = 'Y',
		.capacity = 'P',
		.iso = 'N',
		.cross = 'N',
		.customer = 'N'};
	uint8_t text[OUCH_MAX];
	unsigned width;

	snprintf(d->firm, sizeof(d->firm), "%s", firm);
	memcpy(m.firm, d->firm, sizeof(m.firm));
	d->enter_len = (uint16_t)soup_put(d->enter, SOUP_UNSEQUENCED, text,
		(size_t)ouch_encode(d->version, OUCH_CLIENT, &m, text));
	d->at_ref = place(d, d->version == OUCH_50 ? OUCH_F_REF : OUCH_F_TOKEN, &width);
	d->at_side = place(d, OUCH_F_SIDE, &width);
	d->at_shares = place(d, OUCH_F_SHARES, &width);
	d->at_symbol = place(d, OUCH_F_SYMBOL, &width);
	d->at_price = place(d, d->version == OUCH_50 ? OUCH_F_PRICE8 : OUCH_F_PRICE4, &width);
	d->price_width = (uint8_t)width;
	d->at_tif = place(d, d->version == OUCH_50 ? OUCH_F_TIF : OUCH_F_TIF_S, &width);
	d->tif_width = (uint8_t)width;
}

/* A 4.2 token is the reference in 14 digits. */
static void put_ref(const struct desk *d, uint8_t *at, uint64_t ref)
{
	unsigned i;

	if (d->version == OUCH_50) {
		wire_put_be32(at, (uint32_t)ref);
		return;
	}
	for (i = 14; i-- > 0; ref /= 10)
		at[i] = (uint8_t)('0' + ref % 10);
}

static uint64_t ref_of(const struct desk *d, const struct ouch *m)
{
	return d->version == OUCH_50 ? m->ref : strtoull(m->token, NULL, 10);
}

static size_t patch(
	const struct desk *d, const struct desk_order *o, const struct desk_intent *i, uint8_t *out)
{
	memcpy(out, d->enter, d->enter_len);
	put_ref(d, out + d->at_ref, o->ref);
	out[d->at_side] = (uint8_t)i->side;
	wire_put_be32(out + d->at_shares, i->shares);
	memcpy(out + d->at_symbol, d->symbols[i->symbol].name, strlen(d->symbols[i->symbol].name));
	wire_put_uint(out + d->at_price, d->price_width, true, i->price);
	if (i->ioc && d->version == OUCH_50)
		out[d->at_tif] = '3';
	else if (i->ioc)
		wire_put_be32(out + d->at_tif, 0);
	return d->enter_len;
}

/* ---- open and close ------------------------------------------------------------------------- */

int desk_open(struct desk *d, enum ouch_version v, const struct desk_limits *limits,
	uint64_t first_ref, const char *firm)
{
	uint32_t slots = 1;

	memset(d, 0, sizeof(*d));
	d->version = v;
	d->limits = *limits;
	if (d->limits.max_open == 0)
		d->limits.max_open = DEFAULT_OPEN;
	/* Twice as many: at least half of them are free, and of references that come round again
	 * those whose slots belong to orders that rest are passed over (see next_ref). */
	while (slots < 2 * d->limits.max_open)
		slots *= 2;
	d->mask = slots - 1;
	d->orders = calloc(slots, sizeof(*d->orders));
	if (!d->orders)
		return -ENOMEM;
	while (slots-- > 0) /* pages are made here, and not by the first order in each */
		d->orders[slots].ref = UINT64_MAX;
	d->next_ref = first_ref ? first_ref : 1;
	d->ref_ceiling = UINT64_MAX;
	d->tokens_ns = SECOND_NS;
	prepare(d, firm);
	return 0;
}

void desk_close(struct desk *d)
{
	free(d->orders);
	d->orders = NULL;
}

int desk_symbol(struct desk *d, const char *name)
{
	if (d->n_symbols == DESK_SYMBOLS || strlen(name) > 8)
		return -ENOSPC;
	snprintf(d->symbols[d->n_symbols].name, sizeof(d->symbols[0].name), "%s", name);
	return d->n_symbols++;
}

/* ---- limits --------------------------------------------------------------------------------- */

static bool within_collar(const struct desk *d, const struct desk_symbol *s, uint64_t price)
{
	uint64_t away = price > s->reference ? price - s->reference : s->reference - price;

	return d->limits.collar_bp == 0 ||
	       (s->reference && (__uint128_t)away * 10000 <=
					(__uint128_t)s->reference * d->limits.collar_bp);
}

/* With this order and all open ones of its side filled. */
static bool within_position(
	const struct desk *d, const struct desk_symbol *s, const struct desk_intent *i)
{
	int64_t limit = (int64_t)d->limits.max_position;

	if (limit == 0)
		return true;
	if (i->side == 'B')
		return s->position + (int64_t)(s->open_buy + i->shares) <= limit;
	return s->position - (int64_t)(s->open_sell + i->shares) >= -limit;
}

/* A bucket that fills by max_per_second orders a second and holds as many. */
static bool within_rate(struct desk *d, int64_t now_ns)
{
	uint64_t cost, gained;

	if (d->limits.max_per_second == 0)
		return true;
	cost = SECOND_NS / d->limits.max_per_second;
	gained = now_ns > d->bucket_ns ? (uint64_t)(now_ns - d->bucket_ns) : 0;
	d->bucket_ns = now_ns;
	d->tokens_ns = gained > SECOND_NS - d->tokens_ns ? SECOND_NS : d->tokens_ns + gained;
	if (d->tokens_ns < cost)
		return false;
	d->tokens_ns -= cost;
	return true;
}

static enum desk_verdict judge(struct desk *d, const struct desk_intent *i, int64_t now_ns)
{
	const struct desk_limits *l = &d->limits;
	const struct desk_symbol *s;
	uint64_t notional;

	if (d->killed)
		return DESK_killed;
	if (!d->session_open)
		return DESK_no_session;
	if (d->next_ref >= d->ref_ceiling)
		return DESK_no_ref;
	if (i->symbol >= d->n_symbols)
		return DESK_symbol;
	s = &d->symbols[i->symbol];
	if (i->shares == 0 || (l->max_shares && i->shares > l->max_shares))
		return DESK_shares;
	if (__builtin_mul_overflow((uint64_t)i->shares, i->price, &notional) ||
		(l->max_notional && notional > l->max_notional))
		return DESK_notional;
	if (!within_collar(d, s, i->price))
		return DESK_collar;
	if (d->open == l->max_open)
		return DESK_open;
	if (!within_position(d, s, i))
		return DESK_position;
	if (l->max_gross && notional > l->max_gross - d->gross)
		return DESK_gross;
	if (!within_rate(d, now_ns)) /* last, for it takes from the bucket */
		return DESK_rate;
	d->gross += notional;
	return DESK_ok;
}

/* ---- orders --------------------------------------------------------------------------------- */

static uint64_t *open_side(struct desk *d, const struct desk_order *o)
{
	struct desk_symbol *s = &d->symbols[o->symbol];

	return o->side == 'B' ? &s->open_buy : &s->open_sell;
}

/* The slot of next_ref is always free: what rests for a long time stands in nobody's way. */
static void pass_taken(struct desk *d)
{
	while (d->orders[d->next_ref & d->mask].state != DESK_FREE)
		d->next_ref++;
}

static enum desk_verdict admit(
	struct desk *d, const struct desk_intent *i, int64_t now_ns, struct desk_order **out)
{
	enum desk_verdict v = judge(d, i, now_ns);
	struct desk_order *o;

	d->verdicts[v]++;
	if (v != DESK_ok)
		return v;
	o = &d->orders[d->next_ref & d->mask];
	*o = (struct desk_order){.ref = d->next_ref++,
		.price = i->price,
		.open = i->shares,
		.symbol = i->symbol,
		.side = i->side,
		.state = DESK_SENT,
		.sent_ns = now_ns};
	d->open++;
	*open_side(d, o) += o->open;
	pass_taken(d);
	*out = o;
	return DESK_ok;
}

enum desk_verdict desk_enter(
	struct desk *d, const struct desk_intent *i, int64_t now_ns, void *out, size_t *len)
{
	struct desk_order *o;
	enum desk_verdict v = admit(d, i, now_ns, &o);

	*len = v == DESK_ok ? patch(d, o, i, out) : 0;
	return v;
}

enum desk_verdict desk_admit(
	struct desk *d, const struct desk_intent *i, int64_t now_ns, uint64_t *ref)
{
	struct desk_order *o;
	enum desk_verdict v = admit(d, i, now_ns, &o);

	if (v == DESK_ok)
		*ref = o->ref;
	return v;
}

static struct desk_order *find(struct desk *d, uint64_t ref)
{
	struct desk_order *o = &d->orders[ref & d->mask];

	return o->state != DESK_FREE && o->ref == ref ? o : NULL;
}

static size_t put_cancel(const struct desk *d, struct desk_order *o, void *out)
{
	struct ouch m = {.type = OUCH_CANCEL, .ref = o->ref};
	uint8_t text[OUCH_MAX];
	int n;

	put_ref(&(struct desk){.version = OUCH_42}, (uint8_t *)m.token, o->ref);
	n = ouch_encode(d->version, OUCH_CLIENT, &m, text);
	o->state = DESK_CANCELING;
	return soup_put(out, SOUP_UNSEQUENCED, text, (size_t)n);
}

size_t desk_cancel(struct desk *d, uint64_t ref, void *out)
{
	struct desk_order *o = find(d, ref);

	return o && d->session_open ? put_cancel(d, o, out) : 0;
}

size_t desk_cancel_all(struct desk *d, uint32_t *cursor, void *out, size_t room)
{
	uint8_t *at = out;
	size_t used = 0;

	for (; *cursor <= d->mask && room - used >= DESK_BYTES; (*cursor)++)
		if (d->orders[*cursor].state != DESK_FREE && d->session_open)
			used += put_cancel(d, &d->orders[*cursor], at + used);
	return used;
}

size_t desk_mass_cancel(struct desk *d, void *out)
{
	struct ouch m = {.type = OUCH_MASS_CANCEL};
	uint8_t text[OUCH_MAX];

	if (d->version != OUCH_50 || !d->session_open || d->next_ref >= d->ref_ceiling)
		return 0;
	m.ref = d->next_ref++;
	pass_taken(d);
	memcpy(m.firm, d->firm, sizeof(m.firm));
	return soup_put(out, SOUP_UNSEQUENCED, text,
		(size_t)ouch_encode(d->version, OUCH_CLIENT, &m, text));
}

const struct desk_order *desk_next_open(struct desk *d, uint32_t *cursor)
{
	struct desk_order *o;

	while (*cursor <= d->mask) {
		o = &d->orders[(*cursor)++];
		if (o->state != DESK_FREE) {
			o->state = DESK_CANCELING;
			return o;
		}
	}
	return NULL;
}

/* ---- reports -------------------------------------------------------------------------------- */

static void shrink(struct desk *d, struct desk_order *o, uint64_t shares)
{
	uint32_t n = shares < o->open ? (uint32_t)shares : o->open;

	*open_side(d, o) -= n;
	o->open -= n;
	if (o->open == 0) {
		o->state = DESK_FREE;
		d->open--;
	}
}

static void fill(struct desk *d, struct desk_order *o, const struct ouch *m)
{
	struct desk_symbol *s = &d->symbols[o->symbol];

	d->filled_shares += m->shares;
	s->position += o->side == 'B' ? (int64_t)m->shares : -(int64_t)m->shares;
	shrink(d, o, m->shares);
}

static void accept(struct desk *d, struct desk_order *o, const struct ouch *m)
{
	d->accepted++;
	if (o->state == DESK_SENT)
		o->state = DESK_LIVE;
	if (m->state == 'D') /* accepted and dead at once */
		shrink(d, o, o->open);
}

static struct desk_order *adopt(struct desk *d, const struct ouch *m)
{
	uint64_t ref = ref_of(d, m);
	struct desk_order *o = &d->orders[ref & d->mask];
	uint16_t i = 0;

	while (i < d->n_symbols && strcmp(d->symbols[i].name, m->symbol) != 0)
		i++;
	if (i == d->n_symbols || o->state != DESK_FREE || d->open == d->limits.max_open ||
		m->shares > UINT32_MAX)
		return NULL;
	*o = (struct desk_order){.ref = ref,
		.price = m->price,
		.open = (uint32_t)m->shares,
		.symbol = i,
		.side = m->side == 'B' ? 'B' : 'S',
		.state = DESK_LIVE};
	d->open++;
	d->adopted++;
	*open_side(d, o) += o->open;
	pass_taken(d);
	return o;
}

int desk_report(struct desk *d, const struct ouch *m)
{
	struct desk_order *o;

	if (m->type == OUCH_SYSTEM || (d->version == OUCH_50 && (m->type == OUCH_MASS_CANCELED ||
		    m->type == OUCH_DISABLED || m->type == OUCH_ENABLED)))
		return 0; /* G is an execution in 4.2 */
	o = find(d, ref_of(d, m));
	if (!o && m->type == OUCH_ACCEPTED)
		o = adopt(d, m);
	if (!o && m->type == OUCH_CANCEL_REJECT && ref_of(d, m) < d->next_ref)
		return 0; /* it had come to its end while the cancel was on its way */
	if (!o) {
		d->unknown++;
		return -ENOENT;
	}
	switch (m->type) {
	case OUCH_ACCEPTED: accept(d, o, m); break;
	case OUCH_EXECUTED:
	case OUCH_EXECUTED_REF: fill(d, o, m); break;
	case OUCH_CANCELED:
	case OUCH_AIQ_CANCELED:
		d->canceled++;
		shrink(d, o, m->shares);
		break;
	case OUCH_REJECTED:
		d->rejected++;
		shrink(d, o, o->open);
		break;
	case OUCH_BROKEN:
	case OUCH_CORRECTION: d->broken++; break;
	case OUCH_CANCEL_REJECT:
		if (o->state == DESK_CANCELING)
			o->state = DESK_LIVE;
		break;
	default: /* priority, pending, restated: nothing that the desk keeps */ break;
	}
	return 0;
}
