/* SPDX-License-Identifier: BSD-3-Clause
 * Frames that are held back until their time comes: a heap ordered by time, and among equal times
 * by the order in which they were put in.
 */
#ifndef PERCH_DRIVERS_GLUE_HELD_H
#define PERCH_DRIVERS_GLUE_HELD_H

#include <stddef.h>
#include <stdint.h>

#include "drivers-glue/capture.h"

struct perch_held_frame {
	uint64_t order;
	struct perch_frame f; /* data points behind this */
};

struct perch_held { /* all zero: empty */
	struct perch_held_frame **heap;
	size_t n, room;
	uint64_t order;
};

/* Copies the bytes. Returns 0 or -ENOMEM. */
int perch_held_put(struct perch_held *h, const struct perch_frame *f);

/* The earliest, or NULL; it stays. */
const struct perch_frame *perch_held_first(const struct perch_held *h);

/* Take the earliest out; the caller frees it. NULL when empty. */
struct perch_held_frame *perch_held_take(struct perch_held *h);

void perch_held_clear(struct perch_held *h);

#endif
