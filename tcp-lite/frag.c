/* SPDX-License-Identifier: BSD-3-Clause
 * Reassembly: each datagram has a buffer of 64 KB, into which its pieces are copied as they come,
 * and a bit for each 8 bytes that have come. So no packet buffer of the pool is held, an overlap is
 * seen exactly, and what an attacker can fill are a few buffers that serve nothing else.
 *
 * Rejected: DPDK's librte_ip_frag. Its time may be virtual, but it takes its memory from EAL's
 * heap, knows 8 pieces at most (a 64 KB datagram has 45), lets pieces overlap and has no limit for
 * a source.
 *
 * What a socket reads must lie in one piece: a datagram that fits an ordinary packet buffer moves
 * into one, a larger one stays here until it is read.
 */
#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ip.h>

#include "tcp-lite/frag.h"
#include "tcp-lite/icmp.h"

enum frag_limits {
	WHOLE_MAX = 65535, /* bytes, IP header included: what an mbuf can describe */
	UNIT = 8,          /* fragments start at multiples of it */
	UNITS = (WHOLE_MAX + UNIT - 1) / UNIT,
	SHARE = 4,         /* of this part of all datagrams one source may have pieces here */
};

#define TIMEOUT_NS INT64_C(60000000000) /* RFC 8200 section 4.5, RFC 1122 section 3.3.2 */

enum whole_state {
	FREE,
	GATHERING,
	POISONED,  /* pieces have overlapped: the rest is dropped, too (RFC 5722) */
	DELIVERED, /* the data belongs to a packet */
};

struct whole {
	struct perch_ip src, dst;
	int64_t until_ns;
	uint32_t id;
	uint32_t have_bytes, end; /* of data; end 0: the last piece has not come */
	uint8_t state, proto, ifidx;
	bool to_group, has_first;
	struct rte_mbuf_ext_shared_info shared;
	uint64_t have[(UNITS + 63) / 64];
	uint8_t bytes[WHOLE_MAX + 1]; /* the IP header, then data */
};

struct perch_frag_table {
	int64_t next_ns;
	struct whole *wholes;
};

size_t perch_frag_bytes(const struct perch_net_config *cfg)
{
	return sizeof(struct perch_frag_table) + cfg->max_reassemblies * sizeof(struct whole);
}

void perch_frag_init(struct perch_net *net, void *mem)
{
	net->frags = mem;
	net->frags->next_ns = PERCH_NET_NEVER;
	net->frags->wholes = (struct whole *)(net->frags + 1);
}

static unsigned header_len(const struct whole *w)
{
	return perch_ip_is_v4(&w->dst) ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr);
}

/* ---- which datagram ------------------------------------------------------------------------- */

static bool is_of(const struct whole *w, const struct perch_rx *rx, const struct perch_frag *f)
{
	return (w->state == GATHERING || w->state == POISONED) && w->id == f->id &&
		w->ifidx == rx->ifidx && perch_ip_equal(&w->src, &rx->src) &&
		perch_ip_equal(&w->dst, &rx->dst) &&
		(w->proto == f->proto || !perch_ip_is_v4(&w->dst)); /* RFC 8200: not of the key */
}

/* A free one, or the oldest that is not whole yet: who floods us with first pieces loses them
 * first, and a datagram whose pieces come together gets through. NULL: the source has its share, or
 * all wait to be read. */
static struct whole *find_room(struct perch_net *net, const struct perch_rx *rx)
{
	struct whole *oldest = NULL, *free_one = NULL, *w;
	uint32_t i, of_source = 0;

	for (i = 0; i < net->cfg.max_reassemblies; i++) {
		w = &net->frags->wholes[i];
		if (w->state == FREE) {
			free_one = w;
			continue;
		}
		of_source += perch_ip_equal(&w->src, &rx->src);
		if (w->state != DELIVERED && (!oldest || w->until_ns < oldest->until_ns))
			oldest = w;
	}
	if (of_source >= RTE_MAX(net->cfg.max_reassemblies / SHARE, 1U))
		return NULL;
	if (!free_one && oldest)
		net->drops[PERCH_DROP_frag_table_full]++;
	return free_one ? free_one : oldest;
}

static struct whole *find_or_start(
	struct perch_net *net, const struct perch_rx *rx, const struct perch_frag *f)
{
	struct perch_frag_table *t = net->frags;
	struct whole *w;
	uint32_t i;

	for (i = 0; i < net->cfg.max_reassemblies; i++)
		if (is_of(&t->wholes[i], rx, f))
			return &t->wholes[i];
	w = find_room(net, rx);
	if (!w)
		return NULL;
	w->src = rx->src;
	w->dst = rx->dst;
	w->id = f->id;
	w->proto = f->proto;
	w->ifidx = rx->ifidx;
	w->to_group = rx->to_group;
	w->until_ns = net->now_ns + TIMEOUT_NS;
	w->have_bytes = w->end = 0;
	w->has_first = false;
	w->state = GATHERING;
	memset(w->have, 0, sizeof(w->have));
	t->next_ns = RTE_MIN(t->next_ns, w->until_ns);
	return w;
}

/* ---- a piece -------------------------------------------------------------------------------- */

static unsigned units(uint32_t bytes)
{
	return (bytes + UNIT - 1) / UNIT;
}

/* How many of the units from..to are here already. */
static unsigned count_here(const struct whole *w, unsigned from, unsigned to)
{
	unsigned n = 0;

	for (; from < to; from++)
		n += w->have[from / 64] >> (from % 64) & 1;
	return n;
}

enum fit { FITS, IS_COPY, OVERLAPS };

/* RFC 8200 section 4.5: an exact copy of a piece is the network's doing and only ignored. */
static enum fit fit(const struct whole *w, const struct perch_frag *f, const uint8_t *data)
{
	unsigned from = f->at / UNIT, to = from + units(f->len);
	unsigned here = count_here(w, from, to);
	uint32_t end = f->at + f->len;

	if (w->end ? end > w->end || (!f->more && end != w->end)
	           : !f->more && count_here(w, to, UNITS) > 0)
		return OVERLAPS; /* something lies behind the end */
	if (here == 0)
		return FITS;
	if (here == to - from && memcmp(w->bytes + header_len(w) + f->at, data, f->len) == 0)
		return IS_COPY;
	return OVERLAPS;
}

static void keep(struct whole *w, const struct perch_rx *rx, const struct perch_frag *f)
{
	const uint8_t *packet = rte_pktmbuf_mtod(rx->m, const uint8_t *);
	unsigned i, from = f->at / UNIT;

	for (i = from; i < from + units(f->len); i++)
		w->have[i / 64] |= UINT64_C(1) << (i % 64);
	memcpy(w->bytes + header_len(w) + f->at, packet + f->data_off, f->len);
	w->have_bytes += f->len;
	if (!f->more)
		w->end = f->at + f->len;
	if (f->at == 0) {
		memcpy(w->bytes, packet, header_len(w));
		w->proto = f->proto;
		w->has_first = true;
	}
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void fix_header(struct whole *w, uint32_t data_len)
{
	struct rte_ipv4_hdr *ip4 = (struct rte_ipv4_hdr *)w->bytes;
	struct rte_ipv6_hdr *ip6 = (struct rte_ipv6_hdr *)w->bytes;

	if (perch_ip_is_v4(&w->dst)) {
		ip4->version_ihl = RTE_IPV4_VHL_DEF;
		ip4->total_length = rte_cpu_to_be_16((uint16_t)(data_len + sizeof(*ip4)));
		ip4->fragment_offset = 0;
	} else {
		ip6->payload_len = rte_cpu_to_be_16((uint16_t)data_len);
		ip6->proto = w->proto;
	}
}

static void let_go(void *bytes, void *w)
{
	(void)bytes;
	((struct whole *)w)->state = FREE;
}

/* Into an ordinary packet buffer if it fits, else the packet borrows the bytes where they are. */
static struct rte_mbuf *make_packet(struct perch_net *net, struct whole *w, uint32_t len)
{
	struct rte_mbuf *m = perch_net_alloc(net);

	if (!m) {
		w->state = FREE;
		return NULL;
	}
	if (len <= rte_pktmbuf_tailroom(m)) {
		memcpy(rte_pktmbuf_append(m, (uint16_t)len), w->bytes, len);
		w->state = FREE;
		return m;
	}
	w->shared = (struct rte_mbuf_ext_shared_info){.free_cb = let_go, .fcb_opaque = w};
	rte_mbuf_ext_refcnt_set(&w->shared, 1);
	rte_pktmbuf_attach_extbuf(m, w->bytes, RTE_BAD_IOVA, WHOLE_MAX, &w->shared);
	rte_pktmbuf_append(m, (uint16_t)len);
	w->state = DELIVERED;
	return m;
}

static bool deliver(struct perch_net *net, struct perch_rx *rx, struct whole *w)
{
	uint32_t len = header_len(w) + w->end;

	fix_header(w, w->end);
	rx->m = make_packet(net, w, len);
	rx->borrowed = w->state == DELIVERED;
	return rx->m != NULL;
}

static bool refuse(struct perch_net *net, struct perch_rx *rx, enum perch_drop why)
{
	perch_rx_drop(net, rx, why);
	return false;
}

bool perch_frag_input(struct perch_net *net, struct perch_rx *rx, const struct perch_frag *f)
{
	bool v4 = perch_ip_is_v4(&rx->dst);
	struct whole *w;

	if (rx->learn_only) { /* whoever received it puts it together */
		rte_pktmbuf_free(rx->m);
		return false;
	}
	if (f->at + f->len > WHOLE_MAX - (v4 ? 20 : 40))
		return refuse(net, rx, PERCH_DROP_frag_too_big);
	w = find_or_start(net, rx, f);
	if (!w)
		return refuse(net, rx, PERCH_DROP_frag_table_full);
	if (w->state == POISONED)
		return refuse(net, rx, PERCH_DROP_frag_overlap);
	switch (fit(w, f, rte_pktmbuf_mtod_offset(rx->m, const uint8_t *, f->data_off))) {
	case IS_COPY:
		return refuse(net, rx, PERCH_DROP_frag_duplicate);
	case OVERLAPS:
		w->state = POISONED;
		return refuse(net, rx, PERCH_DROP_frag_overlap);
	case FITS:
		break;
	}
	keep(w, rx, f);
	rte_pktmbuf_free(rx->m);
	return w->end && w->have_bytes == w->end && deliver(net, rx, w);
}

/* ---- time ----------------------------------------------------------------------------------- */

/* How many bytes have come without a gap: what lies behind one is another datagram's past. */
static uint32_t first_bytes(const struct whole *w)
{
	uint32_t n = 0;

	while (n < UNITS && count_here(w, n, n + 1))
		n++;
	return n * UNIT;
}

/* RFC 792, RFC 4443 section 3.3: the sender is told, if the first piece says who that is. */
static void report_timeout(struct perch_net *net, struct whole *w)
{
	struct rte_mbuf *m = perch_net_alloc(net);
	struct perch_rx rx = {.m = m, .src = w->src, .dst = w->dst, .ifidx = w->ifidx,
		.to_group = w->to_group, .l3_len = (uint16_t)header_len(w)};
	uint32_t len;

	if (!m)
		return;
	len = RTE_MIN(header_len(w) + first_bytes(w), (uint32_t)rte_pktmbuf_tailroom(m));
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), w->bytes, len);
	rte_pktmbuf_adj(m, rx.l3_len);
	if (perch_ip_is_v4(&w->dst))
		perch_icmp_send_error(
			net, &rx, PERCH_ICMP_TIME_EXCEEDED, PERCH_ICMP_REASSEMBLY_TIME, 0);
	else
		perch_icmp_send_error(
			net, &rx, PERCH_ICMP6_TIME_EXCEEDED, PERCH_ICMP_REASSEMBLY_TIME, 0);
	rte_pktmbuf_free(m);
}

void perch_frag_tick(struct perch_net *net)
{
	struct perch_frag_table *t = net->frags;
	struct whole *w;
	uint32_t i;

	if (likely(t->next_ns > net->now_ns))
		return;
	t->next_ns = PERCH_NET_NEVER;
	for (i = 0; i < net->cfg.max_reassemblies; i++) {
		w = &t->wholes[i];
		if (w->state != GATHERING && w->state != POISONED)
			continue;
		if (w->until_ns > net->now_ns) {
			t->next_ns = RTE_MIN(t->next_ns, w->until_ns);
			continue;
		}
		net->drops[PERCH_DROP_frag_timeout] += w->state == GATHERING;
		if (w->state == GATHERING && w->has_first)
			report_timeout(net, w);
		w->state = FREE;
	}
}

int64_t perch_frag_next_tick(const struct perch_net *net)
{
	return net->frags->next_ns;
}
