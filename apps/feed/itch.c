/* SPDX-License-Identifier: BSD-3-Clause
 * ITCH 5.0 messages read, written and printed, all from the lists in itch.h.
 */
#include "apps/feed/itch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "apps/feed/wire.h"

static uint32_t take_4(const uint8_t *at)
{
	return wire_be32(at);
}

static uint64_t take_8(const uint8_t *at)
{
	return wire_be64(at);
}

/* The sizes on the wire are those of the specification. */
#define SIZE(kind, name, bytes) +bytes
#define CHECK(type, name, fields, bytes)                                                           \
	_Static_assert(ITCH_COMMON fields(SIZE) == bytes, #name);
ITCH_MESSAGES(CHECK)

size_t itch_bytes(char type)
{
	switch (type) {
#define BYTES(type, name, fields, bytes)                                                           \
	case type:                                                                                 \
		return bytes;
		ITCH_MESSAGES(BYTES)
	default:
		return 0;
	}
}

/* ---- read ----------------------------------------------------------------------------------- */

#define TAKE_NUM(to, bytes) to = take_##bytes(at)
#define TAKE_CHR(to, bytes) to = (char)*at
#define TAKE_TXT(to, bytes) memcpy(to, at, bytes)
#define TAKE(kind, name, bytes)                                                                    \
	TAKE_##kind(m->name, bytes);                                                               \
	at += bytes;
#define READER(type, name, fields, bytes)                                                          \
	static inline void read_##name(const uint8_t *at, struct itch_##name *m)                   \
	{                                                                                          \
		fields(TAKE)                                                                       \
		(void)at;                                                                          \
	}
ITCH_MESSAGES(READER)

int itch_decode(const void *data, size_t len, struct itch *out)
{
	const uint8_t *at = data;

	if (len < ITCH_COMMON)
		return -EBADMSG;
	out->type = (char)at[0];
	out->locate = wire_be16(at + 1);
	out->tracking = wire_be16(at + 3);
	out->time_ns = wire_be64(at + 3) & 0xffffffffffff;
	switch (out->type) {
#define DECODE(type, name, fields, bytes)                                                          \
	case type:                                                                                 \
		if (len < bytes)                                                                   \
			return -EBADMSG;                                                           \
		read_##name(at + ITCH_COMMON, &out->name);                                         \
		return 0;
		ITCH_MESSAGES(DECODE)
	default:
		return -ENOENT;
	}
}

/* ---- write ---------------------------------------------------------------------------------- */

#define PUT_NUM(from, bytes) wire_put_uint(at, bytes, true, from)
#define PUT_CHR(from, bytes) *at = (uint8_t)(from)
#define PUT_TXT(from, bytes) memcpy(at, from, bytes)
#define PUT(kind, name, bytes)                                                                     \
	PUT_##kind(m->name, bytes);                                                                \
	at += bytes;
#define WRITER(type, name, fields, bytes)                                                          \
	static void write_##name(uint8_t *at, const struct itch_##name *m)                         \
	{                                                                                          \
		fields(PUT)                                                                        \
		(void)at;                                                                          \
	}
ITCH_MESSAGES(WRITER)

size_t itch_encode(const struct itch *m, void *out)
{
	uint8_t *at = out;

	at[0] = (uint8_t)m->type;
	wire_put_be16(at + 1, m->locate);
	wire_put_be16(at + 3, m->tracking);
	wire_put_uint(at + 5, 6, true, m->time_ns);
	switch (m->type) {
#define ENCODE(type, name, fields, bytes)                                                          \
	case type:                                                                                 \
		write_##name(at + ITCH_COMMON, &m->name);                                          \
		return bytes;
		ITCH_MESSAGES(ENCODE)
	default:
		return 0;
	}
}

/* ---- print ---------------------------------------------------------------------------------- */

struct text {
	char *at;
	size_t left;
};

static void say(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct text *t, const char *fmt, ...)
{
	va_list list;
	int n;

	va_start(list, fmt);
	n = vsnprintf(t->at, t->left, fmt, list);
	va_end(list);
	if (n < 0)
		return;
	if ((size_t)n >= t->left)
		n = (int)t->left - 1;
	t->at += n;
	t->left -= (size_t)n;
}

/* Without the padding; what is not printable would upset a terminal. */
static void say_text(struct text *t, const char *name, const char *from, size_t n)
{
	char clean[16];
	size_t i;

	while (n && from[n - 1] == ' ')
		n--;
	for (i = 0; i < n && i < sizeof(clean); i++)
		clean[i] = from[i] > ' ' && from[i] < 0x7f ? from[i] : '.';
	say(t, " %s=%.*s", name, (int)i, clean);
}

#define SAY_NUM(name, bytes) say(t, " " #name "=%" PRIu64, (uint64_t)m->name)
#define SAY_CHR(name, bytes) say_text(t, #name, &m->name, 1)
#define SAY_TXT(name, bytes) say_text(t, #name, m->name, bytes)
#define SAY(kind, name, bytes) SAY_##kind(name, bytes);
#define PRINTER(type, name, fields, bytes)                                                         \
	static void print_##name(struct text *t, const struct itch_##name *m)                      \
	{                                                                                          \
		fields(SAY)                                                                        \
	}
ITCH_MESSAGES(PRINTER)

static const char *name_of(char type)
{
	switch (type) {
#define NAME(type, name, fields, bytes)                                                            \
	case type:                                                                                 \
		return #name;
		ITCH_MESSAGES(NAME)
	default:
		return "unknown";
	}
}

char *itch_text(const struct itch *m, char buf[ITCH_TEXT])
{
	struct text t = {buf, ITCH_TEXT};

	say(&t, "%s", name_of(m->type));
	say(&t, " locate=%u tracking=%u time_ns=%" PRIu64, m->locate, m->tracking, m->time_ns);
	switch (m->type) {
#define PRINT(type, name, fields, bytes)                                                           \
	case type:                                                                                 \
		print_##name(&t, &m->name);                                                        \
		break;
		ITCH_MESSAGES(PRINT)
	default:
		say_text(&t, "type", &m->type, 1);
	}
	return buf;
}
