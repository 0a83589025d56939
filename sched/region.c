/* SPDX-License-Identifier: BSD-3-Clause
 * Memory that is reserved at open (see region.h).
 */
#include "sched/region.h"

#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	PAGE_BYTES = 4096,
	HUGE_BYTES = 2 << 20,
	HUGE_WORTH = 8 << 20, /* below this a huge page would waste more than it saves */
	NODE_PREFERRED = 1,   /* MPOL_PREFERRED: libnuma's header is not needed for one number */
};

size_t perch_region_round(size_t bytes)
{
	return (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
}

/* A hint: a kernel without NUMA, or a node that is full, is no failure. */
static void prefer_node(void *base, size_t bytes, int node)
{
	unsigned long mask[16] = {0};

	if (node < 0 || (size_t)node >= sizeof(mask) * 8)
		return;
	mask[node / 64] |= 1ul << (node % 64);
	syscall(SYS_mbind, base, bytes, NODE_PREFERRED, mask, sizeof(mask) * 8, 0);
}

static void *map(size_t bytes)
{
	void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return base == MAP_FAILED ? NULL : base;
}

static void *map_huge(size_t bytes)
{
	char *raw = map(bytes + HUGE_BYTES), *base;
	size_t lead;

	if (raw == NULL)
		return NULL;
	lead = -(uintptr_t)raw & (HUGE_BYTES - 1);
	base = raw + lead;
	if (lead > 0)
		munmap(raw, lead);
	if (lead < HUGE_BYTES)
		munmap(base + bytes, HUGE_BYTES - lead);
	madvise(base + HUGE_BYTES, bytes - HUGE_BYTES, MADV_HUGEPAGE);
	return base;
}

void *perch_region_map(size_t bytes, int node)
{
	void *base;

	bytes = perch_region_round(bytes);
	base = bytes >= HUGE_WORTH ? map_huge(bytes) : map(bytes);
	if (base != NULL)
		prefer_node(base, bytes, node);
	return base;
}

void *perch_region_stacks(size_t bytes, int node)
{
	void *base = map(bytes);

	if (base == NULL)
		return NULL;
	prefer_node(base, bytes, node);
	madvise(base, bytes, MADV_NOHUGEPAGE);
	return base;
}

void perch_region_drop(void *from, void *to)
{
	uintptr_t first = ((uintptr_t)from + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1);
	uintptr_t end = (uintptr_t)to & ~(uintptr_t)(PAGE_BYTES - 1);

	if (first < end)
		madvise((void *)first, end - first, MADV_DONTNEED);
}

void perch_region_unmap(void *base, size_t bytes)
{
	if (base != NULL)
		munmap(base, perch_region_round(bytes));
}
