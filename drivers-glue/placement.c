/* SPDX-License-Identifier: BSD-3-Clause
 * Placement by libnuma. A preference, not a demand: memory elsewhere is slower, none is worse.
 */
#include "drivers-glue/placement.h"

#include <sys/mman.h>

#include <numa.h>

enum { HUGE_PAGE = 2 << 20 };

void *perch_numa_alloc(size_t bytes, int node)
{
	void *p;

	if (bytes == 0)
		return NULL;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		-1, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (bytes >= HUGE_PAGE)
		madvise(p, bytes, MADV_HUGEPAGE); /* advice: failing costs speed, nothing else */
	if (node >= 0 && numa_available() >= 0)
		numa_tonode_memory(p, bytes, node);
	return p;
}

void perch_numa_free(void *p, size_t bytes)
{
	if (p)
		munmap(p, bytes);
}

int perch_numa_node_of_cpu(int cpu)
{
	if (cpu < 0 || numa_available() < 0)
		return -1;
	return numa_node_of_cpu(cpu);
}
