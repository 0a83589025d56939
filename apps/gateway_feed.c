/* SPDX-License-Identifier: BSD-3-Clause
 * perch-gateway's feed: packets of two lines to books, books to ticks, ticks to orders.
 */
#include <errno.h>
#include <string.h>

#include "apps/feed/place.h"
#include "apps/gateway.h"

enum { CHANGED = 64 };

/* ---- a tick --------------------------------------------------------------------------------- */

static void order(struct gateway *g, const struct desk_intent *i, const struct perch_datagram *d)
{
	if (atomic_load_explicit(&g->killed, memory_order_relaxed))
		desk_kill(&g->desk);
	if (g->store)
		g->desk.ref_ceiling = seqstore_ceiling(g->store);
	if (g->link->enter(g, i))
		hist_record(&g->decide, perch_clock() - d->time_ns);
}

static void look_at(struct gateway *g, unsigned book, const struct perch_datagram *d)
{
	uint16_t symbol = g->symbol_of[book];
	struct desk_intent intent;
	struct book_top top;
	struct tick now;

	books_top(g->books, book, &top);
	now = (struct tick){.symbol = symbol,
		.bid = top.side[BOOK_BUY].price,
		.ask = top.side[BOOK_SELL].price,
		.bid_shares = top.side[BOOK_BUY].shares,
		.ask_shares = top.side[BOOK_SELL].shares};
	g->ticks++;
	if (now.bid || now.ask)
		desk_reference(&g->desk, symbol,
			now.bid && now.ask ? (now.bid + now.ask) / 2 : now.bid + now.ask);
	if (g->strategy->decide(&g->last[symbol], &now, &intent))
		order(g, &intent, d);
	g->last[symbol] = now;
}

static void take_messages(struct gateway *g, struct feed_event *ev, const struct perch_datagram *d)
{
	uint32_t changed[CHANGED];
	struct feed_message m;
	unsigned i, n;

	while (feed_message(g->feed, ev, &m)) {
		books_apply(g->books, m.data, m.len);
		n = books_changed(g->books, changed, CHANGED);
		for (i = 0; i < n; i++)
			look_at(g, changed[i], d);
	}
}

/* What follows from a packet, or from time. Never parks: the feed's events must be taken whole. */
static void take_events(struct gateway *g, const struct perch_datagram *d)
{
	struct feed_event ev;

	while (feed_next(g->feed, &ev))
		switch (ev.kind) {
		case FEED_DATA: take_messages(g, &ev, d); break;
		case FEED_REQUEST:
			if (g->rerequest.port)
				perch_send(g->udp[0], &g->rerequest, ev.data, ev.len);
			break;
		case FEED_SESSION: books_clear(g->books); break;
		case FEED_SNAPSHOT: /* none is to be had here: the rest of the day stays thinner */
			feed_snapshot_failed(g->feed, ev.time_ns);
			break;
		default: /* gaps, ends and silence are in the counters */ break;
		}
}

/* ---- the lines ------------------------------------------------------------------------------ */

static int open_line(struct gateway *g, unsigned i)
{
	int rc = perch_bind(NULL, g->lines[i].port, &g->udp[i]);

	if (rc == 0 && place_is_group(&g->lines[i]))
		rc = perch_join(g->udp[i], &g->lines[i], NULL);
	return rc;
}

static bool is_rerequest(const struct gateway *g, const struct perch_datagram *d)
{
	return g->rerequest.port && memcmp(&d->from, &g->rerequest, sizeof(d->from)) == 0;
}

static void read_line(struct gateway *g, unsigned i)
{
	struct perch_datagram d;
	int rc;

	for (;;) {
		rc = perch_recv(g->udp[i], &d, i == 0 ? feed_deadline(g->feed) : PERCH_FOREVER);
		if (rc == -ETIMEDOUT) {
			d = (struct perch_datagram){.time_ns = perch_now()};
			feed_tick(g->feed, d.time_ns);
		} else if (rc < 0) {
			return;
		} else {
			feed_input(g->feed, is_rerequest(g, &d) ? FEED_RECOVERY : i, d.data, d.len,
				d.time_ns);
		}
		take_events(g, &d);
	}
}

static void second_line(void *arg)
{
	read_line(arg, 1);
}

void gateway_feed(void *arg)
{
	struct gateway *g = arg;
	unsigned i;
	int rc = 0;

	for (i = 0; i < g->n_lines && rc == 0; i++)
		rc = open_line(g, i);
	if (rc == 0 && g->n_lines == 2)
		rc = perch_spawn(second_line, g, 0);
	if (rc == 0)
		read_line(g, 0);
}

/* ---- open and close ------------------------------------------------------------------------- */

int gateway_feed_open(struct gateway *g, const char *const *symbols)
{
	const struct feed_config feed = {.venue = &feed_moldudp64,
		.lines = g->n_lines,
		.wait_ns = 100000,
		.tries = g->rerequest.port ? 5 : 0};
	const struct books_config books = {.symbols = symbols};
	unsigned i;
	int rc = feed_open(&g->feed, &feed), book;

	if (rc == 0)
		rc = books_open(&g->books, &books);
	for (i = 0; rc == 0 && symbols[i]; i++) {
		book = books_find(g->books, symbols[i]);
		if (book >= 0)
			g->symbol_of[book] = (uint16_t)i;
	}
	return rc;
}

void gateway_feed_close(struct gateway *g)
{
	feed_close(g->feed);
	books_close(g->books);
}
