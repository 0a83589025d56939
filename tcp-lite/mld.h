/* SPDX-License-Identifier: BSD-3-Clause
 * MLD, the messages: versions 1 and 2 in (RFC 2710, 3810), 1 out. For the files of this folder.
 */
#ifndef PERCH_TCP_LITE_MLD_H
#define PERCH_TCP_LITE_MLD_H

#include "tcp-lite/net.h"

enum perch_mld_type {
	PERCH_MLD_QUERY = 130,
	PERCH_MLD_REPORT1 = 131,
	PERCH_MLD_DONE1 = 132,
	PERCH_MLD_REPORT2 = 143,
};

/* Consumes rx->m: a message of these types whose checksum is right. */
void perch_mld_input(struct perch_net *net, struct perch_rx *rx);

#endif
