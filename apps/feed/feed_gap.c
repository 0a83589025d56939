/* SPDX-License-Identifier: BSD-3-Clause
 * What a feed does about holes: tell of them, ask for what is missing, get a snapshot, give up.
 */
#include "apps/feed/feed_inside.h"

#include "apps/feed/mold.h"

void feed_gap_rewalk(struct feed *f)
{
	f->walk = first_held(f);
	f->walk_asked = 0;
	f->walk_due_ns = INT64_MAX;
}

void feed_gap_due(struct feed *f, int64_t due_ns)
{
	if (due_ns < f->due_ns)
		f->due_ns = due_ns;
}

/* The number says which request this answers, even if a line was faster with all that is in it. */
void feed_gap_answered(struct feed *f)
{
	uint32_t i = first_held(f);
	struct hole *h;

	for (;; i = f->held[i].next) {
		h = &f->held[i].before;
		if (hole_start(f, i) < hole_end(f, i) && h->tries &&
			h->asked_first == f->cur.h.first) {
			h->tries = 0;
			h->ask_ns = f->now_ns;
		}
		if (i == sentinel(f))
			break;
	}
	feed_gap_rewalk(f);
	feed_gap_due(f, f->now_ns);
}

static void event(struct feed_event *ev, enum feed_event_kind kind, uint64_t first, uint64_t end)
{
	ev->kind = kind;
	ev->first = first;
	ev->end = end;
}

static bool tell(struct feed *f, struct hole *h, uint64_t start, uint64_t end,
	struct feed_event *ev)
{
	uint64_t from = greater(start, h->told_end);

	if (h->told_end <= start || h->given_up) {
		h->ask_ns = f->now_ns;
		h->tries = 0;
		h->given_up = false;
	}
	h->told_end = end;
	f->counters.gaps++;
	f->counters.gap_units += end - from;
	event(ev, FEED_GAP, from, end);
	return true;
}

static bool lose(struct feed *f, uint64_t end, struct feed_event *ev)
{
	event(ev, FEED_LOST, f->next, end);
	f->counters.lost_units += end - f->next;
	f->next = end;
	feed_gap_rewalk(f);
	feed_gap_due(f, f->now_ns);
	return true;
}

static bool can_snapshot(const struct feed *f)
{
	return f->cfg.snapshot_tries && f->next >= f->snapshot.barrier;
}

static bool begin_snapshot(struct feed *f, struct feed_event *ev)
{
	f->snapshot.on = f->snapshot.asked = true;
	f->snapshot.there = false;
	f->snapshot.tries = 1;
	f->counters.snapshots++;
	event(ev, FEED_SNAPSHOT, f->next, f->known_end);
	return true;
}

static bool request(struct feed *f, struct hole *h, uint64_t start, uint64_t end,
	struct feed_event *ev)
{
	uint64_t n = lesser(end - start, f->cfg.request_max);

	h->tries++;
	h->asked_first = start;
	h->ask_ns = f->now_ns + f->cfg.retry_ns;
	f->counters.requests++;
	event(ev, FEED_REQUEST, start, start + n);
	if (f->venue == &feed_moldudp64) {
		ev->len = mold_put_header(f->request, &f->session, start, (uint16_t)n);
		ev->data = f->request;
	}
	return true;
}

/* Holes behind the first one that was given up wait until it is their turn. */
static bool give_up(struct feed *f, struct hole *h, bool is_first, uint64_t told_end,
	struct feed_event *ev)
{
	h->given_up = true;
	if (!f->flushing && can_snapshot(f))
		return begin_snapshot(f, ev);
	return is_first && lose(f, told_end, ev);
}

/* The next thing to do about the hole before i; false: nothing now. */
static bool step(struct feed *f, uint32_t i, uint64_t start, uint64_t end, struct feed_event *ev)
{
	struct hole *h = &f->held[i].before;
	uint64_t told_end;

	if (greater(start, h->told_end) < end) {
		if (f->flushing || h->tell_ns <= f->now_ns)
			return tell(f, h, start, end, ev);
		if (h->tell_ns < f->walk_due_ns)
			f->walk_due_ns = h->tell_ns;
	}
	told_end = lesser(end, h->told_end);
	if (told_end <= start)
		return false;
	if (f->flushing || h->given_up)
		return give_up(f, h, i == first_held(f), told_end, ev);
	if (told_end - start > f->cfg.snapshot_over && can_snapshot(f))
		return begin_snapshot(f, ev);
	/* There is always room for the answer at the head: it is delivered from its packet. */
	if (f->walk_asked >= f->cfg.outstanding ||
		(i != first_held(f) && f->holding == f->cfg.window))
		return false;
	if (h->ask_ns <= f->now_ns) {
		if (h->tries < f->cfg.tries)
			return request(f, h, start, told_end, ev);
		return give_up(f, h, i == first_held(f), told_end, ev);
	}
	if (h->ask_ns < f->walk_due_ns)
		f->walk_due_ns = h->ask_ns;
	f->walk_asked++;
	return false;
}

/* Books that a snapshot was about to fill cannot use it. */
bool feed_gap_drop_held(struct feed *f, struct feed_event *ev)
{
	uint32_t i = first_held(f);
	struct held *h = &f->held[i];

	if (!f->snapshot.cut_short || i == sentinel(f) || h->first != f->next)
		return false;
	if (h->fill_end < h->end) {
		f->counters.gaps++;
		f->counters.gap_units += h->end - h->fill_end;
		event(ev, FEED_GAP, h->fill_end, h->end);
		h->fill_end = h->end;
		return true;
	}
	feed_hold_take(f);
	return lose(f, h->end, ev);
}

bool feed_gap_step(struct feed *f, struct feed_event *ev)
{
	uint32_t i;

	if (!f->flushing && f->now_ns < f->due_ns)
		return false;
	for (;;) {
		uint64_t start, end;

		i = f->walk;
		start = hole_start(f, i);
		end = hole_end(f, i);
		if (start < end && step(f, i, start, end, ev))
			return true;
		if (i == sentinel(f))
			break;
		f->walk = f->held[i].next;
	}
	f->due_ns = f->walk_due_ns;
	feed_gap_rewalk(f);
	return false;
}

/* ---- snapshots ------------------------------------------------------------------------------ */

static bool covered(struct feed *f, uint64_t first, uint64_t end, struct feed_event *ev)
{
	if (first >= end)
		return false;
	event(ev, FEED_FILLED, first, end);
	ev->by = FEED_BY_SNAPSHOT;
	f->counters.filled_by_snapshot_units += end - first;
	return true;
}

/* What the snapshot stands for, piece by piece, up to the number it named. */
static bool cover(struct feed *f, struct feed_event *ev)
{
	uint64_t to = f->snapshot.covers_to, start, told_end;
	uint32_t i;

	while (f->next < to) {
		i = first_held(f);
		start = f->next;
		if (i == sentinel(f) || start < f->held[i].first) {
			told_end = lesser(f->held[i].before.told_end, hole_end(f, i));
			f->next = i == sentinel(f) ? to : lesser(to, f->held[i].first);
			if (covered(f, start, lesser(told_end, f->next), ev))
				return true;
			continue;
		}
		told_end = lesser(f->held[i].fill_end, to);
		if (f->held[i].end <= to) {
			f->next = f->held[i].end;
			feed_hold_take(f);
			feed_hold_release(f);
		} else {
			feed_hold_clip(f, to);
			f->next = to;
		}
		if (covered(f, start, told_end, ev))
			return true;
	}
	f->known_end = greater(f->known_end, f->next);
	f->snapshot.on = false;
	feed_gap_rewalk(f);
	feed_gap_due(f, f->now_ns);
	return false;
}

bool feed_snapshot_step(struct feed *f, struct feed_event *ev)
{
	if (f->flushing) {
		f->snapshot.on = false;
		f->snapshot.cut_short = true;
		feed_gap_rewalk(f); /* the walk had got to the hole that wanted it */
		return false;
	}
	if (f->snapshot.there)
		return cover(f, ev);
	if (f->snapshot.asked || f->now_ns < f->snapshot.ask_ns)
		return false;
	f->snapshot.asked = true;
	f->snapshot.tries++;
	f->counters.snapshots++;
	event(ev, FEED_SNAPSHOT, f->next, f->known_end);
	return true;
}

void feed_snapshot_done(struct feed *f, uint64_t next, int64_t now_ns)
{
	uint32_t i = first_held(f);

	f->now_ns = now_ns > f->now_ns ? now_ns : f->now_ns;
	if (!f->snapshot.on || !f->snapshot.asked)
		return;
	f->snapshot.asked = false;
	f->snapshot.there = true;
	if (next < f->next) {
		/* An old one: what it lacks was delivered once, and must be again. */
		f->next = greater(next, f->venue->lowest);
		f->held[i].before = (struct hole){.tell_ns = f->now_ns};
	}
	f->snapshot.covers_to = greater(f->next, next);
	feed_gap_due(f, f->now_ns);
}

void feed_snapshot_failed(struct feed *f, int64_t now_ns)
{
	f->now_ns = now_ns > f->now_ns ? now_ns : f->now_ns;
	if (!f->snapshot.on || !f->snapshot.asked)
		return;
	f->counters.snapshots_failed++;
	f->snapshot.asked = false;
	f->snapshot.ask_ns = f->now_ns + f->cfg.snapshot_retry_ns;
	if (f->snapshot.tries < f->cfg.snapshot_tries)
		return;
	f->snapshot.on = false;
	f->snapshot.barrier = f->known_end;
	feed_gap_rewalk(f);
	feed_gap_due(f, f->now_ns);
}
