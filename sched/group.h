/* SPDX-License-Identifier: BSD-3-Clause
 * A wait group: a count of things under way, and coroutines that wait until it is zero.
 *
 * Thread context: the scheduler's thread; only a coroutine can wait. No allocation after open.
 */
#ifndef PERCH_SCHED_GROUP_H
#define PERCH_SCHED_GROUP_H

#include <stdint.h>

struct perch_sched;
struct perch_co_group;

int perch_co_group_open(struct perch_co_group **out, struct perch_sched *s); /* 0 or -ENOMEM */
/* Those who wait are told -EPIPE, and the last of them to leave frees it. NULL is ignored. */
void perch_co_group_free(struct perch_co_group *g);
struct perch_sched *perch_co_group_sched(const struct perch_co_group *g);

int perch_co_group_add(struct perch_co_group *g, uint32_t n); /* 0 or -EOVERFLOW */
/* One less; the last one wakes all that wait. 0, or -EINVAL: there was none. */
int perch_co_group_done(struct perch_co_group *g);

/* 0 when the count is zero; -EPIPE; -ETIMEDOUT, -ECANCELED, -ENOMEM as from a park. */
int perch_co_group_wait(struct perch_co_group *g, int64_t deadline_ns);

#endif
