/* SPDX-License-Identifier: BSD-3-Clause
 * One SoupBinTCP session, either end of it, as a pure state machine: received bytes and the time go
 * in, one event at a time comes out, and it says when a heartbeat is due or the peer is dead.
 *
 *	client: connect, soup_login_bytes, then for all received bytes soup_session_next
 *	server: soup_session_next until SOUP_LOGIN_ASKED, soup_accept_bytes or soup_reject_bytes,
 *then on
 *
 * Whoever sends bytes of the session calls soup_session_sent, so that heartbeats fill only silence.
 * Times are absolute nanoseconds of any clock. One thread.
 */
#ifndef PERCH_APPS_TRADE_SESSION_H
#define PERCH_APPS_TRADE_SESSION_H

#include <stdint.h>

#include "apps/feed/soup.h"

enum soup_role { SOUP_IS_CLIENT, SOUP_IS_SERVER };
enum soup_state { SOUP_STRANGER, SOUP_ASKED, SOUP_OPEN, SOUP_OVER };

struct soup_session {
	enum soup_role role;
	enum soup_state state;
	char id[11];		/* the session's name, once it is open */
	uint64_t next_sequence; /* of the sequenced message that comes (client) or goes (server)
				   next */
	int64_t heard_ns, sent_ns;
	int64_t beat_ns, dead_ns; /* silence after which to send a heartbeat, to give the peer up */
	uint64_t beats_in, beats_out, debugs, skipped; /* packets */
};

enum soup_event_kind {
	SOUP_NOTHING,	  /* a heartbeat, a debug text, an unknown type: dealt with and counted */
	SOUP_LOGIN_ASKED, /* server: `login` says who asks for what */
	SOUP_LOGGED_IN,	  /* client: s->id and s->next_sequence are set */
	SOUP_REFUSED,	  /* client: `reason`; the session is over */
	SOUP_MESSAGE,	  /* sequenced (client: number `sequence`) or unsequenced (server) data */
	SOUP_FINISHED,	  /* client: end of session; server: the client has logged out */
};

struct soup_event {
	enum soup_event_kind kind;
	const uint8_t *data; /* of a message, inside the bytes that were given */
	size_t len;
	uint64_t sequence;
	char reason; /* enum soup_reason */
	struct soup_login login;
};

void soup_session_begin(struct soup_session *s, enum soup_role role, int64_t now_ns);

/* Look at the first packet in data. Returns the bytes that it takes, with *ev filled in; 0: more
 * must come first, ev->len bytes in all; -EBADMSG: what cannot be framed; -EPROTO: a packet that
 * this peer must not send now. After an error the session is over. */
int64_t soup_session_next(struct soup_session *s, const void *data, size_t len, int64_t now_ns,
	struct soup_event *ev);

/* Client: the login request, to out[SOUP_LOGIN_MAX]. Server: the answers, to
 * out[SOUP_ACCEPTED_BYTES]; next_sequence is what the client gets first. They return their length
 * and count as sent. */
size_t soup_login_bytes(
	struct soup_session *s, const struct soup_login *l, int64_t now_ns, void *out);
size_t soup_accept_bytes(
	struct soup_session *s, const char *id, uint64_t next_sequence, int64_t now_ns, void *out);
size_t soup_reject_bytes(struct soup_session *s, enum soup_reason why, int64_t now_ns, void *out);

/* When soup_session_tick next has something to say. */
int64_t soup_session_due(const struct soup_session *s);

enum soup_duty { SOUP_REST, SOUP_SEND_BEAT, SOUP_PEER_DEAD };
/* What silence asks for. A heartbeat counts as sent: the caller sends soup_beat_bytes. */
enum soup_duty soup_session_tick(struct soup_session *s, int64_t now_ns);
/* A heartbeat of this side, to out[SOUP_HEAD]. Returns its length. */
size_t soup_beat_bytes(const struct soup_session *s, void *out);

static inline void soup_session_sent(struct soup_session *s, int64_t now_ns)
{
	s->sent_ns = now_ns;
}

#endif
