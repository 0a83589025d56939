/* SPDX-License-Identifier: BSD-3-Clause
 * TCP options on the wire.
 */
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_common.h>

#include "tcp-lite/tcp_opts.h"

static uint16_t read16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t read32(const uint8_t *p)
{
	uint32_t be;

	memcpy(&be, p, sizeof(be));
	return rte_be_to_cpu_32(be);
}

static uint8_t *write32(uint8_t *p, uint32_t v)
{
	v = rte_cpu_to_be_32(v);
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

static void parse_blocks(struct perch_tcp_opts *o, const uint8_t *p, unsigned len)
{
	o->n_blocks = 0;
	for (; len >= 8 && o->n_blocks < TCP_SACK_MAX; p += 8, len -= 8)
		o->blocks[o->n_blocks++] = (struct perch_tcp_block){read32(p), read32(p + 4)};
}

/* One option of len >= 2 bytes. One of a wrong length is as good as absent. */
static void parse_one(struct perch_tcp_opts *o, const uint8_t *p, unsigned len)
{
	switch (p[0]) {
	case TCPOPT_MSS_:
		if (len == 4)
			o->mss = read16(p + 2);
		break;
	case TCPOPT_SCALE:
		if (len == 3) {
			o->has_scale = true;
			o->scale = RTE_MIN(p[2], (uint8_t)TCP_SCALE_MAX);
		}
		break;
	case TCPOPT_SACK_OK:
		o->sack_ok |= len == 2;
		break;
	case TCPOPT_SACK_BLOCKS:
		if (len % 8 == 2)
			parse_blocks(o, p + 2, len - 2);
		break;
	case TCPOPT_TIMES:
		if (len == 10) {
			o->has_ts = true;
			o->ts_val = read32(p + 2);
			o->ts_ecr = read32(p + 6);
		}
		break;
	}
}

void perch_tcp_opts_parse(struct perch_tcp_opts *o, const uint8_t *p, unsigned len)
{
	const uint8_t *end = p + len;

	memset(o, 0, sizeof(*o));
	/* What nearly every segment looks like (RFC 7323 appendix A). */
	if (likely(len == TCP_TIMES_BYTES && read32(p) == rte_be_to_cpu_32(TCP_TIMES_WORD))) {
		o->has_ts = true;
		o->ts_val = read32(p + 4);
		o->ts_ecr = read32(p + 8);
		return;
	}
	while (p < end && p[0] != TCPOPT_END) {
		if (p[0] == TCPOPT_PAD) {
			p++;
			continue;
		}
		if (end - p < 2 || p[1] < 2 || p[1] > end - p)
			return;
		parse_one(o, p, p[1]);
		p += p[1];
	}
}

/* Words, each with its padding in front, as everybody writes them. */
unsigned perch_tcp_opts_build(const struct perch_tcp_opts *o, uint8_t *p)
{
	uint8_t *start = p;
	unsigned i;

	if (o->mss)
		p = write32(p, TCPOPT_MSS_ << 24 | 4 << 16 | o->mss);
	if (o->has_scale)
		p = write32(p, TCPOPT_PAD << 24 | TCPOPT_SCALE << 16 | 3 << 8 | o->scale);
	if (o->sack_ok)
		p = write32(p, TCPOPT_PAD << 24 | TCPOPT_PAD << 16 | TCPOPT_SACK_OK << 8 | 2);
	if (o->has_ts) {
		p = write32(p, TCPOPT_PAD << 24 | TCPOPT_PAD << 16 | TCPOPT_TIMES << 8 | 10);
		p = write32(p, o->ts_val);
		p = write32(p, o->ts_ecr);
	}
	if (o->n_blocks) {
		p = write32(p, TCPOPT_PAD << 24 | TCPOPT_PAD << 16 | TCPOPT_SACK_BLOCKS << 8 |
			(2 + 8u * o->n_blocks));
		for (i = 0; i < o->n_blocks; i++) {
			p = write32(p, o->blocks[i].from);
			p = write32(p, o->blocks[i].to);
		}
	}
	return (unsigned)(p - start);
}
