/* SPDX-License-Identifier: BSD-3-Clause
 * Two capture files, packet by packet: where they first differ, and how much.
 */
#ifndef PERCH_TOOLS_COMPARE_H
#define PERCH_TOOLS_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

enum { COMPARE_IGNORED = 32 };

struct compare_options { /* zero: equal means equal */
	bool any_time;
	int64_t time_ns;      /* times may differ by that much */
	const char *ignored[COMPARE_IGNORED]; /* fields, "tcp.seq", or groups, "tcp.ts" */
	unsigned n_ignored;
	uint64_t show;        /* differences to describe; the rest is counted */
};

/* Describe the differences on stdout, as those of `who`. Returns 0 when there are none, 1, or 2
 * when a file cannot be read (said on stderr). */
int compare_files(
	const char *who, const char *a, const char *b, const struct compare_options *options);

/* The SHA-256 of a file as hex, as sha256sum prints it, or NULL (said on stderr). */
const char *digest_file(const char *who, const char *path, char buf[65]);

#endif
