/* SPDX-License-Identifier: BSD-3-Clause
 * perch-gateway's way to the exchange: one connection at a time, again after a loss, and what must
 * be known after kill -9. What is said on it is the link's.
 */
#include <stdio.h>

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
	g->link->keep(g);
	seqstore_post(g->store, n);
}

bool gateway_send(struct gateway *g, const void *data, size_t len)
{
	if (g->conn && !g->broken && perch_write(g->conn, data, len, perch_now()) == (int64_t)len) {
		g->sent++;
		return true;
	}
	g->send_failed++;
	/* A part of it may be on its way: nothing can follow that. */
	if (g->conn && !g->broken) {
		g->broken = true;
		g->desk.session_open = false;
		perch_shutdown(g->conn);
	}
	return false;
}

/* Returns whether there is a point in trying again. */
static bool connect_once(struct gateway *g)
{
	uint64_t logins = g->logins;
	bool again;

	gateway_keep(g);
	if (perch_dial(&g->exchange, NULL, &g->conn, perch_now() + dial_ns) < 0)
		return true;
	g->broken = false;
	again = g->link->session(g);
	g->desk.session_open = false;
	perch_hangup(g->conn);
	g->conn = NULL;
	g->lost += g->logins > logins && !g->stopping;
	return again;
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
