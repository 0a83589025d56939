/* SPDX-License-Identifier: BSD-3-Clause
 * Text in both directions: order, overlaps, SACK as its receiver (RFC 2018), delayed ACKs, and the
 * windows (RFC 9293 sections 3.8.6 and 3.10.7.4).
 */
#include <errno.h>

#include "tests/tcp-lite/talk.h"

static void begin(void)
{
	talk_begin();
	accepts("mss 1000");
}

/* ---- receiving ------------------------------------------------------------------------------ */

static void one_ack_for_a_burst(void)
{
	begin();
	hold();
	rx("A 1:501 ack 1");
	rx("A 501:1001 ack 1");
	rx("A 1001:1501 ack 1");
	release();
	tx("A 1 ack 1501");
	no_tx();
	event(PERCH_FLOW_READABLE);
	reads(1500);
	talk_end();
}

static void early_text_is_kept(void)
{
	begin();
	rx("A 101:201 ack 1");
	tx("A 1 ack 1");
	rx("A 301:401 ack 1");
	tx("A 1 ack 1");
	rx("A 201:301 ack 1");
	tx("A 1 ack 1");
	rx("A 1:101 ack 1");
	tx("A 1 ack 401");
	reads(400);
	talk_end();
}

static void a_duplicate_ack_for_each(void)
{
	begin();
	hold();
	rx("A 101:201 ack 1");
	rx("A 201:301 ack 1");
	rx("A 301:401 ack 1");
	release();
	tx("A 1 ack 1"); /* RFC 5681 section 4.2: the peer counts them */
	tx("A 1 ack 1");
	tx("A 1 ack 1");
	no_tx();
	talk_end();
}

static void hole_filled_in_part(void)
{
	begin();
	rx("A 201:301 ack 1");
	tx("A 1 ack 1");
	rx("A 1:101 ack 1");
	tx("A 1 ack 101");
	rx("A 101:201 ack 1");
	tx("A 1 ack 301");
	reads(300);
	talk_end();
}

static void overlap(const char *first, const char *second, const char *third, uint32_t n)
{
	char ack[32];

	begin();
	rx(first);
	rx(second);
	forget_tx();
	rx(third);
	snprintf(ack, sizeof(ack), "A 1 ack %u", n + 1);
	tx(ack);
	reads(n);
	talk_end();
}

static void overlap_left(void)
{
	overlap("A 101:201 ack 1", "A 51:151 ack 1", "A 1:51 ack 1", 200);
}

static void overlap_right(void)
{
	overlap("A 101:201 ack 1", "A 151:251 ack 1", "A 1:101 ack 1", 250);
}

static void overlap_within(void)
{
	overlap("A 101:301 ack 1", "A 151:201 ack 1", "A 1:101 ack 1", 300);
}

/* What lies beyond the one that came first is taken when it is sent again. */
static void overlap_around(void)
{
	begin();
	rx("A 151:201 ack 1");
	rx("A 101:301 ack 1");
	forget_tx();
	rx("A 1:101 ack 1");
	tx("A 1 ack 201");
	rx("A 201:301 ack 1");
	tx("A 1 ack 301");
	reads(300);
	talk_end();
}

static void overlap_of_in_order(void)
{
	overlap("A 101:201 ack 1", "A 301:401 ack 1", "A 1:351 ack 1", 400);
}

static void the_same_again(void)
{
	begin();
	rx("A 1:101 ack 1");
	tx("A 1 ack 101");
	dropped(tcp_duplicate, "A 1:101 ack 1");
	tx("A 1 ack 101");
	rx("A 51:151 ack 1");
	tx("A 1 ack 151");
	reads(150);
	talk_end();
}

static void beyond_the_window_is_cut(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.rcvbuf_bytes = 1000;
	talk_begin_with(&cfg);
	accepts("mss 1000");
	rx("A 1:1201 ack 1");
	tx("A 1 ack 1001 win 0");
	reads(1000);
	tx("A 1 ack 1001 win 1000");
	talk_end();
}

static void fin_beyond_the_window_is_cut(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.rcvbuf_bytes = 1000;
	talk_begin_with(&cfg);
	accepts("mss 1000");
	rx("FA 1:1201 ack 1");
	tx("A 1 ack 1001 win 0");
	state("ESTABLISHED");
	talk_end();
}

/* The farthest bytes give way, lest they keep out what they wait for. */
static void nearest_are_kept(void)
{
	char seg[40];
	int i, step;

	for (step = 1; step <= 2; step++) { /* a run of many; runs of one each */
		begin();
		for (i = 0; i < 400; i++) {
			snprintf(seg, sizeof(seg), "A %d:%d ack 1", 2001 + step * i,
				2002 + step * i);
			rx(seg);
		}
		check(DROPS(tcp_reassembly_full) > 0);
		for (i = 0; i < 100; i++) {
			snprintf(seg, sizeof(seg), "A %d:%d ack 1", 2 + 2 * i, 3 + 2 * i);
			rx(seg);
		}
		forget_tx();
		for (i = 0; i < 100; i++) {
			snprintf(seg, sizeof(seg), "A %d:%d ack 1", 1 + 2 * i, 2 + 2 * i);
			rx(seg);
		}
		rx("A 201:211 ack 1");
		forget_tx();
		rx("A 211:221 ack 1");
		tx("A 1 ack 221");
		reads(220);
		talk_end();
	}
}

static void reassembly_is_bounded(void)
{
	char seg[40];
	int i;

	begin();
	for (i = 0; i < 400; i++) {
		snprintf(seg, sizeof(seg), "A %d:%d ack 1", 3 + 2 * i, 4 + 2 * i);
		rx(seg);
	}
	forget_tx();
	check(DROPS(tcp_reassembly_full) > 0);
	rx("A 1:901 ack 1");
	tx("A 1 ack 901");
	reads(900);
	talk_end();
}

static void urgent_text_is_text(void)
{
	begin();
	rx("UA 1:11 ack 1 urg 10");
	tx("A 1 ack 11");
	reads(10);
	rx("UA 11 ack 1 urg 60000"); /* a pointer to what has not come */
	no_tx();
	talk_end();
}

/* ---- SACK ----------------------------------------------------------------------------------- */

static void sack_the_latest_first(void)
{
	talk_begin();
	accepts("mss 1000,sackok");
	rx("A 101:201 ack 1");
	tx("A 1 ack 1 <sack 101:201>");
	rx("A 501:601 ack 1");
	tx("A 1 ack 1 <sack 501:601 101:201>");
	rx("A 301:401 ack 1");
	tx("A 1 ack 1 <sack 301:401 501:601 101:201>");
	rx("A 201:301 ack 1");
	tx("A 1 ack 1 <sack 101:401 501:601>");
	rx("A 1:101 ack 1");
	tx("A 1 ack 401 <sack 501:601>");
	rx("A 401:501 ack 1");
	tx("A 1 ack 601 <>");
	reads(600);
	talk_end();
}

static void sack_four_blocks(void)
{
	talk_begin();
	accepts("mss 1000,sackok");
	rx("A 101:201 ack 1");
	rx("A 301:401 ack 1");
	rx("A 501:601 ack 1");
	rx("A 701:801 ack 1");
	rx("A 901:1001 ack 1");
	tx("A 1 ack 1");
	tx("A 1 ack 1");
	tx("A 1 ack 1");
	tx("A 1 ack 1");
	tx("A 1 ack 1 <sack 901:1001 701:801 501:601 301:401>");
	talk_end();
}

static void sack_three_beside_timestamps(void)
{
	talk_begin();
	accepts("mss 1000,sackok,ts 9 0");
	rx("A 101:201 ack 1");
	rx("A 301:401 ack 1");
	rx("A 501:601 ack 1");
	rx("A 701:801 ack 1");
	tx("A 1 ack 1");
	tx("A 1 ack 1");
	tx("A 1 ack 1");
	tx("A 1 ack 1 <ts 0 9,sack 701:801 501:601 301:401>");
	talk_end();
}

static void sack_only_if_agreed(void)
{
	begin();
	rx("A 101:201 ack 1");
	tx("A 1 ack 1 <>");
	talk_end();
}

/* ---- delayed ACKs --------------------------------------------------------------------------- */

static void begin_delayed(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.delack_ns = 40 * MS;
	talk_begin_with(&cfg);
	accepts("mss 1000");
}

static void delayed(void)
{
	begin_delayed();
	rx("A 1:501 ack 1");
	no_tx_until(39 * MS);
	tx_after(0, 2 * MS, "A 1 ack 501");
	no_tx_until(SECOND);
	talk_end();
}

static void every_second_full_segment(void)
{
	begin_delayed();
	rx("A 1:1001 ack 1");
	no_tx();
	rx("A 1001:2001 ack 1");
	tx("A 1 ack 2001");
	no_tx_until(SECOND);
	talk_end();
}

static void rides_on_text(void)
{
	begin_delayed();
	rx("A 1:11 ack 1");
	no_tx();
	writes(10);
	tx("A 1:11 ack 11");
	no_tx_until(100 * MS);
	talk_end();
}

static void early_text_does_not_wait(void)
{
	begin_delayed();
	rx("A 101:201 ack 1");
	tx("A 1 ack 1");
	rx("A 1:101 ack 1");
	tx("A 1 ack 201"); /* a hole was filled */
	talk_end();
}

static void fin_does_not_wait(void)
{
	begin_delayed();
	rx("FPA 1:11 ack 1");
	tx("A 1 ack 12");
	talk_end();
}

/* ---- sending -------------------------------------------------------------------------------- */

static void small_writes_are_put_together(void)
{
	begin();
	writes(10);
	writes(20);
	writes(5);
	tx("PA 1:36 ack 1");
	no_tx();
	writes(5); /* Nagle does not hold it */
	tx("PA 36:41 ack 1");
	talk_end();
}

static void in_full_segments(void)
{
	begin();
	writes(999);
	writes(999);
	writes(999);
	tx("A 1:1001");
	tx("A 1001:2001");
	tx("A 2001:2998");
	talk_end();
}

static void no_more_than_the_window(void)
{
	talk_begin();
	accepts_window(1500, "mss 1000");
	writes(5000);
	tx("A 1:1001");
	no_tx(); /* 500 of 1,500 are no worthwhile step: section 3.8.6.2.1 */
	rx("A 1 ack 1001 win 1500");
	tx("A 1001:2001");
	no_tx();
	rx("A 1 ack 2001 win 3000");
	tx("A 2001:3001");
	tx("A 3001:4001");
	tx("A 4001:5001");
	talk_end();
}

static void half_of_the_largest_window(void)
{
	talk_begin();
	accepts_window(600, "mss 1000");
	writes(5000);
	tx("A 1:601"); /* it is all that this peer ever offers */
	rx("A 1 ack 601 win 300");
	tx("A 601:901");
	rx("A 1 ack 901 win 299");
	tx("A 901:1001"); /* the rest of a segment that was cut for the sake of the window */
	no_tx();
	rx("A 1 ack 1001 win 299");
	no_tx();
	tx_after(10 * MS, 1100 * MS, "A 1001:1300"); /* the override */
	talk_end();
}

static void window_in_32_bits(void)
{
	struct perch_tcp_info info;

	talk_begin();
	accepts("mss 1000,scale 14");
	rx("A 1:2 ack 1 win 65535");
	perch_tcp_info(talk.net, talk.c, &info);
	check(info.peer_window_bytes == 65535u << 14);
	talk_end();
}

static void send_buffer_is_bounded(void)
{
	static const uint8_t bytes[20000];
	struct perch_net_config cfg = talk_config();

	cfg.sndbuf_bytes = 10000;
	talk_begin_with(&cfg);
	accepts_window(1000, "mss 1000");
	check(perch_tcp_write(talk.net, talk.c, bytes, 20000) == 10000);
	check(perch_tcp_write(talk.net, talk.c, bytes, 1) == 0);
	event(0);
	forget_tx();
	rx("A 1 ack 1001 win 9000");
	event(0); /* a quarter must be free */
	forget_tx();
	rx("A 1 ack 4001 win 9000");
	event(PERCH_FLOW_WRITABLE);
	check(perch_tcp_writable(talk.net, talk.c) == 4000);
	talk_end();
}

/* ---- our window ----------------------------------------------------------------------------- */

static void begin_buffer(uint32_t bytes)
{
	struct perch_net_config cfg = talk_config();

	cfg.rcvbuf_bytes = bytes;
	talk_begin_with(&cfg);
	accepts("mss 1000");
}

static void the_edge_stays(void)
{
	begin_buffer(10000);
	rx("A 1:1001 ack 1");
	tx("A 1 ack 1001 win 9000");
	rx("A 1001:2001 ack 1");
	tx("A 1 ack 2001 win 8000");
	talk_end();
}

static void the_edge_moves_by_worthwhile_steps(void)
{
	begin_buffer(10000);
	rx("A 1:1001 ack 1");
	tx("A 1 ack 1001 win 9000");
	reads(999);
	no_tx();
	reads(1);
	tx("A 1 ack 1001 win 10000");
	talk_end();
}

static void a_small_buffer_moves_by_halves(void)
{
	begin_buffer(1000);
	rx("A 1:1001 ack 1");
	tx("A 1 ack 1001 win 0");
	reads(499);
	no_tx();
	reads(1);
	tx("A 1 ack 1001 win 500");
	talk_end();
}

static void closed_window_and_text(void)
{
	begin_buffer(1000);
	rx("A 1:1001 ack 1");
	tx("A 1 ack 1001 win 0");
	rx("A 1001:1002 ack 1"); /* a probe with a byte */
	tx("A 1 ack 1001 win 0");
	writes(10);
	tx("A 1:11 ack 1001 win 0");
	rx("A 1001:1002 ack 11"); /* not taken, but its ACK is (section 3.10.7.4) */
	tx("A 11 ack 1001 win 0");
	no_tx_until(10 * SECOND);
	talk_end();
}

static void reset_through_a_closed_window(void)
{
	begin_buffer(1000);
	rx("A 1:1001 ack 1");
	tx("A 1 ack 1001 win 0");
	rx("UA 1001 ack 1 urg 1");
	no_tx();
	rx("R 1001");
	state("CLOSED");
	talk_end();
}

/* ---- the peer's zero window ----------------------------------------------------------------- */

static void begin_zero_window(void)
{
	talk_begin();
	accepts_window(1000, "mss 1000");
	writes(3000);
	tx("A 1:1001 ack 1");
	rx("A 1 ack 1001 win 0");
	no_tx();
}

static void probes(void)
{
	begin_zero_window();
	tx_after(200 * MS, 1000 * MS, "A 1000 ack 1"); /* without text, of a number long gone */
	rx("A 1 ack 1001 win 0");
	tx_after(400 * MS, 2000 * MS, "A 1000 ack 1");
	rx("A 1 ack 1001 win 0");
	tx_after(800 * MS, 4000 * MS, "A 1000 ack 1");
	check(perch_tcp_counters(talk.net)->zero_window_probes == 3);
	talk_end();
}

static void the_window_opens(void)
{
	begin_zero_window();
	rx("A 1 ack 1001 win 2000");
	tx("A 1001:2001");
	tx("A 2001:3001");
	talk_end();
}

static void the_update_was_lost(void)
{
	begin_zero_window();
	tx_after(200 * MS, 1000 * MS, "A 1000 ack 1");
	rx("A 1 ack 1001 win 1000");
	tx("A 1001:2001");
	no_tx();
	talk_end();
}

static void closed_for_ever(void)
{
	int i;

	begin_zero_window();
	for (i = 0; i < 40; i++) { /* many more than data_retries */
		tx_after(200 * MS, 61 * SECOND, "A 1000 ack 1");
		rx("A 1 ack 1001 win 0");
	}
	state("ESTABLISHED");
	talk_end();
}

static void nobody_answers(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.data_retries = 3;
	talk_begin_with(&cfg);
	accepts_window(1000, "mss 1000");
	writes(3000);
	tx("A 1:1001 ack 1");
	rx("A 1 ack 1001 win 0");
	pass(100 * SECOND);
	check(forget_tx() == 3);
	state("CLOSED");
	check(perch_tcp_error(talk.c) == -ETIMEDOUT);
	talk_end();
}

/* MUST-34: a window that shrinks; what is in flight beyond it goes again when there is room. */
static void a_window_shrinks(void)
{
	talk_begin();
	accepts_window(3000, "mss 1000");
	writes(3000);
	tx("A 1:1001");
	tx("A 1001:2001");
	tx("A 2001:3001");
	rx("A 1 ack 1001 win 500"); /* its edge was 3001 */
	state("ESTABLISHED");
	pass(3 * SECOND);
	forget_tx();
	state("ESTABLISHED");
	rx("A 1 ack 3001 win 3000");
	writes(10);
	tx("A 3001:3011");
	talk_end();
}

/* ---- which window counts: RFC 9293 section 3.10.7.4, fifth ----------------------------------- */

static uint32_t window(void)
{
	struct perch_tcp_info info;

	perch_tcp_info(talk.net, talk.c, &info);
	return info.peer_window_bytes;
}

/* SND.WL1: one that was sent before what we have seen says nothing of the window now. */
static void window_of_an_older_segment(void)
{
	talk_begin();
	accepts_window(4000, "mss 1000");
	hold(); /* no ACK of ours in between, or the old ones would not be acceptable at all */
	rx("A 1:11 ack 1 win 5000");
	rx("A 11:21 ack 1 win 6000");
	rx("A 1 ack 1 win 60000");
	rx("A 1 ack 1 win 100");
	release();
	check(window() == 6000);
	rx("A 21 ack 1 win 7000");
	check(window() == 7000);
	talk_end();
}

/* SND.WL2: nor does one that acknowledges less. */
static void window_of_an_older_ack(void)
{
	talk_begin();
	accepts("mss 1000");
	writes(2000);
	tx("A 1:1001");
	tx("A 1001:2001");
	rx("A 1 ack 2001 win 5000");
	rx("A 1 ack 1001 win 60000");
	check(window() == 5000);
	talk_end();
}

/* Of two with the same numbers the larger is the newer, unless the other one is closed. */
static void window_of_the_same_numbers(void)
{
	talk_begin();
	accepts_window(5000, "mss 1000");
	rx("A 1 ack 1 win 6000");
	check(window() == 6000);
	rx("A 1 ack 1 win 4000");
	check(window() == 6000);
	rx("A 1 ack 1 win 0");
	check(window() == 0);
	writes(1000);
	no_tx();
	rx("A 1 ack 1 win 3000");
	tx("A 1:1001");
	talk_end();
}

/* The peer sends something again, and acknowledges more with it than before. */
static void window_of_a_repetition(void)
{
	talk_begin();
	accepts_window(4000, "mss 1000");
	writes(1000);
	tx("A 1:1001");
	hold();
	rx("A 1:11 ack 1 win 5000");
	rx("A 11:21 ack 1 win 6000");
	rx("A 1:31 ack 1001 win 7000");
	release();
	check(window() == 7000);
	talk_end();
}

static const struct suite_case cases[] = {
	{"3.10.7.4 window of an older segment", window_of_an_older_segment},
	{"3.10.7.4 window of an older ACK", window_of_an_older_ack},
	{"3.10.7.4 window of the same numbers", window_of_the_same_numbers},
	{"3.10.7.4 window of a repetition", window_of_a_repetition},
	{"3.8.6.3 one ACK for a burst", one_ack_for_a_burst},
	{"3.10.7.4 early text is kept", early_text_is_kept},
	{"5681 4.2 a duplicate ACK for each", a_duplicate_ack_for_each},
	{"3.10.7.4 a hole filled in part", hole_filled_in_part},
	{"3.10.7.4 overlap on the left", overlap_left},
	{"3.10.7.4 overlap on the right", overlap_right},
	{"3.10.7.4 overlap within", overlap_within},
	{"3.10.7.4 overlap around", overlap_around},
	{"3.10.7.4 overlap of text in order", overlap_of_in_order},
	{"3.10.7.4 the same again", the_same_again},
	{"3.10.7.4 beyond the window is cut", beyond_the_window_is_cut},
	{"3.10.7.4 FIN beyond the window is cut", fin_beyond_the_window_is_cut},
	{"3.10.7.4 reassembly is bounded", reassembly_is_bounded},
	{"2018 8 nearest are kept", nearest_are_kept},
	{"3.8.5 urgent text is text", urgent_text_is_text},
	{"2018 4 the latest first", sack_the_latest_first},
	{"2018 3 four blocks", sack_four_blocks},
	{"2018 3 three beside timestamps", sack_three_beside_timestamps},
	{"2018 2 only if agreed", sack_only_if_agreed},
	{"3.8.6.3 delayed ACK", delayed},
	{"3.8.6.3 every second full segment", every_second_full_segment},
	{"3.8.6.3 an ACK rides on text", rides_on_text},
	{"5681 4.2 early text does not wait", early_text_does_not_wait},
	{"3.8.6.3 FIN does not wait", fin_does_not_wait},
	{"3.7.4 small writes are put together", small_writes_are_put_together},
	{"3.7.4 in full segments", in_full_segments},
	{"3.8.6 no more than the window", no_more_than_the_window},
	{"3.8.6.2.1 half of the largest window", half_of_the_largest_window},
	{"3.8.6 window in 32 bits", window_in_32_bits},
	{"3.10.2 the send buffer is bounded", send_buffer_is_bounded},
	{"3.8.6 the edge stays", the_edge_stays},
	{"3.8.6.2.2 the edge moves by worthwhile steps", the_edge_moves_by_worthwhile_steps},
	{"3.8.6.2.2 a small buffer moves by halves", a_small_buffer_moves_by_halves},
	{"3.10.7.4 closed window and text", closed_window_and_text},
	{"3.10.7.4 reset through a closed window", reset_through_a_closed_window},
	{"3.8.6.1 probes", probes},
	{"3.8.6.1 the window opens", the_window_opens},
	{"3.8.6.1 the update was lost", the_update_was_lost},
	{"3.8.6.1 closed for ever", closed_for_ever},
	{"3.8.6.1 nobody answers", nobody_answers},
	{"3.8.6 a window shrinks", a_window_shrinks},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return talk_main("tcp data", cases, argc, argv);
}
