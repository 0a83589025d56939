/* SPDX-License-Identifier: BSD-3-Clause
 * Our FIX session against QuickFIX's, over loopback, FIX 4.2 and 4.4: logon, orders and reports, a
 * test request, messages lost in either direction, logout.
 */
#include <cassert>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <quickfix/Application.h>
#include <quickfix/MessageStore.h>
#include <quickfix/NullStore.h>
#include <quickfix/Session.h>
#include <quickfix/SessionSettings.h>
#include <quickfix/SocketAcceptor.h>

extern "C" {
#include "apps/trade/fix_order.h"
}

/* ---- QuickFIX's side: answers each order with a report of the same ClOrdID -------------------- */

class Venue : public FIX::Application {
      public:
	std::mutex lock;
	std::vector<std::string> orders, heartbeats;
	double last_price = 0, last_shares = 0;
	std::string last_symbol;

	void onCreate(const FIX::SessionID &) override {}
	void onLogon(const FIX::SessionID &) override {}
	void onLogout(const FIX::SessionID &) override {}
	void toAdmin(FIX::Message &, const FIX::SessionID &) override {}
	void toApp(FIX::Message &, const FIX::SessionID &) throw(FIX::DoNotSend) override {}
	void fromAdmin(const FIX::Message &m, const FIX::SessionID &) throw(FIX::FieldNotFound,
		FIX::IncorrectDataFormat, FIX::IncorrectTagValue, FIX::RejectLogon) override
	{
		if (m.getHeader().getField(35) == "0" && m.isSetField(112)) {
			std::lock_guard<std::mutex> held(lock);
			heartbeats.push_back(m.getField(112));
		}
	}
	void fromApp(const FIX::Message &m, const FIX::SessionID &id) throw(FIX::FieldNotFound,
		FIX::IncorrectDataFormat, FIX::IncorrectTagValue, FIX::UnsupportedMessageType) override
	{
		FIX::Message report;

		{
			std::lock_guard<std::mutex> held(lock);
			orders.push_back(m.getField(11));
			last_price = FIX::DoubleConvertor::convert(m.getField(44));
			last_shares = FIX::DoubleConvertor::convert(m.getField(38));
			last_symbol = m.getField(55);
		}
		report.getHeader().setField(35, "8");
		report.setField(11, m.getField(11));
		report.setField(39, "0");
		FIX::Session::sendToTarget(report, id);
	}
	size_t count()
	{
		std::lock_guard<std::mutex> held(lock);
		return orders.size();
	}
};

/* ---- our side ------------------------------------------------------------------------------- */

struct client {
	struct fix_session *s;
	int fd;
	char in[1 << 16];
	size_t len;
	std::vector<std::string> reports;
	bool on, out, lose_next_report;
};

static int64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t now_ns()
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void flush(client &c)
{
	const char *data;
	size_t n = fix_out(c.s, &data);

	while (n > 0) {
		ssize_t w = write(c.fd, data, n);

		if (w <= 0)
			return;
		fix_taken(c.s, (size_t)w);
		n = fix_out(c.s, &data);
	}
}

static void take(client &c, const fix_event &ev)
{
	const char *v;
	int n;

	c.on |= ev.kind == FIX_LOGGED_ON;
	c.out |= ev.kind == FIX_LOGGED_OUT;
	if (ev.kind == FIX_APPLICATION && (n = fix_get(&ev.message, 11, &v)) > 0)
		c.reports.push_back(std::string(v, (size_t)n));
}

/* Whole messages of what has come; one report can be made to vanish before the session sees it. */
static void feed(client &c)
{
	struct fix_message m;
	struct fix_event ev;
	size_t skip;
	int64_t n;

	while ((n = fix_parse(c.in, c.len, &m, &skip)) > 0) {
		if (c.lose_next_report && fix_is(&m, 35, "8"))
			c.lose_next_report = false;
		else if (fix_input(c.s, c.in, c.len, now_ns(), &ev) > 0)
			take(c, ev);
		c.len -= (size_t)n;
		memmove(c.in, c.in + n, c.len);
	}
}

template <class Done> static bool until(client &c, Done done)
{
	int64_t end = now_ns() + 5000000000;

	while (!done() && now_ns() < end) {
		struct pollfd p = {c.fd, POLLIN, 0};

		flush(c);
		if (poll(&p, 1, 10) > 0) {
			ssize_t n = read(c.fd, c.in + c.len, sizeof(c.in) - c.len);

			if (n <= 0)
				break;
			c.len += (size_t)n;
			feed(c);
		}
		fix_tick(c.s, now_ns());
	}
	return done();
}

static void order(client &c, const char *id)
{
	struct fix_body *b = new fix_body();

	fix_put(b, 11, id);
	fix_put(b, 21, "1");
	fix_put(b, 55, "CVLT");
	fix_put(b, 54, "1");
	fix_put_time(b, 60, clock_ns(CLOCK_REALTIME));
	fix_put_number(b, 38, 100);
	fix_put(b, 40, "2");
	fix_put_price(b, 44, 630200);
	fix_send(c.s, "D", b, now_ns());
	delete b;
}

static void lose_output(client &c)
{
	const char *data;

	fix_taken(c.s, fix_out(c.s, &data));
}

static int connect_to(int port)
{
	struct sockaddr_in to = {};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_family = AF_INET;
	to.sin_port = htons((uint16_t)port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < 100; i++) {
		if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
			return fd;
		usleep(50000);
	}
	return -1;
}

/* ---- one conversation ----------------------------------------------------------------------- */

static unsigned passed, failed;

static void check(bool ok, const char *version, const char *what)
{
	passed += ok;
	failed += !ok;
	if (!ok)
		printf("  FAIL %s: %s\n", version, what);
}

/* An order that was written once and patched is one to QuickFIX, too; and so it is again. */
static void prepared(client &c, Venue &venue, const char *v)
{
	const struct desk_limits none = {};
	struct desk_intent i = {};
	struct fix_order_desk orders;
	struct desk *d = new desk();

	i.side = 'B';
	i.shares = 225;
	i.price = 630200;
	desk_open(d, OUCH_50, &none, 1, "");
	desk_symbol(d, "CVLT");
	check(fix_order_open(&orders, v, c.s, d) == 0, v, "prepared orders");
	fix_order_enter(&orders, &i, 71, now_ns()); /* never arrives at first */
	lose_output(c);
	i.shares = 300;
	fix_order_enter(&orders, &i, 72, now_ns());
	check(until(c, [&] { return venue.count() == 8; }), v, "prepared orders arrive");
	check(venue.orders[6] == "00000000000071" && venue.orders[7] == "00000000000072", v,
		"their references");
	check(venue.last_price == 63.02 && venue.last_shares == 300 && venue.last_symbol == "CVLT",
		v, "their fields");
	fix_order_close(&orders);
	desk_close(d);
	delete d;
}

static void converse(client &c, Venue &venue, const FIX::SessionID &id, const char *v)
{
	fix_connected(c.s, now_ns());
	check(until(c, [&] { return c.on; }), v, "logon");
	order(c, "one");
	order(c, "two");
	check(until(c, [&] { return c.reports.size() == 2; }), v, "orders and reports");

	FIX::Message test;
	test.getHeader().setField(35, "1");
	test.setField(112, "still there?");
	FIX::Session::sendToTarget(test, id);
	check(until(c, [&] { return venue.heartbeats.size() == 1; }), v, "test request");
	check(venue.heartbeats.size() == 1 && venue.heartbeats[0] == "still there?", v, "its answer");

	order(c, "three"); /* never arrives */
	lose_output(c);
	order(c, "four");
	check(until(c, [&] { return venue.count() == 4 && c.reports.size() == 4; }), v,
		"our messages again");
	check(venue.orders == std::vector<std::string>({"one", "two", "three", "four"}), v,
		"their order");

	c.lose_next_report = true;
	order(c, "five");
	order(c, "six");
	check(until(c, [&] { return c.reports.size() == 6; }), v, "its messages again");
	check(c.reports == std::vector<std::string>({"one", "two", "three", "four", "five", "six"}), v,
		"the order of those");
	check(fix_counters(c.s)->gaps == 1, v, "one gap");

	prepared(c, venue, v);
	fix_log_out(c.s, "done", now_ns());
	check(until(c, [&] { return c.out; }), v, "logout");
}

static void run(const char *version, int port)
{
	std::stringstream text;
	Venue venue;

	text << "[DEFAULT]\nConnectionType=acceptor\nUseDataDictionary=N\nSocketAcceptPort=" << port
	     << "\nSocketReuseAddress=Y\nStartTime=00:00:00\nEndTime=00:00:00\nHeartBtInt=30\n"
	     << "[SESSION]\nBeginString=" << version << "\nSenderCompID=VENUE\nTargetCompID=PERCH\n";
	FIX::SessionSettings settings(text);
	FIX::MemoryStoreFactory stores;
	FIX::SocketAcceptor acceptor(venue, stores, settings);
	client *c = new client();
	struct fix_config cfg = {};

	cfg.version = version;
	cfg.sender = "PERCH";
	cfg.target = "VENUE";
	cfg.reset = true;
	cfg.utc_offset_ns = clock_ns(CLOCK_REALTIME) - now_ns();
	acceptor.start();
	c->fd = connect_to(port);
	check(c->fd >= 0, version, "connection");
	if (c->fd >= 0 && fix_open(&c->s, &cfg) == 0)
		converse(*c, venue, FIX::SessionID(version, "VENUE", "PERCH"), version);
	fix_close(c->s);
	close(c->fd);
	delete c;
	acceptor.stop(true);
}

int main()
{
	int port = 20000 + getpid() % 20000;

	run("FIX.4.2", port);
	run("FIX.4.4", port + 1);
	printf("fix with quickfix: %u passed, %u failed, 0 skipped\n", passed, failed);
	return failed ? 1 : 0;
}
