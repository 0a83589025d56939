/* SPDX-License-Identifier: BSD-3-Clause
 * perch-feed: what its reader, its snapshot client and its reports share. All of it belongs to the
 * coroutines of one lcore; the report is made when they have ended.
 */
#ifndef PERCH_APPS_FEED_APP_H
#define PERCH_APPS_FEED_APP_H

#include "apps/args.h"
#include "apps/feed/book.h"
#include "apps/feed/feed.h"
#include "apps/hist.h"

enum { READER_BURST = BOOKS_BURST };

struct reader {
	const struct args *args;
	struct feed_config cfg;
	struct feed *feed;
	struct books *books;           /* NULL: not ITCH, only numbers are looked at */
	struct perch_addr line[2], source, request, glimpse, publish;
	bool has_line[2], has_source, has_request, has_glimpse, has_publish;
	uint64_t seconds, keep, print, top, events, view;
	struct perch_udp *ask;         /* requests, their answers, published tops */
	struct perch_ref timer, snapper;
	int64_t armed_ns;              /* when the timer will wake */
	int64_t began_ns, first_ns, last_ns; /* of messages */
	uint64_t messages, sent_refused;
	bool snapshot_wanted, ended;
	unsigned sessions;             /* so far: a snapshot of an earlier one is for nothing */
	struct hist to_handler, to_book, to_end;
	int error;
};

/* Take what the feed has to say. Never parks. */
void reader_drain(struct reader *r);
/* See that the timer wakes in time. */
void reader_rearm(struct reader *r);

/* The coroutine that gets snapshots, one whenever it is woken. */
void snapshot_client(void *arg);

/* A live view on stderr, once a second: a coroutine gathers it, a thread prints it. */
int view_start(struct reader *r);
void view_coroutine(void *arg);
void view_stop(void);

/* One line about the top of a book. Returns its length. */
enum { TOP_TEXT = 128 };
int top_text(const struct books *b, unsigned book, char text[TOP_TEXT]);
/* At the end. Returns the exit status: 1 when something was lost, or went wrong. */
int reader_report(struct reader *r);

#endif
