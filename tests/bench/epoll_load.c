/* SPDX-License-Identifier: BSD-3-Clause
 * The client of the kernel's wire: a closed loop over N connections with epoll, which times every
 * request. The counterpart of perch-load where the peer must be Linux.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "apps/hist.h"

enum { EVENTS = 256 };

struct conn {
	int fd;
	size_t got;
	int64_t sent_ns;
};

static char out[65536], in[65536];
static struct hist hist;

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void ask(struct conn *c, size_t size)
{
	c->got = 0;
	c->sent_ns = now_ns();
	if (send(c->fd, out, size, MSG_NOSIGNAL) != (ssize_t)size)
		die("send");
}

static void open_one(struct conn *c, int set, const struct sockaddr_in *to)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	epoll_ctl(set, EPOLL_CTL_ADD, c->fd, &e);
}

static void answer(struct conn *c, size_t size, bool measuring)
{
	ssize_t n = recv(c->fd, in, sizeof(in), 0);

	if (n <= 0)
		die("recv");
	c->got += (size_t)n;
	if (c->got < size)
		return;
	if (measuring)
		hist_record(&hist, now_ns() - c->sent_ns);
	ask(c, size);
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	int64_t start_ns, warm_ns, end_ns;
	int set = epoll_create1(0), i, n, conns;
	struct epoll_event e[EVENTS];
	struct conn *c;
	size_t size;

	if (argc != 6 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: epoll_load HOST PORT CONNS SIZE SECONDS\n");
		return 2;
	}
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	conns = atoi(argv[3]);
	size = (size_t)atoi(argv[4]);
	c = calloc((size_t)conns, sizeof(*c));
	if (!c || conns < 1 || size < 1 || size > sizeof(out))
		return 2;
	for (i = 0; i < conns; i++)
		open_one(&c[i], set, &to);
	for (i = 0; i < conns; i++)
		ask(&c[i], size);
	start_ns = now_ns();
	warm_ns = start_ns + 500000000;
	end_ns = warm_ns + (int64_t)(atof(argv[5]) * 1e9);
	while (now_ns() < end_ns) {
		n = epoll_wait(set, e, EVENTS, 0); /* a client that slept would be measured, too */
		for (i = 0; i < n; i++)
			answer(e[i].data.ptr, size, now_ns() >= warm_ns);
	}
	printf("{\"rate\": %.1f, \"latency_ns\": ",
		(double)hist.count * 1e9 / (double)(end_ns - warm_ns));
	hist_print_json(&hist, stdout);
	printf("}\n");
	return 0;
}
