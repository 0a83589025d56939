/* SPDX-License-Identifier: BSD-3-Clause
 * The TCP load: requests on a connection that stays, one connection per request, bulk to and fro,
 * and bulk one way.
 */
#include <errno.h>
#include <string.h>

#include "apps/load.h"
#include "apps/pattern.h"

enum { STREAM_VIEWS = 16 }; /* segments that are looked at together */

/* ---- requests ------------------------------------------------------------------------------- */

bool load_tcp_send(struct load_job *j, int64_t due_ns)
{
	const struct load *l = j->worker->load;

	if (!j->conn || j->head - j->tail >= l->depth)
		return false;
	j->ring[j->head++ & l->ring_mask] = due_ns;
	/* The send buffer has room for `depth` of them: this does not park. */
	return perch_write(j->conn, l->out, l->size, PERCH_FOREVER) > 0;
}

/* As many as may be in flight, in one write. */
static __attribute__((noinline)) bool fill_up(struct load_job *j)
{
	const struct load *l = j->worker->load;
	uint64_t n = l->depth - (j->head - j->tail);
	int64_t now_ns;
	uint64_t i;

	if (n == 0)
		return true;
	now_ns = perch_now();
	for (i = 0; i < n; i++)
		j->ring[j->head++ & l->ring_mask] = now_ns;
	return perch_write(j->conn, l->out, n * l->size, PERCH_FOREVER) > 0;
}

static uint64_t differences(const struct load *l, uint64_t at, const uint8_t *data, uint64_t len)
{
	uint64_t part, wrong = 0;

	for (at %= l->size; len > 0; at = 0, data += part, len -= part) {
		part = len < l->size - at ? len : l->size - at;
		wrong += memcmp(l->out + at, data, part) != 0;
	}
	return wrong;
}

/* Bytes came in: which replies do they complete? */
static void take(struct load_job *j, const uint8_t *data, uint64_t len)
{
	struct load_worker *w = j->worker;
	const struct load *l = w->load;

	if (l->check)
		w->wrong += differences(l, j->got, data, len);
	for (j->got += len; j->got >= l->reply && j->tail != j->head; j->got -= l->reply)
		load_answered(w, j->ring[j->tail++ & l->ring_mask], l->reply);
}

/* An echo came alone and whole: it is the next request, as it lies, without a copy. */
static bool send_back(struct load_job *j, struct perch_bytes b)
{
	const struct load *l = j->worker->load;

	if ((uint64_t)b.len != l->size || l->size != l->reply || j->got > 0 ||
		j->tail == j->head || memcmp(b.data, l->out, l->size) != 0)
		return false;
	load_answered(j->worker, j->ring[j->tail++ & l->ring_mask], l->reply);
	j->ring[j->head++ & l->ring_mask] = perch_now();
	return perch_write(j->conn, b.data, l->size, PERCH_FOREVER) > 0;
}

/* False: the connection is over. */
static __attribute__((noinline)) bool take_or_send_back(struct load_job *j, struct perch_bytes b)
{
	if (b.len <= 0) {
		load_failed(j->worker, b.len < 0 ? (int)b.len : -ECONNRESET);
		return false;
	}
	if (j->worker->interval_ns > 0 || !send_back(j, b))
		take(j, b.data, (uint64_t)b.len);
	return true;
}

/* What happens between two waits is out of line: this frame is saved and brought back at each, and
 * with thousands of connections it comes from afar. */
void load_tcp(struct load_job *j)
{
	do {
		if (j->worker->interval_ns == 0 && !fill_up(j))
			return;
	} while (take_or_send_back(j, perch_next(j->conn, PERCH_FOREVER)));
}

/* ---- one connection per request ------------------------------------------------------------- */

static int request_once(struct load_job *j)
{
	const struct load *l = j->worker->load;
	struct perch_bytes b;
	struct perch_conn *c;
	uint64_t got = 0;
	int64_t rc = load_dial(j, &c);

	if (rc < 0)
		return (int)rc;
	rc = perch_write(c, l->out, l->size, PERCH_FOREVER);
	while (rc > 0 && got < l->reply) {
		b = perch_next(c, PERCH_FOREVER);
		if (b.len > 0 && l->check)
			j->worker->wrong += differences(l, got, b.data, (uint64_t)b.len);
		got += b.len > 0 ? (uint64_t)b.len : 0;
		rc = b.len == 0 ? -ECONNRESET : b.len;
	}
	perch_hangup(c);
	return rc < 0 ? (int)rc : 0;
}

void load_connect(struct load_job *j)
{
	struct load_worker *w = j->worker;
	int64_t due_ns;
	int rc;

	while (w->phase == LOAD_OPENS)
		if (perch_yield() < 0)
			return;
	while (w->phase != LOAD_OVER) {
		due_ns = perch_now();
		if (w->interval_ns > 0) {
			due_ns = load_take_ticket(w);
			if (due_ns > perch_now() && perch_sleep(due_ns) < 0)
				return;
		}
		j->number += 1;
		rc = request_once(j);
		if (rc == -ECANCELED)
			return;
		if (rc < 0)
			load_failed(w, rc);
		else
			load_answered(w, due_ns, w->load->reply);
		if (rc < 0 && perch_yield() < 0)
			return;
	}
}

/* ---- bulk ----------------------------------------------------------------------------------- */

static void write_on(void *arg)
{
	struct load_job *j = arg;
	const struct load *l = j->worker->load;
	struct perch_conn *c = j->conn;

	while (j->worker->phase != LOAD_OVER &&
		perch_write(c, l->out, l->depth * l->size, PERCH_FOREVER) > 0)
		;
}

/* A second coroutine writes all it can; this one counts what comes back. */
void load_bulk(struct load_job *j)
{
	struct load_worker *w = j->worker;
	const struct load *l = w->load;
	struct perch_bytes b;

	if (perch_spawn(write_on, j, 0) < 0) {
		load_failed(w, -ENOBUFS);
		return;
	}
	while ((b = perch_next(j->conn, PERCH_FOREVER)).len > 0) {
		if (l->check)
			w->wrong += differences(l, j->got, b.data, (uint64_t)b.len);
		j->got += (uint64_t)b.len;
		if (w->phase == LOAD_MEASURES)
			w->bytes += (uint64_t)b.len;
	}
	load_failed(w, b.len < 0 ? (int)b.len : -ECONNRESET);
}

/* ---- bulk one way --------------------------------------------------------------------------- */

static int64_t send_pattern(struct load_job *j)
{
	const struct load *l = j->worker->load;

	if (l->memory)
		return perch_lend(j->conn, l->memory, 0, PATTERN_BYTES, PERCH_FOREVER);
	return perch_write(j->conn, l->out, PATTERN_BYTES, PERCH_FOREVER);
}

/* To a service that throws it away. What counts is what the peer has acknowledged: all but what
 * is still queued here. */
void load_send(struct load_job *j)
{
	struct load_worker *w = j->worker;
	struct perch_flow_info i;
	uint64_t sent = 0, before = 0, arrived;
	int64_t rc;

	while ((rc = send_pattern(j)) > 0) {
		sent += (uint64_t)rc;
		perch_flow_info(j->conn, &i);
		arrived = sent - i.unsent_bytes - i.unacked_bytes;
		if (w->phase == LOAD_MEASURES)
			w->bytes += arrived - before;
		before = arrived;
	}
	load_failed(w, (int)rc);
}

/* From a service that sends RFC 864's pattern without end. */
void load_receive(struct load_job *j)
{
	struct load_worker *w = j->worker;
	const struct load *l = w->load;
	struct perch_bytes b[STREAM_VIEWS];
	int n, i;

	while ((n = perch_next_many(j->conn, b, STREAM_VIEWS, PERCH_FOREVER)) > 0) {
		for (i = 0; i < n; i++) {
			if (l->check)
				w->wrong += !pattern_holds(l->out, j->got, b[i].data,
					(uint64_t)b[i].len);
			j->got += (uint64_t)b[i].len;
			if (w->phase == LOAD_MEASURES)
				w->bytes += (uint64_t)b[i].len;
		}
	}
	load_failed(w, n < 0 ? n : -ECONNRESET);
}
