/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/engine/pair.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <CUnit/CUnit.h>

#include "drivers-glue/eal.h"
#include "drivers-glue/vdev.h"

bool pair_eal(void)
{
	static bool started;
	const struct perch_eal_config cfg = {.no_huge = true, .memory_mb = 384};
	char why[256] = "";

	if (!started && perch_eal_start(&cfg, why, sizeof(why)) < 0) {
		printf("EAL: %s\n", why);
		return false;
	}
	started = true;
	return true;
}

static bool open_one(struct perch **e, const struct perch_config *cfg, const char *port,
	const char *v4, const char *v6)
{
	struct perch_config c = {0};
	struct perch_why why = {""};
	const char *addrs[] = {v4, v6, NULL};

	if (cfg)
		c = *cfg;
	c.no_huge = true;
	c.port = port;
	c.addrs = addrs;
	if (c.mbufs == 0)
		c.mbufs = 8192;
	if (c.seed == 0)
		c.seed = 1;
	if (perch_open(e, &c, &why) < 0) {
		printf("perch_open: %s\n", why.text);
		return false;
	}
	return true;
}

bool pair_open(struct pair *p, const struct perch_config *cfg)
{
	static unsigned n; /* names of ring ports are the process's */
	struct perch_config first = cfg ? *cfg : (struct perch_config){0};
	char a[32];

	memset(p, 0, sizeof(*p));
	if (!pair_eal())
		return false;
	snprintf(a, sizeof(a), "net_ring_a%u", n);
	snprintf(p->port_b, sizeof(p->port_b), "net_ring_b%u", n++);
	if (perch_vdev_ring_pair(a, p->port_b, 1024) < 0)
		return false;
	first.record = NULL; /* b alone has the file */
	first.share_one_stack = true; /* so that copied stacks are tested, and those in place */
	return open_one(&p->a, &first, a, PAIR_A4 "/24", PAIR_A6 "/64") &&
		open_one(&p->b, cfg, p->port_b, PAIR_B4 "/24", PAIR_B6 "/64");
}

static int64_t wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool pair_turn(struct pair *p, const volatile bool *done, int ms)
{
	int64_t end = wall_ms() + ms;
	int a = 0, b = 0;

	while (!(done && *done) && wall_ms() < end && (a != -ESHUTDOWN || b != -ESHUTDOWN)) {
		a = p->a ? perch_poll(p->a, 1) : -ESHUTDOWN;
		b = p->b ? perch_poll(p->b, 1) : -ESHUTDOWN;
	}
	return done && *done;
}

void pair_close(struct pair *p)
{
	if (p->a)
		perch_stop(p->a);
	if (p->b)
		perch_stop(p->b);
	pair_turn(p, NULL, 5000);
	perch_close(p->a);
	perch_close(p->b);
}

uint64_t pair_counter(const struct perch *e, const char *name)
{
	struct perch_counter c[256];
	unsigned i, n = perch_counters(e, PERCH_EVERY_LCORE, c, 256);

	for (i = 0; i < n && i < 256; i++)
		if (strcmp(c[i].name, name) == 0)
			return c[i].value;
	printf("no counter is named %s\n", name);
	CU_FAIL("unknown counter");
	return 0;
}
