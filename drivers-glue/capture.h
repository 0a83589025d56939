/* SPDX-License-Identifier: BSD-3-Clause
 * A capture file (pcap or pcapng, micro- or nanoseconds, read by libpcap) as a stream of Ethernet
 * frames whose times never go backwards; what captures have wrong with them is dealt with here, as
 * the configuration says.
 *
 * Thread context: one thread. It reads a file, so never the hot path of a live port.
 */
#ifndef PERCH_DRIVERS_GLUE_CAPTURE_H
#define PERCH_DRIVERS_GLUE_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

struct perch_capture;

enum perch_capture_backwards { /* a time earlier than that of the packet before */
	PERCH_BACKWARDS_CLAMP, /* it gets that packet's time; the order is the file's */
	PERCH_BACKWARDS_SORT,  /* put in order, equal times as in the file; see SORT_WINDOW */
	PERCH_BACKWARDS_ERROR,
};

enum perch_capture_damage { /* a packet cut by a snap length; a file that ends within a packet */
	PERCH_DAMAGE_ERROR,
	PERCH_DAMAGE_SKIP, /* do without the packet; the file ends there */
	PERCH_DAMAGE_PASS, /* give what there is of the packet; the file ends there */
};

struct perch_capture_config { /* zero means default */
	const char *path;      /* required; "-" is not special */
	const char *filter;    /* pcap-filter(7); NULL: every packet */
	enum perch_capture_backwards backwards;
	enum perch_capture_damage snapped, truncated;
};

struct perch_frame {
	int64_t time_ns;  /* since the epoch of the capture */
	uint64_t number;  /* of the packet in its file, from 1, filtered ones not counted */
	const uint8_t *data;
	uint32_t len;     /* bytes at data */
	uint32_t wire_len; /* that the packet had: more than len when it was cut */
};

struct perch_capture_stats {
	uint64_t packets, clamped, snapped, truncated;
};

/* Returns 0 or -ENOENT, -EINVAL (no capture, not Ethernet, a filter that does not compile), -ENOMEM
 * with one sentence in why[]. The strings of cfg are not kept. */
int perch_capture_open(struct perch_capture **out, const struct perch_capture_config *cfg,
	char *why, size_t why_bytes);
void perch_capture_close(struct perch_capture *c); /* NULL is fine */

/* The next frame; its bytes are good until the next call. Returns 1, 0 at the end, or -EBADMSG with
 * one sentence, offset included, in perch_capture_error. */
int perch_capture_next(struct perch_capture *c, struct perch_frame *out);

const char *perch_capture_error(const struct perch_capture *c);
void perch_capture_stats(const struct perch_capture *c, struct perch_capture_stats *out);

#endif
