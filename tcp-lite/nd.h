/* SPDX-License-Identifier: BSD-3-Clause
 * Neighbour discovery for IPv6 (RFC 4861 section 7). For the files of this folder.
 */
#ifndef PERCH_TCP_LITE_ND_H
#define PERCH_TCP_LITE_ND_H

#include "tcp-lite/net.h"

enum perch_nd_type {
	PERCH_ND_ROUTER_ADVERT = 134,
	PERCH_ND_SOLICIT = 135,
	PERCH_ND_ADVERT = 136,
	PERCH_ND_REDIRECT = 137,
};

/* Consumes rx->m: a solicitation or advertisement whose checksum is right. */
void perch_nd_input(struct perch_net *net, struct perch_rx *rx);

/* Does anybody have ip? (RFC 4862 section 5.4.2) */
void perch_nd_probe(struct perch_net *net, unsigned ifidx, const struct perch_ip *ip);

/* Tell everybody on the link that ip is here (section 7.2.6). */
void perch_nd_announce(struct perch_net *net, unsigned ifidx, const struct perch_ip *ip);

/* The solicited-node group (RFC 4291 section 2.7.1) of ip. */
struct perch_ip perch_nd_group_of(const struct perch_ip *ip);

/* Is group the solicited-node group of ip? */
bool perch_nd_is_group_of(const struct perch_ip *group, const struct perch_ip *ip);

/* ... or of any address of that interface? */
bool perch_nd_is_our_group(
	const struct perch_net *net, unsigned ifidx, const struct perch_ip *group);

#endif
