/* SPDX-License-Identifier: BSD-3-Clause
 * The crowd of stateless clients: what it finds out about a server, and that a great many
 * connections cost what they should, through the real stack.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "tests/engine/pair.h"
#include "tests/suite.h"

enum { CONNS = 3000, FEW = 20 };

static struct {
	unsigned echoed;
	bool lie;
} server;

static void serve(struct perch_conn *c, void *arg)
{
	char other[64] = "something else";
	struct perch_bytes b;

	(void)arg;
	while ((b = perch_next(c, PERCH_FOREVER)).len > 0) {
		if (perch_write(c, server.lie ? other : b.data, (size_t)b.len, PERCH_FOREVER) < 0)
			break;
		server.echoed += b.len == 64;
	}
}

static struct perch *open_crowd(const char *vdev, const char *port, struct perch_why *why)
{
	const char *vdevs[] = {vdev, NULL}, *addrs[] = {"10.99.0.2/24", NULL};
	struct perch_config cfg = {.no_huge = true, .vdevs = vdevs, .port = port, .addrs = addrs,
		.gw4 = "10.99.0.1", .mbufs = 4096, .seed = 1, .profile = PERCH_WAN,
		.time_wait_ns = 1};
	struct perch *e = NULL;

	memset(&server, 0, sizeof(server));
	if (perch_open(&e, &cfg, why) == 0)
		CU_ASSERT_EQUAL(perch_listen(e, NULL, 7, serve, NULL), 0);
	return e;
}

static void turn_until(struct perch *e, const char *name, uint64_t value)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		perch_poll(e, 64);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (pair_counter(e, name) < value && now.tv_sec < start.tv_sec + 10);
	CU_ASSERT_EQUAL(pair_counter(e, name), value);
}

static void stop(struct perch *e)
{
	perch_stop(e);
	while (perch_poll(e, 64) != -ESHUTDOWN)
		;
	perch_close(e);
}

static void all_connect_and_are_echoed(void)
{
	struct perch *e;

	CU_ASSERT_TRUE_FATAL(pair_eal());
	e = open_crowd("perch_crowd0,conns=3000,to=10.99.0.2:7", "net_ring_perch_crowd0", NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	turn_until(e, "tcp_accepted", CONNS);
	turn_until(e, "tcp_bytes_in", CONNS * 64);
	CU_ASSERT_EQUAL(server.echoed, CONNS);
	CU_ASSERT_EQUAL(pair_counter(e, "tcp_flows"), CONNS);
	CU_ASSERT_EQUAL(pair_counter(e, "tcp_resets_received"), 0);
	CU_ASSERT_EQUAL(pair_counter(e, "co_alive"), CONNS);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	/* The image of a handler that waits in perch_next: three lines, which the budget of 512 B
	 * for a connection rests upon. Debug builds have larger frames. */
#ifdef __OPTIMIZE__
	CU_ASSERT_TRUE(pair_counter(e, "co_saved_bytes") <= CONNS * 256);
#endif
#endif
	stop(e);
}

/* It is no mute partner: who is echoed something else resets. */
static void wrong_echoes_are_noticed(void)
{
	struct perch *e = open_crowd(
		"perch_crowd1,conns=20,to=10.99.0.2:7", "net_ring_perch_crowd1", NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	server.lie = true;
	turn_until(e, "tcp_resets_received", FEW);
	CU_ASSERT_EQUAL(pair_counter(e, "tcp_flows"), 0);
	stop(e);
}

static void nonsense_is_refused(void)
{
	const char *bad[] = {"perch_crowd", "perch_crowd2,conns=0,to=10.0.0.1:7",
		"perch_crowd2,conns=5,to=10.0.0.1", "perch_crowd2,conns=5,to=10.0.0.1:70000",
		"perch_crowd2,conns=5,to=10.0.0.1:7,more=1", "perch_crowd2,conns=5,to=300.0.0.1:7",
		"perch_crowd2,conns=-5,to=10.0.0.1:7", "perch_crowd2,to=10.0.0.1:7,conns=5"};
	struct perch_why why;
	unsigned i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why.text[0] = '\0';
		CU_ASSERT_PTR_NULL(open_crowd(bad[i], "net_ring_perch_crowd2", &why));
		CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "crowd"));
		CU_ASSERT_PTR_NULL(strchr(why.text, '\n'));
	}
}

int main(int argc, char **argv)
{
	const struct suite_case cases[] = {
		{"all_connect_and_are_echoed", all_connect_and_are_echoed},
		{"wrong_echoes_are_noticed", wrong_echoes_are_noticed},
		{"nonsense_is_refused", nonsense_is_refused},
		{NULL, NULL},
	};

	return suite_main("crowd", cases, argc, argv);
}
