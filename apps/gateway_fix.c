/* SPDX-License-Identifier: BSD-3-Clause
 * perch-gateway's order entry by FIX 4.2 or 4.4.
 *
 * A new process begins with the MsgSeqNum at its store's ceiling, and expects the exchange's first
 * one: so the exchange asks for what it missed and hears that it is gap-filled, for an order that
 * did not arrive then is no good now; and it is asked for all of its reports again, from which the
 * desk becomes what it was. Without a store, or with a new one, both sides begin at 1.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "apps/gateway.h"
#include "apps/utc.h"

enum { NUMBER_BLOCK = 100000, KEPT_LOG2 = 14, KEPT_BYTES = 512 };

#define SECOND_NS INT64_C(1000000000)

/* ---- the way out ---------------------------------------------------------------------------- */

/* A write that waits for room is at the bytes of fix_out, which stay where they are; what others
 * add behind them meanwhile it takes, too. */
static bool flush(struct gateway *g, int64_t deadline_ns)
{
	const char *data;
	size_t n;
	bool sent = true;

	if (g->fix_flushing)
		return true;
	g->fix_flushing = true;
	while (sent && (n = fix_out(g->fix, &data)) > 0) {
		if (deadline_ns > perch_now())
			sent = perch_write(g->conn, data, n, deadline_ns) == (int64_t)n;
		else
			sent = gateway_send(g, data, n);
		if (sent)
			fix_taken(g->fix, n);
	}
	g->fix_flushing = false;
	return sent;
}

/* No number may be used that the store would not know after kill -9. */
static bool has_number(const struct gateway *g)
{
	uint64_t in, out;

	fix_numbers(g->fix, &in, &out);
	return !g->store || out < seqstore_fix_ceiling(g->store);
}

static bool enter(struct gateway *g, const struct desk_intent *i)
{
	uint64_t ref;

	if (!fix_is_ready(g->fix) || !has_number(g))
		g->desk.ref_ceiling = 0; /* counted as that */
	return desk_admit(&g->desk, i, perch_now(), &ref) == DESK_ok &&
	       fix_order_enter(&g->fix_orders, i, ref, perch_now()) && flush(g, 0);
}

static bool rehearse(struct gateway *g, const struct desk_intent *i)
{
	char out[FIX_PREPARED_MAX];
	uint64_t ref;
	size_t len;

	if (!fix_is_ready(g->fix) || !has_number(g) || g->fix_flushing)
		return false;
	if (desk_rehearse_admit(&g->desk, i, perch_now(), &ref) != DESK_ok)
		return false;
	len = fix_order_rehearse(&g->fix_orders, i, ref, perch_now(), out);
	return len > 0 && perch_warm(g->conn, out, len) == 0;
}

/* What was sent before the kill switch must not be sent again after it. */
static bool cancel_at_once(struct gateway *g)
{
	fix_forget(g->fix);
	return fix_order_cancel_all(&g->fix_orders, perch_now()) && flush(g, 0);
}

static void cancel_each(struct gateway *g)
{
	const struct desk_order *o;
	uint32_t cursor = 0;

	fix_forget(g->fix);
	while ((o = desk_next_open(&g->desk, &cursor)))
		if (!fix_order_cancel(&g->fix_orders, o, perch_now()) || !flush(g, 0))
			return;
}

static void keep(struct gateway *g)
{
	struct seqstore_numbers *n = &g->numbers;
	uint64_t out;

	fix_numbers(g->fix, &n->fix_next_in, &out);
	if (out + NUMBER_BLOCK / 2 >= n->fix_ceiling)
		n->fix_ceiling = out + NUMBER_BLOCK;
}

/* ---- the way in ----------------------------------------------------------------------------- */

static void logged_on(struct gateway *g)
{
	g->logins++;
	g->desk.session_open = true;
	printf("perch-gateway: logged on by FIX\n");
	fflush(stdout);
}

static void logged_out(struct gateway *g, const struct fix_message *m)
{
	const char *why;
	int n = m->body ? fix_get(m, 58, &why) : -ENOENT;

	if (g->desk.session_open)
		return;
	g->refused++;
	snprintf(g->refusal, sizeof(g->refusal), "the exchange refuses the session: %.*s",
		n > 0 ? n : 10, n > 0 ? why : "no reason");
}

static void take_report(struct gateway *g, const struct fix_event *ev)
{
	struct ouch m;
	int rc = fix_order_report(ev, &m);

	g->reports++;
	g->replayed += ev->duplicate;
	g->malformed += rc == -EBADMSG;
	if (rc == 0)
		desk_report(&g->desk, &m);
}

/* Returns false when the session is over. */
static bool take_event(struct gateway *g, const struct fix_event *ev)
{
	switch (ev->kind) {
	case FIX_LOGGED_ON: logged_on(g); break;
	case FIX_APPLICATION: take_report(g, ev); break;
	case FIX_REJECTED: g->malformed++; break;
	case FIX_LOGGED_OUT: logged_out(g, &ev->message); return false;
	case FIX_NOTHING: break;
	}
	return true;
}

/* All whole messages. Returns false when the session is over. */
static bool take_messages(struct gateway *g)
{
	struct fix_event ev;
	size_t done = 0;
	bool on = true;
	int64_t n = 1;

	while (on && n > 0 && done < g->fix_in_len) {
		n = fix_input(g->fix, g->fix_in + done, g->fix_in_len - done, perch_now(), &ev);
		done += (size_t)n;
		on = n == 0 || take_event(g, &ev);
	}
	g->fix_in_len -= done;
	memmove(g->fix_in, g->fix_in + done, g->fix_in_len);
	return on;
}

/* Returns false when the connection, or the session, is over. */
static bool read_once(struct gateway *g)
{
	int64_t n = perch_read(g->conn, g->fix_in + g->fix_in_len,
		sizeof(g->fix_in) - g->fix_in_len, fix_due(g->fix));

	if (n == -ETIMEDOUT)
		return fix_tick(g->fix, perch_now()) == 0;
	if (n == -ECANCELED)
		fix_log_out(g->fix, "stopped", perch_now());
	if (n <= 0)
		return false;
	g->fix_in_len += (size_t)n;
	return take_messages(g);
}

static bool one_session(struct gateway *g)
{
	bool on;

	while (!has_number(g))
		if (perch_sleep(perch_now() + SECOND_NS / 1000) < 0)
			return false;
	g->fix_in_len = 0;
	fix_set_utc_offset(g->fix, utc_offset_ns());
	fix_connected(g->fix, perch_now());
	do {
		on = flush(g, perch_now() + 5 * SECOND_NS) && read_once(g);
		gateway_keep(g);
	} while (on);
	flush(g, perch_now() + SECOND_NS);
	fix_disconnected(g->fix);
	return !g->refusal[0];
}

const struct gateway_link gateway_fix = {
	one_session, enter, cancel_at_once, cancel_each, rehearse, keep};

/* ---- open and close ------------------------------------------------------------------------- */

int gateway_fix_open(struct gateway *g, const char *version, const char *target)
{
	const struct fix_config cfg = {.version = version,
		.sender = g->login.username,
		.target = target,
		.reset = g->numbers.fix_ceiling == 0,
		.next_in = 1,
		.next_out = g->numbers.fix_ceiling,
		.log2_kept = KEPT_LOG2,
		.kept_bytes = KEPT_BYTES,
		.username = g->login.username,
		.password = g->login.password};
	int rc = fix_open(&g->fix, &cfg);

	if (rc == 0)
		rc = fix_order_open(&g->fix_orders, version, g->fix, &g->desk);
	return rc;
}

void gateway_fix_close(struct gateway *g)
{
	fix_order_close(&g->fix_orders);
	fix_close(g->fix);
}
