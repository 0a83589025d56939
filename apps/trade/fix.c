/* SPDX-License-Identifier: BSD-3-Clause
 * FIX messages as text: framing, fields, numbers and times.
 */
#include "apps/trade/fix_inside.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRAILER = 7 /* "10=ccc" and its SOH */ };

#define SECOND_NS INT64_C(1000000000)

/* ---- framing -------------------------------------------------------------------------------- */

/* How far to look for the beginning of the next message. */
static size_t resync(const char *data, size_t len)
{
	size_t i;

	for (i = 1; i + 1 < len; i++)
		if (data[i] == '8' && data[i + 1] == '=' && data[i - 1] == SOH)
			return i;
	return len;
}

uint8_t fix_sum(const char *data, size_t len)
{
	uint8_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum = (uint8_t)(sum + (uint8_t)data[i]);
	return sum;
}

/* "tag=" at data: the length of its value, up to SOH. 0 more must come, -1 something else is there.
 */
static long value_at(const char *data, size_t len, const char *tag, size_t most)
{
	size_t n = strlen(tag), i;

	if (memcmp(data, tag, len < n ? len : n) != 0)
		return -1;
	for (i = n; i < len; i++)
		if (data[i] == SOH)
			return i > n ? (long)(i - n) : -1;
	return len - (len < n ? len : n) > most ? -1 : 0;
}

/* Digits only, and not too many. */
static bool number_of(const char *text, size_t len, uint64_t *out)
{
	size_t i;

	*out = 0;
	for (i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++)
		*out = *out * 10 + (uint64_t)(text[i] - '0');
	return len > 0 && len <= 18 && i == len;
}

int64_t fix_parse(const char *data, size_t len, struct fix_message *m, size_t *skip)
{
	uint64_t body_len, sum;
	size_t at, whole;
	long n;

	*skip = 0;
	n = value_at(data, len, "8=", 16);
	if (n <= 0)
		goto unclear;
	m->begin_string = data + 2;
	at = 2 + (size_t)n + 1;
	n = value_at(data + at, len - at, "9=", 8);
	if (n <= 0)
		goto unclear;
	if (!number_of(data + at + 2, (size_t)n, &body_len) || body_len > FIX_MESSAGE_MAX ||
		body_len < 5)
		goto garbled;
	at += 2 + (size_t)n + 1;
	whole = at + body_len + TRAILER;
	if (len < whole)
		return 0;
	m->body = data + at;
	m->body_len = body_len;
	at += body_len;
	if (data[at - 1] != SOH || memcmp(data + at, "10=", 3) != 0 || data[whole - 1] != SOH ||
		!number_of(data + at + 3, 3, &sum) || sum != fix_sum(data, at) ||
		memcmp(m->body, "35=", 3) != 0)
		goto garbled;
	return (int64_t)whole;
unclear:
	if (n == 0)
		return 0;
garbled:
	*skip = resync(data, len);
	return -EBADMSG;
}

/* ---- fields --------------------------------------------------------------------------------- */

int fix_get(const struct fix_message *m, unsigned tag, const char **value)
{
	const char *at = m->body, *end = m->body + m->body_len, *soh, *equals;
	uint64_t here;

	for (; at < end; at = soh + 1) {
		soh = memchr(at, SOH, (size_t)(end - at));
		equals = soh ? memchr(at, '=', (size_t)(soh - at)) : NULL;
		if (!equals)
			return -ENOENT;
		if (number_of(at, (size_t)(equals - at), &here) && here == tag) {
			*value = equals + 1;
			return (int)(soh - equals - 1);
		}
	}
	return -ENOENT;
}

int fix_get_number(const struct fix_message *m, unsigned tag, uint64_t *out)
{
	const char *v;
	int n = fix_get(m, tag, &v);

	if (n < 0)
		return n;
	return number_of(v, (size_t)n, out) ? 0 : -EBADMSG;
}

bool fix_is(const struct fix_message *m, unsigned tag, const char *text)
{
	const char *v;
	int n = fix_get(m, tag, &v);

	return n >= 0 && (size_t)n == strlen(text) && memcmp(v, text, (size_t)n) == 0;
}

int fix_get_price(const struct fix_message *m, unsigned tag, uint64_t *out)
{
	const char *v, *dot;
	uint64_t whole, part = 0;
	int n = fix_get(m, tag, &v);
	size_t places, i;

	if (n < 0)
		return n;
	dot = memchr(v, '.', (size_t)n);
	places = dot ? (size_t)(v + n - dot - 1) : 0;
	while (places > 4 && dot[places] == '0')
		places--;
	if (!number_of(v, dot ? (size_t)(dot - v) : (size_t)n, &whole) || places > 4 ||
		whole > UINT64_MAX / 20000 || (places && !number_of(dot + 1, places, &part)))
		return -EBADMSG;
	for (i = places; i < 4; i++)
		part *= 10;
	*out = whole * 10000 + part;
	return 0;
}

/* ---- fields to send ------------------------------------------------------------------------- */

void fix_put(struct fix_body *b, unsigned tag, const char *value)
{
	size_t room = sizeof(b->text) - b->len;
	int n = snprintf(b->text + b->len, room, "%u=%s%c", tag, value, SOH);

	if (n < 0 || (size_t)n >= room || strchr(value, SOH)) /* no value may begin another field */
		b->full = true;
	else
		b->len += (size_t)n;
}

void fix_put_number(struct fix_body *b, unsigned tag, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	fix_put(b, tag, text);
}

void fix_put_price(struct fix_body *b, unsigned tag, uint64_t price)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64 ".%04u", price / 10000, (unsigned)(price % 10000));
	fix_put(b, tag, text);
}

static void put_digits(char *at, unsigned width, uint64_t value)
{
	for (; width > 0; value /= 10)
		at[--width] = (char)('0' + value % 10);
}

/* Civil date from days since 1970-01-01 (Hinnant 2013, for the time after that). */
void fix_time_text(char *out, int64_t utc_ns)
{
	uint64_t ms = (uint64_t)utc_ns / 1000000, s = ms / 1000, z = s / 86400 + 719468;
	uint64_t era = z / 146097, doe = z % 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	uint64_t month = mp < 10 ? mp + 3 : mp - 9;

	memcpy(out, "YYYYMMDD-HH:MM:SS.mmm", FIX_TIME + 1);
	put_digits(out, 4, yoe + era * 400 + (month <= 2));
	put_digits(out + 4, 2, month);
	put_digits(out + 6, 2, doy - (153 * mp + 2) / 5 + 1);
	put_digits(out + 9, 2, s / 3600 % 24);
	put_digits(out + 12, 2, s / 60 % 60);
	put_digits(out + 15, 2, s % 60);
	put_digits(out + 18, 3, ms % 1000);
}

void fix_put_time(struct fix_body *b, unsigned tag, int64_t utc_ns)
{
	char text[FIX_TIME + 1];

	fix_time_text(text, utc_ns);
	fix_put(b, tag, text);
}
