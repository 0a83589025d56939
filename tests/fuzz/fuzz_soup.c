/* SPDX-License-Identifier: BSD-3-Clause
 * A SoupBinTCP session, either end of it, on any bytes in any pieces at any time: every packet is
 * taken once, numbers go up by one, and after an error or an end nothing is taken any more.
 */
#include <stdlib.h>
#include <string.h>

#include "apps/trade/session.h"
#include "tests/fuzz/target.h"

enum { STREAM_MAX = 4096 };

struct stream { /* received and not taken */
	uint8_t bytes[STREAM_MAX];
	size_t len;
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static void take_event(
	const struct soup_session *s, const struct soup_event *ev, const uint8_t *at, size_t len)
{
	promise(ev->kind != SOUP_MESSAGE || (ev->data >= at && ev->data + ev->len <= at + len));
	if (s->role == SOUP_IS_CLIENT) {
		promise(ev->kind != SOUP_LOGIN_ASKED);
		promise(ev->kind != SOUP_MESSAGE || ev->sequence + 1 == s->next_sequence);
		promise(ev->kind != SOUP_REFUSED || s->state == SOUP_OVER);
	} else {
		promise(ev->kind != SOUP_LOGGED_IN && ev->kind != SOUP_REFUSED);
	}
	promise(strnlen(s->id, sizeof(s->id)) < sizeof(s->id));
}

/* A server answers at once, as the input wants it. */
static void answer(struct soup_session *s, uint8_t how, int64_t now_ns)
{
	uint8_t out[SOUP_ACCEPTED_BYTES];

	if (how & 1)
		promise(soup_accept_bytes(s, "DAY", how, now_ns, out) == sizeof(out));
	else
		promise(soup_reject_bytes(s, SOUP_NO_SESSION, now_ns, out) == SOUP_HEAD + 1);
}

/* In memory of its own size: reading behind it is an error to ASan. */
static void take_stream(struct soup_session *s, struct stream *in, uint8_t how, int64_t now_ns)
{
	uint8_t *copy = malloc(in->len ? in->len : 1);
	struct soup_event ev;
	size_t done = 0;
	int64_t n;

	memcpy(copy, in->bytes, in->len);
	while ((n = soup_session_next(s, copy + done, in->len - done, now_ns, &ev)) > 0) {
		take_event(s, &ev, copy + done, (size_t)n);
		if (ev.kind == SOUP_LOGIN_ASKED)
			answer(s, how, now_ns);
		done += (size_t)n;
		promise(done <= in->len);
	}
	promise(n < 0 ? s->state == SOUP_OVER : ev.len > in->len - done);
	in->len = n < 0 ? 0 : in->len - done;
	memmove(in->bytes, copy + done, in->len);
	free(copy);
}

static void pass(struct soup_session *s, int64_t *now_ns, uint8_t how)
{
	uint8_t out[SOUP_HEAD];
	enum soup_duty duty;

	*now_ns += (int64_t)how * 100 * FUZZ_MS;
	promise(soup_session_due(s) > 0);
	duty = soup_session_tick(s, *now_ns);
	promise(duty != SOUP_PEER_DEAD || s->state == SOUP_OVER);
	if (duty == SOUP_SEND_BEAT)
		promise(soup_beat_bytes(s, out) == SOUP_HEAD && soup_session_due(s) > *now_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = {data, data + len};
	struct soup_login login = {.username = "user", .password = "word", .sequence = 1};
	uint8_t how = fuzz_take8(&in), what, out[SOUP_LOGIN_MAX];
	struct soup_session s;
	struct stream stream = {.len = 0};
	int64_t now_ns = 1;
	size_t n;

	soup_session_begin(&s, how & 1 ? SOUP_IS_CLIENT : SOUP_IS_SERVER, now_ns);
	if ((how & 3) == 3) {
		login.beat_ms = how;
		soup_login_bytes(&s, &login, now_ns, out);
	}
	while (in.at < in.end) {
		what = fuzz_take8(&in);
		if (what >= 200) {
			pass(&s, &now_ns, what - 200);
			continue;
		}
		for (n = 0; n < what && in.at < in.end && stream.len < STREAM_MAX; n++)
			stream.bytes[stream.len++] = fuzz_take8(&in);
		take_stream(&s, &stream, how, now_ns);
		if (stream.len == STREAM_MAX)
			break; /* a packet longer than any that we would wait for */
	}
	return 0;
}
