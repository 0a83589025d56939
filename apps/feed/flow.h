/* SPDX-License-Identifier: BSD-3-Clause
 * A seeded order flow: ITCH 5.0 messages of a trading day as an exchange would send them. Orders
 * are added, executed, cancelled and replaced under rules that an order book can hold it to: no
 * number twice, no share executed that is not there, no crossed book.
 */
#ifndef PERCH_APPS_FEED_FLOW_H
#define PERCH_APPS_FEED_FLOW_H

#include <stdbool.h>

#include "apps/feed/itch.h"

struct flow_config {
	uint64_t seed;
	uint32_t symbols;   /* "S0001", ...; default 8, at most 9,999 */
	uint32_t live;      /* orders per symbol that it tends to; default 64 */
	uint64_t messages;  /* of the day; 0: it never ends */
	uint64_t gap_ns;    /* from a message to the next one, on average; default 1,000 */
};

struct flow;

/* Returns 0, -EINVAL or -ENOMEM. */
int flow_open(struct flow **out, const struct flow_config *cfg);
void flow_close(struct flow *f);

/* The next message; false: the day is over. Messages of every type occur. */
bool flow_next(struct flow *f, struct itch *m);

#endif
