/* SPDX-License-Identifier: BSD-3-Clause
 * Looks into captured frames, and mends them: where their headers are, VLAN tags, checksums.
 * Frames are bytes in one piece; what is too short or unknown is left alone.
 *
 * Thread context: any.
 */
#ifndef PERCH_DRIVERS_GLUE_EDIT_H
#define PERCH_DRIVERS_GLUE_EDIT_H

#include <stdbool.h>
#include <stdint.h>

struct perch_edit_view { /* where the transport header of an unfragmented packet is */
	uint32_t l3, l4, end; /* offsets in the frame; end: of the IP packet */
	uint8_t proto;        /* of the transport header */
	bool v4;
};

/* Returns false where there is none, or where the IP packet is not whole. */
bool perch_edit_parse(const uint8_t *frame, uint32_t len, struct perch_edit_view *out);

/* The offset of the payload of a UDP datagram, and its length; 0: it is none. */
uint32_t perch_edit_udp_payload(const uint8_t *frame, uint32_t len, uint32_t *payload_len);

/* Take away the outermost VLAN tag. Returns the new length (the same when there is none). */
uint32_t perch_edit_untag(uint8_t *frame, uint32_t len);

/* Compute the checksums of IPv4, TCP, UDP, ICMP, ICMPv6 and IGMP anew. */
void perch_edit_checksums(uint8_t *frame, uint32_t len);

#endif
