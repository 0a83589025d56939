/* SPDX-License-Identifier: BSD-3-Clause
 * What the machine takes away: two threads, on CPU 0 and CPU 1, that do nothing but look at the
 * time-stamp counter. A look that comes more than a microsecond after the one before was kept
 * waiting by an interrupt, by another process, or by the hypervisor. No program's tails are better
 * than this.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>

#include "apps/hist.h"

enum { CPUS = 2 };

struct spinner {
	pthread_t thread;
	int cpu;
	uint64_t per_us, ticks; /* of the counter: in a microsecond, in all */
	uint64_t lost;          /* ns, in gaps */
	struct hist gaps;       /* ns */
};

static void *spin(void *arg)
{
	struct spinner *s = arg;
	uint64_t start = rte_rdtsc(), before = start, now, ns;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(s->cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	while (before - start < s->ticks) {
		now = rte_rdtsc();
		if (now - before > s->per_us) {
			ns = (now - before) * 1000 / s->per_us;
			s->lost += ns;
			hist_record(&s->gaps, (int64_t)ns);
		}
		before = now;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct spinner *s = calloc(CPUS, sizeof(*s));
	unsigned i;

	if (argc != 3 || !s || atof(argv[1]) <= 0 || atof(argv[2]) <= 0) {
		fprintf(stderr, "usage: gaps SECONDS TSC_HZ\n");
		return 2;
	}
	for (i = 0; i < CPUS; i++) {
		s[i].cpu = (int)i;
		s[i].per_us = (uint64_t)(atof(argv[2]) / 1e6);
		s[i].ticks = (uint64_t)(atof(argv[1]) * atof(argv[2]));
		pthread_create(&s[i].thread, NULL, spin, &s[i]);
	}
	for (i = 0; i < CPUS; i++) {
		pthread_join(s[i].thread, NULL);
		printf("%s{\"lost\": %.6f, \"gaps_ns\": ", i ? ", " : "[",
			(double)s[i].lost / 1e9 / atof(argv[1]));
		hist_print_json(&s[i].gaps, stdout);
		printf("}");
	}
	printf("]\n");
	return 0;
}
