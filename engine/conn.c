/* SPDX-License-Identifier: BSD-3-Clause
 * TCP connections as coroutines see them: tcp-lite's calls, with waiting.
 *
 * A struct perch_conn is a struct perch_tcb: there is nothing to add to it but three marks, kept in
 * the fields that tcp-lite leaves to the layer above. user32 is how many bytes the last view holds.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "engine/address.h"
#include "engine/lcore.h"
#include "engine/memory.h"
#include "engine/perch_mbuf.h"
#include "sched/dump.h"
#include "sched/family.h"
#include "tcp-lite/ip.h"
#include "tcp-lite/packet.h"
#include "tcp-lite/tcp.h"

enum conn_mark { /* perch_flow.user8 */
	OF_HANDLER = 1u << 0, /* let go when its handler returns, not before */
	HUNG_UP = 1u << 1,    /* the handler has called perch_hangup */
	ABORTED = 1u << 2,    /* the handler has called perch_abort */
	VIEW_SENT = 1u << 3,  /* the last view was sent on as it lay: its packet is on loan */
};

enum side { READER, WRITER }; /* index of perch_flow.waiter */

static struct perch_tcb *tcb_of(struct perch_conn *c)
{
	return (struct perch_tcb *)c;
}

static struct perch_conn *conn_of(struct perch_tcb *t)
{
	return (struct perch_conn *)t;
}

/* Park until an event of that side. A result other than 0 and -ETIMEDOUT may mean that another
 * coroutine has hung up: then the flow is not touched again. */
static int wait_for(struct perch_lcore *l, struct perch_flow *f, enum side side, int64_t deadline)
{
	int rc;

	if (f->waiter[side] != PERCH_CO_NONE)
		return -EBUSY; /* one reader and one writer at a time */
	f->waiter[side] = perch_co_id(l->sched, perch_co_current(l->sched));
	rc = perch_co_park(l->sched, deadline);
	if (rc != -EBADF)
		f->waiter[side] = PERCH_CO_NONE;
	return rc;
}

static void give_back_view(struct perch_lcore *l, struct perch_tcb *t)
{
	if (t->flow.user32) {
		perch_tcp_consume(l->net, t, t->flow.user32);
		t->flow.user32 = 0;
	} else if (t->flow.user8 & VIEW_SENT) {
		perch_tcp_release(l->net, t);
		t->flow.user8 &= (uint8_t)~VIEW_SENT;
	}
}

static bool is_gone(const struct perch_tcb *t)
{
	return t->flow.user8 & (HUNG_UP | ABORTED);
}

/* Why there is nothing to read: 0 at the end of the stream, a negative errno, or 1: not yet. */
static int why_empty(const struct perch_tcb *t)
{
	int error;

	if (perch_tcp_at_eof(t))
		return 0;
	error = perch_tcp_error(t);
	return error ? error : 1;
}

/* ---- a connection's life -------------------------------------------------------------------- */

static void forget_waiters(struct perch_lcore *l, struct perch_flow *f)
{
	unsigned i;

	for (i = 0; i < 2; i++)
		perch_co_wake_id(l->sched, f->waiter[i], -EBADF);
}

static void let_go(struct perch_lcore *l, struct perch_tcb *t, bool abort)
{
	forget_waiters(l, &t->flow);
	if (abort) {
		perch_tcp_abort(l->net, t);
	} else {
		give_back_view(l, t);
		perch_tcp_close(l->net, t);
	}
}

/* conn_main's frame is part of what every idle connection costs, and holds only t for that reason:
 * what comes before and after the handler is out of line. */
static __attribute__((noinline)) const struct perch_listener *begin(const struct perch_tcb *t)
{
	const struct perch_listener *n = perch_tcp_cookie(perch_lcore_self->net, t);

	perch_co_rename(perch_lcore_self->sched, (perch_co_fn)(void (*)(void))n->fn);
	return n;
}

static __attribute__((noinline)) void end(struct perch_tcb *t)
{
	perch_co_end_children(perch_lcore_self->sched); /* they may use the connection */
	let_go(perch_lcore_self, t, t->flow.user8 & ABORTED);
}

static void conn_main(void *arg)
{
	struct perch_tcb *t = arg;
	const struct perch_listener *n = begin(t);

	n->fn(conn_of(t), n->arg);
	end(t);
}

void perch_conn_accept(struct perch_lcore *l, struct perch_flow *f)
{
	struct perch_tcb *t = (struct perch_tcb *)f;

	f->waiter[READER] = f->waiter[WRITER] = PERCH_CO_NONE;
	f->user8 = OF_HANDLER;
	if (perch_co_spawn(l->sched, conn_main, t, 0))
		return;
	l->net->drops[PERCH_DROP_co_exhausted]++;
	perch_tcp_abort(l->net, t);
}

void perch_shutdown(struct perch_conn *c)
{
	perch_tcp_shutdown(perch_lcore_self->net, tcb_of(c));
}

void perch_hangup(struct perch_conn *c)
{
	struct perch_tcb *t = tcb_of(c);

	if (t->flow.user8 & OF_HANDLER) {
		t->flow.user8 |= HUNG_UP;
		perch_tcp_shutdown(perch_lcore_self->net, t);
	} else {
		let_go(perch_lcore_self, t, false);
	}
}

void perch_abort(struct perch_conn *c)
{
	struct perch_tcb *t = tcb_of(c);

	if (t->flow.user8 & OF_HANDLER)
		t->flow.user8 |= ABORTED;
	else
		let_go(perch_lcore_self, t, true);
}

int perch_listen(struct perch *e, const struct perch_addr *local, uint16_t port,
	perch_handler fn, void *arg)
{
	struct perch_addr addr = {.port = port};
	unsigned i;
	int rc = 0;

	if (!fn || port == 0)
		return -EINVAL;
	if (local)
		memcpy(addr.ip, local->ip, sizeof(addr.ip));
	if (perch_lcore_self && perch_lcore_self->engine == e)
		return perch_lcore_self->phase == PERCH_RUNNING
			? perch_lcore_listen(perch_lcore_self, &addr, fn, arg)
			: -ECANCELED;
	if (atomic_load(&e->running))
		return -EBUSY;
	for (i = 0; i < e->n_lcores && rc == 0; i++)
		rc = perch_lcore_listen(e->lcores[i], &addr, fn, arg);
	return rc;
}

/* ---- dialling ------------------------------------------------------------------------------- */

/* Open from a local port whose answers RSS brings to this lcore. */
static int connect_from(struct perch_lcore *l, struct perch_addr *from, const struct perch_addr *to,
	struct perch_tcb **out)
{
	struct perch_ip laddr = perch_ip_of(from), raddr = perch_ip_of(to);
	struct perch_tcp_ports ports;
	int rc = -EADDRINUSE;
	uint16_t port;
	uint32_t i;

	if (from->port)
		return perch_tcp_connect(
			l->net, &laddr, from->port, &raddr, to->port, l->now_ns, out);
	ports = perch_tcp_ports(l->net, &laddr, &raddr, to->port);
	for (i = 0; i < PERCH_TCP_PORTS && rc == -EADDRINUSE; i++) {
		port = perch_tcp_next_port(&ports);
		if (perch_port_lcore_of(l->port, to->ip, from->ip, to->port, port, IPPROTO_TCP) ==
			l->id)
			rc = perch_tcp_connect(
				l->net, &laddr, port, &raddr, to->port, l->now_ns, out);
	}
	return rc;
}

int perch_dial(const struct perch_addr *to, const struct perch_addr *from,
	struct perch_conn **out, int64_t deadline_ns)
{
	struct perch_lcore *l = perch_lcore_self;
	struct perch_ip raddr = perch_ip_of(to), next_hop, laddr;
	struct perch_addr source;
	struct perch_tcb *t;
	unsigned ifidx;
	int rc;

	*out = NULL;
	if (to->port == 0)
		return -EINVAL;
	rc = perch_ip_route(l->net, &raddr, &ifidx, &next_hop, &laddr);
	if (rc < 0)
		return rc;
	source = from ? *from : perch_addr_of(&laddr, 0);
	rc = connect_from(l, &source, to, &t);
	if (rc < 0)
		return rc;
	t->flow.waiter[READER] = t->flow.waiter[WRITER] = PERCH_CO_NONE;
	while (rc == 0 && !perch_tcp_is_open(t)) {
		rc = perch_tcp_error(t);
		if (rc == 0)
			rc = wait_for(l, &t->flow, WRITER, deadline_ns);
	}
	if (rc < 0) {
		let_go(l, t, true);
		return rc;
	}
	*out = conn_of(t);
	return 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* By a call, where somebody waits: the address of a thread-local kept in a frame is a word more. */
static __attribute__((noinline)) struct perch_lcore *here(void)
{
	return perch_lcore_self;
}

enum { MUST_WAIT = 2 };

/* Can `enough` bytes be read? 1, 0 at the end of the stream (some may be left), a negative errno,
 * or MUST_WAIT: this coroutine is the reader now, and has only to park. */
static int look(struct perch_tcb *t, uint32_t enough, int64_t deadline_ns)
{
	int rc;

	if (perch_tcp_readable(t) >= enough)
		return 1;
	rc = why_empty(t);
	if (rc <= 0)
		return rc;
	if (t->flow.waiter[READER] != PERCH_CO_NONE)
		return -EBUSY; /* one reader at a time */
	t->flow.waiter[READER] = perch_co_note_deadline(perch_lcore_self->sched, deadline_ns);
	return MUST_WAIT;
}

static __attribute__((noinline)) int look_first(
	struct perch_tcb *t, uint32_t enough, int64_t deadline_ns)
{
	if (is_gone(t))
		return -EBADF;
	give_back_view(perch_lcore_self, t);
	return look(t, enough, deadline_ns);
}

/* After a park that returned rc; see wait_for. */
static __attribute__((noinline)) int look_again(struct perch_tcb *t, uint32_t enough, int rc)
{
	if (rc != -EBADF)
		t->flow.waiter[READER] = PERCH_CO_NONE;
	if (likely(rc >= 0) && likely(perch_tcp_readable(t) >= enough))
		return 1;
	return rc < 0 ? rc : look(t, enough, perch_co_noted_deadline(perch_lcore_self->sched));
}

/* Wait until `enough` bytes can be read. Returns 1 when they can, or as look. Inlined where it
 * waits, and with nothing but t to be kept meanwhile: the frames of those who wait for the peer are
 * what an idle connection costs. */
static inline __attribute__((always_inline)) int wait_readable(
	struct perch_tcb *t, uint32_t enough, int64_t deadline_ns)
{
	int rc = look_first(t, enough, deadline_ns);

	while (rc == MUST_WAIT)
		rc = look_again(t, enough, perch_co_park_noted(here()->sched));
	return rc;
}

static __attribute__((noinline)) struct perch_bytes view(struct perch_tcb *t)
{
	struct perch_bytes b;

	t->flow.user32 = perch_tcp_peek(t, &b.data);
	b.len = t->flow.user32;
	perch_lcore_self->viewed = t;
	return b;
}

struct perch_bytes perch_next(struct perch_conn *c, int64_t deadline_ns)
{
	struct perch_tcb *t = tcb_of(c);
	int rc = wait_readable(t, 1, deadline_ns);

	return rc > 0 ? view(t) : (struct perch_bytes){NULL, rc};
}

int perch_next_many(
	struct perch_conn *c, struct perch_bytes *views, unsigned n, int64_t deadline_ns)
{
	struct perch_tcb *t = tcb_of(c);
	int rc = n > 0 ? wait_readable(t, 1, deadline_ns) : -EINVAL;
	struct rte_mbuf *at = NULL;
	unsigned i;

	if (rc <= 0)
		return rc;
	for (i = 0; i < n; i++) {
		views[i].len = perch_tcp_peek_on(t, &at, &views[i].data);
		if (views[i].len == 0)
			break;
		t->flow.user32 += (uint32_t)views[i].len;
	}
	perch_lcore_self->viewed = t;
	return (int)i;
}

int64_t perch_read(struct perch_conn *c, void *buf, size_t len, int64_t deadline_ns)
{
	struct perch_tcb *t = tcb_of(c);
	int rc;

	if (len == 0)
		return -EINVAL;
	rc = wait_readable(t, 1, deadline_ns);
	if (rc <= 0)
		return rc;
	len = perch_tcp_copy(t, 0, buf, (uint32_t)RTE_MIN(len, (size_t)UINT32_MAX));
	perch_tcp_consume(perch_lcore_self->net, t, (uint32_t)len);
	return (int64_t)len;
}

struct perch_bytes perch_want(struct perch_conn *c, size_t n, int64_t deadline_ns)
{
	struct perch_tcb *t = tcb_of(c);
	struct perch_bytes b = {NULL, -EINVAL};
	int rc;

	if (n == 0 || n > PERCH_WANT_MAX)
		return b;
	b.len = wait_readable(t, (uint32_t)n, deadline_ns);
	if (b.len < 0)
		return b;
	rc = perch_tcp_pull(
		perch_lcore_self->net, t, RTE_MIN((uint32_t)n, perch_tcp_readable(t)));
	b.len = rc < 0 ? rc : (int64_t)perch_tcp_peek(t, &b.data);
	return b;
}

int perch_take(struct perch_conn *c, size_t n)
{
	struct perch_tcb *t = tcb_of(c);

	if (n > perch_tcp_readable(t) - t->flow.user32)
		return -EINVAL;
	give_back_view(perch_lcore_self, t);
	perch_tcp_consume(perch_lcore_self->net, t, (uint32_t)n);
	return 0;
}

int64_t perch_rx_time(const struct perch_conn *c)
{
	return perch_tcp_rx_time((const struct perch_tcb *)c);
}

/* ---- writing -------------------------------------------------------------------------------- */

/* A view that is written as a whole, to its own connection or another, goes as it lies. The one
 * that was viewed may have ended since: then its slot holds no view, or not this one. */
static bool send_on(struct perch_lcore *l, struct perch_tcb *t, const void *data, size_t len)
{
	struct perch_tcb *from = l->viewed;

	if (!from || len == 0 || from->flow.user32 != len ||
		!perch_tcp_forward(l->net, from, t, data, (uint32_t)len))
		return false;
	from->flow.user32 = 0;
	from->flow.user8 |= VIEW_SENT;
	return true;
}

/* A write has taken n of the bytes that were left, or n is why not: wait until there is room for
 * more. Returns 0 or why the whole must end. */
static int wait_writable(struct perch_lcore *l, struct perch_tcb *t, int64_t n, int64_t deadline_ns)
{
	const int64_t pool_retry_ns = 1000000;
	int rc;

	if (n > 0)
		return 0; /* only a write that takes nothing asks to be woken */
	if (n == -ENOBUFS) /* the pool is empty: others must let go of packets first */
		rc = wait_for(l, &t->flow, WRITER, RTE_MIN(deadline_ns, l->now_ns + pool_retry_ns));
	else if (n < 0)
		return (int)n;
	else
		rc = wait_for(l, &t->flow, WRITER, deadline_ns);
	return rc == -ETIMEDOUT && l->now_ns < deadline_ns ? 0 : rc;
}

/* Queue all of it, by a copy or, if there is a loan, as it lies in that. */
static int64_t send_whole(struct perch_lcore *l, struct perch_tcb *t,
	const struct perch_tcp_loan *loan, const uint8_t *from, size_t len, int64_t deadline_ns)
{
	uint32_t piece;
	size_t done = 0;
	int64_t n;
	int rc;

	for (;;) {
		piece = (uint32_t)RTE_MIN(len - done, (size_t)UINT32_MAX);
		n = loan ? perch_tcp_lend(l->net, t, loan, from + done, piece)
			 : perch_tcp_write(l->net, t, from + done, piece);
		done += n > 0 ? (size_t)n : 0;
		if (done == len && n >= 0)
			return (int64_t)len;
		rc = wait_writable(l, t, n, deadline_ns);
		if (rc < 0)
			return rc;
	}
}

int64_t perch_write(struct perch_conn *c, const void *data, size_t len, int64_t deadline_ns)
{
	struct perch_lcore *l = perch_lcore_self;
	struct perch_tcb *t = tcb_of(c);

	if (is_gone(t))
		return -EBADF;
	if (send_on(l, t, data, len))
		return (int64_t)len;
	return send_whole(l, t, NULL, data, len, deadline_ns);
}

int64_t perch_lend(struct perch_conn *c, struct perch_memory *m, size_t offset, size_t len,
	int64_t deadline_ns)
{
	struct perch_tcb *t = tcb_of(c);

	if (is_gone(t))
		return -EBADF;
	if (offset > m->bytes || len > m->bytes - offset)
		return -EINVAL;
	return send_whole(perch_lcore_self, t, &m->loan,
		(const uint8_t *)m->loan.data + offset, len, deadline_ns);
}

int perch_wait_acked(struct perch_conn *c, size_t left, int64_t deadline_ns)
{
	struct perch_tcb *t = tcb_of(c);
	int rc = 0;

	while (rc == 0) {
		if (is_gone(t))
			return -EBADF;
		rc = perch_tcp_error(t);
		if (rc == 0 && perch_tcp_unacked(t) <= left)
			return 0;
		if (rc == 0)
			rc = wait_for(here(), &t->flow, WRITER, deadline_ns);
	}
	return rc;
}

/* ---- packets as they are -------------------------------------------------------------------- */

struct rte_mbuf *perch_mbuf_alloc(void)
{
	return perch_net_alloc(perch_lcore_self->net);
}

int64_t perch_next_mbuf(struct perch_conn *c, struct rte_mbuf **out, int64_t deadline_ns)
{
	struct perch_tcb *t = tcb_of(c);
	int rc = wait_readable(t, 1, deadline_ns);

	*out = NULL;
	if (rc <= 0)
		return rc;
	*out = perch_tcp_take_mbuf(perch_lcore_self->net, t);
	return (*out)->data_len;
}

int64_t perch_write_mbuf(struct perch_conn *c, struct rte_mbuf *m, int64_t deadline_ns)
{
	struct perch_lcore *l = perch_lcore_self;
	struct perch_tcb *t = tcb_of(c);
	int64_t len = m->data_len;
	int rc;

	if (is_gone(t))
		return -EBADF;
	if (rte_pktmbuf_priv_size(m->pool) < PERCH_PKT_PRIV)
		return -EINVAL;
	for (;;) {
		rc = perch_tcp_write_mbuf(l->net, t, m);
		if (rc == 0)
			return len;
		rc = wait_writable(l, t, rc == -EAGAIN ? 0 : rc, deadline_ns);
		if (rc < 0)
			return rc;
	}
}

int perch_push(struct perch_conn *c)
{
	struct perch_tcb *t = tcb_of(c);

	if (is_gone(t))
		return -EBADF;
	perch_lcore_push(perch_lcore_self, t);
	return 0;
}

int perch_warm(struct perch_conn *c, const void *data, size_t len)
{
	struct perch_lcore *l = perch_lcore_self;
	struct perch_tcb *t = tcb_of(c);
	struct rte_mbuf *m;
	int rc;

	if (is_gone(t))
		return -EBADF;
	if (l->muted_now)
		return -EPERM;
	rc = perch_tcp_warm(l->net, t, data, (uint32_t)RTE_MIN(len, (size_t)UINT32_MAX), &m);
	if (rc < 0)
		return rc;
	perch_port_warm(l->port, m);
	rte_pktmbuf_free(m);
	return 0;
}

/* ---- when to give up ------------------------------------------------------------------------ */

void perch_keepalive(struct perch_conn *c, bool on)
{
	struct perch_tcb *t = tcb_of(c);

	if (!is_gone(t))
		perch_tcp_set_keepalive(here()->net, t, on);
}

int perch_user_timeout(struct perch_conn *c, int64_t ns)
{
	struct perch_tcb *t = tcb_of(c);

	return is_gone(t) ? -EBADF : perch_tcp_set_user_timeout(here()->net, t, ns);
}

/* ---- looking -------------------------------------------------------------------------------- */

void perch_flow_info(const struct perch_conn *c, struct perch_flow_info *out)
{
	const struct perch_tcb *t = (const struct perch_tcb *)c;
	struct perch_tcp_info i;

	perch_tcp_info(perch_lcore_self->net, t, &i);
	*out = (struct perch_flow_info){
		.local = perch_addr_of(&t->laddr, t->flow.lport),
		.remote = perch_addr_of(&t->raddr, t->rport),
		.state = i.state,
		.readable_bytes = perch_tcp_readable(t),
		.unsent_bytes = i.unsent_bytes,
		.unacked_bytes = i.unacked_bytes,
		.mss_bytes = i.mss_bytes,
		.cwnd_bytes = i.cwnd_bytes,
		.peer_window_bytes = i.peer_window_bytes,
		.srtt_ns = i.srtt_ns,
		.rto_ns = i.rto_ns,
	};
}
