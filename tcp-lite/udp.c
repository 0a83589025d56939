/* SPDX-License-Identifier: BSD-3-Clause
 * UDP (RFC 768): sockets by port, their queues, and datagrams in and out.
 */
#include <errno.h>
#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "tcp-lite/icmp.h"
#include "tcp-lite/ip.h"
#include "tcp-lite/mcast.h"
#include "tcp-lite/tcp.h"
#include "tcp-lite/udp.h"

enum udp_limits {
	QUEUE_DEFAULT = 1024,
	EPHEMERAL_FIRST = 49152, /* RFC 6335 section 6 */
	EPHEMERAL_PORTS = 65536 - EPHEMERAL_FIRST,
	NONE = 0xffff, /* no slot */
};

struct perch_udp_table {
	uint32_t bucket_mask;
	uint16_t free;      /* linked by next */
	uint16_t *buckets;  /* by port */
	uint16_t *next;     /* of each slot, in its bucket */
	struct perch_udp *slots;
};

static uint32_t bucket_count(const struct perch_net_config *cfg)
{
	return rte_align32pow2(cfg->max_udp);
}

size_t perch_udp_bytes(const struct perch_net_config *cfg)
{
	return sizeof(struct perch_udp_table) + cfg->max_udp * sizeof(struct perch_udp) +
		(cfg->max_udp + bucket_count(cfg)) * sizeof(uint16_t);
}

void perch_udp_init(struct perch_net *net, void *mem)
{
	struct perch_udp_table *t = mem;
	uint32_t i;

	t->slots = (struct perch_udp *)(t + 1);
	t->next = (uint16_t *)(t->slots + net->cfg.max_udp);
	t->buckets = t->next + net->cfg.max_udp;
	t->bucket_mask = bucket_count(&net->cfg) - 1;
	for (i = 0; i <= t->bucket_mask; i++)
		t->buckets[i] = NONE;
	t->free = NONE;
	for (i = net->cfg.max_udp; i-- > 0; t->free = (uint16_t)i)
		t->next[i] = t->free;
	net->udp = t;
}

static void drop_queue(struct perch_net *net, struct perch_udp *u)
{
	struct rte_mbuf *m;

	while ((m = perch_udp_take(net, u)))
		perch_net_drop(net, PERCH_DROP_udp_unread, m);
}

void perch_udp_fini(struct perch_net *net)
{
	uint32_t i;

	for (i = 0; i < net->cfg.max_udp; i++)
		drop_queue(net, &net->udp->slots[i]);
}

static struct perch_udp *find(
	const struct perch_udp_table *t, const struct perch_ip *laddr, uint16_t lport)
{
	uint16_t slot;

	for (slot = t->buckets[lport & t->bucket_mask]; slot != NONE; slot = t->next[slot])
		if (t->slots[slot].flow.lport == lport &&
			perch_ip_equal(&t->slots[slot].laddr, laddr))
			return &t->slots[slot];
	return NULL;
}

/* The socket of that very address goes before the one of any address. */
static struct perch_udp *lookup(
	const struct perch_udp_table *t, const struct perch_ip *laddr, uint16_t lport)
{
	const struct perch_ip any = {.d = {0, 0}};
	struct perch_udp *u = find(t, laddr, lport);

	return u ? u : find(t, &any, lport);
}

static bool takes_from(const struct perch_udp *u, const struct perch_ip *raddr, uint16_t rport)
{
	return likely(u->rport == 0) || (u->rport == rport && perch_ip_equal(&u->raddr, raddr));
}

/* RFC 1122 section 4.1.3.3: errors are for whoever sent the datagram. An unconnected socket cannot
 * tell which one it was about, so it is not told; a path's MTU has no need of that. */
bool perch_udp_report(struct perch_net *net, const struct perch_icmp_error *e)
{
	struct perch_udp *u = lookup(net->udp, &e->laddr, e->lport);

	if (!u)
		return false;
	if (u->rport == 0 || e->err == -EMSGSIZE)
		return true;
	if (!takes_from(u, &e->raddr, e->rport))
		return false;
	u->error = e->err;
	perch_net_mark_ready(net, &u->flow, PERCH_FLOW_READABLE);
	return true;
}

/* RFC 6056 section 3.3.1, algorithm 1: a random start, then the next free one. 0: all taken. */
static uint16_t pick_port(struct perch_net *net, const struct perch_ip *laddr)
{
	uint32_t i, start = perch_net_random(net);
	uint16_t port;

	for (i = 0; i < EPHEMERAL_PORTS; i++) {
		port = (uint16_t)(EPHEMERAL_FIRST + (start + i) % EPHEMERAL_PORTS);
		if (!find(net->udp, laddr, port))
			return port;
	}
	return 0;
}

int perch_udp_open(struct perch_net *net, const struct perch_ip *laddr, uint16_t lport,
	uint16_t queue_max, struct perch_udp **out)
{
	struct perch_udp_table *t = net->udp;
	struct perch_ip local = {.d = {0, 0}};
	bool group = perch_ip_is_multicast(laddr);
	struct perch_udp *u;
	uint16_t *bucket;

	if (!perch_ip_is_any(laddr)) /* 0.0.0.0 is :: here */
		local = *laddr;
	if (!group && !perch_ip_is_any(&local) && !perch_ip_is_ours(net, &local, NULL))
		return -EADDRNOTAVAIL;
	if (lport == 0)
		lport = pick_port(net, &local);
	if (lport == 0 || (!group && find(t, &local, lport)))
		return -EADDRINUSE;
	if (t->free == NONE)
		return -ENOBUFS;
	u = &t->slots[t->free];
	bucket = &t->buckets[lport & t->bucket_mask];
	t->free = t->next[u - t->slots];
	t->next[u - t->slots] = *bucket;
	*bucket = (uint16_t)(u - t->slots);
	*u = (struct perch_udp){
		.flow = {.kind = PERCH_FLOW_UDP, .lport = lport,
			.waiter = {UINT32_MAX, UINT32_MAX}},
		.laddr = local,
		.queue_max = queue_max ? queue_max : QUEUE_DEFAULT,
	};
	*out = u;
	return 0;
}

void perch_udp_close(struct perch_net *net, struct perch_udp *u)
{
	struct perch_udp_table *t = net->udp;
	uint16_t slot = (uint16_t)(u - t->slots);
	uint16_t *at = &t->buckets[u->flow.lport & t->bucket_mask];

	perch_mcast_leave_all(net, u);
	drop_queue(net, u);
	perch_net_leave_ready(net, &u->flow);
	while (*at != slot)
		at = &t->next[*at];
	*at = t->next[slot];
	t->next[slot] = t->free;
	t->free = slot;
	u->flow.lport = 0;
}

int perch_udp_connect(
	struct perch_net *net, struct perch_udp *u, const struct perch_ip *raddr, uint16_t rport)
{
	struct perch_ip next_hop;
	unsigned ifidx;

	u->error = 0;
	u->rport = 0;
	if (rport == 0)
		return 0;
	if (perch_ip_is_multicast(raddr) || perch_ip_is_broadcast(net, raddr))
		return -EINVAL;
	if (perch_ip_route(net, raddr, &ifidx, &next_hop, NULL) < 0)
		return -ENETUNREACH;
	u->raddr = *raddr;
	u->rport = rport;
	return 0;
}

struct rte_mbuf *perch_udp_take(struct perch_net *net, struct perch_udp *u)
{
	struct rte_mbuf *m = perch_pktq_pop(&u->rxq);

	if (m) {
		u->queued--;
		net->held--;
	}
	return m;
}

/* ---- in ------------------------------------------------------------------------------------- */

/* Moves the end of m to where UDP says that it is. */
static bool length_ok(struct rte_mbuf *m)
{
	const struct rte_udp_hdr *udp = rte_pktmbuf_mtod(m, const struct rte_udp_hdr *);
	uint16_t len;

	if (m->data_len < sizeof(*udp))
		return false;
	len = rte_be_to_cpu_16(udp->dgram_len);
	if (len < sizeof(*udp) || len > m->data_len)
		return false;
	rte_pktmbuf_trim(m, m->data_len - len);
	return true;
}

/* A checksum of zero is none: allowed by RFC 768, not by RFC 8200 section 8.1. */
static bool cksum_ok(const struct perch_rx *rx)
{
	const struct rte_udp_hdr *udp = rte_pktmbuf_mtod(rx->m, const struct rte_udp_hdr *);

	if (udp->dgram_cksum == 0)
		return perch_ip_is_v4(&rx->dst);
	return perch_ip_transport_cksum_ok(rx);
}

static void deliver(struct perch_net *net, struct perch_udp *u, struct perch_rx *rx)
{
	const struct rte_udp_hdr *udp = rte_pktmbuf_mtod(rx->m, const struct rte_udp_hdr *);
	struct perch_pkt *p = perch_pkt(rx->m);

	p->time_ns = net->now_ns;
	p->udp.src = rx->src;
	p->udp.dst = rx->dst;
	p->udp.sport = rte_be_to_cpu_16(udp->src_port);
	p->udp.dport = rte_be_to_cpu_16(udp->dst_port);
	rte_pktmbuf_adj(rx->m, sizeof(*udp));
	perch_pktq_push(&u->rxq, rx->m);
	u->queued++;
	net->held++;
	perch_net_mark_ready(net, &u->flow, PERCH_FLOW_READABLE);
}

static bool is_full(const struct perch_net *net, const struct perch_udp *u)
{
	return u->queued >= perch_net_share(net, u->queue_max);
}

/* Each socket but the last gets a reference to the packet's data of its own. */
static void deliver_to_group(struct perch_net *net, struct perch_rx *rx, uint16_t dport)
{
	struct perch_udp *u, *last = NULL;
	struct perch_rx copy = *rx;
	uint16_t at = 0;

	while ((u = perch_mcast_next_socket(net, rx, dport, &at))) {
		if (is_full(net, u)) {
			net->drops[PERCH_DROP_udp_queue_full]++;
			continue;
		}
		if (last) {
			copy.m = rte_pktmbuf_clone(rx->m, net->pool);
			if (copy.m)
				deliver(net, last, &copy);
			else
				net->drops[PERCH_DROP_mbuf_exhausted]++;
		}
		last = u;
	}
	if (last)
		deliver(net, last, rx);
	else if (at == 0)
		perch_rx_drop(net, rx, PERCH_DROP_udp_no_member);
	else
		rte_pktmbuf_free(rx->m);
}

static void refuse_port(struct perch_net *net, struct perch_rx *rx)
{
	if (perch_ip_is_v4(&rx->dst))
		perch_icmp_send_error(
			net, rx, PERCH_ICMP_UNREACHABLE, PERCH_ICMP_PORT_UNREACHABLE, 0);
	else
		perch_icmp_send_error(
			net, rx, PERCH_ICMP6_UNREACHABLE, PERCH_ICMP6_PORT_UNREACHABLE, 0);
	perch_rx_drop(net, rx, PERCH_DROP_udp_no_port);
}

void perch_udp_input(struct perch_net *net, struct perch_rx *rx)
{
	const struct rte_udp_hdr *udp = rte_pktmbuf_mtod(rx->m, const struct rte_udp_hdr *);
	struct perch_udp *u;

	if (!length_ok(rx->m)) {
		perch_rx_drop(net, rx, PERCH_DROP_udp_truncated);
		return;
	}
	if (!cksum_ok(rx)) {
		perch_rx_drop(net, rx, PERCH_DROP_udp_bad_checksum);
		return;
	}
	if (unlikely(rx->group)) {
		deliver_to_group(net, rx, rte_be_to_cpu_16(udp->dst_port));
		return;
	}
	u = lookup(net->udp, &rx->dst, rte_be_to_cpu_16(udp->dst_port));
	if (!u || !takes_from(u, &rx->src, rte_be_to_cpu_16(udp->src_port)))
		refuse_port(net, rx);
	else if (is_full(net, u))
		perch_rx_drop(net, rx, PERCH_DROP_udp_queue_full);
	else
		deliver(net, u, rx);
}

/* ---- out ------------------------------------------------------------------------------------ */

/* Append len bytes to m, in as many further segments as it takes. */
static bool append(struct perch_net *net, struct rte_mbuf *m, const uint8_t *data, size_t len)
{
	struct rte_mbuf *seg;
	uint16_t n;

	while (len > 0) {
		n = (uint16_t)RTE_MIN(len, (size_t)rte_pktmbuf_tailroom(rte_pktmbuf_lastseg(m)));
		if (n == 0) {
			seg = perch_net_alloc(net);
			if (!seg)
				return false;
			rte_pktmbuf_chain(m, seg);
			continue;
		}
		memcpy(rte_pktmbuf_append(m, n), data, n);
		data += n;
		len -= n;
	}
	return true;
}

static int choose_source(struct perch_net *net, const struct perch_udp *u,
	const struct perch_ip *wish, const struct perch_ip *dst, size_t len, struct perch_ip *src)
{
	bool v4 = perch_ip_is_v4(dst);
	struct perch_ip next_hop;
	unsigned ifidx;
	size_t headers = sizeof(struct rte_udp_hdr) + (v4 ? sizeof(struct rte_ipv4_hdr) : 0);

	if (perch_ip_route(net, dst, &ifidx, &next_hop, src) < 0) {
		net->drops[PERCH_DROP_no_route]++;
		return -ENETUNREACH;
	}
	if (len + headers > UINT16_MAX) {
		net->drops[PERCH_DROP_too_big]++;
		return -EMSGSIZE;
	}
	if (!perch_ip_is_any(&u->laddr) && !perch_ip_is_multicast(&u->laddr))
		*src = u->laddr;
	else if (!perch_ip_is_any(wish) && !perch_ip_is_multicast(wish))
		*src = *wish;
	if (perch_ip_is_v4(src) != v4 || !perch_ip_is_ours(net, src, NULL))
		return -EADDRNOTAVAIL;
	return 0;
}

int perch_udp_send(struct perch_net *net, struct perch_udp *u, const struct perch_ip *src,
	const struct perch_ip *dst, uint16_t dport, const void *data, size_t len)
{
	struct rte_udp_hdr *udp;
	struct perch_ip from;
	struct rte_mbuf *m;
	uint8_t hops;
	int rc = choose_source(net, u, src, dst, len, &from);

	if (rc < 0)
		return rc;
	m = perch_net_alloc(net);
	if (!m)
		return -ENOBUFS;
	udp = (struct rte_udp_hdr *)rte_pktmbuf_append(m, sizeof(*udp));
	udp->src_port = rte_cpu_to_be_16(u->flow.lport);
	udp->dst_port = rte_cpu_to_be_16(dport);
	udp->dgram_len = rte_cpu_to_be_16((uint16_t)(sizeof(*udp) + len));
	udp->dgram_cksum = 0;
	if (!append(net, m, data, len)) {
		rte_pktmbuf_free(m);
		return -ENOBUFS;
	}
	hops = !perch_ip_is_multicast(dst) ? 0 : u->group_hops ? u->group_hops : 1;
	return perch_ip_send(net, m, &from, dst, IPPROTO_UDP, hops, NULL);
}
