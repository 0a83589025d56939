/* SPDX-License-Identifier: BSD-3-Clause
 * What perch-feed and perch-publish share: places as text, books as files.
 */
#ifndef PERCH_APPS_FEED_PLACE_H
#define PERCH_APPS_FEED_PLACE_H

#include <perch.h>

#include "apps/feed/book.h"

/* From "10.0.0.1:7" or "[fd00::1]:7". Returns 0 or -EINVAL. */
int place_parse(const char *text, struct perch_addr *out);

/* Is that a group's address (RFC 5771, RFC 4291 section 2.7)? */
bool place_is_group(const struct perch_addr *a);

/* Write all that the books hold to a file. Returns 0 or a negative errno. */
int place_dump(const struct books *b, const char *path);

#endif
