/* SPDX-License-Identifier: BSD-3-Clause
 * The public API, used as a user would, between two engines in one process.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_common.h>
#include <rte_ethdev.h>

#include "drivers-glue/vdev.h"
#include "tests/engine/pair.h"
#include "tests/suite.h"

enum { PORT = 7, MS = 1000000 };

/* What a client coroutine found, for the test to assert. Outlives the coroutine. */
struct found {
	struct perch_addr to;
	bool done, v6;
	int rc;
	int64_t n, n2;
	uint64_t total, wrong;
	char text[256];
	int64_t times[4];
	struct perch_flow_info info;
};

static struct perch_addr server(bool v6, uint16_t port)
{
	struct perch_addr a;

	CU_ASSERT_EQUAL_FATAL(perch_addr_parse(v6 ? PAIR_B6 : PAIR_B4, port, &a), 0);
	return a;
}

static int64_t in_ms(int64_t ms)
{
	return perch_now() + ms * MS;
}

/* Run client on A until it says done; server coroutines are already set up on B. */
static void converse(struct pair *p, void (*client)(void *), struct found *f, int ms)
{
	f->to = server(f->v6, f->to.port ? f->to.port : PORT);
	CU_ASSERT_EQUAL(perch_start(p->a, 0, client, f, 0), 0);
	CU_ASSERT_TRUE(pair_turn(p, &f->done, ms));
}

static void echo(struct perch_conn *c, void *arg)
{
	struct perch_bytes b;

	(void)arg;
	while ((b = perch_next(c, PERCH_FOREVER)).len > 0)
		if (perch_write(c, b.data, (size_t)b.len, PERCH_FOREVER) < 0)
			break;
}

/* ---- TCP ------------------------------------------------------------------------------------ */

static void say_hello(void *arg)
{
	struct found *f = arg;
	struct perch_conn *c;

	f->rc = perch_dial(&f->to, NULL, &c, in_ms(4000)); /* a lost SYN costs 1 s (RFC 6298) */
	if (f->rc == 0) {
		perch_write(c, "hello", 5, in_ms(1000));
		f->n = perch_read(c, f->text, sizeof(f->text), in_ms(1000));
		f->times[0] = perch_rx_time(c);
		f->times[1] = perch_now();
		perch_flow_info(c, &f->info);
		perch_shutdown(c);
		f->n2 = perch_read(c, f->text + 64, 64, in_ms(1000));
		perch_hangup(c);
	}
	f->done = true;
}

static void echo_over(bool v6)
{
	struct found f = {.v6 = v6};
	struct pair p;

	CU_ASSERT_TRUE_FATAL(pair_open(&p, NULL));
	CU_ASSERT_EQUAL(perch_listen(p.b, NULL, PORT, echo, NULL), 0);
	converse(&p, say_hello, &f, 5000);
	CU_ASSERT_EQUAL(f.rc, 0);
	CU_ASSERT_EQUAL(f.n, 5);
	CU_ASSERT_NSTRING_EQUAL(f.text, "hello", 5);
	CU_ASSERT_EQUAL(f.n2, 0); /* our FIN was answered by theirs */
	CU_ASSERT_STRING_EQUAL(f.info.state, "ESTABLISHED");
	CU_ASSERT_EQUAL(f.info.remote.port, PORT);
	CU_ASSERT_TRUE(f.times[0] > 0 && f.times[0] <= f.times[1]);
	CU_ASSERT_EQUAL(pair_counter(p.b, "tcp_accepted"), 1);
	pair_close(&p);
}

static void echo_v4(void)
{
	echo_over(false);
}

static void echo_v6(void)
{
	echo_over(true);
}

/* ---- views that are sent on ----------------------------------------------------------------- */

enum sent_on_mode { SENT_BACK, SENT_TWICE, SENT_ELSEWHERE, SENT_AND_ABORTED, SENT_MODES };

struct sent_on {
	enum sent_on_mode mode;
	struct perch_addr to;
	struct perch_conn *other; /* SENT_ELSEWHERE: where to */
	bool readable;
	volatile bool done;
	int64_t came; /* bytes, all of them right */
};

static void other_end(struct perch_conn *c, void *arg)
{
	struct sent_on *s = arg;

	s->other = c;
	while (perch_next(c, PERCH_FOREVER).len > 0)
		;
}

/* After the write it sleeps until the peer has acknowledged, and its packet would have been used
 * again were it not on loan; the view must still be what it was. */
static void send_on(struct perch_conn *c, void *arg)
{
	struct sent_on *s = arg;
	struct perch_bytes b;

	while (!s->other)
		perch_yield();
	b = perch_next(c, PERCH_FOREVER);
	CU_ASSERT_EQUAL(b.len, 1000);
	if (s->mode != SENT_ELSEWHERE)
		s->other = c;
	perch_write(s->other, b.data, (size_t)b.len, PERCH_FOREVER);
	if (s->mode == SENT_TWICE)
		perch_write(s->other, b.data, (size_t)b.len, PERCH_FOREVER);
	if (s->mode == SENT_AND_ABORTED)
		perch_abort(c);
	perch_sleep(in_ms(60));
	s->readable = ((const char *)b.data)[0] == 'a' && ((const char *)b.data)[999] == 'z';
	if (s->mode != SENT_AND_ABORTED)
		CU_ASSERT_EQUAL(perch_next(c, PERCH_FOREVER).len, 0);
}

static void send_thousand(void *arg)
{
	struct sent_on *s = arg;
	struct perch_conn *c, *d, *from;
	char message[1000], back[1000];
	int64_t n, i;

	memset(message, 'm', sizeof(message));
	message[0] = 'a';
	message[999] = 'z';
	CU_ASSERT_EQUAL_FATAL(perch_dial(&s->to, NULL, &c, in_ms(4000)), 0);
	s->to.port++;
	CU_ASSERT_EQUAL_FATAL(perch_dial(&s->to, NULL, &d, in_ms(4000)), 0);
	perch_write(c, message, sizeof(message), PERCH_FOREVER);
	from = s->mode == SENT_ELSEWHERE ? d : c;
	while ((n = perch_read(from, back, sizeof(back), in_ms(30))) > 0)
		for (i = 0; i < n; i++, s->came++)
			CU_ASSERT_EQUAL(back[i], message[s->came % 1000]);
	memset(message, 'x', sizeof(message));
	for (i = 0; i < 100; i++)
		perch_write(d, message, sizeof(message), PERCH_FOREVER);
	perch_sleep(in_ms(40));
	perch_hangup(c);
	perch_hangup(d);
	perch_sleep(in_ms(20));
	s->done = true;
}

static void views_are_sent_on(void)
{
	static const int64_t comes[SENT_MODES] = {1000, 2000, 1000, 1000};
	unsigned mode;
	struct pair p;

	CU_ASSERT_TRUE_FATAL(pair_open(&p, NULL));
	for (mode = 0; mode < SENT_MODES; mode++) {
		uint16_t port = (uint16_t)(PORT + 2 * mode);
		struct sent_on s = {.mode = mode, .to = server(false, port)};

		perch_listen(p.b, NULL, port, send_on, &s);
		perch_listen(p.b, NULL, port + 1, other_end, &s);
		perch_start(p.a, 0, send_thousand, &s, 0);
		CU_ASSERT_TRUE(pair_turn(&p, &s.done, 5000));
		CU_ASSERT_EQUAL(pair_counter(p.b, "tcp_forwarded"), mode + 1);
		CU_ASSERT_TRUE(s.readable);
		CU_ASSERT_EQUAL(s.came, comes[mode]);
	}
	pair_close(&p);
}

static void dial_nobody(void *arg)
{
	struct found *f = arg;
	struct perch_conn *c = (void *)1;
	struct perch_addr far;

	f->rc = perch_dial(&f->to, NULL, &c, in_ms(1000));
	CU_ASSERT_PTR_NULL(c);
	perch_addr_parse("192.0.2.1", 7, &far);
	f->n = perch_dial(&far, NULL, &c, in_ms(1000));
	perch_addr_parse("10.99.0.77", 7, &far); /* on the link, but nobody is there */
	f->times[0] = perch_now();
	f->n2 = perch_dial(&far, NULL, &c, in_ms(50));
	f->times[1] = perch_now();
	f->done = true;
}

static void dial_failures(void)
{
	struct found f = {.v6 = false};
	struct pair p;

	CU_ASSERT_TRUE_FATAL(pair_open(&p, NULL));
	converse(&p, dial_nobody, &f, 5000);
	CU_ASSERT_EQUAL(f.rc, -ECONNREFUSED);
	CU_ASSERT_EQUAL(f.n, -ENETUNREACH);
	CU_ASSERT_EQUAL(f.n2, -ETIMEDOUT);
	CU_ASSERT_TRUE(f.times[1] - f.times[0] >= 50 * MS);
	CU_ASSERT_EQUAL(pair_counter(p.b, "drop_tcp_no_flow"), 1);
	pair_close(&p);
}

/* Frames of a two-byte length and that many bytes, in pieces that do not match packets. */
static void framed_server(struct perch_conn *c, void *arg)
{
	struct found *f = arg;
	struct perch_bytes b;
	size_t len;

	for (;;) {
		b = perch_want(c, 2, PERCH_FOREVER);
		if (b.len < 2)
			break;
		len = (size_t)((const uint8_t *)b.data)[0] << 8 | ((const uint8_t *)b.data)[1];
		b = perch_want(c, 2 + len, PERCH_FOREVER);
		if (b.len < (int64_t)(2 + len))
			break;
		f->total++;
		for (size_t i = 0; i < len; i++)
			f->wrong += ((const uint8_t *)b.data)[2 + i] != (uint8_t)(len + i);
		perch_take(c, 2 + len);
	}
	f->n = b.len;
	f->rc = perch_take(c, 1);
	f->n2 = perch_want(c, PERCH_WANT_MAX + 1, PERCH_FOREVER).len;
	f->done = true;
}

static void framed_client(void *arg)
{
	struct found *f = arg;
	uint8_t frame[2 + 1300];
	struct perch_conn *c;
	size_t len, i, piece;

	f->rc = perch_dial(&f->to, NULL, &c, in_ms(1000));
	for (len = 1; f->rc == 0 && len <= 1300; len += 37) {
		frame[0] = (uint8_t)(len >> 8);
		frame[1] = (uint8_t)len;
		for (i = 0; i < len; i++)
			frame[2 + i] = (uint8_t)(len + i);
		for (i = 0; i < 2 + len; i += piece) {
			piece = RTE_MIN((size_t)177, 2 + len - i);
			perch_write(c, frame + i, piece, PERCH_FOREVER);
			perch_yield();
		}
	}
	perch_hangup(c);
	f->done = true;
}

static void framed(void)
{
	struct found client = {.v6 = false}, srv = {.v6 = false};
	struct pair p;

	CU_ASSERT_TRUE_FATAL(pair_open(&p, NULL));
	CU_ASSERT_EQUAL(perch_listen(p.b, NULL, PORT, framed_server, &srv), 0);
	converse(&p, framed_client, &client, 5000);
	CU_ASSERT_TRUE(pair_turn(&p, &srv.done, 5000));
	CU_ASSERT_EQUAL(srv.total, (1300 - 1) / 37 + 1);
	CU_ASSERT_EQUAL(srv.wrong, 0);
	CU_ASSERT_EQUAL(srv.n, 0);           /* the end, between two frames */
	CU_ASSERT_EQUAL(srv.rc, -EINVAL);    /* nothing to take */
	CU_ASSERT_EQUAL(srv.n2, -EINVAL);
	pair_close(&p);
}

struct stream {
	struct perch_conn *c;
	struct found *f;
	uint64_t bytes, sent;
};

static void stream_writer(void *arg)
{
	struct stream *s = arg;
	uint8_t buf[1000];
	size_t i, n;

	while (s->sent < s->bytes) {
		n = RTE_MIN(sizeof(buf), s->bytes - s->sent);
		for (i = 0; i < n; i++)
			buf[i] = (uint8_t)((s->sent + i) % 251);
		if (perch_write(s->c, buf, n, PERCH_FOREVER) < 0)
			return;
		s->sent += n;
	}
	perch_shutdown(s->c);
}

static void stream_client(void *arg)
{
	struct stream *s = arg;
	struct found *f = s->f;
	struct perch_bytes b;

	f->rc = perch_dial(&f->to, NULL, &s->c, in_ms(1000));
	if (f->rc == 0) {
		CU_ASSERT_EQUAL(perch_spawn(stream_writer, s, 0), 0);
		while ((b = perch_next(s->c, in_ms(2000))).len > 0)
			for (int64_t i = 0; i < b.len; i++)
				f->wrong += ((const uint8_t *)b.data)[i] != f->total++ % 251;
		f->n = b.len;
		perch_hangup(s->c);
	}
	f->done = true;
}

/* A reader and a writer on one connection, both directions full, far more than the buffers hold. */
static void full_duplex(void)
{
	const struct perch_config small = {.sndbuf_bytes = 20000, .rcvbuf_bytes = 20000};
	struct found f = {.to = server(false, PORT)};
	struct stream s = {.f = &f, .bytes = 8000000};
	struct pair p;

	CU_ASSERT_TRUE_FATAL(pair_open(&p, &small));
	CU_ASSERT_EQUAL(perch_listen(p.b, NULL, PORT, echo, NULL), 0);
	CU_ASSERT_EQUAL(perch_start(p.a, 0, stream_client, &s, 0), 0);
	CU_ASSERT_TRUE(pair_turn(&p, &f.done, 20000));
	CU_ASSERT_EQUAL(f.rc, 0);
	CU_ASSERT_EQUAL(f.total, s.bytes);
	CU_ASSERT_EQUAL(f.wrong, 0);
	CU_ASSERT_EQUAL(f.n, 0);
	pair_close(&p);
}

/* ---- a turn that comes late ----------------------------------------------------------------- */

struct late {
	struct perch_addr to;
	bool sent, flooded, done;
	int64_t rc;
};

static void late_client(void *arg)
{
	struct late *l = arg;
	struct perch_conn *c;
	char byte;

	l->rc = perch_dial(&l->to, NULL, &c, in_ms(1000));
	if (l->rc == 0) {
		perch_sleep(in_ms(5)); /* the handshake is over for both */
		perch_write(c, "x", 1, in_ms(1000));
		l->sent = true;
		l->rc = perch_read(c, &byte, 1, in_ms(20));
		perch_hangup(c);
	}
	l->done = true;
}

/* What fills the ring before the answer does. */
static void late_server(struct perch_conn *c, void *arg)
{
	struct perch_addr them;
	struct late *l = arg;
	struct perch_udp *u;
	char byte;
	int i;

	perch_addr_parse(PAIR_A4, 4000, &them);
	if (perch_read(c, &byte, 1, PERCH_FOREVER) != 1 || perch_bind(NULL, 4000, &u) < 0)
		return;
	for (i = 0; i < 100; i++)
		perch_send(u, &them, "flood", 5);
	perch_write(c, "y", 1, in_ms(1000));
	perch_unbind(u);
	l->flooded = true;
	perch_read(c, &byte, 1, PERCH_FOREVER);
}

/* The CPU is away for longer than the retransmission timeout and than the client's deadline, while
 * what puts them off waits in the ring behind other packets: neither is due. */
static void late_turn(void)
{
	struct late l = {.to = server(false, PORT)};
	struct pair p;

	CU_ASSERT_TRUE_FATAL(pair_open(&p, NULL));
	CU_ASSERT_EQUAL(perch_listen(p.b, NULL, PORT, late_server, &l), 0);
	CU_ASSERT_EQUAL(perch_start(p.a, 0, late_client, &l, 0), 0);
	CU_ASSERT_TRUE(pair_turn(&p, &l.sent, 5000));
	while (!l.flooded)
		perch_poll(p.b, 1);
	nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	CU_ASSERT_TRUE(pair_turn(&p, &l.done, 5000));
	CU_ASSERT_EQUAL(l.rc, 1);
	CU_ASSERT_EQUAL(pair_counter(p.a, "tcp_rto_fired"), 0);
	CU_ASSERT_EQUAL(pair_counter(p.a, "tcp_loss_probes"), 0);
	CU_ASSERT_EQUAL(pair_counter(p.a, "tcp_retransmits"), 0);
	pair_close(&p);
}

static void abort_at_once(struct perch_conn *c, void *arg)
{
	char byte;

	(void)arg;
	perch_read(c, &byte, 1, PERCH_FOREVER);
	perch_abort(c);
}

static void aborted(void)
{
	struct found f = {.v6 = false};
	struct pair p;

	CU_ASSERT_TRUE_FATAL(pair_open(&p, NULL));
	CU_ASSERT_EQUAL(perch_listen(p.b, NULL, PORT, abort_at_once, NULL), 0);
	converse(&p, say_hello, &f, 5000);
	CU_ASSERT_EQUAL(f.rc, 0);
	CU_ASSERT_EQUAL(f.n, -ECONNRESET);
	CU_ASSERT_EQUAL(pair_counter(p.a, "tcp_resets_received"), 1);
	pair_close(&p);
}

static void one_too_many(void *arg)
{
	struct found *f = arg;
	struct perch_conn *c[3];
	int i;

	for (i = 0; i < 2; i++)
		f->rc |= perch_dial(&f->to, NULL, &c[i], in_ms(1000));
	f->n = perch_dial(&f->to, NULL, &c[2], in_ms(100));
	f->done = true;
	for (i = 0; i < 2; i++)
		perch_hangup(c[i]);
}

static void full_house(void)
{
	const struct perch_config two = {.max_conns = 2};
	struct found f = {.v6 = false};
	struct pair p;

	CU_ASSERT_TRUE_FATAL(pair_open(&p, &two));
	CU_ASSERT_EQUAL(perch_listen(p.b, NULL, PORT, echo, NULL), 0);
	converse(&p, one_too_many, &f, 5000);
	CU_ASSERT_EQUAL(f.rc, 0);
	CU_ASSERT_EQUAL(f.n, -ENOBUFS);
	CU_ASSERT_EQUAL(pair_counter(p.a, "drop_tcp_flow_table_full"), 1);
	pair_close(&p);
}

static void occupy(void *arg)
{
	(void)arg;
	perch_sleep(PERCH_FOREVER);
}

static void no_coroutine_left(void)
{
	const struct perch_config one = {.max_coroutines = 1};
	struct found f = {.v6 = false};
	struct pair p;

	CU_ASSERT_TRUE_FATAL(pair_open(&p, &one));
	CU_ASSERT_EQUAL(perch_listen(p.b, NULL, PORT, echo, NULL), 0);
	CU_ASSERT_EQUAL(perch_start(p.b, 0, occupy, NULL, 0), 0);
	pair_turn(&p, NULL, 2);
	converse(&p, say_hello, &f, 5000);
	CU_ASSERT_TRUE(f.rc == -ECONNRESET || f.n == -ECONNRESET);
	CU_ASSERT_EQUAL(pair_counter(p.b, "drop_co_exhausted"), 1);
	pair_close(&p);
}

/* ---- UDP ------------------------------------------------------------------------------------ */

static void udp_echo(void *arg)
{
	struct perch_datagram d;
	struct perch_udp *u;

	(void)arg;
	if (perch_bind(NULL, PORT, &u) < 0)
		return;
	while (perch_recv(u, &d, PERCH_FOREVER) == 0)
		perch_reply(u, &d, d.data, d.len);
	perch_unbind(u);
}

static void udp_client(void *arg)
{
	struct found *f = arg;
	struct perch_datagram d;
	struct perch_udp *u, *second;
	static char big[65508];

	f->rc = perch_bind(NULL, 0, &u);
	if (f->rc == 0)
		f->rc = perch_bind(NULL, 5000, &second);
	CU_ASSERT_EQUAL(perch_bind(NULL, 5000, &second), -EADDRINUSE);
	CU_ASSERT_EQUAL(perch_send(u, &f->to, "ping", 4), 0);
	if (perch_recv(u, &d, in_ms(1000)) == 0) {
		f->n = (int64_t)d.len;
		memcpy(f->text, d.data, RTE_MIN(d.len, sizeof(f->text)));
		CU_ASSERT_EQUAL(memcmp(d.from.ip, f->to.ip, 16), 0);
		CU_ASSERT_EQUAL(d.from.port, PORT);
		f->times[0] = d.time_ns;
	}
	if (!f->v6)
		CU_ASSERT_EQUAL(perch_send(u, &f->to, big, sizeof(big)), -EMSGSIZE);
	CU_ASSERT_EQUAL(perch_send(u, &f->to, big, 8000), 0); /* there and back in fragments */
	CU_ASSERT_EQUAL(perch_recv(u, &d, in_ms(1000)), 0);
	CU_ASSERT_EQUAL(d.len, 8000);
	CU_ASSERT_EQUAL(perch_send(u, &f->to, NULL, 0), 0); /* an empty datagram is one, too */
	f->n2 = perch_recv(u, &d, in_ms(1000)) == 0 ? (int64_t)d.len : -1;
	CU_ASSERT_EQUAL(perch_recv(u, &d, in_ms(20)), -ETIMEDOUT);
	perch_unbind(u);
	f->done = true;
}

static void udp_over(bool v6)
{
	struct found f = {.v6 = v6};
	struct pair p;

	CU_ASSERT_TRUE_FATAL(pair_open(&p, NULL));
	CU_ASSERT_EQUAL(perch_start(p.b, PERCH_EVERY_LCORE, udp_echo, NULL, 0), 0);
	converse(&p, udp_client, &f, 5000);
	CU_ASSERT_EQUAL(f.rc, 0);
	CU_ASSERT_EQUAL(f.n, 4);
	CU_ASSERT_NSTRING_EQUAL(f.text, "ping", 4);
	CU_ASSERT_EQUAL(f.n2, 0);
	CU_ASSERT_TRUE(f.times[0] > 0);
	pair_close(&p);
}

/* Two sockets of B share a group's port; a third has joined one source of an SSM group. */
static void group_member(void *arg)
{
	struct found *f = arg;
	struct perch_addr group, ssm, a;
	struct perch_udp *u[3];
	struct perch_datagram d;
	int i;

	perch_addr_parse(f->v6 ? "ff05::7" : "239.7.7.7", 0, &group);
	perch_addr_parse(f->v6 ? "ff3e::7" : "232.7.7.7", 0, &ssm);
	perch_addr_parse(f->v6 ? PAIR_A6 : PAIR_A4, 0, &a);
	for (i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(perch_bind(&group, PORT, &u[i]), 0);
		CU_ASSERT_EQUAL(perch_join(u[i], &group, NULL), 0);
	}
	CU_ASSERT_EQUAL(perch_bind(NULL, PORT, &u[2]), 0);
	CU_ASSERT_EQUAL(perch_join(u[2], &ssm, NULL), -EINVAL);
	CU_ASSERT_EQUAL(perch_join(u[2], &ssm, &a), 0);
	CU_ASSERT_EQUAL(perch_join(u[2], &ssm, &a), -EADDRINUSE);
	for (i = 0; i < 3; i++) {
		f->rc = perch_recv(u[i], &d, in_ms(2000));
		CU_ASSERT_EQUAL(f->rc, 0);
		f->total += f->rc == 0 ? d.len : 0;
		CU_ASSERT_EQUAL(memcmp(d.from.ip, a.ip, 16), 0);
		CU_ASSERT_EQUAL(memcmp(d.to.ip, i < 2 ? group.ip : ssm.ip, 16), 0);
		f->rc = perch_reply(u[i], &d, "got it", 6);
		CU_ASSERT_EQUAL(f->rc, 0);
	}
	CU_ASSERT_EQUAL(perch_leave(u[2], &ssm, NULL), -EADDRNOTAVAIL);
	CU_ASSERT_EQUAL(perch_leave(u[2], &ssm, &a), 0);
	for (i = 0; i < 3; i++)
		perch_unbind(u[i]);
}

static void group_sender(void *arg)
{
	struct found *f = arg;
	struct perch_addr group, ssm;
	struct perch_datagram d;
	struct perch_udp *u;

	perch_addr_parse(f->v6 ? "ff05::7" : "239.7.7.7", PORT, &group);
	perch_addr_parse(f->v6 ? "ff3e::7" : "232.7.7.7", PORT, &ssm);
	perch_sleep(in_ms(20)); /* B joins meanwhile */
	perch_bind(NULL, 0, &u);
	perch_group_hops(u, 3);
	CU_ASSERT_EQUAL(perch_send(u, &group, "data", 4), 0);
	CU_ASSERT_EQUAL(perch_send(u, &ssm, "data", 4), 0);
	while (f->n < 3 && perch_recv(u, &d, in_ms(1000)) == 0)
		f->n += d.len == 6;
	perch_sleep(in_ms(20));
	CU_ASSERT_EQUAL(perch_send(u, &group, "late", 4), 0);
	perch_sleep(in_ms(20));
	perch_unbind(u);
	f->done = true;
}

static void groups_over(bool v6)
{
	struct found member = {.v6 = v6}, sender = {.v6 = v6};
	struct pair p;

	CU_ASSERT_TRUE_FATAL(pair_open(&p, NULL));
	CU_ASSERT_EQUAL(perch_start(p.b, 0, group_member, &member, 0), 0);
	converse(&p, group_sender, &sender, 5000);
	CU_ASSERT_EQUAL(member.total, 12);
	CU_ASSERT_EQUAL(sender.n, 3);
	CU_ASSERT_EQUAL(member.rc, 0);
	/* A's report of its own group, twice, is for routers; "late" is for nobody. */
	CU_ASSERT_TRUE(pair_counter(p.b, "drop_eth_not_joined") >= 1);
	CU_ASSERT_EQUAL(pair_counter(p.b, "drop_udp_no_member"), 0);
	pair_close(&p);
}

static void groups_v4(void)
{
	groups_over(false);
}

static void groups_v6(void)
{
	groups_over(true);
}

static void udp_v4(void)
{
	udp_over(false);
}

static void udp_v6(void)
{
	udp_over(true);
}

/* ---- coroutines and the engine -------------------------------------------------------------- */

static void sleeper(void *arg)
{
	struct found *f = arg;

	f->times[0] = perch_now();
	f->rc = perch_sleep(in_ms(20));
	f->times[1] = perch_now();
	f->n = perch_lcore();
	f->done = true;
}

static void sleeping(void)
{
	struct found f = {.v6 = false};
	struct pair p;
	int64_t slept_ns;

	CU_ASSERT_TRUE_FATAL(pair_open(&p, NULL));
	converse(&p, sleeper, &f, 5000);
	slept_ns = f.times[1] - f.times[0];
	CU_ASSERT_EQUAL(f.rc, 0);
	CU_ASSERT_EQUAL(f.n, 0);
	CU_ASSERT_TRUE(slept_ns >= 20 * MS && slept_ns < 2000 * MS);
	pair_close(&p);
}

static void waits_forever(void *arg)
{
	struct found *f = arg;

	f->rc = perch_sleep(PERCH_FOREVER);
	f->done = true;
}

static void stop_cancels(void)
{
	struct found f = {.v6 = false};
	struct pair p;

	CU_ASSERT_TRUE_FATAL(pair_open(&p, NULL));
	CU_ASSERT_EQUAL(perch_start(p.a, 0, waits_forever, &f, 0), 0);
	pair_turn(&p, NULL, 5);
	CU_ASSERT_FALSE(f.done);
	pair_close(&p);
	CU_ASSERT_TRUE(f.done);
	CU_ASSERT_EQUAL(f.rc, -ECANCELED);
}

enum { CROWD = 5000 };

static void one_of_a_crowd(void *arg)
{
	unsigned *returned = arg;

	if (perch_sleep(PERCH_FOREVER) == -ECANCELED)
		++*returned;
}

static void gather_crowd(void *arg)
{
	unsigned i;

	for (i = 0; i < CROWD; i++)
		CU_ASSERT_EQUAL(perch_spawn(one_of_a_crowd, arg, 0), 0);
}

/* More than one turn can resume, and no time to drain: all of them still return. */
static void stop_waits_for_a_crowd(void)
{
	struct perch_config cfg = {.max_coroutines = CROWD + 10, .drain_ns = 1};
	unsigned returned = 0;
	struct pair p;

	CU_ASSERT_TRUE_FATAL(pair_open(&p, &cfg));
	CU_ASSERT_EQUAL(perch_start(p.a, 0, gather_crowd, &returned, 0), 0);
	pair_turn(&p, NULL, 50);
	pair_close(&p);
	CU_ASSERT_EQUAL(returned, CROWD);
}

/* A handler that is cancelled returns, and its connection closes with a FIN, not a reset. */
static void stop_drains(void)
{
	struct found f = {.v6 = false};
	struct pair p;

	CU_ASSERT_TRUE_FATAL(pair_open(&p, NULL));
	CU_ASSERT_EQUAL(perch_listen(p.b, NULL, PORT, echo, NULL), 0);
	f.to = server(false, PORT);
	CU_ASSERT_EQUAL(perch_start(p.a, 0, say_hello, &f, 0), 0);
	while (pair_counter(p.b, "tcp_accepted") == 0)
		pair_turn(&p, NULL, 1);
	perch_stop(p.b);
	CU_ASSERT_TRUE(pair_turn(&p, &f.done, 3000));
	CU_ASSERT_EQUAL(f.n, 5);
	CU_ASSERT_EQUAL(f.n2, 0);
	CU_ASSERT_EQUAL(pair_counter(p.b, "tcp_resets_sent"), 0);
	pair_close(&p);
}

static void muted(void)
{
	struct found f = {.v6 = false};
	struct pair p;
	uint64_t sent;

	CU_ASSERT_TRUE_FATAL(pair_open(&p, NULL));
	CU_ASSERT_EQUAL(perch_listen(p.b, NULL, PORT, echo, NULL), 0);
	converse(&p, say_hello, &f, 5000); /* so that A knows B's MAC address */
	f.done = false;
	f.n = 0;
	perch_mute(p.a, true);
	sent = pair_counter(p.a, "tx_taken");
	CU_ASSERT_EQUAL(perch_start(p.a, 0, say_hello, &f, 0), 0);
	f.to = server(false, PORT);
	pair_turn(&p, &f.done, 30);
	CU_ASSERT_EQUAL(pair_counter(p.a, "tx_taken"), sent);
	CU_ASSERT_TRUE(pair_counter(p.a, "drop_tx_stopped") > 0);
	perch_mute(p.a, false);
	CU_ASSERT_TRUE(pair_turn(&p, &f.done, 5000)); /* it goes on by retransmission */
	CU_ASSERT_EQUAL(f.n, 5);
	pair_close(&p);
}

/* ---- sent before the turn ends --------------------------------------------------------------- */

struct pushed {
	struct perch_addr to;
	uint64_t before, written, after, stopped;
	struct perch_stamps at;
	int64_t clock_ns, now_ns, n;
	int stamps, rc, hung_up;
	bool mute, done;
	char text[8];
};

static void pushing_server(struct perch_conn *c, void *arg)
{
	struct pushed *p = arg;
	int64_t busy_ns;
	char byte;

	if (perch_read(c, &byte, 1, PERCH_FOREVER) != 1)
		return;
	perch_mute(perch_self(), p->mute);
	perch_yield(); /* nothing else waits to be sent in that turn */
	p->before = pair_counter(perch_self(), "tx_taken");
	for (busy_ns = perch_clock() + 2000000; p->mute == false && perch_clock() < busy_ns;)
		; /* the handler's time, not that of what it sends */
	perch_write(c, "now", 3, in_ms(1000));
	p->written = pair_counter(perch_self(), "tx_taken");
	p->rc = perch_push(c);
	p->after = pair_counter(perch_self(), "tx_taken");
	p->stopped = pair_counter(perch_self(), "drop_tx_stopped");
	p->stamps = perch_stamps(&p->at);
	p->clock_ns = perch_clock();
	p->now_ns = perch_now();
	perch_write(c, "then", 4, in_ms(1000));
	perch_hangup(c);
	p->hung_up = perch_push(c);
	perch_mute(perch_self(), false);
}

static void pushing_client(void *arg)
{
	struct pushed *p = arg;
	struct perch_conn *c;

	if (perch_dial(&p->to, NULL, &c, in_ms(4000)) == 0) {
		perch_write(c, "x", 1, in_ms(1000));
		while (p->n < 7 && perch_read(c, p->text + p->n, 1, in_ms(1000)) == 1)
			p->n++;
		perch_hangup(c);
	}
	p->done = true;
}

static void push(struct pushed *pushed, const struct perch_config *cfg)
{
	struct pair p;

	pushed->to = server(false, PORT);
	CU_ASSERT_TRUE_FATAL(pair_open(&p, cfg));
	CU_ASSERT_EQUAL(perch_listen(p.b, NULL, PORT, pushing_server, pushed), 0);
	CU_ASSERT_EQUAL(perch_start(p.a, 0, pushing_client, pushed, 0), 0);
	CU_ASSERT_TRUE(pair_turn(&p, &pushed->done, 5000));
	CU_ASSERT_EQUAL(pushed->rc, 0);
	CU_ASSERT_EQUAL(pushed->hung_up, -EBADF);
	CU_ASSERT_EQUAL(pushed->n, 7);
	CU_ASSERT_NSTRING_EQUAL(pushed->text, "nowthen", 7);
	if (cfg)
		CU_ASSERT(pair_counter(p.b, "stage_handlers_cycles") >
			pair_counter(p.b, "stage_output_cycles"));
	pair_close(&p);
}

/* What was written is with the port when the call returns, and the stages say so. */
static void push_leaves_now(void)
{
	const struct perch_config all = {.stamp_turns = true};
	struct pushed p = {.n = 0};

	push(&p, &all);
	CU_ASSERT_EQUAL(p.written, p.before);
	CU_ASSERT_EQUAL(p.after, p.before + 1);
	CU_ASSERT_EQUAL(p.stamps, 0);
	CU_ASSERT(p.at.begin_ns <= p.at.rx_ns && p.at.rx_ns <= p.now_ns);
	CU_ASSERT(p.at.input_ns == 0 && p.now_ns <= p.at.ready_ns); /* nothing came in this turn */
	CU_ASSERT(p.at.ready_ns <= p.at.output_ns && p.at.output_ns <= p.at.tx_ns);
	CU_ASSERT(p.at.begin_ns > 0 && p.at.tx_ns <= p.clock_ns);
}

/* ---- more than the port takes at once -------------------------------------------------------- */

enum { PUSHES = 2500 };

struct many_pushes {
	struct pushed client;
	struct pair p;
	struct perch_conn *first; /* it has been opened, and then others are pushed */
	bool full, asked_again, first_ends;
};

/* In one turn: everything that a push may meet when nothing more fits. */
static void many_pushes_server(struct perch_conn *c, void *arg)
{
	struct many_pushes *m = arg;
	uint64_t made = pair_counter(perch_self(), "tx_packets");
	uint64_t taken = pair_counter(perch_self(), "tx_taken");
	char byte;
	int i;

	if (!m->first) {
		m->first = c;
		perch_read(c, &byte, 1, PERCH_FOREVER);
		return;
	}
	for (i = 0; i < PUSHES; i++) {
		byte = (char)(i % 251);
		if (perch_write(c, &byte, 1, perch_now()) != 1)
			break;
		perch_push(c);
	}
	made = pair_counter(perch_self(), "tx_packets") - made;
	taken = pair_counter(perch_self(), "tx_taken") - taken;
	m->full = i == PUSHES && taken < made && made < PUSHES;
	perch_shutdown(m->first);
	perch_push(m->first); /* its FIN has to wait, too */
	taken = pair_counter(perch_self(), "tx_taken");
	perch_poll(m->p.a, 200); /* now there is room in the port */
	perch_push(c);
	m->asked_again = pair_counter(perch_self(), "tx_taken") > taken;
}

static void many_pushes_client(void *arg)
{
	struct many_pushes *m = arg;
	struct pushed *p = &m->client;
	struct perch_conn *first, *c;
	char byte;

	if (perch_dial(&p->to, NULL, &first, in_ms(4000)) == 0 &&
		perch_dial(&p->to, NULL, &c, in_ms(4000)) == 0) {
		while (perch_read(c, &byte, 1, in_ms(4000)) == 1 && byte == (char)(p->n % 251))
			p->n++;
		m->first_ends = perch_read(first, &byte, 1, in_ms(4000)) == 0;
		perch_hangup(c);
		perch_hangup(first);
	}
	p->done = true;
}

/* The port's ring and what waits for it are full: the rest leaves later, all of it, in order, and
 * nothing twice. A port that did not take all is left alone until the next turn: a recording has
 * one number of each, and a replay would not send the same otherwise. */
static void push_beyond_the_port(void)
{
	const struct perch_config many = {.sndbuf_bytes = 4 << 20, .mbufs = 48000};
	struct many_pushes m = {.client.to = server(false, PORT)};

	CU_ASSERT_TRUE_FATAL(pair_open(&m.p, &many));
	CU_ASSERT_EQUAL(perch_listen(m.p.b, NULL, PORT, many_pushes_server, &m), 0);
	CU_ASSERT_EQUAL(perch_start(m.p.a, 0, many_pushes_client, &m, 0), 0);
	CU_ASSERT_TRUE(pair_turn(&m.p, &m.client.done, 20000));
	CU_ASSERT_TRUE(m.full);
	CU_ASSERT_FALSE(m.asked_again);
	CU_ASSERT_EQUAL(m.client.n, PUSHES);
	CU_ASSERT_TRUE(m.first_ends);
	CU_ASSERT_EQUAL(pair_counter(m.p.b, "drop_tx_queue_full"), 0);
	perch_poll(m.p.b, 10);
	CU_ASSERT_EQUAL(pair_counter(m.p.b, "tx_taken"), pair_counter(m.p.b, "tx_packets"));
	pair_close(&m.p);
}

/* The kill switch is on: nothing leaves that way either. */
static void push_of_the_muted(void)
{
	struct pushed p = {.mute = true};

	push(&p, NULL);
	CU_ASSERT_EQUAL(p.after, p.before);
	CU_ASSERT(p.stopped >= 1);
}

/* ---- sent without being sent ----------------------------------------------------------------- */

struct rehearsed {
	struct perch_addr to;
	uint64_t taken, made, bursts_of_none;
	int quiet, leaks, long_one, in_flight, mute, hung_up;
	int64_t n;
	bool done;
	char text[8];
};

static uint64_t bursts_of_none;

static uint16_t count_none(
	uint16_t id, uint16_t queue, struct rte_mbuf **pkts, uint16_t n, void *arg)
{
	(void)id;
	(void)queue;
	(void)pkts;
	(void)arg;
	bursts_of_none += n == 0;
	return n;
}

static void rehearsing_server(struct perch_conn *c, void *arg)
{
	struct rehearsed *r = arg;
	static const char bytes[4000];
	char byte;
	int i;

	if (perch_read(c, &byte, 1, PERCH_FOREVER) != 1)
		return;
	perch_sleep(in_ms(5)); /* its ACK has left */
	r->taken = pair_counter(perch_self(), "tx_taken");
	r->made = pair_counter(perch_self(), "tx_packets");
	for (i = 0; i < 100; i++) {
		r->quiet += perch_warm(c, "never", 5) == 0;
		perch_yield();
	}
	r->bursts_of_none = bursts_of_none;
	for (i = 0; i < 50000; i++) /* more than the pool has packets */
		r->leaks += perch_warm(c, "never", 5) != 0;
	r->bursts_of_none = bursts_of_none - r->bursts_of_none;
	r->taken = pair_counter(perch_self(), "tx_taken") - r->taken;
	r->made = pair_counter(perch_self(), "tx_packets") - r->made;
	r->long_one = perch_warm(c, bytes, sizeof(bytes));
	perch_mute(perch_self(), true);
	perch_yield();
	r->mute = perch_warm(c, "never", 5);
	perch_mute(perch_self(), false);
	perch_yield();
	perch_write(c, "now", 3, in_ms(1000));
	r->in_flight = perch_warm(c, "never", 5);
	perch_hangup(c);
	r->hung_up = perch_warm(c, "never", 5);
}

static void rehearsing_client(void *arg)
{
	struct rehearsed *r = arg;
	struct perch_conn *c;

	if (perch_dial(&r->to, NULL, &c, in_ms(4000)) == 0) {
		perch_write(c, "x", 1, in_ms(1000));
		while (r->n < 8 && perch_read(c, r->text + r->n, 1, in_ms(1000)) == 1)
			r->n++;
		perch_hangup(c);
	}
	r->done = true;
}

/* The peer sees what was written, and nothing of what was not. The port is asked each time, so that
 * its driver's lines are here, too. */
static void warm_sends_nothing(void)
{
	struct rehearsed r = {.to = server(false, PORT)};
	struct pair p;
	uint16_t id;

	CU_ASSERT_TRUE_FATAL(pair_open(&p, NULL));
	CU_ASSERT_EQUAL_FATAL(rte_eth_dev_get_port_by_name(p.port_b, &id), 0);
	CU_ASSERT_PTR_NOT_NULL(rte_eth_add_tx_callback(id, 0, count_none, NULL));
	CU_ASSERT_EQUAL(perch_listen(p.b, NULL, PORT, rehearsing_server, &r), 0);
	CU_ASSERT_EQUAL(perch_start(p.a, 0, rehearsing_client, &r, 0), 0);
	CU_ASSERT_TRUE(pair_turn(&p, &r.done, 5000));
	CU_ASSERT_EQUAL(r.quiet, 100);
	CU_ASSERT_EQUAL(r.leaks, 0);
	CU_ASSERT_EQUAL(r.bursts_of_none, 50000);
	CU_ASSERT_EQUAL(pair_counter(p.b, "tcp_warmed"), 50100);
	CU_ASSERT_EQUAL(r.taken, 0);
	CU_ASSERT_EQUAL(r.made, 0);
	CU_ASSERT_EQUAL(r.long_one, -EINVAL);
	CU_ASSERT_EQUAL(r.mute, -EPERM);
	CU_ASSERT_EQUAL(r.in_flight, -EAGAIN);
	CU_ASSERT_EQUAL(r.hung_up, -EBADF);
	CU_ASSERT_EQUAL(r.n, 3);
	CU_ASSERT_NSTRING_EQUAL(r.text, "now", 3);
	pair_close(&p);
}

/* ---- how much a turn receives ---------------------------------------------------------------- */

static void ten_datagrams(void *arg)
{
	struct perch_addr to = server(false, 4001);
	struct perch_udp *u;
	int i;

	if (perch_bind(NULL, 0, &u) < 0)
		return;
	perch_send(u, &to, "hello", 5); /* asks who that is */
	perch_sleep(in_ms(20));
	for (i = 0; i < 10; i++)
		perch_send(u, &to, "tick", 4);
	perch_unbind(u);
	*(bool *)arg = true;
}

static void small_bursts(void)
{
	const struct perch_config three = {.rx_burst = 3};
	uint64_t before;
	bool sent = false;
	struct pair p;

	CU_ASSERT_TRUE_FATAL(pair_open(&p, &three));
	CU_ASSERT_EQUAL(perch_start(p.a, 0, ten_datagrams, &sent, 0), 0);
	CU_ASSERT_TRUE(pair_turn(&p, &sent, 5000));
	perch_poll(p.a, 5);
	while (perch_poll(p.b, 1) == 0) /* what is there is not the ten alone */
		;
	before = pair_counter(p.b, "rx_packets");
	perch_poll(p.b, 1);
	CU_ASSERT_EQUAL(pair_counter(p.b, "rx_packets"), before + 3);
	pair_close(&p);
}

static void bad_config(const struct perch_config *given, const char *says)
{
	struct perch_config cfg = *given;
	struct perch *e = (void *)1;
	struct perch_why why = {""};

	cfg.no_huge = true;
	CU_ASSERT_EQUAL(perch_open(&e, &cfg, &why), -EINVAL);
	CU_ASSERT_PTR_NULL(e);
	CU_ASSERT_PTR_NOT_NULL(strstr(why.text, says));
	CU_ASSERT_PTR_NULL(strchr(why.text, '\n'));
}

static void bad_configs(void)
{
	const char *good[] = {"10.0.0.1/24", NULL}, *six[] = {"fd00::1/64", NULL};
	const char *bad[] = {"10.0.0.1", "10.0.0.1/33", "10.0.0/24", "fd00::1/129", "/24", "",
		"10.0.0.9-10.0.0.1/24", "10.0.0.1-fd00::1/24", "224.0.0.1/24", "0.0.0.0/8",
		"10.0.0.1/24x", "10.0.0.1-/24"};
	const char *one[] = {NULL, NULL};
	size_t i;

	bad_config(&(struct perch_config){.mtu = 0}, "no address");
	bad_config(&(struct perch_config){.addrs = good, .mtu = 100}, "MTU");
	bad_config(&(struct perch_config){.addrs = six, .mtu = 1000}, "1280");
	bad_config(&(struct perch_config){.addrs = good, .gw4 = "fd00::2"}, "gateway");
	bad_config(&(struct perch_config){.addrs = good, .gw6 = "10.0.0.2"}, "gateway");
	bad_config(&(struct perch_config){.addrs = good, .lcores = 1000}, "lcores");
	bad_config(&(struct perch_config){.addrs = good, .drain_ns = -1}, "negative");
	bad_config(&(struct perch_config){.addrs = good, .rx_burst = 33}, "per turn");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		one[0] = bad[i];
		bad_config(&(struct perch_config){.addrs = one}, "prefix length");
	}
}

static void *run_engine(void *arg)
{
	CU_ASSERT_EQUAL(perch_run(arg), 0);
	return NULL;
}

struct fan {
	struct perch_addr to;
	_Atomic unsigned left, ok;
};

static void fan_client(void *arg)
{
	struct fan *f = arg;
	struct perch_conn *c;
	char back[16];

	if (perch_dial(&f->to, NULL, &c, in_ms(5000)) == 0) {
		if (perch_write(c, "fan-out", 7, in_ms(5000)) == 7 &&
			perch_read(c, back, sizeof(back), in_ms(5000)) == 7)
			f->ok++;
		perch_hangup(c);
	}
	f->left--;
}

/* Threads of the engine's own, four lcores each on ports that have one queue: software RSS. */
static void many_lcores(void)
{
	const char *a_addrs[] = {PAIR_A4 "/24", NULL}, *b_addrs[] = {PAIR_B4 "/24", NULL};
	struct perch_config cfg = {.no_huge = true, .lcores = 4, .mbufs = 4096,
		.idle = PERCH_BACK_OFF, .drain_ns = INT64_C(200000000)};
	struct fan f = {.to = server(false, PORT), .left = 200};
	pthread_t ta, tb;
	struct perch *a, *b;
	int i;

	CU_ASSERT_TRUE_FATAL(pair_eal());
	CU_ASSERT_EQUAL_FATAL(perch_vdev_ring_pair("net_ring_l0", "net_ring_l1", 4096), 0);
	cfg.port = "net_ring_l0";
	cfg.addrs = a_addrs;
	CU_ASSERT_EQUAL_FATAL(perch_open(&a, &cfg, NULL), 0);
	cfg.port = "net_ring_l1";
	cfg.addrs = b_addrs;
	CU_ASSERT_EQUAL_FATAL(perch_open(&b, &cfg, NULL), 0);
	CU_ASSERT_EQUAL(perch_listen(b, NULL, PORT, echo, NULL), 0);
	pthread_create(&tb, NULL, run_engine, b);
	pthread_create(&ta, NULL, run_engine, a);
	for (i = 0; i < 50; i++) /* from a control thread, while it runs */
		while (perch_start(a, PERCH_EVERY_LCORE, fan_client, &f, 0) != 0)
			;
	for (i = 0; i < 10000 && f.left > 0; i++)
		nanosleep(&(struct timespec){.tv_nsec = MS}, NULL);
	CU_ASSERT_EQUAL(f.left, 0);
	CU_ASSERT_EQUAL(f.ok, 200);
	for (i = 0; i < 4; i++) {
		struct perch_counter c[256];
		unsigned n = perch_counters(b, i, c, 256), k;

		for (k = 0; k < n; k++)
			if (strcmp(c[k].name, "tcp_accepted") == 0)
				CU_ASSERT_TRUE(c[k].value > 10); /* each had its share of 200 */
	}
	perch_stop(a);
	perch_stop(b);
	pthread_join(ta, NULL);
	pthread_join(tb, NULL);
	perch_close(a);
	perch_close(b);
}

int main(int argc, char **argv)
{
	const struct suite_case cases[] = {
		{"echo_v4", echo_v4},
		{"echo_v6", echo_v6},
		{"views_are_sent_on", views_are_sent_on},
		{"dial_failures", dial_failures},
		{"framed", framed},
		{"full_duplex", full_duplex},
		{"a late turn", late_turn},
		{"aborted", aborted},
		{"full_house", full_house},
		{"no_coroutine_left", no_coroutine_left},
		{"udp_v4", udp_v4},
		{"udp_v6", udp_v6},
		{"groups_v4", groups_v4},
		{"groups_v6", groups_v6},
		{"sleeping", sleeping},
		{"stop_cancels", stop_cancels},
		{"stop_waits_for_a_crowd", stop_waits_for_a_crowd},
		{"stop_drains", stop_drains},
		{"muted", muted},
		{"push_leaves_now", push_leaves_now},
		{"push_beyond_the_port", push_beyond_the_port},
		{"push_of_the_muted", push_of_the_muted},
		{"warm_sends_nothing", warm_sends_nothing},
		{"small_bursts", small_bursts},
		{"bad_configs", bad_configs},
		{"many_lcores", many_lcores},
		{NULL, NULL},
	};

	return suite_main("engine", cases, argc, argv);
}
