/* SPDX-License-Identifier: BSD-3-Clause
 * Congestion control behind one small interface: an algorithm is a file with one of these. It owns
 * cwnd and ssthresh of the TCB; what is lost and what is on its way is found out elsewhere.
 */
#ifndef PERCH_TCP_LITE_TCP_CC_H
#define PERCH_TCP_LITE_TCP_CC_H

#include <stdint.h>

#include "tcp-lite/tcb.h"

struct perch_tcp_cc {
	const char *name;
	/* The handshake is done and mss is known: the initial window. */
	void (*open)(struct perch_tcb *c);
	/* So many bytes were acknowledged outside of recovery while cwnd was what held us back. */
	void (*acked)(struct perch_tcb *c, uint32_t bytes, int64_t now_ns);
	/* A segment was lost: what ssthresh shall be, with so many bytes in flight. */
	uint32_t (*threshold)(struct perch_tcb *c, uint32_t flight_bytes);
};

extern const struct perch_tcp_cc perch_tcp_newreno;

#endif
