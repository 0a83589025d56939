/* SPDX-License-Identifier: BSD-3-Clause
 * Numbers that nobody else can foresee. Initial sequence numbers (RFC 6528): a 4 us clock plus a
 * keyed hash of the tuple, so that a new connection starts after an old one of the same tuple.
 * Local ports (RFC 6056): for each destination a sequence of its own.
 */
#include "tcp-lite/tcp_inside.h"

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 (Aumasson and Bernstein 2012); the length goes where its padding would. */
uint64_t perch_tcp_keyed_hash(const struct perch_net *net, const uint64_t *words, unsigned n)
{
	uint64_t v[4] = {0x736f6d6570736575, 0x646f72616e646f6d, 0x6c7967656e657261,
		0x7465646279746573};
	uint64_t key[2];
	unsigned i;

	memcpy(key, net->cfg.secret, sizeof(key));
	for (i = 0; i < 4; i++)
		v[i] ^= key[i % 2];
	for (i = 0; i <= n; i++) {
		uint64_t word = i < n ? words[i] : (uint64_t)(n * 8) << 56;

		v[3] ^= word;
		sip_round(v);
		sip_round(v);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	for (i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The offset of the timestamp clock (RFC 7323 section 7.1) is the other half of the same hash, so
 * that it too goes on from one connection of a tuple to the next (RFC 6191). */
struct perch_tcp_numbers perch_tcp_numbers(
	const struct perch_net *net, const struct perch_tuple *tuple)
{
	const int64_t clock_ns = 4000;
	uint64_t words[5] = {tuple->laddr->d[0], tuple->laddr->d[1], tuple->raddr->d[0],
		tuple->raddr->d[1], (uint64_t)tuple->lport << 16 | tuple->rport};
	uint64_t hash = perch_tcp_keyed_hash(net, words, 5);

	return (struct perch_tcp_numbers){
		.isn = (uint32_t)hash + (uint32_t)(net->now_ns / clock_ns),
		.ts_offset = (uint32_t)(hash >> 32),
	};
}

/* RFC 6056 section 3.3.4, the double-hash algorithm: where a destination begins, and whom it shares
 * its count with, are keyed hashes; a port comes again only after all others. */
struct perch_tcp_ports perch_tcp_ports(struct perch_net *net, const struct perch_ip *laddr,
	const struct perch_ip *raddr, uint16_t rport)
{
	uint64_t words[5] = {laddr->d[0], laddr->d[1], raddr->d[0], raddr->d[1], rport};
	uint64_t hash = perch_tcp_keyed_hash(net, words, 5); /* no tuple has local port 0 */

	return (struct perch_tcp_ports){
		.offset = (uint32_t)hash,
		.count = &net->tcp->port_counts[(hash >> 32) % TCP_PORT_COUNTS],
	};
}

uint16_t perch_tcp_next_port(struct perch_tcp_ports *p)
{
	return (uint16_t)(FIRST_EPHEMERAL + (p->offset + (*p->count)++) % PERCH_TCP_PORTS);
}
