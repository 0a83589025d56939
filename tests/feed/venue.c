/* SPDX-License-Identifier: BSD-3-Clause
 * Every venue's packets, written out byte by byte as its specification has them.
 */
#include "apps/feed/venue.h"

#include <stdlib.h>
#include <string.h>

#include "tests/feed/tape.h"
#include "tests/suite.h"

/* A string literal without its NUL. */
#define BYTES(s) s, sizeof(s) - 1

static struct feed_header parsed(const struct feed_venue *v, const char *data, size_t len)
{
	struct feed_header h;

	CU_ASSERT_EQUAL_FATAL(feed_parse(v, data, len, &h), FEED_SOUND);
	return h;
}

static enum feed_fault fault(const struct feed_venue *v, const char *data, size_t len)
{
	struct feed_header h;

	return feed_parse(v, data, len, &h);
}

static void expect(const struct feed_header *h, enum feed_kind kind, uint64_t first,
	uint32_t units, uint32_t messages)
{
	CU_ASSERT_EQUAL(h->kind, kind);
	CU_ASSERT_EQUAL(h->first, first);
	CU_ASSERT_EQUAL(h->units, units);
	CU_ASSERT_EQUAL(h->messages, messages);
	CU_ASSERT_FALSE(h->trailing);
}

/* A packet that an exchange has sent. */
static void moldudp64(void)
{
	static const char real[] =
		"000010059B\0\0\0\0\0\xe1\x49\xd0\0\1\0\x13"
		"D\x0a\xb1\0\0\x1f\x1a\xcf\x4c\x4e\xb7\0\0\0\0\0\0\0\1";
	struct feed_header h = parsed(&feed_moldudp64, BYTES(real));
	char text[FEED_SESSION_TEXT];

	expect(&h, FEED_MESSAGES, 14764496, 1, 1);
	CU_ASSERT_STRING_EQUAL(feed_session_text(&feed_moldudp64, &h.session, text), "000010059B");
	h = parsed(&feed_moldudp64, BYTES("  AB \xff" "    \0\0\0\0\0\0\0\7\0\0"));
	expect(&h, FEED_BEAT, 7, 0, 0);
	CU_ASSERT_STRING_EQUAL(feed_session_text(&feed_moldudp64, &h.session, text), "AB .");
	h = parsed(&feed_moldudp64, BYTES("000010059B\0\0\0\0\0\0\0\7\xff\xff"));
	expect(&h, FEED_END_OF_SESSION, 7, 0, 0);
	h = parsed(&feed_moldudp64, BYTES("000010059B\0\0\0\0\0\0\0\7\0\2\0\0\0\1x"));
	expect(&h, FEED_MESSAGES, 7, 2, 2); /* a message of no bytes */
}

/* Sequence 5615, then a message of 13 bytes and one of 10, sizes included. */
static void cme(void)
{
	static const char packet[] =
		"\xef\x15\0\0\1\2\3\4\5\6\7\x08"
		"\x0d\0\x01\0\x20\0\x01\0\x09\0abc"
		"\x0a\0\x00\0\x0c\0\x01\0\x09\0";
	struct feed_header h = parsed(&feed_cme_mdp3, BYTES(packet));
	const uint8_t *at = h.blocks, *message;
	size_t len;

	expect(&h, FEED_MESSAGES, 5615, 1, 2);
	at += feed_block(&feed_cme_mdp3, at, &message, &len);
	CU_ASSERT_EQUAL(len, 11);
	CU_ASSERT_EQUAL(memcmp(message + 8, "abc", 3), 0);
	CU_ASSERT_EQUAL(feed_block(&feed_cme_mdp3, at, &message, &len), 10);
	CU_ASSERT_EQUAL(fault(&feed_cme_mdp3, packet, sizeof(packet) - 2), FEED_BAD_BLOCK);
	CU_ASSERT_EQUAL(fault(&feed_cme_mdp3, BYTES("\1\0\0\0\1\2\3\4\5\6\7\x08\1\0")),
		FEED_BAD_BLOCK); /* shorter than its length field: no way on */
	CU_ASSERT_EQUAL(fault(&feed_cme_mdp3, BYTES("\1\0\0\0\1\2\3\4\5\6\7\x08\1")),
		FEED_BAD_BLOCK);
}

static void nyse(void)
{
	static const char packet[] =
		"\x1a\0\x0b\x02\x0a\0\0\0\1\2\3\4\5\6\7\x08" "\x06\0\x20\0ab" "\x04\0\x21\0";
	struct feed_header h = parsed(&feed_nyse_xdp, BYTES(packet));

	expect(&h, FEED_MESSAGES, 10, 2, 2);
	h = parsed(&feed_nyse_xdp, BYTES("\x10\0\x01\0\x0c\0\0\0\1\2\3\4\5\6\7\x08"));
	expect(&h, FEED_BEAT, 12, 0, 0);
	h = parsed(&feed_nyse_xdp, BYTES("\x14\0\x0c\1\1\0\0\0\1\2\3\4\5\6\7\x08\x04\0\1\0"));
	expect(&h, FEED_RESET, 1, 1, 1);
	h = parsed(&feed_nyse_xdp, BYTES("\x10\0\x01\0\x0c\0\0\0\1\2\3\4\5\6\7\x08" "pad"));
	CU_ASSERT_TRUE(h.trailing);
	h = parsed(&feed_nyse_xdp, BYTES("\x14\0\x0b\1\x0c\0\0\0\1\2\3\4\5\6\7\x08\4\0\1\0" "pad"));
	CU_ASSERT_TRUE(h.trailing);
	CU_ASSERT_EQUAL(h.blocks_len, 4);
	/* What the header speaks of ends before the message does. */
	CU_ASSERT_EQUAL(fault(&feed_nyse_xdp,
				BYTES("\x14\0\x0b\1\x0c\0\0\0\1\2\3\4\5\6\7\x08\7\0\1\0pad")),
		FEED_BAD_BLOCK);
	CU_ASSERT_EQUAL(fault(&feed_nyse_xdp, BYTES("\x11\0\x01\0\x0c\0\0\0\1\2\3\4\5\6\7\x08")),
		FEED_BAD_LENGTH);
	CU_ASSERT_EQUAL(fault(&feed_nyse_xdp, BYTES("\x0f\0\x01\0\x0c\0\0\0\1\2\3\4\5\6\7\x08")),
		FEED_BAD_LENGTH);
}

static void cboe(void)
{
	struct feed_header h =
		parsed(&feed_cboe_pitch, BYTES("\x0e\0\x02\x03\x09\0\0\0" "\4\x20" "ab" "\2\x21"));

	expect(&h, FEED_MESSAGES, 9, 2, 2);
	CU_ASSERT_EQUAL(h.channel, 3);
	h = parsed(&feed_cboe_pitch, BYTES("\x08\0\0\x03\x0b\0\0\0"));
	expect(&h, FEED_BEAT, 11, 0, 0);
	CU_ASSERT_EQUAL(fault(&feed_cboe_pitch, BYTES("\x08\0\0\x03\0\0\0\0")), FEED_UNSEQUENCED);
	CU_ASSERT_EQUAL(fault(&feed_cboe_pitch, BYTES("\x09\0\1\x03\1\0\0\0\0")), FEED_BAD_BLOCK);
}

static void iex(void)
{
	static const char packet[] =
		"\1\0\4\x80\1\0\0\0\xcd\xab\0\0\7\0\2\0\0\0\0\0\0\0\0\0"
		"\x2a\0\0\0\0\0\0\0\1\2\3\4\5\6\7\x08" "\2\0ab" "\1\0c";
	struct feed_header h = parsed(&feed_iex_tp, BYTES(packet));
	char text[FEED_SESSION_TEXT];

	expect(&h, FEED_MESSAGES, 42, 2, 2);
	CU_ASSERT_EQUAL(h.channel, 1);
	CU_ASSERT_STRING_EQUAL(feed_session_text(&feed_iex_tp, &h.session, text), "43981");
	CU_ASSERT_EQUAL(fault(&feed_iex_tp, packet, sizeof(packet) - 2), FEED_BAD_LENGTH);
}

static void memx(void)
{
	static const char packet[] =
		"\2\x14\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\x63\0\2\0\2ab\0\1c";
	struct feed_header h = parsed(&feed_memx, BYTES(packet));

	expect(&h, FEED_MESSAGES, 99, 2, 2);
	CU_ASSERT_EQUAL(h.session.high, 5);
	CU_ASSERT_EQUAL(fault(&feed_memx, packet, 18), FEED_SHORT);
	h = parsed(&feed_memx, BYTES("\0\x12\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\x65"));
	expect(&h, FEED_BEAT, 101, 0, 0);
	h = parsed(&feed_memx, BYTES("\1\x12\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\x65"));
	expect(&h, FEED_END_OF_SESSION, 101, 0, 0);
}

static void eobi(void)
{
	static const char packet[] =
		"\x20\0\xcb\x32\xff\xff\xff\xff\x07\0\0\0\x24\0\0\0\1\1\0\0\0\0\0\0"
		"\1\2\3\4\5\6\7\x08" "\x08\0\xcc\x32\1\0\0\0" "\x04\0\xcd\x32";
	struct feed_header h = parsed(&feed_eurex_eobi, BYTES(packet));

	expect(&h, FEED_MESSAGES, 7, 1, 2);
	CU_ASSERT_EQUAL(h.channel, 36);
	h = parsed(&feed_eurex_eobi, /* they begin with 0 */
		BYTES("\x20\0\xcb\x32\xff\xff\xff\xff\0\0\0\0\x24\0\0\0\1\1\1\0\0\0\0\0"
		      "\1\2\3\4\5\6\7\x08"));
	expect(&h, FEED_RESET, 0, 1, 0);
}

/* A header in which every byte of every field counts, then n messages of no more than their length;
 * without a count there is one packet. */
static void whole(const struct feed_venue *v, const char *header, size_t len, uint64_t channel,
	uint64_t first, unsigned n)
{
	size_t room = len + (size_t)n * v->block_bytes;
	uint8_t *packet = calloc(1, room);
	struct feed_header h;
	unsigned i;

	memcpy(packet, header, len);
	for (i = 0; i < n && v->block_whole; i++)
		packet[len + (size_t)i * v->block_bytes] = v->block_bytes;
	CU_ASSERT_EQUAL(feed_parse(v, packet, room, &h), FEED_SOUND);
	expect(&h, FEED_MESSAGES, first, v->unit == FEED_PER_PACKET ? 1 : n, n);
	CU_ASSERT_EQUAL(h.channel, channel);
	free(packet);
}

static void fields_in_full(void)
{
	whole(&feed_moldudp64, BYTES("ABCDEFGHIJ\1\2\3\4\5\6\7\x08\1\2"), 0, 0x102030405060708,
		0x102);
	whole(&feed_cme_mdp3, BYTES("\4\3\2\1\xff\xff\xff\xff\xff\xff\xff\xff"), 0, 0x1020304, 1);
	whole(&feed_nyse_xdp,
		BYTES("\x12\1\x0b\x81\4\3\2\1\xff\xff\xff\xff\xff\xff\xff\xff"), 0, 0x1020304,
		0x81);
	whole(&feed_cboe_pitch, BYTES("\7\1\xff\x83\4\3\2\1"), 0x83, 0x1020304, 0xff);
	whole(&feed_iex_tp,
		BYTES("\1\0\4\x80\4\3\2\1\x08\7\6\5\4\2\2\1"
		      "\xff\xff\xff\xff\xff\xff\xff\xff\x08\7\6\5\4\3\2\1"
		      "\xff\xff\xff\xff\xff\xff\xff\xff"),
		0x1020304, 0x102030405060708, 0x102);
	whole(&feed_memx, BYTES("\2\x14\1\2\3\4\5\6\7\x08\1\2\3\4\5\6\7\x08\1\2"), 0,
		0x102030405060708, 0x102);
	whole(&feed_eurex_eobi,
		BYTES("\x20\0\xcb\x32\xff\xff\xff\xff\4\3\2\1\7\6\5\4"
		      "\1\1\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
		0x4050607, 0x1020304, 1);
}

static void sessions_in_full(void)
{
	struct feed_header h;

	h = parsed(&feed_iex_tp,
		BYTES("\1\0\4\x80\0\0\0\0\x08\7\6\5\0\0\0\0\0\0\0\0\0\0\0\0"
		      "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
	CU_ASSERT_EQUAL(h.session.high, 0x5060708);
	h = parsed(&feed_memx, BYTES("\0\x12\1\2\3\4\5\6\7\x08\0\0\0\0\0\0\0\1"));
	CU_ASSERT_EQUAL(h.session.high, 0x102030405060708);
	h = parsed(&feed_moldudp64, BYTES("ABCDEFGHIJ\0\0\0\0\0\0\0\1\0\0"));
	CU_ASSERT_EQUAL(h.session.high, 0x4142434445464748);
	CU_ASSERT_EQUAL(h.session.low, 0x494a);
}

/* Whatever the venue: every prefix of a sound packet is parsed or refused, and never read past. */
static void prefixes(void)
{
	uint8_t whole[64], *part;
	unsigned seed, n, i, faults = 0;
	const struct feed_venue *const *v;
	struct feed_header h;

	for (v = feed_venues; *v; v++)
		for (seed = 0; seed < 256; seed++)
			for (n = 0; n <= sizeof(whole); n++) {
				memset(whole, 0, sizeof(whole));
				for (i = seed % 7; i < n; i += 1 + seed % 5)
					whole[i] = (uint8_t)(seed * i);
				part = malloc(n ? n : 1);
				memcpy(part, whole, n);
				faults += feed_parse(*v, part, n, &h) != FEED_SOUND;
				free(part);
			}
	CU_ASSERT_TRUE(faults > 1000);
}

/* ---- gaps, where packets are numbered, and where several streams share a group --------------- */

static void packet(struct tape *t, unsigned line, uint8_t number, const char *letters)
{
	char out[64] = {(char)number}, *at = out + 12;

	for (; *letters; letters++, at += 3)
		memcpy(at, (char[]){3, 0, *letters}, 3);
	tape_bytes(t, line, out, (size_t)(at - out));
}

static void packet_gaps(void)
{
	struct feed_config cfg = {.venue = &feed_cme_mdp3, .wait_ns = 1000, .tries = 1};
	struct tape t;

	tape_open(&t, &cfg);
	packet(&t, A, 5, "abc");
	packet(&t, B, 5, "abc");
	packet(&t, A, 7, "fg");
	tape_wants(&t, "session from 5; abc ");
	tape_pass(&t, 1000);
	tape_wants(&t, "gap 6-7; ask 6-7; "); /* TCP there: no packet is prepared */
	packet(&t, B, 6, "de");
	tape_wants(&t, "de filled 6-7 by line; fg ");
	CU_ASSERT_EQUAL(t.number, 7);
	CU_ASSERT_EQUAL(feed_counters(t.feed)->delivered_messages, 7);
	feed_restart(t.feed, 1, t.now_ns);
	packet(&t, A, 1, "h");
	tape_wants(&t, "session from 1; h ");
	tape_close(&t);
}

static void resets(void)
{
	static const char before[] = "\x16\0\x0b\1\x0a\0\0\0\1\2\3\4\5\6\7\x08\x06\0\x20\0ab";
	static const char reset[] = "\x14\0\x0c\1\1\0\0\0\1\2\3\4\5\6\7\x08\x04\0\1\0";
	static const char after[] = "\x15\0\x0b\1\2\0\0\0\1\2\3\4\5\6\7\x08\x05\0\x20\0c";
	struct feed_config cfg = {.venue = &feed_nyse_xdp};
	struct tape t;

	tape_open(&t, &cfg);
	tape_bytes(&t, A, BYTES(before));
	t.len = 0;
	tape_bytes(&t, A, BYTES(reset));
	t.said[t.len < 17 ? t.len : 17] = '\0';
	CU_ASSERT_STRING_EQUAL(t.said, "session from 1; \1");
	t.len = 0;
	tape_bytes(&t, A, BYTES(after));
	tape_bytes(&t, B, BYTES(reset)); /* the same one */
	CU_ASSERT_EQUAL(feed_counters(t.feed)->resets, 1);
	CU_ASSERT_EQUAL(feed_awaits(t.feed), 3);
	t.said[t.len = 0] = '\0';
	tape_close(&t);
}

static void channels(void)
{
	struct feed_config cfg = {.venue = &feed_cboe_pitch, .channel = 2};
	struct tape t;

	tape_open(&t, &cfg);
	tape_bytes(&t, A, BYTES("\x0b\0\1\1\7\0\0\0\3\x20x"));
	tape_bytes(&t, A, BYTES("\x0b\0\1\2\1\0\0\0\2a"));
	tape_bytes(&t, A, BYTES("\x0a\0\1\2\1\0\0\0\2a"));
	tape_bytes(&t, A, BYTES("\x0b\0\1\1\x09\0\0\0\3\x20x"));
	tape_bytes(&t, A, BYTES("\x0b\0\1\2\0\0\0\0\3\x20x"));
	tape_wants(&t, "session from 1; a ");
	CU_ASSERT_EQUAL(feed_counters(t.feed)->drop_wrong_channel, 2);
	CU_ASSERT_EQUAL(feed_counters(t.feed)->drop_unsequenced, 1);
	tape_close(&t);
}

static void names(void)
{
	const struct feed_venue *const *v;

	for (v = feed_venues; *v; v++)
		CU_ASSERT_PTR_EQUAL(feed_venue_by_name((*v)->name), *v);
	CU_ASSERT_PTR_NULL(feed_venue_by_name("nowhere"));
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"MoldUDP64", moldudp64},
		{"CME MDP 3.0", cme},
		{"NYSE XDP", nyse},
		{"Cboe PITCH", cboe},
		{"IEX-TP", iex},
		{"MEMX", memx},
		{"Eurex EOBI", eobi},
		{"fields in full", fields_in_full},
		{"sessions in full", sessions_in_full},
		{"prefixes", prefixes},
		{"gaps of packets", packet_gaps},
		{"sequence reset", resets},
		{"channels", channels},
		{"names", names},
		{NULL, NULL},
	};

	return suite_main("feed venue", cases, argc, argv);
}
