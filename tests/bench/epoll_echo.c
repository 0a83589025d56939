/* SPDX-License-Identifier: BSD-3-Clause
 * The kernel's best ordinary echo server, to stand beside perch-echo: one thread, one epoll set,
 * level-triggered, TCP_NODELAY, a busy loop over epoll_wait with --busy, else one that sleeps.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256 };

static char buf[65536];

static int listen_on(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, 4096) < 0) {
		perror("epoll_echo");
		exit(1);
	}
	return s;
}

static void watch(int set, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	epoll_ctl(set, EPOLL_CTL_ADD, fd, &e);
}

static void greet(int set, int listener)
{
	int one = 1, fd = accept4(listener, NULL, NULL, 0);

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	watch(set, fd);
}

static void echo(int fd)
{
	ssize_t n = recv(fd, buf, sizeof(buf), 0), done = 0, sent;

	if (n <= 0) {
		close(fd);
		return;
	}
	while (done < n && (sent = send(fd, buf + done, (size_t)(n - done), MSG_NOSIGNAL)) > 0)
		done += sent;
}

int main(int argc, char **argv)
{
	bool busy = argc > 2 && strcmp(argv[2], "--busy") == 0;
	int set = epoll_create1(0), listener, i, n;
	struct epoll_event e[EVENTS];

	if (argc < 2) {
		fprintf(stderr, "usage: epoll_echo PORT [--busy]\n");
		return 2;
	}
	listener = listen_on((uint16_t)atoi(argv[1]));
	watch(set, listener);
	printf("serving\n");
	fflush(stdout);
	for (;;) {
		n = epoll_wait(set, e, EVENTS, busy ? 0 : -1);
		for (i = 0; i < n; i++)
			if (e[i].data.fd == listener)
				greet(set, listener);
			else
				echo(e[i].data.fd);
	}
}
