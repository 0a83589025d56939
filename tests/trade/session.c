/* SPDX-License-Identifier: BSD-3-Clause
 * SoupBinTCP sessions: two ends that talk to each other byte by byte, silence, and rude peers.
 */
#include "apps/trade/session.h"

#include <errno.h>
#include <string.h>

#include "tests/suite.h"

#define MS INT64_C(1000000)

static const struct soup_login want = {"alice", "secret", "", 1, 0};

/* Feed one packet to an end as it comes from a stream: whole, but byte by byte before that. */
static int64_t hear(struct soup_session *s, const uint8_t *bytes, size_t len, int64_t now,
	struct soup_event *ev)
{
	size_t i;

	for (i = 0; i < len; i++)
		CU_ASSERT_EQUAL(soup_session_next(s, bytes, i, now, ev), 0);
	return soup_session_next(s, bytes, len, now, ev);
}

static void open_both(struct soup_session *c, struct soup_session *v, const struct soup_login *l)
{
	uint8_t b[SOUP_LOGIN_MAX];
	struct soup_event ev;
	size_t n;

	soup_session_begin(c, SOUP_IS_CLIENT, 0);
	soup_session_begin(v, SOUP_IS_SERVER, 0);
	n = soup_login_bytes(c, l, 0, b);
	CU_ASSERT_EQUAL(hear(v, b, n, 0, &ev), (int64_t)n);
	CU_ASSERT_EQUAL(ev.kind, SOUP_LOGIN_ASKED);
	CU_ASSERT_STRING_EQUAL(ev.login.username, l->username);
	CU_ASSERT_STRING_EQUAL(ev.login.password, l->password);
	CU_ASSERT_EQUAL(ev.login.sequence, l->sequence);
	n = soup_accept_bytes(v, "20261125A", 41, 0, b);
	CU_ASSERT_EQUAL(hear(c, b, n, 0, &ev), (int64_t)n);
	CU_ASSERT_EQUAL(ev.kind, SOUP_LOGGED_IN);
	CU_ASSERT_STRING_EQUAL(c->id, "20261125A");
	CU_ASSERT_EQUAL(c->next_sequence, 41);
	CU_ASSERT_STRING_EQUAL(v->id, "20261125A");
	CU_ASSERT_EQUAL(v->next_sequence, 41);
}

static void login_and_messages(void)
{
	struct soup_session c, v;
	struct soup_event ev;
	uint8_t b[64];
	size_t n;

	open_both(&c, &v, &want);
	n = soup_put(b, SOUP_SEQUENCED, "report", 6);
	CU_ASSERT_EQUAL(hear(&c, b, n, 0, &ev), (int64_t)n);
	CU_ASSERT_EQUAL(ev.kind, SOUP_MESSAGE);
	CU_ASSERT_EQUAL(ev.sequence, 41);
	CU_ASSERT(ev.len == 6 && memcmp(ev.data, "report", 6) == 0);
	CU_ASSERT_EQUAL(c.next_sequence, 42);
	n = soup_put(b, SOUP_UNSEQUENCED, "order", 5);
	CU_ASSERT_EQUAL(hear(&v, b, n, 0, &ev), (int64_t)n);
	CU_ASSERT_EQUAL(ev.kind, SOUP_MESSAGE);
	CU_ASSERT(ev.len == 5 && memcmp(ev.data, "order", 5) == 0);
	n = soup_put(b, SOUP_END, NULL, 0);
	CU_ASSERT_EQUAL(hear(&c, b, n, 0, &ev), (int64_t)n);
	CU_ASSERT_EQUAL(ev.kind, SOUP_FINISHED);
	CU_ASSERT_EQUAL(soup_session_next(&c, b, n, 0, &ev), -EPROTO);
	n = soup_put(b, SOUP_LOGOUT, NULL, 0);
	CU_ASSERT_EQUAL(hear(&v, b, n, 0, &ev), (int64_t)n);
	CU_ASSERT_EQUAL(ev.kind, SOUP_FINISHED);
	CU_ASSERT_EQUAL(soup_session_next(&v, b, n, 0, &ev), -EPROTO);
}

static void refusals(void)
{
	struct soup_session c, v;
	struct soup_event ev;
	uint8_t b[SOUP_LOGIN_MAX];
	size_t n;

	soup_session_begin(&c, SOUP_IS_CLIENT, 0);
	soup_session_begin(&v, SOUP_IS_SERVER, 0);
	n = soup_login_bytes(&c, &want, 0, b);
	soup_session_next(&v, b, n, 0, &ev);
	n = soup_reject_bytes(&v, SOUP_NO_SESSION, 0, b);
	CU_ASSERT_EQUAL(v.state, SOUP_OVER);
	CU_ASSERT_EQUAL(hear(&c, b, n, 0, &ev), (int64_t)n);
	CU_ASSERT_EQUAL(ev.kind, SOUP_REFUSED);
	CU_ASSERT_EQUAL(ev.reason, SOUP_NO_SESSION);
	CU_ASSERT_EQUAL(c.state, SOUP_OVER);
}

/* A heartbeat after 1 s of one's own silence, the end after 15 s of the other's. */
static void silence(void)
{
	struct soup_session c, v;
	struct soup_event ev;
	uint8_t b[SOUP_HEAD];
	size_t n;

	open_both(&c, &v, &want);
	CU_ASSERT_EQUAL(soup_session_due(&c), 1000 * MS);
	CU_ASSERT_EQUAL(soup_session_tick(&c, 999 * MS), SOUP_REST);
	soup_session_sent(&c, 500 * MS);
	CU_ASSERT_EQUAL(soup_session_tick(&c, 1499 * MS), SOUP_REST);
	CU_ASSERT_EQUAL(soup_session_tick(&c, 1500 * MS), SOUP_SEND_BEAT);
	CU_ASSERT_EQUAL(soup_session_tick(&c, 1500 * MS), SOUP_REST);
	n = soup_beat_bytes(&c, b);
	CU_ASSERT(n == 3 && memcmp(b, "\0\1R", 3) == 0);
	CU_ASSERT_EQUAL(soup_session_next(&v, b, n, 1500 * MS, &ev), 3);
	CU_ASSERT_EQUAL(ev.kind, SOUP_NOTHING);
	CU_ASSERT_EQUAL(soup_session_tick(&v, 1500 * MS + 14999 * MS), SOUP_SEND_BEAT);
	CU_ASSERT_EQUAL(soup_session_tick(&v, 1500 * MS + 15000 * MS), SOUP_PEER_DEAD);
	CU_ASSERT_EQUAL(v.state, SOUP_OVER);
	CU_ASSERT_EQUAL(soup_session_due(&v), INT64_MAX);
	n = soup_beat_bytes(&v, b);
	CU_ASSERT(n == 3 && memcmp(b, "\0\1H", 3) == 0);
}

/* 4.x: the client says what its silence means. */
static void own_timeout(void)
{
	struct soup_login l = want;
	struct soup_session c, v;

	l.beat_ms = 3000;
	open_both(&c, &v, &l);
	while (soup_session_tick(&v, 2999 * MS) == SOUP_SEND_BEAT)
		;
	CU_ASSERT_EQUAL(v.state, SOUP_OPEN);
	CU_ASSERT_EQUAL(soup_session_tick(&v, 3000 * MS), SOUP_PEER_DEAD);
}

/* Before its login a client has 15 s too, and no heartbeats. */
static void no_login(void)
{
	struct soup_session v;

	soup_session_begin(&v, SOUP_IS_SERVER, 0);
	CU_ASSERT_EQUAL(soup_session_due(&v), 15000 * MS);
	CU_ASSERT_EQUAL(soup_session_tick(&v, 5000 * MS), SOUP_REST);
	CU_ASSERT_EQUAL(soup_session_tick(&v, 15000 * MS), SOUP_PEER_DEAD);
}

static void rude_peers(void)
{
	static const struct {
		enum soup_role role;
		bool open;
		uint8_t type;
		int64_t rc;
	} table[] = {
		{SOUP_IS_SERVER, false, SOUP_UNSEQUENCED, -EPROTO}, /* an order before a login */
		{SOUP_IS_SERVER, true, SOUP_LOGIN, -EPROTO},	    /* twice */
		{SOUP_IS_SERVER, true, SOUP_SEQUENCED, -EPROTO},    /* what servers send */
		{SOUP_IS_SERVER, true, SOUP_DEBUG, 3},
		{SOUP_IS_SERVER, true, '?', 3}, /* unknown: skipped */
		{SOUP_IS_CLIENT, false, SOUP_SEQUENCED, -EPROTO},
		{SOUP_IS_CLIENT, false, SOUP_ACCEPTED, -EPROTO}, /* nobody asked */
		{SOUP_IS_CLIENT, true, SOUP_ACCEPTED, -EPROTO},
		{SOUP_IS_CLIENT, true, SOUP_UNSEQUENCED, -EPROTO},
		{SOUP_IS_CLIENT, true, '?', 3},
	};
	struct soup_session c, v, *s;
	struct soup_event ev;
	uint8_t b[SOUP_HEAD];
	unsigned i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].open) {
			open_both(&c, &v, &want);
		} else {
			soup_session_begin(&c, SOUP_IS_CLIENT, 0);
			soup_session_begin(&v, SOUP_IS_SERVER, 0);
		}
		s = table[i].role == SOUP_IS_CLIENT ? &c : &v;
		soup_put(b, table[i].type, NULL, 0);
		CU_ASSERT_EQUAL(soup_session_next(s, b, sizeof(b), 0, &ev), table[i].rc);
		CU_ASSERT_EQUAL(s->debugs, table[i].type == SOUP_DEBUG);
		CU_ASSERT_EQUAL(s->state == SOUP_OVER, table[i].rc < 0);
	}
	soup_session_begin(&v, SOUP_IS_SERVER, 0);
	CU_ASSERT_EQUAL(soup_session_next(&v, "\0\0\0", 3, 0, &ev), -EBADMSG);
	soup_session_begin(&v, SOUP_IS_SERVER, 0);
	CU_ASSERT_EQUAL(soup_session_next(&v, "\0\4Labc", 6, 0, &ev), -EBADMSG);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"login and messages", login_and_messages},
		{"refusals", refusals},
		{"silence", silence},
		{"own timeout", own_timeout},
		{"no login", no_login},
		{"rude peers", rude_peers},
		{NULL, NULL},
	};

	return suite_main("soup session", cases, argc, argv);
}
