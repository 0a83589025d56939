/* SPDX-License-Identifier: BSD-3-Clause
 * GLIMPSE over SoupBinTCP, both ends: the books as messages, and the number of the feed to go on
 * from. What perch-feed, perch-gateway, perch-publish and perch-exchange share of it.
 */
#ifndef PERCH_APPS_GLIMPSE_H
#define PERCH_APPS_GLIMPSE_H

#include <perch.h>

#include "apps/feed/archive.h"
#include "apps/feed/book.h"

/* ---- a client ------------------------------------------------------------------------------- */

/* Get a snapshot into books, which are cleared first, and *next, the first number that it does not
 * stand for. *sessions is the caller's count of the feed's sessions: when that moves meanwhile the
 * snapshot is for nothing. Coroutine. Returns 0; -ESTALE: it moved, and the books are not touched
 * from then on; -EACCES: refused; -EBADMSG; or what perch_dial and the connection return. */
int glimpse_get(const struct perch_addr *server, struct books *books, const unsigned *sessions,
	uint64_t *next);

/* ---- a server ------------------------------------------------------------------------------- */

enum { GLIMPSE_CLIENTS = 4 /* at a time; others are refused */ };

struct glimpse_server {
	const struct books *books;
	const struct archive *feed;	    /* books are what its messages have made */
	const struct feed_session *session; /* as MoldUDP64 has it */
	void (*refresh)(void); /* before a snapshot: bring the books up to date; NULL */
	uint8_t *bytes[GLIMPSE_CLIENTS];
	bool taken[GLIMPSE_CLIENTS];
	size_t room;
	uint64_t served;
};

/* After the fields above bytes are set: memory for books of so many. Returns 0 or -ENOMEM. */
int glimpse_open(struct glimpse_server *g, uint64_t symbols, uint64_t orders);
void glimpse_close(struct glimpse_server *g);
/* The handler of a connection; arg is a struct glimpse_server. */
void glimpse_serve(struct perch_conn *c, void *arg);

#endif
