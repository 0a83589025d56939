/* SPDX-License-Identifier: BSD-3-Clause
 * One stream, one way: dials, writes so many bytes as fast as they go, shuts down and waits for the
 * peer's end. The sender of impaired.py.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/args.h"

enum { CHUNK = 65536 };

struct pour {
	struct perch_addr to;
	uint64_t bytes;
	int64_t error; /* a negative errno */
};

static int64_t send_all(struct perch_conn *c, uint64_t left)
{
	static const uint8_t chunk[CHUNK];
	int64_t n = 0;

	for (; left > 0 && n >= 0; left -= n > 0 ? (uint64_t)n : 0)
		n = perch_write(c, chunk, left < CHUNK ? left : CHUNK, PERCH_FOREVER);
	return n < 0 ? n : 0;
}

static void pour(void *arg)
{
	struct pour *p = arg;
	struct perch_conn *c;

	p->error = perch_dial(&p->to, NULL, &c, perch_now() + INT64_C(10000000000));
	if (p->error == 0) {
		p->error = send_all(c, p->bytes);
		perch_shutdown(c);
		if (p->error == 0)
			p->error = perch_next(c, PERCH_FOREVER).len;
		perch_hangup(c);
	}
	perch_stop(perch_self());
}

int main(int argc, char **argv)
{
	struct pour p = {.bytes = 0};
	const struct args_option own[] = {
		{"--bytes", ARGS_NUMBER, &p.bytes, 1, UINT64_C(1) << 40},
		{NULL, ARGS_FLAG, NULL, 0, 0},
	};
	struct args a = {.app = "pour", .usage = "--bytes N HOST PORT"};
	struct perch *engine;
	int status;

	args_parse(&a, argc, argv, own);
	if (!a.rest[0] || !a.rest[1] ||
		perch_addr_parse(a.rest[0], (uint16_t)atoi(a.rest[1]), &p.to) < 0) {
		args_complain(&a, "an address and a port are wanted after the options");
		return EXIT_USAGE;
	}
	status = args_open(&a, &engine);
	if (status != EXIT_FINE)
		return status;
	perch_start(engine, 0, pour, &p, 0);
	perch_run(engine);
	if (p.error)
		args_complain(&a, "%s", strerror((int)-p.error));
	args_summary(&a, engine);
	perch_close(engine);
	return p.error ? EXIT_RUNTIME : EXIT_FINE;
}
