/* SPDX-License-Identifier: BSD-3-Clause
 * perch-gateway's order entry by OUCH in SoupBinTCP. After a loss it comes back with the number of
 * the report that it has not seen, and the exchange sends from there; a new process asks from the
 * first one on, and the desk becomes what it was.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "apps/gateway.h"

#define MS_NS INT64_C(1000000)

enum { CANCEL_BYTES = 1024 };

static bool send_packet(struct gateway *g, const void *data, size_t len)
{
	if (!gateway_send(g, data, len))
		return false;
	soup_session_sent(&g->soup, perch_now());
	return true;
}

/* ---- orders --------------------------------------------------------------------------------- */

static bool enter(struct gateway *g, const struct desk_intent *i)
{
	uint8_t out[DESK_BYTES];
	size_t len;

	return desk_enter(&g->desk, i, perch_now(), out, &len) == DESK_ok &&
	       send_packet(g, out, len);
}

static bool rehearse(struct gateway *g, const struct desk_intent *i)
{
	uint8_t out[DESK_BYTES];
	size_t len;

	return desk_rehearse(&g->desk, i, perch_now(), out, &len) == DESK_ok &&
	       perch_warm(g->conn, out, len) == 0;
}

static bool cancel_at_once(struct gateway *g)
{
	uint8_t out[DESK_BYTES];
	size_t len = desk_mass_cancel(&g->desk, out);

	return len > 0 && send_packet(g, out, len);
}

static void cancel_each(struct gateway *g)
{
	uint8_t out[CANCEL_BYTES];
	uint32_t cursor = 0;
	size_t n;

	while ((n = desk_cancel_all(&g->desk, &cursor, out, sizeof(out))) > 0)
		if (!send_packet(g, out, n))
			return;
}

static void keep(struct gateway *g)
{
	if (!g->soup.id[0])
		return; /* no session yet: what an earlier process knew still holds */
	g->numbers.next_in = g->soup.next_sequence;
	memcpy(g->numbers.session, g->soup.id, sizeof(g->soup.id));
}

/* ---- reports -------------------------------------------------------------------------------- */

static void take_report(struct gateway *g, const struct soup_event *ev)
{
	struct ouch m;

	g->reports++;
	g->replayed += ev->sequence < g->heard_before;
	if (ouch_decode(g->desk.version, OUCH_SERVER, ev->data, ev->len, &m) < 0)
		g->malformed++;
	else
		desk_report(&g->desk, &m);
}

/* The store's number is about the store's session only. */
static void logged_in(struct gateway *g)
{
	g->logins++;
	if (g->logins == 1 && strcmp(g->soup.id, g->numbers.session) == 0)
		g->heard_before = g->numbers.next_in;
	g->desk.session_open = true;
	printf("perch-gateway: logged in to session %s, reports from %" PRIu64 " on\n", g->soup.id,
		g->soup.next_sequence);
	fflush(stdout);
	gateway_keep(g);
}

static void take_event(struct gateway *g, const struct soup_event *ev)
{
	switch (ev->kind) {
	case SOUP_LOGGED_IN: logged_in(g); break;
	case SOUP_REFUSED:
		g->refused++;
		g->refused_as = ev->reason;
		break;
	case SOUP_MESSAGE: take_report(g, ev); break;
	default: break;
	}
}

/* All whole packets of a view. Returns the bytes that they take; *need is what the next one wants.
 */
static int64_t take_packets(struct gateway *g, const uint8_t *data, size_t len, size_t *need)
{
	struct soup_event ev;
	int64_t n, done = 0;

	for (;;) {
		n = soup_session_next(&g->soup, data + done, len - (size_t)done, perch_now(), &ev);
		if (n <= 0)
			break;
		take_event(g, &ev);
		done += n;
	}
	*need = n == 0 ? ev.len : SOUP_HEAD;
	if (n < 0)
		g->malformed++;
	return done;
}

static void read_on(struct gateway *g)
{
	size_t need = SOUP_HEAD;
	struct perch_bytes b;
	int64_t done;

	while (g->soup.state != SOUP_OVER && need <= PERCH_WANT_MAX) {
		b = perch_want(g->conn, need, g->soup.heard_ns + g->soup.dead_ns);
		if (b.len < (int64_t)need)
			return;
		done = take_packets(g, b.data, (size_t)b.len, &need);
		perch_take(g->conn, (size_t)done);
		gateway_keep(g);
	}
}

/* ---- silence, and the session --------------------------------------------------------------- */

/* The child of a session: heartbeats while nothing else is sent. */
static void beat_on(void *arg)
{
	struct gateway *g = arg;
	uint8_t out[SOUP_HEAD];

	while (perch_sleep(perch_now() + 50 * MS_NS) == 0)
		if (soup_session_tick(&g->soup, perch_now()) == SOUP_SEND_BEAT)
			send_packet(g, out, soup_beat_bytes(&g->soup, out));
}

static void talk(struct gateway *g)
{
	uint8_t out[SOUP_LOGIN_MAX];

	memcpy(g->login.session, g->soup.id, sizeof(g->login.session));
	g->login.sequence = g->soup.next_sequence ? g->soup.next_sequence : 1;
	soup_session_begin(&g->soup, SOUP_IS_CLIENT, perch_now());
	memcpy(g->soup.id, g->login.session, sizeof(g->soup.id)); /* if this one comes to nothing */
	g->soup.next_sequence = g->login.sequence;
	if (!send_packet(g, out, soup_login_bytes(&g->soup, &g->login, perch_now(), out)))
		return;
	if (perch_spawn(beat_on, g, PERCH_CHILD) == 0)
		read_on(g);
	perch_cancel_children();
	perch_wait_children(PERCH_FOREVER);
}

/* Returns whether there is a point in trying again. */
static bool one_session(struct gateway *g)
{
	bool hopeless;

	talk(g);
	hopeless = g->refused_as == SOUP_NOT_AUTHORIZED;
	if (hopeless)
		snprintf(g->refusal, sizeof(g->refusal),
			"the exchange does not know this user and password");
	if (g->refused_as == SOUP_NO_SESSION) /* another day: its numbers begin anew */
		g->soup = (struct soup_session){0};
	g->refused_as = 0;
	return !hopeless;
}

const struct gateway_link gateway_ouch = {
	one_session, enter, cancel_at_once, cancel_each, rehearse, keep};
