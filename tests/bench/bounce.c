/* SPDX-License-Identifier: BSD-3-Clause
 * TCP clients without a stack, to see what a server can do when the load costs next to nothing:
 * a closed loop over N connections to an echo, of which some are busy, one message on each. What
 * comes back is sent again in the packet that it came in; all that a client must know stands in
 * the segment that it answers (as with drivers-glue/crowd.h). Nothing is sent again: net_memif
 * loses nothing, and a server that loses something sends again itself.
 *
 * With --check each message carries the time-stamp counter of when it was sent, for latencies, and
 * a pattern, which is compared; without, the server may answer with any bytes of its own. SYNs
 * offer what a full client offers: MSS, SACK, timestamps, a window scale.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "apps/hist.h"

enum {
	BURST = 32,
	POOL_MBUFS = 16383,
	POOL_CACHE = 256,
	RING_SLOTS = 1024,
	CLIENT_PORTS = 16384, /* of each address */
	FIRST_PORT = 1024,
	UNDER_WAY = 256,      /* connections begun and not yet open */
	SMALLEST = 16, LARGEST = 1024,
	WINDOW_SCALE = 7,
	ARP_AGAIN_MS = 100,
	PATIENCE_S = 10,      /* for the wire, the server, or the next connection */
};

struct stamp { /* the timestamps option (RFC 7323), padded as everybody does */
	uint32_t head; /* NOP, NOP, kind 8, length 10 */
	uint32_t value, echo;
} __rte_packed;

#define STAMP_HEAD UINT32_C(0x0101080a)

struct headers {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	struct rte_tcp_hdr tcp;
} __rte_packed __rte_aligned(2);

struct message {
	uint64_t sent_tsc;
	uint8_t pattern[];
} __rte_packed;

struct client { /* what its first message needs to know */
	uint32_t ack, stamp; /* host order */
};

static struct {
	struct rte_ether_addr mac, server_mac;
	bool has_server_mac;
	uint32_t first_addr, server_addr; /* host order */
	uint16_t port;
	uint32_t conns, hot;
	uint16_t size;
	uint64_t seconds, warm_up_s;
	uint32_t begun, open;
	struct client *clients;
	uint8_t *heard;       /* by connection: in the time that is measured */
	uint8_t pattern[LARGEST];
	struct rte_mempool *pool;
	struct rte_mbuf *tx[2 * BURST];
	unsigned n_tx;
	uint64_t now_tsc, hz;
	uint32_t now_ms;
	bool measuring, check;
	uint64_t bytes, wrong, resets;
	struct hist hist;
} b;

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("bounce: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

/* ---- packets out ---------------------------------------------------------------------------- */

static void flush(void)
{
	unsigned done = 0;

	while (done < b.n_tx)
		done += rte_eth_tx_burst(0, 0, b.tx + done, (uint16_t)(b.n_tx - done));
	b.n_tx = 0;
}

static void say(struct rte_mbuf *m)
{
	b.tx[b.n_tx++] = m;
	if (b.n_tx == RTE_DIM(b.tx))
		flush();
}

static struct rte_mbuf *new_frame(uint16_t type, size_t bytes)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(b.pool);

	if (!m)
		die("no packet buffer is left");
	*(struct rte_ether_hdr *)rte_pktmbuf_append(m, (uint16_t)bytes) = (struct rte_ether_hdr){
		.dst_addr = b.server_mac, .src_addr = b.mac,
		.ether_type = rte_cpu_to_be_16(type)};
	return m;
}

static void send_arp(uint16_t op, const struct rte_ether_addr *to_mac, uint32_t to, uint32_t from)
{
	struct rte_mbuf *m = new_frame(RTE_ETHER_TYPE_ARP,
		sizeof(struct rte_ether_hdr) + sizeof(struct rte_arp_hdr));

	struct rte_arp_hdr *a =
		rte_pktmbuf_mtod_offset(m, struct rte_arp_hdr *, sizeof(struct rte_ether_hdr));

	*a = (struct rte_arp_hdr){
		.arp_hardware = rte_cpu_to_be_16(RTE_ARP_HRD_ETHER),
		.arp_protocol = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4),
		.arp_hlen = RTE_ETHER_ADDR_LEN, .arp_plen = sizeof(uint32_t),
		.arp_opcode = rte_cpu_to_be_16(op),
		.arp_data = {.arp_sha = b.mac, .arp_sip = from, .arp_tha = *to_mac, .arp_tip = to},
	};
	say(m);
}

static uint32_t isn(uint32_t i)
{
	return i * UINT32_C(2654435761);
}

/* A segment of client i, whose options and checksums are to be filled in. */
static struct rte_mbuf *new_segment(uint32_t i, uint32_t seq, uint32_t ack, uint8_t flags,
	size_t options, size_t payload)
{
	size_t bytes = sizeof(struct headers) + options + payload;
	struct rte_mbuf *m = new_frame(RTE_ETHER_TYPE_IPV4, bytes);
	struct headers *h = rte_pktmbuf_mtod(m, struct headers *);

	h->ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF, .time_to_live = 64,
		.next_proto_id = IPPROTO_TCP,
		.total_length = rte_cpu_to_be_16((uint16_t)(bytes - sizeof(struct rte_ether_hdr))),
		.src_addr = rte_cpu_to_be_32(b.first_addr + i / CLIENT_PORTS),
		.dst_addr = rte_cpu_to_be_32(b.server_addr)};
	h->tcp = (struct rte_tcp_hdr){
		.src_port = rte_cpu_to_be_16((uint16_t)(FIRST_PORT + i % CLIENT_PORTS)),
		.dst_port = rte_cpu_to_be_16(b.port), .sent_seq = rte_cpu_to_be_32(seq),
		.recv_ack = rte_cpu_to_be_32(ack),
		.data_off = (uint8_t)((sizeof(h->tcp) + options) / 4 << 4), .tcp_flags = flags,
		.rx_win = rte_cpu_to_be_16(UINT16_MAX)};
	return m;
}

static void seal_and_say(struct rte_mbuf *m)
{
	struct headers *h = rte_pktmbuf_mtod(m, struct headers *);

	h->ip.hdr_checksum = rte_ipv4_cksum(&h->ip);
	h->tcp.cksum = rte_ipv4_udptcp_cksum(&h->ip, &h->tcp);
	say(m);
}

static void send_syn(uint32_t i)
{
	const uint8_t fixed[] = {2, 4, 1460 >> 8, 1460 & 0xff, 4, 2, 8, 10};
	const uint8_t scale[] = {1, 3, 3, WINDOW_SCALE};
	const uint32_t stamp[] = {rte_cpu_to_be_32(b.now_ms), 0};
	struct rte_mbuf *m = new_segment(i, isn(i), 0, RTE_TCP_SYN_FLAG,
		sizeof(fixed) + sizeof(stamp) + sizeof(scale), 0);
	uint8_t *o = rte_pktmbuf_mtod_offset(m, uint8_t *, sizeof(struct headers));

	memcpy(o, fixed, sizeof(fixed));
	memcpy(o + sizeof(fixed), stamp, sizeof(stamp));
	memcpy(o + sizeof(fixed) + sizeof(stamp), scale, sizeof(scale));
	seal_and_say(m);
}

/* The rest of the handshake, or a first message. A server that answered without timestamps gets
 * none. */
static void send_first(uint32_t i, size_t payload)
{
	const struct client *c = &b.clients[i];
	size_t options = c->stamp ? sizeof(struct stamp) : 0;
	struct rte_mbuf *m = new_segment(i, isn(i) + 1, c->ack,
		RTE_TCP_ACK_FLAG | (payload ? RTE_TCP_PSH_FLAG : 0), options, payload);
	uint8_t *o = rte_pktmbuf_mtod_offset(m, uint8_t *, sizeof(struct headers));
	struct message *msg = (struct message *)(o + options);

	if (options)
		*(struct stamp *)o = (struct stamp){rte_cpu_to_be_32(STAMP_HEAD),
			rte_cpu_to_be_32(b.now_ms), rte_cpu_to_be_32(c->stamp)};
	if (payload) {
		msg->sent_tsc = b.now_tsc;
		memcpy(msg->pattern, b.pattern, payload - sizeof(*msg));
	}
	seal_and_say(m);
}

/* ---- packets in ----------------------------------------------------------------------------- */

static const struct stamp *stamp_of(const struct headers *h)
{
	const struct stamp *s = (const struct stamp *)(h + 1);

	return h->tcp.data_off >> 4 == (sizeof(h->tcp) + sizeof(*s)) / 4 &&
			s->head == rte_cpu_to_be_32(STAMP_HEAD) ? s : NULL;
}

/* The server's timestamp in a SYN,ACK, whose options come in any order; 0: none. */
static uint32_t syn_stamp(const struct headers *h)
{
	const uint8_t *o = (const uint8_t *)(h + 1);
	const uint8_t *end = (const uint8_t *)&h->tcp + (h->tcp.data_off >> 4) * 4;
	uint32_t value;

	while (o < end && *o != 0) {
		if (*o == 1) {
			o++;
			continue;
		}
		if (end - o < 2 || o[1] < 2 || o[1] > end - o)
			break;
		if (o[0] == 8 && o[1] == 10) {
			memcpy(&value, o + 2, sizeof(value));
			return RTE_MAX(rte_be_to_cpu_32(value), 1U);
		}
		o += o[1];
	}
	return 0;
}

static void take_syn_ack(uint32_t i, const struct headers *h)
{
	if (b.clients[i].ack == 0)
		b.open++;
	b.clients[i] = (struct client){rte_be_to_cpu_32(h->tcp.sent_seq) + 1, syn_stamp(h)};
	send_first(i, 0);
}

static void look_at(const struct message *m, size_t bytes, uint32_t i)
{
	if (!b.measuring)
		return;
	b.heard[i] = 1;
	b.bytes += bytes;
	if (!b.check)
		return;
	if (bytes != b.size || memcmp(m->pattern, b.pattern, b.size - sizeof(*m)) != 0) {
		b.wrong++;
		return;
	}
	hist_record(&b.hist, (int64_t)((double)(b.now_tsc - m->sent_tsc) * 1e9 / (double)b.hz));
}

/* The echo becomes the next request: who sent it and who is to have it, and what is sent and what
 * was received, change places. */
static void bounce(struct rte_mbuf *m, struct headers *h, size_t off, size_t bytes)
{
	struct message *msg = rte_pktmbuf_mtod_offset(m, struct message *, off);
	struct stamp *stamp = (struct stamp *)(uintptr_t)stamp_of(h);
	uint32_t seq = h->tcp.sent_seq;

	h->eth.dst_addr = h->eth.src_addr;
	h->eth.src_addr = b.mac;
	RTE_SWAP(h->ip.src_addr, h->ip.dst_addr);
	RTE_SWAP(h->tcp.src_port, h->tcp.dst_port);
	h->tcp.sent_seq = h->tcp.recv_ack;
	h->tcp.recv_ack = rte_cpu_to_be_32(rte_be_to_cpu_32(seq) + (uint32_t)bytes);
	h->tcp.rx_win = rte_cpu_to_be_16(UINT16_MAX);
	if (stamp) {
		stamp->echo = stamp->value;
		stamp->value = rte_cpu_to_be_32(b.now_ms);
	}
	if (b.check && bytes >= sizeof(msg->sent_tsc))
		msg->sent_tsc = b.now_tsc;
	h->tcp.cksum = 0;
	h->tcp.cksum = rte_ipv4_udptcp_cksum(&h->ip, &h->tcp);
	rte_pktmbuf_trim(m, (uint16_t)(m->data_len - off - bytes));
	m->ol_flags = 0;
	say(m);
}

/* True: the packet has been sent on. */
static bool take_segment(struct rte_mbuf *m)
{
	struct headers *h = rte_pktmbuf_mtod(m, struct headers *);
	uint32_t i = (rte_be_to_cpu_32(h->ip.dst_addr) - b.first_addr) * CLIENT_PORTS +
		rte_be_to_cpu_16(h->tcp.dst_port) - FIRST_PORT;
	size_t off = sizeof(h->eth) + sizeof(h->ip) + (size_t)(h->tcp.data_off >> 4) * 4;
	size_t end = sizeof(h->eth) + rte_be_to_cpu_16(h->ip.total_length);

	if (h->ip.version_ihl != RTE_IPV4_VHL_DEF || h->ip.next_proto_id != IPPROTO_TCP ||
		i >= b.begun || off > end || end > m->data_len)
		return false;
	if (h->tcp.tcp_flags & (RTE_TCP_RST_FLAG | RTE_TCP_FIN_FLAG)) {
		b.resets++;
		return false;
	}
	if (h->tcp.tcp_flags & RTE_TCP_SYN_FLAG) {
		take_syn_ack(i, h);
		return false;
	}
	if (end == off)
		return false;
	look_at(rte_pktmbuf_mtod_offset(m, const struct message *, off), end - off, i);
	bounce(m, h, off, end - off);
	return true;
}

static void take_arp(const struct rte_mbuf *m)
{
	const struct rte_arp_hdr *a = rte_pktmbuf_mtod_offset(
		m, const struct rte_arp_hdr *, sizeof(struct rte_ether_hdr));

	if (a->arp_data.arp_sip == rte_cpu_to_be_32(b.server_addr)) {
		b.server_mac = a->arp_data.arp_sha;
		b.has_server_mac = true;
	}
	if (a->arp_opcode == rte_cpu_to_be_16(RTE_ARP_OP_REQUEST) &&
		rte_be_to_cpu_32(a->arp_data.arp_tip) - b.first_addr <= b.conns / CLIENT_PORTS)
		send_arp(RTE_ARP_OP_REPLY, &a->arp_data.arp_sha, a->arp_data.arp_sip,
			a->arp_data.arp_tip);
}

static bool take(struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

	if (eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) && m->nb_segs == 1 &&
		m->data_len >= sizeof(struct headers))
		return take_segment(m);
	if (eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP) &&
		m->data_len >= sizeof(*eth) + sizeof(struct rte_arp_hdr))
		take_arp(m);
	return false;
}

static void turn(void)
{
	struct rte_mbuf *m[BURST];
	unsigned n = rte_eth_rx_burst(0, 0, m, BURST), k;

	b.now_tsc = rte_rdtsc();
	b.now_ms = (uint32_t)(b.now_tsc / (b.hz / 1000)) | 1;
	for (k = 0; k < n; k++) {
		if (k + 4 < n)
			rte_prefetch0(rte_pktmbuf_mtod(m[k + 4], const void *));
		if (!take(m[k]))
			rte_pktmbuf_free(m[k]);
	}
	flush();
}

/* ---- the run -------------------------------------------------------------------------------- */

static uint64_t after_ms(uint64_t ms)
{
	return rte_rdtsc() + ms * (b.hz / 1000);
}

static void find_server(void)
{
	const struct rte_ether_addr all = {.addr_bytes = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	uint64_t give_up = after_ms(PATIENCE_S * 1000), again = 0;
	struct rte_eth_link link = {0};

	while (!b.has_server_mac) {
		if (rte_rdtsc() > give_up)
			die(link.link_status ? "nobody answers for the server's address" :
					       "the wire has no other end");
		rte_eth_link_get_nowait(0, &link);
		if (link.link_status && rte_rdtsc() > again) {
			b.server_mac = all;
			send_arp(RTE_ARP_OP_REQUEST, &(struct rte_ether_addr){{0}},
				rte_cpu_to_be_32(b.server_addr), rte_cpu_to_be_32(b.first_addr));
			again = after_ms(ARP_AGAIN_MS);
		}
		turn();
	}
}

static void open_all(void)
{
	uint64_t give_up = after_ms(PATIENCE_S * 1000);
	uint32_t open = 0;

	while (b.open < b.conns) {
		if (b.open != open)
			give_up = after_ms(PATIENCE_S * 1000);
		open = b.open;
		if (rte_rdtsc() > give_up)
			die("%" PRIu32 " of %" PRIu32 " connections are open, and no more comes",
				b.open, b.conns);
		while (b.begun < b.conns && b.begun - b.open < UNDER_WAY && b.n_tx < BURST)
			send_syn(b.begun++);
		turn();
	}
}

static void turn_for(uint64_t seconds)
{
	uint64_t end = after_ms(seconds * 1000);

	while (rte_rdtsc() < end)
		turn();
}

/* The busy ones are spread evenly over all. */
static uint32_t nth_hot(uint32_t k)
{
	return (uint32_t)((uint64_t)k * b.conns / b.hot);
}

static void measure(void)
{
	uint32_t k, silent = 0;
	uint64_t start, took;

	for (k = 0; k < b.hot; k++) {
		send_first(nth_hot(k), b.size);
		if (k % BURST == BURST - 1)
			turn();
	}
	turn_for(b.warm_up_s);
	b.measuring = true;
	start = rte_rdtsc();
	turn_for(b.seconds);
	b.measuring = false;
	took = rte_rdtsc() - start;
	for (k = 0; k < b.hot; k++)
		silent += !b.heard[nth_hot(k)];
	printf("{\"conns\": %" PRIu32 ", \"hot\": %" PRIu32 ", \"requests\": %" PRIu64
	       ", \"rate\": %.1f, \"wrong\": %" PRIu64 ", \"resets\": %" PRIu64
	       ", \"silent\": %" PRIu32,
		b.conns, b.hot, b.bytes / b.size,
		(double)b.bytes / b.size * (double)b.hz / (double)took, b.wrong, b.resets, silent);
	if (b.check) {
		printf(", \"latency_ns\": ");
		hist_print_json(&b.hist, stdout);
	}
	printf("}\n");
	if (b.wrong || b.resets || silent)
		die("%" PRIu64 " echoes were wrong, %" PRIu64 " connections ended, %" PRIu32
		    " were never heard", b.wrong, b.resets, silent);
}

static void open_port(void)
{
	const struct rte_eth_conf conf = {0};

	b.pool = rte_pktmbuf_pool_create("bounce", POOL_MBUFS, POOL_CACHE, 0,
		RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!b.pool || rte_eth_dev_count_avail() == 0 || rte_eth_dev_configure(0, 1, 1, &conf) ||
		rte_eth_rx_queue_setup(0, 0, RING_SLOTS, SOCKET_ID_ANY, NULL, b.pool) ||
		rte_eth_tx_queue_setup(0, 0, RING_SLOTS, SOCKET_ID_ANY, NULL) ||
		rte_eth_dev_start(0) || rte_eth_macaddr_get(0, &b.mac))
		die("the port cannot be opened");
}

static uint64_t number(const char *text, uint64_t least, uint64_t most)
{
	char *end;
	uint64_t v = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || v < least || v > most)
		die("'%s' is not a number from %" PRIu64 " to %" PRIu64, text, least, most);
	return v;
}

static uint32_t address(const char *text)
{
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) != 1)
		die("'%s' is not an IPv4 address", text);
	return rte_be_to_cpu_32(in.s_addr);
}

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {{"ip", 1, NULL, 'i'}, {"conns", 1, NULL, 'c'},
		{"hot", 1, NULL, 'h'}, {"check", 0, NULL, 'k'}, {"size", 1, NULL, 's'},
		{"duration", 1, NULL, 'd'}, {"warm-up", 1, NULL, 'w'}, {NULL, 0, NULL, 0}};
	int o;

	b.conns = 64;
	b.size = 64;
	b.seconds = 2;
	b.warm_up_s = 1;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 'i': b.first_addr = address(optarg); break;
		case 'c': b.conns = (uint32_t)number(optarg, 1, 10000000); break;
		case 'h': b.hot = (uint32_t)number(optarg, 1, POOL_MBUFS / 2); break;
		case 'k': b.check = true; break;
		case 's': b.size = (uint16_t)number(optarg, SMALLEST, LARGEST); break;
		case 'd': b.seconds = number(optarg, 1, 3600); break;
		case 'w': b.warm_up_s = number(optarg, 0, 3600); break;
		default: exit(2);
		}
	if (argc - optind != 2 || b.first_addr == 0) {
		fputs("usage: bounce [EAL arguments] -- --ip FIRST [--conns N] [--hot N] [--check] "
		      "[--size BYTES] [--duration SECONDS] [--warm-up SECONDS] HOST PORT\n",
		      stderr);
		exit(2);
	}
	b.server_addr = address(argv[optind]);
	b.port = (uint16_t)number(argv[optind + 1], 1, UINT16_MAX);
	if (b.hot == 0)
		b.hot = RTE_MIN(b.conns, (uint32_t)POOL_MBUFS / 2);
	if (b.hot > b.conns)
		die("--hot is more than --conns");
}

int main(int argc, char **argv)
{
	int used = rte_eal_init(argc, argv);
	unsigned k;

	if (used < 0)
		die("EAL does not start");
	read_options(argc - used, argv + used);
	b.hz = rte_get_tsc_hz();
	b.clients = calloc(b.conns, sizeof(*b.clients));
	b.heard = calloc(b.conns, sizeof(*b.heard));
	if (!b.clients || !b.heard)
		die("no memory for %" PRIu32 " connections", b.conns);
	for (k = 0; k < sizeof(b.pattern); k++)
		b.pattern[k] = (uint8_t)(k * 37 + 11);
	open_port();
	find_server();
	open_all();
	measure();
	rte_eth_dev_stop(0);
	rte_eal_cleanup();
	return 0;
}
