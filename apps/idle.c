/* SPDX-License-Identifier: BSD-3-Clause
 * perch-idle: what an idle waiter costs. Parks N coroutines, three calls deep, and prints what the
 * process grew by: resident memory, huge pages and page tables, all counted.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <perch.h>

enum { MOST = 100000000, BATCH = 512 };

struct flock {
	uint64_t wanted, parked;
	bool done;
};

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

/* Kilobytes of VmRSS + HugetlbPages + VmPTE (proc(5)). */
static uint64_t footprint_kb(void)
{
	static const char *const fields[] = {"VmRSS:", "HugetlbPages:", "VmPTE:"};
	FILE *f = fopen("/proc/self/status", "r");
	uint64_t sum = 0;
	char line[128];
	size_t i;

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		for (i = 0; i < 3; i++)
			if (strncmp(line, fields[i], strlen(fields[i])) == 0)
				sum += strtoull(line + strlen(fields[i]), NULL, 10);
	fclose(f);
	return sum;
}

/* The footprint with n coroutines parked, or 0 if that failed. */
static uint64_t measure(uint64_t n)
{
	const char *vdevs[] = {"net_null0", NULL}, *addrs[] = {"10.99.0.2/24", NULL};
	struct perch_config cfg = {.no_huge = true, .memory_mb = 64, .mbufs = 2048, .seed = 1,
		.vdevs = vdevs, .addrs = addrs, .max_conns = 16,
		.max_coroutines = (uint32_t)n + 1};
	struct flock f = {.wanted = n};
	struct perch_why why;
	struct perch *e;
	uint64_t kb = 0;

	if (perch_open(&e, &cfg, &why) < 0) {
		fprintf(stderr, "perch-idle: %s\n", why.text);
		return 0;
	}
	if (perch_start(e, 0, spawn_all, &f, 0) == 0)
		while (!f.done && perch_poll(e, 1) >= 0)
			;
	if (f.parked == n)
		kb = footprint_kb();
	else
		fprintf(stderr, "perch-idle: only %" PRIu64 " of %" PRIu64 " coroutines parked\n",
			f.parked, n);
	return kb; /* the process ends here: millions need not be unwound first */
}

/* The same in a process of its own, for memory once touched does not come back. */
static uint64_t measure_apart(uint64_t n)
{
	uint64_t kb = 0;
	int fds[2], status;
	pid_t child;

	if (pipe(fds) < 0 || (child = fork()) < 0)
		return 0;
	if (child == 0) {
		kb = measure(n);
		_exit(write(fds[1], &kb, sizeof(kb)) == sizeof(kb) ? 0 : 1);
	}
	close(fds[1]);
	if (read(fds[0], &kb, sizeof(kb)) != sizeof(kb))
		kb = 0;
	close(fds[0]);
	waitpid(child, &status, 0);
	return kb;
}

int main(int argc, char **argv)
{
	uint64_t n, kb, empty_kb;
	char *end;
	int i;

	if (argc < 2) {
		fprintf(stderr, "usage: perch-idle N...\n");
		return 2;
	}
	for (i = 1; i < argc; i++) {
		n = strtoull(argv[i], &end, 10);
		if (*end || argv[i][0] == '-' || n == 0 || n > MOST) {
			fprintf(stderr, "perch-idle: '%s' is not a number from 1 to %u\n", argv[i],
				(unsigned)MOST);
			return 2;
		}
	}
	empty_kb = measure_apart(1);
	for (i = 1; i < argc && empty_kb; i++) {
		n = strtoull(argv[i], NULL, 10);
		kb = measure_apart(n);
		if (kb == 0)
			return 1;
		kb = kb > empty_kb ? kb - empty_kb : 0;
		printf("coroutines=%" PRIu64 " rss=%" PRIu64 " KB (%" PRIu64 " B/coroutine)\n", n, kb,
			kb * 1024 / n);
		fflush(stdout);
	}
	return empty_kb ? 0 : 1;
}
