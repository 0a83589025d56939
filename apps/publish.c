/* SPDX-License-Identifier: BSD-3-Clause
 * perch-publish: a market for feeds to be tried on. ITCH 5.0 over MoldUDP64 on lines A and B, from
 * a seeded order flow or a file, lines as rough as one asks for, a re-request server, a GLIMPSE
 * snapshot server, heartbeats, the end of the session.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/args.h"
#include "apps/feed/archive.h"
#include "apps/feed/book.h"
#include "apps/feed/flow.h"
#include "apps/feed/place.h"
#include "apps/feed/rough.h"
#include "apps/glimpse.h"

#define US INT64_C(1000)
#define MS (1000 * US)
#define SECOND (1000 * MS)

enum {
	PACKET_MAX = 1400,     /* UDP payload; exchanges stay below it too */
	BURST = 32,            /* packets between looks at the rest of the world */
	FILE_SYMBOLS = 16384, FILE_ORDERS = 1 << 21,
};

struct options {
	const char *line[2], *session, *file, *dump, *speed;
	uint64_t symbols, live, messages, rate, per_packet;
	uint64_t loss_ppm[2], burst, duplicate_ppm, reorder_ppm, reorder_us, skew_us;
	uint64_t request_port, glimpse_port, partly, late_ms, deaf;
	uint64_t start_ms, beat_ms, end_ms, hops, pack_us;
};

struct market {
	struct options o;
	const struct args *args;
	struct perch_addr to[2];
	struct perch_udp *udp[2];
	struct rough *rough[2];   /* NULL: a smooth line */
	struct flow *flow;
	FILE *file;
	bool cut_off; /* it ends within a message */
	struct archive *archive;
	struct books *books;
	struct feed_session session;
	uint64_t sent;            /* the next number to be sent; what is made is ahead of it */
	double speed;             /* 0: as fast as it goes */
	int64_t began_ns, last_sent_ns, over_ns;
	uint64_t first_time_ns;   /* of the day's first message */
	struct itch_next {
		bool there;
		uint8_t bytes[UINT16_MAX];
		size_t len;
		uint64_t time_ns;
	} next;
	struct glimpse_server glimpse;
	uint64_t packets, beats, refused, requests, answered, bad_requests, too_long;
	int error;
};

static struct perch *engine; /* for the signal handler */

/* ---- where messages come from --------------------------------------------------------------- */

static bool from_file(struct market *m)
{
	uint8_t head[2] = {0};
	size_t n = fread(head, 1, 2, m->file);

	m->next.len = (size_t)head[0] << 8 | head[1];
	if (n == 2 && fread(m->next.bytes, 1, m->next.len, m->file) == m->next.len)
		return true;
	m->cut_off |= n > 0; /* at the end itself there is nothing */
	return false;
}

static bool from_flow(struct market *m)
{
	struct itch i;

	if (!flow_next(m->flow, &i))
		return false;
	m->next.len = itch_encode(&i, m->next.bytes);
	return true;
}

/* The next message of the day, not yet numbered. */
static bool look_ahead(struct market *m)
{
	struct itch i;

	if (m->next.there)
		return true;
	if (m->over_ns || !(m->file ? from_file(m) : from_flow(m)))
		return false;
	m->next.there = true;
	if (itch_decode(m->next.bytes, m->next.len, &i) != -EBADMSG)
		m->next.time_ns = i.time_ns;
	if (m->first_time_ns == 0)
		m->first_time_ns = m->next.time_ns;
	return true;
}

/* When it is due, at the speed that was asked for. */
static int64_t due_ns(const struct market *m)
{
	uint64_t day_ns = m->next.time_ns - m->first_time_ns;

	if (m->speed == 0 || m->next.time_ns < m->first_time_ns)
		return m->began_ns;
	return m->began_ns + (int64_t)((double)day_ns / m->speed);
}

static void make_messages(struct market *m, int64_t now_ns, unsigned max)
{
	size_t room = PACKET_MAX - MOLD_HEADER;

	while (max && look_ahead(m) && due_ns(m) <= now_ns) {
		if (m->next.len + 2 > room)
			break;
		room -= m->next.len + 2;
		m->next.there = false;
		if (archive_add(m->archive, m->next.bytes, m->next.len) == 0) {
			m->too_long++;
			continue;
		}
		books_apply(m->books, m->next.bytes, m->next.len);
		max--;
	}
	if (m->next.there && m->next.len + 2 > PACKET_MAX - MOLD_HEADER) {
		m->next.there = false; /* no packet could hold it */
		m->too_long++;
	}
}

/* ---- the lines ------------------------------------------------------------------------------ */

static void send_one(struct market *m, unsigned line, const void *data, size_t len)
{
	int rc = perch_send(m->udp[line], &m->to[line], data, len);

	if (rc < 0) {
		m->refused++;
		m->error = rc;
	}
}

static void send_both(struct market *m, const void *data, size_t len)
{
	unsigned i;

	for (i = 0; i < 2; i++)
		if (m->rough[i])
			rough_send(m->rough[i], data, len, perch_now());
		else if (m->udp[i])
			send_one(m, i, data, len);
	m->packets++;
	m->last_sent_ns = perch_now();
}

static int64_t send_delayed(struct market *m)
{
	int64_t due = INT64_MAX;
	const void *data;
	unsigned i;
	size_t len;

	for (i = 0; i < 2; i++) {
		if (!m->rough[i])
			continue;
		while ((data = rough_take(m->rough[i], perch_now(), &len)))
			send_one(m, i, data, len);
		due = rough_due(m->rough[i]) < due ? rough_due(m->rough[i]) : due;
	}
	return due;
}

static void send_bare(struct market *m, uint16_t count)
{
	uint8_t packet[MOLD_HEADER];

	m->beats++;
	send_both(m, packet,
		mold_put_header(packet, &m->session, archive_next(m->archive), count));
}

/* What is due goes out, at most a burst; then a heartbeat if it was quiet. */
static void send_due(struct market *m)
{
	uint8_t packet[PACKET_MAX];
	unsigned i, n;
	size_t len;

	/* What comes meanwhile shares packets, as an exchange's does when there is much of it. */
	if (perch_now() - m->last_sent_ns < (int64_t)m->o.pack_us * US)
		return;
	for (i = 0; i < BURST; i++) {
		make_messages(m, perch_now(), (unsigned)m->o.per_packet);
		len = archive_packet(m->archive, &m->session, m->sent, (unsigned)m->o.per_packet,
			packet, sizeof(packet), &n);
		if (n == 0)
			break;
		m->sent += n;
		send_both(m, packet, len);
	}
	if (perch_now() - m->last_sent_ns >= (int64_t)m->o.beat_ms * MS)
		send_bare(m, MOLD_BEAT);
}

static bool is_over(struct market *m)
{
	return !look_ahead(m) && m->sent == archive_next(m->archive);
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int publish_day(struct market *m)
{
	int64_t next_ns;
	int rc = 0;

	while (rc == 0 && !is_over(m)) {
		send_due(m);
		if (is_over(m))
			break; /* the end of the session need not wait for a heartbeat */
		next_ns = sooner(send_delayed(m), m->last_sent_ns + (int64_t)m->o.beat_ms * MS);
		if (m->next.there)
			next_ns = sooner(next_ns, due_ns(m));
		if (next_ns < m->last_sent_ns + (int64_t)m->o.pack_us * US)
			next_ns = sooner(send_delayed(m),
				m->last_sent_ns + (int64_t)m->o.pack_us * US);
		rc = next_ns > perch_now() ? perch_sleep(next_ns) : perch_yield();
	}
	return rc;
}

/* As long as end-of-session packets come, what was missed can be asked for. */
static void end_day(struct market *m)
{
	int64_t end_ns = perch_now() + (int64_t)m->o.end_ms * MS;
	int64_t beat_ns = (int64_t)(m->o.beat_ms < 100 ? m->o.beat_ms : 100) * MS, due;
	int rc = 0;

	m->over_ns = perch_now();
	while (rc == 0 && perch_now() < end_ns) {
		send_bare(m, MOLD_END);
		due = perch_now() + beat_ns;
		while (rc == 0 && perch_now() < due)
			rc = perch_sleep(sooner(due, send_delayed(m)));
	}
}

static void publisher(void *arg)
{
	struct market *m = arg;
	unsigned i;
	int rc = 0;

	for (i = 0; i < 2 && rc == 0; i++)
		if (m->o.line[i])
			rc = perch_bind(NULL, 0, &m->udp[i]);
	for (i = 0; i < 2 && rc == 0; i++)
		if (m->udp[i] && m->o.hops)
			perch_group_hops(m->udp[i], (uint8_t)m->o.hops);
	if (rc == 0)
		rc = perch_sleep(perch_now() + (int64_t)m->o.start_ms * MS);
	m->began_ns = m->last_sent_ns = perch_now();
	if (rc == 0 && publish_day(m) == 0)
		end_day(m);
	if (rc < 0 && rc != -ECANCELED)
		m->error = rc;
	perch_stop(perch_self());
}

/* ---- re-requests ---------------------------------------------------------------------------- */

struct late { /* an answer that takes its time */
	struct market *m;
	struct perch_udp *udp;
	struct perch_datagram d;
	struct mold_request r;
};

static void answer(struct market *m, struct perch_udp *u, const struct perch_datagram *d,
	const struct mold_request *r)
{
	unsigned n, max = m->o.partly && m->o.partly < r->count ? (unsigned)m->o.partly : r->count;
	uint8_t packet[PACKET_MAX];
	size_t len;

	len = archive_packet(m->archive, &m->session, r->sequence, max, packet, sizeof(packet), &n);
	if (n && perch_reply(u, d, packet, len) == 0)
		m->answered++;
}

static void answer_later(void *arg)
{
	struct late *l = arg;

	if (perch_sleep(perch_now() + (int64_t)l->m->o.late_ms * MS) == 0)
		answer(l->m, l->udp, &l->d, &l->r);
	free(l);
}

static void take_request(struct market *m, struct perch_udp *u, const struct perch_datagram *d,
	const struct mold_request *r)
{
	struct late *l;

	m->requests++;
	if (m->o.deaf)
		return;
	if (m->o.late_ms == 0) {
		answer(m, u, d, r);
		return;
	}
	l = malloc(sizeof(*l));
	if (!l)
		return;
	*l = (struct late){m, u, *d, *r};
	if (perch_spawn(answer_later, l, 0) < 0)
		free(l);
}

static void request_server(void *arg)
{
	struct market *m = arg;
	struct perch_datagram d;
	struct perch_udp *u;
	struct mold_request r;
	int rc = perch_bind(NULL, (uint16_t)m->o.request_port, &u);

	if (rc < 0) {
		m->error = rc;
		perch_stop(perch_self());
		return;
	}
	while (perch_recv(u, &d, PERCH_FOREVER) == 0)
		if (mold_request(d.data, d.len, &r) == 0 &&
			feed_same_session(&r.session, &m->session))
			take_request(m, u, &d, &r);
		else
			m->bad_requests++;
}

/* ---- snapshots ------------------------------------------------------------------------------ */

static void glimpse_server(void *arg)
{
	struct market *m = arg;
	int rc = perch_listen(perch_self(), NULL, (uint16_t)m->o.glimpse_port,
		glimpse_serve, &m->glimpse);

	if (rc < 0) {
		m->error = rc;
		perch_stop(perch_self());
	}
}

/* ---- set up --------------------------------------------------------------------------------- */

static void bad(const struct args *a, const char *what, const char *text)
{
	args_complain(a, "%s, not '%s'", what, text);
	exit(EXIT_USAGE);
}

static void check_options(const struct args *a, struct market *m)
{
	char *end;
	unsigned i;

	for (i = 0; i < 2; i++)
		if (m->o.line[i] && place_parse(m->o.line[i], &m->to[i]) < 0)
			bad(a, "a line wants ADDR:PORT", m->o.line[i]);
	if (!m->o.line[0])
		bad(a, "--line-a wants ADDR:PORT", "");
	if (strlen(m->o.session) > 10)
		bad(a, "--session wants at most ten characters", m->o.session);
	m->session = mold_session(m->o.session);
	if (strcmp(m->o.speed, "max") != 0) {
		m->speed = strtod(m->o.speed, &end);
		if (*end != '\0' || !(m->speed > 0 && m->speed < 1e9))
			bad(a, "--speed wants a number above 0, or max", m->o.speed);
	}
	if (m->o.file) {
		m->file = fopen(m->o.file, "rb");
		if (!m->file) {
			args_complain(a, "cannot read %s: %s", m->o.file, strerror(errno));
			exit(EXIT_USAGE);
		}
	}
}

static int open_lines(struct market *m, uint64_t seed)
{
	struct rough_config cfg = {.burst = (uint32_t)m->o.burst, .slots = 4096,
		.duplicate_ppm = (uint32_t)m->o.duplicate_ppm,
		.reorder_ppm = (uint32_t)m->o.reorder_ppm,
		.reorder_ns = (int64_t)m->o.reorder_us * US};
	unsigned i;
	int rc = 0;

	for (i = 0; i < 2 && rc == 0; i++) {
		cfg.loss_ppm = (uint32_t)m->o.loss_ppm[i];
		cfg.skew_ns = i ? (int64_t)m->o.skew_us * US : 0;
		cfg.seed = seed + i;
		if (m->o.line[i] && (cfg.loss_ppm || cfg.duplicate_ppm || cfg.reorder_ppm ||
				cfg.skew_ns))
			rc = rough_open(&m->rough[i], &cfg);
	}
	return rc;
}

static int open_market(struct market *m, uint64_t seed)
{
	uint64_t symbols = m->file ? FILE_SYMBOLS : m->o.symbols;
	uint64_t orders = m->file ? FILE_ORDERS : 2 * m->o.symbols * m->o.live;
	const struct flow_config flow = {.seed = seed, .symbols = (uint32_t)m->o.symbols,
		.live = (uint32_t)m->o.live, .messages = m->o.messages,
		.gap_ns = UINT64_C(1000000000) / m->o.rate};
	const struct books_config books = {.max_books = (uint32_t)symbols,
		.max_orders = (uint32_t)orders, .max_levels = (uint32_t)orders, .seed = seed};
	int rc = archive_open(&m->archive, 20, m->file ? 256 : ITCH_BYTES_MAX);

	m->sent = 1;
	if (rc == 0)
		rc = books_open(&m->books, &books);
	if (rc == 0 && !m->file)
		rc = flow_open(&m->flow, &flow);
	if (rc == 0)
		rc = open_lines(m, seed);
	m->glimpse = (struct glimpse_server){
		.books = m->books, .feed = m->archive, .session = &m->session};
	if (rc == 0 && m->o.glimpse_port)
		rc = glimpse_open(&m->glimpse, symbols, orders);
	return rc;
}

static void close_market(struct market *m)
{
	if (m->file)
		fclose(m->file);
	glimpse_close(&m->glimpse);
	rough_close(m->rough[0]);
	rough_close(m->rough[1]);
	flow_close(m->flow);
	books_close(m->books);
	archive_close(m->archive);
}

/* ---- the report ----------------------------------------------------------------------------- */

static void report_line(const struct market *m, unsigned i)
{
	const struct rough_counters *c;

	if (!m->rough[i])
		return;
	c = rough_counters(m->rough[i]);
	printf("line %c: %" PRIu64 " packets, lost %" PRIu64 ", doubled %" PRIu64
	       ", held back %" PRIu64 ", beyond its memory %" PRIu64 "\n",
		'A' + i, c->sent, c->lost, c->doubled, c->held_back, c->slots_full);
}

static int report(struct market *m)
{
	double s = (double)((m->over_ns ? m->over_ns : m->last_sent_ns) - m->began_ns) / 1e9;
	uint64_t n = archive_next(m->archive) - 1;

	printf("published %" PRIu64 " messages in %" PRIu64 " packets, %.3f s, %.0f messages/s; "
	       "refused by the stack %" PRIu64 "\n",
		n, m->packets - m->beats, s, s > 0 ? (double)n / s : 0.0, m->refused);
	report_line(m, 0);
	report_line(m, 1);
	printf("requests %" PRIu64 ", answered %" PRIu64 ", not understood %" PRIu64
	       "; snapshots %" PRIu64 "; too long for a packet %" PRIu64 "\n",
		m->requests, m->answered, m->bad_requests, m->glimpse.served, m->too_long);
	if (m->error)
		args_complain(m->args, "%s", strerror(-m->error));
	if (m->cut_off)
		args_complain(m->args, "%s ends within a message", m->o.file);
	if (m->o.dump && place_dump(m->books, m->o.dump) < 0) {
		args_complain(m->args, "cannot write %s", m->o.dump);
		return EXIT_RUNTIME;
	}
	return m->error || m->cut_off ? EXIT_RUNTIME : EXIT_FINE;
}

static void on_signal(int sig)
{
	(void)sig;
	perch_stop(engine);
}

static int serve(const struct args *a, struct market *m)
{
	struct sigaction sa = {.sa_handler = on_signal};
	int status = args_open(a, &engine), rc = 0;

	if (status != EXIT_FINE)
		return status;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	if (m->o.request_port)
		rc = perch_start(engine, 0, request_server, m, PERCH_PRIVATE_STACK);
	if (rc == 0 && m->o.glimpse_port)
		rc = perch_start(engine, 0, glimpse_server, m, 0);
	if (rc == 0)
		rc = perch_start(engine, 0, publisher, m, PERCH_PRIVATE_STACK);
	printf("perch-publish: session %s to %s%s%s\n", m->o.session, m->o.line[0],
		m->o.line[1] ? " and " : "", m->o.line[1] ? m->o.line[1] : "");
	fflush(stdout);
	if (rc == 0)
		rc = perch_run(engine);
	if (rc < 0)
		m->error = rc;
	status = report(m);
	args_summary(a, engine);
	perch_close(engine);
	return status;
}

int main(int argc, char **argv)
{
	static struct market m = {.o = {.session = "PERCH", .speed = "1", .symbols = 8, .live = 64,
		.messages = 100000, .rate = 100000, .per_packet = MOLD_COUNT_MAX, .burst = 1,
		.reorder_us = 100, .start_ms = 500, .beat_ms = 1000, .end_ms = 1000}};
	struct options *o = &m.o;
	const struct args_option own[] = {
		{"--line-a", ARGS_TEXT, &o->line[0], 0, 0},
		{"--line-b", ARGS_TEXT, &o->line[1], 0, 0},
		{"--hops", ARGS_NUMBER, &o->hops, 1, 255},
		{"--session", ARGS_TEXT, &o->session, 0, 0},
		{"--file", ARGS_TEXT, &o->file, 0, 0},
		{"--speed", ARGS_TEXT, &o->speed, 0, 0},
		{"--symbols", ARGS_NUMBER, &o->symbols, 1, 9999},
		{"--live", ARGS_NUMBER, &o->live, 1, 4096},
		{"--messages", ARGS_NUMBER, &o->messages, 1, UINT64_C(1) << 40},
		{"--rate", ARGS_NUMBER, &o->rate, 1, 1000000000},
		{"--per-packet", ARGS_NUMBER, &o->per_packet, 1, MOLD_COUNT_MAX},
		{"--pack-us", ARGS_NUMBER, &o->pack_us, 0, 1000000},
		{"--loss-a", ARGS_NUMBER, &o->loss_ppm[0], 0, 1000000},
		{"--loss-b", ARGS_NUMBER, &o->loss_ppm[1], 0, 1000000},
		{"--burst", ARGS_NUMBER, &o->burst, 1, 100000},
		{"--duplicate", ARGS_NUMBER, &o->duplicate_ppm, 0, 1000000},
		{"--reorder", ARGS_NUMBER, &o->reorder_ppm, 0, 1000000},
		{"--reorder-us", ARGS_NUMBER, &o->reorder_us, 1, 10000000},
		{"--skew-us", ARGS_NUMBER, &o->skew_us, 0, 10000000},
		{"--request-port", ARGS_NUMBER, &o->request_port, 1, UINT16_MAX},
		{"--glimpse-port", ARGS_NUMBER, &o->glimpse_port, 1, UINT16_MAX},
		{"--partly", ARGS_NUMBER, &o->partly, 1, UINT16_MAX},
		{"--late-ms", ARGS_NUMBER, &o->late_ms, 1, 100000},
		{"--deaf", ARGS_FLAG, &o->deaf, 0, 0},
		{"--start-ms", ARGS_NUMBER, &o->start_ms, 0, 1000000},
		{"--beat-ms", ARGS_NUMBER, &o->beat_ms, 1, 1000000},
		{"--end-ms", ARGS_NUMBER, &o->end_ms, 1, 1000000},
		{"--dump", ARGS_TEXT, &o->dump, 0, 0},
		{NULL, ARGS_FLAG, NULL, 0, 0},
	};
	struct args a = {
		.app = "perch-publish",
		.usage = "--line-a ADDR:PORT [--line-b ADDR:PORT] [--session TEXT] [--seed N] "
			 "[--symbols N] [--live N] [--messages N] [--rate N] [--file PATH] "
			 "[--speed N|max] [--per-packet N] [--pack-us N] "
			 "[--loss-a PPM] [--loss-b PPM] [--burst N] [--duplicate PPM] "
			 "[--reorder PPM] [--reorder-us N] "
			 "[--skew-us N] [--request-port N] [--partly N] [--late-ms N] [--deaf] "
			 "[--glimpse-port N] [--start-ms N] [--beat-ms N] [--end-ms N] "
			 "[--hops N] [--dump PATH] [--idle busy|backoff]",
	};
	int status = EXIT_RUNTIME;

	args_parse(&a, argc, argv, own);
	m.args = &a;
	if (a.rest[0]) {
		args_complain(&a, "'%s' is one argument too many", a.rest[0]);
		return EXIT_USAGE;
	}
	check_options(&a, &m);
	if (open_market(&m, a.cfg.seed ? a.cfg.seed : 1) < 0)
		args_complain(&a, "out of memory");
	else
		status = serve(&a, &m);
	close_market(&m);
	return status;
}
