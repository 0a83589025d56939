/* SPDX-License-Identifier: BSD-3-Clause
 * A net alone on a bench, and the stand-in for TCP.
 */
#include "tests/tcp-lite/lab.h"

#include <stdlib.h>

#include "tcp-lite/ip.h"
#include "tcp-lite/tcp_cc.h"
#include "tests/suite.h"

struct lab_tcp lab_tcp;
struct rte_mempool *lab_pool;

const struct mac lab_mac = {{0x02, 0, 0, 0, 0, 0x01}};
const struct mac lab_peer_mac = {{0x02, 0, 0, 0, 0, 0x02}};
const struct mac lab_other_mac = {{0x02, 0, 0, 0, 0, 0x66}};
const struct mac lab_no_mac = {{0}};

void lab_config(struct perch_net_config *cfg)
{
	struct perch_net_if *nif = &cfg->ifs[0];

	*cfg = (struct perch_net_config){.pool = lab_pool, .n_ifs = 1, .seed = 7};
	memcpy(nif->mac.addr_bytes, lab_mac.b, 6);
	nif->n_addrs = 2;
	nif->addrs[0] = (struct perch_net_addr){.ip = packets_ip("10.0.0.1"), .prefix_len = 24};
	nif->addrs[1] = (struct perch_net_addr){.ip = packets_ip("fd00::1"), .prefix_len = 64};
	nif->has_gw4 = nif->has_gw6 = true;
	nif->gw4 = packets_ip("10.0.0.254");
	nif->gw6 = packets_ip("fd00::fe");
}

static void discard_tx(struct lab *lab)
{
	rte_pktmbuf_free_bulk(lab->net->tx, lab->net->n_tx);
	lab->net->n_tx = 0;
}

void lab_open_with(struct lab *lab, const struct perch_net_config *cfg)
{
	size_t bytes = perch_net_bytes(cfg);

	*lab = (struct lab){.pool_level = rte_mempool_avail_count(lab_pool)};
	lab_tcp = (struct lab_tcp){.knows_flow = true};
	lab->mem = aligned_alloc(64, bytes);
	memset(lab->mem, 0, bytes);
	if (perch_net_open(&lab->net, lab->mem, cfg) < 0)
		abort();
	lab->now_ns = cfg->now_ns;
	lab_pass(lab, 10 * LAB_S); /* the announcements are over */
	discard_tx(lab);
}

void lab_open(struct lab *lab)
{
	struct perch_net_config cfg;

	lab_config(&cfg);
	lab_open_with(lab, &cfg);
}

void lab_close(struct lab *lab)
{
	perch_net_close(lab->net);
	CU_ASSERT_EQUAL(lab->net->held, 0);
	free(lab->mem);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(lab_pool), lab->pool_level);
}

struct ends lab_ends4(void)
{
	return (struct ends){lab_peer_mac, lab_mac, packets_ip("10.0.0.2"), packets_ip("10.0.0.1")};
}

struct ends lab_ends6(void)
{
	return (struct ends){lab_peer_mac, lab_mac, packets_ip("fd00::2"), packets_ip("fd00::1")};
}

void lab_rx_mbuf(struct lab *lab, struct rte_mbuf *m)
{
	perch_net_input(lab->net, 0, &m, 1, lab->now_ns);
}

void lab_rx(struct lab *lab, const struct frame *f)
{
	lab_rx_mbuf(lab, frame_to_mbuf(lab_pool, f));
}

bool lab_tx_none(const struct lab *lab)
{
	return lab->net->n_tx == 0;
}

void lab_tx(struct lab *lab, struct frame *f)
{
	struct perch_net *net = lab->net;
	struct rte_mbuf *m;

	f->len = 0;
	if (net->n_tx == 0)
		return;
	m = net->tx[0];
	net->n_tx--;
	memmove(net->tx, net->tx + 1, sizeof(net->tx[0]) * net->n_tx);
	frame_from_mbuf(f, m);
	rte_pktmbuf_free(m);
	if (f->b[12] == 0x86) {
		f->b[15] &= 0xf0;
		f->b[16] = f->b[17] = 0;
	}
}

bool lab_tx_is(struct lab *lab, const struct frame *expected)
{
	struct frame sent;

	lab_tx(lab, &sent);
	return frame_equal(&sent, expected);
}

void lab_pass(struct lab *lab, int64_t ns)
{
	int64_t end = lab->now_ns + ns, next;

	while ((next = perch_net_next_tick(lab->net)) <= end) {
		lab->now_ns = RTE_MAX(next, lab->now_ns);
		perch_net_tick(lab->net, lab->now_ns);
	}
	lab->now_ns = end;
	perch_net_tick(lab->net, end);
}

/* It asks for our MAC address and so tells us its own; it pings, so that we send to it and ask
 * whether it is still there; and it confirms that. */
void lab_meet_peer(struct lab *lab)
{
	struct ends e4 = lab_ends4(), e6 = lab_ends6();
	struct frame f;

	frame_arp(&f, &packets_broadcast, 1, &lab_peer_mac, &e4.src, &lab_no_mac, &e4.dst);
	lab_rx(lab, &f);
	frame_icmp(&f, &e4, 8, 0, 0, "", 0);
	lab_rx(lab, &f);
	frame_arp(&f, &lab_mac, 2, &lab_peer_mac, &e4.src, &lab_mac, &e4.dst);
	lab_rx(lab, &f);

	frame_nd(&f, &e6, 135, 0, &e6.dst, &lab_peer_mac);
	lab_rx(lab, &f);
	frame_icmp(&f, &e6, 128, 0, 0, "", 0);
	lab_rx(lab, &f);
	frame_nd(&f, &e6, 136, 0x60, &e6.src, &lab_peer_mac);
	lab_rx(lab, &f);
	discard_tx(lab);
}

uint64_t lab_drops(const struct lab *lab)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < PERCH_DROP_COUNT; i++)
		sum += lab->net->drops[i];
	return sum;
}

/* ---- the stand-in for TCP ------------------------------------------------------------------- */

size_t perch_tcp_bytes(const struct perch_net_config *cfg)
{
	(void)cfg;
	return 64;
}

const struct perch_tcp_cc *perch_tcp_cc_find(const char *name)
{
	static const struct perch_tcp_cc any;

	(void)name;
	return &any;
}

void perch_tcp_init(struct perch_net *net, void *mem)
{
	net->tcp = mem;
}

void perch_tcp_fini(struct perch_net *net)
{
	net->tcp = NULL;
}

void perch_tcp_prefetch(struct perch_net *net, struct perch_rx *rx, unsigned n)
{
	(void)net;
	(void)rx;
	(void)n;
}

void perch_tcp_input(struct perch_net *net, struct perch_rx *rx)
{
	lab_tcp.segments++;
	lab_tcp.rx = *rx;
	CU_ASSERT_EQUAL(perch_pkt(rx->m)->time_ns, net->now_ns);
	if (perch_ip_transport_cksum_ok(rx))
		rte_pktmbuf_free(rx->m);
	else
		perch_net_drop(net, PERCH_DROP_tcp_bad_checksum, rx->m);
}

void perch_tcp_prefetch_flow(const struct perch_net *net, uint32_t id)
{
	(void)net;
	(void)id;
}

uint32_t *perch_tcp_wheel_words(const struct perch_net *net, size_t *stride_bytes)
{
	(void)net;
	*stride_bytes = 0;
	return NULL;
}

int64_t perch_tcp_expire(struct perch_net *net, uint32_t id)
{
	return net->now_ns + id;
}

int64_t perch_tcp_due(struct perch_net *net, uint32_t id)
{
	return perch_tcp_expire(net, id);
}

void perch_tcp_output(struct perch_net *net)
{
	(void)net;
}

bool perch_tcp_next_arm(struct perch_net *net, uint32_t *id, int64_t *deadline_ns)
{
	(void)net;
	(void)id;
	(void)deadline_ns;
	return false;
}

bool perch_tcp_icmp_error(struct perch_net *net, struct perch_icmp_error *e)
{
	(void)net;
	lab_tcp.errors++;
	lab_tcp.error = *e;
	return lab_tcp.knows_flow;
}
