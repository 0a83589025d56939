/* SPDX-License-Identifier: BSD-3-Clause
 * The command line that all apps share, DPDK style: EAL's arguments, "--", the app's own. What it
 * says is written to a struct perch_config; a mistake is one line on stderr and exit status 2.
 */
#ifndef PERCH_APPS_ARGS_H
#define PERCH_APPS_ARGS_H

#include <perch.h>

enum args_status { EXIT_FINE = 0, EXIT_RUNTIME = 1, EXIT_USAGE = 2 };

enum { ARGS_MAX_IPS = 16 };

struct args {
	const char *app;   /* name for messages */
	const char *usage; /* one line, without the name */
	struct perch_config cfg;
	const char *ips[ARGS_MAX_IPS + 1];
	unsigned n_ips;
	char **rest; /* what is left after the options: NULL-terminated */
};

/* An option of one app. A number lies in min .. max; a flag takes no value; a text is kept as it
 * stands in argv. */
struct args_option {
	const char *name; /* "--count" */
	enum { ARGS_NUMBER, ARGS_FLAG, ARGS_TEXT } kind;
	void *value; /* uint64_t *, or const char ** for a text */
	uint64_t min, max;
};

/* Fill in a; own ends with a NULL name. On a mistake, or when help was asked for, it says so and
 * exits the process. */
void args_parse(struct args *a, int argc, char **argv, const struct args_option *own);

/* One line "APP: ..." on stderr. */
void args_complain(const struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Open the engine or say why not; returns the exit status. */
int args_open(const struct args *a, struct perch **engine);

/* Print the counters that are not zero, drops last. */
void args_summary(const struct args *a, const struct perch *engine);

#endif
