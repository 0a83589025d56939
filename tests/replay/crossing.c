/* SPDX-License-Identifier: BSD-3-Clause
 * Three lcores that echo, wake and start coroutines of each other all the while, join groups and
 * leave them, and two threads that wake and start at the same time: nothing of that has an order of
 * its own. For the test that a recording of it has the one that there was.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <perch.h>

enum { LCORES = 3, ROUNDS = 1000, HOPS = 3, THREADS = 2, GROUPS = 8 };

static struct perch *engine;
static struct here {
	struct perch_ref relay;
	struct perch_udp *sock;
	struct perch_addr peer;
	unsigned said, joined;
} heres[LCORES];
static _Atomic unsigned ready, finished;

static void say(const char *what, int n)
{
	struct here *h = &heres[perch_lcore()];
	char text[64];
	int len = snprintf(text, sizeof(text), "lcore %u says %u: %s %d", perch_lcore(), h->said++,
		what, n);

	perch_send(h->sock, &h->peer, text, (size_t)len);
}

/* Lcore 0 tells routers of all of them, and of which one first is chance. */
static void change_group(unsigned n)
{
	struct here *h = &heres[perch_lcore()];
	struct perch_addr group;

	if (perch_addr_parse("239.1.1.1", 0, &group) < 0)
		return;
	group.ip[sizeof(group.ip) - 1] = (uint8_t)n;
	if (h->joined >> n & 1)
		perch_leave(h->sock, &group, NULL);
	else
		perch_join(h->sock, &group, NULL);
	h->joined ^= 1u << n;
}

static void extra(void *arg)
{
	unsigned n = (unsigned)(uintptr_t)arg;

	say("start", (int)n);
	if (n / LCORES % 4 == 0)
		change_group(n / LCORES / 4 % GROUPS);
}

/* Of two wakes in one turn the last one stands, so each that is seen tells of the order. What it is
 * told goes on to the other lcores, HOPS times. */
static void relay(void *arg)
{
	unsigned next = (perch_lcore() + 1) % LCORES;
	int value;

	(void)arg;
	heres[perch_lcore()].relay = perch_me();
	atomic_fetch_add(&ready, 1);
	while ((value = perch_park(PERCH_FOREVER)) >= 0) {
		say("wake", value);
		if (value % (HOPS + 1) == 0)
			continue;
		perch_wake(engine, heres[next].relay, value - 1);
		perch_start(engine, (int)(next + 1) % LCORES, extra, (void *)(intptr_t)value, 0);
	}
}

/* RSS says who gets a datagram; the first one on any port says where to talk to. */
static void serve(void *arg)
{
	struct here *h = &heres[perch_lcore()];
	struct perch_datagram d;

	(void)arg;
	if (perch_bind(NULL, 7, &h->sock) < 0)
		return;
	while (perch_recv(h->sock, &d, PERCH_FOREVER) == 0) {
		if (h->said++ == 0) {
			h->peer = d.from;
			perch_spawn(relay, NULL, 0);
		}
		perch_reply(h->sock, &d, d.data, d.len);
	}
}

static void *control(void *arg)
{
	int number = (int)(intptr_t)arg, i, k;
	const struct timespec pause = {.tv_nsec = 20000};

	while (atomic_load(&ready) < LCORES)
		nanosleep(&pause, NULL);
	for (i = 0; i < ROUNDS; i++) {
		for (k = 0; k < LCORES; k++)
			perch_wake(engine, heres[k].relay,
				((number * ROUNDS + i) * LCORES + k) * (HOPS + 1) + HOPS);
		perch_start(engine, i % LCORES, extra, (void *)(intptr_t)(number * ROUNDS + i), 0);
		if (i % 2 == 0)
			nanosleep(&pause, NULL);
	}
	if (atomic_fetch_add(&finished, 1) + 1 == THREADS) {
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
		perch_stop(engine);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const char *vdevs[] = {argc > 1 ? argv[1] : "net_null0", NULL};
	const char *addrs[] = {"10.99.0.2/24", NULL};
	const struct perch_config cfg = {.no_huge = true, .memory_mb = 192, .vdevs = vdevs,
		.addrs = addrs, .mbufs = 4096, .max_conns = 16, .lcores = LCORES,
		.idle = PERCH_BACK_OFF, .record = argc > 2 ? argv[2] : NULL};
	struct perch_why why;
	pthread_t threads[THREADS];
	intptr_t i;

	if (perch_open(&engine, &cfg, &why) < 0) {
		fprintf(stderr, "crossing: %s\n", why.text);
		return 1;
	}
	perch_start(engine, PERCH_EVERY_LCORE, serve, NULL, 0);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, control, (void *)i) != 0)
			return 1;
	perch_run(engine);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	perch_close(engine);
	return 0;
}
