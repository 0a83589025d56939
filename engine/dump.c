/* SPDX-License-Identifier: BSD-3-Clause
 * Looking at coroutines while they live: what one costs, and a dump of all.
 *
 * Only its own lcore can look at a coroutine's stack. A dump asks it by messages, for a few
 * coroutines in each, so that packets are not kept waiting, and gives the text to the asker's
 * callback on the asker's own thread, which may park in it.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/lcore.h"
#include "sched/dump.h"

enum { SLICE = 64 }; /* ids looked at in one turn */

int perch_co_info(struct perch_ref who, struct perch_co_info *out)
{
	struct perch_lcore *l = perch_lcore_self;
	struct perch_co_description d;
	struct perch_co *co;

	if (who.lcore != l->id)
		return -EXDEV;
	co = perch_co_find(l->sched, (struct perch_co_ref){who.id, who.birth});
	if (!co)
		return -ESRCH;
	perch_co_describe(l->sched, co, &d);
	*out = (struct perch_co_info){
		.fn = d.fn,
		.arg = d.arg,
		.state = d.state,
		.private_stack = d.on_private,
		.cancelled = d.cancelled,
		.live_bytes = d.live_bytes,
		.peak_bytes = d.peak_bytes,
		.switches = d.switches,
		.cycles = d.cycles,
		.parked_at = d.parked_at,
		.deadline_ns = d.deadline_ns,
	};
	return 0;
}

/* One slice of a dump. The asker's, but while the message is under way. */
struct slice {
	struct perch_lcore *l;
	uint32_t from;
	bool backtraces;
	char *text;         /* NULL: no memory */
	_Atomic bool done;
};

static void take_slice(void *arg)
{
	struct slice *s = arg;
	size_t bytes;
	FILE *f = open_memstream(&s->text, &bytes);

	if (f) {
		s->from = perch_sched_dump(s->l->sched, f, s->backtraces, s->from, SLICE);
		if (fclose(f) != 0) {
			free(s->text);
			s->text = NULL;
		}
	}
	atomic_store_explicit(&s->done, true, memory_order_release);
}

/* Not parking but yielding: a cancelled asker waits as well, for the slice must not be left. */
static void wait_a_little(void)
{
	if (perch_lcore_self)
		perch_co_yield(perch_lcore_self->sched);
	else
		nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
}

static int ask(struct slice *s)
{
	int rc;

	atomic_store_explicit(&s->done, false, memory_order_relaxed);
	s->text = NULL;
	while ((rc = perch_mailbox_post(s->l->mail, take_slice, s)) == -ENOBUFS) {
		if (atomic_load(&s->l->ended))
			return -ESHUTDOWN;
		wait_a_little();
	}
	while (!atomic_load_explicit(&s->done, memory_order_acquire)) {
		/* An lcore that has ended reads no more mail; it may have read this. */
		if (atomic_load(&s->l->ended) && !atomic_load(&s->done))
			return -ESHUTDOWN;
		wait_a_little();
	}
	return rc;
}

static void give_lines(char *text, void (*line)(void *arg, const char *text), void *arg)
{
	char *rest = text, *one;

	while ((one = strsep(&rest, "\n")))
		if (*one)
			line(arg, one);
}

static int dump_lcore(struct slice *s, bool ask_it, void (*line)(void *arg, const char *text),
	void *arg)
{
	int rc = 0;

	for (s->from = 0; s->from != PERCH_CO_NONE;) {
		if (ask_it)
			rc = ask(s);
		else
			take_slice(s);
		if (rc < 0)
			return rc;
		if (!s->text)
			return -ENOMEM;
		give_lines(s->text, line, arg);
		free(s->text);
	}
	return 0;
}

int perch_dump(struct perch *e, int lcore, unsigned flags,
	void (*line)(void *arg, const char *text), void *arg)
{
	bool ask_it = perch_lcore_self || atomic_load(&e->running);
	struct slice *s;
	unsigned i;
	int rc = 0;

	if (!line || lcore < PERCH_EVERY_LCORE || lcore >= (int)e->n_lcores ||
		(perch_lcore_self && perch_lcore_self->engine != e))
		return -EINVAL;
	s = malloc(sizeof(*s)); /* not on a stack that moves away */
	if (!s)
		return -ENOMEM;
	for (i = 0; i < e->n_lcores && rc == 0; i++) {
		if (lcore != PERCH_EVERY_LCORE && lcore != (int)i)
			continue;
		*s = (struct slice){.l = e->lcores[i], .backtraces = flags & PERCH_BACKTRACES};
		rc = dump_lcore(s, ask_it, line, arg);
	}
	free(s);
	return rc;
}
