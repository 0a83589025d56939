/* SPDX-License-Identifier: BSD-3-Clause
 * Virtual devices that are made by a call rather than by an EAL argument.
 */
#ifndef PERCH_DRIVERS_GLUE_VDEV_H
#define PERCH_DRIVERS_GLUE_VDEV_H

/* Two net_ring ports, each the other's wire, `size` packets deep each way (a power of two). The
 * names must begin with "net_ring_". EAL has started; they last as long as it does. Returns 0,
 * -EINVAL, -EEXIST or -ENOMEM. */
int perch_vdev_ring_pair(const char *name_a, const char *name_b, unsigned size);

#endif
