/* SPDX-License-Identifier: BSD-3-Clause
 * What each line of a feed is like: what it lost, doubled and reordered, who came second by how
 * much, and whether it is silent.
 */
#include "apps/feed/feed_inside.h"

#include <string.h>

static uint64_t *word(struct seen *s, uint64_t number)
{
	return &s->bits[number / 64 % (SEEN_BITS / 64)];
}

/* Forget the bits of from .. end: they are about to stand for these numbers. */
static void clear(struct seen *s, uint64_t from, uint64_t end)
{
	uint64_t n;

	if (end - from >= SEEN_BITS) {
		memset(s->bits, 0, sizeof(s->bits));
		return;
	}
	for (n = from; n < end; n += 64 - n % 64) {
		uint64_t mask = ~UINT64_C(0) << n % 64;

		if (end - (n - n % 64) < 64)
			mask &= ~(~UINT64_C(0) << end % 64);
		*word(s, n) &= ~mask;
	}
}

/* Mark from .. end as seen; returns how many were so before. */
static uint64_t mark(struct seen *s, uint64_t from, uint64_t end)
{
	uint64_t n, again = 0;

	for (n = from; n < end; n += 64 - n % 64) {
		uint64_t mask = ~UINT64_C(0) << n % 64, *w = word(s, n);

		if (end - (n - n % 64) < 64)
			mask &= ~(~UINT64_C(0) << end % 64);
		again += (uint64_t)__builtin_popcountll(*w & mask);
		*w |= mask;
	}
	return again;
}

/* Exact within the last SEEN_BITS numbers; what is older than that was counted as missing. */
static void note_numbers(struct feed_line *l, struct seen *s, uint64_t first, uint64_t end)
{
	uint64_t again, was = s->next;

	if (!s->begun) {
		*s = (struct seen){.begun = true, .base = first, .next = first,
			.missing_before = l->missing_units};
		was = first;
	}
	if (end > s->next) {
		clear(s, s->next, end);
		s->next = end;
	}
	first = greater(first, s->next > s->base + SEEN_BITS ? s->next - SEEN_BITS : s->base);
	if (first < end) {
		again = mark(s, first, end);
		s->units += end - first - again;
		l->duplicate_units += again;
		if (first < was && lesser(end, was) - first > again)
			l->reordered_units += lesser(end, was) - first - again;
	}
	l->missing_units = s->missing_before + (s->next - s->base) - s->units;
}

static unsigned log2_of(uint64_t n)
{
	unsigned i = n ? 63 - (unsigned)__builtin_clzll(n) : 0;

	return i < 40 ? i : 39;
}

static void note_skew(struct feed *f, struct feed_line *l, unsigned line, uint64_t first)
{
	struct arrival *a = &f->arrivals[first % ARRIVALS];
	int64_t behind_ns = f->now_ns - a->time_ns;

	if (a->first != first) {
		*a = (struct arrival){first, f->now_ns, (uint8_t)line};
		return;
	}
	if (a->line == line)
		return;
	if (l->behind == 0 || behind_ns < l->behind_min_ns)
		l->behind_min_ns = behind_ns;
	if (behind_ns > l->behind_max_ns)
		l->behind_max_ns = behind_ns;
	l->behind_sum_ns += behind_ns;
	l->behind_log2[log2_of((uint64_t)behind_ns)]++;
	l->behind++;
}

void feed_line_note(struct feed *f, unsigned line, const struct feed_header *h, size_t len)
{
	struct feed_line *l = &f->lines[line];

	l->packets++;
	l->bytes += len;
	l->last_ns = f->now_ns;
	if (l->silent) {
		l->silent = false;
		f->heard |= 1u << line;
	}
	if (line == FEED_RECOVERY)
		return;
	if (h->units == 0) {
		l->beats++;
		return;
	}
	note_numbers(l, &f->seen[line], h->first, h->first + h->units);
	note_skew(f, l, line, h->first);
}

void feed_lines_restart(struct feed *f)
{
	unsigned i;

	for (i = 0; i <= FEED_LINES; i++)
		f->seen[i].begun = false;
	/* No packet is numbered so high. */
	for (i = 0; i < ARRIVALS; i++)
		f->arrivals[i].first = UINT64_MAX;
}

bool feed_line_event(struct feed *f, struct feed_event *ev)
{
	unsigned i;

	for (i = 0; i < f->cfg.lines; i++) {
		struct feed_line *l = &f->lines[i];
		bool heard = f->heard & 1u << i;

		f->heard &= ~(1u << i);
		if (!heard && (f->cfg.silent_ns == 0 || l->silent ||
				      f->now_ns - l->last_ns < f->cfg.silent_ns))
			continue;
		l->silent = !heard;
		ev->kind = heard ? FEED_HEARD : FEED_SILENT;
		ev->line = (uint8_t)i;
		return true;
	}
	return false;
}

int64_t feed_lines_deadline(const struct feed *f)
{
	int64_t due_ns = INT64_MAX;
	unsigned i;

	if (f->cfg.silent_ns == 0)
		return due_ns;
	for (i = 0; i < f->cfg.lines; i++)
		if (!f->lines[i].silent && f->lines[i].last_ns + f->cfg.silent_ns < due_ns)
			due_ns = f->lines[i].last_ns + f->cfg.silent_ns;
	return due_ns;
}
