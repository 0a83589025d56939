/* SPDX-License-Identifier: BSD-3-Clause
 * Somebody who watches the wire and knows what no TCP may do: take back a window that it has
 * offered (RFC 9293 section 3.8.6), or send beyond the window that it was offered.
 */
#ifndef PERCH_TESTS_SIM_WATCH_H
#define PERCH_TESTS_SIM_WATCH_H

#include <stdbool.h>
#include <stdint.h>

enum { WATCH_FLOWS = 16 };

struct watch_side {           /* of one direction: what `from` has sent */
	bool syn_seen, scale_seen;
	uint8_t scale;        /* offered by the sender of this direction */
	bool edge_seen, edge_known;
	uint32_t edge;        /* the furthest that it has offered */
	uint32_t known;       /* the furthest offer that has arrived at the other host */
};

struct watch_flow {
	uint16_t port[2];     /* of host 0, of host 1 */
	struct watch_side side[2];
};

struct watch {
	struct watch_flow flows[WATCH_FLOWS];
	unsigned n;
};

/* An intact frame leaves host `from`. NULL, or what is wrong with it. */
const char *watch_sent(struct watch *w, unsigned from, const uint8_t *b, unsigned len);
/* It has arrived at the other host. */
void watch_arrived(struct watch *w, unsigned from, const uint8_t *b, unsigned len);

#endif
