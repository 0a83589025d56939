/* SPDX-License-Identifier: BSD-3-Clause
 * A NIC that transmits as rte_mbuf_core.h says: it gathers, sums and cuts what it was asked to. It
 * is strict: what a request leaves out, or a field that was not prepared, is a complaint.
 */
#ifndef PERCH_TESTS_TCP_LITE_NIC_H
#define PERCH_TESTS_TCP_LITE_NIC_H

#include <rte_mbuf.h>

/* Gives the frames that become of m to emit, as they go over the wire; m is only read. Returns
 * NULL, or what m should not have been. */
const char *nic_send(const struct rte_mbuf *m,
	void (*emit)(void *arg, const uint8_t *frame, uint32_t bytes), void *arg);

#endif
