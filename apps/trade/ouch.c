/* SPDX-License-Identifier: BSD-3-Clause
 * The table of OUCH messages, and what walks it.
 */
#include "apps/trade/ouch.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "apps/feed/wire.h"

enum kind { NUMBER, LETTER, TEXT, TAIL };

struct field {
	uint8_t width; /* on the wire; TAIL: of its length */
	uint8_t kind;  /* enum kind */
	uint16_t at;   /* in struct ouch */
};

#define AT(member) offsetof(struct ouch, member)

static const struct field fields[OUCH_FIELDS] = {
	[OUCH_F_TIME] = {8, NUMBER, AT(time_ns)},
	[OUCH_F_REF] = {4, NUMBER, AT(ref)},
	[OUCH_F_OLD_REF] = {4, NUMBER, AT(old_ref)},
	[OUCH_F_TOKEN] = {14, TEXT, AT(token)},
	[OUCH_F_OLD_TOKEN] = {14, TEXT, AT(old_token)},
	[OUCH_F_SIDE] = {1, LETTER, AT(side)},
	[OUCH_F_SHARES] = {4, NUMBER, AT(shares)},
	[OUCH_F_SYMBOL] = {8, TEXT, AT(symbol)},
	[OUCH_F_PRICE4] = {4, NUMBER, AT(price)},
	[OUCH_F_PRICE8] = {8, NUMBER, AT(price)},
	[OUCH_F_TIF] = {1, LETTER, AT(tif)},
	[OUCH_F_TIF_S] = {4, NUMBER, AT(tif_s)},
	[OUCH_F_FIRM] = {4, TEXT, AT(firm)},
	[OUCH_F_DISPLAY] = {1, LETTER, AT(display)},
	[OUCH_F_CAPACITY] = {1, LETTER, AT(capacity)},
	[OUCH_F_ISO] = {1, LETTER, AT(iso)},
	[OUCH_F_CROSS] = {1, LETTER, AT(cross)},
	[OUCH_F_CUSTOMER] = {1, LETTER, AT(customer)},
	[OUCH_F_MIN_SHARES] = {4, NUMBER, AT(min_shares)},
	[OUCH_F_ORDER_REF] = {8, NUMBER, AT(order_ref)},
	[OUCH_F_STATE] = {1, LETTER, AT(state)},
	[OUCH_F_BBO] = {1, LETTER, AT(bbo)},
	[OUCH_F_MATCH] = {8, NUMBER, AT(match)},
	[OUCH_F_LIQUIDITY] = {1, LETTER, AT(liquidity)},
	[OUCH_F_REASON] = {1, LETTER, AT(reason)},
	[OUCH_F_REASON_CODE] = {2, NUMBER, AT(reason_code)},
	[OUCH_F_EVENT] = {1, LETTER, AT(event)},
	[OUCH_F_PREVENTED] = {4, NUMBER, AT(prevented)},
	[OUCH_F_REF_PRICE] = {4, NUMBER, AT(ref_price)},
	[OUCH_F_REF_PRICE_TYPE] = {1, LETTER, AT(ref_price_type)},
	[OUCH_F_APPENDAGE] = {2, TAIL, AT(appendage)},
};

enum { MOST_FIELDS = 20 };

struct message {
	char type;
	uint8_t len;		     /* with an empty appendage, as the specification gives it */
	uint8_t fields[MOST_FIELDS]; /* in wire order, 0-terminated */
};

#define TIME	OUCH_F_TIME
#define REF	OUCH_F_REF
#define TOKEN	OUCH_F_TOKEN
#define SIDE	OUCH_F_SIDE
#define SHARES	OUCH_F_SHARES
#define SYMBOL	OUCH_F_SYMBOL
#define ORDER	OUCH_F_ORDER_REF
#define MATCH	OUCH_F_MATCH
#define TAGS	OUCH_F_APPENDAGE
#define P4	OUCH_F_PRICE4
#define P8	OUCH_F_PRICE8
#define F(name) OUCH_F_##name

static const struct message client_42[] = {
	{'O', 49,
		{TOKEN, SIDE, SHARES, SYMBOL, P4, F(TIF_S), F(FIRM), F(DISPLAY), F(CAPACITY),
			F(ISO), F(MIN_SHARES), F(CROSS), F(CUSTOMER)}},
	{'U', 47, {F(OLD_TOKEN), TOKEN, SHARES, P4, F(TIF_S), F(DISPLAY), F(ISO), F(MIN_SHARES)}},
	{'X', 19, {TOKEN, SHARES}},
	{'M', 20, {TOKEN, SIDE, SHARES}},
	{'N', 15, {TOKEN}},
	{0, 0, {0}},
};

static const struct message server_42[] = {
	{'S', 10, {TIME, F(EVENT)}},
	{'A', 66,
		{TIME, TOKEN, SIDE, SHARES, SYMBOL, P4, F(TIF_S), F(FIRM), F(DISPLAY), ORDER,
			F(CAPACITY), F(ISO), F(MIN_SHARES), F(CROSS), F(STATE), F(BBO)}},
	{'U', 80,
		{TIME, TOKEN, SIDE, SHARES, SYMBOL, P4, F(TIF_S), F(FIRM), F(DISPLAY), ORDER,
			F(CAPACITY), F(ISO), F(MIN_SHARES), F(CROSS), F(STATE), F(OLD_TOKEN),
			F(BBO)}},
	{'C', 28, {TIME, TOKEN, SHARES, F(REASON)}},
	{'D', 37, {TIME, TOKEN, SHARES, F(REASON), F(PREVENTED), P4, F(LIQUIDITY)}},
	{'E', 40, {TIME, TOKEN, SHARES, P4, F(LIQUIDITY), MATCH}},
	{'B', 32, {TIME, TOKEN, MATCH, F(REASON)}},
	{'G', 45, {TIME, TOKEN, SHARES, P4, F(LIQUIDITY), MATCH, F(REF_PRICE), F(REF_PRICE_TYPE)}},
	{'F', 41, {TIME, TOKEN, SHARES, P4, F(LIQUIDITY), MATCH, F(REASON)}},
	{'J', 24, {TIME, TOKEN, F(REASON)}},
	{'P', 23, {TIME, TOKEN}},
	{'I', 23, {TIME, TOKEN}},
	{'T', 36, {TIME, TOKEN, P4, F(DISPLAY), ORDER}},
	{'M', 28, {TIME, TOKEN, SIDE, SHARES}},
	{'N', 23, {TIME, TOKEN}},
	{0, 0, {0}},
};

static const struct message client_50[] = {
	{'O', 47,
		{REF, SIDE, SHARES, SYMBOL, P8, F(TIF), F(DISPLAY), F(CAPACITY), F(ISO), F(CROSS),
			TOKEN, TAGS}},
	{'U', 40, {F(OLD_REF), REF, SHARES, P8, F(TIF), F(DISPLAY), F(ISO), TOKEN, TAGS}},
	{'X', 9, {REF, SHARES}},
	{'M', 10, {REF, SIDE, SHARES}},
	{'Q', 1, {0}},
	{'C', 19, {REF, F(FIRM), SYMBOL, TAGS}},
	{'D', 11, {REF, F(FIRM), TAGS}},
	{'E', 11, {REF, F(FIRM), TAGS}},
	{0, 0, {0}},
};

static const struct message server_50[] = {
	{'S', 10, {TIME, F(EVENT)}},
	{'A', 64,
		{TIME, REF, SIDE, SHARES, SYMBOL, P8, F(TIF), F(DISPLAY), ORDER, F(CAPACITY),
			F(ISO), F(CROSS), F(STATE), TOKEN, TAGS}},
	{'U', 68,
		{TIME, F(OLD_REF), REF, SIDE, SHARES, SYMBOL, P8, F(TIF), F(DISPLAY), ORDER,
			F(CAPACITY), F(ISO), F(CROSS), F(STATE), TOKEN, TAGS}},
	{'C', 18, {TIME, REF, SHARES, F(REASON)}},
	{'D', 31, {TIME, REF, SHARES, F(REASON), F(PREVENTED), P8, F(LIQUIDITY)}},
	{'E', 36, {TIME, REF, SHARES, P8, F(LIQUIDITY), MATCH, TAGS}},
	{'B', 36, {TIME, REF, MATCH, F(REASON), TOKEN}},
	{'F', 49, {TIME, REF, MATCH, SHARES, P8, F(LIQUIDITY), F(REASON), TOKEN}},
	{'J', 29, {TIME, REF, F(REASON_CODE), TOKEN}},
	{'P', 13, {TIME, REF}},
	{'I', 13, {TIME, REF}},
	{'T', 30, {TIME, REF, P8, F(DISPLAY), ORDER}},
	{'M', 18, {TIME, REF, SIDE, SHARES}},
	{'R', 16, {TIME, REF, F(REASON), TAGS}},
	{'Q', 13, {TIME, REF}},
	{'X', 27, {TIME, REF, F(FIRM), SYMBOL, TAGS}},
	{'G', 19, {TIME, REF, F(FIRM), TAGS}},
	{'K', 19, {TIME, REF, F(FIRM), TAGS}},
	{0, 0, {0}},
};

static const struct message *const tables[2][2] = {
	[OUCH_42] = {client_42, server_42},
	[OUCH_50] = {client_50, server_50},
};

static const struct message *message_of(enum ouch_version v, enum ouch_from from, char type)
{
	const struct message *m = tables[v][from];

	while (m->type && m->type != type)
		m++;
	return m->type ? m : NULL;
}

/* ---- taking apart --------------------------------------------------------------------------- */

static void get_text(char *to, const uint8_t *from, unsigned width)
{
	while (width > 0 && from[width - 1] == ' ')
		width--;
	memcpy(to, from, width);
	to[width] = '\0';
}

static void get_field(struct ouch *m, const struct field *f, const uint8_t *from)
{
	uint8_t *to = (uint8_t *)m + f->at;
	uint64_t n;

	switch ((enum kind)f->kind) {
	case NUMBER:
		n = wire_uint(from, f->width, true);
		memcpy(to, &n, sizeof(n));
		break;
	case LETTER: *to = *from; break;
	case TEXT: get_text((char *)to, from, f->width); break;
	case TAIL:
		m->appendage_len = wire_be16(from);
		m->appendage = from + f->width;
		break;
	}
}

int ouch_decode(
	enum ouch_version v, enum ouch_from from, const void *data, size_t len, struct ouch *out)
{
	const uint8_t *at = data;
	const struct message *m;
	const uint8_t *f;

	memset(out, 0, sizeof(*out));
	if (len == 0)
		return -EBADMSG;
	m = message_of(v, from, (char)at[0]);
	if (!m)
		return -ENOMSG;
	if (len < m->len)
		return -EBADMSG;
	out->type = m->type;
	at++;
	for (f = m->fields; *f; f++) {
		get_field(out, &fields[*f], at);
		at += fields[*f].width;
	}
	return out->appendage_len > len - m->len ? -EBADMSG : 0;
}

int ouch_next_tag(const struct ouch *m, size_t *at, struct ouch_tag *t)
{
	size_t left = m->appendage_len - *at;
	const uint8_t *from;

	if (left == 0)
		return 0;
	from = m->appendage + *at;
	if (from[0] == 0 || from[0] >= left)
		return -EBADMSG;
	*t = (struct ouch_tag){from[1], from + 2, from[0] - 1u};
	*at += from[0] + 1u;
	return 1;
}

/* ---- putting together ----------------------------------------------------------------------- */

static void put_text(uint8_t *to, const char *from, unsigned width)
{
	size_t len = strnlen(from, width);

	memcpy(to, from, len);
	memset(to + len, ' ', width - len);
}

/* Returns false when the value does not fit its field. */
static bool put_field(const struct ouch *m, const struct field *f, uint8_t *to)
{
	const uint8_t *from = (const uint8_t *)m + f->at;
	uint64_t n;

	switch ((enum kind)f->kind) {
	case NUMBER:
		memcpy(&n, from, sizeof(n));
		if (f->width < 8 && n >> 8 * f->width)
			return false;
		wire_put_uint(to, f->width, true, n);
		break;
	case LETTER: *to = *from ? *from : ' '; break;
	case TEXT: put_text(to, (const char *)from, f->width); break;
	case TAIL:
		if (m->appendage_len > UINT8_MAX)
			return false;
		wire_put_be16(to, (uint16_t)m->appendage_len);
		if (m->appendage_len)
			memcpy(to + f->width, m->appendage, m->appendage_len);
		break;
	}
	return true;
}

int ouch_encode(enum ouch_version v, enum ouch_from from, const struct ouch *in, void *out)
{
	const struct message *m = message_of(v, from, in->type);
	uint8_t *at = out;
	const uint8_t *f;
	bool tail = false;

	if (!m)
		return -ENOMSG;
	*at++ = (uint8_t)m->type;
	for (f = m->fields; *f; f++) {
		if (!put_field(in, &fields[*f], at))
			return -EMSGSIZE;
		at += fields[*f].width;
		tail = fields[*f].kind == TAIL;
	}
	return m->len + (tail ? (int)in->appendage_len : 0);
}

int ouch_field_at(
	enum ouch_version v, enum ouch_from from, char type, enum ouch_field want, unsigned *width)
{
	const struct message *m = message_of(v, from, type);
	const uint8_t *f;
	int at = 1;

	for (f = m ? m->fields : NULL; f && *f; f++) {
		if (*f == want) {
			*width = fields[want].width;
			return at;
		}
		at += fields[*f].width;
	}
	return -ENOENT;
}
