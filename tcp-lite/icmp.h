/* SPDX-License-Identifier: BSD-3-Clause
 * ICMP (RFC 792, 1122) and ICMPv6 (RFC 4443): echo, and errors in both directions. For the files
 * of this folder.
 */
#ifndef PERCH_TCP_LITE_ICMP_H
#define PERCH_TCP_LITE_ICMP_H

#include "tcp-lite/net.h"

enum perch_icmp_type {
	PERCH_ICMP_ECHO_REPLY = 0,
	PERCH_ICMP_UNREACHABLE = 3,
	PERCH_ICMP_REDIRECT = 5,
	PERCH_ICMP_ECHO = 8,
	PERCH_ICMP_TIME_EXCEEDED = 11,
	PERCH_ICMP_PARAMETER = 12,

	PERCH_ICMP6_UNREACHABLE = 1,
	PERCH_ICMP6_TOO_BIG = 2,
	PERCH_ICMP6_TIME_EXCEEDED = 3,
	PERCH_ICMP6_PARAMETER = 4,
	PERCH_ICMP6_ECHO = 128,
	PERCH_ICMP6_ECHO_REPLY = 129,
};

enum perch_icmp_code {
	PERCH_ICMP_PROTOCOL_UNREACHABLE = 2,
	PERCH_ICMP_PORT_UNREACHABLE = 3,
	PERCH_ICMP6_PORT_UNREACHABLE = 4,

	PERCH_ICMP6_BAD_FIELD = 0,
	PERCH_ICMP6_BAD_HEADER = 1,
	PERCH_ICMP6_BAD_OPTION = 2,
	PERCH_ICMP6_INCOMPLETE_CHAIN = 3, /* RFC 7112 section 5 */

	PERCH_ICMP_REASSEMBLY_TIME = 1, /* of TIME_EXCEEDED, both families */
};

/* Of both families. Behind an Ethernet header of 14 bytes no word of it is aligned. */
struct perch_icmp_header {
	uint8_t type, code;
	uint16_t cksum;
	uint32_t rest; /* echo: identifier and sequence; errors: MTU, pointer or unused */
} __attribute__((packed, aligned(2)));

size_t perch_icmp_bytes(const struct perch_net_config *cfg);
void perch_icmp_init(struct perch_net *net, void *mem);

/* Consume rx->m, which starts at the ICMP header. */
void perch_icmp_input(struct perch_net *net, struct perch_rx *rx);
void perch_icmp6_input(struct perch_net *net, struct perch_rx *rx);

/* Tell the sender of rx what is wrong with it; `rest` is the second word of the header, in host
 * order. Nothing is sent where RFC 1122 section 3.2.2 or RFC 4443 section 2.4 forbid it, or the
 * rate limit does. rx->m stays the caller's, and is quoted from its IP header on. */
void perch_icmp_send_error(
	struct perch_net *net, const struct perch_rx *rx, uint8_t type, uint8_t code, uint32_t rest);

/* A packet of ours, of which len bytes are given from its IP header on, did not arrive: err is a
 * negative errno, mtu belongs to -EMSGSIZE. True if a flow of ours had sent it. */
bool perch_icmp_report(
	struct perch_net *net, const uint8_t *ip, uint32_t len, int err, uint32_t mtu);

#endif
