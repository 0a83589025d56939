/* SPDX-License-Identifier: BSD-3-Clause
 * The messages of a session, numbered from 1, and MoldUDP64 packets made of them: what a publisher
 * sends, and what its re-request server answers with. The oldest make way for new ones.
 */
#ifndef PERCH_APPS_FEED_STORE_H
#define PERCH_APPS_FEED_STORE_H

#include "apps/feed/mold.h"

struct store;

/* Room for the last 2^log2_messages messages of at most max_bytes each. Returns 0 or -ENOMEM. */
int store_open(struct store **out, unsigned log2_messages, size_t max_bytes);
void store_close(struct store *s);

/* Returns its number, or 0: it is too long. */
uint64_t store_add(struct store *s, const void *data, size_t len);
/* The number that the next message will have. */
uint64_t store_next(const struct store *s);
/* The message of that number; NULL: not there, or no longer. */
const void *store_get(const struct store *s, uint64_t number, size_t *len);

/* A packet of the messages from first on: at most max of them, as many as there are and fit into
 * room. Returns its bytes and how many messages are in it; none: a heartbeat. */
size_t store_packet(const struct store *s, const struct feed_session *session, uint64_t first,
	unsigned max, void *out, size_t room, unsigned *n);

#endif
