/* SPDX-License-Identifier: BSD-3-Clause
 * What the scheduler costs: nanoseconds per switch, event, spawn and timer, and bytes per parked
 * coroutine. Prints one line per figure: median of the rounds in CPU time (least - most), and the
 * figure to reach.
 *
 * An event is: wake, resume, three frames of handler that add the packet to a sum, park. Ids come
 * from a list drawn beforehand; bursts are of 32 different ones, and with prefetch the control
 * blocks of the next burst are fetched while this one runs.
 *
 * usage: sched_bench [-r rounds] [-q] [switch|event|exchange|spawn|timer|memory|boost ...]
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sched/coro.h"
#include "sched/region.h"
#include "sched/switch.h"
#include "sched/wheel.h"
#include "tests/bench/sched_bench.h"

enum {
	BURST = 32,
	MAX_ROUNDS = 99,
	DRAWN = 1 << 22, /* ids drawn beforehand */
};

static int rounds = 7;
static bool quick; /* nothing of 10 million */

/* ---- measuring ---- */

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double print_median(const char *name, double *ns, double target)
{
	qsort(ns, (size_t)rounds, sizeof(*ns), by_value);
	printf("%-52s %8.2f  (%.2f - %.2f)", name, ns[rounds / 2], ns[0], ns[rounds - 1]);
	if (target > 0)
		printf("  %s %.1f", ns[rounds / 2] <= target ? "within" : "OVER", target);
	printf("\n");
	fflush(stdout);
	return ns[rounds / 2];
}

double bench_report(const char *name, double (*once)(void *), void *arg, double target)
{
	double ns[MAX_ROUNDS];
	int i;

	once(arg); /* warm */
	for (i = 0; i < rounds; i++)
		ns[i] = once(arg);
	return print_median(name, ns, target);
}

double bench_time(void (*body)(void *), void *arg, double count)
{
	double start = cpu_ns();

	body(arg);
	return (cpu_ns() - start) / count;
}

static uint64_t seed = 88172645463325252u;

static uint64_t draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1du >> 16;
}

/* Is ids[i] new in its burst? Every event is to be a wake of its own. */
static bool distinct(const uint32_t *ids, uint32_t i)
{
	uint32_t k;

	for (k = i - i % BURST; k < i; k++)
		if (ids[k] == ids[i])
			return false;
	return true;
}

uint32_t *bench_draw(uint32_t population, uint32_t hot)
{
	uint32_t *ids = malloc(DRAWN * sizeof(*ids)), *of = malloc(hot * sizeof(*of));
	uint32_t i;

	if (ids == NULL || of == NULL)
		exit(1);
	for (i = 0; i < hot; i++)
		of[i] = hot == population ? i : (uint32_t)(draw() % population);
	for (i = 0; i < DRAWN; i++)
		do
			ids[i] = of[draw() % hot];
		while (!distinct(ids, i));
	free(of);
	return ids;
}

/* ---- the bare switch ---- */

enum { SWITCHES = 20000000 };

static void *ping_sp, *pong_sp;

static void pongs(void)
{
	for (;;)
		switch_stack(&pong_sp, ping_sp);
}

static double switch_once(void *arg)
{
	static char stack[16384] __attribute__((aligned(64)));
	uintptr_t *top = (uintptr_t *)(stack + sizeof(stack) - 64);
	double start;
	int i;

	(void)arg;
	top[0] = 0;
	top[1] = (uintptr_t)pongs;
	top[2] = 0;
	pong_sp = top;
	start = cpu_ns();
	for (i = 0; i < SWITCHES / 2; i++)
		switch_stack(&ping_sp, pong_sp);
	return (cpu_ns() - start) / SWITCHES;
}

__attribute__((noinline)) static void empty_call(void)
{
	__asm__ volatile("");
}

static double call_once(void *arg)
{
	double start = cpu_ns();
	int i;

	(void)arg;
	for (i = 0; i < SWITCHES; i++)
		empty_call();
	return (cpu_ns() - start) / SWITCHES;
}

static void bench_switch(void)
{
	double call = bench_report("call + ret", call_once, NULL, 0);

	bench_report("inline switch, one way", switch_once, NULL, call * 1.2 > 1.5 ? call * 1.2 : 1.5);
}

/* ---- events ---- */

static struct perch_sched *sched;
static uint64_t total;

__attribute__((noinline)) static int flow_recv(struct perch_sched *s)
{
	int packet = perch_co_park(s, PERCH_SCHED_NEVER);

	__asm__ volatile("" : "+r"(packet)); /* no tail call: the frame counts */
	return packet;
}

__attribute__((noinline)) static int app_recv(struct perch_sched *s, uint64_t *bytes)
{
	int packet = flow_recv(s);

	*bytes += (uint64_t)(packet > 0 ? packet : 0);
	return packet;
}

static void handler(void *arg)
{
	uint64_t bytes = 0;

	while (app_recv(arg, &bytes) >= 0)
		;
	total += bytes;
}

struct population {
	uint32_t count, hot;
	bool prefetch;
	uint32_t *ids;
	uint32_t next;
	uint32_t events;
};

static void populate(uint32_t count)
{
	struct perch_sched_config cfg = {.max_co = count, .max_private = 1};
	uint32_t i;

	if (perch_sched_open(&sched, &cfg) < 0) {
		fprintf(stderr, "no memory for %u coroutines\n", count);
		exit(1);
	}
	for (i = 0; i < count; i++) {
		if (perch_co_spawn(sched, handler, sched, 0) == NULL)
			exit(1);
		if (i % BURST == BURST - 1)
			perch_sched_run(sched, BURST);
	}
	perch_sched_run(sched, BURST);
}

static void depopulate(void)
{
	perch_sched_cancel_all(sched);
	while (perch_sched_ready(sched))
		perch_sched_run(sched, UINT32_MAX);
	perch_sched_close(sched);
}

static void events(void *arg)
{
	struct population *p = arg;
	uint32_t done, i;

	for (done = 0; done < p->events; done += BURST) {
		const uint32_t *ids = p->ids + p->next;

		p->next = (p->next + BURST) % DRAWN;
		if (p->prefetch)
			for (i = 0; i < BURST; i++)
				perch_co_prefetch(sched, p->ids[p->next + i]);
		for (i = 0; i < BURST; i++)
			perch_co_wake_id(sched, ids[i], 64);
		perch_sched_run(sched, BURST);
	}
}

static double events_once(void *arg)
{
	struct population *p = arg;

	return bench_time(events, p, p->events);
}

static void report_events(uint32_t count, uint32_t hot, bool prefetch, double target)
{
	struct population p = {.count = count, .hot = hot, .prefetch = prefetch,
			       .events = 4 << 20, .ids = bench_draw(count, hot)};
	char name[80];

	snprintf(name, sizeof(name), "event, %u hot of %u%s", hot, count,
		 prefetch ? ", prefetched" : "");
	bench_report(name, events_once, &p, target);
	free(p.ids);
}

static void bench_event(void)
{
	populate(64);
	report_events(64, 64, false, 14);
	depopulate();
	populate(1000000);
	report_events(1000000, 1024, false, 16);
	report_events(1000000, 1024, true, 0);
	report_events(1000000, 1000000, false, 0);
	report_events(1000000, 1000000, true, 30);
	depopulate();
	if (quick)
		return;
	populate(10000000);
	report_events(10000000, 10000000, true, 45);
	depopulate();
}

/* ---- what any copy-stack must move ---- */

/* As many bytes as an event of ours brings and takes away, from and to the same places; no queues,
 * no switch, no handler. */
struct images {
	struct population p;
	struct control {
		uint64_t events, rest[7];
	} *control;
	struct image {
		char bytes[128];
	} *image;
};

static void exchange(void *arg)
{
	struct images *m = arg;
	struct population *p = &m->p;
	struct image stack = {{0}}, old;
	uint32_t done, i, line;

	for (done = 0; done < p->events; done += BURST) {
		const uint32_t *ids = p->ids + p->next;

		p->next = (p->next + BURST) % DRAWN;
		for (i = 0; i < BURST; i++) {
			__builtin_prefetch(&m->control[p->ids[p->next + i]], 0, 2);
			for (line = 0; line < sizeof(old); line += 64)
				__builtin_prefetch(m->image[p->ids[p->next + i]].bytes + line,
						   0, 2);
		}
		for (i = 0; i < BURST; i++) {
			m->control[ids[i]].events++;
			old = stack;
			stack = m->image[ids[i]];
			__asm__ volatile("" : "+m"(stack), "+m"(old));
			m->image[ids[i]] = old;
		}
	}
}

static double exchange_once(void *arg)
{
	struct images *m = arg;

	return bench_time(exchange, m, m->p.events);
}

static void report_exchange(uint32_t count, uint32_t hot)
{
	size_t controls = count * sizeof(struct control), images = count * sizeof(struct image);
	struct images m = {
		.p = {.events = 4 << 20, .ids = bench_draw(count, hot)},
		.control = perch_region_map(controls, -1),
		.image = perch_region_map(images, -1),
	};
	char name[80];

	if (m.control == NULL || m.image == NULL)
		exit(1);
	memset(m.control, 1, controls);
	memset(m.image, 1, images);
	snprintf(name, sizeof(name), "its bytes moved, %u hot of %u", hot, count);
	bench_report(name, exchange_once, &m, 0);
	perch_region_unmap(m.image, images);
	perch_region_unmap(m.control, controls);
	free(m.p.ids);
}

static void bench_exchange(void)
{
	report_exchange(1000000, 1024);
	report_exchange(1000000, 1000000);
	if (!quick)
		report_exchange(10000000, 10000000);
}

/* ---- spawn and finish ---- */

enum { SPAWNS = 4 << 20 };

static void finishes(void *arg)
{
	total += (uintptr_t)arg;
}

static void spawns(void *arg)
{
	int done, i;

	for (done = 0; done < SPAWNS; done += BURST) {
		for (i = 0; i < BURST; i++)
			perch_co_spawn(sched, finishes, arg, 0);
		perch_sched_run(sched, BURST);
	}
}

static double spawns_once(void *arg)
{
	return bench_time(spawns, arg, SPAWNS);
}

static void bench_spawn(void)
{
	populate(64);
	depopulate();
	if (perch_sched_open(&sched, &(struct perch_sched_config){.max_co = 1024}) < 0)
		exit(1);
	bench_report("spawn + finish", spawns_once, NULL, 20);
	perch_sched_close(sched);
}

/* ---- timers ---- */

/* Every packet is of a random one of all flows and pushes its idle deadline out; the wheel is told
 * nothing, and asks. A round without timers and one with them take turns: their difference is the
 * timers' cost. */
struct timed_flow {
	int64_t deadline_ns;
	uint64_t packets;
	uint32_t wheel_word;
	char rest[44];
};

enum {
	TIMED = 10000000,
	PACKETS_PER_TICK = 1024,
	TICK_NS = 100000,
	IDLE_TICKS = 300000, /* 30 s at 10 M packets a second */
	TICKS = 65536,
	WARM_ROUNDS = 2, /* until every flow had a packet: each has 6.7 a round */
};

struct timed {
	struct timed_flow *flow;
	struct perch_wheel *wheel;
	int64_t now_ns;
	bool timers, watched;
	uint64_t fired;
	double longest_ns; /* that a packet had to wait for the wheel */
};

static int64_t timed_due(void *arg, uint32_t id)
{
	const struct timed *t = arg;

	return t->flow[id].deadline_ns;
}

static void timed_expire(struct timed *t)
{
	uint32_t ids[256], n, i;

	do {
		n = perch_wheel_expire(t->wheel, t->now_ns, ids, 256);
		for (i = 0; i < n; i++)
			__builtin_prefetch(&t->flow[ids[i]]);
		for (i = 0; i < n; i++) {
			struct timed_flow *f = &t->flow[ids[i]];

			if (f->deadline_ns <= t->now_ns) {
				t->fired++;
				f->deadline_ns = t->now_ns + (int64_t)IDLE_TICKS * TICK_NS;
			}
			perch_wheel_arm(t->wheel, ids[i], f->deadline_ns);
		}
	} while (n == 256);
}

static void watch_expire(struct timed *t)
{
	double start = wall_ns(), took;

	timed_expire(t);
	took = wall_ns() - start;
	if (took > t->longest_ns)
		t->longest_ns = took;
}

/* The next burst: drawn here, as a list of ten million would be one more thing to fetch. */
static void draw_burst(const struct timed *t, struct timed_flow **burst)
{
	uint32_t k;

	for (k = 0; k < BURST; k++) {
		burst[k] = &t->flow[(draw() & UINT32_MAX) * TIMED >> 32];
		__builtin_prefetch(burst[k], 1);
	}
}

static void timed_packets(void *arg)
{
	struct timed *t = arg;
	struct timed_flow *burst[2][BURST];
	uint32_t tick, i, k;

	draw_burst(t, burst[0]);
	for (tick = 0; tick < TICKS; tick++) {
		if (t->timers)
			t->now_ns += TICK_NS;
		for (i = 0; i < PACKETS_PER_TICK / BURST; i++) {
			draw_burst(t, burst[(i + 1) % 2]);
			for (k = 0; k < BURST; k++) {
				struct timed_flow *f = burst[i % 2][k];

				f->packets++;
				if (t->timers)
					f->deadline_ns = t->now_ns + (int64_t)IDLE_TICKS * TICK_NS;
			}
		}
		if (t->watched)
			watch_expire(t);
		else if (t->timers)
			timed_expire(t);
	}
}

static double timed_once(void *arg)
{
	return bench_time(timed_packets, arg, (double)TICKS * PACKETS_PER_TICK);
}

static void bench_timer(void)
{
	struct perch_wheel_config cfg = {.max_ids = TIMED, .tick_ns = TICK_NS};
	struct timed t = {0};
	size_t bytes = sizeof(struct timed_flow) * (size_t)TIMED;
	double without[MAX_ROUNDS], with[MAX_ROUNDS], cost[MAX_ROUNDS];
	uint32_t i;
	int round;

	if (quick)
		return;
	t.flow = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t.flow == MAP_FAILED)
		exit(1);
	cfg.words = &t.flow[0].wheel_word;
	cfg.word_stride_bytes = sizeof(*t.flow);
	cfg.due = timed_due;
	cfg.due_arg = &t;
	if (perch_wheel_open(&t.wheel, &cfg) < 0)
		exit(1);
	madvise(t.flow, bytes, MADV_HUGEPAGE);
	for (i = 0; i < TIMED; i++) {
		t.flow[i].deadline_ns = (int64_t)(draw() % IDLE_TICKS + 1) * TICK_NS;
		perch_wheel_arm(t.wheel, i, t.flow[i].deadline_ns);
	}
	for (round = -WARM_ROUNDS; round < rounds; round++) {
		int k = round < 0 ? 0 : round;

		t.timers = false;
		without[k] = timed_once(&t);
		t.timers = true;
		with[k] = timed_once(&t);
		cost[k] = with[k] - without[k];
	}
	print_median("packet, no timers, 10 M flows", without, 0);
	print_median("packet, 10 M timers pending", with, 0);
	print_median("timers' cost a packet", cost, 1);
	t.watched = true; /* once more, with a look at the clock before and after each */
	timed_packets(&t);
	printf("%-52s %8.0f\n", "longest expire, what the machine stole included", t.longest_ns);
	perch_wheel_close(t.wheel);
	munmap(t.flow, bytes);
}

/* ---- memory ---- */

/* Kilobytes of the named lines of /proc/self/status: resident, page tables, huge pages. */
static long memory_kb(void)
{
	static const char *const names[] = {"VmRSS:", "VmPTE:", "HugetlbPages:"};
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kb = 0;
	size_t i;

	if (f == NULL)
		exit(1);
	while (fgets(line, sizeof(line), f) != NULL)
		for (i = 0; i < sizeof(names) / sizeof(*names); i++)
			if (strncmp(line, names[i], strlen(names[i])) == 0)
				kb += atol(line + strlen(names[i]));
	fclose(f);
	return kb;
}

/* In a process of its own, so that nothing is reused. */
static void report_memory(uint32_t count)
{
	long before_kb, after_kb;
	double each;

	fflush(stdout);
	if (fork() != 0) {
		wait(NULL);
		return;
	}
	populate(BURST); /* the pages of code, of this measuring too, are no coroutine's cost */
	depopulate();
	memory_kb();
	before_kb = memory_kb();
	populate(count);
	after_kb = memory_kb();
	each = (double)(after_kb - before_kb) * 1024 / count;
	printf("coroutines=%u rss=%ld KB (%.0f B/coroutine)  %s 300\n", count, after_kb, each,
	       each <= 300 ? "within" : "OVER");
	fflush(stdout);
	_exit(0);
}

static void bench_memory(void)
{
	report_memory(10000);
	report_memory(100000);
	report_memory(1000000);
	if (!quick)
		report_memory(10000000);
}

/* ---- the program ---- */

static const struct {
	const char *name;
	void (*run)(void);
} sections[] = {
	{"switch", bench_switch}, {"event", bench_event},   {"exchange", bench_exchange},
	{"spawn", bench_spawn},   {"timer", bench_timer},   {"memory", bench_memory},
	{"boost", bench_boost},
};

static bool wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc == 0;
}

int main(int argc, char **argv)
{
	size_t i;

	argc--;
	argv++;
	if (argc >= 2 && strcmp(argv[0], "-r") == 0) {
		rounds = atoi(argv[1]);
		argc -= 2;
		argv += 2;
	}
	quick = argc >= 1 && strcmp(argv[0], "-q") == 0;
	argc -= quick;
	argv += quick;
	if (rounds < 1 || rounds > MAX_ROUNDS)
		return 2;
	printf("%-52s %8s\n", "", "ns: median (least - most)");
	for (i = 0; i < sizeof(sections) / sizeof(*sections); i++)
		if (wanted(sections[i].name, argc, argv))
			sections[i].run();
	return total == 1; /* the sums are used */
}
