/* SPDX-License-Identifier: BSD-3-Clause
 * Memberships of multicast groups, for the files of engine/.
 */
#ifndef PERCH_ENGINE_MEMBERSHIP_H
#define PERCH_ENGINE_MEMBERSHIP_H

#include "engine/perch.h"

/* Leave every group of u, which is the caller's lcore's. */
void perch_group_leave_all(struct perch_udp *u);

#endif
