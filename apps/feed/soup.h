/* SPDX-License-Identifier: BSD-3-Clause
 * SoupBinTCP 3.00 and 4.x packets as bytes: framing, login and its answers. No sessions, no timers,
 * no I/O: a session is a loop around soup_parse.
 *
 * A packet is a u16 length (of what follows), a type byte and a payload; packets do not align with
 * TCP segments. Sequenced data carries no number: both sides count.
 */
#ifndef PERCH_APPS_FEED_SOUP_H
#define PERCH_APPS_FEED_SOUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum soup_type {
	SOUP_DEBUG = '+',        /* either way: free text */
	SOUP_ACCEPTED = 'A',     /* server: session[10], next sequence number[20] */
	SOUP_REJECTED = 'J',     /* server: one of soup_reason */
	SOUP_SEQUENCED = 'S',    /* server: a message that is counted and can be asked for again */
	SOUP_SERVER_BEAT = 'H',
	SOUP_END = 'Z',          /* server: end of session */
	SOUP_LOGIN = 'L',        /* client */
	SOUP_UNSEQUENCED = 'U',  /* client: a message that a disconnection may lose */
	SOUP_CLIENT_BEAT = 'R',
	SOUP_LOGOUT = 'O',       /* client */
};

enum soup_reason {
	SOUP_NOT_AUTHORIZED = 'A',
	SOUP_NO_SESSION = 'S',   /* the session asked for is not available */
};

enum {
	SOUP_HEAD = 3,           /* length and type */
	SOUP_MAX = 2 + 65535,    /* a packet, in all */
	SOUP_LOGIN_MAX = 2 + 52,
	SOUP_ACCEPTED_BYTES = 2 + 31,
	/* The silence after which a side sends a heartbeat, and takes the other for dead. */
	SOUP_BEAT_MS = 1000,
	SOUP_DEAD_MS = 15000,
};

struct soup_packet {
	uint8_t type;
	const uint8_t *payload;  /* inside the bytes that were parsed */
	size_t len;              /* of the payload */
};

/* Look at the first packet in len received bytes. Returns how many bytes it takes in all and fills
 * in *p; or 0 when more bytes must come first, *p's len then saying how many the packet takes in
 * all (SOUP_HEAD while that is not known); or -EBADMSG: a length of 0, after which nothing can be
 * framed any more. Unknown types are framed like known ones: to be skipped and counted. */
int64_t soup_parse(const void *data, size_t len, struct soup_packet *p);

/* May a server (a client) send that type? For the other side to hold it to. */
bool soup_server_sends(uint8_t type);
bool soup_client_sends(uint8_t type);

/* Write a packet; out has room for len + SOUP_HEAD bytes. Returns the bytes written, or 0 when the
 * payload is longer than 65,534 bytes. payload may be NULL: then it is in place already. */
size_t soup_put(void *out, enum soup_type type, const void *payload, size_t len);

/* Strings end with a NUL here and are padded with blanks on the wire. */
struct soup_login {
	char username[7], password[11];
	char session[11];        /* empty: the current one */
	uint64_t sequence;       /* the first that is wanted; 0: only what is new */
	uint32_t beat_ms;        /* 4.x: the heartbeat timeout, up to 99,999; 0: a 3.00 login */
};

/* Write a login request to at least SOUP_LOGIN_MAX bytes. Returns the bytes written. */
size_t soup_put_login(void *out, const struct soup_login *login);
/* Returns 0, or -EBADMSG: not a login, of neither version's length, or with numbers that are
 * none. */
int soup_login(const struct soup_packet *p, struct soup_login *login);

/* Write an acceptance to at least SOUP_ACCEPTED_BYTES bytes. Returns the bytes written. */
size_t soup_put_accepted(void *out, const char *session, uint64_t next_sequence);
/* Returns 0 or -EBADMSG. */
int soup_accepted(const struct soup_packet *p, char session[11], uint64_t *next_sequence);

/* A right-justified decimal number in a text field of n bytes, blanks on its left; all blanks are
 * 0. Returns 0 or -EBADMSG. Also the form of GLIMPSE's last message. */
int soup_number(const uint8_t *text, size_t n, uint64_t *out);
void soup_put_number(uint8_t *text, size_t n, uint64_t number);

#endif
