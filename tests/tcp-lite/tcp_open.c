/* SPDX-License-Identifier: BSD-3-Clause
 * How connections begin: RFC 9293 sections 3.5 and 3.10.7.2 to 3.10.7.3, what SYNs agree on, and
 * what is refused.
 */
#include <errno.h>

#include "tests/tcp-lite/talk.h"

static void passive_open(void)
{
	talk_begin();
	listens();
	rx("S 0 win 65535 <mss full>");
	tx("SA 0 ack 1 win 65535 <mss full>");
	event(0);
	rx("A 1 ack 1");
	event(PERCH_FLOW_ACCEPTED);
	check(perch_tcp_cookie(talk.net, talk.c) == &talk);
	no_tx();
	rx("A 1:101 ack 1");
	event(PERCH_FLOW_READABLE);
	tx("A 1 ack 101");
	reads(100);
	talk_end();
}

static void active_open(void)
{
	talk_begin();
	dials();
	tx("S 0 win 65535 <mss full,scale 3,sackok,ts 0 0>");
	check(!perch_tcp_is_open(talk.c));
	rx("SA 0 ack 1 win 65535 <mss 1000>");
	event(PERCH_FLOW_CONNECTED | PERCH_FLOW_WRITABLE);
	check(perch_tcp_is_open(talk.c));
	tx("A 1 ack 1");
	writes(1500);
	tx("A 1:1001 ack 1");
	tx("A 1001:1501 ack 1");
	talk_end();
}

/* ---- both at once: figure 8 ----------------------------------------------------------------- */

static void simultaneous(void)
{
	talk_begin();
	dials();
	tx("S 0");
	rx("S 0 win 3000 <mss 1000,scale 2>");
	state("SYN-RECEIVED");
	tx("SA 0 ack 1 <mss full,scale 3>");
	rx("SA 0 ack 1 win 3000 <mss 1000,scale 2>");
	event(PERCH_FLOW_CONNECTED | PERCH_FLOW_WRITABLE);
	state("ESTABLISHED");
	tx("A 1 ack 1");
	writes(1001);
	tx("A 1:1001 ack 1");
	tx("A 1001:1002 ack 1");
	talk_end();
}

static void simultaneous_with_a_plain_ack(void)
{
	talk_begin();
	dials();
	tx("S 0");
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1");
	rx("A 1 ack 1");
	event(PERCH_FLOW_CONNECTED | PERCH_FLOW_WRITABLE);
	no_tx();
	talk_end();
}

/* The answer comes before our SYN goes again: nothing of that may be left when the FIN goes. */
static void simultaneous_in_one_turn(void)
{
	talk_begin();
	dials();
	tx("S 0");
	hold();
	rx("S 0 <mss 1000>");
	rx("SA 0 ack 1 <mss 1000>");
	release();
	event(PERCH_FLOW_CONNECTED | PERCH_FLOW_WRITABLE);
	tx("A 1 ack 1");
	perch_tcp_shutdown(talk.net, talk.c);
	tx("FA 1 ack 1");
	no_tx();
	ignored("A 1 ack 2");
	state("FIN-WAIT-2");
	talk_end();
}

static void simultaneous_and_lost(void)
{
	talk_begin();
	dials();
	tx("S 0");
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1");
	tx_after(900 * MS, 2100 * MS, "SA 0 ack 1");
	rx("S 0 <mss 1000>"); /* the peer has not seen ours either */
	tx("SA 0 ack 1");
	talk_end();
}

/* MUST-11: an active open that was met by a SYN does not fall back to LISTEN. */
static void simultaneous_and_reset(void)
{
	talk_begin();
	dials();
	tx("S 0");
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1");
	rx("R 1");
	event(PERCH_FLOW_FAILED | PERCH_FLOW_READABLE | PERCH_FLOW_WRITABLE);
	check(perch_tcp_error(talk.c) == -ECONNREFUSED);
	talk_end();
}

/* ---- active --------------------------------------------------------------------------------- */

/* Figure 9: an old SYN-ACK is reset, and the open goes on. */
static void old_duplicate_syn_ack(void)
{
	talk_begin();
	dials();
	tx("S 0");
	rx("SA 0 ack -100");
	tx("R -100");
	state("SYN-SENT");
	rx("SA 0 ack 1 <mss 1000>");
	tx("A 1 ack 1");
	state("ESTABLISHED");
	talk_end();
}

/* Figure 10: the peer still has a connection that we have forgotten. */
static void half_open_peer(void)
{
	talk_begin();
	dials();
	tx("S 0");
	rx("A 100 ack 300");
	tx("R 300");
	tx_after(900 * MS, 1100 * MS, "S 0");
	rx("SA 0 ack 1 <mss 1000>");
	tx("A 1 ack 1");
	talk_end();
}

static void refused(void)
{
	talk_begin();
	dials();
	tx("S 0");
	rx("RA 0 ack 1");
	event(PERCH_FLOW_FAILED | PERCH_FLOW_READABLE | PERCH_FLOW_WRITABLE);
	check(perch_tcp_error(talk.c) == -ECONNREFUSED);
	perch_tcp_close(talk.net, talk.c);
	gone();
	talk_end();
}

static void syn_ack_with_text(void)
{
	talk_begin();
	dials();
	tx("S 0");
	rx("SA 0:10 ack 1 <mss 1000>"); /* the text is not kept; it comes again */
	tx("A 1 ack 1");
	rx("A 1:11 ack 1");
	tx("A 1 ack 11");
	reads(10);
	talk_end();
}

static void write_before_it_is_open(void)
{
	talk_begin();
	dials();
	check(perch_tcp_write(talk.net, talk.c, "x", 1) == -ENOTCONN);
	check(perch_tcp_writable(talk.net, talk.c) == 0);
	tx("S 0");
	no_tx();
	talk_end();
}

static int connect_to(const char *laddr, uint16_t lport, const char *raddr, uint16_t rport)
{
	struct perch_ip l = packets_ip(laddr), r = packets_ip(raddr);
	struct perch_tcb *c;

	return perch_tcp_connect(talk.net, &l, lport, &r, rport, talk.now_ns, &c);
}

/* MUST-46 and what else makes no sense. */
static void what_open_refuses(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.max_flows = 1;
	talk_begin_with(&cfg);
	check(connect_to("10.0.0.9", 1, "10.0.0.2", 2) == -EADDRNOTAVAIL);
	check(connect_to("10.0.0.1", 0, "10.0.0.2", 2) == -EADDRNOTAVAIL);
	check(connect_to("10.0.0.1", 1, "10.0.0.2", 0) == -ENETUNREACH);
	check(connect_to("10.0.0.1", 1, "fd00::2", 2) == -ENETUNREACH);
	check(connect_to("10.0.0.1", 1, "224.0.0.1", 2) == -ENETUNREACH);
	check(connect_to("fd00::1", 1, "ff02::1", 2) == -ENETUNREACH);
	check(connect_to("10.0.0.1", 1, "0.0.0.0", 2) == -ENETUNREACH);
	check(connect_to("10.0.0.1", 1, "192.0.2.1", 2) == -ENETUNREACH);
	check(connect_to("10.0.0.1", 1, "10.0.0.2", 2) == 0);
	check(connect_to("10.0.0.1", 1, "10.0.0.2", 2) == -EADDRINUSE);
	check(connect_to("10.0.0.1", 3, "10.0.0.2", 2) == -ENOBUFS);
	forget_tx();
	talk_end();
}

/* ---- RFC 6056: source ports ----------------------------------------------------------------- */

static struct perch_tcp_ports ports_to(unsigned host, uint16_t rport)
{
	char text[20];
	struct perch_ip us = packets_ip("10.0.0.1"), them;

	snprintf(text, sizeof(text), "10.1.%u.%u", host >> 8, host & 255);
	them = packets_ip(text);
	return perch_tcp_ports(talk.net, &us, &them, rport);
}

/* Section 3.3.4: none comes twice before all have come. */
static void ports_do_not_repeat(void)
{
	static uint8_t seen[65536];
	struct perch_tcp_ports p, other;
	unsigned i, twice = 0, low = 0;
	uint16_t port;

	talk_begin();
	memset(seen, 0, sizeof(seen));
	p = ports_to(1, 80);
	other = ports_to(2, 80);
	for (i = 0; i < PERCH_TCP_PORTS; i++) {
		port = perch_tcp_next_port(&p);
		perch_tcp_next_port(&other); /* those of others do not count */
		p = ports_to(1, 80);
		twice += seen[port]++;
		low += port < 32768;
	}
	check(twice == 0);
	check(low == 0);
	talk_end();
}

/* Where a destination begins is spread evenly, and the key's secret. */
static void ports_are_spread(void)
{
	struct perch_net_config cfg = talk_config();
	unsigned places[16] = {0}, i, same = 0;
	struct perch_tcp_ports p;
	uint16_t first[1000];

	talk_begin();
	for (i = 0; i < 1000; i++) {
		p = ports_to(i, (uint16_t)(80 + i % 3));
		first[i] = perch_tcp_next_port(&p);
		places[(first[i] - 32768) / 2048]++;
	}
	for (i = 0; i < 16; i++)
		check(places[i] > 30 && places[i] < 100); /* 62.5 are expected */
	for (i = 0; i < 1000; i++) /* the remote port is part of it */
		same += ports_to(i, 80).offset == ports_to(i, 81).offset;
	check(same == 0);
	talk_end();
	memcpy(cfg.secret, "another secret..", 16);
	talk_begin_with(&cfg);
	for (i = 0; i < 1000; i++) {
		p = ports_to(i, (uint16_t)(80 + i % 3));
		same += perch_tcp_next_port(&p) == first[i];
	}
	check(same < 5);
	talk_end();
}

/* One that waits in TIME-WAIT is not to be had. */
static void ports_in_time_wait(void)
{
	struct perch_tcb *c;

	talk_begin();
	connects("mss 1000");
	perch_tcp_close(talk.net, talk.c);
	tx("FA 1");
	rx("FA 1 ack 2");
	tx("A 2 ack 2");
	check(perch_tcp_counters(talk.net)->time_wait == 1);
	check(perch_tcp_connect(talk.net, &talk.c->laddr, talk.our_port, &talk.c->raddr,
		talk.peer_port, talk.now_ns, &c) == -EADDRINUSE);
	talk_end();
}

static const struct suite_case cases[] = {
	{"6056 3.3.4 ports do not repeat", ports_do_not_repeat},
	{"6056 3.3.4 ports are spread", ports_are_spread},
	{"6056 3.2 ports in TIME-WAIT", ports_in_time_wait},
	{"3.5 figure 8, simultaneous open", simultaneous},
	{"3.5 simultaneous open, a plain ACK", simultaneous_with_a_plain_ack},
	{"3.5 simultaneous open in one turn", simultaneous_in_one_turn},
	{"3.5 simultaneous open and losses", simultaneous_and_lost},
	{"3.5 simultaneous open and reset", simultaneous_and_reset},
	{"3.5 figure 9, old duplicate SYN-ACK", old_duplicate_syn_ack},
	{"3.5.1 figure 10, half-open peer", half_open_peer},
	{"3.10.7.3 refused", refused},
	{"3.10.7.3 SYN-ACK with text", syn_ack_with_text},
	{"3.10.2 write before it is open", write_before_it_is_open},
	{"3.9.1.1 what OPEN refuses", what_open_refuses},
	{"3.5 passive open", passive_open},
	{"3.5 active open", active_open},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return talk_main("tcp open", cases, argc, argv);
}
