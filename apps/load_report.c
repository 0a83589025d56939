/* SPDX-License-Identifier: BSD-3-Clause
 * What perch-load prints.
 */
#include "apps/load_report.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct sum { /* over all lcores */
	struct hist hist;
	uint64_t requests, bytes, errors, lost, wrong, opened;
	double seconds;
	int first_error;
};

static struct {
	const struct load *load;
	pthread_t thread;
	_Atomic bool running;
} progress;

static void add_up(const struct load *l, struct sum *s)
{
	const struct load_worker *w;
	double seconds;
	unsigned k;

	memset(s, 0, sizeof(*s));
	for (k = 0; k < l->n_workers; k++) {
		w = &l->workers[k];
		hist_add(&s->hist, &w->hist);
		s->requests += w->requests;
		s->bytes += w->bytes;
		s->errors += w->errors;
		s->lost += w->lost;
		s->wrong += w->wrong;
		s->opened += w->opened;
		if (s->first_error == 0)
			s->first_error = w->first_error;
		seconds = (double)(w->end_ns - w->start_ns) / 1e9;
		if (w->end_ns && seconds > s->seconds)
			s->seconds = seconds;
	}
}

/* ---- while it runs -------------------------------------------------------------------------- */

static const char *phase_name(const struct load *l)
{
	static const char *const names[] = {"opening", "warming up", "measuring", "over"};

	return names[l->workers[0].phase];
}

static void print_line(const struct load *l, unsigned second, struct sum *now, struct sum *before)
{
	uint64_t requests, bytes, errors;

	add_up(l, now);
	requests = now->requests - before->requests;
	bytes = now->bytes - before->bytes;
	errors = now->errors - before->errors;
	hist_subtract(&before->hist, &now->hist); /* what is new, negated, slot by slot */
	fprintf(stderr, "perch-load: %u s, %s, %" PRIu64 " open", second, phase_name(l),
		now->opened);
	if (load_is_bulk(l))
		fprintf(stderr, ", %.2f Gbit/s", (double)bytes * 8 / 1e9);
	else
		fprintf(stderr, ", %" PRIu64 " req/s", requests);
	if (errors)
		fprintf(stderr, ", %" PRIu64 " errors", errors);
	if (requests) {
		struct hist *d = &before->hist;
		unsigned i;

		for (i = 0; i < HIST_SLOTS; i++)
			d->slots[i] = -d->slots[i];
		d->max = now->hist.max;
		fprintf(stderr, ", p50 %.1f us, p99 %.1f us, p99.9 %.1f us",
			(double)hist_quantile(d, 0.5) / 1e3, (double)hist_quantile(d, 0.99) / 1e3,
			(double)hist_quantile(d, 0.999) / 1e3);
	}
	fputc('\n', stderr);
}

static void *print_lines(void *arg)
{
	struct sum *sums = calloc(2, sizeof(*sums)), swap;
	unsigned tenths = 0;

	while (sums && progress.running) {
		nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
		if (++tenths % 10 || !progress.running)
			continue;
		print_line(arg, tenths / 10, &sums[1], &sums[0]);
		swap = sums[0];
		sums[0] = sums[1];
		sums[1] = swap;
	}
	free(sums);
	return NULL;
}

void load_progress_start(const struct load *l)
{
	progress.load = l;
	progress.running = true;
	if (pthread_create(&progress.thread, NULL, print_lines, (void *)(uintptr_t)l) != 0)
		progress.running = false;
}

void load_progress_stop(void)
{
	if (!progress.running)
		return;
	progress.running = false;
	pthread_join(progress.thread, NULL);
}

/* ---- at the end ----------------------------------------------------------------------------- */

static const char *mode(const struct load *l)
{
	if (l->connect)
		return "connect";
	if (l->udp)
		return "udp";
	if (load_is_one_way(l))
		return l->send ? "send" : "receive";
	return l->bulk ? "bulk" : "tcp";
}

static double per_second(uint64_t n, const struct sum *s)
{
	return s->seconds > 0 ? (double)n / s->seconds : 0.0;
}

static void print_text(const struct load *l, const struct sum *s)
{
	printf("%s, %" PRIu64 " connections of which %" PRIu64 " busy, %" PRIu64
	       " bytes, %" PRIu64 " in flight on each, %s, %.2f s\n",
		mode(l), l->conns, l->hot, l->size, l->depth, l->rate ? "open loop" : "closed loop",
		s->seconds);
	if (load_is_bulk(l))
		printf("%s: %" PRIu64 " bytes %s, %.3f Gbit/s\n", mode(l), s->bytes,
			l->bulk ? "came back" : l->send ? "arrived" : "came",
			per_second(s->bytes, s) * 8 / 1e9);
	else
		printf("requests: %" PRIu64 ", %.0f a second\n", s->requests,
			per_second(s->requests, s));
	if (l->rate)
		printf("asked for: %" PRIu64 " a second\n", l->rate);
	if (s->errors || s->lost || s->wrong)
		printf("errors: %" PRIu64 " (%s), lost: %" PRIu64 ", wrong: %" PRIu64 "\n",
			s->errors, s->first_error ? strerror(-s->first_error) : "none", s->lost,
			s->wrong);
	if (s->requests) {
		printf("latency: ");
		hist_print(&s->hist, stdout);
		printf("\n");
	}
}

static void print_counters(const struct perch *engine)
{
	unsigned i, n = perch_counters(engine, PERCH_EVERY_LCORE, NULL, 0);
	struct perch_counter *c = calloc(n, sizeof(*c));

	printf("\"engine\": {");
	if (c)
		perch_counters(engine, PERCH_EVERY_LCORE, c, n);
	for (i = 0; c && i < n; i++)
		printf("%s\"%s\": %" PRIu64, i ? ", " : "", c[i].name, c[i].value);
	printf("}");
	free(c);
}

static void print_json(const struct load *l, const struct sum *s, const struct perch *engine)
{
	printf("{\"mode\": \"%s\", \"loop\": \"%s\", \"conns\": %" PRIu64 ", \"hot\": %" PRIu64
	       ", \"size\": %" PRIu64 ", \"depth\": %" PRIu64 ", \"asked_rate\": %" PRIu64
	       ", \"seconds\": %.3f, \"requests\": %" PRIu64 ", \"rate\": %.1f, \"bytes\": %" PRIu64
	       ", \"gbit_per_s\": %.4f, \"errors\": %" PRIu64 ", \"lost\": %" PRIu64
	       ", \"wrong\": %" PRIu64 ", \"latency_ns\": ",
		mode(l), l->rate ? "open" : "closed", l->conns, l->hot, l->size, l->depth, l->rate,
		s->seconds, s->requests, per_second(s->requests, s), s->bytes,
		per_second(s->bytes, s) * 8 / 1e9, s->errors, s->lost, s->wrong);
	hist_print_json(&s->hist, stdout);
	printf(", ");
	print_counters(engine);
	printf("}\n");
}

int load_report(const struct args *a, const struct load *l, const struct perch *engine)
{
	struct sum *s = malloc(sizeof(*s));
	bool fine;

	if (!s)
		return EXIT_RUNTIME;
	add_up(l, s);
	if (l->json) {
		print_json(l, s, engine);
	} else {
		print_text(l, s);
		args_summary(a, engine);
	}
	fflush(stdout);
	if (s->seconds <= 0)
		args_complain(a, "nothing was measured: %s",
			s->first_error ? strerror(-s->first_error) : "it was stopped early");
	fine = s->seconds > 0 && s->errors == 0 && s->wrong == 0 && s->bytes > 0;
	free(s);
	return fine ? EXIT_FINE : EXIT_RUNTIME;
}
