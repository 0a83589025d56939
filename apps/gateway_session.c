/* SPDX-License-Identifier: BSD-3-Clause
 * perch-gateway's session: one connection to the exchange at a time. After a loss it comes back
 * with the number of the report that it has not seen, and the exchange sends from there; a new
 * process asks from the first one on, and the desk becomes what it was.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "apps/gateway.h"

enum { REF_BLOCK = 100000 }; /* references that are reserved in the store ahead of their use */

#define MS_NS INT64_C(1000000)

static const int64_t dial_ns = 2000 * MS_NS, first_pause_ns = 100 * MS_NS,
		     longest_pause_ns = 5000 * MS_NS;

void gateway_keep(struct gateway *g)
{
	struct seqstore_numbers *n = &g->numbers;

	if (!g->store)
		return;
	/* Half a block is left when the next one is asked for; the file is there within
	 * milliseconds, or the desk refuses until it is. */
	if (g->desk.next_ref + REF_BLOCK / 2 >= n->ref_ceiling)
		n->ref_ceiling = g->desk.next_ref + REF_BLOCK;
	n->next_in = g->soup.next_sequence;
	memcpy(n->session, g->soup.id, sizeof(g->soup.id));
	seqstore_post(g->store, n);
}

bool gateway_send(struct gateway *g, const void *data, size_t len)
{
	if (!g->conn || perch_write(g->conn, data, len, perch_now()) != (int64_t)len) {
		g->send_failed++;
		return false;
	}
	g->sent++;
	soup_session_sent(&g->soup, perch_now());
	return true;
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

/* ---- silence, and the connection --------------------------------------------------------------
 */

/* The child of a session: heartbeats while nothing else is sent. */
static void beat_on(void *arg)
{
	struct gateway *g = arg;
	uint8_t out[SOUP_HEAD];

	while (perch_sleep(perch_now() + 50 * MS_NS) == 0)
		if (soup_session_tick(&g->soup, perch_now()) == SOUP_SEND_BEAT)
			gateway_send(g, out, soup_beat_bytes(&g->soup, out));
}

static void one_session(struct gateway *g)
{
	uint8_t out[SOUP_LOGIN_MAX];

	memcpy(g->login.session, g->soup.id, sizeof(g->login.session));
	g->login.sequence = g->soup.next_sequence ? g->soup.next_sequence : 1;
	soup_session_begin(&g->soup, SOUP_IS_CLIENT, perch_now());
	memcpy(g->soup.id, g->login.session, sizeof(g->soup.id)); /* if this one comes to nothing */
	g->soup.next_sequence = g->login.sequence;
	if (!gateway_send(g, out, soup_login_bytes(&g->soup, &g->login, perch_now(), out)))
		return;
	if (perch_spawn(beat_on, g, PERCH_CHILD) == 0)
		read_on(g);
	perch_cancel_children();
	perch_wait_children(PERCH_FOREVER);
}

/* Returns whether there is a point in trying again. */
static bool connect_once(struct gateway *g)
{
	uint64_t logins = g->logins;

	if (perch_dial(&g->exchange, NULL, &g->conn, perch_now() + dial_ns) < 0)
		return true;
	one_session(g);
	g->desk.session_open = false;
	perch_hangup(g->conn);
	g->conn = NULL;
	g->lost += g->logins > logins && !g->stopping;
	if (g->soup.state == SOUP_OVER && g->refused_as == SOUP_NOT_AUTHORIZED)
		return false;
	if (g->refused_as == SOUP_NO_SESSION) /* another day: its numbers begin anew */
		g->soup = (struct soup_session){0};
	g->refused_as = 0;
	return true;
}

void gateway_session(void *arg)
{
	int64_t pause_ns = first_pause_ns;
	struct gateway *g = arg;
	uint64_t logins;

	do {
		logins = g->logins;
		if (!connect_once(g)) {
			perch_stop(g->engine);
			return;
		}
		pause_ns = g->logins > logins ? first_pause_ns : 2 * pause_ns;
		if (pause_ns > longest_pause_ns)
			pause_ns = longest_pause_ns;
	} while (perch_sleep(perch_now() + pause_ns) == 0);
}
