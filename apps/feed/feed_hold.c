/* SPDX-License-Identifier: BSD-3-Clause
 * The window of a feed: packets that came before others that are missing, copied, in order.
 */
#include "apps/feed/feed_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int feed_hold_open(struct feed *f)
{
	uint32_t i, n = f->cfg.window;

	f->held = calloc((size_t)n + 1, sizeof(*f->held));
	f->room = malloc((size_t)n * f->cfg.packet_bytes);
	if (!f->held || !f->room)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		f->held[i].next = i + 1;
	f->held[n].prev = f->held[n].next = f->releasing = f->walk = n;
	return 0;
}

void feed_hold_close(struct feed *f)
{
	free(f->held);
	free(f->room);
}

static struct hole fresh(struct feed *f)
{
	struct hole h = {.tell_ns = f->now_ns + f->cfg.wait_ns};

	feed_gap_due(f, h.tell_ns);
	return h;
}

/* The last hole grows from known_end to end. What is new in it has a time of its own. */
static void stretch(struct feed *f, struct hole *last, uint64_t start)
{
	if (start == f->known_end)
		*last = fresh(f);
	else if (last->told_end >= f->known_end)
		last->tell_ns = fresh(f).tell_ns;
}

void feed_know(struct feed *f, uint64_t end)
{
	uint32_t last = sentinel(f);

	if (end <= f->known_end)
		return;
	stretch(f, &f->held[last].before, hole_start(f, last));
	f->known_end = end;
	feed_gap_rewalk(f);
}

size_t feed_span(const struct feed *f, const uint8_t *blocks, uint64_t messages)
{
	const uint8_t *at = blocks, *message;
	size_t len;

	while (messages--)
		at += feed_block(f->venue, at, &message, &len);
	return (size_t)(at - blocks);
}

static void link_before(struct feed *f, uint32_t i, uint32_t new)
{
	struct held *h = &f->held[new];

	h->next = i;
	h->prev = f->held[i].prev;
	f->held[h->prev].next = new;
	f->held[i].prev = new;
	feed_gap_rewalk(f);
}

/* A quarter of the window is kept for what fills holes. */
static bool has_room(const struct feed *f, bool fills)
{
	return f->holding < f->cfg.window - (fills ? 0 : f->cfg.window / 4);
}

/* The run first .. end of the current packet into a free slot; the sentinel: refused. */
static uint32_t copy(struct feed *f, uint64_t first, uint64_t end)
{
	const struct feed_header *h = &f->cur.h;
	const uint8_t *from = h->blocks;
	size_t len = h->blocks_len;
	uint32_t i = f->free, messages = h->messages;

	if (f->venue->unit == FEED_PER_MESSAGE && end - first < h->units) {
		from += feed_span(f, from, first - h->first);
		len = feed_span(f, from, end - first);
		messages = (uint32_t)(end - first);
	}
	if (len > f->cfg.packet_bytes) {
		f->counters.drop_too_long++;
		return sentinel(f);
	}
	if (!has_room(f, end <= f->known_end)) {
		f->counters.drop_window_full++;
		return sentinel(f);
	}
	f->free = f->held[i].next;
	f->counters.held_most = greater(f->counters.held_most, ++f->holding);
	memcpy(f->room + (size_t)i * f->cfg.packet_bytes, from, len);
	f->held[i] = (struct held){.first = first, .end = end, .fill_end = first,
		.time_ns = f->cur.time_ns, .len = (uint32_t)len, .messages = messages,
		.line = f->cur.line};
	return i;
}

/* Hold first .. end, which lies in the hole before i and splits it. */
static void hold(struct feed *f, uint32_t i, uint64_t first, uint64_t end)
{
	uint32_t new = copy(f, first, end), last = sentinel(f);
	uint64_t start = hole_start(f, i), was_end = hole_end(f, i);
	struct hole *right = &f->held[i].before;
	struct held *h = &f->held[new];

	if (new == last) {
		feed_know(f, end);
		return;
	}
	f->cur.taken += end - first;
	f->lines[f->cur.line].won_units += end - first;
	if (i == last && first > f->known_end)
		stretch(f, right, start);
	h->before = *right;
	if (start < was_end && right->told_end > first)
		h->fill_end = lesser(end, right->told_end);
	if (lesser(end, was_end) > greater(first, h->fill_end))
		f->counters.healed_units += lesser(end, was_end) - greater(first, h->fill_end);
	link_before(f, i, new);
	if (i == last)
		f->known_end = greater(f->known_end, end);
}

void feed_hold_current(struct feed *f)
{
	uint64_t first = greater(f->cur.h.first, f->next), end = f->cur.end, start, from, to;
	uint32_t i = sentinel(f), before;

	while (end > first) {
		start = hole_start(f, i);
		before = f->held[i].prev;
		from = greater(first, start);
		to = i == sentinel(f) ? end : lesser(end, hole_end(f, i));
		if (from < to)
			hold(f, i, from, to);
		end = lesser(end, start);
		i = before;
		if (i == sentinel(f))
			break;
	}
}

void feed_hold_take(struct feed *f)
{
	uint32_t i = first_held(f);
	struct held *h = &f->held[i];

	f->held[h->prev].next = h->next;
	f->held[h->next].prev = h->prev;
	f->releasing = i;
	f->holding--;
	feed_gap_rewalk(f);
}

void feed_hold_release(struct feed *f)
{
	if (f->releasing == sentinel(f))
		return;
	f->held[f->releasing].next = f->free;
	f->free = f->releasing;
	f->releasing = sentinel(f);
}

void feed_hold_clip(struct feed *f, uint64_t first)
{
	uint32_t i = first_held(f);
	struct held *h = &f->held[i];
	uint8_t *room = f->room + (size_t)i * f->cfg.packet_bytes;
	size_t gone = feed_span(f, room, first - h->first);

	memmove(room, room + gone, h->len - gone);
	h->len -= (uint32_t)gone;
	h->messages -= (uint32_t)(first - h->first);
	h->first = first;
	h->fill_end = greater(h->fill_end, first);
}
