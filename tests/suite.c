/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/suite.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *skipped_because;
static const struct suite_case *running;

const struct suite_case *suite_now(void)
{
	return running;
}

void suite_skip(const char *reason)
{
	skipped_because = reason;
}

/* CU_basic_run_tests() returns 0 even when assertions failed, so each case is run by itself and its
 * failures are counted. */
static unsigned run_case(CU_pSuite suite, const struct suite_case *c)
{
	CU_pTest test = CU_add_test(suite, c->name, c->run);
	CU_pFailureRecord rec;
	unsigned failures;

	if (!test)
		return 1;
	skipped_because = NULL;
	running = c;
	CU_run_test(suite, test);
	failures = CU_get_number_of_failures();
	for (rec = CU_get_failure_list(); rec; rec = rec->pNext)
		printf("  FAIL %s: %s:%u: %s\n", c->name, rec->strFileName ? rec->strFileName : "?",
			rec->uiLineNumber, rec->strCondition ? rec->strCondition : "?");
	return failures;
}

int suite_main(const char *name, const struct suite_case *cases, int argc, char **argv)
{
	unsigned passed = 0, failed = 0, skipped = 0;
	const char *only = argc > 1 ? argv[1] : "";
	CU_pSuite suite;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	suite = CU_add_suite(name, NULL, NULL);
	if (!suite)
		return 1;
	for (; cases->name; cases++) {
		if (!strstr(cases->name, only))
			continue;
		if (run_case(suite, cases) > 0) {
			failed++;
		} else if (skipped_because) {
			printf("  SKIP %s: %s\n", cases->name, skipped_because);
			skipped++;
		} else {
			passed++;
		}
		fflush(stdout);
	}
	CU_cleanup_registry();
	printf("%s: %u passed, %u failed, %u skipped\n", name, passed, failed, skipped);
	if (failed || passed + skipped == 0)
		return 1;
	return passed ? 0 : 77;
}
