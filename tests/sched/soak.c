/* SPDX-License-Identifier: BSD-3-Clause
 * The soak: coroutines woken at random, of which one in a hundred parks under 8 KB of checksummed
 * frames. No frame may change, no park be refused, and in the end the memory is where it was.
 *
 * usage: test_sched_soak [--count N] [--seconds S] [--seed X]
 * The whole of it: --count 10000000 --seconds 60
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sched/coro.h"

enum {
	BURST = 32,
	DEEP_BYTES = 8192,
	DEEP_EACH = 100,      /* one of so many parks is deep */
	FRAME_WORDS = 32,
	FRAME_OVERHEAD = 48,  /* about: return address, saved registers */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	LEFT_KB = 1 << 30,    /* sanitizers keep private stacks, and much else */
#else
	LEFT_KB = 8192,       /* that may stay: pages of lists, of the process */
#endif
};

struct soak {
	struct perch_sched *s;
	uint64_t seed, wrong, wakes, parks, deep;
	uint32_t count;
	double seconds;
};

static struct soak soak = {.count = 50000, .seconds = 1, .seed = 1};

static uint64_t draw(void)
{
	uint64_t z = soak.seed += UINT64_C(0x9e3779b97f4a7c15); /* SplitMix64 */

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t word(uint64_t key, int i)
{
	return (key + (uint64_t)i) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Each frame is filled before, and compared word by word after whatever happened above it. */
__attribute__((noinline)) static int dive(uint64_t key, unsigned depth)
{
	volatile uint64_t frame[FRAME_WORDS];
	int result, i;

	for (i = 0; i < FRAME_WORDS; i++)
		frame[i] = word(key, i);
	result = depth > 0 ? dive(key + 1, depth - 1) : perch_co_park(soak.s, PERCH_SCHED_NEVER);
	for (i = 0; i < FRAME_WORDS; i++)
		soak.wrong += frame[i] != word(key, i);
	return result;
}

static void handler(void *arg)
{
	const unsigned depth = DEEP_BYTES / (FRAME_WORDS * sizeof(uint64_t) + FRAME_OVERHEAD);
	volatile uint64_t key = (uintptr_t)arg * 1000003, turn = 0, check = key;
	int result = 0;

	while (result >= 0) {
		soak.wrong += check != key + turn;
		check = key + ++turn;
		soak.parks++;
		if (draw() % DEEP_EACH == 0) {
			soak.deep++;
			result = dive(key ^ turn, depth);
		} else {
			result = perch_co_park(soak.s, PERCH_SCHED_NEVER);
		}
	}
	soak.wrong += result != -ECANCELED;
}

static long memory_kb(void)
{
	static const char *const names[] = {"VmRSS:", "VmPTE:", "HugetlbPages:"};
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kb = 0;
	size_t i;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		for (i = 0; i < sizeof(names) / sizeof(*names); i++)
			if (strncmp(line, names[i], strlen(names[i])) == 0)
				kb += atol(line + strlen(names[i]));
	if (f != NULL)
		fclose(f);
	return kb;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void wake_at_random(void)
{
	double end = now() + soak.seconds;
	unsigned i, k;

	while (now() < end)
		for (i = 0; i < 256; i++) {
			for (k = 0; k < BURST; k++)
				perch_co_wake_id(soak.s, (uint32_t)(draw() % soak.count), 1);
			soak.wakes += perch_sched_run(soak.s, BURST);
		}
}

/* Room for a few lines each, the deep ones, and half as much again for what sizes do not fit. */
static size_t save_bytes(void)
{
	size_t deep = soak.count / DEEP_EACH * 2 + 1000;

	return (soak.count * (size_t)512 + deep * (DEEP_BYTES + 2048)) * 3 / 2 + (4u << 20);
}

static int verdict(const struct perch_sched_stats *st, long empty_kb, long full_kb, long end_kb)
{
	int bad = soak.wrong > 0 || st->refused_save > 0 || st->saved_bytes > 0 || st->alive > 0 ||
		end_kb - empty_kb > LEFT_KB || soak.deep < soak.parks / DEEP_EACH / 2;

	printf("soak: %" PRIu32 " coroutines, %" PRIu64 " wakes in %.0f s, %" PRIu64 " of %" PRIu64
	       " parks deep\n", soak.count, soak.wakes, soak.seconds, soak.deep, soak.parks);
	printf("soak: %" PRIu64 " words changed, %" PRIu64 " parks refused, %zu B still saved\n",
	       soak.wrong, st->refused_save, st->saved_bytes);
	printf("soak: %ld KB before, %ld KB with all parked, %ld KB afterwards\n", empty_kb,
	       full_kb, end_kb);
	printf("sched soak: %d passed, %d failed, 0 skipped\n", !bad, bad);
	return bad;
}

static int run(void)
{
	struct perch_sched_config cfg = {.max_co = soak.count, .max_private = 1,
					 .save_bytes = save_bytes()};
	long empty_kb, full_kb, end_kb;
	struct perch_sched_stats st;
	uint32_t i;

	if (perch_sched_open(&soak.s, &cfg) < 0) {
		fprintf(stderr, "test_sched_soak: no memory for %" PRIu32 " coroutines\n",
			soak.count);
		return 1;
	}
	empty_kb = memory_kb();
	for (i = 0; i < soak.count; i++) {
		if (perch_co_spawn(soak.s, handler, (void *)(uintptr_t)i, 0) == NULL)
			return 1;
		perch_sched_run(soak.s, 1);
	}
	full_kb = memory_kb();
	wake_at_random();
	perch_sched_cancel_all(soak.s);
	while (perch_sched_ready(soak.s))
		perch_sched_run(soak.s, UINT32_MAX);
	perch_sched_trim(soak.s);
	end_kb = memory_kb();
	perch_sched_stats(soak.s, &st);
	perch_sched_close(soak.s);
	return verdict(&st, empty_kb, full_kb, end_kb);
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--count") == 0)
			soak.count = (uint32_t)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seconds") == 0)
			soak.seconds = strtod(argv[i + 1], NULL);
		else if (strcmp(argv[i], "--seed") == 0)
			soak.seed = strtoull(argv[i + 1], NULL, 10);
		else
			break;
	}
	if (i < argc || soak.count == 0 || soak.seconds <= 0) {
		fprintf(stderr, "usage: test_sched_soak [--count N] [--seconds S] [--seed X]\n");
		return 2;
	}
	return run();
}
