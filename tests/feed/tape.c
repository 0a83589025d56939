/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/feed/tape.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/feed/mold.h"
#include "apps/feed/wire.h"
#include "tests/suite.h"

static void say(struct tape *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct tape *t, const char *fmt, ...)
{
	va_list list;

	va_start(list, fmt);
	t->len += (size_t)vsnprintf(t->said + t->len, sizeof(t->said) - t->len, fmt, list);
	va_end(list);
	CU_ASSERT_TRUE_FATAL(t->len < sizeof(t->said));
}

static void say_request(struct tape *t, const struct feed_event *ev)
{
	struct mold_request r;

	say(t, "ask %" PRIu64 "-%" PRIu64 "; ", ev->first, ev->end);
	if (!ev->data)
		return;
	CU_ASSERT_EQUAL(mold_request(ev->data, ev->len, &r), 0);
	CU_ASSERT_EQUAL(r.sequence, ev->first);
	CU_ASSERT_EQUAL(r.count, ev->end - ev->first);
	CU_ASSERT_TRUE(feed_same_session(&r.session, feed_session_of(t->feed)));
}

static void say_event(struct tape *t, struct feed_event *ev)
{
	static const char *const by[] = {"line", "request", "snapshot"};
	static const char *const name[] = {[FEED_GAP] = "gap", [FEED_LOST] = "lost",
		[FEED_SNAPSHOT] = "snapshot"};
	uint64_t first = ev->first, end = ev->end;
	struct feed_message m;

	switch (ev->kind) {
	case FEED_DATA:
		while (feed_message(t->feed, ev, &m)) {
			say(t, "%.*s", (int)m.len, (const char *)m.data);
			t->number = m.number;
		}
		t->line = ev->line;
		t->time_ns = ev->time_ns;
		say(t, " ");
		break;
	case FEED_SESSION:
		say(t, "session from %" PRIu64 "; ", first);
		break;
	case FEED_FILLED:
		say(t, "filled %" PRIu64 "-%" PRIu64 " by %s; ", first, end, by[ev->by]);
		break;
	case FEED_REQUEST:
		say_request(t, ev);
		break;
	case FEED_END:
		say(t, "end %" PRIu64 "; ", end);
		break;
	case FEED_SILENT:
	case FEED_HEARD:
		say(t, "%s %c; ", ev->kind == FEED_SILENT ? "silent" : "heard", 'A' + ev->line);
		break;
	default:
		say(t, "%s %" PRIu64 "-%" PRIu64 "; ", name[ev->kind], first, end);
	}
}

static void drain(struct tape *t)
{
	struct feed_event ev;

	while (feed_next(t->feed, &ev))
		say_event(t, &ev);
}

void tape_open(struct tape *t, const struct feed_config *cfg)
{
	memset(t, 0, sizeof(*t));
	t->session = "S1";
	t->now_ns = 1000000000;
	CU_ASSERT_EQUAL_FATAL(feed_open(&t->feed, cfg), 0);
}

void tape_close(struct tape *t)
{
	tape_wants(t, "");
	feed_close(t->feed);
}

/* In memory of its own size, so that a sanitizer sees a read past its end. */
void tape_bytes(struct tape *t, unsigned line, const void *data, size_t len)
{
	void *copy = malloc(len ? len : 1);

	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	memcpy(copy, data, len);
	feed_input(t->feed, line, copy, len, t->now_ns);
	drain(t);
	free(copy);
}

void tape_data(struct tape *t, unsigned line, uint64_t first, const char *letters)
{
	struct feed_session session = mold_session(t->session);
	uint8_t out[2048], *at = out;
	size_t n = strlen(letters);

	at += mold_put_header(out, &session, first, (uint16_t)n);
	for (; *letters; letters++) {
		wire_put_be16(at, 1);
		at[2] = (uint8_t)*letters;
		at += 3;
	}
	tape_bytes(t, line, out, (size_t)(at - out));
}

static void bare(struct tape *t, unsigned line, uint64_t next, uint16_t count)
{
	struct feed_session session = mold_session(t->session);
	uint8_t out[MOLD_HEADER];

	tape_bytes(t, line, out, mold_put_header(out, &session, next, count));
}

void tape_beat(struct tape *t, unsigned line, uint64_t next)
{
	bare(t, line, next, MOLD_BEAT);
}

void tape_end(struct tape *t, unsigned line, uint64_t next)
{
	bare(t, line, next, MOLD_END);
}

void tape_pass(struct tape *t, int64_t ns)
{
	int64_t end_ns = t->now_ns + ns, due_ns;

	while ((due_ns = feed_deadline(t->feed)) <= end_ns) {
		t->now_ns = due_ns > t->now_ns ? due_ns : t->now_ns;
		feed_tick(t->feed, t->now_ns);
		drain(t);
		CU_ASSERT_TRUE_FATAL(feed_deadline(t->feed) > t->now_ns);
	}
	t->now_ns = end_ns;
	feed_tick(t->feed, t->now_ns);
	drain(t);
}

void tape_snapshot(struct tape *t, uint64_t next)
{
	if (next)
		feed_snapshot_done(t->feed, next, t->now_ns);
	else
		feed_snapshot_failed(t->feed, t->now_ns);
	drain(t);
}

void tape_wants_at(struct tape *t, const char *text, const char *file, unsigned line)
{
	if (strcmp(t->said, text) != 0) {
		printf("  %s:%u: wanted \"%s\"\n  but it was \"%s\"\n", file, line, text, t->said);
		CU_assertImplementation(CU_FALSE, line, "what was said", file, "", CU_FALSE);
	}
	t->said[0] = '\0';
	t->len = 0;
}
