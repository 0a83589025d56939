/* SPDX-License-Identifier: BSD-3-Clause
 * Where a turn's time goes: TSC stamps between its stages. One turn in 64 is stamped, so that
 * knowing costs less than a nanosecond a turn and is never switched off (or all of them, for who
 * asks when a certain turn did what); idle turns do not count.
 */
#ifndef PERCH_ENGINE_STAGE_H
#define PERCH_ENGINE_STAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_cycles.h>

enum perch_stage { /* in the order of the turn */
	PERCH_STAGE_RX,       /* the port's receive burst */
	PERCH_STAGE_INPUT,    /* protocols, up to the flows' events */
	PERCH_STAGE_TIMERS,
	PERCH_STAGE_WAKE,     /* events make coroutines ready */
	PERCH_STAGE_HANDLERS, /* coroutines run: switches, the API and the user's own code */
	PERCH_STAGE_OUTPUT,   /* segments get their headers */
	PERCH_STAGE_TX,       /* the port's transmit burst */
	PERCH_STAGES,
};

enum { PERCH_STAMP_EVERY = 64 }; /* turns */

struct perch_stages {
	bool always;   /* stamp every turn */
	bool stamping; /* this turn */
	uint64_t last;
	uint64_t began;                /* the counter when the turn that is stamped began */
	uint64_t at[PERCH_STAGES];     /* and when each stage was over, 0: not yet */
	uint64_t turn[PERCH_STAGES];   /* cycles, of the turn that is stamped */
	uint64_t cycles[PERCH_STAGES]; /* of all that were, and found something to do */
	uint64_t turns, packets;       /* how many those were, and what they received */
};

static inline void perch_stages_begin(struct perch_stages *s, uint64_t turn)
{
	s->stamping = s->always || turn % PERCH_STAMP_EVERY == 0;
	if (__builtin_expect(s->stamping, 0)) {
		memset(s->turn, 0, sizeof(s->turn));
		memset(s->at, 0, sizeof(s->at));
		s->last = s->began = rte_rdtsc();
	}
}

/* What ran since the stamp before was that stage. */
static inline void perch_stage_stamp(struct perch_stages *s, enum perch_stage stage)
{
	uint64_t now;

	if (__builtin_expect(s->stamping, 0)) {
		now = rte_rdtsc();
		s->at[stage] = now;
		s->turn[stage] += now - s->last;
		s->last = now;
	}
}

static inline void perch_stages_end(struct perch_stages *s, unsigned packets, bool worked)
{
	unsigned i;

	if (__builtin_expect(!s->stamping, 1) || !worked)
		return;
	for (i = 0; i < PERCH_STAGES; i++)
		s->cycles[i] += s->turn[i];
	s->turns++;
	s->packets += packets;
}

#endif
