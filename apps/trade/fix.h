/* SPDX-License-Identifier: BSD-3-Clause
 * FIX 4.2 and 4.4 tag=value messages and the session level under them: logon, heartbeats, test
 * requests, resend and gap fill, logout. A pure state machine: received bytes and the time go in;
 * one event at a time comes out, and bytes to send, which the caller takes from fix_out.
 *
 * Times are absolute nanoseconds of any clock; utc_ns says what to add for SendingTime (52). Sent
 * application messages are kept, so many of them, to be sent again when the peer asks; what is not
 * there any more is gap-filled. One thread. All memory is taken at open.
 */
#ifndef PERCH_APPS_TRADE_FIX_H
#define PERCH_APPS_TRADE_FIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FIX_MESSAGE_MAX = 4096, FIX_OUT_BYTES = 262144, FIX_ID = 32 };

/* ---- messages ------------------------------------------------------------------------------- */

struct fix_message {		  /* points into the bytes that were parsed */
	const char *begin_string; /* value of tag 8, up to its SOH */
	const char *body;	  /* from tag 35 on */
	size_t body_len;	  /* up to and with the SOH before tag 10 */
};

/* The first message in data. Returns the bytes it takes; 0: more must come first; -EBADMSG: a
 * garbled one, *skip bytes of which are to be left out (FIX: ignored, as if it had never come). */
int64_t fix_parse(const char *data, size_t len, struct fix_message *m, size_t *skip);

/* The value of the first field of that tag. Returns its length or -ENOENT. */
int fix_get(const struct fix_message *m, unsigned tag, const char **value);
/* The same as a number; -ENOENT or -EBADMSG. */
int fix_get_number(const struct fix_message *m, unsigned tag, uint64_t *out);
/* Is the value of tag this text? */
bool fix_is(const struct fix_message *m, unsigned tag, const char *text);

/* A price "63.02" as 4 implied decimals. Returns 0, -ENOENT or -EBADMSG (finer than that too). */
int fix_get_price(const struct fix_message *m, unsigned tag, uint64_t *out);

/* Fields to send: text grows in place, a field at a time. */
struct fix_body {
	size_t len;
	bool full; /* something did not fit: the message must not be sent */
	char text[FIX_MESSAGE_MAX];
};
void fix_put(struct fix_body *b, unsigned tag, const char *value);
void fix_put_number(struct fix_body *b, unsigned tag, uint64_t value);
void fix_put_price(struct fix_body *b, unsigned tag, uint64_t price);
/* UTCTimestamp with milliseconds. */
void fix_put_time(struct fix_body *b, unsigned tag, int64_t utc_ns);

/* ---- a session ------------------------------------------------------------------------------ */

struct fix_config {
	const char *version;	     /* "FIX.4.2" or "FIX.4.4" */
	const char *sender, *target; /* CompIDs, 49 and 56 */
	bool accepts;		     /* the peer logs on first */
	bool reset;		     /* 141=Y: both sides begin at 1 */
	unsigned heartbeat_s;	     /* 108; default 30 */
	uint64_t next_in, next_out;  /* to go on from; 0: 1 */
	int64_t utc_offset_ns;	     /* UTC of the epoch less the caller's clock */
	unsigned log2_kept;	     /* sent messages that are kept, 2^this; default 10 */
};

enum fix_event_kind {
	FIX_NOTHING, /* dealt with at the session level */
	FIX_LOGGED_ON,
	FIX_APPLICATION, /* `message`, in sequence, of type `type` */
	FIX_REJECTED,	 /* the peer did not like a message of ours: session Reject (3) */
	FIX_LOGGED_OUT,	 /* the session is over; so may be the connection */
};

struct fix_event {
	enum fix_event_kind kind;
	struct fix_message message;
	char type[4];
	uint64_t sequence;
	bool duplicate; /* PossDupFlag */
};

struct fix_counters {
	uint64_t in, out, garbled, gaps, resent, gap_filled, duplicates, test_requests, refused;
};

struct fix_session;

/* Returns 0, -EINVAL (a version or an id that is none) or -ENOMEM. */
int fix_open(struct fix_session **out, const struct fix_config *cfg);
void fix_close(struct fix_session *s);

/* The connection stands. An initiator's Logon is put out. */
void fix_connected(struct fix_session *s, int64_t now_ns);
/* One message of what was received. Returns the bytes done with, 0: more must come first. */
int64_t fix_input(
	struct fix_session *s, const char *data, size_t len, int64_t now_ns, struct fix_event *ev);

/* When fix_tick has something to do. */
int64_t fix_due(const struct fix_session *s);
/* Heartbeats, test requests. Returns 0, or -ETIMEDOUT: the peer is dead, the session over. */
int fix_tick(struct fix_session *s, int64_t now_ns);

/* Send an application message. Returns its number, or 0: not logged on, too long, or fix_out is
 * full because the caller does not take it. */
uint64_t fix_send(
	struct fix_session *s, const char *type, const struct fix_body *body, int64_t now_ns);
/* Ask for the end; FIX_LOGGED_OUT follows. */
void fix_log_out(struct fix_session *s, const char *text, int64_t now_ns);

/* Bytes to send: *data and their number. They are the caller's to send now; then fix_taken. */
size_t fix_out(const struct fix_session *s, const char **data);
void fix_taken(struct fix_session *s, size_t len);

bool fix_is_on(const struct fix_session *s);
void fix_numbers(const struct fix_session *s, uint64_t *next_in, uint64_t *next_out);
const struct fix_counters *fix_counters(const struct fix_session *s);

#endif
