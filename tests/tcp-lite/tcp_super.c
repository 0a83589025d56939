/* SPDX-License-Identifier: BSD-3-Clause
 * Segments that leave together in one packet, which the port cuts (TSO): the conversations see what
 * a NIC makes of it (nic.c), and the counters how many packets that were. Each of them is sent
 * again, SACKed and measured by itself.
 */
#include "tests/tcp-lite/talk.h"

#define counters() (*perch_tcp_counters(talk.net))

static uint8_t lent[20000]; /* the stream's first bytes */
static struct rte_mbuf_ext_shared_info shared;
static struct perch_tcp_loan loan = {.data = lent, .shared = &shared};

static void begin_pieces(const char *syn_options, uint16_t pieces)
{
	struct perch_net_config cfg = talk_config();
	uint32_t i;

	cfg.ifs[0].tx_offloads = PERCH_NET_TX_TCP_CKSUM | PERCH_NET_TX_TCP_TSO;
	cfg.ifs[0].tso_pieces = pieces;
	cfg.keep_cwnd = true;
	talk_begin_with(&cfg);
	accepts(syn_options);
	for (i = 0; i < sizeof(lent); i++)
		lent[i] = talk_byte(i);
	rte_mbuf_ext_refcnt_set(&shared, 1);
}

static void begin(void)
{
	begin_pieces("mss 1000,sackok", 0);
}

/* From byte `from` on, `n` full segments, then one of `rest`. */
static void segments(uint32_t from, unsigned n, uint32_t rest)
{
	char text[40];

	for (; n > 0 || rest > 0; n--) {
		uint32_t len = n > 0 ? 1000 : rest;

		snprintf(text, sizeof(text), "A %u:%u ack 1", from, from + len);
		tx(text);
		from += len;
		if (n == 0)
			break;
	}
}

static void lends(uint32_t n)
{
	check(perch_tcp_lend(talk.net, talk.c, &loan, lent + talk.written, n) == n);
	talk.written += n;
}

/* ---- what goes together --------------------------------------------------------------------- */

static void as_many_as_may_go(void)
{
	begin();
	writes(9300);
	segments(1, 9, 300);
	no_tx();
	check(counters().supers == 1);
	check(counters().segs_out == 1 + 10); /* the SYN's answer */
	rx("A 1 ack 9301");
	no_tx();
	talk_end();
}

static void one_segment_is_none(void)
{
	begin();
	writes(1000);
	segments(1, 1, 0);
	rx("A 1 ack 1001");
	writes(300);
	tx("A 1001:1301");
	check(counters().supers == 0);
	talk_end();
}

/* IW10, of which each ACK lets more go. */
static void no_more_than_cwnd_allows(void)
{
	begin();
	writes(15000);
	segments(1, 10, 0);
	no_tx();
	check(counters().supers == 1);
	rx("A 1 ack 2001");
	segments(10001, 4, 0);
	no_tx();
	check(counters().supers == 2);
	talk_end();
}

static void no_more_than_the_window_allows(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.ifs[0].tx_offloads = PERCH_NET_TX_TCP_CKSUM | PERCH_NET_TX_TCP_TSO;
	talk_begin_with(&cfg);
	accepts_window(3500, "mss 1000,sackok");
	writes(8000);
	segments(1, 3, 0);
	no_tx();
	check(counters().supers == 1);
	rx("A 1 ack 3001 win 5000");
	segments(3001, 5, 0);
	talk_end();
}

static void no_more_pieces_than_the_port_takes(void)
{
	begin_pieces("mss 1000,sackok", 4);
	writes(10000);
	segments(1, 10, 0);
	check(counters().supers == 3);
	talk_end();
}

/* A short one in the middle would move all cuts behind it. */
static void a_short_one_is_the_last(void)
{
	begin();
	lends(2500);
	lends(2000);
	segments(1, 2, 500);
	segments(2501, 2, 0);
	check(counters().supers == 2);
	rx("A 1 ack 4501");
	check(rte_mbuf_ext_refcnt_read(&shared) == 1);
	talk_end();
}

/* PSH and FIN belong to the last. */
static void fin_is_on_the_last(void)
{
	begin();
	writes(3500);
	perch_tcp_shutdown(talk.net, talk.c);
	tx("A 1:1001");
	tx("A 1001:2001");
	tx("A 2001:3001");
	tx("FA 3001:3501");
	check(counters().supers == 1);
	rx("A 1 ack 3502");
	state("FIN-WAIT-2");
	talk_end();
}

static void all_arrives(void)
{
	char ack[40];

	snprintf(ack, sizeof(ack), "A 1 ack %u win 65535", talk.written + 1);
	rx(ack);
}

/* 64 KB with all headers, and no byte more. */
static void no_more_than_an_ip_packet_holds(void)
{
	unsigned i, most, full;
	uint64_t before;

	begin_pieces("mss full,sackok,scale 7", 0);
	full = talk.v6 ? 1440 : 1460;
	most = (65535 - 40 - 60) / full;
	for (i = 0; i < 50 && talk.c->cwnd < 2 * 65536; i++) { /* slow start */
		writes(talk.c->cwnd);
		forget_tx();
		all_arrives();
	}
	before = counters().supers;
	writes((2 * most + 1) * full);
	check(forget_tx() == 2 * most + 1);
	check(counters().supers - before == 2); /* and one alone */
	all_arrives();
	talk_end();
}

/* A view that its reader has sent on and still looks at has another reference. */
static void what_is_still_read_goes_alone(void)
{
	const void *view;
	uint32_t n;

	begin();
	rx("A 1:1001 ack 1");
	rx("A 1001:2001 ack 1");
	forget_tx();
	reads(1000);
	lends(1000);
	n = perch_tcp_peek(talk.c, &view);
	check(perch_tcp_forward(talk.net, talk.c, talk.c, view, n));
	talk.written += n;
	tx("A 1:1001 ack 2001");
	tx("A 1001:2001 ack 2001");
	check(counters().supers == 0);
	perch_tcp_release(talk.net, talk.c);
	all_arrives();
	talk_end();
}

/* ---- what is lost --------------------------------------------------------------------------- */

static void a_part_is_sacked(void)
{
	begin();
	writes(8000);
	segments(1, 8, 0);
	check(counters().supers == 1);
	rx("A 1 ack 2001 <sack 3001:4001>");
	rx("A 1 ack 2001 <sack 3001:5001>");
	rx("A 1 ack 2001 <sack 3001:6001>");
	tx("A 2001:3001");
	no_tx();
	check(counters().retransmits == 1);
	rx("A 1 ack 8001");
	no_tx_until(3 * SECOND);
	talk_end();
}

/* What was on its way together is let go one by one. */
static void an_abort_lets_go_of_all(void)
{
	begin();
	writes(3000);
	lends(3000);
	segments(1, 6, 0);
	perch_tcp_abort(talk.net, talk.c);
	check(rte_mbuf_ext_refcnt_read(&shared) == 1);
	tx("RA 6001");
	gone();
	talk_end();
}

/* Of what the network has counted, a segment is a segment: three duplicates, and one is lost. */
static void without_sack(void)
{
	begin_pieces("mss 1000", 0);
	writes(6000);
	segments(1, 6, 0);
	rx("A 1 ack 1001");
	rx("A 1 ack 1001");
	rx("A 1 ack 1001");
	rx("A 1 ack 1001");
	tx("A 1001:2001");
	no_tx();
	rx("A 1 ack 6001");
	talk_end();
}

static void all_is_lost(void)
{
	begin();
	writes(4000);
	segments(1, 4, 0);
	tx_after(0, SECOND, "A 3001:4001"); /* the probe */
	tx_after(0, 2 * SECOND, "A 1:1001");
	rx("A 1 ack 1001");
	tx("A 1001:2001");
	tx("A 2001:3001");
	rx("A 1 ack 4001");
	no_tx_until(3 * SECOND);
	talk_end();
}

/* The port still has it, all of it: what is lost goes as a copy, and is not waited for. */
static void lent_and_lost(void)
{
	begin();
	lends(5000);
	segments(1, 5, 0);
	check(rte_mbuf_ext_refcnt_read(&shared) == 6);
	rx("A 1 ack 1 <sack 1001:2001>");
	rx("A 1 ack 1 <sack 1001:3001>");
	rx("A 1 ack 1 <sack 1001:4001>");
	tx("A 1:1001");
	rx("A 1 ack 4501"); /* the middle of the last */
	check(rte_mbuf_ext_refcnt_read(&shared) == 2);
	tx_after(0, 2 * SECOND, "A 4501:5001");
	rx("A 1 ack 5001");
	check(rte_mbuf_ext_refcnt_read(&shared) == 1);
	talk_end();
}

/* A recording is played on another port: where that takes no pieces, nothing else is different. */
static void copies_are_cut_as_loans(void)
{
	begin();
	loan.shared = NULL;
	lends(300);
	writes(300);
	lends(300);
	tx("A 1:301");
	tx("A 301:601");
	tx("A 601:901");
	check(counters().lent == 0);
	tx_after(0, SECOND, "A 601:901"); /* the probe */
	tx_after(0, 2 * SECOND, "A 1:301");
	rx("A 1 ack 301");
	tx("A 301:901"); /* what was written takes in what follows; what was lent does not */
	rx("A 1 ack 901");
	loan.shared = &shared;
	talk_end();
}

/* A router says that segments of a super-segment are too long: they are sent again, in pieces. */
static void the_path_is_narrower(void)
{
	begin_pieces("mss full,sackok", 0);
	writes(4000);
	check(forget_tx() == 3);
	check(counters().supers == 1);
	rx_icmp(talk.v6 ? 2 : 3, talk.v6 ? 0 : 4, 1280, 1);
	check(forget_tx() >= 1);
	rx("A 1 ack 4001");
	writes(5000);
	check(forget_tx() == 5); /* of 1,240 or 1,220 bytes */
	check(counters().supers == 2);
	talk_end();
}

int main(int argc, char **argv)
{
	const struct suite_case cases[] = {
		{"as_many_as_may_go", as_many_as_may_go},
		{"one_segment_is_none", one_segment_is_none},
		{"no_more_than_cwnd_allows", no_more_than_cwnd_allows},
		{"no_more_than_the_window_allows", no_more_than_the_window_allows},
		{"no_more_pieces_than_the_port_takes", no_more_pieces_than_the_port_takes},
		{"a_short_one_is_the_last", a_short_one_is_the_last},
		{"fin_is_on_the_last", fin_is_on_the_last},
		{"no_more_than_an_ip_packet_holds", no_more_than_an_ip_packet_holds},
		{"what_is_still_read_goes_alone", what_is_still_read_goes_alone},
		{"copies_are_cut_as_loans", copies_are_cut_as_loans},
		{"a_part_is_sacked", a_part_is_sacked},
		{"an_abort_lets_go_of_all", an_abort_lets_go_of_all},
		{"without_sack", without_sack},
		{"all_is_lost", all_is_lost},
		{"lent_and_lost", lent_and_lost},
		{"the_path_is_narrower", the_path_is_narrower},
		{NULL, NULL},
	};

	return talk_main("tcp super", cases, argc, argv);
}
