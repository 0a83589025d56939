/* SPDX-License-Identifier: BSD-3-Clause
 * perch-gateway's inside: what its three parts share. The feed's coroutines turn packets into ticks
 * and ticks into orders; the session's keep the connection to the exchange; control watches over
 * both. All of it lives on one lcore, so a tick becomes an order in the turn in which it came.
 */
#ifndef PERCH_APPS_GATEWAY_H
#define PERCH_APPS_GATEWAY_H

#include <stdatomic.h>

#include <perch.h>

#include "apps/feed/book.h"
#include "apps/feed/feed.h"
#include "apps/hist.h"
#include "apps/trade/desk.h"
#include "apps/trade/fix_order.h"
#include "apps/trade/seqstore.h"
#include "apps/trade/session.h"
#include "apps/trade/strategy.h"

enum { GATEWAY_LINES = 2, GATEWAY_FIX_BYTES = 4 * FIX_MESSAGE_MAX, GATEWAY_STAMPS = 4096 };

struct gateway;

/* How orders leave and reports come back. */
struct gateway_link {
	/* Over g->conn, until it is over. Returns whether there is a point in trying again. */
	bool (*session)(struct gateway *g);
	/* An order through the desk's limits to the connection, in this turn or not at all. */
	bool (*enter)(struct gateway *g, const struct desk_intent *i);
	/* Ask for the end of all open orders: in one message, if the protocol has one; one by one.
	 */
	bool (*cancel_at_once)(struct gateway *g);
	void (*cancel_each)(struct gateway *g);
	/* What it must know again, to g->numbers. */
	void (*keep)(struct gateway *g);
};
extern const struct gateway_link gateway_ouch, gateway_fix;

struct gateway {
	struct perch *engine;
	struct desk desk;
	const struct strategy *strategy;
	_Atomic bool killed;   /* set by a signal; looked at before every order */
	_Atomic bool stopping; /* what ends now is no loss */

	/* The session. */
	const struct gateway_link *link;
	struct perch_addr exchange;
	struct soup_login login;
	struct perch_conn *conn; /* NULL: none */
	bool broken;		 /* a message left in part: conn only ends now */
	struct soup_session soup;
	struct fix_session *fix;
	struct fix_order_desk fix_orders;
	char fix_in[GATEWAY_FIX_BYTES]; /* received, from the first whole message on */
	size_t fix_in_len;
	bool fix_flushing;
	struct seqstore *store; /* NULL: nothing is kept */
	struct seqstore_numbers numbers;
	uint64_t heard_before; /* reports below this one were heard by an earlier process */
	char refused_as;       /* enum soup_reason of the last refusal, 0: none */
	char refusal[128];     /* why there is no point in going on; empty: there is */
	uint64_t logins, refused, lost, reports, replayed, malformed, sent, send_failed;

	/* The feed. */
	struct perch_addr lines[GATEWAY_LINES], rerequest, glimpse; /* port 0: there is none */
	uint64_t snapshot_over; /* holes of more units are left to a snapshot */
	unsigned n_lines;
	struct perch_udp *udp[GATEWAY_LINES];
	struct feed *feed;
	struct perch_ref timer, snapper;
	int64_t armed_ns; /* when the timer will wake */
	unsigned feed_sessions;
	bool snapshot_wanted;
	struct books *books;
	uint16_t symbol_of[DESK_SYMBOLS]; /* the desk's symbol of each book */
	struct tick last[DESK_SYMBOLS];	  /* by the desk's symbol */
	uint64_t ticks;
	struct hist decide; /* ns from the beginning of the packet's turn to the order queued */
	/* For who measures: a coroutine that is woken after an order is queued. */
	bool stamps;
	struct perch_ref stamper;
	int64_t ordered_ns[GATEWAY_STAMPS]; /* when the turns of those orders' packets began */
	unsigned n_ordered;
};

/* gateway_session.c: connect, let the link talk, and begin again. Coroutine. */
void gateway_session(void *arg);
/* Whole messages to the exchange. They never wait: the desk bounds what is under way. A failure is
 * the end of the connection. */
bool gateway_send(struct gateway *g, const void *data, size_t len);
/* The numbers have moved. */
void gateway_keep(struct gateway *g);

/* gateway_fix.c: version as in fix_config; target is the exchange's CompID. Returns 0 or a negative
 * errno. After the symbols are known to the desk. */
int gateway_fix_open(struct gateway *g, const char *version, const char *target);
void gateway_fix_close(struct gateway *g);

/* gateway_feed.c: one coroutine for each line, one for its timer, one for snapshots. */
int gateway_feed_open(struct gateway *g, const char *const *symbols);
void gateway_feed(void *arg);
void gateway_feed_close(struct gateway *g);

#endif
