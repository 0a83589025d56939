/* SPDX-License-Identifier: BSD-3-Clause
 * perch-exchange's FIX acceptor: a session for every account, whose numbers and reports last as
 * long as the process, and the one connection that it has at a time. An account's SenderCompID is
 * its name.
 */
#ifndef PERCH_APPS_EXCHANGE_FIX_H
#define PERCH_APPS_EXCHANGE_FIX_H

#include <perch.h>

#include "apps/trade/market.h"

struct exchange_fix_config {
	struct perch *engine;
	struct market *market;
	enum ouch_version market_version;
	const char *version; /* "FIX.4.2" or "FIX.4.4" */
	const char *id;	     /* our CompID */
	bool cancel_on_disconnect;
	int64_t (*today_ns)(void); /* the market's time */
	void (*moved)(void);	   /* the market has news */
};

/* An account of the market by that index. Returns 0, -EINVAL, -ENOSPC or -ENOMEM. Control, before
 * the engine runs; configure first. */
void exchange_fix_configure(const struct exchange_fix_config *cfg);
int exchange_fix_account(int account, const char *name, const char *password);
void exchange_fix_close(void);

/* The handler of a connection. */
void exchange_fix_serve(struct perch_conn *c, void *arg);
/* Reports may wait. Coroutine. */
void exchange_fix_wake(void);
/* All connections are lost. Coroutine. */
void exchange_fix_hang_up(void);
/* One line, if there was a session. */
void exchange_fix_summary(void);

#endif
