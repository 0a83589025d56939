/* SPDX-License-Identifier: BSD-3-Clause
 * Naming the coroutine that ran off its stack, instead of a bare SIGSEGV.
 *
 * Nothing is installed unless asked for: signal handlers belong to the process that uses us.
 */
#ifndef PERCH_SCHED_OVERFLOW_H
#define PERCH_SCHED_OVERFLOW_H

#include "sched/coro.h"

struct perch_overflow;       /* of the process: what its SIGSEGV did before */
struct perch_overflow_watch; /* of a thread: whose stacks are meant, and a stack to report from */

/* Installs a SIGSEGV handler: from now on a fault of a watched thread in a guard page of its
 * scheduler prints one line to stderr that names the running coroutine and its entry function;
 * then, as for any other fault, the handler that was there before is called. Any thread. Returns 0,
 * -ENOMEM or -errno. A thread that is not watched meets the default action instead. */
int perch_overflow_open(struct perch_overflow **out);
/* Puts back what was there before, in reverse order if there are several; no watch may be left.
 * NULL is ignored. */
void perch_overflow_close(struct perch_overflow *o);

/* Watch the calling thread, which runs s. Returns 0, -ENOMEM or -errno. */
int perch_overflow_watch(struct perch_overflow_watch **out, struct perch_overflow *o,
			 struct perch_sched *s);
void perch_overflow_unwatch(struct perch_overflow_watch *w); /* on that thread; NULL is ignored */

#endif
