/* SPDX-License-Identifier: BSD-3-Clause
 * Segments and time against live TCP connections. The input is a program: segments whose numbers
 * lie near those of the connection, ICMP errors, calls of the layer above, time that goes by, and
 * stretches with an honest peer behind a path that swallows long packets.
 *
 * Whatever happens: nothing crashes or leaks, our window's right edge never moves left, nothing is
 * sent beyond the peer's window, what we send is well formed, and in the end nothing is left.
 */
#include <netinet/in.h>
#include <string.h>

#include "tcp-lite/tcp_inside.h"
#include "tests/fuzz/target.h"

enum { OPS_MAX = 400, PORT = 80, PEERS = 3,
	MINUTES_MAX = 60 };

struct peer { /* of one connection, told apart by port */
	uint16_t port;
	uint32_t seq;           /* where we would send next */
	uint32_t isn;           /* the last that we used */
	struct perch_tcb *c;    /* while the layer above holds it */
	bool edge_known;
	uint32_t edge;          /* the furthest that the net has offered */
	uint32_t offered;       /* the furthest that we have offered */
	uint32_t theirs;        /* what its last SYN wants acknowledged: perhaps a cookie */
	uint32_t heard_ts;      /* its last timestamp */
	uint32_t got;           /* all before this has arrived ... */
	uint32_t run, run_end;  /* ... and this, beyond a hole; empty: nothing has */
};

struct play {
	struct fuzz_net f; /* first: `sent` finds the play by it */
	struct fuzz_input in;
	bool v6;
	uint32_t path_mtu;      /* IP packets that are longer vanish; 0: none do */
	struct peer peers[PEERS], *at;
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_start("fuzz_segments");
	return 0;
}

/* ---- what the net sends --------------------------------------------------------------------- */

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static struct peer *peer_of(struct play *p, uint16_t port)
{
	unsigned i;

	for (i = 0; i < PEERS; i++)
		if (p->peers[i].port == port)
			return &p->peers[i];
	return NULL;
}

/* The connection with that peer, whoever holds it. */
static const struct perch_tcb *live(const struct play *p, const struct peer *peer)
{
	const struct perch_tcb *c;
	uint32_t next = 0;

	while ((c = perch_tcp_each(p->f.net, &next)))
		if (c->rport == peer->port)
			return c;
	return NULL;
}

/* What an honest peer would remember of it. */
static void hear(struct peer *peer, const uint8_t *h, unsigned header)
{
	struct perch_tcp_opts opts;

	perch_tcp_opts_parse(&opts, h + 20, header - 20);
	if (opts.has_ts)
		peer->heard_ts = opts.ts_val;
	if (h[13] & SYN)
		peer->theirs = get32(h + 4) + 1;
}

/* What arrives at an honest peer, which remembers one run beyond the first hole. */
static void arrive(struct peer *peer, uint32_t seq, uint32_t end)
{
	if (seq_le(seq, peer->got)) {
		peer->got = seq_max(peer->got, end);
	} else if (peer->run == peer->run_end || seq_gt(seq, peer->run_end)) {
		peer->run = seq;
		peer->run_end = end;
	} else {
		peer->run = seq_lt(seq, peer->run) ? seq : peer->run;
		peer->run_end = seq_max(peer->run_end, end);
	}
	if (seq_le(peer->run, peer->got)) {
		peer->got = seq_max(peer->got, peer->run_end);
		peer->run = peer->run_end = peer->got;
	}
}

static void check_segment(
	const struct play *p, struct peer *peer, const uint8_t *h, unsigned len)
{
	const struct perch_tcb *c = live(p, peer);
	unsigned header = (h[12] >> 4) * 4u, flags = h[13];
	uint32_t seq = get32(h + 4), ack = get32(h + 8), wnd = get16(h + 14), edge;

	promise(header >= 20 && header <= len);
	hear(peer, h, header);
	if (flags & SYN)
		peer->got = peer->run = peer->run_end = seq + 1;
	else if (p->path_mtu == 0 || len + (p->v6 ? 40 : 20) <= p->path_mtu)
		arrive(peer, seq, seq + len - header + (flags & FIN));
	if (flags & SYN)
		peer->edge_known = false;
	else if (c && (c->marks & TCB_SCALE))
		wnd <<= tcp_rcv_scale(p->f.net, c);
	if (len > header && !(flags & RST))
		promise(seq_le(seq + len - header, peer->offered));
	if (!(flags & ACK) || (flags & RST))
		return;
	edge = ack + wnd;
	promise(!peer->edge_known || seq_ge(edge, peer->edge));
	peer->edge = edge;
	peer->edge_known = true;
	if (flags & SYN)
		peer->edge_known = false; /* until the handshake is over, SYNs may come anew */
}

static void sent(struct fuzz_net *f, const struct frame *frame)
{
	struct play *p = (struct play *)f;
	unsigned ip = p->v6 ? 40 : 20;
	const uint8_t *b = frame->b + 14;
	unsigned len = p->v6 ? get16(b + 4) : get16(b + 2) - 20;
	struct peer *peer;

	if (get16(frame->b + 12) != (p->v6 ? 0x86dd : 0x0800) || b[p->v6 ? 6 : 9] != IPPROTO_TCP)
		return;
	promise(frame->len == 14 + ip + len);
	peer = peer_of(p, (uint16_t)get16(b + ip + 2));
	promise(peer);
	check_segment(p, peer, b + ip, len);
}

/* ---- what it is given ----------------------------------------------------------------------- */

/* Numbers that matter: near the right one, near the window's edge, or anywhere. */
static uint32_t near(struct fuzz_input *in, uint32_t right, uint32_t edge)
{
	uint8_t how = fuzz_take8(in);

	switch (how >> 5) {
	case 0:
	case 1:
	case 2:
		return right;
	case 3:
		return right + (how & 31);
	case 4:
		return right - (how & 31);
	case 5:
		return right + (how & 31) * 500u;
	case 6:
		return edge - 16 + (how & 31);
	default:
		return right + (uint32_t)(int16_t)fuzz_take16(in) * (1u + (how & 31));
	}
}

/* Where the n-th segment that we have not acknowledged begins, or the last of them ends. */
static uint32_t boundary(const struct perch_tcb *c, unsigned n)
{
	const struct perch_outbox *o;
	const struct rte_mbuf *m;
	uint32_t at;

	if (!c)
		return 0;
	at = c->snd_una;
	o = tcb_outbox(c);
	for (m = c->outbox ? o->head : NULL; m && m != o->unsent && n > 0; n--) {
		const struct perch_pkt *p = perch_pkt((struct rte_mbuf *)(uintptr_t)m);

		at = p->tcp.seq + p->tcp.len;
		m = p->next;
	}
	return at;
}

static uint8_t *put(uint8_t *o, const void *bytes, unsigned len)
{
	memcpy(o, bytes, len);
	return o + len;
}

static uint8_t *put32(uint8_t *o, uint32_t v)
{
	v = rte_cpu_to_be_32(v);
	return put(o, &v, sizeof(v));
}

static unsigned put_options(struct play *p, uint8_t *o)
{
	const struct perch_tcb *c = live(p, p->at);
	uint8_t which = fuzz_take8(&p->in), *start = o, n;
	uint32_t una = c ? c->snd_una : 0, ts = c ? c->ts_recent : 0;

	if (which & 1)
		o = put(o, (uint8_t[]){2, 4, fuzz_take8(&p->in), fuzz_take8(&p->in)}, 4);
	if (which & 2)
		o = put(o, (uint8_t[]){1, 3, 3, fuzz_take8(&p->in)}, 4);
	if (which & 4)
		o = put(o, (uint8_t[]){1, 1, 4, 2}, 4);
	if (which & 8) {
		o = put(o, (uint8_t[]){1, 1, 8, 10}, 4);
		o = put32(o, ts + (uint32_t)(int8_t)fuzz_take8(&p->in));
		n = fuzz_take8(&p->in);
		o = put32(o, n & 1 ? n * 1000u : p->at->heard_ts - n / 2);
	}
	if (which & 16) {
		o = put(o, (uint8_t[]){1, 1, 5, 10}, 4);
		o = put32(o, una + fuzz_take8(&p->in) * 100u);
		o = put32(o, una + fuzz_take8(&p->in) * 100u);
	}
	if (which & 32) { /* segments, as an honest peer has them */
		n = fuzz_take8(&p->in);
		o = put(o, (uint8_t[]){1, 1, 5, 10}, 4);
		o = put32(o, boundary(c, n & 15));
		o = put32(o, boundary(c, (n & 15) + (n >> 4)));
	}
	return (unsigned)(o - start);
}

/* What the peer has now offered, if the net can take it for an offer. */
static void note_offer(struct play *p, unsigned flags, uint32_t ack, uint32_t wnd)
{
	const struct perch_tcb *c = live(p, p->at);
	struct peer *peer = p->at;

	if (!(flags & ACK))
		return;
	if (!(flags & SYN) && c && (c->marks & TCB_SCALE))
		wnd <<= c->snd_scale;
	if (c && seq_ge(ack, c->snd_una) && seq_le(ack, c->snd_nxt))
		peer->offered = seq_max(peer->offered, ack + wnd);
}

/* A connection that was not there before the segment: it knows no other offer. */
static void note_birth(struct play *p, unsigned flags, uint32_t ack, uint32_t wnd)
{
	const struct perch_tcb *c = live(p, p->at);

	if (!c)
		return;
	p->at->offered = c->snd_una;
	note_offer(p, flags, ack, wnd);
}

static void rx_segment(struct play *p)
{
	static const uint8_t kinds[] = {ACK, ACK, ACK, ACK | PSH, ACK | FIN, ACK | RST, RST, SYN,
		SYN | ACK, FIN, 0, PSH, 63, SYN | FIN, ACK | PSH | 32, ACK};
	struct ends e = fuzz_ends(p->v6);
	const struct perch_tcb *c = live(p, p->at);
	uint8_t kind = fuzz_take8(&p->in), flags = kinds[kind & 15], bytes[1500] = {0};
	uint32_t ours = c ? c->snd_nxt : p->at->theirs, una = c ? c->snd_una : ours;
	uint32_t seq = near(&p->in, c ? c->rcv_nxt : p->at->seq, c ? c->rcv_edge : p->at->seq);
	uint32_t ack = near(&p->in, kind & 16 ? boundary(c, kind >> 5 & 1) : ours, una);
	uint32_t wnd = kind & 32 ? fuzz_take16(&p->in) : 8192, len = 0, options = 0;
	struct frame frame;

	if (kind & 64)
		options = put_options(p, bytes);
	if (kind & 128)
		len = fuzz_take8(&p->in) * 5u;
	if (flags & SYN)
		p->at->isn = seq;
	p->at->seq = seq + len + !!(flags & SYN) + !!(flags & FIN);
	note_offer(p, flags, ack, wnd);
	frame_tcp(&frame, &e, p->at->port, PORT, seq, ack, flags, (uint16_t)wnd, bytes,
		options + len);
	frame.b[14 + (p->v6 ? 40 : 20) + 12] = (uint8_t)((5 + options / 4) << 4);
	frame_fix_transport(&frame);
	fuzz_rx(&p->f, &frame, 0);
	if (!c)
		note_birth(p, flags, ack, wnd);
}

/* An ACK of all that has arrived. */
static void rx_honest(struct play *p)
{
	struct ends e = fuzz_ends(p->v6);
	const struct perch_tcb *c = live(p, p->at);
	const struct peer *peer = p->at;
	uint8_t options[24], *o = options;
	struct frame frame;

	if (!c || !perch_tcp_is_open(c))
		return;
	if (c->marks & TCB_TS) {
		o = put(o, (uint8_t[]){1, 1, 8, 10}, 4);
		o = put32(o, c->ts_recent);
		o = put32(o, peer->heard_ts);
	}
	if ((c->marks & TCB_SACK) && peer->run != peer->run_end) {
		o = put(o, (uint8_t[]){1, 1, 5, 10}, 4);
		o = put32(o, peer->run);
		o = put32(o, peer->run_end);
	}
	note_offer(p, ACK, peer->got, UINT16_MAX);
	frame_tcp(&frame, &e, peer->port, PORT, c->rcv_nxt, peer->got, ACK, UINT16_MAX, options,
		(unsigned)(o - options));
	frame.b[14 + (p->v6 ? 40 : 20) + 12] = (uint8_t)((5 + (o - options) / 4) << 4);
	frame_fix_transport(&frame);
	fuzz_rx(&p->f, &frame, 0);
}

static void rx_error(struct play *p)
{
	struct ends in = fuzz_ends(p->v6), out = packets_reverse(&in);
	const struct perch_tcb *c = live(p, p->at);
	uint8_t how = fuzz_take8(&p->in);
	uint32_t seq = near(&p->in, c ? c->snd_una : 0, 0);
	struct frame quoted, frame;

	frame_tcp(&quoted, &out, PORT, p->at->port, seq, 0, 0, 0, "", 0);
	frame_icmp(&frame, &in, p->v6 ? (how & 1) + 1 : (how & 1) ? 3 : 11, (how >> 1) & 7,
		fuzz_take16(&p->in), quoted.b + 14, quoted.len - 14);
	fuzz_rx(&p->f, &frame, 0);
}

/* ---- the layer above ------------------------------------------------------------------------ */

static void take_events(struct play *p)
{
	struct perch_flow *flow;
	struct peer *peer;

	while ((flow = perch_net_next_ready(p->f.net))) {
		struct perch_tcb *c = (struct perch_tcb *)flow;

		peer = peer_of(p, c->rport);
		promise(peer);
		if (flow->events & PERCH_FLOW_ACCEPTED) {
			if (peer->c) /* the peer began anew while we still hold the old one */
				perch_tcp_close(p->f.net, peer->c);
			peer->c = c;
		}
		flow->events = 0;
	}
}

/* The path becomes narrower or wider, and so many round trips go by in which all is well but for
 * that; the layer above may write. */
static void stretch(struct play *p)
{
	static const uint8_t bytes[4096];
	uint8_t how = fuzz_take8(&p->in), path = fuzz_take8(&p->in);
	int64_t rtt_ns = FUZZ_MS << (how >> 4 & 3);
	unsigned rounds = 1 + (how & 15);

	if (path != 255)
		p->path_mtu = path ? 300 + path * 5u : 0;
	for (; rounds > 0 && !(p->at->c && perch_tcp_error(p->at->c)); rounds--) {
		if ((how & 64) && p->at->c)
			perch_tcp_write(p->f.net, p->at->c, bytes, sizeof(bytes));
		fuzz_turn(&p->f);
		fuzz_pass(&p->f, rtt_ns);
		if (how & 128) /* and nothing comes for longer than a timeout */
			fuzz_pass(&p->f, 250 * FUZZ_MS);
		rx_honest(p);
		take_events(p);
	}
}

static void dial(struct play *p)
{
	struct ends e = fuzz_ends(p->v6);

	if (!p->at->c && perch_tcp_connect(p->f.net, &e.dst, PORT, &e.src, p->at->port,
		p->f.now_ns, &p->at->c) < 0)
		p->at->c = NULL;
	if (p->at->c)
		p->at->offered = p->at->c->snd_nxt;
}

/* What another connection has received goes on to c, as it lies. */
static void forward(struct play *p, struct perch_tcb *c, const struct peer *peer)
{
	struct perch_tcb *from = peer->c;
	const void *view;
	uint32_t n;

	n = from ? perch_tcp_peek(from, &view) : 0;
	if (n > 0 && perch_tcp_forward(p->f.net, from, c, view, n))
		perch_tcp_release(p->f.net, from);
}

static void call(struct play *p)
{
	static const uint8_t bytes[4096];
	struct perch_tcb *c = p->at->c;
	struct perch_net *net = p->f.net;
	uint8_t which = fuzz_take8(&p->in);
	const void *view;
	uint32_t n;

	if (!c) {
		if (which & 1)
			dial(p);
		return;
	}
	switch (which & 15) {
	default:
		perch_tcp_write(net, c, bytes, which * 16u);
		break;
	case 6:
	case 7:
	case 8:
		n = perch_tcp_peek(c, &view);
		perch_tcp_consume(net, c, RTE_MIN(n, which * 10u));
		break;
	case 9:
		perch_tcp_pull(net, c, which * 8u);
		break;
	case 10:
		perch_tcp_consume(net, c, perch_tcp_readable(c));
		break;
	case 11:
		perch_tcp_shutdown(net, c);
		break;
	case 12:
		p->at->c = NULL;
		perch_tcp_close(net, c);
		break;
	case 13:
		p->at->c = NULL;
		perch_tcp_abort(net, c);
		break;
	case 14:
		forward(p, c, &p->peers[(which >> 4) % PEERS]);
		break;
	}
}

/* ---- a play --------------------------------------------------------------------------------- */

static void check_numbers(const struct play *p)
{
	const struct perch_tcb *c;
	uint32_t next = 0;

	while ((c = perch_tcp_each(p->f.net, &next))) {
		promise(seq_le(c->snd_una, c->snd_nxt));
		promise(seq_le(c->rcv_nxt, c->rcv_edge) || c->state <= PERCH_TCP_SYN_SENT);
		promise(c->mss >= 48 && c->mss <= 1460);
		promise(c->srtt_us + c->rttvar_us > 0);
	}
}

static void step(struct play *p)
{
	uint8_t op = fuzz_take8(&p->in);

	p->at = &p->peers[(op >> 4) % PEERS];
	switch (op & 15) {
	default:
		rx_segment(p);
		take_events(p);
		break;
	case 8:
		rx_segment(p); /* in one turn with what follows */
		return;
	case 9:
	case 10:
	case 11:
		call(p);
		break;
	case 12:
		rx_error(p);
		break;
	case 15:
		stretch(p);
		break;
	case 13:
		fuzz_pass(&p->f, INT64_C(1000) << (fuzz_take8(&p->in) & 31));
		break;
	case 14:
		fuzz_pass(&p->f, FUZZ_MS * fuzz_take8(&p->in));
		break;
	}
	take_events(p);
	fuzz_turn(&p->f);
	take_events(p);
	check_numbers(p);
}

/* The owners go, and in the end so does everything else. */
static void finish(struct play *p)
{
	unsigned i;

	take_events(p);
	for (i = 0; i < PEERS; i++)
		if (p->peers[i].c)
			perch_tcp_close(p->f.net, p->peers[i].c);
	for (i = 0; i < MINUTES_MAX && perch_tcp_counters(p->f.net)->flows > 0; i++)
		fuzz_pass(&p->f, INT64_C(60000) * FUZZ_MS);
	take_events(p);
	promise(perch_tcp_counters(p->f.net)->flows == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct play p = {.f.sent = sent, .in = {data, data + len}};
	const struct perch_ip any = {.d = {0, 0}};
	uint8_t how = fuzz_take8(&p.in), more = fuzz_take8(&p.in);
	struct perch_net_config cfg = {
		.rcvbuf_bytes = how & 1 ? 3000 : how & 2 ? 200000 : 20000,
		.sndbuf_bytes = how & 4 ? 4000 : 60000,
		.delack_ns = how & 8 ? 40 * FUZZ_MS : 0,
		.rto_min_ns = how & 16 ? 200 * FUZZ_MS : 0,
		.keepalive_ns = how & 64 ? 5000 * FUZZ_MS : 0,
		.backlog = more & 1 ? 1 : 2,
		.cc = more & 2 ? "newreno" : "cubic",
		.seed = 1,
		.secret = "fuzz",
	};
	unsigned n;

	p.v6 = how & 128;
	fuzz_open(&p.f, &cfg);
	fuzz_meet_peer(&p.f);
	for (n = 0; n < PEERS; n++)
		p.peers[n] = (struct peer){.port = (uint16_t)(4000 + n), .seq = 1000 * n};
	if (how & 32)
		promise(perch_tcp_listen(p.f.net, &any, PORT, 0, NULL) == 0);
	for (n = 0; n < OPS_MAX && p.in.at < p.in.end; n++)
		step(&p);
	finish(&p);
	fuzz_close(&p.f);
	return 0;
}
