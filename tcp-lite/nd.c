/* SPDX-License-Identifier: BSD-3-Clause
 * Neighbour discovery: who has an IPv6 address, asked and answered (RFC 4861 sections 4.3, 4.4, 7).
 */
#include <rte_byteorder.h>

#include "tcp-lite/dad.h"
#include "tcp-lite/ether.h"
#include "tcp-lite/ip.h"
#include "tcp-lite/nd.h"
#include "tcp-lite/neigh.h"

enum nd_option {
	SOURCE_MAC = 1,
	TARGET_MAC = 2,
	OPTION_UNIT = 8, /* bytes that an option's length counts in */
};

enum nd_flag { /* of an advertisement */
	SOLICITED = 0x40,
	OVERRIDE = 0x20,
};

enum { HOP_LIMIT = 255 }; /* so that no packet from beyond a router passes for a neighbour's */

struct message {
	uint8_t type, code;
	uint16_t cksum;
	uint8_t flags, reserved[3];
	uint8_t target[16];
	uint8_t options[];
};

struct mac_option {
	uint8_t type, len;
	struct rte_ether_addr mac;
};
static_assert(sizeof(struct mac_option) == OPTION_UNIT, "one unit on Ethernet");

static const struct perch_ip *all_nodes(struct perch_ip *ip)
{
	*ip = (struct perch_ip){.b = {0xff, 0x02, [15] = 1}};
	return ip;
}

struct perch_ip perch_nd_group_of(const struct perch_ip *ip)
{
	struct perch_ip group = {.b = {0xff, 0x02, [11] = 1, [12] = 0xff}};

	memcpy(group.b + 13, ip->b + 13, 3);
	return group;
}

bool perch_nd_is_group_of(const struct perch_ip *group, const struct perch_ip *ip)
{
	struct perch_ip g = perch_nd_group_of(ip);

	return perch_ip_equal(&g, group);
}

/* Of a range of addresses: is there one with these last 24 bits? */
static bool is_group_of_range(const struct perch_net_addr *a, const struct perch_ip *group)
{
	struct perch_ip any = perch_nd_group_of(&a->ip);
	uint32_t mask = 0xffffff, first, wanted;

	if (!perch_ip_same_prefix(&any, group, 104))
		return false;
	first = rte_be_to_cpu_32(a->ip.w[3]) & mask;
	wanted = rte_be_to_cpu_32(group->w[3]) & mask;
	return ((wanted - first) & mask) < RTE_MAX(a->count, 1U);
}

bool perch_nd_is_our_group(
	const struct perch_net *net, unsigned ifidx, const struct perch_ip *group)
{
	const struct perch_net_if *nif = &net->cfg.ifs[ifidx];
	unsigned i;

	for (i = 0; i < nif->n_addrs; i++)
		if (!perch_ip_is_v4(&nif->addrs[i].ip) && is_group_of_range(&nif->addrs[i], group))
			return true;
	return !perch_ip_is_any(&net->link_local[ifidx]) &&
		perch_nd_is_group_of(group, &net->link_local[ifidx]);
}

/* ---- out ------------------------------------------------------------------------------------ */

static struct rte_mbuf *build(struct perch_net *net, unsigned ifidx, uint8_t type, uint8_t flags,
	const struct perch_ip *target)
{
	struct rte_mbuf *m = perch_net_alloc(net);
	struct mac_option *option;
	struct message *msg;

	if (!m)
		return NULL;
	msg = (struct message *)rte_pktmbuf_append(m, sizeof(*msg) + sizeof(*option));
	*msg = (struct message){.type = type, .flags = flags};
	memcpy(msg->target, target->b, sizeof(msg->target));
	option = (struct mac_option *)msg->options;
	option->type = type == PERCH_ND_SOLICIT ? SOURCE_MAC : TARGET_MAC;
	option->len = 1;
	option->mac = net->cfg.ifs[ifidx].mac;
	return m;
}

void perch_nd_solicit(struct perch_net *net, const struct perch_neigh *n)
{
	struct perch_ip src, dst = n->ip;
	struct rte_mbuf *m;

	if (n->state != PERCH_NEIGH_PROBE)
		dst = perch_nd_group_of(&n->ip);
	if (!perch_ip_source(net, n->ifidx, &n->ip, &src))
		return;
	m = build(net, n->ifidx, PERCH_ND_SOLICIT, 0, &n->ip);
	if (m)
		perch_ip_send_nd(net, n->ifidx, m, &src, &dst);
}

void perch_nd_probe(struct perch_net *net, unsigned ifidx, const struct perch_ip *ip)
{
	const struct perch_ip nobody = {.d = {0, 0}};
	struct perch_ip group = perch_nd_group_of(ip);
	struct rte_mbuf *m = build(net, ifidx, PERCH_ND_SOLICIT, 0, ip);

	if (!m)
		return;
	rte_pktmbuf_trim(m, sizeof(struct mac_option)); /* section 4.3: not from :: */
	perch_ip_send_nd(net, ifidx, m, &nobody, &group);
}

static void advertise(struct perch_net *net, unsigned ifidx, const struct perch_ip *target,
	const struct perch_ip *dst, uint8_t flags)
{
	struct rte_mbuf *m;

	if (perch_dad_is_asking(net, ifidx, target))
		flags &= (uint8_t)~OVERRIDE; /* RFC 4429 section 3.3 */
	m = build(net, ifidx, PERCH_ND_ADVERT, flags, target);
	if (m)
		perch_ip_send_nd(net, ifidx, m, target, dst);
}

void perch_nd_announce(struct perch_net *net, unsigned ifidx, const struct perch_ip *ip)
{
	struct perch_ip all;

	advertise(net, ifidx, ip, all_nodes(&all), OVERRIDE);
}

/* ---- in ------------------------------------------------------------------------------------- */

/* Walk the options; *mac is the one of that type or NULL. False when an option has length zero or
 * does not fit. */
static bool find_mac(const struct rte_mbuf *m, uint8_t type, const struct rte_ether_addr **mac)
{
	const uint8_t *at = rte_pktmbuf_mtod_offset(m, const uint8_t *, sizeof(struct message));
	const uint8_t *end = rte_pktmbuf_mtod_offset(m, const uint8_t *, m->data_len);
	size_t len;

	*mac = NULL;
	for (; at < end; at += len) {
		if (end - at < 2)
			return false;
		len = (size_t)at[1] * OPTION_UNIT;
		if (len == 0 || len > (size_t)(end - at))
			return false;
		if (at[0] == type && len == OPTION_UNIT)
			*mac = &((const struct mac_option *)at)->mac;
	}
	return !*mac || rte_is_valid_assigned_ether_addr(*mac);
}

/* The checks that sections 7.1.1 and 7.1.2 have in common. */
static bool is_well_formed(const struct perch_rx *rx, const struct message *msg,
	const struct rte_ether_addr **mac)
{
	return rx->m->data_len >= sizeof(*msg) && rx->ttl == HOP_LIMIT && msg->code == 0 &&
		msg->target[0] != 0xff &&
		find_mac(rx->m, msg->type == PERCH_ND_SOLICIT ? SOURCE_MAC : TARGET_MAC, mac);
}

static void input_solicit(struct perch_net *net, struct perch_rx *rx, const struct perch_ip *target,
	const struct rte_ether_addr *mac)
{
	bool detecting = perch_ip_is_any(&rx->src); /* duplicates: RFC 4862 section 5.4.3 */
	struct perch_ip all;

	if (detecting && (mac || !perch_nd_is_group_of(&rx->dst, target))) {
		perch_rx_drop(net, rx, PERCH_DROP_nd_malformed);
		return;
	}
	/* RFC 4862 section 5.4.3: it asks for the same address at the same time. */
	if (detecting && perch_dad_lost(net, rx->ifidx, target)) {
		perch_rx_drop(net, rx, PERCH_DROP_nd_conflict);
		return;
	}
	if (!perch_ip_is_on(net, rx->ifidx, target)) {
		perch_rx_drop(net, rx, PERCH_DROP_nd_not_ours);
		return;
	}
	if (!detecting && !perch_ip_is_on_link(net, rx->ifidx, &rx->src)) {
		perch_rx_drop(net, rx, PERCH_DROP_neigh_not_on_link);
		return;
	}
	if (!detecting && mac)
		perch_neigh_hear(net, rx->ifidx, &rx->src, mac,
			PERCH_NEIGH_OVERRIDE | PERCH_NEIGH_CREATE);
	if (perch_rx_may_answer(rx))
		advertise(net, rx->ifidx, target, detecting ? all_nodes(&all) : &rx->src,
			detecting ? OVERRIDE : OVERRIDE | SOLICITED);
	rte_pktmbuf_free(rx->m);
}

static void input_advert(struct perch_net *net, struct perch_rx *rx, const struct perch_ip *target,
	const struct rte_ether_addr *mac, uint8_t flags)
{
	unsigned news = 0;

	if (flags & SOLICITED && rx->to_group) {
		perch_rx_drop(net, rx, PERCH_DROP_nd_malformed);
		return;
	}
	/* Section 5.4.4 there: while we ask it is lost; afterwards this is a conflict. */
	if (perch_dad_lost(net, rx->ifidx, target) || perch_ip_is_on(net, rx->ifidx, target)) {
		perch_rx_drop(net, rx, PERCH_DROP_nd_conflict);
		return;
	}
	if (flags & SOLICITED)
		news |= PERCH_NEIGH_ANSWER;
	if (flags & OVERRIDE)
		news |= PERCH_NEIGH_OVERRIDE;
	if (!perch_neigh_hear(net, rx->ifidx, target, mac, news))
		perch_rx_drop(net, rx, PERCH_DROP_nd_not_ours);
	else
		rte_pktmbuf_free(rx->m);
}

void perch_nd_input(struct perch_net *net, struct perch_rx *rx)
{
	const struct message *msg = rte_pktmbuf_mtod(rx->m, const struct message *);
	const struct rte_ether_addr *mac;
	struct perch_ip target;

	if (!is_well_formed(rx, msg, &mac)) {
		perch_rx_drop(net, rx, PERCH_DROP_nd_malformed);
		return;
	}
	target = perch_ip_from_v6(msg->target);
	/* The target stands for a v4 address of ours only in a forgery. */
	if (perch_ip_is_v4(&target))
		perch_rx_drop(net, rx, PERCH_DROP_nd_malformed);
	else if (msg->type == PERCH_ND_SOLICIT)
		input_solicit(net, rx, &target, mac);
	else
		input_advert(net, rx, &target, mac, msg->flags);
}
