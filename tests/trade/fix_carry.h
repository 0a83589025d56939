/* SPDX-License-Identifier: BSD-3-Clause
 * Two FIX sessions without a wire between them.
 */
#ifndef PERCH_TESTS_TRADE_FIX_CARRY_H
#define PERCH_TESTS_TRADE_FIX_CARRY_H

#include <string.h>

#include "apps/trade/fix.h"
#include "tests/suite.h"

/* Everything that one has to say reaches the other, and each event is given to take. Returns the
 * bytes. */
static inline size_t fix_carry(struct fix_session *from, struct fix_session *to, int64_t now_ns,
	void (*take)(struct fix_session *at, const struct fix_event *ev))
{
	struct fix_event ev;
	char copy[FIX_OUT_BYTES];
	const char *data;
	size_t len = fix_out(from, &data), done = 0;
	int64_t n;

	memcpy(copy, data, len);
	fix_taken(from, len);
	while (done < len) {
		n = fix_input(to, copy + done, len - done, now_ns, &ev);
		CU_ASSERT_FATAL(n > 0);
		take(to, &ev);
		done += (size_t)n;
	}
	return len;
}

#endif
