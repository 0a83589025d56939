/* SPDX-License-Identifier: BSD-3-Clause
 * The receiver: what comes early, SACK (RFC 2018) and D-SACK (RFC 2883) blocks, delayed ACKs
 * (RFC 1122 section 4.2.3.2, RFC 5681 section 4.2), silly windows (RFC 9293 section 3.8.6.2) from
 * both sides, and a buffer that grows.
 */
#include "tests/tcp-lite/talk.h"

#define counters() (*perch_tcp_counters(talk.net))

static void opens(void)
{
	talk_begin();
	accepts("mss 1000,sackok");
}

/* ---- SACK ----------------------------------------------------------------------------------- */

/* RFC 2018 section 4: the block with the latest arrival first, then those told before, latest
 * first. Each early one is answered at once (RFC 5681 section 4.2). */
static void latest_first(void)
{
	opens();
	rx("A 1001:2001 ack 1");
	tx("A 1 ack 1 <sack 1001:2001>");
	rx("A 3001:4001 ack 1");
	tx("A 1 ack 1 <sack 3001:4001 1001:2001>");
	rx("A 5001:6001 ack 1");
	tx("A 1 ack 1 <sack 5001:6001 3001:4001 1001:2001>");
	rx("A 2001:3001 ack 1"); /* two become one */
	tx("A 1 ack 1 <sack 1001:4001 5001:6001>");
	rx("A 7001:8001 ack 1");
	rx("A 9001:10001 ack 1");
	rx("A 11001:12001 ack 1");
	tx("A 1 ack 1");
	tx("A 1 ack 1");
	tx("A 1 ack 1 <sack 11001:12001 9001:10001 7001:8001 1001:4001>");
	rx("A 6001:7001 ack 1");
	tx("A 1 ack 1 <sack 5001:8001 11001:12001 9001:10001 1001:4001>");
	talk_end();
}

/* RFC 5681 section 4.2: filled in part, acknowledged at once. */
static void holes_are_filled(void)
{
	opens();
	rx("A 1001:2001 ack 1");
	tx("A 1 ack 1");
	rx("A 3001:4001 ack 1");
	tx("A 1 ack 1");
	rx("A 1:1001 ack 1");
	tx("A 1 ack 2001 <sack 3001:4001>");
	rx("A 2001:3001 ack 1");
	tx("A 1 ack 4001 <>");
	event(PERCH_FLOW_READABLE);
	reads(4000);
	talk_end();
}

/* Whatever overlaps, what came first is kept, and the stream is right. */
static void overlaps(void)
{
	opens();
	rx("A 1001:2001 ack 1");
	tx("A 1 ack 1 <sack 1001:2001>");
	rx("A 501:1501 ack 1");
	tx("A 1 ack 1 <sack 501:2001>");
	rx("A 1501:2501 ack 1");
	tx("A 1 ack 1 <sack 1501:2001 501:2501>"); /* that was D-SACKed */
	rx("A 3001:3501 ack 1");
	tx("A 1 ack 1 <sack 3001:3501 501:2501>");
	rx("A 2001:3601 ack 1"); /* more than the gap holds: the rest is not kept */
	tx("A 1 ack 1 <sack 2001:2501 501:3501>");
	rx("A 1:1001 ack 1");
	tx("A 1 ack 3501 <>");
	event(PERCH_FLOW_READABLE);
	reads(3500);
	talk_end();
}

/* A FIN that came early ends the stream when its turn comes. */
static void early_fin(void)
{
	opens();
	rx("FA 1001:2001 ack 1");
	tx("A 1 ack 1 <sack 1001:2001>");
	state("ESTABLISHED");
	rx("A 1:1001 ack 1");
	tx("A 1 ack 2002");
	state("CLOSE-WAIT");
	event(PERCH_FLOW_READABLE);
	reads(2000);
	check(perch_tcp_at_eof(talk.c));
	talk_end();
}

/* Not agreed, not said. */
static void no_sack(void)
{
	talk_begin();
	accepts("mss 1000");
	rx("A 1001:2001 ack 1");
	tx("A 1 ack 1 <>");
	rx("A 1001:2001 ack 1");
	tx("A 1 ack 1 <>");
	talk_end();
}

/* Early ones are bounded, what comes in order is not refused for them. */
static void bounded(void)
{
	struct perch_net_config cfg = talk_config();
	char text[60];
	unsigned i;

	cfg.rcvbuf_bytes = 8192; /* 16 packets, 8 early ones */
	talk_begin_with(&cfg);
	accepts("mss 1000,sackok");
	for (i = 0; i < 8; i++) {
		snprintf(text, sizeof(text), "A %u:%u ack 1", 101 + 20 * i, 111 + 20 * i);
		rx(text);
		tx("A 1 ack 1");
	}
	dropped(tcp_reassembly_full, "A 401:411 ack 1");
	no_tx();
	rx("A 1:101 ack 1");
	tx("A 1 ack 111");
	talk_end();
}

/* ---- D-SACK: RFC 2883 section 4 ------------------------------------------------------------- */

/* 4.1.1: below the ACK; once. */
static void duplicate(void)
{
	opens();
	rx("A 1:1001 ack 1");
	tx("A 1 ack 1001 <>");
	rx("A 1:1001 ack 1");
	tx("A 1 ack 1001 <sack 1:1001>");
	rx("A 1001:2001 ack 1");
	tx("A 1 ack 2001 <>");
	talk_end();
}

/* 4.1.2, 4.1.3: above it: within the second block. */
static void early_duplicate(void)
{
	opens();
	rx("A 1001:2001 ack 1");
	tx("A 1 ack 1 <sack 1001:2001>");
	rx("A 2001:3001 ack 1");
	tx("A 1 ack 1 <sack 1001:3001>");
	rx("A 1001:2001 ack 1");
	tx("A 1 ack 1 <sack 1001:2001 1001:3001>");
	talk_end();
}

/* 4.2.1: the part that came twice. */
static void partial_duplicate(void)
{
	opens();
	rx("A 1:1001 ack 1");
	tx("A 1 ack 1001");
	rx("A 501:1501 ack 1");
	tx("A 1 ack 1501 <sack 501:1001>");
	talk_end();
}

/* It waits for an ACK that has room. */
static void beside_data(void)
{
	opens();
	rx("A 1:1001 ack 1");
	tx("A 1 ack 1001");
	rx("A 1:1001 ack 1");
	writes(10);
	tx("A 1:11 ack 1001 <>");
	tx("A 11 ack 1001 <sack 1:1001>");
	no_tx();
	talk_end();
}

/* ---- delayed ACKs --------------------------------------------------------------------------- */

static void opens_wan(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.delack_ns = 40 * MS;
	talk_begin_with(&cfg);
	accepts("mss 1000,sackok");
}

static void delayed(void)
{
	opens_wan();
	rx("A 1:101 ack 1");
	no_tx_until(39 * MS);
	tx_after(0, 2 * MS, "A 1 ack 101");
	no_tx_until(SECOND);
	talk_end();
}

/* Also when they are smaller than ours. */
static void every_second(void)
{
	opens_wan();
	rx("A 1:537 ack 1");
	no_tx();
	rx("A 537:1073 ack 1");
	tx("A 1 ack 1073");
	rx("A 1073:1609 ack 1");
	no_tx();
	rx("A 1609:2145 ack 1");
	tx("A 1 ack 2145");
	talk_end();
}

static void not_what_is_early(void)
{
	opens_wan();
	rx("A 101:201 ack 1");
	tx("A 1 ack 1 <sack 101:201>");
	rx("A 1:101 ack 1");
	tx("A 1 ack 201");
	rx("FA 201 ack 1");
	tx("A 1 ack 202");
	talk_end();
}

static void with_data(void)
{
	opens_wan();
	rx("A 1:101 ack 1");
	writes(10);
	tx("A 1:11 ack 101");
	no_tx_until(100 * MS);
	talk_end();
}

/* The latency profile: in the same turn; one ACK for a burst (RFC 9293 MUST-58). */
static void at_once(void)
{
	opens();
	hold();
	rx("A 1:101 ack 1");
	rx("A 101:201 ack 1");
	rx("A 201:301 ack 1");
	release();
	tx("A 1 ack 301");
	no_tx();
	talk_end();
}

/* ---- windows -------------------------------------------------------------------------------- */

/* RFC 9293 section 3.8.6.2.2: the edge stands until a segment or half of the buffer is free; and
 * it never moves back. */
static void receiver_avoids_silly_windows(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.rcvbuf_bytes = 8192;
	talk_begin_with(&cfg);
	accepts("mss 1000");
	hold();
	rx("A 1:1001 ack 1");
	rx("A 1001:2001 ack 1");
	rx("A 2001:3001 ack 1");
	rx("A 3001:4001 ack 1");
	release();
	tx("A 1 ack 4001 win 4192");
	hold();
	rx("A 4001:5001 ack 1");
	rx("A 5001:6001 ack 1");
	rx("A 6001:7001 ack 1");
	rx("A 7001:8001 ack 1");
	rx("A 8001:8193 ack 1");
	release();
	tx("A 1 ack 8193 win 0");
	event(PERCH_FLOW_READABLE);
	reads(999);
	no_tx();
	reads(1);
	tx("A 1 ack 8193 win 1000");
	reads(500);
	no_tx();
	talk_end();
}

/* RFC 9293 section 3.8.6.2.1: a window smaller than a segment, and than half of the largest one
 * seen, is not used, until the override timeout. */
static void sender_avoids_silly_windows(void)
{
	talk_begin();
	listens();
	rx("S 0 win 4000 <mss 1000>");
	tx("SA 0 ack 1");
	rx("A 1 ack 1 win 4000");
	event(PERCH_FLOW_ACCEPTED);
	writes(6000);
	tx("A 1:1001");
	tx("A 1001:2001");
	tx("A 2001:3001");
	tx("A 3001:4001");
	rx("A 1 ack 4001 win 300");
	no_tx_until(190 * MS);
	tx_after(0, 20 * MS, "A 4001:4301");
	rx("A 1 ack 4301 win 2000"); /* half of the largest */
	tx("A 4301:5001");
	tx("A 5001:6001");
	talk_end();
}

/* As long as the reader takes what comes, up to the limit. */
static void buffer_grows(void)
{
	struct perch_net_config cfg = talk_config();
	uint32_t at = 1, first, last = 0;
	char text[60];
	unsigned i;

	cfg.rcvbuf_bytes = 1 << 20;
	talk_begin_with(&cfg);
	accepts("mss 1000,scale 7");
	first = talk.c->rcv_edge - talk.c->rcv_nxt;
	for (i = 0; i < 2000; i++, at += 1000) {
		snprintf(text, sizeof(text), "A %u:%u ack 1", at, at + 1000);
		rx(text);
		reads(1000);
		snprintf(text, sizeof(text), "A 1 ack %u", at + 1000);
		tx(text);
		last = talk.c->rcv_edge - talk.c->rcv_nxt;
		check(last <= 1 << 20);
	}
	check(first <= 256 * 1024);
	check(last > 900000);
	talk_end();
}

/* One who does not read gets no more. */
static void buffer_stays(void)
{
	struct perch_net_config cfg = talk_config();
	uint32_t at = 1;
	char text[60];

	cfg.rcvbuf_bytes = 1 << 20;
	talk_begin_with(&cfg);
	accepts("mss 1000,scale 7");
	for (; at + 1000 <= 250001; at += 1000) {
		snprintf(text, sizeof(text), "A %u:%u ack 1", at, at + 1000);
		rx(text);
		snprintf(text, sizeof(text), "A 1 ack %u", at + 1000);
		tx(text);
	}
	check(talk.c->rcv_edge - talk.c->rcv_nxt < 16384);
	talk_end();
}

static const struct suite_case cases[] = {
	{"2018 4 latest first", latest_first},
	{"2018 4 no SACK", no_sack},
	{"5681 4.2 holes are filled", holes_are_filled},
	{"overlaps", overlaps},
	{"early FIN", early_fin},
	{"early ones are bounded", bounded},
	{"2883 4.1.1 duplicate", duplicate},
	{"2883 4.1.3 early duplicate", early_duplicate},
	{"2883 4.2.1 partial duplicate", partial_duplicate},
	{"2883 4 beside data", beside_data},
	{"1122 4.2.3.2 delayed", delayed},
	{"1122 4.2.3.2 every second", every_second},
	{"1122 4.2.3.2 with data", with_data},
	{"5681 4.2 not what is early", not_what_is_early},
	{"9293 3.8.6.3 at once", at_once},
	{"9293 3.8.6.2.2 receiver", receiver_avoids_silly_windows},
	{"9293 3.8.6.2.1 sender", sender_avoids_silly_windows},
	{"buffer grows", buffer_grows},
	{"buffer stays", buffer_stays},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return talk_main("tcp recv", cases, argc, argv);
}
