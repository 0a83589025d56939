/* SPDX-License-Identifier: BSD-3-Clause
 * GLIMPSE on an engine that is not there: what a client makes of what it is sent, whole and in
 * pieces, and whom the server turns away.
 */
#include "apps/glimpse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apps/feed/itch.h"
#include "apps/feed/soup.h"
#include "tests/suite.h"

/* ---- the engine that is not there ------------------------------------------------------------ */

static struct {
	const uint8_t *in; /* received and not taken */
	size_t in_len, piece; /* so many more bytes come with each look */
	size_t seen;
	uint8_t sent[1 << 16];
	size_t len;
	unsigned hung_up;
	int dial;          /* what perch_dial returns */
	unsigned *session; /* a session begins when half of it is there; NULL: none does */
	unsigned *session_at_end; /* the same, when nothing more comes */
} e;

static int connection;

int64_t perch_now(void)
{
	return 1000;
}

int perch_dial(const struct perch_addr *to, const struct perch_addr *from, struct perch_conn **out,
	int64_t deadline_ns)
{
	(void)to;
	(void)from;
	(void)deadline_ns;
	*out = (struct perch_conn *)(void *)&connection;
	return e.dial;
}

void perch_hangup(struct perch_conn *c)
{
	(void)c;
	e.hung_up++;
}

int64_t perch_write(struct perch_conn *c, const void *data, size_t len, int64_t deadline_ns)
{
	(void)c;
	(void)deadline_ns;
	memcpy(e.sent + e.len, data, len);
	e.len += len;
	return (int64_t)len;
}

/* As a stream brings them: more at each look, and at its end fewer than were wanted. */
struct perch_bytes perch_want(struct perch_conn *c, size_t n, int64_t deadline_ns)
{
	(void)c;
	(void)deadline_ns;
	e.seen += e.piece;
	if (e.seen < n)
		e.seen = n;
	if (e.seen > e.in_len)
		e.seen = e.in_len;
	if (e.session && e.seen > e.in_len / 2) {
		++*e.session;
		e.session = NULL;
	}
	if (e.session_at_end && e.in_len < n)
		++*e.session_at_end;
	return (struct perch_bytes){.data = e.in, .len = (int64_t)e.seen};
}

int perch_take(struct perch_conn *c, size_t n)
{
	(void)c;
	e.in += n;
	e.in_len -= n;
	e.seen -= n;
	return 0;
}

/* ---- a client ------------------------------------------------------------------------------- */

static uint8_t stream[4096];
static size_t stream_len;

static void put(uint8_t type, const void *payload, size_t len)
{
	stream_len += soup_put(stream + stream_len, type, payload, len);
}

static void put_accepted(void)
{
	stream_len += soup_put_accepted(stream + stream_len, "S1", 1);
}

static void put_order(uint64_t ref, uint32_t price)
{
	struct itch m = {.type = 'A', .locate = 1,
		.add = {.ref = ref, .side = 'B', .shares = 100, .stock = "AB      ",
			.price = price}};
	uint8_t out[ITCH_BYTES_MAX];

	put(SOUP_SEQUENCED, out, itch_encode(&m, out));
}

static void put_end(const char *number)
{
	char out[21] = {'G'};

	memset(out + 1, ' ', 20);
	memcpy(out + 21 - strlen(number), number, strlen(number));
	put(SOUP_SEQUENCED, out, sizeof(out));
}

static struct books *books;
static unsigned sessions;

/* What comes of it: piece bytes at each look. */
static int get(size_t piece, uint64_t *next)
{
	const struct perch_addr server = {.port = 7002};
	uint8_t *copy = malloc(stream_len + 1); /* so that a sanitizer sees a read past its end */
	int rc;

	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	memcpy(copy + 1, stream, stream_len);
	e.in = copy + 1;
	e.in_len = stream_len;
	e.piece = piece;
	e.seen = e.len = e.hung_up = 0;
	*next = 0;
	rc = glimpse_get(&server, books, &sessions, next);
	free(copy);
	return rc;
}

static void begin(void)
{
	memset(&e, 0, sizeof(e));
	stream_len = 0;
	CU_ASSERT_EQUAL_FATAL(books_open(&books, &(struct books_config){.max_books = 4}), 0);
}

static uint32_t best_bid(void)
{
	struct book_top top = {{{0}, {0}}};

	if (books_count(books))
		books_top(books, 0, &top);
	return top.side[BOOK_BUY].price;
}

/* It stands for all before the number that it ends with; of the books before it nothing is left. */
static void a_snapshot(void)
{
	struct soup_login l;
	struct soup_packet p;
	uint64_t next;
	size_t piece;

	begin();
	put_accepted();
	put(SOUP_DEBUG, "hello", 5);
	put_order(1, 5000);
	put(SOUP_SERVER_BEAT, NULL, 0);
	put_order(2, 5100);
	put_end("77");
	put_order(3, 9000); /* of no concern any more */
	for (piece = 0; piece < stream_len; piece += 7) {
		CU_ASSERT_EQUAL(get(piece, &next), 0);
		CU_ASSERT_EQUAL(next, 77);
		CU_ASSERT_EQUAL(best_bid(), 5100);
		CU_ASSERT_EQUAL(books_counters(books)->doubled_order, 0); /* they were cleared */
		CU_ASSERT_EQUAL(e.hung_up, 1);
	}
	CU_ASSERT(soup_parse(e.sent, e.len, &p) == (int64_t)e.len && soup_login(&p, &l) == 0);
	CU_ASSERT_EQUAL(l.sequence, 1);
	books_close(books);
}

/* Everything that is none. */
static void no_snapshot(void)
{
	uint64_t next;

	begin();
	e.dial = -ETIMEDOUT;
	CU_ASSERT_EQUAL(get(100, &next), -ETIMEDOUT);
	e.dial = 0;
	CU_ASSERT_EQUAL(get(100, &next), -ECONNRESET); /* it says nothing */
	put(SOUP_REJECTED, "A", 1);
	CU_ASSERT_EQUAL(get(100, &next), -EACCES);
	stream_len = 0;
	put_order(1, 5000); /* before it let us in */
	CU_ASSERT_EQUAL(get(100, &next), -EBADMSG);
	stream_len = 0;
	put_accepted();
	put_order(1, 5000);
	CU_ASSERT_EQUAL(get(100, &next), -ECONNRESET); /* it ends in the middle */
	put(SOUP_END, NULL, 0);
	CU_ASSERT_EQUAL(get(100, &next), -EPIPE);
	CU_ASSERT_EQUAL(next, 0);
	stream_len = 0;
	put_accepted();
	put(SOUP_SEQUENCED, "G123", 4); /* a number that is cut off */
	CU_ASSERT_EQUAL(get(100, &next), -EBADMSG);
	stream_len = 0;
	put_accepted();
	put_end("7x");
	CU_ASSERT_EQUAL(get(100, &next), -EBADMSG);
	stream_len = 0;
	put_accepted();
	put(SOUP_SEQUENCED, NULL, 0);
	put(SOUP_SERVER_BEAT, NULL, 0);
	CU_ASSERT_EQUAL(get(100, &next), -EBADMSG);
	stream_len = 0;
	put_accepted();
	memcpy(stream + stream_len, "\0\0\0", 3); /* what cannot be framed */
	stream_len += 3;
	CU_ASSERT_EQUAL(get(100, &next), -EBADMSG);
	stream_len = 0;
	put_accepted();
	memcpy(stream + stream_len, "\xff\xffS", 3); /* and what nobody can wait for */
	stream_len += 3;
	CU_ASSERT_EQUAL(get(100, &next), -EBADMSG);
	books_close(books);
}

/* Another session began meanwhile: its books are not touched with the old one's orders. */
static void a_stale_one(void)
{
	uint64_t next;

	begin();
	put_accepted();
	put_order(1, 5000);
	put_order(2, 5100);
	put_end("77");
	e.session = &sessions;
	CU_ASSERT_EQUAL(get(1, &next), -ESTALE);
	CU_ASSERT_EQUAL(best_bid(), 5000); /* from before it began; no other came in */
	CU_ASSERT_EQUAL(e.hung_up, 1);
	CU_ASSERT_EQUAL(get(1, &next), 0);
	CU_ASSERT_EQUAL(best_bid(), 5100);
	stream_len = 0;
	put_accepted();
	e.session_at_end = &sessions; /* and the connection ends, which is no failure then */
	CU_ASSERT_EQUAL(get(100, &next), -ESTALE);
	books_close(books);
}

/* ---- a server ------------------------------------------------------------------------------- */

static unsigned refreshed;

static void refresh(void)
{
	refreshed++;
}

/* What it says to that: the types of its packets. */
static const char *answer(struct glimpse_server *g, const void *in, size_t len)
{
	static char types[64];
	struct soup_packet p;
	size_t at = 0, n = 0;

	e.in = in;
	e.in_len = len;
	e.seen = e.len = 0;
	e.piece = 5;
	glimpse_serve((struct perch_conn *)(void *)&connection, g);
	while (at < e.len && n < sizeof(types) - 1) {
		at += (size_t)soup_parse(e.sent + at, e.len - at, &p);
		types[n++] = (char)p.type;
	}
	types[n] = '\0';
	return types;
}

static void serves(void)
{
	struct soup_login login = {.username = "u", .password = "p", .sequence = 1};
	struct feed_session session = mold_session("S1");
	struct glimpse_server g = {.session = &session, .refresh = refresh};
	uint8_t in[SOUP_LOGIN_MAX];
	size_t len = soup_put_login(in, &login);
	struct itch m = {.type = 'A', .locate = 1,
		.add = {.ref = 1, .side = 'B', .shares = 1, .stock = "AB      ", .price = 1}};
	uint8_t order[ITCH_BYTES_MAX];
	struct archive *feed;
	unsigned i;

	begin();
	CU_ASSERT_EQUAL_FATAL(archive_open(&feed, 4, ITCH_BYTES_MAX), 0);
	books_apply(books, order, itch_encode(&m, order));
	archive_add(feed, order, itch_bytes('A'));
	g.books = books;
	g.feed = feed;
	CU_ASSERT_EQUAL_FATAL(glimpse_open(&g, 4, 16), 0);
	CU_ASSERT_STRING_EQUAL(answer(&g, in, len), "ASSSZ"); /* symbol, order, number */
	CU_ASSERT(g.served == 1 && refreshed == 1);
	CU_ASSERT_EQUAL(memcmp(e.sent + e.len - 3 - 20, "                   2", 20), 0);
	CU_ASSERT_STRING_EQUAL(answer(&g, in, len - 1), ""); /* a login that is cut off */
	CU_ASSERT_STRING_EQUAL(answer(&g, "\0\1R", 3), "");  /* none at all */
	CU_ASSERT_STRING_EQUAL(answer(&g, "\0\0\0", 3), "");
	CU_ASSERT_EQUAL(g.served, 1);
	for (i = 0; i < GLIMPSE_CLIENTS; i++) /* none of them has kept its buffer */
		CU_ASSERT_FALSE(g.taken[i]);
	memset(g.taken, 1, sizeof(g.taken));
	CU_ASSERT_STRING_EQUAL(answer(&g, in, len), "J");
	memset(g.taken, 0, sizeof(g.taken));
	g.room = 50; /* more than was reserved: nothing rather than a part */
	CU_ASSERT_STRING_EQUAL(answer(&g, in, len), "A");
	CU_ASSERT_EQUAL(g.served, 1);
	glimpse_close(&g);
	archive_close(feed);
	books_close(books);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"a snapshot", a_snapshot},
		{"no snapshot", no_snapshot},
		{"a stale one", a_stale_one},
		{"serves", serves},
		{NULL, NULL},
	};

	return suite_main("feed glimpse", cases, argc, argv);
}
