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

static const struct suite_case cases[] = {
	{"3.5 passive open", passive_open},
	{"3.5 active open", active_open},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return talk_main("tcp open", cases, argc, argv);
}
