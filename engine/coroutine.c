/* SPDX-License-Identifier: BSD-3-Clause
 * What a coroutine may ask for itself and of others: siblings and children, sleep, wakes across
 * lcores, the time.
 */
#include <assert.h>
#include <errno.h>

#include "engine/lcore.h"
#include "sched/family.h"

static_assert((int)PERCH_PRIVATE_STACK == (int)PERCH_CO_PRIVATE, "flags pass through");
static_assert(PERCH_FOREVER == PERCH_SCHED_NEVER, "deadlines pass through");

enum { SPAWN_FLAGS = PERCH_PRIVATE_STACK | PERCH_CHILD };

static struct perch_ref ref_of(const struct perch_lcore *l, struct perch_co *co)
{
	struct perch_co_ref r = perch_co_refer(l->sched, co);

	return (struct perch_ref){.lcore = l->id, .id = r.id, .birth = r.birth};
}

static struct perch_co_ref co_ref(struct perch_ref who)
{
	return (struct perch_co_ref){.id = who.id, .birth = who.birth};
}

static struct perch_co *spawn(void (*fn)(void *), void *arg, unsigned flags)
{
	struct perch_sched *s = perch_lcore_self->sched;

	if (flags & PERCH_CHILD)
		return perch_co_spawn_child(s, fn, arg, flags & PERCH_PRIVATE_STACK);
	return perch_co_spawn(s, fn, arg, flags);
}

int perch_spawn(void (*fn)(void *), void *arg, unsigned flags)
{
	if (!fn || flags & ~(unsigned)SPAWN_FLAGS)
		return -EINVAL;
	return spawn(fn, arg, flags) ? 0 : -ENOBUFS;
}

int perch_spawn_ref(struct perch_ref *out, void (*fn)(void *), void *arg, unsigned flags)
{
	struct perch_co *co;

	if (!fn || flags & ~(unsigned)SPAWN_FLAGS)
		return -EINVAL;
	co = spawn(fn, arg, flags);
	if (!co)
		return -ENOBUFS;
	*out = ref_of(perch_lcore_self, co);
	return 0;
}

int perch_wait_children(int64_t deadline_ns)
{
	return perch_co_join(perch_lcore_self->sched, deadline_ns);
}

void perch_cancel_children(void)
{
	perch_co_cancel_children(perch_lcore_self->sched);
}

int perch_sleep(int64_t deadline_ns)
{
	int rc = perch_co_park(perch_lcore_self->sched, deadline_ns);

	return rc == -ETIMEDOUT ? 0 : rc;
}

int perch_yield(void)
{
	return perch_co_yield(perch_lcore_self->sched);
}

/* ---- across lcores -------------------------------------------------------------------------- */

int perch_start(struct perch *e, int lcore, void (*fn)(void *), void *arg, unsigned flags)
{
	unsigned i;
	int rc = 0;

	if (!fn || lcore < PERCH_EVERY_LCORE || lcore >= (int)e->n_lcores ||
		flags & ~(unsigned)PERCH_PRIVATE_STACK)
		return -EINVAL;
	for (i = 0; i < e->n_lcores && rc == 0; i++)
		if (lcore == PERCH_EVERY_LCORE || lcore == (int)i)
			rc = perch_mailbox_spawn(e->lcores[i]->mail, fn, arg, flags);
	return rc;
}

/* Does this thread run the lcore? Then there is no need for a message. */
static bool is_here(const struct perch *e, unsigned lcore)
{
	return perch_lcore_self && perch_lcore_self->engine == e && perch_lcore_self->id == lcore;
}

struct perch_ref perch_me(void)
{
	struct perch_lcore *l = perch_lcore_self;

	return ref_of(l, perch_co_current(l->sched));
}

int perch_park(int64_t deadline_ns)
{
	return perch_co_await(perch_lcore_self->sched, deadline_ns);
}

int perch_wake(struct perch *e, struct perch_ref who, int value)
{
	if (value < 0 || who.lcore >= e->n_lcores)
		return -EINVAL;
	if (is_here(e, who.lcore))
		return perch_co_signal(e->lcores[who.lcore]->sched, co_ref(who), value);
	return perch_mailbox_signal(e->lcores[who.lcore]->mail, co_ref(who), value);
}

int perch_cancel(struct perch *e, struct perch_ref who)
{
	struct perch_sched *s;
	struct perch_co *co;

	if (who.lcore >= e->n_lcores)
		return -EINVAL;
	if (!is_here(e, who.lcore))
		return perch_mailbox_cancel(e->lcores[who.lcore]->mail, co_ref(who));
	s = e->lcores[who.lcore]->sched;
	co = perch_co_find(s, co_ref(who));
	if (!co)
		return -ESRCH;
	perch_co_cancel(s, co);
	return 0;
}

/* ---- who and when --------------------------------------------------------------------------- */

int64_t perch_now(void)
{
	return perch_lcore_self->now_ns;
}

int64_t perch_clock(void)
{
	return perch_clock_now(&perch_lcore_self->clock);
}

static int64_t when(const struct perch_lcore *l, uint64_t tsc)
{
	return tsc ? perch_clock_at(&l->clock, tsc) : 0;
}

int perch_stamps(struct perch_stamps *out)
{
	const struct perch_lcore *l = perch_lcore_self;

	const uint64_t *at = l->stages.at;

	if (!l->stages.stamping)
		return -ENODATA;
	*out = (struct perch_stamps){.begin_ns = when(l, l->stages.began),
		.rx_ns = when(l, at[PERCH_STAGE_RX]),
		.input_ns = when(l, at[PERCH_STAGE_INPUT]),
		.ready_ns = when(l, at[PERCH_STAGE_WAKE]),
		.output_ns = when(l, at[PERCH_STAGE_OUTPUT]),
		.tx_ns = when(l, at[PERCH_STAGE_TX])};
	return 0;
}

struct perch *perch_self(void)
{
	return perch_lcore_self->engine;
}

unsigned perch_lcore(void)
{
	return perch_lcore_self->id;
}
