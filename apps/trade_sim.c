/* SPDX-License-Identifier: BSD-3-Clause
 * perch-trade-sim: tick to trade, measured. Two engines in one process, joined by shared memory:
 * one is an exchange that sends a tick on UDP lines A and B at fixed times, the other is
 * perch-gateway's feed, desk and session, which answers every tick with an order over TCP.
 *
 * Every tick is a new best bid of its own price, and the order names that price, so the exchange
 * knows which tick it answers. Latency counts from when the tick was due, not from when a late
 * sender got round to it.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/args.h"
#include "apps/feed/itch.h"
#include "apps/feed/mold.h"
#include "apps/gateway.h"
#include "apps/trade/text.h"

enum {
	LIVE = 64,	    /* ticks before an order of the feed is deleted again */
	BASE_PRICE = 10000, /* of the first tick */
	RUNS = 8,
	WARM_UP = 3000, /* ticks before those that are counted; of slow runs, those of a second */
	AIM_NS = 600,	/* of a packet's way through the gateway */
	LOGIN_PORT = 9000,
	LINE_PORT = 5001,
};

#define SECOND_NS   INT64_C(1000000000)
#define EXCHANGE_IP "10.99.0.2"
#define GATEWAY_IP  "10.99.0.1"

struct run {
	uint64_t times;		      /* the base rate */
	int64_t warm_ns;	      /* the gateway's rehearsals, 0: none */
	uint64_t whole, cut_short;    /* rehearsals, see gateway.h */
	uint64_t ticks, orders, late; /* late: sent more than 10 us after they were due */
	struct hist answer;	      /* ns from due to the order read by the exchange */
	struct hist send;	      /* ns inside the gateway, see gateway.h */
	struct hist stage[GATEWAY_STAGES]; /* with --stages */
	struct hist bare;	      /* ns that a loop took that was to take AIM_NS */
};

static struct sim {
	struct perch *exchange;
	struct run runs[RUNS];
	unsigned n_runs;
	uint64_t rate, ticks, rx_burst, warm_us;
	/* The exchange. */
	struct soup_session soup;
	struct perch_conn *conn;
	struct perch_udp *udp;
	struct perch_addr lines[GATEWAY_LINES];
	struct feed_session session;
	uint64_t sequence; /* of the feed's next message */
	uint64_t sent;	   /* ticks, over all runs */
	uint64_t answered, strange;
	struct run *run; /* NULL: not measuring */
	uint64_t chance;	   /* state of the generator that spreads the ticks */
	int64_t *due_ns;    /* by tick */
	bool ready, failed, stages;
	_Atomic bool bare_done;
} s = {.chance = 1};

static struct gateway g;
static struct gateway_stamps stamps; /* of the run that is on */

/* ---- the exchange: ticks -------------------------------------------------------------------- */

static size_t put_block(uint8_t *at, const struct itch *m)
{
	size_t len = itch_encode(m, at + 2);

	at[0] = (uint8_t)(len >> 8);
	at[1] = (uint8_t)len;
	s.sequence++;
	return 2 + len;
}

/* A new best bid, and the end of an old one, in one packet on both lines. */
static void send_tick(uint64_t tick)
{
	struct itch add = {
		.type = 'A', .locate = 1, .time_ns = (uint64_t)(perch_now() % SECOND_NS)};
	struct itch del = {.type = 'D', .locate = 1, .time_ns = add.time_ns};
	uint8_t out[256];
	size_t len;
	unsigned i;

	add.add = (struct itch_add){.ref = tick + 1,
		.side = 'B',
		.shares = 100,
		.stock = "PERCH   ",
		.price = (uint32_t)(BASE_PRICE + tick)};
	len = mold_put_header(out, &s.session, s.sequence, tick < LIVE ? 1 : 2);
	len += put_block(out + len, &add);
	if (tick >= LIVE) {
		del.delete.ref = tick + 1 - LIVE;
		len += put_block(out + len, &del);
	}
	for (i = 0; i < GATEWAY_LINES; i++)
		perch_send(s.udp, &s.lines[i], out, len);
}

/* Ticks do not come at even intervals: the kernel's timer does, and would meet all or none of them.
 * Half to one and a half times the mean; xorshift64 (Marsaglia 2003). */
static int64_t next_gap(int64_t mean_ns)
{
	s.chance ^= s.chance << 13;
	s.chance ^= s.chance >> 7;
	s.chance ^= s.chance << 17;
	return mean_ns / 2 + (int64_t)(s.chance % (uint64_t)mean_ns);
}

/* Send so many ticks, then wait for their orders. Returns how many left late. */
static uint64_t send_ticks(uint64_t n, int64_t mean_ns)
{
	int64_t due = perch_now() + next_gap(mean_ns);
	uint64_t wanted = s.answered + n, late = 0;

	for (; n > 0; n--, due += next_gap(mean_ns)) {
		do /* a late tick leaves in a turn of its own, too */
			if (perch_yield() < 0)
				return late;
		while (perch_clock() < due);
		s.due_ns[s.sent] = due;
		late += perch_clock() - due > 10000;
		send_tick(s.sent++);
	}
	for (due = perch_now() + SECOND_NS; s.answered < wanted && perch_now() < due;)
		if (perch_yield() < 0)
			break;
	return late;
}

/* The gateway's lcore, with nothing to do: how long something takes that should take AIM_NS. More
 * was taken by the machine, and would have been taken from an order as well. */
static void run_bare(void *arg)
{
	struct run *r = arg;
	int64_t begin = perch_clock(), end = begin + SECOND_NS / 2, now;

	for (; begin < end; begin = now) {
		do
			now = perch_clock();
		while (now - begin < AIM_NS);
		hist_record(&r->bare, now - begin);
	}
	atomic_store(&s.bare_done, true);
}

static void measure_bare(struct run *r)
{
	atomic_store(&s.bare_done, false);
	if (perch_start(g.engine, 0, run_bare, r, 0) < 0)
		return;
	while (!atomic_load(&s.bare_done) && perch_sleep(perch_now() + SECOND_NS / 1000) == 0)
		;
}

/* The gateway is quiet whenever its numbers are looked at here. */
static void one_run(struct run *r)
{
	int64_t mean_ns = SECOND_NS / (int64_t)(s.rate * r->times);

	measure_bare(r);
	atomic_store(&g.rehearsals.every_ns, r->warm_ns);
	send_ticks(mean_ns * WARM_UP > SECOND_NS ? SECOND_NS / mean_ns : WARM_UP, mean_ns);
	memset(&g.send, 0, sizeof(g.send));
	memset(&stamps, 0, sizeof(stamps));
	r->whole = g.rehearsals.whole;
	r->cut_short = g.rehearsals.cut_short;
	s.run = r;
	r->late = send_ticks(s.ticks, mean_ns);
	s.run = NULL;
	r->ticks = s.ticks;
	r->send = g.send;
	r->whole = g.rehearsals.whole - r->whole;
	r->cut_short = g.rehearsals.cut_short - r->cut_short;
	memcpy(r->stage, stamps.took, sizeof(r->stage));
}

static void run_all(void *arg)
{
	int64_t patience = perch_now() + 10 * SECOND_NS;
	unsigned i;

	(void)arg;
	if (perch_bind(NULL, 0, &s.udp) < 0)
		s.failed = true;
	while (!s.ready && perch_now() < patience &&
		perch_sleep(perch_now() + SECOND_NS / 100) == 0)
		;
	s.failed |= !s.ready;
	for (i = 0; i < s.n_runs && !s.failed; i++)
		one_run(&s.runs[i]);
	perch_stop(g.engine);
	perch_stop(s.exchange);
}

/* ---- the exchange: orders ------------------------------------------------------------------- */

static void take_order(const struct soup_event *ev)
{
	struct ouch o;
	uint64_t tick;

	if (ouch_decode(OUCH_50, OUCH_CLIENT, ev->data, ev->len, &o) < 0 || o.type != OUCH_ENTER ||
		o.price < BASE_PRICE || o.price - BASE_PRICE >= s.sent) {
		s.strange++;
		return;
	}
	tick = o.price - BASE_PRICE;
	s.answered++;
	if (!s.run)
		return;
	s.run->orders++;
	hist_record(&s.run->answer, perch_clock() - s.due_ns[tick]);
}

/* Accepted and dead at once: one report for each order. */
static void report_all(uint64_t first, uint64_t end)
{
	struct ouch r = {.type = OUCH_ACCEPTED, .state = 'D', .symbol = "PERCH", .side = 'S'};
	uint8_t out[SOUP_HEAD + OUCH_MAX];
	int n;

	for (r.ref = first; r.ref < end; r.ref++) {
		n = ouch_encode(OUCH_50, OUCH_SERVER, &r, out + SOUP_HEAD);
		perch_write(
			s.conn, out, soup_put(out, SOUP_SEQUENCED, NULL, (size_t)n), PERCH_FOREVER);
	}
}

static void log_in(void)
{
	uint8_t out[SOUP_ACCEPTED_BYTES];

	perch_write(
		s.conn, out, soup_accept_bytes(&s.soup, "SIM", 1, perch_now(), out), PERCH_FOREVER);
	s.ready = true;
}

static void serve(struct perch_conn *c, void *arg)
{
	uint64_t reported = 1, orders = 0;
	size_t need = SOUP_HEAD;
	struct soup_event ev;
	struct perch_bytes b;
	int64_t n;

	(void)arg;
	s.conn = c;
	soup_session_begin(&s.soup, SOUP_IS_SERVER, perch_now());
	while ((b = perch_want(c, need, PERCH_FOREVER)).len >= (int64_t)need) {
		n = soup_session_next(&s.soup, b.data, (size_t)b.len, perch_now(), &ev);
		if (n < 0)
			return;
		need = n == 0 ? ev.len : SOUP_HEAD;
		if (n > 0 && ev.kind == SOUP_MESSAGE) {
			take_order(&ev);
			orders++;
		}
		if (n > 0)
			perch_take(c, (size_t)n);
		if (n > 0 && ev.kind == SOUP_LOGIN_ASKED)
			log_in();
		report_all(reported, orders + 1);
		reported = orders + 1;
	}
}

/* ---- the table and the plot ----------------------------------------------------------------- */

static const char *const stage_names[GATEWAY_STAGES] = {
	[GATEWAY_RX] = "  receive burst (net_memif)",
	[GATEWAY_INPUT] = "  Ethernet, IP, UDP",
	[GATEWAY_WOKEN] = "  timers, coroutine made ready",
	[GATEWAY_RECV] = "  switched to, perch_recv",
	[GATEWAY_FEED] = "  feed: the first copy",
	[GATEWAY_BOOK] = "  book",
	[GATEWAY_DECIDE] = "  top of book, strategy",
	[GATEWAY_QUEUED] = "  limits, order, TCP send queue",
	[GATEWAY_OUTPUT] = "  segment, headers",
	[GATEWAY_TX] = "  transmit burst (net_memif)",
};

static void print_run(const struct run *r)
{
	printf("%5" PRIu64 "x%s ", r->times, r->warm_ns ? "w" : " ");
}

static void print_row(const struct run *r, const char *what, const struct hist *h)
{
	print_run(r);
	printf("%-38s %9" PRIu64 "  %8.2f %8.2f %8.2f %8.2f %9.2f\n", what, h->count,
		hist_mean(h) / 1e3,
		(double)hist_quantile(h, 0.5) / 1e3,
		(double)hist_quantile(h, 0.99) / 1e3, (double)hist_quantile(h, 0.999) / 1e3,
		(double)h->max / 1e3);
}

static void print_stages(const struct run *r)
{
	unsigned i;

	for (i = 0; i < GATEWAY_STAGES; i++)
		print_row(r, stage_names[i], &r->stage[i]);
}

static void print_notes(const struct run *r)
{
	if (r->warm_ns) {
		print_run(r);
		printf("%" PRIu64 " orders rehearsed, %" PRIu64 " cut short\n", r->whole,
			r->cut_short);
	}
	if (r->orders < r->ticks) {
		print_run(r);
		printf("%" PRIu64 " of %" PRIu64 " ticks had no order\n", r->ticks - r->orders,
			r->ticks);
	}
	if (r->late) {
		print_run(r);
		printf("%" PRIu64 " ticks left more than 10 us after they were due\n", r->late);
	}
}

static void print_table(void)
{
	unsigned i;

	printf("tick to trade over shared memory (net_memif), 1x = %" PRIu64
	       " ticks/s, microseconds\n",
		s.rate);
	printf("%6s  %-38s %9s  %8s %8s %8s %8s %9s\n", "rate", "from -> to", "count", "mean",
		"p50", "p99", "p99.9", "max");
	for (i = 0; i < s.n_runs; i++) {
		print_row(&s.runs[i], "tick due -> order at the exchange", &s.runs[i].answer);
		print_row(&s.runs[i], "rx burst back -> order's tx burst back", &s.runs[i].send);
		if (s.stages)
			print_stages(&s.runs[i]);
		print_row(&s.runs[i], "for comparison: a bare loop of 0.6", &s.runs[i].bare);
		print_notes(&s.runs[i]);
	}
}

/* Latency over the part of orders that are no slower, tails stretched out, by gnuplot. */
static int plot(const char *path)
{
	FILE *p = popen("gnuplot", "w");
	unsigned i, k;
	double q;

	if (!p)
		return -errno;
	fprintf(p,
		"set term svg size 800,500\nset output '%s'\nset logscale xy\nset grid\n"
		"set xlabel '1 / (1 - quantile)'\nset ylabel 'microseconds, tick to order'\n"
		"set key top left\nplot ",
		path);
	for (i = 0; i < s.n_runs; i++)
		fprintf(p, "%s'-' with lines lw 2 title '%" PRIu64 "x%s'", i ? ", " : "",
			s.runs[i].times, s.runs[i].warm_ns ? ", warm" : "");
	fprintf(p, "\n");
	for (i = 0; i < s.n_runs; i++) {
		for (k = 0, q = 1.0; k < 50; k++, q *= 0.8)
			fprintf(p, "%g %g\n", 1 / q,
				(double)hist_quantile(&s.runs[i].answer, 1 - q) / 1e3);
		fprintf(p, "e\n");
	}
	return pclose(p) == 0 ? 0 : -EIO;
}

/* ---- two engines ---------------------------------------------------------------------------- */

static int open_engine(const char *app, struct perch **e, const struct perch_config *base,
	const char *vdev, const char *port, const char *ip)
{
	const char *vdevs[] = {vdev, NULL}, *addrs[] = {ip, NULL};
	struct perch_config cfg = *base;
	struct perch_why why = {""};
	int rc;

	cfg.vdevs = vdevs;
	cfg.port = port;
	cfg.addrs = addrs;
	rc = perch_open(e, &cfg, &why);
	if (rc < 0)
		fprintf(stderr, "%s: %s\n", app, why.text);
	return rc;
}

static void *run_exchange(void *arg)
{
	return perch_run(arg) == 0 ? NULL : arg;
}

static int run_both(void)
{
	pthread_t thread;
	void *failed;
	int rc = perch_listen(s.exchange, NULL, LOGIN_PORT, serve, NULL);

	if (rc == 0)
		rc = perch_start(s.exchange, 0, run_all, NULL, 0);
	if (rc == 0)
		rc = perch_start(g.engine, 0, gateway_session, &g, 0);
	if (rc == 0)
		rc = perch_start(g.engine, 0, gateway_feed, &g, 0);
	if (rc == 0 && g.rehearsals.stage)
		rc = perch_start(g.engine, 0, gateway_warm, &g, 0);
	if (rc == 0)
		rc = -pthread_create(&thread, NULL, run_exchange, s.exchange);
	if (rc < 0)
		return rc;
	rc = perch_run(g.engine);
	pthread_join(thread, &failed);
	return rc < 0 ? rc : failed || s.failed ? -EIO : 0;
}

static void on_signal(int sig)
{
	(void)sig;
	perch_stop(g.engine);
	perch_stop(s.exchange);
}

static int measure(const char *app, const uint64_t cpus[2])
{
	const int exchange_cpu = (int)cpus[0], gateway_cpu = (int)cpus[1];
	struct perch_config cfg = {.no_huge = true, .memory_mb = 512, .cpus = &exchange_cpu};
	char dir[] = "/tmp/perch-trade-sim-XXXXXX", a[128], b[128];
	struct sigaction sa = {.sa_handler = on_signal};
	int rc;

	if (!mkdtemp(dir))
		return -errno;
	snprintf(a, sizeof(a), "net_memif0,role=server,id=0,socket-abstract=no,socket=%s/memif",
		dir);
	snprintf(b, sizeof(b), "net_memif1,role=client,id=0,socket-abstract=no,socket=%s/memif",
		dir);
	rc = open_engine(app, &s.exchange, &cfg, a, "net_memif0", EXCHANGE_IP "/24");
	cfg.cpus = &gateway_cpu;
	cfg.rx_burst = (uint16_t)s.rx_burst;
	cfg.stamp_turns = s.stages;
	g.stamps = s.stages ? &stamps : NULL;
	if (rc == 0)
		rc = open_engine(app, &g.engine, &cfg, b, "net_memif1", GATEWAY_IP "/24");
	if (rc == 0) {
		sigaction(SIGINT, &sa, NULL);
		sigaction(SIGTERM, &sa, NULL);
		rc = run_both();
		if (rc < 0)
			fprintf(stderr, "%s: the two did not come together: %s\n", app,
				strerror(-rc));
	}
	perch_close(g.engine);
	perch_close(s.exchange);
	snprintf(a, sizeof(a), "%s/memif", dir);
	unlink(a);
	rmdir(dir);
	return rc;
}

/* ---- the app -------------------------------------------------------------------------------- */

static int open_all(void)
{
	static const char *const symbols[] = {"PERCH", NULL};
	const struct desk_limits l = {.max_open = 2048};
	unsigned i;
	int rc = desk_open(&g.desk, OUCH_50, &l, 1, "");

	g.link = &gateway_ouch;
	g.strategy = strategy_find("every");
	g.login = (struct soup_login){.username = "perch", .password = "perch"};
	g.n_lines = GATEWAY_LINES;
	perch_addr_parse(EXCHANGE_IP, LOGIN_PORT, &g.exchange);
	for (i = 0; i < GATEWAY_LINES; i++) {
		perch_addr_parse(GATEWAY_IP, (uint16_t)(LINE_PORT + i), &g.lines[i]);
		s.lines[i] = g.lines[i];
	}
	s.session = mold_session("SIM");
	s.sequence = 1;
	if (rc == 0)
		rc = desk_symbol(&g.desk, "PERCH");
	if (rc == 0)
		rc = gateway_feed_open(&g, symbols);
	if (rc == 0 && s.warm_us)
		rc = gateway_warm_open(&g, symbols);
	s.due_ns = calloc(s.n_runs * (s.ticks + WARM_UP), sizeof(*s.due_ns));
	return rc < 0 ? rc : s.due_ns ? 0 : -ENOMEM;
}

static const char usage[] = "usage: perch-trade-sim [--rate TICKS/S] [--times 1,8] [--ticks N] "
			    "[--cpus A,B] [--rx-burst N] [--warm US] [--stages] "
			    "[--plot FILE.svg]";

static void complain(const char *name, const char *text)
{
	fprintf(stderr, "perch-trade-sim: %s does not take '%s'\n%s\n", name, text, usage);
	exit(EXIT_USAGE);
}

static unsigned numbers(
	const char *name, const char *text, uint64_t *out, unsigned max, uint64_t most)
{
	const char *at = text;
	char piece[24], *end;
	unsigned n = 0;

	while (n < max && text_piece(&at, piece, sizeof(piece))) {
		out[n] = strtoull(piece, &end, 10);
		if (piece[0] < '0' || piece[0] > '9' || *end || out[n] > most)
			complain(name, text);
		n++;
	}
	if (*at || n == 0)
		complain(name, text);
	return n;
}

/* With --warm each rate has two: as it is, and with rehearsals. */
static void plan_runs(const uint64_t times[RUNS])
{
	unsigned i, each = s.warm_us ? 2 : 1;

	if (s.n_runs * each > RUNS)
		complain("--times", "so many, with --warm");
	s.n_runs *= each;
	for (i = 0; i < s.n_runs; i++) {
		s.runs[i].times = times[i / each];
		s.runs[i].warm_ns = i % each ? (int64_t)s.warm_us * 1000 : 0;
		if (s.rate * s.runs[i].times == 0)
			complain("--times", "0");
	}
}

int main(int argc, char **argv)
{
	uint64_t times[RUNS] = {1, 8}, cpus[2] = {0, 1};
	const char *picture = NULL;
	int k, rc;

	s.rate = 20000;
	s.ticks = 100000;
	s.n_runs = 2;
	s.rx_burst = 1;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		cpus[1] = 0;
	for (k = 1; k < argc; k += 2) {
		if (strcmp(argv[k], "--help") == 0) {
			printf("%s\n", usage);
			return EXIT_FINE;
		}
		if (strcmp(argv[k], "--stages") == 0) {
			s.stages = true;
			k--;
			continue;
		}
		if (k + 1 == argc)
			complain(argv[k], "");
		if (strcmp(argv[k], "--rate") == 0)
			numbers(argv[k], argv[k + 1], &s.rate, 1, 10000000);
		else if (strcmp(argv[k], "--ticks") == 0)
			numbers(argv[k], argv[k + 1], &s.ticks, 1, 10000000);
		else if (strcmp(argv[k], "--rx-burst") == 0)
			numbers(argv[k], argv[k + 1], &s.rx_burst, 1, 32);
		else if (strcmp(argv[k], "--warm") == 0 && strcmp(argv[k + 1], "0") != 0)
			numbers(argv[k], argv[k + 1], &s.warm_us, 1, 1000000);
		else if (strcmp(argv[k], "--times") == 0)
			s.n_runs = numbers(argv[k], argv[k + 1], times, RUNS, 1000);
		else if (strcmp(argv[k], "--cpus") == 0)
			numbers(argv[k], argv[k + 1], cpus, 2, 1023);
		else if (strcmp(argv[k], "--plot") == 0)
			picture = argv[k + 1];
		else
			complain(argv[k], argv[k + 1]);
	}
	plan_runs(times);
	rc = open_all();
	if (rc == 0)
		rc = measure("perch-trade-sim", cpus);
	if (rc == 0)
		print_table();
	if (rc == 0 && picture && plot(picture) < 0) {
		fprintf(stderr, "perch-trade-sim: gnuplot could not write %s: is it installed?\n",
			picture);
		rc = -EIO;
	}
	gateway_warm_close(&g);
	gateway_feed_close(&g);
	desk_close(&g.desk);
	free(s.due_ns);
	return rc == 0 ? EXIT_FINE : EXIT_RUNTIME;
}
