/* SPDX-License-Identifier: BSD-3-Clause
 * SYN cookies (RFC 4987 section 3.6): how a listener whose backlog is full goes on to answer, with
 * all that it must remember written into numbers that the peer brings back.
 *
 * The ISN carries the MSS (one of eight), a clock of 64 s and a keyed hash of all that, of the
 * tuple, of the peer's ISN and of the options below; a guess is right once in 2^28. Window scale
 * and SACK stand in the low bits of our timestamp, so they need a peer with timestamps; one without
 * gets neither. Nothing is kept and nothing is sent again: a SYN that comes again asks for the
 * SYN-ACK that was lost.
 */
#include "tcp-lite/tcp_inside.h"

enum cookie_bits {
	MSS_BITS = 3,
	CLOCK_BITS = 2,
	HASH_BITS = 32 - MSS_BITS - CLOCK_BITS,
	AGE_MAX = 1,          /* slots: a cookie is good for 64 to 128 s */
	TS_BITS = 6,          /* of a timestamp: 63 ms of its clock */
	TS_SACK = 1 << 4,     /* beside the shift in the low four */
	NO_SCALE = 15,
	NO_TIMES = 1 << TS_BITS, /* what stands for the bits where there is no timestamp */
};

#define SLOT_NS (64 * S_NS)

/* What peers offer: their MTU less headers, with tunnels and jumbo frames. */
static const uint16_t mss_table[1 << MSS_BITS] = {
	MSS_MIN, MSS_DEFAULT, 1220, 1360, 1440, 1460, 4036, 8940};

static unsigned mss_index(uint16_t mss)
{
	unsigned i = (1 << MSS_BITS) - 1;

	while (i > 0 && mss_table[i] > mss)
		i--;
	return i;
}

static uint32_t slot_of(const struct perch_net *net)
{
	return (uint32_t)(net->now_ns / SLOT_NS);
}

/* The two hashes of a cookie differ in their length. */
static uint32_t mask_of(const struct perch_net *net, const struct perch_tuple *t)
{
	const uint64_t words[6] = {t->laddr->d[0], t->laddr->d[1], t->raddr->d[0], t->raddr->d[1],
		(uint64_t)t->lport << 16 | t->rport, 0};

	return (uint32_t)perch_tcp_keyed_hash(net, words, 6);
}

static uint32_t hash_of(const struct perch_net *net, const struct perch_tuple *t,
	uint32_t peer_isn, uint32_t slot, unsigned options)
{
	const uint64_t words[7] = {t->laddr->d[0], t->laddr->d[1], t->raddr->d[0], t->raddr->d[1],
		(uint64_t)t->lport << 16 | t->rport, (uint64_t)peer_isn << 32 | slot, options};

	return (uint32_t)(perch_tcp_keyed_hash(net, words, 7) >> (64 - HASH_BITS));
}

static uint32_t cookie_of(const struct perch_net *net, const struct perch_tuple *t,
	uint32_t peer_isn, unsigned mss, unsigned times)
{
	uint32_t slot = slot_of(net);
	uint32_t hash = hash_of(net, t, peer_isn, slot, times << MSS_BITS | mss);

	return mask_of(net, t) ^ (hash << (MSS_BITS + CLOCK_BITS) |
		(slot & ((1 << CLOCK_BITS) - 1)) << MSS_BITS | mss);
}

static unsigned times_bits(const struct perch_tcp_opts *o)
{
	if (!o->has_ts)
		return NO_TIMES;
	return (o->has_scale ? o->scale : (unsigned)NO_SCALE) | (o->sack_ok ? TS_SACK : 0u);
}

/* The clock with its low bits replaced, and not ahead of itself. */
static uint32_t timestamp_with(uint32_t now, unsigned bits)
{
	uint32_t ts = (now & ~((1u << TS_BITS) - 1)) | bits;

	return seq_gt(ts, now) ? ts - (1u << TS_BITS) : ts;
}

bool perch_tcp_cookie_answer(
	struct perch_net *net, struct perch_tcp_listener *l, const struct perch_segment *syn)
{
	unsigned mss = mss_index(tcp_mss_of(syn));
	unsigned times = times_bits(&syn->opts);
	struct perch_tcp_opts opts = {.has_ts = syn->opts.has_ts};
	uint32_t cookie = cookie_of(net, &syn->tuple, syn->seq, mss, times);

	if (opts.has_ts) {
		opts.ts_val = timestamp_with(tcp_now_ms(net) +
			perch_tcp_numbers(net, &syn->tuple).ts_offset, times);
		opts.ts_ecr = syn->opts.ts_val;
		opts.sack_ok = syn->opts.sack_ok;
		opts.has_scale = syn->opts.has_scale;
		opts.scale = net->tcp->rcv_scale;
	}
	if (!perch_tcp_send_cookie(net, syn, cookie, &opts))
		return false;
	l->cookies_until_ns = net->now_ns + (AGE_MAX + 1) * SLOT_NS;
	net->tcp->counters.cookies_sent++;
	return true;
}

/* The SYN that the peer must have sent, if its ACK brings a cookie of ours. */
static bool read_cookie(
	const struct perch_net *net, const struct perch_segment *s, struct perch_segment *syn)
{
	uint32_t body = (s->ack - 1) ^ mask_of(net, &s->tuple), peer_isn = s->seq - 1;
	unsigned mss = body & ((1 << MSS_BITS) - 1);
	unsigned times = NO_TIMES;
	uint32_t age = (slot_of(net) - (body >> MSS_BITS)) & ((1 << CLOCK_BITS) - 1);

	if (s->opts.has_ts)
		times = s->opts.ts_ecr & ((1 << TS_BITS) - 1);
	if (age > AGE_MAX || hash_of(net, &s->tuple, peer_isn, slot_of(net) - age,
		times << MSS_BITS | mss) != body >> (MSS_BITS + CLOCK_BITS))
		return false;
	*syn = *s;
	syn->seq = peer_isn;
	syn->opts = (struct perch_tcp_opts){.mss = mss_table[mss], .has_ts = s->opts.has_ts,
		.ts_val = s->opts.ts_val};
	if (s->opts.has_ts) {
		syn->opts.sack_ok = times & TS_SACK;
		syn->opts.scale = times & 0xf;
		syn->opts.has_scale = syn->opts.scale != NO_SCALE;
	}
	return true;
}

bool perch_tcp_cookie_ok(const struct perch_net *net, const struct perch_tcp_listener *l,
	const struct perch_segment *s, struct perch_segment *syn)
{
	if ((s->flags & (SYN | ACK | RST)) != ACK || net->now_ns >= l->cookies_until_ns)
		return false;
	return read_cookie(net, s, syn);
}
