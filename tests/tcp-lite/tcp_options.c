/* SPDX-License-Identifier: BSD-3-Clause
 * What SYNs agree on and what segments carry: options (RFC 9293 sections 3.1, 3.2 and 3.7.1),
 * window scale, timestamps and PAWS (RFC 7323).
 */
#include <errno.h>

#include "tests/tcp-lite/talk.h"

static struct perch_tcp_info info(void)
{
	struct perch_tcp_info i;

	perch_tcp_info(talk.net, talk.c, &i);
	return i;
}

/* ---- how options are read ------------------------------------------------------------------- */

static void syn_with(const char *options, const char *answer)
{
	char syn[160];

	talk_begin();
	listens();
	snprintf(syn, sizeof(syn), "S 0 <%s>", options);
	rx(syn);
	tx(answer);
	talk.ts_agreed = strstr(answer, "ts ") != NULL;
	talk.ts_val = 8;
	rx("A 1 ack 1");
	event(PERCH_FLOW_ACCEPTED);
}

static void unknown_ones_are_skipped(void)
{
	syn_with("raw fd06aabbccdd020403e8", "SA 0 ack 1 <mss full>");
	check(info().mss_bytes == 1000);
	talk_end();
}

static void any_alignment(void)
{
	syn_with("raw 01030302010402080a0000000700000000020403e8",
		"SA 0 ack 1 <mss full,scale 3,sackok,ts 0 7>");
	check(info().mss_bytes == 1000 - 12);
	talk_end();
}

static void end_of_list(void)
{
	syn_with("raw 020403e80003030204020000", "SA 0 ack 1 <mss full>");
	talk_end();
}

static void length_zero(void)
{
	syn_with("raw 020403e8fd0003030204020000", "SA 0 ack 1 <mss full>");
	check(info().mss_bytes == 1000);
	talk_end();
}

static void length_one(void)
{
	syn_with("raw 020403e8fd0103030200", "SA 0 ack 1 <mss full>");
	talk_end();
}

static void length_beyond_the_header(void)
{
	syn_with("raw 020403e80308020000000000", "SA 0 ack 1 <mss full>");
	talk_end();
}

static void wrong_lengths(void)
{
	/* mss of 3, scale of 4, SACK-permitted of 3, timestamps of 9: as good as absent */
	syn_with("raw 0203010304020004030008090000000100000000", "SA 0 ack 1 <mss full>");
	check(info().mss_bytes == (talk.v6 ? 1220 : 536));
	talk_end();
}

static void kind_without_length(void)
{
	syn_with("raw 01010102", "SA 0 ack 1 <mss full>");
	check(info().mss_bytes == (talk.v6 ? 1220 : 536));
	talk_end();
}

static void in_any_segment(void)
{
	talk_begin();
	accepts("mss 1000");
	rx("A 1:11 ack 1 <mss 500,scale 3,raw fd04aabb>");
	tx("A 1 ack 11 <>");
	check(info().mss_bytes == 1000); /* those of SYNs mean nothing elsewhere */
	reads(10);
	talk_end();
}

/* ---- MSS ------------------------------------------------------------------------------------ */

static void mss_of_the_peer(void)
{
	talk_begin();
	accepts("mss 700");
	writes(1500);
	tx("A 1:701");
	tx("A 701:1401");
	tx("A 1401:1501");
	talk_end();
}

static void mss_default(void)
{
	talk_begin();
	accepts("sackok");
	check(info().mss_bytes == (talk.v6 ? 1220 : 536));
	talk_end();
}

static void mss_of_dust(void)
{
	talk_begin();
	accepts("mss 1");
	check(info().mss_bytes == 64); /* CVE-2019-11479 */
	talk_end();
}

static void mss_larger_than_ours(void)
{
	talk_begin();
	accepts("mss 9000");
	check(info().mss_bytes == (talk.v6 ? 1440 : 1460));
	talk_end();
}

static void mss_less_timestamps(void)
{
	talk_begin();
	accepts("mss 1000,ts 1 0");
	writes(1500);
	tx("A 1:989");
	tx("A 989:1501");
	talk_end();
}

static void mss_of_a_small_mtu(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.ifs[0].mtu = 1280;
	talk_begin_with(&cfg);
	listens();
	rx("S 0 <mss 9000>");
	tx(talk.v6 ? "SA 0 ack 1 <mss 1220>" : "SA 0 ack 1 <mss 1240>");
	talk_end();
}

static void mss_of_an_active_open(void)
{
	talk_begin();
	connects("mss 800");
	check(info().mss_bytes == 800);
	writes(801);
	tx("A 1:801 <>"); /* no MSS but in SYNs */
	tx("A 801:802 <>");
	talk_end();
}

/* ---- window scale --------------------------------------------------------------------------- */

static void scale_of_both(void)
{
	talk_begin();
	accepts("mss 1000,scale 7");
	rx("A 1 ack 1 win 1000");
	check(info().peer_window_bytes == 65535u << 7); /* old or new? not taken */
	rx("A 1:2 ack 1 win 1000");
	rx("A 2:3 ack 1 win 1001");
	check(info().peer_window_bytes == 1001u << 7);
	/* Scaled by 3: an eighth of the pool is 511 packet buffers of 512 bytes, one is in use. */
	tx("A 1 ack 3 win 32640");
	talk_end();
}

static void scale_is_not_for_syns(void)
{
	talk_begin();
	dials();
	tx("S 0 win 65535");
	rx("SA 0 ack 1 win 1000 <mss 1000,scale 5>");
	check(info().peer_window_bytes == 1000);
	tx("A 1 ack 1");
	talk_end();
}

static void scale_only_if_both(void)
{
	talk_begin();
	connects("mss 1000");
	rx("A 1:2 ack 1 win 1000");
	rx("A 2:3 ack 1 win 1001");
	check(info().peer_window_bytes == 1001);
	tx("A 1 ack 3 win 65533");
	talk_end();
}

static void scale_beyond_14(void)
{
	talk_begin();
	accepts("mss 1000,scale 200");
	rx("A 1:2 ack 1 win 3");
	rx("A 2:3 ack 1 win 2");
	check(info().peer_window_bytes == 2u << 14);
	talk_end();
}

static void scale_as_large_as_the_buffer(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.rcvbuf_bytes = 65535;
	talk_begin_with(&cfg);
	dials();
	tx("S 0 <mss full,scale 0,sackok,ts 0 0>");
	talk_end();
	cfg.rcvbuf_bytes = 65536;
	talk_begin_with(&cfg);
	dials();
	tx("S 0 <mss full,scale 1,sackok,ts 0 0>");
	talk_end();
}

/* ---- timestamps ----------------------------------------------------------------------------- */

static void times_only_if_both(void)
{
	talk_begin();
	connects("mss 1000");
	writes(10);
	tx("A 1:11 <>");
	talk_end();
}

static void times_on_every_segment(void)
{
	talk_begin();
	accepts("mss 1000,ts 50 0");
	talk.ts_val = 51;
	rx("A 1:11 ack 1");
	tx("A 1 ack 11 <ts 0 51>");
	writes(10);
	tx("A 1:11 ack 11 <ts 0 51>");
	perch_tcp_shutdown(talk.net, talk.c);
	tx("FA 11 ack 11 <ts 0 51>");
	talk_end();
}

static void times_are_missing(void)
{
	talk_begin();
	accepts("mss 1000,ts 50 0");
	dropped(tcp_paws, "A 1:11 ack 1 <>");
	no_tx();
	rx("R 1 <>"); /* RFC 7323 section 3.2: a reset may do without */
	state("CLOSED");
	talk_end();
}

/* RFC 7323 section 4.3: the segment that the last ACK left off at says what is echoed. */
static void times_of_the_first_unacknowledged(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.delack_ns = 40 * MS;
	talk_begin_with(&cfg);
	accepts("mss 1000,ts 50 0");
	talk.ts_val = 60;
	rx("A 1:11 ack 1");
	no_tx();
	talk.ts_val = 70;
	rx("A 11:21 ack 1");
	tx("A 1 ack 21 <ts 0 60>"); /* RFC 5681 section 4.2: of the second one at the latest */
	talk_end();
}

static void times_of_early_text(void)
{
	talk_begin();
	accepts("mss 1000,ts 50 0");
	talk.ts_val = 60;
	rx("A 11:21 ack 1");
	tx("A 1 ack 1 <ts 0 50>");
	talk.ts_val = 61;
	rx("A 1:11 ack 1");
	tx("A 1 ack 21 <ts 0 61>");
	talk_end();
}

static void clock_runs_in_ms(void)
{
	uint32_t first;

	talk_begin();
	accepts("mss 1000,ts 50 0");
	rx("A 1:11 ack 1");
	tx("A 1 ack 11");
	first = talk.ts_heard;
	pass(250 * MS);
	rx("A 11:21 ack 1");
	tx("A 1 ack 21");
	check(talk.ts_heard - first == 250);
	talk_end();
}

/* ---- PAWS ----------------------------------------------------------------------------------- */

static void paws_older(void)
{
	talk_begin();
	accepts("mss 1000,ts 50 0");
	dropped(tcp_paws, "A 1:11 ack 1 <ts 49 0>");
	tx("A 1 ack 1 <ts 0 50>");
	check(perch_tcp_readable(talk.c) == 0);
	talk_end();
}

static void paws_same(void)
{
	talk_begin();
	accepts("mss 1000,ts 50 0");
	rx("A 1:11 ack 1 <ts 50 0>");
	tx("A 1 ack 11 <ts 0 50>");
	talk_end();
}

static void paws_wraps(void)
{
	talk_begin();
	accepts("mss 1000,ts 4294967290 0");
	rx("A 1:11 ack 1 <ts 5 0>");
	tx("A 1 ack 11 <ts 0 5>");
	dropped(tcp_paws, "A 11:21 ack 1 <ts 4294967295 0>");
	tx("A 1 ack 11");
	talk_end();
}

static void paws_spares_resets(void)
{
	talk_begin();
	accepts("mss 1000,ts 50 0");
	rx("R 1 <ts 1 0>");
	state("CLOSED");
	talk_end();
}

/* RFC 7323 section 5.5: after 24 days in silence an old clock proves nothing. */
static void paws_expires(void)
{
	talk_begin();
	accepts("mss 1000,ts 50 0");
	talk.now_ns += 24 * 24 * 3600 * SECOND - 66 * SECOND;
	perch_net_tick(talk.net, talk.now_ns);
	dropped(tcp_paws, "A 1:11 ack 1 <ts 49 0>");
	forget_tx();
	talk.now_ns += 132 * SECOND;
	rx("A 1:11 ack 1 <ts 49 0>");
	pass(SECOND);
	forget_tx();
	reads(10);
	talk_end();
}

static void paws_and_old_text(void)
{
	talk_begin();
	accepts("mss 1000,ts 50 0");
	talk.ts_val = 60;
	rx("A 1:11 ack 1");
	tx("A 1 ack 11");
	dropped(tcp_duplicate, "A 1:11 ack 1 <ts 61 0>"); /* sent again */
	tx("A 1 ack 11");
	reads(10);
	talk_end();
}

static void paws_in_closing_states(void)
{
	talk_begin();
	accepts("mss 1000,ts 50 0");
	perch_tcp_shutdown(talk.net, talk.c);
	tx("FA 1 ack 1");
	dropped(tcp_paws, "FA 1 ack 2 <ts 49 0>");
	tx("A 2 ack 1");
	state("FIN-WAIT-1");
	talk_end();
}

static const struct suite_case cases[] = {
	{"3.1 unknown options are skipped", unknown_ones_are_skipped},
	{"3.1 options at any alignment", any_alignment},
	{"3.1 end of list", end_of_list},
	{"3.1 option of length 0", length_zero},
	{"3.1 option of length 1", length_one},
	{"3.1 option beyond the header", length_beyond_the_header},
	{"3.1 options of wrong lengths", wrong_lengths},
	{"3.1 option without length", kind_without_length},
	{"3.1 options in any segment", in_any_segment},
	{"3.7.1 MSS of the peer", mss_of_the_peer},
	{"3.7.1 MSS default", mss_default},
	{"3.7.1 MSS of dust", mss_of_dust},
	{"3.7.1 MSS larger than ours", mss_larger_than_ours},
	{"3.7.1 MSS less timestamps", mss_less_timestamps},
	{"3.7.1 MSS of a small MTU", mss_of_a_small_mtu},
	{"3.7.1 MSS of an active open", mss_of_an_active_open},
	{"7323 2.2 scale of both", scale_of_both},
	{"7323 2.2 scale is not for SYNs", scale_is_not_for_syns},
	{"7323 2.2 scale only if both", scale_only_if_both},
	{"7323 2.3 scale beyond 14", scale_beyond_14},
	{"7323 2.3 scale as large as the buffer", scale_as_large_as_the_buffer},
	{"7323 3.2 timestamps only if both", times_only_if_both},
	{"7323 3.2 timestamps on every segment", times_on_every_segment},
	{"7323 3.2 timestamps are missing", times_are_missing},
	{"7323 4.3 of the first unacknowledged", times_of_the_first_unacknowledged},
	{"7323 4.3 of early text", times_of_early_text},
	{"7323 5.4 clock runs in ms", clock_runs_in_ms},
	{"7323 5.3 older", paws_older},
	{"7323 5.3 same", paws_same},
	{"7323 5.3 wraps", paws_wraps},
	{"7323 5.2 spares resets", paws_spares_resets},
	{"7323 5.5 expires", paws_expires},
	{"7323 5.3 and old text", paws_and_old_text},
	{"7323 5.3 in closing states", paws_in_closing_states},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return talk_main("tcp options", cases, argc, argv);
}
