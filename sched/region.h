/* SPDX-License-Identifier: BSD-3-Clause
 * Memory that is reserved at open: address space that costs nothing until it is touched.
 */
#ifndef PERCH_SCHED_REGION_H
#define PERCH_SCHED_REGION_H

#include <stddef.h>

/* Zeroed memory, or NULL. `node` is a NUMA node preferred for it, -1 = anywhere. Large regions
 * are huge-page aligned and advised to use them, but for their first 2 MB: a small population
 * must not pay for a huge page. */
void *perch_region_map(size_t bytes, int node);
/* Give the whole pages of [from, to) back: they read as zero when touched again. */
void perch_region_drop(void *from, void *to);
void perch_region_unmap(void *base, size_t bytes); /* NULL is ignored */

/* The same in plain pages, for stacks and their guard pages. */
void *perch_region_stacks(size_t bytes, int node);

size_t perch_region_round(size_t bytes); /* up to a page */

#endif
