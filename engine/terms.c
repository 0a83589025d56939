/* SPDX-License-Identifier: BSD-3-Clause
 * Terms as text, and compared.
 */
#include "engine/terms.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>

#include "drivers-glue/recording.h"

enum { VALUE = 2048, LINES = 12288, COMMAND = 32768 };

static size_t add_line(char *text, size_t n, size_t size, const char *key, const char *value)
{
	int len = snprintf(text + n, size - n, "config.%s=%s\n", key, value ? value : "");

	if (len < 0 || (size_t)len >= size - n) {
		text[n] = '\0';
		return n;
	}
	return n + (size_t)len;
}

static size_t add_texts(const struct perch_config *cfg, char *text, size_t n, size_t size)
{
	char addrs[VALUE] = "";
	size_t used = 0;
	unsigned i;

	for (i = 0; cfg->addrs[i] && used < sizeof(addrs); i++)
		used += (size_t)snprintf(addrs + used, sizeof(addrs) - used, "%s%s", i ? " " : "",
			cfg->addrs[i]);
	n = add_line(text, n, size, "addrs", addrs);
	n = add_line(text, n, size, "gw4", cfg->gw4);
	n = add_line(text, n, size, "gw6", cfg->gw6);
	return add_line(text, n, size, "cc", cfg->cc);
}

size_t perch_terms_config(const struct perch_config *cfg, char *text, size_t n, size_t size)
{
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{"dad", cfg->dad},
		{"mtu", cfg->mtu},
		{"vlan", cfg->vlan},
		{"rx_burst", cfg->rx_burst},
		{"max_conns", cfg->max_conns},
		{"max_coroutines", cfg->max_coroutines},
		{"max_listeners", cfg->max_listeners},
		{"max_udp", cfg->max_udp},
		{"max_reassemblies", cfg->max_reassemblies},
		{"max_memberships", cfg->max_memberships},
		{"mbufs", cfg->mbufs},
		{"stack_bytes", cfg->stack_bytes},
		{"share_one_stack", cfg->share_one_stack},
		{"saved_stack_bytes", cfg->saved_stack_bytes},
		{"max_private_stacks", cfg->max_private_stacks},
		{"private_stack_bytes", cfg->private_stack_bytes},
		{"profile", cfg->profile},
		{"sndbuf_bytes", cfg->sndbuf_bytes},
		{"rcvbuf_bytes", cfg->rcvbuf_bytes},
		{"backlog", cfg->backlog},
		{"time_wait_ns", (uint64_t)cfg->time_wait_ns},
		{"keepalive_ns", (uint64_t)cfg->keepalive_ns},
		{"user_timeout_ns", (uint64_t)cfg->user_timeout_ns},
		{"idle_cwnd", cfg->idle_cwnd},
		{"until_idle_ns", (uint64_t)cfg->until_idle_ns},
		{"drain_ns", (uint64_t)cfg->drain_ns},
	};
	char digits[24];
	unsigned i;

	n = add_texts(cfg, text, n, size);
	for (i = 0; i < RTE_DIM(numbers); i++) {
		snprintf(digits, sizeof(digits), "%" PRIu64, numbers[i].value);
		n = add_line(text, n, size, numbers[i].key, digits);
	}
	return n;
}

/* ---- the command line ----------------------------------------------------------------------- */

static size_t read_command(char *buf, size_t size)
{
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got;

	if (fd < 0)
		return 0;
	while (n < size && (got = read(fd, buf + n, size - n)) > 0)
		n += (size_t)got;
	close(fd);
	return n;
}

/* Returns the length behind it, or 0: no room. */
static size_t add_argument(
	char *text, size_t n, size_t size, unsigned number, const char *word, size_t len)
{
	size_t i;

	if (size - n < 32)
		return 0;
	n += (size_t)snprintf(text + n, size - n, "arg.%u=", number);
	for (i = 0; i < len; i++) {
		if (size - n < 4)
			return 0;
		if (word[i] == '\\' || word[i] == '\n')
			text[n++] = '\\';
		text[n++] = word[i] == '\n' ? 'n' : word[i];
	}
	text[n++] = '\n';
	text[n] = '\0';
	return n;
}

size_t perch_terms_arguments(char *text, size_t n, size_t size)
{
	static const char none[] = "args=too long\n";
	char buf[COMMAND];
	size_t got = read_command(buf, sizeof(buf)), at = 0, end = n, len;
	unsigned number = 0;

	while (at < got && end > 0) {
		len = strnlen(buf + at, got - at);
		end = add_argument(text, end, size, number++, buf + at, len);
		at += len + 1;
	}
	if (end > 0 && got < sizeof(buf))
		return end;
	text[n] = '\0';
	if (size - n < sizeof(none))
		return n;
	memcpy(text + n, none, sizeof(none));
	return n + sizeof(none) - 1;
}

/* ---- compared ------------------------------------------------------------------------------- */

static const char *or_default(const char *value)
{
	return value[0] && strcmp(value, "0") != 0 ? value : "the default";
}

unsigned perch_terms_differ(const struct perch_recording *r, const struct perch_config *cfg,
	char *first, size_t size)
{
	char text[LINES], was[VALUE], *line, *value, *rest;
	unsigned n = 0;
	char *c;

	perch_terms_config(cfg, text, 0, sizeof(text));
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		value = strchr(line, '=');
		*value++ = '\0';
		if (!perch_recording_config(r, line, was, sizeof(was)) || strcmp(was, value) == 0)
			continue;
		if (n++ == 0)
			snprintf(first, size, "%s was %s, and is %s now", strchr(line, '.') + 1,
				or_default(was), or_default(value));
	}
	for (c = first; n > 0 && *c; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			*c = '?'; /* a damaged recording may hold anything */
	return n;
}
