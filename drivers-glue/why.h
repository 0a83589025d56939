/* SPDX-License-Identifier: BSD-3-Clause
 * One sentence that says what went wrong, for whoever asked.
 */
#ifndef PERCH_DRIVERS_GLUE_WHY_H
#define PERCH_DRIVERS_GLUE_WHY_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* Write it to why[] (may be NULL) and return rc. */
__attribute__((format(printf, 4, 5))) static inline int perch_glue_why(
	char *why, size_t why_bytes, int rc, const char *fmt, ...)
{
	va_list args;

	if (why && why_bytes) {
		va_start(args, fmt);
		vsnprintf(why, why_bytes, fmt, args);
		va_end(args);
	}
	return rc;
}

#endif
