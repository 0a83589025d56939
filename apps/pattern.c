/* SPDX-License-Identifier: BSD-3-Clause
 * RFC 864's stream, made and compared.
 */
#include "apps/pattern.h"

#include <string.h>

enum { FIRST = ' ', PRINTABLE = 95, LINE = 72 };

void pattern_fill(uint8_t *bytes)
{
	unsigned at = 0, line, i;

	for (line = 0; at < PATTERN_BYTES; line++) {
		for (i = 0; i < LINE; i++)
			bytes[at++] = (uint8_t)(FIRST + (line + i) % PRINTABLE);
		bytes[at++] = '\r';
		bytes[at++] = '\n';
	}
}

_Bool pattern_holds(const uint8_t *bytes, uint64_t at, const void *data, uint64_t len)
{
	const uint8_t *p = data;
	uint64_t phase = at % PATTERN_PERIOD, part;

	for (; len > 0; p += part, len -= part, phase = (phase + part) % PATTERN_PERIOD) {
		part = len < PATTERN_PERIOD ? len : PATTERN_PERIOD;
		if (memcmp(bytes + phase, p, part) != 0)
			return 0;
	}
	return 1;
}
