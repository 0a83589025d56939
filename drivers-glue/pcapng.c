/* SPDX-License-Identifier: BSD-3-Clause
 * pcapng blocks (draft-ietf-opsawg-pcapng), and a file of them.
 */
#include "drivers-glue/pcapng.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_byteorder.h>

#include "drivers-glue/why.h"

enum {
	SECTION = 0x0a0d0d0a,
	INTERFACE = 1,
	SECTION_BYTES = 28,
	INTERFACE_BYTES = 32,
	ENHANCED_PACKET = 6,
	PACKET_BYTES_AT = 28, /* in an enhanced packet block */
	BUFFER = 1 << 20,
};

struct perch_pcapng {
	int fd, error;
	size_t n;
	uint8_t buf[BUFFER];
};

static uint8_t *put32(uint8_t *at, uint32_t v)
{
	v = rte_cpu_to_le_32(v);
	memcpy(at, &v, sizeof(v));
	return at + sizeof(v);
}

static uint8_t *put16(uint8_t *at, uint16_t v)
{
	v = rte_cpu_to_le_16(v);
	memcpy(at, &v, sizeof(v));
	return at + sizeof(v);
}

static uint8_t *put_interface(uint8_t *at)
{
	at = put32(at, INTERFACE);
	at = put32(at, INTERFACE_BYTES);
	at = put16(at, 1); /* LINKTYPE_ETHERNET */
	at = put16(at, 0);
	at = put32(at, 0); /* no snap length */
	at = put16(at, 9); /* if_tsresol: 10^-9 s */
	at = put16(at, 1);
	at = put32(at, 9);
	at = put32(at, 0); /* opt_endofopt */
	return put32(at, INTERFACE_BYTES);
}

size_t perch_pcapng_head(uint8_t *buf, size_t size, unsigned interfaces)
{
	uint8_t *at = buf;

	if (size < SECTION_BYTES + interfaces * INTERFACE_BYTES)
		return 0;
	at = put32(at, SECTION);
	at = put32(at, SECTION_BYTES);
	at = put32(at, 0x1a2b3c4d);
	at = put16(at, 1); /* version 1.0 */
	at = put16(at, 0);
	at = put32(at, UINT32_MAX); /* section length: not said */
	at = put32(at, UINT32_MAX);
	at = put32(at, SECTION_BYTES);
	while (interfaces-- > 0)
		at = put_interface(at);
	return (size_t)(at - buf);
}

size_t perch_pcapng_block(
	uint8_t *buf, unsigned interface, int64_t time_ns, const struct rte_mbuf *m)
{
	uint32_t len = m->pkt_len, padded = RTE_ALIGN_CEIL(len, 4u);
	uint32_t total = padded + PERCH_PCAPNG_PACKET_EXTRA;
	uint8_t *at = put32(buf, ENHANCED_PACKET);

	at = put32(at, total);
	at = put32(at, interface);
	at = put32(at, (uint32_t)((uint64_t)time_ns >> 32));
	at = put32(at, (uint32_t)time_ns);
	at = put32(at, len);
	at = put32(at, len);
	for (; m; m = m->next) {
		memcpy(at, rte_pktmbuf_mtod(m, const void *), m->data_len);
		at += m->data_len;
	}
	memset(at, 0, padded - len);
	put32(at + (padded - len), total);
	return total;
}

/* ---- a file --------------------------------------------------------------------------------- */

static void flush(struct perch_pcapng *w)
{
	size_t done = 0;
	ssize_t n;

	while (done < w->n && w->error == 0) {
		n = write(w->fd, w->buf + done, w->n - done);
		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			w->error = n == 0 ? -EIO : -errno;
	}
	w->n = 0;
}

int perch_pcapng_create(
	struct perch_pcapng **out, const char *path, char *why, size_t why_bytes)
{
	struct perch_pcapng *w = malloc(sizeof(*w));
	int error;

	if (!w)
		return perch_glue_why(why, why_bytes, -ENOMEM, "out of memory");
	w->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (w->fd < 0) {
		error = errno;
		free(w);
		return perch_glue_why(why, why_bytes, -error, "%s: cannot be written: %s", path,
			strerror(error));
	}
	w->error = 0;
	w->n = perch_pcapng_head(w->buf, sizeof(w->buf), 1);
	*out = w;
	return 0;
}

uint8_t *perch_pcapng_packet(struct perch_pcapng *w, int64_t time_ns, const struct rte_mbuf *m)
{
	uint8_t *at;

	if (m->pkt_len > BUFFER / 2) {
		w->error = w->error ? w->error : -EMSGSIZE;
		return NULL;
	}
	if (w->n + m->pkt_len + 4 + PERCH_PCAPNG_PACKET_EXTRA > BUFFER)
		flush(w);
	at = w->buf + w->n;
	w->n += perch_pcapng_block(at, 0, time_ns, m);
	return at + PACKET_BYTES_AT;
}

int perch_pcapng_close(struct perch_pcapng *w)
{
	int rc;

	if (!w)
		return 0;
	flush(w);
	if (close(w->fd) < 0 && w->error == 0)
		w->error = -errno;
	rc = w->error;
	free(w);
	return rc;
}
