/* SPDX-License-Identifier: BSD-3-Clause
 * MoldUDP64 headers and requests.
 */
#include "apps/feed/mold.h"

#include <errno.h>
#include <string.h>

#include "apps/feed/wire.h"

size_t mold_put_header(
	void *out, const struct feed_session *session, uint64_t sequence, uint16_t count)
{
	uint8_t *at = out;

	wire_put_be64(at, session->high);
	wire_put_be16(at + 8, session->low);
	wire_put_be64(at + 10, sequence);
	wire_put_be16(at + 18, count);
	return MOLD_HEADER;
}

int mold_request(const void *data, size_t len, struct mold_request *r)
{
	const uint8_t *at = data;

	if (len != MOLD_HEADER)
		return -EBADMSG;
	r->session = (struct feed_session){wire_be64(at), wire_be16(at + 8)};
	r->sequence = wire_be64(at + 10);
	r->count = wire_be16(at + 18);
	return r->sequence == 0 || r->count == 0 ? -EBADMSG : 0;
}

struct feed_session mold_session(const char *text)
{
	uint8_t field[10];
	size_t n = strnlen(text, sizeof(field));

	memset(field, ' ', sizeof(field));
	memcpy(field + sizeof(field) - n, text, n);
	return (struct feed_session){wire_be64(field), wire_be16(field + 8)};
}
