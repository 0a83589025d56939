/* SPDX-License-Identifier: BSD-3-Clause
 * A FIX session's inside, for its parts: fix_session.c and fix_prepared.c.
 */
#ifndef PERCH_APPS_TRADE_FIX_INSIDE_H
#define PERCH_APPS_TRADE_FIX_INSIDE_H

#include "apps/feed/archive.h"
#include "apps/trade/fix.h"

enum { SOH = 1 };

enum fix_state { FIX_S_IDLE, FIX_S_LOGGING_ON, FIX_S_ON, FIX_S_LOGGING_OUT, FIX_S_OVER };

struct fix_session {
	struct fix_config cfg;
	char version[8], sender[FIX_ID], target[FIX_ID];
	enum fix_state state;
	uint64_t next_in, next_out;
	uint64_t asked_to; /* a ResendRequest is out for what is below; 0: none */
	int64_t asked_ns;  /* when */
	int64_t heard_ns, sent_ns, beat_ns;
	bool tested;	      /* a TestRequest is out */
	struct archive *kept; /* sent application messages, from tag 35 to before tag 10 */
	uint64_t kept_ahead;  /* a message's number in the store less its MsgSeqNum */
	uint64_t kept_from;   /* nothing below it is sent again */
	uint64_t resend_at, resend_end; /* what the peer asked for and did not get yet */
	int64_t now_ns;			/* of the last call that said it */
	char username[FIX_ID], password[FIX_ID];
	size_t out_len;
	struct fix_counters counters;
	char out[FIX_OUT_BYTES];
};

/* What goes before a body, from tag 35 on. 52 comes last, or 122 behind it. */
void fix_put_head(const struct fix_session *s, struct fix_body *h, const char *type,
	uint64_t number, const char *first_sent, int64_t now_ns);

/* The message that took the number next_out. Something is kept under every number, so that the
 * store's numbers run with MsgSeqNum; len 0, and what is too long, leave nothing: a gap to fill. */
void fix_keep(struct fix_session *s, const char *fields, size_t len);

/* Of these bytes, modulo 256. */
uint8_t fix_sum(const char *text, size_t len);

/* "YYYYMMDD-HH:MM:SS.mmm" at out[FIX_TIME + 1]. */
enum { FIX_TIME = 21 };
void fix_time_text(char *out, int64_t utc_ns);

#endif
