/* SPDX-License-Identifier: BSD-3-Clause
 * Memory that is sent from where it lies: reserved from EAL, or the user's own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_memzone.h>

#include "engine/lcore.h"
#include "engine/memory.h"

static void forget(void *data, void *opaque)
{
	(void)data; /* never called: the first reference is ours until the close */
	(void)opaque;
}

static int reserve(struct perch_memory *m, int node)
{
	char name[RTE_MEMZONE_NAMESIZE];

	snprintf(name, sizeof(name), "perch_%p", (void *)m);
	m->zone = rte_memzone_reserve(name, m->bytes, node, RTE_MEMZONE_IOVA_CONTIG);
	if (!m->zone)
		m->zone = rte_memzone_reserve(
			name, m->bytes, SOCKET_ID_ANY, RTE_MEMZONE_IOVA_CONTIG);
	if (!m->zone)
		return -ENOMEM;
	m->loan.data = m->zone->addr;
	m->loan.iova = m->zone->iova;
	return 0;
}

int perch_memory_open(struct perch_memory **out, struct perch *e, void *own, size_t bytes)
{
	struct perch_port_info port;
	struct perch_memory *m;
	int rc = 0;

	*out = NULL;
	if (bytes == 0)
		return -EINVAL;
	perch_port_info(e->port, &port);
	if (own && port.gathers && !port.reads_anywhere)
		return -ENOTSUP;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->bytes = bytes;
	if (own)
		m->loan.data = own;
	else
		rc = reserve(m, port.numa_node);
	if (rc < 0) {
		free(m);
		return rc;
	}
	m->shared.free_cb = forget;
	rte_mbuf_ext_refcnt_set(&m->shared, 1);
	m->loan.shared = port.gathers ? &m->shared : NULL;
	*out = m;
	return 0;
}

void *perch_memory_data(const struct perch_memory *m)
{
	return (void *)(uintptr_t)m->loan.data;
}

uint32_t perch_memory_lent(const struct perch_memory *m)
{
	return rte_mbuf_ext_refcnt_read(&m->shared) - 1U;
}

int perch_memory_close(struct perch_memory *m)
{
	if (!m)
		return 0;
	if (perch_memory_lent(m) > 0)
		return -EBUSY;
	rte_memzone_free(m->zone);
	free(m);
	return 0;
}
