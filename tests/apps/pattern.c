/* SPDX-License-Identifier: BSD-3-Clause
 * The stream of RFC 864 is what the RFC shows, and whatever differs from it is seen.
 */
#include <string.h>

#include "apps/pattern.h"
#include "tests/suite.h"

static uint8_t bytes[PATTERN_BYTES];

static void as_the_rfc_shows(void)
{
	static const char first[] = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ["
				    "\\]^_`abcdefg\r\n!\"#$";

	CU_ASSERT_EQUAL(memcmp(bytes, first, sizeof(first) - 1), 0);
	CU_ASSERT_EQUAL(memcmp(bytes, bytes + PATTERN_PERIOD, PATTERN_BYTES - PATTERN_PERIOD), 0);
	CU_ASSERT_EQUAL(bytes[94 * 74], '~'); /* the last line begins with the last character */
}

static void any_piece_holds(void)
{
	uint64_t at, len;

	for (at = 0; at < 3 * PATTERN_PERIOD; at += 997)
		for (len = 0; len < PATTERN_BYTES - PATTERN_PERIOD; len += 1 + len / 2)
			CU_ASSERT_TRUE(pattern_holds(bytes, at, bytes + at % PATTERN_PERIOD, len));
}

static void what_differs_is_seen(void)
{
	static uint8_t copy[PATTERN_BYTES];
	uint64_t i;

	memcpy(copy, bytes, sizeof(copy));
	for (i = 0; i < sizeof(copy); i += 1231) {
		copy[i] ^= 1;
		CU_ASSERT_FALSE(pattern_holds(bytes, 0, copy, sizeof(copy)));
		copy[i] ^= 1;
	}
	CU_ASSERT_TRUE(pattern_holds(bytes, 0, copy, sizeof(copy)));
	for (i = 1; i < PATTERN_PERIOD / 1448; i++) /* a segment in the place of another */
		CU_ASSERT_FALSE(pattern_holds(bytes, 1448 * i, bytes, 1448));
}

int main(int argc, char **argv)
{
	const struct suite_case cases[] = {
		{"as_the_rfc_shows", as_the_rfc_shows},
		{"any_piece_holds", any_piece_holds},
		{"what_differs_is_seen", what_differs_is_seen},
		{NULL, NULL},
	};

	pattern_fill(bytes);
	return suite_main("pattern", cases, argc, argv);
}
