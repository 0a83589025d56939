/* SPDX-License-Identifier: BSD-3-Clause
 * Recording: everything that comes to an engine from outside (packets and the turn that received
 * them, messages of other threads, stop and mute, the seed) goes to one pcapng file, so that
 * perch-replay of it makes the same run again. A turn writes to a ring in mapped memory; a thread
 * moves it to the file. After a crash the ring is still there.
 */
#ifndef PERCH_ENGINE_RECORD_H
#define PERCH_ENGINE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "engine/perch.h"

struct perch_lcore;
struct perch_recorder;

/* *out is NULL when neither the configuration nor the environment (PERCH_RECORD) asks for one. The
 * engine's lcores are open, and do not run. Returns 0 or a negative errno. Control. */
int perch_record_open(struct perch_recorder **out, struct perch *e, const struct perch_config *cfg,
	struct perch_why *why);

/* Write what is left, and close; the engine has stopped. NULL is fine. Control. */
void perch_record_close(struct perch_recorder *r, struct perch *e);

/* The turn begins with these packets; recorded if there is something to do in it. */
void perch_record_turn(struct perch_lcore *l, struct rte_mbuf **pkts, uint16_t n, uint64_t learn);

/* Next, the i-th of the messages that wait is carried out. */
void perch_record_mail(struct perch_lcore *l, unsigned i);

/* The lcore has joined or left a group that lcore 0 will follow; lcore 0 follows. Both with the
 * lock of these groups. */
void perch_record_share(struct perch_lcore *l);
void perch_record_groups(struct perch_lcore *l);

/* The port took so many packets, and that was not all. */
void perch_record_tx(struct perch_lcore *l, unsigned n);

/* Blocks that had no room in a ring: the recording has a hole there. */
uint64_t perch_record_lost(const struct perch_recorder *r);

/* Why its file could not be written on, or 0. */
int perch_record_errno(const struct perch_recorder *r);

#endif
