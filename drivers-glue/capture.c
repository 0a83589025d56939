/* SPDX-License-Identifier: BSD-3-Clause
 * Reading captures as they are.
 */
#include "drivers-glue/capture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <pcap/pcap.h>

#include "drivers-glue/held.h"
#include "drivers-glue/why.h"

enum {
	SORT_WINDOW = 8192, /* PERCH_BACKWARDS_SORT: a packet may be that many places too late */
	LONGEST = 65535,    /* bytes of a frame that anything here can carry */
	READ_BUFFER = 1 << 18,
};

#define LATEST_NS (INT64_MAX / 2) /* in the year 2116; what is added to it does not overflow */

struct perch_capture {
	pcap_t *pcap;
	struct bpf_program filter;
	bool has_filter;
	char *path;
	enum perch_capture_backwards backwards;
	enum perch_capture_damage snapped, truncated;
	bool ended;
	int64_t last_ns;
	struct perch_held window; /* PERCH_BACKWARDS_SORT */
	struct perch_held_frame *given; /* of the window, until the next call */
	struct perch_capture_stats stats;
	char error[256];
};

static int set_filter(struct perch_capture *c, const char *filter, char *why, size_t why_bytes)
{
	if (!filter)
		return 0;
	if (pcap_compile(c->pcap, &c->filter, filter, 1, PCAP_NETMASK_UNKNOWN) < 0)
		return perch_glue_why(why, why_bytes, -EINVAL, "the filter '%s': %s", filter,
			pcap_geterr(c->pcap));
	c->has_filter = true;
	if (pcap_setfilter(c->pcap, &c->filter) < 0)
		return perch_glue_why(why, why_bytes, -EINVAL, "the filter '%s': %s", filter,
			pcap_geterr(c->pcap));
	return 0;
}

static int open_file(struct perch_capture *c, char *why, size_t why_bytes)
{
	char text[PCAP_ERRBUF_SIZE] = "";
	FILE *f = fopen(c->path, "rbe");
	int type;

	if (!f)
		return perch_glue_why(why, why_bytes, -errno, "%s: %s", c->path, strerror(errno));
	setvbuf(f, NULL, _IOFBF, READ_BUFFER);
	c->pcap = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, text);
	if (!c->pcap) {
		fclose(f);
		return perch_glue_why(why, why_bytes, -EINVAL, "%s: no capture file that can be "
			"read: %s", c->path, text);
	}
	type = pcap_datalink(c->pcap);
	if (type != DLT_EN10MB)
		return perch_glue_why(why, why_bytes, -EINVAL, "%s: the link type is %s, not "
			"Ethernet", c->path, pcap_datalink_val_to_name(type)
			? pcap_datalink_val_to_name(type) : "unknown");
	return 0;
}

int perch_capture_open(struct perch_capture **out, const struct perch_capture_config *cfg,
	char *why, size_t why_bytes)
{
	struct perch_capture *c = calloc(1, sizeof(*c));
	int rc;

	if (!c || !(c->path = strdup(cfg->path))) {
		free(c);
		return perch_glue_why(why, why_bytes, -ENOMEM, "out of memory");
	}
	c->backwards = cfg->backwards;
	c->snapped = cfg->snapped;
	c->truncated = cfg->truncated;
	c->last_ns = INT64_MIN;
	rc = open_file(c, why, why_bytes);
	if (rc == 0)
		rc = set_filter(c, cfg->filter, why, why_bytes);
	if (rc < 0) {
		perch_capture_close(c);
		return rc;
	}
	*out = c;
	return 0;
}

void perch_capture_close(struct perch_capture *c)
{
	if (!c)
		return;
	if (c->pcap)
		pcap_close(c->pcap);
	if (c->has_filter)
		pcap_freecode(&c->filter);
	free(c->given);
	perch_held_clear(&c->window);
	free(c->path);
	free(c);
}

/* ---- one packet as it is -------------------------------------------------------------------- */

/* Where the first packet after `packets` good ones lies, by reading once more: to ask after
 * every packet would cost a system call each time. */
static int64_t find_offset(const struct perch_capture *c, uint64_t packets)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *again = pcap_open_offline(c->path, text);
	struct pcap_pkthdr *h;
	const u_char *data;
	int64_t offset = -1;

	if (!again)
		return -1;
	for (;;) {
		offset = ftello(pcap_file(again));
		if (pcap_next_ex(again, &h, &data) != 1)
			break;
		if (c->has_filter && !pcap_offline_filter(&c->filter, h, data))
			continue;
		if (packets-- == 0)
			break;
	}
	pcap_close(again);
	return offset;
}

static int ends_badly(struct perch_capture *c)
{
	const char *said = pcap_geterr(c->pcap);

	c->stats.truncated++;
	c->ended = true;
	if (c->truncated != PERCH_DAMAGE_ERROR)
		return 0;
	return perch_glue_why(c->error, sizeof(c->error), -EBADMSG, "%s: after packet %" PRIu64
		", at offset %" PRId64 ": %s", c->path, c->stats.packets,
		find_offset(c, UINT64_MAX), said);
}

static int is_cut(struct perch_capture *c, const struct pcap_pkthdr *h)
{
	c->stats.snapped++;
	if (c->snapped != PERCH_DAMAGE_ERROR)
		return 0;
	return perch_glue_why(c->error, sizeof(c->error), -EBADMSG, "%s: packet %" PRIu64
		" at offset %" PRId64 ": only %u of its %u bytes were captured (snap length)",
		c->path, c->stats.packets, find_offset(c, c->stats.packets - 1), h->caplen, h->len);
}

/* With nanosecond precision asked for, tv_usec holds nanoseconds. */
static bool is_time(const struct timeval *t)
{
	return t->tv_sec >= 0 && t->tv_sec < LATEST_NS / 1000000000 && t->tv_usec >= 0 &&
		t->tv_usec < 1000000000;
}

/* As the file has it, in the file's order. Returns 1, 0 at the end, -EBADMSG. */
static int read_one(struct perch_capture *c, struct perch_frame *out)
{
	struct pcap_pkthdr *h;
	const u_char *data;
	int rc;

	for (;;) {
		if (c->ended)
			return 0;
		rc = pcap_next_ex(c->pcap, &h, &data);
		if (rc == PCAP_ERROR_BREAK)
			c->ended = true;
		else if (rc != 1)
			return ends_badly(c);
		if (c->ended)
			return 0;
		c->stats.packets++;
		if (!is_time(&h->ts))
			return perch_glue_why(c->error, sizeof(c->error), -EBADMSG, "%s: packet %"
				PRIu64 " at offset %" PRId64 " has a time that cannot be", c->path,
				c->stats.packets, find_offset(c, c->stats.packets - 1));
		if (h->caplen > LONGEST)
			return perch_glue_why(c->error, sizeof(c->error), -EBADMSG, "%s: packet %"
				PRIu64 " at offset %" PRId64 " has %u bytes: no Ethernet frame is "
				"that long", c->path, c->stats.packets,
				find_offset(c, c->stats.packets - 1), h->caplen);
		if (h->caplen < h->len) {
			rc = is_cut(c, h);
			if (rc < 0)
				return rc;
			if (c->snapped == PERCH_DAMAGE_SKIP)
				continue;
		}
		*out = (struct perch_frame){
			.time_ns = (int64_t)h->ts.tv_sec * 1000000000 + h->ts.tv_usec,
			.number = c->stats.packets,
			.data = data,
			.len = h->caplen,
			.wire_len = h->len,
		};
		return 1;
	}
}

/* ---- times ---------------------------------------------------------------------------------- */

static int goes_backwards(struct perch_capture *c, struct perch_frame *f)
{
	const char *more = c->backwards == PERCH_BACKWARDS_SORT
		? ", and too far behind to be put in order" : "";

	if (c->backwards == PERCH_BACKWARDS_CLAMP) {
		c->stats.clamped++;
		f->time_ns = c->last_ns;
		return 1;
	}
	return perch_glue_why(c->error, sizeof(c->error), -EBADMSG, "%s: packet %" PRIu64
		" at offset %" PRId64 " is %" PRId64 " ns earlier than the one before it%s",
		c->path, f->number, find_offset(c, f->number - 1), c->last_ns - f->time_ns, more);
}

static int next_of_window(struct perch_capture *c, struct perch_frame *out)
{
	struct perch_frame f;
	int rc;

	free(c->given);
	c->given = NULL;
	while (c->window.n < SORT_WINDOW) {
		rc = read_one(c, &f);
		if (rc < 0)
			return rc;
		if (rc == 0)
			break;
		if (perch_held_put(&c->window, &f) < 0)
			return perch_glue_why(c->error, sizeof(c->error), -EBADMSG,
				"%s: out of memory while sorting", c->path);
	}
	c->given = perch_held_take(&c->window);
	if (!c->given)
		return 0;
	*out = c->given->f;
	return 1;
}

int perch_capture_next(struct perch_capture *c, struct perch_frame *out)
{
	int rc = c->backwards == PERCH_BACKWARDS_SORT ? next_of_window(c, out) : read_one(c, out);

	if (rc != 1)
		return rc;
	if (out->time_ns < c->last_ns)
		rc = goes_backwards(c, out);
	if (rc == 1)
		c->last_ns = out->time_ns;
	return rc;
}

const char *perch_capture_error(const struct perch_capture *c)
{
	return c->error;
}

void perch_capture_stats(const struct perch_capture *c, struct perch_capture_stats *out)
{
	*out = c->stats;
}
