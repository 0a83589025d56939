/* SPDX-License-Identifier: BSD-3-Clause
 * Where the engine's clock starts.
 */
#include "engine/clock.h"

#include <time.h>

void perch_clock_start(struct perch_clock *c)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	c->tsc_start = rte_rdtsc();
	c->ns_start = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
	c->ns_per_tick_q32 = (uint64_t)(((perch_u128)1000000000 << 32) / rte_get_tsc_hz());
}
