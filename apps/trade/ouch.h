/* SPDX-License-Identifier: BSD-3-Clause
 * OUCH 4.2 and 5.0 messages as bytes: order entry as it travels inside SoupBinTCP, where a client's
 * messages are unsequenced and a server's sequenced data. No sessions, no state, no I/O.
 *
 * A message is a type byte and fixed fields; 5.0 ends some of them with an appendage of tagged
 * values. One table describes them all, so that encoding, decoding and patching agree.
 */
#ifndef PERCH_APPS_TRADE_OUCH_H
#define PERCH_APPS_TRADE_OUCH_H

#include <stddef.h>
#include <stdint.h>

enum ouch_version { OUCH_42, OUCH_50 };
enum ouch_from { OUCH_CLIENT, OUCH_SERVER };

enum ouch_client_type {
	OUCH_ENTER = 'O',
	OUCH_REPLACE = 'U',
	OUCH_CANCEL = 'X',
	OUCH_MODIFY = 'M',
	OUCH_TRADE_NOW = 'N',	/* 4.2 */
	OUCH_QUERY = 'Q',	/* 5.0 */
	OUCH_MASS_CANCEL = 'C', /* 5.0: all orders of a firm; of a symbol, blank: of every one */
	OUCH_DISABLE = 'D',	/* 5.0: no more orders of a firm; */
	OUCH_ENABLE = 'E',	/* 5.0: again */
};

enum ouch_server_type {
	OUCH_SYSTEM = 'S',
	OUCH_ACCEPTED = 'A',
	OUCH_REPLACED = 'U',
	OUCH_CANCELED = 'C',
	OUCH_AIQ_CANCELED = 'D',
	OUCH_EXECUTED = 'E',
	OUCH_BROKEN = 'B',
	OUCH_EXECUTED_REF = 'G', /* 4.2 */
	OUCH_CORRECTION = 'F',
	OUCH_REJECTED = 'J',
	OUCH_CANCEL_PENDING = 'P',
	OUCH_CANCEL_REJECT = 'I',
	OUCH_PRIORITY = 'T',
	OUCH_MODIFIED = 'M',
	OUCH_TRADE_NOW_DONE = 'N', /* 4.2 */
	OUCH_RESTATED = 'R',	   /* 5.0 */
	OUCH_QUERY_ANSWER = 'Q',   /* 5.0 */
	OUCH_MASS_CANCELED =
		'X', /* 5.0: the request was taken; each order has a report of its own */
	OUCH_DISABLED = 'G', /* 5.0 */
	OUCH_ENABLED = 'K',  /* 5.0 */
};

enum { OUCH_MAX = 80 + 256 }; /* the longest message that is encoded here, appendage included */

/* A message taken apart. Only the fields of its type mean anything. Text ends with a NUL here and
 * is padded with blanks on the wire. Prices have 4 implied decimals. */
struct ouch {
	char type;
	uint64_t time_ns;	       /* since midnight; what servers send */
	uint64_t ref, old_ref;	       /* 5.0: UserRefNum, and the one that is replaced */
	char token[15], old_token[15]; /* 4.2: the order's token; 5.0: ClOrdID in token */
	char side;		       /* B, S, T (short), E (short exempt) */
	uint64_t shares;
	char symbol[9];
	uint64_t price;
	char tif;	/* 5.0: time in force: 0 day, 3 IOC, ... */
	uint64_t tif_s; /* 4.2: seconds; 0 IOC, 99998 market hours, 99999 system hours */
	char firm[5];	/* 4.2; 5.0: of a mass cancel, disable, enable */
	char display, capacity, iso, cross, customer;
	uint64_t min_shares; /* 4.2 */
	uint64_t order_ref;  /* the venue's */
	char state;	     /* L live, D dead */
	char bbo;
	uint64_t match;
	char liquidity;	      /* A added, R removed, ... */
	char reason;	      /* of a cancel, a break, a 4.2 rejection */
	uint64_t reason_code; /* of a 5.0 rejection */
	char event;	      /* of a system event: S start, E end of day */
	uint64_t prevented;   /* shares that AIQ kept from trading */
	uint64_t ref_price;
	char ref_price_type;
	const uint8_t *appendage; /* 5.0: tagged values as they lie in the message */
	uint64_t appendage_len;	  /* bytes */
};

enum ouch_field {
	OUCH_F_TIME = 1,
	OUCH_F_REF,
	OUCH_F_OLD_REF,
	OUCH_F_TOKEN,
	OUCH_F_OLD_TOKEN,
	OUCH_F_SIDE,
	OUCH_F_SHARES,
	OUCH_F_SYMBOL,
	OUCH_F_PRICE4,
	OUCH_F_PRICE8,
	OUCH_F_TIF,
	OUCH_F_TIF_S,
	OUCH_F_FIRM,
	OUCH_F_DISPLAY,
	OUCH_F_CAPACITY,
	OUCH_F_ISO,
	OUCH_F_CROSS,
	OUCH_F_CUSTOMER,
	OUCH_F_MIN_SHARES,
	OUCH_F_ORDER_REF,
	OUCH_F_STATE,
	OUCH_F_BBO,
	OUCH_F_MATCH,
	OUCH_F_LIQUIDITY,
	OUCH_F_REASON,
	OUCH_F_REASON_CODE,
	OUCH_F_EVENT,
	OUCH_F_PREVENTED,
	OUCH_F_REF_PRICE,
	OUCH_F_REF_PRICE_TYPE,
	OUCH_F_APPENDAGE,
	OUCH_FIELDS,
};

/* Take a message apart. out's text and numbers are copies; its appendage points into data. Bytes
 * beyond a fixed-length message are ignored, so that a venue may append to it. Returns 0, -ENOMSG
 * for a type that is not in the version, or -EBADMSG: too short, or an appendage that does not fit.
 */
int ouch_decode(
	enum ouch_version v, enum ouch_from from, const void *data, size_t len, struct ouch *out);

/* Write m to at least OUCH_MAX bytes. Returns its length, -ENOMSG, or -EMSGSIZE: a number too large
 * for its field or an appendage over 255 bytes. */
int ouch_encode(enum ouch_version v, enum ouch_from from, const struct ouch *m, void *out);

/* Where a field of a type lies, for patching a prepared message: returns its offset and *width, or
 * -ENOENT. */
int ouch_field_at(
	enum ouch_version v, enum ouch_from from, char type, enum ouch_field f, unsigned *width);

/* One tagged value of an appendage. */
struct ouch_tag {
	uint8_t tag;
	const uint8_t *value;
	size_t len;
};
/* Walk an appendage: *at begins at 0. Returns 1 with *t filled in, 0 at the end, -EBADMSG. */
int ouch_next_tag(const struct ouch *m, size_t *at, struct ouch_tag *t);

#endif
