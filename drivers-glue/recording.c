/* SPDX-License-Identifier: BSD-3-Clause
 * Recordings: rings of blocks that outlive a crash, and turns read back from them.
 */
#include "drivers-glue/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers-glue/pcapng.h"
#include "drivers-glue/why.h"

enum {
	PAGE = 4096,
	HEAD = 4 * PAGE,
	SECTION = 0x0a0d0d0a,
	ENHANCED_PACKET = 6,
	EVENT_BLOCK = 12 + (int)sizeof(struct perch_recorded_event),
	LOOK_BYTES = 65536, /* of a file, to see whether it is a recording */
};

#define CONFIG_BLOCK UINT32_C(0x80706301) /* reserved for local use by pcapng: 0x80000000 and up */
#define EVENT_TYPE   UINT32_C(0x80706302)
#define LATEST_NS    (INT64_MAX / 2) /* what is added to it does not overflow */

static const char magic[8] = "perchrc3";

/* At the head of the ring file; behind it a page for each lcore, then its ring. */
struct tape_head {
	char magic[8];
	uint32_t lcores, overwrite;
	uint64_t ring_bytes;
	char config[PERCH_RECORDED_CONFIG];
};

static_assert(sizeof(struct tape_head) <= HEAD, "the head has its pages");

struct ring_head { /* positions only grow */
	_Atomic uint64_t head __attribute__((aligned(64)));
	_Atomic uint64_t tail __attribute__((aligned(64)));
	_Atomic uint64_t lost; /* blocks */
};

struct perch_tape {
	struct tape_head *file;
	size_t file_bytes;
	int fd; /* kept for its lock */
	char *path;
	struct ring_head *ring[PERCH_RECORDED_LCORES];
	uint8_t *data[PERCH_RECORDED_LCORES]; /* mapped twice in a row: no block is in two pieces */
};

/* ---- the rings ------------------------------------------------------------------------------ */

static uint8_t *map_twice(int fd, off_t at, size_t bytes)
{
	uint8_t *p = mmap(NULL, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned i;

	if (p == MAP_FAILED)
		return NULL;
	for (i = 0; i < 2; i++)
		if (mmap(p + i * bytes, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED |
			    (i ? 0 : MAP_POPULATE), fd, at) == MAP_FAILED) {
			munmap(p, 2 * bytes);
			return NULL;
		}
	return p;
}

static int map_rings(struct perch_tape *t, int fd)
{
	size_t ring = t->file->ring_bytes;
	unsigned i;

	for (i = 0; i < t->file->lcores; i++) {
		t->ring[i] = (struct ring_head *)((uint8_t *)t->file + HEAD + i * (PAGE + ring));
		t->data[i] = map_twice(fd, (off_t)(HEAD + i * (PAGE + ring) + PAGE), ring);
		if (!t->data[i])
			return -ENOMEM;
	}
	return 0;
}

/* The ring's file, locked for as long as its mapping's description lives: two recordings of one
 * name would be none. */
static int open_ring(struct perch_tape *t, char *why, size_t why_bytes)
{
	int fd = open(t->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0)
		return perch_glue_why(why, why_bytes, -errno, "%s: cannot be written: %s", t->path,
			strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		close(fd);
		return perch_glue_why(why, why_bytes, -EBUSY, "%s: another engine records there: "
			"give each a file of its own", t->path);
	}
	if (ftruncate(fd, 0) < 0 || posix_fallocate(fd, 0, (off_t)t->file_bytes) != 0) {
		unlink(t->path);
		close(fd);
		return perch_glue_why(why, why_bytes, -ENOSPC, "%s: cannot be written: %s", t->path,
			strerror(ENOSPC));
	}
	return fd;
}

int perch_tape_create(struct perch_tape **out, const char *path, unsigned lcores,
	size_t ring_bytes, bool overwrite, const char *config, char *why, size_t why_bytes)
{
	struct perch_tape *t = calloc(1, sizeof(*t));
	size_t ring = (ring_bytes + PAGE - 1) / PAGE * PAGE;
	int rc = 0;

	if (!t || asprintf(&t->path, "%s.ring", path) < 0) {
		free(t);
		return perch_glue_why(why, why_bytes, -ENOMEM, "out of memory");
	}
	t->file_bytes = HEAD + lcores * (PAGE + ring);
	t->fd = open_ring(t, why, why_bytes);
	if (t->fd < 0) {
		rc = t->fd;
		free(t->path);
		free(t);
		return rc;
	}
	t->file = mmap(NULL, t->file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, 0);
	if (t->file == MAP_FAILED) {
		t->file = NULL;
	} else {
		t->file->lcores = lcores;
		t->file->overwrite = overwrite;
		t->file->ring_bytes = ring;
		snprintf(t->file->config, sizeof(t->file->config), "%s", config);
		memcpy(t->file->magic, magic, sizeof(magic));
	}
	if (!t->file || map_rings(t, t->fd) < 0) {
		rc = perch_glue_why(why, why_bytes, -ENOMEM, "%s: cannot be mapped", t->path);
		perch_tape_close(t, false);
		return rc;
	}
	*out = t;
	return 0;
}

void perch_tape_close(struct perch_tape *t, bool keep)
{
	unsigned i;

	if (!t)
		return;
	for (i = 0; i < PERCH_RECORDED_LCORES && t->data[i]; i++)
		munmap(t->data[i], 2 * t->file->ring_bytes);
	if (t->file)
		munmap(t->file, t->file_bytes);
	if (!keep)
		unlink(t->path);
	close(t->fd);
	free(t->path);
	free(t);
}

static uint32_t block_bytes(const uint8_t *block)
{
	uint32_t total;

	memcpy(&total, block + 4, sizeof(total));
	return total;
}

/* Room for a block, or NULL. */
static uint8_t *room_for(struct perch_tape *t, unsigned lcore, size_t bytes)
{
	struct ring_head *r = t->ring[lcore];
	uint64_t ring = t->file->ring_bytes;
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);

	if (bytes > ring)
		return NULL;
	while (unlikely(head + bytes - tail > ring)) {
		if (!t->file->overwrite)
			return NULL;
		tail += block_bytes(t->data[lcore] + tail % ring);
		atomic_store_explicit(&r->tail, tail, memory_order_release);
	}
	return t->data[lcore] + head % ring;
}

static void put(struct perch_tape *t, unsigned lcore, size_t bytes)
{
	struct ring_head *r = t->ring[lcore];

	atomic_store_explicit(&r->head,
		atomic_load_explicit(&r->head, memory_order_relaxed) + bytes,
		memory_order_release);
}

/* ---- marks of checksums --------------------------------------------------------------------- */

void perch_recorded_sums_note(struct perch_recorded_sums *sums, unsigned i, uint64_t ol_flags)
{
	uint64_t ip = ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK, bit = UINT64_C(1) << i;
	uint64_t l4 = ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	sums->ip_bad |= ip == RTE_MBUF_F_RX_IP_CKSUM_BAD ? bit : 0;
	sums->l4_bad |= l4 == RTE_MBUF_F_RX_L4_CKSUM_BAD ? bit : 0;
	sums->ip_good |= ip && ip != RTE_MBUF_F_RX_IP_CKSUM_BAD ? bit : 0; /* or never filled in */
	sums->l4_good |= l4 && l4 != RTE_MBUF_F_RX_L4_CKSUM_BAD ? bit : 0;
}

uint64_t perch_recorded_sums_flags(const struct perch_recorded_sums *sums, unsigned i)
{
	uint64_t bit = UINT64_C(1) << i;

	return (sums->ip_bad & bit ? RTE_MBUF_F_RX_IP_CKSUM_BAD : 0) |
		(sums->ip_good & bit ? RTE_MBUF_F_RX_IP_CKSUM_GOOD : 0) |
		(sums->l4_bad & bit ? RTE_MBUF_F_RX_L4_CKSUM_BAD : 0) |
		(sums->l4_good & bit ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : 0);
}

/* ---- blocks --------------------------------------------------------------------------------- */

static void put_word(uint8_t *at, uint32_t v)
{
	memcpy(at, &v, sizeof(v));
}

bool perch_tape_event(struct perch_tape *t, const struct perch_recorded_event *e)
{
	uint8_t *at = room_for(t, e->lcore, EVENT_BLOCK);

	if (!at)
		return false;
	put_word(at, EVENT_TYPE);
	put_word(at + 4, EVENT_BLOCK);
	memcpy(at + 8, e, sizeof(*e));
	put_word(at + EVENT_BLOCK - 4, EVENT_BLOCK);
	put(t, e->lcore, EVENT_BLOCK);
	return true;
}

bool perch_tape_packet(
	struct perch_tape *t, unsigned lcore, int64_t time_ns, const struct rte_mbuf *m)
{
	uint8_t *at = room_for(t, lcore, m->pkt_len + 3 + PERCH_PCAPNG_PACKET_EXTRA);

	if (!at)
		return false;
	put(t, lcore, perch_pcapng_block(at, lcore, time_ns, m));
	return true;
}

void perch_tape_lose(struct perch_tape *t, unsigned lcore)
{
	atomic_fetch_add_explicit(&t->ring[lcore]->lost, 1, memory_order_relaxed);
}

uint64_t perch_tape_lost(const struct perch_tape *t, unsigned lcore)
{
	return atomic_load_explicit(&t->ring[lcore]->lost, memory_order_relaxed);
}

size_t perch_tape_head(const struct perch_tape *t, uint8_t *buf, size_t size)
{
	size_t text = (strlen(t->file->config) + 3) / 4 * 4, n;

	n = perch_pcapng_head(buf, size, t->file->lcores);
	if (n == 0 || n + 12 + text > size)
		return 0;
	put_word(buf + n, CONFIG_BLOCK);
	put_word(buf + n + 4, (uint32_t)(12 + text));
	memset(buf + n + 8, 0, text);
	memcpy(buf + n + 8, t->file->config, strlen(t->file->config));
	put_word(buf + n + 8 + text, (uint32_t)(12 + text));
	return n + 12 + text;
}

size_t perch_tape_look(const struct perch_tape *t, unsigned lcore, const uint8_t **at)
{
	struct ring_head *r = t->ring[lcore];
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	*at = t->data[lcore] + tail % t->file->ring_bytes;
	return (size_t)(atomic_load_explicit(&r->head, memory_order_acquire) - tail);
}

void perch_tape_take(struct perch_tape *t, unsigned lcore, size_t bytes)
{
	atomic_fetch_add_explicit(&t->ring[lcore]->tail, bytes, memory_order_release);
}

/* ---- reading: the blocks -------------------------------------------------------------------- */

struct perch_recording {
	uint8_t *bytes;
	size_t n, head; /* the blocks of the turns begin at head */
	size_t ring;    /* here begins what was in the ring */
	char config[PERCH_RECORDED_CONFIG + 4];
	int64_t damage; /* offset in the file, or -1 */
	uint64_t lost;  /* as the rings say */
	size_t at[PERCH_RECORDED_LCORES];       /* each lcore reads its own blocks */
	uint64_t number[PERCH_RECORDED_LCORES]; /* of its last event */
	struct perch_recorded_lefts left, shared;
	int64_t now_ns[PERCH_RECORDED_LCORES];  /* of that */
};

static int append(struct perch_recording *r, const void *bytes, size_t n)
{
	uint8_t *bigger = realloc(r->bytes, r->n + n + 1);

	if (!bigger)
		return -ENOMEM;
	memcpy(bigger + r->n, bytes, n);
	r->bytes = bigger;
	r->n += n;
	return 0;
}

static int map_file(const char *path, void **at, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || st.st_size == 0) {
		close(fd);
		return -EINVAL;
	}
	*bytes = (size_t)st.st_size;
	*at = mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	return *at == MAP_FAILED ? -ENOMEM : 0;
}

/* How many of the bytes are whole blocks. */
static size_t whole_blocks(const uint8_t *p, size_t n)
{
	size_t at = 0, total;

	while (n - at >= 12) {
		total = block_bytes(p + at);
		if (total < 12 || total % 4 || total > n - at)
			break;
		at += total;
	}
	return at;
}

static bool is_tape(const struct tape_head *h, size_t bytes)
{
	return bytes >= HEAD && memcmp(h->magic, magic, sizeof(magic)) == 0 && h->lcores > 0 &&
		h->lcores <= PERCH_RECORDED_LCORES && h->ring_bytes > 0 &&
		h->ring_bytes % PAGE == 0 && h->ring_bytes < bytes &&
		HEAD + h->lcores * (PAGE + h->ring_bytes) <= bytes;
}

/* All that was taken from the rings is in the file, and what else is there was being written when
 * the process died: the rings have it, too. */
static void cut_file(struct perch_recording *r, const struct tape_head *h)
{
	const struct ring_head *ring;
	uint64_t taken = r->head;
	unsigned i;

	for (i = 0; i < h->lcores; i++) {
		ring = (const void *)((const uint8_t *)h + HEAD + i * (PAGE + h->ring_bytes));
		taken += atomic_load(&ring->tail);
	}
	if (!h->overwrite && r->n > 0)
		r->damage = r->n < taken ? (int64_t)r->n : -1;
	if (!h->overwrite && r->n > taken)
		r->n = whole_blocks(r->bytes, taken);
	r->ring = r->n;
}

/* What lies in the rings of a process that crashed; an lcore's bytes begin and end with a block. */
static int read_rings(struct perch_recording *r, const char *path)
{
	const struct tape_head *h;
	const struct ring_head *ring;
	const uint8_t *data;
	uint64_t head, tail, at, piece;
	size_t bytes, before;
	void *file;
	unsigned i;
	int rc = map_file(path, &file, &bytes);

	if (rc < 0)
		return rc;
	h = file;
	rc = is_tape(h, bytes) ? 0 : -EINVAL;
	if (rc == 0)
		cut_file(r, h);
	for (i = 0; rc == 0 && i < h->lcores; i++) {
		before = r->n;
		ring = (const void *)((uint8_t *)file + HEAD + i * (PAGE + h->ring_bytes));
		data = (const uint8_t *)ring + PAGE;
		head = atomic_load(&ring->head);
		tail = atomic_load(&ring->tail);
		r->lost += atomic_load(&ring->lost);
		if (head < tail || head - tail > h->ring_bytes)
			rc = -EINVAL;
		for (at = tail; rc == 0 && at < head; at += piece) {
			piece = RTE_MIN(head - at, h->ring_bytes - at % h->ring_bytes);
			rc = append(r, data + at % h->ring_bytes, piece);
		}
		if (r->n > before)
			r->n = before + whole_blocks(r->bytes + before, r->n - before);
	}
	if (rc == 0 && !r->config[0])
		memcpy(r->config, h->config, sizeof(h->config));
	munmap(file, bytes);
	return rc;
}

static int read_file(struct perch_recording *r, const char *path)
{
	uint8_t *file;
	size_t bytes, at, total, whole;
	uint32_t type;
	int rc = map_file(path, (void **)&file, &bytes);

	if (rc < 0)
		return rc;
	whole = whole_blocks(file, bytes);
	if (whole < bytes)
		r->damage = (int64_t)whole;
	rc = append(r, file, whole);
	munmap(file, bytes);
	for (at = 0; rc == 0 && at < r->n && !r->config[0]; at += total) {
		total = block_bytes(r->bytes + at);
		memcpy(&type, r->bytes + at, sizeof(type));
		if (type == CONFIG_BLOCK && total - 12 < sizeof(r->config))
			memcpy(r->config, r->bytes + at + 8, total - 12);
	}
	r->head = at;
	r->ring = SIZE_MAX;
	return rc;
}

bool perch_recording_is(const char *path)
{
	uint8_t *buf = malloc(LOOK_BYTES);
	uint32_t type;
	size_t at, n;
	FILE *f = buf ? fopen(path, "rbe") : NULL;
	bool is = false;

	n = f ? fread(buf, 1, LOOK_BYTES, f) : 0;
	if (f)
		fclose(f);
	if (n >= sizeof(magic) && memcmp(buf, magic, sizeof(magic) - 1) == 0)
		is = true; /* of whichever version */
	for (at = 0; n - at >= 12 && !is && block_bytes(buf + at) >= 12;) {
		memcpy(&type, buf + at, sizeof(type));
		is = type == CONFIG_BLOCK;
		if ((at == 0 && type != SECTION) || block_bytes(buf + at) > n - at)
			break;
		at += block_bytes(buf + at);
	}
	free(buf);
	return is;
}

/* ---- reading: what left --------------------------------------------------------------------- */

static bool is_of_no_turn(const struct perch_recorded_event *e)
{
	return e->kind == PERCH_RECORDED_LEFT || e->kind == PERCH_RECORDED_SHARED;
}

static int keep_left(struct perch_recorded_lefts *l, const struct perch_recorded_event *e)
{
	size_t room = l->room ? 2 * l->room : 256;
	struct perch_recorded_left *bigger;

	if (l->n == l->room) {
		bigger = realloc(l->at, room * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		l->at = bigger;
		l->room = room;
	}
	l->at[l->n++] = (struct perch_recorded_left){
		.order = e->order, .lcore = e->from, .n = e->n};
	return 0;
}

static int by_order(const void *a, const void *b)
{
	const struct perch_recorded_left *x = a, *y = b;

	return (x->order > y->order) - (x->order < y->order);
}

static int find_left(struct perch_recording *r)
{
	struct perch_recorded_event e;
	uint32_t type;
	size_t at;
	int rc = 0;

	for (at = 0; r->n - at >= 12 && rc == 0; at += block_bytes(r->bytes + at)) {
		memcpy(&type, r->bytes + at, sizeof(type));
		if (type != EVENT_TYPE || block_bytes(r->bytes + at) != EVENT_BLOCK)
			continue;
		memcpy(&e, r->bytes + at + 8, sizeof(e));
		if (is_of_no_turn(&e) && e.from < PERCH_RECORDED_LCORES)
			rc = keep_left(e.kind == PERCH_RECORDED_LEFT ? &r->left : &r->shared, &e);
	}
	if (r->left.n > 0)
		qsort(r->left.at, r->left.n, sizeof(*r->left.at), by_order);
	if (r->shared.n > 0)
		qsort(r->shared.at, r->shared.n, sizeof(*r->shared.at), by_order);
	return rc;
}

const struct perch_recorded_lefts *perch_recording_left(const struct perch_recording *r)
{
	return &r->left;
}

const struct perch_recorded_lefts *perch_recording_shared(const struct perch_recording *r)
{
	return &r->shared;
}

/* ---- reading: open and close ---------------------------------------------------------------- */

int perch_recording_open(
	struct perch_recording **out, const char *path, char *why, size_t why_bytes)
{
	struct perch_recording *r = calloc(1, sizeof(*r));
	size_t n = strlen(path);
	char *ring = NULL;
	int rc;

	if (!r || asprintf(&ring, "%s.ring", path) < 0) {
		free(r);
		return perch_glue_why(why, why_bytes, -ENOMEM, "out of memory");
	}
	r->damage = -1;
	if (n > 5 && strcmp(path + n - 5, ".ring") == 0) { /* a ring that kept only the last */
		rc = read_rings(r, path);
	} else {
		rc = read_file(r, path);
		if (rc == 0 && access(ring, F_OK) == 0) {
			rc = read_rings(r, ring);
		}
	}
	free(ring);
	if (rc == 0 && !r->config[0])
		rc = -EINVAL;
	if (rc == 0)
		rc = find_left(r);
	if (rc < 0) {
		perch_recording_close(r);
		return perch_glue_why(
			why, why_bytes, rc, "%s: no recording that can be read", path);
	}
	*out = r;
	return 0;
}

void perch_recording_close(struct perch_recording *r)
{
	if (r) {
		free(r->bytes);
		free(r->left.at);
		free(r->shared.at);
	}
	free(r);
}

int64_t perch_recording_damage(const struct perch_recording *r)
{
	return r->damage;
}

uint64_t perch_recording_lost(const struct perch_recording *r)
{
	return r->lost;
}

bool perch_recording_config(
	const struct perch_recording *r, const char *key, char *value, size_t size)
{
	const char *line;
	size_t n = strlen(key);

	for (line = r->config; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) == 0 && line[n] == '=') {
			snprintf(value, size, "%.*s", (int)strcspn(line + n + 1, "\n"),
				line + n + 1);
			return true;
		}
	}
	return false;
}

/* ---- reading: the turns --------------------------------------------------------------------- */

static const char hole[] = "has a hole (its ring was too small: see --record-mb)";

/* The lcore's next block at or after *at: an event (copied to e), or a packet (e->kind is
 * UINT32_MAX, and data, len are set). False at the end. */
static bool find_block(const struct perch_recording *r, unsigned lcore, size_t *at,
	struct perch_recorded_event *e, const uint8_t **data, uint32_t *len)
{
	const uint8_t *p;
	uint32_t type, of;

	for (; r->n - *at >= 12; *at += block_bytes(r->bytes + *at)) {
		p = r->bytes + *at;
		memcpy(&type, p, sizeof(type));
		if (type == EVENT_TYPE && block_bytes(p) == EVENT_BLOCK) {
			memcpy(e, p + 8, sizeof(*e));
			if (e->lcore == lcore && e->number > r->number[lcore])
				return true;
		} else if (type == ENHANCED_PACKET && block_bytes(p) > PERCH_PCAPNG_PACKET_EXTRA) {
			memcpy(&of, p + 8, sizeof(of));
			memcpy(len, p + 20, sizeof(*len));
			*data = p + 28;
			e->kind = UINT32_MAX;
			if (of == lcore && *len <= block_bytes(p) - PERCH_PCAPNG_PACKET_EXTRA)
				return true;
		}
	}
	return false;
}

static void step_over(struct perch_recording *r, unsigned lcore)
{
	r->at[lcore] += block_bytes(r->bytes + r->at[lcore]);
}

/* The next event; packets before it are of a turn that is not here. What is looked over once is
 * not looked at again. */
static bool peek_event(
	struct perch_recording *r, unsigned lcore, struct perch_recorded_event *e)
{
	const uint8_t *data;
	uint32_t len;

	while (find_block(r, lcore, &r->at[lcore], e, &data, &len)) {
		if (e->kind != UINT32_MAX)
			return true;
		step_over(r, lcore);
	}
	return false;
}

int64_t perch_recording_peek(struct perch_recording *r, unsigned lcore)
{
	struct perch_recorded_event e;

	return peek_event(r, lcore, &e) ? e.now_ns : INT64_MAX;
}

bool perch_recording_has_start(struct perch_recording *r, unsigned lcore)
{
	struct perch_recorded_event e;

	return r->number[lcore] > 0 || !peek_event(r, lcore, &e) || e.number == 1;
}

/* The packets of a turn follow it. False: some of them are not there, although more is. */
static bool take_packets(
	struct perch_recording *r, unsigned lcore, uint32_t wanted, struct perch_recorded_turn *out)
{
	struct perch_recorded_event e;
	const uint8_t *data = NULL;
	uint32_t len = 0;

	if (wanted > PERCH_RECORDED_BURST)
		return false;
	while (out->n < wanted) {
		if (!find_block(r, lcore, &r->at[lcore], &e, &data, &len))
			return true; /* the end, in the middle of a turn */
		if (e.kind != UINT32_MAX)
			return false;
		out->data[out->n] = data;
		out->len[out->n++] = len;
		step_over(r, lcore);
	}
	return true;
}

/* Adds an event to the turn. False: it cannot be. */
static bool take_event(struct perch_recording *r, unsigned lcore,
	const struct perch_recorded_event *e, struct perch_recorded_turn *out)
{
	step_over(r, lcore);
	r->number[lcore] = e->number;
	r->now_ns[lcore] = e->now_ns;
	if (is_of_no_turn(e))
		return true; /* see find_left */
	out->now_ns = e->now_ns;
	out->flags |= e->flags;
	if (e->kind != PERCH_RECORDED_TX) /* which comes when others have seen what it did */
		out->order = e->order;
	switch (e->kind) {
	case PERCH_RECORDED_MAIL:
		if (out->n_mail == PERCH_RECORDED_MAILS)
			return false;
		out->mail[out->n_mail++] = e->mail;
		return true;
	case PERCH_RECORDED_GROUPS: out->groups = e->order; return true;
	case PERCH_RECORDED_TX: out->taken = e->n; return true;
	case PERCH_RECORDED_TURN:
		out->learn = e->learn;
		out->sums = e->sums;
		return take_packets(r, lcore, e->n, out);
	default: return false;
	}
}

/* What the event cannot be, coming next; or NULL. */
static const char *is_wrong(
	const struct perch_recording *r, unsigned lcore, const struct perch_recorded_event *e)
{
	if (e->kind == PERCH_RECORDED_LOST)
		return hole;
	if (r->number[lcore] > 0 && e->number != r->number[lcore] + 1)
		return "lacks what was before it";
	if (e->now_ns < r->now_ns[lcore] || e->now_ns > LATEST_NS)
		return "has a time that cannot be";
	return NULL;
}

static int say_wrong(const struct perch_recording *r, size_t at, const char *what, char *why,
	size_t why_bytes)
{
	return perch_glue_why(why, why_bytes, -EBADMSG, "the recording %s at offset %zu%s", what,
		at < r->ring ? at : at - r->ring, at < r->ring ? "" : " of its ring");
}

/* Mail and a full port belong to a turn; mail that came by itself makes one. */
int perch_recording_next(struct perch_recording *r, unsigned lcore,
	struct perch_recorded_turn *out, char *why, size_t why_bytes)
{
	struct perch_recorded_event e;
	const char *wrong = NULL;
	bool begun = false;
	uint64_t turn = 0;
	size_t at;

	*out = (struct perch_recorded_turn){.taken = UINT32_MAX, .now_ns = r->now_ns[lcore]};
	while (peek_event(r, lcore, &e)) {
		if (begun && e.turn != turn)
			break;
		at = r->at[lcore];
		wrong = is_wrong(r, lcore, &e);
		if (wrong) {
			out->order = e.order;
			return say_wrong(r, at, wrong, why, why_bytes);
		}
		if (!take_event(r, lcore, &e, out)) {
			wrong = peek_event(r, lcore, &e) && e.kind == PERCH_RECORDED_LOST
				? hole : "is damaged";
			return say_wrong(r, at, wrong, why, why_bytes);
		}
		begun |= !is_of_no_turn(&e);
		turn = e.turn;
	}
	return begun;
}
