/* SPDX-License-Identifier: BSD-3-Clause
 * Which checksums the device computes; tcp-lite does the others.
 *
 * Offloads are claimed only for drivers of real (or emulated) NICs. The vdevs that advertise
 * checksums compute them in software, some of them in place, in packets that TCP still holds.
 */
#include <string.h>

#include "drivers-glue/port_inside.h"

bool perch_is_nic(const char *driver)
{
	static const char *const software[] = {"net_tap", "net_af_packet", "net_af_xdp",
		"net_memif", "net_pcap", "net_ring", "net_null"};
	size_t i;

	for (i = 0; i < RTE_DIM(software); i++)
		if (strcmp(driver, software[i]) == 0)
			return false;
	return true;
}

uint32_t perch_offloads_choose(const struct rte_eth_dev_info *dev, struct rte_eth_conf *conf)
{
	const uint64_t rx = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM |
		RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	uint32_t used = 0;

	if (!perch_is_nic(dev->driver_name))
		return 0;
	if ((dev->rx_offload_capa & rx) == rx) {
		conf->rxmode.offloads |= rx;
		used |= PERCH_PORT_RX_CKSUM;
	}
	if (dev->tx_offload_capa & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM)
		used |= PERCH_PORT_TX_IP4_CKSUM;
	if (dev->tx_offload_capa & RTE_ETH_TX_OFFLOAD_TCP_CKSUM)
		used |= PERCH_PORT_TX_TCP_CKSUM;
	if (dev->tx_offload_capa & RTE_ETH_TX_OFFLOAD_UDP_CKSUM)
		used |= PERCH_PORT_TX_UDP_CKSUM;
	conf->txmode.offloads = dev->tx_offload_capa & (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM |
		RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM);
	return used;
}
