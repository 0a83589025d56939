/* SPDX-License-Identifier: BSD-3-Clause
 * What perch_memory_open makes; for memory.c and conn.c.
 */
#ifndef PERCH_ENGINE_MEMORY_H
#define PERCH_ENGINE_MEMORY_H

#include <stddef.h>

#include "tcp-lite/tcp.h"

struct perch_memory {
	struct perch_tcp_loan loan;
	size_t bytes;
	const struct rte_memzone *zone; /* NULL: it is the user's own */
	struct rte_mbuf_ext_shared_info shared; /* one reference is the memory's own */
};

#endif
