/* SPDX-License-Identifier: BSD-3-Clause
 * SoupBinTCP packets, written and read.
 */
#include "apps/feed/soup.h"

#include <errno.h>
#include <string.h>

#include "apps/feed/wire.h"

enum { USERNAME = 6, PASSWORD = 10, SESSION = 10, NUMBER = 20, TIMEOUT = 5 };
enum { LOGIN_3 = USERNAME + PASSWORD + SESSION + NUMBER, LOGIN_4 = LOGIN_3 + TIMEOUT };

_Static_assert(2 + 1 + LOGIN_4 == SOUP_LOGIN_MAX, "the public size");
_Static_assert(2 + 1 + SESSION + NUMBER == SOUP_ACCEPTED_BYTES, "the public size");

int64_t soup_parse(const void *data, size_t len, struct soup_packet *p)
{
	const uint8_t *at = data;
	size_t whole;

	*p = (struct soup_packet){.len = SOUP_HEAD};
	if (len < 2)
		return 0;
	whole = (size_t)2 + wire_be16(at);
	if (whole < SOUP_HEAD)
		return -EBADMSG;
	p->len = whole;
	if (len < whole)
		return 0;
	*p = (struct soup_packet){at[2], at + SOUP_HEAD, whole - SOUP_HEAD};
	return (int64_t)whole;
}

static bool one_of(const char *types, uint8_t type)
{
	return type != 0 && strchr(types, type) != NULL;
}

bool soup_server_sends(uint8_t type)
{
	return one_of("+AJSHZ", type);
}

bool soup_client_sends(uint8_t type)
{
	return one_of("+LURO", type);
}

size_t soup_put(void *out, enum soup_type type, const void *payload, size_t len)
{
	uint8_t *at = out;

	if (len > UINT16_MAX - 1)
		return 0;
	wire_put_be16(at, (uint16_t)(len + 1));
	at[2] = (uint8_t)type;
	if (payload && len)
		memcpy(at + SOUP_HEAD, payload, len);
	return len + SOUP_HEAD;
}

/* ---- text fields ---------------------------------------------------------------------------- */

void soup_put_number(uint8_t *text, size_t n, uint64_t number)
{
	memset(text, ' ', n);
	do {
		text[--n] = (uint8_t)('0' + number % 10);
		number /= 10;
	} while (number && n);
}

int soup_number(const uint8_t *text, size_t n, uint64_t *out)
{
	uint64_t v = 0;
	size_t i = 0;

	while (i < n && text[i] == ' ')
		i++;
	for (; i < n && text[i] != ' '; i++) {
		if (text[i] < '0' || text[i] > '9' || v > (UINT64_MAX - (text[i] - '0')) / 10)
			return -EBADMSG;
		v = v * 10 + (text[i] - '0');
	}
	for (; i < n; i++)
		if (text[i] != ' ')
			return -EBADMSG;
	*out = v;
	return 0;
}

static uint8_t *put_left(uint8_t *at, size_t n, const char *text)
{
	size_t len = strnlen(text, n);

	memset(at, ' ', n);
	memcpy(at, text, len);
	return at + n;
}

/* Sessions are seen justified to either side; we write them to the right, as most do. */
static uint8_t *put_right(uint8_t *at, size_t n, const char *text)
{
	size_t len = strnlen(text, n);

	memset(at, ' ', n);
	memcpy(at + n - len, text, len);
	return at + n;
}

/* Without the blanks on both sides; to has n + 1 bytes. */
static const uint8_t *take_text(char *to, const uint8_t *at, size_t n)
{
	size_t from = 0, end = n;

	while (from < end && at[from] == ' ')
		from++;
	while (end > from && at[end - 1] == ' ')
		end--;
	memset(to, 0, n + 1);
	memcpy(to, at + from, end - from);
	return at + n;
}

/* ---- login ---------------------------------------------------------------------------------- */

size_t soup_put_login(void *out, const struct soup_login *login)
{
	uint8_t *start = (uint8_t *)out + SOUP_HEAD, *at = start;

	at = put_left(at, USERNAME, login->username);
	at = put_left(at, PASSWORD, login->password);
	at = put_right(at, SESSION, login->session);
	soup_put_number(at, NUMBER, login->sequence);
	at += NUMBER;
	if (login->beat_ms) {
		soup_put_number(at, TIMEOUT, login->beat_ms);
		at += TIMEOUT;
	}
	return soup_put(out, SOUP_LOGIN, NULL, (size_t)(at - start));
}

int soup_login(const struct soup_packet *p, struct soup_login *login)
{
	const uint8_t *at = p->payload;
	uint64_t beat_ms = 0;

	memset(login, 0, sizeof(*login));
	if (p->type != SOUP_LOGIN || (p->len != LOGIN_3 && p->len != LOGIN_4))
		return -EBADMSG;
	at = take_text(login->username, at, USERNAME);
	at = take_text(login->password, at, PASSWORD);
	at = take_text(login->session, at, SESSION);
	if (soup_number(at, NUMBER, &login->sequence) < 0)
		return -EBADMSG;
	if (p->len == LOGIN_4 && soup_number(at + NUMBER, TIMEOUT, &beat_ms) < 0)
		return -EBADMSG;
	login->beat_ms = (uint32_t)beat_ms;
	return 0;
}

size_t soup_put_accepted(void *out, const char *session, uint64_t next_sequence)
{
	uint8_t *start = (uint8_t *)out + SOUP_HEAD;

	soup_put_number(put_right(start, SESSION, session), NUMBER, next_sequence);
	return soup_put(out, SOUP_ACCEPTED, NULL, SESSION + NUMBER);
}

int soup_accepted(const struct soup_packet *p, char session[11], uint64_t *next_sequence)
{
	if (p->type != SOUP_ACCEPTED || p->len != SESSION + NUMBER)
		return -EBADMSG;
	return soup_number(take_text(session, p->payload, SESSION), NUMBER, next_sequence);
}
