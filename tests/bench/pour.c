/* SPDX-License-Identifier: BSD-3-Clause
 * One stream, one way: dials, writes so many bytes, the n-th of which is n modulo 251, as fast as
 * they go, shuts down and waits for the peer's end. impaired.py and interop tests let it send.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/args.h"

enum { CYCLE = 251, CHUNK = 65536 };

struct pour {
	struct perch_addr to;
	uint64_t bytes;
	int64_t error; /* a negative errno */
};

static int64_t send_all(struct perch_conn *c, uint64_t bytes)
{
	static uint8_t cycles[CHUNK + CYCLE];
	uint64_t done, n;
	int64_t rc;

	for (n = 0; n < sizeof(cycles); n++)
		cycles[n] = (uint8_t)(n % CYCLE);
	for (done = 0; done < bytes; done += (uint64_t)rc) {
		n = bytes - done < CHUNK ? bytes - done : CHUNK;
		rc = perch_write(c, cycles + done % CYCLE, n, PERCH_FOREVER);
		if (rc < 0)
			return rc;
	}
	return 0;
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
