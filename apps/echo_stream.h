/* SPDX-License-Identifier: BSD-3-Clause
 * One-way services of perch-echo: discard (RFC 863) and the character generator (RFC 864) over TCP.
 */
#ifndef PERCH_APPS_ECHO_STREAM_H
#define PERCH_APPS_ECHO_STREAM_H

#include <perch.h>

struct stream_services { /* port 0: not served */
	uint64_t discard_port, chargen_port;
	uint64_t check; /* what is discarded is compared with RFC 864's stream first */
};

/* Listen. Control, before the engine runs. Returns what perch_listen does. */
int stream_listen(struct perch *engine, const struct stream_services *s);

/* Print what was discarded and generated. False: some of it was not what it should be. */
_Bool stream_report(const struct stream_services *s);

#endif
