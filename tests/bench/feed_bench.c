/* SPDX-License-Identifier: BSD-3-Clause
 * How fast ITCH messages are decoded and booked on one core, from memory: the books alone, and
 * behind the whole feed (two lines, arbitration, sequence checks). A table of ns and M messages/s.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "apps/feed/archive.h"
#include "apps/feed/book.h"
#include "apps/feed/feed.h"
#include "apps/feed/flow.h"

enum { PACKET = 1400, ROUNDS = 3 };

/* A day as MoldUDP64 packets, each behind its length. */
struct day {
	uint8_t *bytes;
	size_t len;
	uint64_t messages, packets;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "feed_bench: %s\n", what);
	exit(1);
}

static void add_packet(struct day *d, const struct archive *a, uint64_t first)
{
	struct feed_session session = mold_session("BENCH");
	uint8_t *at = d->bytes + d->len;
	unsigned n;
	uint16_t len = (uint16_t)archive_packet(a, &session, first, MOLD_COUNT_MAX, at + 2, PACKET,
		&n);

	at[0] = (uint8_t)len;
	at[1] = (uint8_t)(len >> 8);
	d->len += (size_t)len + 2;
	d->packets++;
}

static void make_day(struct day *d, uint32_t symbols, uint32_t live, uint64_t messages)
{
	const struct flow_config cfg = {.seed = 1, .symbols = symbols, .live = live,
		.messages = messages};
	uint8_t bytes[ITCH_BYTES_MAX];
	size_t len, room = PACKET - MOLD_HEADER;
	uint64_t first = 1;
	struct archive *a;
	struct flow *f;
	struct itch m;

	*d = (struct day){.bytes = malloc(messages * 40), .messages = messages};
	if (!d->bytes || flow_open(&f, &cfg) < 0 || archive_open(&a, 10, ITCH_BYTES_MAX) < 0)
		fail("out of memory");
	while (flow_next(f, &m)) {
		len = itch_encode(&m, bytes);
		if (len + 2 > room) {
			add_packet(d, a, first);
			first = archive_next(a);
			room = PACKET - MOLD_HEADER;
		}
		room -= len + 2;
		archive_add(a, bytes, len);
	}
	add_packet(d, a, first);
	flow_close(f);
	archive_close(a);
}

static struct books *new_books(uint32_t symbols, uint32_t live)
{
	const struct books_config cfg = {.max_books = symbols, .max_orders = 2 * symbols * live,
		.max_levels = 2 * symbols * 90, .depth = 128};
	struct books *b;

	if (books_open(&b, &cfg) < 0)
		fail("out of memory");
	return b;
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void book_blocks(struct books *b, const uint8_t *at, const uint8_t *end)
{
	struct books_message burst[BOOKS_BURST];
	const uint8_t *message;
	unsigned n = 0;

	while (at < end) {
		at += feed_block(&feed_moldudp64, at, &message, &burst[n].len);
		burst[n].data = message;
		if (++n == BOOKS_BURST) {
			books_apply_burst(b, burst, n);
			n = 0;
		}
	}
	books_apply_burst(b, burst, n);
}

static double books_alone(const struct day *d, struct books *b)
{
	const uint8_t *at = d->bytes, *end = at + d->len;
	double start_s = now_s();

	while (at < end) {
		size_t len = at[0] | (size_t)at[1] << 8;

		book_blocks(b, at + 2 + MOLD_HEADER, at + 2 + len);
		at += 2 + len;
	}
	return now_s() - start_s;
}

static double whole_feed(const struct day *d, struct books *b)
{
	const struct feed_config cfg = {.venue = &feed_moldudp64, .start = 1};
	const uint8_t *at = d->bytes, *end = at + d->len;
	struct feed_event ev;
	struct feed *f;
	double start_s;
	unsigned line;

	if (feed_open(&f, &cfg) < 0)
		fail("out of memory");
	start_s = now_s();
	while (at < end) {
		size_t len = at[0] | (size_t)at[1] << 8;

		for (line = 0; line < 2; line++) {
			feed_input(f, line, at + 2, len, 1);
			while (feed_next(f, &ev))
				if (ev.kind == FEED_DATA)
					book_blocks(b, ev.data, ev.data + ev.len);
		}
		at += 2 + len;
	}
	start_s = now_s() - start_s;
	if (feed_counters(f)->delivered_messages != d->messages)
		fail("messages are missing");
	feed_close(f);
	return start_s;
}

static void bench(uint32_t symbols, uint32_t live, uint64_t messages)
{
	static const char *const names[] = {"books", "two lines and books"};
	double s, best[2] = {1e9, 1e9};
	unsigned i, round;
	struct books *b;
	struct day d;

	make_day(&d, symbols, live, messages);
	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < 2; i++) {
			b = new_books(symbols, live);
			s = i ? whole_feed(&d, b) : books_alone(&d, b);
			if (books_counters(b)->unknown_order || books_counters(b)->no_room_orders ||
				books_counters(b)->messages != messages)
				fail("the books are wrong");
			best[i] = s < best[i] ? s : best[i];
			books_close(b);
		}
	for (i = 0; i < 2; i++)
		printf("%6u symbols, about %8u live orders  %-20s %6.1f ns/message %6.1f M/s\n",
			symbols, symbols * live, names[i], best[i] * 1e9 / (double)messages,
			(double)messages / best[i] / 1e6);
	fflush(stdout);
	free(d.bytes);
}

int main(void)
{
	bench(8, 64, 4000000);
	bench(500, 100, 8000000);
	bench(5000, 100, 8000000);
	return 0;
}
