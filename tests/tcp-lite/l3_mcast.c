/* SPDX-License-Identifier: BSD-3-Clause
 * Multicast: what joins and leaves say to routers, what queries are answered with, which versions
 * are spoken when, and who gets which datagram. What is sent is read back by code of its own, into
 * lines like "3 TO_EX 239.1.1.1" (IGMPv3) or "6: 2 ALLOW ff3e::1 fd00::9" (MLDv2).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "tcp-lite/mcast.h"
#include "tcp-lite/udp.h"
#include "tests/suite.h"
#include "tests/tcp-lite/lab.h"

enum { AT_IP = 14, PORT = 5000 };

#define G4   "239.1.1.1"
#define G4B  "239.1.1.2"
#define SSM4 "232.1.1.1"
#define G6   "ff05::123"
#define SSM6 "ff3e::1"

static struct lab lab;
static struct frame f;
static const struct perch_ip any = {.d = {0, 0}};

/* ---- what was sent, in words ---------------------------------------------------------------- */

static const char *const record_names[] = {"?", "IS_IN", "IS_EX", "TO_IN", "TO_EX", "ALLOW",
	"BLOCK"};

struct text {
	char s[8192];
	size_t len;
};

static void say(struct text *t, const char *what)
{
	int n = snprintf(t->s + t->len, sizeof(t->s) - t->len, "%s%s", t->len ? " " : "", what);

	t->len += (size_t)n;
	CU_ASSERT_FATAL(t->len < sizeof(t->s));
}

static void say_ip(struct text *t, const uint8_t *b, bool v4)
{
	char s[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, b, s, sizeof(s));
	say(t, s);
}

/* The records of a report of IGMPv3 or MLDv2. */
static void say_records(struct text *t, const uint8_t *b, const uint8_t *end, bool v4)
{
	unsigned n = (unsigned)b[6] << 8 | b[7], bytes = v4 ? 4 : 16, sources;

	for (b += 8; n > 0; n--) {
		CU_ASSERT_FATAL(b + 4 + bytes <= end);
		CU_ASSERT_EQUAL(b[1], 0);
		sources = (unsigned)b[2] << 8 | b[3];
		say(t, record_names[b[0] <= 6 ? b[0] : 0]);
		say_ip(t, b + 4, v4);
		for (b += 4 + bytes; sources > 0; sources--, b += bytes)
			say_ip(t, b, v4);
	}
	CU_ASSERT_PTR_EQUAL(b, end);
}

/* RFC 3376 section 4: hop limit 1, the router alert option, DSCP CS6. */
static const uint8_t *check_ip4(void)
{
	static const uint8_t alert[] = {148, 4, 0, 0};

	CU_ASSERT_EQUAL(f.b[AT_IP], 0x46);
	CU_ASSERT_EQUAL(f.b[AT_IP + 1], 0xc0);
	CU_ASSERT_EQUAL(f.b[AT_IP + 8], 1);
	CU_ASSERT_EQUAL(f.b[AT_IP + 9], IPPROTO_IGMP);
	CU_ASSERT_EQUAL(memcmp(f.b + AT_IP + 20, alert, 4), 0);
	CU_ASSERT_EQUAL(packets_cksum(f.b + AT_IP, 24, 0), 0);
	CU_ASSERT_EQUAL(packets_cksum(f.b + AT_IP + 24, f.len - AT_IP - 24, 0), 0);
	CU_ASSERT_EQUAL(memcmp(f.b, (const uint8_t[]){1, 0, 0x5e}, 3), 0);
	CU_ASSERT_EQUAL(f.b[3], f.b[AT_IP + 17] & 0x7f);
	CU_ASSERT_EQUAL(memcmp(f.b + 4, f.b + AT_IP + 18, 2), 0);
	return f.b + AT_IP + 24;
}

static uint16_t icmp6_cksum(const struct frame *p, unsigned at)
{
	uint8_t pseudo[40] = {[35] = (uint8_t)(p->len - at), [34] = (uint8_t)((p->len - at) >> 8),
		[39] = IPPROTO_ICMPV6};

	memcpy(pseudo, p->b + AT_IP + 8, 32);
	return packets_cksum(p->b + at, p->len - at, (uint16_t)~packets_cksum(pseudo, 40, 0));
}

/* RFC 3810 section 5: link-local source, hop limit 1, router alert in a hop-by-hop header. */
static const uint8_t *check_ip6(void)
{
	static const uint8_t hop_by_hop[] = {IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0};
	struct perch_ip src = packets_ip("fe80::ff:fe00:1");

	CU_ASSERT_EQUAL(f.b[AT_IP + 6], IPPROTO_HOPOPTS);
	CU_ASSERT_EQUAL(f.b[AT_IP + 7], 1);
	CU_ASSERT_EQUAL(memcmp(f.b + AT_IP + 8, src.b, 16), 0);
	CU_ASSERT_EQUAL(memcmp(f.b + AT_IP + 40, hop_by_hop, 8), 0);
	CU_ASSERT_EQUAL(icmp6_cksum(&f, AT_IP + 48), 0);
	CU_ASSERT_EQUAL(memcmp(f.b, (const uint8_t[]){0x33, 0x33}, 2), 0);
	CU_ASSERT_EQUAL(memcmp(f.b + 2, f.b + AT_IP + 36, 4), 0);
	return f.b + AT_IP + 48;
}

static void say_to(struct text *t, bool v4)
{
	say(t, "to");
	say_ip(t, f.b + AT_IP + (v4 ? 16 : 24), v4);
}

static void say_frame(struct text *t)
{
	const uint8_t *end = f.b + f.len, *b;
	bool v4 = f.b[12] == 0x08;

	b = v4 ? check_ip4() : check_ip6();
	if (!v4)
		say(t, "6:");
	switch (b[0]) {
	case 0x12: say(t, "1 report"); break;
	case 0x16: say(t, "2 report"); break;
	case 0x17: say(t, "2 leave"); break;
	case 131: say(t, "1 report"); break;
	case 132: say(t, "1 done"); break;
	case 0x22: say(t, "3"); say_records(t, b, end, v4); return;
	case 143: say(t, "2"); say_records(t, b, end, v4); return;
	default: CU_FAIL("neither a report nor a leave");
	}
	say_ip(t, v4 ? b + 4 : b + 8, v4);
	say_to(t, v4);
}

/* All that waits to be sent, a space between packets. */
static const char *sent(void)
{
	static struct text t;

	t.len = 0;
	t.s[0] = '\0';
	while (!lab_tx_none(&lab)) {
		lab_tx(&lab, &f);
		say_frame(&t);
	}
	return t.s;
}

static bool says(const char *expected)
{
	const char *found = sent();

	if (strcmp(found, expected) == 0)
		return true;
	printf("  expected '%s', sent '%s'\n", expected, found);
	return false;
}

#define EXPECT(expected) CU_ASSERT(says(expected))

/* Let time pass until something is sent; returns the milliseconds, or ms if nothing was. */
static int64_t wait_tx(int64_t ms)
{
	int64_t start = lab.now_ns, end = start + ms * LAB_MS, next;

	while (lab_tx_none(&lab) && (next = perch_net_next_tick(lab.net)) <= end)
		lab_pass(&lab, next - lab.now_ns);
	if (lab_tx_none(&lab))
		lab_pass(&lab, end - lab.now_ns);
	return (lab.now_ns - start) / LAB_MS;
}

static void tick(void)
{
	lab_pass(&lab, 0);
}

/* ---- sockets -------------------------------------------------------------------------------- */

static struct perch_udp *bind_to(const char *ip, uint16_t port)
{
	struct perch_ip laddr = ip ? packets_ip(ip) : any;
	struct perch_udp *u = NULL;

	CU_ASSERT_EQUAL_FATAL(perch_udp_open(lab.net, &laddr, port, 4, &u), 0);
	return u;
}

static int join(struct perch_udp *u, const char *group, const char *source)
{
	struct perch_ip g = packets_ip(group), s = source ? packets_ip(source) : any;

	return perch_mcast_join(lab.net, 0, u, &g, &s);
}

static int leave(struct perch_udp *u, const char *group, const char *source)
{
	struct perch_ip g = packets_ip(group), s = source ? packets_ip(source) : any;

	return perch_mcast_leave(lab.net, 0, u, &g, &s);
}

static struct perch_udp *open_and_bind(void)
{
	lab_open(&lab);
	return bind_to(NULL, PORT);
}

/* Join, and let the repetition pass. */
static void join_quietly(struct perch_udp *u, const char *group, const char *source)
{
	CU_ASSERT_EQUAL(join(u, group, source), 0);
	lab_pass(&lab, 20 * LAB_S);
	sent();
}

static struct mac mac_of(const struct perch_ip *group)
{
	struct mac m = {{0x33, 0x33, group->b[12], group->b[13], group->b[14], group->b[15]}};

	if (perch_ip_is_v4(group))
		m = (struct mac){{1, 0, 0x5e, group->b[13] & 0x7f, group->b[14], group->b[15]}};
	return m;
}

static void make_udp(const char *group, const char *source, uint16_t dport)
{
	struct ends e = {lab_peer_mac, lab_mac, packets_ip(source), packets_ip(group)};

	e.dmac = mac_of(&e.dst);
	frame_udp(&f, &e, 4000, dport, "tick", 4);
}

static void rx_udp(const char *group, const char *source, uint16_t dport)
{
	make_udp(group, source, dport);
	lab_rx(&lab, &f);
}

/* How many datagrams lie in u; they are taken. */
static unsigned got(struct perch_udp *u)
{
	struct rte_mbuf *m;
	unsigned n = 0;

	while ((m = perch_udp_take(lab.net, u))) {
		CU_ASSERT_EQUAL(m->data_len, 4);
		CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(m, void *), "tick", 4), 0);
		CU_ASSERT(perch_ip_is_multicast(&perch_pkt(m)->udp.dst));
		CU_ASSERT_EQUAL(perch_pkt(m)->udp.sport, 4000);
		CU_ASSERT_EQUAL(perch_pkt(m)->time_ns, lab.now_ns);
		rte_pktmbuf_free(m);
		n++;
	}
	return n;
}

/* ---- queries -------------------------------------------------------------------------------- */

struct query {
	const char *group;      /* NULL: general */
	unsigned version;       /* of IGMP; for MLD 3 means version 2 and 2 means version 1 */
	unsigned max;           /* 1/10 s, for MLD ms */
	uint8_t qrv, qqic;
	const char *sources[4]; /* up to NULL */
};

static void put_sources(uint8_t *count, const struct query *q, bool v4)
{
	struct perch_ip ip;

	for (unsigned i = 0; i < 4 && q->sources[i]; i++) {
		ip = packets_ip(q->sources[i]);
		frame_add(&f, ip.b + (v4 ? 12 : 0), v4 ? 4 : 16);
		count[1]++;
	}
}

static void query4(const struct query *q)
{
	struct ends e = {lab_other_mac, {{0}}, packets_ip("10.0.0.254"),
		packets_ip(q->group ? q->group : "224.0.0.1")};
	uint8_t b[12] = {0x11, (uint8_t)q->max, 0, 0, 0, 0, 0, 0, q->qrv, q->qqic, 0, 0};

	if (q->group)
		memcpy(b + 4, e.dst.b + 12, 4);
	e.dmac = mac_of(&e.dst);
	frame_ip(&f, &e, IPPROTO_IGMP, b, q->version == 3 ? 12 : 8);
	if (q->version == 3)
		put_sources(f.b + f.len - 2, q, true);
	f.b[AT_IP + 3] = (uint8_t)(f.len - AT_IP);
	frame_fix_ip4(&f);
	frame_fix_transport(&f);
	lab_rx(&lab, &f);
}

/* With the hop-by-hop header that MLD wants. */
static void make_mld(const struct ends *e, const void *b, unsigned len)
{
	static const uint8_t hop_by_hop[] = {IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0};

	frame_ip(&f, e, IPPROTO_HOPOPTS, hop_by_hop, 8);
	f.b[AT_IP + 7] = 1;
	frame_add(&f, b, len);
}

static void fix_mld(void)
{
	uint16_t sum;

	f.b[AT_IP + 5] = (uint8_t)(f.len - AT_IP - 40);
	f.b[AT_IP + 4] = (uint8_t)((f.len - AT_IP - 40) >> 8);
	f.b[AT_IP + 50] = f.b[AT_IP + 51] = 0;
	sum = icmp6_cksum(&f, AT_IP + 48);
	f.b[AT_IP + 50] = (uint8_t)(sum >> 8);
	f.b[AT_IP + 51] = (uint8_t)sum;
}

static void make_query6(const struct query *q)
{
	struct ends e = {lab_other_mac, {{0}}, packets_ip("fe80::99"),
		packets_ip(q->group ? q->group : "ff02::1")};
	uint8_t b[28] = {130, 0, 0, 0, (uint8_t)(q->max >> 8), (uint8_t)q->max, [24] = q->qrv,
		[25] = q->qqic};

	if (q->group)
		memcpy(b + 8, e.dst.b, 16);
	e.dmac = mac_of(&e.dst);
	make_mld(&e, b, q->version == 3 ? 28 : 24);
	if (q->version == 3)
		put_sources(f.b + f.len - 2, q, false);
	fix_mld();
}

static void query6(const struct query *q)
{
	make_query6(q);
	lab_rx(&lab, &f);
}

/* ---- joining and leaving: RFC 3376 section 5.1, RFC 3810 section 6.1 ------------------------- */

/* At once, and again after a random time of at most a second. */
static void reported_twice(const char *group, const char *source, const char *report)
{
	struct perch_udp *u = open_and_bind();
	int64_t ms;

	CU_ASSERT_EQUAL(join(u, group, source), 0);
	tick();
	EXPECT(report);
	ms = wait_tx(5000);
	CU_ASSERT(ms <= 1000);
	EXPECT(report);
	CU_ASSERT_EQUAL(wait_tx(100000), 100000);
	lab_close(&lab);
}

/* RFC 3810 section 5.2.13: while our link-local address is still asked for, reports are from ::. */
static void no_link_local_yet(void)
{
	static const uint8_t nobody[16];
	unsigned early = 0, late = 0, wrong = 0;
	struct perch_net_config cfg;
	struct perch_udp *u;
	struct frame frame;

	lab_config(&cfg);
	cfg.dad = PERCH_NET_DAD_STRICT;
	lab = (struct lab){.pool_level = rte_mempool_avail_count(lab_pool)};
	lab.mem = aligned_alloc(64, perch_net_bytes(&cfg));
	memset(lab.mem, 0, perch_net_bytes(&cfg));
	CU_ASSERT_EQUAL_FATAL(perch_net_open(&lab.net, lab.mem, &cfg), 0);
	u = bind_to(NULL, PORT);
	CU_ASSERT_EQUAL(join(u, G6, NULL), 0);
	tick();
	for (lab_tx(&lab, &frame); frame.len > 0; lab_tx(&lab, &frame))
		if (frame.b[12] == 0x86 && frame.b[20] == 0) { /* hop-by-hop: MLD */
			early++;
			wrong += memcmp(frame.b + 22, nobody, 16) != 0;
		}
	lab_pass(&lab, 20 * LAB_S);
	while (!lab_tx_none(&lab))
		lab_tx(&lab, &frame);
	CU_ASSERT_EQUAL(leave(u, G6, NULL), 0);
	tick();
	for (lab_tx(&lab, &frame); frame.len > 0; lab_tx(&lab, &frame))
		if (frame.b[12] == 0x86 && frame.b[20] == 0) {
			late++;
			wrong += frame.b[22] != 0xfe;
		}
	CU_ASSERT(early > 0);
	CU_ASSERT(late > 0);
	CU_ASSERT_EQUAL(wrong, 0);
	lab_close(&lab);
}

static void join_any(void)
{
	reported_twice(G4, NULL, "3 TO_EX " G4);
	reported_twice(G6, NULL, "6: 2 TO_EX " G6);
}

static void join_source(void)
{
	reported_twice(SSM4, "10.0.0.9", "3 ALLOW " SSM4 " 10.0.0.9");
	reported_twice(SSM6, "fd00::9", "6: 2 ALLOW " SSM6 " fd00::9");
}

static void leave_any(void)
{
	struct perch_udp *u = open_and_bind();

	join_quietly(u, G4, NULL);
	join_quietly(u, G6, NULL);
	CU_ASSERT_EQUAL(leave(u, G4, NULL), 0);
	tick();
	EXPECT("3 TO_IN " G4);
	CU_ASSERT(wait_tx(5000) <= 1000);
	EXPECT("3 TO_IN " G4);
	CU_ASSERT_EQUAL(leave(u, G6, NULL), 0);
	tick();
	EXPECT("6: 2 TO_IN " G6);
	CU_ASSERT_EQUAL(leave(u, G6, NULL), -EADDRNOTAVAIL);
	lab_close(&lab);
}

static void leave_source(void)
{
	struct perch_udp *u = open_and_bind();

	join_quietly(u, SSM4, "10.0.0.9");
	join_quietly(u, SSM4, "10.0.0.8");
	CU_ASSERT_EQUAL(leave(u, SSM4, "10.0.0.9"), 0);
	tick();
	EXPECT("3 BLOCK " SSM4 " 10.0.0.9");
	CU_ASSERT_EQUAL(leave(u, SSM4, "10.0.0.8"), 0); /* before the repetition */
	tick();
	EXPECT("3 BLOCK " SSM4 " 10.0.0.8 10.0.0.9");
	wait_tx(5000);
	EXPECT("3 BLOCK " SSM4 " 10.0.0.8");
	CU_ASSERT_EQUAL(leave(u, SSM4, "10.0.0.7"), -EADDRNOTAVAIL);
	lab_close(&lab);
}

/* What is left in an lcore's last turn leaves with that turn. */
static void leave_in_the_last_turn(void)
{
	struct perch_udp *u = open_and_bind();

	join_quietly(u, G4, NULL);
	perch_udp_close(lab.net, u);
	perch_net_output(lab.net, lab.now_ns);
	EXPECT("3 TO_IN " G4);
	lab_close(&lab);
}

/* RFC 3376 section 3.2: the interface takes what all sockets together take. */
static void sockets_are_merged(void)
{
	struct perch_udp *u = open_and_bind(), *second = bind_to(NULL, PORT + 1);

	join_quietly(u, G4, "10.0.0.9");
	CU_ASSERT_EQUAL(join(second, G4, "10.0.0.9"), 0);
	tick();
	EXPECT(""); /* nothing new */
	CU_ASSERT_EQUAL(leave(second, G4, "10.0.0.9"), 0);
	CU_ASSERT_EQUAL(join(second, G4, NULL), 0);
	tick();
	EXPECT("3 TO_EX " G4);
	lab_pass(&lab, 2 * LAB_S);
	sent();
	CU_ASSERT_EQUAL(leave(second, G4, NULL), 0); /* the source of the first one is left */
	tick();
	EXPECT("3 TO_IN " G4 " 10.0.0.9");
	lab_close(&lab);
}

/* What was joined together is reported together, and a change of mind before the repetition
 * replaces it. */
static void reports_are_merged(void)
{
	struct perch_udp *u = open_and_bind();
	const char *said;

	CU_ASSERT_EQUAL(join(u, G4, NULL), 0);
	CU_ASSERT_EQUAL(join(u, G4B, NULL), 0);
	tick();
	EXPECT("3 TO_EX " G4 " TO_EX " G4B);
	CU_ASSERT_EQUAL(leave(u, G4, NULL), 0);
	tick();
	EXPECT("3 TO_IN " G4);
	lab_pass(&lab, 5 * LAB_S);
	said = sent(); /* the dice say which of them comes first */
	CU_ASSERT(strcmp(said, "3 TO_IN " G4 " 3 TO_EX " G4B) == 0 ||
		strcmp(said, "3 TO_EX " G4B " 3 TO_IN " G4) == 0);
	lab_close(&lab);
}

/* A hundred groups are a few packets, none of them longer than the MTU (section 4.2.16). */
static void many_groups_are_few_packets(void)
{
	struct perch_udp *u = open_and_bind();
	unsigned records = 0, packets = 0;
	char group[32];

	for (unsigned i = 0; i < 250; i++) {
		snprintf(group, sizeof(group), "239.2.0.%u", i);
		CU_ASSERT_EQUAL(join(u, group, NULL), 0);
	}
	tick();
	while (!lab_tx_none(&lab)) {
		lab_tx(&lab, &f);
		CU_ASSERT(f.len <= 14 + 1500);
		records += (unsigned)f.b[AT_IP + 30] << 8 | f.b[AT_IP + 31];
		packets++;
	}
	CU_ASSERT_EQUAL(records, 250);
	CU_ASSERT_EQUAL(packets, 2);
	CU_ASSERT_EQUAL(join(u, "239.3.0.0", NULL), 0);
	perch_udp_close(lab.net, u); /* leaves all */
	tick();
	CU_ASSERT_EQUAL(lab.net->n_tx, 2);
	sent();
	lab_close(&lab);
}

/* Sources that do not fit one packet go on in the next, and no record is empty. */
static void many_sources_split(void)
{
	struct perch_net_config cfg;
	struct perch_udp *u;
	unsigned sources = 0;
	char source[32];

	lab_config(&cfg);
	cfg.max_memberships = 500;
	lab_open_with(&lab, &cfg);
	u = bind_to(NULL, PORT);
	for (unsigned i = 0; i < 400; i++) {
		snprintf(source, sizeof(source), "10.1.%u.%u", i / 200, 1 + i % 200);
		CU_ASSERT_EQUAL(join(u, SSM4, source), 0);
	}
	tick();
	CU_ASSERT_EQUAL(lab.net->n_tx, 2);
	while (!lab_tx_none(&lab)) {
		lab_tx(&lab, &f);
		CU_ASSERT(f.len <= 14 + 1500);
		CU_ASSERT_EQUAL(f.b[AT_IP + 32], 5); /* ALLOW */
		CU_ASSERT(f.b[AT_IP + 34] || f.b[AT_IP + 35]);
		sources += (unsigned)f.b[AT_IP + 34] << 8 | f.b[AT_IP + 35];
	}
	CU_ASSERT_EQUAL(sources, 400);
	lab_close(&lab);
}

/* RFC 4861 section 7.2.1 wants them joined, RFC 3810 section 6 reported: for switches that snoop.
 * Nothing is said of all nodes and all hosts. */
static void own_groups_are_reported(void)
{
	struct perch_net_config cfg;
	size_t bytes;

	lab_config(&cfg);
	bytes = perch_net_bytes(&cfg);
	lab = (struct lab){.pool_level = rte_mempool_avail_count(lab_pool)};
	lab.mem = aligned_alloc(64, bytes);
	memset(lab.mem, 0, bytes);
	CU_ASSERT_EQUAL_FATAL(perch_net_open(&lab.net, lab.mem, &cfg), 0);
	tick();
	while (!lab_tx_none(&lab)) {
		lab_tx(&lab, &f);
		if (f.b[12] == 0x86 && f.b[AT_IP + 6] == IPPROTO_HOPOPTS)
			break;
	}
	struct text t = {.len = 0};
	say_frame(&t);
	CU_ASSERT_STRING_EQUAL(t.s, "6: 2 TO_EX ff02::1:ff00:1");
	lab_close(&lab);
}

static void refused(void)
{
	struct perch_udp *u = open_and_bind();
	struct perch_net_config cfg;

	CU_ASSERT_EQUAL(join(u, "10.0.0.2", NULL), -EINVAL);
	CU_ASSERT_EQUAL(join(u, G4, "224.0.0.5"), -EINVAL);
	CU_ASSERT_EQUAL(join(u, G4, "fd00::9"), -EINVAL);
	CU_ASSERT_EQUAL(join(u, SSM4, NULL), -EINVAL); /* RFC 4604 section 2.1 */
	CU_ASSERT_EQUAL(join(u, SSM6, NULL), -EINVAL);
	CU_ASSERT_EQUAL(join(u, G4, NULL), 0);
	CU_ASSERT_EQUAL(join(u, G4, NULL), -EADDRINUSE);
	CU_ASSERT_EQUAL(join(u, G4, "10.0.0.9"), -EINVAL);
	CU_ASSERT_EQUAL(join(u, G4B, "10.0.0.9"), 0);
	CU_ASSERT_EQUAL(join(u, G4B, "10.0.0.9"), -EADDRINUSE);
	CU_ASSERT_EQUAL(join(u, G4B, NULL), -EINVAL);
	lab_close(&lab);

	lab_config(&cfg);
	cfg.ifs[0].n_addrs = 1; /* no IPv6 */
	cfg.ifs[0].has_gw6 = false;
	lab_open_with(&lab, &cfg);
	CU_ASSERT_EQUAL(join(bind_to(NULL, PORT), G6, NULL), -EINVAL);
	lab_close(&lab);
}

/* Another lcore speaks for us. */
static void passive_says_nothing(void)
{
	struct perch_net_config cfg;
	struct perch_udp *u;

	lab_config(&cfg);
	cfg.passive = true;
	lab_open_with(&lab, &cfg);
	u = bind_to(NULL, PORT);
	CU_ASSERT_EQUAL(join(u, G4, NULL), 0);
	query4(&(struct query){NULL, 3, 10, 2, 125, {NULL}});
	lab_pass(&lab, 20 * LAB_S);
	EXPECT("");
	rx_udp(G4, "10.0.0.2", PORT);
	CU_ASSERT_EQUAL(got(u), 1);
	lab_close(&lab);
}

/* ---- queries: RFC 3376 section 5.2, RFC 3810 section 6.2 ------------------------------------- */

static void answered_once(const char *answer, int64_t max_ms)
{
	int64_t ms;

	CU_ASSERT(lab_tx_none(&lab)); /* not at once */
	ms = wait_tx(100000);
	CU_ASSERT(ms <= max_ms);
	EXPECT(answer);
	CU_ASSERT_EQUAL(wait_tx(20000), 20000);
}

static void general_query(void)
{
	struct perch_udp *u = open_and_bind();

	join_quietly(u, G4, NULL);
	join_quietly(u, SSM4, "10.0.0.9");
	join_quietly(u, SSM4, "10.0.0.8");
	query4(&(struct query){NULL, 3, 50, 2, 125, {NULL}});
	answered_once("3 IS_EX " G4 " IS_IN " SSM4 " 10.0.0.8 10.0.0.9", 5000);
	join_quietly(u, G6, NULL);
	query6(&(struct query){NULL, 3, 3000, 2, 125, {NULL}});
	answered_once("6: 2 IS_EX ff02::1:ff00:1 IS_EX " G6, 3000);
	lab_close(&lab);
}

/* The delays of many answers fill the time that the query gave. */
static void delays_are_random(void)
{
	struct perch_udp *u = open_and_bind();
	int64_t least = INT64_MAX, most = 0, ms;

	join_quietly(u, G4, NULL);
	for (int i = 0; i < 64; i++) {
		query4(&(struct query){NULL, 3, 100, 2, 125, {NULL}});
		ms = wait_tx(20000);
		EXPECT("3 IS_EX " G4);
		least = RTE_MIN(least, ms);
		most = RTE_MAX(most, ms);
	}
	CU_ASSERT(least < 2000);
	CU_ASSERT(most > 8000 && most <= 10000);
	lab_close(&lab);
}

/* Codes from 128 on are floats: 0x8b is (11 | 16) << 3 = 216 tenths. */
static void long_delays(void)
{
	struct perch_udp *u = open_and_bind();
	int64_t most = 0;

	join_quietly(u, G4, NULL);
	for (int i = 0; i < 64; i++) {
		query4(&(struct query){NULL, 3, 0x8b, 2, 125, {NULL}});
		most = RTE_MAX(most, wait_tx(30000));
		EXPECT("3 IS_EX " G4);
	}
	CU_ASSERT(most > 18000 && most <= 21600);
	lab_close(&lab);
}

static void group_query(void)
{
	struct perch_udp *u = open_and_bind();

	join_quietly(u, G4, NULL);
	join_quietly(u, G4B, "10.0.0.9");
	query4(&(struct query){G4, 3, 10, 2, 125, {NULL}});
	answered_once("3 IS_EX " G4, 1000);
	query4(&(struct query){G4B, 3, 10, 2, 125, {NULL}});
	answered_once("3 IS_IN " G4B " 10.0.0.9", 1000);
	join_quietly(u, SSM6, "fd00::9");
	query6(&(struct query){SSM6, 3, 1000, 2, 125, {NULL}});
	answered_once("6: 2 IS_IN " SSM6 " fd00::9", 1000);
	lab_close(&lab);
}

/* Only the wanted ones of those that are asked for; if there are none, silence. */
static void source_query(void)
{
	struct perch_udp *u = open_and_bind();

	join_quietly(u, SSM4, "10.0.0.9");
	join_quietly(u, SSM4, "10.0.0.8");
	query4(&(struct query){SSM4, 3, 10, 2, 125, {"10.0.0.7", "10.0.0.8"}});
	answered_once("3 IS_IN " SSM4 " 10.0.0.8", 1000);
	query4(&(struct query){SSM4, 3, 10, 2, 125, {"10.0.0.7"}});
	CU_ASSERT_EQUAL(wait_tx(20000), 20000);
	query4(&(struct query){SSM4, 3, 10, 2, 125, {"10.0.0.8"}}); /* rule 5: both are answered */
	query4(&(struct query){SSM4, 3, 10, 2, 125, {"10.0.0.9"}});
	answered_once("3 IS_IN " SSM4 " 10.0.0.8 10.0.0.9", 1000);
	query4(&(struct query){SSM4, 3, 10, 2, 125, {"10.0.0.8"}}); /* rule 4: all is asked for */
	query4(&(struct query){SSM4, 3, 10, 2, 125, {NULL}});
	answered_once("3 IS_IN " SSM4 " 10.0.0.8 10.0.0.9", 1000);
	lab_close(&lab);
}

/* Rule 1: one answer to a general query says it all. */
static void pending_general_answer_is_enough(void)
{
	struct perch_udp *u = open_and_bind();

	join_quietly(u, G4, NULL);
	query4(&(struct query){NULL, 3, 1, 2, 125, {NULL}});
	query4(&(struct query){G4, 3, 100, 2, 125, {NULL}});
	query4(&(struct query){NULL, 3, 100, 2, 125, {NULL}});
	answered_once("3 IS_EX " G4, 100);
	lab_close(&lab);
}

/* Section 4.1.6: the querier's robustness is ours. */
static void robustness_is_learnt(void)
{
	struct perch_udp *u = open_and_bind();
	unsigned n = 0;

	query4(&(struct query){NULL, 3, 10, 5, 125, {NULL}});
	lab_pass(&lab, 5 * LAB_S);
	CU_ASSERT_EQUAL(join(u, G4, NULL), 0);
	for (; wait_tx(2000) <= 1000; n++)
		EXPECT("3 TO_EX " G4);
	CU_ASSERT_EQUAL(n, 5);
	lab_close(&lab);
}

static void unknown_group_is_not_answered(void)
{
	struct perch_udp *u = open_and_bind();

	join_quietly(u, G4, NULL);
	query4(&(struct query){G4B, 3, 10, 2, 125, {NULL}});
	query4(&(struct query){"224.0.0.1", 3, 10, 2, 125, {NULL}});
	CU_ASSERT_EQUAL(wait_tx(20000), 20000);
	lab_close(&lab);
}

/* A switch that queries in place of a router has no address (RFC 4541 section 2.1.1). */
static void querier_without_address(void)
{
	struct ends e = {lab_other_mac, {{1, 0, 0x5e, 0, 0, 1}}, packets_ip("0.0.0.0"),
		packets_ip("224.0.0.1")};
	const uint8_t query[12] = {0x11, 10, [8] = 2, 125};
	struct perch_udp *u = open_and_bind();

	join_quietly(u, G4, NULL);
	frame_ip(&f, &e, IPPROTO_IGMP, query, sizeof(query));
	frame_fix_transport(&f);
	lab_rx(&lab, &f);
	answered_once("3 IS_EX " G4, 1000);
	lab_close(&lab);
}

/* RFC 3810 section 6.2: each of hop limit, router alert and link-local source is asked for. */
static void queries_from_elsewhere(void)
{
	const struct query general = {NULL, 3, 1000, 2, 125, {NULL}};
	struct perch_ip global = packets_ip("fd00::2");
	struct perch_udp *u = open_and_bind();

	join_quietly(u, G6, NULL);
	make_query6(&general);
	f.b[AT_IP + 7] = 2;
	lab_rx(&lab, &f);
	make_query6(&general);
	f.b[AT_IP + 42] = 1; /* the router alert becomes padding */
	f.b[AT_IP + 43] = 4;
	lab_rx(&lab, &f);
	make_query6(&general);
	memcpy(f.b + AT_IP + 8, global.b, 16);
	fix_mld();
	lab_rx(&lab, &f);
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_mld_malformed], 3);
	CU_ASSERT_EQUAL(wait_tx(5000), 5000);
	query6(&general);
	answered_once("6: 2 IS_EX ff02::1:ff00:1 IS_EX " G6, 1000);
	lab_close(&lab);
}

/* ---- older versions: RFC 3376 section 7.2, RFC 2236, RFC 3810 section 8.2, RFC 2710 ---------- */

static void version2(void)
{
	struct perch_udp *u = open_and_bind();

	join_quietly(u, G4, NULL);
	query4(&(struct query){NULL, 2, 100, 0, 0, {NULL}});
	answered_once("2 report " G4 " to " G4, 10000);
	CU_ASSERT_EQUAL(join(u, G4B, "10.0.0.9"), 0); /* it knows no sources */
	tick();
	EXPECT("2 report " G4B " to " G4B);
	CU_ASSERT(wait_tx(20000) <= 10000);
	EXPECT("2 report " G4B " to " G4B);
	CU_ASSERT_EQUAL(leave(u, G4B, "10.0.0.9"), 0);
	tick();
	EXPECT("2 leave " G4B " to 224.0.0.2");
	CU_ASSERT_EQUAL(wait_tx(20000), 20000);
	query4(&(struct query){G4, 2, 10, 0, 0, {NULL}});
	answered_once("2 report " G4 " to " G4, 1000);
	lab_close(&lab);
}

static void version1(void)
{
	struct perch_udp *u = open_and_bind();

	join_quietly(u, G4, NULL);
	query4(&(struct query){NULL, 1, 0, 0, 0, {NULL}});
	answered_once("1 report " G4 " to " G4, 10000);
	CU_ASSERT_EQUAL(leave(u, G4, NULL), 0);
	CU_ASSERT_EQUAL(wait_tx(20000), 20000); /* no leave in version 1 */
	lab_close(&lab);
}

static void mld_version1(void)
{
	struct perch_udp *u = open_and_bind();

	join_quietly(u, G6, NULL);
	query6(&(struct query){G6, 2, 1000, 0, 0, {NULL}});
	answered_once("6: 1 report " G6 " to " G6, 1000);
	CU_ASSERT_EQUAL(leave(u, G6, NULL), 0);
	tick();
	EXPECT("6: 1 done " G6 " to ff02::2");
	query6(&(struct query){NULL, 2, 1000, 0, 0, {NULL}}); /* our own address's group */
	answered_once("6: 1 report ff02::1:ff00:1 to ff02::1:ff00:1", 1000);
	lab_close(&lab);
}

/* Section 8.12: robustness x query interval + 10 s after the last old query. */
static void back_to_version3(void)
{
	struct perch_udp *u = open_and_bind();

	join_quietly(u, G4, NULL);
	query4(&(struct query){NULL, 3, 10, 3, 20, {NULL}}); /* 3 x 20 s + 10 s */
	wait_tx(2000);
	sent();
	query4(&(struct query){NULL, 2, 10, 0, 0, {NULL}});
	lab_pass(&lab, 68 * LAB_S);
	EXPECT("2 report " G4 " to " G4);
	query4(&(struct query){G4, 3, 5, 3, 20, {NULL}});
	lab_pass(&lab, LAB_S);
	EXPECT("2 report " G4 " to " G4); /* still */
	lab_pass(&lab, 2 * LAB_S);
	query4(&(struct query){G4, 3, 5, 3, 20, {NULL}});
	answered_once("3 IS_EX " G4, 500);
	lab_close(&lab);
}

/* Section 7.2.1: a change of version cancels what was to be sent in the other. */
static void version_change_cancels(void)
{
	struct perch_udp *u = open_and_bind();

	CU_ASSERT_EQUAL(join(u, G4, NULL), 0);
	tick();
	EXPECT("3 TO_EX " G4);
	query4(&(struct query){NULL, 2, 1, 0, 0, {NULL}});
	answered_once("2 report " G4 " to " G4, 100);
	lab_close(&lab);
}

static void rx_report(const char *group, uint8_t type)
{
	struct ends e = {lab_other_mac, {{0}}, packets_ip("10.0.0.77"), packets_ip(group)};
	uint8_t b[8] = {type};

	memcpy(b + 4, e.dst.b + 12, 4);
	e.dmac = mac_of(&e.dst);
	frame_ip(&f, &e, IPPROTO_IGMP, b, 8);
	frame_fix_transport(&f);
	lab_rx(&lab, &f);
}

/* RFC 2236 section 3: the first report of any host is enough, and then the leave is not ours. */
static void reports_are_suppressed(void)
{
	struct perch_udp *u = open_and_bind();

	join_quietly(u, G4, NULL);
	query4(&(struct query){NULL, 2, 100, 0, 0, {NULL}});
	rx_report(G4, 0x16);
	CU_ASSERT_EQUAL(wait_tx(20000), 20000);
	CU_ASSERT_EQUAL(leave(u, G4, NULL), 0);
	CU_ASSERT_EQUAL(wait_tx(20000), 20000);
	lab_close(&lab);
}

/* Version 3 has no suppression, and SSM groups never (RFC 4604 section 2.2.3). */
static void reports_are_not_suppressed(void)
{
	struct perch_udp *u = open_and_bind();

	join_quietly(u, G4, NULL);
	join_quietly(u, SSM4, "10.0.0.9");
	query4(&(struct query){NULL, 3, 10, 2, 125, {NULL}});
	rx_report(G4, 0x16);
	answered_once("3 IS_EX " G4 " IS_IN " SSM4 " 10.0.0.9", 1000);
	query4(&(struct query){SSM4, 2, 10, 0, 0, {NULL}});
	rx_report(SSM4, 0x16);
	answered_once("2 report " SSM4 " to " SSM4, 1000);
	lab_close(&lab);
}

/* ---- what is let in ------------------------------------------------------------------------- */

static void delivered_to_members(void)
{
	struct perch_udp *u = open_and_bind(), *ssm = bind_to(NULL, PORT + 1);
	struct perch_udp *g1 = bind_to(G4, PORT), *g2 = bind_to(G4, PORT), *g3 = bind_to(G4B, PORT);

	CU_ASSERT_EQUAL(join(u, G4, NULL), 0);
	CU_ASSERT_EQUAL(join(g1, G4, NULL), 0);
	CU_ASSERT_EQUAL(join(g2, G4, NULL), 0);
	CU_ASSERT_EQUAL(join(g3, G4B, NULL), 0);
	CU_ASSERT_EQUAL(join(ssm, SSM4, "10.0.0.9"), 0);
	rx_udp(G4, "10.0.0.2", PORT);
	CU_ASSERT_EQUAL(got(u), 1);
	CU_ASSERT_EQUAL(got(g1), 1);
	CU_ASSERT_EQUAL(got(g2), 1);
	CU_ASSERT_EQUAL(got(g3), 0);
	rx_udp(SSM4, "10.0.0.9", PORT + 1);
	CU_ASSERT_EQUAL(got(ssm), 1);
	rx_udp(SSM4, "10.0.0.8", PORT + 1);
	CU_ASSERT_EQUAL(got(ssm), 0);
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_udp_no_member], 1);
	sent();
	lab_close(&lab);
}

static void delivered_over_ip6(void)
{
	struct perch_udp *u = open_and_bind(), *g = bind_to(SSM6, PORT);

	CU_ASSERT_EQUAL(join(u, G6, NULL), 0);
	CU_ASSERT_EQUAL(join(g, SSM6, "fd00::9"), 0);
	rx_udp(G6, "fd00::2", PORT);
	rx_udp(SSM6, "fd00::9", PORT);
	rx_udp(SSM6, "fd00::2", PORT);
	CU_ASSERT_EQUAL(got(u), 1);
	CU_ASSERT_EQUAL(got(g), 1);
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_udp_no_member], 1);
	lab_close(&lab);
}

/* A full queue loses its own copy only. */
static void full_queue_of_one(void)
{
	struct perch_udp *a, *b;

	lab_open(&lab);
	a = bind_to(G4, PORT);
	b = bind_to(G4, PORT);
	CU_ASSERT_EQUAL(join(a, G4, NULL), 0);
	CU_ASSERT_EQUAL(join(b, G4, NULL), 0);
	for (int i = 0; i < 6; i++) {
		rx_udp(G4, "10.0.0.2", PORT);
		got(b);
	}
	CU_ASSERT_EQUAL(got(a), 4);
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_udp_queue_full], 2);
	lab_close(&lab);
}

/* RFC 1112 section 6.4: 32 groups share a MAC address, and only one of them was joined. */
static void same_mac_other_group(void)
{
	struct perch_udp *u = open_and_bind();

	CU_ASSERT_EQUAL(join(u, G4, NULL), 0);
	rx_udp("238.129.1.1", "10.0.0.2", PORT);
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_ip4_not_ours], 1);
	rx_udp(G4B, "10.0.0.2", PORT);
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_eth_not_joined], 1);
	CU_ASSERT_EQUAL(leave(u, G4, NULL), 0);
	rx_udp(G4, "10.0.0.2", PORT); /* though the leave is not yet repeated */
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_eth_not_joined], 2);
	CU_ASSERT_EQUAL(got(u), 0);
	lab_close(&lab);
}

static bool has_mac(const struct rte_ether_addr *macs, uint32_t n, const char *group)
{
	struct perch_ip ip = packets_ip(group);
	struct mac wanted = mac_of(&ip);
	bool found = false;

	for (uint32_t i = 0; i < n; i++)
		if (memcmp(macs[i].addr_bytes, wanted.b, 6) == 0)
			found = true;
	return found;
}

static void macs_for_the_nic(void)
{
	struct perch_udp *u = open_and_bind();
	struct rte_ether_addr macs[8];
	uint32_t gen = lab.net->group_gen, n;

	CU_ASSERT_EQUAL(join(u, G4, NULL), 0);
	CU_ASSERT_EQUAL(join(NULL, G4B, NULL), 0); /* another lcore's */
	CU_ASSERT_NOT_EQUAL(lab.net->group_gen, gen);
	n = perch_mcast_macs(lab.net, macs, 8);
	CU_ASSERT_EQUAL(n, 5);
	CU_ASSERT(has_mac(macs, n, G4) && has_mac(macs, n, G4B) && has_mac(macs, n, "224.0.0.1") &&
		has_mac(macs, n, "ff02::1") && has_mac(macs, n, "ff02::1:ff00:1"));
	n = perch_mcast_socket_macs(lab.net, macs, 8);
	CU_ASSERT_EQUAL(n, 1);
	CU_ASSERT(has_mac(macs, n, G4));
	perch_udp_close(lab.net, u);
	CU_ASSERT_EQUAL(perch_mcast_macs(lab.net, macs, 8), 4);
	CU_ASSERT_EQUAL(perch_mcast_macs(lab.net, macs, 2), 4);
	lab_close(&lab);
}

/* ---- sending to groups ---------------------------------------------------------------------- */

/* RFC 1112 section 6.1: a hop limit of 1 unless asked otherwise; nothing comes back to us. */
static void send_to_group(void)
{
	struct perch_udp *u = open_and_bind();
	struct perch_ip group = packets_ip(G4);

	join_quietly(u, G4, NULL);
	CU_ASSERT_EQUAL(perch_udp_send(lab.net, u, &any, &group, PORT, "tick", 4), 0);
	lab_tx(&lab, &f);
	CU_ASSERT_EQUAL(f.b[AT_IP + 8], 1);
	CU_ASSERT_EQUAL(f.b[0], 1);
	u->group_hops = 9;
	CU_ASSERT_EQUAL(perch_udp_send(lab.net, u, &any, &group, PORT, "tick", 4), 0);
	lab_tx(&lab, &f);
	CU_ASSERT_EQUAL(f.b[AT_IP + 8], 9);
	CU_ASSERT_EQUAL(got(u), 0);
	lab_close(&lab);
}

/* A socket bound to a group sends from the interface's address. */
static void send_from_group_socket(void)
{
	struct perch_udp *u;
	struct perch_ip group = packets_ip(G4), us = packets_ip("10.0.0.1");

	lab_open(&lab);
	u = bind_to(G4, PORT);
	CU_ASSERT_EQUAL(perch_udp_send(lab.net, u, &any, &group, PORT, "tick", 4), 0);
	lab_tx(&lab, &f);
	CU_ASSERT_EQUAL(memcmp(f.b + AT_IP + 12, us.b + 12, 4), 0);
	lab_close(&lab);
}

int main(int argc, char **argv)
{
	const struct suite_case suite[] = {
		{"link-local is not there yet", no_link_local_yet},
		{"join any source", join_any},
		{"join one source", join_source},
		{"leave any source", leave_any},
		{"leave one source", leave_source},
		{"leave in the last turn", leave_in_the_last_turn},
		{"sockets are merged", sockets_are_merged},
		{"reports are merged", reports_are_merged},
		{"many groups are few packets", many_groups_are_few_packets},
		{"many sources split", many_sources_split},
		{"own groups are reported", own_groups_are_reported},
		{"refused", refused},
		{"passive says nothing", passive_says_nothing},
		{"general query", general_query},
		{"delays are random", delays_are_random},
		{"long delays", long_delays},
		{"group query", group_query},
		{"source query", source_query},
		{"pending general answer is enough", pending_general_answer_is_enough},
		{"robustness is learnt", robustness_is_learnt},
		{"unknown group is not answered", unknown_group_is_not_answered},
		{"querier without address", querier_without_address},
		{"queries from elsewhere", queries_from_elsewhere},
		{"version 2", version2},
		{"version 1", version1},
		{"MLD version 1", mld_version1},
		{"back to version 3", back_to_version3},
		{"version change cancels", version_change_cancels},
		{"reports are suppressed", reports_are_suppressed},
		{"reports are not suppressed", reports_are_not_suppressed},
		{"delivered to members", delivered_to_members},
		{"delivered over IPv6", delivered_over_ip6},
		{"full queue of one", full_queue_of_one},
		{"same MAC, other group", same_mac_other_group},
		{"MACs for the NIC", macs_for_the_nic},
		{"send to group", send_to_group},
		{"send from group socket", send_from_group_socket},
		{NULL, NULL},
	};

	lab_pool = packets_start("l3_mcast");
	return suite_main("l3 mcast", suite, argc, argv);
}
