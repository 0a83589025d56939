/* SPDX-License-Identifier: BSD-3-Clause
 * The watcher of the simulation. It parses frames by itself.
 */
#include "tests/sim/watch.h"

#include <stddef.h>
#include <stdlib.h>

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

struct view {
	uint16_t sport, dport;
	uint32_t seq, ack, len, wnd;
	uint8_t flags;
	bool has_scale;
	uint8_t scale;
};

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static bool after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static void read_scale(struct view *v, const uint8_t *p, const uint8_t *end)
{
	while (p < end && *p != 0) {
		if (*p == 1) {
			p++;
			continue;
		}
		if (*p == 3) {
			v->has_scale = true;
			v->scale = p[2];
		}
		p += p[1];
	}
}

static bool parse(struct view *v, const uint8_t *b)
{
	const uint8_t *h;
	uint32_t len;

	if (get16(b + 12) == 0x0800 && b[23] == 6) {
		h = b + 34;
		len = get16(b + 16) - 20;
	} else if (get16(b + 12) == 0x86dd && b[20] == 6) {
		h = b + 54;
		len = get16(b + 18);
	} else {
		return false;
	}
	*v = (struct view){.sport = (uint16_t)get16(h), .dport = (uint16_t)get16(h + 2),
		.seq = get32(h + 4), .ack = get32(h + 8), .flags = h[13], .wnd = get16(h + 14)};
	v->len = len - (h[12] >> 4) * 4u;
	read_scale(v, h + 20, h + (h[12] >> 4) * 4);
	return true;
}

static struct watch_flow *flow_of(struct watch *w, uint16_t port0, uint16_t port1)
{
	unsigned i;

	for (i = 0; i < w->n; i++)
		if (w->flows[i].port[0] == port0 && w->flows[i].port[1] == port1)
			return &w->flows[i];
	if (w->n == WATCH_FLOWS)
		abort();
	w->flows[w->n] = (struct watch_flow){.port = {port0, port1}};
	return &w->flows[w->n++];
}

static struct watch_flow *flow_for(struct watch *w, unsigned from, const struct view *v)
{
	return from == 0 ? flow_of(w, v->sport, v->dport) : flow_of(w, v->dport, v->sport);
}

/* RFC 7323 section 2.2: a SYN's own window is not scaled, and no other is unless both have said
 * so. */
static uint32_t edge_of(const struct watch_flow *f, unsigned from, const struct view *v)
{
	bool scaled = f->side[0].scale_seen && f->side[1].scale_seen && !(v->flags & SYN);

	return v->ack + (scaled ? v->wnd << f->side[from].scale : v->wnd);
}

const char *watch_sent(struct watch *w, unsigned from, const uint8_t *b, unsigned len)
{
	struct watch_side *mine, *theirs;
	struct watch_flow *f;
	uint32_t edge;
	struct view v;

	(void)len;
	if (!parse(&v, b) || (v.flags & RST))
		return NULL;
	f = flow_for(w, from, &v);
	mine = &f->side[from];
	theirs = &f->side[1 - from];
	if (v.flags & SYN) {
		mine->scale_seen = v.has_scale;
		mine->scale = v.scale;
	}
	if (v.len > 0 && theirs->edge_known && after(v.seq + v.len, theirs->known))
		return "data was sent beyond the peer's window";
	if (!(v.flags & ACK))
		return NULL;
	edge = edge_of(f, from, &v);
	if (mine->edge_seen && after(mine->edge, edge))
		return "the right edge of the window has shrunk";
	mine->edge = edge;
	mine->edge_seen = true;
	return NULL;
}

void watch_arrived(struct watch *w, unsigned from, const uint8_t *b, unsigned len)
{
	struct watch_side *mine;
	struct watch_flow *f;
	uint32_t edge;
	struct view v;

	(void)len;
	if (!parse(&v, b) || (v.flags & RST) || !(v.flags & ACK))
		return;
	f = flow_for(w, from, &v);
	mine = &f->side[from];
	edge = edge_of(f, from, &v);
	if (!mine->edge_known || after(edge, mine->known))
		mine->known = edge;
	mine->edge_known = true;
}
