/* SPDX-License-Identifier: BSD-3-Clause
 * One port as the turn sees it: bursts in, bursts out, a few control calls. Behind it stands an
 * ethdev (a NIC or a vdev), or capture files (drivers-glue/replay.h).
 *
 * Each lcore of the port has a queue pair of its own. Where the device has fewer, lcore 0 polls
 * and hands packets over by a software RSS and rings (and sends for the others), so that the layer
 * above never sees the difference.
 *
 * Thread context: open, start, stop, close from a control thread while no lcore uses the port; rx
 * and tx from the thread of that lcore only.
 */
#ifndef PERCH_DRIVERS_GLUE_PORT_H
#define PERCH_DRIVERS_GLUE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

struct perch_port;
struct perch_replay;

struct perch_port_config { /* zero means default */
	const char *name;  /* ethdev name ("net_tap0", a PCI address); NULL: the nth port, see index */
	uint16_t index;    /* of the ports that EAL probed */
	uint16_t lcores;   /* queues wanted; default 1 */
	uint16_t rx_desc, tx_desc; /* default 1,024 each, clipped to what the device takes */
	uint16_t mtu;      /* IP bytes; default 1500 */
	uint16_t priv_bytes; /* private area of each mbuf */
	uint32_t mbufs;    /* per lcore; default 16,384 */
	bool promiscuous;
	bool no_offloads;  /* use none of the device's offloads */
	bool soft_offloads; /* use those that net_tap makes in software, too */
	const int *cpus;   /* of each lcore, to place its pool (-1: unknown); NULL: unknown */
	struct perch_replay *replay; /* not NULL: files for a device; they outlive the port */
	bool no_steering;  /* of the files: each lcore is given its own packets */
};

enum perch_port_offload { /* as tcp-lite's enum perch_net_offload */
	PERCH_PORT_TX_IP4_CKSUM = 1u << 0,
	PERCH_PORT_TX_TCP_CKSUM = 1u << 1,
	PERCH_PORT_TX_UDP_CKSUM = 1u << 2,
	PERCH_PORT_RX_CKSUM = 1u << 3,
	PERCH_PORT_TX_TCP_TSO = 1u << 4,
};

struct perch_port_info {
	char name[64], driver[32];
	uint8_t mac[6];
	uint16_t mtu;
	uint16_t hw_queues;  /* queue pairs that the device gave us */
	uint32_t offloads;   /* enum perch_port_offload, those in use */
	int numa_node;
	bool link_up;
	bool gathers;        /* sends packets that lie in several pieces */
	uint16_t tso_pieces; /* of a packet that it cuts, at most */
	bool tso_ip4_only;
	bool reads_anywhere; /* the pieces may be any memory of the process, not EAL's only */
	bool reads_file;     /* net_pcap: its frames were addressed to whom the capture is of */
};

struct perch_port_stats { /* of the device, where it counts */
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t rx_missed, rx_errors, rx_nombuf, tx_errors;
	uint64_t steer_dropped; /* software RSS: rings that were full */
};

/* Returns 0 or a negative errno with one sentence in why[]. The port is started. */
int perch_port_open(struct perch_port **out, const struct perch_port_config *cfg, char *why,
	size_t why_bytes);
void perch_port_close(struct perch_port *p);

/* A port of several lcores tells fn of each burst that the device has taken, in the order of their
 * taking: n packets of lcore `of`, by the thread of lcore `by`. NULL: no more. Control, while no
 * lcore uses the port. */
typedef void (*perch_port_left_fn)(void *arg, unsigned by, unsigned of, uint16_t n);
void perch_port_tell_left(struct perch_port *p, perch_port_left_fn fn, void *arg);

/* Send what lcores handed to lcore 0 for sending, when none of them uses the port any more. */
void perch_port_send_rest(struct perch_port *p);

void perch_port_info(struct perch_port *p, struct perch_port_info *out);
void perch_port_stats(struct perch_port *p, struct perch_port_stats *out);

/* The pool of that lcore, on its NUMA node. */
struct rte_mempool *perch_port_pool(struct perch_port *p, unsigned lcore);

/* Receive at most n packets for that lcore. *learn (may be NULL when the port has one lcore) gets
 * a bit set for each packet that is a copy to learn from (ARP, NDP, ICMP errors that lcore 0
 * received). n <= 64. */
uint16_t perch_port_rx(
	struct perch_port *p, unsigned lcore, struct rte_mbuf **pkts, uint16_t n, uint64_t *learn);

/* Send; returns how many were taken, the rest stay the caller's. A packet with other references is
 * copied where the device would hand the same mbuf to its reader. */
uint16_t perch_port_tx(
	struct perch_port *p, unsigned lcore, struct rte_mbuf **pkts, uint16_t n);

/* A burst of no packets, where the port is the device's queue: the driver looks at what the next
 * one will need (a net_memif's ring, which its reader has written since; what a NIC has sent is
 * freed). m is any packet, and stays the caller's: drivers may look at the first before they ask
 * how many there are. */
void perch_port_warm(struct perch_port *p, struct rte_mbuf *m);

/* The group MAC addresses to let in; all == true: every one. A device that cannot filter them, or
 * not so many, lets all in. From one thread at a time; a call into the device, so not for every
 * turn. */
void perch_port_filter_groups(
	struct perch_port *p, struct rte_ether_addr *macs, uint32_t n, bool all);

/* The groups of which this lcore wants each datagram, whichever lcore or queue it comes to. */
void perch_port_steer_groups(
	struct perch_port *p, unsigned lcore, const struct rte_ether_addr *macs, uint32_t n);

/* Which lcore will receive packets from raddr:rport to laddr:lport (16-byte addresses, IPv4
 * v4-mapped, ports in host order; proto IPPROTO_TCP or _UDP). */
unsigned perch_port_lcore_of(const struct perch_port *p, const uint8_t raddr[16],
	const uint8_t laddr[16], uint16_t rport, uint16_t lport, uint8_t proto);

#endif
