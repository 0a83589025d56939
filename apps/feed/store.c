/* SPDX-License-Identifier: BSD-3-Clause
 * Messages by number, in a ring of slots of one size.
 */
#include "apps/feed/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apps/feed/wire.h"

struct store {
	uint64_t next, mask;
	size_t slot_bytes; /* a u16 length, as on the wire, and the message */
	uint8_t *slots;
};

int store_open(struct store **out, unsigned log2_messages, size_t max_bytes)
{
	struct store *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return -ENOMEM;
	s->next = 1;
	s->mask = (UINT64_C(1) << log2_messages) - 1;
	s->slot_bytes = 2 + max_bytes;
	s->slots = malloc((s->mask + 1) * s->slot_bytes);
	if (!s->slots) {
		free(s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	free(s->slots);
	free(s);
}

static uint8_t *slot(const struct store *s, uint64_t number)
{
	return s->slots + (number & s->mask) * s->slot_bytes;
}

uint64_t store_add(struct store *s, const void *data, size_t len)
{
	uint8_t *at = slot(s, s->next);

	if (len + 2 > s->slot_bytes || len > UINT16_MAX)
		return 0;
	wire_put_be16(at, (uint16_t)len);
	memcpy(at + 2, data, len);
	return s->next++;
}

uint64_t store_next(const struct store *s)
{
	return s->next;
}

static bool is_there(const struct store *s, uint64_t number)
{
	return number >= 1 && number < s->next && s->next - number <= s->mask + 1;
}

const void *store_get(const struct store *s, uint64_t number, size_t *len)
{
	if (!is_there(s, number))
		return NULL;
	*len = wire_be16(slot(s, number));
	return slot(s, number) + 2;
}

size_t store_packet(const struct store *s, const struct feed_session *session, uint64_t first,
	unsigned max, void *out, size_t room, unsigned *n)
{
	uint8_t *at = out;
	size_t len = MOLD_HEADER, more;

	for (*n = 0; *n < max && *n < MOLD_COUNT_MAX && is_there(s, first + *n); ++*n) {
		const uint8_t *from = slot(s, first + *n);

		more = (size_t)2 + wire_be16(from);
		if (len + more > room)
			break;
		memcpy(at + len, from, more);
		len += more;
	}
	mold_put_header(out, session, first, (uint16_t)*n);
	return len;
}
