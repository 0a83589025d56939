/* SPDX-License-Identifier: BSD-3-Clause
 * Congestion control: the initial window (RFC 6928), NewReno with and without SACK (RFC 5681, 6582,
 * 3042), CUBIC (RFC 9438), HyStart++ (RFC 9406), and the pace of a recovery (RFC 6937). Segments
 * are of 1,000 bytes.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "tcp-lite/tcp_inside.h"
#include "tests/tcp-lite/talk.h"

#define counters() (*perch_tcp_counters(talk.net))

static uint32_t snd_una, snd_nxt; /* relative */

static uint32_t cwnd(void)
{
	struct perch_tcp_info info;

	perch_tcp_info(talk.net, talk.c, &info);
	return info.cwnd_bytes;
}

static void opens(const char *cc, const char *options, int64_t rtt_ns)
{
	struct perch_net_config cfg = talk_config();
	char syn[80];

	cfg.cc = cc;
	talk_begin_with(&cfg);
	snprintf(syn, sizeof(syn), "S 0 win 65535 <mss 1000%s%s,scale 7>", options[0] ? "," : "",
		options);
	listens();
	rx(syn);
	tx("SA 0 ack 1");
	pass(rtt_ns);
	rx("A 1 ack 1");
	event(PERCH_FLOW_ACCEPTED);
	snd_una = snd_nxt = 1;
}

/* n segments leave. */
static void leave(unsigned n)
{
	char text[40];

	for (; n > 0; n--, snd_nxt += 1000) {
		snprintf(text, sizeof(text), "A %u:%u", snd_nxt, snd_nxt + 1000);
		tx(text);
	}
}

/* Whatever may leave does; there is always more. Returns how many segments are in flight. */
static unsigned fill(void)
{
	struct perch_tcp_info info;
	unsigned n;

	perch_tcp_info(talk.net, talk.c, &info);
	if (info.unsent_bytes < 40000)
		writes(40000);
	pass(0);
	perch_tcp_info(talk.net, talk.c, &info);
	n = info.unacked_bytes / 1000;
	leave(n - (snd_nxt - snd_una) / 1000);
	no_tx();
	return n;
}

/* A window full is sent; a round trip later each segment of it is acknowledged. */
static void round_trip(int64_t rtt_ns)
{
	unsigned n = fill();
	char text[40];

	for (pass(rtt_ns); n > 0; n--) {
		snd_una += 1000;
		snprintf(text, sizeof(text), "A 1 ack %u", snd_una);
		rx(text);
		fill();
	}
}

/* The first of ten is lost; the others arrive, and then its repetition does. */
static void loses_one_of_ten(void)
{
	char text[60];
	unsigned i;

	writes(30000);
	leave(10);
	no_tx();
	pass(50 * MS);
	for (i = 2; i <= 10; i++) {
		snprintf(text, sizeof(text), "A 1 ack 1 <sack 1001:%u>", i * 1000 + 1);
		rx(text);
	}
	pass(0);
}

/* ---- how it begins -------------------------------------------------------------------------- */

static void initial_window(void)
{
	opens(NULL, "", 100 * MS);
	writes(20000);
	leave(10);
	no_tx();
	check(cwnd() == 10000);
	talk_end();
}

/* 14,600 bytes, when segments are longer than that allows ten of. */
static void initial_window_in_bytes(void)
{
	struct perch_net_config cfg = talk_config();

	cfg.ifs[0].mtu = 2000;
	talk_begin_with(&cfg);
	accepts("mss 1800,scale 7");
	check(cwnd() == 14600);
	talk_end();
}

static void names(void)
{
	struct perch_net_config cfg = talk_config();
	struct perch_net *net;
	void *mem;

	mem = calloc(1, perch_net_bytes(&cfg));
	cfg.cc = "vegas";
	check(perch_net_open(&net, mem, &cfg) == -EINVAL);
	free(mem);
}

/* RFC 5681 section 3.1: as much as was acknowledged, segment for segment. */
static void slow_start(void)
{
	opens("newreno", "", 100 * MS);
	round_trip(100 * MS);
	check(cwnd() == 20000);
	talk_end();
}

/* Twenty of forty segments in flight arrive, the first of them last. */
static void arrives_out_of_order(void)
{
	char text[60];
	unsigned i;

	for (i = 2; i <= 20; i++) {
		snprintf(text, sizeof(text), "A 1 ack %u <sack %u:%u>", snd_una, snd_una + 1000,
			snd_una + i * 1000);
		rx(text);
		fill();
	}
	snd_una += 20000;
	snprintf(text, sizeof(text), "A 1 ack %u", snd_una);
	rx(text);
	fill();
}

/* Also where ACKs come in leaps, longer than what slow start takes of one: each segment counts when
 * it is SACKed, once the path is known not to keep order. */
static void slow_start_out_of_order(void)
{
	uint32_t before;
	char text[60];

	opens("cubic", "sackok", 20 * MS);
	round_trip(20 * MS);
	round_trip(20 * MS);
	pass(20 * MS);
	before = cwnd();
	snprintf(text, sizeof(text), "A 1 ack %u <sack %u:%u>", snd_una, snd_una + 1000,
		snd_una + 2000);
	rx(text);
	fill();
	snd_una += 2000;
	snprintf(text, sizeof(text), "A 1 ack %u", snd_una);
	rx(text);
	fill();
	check(cwnd() == before + 2000); /* the first time it counts with what fills the hole */
	before = cwnd();
	arrives_out_of_order();
	check(cwnd() == before + 20000);
	check(counters().retransmits == 0);
	before = cwnd();
	snprintf(text, sizeof(text), "A 1 ack %u", snd_una + 500); /* half of one */
	rx(text);
	check(cwnd() == before + 500);
	talk_end();
}

/* RFC 3465 section 2.2: of one ACK two segments count. */
static void slow_start_of_a_leap(void)
{
	opens("newreno", "", 100 * MS);
	fill();
	pass(100 * MS);
	rx("A 1 ack 5001");
	check(cwnd() == 12000);
	talk_end();
}

/* A TCB and its outbox, without a net. */
struct alone {
	struct perch_tcb c;
	struct perch_outbox o;
};

static struct perch_tcb *with_outbox(struct alone *a)
{
	a->o.phase = PHASE_OPEN;
	a->c.outbox = tcb_distance(&a->c, &a->o);
	return &a->c;
}

/* RFC 5681 section 3.1: a segment more for each window that was acknowledged, counted anew after a
 * loss; and equation 4. */
static void newreno_in_figures(void)
{
	struct alone a = {.c = {.mss = 1000, .cwnd = 10000, .ssthresh = 1000}};
	struct perch_tcb *c = with_outbox(&a);

	perch_tcp_newreno.acked(c, 9000, 0, 0);
	check(c->cwnd == 10000);
	perch_tcp_newreno.acked(c, 6000, 0, 0);
	check(c->cwnd == 11000);
	perch_tcp_newreno.acked(c, 6000, 0, 0); /* 5,000 were left over */
	check(c->cwnd == 12000);
	perch_tcp_newreno.acked(c, 11000, 0, 0);
	check(perch_tcp_newreno.threshold(c, 8000) == 4000);
	perch_tcp_newreno.acked(c, 2000, 0, 0);
	check(c->cwnd == 12000);
	check(perch_tcp_newreno.threshold(c, 14000) == 6000); /* not what exceeds cwnd */
	check(perch_tcp_newreno.threshold(c, 1000) == 2000);
}

/* A window that was not used was not tested. */
static void not_limited(void)
{
	opens("newreno", "", 100 * MS);
	writes(1000);
	leave(1);
	pass(100 * MS);
	rx("A 1 ack 1001");
	check(cwnd() == 10000);
	talk_end();
}

/* n segments, all that is in flight, are acknowledged one by one, but in one burst. */
static void acked_in_a_burst(unsigned n)
{
	char text[40];

	hold();
	for (; n > 0; n--) {
		snd_una += 1000;
		snprintf(text, sizeof(text), "A 1 ack %u", snd_una);
		rx(text);
	}
	release();
}

/* The later ones find room that the earlier ones have made; the end of the turn fills it. */
static void limited_in_a_burst(void)
{
	opens("newreno", "", 100 * MS);
	check(fill() == 10);
	pass(100 * MS);
	acked_in_a_burst(10);
	check(cwnd() == 20000);
	check(fill() == 20);
	talk.c->ssthresh = talk.c->cwnd;
	pass(100 * MS);
	acked_in_a_burst(20);
	check(cwnd() == 21000);
	talk_end();
}

/* What waits fills the room of the first of them only. */
static void hardly_limited_in_a_burst(void)
{
	opens("newreno", "", 100 * MS);
	writes(11000);
	leave(10);
	pass(100 * MS);
	acked_in_a_burst(10);
	check(cwnd() == 15000);
	talk_end();
}

/* What waits for the peer's window waits for no other. */
static void limited_by_the_peer(void)
{
	talk_begin();
	accepts_window(4000, "mss 1000");
	snd_una = snd_nxt = 1;
	writes(20000);
	leave(4);
	pass(100 * MS);
	rx("A 1 ack 1001 win 4000");
	check(cwnd() == 10000);
	talk_end();
}

/* ---- without SACK --------------------------------------------------------------------------- */

static void limited_transmit(void)
{
	opens("newreno", "", 100 * MS);
	writes(30000);
	leave(10);
	pass(100 * MS);
	rx("A 1 ack 1");
	leave(1);
	rx("A 1 ack 1");
	leave(1);
	no_tx();
	check(counters().retransmits == 0);
	talk_end();
}

static void three_duplicates(void)
{
	opens("newreno", "", 100 * MS);
	writes(10000);
	leave(10);
	pass(100 * MS);
	rx("A 1 ack 1");
	rx("A 1 ack 1");
	no_tx();
	rx("A 1 ack 1");
	tx("A 1:1001");
	no_tx();
	check(counters().fast_retransmits == 1);
	rx("A 1 ack 10001"); /* RFC 6582 section 3.2 step 3: back to ssthresh, without a burst */
	check(cwnd() == 2000);
	no_tx_until(SECOND);
	talk_end();
}

/* RFC 5681 section 2: another window, or text, is no duplicate. */
static void no_duplicates(void)
{
	opens("newreno", "", 100 * MS);
	writes(10000);
	leave(10);
	rx("A 1 ack 1 win 600");
	rx("A 1 ack 1 win 601");
	rx("A 1 ack 1 win 602");
	rx("A 1:11 ack 1 win 602");
	tx("A 10001 ack 11");
	no_tx();
	check(counters().dup_acks_in == 0);
	talk_end();
}

/* RFC 6582 section 3.2 step 3: each partial ACK brings out the next hole, and one reduction is for
 * all of them. */
static void partial_acks(void)
{
	opens("newreno", "", 100 * MS);
	writes(10000);
	leave(10);
	pass(100 * MS);
	rx("A 1 ack 1");
	rx("A 1 ack 1");
	rx("A 1 ack 1");
	tx("A 1:1001");
	pass(100 * MS);
	rx("A 1 ack 4001");
	tx("A 4001:5001");
	pass(100 * MS);
	rx("A 1 ack 7001");
	tx("A 7001:8001");
	no_tx();
	rx("A 1 ack 10001");
	check(counters().fast_retransmits == 1);
	check(counters().rto_fired == 0);
	talk_end();
}

/* ---- reductions ----------------------------------------------------------------------------- */

/* RFC 6937: at the end of the round trip as much is on its way as ssthresh says, and it got there
 * evenly: never two segments for one that arrived. */
static void pace(const char *cc, unsigned segments)
{
	opens(cc, "sackok", 50 * MS);
	loses_one_of_ten();
	tx("A 1:1001");
	leave(segments - 1);
	no_tx();
	pass(50 * MS);
	rx("A 1 ack 10001");
	leave(1);
	rx("A 1 ack 12001");
	check(cwnd() >= segments * 1000 && cwnd() < segments * 1000 + 1000);
	talk_end();
}

static void pace_of_newreno(void)
{
	pace("newreno", 5);
}

static void pace_of_cubic(void)
{
	pace("cubic", 7);
}

/* ---- CUBIC's curve -------------------------------------------------------------------------- */

/* After a loss from ten segments to seven. */
static void cubic_after_loss(int64_t rtt_ns)
{
	opens("cubic", "sackok", rtt_ns);
	writes(10000);
	leave(10);
	pass(rtt_ns);
	rx("A 1 ack 1 <sack 1001:10001>");
	tx("A 1:1001");
	no_tx();
	pass(rtt_ns);
	writes(40000); /* what is known of W_max goes when all is acknowledged */
	rx("A 1 ack 10001");
	check(cwnd() == 7000);
	snd_una = 10001;
}

/* Section 4.2: with a long round trip it follows C (t - K)^3 + W_max. */
static void curve(void)
{
	const double k = cbrt(3 / 0.4);
	double t;

	cubic_after_loss(900 * MS);
	for (t = 0; t < 3.5; t += 0.9) {
		round_trip(900 * MS);
		/* It was there a round trip ago, and is on its way to where it will be in one. */
		check(cwnd() / 1000.0 > 0.4 * pow(t - 0.9 - k, 3) + 10);
		check(cwnd() / 1000.0 < 0.4 * pow(t + 0.9 - k, 3) + 10);
	}
	talk_end();
}

/* Section 4.3: with a short one Reno's estimate leads: 9/17 of a segment in each round trip until
 * W_max is reached, a whole one then. */
static void reno_friendly(void)
{
	unsigned i;

	cubic_after_loss(20 * MS);
	for (i = 0; i < 6; i++)
		round_trip(20 * MS);
	check(cwnd() > 9500 && cwnd() < 11000);
	for (i = 0; i < 5; i++)
		round_trip(20 * MS);
	check(cwnd() > 14000 && cwnd() < 16500);
	talk_end();
}

/* Section 4.8: after a timeout slow start leads to 0.7 of what it was. */
static void timeout(void)
{
	opens("cubic", "sackok", 50 * MS);
	writes(10000);
	leave(10);
	tx_after(90 * MS, 310 * MS, "A 9001:10001"); /* the probe */
	tx_after(150 * MS, 310 * MS, "A 1:1001");
	check(cwnd() == 1000);
	pass(50 * MS);
	rx("A 1 ack 10001");
	check(cwnd() > 1000 && cwnd() <= 9000);
	talk_end();
}

/* ---- HyStart++ ------------------------------------------------------------------------------ */

/* Section 4.2: a round whose least round trip is 4 ms or an eighth longer than the last one's. */
static void queue_is_noticed(void)
{
	uint32_t before;

	opens("cubic", "sackok", 20 * MS);
	round_trip(20 * MS);
	check(cwnd() == 20000);
	before = cwnd();
	round_trip(30 * MS); /* eight samples double it, a quarter of the others is added */
	check(cwnd() < before + 12500);
	before = cwnd();
	round_trip(30 * MS);
	check(cwnd() >= before + before / 5 && cwnd() <= before + before / 3);
	talk_end();
}

/* Section 4.3: were it noise, slow start goes on. */
static void false_alarm(void)
{
	uint32_t before;

	opens("cubic", "sackok", 20 * MS);
	round_trip(20 * MS);
	round_trip(30 * MS);
	round_trip(20 * MS);
	before = cwnd();
	round_trip(20 * MS);
	check(cwnd() >= before * 2 - 1000);
	talk_end();
}

/* ---- after idle time ------------------------------------------------------------------------ */

static void grows_wide(bool keep)
{
	struct perch_net_config cfg = talk_config();

	cfg.keep_cwnd = keep;
	talk_begin_with(&cfg);
	accepts("mss 1000,scale 7"); /* without SACK: no probes while the peer takes its time */
	while (cwnd() < 100000) {
		writes(100000);
		for (pass(MS); forget_tx() > 0; pass(MS))
			rx("A 1");
	}
}

/* RFC 5681 section 4.1, with RFC 2861's halves: one for each timeout, which is of 200 ms here. */
static void idle_halves(void)
{
	uint32_t before;

	grows_wide(false);
	before = cwnd();
	pass(150 * MS);
	writes(1);
	pass(0);
	check(cwnd() == before);
	forget_tx();
	rx("A 1");
	pass(250 * MS);
	writes(1);
	check(cwnd() == before / 2);
	check(talk.c->ssthresh == INT32_MAX); /* more than it was to remember */
	pass(0);
	forget_tx();
	rx("A 1");
	check(cwnd() < before);
	talk_end();
}

/* Down to the initial window and no further; and slow start brings most of it back. */
static void idle_begins_anew(void)
{
	grows_wide(false);
	pass(3600 * SECOND);
	writes(100000);
	check(cwnd() == 10000);
	pass(0);
	check(forget_tx() == 10);
	rx("A 1");
	check(cwnd() >= 18000);
	talk_end();
}

static void idle_keeps(void)
{
	uint32_t before;

	grows_wide(true);
	before = cwnd();
	pass(3600 * SECOND);
	writes(50000);
	pass(0);
	check(forget_tx() == 50);
	check(cwnd() == before);
	talk_end();
}

/* RFC 2861 section 3.2: ssthresh remembers three quarters of the window, if that is more than it
 * was, so that slow start leads back there. */
static void idle_is_remembered(void)
{
	uint32_t before;
	unsigned i;

	cubic_after_loss(20 * MS);
	for (i = 0; i < 14; i++)
		round_trip(20 * MS);
	before = cwnd();
	check(before > 16000 && before < 20000 && talk.c->ssthresh == 7000);
	rx("A 1");
	for (pass(MS); forget_tx() > 0; pass(MS))
		rx("A 1");
	before = cwnd();
	pass(2 * SECOND);
	writes(20000);
	check(cwnd() == 10000);
	check(talk.c->ssthresh >= before / 4 * 3 && talk.c->ssthresh <= before);
	pass(0);
	check(forget_tx() == 10);
	rx("A 1");
	check(cwnd() > 12000);
	talk_end();
}

/* ---- RFC 9438 section 4.7: who gets less than last time makes room ------------------------- */

/* cwnd so many milliseconds after a loss at `at_cwnd`, with a round trip of 100 ms. */
static uint32_t cubic_after(struct perch_tcb *c, uint32_t at_cwnd, int64_t ms)
{
	int64_t t;

	c->cwnd = at_cwnd;
	c->cwnd = c->ssthresh = perch_tcp_cubic.threshold(c, at_cwnd);
	for (t = 0; t <= ms; t += 100)
		perch_tcp_cubic.acked(c, c->cwnd, 100000, t * MS);
	return c->cwnd;
}

static void fast_convergence(void)
{
	struct alone a = {.c = {.mss = 1000, .srtt_us = 100000 << 3}};
	struct perch_tcb *c = with_outbox(&a);
	uint32_t cwnd;

	cubic_after(c, 2000000, 0);
	/* The curve is flat at W_max = 0.85 of 1.5 MB, cbrt((1275 - 1050) / 0.4) = 8.25 s later. */
	cwnd = cubic_after(c, 1500000, 8300);
	check(cwnd > 1250000 && cwnd < 1300000);
	/* And at 1.6 MB itself, which is more than last time, after cbrt((1600 - 1120) / 0.4). */
	cwnd = cubic_after(c, 1600000, 10700);
	check(cwnd > 1570000 && cwnd < 1630000);
}

/* Section 4.9: W_max is again what it was, which shows where the next loss finds it. */
static uint32_t after_a_second_loss(bool undone)
{
	struct alone a = {.c = {.mss = 1000, .srtt_us = 100000 << 3}};
	struct perch_tcb *c = with_outbox(&a);

	cubic_after(c, 2000000, 0);
	cubic_after(c, 1000000, 0);
	if (undone)
		perch_tcp_cubic.undo(c);
	return cubic_after(c, 1200000, 12000);
}

static void cubic_undo(void)
{
	check(after_a_second_loss(true) < after_a_second_loss(false));
}

/* Sections 4.2 and 4.4: at most half as much again in a round trip, however late it is. */
static void target_is_bounded(void)
{
	struct alone a = {.c = {.mss = 1000, .srtt_us = 100000 << 3}};
	struct perch_tcb *c = with_outbox(&a);

	cubic_after(c, 100000, 0);
	check(c->cwnd < 71000);
	perch_tcp_cubic.acked(c, c->cwnd, 100000, 60 * SECOND);
	check(c->cwnd > 100000 && c->cwnd <= 106500);
}

static const struct suite_case cases[] = {
	{"9438 4.9 undo", cubic_undo},
	{"9438 4.4 target is bounded", target_is_bounded},
	{"9438 4.7 fast convergence", fast_convergence},
	{"5681 4.1 idle time halves", idle_halves},
	{"5681 4.1 idle is remembered", idle_is_remembered},
	{"5681 4.1 idle for long", idle_begins_anew},
	{"5681 4.1 kept if asked for", idle_keeps},
	{"names", names},
	{"6928 2 initial window", initial_window},
	{"6928 2 initial window in bytes", initial_window_in_bytes},
	{"5681 3.1 slow start", slow_start},
	{"5681 3.1 slow start out of order", slow_start_out_of_order},
	{"5681 3.1 newreno in figures", newreno_in_figures},
	{"3465 2.2 slow start of a leap", slow_start_of_a_leap},
	{"5681 2 no duplicates", no_duplicates},
	{"7661 not limited", not_limited},
	{"7661 limited in a burst", limited_in_a_burst},
	{"7661 hardly limited in a burst", hardly_limited_in_a_burst},
	{"7661 limited by the peer", limited_by_the_peer},
	{"3042 2 limited transmit", limited_transmit},
	{"5681 3.2 three duplicates", three_duplicates},
	{"6582 3.2 partial ACKs", partial_acks},
	{"6937 3 pace of newreno", pace_of_newreno},
	{"6937 3 pace of cubic", pace_of_cubic},
	{"9438 4.2 curve", curve},
	{"9438 4.3 Reno-friendly", reno_friendly},
	{"9438 4.8 timeout", timeout},
	{"9406 4.2 queue is noticed", queue_is_noticed},
	{"9406 4.3 false alarm", false_alarm},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return talk_main("tcp cc", cases, argc, argv);
}
