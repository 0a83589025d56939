/* SPDX-License-Identifier: BSD-3-Clause
 * TCP options: any bytes are read without harm, and what was understood survives being written and
 * read again.
 */
#include <stdlib.h>
#include <string.h>

#include "tcp-lite/tcp_opts.h"
#include "tests/fuzz/target.h"

enum { OPTIONS_MAX = 40 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static bool same(const struct perch_tcp_opts *a, const struct perch_tcp_opts *b)
{
	return a->ts_val == b->ts_val && a->ts_ecr == b->ts_ecr && a->mss == b->mss &&
		a->scale == b->scale && a->n_blocks == b->n_blocks && a->has_ts == b->has_ts &&
		a->has_scale == b->has_scale && a->sack_ok == b->sack_ok &&
		memcmp(a->blocks, b->blocks, a->n_blocks * sizeof(a->blocks[0])) == 0;
}

/* All at once would take more room than a header has; nobody writes that. */
static unsigned room_for(const struct perch_tcp_opts *o)
{
	return 4u * !!o->mss + 4u * o->has_scale + 4u * o->sack_ok +
		(unsigned)TCP_TIMES_BYTES * o->has_ts + (o->n_blocks ? 4u + 8u * o->n_blocks : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct perch_tcp_opts o, again;
	uint8_t bytes[OPTIONS_MAX], *copy;
	unsigned n;

	if (len > OPTIONS_MAX)
		return 0;
	copy = malloc(len ? len : 1); /* reading behind it is an error to ASan */
	memcpy(copy, data, len);
	perch_tcp_opts_parse(&o, copy, (unsigned)len);
	free(copy);
	promise(o.n_blocks <= TCP_SACK_MAX);
	promise(o.scale <= TCP_SCALE_MAX);
	if (room_for(&o) > OPTIONS_MAX)
		return 0;
	n = perch_tcp_opts_build(&o, bytes);
	promise(n == room_for(&o));
	perch_tcp_opts_parse(&again, bytes, n);
	promise(same(&o, &again));
	return 0;
}
