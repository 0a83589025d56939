/* SPDX-License-Identifier: BSD-3-Clause
 * A sequenced feed: which packets are its own, and what comes next.
 */
#include "apps/feed/feed_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- open and close ------------------------------------------------------------------------- */

#define DEFAULT(field, value)                                                                      \
	do {                                                                                       \
		if (c->field == 0)                                                                 \
			c->field = (value);                                                        \
	} while (0)

static int set_defaults(struct feed_config *c)
{
	DEFAULT(lines, 2);
	DEFAULT(window, 1024);
	DEFAULT(packet_bytes, 1500);
	DEFAULT(max_jump, 10 * 1000 * 1000);
	DEFAULT(quiet_ns, INT64_C(5000000000));
	DEFAULT(retry_ns, 100 * 1000 * 1000);
	DEFAULT(request_max, 1000);
	DEFAULT(outstanding, 4);
	DEFAULT(snapshot_retry_ns, 1000 * 1000 * 1000);
	DEFAULT(snapshot_over, 10 * 1000);
	if (!c->venue || c->lines > FEED_LINES || c->window > UINT32_MAX / 2)
		return -EINVAL;
	if (c->session && strlen(c->session) > 10)
		return -EINVAL;
	if (c->request_max > 0xfffe)
		c->request_max = 0xfffe; /* what MoldUDP64's count has room for */
	return 0;
}

int feed_open(struct feed **out, const struct feed_config *cfg)
{
	struct feed_config c = *cfg;
	struct feed *f;
	int rc = set_defaults(&c);

	*out = NULL;
	if (rc < 0)
		return rc;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->cfg = c;
	f->venue = c.venue;
	f->channel = c.channel;
	f->due_ns = INT64_MAX;
	if (feed_hold_open(f) < 0) {
		feed_close(f);
		return -ENOMEM;
	}
	feed_lines_restart(f);
	feed_gap_rewalk(f);
	*out = f;
	return 0;
}

void feed_close(struct feed *f)
{
	if (!f)
		return;
	feed_hold_close(f);
	free(f);
}

/* ---- in ------------------------------------------------------------------------------------- */

static uint64_t *fault_counter(struct feed_counters *c, enum feed_fault fault)
{
	switch (fault) {
	case FEED_SHORT:
		return &c->drop_short;
	case FEED_BAD_LENGTH:
		return &c->drop_bad_length;
	case FEED_BAD_COUNT:
		return &c->drop_bad_count;
	case FEED_BAD_BLOCK:
		return &c->drop_bad_block;
	case FEED_BAD_SEQUENCE:
		return &c->drop_bad_sequence;
	default:
		return &c->drop_unsequenced;
	}
}

static void begin_epoch(struct feed *f, const struct feed_session *session, uint64_t next)
{
	f->epoch.pending = true;
	f->epoch.session = *session;
	f->epoch.next = next;
	f->flushing = f->joined;
}

static bool is_wanted(const struct feed *f, const struct feed_session *session)
{
	char text[FEED_SESSION_TEXT];

	return !f->cfg.session ||
		strcmp(feed_session_text(f->venue, session, text), f->cfg.session) == 0;
}

/* A session other than the one that is on is believed when that one is over or has been silent. */
static bool session_fits(struct feed *f, unsigned line, const struct feed_header *h)
{
	bool over = f->ended || f->now_ns - f->last_ns >= f->cfg.quiet_ns;

	if (f->joined && feed_same_session(&f->session, &h->session))
		return true;
	if (line == FEED_RECOVERY || (f->joined && !over) || !is_wanted(f, &h->session)) {
		f->counters.drop_wrong_session++;
		return false;
	}
	if (f->joined)
		begin_epoch(f, &h->session, f->venue->lowest);
	else
		begin_epoch(f, &h->session, f->cfg.start ? f->cfg.start : h->first);
	return true;
}

static bool channel_fits(struct feed *f, const struct feed_header *h)
{
	if (f->channel == 0)
		f->channel = h->channel;
	if (f->channel == h->channel)
		return true;
	f->counters.drop_wrong_channel++;
	return false;
}

/* One packet with a wild number must not make the feed deaf to all that follows; two that follow
 * each other are the truth. */
static bool number_fits(struct feed *f, unsigned line, const struct feed_header *h)
{
	uint64_t end = h->first + h->units;
	bool goes_on = f->jump_end && h->first >= f->jump_end && h->first - f->jump_end < 1000;

	if (f->ended && end > f->end_number) {
		f->counters.drop_after_end++;
		return false;
	}
	if (h->first <= f->known_end || h->first - f->known_end <= f->cfg.max_jump)
		return true;
	if (goes_on && line != FEED_RECOVERY) {
		f->jump_end = 0;
		return true;
	}
	if (line != FEED_RECOVERY)
		f->jump_end = end;
	f->counters.drop_jump++;
	return false;
}

/* The same reset comes by every line. */
static bool is_new_reset(struct feed *f, const struct feed_header *h)
{
	if (h->kind != FEED_RESET ||
		(f->reset_first == h->first && f->now_ns - f->reset_ns < f->cfg.quiet_ns))
		return false;
	f->reset_first = h->first;
	f->reset_ns = f->now_ns;
	f->counters.resets++;
	return true;
}

static bool fits(struct feed *f, unsigned line, const struct feed_header *h)
{
	if (!channel_fits(f, h) || !session_fits(f, line, h))
		return false;
	if (f->epoch.pending)
		return true;
	if (line != FEED_RECOVERY && is_new_reset(f, h)) {
		begin_epoch(f, &h->session, h->first);
		return true;
	}
	return number_fits(f, line, h);
}

static void advance_clock(struct feed *f, int64_t now_ns)
{
	unsigned i;

	if (f->now_ns == 0) /* silence is counted from here */
		for (i = 0; i < f->cfg.lines; i++)
			f->lines[i].last_ns = now_ns;
	if (now_ns > f->now_ns)
		f->now_ns = now_ns;
}

void feed_input(struct feed *f, unsigned line, const void *data, size_t len, int64_t now_ns)
{
	enum feed_fault fault;

	advance_clock(f, now_ns);
	if (f->cur.active) {
		f->counters.drop_busy++;
		return;
	}
	fault = feed_parse(f->venue, data, len, &f->cur.h);
	if (fault != FEED_SOUND) {
		++*fault_counter(&f->counters, fault);
		return;
	}
	if (!fits(f, line, &f->cur.h))
		return;
	f->counters.trailing_bytes += f->cur.h.trailing;
	f->last_ns = f->now_ns;
	f->cur.active = true;
	f->cur.len = len;
	f->cur.line = (uint8_t)line;
	f->cur.end = f->cur.h.first + f->cur.h.units;
	f->cur.taken = 0;
	f->cur.time_ns = f->now_ns;
}

void feed_tick(struct feed *f, int64_t now_ns)
{
	advance_clock(f, now_ns);
}

int64_t feed_deadline(const struct feed *f)
{
	int64_t lines_ns = feed_lines_deadline(f), due_ns = f->due_ns;

	if (f->snapshot.on)
		due_ns = f->snapshot.asked ? INT64_MAX : f->snapshot.ask_ns;
	return due_ns < lines_ns ? due_ns : lines_ns;
}

void feed_restart(struct feed *f, uint64_t next, int64_t now_ns)
{
	advance_clock(f, now_ns);
	if (f->joined)
		begin_epoch(f, &f->session, next);
}

/* ---- out ------------------------------------------------------------------------------------ */

static bool data_event(struct feed *f, struct feed_event *ev, uint64_t first, uint64_t end)
{
	ev->kind = FEED_DATA;
	ev->first = first;
	ev->end = end;
	f->next = end;
	f->known_end = greater(f->known_end, end);
	f->counters.delivered_units += end - first;
	feed_gap_rewalk(f);
	return true;
}

static void fill_later(struct feed *f, uint64_t first, uint64_t end, unsigned line)
{
	f->fill.first = first;
	f->fill.end = end;
	f->fill.by = line == FEED_RECOVERY ? FEED_BY_REQUEST : FEED_BY_LINE;
}

static bool fill_event(struct feed *f, struct feed_event *ev)
{
	if (f->fill.first >= f->fill.end)
		return false;
	ev->kind = FEED_FILLED;
	ev->first = f->fill.first;
	ev->end = f->fill.end;
	ev->by = f->fill.by;
	if (ev->by == FEED_BY_REQUEST)
		f->counters.filled_by_request_units += ev->end - ev->first;
	else
		f->counters.filled_by_line_units += ev->end - ev->first;
	f->fill.first = f->fill.end;
	return true;
}

static bool deliver_held(struct feed *f, struct feed_event *ev)
{
	uint32_t i = first_held(f);
	struct held *h = &f->held[i];

	if (i == sentinel(f) || h->first != f->next)
		return false;
	ev->data = f->room + (size_t)i * f->cfg.packet_bytes;
	ev->len = h->len;
	ev->line = h->line;
	ev->time_ns = h->time_ns;
	f->counters.delivered_messages += h->messages;
	fill_later(f, h->first, h->fill_end, h->line);
	feed_hold_take(f);
	feed_gap_due(f, f->now_ns); /* one hole fewer: another may be asked for */
	return data_event(f, ev, h->first, h->end);
}

/* What the hole at next, if there is one, gets of the current packet. */
static void note_fill(struct feed *f, uint32_t i, uint64_t end)
{
	struct hole *h = &f->held[i].before;
	uint64_t told_end, hole = hole_end(f, i);

	if (f->next >= hole)
		return;
	told_end = greater(f->next, lesser(h->told_end, lesser(end, hole)));
	fill_later(f, f->next, told_end, f->cur.line);
	f->counters.healed_units += lesser(end, hole) - told_end;
	feed_gap_due(f, f->now_ns);
}

static bool deliver_current(struct feed *f, struct feed_event *ev)
{
	const struct feed_header *h = &f->cur.h;
	uint32_t i = first_held(f);
	uint64_t end = f->cur.end, first = f->next;

	if (!f->cur.active || f->epoch.pending || h->first > f->next || end <= f->next)
		return false;
	if (i != sentinel(f))
		end = lesser(end, f->held[i].first);
	ev->data = h->blocks;
	ev->len = h->blocks_len;
	if (f->venue->unit == FEED_PER_PACKET) {
		f->counters.delivered_messages += h->messages;
	} else {
		if (first > h->first)
			ev->data += feed_span(f, h->blocks, first - h->first);
		ev->len -= (size_t)(ev->data - h->blocks);
		if (end < f->cur.end)
			ev->len = feed_span(f, ev->data, end - first);
		f->counters.delivered_messages += end - first;
	}
	ev->line = f->cur.line;
	ev->time_ns = f->cur.time_ns;
	f->cur.taken += end - first;
	f->lines[f->cur.line].won_units += end - first;
	note_fill(f, i, end);
	return data_event(f, ev, first, end);
}

static void finish_current(struct feed *f)
{
	const struct feed_header *h = &f->cur.h;

	if (!f->cur.active || f->epoch.pending)
		return;
	f->cur.active = false;
	feed_line_note(f, f->cur.line, h, f->cur.len); /* what it brought is out by now */
	if (h->kind == FEED_BEAT || h->kind == FEED_END_OF_SESSION)
		feed_know(f, h->first);
	if (h->kind == FEED_END_OF_SESSION && !f->ended && h->first >= f->known_end) {
		f->ended = true;
		f->end_number = h->first;
	}
	feed_hold_current(f);
	if (f->cur.line == FEED_RECOVERY && h->units)
		feed_gap_answered(f);
	if (h->units && f->cur.taken == 0)
		f->counters.drop_duplicate++;
}

static bool end_event(struct feed *f, struct feed_event *ev)
{
	if (!f->ended || f->end_told || f->next < f->end_number)
		return false;
	f->end_told = true;
	ev->kind = FEED_END;
	ev->first = ev->end = f->end_number;
	return true;
}

/* All that was old is out: the numbers start anew. */
static bool session_event(struct feed *f, struct feed_event *ev)
{
	if (!f->epoch.pending || f->next < f->known_end)
		return false;
	f->epoch.pending = f->flushing = f->ended = f->end_told = false;
	f->snapshot.cut_short = false;
	f->joined = true;
	f->session = f->epoch.session;
	f->next = f->known_end = f->epoch.next;
	f->snapshot.barrier = f->jump_end = 0;
	feed_lines_restart(f);
	if (f->cur.active && !number_fits(f, f->cur.line, &f->cur.h))
		f->cur.active = false;
	f->counters.sessions++;
	ev->kind = FEED_SESSION;
	ev->first = ev->end = f->next;
	return true;
}

bool feed_next(struct feed *f, struct feed_event *ev)
{
	*ev = (struct feed_event){.time_ns = f->now_ns};
	feed_hold_release(f);
	if (fill_event(f, ev))
		return true;
	if (f->snapshot.on && feed_snapshot_step(f, ev))
		return true;
	if (feed_gap_drop_held(f, ev))
		return true;
	if (!f->snapshot.on && (deliver_held(f, ev) || deliver_current(f, ev)))
		return true;
	finish_current(f);
	if (!f->snapshot.on && feed_gap_step(f, ev))
		return true;
	return end_event(f, ev) || session_event(f, ev) || feed_line_event(f, ev);
}

bool feed_message(const struct feed *f, struct feed_event *ev, struct feed_message *m)
{
	size_t n;

	if (ev->len == 0)
		return false;
	n = feed_block(f->venue, ev->data, &m->data, &m->len);
	m->number = ev->first;
	if (f->venue->unit == FEED_PER_MESSAGE)
		ev->first++;
	ev->data += n;
	ev->len -= n;
	return true;
}

uint64_t feed_awaits(const struct feed *f)
{
	return f->next;
}

const struct feed_session *feed_session_of(const struct feed *f)
{
	return &f->session;
}

const struct feed_counters *feed_counters(const struct feed *f)
{
	return &f->counters;
}

const struct feed_line *feed_line(const struct feed *f, unsigned line)
{
	return line <= FEED_LINES ? &f->lines[line] : NULL;
}
