/* SPDX-License-Identifier: BSD-3-Clause
 * A packet as named fields: "ip.src", "tcp.seq", "mold.seq", ...
 */
#ifndef PERCH_TOOLS_DECODE_H
#define PERCH_TOOLS_DECODE_H

#include <stddef.h>
#include <stdint.h>

enum { DECODE_FIELDS = 192, DECODE_NAME = 24, DECODE_TEXT = 72 };

struct decode_field {
	char name[DECODE_NAME];
	char text[DECODE_TEXT];
	const uint8_t *bytes; /* "payload" and "data": what they stand for, else NULL */
	uint32_t len;
};

struct decoded {
	unsigned n; /* a packet with more fields than there is room for ends in "data" */
	struct decode_field fields[DECODE_FIELDS];
};

/* bytes must outlive out. */
void decode_packet(struct decoded *out, const uint8_t *bytes, uint32_t len);

/* One line: who to whom, and what. */
void decode_line(const struct decoded *d, char *buf, size_t size);

const struct decode_field *decode_find(const struct decoded *d, const char *name);

#endif
