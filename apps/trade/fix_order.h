/* SPDX-License-Identifier: BSD-3-Clause
 * Orders by FIX 4.2 and 4.4, as a client sees them: NewOrderSingle prepared per symbol and patched,
 * cancels, and execution reports as the desk understands them. No I/O: bytes are in the session's
 * fix_out.
 *
 * A ClOrdID is the desk's reference in 14 digits; that of a cancel is C and 13 digits.
 */
#ifndef PERCH_APPS_TRADE_FIX_ORDER_H
#define PERCH_APPS_TRADE_FIX_ORDER_H

#include "apps/trade/desk.h"
#include "apps/trade/fix.h"

struct fix_order_desk {
	struct fix_session *session;
	const struct desk *desk;
	bool has_mass_cancel;				       /* 4.4 */
	struct fix_prepared *orders;			       /* by symbol */
	uint16_t at_ref, at_side, at_shares, at_price, at_tif; /* from tag 35 on, of all of them */
	uint64_t mass_cancels;				       /* so far */
};

/* For the symbols that the desk has now. version as in fix_config. Returns 0, -EMSGSIZE or -ENOMEM.
 * Both must outlive it. */
int fix_order_open(struct fix_order_desk *f, const char *version, struct fix_session *session,
	const struct desk *desk);
void fix_order_close(struct fix_order_desk *f);

/* These return false when the session cannot take it now (fix_is_ready). */
bool fix_order_enter(
	struct fix_order_desk *f, const struct desk_intent *i, uint64_t ref, int64_t now_ns);
/* What an order would be as it leaves, to out[FIX_PREPARED_MAX], and nothing changes. Returns its
 * length; 0: not ready. */
size_t fix_order_rehearse(struct fix_order_desk *f, const struct desk_intent *i, uint64_t ref,
	int64_t now_ns, char *out);
bool fix_order_cancel(struct fix_order_desk *f, const struct desk_order *o, int64_t now_ns);
/* All orders of this session in one message: 4.4 only. */
bool fix_order_cancel_all(struct fix_order_desk *f, int64_t now_ns);

/* What an application message of the venue means for the desk, as the OUCH 5.0 message that would
 * say the same. Returns 0, -ENOMSG: nothing that the desk keeps; or -EBADMSG. */
int fix_order_report(const struct fix_event *ev, struct ouch *out);

#endif
