/* SPDX-License-Identifier: BSD-3-Clause
 * perch-gateway's rehearsals: a tick that never was goes from packet to order, and stays here, so
 * that the next one that counts finds caches and branch predictors as they are among many ticks.
 *
 * The stage is a second gateway, with a feed and books of its own and the strategy of the first. A
 * packet of the stage's session goes through the code that all packets go through; only its order
 * takes another turn, to the link's rehearse: through the first one's desk and limits, on its
 * connection, and no further than the port.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apps/feed/itch.h"
#include "apps/feed/mold.h"
#include "apps/gateway.h"

enum {
	STEPS = 8,	 /* of the price: it rises, and falls once in so many rehearsals */
	STAGE_ORDERS = 64,
	FAR_AHEAD = 100, /* packets, of what may come: the session is a day of its own */
};

static bool rehearse(struct gateway *stage, const struct desk_intent *i)
{
	struct gateway *g = stage->rehearsals.of;

	if (g->conn && !g->broken && g->link->rehearse(g, i))
		g->rehearsals.whole++;
	else
		g->rehearsals.cut_short++;
	return false;
}

static const struct gateway_link no_link = {.enter = rehearse, .rehearse = rehearse};

/* ---- the packet ----------------------------------------------------------------------------- */

static size_t put_block(uint8_t *at, const struct itch *m)
{
	size_t len = itch_encode(m, at + 2);

	at[0] = (uint8_t)(len >> 8);
	at[1] = (uint8_t)len;
	return 2 + len;
}

/* A new best bid, and the end of the one before. */
static size_t write_packet(const struct gateway *g, uint16_t symbol, uint32_t price, uint8_t *out)
{
	const struct feed_session session = mold_session("STAGE");
	uint64_t number = g->rehearsals.next;
	struct itch add = {.type = 'A', .locate = (uint16_t)(symbol + 1),
		.add = {.ref = number, .side = 'B', .shares = 100, .price = price}};
	struct itch del = {.type = 'D', .locate = add.locate, .delete.ref = number - 2};
	size_t len = mold_put_header(out, &session, number, 2);

	memset(add.add.stock, ' ', sizeof(add.add.stock));
	memcpy(add.add.stock, g->desk.symbols[symbol].name, strlen(g->desk.symbols[symbol].name));
	len += put_block(out + len, &add);
	return len + put_block(out + len, &del);
}

/* ---- a rehearsal ---------------------------------------------------------------------------- */

/* A symbol of which a price is known, so that the limits can be judged; the next one each time.
 * Returns its index, or -1. */
static int choose(const struct gateway *g)
{
	uint64_t turn = g->rehearsals.next / 2;
	unsigned i, n = g->desk.n_symbols, at;

	for (i = 0; i < n; i++) {
		at = (unsigned)((turn + i) % n);
		if (g->desk.symbols[at].reference)
			return (int)at;
	}
	return -1;
}

static void go_through(struct gateway *g)
{
	struct perch_datagram d = {.time_ns = perch_now()};
	uint8_t packet[256];
	int symbol = choose(g);
	unsigned line;

	if (symbol < 0)
		return;
	d.len = write_packet(g, (uint16_t)symbol,
		(uint32_t)(g->desk.symbols[symbol].reference + g->rehearsals.next / 2 % STEPS),
		packet);
	d.data = packet;
	g->rehearsals.next += 2;
	for (line = 0; line < g->n_lines; line++)
		gateway_feed_input(g->rehearsals.stage, line, &d);
}

void gateway_warm(void *arg)
{
	struct gateway *g = arg;
	const int64_t none_ns = 1000000;
	int64_t every_ns;

	do {
		every_ns = atomic_load_explicit(&g->rehearsals.every_ns, memory_order_relaxed);
		if (every_ns && g->desk.session_open && !atomic_load(&g->killed) &&
			perch_now() - g->order_ns >= every_ns)
			go_through(g);
	} while (perch_sleep(perch_now() + (every_ns ? every_ns : none_ns)) == 0);
}

/* ---- open and close ------------------------------------------------------------------------- */

int gateway_warm_open(struct gateway *g, const char *const *symbols)
{
	const struct feed_config feed = {
		.venue = &feed_moldudp64, .lines = g->n_lines, .window = FAR_AHEAD};
	const struct books_config books = {.symbols = symbols, .max_orders = STAGE_ORDERS};
	struct gateway *stage = calloc(1, sizeof(*stage));
	int rc;

	g->rehearsals.stage = stage;
	g->rehearsals.next = 1;
	if (!stage)
		return -ENOMEM;
	stage->rehearsals.of = g;
	stage->link = &no_link;
	stage->strategy = g->strategy;
	stage->n_lines = g->n_lines;
	rc = feed_open(&stage->feed, &feed);
	return rc < 0 ? rc : books_open(&stage->books, &books);
}

void gateway_warm_close(struct gateway *g)
{
	if (!g->rehearsals.stage)
		return;
	feed_close(g->rehearsals.stage->feed);
	books_close(g->rehearsals.stage->books);
	free(g->rehearsals.stage);
	g->rehearsals.stage = NULL;
}
