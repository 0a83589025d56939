/* SPDX-License-Identifier: BSD-3-Clause
 * Lists as text.
 */
#include "apps/trade/text.h"

#include <string.h>

bool text_piece(const char **at, char *out, size_t size)
{
	size_t len = strcspn(*at, ",");

	if (len == 0 || len >= size)
		return false;
	memcpy(out, *at, len);
	out[len] = '\0';
	*at += len + ((*at)[len] == ',');
	return true;
}
