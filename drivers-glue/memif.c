/* SPDX-License-Identifier: BSD-3-Clause
 * net_memif, whose other end may go at any time.
 *
 * When it does, DPDK 22.11 unmaps the rings and buffers from EAL's interrupt thread, whoever may be
 * reading or writing them just then. So that thread is kept waiting here, in a callback of ours,
 * until there is something for it to do; before it is let go the guarded ports are shut, and
 * nobody is in a burst on them any more. It comes back as soon as it has done its work, for our
 * event is rung by then, and the ports are opened. A burst on a port that is shut finds nothing
 * and takes nothing, as one on a link that is down.
 *
 *	a port is open, so the interrupt thread is in wait_for_work()
 *
 * is what all of this keeps true. What there is to do is asked of EAL's own epoll instance, so
 * alarms and other devices' interrupts wait no longer than it takes to shut the ports.
 */
#define ALLOW_EXPERIMENTAL_API /* rte_intr_instance_alloc and its setters */

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/membarrier.h>
#include <rte_alarm.h>
#include <rte_cycles.h>
#include <rte_interrupts.h>

#include "drivers-glue/port_inside.h"

enum {
	STEP_US = 20,
	TRIES_MAX = 10000, /* events that are pending all the time are EAL's to complain of */
};

static pthread_mutex_t change = PTHREAD_MUTEX_INITIALIZER; /* of what follows, as a whole */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;   /* of the list */
static struct perch_port *guarded; /* the first one; linked by next_guarded */
static struct rte_intr_handle *bell;
static atomic_bool over;
static unsigned tries; /* the interrupt thread's */

/* ---- shutting ports ------------------------------------------------------------------------- */

/* What lcores have stored before can be seen here, and what was stored here by them. */
static void barrier_everywhere(void)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) < 0)
		rte_delay_us_sleep(1000); /* no store waits so long in a CPU */
}

static void open_all(void)
{
	struct perch_port *p;

	pthread_mutex_lock(&lock);
	for (p = guarded; p; p = p->next_guarded)
		atomic_store(&p->shut, false);
	pthread_mutex_unlock(&lock);
}

static void shut_all(void)
{
	struct perch_port *p;

	pthread_mutex_lock(&lock);
	for (p = guarded; p; p = p->next_guarded)
		atomic_store(&p->shut, true);
	barrier_everywhere();
	for (p = guarded; p; p = p->next_guarded)
		while (atomic_load(&p->in_burst))
			rte_delay_us_sleep(STEP_US); /* it may need this CPU to finish */
	pthread_mutex_unlock(&lock);
}

/* ---- EAL's interrupt thread ----------------------------------------------------------------- */

static int bell_fd(void)
{
	return rte_intr_fd_get(bell);
}

static void ring_bell(void)
{
	eventfd_write(bell_fd(), 1);
}

/* Does that descriptor of ours poll the bell? */
static bool polls_bell(const char *fd)
{
	char path[64], line[256];
	bool found = false;
	int polled;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%.16s", fd);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "tfd: %d", &polled) == 1 && polled == bell_fd();
	if (f)
		fclose(f);
	return found;
}

/* EAL's epoll instance, of which there is a new one after each change of what is polled; or -1. */
static int find_epoll(void)
{
	DIR *fds = opendir("/proc/self/fd");
	const struct dirent *d;
	int found = -1;

	while (fds && found < 0 && (d = readdir(fds)))
		if (d->d_name[0] != '.' && polls_bell(d->d_name))
			found = atoi(d->d_name);
	if (fds)
		closedir(fds);
	return found;
}

static bool has_work(int epoll, int timeout_ms)
{
	struct pollfd p = {.fd = epoll, .events = POLLIN};

	return poll(&p, 1, timeout_ms) != 0;
}

static void wait_for_work(void *unused)
{
	eventfd_t rung;
	int epoll;

	(void)unused;
	eventfd_read(bell_fd(), &rung);
	epoll = find_epoll();
	if (atomic_load(&over) || epoll < 0 || tries == TRIES_MAX) {
		open_all(); /* and unguarded */
		return;
	}
	if (has_work(epoll, 0)) {
		tries++; /* it comes after us in the list that EAL has in hand */
	} else {
		tries = 0;
		open_all();
		has_work(epoll, -1);
		shut_all();
	}
	ring_bell();
}

/* ---- guarding ports ------------------------------------------------------------------------- */

static int hang_bell(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	bell = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
	if (fd < 0 || !bell || rte_intr_fd_set(bell, fd) < 0 ||
	    rte_intr_type_set(bell, RTE_INTR_HANDLE_EXT) < 0 ||
	    rte_intr_callback_register(bell, wait_for_work, NULL) < 0) {
		rte_intr_instance_free(bell);
		bell = NULL;
		if (fd >= 0)
			close(fd);
		return -ENODEV;
	}
	syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
	atomic_store(&over, false);
	tries = 0;
	ring_bell();
	return 0;
}

static void take_bell_down(void)
{
	int fd = bell_fd();

	atomic_store(&over, true);
	do {
		ring_bell();
		rte_delay_us_sleep(STEP_US);
	} while (rte_intr_callback_unregister(bell, wait_for_work, NULL) == -EAGAIN);
	rte_intr_instance_free(bell);
	bell = NULL;
	close(fd);
}

void perch_memif_guard(struct perch_port *p)
{
	pthread_mutex_lock(&change);
	p->guarded = true;
	atomic_store(&p->shut, true);
	pthread_mutex_lock(&lock);
	p->next_guarded = guarded;
	guarded = p;
	pthread_mutex_unlock(&lock);
	if (bell)
		ring_bell(); /* so that the thread looks at the list again */
	else if (hang_bell() < 0)
		atomic_store(&p->shut, false);
	pthread_mutex_unlock(&change);
}

static void unguard(struct perch_port *p)
{
	struct perch_port **at;

	pthread_mutex_lock(&change);
	pthread_mutex_lock(&lock);
	for (at = &guarded; *at != p; at = &(*at)->next_guarded)
		;
	*at = p->next_guarded;
	p->guarded = false;
	pthread_mutex_unlock(&lock);
	if (bell && !guarded)
		take_bell_down();
	pthread_mutex_unlock(&change);
}

/* ---- the end -------------------------------------------------------------------------------- */

/* The other end may be a program that knows no such guard, and would crash if it was writing to the
 * rings as we go: let it get rid of what it has. */
static void let_peer_finish(struct perch_port *p)
{
	const unsigned step_us = 200, quiet_steps = 50, most_steps = 5000; /* 10 ms, 1 s */
	struct rte_mbuf *pkts[PORT_BURST];
	unsigned step, quiet = 0;
	uint16_t n;

	for (step = 0; step < most_steps && quiet < quiet_steps; step++) {
		for (quiet++; (n = perch_port_rx_queue(p, 0, pkts, PORT_BURST)) > 0; quiet = 0)
			rte_pktmbuf_free_bulk(pkts, n);
		rte_delay_us_sleep(step_us);
	}
}

struct ending {
	struct perch_port *port;
	sem_t done;
};

static void end_on_interrupt_thread(void *arg)
{
	struct ending *e = arg;

	perch_port_end_device(e->port);
	sem_post(&e->done);
}

/* Against a close, too, that thread knows no lock: so it is made there, where alarms run. */
void perch_memif_end(struct perch_port *p)
{
	struct ending e = {.port = p};

	if (p->started)
		let_peer_finish(p);
	if (p->guarded)
		unguard(p);
	sem_init(&e.done, 0, 0);
	if (rte_eal_alarm_set(1, end_on_interrupt_thread, &e) == 0)
		while (sem_wait(&e.done) < 0)
			; /* a signal */
	else
		perch_port_end_device(p);
	sem_destroy(&e.done);
}
