/* SPDX-License-Identifier: BSD-3-Clause
 * What a port is made of; for port.c and steer.c.
 */
#ifndef PERCH_DRIVERS_GLUE_PORT_INSIDE_H
#define PERCH_DRIVERS_GLUE_PORT_INSIDE_H

#include <stdatomic.h>

#include <rte_ethdev.h>
#include <rte_spinlock.h>

#include "drivers-glue/port.h"
#include "drivers-glue/replay.h"

enum port_limits {
	PORT_MAX_LCORES = 64,
	PORT_BURST = 64,
	RSS_KEY_BYTES = 40,
	RETA_ENTRIES = 512,
};

typedef void (*perch_tap_ring_fn)(int signal);

struct perch_steer; /* what several lcores need beside their queues */

struct perch_port {
	uint16_t id, lcores, hw_queues;
	bool copy_shared; /* its reader gets the very mbuf: net_ring */
	bool prepare;     /* what it is to cut must pass rte_eth_tx_prepare */
	bool detour; /* not simply the device's queue: there are steer, replay or ring_tap */
	struct perch_steer *steer; /* NULL with one lcore */
	struct perch_replay *replay; /* NULL with a device */
	perch_tap_ring_fn ring_tap; /* before a burst, else net_tap does not look; or NULL */
	int tap_signal; /* its argument */
	struct rte_mempool *pools[PORT_MAX_LCORES];
	uint8_t rss_key[RSS_KEY_BYTES];
	uint16_t reta_size; /* 0: hash modulo lcores */
	uint16_t reta[RETA_ENTRIES];
	uint64_t owner;
	bool started;
	bool guarded; /* memif.c lets the device change only while nobody is in a burst */
	atomic_bool in_burst; /* if guarded; there is one queue, so one lcore that polls it */
	atomic_bool shut;
	struct perch_port *next_guarded;
	perch_port_left_fn left; /* NULL: nobody wants to know what leaves in which order */
	void *left_arg;
	rte_spinlock_t left_lock; /* held from a burst until it has been told */
	struct perch_port_info info;
};

static inline bool burst_begins(struct perch_port *p)
{
	if (likely(!p->guarded))
		return true;
	atomic_store_explicit(&p->in_burst, true, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst); /* the CPU's part is done by who shuts it */
	if (likely(!atomic_load_explicit(&p->shut, memory_order_acquire)))
		return true;
	atomic_store_explicit(&p->in_burst, false, memory_order_release);
	return false;
}

static inline void burst_ends(struct perch_port *p)
{
	if (p->guarded)
		atomic_store_explicit(&p->in_burst, false, memory_order_release);
}

/* One burst on a queue of the device. */
static inline uint16_t perch_port_rx_queue(
	struct perch_port *p, unsigned queue, struct rte_mbuf **pkts, uint16_t n)
{
	if (!burst_begins(p))
		return 0;
	n = rte_eth_rx_burst(p->id, (uint16_t)queue, pkts, n);
	burst_ends(p);
	return n;
}

static inline uint16_t perch_port_tx_queue(
	struct perch_port *p, unsigned queue, struct rte_mbuf **pkts, uint16_t n)
{
	if (!burst_begins(p))
		return 0;
	n = rte_eth_tx_burst(p->id, (uint16_t)queue, pkts, n);
	burst_ends(p);
	return n;
}

/* One burst on a queue of the device, or of the files. */
uint16_t perch_port_poll(struct perch_port *p, unsigned queue, struct rte_mbuf **pkts, uint16_t n,
	uint64_t *learn);
uint16_t perch_port_send(
	struct perch_port *p, unsigned queue, struct rte_mbuf **pkts, uint16_t n);

/* offload.c: what the device will do (enum perch_port_offload), asked for in conf; soft: net_tap's
 * too, which are made in software. */
uint32_t perch_offloads_choose(
	const struct rte_eth_dev_info *dev, struct rte_eth_conf *conf, bool soft);
bool perch_is_nic(const char *driver);

/* tap.c: from now on the tap is polled, as long as ring_tap is called. */
void perch_tap_poll(struct perch_port *p, unsigned if_index);

/* Stop the device and give it back. */
void perch_port_end_device(struct perch_port *p);

/* memif.c: the other end may go while packets flow. From the start of the device; until its end,
 * which takes the place of perch_port_end_device(). */
void perch_memif_guard(struct perch_port *p);
void perch_memif_end(struct perch_port *p);

/* steer.c */
int perch_steer_open(struct perch_port *p, int node);
void perch_steer_close(struct perch_port *p);
uint16_t perch_steer_rx(
	struct perch_port *p, unsigned lcore, struct rte_mbuf **pkts, uint16_t n, uint64_t *learn);
uint16_t perch_steer_tx(
	struct perch_port *p, unsigned lcore, struct rte_mbuf **pkts, uint16_t n);
void perch_steer_send_rest(struct perch_port *p);
void perch_steer_groups(
	struct perch_port *p, unsigned lcore, const struct rte_ether_addr *macs, uint32_t n);
uint64_t perch_steer_dropped(const struct perch_port *p);
unsigned perch_steer_lcore(const struct perch_port *p, const uint32_t *words, unsigned n);

#endif
