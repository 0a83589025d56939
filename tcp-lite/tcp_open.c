/* SPDX-License-Identifier: BSD-3-Clause
 * How connections begin and end: listeners, the two opens, and the ways to finish
 * (RFC 9293 section 3.10.1, 3.10.4, 3.10.5).
 */
#include "tcp-lite/tcp_inside.h"

/* ---- listeners ------------------------------------------------------------------------------ */

static uint32_t *head_of(struct perch_tcp *t, uint16_t lport)
{
	return &t->listener_heads[lport % LISTENER_HEADS];
}

static struct perch_tcp_listener *find_exact(
	struct perch_tcp *t, const struct perch_ip *laddr, uint16_t lport)
{
	struct perch_tcp_listener *l;
	uint32_t i;

	for (i = *head_of(t, lport); i; i = l->next) {
		l = &t->listeners[i - 1];
		if (l->lport == lport && perch_ip_equal(&l->laddr, laddr))
			return l;
	}
	return NULL;
}

/* An address of its own beats "any". */
struct perch_tcp_listener *perch_tcp_listener_find(
	struct perch_net *net, const struct perch_ip *laddr, uint16_t lport)
{
	static const struct perch_ip any;
	struct perch_tcp_listener *l = find_exact(net->tcp, laddr, lport);

	return l ? l : find_exact(net->tcp, &any, lport);
}

/* One that is closed and that no connection remembers. */
static struct perch_tcp_listener *free_listener(struct perch_net *net)
{
	struct perch_tcp_listener *l = net->tcp->listeners;
	uint32_t i;

	for (i = 0; i < net->cfg.max_listeners; i++, l++)
		if (!l->open && l->refs == 0)
			return l;
	return NULL;
}

/* 0.0.0.0 and :: are one wish. */
static struct perch_ip any_as_zero(const struct perch_ip *ip)
{
	return perch_ip_is_any(ip) ? (struct perch_ip){.d = {0, 0}} : *ip;
}

int perch_tcp_listen(struct perch_net *net, const struct perch_ip *laddr, uint16_t lport,
	uint32_t backlog, void *cookie)
{
	struct perch_ip addr = any_as_zero(laddr);
	struct perch_tcp *t = net->tcp;
	struct perch_tcp_listener *l;

	if (!perch_ip_is_any(&addr) && !perch_ip_is_ours(net, &addr, NULL))
		return -EADDRNOTAVAIL;
	if (lport == 0 || find_exact(t, &addr, lport))
		return -EADDRINUSE;
	l = free_listener(net);
	if (!l)
		return -ENOBUFS;
	*l = (struct perch_tcp_listener){
		.laddr = addr,
		.lport = lport,
		.open = true,
		.backlog = backlog ? backlog : net->cfg.backlog,
		.next = *head_of(t, lport),
		.cookie = cookie,
	};
	*head_of(t, lport) = (uint32_t)(l - t->listeners) + 1;
	t->counters.listeners++;
	return 0;
}

static void unlink_listener(struct perch_tcp *t, struct perch_tcp_listener *l)
{
	uint32_t *link = head_of(t, l->lport);

	while (*link != (uint32_t)(l - t->listeners) + 1)
		link = &t->listeners[*link - 1].next;
	*link = l->next;
}

int perch_tcp_unlisten(struct perch_net *net, const struct perch_ip *laddr, uint16_t lport)
{
	struct perch_ip addr = any_as_zero(laddr);
	struct perch_tcp *t = net->tcp;
	struct perch_tcp_listener *l = find_exact(t, &addr, lport);
	struct perch_tcb *c;
	uint32_t next = 0;

	if (!l)
		return -ENOENT;
	unlink_listener(t, l);
	l->open = false;
	t->counters.listeners--;
	while (l->half_open > 0 && (c = perch_tcp_each(net, &next))) {
		if (c->state != PERCH_TCP_SYN_RECEIVED || c->listener != l - t->listeners + 1)
			continue;
		perch_tcp_send_reset(net, c);
		perch_tcb_free(net, c);
	}
	return 0;
}

void *perch_tcp_cookie(const struct perch_net *net, const struct perch_tcb *c)
{
	return c->listener ? net->tcp->listeners[c->listener - 1].cookie : NULL;
}

/* ---- what both sides agree on --------------------------------------------------------------- */

/* RFC 9293 section 3.7.1, RFC 6691: options are not taken off what is offered. */
uint16_t perch_tcp_mss_offer(const struct perch_net *net, const struct perch_ip *raddr)
{
	uint16_t mtu = perch_ip_mtu(net, raddr), headers = tcp_headers_bytes(raddr);

	return mtu > headers + MSS_MIN ? (uint16_t)(mtu - headers) : MSS_DEFAULT;
}

/* What a segment to send can hold: also no more than fits into a packet buffer behind its
 * headers. */
uint16_t perch_tcp_mss(const struct perch_net *net, const struct perch_tcb *c)
{
	uint16_t buffer = (uint16_t)(rte_pktmbuf_data_room_size(net->pool) - PAYLOAD_OFF);
	uint16_t mss = RTE_MIN(c->peer_mss, perch_tcp_mss_offer(net, &c->raddr));

	if (c->marks & TCB_TS)
		mss = (uint16_t)(mss - TCP_TIMES_BYTES);
	return RTE_MIN(mss, buffer);
}

void perch_tcp_agree(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *syn)
{
	const struct perch_tcp_opts *o = &syn->opts;

	c->peer_mss = tcp_mss_of(syn);
	c->marks &= (uint16_t)~(TCB_TS | TCB_SACK | TCB_SCALE);
	if (o->has_ts) {
		c->marks |= TCB_TS;
		c->ts_recent = o->ts_val;
		c->ts_heard = tcp_now_minute(net);
	}
	if (o->sack_ok)
		c->marks |= TCB_SACK;
	if (o->has_scale) {
		c->marks |= TCB_SCALE;
		c->snd_scale = o->scale & 0xf;
	}
	c->rcv_nxt = c->rcv_edge = c->rcv_acked = syn->seq + 1;
	if (c->state == PERCH_TCP_SYN_SENT)
		perch_tcp_offer_syn(net, c); /* as our SYN has done */
	c->snd_wnd = syn->wnd; /* that of a SYN is not scaled: RFC 7323 section 2.2 */
	c->snd_wl1 = syn->seq;
	c->snd_wnd_max = RTE_MAX((uint16_t)(syn->wnd >> c->snd_scale), (uint16_t)1);
	c->mss = perch_tcp_mss(net, c);
}

static void number(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_tuple tuple = perch_tuple_of(c);
	struct perch_tcp_numbers numbers = perch_tcp_numbers(net, &tuple);

	c->snd_una = c->snd_nxt = numbers.isn;
	c->ts_offset = numbers.ts_offset;
	perch_tcp_rtt_open(c);
}

/* ---- open ----------------------------------------------------------------------------------- */

int perch_tcp_connect(struct perch_net *net, const struct perch_ip *laddr, uint16_t lport,
	const struct perch_ip *raddr, uint16_t rport, int64_t now_ns, struct perch_tcb **out)
{
	struct perch_tuple tuple = {laddr, raddr, lport, rport};
	struct perch_ip next_hop;
	struct perch_tcb *c;
	unsigned ifidx;

	perch_net_set_time(net, now_ns);
	if (!perch_ip_is_ours(net, laddr, NULL) || lport == 0)
		return -EADDRNOTAVAIL;
	if (perch_ip_is_v4(laddr) != perch_ip_is_v4(raddr) || perch_ip_is_multicast(raddr) ||
		perch_ip_is_any(raddr) || rport == 0 ||
		perch_ip_route(net, raddr, &ifidx, &next_hop, NULL) < 0)
		return -ENETUNREACH;
	if (perch_tcb_find(net, &tuple))
		return -EADDRINUSE;
	c = perch_tcb_new(net, &tuple);
	if (!c)
		return -ENOBUFS;
	number(net, c);
	c->state = PERCH_TCP_SYN_SENT;
	c->marks |= TCB_OWNED;
	c->mss = MSS_DEFAULT;
	net->tcp->counters.opened_active++;
	perch_tcb_touch(net, c);
	*out = c;
	return 0;
}

static struct perch_tcb *half_open(
	struct perch_net *net, struct perch_tcp_listener *l, const struct perch_segment *syn)
{
	struct perch_tcb *c = perch_tcb_new(net, &syn->tuple);

	if (!c)
		return NULL;
	number(net, c);
	perch_tcp_agree(net, c, syn);
	c->listener = (uint16_t)(l - net->tcp->listeners + 1);
	l->refs++;
	l->half_open++;
	c->state = PERCH_TCP_SYN_RECEIVED;
	net->tcp->counters.opened_passive++;
	return c;
}

struct perch_tcb *perch_tcp_passive_open(
	struct perch_net *net, struct perch_tcp_listener *l, const struct perch_segment *s)
{
	struct perch_tcb *c;

	if (l->half_open >= l->backlog) {
		net->drops[PERCH_DROP_tcp_backlog_full] += !perch_tcp_cookie_answer(net, l, s);
		return NULL;
	}
	c = half_open(net, l, s);
	if (c)
		perch_tcb_touch(net, c);
	return c;
}

struct perch_tcb *perch_tcp_cookie_open(
	struct perch_net *net, struct perch_tcp_listener *l, const struct perch_segment *syn,
	uint32_t isn)
{
	struct perch_tcb *c = half_open(net, l, syn);

	if (!c)
		return NULL;
	c->snd_una = isn;
	c->snd_nxt = isn + 1;
	perch_tcp_offer_syn(net, c); /* as the SYN-ACK with the cookie has done */
	net->tcp->counters.cookies_accepted++;
	return c;
}

/* RFC 6298 section 2.2 and (5.7): the first measurement, if there was no doubt about which SYN was
 * answered; a SYN that was lost makes us careful. The timer knows when the SYN left. */
static void measure_handshake(struct perch_net *net, struct perch_tcb *c)
{
	const uint32_t careful_us = 3000000;

	if (c->backoff == 0)
		perch_tcp_rtt_sample(c,
			(net->now_ns - (c->timer_ns - tcp_backed_off_ns(net, c))) / 1000);
	else
		c->rttvar_us = careful_us;
}

void perch_tcp_opened(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s)
{
	bool passive = c->listener != 0;

	if (c->state == PERCH_TCP_SYN_RECEIVED && passive)
		net->tcp->listeners[c->listener - 1].half_open--;
	if (c->timer == TIMER_RESEND)
		measure_handshake(net, c);
	c->state = c->marks & TCB_FIN_QUEUED ? PERCH_TCP_FIN_WAIT_1 : PERCH_TCP_ESTABLISHED;
	c->snd_una = s->ack;
	c->snd_wnd = s->flags & SYN ? s->wnd : (uint32_t)s->wnd << c->snd_scale;
	c->snd_wl1 = s->seq;
	c->snd_wnd_max = RTE_MAX(c->snd_wnd_max, (uint16_t)(c->snd_wnd >> c->snd_scale));
	tcp_forget_tries(c);
	c->marks &= (uint16_t)~TCB_RESEND; /* of our SYN, which has arrived */
	c->error = 0;
	c->marks &= (uint16_t)~TCB_RESEND; /* the SYN's */
	perch_tcp_cc_open(c);
	perch_tcp_timer_restart(net, c);
	if (passive) {
		c->marks |= TCB_OWNED;
		net->tcp->counters.accepted++;
	}
	if (c->marks & TCB_OWNED)
		perch_net_mark_ready(net, &c->flow,
			passive ? PERCH_FLOW_ACCEPTED : PERCH_FLOW_CONNECTED | PERCH_FLOW_WRITABLE);
	if (c->marks & TCB_FIN_QUEUED)
		perch_tcb_touch(net, c);
}

bool perch_tcp_is_open(const struct perch_tcb *c)
{
	return tcp_synchronized(c);
}

/* ---- the end -------------------------------------------------------------------------------- */

/* Is somebody above going to close it? One whose ACCEPTED event is still under way has nobody. */
static bool has_owner(const struct perch_tcb *c)
{
	return (c->marks & TCB_OWNED) && !tcb_undelivered(c);
}

void perch_tcp_fail(struct perch_net *net, struct perch_tcb *c, int err)
{
	if (!has_owner(c)) {
		perch_tcb_free(net, c);
		return;
	}
	perch_tcb_end(net, c);
	c->error = (uint8_t)err;
	perch_net_mark_ready(net, &c->flow,
		PERCH_FLOW_FAILED | PERCH_FLOW_READABLE | PERCH_FLOW_WRITABLE);
}

void perch_tcp_finish(struct perch_net *net, struct perch_tcb *c)
{
	if (!has_owner(c)) {
		perch_tcb_free(net, c);
		return;
	}
	perch_tcb_end(net, c);
	c->error = 0;
}

static void join_wait(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_tcp *t = net->tcp;
	uint32_t id = tcb_id(net, c);

	c->on_wait = true;
	c->tw_prev = t->wait.tail;
	c->tw_next = PERCH_FLOW_NONE;
	if (t->wait.tail == PERCH_FLOW_NONE)
		t->wait.head = id;
	else
		t->tcbs[t->wait.tail].tw_next = id;
	t->wait.tail = id;
}

/* Only one that nobody holds may be evicted, so only those are listed. */
void perch_tcp_enter_time_wait(struct perch_net *net, struct perch_tcb *c)
{
	perch_outbox_free(net, c);
	c->state = PERCH_TCP_TIME_WAIT;
	net->tcp->counters.time_wait++;
	perch_tcp_timer_set(net, c, TIMER_TIME_WAIT, net->now_ns + net->cfg.time_wait_ns);
	if (!(c->marks & TCB_OWNED))
		join_wait(net, c);
}

void perch_tcp_shutdown(struct perch_net *net, struct perch_tcb *c)
{
	if (c->state == PERCH_TCP_CLOSED || (c->marks & TCB_FIN_QUEUED))
		return;
	c->marks |= TCB_FIN_QUEUED;
	c->marks &= (uint16_t)~TCB_WANTS_ROOM;
	c->sent_tick = tcp_coarse(net->now_ns);
	if (c->state == PERCH_TCP_ESTABLISHED)
		c->state = PERCH_TCP_FIN_WAIT_1;
	else if (c->state == PERCH_TCP_CLOSE_WAIT)
		c->state = PERCH_TCP_LAST_ACK;
	if (tcp_synchronized(c))
		perch_tcb_touch(net, c);
}

/* The owner lets go: no more events. */
static void disown(struct perch_net *net, struct perch_tcb *c)
{
	c->marks &= (uint16_t)~(TCB_OWNED | TCB_WANTS_ROOM);
	perch_net_leave_ready(net, &c->flow);
}

void perch_tcp_close(struct perch_net *net, struct perch_tcb *c)
{
	if (c->state == PERCH_TCP_CLOSED || c->state == PERCH_TCP_SYN_SENT) {
		perch_tcb_free(net, c); /* RFC 9293 section 3.10.4: nobody knows of it yet */
		return;
	}
	if (perch_tcp_readable(c) > 0) {
		perch_tcp_abort(net, c);
		return;
	}
	disown(net, c);
	perch_inbox_free(net, c);
	perch_tcp_shutdown(net, c);
	if (c->state == PERCH_TCP_TIME_WAIT)
		join_wait(net, c);
	perch_tcp_timer_choose(net, c); /* nobody waits in FIN-WAIT-2 for ever */
}

/* RFC 9293 section 3.10.5. A connection in TIME-WAIT has been closed by both sides. */
void perch_tcp_abort(struct perch_net *net, struct perch_tcb *c)
{
	if (c->state == PERCH_TCP_TIME_WAIT) {
		disown(net, c);
		perch_inbox_free(net, c);
		join_wait(net, c);
		return;
	}
	if (c->state >= PERCH_TCP_SYN_RECEIVED)
		perch_tcp_send_reset(net, c);
	perch_tcb_free(net, c);
}

int perch_tcp_error(const struct perch_tcb *c)
{
	return c->state == PERCH_TCP_CLOSED ? -(int)c->error : 0;
}

/* ---- what ICMP tells ------------------------------------------------------------------------ */

/* RFC 5927 section 4: it must quote something that is in flight. Then it is a hint, unless the
 * connection is not open yet (RFC 1122 section 4.2.3.9). */
bool perch_tcp_icmp_error(struct perch_net *net, struct perch_icmp_error *e)
{
	struct perch_tuple tuple = {&e->laddr, &e->raddr, e->lport, e->rport};
	struct perch_tcb *c = NULL;

	if (perch_ip_is_v4(&e->laddr) == perch_ip_is_v4(&e->raddr)) /* the peer says what it was */
		c = perch_tcb_find(net, &tuple);
	if (!c || !seq_le(c->snd_una, e->seq) || !seq_lt(e->seq, c->snd_nxt))
		return false;
	if (e->err == -EMSGSIZE)
		e->mtu = perch_tcp_mtu_told(net, c, e->mtu, e->seq) ? e->mtu : 0;
	else if (c->state == PERCH_TCP_SYN_SENT && e->err == -ECONNREFUSED)
		perch_tcp_fail(net, c, ECONNREFUSED);
	else
		c->error = (uint8_t)-e->err;
	return true;
}
