/* SPDX-License-Identifier: BSD-3-Clause
 * The terms of a run: the configuration and the command line, as text that a recording keeps, so
 * that a replay can be held to them, and started from them.
 */
#ifndef PERCH_ENGINE_TERMS_H
#define PERCH_ENGINE_TERMS_H

#include <stddef.h>

#include "engine/perch.h"

struct perch_recording;

/* Append to text, KEY=VALUE lines: "config.mtu=1500" for everything in cfg that changes what is
 * sent. Not how EAL and the port were found, nor what is recorded. Returns the new length; text is
 * always terminated, what has no room is left out. */
size_t perch_terms_config(const struct perch_config *cfg, char *text, size_t n, size_t size);

/* The same with the command line of this process: "arg.0=perch-echo", where \\ and \n stand for a
 * backslash and a line break; or "args=too long", if not all of it fits. Control: reads a file. */
size_t perch_terms_arguments(char *text, size_t n, size_t size);

/* How many terms are others in cfg than in the recording; the first of them is told in one half
 * sentence. One that the recording does not know is no difference. */
unsigned perch_terms_differ(const struct perch_recording *r, const struct perch_config *cfg,
	char *first, size_t size);

#endif
