/* SPDX-License-Identifier: BSD-3-Clause
 * An account of the exchange whose orders come by FIX 4.2 or 4.4: orders, replaces, cancels and
 * mass cancels go to the market as OUCH, its reports go out as execution reports. No I/O: bytes
 * are in the session's fix_out. The same messages at the same times give the same answers.
 */
#ifndef PERCH_APPS_TRADE_FIX_VENUE_H
#define PERCH_APPS_TRADE_FIX_VENUE_H

#include "apps/trade/fix.h"
#include "apps/trade/market.h"

struct fix_venue;

/* version and market_version as their owners were opened with. Returns 0 or -ENOMEM. Market and
 * session must outlive it. */
int fix_venue_open(struct fix_venue **out, struct market *m, enum ouch_version market_version,
	int account, struct fix_session *s, const char *version);
void fix_venue_close(struct fix_venue *v);

/* An application message of the account. today_ns is the market's time, now_ns the session's. What
 * is refused without asking the market is answered at once; the rest by fix_venue_report. */
void fix_venue_input(
	struct fix_venue *v, const struct fix_event *ev, int64_t today_ns, int64_t now_ns);

/* The market's reports that wait, while the session takes them (fix_is_ready). */
void fix_venue_report(struct fix_venue *v, int64_t now_ns);

#endif
