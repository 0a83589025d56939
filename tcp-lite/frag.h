/* SPDX-License-Identifier: BSD-3-Clause
 * Fragments received: put together in buffers that are reserved at open, or dropped by name
 * (RFC 791, RFC 8200 section 4.5, RFC 5722). For the files of this folder.
 */
#ifndef PERCH_TCP_LITE_FRAG_H
#define PERCH_TCP_LITE_FRAG_H

#include "tcp-lite/net.h"

struct perch_frag { /* one fragment, as ip4.c and ip6.c read it */
	uint32_t id;
	uint32_t at, len;      /* of its data in the whole, in bytes */
	uint16_t data_off;     /* where the data stands in rx->m */
	uint8_t proto;         /* IPv6: what the fragment header names; IPv4: the protocol */
	bool more;             /* others follow */
};

size_t perch_frag_bytes(const struct perch_net_config *cfg);
void perch_frag_init(struct perch_net *net, void *mem);

/* rx->m starts at its IP header; rx says from whom to whom. True when this was the last piece: then
 * rx->m is the whole packet, at an IP header without options or extensions that names the whole
 * length. Else rx->m has been consumed. */
bool perch_frag_input(struct perch_net *net, struct perch_rx *rx, const struct perch_frag *f);

void perch_frag_tick(struct perch_net *net);
int64_t perch_frag_next_tick(const struct perch_net *net);

#endif
