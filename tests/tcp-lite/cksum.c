/* SPDX-License-Identifier: BSD-3-Clause
 * The Internet checksum beside the two lines of RFC 1071 section 4.1 that define it: of any length,
 * from any address, copied on the way, and put together from pieces.
 */
#include <string.h>

#include "tcp-lite/cksum.h"
#include "tests/suite.h"

enum { BYTES = 1500 };

static uint8_t data[BYTES + 16], copy[BYTES + 16];

static uint16_t by_definition(const uint8_t *p, uint32_t len)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < len; i++)
		sum += (uint64_t)p[i] << (i & 1 ? 8 : 0); /* as they lie in a little-endian word */
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return rte_cpu_to_le_16((uint16_t)sum);
}

static void fill(unsigned seed)
{
	uint32_t i, x = seed * 2654435761U + 1;

	for (i = 0; i < sizeof(data); i++) {
		x = x * 1664525 + 1013904223;
		data[i] = seed == 0 ? 0xff : (uint8_t)(x >> 24);
	}
}

static void of_any_length(void)
{
	uint32_t seed, at, len;

	for (seed = 0; seed < 4; seed++) {
		fill(seed);
		for (at = 0; at < 16; at += 5)
			for (len = 0; len <= BYTES; len += 1 + len / 400)
				CU_ASSERT_EQUAL(perch_cksum_raw(data + at, len),
					by_definition(data + at, len));
	}
	memset(data, 0, sizeof(data));
	CU_ASSERT_EQUAL(perch_cksum_raw(data, BYTES), 0);
}

static void copied_on_the_way(void)
{
	uint32_t at, len;

	fill(7);
	for (at = 0; at < 16; at += 3)
		for (len = 0; len <= BYTES; len += 1 + len / 100) {
			memset(copy, 0xa5, sizeof(copy));
			CU_ASSERT_EQUAL(perch_cksum_fold(perch_cksum_copy(copy + at, data, len)),
				by_definition(data, len));
			CU_ASSERT_EQUAL(memcmp(copy + at, data, len), 0);
			CU_ASSERT_EQUAL(copy[at + len], 0xa5);
			CU_ASSERT_TRUE(at == 0 || copy[at - 1] == 0xa5);
		}
}

static void from_pieces(void)
{
	uint32_t cut, whole = 333;
	uint16_t first;

	fill(9);
	for (cut = 0; cut <= whole; cut++) {
		first = perch_cksum_raw(data, cut);
		CU_ASSERT_EQUAL(perch_cksum_join(first, cut,
					perch_cksum_raw(data + cut, whole - cut)),
			by_definition(data, whole));
	}
}

int main(int argc, char **argv)
{
	const struct suite_case cases[] = {
		{"of_any_length", of_any_length},
		{"copied_on_the_way", copied_on_the_way},
		{"from_pieces", from_pieces},
		{NULL, NULL},
	};

	return suite_main("cksum", cases, argc, argv);
}
