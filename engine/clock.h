/* SPDX-License-Identifier: BSD-3-Clause
 * The engine's clock: the TSC scaled to nanoseconds, read once per turn. It starts at the kernel's
 * CLOCK_MONOTONIC, so that times can be compared with those of other programs for a while.
 *
 * A virtual clock is the same one at a rate of zero: it shows what it was set to.
 */
#ifndef PERCH_ENGINE_CLOCK_H
#define PERCH_ENGINE_CLOCK_H

#include <stdint.h>

#include <rte_cycles.h>

struct perch_clock {
	uint64_t tsc_start;
	int64_t ns_start;
	uint64_t ns_per_tick_q32; /* nanoseconds per TSC tick, 32.32 fixed point; 0: virtual */
};

__extension__ typedef unsigned __int128 perch_u128;

static inline int64_t perch_clock_at(const struct perch_clock *c, uint64_t tsc)
{
	perch_u128 ticks = tsc - c->tsc_start;

	return c->ns_start + (int64_t)((ticks * c->ns_per_tick_q32) >> 32);
}

static inline int64_t perch_clock_now(const struct perch_clock *c)
{
	return perch_clock_at(c, rte_rdtsc());
}

void perch_clock_start(struct perch_clock *c);

/* Make it virtual, or set a virtual one. */
static inline void perch_clock_set(struct perch_clock *c, int64_t now_ns)
{
	c->ns_start = now_ns;
	c->ns_per_tick_q32 = 0;
}

#endif
