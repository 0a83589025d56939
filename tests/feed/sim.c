/* SPDX-License-Identifier: BSD-3-Clause
 * A market in virtual time, from a seed: an order flow, two rough lines, a re-request server and a
 * snapshot server with habits, a reader. After the end of the session the reader's books must be
 * the publisher's, byte for byte, if there was a way to recover; and every message that was missed
 * must have been accounted for, if there was none.
 *
 *	sim [--seed N | --seeds A..B] [--plant books|account]
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/feed/book.h"
#include "apps/feed/chance.h"
#include "apps/feed/feed.h"
#include "apps/feed/flow.h"
#include "apps/feed/mold.h"
#include "apps/feed/rough.h"
#include "apps/feed/soup.h"
#include "apps/feed/archive.h"

#define US INT64_C(1000)
#define MS (1000 * US)

enum { ROOM = 1400, REPLIES = 64, ENDS = 60000 };
enum habit { ANSWERS, PARTLY, LATE, NEVER, SOMETIMES, HABITS };

struct reply {
	int64_t due_ns;
	uint64_t first;
	unsigned count;
};

struct world {
	uint64_t seed;
	struct chance chance;
	int64_t now_ns, publish_ns;
	struct flow *flow;
	struct archive *archive;
	struct books *truth, *books;
	struct rough *line[2];
	struct feed *feed;
	struct feed_session session;
	enum habit habit;
	bool snapshots, over, done;
	unsigned joins_after, packets, ends;
	unsigned per_packet;
	struct reply reply[REPLIES];
	unsigned n_replies;
	struct {
		bool logged_in;
		int64_t due_ns;
		uint8_t *bytes;
		size_t len, room;
	} snapshot;
	uint64_t expects, skipped;
	const char *fault;
};

static void fault(struct world *w, const char *what)
{
	if (!w->fault)
		w->fault = what;
}

static unsigned below(struct world *w, unsigned n)
{
	return chance_below(&w->chance, n);
}

/* ---- a world from a seed -------------------------------------------------------------------- */

static void open_line(struct world *w, unsigned i)
{
	static const uint32_t loss_ppm[] = {0, 1000, 20000, 100000, 300000};
	const struct rough_config cfg = {
		.seed = w->seed * 2 + i,
		.loss_ppm = loss_ppm[below(w, 5)],
		.burst = 1 + below(w, 8) * below(w, 2),
		.duplicate_ppm = 50000 * below(w, 2),
		.reorder_ppm = 100000 * below(w, 2),
		.reorder_ns = 100 * US * (1 + below(w, 20)),
		.skew_ns = US * below(w, 500),
		.slots = 4096,
	};

	if (rough_open(&w->line[i], &cfg) < 0)
		fault(w, "rough_open");
}

static bool can_recover(const struct world *w)
{
	return w->snapshots || w->habit == ANSWERS || w->habit == PARTLY || w->habit == LATE;
}

static void open_feed(struct world *w)
{
	const struct feed_config cfg = {
		.venue = &feed_moldudp64,
		.start = 1,
		.window = 8u << below(w, 8),
		.wait_ns = 100 * US * below(w, 20),
		.tries = w->habit == LATE ? 60 : 1 + below(w, 4),
		.retry_ns = w->habit == LATE ? 10 * MS : 2 * MS,
		.request_max = 1 + below(w, 200),
		.outstanding = 1 + below(w, 8),
		.snapshot_tries = w->snapshots ? 3 : 0,
		.snapshot_retry_ns = MS,
		.snapshot_over = 20 + below(w, 500),
	};

	if (feed_open(&w->feed, &cfg) < 0)
		fault(w, "feed_open");
}

static void open_world(struct world *w, uint64_t seed)
{
	const struct books_config books_cfg = {.max_books = 8, .max_orders = 4096, .seed = seed};
	struct flow_config flow_cfg = {.seed = seed, .symbols = 4, .live = 40};

	*w = (struct world){.seed = seed, .chance = {seed}, .now_ns = MS, .publish_ns = MS,
		.expects = 1};
	flow_cfg.messages = 2000 + below(w, 2000);
	w->habit = (enum habit)below(w, HABITS);
	w->snapshots = below(w, 2);
	w->joins_after = below(w, 3) ? 0 : below(w, 200);
	w->per_packet = 1 + below(w, 20);
	w->session = mold_session("SIM");
	w->snapshot.room = 1 << 20;
	w->snapshot.bytes = malloc(w->snapshot.room);
	if (flow_open(&w->flow, &flow_cfg) < 0 ||
		archive_open(&w->archive, 13, ITCH_BYTES_MAX) < 0 ||
		books_open(&w->truth, &books_cfg) < 0 || books_open(&w->books, &books_cfg) < 0 ||
		!w->snapshot.bytes)
		fault(w, "out of memory");
	open_line(w, 0);
	open_line(w, 1);
	open_feed(w);
}

static void close_world(struct world *w)
{
	free(w->snapshot.bytes);
	feed_close(w->feed);
	rough_close(w->line[0]);
	rough_close(w->line[1]);
	books_close(w->books);
	books_close(w->truth);
	archive_close(w->archive);
	flow_close(w->flow);
}

/* ---- the publisher -------------------------------------------------------------------------- */

static void send_both(struct world *w, const void *packet, size_t len)
{
	w->packets++;
	if (w->packets <= w->joins_after)
		return;
	rough_send(w->line[0], packet, len, w->now_ns);
	rough_send(w->line[1], packet, len, w->now_ns);
}

static unsigned make_messages(struct world *w)
{
	unsigned n, max = 1 + below(w, w->per_packet);
	uint8_t bytes[ITCH_BYTES_MAX];
	struct itch m;
	size_t len;

	for (n = 0; n < max && flow_next(w->flow, &m); n++) {
		len = itch_encode(&m, bytes);
		archive_add(w->archive, bytes, len);
		books_apply(w->truth, bytes, len);
	}
	return n;
}

static void publish(struct world *w)
{
	uint64_t first = archive_next(w->archive);
	unsigned n = below(w, 20) ? make_messages(w) : 0; /* or a heartbeat */
	uint8_t packet[ROOM];
	size_t len = archive_packet(w->archive, &w->session, first, n, packet, sizeof(packet), &n);

	w->publish_ns = w->now_ns + US * (1 + below(w, 100));
	if (w->over || (n == 0 && make_messages(w) == 0)) {
		w->over = true;
		len = mold_put_header(packet, &w->session, archive_next(w->archive), MOLD_END);
		w->publish_ns = w->now_ns + MS;
		if (++w->ends > ENDS)
			fault(w, "the session's end has not come");
	} else if (n == 0) {
		len = mold_put_header(packet, &w->session, first, MOLD_BEAT);
		send_both(w, packet, len);
		n = (unsigned)(archive_next(w->archive) - first);
		len = archive_packet(w->archive, &w->session, first, n, packet, sizeof(packet), &n);
	}
	send_both(w, packet, len);
}

/* ---- the servers ---------------------------------------------------------------------------- */

static void take_request(struct world *w, const struct feed_event *ev)
{
	struct reply *r = &w->reply[w->n_replies];
	struct mold_request request;

	if (mold_request(ev->data, ev->len, &request) < 0 ||
		request.sequence != ev->first || request.count != ev->end - ev->first)
		fault(w, "a request that none can read");
	if (w->habit == NEVER || w->n_replies == REPLIES ||
		(w->habit == SOMETIMES && below(w, 2)))
		return;
	*r = (struct reply){w->now_ns + 50 * US + US * below(w, 500), ev->first, request.count};
	if (w->habit == LATE)
		r->due_ns += MS * below(w, 15);
	if (w->habit == PARTLY)
		r->count = 1 + below(w, r->count);
	w->n_replies++;
}

static void drain(struct world *w);

static void answer(struct world *w, unsigned i)
{
	struct reply r = w->reply[i];
	uint8_t packet[ROOM];
	unsigned n;
	size_t len = archive_packet(w->archive, &w->session, r.first, r.count, packet, ROOM, &n);

	w->reply[i] = w->reply[--w->n_replies];
	feed_input(w->feed, FEED_RECOVERY, packet, len, w->now_ns);
	drain(w);
}

/* The client has logged in: this is what it gets; and some time later it has all of it. */
static void take_snapshot(struct world *w)
{
	w->snapshot.len = books_snapshot(w->truth, archive_next(w->archive), w->snapshot.bytes,
		w->snapshot.room);
	w->snapshot.logged_in = true;
	w->snapshot.due_ns = w->now_ns + 500 * US + US * below(w, 5000);
}

static void give_snapshot(struct world *w)
{
	struct soup_packet p;
	size_t at = 0;
	uint64_t next = 0;

	w->snapshot.due_ns = 0;
	if (!w->snapshot.logged_in) {
		take_snapshot(w);
		return;
	}
	w->snapshot.logged_in = false;
	if (below(w, 4) == 0) { /* the connection broke, but the last try always works */
		if (feed_counters(w->feed)->snapshots_failed % 3 != 2) {
			feed_snapshot_failed(w->feed, w->now_ns);
			drain(w);
			return;
		}
	}
	books_clear(w->books);
	while (next == 0) {
		at += (size_t)soup_parse(w->snapshot.bytes + at, w->snapshot.len - at, &p);
		if (p.payload[0] == 'G')
			soup_number(p.payload + 1, 20, &next);
		else
			books_apply(w->books, p.payload, p.len);
	}
	w->skipped += next - w->expects;
	w->expects = next;
	feed_snapshot_done(w->feed, next, w->now_ns);
	drain(w);
}

/* ---- the reader ----------------------------------------------------------------------------- */

static void book(struct world *w, struct feed_event *ev)
{
	struct feed_message m;

	if (ev->first != w->expects || w->snapshot.due_ns)
		fault(w, "messages out of turn");
	w->expects = ev->end;
	while (feed_message(w->feed, ev, &m))
		books_apply(w->books, m.data, m.len);
}

static void drain(struct world *w)
{
	struct feed_event ev;

	while (feed_next(w->feed, &ev))
		switch (ev.kind) {
		case FEED_DATA:
			book(w, &ev);
			break;
		case FEED_LOST:
			if (ev.first != w->expects)
				fault(w, "a loss out of turn");
			w->expects = ev.end;
			break;
		case FEED_REQUEST:
			take_request(w, &ev);
			break;
		case FEED_SNAPSHOT:
			w->snapshot.due_ns = w->now_ns + US * (1 + below(w, 1000));
			break;
		case FEED_END:
			w->done = true;
			break;
		default:
			break;
		}
}

/* ---- time ----------------------------------------------------------------------------------- */

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void arrivals(struct world *w)
{
	const void *packet;
	unsigned i;
	size_t len;

	for (i = 0; i < 2; i++)
		while ((packet = rough_take(w->line[i], w->now_ns, &len))) {
			feed_input(w->feed, i, packet, len, w->now_ns);
			drain(w);
		}
}

static void step(struct world *w)
{
	int64_t next_ns = w->publish_ns;
	unsigned i;

	next_ns = sooner(next_ns, rough_due(w->line[0]));
	next_ns = sooner(next_ns, rough_due(w->line[1]));
	next_ns = sooner(next_ns, feed_deadline(w->feed));
	for (i = 0; i < w->n_replies; i++)
		next_ns = sooner(next_ns, w->reply[i].due_ns);
	if (w->snapshot.due_ns)
		next_ns = sooner(next_ns, w->snapshot.due_ns);
	if (next_ns > w->now_ns)
		w->now_ns = next_ns;
	arrivals(w);
	for (i = 0; i < w->n_replies; i++)
		if (w->reply[i].due_ns <= w->now_ns)
			answer(w, i);
	if (w->snapshot.due_ns && w->snapshot.due_ns <= w->now_ns)
		give_snapshot(w);
	feed_tick(w->feed, w->now_ns);
	drain(w);
	if (feed_deadline(w->feed) <= w->now_ns)
		fault(w, "a deadline that does not pass");
	if (w->publish_ns <= w->now_ns)
		publish(w);
}

/* ---- judgement ------------------------------------------------------------------------------ */

static bool same_books(const struct world *w)
{
	static uint8_t a[1 << 20], b[1 << 20];
	size_t n = books_dump(w->truth, a, sizeof(a)), m = books_dump(w->books, b, sizeof(b));

	return n == m && n <= sizeof(a) && memcmp(a, b, n) == 0;
}

static void judge(struct world *w)
{
	const struct feed_counters *c = feed_counters(w->feed);
	uint64_t all = archive_next(w->archive) - 1;

	if (w->expects != all + 1)
		fault(w, "the reader ended elsewhere than the publisher");
	if (c->gap_units != c->lost_units + c->filled_by_line_units + c->filled_by_request_units +
			c->filled_by_snapshot_units)
		fault(w, "gaps that were told of, and then forgotten");
	if (c->delivered_messages + c->lost_units + w->skipped != all)
		fault(w, "messages that nobody has accounted for");
	if (can_recover(w) && c->lost_units)
		fault(w, "lost what could be recovered");
	if (c->lost_units == 0 && !same_books(w))
		fault(w, "the books differ");
	if (c->lost_units == 0 && books_counters(w->books)->unknown_order)
		fault(w, "orders from nowhere");
}

struct tally {
	uint64_t seeds, lost, gaps, by_request, by_snapshot, healed, full;
};

static int run(uint64_t seed, const char *plant, struct tally *t)
{
	const struct feed_counters *c;
	struct world w;
	const char *what;

	open_world(&w, seed);
	while (!w.done && !w.fault)
		step(&w);
	if (strcmp(plant, "books") == 0)
		books_apply(w.books, "H\0\1\0\0\0\0\0\0\0\0S0001   Z     ", 25);
	if (strcmp(plant, "account") == 0)
		w.skipped++;
	if (!w.fault)
		judge(&w);
	c = feed_counters(w.feed);
	t->seeds++;
	t->lost += c->lost_units;
	t->gaps += c->gaps;
	t->by_request += c->filled_by_request_units;
	t->by_snapshot += c->filled_by_snapshot_units;
	t->healed += c->healed_units;
	t->full += c->drop_window_full;
	what = w.fault;
	close_world(&w);
	if (!what)
		return 0;
	printf("  FAIL seed %" PRIu64 ": %s\n", seed, what);
	return 1;
}

int main(int argc, char **argv)
{
	uint64_t from = 1, to = 1000, failed = 0, seed;
	const char *plant = "";
	struct tally t = {0};
	int i;

	for (i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--plant") == 0)
			plant = argv[i + 1];
		else if (strcmp(argv[i], "--seed") == 0)
			from = to = strtoull(argv[i + 1], NULL, 10);
		else if (sscanf(argv[i + 1], "%" SCNu64 "..%" SCNu64, &from, &to) != 2)
			return 2;
	}
	for (seed = from; seed <= to; seed++)
		failed += (uint64_t)run(seed, plant, &t);
	printf("of %" PRIu64 " seeds: %" PRIu64 " gaps, %" PRIu64 " messages by request, %" PRIu64
	       " by snapshot, %" PRIu64 " healed, %" PRIu64 " lost; window full %" PRIu64 "x\n",
		t.seeds, t.gaps, t.by_request, t.by_snapshot, t.healed, t.lost, t.full);
	printf("feed sim: %" PRIu64 " passed, %" PRIu64 " failed, 0 skipped\n", t.seeds - failed,
		failed);
	/* Seeds that never got into trouble prove nothing. */
	if (to - from >= 100 && !(t.gaps && t.by_request && t.by_snapshot && t.lost && t.full))
		return 1;
	return failed ? 1 : 0;
}
