/* SPDX-License-Identifier: BSD-3-Clause
 * Our addresses, our prefixes, and the way to everybody else's.
 */
#include <errno.h>
#include <string.h>

#include "tcp-lite/ip.h"
#include "tcp-lite/pmtu.h"

static unsigned prefix_bits(const struct perch_net_addr *a)
{
	return a->prefix_len + (perch_ip_is_v4(&a->ip) ? 96 : 0);
}

/* Is ip one of the `count` addresses from a->ip on? Ranges do not cross bit 64. */
static bool in_range(const struct perch_net_addr *a, const struct perch_ip *ip)
{
	if (likely(a->count <= 1))
		return perch_ip_equal(&a->ip, ip);
	return a->ip.d[0] == ip->d[0] &&
		rte_be_to_cpu_64(ip->d[1]) - rte_be_to_cpu_64(a->ip.d[1]) < a->count;
}

bool perch_ip_is_on(const struct perch_net *net, unsigned ifidx, const struct perch_ip *ip)
{
	const struct perch_net_if *nif = &net->cfg.ifs[ifidx];
	unsigned i;

	for (i = 0; i < nif->n_addrs; i++)
		if (in_range(&nif->addrs[i], ip))
			return likely(!(net->addr_off[ifidx] & 1U << i));
	return perch_ip_is_link_local6(ip) && perch_ip_equal(ip, &net->link_local[ifidx]) &&
		!(net->addr_off[ifidx] & 1U << PERCH_NET_ADDRS);
}

bool perch_ip_is_ours(const struct perch_net *net, const struct perch_ip *ip, unsigned *ifidx)
{
	unsigned i;

	for (i = 0; i < net->cfg.n_ifs; i++) {
		if (perch_ip_is_on(net, i, ip)) {
			if (ifidx)
				*ifidx = i;
			return true;
		}
	}
	return false;
}

/* Its longest prefix that holds ip, without those whose bit is in `off`, or NULL. */
static const struct perch_net_addr *longest_prefix(
	const struct perch_net_if *nif, const struct perch_ip *ip, uint32_t off)
{
	const struct perch_net_addr *best = NULL;
	unsigned i;

	for (i = 0; i < nif->n_addrs; i++) {
		const struct perch_net_addr *a = &nif->addrs[i];

		if (perch_ip_is_v4(&a->ip) != perch_ip_is_v4(ip) || off & 1U << i)
			continue;
		if (perch_ip_same_prefix(&a->ip, ip, prefix_bits(a)) &&
			(!best || a->prefix_len > best->prefix_len))
			best = a;
	}
	return best;
}

bool perch_ip_is_on_link(const struct perch_net *net, unsigned ifidx, const struct perch_ip *ip)
{
	if (perch_ip_is_link_local6(ip))
		return !perch_ip_is_any(&net->link_local[ifidx]);
	return longest_prefix(&net->cfg.ifs[ifidx], ip, 0) != NULL;
}

/* RFC 1122 section 3.2.1.3 (c), (d) and the old form of section 3.3.6. A /31 (RFC 3021) and a /32
 * have no such hosts. */
static bool is_subnet_broadcast(const struct perch_net_addr *a, const struct perch_ip *ip)
{
	uint32_t host_mask, host;

	if (!perch_ip_is_v4(&a->ip) || a->prefix_len > 30 ||
		!perch_ip_same_prefix(&a->ip, ip, prefix_bits(a)))
		return false;
	host_mask = UINT32_MAX >> a->prefix_len;
	host = rte_be_to_cpu_32(ip->w[3]) & host_mask;
	return host == host_mask || host == 0;
}

bool perch_ip_is_broadcast(const struct perch_net *net, const struct perch_ip *ip)
{
	unsigned i, k;

	if (!perch_ip_is_v4(ip))
		return false;
	if (ip->w[3] == UINT32_MAX)
		return true;
	for (i = 0; i < net->cfg.n_ifs; i++)
		for (k = 0; k < net->cfg.ifs[i].n_addrs; k++)
			if (is_subnet_broadcast(&net->cfg.ifs[i].addrs[k], ip))
				return true;
	return false;
}

bool perch_ip_is_host(const struct perch_net *net, const struct perch_ip *ip)
{
	if (perch_ip_is_v4(ip)) /* RFC 1122 section 3.2.1.3: 0/8, 127/8, 224/4, 240/4 */
		return ip->b[12] != 0 && ip->b[12] != 127 && ip->b[12] < 224 &&
			!perch_ip_is_broadcast(net, ip);
	if (ip->d[0] == 0 && rte_be_to_cpu_64(ip->d[1]) <= 1)
		return false; /* :: and ::1 */
	return !perch_ip_is_multicast(ip);
}

bool perch_ip_source(const struct perch_net *net, unsigned ifidx, const struct perch_ip *dst,
	struct perch_ip *src)
{
	const struct perch_net_if *nif = &net->cfg.ifs[ifidx];
	const struct perch_net_addr *a;
	uint32_t off = net->addr_off[ifidx];
	unsigned i;

	/* RFC 6724 rule 2: the source has the scope of the destination. */
	if (perch_ip_is_link_local6(dst) || (dst->b[0] == 0xff && (dst->b[1] & 0xf) <= 2)) {
		*src = net->link_local[ifidx];
		return !perch_ip_is_any(src) && !(off & 1U << PERCH_NET_ADDRS);
	}
	a = longest_prefix(nif, dst, off);
	for (i = 0; !a && i < nif->n_addrs; i++)
		if (perch_ip_is_v4(&nif->addrs[i].ip) == perch_ip_is_v4(dst) && !(off & 1U << i))
			a = &nif->addrs[i];
	if (!a)
		return false;
	*src = a->ip;
	return true;
}

static bool speaks(const struct perch_net *net, unsigned ifidx, bool v4)
{
	const struct perch_net_if *nif = &net->cfg.ifs[ifidx];
	unsigned i;

	for (i = 0; i < nif->n_addrs; i++)
		if (perch_ip_is_v4(&nif->addrs[i].ip) == v4)
			return true;
	return !v4 && !perch_ip_is_any(&net->link_local[ifidx]);
}

/* Groups, limited broadcast and link-local addresses name no interface: the first one will do. */
static bool route_by_scope(
	const struct perch_net *net, const struct perch_ip *dst, unsigned *ifidx)
{
	bool v4 = perch_ip_is_v4(dst);

	if (!perch_ip_is_multicast(dst) && !perch_ip_is_link_local6(dst) &&
		!(v4 && dst->w[3] == UINT32_MAX))
		return false;
	for (*ifidx = 0; *ifidx < net->cfg.n_ifs; ++*ifidx)
		if (speaks(net, *ifidx, v4))
			return true;
	return false;
}

static bool route_on_link(const struct perch_net *net, const struct perch_ip *dst, unsigned *ifidx)
{
	const struct perch_net_addr *a;
	int best = -1;
	unsigned i;

	for (i = 0; i < net->cfg.n_ifs; i++) {
		a = longest_prefix(&net->cfg.ifs[i], dst, 0);
		if (a && a->prefix_len > best) {
			best = a->prefix_len;
			*ifidx = i;
		}
	}
	return best >= 0;
}

static bool route_by_gateway(const struct perch_net *net, const struct perch_ip *dst,
	unsigned *ifidx, struct perch_ip *next_hop)
{
	const struct perch_net_if *nif;
	bool v4 = perch_ip_is_v4(dst);

	for (*ifidx = 0; *ifidx < net->cfg.n_ifs; ++*ifidx) {
		nif = &net->cfg.ifs[*ifidx];
		if (v4 ? nif->has_gw4 : nif->has_gw6) {
			*next_hop = v4 ? nif->gw4 : nif->gw6;
			return true;
		}
	}
	return false;
}

int perch_ip_route(const struct perch_net *net, const struct perch_ip *dst, unsigned *ifidx,
	struct perch_ip *next_hop, struct perch_ip *src)
{
	if (perch_ip_is_any(dst) || perch_ip_is_ours(net, dst, NULL))
		return -ENETUNREACH; /* there is no loopback */
	*next_hop = *dst;
	if (!route_on_link(net, dst, ifidx) && !route_by_scope(net, dst, ifidx) &&
		!route_by_gateway(net, dst, ifidx, next_hop))
		return -ENETUNREACH;
	if (src && !perch_ip_source(net, *ifidx, dst, src))
		return -ENETUNREACH;
	return 0;
}

uint16_t perch_ip_mtu(const struct perch_net *net, const struct perch_ip *dst)
{
	struct perch_ip next_hop;
	unsigned ifidx;

	if (perch_ip_route(net, dst, &ifidx, &next_hop, NULL) < 0)
		return 0;
	return perch_pmtu_of(net, dst, net->cfg.ifs[ifidx].mtu);
}
