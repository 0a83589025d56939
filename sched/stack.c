/* SPDX-License-Identifier: BSD-3-Clause
 * Stacks and the memory for saved images (see stack.h).
 *
 * Stacks with one owner are mapped in plain pages with a guard below each, not carved from huge
 * pages: whoever asks for one has large frames or shares addresses, so an overflow into the
 * neighbour would be the worst of bugs, and a huge page cannot hold a guard. Their tops are
 * coloured by an odd number of lines, because tops at equal offsets of a page fall into the same
 * cache sets (61 ns an event against 23).
 */
#include "sched/stack.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "sched/region.h"

enum {
	MERGE_WORTH = 64,        /* a merge pays when this part of the pool came back */
	MAX_GUARDED = 4096,      /* by mprotect: each guard costs two of 65,530 mappings */
	GUARD_INSTALL = 102,     /* MADV_GUARD_INSTALL, Linux 6.13: guards without mappings */
};

/* ---- saved images ---- */

int perch_save_open(struct save_pool *p, size_t bytes, size_t largest_bytes, int node)
{
	memset(p, 0, sizeof(*p));
	p->max_lines = (uint32_t)(largest_bytes >> STACK_LINE_BITS);
	if (p->max_lines > STACK_MAX_LINES || bytes >> STACK_LINE_BITS >= UINT32_MAX)
		return -EINVAL;
	p->lines = (uint32_t)(bytes >> STACK_LINE_BITS);
	p->base = perch_region_map((size_t)p->lines << STACK_LINE_BITS, node);
	p->free = perch_region_map((p->max_lines + 1) * sizeof(*p->free), node);
	p->some = perch_region_map((p->max_lines / 64 + 1) * sizeof(*p->some), node);
	p->idle = perch_region_map(((size_t)p->lines / 64 + 1) * sizeof(*p->idle), node);
	if (p->base == NULL || p->free == NULL || p->some == NULL || p->idle == NULL) {
		perch_save_close(p);
		return -ENOMEM;
	}
	p->area0 = p->base - STACK_LINE;
	p->ample = p->lines < p->max_lines ? 0 : p->lines - p->max_lines + 1;
	return 0;
}

void perch_save_close(struct save_pool *p)
{
	perch_region_unmap(p->idle, ((size_t)p->lines / 64 + 1) * sizeof(*p->idle));
	perch_region_unmap(p->some, (p->max_lines / 64 + 1) * sizeof(*p->some));
	perch_region_unmap(p->free, (p->max_lines + 1) * sizeof(*p->free));
	perch_region_unmap(p->base, (size_t)p->lines << STACK_LINE_BITS);
}

/* The smallest size with a free area of at least `lines`; 0 = none. */
static uint32_t fitting(const struct save_pool *p, uint32_t lines)
{
	uint32_t word = lines / 64, last = p->max_lines / 64;
	uint64_t bits = p->some[word] & (~0ull << (lines % 64));

	while (bits == 0) {
		if (++word > last)
			return 0;
		bits = p->some[word];
	}
	return word * 64 + (uint32_t)__builtin_ctzll(bits);
}

static void push_free(struct save_pool *p, uint32_t area, uint32_t lines)
{
	memcpy(save_area(p, area), &p->free[lines], sizeof(area));
	p->free[lines] = area;
	p->some[lines / 64] |= 1ull << (lines % 64);
}

static uint32_t pop_free(struct save_pool *p, uint32_t lines)
{
	uint32_t area = p->free[lines];

	memcpy(&p->free[lines], save_area(p, area), sizeof(area));
	if (p->free[lines] == 0)
		p->some[lines / 64] &= ~(1ull << (lines % 64));
	return area;
}

/* ---- merging ---- */

static void mark_idle(struct save_pool *p, uint32_t first, uint32_t lines)
{
	for (; lines > 0; first++, lines--)
		p->idle[first / 64] |= 1ull << (first % 64);
}

/* Moves every free area from the lists to the map of idle lines. */
static void empty_lists(struct save_pool *p)
{
	uint32_t lines;

	for (lines = 1; lines <= p->max_lines; lines++)
		while (p->free[lines] != 0)
			mark_idle(p, pop_free(p, lines) - 1, lines);
}

/* The first line from `from` on that is idle, or that is not; p->fresh if there is none. */
static uint32_t seek(const struct save_pool *p, uint32_t from, bool idle)
{
	while (from < p->fresh) {
		uint64_t word = idle ? p->idle[from / 64] : ~p->idle[from / 64];

		word >>= from % 64;
		if (word != 0) {
			from += (uint32_t)__builtin_ctzll(word);
			break;
		}
		from = (from / 64 + 1) * 64;
	}
	return from < p->fresh ? from : p->fresh;
}

static void list_run(struct save_pool *p, uint32_t first, uint32_t lines)
{
	while (lines > 0) {
		uint32_t n = lines < p->max_lines ? lines : p->max_lines;

		push_free(p, first + 1, n);
		first += n;
		lines -= n;
	}
}

/* Exact sizes fragment: what many small images left cannot take a large one until neighbours are
 * one again. Runs over the whole pool, so only when a park would be refused otherwise, and when
 * enough came back since the last time to be worth it. */
static void merge(struct save_pool *p)
{
	uint32_t first, end;

	empty_lists(p);
	for (first = seek(p, 0, true); first < p->fresh; first = seek(p, end, true)) {
		end = seek(p, first, false);
		if (end == p->fresh) {
			p->fresh = first;
			break;
		}
		list_run(p, first, end - first);
	}
	memset(p->idle, 0, ((size_t)p->lines / 64 + 1) * sizeof(*p->idle));
	p->given = 0;
}

bool perch_save_room(struct save_pool *p, uint32_t lines)
{
	if (lines > p->max_lines)
		return false;
	if (p->lines - p->fresh >= lines || fitting(p, lines) != 0)
		return true;
	if (p->given < lines || p->given < p->lines / MERGE_WORTH)
		return false;
	merge(p);
	return p->lines - p->fresh >= lines || fitting(p, lines) != 0;
}

/* A free area's first line holds its place in the list, and stays. */
void perch_save_trim(struct save_pool *p)
{
	uint32_t lines, area;

	merge(p); /* it leaves the map empty, but touched */
	perch_region_drop(p->idle, p->idle + p->lines / 64 + 1);
	for (lines = 1; lines <= p->max_lines; lines++)
		for (area = p->free[lines]; area != 0;
		     memcpy(&area, save_area(p, area), sizeof(area)))
			perch_region_drop(save_area(p, area) + STACK_LINE,
					  save_area(p, area) + ((size_t)lines << STACK_LINE_BITS));
	perch_region_drop(save_area(p, p->fresh + 1), save_area(p, p->lines + 1));
}

uint32_t perch_save_take(struct save_pool *p, uint32_t lines)
{
	uint32_t area, size;

	if (p->free[lines] != 0) {
		area = pop_free(p, lines);
	} else if (p->lines - p->fresh >= lines) {
		area = p->fresh + 1;
		p->fresh += lines;
	} else if ((size = fitting(p, lines)) != 0) { /* cut a larger one */
		area = pop_free(p, size);
		push_free(p, area + lines, size - lines);
	} else {
		return 0;
	}
	p->used += lines;
	return area;
}

void perch_save_give(struct save_pool *p, uint32_t area, uint32_t lines)
{
	p->used -= lines;
	p->given += lines;
	push_free(p, area, lines);
}

/* ---- guards ---- */

static int guard(char *from, size_t bytes, bool by_mapping)
{
	if (madvise(from, bytes, GUARD_INSTALL) == 0)
		return 0;
	return by_mapping ? mprotect(from, bytes, PROT_NONE) : 0;
}

/* ---- the shared stack ---- */

int perch_shared_open(struct shared_stack *t, size_t bytes, int node)
{
	t->bytes = perch_region_round(bytes);
	t->base = perch_region_stacks(t->bytes + STACK_SHARED_GUARD, node);
	if (t->base == NULL)
		return -ENOMEM;
	if (mprotect(t->base, STACK_SHARED_GUARD, PROT_NONE) < 0) {
		perch_shared_close(t);
		return -ENOMEM;
	}
	t->top = t->base + STACK_SHARED_GUARD + t->bytes;
	return 0;
}

void perch_shared_close(struct shared_stack *t)
{
	perch_region_unmap(t->base, t->bytes + STACK_SHARED_GUARD);
}

bool perch_shared_guards(const struct shared_stack *t, const char *p)
{
	return p >= t->base && p < t->base + STACK_SHARED_GUARD;
}

/* ---- stacks with one owner ---- */

static size_t own_mapping(const struct own_stacks *t)
{
	return t->max * t->stride;
}

static int guard_all(const struct own_stacks *t)
{
	uint32_t i;

	for (i = 0; i < t->max; i++)
		if (guard(t->base + i * t->stride, t->guard_bytes, t->max <= MAX_GUARDED) < 0)
			return -ENOMEM;
	return 0;
}

int perch_own_open(struct own_stacks *t, uint32_t max, size_t bytes, size_t guard_bytes, int node)
{
	memset(t, 0, sizeof(*t));
	t->max = max;
	t->guard_bytes = guard_bytes;
	t->stack_bytes = perch_region_round(bytes + (STACK_COLOURS - 1) * STACK_LINE);
	t->stride = t->stack_bytes + guard_bytes;
	if (max == 0)
		return 0;
	if (own_mapping(t) >> STACK_LINE_BITS > UINT32_MAX)
		return -ENOMEM;
	t->base = perch_region_stacks(own_mapping(t), node);
	t->free = perch_region_map(max * sizeof(*t->free), node);
	if (t->base == NULL || t->free == NULL || (guard_bytes > 0 && guard_all(t) < 0)) {
		perch_own_close(t);
		return -ENOMEM;
	}
	return 0;
}

void perch_own_close(struct own_stacks *t)
{
	perch_region_unmap(t->free, t->max * sizeof(*t->free));
	perch_region_unmap(t->base, own_mapping(t));
}

/* Its top is coloured. */
static uint32_t name_of(const struct own_stacks *t, uint32_t i)
{
	size_t end = (i + 1) * t->stride;

	return (uint32_t)(end >> STACK_LINE_BITS) - i * 5 % STACK_COLOURS;
}

uint32_t perch_own_take(struct own_stacks *t)
{
	if (t->free_count > 0)
		return t->free[--t->free_count];
	return t->fresh < t->max ? name_of(t, t->fresh++) : 0;
}

void perch_own_give(struct own_stacks *t, uint32_t stack)
{
	t->free[t->free_count++] = stack;
}

static char *guard_of(const struct own_stacks *t, uint32_t stack)
{
	size_t inside = ((size_t)stack << STACK_LINE_BITS) - 1;

	return t->base + inside / t->stride * t->stride;
}

char *perch_own_low(const struct own_stacks *t, uint32_t stack)
{
	return guard_of(t, stack) + t->guard_bytes;
}

bool perch_own_guards(const struct own_stacks *t, uint32_t stack, const char *p)
{
	return p >= guard_of(t, stack) && p < perch_own_low(t, stack);
}

void perch_own_trim(struct own_stacks *t)
{
	uint32_t i;

	for (i = 0; i < t->free_count; i++) {
		char *low = perch_own_low(t, t->free[i]);

		perch_region_drop(low, low + t->stack_bytes);
	}
}
