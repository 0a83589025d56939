/* SPDX-License-Identifier: BSD-3-Clause
 * Sessions of a capture, and how their numbers map to the live ones.
 */
#include "drivers-glue/peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_jhash.h>
#include <rte_tcp.h>

#include "drivers-glue/edit.h"

enum { BUCKETS = 4096, OPT_SACK = 5, OPT_TIMESTAMPS = 8 };

struct tuple { /* as seen from the client; IPv4 addresses in the first four bytes */
	uint8_t client[16], server[16];
	uint16_t cport, sport;
};

struct session {
	struct tuple who;
	uint32_t client_isn;
	uint32_t captured_isn, live_isn; /* of the server */
	uint32_t tsval;                  /* the last that the live server sent */
	bool has_captured, has_live, has_ts;
	uint64_t begun; /* the latest of those with the same tuple is the current one; 0: not yet */
	uint32_t next;  /* index + 1 in its bucket */
};

struct perch_peers {
	enum perch_peer_isn isn;
	struct session *sessions;
	size_t n, room;
	uint64_t begun;
	bool learnt; /* the first pass is over */
	uint32_t buckets[BUCKETS];
};

struct segment {
	uint8_t *tcp;
	uint32_t header; /* bytes, options included */
	struct tuple sent, back; /* its sender as the client, and as the server */
};

int perch_peers_open(struct perch_peers **out, enum perch_peer_isn isn)
{
	struct perch_peers *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->isn = isn;
	*out = p;
	return 0;
}

void perch_peers_close(struct perch_peers *p)
{
	if (p)
		free(p->sessions);
	free(p);
}

/* ---- segments ------------------------------------------------------------------------------- */

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return rte_be_to_cpu_32(v);
}

static bool parse(const uint8_t *frame, uint32_t len, struct segment *s)
{
	struct perch_edit_view v;
	const uint8_t *tcp, *src;
	uint32_t bytes;

	if (!perch_edit_parse(frame, len, &v) || v.proto != IPPROTO_TCP ||
		v.end - v.l4 < sizeof(struct rte_tcp_hdr))
		return false;
	tcp = frame + v.l4;
	s->tcp = (uint8_t *)(uintptr_t)tcp;
	s->header = (uint32_t)(tcp[12] >> 4) * 4;
	if (s->header < sizeof(struct rte_tcp_hdr) || s->header > v.end - v.l4)
		return false;
	bytes = v.v4 ? 4 : 16;
	src = frame + v.l3 + (v.v4 ? 12 : 8);
	memset(&s->sent, 0, sizeof(s->sent));
	memcpy(s->sent.client, src, bytes);
	memcpy(s->sent.server, src + bytes, bytes);
	s->sent.cport = (uint16_t)(tcp[0] << 8 | tcp[1]);
	s->sent.sport = (uint16_t)(tcp[2] << 8 | tcp[3]);
	memcpy(s->back.client, s->sent.server, sizeof(s->back.client));
	memcpy(s->back.server, s->sent.client, sizeof(s->back.server));
	s->back.cport = s->sent.sport;
	s->back.sport = s->sent.cport;
	return true;
}

/* Write a number into the header, and mend the checksum by the difference (RFC 1624), so that one
 * that was wrong stays wrong. */
static void change32(struct segment *s, uint32_t at, uint32_t value)
{
	uint8_t *sum = s->tcp + offsetof(struct rte_tcp_hdr, cksum);
	uint32_t from = at & ~1u, to = (at + 5) & ~1u, i;
	uint64_t acc = (uint16_t)~(sum[0] << 8 | sum[1]);

	for (i = from; i < to; i += 2)
		acc += (uint16_t)~(s->tcp[i] << 8 | s->tcp[i + 1]);
	value = rte_cpu_to_be_32(value);
	memcpy(s->tcp + at, &value, sizeof(value));
	for (i = from; i < to; i += 2)
		acc += (uint16_t)(s->tcp[i] << 8 | s->tcp[i + 1]);
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	sum[0] = (uint8_t)(~acc >> 8);
	sum[1] = (uint8_t)~acc;
}

/* The offset of an option's value in the header, and its length; 0: it is not there. */
static uint32_t find_option(const struct segment *s, uint8_t kind, uint32_t *len)
{
	uint32_t at = sizeof(struct rte_tcp_hdr);

	while (at < s->header && s->tcp[at] != 0) {
		if (s->tcp[at] == 1) {
			at++;
			continue;
		}
		if (at + 1 >= s->header || s->tcp[at + 1] < 2 || at + s->tcp[at + 1] > s->header)
			return 0;
		if (s->tcp[at] == kind) {
			*len = s->tcp[at + 1] - 2u;
			return at + 2;
		}
		at += s->tcp[at + 1];
	}
	return 0;
}

/* ---- sessions ------------------------------------------------------------------------------- */

static uint32_t bucket_of(const struct tuple *t)
{
	return rte_jhash(t, sizeof(*t), 0) % BUCKETS;
}

static struct session *find(struct perch_peers *p, const struct tuple *t)
{
	struct session *s, *best = NULL;
	uint32_t i;

	for (i = p->buckets[bucket_of(t)]; i; i = s->next) {
		s = &p->sessions[i - 1];
		if (memcmp(&s->who, t, sizeof(*t)) == 0 && (!best || s->begun > best->begun))
			best = s;
	}
	return best;
}

static struct session *find_by_isn(struct perch_peers *p, const struct tuple *t, uint32_t isn)
{
	struct session *s;
	uint32_t i;

	for (i = p->buckets[bucket_of(t)]; i; i = s->next) {
		s = &p->sessions[i - 1];
		if (s->client_isn == isn && memcmp(&s->who, t, sizeof(*t)) == 0)
			return s;
	}
	return NULL;
}

static struct session *add(struct perch_peers *p, const struct tuple *t, uint32_t isn)
{
	size_t room = p->room ? 2 * p->room : 64;
	uint32_t bucket = bucket_of(t);
	struct session *s;

	if (p->n == p->room) {
		s = realloc(p->sessions, room * sizeof(*s));
		if (!s)
			return NULL;
		p->sessions = s;
		p->room = room;
	}
	s = &p->sessions[p->n++];
	*s = (struct session){.who = *t, .client_isn = isn, .next = p->buckets[bucket]};
	p->buckets[bucket] = (uint32_t)p->n;
	return s;
}

int perch_peers_learn(struct perch_peers *p, const uint8_t *frame, uint32_t len)
{
	struct session *s;
	struct segment seg;
	uint8_t flags;

	if (!parse(frame, len, &seg))
		return 0;
	flags = seg.tcp[13] & (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG | RTE_TCP_RST_FLAG);
	if (flags == RTE_TCP_SYN_FLAG) {
		s = find_by_isn(p, &seg.sent, get32(seg.tcp + 4));
		if (!s)
			s = add(p, &seg.sent, get32(seg.tcp + 4));
		if (!s)
			return -ENOMEM;
		s->begun = ++p->begun;
	} else if (flags == (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG)) {
		s = find(p, &seg.back);
		if (s) {
			s->captured_isn = get32(seg.tcp + 4);
			s->has_captured = true;
		}
	} else if (flags == RTE_TCP_ACK_FLAG) {
		s = find(p, &seg.sent);
		if (s && !s->has_captured && get32(seg.tcp + 4) == s->client_isn + 1) {
			s->captured_isn = get32(seg.tcp + 8) - 1;
			s->has_captured = true;
		}
	}
	return 0;
}

/* The second pass begins where the first one did. */
static void start_over(struct perch_peers *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		p->sessions[i].begun = 0;
	p->learnt = true;
}

bool perch_peers_is_server(const struct perch_peers *p, const uint8_t *frame, uint32_t len)
{
	struct segment seg;

	return parse(frame, len, &seg) && find((struct perch_peers *)(uintptr_t)p, &seg.back);
}

/* ---- moved numbers -------------------------------------------------------------------------- */

static void move_sacks(struct segment *seg, uint32_t by)
{
	uint32_t len, at = find_option(seg, OPT_SACK, &len);

	for (; at && len >= 4; at += 4, len -= 4)
		change32(seg, at, get32(seg->tcp + at) + by);
}

void perch_peers_rx(struct perch_peers *p, uint8_t *frame, uint32_t len)
{
	struct segment seg;
	struct session *s;
	uint32_t option, bytes, by;

	if (!p->learnt)
		start_over(p);
	if (!parse(frame, len, &seg))
		return;
	if ((seg.tcp[13] & (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG)) == RTE_TCP_SYN_FLAG) {
		s = find_by_isn(p, &seg.sent, get32(seg.tcp + 4));
		if (s && s->begun == 0)
			s->begun = ++p->begun;
		return;
	}
	s = find(p, &seg.sent);
	if (!s || !s->has_captured || !s->has_live || !(seg.tcp[13] & RTE_TCP_ACK_FLAG))
		return;
	by = s->live_isn - s->captured_isn;
	change32(&seg, offsetof(struct rte_tcp_hdr, recv_ack), get32(seg.tcp + 8) + by);
	move_sacks(&seg, by);
	option = find_option(&seg, OPT_TIMESTAMPS, &bytes);
	if (option && bytes == 8 && s->has_ts)
		change32(&seg, option + 4, s->tsval);
}

void perch_peers_tx(struct perch_peers *p, uint8_t *frame, uint32_t len)
{
	struct segment seg;
	struct session *s;
	uint32_t option, bytes;

	if (!parse(frame, len, &seg))
		return;
	s = find(p, &seg.back);
	if (!s)
		return;
	if (seg.tcp[13] & RTE_TCP_SYN_FLAG) {
		s->live_isn = get32(seg.tcp + 4);
		s->has_live = true;
	}
	option = find_option(&seg, OPT_TIMESTAMPS, &bytes);
	if (option && bytes == 8) {
		s->tsval = get32(seg.tcp + option);
		s->has_ts = true;
	}
	if (p->isn == PERCH_PEER_ISN_CAPTURED && s->has_captured && s->has_live)
		change32(&seg, offsetof(struct rte_tcp_hdr, sent_seq),
			get32(seg.tcp + 4) + s->captured_isn - s->live_isn);
}
