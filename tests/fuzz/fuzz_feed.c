/* SPDX-License-Identifier: BSD-3-Clause
 * A feed of any venue on any packets, in any order, at any time: it comes to an end with each, the
 * messages come in order, and what it says is missing is later accounted for.
 */
#include <stdlib.h>
#include <string.h>

#include "apps/feed/feed.h"
#include "apps/feed/mold.h"
#include "tests/fuzz/target.h"

enum { VENUES = 7, EVENTS_MAX = 100000, ROOM = 300 };

struct reader {
	struct feed *feed;
	int64_t now_ns;
	uint64_t expects;
	bool joined, snapshot;
	bool huge;        /* numbers so wild that sums of them are no use */
	unsigned events;
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

/* In memory of its own size: reading behind it is an error to ASan. */
static void take_messages(struct reader *r, struct feed_event *ev)
{
	struct feed_message m;
	uint8_t *copy;
	uint64_t last = 0;

	promise(ev->first == r->expects && ev->first < ev->end);
	r->expects = ev->end;
	while (feed_message(r->feed, ev, &m)) {
		copy = malloc(m.len ? m.len : 1);
		memcpy(copy, m.data, m.len);
		free(copy);
		last = m.number;
	}
	promise(last == 0 || last == r->expects - 1);
}

static void drain(struct reader *r)
{
	struct feed_event ev;

	while (feed_next(r->feed, &ev)) {
		promise(++r->events < EVENTS_MAX);
		promise(ev.kind == FEED_SESSION || r->joined || ev.kind >= FEED_SILENT);
		promise(ev.first <= ev.end);
		r->huge |= ev.end - ev.first > UINT64_C(1) << 40;
		switch (ev.kind) {
		case FEED_DATA:
			promise(!r->snapshot);
			take_messages(r, &ev);
			break;
		case FEED_LOST:
			promise(ev.first == r->expects);
			r->expects = ev.end;
			break;
		case FEED_SESSION:
			r->joined = true;
			r->snapshot = false;
			r->expects = ev.first;
			break;
		case FEED_SNAPSHOT:
			r->snapshot = true;
			break;
		default:
			break;
		}
	}
}

/* A packet as it comes, or a MoldUDP64 one that is right but for when and where. */
static void packet(struct reader *r, struct fuzz_input *in, unsigned line, bool sound)
{
	struct feed_session session = mold_session("S");
	uint8_t *bytes = calloc(1, ROOM), first, *at = bytes;
	size_t len = fuzz_take8(in);
	unsigned n;

	if (sound) {
		session.low += len >> 7;
		first = fuzz_take8(in);
		n = len & 15;
		at += mold_put_header(at, &session, 1 + first, n == 15 ? MOLD_END : (uint16_t)n);
		for (; n && n < 15; n--, at += 3)
			memcpy(at, "\0\1x", 3);
	} else {
		for (; len; len--)
			*at++ = fuzz_take8(in);
	}
	n = (unsigned)(at - bytes);
	bytes = realloc(bytes, n ? n : 1);
	promise(bytes != NULL);
	feed_input(r->feed, line, bytes, n, r->now_ns);
	drain(r);
	free(bytes);
}

static void snapshot(struct reader *r, uint8_t next)
{
	if (!r->snapshot)
		return;
	r->snapshot = false;
	if (next == 0) {
		feed_snapshot_failed(r->feed, r->now_ns);
	} else {
		feed_snapshot_done(r->feed, next, r->now_ns);
		r->expects = feed_awaits(r->feed) > next ? feed_awaits(r->feed) : next;
	}
	drain(r);
}

static void pass(struct reader *r, int64_t ns)
{
	int64_t end_ns = r->now_ns + ns;
	unsigned steps = 0;

	while (feed_deadline(r->feed) <= end_ns) {
		promise(++steps < 10000);
		if (feed_deadline(r->feed) > r->now_ns)
			r->now_ns = feed_deadline(r->feed);
		feed_tick(r->feed, r->now_ns);
		drain(r);
		promise(feed_deadline(r->feed) > r->now_ns);
	}
	r->now_ns = end_ns;
	feed_tick(r->feed, r->now_ns);
	drain(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = {data, data + len};
	struct reader r = {.now_ns = 1};
	struct feed_config cfg = {.window = 8, .packet_bytes = 64, .max_jump = 200,
		.quiet_ns = 1000, .retry_ns = 10, .snapshot_retry_ns = 10, .request_max = 7};
	uint8_t how = fuzz_take8(&in), much = fuzz_take8(&in);
	const struct feed_counters *c;

	cfg.venue = feed_venues[how % VENUES];
	cfg.start = how / VENUES % 3;
	cfg.wait_ns = how / VENUES / 3;
	cfg.tries = much & 3;
	cfg.snapshot_tries = much >> 2 & 3;
	cfg.snapshot_over = much >> 4;
	cfg.silent_ns = much & 128 ? 100 : 0;
	promise(feed_open(&r.feed, &cfg) == 0);
	while (in.at < in.end) {
		uint8_t what = fuzz_take8(&in);

		if (what < 200)
			packet(&r, &in, what % (FEED_LINES + 1), what & 64);
		else if (what < 220)
			snapshot(&r, fuzz_take8(&in));
		else
			pass(&r, what & 16 ? 2000 : what & 15);
	}
	c = feed_counters(r.feed);
	promise(r.huge || c->lost_units + c->filled_by_line_units + c->filled_by_request_units +
			c->filled_by_snapshot_units <= c->gap_units);
	feed_close(r.feed);
	return 0;
}
