/* SPDX-License-Identifier: BSD-3-Clause
 * Two copies in one file, written in turn, each with a number of its own and a check sum: a write
 * that is cut off leaves the other.
 *
 * The posted numbers pass from the loop to the thread by a sequence lock: the writer never waits.
 */
#include "apps/trade/seqstore.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum {
	COPY_BYTES = 512,
	WORDS = sizeof(struct seqstore_numbers) / sizeof(uint64_t),
	EVERY_NS = 2000000
};

#define MAGIC UINT64_C(0x3165726f74737270) /* "prstore1" */

struct copy {
	uint64_t magic, turn;
	struct seqstore_numbers numbers;
	uint64_t sum; /* of all before it */
};
_Static_assert(sizeof(struct copy) <= COPY_BYTES, "each copy has a sector of its own");
_Static_assert(sizeof(struct seqstore_numbers) % sizeof(uint64_t) == 0, "posted as whole words");

struct seqstore {
	int fd;
	pthread_t thread;
	_Atomic bool stop;
	_Atomic uint64_t version; /* odd while the words change */
	_Atomic uint64_t words[WORDS];
	_Atomic uint64_t ceiling, fix_ceiling;
	uint64_t turn, written; /* the thread's: copies so far; the version in the file */
	int error;
};

/* FNV-1a: it guards against torn writes, not against malice. */
static uint64_t sum_of(const struct copy *c)
{
	const uint8_t *at = (const uint8_t *)c, *end = (const uint8_t *)&c->sum;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	while (at < end)
		h = (h ^ *at++) * UINT64_C(0x100000001b3);
	return h;
}

/* ---- the file ------------------------------------------------------------------------------- */

static int restore(struct seqstore *s, struct seqstore_numbers *out)
{
	bool found = false;
	struct copy c;
	ssize_t n = 0;
	unsigned i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < 2; i++) {
		n = pread(s->fd, &c, sizeof(c), (off_t)i * COPY_BYTES);
		if (n < 0)
			return -errno;
		if (n == 0 && i == 0)
			return 0; /* new */
		if (n != (ssize_t)sizeof(c) || c.magic != MAGIC || c.sum != sum_of(&c) ||
			(found && c.turn < s->turn))
			continue;
		found = true;
		s->turn = c.turn;
		*out = c.numbers;
		out->session[sizeof(out->session) - 1] = '\0';
	}
	return found ? 0 : -EBADMSG;
}

static int write_copy(struct seqstore *s, const struct seqstore_numbers *numbers)
{
	struct copy c = {.magic = MAGIC, .turn = s->turn + 1, .numbers = *numbers};
	ssize_t n;

	c.sum = sum_of(&c);
	n = pwrite(s->fd, &c, sizeof(c), (off_t)(c.turn % 2) * COPY_BYTES);
	if (n != (ssize_t)sizeof(c))
		return n < 0 ? -errno : -EIO;
	if (fdatasync(s->fd) < 0)
		return -errno;
	s->turn = c.turn;
	atomic_store(&s->ceiling, numbers->ref_ceiling);
	atomic_store(&s->fix_ceiling, numbers->fix_ceiling);
	return 0;
}

/* ---- from the loop to the thread ------------------------------------------------------------ */

void seqstore_post(struct seqstore *s, const struct seqstore_numbers *now)
{
	uint64_t v = atomic_load_explicit(&s->version, memory_order_relaxed), w;
	unsigned i;

	atomic_store_explicit(&s->version, v + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (i = 0; i < WORDS; i++) {
		memcpy(&w, (const char *)now + i * sizeof(w), sizeof(w));
		atomic_store_explicit(&s->words[i], w, memory_order_relaxed);
	}
	atomic_store_explicit(&s->version, v + 2, memory_order_release);
}

/* Returns the version that was read. */
static uint64_t read_posted(struct seqstore *s, struct seqstore_numbers *out)
{
	uint64_t before, w;
	unsigned i;

	for (;;) {
		before = atomic_load_explicit(&s->version, memory_order_acquire);
		for (i = 0; i < WORDS; i++) {
			w = atomic_load_explicit(&s->words[i], memory_order_relaxed);
			memcpy((char *)out + i * sizeof(w), &w, sizeof(w));
		}
		atomic_thread_fence(memory_order_acquire);
		if (before % 2 == 0 &&
			before == atomic_load_explicit(&s->version, memory_order_relaxed))
			return before;
	}
}

static void write_newest(struct seqstore *s)
{
	struct seqstore_numbers numbers;
	uint64_t version;
	int rc;

	if (atomic_load(&s->version) == s->written)
		return;
	version = read_posted(s, &numbers);
	rc = write_copy(s, &numbers);
	if (rc == 0)
		s->written = version;
	else if (s->error == 0)
		s->error = rc;
}

static void *write_on(void *arg)
{
	const struct timespec pause = {.tv_nsec = EVERY_NS};
	struct seqstore *s = arg;

	while (!atomic_load(&s->stop)) {
		write_newest(s);
		nanosleep(&pause, NULL);
	}
	write_newest(s);
	return NULL;
}

uint64_t seqstore_ceiling(const struct seqstore *s)
{
	return atomic_load_explicit(&s->ceiling, memory_order_relaxed);
}

uint64_t seqstore_fix_ceiling(const struct seqstore *s)
{
	return atomic_load_explicit(&s->fix_ceiling, memory_order_relaxed);
}

/* ---- open and close ------------------------------------------------------------------------- */

/* The thread blocks all signals: they are the app's. */
static int start_thread(struct seqstore *s)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rc = pthread_create(&s->thread, NULL, write_on, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}

int seqstore_open(struct seqstore **out, const char *path, struct seqstore_numbers *restored)
{
	struct seqstore *s = calloc(1, sizeof(*s));
	int rc;

	*out = NULL;
	if (!s)
		return -ENOMEM;
	s->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->fd < 0) {
		rc = -errno;
		goto no_file;
	}
	rc = flock(s->fd, LOCK_EX | LOCK_NB) < 0 ? (errno == EWOULDBLOCK ? -EBUSY : -errno) : 0;
	if (rc == 0)
		rc = restore(s, restored);
	if (rc < 0)
		goto unusable;
	atomic_store(&s->ceiling, restored->ref_ceiling);
	atomic_store(&s->fix_ceiling, restored->fix_ceiling);
	seqstore_post(s, restored);
	s->written = atomic_load(&s->version);
	rc = start_thread(s);
	if (rc < 0)
		goto unusable;
	*out = s;
	return 0;
unusable:
	close(s->fd);
no_file:
	free(s);
	return rc;
}

int seqstore_close(struct seqstore *s)
{
	int rc;

	if (!s)
		return 0;
	atomic_store(&s->stop, true);
	pthread_join(s->thread, NULL);
	rc = s->error;
	close(s->fd);
	free(s);
	return rc;
}
