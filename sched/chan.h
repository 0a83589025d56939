/* SPDX-License-Identifier: BSD-3-Clause
 * Channels between coroutines of one lcore: values of a fixed size, buffered, or handed over when
 * both sides are there (capacity 0).
 *
 * Thread context: the scheduler's thread. A coroutine waits; the thread itself, outside of any
 * coroutine, is told -EAGAIN instead. Values are copied, through memory of the channel or of the
 * scheduler and never from one stack to another. No allocation after open.
 */
#ifndef PERCH_SCHED_CHAN_H
#define PERCH_SCHED_CHAN_H

#include <stddef.h>
#include <stdint.h>

struct perch_sched;
struct perch_co_chan;

enum {
	PERCH_CO_CHAN_MAX_BYTES = 48, /* of a value; send a pointer to more */
	PERCH_CO_SELECT_MAX = 8,      /* cases of a select */
};

/* Returns 0, -EINVAL or -ENOMEM. */
int perch_co_chan_open(struct perch_co_chan **out, struct perch_sched *s, size_t value_bytes,
		    uint32_t capacity);
/* Closes it; those who wait are told so, and the last of them to leave frees it. NULL is
 * ignored. */
void perch_co_chan_free(struct perch_co_chan *ch);
struct perch_sched *perch_co_chan_sched(const struct perch_co_chan *ch);

/* Nothing more will be sent: receivers get what is buffered and then -EPIPE, senders get -EPIPE,
 * those that wait at once. Closing twice is once. */
void perch_co_chan_close(struct perch_co_chan *ch);

/* 0; -EPIPE: closed; -ETIMEDOUT, -ECANCELED, -ENOMEM as from a park. A deadline in the past makes
 * it a try. After an error nothing was sent, or received. */
int perch_co_chan_send(struct perch_co_chan *ch, const void *value, int64_t deadline_ns);
int perch_co_chan_recv(struct perch_co_chan *ch, void *value, int64_t deadline_ns);

uint32_t perch_co_chan_count(const struct perch_co_chan *ch); /* values buffered */

struct perch_co_select {
	struct perch_co_chan *chan;
	const void *send; /* the value to send, or NULL */
	void *recv;       /* where to receive to, or NULL */
	int err;          /* out, of the case chosen: 0 or -EPIPE */
};

/* Do the first case that can be done, or wait until one can. Returns its index or a negative
 * error. Where several can, the one to begin with changes from call to call. */
int perch_co_chan_select(struct perch_co_select *cases, unsigned n, int64_t deadline_ns);

#endif
