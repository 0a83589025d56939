/* SPDX-License-Identifier: BSD-3-Clause
 * ITCH 5.0 messages, against bytes and lengths from the specification.
 */
#include "apps/feed/itch.h"

#include <errno.h>
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
		{"a real delete", real_delete},
		{"round trips", round_trips},
		{"strangers", strangers},
		{NULL, NULL},
	};

	return suite_main("feed itch", cases, argc, argv);
}
