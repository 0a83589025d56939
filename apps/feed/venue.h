/* SPDX-License-Identifier: BSD-3-Clause
 * Packet headers of sequenced feeds, as data: where session, sequence and count lie, in which byte
 * order, whether packets or messages are numbered, and how messages follow each other.
 */
#ifndef PERCH_APPS_FEED_VENUE_H
#define PERCH_APPS_FEED_VENUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes from the start of the packet; no bytes: there is no such field. */
struct feed_field {
	uint8_t at, bytes;
};

enum feed_unit {
	FEED_PER_MESSAGE, /* each message has a number; the header has that of the first */
	FEED_PER_PACKET,  /* each packet has a number */
};

enum feed_length {
	FEED_LENGTH_PACKET,  /* the header's length field counts the whole packet */
	FEED_LENGTH_PAYLOAD, /* what follows the header */
};

enum { FEED_NO_KIND = -1 };

struct feed_venue {
	const char *name;  /* "moldudp64", for command lines */
	const char *title; /* "MoldUDP64", for people */
	bool big_endian;
	enum feed_unit unit;
	uint8_t header_bytes;      /* of every packet */
	uint8_t data_header_bytes; /* of packets with messages */
	uint8_t lowest;            /* the first number of a session */
	bool zero_unsequenced;     /* number 0 means that the packet has none */
	struct feed_field session; /* a change of it starts the numbers anew */
	struct feed_field channel; /* several streams, each numbered, share a group */
	struct feed_field sequence, count, length;
	enum feed_length length_means;
	struct feed_field kind;    /* the sort of packet; kinds not named here carry messages */
	int16_t kind_beat, kind_end, kind_reset;
	uint32_t count_end;        /* a count that means end of session; 0: none does */
	uint8_t block_bytes;       /* of the length in front of each message */
	bool block_whole;          /* that length counts itself too */
};

extern const struct feed_venue feed_moldudp64, feed_cme_mdp3, feed_nyse_xdp, feed_cboe_pitch,
	feed_iex_tp, feed_memx, feed_eurex_eobi;

/* All of them, NULL at the end. */
extern const struct feed_venue *const feed_venues[];
/* By name; NULL: there is none. */
const struct feed_venue *feed_venue_by_name(const char *name);

struct feed_session {
	uint64_t high; /* all of it, or its first eight bytes */
	uint16_t low;  /* the rest, of a session of ten bytes */
};

enum feed_kind { FEED_MESSAGES, FEED_BEAT, FEED_END_OF_SESSION, FEED_RESET };

struct feed_header {
	enum feed_kind kind;
	struct feed_session session;
	uint64_t channel;
	uint64_t first;        /* number of the first unit; without one, of the next to come */
	uint32_t units;        /* that are numbered: messages, or this packet; 0 of a heartbeat */
	uint32_t messages;
	const uint8_t *blocks; /* the messages, each behind its length */
	size_t blocks_len;
	bool trailing;         /* bytes that nothing speaks of followed, outside of blocks_len */
};

enum feed_fault {
	FEED_SOUND,
	FEED_SHORT,        /* shorter than its header */
	FEED_BAD_LENGTH,   /* the header's length field contradicts the packet's */
	FEED_BAD_COUNT,    /* fewer messages than the header counts */
	FEED_BAD_BLOCK,    /* a message that runs past the end, or is shorter than its length */
	FEED_BAD_SEQUENCE, /* a number below the first of a session, or about to wrap */
	FEED_UNSEQUENCED,  /* sound, but without a number */
};

/* Read and check a packet, down to the length of each message: those that follow each other in
 * h->blocks lie inside the packet. Any input is fine. */
enum feed_fault feed_parse(
	const struct feed_venue *v, const void *data, size_t len, struct feed_header *h);

/* The length field of a block that was found sound: bytes to the next one, and the message. */
static inline size_t feed_block(
	const struct feed_venue *v, const uint8_t *block, const uint8_t **message, size_t *len)
{
	size_t n = block[0];

	if (v->block_bytes == 2)
		n = v->big_endian ? n << 8 | block[1] : n | (size_t)block[1] << 8;
	if (v->block_whole)
		n -= v->block_bytes;
	*message = block + v->block_bytes;
	*len = n;
	return n + v->block_bytes;
}

/* The session as text: ASCII where it is that, else a number. Returns buf. */
enum { FEED_SESSION_TEXT = 24 };
char *feed_session_text(
	const struct feed_venue *v, const struct feed_session *s, char buf[FEED_SESSION_TEXT]);

static inline bool feed_same_session(const struct feed_session *a, const struct feed_session *b)
{
	return a->high == b->high && a->low == b->low;
}

#endif
