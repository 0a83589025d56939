/* SPDX-License-Identifier: BSD-3-Clause
 * The shell around CUnit that every test program shares: a list of named cases, run all or those
 * whose name contains argv[1]; exit status 0 all passed, 1 some failed, 77 all skipped.
 */
#ifndef PERCH_TESTS_SUITE_H
#define PERCH_TESTS_SUITE_H

#include <CUnit/CUnit.h>

struct suite_case {
	const char *name;
	void (*run)(void);
};

/* cases ends with {NULL, NULL}. Prints a line per failure and a closing line
 * "SUITE: N passed, M failed, K skipped". */
int suite_main(const char *suite, const struct suite_case *cases, int argc, char **argv);

/* The case that is running: for one function that runs a table of cases. */
const struct suite_case *suite_now(void);

/* To be called by a case that cannot run here; the case must return after it. */
void suite_skip(const char *reason);

#endif
