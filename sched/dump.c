/* SPDX-License-Identifier: BSD-3-Clause
 * Information, backtraces and dumps of coroutines (see dump.h).
 *
 * A backtrace is taken by the coroutine's own stack: its image is brought to where it was saved
 * from, and the unwinder is entered there as if the place of the park had called it.
 */
#include "sched/dump.h"

#include <errno.h>
#include <execinfo.h>
#include <string.h>

#include "sched/inside.h"
#include "sched/symbol.h"

enum {
	LARGE_BYTES = 512, /* of an image: beyond it, copying costs more than a cold stack */
	MAX_FRAMES = 64,
};

static const char *state_name(const struct perch_co *co)
{
	switch ((enum co_state)co->state) {
	case CO_NEW:
		return "new";
	case CO_READY:
		return "ready";
	case CO_PARKED:
		return "parked";
	default:
		return "running";
	}
}

/* The code that its last wait returns to: a word of its frames, wherever they are. */
static const void *parked_at(const struct perch_sched *s, const struct perch_co *co)
{
	const void **words = co->place.sp;
	size_t below;

	if ((co->state != CO_PARKED && co->state != CO_READY) || co->switches == 0)
		return NULL;
	if (!(co->flags & CO_OWN_STACK) && co->home != 0) {
		below = (size_t)(s->shared.top - (const char *)co->place.sp);
		words = (const void **)(void *)(save_area(&s->saves, co->home) +
			((size_t)co->lines << STACK_LINE_BITS) - below);
	}
	return words[SWITCH_RETURN_WORD];
}

int perch_co_describe(const struct perch_sched *s, const struct perch_co *co,
		  struct perch_co_description *out)
{
	if (co->state == CO_FREE)
		return -ESRCH;
	*out = (struct perch_co_description){
		.id = co_id(s, co),
		.fn = co->fn,
		.arg = co->arg,
		.state = state_name(co),
		.on_private = FIBER_PRIVATE || (co->flags & PERCH_CO_PRIVATE) != 0,
		.in_place = !FIBER_PRIVATE && (co->flags & CO_OWN_STACK) != 0,
		.cancelled = (co->flags & CO_CANCELLED) != 0,
		.live_bytes = (size_t)co->lines << STACK_LINE_BITS,
		.peak_bytes = (size_t)co->peak_lines << STACK_LINE_BITS,
		.switches = co->switches,
		.cycles = s->counting ? s->kin[co_id(s, co)].cycles : 0,
		.parked_at = parked_at(s, co),
		.deadline_ns = co->state == CO_PARKED ? co->deadline_ns : PERCH_SCHED_NEVER,
	};
	return 0;
}

void perch_sched_count_cycles(struct perch_sched *s, bool on)
{
	uint32_t id;

	for (id = 0; on && !s->counting && id < s->fresh_co; id++)
		s->kin[id].cycles = 0;
	s->counting = on;
}

/* ---- backtraces ---- */

struct trace {
	void *sp; /* of the thread meanwhile; first, for perch_switch_trace hands on its address */
	void **pc;
	int max, count;
};

void perch_co_trace(void **save_sp); /* entered by perch_switch_trace, on the other stack */

void perch_co_trace(void **save_sp)
{
	struct trace *t = (struct trace *)save_sp;
	void *here;

	t->count = backtrace(t->pc, t->max);
	switch_stack(&here, t->sp);
	__builtin_unreachable();
}

unsigned perch_co_backtrace(struct perch_sched *s, struct perch_co *co, void **pc, unsigned max)
{
	void *frames[MAX_FRAMES + 1];
	struct trace t = {.pc = frames, .max = MAX_FRAMES + 1};
	unsigned i;

	assert(s->current == NULL);
	if (FIBER_PRIVATE || (co->state != CO_PARKED && co->state != CO_READY))
		return 0; /* a sanitizer would not know whose stack it is on */
	perch_co_settle(s, co);
	perch_switch_trace(&t.sp, &co->place);
	perch_co_unsettle(s, co);
	for (i = 0; i + 1 < (unsigned)t.count && i < max; i++)
		pc[i] = frames[i + 1]; /* the first is perch_co_trace */
	return i;
}

/* ---- the dump ---- */

static void dump_frames(struct perch_sched *s, struct perch_co *co, FILE *to)
{
	void *pc[MAX_FRAMES];
	unsigned n = perch_co_backtrace(s, co, pc, MAX_FRAMES), i;
	char name[256];

	for (i = 0; i < n; i++) {
		perch_symbol_name(pc[i], name, sizeof(name));
		fprintf(to, "    #%-2u %s\n", i, name);
	}
}

static void dump_one(struct perch_sched *s, struct perch_co *co, FILE *to)
{
	struct perch_co_description info = {.state = "?"};
	char name[256];

	perch_co_describe(s, co, &info);
	perch_symbol_name(code_address(info.fn), name, sizeof(name));
	fprintf(to, "coroutine %u %s %s(%p): stack %zu B, at most %zu B%s, ran %u times", info.id,
		info.state, name, info.arg, info.live_bytes, info.peak_bytes,
		info.on_private ? " (private)" : info.in_place ? " (in place)" : "",
		info.switches);
	if (info.cycles > 0)
		fprintf(to, ", %llu cycles", (unsigned long long)info.cycles);
	if (info.deadline_ns != PERCH_SCHED_NEVER)
		fprintf(to, ", until %lld ns", (long long)info.deadline_ns);
	fprintf(to, "%s\n", info.cancelled ? ", cancelled" : "");
	if (!info.on_private && !info.in_place && info.peak_bytes > LARGE_BYTES)
		fprintf(to, "    hint: it parks with more than %d B of stack; PERCH_CO_PRIVATE saves "
			"copying them\n", LARGE_BYTES);
}

static void dump_summary(const struct perch_sched *s, FILE *to)
{
	fprintf(to, "%u coroutines, %u ready; saved stacks: %zu KB of %zu KB\n", s->alive, s->ready,
		(size_t)s->saves.used * STACK_LINE >> 10, (size_t)s->saves.lines * STACK_LINE >> 10);
}

uint32_t perch_sched_dump(struct perch_sched *s, FILE *to, bool backtraces, uint32_t from,
			  uint32_t most)
{
	uint32_t id;

	if (from == 0)
		dump_summary(s, to);
	for (id = from; id < s->fresh_co && id - from < most; id++) {
		if (s->co[id].state == CO_FREE)
			continue;
		dump_one(s, &s->co[id], to);
		if (backtraces)
			dump_frames(s, &s->co[id], to);
	}
	return id < s->fresh_co ? id : PERCH_CO_NONE;
}

void perch_co_rename(struct perch_sched *s, perch_co_fn fn)
{
	s->current->fn = fn;
}
