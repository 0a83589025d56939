/* SPDX-License-Identifier: BSD-3-Clause
 * Memory for an lcore's state, near its CPU: ordinary mappings, zeroed, on huge pages where the
 * kernel can, touched only when used.
 */
#ifndef PERCH_DRIVERS_GLUE_PLACEMENT_H
#define PERCH_DRIVERS_GLUE_PLACEMENT_H

#include <stddef.h>

/* node < 0: anywhere. NULL when there is no memory. Control threads only. */
void *perch_numa_alloc(size_t bytes, int node);
/* p may be NULL; bytes as it was allocated. */
void perch_numa_free(void *p, size_t bytes);

/* The node of a CPU, or -1 if that is not known. */
int perch_numa_node_of_cpu(int cpu);

#endif
