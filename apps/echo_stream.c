/* SPDX-License-Identifier: BSD-3-Clause
 * Discard and character generator: a stream in, a stream out, as fast as the peer goes along.
 */
#include "apps/echo_stream.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "apps/pattern.h"

enum { STREAM_VIEWS = 16 }; /* segments that are looked at together */

static uint8_t pattern[PATTERN_BYTES];

static struct { /* added to when a connection ends, by any lcore */
	_Atomic uint64_t discarded, wrong, generated;
} total;

static void discard(struct perch_conn *c, void *arg)
{
	const struct stream_services *s = arg;
	uint64_t got = 0, wrong = 0;
	struct perch_bytes b[STREAM_VIEWS];
	int n, i;

	while ((n = perch_next_many(c, b, STREAM_VIEWS, PERCH_FOREVER)) > 0) {
		for (i = 0; i < n; i++) {
			if (s->check)
				wrong += !pattern_holds(pattern, got, b[i].data,
					(uint64_t)b[i].len);
			got += (uint64_t)b[i].len;
		}
	}
	atomic_fetch_add(&total.discarded, got);
	atomic_fetch_add(&total.wrong, wrong);
}

/* RFC 864: until the caller ends the connection; what he sends is thrown away when it closes. */
static void chargen(struct perch_conn *c, void *arg)
{
	uint64_t sent = 0;

	(void)arg;
	while (perch_write(c, pattern, sizeof(pattern), PERCH_FOREVER) > 0)
		sent += sizeof(pattern);
	atomic_fetch_add(&total.generated, sent);
}

int stream_listen(struct perch *engine, const struct stream_services *s)
{
	int rc = 0;

	pattern_fill(pattern);
	if (s->discard_port)
		rc = perch_listen(engine, NULL, (uint16_t)s->discard_port, discard,
			(void *)(uintptr_t)s);
	if (rc == 0 && s->chargen_port)
		rc = perch_listen(engine, NULL, (uint16_t)s->chargen_port, chargen, NULL);
	return rc;
}

_Bool stream_report(const struct stream_services *s)
{
	uint64_t wrong = atomic_load(&total.wrong);

	if (s->discard_port)
		printf("perch-echo: %" PRIu64 " bytes discarded%s\n",
			atomic_load(&total.discarded),
			!s->check ? "" : wrong ? ", NOT as they were sent" : ", each compared");
	if (s->chargen_port)
		printf("perch-echo: %" PRIu64 " bytes generated\n", atomic_load(&total.generated));
	return wrong == 0;
}
