/* SPDX-License-Identifier: BSD-3-Clause
 * Moving images of stacks, in lines of 64 bytes: by hand, because a call to memcpy costs more than
 * the two lines that it would mostly copy.
 */
#ifndef PERCH_SCHED_LINES_H
#define PERCH_SCHED_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "sched/stack.h"

typedef long long line_part __attribute__((vector_size(16), aligned(16), may_alias));

struct line {
	line_part part[STACK_LINE / sizeof(line_part)];
};

static inline void copy_lines(void *to, const void *from, uint32_t lines)
{
	struct line *d = to;
	const struct line *o = from;

	for (; lines > 0; lines--)
		*d++ = *o++;
}

static inline __attribute__((always_inline)) void exchange_line(struct line *x, struct line *y)
{
	struct line t = *x;

	*x = *y;
	*y = t;
}

#ifdef __x86_64__
/* Half a line at a time, where the processor can: the library runs where it cannot, too. In
 * assembly, for a function that is compiled for AVX2 is not inlined in one that is not. */
static inline bool lines_wide(void)
{
	return __builtin_cpu_supports("avx2");
}

static inline __attribute__((always_inline)) void exchange_line_wide(struct line *x, struct line *y)
{
	__asm__ volatile("vmovdqa (%0), %%ymm0\n\t"
			 "vmovdqa 32(%0), %%ymm1\n\t"
			 "vmovdqa (%1), %%ymm2\n\t"
			 "vmovdqa 32(%1), %%ymm3\n\t"
			 "vmovdqa %%ymm2, (%0)\n\t"
			 "vmovdqa %%ymm3, 32(%0)\n\t"
			 "vmovdqa %%ymm0, (%1)\n\t"
			 "vmovdqa %%ymm1, 32(%1)"
			 :
			 : "r"(x), "r"(y)
			 : "xmm0", "xmm1", "xmm2", "xmm3", "memory");
}

/* What follows uses half of these registers, and must not wait for the other half. */
static inline void wide_done(void)
{
	__asm__ volatile("vzeroupper" ::: "memory");
}
#else
static inline bool lines_wide(void)
{
	return false;
}

#define exchange_line_wide exchange_line

static inline void wide_done(void)
{
}
#endif

/* Nearly all that wait have two. */
static inline __attribute__((always_inline)) void exchange_lines(
	void *a, void *b, uint32_t lines, bool wide)
{
	struct line *x = a, *y = b;

	if (!wide) {
		for (; lines > 0; lines--)
			exchange_line(x++, y++);
		return;
	}
	if (__builtin_expect(lines == 2, 1)) {
		exchange_line_wide(x, y);
		exchange_line_wide(x + 1, y + 1);
	} else {
		for (; lines > 0; lines--)
			exchange_line_wide(x++, y++);
	}
	wide_done();
}

#endif
