/* SPDX-License-Identifier: BSD-3-Clause
 * Lists and addresses as text.
 */
#include "apps/trade/text.h"

#include <errno.h>
#include <stdlib.h>
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

int text_addr(const char *text, struct perch_addr *out)
{
	const char *colon = strrchr(text, ':');
	char ip[PERCH_ADDR_TEXT], *end;
	unsigned long port;
	size_t len;

	if (!colon || colon == text)
		return -EINVAL;
	port = strtoul(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end || port == 0 || port > UINT16_MAX)
		return -EINVAL;
	len = (size_t)(colon - text);
	if (*text == '[' && colon[-1] == ']') {
		text++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		return -EINVAL; /* an IPv6 address wants its brackets */
	}
	if (len == 0 || len >= sizeof(ip))
		return -EINVAL;
	memcpy(ip, text, len);
	ip[len] = '\0';
	return perch_addr_parse(ip, (uint16_t)port, out);
}
