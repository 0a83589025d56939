/* SPDX-License-Identifier: BSD-3-Clause
 * Asking for our own addresses before, or while, they are used. Of a range the first address stands
 * for all. A net that is passive listens as long as another one asks.
 */
#include "tcp-lite/dad.h"

#include "tcp-lite/arp.h"
#include "tcp-lite/ip.h"
#include "tcp-lite/nd.h"

enum dad_limits {
	PROBES4 = 3,             /* PROBE_NUM of RFC 5227 section 1.1 */
	PROBES6 = 1,             /* DupAddrDetectTransmits of RFC 4862 section 5.1 */
	SLOTS = PERCH_NET_ADDRS + 1, /* the last one: the link-local address */
};

#define S_NS           INT64_C(1000000000)
#define FIRST_DELAY_NS S_NS       /* MAX_RTR_SOLICITATION_DELAY, PROBE_WAIT: at most */
#define WAIT6_NS       S_NS       /* RETRANS_TIMER */
#define WAIT4_NS       (2 * S_NS) /* ANNOUNCE_WAIT */

enum slot_state { NOT_ASKED, ASKING, OURS, LOST };

struct slot {
	int64_t next_ns;
	uint8_t state, left; /* probes */
};

struct perch_dad_table {
	int64_t next_ns;
	struct slot slots[PERCH_NET_IFS][SLOTS];
};

size_t perch_dad_bytes(const struct perch_net_config *cfg)
{
	(void)cfg;
	return sizeof(struct perch_dad_table);
}

static const struct perch_ip *address_of(const struct perch_net *net, unsigned ifidx, unsigned i)
{
	if (i == PERCH_NET_ADDRS)
		return &net->link_local[ifidx];
	return &net->cfg.ifs[ifidx].addrs[i].ip;
}

static int64_t random_ns(struct perch_net *net, int64_t least, int64_t most)
{
	return least + perch_net_random(net) % (most - least + 1);
}

static void ask_for(struct perch_net *net, unsigned ifidx, unsigned i)
{
	struct slot *s = &net->dad->slots[ifidx][i];
	bool v4 = perch_ip_is_v4(address_of(net, ifidx, i));

	s->state = ASKING;
	s->left = v4 ? PROBES4 : PROBES6;
	s->next_ns = net->now_ns + random_ns(net, 0, FIRST_DELAY_NS);
	net->dad->next_ns = RTE_MIN(net->dad->next_ns, s->next_ns);
	if (net->cfg.dad == PERCH_NET_DAD_STRICT)
		net->addr_off[ifidx] |= 1U << i;
}

/* Optimistic: IPv6 addresses are asked for while they are used, IPv4's are announced only. */
void perch_dad_init(struct perch_net *net, void *mem)
{
	const struct perch_net_if *nif;
	unsigned i, k;

	net->dad = mem;
	net->dad->next_ns = PERCH_NET_NEVER;
	for (i = 0; i < net->cfg.n_ifs && net->cfg.dad != PERCH_NET_DAD_OFF; i++) {
		nif = &net->cfg.ifs[i];
		if (nif->any_mac) /* a capture, in which we meet ourselves */
			continue;
		for (k = 0; k < nif->n_addrs; k++)
			if (!perch_ip_is_v4(&nif->addrs[k].ip) ||
				net->cfg.dad == PERCH_NET_DAD_STRICT)
				ask_for(net, i, k);
		if (!perch_ip_is_any(&net->link_local[i]))
			ask_for(net, i, PERCH_NET_ADDRS);
	}
}

static struct slot *find(const struct perch_net *net, unsigned ifidx, const struct perch_ip *ip,
	unsigned *i)
{
	for (*i = 0; *i < SLOTS; ++*i)
		if (net->dad->slots[ifidx][*i].state == ASKING &&
			perch_ip_equal(address_of(net, ifidx, *i), ip))
			return &net->dad->slots[ifidx][*i];
	return NULL;
}

static void lose(struct perch_net *net, unsigned ifidx, unsigned i)
{
	net->dad->slots[ifidx][i].state = LOST;
	net->addr_off[ifidx] |= 1U << i;
}

/* RFC 4862 section 5.4.5: the link-local address is made of the MAC address, so another interface
 * has that, too. IPv6 stops here. */
static void lose_family6(struct perch_net *net, unsigned ifidx)
{
	unsigned k;

	for (k = 0; k < net->cfg.ifs[ifidx].n_addrs; k++)
		if (!perch_ip_is_v4(&net->cfg.ifs[ifidx].addrs[k].ip))
			lose(net, ifidx, k);
}

bool perch_dad_lost(struct perch_net *net, unsigned ifidx, const struct perch_ip *ip)
{
	unsigned i;

	if (!find(net, ifidx, ip, &i))
		return false;
	lose(net, ifidx, i);
	if (i == PERCH_NET_ADDRS)
		lose_family6(net, ifidx);
	return true;
}

bool perch_dad_is_asking(const struct perch_net *net, unsigned ifidx, const struct perch_ip *ip)
{
	unsigned i;

	return find(net, ifidx, ip, &i) != NULL;
}

static void probe(struct perch_net *net, unsigned ifidx, struct slot *s, const struct perch_ip *ip)
{
	bool v4 = perch_ip_is_v4(ip);

	s->left--;
	if (!v4)
		s->next_ns = net->now_ns + WAIT6_NS;
	else if (s->left > 0)
		s->next_ns = net->now_ns + random_ns(net, S_NS, 2 * S_NS); /* PROBE_MIN, _MAX */
	else
		s->next_ns = net->now_ns + WAIT4_NS;
	if (net->cfg.passive)
		return;
	if (v4)
		perch_arp_probe(net, ifidx, ip);
	else
		perch_nd_probe(net, ifidx, ip);
}

/* Nobody has objected. Where it was not in use before, it is announced now. */
static void settle(struct perch_net *net, unsigned ifidx, unsigned i)
{
	net->dad->slots[ifidx][i].state = OURS;
	if (!(net->addr_off[ifidx] & 1U << i))
		return;
	net->addr_off[ifidx] &= ~(1U << i);
	if (!net->cfg.passive) {
		net->announced = 0;
		net->announce_ns = net->now_ns;
	}
}

void perch_dad_tick(struct perch_net *net)
{
	struct slot *s;
	unsigned i, k;

	if (likely(net->dad->next_ns > net->now_ns))
		return;
	net->dad->next_ns = PERCH_NET_NEVER;
	for (i = 0; i < net->cfg.n_ifs; i++) {
		for (k = 0; k < SLOTS; k++) {
			s = &net->dad->slots[i][k];
			if (s->state == ASKING && s->next_ns <= net->now_ns) {
				if (s->left > 0)
					probe(net, i, s, address_of(net, i, k));
				else
					settle(net, i, k);
			}
			if (s->state == ASKING)
				net->dad->next_ns = RTE_MIN(net->dad->next_ns, s->next_ns);
		}
	}
}

int64_t perch_dad_next_tick(const struct perch_net *net)
{
	return net->dad->next_ns;
}
