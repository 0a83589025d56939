/* SPDX-License-Identifier: BSD-3-Clause
 * The plain packet: an untagged frame with IPv4 without options or fragments, in which there is
 * TCP, or UDP to us or to a group that was joined. Nearly all packets of most servers are plain.
 * For them the layers below TCP are one function each way, below UDP one way in; what is not plain
 * is left as it is to ether.c, ip4.c and ip_send.c, which do the same for all packets. For the
 * files of this folder.
 */
#ifndef PERCH_TCP_LITE_PLAIN_H
#define PERCH_TCP_LITE_PLAIN_H

#include "tcp-lite/net.h"

/* The configuration is read once: after net->cfg is complete. */
void perch_plain_init(struct perch_net *net);

/* rx->m is a frame from rx->ifidx. True: rx and m are as perch_ether_parse leaves them. False:
 * nothing was done, and nothing is known. */
bool perch_plain_parse(struct perch_net *net, struct perch_rx *rx);

/* m is a TCP segment over IPv4 as perch_ip_send wants it; src and dst are in network order, and
 * header_sum (see cksum.h) is the sum of m's header. True: it is in net->tx, as perch_ip_send would
 * have put it there. False: nothing was done. */
bool perch_plain_send(struct perch_net *net, struct rte_mbuf *m, uint32_t src, uint32_t dst,
	const struct perch_path *path, uint64_t header_sum);

#endif
