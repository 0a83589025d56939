/* SPDX-License-Identifier: BSD-3-Clause
 * OUCH messages: every type of both versions there and back, a real order, and what is malformed.
 */
#include "apps/trade/ouch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/suite.h"

/* Type and length, as the specifications give them. */
struct known {
	enum ouch_version v;
	enum ouch_from from;
	const char *types;
	uint8_t lens[20];
};

static const struct known known[] = {
	{OUCH_42, OUCH_CLIENT, "OUXMN", {49, 47, 19, 20, 15}},
	{OUCH_42, OUCH_SERVER, "SAUCDEBGFJPITMN",
		{10, 66, 80, 28, 37, 40, 32, 45, 41, 24, 23, 23, 36, 28, 23}},
	{OUCH_50, OUCH_CLIENT, "OUXMQCDE", {47, 40, 9, 10, 1, 19, 11, 11}},
	{OUCH_50, OUCH_SERVER, "SAUCDEBFJPITMRQXGK",
		{10, 64, 68, 18, 31, 36, 36, 49, 29, 13, 13, 30, 18, 16, 13, 27, 19, 19}},
};

static struct ouch full(char type)
{
	return (struct ouch){.type = type,
		.time_ns = 34200000000001,
		.ref = 113,
		.old_ref = 112,
		.token = "T0000000000113",
		.old_token = "T0000000000112",
		.side = 'S',
		.shares = 225,
		.symbol = "CVLT",
		.price = 630200,
		.tif = '3',
		.tif_s = 99999,
		.firm = "LIME",
		.display = 'Y',
		.capacity = 'A',
		.iso = 'N',
		.cross = 'O',
		.customer = 'r',
		.min_shares = 100,
		.order_ref = 0x1122334455667788,
		.state = 'L',
		.bbo = 'X',
		.match = 987654321,
		.liquidity = 'R',
		.reason = 'U',
		.reason_code = 0x0102,
		.event = 'E',
		.prevented = 17,
		.ref_price = 630100,
		.ref_price_type = 'I'};
}

static void every_type_there_and_back(void)
{
	uint8_t wire[OUCH_MAX], again[OUCH_MAX];
	struct ouch m, back;
	const char *t;
	unsigned i;
	int n;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		for (t = known[i].types; *t; t++) {
			m = full(*t);
			n = ouch_encode(known[i].v, known[i].from, &m, wire);
			CU_ASSERT_EQUAL(n, known[i].lens[t - known[i].types]);
			CU_ASSERT_EQUAL(
				ouch_decode(known[i].v, known[i].from, wire, (size_t)n, &back), 0);
			CU_ASSERT_EQUAL(ouch_encode(known[i].v, known[i].from, &back, again), n);
			CU_ASSERT_EQUAL(memcmp(wire, again, (size_t)n), 0);
			CU_ASSERT_EQUAL(
				ouch_decode(known[i].v, known[i].from, wire, (size_t)n - 1, &back),
				-EBADMSG);
		}
}

/* Where each field lies, its bytes, and what it is (n number, t text), as the specifications have
 * it: not taken from the tables in ouch.c. */
static const struct layout {
	enum ouch_version v;
	enum ouch_from from;
	char type;
	const char *fields;
} layouts[] = {
	{OUCH_42, OUCH_CLIENT, 'O',
		"token 1 14t, side 15 1t, shares 16 4n, symbol 20 8t, price 28 4n, tif_s 32 4n, "
		"firm 36 4t, display 40 1t, capacity 41 1t, iso 42 1t, min_shares 43 4n, "
		"cross 47 1t, customer 48 1t"},
	{OUCH_42, OUCH_CLIENT, 'U',
		"old_token 1 14t, token 15 14t, shares 29 4n, price 33 4n, tif_s 37 4n, "
		"display 41 1t, iso 42 1t, min_shares 43 4n"},
	{OUCH_42, OUCH_CLIENT, 'X',
		"token 1 14t, shares 15 4n"},
	{OUCH_42, OUCH_CLIENT, 'M',
		"token 1 14t, side 15 1t, shares 16 4n"},
	{OUCH_42, OUCH_CLIENT, 'N',
		"token 1 14t"},
	{OUCH_42, OUCH_SERVER, 'S',
		"time 1 8n, event 9 1t"},
	{OUCH_42, OUCH_SERVER, 'A',
		"time 1 8n, token 9 14t, side 23 1t, shares 24 4n, symbol 28 8t, price 36 4n, "
		"tif_s 40 4n, firm 44 4t, display 48 1t, order_ref 49 8n, capacity 57 1t, "
		"iso 58 1t, min_shares 59 4n, cross 63 1t, state 64 1t, bbo 65 1t"},
	{OUCH_42, OUCH_SERVER, 'U',
		"time 1 8n, token 9 14t, side 23 1t, shares 24 4n, symbol 28 8t, price 36 4n, "
		"tif_s 40 4n, firm 44 4t, display 48 1t, order_ref 49 8n, capacity 57 1t, "
		"iso 58 1t, min_shares 59 4n, cross 63 1t, state 64 1t, old_token 65 14t, "
		"bbo 79 1t"},
	{OUCH_42, OUCH_SERVER, 'C',
		"time 1 8n, token 9 14t, shares 23 4n, reason 27 1t"},
	{OUCH_42, OUCH_SERVER, 'D',
		"time 1 8n, token 9 14t, shares 23 4n, reason 27 1t, prevented 28 4n, "
		"price 32 4n, liquidity 36 1t"},
	{OUCH_42, OUCH_SERVER, 'E',
		"time 1 8n, token 9 14t, shares 23 4n, price 27 4n, liquidity 31 1t, match 32 8n"},
	{OUCH_42, OUCH_SERVER, 'B',
		"time 1 8n, token 9 14t, match 23 8n, reason 31 1t"},
	{OUCH_42, OUCH_SERVER, 'G',
		"time 1 8n, token 9 14t, shares 23 4n, price 27 4n, liquidity 31 1t, "
		"match 32 8n, ref_price 40 4n, ref_price_type 44 1t"},
	{OUCH_42, OUCH_SERVER, 'F',
		"time 1 8n, token 9 14t, shares 23 4n, price 27 4n, liquidity 31 1t, "
		"match 32 8n, reason 40 1t"},
	{OUCH_42, OUCH_SERVER, 'J',
		"time 1 8n, token 9 14t, reason 23 1t"},
	{OUCH_42, OUCH_SERVER, 'P',
		"time 1 8n, token 9 14t"},
	{OUCH_42, OUCH_SERVER, 'I',
		"time 1 8n, token 9 14t"},
	{OUCH_42, OUCH_SERVER, 'T',
		"time 1 8n, token 9 14t, price 23 4n, display 27 1t, order_ref 28 8n"},
	{OUCH_42, OUCH_SERVER, 'M',
		"time 1 8n, token 9 14t, side 23 1t, shares 24 4n"},
	{OUCH_42, OUCH_SERVER, 'N',
		"time 1 8n, token 9 14t"},
	{OUCH_50, OUCH_CLIENT, 'O',
		"ref 1 4n, side 5 1t, shares 6 4n, symbol 10 8t, price 18 8n, tif 26 1t, "
		"display 27 1t, capacity 28 1t, iso 29 1t, cross 30 1t, token 31 14t, tail 45 2n"},
	{OUCH_50, OUCH_CLIENT, 'U',
		"old_ref 1 4n, ref 5 4n, shares 9 4n, price 13 8n, tif 21 1t, display 22 1t, "
		"iso 23 1t, token 24 14t, tail 38 2n"},
	{OUCH_50, OUCH_CLIENT, 'X',
		"ref 1 4n, shares 5 4n"},
	{OUCH_50, OUCH_CLIENT, 'M',
		"ref 1 4n, side 5 1t, shares 6 4n"},
	{OUCH_50, OUCH_CLIENT, 'Q',
		""},
	{OUCH_50, OUCH_CLIENT, 'C',
		"ref 1 4n, firm 5 4t, symbol 9 8t, tail 17 2n"},
	{OUCH_50, OUCH_CLIENT, 'D',
		"ref 1 4n, firm 5 4t, tail 9 2n"},
	{OUCH_50, OUCH_CLIENT, 'E',
		"ref 1 4n, firm 5 4t, tail 9 2n"},
	{OUCH_50, OUCH_SERVER, 'S',
		"time 1 8n, event 9 1t"},
	{OUCH_50, OUCH_SERVER, 'A',
		"time 1 8n, ref 9 4n, side 13 1t, shares 14 4n, symbol 18 8t, price 26 8n, "
		"tif 34 1t, display 35 1t, order_ref 36 8n, capacity 44 1t, iso 45 1t, "
		"cross 46 1t, state 47 1t, token 48 14t, tail 62 2n"},
	{OUCH_50, OUCH_SERVER, 'U',
		"time 1 8n, old_ref 9 4n, ref 13 4n, side 17 1t, shares 18 4n, symbol 22 8t, "
		"price 30 8n, tif 38 1t, display 39 1t, order_ref 40 8n, capacity 48 1t, "
		"iso 49 1t, cross 50 1t, state 51 1t, token 52 14t, tail 66 2n"},
	{OUCH_50, OUCH_SERVER, 'C',
		"time 1 8n, ref 9 4n, shares 13 4n, reason 17 1t"},
	{OUCH_50, OUCH_SERVER, 'D',
		"time 1 8n, ref 9 4n, shares 13 4n, reason 17 1t, prevented 18 4n, price 22 8n, "
		"liquidity 30 1t"},
	{OUCH_50, OUCH_SERVER, 'E',
		"time 1 8n, ref 9 4n, shares 13 4n, price 17 8n, liquidity 25 1t, match 26 8n, "
		"tail 34 2n"},
	{OUCH_50, OUCH_SERVER, 'B',
		"time 1 8n, ref 9 4n, match 13 8n, reason 21 1t, token 22 14t"},
	{OUCH_50, OUCH_SERVER, 'F',
		"time 1 8n, ref 9 4n, match 13 8n, shares 21 4n, price 25 8n, liquidity 33 1t, "
		"reason 34 1t, token 35 14t"},
	{OUCH_50, OUCH_SERVER, 'J',
		"time 1 8n, ref 9 4n, reason_code 13 2n, token 15 14t"},
	{OUCH_50, OUCH_SERVER, 'P',
		"time 1 8n, ref 9 4n"},
	{OUCH_50, OUCH_SERVER, 'I',
		"time 1 8n, ref 9 4n"},
	{OUCH_50, OUCH_SERVER, 'T',
		"time 1 8n, ref 9 4n, price 13 8n, display 21 1t, order_ref 22 8n"},
	{OUCH_50, OUCH_SERVER, 'M',
		"time 1 8n, ref 9 4n, side 13 1t, shares 14 4n"},
	{OUCH_50, OUCH_SERVER, 'R',
		"time 1 8n, ref 9 4n, reason 13 1t, tail 14 2n"},
	{OUCH_50, OUCH_SERVER, 'Q',
		"time 1 8n, ref 9 4n"},
	{OUCH_50, OUCH_SERVER, 'X',
		"time 1 8n, ref 9 4n, firm 13 4t, symbol 17 8t, tail 25 2n"},
	{OUCH_50, OUCH_SERVER, 'G',
		"time 1 8n, ref 9 4n, firm 13 4t, tail 17 2n"},
	{OUCH_50, OUCH_SERVER, 'K',
		"time 1 8n, ref 9 4n, firm 13 4t, tail 17 2n"},
};

/* What full() has under that name, as text. */
static const char *value_of(const struct ouch *m, const char *name)
{
	const struct {
		const char *name;
		uint64_t number;
	} numbers[] = {{"time", m->time_ns}, {"ref", m->ref}, {"old_ref", m->old_ref},
		{"shares", m->shares}, {"price", m->price}, {"tif_s", m->tif_s},
		{"min_shares", m->min_shares}, {"order_ref", m->order_ref}, {"match", m->match},
		{"reason_code", m->reason_code}, {"prevented", m->prevented},
		{"ref_price", m->ref_price}, {"tail", 0}};
	const struct {
		const char *name, *text;
		int n;
	} texts[] = {{"token", m->token, 14}, {"old_token", m->old_token, 14},
		{"symbol", m->symbol, 8}, {"firm", m->firm, 4}, {"side", &m->side, 1},
		{"tif", &m->tif, 1}, {"display", &m->display, 1}, {"capacity", &m->capacity, 1},
		{"iso", &m->iso, 1}, {"cross", &m->cross, 1}, {"customer", &m->customer, 1},
		{"state", &m->state, 1}, {"bbo", &m->bbo, 1}, {"liquidity", &m->liquidity, 1},
		{"reason", &m->reason, 1}, {"event", &m->event, 1},
		{"ref_price_type", &m->ref_price_type, 1}};
	static char text[32];
	unsigned i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(numbers[i].name, name) == 0) {
			snprintf(text, sizeof(text), "%" PRIu64, numbers[i].number);
			return text;
		}
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(texts[i].name, name) == 0) {
			snprintf(text, sizeof(text), "%-*.*s", texts[i].n, texts[i].n,
				texts[i].text);
			return text;
		}
	return "no such field";
}

/* A field of a message on the wire, as text. */
static const char *text_of(const uint8_t *at, int bytes, char kind)
{
	static char text[32];
	uint64_t n = 0;
	int i;

	for (i = 0; i < bytes; i++)
		n = n << 8 | at[i];
	if (kind == 'n')
		snprintf(text, sizeof(text), "%" PRIu64, n);
	else
		snprintf(text, sizeof(text), "%.*s", bytes, (const char *)at);
	return text;
}

static void fields_lie_where_they_should(void)
{
	const struct layout *l = layouts;
	int at, bytes, read, end;
	char name[32], kind;
	uint8_t wire[OUCH_MAX];
	const char *f;
	struct ouch m;
	unsigned i;

	for (i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++, l++) {
		m = full(l->type);
		CU_ASSERT_TRUE_FATAL(ouch_encode(l->v, l->from, &m, wire) > 0);
		for (f = l->fields, end = 1;
			sscanf(f, "%31s %d %d%c%n", name, &at, &bytes, &kind, &read) == 4;
			f += read + (f[read] ? 2 : 0), end += bytes) {
			CU_ASSERT_EQUAL(at, end);
			CU_ASSERT_STRING_EQUAL(text_of(wire + at, bytes, kind), value_of(&m, name));
		}
		CU_ASSERT_EQUAL(ouch_encode(l->v, l->from, &m, wire), end);
	}
	for (i = 0, end = 0; i < sizeof(known) / sizeof(known[0]); i++)
		end += (int)strlen(known[i].types);
	CU_ASSERT_EQUAL(sizeof(layouts) / sizeof(layouts[0]), (size_t)end);
}

/* Sell short 225 CVLT at 63.0200, with a firm in its appendage, as it was seen on a wire. */
static const uint8_t real[] = {0x4f, 0, 0, 0, 0x71, 0x54, 0, 0, 0, 0xe1, 0x43, 0x56, 0x4c, 0x54,
	0x20, 0x20, 0x20, 0x20, 0, 0, 0, 0, 0, 0x09, 0x9d, 0xb8, 0x30, 0x59, 0x41, 0x4e, 0x4e, 0x48,
	0x38, 0x46, 0x55, 0x42, 0x38, 0x49, 0x56, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0, 6, 5, 2,
	0x4c, 0x49, 0x4d, 0x45};

static void a_real_order(void)
{
	struct ouch_tag tag;
	size_t at = 0;
	struct ouch m;

	CU_ASSERT_EQUAL(sizeof(real), 47 + 6);
	CU_ASSERT_EQUAL_FATAL(ouch_decode(OUCH_50, OUCH_CLIENT, real, sizeof(real), &m), 0);
	CU_ASSERT_EQUAL(m.ref, 113);
	CU_ASSERT_EQUAL(m.side, 'T');
	CU_ASSERT_EQUAL(m.shares, 225);
	CU_ASSERT_STRING_EQUAL(m.symbol, "CVLT");
	CU_ASSERT_EQUAL(m.price, 630200);
	CU_ASSERT_EQUAL(ouch_next_tag(&m, &at, &tag), 1);
	CU_ASSERT_EQUAL(tag.tag, 2);
	CU_ASSERT_EQUAL(tag.len, 4);
	CU_ASSERT_EQUAL(memcmp(tag.value, "LIME", 4), 0);
	CU_ASSERT_EQUAL(ouch_next_tag(&m, &at, &tag), 0);
}

/* OUCH 5.0, Mass Cancel, Disable and Enable Order Entry: UserRefNum, Firm, for a mass cancel Symbol
 * (blank for all), length of the appendage; and their answers (sections 3.14 to 3.16), which begin
 * with the time. */
static void for_a_whole_firm(void)
{
	static const uint8_t request[] = {'C', 0, 0, 0, 0x71, 'L', 'I', 'M', 'E', 'C', 'V', 'L',
		'T', ' ', ' ', ' ', ' ', 0, 0};
	static const uint8_t disable[] = {'D', 0, 0, 0, 0x71, 'L', 'I', 'M', 'E', 0, 0};
	static const uint8_t answer[] = {'X', 0, 0, 0x1f, 0x1a, 0xce, 0xd9, 0xf0, 0x01, 0, 0, 0,
		0x71, 'L', 'I', 'M', 'E', 'C', 'V', 'L', 'T', ' ', ' ', ' ', ' ', 0, 0};
	static const uint8_t enabled[] = {'K', 0, 0, 0x1f, 0x1a, 0xce, 0xd9, 0xf0, 0x01, 0, 0, 0,
		0x71, 'L', 'I', 'M', 'E', 0, 0};
	static const struct {
		enum ouch_from from;
		const uint8_t *wire;
		size_t len;
	} known_bytes[] = {{OUCH_CLIENT, request, sizeof(request)},
		{OUCH_CLIENT, disable, sizeof(disable)},
		{OUCH_SERVER, answer, sizeof(answer)},
		{OUCH_SERVER, enabled, sizeof(enabled)}};
	uint8_t wire[OUCH_MAX];
	struct ouch m;
	unsigned i;

	for (i = 0; i < sizeof(known_bytes) / sizeof(known_bytes[0]); i++) {
		m = full((char)known_bytes[i].wire[0]);
		CU_ASSERT_EQUAL(ouch_encode(OUCH_50, known_bytes[i].from, &m, wire),
			(int)known_bytes[i].len);
		CU_ASSERT_EQUAL(memcmp(wire, known_bytes[i].wire, known_bytes[i].len), 0);
	}
}

static void bad_appendages(void)
{
	uint8_t wire[sizeof(real)];
	struct ouch_tag tag;
	struct ouch m;
	size_t at = 0;

	memcpy(wire, real, sizeof(real));
	wire[46] = 7; /* longer than the message */
	CU_ASSERT_EQUAL(ouch_decode(OUCH_50, OUCH_CLIENT, wire, sizeof(wire), &m), -EBADMSG);
	wire[46] = 6;
	wire[47] = 6; /* a value longer than the appendage */
	CU_ASSERT_EQUAL(ouch_decode(OUCH_50, OUCH_CLIENT, wire, sizeof(wire), &m), 0);
	CU_ASSERT_EQUAL(ouch_next_tag(&m, &at, &tag), -EBADMSG);
	wire[47] = 0; /* no room for a tag */
	CU_ASSERT_EQUAL(ouch_next_tag(&m, &at, &tag), -EBADMSG);
}

static void what_is_not_a_message(void)
{
	uint8_t wire[OUCH_MAX] = {'?'};
	struct ouch m = full('?');

	CU_ASSERT_EQUAL(ouch_decode(OUCH_50, OUCH_CLIENT, wire, 0, &m), -EBADMSG);
	CU_ASSERT_EQUAL(ouch_decode(OUCH_50, OUCH_CLIENT, wire, sizeof(wire), &m), -ENOMSG);
	wire[0] = 'Q'; /* only 5.0 has queries */
	CU_ASSERT_EQUAL(ouch_decode(OUCH_42, OUCH_CLIENT, wire, sizeof(wire), &m), -ENOMSG);
	m = full('?');
	CU_ASSERT_EQUAL(ouch_encode(OUCH_50, OUCH_CLIENT, &m, wire), -ENOMSG);
}

static void numbers_that_do_not_fit(void)
{
	struct ouch m = full('O');
	uint8_t wire[OUCH_MAX];

	m.price = UINT64_C(1) << 32;
	CU_ASSERT_EQUAL(ouch_encode(OUCH_42, OUCH_CLIENT, &m, wire), -EMSGSIZE);
	CU_ASSERT_EQUAL(ouch_encode(OUCH_50, OUCH_CLIENT, &m, wire), 47);
	m.appendage = wire;
	m.appendage_len = 256;
	CU_ASSERT_EQUAL(ouch_encode(OUCH_50, OUCH_CLIENT, &m, wire), -EMSGSIZE);
}

static void where_fields_lie(void)
{
	unsigned width = 0;

	CU_ASSERT_EQUAL(ouch_field_at(OUCH_50, OUCH_CLIENT, 'O', OUCH_F_REF, &width), 1);
	CU_ASSERT_EQUAL(width, 4);
	CU_ASSERT_EQUAL(ouch_field_at(OUCH_50, OUCH_CLIENT, 'O', OUCH_F_PRICE8, &width), 18);
	CU_ASSERT_EQUAL(width, 8);
	CU_ASSERT_EQUAL(ouch_field_at(OUCH_42, OUCH_CLIENT, 'O', OUCH_F_PRICE4, &width), 28);
	CU_ASSERT_EQUAL(ouch_field_at(OUCH_42, OUCH_CLIENT, 'O', OUCH_F_REF, &width), -ENOENT);
	CU_ASSERT_EQUAL(ouch_field_at(OUCH_42, OUCH_CLIENT, '?', OUCH_F_REF, &width), -ENOENT);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"every type there and back", every_type_there_and_back},
		{"fields lie where they should", fields_lie_where_they_should},
		{"a real order", a_real_order},
		{"for a whole firm", for_a_whole_firm},
		{"bad appendages", bad_appendages},
		{"what is not a message", what_is_not_a_message},
		{"numbers that do not fit", numbers_that_do_not_fit},
		{"where fields lie", where_fields_lie},
		{NULL, NULL},
	};

	return suite_main("ouch", cases, argc, argv);
}
