/* SPDX-License-Identifier: BSD-3-Clause
 * One lcore's protocol state: its interfaces, neighbours, flows and their deadlines, as a pure
 * state machine. Packets and the time go in; packets to send, flows that became ready and flows
 * whose deadline moved come out, as lists.
 *
 *	perch_net_input(net, ifidx, pkts, n, now)   what the ports received
 *	perch_net_expire(net, id, now)              what the timing wheel named
 *	perch_net_tick(net, now)                    the few timers that belong to no flow
 *	perch_net_output(net, now)                  segments that flows may send now
 *	perch_net_next_ready(net)                   flows with events for the layer above
 *	perch_net_next_arm(net, &id, &deadline)     deadlines for the timing wheel
 *	net->tx[0 .. net->n_tx)                     packets for the ports, then n_tx = 0
 *
 * There is no clock here, no entropy source, no EAL, no ethdev and no malloc: the caller gives the
 * memory, the packet pool, the secrets and the time. Times are absolute nanoseconds of the
 * caller's clock. One thread.
 *
 * Packets given to input belong to the net from then on. Packets in tx belong to whoever empties
 * it; a data segment in it has an extra reference held by its send queue until it is acknowledged,
 * so a port that hands the same mbuf to a reader (net_ring) must send a copy of it.
 */
#ifndef PERCH_TCP_LITE_NET_H
#define PERCH_TCP_LITE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "tcp-lite/addr.h"
#include "tcp-lite/drop.h"
#include "tcp-lite/packet.h"

#define PERCH_NET_NEVER INT64_MAX

enum perch_net_limits {
	PERCH_NET_IFS = 4,     /* interfaces of one net */
	PERCH_NET_ADDRS = 16,  /* address ranges of one interface */
	PERCH_NET_TX = 1024,   /* packets that one turn may emit */
	PERCH_NET_DONE = 64,   /* packets that go back to the pool together */
};

enum perch_net_offload { /* what the port does for us on transmit */
	PERCH_NET_TX_IP4_CKSUM = 1u << 0,
	PERCH_NET_TX_TCP_CKSUM = 1u << 1,
	PERCH_NET_TX_UDP_CKSUM = 1u << 2,
	PERCH_NET_TX_TCP_TSO = 1u << 3, /* it cuts TCP into segments, and sums them */
};

/* `count` consecutive addresses from ip on are ours; prefix_len says what is on the same link. */
struct perch_net_addr {
	struct perch_ip ip;
	uint8_t prefix_len; /* as written: 0..32 for IPv4, 0..128 for IPv6 */
	uint32_t count;     /* 0 means 1 */
};

struct perch_net_if {
	struct rte_ether_addr mac;
	uint16_t mtu;         /* bytes of the IP packet; 0 = 1500; at least 1280 with IPv6 */
	uint16_t vlan;        /* 802.1Q VLAN of all frames, 1 to 4094; 0: untagged */
	uint32_t tx_offloads; /* enum perch_net_offload */
	uint16_t tso_pieces;  /* mbufs of a packet that it cuts, at most; 0: does not matter */
	uint8_t n_addrs;
	bool has_gw4, has_gw6;
	bool any_mac;       /* take frames for any unicast address, as a capture file has them */
	struct perch_net_addr addrs[PERCH_NET_ADDRS];
	struct perch_ip gw4, gw6;
};

enum perch_net_dad {          /* are our addresses ours alone? (RFC 4862, RFC 5227) */
	PERCH_NET_DAD_OPTIMISTIC, /* IPv6: asked while they are used (RFC 4429); IPv4: announced */
	PERCH_NET_DAD_STRICT,     /* both: asked before they are used */
	PERCH_NET_DAD_OFF,
};

struct perch_net_config { /* zero means default */
	struct rte_mempool *pool; /* required; private size >= PERCH_PKT_PRIV */
	struct perch_net_if ifs[PERCH_NET_IFS];
	uint8_t n_ifs;            /* required; an IPv6 interface gets its fe80:: address by itself */
	bool passive;     /* announce no addresses: another lcore does */
	uint8_t dad;      /* enum perch_net_dad */
	uint8_t secret[16]; /* keys ISNs and the flow hash (RFC 6528) */
	uint64_t seed;      /* of the generator for jitter, ports and IP ids */
	int64_t now_ns;

	uint32_t max_flows;      /* TCP connections, TIME_WAIT included; default 4,096; at most what
	                          * 34 GB hold: 150 million that are idle */
	uint32_t max_listeners;  /* default 64 */
	uint32_t max_udp;        /* bound UDP sockets; default 64 */
	uint32_t max_neighbours; /* default 1,024 */
	uint32_t max_memberships; /* a socket, a group and a source; default 256 */
	uint32_t max_reassemblies; /* fragmented datagrams at a time, 66 KB each; default 32 */

	uint32_t sndbuf_bytes;      /* per connection, at most: it grows beyond 256 KB as cwnd does;
	                             * default 4 MB */
	uint32_t rcvbuf_bytes;      /* likewise, as fast as it is read */
	uint32_t backlog;           /* half-open and not yet accepted, per listener; default 1,024 */
	int64_t rto_min_ns;         /* default 5 ms (profile latency); wan: 200 ms */
	int64_t rto_max_ns;         /* default 60 s */
	int64_t delack_ns;          /* 0: acknowledge in the same turn (profile latency); wan: 40 ms */
	int64_t time_wait_ns;       /* 2 MSL; default 60 s */
	int64_t fin_wait2_ns;       /* closed by us, peer silent; default 60 s */
	int64_t keepalive_ns;       /* idle time before probes; 0: off */
	int64_t user_timeout_ns;    /* give up after so long without progress; 0: only by tries */
	uint8_t syn_retries, data_retries; /* default 6 and 15 */
	bool keep_cwnd;             /* after idle time too; else halved for each timeout */
	const char *cc;             /* congestion control: "cubic" (default) or "newreno" */
};

/* ---- flows ---------------------------------------------------------------------------------- */

enum perch_flow_kind { PERCH_FLOW_TCP = 1, PERCH_FLOW_UDP };

enum perch_flow_event {
	PERCH_FLOW_READABLE = 1u << 0,  /* data, or end of stream, or an error to be read */
	PERCH_FLOW_WRITABLE = 1u << 1,  /* room in the send buffer again, or an error */
	PERCH_FLOW_CONNECTED = 1u << 2, /* an active open succeeded */
	PERCH_FLOW_ACCEPTED = 1u << 3,  /* a new connection of a listener; see perch_tcp_cookie */
	PERCH_FLOW_FAILED = 1u << 4,    /* reset, timed out or refused: perch_tcp_error() says */
};

/* What all flows share: the first member of struct perch_tcb and struct perch_udp. */
struct perch_flow {
	uint8_t events : 5;   /* enum perch_flow_event, not yet taken */
	uint8_t in_ready : 1; /* it is in net->ready */
	uint8_t kind : 2;     /* enum perch_flow_kind */
	uint8_t user8;        /* the layer above's, set to 0 at birth */
	uint16_t lport;       /* host order */
	uint32_t user32;      /* the layer above's, set to 0 at birth */
	uint32_t waiter[2];   /* the layer above's: who waits to read, to write; UINT32_MAX none */
};

/* How to reach a peer, remembered between packets; all zero means not known. */
struct perch_path {
	uint16_t neigh; /* slot of the neighbour cache */
	uint16_t gen;   /* valid while it equals net->path_gen (never 0) */
};

/* ---- the net -------------------------------------------------------------------------------- */

struct perch_tcp;
struct perch_udp_table;
struct perch_neigh_table;
struct perch_icmp;
struct perch_mcast;
struct perch_mcast_table;
struct perch_frag_table;
struct perch_pmtu_table;
struct perch_dad_table;

/* Lists of flows, side by side, for of each only the beginning is ever touched: it begins anew when
 * it is empty, as it is once in a turn. They begin at the end of their memory, where in huge pages
 * something else is in use. */
struct perch_net_list {
	struct perch_flow *ready; /* has events: first in, first out */
	uint32_t output;          /* TCP has something to send: the same; by id */
	uint32_t arm;             /* TCP's deadline became earlier: last in, first out; by id */
};

struct perch_net {
	int64_t now_ns; /* the time given to the entry point that is running */
	struct rte_mempool *pool;
	uint32_t now_ms; /* the same, rounded down */
	uint32_t n_tx;
	uint16_t path_gen;
	uint32_t held, held_max; /* packets in queues of flows: see perch_net_share */
	uint32_t held_easily;    /* with so many, none is refused an eighth of the pool */
	struct perch_net_list *lists; /* see perch_net_listed() */
	uint32_t max_listed;
	uint32_t ready_first, ready_end; /* those with events; both 0: none has */
	struct perch_tcp *tcp;
	struct perch_udp_table *udp;
	struct perch_neigh_table *neigh;
	struct perch_icmp *icmp;
	struct perch_mcast_table *groups;
	struct perch_frag_table *frags;
	struct perch_pmtu_table *pmtu;
	struct perch_dad_table *dad;
	struct { /* what plain.c asks of the configuration */
		uint32_t first, count; /* our IPv4 addresses; none: no packet is plain */
		uint32_t hosts;        /* bits of their prefix that name hosts; 0: no broadcasts */
		uint32_t offloads;     /* enum perch_net_offload */
		uint64_t mac;          /* ours, as plain.c compares it */
		uint8_t headers[48];   /* of what is sent, but for what differs */
		uint64_t sum;          /* of the IP header among them */
	} plain;
	uint32_t addr_off[PERCH_NET_IFS]; /* bits of addresses not in use; link-local the last */
	uint16_t ip_id[16]; /* counters of fragmented datagrams, spread over destinations */
	uint32_t group_gen; /* changes with perch_mcast_macs() */
	uint64_t rng;
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t drops[PERCH_DROP_COUNT];
	int64_t announce_ns; /* when our addresses are next announced (RFC 5227), or NEVER */
	int64_t defended_ns; /* when an address of ours was last defended (RFC 5227 section 2.4) */
	uint8_t announced;   /* times so far */
	struct perch_ip link_local[PERCH_NET_IFS]; /* fe80:: and EUI-64; :: without IPv6 */
	uint32_t n_done;
	struct rte_mbuf *done[PERCH_NET_DONE]; /* freed by the burst that is being taken in */
	struct rte_mbuf *tx[PERCH_NET_TX]; /* m->port is the interface index */
	struct perch_net_config cfg;       /* with the defaults filled in */
};

/* Bytes of memory that perch_net_open needs for cfg; the same cfg must be given to both. */
size_t perch_net_bytes(const struct perch_net_config *cfg);
/* mem: 64-byte aligned, zeroed, the caller's; it outlives the net. Returns 0 or -EINVAL. */
int perch_net_open(struct perch_net **out, void *mem, const struct perch_net_config *cfg);
/* Free every packet that is held, and forget all flows without telling their peers. */
void perch_net_close(struct perch_net *net);

/* Packets as they came from interface ifidx; all are consumed. m->ol_flags may say which checksums
 * the NIC has verified. */
void perch_net_input(
	struct perch_net *net, unsigned ifidx, struct rte_mbuf **pkts, unsigned n, int64_t now_ns);

/* A copy of a packet without ports (ARP, NDP, ICMP error) that another lcore received and answers:
 * learn from it, answer nothing. Consumes m. */
void perch_net_learn(struct perch_net *net, unsigned ifidx, struct rte_mbuf *m, int64_t now_ns);

/* A word for each flow id, for a timing wheel that names these, where perch_net_expire looks first:
 * that of id 0, and how far apart they are. Zero at open; the net never writes them. */
uint32_t *perch_net_wheel_words(const struct perch_net *net, size_t *stride_bytes);

/* Ask for the memory of flow `id`, which the timing wheel named, before its timers run. */
void perch_net_prefetch(const struct perch_net *net, uint32_t id);

/* Run the timers of flow `id` that are due. Returns when it wants to be named again, or NEVER. */
int64_t perch_net_expire(struct perch_net *net, uint32_t id, int64_t now_ns);

/* When flow `id` wants to be named, as it stands now, or NEVER: for a wheel that would move it. The
 * wheel will name it then, as after what perch_net_expire returns. */
int64_t perch_net_due(struct perch_net *net, uint32_t id);

/* Timers that belong to no flow (neighbour retries). Cheap when nothing is due. */
void perch_net_tick(struct perch_net *net, int64_t now_ns);
/* When perch_net_tick next has work, or NEVER. */
int64_t perch_net_next_tick(const struct perch_net *net);

/* Turn queued data, ACKs, FINs and window updates of all flows that have some into packets in tx,
 * while there is room in it. Flows left over stay listed for the next call. */
void perch_net_output(struct perch_net *net, int64_t now_ns);

/* The next flow with events, or NULL. The caller takes flow->events and sets it to 0. */
struct perch_flow *perch_net_next_ready(struct perch_net *net);

/* The next flow whose deadline became earlier: its id and deadline. False when there is none. */
bool perch_net_next_arm(struct perch_net *net, uint32_t *id, int64_t *deadline_ns);

/* ---- inside the folder ---------------------------------------------------------------------- */

/* An entry point begins. A division here is none for each packet. */
static inline void perch_net_set_time(struct perch_net *net, int64_t now_ns)
{
	net->now_ns = now_ns;
	net->now_ms = (uint32_t)(now_ns / 1000000);
}

/* How many packets may a queue of a flow hold, that could hold `most` if there were no others? They
 * wait for handlers and peers who may never come, and the pool must not be theirs: what comes in
 * has to find a buffer, or no ACK is heard that would empty them. A queue may be half as long as
 * all together could still grow (dynamic thresholds: Choudhury and Hahne, 1998), so that a few
 * cannot take what many need. The last eighth is for short ones, of 16 packets at first, of one in
 * the end. */
static inline uint32_t perch_net_share(const struct perch_net *net, uint32_t most)
{
	uint32_t left, last;

	if (likely(net->held <= net->held_easily))
		return most;
	left = net->held_max - RTE_MIN(net->held, net->held_max);
	last = net->held_max / 8;
	if (likely(left > last + 32))
		return RTE_MIN(most, (left - last) / 2);
	return RTE_MIN(most, RTE_MIN(left, RTE_MIN(left / 16, 15u) + 1));
}

/* One received packet, parsed down to its transport header and checked up to there. */
struct perch_rx {
	struct rte_mbuf *m;       /* data starts at the transport header; padding is cut off */
	struct perch_ip src, dst;
	uint16_t l3_len;          /* the IP header (and extensions) stands this far before data */
	uint8_t ifidx, proto, ttl, tos;
	bool learn_only;          /* came through perch_net_learn */
	bool to_group;            /* destination MAC or IP is broadcast or multicast */
	bool is_arp;              /* not IP: data starts at the ARP header, addresses are not set */
	bool borrowed;            /* reassembled, in a buffer that must come back soon */
	bool router_alert;        /* with that option (RFC 2711) */
	const struct perch_mcast *group; /* joined, that the packet is for; else NULL */
};

/* May this packet be answered by ARP, NDP or ICMP? By the lcore that received it, whichever RSS
 * chose, and not by those that learn from a copy. */
static inline bool perch_rx_may_answer(const struct perch_rx *rx)
{
	return !rx->learn_only;
}

static inline void perch_net_drop(struct perch_net *net, enum perch_drop why, struct rte_mbuf *m)
{
	net->drops[why]++;
	rte_pktmbuf_free(m); /* NULL is fine */
}

/* A copy to learn from is not counted again: it was, by the lcore that received it. */
static inline void perch_rx_drop(struct perch_net *net, struct perch_rx *rx, enum perch_drop why)
{
	net->drops[why] += !rx->learn_only;
	rte_pktmbuf_free(rx->m);
}

/* As rte_pktmbuf_free_seg, within perch_net_input: what is ours alone goes back with others, at the
 * end of the burst, which costs a quarter. */
static inline void perch_net_done(struct perch_net *net, struct rte_mbuf *m)
{
	if (unlikely(m->pool != net->pool || net->n_done == PERCH_NET_DONE)) {
		rte_pktmbuf_free_seg(m);
		return;
	}
	m = rte_pktmbuf_prefree_seg(m);
	if (likely(m))
		net->done[net->n_done++] = m;
}

/* An empty packet from the pool with the pool's headroom, or NULL (counted). */
struct rte_mbuf *perch_net_alloc(struct perch_net *net);

/* xorshift64*: the net's own generator, for jitter and ids; never for secrets. */
uint32_t perch_net_random(struct perch_net *net);

/* The i-th place of a list. */
static inline struct perch_net_list *perch_net_listed(const struct perch_net *net, uint32_t i)
{
	return net->lists - i;
}

/* Each flow is there once, so there is room in front. */
void perch_net_pack_ready(struct perch_net *net);

static inline void perch_net_mark_ready(
	struct perch_net *net, struct perch_flow *f, uint8_t events)
{
	f->events |= events & 0x1f;
	if (f->in_ready)
		return;
	f->in_ready = 1;
	if (unlikely(net->ready_end == net->max_listed))
		perch_net_pack_ready(net);
	perch_net_listed(net, net->ready_end++)->ready = f;
}

/* f's events are nobody's business any more. */
void perch_net_leave_ready(struct perch_net *net, struct perch_flow *f);

#endif
