/* SPDX-License-Identifier: BSD-3-Clause
 * What a publisher is made of: rough lines, the messages of a session by number, requests for them.
 */
#include "apps/feed/rough.h"

#include <errno.h>
#include <string.h>

#include "apps/feed/archive.h"
#include "tests/suite.h"

enum { N = 20000 };

/* Send N numbered packets a microsecond apart, and take what has come through by each. Returns how
 * many came; seen[i]: how often number i did; late: how many came after a higher one. */
static unsigned send_all(const struct rough_config *cfg, uint8_t *seen, unsigned *late)
{
	struct rough_counters c;
	unsigned came = 0, most = 0;
	const unsigned *number;
	struct rough *r;
	int64_t now_ns;
	size_t len;
	unsigned i;

	CU_ASSERT_EQUAL_FATAL(rough_open(&r, cfg), 0);
	memset(seen, 0, N);
	*late = 0;
	for (i = 0; i < N + 1000; i++) {
		now_ns = 1000 * (int64_t)i;
		if (i < N)
			rough_send(r, &i, sizeof(i), now_ns);
		while ((number = rough_take(r, now_ns, &len))) {
			CU_ASSERT_EQUAL(len, sizeof(i));
			seen[*number]++;
			*late += *number < most;
			most = *number > most ? *number : most;
			came++;
		}
	}
	CU_ASSERT_EQUAL(rough_due(r), INT64_MAX);
	c = *rough_counters(r);
	CU_ASSERT_EQUAL(c.sent, N);
	CU_ASSERT_EQUAL(came, N - c.lost + c.doubled - c.slots_full);
	rough_close(r);
	return came;
}

static uint8_t seen[N], again[N];

static void smooth(void)
{
	unsigned late;

	CU_ASSERT_EQUAL(send_all(&(struct rough_config){.seed = 1}, seen, &late), N);
	CU_ASSERT_EQUAL(late, 0);
}

/* The same seed loses the same packets, another one others; of a burst, several in a row. */
static void loses(void)
{
	struct rough_config cfg = {.seed = 1, .loss_ppm = 100000};
	unsigned late, i, came, rows = 0;

	came = send_all(&cfg, seen, &late);
	CU_ASSERT_TRUE(came > N * 0.88 && came < N * 0.92);
	CU_ASSERT_EQUAL(send_all(&cfg, again, &late), came);
	CU_ASSERT_EQUAL(memcmp(seen, again, N), 0);
	cfg.seed = 2;
	send_all(&cfg, again, &late);
	CU_ASSERT_NOT_EQUAL(memcmp(seen, again, N), 0);
	cfg = (struct rough_config){.seed = 3, .loss_ppm = 1000, .burst = 5};
	came = send_all(&cfg, seen, &late);
	for (i = 0; i + 5 < N; i++)
		rows += !seen[i] && !seen[i + 1] && !seen[i + 2] && !seen[i + 3] && !seen[i + 4] &&
			(i == 0 || seen[i - 1]);
	CU_ASSERT_TRUE(rows > 5 && N - came <= 5 * rows + 10);
}

static void doubles(void)
{
	const struct rough_config cfg = {.seed = 1, .duplicate_ppm = 100000};
	unsigned late, i, twice = 0;

	CU_ASSERT_TRUE(send_all(&cfg, seen, &late) > N * 1.08);
	for (i = 0; i < N; i++)
		twice += seen[i] == 2;
	CU_ASSERT_TRUE(twice > N * 0.08 && twice < N * 0.12);
	CU_ASSERT_EQUAL(late, 0);
}

static void holds_back(void)
{
	const struct rough_config cfg = {
		.seed = 1, .reorder_ppm = 100000, .reorder_ns = 5500, .slots = 64};
	unsigned late;

	CU_ASSERT_EQUAL(send_all(&cfg, seen, &late), N);
	CU_ASSERT_TRUE(late > N * 0.08 && late < N * 0.12);
}

/* All are as late as it says, and what it has no room for is lost and counted. */
static void lags(void)
{
	const struct rough_config cfg = {.skew_ns = 300, .slots = 2};
	struct rough *r;
	size_t len;

	CU_ASSERT_EQUAL_FATAL(rough_open(&r, &cfg), 0);
	rough_send(r, "a", 1, 1000);
	rough_send(r, "b", 1, 1100);
	rough_send(r, "c", 1, 1200);
	CU_ASSERT_EQUAL(rough_counters(r)->slots_full, 1);
	CU_ASSERT_EQUAL(rough_due(r), 1300);
	CU_ASSERT_PTR_NULL(rough_take(r, 1299, &len));
	CU_ASSERT_NSTRING_EQUAL(rough_take(r, 1300, &len), "a", 1);
	CU_ASSERT_PTR_NULL(rough_take(r, 1300, &len));
	CU_ASSERT_NSTRING_EQUAL(rough_take(r, 1400, &len), "b", 1);
	rough_close(r);
}

/* Eight messages are kept: those that are asked for and there come, as many as fit. */
static void archives(void)
{
	const struct feed_session session = mold_session("S");
	uint8_t out[MOLD_HEADER + 12];
	struct archive *a;
	size_t len;
	unsigned i, n;

	CU_ASSERT_EQUAL_FATAL(archive_open(&a, 3, 4), 0);
	CU_ASSERT_EQUAL(archive_packet(a, &session, 1, 9, out, sizeof(out), &n), MOLD_HEADER);
	CU_ASSERT_EQUAL(n, 0);
	for (i = 1; i <= 10; i++)
		CU_ASSERT_EQUAL(archive_add(a, "abcd", 4), i);
	CU_ASSERT_EQUAL(archive_add(a, "abcde", 5), 0);
	CU_ASSERT_EQUAL(archive_next(a), 11);
	CU_ASSERT_PTR_NULL(archive_get(a, 0, &len));
	CU_ASSERT_PTR_NULL(archive_get(a, 2, &len));
	CU_ASSERT_PTR_NOT_NULL(archive_get(a, 3, &len));
	CU_ASSERT_PTR_NULL(archive_get(a, 11, &len));
	CU_ASSERT_EQUAL(archive_packet(a, &session, 9, 9, out, sizeof(out), &n), MOLD_HEADER + 12);
	CU_ASSERT_EQUAL(n, 2);
	len = archive_packet(a, &session, 3, 9, out, sizeof(out) - 1, &n);
	CU_ASSERT_EQUAL(len, MOLD_HEADER + 6);
	CU_ASSERT_EQUAL(n, 1);
	archive_packet(a, &session, 3, 1, out, sizeof(out), &n);
	CU_ASSERT_EQUAL(n, 1);
	archive_close(a);
	/* Before anything was overwritten there is no number 0 either. */
	CU_ASSERT_EQUAL_FATAL(archive_open(&a, 3, 4), 0);
	archive_add(a, "a", 1);
	CU_ASSERT_PTR_NULL(archive_get(a, 0, &len));
	archive_close(a);
}

static void requests(void)
{
	const struct feed_session session = mold_session("S1");
	uint8_t out[MOLD_HEADER + 1] = {0};
	struct mold_request r;

	mold_put_header(out, &session, 7, 3);
	CU_ASSERT_EQUAL(mold_request(out, MOLD_HEADER, &r), 0);
	CU_ASSERT_TRUE(feed_same_session(&r.session, &session));
	CU_ASSERT_EQUAL(r.sequence, 7);
	CU_ASSERT_EQUAL(r.count, 3);
	CU_ASSERT_EQUAL(mold_request(out, MOLD_HEADER - 1, &r), -EBADMSG);
	CU_ASSERT_EQUAL(mold_request(out, MOLD_HEADER + 1, &r), -EBADMSG);
	mold_put_header(out, &session, 0, 3);
	CU_ASSERT_EQUAL(mold_request(out, MOLD_HEADER, &r), -EBADMSG);
	mold_put_header(out, &session, 7, 0);
	CU_ASSERT_EQUAL(mold_request(out, MOLD_HEADER, &r), -EBADMSG);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"smooth", smooth},
		{"loses", loses},
		{"doubles", doubles},
		{"holds back", holds_back},
		{"lags", lags},
		{"archives", archives},
		{"requests", requests},
		{NULL, NULL},
	};

	return suite_main("feed rough", cases, argc, argv);
}
