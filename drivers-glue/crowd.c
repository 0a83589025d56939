/* SPDX-License-Identifier: BSD-3-Clause
 * The crowd of clients (see crowd.h).
 *
 * Connection i is spoken for by address 198.18.0.0 + i / CLIENT_PORTS and port 1024 + i %
 * CLIENT_PORTS. Its initial sequence number and its 64 bytes are functions of i. So an answer is
 * a function of the segment that it answers, and any segment can be checked:
 *
 *	SYN                       seq = isn(i)                      when there are few under way
 *	SYN,ACK  ->  ACK, 64 B    seq = isn(i) + 1, ack = SEG.SEQ + 1
 *	64 B     ->  ACK          seq = isn(i) + 65, ack = SEG.SEQ + 64
 *
 * Nothing is sent again: the wire loses nothing, for the rings hold more than can be under way.
 */
#include "drivers-glue/crowd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_arp.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_memzone.h>
#include <rte_ring.h>
#include <rte_tcp.h>

#include "drivers-glue/eal.h"

enum {
	RING_SLOTS = 4096,
	UNDER_WAY = 512,     /* connections begun and not yet echoed: two segments each at most */
	BURST = 32,
	POOL_MBUFS = 8191,
	PRIVATE_BYTES = 64,  /* as the stack's own packets have: it reads these */
	CLIENT_PORTS = 4096, /* of each address */
	FIRST_PORT = 1024,
	MOST_CONNS = 1 << 29, /* 198.18.0.0/15 has 2^17 addresses */
	WORDS = 8,           /* of 8 bytes: what each client says */
	MSS_OPTION = 4,
};

#define FIRST_ADDR UINT32_C(0xc6120000) /* 198.18.0.0 */

static const char prefix[] = "perch_crowd";
static const struct rte_ether_addr our_mac = {.addr_bytes = {0x02, 'c', 'r', 'o', 'w', 'd'}};

struct crowd {
	struct rte_ring *to_stack, *from_stack;
	struct rte_mempool *pool;
	struct rte_ether_addr stack_mac;
	bool has_mac;
	uint32_t addr; /* to connect to */
	uint16_t port;
	uint32_t conns, begun, ended;
	pthread_t thread;
	bool playing;
	_Atomic bool stop;
};

struct headers {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	struct rte_tcp_hdr tcp;
} __rte_packed __rte_aligned(2);

static int fail(char *why, size_t why_bytes, int rc, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int fail(char *why, size_t why_bytes, int rc, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, why_bytes, fmt, args);
	va_end(args);
	return rc;
}

static uint32_t isn(uint32_t i)
{
	return i * 2654435761u;
}

static uint64_t word(uint32_t i, unsigned k)
{
	return (i + 1) * UINT64_C(0x9e3779b97f4a7c15) + k * UINT64_C(0xd1b54a32d192ed03);
}

/* ---- packets out ---------------------------------------------------------------------------- */

static void say(struct crowd *c, struct rte_mbuf *m)
{
	while (rte_ring_sp_enqueue(c->to_stack, m) != 0) {
		if (c->stop) {
			rte_pktmbuf_free(m);
			return;
		}
		sched_yield();
	}
}

/* A segment of client i with `words` of payload; its checksums are vouched for, as by a NIC. */
static void send_segment(
	struct crowd *c, uint32_t i, uint32_t seq, uint32_t ack, uint8_t flags, unsigned words)
{
	unsigned options = flags & RTE_TCP_SYN_FLAG ? MSS_OPTION : 0, k;
	size_t bytes = sizeof(struct headers) + options + words * sizeof(uint64_t);
	struct rte_mbuf *m = rte_pktmbuf_alloc(c->pool);
	struct headers *h;
	uint8_t *data;
	uint64_t w;

	if (!m || !(h = (struct headers *)rte_pktmbuf_append(m, (uint16_t)bytes))) {
		rte_pktmbuf_free(m);
		return; /* the stack will send again what this was to answer */
	}
	*h = (struct headers){
		.eth = {.dst_addr = c->stack_mac, .src_addr = our_mac,
			.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)},
		.ip = {.version_ihl = RTE_IPV4_VHL_DEF, .time_to_live = 64,
			.next_proto_id = IPPROTO_TCP,
			.total_length = rte_cpu_to_be_16((uint16_t)(bytes - sizeof(h->eth))),
			.src_addr = rte_cpu_to_be_32(FIRST_ADDR + i / CLIENT_PORTS),
			.dst_addr = rte_cpu_to_be_32(c->addr)},
		.tcp = {.src_port = rte_cpu_to_be_16((uint16_t)(FIRST_PORT + i % CLIENT_PORTS)),
			.dst_port = rte_cpu_to_be_16(c->port), .sent_seq = rte_cpu_to_be_32(seq),
			.recv_ack = rte_cpu_to_be_32(ack),
			.data_off = (uint8_t)((sizeof(h->tcp) + options) / 4 << 4),
			.tcp_flags = flags, .rx_win = rte_cpu_to_be_16(65535)},
	};
	data = (uint8_t *)(h + 1);
	if (options)
		memcpy(data, (const uint8_t[]){2, MSS_OPTION, 1460 >> 8, 1460 & 0xff}, MSS_OPTION);
	for (k = 0; k < words; k++) {
		w = word(i, k);
		memcpy(data + options + k * sizeof(w), &w, sizeof(w));
	}
	m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	say(c, m);
}

static void begin_some(struct crowd *c)
{
	unsigned n = 0;

	if (!c->has_mac)
		return;
	/* An echo that was sent twice ends twice: ended may be ahead. */
	while (c->begun < c->conns && (int32_t)(c->begun - c->ended) < UNDER_WAY && n++ < BURST) {
		send_segment(c, c->begun, isn(c->begun), 0, RTE_TCP_SYN_FLAG, 0);
		c->begun++;
	}
}

/* ---- packets in ----------------------------------------------------------------------------- */

/* Whoever is asked for, it is us. */
static void answer_arp(struct crowd *c, const struct rte_mbuf *m)
{
	const struct rte_arp_hdr *q;
	struct rte_ether_hdr *eth;
	struct rte_arp_hdr *a;
	struct rte_mbuf *r;

	q = rte_pktmbuf_mtod_offset(m, const struct rte_arp_hdr *, sizeof(*eth));
	if (q->arp_opcode != rte_cpu_to_be_16(RTE_ARP_OP_REQUEST) ||
		q->arp_data.arp_sip == q->arp_data.arp_tip || q->arp_data.arp_sip == 0)
		return;
	r = rte_pktmbuf_alloc(c->pool);
	eth = r ? (struct rte_ether_hdr *)rte_pktmbuf_append(r, sizeof(*eth) + sizeof(*a)) : NULL;
	if (!eth) {
		rte_pktmbuf_free(r);
		return; /* it will ask again */
	}
	*eth = (struct rte_ether_hdr){.dst_addr = c->stack_mac, .src_addr = our_mac,
		.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP)};
	a = (struct rte_arp_hdr *)(eth + 1);
	*a = *q;
	a->arp_opcode = rte_cpu_to_be_16(RTE_ARP_OP_REPLY);
	a->arp_data.arp_tha = q->arp_data.arp_sha;
	a->arp_data.arp_tip = q->arp_data.arp_sip;
	a->arp_data.arp_sha = our_mac;
	a->arp_data.arp_sip = q->arp_data.arp_tip;
	say(c, r);
}

static bool is_echo(uint32_t i, const uint8_t *data, size_t bytes)
{
	unsigned k;

	for (k = 0; k < WORDS; k++) {
		uint64_t w = word(i, k);

		if (bytes != WORDS * sizeof(w) || memcmp(data + k * sizeof(w), &w, sizeof(w)) != 0)
			return false;
	}
	return true;
}

static void hear_segment(struct crowd *c, const struct rte_mbuf *m)
{
	const struct headers *h = rte_pktmbuf_mtod(m, const struct headers *);
	uint32_t i = (rte_be_to_cpu_32(h->ip.dst_addr) - FIRST_ADDR) * CLIENT_PORTS +
		rte_be_to_cpu_16(h->tcp.dst_port) - FIRST_PORT;
	uint32_t seq = rte_be_to_cpu_32(h->tcp.sent_seq), ack = rte_be_to_cpu_32(h->tcp.recv_ack);
	size_t off = sizeof(h->eth) + sizeof(h->ip) + (size_t)(h->tcp.data_off >> 4) * 4;
	size_t end = sizeof(h->eth) + rte_be_to_cpu_16(h->ip.total_length);
	const uint32_t said = WORDS * sizeof(uint64_t);

	if (i >= c->begun || off > end || end > m->data_len ||
		h->tcp.tcp_flags & RTE_TCP_RST_FLAG ||
		rte_ipv4_udptcp_cksum(&h->ip, &h->tcp) != 0) /* over its own sum */
		return;
	if (h->tcp.tcp_flags == (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG) && ack == isn(i) + 1) {
		send_segment(c, i, ack, seq + 1, RTE_TCP_ACK_FLAG | RTE_TCP_PSH_FLAG, WORDS);
	} else if (end > off && ack == isn(i) + 1 + said &&
		is_echo(i, rte_pktmbuf_mtod(m, const uint8_t *) + off, end - off)) {
		send_segment(c, i, ack, seq + said, RTE_TCP_ACK_FLAG, 0);
		c->ended++;
	} else if (end > off || h->tcp.tcp_flags != RTE_TCP_ACK_FLAG) {
		send_segment(c, i, ack, 0, RTE_TCP_RST_FLAG, 0); /* an echo of something else */
	}
}

static void hear(struct crowd *c, const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

	c->stack_mac = eth->src_addr;
	c->has_mac = true;
	if (eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP) &&
		m->data_len >= sizeof(*eth) + sizeof(struct rte_arp_hdr))
		answer_arp(c, m);
	else if (eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) &&
		m->data_len >= sizeof(struct headers) && m->nb_segs == 1)
		hear_segment(c, m);
}

static void *play(void *arg)
{
	const struct timespec shortly = {.tv_nsec = 1000}, longer = {.tv_nsec = 1000000};
	struct crowd *c = arg;
	struct rte_mbuf *m[BURST];
	unsigned n, k;

	perch_eal_enter_thread(); /* for the pool's cache; without it, slower */
	while (!c->stop) {
		n = rte_ring_sc_dequeue_burst(c->from_stack, (void **)m, BURST, NULL);
		for (k = 0; k < n; k++) {
			hear(c, m[k]);
			rte_pktmbuf_free(m[k]);
		}
		begin_some(c);
		if (n == 0)
			nanosleep(c->ended < c->conns ? &shortly : &longer, NULL);
	}
	perch_eal_leave_thread();
	return NULL;
}

/* ---- making it ------------------------------------------------------------------------------ */

bool perch_crowd_is(const char *vdev)
{
	return strncmp(vdev, prefix, sizeof(prefix) - 1) == 0;
}

static int read_spec(struct crowd *c, const char *vdev, char *name, size_t name_bytes)
{
	unsigned conns, port;
	char addr[16];
	struct in_addr in;
	int end = 0;
	size_t len = strcspn(vdev, ",");

	if (len >= name_bytes ||
		sscanf(vdev + len, ",conns=%u,to=%15[0-9.]:%u%n", &conns, addr, &port, &end) != 3 ||
		vdev[len + (size_t)end] != '\0' || conns == 0 || conns > MOST_CONNS || port == 0 ||
		port > UINT16_MAX || inet_pton(AF_INET, addr, &in) != 1)
		return -EINVAL;
	snprintf(name, name_bytes, "%.*s", (int)len, vdev);
	c->conns = conns;
	c->addr = rte_be_to_cpu_32(in.s_addr);
	c->port = (uint16_t)port;
	return 0;
}

static void drain(struct rte_ring *r)
{
	void *m;

	while (r && rte_ring_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
}

static void unmake(const struct rte_memzone *place)
{
	struct crowd *c = place->addr;

	if (c->playing) {
		c->stop = true;
		pthread_join(c->thread, NULL);
	}
	drain(c->from_stack);
	drain(c->to_stack);
	rte_ring_free(c->from_stack);
	rte_ring_free(c->to_stack);
	rte_mempool_free(c->pool);
	rte_memzone_free(place);
}

static int make_wire(struct crowd *c, const char *name)
{
	const unsigned flags = RING_F_SP_ENQ | RING_F_SC_DEQ;
	char text[RTE_RING_NAMESIZE];

	snprintf(text, sizeof(text), "%s_in", name);
	c->to_stack = rte_ring_create(text, RING_SLOTS, SOCKET_ID_ANY, flags);
	snprintf(text, sizeof(text), "%s_out", name);
	c->from_stack = rte_ring_create(text, RING_SLOTS, SOCKET_ID_ANY, flags);
	c->pool = rte_pktmbuf_pool_create(name, POOL_MBUFS, BURST, PRIVATE_BYTES,
		RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!c->to_stack || !c->from_stack || !c->pool)
		return rte_errno == EEXIST ? -EEXIST : -ENOMEM;
	if (pthread_create(&c->thread, NULL, play, c) != 0)
		return -ENOMEM;
	c->playing = true; /* and silent, until it hears from the stack */
	return rte_eth_from_rings(name, &c->to_stack, 1, &c->from_stack, 1, 0) < 0 ? -ENOMEM : 0;
}

int perch_crowd_open(const char *vdev, char *why, size_t why_bytes)
{
	const struct rte_memzone *place;
	char name[RTE_RING_NAMESIZE - 8];
	struct crowd spec = {0}, *c;
	int rc;

	if (read_spec(&spec, vdev, name, sizeof(name)) < 0)
		return fail(why, why_bytes, -EINVAL, "'%s' is not a crowd: say, for example, "
			"perch_crowd0,conns=1000,to=10.99.0.2:7", vdev);
	place = rte_memzone_reserve(name, sizeof(*c), SOCKET_ID_ANY, 0);
	if (!place)
		return fail(why, why_bytes, -rte_errno, "the crowd '%s' cannot be made: %s", name,
			strerror(rte_errno));
	c = place->addr;
	memset(c, 0, sizeof(*c));
	c->conns = spec.conns;
	c->addr = spec.addr;
	c->port = spec.port;
	rc = make_wire(c, name);
	if (rc == 0)
		return 0;
	unmake(place);
	return fail(why, why_bytes, rc, "the crowd '%s' cannot be made: %s", name, strerror(-rc));
}

void perch_crowd_close(const char *port)
{
	static const char driver[] = "net_ring_";
	const struct rte_memzone *place = NULL;

	if (strncmp(port, driver, sizeof(driver) - 1) == 0 &&
		perch_crowd_is(port + sizeof(driver) - 1))
		place = rte_memzone_lookup(port + sizeof(driver) - 1);
	if (place)
		unmake(place);
}
