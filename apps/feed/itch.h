/* SPDX-License-Identifier: BSD-3-Clause
 * ITCH 5.0: every message type, its fields in wire order. The lists below are the one place that
 * knows them; structs, decoder, encoder and printer are made of them.
 *
 * Prices have 4 implied decimals (market-wide circuit breaker levels 8), times are ns since
 * midnight. A type that is not listed is for the caller to skip by its block length, and to count.
 */
#ifndef PERCH_APPS_FEED_ITCH_H
#define PERCH_APPS_FEED_ITCH_H

#include <stddef.h>
#include <stdint.h>

/* F(kind, name, bytes): NUM a big-endian number, CHR one character, TXT text padded with blanks on
 * its right, which stays so here. The 11 bytes that all begin with (type, stock locate u16,
 * tracking number u16, timestamp u48) are not listed. */
#define ITCH_SYSTEM_EVENT(F) F(CHR, event, 1)
#define ITCH_DIRECTORY(F)                                                                          \
	F(TXT, stock, 8) F(CHR, market_category, 1) F(CHR, financial_status, 1)                    \
	F(NUM, round_lot, 4) F(CHR, round_lots_only, 1) F(CHR, issue_class, 1)                     \
	F(TXT, issue_subtype, 2) F(CHR, authenticity, 1) F(CHR, short_sale_threshold, 1)           \
	F(CHR, ipo, 1) F(CHR, luld_tier, 1) F(CHR, etp, 1) F(NUM, etp_leverage, 4)                 \
	F(CHR, inverse, 1)
#define ITCH_TRADING_ACTION(F)                                                                     \
	F(TXT, stock, 8) F(CHR, state, 1) F(CHR, reserved, 1) F(TXT, reason, 4)
#define ITCH_REG_SHO(F) F(TXT, stock, 8) F(CHR, action, 1)
#define ITCH_PARTICIPANT(F)                                                                        \
	F(TXT, mpid, 4) F(TXT, stock, 8) F(CHR, primary, 1) F(CHR, mode, 1) F(CHR, state, 1)
#define ITCH_MWCB_LEVELS(F) F(NUM, level1, 8) F(NUM, level2, 8) F(NUM, level3, 8)
#define ITCH_MWCB_STATUS(F) F(CHR, level, 1)
#define ITCH_IPO_QUOTING(F)                                                                        \
	F(TXT, stock, 8) F(NUM, release_s, 4) F(CHR, qualifier, 1) F(NUM, price, 4)
#define ITCH_LULD_COLLAR(F)                                                                        \
	F(TXT, stock, 8) F(NUM, reference, 4) F(NUM, upper, 4) F(NUM, lower, 4)                    \
	F(NUM, extension, 4)
#define ITCH_OPERATIONAL_HALT(F) F(TXT, stock, 8) F(CHR, market, 1) F(CHR, action, 1)
#define ITCH_ADD(F)                                                                                \
	F(NUM, ref, 8) F(CHR, side, 1) F(NUM, shares, 4) F(TXT, stock, 8) F(NUM, price, 4)
#define ITCH_ADD_MPID(F) ITCH_ADD(F) F(TXT, mpid, 4)
#define ITCH_EXECUTED(F) F(NUM, ref, 8) F(NUM, shares, 4) F(NUM, match, 8)
#define ITCH_EXECUTED_PRICE(F) ITCH_EXECUTED(F) F(CHR, printable, 1) F(NUM, price, 4)
#define ITCH_CANCEL(F) F(NUM, ref, 8) F(NUM, shares, 4)
#define ITCH_DELETE(F) F(NUM, ref, 8)
#define ITCH_REPLACE(F) F(NUM, ref, 8) F(NUM, new_ref, 8) F(NUM, shares, 4) F(NUM, price, 4)
#define ITCH_TRADE(F) ITCH_ADD(F) F(NUM, match, 8)
#define ITCH_CROSS(F)                                                                              \
	F(NUM, shares, 8) F(TXT, stock, 8) F(NUM, price, 4) F(NUM, match, 8) F(CHR, cross, 1)
#define ITCH_BROKEN(F) F(NUM, match, 8)
#define ITCH_NOII(F)                                                                               \
	F(NUM, paired, 8) F(NUM, imbalance, 8) F(CHR, direction, 1) F(TXT, stock, 8)               \
	F(NUM, far, 4) F(NUM, near, 4) F(NUM, reference, 4) F(CHR, cross, 1) F(CHR, variation, 1)
#define ITCH_RETAIL_INTEREST(F) F(TXT, stock, 8) F(CHR, interest, 1)
#define ITCH_DIRECT_LISTING(F)                                                                     \
	F(TXT, stock, 8) F(CHR, open_eligibility, 1) F(NUM, min_price, 4) F(NUM, max_price, 4)     \
	F(NUM, near_price, 4) F(NUM, near_time, 8) F(NUM, lower_collar, 4) F(NUM, upper_collar, 4)

/* M(type, name, fields, bytes in all) */
#define ITCH_MESSAGES(M)                                                                           \
	M('S', system_event, ITCH_SYSTEM_EVENT, 12)                                                \
	M('R', directory, ITCH_DIRECTORY, 39)                                                      \
	M('H', trading_action, ITCH_TRADING_ACTION, 25)                                            \
	M('Y', reg_sho, ITCH_REG_SHO, 20)                                                          \
	M('L', participant, ITCH_PARTICIPANT, 26)                                                  \
	M('V', mwcb_levels, ITCH_MWCB_LEVELS, 35)                                                  \
	M('W', mwcb_status, ITCH_MWCB_STATUS, 12)                                                  \
	M('K', ipo_quoting, ITCH_IPO_QUOTING, 28)                                                  \
	M('J', luld_collar, ITCH_LULD_COLLAR, 35)                                                  \
	M('h', operational_halt, ITCH_OPERATIONAL_HALT, 21)                                        \
	M('A', add, ITCH_ADD, 36)                                                                  \
	M('F', add_mpid, ITCH_ADD_MPID, 40)                                                        \
	M('E', executed, ITCH_EXECUTED, 31)                                                        \
	M('C', executed_price, ITCH_EXECUTED_PRICE, 36)                                            \
	M('X', cancel, ITCH_CANCEL, 23)                                                            \
	M('D', delete, ITCH_DELETE, 19)                                                            \
	M('U', replace, ITCH_REPLACE, 35)                                                          \
	M('P', trade, ITCH_TRADE, 44)                                                              \
	M('Q', cross, ITCH_CROSS, 40)                                                              \
	M('B', broken, ITCH_BROKEN, 19)                                                            \
	M('I', noii, ITCH_NOII, 50)                                                                \
	M('N', retail_interest, ITCH_RETAIL_INTEREST, 20)                                          \
	M('O', direct_listing, ITCH_DIRECT_LISTING, 48)

enum { ITCH_COMMON = 11, ITCH_BYTES_MAX = 50 };

#define ITCH_FIELD_NUM(name, bytes) ITCH_INT_##bytes name;
#define ITCH_INT_4 uint32_t
#define ITCH_INT_8 uint64_t
#define ITCH_FIELD_CHR(name, bytes) char name;
#define ITCH_FIELD_TXT(name, bytes) char name[bytes];
#define ITCH_FIELD(kind, name, bytes) ITCH_FIELD_##kind(name, bytes)
#define ITCH_STRUCT(type, name, fields, bytes)                                                     \
	struct itch_##name {                                                                       \
		fields(ITCH_FIELD)                                                                 \
	};
ITCH_MESSAGES(ITCH_STRUCT)
#undef ITCH_STRUCT

#define ITCH_MEMBER(type, name, fields, bytes) struct itch_##name name;
struct itch {
	char type;
	uint16_t locate, tracking;
	uint64_t time_ns;
	union {
		ITCH_MESSAGES(ITCH_MEMBER)
	};
};
#undef ITCH_MEMBER

/* Read a message. Returns 0, -ENOENT (an unknown type; the common part is filled in if it is there)
 * or -EBADMSG (shorter than its type is). Longer than its type is fine: fields get appended. */
int itch_decode(const void *data, size_t len, struct itch *out);

/* Write a message to at least ITCH_BYTES_MAX bytes. Returns how many, or 0 for an unknown type. */
size_t itch_encode(const struct itch *m, void *out);

/* How long that type is; 0: unknown. */
size_t itch_bytes(char type);

/* As one line "add locate=1 tracking=2 time_ns=3 ref=4 ...", cut to size. Returns buf. */
enum { ITCH_TEXT = 400 };
char *itch_text(const struct itch *m, char buf[ITCH_TEXT]);

#endif
