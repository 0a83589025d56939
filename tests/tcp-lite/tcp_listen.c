/* SPDX-License-Identifier: BSD-3-Clause
 * Listeners: who is accepted, bursts, full backlogs and SYN cookies (RFC 4987 section 3.6), and
 * that nothing is left of those who come and go.
 */
#include <errno.h>
#include <stdlib.h>

#include "tests/tcp-lite/talk.h"

static const struct perch_ip any;

static void begin_with_backlog(uint32_t backlog)
{
	struct perch_net_config cfg = talk_config();

	cfg.backlog = backlog;
	talk_begin_with(&cfg);
	listens();
}

static struct perch_ip our_ip(void)
{
	return packets_ip(talk.v6 ? "fd00::1" : "10.0.0.1");
}

/* ---- listening ------------------------------------------------------------------------------ */

static void what_listen_refuses(void)
{
	struct perch_net_config cfg = talk_config();
	struct perch_ip ours, strange = packets_ip("192.0.2.1");

	cfg.max_listeners = 2;
	talk_begin_with(&cfg);
	ours = our_ip();
	check(perch_tcp_listen(talk.net, &any, 80, 0, NULL) == 0);
	check(perch_tcp_listen(talk.net, &any, 80, 0, NULL) == -EADDRINUSE);
	check(perch_tcp_listen(talk.net, &any, 0, 0, NULL) == -EADDRINUSE);
	check(perch_tcp_listen(talk.net, &strange, 81, 0, NULL) == -EADDRNOTAVAIL);
	check(perch_tcp_listen(talk.net, &ours, 80, 0, NULL) == 0);
	check(perch_tcp_listen(talk.net, &any, 81, 0, NULL) == -ENOBUFS);
	check(perch_tcp_unlisten(talk.net, &any, 81) == -ENOENT);
	check(perch_tcp_unlisten(talk.net, &any, 80) == 0);
	check(perch_tcp_listen(talk.net, &any, 81, 0, NULL) == 0);
	check(perch_tcp_counters(talk.net)->listeners == 2);
	talk_end();
}

static void own_address_beats_any(void)
{
	struct perch_ip ours;
	int mine, anys;

	talk_begin();
	ours = our_ip();
	perch_tcp_listen(talk.net, &any, 80, 0, &anys);
	perch_tcp_listen(talk.net, &ours, 80, 0, &mine);
	rx("S 0");
	tx("SA 0 ack 1");
	rx("A 1 ack 1");
	event(PERCH_FLOW_ACCEPTED);
	check(perch_tcp_cookie(talk.net, talk.c) == &mine);
	talk_end();
}

static void several_ports(void)
{
	int first, second;

	talk_begin();
	perch_tcp_listen(talk.net, &any, 80, 0, &first);
	perch_tcp_listen(talk.net, &any, 80 + 256, 0, &second); /* the same hash */
	talk.our_port = 80 + 256;
	rx("S 0");
	tx("SA 0 ack 1");
	rx("A 1 ack 1");
	event(PERCH_FLOW_ACCEPTED);
	check(perch_tcp_cookie(talk.net, talk.c) == &second);
	talk.our_port = 80 + 512;
	talk.our_isn = 0;
	rx("S 0");
	tx("RA 0 ack 1");
	talk_end();
}

static void unlisten(void)
{
	struct talk open;
	int other;

	talk_begin();
	accepts("mss 1000");
	open = talk;
	talk.peer_port = 4001;
	rx("S 0");
	tx("SA 0 ack 1");
	check(perch_tcp_unlisten(talk.net, &any, 80) == 0);
	tx("RA 1 ack 1"); /* half-open ones are reset */
	talk.our_isn = 0;
	rx("S 0");
	tx("RA 0 ack 1");
	check(perch_tcp_listen(talk.net, &any, 80, 0, &other) == 0);
	turn_to(&open);
	check(perch_tcp_cookie(talk.net, talk.c) == &talk); /* not that of the new listener */
	rx("A 1:11 ack 1");
	tx("A 1 ack 11");
	talk_end();
}

static void accept_and_text_in_one_burst(void)
{
	talk_begin();
	listens();
	rx("S 0");
	tx("SA 0 ack 1");
	hold();
	rx("A 1 ack 1");
	rx("A 1:11 ack 1");
	rx("FA 11 ack 1");
	release();
	event(PERCH_FLOW_ACCEPTED | PERCH_FLOW_READABLE);
	reads(10);
	check(perch_tcp_at_eof(talk.c));
	tx("A 1 ack 12");
	no_tx();
	talk_end();
}

static void the_ack_is_lost_but_text_comes(void)
{
	talk_begin();
	listens();
	rx("S 0");
	tx("SA 0 ack 1");
	rx("PA 1:11 ack 1");
	event(PERCH_FLOW_ACCEPTED | PERCH_FLOW_READABLE);
	tx("A 1 ack 11");
	talk_end();
}

/* RFC 9293 section 3.10.7.4, first: the SYN-ACK was lost. */
static void syn_again(void)
{
	talk_begin();
	listens();
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1");
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1 <mss full>");
	check(perch_tcp_counters(talk.net)->flows == 1);
	talk_end();
}

/* RFC 6298 section 2 (2.1), (5.5); RFC 1122 section 4.2.3.5: R2 for SYNs is at least 3 minutes in
 * the wan profile's six tries, of which the last waits for 64 s. */
static void syn_ack_again_and_again(void)
{
	int64_t wait_ns = SECOND;
	int i;

	talk_begin();
	listens();
	rx("S 0");
	tx("SA 0 ack 1");
	for (i = 0; i < 6; i++, wait_ns = RTE_MIN(2 * wait_ns, 60 * SECOND))
		tx_after(wait_ns - MS, wait_ns + MS, "SA 0 ack 1");
	no_tx_until(60 * SECOND + MS);
	gone();
	event(0);
	talk_end();
}

static void reset_before_it_is_open(void)
{
	begin_with_backlog(1);
	rx("S 0");
	tx("SA 0 ack 1");
	rx("R 1");
	gone();
	event(0);
	talk.peer_port = 4001;
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1 <mss full>");
	rx("A 1 ack 1");
	event(PERCH_FLOW_ACCEPTED);
	check(perch_tcp_counters(talk.net)->cookies_sent == 0);
	talk_end();
}

/* It was accepted and reset within one burst: nobody heard of it, so nobody must close it. */
static void reset_before_it_is_taken(void)
{
	talk_begin();
	listens();
	rx("S 0");
	tx("SA 0 ack 1");
	hold();
	rx("A 1 ack 1");
	rx("R 1");
	release();
	event(0);
	gone();
	talk_end();
}

static void a_burst_of_peers(void)
{
	unsigned i, n = 0;
	struct talk peers[60];

	talk_begin();
	listens();
	hold();
	for (i = 0; i < 60; i++) {
		talk.peer_port = (uint16_t)(5000 + i);
		rx("S 0 <mss 1000>");
	}
	release();
	for (i = 0; i < 60; i++) {
		talk.peer_port = (uint16_t)(5000 + i);
		tx("SA 0 ack 1");
		peers[i] = talk;
	}
	hold();
	for (i = 0; i < 60; i++) {
		turn_to(&peers[i]);
		rx("A 1 ack 1");
	}
	release();
	while (perch_net_next_ready(talk.net))
		n++;
	check(n == 60);
	check(perch_tcp_counters(talk.net)->accepted == 60);
	talk_end();
}

/* ---- SYN cookies ---------------------------------------------------------------------------- */

/* One that never answers fills the backlog; the next SYN, of port 4001, meets a cookie. */
static void begin_full(void)
{
	begin_with_backlog(1);
	rx("S 0");
	tx("SA 0 ack 1");
	talk.peer_port = 4001;
}

static void cookie_without_timestamps(void)
{
	begin_full();
	rx("S 0 win 3000 <mss 1000,scale 4,sackok>");
	tx("SA 0 ack 1 win 65535 <mss full>");
	check(perch_tcp_counters(talk.net)->cookies_sent == 1);
	check(perch_tcp_counters(talk.net)->flows == 1);
	rx("A 1 ack 1 win 3000");
	event(PERCH_FLOW_ACCEPTED);
	check(perch_tcp_cookie(talk.net, talk.c) == &talk);
	no_tx();
	writes(700);
	tx("A 1:537 ack 1"); /* the largest MSS in the table that is not too large */
	tx("A 537:701 ack 1");
	rx("A 1:11 ack 701 win 3000");
	tx("A 701 ack 11");
	event(PERCH_FLOW_READABLE);
	reads(10);
	talk_end();
}

static void cookie_with_timestamps(void)
{
	struct perch_tcp_info info;

	begin_full();
	talk.ts_agreed = true;
	talk.ts_val = 100;
	rx("S 0 win 3000 <mss 1460,scale 4,sackok,ts 100 0>");
	tx("SA 0 ack 1 win 65535 <mss full,scale 3,sackok,ts 0 100>");
	talk.ts_val = 101;
	rx("A 1 ack 1 win 3000");
	event(PERCH_FLOW_ACCEPTED);
	perch_tcp_info(talk.net, talk.c, &info);
	check(info.peer_window_bytes == 3000 << 4);
	check(info.mss_bytes == (talk.v6 ? 1440 - 12 : 1460 - 12));
	rx("A 11:21 ack 1");
	tx("A 1 ack 1 <ts 0 101,sack 11:21>");
	rx("A 1:11 ack 1");
	tx("A 1 ack 21 <ts 0 101>");
	talk_end();
}

static void cookie_without_scale(void)
{
	struct perch_tcp_info info;

	begin_full();
	talk.ts_agreed = true;
	rx("S 0 <mss 1460,ts 100 0>");
	tx("SA 0 ack 1 <mss full,ts 0 100>");
	talk.ts_val = 101;
	rx("A 1 ack 1 win 3000");
	event(PERCH_FLOW_ACCEPTED);
	perch_tcp_info(talk.net, talk.c, &info);
	check(info.peer_window_bytes == 3000);
	rx("A 11:21 ack 1");
	tx("A 1 ack 1 win 65535 <ts 0 101>"); /* no SACK, and our windows are not scaled either */
	talk_end();
}

/* RFC 7323 section 2.3: 14 is the most, and all 15 of them fit. */
static void cookies_of_all_scales(void)
{
	struct perch_tcp_info info;
	char syn[80];
	unsigned i;

	for (i = 0; i <= 14; i++) {
		begin_full();
		talk.ts_agreed = true;
		snprintf(syn, sizeof(syn), "S 0 <mss 1000,scale %u,ts 7 0>", i);
		rx(syn);
		tx("SA 0 ack 1");
		talk.ts_val = 8;
		rx("A 1 ack 1 win 2");
		event(PERCH_FLOW_ACCEPTED);
		perch_tcp_info(talk.net, talk.c, &info);
		check(info.peer_window_bytes == 2u << i);
		talk_end();
	}
}

static void cookies_of_all_sizes(void)
{
	static const struct {
		unsigned offered, kept;
	} sizes[] = {{0, 536}, {1, 64}, {64, 64}, {535, 64}, {536, 536}, {1219, 536}, {1220, 1220},
		{1360, 1360}, {1439, 1360}, {1440, 1440}, {65535, 1440}};
	struct perch_tcp_info info;
	char syn[80];
	unsigned i, most;

	for (i = 0; i < RTE_DIM(sizes); i++) {
		begin_full();
		snprintf(syn, sizeof(syn), "S 0 <mss %u>", sizes[i].offered);
		rx(syn);
		tx("SA 0 ack 1");
		rx("A 1 ack 1");
		event(PERCH_FLOW_ACCEPTED);
		perch_tcp_info(talk.net, talk.c, &info);
		check(info.mss_bytes >= sizes[i].kept);
		most = sizes[i].offered ? sizes[i].offered : talk.v6 ? 1220 : 536;
		check(info.mss_bytes <= RTE_MAX(most, 64u));
		talk_end();
	}
}

static void cookie_with_text_and_fin(void)
{
	begin_full();
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1");
	rx("FPA 1:11 ack 1"); /* its plain ACK was lost */
	event(PERCH_FLOW_ACCEPTED | PERCH_FLOW_READABLE);
	tx("A 1 ack 12");
	state("CLOSE-WAIT");
	reads(10);
	talk_end();
}

static void cookie_forged(void)
{
	begin_full();
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1");
	rx("A 1 ack 2");
	tx("R 2");
	rx("A 2 ack 1"); /* the ISN of the peer is another */
	tx("R 1");
	talk.peer_port = 4002;
	rx("A 1 ack 1"); /* whose cookie is that? */
	tx("R 1");
	talk.peer_port = 4001;
	rx("SA 1 ack 1");
	tx("R 1");
	ignored("RA 1 ack 1");
	rx("A 1 ack 1");
	event(PERCH_FLOW_ACCEPTED);
	talk_end();
}

static void cookie_guesses(void)
{
	char ack[40];
	int i;

	begin_full();
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1");
	for (i = 0; i < 400; i++) {
		snprintf(ack, sizeof(ack), "A 1 ack %u", 2 + (uint32_t)i * 10485761);
		rx(ack);
	}
	forget_tx();
	check(perch_tcp_counters(talk.net)->cookies_accepted == 0);
	talk_end();
}

/* What the peer's timestamp brings back belongs to the cookie. */
static void cookie_with_other_options(void)
{
	begin_full();
	rx("S 0 <mss 1000,scale 2,ts 100 0>");
	tx("SA 0 ack 1");
	rx("A 1 ack 1");
	tx("R 1");
	talk.ts_agreed = true;
	talk.ts_val = 101;
	talk.ts_heard ^= 1;
	rx("A 1 ack 1");
	tx("R 1");
	talk.ts_heard ^= 1;
	rx("A 1 ack 1");
	event(PERCH_FLOW_ACCEPTED);
	talk_end();
}

static void cookie_expires(void)
{
	begin_full();
	pass(talk.now_ns % (64 * SECOND)); /* somewhere in a slot */
	rx("S 0 <mss 1000>");
	forget_tx();
	pass(64 * SECOND);
	forget_tx();
	rx("A 1 ack 1");
	event(PERCH_FLOW_ACCEPTED);
	talk.peer_port = 4002;
	forget_tx();
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1");
	pass(129 * SECOND);
	forget_tx();
	rx("A 1 ack 1");
	tx("R 1");
	talk_end();
}

/* Also while others are answered by cookies: the clock in a cookie goes round four times. */
static void cookie_expires_under_pressure(void)
{
	uint32_t isn;
	unsigned i;

	begin_full();
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1");
	isn = talk.our_isn;
	for (i = 1; i <= 16; i++) {
		pass(64 * SECOND);
		talk.peer_port = (uint16_t)(5000 + i); /* the backlog is filled anew ... */
		rx("S 0 <mss 1000>");
		talk.peer_port = (uint16_t)(6000 + i); /* ... and this one meets a cookie */
		rx("S 0 <mss 1000>");
		forget_tx();
		if (i < 2)
			continue;
		talk.peer_port = 4001;
		talk.our_isn = isn;
		rx("A 1 ack 1");
		tx("R 1");
	}
	check(perch_tcp_counters(talk.net)->cookies_sent > 16);
	talk_end();
}

/* The clock of timestamps does not run back from a cookie's to the connection's. */
static void cookie_clock(void)
{
	uint32_t cookie_ts;
	int i;

	for (i = 0; i < 64; i += 7) {
		begin_full();
		pass(i * MS);
		talk.ts_agreed = true;
		rx("S 0 <mss 1000,scale 14,sackok,ts 100 0>");
		tx("SA 0 ack 1");
		cookie_ts = talk.ts_heard;
		talk.ts_val = 101;
		rx("A 1:11 ack 1");
		tx("A 1 ack 11");
		check((int32_t)(talk.ts_heard - cookie_ts) >= 0 && talk.ts_heard - cookie_ts < 64);
		talk_end();
	}
}

static void cookies_only_under_pressure(void)
{
	begin_with_backlog(2);
	rx("S 0");
	tx("SA 0 ack 1");
	check(perch_tcp_counters(talk.net)->cookies_sent == 0);
	talk.peer_port = 4001;
	rx("S 0");
	tx("SA 0 ack 1");
	check(perch_tcp_counters(talk.net)->cookies_sent == 0);
	talk.peer_port = 4002;
	rx("S 0");
	tx("SA 0 ack 1");
	check(perch_tcp_counters(talk.net)->cookies_sent == 1);
	check(perch_tcp_counters(talk.net)->flows == 2);
	talk_end();
}

/* A cookie comes back, and there is no room for its connection: it is as if the ACK were lost. */
static void cookie_and_a_full_table(void)
{
	struct perch_net_config cfg = talk_config();
	struct talk first;

	cfg.backlog = 1;
	cfg.max_flows = 1;
	talk_begin_with(&cfg);
	listens();
	rx("S 0");
	tx("SA 0 ack 1");
	first = talk;
	talk.peer_port = 4001;
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1");
	dropped(tcp_flow_table_full, "A 1 ack 1");
	no_tx();
	first.peer_isn = talk.peer_isn;
	talk.peer_port = 4000;
	{
		struct talk second = talk;

		turn_to(&first);
		rx("R 1");
		turn_to(&second);
	}
	talk.peer_port = 4001;
	rx("A 1:11 ack 1");
	event(PERCH_FLOW_ACCEPTED | PERCH_FLOW_READABLE);
	tx("A 1 ack 11");
	talk_end();
}

/* A flood of SYNs fills the backlog and no more; whoever answers gets in. */
static void a_flood(void)
{
	struct talk honest;
	int i;

	begin_with_backlog(100);
	for (i = 0; i < 3000; i++) {
		talk.peer_port = (uint16_t)(10000 + i);
		rx("S 0 <mss 1460,ts 5 0>");
	}
	forget_tx();
	forget_tx(); /* one turn sends 1,024, and those in the backlog came last */
	check(perch_tcp_counters(talk.net)->cookies_sent + DROPS(tcp_backlog_full) == 2900);
	check(perch_tcp_counters(talk.net)->flows == 100);
	talk.peer_port = 4000;
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1");
	honest = talk;
	for (i = 0; i < 200; i++) {
		talk.peer_port = (uint16_t)(20000 + i);
		rx("S 0 <mss 1460,ts 5 0>");
	}
	forget_tx();
	turn_to(&honest);
	rx("A 1 ack 1");
	event(PERCH_FLOW_ACCEPTED);
	rx("A 1:11 ack 1");
	tx("A 1 ack 11");
	talk_end();
}

/* ---- many, one after the other -------------------------------------------------------------- */

/* PERCH_CHURN says how many; a million in a virtual minute takes some seconds. */
static unsigned churn(void)
{
	const char *more = getenv("PERCH_CHURN");

	return more ? (unsigned)strtoul(more, NULL, 10) : 3000;
}

static void one_comes_and_goes(unsigned i, bool we_close_first)
{
	talk.peer_port = (uint16_t)(1024 + i % 60000);
	talk.ack_due = talk.written = talk.read = 0;
	talk.peer_isn += 12345678;
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1");
	rx("PA 1:11 ack 1");
	event(PERCH_FLOW_ACCEPTED | PERCH_FLOW_READABLE);
	tx("A 1 ack 11");
	reads(10);
	if (we_close_first) {
		perch_tcp_close(talk.net, talk.c);
		tx("FA 1 ack 11");
		rx("FA 11 ack 2");
		tx("A 2 ack 12");
	} else {
		rx("FA 11 ack 1");
		event(PERCH_FLOW_READABLE);
		perch_tcp_close(talk.net, talk.c);
		tx("FA 1 ack 12"); /* and the ACK rides on it */
		rx("A 12 ack 2");
	}
	no_tx();
}

/* 1 M connections a minute, here fewer of them; half of them leave TIME-WAITs, the oldest of which
 * make room. */
static void they_come_and_go(void)
{
	unsigned i, n = churn();

	talk_begin();
	listens();
	for (i = 0; i < n; i++) {
		one_comes_and_goes(i, i % 2);
		talk.now_ns += 60 * SECOND / 1000000;
	}
	check(perch_tcp_counters(talk.net)->accepted == n);
	pass(61 * SECOND);
	gone();
	talk_end();
}

static const struct suite_case cases[] = {
	{"3.9.1.1 what LISTEN refuses", what_listen_refuses},
	{"3.9.1.1 an address of its own beats any", own_address_beats_any},
	{"3.9.1.1 several ports", several_ports},
	{"3.9.1.1 listening ends", unlisten},
	{"3.5 ACK, text and FIN in one burst", accept_and_text_in_one_burst},
	{"3.5 the ACK is lost, text comes", the_ack_is_lost_but_text_comes},
	{"3.5 SYN again", syn_again},
	{"3.8.3 SYN-ACK again and again", syn_ack_again_and_again},
	{"3.5 reset before it is open", reset_before_it_is_open},
	{"3.5 reset before it is taken", reset_before_it_is_taken},
	{"a burst of peers", a_burst_of_peers},
	{"4987 3.6 cookie without timestamps", cookie_without_timestamps},
	{"4987 3.6 cookie with timestamps", cookie_with_timestamps},
	{"4987 3.6 cookie without scale", cookie_without_scale},
	{"4987 3.6 cookies of all scales", cookies_of_all_scales},
	{"4987 3.6 cookies of all sizes", cookies_of_all_sizes},
	{"4987 3.6 cookie with text and FIN", cookie_with_text_and_fin},
	{"4987 3.6 cookie forged", cookie_forged},
	{"4987 3.6 cookie guesses", cookie_guesses},
	{"4987 3.6 cookie with other options", cookie_with_other_options},
	{"4987 3.6 cookie expires", cookie_expires},
	{"4987 3.6 cookie expires under pressure", cookie_expires_under_pressure},
	{"4987 3.6 cookie's clock", cookie_clock},
	{"4987 3.6 cookies only under pressure", cookies_only_under_pressure},
	{"4987 3.6 cookie and a full table", cookie_and_a_full_table},
	{"4987 3.6 a flood", a_flood},
	{"they come and go", they_come_and_go},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return talk_main("tcp listen", cases, argc, argv);
}
