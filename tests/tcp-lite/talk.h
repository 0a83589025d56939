/* SPDX-License-Identifier: BSD-3-Clause
 * Conversations with a net, written as the segments that go to and fro, in virtual time:
 *
 *	rx("S 0 win 65535 <mss 1460>");
 *	tx("SA 0 ack 1 <mss 1460>");
 *	rx("A 1 ack 1 win 1000");
 *	rx("PA 1:101 ack 1");
 *	tx("A 1 ack 101");
 *	no_tx_until(200 * MS);
 *
 * A segment is FLAGS SEQ[:END] [ack N] [win N] [urg N] [badsum] [off N] [<options>]; END - SEQ is
 * the payload. Flags are the letters S A F R P U, or 0 for none. Options: mss N (mss full: what an
 * MTU of 1500 allows), scale N, sackok, ts VAL ECR, sack A:B ..., raw HEX, separated by commas.
 * Sequence numbers count from the ISN of their sender, whatever that is, and may be negative. What
 * an rx does not say: ack (what it should be), win 65535 and no options, but ts where timestamps
 * were agreed. What a tx does not say is not looked at, PSH neither. Payload bytes are a function
 * of their place in the stream, and are always checked.
 *
 * Every case runs twice, over IPv4 and over IPv6. We are 10.0.0.1 or fd00::1 port 80; the peer is
 * 10.0.0.2 or fd00::2 port 4000.
 */
#ifndef PERCH_TESTS_TCP_LITE_TALK_H
#define PERCH_TESTS_TCP_LITE_TALK_H

#include "tcp-lite/net.h"
#include "tcp-lite/tcp.h"
#include "tests/suite.h"
#include "tests/tcp-lite/packets.h"

#define MS INT64_C(1000000)
#define SECOND INT64_C(1000000000)

struct talk {
	struct perch_net *net;
	struct perch_tcb *c;    /* the connection that the case is about */
	int64_t now_ns;
	uint32_t peer_isn;      /* may be set before the first rx */
	uint32_t our_isn;       /* learnt from our SYN */
	uint16_t peer_port, our_port;
	bool v6, ts_agreed;
	uint32_t ts_val;        /* what an rx without <ts> says */
	uint32_t ts_heard;      /* our last timestamp, which it echoes */
	uint32_t written, read; /* bytes so far, which say what the next ones are */
	uint32_t ack_due;       /* relative: what a correct peer would acknowledge */
	unsigned solicited;     /* so often we asked for the peer's MAC address */
};

extern struct talk talk;

/* main() of a program of conversations: all cases (or those whose name contains argv[1]) over both
 * families. Exits with 77 when the EAL cannot be started. */
int talk_main(const char *name, const struct suite_case *cases, int argc, char **argv);
/* The usual configuration, to be changed by a case before talk_begin_with. */
struct perch_net_config talk_config(void);
void talk_begin(void);
/* From the next one on the net lies so many bytes, a multiple of 64, behind where a page begins. */
void talk_place(size_t past_page);
void talk_begin_with(const struct perch_net_config *cfg);
/* Closes the net and asserts that no packet is missing. */
void talk_end(void);

/* Each asserts that it went as it says; they are called through the macros below. */
void talk_rx(unsigned line, const char *segment);
void talk_tx(unsigned line, const char *segment);
void talk_none(unsigned line);
void talk_none_until(unsigned line, int64_t ns);
void talk_tx_after(unsigned line, int64_t min_ns, int64_t max_ns, const char *segment);
void talk_dropped(unsigned line, unsigned why, const char *segment);
void talk_ignored(unsigned line, const char *segment);
void talk_state(unsigned line, const char *name);
void talk_gone(unsigned line);
void talk_event(unsigned line, unsigned events);
void talk_read(unsigned line, uint32_t n);
void talk_write(unsigned line, uint32_t n);
void talk_flight(unsigned line, unsigned segments);
void talk_check(unsigned line, bool ok, const char *what);

#define rx(segment) talk_rx(__LINE__, segment)
/* The next segment that we send, now. */
#define tx(segment) talk_tx(__LINE__, segment)
/* There is none. */
#define no_tx() talk_none(__LINE__)
/* Nothing is sent for so long. */
#define no_tx_until(ns) talk_none_until(__LINE__, ns)
/* The next one leaves after min to max from now. */
#define tx_after(min_ns, max_ns, segment) talk_tx_after(__LINE__, min_ns, max_ns, segment)
/* This segment is dropped by that name, once. */
#define dropped(why, segment) talk_dropped(__LINE__, PERCH_DROP_##why, segment)
/* This one is answered by nothing. */
#define ignored(segment) talk_ignored(__LINE__, segment)
/* talk.c is in this state, as RFC 9293 section 3.3.2 writes it. */
#define state(name) talk_state(__LINE__, name)
/* No connection is left, and every packet is back in the pool. */
#define gone() talk_gone(__LINE__)
/* The next ready flow is talk.c and has these events (with ACCEPTED: it becomes talk.c). */
#define event(events) talk_event(__LINE__, events)
#define reads(n) talk_read(__LINE__, n)
#define writes(n) talk_write(__LINE__, n)
/* The first so many segments of 1,000 bytes are written, and leave at once. */
#define flight(segments) talk_flight(__LINE__, segments)
#define check(what) talk_check(__LINE__, what, #what)

/* Segments given between hold and release arrive in one burst. */
void hold(void);
void release(void);
/* Time goes by; what is sent waits for tx. */
void pass(int64_t ns);
/* Segments that were sent are of no interest. Returns how many. */
unsigned forget_tx(void);
/* Go on with another connection, as `saved`, a copy of talk, knew it. */
void turn_to(const struct talk *saved);

/* Listen on our port. */
void listens(void);
/* The handshake, passive, with the peer's SYN options; leaves talk.c established. */
void accepts(const char *syn_options);
/* The same, with a peer whose window is no larger than win. */
void accepts_window(uint32_t win, const char *syn_options);
/* And its ACK comes so long after our SYN|ACK. */
void accepts_after(int64_t rtt_ns, uint32_t win, const char *syn_options);
/* Where we listen already, from another port of the peer's; the talk is of that one then. */
void accepts_another(void);
/* Active open: the SYN waits for tx. */
void dials(void);
/* The handshake, active. */
void connects(const char *syn_options);
/* From here on sequence numbers count from RCV.NXT and SND.NXT of talk.c. */
void rebase(void);
/* An ICMP error of this type and code (of talk's family), which quotes a segment of ours that
 * begins at seq; `more` is what type and code mean by the second word (an MTU). */
void rx_icmp(unsigned type, unsigned code, uint32_t more, uint32_t seq);
uint64_t drops(enum perch_drop why);
uint8_t talk_byte(uint32_t place);

#define DROPS(why) drops(PERCH_DROP_##why)

#endif
