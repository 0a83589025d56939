/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/wire.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "tests/tcp-lite/packets.h"

uint64_t rng_next(struct rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	return rng_next(r) % n;
}

bool rng_chance(struct rng *r, double p)
{
	return (double)(rng_next(r) >> 11) * 0x1p-53 < p;
}

/* ---- pcap ----------------------------------------------------------------------------------- */

FILE *wire_pcap_open(const char *path)
{
	const uint32_t header[6] = {0xa1b23c4d, 2 | 4 << 16, 0, 0, 65535, 1};
	FILE *f = fopen(path, "wb");

	if (f)
		fwrite(header, sizeof(header), 1, f);
	return f;
}

static void record(struct wire *w, const struct rte_mbuf *m, int64_t now_ns)
{
	uint32_t head[4] = {(uint32_t)(now_ns / 1000000000), (uint32_t)(now_ns % 1000000000),
		m->data_len, m->pkt_len};

	if (!w->pcap)
		return;
	fwrite(head, sizeof(head), 1, w->pcap);
	fwrite(rte_pktmbuf_mtod(m, const void *), m->data_len, 1, w->pcap);
}

/* ---- the rules ------------------------------------------------------------------------------ */

struct view { /* a TCP packet of ours, which is well formed */
	struct rte_tcp_hdr *tcp;
	uint32_t payload;
	bool v4;
};

static bool look(struct rte_mbuf *m, struct view *v)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);

	if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4)) {
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(eth + 1);

		v->v4 = true;
		v->tcp = (struct rte_tcp_hdr *)(ip + 1);
		v->payload = rte_be_to_cpu_16(ip->total_length) - sizeof(*ip);
		if (ip->next_proto_id != IPPROTO_TCP)
			return false;
	} else if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6)) {
		struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(eth + 1);

		v->v4 = false;
		v->tcp = (struct rte_tcp_hdr *)(ip + 1);
		v->payload = rte_be_to_cpu_16(ip->payload_len);
		if (ip->proto != IPPROTO_TCP)
			return false;
	} else {
		return false;
	}
	v->payload -= (v->tcp->data_off >> 4) * 4u;
	return true;
}

static void learn_scale(struct wire_end *e, const struct rte_tcp_hdr *h)
{
	const uint8_t *o = (const uint8_t *)(h + 1), *end = (const uint8_t *)h + (h->data_off >> 4) * 4;

	e->scaled = false;
	for (; o < end && *o != 0; o += *o == 1 ? 1 : o[1])
		if (*o == 3) {
			e->scaled = true;
			e->scale = o[2];
		}
}

static void break_rule(struct wire *w, const char *rule)
{
	if (!w->broken)
		w->broken = rule;
}

/* RFC 9293 section 3.8.6: the right edge never moves left, and nobody sends beyond it (but for a
 * probe of a closed window). */
static void watch(struct wire *w, unsigned from, struct wire_packet *p)
{
	struct wire_end *e = &w->ends[from], *peer = &w->ends[!from];
	uint32_t seq, wnd;
	struct view v;
	bool syn;

	if (!look(p->m, &v) || v.tcp->tcp_flags & RTE_TCP_RST_FLAG)
		return;
	syn = v.tcp->tcp_flags & RTE_TCP_SYN_FLAG;
	seq = rte_be_to_cpu_32(v.tcp->sent_seq);
	if (syn) {
		e->seen = e->known = false;
		learn_scale(e, v.tcp);
	}
	if (v.tcp->tcp_flags & RTE_TCP_ACK_FLAG) {
		wnd = rte_be_to_cpu_16(v.tcp->rx_win);
		if (!syn && e->scaled && peer->scaled)
			wnd <<= e->scale;
		p->edge = rte_be_to_cpu_32(v.tcp->recv_ack) + wnd;
		p->offers = true;
		if (e->seen && (int32_t)(p->edge - e->right_edge) < 0)
			break_rule(w, "a window's right edge moved left");
		e->right_edge = p->edge;
		e->seen = true;
	}
	if (v.payload > 0 && peer->known && (int32_t)(seq + v.payload - peer->known_edge) > 0)
		break_rule(w, "data was sent beyond the window that had arrived");
	w->tcp_payloads += v.payload > 0;
}

static void watch_arrival(struct wire *w, const struct wire_packet *p)
{
	struct wire_end *e = &w->ends[!p->to];

	if (!p->offers || (e->known && (int32_t)(p->edge - e->known_edge) <= 0))
		return;
	e->known_edge = p->edge;
	e->known = true;
}

/* ---- packets under way, earliest first ------------------------------------------------------ */

static bool earlier(const struct wire_packet *a, const struct wire_packet *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void push(struct wire *w, struct wire_packet p)
{
	unsigned i = w->n++;

	for (; i > 0 && earlier(&p, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = p;
}

static struct wire_packet pop(struct wire *w)
{
	struct wire_packet first = w->heap[0], last = w->heap[--w->n];
	unsigned i = 0, child;

	while ((child = 2 * i + 1) < w->n) {
		if (child + 1 < w->n && earlier(&w->heap[child + 1], &w->heap[child]))
			child++;
		if (!earlier(&w->heap[child], &last))
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	w->heap[i] = last;
	return first;
}

/* One bit of the IP packet: ARP has no checksum, and a real link's CRC would catch it. */
static void corrupt(struct wire *w, struct rte_mbuf *m)
{
	uint8_t *eth = rte_pktmbuf_mtod(m, uint8_t *);

	if (eth[12] == 8 && eth[13] == 6)
		return;
	eth[14 + rng_below(&w->rng, m->data_len - 14)] ^= (uint8_t)(1 << rng_below(&w->rng, 8));
}

static void fix_checksum(struct view *v)
{
	v->tcp->cksum = 0;
	v->tcp->cksum = v->v4 ? rte_ipv4_udptcp_cksum((void *)((uint8_t *)v->tcp - 20), v->tcp)
	                      : rte_ipv6_udptcp_cksum((void *)((uint8_t *)v->tcp - 40), v->tcp);
}

/* What middleboxes do to SYNs: options become NOPs, and the MSS smaller. */
static void meddle(struct wire *w, struct rte_mbuf *m)
{
	static const unsigned strips[9] = {
		[2] = STRIP_MSS, [3] = STRIP_SCALE, [4] = STRIP_SACK, [8] = STRIP_TIMES};
	uint8_t *o, *end;
	struct view v;

	if (!look(m, &v) || !(v.tcp->tcp_flags & RTE_TCP_SYN_FLAG))
		return;
	o = (uint8_t *)(v.tcp + 1);
	end = (uint8_t *)v.tcp + (v.tcp->data_off >> 4) * 4;
	while (o < end && *o != 0) {
		unsigned len = *o == 1 ? 1 : o[1], kind = *o;

		if (kind == 2 && w->cfg.mss_most && (o[2] << 8 | o[3]) > w->cfg.mss_most) {
			o[2] = (uint8_t)(w->cfg.mss_most >> 8);
			o[3] = (uint8_t)w->cfg.mss_most;
		}
		if (kind < 9 && (w->cfg.strip & strips[kind]))
			memset(o, 1, len);
		o += len;
	}
	fix_checksum(&v);
}

/* Not the cookie that it got. */
static void plant_cookie(struct rte_mbuf *m, unsigned from)
{
	struct view v;

	if (from != 0 || !look(m, &v) || v.tcp->tcp_flags & RTE_TCP_SYN_FLAG)
		return;
	v.tcp->recv_ack ^= RTE_BE32(1u << 20);
	fix_checksum(&v);
}

static void plant(struct wire *w, unsigned from, struct rte_mbuf *m)
{
	struct view v;

	if (w->cfg.plant == PLANT_COOKIE)
		plant_cookie(m, from);
	if (w->tcp_payloads != 5 || !look(m, &v) || v.payload == 0)
		return;
	if (w->cfg.plant == PLANT_BYTE)
		((uint8_t *)v.tcp)[(v.tcp->data_off >> 4) * 4] ^= 0x55;
	if (w->cfg.plant == PLANT_WINDOW)
		v.tcp->rx_win = 0;
	if (w->cfg.plant == PLANT_LEAK)
		rte_mbuf_refcnt_update(m, 1);
	fix_checksum(&v);
	w->tcp_payloads++;
}

/* ---- a narrow path -------------------------------------------------------------------------- */

enum {
	ETHER = sizeof(struct rte_ether_hdr),
	QUOTE4 = sizeof(struct rte_ipv4_hdr) + 8,
	QUOTE6 = 1232, /* of a packet of 1,280 */
};

static struct rte_mbuf *mbuf_of(struct wire *w, const struct frame *f)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

	if (m)
		memcpy(rte_pktmbuf_append(m, (uint16_t)f->len), f->b, f->len);
	return m;
}

/* The way back of a packet, from a router with an address of its own. */
static struct ends way_back(const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_ipv4_hdr *ip4 = (const struct rte_ipv4_hdr *)(eth + 1);
	const struct rte_ipv6_hdr *ip6 = (const struct rte_ipv6_hdr *)(eth + 1);
	struct ends e;

	memcpy(&e.smac, &eth->dst_addr, sizeof(e.smac));
	memcpy(&e.dmac, &eth->src_addr, sizeof(e.dmac));
	if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4)) {
		e.src = packets_ip("10.0.0.254");
		e.dst = perch_ip_from_v4(ip4->src_addr);
	} else {
		e.src = packets_ip("fd00::fe");
		e.dst = perch_ip_from_v6(ip6->src_addr);
	}
	return e;
}

/* RFC 1191 section 4, RFC 4443 section 3.2. */
static void tell(struct wire *w, unsigned from, const struct rte_mbuf *m, int64_t now_ns)
{
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, ETHER);
	struct wire_packet p = {.to = from, .order = w->order++, .at_ns = now_ns + w->cfg.delay_ns};
	struct ends e = way_back(m);
	struct frame f;

	if (perch_ip_is_v4(&e.dst))
		frame_icmp(&f, &e, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, w->cfg.mtu, ip, QUOTE4);
	else
		frame_icmp(&f, &e, ICMP6_PACKET_TOO_BIG, 0, w->cfg.mtu, ip, QUOTE6);
	p.m = mbuf_of(w, &f);
	if (!p.m)
		return;
	record(w, p.m, now_ns);
	push(w, p);
}

/* Is m swallowed, because it is too long at this time? */
static bool swallowed(struct wire *w, unsigned from, const struct rte_mbuf *m, int64_t now_ns)
{
	if (w->cfg.mtu == 0 || m->pkt_len <= ETHER + (unsigned)w->cfg.mtu ||
		now_ns < w->cfg.mtu_from_ns || now_ns >= w->cfg.mtu_until_ns)
		return false;
	if (w->too_long++ == 0)
		w->disturbed_ns = now_ns; /* those that follow are nobody's excuse */
	if (w->cfg.mtu_told && w->n + 3 < WIRE_ROOM && !rng_chance(&w->rng, w->cfg.loss))
		tell(w, from, m, now_ns);
	return true;
}

/* ---- the wire ------------------------------------------------------------------------------- */

static void carry(struct wire *w, const struct wire_packet *sent, int64_t now_ns)
{
	struct wire_packet p = *sent;

	p.m = rte_pktmbuf_copy(sent->m, w->pool, 0, UINT32_MAX);
	if (!p.m)
		return;
	p.order = w->order++;
	p.at_ns = now_ns + w->cfg.delay_ns;
	if (w->cfg.jitter_ns)
		p.at_ns += (int64_t)rng_below(&w->rng, (uint64_t)w->cfg.jitter_ns);
	if (rng_chance(&w->rng, w->cfg.reorder)) {
		p.at_ns += w->cfg.delay_ns + (int64_t)rng_below(&w->rng, 2000000);
		w->disturbed_ns = now_ns;
	}
	if (rng_chance(&w->rng, w->cfg.corrupt)) {
		corrupt(w, p.m);
		w->disturbed_ns = now_ns;
	}
	if (rng_chance(&w->rng, w->cfg.truncate)) {
		rte_pktmbuf_trim(p.m, (uint16_t)rng_below(&w->rng, p.m->pkt_len));
		w->disturbed_ns = now_ns;
	}
	push(w, p);
}

static bool vanishes(const struct wire *w)
{
	return (w->cfg.plant == PLANT_BLACKHOLE || w->cfg.plant == PLANT_TIMEOUT) &&
		w->tcp_payloads > 5;
}

void wire_send(struct wire *w, unsigned from, struct rte_mbuf *m, int64_t now_ns)
{
	struct wire_packet p = {.m = m, .to = !from};

	if (w->cfg.strip || w->cfg.mss_most)
		meddle(w, m);
	if (w->cfg.plant != PLANT_NOTHING)
		plant(w, from, m);
	record(w, m, now_ns);
	watch(w, from, &p);
	w->carried++;
	if (vanishes(w)) {
		/* nobody is told */
	} else if (swallowed(w, from, m, now_ns)) {
		/* and perhaps its sender is told */
	} else if (w->cfg.dead_from_ns && now_ns >= w->cfg.dead_from_ns) {
		w->disturbed_ns = now_ns;
	} else if (w->n + 2 > WIRE_ROOM || rng_chance(&w->rng, w->cfg.loss)) {
		w->disturbed_ns = now_ns;
	} else {
		carry(w, &p, now_ns);
		if (rng_chance(&w->rng, w->cfg.duplicate))
			carry(w, &p, now_ns);
	}
	rte_pktmbuf_free(m);
}

struct rte_mbuf *wire_syn(
	struct wire *w, const struct perch_ip *src, const struct perch_ip *dst, uint16_t port)
{
	const struct ends e = {.src = *src, .dst = *dst, .smac = {{2, 0, 0, 0, 0, 9}},
		.dmac = {{2, 0, 0, 0, 0, dst->b[15]}}};
	struct frame f;

	frame_tcp(&f, &e, port, port, 0, 0, RTE_TCP_SYN_FLAG, 1000, NULL, 0);
	return mbuf_of(w, &f);
}

int64_t wire_next(const struct wire *w)
{
	return w->n ? w->heap[0].at_ns : INT64_MAX;
}

struct rte_mbuf *wire_receive(struct wire *w, int64_t now_ns, unsigned *to)
{
	struct wire_packet p;

	if (w->n == 0 || w->heap[0].at_ns > now_ns)
		return NULL;
	p = pop(w);
	watch_arrival(w, &p);
	*to = p.to;
	return p.m;
}

void wire_clear(struct wire *w)
{
	while (w->n > 0)
		rte_pktmbuf_free(w->heap[--w->n].m);
	if (w->pcap)
		fclose(w->pcap);
	w->pcap = NULL;
}
