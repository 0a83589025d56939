/* SPDX-License-Identifier: BSD-3-Clause
 * perch-exchange: a small exchange to test against. Accounts log in by SoupBinTCP and trade by
 * OUCH, or by FIX; what happens to the books is published as ITCH in MoldUDP64 packets on two
 * lines, with a re-request server. One lcore owns the books; the same orders give the same reports.
 * SIGHUP makes every session lose its connection.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/args.h"
#include "apps/exchange_fix.h"
#include "apps/feed/mold.h"
#include "apps/feed/place.h"
#include "apps/glimpse.h"
#include "apps/trade/market.h"
#include "apps/trade/session.h"
#include "apps/trade/text.h"

enum {
	SEATS = 64,	     /* connections at a time */
	PACKET_BYTES = 1400, /* of a MoldUDP64 packet */
	WRITE_BYTES = 16384, /* of reports in one write */
	LINES = 2,
	HOUSE_ORDERS = 256,    /* of the house at a time */
	BOOK_ORDERS = 1 << 17, /* more than can rest */
};

#define SECOND_NS INT64_C(1000000000)
#define DAY_NS	  (86400 * SECOND_NS)

struct seat { /* a connection; it outlives its handler's frames while they are parked */
	struct perch_conn *conn;
	struct soup_session soup;
	struct perch_ref writer;
	int account;   /* -1: not logged in */
	uint64_t next; /* the report that goes next */
	bool used, ending;
	uint8_t out[WRITE_BYTES];
};

static struct exchange {
	struct market *market;
	struct feed_session session;
	const char *session_text;
	enum ouch_version version;
	bool cancel_on_disconnect;
	_Atomic bool hang_up; /* set by a signal */
	struct seat seats[SEATS];
	struct perch_addr lines[LINES];
	unsigned n_lines;
	struct perch_udp *udp, *rerequests_udp; /* what comes from whom must be told apart */
	struct perch_ref publisher;
	uint64_t published;  /* the feed's next message to go */
	struct books *books; /* what the feed has made, below `booked`; NULL: no snapshots */
	uint64_t booked, glimpse_port;
	struct glimpse_server glimpse;
	uint64_t rerequest_port, house_per_second, seed;
	uint64_t refused_seats, refused_logins, protocol_errors, rerequests, replayed, packets;
} x;

static struct perch *engine; /* for the signal handler */

/* Both protocols count from midnight; this exchange's midnight is when its engine began. */
static int64_t today_ns(void)
{
	return perch_now() % DAY_NS;
}

/* ---- who must be told ----------------------------------------------------------------------- */

static bool reports_wait(const struct seat *s)
{
	return s->next < archive_next(market_reports(x.market, s->account));
}

static void wake_all(void)
{
	unsigned i;

	for (i = 0; i < SEATS; i++)
		if (x.seats[i].used && x.seats[i].account >= 0 && reports_wait(&x.seats[i]))
			perch_wake(engine, x.seats[i].writer, 0);
	exchange_fix_wake();
	if (x.published < archive_next(market_feed(x.market)))
		perch_wake(engine, x.publisher, 0);
}

/* ---- a session's way out -------------------------------------------------------------------- */

/* Reports that wait, as sequenced packets, as many as fit. Returns their bytes. */
static size_t gather(struct seat *s)
{
	const struct archive *log = market_reports(x.market, s->account);
	const void *data;
	size_t len, used = 0;

	while ((data = archive_get(log, s->next, &len)) && used + SOUP_HEAD + len <= WRITE_BYTES) {
		used += soup_put(s->out + used, SOUP_SEQUENCED, data, len);
		s->soup.next_sequence = ++s->next;
	}
	return used;
}

/* The child of a session's handler: reports as they come, heartbeats when none do. */
static void write_on(void *arg)
{
	struct seat *s = arg;
	size_t n;
	int rc = 0;

	while (rc == 0 || rc == -ETIMEDOUT) {
		n = s->account >= 0 && s->soup.state == SOUP_OPEN ? gather(s) : 0;
		if (n == 0 && s->soup.state == SOUP_OPEN &&
			soup_session_tick(&s->soup, perch_now()) == SOUP_SEND_BEAT)
			n = soup_beat_bytes(&s->soup, s->out);
		if (n == 0) {
			rc = perch_park(soup_session_due(&s->soup));
			continue;
		}
		soup_session_sent(&s->soup, perch_now());
		if (perch_write(s->conn, s->out, n, perch_now() + s->soup.dead_ns) < 0)
			break;
	}
}

/* ---- a session's way in --------------------------------------------------------------------- */

static void answer(struct seat *s, const uint8_t *out, size_t n)
{
	perch_write(s->conn, out, n, perch_now() + s->soup.dead_ns);
}

/* One session for an account at a time: the newer one has the better reason to be. */
static void take_over(struct seat *s, int account)
{
	unsigned i;

	for (i = 0; i < SEATS; i++)
		if (&x.seats[i] != s && x.seats[i].used && x.seats[i].account == account) {
			x.seats[i].ending = true;
			perch_cancel(engine, x.seats[i].writer);
			perch_shutdown(x.seats[i].conn);
		}
}

static void log_in(struct seat *s, const struct soup_login *l)
{
	int account = market_login(x.market, l->username, l->password);
	uint8_t out[SOUP_ACCEPTED_BYTES];
	uint64_t next;

	if (account < 0 || (l->session[0] && strcmp(l->session, x.session_text) != 0)) {
		x.refused_logins++;
		answer(s, out,
			soup_reject_bytes(&s->soup,
				account < 0 ? SOUP_NOT_AUTHORIZED : SOUP_NO_SESSION, perch_now(),
				out));
		return;
	}
	take_over(s, account);
	next = archive_next(market_reports(x.market, account));
	s->next = l->sequence && l->sequence < next ? l->sequence : next;
	x.replayed += next - s->next;
	answer(s, out, soup_accept_bytes(&s->soup, x.session_text, s->next, perch_now(), out));
	s->account = account;
	perch_wake(engine, s->writer, 0);
}

static void take_event(struct seat *s, const struct soup_event *ev)
{
	switch (ev->kind) {
	case SOUP_LOGIN_ASKED: log_in(s, &ev->login); break;
	case SOUP_MESSAGE:
		market_input(x.market, s->account, ev->data, ev->len, today_ns());
		wake_all();
		break;
	default: /* heartbeats; a logout ends the loop by its state */ break;
	}
}

/* Until the session is over, for whatever reason. */
static void read_on(struct seat *s)
{
	struct soup_event ev;
	size_t need = SOUP_HEAD;
	struct perch_bytes b;
	int64_t n;

	while (!s->ending && s->soup.state != SOUP_OVER && need <= PERCH_WANT_MAX) {
		b = perch_want(s->conn, need, s->soup.heard_ns + s->soup.dead_ns);
		if (b.len < (int64_t)need)
			return; /* the peer has gone, or says nothing */
		n = soup_session_next(&s->soup, b.data, (size_t)b.len, perch_now(), &ev);
		need = n == 0 ? ev.len : SOUP_HEAD;
		if (n > 0) {
			take_event(s, &ev);
			perch_take(s->conn, (size_t)n);
		}
		x.protocol_errors += n < 0;
	}
	x.protocol_errors += need > PERCH_WANT_MAX;
}

static struct seat *free_seat(void)
{
	unsigned i;

	for (i = 0; i < SEATS; i++)
		if (!x.seats[i].used)
			return &x.seats[i];
	x.refused_seats++;
	return NULL;
}

static void serve(struct perch_conn *c, void *arg)
{
	struct seat *s = free_seat();

	(void)arg;
	if (!s)
		return;
	s->used = true;
	s->ending = false;
	s->conn = c;
	s->account = -1;
	soup_session_begin(&s->soup, SOUP_IS_SERVER, perch_now());
	if (perch_spawn_ref(&s->writer, write_on, s, PERCH_CHILD) == 0) {
		read_on(s);
		perch_cancel_children();
		perch_wait_children(PERCH_FOREVER);
	}
	if (x.cancel_on_disconnect && s->account >= 0 && !s->ending) {
		market_cancel_all(x.market, s->account, NULL, 'D', today_ns());
		wake_all();
	}
	s->used = false;
}

/* ---- the feed ------------------------------------------------------------------------------- */

static void send_packet(uint64_t first, const struct perch_addr *only)
{
	uint8_t out[PACKET_BYTES];
	unsigned n, i;
	size_t len = archive_packet(
		market_feed(x.market), &x.session, first, UINT16_MAX - 1, out, sizeof(out), &n);

	if (only) {
		perch_send(x.rerequests_udp, only, out, len);
		return;
	}
	for (i = 0; i < x.n_lines; i++)
		perch_send(x.udp, &x.lines[i], out, len);
	x.published += n;
	x.packets++;
}

/* The books as the feed has made them so far, for a snapshot. */
static void book_on(void)
{
	const struct archive *feed = market_feed(x.market);
	const void *data;
	size_t len;

	for (; x.booked < archive_next(feed); x.booked++) {
		data = archive_get(feed, x.booked, &len);
		if (data)
			books_apply(x.books, data, len);
	}
}

static int open_books(void)
{
	const struct books_config cfg = {
		.max_books = MATCH_SYMBOLS, .max_orders = BOOK_ORDERS, .max_levels = BOOK_ORDERS};
	int rc = books_open(&x.books, &cfg);

	x.booked = 1;
	x.glimpse = (struct glimpse_server){.books = x.books,
		.feed = market_feed(x.market),
		.session = &x.session,
		.refresh = book_on};
	return rc < 0 ? rc : glimpse_open(&x.glimpse, MATCH_SYMBOLS, BOOK_ORDERS);
}

/* What has happened goes out at once; a heartbeat after a second in which nothing has. */
static void publish(void *arg)
{
	int rc;

	(void)arg;
	do {
		do
			send_packet(x.published, NULL);
		while (x.published < archive_next(market_feed(x.market)));
		if (x.books)
			book_on();
		rc = perch_park(perch_now() + SECOND_NS);
	} while (rc >= 0 || rc == -ETIMEDOUT);
}

static void serve_rerequests(void *arg)
{
	struct mold_request r;
	struct perch_datagram d;

	(void)arg;
	while (perch_recv(x.rerequests_udp, &d, PERCH_FOREVER) == 0) {
		if (mold_request(d.data, d.len, &r) < 0 ||
			memcmp(&r.session, &x.session, sizeof(r.session)) != 0) {
			x.protocol_errors++;
			continue;
		}
		x.rerequests++;
		send_packet(r.sequence, &d.from);
	}
}

/* ---- the house ------------------------------------------------------------------------------ */

static uint64_t dice(void)
{
	x.seed ^= x.seed >> 12;
	x.seed ^= x.seed << 25;
	x.seed ^= x.seed >> 27;
	return x.seed * UINT64_C(0x2545f4914f6cdd1d) >> 33;
}

/* Orders around a price that wanders, so that there is a market; old ones are taken off. */
static void trade_on(void *arg)
{
	uint64_t orders[HOUSE_ORDERS] = {0}, price = 1000000;
	unsigned i = 0, symbols = (unsigned)(uintptr_t)arg;
	int64_t due = perch_now(), step_ns = SECOND_NS / (int64_t)x.house_per_second;
	char side;

	while (perch_sleep(due += step_ns) == 0) {
		side = dice() % 2 ? 'B' : 'S';
		price += dice() % 3 * 100 - 100;
		if (orders[i])
			market_house_cancel(x.market, orders[i], today_ns());
		orders[i] = market_house(x.market, (uint16_t)(dice() % symbols), side,
			100 * (1 + (uint32_t)(dice() % 9)),
			price + (side == 'B' ? -(dice() % 10) : dice() % 10) * 100, today_ns());
		i = (i + 1) % HOUSE_ORDERS;
		wake_all();
	}
}

/* ---- SIGHUP: every session loses its connection --------------------------------------------- */

static void watch(void *arg)
{
	unsigned i;

	(void)arg;
	while (perch_sleep(perch_now() + SECOND_NS / 100) == 0) {
		if (!atomic_exchange(&x.hang_up, false))
			continue;
		exchange_fix_hang_up();
		for (i = 0; i < SEATS; i++)
			if (x.seats[i].used)
				perch_shutdown(x.seats[i].conn);
	}
}

/* ---- the app -------------------------------------------------------------------------------- */

/* Everything that has coroutines begins on the lcore. */
static void begin(void *arg)
{
	int rc = perch_bind(NULL, (uint16_t)x.rerequest_port, &x.rerequests_udp);

	if (rc == 0)
		rc = perch_bind(NULL, 0, &x.udp);
	if (rc == 0)
		rc = perch_spawn_ref(&x.publisher, publish, NULL, 0);
	if (rc == 0)
		rc = perch_spawn(serve_rerequests, NULL, 0);
	if (rc == 0)
		rc = perch_spawn(watch, NULL, 0);
	if (rc == 0 && x.house_per_second)
		rc = perch_spawn(trade_on, arg, PERCH_PRIVATE_STACK);
	if (rc < 0) {
		fprintf(stderr, "perch-exchange: cannot publish: %s\n", strerror(-rc));
		perch_stop(engine);
	}
}

static void on_signal(int sig)
{
	(void)sig;
	perch_stop(engine);
}

static void on_hup(int sig)
{
	(void)sig;
	atomic_store(&x.hang_up, true);
}

static void summary(void)
{
	const struct market_counters *c = market_counters(x.market);

	printf("perch-exchange: orders %" PRIu64 ", executions %" PRIu64 ", cancels %" PRIu64
	       ", rejects %" PRIu64 ", sent again %" PRIu64 ", malformed %" PRIu64
	       ", unknown orders %" PRIu64 ", mass cancels %" PRIu64 ", modified %" PRIu64
	       "\n",
		c->orders, c->executions, c->cancels, c->rejects, c->retransmitted, c->malformed,
		c->unknown_orders, c->mass_cancels, c->modified);
	printf("perch-exchange: feed messages %" PRIu64 " in %" PRIu64
	       " packets, re-requests %" PRIu64 ", reports replayed %" PRIu64
	       ", logins refused %" PRIu64 ", protocol errors %" PRIu64 ", no seat %" PRIu64 "\n",
		archive_next(market_feed(x.market)) - 1, x.packets, x.rerequests, x.replayed,
		x.refused_logins, x.protocol_errors, x.refused_seats);
	if (x.glimpse_port)
		printf("perch-exchange: snapshots %" PRIu64 "\n", x.glimpse.served);
	exchange_fix_summary();
}

static const char *fix_version; /* NULL: no FIX */
static uint64_t fix_port = 9002;

static void configure_fix(void)
{
	exchange_fix_configure(&(struct exchange_fix_config){.engine = engine,
		.market = x.market,
		.market_version = x.version,
		.version = fix_version,
		.id = x.session_text,
		.cancel_on_disconnect = x.cancel_on_disconnect,
		.today_ns = today_ns,
		.moved = wake_all});
}

static int serve_all(const struct args *a, uint64_t port, unsigned symbols)
{
	struct sigaction sa = {.sa_handler = on_signal}, hup = {.sa_handler = on_hup};
	int status = args_open(a, &engine), rc;

	if (status != EXIT_FINE)
		return status;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &hup, NULL);
	rc = perch_lcores(engine) == 1 ? 0 : -EINVAL;
	if (rc < 0)
		args_complain(a, "one lcore owns the books: give EAL one, as with -l 0");
	if (rc == 0)
		rc = perch_listen(engine, NULL, (uint16_t)port, serve, NULL);
	if (rc == 0 && fix_version)
		rc = perch_listen(engine, NULL, (uint16_t)fix_port, exchange_fix_serve, NULL);
	configure_fix();
	if (rc == 0 && x.glimpse_port)
		rc = perch_listen(
			engine, NULL, (uint16_t)x.glimpse_port, glimpse_serve, &x.glimpse);
	if (rc == 0)
		rc = perch_start(engine, 0, begin, (void *)(uintptr_t)symbols, 0);
	if (rc == 0) {
		printf("perch-exchange: serving %s port %" PRIu64 "\n", a->ips[0], port);
		fflush(stdout);
		rc = perch_run(engine);
		summary();
		args_summary(a, engine);
	}
	perch_close(engine);
	return rc == 0 ? EXIT_FINE : rc == -EINVAL ? EXIT_USAGE : EXIT_RUNTIME;
}

static int add_symbols(const struct args *a, const char *list)
{
	const char *at = list;
	char name[9];
	int n = 0;

	do {
		if (!text_piece(&at, name, sizeof(name)) || market_symbol(x.market, name, 0) < 0) {
			args_complain(a,
				"--symbols wants up to %d names of at most 8 letters, with commas, "
				"not '%s'",
				MATCH_SYMBOLS, list);
			exit(EXIT_USAGE);
		}
		n++;
	} while (*at);
	return n;
}

static int add_account(const char *name, const char *password)
{
	int account = market_account(x.market, name, password);

	return account < 0 || !fix_version ? account
					   : exchange_fix_account(account, name, password);
}

static void add_accounts(const struct args *a, const char *list)
{
	char piece[24], *colon;
	const char *at = list;

	configure_fix();
	do {
		colon = text_piece(&at, piece, sizeof(piece)) ? strchr(piece, ':') : NULL;
		if (colon)
			*colon++ = '\0';
		if (!colon || strlen(piece) > 6 || strlen(colon) > 10 ||
			add_account(piece, colon) < 0) {
			args_complain(a,
				"--accounts wants up to %d of USER:PASSWORD, of 6 and 10 letters, "
				"not '%s'",
				MARKET_ACCOUNTS, list);
			exit(EXIT_USAGE);
		}
	} while (*at);
}

static void add_line(const struct args *a, const char *name, const char *text)
{
	if (!text)
		return;
	if (place_parse(text, &x.lines[x.n_lines++]) == 0)
		return;
	args_complain(a, "%s wants ADDR:PORT, not '%s'", name, text);
	exit(EXIT_USAGE);
}

static enum ouch_version version(const struct args *a, const char *text)
{
	if (strcmp(text, "5.0") == 0)
		return OUCH_50;
	if (strcmp(text, "4.2") == 0)
		return OUCH_42;
	args_complain(a, "--ouch wants 5.0 or 4.2, not '%s'", text);
	exit(EXIT_USAGE);
}

static void choose_fix(const struct args *a, const char *text)
{
	if (!text)
		return;
	fix_version = strcmp(text, "4.2") == 0 ? "FIX.4.2" : "FIX.4.4";
	if (strcmp(text, "4.2") == 0 || strcmp(text, "4.4") == 0)
		return;
	args_complain(a, "--fix wants 4.2 or 4.4, not '%s'", text);
	exit(EXIT_USAGE);
}

int main(int argc, char **argv)
{
	const char *ouch = "5.0", *fix = NULL, *symbols = "PERCH", *accounts = "perch:perch",
		   *line_a = NULL, *line_b = NULL;
	uint64_t port = 9000, cancel = 0;
	const struct args_option own[] = {
		{"--port", ARGS_NUMBER, &port, 1, UINT16_MAX},
		{"--ouch", ARGS_TEXT, &ouch, 0, 0},
		{"--fix", ARGS_TEXT, &fix, 0, 0},
		{"--fix-port", ARGS_NUMBER, &fix_port, 1, UINT16_MAX},
		{"--symbols", ARGS_TEXT, &symbols, 0, 0},
		{"--accounts", ARGS_TEXT, &accounts, 0, 0},
		{"--session", ARGS_TEXT, &x.session_text, 0, 0},
		{"--line-a", ARGS_TEXT, &line_a, 0, 0},
		{"--line-b", ARGS_TEXT, &line_b, 0, 0},
		{"--rerequest-port", ARGS_NUMBER, &x.rerequest_port, 1, UINT16_MAX},
		{"--glimpse-port", ARGS_NUMBER, &x.glimpse_port, 1, UINT16_MAX},
		{"--house", ARGS_NUMBER, &x.house_per_second, 1, 10000000},
		{"--cancel-on-disconnect", ARGS_FLAG, &cancel, 0, 0},
		{NULL, ARGS_FLAG, NULL, 0, 0},
	};
	struct args a = {
		.app = "perch-exchange",
		.usage = "[--port N] [--ouch 5.0|4.2] [--fix 4.2|4.4] [--fix-port N] "
			 "[--symbols A,B] [--accounts USER:PASSWORD] "
			 "[--session NAME] [--line-a ADDR:PORT] [--line-b ADDR:PORT] "
			 "[--rerequest-port N] [--glimpse-port N] [--house ORDERS/S] "
			 "[--cancel-on-disconnect]",
	};
	struct market_config cfg = {0};
	int n, status;

	x.session_text = "PERCH001";
	x.rerequest_port = 9001;
	args_parse(&a, argc, argv, own);
	if (a.rest[0] || strlen(x.session_text) > 10 || !x.session_text[0]) {
		args_complain(&a,
			a.rest[0] ? "'%s' is one argument too many"
				  : "--session wants 1 to 10 letters, not '%s'",
			a.rest[0] ? a.rest[0] : x.session_text);
		return EXIT_USAGE;
	}
	choose_fix(&a, fix);
	cfg.version = x.version = version(&a, ouch);
	if (market_open(&x.market, &cfg) < 0) {
		args_complain(&a, "out of memory");
		return EXIT_RUNTIME;
	}
	x.published = 1;
	if (x.glimpse_port && open_books() < 0) {
		args_complain(&a, "out of memory");
		return EXIT_RUNTIME;
	}
	x.cancel_on_disconnect = cancel;
	x.session = mold_session(x.session_text);
	x.seed = a.cfg.seed ? a.cfg.seed : 1;
	n = add_symbols(&a, symbols);
	add_accounts(&a, accounts);
	add_line(&a, "--line-a", line_a);
	add_line(&a, "--line-b", line_b);
	market_phase(x.market, true, 0);
	status = serve_all(&a, port, (unsigned)n);
	exchange_fix_close();
	glimpse_close(&x.glimpse);
	books_close(x.books);
	market_close(x.market);
	return status;
}
