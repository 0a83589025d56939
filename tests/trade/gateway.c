/* SPDX-License-Identifier: BSD-3-Clause
 * perch-gateway's inside on an engine that is not there: its clock is set by hand, what would be
 * sent is kept, and nothing ever waits. Ticks become orders, the kill switch, a connection that
 * takes only a part, rehearsals.
 */
#include "apps/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/feed/itch.h"
#include "apps/feed/mold.h"
#include "apps/feed/place.h"
#include "apps/glimpse.h"
#include "tests/suite.h"

#define MS INT64_C(1000000)

/* ---- the engine that is not there ------------------------------------------------------------ */

static struct {
	int64_t now_ns, sleeps; /* so many more, and then it is stopped */
	uint8_t sent[4096];
	size_t len, room; /* what the connection still takes */
	unsigned writes, pushes, warmed, shut, hung_up, dials, requests;
	int64_t paused_ns; /* the last sleep */
	const uint8_t *in; /* received and not taken */
	size_t in_len;
	bool stopped;
} e;

static int connection; /* its address is one */
#define CONN ((struct perch_conn *)(void *)&connection)

int64_t perch_now(void)
{
	return e.now_ns;
}

int64_t perch_clock(void)
{
	return e.now_ns;
}

int perch_sleep(int64_t deadline_ns)
{
	e.paused_ns = deadline_ns - e.now_ns;
	e.now_ns = deadline_ns;
	return e.sleeps-- > 0 ? 0 : -ECANCELED;
}

int64_t perch_write(struct perch_conn *c, const void *data, size_t len, int64_t deadline_ns)
{
	(void)c;
	(void)deadline_ns;
	e.writes++;
	if (len > e.room)
		len = e.room;
	memcpy(e.sent + e.len, data, len);
	e.len += len;
	e.room -= len;
	return (int64_t)len;
}

int perch_push(struct perch_conn *c)
{
	CU_ASSERT_PTR_EQUAL(c, CONN);
	e.pushes++;
	return 0;
}

int perch_warm(struct perch_conn *c, const void *data, size_t len)
{
	CU_ASSERT_PTR_EQUAL(c, CONN);
	CU_ASSERT(data && len > 0);
	e.warmed++;
	return 0;
}

void perch_shutdown(struct perch_conn *c)
{
	(void)c;
	e.shut++;
}

void perch_hangup(struct perch_conn *c)
{
	(void)c;
	e.hung_up++;
}

int perch_dial(const struct perch_addr *to, const struct perch_addr *from, struct perch_conn **out,
	int64_t deadline_ns)
{
	(void)to;
	(void)from;
	(void)deadline_ns;
	e.dials++;
	*out = CONN;
	return 0;
}

void perch_stop(struct perch *engine)
{
	(void)engine;
	e.stopped = true;
}

int perch_send(struct perch_udp *u, const struct perch_addr *to, const void *data, size_t len)
{
	struct mold_request r;

	(void)u;
	CU_ASSERT_EQUAL(to->port, 7001);
	e.requests += mold_request(data, len, &r) == 0;
	return 0;
}

int perch_stamps(struct perch_stamps *out)
{
	memset(out, 0, sizeof(*out));
	return 0;
}

int perch_wake(struct perch *engine, struct perch_ref who, int value)
{
	(void)engine;
	(void)who;
	return value;
}

struct perch_bytes perch_want(struct perch_conn *c, size_t n, int64_t deadline_ns)
{
	(void)c;
	(void)deadline_ns;
	if (e.in_len < n)
		return (struct perch_bytes){.len = -ECANCELED};
	return (struct perch_bytes){.data = e.in, .len = (int64_t)e.in_len};
}

int perch_take(struct perch_conn *c, size_t n)
{
	(void)c;
	e.in += n;
	e.in_len -= n;
	return 0;
}

int perch_spawn(void (*fn)(void *), void *arg, unsigned flags)
{
	(void)fn;
	(void)arg;
	(void)flags;
	return 0;
}

/* What is linked, and not come to here. */

struct perch_ref perch_me(void)
{
	return (struct perch_ref){0};
}

int perch_park(int64_t deadline_ns)
{
	(void)deadline_ns;
	return -ECANCELED;
}

void perch_cancel_children(void)
{
}

int perch_wait_children(int64_t deadline_ns)
{
	(void)deadline_ns;
	return 0;
}

int perch_bind(const struct perch_addr *local, uint16_t port, struct perch_udp **out)
{
	(void)local;
	(void)port;
	*out = NULL;
	return 0;
}

int perch_join(
	struct perch_udp *u, const struct perch_addr *group, const struct perch_addr *source)
{
	(void)u;
	(void)group;
	(void)source;
	return 0;
}

int perch_recv(struct perch_udp *u, struct perch_datagram *d, int64_t deadline_ns)
{
	(void)u;
	(void)d;
	(void)deadline_ns;
	return -ECANCELED;
}

bool place_is_group(const struct perch_addr *a)
{
	(void)a;
	return false;
}

int glimpse_get(const struct perch_addr *server, struct books *books, const unsigned *sessions,
	uint64_t *next)
{
	(void)server;
	(void)books;
	(void)sessions;
	(void)next;
	return -ECANCELED;
}

/* ---- a gateway ------------------------------------------------------------------------------ */

static struct gateway g;
static const char *const names[] = {"AB", "CD", NULL};

static void begin(const char *strategy, const struct desk_limits *limits)
{
	unsigned i;

	memset(&e, 0, sizeof(e));
	memset(&g, 0, sizeof(g));
	e.now_ns = 1000 * MS;
	e.room = sizeof(e.sent);
	CU_ASSERT_EQUAL_FATAL(desk_open(&g.desk, OUCH_50, limits, 1, "PRCH"), 0);
	for (i = 0; names[i]; i++)
		CU_ASSERT_EQUAL(desk_symbol(&g.desk, names[i]), (int)i);
	g.desk.session_open = true;
	g.strategy = strategy_find(strategy);
	g.link = &gateway_ouch;
	g.n_lines = 2;
	g.conn = CONN;
	g.rerequest.port = 7001;
	CU_ASSERT_EQUAL_FATAL(gateway_feed_open(&g, names), 0);
}

static void end(void)
{
	gateway_warm_close(&g);
	gateway_feed_close(&g);
	desk_close(&g.desk);
}

/* An order of the feed, alone in its packet. Returns how many orders of ours left upon it. */
static uint64_t tick(unsigned line, uint64_t number, uint16_t symbol, char side, uint32_t price)
{
	const struct feed_session session = mold_session("S");
	struct perch_datagram d = {.time_ns = e.now_ns};
	struct itch m = {.type = 'A', .locate = symbol + 1,
		.add = {.ref = number, .side = side, .shares = 100, .price = price}};
	uint64_t before = g.desk.verdicts[DESK_ok];
	uint8_t packet[64];

	memset(m.add.stock, ' ', sizeof(m.add.stock));
	memcpy(m.add.stock, names[symbol], strlen(names[symbol]));
	mold_put_header(packet, &session, number, 1);
	packet[20] = 0;
	packet[21] = (uint8_t)itch_encode(&m, packet + 22);
	d.data = packet;
	d.len = 22u + packet[21];
	gateway_feed_input(&g, line, &d);
	return g.desk.verdicts[DESK_ok] - before;
}

static const struct desk_limits none = {0};

/* Within the call: written, pushed once, and for what was seen. The second copy is no tick. */
static void a_tick_is_an_order(void)
{
	struct ouch o;

	begin("take", &none);
	CU_ASSERT_EQUAL(tick(0, 1, 1, 'S', 20000), 0);
	CU_ASSERT_EQUAL(tick(0, 2, 0, 'S', 10000), 0);
	e.now_ns += MS;
	CU_ASSERT_EQUAL(tick(1, 3, 1, 'S', 19900), 1);
	CU_ASSERT_EQUAL(tick(0, 3, 1, 'S', 19900), 0);
	CU_ASSERT(e.writes == 1 && e.pushes == 1 && g.send.count == 1);
	CU_ASSERT_EQUAL(g.ticks, 3);
	CU_ASSERT_EQUAL(g.order_ns, e.now_ns);
	CU_ASSERT_EQUAL(g.soup.sent_ns, e.now_ns); /* it stands for a heartbeat */
	CU_ASSERT_EQUAL(
		ouch_decode(OUCH_50, OUCH_CLIENT, e.sent + SOUP_HEAD, e.len - SOUP_HEAD, &o), 0);
	CU_ASSERT(o.side == 'B' && o.price == 19900 && o.shares == 100);
	CU_ASSERT_STRING_EQUAL(o.symbol, "CD");
	CU_ASSERT_EQUAL(g.desk.symbols[1].reference, 19900);
	CU_ASSERT_EQUAL(g.desk.symbols[0].reference, 10000);
	CU_ASSERT_EQUAL(tick(0, 4, 1, 'B', 19800), 0);
	CU_ASSERT_EQUAL(g.desk.symbols[1].reference, 19850); /* the middle */
	end();
}

/* The order that comes next after the switch is the first that does not leave. */
static void killed(void)
{
	begin("every", &none);
	CU_ASSERT_EQUAL(tick(0, 1, 0, 'S', 10000), 1);
	atomic_store(&g.killed, true);
	CU_ASSERT_EQUAL(tick(0, 2, 0, 'S', 9900), 0);
	CU_ASSERT_EQUAL(g.desk.verdicts[DESK_killed], 1);
	CU_ASSERT(e.writes == 1 && e.pushes == 1);
	end();
}

/* What is missing on both lines is asked for at its port, and by nobody else's leave. */
static void asks_again(void)
{
	begin("none", &none);
	tick(0, 1, 0, 'S', 10000);
	tick(0, 3, 0, 'S', 10000);
	e.now_ns += MS;
	tick(1, 3, 0, 'S', 10000);
	CU_ASSERT_EQUAL(e.requests, 1);
	tick(FEED_RECOVERY, 2, 0, 'S', 10000);
	CU_ASSERT_EQUAL(feed_counters(g.feed)->filled_by_request_units, 1);
	end();
}

/* A message that left in part is the end of the connection: nothing follows it. */
static void sent_in_part(void)
{
	begin("every", &none);
	e.room = 20;
	CU_ASSERT_EQUAL(tick(0, 1, 0, 'S', 10000), 1); /* it is open: it may have left */
	CU_ASSERT(e.len == 20 && e.shut == 1 && e.pushes == 0 && g.send_failed == 1);
	CU_ASSERT_EQUAL(tick(0, 2, 0, 'S', 9900), 0);
	CU_ASSERT_EQUAL(g.desk.verdicts[DESK_no_session], 1);
	e.room = 1000;
	CU_ASSERT_FALSE(gateway_send(&g, "x", 1));
	CU_ASSERT(e.writes == 1 && e.shut == 1 && g.send_failed == 2);
	g.broken = false;
	g.conn = NULL;
	CU_ASSERT_FALSE(gateway_send(&g, "x", 1));
	CU_ASSERT_EQUAL(e.writes, 1);
	end();
}

/* ---- the session's connections --------------------------------------------------------------- */

static unsigned logins_from, hopeless_at; /* numbers of connections */

static bool one_session(struct gateway *of)
{
	CU_ASSERT(of->conn == CONN && !of->broken);
	of->broken = true;
	of->logins += e.dials >= logins_from;
	return e.dials != hopeless_at;
}

static void keep_nothing(struct gateway *of)
{
	(void)of;
}

/* A refused one is tried again later and later, up to 5 s; one that came to something, soon. */
static void comes_back(void)
{
	static const struct gateway_link link = {.session = one_session, .keep = keep_nothing};

	begin("none", &none);
	g.link = &link;
	logins_from = 100;
	hopeless_at = 0;
	e.sleeps = 0;
	gateway_session(&g);
	CU_ASSERT(e.dials == 1 && e.hung_up == 1 && e.paused_ns == 200 * MS);
	CU_ASSERT_PTR_NULL(g.conn);
	e.sleeps = 1;
	gateway_session(&g);
	CU_ASSERT(e.dials == 3 && e.paused_ns == 400 * MS);
	e.sleeps = 9;
	gateway_session(&g);
	CU_ASSERT(e.dials == 13 && e.paused_ns == 5000 * MS && g.lost == 0);
	logins_from = 0;
	e.sleeps = 0;
	gateway_session(&g);
	CU_ASSERT(e.paused_ns == 100 * MS && g.lost == 1);
	CU_ASSERT_FALSE(e.stopped || g.desk.session_open);
	hopeless_at = e.dials + 1;
	e.sleeps = 9;
	gateway_session(&g);
	CU_ASSERT(e.stopped && e.sleeps == 9);
	end();
}

/* One session, in which this is received. Returns the login request that was sent. */
static struct soup_login session(const void *in, size_t len, bool again)
{
	struct soup_login l = {0};
	struct soup_packet p;

	e.in = in;
	e.in_len = len;
	e.len = 0;
	CU_ASSERT_EQUAL(g.link->session(&g), again);
	CU_ASSERT(soup_parse(e.sent, e.len, &p) > 0);
	CU_ASSERT_EQUAL(soup_login(&p, &l), 0);
	return l;
}

/* It asks for the session and the report that it was at, also after one that came to nothing, until
 * there is no such session any more. */
static void logs_in(void)
{
	static const char report[] = "\0\37A        S1                   1"
				     "\0\x0bSS\0\0\0\0\0\0\0\1S";
	struct soup_login l;

	begin("none", &none);
	memcpy(g.login.username, "perch", 6);
	g.login.beat_ms = 3000;
	l = session(NULL, 0, true);
	CU_ASSERT_STRING_EQUAL(l.username, "perch");
	CU_ASSERT(!l.session[0] && l.sequence == 1 && l.beat_ms == 3000);
	l = session(report, sizeof(report) - 1, true);
	CU_ASSERT(!l.session[0] && g.logins == 1 && g.reports == 1 && g.malformed == 0);
	l = session(NULL, 0, true);
	CU_ASSERT(strcmp(l.session, "S1") == 0 && l.sequence == 2);
	l = session("\0\1H", 3, true);
	CU_ASSERT(strcmp(l.session, "S1") == 0 && l.sequence == 2);
	l = session("\0\2JS", 4, true);
	CU_ASSERT(strcmp(l.session, "S1") == 0 && g.refused == 1);
	l = session("\0\2JA", 4, false);
	CU_ASSERT(!l.session[0] && l.sequence == 1 && g.refused == 2 && g.refusal[0]);
	end();
}

/* Reports that cannot be read are counted, what cannot be framed is the end. */
static void bad_reports(void)
{
	static const char unreadable[] = "\0\37A        S1                   1"
					 "\0\2SA" "\0\2S?" "\0\0";

	begin("none", &none);
	session(unreadable, sizeof(unreadable) - 1, true);
	CU_ASSERT(g.reports == 2 && g.malformed == 3);
	CU_ASSERT_EQUAL(g.soup.state, SOUP_OVER);
	end();
}

/* ---- rehearsals ----------------------------------------------------------------------------- */

enum { EVERY_US = 20 };

static struct desk_intent seen[64]; /* what rehearsals would have ordered */
static unsigned n_seen;

static bool note_rehearsal(struct gateway *of, const struct desk_intent *i)
{
	CU_ASSERT_PTR_EQUAL(of, &g);
	if (n_seen < 64)
		seen[n_seen++] = *i;
	return true;
}

/* So many times the gateway may rehearse; both symbols have a price. */
static void begin_warm(const struct gateway_link *link)
{
	begin("every", &none);
	atomic_store(&g.rehearsals.every_ns, EVERY_US * 1000);
	CU_ASSERT_EQUAL_FATAL(gateway_warm_open(&g, names), 0);
	tick(0, 1, 0, 'S', 10000);
	tick(0, 2, 1, 'S', 20000);
	e.now_ns += MS; /* long after the orders upon these */
	if (link)
		g.link = link;
}

static void warm(unsigned times)
{
	e.sleeps = times;
	gateway_warm(&g);
}

static uint64_t rehearsals(void)
{
	return g.rehearsals.whole + g.rehearsals.cut_short;
}

/* Up to the port, and nothing leaves; on both lines, as real ticks come. */
static void rehearses(void)
{
	const struct desk before = (begin_warm(NULL), g.desk);
	unsigned writes = e.writes, pushes = e.pushes;
	const struct books_counters *stage;

	warm(9);
	CU_ASSERT_EQUAL(g.rehearsals.whole, 10);
	CU_ASSERT_EQUAL(g.rehearsals.cut_short, 0);
	CU_ASSERT_EQUAL(e.warmed, 10);
	CU_ASSERT(e.writes == writes && e.pushes == pushes);
	CU_ASSERT_EQUAL(e.paused_ns, EVERY_US * 1000);
	CU_ASSERT_EQUAL(memcmp(&g.desk, &before, sizeof(before)), 0);
	CU_ASSERT_EQUAL(feed_line(g.rehearsals.stage->feed, 0)->packets, 10);
	CU_ASSERT_EQUAL(feed_line(g.rehearsals.stage->feed, 1)->packets, 10);
	stage = books_counters(g.rehearsals.stage->books);
	CU_ASSERT_EQUAL(stage->unknown_order, 1); /* what the first one deletes */
	CU_ASSERT_EQUAL(stage->no_room_orders, 0);
	end();
}

/* One after the other, at prices that are near what is known of each, and that move. */
static void rehearses_every_symbol(void)
{
	static const struct gateway_link link = {.rehearse = note_rehearsal};
	unsigned i, known, moved = 0;

	begin_warm(&link);
	n_seen = 0;
	warm(39);
	CU_ASSERT_EQUAL(n_seen, 40);
	for (i = 0; i < n_seen; i++) {
		CU_ASSERT_EQUAL(seen[i].symbol, i % 2);
		CU_ASSERT_EQUAL(seen[i].side, 'S');
		known = 10000u << i % 2;
		CU_ASSERT(seen[i].price >= known && seen[i].price < known + 8);
		moved += i > 1 && seen[i].price != seen[i - 2].price;
	}
	CU_ASSERT_EQUAL(moved, 38);
	g.desk.symbols[0].reference = 0; /* of one nothing is known */
	n_seen = 0;
	warm(9);
	for (i = 0; i < n_seen; i++)
		CU_ASSERT_EQUAL(seen[i].symbol, 1);
	CU_ASSERT_EQUAL(n_seen, 10);
	g.desk.symbols[1].reference = 0;
	n_seen = 0;
	warm(9);
	CU_ASSERT_EQUAL(n_seen, 0);
	end();
}

/* Not just after an order: what that has touched is warm. */
static void rests_after_an_order(void)
{
	begin_warm(NULL);
	CU_ASSERT_EQUAL(tick(0, 3, 0, 'S', 9900), 1);
	e.now_ns += EVERY_US * 1000 - 1;
	warm(0);
	CU_ASSERT_EQUAL(rehearsals(), 0);
	e.now_ns = g.order_ns + EVERY_US * 1000;
	warm(0);
	CU_ASSERT_EQUAL(rehearsals(), 1);
	end();
}

/* Nothing is even begun when the switch was pulled, without a session, or when none is wanted. */
static void does_not_rehearse(void)
{
	begin_warm(NULL);
	atomic_store(&g.killed, true);
	warm(9);
	CU_ASSERT_EQUAL(rehearsals(), 0);
	atomic_store(&g.killed, false);
	g.desk.session_open = false;
	warm(9);
	CU_ASSERT_EQUAL(rehearsals(), 0);
	g.desk.session_open = true;
	atomic_store(&g.rehearsals.every_ns, 0);
	warm(9);
	CU_ASSERT_EQUAL(rehearsals(), 0);
	CU_ASSERT_EQUAL(e.paused_ns, MS); /* until somebody wants some */
	atomic_store(&g.rehearsals.every_ns, EVERY_US * 1000);
	g.broken = true;
	warm(9);
	CU_ASSERT_EQUAL(g.rehearsals.cut_short, 10);
	g.broken = false;
	g.conn = NULL;
	warm(9);
	CU_ASSERT_EQUAL(g.rehearsals.cut_short, 20);
	CU_ASSERT_EQUAL(e.warmed, 0);
	end();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"a tick is an order", a_tick_is_an_order},
		{"killed", killed},
		{"asks again", asks_again},
		{"sent in part", sent_in_part},
		{"comes back", comes_back},
		{"logs in", logs_in},
		{"bad reports", bad_reports},
		{"rehearses", rehearses},
		{"rehearses every symbol", rehearses_every_symbol},
		{"rests after an order", rests_after_an_order},
		{"does not rehearse", does_not_rehearse},
		{NULL, NULL},
	};

	return suite_main("gateway", cases, argc, argv);
}
