/* SPDX-License-Identifier: BSD-3-Clause
 * IGMP, the messages: versions 1 to 3 in (RFC 1112, 2236, 3376), 1 and 2 out. For the files of
 * this folder.
 */
#ifndef PERCH_TCP_LITE_IGMP_H
#define PERCH_TCP_LITE_IGMP_H

#include "tcp-lite/net.h"

/* Consumes rx->m, which starts at the IGMP header. */
void perch_igmp_input(struct perch_net *net, struct perch_rx *rx);

#endif
