/* SPDX-License-Identifier: BSD-3-Clause
 * A port that is files: what captures say arrives when a virtual clock says so, and what is sent is
 * written down. It stands behind the port interface; whoever owns the clock moves it.
 *
 * Thread context: one thread, which runs all lcores of the port in turn.
 */
#ifndef PERCH_DRIVERS_GLUE_REPLAY_H
#define PERCH_DRIVERS_GLUE_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "drivers-glue/capture.h"
#include "drivers-glue/fault.h"
#include "drivers-glue/peer.h"

struct perch_replay;

enum { PERCH_REPLAY_CAPTURES = 16 };

#define PERCH_REPLAY_NEVER INT64_MAX

enum perch_replay_checksums { /* of received packets */
	PERCH_CHECKSUMS_VERIFY, /* as on a wire: wrong ones are dropped, by name */
	PERCH_CHECKSUMS_IGNORE, /* taken for right: captured where the NIC computes them later */
	PERCH_CHECKSUMS_FIX,
};

struct perch_replay_config { /* zero means default */
	struct perch_capture_config captures[PERCH_REPLAY_CAPTURES];
	unsigned n_captures;  /* none: nothing arrives; equal times: in this order */
	const char *tx_path;  /* NULL: what is sent is counted only */
	uint8_t mac[6];       /* of the port; zero: the first unicast destination in the captures */
	uint64_t seed;        /* of the faults */
	uint32_t loops;       /* how often the captures are played; default 1 */
	enum perch_replay_checksums checksums;
	bool tcp_peers;       /* recorded TCP clients, see drivers-glue/peer.h */
	enum perch_peer_isn isn;
	bool untag;           /* take the outer VLAN tag away */
	bool full_bursts;     /* a burst takes all that it can, whatever the time */
	int64_t tx_cost_ns;   /* from the turn to the time on a sent packet */
	const struct perch_fault *faults; /* rules to be copied; NULL: none */
};

struct perch_replay_stats {
	uint64_t rx_packets, tx_packets, tx_bytes;
	uint64_t too_long;    /* captured frames with no room in a packet buffer: not delivered */
	uint64_t no_buffer;   /* times that a frame had to wait for a packet buffer */
	struct perch_fault_stats faults;
	struct perch_capture_stats captures; /* summed */
};

/* Returns 0 or a negative errno with one sentence in why[]. EAL need not have started. */
int perch_replay_open(struct perch_replay **out, const struct perch_replay_config *cfg, char *why,
	size_t why_bytes);

/* Returns 0 or the first error of writing, as a negative errno. NULL is fine. */
int perch_replay_close(struct perch_replay *r);

void perch_replay_mac(const struct perch_replay *r, uint8_t mac[6]);

/* The time of the first packet, or 0. */
int64_t perch_replay_start(const struct perch_replay *r);

/* When the next packet arrives; PERCH_REPLAY_NEVER: none is left. */
int64_t perch_replay_next(const struct perch_replay *r);

/* From here on it is now_ns. */
void perch_replay_advance(struct perch_replay *r, int64_t now_ns);

/* These packets are the next burst, beside what captures hold (NULL: an empty one); they stay the
 * caller's until then. The next burst out takes so many. */
struct perch_recorded_turn;
void perch_replay_feed(struct perch_replay *r, const struct perch_recorded_turn *turn);

/* From now on what lcores send is kept until perch_replay_leave, and leaves in this order, if there
 * is any; the list stays the caller's, and lives as long. */
struct perch_recorded_lefts;
void perch_replay_order(struct perch_replay *r, const struct perch_recorded_lefts *left);

/* Write down what left before that (UINT64_MAX: at all); then nothing else can come before it. */
void perch_replay_leave(struct perch_replay *r, uint64_t order);

/* As perch_port_rx and perch_port_tx. */
uint16_t perch_replay_rx(struct perch_replay *r, struct rte_mempool *pool, struct rte_mbuf **pkts,
	uint16_t n, uint64_t *learn);
uint16_t perch_replay_tx(
	struct perch_replay *r, unsigned lcore, struct rte_mbuf **pkts, uint16_t n);

/* What ended the captures before their end, one sentence, or NULL. */
const char *perch_replay_error(const struct perch_replay *r);

void perch_replay_stats(const struct perch_replay *r, struct perch_replay_stats *out);

#endif
