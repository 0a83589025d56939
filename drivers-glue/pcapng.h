/* SPDX-License-Identifier: BSD-3-Clause
 * Writes pcapng files whose bytes depend on what is written to them and on nothing else: no time,
 * no host, no program, no path. Nanoseconds, Ethernet, little-endian.
 *
 * Thread context: one thread. It writes a file, so never the hot path of a live port.
 */
#ifndef PERCH_DRIVERS_GLUE_PCAPNG_H
#define PERCH_DRIVERS_GLUE_PCAPNG_H

#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

enum { PERCH_PCAPNG_PACKET_EXTRA = 32 }; /* of a packet block, beside its bytes padded to 4 */

/* Write the head of a file: the section, and the interfaces. Returns its bytes, or 0 when there is
 * no room for it. Any context. */
size_t perch_pcapng_head(uint8_t *buf, size_t size, unsigned interfaces);

/* Write one packet block; buf has room for PERCH_PCAPNG_PACKET_EXTRA and the packet's length
 * rounded up to 4. Returns the bytes written. Any context. */
size_t perch_pcapng_block(
	uint8_t *buf, unsigned interface, int64_t time_ns, const struct rte_mbuf *m);

struct perch_pcapng;

/* Create or overwrite path. Returns 0 or a negative errno with one sentence in why[]. */
int perch_pcapng_create(
	struct perch_pcapng **out, const char *path, char *why, size_t why_bytes);

/* Returns where its bytes lie until the next call, for last changes, or NULL. Errors are kept for
 * the close. */
uint8_t *perch_pcapng_packet(struct perch_pcapng *w, int64_t time_ns, const struct rte_mbuf *m);

/* Returns 0, or the first error of any write, as a negative errno. NULL is fine. */
int perch_pcapng_close(struct perch_pcapng *w);

#endif
