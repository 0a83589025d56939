/* SPDX-License-Identifier: BSD-3-Clause
 * Are our addresses ours alone? Asked at the start: duplicate address detection (RFC 4862 section
 * 5.4, RFC 4429) and address probes (RFC 5227 section 2.1). For the files of this folder.
 */
#ifndef PERCH_TCP_LITE_DAD_H
#define PERCH_TCP_LITE_DAD_H

#include "tcp-lite/net.h"

size_t perch_dad_bytes(const struct perch_net_config *cfg);
void perch_dad_init(struct perch_net *net, void *mem);

/* Somebody else has ip, or wants it. True if we were still asking: then it is not ours any more,
 * until the net is opened again; with the link-local address go all IPv6 ones of the interface. */
bool perch_dad_lost(struct perch_net *net, unsigned ifidx, const struct perch_ip *ip);

/* Are we asking for ip, so that what we say of it must not override what others know? */
bool perch_dad_is_asking(const struct perch_net *net, unsigned ifidx, const struct perch_ip *ip);

void perch_dad_tick(struct perch_net *net);
int64_t perch_dad_next_tick(const struct perch_net *net);

#endif
