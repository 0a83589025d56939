/* SPDX-License-Identifier: BSD-3-Clause
 * RACK-TLP (RFC 8985): losses found by time, reordering borne, tails probed. Each case's connection
 * has a round trip of 100 ms and segments of 1,000 bytes, and its retransmission timeout is 300 ms
 * or more away.
 */
#include "tests/tcp-lite/talk.h"

#define RTT (100 * MS)
#define counters() (*perch_tcp_counters(talk.net))

/* An accepted connection whose handshake took a round trip; `segments` were sent, at once, into a
 * window of so many bytes. */
static void sends_into(unsigned window, const char *options, unsigned segments)
{
	char text[80];

	talk_begin();
	snprintf(text, sizeof(text), "mss 1000,%s", options);
	accepts_after(RTT, window, text);
	flight(segments);
}

static void sends(const char *options, unsigned segments)
{
	sends_into(65535, options, segments);
}

/* ---- section 6.2: what is lost -------------------------------------------------------------- */

/* Step 4, no reordering seen: three segments SACKed beyond it are enough, at once. */
static void three_sacked(void)
{
	sends("sackok", 5);
	pass(RTT);
	rx("A 1 ack 1 <sack 1001:2001>");
	no_tx();
	rx("A 1 ack 1 <sack 1001:3001>");
	no_tx();
	rx("A 1 ack 1 <sack 1001:4001>");
	tx("A 1:1001");
	no_tx();
	check(counters().fast_retransmits == 1);
	rx("A 1 ack 5001");
	no_tx_until(SECOND);
	check(counters().rto_fired == 0);
	talk_end();
}

/* Step 5: less than three, but a quarter of the round trip has gone by. */
static void reordering_timer(void)
{
	sends("sackok", 3);
	pass(RTT);
	rx("A 1 ack 1 <sack 1001:2001>");
	tx_after(20 * MS, 30 * MS, "A 1:1001");
	check(counters().fast_retransmits == 1);
	check(counters().rto_fired == 0);
	rx("A 1 ack 3001");
	no_tx_until(SECOND);
	talk_end();
}

/* Step 3: order is not kept on this path, so that three beyond it prove nothing until the
 * reordering window has passed. */
static void reordering_is_learnt(void)
{
	sends("sackok", 10);
	pass(RTT);
	rx("A 1 ack 1 <sack 1001:2001>");
	rx("A 1 ack 2001"); /* late, but sent once: reordering */
	no_tx();
	rx("A 1 ack 2001 <sack 3001:4001>");
	rx("A 1 ack 2001 <sack 3001:5001>");
	rx("A 1 ack 2001 <sack 3001:6001>");
	rx("A 1 ack 2001 <sack 3001:7001>");
	no_tx();
	tx_after(20 * MS, 30 * MS, "A 2001:3001");
	rx("A 1 ack 10001");
	talk_end();
}

/* What comes within the window was not lost. */
static void late_is_not_lost(void)
{
	sends("sackok", 3);
	pass(RTT);
	rx("A 1 ack 1 <sack 1001:3001>");
	no_tx_until(20 * MS);
	rx("A 1 ack 3001");
	no_tx_until(SECOND);
	check(counters().retransmits == 0);
	check(counters().fast_retransmits == 0);
	talk_end();
}

/* One that was sent again and is lost again is found without a timeout, which no count of duplicate
 * ACKs could (section 4). */
static void lost_again(void)
{
	sends("sackok", 8);
	pass(RTT);
	rx("A 1 ack 1 <sack 1001:4001>");
	tx("A 1:1001");
	writes(4000);
	rx("A 1 ack 1 <sack 1001:6001>");
	tx("A 8001:9001"); /* sent after the repetition */
	rx("A 1 ack 1 <sack 1001:8001>");
	tx("A 9001:10001");
	tx("A 10001:11001");
	tx("A 11001:12001");
	pass(RTT);
	rx("A 1 ack 1 <sack 1001:9001>");
	tx("A 1:1001");
	check(counters().rto_fired == 0);
	talk_end();
}

/* Step 2: an ACK that comes sooner than any round trip is not for the repetition. */
static void ack_of_the_original(void)
{
	sends("sackok", 5);
	pass(RTT);
	rx("A 1 ack 1 <sack 1001:4001>");
	tx("A 1:1001");
	pass(10 * MS);
	rx("A 1 ack 4001"); /* the fifth was sent before that repetition, and may still come */
	no_tx_until(10 * MS);
	rx("A 1 ack 5001");
	check(counters().retransmits == 1);
	talk_end();
}

/* Step 4: each round with a D-SACK makes the window larger by a quarter round trip. */
static void dsack_widens(void)
{
	sends("sackok", 10);
	pass(RTT);
	rx("A 1 ack 1 <sack 1001:4001>");
	tx("A 1:1001");
	rx("A 1 ack 4001");
	rx("A 1 ack 4001 <sack 1:1001>"); /* it was not lost at all */
	no_tx();
	rx("A 1 ack 4001 <sack 5001:8001>");
	no_tx_until(20 * MS); /* once already */
	writes(1000);
	rx("A 1 ack 10001");
	tx("A 10001:11001");
	talk_end();
}

/* ---- section 7: tail loss probes ------------------------------------------------------------ */

/* 7.3: nothing new to send: the last segment, after two round trips. */
static void probe_repeats_the_last(void)
{
	sends("sackok", 3);
	tx_after(190 * MS, 210 * MS, "A 2001:3001");
	check(counters().loss_probes == 1);
	check(counters().rto_fired == 0);
	pass(RTT);
	rx("A 1 ack 1 <sack 2001:3001>"); /* the others are lost too: found by time, not by RTO */
	tx("A 1:1001");
	no_tx(); /* one has arrived, one may leave: RFC 6937 */
	pass(RTT);
	rx("A 1 ack 1001 <sack 2001:3001>");
	tx("A 1001:2001");
	check(counters().rto_fired == 0);
	rx("A 1 ack 3001");
	no_tx_until(SECOND);
	talk_end();
}

/* 7.3: new data where there is some: cwnd does not hold a probe back. */
static void probe_with_new_data(void)
{
	sends("sackok", 10);
	writes(3000);
	no_tx(); /* an initial window is out */
	tx_after(190 * MS, 210 * MS, "A 10001:11001");
	check(counters().loss_probes == 1);
	check(counters().retransmits == 0);
	no_tx();
	rx("A 1 ack 11001");
	tx("A 11001:12001");
	tx("A 12001:13001");
	talk_end();
}

/* 7.2: one segment alone may wait for a delayed ACK; a probe comes in the timeout's place. */
static void probe_of_one(void)
{
	sends("sackok", 1);
	tx_after(290 * MS, 310 * MS, "A 1:1001");
	check(counters().loss_probes == 1);
	check(counters().rto_fired == 0);
	tx_after(290 * MS, 310 * MS, "A 1:1001"); /* one probe, then the timeout */
	check(counters().loss_probes == 1);
	check(counters().rto_fired == 1);
	rx("A 1 ack 1001");
	no_tx_until(SECOND);
	talk_end();
}

/* 7.2: each new transmission puts the probe off. */
static void probe_is_put_off(void)
{
	sends("sackok", 2);
	no_tx_until(150 * MS);
	writes(1000);
	tx("A 2001:3001");
	no_tx_until(140 * MS);
	tx_after(0, 70 * MS, "A 2001:3001");
	talk_end();
}

/* 7.2: not without SACK, and not in recovery. */
static void no_probe_without_sack(void)
{
	sends("scale 0", 3);
	tx_after(290 * MS, 310 * MS, "A 1:1001");
	check(counters().loss_probes == 0);
	check(counters().rto_fired == 1);
	talk_end();
}

/* A window that is full: the probe is the last segment again. Then cwnd, when more has arrived. */
static uint32_t cwnd_after_probe(const char *answer_to_probe, const char *next)
{
	struct perch_tcp_info info;

	sends_into(4000, "sackok", 4);
	writes(3000);
	tx_after(190 * MS, 310 * MS, "A 3001:4001");
	rx("A 1 ack 4001 win 1000"); /* to the first copy or to the second? */
	tx("A 4001:5001");
	if (answer_to_probe)
		rx(answer_to_probe);
	rx(next);
	tx("A 5001:6001");
	tx("A 6001:7001");
	perch_tcp_info(talk.net, talk.c, &info);
	talk_end();
	return info.cwnd_bytes;
}

/* Nobody else has seen that the last one was lost: the window comes down. */
static void probe_repairs(void)
{
	check(cwnd_after_probe(NULL, "A 1 ack 5001 win 65535") < 10000);
}

/* Both copies arrived. */
static void probe_was_needless(void)
{
	check(cwnd_after_probe("A 1 ack 4001 win 1000 <sack 3001:4001>",
		"A 1 ack 5001 win 65535") >= 10000);
	/* And one ACK tells it with what came next. */
	check(cwnd_after_probe(NULL, "A 1 ack 5001 win 65535 <sack 3001:4001>") >= 10000);
}

/* ---- section 6.3: the timeout --------------------------------------------------------------- */

/* What was sent a moment ago is not lost because the first one is. */
static void timeout_spares_the_young(void)
{
	sends("sackok", 2);
	tx_after(190 * MS, 210 * MS, "A 1001:2001");
	pass(290 * MS);
	no_tx();
	tx_after(0, 20 * MS, "A 1:1001");
	check(counters().rto_fired == 1);
	no_tx(); /* cwnd is one segment */
	pass(RTT);
	rx("A 1 ack 2001");
	no_tx_until(SECOND);
	talk_end();
}

/* The whole flight is lost: slow start sends it again, each segment once. */
static void timeout_of_a_flight(void)
{
	sends("sackok", 6);
	tx_after(190 * MS, 210 * MS, "A 5001:6001");
	tx_after(290 * MS, 310 * MS, "A 1:1001");
	pass(RTT);
	rx("A 1 ack 1001");
	tx("A 1001:2001");
	tx("A 2001:3001");
	no_tx();
	pass(RTT);
	rx("A 1 ack 3001");
	tx("A 3001:4001");
	tx("A 4001:5001");
	tx("A 5001:6001");
	no_tx();
	rx("A 1 ack 6001");
	no_tx_until(2 * SECOND);
	talk_end();
}

/* Step 1: the reordering window is a quarter of the least round trip, not of the last one. */
static void least_round_trip(void)
{
	sends("sackok", 3);
	pass(RTT);
	rx("A 1 ack 2001");
	writes(3000);
	tx("A 3001:4001");
	tx("A 4001:5001");
	tx("A 5001:6001");
	pass(40 * MS);
	rx("A 1 ack 3001 <sack 4001:5001>"); /* 40 ms; the third took 140 */
	tx_after(9 * MS, 12 * MS, "A 3001:4001");
	talk_end();
}

static uint32_t ssthresh(void)
{
	return talk.c->ssthresh;
}

/* The probe's ACK leaves nothing in flight: that a copy was lost shows with the next data. */
static void probe_repairs_the_last(void)
{
	sends("sackok", 1);
	tx_after(290 * MS, 310 * MS, "A 1:1001");
	pass(RTT);
	rx("A 1 ack 1001");
	check(counters().loss_probes == 1 && counters().rto_fired == 0);
	check(ssthresh() == INT32_MAX);
	pass(SECOND);
	writes(1000);
	tx("A 1001:2001");
	pass(RTT);
	rx("A 1 ack 2001");
	check(ssthresh() < INT32_MAX);
	talk_end();
}

/* Both copies have come, as the second's ACK tells with a D-SACK or without: nothing was lost. */
static void probe_of_the_last_was_needless(void)
{
	int way;

	for (way = 0; way < 2; way++) {
		sends("sackok", 1);
		tx_after(290 * MS, 310 * MS, "A 1:1001");
		pass(RTT);
		rx("A 1 ack 1001");
		rx(way ? "A 1 ack 1001" : "A 1 ack 1001 <sack 1:1001>");
		writes(1000);
		tx("A 1001:2001");
		pass(RTT);
		rx("A 1 ack 2001");
		check(ssthresh() == INT32_MAX);
		talk_end();
	}
}

static const struct suite_case cases[] = {
	{"6.2 least round trip", least_round_trip},
	{"7.4.2 probe repairs the last", probe_repairs_the_last},
	{"7.4.2 probe of the last was needless", probe_of_the_last_was_needless},
	{"6.2 three SACKed", three_sacked},
	{"6.2 reordering timer", reordering_timer},
	{"6.2 reordering is learnt", reordering_is_learnt},
	{"6.2 late is not lost", late_is_not_lost},
	{"6.2 lost again", lost_again},
	{"6.2 ACK of the original", ack_of_the_original},
	{"6.2 D-SACK widens", dsack_widens},
	{"6.3 timeout spares the young", timeout_spares_the_young},
	{"6.3 timeout of a flight", timeout_of_a_flight},
	{"7.3 probe repeats the last", probe_repeats_the_last},
	{"7.3 probe with new data", probe_with_new_data},
	{"7.2 probe of one", probe_of_one},
	{"7.2 probe is put off", probe_is_put_off},
	{"7.2 no probe without SACK", no_probe_without_sack},
	{"7.4 probe repairs", probe_repairs},
	{"7.4 probe was needless", probe_was_needless},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return talk_main("tcp rack", cases, argc, argv);
}
