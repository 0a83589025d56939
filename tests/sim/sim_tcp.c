/* SPDX-License-Identifier: BSD-3-Clause
 * Two TCP stacks, a wire that is unkind to them, and applications with habits, all from one seed
 * and under virtual time. What must hold: every byte arrives, once and in order; the windows are
 * respected; nothing stalls for longer than backing off explains; and in the end no connection, no
 * timer and no packet buffer is left. Some worlds have a listener that can only answer by SYN
 * cookies, a path that becomes narrower or wider on the way, or a user timeout and a wire that
 * dies.
 *
 *	sim_tcp [--seeds FIRST..LAST] [--seed N [--pcap FILE]]
 *		[--plant byte|blackhole|window|leak|cookie|mtu|timeout]
 *
 * The tests run a few hundred seeds. Before a release: sim_tcp --seeds 1..100000, some minutes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drivers-glue/eal.h"
#include "tcp-lite/tcp_inside.h"
#include "tests/sim/wire.h"
#include "tests/tcp-lite/nic.h"

enum {
	POOL = 16383, SPARE = 256,
	LONGEST_S = 20000, /* of virtual time: 800 KB through 2 KB windows and 15 % of loss */
	PORT = 80,
	FLOWS = 8, /* of each host */
	TEXT_MOST = 800001,
};
#define SECOND INT64_C(1000000000)

/* Undisturbed by the wire, whoever waits is waiting for a reader who sleeps, for the longest RTO
 * (60 s), or for what a delayed ACK and a pause of the applications add to that. */
#define STALL_MOST (95 * SECOND)

/* A user timeout's deadlines are exact; what a FIN waits for is known to a millisecond, and from
 * the last data that was sent. */
#define TIMEOUT_SLACK (SECOND / 2)

struct habits {
	uint64_t to_send;
	uint32_t write_most, read_most; /* bytes at a time */
	int64_t write_pause_ns, read_pause_ns;
	int64_t read_after_ns;          /* sleeps first: the window closes */
	bool shuts_first;               /* half-closes after sending, else waits for the peer's end */
	uint64_t quits_after;           /* closes after reading so much, whatever is unread; 0: never */
};

struct host {
	struct perch_net *net;
	void *memory;
	size_t memory_bytes;
	struct perch_ip ip;
	struct perch_tcb *c;
	struct habits h;
	struct rng rng;
	int64_t deadlines_ns[FLOWS]; /* what the net asked for; a timing wheel of eight */
	uint64_t sent, received;
	uint32_t una;            /* what the peer has acknowledged ... */
	int64_t una_ns;          /* ... and when that last moved, or something began to wait */
	bool waits;
	uint64_t resets_before;  /* the connection was accepted */
	int64_t next_write_ns, next_read_ns;
	bool shut, ended, closed;
	int error;
	bool lazy;                      /* its NIC: see done_with */
	struct rte_mbuf *ring[32];
	uint32_t sent_packets;
	bool lends;                     /* its bytes go from where they lie */
	struct perch_tcp_loan loan;
	struct rte_mbuf_ext_shared_info shared;
};

struct world {
	uint64_t seed;
	int64_t now_ns;
	struct host hosts[2];
	struct wire wire;
	bool simultaneous, abrupt;
	bool cookies;            /* the listener's backlog is full */
	int64_t user_timeout_ns; /* 0: none */
	uint64_t progress;       /* a sum that changes with each step forward ... */
	int64_t progressed_ns;   /* ... and when it last did */
	const char *wrong;
};

/* What of all worlds came about, so that a choice which leads nowhere is noticed. */
static struct {
	uint64_t cookies, black_holes, mtu_reports, mtu_trials, timeouts, newreno;
} exercised;

static struct rte_mempool *pool;
static struct rte_mbuf *spare[SPARE];

static uint8_t pattern(unsigned host, uint64_t i)
{
	return (uint8_t)(i * 167 + i / 251 + host * 77);
}

static uint8_t texts[2][TEXT_MOST]; /* what each host sends */

static void write_texts(void)
{
	uint32_t i;

	for (i = 0; i < 2 * TEXT_MOST; i++)
		texts[i / TEXT_MOST][i % TEXT_MOST] = pattern(i / TEXT_MOST, i % TEXT_MOST);
}

static void complain(struct world *w, const char *what)
{
	if (!w->wrong)
		w->wrong = what;
}

/* ---- a world from a seed -------------------------------------------------------------------- */

static struct perch_ip address(bool v4, unsigned host)
{
	struct perch_ip ip = {.b = {0xfd, [15] = (uint8_t)(host + 1)}};

	return v4 ? perch_ip_from_v4(RTE_BE32(0x0a000001 + host)) : ip;
}

static void choose_wire(struct wire_config *c, struct rng *r)
{
	static const double rates[] = {0, 0, 0.001, 0.01, 0.05, 0.15};
	static const int64_t delays_us[] = {0, 5, 50, 500, 5000, 50000};

	c->loss = rates[rng_below(r, 6)];
	c->duplicate = rates[rng_below(r, 5)];
	c->reorder = rates[rng_below(r, 6)];
	c->corrupt = rates[rng_below(r, 4)];
	c->truncate = rates[rng_below(r, 4)];
	c->delay_ns = delays_us[rng_below(r, 6)] * 1000 + 1000;
	c->jitter_ns = rng_chance(r, 0.3) ? c->delay_ns : 0;
}

/* A long stream in tiny segments proves no more than a shorter one. */
static void choose_meddling(struct world *w, struct rng *r)
{
	static const uint16_t sizes[] = {1, 64, 100, 256, 536, 1000};
	struct wire_config *c = &w->wire.cfg;
	int i;

	if (rng_chance(r, 0.3))
		c->strip = (unsigned)rng_below(r, 16);
	if (rng_chance(r, 0.2))
		c->mss_most = sizes[rng_below(r, 6)];
	for (i = 0; i < 2 && c->mss_most; i++)
		w->hosts[i].h.to_send = RTE_MIN(w->hosts[i].h.to_send, 100u * c->mss_most + 1000);
}

static void choose_habits(struct habits *h, struct rng *r)
{
	static const uint64_t sizes[] = {0, 1, 100, 1448, 10000, 100000, 400000};
	static const uint32_t pieces[] = {1, 7, 100, 1000, 5000, 65536};

	h->to_send = sizes[rng_below(r, 7)];
	h->to_send += rng_below(r, h->to_send + 1);
	h->write_most = pieces[rng_below(r, 6)];
	h->read_most = pieces[rng_below(r, 6)];
	if (h->to_send > 20000) /* many tiny steps of a long stream prove nothing more */
		h->write_most = RTE_MAX(h->write_most, 500u);
	h->write_pause_ns = rng_chance(r, 0.3) ? (int64_t)rng_below(r, 2000000) : 0;
	h->read_pause_ns = rng_chance(r, 0.3) ? (int64_t)rng_below(r, 2000000) : 0;
	h->read_after_ns = rng_chance(r, 0.2) ? (int64_t)rng_below(r, 20) * SECOND : 0;
	h->shuts_first = rng_chance(r, 0.6);
}

/* From some hundred milliseconds on, for ever or for a while. */
static void choose_path(struct wire_config *c, bool v4, struct rng *r)
{
	static const uint16_t mtus[] = {576, 700, 1006, 1280, 1350, 1400};

	c->mtu = mtus[v4 ? rng_below(r, 6) : 3 + rng_below(r, 3)];
	c->mtu_told = rng_chance(r, 0.5);
	c->mtu_from_ns = SECOND + (int64_t)rng_below(r, 10) * SECOND / 50;
	c->mtu_until_ns = rng_chance(r, 0.5) ? INT64_MAX
	                                     : c->mtu_from_ns + (int64_t)rng_below(r, 20) * SECOND;
}

/* What needs the two ends' and the wire's consent. */
static void choose_trouble(struct world *w, bool v4, struct rng *r)
{
	static const int64_t timeouts_s[] = {2, 5, 30};

	w->cookies = rng_chance(r, 0.15);
	if (rng_chance(r, 0.25))
		choose_path(&w->wire.cfg, v4, r);
	if (rng_chance(r, 0.1)) {
		w->user_timeout_ns = timeouts_s[rng_below(r, 3)] * SECOND;
		w->abrupt = true;
		if (rng_chance(r, 0.7))
			w->wire.cfg.dead_from_ns = SECOND + (INT64_C(1000) << rng_below(r, 20));
	}
}

static void choose_net(struct perch_net_config *c, struct rng *r)
{
	static const uint32_t buffers[] = {2000, 10000, 65536, 262144, 1000000};

	c->sndbuf_bytes = buffers[rng_below(r, 5)];
	c->rcvbuf_bytes = buffers[rng_below(r, 5)];
	c->delack_ns = rng_chance(r, 0.3) ? 40000000 : 0;
	c->rto_min_ns = rng_chance(r, 0.3) ? 200000000 : 5000000;
	c->ifs[0].mtu = rng_chance(r, 0.2) ? 1280 : 1500;
	c->keepalive_ns = rng_chance(r, 0.2) ? SECOND : 0;
	c->data_retries = 25; /* with 15, one in 100,000 orphans gave up on a closed window */
	c->seed = rng_next(r);
	memcpy(c->secret, &c->seed, sizeof(c->seed));
}

/* A port that sums and cuts, and memory that is lent; drawn apart, so that what a seed was before
 * there were those it still is. */
static void choose_port(struct world *w, unsigned i, struct perch_net_config *c)
{
	static const uint16_t pieces[] = {0, 2, 3, 7, 40};
	struct rng r = {w->seed * 7919 + i};
	struct host *h = &w->hosts[i];

	if (rng_chance(&r, 0.5)) {
		c->ifs[0].tx_offloads = PERCH_NET_TX_TCP_CKSUM | PERCH_NET_TX_TCP_TSO;
		c->ifs[0].tx_offloads |= rng_chance(&r, 0.5) ? PERCH_NET_TX_IP4_CKSUM : 0;
		c->ifs[0].tso_pieces = pieces[rng_below(&r, 5)];
	}
	h->lends = rng_chance(&r, 0.4);
	h->lazy = rng_chance(&r, 0.3);
	rte_mbuf_ext_refcnt_set(&h->shared, 1);
	h->loan = (struct perch_tcp_loan){.data = texts[i], .shared = &h->shared};
	if (rng_chance(&r, 0.2))
		h->loan.shared = NULL; /* a port that takes no pieces */
}

static void open_host(struct world *w, unsigned i, bool v4, struct rng *r, struct rng *more)
{
	struct host *h = &w->hosts[i];
	unsigned k;
	struct perch_net_config c = {.pool = pool, .n_ifs = 1, .now_ns = w->now_ns, .max_flows = FLOWS,
		.max_neighbours = 8};

	choose_net(&c, r);
	c.cc = rng_chance(more, 0.5) ? "newreno" : "cubic";
	exercised.newreno += c.cc[0] == 'n';
	c.user_timeout_ns = w->user_timeout_ns * (w->wire.cfg.plant == PLANT_TIMEOUT ? 4 : 1);
	choose_port(w, i, &c);
	c.ifs[0].mac = (struct rte_ether_addr){.addr_bytes = {2, 0, 0, 0, 0, (uint8_t)(i + 1)}};
	c.ifs[0].n_addrs = 1;
	h->ip = address(v4, i);
	c.ifs[0].addrs[0] = (struct perch_net_addr){.ip = h->ip, .prefix_len = 24};
	h->memory_bytes = perch_net_bytes(&c);
	h->memory = aligned_alloc(64, RTE_ALIGN_CEIL(h->memory_bytes, 64));
	memset(h->memory, 0, h->memory_bytes);
	if (perch_net_open(&h->net, h->memory, &c) < 0)
		complain(w, "perch_net_open failed");
	choose_habits(&h->h, r);
	h->rng.state = rng_next(r);
	for (k = 0; k < FLOWS; k++)
		h->deadlines_ns[k] = PERCH_NET_NEVER;
}

/* A planted bug: enough to go wrong, and nothing else that does. */
static void make_way(struct world *w, enum plant plant)
{
	struct wire_config *c = &w->wire.cfg;

	w->abrupt = plant == PLANT_TIMEOUT;
	w->cookies = plant == PLANT_COOKIE;
	w->simultaneous &= !w->cookies;
	w->hosts[0].h.to_send = 200000;
	w->hosts[0].h.write_most = 5000;
	w->hosts[0].h.quits_after = w->hosts[1].h.quits_after = 0;
	c->mtu = 0;
	if (plant == PLANT_MTU) {
		c->mtu = 300;
		c->mtu_from_ns = 0;
		c->mtu_until_ns = INT64_MAX;
	}
	c->dead_from_ns = 0;
	if (w->cookies)
		c->loss = c->duplicate = c->reorder = c->corrupt = c->truncate = 0;
}

static void open_world(struct world *w, uint64_t seed, enum plant plant)
{
	struct rng r = {seed * 1000003}, more = {~seed * 1000003};
	unsigned i;
	bool v4;

	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->now_ns = SECOND;
	v4 = rng_chance(&r, 0.5);
	choose_wire(&w->wire.cfg, &r);
	w->wire.cfg.plant = plant;
	w->wire.pool = pool;
	choose_trouble(w, v4, &more);
	if (plant == PLANT_TIMEOUT)
		w->user_timeout_ns = 2 * SECOND;
	open_host(w, 0, v4, &r, &more);
	open_host(w, 1, v4, &r, &more);
	for (i = 0; i < 2; i++)
		if (w->hosts[!i].h.to_send > 20000)
			w->hosts[i].h.read_most = RTE_MAX(w->hosts[i].h.read_most, 500u);
	w->hosts[0].h.shuts_first |= !w->hosts[1].h.shuts_first; /* else both would wait */
	w->simultaneous = rng_chance(&r, 0.1);
	if (rng_chance(&r, 0.1)) {
		w->abrupt = true;
		w->hosts[rng_below(&r, 2)].h.quits_after = 1 + rng_below(&r, 50000);
	}
	choose_meddling(w, &r);
	w->cookies &= !w->simultaneous;
	if (w->cookies) /* a cookie's ACK may be lost: who has sent nothing else waits for ever */
		w->hosts[0].h.to_send = RTE_MAX(w->hosts[0].h.to_send, 1u);
	if (plant != PLANT_NOTHING)
		make_way(w, plant);
	w->wire.rng.state = rng_next(&r);
	w->progressed_ns = w->now_ns;
}

/* ---- applications --------------------------------------------------------------------------- */

static void app_write(struct world *w, struct host *h, unsigned i)
{
	uint32_t n;
	int64_t rc;

	while (!h->shut && w->now_ns >= h->next_write_ns) {
		n = (uint32_t)RTE_MIN((uint64_t)h->h.write_most, h->h.to_send - h->sent);
		if (n == 0) {
			if (h->h.shuts_first || h->ended) {
				perch_tcp_shutdown(h->net, h->c);
				h->shut = true;
			}
			return;
		}
		rc = h->lends ? perch_tcp_lend(h->net, h->c, &h->loan, texts[i] + h->sent, n)
		              : perch_tcp_write(h->net, h->c, texts[i] + h->sent, n);
		if (rc == 0 || rc == -ENOBUFS)
			return;
		if (rc < 0) {
			h->error = (int)rc;
			return;
		}
		h->sent += (uint64_t)rc;
		h->next_write_ns = w->now_ns + h->h.write_pause_ns;
	}
}

static void app_read(struct world *w, struct host *h, unsigned i)
{
	const uint8_t *data;
	const void *view;
	uint32_t n, k;

	while (!h->ended && w->now_ns >= h->next_read_ns) {
		n = RTE_MIN(perch_tcp_peek(h->c, &view), h->h.read_most);
		if (n == 0)
			break;
		data = view;
		for (k = 0; k < n; k++)
			if (data[k] != pattern(!i, h->received + k))
				complain(w, "a byte that was received is not the one that was sent");
		perch_tcp_consume(h->net, h->c, n);
		h->received += n;
		h->next_read_ns = w->now_ns + h->h.read_pause_ns;
		if (h->h.quits_after && h->received >= h->h.quits_after)
			return;
	}
	if (perch_tcp_at_eof(h->c))
		h->ended = true;
	if (perch_tcp_error(h->c) && perch_tcp_readable(h->c) == 0)
		h->error = perch_tcp_error(h->c);
}

static void app_run(struct world *w, unsigned i)
{
	struct host *h = &w->hosts[i];

	if (!h->c || h->closed)
		return;
	if (h->c->state != PERCH_TCP_SYN_SENT && h->c->state != PERCH_TCP_SYN_RECEIVED) {
		app_read(w, h, i);
		app_write(w, h, i);
	}
	if (h->error || (h->shut && h->ended) ||
		(h->h.quits_after && h->received >= h->h.quits_after)) {
		perch_tcp_close(h->net, h->c);
		h->closed = true;
	}
}

/* ---- the user timeout ----------------------------------------------------------------------- */

/* RFC 9293 section 3.8.3: whoever waits for an acknowledgement or a window is given up when nothing
 * has moved for so long, and neither earlier nor later. */
static void watch_timeout(struct world *w, struct host *h)
{
	int64_t waited_ns = w->now_ns - h->una_ns;
	struct perch_tcp_info info;

	if (!w->user_timeout_ns || !h->c || h->closed)
		return;
	if (perch_tcp_error(h->c) == -ETIMEDOUT && h->waits) {
		if (waited_ns < w->user_timeout_ns - TIMEOUT_SLACK)
			complain(w, "a connection was given up before its user timeout");
		exercised.timeouts++;
		h->waits = false;
	}
	if (!perch_tcp_is_open(h->c) || perch_tcp_error(h->c))
		return;
	perch_tcp_info(h->net, h->c, &info);
	if (h->c->snd_una != h->una || !h->waits)
		h->una_ns = w->now_ns;
	else if (waited_ns > w->user_timeout_ns + TIMEOUT_SLACK)
		complain(w, "a connection outlives its user timeout");
	h->una = h->c->snd_una;
	h->waits = info.unsent_bytes + info.unacked_bytes > 0;
}

/* ---- time ----------------------------------------------------------------------------------- */

static void take_events(struct world *w, struct host *h)
{
	struct perch_flow *f;

	while ((f = perch_net_next_ready(h->net))) {
		if (f->events & PERCH_FLOW_ACCEPTED) {
			/* A cookie is all it has left. */
			if (w->cookies && h->c && (h->closed || perch_tcp_error(h->c))) {
				perch_tcp_abort(h->net, (struct perch_tcb *)f);
				continue;
			}
			if (h->c)
				complain(w, "two connections were accepted");
			h->c = (struct perch_tcb *)f;
			h->resets_before = perch_tcp_counters(h->net)->reset_sent;
			h->next_read_ns = w->now_ns + h->h.read_after_ns;
		}
		if (f->events & PERCH_FLOW_CONNECTED)
			h->next_read_ns = w->now_ns + h->h.read_after_ns;
		f->events = 0;
	}
}

/* RFC 5681 section 3.1: ssthresh leaves two segments, and nothing new goes out beyond the
 * congestion window but a probe. */
static void watch_congestion(struct world *w, const struct perch_tcb *c, uint32_t snd_nxt)
{
	if (!perch_tcp_is_open(c) || c->mtu_search)
		return;
	if (c->ssthresh < 2u * c->mss)
		complain(w, "ssthresh is less than two segments");
	if (c->snd_nxt - snd_nxt > 2u * c->mss && perch_tcp_pipe(c) > c->cwnd)
		complain(w, "more is in flight than the congestion window lets");
}

struct sender {
	struct world *w;
	unsigned from;
};

static void on_the_wire(void *arg, const uint8_t *frame, uint32_t bytes)
{
	struct sender *s = arg;
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	if (m && bytes <= rte_pktmbuf_tailroom(m)) {
		memcpy(rte_pktmbuf_append(m, (uint16_t)bytes), frame, bytes);
		wire_send(&s->w->wire, s->from, m, s->w->now_ns);
	} else {
		complain(s->w, "no buffer for a frame, or it is too long");
		rte_pktmbuf_free(m);
	}
}

/* A NIC gives packets back when it has sent many more. */
static void done_with(struct host *h, struct rte_mbuf *m)
{
	struct rte_mbuf **slot = &h->ring[h->sent_packets++ % RTE_DIM(h->ring)];

	if (!h->lazy) {
		rte_pktmbuf_free(m);
		return;
	}
	rte_pktmbuf_free(*slot);
	*slot = m;
}

static void transmit(struct world *w, unsigned i)
{
	struct perch_net *net = w->hosts[i].net;
	struct sender s = {w, i};
	const char *wrong;
	unsigned k;

	for (k = 0; k < net->n_tx; k++) {
		wrong = nic_send(net->tx[k], on_the_wire, &s);
		done_with(&w->hosts[i], net->tx[k]);
		if (wrong)
			complain(w, wrong);
	}
	net->n_tx = 0;
}

static void turn(struct world *w, unsigned i)
{
	struct host *h = &w->hosts[i];
	int64_t deadline_ns;
	uint32_t id, snd_nxt;
	unsigned k;

	for (k = 0; k < FLOWS; k++)
		if (h->deadlines_ns[k] <= w->now_ns)
			h->deadlines_ns[k] = perch_net_expire(h->net, k, w->now_ns);
		else if (h->deadlines_ns[k] != PERCH_NET_NEVER && w->seed % 2)
			h->deadlines_ns[k] = perch_net_due(h->net, k); /* a wheel that asks */
	perch_net_tick(h->net, w->now_ns);
	take_events(w, h);
	watch_timeout(w, h); /* what has failed ... */
	app_run(w, i);
	watch_timeout(w, h); /* ... and what begins to wait */
	snd_nxt = h->c ? h->c->snd_nxt : 0;
	perch_net_output(h->net, w->now_ns);
	if (h->c && !h->closed)
		watch_congestion(w, h->c, snd_nxt);
	while (perch_net_next_arm(h->net, &id, &deadline_ns))
		h->deadlines_ns[id] = RTE_MIN(h->deadlines_ns[id], deadline_ns);
	transmit(w, i);
}

static int64_t app_next(const struct world *w, const struct host *h)
{
	int64_t next_ns = INT64_MAX;

	if (!h->c || h->closed)
		return next_ns;
	if (!h->shut && h->next_write_ns > w->now_ns)
		next_ns = h->next_write_ns;
	if (!h->ended && h->next_read_ns > w->now_ns)
		next_ns = RTE_MIN(next_ns, h->next_read_ns);
	return next_ns;
}

static int64_t host_next(const struct world *w, const struct host *h)
{
	int64_t next_ns = RTE_MIN(app_next(w, h), perch_net_next_tick(h->net));
	unsigned k;

	for (k = 0; k < FLOWS; k++)
		next_ns = RTE_MIN(next_ns, h->deadlines_ns[k]);
	return next_ns;
}

static void deliver(struct world *w)
{
	struct rte_mbuf *m;
	unsigned to;

	while ((m = wire_receive(&w->wire, w->now_ns, &to)))
		perch_net_input(w->hosts[to].net, 0, &m, 1, w->now_ns);
}

/* A cookie knows nothing of text behind the first: if the ACK and that are lost or late, what comes
 * is nobody's and reset, as RFC 9293 section 3.10.7.2 has it. */
static bool cookie_was_late(const struct world *w)
{
	const struct host *h = &w->hosts[1];
	uint64_t resets = h->c ? h->resets_before : perch_tcp_counters(h->net)->reset_sent;

	return w->cookies && resets > 0 && (w->wire.disturbed_ns || w->wire.cfg.jitter_ns);
}

/* Abrupt ends may leave one side waiting for ever. */
static void judge_progress(struct world *w, int64_t next_ns)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < 2; i++)
		sum += w->hosts[i].sent + w->hosts[i].received + w->hosts[i].shut +
			w->hosts[i].ended + w->hosts[i].closed + (w->hosts[i].c != NULL);
	if (sum != w->progress)
		w->progressed_ns = w->now_ns;
	w->progress = sum;
	if (!w->abrupt && !cookie_was_late(w) &&
		next_ns - RTE_MAX(w->progressed_ns, w->wire.disturbed_ns) > STALL_MOST)
		complain(w, "nothing moves, for longer than backing off explains");
}

/* Step to the next event until `until`, or until nothing is left to happen. */
static void run(struct world *w, int64_t until_ns, bool to_the_end)
{
	int64_t next_ns;

	while (!w->wrong) {
		turn(w, 0);
		turn(w, 1);
		if (w->wire.broken)
			complain(w, w->wire.broken);
		if (!to_the_end && w->hosts[0].closed && w->hosts[1].closed)
			return;
		next_ns = RTE_MIN(host_next(w, &w->hosts[0]), host_next(w, &w->hosts[1]));
		next_ns = RTE_MIN(next_ns, wire_next(&w->wire));
		if (!to_the_end)
			judge_progress(w, next_ns);
		if (next_ns > until_ns)
			return;
		w->now_ns = RTE_MAX(next_ns, w->now_ns + 1);
		deliver(w);
	}
}

/* ---- one run -------------------------------------------------------------------------------- */

static void dial(struct world *w, unsigned from, uint16_t lport, uint16_t rport)
{
	struct host *h = &w->hosts[from];

	if (perch_tcp_connect(h->net, &h->ip, lport, &w->hosts[!from].ip, rport, w->now_ns, &h->c) < 0)
		complain(w, "perch_tcp_connect failed");
}

/* A SYN from nobody fills the backlog of one, until its answers have been in vain. */
static void fill_backlog(struct world *w)
{
	struct host *h = &w->hosts[1];
	struct perch_ip nobody = h->ip;
	struct rte_mbuf *m;

	nobody.b[15] = 9;
	m = wire_syn(&w->wire, &nobody, &h->ip, PORT);
	if (m)
		perch_net_input(h->net, 0, &m, 1, w->now_ns);
}

static void start(struct world *w)
{
	const struct perch_ip any = {.d = {0, 0}};

	if (w->simultaneous) {
		dial(w, 0, PORT, PORT);
		dial(w, 1, PORT, PORT);
	} else {
		perch_tcp_listen(w->hosts[1].net, &any, PORT, w->cookies, NULL);
		if (w->cookies)
			fill_backlog(w);
		dial(w, 0, 40000, PORT);
	}
}

/* A host that has nothing in flight, and whose peer's RST was lost, waits for ever: that is TCP. */
static bool may_wait(const struct world *w, const struct host *h)
{
	struct perch_tcp_info info = {.unacked_bytes = 0};

	if (h->c)
		perch_tcp_info(h->net, h->c, &info);
	return w->abrupt && info.unsent_bytes + info.unacked_bytes == 0;
}

static void judge(struct world *w)
{
	struct host *a = &w->hosts[0], *b = &w->hosts[1];
	int i;

	if (cookie_was_late(w))
		return;
	for (i = 0; i < 2; i++) {
		if (!w->hosts[i].closed && !may_wait(w, &w->hosts[i]))
			complain(w, "a connection stalled");
		if (w->hosts[i].error && !w->abrupt)
			complain(w, "a connection failed");
	}
	if (!w->abrupt && (a->received != b->h.to_send || b->received != a->h.to_send))
		complain(w, "bytes are missing");
}

static void note_exercise(const struct world *w)
{
	unsigned i;

	for (i = 0; i < 2; i++) {
		const struct perch_tcp_counters *c = perch_tcp_counters(w->hosts[i].net);

		exercised.cookies += c->cookies_accepted;
		exercised.black_holes += c->black_holes;
		exercised.mtu_reports += c->mtu_reports_doubted;
		exercised.mtu_trials += c->mtu_trials;
	}
}

static void judge_leftovers(struct world *w)
{
	int i, k;

	for (i = 0; i < 2; i++) {
		const struct perch_tcp_counters *c = perch_tcp_counters(w->hosts[i].net);

		if (c->flows != 0 && w->hosts[i].closed)
			complain(w, "a connection is left over");
		for (k = 0; k < FLOWS && c->flows == 0; k++)
			if (w->hosts[i].deadlines_ns[k] != PERCH_NET_NEVER)
				complain(w, "a timer is left over");
	}
}

static const char *run_seed(uint64_t seed, enum plant plant, const char *pcap)
{
	static struct world w;
	unsigned i, k;

	open_world(&w, seed, plant);
	if (pcap)
		w.wire.pcap = wire_pcap_open(pcap);
	start(&w);
	run(&w, LONGEST_S * SECOND, false);
	judge(&w);
	run(&w, w.now_ns + 1000 * SECOND, true);
	judge_leftovers(&w);
	note_exercise(&w);
	for (i = 0; i < 2; i++) {
		for (k = 0; k < RTE_DIM(w.hosts[i].ring); k++)
			rte_pktmbuf_free(w.hosts[i].ring[k]);
		perch_net_close(w.hosts[i].net);
		if (w.hosts[i].net->held != 0)
			complain(&w, "packets are counted wrong");
		free(w.hosts[i].memory);
		if (rte_mbuf_ext_refcnt_read(&w.hosts[i].shared) != 1)
			complain(&w, "memory is still lent");
	}
	wire_clear(&w.wire);
	if (rte_mempool_avail_count(pool) != POOL - SPARE)
		complain(&w, "packet buffers leaked");
	return w.wrong;
}

static bool report(uint64_t seed, enum plant plant, const char *wrong)
{
	char path[64];

	snprintf(path, sizeof(path), "sim_tcp-%" PRIu64 ".pcap", seed);
	run_seed(seed, plant, path);
	printf("FAIL seed %" PRIu64 ": %s (sim_tcp --seed %" PRIu64 "; packets in %s)\n", seed, wrong,
		seed, path);
	return rte_mempool_avail_count(pool) == POOL - SPARE;
}

static bool start_eal(void)
{
	const struct perch_eal_config cfg = {.no_huge = true, .memory_mb = 128};
	char why[256];

	if (perch_eal_start(&cfg, why, sizeof(why)) < 0) {
		printf("EAL: %s\n", why);
		return false;
	}
	pool = rte_pktmbuf_pool_create("sim", POOL, 0, PERCH_PKT_PRIV,
		RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	/* A pool that is full counts none that is given back twice. */
	return pool && rte_pktmbuf_alloc_bulk(pool, spare, SPARE) == 0;
}

static bool plant_called(const char *name, enum plant *out)
{
	static const char *const names[] = {
		[PLANT_BYTE] = "byte",
		[PLANT_BLACKHOLE] = "blackhole",
		[PLANT_WINDOW] = "window",
		[PLANT_LEAK] = "leak",
		[PLANT_COOKIE] = "cookie",
		[PLANT_MTU] = "mtu",
		[PLANT_TIMEOUT] = "timeout",
	};
	unsigned i;

	for (i = PLANT_BYTE; i <= PLANT_TIMEOUT; i++)
		if (strcmp(name, names[i]) == 0)
			*out = (enum plant)i;
	return *out != PLANT_NOTHING;
}

/* Of a few hundred worlds each kind must have come about. */
static bool note_and_judge_exercise(uint64_t worlds)
{
	printf("sim_tcp: newreno %" PRIu64 ", cookies %" PRIu64 ", user timeouts %" PRIu64 "\n",
		exercised.newreno, exercised.cookies, exercised.timeouts);
	printf("sim_tcp: holes %" PRIu64 ", reports %" PRIu64 ", trials %" PRIu64 "\n",
		exercised.black_holes, exercised.mtu_reports, exercised.mtu_trials);
	return worlds < 500 || (exercised.newreno && exercised.cookies && exercised.black_holes &&
		exercised.mtu_reports && exercised.mtu_trials && exercised.timeouts);
}

int main(int argc, char **argv)
{
	uint64_t first = 1, last = 300, seed, failed = 0;
	enum plant plant = PLANT_NOTHING;
	const char *pcap = NULL, *wrong;
	int i;

	for (i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seed") == 0)
			first = last = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seeds") == 0 &&
			sscanf(argv[i + 1], "%" SCNu64 "..%" SCNu64, &first, &last) == 2)
			;
		else if (strcmp(argv[i], "--pcap") == 0)
			pcap = argv[i + 1];
		else if (strcmp(argv[i], "--plant") == 0 && plant_called(argv[i + 1], &plant))
			;
		else
			break;
	}
	if (i != argc) {
		fprintf(stderr, "usage: sim_tcp [--seeds FIRST..LAST] [--seed N [--pcap FILE]] "
			"[--plant byte|blackhole|window|leak|cookie|mtu|timeout]\n");
		return 2;
	}
	if (!start_eal())
		return 1;
	write_texts();
	for (seed = first; seed <= last; seed++) {
		wrong = run_seed(seed, plant, pcap);
		if (wrong) {
			failed++;
			if (!report(seed, plant, wrong))
				break; /* buffers are lost: later runs would only repeat that */
		}
	}
	if (!note_and_judge_exercise(last - first + 1)) {
		printf("FAIL: a kind of world never came about\n");
		failed++;
	}
	printf("sim_tcp: %" PRIu64 " passed, %" PRIu64 " failed, 0 skipped\n",
		last - first + 1 - failed, failed);
	return failed ? 1 : 0;
}
