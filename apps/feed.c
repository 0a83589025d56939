/* SPDX-License-Identifier: BSD-3-Clause
 * perch-feed: joins the lines of a market-data feed, puts its messages in order, gets what is
 * missing, keeps order books, and says how long each step took.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/feed/itch.h"
#include "apps/feed/place.h"
#include "apps/feed_app.h"

#define US INT64_C(1000)
#define MS (1000 * US)

enum { SYMBOLS_MAX = 4096 };

struct options {
	const char *line[2], *source, *request, *glimpse, *publish, *symbols, *venue, *dump;
	uint64_t start, wait_us, tries, retry_ms, window, snapshot_over, silent_ms, quiet_ms;
	uint64_t max_orders;
};

static struct perch *engine; /* for the signal handler */

/* ---- messages ------------------------------------------------------------------------------- */

static void print_message(const struct feed_message *m)
{
	char text[ITCH_TEXT];
	struct itch i;

	if (itch_decode(m->data, m->len, &i) != -EBADMSG)
		printf("%" PRIu64 " %s\n", m->number, itch_text(&i, text));
}

static void take_messages(struct reader *r, struct feed_event *ev)
{
	struct books_message burst[READER_BURST];
	struct feed_message m;
	unsigned n = 0;

	while (feed_message(r->feed, ev, &m)) {
		r->messages++;
		if (!r->books)
			continue;
		if (r->print)
			print_message(&m);
		burst[n++] = (struct books_message){m.data, m.len};
		if (n == READER_BURST) {
			books_apply_burst(r->books, burst, n);
			n = 0;
		}
	}
	books_apply_burst(r->books, burst, n);
	if (r->first_ns == 0)
		r->first_ns = perch_now();
	r->last_ns = perch_now();
}

static void send(struct reader *r, const struct perch_addr *to, const void *data, size_t len)
{
	if (perch_send(r->ask, to, data, len) < 0)
		r->sent_refused++;
}

static void tell_tops(struct reader *r)
{
	char text[TOP_TEXT];
	uint32_t book;
	int n;

	if (!r->books || (!r->top && !r->has_publish))
		return;
	while (books_changed(r->books, &book, 1)) {
		n = top_text(r->books, book, text);
		if (r->top)
			printf("%.*s\n", n, text);
		if (r->has_publish)
			send(r, &r->publish, text, (size_t)n);
	}
}

/* ---- what becomes of the feed --------------------------------------------------------------- */

static void tell_event(const struct reader *r, const struct feed_event *ev)
{
	static const char *const names[] = {
		[FEED_SESSION] = "session", [FEED_GAP] = "gap", [FEED_FILLED] = "filled",
		[FEED_LOST] = "lost", [FEED_REQUEST] = "request", [FEED_SNAPSHOT] = "snapshot",
		[FEED_END] = "end of session", [FEED_SILENT] = "silent", [FEED_HEARD] = "heard",
	};
	static const char *const by[] = {" by line", " by request", " by snapshot"};
	char session[FEED_SESSION_TEXT] = "";

	if (ev->kind == FEED_SESSION)
		feed_session_text(r->cfg.venue, feed_session_of(r->feed), session);
	if (ev->kind == FEED_SILENT || ev->kind == FEED_HEARD)
		printf("line %c: %s\n", 'A' + ev->line, names[ev->kind]);
	else
		printf("%s %s%s%" PRIu64 "-%" PRIu64 "%s\n", names[ev->kind], session,
			session[0] ? " from " : "", ev->first, ev->end,
			ev->kind == FEED_FILLED ? by[ev->by] : "");
}

static void take_event(struct reader *r, struct feed_event *ev)
{
	if (r->events || ev->kind == FEED_LOST)
		tell_event(r, ev);
	switch (ev->kind) {
	case FEED_SESSION:
		r->sessions++;
		r->snapshot_wanted = false;
		if (r->books)
			books_clear(r->books);
		break;
	case FEED_REQUEST:
		if (ev->data)
			send(r, &r->request, ev->data, ev->len);
		break;
	case FEED_SNAPSHOT:
		r->snapshot_wanted = true;
		perch_wake(perch_self(), r->snapper, 0);
		break;
	case FEED_END:
		r->ended = true;
		if (!r->keep)
			perch_stop(perch_self());
		break;
	default:
		break;
	}
}

void reader_drain(struct reader *r)
{
	struct feed_event ev;

	while (feed_next(r->feed, &ev))
		if (ev.kind == FEED_DATA)
			take_messages(r, &ev);
		else
			take_event(r, &ev);
	tell_tops(r);
}

void reader_rearm(struct reader *r)
{
	if (feed_deadline(r->feed) < r->armed_ns)
		perch_wake(perch_self(), r->timer, 0);
}

static void timer(void *arg)
{
	struct reader *r = arg;
	int rc = 0;

	r->timer = perch_me();
	while (rc != -ECANCELED) {
		r->armed_ns = feed_deadline(r->feed);
		rc = perch_park(r->armed_ns);
		feed_tick(r->feed, perch_now());
		reader_drain(r);
	}
}

/* ---- lines ---------------------------------------------------------------------------------- */

static void take(struct reader *r, unsigned line, const struct perch_datagram *d)
{
	uint64_t before = r->messages;
	int64_t handler_ns = perch_clock(), book_ns;

	feed_input(r->feed, line, d->data, d->len, perch_now());
	reader_drain(r);
	if (r->messages > before) {
		book_ns = perch_clock();
		hist_record(&r->to_handler, handler_ns - d->time_ns);
		hist_record(&r->to_book, book_ns - handler_ns);
		hist_record(&r->to_end, book_ns - d->time_ns);
	}
	reader_rearm(r);
}

static void failed(struct reader *r, int rc)
{
	r->error = rc;
	perch_stop(perch_self());
}

/* A group's socket is bound to the group, so that A and B may have the same port. */
static int open_line(struct reader *r, unsigned line, struct perch_udp **u)
{
	const struct perch_addr *at = &r->line[line];
	bool group = place_is_group(at);
	int rc = perch_bind(group ? at : NULL, at->port, u);

	if (rc == 0 && group)
		rc = perch_join(*u, at, r->has_source ? &r->source : NULL);
	return rc;
}

static void read_line(struct reader *r, unsigned line)
{
	struct perch_datagram d;
	struct perch_udp *u;
	int rc = open_line(r, line, &u);

	if (rc < 0) {
		failed(r, rc);
		return;
	}
	while (perch_recv(u, &d, PERCH_FOREVER) == 0)
		take(r, line, &d);
}

static void line_a(void *arg)
{
	read_line(arg, 0);
}

static void line_b(void *arg)
{
	read_line(arg, 1);
}

/* The socket for requests is bound before the lines are, for they may need it at once. */
static void first(void *arg)
{
	struct reader *r = arg;
	struct perch_datagram d;
	int rc = perch_bind(NULL, 0, &r->ask);

	r->began_ns = perch_now();
	r->armed_ns = PERCH_FOREVER;
	if (rc == 0)
		rc = perch_spawn(timer, r, 0);
	if (rc == 0 && r->has_glimpse)
		rc = perch_spawn(snapshot_client, r, 0);
	if (rc == 0 && r->view)
		rc = perch_spawn(view_coroutine, r, 0);
	if (rc == 0)
		rc = perch_spawn(line_a, r, 0);
	if (rc == 0 && r->has_line[1])
		rc = perch_spawn(line_b, r, 0);
	if (rc < 0) {
		failed(r, rc);
		return;
	}
	while (perch_recv(r->ask, &d, PERCH_FOREVER) == 0)
		take(r, FEED_RECOVERY, &d);
}

static void stop_later(void *arg)
{
	struct reader *r = arg;

	perch_sleep(perch_now() + (int64_t)r->seconds * 1000 * MS);
	perch_stop(perch_self());
}

/* ---- the command line ----------------------------------------------------------------------- */

static bool place(const struct args *a, const char *name, const char *text,
	struct perch_addr *out)
{
	if (text && place_parse(text, out) < 0) {
		args_complain(a, "%s wants ADDR:PORT, not '%s'", name, text);
		exit(EXIT_USAGE);
	}
	return text != NULL;
}

static void check_options(const struct args *a, const struct options *o, struct reader *r)
{
	r->has_line[0] = place(a, "--line-a", o->line[0], &r->line[0]);
	r->has_line[1] = place(a, "--line-b", o->line[1], &r->line[1]);
	r->has_request = place(a, "--request", o->request, &r->request);
	r->has_glimpse = place(a, "--glimpse", o->glimpse, &r->glimpse);
	r->has_publish = place(a, "--top-to", o->publish, &r->publish);
	r->has_source = o->source != NULL;
	r->cfg.venue = feed_venue_by_name(o->venue);
	if (o->source && perch_addr_parse(o->source, 0, &r->source) < 0)
		args_complain(a, "--source wants an address, not '%s'", o->source);
	else if (!r->has_line[0])
		args_complain(a, "--line-a ADDR:PORT is missing");
	else if (!r->cfg.venue)
		args_complain(a, "--venue wants moldudp64, cme, nyse, cboe, iex, memx or eobi, "
			"not '%s'", o->venue);
	else if (r->cfg.venue != &feed_moldudp64 && (o->request || o->glimpse || o->symbols))
		args_complain(a, "--request, --glimpse and --symbols are for moldudp64");
	else
		return;
	exit(EXIT_USAGE);
}

static void set_feed(const struct options *o, struct reader *r)
{
	struct feed_config *c = &r->cfg;

	c->lines = r->has_line[1] ? 2 : 1;
	c->start = o->start;
	if (c->start == 0 && (r->has_request || r->has_glimpse))
		c->start = 1;
	c->window = (uint32_t)o->window;
	c->packet_bytes = r->args->cfg.mtu ? r->args->cfg.mtu : 1500;
	c->wait_ns = (int64_t)o->wait_us * US;
	c->tries = r->has_request ? (unsigned)o->tries : 0;
	c->retry_ns = (int64_t)o->retry_ms * MS;
	c->silent_ns = (int64_t)o->silent_ms * MS;
	c->quiet_ns = (int64_t)o->quiet_ms * MS;
	c->snapshot_tries = r->has_glimpse ? 3 : 0;
	c->snapshot_over = o->snapshot_over;
}

/* "AAPL,MSFT": cut up in place. */
static int open_books(const struct options *o, struct reader *r)
{
	static const char *symbols[SYMBOLS_MAX + 1];
	struct books_config cfg = {.max_orders = (uint32_t)o->max_orders};
	static char text[SYMBOLS_MAX * 9 + 1];
	unsigned n = 0;
	char *at;

	if (r->cfg.venue != &feed_moldudp64)
		return 0;
	if (o->symbols) {
		if (strlen(o->symbols) >= sizeof(text))
			return -EINVAL;
		strcpy(text, o->symbols);
		for (at = strtok(text, ","); at && n < SYMBOLS_MAX; at = strtok(NULL, ","))
			symbols[n++] = at;
		cfg.symbols = symbols;
	} else {
		cfg.max_books = 10000;
	}
	return books_open(&r->books, &cfg);
}

static void on_signal(int sig)
{
	(void)sig;
	perch_stop(engine);
}

static int run(const struct args *a, struct reader *r, const char *dump)
{
	struct sigaction sa = {.sa_handler = on_signal};
	int status = args_open(a, &engine), rc;

	if (status != EXIT_FINE)
		return status;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	rc = perch_start(engine, 0, first, r, 0);
	if (rc == 0 && r->seconds)
		rc = perch_start(engine, 0, stop_later, r, 0);
	if (rc == 0 && r->view)
		rc = view_start(r);
	if (rc == 0) {
		printf("perch-feed: listening\n");
		fflush(stdout);
		rc = perch_run(engine);
	}
	view_stop();
	if (rc < 0)
		r->error = rc;
	status = reader_report(r);
	if (dump && r->books && place_dump(r->books, dump) < 0) {
		args_complain(a, "cannot write %s", dump);
		status = EXIT_RUNTIME;
	}
	args_summary(a, engine);
	perch_close(engine);
	return status;
}

int main(int argc, char **argv)
{
	static struct reader r;
	struct options o = {.venue = "moldudp64", .wait_us = 1000, .tries = 5, .retry_ms = 20,
		.window = 4096, .snapshot_over = 10000, .quiet_ms = 5000, .max_orders = 1 << 20};
	const struct args_option own[] = {
		{"--line-a", ARGS_TEXT, &o.line[0], 0, 0},
		{"--line-b", ARGS_TEXT, &o.line[1], 0, 0},
		{"--source", ARGS_TEXT, &o.source, 0, 0},
		{"--venue", ARGS_TEXT, &o.venue, 0, 0},
		{"--request", ARGS_TEXT, &o.request, 0, 0},
		{"--glimpse", ARGS_TEXT, &o.glimpse, 0, 0},
		{"--start", ARGS_NUMBER, &o.start, 1, UINT64_C(1) << 60},
		{"--wait-us", ARGS_NUMBER, &o.wait_us, 0, 10000000},
		{"--tries", ARGS_NUMBER, &o.tries, 1, 1000},
		{"--retry-ms", ARGS_NUMBER, &o.retry_ms, 1, 100000},
		{"--window", ARGS_NUMBER, &o.window, 1, 1 << 20},
		{"--snapshot-over", ARGS_NUMBER, &o.snapshot_over, 1, UINT64_C(1) << 40},
		{"--silent-ms", ARGS_NUMBER, &o.silent_ms, 1, 10000000},
		{"--quiet-ms", ARGS_NUMBER, &o.quiet_ms, 1, 10000000},
		{"--symbols", ARGS_TEXT, &o.symbols, 0, 0},
		{"--max-orders", ARGS_NUMBER, &o.max_orders, 1, 1 << 30},
		{"--seconds", ARGS_NUMBER, &r.seconds, 1, 1000000},
		{"--top-to", ARGS_TEXT, &o.publish, 0, 0},
		{"--dump", ARGS_TEXT, &o.dump, 0, 0},
		{"--top", ARGS_FLAG, &r.top, 0, 0},
		{"--print", ARGS_FLAG, &r.print, 0, 0},
		{"--events", ARGS_FLAG, &r.events, 0, 0},
		{"--view", ARGS_FLAG, &r.view, 0, 0},
		{"--keep", ARGS_FLAG, &r.keep, 0, 0},
		{NULL, ARGS_FLAG, NULL, 0, 0},
	};
	struct args a = {
		.app = "perch-feed",
		.usage = "--line-a ADDR:PORT [--line-b ADDR:PORT] [--source ADDR] [--venue NAME] "
			 "[--request ADDR:PORT] [--glimpse ADDR:PORT] [--symbols A,B,...] "
			 "[--start N] [--wait-us N] [--tries N] [--retry-ms N] [--window N] "
			 "[--snapshot-over N] [--silent-ms N] [--quiet-ms N] [--max-orders N] "
			 "[--top] [--top-to ADDR:PORT] [--print] [--events] [--view] [--keep] "
			 "[--seconds N] [--dump PATH] [--idle busy|backoff]",
	};
	int status = EXIT_RUNTIME, rc;

	args_parse(&a, argc, argv, own);
	r.args = &a;
	if (a.rest[0]) {
		args_complain(&a, "'%s' is one argument too many", a.rest[0]);
		return EXIT_USAGE;
	}
	check_options(&a, &o, &r);
	set_feed(&o, &r);
	rc = open_books(&o, &r);
	if (rc == -EINVAL) {
		args_complain(&a, "--symbols wants names of 1 to 8 characters, each once");
		return EXIT_USAGE;
	}
	if (rc < 0 || feed_open(&r.feed, &r.cfg) < 0)
		args_complain(&a, "out of memory");
	else
		status = run(&a, &r, o.dump);
	feed_close(r.feed);
	books_close(r.books);
	return status;
}
