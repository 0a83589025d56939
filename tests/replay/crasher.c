/* SPDX-License-Identifier: BSD-3-Clause
 * A service with a bug, for the tests of what a crash leaves: it counts orders, and a cancel when
 * there are none follows a pointer that leads nowhere. "sum" has it tell whom it has heard so far.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <perch.h>

static struct perch *engine;

struct book {
	unsigned orders;
	unsigned *last;
};

/* text is volatile so that a debugger finds it in any build. */
static void handle(struct book *b, const char *volatile text)
{
	if (text[0] == 'a') {
		b->orders++;
		b->last = &b->orders;
	} else if (text[0] == 'c') {
		if (b->orders == 0)
			b->last = NULL;
		else
			b->orders--;
		*(volatile unsigned *)b->last = b->orders;
	}
}

static void serve(void *arg)
{
	struct perch_datagram d;
	struct perch_udp *u;
	struct book *book = arg;
	char text[16], answer[32];
	unsigned heard = 0;
	int len;

	if (perch_bind(NULL, 7, &u) < 0)
		return;
	while (perch_recv(u, &d, PERCH_FOREVER) == 0) {
		heard = heard * 31 + d.from.port;
		snprintf(text, sizeof(text), "%.*s", (int)d.len, (const char *)d.data);
		if (text[0] == 's')
			fprintf(stderr, "crasher has heard %08x\n", heard);
		handle(book, text);
		len = snprintf(answer, sizeof(answer), "%u orders", book->orders);
		perch_reply(u, &d, answer, (size_t)len);
	}
}

static void on_signal(int sig)
{
	(void)sig;
	perch_stop(engine);
}

int main(int argc, char **argv)
{
	static struct book book;
	const char *vdevs[] = {argc > 1 ? argv[1] : "net_null0", NULL};
	const char *addrs[] = {"10.99.0.2/24", NULL};
	const struct perch_config cfg = {.no_huge = true, .memory_mb = 128, .vdevs = vdevs,
		.addrs = addrs, .mbufs = 2048, .max_conns = 16,
		.record = argc > 2 ? argv[2] : NULL, .record_mb = 1,
		.record_last = argc > 3};
	struct perch_why why;

	if (perch_open(&engine, &cfg, &why) < 0) {
		fprintf(stderr, "crasher: %s\n", why.text);
		return 1;
	}
	signal(SIGINT, on_signal);
	perch_start(engine, 0, serve, &book, 0);
	perch_run(engine);
	perch_close(engine);
	return 0;
}
