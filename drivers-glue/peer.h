/* SPDX-License-Identifier: BSD-3-Clause
 * Recorded TCP clients against a live listener: the listener chooses an ISN of its own, so the
 * acknowledgment numbers of what a client sends, SACK blocks and timestamp echoes are moved to what
 * the listener really sends. Or the listener is made to look as if it had the captured ISN, so that
 * what it sends can be compared with what the captured server sent.
 *
 * Thread context: one thread.
 */
#ifndef PERCH_DRIVERS_GLUE_PEER_H
#define PERCH_DRIVERS_GLUE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct perch_peers;

enum perch_peer_isn {
	PERCH_PEER_ISN_OURS,     /* received packets are moved to the listener's numbers */
	PERCH_PEER_ISN_CAPTURED, /* and what is sent is moved to those of the capture */
};

int perch_peers_open(struct perch_peers **out, enum perch_peer_isn isn);
void perch_peers_close(struct perch_peers *p); /* NULL is fine */

/* First pass: learn what the captured server's numbers were, from its SYN or from the first ACK of
 * the client. Returns 0 or -ENOMEM. */
int perch_peers_learn(struct perch_peers *p, const uint8_t *frame, uint32_t len);

/* Is that a frame of a captured server, which the listener takes the place of? */
bool perch_peers_is_server(const struct perch_peers *p, const uint8_t *frame, uint32_t len);

/* Mend a frame on its way to the listener. */
void perch_peers_rx(struct perch_peers *p, uint8_t *frame, uint32_t len);

/* Look at (and with PERCH_PEER_ISN_CAPTURED mend) a frame that the listener sends. */
void perch_peers_tx(struct perch_peers *p, uint8_t *frame, uint32_t len);

#endif
