/* SPDX-License-Identifier: BSD-3-Clause
 * A service that another thread wakes, adds to, mutes and stops, at times that are never the same
 * twice; for the test that a recording has them all.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <perch.h>

enum { ROUNDS = 60, MUTE_AT = 20, UNMUTE_AT = 40 };

static struct perch *engine;
static struct perch_ref ticker;
static struct perch_udp *sock;
static struct perch_addr peer;
static _Atomic bool ready;

static void say(const char *what, int n)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%s %d at %lld", what, n, (long long)perch_now());

	perch_send(sock, &peer, text, (size_t)len);
}

/* Says which wakes it has seen: two that came in one turn are one. */
static void tick(void *arg)
{
	struct perch_datagram d;
	int value;

	(void)arg;
	if (perch_bind(NULL, 7, &sock) < 0 || perch_recv(sock, &d, PERCH_FOREVER) < 0)
		return;
	peer = d.from;
	ticker = perch_me();
	atomic_store(&ready, true);
	while ((value = perch_park(PERCH_FOREVER)) >= 0)
		say("wake", value);
}

static void extra(void *arg)
{
	say("start", (int)(intptr_t)arg);
}

static void pause_ns(long ns)
{
	nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static uint64_t counted(const char *name)
{
	struct perch_counter c[256];
	unsigned i, n = perch_counters(engine, PERCH_EVERY_LCORE, c, 256);

	for (i = 0; i < n && i < 256; i++)
		if (strcmp(c[i].name, name) == 0)
			return c[i].value;
	return 0;
}

/* On a busy machine the lcore may not get a turn for a while: what is asked for meanwhile would all
 * come to one turn. But it may also wait for this thread. */
static void wait_for_turn(void)
{
	uint64_t turns = counted("turns");
	int i;

	for (i = 0; i < 100 && counted("turns") < turns + 2; i++)
		pause_ns(200000);
}

static void *control(void *arg)
{
	struct timespec ts;
	int i;

	while (!atomic_load(&ready))
		pause_ns(100000);
	for (i = 0; i < ROUNDS; i++) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		pause_ns(ts.tv_nsec % 1000 * 1000); /* up to 1 ms, as the clock will have it */
		if (i == MUTE_AT || i == UNMUTE_AT)
			perch_mute(engine, i == MUTE_AT);
		if (i % 5 == 0)
			perch_start(engine, 0, extra, (void *)(intptr_t)i, 0);
		perch_wake(engine, ticker, i);
		if (i % 7 == 0)
			perch_wake(engine, ticker, 1000 + i);
		wait_for_turn();
	}
	pause_ns(20000000);
	perch_stop(engine);
	return arg;
}

int main(int argc, char **argv)
{
	const char *vdevs[] = {argc > 1 ? argv[1] : "net_null0", NULL};
	const char *addrs[] = {"10.99.0.2/24", NULL};
	const struct perch_config cfg = {.no_huge = true, .memory_mb = 128, .vdevs = vdevs,
		.addrs = addrs, .mbufs = 2048, .max_conns = 16,
		.record = argc > 2 ? argv[2] : NULL};
	struct perch_why why;
	pthread_t thread;

	if (perch_open(&engine, &cfg, &why) < 0) {
		fprintf(stderr, "controlled: %s\n", why.text);
		return 1;
	}
	perch_start(engine, 0, tick, NULL, 0);
	if (pthread_create(&thread, NULL, control, NULL) != 0)
		return 1;
	perch_run(engine);
	pthread_join(thread, NULL);
	printf("controlled: %llu muted\n", (unsigned long long)counted("drop_tx_stopped"));
	perch_close(engine);
	return 0;
}
