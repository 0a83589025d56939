/* SPDX-License-Identifier: BSD-3-Clause
 * Integers as they lie in packets: unaligned, of either byte order.
 */
#ifndef PERCH_APPS_FEED_WIRE_H
#define PERCH_APPS_FEED_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t wire_be16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap16(v);
}

static inline uint32_t wire_be32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline uint64_t wire_be64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap64(v);
}

static inline void wire_put_be16(void *p, uint16_t v)
{
	v = __builtin_bswap16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void wire_put_be32(void *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void wire_put_be64(void *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, sizeof(v));
}

/* Of 0 to 8 bytes, of which the order is data: 0 bytes are 0. The usual widths are one load. */
static inline uint64_t wire_uint(const void *p, unsigned bytes, bool big_endian)
{
	const uint8_t *at = p;
	uint64_t v = 0;
	uint32_t v4;
	uint16_t v2;
	unsigned i;

	switch (bytes) {
	case 1: return *at;
	case 2:
		memcpy(&v2, p, sizeof(v2));
		return big_endian ? __builtin_bswap16(v2) : v2;
	case 4:
		memcpy(&v4, p, sizeof(v4));
		return big_endian ? __builtin_bswap32(v4) : v4;
	case 8:
		memcpy(&v, p, sizeof(v));
		return big_endian ? __builtin_bswap64(v) : v;
	}
	for (i = 0; i < bytes; i++)
		v |= (uint64_t)at[i] << 8 * (big_endian ? bytes - 1 - i : i);
	return v;
}

static inline void wire_put_uint(void *p, unsigned bytes, bool big_endian, uint64_t v)
{
	uint8_t *at = p;
	unsigned i;

	if (bytes == 8 || bytes == 4) {
		v = big_endian ? __builtin_bswap64(v) >> (64 - 8 * bytes) : v;
		memcpy(p, &v, bytes);
		return;
	}
	for (i = 0; i < bytes; i++)
		at[i] = (uint8_t)(v >> 8 * (big_endian ? bytes - 1 - i : i));
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the swaps above take the host for one");

#endif
