/* SPDX-License-Identifier: BSD-3-Clause
 * Recoveries that were none: Eifel detection by timestamps (RFC 3522), D-SACKs for all that was
 * repeated (RFC 3708), and what is given back (RFC 4015). Ten segments of 1,000 bytes are in flight
 * on a path of 100 ms whose order is not kept.
 */
#include "tcp-lite/tcp_inside.h"
#include "tests/tcp-lite/talk.h"

#define RTT (100 * MS)
#define counters() (*perch_tcp_counters(talk.net))

static uint32_t cwnd(void)
{
	struct perch_tcp_info info;

	perch_tcp_info(talk.net, talk.c, &info);
	return info.cwnd_bytes;
}

static void sends_ten(const char *options)
{
	char text[80];

	talk_begin();
	snprintf(text, sizeof(text), "mss %u,sackok%s", strstr(options, "ts ") ? 1012 : 1000,
		options);
	accepts_after(RTT, 65535, text);
	flight(10);
}

/* The echo of the first copy's timestamp, whatever was sent since. */
static uint32_t first_echo;

static void rx_first(const char *segment, const char *blocks)
{
	char text[120];

	snprintf(text, sizeof(text), "%s <ts 1 %u%s>", segment, first_echo, blocks);
	rx(text);
}

static void reordered(void)
{
	pass(RTT);
	rx_first("A 1 ack 1", ",sack 1001:2001");
	rx_first("A 1 ack 1", ",sack 1001:3001");
	rx_first("A 1 ack 1", ",sack 1001:4001");
	tx("A 1:1001");
	no_tx();
	check(counters().fast_retransmits == 1);
}

static void eifel_fast(void)
{
	sends_ten(",ts 1 0");
	first_echo = talk.ts_heard;
	reordered();
	pass(5 * MS);
	rx_first("A 1 ack 4001", "");
	check(counters().spurious_recoveries == 1);
	check(cwnd() >= 10000);
	check(talk.c->ssthresh == INT32_MAX);
	rx_first("A 1 ack 10001", "");
	no_tx_until(SECOND);
	talk_end();
}

/* RFC 8985 section 6.2 step 4: one that came 60 ms after its repetition tells how late the next may
 * be: three quarters of the round trip. */
static void lateness_is_learnt(void)
{
	sends_ten(",ts 1 0");
	first_echo = talk.ts_heard;
	reordered();
	pass(60 * MS);
	rx_first("A 1 ack 4001", "");
	check(counters().spurious_recoveries == 1);
	rx_first("A 1 ack 4001", ",sack 5001:8001");
	tx_after(70 * MS, 80 * MS, "A 4001:5001");
	rx("A 1 ack 10001");
	no_tx_until(SECOND);
	talk_end();
}

/* It answers the repetition: it was a loss. */
static void a_real_loss(void)
{
	sends_ten(",ts 1 0");
	first_echo = talk.ts_heard;
	reordered();
	rx_first("A 1 ack 1", ",sack 1001:5001"); /* an old echo, but of no news */
	pass(RTT);
	rx("A 1 ack 10001");
	check(counters().spurious_recoveries == 0);
	check(cwnd() == 7000);
	talk_end();
}

/* A delay of more than the timeout: what was not lost is not sent again. */
static void eifel_timeout(void)
{
	sends_ten(",ts 1 0");
	first_echo = talk.ts_heard;
	tx_after(190 * MS, 210 * MS, "A 9001:10001"); /* the probe */
	tx_after(290 * MS, 310 * MS, "A 1:1001");
	check(cwnd() == 1000);
	rx_first("A 1 ack 1001", "");
	check(counters().spurious_recoveries == 1);
	check(cwnd() >= 9000);
	no_tx();
	rx_first("A 1 ack 9001", "");
	no_tx();
	check(counters().retransmits == 2);
	talk_end();
}

/* RFC 4015 section 3.4: back, but ten segments beyond what is on its way are enough at once. */
static void eifel_timeout_without_a_burst(void)
{
	sends_ten(",ts 1 0");
	first_echo = talk.ts_heard;
	talk.c->cwnd = 60000;
	pass(SECOND);
	check(forget_tx() > 1 && counters().rto_fired > 0);
	rx_first("A 1 ack 5001", "");
	check(counters().spurious_recoveries == 1);
	check(cwnd() < 30000);
	check(talk.c->ssthresh >= 60000);
	talk_end();
}

/* Without timestamps: each repetition is answered by a D-SACK. */
static void dsacks(void)
{
	sends_ten("");
	pass(RTT);
	rx("A 1 ack 1 <sack 1001:2001>");
	rx("A 1 ack 1 <sack 1001:3001>");
	rx("A 1 ack 1 <sack 1001:4001>");
	tx("A 1:1001");
	rx("A 1 ack 4001");
	check(cwnd() < 10000);
	writes(5000);
	pass(0);
	rx("A 1 ack 4001 <sack 1:1001>");
	check(counters().spurious_recoveries == 1);
	check(cwnd() >= 10000);
	talk_end();
}

/* Only one of two was needless. */
static void one_dsack_of_two(void)
{
	sends_ten("");
	pass(RTT);
	rx("A 1 ack 1 <sack 2001:5001>");
	tx("A 1:1001");
	tx("A 1001:2001");
	pass(RTT);
	rx("A 1 ack 1 <sack 2001:10001>");
	rx("A 1 ack 2001 <sack 1:1001 2001:10001>");
	rx("A 1 ack 10001");
	check(counters().spurious_recoveries == 0);
	check(cwnd() == 7000);
	talk_end();
}

/* What looks lost and what tells that it is not come in one burst: nothing is sent again, and
 * nothing is taken from the window. */
static void nothing_sent_again(void)
{
	sends_ten("");
	pass(RTT);
	hold();
	rx("A 1 ack 1 <sack 1001:2001>");
	rx("A 1 ack 1 <sack 1001:3001>");
	rx("A 1 ack 1 <sack 1001:4001>");
	rx("A 1 ack 4001");
	release();
	no_tx();
	check(counters().spurious_recoveries == 1);
	check(cwnd() >= 10000);
	rx("A 1 ack 10001");
	no_tx_until(SECOND);
	talk_end();
}

/* One that is lost is so whatever else came late. */
static void one_of_two_is_lost(void)
{
	sends_ten("");
	pass(RTT);
	hold();
	rx("A 1 ack 1 <sack 1001:2001>");
	rx("A 1 ack 1 <sack 3001:4001 1001:2001>");
	rx("A 1 ack 1 <sack 3001:6001 1001:2001>");
	rx("A 1 ack 2001 <sack 3001:6001>");
	release();
	check(counters().spurious_recoveries == 1);
	tx_after(20 * MS, 30 * MS, "A 2001:3001");
	check(cwnd() < 10000);
	pass(RTT);
	rx("A 1 ack 10001");
	check(cwnd() >= 7000 && cwnd() < 9000);
	no_tx_until(SECOND);
	talk_end();
}

static const struct suite_case cases[] = {
	{"3522 3.2 fast retransmit", eifel_fast},
	{"8985 6.2 lateness is learnt", lateness_is_learnt},
	{"3522 3.2 a real loss", a_real_loss},
	{"3522 3.2 timeout", eifel_timeout},
	{"4015 3.4 timeout without a burst", eifel_timeout_without_a_burst},
	{"3708 2 D-SACK for all", dsacks},
	{"3708 2 D-SACK for one of two", one_dsack_of_two},
	{"4015 3 nothing was sent again", nothing_sent_again},
	{"4015 3 one of two is lost", one_of_two_is_lost},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return talk_main("tcp undo", cases, argc, argv);
}
