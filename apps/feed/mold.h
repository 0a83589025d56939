/* SPDX-License-Identifier: BSD-3-Clause
 * MoldUDP64 packets as bytes: a header of session[10], sequence u64 and count u16, big-endian, then
 * messages behind u16 lengths. A request is such a header alone.
 */
#ifndef PERCH_APPS_FEED_MOLD_H
#define PERCH_APPS_FEED_MOLD_H

#include "apps/feed/venue.h"

enum {
	MOLD_HEADER = 20,
	MOLD_BEAT = 0,       /* counts with a meaning of their own; the number is the next one */
	MOLD_END = 0xffff,
	MOLD_COUNT_MAX = 0xfffe,
};

/* Write a header, or a request. Returns MOLD_HEADER. */
size_t mold_put_header(
	void *out, const struct feed_session *session, uint64_t sequence, uint16_t count);

struct mold_request {
	struct feed_session session;
	uint64_t sequence;   /* the first that is wanted, 1 or more */
	uint16_t count;      /* how many */
};

/* Returns 0, or -EBADMSG: not MOLD_HEADER bytes, sequence 0 or nothing wanted. */
int mold_request(const void *data, size_t len, struct mold_request *r);

/* From at most ten characters, blanks to the left. */
struct feed_session mold_session(const char *text);

#endif
