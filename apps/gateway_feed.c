/* SPDX-License-Identifier: BSD-3-Clause
 * perch-gateway's feed: packets of two lines to books, books to ticks, ticks to orders.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apps/feed/place.h"
#include "apps/gateway.h"
#include "apps/glimpse.h"

enum { CHANGED = 64 };

/* ---- a tick --------------------------------------------------------------------------------- */

static inline void stamp(struct gateway *g, enum gateway_stage stage)
{
	if (__builtin_expect(g->stamps != NULL, 0))
		g->stamps->at[stage] = perch_clock();
}

/* An order is out: where its tick spent the time. */
static void note_stages(struct gateway_stamps *s)
{
	struct perch_stamps engine;
	int64_t before_ns;
	unsigned i;

	if (perch_stamps(&engine) < 0)
		return;
	s->at[GATEWAY_RX] = engine.rx_ns;
	s->at[GATEWAY_INPUT] = engine.input_ns;
	s->at[GATEWAY_WOKEN] = engine.ready_ns;
	s->at[GATEWAY_OUTPUT] = engine.output_ns;
	s->at[GATEWAY_TX] = engine.tx_ns;
	for (i = 0, before_ns = engine.begin_ns; i < GATEWAY_STAGES; before_ns = s->at[i++])
		hist_record(&s->took[i], s->at[i] - before_ns);
}

static void order(struct gateway *g, const struct desk_intent *i, const struct perch_datagram *d)
{
	stamp(g, GATEWAY_DECIDE);
	if (atomic_load_explicit(&g->killed, memory_order_relaxed))
		desk_kill(&g->desk);
	if (g->store)
		g->desk.ref_ceiling = seqstore_ceiling(g->store);
	if (!g->link->enter(g, i))
		return;
	stamp(g, GATEWAY_QUEUED);
	perch_push(g->conn);
	g->order_ns = d->time_ns;
	hist_record(&g->send, perch_clock() - d->time_ns);
	if (g->stamps)
		note_stages(g->stamps);
}

/* Books are numbered as the desk's symbols are. */
static void see(struct gateway *g, uint32_t symbol, struct tick *now)
{
	struct book_top top;

	books_top(g->books, symbol, &top);
	*now = (struct tick){.symbol = (uint16_t)symbol,
		.bid = top.side[BOOK_BUY].price,
		.ask = top.side[BOOK_SELL].price,
		.bid_shares = top.side[BOOK_BUY].shares,
		.ask_shares = top.side[BOOK_SELL].shares};
	if (now->bid || now->ask)
		desk_reference(&g->desk, now->symbol,
			now->bid && now->ask ? (now->bid + now->ask) / 2 : now->bid + now->ask);
}

static void look_at(struct gateway *g, uint32_t symbol, const struct perch_datagram *d)
{
	struct desk_intent intent;
	struct tick now;

	see(g, symbol, &now);
	g->ticks++;
	if (g->strategy->decide(&g->last[symbol], &now, &intent))
		order(g, &intent, d);
	g->last[symbol] = now;
}

static void take_messages(struct gateway *g, struct feed_event *ev, const struct perch_datagram *d)
{
	uint32_t changed[CHANGED];
	struct feed_message m;
	unsigned i, n;

	stamp(g, GATEWAY_FEED);
	while (feed_message(g->feed, ev, &m)) {
		books_apply(g->books, m.data, m.len);
		n = books_changed(g->books, changed, CHANGED);
		stamp(g, GATEWAY_BOOK);
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
				perch_send(g->ask, &g->rerequest, ev.data, ev.len);
			break;
		case FEED_SESSION:
			g->feed_sessions++;
			g->snapshot_wanted = false;
			books_clear(g->books);
			break;
		case FEED_SNAPSHOT:
			g->snapshot_wanted = true;
			perch_wake(g->engine, g->snapper, 0);
			break;
		default: /* gaps, ends and silence are in the counters */ break;
		}
}

/* ---- time ----------------------------------------------------------------------------------- */

static void rearm(struct gateway *g)
{
	if (feed_deadline(g->feed) < g->armed_ns)
		perch_wake(g->engine, g->timer, 0);
}

static void pass_time(void *arg)
{
	struct gateway *g = arg;
	struct perch_datagram d = {0};
	int rc = 0;

	g->timer = perch_me();
	while (rc != -ECANCELED) {
		g->armed_ns = feed_deadline(g->feed);
		rc = perch_park(g->armed_ns);
		d.time_ns = perch_now();
		feed_tick(g->feed, d.time_ns);
		take_events(g, &d);
	}
}

/* ---- snapshots ------------------------------------------------------------------------------ */

/* What the books are now is where ticks go on from: no strategy trades on a jump. */
static void look_afresh(struct gateway *g)
{
	uint32_t changed[CHANGED];
	unsigned i, n;

	do {
		n = books_changed(g->books, changed, CHANGED);
		for (i = 0; i < n; i++)
			see(g, changed[i], &g->last[changed[i]]);
	} while (n == CHANGED);
}

static void get_snapshots(void *arg)
{
	struct gateway *g = arg;
	struct perch_datagram d = {0};
	uint64_t next = 0;
	int rc = 0;

	g->snapper = perch_me();
	for (;;) {
		while (!g->snapshot_wanted)
			if (perch_park(PERCH_FOREVER) == -ECANCELED)
				return;
		g->snapshot_wanted = false;
		rc = glimpse_get(&g->glimpse, g->books, &g->feed_sessions, &next);
		if (rc == -ECANCELED)
			return;
		if (rc == -ESTALE)
			continue;
		look_afresh(g);
		d.time_ns = perch_now();
		if (rc < 0)
			feed_snapshot_failed(g->feed, d.time_ns);
		else
			feed_snapshot_done(g->feed, next, d.time_ns);
		take_events(g, &d);
		rearm(g);
	}
}

/* ---- the lines ------------------------------------------------------------------------------ */

/* A group's socket is bound to the group, so that two lines may have the same port. */
static int open_line(struct gateway *g, unsigned i)
{
	const struct perch_addr *at = &g->lines[i];
	bool group = place_is_group(at);
	int rc = perch_bind(group ? at : NULL, at->port, &g->udp[i]);

	if (rc == 0 && group)
		rc = perch_join(g->udp[i], at, NULL);
	if (rc < 0)
		snprintf(g->refusal, sizeof(g->refusal), "line %c cannot be listened to: %s",
			'A' + (char)i, strerror(-rc));
	return rc;
}

void gateway_feed_input(struct gateway *g, unsigned line, const struct perch_datagram *d)
{
	feed_input(g->feed, line, d->data, d->len, d->time_ns);
	take_events(g, d);
}

static void read_on(struct gateway *g, struct perch_udp *u, unsigned line)
{
	struct perch_datagram d;

	while (perch_recv(u, &d, PERCH_FOREVER) == 0) {
		stamp(g, GATEWAY_RECV);
		gateway_feed_input(g, line, &d);
		rearm(g);
	}
}

static void second_line(void *arg)
{
	struct gateway *g = arg;

	read_on(g, g->udp[1], 1);
}

static void answers(void *arg)
{
	struct gateway *g = arg;

	read_on(g, g->ask, FEED_RECOVERY);
}

/* All that it takes, before the first packet can come. */
static int begin(struct gateway *g)
{
	unsigned i;
	int rc = 0;

	for (i = 0; i < g->n_lines && rc == 0; i++)
		rc = open_line(g, i);
	if (rc == 0 && g->rerequest.port)
		rc = perch_bind(NULL, 0, &g->ask);
	if (rc == 0)
		rc = perch_spawn(pass_time, g, 0);
	if (rc == 0 && g->rerequest.port)
		rc = perch_spawn(answers, g, 0);
	if (rc == 0 && g->glimpse.port)
		rc = perch_spawn(get_snapshots, g, PERCH_PRIVATE_STACK);
	if (rc == 0 && g->n_lines == 2)
		rc = perch_spawn(second_line, g, 0);
	return rc;
}

void gateway_feed(void *arg)
{
	struct gateway *g = arg;
	int rc;

	g->armed_ns = PERCH_FOREVER;
	rc = begin(g);
	if (rc == 0) {
		read_on(g, g->udp[0], 0);
		return;
	}
	if (!g->refusal[0])
		snprintf(g->refusal, sizeof(g->refusal), "there is no feed: %s", strerror(-rc));
	perch_stop(g->engine);
}

/* ---- open and close ------------------------------------------------------------------------- */

int gateway_feed_open(struct gateway *g, const char *const *symbols)
{
	const struct feed_config feed = {.venue = &feed_moldudp64,
		.lines = g->n_lines,
		.start = g->glimpse.port ? 1 : 0, /* late, it has the day before it all the same */
		.wait_ns = 100000,
		.tries = g->rerequest.port ? 5 : 0,
		.snapshot_tries = g->glimpse.port ? 3 : 0,
		.snapshot_over = g->snapshot_over};
	const struct books_config books = {.symbols = symbols};
	int rc = feed_open(&g->feed, &feed);

	return rc < 0 ? rc : books_open(&g->books, &books);
}

void gateway_feed_close(struct gateway *g)
{
	feed_close(g->feed);
	books_close(g->books);
}
