/* SPDX-License-Identifier: BSD-3-Clause
 * The event of sched_bench.c over boost.context: one 4 KB stack each, coloured, call and return.
 */
#include "tests/bench/sched_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifdef HAVE_BOOST_CONTEXT

/* The C face of libboost_context, whose header is C++. */
struct transfer {
	void *context, *data;
};

struct transfer jump_fcontext(void *to, void *data);
void *make_fcontext(void *top, size_t bytes, void (*fn)(struct transfer));

enum { STACK_BYTES = 4096 + 64 };

static void **context;
static void *back;
static uint64_t total;

__attribute__((noinline)) static long flow_recv(void)
{
	struct transfer t = jump_fcontext(back, NULL);

	back = t.context;
	return (long)t.data;
}

__attribute__((noinline)) static long app_recv(uint64_t *bytes)
{
	long packet = flow_recv();

	*bytes += (uint64_t)packet;
	return packet;
}

static void handler(struct transfer t)
{
	uint64_t bytes = 0;

	back = t.context;
	while (app_recv(&bytes) != 0)
		;
	total += bytes;
	jump_fcontext(back, NULL);
}

struct population {
	uint32_t *ids;
	uint32_t next, events;
};

static void events(void *arg)
{
	struct population *p = arg;
	uint32_t done, i;

	for (done = 0; done < p->events; done += BENCH_BURST) {
		const uint32_t *ids = p->ids + p->next;

		p->next = (p->next + BENCH_BURST) % BENCH_DRAWN;
		for (i = 0; i < BENCH_BURST; i++)
			__builtin_prefetch(context[p->ids[p->next + i]], 1);
		for (i = 0; i < BENCH_BURST; i++)
			context[ids[i]] = jump_fcontext(context[ids[i]], (void *)64).context;
	}
}

static double events_once(void *arg)
{
	struct population *p = arg;

	return bench_time(events, p, p->events);
}

static void report(uint32_t count)
{
	size_t bytes = (size_t)count * STACK_BYTES;
	struct population p = {.ids = bench_draw(count, count), .events = 2 << 20};
	char *stacks = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char name[80];
	uint32_t i;

	context = malloc(count * sizeof(*context));
	if (stacks == MAP_FAILED || context == NULL)
		exit(1);
	madvise(stacks, bytes, MADV_HUGEPAGE);
	for (i = 0; i < count; i++) {
		context[i] = make_fcontext(stacks + (i + 1ul) * STACK_BYTES, STACK_BYTES, handler);
		context[i] = jump_fcontext(context[i], NULL).context;
	}
	snprintf(name, sizeof(name), "boost.context: event, uniform over %u", count);
	bench_report(name, events_once, &p, 0);
	free(context);
	free(p.ids);
	munmap(stacks, bytes);
}

void bench_boost(void)
{
	report(64);
	report(1000000);
}

#else

void bench_boost(void)
{
	printf("boost.context: not built in\n");
}

#endif
