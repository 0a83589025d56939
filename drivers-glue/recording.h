/* SPDX-License-Identifier: BSD-3-Clause
 * What an engine received and when, as blocks of a pcapng file. Any capture tool shows the packets;
 * blocks of a type reserved for local use tell in which turns of which lcore they arrived, and what
 * else came from outside. An lcore writes its blocks to a ring in a mapped file, which outlives the
 * process: what of it has not been moved to the recording by then is read from there.
 *
 * Thread context: of the ring, put by its lcore, take by one other thread. Reading: one thread.
 */
#ifndef PERCH_DRIVERS_GLUE_RECORDING_H
#define PERCH_DRIVERS_GLUE_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

enum perch_recorded {
	PERCH_RECORDED_TURN, /* a turn with something to do: n packets follow, learn, flags */
	PERCH_RECORDED_MAIL, /* a message of another thread was carried out in it */
	PERCH_RECORDED_TX,   /* the port took n packets only */
	PERCH_RECORDED_LOST, /* n blocks before this had no room in the ring */
	PERCH_RECORDED_LEFT, /* of no turn: the device took n packets of the lcore `from` */
	PERCH_RECORDED_SHARED, /* of no turn: the lcore `from` joined or left a group */
	PERCH_RECORDED_GROUPS, /* lcore 0 followed what others had */
};

enum perch_recorded_flag {
	PERCH_RECORDED_STOP = 1u << 0,
	PERCH_RECORDED_MUTE = 1u << 1,
	PERCH_RECORDED_WAIT = 1u << 2, /* timers waited for the next turn */
};

/* What the device said of checksums, a bit for each packet of the burst. */
struct perch_recorded_sums {
	uint64_t ip_good, ip_bad, l4_good, l4_bad;
};

/* A message, as it is in every run: what it says, and in which places of the program (the function
 * to call, say), which another build has elsewhere. */
struct perch_recorded_mail {
	uint64_t what, where;
};

struct perch_recorded_event {
	uint32_t kind, lcore, n, flags;
	uint64_t number; /* of the lcore's events, from 1 */
	uint64_t order;  /* of all lcores' events: one that saw what another did has a higher one */
	uint64_t turn;   /* of the lcore: events of one turn have the same */
	int64_t now_ns;
	union {
		struct { /* TURN */
			uint64_t learn; /* as perch_port_rx gives it */
			struct perch_recorded_sums sums;
		};
		struct perch_recorded_mail mail; /* MAIL */
		uint32_t from;                   /* LEFT, SHARED */
	};
};

enum {
	PERCH_RECORDED_LCORES = 64,
	PERCH_RECORDED_CONFIG = 16000,
	PERCH_RECORDED_BURST = 64,
	PERCH_RECORDED_MAILS = 64, /* messages carried out in a turn */
};

/* The marks of packet i of the burst, to sums and back to ol_flags. */
void perch_recorded_sums_note(struct perch_recorded_sums *sums, unsigned i, uint64_t ol_flags);
uint64_t perch_recorded_sums_flags(const struct perch_recorded_sums *sums, unsigned i);

/* ---- writing -------------------------------------------------------------------------------- */

struct perch_tape; /* the rings of all lcores, in one mapped file */

/* config is text, KEY=VALUE lines, shorter than PERCH_RECORDED_CONFIG. ring_bytes: of each lcore;
 * overwrite: the oldest blocks make room for new ones. Returns 0 or a negative errno with one
 * sentence in why[]. */
int perch_tape_create(struct perch_tape **out, const char *path, unsigned lcores,
	size_t ring_bytes, bool overwrite, const char *config, char *why, size_t why_bytes);

/* Write an event, or a packet, to the lcore's ring. False: there is no room. */
bool perch_tape_event(struct perch_tape *t, const struct perch_recorded_event *e);
bool perch_tape_packet(
	struct perch_tape *t, unsigned lcore, int64_t time_ns, const struct rte_mbuf *m);

/* A block had no room: counted in the ring, so that a crash does not hide it. By its lcore. */
void perch_tape_lose(struct perch_tape *t, unsigned lcore);
/* How many. Any thread. */
uint64_t perch_tape_lost(const struct perch_tape *t, unsigned lcore);

/* The head of a recording, with the configuration, to buf. Returns its bytes. */
size_t perch_tape_head(const struct perch_tape *t, uint8_t *buf, size_t size);

/* What the lcore has written and nobody has taken: whole blocks. Returns the bytes at *at; they are
 * good until taken. */
size_t perch_tape_look(const struct perch_tape *t, unsigned lcore, const uint8_t **at);
void perch_tape_take(struct perch_tape *t, unsigned lcore, size_t bytes);

/* Unmap it, and remove its file unless it is to be kept. NULL is fine. */
void perch_tape_close(struct perch_tape *t, bool keep);

/* ---- reading -------------------------------------------------------------------------------- */

struct perch_recording;

struct perch_recorded_turn {
	int64_t now_ns;
	uint64_t order; /* all that it saw of other lcores' turns was in turns of a lower one */
	uint32_t n, n_mail;
	uint32_t taken; /* by the port; UINT32_MAX: all */
	uint32_t flags;
	uint64_t groups; /* lcore 0 followed what others had SHARED before that; 0: it did not */
	struct perch_recorded_mail mail[PERCH_RECORDED_MAILS]; /* in that order */
	uint64_t learn;
	struct perch_recorded_sums sums;
	const uint8_t *data[PERCH_RECORDED_BURST];
	uint32_t len[PERCH_RECORDED_BURST];
};

struct perch_recorded_left { /* packets of an lcore that left the port together */
	uint64_t order;
	uint32_t lcore, n;
};

struct perch_recorded_lefts { /* by order; or what lcores SHARED, one by one */
	struct perch_recorded_left *at;
	size_t n, room;
};

/* Is that a recording (or what a crash left of one)? */
bool perch_recording_is(const char *path);

/* Read path, and path.ring if a crash has left it. Returns 0 or a negative errno with one sentence
 * in why[]. */
int perch_recording_open(
	struct perch_recording **out, const char *path, char *why, size_t why_bytes);
void perch_recording_close(struct perch_recording *r); /* NULL is fine */

/* Copy the value of that key of the configuration. Returns false when it has none. */
bool perch_recording_config(
	const struct perch_recording *r, const char *key, char *value, size_t size);

/* When the lcore's next turn was; INT64_MAX: there is none. */
int64_t perch_recording_peek(struct perch_recording *r, unsigned lcore);

/* Is the lcore's first event the first that it recorded? */
bool perch_recording_has_start(struct perch_recording *r, unsigned lcore);

/* Take it. Returns 1, 0 when there is none, or -EBADMSG with one sentence in why[]: blocks are
 * missing here, or damaged; out->now_ns is when. */
int perch_recording_next(struct perch_recording *r, unsigned lcore,
	struct perch_recorded_turn *out, char *why, size_t why_bytes);

/* What left the port when several lcores sent, and what they SHARED; as long as the recording. */
const struct perch_recorded_lefts *perch_recording_left(const struct perch_recording *r);
const struct perch_recorded_lefts *perch_recording_shared(const struct perch_recording *r);

/* Where the file stops being whole, in bytes; -1: nowhere. */
int64_t perch_recording_damage(const struct perch_recording *r);

/* How many blocks had no room in its rings, where these are still there. */
uint64_t perch_recording_lost(const struct perch_recording *r);

#endif
