/* SPDX-License-Identifier: BSD-3-Clause
 * Telling the tools that watch a stack (AddressSanitizer, ThreadSanitizer, valgrind) that it is
 * about to change. Empty in an ordinary build, but for valgrind's no-operations when the scheduler
 * was opened under it.
 *
 * The sanitizers keep a shadow of each stack by address, so their builds force private stacks.
 */
#ifndef PERCH_SCHED_FIBER_H
#define PERCH_SCHED_FIBER_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#elif __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define FIBER_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define FIBER_TSAN 1
#endif

#if defined(FIBER_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(FIBER_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define FIBER_VALGRIND 1
#endif

/* What a tool keeps for one stack. */
struct fiber {
	void *fake;       /* ASan: the fake stack while it is not running */
	const void *low;  /* its bounds */
	size_t bytes;
	void *thread;     /* TSan: its notion of a thread */
};

#if defined(FIBER_ASAN) || defined(FIBER_TSAN)
enum { FIBER_PRIVATE = 1 };
#else
enum { FIBER_PRIVATE = 0 };
#endif

/* A stack that nobody has run on yet, or not since its last coroutine. */
static inline void fiber_open(struct fiber *f, void *low, size_t bytes)
{
#if defined(FIBER_ASAN)
	f->fake = NULL;
	f->low = low;
	f->bytes = bytes;
	__asan_unpoison_memory_region(low, bytes);
#elif defined(FIBER_TSAN)
	f->thread = __tsan_create_fiber(0);
#else
	(void)f;
#endif
	(void)low;
	(void)bytes;
}

static inline void fiber_close(struct fiber *f)
{
#if defined(FIBER_TSAN)
	__tsan_destroy_fiber(f->thread);
#endif
	(void)f;
}

/* Just before the switch from one stack to another. `last`: from will never run again. */
static inline void fiber_leave(struct fiber *from, struct fiber *to, bool last)
{
#if defined(FIBER_ASAN)
	__sanitizer_start_switch_fiber(last ? NULL : &from->fake, to->low, to->bytes);
#elif defined(FIBER_TSAN)
	__tsan_switch_to_fiber(to->thread, 0);
#endif
	(void)from;
	(void)to;
	(void)last;
}

/* Just after it, on the stack arrived at; `from` learns the bounds of the thread's own stack. */
static inline void fiber_arrive(struct fiber *here, struct fiber *from)
{
#if defined(FIBER_ASAN)
	__sanitizer_finish_switch_fiber(here->fake, from ? &from->low : NULL,
					from ? &from->bytes : NULL);
#endif
	(void)here;
	(void)from;
}

/* The stack of the thread that calls the scheduler. */
static inline void fiber_thread(struct fiber *f)
{
#if defined(FIBER_TSAN)
	f->thread = __tsan_get_current_fiber();
#endif
	(void)f;
}

static inline bool fiber_valgrind(void)
{
#ifdef FIBER_VALGRIND
	return RUNNING_ON_VALGRIND != 0;
#else
	return false;
#endif
}

static inline unsigned fiber_register(void *low, void *top)
{
#ifdef FIBER_VALGRIND
	return VALGRIND_STACK_REGISTER(low, top);
#else
	(void)low;
	(void)top;
	return 0;
#endif
}

static inline void fiber_unregister(unsigned id)
{
#ifdef FIBER_VALGRIND
	VALGRIND_STACK_DEREGISTER(id);
#endif
	(void)id;
}

/* Bytes of a stack about to be written by a copy instead of by their owner. */
static inline void fiber_undefined(void *low, size_t bytes)
{
#ifdef FIBER_VALGRIND
	(void)VALGRIND_MAKE_MEM_UNDEFINED(low, bytes);
#endif
	(void)low;
	(void)bytes;
}

#endif
