/* SPDX-License-Identifier: BSD-3-Clause
 * perch-ping: dials an echo service and checks what comes back: round trips of small messages with
 * their percentiles, or one bulk stream; TCP or UDP.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/args.h"

enum { CHUNK = 4096, LARGEST = 1 << 20, LARGEST_DATAGRAM = 1400 };

struct ping {
	struct perch_addr to;
	uint64_t count, size, bulk, udp, timeout_s;
	int64_t *rtt_ns;          /* count entries */
	uint64_t answered, wrong; /* messages */
	uint64_t sent, received;  /* bytes of a bulk stream */
	int64_t took_ns;
	int error; /* the first one, a negative errno */
	uint8_t *out, *in;
};

static struct perch *engine; /* for the signal handler */

/* Byte i of everything that is sent: a pattern whose period (251) divides no packet size. */
static uint8_t pattern(uint64_t i)
{
	return (uint8_t)(i % 251);
}

static int64_t deadline(const struct ping *p)
{
	return perch_now() + (int64_t)p->timeout_s * INT64_C(1000000000);
}

static void note(struct ping *p, int error)
{
	if (p->error == 0)
		p->error = error;
}

/* ---- messages over TCP ---------------------------------------------------------------------- */

static int read_all(struct perch_conn *c, uint8_t *buf, size_t len, int64_t deadline_ns)
{
	size_t done = 0;
	int64_t n;

	while (done < len) {
		n = perch_read(c, buf + done, len - done, deadline_ns);
		if (n <= 0)
			return n == 0 ? -ECONNRESET : (int)n;
		done += (size_t)n;
	}
	return 0;
}

static int one_message(struct ping *p, struct perch_conn *c, uint64_t i)
{
	int64_t start_ns = perch_now(), rc;

	p->out[0] = (uint8_t)i;
	rc = perch_write(c, p->out, p->size, deadline(p));
	if (rc >= 0)
		rc = read_all(c, p->in, p->size, deadline(p));
	if (rc < 0)
		return (int)rc;
	p->rtt_ns[p->answered++] = perch_now() - start_ns;
	if (memcmp(p->in, p->out, p->size) != 0)
		p->wrong++;
	return 0;
}

/* ---- one stream over TCP -------------------------------------------------------------------- */

struct bulk_writer {
	struct ping *p;
	struct perch_conn *c;
};

static void write_bulk(void *arg)
{
	struct bulk_writer *w = arg;
	struct ping *p = w->p;
	uint64_t n, i;
	int64_t rc;

	while (p->sent < p->bulk) {
		n = p->bulk - p->sent < CHUNK ? p->bulk - p->sent : CHUNK;
		for (i = 0; i < n; i++)
			p->out[i] = pattern(p->sent + i);
		rc = perch_write(w->c, p->out, n, deadline(p));
		if (rc < 0) {
			note(p, (int)rc);
			goto done; /* the reader may have hung up: w->c is no more */
		}
		p->sent += n;
	}
	perch_shutdown(w->c);
done:
	free(w);
}

static int bulk(struct ping *p, struct perch_conn *c)
{
	struct bulk_writer *w = malloc(sizeof(*w));
	int64_t start_ns = perch_now(), i;
	struct perch_bytes b;

	if (!w)
		return -ENOMEM;
	*w = (struct bulk_writer){p, c};
	if (perch_spawn(write_bulk, w, 0) < 0) {
		free(w);
		return -ENOBUFS;
	}
	while ((b = perch_next(c, deadline(p))).len > 0)
		for (i = 0; i < b.len; i++)
			p->wrong += ((const uint8_t *)b.data)[i] != pattern(p->received++);
	p->took_ns = perch_now() - start_ns;
	if (b.len == 0 && p->received < p->bulk)
		return -ECONNRESET;
	return (int)b.len;
}

static void tcp_main(void *arg)
{
	struct ping *p = arg;
	struct perch_conn *c;
	uint64_t i;
	int rc = perch_dial(&p->to, NULL, &c, deadline(p));

	if (rc == 0) {
		if (p->bulk)
			rc = bulk(p, c);
		for (i = 0; rc == 0 && !p->bulk && i < p->count; i++)
			rc = one_message(p, c, i);
		perch_hangup(c);
	}
	if (rc < 0)
		note(p, rc);
	perch_stop(perch_self());
}

/* ---- UDP ------------------------------------------------------------------------------------ */

static int one_datagram(struct ping *p, struct perch_udp *u, uint64_t i)
{
	int64_t start_ns = perch_now();
	struct perch_datagram d;
	int rc;

	memcpy(p->out, &i, sizeof(i) < p->size ? sizeof(i) : p->size);
	rc = perch_send(u, &p->to, p->out, p->size);
	while (rc == 0) {
		rc = perch_recv(u, &d, deadline(p));
		if (rc == 0 && d.len == p->size && memcmp(d.data, p->out, p->size) == 0) {
			p->rtt_ns[p->answered++] = perch_now() - start_ns;
			return 0;
		}
		if (rc == 0)
			p->wrong++;
	}
	return rc;
}

static void udp_main(void *arg)
{
	struct ping *p = arg;
	struct perch_udp *u;
	uint64_t i;
	int rc = perch_bind(NULL, 0, &u);

	for (i = 0; rc == 0 && i < p->count; i++)
		rc = one_datagram(p, u, i);
	if (rc < 0)
		note(p, rc);
	perch_stop(perch_self());
}

/* ---- the report ----------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static double percentile_us(const struct ping *p, double q)
{
	return (double)p->rtt_ns[(uint64_t)(q * (double)(p->answered - 1))] / 1000.0;
}

static int report(const struct args *a, struct ping *p)
{
	uint64_t wanted = p->bulk ? p->bulk : p->count, got = p->bulk ? p->received : p->answered;

	if (p->bulk) {
		printf("sent %" PRIu64 " bytes, received %" PRIu64 ", wrong %" PRIu64 ", %.1f Mbit/s\n",
			p->sent, p->received, p->wrong,
			p->took_ns ? (double)p->received * 8e3 / (double)p->took_ns : 0.0);
	} else {
		printf("sent %" PRIu64 " messages of %" PRIu64 " bytes, answered %" PRIu64
		       ", wrong %" PRIu64 "\n",
			p->count, p->size, p->answered, p->wrong);
	}
	if (p->answered) {
		qsort(p->rtt_ns, p->answered, sizeof(*p->rtt_ns), compare);
		printf("round trip: p50 %.1f us, p90 %.1f us, p99 %.1f us, max %.1f us\n",
			percentile_us(p, 0.5), percentile_us(p, 0.9), percentile_us(p, 0.99),
			percentile_us(p, 1.0));
	}
	if (p->error)
		args_complain(a, "%s", strerror(-p->error));
	fflush(stdout);
	return p->error == 0 && p->wrong == 0 && got == wanted ? EXIT_FINE : EXIT_RUNTIME;
}

static void on_signal(int sig)
{
	(void)sig;
	perch_stop(engine);
}

static int run(const struct args *a, struct ping *p)
{
	struct sigaction sa = {.sa_handler = on_signal};
	int status = args_open(a, &engine), rc;

	if (status != EXIT_FINE)
		return status;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	rc = perch_start(engine, 0, p->udp ? udp_main : tcp_main, p, 0);
	if (rc == 0)
		rc = perch_run(engine);
	if (rc < 0)
		note(p, rc);
	status = report(a, p);
	args_summary(a, engine);
	perch_close(engine);
	return status;
}

static void parse_target(const struct args *a, struct ping *p)
{
	char *end = NULL;
	unsigned long port = 0;

	if (!a->rest[0] || !a->rest[1] || a->rest[2]) {
		args_complain(a, "HOST and PORT are wanted after the options");
		exit(EXIT_USAGE);
	}
	port = strtoul(a->rest[1], &end, 10);
	if (*end != '\0' || port == 0 || port > UINT16_MAX ||
		perch_addr_parse(a->rest[0], (uint16_t)port, &p->to) < 0) {
		args_complain(a, "'%s %s' is not an address and a port", a->rest[0], a->rest[1]);
		exit(EXIT_USAGE);
	}
}

int main(int argc, char **argv)
{
	struct ping p = {.count = 1000, .size = 64, .timeout_s = 10};
	const struct args_option own[] = {
		{"--count", ARGS_NUMBER, &p.count, 1, 100000000},
		{"--size", ARGS_NUMBER, &p.size, 1, LARGEST},
		{"--bulk", ARGS_NUMBER, &p.bulk, 1, UINT64_C(1) << 40},
		{"--timeout", ARGS_NUMBER, &p.timeout_s, 1, 3600},
		{"--udp", ARGS_FLAG, &p.udp, 0, 0},
		{NULL, ARGS_FLAG, NULL, 0, 0},
	};
	struct args a = {
		.app = "perch-ping",
		.usage = "[--ip6 ADDR/LEN] [--gw ADDR] [--udp] [--count N] [--size BYTES] "
			 "[--bulk BYTES] [--timeout SECONDS] [--profile latency|wan] "
			 "[--cc cubic|newreno] [--idle busy|backoff] HOST PORT",
	};
	size_t buf, i;
	int status = EXIT_RUNTIME;

	args_parse(&a, argc, argv, own);
	parse_target(&a, &p);
	if (p.udp && (p.bulk || p.size > LARGEST_DATAGRAM)) {
		args_complain(&a, "--udp goes with messages of at most %u bytes, and not with --bulk",
			(unsigned)LARGEST_DATAGRAM);
		return EXIT_USAGE;
	}
	buf = p.size > CHUNK ? p.size : CHUNK;
	p.out = malloc(buf);
	p.in = malloc(buf);
	p.rtt_ns = calloc(p.count, sizeof(*p.rtt_ns));
	if (p.out && p.in && p.rtt_ns) {
		for (i = 0; i < buf; i++)
			p.out[i] = pattern(i);
		status = run(&a, &p);
	} else {
		args_complain(&a, "out of memory");
	}
	free(p.out);
	free(p.in);
	free(p.rtt_ns);
	return status;
}
