/* SPDX-License-Identifier: BSD-3-Clause
 * Stacks: the shared one of an lcore, the saved images of those who left it, and private ones.
 *
 * Exactly one coroutine occupies the shared stack. It stays when it parks, and is moved out (its
 * live bytes, whole 64-byte lines) only when another must run there: a flow that gets several
 * packets in a row never copies. When the image that comes in has as many lines as the one that
 * goes out, the two change places and nothing is allocated.
 */
#ifndef PERCH_SCHED_STACK_H
#define PERCH_SCHED_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STACK_LINE = 64,           /* bytes; images are made of whole lines */
	STACK_LINE_BITS = 6,
	STACK_MAX_LINES = UINT16_MAX,
	STACK_SLOT_NONE = -1,
};

/* Memory for saved images. An area is named by its first line, plus 1; 0 = none. */
struct save_pool {
	char *base;
	uint32_t lines;     /* reserved */
	uint32_t fresh;     /* lines from here on were never used */
	uint32_t max_lines; /* of one area */
	uint32_t used;      /* lines in areas that are taken */
	uint32_t given;     /* lines given back since the last merge */
	uint32_t *free;     /* per line count: a LIFO list of free areas */
	uint64_t *some;     /* per line count: a bit, set if the list has any */
	uint64_t *idle;     /* per line: a bit, used by a merge */
};

/* Stacks of a fixed size in one mapping, each above a guard page. */
struct private_stacks {
	char *base;
	size_t stride;       /* from one stack to the next, guard included */
	size_t stack_bytes;
	uint32_t max, fresh; /* slots from `fresh` on were never used */
	uint32_t free_count;
	uint32_t *free;      /* LIFO of slots */
};

struct shared_stack {
	char *base;  /* the guard */
	char *top;
	size_t bytes; /* without the guard */
};

int perch_save_open(struct save_pool *p, size_t bytes, size_t largest_bytes, int node);
void perch_save_close(struct save_pool *p);
/* 0 = none left. */
uint32_t perch_save_take(struct save_pool *p, uint32_t lines);
void perch_save_give(struct save_pool *p, uint32_t area, uint32_t lines);
/* Would a take of so many lines succeed? Merges free neighbours if it would not otherwise. */
bool perch_save_room(struct save_pool *p, uint32_t lines);
/* Merge free neighbours, and give whole pages of what is free back to the kernel. */
void perch_save_trim(struct save_pool *p);

static inline char *save_area(const struct save_pool *p, uint32_t area)
{
	return p->base + ((size_t)(area - 1) << STACK_LINE_BITS);
}

int perch_shared_open(struct shared_stack *t, size_t bytes, int node);
void perch_shared_close(struct shared_stack *t);
bool perch_shared_guards(const struct shared_stack *t, const char *p); /* is p in its guard? */

int perch_private_open(struct private_stacks *t, uint32_t max, size_t bytes, bool guards, int node);
void perch_private_close(struct private_stacks *t);
int64_t perch_private_take(struct private_stacks *t); /* a slot, or STACK_SLOT_NONE */
void perch_private_give(struct private_stacks *t, uint32_t slot);
/* The lowest usable byte, and where a slot's first frame begins. */
char *perch_private_low(const struct private_stacks *t, uint32_t slot);
char *perch_private_top(const struct private_stacks *t, uint32_t slot);
bool perch_private_guards(const struct private_stacks *t, uint32_t slot, const char *p);

#endif
