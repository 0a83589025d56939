/* SPDX-License-Identifier: BSD-3-Clause
 * ITCH 5.0 messages, against bytes and lengths from the specification.
 */
#include "apps/feed/itch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "apps/feed/chance.h"
#include "tests/suite.h"

/* A string literal without its NUL. */
#define BYTES(s) s, sizeof(s) - 1

static const char TYPES[] = "SRHYLVWKJhAFECXDUPQBINO";

/* As the specification has them, written down once more: the lists in itch.h are under test. */
static void lengths(void)
{
	static const uint8_t bytes[] = {12, 39, 25, 20, 26, 35, 12, 28, 35, 21, 36, 40, 31, 36, 23,
		19, 35, 44, 40, 19, 50, 20, 48};
	unsigned type, i, known = 0;

	for (i = 0; TYPES[i]; i++)
		CU_ASSERT_EQUAL(itch_bytes(TYPES[i]), bytes[i]);
	for (type = 0; type < 256; type++)
		known += itch_bytes((char)type) != 0;
	CU_ASSERT_EQUAL(known, sizeof(bytes));
}

static void add(void)
{
	static const char wire[] =
		"F\x0a\xb1\0\2\x1f\x1a\xcf\x4c\x4e\xb7\1\2\3\4\5\6\7\x08S\0\0\1\x2c"
		"AAPL    \0\x1d\x3b\x20MPID";
	uint8_t out[ITCH_BYTES_MAX];
	char text[ITCH_TEXT];
	struct itch m;

	CU_ASSERT_EQUAL(itch_decode(BYTES(wire), &m), 0);
	CU_ASSERT_EQUAL(m.locate, 0x0ab1);
	CU_ASSERT_EQUAL(m.tracking, 2);
	CU_ASSERT_EQUAL(m.time_ns, 0x1f1acf4c4eb7);
	CU_ASSERT_EQUAL(m.add.ref, 0x0102030405060708);
	CU_ASSERT_EQUAL(m.add.side, 'S');
	CU_ASSERT_EQUAL(m.add.shares, 300);
	CU_ASSERT_NSTRING_EQUAL(m.add.stock, "AAPL    ", 8);
	CU_ASSERT_EQUAL(m.add.price, 1915680);
	CU_ASSERT_NSTRING_EQUAL(m.add_mpid.mpid, "MPID", 4);
	CU_ASSERT_STRING_EQUAL(itch_text(&m, text),
		"add_mpid locate=2737 tracking=2 time_ns=34200007495351 ref=72623859790382856 "
		"side=S shares=300 stock=AAPL price=1915680 mpid=MPID");
	CU_ASSERT_EQUAL(itch_encode(&m, out), 40);
	CU_ASSERT_EQUAL(memcmp(out, wire, 40), 0);
}

/* Where each field lies, its bytes, and what it is (n number, t text), as the specification has it:
 * again not taken from the lists in itch.h. */
static const struct layout {
	char type;
	const char *fields;
} layouts[] = {
	{'S', "event 11 1t"},
	{'R', "stock 11 8t, market_category 19 1t, financial_status 20 1t, round_lot 21 4n, "
	      "round_lots_only 25 1t, issue_class 26 1t, issue_subtype 27 2t, authenticity 29 1t, "
	      "short_sale_threshold 30 1t, ipo 31 1t, luld_tier 32 1t, etp 33 1t, "
	      "etp_leverage 34 4n, inverse 38 1t"},
	{'H', "stock 11 8t, state 19 1t, reserved 20 1t, reason 21 4t"},
	{'Y', "stock 11 8t, action 19 1t"},
	{'L', "mpid 11 4t, stock 15 8t, primary 23 1t, mode 24 1t, state 25 1t"},
	{'V', "level1 11 8n, level2 19 8n, level3 27 8n"},
	{'W', "level 11 1t"},
	{'K', "stock 11 8t, release_s 19 4n, qualifier 23 1t, price 24 4n"},
	{'J', "stock 11 8t, reference 19 4n, upper 23 4n, lower 27 4n, extension 31 4n"},
	{'h', "stock 11 8t, market 19 1t, action 20 1t"},
	{'A', "ref 11 8n, side 19 1t, shares 20 4n, stock 24 8t, price 32 4n"},
	{'F', "ref 11 8n, side 19 1t, shares 20 4n, stock 24 8t, price 32 4n, mpid 36 4t"},
	{'E', "ref 11 8n, shares 19 4n, match 23 8n"},
	{'C', "ref 11 8n, shares 19 4n, match 23 8n, printable 31 1t, price 32 4n"},
	{'X', "ref 11 8n, shares 19 4n"},
	{'D', "ref 11 8n"},
	{'U', "ref 11 8n, new_ref 19 8n, shares 27 4n, price 31 4n"},
	{'P', "ref 11 8n, side 19 1t, shares 20 4n, stock 24 8t, price 32 4n, match 36 8n"},
	{'Q', "shares 11 8n, stock 19 8t, price 27 4n, match 31 8n, cross 39 1t"},
	{'B', "match 11 8n"},
	{'I', "paired 11 8n, imbalance 19 8n, direction 27 1t, stock 28 8t, far 36 4n, near 40 4n, "
	      "reference 44 4n, cross 48 1t, variation 49 1t"},
	{'N', "stock 11 8t, interest 19 1t"},
	{'O', "stock 11 8t, open_eligibility 19 1t, min_price 20 4n, max_price 24 4n, "
	      "near_price 28 4n, near_time 32 8n, lower_collar 40 4n, upper_collar 44 4n"},
};

/* The field of a message, as itch_text is to say it. */
static size_t say_field(char *to, size_t room, const char *name, const uint8_t *at, int bytes,
	char kind)
{
	uint64_t n = 0;
	int i;

	if (kind == 't')
		return (size_t)snprintf(to, room, " %s=%.*s", name, bytes, (const char *)at);
	for (i = 0; i < bytes; i++)
		n = n << 8 | at[i];
	return (size_t)snprintf(to, room, " %s=%" PRIu64, name, n);
}

/* No two bytes of a message are the same, and all of them can be printed. */
static void fields_lie_where_they_should(void)
{
	char text[ITCH_TEXT], wanted[ITCH_TEXT], name[32], kind;
	uint8_t wire[ITCH_BYTES_MAX];
	int at, bytes, read, end;
	const char *f;
	struct itch m;
	size_t len;
	unsigned i;

	CU_ASSERT_EQUAL(sizeof(layouts) / sizeof(layouts[0]), sizeof(TYPES) - 1);
	for (i = 0; i < sizeof(wire); i++)
		wire[i] = (uint8_t)('0' + i);
	for (i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		wire[0] = (uint8_t)layouts[i].type;
		len = 0;
		for (f = layouts[i].fields, end = 11;
			sscanf(f, "%31s %d %d%c%n", name, &at, &bytes, &kind, &read) == 4;
			f += read + (f[read] ? 2 : 0), end += bytes) {
			CU_ASSERT_EQUAL(at, end);
			len += say_field(wanted + len, sizeof(wanted) - len, name, wire + at, bytes,
				kind);
		}
		CU_ASSERT_EQUAL(itch_bytes(layouts[i].type), (size_t)end);
		CU_ASSERT_EQUAL(itch_decode(wire, (size_t)end, &m), 0);
		itch_text(&m, text);
		CU_ASSERT_PTR_NOT_NULL_FATAL(strstr(text, " time_ns="));
		CU_ASSERT_STRING_EQUAL(strchr(strstr(text, "time_ns="), ' '), wanted);
	}
}

/* A terminal gets no control characters. */
static void unprintable(void)
{
	char text[ITCH_TEXT];
	struct itch m;

	CU_ASSERT_EQUAL(itch_decode(BYTES("Y\0\1\0\2\0\0\0\0\0\3" "A\x1b[2J\n\xffZ\x7f"), &m), 0);
	CU_ASSERT_STRING_EQUAL(itch_text(&m, text),
		"reg_sho locate=1 tracking=2 time_ns=3 stock=A.[2J..Z action=.");
}

/* A delete that Nasdaq has sent. */
static void real_delete(void)
{
	struct itch m;

	CU_ASSERT_EQUAL(itch_decode(BYTES("D\x0a\xb1\0\0\x1f\x1a\xcf\x4c\x4e\xb7\0\0\0\0\0\0\1\2"),
				&m), 0);
	CU_ASSERT_EQUAL(m.type, 'D');
	CU_ASSERT_EQUAL(m.delete.ref, 258);
}

/* Any bytes of any type survive reading and writing; no byte is read past a short one. */
static void round_trips(void)
{
	struct chance c = {1};
	uint8_t in[ITCH_BYTES_MAX + 4], out[ITCH_BYTES_MAX + 4];
	char text[ITCH_TEXT];
	unsigned i, j, round;
	struct itch m;

	for (i = 0; TYPES[i]; i++)
		for (round = 0; round < 100; round++) {
			size_t n = itch_bytes(TYPES[i]);

			for (j = 0; j < sizeof(in); j++)
				in[j] = (uint8_t)chance_roll(&c);
			in[0] = (uint8_t)TYPES[i];
			memset(out, 0xee, sizeof(out));
			CU_ASSERT_EQUAL_FATAL(itch_decode(in, n, &m), 0);
			CU_ASSERT_EQUAL_FATAL(itch_encode(&m, out), n);
			CU_ASSERT_EQUAL_FATAL(memcmp(in, out, n), 0);
			CU_ASSERT_EQUAL(out[n], 0xee);
			CU_ASSERT_EQUAL(itch_decode(in, n - 1, &m), -EBADMSG);
			CU_ASSERT_EQUAL(itch_decode(in, n + 3, &m), 0);
			CU_ASSERT_TRUE(strlen(itch_text(&m, text)) > 20);
		}
}

static void strangers(void)
{
	char text[ITCH_TEXT];
	struct itch m;

	CU_ASSERT_EQUAL(itch_decode(BYTES("z\0\1\0\2\0\0\0\0\0\3"), &m), -ENOENT);
	CU_ASSERT_EQUAL(m.locate, 1);
	CU_ASSERT_STRING_EQUAL(itch_text(&m, text),
		"unknown locate=1 tracking=2 time_ns=3 type=z");
	CU_ASSERT_EQUAL(itch_encode(&m, text), 0);
	CU_ASSERT_EQUAL(itch_decode(BYTES("z\0\1"), &m), -EBADMSG);
	CU_ASSERT_EQUAL(itch_decode("", 0, &m), -EBADMSG);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"lengths", lengths},
		{"add with attribution", add},
		{"fields lie where they should", fields_lie_where_they_should},
		{"unprintable", unprintable},
		{"a real delete", real_delete},
		{"round trips", round_trips},
		{"strangers", strangers},
		{NULL, NULL},
	};

	return suite_main("feed itch", cases, argc, argv);
}
