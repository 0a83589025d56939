/* SPDX-License-Identifier: BSD-3-Clause
 * The memory of a net's TCP: control blocks, side blocks, listeners and the table, all reserved at
 * open, and the lists that connections wait on.
 */
#include <rte_prefetch.h>
#include <rte_tcp.h>

#include "tcp-lite/tcp_inside.h"

/* ---- layout --------------------------------------------------------------------------------- */

struct layout { /* offsets of the parts */
	size_t tcbs, buckets, answered, listeners, inboxes, outboxes, end;
};

static size_t place(size_t *end, size_t bytes)
{
	size_t at = *end;

	*end += RTE_ALIGN_CEIL(bytes, (size_t)RTE_CACHE_LINE_SIZE);
	return at;
}

/* A side block holds at least one packet, so no more of them are in use than there are packets. */
static uint32_t max_boxes(const struct perch_net_config *cfg)
{
	return RTE_MIN(cfg->max_flows, cfg->pool->size);
}

static struct layout layout_of(const struct perch_net_config *cfg)
{
	struct layout l = {.end = 0};

	place(&l.end, sizeof(struct perch_tcp));
	l.tcbs = place(&l.end, (size_t)cfg->max_flows * sizeof(struct perch_tcb));
	l.buckets = place(&l.end, perch_flow_table_bytes(cfg->max_flows));
	l.answered = place(&l.end, (size_t)cfg->max_flows * sizeof(uint32_t));
	l.listeners = place(&l.end, cfg->max_listeners * sizeof(struct perch_tcp_listener));
	l.inboxes = place(&l.end, (size_t)max_boxes(cfg) * sizeof(struct perch_inbox));
	l.outboxes = place(&l.end, (size_t)max_boxes(cfg) * sizeof(struct perch_outbox));
	return l;
}

size_t perch_tcp_bytes(const struct perch_net_config *cfg)
{
	return cfg->pool ? layout_of(cfg).end : 0; /* perch_net_open will refuse it */
}

/* The smallest shift with which the window field can offer the whole buffer. */
static uint8_t scale_for(uint32_t rcvbuf_bytes)
{
	uint8_t scale = 0;

	while (scale < TCP_SCALE_MAX && rcvbuf_bytes >> scale > UINT16_MAX)
		scale++;
	return scale;
}

/* And no connection takes more than an eighth of the pool. */
static uint16_t mbufs_for(const struct perch_net_config *cfg, uint32_t bytes)
{
	uint32_t most = RTE_MIN(cfg->pool->size / 8, (uint32_t)UINT16_MAX);

	return (uint16_t)RTE_MAX(RTE_MIN(bytes / BYTES_PER_MBUF, most), (uint32_t)MBUFS_MIN);
}

/* How many mbufs may lie in one packet that the port cuts? Every interface must be able to. */
static uint16_t super_pieces(const struct perch_net_config *cfg)
{
	uint16_t least = UINT16_MAX, i;

	for (i = 0; i < cfg->n_ifs; i++) {
		if (!(cfg->ifs[i].tx_offloads & PERCH_NET_TX_TCP_TSO))
			return 0;
		if (cfg->ifs[i].tso_pieces)
			least = RTE_MIN(least, cfg->ifs[i].tso_pieces);
	}
	return least;
}

void perch_tcp_init(struct perch_net *net, void *mem)
{
	const struct perch_net_config *cfg = &net->cfg;
	struct layout l = layout_of(cfg);
	struct perch_tcp *t = mem;
	uint8_t *base = mem;
	unsigned i;

	net->tcp = t;
	t->tcbs = (struct perch_tcb *)(base + l.tcbs);
	t->answered_ms = (uint32_t *)(base + l.answered);
	t->listeners = (struct perch_tcp_listener *)(base + l.listeners);
	t->inboxes = (struct perch_inbox *)(base + l.inboxes);
	t->outboxes = (struct perch_outbox *)(base + l.outboxes);
	t->max_boxes = max_boxes(cfg);
	t->free_head = PERCH_FLOW_NONE;
	t->wait = (struct perch_tcp_list){PERCH_FLOW_NONE, PERCH_FLOW_NONE};
	t->in_mbufs_max = mbufs_for(cfg, cfg->rcvbuf_bytes);
	t->out_mbufs_max = mbufs_for(cfg, cfg->sndbuf_bytes);
	t->rcv_scale = scale_for(cfg->rcvbuf_bytes);
	for (i = 0; i < cfg->n_ifs; i++)
		t->sums |= !(cfg->ifs[i].tx_offloads & PERCH_NET_TX_TCP_CKSUM);
	t->super_pieces = super_pieces(cfg);
	t->cc = perch_tcp_cc_find(cfg->cc);
	net->cfg.cc = t->cc->name; /* the caller's string is not kept */
	perch_flow_table_init(&t->table, (struct perch_flow_bucket *)(base + l.buckets),
		cfg->max_flows, t->tcbs, cfg->secret);
}

void perch_tcp_cut_all(struct perch_net *net)
{
	net->tcp->super_pieces = 0;
}

void perch_tcp_fini(struct perch_net *net)
{
	uint32_t id;

	for (id = 0; id < net->tcp->born; id++) {
		perch_inbox_free(net, &net->tcp->tcbs[id]);
		perch_outbox_free(net, &net->tcp->tcbs[id]);
	}
}

/* For the blocks that come and go with every message: gcc makes "rep stos" of a memset of their
 * size, which takes longer to begin than this takes in all. */
static void clear_lines(void *mem, size_t bytes)
{
	typedef uint64_t part __attribute__((vector_size(16), may_alias));
	part *p = mem, *end = p + bytes / sizeof(*p);

	for (; p != end; p += 4)
		p[0] = p[1] = p[2] = p[3] = (part){0, 0};
}

/* ---- side blocks ---------------------------------------------------------------------------- */

struct perch_inbox *perch_inbox_new(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_tcp *t = net->tcp;
	struct perch_inbox *in = t->free_inbox;

	if (in)
		t->free_inbox = in->next_free;
	else if (t->born_inboxes < t->max_boxes)
		in = &t->inboxes[t->born_inboxes++];
	else
		return NULL; /* packets of foreign pools fill them all */
	clear_lines(in, sizeof(*in));
	c->inbox = tcb_distance(c, in);
	return in;
}

struct perch_outbox *perch_outbox_new(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_tcp *t = net->tcp;
	struct perch_outbox *out = t->free_outbox;

	if (out)
		t->free_outbox = out->next_free;
	else if (t->born_outboxes < t->max_boxes)
		out = &t->outboxes[t->born_outboxes++];
	else
		return NULL;
	clear_lines(out, sizeof(*out));
	out->end = c->snd_nxt;
	out->recover = c->snd_una - 1;
	out->rack_ns = -1;
	out->rack_fack = c->snd_una;
	out->min_rtt_us = UINT32_MAX;
	out->pto_ns = out->reo_ns = PERCH_NET_NEVER;
	out->progress_ns = net->now_ns;
	perch_tlp_resume(out, c);
	c->outbox = tcb_distance(c, out);
	perch_tcp_cc_after_idle(net, c);
	return out;
}

/* Each by itself: its mbuf link, if any, is of a packet on its way, which is not ours. */
static void free_packets(struct rte_mbuf *m)
{
	struct rte_mbuf *next;

	for (; m; m = next) {
		next = perch_pkt(m)->next;
		rte_pktmbuf_free_seg(m);
	}
}

void perch_inbox_free(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_inbox *in = tcb_inbox(c);

	if (!c->inbox)
		return;
	net->held -= in->mbufs + in->early_mbufs;
	free_packets(in->head);
	free_packets(in->early);
	if (in->lent)
		rte_pktmbuf_free_seg(in->lent);
	tcp_give_inbox(net, c);
}

void perch_outbox_free(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *out = tcb_outbox(c);

	if (!c->outbox)
		return;
	net->held -= out->mbufs;
	free_packets(out->head);
	tcp_give_outbox(net, c);
}

/* ---- control blocks ------------------------------------------------------------------------- */

/* Oldest first: they have been quiet for longest (RFC 9293 section 3.6.1 lets us forget early). */
static void evict_time_wait(struct perch_net *net)
{
	struct perch_tcp *t = net->tcp;

	if (t->wait.head == PERCH_FLOW_NONE)
		return;
	net->drops[PERCH_DROP_tcp_timewait_reused]++;
	perch_tcb_free(net, &t->tcbs[t->wait.head]);
}

static struct perch_tcb *take_slot(struct perch_net *net)
{
	struct perch_tcp *t = net->tcp;
	struct perch_tcb *c;

	if (t->free_head == PERCH_FLOW_NONE && t->born == net->cfg.max_flows)
		evict_time_wait(net);
	if (t->free_head != PERCH_FLOW_NONE) {
		c = &t->tcbs[t->free_head];
		t->free_head = c->next_free;
		return c;
	}
	return t->born < net->cfg.max_flows ? &t->tcbs[t->born++] : NULL;
}

struct perch_tcb *perch_tcb_new(struct perch_net *net, const struct perch_tuple *tuple)
{
	struct perch_tcp *t = net->tcp;
	struct perch_tcb *c = take_slot(net);
	uint32_t wheel_word;

	if (!c) {
		net->drops[PERCH_DROP_tcp_flow_table_full]++;
		return NULL;
	}
	wheel_word = c->wheel_word;
	clear_lines(c, sizeof(*c));
	c->wheel_word = wheel_word;
	c->flow.kind = PERCH_FLOW_TCP;
	c->flow.waiter[0] = c->flow.waiter[1] = UINT32_MAX;
	perch_tcb_set_tuple(c, tuple);
	c->timer_ns = PERCH_NET_NEVER;
	c->armed_tick = TICK_NEVER;
	c->keepalive = net->cfg.keepalive_ns != 0;
	c->sent_tick = tcp_coarse(net->now_ns);
	t->answered_ms[tcb_id(net, c)] = tcp_now_ms(net) - CHALLENGE_MS;
	perch_flow_insert(&t->table, perch_flow_hash(&t->table, tuple), tcb_id(net, c));
	t->counters.flows++;
	return c;
}

static void leave_wait(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_tcp *t = net->tcp;

	if (!c->on_wait)
		return;
	if (c->tw_prev == PERCH_FLOW_NONE)
		t->wait.head = c->tw_next;
	else
		t->tcbs[c->tw_prev].tw_next = c->tw_next;
	if (c->tw_next == PERCH_FLOW_NONE)
		t->wait.tail = c->tw_prev;
	else
		t->tcbs[c->tw_next].tw_prev = c->tw_prev;
	c->on_wait = false;
}

void perch_tcb_end(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_tcp *t = net->tcp;
	struct perch_tuple tuple = perch_tuple_of(c);

	if (c->state == PERCH_TCP_CLOSED)
		return;
	if (c->state == PERCH_TCP_TIME_WAIT)
		t->counters.time_wait--;
	if (c->state == PERCH_TCP_SYN_RECEIVED && c->listener)
		t->listeners[c->listener - 1].half_open--;
	leave_wait(net, c);
	perch_flow_remove(&t->table, perch_flow_hash(&t->table, &tuple), tcb_id(net, c));
	perch_outbox_free(net, c);
	c->state = PERCH_TCP_CLOSED;
	c->timer = TIMER_NONE;
	c->timer_ns = PERCH_NET_NEVER;
	c->marks &= (uint16_t)~(TCB_ACK_NOW | TCB_ACK_LATER | TCB_PROBE);
	t->counters.closed++;
}

/* A slot that is still on a list is given back by whoever takes it off. */
static void release_slot(struct perch_net *net, struct perch_tcb *c)
{
	if (c->marks & (TCB_ON_OUTPUT | TCB_ON_ARM)) {
		c->marks |= TCB_ZOMBIE;
		return;
	}
	c->marks = 0;
	c->next_free = net->tcp->free_head;
	net->tcp->free_head = tcb_id(net, c);
}

void perch_tcb_free(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_tcp *t = net->tcp;

	perch_tcb_end(net, c);
	perch_inbox_free(net, c);
	perch_net_leave_ready(net, &c->flow);
	c->flow.kind = 0;
	c->marks &= (uint16_t)~TCB_OWNED;
	if (c->listener)
		t->listeners[c->listener - 1].refs--;
	t->counters.flows--;
	release_slot(net, c);
}

struct perch_tcb *perch_tcb_find(struct perch_net *net, const struct perch_tuple *tuple)
{
	struct perch_tcp *t = net->tcp;
	uint32_t id = perch_flow_find(&t->table, perch_flow_hash(&t->table, tuple), tuple);

	return id == PERCH_FLOW_NONE ? NULL : &t->tcbs[id];
}

/* ---- the list of those with something to send ----------------------------------------------- */

/* Each is listed once, so there is room in front. */
static void pack_output(struct perch_net *net)
{
	struct perch_tcp *t = net->tcp;
	uint32_t i;

	t->output_end -= t->output_first;
	for (i = 0; i < t->output_end; i++)
		perch_net_listed(net, i)->output =
			perch_net_listed(net, t->output_first + i)->output;
	t->output_first = 0;
}

void perch_tcb_touch(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_tcp *t = net->tcp;

	if (c->marks & TCB_ON_OUTPUT)
		return;
	c->marks |= TCB_ON_OUTPUT;
	if (unlikely(t->output_end == net->max_listed))
		pack_output(net);
	perch_net_listed(net, t->output_end++)->output = tcb_id(net, c);
}

/* Take the first off the list, and ask for the one behind it. */
static struct perch_tcb *next_output(const struct perch_net *net)
{
	struct perch_tcp *t = net->tcp;
	struct perch_tcb *c = &t->tcbs[perch_net_listed(net, t->output_first++)->output];

	if (t->output_first == t->output_end)
		t->output_first = t->output_end = 0;
	else
		rte_prefetch0(&t->tcbs[perch_net_listed(net, t->output_first)->output].rcv_nxt);
	c->marks &= (uint16_t)~TCB_ON_OUTPUT;
	return c;
}

/* Each flow that is listed now gets one visit: what it cannot send for want of packet buffers
 * waits for the next turn, and so does everybody when the transmit list is full. */
void perch_tcp_output(struct perch_net *net)
{
	uint32_t left = net->tcp->output_end - net->tcp->output_first;
	struct perch_tcb *c;

	for (; left > 0 && net->n_tx < PERCH_NET_TX; left--) {
		c = next_output(net);
		if (unlikely(c->marks & TCB_ZOMBIE))
			release_slot(net, c);
		else if (!perch_tcp_send_some(net, c))
			perch_tcb_touch(net, c);
	}
}

/* ---- the list of those whose deadline became earlier ---------------------------------------- */

bool perch_tcp_next_arm(struct perch_net *net, uint32_t *id, int64_t *deadline_ns)
{
	struct perch_tcp *t = net->tcp;
	struct perch_tcb *c;

	while (t->n_arm > 0) {
		*id = perch_net_listed(net, --t->n_arm)->arm;
		c = &t->tcbs[*id];
		c->marks &= (uint16_t)~TCB_ON_ARM;
		if (unlikely(c->marks & TCB_ZOMBIE)) {
			release_slot(net, c);
			continue;
		}
		*deadline_ns = perch_tcp_deadline(net, c);
		c->armed_tick = TICK_NEVER;
		if (*deadline_ns == PERCH_NET_NEVER)
			continue; /* called off before the wheel heard of it */
		c->armed_tick = tcp_tick(*deadline_ns);
		return true;
	}
	return false;
}

/* ---- stages of a burst ---------------------------------------------------------------------- */

static bool is_tcp(const struct perch_rx *rx)
{
	return likely(rx->proto == IPPROTO_TCP && !rx->is_arp && rx->m->data_len >= TCP_HEADER);
}

/* The private area is free until the segment is queued: it carries the hash, then the id, from
 * stage to stage. */
static void ask_for_entries(struct perch_net *net, struct perch_rx *rx, unsigned n)
{
	const struct perch_flow_table *table = &net->tcp->table;
	unsigned i;

	for (i = 0; i < n; i++) {
		const struct rte_tcp_hdr *h = rte_pktmbuf_mtod(rx[i].m, const struct rte_tcp_hdr *);
		struct perch_pkt *p = perch_pkt(rx[i].m);
		struct perch_flow_hash hash;

		if (!is_tcp(&rx[i]))
			continue;
		hash = perch_flow_hash(table,
			&(struct perch_tuple){&rx[i].dst, &rx[i].src,
				rte_be_to_cpu_16(h->dst_port), rte_be_to_cpu_16(h->src_port)});
		p->tcp.seq = hash.place;
		p->tcp.len = hash.tag;
		rte_prefetch0(perch_flow_bucket(table, hash));
	}
}

/* Into the second cache: the first has few buffers for misses, and drops what a burst asks beyond
 * them. */
static void ask_for_tcb(const struct perch_tcb *c, bool ip4)
{
	rte_prefetch1(c);
	rte_prefetch1(&c->rcv_nxt);
	if (unlikely(!ip4))
		rte_prefetch1(&c->laddr);
}

/* Most deadlines were put off: then the first line says so, and when to ask again. */
void perch_tcp_prefetch_flow(const struct perch_net *net, uint32_t id)
{
	rte_prefetch1(&net->tcp->tcbs[id < net->tcp->born ? id : 0]);
}

/* Guesses by tag and does not look at the TCB, which is not here yet; input does. */
static void ask_for_tcbs(struct perch_net *net, struct perch_rx *rx, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		struct perch_pkt *p = perch_pkt(rx[i].m);

		if (!is_tcp(&rx[i]))
			continue;
		p->tcp.len = perch_flow_guess(&net->tcp->table,
			(struct perch_flow_hash){p->tcp.seq, p->tcp.len});
		if (likely(p->tcp.len != PERCH_FLOW_NONE))
			ask_for_tcb(&net->tcp->tcbs[p->tcp.len], perch_ip_is_v4(&rx[i].src));
	}
}

/* The outbox of the connection that rx is for, if there is one. */
static struct perch_outbox *outbox_of(const struct perch_net *net, const struct perch_rx *rx)
{
	uint32_t id = is_tcp(rx) ? perch_pkt(rx->m)->tcp.len : PERCH_FLOW_NONE;

	const struct perch_tcb *c = &net->tcp->tcbs[id];

	return id < net->tcp->born && c->outbox ? tcb_outbox(c) : NULL;
}

/* What their ACKs will free: it was written when the last message was sent, and since then all the
 * other connections have had their turns. */
static void ask_for_outboxes(const struct perch_net *net, const struct perch_rx *rx, unsigned n)
{
	const struct perch_outbox *o;
	const char *line;
	unsigned i;

	for (i = 0; i < n; i++) {
		o = outbox_of(net, &rx[i]);
		for (line = (const char *)o; o && line < (const char *)(o + 1);
			line += RTE_CACHE_LINE_SIZE)
			rte_prefetch1(line);
	}
	for (i = 0; i < n; i++) {
		o = outbox_of(net, &rx[i]);
		if (!o || !o->head)
			continue;
		rte_prefetch1(o->head);
		rte_prefetch1(&o->head->next); /* in the second of an mbuf's lines */
		rte_prefetch1(perch_pkt(o->head));
	}
}

void perch_tcp_prefetch(struct perch_net *net, struct perch_rx *rx, unsigned n)
{
	ask_for_entries(net, rx, n);
	ask_for_tcbs(net, rx, n);
	if (net->tcp->counters.flows > FLOWS_IN_CACHE)
		ask_for_outboxes(net, rx, n);
}

/* ---- looking -------------------------------------------------------------------------------- */

const struct perch_tcp_counters *perch_tcp_counters(const struct perch_net *net)
{
	return &net->tcp->counters;
}

struct perch_tcb *perch_tcp_each(struct perch_net *net, uint32_t *next)
{
	struct perch_tcb *c;

	while (*next < net->tcp->born) {
		c = &net->tcp->tcbs[(*next)++];
		if (c->state != PERCH_TCP_CLOSED)
			return c;
	}
	return NULL;
}

static const char *const state_names[] = {
	[PERCH_TCP_CLOSED] = "CLOSED",
	[PERCH_TCP_SYN_SENT] = "SYN-SENT",
	[PERCH_TCP_SYN_RECEIVED] = "SYN-RECEIVED",
	[PERCH_TCP_ESTABLISHED] = "ESTABLISHED",
	[PERCH_TCP_CLOSE_WAIT] = "CLOSE-WAIT",
	[PERCH_TCP_FIN_WAIT_1] = "FIN-WAIT-1",
	[PERCH_TCP_FIN_WAIT_2] = "FIN-WAIT-2",
	[PERCH_TCP_CLOSING] = "CLOSING",
	[PERCH_TCP_LAST_ACK] = "LAST-ACK",
	[PERCH_TCP_TIME_WAIT] = "TIME-WAIT",
};

void perch_tcp_info(
	const struct perch_net *net, const struct perch_tcb *c, struct perch_tcp_info *out)
{
	const struct perch_outbox *o = tcb_outbox(c);
	uint32_t unsent = c->outbox ? seq_span(c->snd_nxt, o->end) : 0;

	*out = (struct perch_tcp_info){
		.state = state_names[c->state],
		.unsent_bytes = unsent,
		.unacked_bytes = c->outbox ? o->end - c->snd_una - unsent : 0,
		.mss_bytes = c->mss,
		.cwnd_bytes = c->on_wait ? 0 : c->cwnd,
		.peer_window_bytes = c->snd_wnd,
		.srtt_ns = (int64_t)(c->srtt_us >> 3) * 1000,
		.rto_ns = tcp_rto_ns(net, c),
	};
}

bool perch_tcp_limit_take(struct perch_net *net, struct perch_tcp_limit *l, uint32_t per_second)
{
	if (net->now_ns >= l->until_ns) {
		/* A fixed number could be counted from outside, and tell one connection's
		 * segments from another's (RFC 5961 section 10, CVE-2016-5696). */
		l->left = per_second / 2 + perch_net_random(net) % per_second;
		l->until_ns = net->now_ns + S_NS;
	}
	if (l->left == 0)
		return false;
	l->left--;
	return true;
}
