/* SPDX-License-Identifier: BSD-3-Clause
 * ARP for IPv4 on Ethernet (RFC 826, RFC 5227). For the files of this folder.
 */
#ifndef PERCH_TCP_LITE_ARP_H
#define PERCH_TCP_LITE_ARP_H

#include "tcp-lite/net.h"

/* Consumes rx->m, which starts at the ARP header. */
void perch_arp_input(struct perch_net *net, struct perch_rx *rx);

/* Does anybody have ip, before we use it? (RFC 5227 section 2.1.1) */
void perch_arp_probe(struct perch_net *net, unsigned ifidx, const struct perch_ip *ip);

/* Tell everybody on the link that ip is here (RFC 5227 section 2.3). */
void perch_arp_announce(struct perch_net *net, unsigned ifidx, const struct perch_ip *ip);

#endif
