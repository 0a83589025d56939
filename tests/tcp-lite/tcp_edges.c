/* SPDX-License-Identifier: BSD-3-Clause
 * Edges that planted bugs (tests/bench/mutants.txt) have shown to be untested: segments that meet
 * in one burst, FINs at the edge of windows, holes after holes, packets that somebody still reads.
 */
#include <stdlib.h>

#include "tcp-lite/tcp_inside.h"
#include "tests/tcp-lite/talk.h"

#define counters() (*perch_tcp_counters(talk.net))
#define DAY (INT64_C(86400) * SECOND)

static struct perch_tcp_info info(void)
{
	struct perch_tcp_info i;

	perch_tcp_info(talk.net, talk.c, &i);
	return i;
}

static void opens(uint32_t rcvbuf_bytes)
{
	struct perch_net_config cfg = talk_config();

	cfg.rcvbuf_bytes = rcvbuf_bytes;
	talk_begin_with(&cfg);
	accepts("mss 1000,sackok");
}

static void rx_text(const char *flags, unsigned from, unsigned bytes)
{
	char text[60];

	snprintf(text, sizeof(text), "%s %u:%u ack 1", flags, from, from + bytes);
	rx(text);
}

static void takes(unsigned n)
{
	event(PERCH_FLOW_READABLE);
	reads(n);
}

/* ---- who it is for -------------------------------------------------------------------------- */

/* RFC 9293 section 3.1: port 0 is nobody's. */
static void nobodys_ports(void)
{
	talk_begin();
	listens();
	talk.peer_port = 0;
	dropped(tcp_malformed, "S 0");
	talk.peer_port = 4000;
	talk.our_port = 0;
	dropped(tcp_malformed, "S 0");
	talk_end();
}

/* What was looked up for the second, before the first ended the connection, is no more. */
static void text_behind_a_reset(void)
{
	opens(65536);
	hold();
	rx("R 1");
	rx("A 1:11 ack 7");
	release();
	tx("R 7");
	state("CLOSED");
	talk_end();
}

/* Section 3.10.7.4: an ACK that text has overtaken counts. */
static void ack_behind_text(void)
{
	opens(65536);
	writes(1000);
	tx("A 1:1001");
	hold();
	rx("A 1:101 ack 1");
	rx("A 1 ack 1001");
	release();
	check(info().unacked_bytes == 0);
	talk_end();
}

/* And the window in it does not, being older (SND.WL1). */
static void window_behind_text(void)
{
	opens(65536);
	hold();
	rx("A 1:11 ack 1");
	rx("A 11:111 ack 1 win 5000");
	rx("A 1 ack 1 win 60000");
	release();
	check(info().peer_window_bytes == 5000);
	talk_end();
}

/* Text at the window's very edge is not acceptable, and so its ACK is not either. */
static void text_at_the_edge(void)
{
	opens(2000);
	writes(1000);
	tx("A 1:1001");
	dropped(tcp_out_of_window, "A 2001:2101 ack 1001");
	tx("A 1001 ack 1");
	check(info().unacked_bytes == 1000);
	talk_end();
}

/* ---- FINs ----------------------------------------------------------------------------------- */

/* Both have closed: a reset then takes nothing from anybody. */
static void reset_in_closing(void)
{
	opens(65536);
	perch_tcp_shutdown(talk.net, talk.c);
	tx("FA 1 ack 1");
	rx("FA 1 ack 1");
	tx("A 2 ack 2");
	state("CLOSING");
	rx("R 2");
	state("CLOSED");
	check(perch_tcp_error(talk.c) == 0);
	talk_end();
}

/* Text that was read before the close is no text after it. */
static void old_text_with_a_fin(void)
{
	opens(65536);
	rx("A 1:11 ack 1");
	tx("A 1 ack 11");
	takes(10);
	perch_tcp_close(talk.net, talk.c);
	tx("FA 1 ack 11");
	rx("FA 1:11 ack 2");
	tx("A 2 ack 12");
	pass(61 * SECOND);
	gone();
	talk_end();
}

/* The window ends where the FIN would stand. */
static void fin_beyond_the_window(void)
{
	opens(2000);
	rx_text("A", 1, 1000);
	tx("A 1 ack 1001");
	rx_text("FA", 1001, 1000);
	tx("A 1 ack 2001 win 0");
	state("ESTABLISHED");
	takes(2000);
	tx("A 1 ack 2001 win 2000");
	rx("FA 2001 ack 1");
	tx("A 1 ack 2002");
	state("CLOSE-WAIT");
	talk_end();
}

/* A FIN in the middle of what has come already is a lie. */
static void fin_before_what_came(void)
{
	opens(65536);
	rx_text("A", 1001, 1000);
	tx("A 1 ack 1");
	rx_text("FA", 501, 1000);
	tx("A 1 ack 1 <sack 501:2001>");
	rx_text("A", 1, 500);
	tx("A 1 ack 2001");
	state("ESTABLISHED");
	takes(2000);
	talk_end();
}

/* An early one comes again, and this time it is the last. */
static void fin_on_the_second_copy(void)
{
	opens(65536);
	rx_text("A", 1001, 1000);
	tx("A 1 ack 1");
	rx_text("FA", 1001, 1000);
	tx("A 1 ack 1");
	rx_text("A", 1, 1000);
	tx("A 1 ack 2002");
	state("CLOSE-WAIT");
	talk_end();
}

/* Data that the peer's window holds back goes before the FIN. */
static void fin_behind_held_data(void)
{
	talk_begin();
	accepts_window(500, "mss 1000");
	writes(1000);
	perch_tcp_shutdown(talk.net, talk.c);
	tx("A 1:501");
	no_tx();
	rx("A 1 ack 501 win 500");
	tx("A 501:1001");
	no_tx();
	rx("A 1 ack 1001 win 500");
	tx("FA 1001");
	talk_end();
}

/* A FIN alone that a closed window holds back is probed for like data. */
static void fin_at_a_closed_window(void)
{
	talk_begin();
	accepts_window(10, "mss 1000");
	writes(10);
	tx("A 1:11");
	rx("A 1 ack 11 win 0");
	perch_tcp_shutdown(talk.net, talk.c);
	tx_after(100 * MS, 2 * SECOND, "A 10 ack 1");
	rx("A 1 ack 11 win 10");
	tx("FA 11 ack 1");
	talk_end();
}

/* ---- the inbox ------------------------------------------------------------------------------ */

/* Whatever the shift of the window, its edge stays or moves on. */
static void edge_of_a_scaled_window(void)
{
	struct perch_net_config cfg = talk_config();
	uint32_t edge;
	unsigned i;

	cfg.rcvbuf_bytes = 8 << 20;
	talk_begin_with(&cfg);
	accepts("mss 1000,scale 0");
	for (i = 0; i < 300; i++) {
		edge = talk.c->rcv_edge;
		rx_text("A", i + 1, 1);
		forget_tx();
		check(seq_ge(talk.c->rcv_edge, edge));
	}
	talk_end();
}

/* RFC 5681 section 4.2: a burst put together counts by its bytes. */
static void delayed_by_bytes(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.delack_ns = 40 * MS;
	talk_begin_with(&cfg);
	accepts("mss 500");
	rx_text("A", 1, 1200);
	tx("A 1 ack 1201");
	rx_text("A", 1201, 900);
	no_tx_until(39 * MS);
	tx_after(0, 2 * MS, "A 1 ack 2101");
	talk_end();
}

/* Small ones are put together, large ones stay as they came. */
static void small_ones_together(void)
{
	const void *view;

	opens(65536);
	rx_text("A", 1, 100);
	rx_text("A", 101, 100);
	check(perch_tcp_peek(talk.c, &view) == 200);
	takes(200);
	rx_text("A", 201, 300);
	rx_text("A", 501, 300);
	check(perch_tcp_peek(talk.c, &view) == 300);
	talk_end();
}

/* Nothing is put into a packet that somebody else reads. */
static void not_into_what_is_read(void)
{
	const void *view;

	opens(65536);
	rx_text("A", 1, 100);
	rte_mbuf_refcnt_update(tcb_inbox(talk.c)->head, 1);
	rx_text("A", 101, 100);
	check(perch_tcp_peek(talk.c, &view) == 100);
	rte_mbuf_refcnt_update(tcb_inbox(talk.c)->head, -1);
	takes(200);
	talk_end();
}

/* Packets are counted, not only bytes: 32 in order for a buffer of 16 KB. What is refused is
 * refused with its FIN, and not acknowledged. */
static void packets_in_order_are_bounded(void)
{
	unsigned i, at = 1;

	opens(16384);
	for (i = 0; i < 32; i++, at += 300)
		rx_text("A", at, 300);
	check(DROPS(tcp_out_of_window) == 0);
	rx_text("FA", at, 300);
	check(DROPS(tcp_out_of_window) == 1);
	state("ESTABLISHED");
	forget_tx();
	takes(32 * 300);
	forget_tx();
	rx_text("FA", at, 300);
	tx("A 1 ack 9902");
	talk_end();
}

/* Early ones that are not early any more do not count. */
static void holes_after_holes(void)
{
	unsigned i, at = 1;
	char text[60];

	opens(16384);
	for (i = 0; i < 100; i++, at += 600) {
		rx_text("A", at + 300, 300);
		snprintf(text, sizeof(text), "A 1 ack %u <sack %u:%u>", at, at + 300, at + 600);
		tx(text);
		rx_text("A", at, 300);
		snprintf(text, sizeof(text), "A 1 ack %u <>", at + 600);
		tx(text);
		takes(600);
		forget_tx();
	}
	check(DROPS(tcp_reassembly_full) == 0);
	talk_end();
}

/* Who fills a hole in the burst that made it gets one ACK, and no duplicates. */
static void hole_of_a_burst(void)
{
	opens(65536);
	hold();
	rx_text("A", 1001, 1000);
	rx_text("A", 1, 1000);
	release();
	tx("A 1 ack 2001 <>");
	no_tx();
	talk_end();
}

/* ---- what is sent on, as it lies ------------------------------------------------------------ */

static void echoes(unsigned n)
{
	const void *view;

	event(PERCH_FLOW_READABLE);
	check(perch_tcp_peek(talk.c, &view) == n);
	check(perch_tcp_forward(talk.net, talk.c, talk.c, view, n));
	perch_tcp_release(talk.net, talk.c);
}

/* The sum of a payload that has changed since it was received is not its sum any more. */
static void sums_of_what_is_sent_on(void)
{
	opens(65536);
	rx("A 1:101 ack 1");
	rx("A 101:201 ack 1");
	forget_tx();
	echoes(200); /* two made one */
	tx("A 1:201 ack 201");
	rx("A 51:401 ack 201");
	echoes(200); /* without what came twice */
	tx("A 201:401 ack 401");
	tx("A 401 ack 401 <sack 51:201>");
	rx("A 401 ack 301");
	tx_after(0, 2 * SECOND, "A 301:401"); /* what is left of it */
	talk_end();
}

/* What may not be written may not be sent on either: after a FIN, or beyond the send buffer. */
static void what_is_not_sent_on(void)
{
	struct perch_net_config cfg = talk_config();
	const void *view;

	opens(65536);
	rx("A 1:101 ack 1");
	forget_tx();
	event(PERCH_FLOW_READABLE);
	perch_tcp_shutdown(talk.net, talk.c);
	check(perch_tcp_peek(talk.c, &view) == 100);
	check(!perch_tcp_forward(talk.net, talk.c, talk.c, view, 100));
	talk_end();

	cfg.sndbuf_bytes = 50;
	talk_begin_with(&cfg);
	accepts("mss 1000");
	rx("A 1:101 ack 1");
	forget_tx();
	event(PERCH_FLOW_READABLE);
	check(perch_tcp_peek(talk.c, &view) == 100);
	check(!perch_tcp_forward(talk.net, talk.c, talk.c, view, 100));
	talk_end();
}

/* ---- the outbox ----------------------------------------------------------------------------- */

/* A part of a segment was acknowledged: that part is not on its way any more, and the rest is sent
 * again, if need be, from where it begins. */
static void parts_of_segments(void)
{
	unsigned i;
	char text[40];

	opens(65536);
	writes(10000);
	forget_tx();
	for (i = 0; i < 9; i++) {
		snprintf(text, sizeof(text), "A 1 ack %u", i * 1000 + 501);
		rx(text);
		check(perch_tcp_pipe(talk.c) == talk.c->snd_nxt - talk.c->snd_una);
	}
	rx("A 1 ack 9501");
	tx_after(0, 2 * SECOND, "A 9501:10001");
	talk_end();
}

/* Packets that were acknowledged do not count. */
static void packets_out_are_counted(void)
{
	struct perch_net_config cfg = talk_config();
	unsigned i;
	char text[40];

	cfg.sndbuf_bytes = 16384;
	talk_begin_with(&cfg);
	accepts("mss 1000");
	writes(1000);
	tx("A 1:1001");
	for (i = 1; i < 100; i++) {
		writes(1000);
		snprintf(text, sizeof(text), "A %u:%u", i * 1000 + 1, i * 1000 + 1001);
		tx(text);
		snprintf(text, sizeof(text), "A 1 ack %u", i * 1000 + 1);
		rx(text);
	}
	talk_end();
}

/* An ACK takes away the segment that was to be sent again next. */
static void next_lost_has_arrived(void)
{
	opens(65536);
	writes(5000);
	forget_tx();
	pass(1500 * MS);
	forget_tx();
	check(counters().rto_fired > 0);
	rx("A 1 ack 3001");
	tx("A 3001:4001");
	tx("A 4001:5001");
	no_tx();
	talk_end();
}

/* Idle connections hold no side blocks. */
static void nothing_in_flight(void)
{
	opens(65536);
	writes(1000);
	tx("A 1:1001");
	rx("A 1 ack 1001");
	check(talk.c->outbox == 0);
	talk_end();
}

/* The port may still hold what is to be sent again: it is not touched. */
static void copy_of_what_is_held(void)
{
	struct rte_mbuf *m;
	uint16_t off;

	opens(65536);
	writes(1000);
	tx("A 1:1001");
	m = tcb_outbox(talk.c)->head;
	rte_mbuf_refcnt_update(m, 1);
	off = m->data_off;
	pass(3 * SECOND);
	check(forget_tx() > 0);
	check(m->data_off == off && rte_mbuf_refcnt_read(m) == 2);
	rte_mbuf_refcnt_update(m, -1);
	rx("A 1 ack 1001");
	talk_end();
}

/* RFC 9293 section 3.8.6.2.1: half of the largest window, which may come late. */
static void largest_window_comes_late(void)
{
	talk_begin();
	accepts_window(400, "mss 1000");
	writes(400);
	tx("A 1:401");
	rx("A 1 ack 401 win 3000");
	writes(3000);
	tx("A 401:1401");
	tx("A 1401:2401");
	tx("A 2401:3401");
	rx("A 1 ack 3401 win 500");
	writes(1000);
	no_tx();
	talk_end();
}

/* RFC 5681 section 2: text is no duplicate ACK. */
static void text_is_no_duplicate(void)
{
	talk_begin();
	accepts("mss 1000");
	writes(5000);
	forget_tx();
	rx("A 1:11 ack 1");
	rx("A 11:21 ack 1");
	rx("A 21:31 ack 1");
	rx("A 31:41 ack 1");
	check(counters().fast_retransmits == 0);
	check(counters().dup_acks_in == 0);
	talk_end();
}

/* RFC 7661: a window that nobody uses does not grow, in the avoidance of congestion neither. */
static void unused_window(void)
{
	unsigned i, at = 10001;
	uint32_t cwnd;
	char text[40];

	talk_begin();
	listens();
	rx("S 0 win 65535 <mss 1000,sackok>");
	tx("SA 0 ack 1");
	pass(100 * MS);
	rx("A 1 ack 1");
	event(PERCH_FLOW_ACCEPTED);
	writes(10000);
	forget_tx();
	pass(100 * MS);
	rx("A 1 ack 1 <sack 1001:4001>");
	tx("A 1:1001");
	pass(100 * MS);
	rx("A 1 ack 10001");
	forget_tx();
	cwnd = info().cwnd_bytes;
	check(cwnd == 7000);
	for (i = 0; i < 50; i++, at += 1000) {
		writes(1000);
		forget_tx();
		pass(100 * MS);
		snprintf(text, sizeof(text), "A 1 ack %u", at + 1000);
		rx(text);
		check(info().cwnd_bytes == cwnd);
	}
	talk_end();
}

/* ---- long silences -------------------------------------------------------------------------- */

static void long_after(int64_t ns)
{
	talk.now_ns += ns;
	perch_net_tick(talk.net, talk.now_ns);
}

/* RFC 7323 section 5.5: the silence counts from when the peer's clock was last heard ... */
static void silence_counts_from_the_last(void)
{
	talk_begin();
	accepts("mss 1000,ts 50 0");
	long_after(20 * DAY);
	rx("A 1:11 ack 1 <ts 60 0>");
	forget_tx();
	takes(10);
	long_after(10 * DAY);
	dropped(tcp_paws, "A 11:21 ack 1 <ts 59 0>");
	talk_end();
}

/* ... and what is heard then counts from then on. */
static void a_new_clock_after_silence(void)
{
	talk_begin();
	accepts("mss 1000,ts 50 0");
	long_after(25 * DAY);
	rx("A 1:11 ack 1 <ts 49 0>");
	tx("A 1 ack 11 <ts 0 49>");
	dropped(tcp_paws, "A 11:21 ack 1 <ts 48 0>");
	talk_end();
}

/* RFC 1122 section 4.2.3.6: tries count from the last answer. */
static void keepalive_tries_anew(void)
{
	struct perch_net_config cfg = talk_config();
	int i, k;

	cfg.keepalive_ns = 100 * SECOND;
	talk_begin_with(&cfg);
	accepts("mss 1000");
	for (k = 0; k < 3; k++) {
		tx_after(99 * SECOND, 101 * SECOND, "A 0 ack 1");
		for (i = 0; i < 5; i++)
			tx_after(74 * SECOND, 76 * SECOND, "A 0 ack 1");
		rx("A 1 ack 1");
	}
	state("ESTABLISHED");
	talk_end();
}

/* ---- headers -------------------------------------------------------------------------------- */

/* RFC 9293 section 3.1: a header of less than five words. */
static void short_headers(void)
{
	talk_begin();
	accepts("mss 1000");
	dropped(tcp_malformed, "PA 1:11 ack 1 off 4");
	talk_end();
}

/* ---- early ones, again and again ------------------------------------------------------------ */

/* The bound is on what is early now: nobody reads, so it is one inbox all the time. */
static void early_ones_are_taken_off(void)
{
	unsigned i;

	opens(16384);
	for (i = 0; i < 40; i++) {
		rx_text("A", i * 20 + 11, 10);
		rx_text("A", i * 20 + 1, 10);
		forget_tx();
	}
	check(DROPS(tcp_reassembly_full) == 0);
	takes(800);
	talk_end();
}

/* What was the last early one is in order now, and the next begins a list of its own. */
static void early_anew(void)
{
	opens(65536);
	rx_text("A", 11, 10);
	rx_text("A", 1, 10);
	forget_tx();
	rx_text("A", 31, 10);
	tx("A 1 ack 21 <sack 31:41>");
	rx_text("A", 21, 10);
	tx("A 1 ack 41 <>");
	takes(40);
	talk_end();
}

/* The buffer grows for a reader who leaves nothing lying: one that has caught up after long begins
 * to count then. */
static void caught_up_after_long(void)
{
	struct perch_net_config cfg = talk_config();
	unsigned i;

	cfg.rcvbuf_bytes = 1 << 20;
	talk_begin_with(&cfg);
	accepts("mss 1000,scale 7");
	rx_text("A", 1, 1000);
	for (i = 1; i < 700; i++) {
		rx_text("A", i * 1000 + 1, 1000);
		reads(1000);
		forget_tx();
	}
	check(talk.c->rcv_edge - talk.c->rcv_nxt <= 256 * 1024);
	reads(1000);
	check((talk.c->rcv_tuned & 15) == 0);
	talk_end();
}

/* ---- what is sent when ---------------------------------------------------------------------- */

/* RFC 9293 section 3.8.6.1: how often the window was asked for says nothing of the way. */
static void probes_do_not_back_off_data(void)
{
	opens(65536);
	talk.c->marks &= (uint16_t)~TCB_SACK; /* no loss probes */
	writes(1000);
	tx("A 1:1001");
	rx("A 1 ack 1001 win 0");
	writes(1000);
	pass(2 * SECOND);
	check(forget_tx() >= 3);
	rx("A 1 ack 1001 win 5000");
	tx("A 1001:2001");
	tx_after(195 * MS, 305 * MS, "A 1001:2001");
	talk_end();
}

/* A FIN waits for what cwnd holds back. */
static void fin_behind_what_waits(void)
{
	opens(65536);
	writes(11000);
	perch_tcp_close(talk.net, talk.c);
	pass(0);
	check(forget_tx() == 10);
	check(!(talk.c->marks & TCB_FIN_SENT));
	rx("A 1 ack 10001");
	tx("FA 10001:11001");
	talk_end();
}

/* What nobody can send yet is not taken from the writer. */
static void send_buffer_follows_cwnd(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.sndbuf_bytes = 4 << 20;
	talk_begin_with(&cfg);
	accepts("mss 1000,scale 7");
	check(perch_tcp_writable(talk.net, talk.c) == 256 * 1024);
	talk.c->cwnd = 200000;
	check(perch_tcp_writable(talk.net, talk.c) == 400000);
	talk_end();
}

/* RFC 5681 section 4.1: idle since the last data, also where its ACKs came out of order. */
static void idle_since_the_last(void)
{
	unsigned i, at = 1;
	char text[60];

	opens(65536);
	talk.c->cwnd = 50000;
	for (i = 0; i < 40; i++, at += 2000) {
		writes(2000);
		check(forget_tx() >= 2); /* and a probe, at first */
		pass(10 * MS);
		snprintf(text, sizeof(text), "A 1 ack %u <sack %u:%u>", at, at + 1000, at + 2000);
		rx(text);
		snprintf(text, sizeof(text), "A 1 ack %u", at + 2000);
		rx(text);
	}
	writes(1000);
	check(talk.c->cwnd >= 50000);
	talk_end();
}

/* RFC 4861 section 7.3.1: progress shows that the neighbour is there. */
static void progress_confirms_the_neighbour(void)
{
	unsigned i, before;

	opens(65536);
	before = talk.solicited;
	for (i = 0; i < 120; i++) {
		writes(10);
		check(forget_tx() == 1);
		rx("A 1");
		pass(SECOND);
	}
	check(talk.solicited == before);
	pass(200 * SECOND);
	writes(10);
	pass(10 * SECOND); /* that may be asked for */
	check(talk.solicited > before);
	talk_end();
}

/* The lists of those with events, and with something to send, reach their end while they are not
 * empty: what is left goes to the front, and the order stays. */
static void lists_go_on_in_front(void)
{
	struct perch_net *net;
	struct talk first;

	talk_begin();
	net = talk.net;
	accepts("mss 1000");
	first = talk;
	accepts_another();
	net->ready_first = net->ready_end = net->max_listed - 1;
	net->tcp->output_first = net->tcp->output_end = net->max_listed - 1;
	rx("PA 1:11");
	{
		struct talk second = talk;

		turn_to(&first);
		rx("PA 1:21");
		check(net->ready_end == 2 && net->tcp->output_end == 2);
		turn_to(&second);
	}
	event(PERCH_FLOW_READABLE);
	tx("A 1 ack 11");
	turn_to(&first);
	event(PERCH_FLOW_READABLE);
	tx("A 1 ack 21");
	event(0);
	check(net->ready_end == 0 && net->tcp->output_end == 0);
	talk_end();
}

/* One of three leaves: those behind it move up. */
static void leaves_the_list(void)
{
	struct perch_net_list lists[4];
	struct perch_net *net = calloc(1, sizeof(*net));
	struct perch_flow f[3];
	unsigned gone, i;

	net->lists = &lists[3];
	net->max_listed = 4;
	for (gone = 0; gone < 3; gone++) {
		memset(f, 0, sizeof(f));
		for (i = 0; i < 3; i++)
			perch_net_mark_ready(net, &f[i], PERCH_FLOW_READABLE);
		perch_net_leave_ready(net, &f[gone]);
		perch_net_leave_ready(net, &f[gone]);
		check(f[gone].events == 0 && !f[gone].in_ready);
		for (i = 0; i < 3; i++)
			check(i == gone || perch_net_next_ready(net) == &f[i]);
		check(perch_net_next_ready(net) == NULL);
	}
	perch_net_mark_ready(net, &f[0], PERCH_FLOW_READABLE);
	perch_net_leave_ready(net, &f[0]);
	check(perch_net_next_ready(net) == NULL && net->ready_end == 0);
	free(net);
}

static const struct suite_case cases[] = {
	{"9293 3.1 short headers", short_headers},
	{"early ones are taken off", early_ones_are_taken_off},
	{"early anew", early_anew},
	{"caught up after long", caught_up_after_long},
	{"9293 3.8.6.1 probes do not back off data", probes_do_not_back_off_data},
	{"9293 3.10.4 FIN behind what waits", fin_behind_what_waits},
	{"send buffer follows cwnd", send_buffer_follows_cwnd},
	{"5681 4.1 idle since the last", idle_since_the_last},
	{"4861 7.3.1 progress confirms the neighbour", progress_confirms_the_neighbour},
	{"3.1 nobody's ports", nobodys_ports},
	{"text behind a reset", text_behind_a_reset},
	{"3.10.7.4 ACK behind text", ack_behind_text},
	{"3.10.7.4 window behind text", window_behind_text},
	{"3.10.7.4 text at the edge", text_at_the_edge},
	{"3.10.7.4 reset in CLOSING", reset_in_closing},
	{"3.10.7.4 old text with a FIN", old_text_with_a_fin},
	{"3.10.7.4 FIN beyond the window", fin_beyond_the_window},
	{"FIN before what came", fin_before_what_came},
	{"FIN on the second copy", fin_on_the_second_copy},
	{"3.10.4 FIN behind held data", fin_behind_held_data},
	{"3.8.6.1 FIN at a closed window", fin_at_a_closed_window},
	{"3.8.6 edge of a scaled window", edge_of_a_scaled_window},
	{"5681 4.2 delayed by bytes", delayed_by_bytes},
	{"small ones together", small_ones_together},
	{"not into what is read", not_into_what_is_read},
	{"packets in order are bounded", packets_in_order_are_bounded},
	{"holes after holes", holes_after_holes},
	{"5681 4.2 hole of a burst", hole_of_a_burst},
	{"sums of what is sent on", sums_of_what_is_sent_on},
	{"what is not sent on", what_is_not_sent_on},
	{"parts of segments", parts_of_segments},
	{"packets out are counted", packets_out_are_counted},
	{"next lost has arrived", next_lost_has_arrived},
	{"nothing in flight", nothing_in_flight},
	{"copy of what is held", copy_of_what_is_held},
	{"3.8.6.2.1 largest window comes late", largest_window_comes_late},
	{"5681 2 text is no duplicate", text_is_no_duplicate},
	{"7661 unused window", unused_window},
	{"7323 5.5 silence counts from the last", silence_counts_from_the_last},
	{"7323 5.5 a new clock after silence", a_new_clock_after_silence},
	{"3.8.4 keepalive tries anew", keepalive_tries_anew},
	{"lists go on in front", lists_go_on_in_front},
	{"one leaves the list", leaves_the_list},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return talk_main("tcp edges", cases, argc, argv);
}
