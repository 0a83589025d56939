/* SPDX-License-Identifier: BSD-3-Clause
 * A net alone on a bench: one interface, a virtual clock, and TCP replaced by one that records
 * what it is given. Frames go in, frames come out, and at the end no packet may be missing.
 */
#ifndef PERCH_TESTS_TCP_LITE_LAB_H
#define PERCH_TESTS_TCP_LITE_LAB_H

#include "tcp-lite/net.h"
#include "tcp-lite/tcp.h"
#include "tests/tcp-lite/packets.h"

#define LAB_MS INT64_C(1000000)
#define LAB_S  INT64_C(1000000000)

struct lab_tcp { /* what the stand-in for TCP has seen */
	unsigned segments, errors;
	struct perch_rx rx;            /* of the last segment; its packet is gone */
	struct perch_icmp_error error; /* the last one */
	bool knows_flow;               /* what it answers to errors */
};

struct lab {
	struct perch_net *net;
	int64_t now_ns;
	unsigned pool_level; /* packets that were in the pool before */
	void *mem;
};

extern struct lab_tcp lab_tcp;
extern struct rte_mempool *lab_pool;

/* We are lab_mac, 10.0.0.1/24, fd00::1/64 and fe80::ff:fe00:1. The gateways are 10.0.0.254 and
 * fd00::fe. The peer is lab_peer_mac, 10.0.0.2, fd00::2. */
extern const struct mac lab_mac, lab_peer_mac, lab_other_mac, lab_no_mac;

void lab_config(struct perch_net_config *cfg);
void lab_open(struct lab *lab);
void lab_open_with(struct lab *lab, const struct perch_net_config *cfg);
void lab_close(struct lab *lab); /* asserts that nothing leaked */

/* From the peer to us. */
struct ends lab_ends4(void);
struct ends lab_ends6(void);

void lab_rx(struct lab *lab, const struct frame *f);
void lab_rx_mbuf(struct lab *lab, struct rte_mbuf *m);
/* The oldest frame sent; len 0 when there is none. IPv6 flow labels are set to 0 in it. */
void lab_tx(struct lab *lab, struct frame *f);
bool lab_tx_none(const struct lab *lab);
bool lab_tx_is(struct lab *lab, const struct frame *expected);

/* Let time pass, in steps of perch_net_next_tick. */
void lab_pass(struct lab *lab, int64_t ns);
/* Let the peer's MAC addresses be known, fresh. */
void lab_meet_peer(struct lab *lab);

uint64_t lab_drops(const struct lab *lab); /* of all names */

#endif
