/* SPDX-License-Identifier: BSD-3-Clause
 * Reading a histogram of durations.
 */
#include "apps/hist.h"

#include <inttypes.h>

static const struct {
	const char *name;
	double q;
} told[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}};

enum { TOLD = sizeof(told) / sizeof(told[0]) };

uint64_t hist_slot_top(unsigned slot)
{
	unsigned shift;

	if (slot < 2u << HIST_BITS)
		return slot;
	shift = (slot >> HIST_BITS) - 1;
	return (((uint64_t)slot - ((uint64_t)shift << HIST_BITS) + 1) << shift) - 1;
}

void hist_add(struct hist *to, const struct hist *from)
{
	unsigned i;

	for (i = 0; i < HIST_SLOTS; i++)
		to->slots[i] += from->slots[i];
	to->count += from->count;
	to->sum += from->sum;
	if (from->max > to->max)
		to->max = from->max;
}

void hist_subtract(struct hist *to, const struct hist *from)
{
	unsigned i;

	for (i = 0; i < HIST_SLOTS; i++)
		to->slots[i] -= from->slots[i];
	to->count -= from->count;
	to->sum -= from->sum;
}

/* Counts the slots themselves: in a copy of one that is being written, the total may lag behind. */
uint64_t hist_quantile(const struct hist *h, double q)
{
	uint64_t total = 0, wanted, seen = 0, top;
	unsigned i;

	for (i = 0; i < HIST_SLOTS; i++)
		total += h->slots[i];
	if (total == 0)
		return 0;
	wanted = (uint64_t)(q * (double)total + 0.999999);
	if (wanted < 1)
		wanted = 1;
	if (wanted > total)
		wanted = total;
	for (i = 0; i < HIST_SLOTS; i++) {
		seen += h->slots[i];
		if (seen >= wanted)
			break;
	}
	top = hist_slot_top(i);
	return top < h->max && i < HIST_SLOTS - 1 ? top : h->max;
}

double hist_mean(const struct hist *h)
{
	return h->count ? (double)h->sum / (double)h->count : 0.0;
}

void hist_print(const struct hist *h, FILE *to)
{
	unsigned i;

	for (i = 0; i < TOLD; i++)
		fprintf(to, "%s %.2f us, ", told[i].name,
			(double)hist_quantile(h, told[i].q) / 1e3);
	fprintf(to, "max %.2f us", (double)h->max / 1e3);
}

void hist_print_json(const struct hist *h, FILE *to)
{
	unsigned i;

	fprintf(to, "{\"count\": %" PRIu64 ", \"mean\": %.1f, \"min\": %" PRIu64, h->count,
		hist_mean(h), hist_quantile(h, 0.0));
	for (i = 0; i < TOLD; i++)
		fprintf(to, ", \"%s\": %" PRIu64, told[i].name, hist_quantile(h, told[i].q));
	fprintf(to, ", \"max\": %" PRIu64 "}", h->max);
}
