/* SPDX-License-Identifier: BSD-3-Clause
 * What perch keeps beside each rte_mbuf, in the pool's private area. The mbuf is the field's packet
 * type, so it is not wrapped: every pool that perch is given is created with a private size of at
 * least PERCH_PKT_PRIV bytes.
 */
#ifndef PERCH_TCP_LITE_PACKET_H
#define PERCH_TCP_LITE_PACKET_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "tcp-lite/addr.h"

#define PERCH_PKT_PRIV 64

struct perch_pkt {
	struct rte_mbuf *next; /* link of the one queue that holds it; m->next is for segments */
	int64_t time_ns;       /* received: arrival; in a send queue: last transmission */
	union {
		struct {                /* a TCP segment in a send or receive queue */
			uint32_t seq;   /* sequence number of the first payload byte */
			uint32_t len;   /* payload bytes, as it stands in the queue */
			uint16_t off;   /* offset of the payload from buf_addr (send queue) */
			uint8_t flags;  /* module-private */
			uint8_t sent;   /* transmissions so far, saturating */
			uint16_t sum;   /* of the payload, not complemented, if `summed` */
			bool summed;
			struct rte_mbuf *older, *newer; /* module-private links */
		} tcp;
		struct {                /* a UDP datagram in a socket's queue */
			struct perch_ip src, dst;
			uint16_t sport, dport; /* host order */
		} udp;
	};
};
static_assert(sizeof(struct perch_pkt) <= PERCH_PKT_PRIV, "the private area is one cache line");

static inline struct perch_pkt *perch_pkt(struct rte_mbuf *m)
{
	return (struct perch_pkt *)rte_mbuf_to_priv(m);
}

/* A queue of packets, linked through the private area. */
struct perch_pktq {
	struct rte_mbuf *head, *tail;
};

static inline void perch_pktq_push(struct perch_pktq *q, struct rte_mbuf *m)
{
	perch_pkt(m)->next = NULL;
	if (q->tail)
		perch_pkt(q->tail)->next = m;
	else
		q->head = m;
	q->tail = m;
}

static inline struct rte_mbuf *perch_pktq_pop(struct perch_pktq *q)
{
	struct rte_mbuf *m = q->head;

	if (m) {
		q->head = perch_pkt(m)->next;
		if (!q->head)
			q->tail = NULL;
	}
	return m;
}

#endif
