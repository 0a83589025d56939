/* SPDX-License-Identifier: BSD-3-Clause
 * A venue made of QuickFIX, for a perch-gateway to trade with: quickfix_venue VERSION PORT GATEWAY
 * FEED_PORT. It acknowledges every order, and does what is written to its stdin:
 *
 *	ticks N      N new best bids, by MoldUDP64 to GATEWAY:FEED_PORT
 *	drop N M     cuts the connection, forgets the last N messages that it had, and has M fills to
 *	             tell of meanwhile
 *	say          how things are, in one line
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <sys/socket.h>

#include <quickfix/Application.h>
#include <quickfix/MessageStore.h>
#include <quickfix/Session.h>
#include <quickfix/SessionSettings.h>
#include <quickfix/SocketAcceptor.h>

class Venue : public FIX::Application {
      public:
	std::mutex lock;
	std::vector<std::string> orders;
	unsigned logons = 0, logouts_heard = 0, again = 0, asked = 0, gap_fills = 0, rejects = 0,
		 reports = 0, filled = 0;

	void onCreate(const FIX::SessionID &) override {}
	void onLogon(const FIX::SessionID &) override
	{
		count(logons);
	}
	void onLogout(const FIX::SessionID &) override {}
	void toAdmin(FIX::Message &m, const FIX::SessionID &) override
	{
		if (m.getHeader().getField(35) == "3")
			count(rejects);
	}
	void toApp(FIX::Message &, const FIX::SessionID &) throw(FIX::DoNotSend) override {}
	void fromAdmin(const FIX::Message &m, const FIX::SessionID &) throw(FIX::FieldNotFound,
		FIX::IncorrectDataFormat, FIX::IncorrectTagValue, FIX::RejectLogon) override
	{
		const std::string type = m.getHeader().getField(35);

		if (type == "5")
			count(logouts_heard);
		if (type == "2")
			count(asked);
		if (type == "3")
			count(rejects);
		if (type == "4" && m.isSetField(123) && m.getField(123) == "Y")
			count(gap_fills);
	}
	void fromApp(const FIX::Message &m, const FIX::SessionID &id) throw(FIX::FieldNotFound,
		FIX::IncorrectDataFormat, FIX::IncorrectTagValue, FIX::UnsupportedMessageType) override
	{
		if (m.getHeader().getField(35) != "D")
			return;
		if (m.getHeader().isSetField(43) && m.getHeader().getField(43) == "Y") {
			count(again); /* sent again: it is here already */
			return;
		}
		{
			std::lock_guard<std::mutex> held(lock);
			orders.push_back(m.getField(11));
		}
		report(id, m.getField(11), '0', m.getField(38), m.getField(44));
	}
	void report(const FIX::SessionID &id, const std::string &order, char type,
		const std::string &shares, const std::string &price)
	{
		const std::string n = std::to_string(++reports);
		FIX::Message r;

		r.getHeader().setField(35, "8");
		r.setField(37, "V" + order);
		r.setField(17, "E" + n);
		r.setField(20, "0");
		r.setField(150, std::string(1, type));
		r.setField(39, std::string(1, type));
		r.setField(11, order);
		r.setField(55, "PERCH");
		r.setField(54, "2");
		r.setField(38, shares);
		r.setField(44, price);
		r.setField(151, type == '0' ? shares : "0");
		r.setField(14, type == '0' ? "0" : shares);
		r.setField(32, type == '0' ? "0" : shares);
		r.setField(31, type == '0' ? "0" : price);
		FIX::Session::sendToTarget(r, id);
	}
	void say()
	{
		std::lock_guard<std::mutex> held(lock);

		printf("logons %u, logouts %u, orders %zu, again %u, asked %u, gap fills %u, "
		       "rejects %u\n",
			logons, logouts_heard, orders.size(), again, asked, gap_fills, rejects);
		fflush(stdout);
	}

      private:
	void count(unsigned &n)
	{
		std::lock_guard<std::mutex> held(lock);

		n++;
	}
};

/* ---- the feed ------------------------------------------------------------------------------- */

static void put(std::string &out, uint64_t value, unsigned bytes)
{
	while (bytes-- > 0)
		out.push_back((char)(value >> 8 * bytes));
}

static void send_ticks(int fd, const sockaddr_in &to, unsigned n)
{
	static uint64_t sequence = 1;

	for (; n > 0; n--, sequence++) {
		std::string p = "   QUICKFX";

		put(p, sequence, 8);
		put(p, 1, 2);
		put(p, 36, 2);
		p += 'A';
		put(p, 1, 2);
		put(p, 0, 2);
		put(p, sequence, 6);
		put(p, sequence, 8);
		p += 'B';
		put(p, 100, 4);
		p += "PERCH   ";
		put(p, 500000 + sequence, 4);
		sendto(fd, p.data(), p.size(), 0, (const sockaddr *)&to, sizeof(to));
	}
}

/* ---- what is asked for ------------------------------------------------------------------------ */

static void drop(Venue &venue, const FIX::SessionID &id, int forget, unsigned fills)
{
	FIX::Session *s = FIX::Session::lookupSession(id);

	s->disconnect();
	s->setNextTargetMsgSeqNum(s->getExpectedTargetNum() - forget);
	for (; fills > 0; fills--)
		venue.report(id, venue.orders[venue.filled++], '2', "100", "50.0000");
}

int main(int argc, char **argv)
{
	std::stringstream text;
	std::string line;
	sockaddr_in to = {};
	Venue venue;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), a;
	unsigned b;

	if (argc != 5) {
		fprintf(stderr, "usage: quickfix_venue VERSION PORT GATEWAY FEED_PORT\n");
		return 2;
	}
	to.sin_family = AF_INET;
	to.sin_port = htons((uint16_t)atoi(argv[4]));
	inet_pton(AF_INET, argv[3], &to.sin_addr);
	text << "[DEFAULT]\nConnectionType=acceptor\nUseDataDictionary=N\nSocketAcceptPort="
	     << argv[2] << "\nSocketReuseAddress=Y\nStartTime=00:00:00\nEndTime=00:00:00\n"
	     << "[SESSION]\nBeginString=" << argv[1] << "\nSenderCompID=VENUE\nTargetCompID=perch\n";
	FIX::SessionSettings settings(text);
	FIX::MemoryStoreFactory stores;
	FIX::SocketAcceptor acceptor(venue, stores, settings);
	const FIX::SessionID id(argv[1], "VENUE", "perch");

	acceptor.start();
	puts("venue: open");
	fflush(stdout);
	while (std::getline(std::cin, line)) {
		if (sscanf(line.c_str(), "ticks %u", &b) == 1)
			send_ticks(fd, to, b);
		else if (sscanf(line.c_str(), "drop %d %u", &a, &b) == 2)
			drop(venue, id, a, b);
		else
			venue.say();
	}
	acceptor.stop(true);
	return 0;
}
