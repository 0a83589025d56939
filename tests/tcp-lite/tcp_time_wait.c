/* SPDX-License-Identifier: BSD-3-Clause
 * TIME-WAIT: how long, what ends it, what does not (RFC 9293 section 3.6.1, RFC 1337), and who may
 * come back before (RFC 6191, RFC 1122 section 4.2.2.13).
 */
#include <errno.h>

#include "tests/tcp-lite/talk.h"

/* We have closed first: SND.NXT is 2, RCV.NXT is 2. */
static void wait_after(const char *syn_options)
{
	accepts(syn_options);
	perch_tcp_close(talk.net, talk.c);
	tx("FA 1 ack 1");
	rx("A 1 ack 2");
	rx("FA 1 ack 2");
	tx("A 2 ack 2");
	state("TIME-WAIT");
}

static void begin_wait(const char *syn_options)
{
	talk_begin();
	wait_after(syn_options);
}

static void two_msl(void)
{
	begin_wait("mss 1000");
	no_tx_until(60 * SECOND - MS);
	state("TIME-WAIT");
	check(perch_tcp_counters(talk.net)->time_wait == 1);
	no_tx_until(MS);
	gone();
	check(perch_tcp_counters(talk.net)->time_wait == 0);
	talk_end();
}

static void two_msl_as_configured(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.time_wait_ns = 2 * SECOND;
	talk_begin_with(&cfg);
	wait_after("mss 1000");
	no_tx_until(2 * SECOND - MS);
	state("TIME-WAIT");
	no_tx_until(MS);
	gone();
	talk_end();
}

/* RFC 9293 section 3.10.7.4: a FIN again is acknowledged again, and the 2 MSL begin anew. */
static void fin_again(void)
{
	begin_wait("mss 1000");
	pass(50 * SECOND);
	rx("FA 1 ack 2");
	tx("A 2 ack 2");
	no_tx_until(60 * SECOND - MS);
	state("TIME-WAIT");
	no_tx_until(MS);
	gone();
	talk_end();
}

static void other_segments_do_not_prolong_it(void)
{
	begin_wait("mss 1000");
	pass(50 * SECOND);
	rx("A 1:2 ack 2");
	tx("A 2 ack 2");
	rx("A 2 ack 2");
	no_tx();
	pass(10 * SECOND);
	gone();
	talk_end();
}

/* RFC 1337 section 3: neither hazard. */
static void reset_does_not_end_it(void)
{
	begin_wait("mss 1000");
	dropped(tcp_bad_rst, "R 2");
	dropped(tcp_bad_rst, "RA 2 ack 2");
	state("TIME-WAIT");
	no_tx_until(60 * SECOND - MS);
	state("TIME-WAIT");
	talk_end();
}

static void old_duplicate_text(void)
{
	begin_wait("mss 1000");
	dropped(tcp_duplicate, "PA 1:2 ack 1");
	tx("A 2 ack 2");
	dropped(tcp_out_of_window, "PA 90000:90100 ack 2");
	tx("A 2 ack 2");
	dropped(tcp_duplicate, "PA 2:12 ack 2");
	tx("A 2 ack 2");
	state("TIME-WAIT");
	talk_end();
}

/* ---- SYNs ----------------------------------------------------------------------------------- */

/* It comes back from `isn`, by the old numbers, and is a connection like any other. */
static void comes_back(const char *syn, const char *syn_ack)
{
	uint32_t end = talk.our_isn + 2, isn;

	rx(syn);
	tx(syn_ack);
	isn = talk.our_isn;
	check((int32_t)(isn - end) > 0); /* RFC 1122 section 4.2.2.13 (b) */
	check(perch_tcp_counters(talk.net)->time_wait == 0);
	check(perch_tcp_counters(talk.net)->flows == 1);
}

static void newer_number(void)
{
	begin_wait("mss 1000");
	comes_back("S 3 <mss 1000>", "SA 0 ack 4 <mss full>");
	rx("A 4 ack 1");
	event(PERCH_FLOW_ACCEPTED);
	rx("A 4 ack 1");
	no_tx();
	state("ESTABLISHED");
	talk_end();
}

static void same_number(void)
{
	begin_wait("mss 1000");
	dropped(tcp_bad_syn, "S 2 <mss 1000>");
	tx("A 2 ack 2");
	state("TIME-WAIT");
	talk_end();
}

static void older_number(void)
{
	begin_wait("mss 1000");
	dropped(tcp_bad_syn, "S -100 <mss 1000>");
	tx("A 2 ack 2");
	state("TIME-WAIT");
	talk_end();
}

static void newer_time(void)
{
	begin_wait("mss 1000,ts 100 0");
	comes_back("S -5000 <mss 1000,ts 101 0>", "SA 0 ack -4999 <mss full,ts 0 101>");
	talk_end();
}

static void same_time_newer_number(void)
{
	begin_wait("mss 1000,ts 100 0");
	comes_back("S 3 <mss 1000,ts 100 0>", "SA 0 ack 4 <mss full,ts 0 100>");
	talk_end();
}

static void same_time_older_number(void)
{
	begin_wait("mss 1000,ts 100 0");
	dropped(tcp_bad_syn, "S -3 <mss 1000,ts 100 0>");
	tx("A 2 ack 2");
	talk_end();
}

static void older_time_newer_number(void)
{
	begin_wait("mss 1000,ts 100 0");
	dropped(tcp_bad_syn, "S 70000 <mss 1000,ts 99 0>");
	tx("A 2 ack 2");
	state("TIME-WAIT");
	talk_end();
}

static void no_more_timestamps(void)
{
	begin_wait("mss 1000,ts 100 0");
	dropped(tcp_bad_syn, "S -3 <mss 1000>");
	tx("A 2 ack 2");
	comes_back("S 3 <mss 1000>", "SA 0 ack 4 <mss full>");
	talk_end();
}

static void timestamps_now(void)
{
	begin_wait("mss 1000");
	comes_back("S -70000 <mss 1000,ts 1 0>", "SA 0 ack -69999 <mss full,ts 0 1>");
	talk_end();
}

static void syn_ack_is_no_way_back(void)
{
	begin_wait("mss 1000");
	dropped(tcp_bad_syn, "SA 3 ack 2");
	tx("A 2 ack 2");
	state("TIME-WAIT");
	talk_end();
}

/* A stream that was faster than the clock of ISNs (RFC 1122 section 4.2.2.13 (b)). */
static void faster_than_the_clock(void)
{
	uint32_t old_isn;

	talk_begin();
	accepts("mss 1000,scale 5");
	old_isn = talk.our_isn;
	rx("A 1 ack 1 win 65535");
	while (talk.written < 3000000) {
		char ack[64];

		writes(10000);
		forget_tx();
		snprintf(ack, sizeof(ack), "A 1 ack %u win 65535", talk.ack_due);
		while (talk.ack_due < talk.written + 1) {
			rx(ack);
			forget_tx();
			snprintf(ack, sizeof(ack), "A 1 ack %u win 65535", talk.ack_due);
		}
		rx(ack);
	}
	perch_tcp_close(talk.net, talk.c);
	tx("FA 3000001");
	rx("FA 1");
	tx("A 3000002 ack 2");
	state("TIME-WAIT");
	rx("S 3 <mss 1000>");
	tx("SA 0 ack 4");
	check(talk.our_isn - old_isn > 3000002);
	rx("A 4 ack 1");
	event(PERCH_FLOW_ACCEPTED);
	talk_end();
}

static void nobody_listens_any_more(void)
{
	const struct perch_ip any = {.d = {0, 0}};

	begin_wait("mss 1000");
	perch_tcp_unlisten(talk.net, &any, 80);
	talk.our_isn = 0;
	rx("S 3 <mss 1000>");
	tx("RA 0 ack 4");
	gone();
	talk_end();
}

/* ---- room ----------------------------------------------------------------------------------- */

static void oldest_makes_room(void)
{
	struct perch_net_config cfg = talk_config();
	struct talk first;
	int i;

	cfg.max_flows = 3;
	talk_begin_with(&cfg);
	wait_after("mss 1000");
	first = talk;
	for (i = 1; i <= 3; i++) {
		talk.peer_port = (uint16_t)(4000 + i);
		talk.ack_due = 0;
		rx("S 0 <mss 1000>");
		tx("SA 0 ack 1");
		rx("A 1 ack 1");
		event(PERCH_FLOW_ACCEPTED);
		if (i == 3)
			break;
		perch_tcp_close(talk.net, talk.c);
		tx("FA 1");
		rx("FA 1 ack 2");
		tx("A 2 ack 2");
		pass(SECOND);
	}
	check(DROPS(tcp_timewait_reused) == 1);
	check(perch_tcp_counters(talk.net)->time_wait == 2);
	turn_to(&first);
	rx("FA 1 ack 2"); /* it is the first that has gone */
	tx("R 2");
	talk_end();
}

/* One that the layer above still holds is not taken from under it. */
static void held_ones_stay(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.max_flows = 1;
	talk_begin_with(&cfg);
	accepts("mss 1000");
	perch_tcp_shutdown(talk.net, talk.c);
	tx("FA 1");
	rx("FA 1 ack 2");
	tx("A 2 ack 2");
	state("TIME-WAIT");
	talk.peer_port = 4001;
	rx("S 0 <mss 1000>");
	no_tx();
	check(DROPS(tcp_flow_table_full) == 1);
	perch_tcp_close(talk.net, talk.c);
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1");
	check(DROPS(tcp_timewait_reused) == 1);
	talk_end();
}

/* The layer above holds it for longer than it waits. */
static void held_longer_than_2_msl(void)
{
	talk_begin();
	accepts("mss 1000");
	perch_tcp_shutdown(talk.net, talk.c);
	tx("FA 1");
	rx("FPA 1:11 ack 2");
	tx("A 2 ack 12");
	pass(61 * SECOND);
	state("CLOSED");
	check(perch_tcp_error(talk.c) == 0);
	reads(10);
	perch_tcp_close(talk.net, talk.c);
	gone();
	talk_end();
}

static void abort_in_time_wait(void)
{
	talk_begin();
	accepts("mss 1000");
	perch_tcp_shutdown(talk.net, talk.c);
	tx("FA 1");
	rx("FPA 1:11 ack 2");
	tx("A 2 ack 12");
	perch_tcp_abort(talk.net, talk.c);
	no_tx();
	check(perch_tcp_counters(talk.net)->time_wait == 1);
	pass(60 * SECOND);
	gone();
	talk_end();
}

static void simultaneous_close(void)
{
	talk_begin();
	accepts("mss 1000");
	perch_tcp_close(talk.net, talk.c);
	tx("FA 1 ack 1");
	rx("FA 1 ack 1");
	tx("A 2 ack 2");
	state("CLOSING");
	rx("A 2 ack 2");
	state("TIME-WAIT");
	no_tx_until(60 * SECOND);
	gone();
	talk_end();
}

static void dialling_its_tuple(void)
{
	struct perch_ip us, peer;
	struct perch_tcb *c;

	begin_wait("mss 1000");
	us = packets_ip(talk.v6 ? "fd00::1" : "10.0.0.1");
	peer = packets_ip(talk.v6 ? "fd00::2" : "10.0.0.2");
	check(perch_tcp_connect(talk.net, &us, 80, &peer, 4000, talk.now_ns, &c) == -EADDRINUSE);
	pass(60 * SECOND);
	check(perch_tcp_connect(talk.net, &us, 80, &peer, 4000, talk.now_ns, &c) == 0);
	talk_end();
}

static const struct suite_case cases[] = {
	{"3.6.1 two MSL", two_msl},
	{"3.6.1 two MSL as configured", two_msl_as_configured},
	{"3.10.7.4 FIN again", fin_again},
	{"3.10.7.4 other segments do not prolong it", other_segments_do_not_prolong_it},
	{"1337 3 RST does not end it", reset_does_not_end_it},
	{"1337 3 old duplicate text", old_duplicate_text},
	{"6191 2 newer number", newer_number},
	{"6191 2 same number", same_number},
	{"6191 2 older number", older_number},
	{"6191 2 newer time", newer_time},
	{"6191 2 same time, newer number", same_time_newer_number},
	{"6191 2 same time, older number", same_time_older_number},
	{"6191 2 older time, newer number", older_time_newer_number},
	{"6191 2 no more timestamps", no_more_timestamps},
	{"6191 2 timestamps now", timestamps_now},
	{"6191 2 SYN-ACK is no way back", syn_ack_is_no_way_back},
	{"1122 4.2.2.13 faster than the clock", faster_than_the_clock},
	{"6191 2 nobody listens any more", nobody_listens_any_more},
	{"3.6.1 the oldest makes room", oldest_makes_room},
	{"3.6.1 held ones stay", held_ones_stay},
	{"3.6.1 held for longer", held_longer_than_2_msl},
	{"3.10.5 abort", abort_in_time_wait},
	{"3.6 simultaneous close", simultaneous_close},
	{"3.6.1 dialling its tuple", dialling_its_tuple},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return talk_main("tcp time-wait", cases, argc, argv);
}
