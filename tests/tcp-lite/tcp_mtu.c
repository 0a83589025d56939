/* SPDX-License-Identifier: BSD-3-Clause
 * Paths that are narrower than they seem: black holes (RFC 4821, RFC 8899), trials of longer
 * segments, and routers whose word is doubted (RFC 5927 section 7.2). Full segments are of 1,460
 * bytes over IPv4 and 1,440 over IPv6; those that every path is tried with have 1,240 and 1,220.
 */
#include "tests/tcp-lite/talk.h"

#define counters() (*perch_tcp_counters(talk.net))

static uint32_t full, base;
static uint32_t nxt; /* the next byte to be sent, relative */

static uint32_t mss(void)
{
	struct perch_tcp_info info;

	perch_tcp_info(talk.net, talk.c, &info);
	return info.mss_bytes;
}

static uint32_t cwnd(void)
{
	struct perch_tcp_info info;

	perch_tcp_info(talk.net, talk.c, &info);
	return info.cwnd_bytes;
}

static void opens(const char *options)
{
	struct perch_net_config cfg = talk_config();
	char text[60];

	cfg.keep_cwnd = true;
	talk_begin_with(&cfg);
	full = talk.v6 ? 1440 : 1460;
	base = talk.v6 ? 1220 : 1240;
	nxt = 1;
	snprintf(text, sizeof(text), "mss full,scale 7%s%s", options[0] ? "," : "", options);
	accepts(text);
}

static const char *segment(uint32_t from, uint32_t bytes)
{
	static char text[40];

	snprintf(text, sizeof(text), "A %u:%u", from, from + bytes);
	return text;
}

static void leaves(uint32_t bytes)
{
	tx(segment(nxt, bytes));
	nxt += bytes;
}

/* All that was sent, and all that its ACKs let go, until there is no more. */
static void all_arrives(void)
{
	int i;

	for (i = 0; i < 100; i++) {
		pass(MS);
		if (forget_tx() == 0)
			break;
		rx("A 1");
	}
	check(i < 100);
	nxt = talk.written + 1;
}

/* A full segment is swallowed, and so are its repetitions. */
static void falls_into_a_hole(void)
{
	writes(full);
	leaves(full);
	tx_after(190 * MS, 210 * MS, segment(1, full));
	tx_after(390 * MS, 410 * MS, segment(1, full));
	tx_after(790 * MS, 810 * MS, segment(1, base));
	check(mss() == base);
	check(counters().black_holes == 1);
}

/* ---- black holes ---------------------------------------------------------------------------- */

static void black_hole(void)
{
	opens("");
	falls_into_a_hole();
	no_tx();
	rx(base == 1240 ? "A 1 ack 1241" : "A 1 ack 1221");
	tx(segment(1 + base, full - base));
	rx("A 1");
	writes(3000); /* and those to come are of that length */
	pass(0);
	tx(segment(1 + full, base));
	check(counters().rto_fired == 3);
	talk_end();
}

/* IPv6 has nothing shorter to try. */
static void deeper_hole(void)
{
	opens("");
	falls_into_a_hole();
	tx_after(1590 * MS, 1610 * MS, segment(1, talk.v6 ? base : 536));
	tx_after(3190 * MS, 3210 * MS, segment(1, talk.v6 ? base : 536));
	check(counters().black_holes == (talk.v6 ? 1 : 2));
	talk_end();
}

/* What is longer than every host must take may be too long, full segment or not. */
static void less_than_full(void)
{
	opens("");
	writes(1000);
	leaves(1000);
	tx_after(190 * MS, 210 * MS, segment(1, 1000));
	tx_after(390 * MS, 410 * MS, segment(1, 1000));
	tx_after(790 * MS, 810 * MS, segment(1, 1000));
	check(mss() == full);
	tx_after(1590 * MS, 1610 * MS, segment(1, talk.v6 ? 1000 : 536));
	check(counters().black_holes == (talk.v6 ? 0 : 1));
	talk_end();
}

static void short_ones_tell_nothing(void)
{
	opens("");
	writes(500);
	leaves(500);
	pass(60 * SECOND);
	check(counters().rto_fired > 5);
	check(counters().black_holes == 0);
	check(mss() == full);
	talk_end();
}

static void two_timeouts_tell_nothing(void)
{
	opens("");
	writes(full);
	leaves(full);
	tx_after(190 * MS, 210 * MS, segment(1, full));
	tx_after(390 * MS, 410 * MS, segment(1, full));
	rx("A 1");
	check(mss() == full);
	writes(full);
	leaves(full);
	tx_after(190 * MS, 210 * MS, segment(1 + full, full));
	tx_after(390 * MS, 410 * MS, segment(1 + full, full));
	check(mss() == full);
	check(counters().black_holes == 0);
	talk_end();
}

/* ---- trials --------------------------------------------------------------------------------- */

/* As after an outage of two seconds, and with a window for a dozen segments. */
static void recovers(const char *options)
{
	opens(options);
	writes(full);
	leaves(full);
	pass(1900 * MS);
	check(mss() == base);
	all_arrives();
	writes(60 * base);
	all_arrives();
	check(cwnd() > 12 * base);
	check(mss() == base);
	check(counters().mtu_trials == 0);
}

/* RFC 4821 section 7: it was an outage, and all of it goes. */
static void outage(void)
{
	recovers("sackok");
	pass(SECOND);
	writes(12 * base);
	leaves(full);
	leaves(2 * base - full); /* what it has left of the second */
	leaves(base);
	forget_tx();
	rx("A 1");
	check(mss() == full);
	check(counters().mtu_trials == 1);
	check(counters().mtu_trials_lost == 0);
	all_arrives();
	writes(3 * full);
	leaves(full);
	leaves(full);
	leaves(full);
	talk_end();
}

/* A trial of so many bytes leaves, and is lost: the rest is SACKed. Its two halves go at once. */
static void is_lost(uint32_t bytes)
{
	uint32_t from = nxt, before = cwnd();
	char text[80];

	writes(12 * base);
	leaves(bytes);
	forget_tx();
	nxt = talk.written + 1;
	pass(MS / 2);
	snprintf(text, sizeof(text), "A 1 ack %u <sack %u:%u>", from, from + bytes, nxt);
	rx(text);
	tx(segment(from, base));
	tx(segment(from + base, bytes - base));
	no_tx();
	check(cwnd() >= before);
	snprintf(text, sizeof(text), "A 1 ack %u", nxt);
	rx(text);
	no_tx();
	check(mss() == base);
}

/* Section 7.5: a trial that is lost was too long; that was no congestion. */
static void trial_is_lost(void)
{
	uint64_t recoveries;

	recovers("sackok");
	recoveries = counters().fast_retransmits;
	pass(SECOND);
	is_lost(full);
	check(counters().mtu_trials_lost == 1);
	writes(12 * base); /* not again at once */
	leaves(base);
	all_arrives();
	pass(SECOND);
	is_lost((base + full) / 2); /* halfway */
	check(counters().fast_retransmits == recoveries);
	check(counters().rto_fired == 3);
	talk_end();
}

/* Until it is known as closely as matters; after ten minutes from the top again. */
static void search(void)
{
	uint32_t low = base, high = full, trial;

	recovers("sackok");
	pass(SECOND);
	is_lost(full);
	while (high - low > 16) {
		trial = (low + high) / 2;
		pass(SECOND);
		writes(12 * base);
		leaves(trial);
		all_arrives();
		check(mss() == trial);
		low = trial;
	}
	pass(SECOND);
	writes(12 * base);
	leaves(low);
	all_arrives();
	pass(598 * SECOND);
	writes(12 * base);
	leaves(low);
	all_arrives();
	pass(2 * SECOND);
	writes(12 * base);
	leaves(full);
	all_arrives();
	check(mss() == full);
	talk_end();
}

/* Its loss would cost a timeout. */
static void no_trial_without_sack(void)
{
	recovers("");
	pass(SECOND);
	writes(12 * base);
	leaves(base);
	all_arrives();
	check(counters().mtu_trials == 0);
	talk_end();
}

static void no_trial_without_followers(void)
{
	recovers("sackok");
	pass(SECOND);
	writes(full + 4 * base - 1);
	leaves(base);
	all_arrives();
	check(counters().mtu_trials == 0);
	writes(full + 4 * base);
	leaves(full);
	talk_end();
}

/* A timeout while one is out: it counts as lost, and comes again in pieces. */
static void trial_times_out(void)
{
	recovers("sackok");
	pass(SECOND);
	writes(12 * base);
	leaves(full);
	forget_tx();
	pass(SECOND);
	check(counters().mtu_trials_lost == 1);
	check(counters().black_holes == 1);
	forget_tx();
	rx("A 1");
	all_arrives();
	check(mss() == base);
	talk_end();
}

/* ---- RFC 5927 section 7.2 ------------------------------------------------------------------- */

static void too_big(uint32_t mtu, uint32_t seq)
{
	rx_icmp(talk.v6 ? 2 : 3, talk.v6 ? 0 : 4, mtu, seq);
}

static void proves_full(void)
{
	opens("");
	writes(full);
	leaves(full);
	rx("A 1");
}

/* Full segments have gone through: it waits for a timeout, and progress disproves it. */
static void doubted(void)
{
	proves_full();
	writes(2 * full);
	leaves(full);
	leaves(full);
	too_big(1300, 1 + full);
	no_tx();
	check(mss() == full);
	check(counters().mtu_reports_doubted == 1);
	rx(talk.v6 ? "A 1 ack 2881" : "A 1 ack 2921");
	tx_after(150 * MS, 250 * MS, segment(1 + 2 * full, full)); /* of this nothing was told */
	check(mss() == full);
	talk_end();
}

static void believed_after_a_timeout(void)
{
	proves_full();
	writes(full);
	leaves(full);
	too_big(1300, 1 + full);
	no_tx();
	tx_after(190 * MS, 210 * MS, segment(1 + full, talk.v6 ? 1240 : 1260));
	check(mss() == (talk.v6 ? 1240 : 1260));
	check(counters().black_holes == 0);
	perch_tcp_close(talk.net, talk.c);
	forget_tx();
	talk.peer_port++;
	rx("S 0 win 65535 <mss full>"); /* the next one knows of it */
	tx(talk.v6 ? "SA 0 ack 1 <mss 1240>" : "SA 0 ack 1 <mss 1260>");
	talk_end();
}

/* A lie that was doubted is not told to others: a new connection has full segments. */
static void doubt_is_not_learnt(void)
{
	proves_full();
	writes(full);
	leaves(full);
	too_big(1300, 1 + full);
	rx("A 1");
	perch_tcp_close(talk.net, talk.c);
	forget_tx();
	talk.peer_port++;
	rx("S 0 win 65535 <mss full>");
	tx("SA 0 ack 1 <mss full>");
	talk_end();
}

/* Nothing is proven of a path that has only just become narrower. */
static void narrower_twice(void)
{
	proves_full();
	writes(full);
	leaves(full);
	too_big(1400, 1 + full);
	tx_after(190 * MS, 210 * MS, segment(1 + full, talk.v6 ? 1340 : 1360));
	too_big(1300, 1 + full);
	tx(segment(1 + full, talk.v6 ? 1240 : 1260));
	talk_end();
}

/* RFC 1191 section 6.3: after ten minutes the path may be wider again. */
static void wider_after_ten_minutes(void)
{
	opens("sackok");
	writes(full);
	leaves(full);
	too_big(1280, 1);
	all_arrives();
	check(mss() == base);
	writes(60 * base);
	all_arrives();
	pass(590 * SECOND);
	writes(12 * base);
	leaves(base);
	all_arrives();
	pass(20 * SECOND);
	writes(12 * base);
	leaves(full);
	all_arrives();
	check(mss() == full);
	talk_end();
}

static const struct suite_case cases[] = {
	{"8899 4.3 a black hole", black_hole},
	{"8899 4.3 a deeper one", deeper_hole},
	{"8899 4.3 less than a full segment", less_than_full},
	{"8899 4.3 short ones tell nothing", short_ones_tell_nothing},
	{"8899 4.3 two timeouts tell nothing", two_timeouts_tell_nothing},
	{"4821 7 it was an outage", outage},
	{"4821 7.5 a trial is lost", trial_is_lost},
	{"4821 7.3 search", search},
	{"4821 7.4 not without SACK", no_trial_without_sack},
	{"4821 7.4 not without followers", no_trial_without_followers},
	{"4821 7.5 a trial times out", trial_times_out},
	{"5927 7.2 doubted", doubted},
	{"5927 7.2 believed after a timeout", believed_after_a_timeout},
	{"5927 7.2 doubt is not learnt", doubt_is_not_learnt},
	{"5927 7.2 narrower twice", narrower_twice},
	{"1191 6.3 wider after ten minutes", wider_after_ten_minutes},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return talk_main("tcp mtu", cases, argc, argv);
}
