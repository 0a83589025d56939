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

/* Of 0 to 8 bytes, of which the order is data: 0 bytes are 0. */
static inline uint64_t wire_uint(const void *p, unsigned bytes, bool big_endian)
{
	const uint8_t *at = p;
	uint64_t v = 0;
	unsigned i;

	for (i = 0; i < bytes; i++)
		v |= (uint64_t)at[i] << 8 * (big_endian ? bytes - 1 - i : i);
	return v;
}

static inline void wire_put_uint(void *p, unsigned bytes, bool big_endian, uint64_t v)
{
	uint8_t *at = p;
	unsigned i;

	for (i = 0; i < bytes; i++)
		at[i] = (uint8_t)(v >> 8 * (big_endian ? bytes - 1 - i : i));
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the swaps above take the host for one");

#endif
