/* SPDX-License-Identifier: BSD-3-Clause
 * The stream of the character generator protocol (RFC 864): lines of 72 characters, each begun one
 * character later. It repeats after 95 lines, so a byte that is wrong, missing or in the place of
 * another is seen from its position alone.
 */
#ifndef PERCH_APPS_PATTERN_H
#define PERCH_APPS_PATTERN_H

#include <stdint.h>

enum {
	PATTERN_PERIOD = 95 * 74,
	PATTERN_BYTES = 9 * PATTERN_PERIOD, /* whole periods: copies of it join */
};

/* Fill bytes[PATTERN_BYTES] with the stream from its beginning on. */
void pattern_fill(uint8_t *bytes);

/* Are these len bytes, which come at offset `at` of a stream, those of the pattern? bytes is what
 * pattern_fill has filled. */
_Bool pattern_holds(const uint8_t *bytes, uint64_t at, const void *data, uint64_t len);

#endif
