/* SPDX-License-Identifier: BSD-3-Clause
 * A histogram of durations that never allocates and never loses one: log-linear slots, as
 * HdrHistogram has them, 128 to each power of two, so that a value read back is at most 0.8 % above
 * the one that was recorded. One writer; readers of another thread see a moment or two of skew.
 */
#ifndef PERCH_APPS_HIST_H
#define PERCH_APPS_HIST_H

#include <stdint.h>
#include <stdio.h>

enum {
	HIST_BITS = 7,  /* slots per power of two, as a power of two */
	HIST_LAST = 42, /* powers of two: 73 minutes in nanoseconds; beyond it counts as that */
	HIST_SLOTS = (HIST_LAST - HIST_BITS + 1) << HIST_BITS,
};

struct hist { /* all zero: empty */
	uint64_t count, sum;
	uint64_t max; /* exact */
	uint64_t slots[HIST_SLOTS];
};

static inline unsigned hist_slot(uint64_t ns)
{
	unsigned shift;

	if (ns < 1u << HIST_BITS)
		return (unsigned)ns;
	if (ns >> HIST_LAST)
		return HIST_SLOTS - 1;
	shift = 63 - (unsigned)__builtin_clzll(ns) - HIST_BITS;
	return (shift << HIST_BITS) + (unsigned)(ns >> shift);
}

/* A negative duration is a zero one: two clocks that disagree by a hair. */
static inline void hist_record(struct hist *h, int64_t ns)
{
	uint64_t v = ns < 0 ? 0 : (uint64_t)ns;

	h->slots[hist_slot(v)]++;
	h->count++;
	h->sum += v;
	if (v > h->max)
		h->max = v;
}

/* The largest value that the slot stands for. */
uint64_t hist_slot_top(unsigned slot);

/* to += from; to -= from, where from is an earlier copy of to (max stays). */
void hist_add(struct hist *to, const struct hist *from);
void hist_subtract(struct hist *to, const struct hist *from);

/* The smallest value that a part q (0 .. 1) of the recorded ones do not exceed; 0 when empty. */
uint64_t hist_quantile(const struct hist *h, double q);
double hist_mean(const struct hist *h);

/* "p50 1.2 us, p90 ..., max ..." */
void hist_print(const struct hist *h, FILE *to);
/* {"count": N, "mean": X, "min": ns, "p50": ns, ..., "max": ns} */
void hist_print_json(const struct hist *h, FILE *to);

#endif
