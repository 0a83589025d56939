/* SPDX-License-Identifier: BSD-3-Clause
 * Packets for tests.
 */
#include "tests/tcp-lite/packets.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "tcp-lite/packet.h"

enum { POOL_PACKETS = 4095, SPARE = 64, ROOM_BEFORE = 128, AT_IP = 14 };

const struct mac packets_broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

struct rte_mempool *packets_start(const char *name)
{
	char prefix[64];
	char *argv[] = {(char *)(uintptr_t)name, "--no-huge", "-m", "64", "--no-pci",
		"--no-telemetry", "--no-shconf", "--log-level=error", prefix, "-l", "0"};
	struct rte_mempool *pool;
	struct rte_mbuf *spare[SPARE];

	snprintf(prefix, sizeof(prefix), "--file-prefix=%s%d", name, (int)getpid());
	if (rte_eal_init(sizeof(argv) / sizeof(argv[0]), argv) < 0) {
		printf("%s: no EAL here: %s\n", name, rte_strerror(rte_errno));
		exit(77);
	}
	pool = rte_pktmbuf_pool_create("packets", POOL_PACKETS, 0, PERCH_PKT_PRIV,
		RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	assert(pool);
	/* A pool that is full counts none that is given back twice. */
	if (rte_pktmbuf_alloc_bulk(pool, spare, SPARE) < 0)
		exit(1);
	return pool;
}

struct perch_ip packets_ip(const char *text)
{
	struct perch_ip ip;
	uint32_t v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return perch_ip_from_v4(v4);
	if (inet_pton(AF_INET6, text, ip.b) != 1)
		abort();
	return ip;
}

struct ends packets_reverse(const struct ends *e)
{
	return (struct ends){.smac = e->dmac, .dmac = e->smac, .src = e->dst, .dst = e->src};
}

/* ---- bytes ---------------------------------------------------------------------------------- */

void frame_add(struct frame *f, const void *bytes, unsigned len)
{
	assert(f->len + len <= sizeof(f->b));
	if (len > 0)
		memcpy(f->b + f->len, bytes, len);
	f->len += len;
}

static void add8(struct frame *f, unsigned v)
{
	frame_add(f, &(uint8_t){(uint8_t)v}, 1);
}

static void add16(struct frame *f, unsigned v)
{
	add8(f, v >> 8);
	add8(f, v & 0xff);
}

static void add32(struct frame *f, uint32_t v)
{
	add16(f, v >> 16);
	add16(f, v & 0xffff);
}

static void put16(struct frame *f, unsigned at, unsigned v)
{
	f->b[at] = (uint8_t)(v >> 8);
	f->b[at + 1] = (uint8_t)v;
}

static unsigned get16(const struct frame *f, unsigned at)
{
	return (unsigned)f->b[at] << 8 | f->b[at + 1];
}

uint16_t packets_cksum(const uint8_t *b, unsigned len, uint32_t sum)
{
	unsigned i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? b[i] : (uint32_t)b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* ---- frames --------------------------------------------------------------------------------- */

void frame_ether(struct frame *f, const struct mac *dst, const struct mac *src, uint16_t type)
{
	f->len = 0;
	frame_add(f, dst->b, 6);
	frame_add(f, src->b, 6);
	add16(f, type);
}

void frame_arp(struct frame *f, const struct mac *to, uint16_t op, const struct mac *sha,
	const struct perch_ip *spa, const struct mac *tha, const struct perch_ip *tpa)
{
	frame_ether(f, to, sha, 0x0806);
	add16(f, 1);
	add16(f, 0x0800);
	add8(f, 6);
	add8(f, 4);
	add16(f, op);
	frame_add(f, sha->b, 6);
	frame_add(f, spa->b + 12, 4);
	frame_add(f, tha->b, 6);
	frame_add(f, tpa->b + 12, 4);
}

static bool is_v4(const struct frame *f)
{
	return get16(f, 12) == 0x0800;
}

void frame_fix_ip4(struct frame *f)
{
	put16(f, AT_IP + 10, 0);
	put16(f, AT_IP + 10, packets_cksum(f->b + AT_IP, (f->b[AT_IP] & 0xf) * 4U, 0));
}

static unsigned transport_at(const struct frame *f)
{
	return is_v4(f) ? AT_IP + (f->b[AT_IP] & 0xf) * 4U : AT_IP + 40U;
}

static uint32_t pseudo_sum(const struct frame *f, uint8_t proto, unsigned len)
{
	unsigned i, at = is_v4(f) ? AT_IP + 12 : AT_IP + 8, n = is_v4(f) ? 8 : 32;
	uint32_t sum = proto + len;

	for (i = 0; i < n; i += 2)
		sum += get16(f, at + i);
	return sum;
}

/* Extension headers are not looked through. */
void frame_fix_transport(struct frame *f)
{
	uint8_t proto = is_v4(f) ? f->b[AT_IP + 9] : f->b[AT_IP + 6];
	unsigned at = transport_at(f), len = f->len - at, field;
	bool is_bare = proto == IPPROTO_ICMP || proto == IPPROTO_IGMP; /* no pseudo-header */
	uint16_t sum;

	switch (proto) {
	case IPPROTO_TCP: field = at + 16; break;
	case IPPROTO_UDP: field = at + 6; break;
	default: field = at + 2; break;
	}
	put16(f, field, 0);
	sum = packets_cksum(
		f->b + at, len, is_bare ? 0 : pseudo_sum(f, proto, len));
	put16(f, field, proto == IPPROTO_UDP && sum == 0 ? 0xffff : sum);
}

static void add_ip_header(struct frame *f, const struct ends *e, uint8_t proto, unsigned len)
{
	if (perch_ip_is_v4(&e->dst)) {
		frame_ether(f, &e->dmac, &e->smac, 0x0800);
		add16(f, 0x4500);
		add16(f, 20 + len);
		add16(f, 0);
		add16(f, 0x4000); /* DF */
		add8(f, 64);
		add8(f, proto);
		add16(f, 0);
		frame_add(f, e->src.b + 12, 4);
		frame_add(f, e->dst.b + 12, 4);
		frame_fix_ip4(f);
	} else {
		frame_ether(f, &e->dmac, &e->smac, 0x86dd);
		add32(f, 0x60000000);
		add16(f, len);
		add8(f, proto);
		add8(f, 64);
		frame_add(f, e->src.b, 16);
		frame_add(f, e->dst.b, 16);
	}
}

void frame_ip(struct frame *f, const struct ends *e, uint8_t proto, const void *payload,
	unsigned len)
{
	add_ip_header(f, e, proto, len);
	frame_add(f, payload, len);
}

void frame_udp(struct frame *f, const struct ends *e, uint16_t sport, uint16_t dport,
	const void *payload, unsigned len)
{
	add_ip_header(f, e, IPPROTO_UDP, 8 + len);
	add16(f, sport);
	add16(f, dport);
	add16(f, 8 + len);
	add16(f, 0);
	frame_add(f, payload, len);
	frame_fix_transport(f);
}

void frame_tcp(struct frame *f, const struct ends *e, uint16_t sport, uint16_t dport, uint32_t seq,
	uint32_t ack, uint8_t flags, uint16_t window, const void *payload, unsigned len)
{
	add_ip_header(f, e, IPPROTO_TCP, 20 + len);
	add16(f, sport);
	add16(f, dport);
	add32(f, seq);
	add32(f, ack);
	add8(f, 0x50);
	add8(f, flags);
	add16(f, window);
	add32(f, 0);
	frame_add(f, payload, len);
	frame_fix_transport(f);
}

void frame_icmp(struct frame *f, const struct ends *e, uint8_t type, uint8_t code, uint32_t rest,
	const void *payload, unsigned len)
{
	add_ip_header(
		f, e, perch_ip_is_v4(&e->dst) ? IPPROTO_ICMP : IPPROTO_ICMPV6, 8 + len);
	add8(f, type);
	add8(f, code);
	add16(f, 0);
	add32(f, rest);
	frame_add(f, payload, len);
	frame_fix_transport(f);
}

void frame_nd(struct frame *f, const struct ends *e, uint8_t type, uint8_t flags,
	const struct perch_ip *target, const struct mac *mac)
{
	uint8_t body[24] = {0};

	memcpy(body, target->b, 16);
	body[16] = type == 135 ? 1 : 2;
	body[17] = 1;
	if (mac)
		memcpy(body + 18, mac->b, 6);
	frame_icmp(f, e, type, 0, (uint32_t)flags << 24, body, mac ? 24 : 16);
	f->b[AT_IP + 7] = 255;
}

bool frame_equal(const struct frame *a, const struct frame *b)
{
	unsigned i;

	if (a->len == b->len && memcmp(a->b, b->b, a->len) == 0)
		return true;
	for (i = 0; i < a->len && i < b->len && a->b[i] == b->b[i]; i++)
		;
	printf("  frames of %u and %u bytes differ from byte %u on\n", a->len, b->len, i);
	return false;
}

/* ---- mbufs ---------------------------------------------------------------------------------- */

static void free_buffer(void *addr, void *shinfo)
{
	free(addr);
	free(shinfo);
}

struct rte_mbuf *frame_to_mbuf(struct rte_mempool *pool, const struct frame *f)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct rte_mbuf_ext_shared_info *shared = calloc(1, sizeof(*shared));
	uint8_t *buffer = malloc(ROOM_BEFORE + f->len);

	assert(m && shared && buffer);
	shared->free_cb = free_buffer;
	shared->fcb_opaque = shared;
	rte_mbuf_ext_refcnt_set(shared, 1);
	rte_pktmbuf_attach_extbuf(
		m, buffer, RTE_BAD_IOVA, (uint16_t)(ROOM_BEFORE + f->len), shared);
	m->data_off = ROOM_BEFORE;
	m->data_len = (uint16_t)f->len;
	m->pkt_len = f->len;
	memcpy(rte_pktmbuf_mtod(m, void *), f->b, f->len);
	return m;
}

struct rte_mbuf *frame_to_segments(
	struct rte_mempool *pool, const struct frame *f, unsigned seg_len)
{
	struct rte_mbuf *head = NULL, *seg;
	unsigned at = 0, n;

	do {
		n = RTE_MIN(seg_len, f->len - at);
		seg = rte_pktmbuf_alloc(pool);
		assert(seg);
		memcpy(rte_pktmbuf_append(seg, (uint16_t)n), f->b + at, n);
		at += n;
		if (head)
			rte_pktmbuf_chain(head, seg);
		else
			head = seg;
	} while (at < f->len);
	return head;
}

void frame_from_mbuf(struct frame *f, const struct rte_mbuf *m)
{
	f->len = 0;
	for (; m; m = m->next)
		frame_add(f, rte_pktmbuf_mtod(m, const void *), m->data_len);
}
