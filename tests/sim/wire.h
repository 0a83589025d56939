/* SPDX-License-Identifier: BSD-3-Clause
 * A seeded wire between two nets, under virtual time: it drops, duplicates, delays, reorders,
 * corrupts and truncates, and watches that nobody breaks the rules of the window.
 */
#ifndef PERCH_TESTS_SIM_WIRE_H
#define PERCH_TESTS_SIM_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <rte_mbuf.h>

struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *r);
/* 0 .. n-1 */
uint64_t rng_below(struct rng *r, uint64_t n);
bool rng_chance(struct rng *r, double p);

enum plant { PLANT_NOTHING, PLANT_BYTE, PLANT_BLACKHOLE };

struct wire_config {
	double loss, duplicate, reorder, corrupt, truncate; /* probabilities */
	int64_t delay_ns, jitter_ns;
	enum plant plant; /* a bug, to prove that the checks notice */
};

struct wire_packet {
	int64_t at_ns;
	uint64_t order;
	struct rte_mbuf *m;
	unsigned to;
};

enum { WIRE_ROOM = 8192 };

/* What one end has told the other about its window, to hold both to it. */
struct wire_end {
	bool seen, scaled, synced;
	uint8_t scale;
	uint32_t right_edge;
};

struct wire {
	struct wire_config cfg;
	struct rng rng;
	struct rte_mempool *pool;
	struct wire_packet heap[WIRE_ROOM];
	unsigned n;
	uint64_t order, carried, tcp_payloads;
	struct wire_end ends[2];
	const char *broken; /* the first rule that was broken, or NULL */
	FILE *pcap;
};

/* Take m, sent by end `from` at now. */
void wire_send(struct wire *w, unsigned from, struct rte_mbuf *m, int64_t now_ns);
/* When the next packet arrives, or INT64_MAX. */
int64_t wire_next(const struct wire *w);
/* The next packet that has arrived by now, and where; NULL if none. */
struct rte_mbuf *wire_receive(struct wire *w, int64_t now_ns, unsigned *to);
void wire_clear(struct wire *w);

/* Nanosecond pcap. */
FILE *wire_pcap_open(const char *path);

#endif
