/* SPDX-License-Identifier: BSD-3-Clause
 * A lazily re-armed hierarchical timing wheel (Varghese and Lauck, 3 levels) for dense u32 ids,
 * one entry per id. The owner of an id keeps its real deadline; the wheel only promises to name the
 * id no earlier than what it was armed with, and then the owner looks. An id armed beyond the
 * horizon (127/128 of 2^31 ticks: 59 hours at the default grain) is named there.
 *
 * Entries come down in step with time, so that no expire that follows another closely does much,
 * however many ids are queued. The ids of one tick are named in ascending order.
 *
 * Re-arming later is free: do nothing, and arm again when the wheel names the id. Re-arming
 * earlier inserts a second entry; the stale one is dropped when it fires.
 *
 * Thread context: one thread. Time is an argument. No allocation after open.
 */
#ifndef PERCH_SCHED_WHEEL_H
#define PERCH_SCHED_WHEEL_H

#include <stddef.h>
#include <stdint.h>

struct perch_wheel;

struct perch_wheel_config {
	uint32_t max_ids; /* ids are 0 .. max_ids - 1 */
	int64_t tick_ns;  /* grain; 0 = 100,000 (100 us) */
	int64_t now_ns;   /* where time starts */
	/* The wheel keeps a word for each id, which it reads when it names one. If the owner has a
	 * record for each, the word is best there, beside what he reads then: that of id 0, and
	 * how far apart they are, a multiple of 4. Zero at open, and the wheel's alone until it is
	 * closed, whatever becomes of the record. NULL: the wheel has an array of its own. */
	uint32_t *words;
	size_t word_stride_bytes;
	/* If not NULL, it is asked for an id's deadline when the wheel would move it nearer, which
	 * is within 8,192 ticks before it (and once more, earlier, if it was armed further ahead
	 * than 2^24): so what was put off meanwhile is not named at all. The wheel relies on the
	 * answer as on an arm. INT64_MAX: the id is no longer queued. Only expire calls it; it must
	 * not call the wheel. */
	int64_t (*due)(void *arg, uint32_t id);
	void *due_arg;
};

/* Returns 0, -EINVAL or -ENOMEM. */
int perch_wheel_open(struct perch_wheel **out, const struct perch_wheel_config *cfg);
void perch_wheel_close(struct perch_wheel *w);

/* See to it that id is named by the first expire at or after deadline_ns (rounded up to a tick).
 * If it is already queued at or before that, nothing is done. */
void perch_wheel_arm(struct perch_wheel *w, uint32_t id, int64_t deadline_ns);

/* Move time to now_ns and write the ids that came due to ids[]; at most max, so call again while
 * it returns max. An id named is no longer queued. */
uint32_t perch_wheel_expire(struct perch_wheel *w, int64_t now_ns, uint32_t *ids, uint32_t max);

/* A time no later than the next id to be named: exact if it lies in the present's or the next block
 * of 4,096 ticks, else the time of the cascade that brings it near. An expire at that time moves
 * on, so a virtual clock may jump from next to next. INT64_MAX when nothing is queued. */
int64_t perch_wheel_next(const struct perch_wheel *w);

/* Entries put into slots so far, by arms and on their way down: the wheel's work. */
uint64_t perch_wheel_moves(const struct perch_wheel *w);

#endif
