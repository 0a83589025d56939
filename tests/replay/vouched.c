/* SPDX-License-Identifier: BSD-3-Clause
 * TCP echo to a crowd that leaves its checksums to the device, which calls them good; for the test
 * that a recording says so as well.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <perch.h>

static void echo(struct perch_conn *c, void *arg)
{
	struct perch_bytes b;

	(void)arg;
	while ((b = perch_next(c, PERCH_FOREVER)).len > 0)
		if (perch_write(c, b.data, b.len, PERCH_FOREVER) < 0)
			break;
}

int main(int argc, char **argv)
{
	const char *vdevs[] = {"perch_crowd0,conns=16,to=10.99.0.2:7", NULL};
	const char *addrs[] = {"10.99.0.2/24", NULL};
	const struct perch_config cfg = {.no_huge = true, .memory_mb = 128, .vdevs = vdevs,
		.addrs = addrs, .gw4 = "10.99.0.1", .mbufs = 2048, .max_conns = 128,
		.until_idle_ns = 300000000,
		.record = argc > 1 ? argv[1] : NULL};
	struct perch_counter c[256];
	struct perch *e;
	struct perch_why why;
	unsigned i, n;

	if (perch_open(&e, &cfg, &why) < 0 || perch_listen(e, NULL, 7, echo, NULL) < 0) {
		fprintf(stderr, "vouched: %s\n", why.text);
		return 1;
	}
	perch_run(e);
	n = perch_counters(e, PERCH_EVERY_LCORE, c, 256);
	for (i = 0; i < n && i < 256; i++)
		if (strcmp(c[i].name, "tcp_accepted") == 0)
			printf("  tcp_accepted %" PRIu64 " \n", c[i].value);
	perch_close(e);
	return 0;
}
