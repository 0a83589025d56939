/* SPDX-License-Identifier: BSD-3-Clause
 * Naming the coroutine that ran off its stack, instead of a bare SIGSEGV.
 *
 * Nothing is installed unless asked for: signal handlers belong to the process that uses us.
 */
#ifndef PERCH_SCHED_OVERFLOW_H
#define PERCH_SCHED_OVERFLOW_H

#include "sched/coro.h"

struct perch_overflow;

/* From now on, a fault of the calling thread in a guard page of s prints one line to stderr that
 * names the running coroutine and its entry function; then, as for any other fault, the handler
 * that was there before is called. Installs a SIGSEGV handler and, for this thread, an alternate
 * signal stack. Call it on the thread that runs s. Returns 0, -ENOMEM, or -errno. */
int perch_overflow_open(struct perch_overflow **out, struct perch_sched *s);

/* Puts back what was there before; on the same thread, in reverse order if there are several. */
void perch_overflow_close(struct perch_overflow *o);

#endif
