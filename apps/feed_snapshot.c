/* SPDX-License-Identifier: BSD-3-Clause
 * perch-feed's snapshots: one whenever the feed wants it.
 */
#include <errno.h>

#include "apps/feed_app.h"
#include "apps/glimpse.h"

void snapshot_client(void *arg)
{
	struct reader *r = arg;
	uint64_t next = 0;
	int rc;

	r->snapper = perch_me();
	for (;;) {
		while (!r->snapshot_wanted)
			if (perch_park(PERCH_FOREVER) == -ECANCELED)
				return;
		r->snapshot_wanted = false;
		rc = glimpse_get(&r->glimpse, r->books, &r->sessions, &next);
		if (rc == -ECANCELED)
			return;
		if (rc == -ESTALE)
			continue;
		if (rc < 0)
			feed_snapshot_failed(r->feed, perch_now());
		else
			feed_snapshot_done(r->feed, next, perch_now());
		reader_drain(r);
		reader_rearm(r);
	}
}
