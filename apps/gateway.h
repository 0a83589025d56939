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

enum { GATEWAY_LINES = 2, GATEWAY_FIX_BYTES = 4 * FIX_MESSAGE_MAX };

/* How far a tick is on its way, in the engine and in the gateway. */
enum gateway_stage {
	GATEWAY_RX,     /* receive burst */
	GATEWAY_INPUT,  /* protocols, up to the socket */
	GATEWAY_WOKEN,  /* timers; the coroutine is ready */
	GATEWAY_RECV,   /* it runs */
	GATEWAY_FEED,   /* arbitration: it is the first copy */
	GATEWAY_BOOK,   /* the book has moved */
	GATEWAY_DECIDE, /* strategy */
	GATEWAY_QUEUED, /* limits, prepared bytes, TCP's send queue */
	GATEWAY_OUTPUT, /* segment and headers */
	GATEWAY_TX,     /* transmit burst */
	GATEWAY_STAGES,
};

struct gateway_stamps {
	int64_t at[GATEWAY_STAGES];         /* of the tick that is on its way */
	struct hist took[GATEWAY_STAGES];   /* ns from the stage before */
};

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
	/* The whole of enter but for its end: nothing leaves and nothing changes. */
	bool (*rehearse)(struct gateway *g, const struct desk_intent *i);
	/* What it must know again, to g->numbers. */
	void (*keep)(struct gateway *g);
};
extern const struct gateway_link gateway_ouch, gateway_fix;

struct gateway_rehearsals { /* gateway_warm.c */
	_Atomic int64_t every_ns; /* 0: none */
	uint64_t whole;		  /* that came as far as the port */
	uint64_t cut_short;	  /* by a limit, the kill switch, or something that is under way */
	struct gateway *stage;	  /* a gateway with a feed and books of its own */
	struct gateway *of;	  /* on the stage: whose desk and connection they are about */
	uint64_t next;		  /* number of the next message of that feed */
};

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
	struct perch_udp *udp[GATEWAY_LINES], *ask; /* ask: for re-requests and their answers */
	struct feed *feed;
	struct perch_ref timer, snapper;
	int64_t armed_ns; /* when the timer will wake */
	unsigned feed_sessions;
	bool snapshot_wanted;
	struct books *books;		/* one for each of the desk's symbols, in their order */
	struct tick last[DESK_SYMBOLS]; /* of each */
	uint64_t ticks;
	int64_t order_ns;   /* when the tick of the last order came */
	struct gateway_rehearsals rehearsals;
	struct hist send;   /* ns from a packet's receive burst to its order's transmit burst */
	struct gateway_stamps *stamps; /* NULL: nobody measures that */
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

/* gateway_feed.c: one coroutine for each line, one for its timer, one for answers to re-requests,
 * one for snapshots. The symbols are those of the desk, in their order. A line that cannot be
 * listened to is the end of the app: see refusal. */
int gateway_feed_open(struct gateway *g, const char *const *symbols);
void gateway_feed(void *arg);
void gateway_feed_close(struct gateway *g);
/* A packet of that line, and all that follows from it. It never parks. */
void gateway_feed_input(struct gateway *g, unsigned line, const struct perch_datagram *d);

/* gateway_warm.c: after the feed is open, and before it is closed. Returns 0 or a negative
 * errno. */
int gateway_warm_open(struct gateway *g, const char *const *symbols);
void gateway_warm_close(struct gateway *g);
/* Rehearse an order whenever none has left for every_ns. Coroutine. */
void gateway_warm(void *arg);

#endif
