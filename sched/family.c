/* SPDX-License-Identifier: BSD-3-Clause
 * Children of coroutines (see family.h): who belongs to whom, by ids in a table of its own, which
 * costs nothing to those who have none.
 */
#include "sched/family.h"

#include <assert.h>
#include <errno.h>

#include "sched/inside.h"

/* Links are ids + 1; 0 = none. */
static void adopt(struct perch_sched *s, struct perch_co *parent, struct perch_co *child)
{
	uint32_t p = co_id(s, parent), c = co_id(s, child);
	struct co_kin *kin = &s->kin[c], *of = &s->kin[p];

	if (!(parent->flags & CO_PARENT))
		of->first_child = 0;
	kin->parent = p;
	kin->prev = 0;
	kin->next = of->first_child;
	if (kin->next != 0)
		s->kin[kin->next - 1].prev = c + 1;
	of->first_child = c + 1;
	parent->flags |= CO_PARENT;
	child->flags |= CO_CHILD;
}

struct perch_co *perch_co_spawn_child(struct perch_sched *s, perch_co_fn fn, void *arg,
				      unsigned flags)
{
	struct perch_co *parent = s->current, *child;

	assert(parent != NULL);
	child = perch_co_spawn(s, fn, arg, flags);
	if (child != NULL)
		adopt(s, parent, child);
	return child;
}

void perch_family_leave(struct perch_sched *s, struct perch_co *child)
{
	struct co_kin *kin = &s->kin[co_id(s, child)], *of = &s->kin[kin->parent];
	struct perch_co *parent = &s->co[kin->parent];

	child->flags &= (uint8_t)~CO_CHILD;
	if (kin->prev != 0)
		s->kin[kin->prev - 1].next = kin->next;
	else
		of->first_child = kin->next;
	if (kin->next != 0)
		s->kin[kin->next - 1].prev = kin->prev;
	if (of->first_child != 0)
		return;
	parent->flags &= (uint8_t)~CO_PARENT;
	if (parent->flags & CO_JOINING)
		perch_co_wake(s, parent, 0);
}

int perch_co_join(struct perch_sched *s, int64_t deadline_ns)
{
	struct perch_co *co = s->current;
	int err = 0;

	co->flags |= CO_JOINING;
	while (err >= 0 && co->flags & CO_PARENT)
		err = perch_co_park(s, deadline_ns);
	co->flags &= (uint8_t)~CO_JOINING;
	return err < 0 ? err : 0;
}

static void cancel_all(struct perch_sched *s, struct perch_co *parent)
{
	uint32_t c = parent->flags & CO_PARENT ? s->kin[co_id(s, parent)].first_child : 0;

	for (; c != 0; c = s->kin[c - 1].next)
		perch_co_cancel(s, &s->co[c - 1]);
}

void perch_co_cancel_children(struct perch_sched *s)
{
	cancel_all(s, s->current);
}

/* There is no memory to save the parent's stack while it waits: they end without it. */
static void orphan_all(struct perch_sched *s, struct perch_co *parent)
{
	while (parent->flags & CO_PARENT)
		perch_family_leave(s, &s->co[s->kin[co_id(s, parent)].first_child - 1]);
}

void perch_family_end(struct perch_sched *s, struct perch_co *parent)
{
	cancel_all(s, parent);
	parent->flags |= CO_ENDING; /* its own cancellation must not end this wait */
	while (parent->flags & CO_PARENT)
		if (perch_co_join(s, PERCH_SCHED_NEVER) == -ENOMEM)
			orphan_all(s, parent);
}

void perch_co_end_children(struct perch_sched *s)
{
	if (s->current->flags & CO_PARENT)
		perch_family_end(s, s->current);
}
