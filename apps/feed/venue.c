/* SPDX-License-Identifier: BSD-3-Clause
 * The venues, and one parser for all of their packet headers.
 */
#include "apps/feed/venue.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "apps/feed/wire.h"

#define NO_KINDS .kind_beat = FEED_NO_KIND, .kind_end = FEED_NO_KIND, .kind_reset = FEED_NO_KIND

const struct feed_venue feed_moldudp64 = {
	.name = "moldudp64", .title = "MoldUDP64", .big_endian = true, .unit = FEED_PER_MESSAGE,
	.header_bytes = 20, .data_header_bytes = 20, .lowest = 1,
	.session = {0, 10}, .sequence = {10, 8}, .count = {18, 2}, .count_end = 0xffff,
	.block_bytes = 2, NO_KINDS,
};

/* Heartbeats are numbered packets with one administrative message. */
const struct feed_venue feed_cme_mdp3 = {
	.name = "cme", .title = "CME MDP 3.0", .unit = FEED_PER_PACKET,
	.header_bytes = 12, .data_header_bytes = 12, .lowest = 1,
	.sequence = {0, 4}, .block_bytes = 2, .block_whole = true, NO_KINDS,
};

/* The kind is the delivery flag: 12 is a sequence number reset. Heartbeats (1) have no messages,
 * which says as much. */
const struct feed_venue feed_nyse_xdp = {
	.name = "nyse", .title = "NYSE XDP/Pillar", .unit = FEED_PER_MESSAGE,
	.header_bytes = 16, .data_header_bytes = 16, .lowest = 1,
	.sequence = {4, 4}, .count = {3, 1}, .length = {0, 2}, .length_means = FEED_LENGTH_PACKET,
	.kind = {2, 1}, .kind_beat = FEED_NO_KIND, .kind_end = FEED_NO_KIND, .kind_reset = 12,
	.block_bytes = 2, .block_whole = true,
};

const struct feed_venue feed_cboe_pitch = {
	.name = "cboe", .title = "Cboe PITCH", .unit = FEED_PER_MESSAGE,
	.header_bytes = 8, .data_header_bytes = 8, .lowest = 1, .zero_unsequenced = true,
	.channel = {3, 1}, .sequence = {4, 4}, .count = {2, 1}, .length = {0, 2},
	.length_means = FEED_LENGTH_PACKET, .block_bytes = 1, .block_whole = true, NO_KINDS,
};

const struct feed_venue feed_iex_tp = {
	.name = "iex", .title = "IEX-TP", .unit = FEED_PER_MESSAGE,
	.header_bytes = 40, .data_header_bytes = 40, .lowest = 1,
	.session = {8, 4}, .channel = {4, 4}, .sequence = {24, 8}, .count = {14, 2},
	.length = {12, 2}, .length_means = FEED_LENGTH_PAYLOAD, .block_bytes = 2, NO_KINDS,
};

/* Heartbeats and the end have no count; the length byte is the header's own. */
const struct feed_venue feed_memx = {
	.name = "memx", .title = "MEMX MEMOIR-UDP", .big_endian = true, .unit = FEED_PER_MESSAGE,
	.header_bytes = 18, .data_header_bytes = 20, .lowest = 1,
	.session = {2, 8}, .sequence = {10, 8}, .count = {18, 2},
	.kind = {0, 1}, .kind_beat = 0, .kind_end = 1, .kind_reset = FEED_NO_KIND,
	.block_bytes = 2,
};

/* The header is itself a message, of 32 bytes; the kind is its reset indicator. */
const struct feed_venue feed_eurex_eobi = {
	.name = "eobi", .title = "Eurex EOBI", .unit = FEED_PER_PACKET,
	.header_bytes = 32, .data_header_bytes = 32,
	.channel = {12, 4}, .sequence = {8, 4},
	.kind = {18, 1}, .kind_beat = FEED_NO_KIND, .kind_end = FEED_NO_KIND, .kind_reset = 1,
	.block_bytes = 2, .block_whole = true,
};

const struct feed_venue *const feed_venues[] = {
	&feed_moldudp64, &feed_cme_mdp3, &feed_nyse_xdp, &feed_cboe_pitch, &feed_iex_tp, &feed_memx,
	&feed_eurex_eobi, NULL,
};

const struct feed_venue *feed_venue_by_name(const char *name)
{
	const struct feed_venue *const *v;

	for (v = feed_venues; *v; v++)
		if (strcmp((*v)->name, name) == 0)
			break;
	return *v;
}

static inline uint64_t field(const struct feed_venue *v, const uint8_t *p, struct feed_field f)
{
	uint64_t n = 0;

	switch (f.bytes) {
	case 0:
		return 0;
	case 1:
		return p[f.at];
	case 2:
		n = wire_be16(p + f.at);
		return v->big_endian ? n : __builtin_bswap16((uint16_t)n);
	case 4:
		n = wire_be32(p + f.at);
		return v->big_endian ? n : __builtin_bswap32((uint32_t)n);
	case 8:
		n = wire_be64(p + f.at);
		return v->big_endian ? n : __builtin_bswap64(n);
	default:
		return wire_uint(p + f.at, f.bytes, v->big_endian);
	}
}

static struct feed_session session(const struct feed_venue *v, const uint8_t *p)
{
	if (v->session.bytes <= 8)
		return (struct feed_session){field(v, p, v->session), 0};
	p += v->session.at;
	return (struct feed_session){wire_be64(p), wire_be16(p + 8)};
}

static enum feed_kind kind(const struct feed_venue *v, const uint8_t *p, uint64_t count)
{
	int sort = v->kind.bytes ? p[v->kind.at] : FEED_NO_KIND;

	if (v->count_end && count == v->count_end)
		return FEED_END_OF_SESSION;
	if (sort == FEED_NO_KIND)
		return FEED_MESSAGES;
	if (sort == v->kind_end)
		return FEED_END_OF_SESSION;
	if (sort == v->kind_reset)
		return FEED_RESET;
	return sort == v->kind_beat ? FEED_BEAT : FEED_MESSAGES;
}

/* Cut *len, which is right for what the network brought, to what the header speaks of. */
static bool length_fits(const struct feed_venue *v, const uint8_t *p, size_t *len)
{
	uint64_t says = field(v, p, v->length);

	if (v->length.bytes == 0)
		return true;
	if (v->length_means == FEED_LENGTH_PAYLOAD)
		says += v->header_bytes;
	if (says < v->header_bytes || says > *len)
		return false;
	*len = says;
	return true;
}

/* Walk the messages: as many as were counted, or as there are. */
static enum feed_fault blocks(const struct feed_venue *v, struct feed_header *h, uint64_t count)
{
	size_t least = v->block_whole ? v->block_bytes : 0, left = h->blocks_len, n;
	const uint8_t *at = h->blocks;

	while (left && (v->count.bytes == 0 || h->messages < count)) {
		if (left < v->block_bytes)
			return FEED_BAD_BLOCK;
		n = at[0];
		if (v->block_bytes == 2)
			n = v->big_endian ? n << 8 | at[1] : n | (size_t)at[1] << 8;
		if (n < least || n + v->block_bytes - least > left)
			return FEED_BAD_BLOCK;
		n += v->block_bytes - least;
		at += n;
		left -= n;
		h->messages++;
	}
	if (v->count.bytes && h->messages < count)
		return FEED_BAD_COUNT;
	h->trailing = left > 0;
	h->blocks_len -= left;
	return FEED_SOUND;
}

enum feed_fault feed_parse(
	const struct feed_venue *v, const void *data, size_t len, struct feed_header *h)
{
	const uint8_t *p = data;
	size_t whole = len;
	uint64_t count;
	enum feed_fault fault;

	memset(h, 0, sizeof(*h));
	if (len < v->header_bytes)
		return FEED_SHORT;
	if (!length_fits(v, p, &len))
		return FEED_BAD_LENGTH;
	h->session = session(v, p);
	h->channel = field(v, p, v->channel);
	h->first = field(v, p, v->sequence);
	if (v->zero_unsequenced && h->first == 0)
		return FEED_UNSEQUENCED;
	if (h->first < v->lowest || h->first > UINT64_MAX - UINT32_MAX)
		return FEED_BAD_SEQUENCE;
	count = len >= v->data_header_bytes ? field(v, p, v->count) : 0;
	h->kind = kind(v, p, count);
	if (h->kind == FEED_BEAT || h->kind == FEED_END_OF_SESSION) {
		h->trailing = len > v->header_bytes || whole > len;
		return FEED_SOUND;
	}
	if (len < v->data_header_bytes)
		return FEED_SHORT;
	h->blocks = p + v->data_header_bytes;
	h->blocks_len = len - v->data_header_bytes;
	fault = blocks(v, h, count);
	h->trailing |= whole > len;
	h->units = v->unit == FEED_PER_PACKET ? 1 : h->messages;
	if (h->units == 0 && h->kind == FEED_MESSAGES)
		h->kind = FEED_BEAT;
	return fault;
}

char *feed_session_text(
	const struct feed_venue *v, const struct feed_session *s, char buf[FEED_SESSION_TEXT])
{
	uint8_t text[10];
	unsigned from = 0, end = sizeof(text), i;

	if (v->session.bytes != sizeof(text)) {
		snprintf(buf, FEED_SESSION_TEXT, "%" PRIu64, s->high);
		return buf;
	}
	wire_put_be64(text, s->high);
	wire_put_be16(text + 8, s->low);
	while (from < end && text[from] == ' ')
		from++;
	while (end > from && text[end - 1] == ' ')
		end--;
	for (i = from; i < end; i++)
		buf[i - from] = text[i] >= ' ' && text[i] < 0x7f ? (char)text[i] : '.';
	buf[end - from] = '\0';
	return buf;
}
