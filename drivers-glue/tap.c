/* SPDX-License-Identifier: BSD-3-Clause
 * net_tap that is polled: without the signal by which its driver hears of packets.
 *
 * DPDK's driver reads a tap only after a real-time signal that the kernel sends when a packet has
 * come (F_SETSIG, O_ASYNC). Each packet then costs an interruption, and mostly the waking of a
 * thread that has nothing to do with it, on the CPU that polls. So the signal is switched off, and
 * its handler, which only counts, is called before each burst instead. That is nothing new to the
 * driver: where it can have no signal it reads whenever it is asked.
 */
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include "drivers-glue/port_inside.h"

static bool is_tap(int fd, const char *interface)
{
	struct ifreq ifr = {.ifr_flags = 0};
	char link[32], target[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	return strcmp(target, "/dev/net/tun") == 0 && ioctl(fd, TUNGETIFF, &ifr) == 0 &&
		strncmp(ifr.ifr_name, interface, IFNAMSIZ) == 0;
}

/* The signal's handler, once the signal is off; NULL if there is none. */
static perch_tap_ring_fn silence(int fd, int *number)
{
	struct sigaction action;
	int flags = fcntl(fd, F_GETFL), sig = fcntl(fd, F_GETSIG);

	if (flags < 0 || sig < 0 || !(flags & O_ASYNC))
		return NULL;
	*number = sig ? sig : SIGIO;
	if (sigaction(*number, NULL, &action) < 0 || action.sa_flags & SA_SIGINFO ||
	    action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN)
		return NULL;
	return fcntl(fd, F_SETFL, flags & ~O_ASYNC) == 0 ? action.sa_handler : NULL;
}

void perch_tap_poll(struct perch_port *p, unsigned if_index)
{
	char interface[IF_NAMESIZE];
	DIR *fds = opendir("/proc/self/fd");
	const struct dirent *d;
	perch_tap_ring_fn ring;
	int fd;

	while (fds && if_indextoname(if_index, interface) && (d = readdir(fds))) {
		fd = atoi(d->d_name);
		ring = is_tap(fd, interface) ? silence(fd, &p->tap_signal) : NULL;
		if (ring)
			p->ring_tap = ring;
	}
	if (fds)
		closedir(fds);
}
