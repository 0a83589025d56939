/* SPDX-License-Identifier: BSD-3-Clause
 * SoupBinTCP packets against bytes that were written out by hand.
 */
#include "apps/feed/soup.h"

#include <errno.h>
#include <string.h>

#include "tests/suite.h"

/* A string literal without its NUL. */
#define BYTES(s) s, sizeof(s) - 1

static void expect(const uint8_t *got, size_t n, const char *want, size_t want_n)
{
	CU_ASSERT_EQUAL_FATAL(n, want_n);
	CU_ASSERT_EQUAL(memcmp(got, want, n), 0);
}

static void heartbeats(void)
{
	uint8_t out[8];

	expect(out, soup_put(out, SOUP_CLIENT_BEAT, NULL, 0), BYTES("\x00\x01R"));
	expect(out, soup_put(out, SOUP_SERVER_BEAT, NULL, 0), BYTES("\x00\x01H"));
	expect(out, soup_put(out, SOUP_SEQUENCED, "abc", 3), BYTES("\x00\x04Sabc"));
	CU_ASSERT_EQUAL(soup_put(out, SOUP_SEQUENCED, NULL, 65535), 0);
}

static void logins(void)
{
	struct soup_login back, l = {"user", "secret", "S1", 7, 0};
	struct soup_packet p;
	uint8_t out[SOUP_LOGIN_MAX];
	size_t n = soup_put_login(out, &l);

	expect(out, n, BYTES("\x00\x2fLuser  secret            S1                   7"));
	CU_ASSERT_EQUAL(soup_parse(out, n, &p), (int64_t)n);
	CU_ASSERT_EQUAL(soup_login(&p, &back), 0);
	CU_ASSERT_EQUAL(memcmp(&l, &back, sizeof(l)), 0);

	l.beat_ms = 15000;
	n = soup_put_login(out, &l);
	expect(out, n, BYTES("\x00\x34Luser  secret            S1                   715000"));
	CU_ASSERT_EQUAL(soup_parse(out, n, &p), (int64_t)n);
	CU_ASSERT_EQUAL(soup_login(&p, &back), 0);
	CU_ASSERT_EQUAL(memcmp(&l, &back, sizeof(l)), 0);
	p.type = SOUP_UNSEQUENCED;
	CU_ASSERT_EQUAL(soup_login(&p, &back), -EBADMSG);
}

/* Names that fill their fields, and ones that would run over. */
static void login_edges(void)
{
	struct soup_login back, l = {"sixsix", "tententent", "", 0, 0};
	struct soup_packet p;
	uint8_t out[SOUP_LOGIN_MAX];

	l.sequence = UINT64_MAX;
	CU_ASSERT_EQUAL(soup_parse(out, soup_put_login(out, &l), &p), 49);
	CU_ASSERT_EQUAL(soup_login(&p, &back), 0);
	CU_ASSERT_STRING_EQUAL(back.username, "sixsix");
	CU_ASSERT_STRING_EQUAL(back.session, "");
	CU_ASSERT_EQUAL(back.sequence, UINT64_MAX);
	out[SOUP_HEAD + 26] = '9'; /* 98446744073709551615 does not fit 64 bits */
	CU_ASSERT_EQUAL(soup_login(&p, &back), -EBADMSG);
	out[SOUP_HEAD + 26] = 'x';
	CU_ASSERT_EQUAL(soup_login(&p, &back), -EBADMSG);
	p.len--;
	CU_ASSERT_EQUAL(soup_login(&p, &back), -EBADMSG);
}

static void numbers(void)
{
	uint64_t n = 1;
	uint8_t out[5];

	CU_ASSERT_EQUAL(soup_number((const uint8_t *)"     ", 5, &n), 0);
	CU_ASSERT_EQUAL(n, 0);
	CU_ASSERT_EQUAL(soup_number((const uint8_t *)"42   ", 5, &n), 0); /* justified wrongly */
	CU_ASSERT_EQUAL(n, 42);
	CU_ASSERT_EQUAL(soup_number((const uint8_t *)"4 2", 3, &n), -EBADMSG);
	CU_ASSERT_EQUAL(soup_number((const uint8_t *)"-1", 2, &n), -EBADMSG);
	soup_put_number(out, 5, 0);
	expect(out, 5, BYTES("    0"));
	soup_put_number(out, 5, 123456); /* does not fit: no byte outside is touched */
	expect(out, 5, BYTES("23456"));
}

static void accepted(void)
{
	uint8_t out[SOUP_ACCEPTED_BYTES];
	size_t n = soup_put_accepted(out, "000010059B", 14764496);
	struct soup_packet p;
	char session[11];
	uint64_t next;

	expect(out, n, BYTES("\x00\x1f" "A000010059B            14764496"));
	CU_ASSERT_EQUAL(soup_parse(out, n, &p), (int64_t)n);
	CU_ASSERT_EQUAL(soup_accepted(&p, session, &next), 0);
	CU_ASSERT_STRING_EQUAL(session, "000010059B");
	CU_ASSERT_EQUAL(next, 14764496);
	p.len = 29;
	CU_ASSERT_EQUAL(soup_accepted(&p, session, &next), -EBADMSG);
}

/* Byte by byte: what is missing is said, and never read. */
static void pieces(void)
{
	static const uint8_t stream[] = "\x00\x04Sabc\x00\x01H\x00\x00";
	struct soup_packet p;
	size_t n;

	for (n = 0; n < 6; n++) {
		CU_ASSERT_EQUAL(soup_parse(stream, n, &p), 0);
		CU_ASSERT_EQUAL(p.len, n < 2 ? SOUP_HEAD : 6);
	}
	CU_ASSERT_EQUAL(soup_parse(stream, 11, &p), 6);
	CU_ASSERT_EQUAL(p.type, SOUP_SEQUENCED);
	CU_ASSERT_EQUAL(p.len, 3);
	CU_ASSERT_EQUAL(memcmp(p.payload, "abc", 3), 0);
	CU_ASSERT_EQUAL(soup_parse(stream + 6, 5, &p), 3);
	CU_ASSERT_EQUAL(p.type, SOUP_SERVER_BEAT);
	CU_ASSERT_EQUAL(p.len, 0);
	CU_ASSERT_EQUAL(soup_parse(stream + 9, 2, &p), -EBADMSG);
}

static void directions(void)
{
	unsigned type, server = 0, client = 0;

	for (type = 0; type < 256; type++) {
		server += soup_server_sends((uint8_t)type);
		client += soup_client_sends((uint8_t)type);
	}
	CU_ASSERT_EQUAL(server, 6);
	CU_ASSERT_EQUAL(client, 5);
	CU_ASSERT_TRUE(soup_server_sends(SOUP_DEBUG) && soup_client_sends(SOUP_DEBUG));
	CU_ASSERT_TRUE(soup_server_sends(SOUP_END) && !soup_client_sends(SOUP_END));
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"heartbeats and data", heartbeats},
		{"logins of both versions", logins},
		{"login edges", login_edges},
		{"numbers as text", numbers},
		{"accepted", accepted},
		{"a stream in pieces", pieces},
		{"who sends what", directions},
		{NULL, NULL},
	};

	return suite_main("feed soup", cases, argc, argv);
}
