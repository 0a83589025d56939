/* SPDX-License-Identifier: BSD-3-Clause
 * What the device does on the way: checksums, and cutting TCP into segments (TSO); tcp-lite does
 * the rest. It cuts by itself where the device does not, which is what a GSO in software would do.
 *
 * Offloads are claimed only for drivers of real (or emulated) NICs. The vdevs that advertise some
 * compute them in software, some of them in place, in packets that TCP still holds. net_tap, which
 * copies, may be asked to all the same, to test what a NIC would be asked.
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

/* TSO implies TCP's checksum, and packets in several pieces. */
static bool cuts(const struct rte_eth_dev_info *dev)
{
	const uint64_t needed = RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
		RTE_ETH_TX_OFFLOAD_MULTI_SEGS;

	return (dev->tx_offload_capa & needed) == needed;
}

uint32_t perch_offloads_choose(
	const struct rte_eth_dev_info *dev, struct rte_eth_conf *conf, bool soft)
{
	const uint64_t rx = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM |
		RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	uint32_t used = 0;

	if (!perch_is_nic(dev->driver_name) && !(soft && strcmp(dev->driver_name, "net_tap") == 0))
		return 0;
	/* A packet's flags say what was checked: virtio and vmxnet3 leave IPv4's header to us. */
	if (dev->rx_offload_capa & RTE_ETH_RX_OFFLOAD_TCP_CKSUM) {
		conf->rxmode.offloads |= dev->rx_offload_capa & rx;
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
	if (cuts(dev)) {
		used |= PERCH_PORT_TX_TCP_TSO;
		conf->txmode.offloads |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
	}
	return used;
}
