/* SPDX-License-Identifier: BSD-3-Clause
 * The retransmission timeout (RFC 6298), and what is sent when it is over.
 */
#include <errno.h>

#include "tests/tcp-lite/talk.h"

#define counters() (*perch_tcp_counters(talk.net))

static int64_t rto_ns(void)
{
	struct perch_tcp_info info;

	perch_tcp_info(talk.net, talk.c, &info);
	return info.rto_ns;
}

/* No SACK, so that there are no probes. */
static void opens(int64_t rtt_ns)
{
	talk_begin();
	listens();
	rx("S 0 win 65535 <mss 1000>");
	tx("SA 0 ack 1");
	pass(rtt_ns);
	rx("A 1 ack 1");
	event(PERCH_FLOW_ACCEPTED);
}

/* (2.1): one second until there is a measurement, then twice that, and so on. */
static void syn(void)
{
	talk_begin();
	dials();
	tx("S 0");
	tx_after(990 * MS, 1010 * MS, "S 0");
	tx_after(1990 * MS, 2010 * MS, "S 0");
	tx_after(3990 * MS, 4010 * MS, "S 0");
	talk_end();
}

/* (2.2): R + 4 * R/2. */
static void first_measurement(void)
{
	opens(100 * MS);
	check(rto_ns() == 300 * MS);
	talk_end();
}

/* (2.3): RTTVAR = 3/4 * 50 + 1/4 * |100 - 180| = 57.5, SRTT = 7/8 * 100 + 1/8 * 180 = 110. */
static void next_measurement(void)
{
	opens(100 * MS);
	writes(1000);
	tx("A 1:1001");
	pass(180 * MS);
	rx("A 1 ack 1001");
	check(rto_ns() > 338 * MS && rto_ns() < 342 * MS);
	talk_end();
}

/* (2.4): the floor, which is the profile's. */
static void floor_of_profile(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.rto_min_ns = 5 * MS;
	talk_begin_with(&cfg);
	accepts("mss 1000");
	check(rto_ns() == 5 * MS);
	writes(1000);
	tx("A 1:1001");
	tx_after(4900000, 5200000, "A 1:1001");
	tx_after(9900000, 10200000, "A 1:1001");
	talk_end();
}

/* (5.1) to (5.5): doubled each time. (5.3): started anew by an ACK of new data. */
static void back_off(void)
{
	opens(100 * MS);
	writes(2000);
	tx("A 1:1001");
	tx("A 1001:2001");
	tx_after(295 * MS, 305 * MS, "A 1:1001");
	tx_after(595 * MS, 605 * MS, "A 1:1001");
	tx_after(1195 * MS, 1205 * MS, "A 1:1001");
	rx("A 1 ack 1001");
	tx("A 1001:2001");
	tx_after(295 * MS, 305 * MS, "A 1001:2001");
	check(counters().rto_fired == 4);
	talk_end();
}

static void restarted(void)
{
	opens(100 * MS);
	writes(2000);
	tx("A 1:1001");
	tx("A 1001:2001");
	pass(200 * MS);
	rx("A 1 ack 1001");
	no_tx_until(290 * MS);
	tx_after(0, 100 * MS, "A 1001:2001");
	talk_end();
}

/* Section 3, Karn: what was sent twice measures nothing. */
static void karn(void)
{
	int64_t before_ns;

	opens(100 * MS);
	before_ns = rto_ns();
	writes(1000);
	tx("A 1:1001");
	tx_after(295 * MS, 305 * MS, "A 1:1001");
	pass(10 * MS);
	rx("A 1 ack 1001");
	check(rto_ns() == before_ns);
	talk_end();
}

/* RFC 5681 section 3.1: slow start from one segment, towards half of what was in flight or CUBIC's
 * share of it. */
static void slow_start(void)
{
	struct perch_tcp_info info;

	opens(100 * MS);
	writes(4000);
	tx("A 1:1001");
	tx("A 1001:2001");
	tx("A 2001:3001");
	tx("A 3001:4001");
	tx_after(295 * MS, 305 * MS, "A 1:1001");
	no_tx();
	perch_tcp_info(talk.net, talk.c, &info);
	check(info.cwnd_bytes == 1000);
	rx("A 1 ack 1001");
	tx("A 1001:2001");
	tx("A 2001:3001");
	no_tx();
	talk_end();
}

/* RFC 9293 SHLD-28: what was sent in small pieces goes again as one. */
static void put_together(void)
{
	opens(100 * MS);
	writes(100);
	tx("A 1:101");
	writes(200);
	tx("A 101:301");
	writes(300);
	tx("A 301:601");
	writes(500);
	tx("A 601:1101");
	tx_after(295 * MS, 305 * MS, "A 1:601"); /* the rest would not fit */
	rx("A 1 ack 601");
	tx("A 601:1101");
	rx("A 1 ack 1101");
	no_tx_until(SECOND);
	talk_end();
}

/* RFC 9293 section 3.8.3: R2, in tries. */
static void gives_up(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.data_retries = 3;
	talk_begin_with(&cfg);
	accepts("mss 1000");
	writes(1000);
	tx("A 1:1001");
	tx_after(190 * MS, 210 * MS, "A 1:1001");
	tx_after(390 * MS, 410 * MS, "A 1:1001");
	tx_after(790 * MS, 810 * MS, "A 1:1001");
	no_tx_until(1590 * MS);
	event(0);
	pass(20 * MS);
	event(PERCH_FLOW_FAILED | PERCH_FLOW_READABLE | PERCH_FLOW_WRITABLE);
	check(perch_tcp_error(talk.c) == -ETIMEDOUT);
	talk_end();
}

/* A SYN that comes again with the ACK that it asked for behind it: nothing of it may be left when a
 * FIN is sent much later. */
static void syn_again(void)
{
	talk_begin();
	listens();
	rx("S 0 win 65535 <mss 1000>");
	tx("SA 0 ack 1");
	hold();
	rx("S 0 win 65535 <mss 1000>");
	rx("A 1 ack 1");
	release();
	event(PERCH_FLOW_ACCEPTED);
	no_tx();
	perch_tcp_shutdown(talk.net, talk.c);
	tx("FA 1 ack 1");
	talk_end();
}

/* (2.5): at most a minute. */
static void ceiling(void)
{
	int64_t wait_ns;

	opens(0);
	writes(500);
	tx("A 1:501");
	for (wait_ns = 200 * MS; wait_ns < 60 * SECOND; wait_ns *= 2)
		tx_after(wait_ns - MS, wait_ns + MS, "A 1:501");
	tx_after(60 * SECOND - MS, 60 * SECOND + MS, "A 1:501");
	tx_after(60 * SECOND - MS, 60 * SECOND + MS, "A 1:501");
	talk_end();
}

/* (5.7): a SYN that was lost makes the first timeout three seconds. */
static void careful(void)
{
	talk_begin();
	dials();
	tx("S 0");
	tx_after(990 * MS, 1010 * MS, "S 0");
	pass(10 * MS);
	rx("SA 0 ack 1 win 65535 <mss 1000>");
	tx("A 1");
	writes(1000);
	tx("A 1:1001");
	tx_after(2990 * MS, 3010 * MS, "A 1:1001");
	talk_end();
}

static const struct suite_case cases[] = {
	{"2.5 ceiling", ceiling},
	{"5.7 careful", careful},
	{"2.1 SYN", syn},
	{"2.2 first measurement", first_measurement},
	{"2.3 next measurement", next_measurement},
	{"2.4 floor of the profile", floor_of_profile},
	{"5.3 restarted", restarted},
	{"5.5 back off", back_off},
	{"3 Karn", karn},
	{"5681 3.1 slow start", slow_start},
	{"9293 3.9.1.2 put together", put_together},
	{"9293 3.8.3 gives up", gives_up},
	{"9293 3.5 SYN again", syn_again},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return talk_main("tcp rto", cases, argc, argv);
}
