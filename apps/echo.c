/* SPDX-License-Identifier: BSD-3-Clause
 * perch-echo: TCP and UDP echo (RFC 862) over IPv4 and IPv6, two services that let a peer see every
 * TCP state (one that closes first, one that dials out), and two one-way ones: echo_stream.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/args.h"
#include "apps/echo_stream.h"

static struct perch *engine; /* for the signal handler */

static struct {               /* of the UDP service */
	uint64_t port;
	const char *group, *source; /* --join, --source: NULL without */
	struct perch_addr group_addr, source_addr;
} udp = {.port = 7};

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
	struct perch_datagram d;
	struct perch_udp *u;
	int rc;

	(void)arg;
	if (perch_bind(NULL, (uint16_t)udp.port, &u) < 0)
		return;
	if (udp.group) {
		rc = perch_join(u, &udp.group_addr, udp.source ? &udp.source_addr : NULL);
		if (rc < 0)
			fprintf(stderr, "perch-echo: cannot join %s: %s\n", udp.group,
				strerror(-rc));
	}
	while (perch_recv(u, &d, PERCH_FOREVER) == 0)
		perch_reply(u, &d, d.data, d.len);
	perch_unbind(u);
}

static void on_signal(int sig)
{
	(void)sig;
	perch_stop(engine);
}

static int serve(const struct args *a, uint64_t oneshot_port, uint64_t connect_port,
	const struct stream_services *streams)
{
	int rc = perch_listen(engine, NULL, (uint16_t)udp.port, echo, NULL);

	if (rc == 0)
		rc = perch_start(engine, PERCH_EVERY_LCORE, udp_echo, NULL, 0);
	if (rc == 0 && oneshot_port)
		rc = perch_listen(engine, NULL, (uint16_t)oneshot_port, oneshot, NULL);
	if (rc == 0 && connect_port)
		rc = perch_listen(engine, NULL, (uint16_t)connect_port, connector, NULL);
	if (rc == 0)
		rc = stream_listen(engine, streams);
	if (rc < 0) {
		args_complain(a, "cannot listen: %s", strerror(-rc));
		return EXIT_RUNTIME;
	}
	printf("perch-echo: serving %s port %u on %u lcore%s\n", a->ips[0], (unsigned)udp.port,
		perch_lcores(engine), perch_lcores(engine) == 1 ? "" : "s");
	fflush(stdout);
	rc = perch_run(engine);
	if (rc < 0) {
		args_complain(a, "the run failed: %s", strerror(-rc));
		return EXIT_RUNTIME;
	}
	return EXIT_FINE;
}

static bool groups_parsed(void)
{
	if (udp.source && !udp.group)
		return false;
	if (udp.group && perch_addr_parse(udp.group, 0, &udp.group_addr) < 0)
		return false;
	return !udp.source || perch_addr_parse(udp.source, 0, &udp.source_addr) == 0;
}

/* Two services that want the same port? perch_listen would say so, but of the lcores, and later. */
static bool ports_clash(const uint64_t *ports, unsigned n)
{
	unsigned i, k;

	for (i = 0; i < n; i++)
		for (k = 0; k < i; k++)
			if (ports[i] && ports[i] == ports[k])
				return true;
	return false;
}

int main(int argc, char **argv)
{
	uint64_t oneshot_port = 0, connect_port = 0;
	struct stream_services streams = {.check = 0};
	const struct args_option own[] = {
		{"--port", ARGS_NUMBER, &udp.port, 1, UINT16_MAX},
		{"--join", ARGS_TEXT, &udp.group, 0, 0},
		{"--source", ARGS_TEXT, &udp.source, 0, 0},
		{"--oneshot-port", ARGS_NUMBER, &oneshot_port, 1, UINT16_MAX},
		{"--connect-port", ARGS_NUMBER, &connect_port, 1, UINT16_MAX},
		{"--discard-port", ARGS_NUMBER, &streams.discard_port, 1, UINT16_MAX},
		{"--chargen-port", ARGS_NUMBER, &streams.chargen_port, 1, UINT16_MAX},
		{"--check", ARGS_FLAG, &streams.check, 0, 0},
		{NULL, ARGS_FLAG, NULL, 0, 0},
	};
	struct args a = {
		.app = "perch-echo",
		.usage = "[--ip6 ADDR/LEN] [--gw ADDR] [--port N] [--oneshot-port N] "
			 "[--connect-port N] [--discard-port N [--check]] [--chargen-port N] "
			 "[--join GROUP [--source ADDR]] [--max-conns N] "
			 "[--profile latency|wan] [--cc cubic|newreno] [--offloads off|soft] "
			 "[--idle busy|backoff] [--mtu N] [--vlan ID] [--mbufs N] [--seed N]",
	};
	struct sigaction sa = {.sa_handler = on_signal};
	int status;

	args_parse(&a, argc, argv, own);
	if (a.rest[0]) {
		args_complain(&a, "'%s' is one argument too many", a.rest[0]);
		return EXIT_USAGE;
	}
	if (!groups_parsed()) {
		args_complain(&a, "--join wants the address of a group (for an SSM group with "
			"--source), --source that of a host");
		return EXIT_USAGE;
	}
	if (ports_clash((const uint64_t[]){udp.port, oneshot_port, connect_port,
		    streams.discard_port, streams.chargen_port}, 5)) {
		args_complain(&a, "each service needs a port of its own");
		return EXIT_USAGE;
	}
	status = args_open(&a, &engine);
	if (status != EXIT_FINE)
		return status;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	status = serve(&a, oneshot_port, connect_port, &streams);
	args_summary(&a, engine);
	if (!stream_report(&streams) && status == EXIT_FINE)
		status = EXIT_RUNTIME;
	perch_close(engine);
	return status;
}
