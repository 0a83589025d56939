/* SPDX-License-Identifier: BSD-3-Clause
 * FIX: messages as text, and two sessions that lose messages to each other on purpose.
 */
#include "apps/trade/fix.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/suite.h"
#include "tests/trade/fix_carry.h"

#define S INT64_C(1000000000)

/* ---- messages ------------------------------------------------------------------------------- */

enum { MADE = 256 }; /* bytes at out, at the most */

/* '|' stands for SOH, the length and the check sum are put in. */
static size_t make(char *out, const char *version, const char *fields)
{
	uint8_t sum = 0;
	size_t i;
	int n = snprintf(out, MADE, "8=%s|9=%zu|%s", version, strlen(fields), fields);

	for (i = 0; i < (size_t)n; i++) {
		out[i] = out[i] == '|' ? 1 : out[i];
		sum = (uint8_t)(sum + (uint8_t)out[i]);
	}
	return (size_t)n + (size_t)snprintf(out + n, 8, "10=%03u%c", sum, 1);
}

static void a_message(void)
{
	/* An example that is known to be right, with its own length and check sum. */
	static const char known[] =
		"8=FIX.4.2\0019=65\00135=A\00149=SERVER\00156=CLIENT\00134=177\001"
		"52=20090107-18:15:16\00198=0\001108=30\00110=062\001";
	struct fix_message m;
	const char *v;
	size_t skip, i;
	uint64_t n;

	for (i = 0; i < sizeof(known) - 1; i++)
		CU_ASSERT_EQUAL(fix_parse(known, i, &m, &skip), 0);
	CU_ASSERT_EQUAL_FATAL(
		fix_parse(known, sizeof(known) - 1, &m, &skip), (int64_t)sizeof(known) - 1);
	CU_ASSERT(fix_is(&m, 35, "A") && fix_is(&m, 49, "SERVER") && fix_is(&m, 108, "30"));
	CU_ASSERT(!fix_is(&m, 108, "3") && !fix_is(&m, 99, ""));
	CU_ASSERT(fix_get_number(&m, 34, &n) == 0 && n == 177);
	CU_ASSERT_EQUAL(fix_get_number(&m, 49, &n), -EBADMSG);
	CU_ASSERT_EQUAL(fix_get(&m, 10, &v), -ENOENT);
	CU_ASSERT_EQUAL(fix_get(&m, 9, &v), -ENOENT);
}

static void garbled_messages(void)
{
	static const char *const bad[] = {"9=5\00135=0\00110=161\001",
		"8=\0019=5\00135=0\00110=161\001", "8=FIX.4.2\0019=x\00135=0\00110=161\001",
		"8=FIX.4.2\0019=99999\00135=0\00110=161\001",
		"8=FIX.4.2\0019=5\00135=0\00110=162\001", "8=FIX.4.2\0019=4\00135=0\00110=160\001x",
		"8=FIX.4.2\0019=5\00134=0\00110=160\001", "8=FIX.4.2FIX.4.2FIX.4.2FIX.4.2FIX.4.2"};
	char two[512];
	struct fix_message m;
	size_t skip, n, at;
	unsigned i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_EQUAL(fix_parse(bad[i], strlen(bad[i]), &m, &skip), -EBADMSG);
		CU_ASSERT(skip > 0 && skip <= strlen(bad[i]));
	}
	/* What follows a garbled one is found. */
	n = make(two, "FIX.4.2", "35=0|34=1|");
	two[n - 2] = (char)(two[n - 2] == '9' ? '8' : two[n - 2] + 1);
	at = n;
	n += make(two + n, "FIX.4.2", "35=1|34=2|");
	CU_ASSERT_EQUAL(fix_parse(two, n, &m, &skip), -EBADMSG);
	CU_ASSERT_EQUAL(skip, at);
	CU_ASSERT_EQUAL(fix_parse(two + at, n - at, &m, &skip), (int64_t)(n - at));
	CU_ASSERT(fix_is(&m, 35, "1"));
}

static void prices_and_times(void)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t price;
	} table[] = {{"63.02", 0, 630200}, {"63", 0, 630000}, {"0.0001", 0, 1},
		{"63.020000", 0, 630200}, {"63.00001", -EBADMSG, 0}, {"-1", -EBADMSG, 0},
		{"1e5", -EBADMSG, 0}, {".5", -EBADMSG, 0}, {"99999999999999999999", -EBADMSG, 0},
		{"1.", 0, 10000}};
	struct fix_body b = {0};
	struct fix_message m;
	uint64_t price;
	unsigned i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		b.len = 0;
		fix_put(&b, 44, table[i].text);
		m = (struct fix_message){.body = b.text, .body_len = b.len};
		CU_ASSERT_EQUAL(fix_get_price(&m, 44, &price), table[i].rc);
		CU_ASSERT(table[i].rc || price == table[i].price);
	}
	b.len = 0;
	fix_put_price(&b, 44, 630200);
	fix_put_time(&b, 52, INT64_C(1709210096789) * 1000000); /* a leap day */
	CU_ASSERT_EQUAL(b.len, strlen("44=63.0200|52=20240229-12:34:56.789|"));
	CU_ASSERT_EQUAL(memcmp(b.text, "44=63.0200\00152=20240229-12:34:56.789\001", b.len), 0);
	CU_ASSERT(!b.full);
	fix_put(&b, 58, "a\001b");
	CU_ASSERT(b.full);
}

/* ---- two sessions --------------------------------------------------------------------------- */

static struct fix_session *a, *b; /* initiator, acceptor */
static uint64_t got[2], last[2];  /* application messages, and the number of the last one */
static unsigned ons, outs;
static int64_t now;

static void begin(bool reset, uint64_t a_in, uint64_t a_out, uint64_t b_in, uint64_t b_out)
{
	const struct fix_config ca = {.version = "FIX.4.4",
		.sender = "A",
		.target = "B",
		.reset = reset,
		.next_in = a_in,
		.next_out = a_out,
		.log2_kept = 4};
	const struct fix_config cb = {.version = "FIX.4.4",
		.sender = "B",
		.target = "A",
		.accepts = true,
		.next_in = b_in,
		.next_out = b_out,
		.log2_kept = 4};

	CU_ASSERT_EQUAL_FATAL(fix_open(&a, &ca), 0);
	CU_ASSERT_EQUAL_FATAL(fix_open(&b, &cb), 0);
	now = 1000 * S;
	ons = outs = 0;
	memset(got, 0, sizeof(got));
	memset(last, 0, sizeof(last));
	fix_connected(a, now);
	fix_connected(b, now);
}

static void end(void)
{
	fix_close(a);
	fix_close(b);
}

static void note(struct fix_session *at, const struct fix_event *ev)
{
	unsigned who = at == b;

	ons += ev->kind == FIX_LOGGED_ON;
	outs += ev->kind == FIX_LOGGED_OUT;
	if (ev->kind != FIX_APPLICATION)
		return;
	CU_ASSERT(ev->sequence > last[who]); /* each once, in order */
	last[who] = ev->sequence;
	got[who]++;
}

static void talk(void)
{
	while (fix_carry(a, b, now, note) + fix_carry(b, a, now, note) > 0)
		;
}

static uint64_t order(struct fix_session *s)
{
	struct fix_body body = {0};

	fix_put(&body, 55, "CVLT");
	return fix_send(s, "D", &body, now);
}

/* What one has to say is lost. */
static void lose(struct fix_session *s)
{
	const char *data;

	fix_taken(s, fix_out(s, &data));
}

static void logon_and_logout(void)
{
	uint64_t in, out;

	begin(false, 0, 0, 0, 0);
	CU_ASSERT_EQUAL(order(a), 0); /* not yet */
	talk();
	CU_ASSERT_EQUAL(ons, 2);
	CU_ASSERT_EQUAL(order(a), 2);
	talk();
	CU_ASSERT_EQUAL(got[1], 1);
	fix_log_out(a, "bye", now);
	talk();
	CU_ASSERT_EQUAL(outs, 2);
	CU_ASSERT(!fix_is_on(a) && !fix_is_on(b));
	fix_numbers(b, &in, &out);
	CU_ASSERT(in == 4 && out == 3);
	end();
}

/* Lost application messages come again, in order, each once; session messages are gap-filled. */
static void a_gap_is_filled(void)
{
	begin(false, 0, 0, 0, 0);
	talk();
	order(a);
	talk();
	order(a);
	order(a);
	now += 40 * S;
	fix_tick(a, now); /* a heartbeat, and a test request */
	order(a);
	lose(a);
	order(a);
	talk();
	CU_ASSERT_EQUAL(got[1], 5);
	CU_ASSERT_EQUAL(fix_counters(b)->gaps, 1);
	CU_ASSERT_EQUAL(fix_counters(a)->resent, 4); /* the last one, too: it came too early */
	CU_ASSERT(fix_counters(a)->gap_filled >= 1);
	CU_ASSERT(fix_is_on(a) && fix_is_on(b));
	order(a);
	talk();
	CU_ASSERT_EQUAL(got[1], 6);
	end();
}

/* What is kept no longer is gap-filled: it is lost, but the session goes on. */
static void older_than_is_kept(void)
{
	unsigned i;

	begin(false, 0, 0, 0, 0);
	talk();
	for (i = 0; i < 40; i++)
		order(a);
	lose(a);
	order(a);
	talk();
	CU_ASSERT(got[1] > 0 && got[1] <= 16);
	CU_ASSERT(fix_is_on(a) && fix_is_on(b));
	CU_ASSERT_EQUAL(last[1], 42);
	end();
}

/* After a restart: the numbers go on, and what the other has missed is filled. */
static void numbers_go_on(void)
{
	begin(false, 7, 12, 9, 7);
	talk();
	CU_ASSERT_EQUAL(ons, 2);
	CU_ASSERT_EQUAL(fix_counters(b)->gaps, 1);
	order(a);
	talk();
	CU_ASSERT_EQUAL(got[1], 1);
	end();
}

static void reset_on_logon(void)
{
	uint64_t in, out;

	begin(true, 7, 12, 9, 7);
	talk();
	CU_ASSERT_EQUAL(ons, 2);
	fix_numbers(a, &in, &out);
	CU_ASSERT(in == 2 && out == 2);
	fix_numbers(b, &in, &out);
	CU_ASSERT(in == 2 && out == 2);
	order(b);
	order(b);
	lose(b);
	order(b);
	talk();
	CU_ASSERT_EQUAL(got[0], 3);
	end();
}

static void too_low_is_the_end(void)
{
	begin(false, 0, 3, 9, 0);
	talk();
	CU_ASSERT_EQUAL(fix_counters(b)->refused, 1);
	CU_ASSERT(!fix_is_on(b));
	CU_ASSERT(ons == 0 && outs == 2); /* no Logon before the Logout */
	end();
}

static void strangers(void)
{
	static const char *const bad[] = {"35=A|49=X|56=B|34=1|108=30|",
		"35=A|49=A|56=X|34=1|108=30|", "35=0|49=A|56=B|34=1|", "35=A|49=A|56=B|",
		"35=TOOLONG|49=A|56=B|34=1|"};
	struct fix_event ev;
	char text[256];
	unsigned i;
	size_t n;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin(false, 0, 0, 0, 0);
		n = make(text, "FIX.4.4", bad[i]);
		CU_ASSERT_EQUAL(fix_input(b, text, n, now, &ev), (int64_t)n);
		CU_ASSERT_EQUAL(ev.kind, FIX_LOGGED_OUT);
		CU_ASSERT_EQUAL(fix_counters(b)->refused, 1);
		end();
	}
	begin(false, 0, 0, 0, 0);
	n = make(text, "FIX.4.2", "35=A|49=A|56=B|34=1|108=30|");
	fix_input(b, text, n, now, &ev);
	CU_ASSERT_EQUAL(ev.kind, FIX_LOGGED_OUT);
	CU_ASSERT_EQUAL(fix_input(b, "8=FIX.4.4\0019=5\00135=0\00110=000\001", 26, now, &ev), 26);
	CU_ASSERT_EQUAL(fix_counters(b)->garbled, 1);
	end();
}

/* A heartbeat each interval; a test request when the peer is silent, and the end when it stays so.
 */
static void silence(void)
{
	begin(false, 0, 0, 0, 0);
	talk();
	now += 30 * S;
	CU_ASSERT_EQUAL(fix_due(a), now);
	fix_tick(a, now);
	talk();
	CU_ASSERT_EQUAL(fix_counters(b)->in, 2);
	now += 36 * S; /* of b's silence by now: 66 s since its logon */
	CU_ASSERT_EQUAL(fix_tick(b, now), 0);
	CU_ASSERT_EQUAL(fix_counters(b)->test_requests, 1);
	talk(); /* a answers */
	CU_ASSERT(fix_is_on(b));
	now += 36 * S;
	fix_tick(b, now);
	CU_ASSERT_EQUAL(fix_counters(b)->test_requests, 2);
	lose(b);
	now += 36 * S;
	CU_ASSERT_EQUAL(fix_tick(b, now), -ETIMEDOUT);
	CU_ASSERT(!fix_is_on(b));
	CU_ASSERT_EQUAL(fix_due(b), INT64_MAX);
	end();
}

/* A gap that was filled is forgotten: the next one is asked for at once. */
static void gap_after_gap(void)
{
	unsigned i;

	begin(false, 0, 0, 0, 0);
	talk();
	for (i = 1; i <= 3; i++) {
		order(a);
		lose(a);
		order(a);
		talk();
		CU_ASSERT_EQUAL(got[1], 2 * i);
		CU_ASSERT_EQUAL(fix_counters(b)->gaps, i);
	}
	end();
}

/* A ResendRequest of some is answered with those, and nothing else. */
static void a_part_of_it(void)
{
	struct fix_event ev;
	char text[256];
	unsigned i;
	size_t n;

	begin(false, 0, 0, 0, 0);
	talk();
	for (i = 0; i < 5; i++)
		order(b); /* 2 to 6 */
	talk();
	n = make(text, "FIX.4.4", "35=2|49=A|56=B|34=2|7=3|16=4|");
	fix_input(b, text, n, now, &ev);
	CU_ASSERT_EQUAL(fix_counters(b)->resent, 2);
	n = make(text, "FIX.4.4", "35=2|49=A|56=B|34=3|7=9|16=0|"); /* there are not so many */
	fix_input(b, text, n, now, &ev);
	CU_ASSERT_EQUAL(fix_counters(b)->resent, 2);
	CU_ASSERT_EQUAL(fix_counters(b)->gap_filled, 0);
	end();
}

/* What is too long to be kept is gap-filled, and what is kept keeps its number. */
static void too_long_to_keep(void)
{
	const struct fix_config c = {.version = "FIX.4.4",
		.sender = "A",
		.target = "B",
		.log2_kept = 4,
		.kept_bytes = 80};
	struct fix_body body = {0};

	begin(false, 0, 0, 0, 0);
	fix_close(a);
	CU_ASSERT_EQUAL_FATAL(fix_open(&a, &c), 0);
	fix_connected(a, now);
	talk();
	fix_put(&body, 58,
		"a text that is longer than anything that is kept, all by itself, it is");
	CU_ASSERT_EQUAL(fix_send(a, "B", &body, now), 2);
	order(a);
	lose(a);
	order(a);
	talk();
	CU_ASSERT_EQUAL(fix_counters(a)->resent, 2);
	CU_ASSERT_EQUAL(fix_counters(a)->gap_filled, 1);
	CU_ASSERT(got[1] == 2 && last[1] == 4);
	end();
}

/* A reset is for the first Logon; what was sent before it is not sent again under its numbers. */
static void reset_once(void)
{
	uint64_t in, out;

	begin(true, 7, 12, 9, 7);
	talk();
	order(b);
	talk();
	fix_disconnected(a);
	fix_disconnected(b);
	CU_ASSERT_EQUAL(order(b), 0);
	fix_connected(a, now);
	fix_connected(b, now);
	talk();
	fix_numbers(b, &in, &out);
	CU_ASSERT(in == 3 && out == 4);
	fix_close(a);
	CU_ASSERT_EQUAL_FATAL(
		fix_open(&a,
			&(struct fix_config){
				.version = "FIX.4.4", .sender = "A", .target = "B", .reset = true}),
		0);
	fix_disconnected(b);
	fix_connected(a, now);
	fix_connected(b, now);
	memset(last, 0, sizeof(last));
	talk();
	got[0] = 0;
	order(b);
	lose(b);
	order(b);
	talk();
	CU_ASSERT_EQUAL(got[0], 2);
	CU_ASSERT_EQUAL(fix_counters(b)->resent, 2);
	end();
}

/* Numbers never go back, whatever a SequenceReset says. */
static void reset_backwards(void)
{
	struct fix_event ev;
	uint64_t in, out;
	char text[256];
	size_t n;

	begin(false, 0, 0, 0, 0);
	talk();
	order(a);
	order(a);
	talk();
	n = make(text, "FIX.4.4", "35=4|49=A|56=B|34=9|36=2|");
	fix_input(b, text, n, now, &ev);
	n = make(text, "FIX.4.4", "35=4|49=A|56=B|34=4|123=Y|36=2|");
	fix_input(b, text, n, now, &ev);
	fix_numbers(b, &in, &out);
	CU_ASSERT_EQUAL(in, 5);
	n = make(text, "FIX.4.4", "35=4|49=A|56=B|34=1|36=20|");
	fix_input(b, text, n, now, &ev);
	fix_numbers(b, &in, &out);
	CU_ASSERT_EQUAL(in, 20);
	end();
}

/* ---- what one says to a message ------------------------------------------------------------- */

static struct fix_event heard; /* by b */

/* b hears this of a; what it has said before is taken first. Returns what b says then, with '|' for
 * SOH. */
static const char *said(const char *fields)
{
	static char text[FIX_OUT_BYTES];
	const char *data;
	char in[256];
	size_t n, i;

	lose(b);
	n = make(in, "FIX.4.4", fields);
	CU_ASSERT_EQUAL(fix_input(b, in, n, now, &heard), (int64_t)n);
	n = fix_out(b, &data);
	for (i = 0; i < n; i++)
		text[i] = data[i] == 1 ? '|' : data[i];
	text[n] = '\0';
	return text;
}

static bool says(const char *fields, const char *what)
{
	return strstr(said(fields), what) != NULL;
}

/* A number that was there before: the end, unless the message says that it comes again. */
static void low_numbers(void)
{
	uint64_t in, out;

	begin(false, 0, 0, 0, 0);
	talk();
	order(a);
	order(a);
	talk();
	CU_ASSERT_STRING_EQUAL(said("35=D|49=A|56=B|34=2|43=Y|55=X|"), "");
	CU_ASSERT_EQUAL(heard.kind, FIX_NOTHING);
	CU_ASSERT_EQUAL(fix_counters(b)->duplicates, 1);
	fix_numbers(b, &in, &out);
	CU_ASSERT_EQUAL(in, 4);
	CU_ASSERT(fix_is_on(b));
	CU_ASSERT_TRUE(says("35=D|49=A|56=B|34=2|55=X|", "|35=5|"));
	CU_ASSERT_TRUE(strstr(said("35=0|49=A|56=B|34=4|"), "35=") == NULL); /* it is over */
	CU_ASSERT_EQUAL(heard.kind, FIX_NOTHING);
	CU_ASSERT(!fix_is_on(b));
	fix_numbers(b, &in, &out);
	CU_ASSERT_EQUAL(in, 4);
	end();
}

/* The initiator's interval is the session's; one that nobody can mean is not. */
static void intervals(void)
{
	begin(false, 0, 0, 0, 0);
	CU_ASSERT_TRUE(says("35=A|49=A|56=B|34=1|98=0|108=10|", "|108=10|"));
	CU_ASSERT_EQUAL(fix_due(b), now + 10 * S);
	end();
	begin(false, 0, 0, 0, 0);
	CU_ASSERT_TRUE(says("35=A|49=A|56=B|34=1|98=0|108=86401|", "|108=30|"));
	end();
	begin(false, 0, 0, 0, 0);
	CU_ASSERT_TRUE(says("35=A|49=A|56=B|34=1|98=0|108=86400|", "|108=86400|"));
	end();
}

/* An acceptor says that it has reset, too, and once. */
static void a_reset_is_answered(void)
{
	begin(false, 0, 0, 9, 7);
	CU_ASSERT_TRUE(says("35=A|49=A|56=B|34=1|98=0|108=30|141=Y|", "|141=Y|"));
	CU_ASSERT_EQUAL(heard.kind, FIX_LOGGED_ON);
	fix_disconnected(b);
	fix_connected(b, now);
	CU_ASSERT_FALSE(says("35=A|49=A|56=B|34=2|98=0|108=30|", "|141=Y|"));
	CU_ASSERT_EQUAL(heard.kind, FIX_LOGGED_ON);
	end();
}

static void session_messages(void)
{
	begin(false, 0, 0, 0, 0);
	talk();
	CU_ASSERT_TRUE(says("35=1|49=A|56=B|34=2|112=here?|", "|35=0|"));
	CU_ASSERT_TRUE(says("35=1|49=A|56=B|34=3|112=there?|", "|112=there?|"));
	CU_ASSERT_STRING_EQUAL(said("35=3|49=A|56=B|34=4|45=2|"), "");
	CU_ASSERT_EQUAL(heard.kind, FIX_REJECTED);
	CU_ASSERT_STRING_EQUAL(said("35=0|49=A|56=B|34=5|"), "");
	CU_ASSERT_TRUE(says("35=5|49=A|56=B|34=6|", "|35=5|"));
	CU_ASSERT_EQUAL(heard.kind, FIX_LOGGED_OUT);
	end();
	begin(false, 0, 0, 0, 0);
	talk();
	fix_log_out(b, "enough", now); /* the answer to a Logout is not answered */
	CU_ASSERT_STRING_EQUAL(said("35=5|49=A|56=B|34=2|"), "");
	CU_ASSERT_EQUAL(heard.kind, FIX_LOGGED_OUT);
	end();
}

/* What comes again says so, and when it came first; what is filled says that. */
static void resent_as_such(void)
{
	const char *text;

	begin(false, 0, 0, 0, 0);
	talk();
	order(b); /* 2, at 0:16:40 */
	talk();
	now += 5 * S;
	fix_log_out(b, "enough", now); /* 3, which is of the session */
	text = said("35=2|49=A|56=B|34=2|7=2|16=0|");
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "|35=D|49=B|56=A|34=2|43=Y|52=19700101-00:16:45.000|"
					    "122=19700101-00:16:40.000|55=CVLT|10="));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "|35=4|49=B|56=A|34=3|43=Y|"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "|123=Y|36=4|10="));
	end();
	begin(false, 0, 0, 0, 0); /* a range that ends before it begins */
	talk();
	order(b);
	order(b);
	talk();
	CU_ASSERT_STRING_EQUAL(said("35=2|49=A|56=B|34=2|7=3|16=1|"), "");
	CU_ASSERT_TRUE(fix_is_ready(b));
	end();
}

/* A ResendRequest that got lost is made again, once an interval. */
static void asked_again(void)
{
	begin(false, 0, 0, 0, 0);
	talk();
	CU_ASSERT_TRUE(says("35=D|49=A|56=B|34=3|55=X|", "|35=2|"));
	CU_ASSERT_STRING_EQUAL(said("35=D|49=A|56=B|34=3|55=X|"), "");
	now += 30 * S - 1;
	CU_ASSERT_STRING_EQUAL(said("35=D|49=A|56=B|34=5|55=X|"), "");
	now += 1;
	CU_ASSERT_TRUE(says("35=D|49=A|56=B|34=6|55=X|", "|7=2|16=0|"));
	CU_ASSERT_EQUAL(fix_counters(b)->gaps, 2);
	end();
}

/* The peer may be silent for its interval and a fifth of it; then it is asked, once. Who does not
 * log on in that time is given up. */
static void patience(void)
{
	begin(false, 0, 0, 0, 0);
	talk();
	now += 36 * S - 1;
	fix_tick(b, now);
	CU_ASSERT_EQUAL(fix_counters(b)->test_requests, 0);
	now += 1;
	fix_tick(b, now);
	fix_tick(b, now + S);
	CU_ASSERT_EQUAL(fix_counters(b)->test_requests, 1);
	end();
	begin(false, 0, 0, 0, 0);
	CU_ASSERT_EQUAL(fix_due(b), now + 36 * S);
	CU_ASSERT_EQUAL(fix_tick(b, now + 36 * S - 1), 0);
	CU_ASSERT_EQUAL(fix_tick(b, now + 36 * S), -ETIMEDOUT);
	end();
}

/* A prepared message is something said: no heartbeat is due for an interval after it. */
static void prepared_and_sent(void)
{
	struct fix_body body = {0};
	struct fix_prepared p;

	begin(false, 0, 0, 0, 0);
	talk();
	fix_put(&body, 55, "CVLT");
	CU_ASSERT_EQUAL(fix_prepare(a, "D", &body, &p), 0);
	now += 20 * S;
	CU_ASSERT_EQUAL(fix_send_prepared(a, &p, now), 2);
	order(b);
	talk();
	CU_ASSERT_EQUAL(fix_due(a), now + 30 * S);
	CU_ASSERT_EQUAL(got[1], 1);
	end();
}

static void bad_configs(void)
{
	struct fix_config c = {.version = "FIX.4.3", .sender = "A", .target = "B"};
	struct fix_session *s;

	CU_ASSERT_EQUAL(fix_open(&s, &c), -EINVAL);
	c.version = "FIX.4.2";
	c.sender = "";
	CU_ASSERT_EQUAL(fix_open(&s, &c), -EINVAL);
	c.sender = "A\001B";
	CU_ASSERT_EQUAL(fix_open(&s, &c), -EINVAL);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"a message", a_message},
		{"garbled messages", garbled_messages},
		{"prices and times", prices_and_times},
		{"logon and logout", logon_and_logout},
		{"a gap is filled", a_gap_is_filled},
		{"older than is kept", older_than_is_kept},
		{"numbers go on", numbers_go_on},
		{"reset on logon", reset_on_logon},
		{"too low is the end", too_low_is_the_end},
		{"strangers", strangers},
		{"silence", silence},
		{"gap after gap", gap_after_gap},
		{"a part of it", a_part_of_it},
		{"too long to keep", too_long_to_keep},
		{"reset once", reset_once},
		{"reset backwards", reset_backwards},
		{"low numbers", low_numbers},
		{"intervals", intervals},
		{"a reset is answered", a_reset_is_answered},
		{"session messages", session_messages},
		{"resent as such", resent_as_such},
		{"asked again", asked_again},
		{"patience", patience},
		{"prepared and sent", prepared_and_sent},
		{"bad configs", bad_configs},
		{NULL, NULL},
	};

	return suite_main("fix", cases, argc, argv);
}
