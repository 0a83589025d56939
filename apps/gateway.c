/* SPDX-License-Identifier: BSD-3-Clause
 * perch-gateway: ticks in, orders out. It listens to MoldUDP64 on one or two lines, keeps the books
 * of its symbols, asks its strategy, and sends what passes the desk's limits by OUCH in SoupBinTCP
 * or by FIX.
 *
 * SIGUSR1 is the kill switch: no order leaves from then on, and every open one is cancelled; with
 * --kill mute nothing at all leaves from the engine's next turn on. SIGUSR2 prints how things are.
 */
#include "apps/gateway.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/args.h"
#include "apps/feed/place.h"
#include "apps/trade/text.h"

#define MS_NS INT64_C(1000000)

static struct gateway g;
static bool kill_mutes;
static _Atomic bool asked; /* set by a signal: somebody wants to know how things are */

/* ---- control -------------------------------------------------------------------------------- */

static void on_stop(int sig)
{
	(void)sig;
	atomic_store(&g.stopping, true);
	perch_stop(g.engine);
}

static void on_kill(int sig)
{
	(void)sig;
	atomic_store(&g.killed, true);
	if (kill_mutes)
		perch_mute(g.engine, true);
}

static void on_ask(int sig)
{
	(void)sig;
	atomic_store(&asked, true);
}

/* ---- the summary ---------------------------------------------------------------------------- */

static void print_desk(void)
{
	unsigned i;

	for (i = 0; i < DESK_VERDICTS_N; i++)
		if (g.desk.verdicts[i])
			printf("  order_%-20s %14" PRIu64 "  %s\n", desk_verdict_name(i),
				g.desk.verdicts[i], desk_verdict_text(i));
	for (i = 0; i < g.desk.n_symbols; i++)
		printf("perch-gateway: %s position %" PRId64 ", open to buy %" PRIu64
		       ", to sell %" PRIu64 "\n",
			g.desk.symbols[i].name, g.desk.symbols[i].position,
			g.desk.symbols[i].open_buy, g.desk.symbols[i].open_sell);
}

/* What the feed and the books have counted. */
static void print_feed(void)
{
	const struct feed_counters *f = feed_counters(g.feed);
	const struct books_counters *b = books_counters(g.books);

#define LINE(of, name, text) \
	if (of->name)        \
		printf("  %-26s %14" PRIu64 "  %s\n", #name, of->name, text);
#define FEED_LINE(name, text)  LINE(f, name, text)
#define BOOKS_LINE(name, text) LINE(b, name, text)
	FEED_COUNTERS(FEED_LINE)
	BOOKS_COUNTERS(BOOKS_LINE)
}

static void summary(void)
{
	printf("perch-gateway: ticks %" PRIu64 ", orders sent %" PRIu64 ", reports %" PRIu64
	       ", accepted %" PRIu64 ", shares filled %" PRIu64 ", canceled %" PRIu64
	       ", rejected %" PRIu64 ", unknown %" PRIu64 ", malformed %" PRIu64 "\n",
		g.ticks, g.desk.verdicts[DESK_ok], g.reports, g.desk.accepted, g.desk.filled_shares,
		g.desk.canceled, g.desk.rejected, g.desk.unknown, g.malformed);
	printf("perch-gateway: logins %" PRIu64 ", sessions lost %" PRIu64
	       ", logins refused %" PRIu64 ", next report %" PRIu64 ", next reference %" PRIu64
	       ", reports heard again %" PRIu64 ", orders adopted %" PRIu64
	       ", sends failed %" PRIu64 "\n",
		g.logins, g.lost, g.refused, g.soup.next_sequence, g.desk.next_ref, g.replayed,
		g.desk.adopted, g.send_failed);
	if (g.rehearsals.stage)
		printf("perch-gateway: orders rehearsed %" PRIu64 ", cut short %" PRIu64 "\n",
			g.rehearsals.whole, g.rehearsals.cut_short);
	print_desk();
	print_feed();
	if (g.send.count) {
		printf("perch-gateway: packet to order: ");
		hist_print(&g.send, stdout);
		printf("\n");
	}
	fflush(stdout);
}

/* ---- the kill switch ------------------------------------------------------------------------ */

/* Who pulled the switch wants to see it: all at once where the protocol can; what is still open
 * after that, one by one. Again after a loss, until nothing is open. */
static void cancel_all(void)
{
	if (g.desk.open == 0 || !g.desk.session_open)
		return;
	if (!g.link->cancel_at_once(&g) || perch_sleep(perch_now() + 100 * MS_NS) < 0)
		perch_yield();
	if (g.desk.open > 0 && g.desk.session_open)
		g.link->cancel_each(&g);
	perch_sleep(perch_now() + 1000 * MS_NS);
}

static void watch(void *arg)
{
	(void)arg;
	while (perch_sleep(perch_now() + MS_NS) == 0) {
		if (atomic_exchange(&asked, false))
			summary();
		if (!atomic_load(&g.killed))
			continue;
		desk_kill(&g.desk);
		if (!kill_mutes)
			cancel_all();
	}
}

static void stop_later(void *arg)
{
	perch_sleep(perch_now() + (int64_t)(uintptr_t)arg * 1000 * MS_NS);
	on_stop(0);
}

/* ---- the app -------------------------------------------------------------------------------- */

static int run(const struct args *a, uint64_t seconds)
{
	struct sigaction stop = {.sa_handler = on_stop}, killing = {.sa_handler = on_kill},
			 asking = {.sa_handler = on_ask};
	int status = args_open(a, &g.engine), rc;

	if (status != EXIT_FINE)
		return status;
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGUSR1, &killing, NULL);
	sigaction(SIGUSR2, &asking, NULL);
	rc = perch_start(g.engine, 0, gateway_session, &g, 0);
	if (rc == 0)
		rc = perch_start(g.engine, 0, gateway_feed, &g, 0);
	if (rc == 0)
		rc = perch_start(g.engine, 0, watch, NULL, 0);
	if (rc == 0 && g.rehearsals.stage)
		rc = perch_start(g.engine, 0, gateway_warm, &g, 0);
	if (rc == 0 && seconds)
		rc = perch_start(g.engine, 0, stop_later, (void *)(uintptr_t)seconds, 0);
	if (rc == 0) {
		printf("perch-gateway: trading from %s\n", a->ips[0]);
		fflush(stdout);
		rc = perch_run(g.engine);
	}
	gateway_keep(&g);
	if (g.refusal[0]) {
		args_complain(a, "%s", g.refusal);
		rc = -EACCES;
	}
	summary();
	args_summary(a, g.engine);
	perch_close(g.engine);
	return rc == 0 ? EXIT_FINE : EXIT_RUNTIME;
}

static void want_addr(
	const struct args *a, const char *name, const char *text, struct perch_addr *out)
{
	if (text && place_parse(text, out) == 0)
		return;
	args_complain(a, "%s wants ADDR:PORT, not '%s'", name, text ? text : "");
	exit(EXIT_USAGE);
}

/* Fills names with pointers into text that lives as long as the desk. */
static void add_symbols(const struct args *a, const char *list, const char **names)
{
	const char *at = list;
	char name[9];
	int i;

	do {
		i = text_piece(&at, name, sizeof(name)) ? desk_symbol(&g.desk, name) : -EINVAL;
		if (i < 0) {
			args_complain(a,
				"--symbols wants up to %d names of at most 8 letters, with commas, "
				"not '%s'",
				DESK_SYMBOLS, list);
			exit(EXIT_USAGE);
		}
		names[i] = g.desk.symbols[i].name;
	} while (*at);
	names[i + 1] = NULL;
}

static void take_login(const struct args *a, const char *text)
{
	const char *colon = strchr(text, ':');

	if (!colon || colon == text || colon - text > 6 || strlen(colon + 1) > 10) {
		args_complain(
			a, "--login wants USER:PASSWORD, of 6 and 10 letters, not '%s'", text);
		exit(EXIT_USAGE);
	}
	memcpy(g.login.username, text, (size_t)(colon - text));
	snprintf(g.login.password, sizeof(g.login.password), "%s", colon + 1);
}

static int open_store(const struct args *a, const char *path)
{
	int rc = path ? seqstore_open(&g.store, path, &g.numbers) : 0;

	if (rc < 0)
		args_complain(a, "%s: %s", path,
			rc == -EBADMSG
				? "this is not a whole sequence store; move it away to start anew"
			: rc == -EBUSY ? "another gateway has it open"
				       : strerror(-rc));
	return rc;
}

/* The command line as it was given. */
static struct given {
	const char *exchange, *line_a, *line_b, *rerequest, *glimpse, *symbols, *ouch, *fix,
		*target, *login, *strategy, *store, *kill;
	uint64_t beat_ms, seconds, open, rate, warm_us;
	struct desk_limits limits;
} given = {.symbols = "PERCH",
	.target = "PERCH001",
	.login = "perch:perch",
	.strategy = "take",
	.kill = "cancel",
	.open = 1024,
	.limits = {.max_shares = 10000, .collar_bp = 1000, .max_position = 1000000}};

static const struct args_option own[] = {
	{"--exchange", ARGS_TEXT, &given.exchange, 0, 0},
	{"--line-a", ARGS_TEXT, &given.line_a, 0, 0},
	{"--line-b", ARGS_TEXT, &given.line_b, 0, 0},
	{"--rerequest", ARGS_TEXT, &given.rerequest, 0, 0},
	{"--glimpse", ARGS_TEXT, &given.glimpse, 0, 0},
	{"--snapshot-over", ARGS_NUMBER, &g.snapshot_over, 1, UINT64_C(1) << 40},
	{"--symbols", ARGS_TEXT, &given.symbols, 0, 0},
	{"--ouch", ARGS_TEXT, &given.ouch, 0, 0},
	{"--fix", ARGS_TEXT, &given.fix, 0, 0},
	{"--target", ARGS_TEXT, &given.target, 0, 0},
	{"--login", ARGS_TEXT, &given.login, 0, 0},
	{"--heartbeat-timeout", ARGS_NUMBER, &given.beat_ms, 1, 99999},
	{"--strategy", ARGS_TEXT, &given.strategy, 0, 0},
	{"--store", ARGS_TEXT, &given.store, 0, 0},
	{"--kill", ARGS_TEXT, &given.kill, 0, 0},
	{"--for", ARGS_NUMBER, &given.seconds, 1, 86400},
	{"--max-shares", ARGS_NUMBER, &given.limits.max_shares, 0, UINT32_MAX},
	{"--max-notional", ARGS_NUMBER, &given.limits.max_notional, 0, UINT64_MAX},
	{"--collar-bp", ARGS_NUMBER, &given.limits.collar_bp, 0, 10000},
	{"--max-open", ARGS_NUMBER, &given.open, 1, 2048},
	{"--max-position", ARGS_NUMBER, &given.limits.max_position, 0, INT64_MAX},
	{"--max-gross", ARGS_NUMBER, &given.limits.max_gross, 0, UINT64_MAX},
	{"--warm", ARGS_NUMBER, &given.warm_us, 1, 1000000},
	{"--max-rate", ARGS_NUMBER, &given.rate, 0, 1000000000},
	{NULL, ARGS_FLAG, NULL, 0, 0},
};

/* One of two words: returns whether it is the second. */
static bool second_of(const struct args *a, const char *name, const char *text, const char *first,
	const char *second)
{
	if (strcmp(text, first) != 0 && strcmp(text, second) != 0) {
		args_complain(a, "%s wants %s or %s, not '%s'", name, first, second, text);
		exit(EXIT_USAGE);
	}
	return strcmp(text, second) == 0;
}

static void take_options(const struct args *a)
{
	if (a->rest[0]) {
		args_complain(a, "'%s' is one argument too many", a->rest[0]);
		exit(EXIT_USAGE);
	}
	want_addr(a, "--exchange", given.exchange, &g.exchange);
	want_addr(a, "--line-a", given.line_a, &g.lines[g.n_lines++]);
	if (given.line_b)
		want_addr(a, "--line-b", given.line_b, &g.lines[g.n_lines++]);
	if (given.rerequest)
		want_addr(a, "--rerequest", given.rerequest, &g.rerequest);
	if (given.glimpse)
		want_addr(a, "--glimpse", given.glimpse, &g.glimpse);
	take_login(a, given.login);
	g.login.beat_ms = (uint32_t)given.beat_ms;
	kill_mutes = second_of(a, "--kill", given.kill, "cancel", "mute");
	given.limits.max_open = (uint32_t)given.open;
	given.limits.max_per_second = (uint32_t)given.rate;
	g.strategy = strategy_find(given.strategy);
	if (!g.strategy) {
		args_complain(a, "--strategy wants one of %s, not '%s'", strategy_names(),
			given.strategy);
		exit(EXIT_USAGE);
	}
}

/* FIX names orders by number, as OUCH 5.0 does. */
static enum ouch_version version(const struct args *a)
{
	if (given.ouch && given.fix) {
		args_complain(a, "--ouch and --fix: orders go by one of them");
		exit(EXIT_USAGE);
	}
	if (given.fix || !given.ouch)
		return OUCH_50;
	return second_of(a, "--ouch", given.ouch, "5.0", "4.2") ? OUCH_42 : OUCH_50;
}

static int open_link(const struct args *a)
{
	int rc;

	g.link = given.fix ? &gateway_fix : &gateway_ouch;
	if (!given.fix)
		return 0;
	rc = gateway_fix_open(&g,
		second_of(a, "--fix", given.fix, "4.2", "4.4") ? "FIX.4.4" : "FIX.4.2",
		given.target);
	if (rc < 0)
		args_complain(a,
			rc == -ENOMEM ? "out of memory"
				      : "--target wants up to 31 letters, not '%s'",
			given.target);
	return rc;
}

static int open_rehearsals(const char *const *symbols)
{
	atomic_store(&g.rehearsals.every_ns, (int64_t)given.warm_us * 1000);
	return given.warm_us ? gateway_warm_open(&g, symbols) : 0;
}

static int trade(const struct args *a, enum ouch_version v)
{
	const char *names[DESK_SYMBOLS + 1];
	int status = EXIT_RUNTIME;

	if (desk_open(&g.desk, v, &given.limits, g.numbers.ref_ceiling, "PRCH") < 0) {
		args_complain(a, "out of memory");
		return status;
	}
	add_symbols(a, given.symbols, names);
	if (open_link(a) < 0)
		status = EXIT_USAGE;
	else if (gateway_feed_open(&g, names) == 0 && open_rehearsals(names) == 0)
		status = run(a, given.seconds);
	else
		args_complain(a, "a symbol stands twice in --symbols, or out of memory");
	gateway_warm_close(&g);
	gateway_feed_close(&g);
	gateway_fix_close(&g);
	desk_close(&g.desk);
	return status;
}

int main(int argc, char **argv)
{
	struct args a = {
		.app = "perch-gateway",
		.usage = "--exchange ADDR:PORT --line-a ADDR:PORT [--line-b ADDR:PORT] "
			 "[--rerequest ADDR:PORT] [--glimpse ADDR:PORT] [--snapshot-over N] "
			 "[--symbols A,B] [--ouch 5.0|4.2] "
			 "[--fix 4.2|4.4] [--target COMPID] "
			 "[--login USER:PASSWORD] [--heartbeat-timeout MS] [--strategy NAME] "
			 "[--store FILE] [--kill cancel|mute] [--for SECONDS] [--max-shares N] "
			 "[--max-notional N] [--collar-bp N] [--max-open N] [--max-position N] "
			 "[--max-gross N] [--max-rate N] [--warm US]",
	};
	enum ouch_version v;
	int status;

	a.cfg.rx_burst = 1; /* a packet's order does not wait for the packets behind it */
	args_parse(&a, argc, argv, own);
	take_options(&a);
	v = version(&a);
	if (open_store(&a, given.store) < 0)
		return EXIT_RUNTIME;
	status = trade(&a, v);
	if (seqstore_close(g.store) < 0) {
		args_complain(&a, "%s could not be written", given.store);
		status = EXIT_RUNTIME;
	}
	return status;
}
