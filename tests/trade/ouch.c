/* SPDX-License-Identifier: BSD-3-Clause
 * OUCH messages: every type of both versions there and back, a real order, and what is malformed.
 */
#include "apps/trade/ouch.h"

#include <errno.h>
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
		.cross = 'N',
		.customer = 'R',
		.min_shares = 100,
		.order_ref = 0x1122334455667788,
		.state = 'L',
		.bbo = 'X',
		.match = 987654321,
		.liquidity = 'R',
		.reason = 'U',
		.reason_code = 0x0102,
		.event = 'S',
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
