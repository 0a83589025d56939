/* SPDX-License-Identifier: BSD-3-Clause
 * GLIMPSE: one login, one spin, one number.
 */
#include "apps/glimpse.h"

#include <errno.h>
#include <stdlib.h>

#include "apps/feed/soup.h"
#include "apps/feed/venue.h"

#define MS     INT64_C(1000000)
#define SECOND (1000 * MS)

/* ---- a client ------------------------------------------------------------------------------- */

/* What one snapshot's packets have come to. */
struct spin {
	struct books *books;
	const unsigned *sessions;
	unsigned session; /* *sessions, when it began */
	bool accepted;
	uint64_t next; /* from the last message; 0: it has not come */
};

static int take_packet(struct spin *s, const struct soup_packet *p)
{
	char session[11];
	uint64_t sequence;

	if (p->type == SOUP_ACCEPTED && !s->accepted) {
		s->accepted = soup_accepted(p, session, &sequence) == 0;
		return s->accepted ? 0 : -EBADMSG;
	}
	if (p->type == SOUP_REJECTED)
		return -EACCES;
	if (p->type != SOUP_SEQUENCED)
		return p->type == SOUP_END ? -EPIPE : 0;
	if (!s->accepted || p->len == 0)
		return -EBADMSG;
	if (p->payload[0] == 'G')
		return p->len < 21 ? -EBADMSG : soup_number(p->payload + 1, 20, &s->next);
	books_apply(s->books, p->payload, p->len);
	return 0;
}

/* All packets that lie there in full. Returns the bytes that they took; *want: what to wait for. */
static int64_t take_packets(struct spin *s, const struct perch_bytes *b, size_t *want)
{
	const uint8_t *at = b->data;
	struct soup_packet p;
	int64_t taken = 0, n = 1;
	int rc = 0;

	if (s->session != *s->sessions)
		return -ESTALE;
	while (rc == 0 && s->next == 0) {
		n = soup_parse(at + taken, (size_t)(b->len - taken), &p);
		if (n <= 0)
			break;
		rc = take_packet(s, &p);
		taken += n;
	}
	*want = n == 0 ? p.len : SOUP_HEAD;
	if (n < 0 || *want > PERCH_WANT_MAX)
		return -EBADMSG;
	return rc < 0 ? rc : taken;
}

static int spin(struct spin *s, struct perch_conn *c, int64_t deadline_ns)
{
	struct soup_login login = {.username = "perch", .password = "perch", .sequence = 1};
	uint8_t out[SOUP_LOGIN_MAX];
	int64_t rc = perch_write(c, out, soup_put_login(out, &login), deadline_ns);
	size_t want = SOUP_HEAD;

	while (rc >= 0 && s->next == 0) {
		struct perch_bytes b = perch_want(c, want, deadline_ns);

		if (b.len < (int64_t)want)
			return b.len < 0 ? (int)b.len : -ECONNRESET;
		rc = take_packets(s, &b, &want);
		if (rc > 0)
			perch_take(c, (size_t)rc);
	}
	return rc < 0 ? (int)rc : 0;
}

int glimpse_get(const struct perch_addr *server, struct books *books, const unsigned *sessions,
	uint64_t *next)
{
	int64_t deadline_ns = perch_now() + 30 * SECOND;
	struct spin s = {.books = books, .sessions = sessions, .session = *sessions};
	struct perch_conn *c;
	int rc = perch_dial(server, NULL, &c, perch_now() + 5 * SECOND);

	if (rc < 0)
		return s.session == *sessions ? rc : -ESTALE;
	if (s.session == *sessions)
		books_clear(books);
	rc = spin(&s, c, deadline_ns);
	perch_hangup(c);
	*next = s.next;
	return s.session == *sessions ? rc : -ESTALE;
}

/* ---- a server ------------------------------------------------------------------------------- */

/* A login that asks for number 1, which is all that GLIMPSE has. */
static bool log_in(struct glimpse_server *g, struct perch_conn *c)
{
	int64_t deadline_ns = perch_now() + SOUP_DEAD_MS * MS;
	uint8_t out[SOUP_ACCEPTED_BYTES];
	char session[FEED_SESSION_TEXT];
	struct soup_login login;
	struct soup_packet p = {.len = SOUP_HEAD};
	struct perch_bytes b;
	int64_t n = 0;

	while (n == 0 && p.len <= SOUP_LOGIN_MAX) {
		size_t want = p.len;

		b = perch_want(c, want, deadline_ns);
		if (b.len < (int64_t)want)
			return false;
		n = soup_parse(b.data, (size_t)b.len, &p);
	}
	if (n <= 0 || soup_login(&p, &login) < 0)
		return false;
	perch_take(c, (size_t)n);
	feed_session_text(&feed_moldudp64, g->session, session);
	n = (int64_t)soup_put_accepted(out, session, 1);
	return perch_write(c, out, (size_t)n, deadline_ns) == n;
}

static int take_buffer(struct glimpse_server *g)
{
	int i;

	for (i = 0; i < GLIMPSE_CLIENTS; i++)
		if (!g->taken[i]) {
			g->taken[i] = true;
			return i;
		}
	return -1;
}

void glimpse_serve(struct perch_conn *c, void *arg)
{
	static const uint8_t busy[] = {0, 2, SOUP_REJECTED, SOUP_NO_SESSION};
	static const uint8_t end[] = {0, 1, SOUP_END};
	int64_t deadline_ns = perch_now() + 60 * SECOND;
	struct glimpse_server *g = arg;
	int i = take_buffer(g);
	size_t len;

	if (i < 0) {
		perch_write(c, busy, sizeof(busy), deadline_ns);
		return;
	}
	if (log_in(g, c)) {
		/* Of what has been made: what is still to be sent will come by the lines. */
		if (g->refresh)
			g->refresh();
		len = books_snapshot(g->books, archive_next(g->feed), g->bytes[i], g->room);
		if (len <= g->room &&
			perch_write(c, g->bytes[i], len, deadline_ns) == (int64_t)len) {
			perch_write(c, end, sizeof(end), deadline_ns);
			g->served++;
		}
	}
	g->taken[i] = false;
}

/* A symbol is at most a directory and a trading action, an order a message with attribution. */
int glimpse_open(struct glimpse_server *g, uint64_t symbols, uint64_t orders)
{
	unsigned i;

	g->room = symbols * 80 + orders * 44 + 64;
	for (i = 0; i < GLIMPSE_CLIENTS; i++) {
		g->bytes[i] = malloc(g->room);
		if (!g->bytes[i])
			return -ENOMEM;
	}
	return 0;
}

void glimpse_close(struct glimpse_server *g)
{
	unsigned i;

	for (i = 0; i < GLIMPSE_CLIENTS; i++)
		free(g->bytes[i]);
}
