/* SPDX-License-Identifier: BSD-3-Clause
 * A binary heap of frames.
 */
#include "drivers-glue/held.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool before(const struct perch_held_frame *a, const struct perch_held_frame *b)
{
	return a->f.time_ns < b->f.time_ns || (a->f.time_ns == b->f.time_ns && a->order < b->order);
}

static void swap(struct perch_held *h, size_t a, size_t b)
{
	struct perch_held_frame *t = h->heap[a];

	h->heap[a] = h->heap[b];
	h->heap[b] = t;
}

static void sink(struct perch_held *h)
{
	size_t i = 0, child;

	while ((child = 2 * i + 1) < h->n) {
		if (child + 1 < h->n && before(h->heap[child + 1], h->heap[child]))
			child++;
		if (!before(h->heap[child], h->heap[i]))
			return;
		swap(h, i, child);
		i = child;
	}
}

static int make_room(struct perch_held *h)
{
	struct perch_held_frame **bigger;
	size_t room = h->room ? 2 * h->room : 64;

	if (h->n < h->room)
		return 0;
	bigger = realloc(h->heap, room * sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	h->heap = bigger;
	h->room = room;
	return 0;
}

int perch_held_put(struct perch_held *h, const struct perch_frame *f)
{
	struct perch_held_frame *e = malloc(sizeof(*e) + f->len);
	size_t i;

	if (!e || make_room(h) < 0) {
		free(e);
		return -ENOMEM;
	}
	e->order = h->order++;
	e->f = *f;
	e->f.data = memcpy(e + 1, f->data, f->len);
	i = h->n++;
	h->heap[i] = e;
	for (; i > 0 && before(h->heap[i], h->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(h, i, (i - 1) / 2);
	return 0;
}

const struct perch_frame *perch_held_first(const struct perch_held *h)
{
	return h->n ? &h->heap[0]->f : NULL;
}

struct perch_held_frame *perch_held_take(struct perch_held *h)
{
	struct perch_held_frame *e;

	if (h->n == 0)
		return NULL;
	e = h->heap[0];
	h->heap[0] = h->heap[--h->n];
	sink(h);
	return e;
}

void perch_held_clear(struct perch_held *h)
{
	while (h->n > 0)
		free(h->heap[--h->n]);
	free(h->heap);
	*h = (struct perch_held){.heap = NULL};
}
