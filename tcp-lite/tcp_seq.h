/* SPDX-License-Identifier: BSD-3-Clause
 * Sequence numbers, which wrap (RFC 9293 section 3.4): a is before b when it is less than 2^31
 * behind it. The same holds for timestamps (RFC 7323 section 5.2).
 */
#ifndef PERCH_TCP_LITE_TCP_SEQ_H
#define PERCH_TCP_LITE_TCP_SEQ_H

#include <stdbool.h>
#include <stdint.h>

static inline bool seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool seq_le(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

static inline bool seq_gt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static inline bool seq_ge(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) >= 0;
}

static inline uint32_t seq_max(uint32_t a, uint32_t b)
{
	return seq_gt(a, b) ? a : b;
}

/* Bytes from a up to b, 0 when b is not after a. */
static inline uint32_t seq_span(uint32_t a, uint32_t b)
{
	return seq_gt(b, a) ? b - a : 0;
}

#endif
