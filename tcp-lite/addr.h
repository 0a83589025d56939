/* SPDX-License-Identifier: BSD-3-Clause
 * One address type for both families: 16 bytes in network order, IPv4 as v4-mapped IPv6
 * (RFC 4291 section 2.5.5.2), so that a flow's tuple has one layout and one comparison.
 */
#ifndef PERCH_TCP_LITE_ADDR_H
#define PERCH_TCP_LITE_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>

struct perch_ip {
	union {
		uint8_t b[16];
		uint32_t w[4]; /* network order; an IPv4 address is w[3] */
		uint64_t d[2];
	};
};

static inline bool perch_ip_equal(const struct perch_ip *a, const struct perch_ip *b)
{
	return a->d[0] == b->d[0] && a->d[1] == b->d[1];
}

static inline bool perch_ip_is_v4(const struct perch_ip *a)
{
	return a->d[0] == 0 && a->w[2] == RTE_BE32(0xffff);
}

static inline bool perch_ip_is_any(const struct perch_ip *a) /* :: or 0.0.0.0 */
{
	return a->d[0] == 0 && (a->d[1] == 0 || (perch_ip_is_v4(a) && a->w[3] == 0));
}

static inline bool perch_ip_is_multicast(const struct perch_ip *a)
{
	return a->b[0] == 0xff || (perch_ip_is_v4(a) && (a->b[12] & 0xf0) == 0xe0);
}

static inline bool perch_ip_is_link_local6(const struct perch_ip *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* From the four bytes of an IPv4 address in network order. */
static inline struct perch_ip perch_ip_from_v4(uint32_t be)
{
	return (struct perch_ip){.w = {0, 0, RTE_BE32(0xffff), be}};
}

/* From the 16 bytes of an IPv6 address. */
static inline struct perch_ip perch_ip_from_v6(const uint8_t *b)
{
	struct perch_ip a;

	memcpy(a.b, b, sizeof(a.b));
	return a;
}

/* Are the first `bits` bits alike? For IPv4 give 96 + its prefix length. */
static inline bool perch_ip_same_prefix(
	const struct perch_ip *a, const struct perch_ip *b, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	if (memcmp(a->b, b->b, bytes) != 0)
		return false;
	return rest == 0 || ((a->b[bytes] ^ b->b[bytes]) >> (8 - rest)) == 0;
}

#endif
