/* SPDX-License-Identifier: BSD-3-Clause
 * What a stranger cannot do: blind resets, SYNs and text (RFC 5961), limits that tell nothing
 * (RFC 5961 section 10, CVE-2016-5696), numbers that nobody guesses (RFC 6528).
 */
#include <errno.h>

#include "tcp-lite/tcp_inside.h"
#include "tests/tcp-lite/talk.h"

/* ---- RST, SYN, ACK -------------------------------------------------------------------------- */

static void reset_only_at_rcv_nxt(void)
{
	talk_begin();
	accepts("mss 1000");
	rx("R 2");
	tx("A 1 ack 1");
	state("ESTABLISHED");
	rx("R 1");
	no_tx();
	event(PERCH_FLOW_FAILED | PERCH_FLOW_READABLE | PERCH_FLOW_WRITABLE);
	check(perch_tcp_error(talk.c) == -ECONNRESET);
	talk_end();
}

/* The window moves with what was read, and so does what counts as outside. */
static void reset_outside_is_silent(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.rcvbuf_bytes = 4000;
	talk_begin_with(&cfg);
	accepts("mss 1000");
	dropped(tcp_bad_rst, "R 4001");
	no_tx();
	rx("R 4000");
	tx("A 1 ack 1");
	talk_end();
}

static void reset_with_closed_window(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.rcvbuf_bytes = 1000;
	talk_begin_with(&cfg);
	accepts("mss 1000");
	rx("A 1:1001 ack 1");
	tx("A 1 ack 1001 win 0");
	dropped(tcp_bad_rst, "R 1002");
	no_tx();
	rx("R 1001");
	state("CLOSED");
	talk_end();
}

static void reset_while_acks_wait(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.delack_ns = 40 * MS;
	talk_begin_with(&cfg);
	accepts("mss 1000");
	rx("A 1:101 ack 1"); /* RCV.NXT is 101, and the peer has not been told */
	dropped(tcp_bad_rst, "R 1");
	dropped(tcp_bad_rst, "R 100");
	no_tx();
	state("ESTABLISHED");
	rx("R 101");
	state("CLOSED");
	talk_end();
}

/* RFC 5961 section 4.1: a peer that has forgotten us resets what it does not know and is let in. */
static void rebooted_peer(void)
{
	talk_begin();
	accepts("mss 1000");
	dropped(tcp_bad_syn, "S 5000000");
	tx("A 1 ack 1");
	rx("R 1");
	event(PERCH_FLOW_FAILED | PERCH_FLOW_READABLE | PERCH_FLOW_WRITABLE);
	rx("S 5000000");
	tx("SA 0 ack 5000001");
	talk_end();
}

static void rebooted_peer_half_open(void)
{
	talk_begin();
	listens();
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1");
	rx("S 5000000 <mss 1000>");
	tx("A 1 ack 1");
	rx("R 1");
	no_tx();
	gone();
	rx("S 5000000 <mss 1000>");
	tx("SA 0 ack 5000001");
	rx("A 5000001 ack 1");
	event(PERCH_FLOW_ACCEPTED);
	talk_end();
}

static void ack_as_old_as_the_window(void)
{
	talk_begin();
	accepts("mss 1000");
	writes(3000);
	forget_tx();
	rx("A 1 ack 3001 win 2000");
	ignored("A 1 ack -62534 win 2000"); /* SND.UNA - MAX.SND.WND: 3001 - 65535 */
	dropped(tcp_bad_ack, "A 1 ack -62535 win 2000");
	tx("A 3001 ack 1");
	pass(SECOND);
	dropped(tcp_bad_ack, "A 1 ack 3002 win 2000");
	tx("A 3001 ack 1");
	talk_end();
}

static void injected_text(void)
{
	talk_begin();
	accepts("mss 1000");
	dropped(tcp_bad_ack, "PA 1:11 ack 100000");
	tx("A 1 ack 1");
	dropped(tcp_bad_ack, "PA 1:11 ack -70000");
	no_tx();
	check(perch_tcp_readable(talk.c) == 0);
	event(0);
	talk_end();
}

/* MAX.SND.WND of a scaled window. */
static void ack_range_is_scaled(void)
{
	talk_begin();
	accepts("mss 1000,scale 4");
	rx("A 1 ack 1 win 60000");
	ignored("A 1 ack -959998 win 60000");
	dropped(tcp_bad_ack, "A 1 ack -1048560 win 60000");
	tx("A 1 ack 1");
	talk_end();
}

/* ---- limits --------------------------------------------------------------------------------- */

static void a_challenge_per_half_second(void)
{
	talk_begin();
	accepts("mss 1000");
	rx("R 2");
	tx("A 1 ack 1");
	ignored("R 2");
	pass(499 * MS);
	ignored("S 77");
	ignored("A 1 ack 5000");
	check(DROPS(tcp_challenge_limited) == 3);
	pass(MS);
	rx("R 2");
	tx("A 1 ack 1");
	check(perch_tcp_counters(talk.net)->challenge_acks == 2);
	talk_end();
}

/* CVE-2016-5696: whatever is forged for one connection, others are challenged as before. */
static void others_see_nothing_of_it(void)
{
	struct talk first;
	int i;

	talk_begin();
	accepts("mss 1000");
	first = talk;
	accepts_another();
	for (i = 0; i < 3000; i++)
		rx("R 9");
	check(forget_tx() == 1);
	turn_to(&first);
	rx("R 9");
	tx("A 1 ack 1");
	talk_end();
}

/* When this second's are used up for all, nobody gets one. */
static void challenges_of_all_are_limited(void)
{
	talk_begin();
	accepts("mss 1000");
	talk.net->tcp->challenges = (struct perch_tcp_limit){talk.now_ns + SECOND, 1};
	rx("R 9");
	tx("A 1 ack 1");
	pass(600 * MS);
	ignored("R 9");
	check(DROPS(tcp_challenge_limited) == 1);
	pass(600 * MS);
	rx("R 9");
	tx("A 1 ack 1");
	talk_end();
}

static void limits_are_drawn_anew(void)
{
	struct perch_tcp_limit limit = {.until_ns = 0};
	unsigned counts[20], i, k, distinct = 0;

	talk_begin();
	for (i = 0; i < 20; i++) {
		talk.net->now_ns += SECOND;
		for (counts[i] = 0; perch_tcp_limit_take(talk.net, &limit, 1000); counts[i]++)
			;
		CU_ASSERT(counts[i] >= 500 && counts[i] < 1500);
		for (k = 0; k < i && counts[k] != counts[i]; k++)
			;
		distinct += k == i;
	}
	CU_ASSERT(distinct > 15);
	talk_end();
}

static unsigned resets_in_a_second(void)
{
	uint64_t before = perch_tcp_counters(talk.net)->reset_sent;
	int i;

	for (i = 0; i < 2000; i++) {
		rx("S 0");
		if (i % 100 == 0)
			forget_tx();
	}
	forget_tx();
	pass(SECOND);
	return (unsigned)(perch_tcp_counters(talk.net)->reset_sent - before);
}

static void resets_are_limited(void)
{
	unsigned first, n, i, others = 0;

	talk_begin();
	first = resets_in_a_second();
	check(first >= 500 && first < 1500);
	for (i = 0; i < 3; i++) {
		n = resets_in_a_second();
		check(n >= 500 && n < 1500);
		others += n != first;
	}
	check(others > 0);
	talk_end();
}

/* Two ends that have lost each other's numbers answer each ACK with an ACK. */
static void an_ack_storm_dies(void)
{
	talk_begin();
	accepts("mss 1000");
	rx("A 100000 ack 1");
	tx("A 1 ack 1");
	ignored("A 100000 ack 1");
	pass(9 * MS);
	ignored("A 100000 ack 1");
	pass(MS);
	rx("A 100000 ack 1");
	tx("A 1 ack 1");
	rx("A 100000:100001 ack 1"); /* text is no echo */
	tx("A 1 ack 1");
	talk_end();
}

/* ---- RFC 6528 ------------------------------------------------------------------------------- */

static struct perch_tcp_numbers numbers(const char *laddr, const char *raddr, uint16_t lport,
	uint16_t rport)
{
	struct perch_ip l = packets_ip(laddr), r = packets_ip(raddr);

	return perch_tcp_numbers(talk.net, &(struct perch_tuple){&l, &r, lport, rport});
}

static void isn_clock(void)
{
	struct perch_tcp_numbers first, later;

	talk_begin();
	first = numbers("10.0.0.1", "10.0.0.2", 80, 4000);
	talk.net->now_ns += 4000;
	later = numbers("10.0.0.1", "10.0.0.2", 80, 4000);
	check(later.isn == first.isn + 1);
	talk.net->now_ns += SECOND;
	later = numbers("10.0.0.1", "10.0.0.2", 80, 4000);
	check(later.isn == first.isn + 250001);
	check(later.ts_offset == first.ts_offset);
	talk_end();
}

static void isn_of_each_tuple(void)
{
	struct perch_tcp_numbers n[6];
	int i, k;

	talk_begin();
	n[0] = numbers("10.0.0.1", "10.0.0.2", 80, 4000);
	n[1] = numbers("10.0.0.3", "10.0.0.2", 80, 4000);
	n[2] = numbers("10.0.0.1", "10.0.0.3", 80, 4000);
	n[3] = numbers("10.0.0.1", "10.0.0.2", 81, 4000);
	n[4] = numbers("10.0.0.1", "10.0.0.2", 80, 4001);
	n[5] = numbers("10.0.0.2", "10.0.0.1", 4000, 80);
	for (i = 0; i < 6; i++)
		for (k = 0; k < i; k++)
			CU_ASSERT(n[i].isn != n[k].isn && n[i].ts_offset != n[k].ts_offset);
	talk_end();
}

static void isn_is_keyed(void)
{
	struct perch_net_config cfg = talk_config();
	struct perch_tcp_numbers first, other;

	talk_begin();
	first = numbers("10.0.0.1", "10.0.0.2", 80, 4000);
	talk_end();
	cfg.secret[15] ^= 1;
	talk_begin_with(&cfg);
	other = numbers("10.0.0.1", "10.0.0.2", 80, 4000);
	check(first.isn != other.isn && first.ts_offset != other.ts_offset);
	talk_end();
}

static void isn_on_the_wire(void)
{
	talk_begin();
	dials();
	tx("S 0");
	check(talk.our_isn == (talk.v6 ? numbers("fd00::1", "fd00::2", 80, 4000)
	                               : numbers("10.0.0.1", "10.0.0.2", 80, 4000)).isn);
	talk_end();
}

static const struct suite_case cases[] = {
	{"5961 3.2 RST only at RCV.NXT", reset_only_at_rcv_nxt},
	{"5961 3.2 RST outside the window is silent", reset_outside_is_silent},
	{"5961 3.2 RST with a closed window", reset_with_closed_window},
	{"5961 3.2 RST while ACKs wait", reset_while_acks_wait},
	{"5961 4.1 rebooted peer", rebooted_peer},
	{"5961 4.1 rebooted peer, half-open", rebooted_peer_half_open},
	{"5961 5.2 ACK as old as the window", ack_as_old_as_the_window},
	{"5961 5.2 injected text", injected_text},
	{"5961 5.2 the range is scaled", ack_range_is_scaled},
	{"5961 7 a challenge per half second", a_challenge_per_half_second},
	{"5961 10 other connections see nothing of it", others_see_nothing_of_it},
	{"5961 10 challenges of all are limited", challenges_of_all_are_limited},
	{"5961 10 limits are drawn anew", limits_are_drawn_anew},
	{"5961 10 RSTs are limited", resets_are_limited},
	{"5961 an ACK storm dies", an_ack_storm_dies},
	{"6528 3 clock", isn_clock},
	{"6528 3 each tuple", isn_of_each_tuple},
	{"6528 3 keyed", isn_is_keyed},
	{"6528 3 on the wire", isn_on_the_wire},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return talk_main("tcp 5961", cases, argc, argv);
}
