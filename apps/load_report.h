/* SPDX-License-Identifier: BSD-3-Clause
 * What perch-load prints: a progress line while it runs, a report at the end.
 */
#ifndef PERCH_APPS_LOAD_REPORT_H
#define PERCH_APPS_LOAD_REPORT_H

#include "apps/args.h"
#include "apps/load.h"

/* A thread that prints a line a second to stderr. Nothing happens if it cannot be made. */
void load_progress_start(const struct load *l);
void load_progress_stop(void);

/* Returns the exit status: 1 when there were errors or wrong bytes, or nothing was measured. */
int load_report(const struct args *a, const struct load *l, const struct perch *engine);

#endif
