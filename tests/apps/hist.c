/* SPDX-License-Identifier: BSD-3-Clause
 * The histogram: every value falls into a slot whose top is at most 0.8 % above it, slots follow
 * each other without a gap, and quantiles are those of the sorted values.
 */
#include <stdlib.h>

#include "apps/hist.h"
#include "tests/suite.h"

static void slots_are_tight(void)
{
	uint64_t v, top;

	for (v = 0; v < UINT64_C(1) << HIST_LAST; v += 1 + v / 1000) {
		top = hist_slot_top(hist_slot(v));
		CU_ASSERT_TRUE(top >= v && (double)(top - v) <= (double)v / 128);
	}
}

static void slots_follow_each_other(void)
{
	unsigned i;

	for (i = 0; i + 1 < HIST_SLOTS; i++) {
		CU_ASSERT_EQUAL(hist_slot(hist_slot_top(i)), i);
		CU_ASSERT_EQUAL(hist_slot(hist_slot_top(i) + 1), i + 1);
	}
}

static void extremes_are_kept(void)
{
	struct hist *h = calloc(1, sizeof(*h));

	CU_ASSERT_EQUAL(hist_quantile(h, 0.5), 0);
	hist_record(h, -5);
	CU_ASSERT_EQUAL(hist_quantile(h, 1.0), 0);
	hist_record(h, INT64_MAX);
	CU_ASSERT_EQUAL(h->max, INT64_MAX);
	CU_ASSERT_EQUAL(hist_quantile(h, 1.0), INT64_MAX);
	CU_ASSERT_EQUAL(hist_quantile(h, 0.5), 0);
	free(h);
}

static void quantiles_are_of_the_sorted(void)
{
	struct hist *h = calloc(1, sizeof(*h));
	int64_t v;

	for (v = 10000; v >= 1; v--)
		hist_record(h, v * 1000);
	CU_ASSERT_EQUAL(h->count, 10000);
	CU_ASSERT_DOUBLE_EQUAL(hist_mean(h), 5000500.0, 0.1);
	CU_ASSERT_DOUBLE_EQUAL((double)hist_quantile(h, 0.5), 5e6, 5e6 / 128);
	CU_ASSERT_DOUBLE_EQUAL((double)hist_quantile(h, 0.99), 99e5, 99e5 / 128);
	CU_ASSERT_TRUE(hist_quantile(h, 0.0) >= 1000 && hist_quantile(h, 0.0) <= 1008);
	CU_ASSERT_EQUAL(hist_quantile(h, 1.0), 10000000);
	free(h);
}

static void sums_and_differences(void)
{
	struct hist *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));

	hist_record(a, 100);
	hist_add(b, a);
	hist_record(b, 5000);
	CU_ASSERT_EQUAL(b->count, 2);
	CU_ASSERT_EQUAL(b->max, 5000);
	hist_subtract(b, a);
	CU_ASSERT_EQUAL(b->count, 1);
	CU_ASSERT_EQUAL(b->sum, 5000);
	CU_ASSERT_EQUAL(hist_quantile(b, 0.0), 5000);
	free(a);
	free(b);
}

int main(int argc, char **argv)
{
	const struct suite_case cases[] = {
		{"slots_are_tight", slots_are_tight},
		{"slots_follow_each_other", slots_follow_each_other},
		{"extremes_are_kept", extremes_are_kept},
		{"quantiles_are_of_the_sorted", quantiles_are_of_the_sorted},
		{"sums_and_differences", sums_and_differences},
		{NULL, NULL},
	};

	return suite_main("hist", cases, argc, argv);
}
