/* SPDX-License-Identifier: BSD-3-Clause
 * From the public configuration to those of the layers below, with the defaults filled in.
 */
#ifndef PERCH_ENGINE_CONFIG_H
#define PERCH_ENGINE_CONFIG_H

#include "drivers-glue/eal.h"
#include "drivers-glue/port.h"
#include "engine/perch.h"
#include "engine/playback.h"
#include "sched/coro.h"
#include "tcp-lite/net.h"

enum { PERCH_MAX_LCORES = 64 };

/* Write one sentence to why (may be NULL) and return rc. */
int perch_why(struct perch_why *why, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Everything that can be found wrong without touching the system. Returns 0 or -EINVAL. */
int perch_config_check(const struct perch_config *cfg, struct perch_why *why);

/* With a playback EAL gets no devices, and ordinary memory. */
void perch_config_eal(
	const struct perch_config *cfg, bool playback, struct perch_eal_config *out);

/* How many lcores, and their CPUs (-1 not pinned) in cpus[PERCH_MAX_LCORES]; EAL has started.
 * Returns the number or -EINVAL. */
int perch_config_lcores(const struct perch_config *cfg, int *cpus, struct perch_why *why);

void perch_config_port(const struct perch_config *cfg, unsigned lcores, const int *cpus,
	struct perch_playback *playback, struct perch_port_config *out);

/* Returns 0 or -EINVAL. seed has been chosen. */
int perch_config_net(const struct perch_config *cfg, const struct perch_port_info *port,
	uint64_t seed, struct perch_net_config *out, struct perch_why *why);

void perch_config_sched(const struct perch_config *cfg, struct perch_sched_config *out);

#endif
