/* SPDX-License-Identifier: BSD-3-Clause
 * Congestion control behind one small interface: an algorithm is a file with one of these, and a
 * line in tcp_cc.c. It owns cwnd and ssthresh of the TCB while all is well, and says what ssthresh
 * becomes when something was lost; what is lost, what is on its way, and the pace of a recovery
 * (RFC 6937) are found out elsewhere.
 *
 * What an algorithm remembers stands in the outbox, zeroed when data begins to flow: it is
 * forgotten when everything was acknowledged, but for cwnd and ssthresh.
 */
#ifndef PERCH_TCP_LITE_TCP_CC_H
#define PERCH_TCP_LITE_TCP_CC_H

#include <stdint.h>

#include "tcp-lite/tcb.h"

struct perch_tcp_cc {
	const char *name;
	/* So many bytes were acknowledged outside of recovery, and cwnd was what held us back; the
	 * last of them took rtt_us there and back (0: not known). There is an outbox. */
	void (*acked)(struct perch_tcb *c, uint32_t bytes, uint32_t rtt_us, int64_t now_ns);
	/* Something was lost. Returns what ssthresh shall be, with so many bytes in flight. */
	uint32_t (*threshold)(struct perch_tcb *c, uint32_t flight_bytes);
	/* Nothing was lost after all; cwnd and ssthresh are what they were. May be NULL. */
	void (*undo)(struct perch_tcb *c);
};

enum { PERCH_TCP_CC_ROOM = 64 };

/* Room for what the algorithm remembers: PERCH_TCP_CC_ROOM bytes. */
void *perch_tcp_cc_room(struct perch_tcb *c);

/* NULL: the default. Returns NULL when there is none of that name. */
const struct perch_tcp_cc *perch_tcp_cc_find(const char *name);
/* The window that a connection begins with. */
void perch_tcp_cc_open(struct perch_tcb *c);
/* Something is to be sent after all was acknowledged: what was learnt of the path may be old. */
void perch_tcp_cc_after_idle(const struct perch_net *net, struct perch_tcb *c);

extern const struct perch_tcp_cc perch_tcp_cubic, perch_tcp_newreno;

#endif
