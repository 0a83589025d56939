/* SPDX-License-Identifier: BSD-3-Clause
 * Conversations about MAC addresses in virtual time: asked, answered, retried, given up, aged,
 * probed, evicted, contested and forged. ARP: RFC 826 and 5227. NDP: RFC 4861 section 7.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "tcp-lite/ip.h"
#include "tcp-lite/neigh.h"
#include "tests/suite.h"
#include "tests/tcp-lite/lab.h"

static struct lab lab;
static struct frame f;

/* Send a UDP datagram that carries `mark` from our address of dst's family. */
static void send_mark(const char *dst, uint8_t mark, struct perch_path *path)
{
	struct perch_ip to = packets_ip(dst);
	struct perch_ip from = packets_ip(perch_ip_is_v4(&to) ? "10.0.0.1" : "fd00::1");
	struct rte_mbuf *m = perch_net_alloc(lab.net);
	uint8_t *b = (uint8_t *)rte_pktmbuf_append(m, 9);

	memcpy(b, (const uint8_t[]){0, 1, 0, 2, 0, 9, 0, 0, mark}, 9);
	perch_ip_send(lab.net, m, &from, &to, IPPROTO_UDP, 0, path);
}

static bool tx_is_mark(const char *dst, const struct mac *mac, uint8_t mark)
{
	struct ends e = {lab_mac, *mac, packets_ip("10.0.0.1"), packets_ip(dst)};

	if (!perch_ip_is_v4(&e.dst))
		e.src = packets_ip("fd00::1");
	frame_udp(&f, &e, 1, 2, &mark, 1);
	return lab_tx_is(&lab, &f);
}

static bool tx_is_arp_request(const char *target, const struct mac *to)
{
	struct perch_ip us = packets_ip("10.0.0.1"), ip = packets_ip(target);

	frame_arp(&f, to, 1, &lab_mac, &us, &lab_no_mac, &ip);
	return lab_tx_is(&lab, &f);
}

static void rx_arp(uint16_t op, const struct mac *mac, const char *sender, const char *target)
{
	struct perch_ip s = packets_ip(sender), t = packets_ip(target);

	frame_arp(&f, op == 1 ? &packets_broadcast : &lab_mac, op, mac, &s,
		op == 1 ? &lab_no_mac : &lab_mac, &t);
	lab_rx(&lab, &f);
}

static bool tx_is_solicit(const char *target, const struct mac *unicast)
{
	struct ends e = {lab_mac, {{0x33, 0x33, 0xff, 0, 0, 0}}, packets_ip("fd00::1"),
		packets_ip("ff02::1:ff00:0")};
	struct perch_ip ip = packets_ip(target);

	if (unicast) {
		e.dmac = *unicast;
		e.dst = ip;
	} else {
		memcpy(e.dmac.b + 3, ip.b + 13, 3);
		memcpy(e.dst.b + 13, ip.b + 13, 3);
	}
	frame_nd(&f, &e, 135, 0, &ip, &lab_mac);
	return lab_tx_is(&lab, &f);
}

static void rx_advert(const char *target, const struct mac *mac, uint8_t flags)
{
	struct ends e = {*mac, lab_mac, packets_ip(target), packets_ip("fd00::1")};

	frame_nd(&f, &e, 136, flags, &e.src, mac);
	lab_rx(&lab, &f);
}

/* ---- ARP ------------------------------------------------------------------------------------ */

static void arp_asked_of_us(void)
{
	struct perch_ip us = packets_ip("10.0.0.1"), peer = packets_ip("10.0.0.2");

	lab_open(&lab);
	rx_arp(1, &lab_peer_mac, "10.0.0.2", "10.0.0.1");
	frame_arp(&f, &lab_peer_mac, 2, &lab_mac, &us, &lab_peer_mac, &peer);
	CU_ASSERT(lab_tx_is(&lab, &f));
	send_mark("10.0.0.2", 1, NULL); /* and its address was learnt from the question */
	CU_ASSERT(tx_is_mark("10.0.0.2", &lab_peer_mac, 1));
	lab_close(&lab);
}

static void arp_padded_to_60_bytes(void)
{
	struct perch_ip us = packets_ip("10.0.0.1"), peer = packets_ip("10.0.0.2");

	lab_open(&lab);
	frame_arp(&f, &packets_broadcast, 1, &lab_peer_mac, &peer, &lab_no_mac, &us);
	memset(f.b + f.len, 0, 60 - f.len);
	f.len = 60;
	lab_rx(&lab, &f);
	CU_ASSERT_EQUAL(lab.net->n_tx, 1);
	lab_close(&lab);
}

static void arp_range_is_answered(void)
{
	struct perch_net_config cfg;
	struct perch_ip last = packets_ip("10.0.0.4"), peer = packets_ip("10.0.0.9");

	lab_config(&cfg);
	cfg.ifs[0].addrs[0].count = 4; /* 10.0.0.1 to 10.0.0.4 */
	lab_open_with(&lab, &cfg);
	rx_arp(1, &lab_peer_mac, "10.0.0.9", "10.0.0.5");
	CU_ASSERT(lab_tx_none(&lab));
	rx_arp(1, &lab_peer_mac, "10.0.0.9", "10.0.0.4");
	frame_arp(&f, &lab_peer_mac, 2, &lab_mac, &last, &lab_peer_mac, &peer);
	CU_ASSERT(lab_tx_is(&lab, &f));
	lab_close(&lab);
}

/* Packets wait in order; the oldest of more than 16 is pushed out. */
static void arp_resolves(void)
{
	lab_open(&lab);
	for (uint8_t i = 0; i < 18; i++)
		send_mark("10.0.0.2", i, NULL);
	CU_ASSERT(tx_is_arp_request("10.0.0.2", &packets_broadcast));
	CU_ASSERT(lab_tx_none(&lab));
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_neigh_queue_full], 2);
	rx_arp(2, &lab_peer_mac, "10.0.0.2", "10.0.0.1");
	for (uint8_t i = 2; i < 18; i++)
		CU_ASSERT(tx_is_mark("10.0.0.2", &lab_peer_mac, i));
	CU_ASSERT(lab_tx_none(&lab));
	lab_close(&lab);
}

static void arp_gateway_is_asked(void)
{
	lab_open(&lab);
	send_mark("192.0.2.7", 1, NULL);
	CU_ASSERT(tx_is_arp_request("10.0.0.254", &packets_broadcast));
	rx_arp(2, &lab_other_mac, "10.0.0.254", "10.0.0.1");
	CU_ASSERT(tx_is_mark("192.0.2.7", &lab_other_mac, 1));
	lab_close(&lab);
}

static void arp_retries_then_gives_up(void)
{
	lab_open(&lab);
	send_mark("10.0.0.2", 1, NULL);
	CU_ASSERT(tx_is_arp_request("10.0.0.2", &packets_broadcast));
	CU_ASSERT_EQUAL(perch_net_next_tick(lab.net), lab.now_ns + LAB_S);
	lab_pass(&lab, 999 * LAB_MS);
	CU_ASSERT(lab_tx_none(&lab));
	lab_pass(&lab, 1 * LAB_MS);
	CU_ASSERT(tx_is_arp_request("10.0.0.2", &packets_broadcast));
	lab_pass(&lab, LAB_S);
	CU_ASSERT(tx_is_arp_request("10.0.0.2", &packets_broadcast));
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_neigh_unreachable], 0);
	lab_pass(&lab, LAB_S);
	CU_ASSERT(lab_tx_none(&lab));
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_neigh_unreachable], 1);
	CU_ASSERT_EQUAL(perch_net_next_tick(lab.net), PERCH_NET_NEVER);

	send_mark("10.0.0.2", 2, NULL); /* the next packet starts afresh */
	CU_ASSERT(tx_is_arp_request("10.0.0.2", &packets_broadcast));
	lab_close(&lab);
}

/* RFC 1122 section 2.4: the flow whose packet waited in vain hears of it. */
static void arp_failure_reaches_tcp(void)
{
	struct perch_ip us = packets_ip("10.0.0.1"), to = packets_ip("10.0.0.2");
	struct rte_mbuf *m;

	lab_open(&lab);
	m = perch_net_alloc(lab.net);
	memset(rte_pktmbuf_append(m, 20), 0, 20);
	memcpy(rte_pktmbuf_mtod(m, void *), (const uint8_t[]){4, 1, 0, 80, 1, 2, 3, 4}, 8);
	perch_ip_send(lab.net, m, &us, &to, IPPROTO_TCP, 0, NULL);
	lab_pass(&lab, 4 * LAB_S);
	CU_ASSERT_EQUAL(lab_tcp.errors, 1);
	CU_ASSERT_EQUAL(lab_tcp.error.err, -EHOSTUNREACH);
	CU_ASSERT_EQUAL(lab_tcp.error.lport, 1025);
	CU_ASSERT_EQUAL(lab_tcp.error.rport, 80);
	CU_ASSERT_EQUAL(lab_tcp.error.seq, 0x01020304);
	CU_ASSERT(perch_ip_equal(&lab_tcp.error.raddr, &to));
	lab_close(&lab);
}

/* Reachable for 30 s; then stale. The first use starts a delay of 5 s (RFC 4861 section 7.3.2),
 * then it is asked by unicast, while packets go on. */
static void arp_ages(void)
{
	lab_open(&lab);
	lab_meet_peer(&lab);
	lab_pass(&lab, 29999 * LAB_MS);
	send_mark("10.0.0.2", 1, NULL);
	CU_ASSERT(tx_is_mark("10.0.0.2", &lab_peer_mac, 1));
	CU_ASSERT(lab_tx_none(&lab));
	lab_pass(&lab, 1 * LAB_MS);
	CU_ASSERT(lab_tx_none(&lab)); /* nobody asks about a neighbour that is not in use */
	send_mark("10.0.0.2", 2, NULL);
	CU_ASSERT(tx_is_mark("10.0.0.2", &lab_peer_mac, 2));
	lab_pass(&lab, 4999 * LAB_MS);
	CU_ASSERT(lab_tx_none(&lab));
	lab_pass(&lab, 1 * LAB_MS);
	CU_ASSERT(tx_is_arp_request("10.0.0.2", &lab_peer_mac));
	send_mark("10.0.0.2", 3, NULL);
	CU_ASSERT(tx_is_mark("10.0.0.2", &lab_peer_mac, 3));
	CU_ASSERT(lab_tx_none(&lab));
	rx_arp(2, &lab_peer_mac, "10.0.0.2", "10.0.0.1");
	lab_pass(&lab, 10 * LAB_S);
	CU_ASSERT(lab_tx_none(&lab));
	send_mark("10.0.0.2", 4, NULL);
	CU_ASSERT(tx_is_mark("10.0.0.2", &lab_peer_mac, 4));
	CU_ASSERT(lab_tx_none(&lab));
	lab_close(&lab);
}

static void arp_probe_unanswered(void)
{
	lab_open(&lab);
	lab_meet_peer(&lab);
	lab_pass(&lab, 31 * LAB_S);
	send_mark("10.0.0.2", 1, NULL);
	CU_ASSERT(tx_is_mark("10.0.0.2", &lab_peer_mac, 1));
	lab_pass(&lab, 5 * LAB_S);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT(tx_is_arp_request("10.0.0.2", &lab_peer_mac));
		lab_pass(&lab, LAB_S);
	}
	CU_ASSERT(lab_tx_none(&lab));
	send_mark("10.0.0.2", 2, NULL); /* forgotten: everybody is asked */
	CU_ASSERT(tx_is_arp_request("10.0.0.2", &packets_broadcast));
	CU_ASSERT(lab_tx_none(&lab));
	lab_close(&lab);
}

/* The peer moved to another MAC address while we were asking for it. */
static void arp_answer_with_new_mac(void)
{
	lab_open(&lab);
	lab_meet_peer(&lab);
	lab_pass(&lab, 31 * LAB_S);
	send_mark("10.0.0.2", 1, NULL);
	lab_pass(&lab, 5 * LAB_S);
	rx_arp(2, &lab_other_mac, "10.0.0.2", "10.0.0.1");
	lab_tx(&lab, &f);
	lab_tx(&lab, &f);
	send_mark("10.0.0.2", 2, NULL);
	CU_ASSERT(tx_is_mark("10.0.0.2", &lab_other_mac, 2));
	CU_ASSERT(lab_tx_none(&lab));
	lab_close(&lab);
}

/* RFC 4861 section 7.3.1: TCP is as good as an answer, in every state, but not about a MAC
 * address of which we have only heard. */
static void confirmed_by_progress(void)
{
	struct perch_path path = {0};

	lab_open(&lab);
	lab_meet_peer(&lab);
	send_mark("fd00::2", 1, &path);
	lab_tx(&lab, &f);
	for (int i = 0; i < 10; i++) { /* never stale */
		lab_pass(&lab, 20 * LAB_S);
		perch_neigh_confirm(lab.net, &path);
	}
	send_mark("fd00::2", 2, &path);
	lab_pass(&lab, 9 * LAB_S);
	CU_ASSERT(tx_is_mark("fd00::2", &lab_peer_mac, 2));
	CU_ASSERT(lab_tx_none(&lab));

	lab_pass(&lab, 40 * LAB_S);
	send_mark("fd00::2", 3, &path); /* DELAY */
	perch_neigh_confirm(lab.net, &path);
	lab_pass(&lab, 10 * LAB_S);
	CU_ASSERT(tx_is_mark("fd00::2", &lab_peer_mac, 3));
	CU_ASSERT(lab_tx_none(&lab));

	lab_pass(&lab, 40 * LAB_S);
	send_mark("fd00::2", 4, &path);
	lab_pass(&lab, 5 * LAB_S); /* PROBE */
	CU_ASSERT(tx_is_mark("fd00::2", &lab_peer_mac, 4));
	CU_ASSERT(tx_is_solicit("fd00::2", &lab_peer_mac));
	perch_neigh_confirm(lab.net, &path);
	lab_pass(&lab, 10 * LAB_S);
	CU_ASSERT(lab_tx_none(&lab));

	rx_advert("fd00::2", &lab_other_mac, 0x20); /* moved, somebody says */
	perch_neigh_confirm(lab.net, &path);
	send_mark("fd00::2", 5, &path);
	CU_ASSERT(tx_is_mark("fd00::2", &lab_other_mac, 5));
	CU_ASSERT(tx_is_solicit("fd00::2", &lab_other_mac));
	lab_close(&lab);
}

/* ---- forgeries ------------------------------------------------------------------------------ */

/* Nothing that is not for us makes an entry. */
static void arp_creates_nothing_unasked(void)
{
	lab_open(&lab);
	rx_arp(2, &lab_other_mac, "10.0.0.9", "10.0.0.1"); /* an answer to no question */
	rx_arp(1, &lab_other_mac, "10.0.0.9", "10.0.0.9"); /* an announcement */
	rx_arp(1, &lab_other_mac, "10.0.0.9", "10.0.0.3"); /* a question for somebody else */
	rx_arp(1, &lab_other_mac, "192.0.2.7", "10.0.0.1"); /* from off the link */
	while (!lab_tx_none(&lab))
		lab_tx(&lab, &f);
	send_mark("10.0.0.9", 1, NULL);
	CU_ASSERT(tx_is_arp_request("10.0.0.9", &packets_broadcast));
	CU_ASSERT(lab_tx_none(&lab));
	lab_close(&lab);
}

/* A rumour does not displace what was confirmed within the last second. Later it is believed,
 * for gateways do move, but probed at once; and when the forger is silent the truth comes back. */
static void arp_rumour(void)
{
	lab_open(&lab);
	lab_meet_peer(&lab);
	lab_pass(&lab, 500 * LAB_MS);
	rx_arp(1, &lab_other_mac, "10.0.0.2", "10.0.0.2");
	send_mark("10.0.0.2", 1, NULL);
	CU_ASSERT(tx_is_mark("10.0.0.2", &lab_peer_mac, 1));
	CU_ASSERT(lab_tx_none(&lab));

	lab_pass(&lab, LAB_S);
	rx_arp(1, &lab_other_mac, "10.0.0.2", "10.0.0.2");
	send_mark("10.0.0.2", 2, NULL);
	CU_ASSERT(tx_is_mark("10.0.0.2", &lab_other_mac, 2));
	CU_ASSERT(tx_is_arp_request("10.0.0.2", &lab_other_mac));
	lab_pass(&lab, 3 * LAB_S);
	lab_tx(&lab, &f);
	lab_tx(&lab, &f);
	send_mark("10.0.0.2", 3, NULL);
	CU_ASSERT(tx_is_arp_request("10.0.0.2", &packets_broadcast));
	rx_arp(2, &lab_peer_mac, "10.0.0.2", "10.0.0.1");
	CU_ASSERT(tx_is_mark("10.0.0.2", &lab_peer_mac, 3));
	lab_close(&lab);
}

/* RFC 5227 section 2.4 (c): defended once, then not for 10 s. */
static void arp_conflict(void)
{
	struct perch_ip us = packets_ip("10.0.0.1");
	struct frame defence;

	frame_arp(&defence, &packets_broadcast, 1, &lab_mac, &us, &lab_no_mac, &us);
	lab_open(&lab);
	rx_arp(1, &lab_other_mac, "10.0.0.1", "10.0.0.1");
	CU_ASSERT(lab_tx_is(&lab, &defence));
	lab_pass(&lab, 9 * LAB_S);
	rx_arp(2, &lab_other_mac, "10.0.0.1", "10.0.0.2");
	CU_ASSERT(lab_tx_none(&lab));
	lab_pass(&lab, LAB_S);
	rx_arp(1, &lab_other_mac, "10.0.0.1", "10.0.0.9");
	CU_ASSERT(lab_tx_is(&lab, &defence));
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_arp_conflict], 3);
	lab_close(&lab);
}

/* RFC 5227 section 2.1.1: somebody wants our address. It is answered and not learnt from. */
static void arp_probe_for_our_address(void)
{
	struct perch_ip us = packets_ip("10.0.0.1"), none = packets_ip("0.0.0.0");

	lab_open(&lab);
	rx_arp(1, &lab_other_mac, "0.0.0.0", "10.0.0.1");
	frame_arp(&f, &lab_other_mac, 2, &lab_mac, &us, &lab_other_mac, &none);
	CU_ASSERT(lab_tx_is(&lab, &f));
	lab_close(&lab);
}

/* ---- the cache ------------------------------------------------------------------------------ */

static void open_with_room_for(uint32_t neighbours)
{
	struct perch_net_config cfg;

	lab_config(&cfg);
	cfg.max_neighbours = neighbours;
	lab_open_with(&lab, &cfg);
}

static bool known(const char *ip)
{
	struct perch_ip a = packets_ip(ip);

	return perch_neigh_find(lab.net, 0, &a) != NULL;
}

static void least_recently_used_is_evicted(void)
{
	open_with_room_for(3);
	send_mark("10.0.0.11", 1, NULL);
	send_mark("10.0.0.12", 1, NULL);
	send_mark("10.0.0.13", 1, NULL);
	send_mark("10.0.0.11", 2, NULL);
	send_mark("10.0.0.14", 1, NULL);
	CU_ASSERT(known("10.0.0.11") && !known("10.0.0.12"));
	CU_ASSERT(known("10.0.0.13") && known("10.0.0.14"));
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_neigh_table_full], 1); /* its packet */
	lab_close(&lab);
}

/* Strangers that ask us displace each other, never somebody that we send to. */
static void strangers_do_not_evict_friends(void)
{
	char name[16];

	open_with_room_for(3);
	send_mark("10.0.0.11", 1, NULL);
	send_mark("10.0.0.12", 1, NULL);
	for (int i = 100; i < 200; i++) {
		snprintf(name, sizeof(name), "10.0.0.%d", i);
		rx_arp(1, &lab_other_mac, name, "10.0.0.1");
		CU_ASSERT(known(name));
	}
	CU_ASSERT(known("10.0.0.11") && known("10.0.0.12"));
	send_mark("10.0.0.13", 1, NULL); /* takes the stranger's place */
	CU_ASSERT(known("10.0.0.11") && known("10.0.0.12") && known("10.0.0.13"));
	rx_arp(1, &lab_other_mac, "10.0.0.99", "10.0.0.1");
	CU_ASSERT(!known("10.0.0.99"));
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_neigh_table_full], 1);
	lab_close(&lab);
}

/* A scan of addresses that nobody has does not make us forget who answers. */
static void the_silent_do_not_evict_friends(void)
{
	char name[16];

	open_with_room_for(3);
	lab_meet_peer(&lab);
	for (int i = 100; i < 200; i++) {
		snprintf(name, sizeof(name), "10.0.0.%d", i);
		send_mark(name, 1, NULL);
		CU_ASSERT(known(name));
	}
	CU_ASSERT(known("10.0.0.2") && known("fd00::2"));
	lab_close(&lab);
}

static void path_is_remembered_until_eviction(void)
{
	struct perch_path path = {0}, first;

	open_with_room_for(2);
	send_mark("10.0.0.11", 1, &path);
	CU_ASSERT_EQUAL(path.gen, lab.net->path_gen);
	first = path;
	rx_arp(2, &lab_peer_mac, "10.0.0.11", "10.0.0.1");
	send_mark("10.0.0.11", 2, &path);
	CU_ASSERT_EQUAL(memcmp(&path, &first, sizeof(path)), 0);
	send_mark("10.0.0.12", 1, NULL);
	rx_arp(2, &lab_peer_mac, "10.0.0.12", "10.0.0.1");
	send_mark("10.0.0.13", 1, NULL); /* evicts 11 */
	CU_ASSERT(!known("10.0.0.11"));
	CU_ASSERT_NOT_EQUAL(path.gen, lab.net->path_gen);
	while (!lab_tx_none(&lab))
		lab_tx(&lab, &f);
	send_mark("10.0.0.11", 3, &path);
	CU_ASSERT(tx_is_arp_request("10.0.0.11", &packets_broadcast));
	CU_ASSERT_EQUAL(path.gen, lab.net->path_gen);
	lab_close(&lab);
}

/* Thousands come and go; the table's lists and chains stay whole. */
static void cache_churns(void)
{
	char name[16];
	uint32_t x = 1;

	open_with_room_for(37);
	for (int i = 0; i < 20000; i++) {
		x = x * 1664525 + 1013904223;
		snprintf(name, sizeof(name), "10.0.0.%u", 2 + (x >> 8) % 200);
		switch (x >> 28) {
		case 0: rx_arp(2, &lab_peer_mac, name, "10.0.0.1"); break;
		case 1: rx_arp(1, &lab_other_mac, name, "10.0.0.1"); break;
		case 2: lab_pass(&lab, (x >> 4) % LAB_S); break;
		default: send_mark(name, 1, NULL); break;
		}
		while (!lab_tx_none(&lab))
			lab_tx(&lab, &f);
	}
	lab_pass(&lab, 10 * LAB_S);
	CU_ASSERT_EQUAL(perch_net_next_tick(lab.net), PERCH_NET_NEVER);
	lab_close(&lab);
}

/* ---- NDP ------------------------------------------------------------------------------------ */

static bool tx_is_advert(const struct ends *to, const char *target, uint8_t flags)
{
	struct ends e = {lab_mac, to->smac, packets_ip(target), to->src};

	frame_nd(&f, &e, 136, flags, &e.src, &lab_mac);
	return lab_tx_is(&lab, &f);
}

static void nd_asked_of_us(void)
{
	struct ends e = lab_ends6(), group = e;

	lab_open(&lab);
	group.dmac = (struct mac){{0x33, 0x33, 0xff, 0, 0, 1}};
	group.dst = packets_ip("ff02::1:ff00:1");
	frame_nd(&f, &group, 135, 0, &e.dst, &lab_peer_mac);
	lab_rx(&lab, &f);
	CU_ASSERT(tx_is_advert(&e, "fd00::1", 0x60));
	send_mark("fd00::2", 1, NULL); /* stale at first, so this one probes */
	CU_ASSERT(tx_is_mark("fd00::2", &lab_peer_mac, 1));
	CU_ASSERT(tx_is_solicit("fd00::2", &lab_peer_mac));
	lab_close(&lab);
}

/* Our own fe80:: address, made of the MAC address, is asked for by a link-local one. */
static void nd_link_local(void)
{
	struct ends e = {lab_peer_mac, {{0x33, 0x33, 0xff, 0, 0, 1}},
		packets_ip("fe80::ff:fe00:2"), packets_ip("ff02::1:ff00:1")};
	struct perch_ip us = packets_ip("fe80::ff:fe00:1");

	lab_open(&lab);
	frame_nd(&f, &e, 135, 0, &us, &lab_peer_mac);
	lab_rx(&lab, &f);
	CU_ASSERT(tx_is_advert(&e, "fe80::ff:fe00:1", 0x60));
	e.dmac = lab_mac;
	e.dst = us;
	frame_icmp(&f, &e, 128, 0, 5, "ping", 4);
	lab_rx(&lab, &f);
	e = packets_reverse(&e);
	frame_icmp(&f, &e, 129, 0, 5, "ping", 4);
	CU_ASSERT(lab_tx_is(&lab, &f));
	CU_ASSERT_EQUAL(lab.net->n_tx, 1); /* the probe, for the peer was only hearsay */
	lab_close(&lab);
}

static void nd_resolves(void)
{
	lab_open(&lab);
	send_mark("fd00::1:2:3", 1, NULL);
	send_mark("fd00::1:2:3", 2, NULL);
	CU_ASSERT(tx_is_solicit("fd00::1:2:3", NULL));
	CU_ASSERT(lab_tx_none(&lab));
	rx_advert("fd00::1:2:3", &lab_peer_mac, 0x60);
	CU_ASSERT(tx_is_mark("fd00::1:2:3", &lab_peer_mac, 1));
	CU_ASSERT(tx_is_mark("fd00::1:2:3", &lab_peer_mac, 2));
	CU_ASSERT(lab_tx_none(&lab));
	lab_close(&lab);
}

static void nd_retries_then_gives_up(void)
{
	lab_open(&lab);
	send_mark("fd00::9", 1, NULL);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT(tx_is_solicit("fd00::9", NULL));
		CU_ASSERT(lab_tx_none(&lab));
		lab_pass(&lab, LAB_S);
	}
	CU_ASSERT(lab_tx_none(&lab));
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_neigh_unreachable], 1);
	lab_close(&lab);
}

/* Section 7.2.5: without the override flag another MAC address only makes us doubt. */
static void nd_override(void)
{
	lab_open(&lab);
	lab_meet_peer(&lab);
	lab_pass(&lab, 2 * LAB_S);
	rx_advert("fd00::2", &lab_other_mac, 0x00);
	send_mark("fd00::2", 1, NULL);
	CU_ASSERT(tx_is_mark("fd00::2", &lab_peer_mac, 1));
	CU_ASSERT(tx_is_solicit("fd00::2", &lab_peer_mac));
	rx_advert("fd00::2", &lab_peer_mac, 0x40);
	lab_pass(&lab, 2 * LAB_S);
	CU_ASSERT(lab_tx_none(&lab));

	rx_advert("fd00::2", &lab_other_mac, 0x20);
	send_mark("fd00::2", 2, NULL);
	CU_ASSERT(tx_is_mark("fd00::2", &lab_other_mac, 2));
	CU_ASSERT(tx_is_solicit("fd00::2", &lab_other_mac));
	lab_close(&lab);
}

/* A solicited flag is worth nothing when nobody asked. */
static void nd_solicited_by_nobody(void)
{
	lab_open(&lab);
	lab_meet_peer(&lab);
	lab_pass(&lab, 500 * LAB_MS);
	rx_advert("fd00::2", &lab_other_mac, 0x60);
	send_mark("fd00::2", 1, NULL);
	CU_ASSERT(tx_is_mark("fd00::2", &lab_peer_mac, 1));
	rx_advert("fd00::7", &lab_other_mac, 0x60);
	CU_ASSERT(!known("fd00::7"));
	lab_close(&lab);
}

/* RFC 4862 section 5.4.3: whoever tries our address learns that it is taken. */
static void nd_duplicate_detection_by_another(void)
{
	struct ends e = {lab_other_mac, {{0x33, 0x33, 0xff, 0, 0, 1}}, packets_ip("::"),
		packets_ip("ff02::1:ff00:1")};
	struct ends all = {{{0x33, 0x33, 0, 0, 0, 1}}, lab_mac, packets_ip("ff02::1"),
		packets_ip("fd00::1")};

	lab_open(&lab);
	frame_nd(&f, &e, 135, 0, &all.dst, NULL);
	lab_rx(&lab, &f);
	CU_ASSERT(tx_is_advert(&all, "fd00::1", 0x20));
	lab_close(&lab);
}

static void nd_range_is_answered(void)
{
	struct ends e = {lab_peer_mac, {{0x33, 0x33, 0xff, 0, 0, 5}}, packets_ip("fd00::9"),
		packets_ip("ff02::1:ff00:5")};
	struct perch_net_config cfg;
	struct perch_ip fifth = packets_ip("fd00::5");

	lab_config(&cfg);
	cfg.ifs[0].addrs[1].count = 5;
	lab_open_with(&lab, &cfg);
	frame_nd(&f, &e, 135, 0, &fifth, &lab_peer_mac);
	lab_rx(&lab, &f);
	CU_ASSERT(tx_is_advert(&e, "fd00::5", 0x60));
	e.dst = packets_ip("ff02::1:ff00:6");
	frame_nd(&f, &e, 135, 0, &fifth, &lab_peer_mac);
	lab_rx(&lab, &f);
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_ip6_not_ours], 1);
	lab_close(&lab);
}

/* The same link-local address on two links is two neighbours. */
static void nd_links_are_apart(void)
{
	struct perch_ip ip = packets_ip("fe80::9");
	struct perch_net_config cfg;
	struct perch_neigh *a, *b;

	lab_config(&cfg);
	cfg.n_ifs = 2;
	cfg.max_neighbours = 1; /* one bucket and one place */
	cfg.ifs[1] = cfg.ifs[0];
	cfg.ifs[1].mac.addr_bytes[5] = 0x77;
	lab_open_with(&lab, &cfg);
	a = perch_neigh_add(lab.net, 0, &ip);
	CU_ASSERT_PTR_EQUAL(perch_neigh_find(lab.net, 0, &ip), a);
	CU_ASSERT_PTR_NULL(perch_neigh_find(lab.net, 1, &ip));
	b = perch_neigh_add(lab.net, 1, &ip);
	CU_ASSERT_PTR_NULL(perch_neigh_find(lab.net, 0, &ip));
	CU_ASSERT_PTR_EQUAL(perch_neigh_find(lab.net, 1, &ip), b);
	lab_close(&lab);
}

/* ---- our addresses, alone ours: RFC 4862 section 5.4, RFC 4429, RFC 5227 section 2.1 -------- */

static void open_asking(enum perch_net_dad dad)
{
	struct perch_net_config cfg;
	size_t bytes;

	lab_config(&cfg);
	cfg.dad = (uint8_t)dad;
	bytes = perch_net_bytes(&cfg);
	lab = (struct lab){.pool_level = rte_mempool_avail_count(lab_pool)};
	lab_tcp = (struct lab_tcp){.knows_flow = true};
	lab.mem = aligned_alloc(64, bytes);
	memset(lab.mem, 0, bytes);
	CU_ASSERT_EQUAL_FATAL(perch_net_open(&lab.net, lab.mem, &cfg), 0);
}

static void rx_dad_probe(const char *target)
{
	struct ends e = {lab_other_mac, {{0x33, 0x33, 0xff, 0, 0, 1}}, packets_ip("::"),
		packets_ip("ff02::1:ff00:1")};
	struct perch_ip ip = packets_ip(target);

	frame_nd(&f, &e, 135, 0, &ip, NULL);
	lab_rx(&lab, &f);
}

static void rx_dad_advert(const char *target)
{
	struct ends e = {lab_other_mac, {{0x33, 0x33, 0, 0, 0, 1}}, packets_ip(target),
		packets_ip("ff02::1")};

	frame_nd(&f, &e, 136, 0x20, &e.src, &lab_other_mac);
	lab_rx(&lab, &f);
}

/* How many of the frames that are sent are like f. */
static unsigned count_sent(void)
{
	struct frame wanted = f, sent;
	unsigned n = 0;

	while (!lab_tx_none(&lab)) {
		lab_tx(&lab, &sent);
		n += sent.len == wanted.len && memcmp(sent.b, wanted.b, sent.len) == 0;
	}
	return n;
}

static void make_our_probe6(const char *target)
{
	struct ends e = {lab_mac, {{0x33, 0x33, 0xff, 0, 0, 1}}, packets_ip("::"),
		packets_ip("ff02::1:ff00:1")};
	struct perch_ip ip = packets_ip(target);

	frame_nd(&f, &e, 135, 0, &ip, NULL);
}

static bool answers_ping(bool v4)
{
	struct ends e = v4 ? lab_ends4() : lab_ends6();
	enum perch_drop name = v4 ? PERCH_DROP_ip4_not_ours : PERCH_DROP_ip6_not_ours;
	uint64_t before = lab.net->drops[name];

	frame_icmp(&f, &e, v4 ? 8 : 128, 0, 1, "x", 1);
	lab_rx(&lab, &f);
	return lab.net->drops[name] == before;
}

/* Section 5.4.2: one solicitation from ::, within the first second. */
static void dad_asks_once(void)
{
	open_asking(PERCH_NET_DAD_OPTIMISTIC);
	lab_pass(&lab, LAB_S);
	make_our_probe6("fd00::1");
	CU_ASSERT_EQUAL(count_sent(), 1);
	CU_ASSERT(answers_ping(false)); /* meanwhile, too */
	lab_pass(&lab, 10 * LAB_S);
	make_our_probe6("fd00::1");
	CU_ASSERT_EQUAL(count_sent(), 0);
	lab_close(&lab);
	open_asking(PERCH_NET_DAD_OFF);
	lab_pass(&lab, 10 * LAB_S);
	make_our_probe6("fd00::1");
	CU_ASSERT_EQUAL(count_sent(), 0);
	lab_close(&lab);
}

/* Sections 5.4.3 and 5.4.4: an advertisement, or another's question, and the address is lost. */
static void dad_loses(void)
{
	struct perch_ip lost = packets_ip("fd00::1");

	for (int way = 0; way < 2; way++) {
		open_asking(PERCH_NET_DAD_OPTIMISTIC);
		lab_pass(&lab, LAB_S);
		if (way)
			rx_dad_probe("fd00::1");
		else
			rx_dad_advert("fd00::1");
		CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_nd_conflict], 1);
		lab_pass(&lab, 10 * LAB_S);
		CU_ASSERT(!answers_ping(false));
		CU_ASSERT(!perch_ip_is_ours(lab.net, &lost, NULL));
		CU_ASSERT(answers_ping(true)); /* the other one stays */
		lab_close(&lab);
	}
	open_asking(PERCH_NET_DAD_OPTIMISTIC);
	lab_pass(&lab, 10 * LAB_S);
	rx_dad_advert("fd00::1"); /* too late: a conflict, no loss */
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_nd_conflict], 1);
	CU_ASSERT(answers_ping(false));
	lab_close(&lab);
}

/* RFC 4862 section 5.4.5: whoever has our link-local address has our MAC address. */
static void dad_link_local_stops_ip6(void)
{
	struct perch_ip src, far = packets_ip("fd00::2");

	open_asking(PERCH_NET_DAD_OPTIMISTIC);
	CU_ASSERT(perch_ip_source(lab.net, 0, &far, &src));
	rx_dad_advert("fe80::ff:fe00:1");
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_nd_conflict], 1);
	CU_ASSERT(!answers_ping(false));
	CU_ASSERT(!perch_ip_source(lab.net, 0, &far, &src));
	CU_ASSERT(answers_ping(true));
	lab_pass(&lab, 10 * LAB_S);
	CU_ASSERT(!answers_ping(false));
	lab_close(&lab);
}

/* Nothing is said or answered before nobody has objected. */
static void dad_strict(void)
{
	struct perch_ip us = packets_ip("10.0.0.1"), none = packets_ip("0.0.0.0");

	open_asking(PERCH_NET_DAD_STRICT);
	CU_ASSERT(!answers_ping(false));
	CU_ASSERT(!answers_ping(true));
	lab_pass(&lab, 2 * LAB_S + LAB_MS);
	CU_ASSERT(answers_ping(false));
	CU_ASSERT(!answers_ping(true)); /* RFC 5227: three probes, and two seconds more */
	lab_pass(&lab, 5 * LAB_S + LAB_MS);
	CU_ASSERT(answers_ping(true));
	frame_arp(&f, &packets_broadcast, 1, &lab_mac, &none, &lab_no_mac, &us);
	CU_ASSERT_EQUAL(count_sent(), 3);
	lab_pass(&lab, 5 * LAB_S);
	frame_arp(&f, &packets_broadcast, 1, &lab_mac, &us, &lab_no_mac, &us);
	CU_ASSERT(count_sent() >= 1); /* announced now */
	lab_close(&lab);

	open_asking(PERCH_NET_DAD_STRICT);
	rx_arp(2, &lab_other_mac, "10.0.0.1", "10.0.0.9");
	CU_ASSERT_EQUAL(lab.net->drops[PERCH_DROP_arp_conflict], 1);
	lab_pass(&lab, 20 * LAB_S);
	CU_ASSERT(!answers_ping(true));
	lab_close(&lab);
}

/* RFC 4429 section 3.3: while we ask we override nobody's knowledge. */
static void dad_optimistic_does_not_override(void)
{
	struct ends e = {lab_peer_mac, {{0x33, 0x33, 0xff, 0, 0, 1}}, packets_ip("fd00::2"),
		packets_ip("ff02::1:ff00:1")};
	struct perch_ip us = packets_ip("fd00::1");
	struct frame answer;

	open_asking(PERCH_NET_DAD_OPTIMISTIC);
	frame_nd(&f, &e, 135, 0, &us, &lab_peer_mac);
	lab_rx(&lab, &f);
	lab_tx(&lab, &answer);
	CU_ASSERT_EQUAL(answer.b[58], 0x40); /* solicited, no override */
	lab_close(&lab);
}

/* ---- start, and other lcores ---------------------------------------------------------------- */

static void announces_at_start(void)
{
	struct ends all = {{{0x33, 0x33, 0, 0, 0, 1}}, lab_mac, packets_ip("ff02::1"),
		packets_ip("fd00::1")};
	struct perch_ip us = packets_ip("10.0.0.1");
	struct frame arp;

	frame_arp(&arp, &packets_broadcast, 1, &lab_mac, &us, &lab_no_mac, &us);
	lab_open(&lab);
	lab.net->announced = 0;
	lab.net->announce_ns = lab.now_ns;
	for (int i = 0; i < 2; i++) { /* ANNOUNCE_NUM, ANNOUNCE_INTERVAL of RFC 5227 */
		lab_pass(&lab, i * 2 * LAB_S);
		CU_ASSERT(lab_tx_is(&lab, &arp));
		CU_ASSERT(tx_is_advert(&all, "fd00::1", 0x20));
		CU_ASSERT(tx_is_advert(&all, "fe80::ff:fe00:1", 0x20));
		CU_ASSERT(lab_tx_none(&lab));
	}
	CU_ASSERT_EQUAL(perch_net_next_tick(lab.net), PERCH_NET_NEVER);
	lab_close(&lab);
}

/* One of several lcores: RSS decides which of them a packet reaches. */
static void passive_answers_but_not_copies(void)
{
	struct ends e = lab_ends4();
	struct perch_net_config cfg;
	struct perch_ip other = packets_ip("10.0.0.3");

	lab_config(&cfg);
	cfg.passive = true;
	lab_open_with(&lab, &cfg);
	CU_ASSERT(lab_tx_none(&lab)); /* no announcements */
	rx_arp(1, &lab_peer_mac, "10.0.0.2", "10.0.0.1");
	frame_icmp(&f, &e, 8, 0, 0, "", 0);
	lab_rx(&lab, &f);
	frame_udp(&f, &e, 1, 2, "", 0); /* to a port that nobody has bound */
	lab_rx(&lab, &f);
	CU_ASSERT_EQUAL_FATAL(lab.net->n_tx, 4); /* with a question whether the peer is there */
	while (lab.net->n_tx > 0)
		lab_tx(&lab, &f);
	CU_ASSERT_EQUAL(f.b[34], 3); /* port unreachable */

	frame_arp(&f, &packets_broadcast, 1, &lab_peer_mac, &other, &lab_no_mac, &e.dst);
	perch_net_learn(lab.net, 0, frame_to_mbuf(lab_pool, &f), lab.now_ns);
	frame_icmp(&f, &e, 8, 0, 0, "", 0);
	perch_net_learn(lab.net, 0, frame_to_mbuf(lab_pool, &f), lab.now_ns);
	CU_ASSERT(lab_tx_none(&lab) && known("10.0.0.3"));

	send_mark("10.0.0.4", 1, NULL); /* it asks for itself ... */
	CU_ASSERT(tx_is_arp_request("10.0.0.4", &packets_broadcast));
	other = packets_ip("10.0.0.4");
	frame_arp(&f, &lab_mac, 2, &lab_peer_mac, &other, &lab_mac, &e.dst);
	perch_net_learn(lab.net, 0, frame_to_mbuf(lab_pool, &f), lab.now_ns);
	CU_ASSERT(tx_is_mark("10.0.0.4", &lab_peer_mac, 1)); /* ... and hears by copies */
	lab_close(&lab);
}

static void learns_errors_from_copies(void)
{
	struct ends e = lab_ends4(), back = packets_reverse(&e);
	struct frame quoted;

	lab_open(&lab);
	frame_tcp(&quoted, &back, 1025, 80, 7, 0, 2, 1000, "", 0);
	frame_icmp(&f, &e, 3, 3, 0, quoted.b + 14, 28);
	perch_net_learn(lab.net, 0, frame_to_mbuf(lab_pool, &f), lab.now_ns);
	CU_ASSERT_EQUAL(lab_tcp.errors, 1);
	CU_ASSERT_EQUAL(lab_tcp.error.err, -ECONNREFUSED);
	lab_close(&lab);
}

int main(int argc, char **argv)
{
	const struct suite_case suite[] = {
		{"arp: asked of us", arp_asked_of_us},
		{"arp: padded to 60 bytes", arp_padded_to_60_bytes},
		{"arp: a range is answered", arp_range_is_answered},
		{"arp: resolves, in order", arp_resolves},
		{"arp: the gateway is asked", arp_gateway_is_asked},
		{"arp: retries, then gives up", arp_retries_then_gives_up},
		{"arp: failure reaches TCP", arp_failure_reaches_tcp},
		{"arp: ages", arp_ages},
		{"arp: probe unanswered", arp_probe_unanswered},
		{"arp: answer with a new MAC", arp_answer_with_new_mac},
		{"nud: confirmed by progress", confirmed_by_progress},
		{"dad: asks once", dad_asks_once},
		{"dad: loses", dad_loses},
		{"dad: link-local stops IPv6", dad_link_local_stops_ip6},
		{"dad: strict", dad_strict},
		{"dad: optimistic does not override", dad_optimistic_does_not_override},
		{"arp: creates nothing unasked", arp_creates_nothing_unasked},
		{"arp: rumour", arp_rumour},
		{"arp: conflict", arp_conflict},
		{"arp: probe for our address", arp_probe_for_our_address},
		{"cache: least recently used is evicted", least_recently_used_is_evicted},
		{"cache: strangers do not evict friends", strangers_do_not_evict_friends},
		{"cache: the silent do not evict friends", the_silent_do_not_evict_friends},
		{"cache: a path is remembered until eviction", path_is_remembered_until_eviction},
		{"cache: churns", cache_churns},
		{"nd: asked of us", nd_asked_of_us},
		{"nd: link-local", nd_link_local},
		{"nd: resolves", nd_resolves},
		{"nd: retries, then gives up", nd_retries_then_gives_up},
		{"nd: override", nd_override},
		{"nd: solicited by nobody", nd_solicited_by_nobody},
		{"nd: duplicate detection by another", nd_duplicate_detection_by_another},
		{"nd: a range is answered", nd_range_is_answered},
		{"nd: links are apart", nd_links_are_apart},
		{"start: announces", announces_at_start},
		{"lcores: passive answers, but not copies", passive_answers_but_not_copies},
		{"lcores: learns errors from copies", learns_errors_from_copies},
		{NULL, NULL},
	};

	lab_pool = packets_start("l3_neigh");
	return suite_main("l3 neigh", suite, argc, argv);
}
