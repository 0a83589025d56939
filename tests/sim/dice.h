/* SPDX-License-Identifier: BSD-3-Clause
 * Chance that a seed repeats (SplitMix64, Steele et al. 2014).
 */
#ifndef PERCH_TESTS_SIM_DICE_H
#define PERCH_TESTS_SIM_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
	uint64_t state;
};

static inline uint64_t dice_roll(struct dice *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* from .. to, both included. */
static inline int64_t dice_between(struct dice *d, int64_t from, int64_t to)
{
	return from + (int64_t)(dice_roll(d) % (uint64_t)(to - from + 1));
}

static inline bool dice_permille(struct dice *d, unsigned permille)
{
	return dice_roll(d) % 1000 < permille;
}

#endif
