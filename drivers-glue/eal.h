/* SPDX-License-Identifier: BSD-3-Clause
 * Starts DPDK's EAL once per process without taking the process over: the caller's CPU affinity,
 * signal handlers, stdio and getopt state are as before when it returns.
 *
 * Thread context: control threads only.
 */
#ifndef PERCH_DRIVERS_GLUE_EAL_H
#define PERCH_DRIVERS_GLUE_EAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct perch_eal_config { /* zero means default */
	/* Raw EAL arguments (without argv[0]), as on a DPDK command line; used instead of what
	 * follows when argc > 0. The strings are not kept. */
	int argc;
	char *const *argv;

	bool no_huge;          /* ordinary pages: needs no root, slower, no physical NICs */
	uint32_t memory_mb;    /* 0: 512 with no_huge, else as needed from the hugepages there are */
	const char *const *vdevs; /* e.g. "net_tap0,iface=perch0"; NULL-terminated */
	bool pci;              /* probe PCI devices */
	const char *log_level; /* not NULL: EAL's log goes to stderr, else nowhere */
};

/* The first call starts EAL; it then stays until the process ends, for it can be started only once.
 * A later call shares it, and adds its own vdevs by hotplug. Returns 0, or a negative errno with one
 * sentence that says what to do in why[]: -EINVAL the arguments, -ENODEV a vdev, -ENOMEM, -EPERM. */
int perch_eal_start(const struct perch_eal_config *cfg, char *why, size_t why_bytes);

/* Give the calling thread an lcore id (mempool caches need one), if it has none yet.
 * Returns 0 or -ENOSPC (RTE_MAX_LCORE threads). */
int perch_eal_enter_thread(void);
void perch_eal_leave_thread(void);

/* CPUs that EAL was told to use (-l, --lcores), in order: writes at most max CPU numbers (-1: not
 * pinned) and returns how many there are. */
unsigned perch_eal_lcores(int *cpus, unsigned max);

/* What EAL logged, for error messages: the last line at level error or worse, or "". */
const char *perch_eal_last_error(void);

#endif
