/* SPDX-License-Identifier: BSD-3-Clause
 * perch-idle: what an idle waiter costs. Parks N coroutines, three calls deep, and prints what the
 * process grew by: resident memory, huge pages and page tables, all counted.
 *
 * With --tcp each of them is the handler of an established TCP connection, which has echoed 64
 * bytes and now waits for more. The clients are a crowd at the other end of a wire within the
 * process (drivers-glue/crowd.h), which keeps no state for a connection; so the growth is that of
 * the server: control block, table, timers, coroutine, saved stack, and their page tables.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <perch.h>

enum {
	MOST = 100000000,
	BATCH = 512,
	MESSAGE_BYTES = 64,
	QUIET_MS = 500,      /* longer than a retransmission of what was not acknowledged waits */
	PATIENCE_MS = 10000, /* without any progress */
	COROUTINE_BYTES = 300, CONNECTION_BYTES = 512, /* expected, each */
};

enum part { RESIDENT, HUGE, TABLES, PARTS };

static const char *const field[PARTS] = {"VmRSS:", "HugetlbPages:", "VmPTE:"}; /* proc(5) */

struct cost {
	uint64_t kb[PARTS];
};

struct flock {
	uint64_t wanted, parked;
	bool done;
};

/* ---- coroutines ----------------------------------------------------------------------------- */

/* Three frames with something live in each, as a handler that waits for a request has. */
static __attribute__((noinline)) int wait_in(struct flock *f, volatile uint64_t *state)
{
	f->parked++;
	*state += 1;
	return perch_sleep(PERCH_FOREVER);
}

static __attribute__((noinline)) int receive(struct flock *f)
{
	volatile uint64_t state = f->parked;
	int rc = wait_in(f, &state);

	return state == 0 ? -EIO : rc;
}

static void waiter(void *arg)
{
	receive(arg);
}

static void spawn_all(void *arg)
{
	struct flock *f = arg;
	uint64_t i;

	for (i = 0; i < f->wanted && perch_spawn(waiter, f, 0) == 0; i++)
		if (i % BATCH == 0 && perch_yield() < 0)
			break;
	while (f->parked < i && perch_yield() == 0)
		;
	f->done = true;
}

/* ---- connections ---------------------------------------------------------------------------- */

static void serve(struct perch_conn *c, void *arg)
{
	struct flock *f = arg;
	struct perch_bytes b;

	while ((b = perch_next(c, PERCH_FOREVER)).len > 0) {
		if (perch_write(c, b.data, (size_t)b.len, PERCH_FOREVER) < 0)
			break;
		f->parked += b.len == MESSAGE_BYTES;
	}
}

static int64_t wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint64_t counter(const struct perch *e, const char *name)
{
	struct perch_counter c[256];
	unsigned i, n = perch_counters(e, PERCH_EVERY_LCORE, c, 256);

	for (i = 0; i < n && i < 256; i++)
		if (strcmp(c[i].name, name) == 0)
			return c[i].value;
	return 0;
}

/* Turn until all have echoed, every echo was acknowledged, and nothing happens any more. */
static bool connect_all(struct perch *e, const struct flock *f)
{
	int64_t busy_ms = wall_ms();
	uint64_t sent = 0, now_sent;

	for (;;) {
		int64_t idle_ms = wall_ms() - busy_ms;

		if (idle_ms > (f->parked >= f->wanted ? QUIET_MS : PATIENCE_MS))
			break;
		if (perch_poll(e, 1024) < 0)
			return false;
		now_sent = counter(e, "tcp_segments_out");
		if (now_sent != sent)
			busy_ms = wall_ms();
		sent = now_sent;
	}
	return f->parked == f->wanted && counter(e, "tcp_flows") == f->wanted &&
		counter(e, "tcp_resets_received") == 0;
}

/* ---- measuring ------------------------------------------------------------------------------ */

static struct cost footprint(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	struct cost c = {{0}};
	char line[128];
	size_t i;

	if (!f)
		return c;
	while (fgets(line, sizeof(line), f))
		for (i = 0; i < PARTS; i++)
			if (strncmp(line, field[i], strlen(field[i])) == 0)
				c.kb[i] = strtoull(line + strlen(field[i]), NULL, 10);
	fclose(f);
	return c;
}

static bool settle(struct perch *e, struct flock *f, bool tcp)
{
	if (tcp)
		return perch_listen(e, NULL, 7, serve, f) == 0 && connect_all(e, f);
	if (perch_start(e, 0, spawn_all, f, 0) == 0)
		while (!f->done && perch_poll(e, 1) >= 0)
			;
	return f->parked == f->wanted;
}

/* The footprint with n of them parked; all zero if that failed. */
static struct cost measure(uint64_t n, bool tcp)
{
	char crowd[96];
	const char *vdevs[] = {tcp ? crowd : "net_null0", NULL}, *addrs[] = {"10.99.0.2/24", NULL};
	struct perch_config cfg = {.no_huge = true, .memory_mb = 128, .mbufs = 4096, .seed = 1,
		.vdevs = vdevs, .addrs = addrs, .profile = PERCH_WAN,
		.port = tcp ? "net_ring_perch_crowd0" : NULL, .gw4 = "10.99.0.1",
		.max_conns = tcp ? (uint32_t)n : 16, .max_coroutines = (uint32_t)n + 1};
	struct flock f = {.wanted = n};
	struct perch_why why;
	struct perch *e;

	snprintf(crowd, sizeof(crowd), "perch_crowd0,conns=%" PRIu64 ",to=10.99.0.2:7", n);
	if (perch_open(&e, &cfg, &why) < 0) {
		fprintf(stderr, "perch-idle: %s\n", why.text);
	} else if (settle(e, &f, tcp)) {
		return footprint(); /* the process ends here: millions need not be unwound first */
	} else {
		fprintf(stderr, "perch-idle: only %" PRIu64 " of %" PRIu64 " %s\n", f.parked, n,
			tcp ? "connections echoed and went idle" : "coroutines parked");
	}
	return (struct cost){{0}};
}

/* The same in a process of its own, for memory once touched does not come back. */
static struct cost measure_apart(uint64_t n, bool tcp)
{
	struct cost c = {{0}};
	int fds[2], status;
	pid_t child;

	if (pipe(fds) < 0 || (child = fork()) < 0)
		return c;
	if (child == 0) {
		c = measure(n, tcp);
		_exit(write(fds[1], &c, sizeof(c)) == sizeof(c) ? 0 : 1);
	}
	close(fds[1]);
	if (read(fds[0], &c, sizeof(c)) != sizeof(c)) {
		fprintf(stderr, "perch-idle: the process with %" PRIu64 " of them died\n", n);
		c = (struct cost){{0}};
	}
	close(fds[0]);
	waitpid(child, &status, 0);
	return c;
}

/* Rather a word now than the kernel's out-of-memory killer later. */
static bool has_memory(uint64_t n, bool tcp)
{
	uint64_t need_kb = n * (tcp ? CONNECTION_BYTES : COROUTINE_BYTES) / 1024, free_kb = UINT64_MAX;
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "MemAvailable: %" SCNu64, &free_kb);
	if (f)
		fclose(f);
	if (need_kb <= free_kb)
		return true;
	fprintf(stderr, "perch-idle: %" PRIu64 " need about %" PRIu64 " MB, and %" PRIu64
		" MB are available\n", n, need_kb / 1024, free_kb / 1024);
	return false;
}

static bool report(uint64_t n, bool tcp, const struct cost *empty)
{
	struct cost c;
	uint64_t kb = 0;
	size_t i;

	if (!has_memory(n, tcp))
		return false;
	c = measure_apart(n, tcp);
	if (c.kb[RESIDENT] == 0)
		return false;
	for (i = 0; i < PARTS; i++) {
		c.kb[i] = c.kb[i] > empty->kb[i] ? c.kb[i] - empty->kb[i] : 0;
		kb += c.kb[i];
	}
	printf("coroutines=%" PRIu64 " rss=%" PRIu64 " KB (%" PRIu64 " B/coroutine)", n, kb,
		kb * 1024 / n);
	if (tcp)
		printf(", each with an established TCP connection; %" PRIu64 " KB are page tables",
			c.kb[TABLES]);
	printf("\n");
	fflush(stdout);
	return true;
}

static int usage(void)
{
	fprintf(stderr, "usage: perch-idle [--tcp] N...\n");
	return 2;
}

int main(int argc, char **argv)
{
	bool tcp = argc > 1 && strcmp(argv[1], "--tcp") == 0;
	struct cost empty;
	uint64_t n;
	char *end;
	int i;

	argc -= 1 + tcp;
	argv += 1 + tcp;
	if (argc < 1)
		return usage();
	for (i = 0; i < argc; i++) {
		n = strtoull(argv[i], &end, 10);
		if (*end || argv[i][0] == '-' || n == 0 || n > MOST) {
			fprintf(stderr, "perch-idle: '%s' is not a number from 1 to %u\n", argv[i],
				(unsigned)MOST);
			return 2;
		}
	}
	empty = measure_apart(1, tcp);
	if (empty.kb[RESIDENT] == 0)
		return 1;
	for (i = 0; i < argc; i++)
		if (!report(strtoull(argv[i], NULL, 10), tcp, &empty))
			return 1;
	return 0;
}
