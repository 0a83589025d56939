/* SPDX-License-Identifier: BSD-3-Clause
 * Two engines in one process, each with a port and an address of its own, each in a thread of its
 * own: UDP echo on both. For replays of several ports.
 */
#include <pthread.h>
#include <stdio.h>

#include <perch.h>

static void serve(void *arg)
{
	struct perch_datagram d;
	struct perch_udp *u;

	(void)arg;
	if (perch_bind(NULL, 7, &u) < 0)
		return;
	while (perch_recv(u, &d, PERCH_FOREVER) == 0)
		perch_reply(u, &d, d.data, d.len);
}

static void *run(void *arg)
{
	perch_run(arg);
	return NULL;
}

int main(void)
{
	const char *addrs[2][2] = {{"10.99.0.2/24", NULL}, {"10.98.0.2/24", NULL}};
	struct perch *engines[2] = {NULL, NULL};
	struct perch_config cfg = {.mbufs = 2048, .max_conns = 16};
	pthread_t threads[2];
	struct perch_why why;
	uint16_t i;

	for (i = 0; i < 2; i++) {
		cfg.port_index = i;
		cfg.addrs = addrs[i];
		if (perch_open(&engines[i], &cfg, &why) < 0) {
			fprintf(stderr, "twin: %s\n", why.text);
			return 1;
		}
		perch_start(engines[i], 0, serve, NULL, 0);
	}
	for (i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, run, engines[i]) != 0)
			return 1;
	for (i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		perch_close(engines[i]);
	}
	return 0;
}
