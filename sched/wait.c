/* SPDX-License-Identifier: BSD-3-Clause
 * Queues of parked coroutines (see wait.h).
 *
 * A node is named by coroutine and case: id * PERCH_WAIT_CASES + k, plus 1; 0 = none. A coroutine
 * whose park ended otherwise (its deadline, a cancel) stays queued until it runs; whoever takes
 * from a queue passes it over, so that no value is handed to someone who has given up.
 */
#include "sched/wait.h"

#include <assert.h>

#include "sched/inside.h"

static_assert(sizeof(struct wait_node) == 64, "a case is one cache line");

enum {
	TAKEN_OVER = 0x80, /* in wait_done, beside the case + 1 */
};

static uint32_t name_of(const struct perch_sched *s, const struct perch_co *co, unsigned k)
{
	return co_id(s, co) * PERCH_WAIT_CASES + k + 1;
}

void perch_wait_join(struct perch_sched *s, struct perch_wait_queue *q, unsigned k)
{
	struct perch_co *co = s->current;
	uint32_t name = name_of(s, co, k);
	struct wait_node *node = &s->waits[name - 1];

	assert(k == co->wait_cases && k < PERCH_WAIT_CASES);
	co->wait_cases++;
	node->queue = q;
	node->next = 0;
	node->prev = q->last;
	if (q->last != 0)
		s->waits[q->last - 1].next = name;
	else
		q->first = name;
	q->last = name;
}

static void unlink_case(struct perch_sched *s, uint32_t name)
{
	struct wait_node *node = &s->waits[name - 1];

	if (node->prev != 0)
		s->waits[node->prev - 1].next = node->next;
	else
		node->queue->first = node->next;
	if (node->next != 0)
		s->waits[node->next - 1].prev = node->prev;
	else
		node->queue->last = node->prev;
}

static void leave_all(struct perch_sched *s, struct perch_co *co)
{
	while (co->wait_cases > 0)
		unlink_case(s, name_of(s, co, --co->wait_cases));
}

int perch_wait_park(struct perch_sched *s, int64_t deadline_ns, bool *over)
{
	struct perch_co *co = s->current;
	int result;
	unsigned done;

	co->wait_done = 0;
	do
		result = perch_co_park(s, deadline_ns);
	while (result >= 0 && co->wait_done == 0); /* woken by someone else's mistake */
	leave_all(s, co);
	done = co->wait_done;
	*over = (done & TAKEN_OVER) != 0;
	return done != 0 ? (int)(done & ~(unsigned)TAKEN_OVER) - 1 : result;
}

struct perch_co *perch_wait_take(struct perch_sched *s, struct perch_wait_queue *q, bool over,
				 unsigned *k)
{
	while (q->first != 0) {
		uint32_t name = q->first - 1;
		struct perch_co *co = &s->co[name / PERCH_WAIT_CASES];

		*k = name % PERCH_WAIT_CASES;
		leave_all(s, co);
		if (co->state != CO_PARKED)
			continue;
		co->wait_done = (uint8_t)((*k + 1) | (over ? TAKEN_OVER : 0));
		return co;
	}
	return NULL;
}

void *perch_wait_value(struct perch_sched *s, const struct perch_co *co, unsigned k)
{
	return s->waits[name_of(s, co, k) - 1].value;
}
