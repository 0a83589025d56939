/* SPDX-License-Identifier: BSD-3-Clause
 * What the files of a feed share: the held packets and the holes between them.
 *
 * Held packets are disjoint runs of units in a circular list, in order, around a sentinel. Before
 * each of them, and before the sentinel, lies a hole, possibly empty:
 *
 *	... delivered | hole | held | hole | held | hole up to known_end (the sentinel's)
 *	              next                                         known_end
 */
#ifndef PERCH_APPS_FEED_FEED_INSIDE_H
#define PERCH_APPS_FEED_FEED_INSIDE_H

#include "apps/feed/feed.h"

enum { SEEN_BITS = 4096, ARRIVALS = 1024 };

/* What is missing before a held packet. Nothing in here matters while the hole is empty. */
struct hole {
	uint64_t told_end;   /* the application knows of what lies before this number */
	int64_t tell_ns;     /* when it is to be told of the rest */
	int64_t ask_ns;      /* when what it knows of is to be asked for (again) */
	uint64_t asked_first; /* where the last request began */
	uint32_t tries;      /* since the last answer */
	bool given_up;
};

struct held {
	uint64_t first, end;
	uint64_t fill_end;   /* first .. fill_end was known as missing when this came */
	struct hole before;
	int64_t time_ns;
	uint32_t prev, next; /* indices */
	uint32_t len, messages;
	uint8_t line;
};

struct seen {
	bool begun;
	uint64_t base, next; /* numbers from the line's first packet on */
	uint64_t units;      /* different ones */
	uint64_t missing_before; /* in sessions before this one */
	uint64_t bits[SEEN_BITS / 64];
};

struct arrival {
	uint64_t first;
	int64_t time_ns;
	uint8_t line;
};

/* The packet that feed_input was given, until all that is new in it has been used. */
struct current {
	bool active;
	size_t len;
	uint8_t line;
	struct feed_header h;
	uint64_t end;        /* h.first + h.units */
	uint64_t taken;      /* units that were new */
	int64_t time_ns;
};

struct feed {
	struct feed_config cfg;
	const struct feed_venue *venue;
	int64_t now_ns, last_ns;  /* last_ns: of a packet of this session */
	struct current cur;

	bool joined, flushing;
	struct feed_session session;
	uint64_t channel;
	uint64_t next, known_end;
	bool ended, end_told;
	uint64_t end_number;
	struct {
		bool pending;     /* numbers are about to start anew, once all that is old is out */
		struct feed_session session;
		uint64_t next;
	} epoch;
	uint64_t reset_first, jump_end; /* 0: none */
	int64_t reset_ns;

	struct held *held;        /* cfg.window of them, and the sentinel */
	uint8_t *room;            /* cfg.packet_bytes for each */
	uint32_t free, holding;   /* head of the free ones, linked by next */
	uint32_t releasing;       /* delivered by the last event; the sentinel: none */
	struct {
		uint64_t first, end;
		uint8_t by;
	} fill;                   /* to be told of next */

	/* The walk over the holes, which emits an event at a time. */
	uint32_t walk, walk_asked;
	int64_t walk_due_ns, due_ns;
	struct {
		bool on, asked, there;
		bool cut_short;       /* by the end of the session that it was of */
		unsigned tries;
		int64_t ask_ns;
		uint64_t covers_to;   /* the one that is there stands for all before this */
		uint64_t barrier;     /* one failed: none is tried before next is this far */
	} snapshot;
	uint8_t request[20];

	uint32_t heard;           /* bits: lines that are back */
	struct feed_counters counters;
	struct feed_line lines[FEED_LINES + 1];
	struct seen seen[FEED_LINES + 1];
	struct arrival arrivals[ARRIVALS];
};

static inline uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* ---- feed_line.c: what each line is like ---- */

void feed_line_note(struct feed *f, unsigned line, const struct feed_header *h, size_t len);
/* Numbers start anew. */
void feed_lines_restart(struct feed *f);
bool feed_line_event(struct feed *f, struct feed_event *ev);
int64_t feed_lines_deadline(const struct feed *f);

/* ---- feed_hold.c: the window ---- */

int feed_hold_open(struct feed *f);
void feed_hold_close(struct feed *f);

static inline uint32_t sentinel(const struct feed *f)
{
	return f->cfg.window;
}

static inline uint32_t first_held(const struct feed *f)
{
	return f->held[sentinel(f)].next;
}

static inline uint64_t hole_start(const struct feed *f, uint32_t i)
{
	uint32_t prev = f->held[i].prev;

	return prev == sentinel(f) ? f->next : f->held[prev].end;
}

static inline uint64_t hole_end(const struct feed *f, uint32_t i)
{
	return i == sentinel(f) ? f->known_end : f->held[i].first;
}

/* Something before that number exists. */
void feed_know(struct feed *f, uint64_t end);
/* Hold what is new in the current packet. */
void feed_hold_current(struct feed *f);
/* Unlink the first one; its bytes stay until feed_hold_release. */
void feed_hold_take(struct feed *f);
void feed_hold_release(struct feed *f);
/* Forget what of the first one lies before that number, which is inside it. */
void feed_hold_clip(struct feed *f, uint64_t first);
/* Bytes of so many messages. */
size_t feed_span(const struct feed *f, const uint8_t *blocks, uint64_t messages);

/* ---- feed_gap.c: what is done about holes ---- */

void feed_gap_rewalk(struct feed *f);
void feed_gap_due(struct feed *f, int64_t due_ns);
/* The current packet is an answer: go on asking for what is left of the hole, at once. */
void feed_gap_answered(struct feed *f);
bool feed_gap_step(struct feed *f, struct feed_event *ev);
bool feed_gap_drop_held(struct feed *f, struct feed_event *ev);
bool feed_snapshot_step(struct feed *f, struct feed_event *ev);

#endif
