/* SPDX-License-Identifier: BSD-3-Clause
 * Connections to FIX sessions. A connection's handler reads, its child writes; the newest
 * connection of an account owns the session, and an older one leaves when it next looks.
 */
#include "apps/exchange_fix.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "apps/trade/fix_venue.h"
#include "apps/utc.h"

enum {
	SEATS = 32,
	IN_BYTES = 4 * FIX_MESSAGE_MAX,
	OUT_BYTES = 16384,
	KEPT_LOG2 = 16,
	KEPT_BYTES = 512
};

#define SECOND_NS INT64_C(1000000000)

struct fix_account {
	char name[16], password[16];
	struct fix_session *session;
	struct fix_venue *venue;
	struct fix_seat *seat; /* the connection that has the session; NULL: none */
};

struct fix_seat { /* a connection; it outlives its handler's frames while they are parked */
	struct perch_conn *conn;
	struct fix_account *account;
	struct perch_ref writer;
	bool used;
	size_t in_len;
	char in[IN_BYTES], out[OUT_BYTES];
};

static struct {
	struct exchange_fix_config cfg;
	struct fix_account accounts[MARKET_ACCOUNTS];
	struct fix_seat seats[SEATS];
	uint64_t logons, refused;
} f;

static bool owns(const struct fix_seat *s)
{
	return s->account->seat == s;
}

/* ---- the way out ---------------------------------------------------------------------------- */

void exchange_fix_wake(void)
{
	unsigned i;

	for (i = 0; i < MARKET_ACCOUNTS; i++)
		if (f.accounts[i].seat)
			perch_wake(f.cfg.engine, f.accounts[i].seat->writer, 0);
}

/* What is to be sent is copied first: fix_out grows and moves while a write waits. */
static void write_on(void *arg)
{
	struct fix_seat *s = arg;
	struct fix_session *session = s->account->session;
	const char *data;
	size_t n;

	while (owns(s)) {
		fix_venue_report(s->account->venue, perch_now());
		n = fix_out(session, &data);
		if (n > sizeof(s->out))
			n = sizeof(s->out);
		if (n == 0) {
			if (perch_park(PERCH_FOREVER) == -ECANCELED)
				return;
			continue;
		}
		memcpy(s->out, data, n);
		fix_taken(session, n);
		if (perch_write(s->conn, s->out, n, perch_now() + 5 * SECOND_NS) < 0) {
			perch_shutdown(s->conn);
			return;
		}
	}
}

/* ---- the way in ----------------------------------------------------------------------------- */

/* Returns false when the session is over. */
static bool take_messages(struct fix_seat *s)
{
	struct fix_session *session = s->account->session;
	struct fix_event ev = {0};
	int64_t n = 1;
	size_t done = 0;

	while (n > 0 && ev.kind != FIX_LOGGED_OUT) {
		n = fix_input(session, s->in + done, s->in_len - done, perch_now(), &ev);
		done += (size_t)n;
		f.logons += ev.kind == FIX_LOGGED_ON;
		if (ev.kind == FIX_APPLICATION)
			fix_venue_input(s->account->venue, &ev, f.cfg.today_ns(), perch_now());
	}
	s->in_len -= done;
	memmove(s->in, s->in + done, s->in_len);
	f.cfg.moved();
	return ev.kind != FIX_LOGGED_OUT;
}

/* Nothing is taken in while its answers would have no room. */
static bool wait_for_room(struct fix_seat *s)
{
	while (owns(s) && fix_is_on(s->account->session) && !fix_is_ready(s->account->session))
		if (perch_sleep(perch_now() + SECOND_NS / 1000) < 0)
			return false;
	return owns(s);
}

static void read_on(struct fix_seat *s)
{
	struct fix_session *session = s->account->session;
	int64_t n;

	while (take_messages(s) && wait_for_room(s)) {
		n = perch_read(
			s->conn, s->in + s->in_len, sizeof(s->in) - s->in_len, fix_due(session));
		if (!owns(s) || (n <= 0 && n != -ETIMEDOUT))
			return;
		if (n > 0)
			s->in_len += (size_t)n;
		else if (fix_tick(session, perch_now()) < 0)
			return;
		perch_wake(f.cfg.engine, s->writer, 0);
	}
}

/* ---- a connection --------------------------------------------------------------------------- */

static struct fix_account *account_of(const struct fix_message *m)
{
	unsigned i;

	for (i = 0; i < MARKET_ACCOUNTS; i++)
		if (f.accounts[i].session && fix_is(m, 49, f.accounts[i].name))
			return &f.accounts[i];
	return NULL;
}

/* The first message says whose session it is. */
static struct fix_account *meet(struct fix_seat *s)
{
	int64_t n, deadline_ns = perch_now() + 10 * SECOND_NS;
	struct fix_message m;
	size_t skip;

	s->in_len = 0;
	while ((n = fix_parse(s->in, s->in_len, &m, &skip)) == 0 && s->in_len < sizeof(s->in)) {
		n = perch_read(s->conn, s->in + s->in_len, sizeof(s->in) - s->in_len, deadline_ns);
		if (n <= 0)
			return NULL;
		s->in_len += (size_t)n;
	}
	return n > 0 ? account_of(&m) : NULL;
}

/* What was said last, a Logout perhaps, still leaves. */
static void finish(struct fix_seat *s)
{
	int64_t patience_ns = perch_now() + SECOND_NS;
	const char *data;

	while (owns(s) && fix_out(s->account->session, &data) > 0 && perch_now() < patience_ns) {
		perch_wake(f.cfg.engine, s->writer, 0);
		if (perch_sleep(perch_now() + SECOND_NS / 1000) < 0)
			break;
	}
	perch_cancel_children();
	perch_wait_children(PERCH_FOREVER);
}

static void talk(struct fix_seat *s)
{
	s->account->seat = s; /* the newer one has the better reason to be */
	fix_set_utc_offset(s->account->session, utc_offset_ns());
	fix_connected(s->account->session, perch_now());
	if (perch_spawn_ref(&s->writer, write_on, s, PERCH_CHILD) == 0) {
		read_on(s);
		finish(s);
	}
	if (!owns(s))
		return;
	s->account->seat = NULL;
	fix_disconnected(s->account->session);
	if (f.cfg.cancel_on_disconnect) {
		market_cancel_all(
			f.cfg.market, (int)(s->account - f.accounts), NULL, 'D', f.cfg.today_ns());
		f.cfg.moved();
	}
}

void exchange_fix_serve(struct perch_conn *c, void *arg)
{
	struct fix_seat *s = f.seats;

	(void)arg;
	while (s < f.seats + SEATS && s->used)
		s++;
	if (s == f.seats + SEATS) {
		f.refused++;
		return;
	}
	s->used = true;
	s->conn = c;
	s->account = meet(s);
	if (s->account)
		talk(s);
	else
		f.refused++;
	s->used = false;
}

void exchange_fix_hang_up(void)
{
	unsigned i;

	for (i = 0; i < SEATS; i++)
		if (f.seats[i].used)
			perch_shutdown(f.seats[i].conn);
}

/* ---- open and close ------------------------------------------------------------------------- */

void exchange_fix_configure(const struct exchange_fix_config *cfg)
{
	f.cfg = *cfg;
}

int exchange_fix_account(int account, const char *name, const char *password)
{
	struct fix_account *a = &f.accounts[account];
	struct fix_config cfg = {.version = f.cfg.version,
		.sender = f.cfg.id,
		.target = a->name,
		.accepts = true,
		.log2_kept = KEPT_LOG2,
		.kept_bytes = KEPT_BYTES,
		.password = a->password};
	int rc;

	snprintf(a->name, sizeof(a->name), "%s", name);
	snprintf(a->password, sizeof(a->password), "%s", password);
	rc = fix_open(&a->session, &cfg);
	if (rc == 0)
		rc = fix_venue_open(&a->venue, f.cfg.market, f.cfg.market_version, account,
			a->session, f.cfg.version);
	return rc;
}

void exchange_fix_close(void)
{
	unsigned i;

	for (i = 0; i < MARKET_ACCOUNTS; i++) {
		fix_venue_close(f.accounts[i].venue);
		fix_close(f.accounts[i].session);
	}
}

void exchange_fix_summary(void)
{
	struct fix_counters sum = {0};
	const struct fix_counters *c;
	unsigned i;

	for (i = 0; i < MARKET_ACCOUNTS; i++) {
		if (!f.accounts[i].session)
			continue;
		c = fix_counters(f.accounts[i].session);
		sum.in += c->in;
		sum.out += c->out;
		sum.resent += c->resent;
		sum.gap_filled += c->gap_filled;
		sum.gaps += c->gaps;
		sum.garbled += c->garbled;
		sum.refused += c->refused;
	}
	if (f.logons || f.refused || sum.in)
		printf("perch-exchange: fix logons %" PRIu64 ", messages in %" PRIu64
		       ", out %" PRIu64 ", resent %" PRIu64 ", gap-filled %" PRIu64
		       ", gaps %" PRIu64 ", garbled %" PRIu64 ", fix refused %" PRIu64 "\n",
			f.logons, sum.in, sum.out, sum.resent, sum.gap_filled, sum.gaps,
			sum.garbled, f.refused + sum.refused);
}
