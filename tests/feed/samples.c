/* SPDX-License-Identifier: BSD-3-Clause
 * Packets as our code writes them, a line of hex each behind where they go: for another program to
 * judge.
 */
#include <stdio.h>

#include "apps/feed/archive.h"
#include "apps/feed/soup.h"

static void say(const char *where, const uint8_t *bytes, size_t n)
{
	printf("%s ", where);
	while (n--)
		printf("%02x", *bytes++);
	printf("\n");
}

static void mold(void)
{
	struct feed_session session = mold_session("PERCH1");
	uint8_t out[1400];
	struct archive *a;
	unsigned n;

	if (archive_open(&a, 4, 8) < 0)
		return;
	archive_add(a, "abc", 3);
	archive_add(a, "defgh", 5);
	archive_add(a, "i", 1);
	say("down", out, archive_packet(a, &session, 2, 100, out, sizeof(out), &n));
	say("down", out, mold_put_header(out, &session, 4, MOLD_BEAT));
	say("down", out, mold_put_header(out, &session, 4, MOLD_END));
	say("up", out, mold_put_header(out, &session, 2, 17));
	archive_close(a);
}

static void soup(void)
{
	struct soup_login login = {"trader", "secret", "PERCH1", 42, 0};
	uint8_t out[64];

	say("client", out, soup_put_login(out, &login));
	say("server", out, soup_put_accepted(out, "PERCH1", 42));
	login.beat_ms = 15000;
	say("client", out, soup_put_login(out, &login));
	say("server", out, soup_put(out, SOUP_REJECTED, "A", 1));
	say("server", out, soup_put(out, SOUP_SEQUENCED, "seq", 3));
	say("client", out, soup_put(out, SOUP_UNSEQUENCED, "unseq", 5));
	say("server", out, soup_put(out, SOUP_SERVER_BEAT, NULL, 0));
	say("client", out, soup_put(out, SOUP_CLIENT_BEAT, NULL, 0));
	say("server", out, soup_put(out, SOUP_DEBUG, "hello", 5));
	say("client", out, soup_put(out, SOUP_LOGOUT, NULL, 0));
	say("server", out, soup_put(out, SOUP_END, NULL, 0));
}

int main(void)
{
	mold();
	soup();
	return 0;
}
