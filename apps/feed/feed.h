/* SPDX-License-Identifier: BSD-3-Clause
 * A sequenced feed: packets of lines A and B, of a re-request server, and the time go in; messages
 * in order, and what became of those that are missing, come out. A pure state machine: no clock, no
 * I/O; one thread at a time. All memory is reserved by feed_open.
 *
 *	feed_input(f, line, data, len, now_ns);
 *	while (feed_next(f, &ev))
 *		switch (ev.kind) {
 *		case FEED_DATA:
 *			while (feed_message(f, &ev, &m))
 *				book(m.data, m.len);
 *			break;
 *		case FEED_REQUEST:
 *			send_to_rerequest_server(ev.data, ev.len);
 *			break;
 *		...
 *		}
 *
 * The first copy of a message is delivered at once, whichever line brought it. What comes early is
 * held in a window of packets. A hole is given wait_ns for the other line or for reordering; then
 * the application is told (FEED_GAP), and it is asked for again, tries times; holes beyond
 * snapshot_over units, and those that nobody answers for, are left to a snapshot; without one, or
 * when that fails too, they are lost. Every unit of a FEED_GAP is later told of once, by
 * FEED_FILLED or FEED_LOST. What healed before it was told of is counted only.
 */
#ifndef PERCH_APPS_FEED_FEED_H
#define PERCH_APPS_FEED_FEED_H

#include "apps/feed/venue.h"

enum { FEED_LINES = 4 };
/* The line that answers to requests come in by. */
enum { FEED_RECOVERY = FEED_LINES };

struct feed_config {
	const struct feed_venue *venue;
	unsigned lines;        /* 1 .. FEED_LINES; default 2 */
	uint64_t start;        /* the first number wanted; 0: whatever the feed is at */
	uint64_t channel;      /* of venues that have them; 0: the first that is seen */
	const char *session;   /* the only one wanted, as feed_session_text has it; NULL: any */
	uint32_t window;       /* packets held out of order; default 1,024 */
	uint32_t packet_bytes; /* longer ones are not held; default 1,500 */
	int64_t wait_ns;       /* for the other line, before a hole is a gap; 0: none */
	uint64_t max_jump;     /* a number so far ahead is believed when a second packet goes on
	                        * from it; default 10,000,000 */
	int64_t quiet_ns;      /* so long must a session have been silent before another one is
	                        * believed, unless it has ended; default 5 s */
	int64_t silent_ns;     /* a line without packets for so long is told of; 0: never */
	/* Re-requests. */
	unsigned tries;        /* each with no progress since the one before; 0: never ask */
	int64_t retry_ns;      /* from one to the next; default 100 ms */
	uint32_t request_max;  /* units in one; default 1,000 */
	unsigned outstanding;  /* holes that are asked for at a time; default 4 */
	/* Snapshots. */
	unsigned snapshot_tries; /* 0: there is no snapshot server */
	int64_t snapshot_retry_ns; /* default 1 s */
	uint64_t snapshot_over; /* holes of more units are not re-requested; default 10,000 */
};

enum feed_event_kind {
	FEED_DATA,     /* messages: see feed_message */
	FEED_SESSION,  /* a session begins, or was joined; first: the number that is awaited */
	FEED_GAP,      /* first .. end are missing */
	FEED_FILLED,   /* delivered after all, or a snapshot stands for them: see by */
	FEED_LOST,     /* they will not come; the next data is from end on */
	FEED_REQUEST,  /* ask for them: data and len are the packet, of venues where that is UDP */
	FEED_SNAPSHOT, /* get a snapshot, then call feed_snapshot_done or feed_snapshot_failed;
	                * until then no FEED_DATA comes. A FEED_SESSION meanwhile: leave it */
	FEED_END,      /* of session; end: the number that would have come */
	FEED_SILENT,   /* nothing came by that line for silent_ns */
	FEED_HEARD,    /* it is back */
};

enum feed_by { FEED_BY_LINE, FEED_BY_REQUEST, FEED_BY_SNAPSHOT };

struct feed_event {
	enum feed_event_kind kind;
	uint8_t line;        /* DATA, SILENT, HEARD */
	uint8_t by;          /* FILLED: enum feed_by */
	uint64_t first, end; /* numbers, end excluded */
	const uint8_t *data; /* good until the next feed_next or feed_input */
	size_t len;
	int64_t time_ns;     /* DATA: when the packet came; else now */
};

struct feed_message {
	const uint8_t *data;
	size_t len;
	uint64_t number;     /* its own, or its packet's */
};

/* What feeds count, each in a uint64_t of that name. */
#define FEED_COUNTERS(X)                                                                           \
	X(delivered_units, "messages (packets, at venues that number those) delivered")            \
	X(delivered_messages, "messages delivered")                                                \
	X(healed_units, "came late, but before a gap was told of")                                 \
	X(gaps, "gaps told of")                                                                    \
	X(gap_units, "units told of as missing")                                                   \
	X(filled_by_line_units, "missing units that a line brought after all")                     \
	X(filled_by_request_units, "missing units that the re-request server brought")             \
	X(filled_by_snapshot_units, "missing units that a snapshot stood for")                     \
	X(lost_units, "missing units that were given up")                                          \
	X(requests, "re-requests asked for")                                                       \
	X(snapshots, "snapshots asked for")                                                        \
	X(snapshots_failed, "snapshots that failed")                                               \
	X(sessions, "sessions begun or joined")                                                    \
	X(resets, "sequence resets")                                                               \
	X(held_most, "most packets held at a time")                                                \
	X(drop_duplicate, "packets with nothing new in them")                                      \
	X(drop_window_full, "packets that no window slot was left for")                            \
	X(drop_too_long, "packets too long to be held")                                            \
	X(drop_short, "packets shorter than their header")                                         \
	X(drop_bad_length, "packets whose length field contradicts their length")                  \
	X(drop_bad_count, "packets with fewer messages than they count")                           \
	X(drop_bad_block, "packets with a message that runs past their end")                       \
	X(drop_bad_sequence, "packets with a sequence number that none can have")                  \
	X(drop_unsequenced, "packets without a sequence number")                                   \
	X(drop_wrong_session, "packets of a session that is not on")                               \
	X(drop_wrong_channel, "packets of another channel")                                        \
	X(drop_jump, "packets too far ahead to be believed")                                       \
	X(drop_after_end, "packets numbered past the end of their session")                        \
	X(drop_busy, "packets that came before the events of the last one were taken")             \
	X(trailing_bytes, "packets with bytes after what they speak of")

struct feed_counters {
#define FEED_FIELD(name, text) uint64_t name;
	FEED_COUNTERS(FEED_FIELD)
#undef FEED_FIELD
};

struct feed_line {
	uint64_t packets, bytes, beats;
	uint64_t won_units;       /* that this line was the first to bring */
	uint64_t duplicate_units; /* that this same line brought twice */
	uint64_t reordered_units; /* that came after later ones */
	uint64_t missing_units;   /* that this line has not brought (yet) */
	/* How long after the other line's copy this one's came, where it came second. */
	uint64_t behind;
	int64_t behind_min_ns, behind_max_ns, behind_sum_ns;
	uint64_t behind_log2[40]; /* [i]: 2^i ns or more, less than twice that; [0]: less too */
	int64_t last_ns;          /* when its last packet came */
	bool silent;
};

struct feed;

/* Returns 0, -EINVAL (no venue, too many lines, a session that is none) or -ENOMEM. */
int feed_open(struct feed **out, const struct feed_config *cfg);
void feed_close(struct feed *f);

/* A packet's UDP payload came by that line (or FEED_RECOVERY). It is read until feed_next has
 * returned false, which must come first before the next packet. now_ns never goes back. */
void feed_input(struct feed *f, unsigned line, const void *data, size_t len, int64_t now_ns);
/* When feed_tick is due, INT64_MAX never. */
int64_t feed_deadline(const struct feed *f);
void feed_tick(struct feed *f, int64_t now_ns);
/* What follows from that. false: nothing more. */
bool feed_next(struct feed *f, struct feed_event *ev);
/* The messages of a FEED_DATA event, one after the other. */
bool feed_message(const struct feed *f, struct feed_event *ev, struct feed_message *m);

/* The snapshot is applied; next is the first number that it does not stand for. */
void feed_snapshot_done(struct feed *f, uint64_t next, int64_t now_ns);
void feed_snapshot_failed(struct feed *f, int64_t now_ns);
/* The number that is awaited next, and the session. */
uint64_t feed_awaits(const struct feed *f);
const struct feed_session *feed_session_of(const struct feed *f);
/* The venue's own messages said that its numbers start anew at next (CME channel reset). What is
 * missing is lost. */
void feed_restart(struct feed *f, uint64_t next, int64_t now_ns);

const struct feed_counters *feed_counters(const struct feed *f);
const struct feed_line *feed_line(const struct feed *f, unsigned line);

#endif
