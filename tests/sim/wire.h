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

#include "tcp-lite/addr.h"

struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *r);
/* 0 .. n-1 */
uint64_t rng_below(struct rng *r, uint64_t n);
bool rng_chance(struct rng *r, double p);

enum plant { /* a bug, to prove that the checks notice */
	PLANT_NOTHING,
	PLANT_BYTE,      /* one payload byte is changed under a right checksum */
	PLANT_BLACKHOLE, /* from some packet on nothing arrives, silently */
	PLANT_WINDOW,    /* one window is smaller than the last */
	PLANT_LEAK,      /* one packet buffer is kept */
	PLANT_COOKIE,    /* what the client sends acknowledges another SYN cookie */
	PLANT_MTU,       /* the path becomes narrower than any path may be */
	PLANT_TIMEOUT,   /* connections have four times the user timeout that is checked */
};

enum strip { /* options that a middlebox takes out of SYNs */
	STRIP_SACK = 1u << 0,
	STRIP_TIMES = 1u << 1,
	STRIP_SCALE = 1u << 2,
	STRIP_MSS = 1u << 3,
};

struct wire_config {
	double loss, duplicate, reorder, corrupt, truncate; /* probabilities */
	int64_t delay_ns, jitter_ns;
	int64_t dead_from_ns;   /* nothing arrives any more; 0: always something may */
	uint16_t mtu;           /* IP packets that are longer do not arrive ... 0: all may */
	bool mtu_told;          /* ... and a router says so, or is silent ... */
	int64_t mtu_from_ns, mtu_until_ns; /* ... for so long */
	unsigned strip;      /* enum strip */
	uint16_t mss_most;   /* MSS options are lowered to it; 0: they are not */
	enum plant plant;
};

struct wire_packet {
	int64_t at_ns;
	uint64_t order;
	struct rte_mbuf *m;
	unsigned to;
	bool offers;   /* it acknowledges, and so offers a window ... */
	uint32_t edge; /* ... up to here */
};

enum { WIRE_ROOM = 8192 };

/* What one end has told the other about its window, to hold both to it. */
struct wire_end {
	bool seen, scaled, known;
	uint8_t scale;
	uint32_t right_edge; /* the last offer that was sent */
	uint32_t known_edge; /* the furthest that has arrived at the other end */
};

struct wire {
	struct wire_config cfg;
	struct rng rng;
	struct rte_mempool *pool;
	struct wire_packet heap[WIRE_ROOM];
	unsigned n;
	uint64_t order, carried, tcp_payloads, too_long;
	struct wire_end ends[2];
	const char *broken; /* the first rule that was broken, or NULL */
	int64_t disturbed_ns; /* when a packet was last lost, damaged or delayed */
	FILE *pcap;
};

/* Take m, sent by end `from` at now. */
void wire_send(struct wire *w, unsigned from, struct rte_mbuf *m, int64_t now_ns);
/* When the next packet arrives, or INT64_MAX. */
int64_t wire_next(const struct wire *w);
/* The next packet that has arrived by now, and where; NULL if none. */
struct rte_mbuf *wire_receive(struct wire *w, int64_t now_ns, unsigned *to);
void wire_clear(struct wire *w);

/* A SYN from src, as any stranger's; NULL: no packet buffer. */
struct rte_mbuf *wire_syn(struct wire *w, const struct perch_ip *src, const struct perch_ip *dst,
	uint16_t port);

/* Nanosecond pcap. */
FILE *wire_pcap_open(const char *path);

#endif
