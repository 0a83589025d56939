/* SPDX-License-Identifier: BSD-3-Clause
 * Two engines in one process, joined by a pair of net_ring ports and driven by turns on the
 * caller's thread: the smallest network there is, with nothing of the kernel in it.
 */
#ifndef PERCH_TESTS_ENGINE_PAIR_H
#define PERCH_TESTS_ENGINE_PAIR_H

#include "engine/perch.h"

#define PAIR_A4 "10.99.0.1"
#define PAIR_B4 "10.99.0.2"
#define PAIR_A6 "fd00:99::1"
#define PAIR_B6 "fd00:99::2"

struct pair {
	struct perch *a, *b; /* A is the client, B the server, by custom */
	char port_b[32]; /* the name of b's device */
};

/* Start EAL without hugepages or root, once per process. Returns false and prints why not. */
bool pair_eal(void);

/* Open both; cfg (may be NULL) sets what is not address, port or EAL; what it records is b's.
 * False: said why. */
bool pair_open(struct pair *p, const struct perch_config *cfg);

/* Turn both until *done (may be NULL) or for at most ms milliseconds. Returns *done. */
bool pair_turn(struct pair *p, const volatile bool *done, int ms);

/* Stop both, drain, close. */
void pair_close(struct pair *p);

/* The value of a counter of e, summed over its lcores. Fails the test if there is no such name. */
uint64_t pair_counter(const struct perch *e, const char *name);

#endif
