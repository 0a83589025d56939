/* SPDX-License-Identifier: BSD-3-Clause
 * Between the public address and tcp-lite's, which have the same 16 bytes.
 */
#ifndef PERCH_ENGINE_ADDRESS_H
#define PERCH_ENGINE_ADDRESS_H

#include "engine/perch.h"
#include "tcp-lite/net.h"

static inline struct perch_ip perch_ip_of(const struct perch_addr *a)
{
	return perch_ip_from_v6(a->ip);
}

static inline struct perch_addr perch_addr_of(const struct perch_ip *ip, uint16_t port)
{
	struct perch_addr a = {.port = port};

	memcpy(a.ip, ip->b, sizeof(a.ip));
	return a;
}

/* "ADDR/LEN" or "FIRST-LAST/LEN". Returns 0 or -EINVAL. */
int perch_net_addr_parse(const char *text, struct perch_net_addr *out);

#endif
