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
#include "apps/trade/seqstore.h"
#include "apps/trade/session.h"
#include "apps/trade/strategy.h"

enum { GATEWAY_LINES = 2 };

struct gateway {
	struct perch *engine;
	struct desk desk;
	const struct strategy *strategy;
	_Atomic bool killed;   /* set by a signal; looked at before every order */
	_Atomic bool stopping; /* what ends now is no loss */

	/* The session. */
	struct perch_addr exchange;
	struct soup_login login;
	struct perch_conn *conn; /* NULL: none */
	struct soup_session soup;
	struct seqstore *store; /* NULL: nothing is kept */
	struct seqstore_numbers numbers;
	uint64_t heard_before; /* reports below this one were heard by an earlier process */
	char refused_as;       /* enum soup_reason of the last refusal, 0: none */
	uint64_t logins, refused, lost, reports, replayed, malformed, sent, send_failed;

	/* The feed. */
	struct perch_addr lines[GATEWAY_LINES], rerequest;
	unsigned n_lines;
	struct perch_udp *udp[GATEWAY_LINES];
	struct feed *feed;
	struct books *books;
	uint16_t symbol_of[DESK_SYMBOLS]; /* the desk's symbol of each book */
	struct tick last[DESK_SYMBOLS];	  /* by the desk's symbol */
	uint64_t ticks;
	struct hist decide; /* ns from the handler's packet to the order's bytes queued */
	struct hist venue;  /* ns from the message's own time to the order's bytes queued */
};

/* gateway_session.c: connect, log in, read reports, and begin again. Coroutine. */
void gateway_session(void *arg);
/* Bytes of the session to the exchange. They never wait: the desk bounds what is under way. */
bool gateway_send(struct gateway *g, const void *data, size_t len);
/* The numbers have moved. */
void gateway_keep(struct gateway *g);

/* gateway_feed.c: one coroutine for each line. */
int gateway_feed_open(struct gateway *g, const char *const *symbols);
void gateway_feed(void *arg);
void gateway_feed_close(struct gateway *g);

#endif
