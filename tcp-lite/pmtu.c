/* SPDX-License-Identifier: BSD-3-Clause
 * The path MTU cache: a few destinations, each forgotten after ten minutes, for a path may have
 * become better (RFC 1191 section 6.3, RFC 8201 section 4).
 */
#include "tcp-lite/pmtu.h"

#include <rte_jhash.h>

enum pmtu_limits {
	SETS = 64,
	WAYS = 4,         /* destinations of one set; the one that ends first makes room */
	MTU4_LEAST = 552, /* a forgery must not make us send crumbs (RFC 1191 section 3 says 68) */
	MTU6_LEAST = 1280, /* RFC 8201 section 4: never below */
};

#define AGE_NS INT64_C(600000000000)

struct path {
	struct perch_ip dst;
	int64_t until_ns; /* 0: none */
	uint16_t mtu;
};

struct perch_pmtu_table {
	uint32_t n; /* ever learnt: most nets know none and never look */
	struct path paths[SETS][WAYS];
};

size_t perch_pmtu_bytes(const struct perch_net_config *cfg)
{
	(void)cfg;
	return sizeof(struct perch_pmtu_table);
}

void perch_pmtu_init(struct perch_net *net, void *mem)
{
	net->pmtu = mem;
}

static struct path *set_of(const struct perch_net *net, const struct perch_ip *dst)
{
	uint32_t key;

	memcpy(&key, net->cfg.secret, sizeof(key));
	return net->pmtu->paths[rte_jhash_32b(dst->w, 4, key) % SETS];
}

/* RFC 1191 section 7.1: what links there are. */
uint32_t perch_pmtu_guess(uint32_t packet_len)
{
	static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508};
	unsigned i;

	for (i = 0; i < RTE_DIM(plateaus); i++)
		if (plateaus[i] < packet_len)
			return plateaus[i];
	return MTU4_LEAST;
}

void perch_pmtu_learn(struct perch_net *net, const struct perch_ip *dst, uint32_t mtu)
{
	bool v4 = perch_ip_is_v4(dst);
	struct path *set = set_of(net, dst), *p = set;
	unsigned i;

	if (!v4 && mtu < MTU6_LEAST)
		return;
	mtu = RTE_MAX(mtu, (uint32_t)MTU4_LEAST);
	if (mtu >= perch_pmtu_of(net, dst, UINT16_MAX))
		return; /* no message may raise it */
	for (i = 0; i < WAYS; i++) {
		if (perch_ip_equal(&set[i].dst, dst)) {
			p = &set[i];
			break;
		}
		if (set[i].until_ns < p->until_ns)
			p = &set[i];
	}
	*p = (struct path){.dst = *dst, .until_ns = net->now_ns + AGE_NS, .mtu = (uint16_t)mtu};
	net->pmtu->n++;
}

uint16_t perch_pmtu_of(const struct perch_net *net, const struct perch_ip *dst, uint16_t most)
{
	const struct path *set;
	unsigned i;

	if (likely(net->pmtu->n == 0))
		return most;
	set = set_of(net, dst);
	for (i = 0; i < WAYS; i++)
		if (perch_ip_equal(&set[i].dst, dst) && set[i].until_ns > net->now_ns)
			return RTE_MIN(set[i].mtu, most);
	return most;
}
