/* SPDX-License-Identifier: BSD-3-Clause
 * Two lines, a re-request server and a snapshot: what a feed makes of what it gets, and of what it
 * does not get.
 */
#include <errno.h>
#include <string.h>

#include "tests/feed/tape.h"
#include "tests/suite.h"

#define US INT64_C(1000)
#define MS (1000 * US)

static const struct feed_config LIVE = {
	.venue = &feed_moldudp64, .start = 1, .wait_ns = MS,
	.tries = 2, .retry_ns = 10 * MS, .request_max = 5,
};

static const struct feed_counters *counters(const struct tape *t)
{
	return feed_counters(t->feed);
}

/* ---- nothing is missing --------------------------------------------------------------------- */

static void no_loss(void)
{
	struct tape t;

	tape_open(&t, &LIVE);
	tape_data(&t, A, 1, "abc");
	tape_wants(&t, "session from 1; abc ");
	tape_data(&t, B, 1, "abc");
	tape_wants(&t, "");
	tape_data(&t, B, 4, "d");
	tape_data(&t, A, 4, "d");
	tape_beat(&t, A, 5);
	tape_wants(&t, "d ");
	CU_ASSERT_EQUAL(t.number, 4);
	tape_pass(&t, 1000 * MS);
	CU_ASSERT_EQUAL(feed_deadline(t.feed), INT64_MAX);
	CU_ASSERT_EQUAL(counters(&t)->delivered_messages, 4);
	CU_ASSERT_EQUAL(counters(&t)->drop_duplicate, 2);
	CU_ASSERT_EQUAL(feed_line(t.feed, A)->won_units, 3);
	CU_ASSERT_EQUAL(feed_line(t.feed, B)->won_units, 1);
	CU_ASSERT_EQUAL(feed_line(t.feed, A)->packets, 3);
	CU_ASSERT_EQUAL(feed_line(t.feed, A)->beats, 1);
	CU_ASSERT_EQUAL(feed_line(t.feed, A)->bytes, 3 * 20 + 4 * 3);
	tape_close(&t);
}

static void one_line_loses(unsigned bad, unsigned good)
{
	struct tape t;

	tape_open(&t, &LIVE);
	tape_data(&t, bad, 1, "a");
	tape_data(&t, good, 1, "a");
	tape_data(&t, good, 2, "b");
	tape_data(&t, good, 3, "c");
	tape_data(&t, bad, 3, "c");
	tape_wants(&t, "session from 1; a b c ");
	CU_ASSERT_EQUAL(feed_line(t.feed, bad)->missing_units, 1);
	CU_ASSERT_EQUAL(feed_line(t.feed, good)->missing_units, 0);
	CU_ASSERT_EQUAL(counters(&t)->gaps, 0);
	tape_close(&t);
}

static void loss_on_a(void)
{
	one_line_loses(A, B);
}

static void loss_on_b(void)
{
	one_line_loses(B, A);
}

/* The first line is ahead of the second one when it loses a packet. */
static void the_other_line_heals(void)
{
	struct tape t;

	tape_open(&t, &LIVE);
	tape_data(&t, A, 1, "a");
	tape_data(&t, A, 3, "c");
	tape_data(&t, B, 1, "a");
	tape_wants(&t, "session from 1; a ");
	tape_pass(&t, MS - 1);
	tape_wants(&t, "");
	tape_data(&t, B, 2, "b");
	tape_wants(&t, "b c ");
	tape_pass(&t, 100 * MS);
	tape_wants(&t, "");
	CU_ASSERT_EQUAL(counters(&t)->healed_units, 1);
	CU_ASSERT_EQUAL(counters(&t)->gaps, 0);
	tape_close(&t);
}

/* Held or not, data is of the line and of the time that it came by. */
static void when_and_by_whom(void)
{
	struct tape t;
	int64_t early_ns;

	tape_open(&t, &LIVE);
	early_ns = t.now_ns;
	tape_data(&t, B, 2, "b");
	tape_pass(&t, 5 * US);
	tape_data(&t, A, 1, "a");
	tape_wants(&t, "session from 1; a b ");
	CU_ASSERT_EQUAL(t.line, B);
	CU_ASSERT_EQUAL(t.time_ns, early_ns);
	tape_data(&t, B, 3, "c");
	tape_wants(&t, "c ");
	CU_ASSERT_EQUAL(t.line, B);
	CU_ASSERT_EQUAL(t.time_ns, early_ns + 5 * US);
	tape_data(&t, A, 4, "d");
	tape_wants(&t, "d ");
	CU_ASSERT_EQUAL(t.line, A);
	CU_ASSERT_EQUAL(counters(&t)->delivered_units, 4);
	feed_input(t.feed, A, "        S1\0\0\0\0\0\0\0\5\0\1\0\1e", 23, t.now_ns);
	tape_pass(&t, 7 * US); /* its events are taken late */
	tape_wants(&t, "e ");
	CU_ASSERT_EQUAL(t.time_ns, early_ns + 5 * US);
	tape_close(&t);
}

static void reordered(void)
{
	struct tape t;

	tape_open(&t, &LIVE);
	tape_data(&t, A, 1, "a");
	tape_data(&t, A, 6, "f");
	tape_data(&t, A, 4, "d");
	tape_data(&t, A, 2, "b");
	tape_wants(&t, "session from 1; a b ");
	tape_data(&t, A, 5, "e");
	tape_data(&t, A, 3, "c");
	tape_wants(&t, "c d e f ");
	CU_ASSERT_EQUAL(feed_line(t.feed, A)->reordered_units, 4);
	CU_ASSERT_EQUAL(feed_line(t.feed, A)->missing_units, 0);
	CU_ASSERT_EQUAL(feed_line(t.feed, A)->won_units, 6);
	CU_ASSERT_EQUAL(counters(&t)->held_most, 3);
	CU_ASSERT_EQUAL(counters(&t)->healed_units, 4);
	CU_ASSERT_EQUAL(counters(&t)->drop_duplicate, 0);
	tape_close(&t);
}

/* The lines cut the same messages into packets in different ways. */
static void cut_differently(void)
{
	struct tape t;

	tape_open(&t, &LIVE);
	tape_data(&t, A, 1, "abc");
	tape_data(&t, B, 2, "bcde");
	tape_data(&t, A, 4, "defg");
	tape_data(&t, A, 10, "jk");
	tape_data(&t, A, 13, "m");
	tape_wants(&t, "session from 1; abc de fg ");
	tape_data(&t, B, 7, "ghijklmnopq"); /* two holes and what lies behind them */
	tape_wants(&t, "hi jk l m nopq ");
	tape_close(&t);
}

/* ---- something is --------------------------------------------------------------------------- */

static void loss_on_both(void)
{
	struct tape t;

	tape_open(&t, &LIVE);
	tape_data(&t, A, 1, "a");
	tape_data(&t, A, 4, "d");
	tape_data(&t, B, 4, "d");
	tape_pass(&t, MS - 1);
	tape_wants(&t, "session from 1; a ");
	tape_pass(&t, 1);
	tape_wants(&t, "gap 2-4; ask 2-4; ");
	tape_data(&t, A, 5, "e");
	tape_data(&t, R, 2, "bc");
	tape_wants(&t, "bc filled 2-4 by request; d e ");
	tape_pass(&t, 100 * MS);
	tape_data(&t, B, 2, "bc");
	tape_wants(&t, "");
	CU_ASSERT_EQUAL(feed_line(t.feed, B)->behind, 1); /* than A, with d; answers are no line */
	CU_ASSERT_EQUAL(counters(&t)->filled_by_request_units, 2);
	tape_close(&t);
}

static void partial_answers(void)
{
	struct tape t;

	tape_open(&t, &LIVE);
	tape_data(&t, A, 1, "a");
	tape_data(&t, A, 10, "j");
	tape_pass(&t, MS);
	tape_wants(&t, "session from 1; a gap 2-10; ask 2-7; "); /* 5 at most */
	tape_data(&t, R, 2, "bc");
	tape_wants(&t, "bc filled 2-4 by request; ask 4-9; "); /* at once */
	tape_data(&t, R, 4, "d");
	tape_wants(&t, "d filled 4-5 by request; ask 5-10; ");
	tape_data(&t, R, 5, "efghi");
	tape_wants(&t, "efghi filled 5-10 by request; j ");
	tape_close(&t);
}

static void never_answered(void)
{
	struct tape t;

	tape_open(&t, &LIVE);
	tape_data(&t, A, 1, "a");
	tape_data(&t, A, 3, "c");
	tape_pass(&t, 30 * MS);
	tape_wants(&t, "session from 1; a gap 2-3; ask 2-3; ask 2-3; lost 2-3; c ");
	tape_data(&t, R, 2, "b"); /* too late */
	tape_wants(&t, "");
	tape_data(&t, A, 4, "d");
	tape_wants(&t, "d ");
	CU_ASSERT_EQUAL(counters(&t)->lost_units, 1);
	tape_close(&t);
}

static void late_answer(void)
{
	struct tape t;

	tape_open(&t, &LIVE);
	tape_data(&t, A, 1, "a");
	tape_data(&t, A, 3, "c");
	tape_pass(&t, MS + 20 * MS - 1);
	tape_data(&t, R, 2, "b");
	tape_wants(&t, "session from 1; a gap 2-3; ask 2-3; ask 2-3; b filled 2-3 by request; c ");
	tape_close(&t);
}

static void line_fills_after_all(void)
{
	struct tape t;

	tape_open(&t, &LIVE);
	tape_data(&t, A, 1, "a");
	tape_data(&t, A, 5, "e");
	tape_pass(&t, MS);
	tape_data(&t, B, 3, "c"); /* in the middle of what was told of */
	tape_wants(&t, "session from 1; a gap 2-5; ask 2-5; ");
	tape_data(&t, R, 2, "bcd");
	tape_wants(&t, "b filled 2-3 by request; c filled 3-4 by line; "
		       "d filled 4-5 by request; e ");
	tape_close(&t);
}

static void no_server(void)
{
	struct feed_config cfg = {.venue = &feed_moldudp64, .start = 1};
	struct tape t;

	tape_open(&t, &cfg);
	tape_data(&t, A, 2, "b");
	tape_wants(&t, "session from 1; gap 1-2; lost 1-2; b ");
	tape_close(&t);
}

/* A heartbeat and an end of session say what should have come. */
static void quiet_feed(void)
{
	struct tape t;

	tape_open(&t, &LIVE);
	tape_data(&t, A, 1, "a");
	tape_beat(&t, A, 3);
	tape_pass(&t, MS);
	tape_wants(&t, "session from 1; a gap 2-3; ask 2-3; ");
	tape_beat(&t, B, 4); /* it grew: that part has a time of its own */
	tape_wants(&t, "");
	tape_data(&t, R, 2, "b");
	tape_wants(&t, "b filled 2-3 by request; ");
	tape_pass(&t, MS);
	tape_wants(&t, "gap 3-4; ask 3-4; ");
	tape_end(&t, A, 5);
	tape_data(&t, R, 3, "c");
	tape_pass(&t, MS);
	tape_wants(&t, "c filled 3-4 by request; gap 4-5; ask 4-5; ");
	tape_data(&t, R, 4, "d");
	tape_wants(&t, "d filled 4-5 by request; end 5; ");
	tape_end(&t, B, 5);
	tape_data(&t, B, 5, "e");
	tape_wants(&t, "");
	CU_ASSERT_EQUAL(counters(&t)->drop_after_end, 1);
	tape_close(&t);
}

/* More than a request of MoldUDP64 has room for: 65,535 would be the end of a session. */
static void a_very_large_hole(void)
{
	struct feed_config cfg = LIVE;
	struct tape t;

	cfg.request_max = 1000000;
	tape_open(&t, &cfg);
	tape_data(&t, A, 70000, "a");
	tape_pass(&t, MS);
	tape_wants(&t, "session from 1; gap 1-70000; ask 1-65535; ");
	tape_close(&t);
}

static void bad_configs(void)
{
	struct feed_config lines = LIVE, session = LIVE, none = {0};
	struct feed *f = (void *)1;

	lines.lines = FEED_LINES + 1;
	session.session = "ELEVENCHARS";
	CU_ASSERT_EQUAL(feed_open(&f, &lines), -EINVAL);
	CU_ASSERT_EQUAL(feed_open(&f, &session), -EINVAL);
	CU_ASSERT_EQUAL(feed_open(&f, &none), -EINVAL);
	CU_ASSERT_PTR_NULL(f);
}

/* Several holes are asked for side by side, as many as cfg.outstanding says. */
static void several_holes(void)
{
	struct feed_config cfg = LIVE;
	struct tape t;

	cfg.outstanding = 2;
	tape_open(&t, &cfg);
	tape_data(&t, A, 2, "b");
	tape_pass(&t, MS / 2);
	tape_data(&t, A, 4, "d");
	tape_data(&t, A, 6, "f");
	tape_wants(&t, "session from 1; ");
	tape_pass(&t, MS / 2);
	tape_wants(&t, "gap 1-2; ask 1-2; ");
	tape_pass(&t, MS / 2);
	tape_wants(&t, "gap 3-4; ask 3-4; gap 5-6; ");
	tape_data(&t, R, 3, "c");
	tape_wants(&t, "ask 5-6; ");
	tape_data(&t, R, 5, "e");
	tape_data(&t, R, 1, "a");
	tape_wants(&t, "a filled 1-2 by request; b c filled 3-4 by request; d "
		       "e filled 5-6 by request; f ");
	tape_close(&t);
}

/* ---- windows, snapshots --------------------------------------------------------------------- */

static void longer_than_the_window(void)
{
	struct feed_config cfg = LIVE;
	struct tape t;

	cfg.window = 4; /* of which one is kept for what fills holes */
	tape_open(&t, &cfg);
	tape_data(&t, A, 2, "b");
	tape_data(&t, A, 3, "c");
	tape_data(&t, A, 4, "d");
	tape_data(&t, A, 5, "e");
	tape_data(&t, A, 6, "f");
	tape_pass(&t, MS);
	tape_wants(&t, "session from 1; gap 1-2; ask 1-2; gap 5-7; ask 5-7; ");
	CU_ASSERT_EQUAL(counters(&t)->drop_window_full, 2);
	tape_data(&t, R, 5, "ef");
	tape_data(&t, R, 1, "a");
	tape_wants(&t, "a filled 1-2 by request; b c d ef filled 5-7 by request; ");
	CU_ASSERT_EQUAL(counters(&t)->lost_units, 0);
	tape_close(&t);
}

/* What is too long to be held is asked for. */
static void too_long_to_be_held(void)
{
	struct feed_config cfg = LIVE;
	struct tape t;

	cfg.packet_bytes = 11;
	tape_open(&t, &cfg);
	tape_data(&t, A, 1, "abcd"); /* needs not be */
	tape_data(&t, A, 6, "fghi");
	tape_data(&t, A, 10, "jkl");
	tape_pass(&t, MS);
	tape_wants(&t, "session from 1; abcd gap 5-10; ask 5-10; ");
	CU_ASSERT_EQUAL(counters(&t)->drop_too_long, 1);
	tape_data(&t, R, 5, "efghi");
	tape_wants(&t, "efghi filled 5-10 by request; jkl ");
	tape_close(&t);
}

static const struct feed_config WITH_SNAPSHOT = {
	.venue = &feed_moldudp64, .start = 1, .wait_ns = MS, .tries = 1, .retry_ns = 10 * MS,
	.snapshot_tries = 2, .snapshot_over = 10, .snapshot_retry_ns = 20 * MS,
};

static void late_join(void)
{
	struct tape t;

	tape_open(&t, &WITH_SNAPSHOT);
	tape_data(&t, A, 100, "abc");
	tape_pass(&t, MS);
	tape_wants(&t, "session from 1; gap 1-100; snapshot 1-103; ");
	tape_data(&t, A, 103, "d");
	tape_data(&t, B, 104, "e");
	tape_pass(&t, 1000 * MS);
	tape_wants(&t, "");
	tape_snapshot(&t, 102); /* a and b are in it */
	tape_wants(&t, "filled 1-100 by snapshot; c d e ");
	tape_data(&t, A, 105, "f");
	tape_wants(&t, "f ");
	tape_close(&t);
}

/* The feed loses packets while the snapshot is on its way, and the snapshot is ahead of it all. */
static void snapshot_ahead(void)
{
	struct tape t;

	tape_open(&t, &WITH_SNAPSHOT);
	tape_data(&t, A, 100, "a");
	tape_pass(&t, MS);
	tape_data(&t, A, 102, "c");
	tape_wants(&t, "session from 1; gap 1-100; snapshot 1-101; ");
	tape_snapshot(&t, 110);
	tape_data(&t, A, 109, "xj");
	tape_wants(&t, "filled 1-100 by snapshot; j ");
	tape_close(&t);
}

static void snapshot_behind(void)
{
	struct tape t;

	tape_open(&t, &WITH_SNAPSHOT);
	tape_data(&t, A, 1, "abc");
	tape_data(&t, A, 100, "z");
	tape_pass(&t, MS);
	tape_wants(&t, "session from 1; abc gap 4-100; snapshot 4-101; ");
	tape_snapshot(&t, 3); /* older than what we were at: c is needed once more */
	tape_wants(&t, "gap 3-100; snapshot 3-101; ");
	tape_snapshot(&t, 98);
	tape_wants(&t, "filled 3-98 by snapshot; ask 98-100; ");
	tape_data(&t, R, 98, "xy");
	tape_wants(&t, "xy filled 98-100 by request; z ");
	tape_close(&t);
}

static void snapshot_fails(void)
{
	struct tape t;

	tape_open(&t, &WITH_SNAPSHOT);
	tape_data(&t, A, 100, "a");
	tape_pass(&t, MS);
	tape_wants(&t, "session from 1; gap 1-100; snapshot 1-101; ");
	tape_snapshot(&t, 0);
	tape_pass(&t, 20 * MS - 1);
	tape_wants(&t, "");
	tape_pass(&t, 1);
	tape_wants(&t, "snapshot 1-101; ");
	tape_snapshot(&t, 0);
	CU_ASSERT_EQUAL(counters(&t)->snapshots_failed, 2);
	tape_wants(&t, "ask 1-100; "); /* the last resort */
	tape_pass(&t, 10 * MS);
	tape_wants(&t, "lost 1-100; a ");
	tape_data(&t, A, 200, "b"); /* the next time a snapshot is tried again */
	tape_pass(&t, MS);
	tape_wants(&t, "gap 101-200; snapshot 101-201; ");
	tape_snapshot(&t, 201);
	tape_wants(&t, "filled 101-200 by snapshot; ");
	tape_close(&t);
}

/* That one could not be had has nothing to do with the next session, whose numbers are lower. */
static void snapshot_of_the_next_session(void)
{
	struct tape t;

	tape_open(&t, &WITH_SNAPSHOT);
	tape_data(&t, A, 100, "a");
	tape_pass(&t, MS);
	tape_snapshot(&t, 0);
	tape_pass(&t, 20 * MS);
	tape_snapshot(&t, 0);
	tape_end(&t, A, 101);
	t.session = "S2";
	tape_data(&t, A, 20, "x");
	tape_pass(&t, MS);
	tape_wants(&t, "session from 1; gap 1-100; snapshot 1-101; snapshot 1-101; ask 1-100; "
		       "lost 1-100; a end 101; session from 1; gap 1-20; snapshot 1-21; ");
	tape_snapshot(&t, 21);
	tape_wants(&t, "filled 1-20 by snapshot; ");
	tape_close(&t);
}

/* The re-request server does not answer for a small hole either. */
static void request_then_snapshot(void)
{
	struct tape t;

	tape_open(&t, &WITH_SNAPSHOT);
	tape_data(&t, A, 1, "a");
	tape_data(&t, A, 3, "c");
	tape_pass(&t, 11 * MS);
	tape_wants(&t, "session from 1; a gap 2-3; ask 2-3; snapshot 2-4; ");
	tape_data(&t, R, 2, "b"); /* now it does: too late, books are being cleared */
	tape_wants(&t, "");
	tape_snapshot(&t, 4);
	tape_wants(&t, "filled 2-3 by snapshot; ");
	tape_close(&t);
}

/* ---- sessions ------------------------------------------------------------------------------- */

/* A hole of exactly snapshot_over units is still asked for. */
static void the_largest_hole_that_is_asked_for(void)
{
	struct feed_config cfg = LIVE;
	struct tape t;

	cfg.snapshot_tries = 1;
	cfg.snapshot_over = 3;
	tape_open(&t, &cfg);
	tape_data(&t, A, 1, "a");
	tape_data(&t, A, 5, "e");
	tape_pass(&t, MS);
	tape_wants(&t, "session from 1; a gap 2-5; ask 2-5; ");
	tape_close(&t);
}

/* An end before what was seen already is none. */
static void an_end_that_is_none(void)
{
	struct tape t;

	tape_open(&t, &LIVE);
	tape_data(&t, A, 1, "abc");
	tape_end(&t, B, 2);
	tape_data(&t, A, 4, "d");
	tape_wants(&t, "session from 1; abc d ");
	tape_close(&t);
}

/* The same reset by both lines is one; the same number long after it is another one; and a
 * re-request server has no say in it. */
static void resets(void)
{
	struct feed_config cfg = {.venue = feed_venue_by_name("nyse"), .quiet_ns = 1000 * MS};
	uint8_t data[16] = {16, 0, 11, 0, 5}, reset[16] = {16, 0, 12, 0, 1};
	struct tape t;

	tape_open(&t, &cfg);
	tape_bytes(&t, A, data, sizeof(data));
	tape_bytes(&t, R, reset, sizeof(reset));
	CU_ASSERT_EQUAL(counters(&t)->resets, 0);
	tape_bytes(&t, A, reset, sizeof(reset));
	tape_bytes(&t, B, reset, sizeof(reset));
	CU_ASSERT_EQUAL(counters(&t)->resets, 1);
	tape_pass(&t, 1001 * MS);
	tape_bytes(&t, B, reset, sizeof(reset));
	CU_ASSERT_EQUAL(counters(&t)->resets, 2);
	tape_wants(&t, "session from 5; session from 1; session from 1; ");
	tape_close(&t);
}

static void session_change(void)
{
	struct tape t;

	tape_open(&t, &LIVE);
	tape_data(&t, A, 1, "a");
	tape_end(&t, A, 2);
	t.session = "S2";
	tape_data(&t, A, 2, "y");
	tape_wants(&t, "session from 1; a end 2; session from 1; ");
	t.session = "S1";
	tape_end(&t, B, 2); /* the other line is behind */
	t.session = "S2";
	tape_data(&t, B, 1, "x");
	tape_wants(&t, "x y ");
	CU_ASSERT_EQUAL(counters(&t)->drop_wrong_session, 1);
	CU_ASSERT_EQUAL(counters(&t)->sessions, 2);
	CU_ASSERT_EQUAL(feed_line(t.feed, A)->missing_units, 0);
	tape_close(&t);
}

/* The numbers of one have nothing to do with those of the other. */
static void session_change_of_lines(void)
{
	struct tape t;

	tape_open(&t, &LIVE);
	tape_data(&t, A, 1, "a");
	tape_data(&t, B, 2, "bcd");
	tape_data(&t, A, 5, "e");
	tape_end(&t, A, 6);
	t.session = "S2";
	tape_data(&t, B, 1, "x");
	tape_data(&t, A, 1, "x");
	tape_data(&t, A, 2, "y");
	CU_ASSERT_EQUAL(feed_line(t.feed, A)->reordered_units, 0);
	tape_wants(&t, "session from 1; a bcd e end 6; session from 1; x y ");
	CU_ASSERT_EQUAL(feed_line(t.feed, A)->missing_units, 3); /* of the first */
	CU_ASSERT_EQUAL(feed_line(t.feed, A)->duplicate_units, 0);
	CU_ASSERT_EQUAL(feed_line(t.feed, A)->behind, 1);
	CU_ASSERT_EQUAL(feed_line(t.feed, B)->behind, 0);
	tape_close(&t);
}

/* What was missing of the old session will never come. */
static void session_change_with_gap(void)
{
	struct tape t;

	tape_open(&t, &LIVE);
	tape_data(&t, A, 1, "a");
	tape_data(&t, A, 3, "c");
	tape_end(&t, A, 5);
	t.session = "S2";
	tape_data(&t, A, 1, "x");
	tape_wants(&t, "session from 1; a gap 2-3; lost 2-3; c gap 4-5; lost 4-5; end 5; "
		       "session from 1; x ");
	tape_close(&t);
}

/* The books that wait for the snapshot are of the old session: nothing is delivered to them. */
static void session_change_in_a_snapshot(void)
{
	struct tape t;

	tape_open(&t, &WITH_SNAPSHOT);
	tape_data(&t, A, 100, "a");
	tape_pass(&t, MS);
	tape_data(&t, A, 102, "c");
	tape_end(&t, A, 103);
	tape_wants(&t, "session from 1; gap 1-100; snapshot 1-101; ");
	t.session = "S2";
	tape_data(&t, A, 1, "x");
	tape_wants(&t, "lost 1-100; gap 100-101; lost 100-101; gap 101-102; lost 101-102; "
		       "gap 102-103; lost 102-103; end 103; session from 1; x ");
	tape_snapshot(&t, 50); /* too late: of the old one */
	tape_data(&t, A, 2, "y");
	tape_wants(&t, "y ");
	CU_ASSERT_EQUAL(counters(&t)->lost_units, 102);
	CU_ASSERT_EQUAL(counters(&t)->gap_units, 102);
	tape_close(&t);

	tape_open(&t, &WITH_SNAPSHOT); /* the second hole was what wanted it */
	tape_data(&t, A, 2, "b");
	tape_data(&t, A, 100, "z");
	tape_pass(&t, MS);
	tape_end(&t, A, 101);
	tape_wants(&t, "session from 1; gap 1-2; ask 1-2; gap 3-100; snapshot 1-101; ");
	t.session = "S2";
	tape_beat(&t, A, 1);
	tape_wants(&t, "lost 1-2; gap 2-3; lost 2-3; lost 3-100; gap 100-101; lost 100-101; "
		       "end 101; session from 1; ");
	tape_close(&t);
}

static void wrong_session(void)
{
	struct feed_config cfg = LIVE;
	struct tape t;

	tape_open(&t, &cfg);
	tape_data(&t, A, 1, "a");
	t.session = "S2";
	tape_data(&t, A, 2, "x");
	tape_wants(&t, "session from 1; a ");
	tape_pass(&t, 5000 * MS); /* nothing more of S1: the publisher was restarted */
	tape_data(&t, A, 1, "y");
	tape_wants(&t, "session from 1; y ");
	CU_ASSERT_EQUAL(counters(&t)->drop_wrong_session, 1);
	tape_close(&t);

	cfg.session = "S2";
	tape_open(&t, &cfg);
	tape_data(&t, A, 1, "a");
	t.session = "S2";
	tape_data(&t, A, 1, "x");
	tape_end(&t, A, 2);
	t.session = "S3";
	tape_data(&t, A, 1, "z");
	tape_wants(&t, "session from 1; x end 2; ");
	CU_ASSERT_EQUAL(counters(&t)->drop_wrong_session, 2);
	tape_close(&t);
}

/* A re-request server has no say in which session is on. */
static void an_answer_begins_no_session(void)
{
	struct tape t;

	tape_open(&t, &LIVE);
	tape_data(&t, R, 1, "a");
	tape_wants(&t, "");
	tape_data(&t, A, 1, "a");
	tape_end(&t, A, 2);
	t.session = "S2";
	tape_data(&t, R, 1, "x");
	tape_wants(&t, "session from 1; a end 2; ");
	CU_ASSERT_EQUAL(counters(&t)->drop_wrong_session, 2);
	tape_close(&t);
}

static void join_in_the_middle(void)
{
	struct feed_config cfg = LIVE;
	struct tape t;

	cfg.start = 0;
	tape_open(&t, &cfg);
	tape_beat(&t, A, 50);
	tape_data(&t, A, 50, "a");
	tape_wants(&t, "session from 50; a ");
	tape_close(&t);
}

/* ---- the unbelievable ----------------------------------------------------------------------- */

static void jumps(void)
{
	struct feed_config cfg = LIVE;
	struct tape t;

	cfg.max_jump = 1000;
	cfg.tries = 0;
	tape_open(&t, &cfg);
	tape_data(&t, A, 1, "a");
	tape_data(&t, A, UINT64_C(1) << 60, "x"); /* alone: a lie */
	tape_data(&t, A, 2, "b");
	tape_beat(&t, A, UINT64_C(1) << 50);
	tape_data(&t, B, 3, "c");
	tape_wants(&t, "session from 1; a b c ");
	tape_data(&t, A, 5000, "y");
	tape_data(&t, B, 5000, "y"); /* its copy proves nothing */
	tape_wants(&t, "");
	tape_data(&t, A, 5001, "z"); /* goes on from it */
	tape_pass(&t, MS);
	tape_wants(&t, "gap 4-5001; lost 4-5001; z ");
	CU_ASSERT_EQUAL(counters(&t)->drop_jump, 4);
	tape_data(&t, A, UINT64_MAX - 1, "z");
	CU_ASSERT_EQUAL(counters(&t)->drop_bad_sequence, 1);
	tape_close(&t);

	tape_open(&t, &cfg);
	tape_data(&t, A, 2000, "x"); /* the first packet of all is no exception */
	tape_data(&t, A, 1, "a");
	tape_wants(&t, "session from 1; a ");
	tape_pass(&t, MS);
	tape_end(&t, A, 2);
	t.session = "S2"; /* nor is the first of a session, whatever was said in the one before */
	tape_data(&t, A, 2001, "y");
	tape_pass(&t, MS);
	tape_wants(&t, "end 2; session from 1; ");
	tape_close(&t);
}

static void malformed(void)
{
	struct tape t;

	tape_open(&t, &LIVE);
	tape_bytes(&t, A, "", 0);
	tape_bytes(&t, A, "        S1\0\0\0\0\0\0\0\1\0", 19);
	CU_ASSERT_EQUAL(counters(&t)->drop_short, 2);
	tape_bytes(&t, A, "        S1\0\0\0\0\0\0\0\1\0\2\0\1a", 23); /* one of two */
	CU_ASSERT_EQUAL(counters(&t)->drop_bad_count, 1);
	tape_bytes(&t, A, "        S1\0\0\0\0\0\0\0\1\0\1\0\2a", 23); /* past the end */
	tape_bytes(&t, A, "        S1\0\0\0\0\0\0\0\1\0\1\0", 21); /* half a length */
	CU_ASSERT_EQUAL(counters(&t)->drop_bad_block, 2);
	tape_bytes(&t, A, "        S1\0\0\0\0\0\0\0\0\0\1\0\1a", 23);
	CU_ASSERT_EQUAL(counters(&t)->drop_bad_sequence, 1);
	tape_wants(&t, "");
	tape_bytes(&t, A, "        S1\0\0\0\0\0\0\0\1\0\1\0\1a++", 25);
	CU_ASSERT_EQUAL(counters(&t)->trailing_bytes, 1);
	tape_wants(&t, "session from 1; a ");
	tape_close(&t);
}

/* A packet is given before the events of the last one were taken. */
static void out_of_turn(void)
{
	uint8_t packet[23] = "        S1\0\0\0\0\0\0\0\1\0\1\0\1a";
	struct tape t;

	tape_open(&t, &LIVE);
	feed_input(t.feed, A, packet, sizeof(packet), t.now_ns);
	packet[17] = 2;
	tape_bytes(&t, A, packet, sizeof(packet));
	tape_wants(&t, "session from 1; a ");
	CU_ASSERT_EQUAL(counters(&t)->drop_busy, 1);
	tape_close(&t);
}

/* ---- lines ---------------------------------------------------------------------------------- */

static void silence(void)
{
	struct feed_config cfg = LIVE;
	struct tape t;

	cfg.silent_ns = 3 * MS;
	tape_open(&t, &cfg);
	tape_data(&t, A, 1, "a");
	tape_wants(&t, "session from 1; a "); /* silence begins to be counted here */
	tape_pass(&t, 2 * MS);
	tape_beat(&t, A, 2);
	tape_pass(&t, 2 * MS);
	tape_wants(&t, "silent B; ");
	tape_data(&t, B, 2, "b");
	tape_wants(&t, "b heard B; ");
	CU_ASSERT_EQUAL(feed_deadline(t.feed), t.now_ns + MS); /* of A */
	tape_pass(&t, 3 * MS);
	tape_wants(&t, "silent A; silent B; ");
	tape_close(&t);
}

static void skew(void)
{
	const struct feed_line *b;
	struct tape t;

	tape_open(&t, &LIVE);
	tape_data(&t, A, 1, "a");
	tape_pass(&t, 5 * US);
	tape_data(&t, B, 1, "a");
	tape_data(&t, B, 2, "b");
	tape_pass(&t, 2 * US);
	tape_data(&t, A, 2, "b");
	tape_data(&t, A, 3, "c");
	tape_pass(&t, 3 * US);
	tape_data(&t, B, 3, "c");
	tape_data(&t, B, 3, "c");
	tape_wants(&t, "session from 1; a b c ");
	b = feed_line(t.feed, B);
	CU_ASSERT_EQUAL(b->behind, 3); /* the doubled one too */
	CU_ASSERT_EQUAL(b->behind_min_ns, 3 * US);
	CU_ASSERT_EQUAL(b->behind_max_ns, 5 * US);
	CU_ASSERT_EQUAL(b->behind_log2[11], 2); /* 2,048 .. 4,095 */
	CU_ASSERT_EQUAL(b->behind_log2[12], 1);
	CU_ASSERT_EQUAL(b->behind_sum_ns, 11 * US);
	CU_ASSERT_EQUAL(b->duplicate_units, 1);
	CU_ASSERT_EQUAL(feed_line(t.feed, A)->behind, 1);
	tape_data(&t, A, 4, "d");
	tape_data(&t, A, 4, "d"); /* behind itself */
	tape_wants(&t, "d ");
	CU_ASSERT_EQUAL(feed_line(t.feed, A)->behind, 1);
	tape_close(&t);
}

/* The bits of seen numbers go round. */
static void long_lines(void)
{
	struct tape t;
	uint64_t n;

	tape_open(&t, &LIVE);
	for (n = 1; n < 20000; n += 5) {
		tape_data(&t, A, n, "abcde");
		if (n % 1000 != 1)
			tape_data(&t, B, n, "abcde");
		t.len = 0;
	}
	tape_data(&t, B, 19996, "abcde");
	t.said[t.len = 0] = '\0';
	CU_ASSERT_EQUAL(feed_line(t.feed, A)->missing_units, 0);
	CU_ASSERT_EQUAL(feed_line(t.feed, B)->missing_units, 19 * 5); /* not before it began */
	CU_ASSERT_EQUAL(feed_line(t.feed, B)->duplicate_units, 5);
	CU_ASSERT_EQUAL(feed_line(t.feed, A)->won_units, 20000);
	tape_close(&t);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"no loss", no_loss},
		{"loss on A", loss_on_a},
		{"loss on B", loss_on_b},
		{"the other line heals", the_other_line_heals},
		{"when and by whom", when_and_by_whom},
		{"reordered", reordered},
		{"cut differently", cut_differently},
		{"loss on both", loss_on_both},
		{"partial answers", partial_answers},
		{"never answered", never_answered},
		{"late answer", late_answer},
		{"a line fills after all", line_fills_after_all},
		{"no server", no_server},
		{"quiet feed", quiet_feed},
		{"a very large hole", a_very_large_hole},
		{"bad configs", bad_configs},
		{"several holes", several_holes},
		{"longer than the window", longer_than_the_window},
		{"too long to be held", too_long_to_be_held},
		{"late join", late_join},
		{"snapshot ahead", snapshot_ahead},
		{"snapshot behind", snapshot_behind},
		{"snapshot fails", snapshot_fails},
		{"snapshot of the next session", snapshot_of_the_next_session},
		{"request, then snapshot", request_then_snapshot},
		{"the largest hole that is asked for", the_largest_hole_that_is_asked_for},
		{"an end that is none", an_end_that_is_none},
		{"resets", resets},
		{"session change", session_change},
		{"session change of lines", session_change_of_lines},
		{"session change with a gap", session_change_with_gap},
		{"session change in a snapshot", session_change_in_a_snapshot},
		{"wrong session", wrong_session},
		{"an answer begins no session", an_answer_begins_no_session},
		{"join in the middle", join_in_the_middle},
		{"jumps", jumps},
		{"malformed", malformed},
		{"out of turn", out_of_turn},
		{"silence", silence},
		{"skew", skew},
		{"long lines", long_lines},
		{NULL, NULL},
	};

	return suite_main("feed gap", cases, argc, argv);
}
