/* SPDX-License-Identifier: BSD-3-Clause
 * The files behind a replayed port: captures merged by time, faults, and the capture of what is
 * sent.
 */
#include "drivers-glue/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ether.h>

#include "drivers-glue/edit.h"
#include "drivers-glue/pcapng.h"
#include "drivers-glue/recording.h"
#include "drivers-glue/why.h"

enum {
	MAC_LOOK = 10000, /* packets of a capture among which a unicast destination is looked for */
	LOOP_GAP_NS = 1000, /* from the last packet of a round to the first of the next */
};

struct source {
	struct perch_capture *capture;
	struct perch_capture_config cfg; /* with strings of its own, to open it again */
	struct perch_frame frame;        /* the next one, when has_frame */
	bool has_frame;
};

struct perch_replay {
	struct perch_replay_config cfg;
	struct source sources[PERCH_REPLAY_CAPTURES];
	struct source *first; /* the one whose frame is the earliest, or NULL */
	int64_t now_ns, next_ns, start_ns;
	int64_t shift_ns;     /* added to the captures' times in this round */
	int64_t last_ns;      /* of the round */
	uint32_t round;
	struct perch_fault faults;
	struct perch_held held; /* what has passed the faults */
	const struct perch_recorded_turn *turn; /* to be received next */
	uint32_t tx_left; /* that may still be taken in this turn */
	const struct perch_recorded_lefts *left; /* NULL: what is sent has left */
	size_t at_left;
	struct perch_held sent[PERCH_RECORDED_LCORES]; /* by each lcore, and has not left */
	int64_t left_ns;
	struct perch_peers *peers; /* NULL: not asked for */
	struct perch_pcapng *out;
	struct perch_replay_stats stats;
	uint8_t mac[6];
	char error[256];
	bool failed;
};

/* ---- captures merged by time ---------------------------------------------------------------- */

static void fail(struct perch_replay *r, const char *sentence)
{
	if (!r->failed)
		snprintf(r->error, sizeof(r->error), "%s", sentence);
	r->failed = true;
}

static void read_next(struct perch_replay *r, struct source *s)
{
	int rc;

	do
		rc = perch_capture_next(s->capture, &s->frame);
	while (rc == 1 && r->peers &&
		perch_peers_is_server(r->peers, s->frame.data, s->frame.len));
	s->has_frame = rc == 1;
	if (rc < 0)
		fail(r, perch_capture_error(s->capture));
	if (rc == 1)
		s->frame.time_ns += r->shift_ns;
}

static void find_first(struct perch_replay *r)
{
	struct source *s;

	r->first = NULL;
	if (r->failed)
		return; /* an error ends them all */
	for (s = r->sources; s < r->sources + r->cfg.n_captures; s++)
		if (s->has_frame && (!r->first || s->frame.time_ns < r->first->frame.time_ns))
			r->first = s;
}

static void add_stats(struct perch_capture_stats *sum, const struct perch_capture *c)
{
	struct perch_capture_stats s;

	perch_capture_stats(c, &s);
	sum->packets += s.packets;
	sum->clamped += s.clamped;
	sum->snapped += s.snapped;
	sum->truncated += s.truncated;
}

static int open_round(struct perch_replay *r, char *why, size_t why_bytes)
{
	struct source *s;
	int rc;

	for (s = r->sources; s < r->sources + r->cfg.n_captures; s++) {
		if (s->capture)
			add_stats(&r->stats.captures, s->capture);
		perch_capture_close(s->capture);
		s->capture = NULL;
		rc = perch_capture_open(&s->capture, &s->cfg, why, why_bytes);
		if (rc < 0)
			return rc;
		read_next(r, s);
	}
	find_first(r);
	r->round++;
	return 0;
}

/* The captures once more, as many times as asked for, right behind the round before. */
static void next_round(struct perch_replay *r)
{
	int64_t round_ns = r->last_ns - (r->start_ns + r->shift_ns) + LOOP_GAP_NS;
	char why[256];

	if (r->failed || r->round >= r->cfg.loops)
		return;
	if (r->last_ns > INT64_MAX / 2 - round_ns) {
		fail(r, "the captures' times come to their end in this round of --loop");
		return;
	}
	r->shift_ns += round_ns;
	if (open_round(r, why, sizeof(why)) < 0)
		fail(r, why);
}

/* The frame of r->first has been dealt with. */
static void drop_first(struct perch_replay *r)
{
	r->last_ns = r->first->frame.time_ns;
	read_next(r, r->first);
	find_first(r);
	if (!r->first)
		next_round(r);
}

/* ---- the next frame ------------------------------------------------------------------------- */

static bool is_straight(const struct perch_replay *r)
{
	return r->faults.n_rules == 0;
}

/* No frame that is still in a capture can arrive before the first of those held. */
static void fill_held(struct perch_replay *r)
{
	const struct perch_frame *held;
	int rc = 0;

	while (rc == 0 && r->first && (!(held = perch_held_first(&r->held)) ||
		r->first->frame.time_ns <= held->time_ns)) {
		rc = perch_fault_pass(&r->faults, &r->first->frame, &r->held);
		drop_first(r);
	}
	if (!r->first && rc == 0)
		rc = perch_fault_end(&r->faults, &r->held);
	if (rc < 0)
		fail(r, "out of memory for the frames that faults hold back");
}

static const struct perch_frame *peek(struct perch_replay *r)
{
	if (is_straight(r))
		return r->first ? &r->first->frame : NULL;
	fill_held(r);
	return perch_held_first(&r->held);
}

static void pop(struct perch_replay *r)
{
	if (is_straight(r))
		drop_first(r);
	else
		free(perch_held_take(&r->held));
}

static void look_ahead(struct perch_replay *r)
{
	const struct perch_frame *f = peek(r);

	r->next_ns = f ? f->time_ns : PERCH_REPLAY_NEVER;
}

/* ---- open and close ------------------------------------------------------------------------- */

/* The port is whoever the captured packets are for. */
static int find_mac(struct perch_replay *r, char *why, size_t why_bytes)
{
	static const uint8_t none[6], own[6] = {0x02, 'p', 'e', 'r', 'c', 'h'};
	struct perch_capture *c;
	struct perch_frame f;
	unsigned i, k;
	int rc = 0;

	memcpy(r->mac, own, sizeof(r->mac));
	if (memcmp(r->cfg.mac, none, sizeof(none)) != 0) {
		memcpy(r->mac, r->cfg.mac, sizeof(r->mac));
		return 0;
	}
	for (i = 0; i < r->cfg.n_captures; i++) {
		rc = perch_capture_open(&c, &r->sources[i].cfg, why, why_bytes);
		if (rc < 0)
			return rc;
		for (k = 0; k < MAC_LOOK && perch_capture_next(c, &f) == 1; k++)
			if (f.len >= sizeof(r->mac) &&
				rte_is_valid_assigned_ether_addr((const void *)f.data)) {
				memcpy(r->mac, f.data, sizeof(r->mac));
				perch_capture_close(c);
				return 0;
			}
		perch_capture_close(c);
	}
	return 0;
}

/* Captured sessions are read through before the first packet is played: the numbers of a server
 * may stand in the capture after they are needed. */
static int learn_peers(struct perch_replay *r, char *why, size_t why_bytes)
{
	struct perch_capture *c;
	struct perch_frame f;
	unsigned i;
	int rc = 0;

	if (!r->cfg.tcp_peers)
		return 0;
	if (perch_peers_open(&r->peers, r->cfg.isn) < 0)
		return perch_glue_why(why, why_bytes, -ENOMEM, "out of memory");
	for (i = 0; i < r->cfg.n_captures && rc == 0; i++) {
		rc = perch_capture_open(&c, &r->sources[i].cfg, why, why_bytes);
		if (rc < 0)
			return rc;
		while (rc == 0 && perch_capture_next(c, &f) == 1)
			rc = perch_peers_learn(r->peers, f.data, f.len);
		perch_capture_close(c);
		if (rc < 0)
			perch_glue_why(why, why_bytes, rc, "out of memory for TCP sessions");
	}
	return rc;
}

static int copy_strings(struct perch_replay *r)
{
	struct perch_capture_config *c;
	unsigned i;

	for (i = 0; i < r->cfg.n_captures; i++) {
		c = &r->sources[i].cfg;
		*c = r->cfg.captures[i];
		c->path = strdup(c->path);
		c->filter = c->filter ? strdup(c->filter) : NULL;
		if (!c->path || (r->cfg.captures[i].filter && !c->filter))
			return -ENOMEM;
	}
	return 0;
}

int perch_replay_open(struct perch_replay **out, const struct perch_replay_config *cfg, char *why,
	size_t why_bytes)
{
	struct perch_replay *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return perch_glue_why(why, why_bytes, -ENOMEM, "out of memory");
	r->cfg = *cfg;
	r->cfg.loops = cfg->loops ? cfg->loops : 1;
	if (cfg->faults)
		r->faults = *cfg->faults;
	r->faults.rng = cfg->seed;
	rc = copy_strings(r);
	if (rc < 0)
		perch_glue_why(why, why_bytes, rc, "out of memory");
	if (rc == 0)
		rc = find_mac(r, why, why_bytes);
	if (rc == 0)
		rc = learn_peers(r, why, why_bytes);
	if (rc == 0)
		rc = open_round(r, why, why_bytes);
	if (rc == 0 && (cfg->tx_path || cfg->tcp_peers)) /* peers look at what is written */
		rc = perch_pcapng_create(
			&r->out, cfg->tx_path ? cfg->tx_path : "/dev/null", why, why_bytes);
	if (rc < 0) {
		perch_replay_close(r);
		return rc;
	}
	r->tx_left = UINT32_MAX;
	r->start_ns = r->first ? r->first->frame.time_ns : 0;
	look_ahead(r);
	*out = r;
	return 0;
}

int perch_replay_close(struct perch_replay *r)
{
	unsigned i;
	int rc;

	if (!r)
		return 0;
	for (i = 0; i < r->cfg.n_captures; i++) {
		perch_capture_close(r->sources[i].capture);
		free((char *)(uintptr_t)r->sources[i].cfg.path);
		free((char *)(uintptr_t)r->sources[i].cfg.filter);
	}
	perch_peers_close(r->peers);
	perch_fault_clear(&r->faults);
	perch_held_clear(&r->held);
	for (i = 0; i < PERCH_RECORDED_LCORES; i++)
		perch_held_clear(&r->sent[i]);
	rc = perch_pcapng_close(r->out);
	free(r);
	return rc;
}

/* ---- in ------------------------------------------------------------------------------------- */

static struct rte_mbuf *packet_of(struct perch_replay *r, const struct perch_frame *f,
	struct rte_mempool *pool)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint32_t len = f->len;
	uint8_t *data;

	if (unlikely(!m)) {
		r->stats.no_buffer++;
		return NULL;
	}
	data = rte_pktmbuf_mtod(m, uint8_t *);
	memcpy(data, f->data, len);
	if (r->cfg.untag)
		len = perch_edit_untag(data, len);
	if (r->peers)
		perch_peers_rx(r->peers, data, len);
	if (r->cfg.checksums == PERCH_CHECKSUMS_FIX)
		perch_edit_checksums(data, len);
	else if (r->cfg.checksums == PERCH_CHECKSUMS_IGNORE)
		m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	return m;
}

static bool is_due(const struct perch_replay *r)
{
	return r->next_ns != PERCH_REPLAY_NEVER && (r->next_ns <= r->now_ns || r->cfg.full_bursts);
}

void perch_replay_feed(struct perch_replay *r, const struct perch_recorded_turn *turn)
{
	r->turn = turn;
	r->tx_left = turn ? turn->taken : UINT32_MAX;
}

static bool has_no_room(
	struct perch_replay *r, const struct perch_frame *f, struct rte_mempool *pool)
{
	if (likely(f->len + RTE_PKTMBUF_HEADROOM <= rte_pktmbuf_data_room_size(pool)))
		return false;
	r->stats.too_long++;
	return true;
}

/* A turn of a recording. It had buffers for its packets, so there are enough of them now. */
static uint16_t rx_turn(
	struct perch_replay *r, struct rte_mempool *pool, struct rte_mbuf **pkts, uint16_t n)
{
	struct perch_frame f;
	uint16_t got;

	for (got = 0; got < RTE_MIN((uint32_t)n, r->turn->n); got++) {
		f = (struct perch_frame){.data = r->turn->data[got], .len = r->turn->len[got]};
		if (has_no_room(r, &f, pool)) {
			fail(r, "the recording has a packet that no buffer has room for");
			break;
		}
		pkts[got] = packet_of(r, &f, pool);
		if (!pkts[got])
			break;
		pkts[got]->ol_flags |= perch_recorded_sums_flags(&r->turn->sums, got);
	}
	r->stats.rx_packets += got;
	r->turn = NULL;
	return got;
}

uint16_t perch_replay_rx(struct perch_replay *r, struct rte_mempool *pool, struct rte_mbuf **pkts,
	uint16_t n, uint64_t *learn)
{
	const struct perch_frame *f;
	uint16_t got = 0;

	if (r->turn) {
		*learn = r->turn->learn;
		return rx_turn(r, pool, pkts, n);
	}
	while (got < n && is_due(r)) {
		f = peek(r);
		if (!has_no_room(r, f, pool)) {
			pkts[got] = packet_of(r, f, pool);
			if (!pkts[got])
				break; /* a later turn gives buffers back */
			got++;
		}
		pop(r);
		look_ahead(r);
	}
	r->stats.rx_packets += got;
	return got;
}

/* ---- out ------------------------------------------------------------------------------------ */

/* A copy, for the packet's buffer is free again, as it was. */
static void keep(struct perch_replay *r, unsigned lcore, const struct rte_mbuf *m)
{
	uint8_t bytes[UINT16_MAX];
	struct perch_frame f = {.time_ns = r->now_ns + r->cfg.tx_cost_ns, .len = m->pkt_len};

	f.data = m->pkt_len <= sizeof(bytes) ? rte_pktmbuf_read(m, 0, m->pkt_len, bytes) : NULL;
	if (!f.data || perch_held_put(&r->sent[lcore], &f) < 0)
		fail(r, "out of memory for the packets that have not left");
}

/* The first packet of those that the lcore has sent. */
static bool write_kept(struct perch_replay *r, unsigned lcore)
{
	struct perch_held_frame *h = perch_held_take(&r->sent[lcore]);
	struct rte_mbuf m = {.nb_segs = 1};

	if (!h)
		return false;
	m.buf_addr = (void *)(uintptr_t)h->f.data;
	m.data_len = (uint16_t)h->f.len;
	m.pkt_len = h->f.len;
	r->left_ns = RTE_MAX(r->left_ns, h->f.time_ns);
	perch_pcapng_packet(r->out, r->left_ns, &m);
	free(h);
	return true;
}

/* An app that is another by now may have sent fewer packets than left then, or more. */
void perch_replay_leave(struct perch_replay *r, uint64_t order)
{
	const struct perch_recorded_left *l;
	unsigned i;

	for (; r->left && r->at_left < r->left->n; r->at_left++) {
		l = &r->left->at[r->at_left];
		if (l->order >= order)
			break;
		for (i = 0; i < l->n && write_kept(r, l->lcore); i++)
			;
	}
	for (i = 0; order == UINT64_MAX && i < PERCH_RECORDED_LCORES; i++)
		while (write_kept(r, i))
			;
}

void perch_replay_order(struct perch_replay *r, const struct perch_recorded_lefts *left)
{
	r->left = left->n > 0 ? left : NULL;
}

static void write_down(struct perch_replay *r, const struct rte_mbuf *m)
{
	uint8_t *bytes = perch_pcapng_packet(r->out, r->now_ns + r->cfg.tx_cost_ns, m);

	if (r->peers && bytes)
		perch_peers_tx(r->peers, bytes, m->pkt_len);
}

uint16_t perch_replay_tx(
	struct perch_replay *r, unsigned lcore, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t i;

	n = (uint16_t)RTE_MIN((uint32_t)n, r->tx_left);
	if (r->tx_left != UINT32_MAX)
		r->tx_left -= n;
	for (i = 0; i < n; i++) {
		r->stats.tx_bytes += pkts[i]->pkt_len;
		if (r->out && r->left)
			keep(r, lcore, pkts[i]);
		else if (r->out)
			write_down(r, pkts[i]);
		rte_pktmbuf_free(pkts[i]);
	}
	r->stats.tx_packets += n;
	return n;
}

/* ---- what it is ----------------------------------------------------------------------------- */

void perch_replay_mac(const struct perch_replay *r, uint8_t mac[6])
{
	memcpy(mac, r->mac, sizeof(r->mac));
}

int64_t perch_replay_start(const struct perch_replay *r)
{
	return r->start_ns;
}

int64_t perch_replay_next(const struct perch_replay *r)
{
	return r->next_ns;
}

void perch_replay_advance(struct perch_replay *r, int64_t now_ns)
{
	r->now_ns = now_ns;
}

const char *perch_replay_error(const struct perch_replay *r)
{
	return r->failed ? r->error : NULL;
}

void perch_replay_stats(const struct perch_replay *r, struct perch_replay_stats *out)
{
	unsigned i;

	*out = r->stats;
	out->faults = r->faults.stats;
	for (i = 0; i < r->cfg.n_captures; i++)
		add_stats(&out->captures, r->sources[i].capture);
}
