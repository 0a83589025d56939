/* SPDX-License-Identifier: BSD-3-Clause
 * The transmission control block (RFC 9293 section 3.3.1): all that a TCP connection is while it is
 * idle, in three cache lines, of which two are hot: a request and its answer over IPv4, their ACKs
 * and their timers touch no other. A look-up, the timing wheel when its deadline was put off, and a
 * reader who finds nothing need only the first. What a connection needs only while bytes are in
 * flight or unread stands in its outbox and inbox, which it borrows for that time.
 *
 * The names of RFC 9293 are kept where there are some: SND.UNA is snd_una. Sequence numbers are in
 * host order and compared by tcp_seq.h.
 */
#ifndef PERCH_TCP_LITE_TCB_H
#define PERCH_TCP_LITE_TCB_H

#include "tcp-lite/net.h"

enum perch_tcp_state { /* RFC 9293 section 3.3.2; LISTEN is not a connection here */
	PERCH_TCP_CLOSED,
	PERCH_TCP_SYN_SENT,
	PERCH_TCP_SYN_RECEIVED,
	PERCH_TCP_ESTABLISHED,
	PERCH_TCP_CLOSE_WAIT,
	PERCH_TCP_FIN_WAIT_1,
	PERCH_TCP_FIN_WAIT_2,
	PERCH_TCP_CLOSING,
	PERCH_TCP_LAST_ACK,
	PERCH_TCP_TIME_WAIT,
};

struct perch_inbox;
struct perch_outbox;

struct perch_tcb {
	/* Who it is, and what others ask of it: look-up, the timing wheel, the layer above. */
	struct perch_flow flow;      /* with the local port */
	uint16_t rport;              /* host order */
	uint16_t mss;                /* payload of a full segment to send: options are taken off */
	uint16_t marks;              /* enum perch_tcp_mark */
	uint16_t state : 4;          /* enum perch_tcp_state */
	uint16_t timer : 3;          /* enum perch_tcp_timer: what timer_ns is for */
	uint16_t ip4 : 1;            /* laddr4 and raddr4 say it all */
	uint16_t keepalive : 1;      /* RFC 9293 section 3.8.4, if nothing else is to be done */
	uint16_t mtu_proven : 1;     /* a segment of mss bytes has arrived: see tcp_mtu.c */
	uint16_t mtu_search : 1;     /* mss was lowered by guess: it is tried whether more goes */
	uint16_t tlp_asked : 1;      /* which copy of a loss probe came, is not known: tcp_rack.c */
	uint16_t snd_scale : 4;      /* RFC 7323's shift, 0 .. 14; see tcp_rcv_scale() */
	uint32_t laddr4, raddr4;     /* the last words of laddr and raddr, network order */
	int64_t timer_ns;            /* when `timer` is due, or PERCH_NET_NEVER */
	int64_t read_ns;             /* when the packet came of which the last peek or copy began */
	uint32_t armed_tick;         /* the earliest naming by the timing wheel that is agreed */
	uint32_t wheel_word;         /* the timing wheel's, whoever has this slot: net.h */
	uint32_t inbox, outbox;      /* see tcb_inbox(); 0: nothing unread and no hole; no data
	                              * queued or in flight */

	/* What every segment, in or out, reads or writes. */
	uint32_t rcv_nxt;
	uint32_t rcv_edge;           /* first sequence number beyond the window that we offered */
	uint32_t rcv_acked;          /* RFC 7323's Last.ACK.sent */
	uint32_t snd_una, snd_nxt;
	uint32_t snd_wnd;            /* bytes, scaled */
	uint32_t snd_wl1;            /* SEG.SEQ of the last window update */
	uint32_t ts_recent;          /* RFC 7323's TS.Recent */
	uint32_t ts_offset;          /* RFC 7323 section 7.1: our timestamp clock starts anywhere */
	uint16_t ts_heard;           /* when ts_recent was set, ms >> 16 */
	uint16_t snd_wnd_max;        /* the largest window field ever seen; see snd_scale */
	uint32_t cwnd;               /* bytes */
	uint32_t srtt_us, rttvar_us; /* RFC 6298, times 8 and times 4; srtt_us 0: no sample yet,
	                              * and rttvar_us is the timeout itself */
	uint32_t sent_tick;          /* when data, or the FIN, was last sent that has arrived;
	                              * ns >> 20 */
	uint32_t rcv_tuned;          /* how far the receive buffer has grown; see tcp_recv.c */
	struct perch_path path;

	/* What neither needs while all is well: how it began, what goes wrong, how it ends. */
	struct perch_ip laddr, raddr;
	uint32_t ssthresh;           /* bytes */
	uint32_t delack_us;          /* when an ACK may wait no longer, if TCB_ACK_LATER is set */
	uint16_t user_timeout;       /* RFC 9293 section 3.8.3, ns >> 23; 0: the net's */
	uint16_t listener;           /* index + 1; 0: opened by us */
	uint16_t peer_mss;           /* what the peer's SYN said */
	uint8_t error;               /* positive errno; soft (RFC 1122 4.2.3.9) until CLOSED */
	uint8_t backoff;             /* the timer's interval is doubled so many times */
	uint8_t retries;             /* tries since the peer was last heard */
	bool on_wait;                /* linked through tw_prev, tw_next */
	uint32_t tw_prev, tw_next;   /* TIME_WAIT, oldest first, by id */
	uint32_t next_free;          /* link of slots without a connection */
} __rte_cache_aligned;
static_assert(offsetof(struct perch_tcb, rcv_nxt) == 64, "a line for those who ask for it");
static_assert(offsetof(struct perch_tcb, laddr) == 128, "and one for segments: two are hot");
static_assert(sizeof(struct perch_tcb) == 192, "the third is not touched while all is well");

#endif
