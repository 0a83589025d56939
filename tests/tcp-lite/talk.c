/* SPDX-License-Identifier: BSD-3-Clause
 * The conversation harness: segments from and to text, and a net in virtual time.
 */
#include "tests/tcp-lite/talk.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_tcp.h>

#include "tests/tcp-lite/nic.h"
#include "tests/tcp-lite/packets.h"

enum {
	FLOWS_MAX = 256,
	SENT_MAX = 4096,
	BURST_MAX = 64,
	SEEN_SEQ = 1, SEEN_ACK = 2, SEEN_WIN = 4, SEEN_OPTS = 8,
};

struct seg { /* numbers are relative */
	uint8_t flags;
	uint32_t seq, end, ack, win;
	uint16_t mss;
	int scale;          /* -1: none */
	bool sack_ok, has_ts;
	uint32_t ts_val, ts_ecr;
	unsigned n_blocks;
	uint32_t blocks[4][2];
	uint8_t raw[40];
	unsigned n_raw;
	bool bad_sum;
	unsigned off;       /* header length in words, if it is not the right one */
	uint32_t urgent;
	unsigned seen;      /* enum SEEN: what the text says */
};

struct sent { /* a frame as it is read: when it is its turn, for its numbers are relative */
	struct seg seg;
	bool payload_ok, sum_ok;
	char text[160];
};

struct talk talk;

static struct rte_mempool *pool;
static unsigned pool_level;
static void *memory;
static size_t memory_past_page;
static int64_t deadlines[FLOWS_MAX];
static struct frame sent[SENT_MAX];
static unsigned sent_head, sent_tail;
static struct rte_mbuf *burst[BURST_MAX];
static unsigned n_burst;
static bool holding;
static int over_v6;

static const struct mac our_mac = {{2, 0, 0, 0, 0, 1}}, peer_mac = {{2, 0, 0, 0, 0, 2}};

void talk_check(unsigned line, bool ok, const char *what)
{
	CU_assertImplementation(ok, line, what, "talk", "", CU_FALSE);
}

uint8_t talk_byte(uint32_t place)
{
	return (uint8_t)(place * 37 + (place >> 8) * 11 + (place >> 16));
}

/* ---- text to segment ------------------------------------------------------------------------ */

static const char flag_letters[] = "FSRPAU";

static _Noreturn void bad(const char *text)
{
	printf("  bad segment in test: %s\n", text);
	exit(2);
}

static void parse_option(struct seg *s, const char *opt, const char *text)
{
	unsigned a, b;
	int used;

	if (strcmp(opt, "mss full") == 0) {
		s->mss = talk.v6 ? 1440 : 1460;
	} else if (sscanf(opt, "mss %u", &a) == 1) {
		s->mss = (uint16_t)a;
	} else if (sscanf(opt, "scale %u", &a) == 1) {
		s->scale = (int)a;
	} else if (strncmp(opt, "sackok", 6) == 0) {
		s->sack_ok = true;
	} else if (sscanf(opt, "ts %u %u", &a, &b) == 2) {
		s->has_ts = true;
		s->ts_val = a;
		s->ts_ecr = b;
	} else if (strncmp(opt, "sack", 4) == 0) {
		for (opt += 4; sscanf(opt, " %u:%u%n", &a, &b, &used) == 2; opt += used) {
			s->blocks[s->n_blocks][0] = a;
			s->blocks[s->n_blocks++][1] = b;
		}
	} else if (strncmp(opt, "raw ", 4) == 0) {
		for (opt += 4; sscanf(opt, "%2x%n", &a, &used) == 1; opt += used)
			s->raw[s->n_raw++] = (uint8_t)a;
	} else {
		bad(text);
	}
}

static void parse_options(struct seg *s, const char *p, const char *text)
{
	char copy[160], *save, *opt;

	s->seen |= SEEN_OPTS;
	snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(p, ">"), p);
	for (opt = strtok_r(copy, ",", &save); opt; opt = strtok_r(NULL, ",", &save))
		parse_option(s, opt + strspn(opt, " "), text);
}

static struct seg parse(const char *text)
{
	struct seg s = {.scale = -1, .win = 65535};
	const char *p = text, *at;
	int used;

	for (; *p && *p != ' '; p++) {
		at = strchr(flag_letters, *p);
		if (at)
			s.flags |= (uint8_t)(1u << (at - flag_letters));
		else if (*p != '0')
			bad(text);
	}
	if (sscanf(p, " %u%n", &s.seq, &used) != 1)
		bad(text);
	p += used;
	s.end = s.seq;
	s.seen |= SEEN_SEQ;
	if (sscanf(p, ":%u%n", &s.end, &used) == 1)
		p += used;
	at = strstr(p, " ack ");
	if (at && sscanf(at, " ack %u", &s.ack) == 1)
		s.seen |= SEEN_ACK;
	at = strstr(p, " win ");
	if (at && sscanf(at, " win %u", &s.win) == 1)
		s.seen |= SEEN_WIN;
	at = strstr(p, " urg ");
	if (at && sscanf(at, " urg %u", &s.urgent) != 1)
		bad(text);
	at = strstr(p, " off ");
	if (at && sscanf(at, " off %u", &s.off) != 1)
		bad(text);
	s.bad_sum = strstr(p, " badsum") != NULL;
	at = strchr(p, '<');
	if (at)
		parse_options(&s, at + 1, text);
	return s;
}

static void print(const struct seg *s, char *out, size_t size)
{
	char flags[8] = "", opts[96] = "";
	unsigned i, n = 0;

	for (i = 0; i < 6; i++)
		if (s->flags & 1u << i)
			flags[n++] = flag_letters[i];
	n = 0;
	if (s->mss)
		n += (unsigned)sprintf(opts + n, "mss %u,", s->mss);
	if (s->scale >= 0)
		n += (unsigned)sprintf(opts + n, "scale %d,", s->scale);
	if (s->sack_ok)
		n += (unsigned)sprintf(opts + n, "sackok,");
	if (s->has_ts)
		n += (unsigned)sprintf(opts + n, "ts %u %u,", s->ts_val, s->ts_ecr);
	for (i = 0; i < s->n_blocks && i < 3; i++)
		n += (unsigned)sprintf(opts + n, "sack %u:%u,", s->blocks[i][0], s->blocks[i][1]);
	if (n)
		opts[n - 1] = 0;
	snprintf(out, size, "%s %u:%u ack %u win %u <%s>", flags, s->seq, s->end, s->ack, s->win,
		opts);
}

/* ---- segment to packet ---------------------------------------------------------------------- */

static struct ends ends_to_us(void)
{
	return (struct ends){peer_mac, our_mac, packets_ip(talk.v6 ? "fd00::2" : "10.0.0.2"),
		packets_ip(talk.v6 ? "fd00::1" : "10.0.0.1")};
}

static uint8_t *put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, v >> 16), v & 0xffff);
}

static uint8_t *put_options(uint8_t *p, const struct seg *s)
{
	unsigned i;

	if (s->mss)
		p = put16(put16(p, 0x0204), s->mss);
	if (s->scale >= 0)
		p = put16(put16(p, 0x0103), 0x0300 | (uint32_t)s->scale);
	if (s->sack_ok)
		p = put32(p, 0x01010402);
	if (s->has_ts)
		p = put32(put32(put32(p, 0x0101080a), s->ts_val), s->ts_ecr);
	if (s->n_blocks)
		p = put32(p, 0x01010500 | (2 + 8 * s->n_blocks));
	for (i = 0; i < s->n_blocks; i++) {
		p = put32(p, talk.our_isn + s->blocks[i][0]);
		p = put32(p, talk.our_isn + s->blocks[i][1]);
	}
	memcpy(p, s->raw, s->n_raw);
	memset(p + s->n_raw, 0, 3);
	return p + (s->n_raw + 3) / 4 * 4;
}

static void write_frame(struct frame *f, const struct seg *s)
{
	struct ends e = ends_to_us();
	uint8_t b[4096], *p = b, *q;
	uint32_t i;

	memset(b, 0, 20);
	put16(b, talk.peer_port);
	put16(b + 2, talk.our_port);
	put32(b + 4, talk.peer_isn + s->seq);
	put32(b + 8, s->flags & 16 ? talk.our_isn + s->ack : 0);
	b[13] = s->flags;
	put16(b + 14, s->win);
	put16(b + 18, s->urgent);
	q = put_options(b + 20, s);
	b[12] = (uint8_t)((s->off ? s->off : (q - b) / 4) << 4);
	for (i = s->seq; i != s->end; i++)
		*q++ = talk_byte(i - 1);
	frame_ip(f, &e, IPPROTO_TCP, p, (unsigned)(q - p));
	frame_fix_transport(f);
	if (s->bad_sum)
		f->b[14 + (talk.v6 ? 40 : 20) + 16] ^= 1;
}

static struct rte_mbuf *to_mbuf(const struct frame *f)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	memcpy(rte_pktmbuf_append(m, (uint16_t)f->len), f->b, f->len);
	return m;
}

/* ---- packet to segment ---------------------------------------------------------------------- */

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static void read_option(struct seg *s, const uint8_t *p)
{
	unsigned i;

	switch (p[0]) {
	case 2:
		s->mss = (uint16_t)get16(p + 2);
		break;
	case 3:
		s->scale = p[2];
		break;
	case 4:
		s->sack_ok = true;
		break;
	case 5:
		s->n_blocks = (p[1] - 2u) / 8;
		for (i = 0; i < s->n_blocks; i++) {
			s->blocks[i][0] = get32(p + 2 + 8 * i) - talk.peer_isn;
			s->blocks[i][1] = get32(p + 6 + 8 * i) - talk.peer_isn;
		}
		break;
	case 8:
		s->has_ts = true;
		s->ts_val = get32(p + 2);
		s->ts_ecr = get32(p + 6);
		break;
	}
}

static bool is_tcp(const struct frame *f)
{
	return get16(f->b + 12) == 0x0800 ? f->b[23] == IPPROTO_TCP
	                                  : get16(f->b + 12) == 0x86dd && f->b[20] == IPPROTO_TCP;
}

static bool frame_sum_ok(const struct frame *f, unsigned len)
{
	struct frame again = *f;

	again.len = len;
	frame_fix_transport(&again);
	return memcmp(again.b, f->b, len) == 0;
}

static void read_frame(struct sent *out, const struct frame *f)
{
	unsigned ip = get16(f->b + 12) == 0x0800 ? 20 : 40, at;
	unsigned total = ip == 20 ? get16(f->b + 16) : 40 + get16(f->b + 18);
	const uint8_t *h = f->b + 14 + ip;
	unsigned len = total - ip - (h[12] >> 4) * 4u, i;
	struct seg *s = &out->seg;

	*s = (struct seg){.scale = -1, .flags = h[13] & 0x3f, .win = get16(h + 14)};
	if ((s->flags & 2) && get16(h + 2) == talk.peer_port)
		talk.our_isn = get32(h + 4);
	s->seq = get32(h + 4) - talk.our_isn;
	s->end = s->seq + len;
	s->ack = s->flags & 16 ? get32(h + 8) - talk.peer_isn : 0;
	for (at = 20; at < (h[12] >> 4) * 4u && h[at] != 0; at += h[at] == 1 ? 1 : h[at + 1])
		if (h[at] != 1)
			read_option(s, h + at);
	out->payload_ok = true;
	for (i = 0; i < len; i++)
		out->payload_ok &= h[(h[12] >> 4) * 4u + i] == talk_byte(s->seq + i - 1);
	out->sum_ok = frame_sum_ok(f, 14 + total);
	talk.ts_heard = s->has_ts ? s->ts_val : talk.ts_heard;
	print(s, out->text, sizeof(out->text));
}

/* ---- the net's turn ------------------------------------------------------------------------- */

static bool is_arp_for_peer(const struct frame *f)
{
	static const uint8_t peer_ip[4] = {10, 0, 0, 2};

	return get16(f->b + 12) == 0x0806 && f->b[21] == 1 && memcmp(f->b + 38, peer_ip, 4) == 0;
}

static bool is_solicitation(const struct frame *f)
{
	return get16(f->b + 12) == 0x86dd && f->b[20] == IPPROTO_ICMPV6 && f->b[54] == 135;
}

/* Everything but TCP is answered or left alone here. */
static void take_other(const struct frame *f)
{
	struct perch_ip us = packets_ip("10.0.0.1"), peer = packets_ip("10.0.0.2");
	struct ends e = {peer_mac, our_mac, packets_ip("fd00::2"), packets_ip("fd00::1")};
	struct frame reply;
	struct rte_mbuf *m;

	if (is_arp_for_peer(f))
		frame_arp(&reply, &our_mac, 2, &peer_mac, &peer, &our_mac, &us);
	else if (is_solicitation(f))
		frame_nd(&reply, &e, 136, 0x60, &e.src, &peer_mac);
	else
		return;
	talk.solicited++;
	m = to_mbuf(&reply);
	perch_net_input(talk.net, 0, &m, 1, talk.now_ns);
}

static void take_frame(void *arg, const uint8_t *bytes, uint32_t len)
{
	struct frame f = {.len = len};

	(void)arg;
	if (len > sizeof(f.b)) {
		bad("a frame is too long");
		return;
	}
	memcpy(f.b, bytes, len);
	if (!is_tcp(&f)) {
		take_other(&f);
		return;
	}
	if (sent_tail == SENT_MAX)
		bad("too many segments are waiting for tx");
	sent[sent_tail++] = f;
}

static void take_tx(void)
{
	struct perch_net *net = talk.net;
	const char *wrong;
	unsigned i;

	for (i = 0; i < net->n_tx; i++) {
		wrong = nic_send(net->tx[i], take_frame, NULL);
		rte_pktmbuf_free(net->tx[i]);
		if (wrong)
			bad(wrong);
	}
	net->n_tx = 0;
}

static void turn(void)
{
	int64_t deadline_ns;
	uint32_t id;

	perch_net_output(talk.net, talk.now_ns);
	while (perch_net_next_arm(talk.net, &id, &deadline_ns))
		deadlines[id] = RTE_MIN(deadlines[id], deadline_ns);
	take_tx();
}

static unsigned earliest(void)
{
	unsigned i, best = 0;

	for (i = 1; i < FLOWS_MAX; i++)
		if (deadlines[i] < deadlines[best])
			best = i;
	return best;
}

/* As a wheel does now and then, which does not name what was put off. */
static void ask_for_deadlines(void)
{
	unsigned i;

	for (i = 0; i < FLOWS_MAX; i++)
		if (deadlines[i] != PERCH_NET_NEVER)
			deadlines[i] = perch_net_due(talk.net, i);
}

/* To the next deadline, or to end_ns. */
static void step(int64_t end_ns)
{
	int64_t tick_ns, next_ns;
	unsigned id;

	ask_for_deadlines();
	id = earliest();
	tick_ns = perch_net_next_tick(talk.net);
	next_ns = RTE_MIN(RTE_MIN(deadlines[id], tick_ns), end_ns);
	talk.now_ns = RTE_MAX(talk.now_ns, next_ns);
	perch_net_tick(talk.net, talk.now_ns);
	if (deadlines[id] <= talk.now_ns)
		deadlines[id] = perch_net_expire(talk.net, id, talk.now_ns);
	turn();
}

void pass(int64_t ns)
{
	int64_t end_ns = talk.now_ns + ns;

	turn();
	do {
		step(end_ns);
	} while (talk.now_ns < end_ns);
}

static void expect_ack_of(const struct seg *s)
{
	uint32_t after = s->end + !!(s->flags & 2) + !!(s->flags & 1);

	if ((int32_t)(after - talk.ack_due) > 0)
		talk.ack_due = after;
}

unsigned forget_tx(void)
{
	struct sent s;
	unsigned n;

	turn();
	for (n = 0; sent_head < sent_tail; n++) {
		read_frame(&s, &sent[sent_head++]);
		expect_ack_of(&s.seg);
	}
	sent_head = sent_tail = 0;
	return n;
}

void turn_to(const struct talk *saved)
{
	int64_t now_ns = talk.now_ns;

	talk = *saved;
	talk.now_ns = now_ns;
}

/* ---- what cases call ------------------------------------------------------------------------ */

int talk_main(const char *name, const struct suite_case *cases, int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	char title[64];
	int worst = 77, rc;

	pool = packets_start(slash ? slash + 1 : argv[0]);
	for (over_v6 = 0; over_v6 < 2; over_v6++) {
		snprintf(title, sizeof(title), "%s over %s", name, over_v6 ? "IPv6" : "IPv4");
		rc = suite_main(title, cases, argc, argv);
		worst = rc == 1 || worst == 77 ? rc : worst;
	}
	return worst;
}

struct perch_net_config talk_config(void)
{
	struct perch_net_config cfg = {
		.pool = pool,
		.n_ifs = 1,
		.seed = 3,
		.secret = "conversations",
		.now_ns = SECOND,
		.max_flows = FLOWS_MAX,
		.rto_min_ns = 200 * MS,
		.rcvbuf_bytes = 256 * 1024,
	};
	struct perch_net_if *nif = &cfg.ifs[0];

	memcpy(nif->mac.addr_bytes, our_mac.b, 6);
	nif->n_addrs = 2;
	nif->addrs[0] = (struct perch_net_addr){.ip = packets_ip("10.0.0.1"), .prefix_len = 24};
	nif->addrs[1] = (struct perch_net_addr){.ip = packets_ip("fd00::1"), .prefix_len = 64};
	return cfg;
}

static void meet_peer(void)
{
	static const struct mac nobody;
	struct perch_ip us = packets_ip("10.0.0.1"), peer = packets_ip("10.0.0.2");
	struct ends e = {peer_mac, our_mac, packets_ip("fd00::2"), packets_ip("fd00::1")};
	struct frame f;
	struct rte_mbuf *m[2];

	frame_arp(&f, &packets_broadcast, 1, &peer_mac, &peer, &nobody, &us);
	m[0] = to_mbuf(&f);
	frame_nd(&f, &e, 135, 0, &e.dst, &peer_mac);
	m[1] = to_mbuf(&f);
	perch_net_input(talk.net, 0, m, 2, talk.now_ns);
}

void talk_begin_with(const struct perch_net_config *cfg)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = RTE_ALIGN_CEIL(memory_past_page + perch_net_bytes(cfg), page_bytes);
	unsigned i;

	pool_level = rte_mempool_avail_count(pool);
	memory = aligned_alloc(page_bytes, bytes);
	memset(memory, 0, bytes);
	talk = (struct talk){.now_ns = cfg->now_ns, .peer_port = 4000, .our_port = 80,
		.peer_isn = 1000000, .v6 = over_v6};
	sent_head = sent_tail = n_burst = 0;
	holding = false;
	for (i = 0; i < FLOWS_MAX; i++)
		deadlines[i] = PERCH_NET_NEVER;
	if (perch_net_open(&talk.net, (uint8_t *)memory + memory_past_page, cfg) < 0)
		bad("perch_net_open refused the configuration");
	meet_peer();
	pass(5 * SECOND);
}

void talk_place(size_t past_page)
{
	memory_past_page = past_page;
}

void talk_begin(void)
{
	struct perch_net_config cfg = talk_config();

	talk_begin_with(&cfg);
}

void talk_end(void)
{
	perch_net_close(talk.net);
	CU_ASSERT_EQUAL(talk.net->held, 0);
	free(memory);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(pool), pool_level);
}

void hold(void)
{
	holding = true;
}

void release(void)
{
	holding = false;
	perch_net_input(talk.net, 0, burst, n_burst, talk.now_ns);
	n_burst = 0;
}

static void fill_in(struct seg *s)
{
	if (!(s->seen & SEEN_ACK))
		s->ack = talk.ack_due;
	if (!(s->seen & SEEN_OPTS) && talk.ts_agreed) {
		s->has_ts = true;
		s->ts_val = talk.ts_val;
		s->ts_ecr = talk.ts_heard;
	}
}

void talk_rx(unsigned line, const char *text)
{
	struct seg s = parse(text);
	struct frame f;

	(void)line;
	fill_in(&s);
	write_frame(&f, &s);
	if (n_burst == BURST_MAX)
		bad("too many segments are held");
	burst[n_burst++] = to_mbuf(&f);
	if (!holding)
		release();
}

void rx_icmp(unsigned type, unsigned code, uint32_t more, uint32_t seq)
{
	struct ends in = ends_to_us(), out = packets_reverse(&in);
	struct frame quoted, f;
	struct rte_mbuf *m;

	frame_tcp(&quoted, &out, talk.our_port, talk.peer_port, talk.our_isn + seq, 0, 0, 0, "", 0);
	frame_icmp(&f, &in, (uint8_t)type, (uint8_t)code, more, quoted.b + 14, quoted.len - 14);
	m = to_mbuf(&f);
	perch_net_input(talk.net, 0, &m, 1, talk.now_ns);
}

static void fail(unsigned line, const char *wanted, const char *got)
{
	char text[400];

	snprintf(text, sizeof(text), "wanted tx \"%s\", got \"%s\"", wanted, got);
	talk_check(line, false, text);
}

static bool options_match(const struct seg *a, const struct seg *b)
{
	unsigned i;

	if (a->mss != b->mss || a->scale != b->scale || a->sack_ok != b->sack_ok ||
		a->has_ts != b->has_ts || a->n_blocks != b->n_blocks)
		return false;
	for (i = 0; i < a->n_blocks; i++)
		if (a->blocks[i][0] != b->blocks[i][0] || a->blocks[i][1] != b->blocks[i][1])
			return false;
	return !a->has_ts || a->ts_ecr == b->ts_ecr; /* our own clock is our own affair */
}

static bool matches(const struct seg *want, const struct seg *got)
{
	const uint8_t psh = 8;

	if ((want->flags | psh) != (got->flags | psh) || want->seq != got->seq ||
		want->end != got->end)
		return false;
	if ((want->seen & SEEN_ACK) && want->ack != got->ack)
		return false;
	if ((want->seen & SEEN_WIN) && want->win != got->win)
		return false;
	return !(want->seen & SEEN_OPTS) || options_match(want, got);
}

void talk_tx(unsigned line, const char *text)
{
	struct seg want = parse(text);
	struct sent s;

	turn();
	if (sent_head == sent_tail) {
		fail(line, text, "nothing");
		return;
	}
	read_frame(&s, &sent[sent_head++]);
	if (!matches(&want, &s.seg))
		fail(line, text, s.text);
	else if (!s.sum_ok)
		fail(line, text, "a wrong checksum");
	else if (!s.payload_ok)
		fail(line, text, "the wrong bytes");
	else
		talk_check(line, true, "tx");
	expect_ack_of(&s.seg);
	if (sent_head == sent_tail)
		sent_head = sent_tail = 0;
}

void talk_none(unsigned line)
{
	struct sent s;

	turn();
	if (sent_head == sent_tail) {
		talk_check(line, true, "no tx");
		return;
	}
	read_frame(&s, &sent[sent_head]);
	fail(line, "nothing", s.text);
}

void talk_none_until(unsigned line, int64_t ns)
{
	pass(ns);
	talk_none(line);
}

void talk_tx_after(unsigned line, int64_t min_ns, int64_t max_ns, const char *text)
{
	int64_t start_ns = talk.now_ns, end_ns = start_ns + max_ns;
	char found[64];

	talk_none(line);
	while (sent_head == sent_tail && talk.now_ns < end_ns)
		step(end_ns);
	if (sent_head != sent_tail && talk.now_ns - start_ns < min_ns) {
		snprintf(found, sizeof(found), "it already after %.3f ms",
			(double)(talk.now_ns - start_ns) / 1e6);
		fail(line, text, found);
	}
	talk_tx(line, text);
}

uint64_t drops(enum perch_drop why)
{
	return talk.net->drops[why];
}

void talk_dropped(unsigned line, unsigned why, const char *text)
{
	uint64_t before = drops(why);
	char what[200];

	talk_rx(line, text);
	snprintf(what, sizeof(what), "\"%s\" is dropped as %s", text, perch_drop_texts[why].name);
	talk_check(line, drops(why) == before + 1, what);
}

void talk_ignored(unsigned line, const char *text)
{
	talk_rx(line, text);
	talk_none(line);
}

void talk_state(unsigned line, const char *name)
{
	struct perch_tcp_info info;
	char what[80];

	perch_tcp_info(talk.net, talk.c, &info);
	snprintf(what, sizeof(what), "state %s, is %s", name, info.state);
	talk_check(line, strcmp(info.state, name) == 0, what);
}

void talk_gone(unsigned line)
{
	turn();
	talk_check(line, perch_tcp_counters(talk.net)->flows == 0, "no connection is left");
	talk_check(line, rte_mempool_avail_count(pool) == pool_level, "all packets are back");
}

void rebase(void)
{
	talk.peer_isn = talk.c->rcv_nxt;
	talk.our_isn = talk.c->snd_nxt;
	talk.ack_due = 0;
}

void talk_event(unsigned line, unsigned events)
{
	struct perch_flow *f = perch_net_next_ready(talk.net);
	char what[80];

	if (!f) {
		snprintf(what, sizeof(what), "events 0x%x, but no flow is ready", events);
		talk_check(line, events == 0, what);
		return;
	}
	snprintf(what, sizeof(what), "events 0x%x, got 0x%x", events, f->events);
	talk_check(line, f->events == events, what);
	if (f->events & PERCH_FLOW_ACCEPTED)
		talk.c = (struct perch_tcb *)f;
	talk_check(line, f == &talk.c->flow, "the event is for the connection");
	f->events = 0;
}

void talk_read(unsigned line, uint32_t n)
{
	uint32_t done, part, i;
	const uint8_t *bytes;
	const void *view;
	bool ok = true;

	talk_check(line, perch_tcp_readable(talk.c) >= n, "so many bytes are readable");
	for (done = 0; done < n && ok; done += part) {
		part = RTE_MIN(perch_tcp_peek(talk.c, &view), n - done);
		bytes = view;
		ok = part > 0;
		for (i = 0; i < part; i++)
			ok &= bytes[i] == talk_byte(talk.read++);
		perch_tcp_consume(talk.net, talk.c, part);
	}
	talk_check(line, ok, "the bytes read are those that were sent");
}

void talk_write(unsigned line, uint32_t n)
{
	static uint8_t bytes[1 << 20];
	uint32_t i;

	for (i = 0; i < n; i++)
		bytes[i] = talk_byte(talk.written + i);
	talk_check(line, perch_tcp_write(talk.net, talk.c, bytes, n) == n, "all bytes are taken");
	talk.written += n;
}

void listens(void)
{
	struct perch_ip any = {.d = {0, 0}};

	CU_ASSERT_EQUAL(perch_tcp_listen(talk.net, &any, talk.our_port, 0, &talk), 0);
}

static void begin_options(
	char *out, size_t size, const char *flags, uint32_t win, const char *options)
{
	snprintf(out, size, "%s 0%s win %u <%s>", flags, flags[1] == 'A' ? " ack 1" : "", win, options);
	talk.ts_agreed = strstr(options, "ts ") != NULL;
}

void accepts(const char *options)
{
	accepts_window(65535, options);
}

void accepts_another(void)
{
	talk.peer_port++;
	rx("S 0 <mss 1000>");
	tx("SA 0 ack 1");
	rx("A 1 ack 1");
	event(PERCH_FLOW_ACCEPTED);
}

void accepts_window(uint32_t win, const char *options)
{
	accepts_after(0, win, options);
}

void accepts_after(int64_t rtt_ns, uint32_t win, const char *options)
{
	char syn[160], ack[40];

	begin_options(syn, sizeof(syn), "S", win, options);
	snprintf(ack, sizeof(ack), "A 1 ack 1 win %u", win);
	if (talk.ts_agreed)
		talk.ts_val = parse(syn).ts_val;
	listens();
	rx(syn);
	tx("SA 0 ack 1");
	pass(rtt_ns);
	rx(ack);
	event(PERCH_FLOW_ACCEPTED);
	no_tx();
}

void talk_flight(unsigned line, unsigned segments)
{
	char text[40];
	unsigned i;

	talk_write(line, segments * 1000);
	for (i = 0; i < segments; i++) {
		snprintf(text, sizeof(text), "A %u:%u", i * 1000 + 1, i * 1000 + 1001);
		talk_tx(line, text);
	}
	talk_none(line);
}

void dials(void)
{
	struct ends e = ends_to_us();

	CU_ASSERT_EQUAL(perch_tcp_connect(talk.net, &e.dst, talk.our_port, &e.src, talk.peer_port,
		talk.now_ns, &talk.c), 0);
}

void connects(const char *options)
{
	char syn[160];

	dials();
	tx("S 0");
	begin_options(syn, sizeof(syn), "SA", 65535, options);
	if (talk.ts_agreed)
		talk.ts_val = parse(syn).ts_val;
	rx(syn);
	event(PERCH_FLOW_CONNECTED | PERCH_FLOW_WRITABLE);
	tx("A 1 ack 1");
	no_tx();
}
