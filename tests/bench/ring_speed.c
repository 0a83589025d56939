/* SPDX-License-Identifier: BSD-3-Clause
 * Two engines in one process over net_ring: one echoes, the other asks, in a closed loop. Either
 * each in a thread of its own for some seconds, or in turns on one thread for a number of requests,
 * which repeats to the instruction under callgrind. Or, with 0 connections, one writes all it can
 * in writes of SIZE bytes, the other looks at it and lets it go; then a request is a segment.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apps/hist.h"
#include "drivers-glue/eal.h"
#include "drivers-glue/vdev.h"
#include "engine/perch.h"

enum { PORT = 7, MESSAGE_MAX = 64 << 10, MSS = 1448 };

static struct {
	struct perch *server, *client;
	unsigned conns, size;
	uint64_t requests; /* 0: by time */
	volatile uint64_t answered;
	volatile bool measuring, over;
	struct hist hist;
} b = {.conns = 64, .size = 64};

static const char message[MESSAGE_MAX]; /* not in a frame, which moves at every switch */

static void echo(struct perch_conn *c, void *arg)
{
	struct perch_bytes v;

	(void)arg;
	while ((v = perch_next(c, PERCH_FOREVER)).len > 0)
		if (perch_write(c, v.data, (size_t)v.len, PERCH_FOREVER) < 0)
			break;
}

static void discard(struct perch_conn *c, void *arg)
{
	struct perch_bytes v;
	uint64_t got = 0;

	(void)arg;
	while ((v = perch_next(c, PERCH_FOREVER)).len > 0) {
		got += (uint64_t)v.len;
		b.answered = got / MSS;
		if (b.answered >= b.requests)
			b.over = true;
	}
}

static void pour(void *arg)
{
	struct perch_conn *c;
	struct perch_addr to;

	(void)arg;
	perch_addr_parse("10.99.0.2", PORT, &to);
	if (perch_dial(&to, NULL, &c, PERCH_FOREVER) < 0)
		return;
	while (!b.over && perch_write(c, message, b.size, PERCH_FOREVER) > 0)
		;
	perch_hangup(c);
}

static void ask(void *arg)
{
	struct perch_bytes v = {NULL, 1};
	struct perch_conn *c;
	struct perch_addr to;
	int64_t asked_ns;
	uint64_t got;

	(void)arg;
	perch_addr_parse("10.99.0.2", PORT, &to);
	if (perch_dial(&to, NULL, &c, PERCH_FOREVER) < 0)
		return;
	while (!b.over && v.len > 0) {
		asked_ns = perch_now();
		perch_write(c, message, b.size, PERCH_FOREVER);
		for (got = 0; got < b.size && v.len > 0; got += (uint64_t)v.len)
			v = perch_next(c, PERCH_FOREVER);
		b.answered = b.answered + 1;
		if (b.measuring)
			hist_record(&b.hist, perch_now() - asked_ns);
		if (b.requests && b.answered >= b.requests)
			b.over = true;
	}
	perch_hangup(c);
}

static struct perch *open_one(const char *port, const char *addr, int cpu)
{
	const char *addrs[] = {addr, NULL};
	struct perch_config cfg = {.no_huge = true, .port = port, .addrs = addrs, .lcores = 1,
		.cpus = &cpu, .mbufs = 8192, .seed = 1, .drain_ns = 10000000};
	struct perch_why why;
	struct perch *e;

	if (perch_open(&e, &cfg, &why) < 0) {
		fprintf(stderr, "ring_speed: %s\n", why.text);
		exit(1);
	}
	return e;
}

static void *run(void *e)
{
	perch_run(e);
	return NULL;
}

static void pause_for(double seconds)
{
	nanosleep(&(struct timespec){.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)}, NULL);
}

static void print_stages(void)
{
	struct perch_counter c[256];
	unsigned i, n = perch_counters(b.server, PERCH_EVERY_LCORE, c, 256);

	for (i = 0; i < n && i < 256; i++)
		if (strncmp(c[i].name, "stage_", 6) == 0)
			printf(", \"%s\": %llu", c[i].name, (unsigned long long)c[i].value);
}

static void by_time(double seconds)
{
	pthread_t server, client;

	pthread_create(&server, NULL, run, b.server);
	pthread_create(&client, NULL, run, b.client);
	pause_for(0.5);
	b.measuring = true;
	pause_for(seconds);
	b.measuring = false;
	printf("{\"rate\": %.1f, \"latency_ns\": ", (double)b.hist.count / seconds);
	hist_print_json(&b.hist, stdout);
	print_stages();
	printf("}\n");
	b.over = true;
	perch_stop(b.client);
	perch_stop(b.server);
	pthread_join(client, NULL);
	pthread_join(server, NULL);
}

/* Not inlined: callgrind is told to count in one of them. */
static __attribute__((noinline)) void turn_of_client(void)
{
	perch_poll(b.client, 1);
}

static __attribute__((noinline)) void turn_of_server(void)
{
	perch_poll(b.server, 1);
}

static void by_number(void)
{
	while (!b.over) {
		turn_of_client();
		turn_of_server();
	}
	printf("{\"requests\": %llu}\n", (unsigned long long)b.answered);
}

int main(int argc, char **argv)
{
	const struct perch_eal_config eal = {.no_huge = true, .memory_mb = 256};
	char why[256] = "";
	double seconds;
	unsigned i;

	if (argc != 5) {
		fprintf(stderr, "usage: ring_speed CONNS SIZE SECONDS REQUESTS (one of them 0)\n");
		return 2;
	}
	b.conns = (unsigned)atoi(argv[1]);
	b.size = (unsigned)atoi(argv[2]);
	seconds = atof(argv[3]);
	b.requests = strtoull(argv[4], NULL, 10);
	if (b.size < 1 || b.size > MESSAGE_MAX || (seconds > 0) == (b.requests > 0) ||
		(b.conns == 0 && b.requests == 0))
		return 2;
	if (perch_eal_start(&eal, why, sizeof(why)) < 0 ||
		perch_vdev_ring_pair("net_ring_s", "net_ring_c", 1024) < 0) {
		fprintf(stderr, "ring_speed: no EAL or no rings: %s\n", why);
		return 1;
	}
	b.server = open_one("net_ring_s", "10.99.0.2/24", seconds > 0 ? 0 : -1);
	b.client = open_one("net_ring_c", "10.99.0.1/24", seconds > 0 ? 1 : -1);
	perch_listen(b.server, NULL, PORT, b.conns ? echo : discard, NULL);
	if (b.conns == 0)
		perch_start(b.client, 0, pour, NULL, 0);
	for (i = 0; i < b.conns; i++)
		perch_start(b.client, 0, ask, NULL, 0);
	if (seconds > 0)
		by_time(seconds);
	else
		by_number();
	fflush(stdout);
	_Exit(0); /* what remains is not worth measuring */
}
