/* SPDX-License-Identifier: BSD-3-Clause
 * Which of a TCB's three lines are touched. The net lies in memory so that a line of the TCB begins
 * a page; while nobody shall touch that line, nor what follows, the page is out of bounds.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tcp-lite/tcp_inside.h"
#include "tests/tcp-lite/talk.h"

enum {
	ROUNDS = 300,
	FLOWS = 512, /* nothing but TCBs is on that page, if it has 64 KB */
	SECOND_LINE = 64, THIRD_LINE = 128,
};

static uint8_t *page; /* of the line that is not to be touched */
static volatile sig_atomic_t touched;

static void on_touch(int sig)
{
	(void)sig;
	if (touched || mprotect(page, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE) < 0)
		_exit(1);
	touched = 1;
}

static void begin_with(struct perch_net_config *cfg, size_t line)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE), at;

	cfg->max_flows = FLOWS;
	talk_begin_with(cfg);
	at = (size_t)((uint8_t *)talk.net->tcp->tcbs - (uint8_t *)talk.net) + line;
	talk_end();
	talk_place(page_bytes - at % page_bytes);
	talk_begin_with(cfg);
	talk_place(0);
	page = (uint8_t *)talk.net->tcp->tcbs + line;
}

static void keep_off(void)
{
	struct sigaction action = {.sa_handler = on_touch};

	touched = 0;
	sigaction(SIGSEGV, &action, NULL);
	check(mprotect(page, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE) == 0);
}

static void nobody_did(void)
{
	check(mprotect(page, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE) == 0);
	signal(SIGSEGV, SIG_DFL);
	check(!touched);
}

/* ---- the third ------------------------------------------------------------------------------ */

/* The answer is the packet itself. */
static void echo_in_place(uint32_t n)
{
	const void *data;

	check(perch_tcp_peek(talk.c, &data) == n);
	check(perch_tcp_forward(talk.net, talk.c, talk.c, data, n));
	perch_tcp_release(talk.net, talk.c);
	talk.read += n;
	talk.written += n;
}

static void read_and_write(uint32_t n, int64_t came_ns)
{
	static uint8_t buffer[2000];

	check(perch_tcp_readable(talk.c) == n && !perch_tcp_at_eof(talk.c));
	check(perch_tcp_copy(talk.c, 0, buffer, n) == n);
	check(perch_tcp_rx_time(talk.c) == came_ns && perch_tcp_error(talk.c) == 0);
	perch_tcp_consume(talk.net, talk.c, n);
	check(perch_tcp_writable(talk.net, talk.c) > n);
	check(perch_tcp_write(talk.net, talk.c, buffer, n) == n);
	talk.read += n;
	talk.written += n;
}

/* A request acknowledges the answer before, or that was done by a segment without data. The peer's
 * window moves a little, and so does time. */
static void go_round(unsigned i)
{
	uint32_t n = 1 + i * 37 % 500, win = 60000 + i * 7 % 100;
	int64_t came_ns = talk.now_ns;
	struct perch_flow *f;
	char text[80];

	if (i % 3 == 0) {
		snprintf(text, sizeof(text), "A %u win %u", talk.read + 1, win);
		rx(text);
	}
	talk.ts_val += i % 5;
	snprintf(text, sizeof(text), "PA %u:%u win %u", talk.read + 1, talk.read + 1 + n, win);
	rx(text);
	f = perch_net_next_ready(talk.net);
	check(f == &talk.c->flow && f->events == PERCH_FLOW_READABLE);
	f->events = 0;
	if (i % 7 == 0)
		pass(2 * MS); /* the reader is slow, and an ACK goes by itself */
	if (i % 2 && i % 7)
		echo_in_place(n);
	else
		read_and_write(n, came_ns);
	forget_tx();
	pass((int64_t)(i % 4) * 3 * MS + MS / 2);
}

static void go_rounds(const char *syn)
{
	struct perch_net_config cfg = talk_config();
	unsigned i;

	cfg.rto_min_ns = 20 * MS; /* so that many deadlines are put off, and many called off */
	begin_with(&cfg, THIRD_LINE);
	accepts(syn);
	if (!talk.v6) /* whose addresses stand there */
		keep_off();
	for (i = 0; i < ROUNDS; i++)
		go_round(i);
	if (!talk.v6)
		nobody_did();
	check(perch_tcp_counters(talk.net)->retransmits == 0);
	talk_end();
}

static void requests_touch_two_lines(void)
{
	go_rounds("mss 1460");
	go_rounds("mss 1460,scale 7,sackok,ts 1 0");
	go_rounds("mss 536,ts 7 0");
}

/* ---- the second ----------------------------------------------------------------------------- */

/* The timing wheel names a connection whose deadline was put off since. */
static void naming_touches_one_line(void)
{
	struct perch_net_config cfg = talk_config();
	int64_t again_ns;

	begin_with(&cfg, SECOND_LINE);
	accepts("mss 1460,scale 7,sackok,ts 1 0");
	writes(100);
	tx("PA 1:101");
	pass(20 * MS);
	rx("A 1 ack 101");
	writes(100);
	tx("PA 101:201");
	talk.now_ns += MS;
	keep_off();
	again_ns = perch_net_expire(talk.net, 0, talk.now_ns);
	nobody_did();
	check(again_ns == talk.c->timer_ns && again_ns > talk.now_ns);
	talk_end();
}

/* A reader finds nothing, and waits. */
static void waiting_touches_one_line(void)
{
	struct perch_net_config cfg = talk_config();
	const void *data;

	begin_with(&cfg, SECOND_LINE);
	accepts("mss 1460,scale 7,sackok,ts 1 0");
	keep_off();
	check(perch_tcp_readable(talk.c) == 0 && perch_tcp_peek(talk.c, &data) == 0);
	check(!perch_tcp_at_eof(talk.c) && perch_tcp_error(talk.c) == 0);
	nobody_did();
	talk_end();
}

/* A look-up over IPv4. */
static void finding_touches_one_line(void)
{
	struct perch_net_config cfg = talk_config();

	begin_with(&cfg, SECOND_LINE);
	accepts("mss 1460");
	if (!talk.v6) {
		const struct perch_ip laddr = talk.c->laddr, raddr = talk.c->raddr;
		const struct perch_tuple tuple = {&laddr, &raddr, talk.our_port, talk.peer_port};

		keep_off();
		check(perch_tcb_find(talk.net, &tuple) == talk.c);
		nobody_did();
	}
	talk_end();
}

/* Whoever has the slot, and whoever had it before. */
static void words_are_the_wheels(void)
{
	struct perch_net_config cfg = talk_config();
	struct rte_mbuf *m;
	uint32_t *words, id;
	size_t stride;

	talk_begin_with(&cfg);
	words = perch_net_wheel_words(talk.net, &stride);
	check(stride % sizeof(*words) == 0);
	stride /= sizeof(*words);
	for (id = 0; id < cfg.max_flows; id++) {
		check(words[id * stride] == 0);
		words[id * stride] = id + 1;
	}
	accepts("mss 1460");
	check(perch_tcp_warm(talk.net, talk.c, "order", 5, &m) == 0);
	rte_pktmbuf_free(m);
	rx("R 1");
	event(PERCH_FLOW_FAILED | PERCH_FLOW_READABLE | PERCH_FLOW_WRITABLE);
	perch_tcp_close(talk.net, talk.c);
	gone();
	for (id = 0; id < cfg.max_flows; id++)
		check(words[id * stride] == id + 1);
	talk_end();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"requests touch two lines", requests_touch_two_lines},
		{"naming touches one line", naming_touches_one_line},
		{"waiting touches one line", waiting_touches_one_line},
		{"finding touches one line", finding_touches_one_line},
		{"words are the wheel's", words_are_the_wheels},
		{NULL, NULL},
	};

	return talk_main("tcp lines", cases, argc, argv);
}
