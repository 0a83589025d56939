/* SPDX-License-Identifier: BSD-3-Clause
 * The timing wheel (see wheel.h): slots of ids, and for every id the one tick it is queued for.
 *
 * An entry is 8 bytes: the id and its tick, in a chunk of a slot's chain. Whether it still means
 * anything is decided when it is looked at: if the id is queued for another tick by then, or for
 * none, the entry is stale and dropped. So nothing is ever searched or unlinked, and an id has one
 * live entry however often it was shortened, named or given to a new owner.
 *
 * Each level covers two windows of 4,096 slots, the one that the present is in and the next, and a
 * window is as long as a slot of the level above. An entry lies on the lowest level that covers its
 * tick. A slot of a higher level is emptied into the lower ones (cascaded) chunk by chunk while the
 * slot before it lasts, in step with time: with ten million timers a slot may hold a million
 * entries, and nobody is to wait for all of them at once. Whatever is left when its time begins,
 * because time jumped, is cascaded then. Bitmaps of the occupied slots let time jump over hours in
 * a few steps.
 *
 * The owner of an entry that is cascaded is asked for his deadline, and it goes where that belongs.
 * Most were put off: they do not come down at all, and the lowest level, which is spread over many
 * more cache lines than the others, has little but what comes due.
 *
 * How far cascades are depends on when expire is called, and with it the order in which entries
 * come into a slot. So those of one tick are put in the order of their ids before they are named.
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
	LEVELS = 3,
	SLOT_BITS = 12,         /* with 10, what is put off lies in more lines than are kept near */
	SLOTS = 2 << SLOT_BITS, /* of a level: a ring of two windows */
	HORIZON_SLOTS = 127,    /* of the top level, because ticks are 31 bits */
	CHUNK_ENTRIES = 31, /* 256 bytes a chunk, 4 lines that the hardware fetches in a row */
	FEW_CHUNKS = 32,    /* of one tick: sorted as an array; more, byte by byte */
	BYTE_VALUES = 256,
	AHEAD = 8,          /* entries whose queued tick is prefetched */
	CHUNKS_AHEAD = 2,   /* of the next tick: more are left to AHEAD */
	DEFAULT_TICK_NS = 100000,
};

#define TICK_MASK 0x7fffffffu /* of a tick, as kept per id */
#define HORIZON ((uint64_t)HORIZON_SLOTS << (LEVELS - 1) * SLOT_BITS)

struct entry {
	uint32_t id;
	uint32_t mark; /* what the id's word is while this entry is live */
};

struct chunk {
	uint32_t next; /* index + 1 of the chunk after it, or of the next free one */
	uint32_t unused;
	struct entry entry[CHUNK_ENTRIES];
};

static_assert(sizeof(struct chunk) == 256, "a chunk is four cache lines");

struct chain {
	uint32_t first, last; /* index + 1; 0 = none */
	uint32_t chunks;
	uint16_t from;        /* of the first chunk: those before were named already */
	uint16_t left;        /* places in the last chunk; all others are full */
};

struct level {
	uint64_t occupied[SLOTS / 64];
	uint64_t words_occupied[SLOTS / 64 / 64]; /* of the bitmap, which are not 0 */
	struct chain slot[SLOTS];
	uint64_t pacing;   /* the slot, counted from time 0, that is being cascaded */
	uint64_t planned;  /* chunks that it had at first */
};

struct perch_wheel {
	uint64_t tick;      /* the present: what is due before it was named */
	uint64_t next;      /* when a slot is to be named, or must have been cascaded */
	int64_t start_ns;
	uint64_t tick_ns;
	uint64_t per_tick;  /* 2^64 / tick_ns, to divide by it */
	char *words;        /* per id a u32: tick << 1 | 1, or 0 = not queued */
	size_t stride;      /* from one to the next */
	uint32_t *own;      /* they, if nobody else has them; or NULL */
	int64_t (*due)(void *arg, uint32_t id);
	void *due_arg;
	struct chunk *chunks;
	uint64_t *seen;     /* per id: a bit, used by a sweep */
	uint32_t free_chunk;
	uint32_t fresh_chunk; /* those from here on were never used */
	uint32_t max_chunks;
	uint32_t max_ids;
	uint64_t entries, max_entries; /* live and stale */
	uint64_t moves;
	uint64_t sorted;    /* the tick whose entries were put in order */
	struct entry few[FEW_CHUNKS * CHUNK_ENTRIES]; /* while they are */
	struct chain byte[2][BYTE_VALUES];
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

/* When an id with that deadline is to be named: from the present to the horizon. */
static uint64_t naming_tick(const struct perch_wheel *w, int64_t deadline_ns)
{
	uint64_t tick = tick_of(w, deadline_ns, true);

	if (tick < w->tick)
		return w->tick;
	return tick - w->tick > HORIZON ? w->tick + HORIZON : tick;
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

/* The slot of a level that has this tick, counted from time 0. */
static inline uint64_t block_of(unsigned level, uint64_t tick)
{
	return tick >> (level * SLOT_BITS);
}

static inline unsigned slot_of(unsigned level, uint64_t tick)
{
	return (unsigned)block_of(level, tick) & (SLOTS - 1);
}

/* Does the level cover the tick? */
static inline bool covers(const struct perch_wheel *w, unsigned level, uint64_t tick)
{
	return block_of(level + 1, tick) - block_of(level + 1, w->tick) <= 1;
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

static inline uint32_t *queued(const struct perch_wheel *w, uint32_t id)
{
	return (uint32_t *)(void *)(w->words + id * w->stride);
}

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

static inline bool occupied(const struct level *l, unsigned slot)
{
	return l->occupied[slot / 64] >> (slot % 64) & 1;
}

static void set_occupied(struct level *l, unsigned slot)
{
	l->occupied[slot / 64] |= 1ull << (slot % 64);
	l->words_occupied[slot / 64 / 64] |= 1ull << (slot / 64 % 64);
}

static void clear_occupied(struct level *l, unsigned slot)
{
	l->occupied[slot / 64] &= ~(1ull << (slot % 64));
	if (l->occupied[slot / 64] == 0)
		l->words_occupied[slot / 64 / 64] &= ~(1ull << (slot / 64 % 64));
}

/* A new chunk at the end of a chain. */
static __attribute__((noinline)) void grow(struct perch_wheel *w, struct chain *chain)
{
	uint32_t c = take_chunk(w);

	w->chunks[c - 1].next = 0;
	if (chain->first == 0)
		chain->first = c;
	else
		w->chunks[chain->last - 1].next = c;
	chain->last = c;
	chain->chunks++;
	chain->left = CHUNK_ENTRIES;
}

static inline void append(struct perch_wheel *w, struct chain *chain, struct entry entry)
{
	if (chain->left == 0)
		grow(w, chain);
	w->chunks[chain->last - 1].entry[CHUNK_ENTRIES - chain->left--] = entry;
}

/* On the level where its tick belongs, which the present must not have passed. */
static inline void put(struct perch_wheel *w, struct entry entry, uint64_t tick)
{
	unsigned level = covers(w, 0, tick) ? 0 : covers(w, 1, tick) ? 1 : 2, slot;
	struct level *l = &w->level[level];
	uint64_t begins = block_of(level, tick) << (level * SLOT_BITS);

	slot = slot_of(level, tick);
	append(w, &l->slot[slot], entry);
	set_occupied(l, slot);
	if (begins < w->next)
		w->next = begins;
}
static_assert(LEVELS == 3, "put asks each of them");

static inline void prefetch_chunk(const struct chunk *chunk)
{
	const char *line = (const char *)chunk;

	__builtin_prefetch(line);
	__builtin_prefetch(line + 64);
	__builtin_prefetch(line + 128);
	__builtin_prefetch(line + 192);
	__asm__ volatile(""); /* a function that only prefetches is pure to gcc, and deleted */
}

/* Entries in a chunk of a chain that has some. */
static uint32_t count_of(const struct chain *chain, uint32_t c)
{
	return c == chain->last ? CHUNK_ENTRIES - chain->left : CHUNK_ENTRIES;
}

/* Takes the slot's chain off the wheel. */
static void detach(struct perch_wheel *w, unsigned level, unsigned slot)
{
	struct level *l = &w->level[level];

	l->slot[slot] = (struct chain){0};
	clear_occupied(l, slot);
}

/* ---- what comes next ---- */

/* The first word of the bitmap from `from` on that is not 0, or a number beyond them. */
static unsigned first_word(const struct level *l, unsigned from)
{
	enum { WORDS = SLOTS / 64 };
	unsigned group = from / 64;
	uint64_t bits;

	if (from >= WORDS)
		return WORDS;
	bits = l->words_occupied[group] & (~0ull << (from % 64));
	while (bits == 0 && ++group < WORDS / 64)
		bits = l->words_occupied[group];
	return bits == 0 ? WORDS : group * 64 + (unsigned)__builtin_ctzll(bits);
}

/* When the first occupied slot of a level begins, from the present on; or UINT64_MAX. */
static uint64_t first_of(const struct perch_wheel *w, unsigned level)
{
	enum { WORDS = SLOTS / 64 };
	const struct level *l = &w->level[level];
	uint64_t here = block_of(level, w->tick), bits;
	unsigned slot = slot_of(level, w->tick), word = slot / 64;

	bits = l->occupied[word] & (~0ull << (slot % 64));
	if (bits == 0) {
		word = first_word(l, word + 1);
		if (word == WORDS)
			word = first_word(l, 0);
		if (word == WORDS)
			return UINT64_MAX;
		bits = l->occupied[word];
	}
	word = (word * 64 + (unsigned)__builtin_ctzll(bits) - slot) % SLOTS;
	return (here + word) << (level * SLOT_BITS);
}

/* The tick of the next slot to be named or cascaded; UINT64_MAX when the wheel is empty. */
static uint64_t next_event(const struct perch_wheel *w)
{
	uint64_t next = first_of(w, 0), other;
	unsigned level;

	for (level = 1; level < LEVELS; level++) {
		other = first_of(w, level);
		if (other < next)
			next = other;
	}
	return next;
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
	struct chain chain = w->level[level].slot[slot];

	detach(w, level, slot);
	while (chain.first != 0) {
		struct chunk chunk = w->chunks[chain.first - 1];
		uint32_t count = count_of(&chain, chain.first), i;

		give_chunk(w, chain.first);
		w->entries -= count - chain.from;
		for (i = chain.from; i < count; i++)
			if (*queued(w, chunk.entry[i].id) == chunk.entry[i].mark &&
			    first_seen(w, chunk.entry[i].id)) {
				append(w, &w->level[level].slot[slot], chunk.entry[i]);
				set_occupied(&w->level[level], slot);
				w->entries++;
			}
		chain.first = chunk.next;
		chain.from = 0;
	}
}

static void sweep(struct perch_wheel *w)
{
	unsigned level, slot;

	for (level = 0; level < LEVELS; level++)
		for (slot = 0; slot < SLOTS; slot++)
			sweep_slot(w, level, slot);
	memset(w->seen, 0, ((size_t)w->max_ids + 63) / 64 * sizeof(*w->seen));
	w->next = next_event(w);
}

/* ---- cascades ---- */

/* Its first line, which is the owner's own if he has the words. */
static inline void prefetch_queued(const struct perch_wheel *w, const struct entry *entry)
{
	__builtin_prefetch(queued(w, entry->id), 1);
	__asm__ volatile("");
}

/* To where its owner wants it now. */
static inline void move_down(struct perch_wheel *w, struct entry entry)
{
	uint32_t *word = queued(w, entry.id);
	uint64_t tick = marked_tick(w, entry.mark);
	int64_t deadline_ns;

	if (*word != entry.mark) {
		w->entries--;
		return;
	}
	if (w->due != NULL) {
		deadline_ns = w->due(w->due_arg, entry.id);
		if (deadline_ns == INT64_MAX) {
			*word = 0;
			w->entries--;
			return;
		}
		tick = naming_tick(w, deadline_ns);
		*word = entry.mark = mark_of(tick);
	}
	put(w, entry, tick);
	w->moves++;
}

/* The first chunk of a slot's chain. While one is dealt with, what the next will touch is asked for
 * an entry at a time: of many prefetches at once the processor drops some. */
static __attribute__((noinline)) void cascade_chunk(struct perch_wheel *w, unsigned level,
						      unsigned slot)
{
	struct chain *chain = &w->level[level].slot[slot];
	uint32_t c = chain->first, count = count_of(chain, c), i;
	const struct chunk *chunk = &w->chunks[c - 1];
	const struct chunk *next = chunk->next ? &w->chunks[chunk->next - 1] : chunk;

	if (next->next != 0)
		prefetch_chunk(&w->chunks[next->next - 1]);
	chain->first = chunk->next;
	chain->chunks--;
	if (chunk->next == 0)
		detach(w, level, slot);
	for (i = 0; i < count; i++) {
		prefetch_queued(w, &next->entry[i]);
		move_down(w, chunk->entry[i]);
	}
	give_chunk(w, c);
}

/* The present is now in these slots: what is left in them belongs below. */
static void arrive(struct perch_wheel *w, uint64_t tick)
{
	unsigned level;

	w->tick = tick;
	for (level = LEVELS - 1; level > 0; level--)
		while (occupied(&w->level[level], slot_of(level, tick)))
			cascade_chunk(w, level, slot_of(level, tick));
}

/* Of the slot that comes next, no larger part is still there than of the present one. */
static void pace_level(struct perch_wheel *w, unsigned level)
{
	struct level *l = &w->level[level];
	uint64_t block = block_of(level, w->tick) + 1;
	uint64_t width = 1ull << (level * SLOT_BITS), rest = width - 1 - (w->tick & (width - 1));
	unsigned slot = (unsigned)block & (SLOTS - 1);

	if (!occupied(l, slot))
		return;
	if (l->pacing != block) {
		l->pacing = block;
		l->planned = l->slot[slot].chunks;
	}
	while (occupied(l, slot) && l->slot[slot].chunks > l->planned * rest / width)
		cascade_chunk(w, level, slot);
	if (!occupied(l, slot))
		w->next = next_event(w);
}

static void pace(struct perch_wheel *w)
{
	unsigned level;

	for (level = LEVELS - 1; level > 0; level--)
		pace_level(w, level);
}

/* ---- naming ---- */

/* All entries of a chain of which none was named, in their order, to the chains of some bits of
 * their ids. */
static void deal(struct perch_wheel *w, struct chain from, struct chain *to, unsigned shift,
		 uint32_t mask)
{
	while (from.first != 0) {
		uint32_t c = from.first, count = count_of(&from, c), i;
		struct chunk chunk = w->chunks[c - 1];

		give_chunk(w, c);
		for (i = 0; i < count; i++)
			append(w, &to[chunk.entry[i].id >> shift & mask], chunk.entry[i]);
		from.first = chunk.next;
	}
}

/* A Shell sort: Ciura's gaps. */
static void sort_entries(struct entry *entry, uint32_t count)
{
	static const uint32_t gaps[] = {301, 132, 57, 23, 10, 4, 1};
	uint32_t g, gap, i, k;

	for (g = 0; g < sizeof(gaps) / sizeof(*gaps); g++) {
		gap = gaps[g];
		for (i = gap; i < count; i++) {
			struct entry e = entry[i];

			for (k = i; k >= gap && entry[k - gap].id > e.id; k -= gap)
				entry[k] = entry[k - gap];
			entry[k] = e;
		}
	}
}

static void sort_few(struct perch_wheel *w, const struct chain *chain)
{
	uint32_t c, n = 0;

	for (c = chain->first; c != 0; c = w->chunks[c - 1].next) {
		memcpy(&w->few[n], w->chunks[c - 1].entry, count_of(chain, c) * sizeof(*w->few));
		n += count_of(chain, c);
	}
	sort_entries(w->few, n);
	for (c = chain->first, n = 0; c != 0; c = w->chunks[c - 1].next) {
		memcpy(w->chunks[c - 1].entry, &w->few[n], count_of(chain, c) * sizeof(*w->few));
		n += count_of(chain, c);
	}
}

static void sort_many(struct perch_wheel *w, struct chain *chain)
{
	struct chain *from, *to = w->byte[0];
	unsigned shift, i, turn = 0;

	memset(w->byte, 0, sizeof(w->byte));
	deal(w, *chain, to, 0, BYTE_VALUES - 1);
	for (shift = 8; shift < 32 && (w->max_ids - 1) >> shift != 0; shift += 8) {
		from = w->byte[turn];
		turn = !turn;
		to = w->byte[turn];
		memset(to, 0, sizeof(w->byte[0]));
		for (i = 0; i < BYTE_VALUES; i++)
			deal(w, from[i], to, shift, BYTE_VALUES - 1);
	}
	*chain = (struct chain){0};
	for (i = 0; i < BYTE_VALUES; i++)
		deal(w, to[i], chain, 0, 0);
}

/* A tick's entries in the order of their ids. */
static void sort_slot(struct perch_wheel *w, struct chain *chain)
{
	if (chain->chunks == 1)
		sort_entries(w->chunks[chain->first - 1].entry, count_of(chain, chain->first));
	else if (chain->chunks <= FEW_CHUNKS)
		sort_few(w, chain);
	else
		sort_many(w, chain);
}

/* Names live entries of the present's slot until `max` are named. */
static uint32_t name_present(struct perch_wheel *w, uint32_t *ids, uint32_t max)
{
	unsigned slot = slot_of(0, w->tick);
	struct chain *chain = &w->level[0].slot[slot];
	uint32_t mark = mark_of(w->tick), named = 0, c;

	if (w->sorted != w->tick && chain->first != 0)
		sort_slot(w, chain);
	w->sorted = w->tick;
	while ((c = chain->first) != 0) {
		const struct chunk *chunk = &w->chunks[c - 1];
		uint32_t count = count_of(chain, c);

		while (chain->from < count && named < max) {
			uint32_t id = chunk->entry[chain->from++].id;

			if (chain->from + (uint32_t)AHEAD < count)
				prefetch_queued(w, &chunk->entry[chain->from + AHEAD]);
			w->entries--;
			if (*queued(w, id) != mark)
				continue;
			*queued(w, id) = 0;
			ids[named++] = id;
		}
		if (chain->from < count)
			return named;
		chain->first = chunk->next;
		chain->chunks--;
		chain->from = 0;
		give_chunk(w, c);
	}
	detach(w, 0, slot);
	return named;
}

/* What the next tick will ask of its first ids, and the entries of the one after it: a tick is long
 * enough for memory to answer. */
static void look_ahead(const struct perch_wheel *w)
{
	const struct chain *next = &w->level[0].slot[slot_of(0, w->tick + 1)];
	const struct chain *after = &w->level[0].slot[slot_of(0, w->tick + 2)];
	uint32_t c = next->first, chunks, i;

	for (chunks = 0; chunks < CHUNKS_AHEAD && c != 0; chunks++) {
		const struct chunk *chunk = &w->chunks[c - 1];
		uint32_t count = count_of(next, c);

		for (i = 0; i < count; i++)
			prefetch_queued(w, &chunk->entry[i]);
		c = chunk->next;
	}
	if (after->first != 0)
		prefetch_chunk(&w->chunks[after->first - 1]);
	if (after->last != 0)
		prefetch_chunk(&w->chunks[after->last - 1]);
}

/* ---- the interface ---- */

int perch_wheel_open(struct perch_wheel **out, const struct perch_wheel_config *cfg)
{
	struct perch_wheel *w;

	if (cfg->max_ids == 0 || cfg->tick_ns < 0 ||
	    cfg->word_stride_bytes % sizeof(uint32_t) != 0 ||
	    (cfg->words == NULL) != (cfg->word_stride_bytes == 0))
		return -EINVAL;
	w = perch_region_map(sizeof(*w), -1);
	if (w == NULL)
		return -ENOMEM;
	w->max_ids = cfg->max_ids;
	w->max_entries = 2 * (uint64_t)cfg->max_ids;
	w->max_chunks = (uint32_t)(w->max_entries / CHUNK_ENTRIES) +
		LEVELS * SLOTS + 2 * BYTE_VALUES + 2;
	w->start_ns = cfg->now_ns;
	w->tick_ns = cfg->tick_ns ? (uint64_t)cfg->tick_ns : DEFAULT_TICK_NS;
	w->per_tick = UINT64_MAX / w->tick_ns;
	w->next = w->sorted = UINT64_MAX;
	w->due = cfg->due;
	w->due_arg = cfg->due_arg;
	if (cfg->words == NULL)
		w->own = perch_region_map(w->max_ids * sizeof(*w->own), -1);
	w->words = (char *)(cfg->words ? cfg->words : w->own);
	w->stride = cfg->words ? cfg->word_stride_bytes : sizeof(*w->own);
	w->chunks = perch_region_map(w->max_chunks * sizeof(*w->chunks), -1);
	w->seen = perch_region_map(((size_t)w->max_ids + 63) / 64 * sizeof(*w->seen), -1);
	if (w->words == NULL || w->chunks == NULL || w->seen == NULL) {
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
	perch_region_unmap(w->own, w->max_ids * sizeof(*w->own));
	perch_region_unmap(w, sizeof(*w));
}

void perch_wheel_arm(struct perch_wheel *w, uint32_t id, int64_t deadline_ns)
{
	uint64_t tick = naming_tick(w, deadline_ns);
	uint32_t *word = queued(w, id);

	assert(id < w->max_ids);
	if (*word != 0 && marked_tick(w, *word) <= tick)
		return;
	if (w->entries >= w->max_entries)
		sweep(w);
	*word = mark_of(tick);
	put(w, (struct entry){id, *word}, tick);
	w->entries++;
	w->moves++;
}

uint32_t perch_wheel_expire(struct perch_wheel *w, int64_t now_ns, uint32_t *ids, uint32_t max)
{
	uint64_t now = tick_of(w, now_ns, false), before = w->tick;
	uint32_t named = 0;

	while (w->next <= now) {
		if (w->next > w->tick)
			arrive(w, w->next);
		named += name_present(w, ids + named, max - named);
		if (named == max)
			return named;
		w->next = next_event(w);
	}
	if (now > before) {
		w->tick = now;
		pace(w);
		look_ahead(w);
	}
	return named;
}

int64_t perch_wheel_next(const struct perch_wheel *w)
{
	return w->next == UINT64_MAX ? INT64_MAX : time_of(w, w->next);
}

uint64_t perch_wheel_moves(const struct perch_wheel *w)
{
	return w->moves;
}
