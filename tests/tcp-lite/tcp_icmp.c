/* SPDX-License-Identifier: BSD-3-Clause
 * What TCP is told by others than its peer, and what it does when nobody says anything: ICMP errors
 * (RFC 9293 section 3.9.2.2, RFC 5927), giving up (3.8.3), keepalive (3.8.4).
 */
#include <errno.h>

#include "tests/tcp-lite/talk.h"

static void unreachable(unsigned code4, unsigned code6, uint32_t seq)
{
	rx_icmp(talk.v6 ? 1 : 3, talk.v6 ? code6 : code4, 0, seq);
}

static void port_unreachable(uint32_t seq)
{
	unreachable(3, 4, seq);
}

static void host_unreachable(uint32_t seq)
{
	unreachable(1, 3, seq);
}

static void too_big(uint32_t mtu, uint32_t seq)
{
	rx_icmp(talk.v6 ? 2 : 3, talk.v6 ? 0 : 4, mtu, seq);
}

/* ---- ICMP ----------------------------------------------------------------------------------- */

static void refused_while_opening(void)
{
	talk_begin();
	dials();
	tx("S 0");
	port_unreachable(0);
	event(PERCH_FLOW_FAILED | PERCH_FLOW_READABLE | PERCH_FLOW_WRITABLE);
	check(perch_tcp_error(talk.c) == -ECONNREFUSED);
	talk_end();
}

/* RFC 1122 section 4.2.3.9: a hint while there is hope, the reason when there is none. */
static void unreachable_while_opening(void)
{
	talk_begin();
	dials();
	tx("S 0");
	host_unreachable(0);
	state("SYN-SENT");
	tx_after(900 * MS, 1100 * MS, "S 0");
	pass(300 * SECOND);
	forget_tx();
	state("CLOSED");
	check(perch_tcp_error(talk.c) == -EHOSTUNREACH);
	talk_end();
}

static void never_an_abort_once_open(void)
{
	talk_begin();
	accepts("mss 1000");
	writes(10);
	tx("A 1:11");
	port_unreachable(1);
	host_unreachable(1);
	rx_icmp(talk.v6 ? 3 : 11, 0, 0, 1);
	rx_icmp(talk.v6 ? 4 : 12, 0, 0, 1);
	state("ESTABLISHED");
	rx("A 1 ack 11");
	check(perch_tcp_error(talk.c) == 0);
	talk_end();
}

/* RFC 5927 section 4.1: it must quote what is in flight. */
static void forged_numbers(void)
{
	talk_begin();
	dials();
	tx("S 0");
	port_unreachable(1);
	port_unreachable(-1u);
	port_unreachable(123456);
	state("SYN-SENT");
	talk_end();
}

static void narrower_path(void)
{
	struct perch_tcp_info info;

	talk_begin();
	accepts("mss 1440");
	writes(1440);
	tx("A 1:1441");
	too_big(1300, 1);
	tx(talk.v6 ? "A 1:1241" : "A 1:1261");
	tx(talk.v6 ? "A 1241:1441" : "A 1261:1441");
	no_tx();
	perch_tcp_info(talk.net, talk.c, &info);
	check(info.mss_bytes == (talk.v6 ? 1240 : 1260));
	talk_end();
}

static void path_of_dust(void)
{
	struct perch_tcp_info info;

	talk_begin();
	accepts("mss 1440");
	writes(1440);
	tx("A 1:1441");
	too_big(68, 1);
	perch_tcp_info(talk.net, talk.c, &info);
	check(info.mss_bytes == (talk.v6 ? 1280 - 60 : 576 - 40)); /* RFC 5927 section 7 */
	talk_end();
}

static void wider_path_is_no_news(void)
{
	struct perch_tcp_info info;

	talk_begin();
	accepts("mss 1000");
	writes(1000);
	tx("A 1:1001");
	too_big(1400, 1);
	no_tx();
	perch_tcp_info(talk.net, talk.c, &info);
	check(info.mss_bytes == 1000);
	talk_end();
}

static void forged_too_big(void)
{
	talk_begin();
	accepts("mss 1440");
	writes(1440);
	tx("A 1:1441");
	too_big(1300, 1441);
	too_big(1300, 0);
	no_tx();
	talk_end();
}

/* ---- giving up ------------------------------------------------------------------------------ */

static void syn_gives_up(void)
{
	int64_t wait_ns = SECOND;
	int i;

	talk_begin();
	dials();
	tx("S 0");
	for (i = 0; i < 6; i++, wait_ns = RTE_MIN(2 * wait_ns, 60 * SECOND))
		tx_after(wait_ns - MS, wait_ns + MS, "S 0");
	no_tx_until(61 * SECOND);
	event(PERCH_FLOW_FAILED | PERCH_FLOW_READABLE | PERCH_FLOW_WRITABLE);
	check(perch_tcp_error(talk.c) == -ETIMEDOUT);
	talk_end();
}

static void syn_tries_as_configured(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.syn_retries = 1;
	talk_begin_with(&cfg);
	dials();
	tx("S 0");
	tx_after(900 * MS, 1100 * MS, "S 0");
	no_tx_until(3 * SECOND);
	state("CLOSED");
	talk_end();
}

static void data_gives_up(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.data_retries = 4;
	talk_begin_with(&cfg);
	accepts("mss 1000");
	writes(10);
	tx("A 1:11");
	pass(300 * SECOND);
	check(forget_tx() == 4);
	event(PERCH_FLOW_FAILED | PERCH_FLOW_READABLE | PERCH_FLOW_WRITABLE);
	check(perch_tcp_error(talk.c) == -ETIMEDOUT);
	perch_tcp_close(talk.net, talk.c);
	gone();
	talk_end();
}

static void the_reason_is_what_icmp_said(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.data_retries = 2;
	talk_begin_with(&cfg);
	accepts("mss 1000");
	writes(10);
	tx("A 1:11");
	host_unreachable(1);
	pass(100 * SECOND);
	forget_tx();
	check(perch_tcp_error(talk.c) == -EHOSTUNREACH);
	talk_end();
}

/* ---- keepalive ------------------------------------------------------------------------------ */

static void begin_keepalive(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.keepalive_ns = 100 * SECOND;
	talk_begin_with(&cfg);
	accepts("mss 1000");
}

static void keepalive_is_off(void)
{
	talk_begin();
	accepts("mss 1000");
	no_tx_until(10 * 3600 * SECOND);
	state("ESTABLISHED");
	talk_end();
}

static void keepalive(void)
{
	begin_keepalive();
	tx_after(100 * SECOND - MS, 100 * SECOND + MS, "A 0 ack 1"); /* no text, an old number */
	rx("A 1 ack 1");
	tx_after(100 * SECOND - MS, 100 * SECOND + MS, "A 0 ack 1");
	talk_end();
}

static void keepalive_only_if_idle(void)
{
	begin_keepalive();
	pass(90 * SECOND);
	rx("A 1:11 ack 1");
	tx("A 1 ack 11");
	no_tx_until(99 * SECOND);
	tx_after(0, 2 * SECOND, "A 0 ack 11");
	talk_end();
}

static void keepalive_bears_losses(void)
{
	int i;

	begin_keepalive();
	tx_after(99 * SECOND, 101 * SECOND, "A 0 ack 1");
	for (i = 0; i < 7; i++)
		tx_after(74 * SECOND, 76 * SECOND, "A 0 ack 1");
	rx("A 1 ack 1");
	state("ESTABLISHED");
	no_tx_until(99 * SECOND);
	talk_end();
}

static void keepalive_gives_up(void)
{
	int i;

	begin_keepalive();
	tx_after(99 * SECOND, 101 * SECOND, "A 0 ack 1");
	for (i = 0; i < 8; i++)
		tx_after(74 * SECOND, 76 * SECOND, "A 0 ack 1");
	no_tx_until(76 * SECOND);
	state("CLOSED");
	check(perch_tcp_error(talk.c) == -ETIMEDOUT);
	talk_end();
}

static void keepalive_meets_a_reboot(void)
{
	begin_keepalive();
	tx_after(99 * SECOND, 101 * SECOND, "A 0 ack 1");
	rx("R 1");
	state("CLOSED");
	check(perch_tcp_error(talk.c) == -ECONNRESET);
	talk_end();
}

/* Section 3.8.4, MUST-24: for each connection, on or off. */
static void keepalive_of_one(void)
{
	talk_begin();
	accepts("mss 1000");
	perch_tcp_set_keepalive(talk.net, talk.c, true);
	no_tx_until(7199 * SECOND); /* MUST-28: two hours, if nobody says how long */
	tx_after(0, 2 * SECOND, "A 0 ack 1");
	rx("A 1 ack 1");
	perch_tcp_set_keepalive(talk.net, talk.c, false);
	no_tx_until(20000 * SECOND);
	state("ESTABLISHED");
	talk_end();
}

static void keepalive_of_all_but_one(void)
{
	begin_keepalive();
	perch_tcp_set_keepalive(talk.net, talk.c, false);
	no_tx_until(20000 * SECOND);
	perch_tcp_set_keepalive(talk.net, talk.c, true);
	tx_after(99 * SECOND, 101 * SECOND, "A 0 ack 1");
	talk_end();
}

/* MUST-26: not while something is in flight, which is asked after by itself. */
static void keepalive_not_in_flight(void)
{
	begin_keepalive();
	writes(10);
	tx("A 1:11");
	pass(30 * SECOND);
	forget_tx();
	rx("A 1 ack 11");
	no_tx_until(99 * SECOND);
	tx_after(0, 2 * SECOND, "A 10 ack 1");
	talk_end();
}

/* ---- the user timeout ----------------------------------------------------------------------- */

#define GIVEN_UP (PERCH_FLOW_FAILED | PERCH_FLOW_READABLE | PERCH_FLOW_WRITABLE)

static void begin_user_timeout(int64_t ns)
{
	struct perch_net_config cfg = talk_config();

	cfg.user_timeout_ns = ns;
	talk_begin_with(&cfg);
	accepts("mss 1000");
}

/* At that time, and not only at the next retransmission timeout. */
static void user_timeout(void)
{
	begin_user_timeout(5 * SECOND);
	writes(10);
	tx("A 1:11");
	pass(4990 * MS);
	check(forget_tx() > 0);
	state("ESTABLISHED");
	pass(20 * MS);
	event(GIVEN_UP);
	check(perch_tcp_error(talk.c) == -ETIMEDOUT);
	perch_tcp_close(talk.net, talk.c);
	gone();
	talk_end();
}

/* Progress begins it anew; idle time does not count. */
static void user_timeout_and_progress(void)
{
	begin_user_timeout(5 * SECOND);
	pass(60 * SECOND);
	writes(2000);
	tx("A 1:1001");
	tx("A 1001:2001");
	pass(4 * SECOND);
	forget_tx();
	rx("A 1 ack 1001");
	pass(4 * SECOND);
	forget_tx();
	rx("A 1 ack 1001"); /* this is none */
	pass(900 * MS);
	state("ESTABLISHED");
	pass(200 * MS);
	event(GIVEN_UP);
	talk_end();
}

/* A closed window that is never opened: what waits makes no progress (as Linux sees it). */
static void user_timeout_of_a_closed_window(void)
{
	uint64_t probes;
	int i;

	begin_user_timeout(5 * SECOND);
	writes(1000);
	tx("A 1:1001");
	rx("A 1 ack 1001 win 0");
	writes(10);
	for (i = 0; i < 9; i++) {
		pass(500 * MS);
		forget_tx();
		rx("A 1 ack 1001 win 0");
	}
	state("ESTABLISHED");
	probes = perch_tcp_counters(talk.net)->zero_window_probes;
	pass(600 * MS);
	event(GIVEN_UP);
	check(perch_tcp_counters(talk.net)->zero_window_probes == probes);
	talk_end();
}

static void user_timeout_of_one(void)
{
	begin_user_timeout(0);
	check(perch_tcp_set_user_timeout(talk.net, talk.c, -1) == -EINVAL);
	check(perch_tcp_set_user_timeout(talk.net, talk.c, 600 * SECOND) == -EINVAL);
	writes(10);
	tx("A 1:11");
	pass(SECOND);
	check(perch_tcp_set_user_timeout(talk.net, talk.c, 2 * SECOND) == 0);
	pass(990 * MS);
	state("ESTABLISHED");
	pass(30 * MS);
	event(GIVEN_UP);
	check(perch_tcp_error(talk.c) == -ETIMEDOUT);
	talk_end();
}

/* What was asked for holds for what is sent later, too. */
static void user_timeout_outlives_acks(void)
{
	begin_user_timeout(0);
	check(perch_tcp_set_user_timeout(talk.net, talk.c, 100 * MS) == 0);
	writes(10);
	tx("A 1:11");
	rx("A 1 ack 11");
	writes(10);
	tx("A 11:21");
	rx("A 1 ack 21");
	writes(10);
	tx("A 21:31");
	pass(80 * MS);
	state("ESTABLISHED");
	pass(40 * MS); /* a retransmission would be due after 200 ms */
	event(GIVEN_UP);
	check(perch_tcp_error(talk.c) == -ETIMEDOUT);
	talk_end();
}

/* A FIN that nobody acknowledges, long after the last data. */
static void user_timeout_of_a_fin(void)
{
	begin_user_timeout(5 * SECOND);
	pass(60 * SECOND);
	perch_tcp_shutdown(talk.net, talk.c);
	tx("FA 1");
	pass(4900 * MS);
	state("FIN-WAIT-1");
	pass(200 * MS);
	event(GIVEN_UP);
	talk_end();
}

static void user_timeout_of_a_syn(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.user_timeout_ns = 2 * SECOND;
	talk_begin_with(&cfg);
	pass(60 * SECOND);
	dials();
	tx("S 0");
	tx_after(990 * MS, 1010 * MS, "S 0");
	no_tx_until(990 * MS);
	pass(20 * MS);
	event(GIVEN_UP);
	talk_end();
}

static const struct suite_case cases[] = {
	{"3.8.4 keepalive of one", keepalive_of_one},
	{"3.8.4 keepalive of all but one", keepalive_of_all_but_one},
	{"3.8.4 keepalive not in flight", keepalive_not_in_flight},
	{"3.8.3 user timeout", user_timeout},
	{"3.8.3 user timeout and progress", user_timeout_and_progress},
	{"3.8.3 user timeout of a closed window", user_timeout_of_a_closed_window},
	{"3.8.3 user timeout of one", user_timeout_of_one},
		{"a user timeout outlives ACKs", user_timeout_outlives_acks},
	{"3.8.3 user timeout of a FIN", user_timeout_of_a_fin},
	{"3.8.3 user timeout of a SYN", user_timeout_of_a_syn},
	{"3.9.2.2 refused while opening", refused_while_opening},
	{"3.9.2.2 unreachable while opening", unreachable_while_opening},
	{"3.9.2.2 never an abort once open", never_an_abort_once_open},
	{"5927 4.1 forged numbers", forged_numbers},
	{"3.7.5 a narrower path", narrower_path},
	{"5927 7 a path of dust", path_of_dust},
	{"3.7.5 a wider path is no news", wider_path_is_no_news},
	{"5927 4.1 forged too big", forged_too_big},
	{"3.8.3 SYN gives up", syn_gives_up},
	{"3.8.3 SYN tries as configured", syn_tries_as_configured},
	{"3.8.3 data gives up", data_gives_up},
	{"3.8.3 the reason is what ICMP said", the_reason_is_what_icmp_said},
	{"3.8.4 keepalive is off", keepalive_is_off},
	{"3.8.4 keepalive", keepalive},
	{"3.8.4 keepalive only if idle", keepalive_only_if_idle},
	{"3.8.4 keepalive bears losses", keepalive_bears_losses},
	{"3.8.4 keepalive gives up", keepalive_gives_up},
	{"3.8.4 keepalive meets a reboot", keepalive_meets_a_reboot},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return talk_main("tcp icmp", cases, argc, argv);
}
