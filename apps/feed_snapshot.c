/* SPDX-License-Identifier: BSD-3-Clause
 * perch-feed's GLIMPSE client: a login, the books as messages, the number to go on from.
 */
#include <errno.h>

#include "apps/feed/soup.h"
#include "apps/feed_app.h"

#define SECOND INT64_C(1000000000)

/* What one snapshot's packets have come to. */
struct spin {
	struct reader *r;
	unsigned session;
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
	books_apply(s->r->books, p->payload, p->len);
	return 0;
}

/* All packets that lie there in full. Returns the bytes that they took; *want: what to wait for. */
static int64_t take_packets(struct spin *s, const struct perch_bytes *b, size_t *want)
{
	const uint8_t *at = b->data;
	struct soup_packet p;
	int64_t taken = 0, n = 1;
	int rc = 0;

	if (s->session != s->r->sessions)
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

static int get(struct reader *r, uint64_t *next)
{
	int64_t deadline_ns = perch_now() + 30 * SECOND;
	struct spin s = {.r = r, .session = r->sessions};
	struct perch_conn *c;
	int rc = perch_dial(&r->glimpse, NULL, &c, perch_now() + 5 * SECOND);

	if (rc < 0)
		return s.session == r->sessions ? rc : -ESTALE;
	if (s.session == r->sessions)
		books_clear(r->books);
	rc = spin(&s, c, deadline_ns);
	perch_hangup(c);
	*next = s.next;
	return s.session == r->sessions ? rc : -ESTALE;
}

void snapshot_client(void *arg)
{
	struct reader *r = arg;
	uint64_t next = 0;
	int rc;

	r->snapper = perch_me();
	for (;;) {
		while (!r->snapshot_wanted)
			if (perch_park(PERCH_FOREVER) == -ECANCELED)
				return;
		r->snapshot_wanted = false;
		rc = get(r, &next);
		if (rc == -ECANCELED)
			return;
		if (rc == -ESTALE)
			continue;
		if (rc < 0)
			feed_snapshot_failed(r->feed, perch_now());
		else
			feed_snapshot_done(r->feed, next, perch_now());
		reader_drain(r);
		reader_rearm(r);
	}
}
