/* SPDX-License-Identifier: BSD-3-Clause
 * FIX: the framer on any bytes, and a session, with a market behind it, on messages that are right
 * but for what is in them. Bytes are done with once, what is sent is framed right, and numbers
 * never go back but by a reset.
 */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "apps/trade/fix_order.h"
#include "apps/trade/fix_venue.h"
#include "tests/fuzz/target.h"

enum { FIELDS_MAX = 1024 };

struct end {
	struct fix_session *session;
	struct fix_venue *venue; /* of an acceptor */
	struct market *market;
	int64_t now_ns;
	bool accepts;
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

/* ---- the framer ----------------------------------------------------------------------------- */

static void look_into(const struct fix_message *m)
{
	static const unsigned tags[] = {35, 34, 11, 44, 10, 0};
	const char *value;
	uint64_t number;
	unsigned i;
	int n;

	for (i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		n = fix_get(m, tags[i], &value);
		promise(n < 0 || (value >= m->body && value + n < m->body + m->body_len));
		fix_get_number(m, tags[i], &number);
		fix_get_price(m, tags[i], &number);
	}
}

static void frame_all(struct fuzz_input *in)
{
	size_t len = (size_t)(in->end - in->at), at = 0, skip;
	char *copy = malloc(len ? len : 1);
	struct fix_message m;
	int64_t n;

	memcpy(copy, in->at, len);
	for (; at<len; at += n> 0 ? (size_t)n : skip) {
		n = fix_parse(copy + at, len - at, &m, &skip);
		if (n == 0)
			break;
		promise(n > 0 ? (size_t)n <= len - at : skip > 0 && skip <= len - at);
		if (n > 0)
			look_into(&m);
	}
	free(copy);
}

/* ---- the session ---------------------------------------------------------------------------- */

/* What we send is framed right, in whole messages. */
static void check_out(struct end *e)
{
	struct fix_message m;
	const char *data;
	size_t len = fix_out(e->session, &data), at = 0, skip;
	int64_t n;

	promise(len <= FIX_OUT_BYTES);
	while (at < len) {
		n = fix_parse(data + at, len - at, &m, &skip);
		promise(n > 0);
		at += (size_t)n;
	}
	fix_taken(e->session, len);
}

static void input(struct end *e, const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);
	struct fix_event ev;
	struct ouch report;
	size_t done = 0;
	int64_t n = 1;

	memcpy(copy, text, len);
	while (n > 0 && done < len) {
		n = fix_input(e->session, copy + done, len - done, e->now_ns, &ev);
		done += (size_t)n;
		promise(done <= len);
		if (ev.kind == FIX_APPLICATION && e->accepts)
			fix_venue_input(e->venue, &ev, e->now_ns, e->now_ns);
		else if (ev.kind == FIX_APPLICATION)
			fix_order_report(&ev, &report);
		check_out(e);
	}
	free(copy);
}

/* Fields as the input has them, and around them what makes a message of them. */
static void message(struct end *e, struct fuzz_input *in, const char *version)
{
	static const char *const starts[] = {"35=A\00149=P\00156=V\00134=%u\001108=1\001",
		"35=D\00149=P\00156=V\00134=%u\00111=a%u\00154=1\00138=9\00140=2\00144=1\00155="
		"A\001",
		"35=F\00149=P\00156=V\00134=%u\00111=c%u\00141=a1\001",
		"35=G\00149=P\00156=V\00134=%u\00111=a%u\00141=a1\00154=1\00138=9\00140=2\00144="
		"1\00155=A\001",
		"35=2\00149=P\00156=V\00134=%u\0017=1\00116=0\001",
		"35=4\00149=P\00156=V\00134=%u\00136=%u\001", "35=8\00149=P\00156=V\00134=%u\001",
		"35=q\00149=P\00156=V\00134=%u\00111=m\001530=7\001"};
	char fields[FIELDS_MAX + 256], text[FIELDS_MAX + 512];
	uint8_t kind = fuzz_take8(in), number = fuzz_take8(in), more = fuzz_take8(in);
	uint8_t sum = 0;
	int len = 0, n, i;

	if (kind & 8)
		len = snprintf(fields, sizeof(fields), starts[kind & 7], number, number);
	for (i = 0; i < more && in->at < in->end; i++)
		fields[len++] = (char)fuzz_take8(in);
	if (more)
		fields[len++] = 1;
	n = snprintf(text, sizeof(text), "8=%s\0019=%d\001", version, len);
	memcpy(text + n, fields, (size_t)len);
	n += len;
	for (i = 0; i < n; i++)
		sum = (uint8_t)(sum + (uint8_t)text[i]);
	n += snprintf(text + n, 8, "10=%03u\001", sum);
	input(e, text, (size_t)n);
}

static void pass(struct end *e, uint8_t how)
{
	e->now_ns += (int64_t)how * 500 * FUZZ_MS;
	promise(fix_due(e->session) > 0);
	fix_tick(e->session, e->now_ns);
	check_out(e);
}

static void open_end(struct end *e, const char *version, uint8_t how)
{
	const struct market_config market = {
		.max_orders = 16, .max_levels = 16, .log2_reports = 5, .log2_feed = 5};
	const struct fix_config cfg = {.version = version,
		.sender = "V",
		.target = "P",
		.accepts = e->accepts,
		.heartbeat_s = 1,
		.next_in = how >> 4,
		.log2_kept = 4,
		.kept_bytes = 200,
		.password = how & 8 ? "pw" : NULL};

	promise(market_open(&e->market, &market) == 0);
	market_symbol(e->market, "A", 0);
	market_account(e->market, "P", "");
	market_phase(e->market, true, 0);
	promise(fix_open(&e->session, &cfg) == 0);
	promise(fix_venue_open(&e->venue, e->market, OUCH_50, 0, e->session, version) == 0);
	fix_connected(e->session, e->now_ns);
	check_out(e);
}

static void close_end(struct end *e)
{
	fix_venue_close(e->venue);
	fix_close(e->session);
	market_close(e->market);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = {data, data + len};
	uint8_t how = fuzz_take8(&in), what;
	struct end e = {.now_ns = 1, .accepts = how & 2};
	const char *version = how & 4 ? "FIX.4.4" : "FIX.4.2";

	if (!(how & 1)) {
		frame_all(&in);
		return 0;
	}
	open_end(&e, version, how);
	while (in.at < in.end) {
		what = fuzz_take8(&in);
		if (what < 240)
			message(&e, &in, version);
		else if (what < 250)
			pass(&e, what - 240);
		else
			fix_connected(e.session, e.now_ns);
	}
	close_end(&e);
	return 0;
}
