/* SPDX-License-Identifier: BSD-3-Clause
 * The way to another lcore: a bounded ring of messages from any thread to the one that owns a
 * scheduler. Everything that crosses lcores comes this way, spawns and wakes included.
 *
 * Thread context: post, spawn and wake from any thread; drain, rest and rise by the owner only.
 * No allocation after open. A full ring is a counted refusal.
 */
#ifndef PERCH_SCHED_MAILBOX_H
#define PERCH_SCHED_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "sched/ref.h"

struct perch_mailbox;

struct perch_mailbox_config {
	struct perch_sched *sched;   /* of the owner */
	uint32_t slots;              /* messages that fit, rounded up to a power of two; default 1,024 */
	void (*alarm)(void *arg);    /* called by a sender when the owner rests: must wake it. May
				      * be NULL if the owner never rests. */
	void *alarm_arg;
};

/* Returns 0, -EINVAL or -ENOMEM. */
int perch_mailbox_open(struct perch_mailbox **out, const struct perch_mailbox_config *cfg);
void perch_mailbox_close(struct perch_mailbox *m); /* no sender may be left */

/* Call fn(arg) on the owner's thread, outside of any coroutine. 0 or -ENOBUFS. */
int perch_mailbox_post(struct perch_mailbox *m, perch_co_fn fn, void *arg);

/* Spawn fn(arg) there; a refusal is counted by that scheduler. 0 or -ENOBUFS. */
int perch_mailbox_spawn(struct perch_mailbox *m, perch_co_fn fn, void *arg, unsigned flags);

/* Signal it there (value >= 0), or cancel it; if it has finished by then, nothing is done. 0 or
 * -ENOBUFS. */
int perch_mailbox_signal(struct perch_mailbox *m, struct perch_co_ref ref, int value);
int perch_mailbox_cancel(struct perch_mailbox *m, struct perch_co_ref ref);

/* Carry out at most `budget` messages, in the order of their sending. Returns how many. */
unsigned perch_mailbox_drain(struct perch_mailbox *m, unsigned budget);

/* Is there something to drain? Owner. */
bool perch_mailbox_ready(const struct perch_mailbox *m);
/* How many messages a drain of that budget would carry out now. Owner. */
unsigned perch_mailbox_waiting(const struct perch_mailbox *m, unsigned budget);

/* For who writes down what came, and lets it come again in that order. */
enum perch_mail_kind { PERCH_MAIL_CALL, PERCH_MAIL_SPAWN, PERCH_MAIL_SIGNAL, PERCH_MAIL_CANCEL };

struct perch_mail {
	union {
		perch_co_fn fn;          /* CALL, SPAWN */
		struct perch_co_ref ref; /* SIGNAL, CANCEL */
	};
	void *arg;    /* of fn */
	int32_t word; /* SPAWN: its flags; SIGNAL: the value */
	enum perch_mail_kind kind;
};

/* The i-th of those that wait. Good until the next drain or carry. Owner. */
const struct perch_mail *perch_mailbox_look(const struct perch_mailbox *m, unsigned i);
/* Carry out the i-th of those that wait, before those in front of it. Owner. */
void perch_mailbox_carry(struct perch_mailbox *m, unsigned i);

/* The owner wants to sleep. True: it may, and whoever sends now sounds the alarm, once. False:
 * there is mail. After sleeping it rises. */
bool perch_mailbox_rest(struct perch_mailbox *m);
void perch_mailbox_rise(struct perch_mailbox *m);

uint64_t perch_mailbox_refused(const struct perch_mailbox *m); /* messages that did not fit */

#endif
