/* SPDX-License-Identifier: BSD-3-Clause
 * Packets for tests, written byte by byte with checksums of their own, so that what perch sends and
 * accepts is compared with something that shares no code with it.
 */
#ifndef PERCH_TESTS_TCP_LITE_PACKETS_H
#define PERCH_TESTS_TCP_LITE_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "tcp-lite/addr.h"

struct frame { /* from the Ethernet header on; len 0: no frame */
	unsigned len;
	uint8_t b[4096];
};

struct mac {
	uint8_t b[6];
};

/* The two ends of a packet. */
struct ends {
	struct mac smac, dmac;
	struct perch_ip src, dst;
};

extern const struct mac packets_broadcast;

/* Start the EAL (no hugepages, no devices) and make a pool; exits with 77 when that fails. */
struct rte_mempool *packets_start(const char *name);

struct perch_ip packets_ip(const char *text); /* "10.0.0.1" or "fd00::1" */
struct ends packets_reverse(const struct ends *e);

/* Each makes f anew. All checksums are right and no padding is added. */
void frame_ether(struct frame *f, const struct mac *dst, const struct mac *src, uint16_t type);
void frame_add(struct frame *f, const void *bytes, unsigned len);
void frame_arp(struct frame *f, const struct mac *to, uint16_t op, const struct mac *sha,
	const struct perch_ip *spa, const struct mac *tha, const struct perch_ip *tpa);
/* IPv4 (DF, TTL 64) or IPv6 (hop limit 64) by the family of e->dst. */
void frame_ip(struct frame *f, const struct ends *e, uint8_t proto, const void *payload,
	unsigned len);
void frame_udp(struct frame *f, const struct ends *e, uint16_t sport, uint16_t dport,
	const void *payload, unsigned len);
void frame_tcp(struct frame *f, const struct ends *e, uint16_t sport, uint16_t dport, uint32_t seq,
	uint32_t ack, uint8_t flags, uint16_t window, const void *payload, unsigned len);
/* ICMP or ICMPv6 by the family of e->dst; rest is the second word. */
void frame_icmp(struct frame *f, const struct ends *e, uint8_t type, uint8_t code, uint32_t rest,
	const void *payload, unsigned len);
/* Neighbour solicitation (135) or advertisement (136), hop limit 255. mac NULL: no option. */
void frame_nd(struct frame *f, const struct ends *e, uint8_t type, uint8_t flags,
	const struct perch_ip *target, const struct mac *mac);

/* Make the checksums right again after f's bytes were changed. */
void frame_fix_ip4(struct frame *f);
void frame_fix_transport(struct frame *f);

/* RFC 1071, the slow way. */
uint16_t packets_cksum(const uint8_t *b, unsigned len, uint32_t sum);

/* An mbuf with f's bytes whose buffer is malloc'ed and ends with the last of them, so that a read
 * behind it is an error to ASan and valgrind. */
struct rte_mbuf *frame_to_mbuf(struct rte_mempool *pool, const struct frame *f);
/* The same in segments of at most seg_len bytes, in ordinary buffers of the pool. */
struct rte_mbuf *frame_to_segments(
	struct rte_mempool *pool, const struct frame *f, unsigned seg_len);
void frame_from_mbuf(struct frame *f, const struct rte_mbuf *m);

bool frame_equal(const struct frame *a, const struct frame *b);

#endif
