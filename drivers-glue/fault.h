/* SPDX-License-Identifier: BSD-3-Clause
 * What may go wrong on the way to a replayed port, decided by a seed: frames that are dropped,
 * doubled, delayed, overtaken or damaged; by chance, by their number, or by the sequence number of
 * the market-data messages in them.
 *
 * Thread context: one thread.
 */
#ifndef PERCH_DRIVERS_GLUE_FAULT_H
#define PERCH_DRIVERS_GLUE_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers-glue/held.h"

enum perch_fault_action {
	PERCH_FAULT_DROP,
	PERCH_FAULT_DUPLICATE,
	PERCH_FAULT_DELAY,   /* by delay_ns */
	PERCH_FAULT_REORDER, /* `by` later frames overtake it */
	PERCH_FAULT_CORRUPT, /* one bit of one byte */
};

enum perch_fault_by { PERCH_FAULT_BY_CHANCE, PERCH_FAULT_BY_PACKET, PERCH_FAULT_BY_SEQUENCE };

enum perch_fault_limits { PERCH_FAULT_RULES = 16, PERCH_FAULT_OVERTAKEN = 64 };

struct perch_fault_rule {
	enum perch_fault_action action;
	enum perch_fault_by by;
	uint64_t chance;       /* of 2^32 */
	uint64_t first, last;  /* of packets, from 1, or MoldUDP64 sequence numbers; inclusive */
	int64_t delay_ns;
	uint32_t overtaken_by; /* frames */
	int32_t byte;          /* to corrupt; -1: any */
};

struct perch_fault_stats {
	uint64_t dropped, duplicated, delayed, reordered, corrupted;
};

struct perch_fault {
	struct perch_fault_rule rules[PERCH_FAULT_RULES];
	unsigned n_rules;
	uint64_t rng, packets;
	struct {
		struct perch_held_frame *frame;
		uint32_t to_go;
	} overtaken[PERCH_FAULT_OVERTAKEN];
	unsigned n_overtaken;
	struct perch_fault_stats stats;
};

/* Add the rule "ACTION:p=P|packet=A[-B]|seq=A[-B][,ns=N][,by=N][,byte=N]". Returns 0 or -EINVAL
 * with one sentence in why[]. */
int perch_fault_add(struct perch_fault *f, const char *text, char *why, size_t why_bytes);

/* A frame on its way: what arrives of it, and when, is put into held. Returns 0 or -ENOMEM. */
int perch_fault_pass(
	struct perch_fault *f, const struct perch_frame *frame, struct perch_held *held);

/* There is no later frame: those that still wait to be overtaken arrive. Returns 0 or -ENOMEM. */
int perch_fault_end(struct perch_fault *f, struct perch_held *held);

void perch_fault_clear(struct perch_fault *f);

#endif
