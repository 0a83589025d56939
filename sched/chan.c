/* SPDX-License-Identifier: BSD-3-Clause
 * Channels (see chan.h): a ring, and the queues of those who wait to send or to receive.
 */
#include "sched/chan.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sched/inside.h"
#include "sched/wait.h"

static_assert((int)PERCH_CO_CHAN_MAX_BYTES == (int)PERCH_WAIT_BYTES, "a value fits a wait node");
static_assert((int)PERCH_CO_SELECT_MAX == (int)PERCH_WAIT_CASES, "a select fits the wait nodes");

struct perch_co_chan {
	struct perch_sched *s;
	size_t value_bytes;
	uint32_t capacity, head, count;
	uint32_t inside; /* cases of coroutines that wait, or were woken and have not run yet */
	bool closed, freed;
	struct perch_wait_queue senders, receivers;
	unsigned char ring[];
};

int perch_co_chan_open(struct perch_co_chan **out, struct perch_sched *s, size_t value_bytes,
		    uint32_t capacity)
{
	struct perch_co_chan *ch;

	if (value_bytes == 0 || value_bytes > PERCH_CO_CHAN_MAX_BYTES)
		return -EINVAL;
	ch = calloc(1, sizeof(*ch) + value_bytes * capacity);
	if (ch == NULL)
		return -ENOMEM;
	ch->s = s;
	ch->value_bytes = value_bytes;
	ch->capacity = capacity;
	*out = ch;
	return 0;
}

void perch_co_chan_free(struct perch_co_chan *ch)
{
	if (ch == NULL)
		return;
	perch_co_chan_close(ch);
	ch->freed = true;
	if (ch->inside == 0)
		free(ch);
}

struct perch_sched *perch_co_chan_sched(const struct perch_co_chan *ch)
{
	return ch->s;
}

static void end_waits(struct perch_co_chan *ch, struct perch_wait_queue *q)
{
	struct perch_co *co;
	unsigned k;

	while ((co = perch_wait_take(ch->s, q, true, &k)) != NULL)
		perch_co_wake(ch->s, co, 0);
}

void perch_co_chan_close(struct perch_co_chan *ch)
{
	ch->closed = true;
	end_waits(ch, &ch->senders);
	end_waits(ch, &ch->receivers);
}

uint32_t perch_co_chan_count(const struct perch_co_chan *ch)
{
	return ch->count;
}

/* ---- the ring ---- */

static void put(struct perch_co_chan *ch, const void *value)
{
	uint32_t at = (uint32_t)(((uint64_t)ch->head + ch->count) % ch->capacity);

	memcpy(ch->ring + at * ch->value_bytes, value, ch->value_bytes);
	ch->count++;
}

static void get(struct perch_co_chan *ch, void *value)
{
	memcpy(value, ch->ring + ch->head * ch->value_bytes, ch->value_bytes);
	ch->head = (ch->head + 1) % ch->capacity;
	ch->count--;
}

/* ---- what can be done at once: 0, -EPIPE, or -EAGAIN ---- */

static int try_send(struct perch_co_chan *ch, const void *value)
{
	struct perch_co *co;
	unsigned k;

	if (ch->closed)
		return -EPIPE;
	co = perch_wait_take(ch->s, &ch->receivers, false, &k);
	if (co != NULL) {
		memcpy(perch_wait_value(ch->s, co, k), value, ch->value_bytes);
		perch_co_wake(ch->s, co, 0);
		return 0;
	}
	if (ch->count == ch->capacity)
		return -EAGAIN;
	put(ch, value);
	return 0;
}

/* A place in the ring came free, or a receiver with an empty ring: the next sender's value. */
static int take_from_sender(struct perch_co_chan *ch, void *value)
{
	unsigned k;
	struct perch_co *co = perch_wait_take(ch->s, &ch->senders, false, &k);

	if (co == NULL)
		return ch->closed ? -EPIPE : -EAGAIN;
	if (value != NULL)
		memcpy(value, perch_wait_value(ch->s, co, k), ch->value_bytes);
	else
		put(ch, perch_wait_value(ch->s, co, k));
	perch_co_wake(ch->s, co, 0);
	return 0;
}

static int try_recv(struct perch_co_chan *ch, void *value)
{
	if (ch->count == 0)
		return take_from_sender(ch, value);
	get(ch, value);
	take_from_sender(ch, NULL);
	return 0;
}

static int try_case(struct perch_co_select *c)
{
	int err = c->send != NULL ? try_send(c->chan, c->send) : try_recv(c->chan, c->recv);

	if (err != -EAGAIN)
		c->err = err;
	return err;
}

/* ---- waiting ---- */

static void wait_for_case(struct perch_co_select *c, unsigned k)
{
	struct perch_co_chan *ch = c->chan;

	ch->inside++;
	perch_wait_join(ch->s, c->send != NULL ? &ch->senders : &ch->receivers, k);
	if (c->send != NULL)
		memcpy(perch_wait_value(ch->s, ch->s->current, k), c->send, ch->value_bytes);
}

/* Somebody did our case k for us: what was received waits beside the queue's links. */
static void conclude(struct perch_co_select *c, unsigned k, bool over)
{
	c->err = over ? -EPIPE : 0;
	if (!over && c->send == NULL)
		memcpy(c->recv, perch_wait_value(c->chan->s, c->chan->s->current, k),
		       c->chan->value_bytes);
}

static void leave(struct perch_co_chan *ch)
{
	if (--ch->inside == 0 && ch->freed)
		free(ch);
}

int perch_co_chan_select(struct perch_co_select *cases, unsigned n, int64_t deadline_ns)
{
	struct perch_sched *s = cases[0].chan->s;
	unsigned first, i;
	bool over;
	int k;

	assert(n > 0 && n <= PERCH_CO_SELECT_MAX);
	first = s->selects++ % n;
	for (i = 0; i < n; i++) {
		unsigned at = (first + i) % n;

		if (try_case(&cases[at]) != -EAGAIN)
			return (int)at;
	}
	if (s->current == NULL)
		return -EAGAIN;
	for (i = 0; i < n; i++)
		wait_for_case(&cases[i], i);
	k = perch_wait_park(s, deadline_ns, &over);
	if (k >= 0)
		conclude(&cases[k], (unsigned)k, over);
	for (i = 0; i < n; i++)
		leave(cases[i].chan);
	return k;
}

int perch_co_chan_send(struct perch_co_chan *ch, const void *value, int64_t deadline_ns)
{
	struct perch_co_select one = {.chan = ch, .send = value};
	int k = perch_co_chan_select(&one, 1, deadline_ns);

	return k < 0 ? k : one.err;
}

int perch_co_chan_recv(struct perch_co_chan *ch, void *value, int64_t deadline_ns)
{
	struct perch_co_select one = {.chan = ch, .recv = value};
	int k = perch_co_chan_select(&one, 1, deadline_ns);

	return k < 0 ? k : one.err;
}
