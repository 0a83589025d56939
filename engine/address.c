/* SPDX-License-Identifier: BSD-3-Clause
 * Addresses as text: "10.0.0.1", "fd00::1", and the configuration's "10.0.0.1-10.0.0.9/24".
 */
#include "engine/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int perch_addr_parse(const char *ip, uint16_t port, struct perch_addr *out)
{
	struct perch_addr a = {.port = port};
	struct in_addr v4;

	if (!ip)
		return -EINVAL;
	if (inet_pton(AF_INET, ip, &v4) == 1) {
		a.ip[10] = a.ip[11] = 0xff;
		memcpy(a.ip + 12, &v4, sizeof(v4));
	} else if (inet_pton(AF_INET6, ip, a.ip) != 1) {
		return -EINVAL;
	}
	*out = a;
	return 0;
}

char *perch_addr_text(const struct perch_addr *a, char buf[PERCH_ADDR_TEXT])
{
	struct perch_ip ip = perch_ip_of(a);
	char text[INET6_ADDRSTRLEN];

	if (perch_ip_is_v4(&ip)) {
		inet_ntop(AF_INET, a->ip + 12, text, sizeof(text));
		snprintf(buf, PERCH_ADDR_TEXT, "%s:%u", text, a->port);
	} else {
		inet_ntop(AF_INET6, a->ip, text, sizeof(text));
		snprintf(buf, PERCH_ADDR_TEXT, "[%s]:%u", text, a->port);
	}
	return buf;
}

static bool parse_ip(const char *text, size_t len, struct perch_ip *out)
{
	char copy[INET6_ADDRSTRLEN];
	struct perch_addr a;

	if (len == 0 || len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (perch_addr_parse(copy, 0, &a) < 0)
		return false;
	*out = perch_ip_of(&a);
	return true;
}

/* How many addresses lie from first to last, both included; 0 when that is no sensible range. */
static uint32_t range_count(const struct perch_ip *first, const struct perch_ip *last)
{
	uint32_t from = ntohl(first->w[3]), to = ntohl(last->w[3]);

	if (memcmp(first->b, last->b, 12) != 0 || to < from || to - from >= 1u << 24)
		return 0;
	return to - from + 1;
}

int perch_net_addr_parse(const char *text, struct perch_net_addr *out)
{
	const char *slash = strchr(text, '/'), *dash = strchr(text, '-'), *end_of_first;
	struct perch_net_addr a = {.count = 1};
	struct perch_ip last;
	unsigned long bits;
	char *end;

	if (!slash || slash[1] < '0' || slash[1] > '9')
		return -EINVAL;
	bits = strtoul(slash + 1, &end, 10);
	end_of_first = dash ? dash : slash;
	if (*end != '\0' || !parse_ip(text, (size_t)(end_of_first - text), &a.ip))
		return -EINVAL;
	if (bits > (perch_ip_is_v4(&a.ip) ? 32 : 128))
		return -EINVAL;
	if (perch_ip_is_any(&a.ip) || perch_ip_is_multicast(&a.ip))
		return -EINVAL;
	if (dash) {
		if (!parse_ip(dash + 1, (size_t)(slash - dash - 1), &last))
			return -EINVAL;
		a.count = range_count(&a.ip, &last);
		if (a.count == 0)
			return -EINVAL;
	}
	a.prefix_len = (uint8_t)bits;
	*out = a;
	return 0;
}
