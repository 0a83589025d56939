/* SPDX-License-Identifier: BSD-3-Clause
 * Packet buffers are the lcore's, not those of the first who want them: peers that have gone, and
 * handlers that do not read, leave enough for others, and for what comes in to be heard.
 */
#include <string.h>

#include "tests/tcp-lite/talk.h"

enum { STUCK = 60, PIECE = 1400 };

static struct talk stuck[STUCK];
static const uint8_t zeroes[128 * 1024];

static void begins(void)
{
	talk_begin();
	listens();
}

static const char *syn = "S 0 win 65535 <mss 1460>";

/* Another peer port, another connection. */
static void another(unsigned i)
{
	talk.peer_port = (uint16_t)(5000 + i);
	talk.our_isn = talk.ack_due = talk.written = talk.read = 0;
	talk.peer_isn = 1000000 + 1000 * i;
	rx(syn);
	tx("SA 0 ack 1");
	rx("A 1 ack 1");
	event(PERCH_FLOW_ACCEPTED);
}

/* Handlers that write all they can, to peers that never answer again. */
static void all_write(void)
{
	unsigned i;

	for (i = 0; i < STUCK; i++) {
		another(i);
		while (perch_tcp_write(talk.net, talk.c, zeroes, sizeof(zeroes)) > 0)
			;
		perch_net_output(talk.net, talk.now_ns);
		forget_tx();
		stuck[i] = talk;
	}
}

static void newcomer_talks(void)
{
	another(STUCK + 1);
	rx("PA 1:101 ack 1");
	event(PERCH_FLOW_READABLE);
	reads(100);
	writes(100);
	tx("PA 1:101 ack 101");
	rx("A 101 ack 101");
	check(talk.c->outbox == 0);
}

static void writers(void)
{
	const struct perch_net *net;
	unsigned i, least = UINT_MAX;

	begins();
	all_write();
	net = talk.net;
	check(net->held <= net->held_max);
	check(net->held > net->held_max / 2);
	for (i = 0; i < STUCK; i++) {
		turn_to(&stuck[i]);
		if (perch_tcp_unacked(talk.c) < least)
			least = perch_tcp_unacked(talk.c);
	}
	check(least >= PIECE); /* the last one got its part, too */
	newcomer_talks();
	for (i = 0; i < STUCK; i++) {
		turn_to(&stuck[i]);
		rx("R 1");
		event(PERCH_FLOW_READABLE | PERCH_FLOW_WRITABLE | PERCH_FLOW_FAILED);
	}
	check(net->held == 0);
	talk_end();
}

/* Of those that want more than there is, each takes a third of what is left, not all of it. */
static void by_thirds(void)
{
	const struct perch_net *net;
	uint32_t before = 0, took[5];
	unsigned i;

	begins();
	net = talk.net;
	syn = "S 0 win 65535 <mss 100>"; /* a packet each, so few bytes are many */
	for (i = 0; i < RTE_DIM(took); i++, before = net->held) {
		another(i);
		while (perch_tcp_write(talk.net, talk.c, zeroes, sizeof(zeroes)) > 0)
			;
		took[i] = net->held - before;
		perch_net_output(talk.net, talk.now_ns);
		forget_tx();
	}
	syn = "S 0 win 65535 <mss 1460>";
	check(took[0] == net->pool->size / 8); /* the most that one may have */
	check(took[3] < took[2] && took[2] < took[1]);
	check(took[4] > 64);
	talk_end();
}

/* Who waits because others hold much goes on when its own has arrived. */
static void waits_for_its_own(void)
{
	unsigned i;

	begins();
	all_write();
	turn_to(&stuck[STUCK - 1]);
	check(perch_tcp_write(talk.net, talk.c, zeroes, PIECE) == 0);
	for (i = 0; i < 200 && perch_tcp_unacked(talk.c) > 0; i++) {
		char ack[32];

		snprintf(ack, sizeof(ack), "A 1 ack %u", talk.c->snd_nxt - talk.our_isn);
		rx(ack);
		forget_tx();
	}
	event(PERCH_FLOW_WRITABLE);
	check(perch_tcp_write(talk.net, talk.c, zeroes, PIECE) == PIECE);
	talk_end();
}

/* What nobody reads: a queue's share is full, and what comes beyond it is dropped by a name. */
static void readers(void)
{
	const struct perch_net *net;
	unsigned i, k;

	begins();
	net = talk.net;
	for (i = 0; i < STUCK; i++) {
		another(i);
		for (k = 0; k < 46; k++) { /* 64 KB, the window at first */
			char segment[48];

			snprintf(segment, sizeof(segment), "A %u:%u ack 1", k * PIECE + 1,
				(k + 1) * PIECE + 1);
			rx(segment);
			forget_tx();
		}
		event(PERCH_FLOW_READABLE);
	}
	check(net->held <= net->held_max);
	check(net->held > net->held_max / 2);
	check(DROPS(tcp_no_share) > 0);
	newcomer_talks();
	talk_end();
}

/* Far more than there is room for: beyond the budget nothing is queued, and all is still heard. */
static void beyond(void)
{
	const struct perch_net *net;
	unsigned i;

	begins();
	net = talk.net;
	for (i = 0; i < 240; i++) {
		another(i);
		while (perch_tcp_write(talk.net, talk.c, zeroes, 60 * PIECE) > 0)
			;
		perch_net_output(talk.net, talk.now_ns);
		forget_tx();
		if (i == 0)
			stuck[0] = talk;
	}
	check(net->held == net->held_max);
	check(perch_tcp_write(talk.net, talk.c, zeroes, PIECE) <= 0);
	another(240);
	check(perch_tcp_write(talk.net, talk.c, zeroes, PIECE) == -ENOBUFS);
	check(DROPS(mbuf_exhausted) > 0);
	turn_to(&stuck[0]);
	rx("R 1");
	event(PERCH_FLOW_READABLE | PERCH_FLOW_WRITABLE | PERCH_FLOW_FAILED);
	check(net->held < net->held_max);
	talk_end();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"writers leave enough for others", writers},
		{"each a part of what is left", by_thirds},
		{"who waits goes on with its own ACKs", waits_for_its_own},
		{"what is not read leaves enough for others", readers},
		{"beyond the budget all is still heard", beyond},
		{NULL, NULL},
	};

	return talk_main("tcp memory", cases, argc, argv);
}
