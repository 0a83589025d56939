/* SPDX-License-Identifier: BSD-3-Clause
 * Joins a group of any source and one of a single source, and tells the sender of each datagram how
 * many have come; for the golden captures of IGMP and of a feed.
 */
#include <stdio.h>

#include <perch.h>

static void serve(void *arg)
{
	struct perch_addr any, single, source;
	struct perch_datagram d;
	struct perch_udp *u;
	char answer[32];
	unsigned n = 0;
	int len;

	(void)arg;
	perch_addr_parse("233.54.12.111", 0, &any);
	perch_addr_parse("232.1.2.3", 0, &single);
	perch_addr_parse("10.99.0.1", 0, &source);
	if (perch_bind(NULL, 26400, &u) < 0 || perch_join(u, &any, NULL) < 0 ||
		perch_join(u, &single, &source) < 0)
		return;
	while (perch_recv(u, &d, PERCH_FOREVER) == 0) {
		len = snprintf(answer, sizeof(answer), "%u datagrams", ++n);
		perch_reply(u, &d, answer, (size_t)len);
	}
	perch_leave(u, &any, NULL);
	perch_unbind(u);
}

int main(void)
{
	const char *addrs[] = {"10.99.0.2/24", NULL};
	const struct perch_config cfg = {.addrs = addrs, .mbufs = 2048, .max_conns = 16};
	struct perch_why why;
	struct perch *engine;

	if (perch_open(&engine, &cfg, &why) < 0) {
		fprintf(stderr, "joiner: %s\n", why.text);
		return 1;
	}
	perch_start(engine, 0, serve, NULL, 0);
	perch_run(engine);
	perch_close(engine);
	return 0;
}
