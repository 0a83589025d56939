/* SPDX-License-Identifier: BSD-3-Clause
 * Packets under way on a rough line, in the order in which they will come through.
 */
#include "apps/feed/rough.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apps/feed/chance.h"

struct under_way {
	int64_t due_ns;
	size_t len;
	uint8_t *data;
};

struct rough {
	struct rough_config cfg;
	struct chance chance;
	struct rough_counters counters;
	uint32_t losing;       /* so many more of a burst */
	uint32_t head, n;      /* of a ring, in order; ring entries trade their data places */
	struct under_way *ring;
	uint8_t *room;
};

int rough_open(struct rough **out, const struct rough_config *cfg)
{
	struct rough *r = calloc(1, sizeof(*r));
	uint32_t i;

	*out = NULL;
	if (!r)
		return -ENOMEM;
	r->cfg = *cfg;
	r->cfg.burst = cfg->burst ? cfg->burst : 1;
	r->cfg.slots = cfg->slots ? cfg->slots : 256;
	r->cfg.packet_bytes = cfg->packet_bytes ? cfg->packet_bytes : 1500;
	r->chance.state = cfg->seed;
	r->ring = calloc(r->cfg.slots, sizeof(*r->ring));
	r->room = malloc((size_t)r->cfg.slots * r->cfg.packet_bytes);
	if (!r->ring || !r->room) {
		rough_close(r);
		return -ENOMEM;
	}
	for (i = 0; i < r->cfg.slots; i++)
		r->ring[i].data = r->room + (size_t)i * r->cfg.packet_bytes;
	*out = r;
	return 0;
}

void rough_close(struct rough *r)
{
	if (!r)
		return;
	free(r->ring);
	free(r->room);
	free(r);
}

static struct under_way *entry(const struct rough *r, uint32_t i)
{
	return &r->ring[(r->head + i) % r->cfg.slots];
}

/* Behind all that are due no later. */
static void put(struct rough *r, const void *data, size_t len, int64_t due_ns)
{
	struct under_way w;
	uint32_t i = r->n;

	if (r->n == r->cfg.slots) {
		r->counters.slots_full++;
		return;
	}
	w = *entry(r, r->n++);
	w.due_ns = due_ns;
	w.len = len;
	memcpy(w.data, data, len);
	for (; i > 0 && entry(r, i - 1)->due_ns > due_ns; i--)
		*entry(r, i) = *entry(r, i - 1);
	*entry(r, i) = w;
}

static int is_lost(struct rough *r)
{
	if (r->losing) {
		r->losing--;
		return 1;
	}
	if (!chance_ppm(&r->chance, r->cfg.loss_ppm))
		return 0;
	r->losing = r->cfg.burst - 1;
	return 1;
}

void rough_send(struct rough *r, const void *data, size_t len, int64_t now_ns)
{
	int64_t due_ns = now_ns + r->cfg.skew_ns;

	r->counters.sent++;
	if (len > r->cfg.packet_bytes || is_lost(r)) {
		r->counters.lost++;
		return;
	}
	if (chance_ppm(&r->chance, r->cfg.reorder_ppm)) {
		r->counters.held_back++;
		due_ns += r->cfg.reorder_ns;
	}
	put(r, data, len, due_ns);
	if (chance_ppm(&r->chance, r->cfg.duplicate_ppm)) {
		r->counters.doubled++;
		put(r, data, len, due_ns);
	}
}

const void *rough_take(struct rough *r, int64_t now_ns, size_t *len)
{
	struct under_way *w = entry(r, 0);

	if (r->n == 0 || w->due_ns > now_ns)
		return NULL;
	r->head = (r->head + 1) % r->cfg.slots;
	r->n--;
	*len = w->len;
	return w->data;
}

int64_t rough_due(const struct rough *r)
{
	return r->n ? entry(r, 0)->due_ns : INT64_MAX;
}

const struct rough_counters *rough_counters(const struct rough *r)
{
	return &r->counters;
}
