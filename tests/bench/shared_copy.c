/* SPDX-License-Identifier: BSD-3-Clause
 * What two CPUs can pass through shared memory and do nothing else: one copies packets of 1,514
 * bytes into the slots of a ring, the other copies them out. No stack on a copying wire between
 * these CPUs can be faster; beside it stands the price of one cache line's way to and fro.
 *
 * usage: shared_copy [SECONDS [SLOTS...]] (CPU 0 writes, CPU 1 reads; a slot is 2 KB)
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { SLOT = 2048, PACKET = 1514, BURST = 32, OWN = 64 << 10, LINE = 64, TURNS = 200000 };

static struct {
	_Alignas(LINE) _Atomic uint32_t head; /* packets written */
	_Alignas(LINE) _Atomic uint32_t tail; /* and read */
	_Alignas(LINE) _Atomic bool stop;
	_Alignas(LINE) uint32_t slots;
	uint8_t *memory;
} ring;

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static uint8_t *slot(uint32_t n)
{
	return ring.memory + (size_t)(n & (ring.slots - 1)) * SLOT;
}

static void *read_all(void *arg)
{
	static uint8_t own[OWN + SLOT];
	uint32_t at = 0, head;

	(void)arg;
	pin(1);
	while (!atomic_load_explicit(&ring.stop, memory_order_relaxed)) {
		head = atomic_load_explicit(&ring.head, memory_order_acquire);
		for (uint32_t i = 0; at != head && i < BURST; i++, at++)
			memcpy(own + (size_t)at % (OWN / SLOT) * SLOT, slot(at), PACKET);
		atomic_store_explicit(&ring.tail, at, memory_order_release);
	}
	return NULL;
}

static double copy_gbit_per_s(uint32_t slots, double seconds)
{
	static uint8_t own[OWN + SLOT];
	double begin, end;
	pthread_t reader;
	uint32_t at = 0;

	ring.slots = slots;
	ring.head = ring.tail = 0;
	ring.stop = false;
	pthread_create(&reader, NULL, read_all, NULL);
	for (begin = end = now_s(); end - begin < seconds; end = now_s()) {
		for (uint32_t turn = 0; turn < 64; turn++) {
			uint32_t room = slots -
				(at - atomic_load_explicit(&ring.tail, memory_order_acquire));

			for (uint32_t i = 0; i < BURST && i < room; i++, at++)
				memcpy(slot(at), own + (size_t)at % (OWN / SLOT) * SLOT, PACKET);
			atomic_store_explicit(&ring.head, at, memory_order_release);
		}
	}
	ring.stop = true;
	pthread_join(reader, NULL);
	return (double)ring.tail * PACKET * 8 / (end - begin) / 1e9;
}

static void *answer(void *arg)
{
	(void)arg;
	pin(1);
	for (uint32_t i = 1; i <= TURNS; i++) {
		while (atomic_load_explicit(&ring.head, memory_order_acquire) != i)
			;
		atomic_store_explicit(&ring.tail, i, memory_order_release);
	}
	return NULL;
}

/* Of a line there and a line back. */
static double round_trip_ns(void)
{
	pthread_t other;
	double begin;

	ring.head = ring.tail = 0;
	pthread_create(&other, NULL, answer, NULL);
	begin = now_s();
	for (uint32_t i = 1; i <= TURNS; i++) {
		atomic_store_explicit(&ring.head, i, memory_order_release);
		while (atomic_load_explicit(&ring.tail, memory_order_acquire) != i)
			;
	}
	begin = (now_s() - begin) * 1e9 / TURNS;
	pthread_join(other, NULL);
	return begin;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 0.5;
	uint32_t usual[] = {256, 1024, 16384}, n = argc > 2 ? (uint32_t)argc - 2 : 3, slots;

	if (seconds <= 0) {
		fprintf(stderr, "usage: shared_copy [SECONDS [SLOTS...]]\n");
		return 2;
	}
	pin(0);
	printf("{\"line_round_trip_ns\": %.0f", round_trip_ns());
	for (uint32_t i = 0; i < n; i++) {
		slots = argc > 2 ? (uint32_t)atoi(argv[i + 2]) : usual[i];
		if (slots == 0 || (slots & (slots - 1))) {
			fprintf(stderr, "shared_copy: SLOTS are powers of two\n");
			return 2;
		}
		ring.memory = mmap(NULL, (size_t)slots * SLOT, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (ring.memory == MAP_FAILED)
			return 1;
		printf(", \"gbit_per_s_%u\": %.1f", slots, copy_gbit_per_s(slots, seconds));
		munmap(ring.memory, (size_t)slots * SLOT);
	}
	printf("}\n");
	return 0;
}
