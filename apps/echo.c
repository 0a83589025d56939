/* SPDX-License-Identifier: BSD-3-Clause
 * perch-echo: TCP and UDP echo (RFC 862) over IPv4 and IPv6, and two services that let a peer see
 * every TCP state: one that closes first, and one that dials out.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/args.h"

static struct perch *engine; /* for the signal handler */

static void echo(struct perch_conn *c, void *arg)
{
	struct perch_bytes b; /* a view into the received packets */

	(void)arg;
	while ((b = perch_next(c, PERCH_FOREVER)).len > 0)
		if (perch_write(c, b.data, (size_t)b.len, PERCH_FOREVER) < 0)
			break;
}

/* Echo the first data, then close first: TIME_WAIT is on our side. */
static void oneshot(struct perch_conn *c, void *arg)
{
	struct perch_bytes b = perch_next(c, PERCH_FOREVER);

	(void)arg;
	if (b.len > 0)
		perch_write(c, b.data, (size_t)b.len, PERCH_FOREVER);
	perch_shutdown(c);
	while (perch_next(c, PERCH_FOREVER).len > 0)
		; /* what the peer still sends is not ours to reset */
}

/* One line, without its end, into text. Returns false if the peer sent none. */
static bool read_line(struct perch_conn *c, char *text, size_t size)
{
	size_t len = 0;

	while (len < size - 1 && perch_read(c, text + len, 1, PERCH_FOREVER) == 1) {
		if (text[len] == '\n') {
			if (len > 0 && text[len - 1] == '\r')
				len--;
			text[len] = '\0';
			return true;
		}
		len++;
	}
	return false;
}

static bool parse_target(char *line, struct perch_addr *to)
{
	char *space = strchr(line, ' '), *end;
	unsigned long port;

	if (!space)
		return false;
	*space = '\0';
	port = strtoul(space + 1, &end, 10);
	return *end == '\0' && port > 0 && port <= UINT16_MAX &&
		perch_addr_parse(line, (uint16_t)port, to) == 0;
}

/* Read "ADDR PORT", connect there, echo on that connection; the asker is told how it went. */
static void connector(struct perch_conn *asker, void *arg)
{
	const int64_t patience_ns = INT64_C(10000000000);
	struct perch_conn *c;
	struct perch_addr to;
	char line[96];
	int rc, len;

	if (!read_line(asker, line, sizeof(line)))
		return;
	rc = parse_target(line, &to) ? perch_dial(&to, NULL, &c, perch_now() + patience_ns)
	                             : -EINVAL;
	len = snprintf(line, sizeof(line), rc == 0 ? "ok\n" : "error: %s\n", strerror(-rc));
	perch_write(asker, line, (size_t)len, PERCH_FOREVER);
	if (rc < 0)
		return;
	echo(c, arg);
	perch_hangup(c);
}

static void udp_echo(void *arg)
{
	uint16_t port = (uint16_t)(uintptr_t)arg;
	struct perch_datagram d;
	struct perch_udp *u;

	if (perch_bind(NULL, port, &u) < 0)
		return;
	while (perch_recv(u, &d, PERCH_FOREVER) == 0)
		perch_reply(u, &d, d.data, d.len);
	perch_unbind(u);
}

static void on_signal(int sig)
{
	(void)sig;
	perch_stop(engine);
}

static int serve(const struct args *a, uint64_t port, uint64_t oneshot_port, uint64_t connect_port)
{
	int rc = perch_listen(engine, NULL, (uint16_t)port, echo, NULL);

	if (rc == 0)
		rc = perch_start(engine, PERCH_EVERY_LCORE, udp_echo, (void *)(uintptr_t)port, 0);
	if (rc == 0 && oneshot_port)
		rc = perch_listen(engine, NULL, (uint16_t)oneshot_port, oneshot, NULL);
	if (rc == 0 && connect_port)
		rc = perch_listen(engine, NULL, (uint16_t)connect_port, connector, NULL);
	if (rc < 0) {
		args_complain(a, "cannot listen: %s", strerror(-rc));
		return EXIT_RUNTIME;
	}
	printf("perch-echo: serving %s port %u on %u lcore%s\n", a->ips[0], (unsigned)port,
		perch_lcores(engine), perch_lcores(engine) == 1 ? "" : "s");
	fflush(stdout);
	rc = perch_run(engine);
	if (rc < 0) {
		args_complain(a, "cannot start the lcores: %s", strerror(-rc));
		return EXIT_RUNTIME;
	}
	return EXIT_FINE;
}

int main(int argc, char **argv)
{
	uint64_t port = 7, oneshot_port = 0, connect_port = 0;
	const struct args_option own[] = {
		{"--port", ARGS_NUMBER, &port, 1, UINT16_MAX},
		{"--oneshot-port", ARGS_NUMBER, &oneshot_port, 1, UINT16_MAX},
		{"--connect-port", ARGS_NUMBER, &connect_port, 1, UINT16_MAX},
		{NULL, ARGS_FLAG, NULL, 0, 0},
	};
	struct args a = {
		.app = "perch-echo",
		.usage = "[--ip6 ADDR/LEN] [--gw ADDR] [--port N] [--oneshot-port N] "
			 "[--connect-port N] [--max-conns N] [--profile latency|wan] "
			 "[--idle busy|backoff] [--mtu N] [--vlan ID] [--mbufs N] [--seed N]",
	};
	struct sigaction sa = {.sa_handler = on_signal};
	int status;

	args_parse(&a, argc, argv, own);
	if (a.rest[0]) {
		args_complain(&a, "'%s' is one argument too many", a.rest[0]);
		return EXIT_USAGE;
	}
	if (port == oneshot_port || port == connect_port ||
		(oneshot_port && oneshot_port == connect_port)) {
		args_complain(&a, "each service needs a port of its own");
		return EXIT_USAGE;
	}
	status = args_open(&a, &engine);
	if (status != EXIT_FINE)
		return status;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	status = serve(&a, port, oneshot_port, connect_port);
	args_summary(&a, engine);
	perch_close(engine);
	return status;
}
