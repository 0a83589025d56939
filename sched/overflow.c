/* SPDX-License-Identifier: BSD-3-Clause
 * The report of a stack overflow (see overflow.h).
 *
 * The handler finds what it needs without a global: the kernel tells it where the alternate stack
 * of the faulting thread is, and at the low end of ours lies the record with the scheduler and the
 * handler that was there before. A thread without such a stack is none of ours: the default action
 * is put back and the fault repeats.
 */
#include "sched/overflow.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "sched/inside.h"
#include "sched/region.h"
#include "sched/symbol.h"

enum { ALTERNATE_BYTES = 128 << 10 };

static const char mark[16] = "perch overflow\n";

struct perch_overflow {
	struct sigaction before;
};

struct perch_overflow_watch {
	char mark[16];
	struct perch_sched *s;
	const struct perch_overflow *of;
	stack_t stack_before;
};

static struct perch_overflow_watch *record_of(const ucontext_t *u)
{
	struct perch_overflow_watch *w = u->uc_stack.ss_sp;

	if (u->uc_stack.ss_flags & SS_DISABLE || u->uc_stack.ss_size != ALTERNATE_BYTES ||
	    w == NULL || memcmp(w->mark, mark, sizeof(mark)) != 0)
		return NULL;
	return w;
}

static bool in_guard(const struct perch_sched *s, const char *fault)
{
	const struct perch_co *co = s->current;

	if (co == NULL)
		return false;
	if (co->flags & CO_OWN_STACK)
		return perch_own_guards(own_stacks(s, co), co->home, fault);
	return perch_shared_guards(&s->shared, fault);
}

static void report(const struct perch_sched *s)
{
	const struct perch_co *co = s->current;
	bool private = co->flags & PERCH_CO_PRIVATE, own = co->flags & CO_OWN_STACK;
	char entry[256], line[512];
	int n;

	perch_symbol_name(code_address(co->fn), entry, sizeof(entry));
	n = snprintf(line, sizeof(line),
		     "perch: stack overflow in coroutine %u, started at %s: it used all %zu KB of %s\n",
		     co_id(s, co), entry,
		     (private ? s->private.stack_bytes : s->shared.bytes) >> 10,
		     private ? "its private stack" : own ? "its stack" : "the shared stack");
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nowhere to say so */
}

static void pass_on(const struct sigaction *before, int sig, siginfo_t *info, void *context)
{
	if (before->sa_flags & SA_SIGINFO)
		before->sa_sigaction(sig, info, context);
	else if (before->sa_handler == SIG_DFL || before->sa_handler == SIG_IGN)
		sigaction(sig, before, NULL); /* the fault repeats, and meets it */
	else
		before->sa_handler(sig);
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	const struct sigaction by_default = {.sa_handler = SIG_DFL};
	const struct perch_overflow_watch *w = record_of(context);
	int saved_errno = errno;

	if (w == NULL) {
		pass_on(&by_default, sig, info, context);
	} else {
		if (in_guard(w->s, info->si_addr))
			report(w->s);
		pass_on(&w->of->before, sig, info, context);
	}
	errno = saved_errno;
}

int perch_overflow_open(struct perch_overflow **out)
{
	struct sigaction action = {.sa_sigaction = on_fault,
				   .sa_flags = SA_SIGINFO | SA_ONSTACK};
	struct perch_overflow *o = perch_region_map(sizeof(*o), -1);
	int err;

	if (o == NULL)
		return -ENOMEM;
	if (sigaction(SIGSEGV, &action, &o->before) < 0) {
		err = -errno;
		perch_region_unmap(o, sizeof(*o));
		return err;
	}
	*out = o;
	return 0;
}

void perch_overflow_close(struct perch_overflow *o)
{
	if (o == NULL)
		return;
	sigaction(SIGSEGV, &o->before, NULL);
	perch_region_unmap(o, sizeof(*o));
}

int perch_overflow_watch(struct perch_overflow_watch **out, struct perch_overflow *o,
			 struct perch_sched *s)
{
	struct perch_overflow_watch *w = perch_region_map(ALTERNATE_BYTES, -1);
	stack_t stack = {.ss_sp = w, .ss_size = ALTERNATE_BYTES};
	int err;

	if (w == NULL)
		return -ENOMEM;
	memcpy(w->mark, mark, sizeof(mark));
	w->s = s;
	w->of = o;
	if (sigaltstack(&stack, &w->stack_before) < 0) {
		err = -errno;
		perch_region_unmap(w, ALTERNATE_BYTES);
		return err;
	}
	*out = w;
	return 0;
}

void perch_overflow_unwatch(struct perch_overflow_watch *w)
{
	if (w == NULL)
		return;
	sigaltstack(&w->stack_before, NULL);
	perch_region_unmap(w, ALTERNATE_BYTES);
}
