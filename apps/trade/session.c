/* SPDX-License-Identifier: BSD-3-Clause
 * SoupBinTCP sessions: who may say what when.
 */
#include "apps/trade/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MS_NS INT64_C(1000000)

void soup_session_begin(struct soup_session *s, enum soup_role role, int64_t now_ns)
{
	*s = (struct soup_session){
		.role = role,
		.heard_ns = now_ns,
		.sent_ns = now_ns,
		.beat_ns = SOUP_BEAT_MS * MS_NS,
		.dead_ns = SOUP_DEAD_MS * MS_NS,
	};
}

static int over(struct soup_session *s, int error)
{
	s->state = SOUP_OVER;
	return error;
}

/* ---- what a client hears -------------------------------------------------------------------- */

static int client_answered(
	struct soup_session *s, const struct soup_packet *p, struct soup_event *ev)
{
	if (s->state != SOUP_ASKED)
		return -EPROTO;
	if (p->type == SOUP_REJECTED) {
		ev->kind = SOUP_REFUSED;
		ev->reason = p->len > 0 ? (char)p->payload[0] : SOUP_NOT_AUTHORIZED;
		s->state = SOUP_OVER;
		return 0;
	}
	if (soup_accepted(p, s->id, &s->next_sequence) < 0)
		return -EBADMSG;
	ev->kind = SOUP_LOGGED_IN;
	s->state = SOUP_OPEN;
	return 0;
}

static int client_hears(struct soup_session *s, const struct soup_packet *p, struct soup_event *ev)
{
	switch (p->type) {
	case SOUP_ACCEPTED:
	case SOUP_REJECTED: return client_answered(s, p, ev);
	case SOUP_SEQUENCED:
		if (s->state != SOUP_OPEN)
			return -EPROTO;
		ev->kind = SOUP_MESSAGE;
		ev->sequence = s->next_sequence++;
		return 0;
	case SOUP_END:
		ev->kind = SOUP_FINISHED;
		s->state = SOUP_OVER;
		return 0;
	case SOUP_SERVER_BEAT: s->beats_in++; return 0;
	default: s->skipped++; return soup_client_sends(p->type) ? -EPROTO : 0;
	}
}

/* ---- what a server hears -------------------------------------------------------------------- */

static int server_asked(struct soup_session *s, const struct soup_packet *p, struct soup_event *ev)
{
	if (s->state != SOUP_STRANGER)
		return -EPROTO;
	if (soup_login(p, &ev->login) < 0)
		return -EBADMSG;
	/* 4.x: the client says how long a silence of its own means death. */
	if (ev->login.beat_ms)
		s->dead_ns = ev->login.beat_ms * MS_NS;
	ev->kind = SOUP_LOGIN_ASKED;
	s->state = SOUP_ASKED;
	return 0;
}

static int server_hears(struct soup_session *s, const struct soup_packet *p, struct soup_event *ev)
{
	switch (p->type) {
	case SOUP_LOGIN: return server_asked(s, p, ev);
	case SOUP_UNSEQUENCED:
		if (s->state != SOUP_OPEN)
			return -EPROTO;
		ev->kind = SOUP_MESSAGE;
		return 0;
	case SOUP_LOGOUT:
		ev->kind = SOUP_FINISHED;
		s->state = SOUP_OVER;
		return 0;
	case SOUP_CLIENT_BEAT: s->beats_in++; return 0;
	default: s->skipped++; return soup_server_sends(p->type) ? -EPROTO : 0;
	}
}

int64_t soup_session_next(
	struct soup_session *s, const void *data, size_t len, int64_t now_ns, struct soup_event *ev)
{
	struct soup_packet p;
	int64_t n = soup_parse(data, len, &p);
	int rc = 0;

	memset(ev, 0, sizeof(*ev));
	if (n < 0)
		return over(s, (int)n);
	if (n == 0) {
		ev->len = p.len;
		return 0;
	}
	if (s->state == SOUP_OVER)
		return -EPROTO;
	s->heard_ns = now_ns;
	ev->data = p.payload;
	ev->len = p.len;
	if (p.type == SOUP_DEBUG)
		s->debugs++;
	else
		rc = (s->role == SOUP_IS_CLIENT ? client_hears : server_hears)(s, &p, ev);
	return rc < 0 ? over(s, rc) : n;
}

/* ---- what is said --------------------------------------------------------------------------- */

size_t soup_login_bytes(
	struct soup_session *s, const struct soup_login *l, int64_t now_ns, void *out)
{
	s->state = SOUP_ASKED;
	soup_session_sent(s, now_ns);
	return soup_put_login(out, l);
}

size_t soup_accept_bytes(
	struct soup_session *s, const char *id, uint64_t next_sequence, int64_t now_ns, void *out)
{
	snprintf(s->id, sizeof(s->id), "%s", id);
	s->next_sequence = next_sequence;
	s->state = SOUP_OPEN;
	soup_session_sent(s, now_ns);
	return soup_put_accepted(out, id, next_sequence);
}

size_t soup_reject_bytes(struct soup_session *s, enum soup_reason why, int64_t now_ns, void *out)
{
	uint8_t reason = (uint8_t)why;

	s->state = SOUP_OVER;
	soup_session_sent(s, now_ns);
	return soup_put(out, SOUP_REJECTED, &reason, 1);
}

size_t soup_beat_bytes(const struct soup_session *s, void *out)
{
	return soup_put(
		out, s->role == SOUP_IS_CLIENT ? SOUP_CLIENT_BEAT : SOUP_SERVER_BEAT, NULL, 0);
}

/* ---- silence -------------------------------------------------------------------------------- */

int64_t soup_session_due(const struct soup_session *s)
{
	int64_t dead = s->heard_ns + s->dead_ns, beat = s->sent_ns + s->beat_ns;

	if (s->state == SOUP_OVER)
		return INT64_MAX;
	return s->state == SOUP_OPEN && beat < dead ? beat : dead;
}

enum soup_duty soup_session_tick(struct soup_session *s, int64_t now_ns)
{
	if (s->state == SOUP_OVER)
		return SOUP_REST;
	if (now_ns >= s->heard_ns + s->dead_ns) {
		s->state = SOUP_OVER;
		return SOUP_PEER_DEAD;
	}
	if (s->state != SOUP_OPEN || now_ns < s->sent_ns + s->beat_ns)
		return SOUP_REST;
	s->beats_out++;
	soup_session_sent(s, now_ns);
	return SOUP_SEND_BEAT;
}
