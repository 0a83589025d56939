/* SPDX-License-Identifier: BSD-3-Clause
 * UTC from an engine's clock, for protocols that have it on the wire.
 */
#ifndef PERCH_APPS_UTC_H
#define PERCH_APPS_UTC_H

#include <time.h>

#include <perch.h>

/* What to add to perch_now() for nanoseconds since 1970. A replay's clock shows that already, the
 * captures' times being UTC; no machine's monotonic clock gets as far as 2001. Coroutine. */
static inline int64_t utc_offset_ns(void)
{
	int64_t now_ns = perch_clock();
	struct timespec ts;

	if (now_ns > INT64_C(1000000000000000000))
		return 0;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec - now_ns;
}

#endif
