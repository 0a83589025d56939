/* SPDX-License-Identifier: BSD-3-Clause
 * Packets as they are, for those who know DPDK: the payload of a connection in and out by rte_mbuf,
 * without a copy. Beside perch.h, whose conventions hold; all that is here is for coroutines. Who
 * includes it needs DPDK's flags, too: pkg-config --cflags perch libdpdk.
 */
#ifndef PERCH_MBUF_H
#define PERCH_MBUF_H

#include <perch.h>

#include <rte_mbuf.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An empty mbuf of the lcore's pool, with room for all headers in front of its data and for 2 KB
 * behind. The caller's, who frees or writes it. NULL: the pool is empty. */
PERCH_API struct rte_mbuf *perch_mbuf_alloc(void);

/* The next packet that was received on c; its data is payload alone, after what was read or taken
 * of it. *out becomes the caller's, who frees or writes it, on the same lcore. Returns its bytes, 0
 * at the end, or as perch_read. */
PERCH_API int64_t perch_next_mbuf(
	struct perch_conn *c, struct rte_mbuf **out, int64_t deadline_ns);

/* Queue m, from the two calls above, for sending on c; parks while the send buffer is full. Its
 * data is payload in one piece, with the headroom of perch_mbuf_alloc in front; what is longer than
 * a segment (perch_flow_info's mss_bytes) is cut, and the rest copied. Returns its bytes, and m is
 * perch's; or, and m is still the caller's, -EINVAL (not such an mbuf), or as perch_write. */
PERCH_API int64_t perch_write_mbuf(
	struct perch_conn *c, struct rte_mbuf *m, int64_t deadline_ns);

#ifdef __cplusplus
}
#endif

#endif
