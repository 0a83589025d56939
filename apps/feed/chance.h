/* SPDX-License-Identifier: BSD-3-Clause
 * Chance that a seed repeats (SplitMix64, Steele et al. 2014).
 */
#ifndef PERCH_APPS_FEED_CHANCE_H
#define PERCH_APPS_FEED_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

struct chance {
	uint64_t state;
};

static inline uint64_t chance_roll(struct chance *c)
{
	uint64_t z = c->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* 0 .. n - 1; n is small beside 2^32. */
static inline uint32_t chance_below(struct chance *c, uint32_t n)
{
	return (uint32_t)((chance_roll(c) >> 32) * n >> 32);
}

static inline bool chance_ppm(struct chance *c, uint32_t ppm)
{
	return chance_below(c, 1000000) < ppm;
}

#endif
