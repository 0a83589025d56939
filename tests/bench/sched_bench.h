/* SPDX-License-Identifier: BSD-3-Clause
 * What the scheduler's benchmarks share: rounds, medians, and lists of random ids.
 */
#ifndef PERCH_TESTS_BENCH_SCHED_BENCH_H
#define PERCH_TESTS_BENCH_SCHED_BENCH_H

#include <stdint.h>

enum { BENCH_BURST = 32, BENCH_DRAWN = 1 << 22 };

/* Runs `once` (which returns ns per operation) for all rounds and prints the line. Returns the
 * median. target 0: none. */
double bench_report(const char *name, double (*once)(void *), void *arg, double target);

/* CPU time of body(arg), divided by count. */
double bench_time(void (*body)(void *), void *arg, double count);

/* BENCH_DRAWN ids, uniformly from `hot` random ones of the population, different
 * within a burst. Free it. */
uint32_t *bench_draw(uint32_t population, uint32_t hot);

/* The same event over boost.context's fcontext; says so when it was not built in. */
void bench_boost(void);

#endif
