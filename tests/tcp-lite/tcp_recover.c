/* SPDX-License-Identifier: BSD-3-Clause
 * The corners of loss recovery: the scoreboard and the blocks that it refuses, RACK's memory, PRR
 * segment by segment, and what duplicate ACKs tell without SACK. Segments are of 1,000 bytes, a
 * round trip takes 100 ms.
 */
#include "tcp-lite/tcp_inside.h"
#include "tests/tcp-lite/talk.h"

#define RTT (100 * MS)
#define counters() (*perch_tcp_counters(talk.net))

static uint32_t ssthresh(void)
{
	return talk.c->ssthresh;
}

/* Of what is in flight. */
static struct perch_outbox *outbox(void)
{
	return tcb_outbox(talk.c);
}

/* An accepted connection of NewReno, with `segments` in flight. */
static void sends_into(uint32_t cwnd, const char *options, unsigned segments)
{
	struct perch_net_config cfg = talk_config();
	char text[80];

	cfg.cc = "newreno";
	talk_begin_with(&cfg);
	snprintf(text, sizeof(text), "mss %u,%s", strstr(options, "ts ") ? 1012 : 1000, options);
	accepts_after(RTT, 65535, text);
	talk.c->cwnd = cwnd;
	flight(segments);
}

static void sends(const char *options, unsigned segments)
{
	sends_into(10000, options, segments);
}

/* ---- blocks: RFC 2018 section 5, RFC 2883 section 4 ----------------------------------------- */

static void blocks_that_are_refused(void)
{
	sends("sackok", 5);
	pass(RTT);
	rx("A 1 ack 1 <sack 1001:90001>"); /* beyond what was sent */
	check(outbox()->sacked_mbufs == 0);
	rx("A 1 ack 1 <sack 3001:2001>"); /* it ends before it begins */
	rx("A 1 ack 1 <sack 1001:1501>"); /* a part of a segment */
	rx("A 1 ack 1 <sack 1501:2501>"); /* and of two */
	check(outbox()->sacked_mbufs == 0);
	rx("A 1 ack 1 <sack 1501:3501>");
	check(outbox()->sacked_mbufs == 1 && outbox()->sacked == 1000);
	no_tx();
	check(outbox()->reo_mult == 0); /* none of them was a D-SACK */
	talk_end();
}

static void dsack_below_the_ack(void)
{
	sends("sackok", 5);
	pass(RTT);
	rx("A 1 ack 2001 <sack 1001:1>");
	rx("A 1 ack 2001 <sack -100000:-99000>"); /* older than any window */
	rx("A 1 ack 2001 <sack 1:90001>");
	check(outbox()->reo_mult == 0);
	rx("A 1 ack 2001 <sack 1:1001>");
	check(outbox()->reo_mult == 1 && outbox()->reo_persist == 16);
	talk_end();
}

static void dsack_within_the_next(void)
{
	sends("sackok", 5);
	pass(RTT);
	rx("A 1 ack 1 <sack 1001:2001 3001:4001>"); /* two blocks, apart */
	check(outbox()->reo_mult == 0);
	rx("A 1 ack 1 <sack 1001:2001 1001:2001>");
	check(outbox()->reo_mult == 1);
	talk_end();
}

/* ---- the scoreboard ------------------------------------------------------------------------- */

/* What was SACKed and is acknowledged leaves the board, and what follows counts on from there. */
static void runs_are_cut(void)
{
	sends("sackok", 9);
	pass(RTT);
	rx("A 1 ack 1 <sack 1001:3001>");
	check(outbox()->sacked_mbufs == 2);
	rx("A 1 ack 2001"); /* in the middle of the run */
	check(outbox()->sacked_mbufs == 1 && outbox()->sacked == 1000);
	writes(3000); /* takes the place of what was freed */
	pass(0);
	check(forget_tx() == 3);
	rx("A 1 ack 2001 <sack 3001:4001>");
	check(outbox()->sacked_mbufs == 2);
	rx("A 1 ack 4001");
	check(outbox()->sacked_mbufs == 0 && outbox()->sacked == 0);
	talk_end();
}

/* RFC 2018 section 8: after a timeout nothing that was SACKed counts; the same block counts
 * again. */
static void reneging(void)
{
	sends("sackok", 3);
	pass(RTT);
	rx("A 1 ack 1 <sack 1:3001>");
	check(outbox()->sacked_mbufs == 3);
	tx_after(200 * MS, 400 * MS, "A 1:1001");
	check(outbox()->sacked_mbufs == 0);
	pass(RTT);
	rx("A 1 ack 1 <sack 1:3001>");
	check(outbox()->sacked_mbufs == 3);
	rx("A 1 ack 3001");
	no_tx_until(SECOND);
	talk_end();
}

/* ---- RACK's memory: RFC 8985 section 6.2 ---------------------------------------------------- */

/* Step 4: once in a round trip, and forgotten after 16 recoveries without. */
static void dsacks_are_forgotten(void)
{
	sends("sackok", 10);
	pass(RTT);
	rx("A 1 ack 2001 <sack 1:1001>");
	check(outbox()->reo_mult == 1 && outbox()->reo_persist == 16);
	rx("A 1 ack 3001 <sack 1001:2001>"); /* the same round trip */
	check(outbox()->reo_mult == 1);
	outbox()->reo_mult = 3;
	rx("A 1 ack 3001 <sack 4001:9001>");
	tx_after(70 * MS, 80 * MS, "A 3001:4001");
	writes(1000);
	no_tx();
	rx("A 1 ack 3001 <sack 4001:10001>");
	tx("A 10001:11001");
	pass(RTT);
	rx("A 1 ack 10001");
	check(outbox()->reo_mult == 3 && outbox()->reo_persist == 15);
	outbox()->reo_persist = 1;
	talk.c->cwnd = talk.c->ssthresh = 10000;
	writes(4000);
	pass(0);
	check(forget_tx() == 4);
	pass(RTT);
	rx("A 1 ack 10001 <sack 11001:15001>");
	tx("A 10001:11001");
	writes(1000);
	tx("A 15001:16001");
	pass(RTT);
	rx("A 1 ack 15001");
	check(outbox()->reo_mult == 1 && outbox()->reo_persist == 0);
	talk_end();
}

/* Step 4: never more than a smoothed round trip. */
static void reordering_window_is_bounded(void)
{
	sends("sackok", 3);
	outbox()->reo_mult = 200;
	pass(RTT);
	rx("A 1 ack 1 <sack 1001:2001>");
	tx_after(95 * MS, 105 * MS, "A 1:1001");
	check(counters().rto_fired == 0);
	talk_end();
}

/* Step 1: what was sent twice has no round trip. */
static void repetitions_measure_nothing(void)
{
	sends("sackok", 3);
	tx_after(190 * MS, 210 * MS, "A 2001:3001"); /* the probe */
	pass(60 * MS);
	rx("A 1 ack 1 <sack 2001:3001>");
	check(outbox()->sacked_mbufs == 1);
	check(outbox()->min_rtt_us == UINT32_MAX);
	talk_end();
}

/* Step 2: a round trip later, but the echo is of the first copy. */
static void echo_of_the_original(void)
{
	uint32_t first;
	char text[80];

	sends("sackok,ts 1 0", 5);
	first = talk.ts_heard;
	pass(RTT);
	snprintf(text, sizeof(text), "A 1 ack 1 <ts 1 %u,sack 1001:4001>", first);
	rx(text);
	tx("A 1:1001");
	pass(RTT);
	snprintf(text, sizeof(text), "A 1 ack 4001 <ts 1 %u>", first);
	rx(text);
	no_tx(); /* the fifth was sent before the repetition, but that has not arrived */
	talk_end();
}

/* Section 7.2: what the timing wheel tells apart at least. */
static void probe_of_a_short_path(void)
{
	talk_begin();
	listens();
	rx("S 0 <mss 1000,sackok>");
	tx("SA 0 ack 1");
	pass(50000);
	rx("A 1 ack 1");
	event(PERCH_FLOW_ACCEPTED);
	writes(2000);
	tx("A 1:1001");
	tx("A 1001:2001");
	tx_after(MS, 12 * MS / 10, "A 1001:2001");
	check(counters().loss_probes == 1);
	talk_end();
}

/* ---- PRR: RFC 6937 section 3 ---------------------------------------------------------------- */

static void acks(const char *blocks)
{
	char text[80];

	snprintf(text, sizeof(text), "A 1 ack 1 <sack %s>", blocks);
	rx(text);
}

/* One of twenty-two is lost, ssthresh is ten: while more than that is on its way ten leave for
 * twenty-two that arrive. */
static void in_proportion(void)
{
	char blocks[40], data[40];
	unsigned i, sent = 1;

	sends_into(20000, "sackok", 20);
	writes(20000);
	no_tx();
	pass(RTT);
	acks("1001:2001");
	tx("A 20001:21001"); /* nothing is lost yet */
	acks("1001:3001");
	tx("A 21001:22001");
	acks("1001:4001");
	tx("A 1:1001");
	check(ssthresh() == 10000);
	for (i = 2; i <= 13; i++) { /* the first of them paid for the repetition */
		snprintf(blocks, sizeof(blocks), "1001:%u", i * 1000 + 3001);
		acks(blocks);
		if (i * 10 / 22 > sent) {
			snprintf(data, sizeof(data), "A %u:%u", sent * 1000 + 21001,
				sent * 1000 + 22001);
			tx(data);
			sent++;
		}
		no_tx();
	}
	check(sent == 5);
	talk_end();
}

/* Fifteen of twenty are lost: below ssthresh as many leave as arrive, and one more for an ACK that
 * repaired something and found nothing else. */
static void below_the_threshold(void)
{
	sends_into(20000, "sackok", 20);
	pass(RTT);
	acks("15001:20001");
	check(forget_tx() == 5);
	pass(RTT);
	rx("A 1 ack 1001 <sack 15001:20001>");
	check(forget_tx() == 2);
	rx("A 1 ack 2001 <sack 15001:20001>");
	check(forget_tx() == 2);
	rx("A 1 ack 2001 <sack 3001:4001 15001:20001>"); /* repairs nothing */
	check(forget_tx() == 1);
	talk_end();
}

/* An ACK of all that was in flight when it began ends it. */
static void the_end(void)
{
	sends("sackok", 10);
	writes(3000);
	pass(RTT);
	acks("1001:10001");
	tx("A 1:1001");
	check(forget_tx() == 3);
	check(outbox()->phase == PHASE_RECOVERY);
	pass(RTT);
	rx("A 1 ack 10001");
	check(outbox()->phase == PHASE_OPEN && talk.c->cwnd == ssthresh());
	talk_end();
}

/* RFC 5681 section 3.1: a timeout in a recovery takes nothing a second time. */
static void timeout_in_a_recovery(void)
{
	sends("sackok", 10);
	pass(RTT);
	acks("1001:4001");
	tx("A 1:1001");
	check(ssthresh() == 5000);
	tx_after(190 * MS, 210 * MS, "A 1:1001");
	check(counters().rto_fired == 1);
	check(ssthresh() == 5000 && talk.c->cwnd == 1000);
	talk_end();
}

/* RFC 8985 section 6.3: of three that a timeout finds in flight the last had only just left. */
static void timeout_spares_the_last(void)
{
	sends("sackok", 3);
	pass(RTT);
	rx("A 1 ack 1001");
	tx_after(190 * MS, 210 * MS, "A 2001:3001"); /* the probe */
	no_tx_until(230 * MS);
	writes(1000);
	tx("A 3001:4001");
	tx_after(5 * MS, 30 * MS, "A 1001:2001");
	check(counters().rto_fired == 1);
	rx("A 1 ack 2001");
	tx("A 2001:3001");
	rx("A 1 ack 3001");
	no_tx();
	check(outbox()->pipe == 1000);
	talk_end();
}

/* A segment larger than cwnd goes when nothing else is on its way. */
static void a_window_of_less_than_a_segment(void)
{
	sends_into(10000, "sackok", 0);
	talk.c->cwnd = 900;
	writes(2000);
	tx("A 1:1001");
	no_tx();
	talk_end();
}

/* ---- without SACK --------------------------------------------------------------------------- */

/* RFC 5681 section 3.2: three in a row, not with news between them. */
static void duplicates_in_a_row(void)
{
	sends("scale 0", 5);
	pass(RTT);
	rx("A 1 ack 1");
	rx("A 1 ack 1");
	rx("A 1 ack 1001");
	rx("A 1 ack 1001");
	no_tx();
	check(counters().fast_retransmits == 0);
	talk_end();
}

/* RFC 6582 section 3.2 step 2: those for what the last recovery has repeated. */
static void duplicates_of_the_last_recovery(void)
{
	sends("scale 0", 10);
	writes(5000);
	pass(RTT);
	rx("A 1 ack 1");
	tx("A 10001:11001"); /* limited transmit */
	rx("A 1 ack 1");
	tx("A 11001:12001");
	rx("A 1 ack 1");
	tx("A 1:1001");
	rx("A 1 ack 12001");
	check(forget_tx() == 2);
	rx("A 1 ack 12001");
	rx("A 1 ack 12001");
	rx("A 1 ack 12001");
	check(counters().fast_retransmits == 1 && counters().retransmits == 1);
	talk_end();
}

/* A partial ACK takes as many duplicates as it acknowledges that had not to be repeated: what is
 * on its way is known to the segment. */
static void partial_ack_in_figures(void)
{
	unsigned i;

	sends("scale 0", 10);
	writes(20000);
	pass(RTT);
	rx("A 1 ack 1");
	rx("A 1 ack 1");
	tx("A 10001:11001"); /* limited transmit */
	tx("A 11001:12001");
	rx("A 1 ack 1");
	tx("A 1:1001");
	for (i = 0; i < 4; i++) /* the second to tenth without the fifth and sixth */
		rx("A 1 ack 1");
	no_tx();
	check(perch_tcp_pipe(talk.c) == 5000); /* twelve, of which seven have come */
	rx("A 1 ack 501"); /* a part of the repetition is none */
	check(forget_tx() == 0);
	rx("A 1 ack 4001");
	tx("A 4001:5001");
	check(outbox()->dup_acks == 4);
	tx("A 12001:13001");
	no_tx();
	check(perch_tcp_pipe(talk.c) == 5000);
	talk_end();
}

/* RFC 6582 section 4: after a timeout duplicates tell of what was sent before it. */
static void duplicates_after_a_timeout(void)
{
	sends("scale 0", 6);
	tx_after(290 * MS, 310 * MS, "A 1:1001");
	check(counters().rto_fired == 1);
	rx("A 1 ack 1");
	rx("A 1 ack 1");
	rx("A 1 ack 1");
	rx("A 1 ack 1");
	no_tx();
	check(outbox()->dup_acks == 0 && counters().fast_retransmits == 0);
	talk_end();
}

/* ---- Eifel ---------------------------------------------------------------------------------- */

/* RFC 7323 section 4: an echo that is older than any round trip can be measures none. */
static void echo_of_long_ago(void)
{
	struct perch_tcp_info info;
	char text[60];
	uint32_t first;

	sends("sackok,ts 1 0", 0);
	writes(900);
	tx("A 1:901");
	first = talk.ts_heard;
	pass(20 * SECOND);
	check(forget_tx() > 3);
	snprintf(text, sizeof(text), "A 1 ack 901 <ts 1 %u>", first);
	rx(text);
	perch_tcp_info(talk.net, talk.c, &info);
	check(info.srtt_ns < 200 * MS);
	talk_end();
}

static const struct suite_case cases[] = {
	{"2018 5 blocks that are refused", blocks_that_are_refused},
	{"2883 4 below the ACK", dsack_below_the_ack},
	{"2883 4 within the next", dsack_within_the_next},
	{"2018 5 runs are cut", runs_are_cut},
	{"2018 8 reneging", reneging},
	{"8985 6.2 D-SACKs are forgotten", dsacks_are_forgotten},
	{"8985 6.2 reordering window is bounded", reordering_window_is_bounded},
	{"8985 6.2 repetitions measure nothing", repetitions_measure_nothing},
	{"8985 6.2 echo of the original", echo_of_the_original},
	{"8985 7.2 probe of a short path", probe_of_a_short_path},
	{"6937 3 in proportion", in_proportion},
	{"6937 3 below the threshold", below_the_threshold},
	{"6937 3 the end", the_end},
	{"5681 3.1 timeout in a recovery", timeout_in_a_recovery},
	{"8985 6.3 timeout spares the last", timeout_spares_the_last},
	{"5681 3.1 a window of less than a segment", a_window_of_less_than_a_segment},
	{"5681 3.2 duplicates in a row", duplicates_in_a_row},
	{"6582 3.2 duplicates of the last recovery", duplicates_of_the_last_recovery},
	{"6582 3.2 partial ACK in figures", partial_ack_in_figures},
	{"6582 4 duplicates after a timeout", duplicates_after_a_timeout},
	{"7323 4 echo of long ago", echo_of_long_ago},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return talk_main("tcp recover", cases, argc, argv);
}
