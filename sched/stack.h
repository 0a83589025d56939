/* SPDX-License-Identifier: BSD-3-Clause
 * Stacks: the shared one of an lcore, the saved images of those who left it, and pools of stacks
 * that have one owner at a time.
 *
 * At most one coroutine occupies the shared stack. It stays when it parks, and is moved out (its
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
	STACK_COLOURS = 64,        /* lines that tops are apart: see stack.c */
	STACK_PAGE = 4096,
	STACK_SHARED_GUARD = 64 << 10, /* costs nothing, and no usual frame leaps over it */
};

/* Memory for saved images. An area is named by its first line, plus 1; 0 = none. */
struct save_pool {
	char *base;
	char *area0;        /* a line before base: areas are named from 1 on */
	uint32_t ample;     /* while less is `fresh`, there is room for the largest area */
	uint32_t lines;     /* reserved */
	uint32_t fresh;     /* lines from here on were never used */
	uint32_t max_lines; /* of one area */
	uint32_t used;      /* lines in areas that are taken */
	uint32_t given;     /* lines given back since the last merge */
	uint32_t *free;     /* per line count: a LIFO list of free areas */
	uint64_t *some;     /* per line count: a bit, set if the list has any */
	uint64_t *idle;     /* per line: a bit, used by a merge */
};

/* Stacks of a fixed size in one mapping, each above a guard, each with one owner. A stack is named
 * by the line in the mapping where it begins; 0 = none. */
struct own_stacks {
	char *base;
	size_t stride;       /* from one stack to the next, guard included */
	size_t stack_bytes;
	size_t guard_bytes;
	uint32_t max, fresh; /* those from `fresh` on were never used */
	uint32_t free_count;
	uint32_t *free;      /* LIFO */
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
	return p->area0 + ((size_t)area << STACK_LINE_BITS);
}

int perch_shared_open(struct shared_stack *t, size_t bytes, int node);
void perch_shared_close(struct shared_stack *t);
bool perch_shared_guards(const struct shared_stack *t, const char *p); /* is p in its guard? */

/* guard_bytes may be 0: no guards. */
int perch_own_open(struct own_stacks *t, uint32_t max, size_t bytes, size_t guard_bytes, int node);
void perch_own_close(struct own_stacks *t);
uint32_t perch_own_take(struct own_stacks *t); /* 0 = none left */
void perch_own_give(struct own_stacks *t, uint32_t stack);
void perch_own_trim(struct own_stacks *t); /* the pages of free ones go back to the kernel */
bool perch_own_guards(const struct own_stacks *t, uint32_t stack, const char *p);
char *perch_own_low(const struct own_stacks *t, uint32_t stack); /* the lowest usable byte */

/* Where its first frame begins. */
static inline char *own_top(const struct own_stacks *t, uint32_t stack)
{
	return t->base + ((size_t)stack << STACK_LINE_BITS);
}

#endif
