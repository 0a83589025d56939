/* SPDX-License-Identifier: BSD-3-Clause
 * The Internet checksum (RFC 1071) with the pseudo-header of either family (RFC 9293 section 3.1,
 * RFC 8200 section 8.1).
 */
#ifndef PERCH_TCP_LITE_CKSUM_H
#define PERCH_TCP_LITE_CKSUM_H

#include <string.h>

#include <rte_byteorder.h>
#include <rte_mbuf.h>

#include "tcp-lite/addr.h"

/* Both halves added, twice. A half's own carry comes round as the other's, for the sum is added to
 * itself turned by half its length. */
static inline uint16_t perch_cksum_fold(uint64_t sum)
{
	uint32_t half;

	sum += sum << 32 | sum >> 32;
	half = (uint32_t)(sum >> 32);
	half += half << 16 | half >> 16;
	return (uint16_t)(half >> 16);
}

/* Words of 32 bits, four at a time into sums of 64: RFC 1071 section 2 lets us choose the word. */
typedef uint64_t perch_cksum_vec __attribute__((vector_size(16)));
typedef uint64_t perch_cksum_vec_in __attribute__((vector_size(16), aligned(1), may_alias));

struct perch_cksum_sums {
	perch_cksum_vec low, high;
};

static inline void perch_cksum_add(struct perch_cksum_sums *s, perch_cksum_vec w)
{
	const perch_cksum_vec low = {0xffffffff, 0xffffffff};

	s->low += w & low;
	s->high += w >> 32;
}

/* For the two below, of which one has no `to`. */
static inline __attribute__((always_inline)) uint64_t perch_cksum_pass(
	void *to, const void *from, uint32_t len)
{
	struct perch_cksum_sums s = {{0, 0}, {0, 0}};
	const uint8_t *p = from;
	uint8_t *q = to, odd[2] = {0, 0};
	perch_cksum_vec w, x, y, z;
	uint64_t sum;
	uint16_t half;
	uint32_t word;

	for (; len >= 64; len -= 64, p += 64) { /* a cache line at a time: a full segment's way */
		w = *(const perch_cksum_vec_in *)p;
		x = *(const perch_cksum_vec_in *)(p + 16);
		y = *(const perch_cksum_vec_in *)(p + 32);
		z = *(const perch_cksum_vec_in *)(p + 48);
		if (to) {
			*(perch_cksum_vec_in *)q = w;
			*(perch_cksum_vec_in *)(q + 16) = x;
			*(perch_cksum_vec_in *)(q + 32) = y;
			*(perch_cksum_vec_in *)(q + 48) = z;
			q += 64;
		}
		perch_cksum_add(&s, w);
		perch_cksum_add(&s, x);
		perch_cksum_add(&s, y);
		perch_cksum_add(&s, z);
	}
	if (to)
		memcpy(q, p, len);
	for (; len >= 16; len -= 16, p += 16)
		perch_cksum_add(&s, *(const perch_cksum_vec_in *)p);
	s.low += s.high;
	sum = s.low[0] + s.low[1];
	for (; len >= 4; len -= 4, p += 4) {
		memcpy(&word, p, sizeof(word));
		sum += word;
	}
	if (len & 2) {
		memcpy(&half, p, sizeof(half));
		sum += half;
		p += 2;
	}
	if (len & 1) {
		odd[0] = *p;
		memcpy(&half, odd, sizeof(half));
		sum += half;
	}
	return sum;
}

/* The sum of len bytes, to be folded, in the order in which they lie; 0 only for zeroes. An eighth
 * of the time of rte_raw_cksum(), which takes two bytes at a time. The sums of some gigabytes can
 * be added before they are folded; all but the last must be of even lengths. */
static inline uint64_t perch_cksum_sum(const void *data, uint32_t len)
{
	return perch_cksum_pass(NULL, data, len);
}

/* The same of what is copied on the way: the bytes are touched once. */
static inline uint64_t perch_cksum_copy(void *to, const void *from, uint32_t len)
{
	return perch_cksum_pass(to, from, len);
}

/* The sum of two pieces, folded; the first is `before` bytes long. */
static inline uint16_t perch_cksum_join(uint16_t sum, uint32_t before, uint64_t next)
{
	uint16_t folded;

	if (!(before & 1))
		return perch_cksum_fold(sum + next);
	folded = perch_cksum_fold(next);
	return perch_cksum_fold((uint64_t)sum + rte_bswap16(folded));
}

static inline uint64_t perch_cksum_word(const uint8_t *p)
{
	uint32_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* The same of a header: five words, and options, mostly TCP's timestamps. */
static inline uint64_t perch_cksum_header(const void *header, uint32_t len)
{
	const uint8_t *p = header, *end = p + len;
	uint64_t sum = perch_cksum_word(p) + perch_cksum_word(p + 4) + perch_cksum_word(p + 8) +
		perch_cksum_word(p + 12) + perch_cksum_word(p + 16);

	if (likely(len == 32))
		return sum + perch_cksum_word(p + 20) + perch_cksum_word(p + 24) +
			perch_cksum_word(p + 28);
	for (p += 20; p < end; p += 4)
		sum += perch_cksum_word(p);
	return sum;
}

static inline uint16_t perch_cksum_raw(const void *data, uint32_t len)
{
	return perch_cksum_fold(perch_cksum_sum(data, len));
}

/* To be folded. The length and the protocol are 32-bit words here; in the IPv4 pseudo-header they
 * share one, which has the same sum because neither reaches the other's half. */
static inline uint64_t perch_cksum_pseudo_sum(
	const struct perch_ip *src, const struct perch_ip *dst, uint8_t proto, uint32_t len)
{
	uint64_t sum = rte_cpu_to_be_32(len) + (uint64_t)rte_cpu_to_be_32(proto);
	unsigned i;

	if (likely(perch_ip_is_v4(dst)))
		return sum + src->w[3] + dst->w[3];
	for (i = 0; i < 4; i++)
		sum += (uint64_t)src->w[i] + dst->w[i];
	return sum;
}

/* Not complemented, in network order: what a NIC wants to find in the checksum field. */
static inline uint16_t perch_cksum_pseudo(
	const struct perch_ip *src, const struct perch_ip *dst, uint8_t proto, uint32_t len)
{
	return perch_cksum_fold(perch_cksum_pseudo_sum(src, dst, proto, len));
}

/* The sum of all data of m, not complemented. Not by rte_raw_cksum_mbuf(): up to DPDK 22.11 it
 * loses carries of a segment that starts at an odd offset. */
static inline uint16_t perch_cksum_data(const struct rte_mbuf *m)
{
	uint32_t sum, done = 0, total = 0;

	for (; m; m = m->next) {
		sum = perch_cksum_raw(rte_pktmbuf_mtod(m, const void *), m->data_len);
		total += done & 1 ? rte_bswap16((uint16_t)sum) : sum;
		done += m->data_len;
	}
	total = (total & 0xffff) + (total >> 16);
	return (uint16_t)((total & 0xffff) + (total >> 16));
}

/* The transport checksum of m, complemented: the value to store where the field held zero, or zero
 * where the field held the right checksum. */
static inline uint16_t perch_cksum_transport(const struct rte_mbuf *m, const struct perch_ip *src,
	const struct perch_ip *dst, uint8_t proto)
{
	uint32_t sum = perch_cksum_data(m);

	sum += perch_cksum_pseudo(src, dst, proto, m->pkt_len);
	return (uint16_t)~((sum & 0xffff) + (sum >> 16));
}

#endif
