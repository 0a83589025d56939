/* SPDX-License-Identifier: BSD-3-Clause
 * A rough line: packets are lost, doubled, delayed and overtaken, as a seed has it. Time is an
 * argument; memory is reserved at open.
 */
#ifndef PERCH_APPS_FEED_ROUGH_H
#define PERCH_APPS_FEED_ROUGH_H

#include <stddef.h>
#include <stdint.h>

struct rough_config {
	uint64_t seed;
	uint32_t loss_ppm;      /* of packets */
	uint32_t burst;         /* so many are lost in a row, once one is; default 1 */
	uint32_t duplicate_ppm;
	uint32_t reorder_ppm;   /* of packets that are held back by reorder_ns */
	int64_t reorder_ns;
	int64_t skew_ns;        /* how long each packet takes */
	uint32_t slots;         /* packets under way; default 256; beyond them they are lost, and
	                         * counted as slots_full */
	uint32_t packet_bytes;  /* default 1,500 */
};

struct rough;

struct rough_counters {
	uint64_t sent, lost, doubled, held_back, slots_full;
};

/* Returns 0 or -ENOMEM. */
int rough_open(struct rough **out, const struct rough_config *cfg);
void rough_close(struct rough *r);

/* Longer ones than packet_bytes are lost. */
void rough_send(struct rough *r, const void *data, size_t len, int64_t now_ns);
/* The next packet that has come through by now; good until the next rough_send or rough_take.
 * NULL: none. */
const void *rough_take(struct rough *r, int64_t now_ns, size_t *len);
/* When the next one comes through; INT64_MAX: none is under way. */
int64_t rough_due(const struct rough *r);

const struct rough_counters *rough_counters(const struct rough *r);

#endif
