/* SPDX-License-Identifier: BSD-3-Clause
 * Channels and wait groups as coroutines see them: the scheduler's, with a check that they are used
 * on the lcore that opened them.
 */
#include <assert.h>
#include <errno.h>

#include "engine/lcore.h"
#include "sched/chan.h"
#include "sched/group.h"

static_assert((int)PERCH_CHAN_MAX_BYTES == (int)PERCH_CO_CHAN_MAX_BYTES, "the same limit");
static_assert((int)PERCH_SELECT_MAX == (int)PERCH_CO_SELECT_MAX, "the same limit");
static_assert(sizeof(struct perch_case) == sizeof(struct perch_co_select) &&
	offsetof(struct perch_case, chan) == offsetof(struct perch_co_select, chan) &&
	offsetof(struct perch_case, send) == offsetof(struct perch_co_select, send) &&
	offsetof(struct perch_case, recv) == offsetof(struct perch_co_select, recv) &&
	offsetof(struct perch_case, err) == offsetof(struct perch_co_select, err),
	"cases pass through");

/* A perch_chan is a perch_co_chan, a perch_group a perch_co_group: there is nothing to add. */
static struct perch_co_chan *co_chan(struct perch_chan *ch)
{
	return (struct perch_co_chan *)ch;
}

static struct perch_co_group *co_group(struct perch_group *g)
{
	return (struct perch_co_group *)g;
}

static bool chan_here(struct perch_chan *ch)
{
	return perch_co_chan_sched(co_chan(ch)) == perch_lcore_self->sched;
}

static bool group_here(struct perch_group *g)
{
	return perch_co_group_sched(co_group(g)) == perch_lcore_self->sched;
}

int perch_chan_open(struct perch_chan **out, size_t value_bytes, uint32_t capacity)
{
	struct perch_co_chan *ch;
	int rc = perch_co_chan_open(&ch, perch_lcore_self->sched, value_bytes, capacity);

	*out = rc < 0 ? NULL : (struct perch_chan *)ch;
	return rc;
}

int perch_chan_close(struct perch_chan *ch)
{
	if (!chan_here(ch))
		return -EXDEV;
	perch_co_chan_close(co_chan(ch));
	return 0;
}

int perch_chan_free(struct perch_chan *ch)
{
	if (ch && !chan_here(ch))
		return -EXDEV;
	perch_co_chan_free(co_chan(ch));
	return 0;
}

int perch_chan_send(struct perch_chan *ch, const void *value, int64_t deadline_ns)
{
	return chan_here(ch) ? perch_co_chan_send(co_chan(ch), value, deadline_ns) : -EXDEV;
}

int perch_chan_recv(struct perch_chan *ch, void *value, int64_t deadline_ns)
{
	return chan_here(ch) ? perch_co_chan_recv(co_chan(ch), value, deadline_ns) : -EXDEV;
}

int perch_select(struct perch_case *cases, unsigned n, int64_t deadline_ns)
{
	unsigned i;

	if (n == 0 || n > PERCH_SELECT_MAX)
		return -EINVAL;
	for (i = 0; i < n; i++) {
		if (!cases[i].chan || !cases[i].send == !cases[i].recv)
			return -EINVAL;
		if (!chan_here(cases[i].chan))
			return -EXDEV;
	}
	return perch_co_chan_select((struct perch_co_select *)cases, n, deadline_ns);
}

int perch_group_open(struct perch_group **out)
{
	struct perch_co_group *g;
	int rc = perch_co_group_open(&g, perch_lcore_self->sched);

	*out = rc < 0 ? NULL : (struct perch_group *)g;
	return rc;
}

int perch_group_free(struct perch_group *g)
{
	if (g && !group_here(g))
		return -EXDEV;
	perch_co_group_free(co_group(g));
	return 0;
}

int perch_group_add(struct perch_group *g, uint32_t n)
{
	return group_here(g) ? perch_co_group_add(co_group(g), n) : -EXDEV;
}

int perch_group_done(struct perch_group *g)
{
	return group_here(g) ? perch_co_group_done(co_group(g)) : -EXDEV;
}

int perch_group_wait(struct perch_group *g, int64_t deadline_ns)
{
	return group_here(g) ? perch_co_group_wait(co_group(g), deadline_ns) : -EXDEV;
}
