/* SPDX-License-Identifier: BSD-3-Clause
 * What the fuzz targets share.
 */
#include "tests/fuzz/target.h"

#include <stdio.h>
#include <stdlib.h>

enum { FLOWS = 16, TURNS_MAX = 100000 };

static const struct mac our_mac = {{2, 0, 0, 0, 0, 1}}, peer_mac = {{2, 0, 0, 0, 0, 2}};

static struct rte_mempool *pool;
static unsigned pool_level;
static void *memory;
static int64_t deadlines_ns[FLOWS];

uint8_t fuzz_take8(struct fuzz_input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

uint16_t fuzz_take16(struct fuzz_input *in)
{
	uint16_t high = fuzz_take8(in);

	return (uint16_t)(high << 8 | fuzz_take8(in));
}

_Noreturn void fuzz_found(const char *what)
{
	fprintf(stderr, "a promise is broken: %s\n", what);
	abort();
}

void fuzz_start(const char *name)
{
	pool = packets_start(name);
}

struct ends fuzz_ends(bool v6)
{
	return (struct ends){peer_mac, our_mac, packets_ip(v6 ? "fd00::2" : "10.0.0.2"),
		packets_ip(v6 ? "fd00::1" : "10.0.0.1")};
}

void fuzz_open(struct fuzz_net *f, struct perch_net_config *cfg)
{
	struct perch_net_if *nif = &cfg->ifs[0];
	size_t bytes;
	unsigned i;

	cfg->pool = pool;
	cfg->n_ifs = 1;
	cfg->now_ns = f->now_ns = 1000 * FUZZ_MS;
	cfg->max_flows = FLOWS;
	cfg->max_neighbours = 8;
	cfg->max_udp = cfg->max_listeners = 4;
	memcpy(nif->mac.addr_bytes, our_mac.b, 6);
	nif->n_addrs = 2;
	nif->addrs[0] = (struct perch_net_addr){.ip = packets_ip("10.0.0.1"), .prefix_len = 24};
	nif->addrs[1] = (struct perch_net_addr){.ip = packets_ip("fd00::1"), .prefix_len = 64};
	pool_level = rte_mempool_avail_count(pool);
	bytes = RTE_ALIGN_CEIL(perch_net_bytes(cfg), (size_t)64);
	memory = aligned_alloc(64, bytes);
	memset(memory, 0, bytes);
	for (i = 0; i < FLOWS; i++)
		deadlines_ns[i] = PERCH_NET_NEVER;
	promise(perch_net_open(&f->net, memory, cfg) == 0);
}

void fuzz_close(struct fuzz_net *f)
{
	perch_net_close(f->net);
	promise(f->net->held == 0);
	free(memory);
	promise(rte_mempool_avail_count(pool) == pool_level);
}

void fuzz_rx(struct fuzz_net *f, const struct frame *frame, uint64_t ol_flags)
{
	struct rte_mbuf *m = frame_to_mbuf(pool, frame);

	m->ol_flags |= ol_flags;
	perch_net_input(f->net, 0, &m, 1, f->now_ns);
}

static void take_sent(struct fuzz_net *f)
{
	struct perch_net *net = f->net;
	struct frame frame;
	unsigned i;

	for (i = 0; i < net->n_tx; i++) {
		frame_from_mbuf(&frame, net->tx[i]);
		rte_pktmbuf_free(net->tx[i]);
		if (f->sent)
			f->sent(f, &frame);
	}
	net->n_tx = 0;
}

void fuzz_turn(struct fuzz_net *f)
{
	int64_t deadline_ns;
	uint32_t id;

	perch_net_output(f->net, f->now_ns);
	while (perch_net_next_arm(f->net, &id, &deadline_ns))
		deadlines_ns[id] = RTE_MIN(deadlines_ns[id], deadline_ns);
	take_sent(f);
}

static int64_t next_ns(const struct fuzz_net *f)
{
	int64_t at_ns = perch_net_next_tick(f->net);
	unsigned i;

	for (i = 0; i < FLOWS; i++)
		at_ns = RTE_MIN(at_ns, deadlines_ns[i]);
	return at_ns;
}

void fuzz_pass(struct fuzz_net *f, int64_t ns)
{
	int64_t end_ns = f->now_ns + ns;
	unsigned turns = 0, i;

	fuzz_turn(f);
	while (next_ns(f) <= end_ns) {
		promise(++turns < TURNS_MAX);
		f->now_ns = RTE_MAX(f->now_ns, next_ns(f));
		perch_net_tick(f->net, f->now_ns);
		for (i = 0; i < FLOWS; i++)
			if (deadlines_ns[i] <= f->now_ns)
				deadlines_ns[i] = perch_net_expire(f->net, i, f->now_ns);
		fuzz_turn(f);
	}
	f->now_ns = end_ns;
	perch_net_tick(f->net, end_ns);
	fuzz_turn(f);
}

void fuzz_meet_peer(struct fuzz_net *f)
{
	static const struct mac nobody;
	struct ends e4 = fuzz_ends(false), e6 = fuzz_ends(true);
	struct frame frame;

	frame_arp(&frame, &packets_broadcast, 1, &peer_mac, &e4.src, &nobody, &e4.dst);
	fuzz_rx(f, &frame, 0);
	frame_nd(&frame, &e6, 135, 0, &e6.dst, &peer_mac);
	fuzz_rx(f, &frame, 0);
	fuzz_turn(f);
}
