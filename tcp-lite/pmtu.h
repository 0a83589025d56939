/* SPDX-License-Identifier: BSD-3-Clause
 * Path MTUs that are smaller than the interface's, as routers have told (RFC 1191, RFC 8201). For
 * the files of this folder.
 */
#ifndef PERCH_TCP_LITE_PMTU_H
#define PERCH_TCP_LITE_PMTU_H

#include "tcp-lite/net.h"

size_t perch_pmtu_bytes(const struct perch_net_config *cfg);
void perch_pmtu_init(struct perch_net *net, void *mem);

/* A router could not forward a packet to dst; its next hop takes mtu bytes. The caller knows that
 * we had sent the packet (RFC 5927). */
void perch_pmtu_learn(struct perch_net *net, const struct perch_ip *dst, uint32_t mtu);

/* What an old router's next hop may take that could not take packet_len bytes and did not say. */
uint32_t perch_pmtu_guess(uint32_t packet_len);

/* What dst's path takes, at most `most`. */
uint16_t perch_pmtu_of(const struct perch_net *net, const struct perch_ip *dst, uint16_t most);

#endif
