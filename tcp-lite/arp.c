/* SPDX-License-Identifier: BSD-3-Clause
 * ARP: who has an IPv4 address, asked and answered (RFC 826), and address conflicts (RFC 5227).
 */
#include <rte_arp.h>
#include <rte_byteorder.h>

#include "tcp-lite/arp.h"
#include "tcp-lite/dad.h"
#include "tcp-lite/ether.h"
#include "tcp-lite/ip.h"
#include "tcp-lite/neigh.h"

#define DEFEND_INTERVAL_NS INT64_C(10000000000) /* RFC 5227 section 1.1 */

static void send_arp(struct perch_net *net, unsigned ifidx, uint16_t op,
	const struct perch_ip *sender, const struct perch_ip *target,
	const struct rte_ether_addr *target_mac, const struct rte_ether_addr *to)
{
	struct rte_mbuf *m = perch_net_alloc(net);
	struct rte_arp_hdr *arp;

	if (!m)
		return;
	arp = (struct rte_arp_hdr *)rte_pktmbuf_append(m, sizeof(*arp));
	arp->arp_hardware = rte_cpu_to_be_16(RTE_ARP_HRD_ETHER);
	arp->arp_protocol = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	arp->arp_hlen = RTE_ETHER_ADDR_LEN;
	arp->arp_plen = sizeof(arp->arp_data.arp_sip);
	arp->arp_opcode = rte_cpu_to_be_16(op);
	arp->arp_data.arp_sha = net->cfg.ifs[ifidx].mac;
	arp->arp_data.arp_sip = sender->w[3];
	arp->arp_data.arp_tha = *target_mac;
	arp->arp_data.arp_tip = target->w[3];
	perch_ether_send(net, ifidx, m, to, RTE_ETHER_TYPE_ARP);
}

void perch_arp_solicit(struct perch_net *net, const struct perch_neigh *n)
{
	const struct rte_ether_addr nobody = {{0}}, all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	struct perch_ip src;

	if (perch_ip_source(net, n->ifidx, &n->ip, &src))
		send_arp(net, n->ifidx, RTE_ARP_OP_REQUEST, &src, &n->ip, &nobody,
			n->state == PERCH_NEIGH_PROBE ? &n->mac : &all);
}

void perch_arp_probe(struct perch_net *net, unsigned ifidx, const struct perch_ip *ip)
{
	const struct rte_ether_addr nobody = {{0}}, all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	const struct perch_ip none = perch_ip_from_v4(0);

	send_arp(net, ifidx, RTE_ARP_OP_REQUEST, &none, ip, &nobody, &all);
}

void perch_arp_announce(struct perch_net *net, unsigned ifidx, const struct perch_ip *ip)
{
	const struct rte_ether_addr nobody = {{0}}, all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

	send_arp(net, ifidx, RTE_ARP_OP_REQUEST, ip, ip, &nobody, &all);
}

static bool is_well_formed(const struct rte_arp_hdr *arp)
{
	uint16_t op = rte_be_to_cpu_16(arp->arp_opcode);

	return arp->arp_hardware == rte_cpu_to_be_16(RTE_ARP_HRD_ETHER) &&
		arp->arp_protocol == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) &&
		arp->arp_hlen == RTE_ETHER_ADDR_LEN &&
		arp->arp_plen == sizeof(arp->arp_data.arp_sip) &&
		(op == RTE_ARP_OP_REQUEST || op == RTE_ARP_OP_REPLY) &&
		rte_is_valid_assigned_ether_addr(&arp->arp_data.arp_sha);
}

/* RFC 5227 section 2.4 (c): defend the address, but not in a duel that never ends. */
static void defend(struct perch_net *net, const struct perch_rx *rx, const struct perch_ip *ip)
{
	if (!perch_rx_may_answer(rx) || net->now_ns - net->defended_ns < DEFEND_INTERVAL_NS)
		return;
	net->defended_ns = net->now_ns;
	perch_arp_announce(net, rx->ifidx, ip);
}

/* Who wants to talk to us is remembered; anybody else only updates what we know already. */
static void learn(struct perch_net *net, struct perch_rx *rx, const struct perch_ip *sender,
	const struct rte_arp_hdr *arp, bool to_us)
{
	bool is_request = arp->arp_opcode == rte_cpu_to_be_16(RTE_ARP_OP_REQUEST);
	unsigned news = PERCH_NEIGH_OVERRIDE;

	if (to_us)
		news |= is_request ? PERCH_NEIGH_CREATE : PERCH_NEIGH_ANSWER;
	if (!perch_neigh_hear(net, rx->ifidx, sender, &arp->arp_data.arp_sha, news))
		perch_rx_drop(net, rx, PERCH_DROP_arp_not_ours);
	else
		rte_pktmbuf_free(rx->m);
}

static void answer(struct perch_net *net, const struct perch_rx *rx, const struct rte_arp_hdr *arp,
	const struct perch_ip *sender, const struct perch_ip *target)
{
	if (perch_rx_may_answer(rx))
		send_arp(net, rx->ifidx, RTE_ARP_OP_REPLY, target, sender, &arp->arp_data.arp_sha,
			&arp->arp_data.arp_sha);
}

static void input(struct perch_net *net, struct perch_rx *rx, const struct rte_arp_hdr *arp)
{
	struct perch_ip sender = perch_ip_from_v4(arp->arp_data.arp_sip);
	struct perch_ip target = perch_ip_from_v4(arp->arp_data.arp_tip);
	bool to_us = perch_ip_is_on(net, rx->ifidx, &target);
	bool is_probe = perch_ip_is_any(&sender); /* RFC 5227 section 2.1.1: nothing to learn */

	/* RFC 5227 section 2.1.1: somebody has what we ask for, or asks for it, too. */
	if (perch_dad_lost(net, rx->ifidx, is_probe ? &target : &sender)) {
		perch_rx_drop(net, rx, PERCH_DROP_arp_conflict);
		return;
	}
	if (perch_ip_is_on(net, rx->ifidx, &sender)) {
		defend(net, rx, &sender);
		perch_rx_drop(net, rx, PERCH_DROP_arp_conflict);
		return;
	}
	if (!is_probe && !perch_ip_is_host(net, &sender)) {
		perch_rx_drop(net, rx, PERCH_DROP_arp_malformed);
		return;
	}
	if (to_us && arp->arp_opcode == rte_cpu_to_be_16(RTE_ARP_OP_REQUEST))
		answer(net, rx, arp, &sender, &target);
	if (is_probe && to_us)
		rte_pktmbuf_free(rx->m);
	else if (is_probe)
		perch_rx_drop(net, rx, PERCH_DROP_arp_not_ours);
	else if (!perch_ip_is_on_link(net, rx->ifidx, &sender))
		perch_rx_drop(net, rx, PERCH_DROP_neigh_not_on_link);
	else
		learn(net, rx, &sender, arp, to_us);
}

void perch_arp_input(struct perch_net *net, struct perch_rx *rx)
{
	const struct rte_arp_hdr *arp = rte_pktmbuf_mtod(rx->m, const struct rte_arp_hdr *);

	if (rx->m->data_len < sizeof(*arp))
		perch_rx_drop(net, rx, PERCH_DROP_arp_truncated);
	else if (!is_well_formed(arp))
		perch_rx_drop(net, rx, PERCH_DROP_arp_malformed);
	else
		input(net, rx, arp);
}
