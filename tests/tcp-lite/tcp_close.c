/* SPDX-License-Identifier: BSD-3-Clause
 * How connections end: CLOSE, ABORT and what the peer does meanwhile (RFC 9293 sections 3.6, 3.10.4
 * and 3.10.5, RFC 1122 section 4.2.2.13).
 */
#include <errno.h>

#include "tests/tcp-lite/talk.h"

static void begin(void)
{
	talk_begin();
	accepts("mss 1000");
}

static void shuts(void)
{
	perch_tcp_shutdown(talk.net, talk.c);
}

static void closes(void)
{
	perch_tcp_close(talk.net, talk.c);
}

/* ---- we close first ------------------------------------------------------------------------- */

/* Figure 12. */
static void normal_close(void)
{
	begin();
	shuts();
	tx("FA 1 ack 1");
	state("FIN-WAIT-1");
	ignored("A 1 ack 2");
	state("FIN-WAIT-2");
	rx("FA 1 ack 2");
	tx("A 2 ack 2");
	state("TIME-WAIT");
	event(PERCH_FLOW_READABLE);
	check(perch_tcp_at_eof(talk.c));
	talk_end();
}

static void fin_and_ack_at_once(void)
{
	begin();
	shuts();
	tx("FA 1 ack 1");
	rx("FA 1 ack 2");
	tx("A 2 ack 2");
	state("TIME-WAIT");
	talk_end();
}

/* RFC 1122 section 4.2.2.13: half-close. */
static void half_close_and_text(void)
{
	begin();
	shuts();
	tx("FA 1 ack 1");
	rx("A 1 ack 2");
	rx("A 1:501 ack 2");
	tx("A 2 ack 501");
	rx("A 501:1001 ack 2");
	tx("A 2 ack 1001");
	reads(1000);
	state("FIN-WAIT-2");
	rx("FA 1001 ack 2");
	tx("A 2 ack 1002");
	state("TIME-WAIT");
	talk_end();
}

static void text_before_our_fin_is_acked(void)
{
	begin();
	shuts();
	tx("FA 1 ack 1");
	rx("A 1:501 ack 1");
	tx("A 2 ack 501");
	state("FIN-WAIT-1");
	reads(500);
	talk_end();
}

static void fin_rides_on_text(void)
{
	begin();
	writes(1500);
	shuts();
	tx("A 1:1001 ack 1");
	tx("FA 1001:1501 ack 1");
	no_tx();
	ignored("A 1 ack 1502");
	state("FIN-WAIT-2");
	talk_end();
}

static void fin_after_text(void)
{
	begin();
	writes(500);
	tx("A 1:501 ack 1");
	shuts();
	tx("FA 501 ack 1");
	ignored("A 1 ack 501");
	state("FIN-WAIT-1");
	ignored("A 1 ack 502");
	state("FIN-WAIT-2");
	talk_end();
}

static void fin_waits_for_the_window(void)
{
	talk_begin();
	accepts_window(500, "mss 1000");
	writes(500);
	shuts();
	tx("A 1:501 ack 1"); /* there is no room for the FIN's number */
	no_tx();
	ignored("A 1 ack 501 win 0");
	rx("A 1 ack 501 win 1");
	tx("FA 501 ack 1");
	talk_end();
}

static void fin_is_sent_again(void)
{
	begin();
	shuts();
	tx("FA 1 ack 1");
	tx_after(200 * MS, 1100 * MS, "FA 1 ack 1");
	tx_after(400 * MS, 2200 * MS, "FA 1 ack 1");
	ignored("A 1 ack 2");
	no_tx_until(20 * SECOND);
	state("FIN-WAIT-2");
	talk_end();
}

/* It timed out, and its ACK came before the next output. */
static void fin_is_not_sent_again_in_vain(void)
{
	begin();
	shuts();
	tx("FA 1 ack 1");
	tx_after(200 * MS, 1100 * MS, "FA 1 ack 1");
	perch_net_expire(talk.net, 0, talk.now_ns + SECOND);
	rx("A 1 ack 2");
	no_tx();
	state("FIN-WAIT-2");
	talk_end();
}

static void fin_with_lost_text(void)
{
	begin();
	writes(500);
	shuts();
	tx("FA 1:501 ack 1");
	tx_after(10 * MS, 1100 * MS, "FA 1:501 ack 1");
	ignored("A 1 ack 502");
	talk_end();
}

/* ---- the peer closes first ------------------------------------------------------------------ */

static void peer_closes(void)
{
	begin();
	rx("FA 1 ack 1");
	tx("A 1 ack 2");
	state("CLOSE-WAIT");
	event(PERCH_FLOW_READABLE);
	check(perch_tcp_at_eof(talk.c));
	writes(500); /* RFC 1122 section 4.2.2.13: we may go on */
	tx("A 1:501 ack 2");
	ignored("A 2 ack 501");
	closes();
	tx("FA 501 ack 2");
	ignored("A 2 ack 502");
	gone();
	talk_end();
}

static void peer_closes_with_text(void)
{
	begin();
	rx("FPA 1:11 ack 1");
	tx("A 1 ack 12");
	check(!perch_tcp_at_eof(talk.c));
	reads(10);
	check(perch_tcp_at_eof(talk.c));
	talk_end();
}

static void peers_fin_is_early(void)
{
	begin();
	rx("FA 11:21 ack 1");
	tx("A 1 ack 1");
	state("ESTABLISHED");
	rx("A 1:11 ack 1");
	tx("A 1 ack 22");
	state("CLOSE-WAIT");
	reads(20);
	check(perch_tcp_at_eof(talk.c));
	talk_end();
}

static void peers_fin_comes_again(void)
{
	begin();
	rx("FA 1 ack 1");
	tx("A 1 ack 2");
	rx("FA 1 ack 1");
	tx("A 1 ack 2");
	state("CLOSE-WAIT");
	talk_end();
}

static void last_ack_gives_up(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.data_retries = 3;
	talk_begin_with(&cfg);
	accepts("mss 1000");
	rx("FA 1 ack 1");
	tx("A 1 ack 2");
	closes();
	tx("FA 1 ack 2");
	pass(60 * SECOND);
	check(forget_tx() == 3);
	gone();
	talk_end();
}

/* Figure 13. */
static void both_at_once(void)
{
	begin();
	shuts();
	tx("FA 1 ack 1");
	rx("FA 1 ack 1");
	tx("A 2 ack 2");
	state("CLOSING");
	ignored("A 2 ack 2");
	state("TIME-WAIT");
	talk_end();
}

static void both_at_once_in_one_turn(void)
{
	begin();
	shuts();
	rx("FA 1 ack 1"); /* before our FIN has left */
	tx("FA 1 ack 2");
	no_tx();
	rx("A 2 ack 2");
	state("TIME-WAIT");
	talk_end();
}

/* ---- unread and late text ------------------------------------------------------------------- */

/* RFC 1122 section 4.2.2.13, RFC 2525 section 2.17. */
static void close_with_unread_text(void)
{
	begin();
	rx("A 1:11 ack 1");
	tx("A 1 ack 11");
	closes();
	tx("RA 1 ack 11");
	gone();
	talk_end();
}

static void text_after_close(void)
{
	begin();
	closes();
	tx("FA 1 ack 1");
	rx("A 1 ack 2");
	dropped(tcp_after_close, "A 1:11 ack 2");
	tx("RA 2 ack 1");
	gone();
	talk_end();
}

/* What is left to send still goes. */
static void close_with_unsent_text(void)
{
	talk_begin();
	accepts_window(1000, "mss 1000");
	writes(3000);
	closes();
	tx("A 1:1001 ack 1");
	no_tx();
	rx("A 1 ack 1001 win 1000");
	tx("A 1001:2001 ack 1");
	no_tx();
	rx("A 1 ack 2001 win 1001");
	tx("FA 2001:3001 ack 1");
	rx("FA 1 ack 3002");
	tx("A 3002 ack 2");
	pass(60 * SECOND);
	gone();
	talk_end();
}

/* Nobody waits in FIN-WAIT-2 for ever for a peer who does not go. */
static void fin_wait_2_ends(void)
{
	begin();
	closes();
	tx("FA 1 ack 1");
	ignored("A 1 ack 2");
	no_tx_until(60 * SECOND - MS);
	check(perch_tcp_counters(talk.net)->flows == 1);
	no_tx_until(2 * MS);
	gone();
	talk_end();
}

/* But it does for one that reads. */
static void fin_wait_2_of_a_reader(void)
{
	begin();
	shuts();
	tx("FA 1 ack 1");
	ignored("A 1 ack 2");
	no_tx_until(1000 * SECOND);
	rx("A 1:11 ack 2");
	tx("A 2 ack 11");
	reads(10);
	talk_end();
}

/* Our FIN has arrived when its owner goes: nobody waits for ever. */
static void fin_wait_2_loses_its_reader(void)
{
	begin();
	shuts();
	tx("FA 1 ack 1");
	ignored("A 1 ack 2");
	pass(1000 * SECOND);
	perch_tcp_close(talk.net, talk.c);
	no_tx_until(59 * SECOND);
	check(perch_tcp_counters(talk.net)->flows == 1);
	pass(2 * SECOND);
	gone();
	talk_end();
}

/* SHUTDOWN while the handshake is under way: the FIN follows it at once. */
static void shutdown_in_syn_sent(void)
{
	talk_begin();
	dials();
	tx("S 0");
	perch_tcp_shutdown(talk.net, talk.c);
	no_tx();
	rx("SA 0 ack 1 <mss 1000>");
	tx("FA 1 ack 1");
	state("FIN-WAIT-1");
	ignored("A 1 ack 2");
	state("FIN-WAIT-2");
	talk_end();
}

/* ---- ABORT ---------------------------------------------------------------------------------- */

static void abort_when(const char *what)
{
	perch_tcp_abort(talk.net, talk.c);
	tx(what);
	no_tx();
	gone();
	talk_end();
}

static void abort_established(void)
{
	begin();
	writes(500);
	tx("A 1:501");
	abort_when("RA 501 ack 1");
}

static void abort_with_unsent_text(void)
{
	talk_begin();
	accepts_window(100, "mss 1000");
	writes(500);
	forget_tx();
	perch_tcp_abort(talk.net, talk.c);
	forget_tx();
	gone();
	talk_end();
}

static void abort_close_wait(void)
{
	begin();
	rx("FA 1 ack 1");
	tx("A 1 ack 2");
	abort_when("RA 1 ack 2");
}

static void abort_fin_wait_2(void)
{
	begin();
	shuts();
	tx("FA 1");
	rx("A 1 ack 2");
	abort_when("RA 2 ack 1");
}

static void abort_syn_sent(void)
{
	talk_begin();
	dials();
	tx("S 0");
	perch_tcp_abort(talk.net, talk.c);
	no_tx_until(10 * SECOND);
	gone();
	talk_end();
}

static void close_syn_sent(void)
{
	talk_begin();
	dials();
	closes(); /* before the SYN has left */
	no_tx_until(10 * SECOND);
	gone();
	talk_end();
}

/* ---- what calls say afterwards -------------------------------------------------------------- */

static void write_after_shutdown(void)
{
	begin();
	shuts();
	shuts(); /* once more is nothing */
	check(perch_tcp_write(talk.net, talk.c, "x", 1) == -EPIPE);
	check(perch_tcp_writable(talk.net, talk.c) == 0);
	tx("FA 1");
	no_tx();
	talk_end();
}

static void write_after_reset(void)
{
	begin();
	rx("R 1");
	check(perch_tcp_write(talk.net, talk.c, "x", 1) == -ECONNRESET);
	check(perch_tcp_error(talk.c) == -ECONNRESET);
	shuts();
	no_tx();
	closes();
	gone();
	talk_end();
}

/* What came before a reset can still be read. */
static void read_after_reset(void)
{
	begin();
	rx("A 1:11 ack 1");
	tx("A 1 ack 11");
	rx("R 11");
	state("CLOSED");
	reads(10);
	check(!perch_tcp_at_eof(talk.c));
	closes();
	gone();
	talk_end();
}

static void reset_in_fin_wait(void)
{
	begin();
	closes();
	tx("FA 1");
	rx("R 1");
	gone();
	talk_end();
}

static const struct suite_case cases[] = {
	{"3.6 figure 12, normal close", normal_close},
	{"3.6 FIN and ACK at once", fin_and_ack_at_once},
	{"3.6 half-close and text", half_close_and_text},
	{"3.6 text before our FIN is acknowledged", text_before_our_fin_is_acked},
	{"3.10.4 FIN rides on text", fin_rides_on_text},
	{"3.10.4 FIN after text", fin_after_text},
	{"3.10.4 FIN waits for the window", fin_waits_for_the_window},
	{"3.8.1 FIN is sent again", fin_is_sent_again},
	{"3.8.1 FIN is not sent again in vain", fin_is_not_sent_again_in_vain},
	{"3.8.1 FIN with lost text", fin_with_lost_text},
	{"3.6 the peer closes", peer_closes},
	{"3.6 the peer closes with text", peer_closes_with_text},
	{"3.10.7.4 the peer's FIN is early", peers_fin_is_early},
	{"3.10.7.4 the peer's FIN comes again", peers_fin_comes_again},
	{"3.8.3 LAST-ACK gives up", last_ack_gives_up},
	{"3.6 figure 13, simultaneous close", both_at_once},
	{"3.6 simultaneous close in one turn", both_at_once_in_one_turn},
	{"3.6.1 close with unread text", close_with_unread_text},
	{"3.6.1 text after close", text_after_close},
	{"3.10.4 close with unsent text", close_with_unsent_text},
	{"3.6 FIN-WAIT-2 ends", fin_wait_2_ends},
	{"3.6 FIN-WAIT-2 of a reader", fin_wait_2_of_a_reader},
	{"3.6 FIN-WAIT-2 loses its reader", fin_wait_2_loses_its_reader},
	{"3.10.4 shutdown in SYN-SENT", shutdown_in_syn_sent},
	{"3.10.5 abort in ESTABLISHED", abort_established},
	{"3.10.5 abort with unsent text", abort_with_unsent_text},
	{"3.10.5 abort in CLOSE-WAIT", abort_close_wait},
	{"3.10.5 abort in FIN-WAIT-2", abort_fin_wait_2},
	{"3.10.5 abort in SYN-SENT", abort_syn_sent},
	{"3.10.4 close in SYN-SENT", close_syn_sent},
	{"3.10.2 write after shutdown", write_after_shutdown},
	{"3.10.2 write after a reset", write_after_reset},
	{"3.10.3 read after a reset", read_after_reset},
	{"3.10.7.4 reset in FIN-WAIT-1", reset_in_fin_wait},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return talk_main("tcp close", cases, argc, argv);
}
