/* SPDX-License-Identifier: BSD-3-Clause
 * Places as text, books as files.
 */
#include "apps/feed/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int place_parse(const char *text, struct perch_addr *out)
{
	const char *colon = strrchr(text, ':');
	char host[64], *end;
	unsigned long port;
	size_t n;

	if (!colon || colon[1] < '0' || colon[1] > '9')
		return -EINVAL;
	port = strtoul(colon + 1, &end, 10);
	n = (size_t)(colon - text);
	if (text[0] == '[' && n > 1 && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	if (*end != '\0' || port == 0 || port > UINT16_MAX || n >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	return perch_addr_parse(host, (uint16_t)port, out);
}

bool place_is_group(const struct perch_addr *a)
{
	static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

	if (memcmp(a->ip, v4_prefix, sizeof(v4_prefix)) == 0)
		return a->ip[12] >> 4 == 0xe;
	return a->ip[0] == 0xff;
}

int place_dump(const struct books *b, const char *path)
{
	size_t n = books_dump(b, NULL, 0);
	void *bytes = malloc(n ? n : 1);
	FILE *f = bytes ? fopen(path, "wb") : NULL;
	int rc = f ? 0 : -EIO;

	if (f) {
		books_dump(b, bytes, n);
		if (fwrite(bytes, 1, n, f) != n)
			rc = -EIO;
		if (fclose(f) != 0)
			rc = -EIO;
	}
	free(bytes);
	return rc;
}
