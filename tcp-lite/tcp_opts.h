/* SPDX-License-Identifier: BSD-3-Clause
 * TCP options, read and written: MSS (RFC 9293 section 3.2), window scale and timestamps
 * (RFC 7323), SACK (RFC 2018).
 */
#ifndef PERCH_TCP_LITE_TCP_OPTS_H
#define PERCH_TCP_LITE_TCP_OPTS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_byteorder.h>

enum perch_tcp_opt {
	TCPOPT_END = 0,
	TCPOPT_PAD = 1,
	TCPOPT_MSS_ = 2,
	TCPOPT_SCALE = 3,
	TCPOPT_SACK_OK = 4,
	TCPOPT_SACK_BLOCKS = 5,
	TCPOPT_TIMES = 8,
	TCP_SCALE_MAX = 14,     /* RFC 7323 section 2.3 */
	TCP_SACK_MAX = 4,       /* blocks that fit; 3 beside timestamps */
	TCP_TIMES_BYTES = 12,   /* timestamps with their padding */
};

/* How timestamps begin (RFC 7323 appendix A): padding, kind, length. */
#define TCP_TIMES_WORD RTE_BE32(TCPOPT_PAD << 24 | TCPOPT_PAD << 16 | TCPOPT_TIMES << 8 | 10)

struct perch_tcp_block {
	uint32_t from, to;
};

struct perch_tcp_opts {
	uint32_t ts_val, ts_ecr;
	uint16_t mss;           /* 0: not there */
	uint8_t scale;
	uint8_t n_blocks;
	bool has_ts, has_scale, sack_ok;
	struct perch_tcp_block blocks[TCP_SACK_MAX];
};

/* Read len bytes of options. Stops at what makes no sense and keeps what came before. */
void perch_tcp_opts_parse(struct perch_tcp_opts *o, const uint8_t *p, unsigned len);

/* Write the options that o has, padded to words; returns the bytes written, at most 40. */
unsigned perch_tcp_opts_build(const struct perch_tcp_opts *o, uint8_t *p);

#endif
