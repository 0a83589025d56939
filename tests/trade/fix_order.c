/* SPDX-License-Identifier: BSD-3-Clause
 * Orders by FIX, from a desk to a market and back, with nothing between the two sessions: 4.2 and
 * 4.4 sessions, on markets of either OUCH.
 */
#include "apps/trade/fix_order.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apps/trade/fix_venue.h"
#include "tests/suite.h"
#include "tests/trade/fix_carry.h"

#define S INT64_C(1000000000)

static struct desk d;
static struct market *m;
static struct fix_session *client, *server;
static struct fix_order_desk orders;
static struct fix_venue *venue;
static int64_t now;
static unsigned outs, rejects; /* logouts; reports that are about no order */
static char last_type[4];      /* of the application message that the client heard last */
static char last[FIX_MESSAGE_MAX];
static char goodbye[256]; /* the body of the last Logout */
static size_t last_len;

static const struct setting {
	const char *version;
	enum ouch_version market;
} settings[] = {
	{"FIX.4.2", OUCH_50}, {"FIX.4.4", OUCH_50}, {"FIX.4.2", OUCH_42}, {"FIX.4.4", OUCH_42}};

/* ---- the two ends --------------------------------------------------------------------------- */

static void hear(const struct fix_event *ev)
{
	struct ouch report;

	outs += ev->kind == FIX_LOGGED_OUT;
	if (ev->kind == FIX_LOGGED_OUT)
		snprintf(goodbye, sizeof(goodbye), "%.*s", (int)ev->message.body_len,
			ev->message.body);
	if (ev->kind != FIX_APPLICATION)
		return;
	memcpy(last_type, ev->type, sizeof(last_type));
	memcpy(last, ev->message.body, ev->message.body_len);
	last_len = ev->message.body_len;
	if (fix_order_report(ev, &report) == 0)
		desk_report(&d, &report);
	else
		rejects++;
}

static void take(struct fix_session *at, const struct fix_event *ev)
{
	if (at == client)
		hear(ev);
	else if (ev->kind == FIX_APPLICATION)
		fix_venue_input(venue, ev, now, now);
}

static size_t carry(struct fix_session *from, struct fix_session *to)
{
	return fix_carry(from, to, now, take);
}

static void talk(void)
{
	unsigned rounds = 0;

	do {
		fix_venue_report(venue, now);
		CU_ASSERT_FATAL(++rounds < 1000);
	} while (carry(client, server) + carry(server, client) > 0);
}

static void log_on(void)
{
	fix_connected(client, now);
	fix_connected(server, now);
	talk();
	d.session_open = fix_is_on(client);
}

static void open_client(const struct setting *as, uint64_t next_out)
{
	const struct fix_config cfg = {.version = as->version,
		.sender = "perch",
		.target = "VENUE",
		.next_in = 1,
		.next_out = next_out,
		.password = "secret"};
	const struct desk_limits limits = {.max_open = 64};

	CU_ASSERT_EQUAL_FATAL(desk_open(&d, OUCH_50, &limits, next_out, ""), 0);
	CU_ASSERT_EQUAL(desk_symbol(&d, "LONGNAME"), 0);
	CU_ASSERT_EQUAL(desk_symbol(&d, "A"), 1);
	CU_ASSERT_EQUAL_FATAL(fix_open(&client, &cfg), 0);
	CU_ASSERT_EQUAL_FATAL(fix_order_open(&orders, as->version, client, &d), 0);
}

static void close_client(void)
{
	fix_order_close(&orders);
	fix_close(client);
	desk_close(&d);
}

static void begin(const struct setting *as)
{
	const struct market_config market = {
		.version = as->market, .max_orders = 256, .log2_reports = 10, .log2_feed = 10};
	const struct fix_config cfg = {.version = as->version,
		.sender = "VENUE",
		.target = "perch",
		.accepts = true,
		.log2_kept = 12,
		.password = "secret"};

	now = 1000 * S;
	outs = rejects = 0;
	CU_ASSERT_EQUAL_FATAL(market_open(&m, &market), 0);
	market_symbol(m, "LONGNAME", 0);
	market_symbol(m, "A", 0);
	market_account(m, "perch", "secret");
	market_phase(m, true, 0);
	CU_ASSERT_EQUAL_FATAL(fix_open(&server, &cfg), 0);
	CU_ASSERT_EQUAL_FATAL(fix_venue_open(&venue, m, as->market, 0, server, as->version), 0);
	open_client(as, 1);
	log_on();
	CU_ASSERT_FATAL(fix_is_on(client) && fix_is_on(server));
}

static void end(void)
{
	close_client();
	fix_venue_close(venue);
	fix_close(server);
	market_close(m);
}

static uint64_t enter(uint16_t symbol, char side, uint32_t shares, uint64_t price, bool ioc)
{
	const struct desk_intent i = {
		.symbol = symbol, .side = side, .ioc = ioc, .shares = shares, .price = price};
	uint64_t ref = 0;

	CU_ASSERT_EQUAL(desk_admit(&d, &i, now, &ref), DESK_ok);
	CU_ASSERT(fix_order_enter(&orders, &i, ref, now));
	talk();
	return ref;
}

static bool heard(unsigned tag, const char *value)
{
	const struct fix_message msg = {.body = last, .body_len = last_len};

	return fix_is(&msg, tag, value);
}

/* A message of the client's that no desk of ours would send. */
static void say(const char *type, const char *fields)
{
	struct fix_body b = {0};
	char *at;

	b.len = (size_t)snprintf(b.text, sizeof(b.text), "%s", fields);
	for (at = b.text; *at; at++)
		*at = *at == '|' ? 1 : *at;
	CU_ASSERT(fix_send(client, type, &b, now) > 0);
	talk();
}

/* ---- cases ---------------------------------------------------------------------------------- */

/* What is patched is what would have been written. */
static void prepared_orders(void)
{
	const struct desk_intent i = {
		.symbol = 1, .side = 'T', .ioc = true, .shares = 225, .price = 630200};
	struct fix_message msg;
	const char *data;
	uint64_t n;
	size_t skip, len;
	unsigned k;

	begin(&settings[1]);
	for (k = 0; k < 2; k++) { /* in the second that was written out, and in one that was not */
		now = INT64_C(1709210096789) * 1000000 + k * 999 * 1000000;
		CU_ASSERT(fix_order_enter(&orders, &i, 113 + k, now));
		len = fix_out(client, &data);
		CU_ASSERT_EQUAL(fix_parse(data, len, &msg, &skip), (int64_t)len);
		CU_ASSERT(fix_is(&msg, 35, "D") && fix_is(&msg, 49, "perch"));
		CU_ASSERT(fix_get_number(&msg, 34, &n) == 0 && n == 2 + k);
		CU_ASSERT(fix_get_number(&msg, 11, &n) == 0 && n == 113 + k);
		CU_ASSERT(fix_get_number(&msg, 38, &n) == 0 && n == 225);
		CU_ASSERT(fix_get_price(&msg, 44, &n) == 0 && n == 630200);
		CU_ASSERT(fix_is(&msg, 54, "5") && fix_is(&msg, 59, "3") && fix_is(&msg, 55, "A"));
		CU_ASSERT(fix_is(&msg, 52, k ? "20240229-12:34:57.788" : "20240229-12:34:56.789"));
		CU_ASSERT(fix_is(&msg, 60, k ? "20240229-12:34:57.788" : "20240229-12:34:56.789"));
		fix_taken(client, len);
	}
	now += 5000000; /* digits of the millisecond alone */
	CU_ASSERT(fix_order_enter(&orders, &i, 115, now));
	len = fix_out(client, &data);
	CU_ASSERT_EQUAL(fix_parse(data, len, &msg, &skip), (int64_t)len);
	CU_ASSERT(fix_is(&msg, 52, "20240229-12:34:57.793"));
	CU_ASSERT(fix_is(&msg, 60, "20240229-12:34:57.793"));
	end();
}

/* What is written is what the next order is; the session is where it was. */
static void rehearsed_in(const struct setting *as)
{
	const struct desk_intent i = {
		.symbol = 1, .side = 'S', .ioc = true, .shares = 7, .price = 5};
	struct fix_counters before;
	char out[FIX_PREPARED_MAX];
	uint64_t in_0, out_0, in_1, out_1;
	const char *data;
	size_t len;

	begin(as);
	now += S;
	before = *fix_counters(client);
	fix_numbers(client, &in_0, &out_0);
	len = fix_order_rehearse(&orders, &i, 4711, now, out);
	CU_ASSERT_FATAL(len > 0);
	fix_numbers(client, &in_1, &out_1);
	CU_ASSERT(in_0 == in_1 && out_0 == out_1);
	CU_ASSERT_EQUAL(memcmp(&before, fix_counters(client), sizeof(before)), 0);
	CU_ASSERT_EQUAL(fix_out(client, &data), 0);
	CU_ASSERT(fix_order_enter(&orders, &i, 4711, now));
	CU_ASSERT_EQUAL(fix_out(client, &data), len);
	CU_ASSERT_EQUAL(memcmp(out, data, len), 0);
	fix_taken(client, len);
	fix_disconnected(client);
	CU_ASSERT_EQUAL(fix_order_rehearse(&orders, &i, 4712, now, out), 0);
	end();
}

static void rehearsed(void)
{
	unsigned k;

	for (k = 0; k < sizeof(settings) / sizeof(settings[0]); k++)
		rehearsed_in(&settings[k]);
}

static void orders_live_and_die(void)
{
	unsigned i;

	for (i = 0; i < 4; i++) {
		begin(&settings[i]);
		market_house(m, 0, 'S', 300, 101000, now);
		enter(0, 'B', 500, 101000, false); /* 300 trade, 200 rest */
		CU_ASSERT_EQUAL(d.symbols[0].position, 300);
		CU_ASSERT_EQUAL(d.symbols[0].open_buy, 200);
		CU_ASSERT(heard(150, i % 2 ? "F" : "1") && heard(39, "1") && heard(32, "300"));
		CU_ASSERT(heard(14, "300") && heard(151, "200") && heard(6, "10.1000"));
		market_house(m, 0, 'S', 200, 101000, now);
		talk();
		CU_ASSERT(heard(39, "2") && heard(14, "500") && heard(151, "0"));
		CU_ASSERT(heard(20, "0") == (i % 2 == 0));
		CU_ASSERT_EQUAL(d.symbols[0].position, 500);
		CU_ASSERT_EQUAL(d.open, 0);
		enter(1, 'S', 100, 50000, true); /* nobody there: it expires */
		CU_ASSERT(heard(39, "4") && heard(150, "4"));
		CU_ASSERT(d.open == 0 && d.canceled == 1 && d.symbols[1].position == 0);
		market_house(m, 1, 'B', 50, 50000, now);
		enter(1, 'S', 100, 50000, true);
		CU_ASSERT(d.open == 0 && d.symbols[1].position == -50);
		CU_ASSERT_EQUAL(d.accepted, 3);
		CU_ASSERT(d.unknown == 0 && rejects == 0);
		end();
	}
}

static void refused_orders(void)
{
	unsigned i;

	for (i = 0; i < 4; i++) {
		begin(&settings[i]);
		enter(0, 'B', 2000000, 10000, false); /* more than the market takes */
		CU_ASSERT(heard(150, "8") && heard(39, "8"));
		CU_ASSERT(d.rejected == 1 && d.open == 0);
		say("D", "11=x|54=1|38=1|40=1|44=1|55=A|");
		CU_ASSERT(heard(150, "8") && heard(58, "OrdType is not 2, limit"));
		say("D", "11=x|54=9|38=1|40=2|44=1|55=A|");
		CU_ASSERT(heard(58, "Side is not 1, 2, 5 or 6"));
		say("D", "11=x|54=1|38=1|40=2|44=1|59=4|55=A|");
		CU_ASSERT(heard(58, "TimeInForce is neither 0 nor 3"));
		say("D", "11=x|54=1|40=2|44=1|55=A|");
		CU_ASSERT(heard(58, "no OrderQty"));
		say("D", "11=x|54=1|38=1|40=2|55=A|");
		CU_ASSERT(heard(58, "no Price, or too large a one"));
		say("D", "54=1|38=1|40=2|44=1|55=A|");
		CU_ASSERT(strcmp(last_type, "j") == 0 && heard(380, "5"));
		say("D", "11=x|54=1|38=1|40=2|44=1|55=A|");
		CU_ASSERT(heard(150, "0"));
		say("D", "11=x|54=1|38=1|40=2|44=1|55=A|");
		CU_ASSERT(heard(150, "8") && heard(58, "duplicate ClOrdID"));
		say("H", "11=x|");
		CU_ASSERT(strcmp(last_type, "j") == 0 && heard(380, "3") && heard(372, "H"));
		end();
	}
}

static void one_by_one(const struct setting *as)
{
	const struct desk_order *o;
	uint32_t cursor = 0;

	begin(as);
	enter(0, 'B', 100, 10000, false);
	enter(0, 'S', 100, 20000, false);
	desk_kill(&d);
	while ((o = desk_next_open(&d, &cursor)))
		CU_ASSERT(fix_order_cancel(&orders, o, now));
	talk();
	CU_ASSERT(d.open == 0 && d.canceled == 2);
	CU_ASSERT(heard(41, "00000000000002") && heard(11, "C0000000000002"));
	say("F", "11=late|41=00000000000001|55=LONGNAME|54=1|38=1|");
	CU_ASSERT(strcmp(last_type, "9") == 0 && heard(434, "1") && heard(102, "1"));
	market_house(m, 0, 'S', 100, 30000, now);
	say("D", "11=done|54=1|38=100|40=2|44=3|55=LONGNAME|");
	CU_ASSERT(heard(39, "2"));
	say("F", "11=later|41=done|");
	CU_ASSERT(strcmp(last_type, "9") == 0);
	say("F", "11=late|");
	CU_ASSERT(strcmp(last_type, "j") == 0 && heard(380, "5"));
	end();
}

static void all_at_once(const struct setting *as, bool can)
{
	begin(as);
	enter(0, 'B', 100, 10000, false);
	enter(1, 'S', 100, 20000, false);
	CU_ASSERT_EQUAL(fix_order_cancel_all(&orders, now), can);
	talk();
	CU_ASSERT_EQUAL(d.open, can ? 0 : 2);
	if (can) {
		CU_ASSERT(strcmp(last_type, "r") == 0 && heard(531, "7"));
		CU_ASSERT(heard(11, "M0000000000001"));
		CU_ASSERT(fix_order_cancel_all(&orders, now)); /* nothing is open: another name */
		talk();
		CU_ASSERT(strcmp(last_type, "r") == 0 && heard(11, "M0000000000002"));
		enter(1, 'S', 100, 20000, false);
		say("q", "11=m|530=1|55=A|");
		CU_ASSERT(heard(531, "0") && d.open == 1);
	} else {
		say("q", "11=m|530=7|");
		CU_ASSERT(strcmp(last_type, "j") == 0 && d.open == 2);
	}
	end();
}

static void cancels(void)
{
	unsigned i;

	for (i = 0; i < 4; i++) {
		one_by_one(&settings[i]);
		all_at_once(&settings[i], i % 2 == 1);
	}
}

static void replaces(void)
{
	unsigned i;

	for (i = 0; i < 4; i++) {
		begin(&settings[i]);
		market_house(m, 1, 'S', 30, 10000, now);
		say("D", "11=one|54=1|38=100|40=2|44=1|55=A|");
		CU_ASSERT(heard(39, "1") && heard(151, "70"));
		say("G", "11=two|41=one|54=1|38=150|40=2|44=1.5|55=A|");
		CU_ASSERT(heard(150, "5") && heard(41, "one") && heard(11, "two"));
		CU_ASSERT(heard(151, "120") && heard(14, "30"));
		say("F", "11=x|41=one|"); /* which is no more */
		CU_ASSERT(strcmp(last_type, "9") == 0);
		market_house(m, 1, 'S', 120, 15000, now);
		talk();
		CU_ASSERT(heard(11, "two") && heard(39, "2") && heard(14, "150"));
		CU_ASSERT(heard(6, "1.4000"));
		say("G", "11=three|41=two|54=1|38=1|40=2|44=1|55=A|");
		CU_ASSERT(strcmp(last_type, "9") == 0 && heard(434, "2"));
		say("D", "11=four|54=1|38=100|40=2|44=1|55=A|");
		say("G", "11=five|41=four|54=1|38=2000000|40=2|44=1|55=A|");
		CU_ASSERT(strcmp(last_type, "9") == 0 && heard(41, "four"));
		say("F", "11=six|41=four|");
		CU_ASSERT(heard(39, "4") && heard(11, "six"));
		end();
	}
}

/* A new process: what it was comes back from the first report on; old orders do not go again. */
static void after_a_kill(void)
{
	unsigned i;

	for (i = 0; i < 4; i++) {
		begin(&settings[i]);
		market_house(m, 0, 'S', 300, 101000, now);
		enter(0, 'B', 500, 101000, false);
		close_client();
		fix_disconnected(server);
		market_house(m, 0, 'S', 50, 101000, now); /* nobody listens */
		open_client(&settings[i], 1000);
		log_on();
		talk();
		CU_ASSERT(d.adopted == 1 && d.symbols[0].position == 350);
		CU_ASSERT_EQUAL(d.symbols[0].open_buy, 150);
		CU_ASSERT_EQUAL(fix_counters(server)->gaps, 1);
		CU_ASSERT_EQUAL(fix_counters(client)->resent, 0);
		enter(0, 'B', 100, 90000, false);
		CU_ASSERT_EQUAL(d.symbols[0].open_buy, 250);
		end();
	}
}

/* After the kill switch a ResendRequest gets gap fills. */
static void forgotten_orders(void)
{
	const struct desk_intent i = {.side = 'B', .shares = 100, .price = 10000};
	const char *data;
	uint64_t ref;

	begin(&settings[1]);
	desk_admit(&d, &i, now, &ref);
	fix_order_enter(&orders, &i, ref, now);
	fix_taken(client, fix_out(client, &data)); /* lost */
	fix_forget(client);
	fix_order_cancel_all(&orders, now);
	talk();
	CU_ASSERT_EQUAL(market_counters(m)->orders, 0);
	CU_ASSERT_EQUAL(market_counters(m)->mass_cancels, 1);
	CU_ASSERT(fix_counters(client)->gap_filled > 0);
	end();
}

/* More than fix_out holds is sent again, a part at a time, and nothing overtakes it. */
static void a_long_resend(void)
{
	char fields[64];
	unsigned i;

	begin(&settings[1]);
	for (i = 0; i < 900; i++) {
		snprintf(fields, sizeof(fields), "11=o%u|54=1|38=1|40=2|44=1|59=3|55=A|", i);
		say("D", fields);
	}
	close_client();
	fix_disconnected(server);
	open_client(&settings[1], 5000);
	fix_connected(client, now);
	fix_connected(server, now);
	carry(client, server);
	carry(server, client);
	carry(client, server);
	CU_ASSERT(fix_is_on(server) && !fix_is_ready(server));
	market_cancel_all(m, 0, NULL, 'U', now);
	talk();
	d.session_open = true;
	CU_ASSERT(fix_is_ready(server));
	CU_ASSERT_EQUAL(fix_counters(server)->resent, 1800);
	CU_ASSERT_EQUAL(fix_counters(client)->gaps, 1);
	enter(0, 'B', 100, 90000, false);
	CU_ASSERT_EQUAL(d.symbols[0].open_buy, 100);
	end();
}

static void wrong_password(void)
{
	struct fix_config cfg = {
		.version = "FIX.4.4", .sender = "perch", .target = "VENUE", .password = "wrong"};
	struct fix_session *right;
	uint64_t out;

	begin(&settings[1]);
	right = client;
	fix_numbers(server, &cfg.next_out, &out); /* nothing but the password is wrong */
	CU_ASSERT_EQUAL_FATAL(fix_open(&client, &cfg), 0);
	fix_disconnected(server);
	log_on();
	CU_ASSERT(!fix_is_on(client) && !fix_is_on(server) && outs == 1);
	CU_ASSERT_EQUAL(fix_counters(server)->refused, 1);
	CU_ASSERT_PTR_NOT_NULL(memmem(goodbye, sizeof(goodbye), "58=unknown user or password", 27));
	fix_close(client);
	client = right;
	end();
}

static void odd_reports(void)
{
	static const struct {
		const char *type, *fields;
		int rc;
	} table[] = {{"8", "11=1|150=0|", -EBADMSG}, {"8", "11=1|150=F|32=1|", -EBADMSG},
		{"8", "150=F|32=1|31=1|", -EBADMSG}, {"8", "11=1|", -EBADMSG},
		{"8", "11=1|150=D|", -ENOMSG}, {"8", "11=1|150=2|20=1|", 0},
		{"8", "11=1|150=C|", 0},
		{"9", "11=1|", -EBADMSG}, {"j", "45=1|", -ENOMSG}, {"j", "379=7|", 0},
		{"B", "148=news|", -ENOMSG}, {"8", "11=1|150=0|55=TOOLONGNAME|151=1|", -EBADMSG}};
	char text[128], *at;
	struct fix_event ev = {0};
	struct ouch out;
	unsigned i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		snprintf(text, sizeof(text), "%s", table[i].fields);
		for (at = text; *at; at++)
			*at = *at == '|' ? 1 : *at;
		snprintf(ev.type, sizeof(ev.type), "%s", table[i].type);
		ev.message = (struct fix_message){.body = text, .body_len = strlen(text)};
		CU_ASSERT_EQUAL(fix_order_report(&ev, &out), table[i].rc);
	}
}

/* An acceptance says enough for an order to be adopted; one that has nothing left is dead. */
static void acceptances(void)
{
	char text[] = "11=7|150=0|55=A|54=2|151=30|44=1.5|";
	struct fix_event ev = {.type = "8"};
	struct ouch out;
	char *at;

	for (at = text; *at; at++)
		*at = *at == '|' ? 1 : *at;
	ev.message = (struct fix_message){.body = text, .body_len = strlen(text)};
	CU_ASSERT_EQUAL(fix_order_report(&ev, &out), 0);
	CU_ASSERT(out.type == OUCH_ACCEPTED && out.ref == 7 && out.side == 'S');
	CU_ASSERT(out.shares == 30 && out.price == 15000 && out.state == 'L');
	CU_ASSERT_STRING_EQUAL(out.symbol, "A");
	memcpy(strstr(text, "54=2"), "54=1", 4);
	memcpy(strstr(text, "151=30"), "151=00", 6);
	CU_ASSERT_EQUAL(fix_order_report(&ev, &out), 0);
	CU_ASSERT(out.side == 'B' && out.shares == 0 && out.state == 'D');
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"prepared orders", prepared_orders},
		{"rehearsed", rehearsed},
		{"orders live and die", orders_live_and_die},
		{"refused orders", refused_orders},
		{"cancels", cancels},
		{"replaces", replaces},
		{"after a kill", after_a_kill},
		{"forgotten orders", forgotten_orders},
		{"a long resend", a_long_resend},
		{"wrong password", wrong_password},
		{"odd reports", odd_reports},
		{"acceptances", acceptances},
		{NULL, NULL},
	};

	return suite_main("fix order", cases, argc, argv);
}
