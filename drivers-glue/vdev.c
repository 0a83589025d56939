/* SPDX-License-Identifier: BSD-3-Clause
 * A wire within the process.
 */
#include "drivers-glue/vdev.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ring.h>

static const char *after_prefix(const char *name)
{
	static const char prefix[] = "net_ring_"; /* which rte_eth_from_rings puts there itself */

	return strncmp(name, prefix, sizeof(prefix) - 1) == 0 ? name + sizeof(prefix) - 1 : NULL;
}

static struct rte_ring *make_ring(const char *from, unsigned size)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "perch_%s", from);
	return rte_ring_create(name, size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

int perch_vdev_ring_pair(const char *name_a, const char *name_b, unsigned size)
{
	const char *a = after_prefix(name_a), *b = after_prefix(name_b);
	struct rte_ring *to_a, *to_b;

	if (!a || !b || !*a || !*b)
		return -EINVAL;
	to_a = make_ring(a, size);
	if (!to_a)
		return -rte_errno;
	to_b = make_ring(b, size);
	if (!to_b) {
		rte_ring_free(to_a);
		return -rte_errno;
	}
	if (rte_eth_from_rings(a, &to_a, 1, &to_b, 1, 0) < 0 ||
		rte_eth_from_rings(b, &to_b, 1, &to_a, 1, 0) < 0)
		return -rte_errno;
	return 0;
}
