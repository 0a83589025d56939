/* SPDX-License-Identifier: BSD-3-Clause
 * A feed under test as a conversation: packets go in, and what comes out is a line of text, so that
 * a test reads as what was said and what it led to:
 *
 *	tape_data(&t, A, 5, "e");
 *	tape_wants(&t, "gap 3-5; ask 3-5; ");
 *
 * Messages are one letter each. Delivered ones show as the letters themselves.
 */
#ifndef PERCH_TESTS_FEED_TAPE_H
#define PERCH_TESTS_FEED_TAPE_H

#include "apps/feed/feed.h"

enum { A = 0, B = 1, R = FEED_RECOVERY };

struct tape {
	struct feed *feed;
	const char *session;
	int64_t now_ns;
	char said[4096];
	size_t len;
	uint64_t number; /* of the last message */
	unsigned line;   /* that brought it, and when */
	int64_t time_ns;
};

void tape_open(struct tape *t, const struct feed_config *cfg);
void tape_close(struct tape *t);

/* A MoldUDP64 packet with a message for each letter, in session t->session. */
void tape_data(struct tape *t, unsigned line, uint64_t first, const char *letters);
void tape_beat(struct tape *t, unsigned line, uint64_t next);
void tape_end(struct tape *t, unsigned line, uint64_t next);
/* Any bytes. */
void tape_bytes(struct tape *t, unsigned line, const void *data, size_t len);
/* Time passes; the feed is called when it is due, and at the end. */
void tape_pass(struct tape *t, int64_t ns);
void tape_snapshot(struct tape *t, uint64_t next); /* 0: it failed */

/* What was said since the last time is exactly that. */
#define tape_wants(t, text) tape_wants_at(t, text, __FILE__, __LINE__)
void tape_wants_at(struct tape *t, const char *text, const char *file, unsigned line);

#endif
