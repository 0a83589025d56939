/* SPDX-License-Identifier: BSD-3-Clause
 * Sending without a copy: memory that is lent, and packets as they are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "engine/memory.h"
#include "engine/perch_mbuf.h"
#include "tests/engine/pair.h"
#include "tests/suite.h"

enum { PORT = 7, BYTES = 3 << 20 };

static uint8_t own[BYTES];

static struct {
	struct pair p;
	struct perch_memory *memory;
	const uint8_t *bytes;
	uint64_t got, wrong, packets;
	int64_t result;
	uint64_t lent;
	int busy; /* what a close said meanwhile */
	bool peer_aborts;
	volatile bool done;
} t;

static void begin(void)
{
	unsigned i;

	memset(&t, 0, sizeof(t));
	for (i = 0; i < BYTES; i++)
		own[i] = (uint8_t)(i * 7 + i / 256 * 13);
	CU_ASSERT_FATAL(pair_open(&t.p, NULL));
}

static struct perch_conn *dial(void)
{
	struct perch_conn *c = NULL;
	struct perch_addr to;

	perch_addr_parse(PAIR_B4, PORT, &to);
	perch_dial(&to, NULL, &c, PERCH_FOREVER);
	return c;
}

/* ---- memory --------------------------------------------------------------------------------- */

static void compare(struct perch_conn *c, void *arg)
{
	struct perch_bytes b;

	(void)arg;
	while ((b = perch_next(c, PERCH_FOREVER)).len > 0) {
		t.wrong += memcmp(own + t.got, b.data, (size_t)b.len) != 0;
		t.got += (uint64_t)b.len;
	}
	t.done = true;
}

static void swallow(struct perch_conn *c, void *arg)
{
	(void)arg;
	while (perch_next(c, PERCH_FOREVER).len > 0)
		;
	t.done = true;
}

/* In parts of unlike lengths, with a copied byte between two of them. */
static void lend_all(void *arg)
{
	struct perch_conn *c = dial();
	size_t at = 0, part = 1;

	(void)arg;
	while (c && at < BYTES && t.result >= 0) {
		part = part * 3 > 200000 ? 1 : part * 3;
		part = part < BYTES - at ? part : BYTES - at;
		t.result = perch_lend(c, t.memory, at, part, PERCH_FOREVER);
		at += part;
		if (at < BYTES)
			t.result = perch_write(c, own + at++, 1, PERCH_FOREVER);
		if (perch_memory_lent(t.memory) > 0)
			t.busy = perch_memory_close(t.memory);
	}
	if (c)
		perch_hangup(c);
}

static void lend_from(void *memory)
{
	begin();
	CU_ASSERT_EQUAL_FATAL(perch_memory_open(&t.memory, t.p.a, memory, BYTES), 0);
	CU_ASSERT_TRUE(!memory || perch_memory_data(t.memory) == memory);
	memcpy(perch_memory_data(t.memory), own, BYTES);
	perch_listen(t.p.b, NULL, PORT, compare, NULL);
	perch_start(t.p.a, 0, lend_all, NULL, 0);
	CU_ASSERT_TRUE(pair_turn(&t.p, &t.done, 20000));
	CU_ASSERT_TRUE(t.result >= 0);
	CU_ASSERT_EQUAL(t.got, BYTES);
	CU_ASSERT_EQUAL(t.wrong, 0);
	CU_ASSERT_EQUAL(t.busy, -EBUSY);
	pair_close(&t.p);
	CU_ASSERT_EQUAL(perch_memory_lent(t.memory), 0);
	CU_ASSERT_EQUAL(perch_memory_close(t.memory), 0);
}

static void memory_of_the_users(void)
{
	uint8_t *memory = malloc(BYTES);

	lend_from(memory);
	free(memory);
}

static void memory_of_eals(void)
{
	lend_from(NULL);
}

/* ---- what was lent comes back --------------------------------------------------------------- */

static void never_reads(struct perch_conn *c, void *arg)
{
	(void)arg;
	perch_sleep(perch_now() + 50000000);
	if (t.peer_aborts)
		perch_abort(c);
}

static void sum_up(struct perch_conn *c)
{
	struct perch_flow_info info;

	perch_flow_info(c, &info);
	t.got = info.unsent_bytes + info.unacked_bytes;
	t.lent = perch_memory_lent(t.memory);
}

/* More than the peer's window takes, so that some waits, and some is on its way. */
static void lend_and_end(void *end)
{
	void (*how)(struct perch_conn *) = (void (*)(struct perch_conn *))(uintptr_t)end;
	struct perch_conn *c = dial();

	t.result = perch_lend(c, t.memory, 0, BYTES, perch_now() + 20000000);
	sum_up(c);
	if (t.peer_aborts)
		t.result = perch_wait_acked(c, 0, PERCH_FOREVER);
	how(c);
	t.done = true;
}

static void ends_by(void (*how)(struct perch_conn *), bool peer_aborts, int64_t result)
{
	begin();
	t.peer_aborts = peer_aborts;
	CU_ASSERT_EQUAL_FATAL(perch_memory_open(&t.memory, t.p.a, NULL, BYTES), 0);
	perch_listen(t.p.b, NULL, PORT, never_reads, NULL);
	perch_start(t.p.a, 0, lend_and_end, (void *)(uintptr_t)how, 0);
	CU_ASSERT_TRUE(pair_turn(&t.p, &t.done, 5000));
	CU_ASSERT_EQUAL(t.result, result);
	CU_ASSERT_TRUE(t.got > 100000);
	CU_ASSERT_TRUE(t.lent >= t.got / 1460); /* one segment for each of them */
	CU_ASSERT_TRUE(pair_counter(t.p.a, "tcp_lent") >= t.lent);
	pair_turn(&t.p, NULL, 20);
	CU_ASSERT_EQUAL(perch_memory_lent(t.memory), 0);
	CU_ASSERT_EQUAL(perch_memory_close(t.memory), 0);
	pair_close(&t.p);
}

static void an_abort_gives_back(void)
{
	ends_by(perch_abort, false, -ETIMEDOUT);
}

static void a_reset_gives_back(void)
{
	ends_by(perch_hangup, true, -ECONNRESET);
}

/* The peer has read nothing and closes: it refuses the rest by a reset, and all comes back. */
static void a_hangup_keeps_until_it_is_over(void)
{
	begin();
	CU_ASSERT_EQUAL_FATAL(perch_memory_open(&t.memory, t.p.a, NULL, BYTES), 0);
	perch_listen(t.p.b, NULL, PORT, never_reads, NULL);
	perch_start(t.p.a, 0, lend_and_end, (void *)(uintptr_t)perch_hangup, 0);
	CU_ASSERT_TRUE(pair_turn(&t.p, &t.done, 5000));
	pair_turn(&t.p, NULL, 1);
	CU_ASSERT_EQUAL(perch_memory_close(t.memory), -EBUSY);
	pair_close(&t.p);
	CU_ASSERT_EQUAL(perch_memory_lent(t.memory), 0);
	CU_ASSERT_EQUAL(perch_memory_close(t.memory), 0);
}

static void lend_and_wait(void *arg)
{
	struct perch_conn *c = dial();

	(void)arg;
	perch_lend(c, t.memory, 0, 100000, PERCH_FOREVER);
	CU_ASSERT_TRUE(perch_memory_lent(t.memory) > 60);
	CU_ASSERT_EQUAL(perch_wait_acked(c, 0, perch_now()), -ETIMEDOUT);
	CU_ASSERT_EQUAL(perch_wait_acked(c, 100000, perch_now()), 0);
	CU_ASSERT_EQUAL(perch_wait_acked(c, 1000, PERCH_FOREVER), 0);
	sum_up(c);
	CU_ASSERT_TRUE(t.got <= 1000);
	CU_ASSERT_EQUAL(perch_wait_acked(c, 0, PERCH_FOREVER), 0);
	sum_up(c);
	CU_ASSERT_EQUAL(t.got, 0);
	CU_ASSERT_EQUAL(t.lent, 0);
	perch_hangup(c);
	t.got = 0;
}

static void who_waits_is_told_what_was_acknowledged(void)
{
	begin();
	CU_ASSERT_EQUAL_FATAL(perch_memory_open(&t.memory, t.p.a, own, BYTES), 0);
	perch_listen(t.p.b, NULL, PORT, swallow, NULL);
	perch_start(t.p.a, 0, lend_and_wait, NULL, 0);
	CU_ASSERT_TRUE(pair_turn(&t.p, &t.done, 5000));
	pair_close(&t.p);
	CU_ASSERT_EQUAL(perch_memory_close(t.memory), 0);
}

/* As if so many segments referred to it. */
static void lend_too_often(void *arg)
{
	struct perch_conn *c = dial();

	(void)arg;
	rte_mbuf_ext_refcnt_set(&t.memory->shared, 60000);
	t.result = perch_lend(c, t.memory, 0, 1000, perch_now() + 10000000);
	rte_mbuf_ext_refcnt_set(&t.memory->shared, 1);
	perch_hangup(c);
}

static void one_memory_is_lent_so_often_and_no_more(void)
{
	begin();
	CU_ASSERT_EQUAL_FATAL(perch_memory_open(&t.memory, t.p.a, own, BYTES), 0);
	perch_listen(t.p.b, NULL, PORT, swallow, NULL);
	perch_start(t.p.a, 0, lend_too_often, NULL, 0);
	CU_ASSERT_TRUE(pair_turn(&t.p, &t.done, 5000));
	CU_ASSERT_EQUAL(t.result, -ETIMEDOUT);
	CU_ASSERT_TRUE(pair_counter(t.p.a, "tcp_loans_refused") > 0);
	pair_close(&t.p);
	CU_ASSERT_EQUAL(perch_memory_close(t.memory), 0);
}

static void lend_wrongly(void *arg)
{
	struct perch_conn *c = dial();

	(void)arg;
	CU_ASSERT_EQUAL(perch_lend(c, t.memory, 0, 101, PERCH_FOREVER), -EINVAL);
	CU_ASSERT_EQUAL(perch_lend(c, t.memory, 101, 0, PERCH_FOREVER), -EINVAL);
	CU_ASSERT_EQUAL(perch_lend(c, t.memory, SIZE_MAX, 2, PERCH_FOREVER), -EINVAL);
	CU_ASSERT_EQUAL(perch_lend(c, t.memory, 100, 0, PERCH_FOREVER), 0);
	perch_shutdown(c);
	CU_ASSERT_EQUAL(perch_lend(c, t.memory, 0, 1, PERCH_FOREVER), -EPIPE);
	perch_hangup(c);
}

static void what_is_not_there_is_refused(void)
{
	begin();
	CU_ASSERT_EQUAL(perch_memory_open(&t.memory, t.p.a, NULL, 0), -EINVAL);
	CU_ASSERT_PTR_NULL(t.memory);
	CU_ASSERT_EQUAL(perch_memory_open(&t.memory, t.p.a, NULL, SIZE_MAX / 4), -ENOMEM);
	CU_ASSERT_EQUAL(perch_memory_close(NULL), 0);
	CU_ASSERT_EQUAL_FATAL(perch_memory_open(&t.memory, t.p.a, own, 100), 0);
	perch_listen(t.p.b, NULL, PORT, compare, NULL);
	perch_start(t.p.a, 0, lend_wrongly, NULL, 0);
	CU_ASSERT_TRUE(pair_turn(&t.p, &t.done, 5000));
	CU_ASSERT_EQUAL(t.got, 0);
	pair_close(&t.p);
	CU_ASSERT_EQUAL(perch_memory_close(t.memory), 0);
}

/* ---- packets -------------------------------------------------------------------------------- */

static void echo_packets(struct perch_conn *c, void *arg)
{
	struct rte_mbuf *m;
	int64_t n;

	(void)arg;
	while ((n = perch_next_mbuf(c, &m, PERCH_FOREVER)) > 0) {
		t.packets++;
		CU_ASSERT_EQUAL(n, (int64_t)m->data_len);
		if (perch_write_mbuf(c, m, PERCH_FOREVER) != n) {
			rte_pktmbuf_free(m);
			break;
		}
	}
}

static void read_back(void *c)
{
	uint8_t buf[1000];
	int64_t n;

	while (t.got < BYTES && (n = perch_read(c, buf, sizeof(buf), PERCH_FOREVER)) > 0) {
		t.wrong += memcmp(own + t.got, buf, (size_t)n) != 0;
		t.got += (uint64_t)n;
	}
	t.done = true;
}

static void send_packets(void *arg)
{
	struct perch_conn *c = dial();
	struct rte_mbuf *m;
	size_t at = 0, len = 1;

	(void)arg;
	perch_spawn(read_back, c, PERCH_CHILD | PERCH_PRIVATE_STACK);
	for (; at < BYTES; at += len) {
		len = at % 2000 + 1; /* longer than a segment, too */
		len = len < BYTES - at ? len : BYTES - at;
		m = perch_mbuf_alloc();
		if (!m) { /* the send buffer is larger than the pool: let it empty */
			perch_sleep(perch_now() + 100000);
			len = 0;
			continue;
		}
		memcpy(rte_pktmbuf_append(m, (uint16_t)len), own + at, len);
		t.result = perch_write_mbuf(c, m, PERCH_FOREVER);
		if (t.result != (int64_t)len)
			break;
	}
	perch_wait_children(PERCH_FOREVER);
	perch_hangup(c);
}

static void packets_go_as_they_are(void)
{
	begin();
	perch_listen(t.p.b, NULL, PORT, echo_packets, NULL);
	perch_start(t.p.a, 0, send_packets, NULL, PERCH_PRIVATE_STACK);
	CU_ASSERT_TRUE(pair_turn(&t.p, &t.done, 20000));
	CU_ASSERT_EQUAL(t.got, BYTES);
	CU_ASSERT_EQUAL(t.wrong, 0);
	CU_ASSERT_TRUE(t.packets > 1000);
	pair_close(&t.p);
}

/* ---- views ---------------------------------------------------------------------------------- */

static void compare_many(struct perch_conn *c, void *arg)
{
	struct perch_bytes views[8];
	int i, n;

	(void)arg;
	CU_ASSERT_EQUAL(perch_next_many(c, views, 0, PERCH_FOREVER), -EINVAL);
	while ((n = perch_next_many(c, views, 8, PERCH_FOREVER)) > 0) {
		t.packets += n == 8;
		for (i = 0; i < n; i++) {
			t.wrong += memcmp(own + t.got, views[i].data, (size_t)views[i].len) != 0;
			t.got += (uint64_t)views[i].len;
		}
		perch_sleep(perch_now() + 10000); /* meanwhile they stay, and more comes */
		t.wrong += memcmp(own + t.got - views[n - 1].len, views[n - 1].data,
			(size_t)views[n - 1].len) != 0;
	}
	CU_ASSERT_EQUAL(n, 0);
	t.done = true;
}

static void what_has_come_is_viewed_at_once(void)
{
	begin();
	CU_ASSERT_EQUAL_FATAL(perch_memory_open(&t.memory, t.p.a, own, BYTES), 0);
	perch_listen(t.p.b, NULL, PORT, compare_many, NULL);
	perch_start(t.p.a, 0, lend_all, NULL, 0);
	CU_ASSERT_TRUE(pair_turn(&t.p, &t.done, 20000));
	CU_ASSERT_EQUAL(t.got, BYTES);
	CU_ASSERT_EQUAL(t.wrong, 0);
	CU_ASSERT_TRUE(t.packets > 100);
	pair_close(&t.p);
	CU_ASSERT_EQUAL(perch_memory_close(t.memory), 0);
}

/* ---- odd packets ---------------------------------------------------------------------------- */

static void refused(struct perch_conn *c, struct rte_mbuf *m, int rc)
{
	CU_ASSERT_EQUAL(perch_write_mbuf(c, m, PERCH_FOREVER), rc);
	rte_pktmbuf_free(m);
}

static void send_oddities(void *arg)
{
	struct perch_conn *c = dial();
	struct rte_mbuf *m;

	(void)arg;
	refused(c, perch_mbuf_alloc(), -EINVAL); /* empty */
	m = perch_mbuf_alloc();
	rte_pktmbuf_append(m, 10);
	rte_pktmbuf_prepend(m, 10); /* no room for headers */
	refused(c, m, -EINVAL);
	m = perch_mbuf_alloc();
	rte_pktmbuf_append(m, 10);
	rte_mbuf_refcnt_update(m, 1); /* somebody else has it */
	CU_ASSERT_EQUAL(perch_write_mbuf(c, m, PERCH_FOREVER), -EINVAL);
	rte_pktmbuf_free(m);
	rte_pktmbuf_free(m);
	m = perch_mbuf_alloc();
	rte_pktmbuf_append(m, 10);
	rte_pktmbuf_chain(m, perch_mbuf_alloc()); /* in two pieces */
	refused(c, m, -EINVAL);
	perch_hangup(c);
}

static void odd_packets_are_refused(void)
{
	begin();
	perch_listen(t.p.b, NULL, PORT, compare, NULL);
	perch_start(t.p.a, 0, send_oddities, NULL, 0);
	CU_ASSERT_TRUE(pair_turn(&t.p, &t.done, 5000));
	CU_ASSERT_EQUAL(t.got, 0);
	pair_close(&t.p);
}

int main(int argc, char **argv)
{
	const struct suite_case cases[] = {
		{"memory_of_the_users", memory_of_the_users},
		{"memory_of_eals", memory_of_eals},
		{"an_abort_gives_back", an_abort_gives_back},
		{"a_reset_gives_back", a_reset_gives_back},
		{"a_hangup_keeps_until_it_is_over", a_hangup_keeps_until_it_is_over},
		{"who_waits_is_told_what_was_acknowledged",
			who_waits_is_told_what_was_acknowledged},
		{"one_memory_is_lent_so_often_and_no_more",
			one_memory_is_lent_so_often_and_no_more},
		{"what_is_not_there_is_refused", what_is_not_there_is_refused},
		{"packets_go_as_they_are", packets_go_as_they_are},
		{"what_has_come_is_viewed_at_once", what_has_come_is_viewed_at_once},
		{"odd_packets_are_refused", odd_packets_are_refused},
		{NULL, NULL},
	};

	return suite_main("memory", cases, argc, argv);
}
