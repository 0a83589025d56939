/* SPDX-License-Identifier: BSD-3-Clause
 * A crowd of TCP clients at the other end of a wire: a net_ring port whose peer connects N times to
 * one address, sends 64 bytes on each connection, checks the echo, acknowledges it, and is silent.
 *
 * It keeps no state for a connection (all it needs to know stands in the segment it answers), so
 * what a process with a crowd in it grows by is the cost of the stack under test. It answers every
 * ARP request: name any address as the gateway. Its clients live in 198.18.0.0/15 (RFC 2544).
 */
#ifndef PERCH_DRIVERS_GLUE_CROWD_H
#define PERCH_DRIVERS_GLUE_CROWD_H

#include <stdbool.h>
#include <stddef.h>

/* Is it one of ours: "perch_crowd0,conns=1000000,to=10.99.0.2:7"? */
bool perch_crowd_is(const char *vdev);

/* Make it: the port is called "net_ring_perch_crowd0", and a thread of its own plays the clients
 * until perch_crowd_close. What it is not content with it answers with RST. EAL has started.
 * Returns 0, -EINVAL, -EEXIST or -ENOMEM with one sentence in why[]. Control. */
int perch_crowd_open(const char *vdev, char *why, size_t why_bytes);

/* The device of that name was closed: if a crowd is behind it, it ends, and lets go of the packets
 * of the stack's pool. Control. */
void perch_crowd_close(const char *port);

#endif
