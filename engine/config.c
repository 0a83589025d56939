/* SPDX-License-Identifier: BSD-3-Clause
 * What a configuration means, and what is wrong with it.
 */
#include "engine/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/address.h"
#include "engine/lcore.h"
#include "tcp-lite/tcp_cc.h"

enum config_defaults {
	DEFAULT_CONNS = 4096,
	DEFAULT_OTHER_COROUTINES = 1024, /* beside one for each connection */
	DEFAULT_LISTENERS = 64,
	DEFAULT_UDP = 64,
	DEFAULT_MEMBERSHIPS = 256,
	LARGEST_MEMBERSHIPS = 16384,
	LARGEST_VLAN = 4094, /* IEEE 802.1Q: 4095 is reserved */
	SMALLEST_MTU = 576,   /* RFC 791: every host accepts that much */
	SMALLEST_MTU6 = 1280, /* RFC 8200 section 5 */
	LARGEST_MTU = 9600,
};

int perch_why(struct perch_why *why, int rc, const char *fmt, ...)
{
	va_list args;

	if (why) {
		va_start(args, fmt);
		vsnprintf(why->text, sizeof(why->text), fmt, args);
		va_end(args);
	}
	return rc;
}

static bool is_gateway(const char *text, bool v4)
{
	struct perch_addr a;
	struct perch_ip ip;

	if (perch_addr_parse(text, 0, &a) < 0)
		return false;
	ip = perch_ip_of(&a);
	return perch_ip_is_v4(&ip) == v4 && !perch_ip_is_multicast(&ip) && !perch_ip_is_any(&ip);
}

static int check_addrs(const struct perch_config *cfg, struct perch_why *why)
{
	struct perch_net_addr a;
	unsigned i;

	if (!cfg->addrs || !cfg->addrs[0])
		return perch_why(why, -EINVAL, "no address is given: say, for example, "
			"10.99.0.2/24");
	for (i = 0; cfg->addrs[i]; i++) {
		if (perch_net_addr_parse(cfg->addrs[i], &a) < 0)
			return perch_why(why, -EINVAL, "'%s' is not a host address with a prefix "
				"length, like 10.99.0.2/24 or fd00:99::2/64", cfg->addrs[i]);
		if (!perch_ip_is_v4(&a.ip) && cfg->mtu && cfg->mtu < SMALLEST_MTU6)
			return perch_why(why, -EINVAL, "an MTU of %u is too small for IPv6, which "
				"needs 1280", cfg->mtu);
	}
	if (i > PERCH_NET_ADDRS)
		return perch_why(why, -EINVAL, "%u addresses are given, at most %u are supported "
			"(a range counts as one)", i, (unsigned)PERCH_NET_ADDRS);
	return 0;
}

int perch_config_check(const struct perch_config *cfg, struct perch_why *why)
{
	if (cfg->mtu && (cfg->mtu < SMALLEST_MTU || cfg->mtu > LARGEST_MTU))
		return perch_why(why, -EINVAL, "the MTU must be %u to %u bytes, not %u",
			(unsigned)SMALLEST_MTU, (unsigned)LARGEST_MTU, cfg->mtu);
	if (cfg->gw4 && !is_gateway(cfg->gw4, true))
		return perch_why(why, -EINVAL, "'%s' is not the IPv4 address of a gateway",
			cfg->gw4);
	if (cfg->gw6 && !is_gateway(cfg->gw6, false))
		return perch_why(why, -EINVAL, "'%s' is not the IPv6 address of a gateway",
			cfg->gw6);
	if (cfg->dad < PERCH_DAD_OPTIMISTIC || cfg->dad > PERCH_DAD_OFF)
		return perch_why(why, -EINVAL, "dad is neither optimistic nor strict nor off");
	if (cfg->vlan > LARGEST_VLAN)
		return perch_why(why, -EINVAL, "the VLAN must be 1 to %u, not %u",
			(unsigned)LARGEST_VLAN, cfg->vlan);
	if (cfg->max_memberships > LARGEST_MEMBERSHIPS)
		return perch_why(why, -EINVAL, "at most %u memberships are supported, not %u",
			(unsigned)LARGEST_MEMBERSHIPS, cfg->max_memberships);
	if (cfg->lcores > PERCH_MAX_LCORES)
		return perch_why(why, -EINVAL, "at most %u lcores are supported, not %u",
			(unsigned)PERCH_MAX_LCORES, cfg->lcores);
	if (cfg->rx_burst > PERCH_BURST)
		return perch_why(why, -EINVAL, "at most %u packets are received per turn, not %u",
			(unsigned)PERCH_BURST, cfg->rx_burst);
	if (cfg->profile != PERCH_LATENCY && cfg->profile != PERCH_WAN)
		return perch_why(why, -EINVAL, "the profile is neither latency nor wan");
	if (!perch_tcp_cc_find(cfg->cc))
		return perch_why(why, -EINVAL, "cc is cubic or newreno, not '%s'",
			cfg->cc);
	if (cfg->idle_cwnd < PERCH_CWND_BY_PROFILE || cfg->idle_cwnd > PERCH_CWND_RESTART)
		return perch_why(why, -EINVAL, "idle_cwnd is not a value of its enum");
	if (cfg->idle != PERCH_BUSY_POLL && cfg->idle != PERCH_BACK_OFF)
		return perch_why(why, -EINVAL, "the idle policy is neither busy-poll nor back-off");
	if (cfg->drain_ns < 0 || cfg->until_idle_ns < 0 || cfg->time_wait_ns < 0 ||
		cfg->keepalive_ns < 0 || cfg->user_timeout_ns < 0)
		return perch_why(why, -EINVAL, "a time in the configuration is negative");
	return check_addrs(cfg, why);
}

void perch_config_eal(
	const struct perch_config *cfg, bool playback, struct perch_eal_config *out)
{
	if (playback) {
		*out = (struct perch_eal_config){.no_huge = true, .memory_mb = cfg->memory_mb};
		return;
	}
	*out = (struct perch_eal_config){
		.argc = cfg->eal_argc,
		.argv = cfg->eal_argv,
		.no_huge = cfg->no_huge,
		.memory_mb = cfg->memory_mb,
		.vdevs = cfg->vdevs,
		.pci = cfg->pci,
	};
}

int perch_config_lcores(const struct perch_config *cfg, int *cpus, struct perch_why *why)
{
	unsigned i, n, of_eal = perch_eal_lcores(cpus, PERCH_MAX_LCORES);

	if (of_eal > PERCH_MAX_LCORES)
		return perch_why(why, -EINVAL, "EAL was given %u lcores, at most %u are supported",
			of_eal, (unsigned)PERCH_MAX_LCORES);
	/* Without raw EAL arguments EAL has one lcore, wherever the caller's thread may run. */
	n = cfg->lcores ? cfg->lcores : cfg->eal_argc > 0 && of_eal > 0 ? of_eal : 1;
	for (i = 0; i < n; i++) {
		if (cfg->cpus)
			cpus[i] = cfg->cpus[i];
		else if (cfg->eal_argc == 0 || i >= of_eal)
			cpus[i] = -1;
	}
	return (int)n;
}

void perch_config_port(const struct perch_config *cfg, unsigned lcores, const int *cpus,
	struct perch_playback *playback, struct perch_port_config *out)
{
	*out = (struct perch_port_config){
		.name = cfg->port,
		.index = cfg->port_index,
		.lcores = (uint16_t)lcores,
		.mtu = cfg->mtu,
		.priv_bytes = PERCH_PKT_PRIV,
		.mbufs = cfg->mbufs,
		.promiscuous = cfg->promiscuous,
		.no_offloads = cfg->no_offloads,
		.soft_offloads = cfg->soft_offloads,
		.cpus = cpus,
		.replay = playback ? perch_playback_port(playback) : NULL,
		.no_steering = playback && perch_playback_is_script(playback),
	};
}

/* SplitMix64 spreads one seed over the secrets. Whoever sets the seed wants them repeatable. */
static uint64_t spread(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint32_t net_offloads(uint32_t port)
{
	return (port & PERCH_PORT_TX_IP4_CKSUM ? PERCH_NET_TX_IP4_CKSUM : 0) |
		(port & PERCH_PORT_TX_TCP_CKSUM ? PERCH_NET_TX_TCP_CKSUM : 0) |
		(port & PERCH_PORT_TX_UDP_CKSUM ? PERCH_NET_TX_UDP_CKSUM : 0) |
		(port & PERCH_PORT_TX_TCP_TSO ? PERCH_NET_TX_TCP_TSO : 0);
}

static void net_limits(const struct perch_config *cfg, struct perch_net_config *n)
{
	n->max_flows = cfg->max_conns ? cfg->max_conns : DEFAULT_CONNS;
	n->max_listeners = cfg->max_listeners ? cfg->max_listeners : DEFAULT_LISTENERS;
	n->max_udp = cfg->max_udp ? cfg->max_udp : DEFAULT_UDP;
	n->max_reassemblies = cfg->max_reassemblies;
	n->max_memberships = cfg->max_memberships ? cfg->max_memberships : DEFAULT_MEMBERSHIPS;
	n->sndbuf_bytes = cfg->sndbuf_bytes;
	n->rcvbuf_bytes = cfg->rcvbuf_bytes;
	n->backlog = cfg->backlog;
	n->time_wait_ns = cfg->time_wait_ns;
	n->keepalive_ns = cfg->keepalive_ns;
	n->user_timeout_ns = cfg->user_timeout_ns;
	n->keep_cwnd = cfg->idle_cwnd == PERCH_CWND_KEEP ||
		(cfg->idle_cwnd == PERCH_CWND_BY_PROFILE && cfg->profile == PERCH_LATENCY);
	n->cc = cfg->cc;
	if (cfg->profile == PERCH_WAN) {
		n->rto_min_ns = INT64_C(200000000);
		n->delack_ns = INT64_C(40000000);
	}
}

int perch_config_net(const struct perch_config *cfg, const struct perch_port_info *port,
	uint64_t seed, struct perch_net_config *out, struct perch_why *why)
{
	struct perch_net_if *nif = &out->ifs[0];
	uint64_t state = seed, key[2];
	struct perch_addr gw;
	unsigned i;

	memset(out, 0, sizeof(*out));
	out->n_ifs = 1;
	out->seed = spread(&state);
	key[0] = spread(&state);
	key[1] = spread(&state);
	static_assert(sizeof(key) == sizeof(out->secret), "the secret is two words");
	memcpy(out->secret, key, sizeof(key));
	net_limits(cfg, out);

	memcpy(nif->mac.addr_bytes, port->mac, sizeof(port->mac));
	nif->any_mac = port->reads_file;
	nif->mtu = port->mtu;
	nif->vlan = cfg->vlan;
	out->dad = (uint8_t)cfg->dad;
	nif->tx_offloads = net_offloads(port->offloads);
	nif->tso_pieces = port->tso_pieces;
	for (i = 0; cfg->addrs[i]; i++) {
		if (perch_net_addr_parse(cfg->addrs[i], &nif->addrs[nif->n_addrs++]) < 0)
			return perch_why(why, -EINVAL, "'%s' is not an address", cfg->addrs[i]);
		if (port->tso_ip4_only && !perch_ip_is_v4(&nif->addrs[i].ip))
			nif->tx_offloads &= ~(uint32_t)PERCH_NET_TX_TCP_TSO;
	}
	if (cfg->gw4) {
		perch_addr_parse(cfg->gw4, 0, &gw);
		nif->gw4 = perch_ip_of(&gw);
		nif->has_gw4 = true;
	}
	if (cfg->gw6) {
		perch_addr_parse(cfg->gw6, 0, &gw);
		nif->gw6 = perch_ip_of(&gw);
		nif->has_gw6 = true;
	}
	return 0;
}

void perch_config_sched(const struct perch_config *cfg, struct perch_sched_config *out)
{
	uint32_t conns = cfg->max_conns ? cfg->max_conns : DEFAULT_CONNS;

	*out = (struct perch_sched_config){
		.max_co = cfg->max_coroutines ? cfg->max_coroutines
		                              : conns + DEFAULT_OTHER_COROUTINES,
		.stack_bytes = cfg->stack_bytes,
		.private_bytes = cfg->private_stack_bytes,
		.max_private = cfg->max_private_stacks,
		.save_bytes = cfg->saved_stack_bytes,
		.max_in_place = cfg->share_one_stack ? PERCH_SCHED_NONE_IN_PLACE : 0,
	};
}
