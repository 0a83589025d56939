/* SPDX-License-Identifier: BSD-3-Clause
 * What perch-feed says: a line about a book, a live view, the report at the end.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "apps/feed_app.h"

enum { VIEW_BOOKS = 16 };

int top_text(const struct books *b, unsigned book, char text[TOP_TEXT])
{
	const struct book_level *bid, *ask;
	struct book_top t;
	char name[9];

	books_top(b, book, &t);
	bid = &t.side[BOOK_BUY];
	ask = &t.side[BOOK_SELL];
	return snprintf(text, TOP_TEXT, "%-8s %8" PRIu64 " %6u.%04u x %6u.%04u %8" PRIu64,
		books_symbol(b, book, name), bid->shares, bid->price / 10000, bid->price % 10000,
		ask->price / 10000, ask->price % 10000, ask->shares);
}

/* ---- the live view -------------------------------------------------------------------------- */

/* Filled by the lcore when it is not full, emptied by the thread when it is: neither waits. */
static struct {
	_Atomic bool full, running;
	pthread_t thread;
	uint64_t messages, missing[2];
	struct feed_counters counters;
	unsigned n;
	char top[VIEW_BOOKS][TOP_TEXT];
} view;

void view_coroutine(void *arg)
{
	struct reader *r = arg;
	unsigned i;

	while (perch_sleep(perch_now() + INT64_C(1000000000)) == 0) {
		if (view.full)
			continue;
		view.messages = r->messages;
		view.counters = *feed_counters(r->feed);
		for (i = 0; i < 2; i++)
			view.missing[i] = feed_line(r->feed, i)->missing_units;
		view.n = r->books ? books_count(r->books) : 0;
		view.n = view.n < VIEW_BOOKS ? view.n : VIEW_BOOKS;
		for (i = 0; i < view.n; i++)
			top_text(r->books, i, view.top[i]);
		view.full = true;
	}
}

static void *print_views(void *arg)
{
	const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
	uint64_t before = 0;
	unsigned i;

	(void)arg;
	for (; view.running; nanosleep(&pause, NULL)) {
		if (!view.full)
			continue;
		fprintf(stderr, "%" PRIu64 " messages/s; missing on A %" PRIu64 ", on B %" PRIu64
			"; gaps %" PRIu64 ", requests %" PRIu64 ", lost %" PRIu64 "\n",
			view.messages - before, view.missing[0], view.missing[1],
			view.counters.gaps, view.counters.requests, view.counters.lost_units);
		for (i = 0; i < view.n; i++)
			fprintf(stderr, "  %s\n", view.top[i]);
		before = view.messages;
		view.full = false;
	}
	return NULL;
}

int view_start(struct reader *r)
{
	int rc;

	view.running = true;
	rc = pthread_create(&view.thread, NULL, print_views, r);
	if (rc)
		view.running = false;
	return -rc;
}

void view_stop(void)
{
	if (!view.running)
		return;
	view.running = false;
	pthread_join(view.thread, NULL);
}

/* ---- the report ----------------------------------------------------------------------------- */

static void print_line(const struct reader *r, unsigned i)
{
	const struct feed_line *l = feed_line(r->feed, i);

	printf("line %c: %" PRIu64 " packets, %" PRIu64 " heartbeats; first with %" PRIu64
	       ", missing %" PRIu64 ", doubled %" PRIu64 ", reordered %" PRIu64 "\n",
		'A' + i, l->packets, l->beats, l->won_units, l->missing_units, l->duplicate_units,
		l->reordered_units);
	if (l->behind)
		printf("  behind the other one %" PRIu64 " times: by %.1f us to %.1f us, on "
		       "average %.1f us\n",
			l->behind, (double)l->behind_min_ns / 1e3, (double)l->behind_max_ns / 1e3,
			(double)l->behind_sum_ns / (double)l->behind / 1e3);
}

#define PRINT(name, text)                                                                          \
	if (c->name)                                                                               \
		printf("  %-26s %14" PRIu64 "  %s\n", #name, c->name, text);

static void print_counters(const struct reader *r)
{
	const struct feed_counters *c = feed_counters(r->feed);

	FEED_COUNTERS(PRINT)
}

static void print_book_counters(const struct reader *r)
{
	const struct books_counters *c = books_counters(r->books);

	BOOKS_COUNTERS(PRINT)
}

static void print_stage(const char *name, const struct hist *h)
{
	printf("%s: ", name);
	hist_print(h, stdout);
	putchar('\n');
}

int reader_report(struct reader *r)
{
	double s = (double)(r->last_ns - r->first_ns) / 1e9;
	unsigned i;

	printf("read %" PRIu64 " messages in %.3f s, %.0f messages/s%s\n", r->messages, s,
		s > 0 ? (double)r->messages / s : 0.0, r->ended ? ", to the end of session" : "");
	for (i = 0; i < r->cfg.lines; i++)
		print_line(r, i);
	print_counters(r);
	if (r->books)
		print_book_counters(r);
	if (r->to_end.count) {
		print_stage("packet to handler", &r->to_handler);
		print_stage("handler to book", &r->to_book);
		print_stage("packet to book", &r->to_end);
	}
	if (r->sent_refused)
		printf("datagrams refused by the stack: %" PRIu64 "\n", r->sent_refused);
	if (r->error)
		args_complain(r->args, "%s", strerror(-r->error));
	fflush(stdout);
	return r->error || feed_counters(r->feed)->lost_units ? EXIT_RUNTIME : EXIT_FINE;
}
