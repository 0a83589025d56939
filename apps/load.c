/* SPDX-License-Identifier: BSD-3-Clause
 * perch-load: a load generator on perch itself. Closed loop, or open loop at a fixed rate, whose
 * latencies count from when a request was due, not from when it could be sent (so that a server
 * that stalls is not spared: "coordinated omission"); TCP, UDP, one connection per request, bulk.
 *
 * Each lcore has a conductor: it opens the connections, warms up, measures, and stops. The load
 * itself is load_tcp.c and load_udp.c; what is printed, load_report.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "apps/args.h"
#include "apps/load.h"
#include "apps/load_report.h"
#include "apps/pattern.h"

#define S_NS INT64_C(1000000000)

static struct perch *engine; /* for the signal handler */

/* ---- counting ------------------------------------------------------------------------------- */

void load_answered(struct load_worker *w, int64_t due_ns, uint64_t bytes)
{
	if (w->phase != LOAD_MEASURES)
		return;
	w->requests++;
	w->bytes += bytes;
	hist_record(&w->hist, perch_now() - due_ns);
}

void load_failed(struct load_worker *w, int error)
{
	if (w->phase == LOAD_OVER)
		return; /* the stop cancels what still waits */
	w->errors++;
	if (w->first_error == 0)
		w->first_error = error;
}

int64_t load_take_ticket(struct load_worker *w)
{
	return w->open_ns + (int64_t)((double)w->ticket++ * w->interval_ns);
}

/* ---- opening -------------------------------------------------------------------------------- */

int load_dial(struct load_job *j, struct perch_conn **c)
{
	const struct load *l = j->worker->load;
	struct perch_addr from = l->from;
	uint32_t low, add = j->number % l->n_from;

	memcpy(&low, from.ip + 12, sizeof(low));
	low = __builtin_bswap32(__builtin_bswap32(low) + add);
	memcpy(from.ip + 12, &low, sizeof(low));
	return perch_dial(&l->to, &from, c, perch_now() + 10 * S_NS);
}

/* A connection that carries no requests: it only listens for the end. */
static void stay_idle(struct load_job *j)
{
	struct perch_bytes b = perch_next(j->conn, PERCH_FOREVER);

	load_failed(j->worker, b.len < 0 ? (int)b.len : -ECONNRESET);
}

static void run_tcp(void *arg)
{
	struct load_job *j = arg;
	struct load_worker *w = j->worker;
	int rc = load_dial(j, &j->conn);

	w->opening--;
	if (rc < 0) {
		w->refused++;
		load_failed(w, rc);
		return;
	}
	w->opened++;
	if (w->load->bulk)
		load_bulk(j);
	else if (w->load->send)
		load_send(j);
	else if (w->load->receive)
		load_receive(j);
	else if (j->number >= w->conns - w->hot)
		load_tcp(j);
	else
		stay_idle(j);
	perch_hangup(j->conn);
	j->conn = NULL;
}

static void run_udp(void *arg)
{
	struct load_job *j = arg;
	struct load_worker *w = j->worker;
	int rc = perch_bind(NULL, 0, &j->udp);

	w->opening--;
	if (rc < 0) {
		w->refused++;
		load_failed(w, rc);
		return;
	}
	w->opened++;
	load_udp(j);
	perch_unbind(j->udp);
	j->udp = NULL;
}

static void run_connect(void *arg)
{
	struct load_job *j = arg;

	j->worker->opening--;
	j->worker->opened++;
	load_connect(j);
}

/* The link may only be coming up, and MAC addresses may be unknown: none of that is measured. */
static int greet_udp(const struct load *l)
{
	const int64_t every_ns = S_NS / 10;
	int tries = 100, rc;
	struct perch_datagram d;
	struct perch_udp *u;

	rc = perch_bind(NULL, 0, &u);
	if (rc < 0)
		return rc;
	do {
		perch_send(u, &l->to, l->out, l->size);
		rc = perch_recv(u, &d, perch_now() + every_ns);
	} while (rc == -ETIMEDOUT && --tries > 0);
	perch_unbind(u);
	return rc;
}

static int greet(struct load_worker *w)
{
	const struct load *l = w->load;
	struct perch_conn *c;
	int rc;

	if (l->udp)
		return greet_udp(l);
	rc = load_dial(&w->jobs[0], &c);
	if (rc == 0)
		perch_hangup(c);
	return rc;
}

static void open_all(struct load_worker *w)
{
	const struct load *l = w->load;
	void (*run)(void *) = l->connect ? run_connect : l->udp ? run_udp : run_tcp;
	uint32_t i;

	for (i = 0; i < w->conns && perch_yield() == 0; i++) {
		w->jobs[i].worker = w;
		w->jobs[i].number = i;
		w->opening++;
		if (perch_spawn(run, &w->jobs[i], 0) < 0) {
			w->opening--;
			w->refused++;
			load_failed(w, -ENOBUFS);
		}
		/* The first one alone, for the others would crowd the wait for a MAC address. */
		while (w->opening >= (i < l->n_from ? 1 : LOAD_OPENING) && perch_yield() == 0)
			;
	}
	while (w->opening > 0 && perch_yield() == 0)
		;
}

/* ---- the open loop -------------------------------------------------------------------------- */

/* Send what is due. A connection with too much in flight is passed over; when all have, the rest
 * stays due, and its latency goes on counting. */
static void send_due(struct load_worker *w, uint32_t *at)
{
	const uint32_t first_hot = w->conns - w->hot;
	bool udp = w->load->udp;
	struct load_job *j;
	uint32_t tried = 0;
	int64_t due_ns;

	while (tried < w->hot) {
		due_ns = w->open_ns + (int64_t)((double)w->ticket * w->interval_ns);
		if (due_ns > perch_now())
			return;
		j = &w->jobs[first_hot + *at];
		*at = *at + 1 == w->hot ? 0 : *at + 1;
		if (udp ? load_udp_send(j, due_ns) : load_tcp_send(j, due_ns)) {
			w->ticket++;
			tried = 0;
		} else {
			tried++;
		}
	}
}

static void pace(void *arg)
{
	struct load_worker *w = arg;
	uint32_t at = 0;

	while (w->phase != LOAD_OVER && perch_yield() == 0)
		send_due(w, &at);
}

/* ---- conducting ----------------------------------------------------------------------------- */

static void measure(struct load_worker *w)
{
	const struct load *l = w->load;

	w->open_ns = perch_now();
	w->ticket = 0;
	w->phase = LOAD_WARMS_UP;
	if (w->interval_ns > 0 && !l->connect)
		perch_spawn(pace, w, 0);
	perch_sleep(perch_now() + (int64_t)l->warm_up_s * S_NS);
	w->phase = LOAD_MEASURES;
	w->start_ns = perch_now();
	perch_sleep(w->start_ns + (int64_t)l->duration_s * S_NS);
	w->end_ns = perch_now();
	w->phase = LOAD_OVER;
}

void load_conduct(void *arg)
{
	struct load *l = arg;
	struct load_worker *w = &l->workers[perch_lcore()];
	int rc;

	w->jobs[0].worker = w;
	rc = greet(w);
	if (rc < 0)
		load_failed(w, rc);
	else
		open_all(w);
	if (w->opened > 0)
		measure(w);
	w->phase = LOAD_OVER;
	if (atomic_fetch_sub(&l->working, 1) == 1)
		perch_stop(perch_self());
}

/* ---- setting up ----------------------------------------------------------------------------- */

static uint32_t share(uint64_t whole, unsigned parts, unsigned part)
{
	return (uint32_t)(whole / parts + (part < whole % parts));
}

/* What is sent, and what is to come back. */
static uint8_t *make_out(const struct load *l)
{
	uint64_t i, bytes = load_is_one_way(l) ? PATTERN_BYTES : l->depth * l->size;
	uint8_t *out = malloc(bytes);

	if (out && load_is_one_way(l))
		pattern_fill(out);
	else if (out)
		for (i = 0; i < bytes; i++)
			out[i] = (uint8_t)(i % l->size % 251);
	return out;
}

/* In large pages where there are many. */
static struct load_job *make_jobs(size_t n)
{
	const size_t huge = 2 << 20;
	size_t bytes = n * sizeof(struct load_job);
	size_t align = bytes < huge ? sizeof(struct load_job) : huge;
	struct load_job *jobs;

	bytes = (bytes + align - 1) / align * align;
	jobs = aligned_alloc(align, bytes);
	if (!jobs)
		return NULL;
	if (align == huge)
		madvise(jobs, bytes, MADV_HUGEPAGE);
	return memset(jobs, 0, bytes);
}

static bool reserve(struct load *l)
{
	uint64_t i;
	unsigned k;

	while (l->ring_mask + 1u < l->depth)
		l->ring_mask = 2 * l->ring_mask + 1;
	l->workers = calloc(l->n_workers, sizeof(*l->workers));
	l->out = make_out(l);
	if (!l->workers || !l->out)
		return false;
	for (k = 0; k < l->n_workers; k++) {
		struct load_worker *w = &l->workers[k];

		w->load = l;
		w->conns = share(l->conns, l->n_workers, k);
		w->hot = share(l->hot, l->n_workers, k);
		w->interval_ns = l->rate ? 1e9 * l->n_workers / (double)l->rate : 0;
		w->jobs = make_jobs(w->conns + 1u);
		if (!w->jobs)
			return false;
		for (i = w->conns - w->hot; i < w->conns; i++) {
			struct load_job *j = &w->jobs[i];

			j->ring = &j->only_slot;
			if (l->depth > 1)
				j->ring = calloc(l->ring_mask + 1u, sizeof(int64_t));
			if (!j->ring)
				return false;
		}
	}
	return true;
}

static void give_back(struct load *l)
{
	uint32_t i;
	unsigned k;

	for (k = 0; l->workers && k < l->n_workers; k++) {
		for (i = 0; l->workers[k].jobs && i < l->workers[k].conns && l->depth > 1; i++)
			free(l->workers[k].jobs[i].ring);
		free(l->workers[k].jobs);
	}
	free(l->workers);
	free(l->out);
}

/* What is sent, in memory that every port can read. */
static int lend(struct load *l)
{
	int rc = l->lend ? perch_memory_open(&l->memory, engine, NULL, PATTERN_BYTES) : 0;

	if (l->memory)
		memcpy(perch_memory_data(l->memory), l->out, PATTERN_BYTES);
	return rc;
}

static void on_signal(int sig)
{
	(void)sig;
	perch_stop(engine);
}

static int run(const struct args *a, struct load *l)
{
	struct sigaction sa = {.sa_handler = on_signal};
	int rc, status = args_open(a, &engine);

	if (status != EXIT_FINE)
		return status;
	l->n_workers = perch_lcores(engine);
	l->working = l->n_workers;
	status = EXIT_RUNTIME;
	if (l->conns < l->n_workers || l->hot < l->n_workers) {
		args_complain(a, "each of the %u lcores needs a connection at least", l->n_workers);
		status = EXIT_USAGE;
	} else if (!reserve(l)) {
		args_complain(a, "out of memory");
	} else if ((rc = lend(l)) < 0) {
		args_complain(a, "no memory that can be lent: %s", strerror(-rc));
	} else {
		sigaction(SIGINT, &sa, NULL);
		sigaction(SIGTERM, &sa, NULL);
		rc = perch_start(engine, PERCH_EVERY_LCORE, load_conduct, l, 0);
		if (rc == 0 && !l->quiet)
			load_progress_start(l);
		if (rc == 0)
			rc = perch_run(engine);
		load_progress_stop();
		if (rc < 0)
			args_complain(a, "%s", strerror(-rc));
		else
			status = load_report(a, l, engine);
	}
	perch_close(engine);
	perch_memory_close(l->memory);
	give_back(l);
	return status;
}

/* ---- the command line ----------------------------------------------------------------------- */

static void __attribute__((noreturn)) misuse(const struct args *a, const char *what)
{
	args_complain(a, "%s", what);
	exit(EXIT_USAGE);
}

static void parse_target(const struct args *a, struct load *l)
{
	unsigned long port;
	char *end = NULL;

	if (!a->rest[0] || !a->rest[1] || a->rest[2])
		misuse(a, "HOST and PORT are wanted after the options");
	port = strtoul(a->rest[1], &end, 10);
	if (*end != '\0' || port == 0 || port > UINT16_MAX ||
		perch_addr_parse(a->rest[0], (uint16_t)port, &l->to) < 0)
		misuse(a, "HOST PORT is not an address and a port");
}

static uint32_t low_word(const struct perch_addr *a)
{
	uint32_t low;

	memcpy(&low, a->ip + 12, sizeof(low));
	return __builtin_bswap32(low);
}

static bool same_family(const struct perch_addr *a, const struct perch_addr *b)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(a->ip, mapped, sizeof(mapped)) == !memcmp(b->ip, mapped, sizeof(mapped));
}

/* The first --ip of the target's family, "A/LEN" or "A-B/LEN": connections are spread over all its
 * addresses, each of which has ports of its own. */
static void choose_sources(const struct args *a, struct load *l)
{
	char text[PERCH_ADDR_TEXT], *dash;
	struct perch_addr last;
	unsigned i;

	for (i = 0; i < a->n_ips; i++) {
		snprintf(text, sizeof(text), "%s", a->ips[i]);
		text[strcspn(text, "/")] = '\0';
		dash = strchr(text, '-');
		if (dash)
			*dash++ = '\0';
		if (perch_addr_parse(text, 0, &l->from) < 0 || !same_family(&l->from, &l->to))
			continue;
		l->n_from = 1;
		if (dash && perch_addr_parse(dash, 0, &last) == 0 &&
			low_word(&last) >= low_word(&l->from))
			l->n_from = low_word(&last) - low_word(&l->from) + 1;
		return;
	}
	misuse(a, "no --ip is of HOST's family");
}

static void check(const struct args *a, struct load *l)
{
	if (l->connect + l->udp + l->bulk + l->send + l->receive > 1)
		misuse(a, "--connect, --udp, --bulk, --send and --receive exclude each other");
	if (l->udp && (l->size > LOAD_LARGEST_DATAGRAM || l->size < 16))
		misuse(a, "--udp goes with messages of 16 to 1400 bytes");
	if (l->rate && load_is_bulk(l))
		misuse(a, "--bulk, --send and --receive go as fast as they can: they have no "
			"--rate");
	if (l->check && l->send)
		misuse(a, "--send gets nothing back: let the server compare (perch-echo --check)");
	if (l->lend && !l->send)
		misuse(a, "--lend goes with --send");
	if (l->depth && l->connect)
		misuse(a, "--connect sends one request per connection: it has no --depth");
	if (l->hot > l->conns)
		misuse(a, "--hot is more than --conns");
	if (l->depth == 0)
		l->depth = l->rate && !l->connect ? 16 : 1;
	if (l->depth * l->size > LOAD_IN_FLIGHT_MAX)
		misuse(a, "--depth times --size is more than 128 KB");
	if (l->reply == 0)
		l->reply = l->size;
	if (l->hot == 0 || l->connect || l->udp || load_is_bulk(l))
		l->hot = l->conns;
}

static void configure(struct args *a, const struct load *l)
{
	uint64_t flows = l->conns + 1024;

	if (l->connect)
		flows = l->conns * 4 + 65536; /* those in TIME_WAIT, too */
	if (a->cfg.max_conns == 0)
		a->cfg.max_conns = (uint32_t)flows;
	a->cfg.max_coroutines = (uint32_t)l->conns * (l->bulk ? 2 : 1) + 64;
	if (l->udp)
		a->cfg.max_udp = (uint32_t)l->conns + 1;
	a->cfg.time_wait_ns = (int64_t)l->time_wait_ms * 1000000;
}

int main(int argc, char **argv)
{
	struct load l = {.conns = 64, .size = 64, .duration_s = 10, .warm_up_s = 1,
		.time_wait_ms = 1};
	const struct args_option own[] = {
		{"--conns", ARGS_NUMBER, &l.conns, 1, 100000000},
		{"--hot", ARGS_NUMBER, &l.hot, 1, 100000000},
		{"--size", ARGS_NUMBER, &l.size, 1, LOAD_LARGEST},
		{"--reply", ARGS_NUMBER, &l.reply, 1, LOAD_LARGEST},
		{"--depth", ARGS_NUMBER, &l.depth, 1, LOAD_DEPTH_MAX},
		{"--rate", ARGS_NUMBER, &l.rate, 1, 1000000000},
		{"--duration", ARGS_NUMBER, &l.duration_s, 1, 1000000},
		{"--warm-up", ARGS_NUMBER, &l.warm_up_s, 0, 1000000},
		{"--time-wait-ms", ARGS_NUMBER, &l.time_wait_ms, 1, 240000},
		{"--connect", ARGS_FLAG, &l.connect, 0, 0},
		{"--udp", ARGS_FLAG, &l.udp, 0, 0},
		{"--bulk", ARGS_FLAG, &l.bulk, 0, 0},
		{"--send", ARGS_FLAG, &l.send, 0, 0},
		{"--receive", ARGS_FLAG, &l.receive, 0, 0},
		{"--lend", ARGS_FLAG, &l.lend, 0, 0},
		{"--check", ARGS_FLAG, &l.check, 0, 0},
		{"--json", ARGS_FLAG, &l.json, 0, 0},
		{"--quiet", ARGS_FLAG, &l.quiet, 0, 0},
		{NULL, ARGS_FLAG, NULL, 0, 0},
	};
	struct args a = {
		.app = "perch-load",
		.usage = "[--ip6 ADDR/LEN] [--conns N] [--hot N] [--size BYTES] [--reply BYTES] "
			 "[--depth N] [--rate PER_SECOND] [--duration S] [--warm-up S] "
			 "[--connect [--time-wait-ms MS] | --udp | --bulk | --send [--lend] | "
			 "--receive] "
			 "[--check] [--json] [--quiet] HOST PORT",
	};

	args_parse(&a, argc, argv, own);
	parse_target(&a, &l);
	check(&a, &l);
	choose_sources(&a, &l);
	configure(&a, &l);
	return run(&a, &l);
}
