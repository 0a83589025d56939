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

enum { FIX_MESSAGE_MAX = 4096, FIX_OUT_BYTES = 262144, FIX_ID = 32, FIX_PREPARED_MAX = 512 };

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
	bool reset;		     /* 141=Y in the first Logon: both sides begin at 1 */
	unsigned heartbeat_s;	     /* 108; default 30 */
	uint64_t next_in, next_out;  /* to go on from; 0: 1 */
	int64_t utc_offset_ns;	     /* UTC of the epoch less the caller's clock */
	unsigned log2_kept;	     /* sent messages that are kept, 2^this; default 10 */
	size_t kept_bytes;	     /* longer ones are not; default, and most, FIX_MESSAGE_MAX */
	/* In the Logon: of an initiator, to send; of an acceptor, to ask for. NULL: none. 4.4 has
	 * them as Username (553) and Password (554), 4.2 the password as RawData (96). */
	const char *username, *password;
};

enum fix_event_kind {
	FIX_NOTHING, /* dealt with at the session level */
	FIX_LOGGED_ON,
	FIX_APPLICATION, /* `message`, in sequence, of type `type` */
	FIX_REJECTED,	 /* the peer did not like a message of ours: session Reject (3) */
	FIX_LOGGED_OUT,	 /* the session is over, and so may be the connection; `message` may say why
			    (58), if it has a body: it is the peer's Logout, or what was refused */
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
/* It is gone: nothing is due and nothing can be sent until there is another. */
void fix_disconnected(struct fix_session *s);
/* Another utc_offset_ns than the configured one. */
void fix_set_utc_offset(struct fix_session *s, int64_t ns);
/* One message of what was received. Returns the bytes done with, 0: more must come first. */
int64_t fix_input(
	struct fix_session *s, const char *data, size_t len, int64_t now_ns, struct fix_event *ev);

/* When fix_tick has something to do. */
int64_t fix_due(const struct fix_session *s);
/* Heartbeats, test requests. Returns 0, or -ETIMEDOUT: the peer is dead, the session over. */
int fix_tick(struct fix_session *s, int64_t now_ns);

/* Logged on, with room in fix_out for one more message, and done with sending again what the peer
 * asked for: what is sent meanwhile would come to it out of turn. */
bool fix_is_ready(const struct fix_session *s);
/* Send an application message. Returns its number, or 0: not ready, or too long. */
uint64_t fix_send(
	struct fix_session *s, const char *type, const struct fix_body *body, int64_t now_ns);
/* What was sent so far is not sent again, whoever asks: it is gap-filled. */
void fix_forget(struct fix_session *s);

/* A message that is written once and sent often: before each sending some of its fields are
 * patched in place, as digits with leading zeros (which int and Price may have), and the check sum
 * follows. The session patches 34, 52 and, if there is one, 60. */
struct fix_prepared {
	uint16_t len, fields_at; /* bytes in all; where tag 35 is */
	uint16_t at_number, at_sent, at_happened;
	uint8_t sum; /* of all before tag 10 */
	int64_t sec; /* that the times in it are of */
	char type[4];
	char text[FIX_PREPARED_MAX];
};

/* Returns 0 or -EMSGSIZE. Of a type that is not of the session level; s must be open, not more. */
int fix_prepare(const struct fix_session *s, const char *type, const struct fix_body *body,
	struct fix_prepared *p);
/* Where the value of a field lies, and its width. Returns -ENOENT: there is none. */
int fix_prepared_at(const struct fix_prepared *p, unsigned tag, unsigned *width);
/* Another value of the same width there. Digits beyond the width are lost. */
void fix_patch_number(struct fix_prepared *p, unsigned at, unsigned width, uint64_t value);
void fix_patch_letter(struct fix_prepared *p, unsigned at, char value);
/* A price of that width, four places behind the point: 630200 is "...63.0200". */
void fix_patch_price(struct fix_prepared *p, unsigned at, unsigned width, uint64_t price);
/* Send it as it is now. Returns its number, or 0: not ready. */
uint64_t fix_send_prepared(struct fix_session *s, struct fix_prepared *p, int64_t now_ns);
/* What that would send now, to at[FIX_PREPARED_MAX]; nothing of s changes, and p may be sent later.
 * Returns its length, or 0: not ready. */
size_t fix_write_prepared(
	const struct fix_session *s, struct fix_prepared *p, int64_t now_ns, char *at);
/* Ask for the end; FIX_LOGGED_OUT follows. */
void fix_log_out(struct fix_session *s, const char *text, int64_t now_ns);

/* Bytes to send: *data and their number. They are the caller's to send now; then fix_taken. */
size_t fix_out(const struct fix_session *s, const char **data);
void fix_taken(struct fix_session *s, size_t len);

bool fix_is_on(const struct fix_session *s);
int64_t fix_utc_offset(const struct fix_session *s); /* ns */
void fix_numbers(const struct fix_session *s, uint64_t *next_in, uint64_t *next_out);
const struct fix_counters *fix_counters(const struct fix_session *s);

#endif
