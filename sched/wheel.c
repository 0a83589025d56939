/* SPDX-License-Identifier: BSD-3-Clause
 * The timing wheel (see wheel.h): slots of ids, and for every id the one tick it is queued for.
 *
 * An entry is 8 bytes: the id and its tick, in a chunk of a slot's chain. Whether it still means
 * anything is decided when its tick comes up: if the id is queued for another tick by then, or for
 * none, the entry is stale and dropped. So nothing is ever searched or unlinked, and an id has one
 * live entry however often it was shortened, named or given to a new owner. The tick is repeated
 * in the entry so that cascades stream through chunks and touch nothing else.
 *
 * A slot is found by the most significant byte in which the tick differs from the present; slots
 * of a level are emptied into lower ones (cascaded) when time reaches their first tick. Hence the
 * lowest level that has an entry has the next event, and bitmaps of the occupied slots let time
 * jump over hours in a few steps.
 *
 * Stale entries are bounded: twice max_ids entries are reserved, and an arm that finds them all in
 * use first sweeps the wheel for stale ones, which frees at least half, so that the sweep's cost
 * spreads over max_ids arms.
 */
#include "sched/wheel.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "sched/region.h"

enum {
	LEVELS = 4,
	SLOTS = 256,      /* of a level; the top one uses half, because ticks are 31 bits */
	SLOT_BITS = 8,
	TOP_SLOTS = 128,
	TOP_SHIFT = (LEVELS - 1) * SLOT_BITS,
	CHUNK_ENTRIES = 31, /* 256 bytes a chunk, 4 lines that the hardware fetches in a row */
	AHEAD = 8,          /* entries whose queued tick is prefetched */
	DEFAULT_TICK_NS = 100000,
};

#define TICK_MASK 0x7fffffffu /* of a tick, as kept per id */
#define HORIZON (((uint64_t)TOP_SLOTS - 1) << TOP_SHIFT)

struct entry {
	uint32_t id;
	uint32_t mark; /* what queued[id] is while this entry is live */
};

struct chunk {
	uint32_t next; /* index + 1 of the chunk after it, or of the next free one */
	uint16_t from; /* those before were named already */
	uint16_t count;
	struct entry entry[CHUNK_ENTRIES];
};

static_assert(sizeof(struct chunk) == 256, "a chunk is four cache lines");

struct chain {
	uint32_t first, last; /* index + 1; the last one alone is not full */
};

struct level {
	uint64_t occupied[SLOTS / 64];
	struct chain slot[SLOTS];
};

struct perch_wheel {
	uint64_t tick;      /* the present: what is due before it was named */
	int64_t start_ns;
	uint64_t tick_ns;
	uint64_t per_tick;  /* 2^64 / tick_ns, to divide by it */
	uint32_t *queued;   /* per id: tick << 1 | 1, or 0 = not queued */
	struct chunk *chunks;
	uint64_t *seen;     /* per id: a bit, used by a sweep */
	uint32_t free_chunk;
	uint32_t fresh_chunk; /* those from here on were never used */
	uint32_t max_chunks;
	uint32_t max_ids;
	uint64_t entries, max_entries; /* live and stale */
	struct level level[LEVELS];
};

/* ---- time ---- */

__extension__ typedef unsigned __int128 wide;

static uint64_t tick_of(const struct perch_wheel *w, int64_t time_ns, bool up)
{
	uint64_t ns, tick, rest;

	if (time_ns <= w->start_ns)
		return 0;
	ns = (uint64_t)time_ns - (uint64_t)w->start_ns;
	tick = (uint64_t)(((wide)ns * w->per_tick) >> 64);
	rest = ns - tick * w->tick_ns;
	while (rest >= w->tick_ns) { /* at most twice: per_tick was rounded down */
		rest -= w->tick_ns;
		tick++;
	}
	return tick + (up && rest > 0);
}

static int64_t time_of(const struct perch_wheel *w, uint64_t tick)
{
	int64_t ns;

	if (__builtin_mul_overflow(tick, w->tick_ns, &ns) ||
	    __builtin_add_overflow(ns, w->start_ns, &ns))
		return INT64_MAX;
	return ns;
}

/* ---- the place of a tick ---- */

static unsigned level_of(const struct perch_wheel *w, uint64_t tick)
{
	uint64_t differ = tick ^ w->tick;

	if (differ >> SLOT_BITS == 0)
		return 0;
	if (differ >> TOP_SHIFT != 0)
		return LEVELS - 1;
	return (unsigned)(63 - __builtin_clzll(differ)) / SLOT_BITS;
}

static unsigned slot_of(unsigned level, uint64_t tick)
{
	return (unsigned)(tick >> (level * SLOT_BITS)) &
	       (level == LEVELS - 1 ? TOP_SLOTS - 1 : SLOTS - 1);
}

/* A tick as it is kept in entries and per id, where 0 says "not queued". */
static uint32_t mark_of(uint64_t tick)
{
	return ((uint32_t)tick & TICK_MASK) << 1 | 1;
}

/* The full tick of a mark: never before the present, within the horizon after it. */
static uint64_t marked_tick(const struct perch_wheel *w, uint32_t mark)
{
	return w->tick + (((mark >> 1) - (uint32_t)w->tick) & TICK_MASK);
}

/* ---- entries ---- */

static uint32_t take_chunk(struct perch_wheel *w)
{
	uint32_t c = w->free_chunk;

	if (c != 0)
		w->free_chunk = w->chunks[c - 1].next;
	else
		c = ++w->fresh_chunk;
	assert(c <= w->max_chunks); /* max_entries keeps it so */
	return c;
}

static void give_chunk(struct perch_wheel *w, uint32_t c)
{
	w->chunks[c - 1].next = w->free_chunk;
	w->free_chunk = c;
}

/* A new chunk at the end of the slot's chain. */
static struct chunk *grow(struct perch_wheel *w, struct level *l, unsigned slot)
{
	struct chain *chain = &l->slot[slot];
	uint32_t c = take_chunk(w);
	struct chunk *chunk = &w->chunks[c - 1];

	chunk->next = 0;
	chunk->from = chunk->count = 0;
	if (chain->first == 0)
		chain->first = c;
	else
		w->chunks[chain->last - 1].next = c;
	chain->last = c;
	l->occupied[slot / 64] |= 1ull << (slot % 64);
	return chunk;
}

/* The present must not have passed the entry's tick. */
static void insert(struct perch_wheel *w, struct entry entry)
{
	uint64_t tick = marked_tick(w, entry.mark);
	unsigned level = level_of(w, tick), slot = slot_of(level, tick);
	struct level *l = &w->level[level];
	uint32_t last = l->slot[slot].last;
	struct chunk *chunk;

	if (last != 0 && w->chunks[last - 1].count < CHUNK_ENTRIES)
		chunk = &w->chunks[last - 1];
	else
		chunk = grow(w, l, slot);
	chunk->entry[chunk->count++] = entry;
	w->entries++;
}

static inline void prefetch_chunk(const struct chunk *chunk)
{
	const char *line = (const char *)chunk;

	__builtin_prefetch(line);
	__builtin_prefetch(line + 64);
	__builtin_prefetch(line + 128);
	__builtin_prefetch(line + 192);
	__asm__ volatile(""); /* a function that only prefetches is pure to gcc, and deleted */
}

/* Takes the slot's chain off the wheel. */
static uint32_t detach(struct perch_wheel *w, unsigned level, unsigned slot)
{
	struct level *l = &w->level[level];
	uint32_t c = l->slot[slot].first;

	l->slot[slot] = (struct chain){0, 0};
	l->occupied[slot / 64] &= ~(1ull << (slot % 64));
	return c;
}

/* ---- the sweep for stale entries ---- */

static bool first_seen(struct perch_wheel *w, uint32_t id)
{
	uint64_t bit = 1ull << (id % 64);
	bool first = (w->seen[id / 64] & bit) == 0;

	w->seen[id / 64] |= bit;
	return first;
}

static void sweep_slot(struct perch_wheel *w, unsigned level, unsigned slot)
{
	uint32_t c = detach(w, level, slot);

	while (c != 0) {
		struct chunk chunk = w->chunks[c - 1];
		uint32_t i;

		give_chunk(w, c);
		w->entries -= chunk.count - chunk.from;
		for (i = chunk.from; i < chunk.count; i++)
			if (w->queued[chunk.entry[i].id] == chunk.entry[i].mark &&
			    first_seen(w, chunk.entry[i].id))
				insert(w, chunk.entry[i]);
		c = chunk.next;
	}
}

static void sweep(struct perch_wheel *w)
{
	unsigned level, slot;

	for (level = 0; level < LEVELS; level++)
		for (slot = 0; slot < SLOTS; slot++)
			sweep_slot(w, level, slot);
	memset(w->seen, 0, ((size_t)w->max_ids + 63) / 64 * sizeof(*w->seen));
}

/* ---- what comes next ---- */

/* The first occupied slot after `slot` in a bitmap of `slots`, or -1. */
static int next_occupied(const struct level *l, unsigned slot, unsigned slots)
{
	unsigned word = (slot + 1) / 64;
	uint64_t bits;

	if (slot + 1 >= slots)
		return -1;
	bits = l->occupied[word] & (~0ull << ((slot + 1) % 64));
	while (bits == 0) {
		if (++word >= slots / 64)
			return -1;
		bits = l->occupied[word];
	}
	return (int)(word * 64 + (unsigned)__builtin_ctzll(bits));
}

/* The top level is a ring: after its last slot comes its first, one turn later. */
static uint64_t next_of_top(const struct perch_wheel *w)
{
	uint64_t here = w->tick >> TOP_SHIFT;
	unsigned slot = (unsigned)here & (TOP_SLOTS - 1);
	int next = next_occupied(&w->level[LEVELS - 1], slot, TOP_SLOTS);

	if (next >= 0)
		return (here - slot + (unsigned)next) << TOP_SHIFT;
	if (w->level[LEVELS - 1].occupied[0] & 1)
		return (here - slot + TOP_SLOTS) << TOP_SHIFT;
	next = next_occupied(&w->level[LEVELS - 1], 0, TOP_SLOTS);
	return next < 0 ? UINT64_MAX : (here - slot + TOP_SLOTS + (unsigned)next) << TOP_SHIFT;
}

/* The tick of the next slot to be named or cascaded; UINT64_MAX when the wheel is empty. */
static uint64_t next_event(const struct perch_wheel *w)
{
	unsigned level;

	if (w->level[0].slot[slot_of(0, w->tick)].first != 0)
		return w->tick;
	for (level = 0; level < LEVELS - 1; level++) {
		unsigned shift = level * SLOT_BITS;
		int slot = next_occupied(&w->level[level], slot_of(level, w->tick), SLOTS);

		if (slot >= 0)
			return ((w->tick >> shift & ~(uint64_t)(SLOTS - 1)) | (unsigned)slot)
			       << shift;
	}
	return next_of_top(w);
}

/* Time has reached the first tick of the slot: its entries go to the levels below. */
static void cascade(struct perch_wheel *w, unsigned level)
{
	uint32_t c = detach(w, level, slot_of(level, w->tick));

	while (c != 0) {
		struct chunk chunk = w->chunks[c - 1];
		uint32_t i;

		if (chunk.next != 0)
			prefetch_chunk(&w->chunks[chunk.next - 1]);
		give_chunk(w, c);
		w->entries -= chunk.count - chunk.from;
		for (i = chunk.from; i < chunk.count; i++)
			insert(w, chunk.entry[i]);
		c = chunk.next;
	}
}

/* Moves the present to the tick of an event, and cascades every slot that begins there. */
static void move_to(struct perch_wheel *w, uint64_t tick)
{
	unsigned level;

	w->tick = tick;
	for (level = LEVELS - 1; level > 0; level--)
		if ((tick & ((1ull << (level * SLOT_BITS)) - 1)) == 0)
			cascade(w, level);
}

/* Names live entries of the present's slot, oldest first, until `max` are named. */
static uint32_t name_present(struct perch_wheel *w, uint32_t *ids, uint32_t max)
{
	unsigned slot = slot_of(0, w->tick);
	struct chain *chain = &w->level[0].slot[slot];
	uint32_t mark = mark_of(w->tick), named = 0, c;

	while ((c = chain->first) != 0) {
		struct chunk *chunk = &w->chunks[c - 1];

		while (chunk->from < chunk->count && named < max) {
			uint32_t id = chunk->entry[chunk->from++].id;

			if (chunk->from + AHEAD < chunk->count)
				__builtin_prefetch(&w->queued[chunk->entry[chunk->from + AHEAD].id]);
			w->entries--;
			if (w->queued[id] != mark)
				continue;
			w->queued[id] = 0;
			ids[named++] = id;
		}
		if (chunk->from < chunk->count)
			return named;
		chain->first = chunk->next;
		give_chunk(w, c);
	}
	detach(w, 0, slot);
	return named;
}

/* ---- the interface ---- */

int perch_wheel_open(struct perch_wheel **out, const struct perch_wheel_config *cfg)
{
	struct perch_wheel *w;

	if (cfg->max_ids == 0 || cfg->tick_ns < 0)
		return -EINVAL;
	w = perch_region_map(sizeof(*w), -1);
	if (w == NULL)
		return -ENOMEM;
	w->max_ids = cfg->max_ids;
	w->max_entries = 2 * (uint64_t)cfg->max_ids;
	w->max_chunks = (uint32_t)(w->max_entries / CHUNK_ENTRIES) + LEVELS * SLOTS + 2;
	w->start_ns = cfg->now_ns;
	w->tick_ns = cfg->tick_ns ? (uint64_t)cfg->tick_ns : DEFAULT_TICK_NS;
	w->per_tick = UINT64_MAX / w->tick_ns;
	w->queued = perch_region_map(w->max_ids * sizeof(*w->queued), -1);
	w->chunks = perch_region_map(w->max_chunks * sizeof(*w->chunks), -1);
	w->seen = perch_region_map(((size_t)w->max_ids + 63) / 64 * sizeof(*w->seen), -1);
	if (w->queued == NULL || w->chunks == NULL || w->seen == NULL) {
		perch_wheel_close(w);
		return -ENOMEM;
	}
	*out = w;
	return 0;
}

void perch_wheel_close(struct perch_wheel *w)
{
	if (w == NULL)
		return;
	perch_region_unmap(w->seen, ((size_t)w->max_ids + 63) / 64 * sizeof(*w->seen));
	perch_region_unmap(w->chunks, w->max_chunks * sizeof(*w->chunks));
	perch_region_unmap(w->queued, w->max_ids * sizeof(*w->queued));
	perch_region_unmap(w, sizeof(*w));
}

void perch_wheel_arm(struct perch_wheel *w, uint32_t id, int64_t deadline_ns)
{
	uint64_t tick = tick_of(w, deadline_ns, true);

	assert(id < w->max_ids);
	if (tick < w->tick)
		tick = w->tick;
	if (tick - w->tick > HORIZON)
		tick = w->tick + HORIZON;
	if (w->queued[id] != 0 && marked_tick(w, w->queued[id]) <= tick)
		return;
	if (w->entries >= w->max_entries)
		sweep(w);
	w->queued[id] = mark_of(tick);
	insert(w, (struct entry){id, w->queued[id]});
}

uint32_t perch_wheel_expire(struct perch_wheel *w, int64_t now_ns, uint32_t *ids, uint32_t max)
{
	uint64_t now = tick_of(w, now_ns, false), event;
	uint32_t named = 0;

	while ((event = next_event(w)) <= now) {
		if (event > w->tick)
			move_to(w, event);
		named += name_present(w, ids + named, max - named);
		if (named == max)
			return named;
	}
	if (now > w->tick)
		w->tick = now;
	return named;
}

int64_t perch_wheel_next(const struct perch_wheel *w)
{
	uint64_t event = next_event(w);

	return event == UINT64_MAX ? INT64_MAX : time_of(w, event);
}
