/* SPDX-License-Identifier: BSD-3-Clause
 * The sequence store: what it keeps over a close, a kill -9 and a torn write.
 */
#include "apps/trade/seqstore.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/suite.h"

static char path[64];

/* The store's own calls come here. */
static _Atomic unsigned synced;
static _Atomic int sync_error;

int fdatasync(int fd)
{
	(void)fd;
	synced++;
	errno = sync_error;
	return sync_error ? -1 : 0;
}

static void new_path(void)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/perch-store-XXXXXX");
	fd = mkstemp(path);
	if (fd >= 0)
		close(fd);
}

static struct seqstore_numbers numbers(uint64_t n)
{
	return (struct seqstore_numbers){.session = "20261125A",
		.next_in = n,
		.ref_ceiling = 10 * n,
		.fix_next_in = n + 1,
		.fix_ceiling = n + 2};
}

static void over_a_close(void)
{
	struct seqstore_numbers got, put = numbers(42);
	struct seqstore *s;

	new_path();
	CU_ASSERT_EQUAL_FATAL(seqstore_open(&s, path, &got), 0);
	CU_ASSERT_EQUAL(got.next_in, 0);
	CU_ASSERT_EQUAL(seqstore_ceiling(s), 0);
	seqstore_post(s, &put);
	CU_ASSERT_EQUAL(seqstore_close(s), 0);
	CU_ASSERT_EQUAL_FATAL(seqstore_open(&s, path, &got), 0);
	CU_ASSERT_EQUAL(memcmp(&got, &put, sizeof(got)), 0);
	CU_ASSERT_EQUAL(seqstore_ceiling(s), 420);
	CU_ASSERT_EQUAL(seqstore_close(s), 0);
	unlink(path);
}

static void one_owner(void)
{
	struct seqstore_numbers got;
	struct seqstore *s, *t;

	new_path();
	CU_ASSERT_EQUAL_FATAL(seqstore_open(&s, path, &got), 0);
	CU_ASSERT_EQUAL(seqstore_open(&t, path, &got), -EBUSY);
	CU_ASSERT_PTR_NULL(t);
	seqstore_close(s);
	CU_ASSERT_EQUAL(seqstore_open(&s, "/no/such/folder/store", &got), -ENOENT);
	unlink(path);
}

/* The child posts as fast as it can and says which ceiling it had for certain; then it is killed.
 */
static void child(int out)
{
	struct seqstore_numbers got, put;
	struct seqstore *s;
	uint64_t n, certain;

	if (seqstore_open(&s, path, &got) < 0)
		_exit(1);
	for (n = got.next_in + 1;; n++) {
		put = numbers(n);
		seqstore_post(s, &put);
		certain = seqstore_ceiling(s);
		if (n % 1000 == 0 && write(out, &certain, sizeof(certain)) < 0)
			_exit(1);
	}
}

static void over_kill_9(void)
{
	const struct timespec some = {.tv_nsec = 20000000};
	uint64_t certain = 0, before = 0;
	struct seqstore_numbers got;
	struct seqstore *s;
	int i, fds[2];
	pid_t pid;

	new_path();
	for (i = 0; i < 10; i++) {
		CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
		pid = fork();
		if (pid == 0)
			child(fds[1]);
		close(fds[1]);
		nanosleep(&some, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (read(fds[0], &certain, sizeof(certain)) == (ssize_t)sizeof(certain))
			;
		close(fds[0]);
		CU_ASSERT_EQUAL_FATAL(seqstore_open(&s, path, &got), 0);
		CU_ASSERT(got.ref_ceiling >= certain);
		CU_ASSERT(got.next_in >= before);
		CU_ASSERT(got.next_in == 0 || got.ref_ceiling == 10 * got.next_in);
		before = got.next_in;
		CU_ASSERT_EQUAL(seqstore_close(s), 0);
	}
	CU_ASSERT(before > 0);
	unlink(path);
}

/* The ceilings are what the file holds; each write goes to the other place. */
static void writes(void)
{
	const struct timespec some = {.tv_nsec = 1000000};
	struct seqstore_numbers got, put;
	struct seqstore *s;
	unsigned n, i;
	int fd;

	new_path();
	CU_ASSERT_EQUAL_FATAL(seqstore_open(&s, path, &got), 0);
	for (n = 1; n <= 3; n++) {
		put = numbers(n);
		seqstore_post(s, &put);
		for (i = 0; i < 4000 && seqstore_ceiling(s) != put.ref_ceiling; i++)
			nanosleep(&some, NULL);
		CU_ASSERT_EQUAL(seqstore_ceiling(s), put.ref_ceiling);
		CU_ASSERT_EQUAL(seqstore_fix_ceiling(s), put.fix_ceiling);
	}
	seqstore_close(s);
	fd = open(path, O_RDWR);
	CU_ASSERT_EQUAL(pwrite(fd, "torn", 4, 512 + 24), 4); /* the third */
	close(fd);
	CU_ASSERT_EQUAL_FATAL(seqstore_open(&s, path, &got), 0);
	CU_ASSERT_EQUAL(got.next_in, 2);
	CU_ASSERT_EQUAL(seqstore_ceiling(s), got.ref_ceiling);
	CU_ASSERT_EQUAL(seqstore_fix_ceiling(s), got.fix_ceiling);
	seqstore_close(s);
	unlink(path);
}

/* A write that was cut off leaves the copy before it. */
static void over_a_torn_write(void)
{
	struct seqstore_numbers got, put;
	struct seqstore *s;
	uint64_t n;
	int fd;

	new_path();
	for (n = 1; n <= 2; n++) {
		CU_ASSERT_EQUAL_FATAL(seqstore_open(&s, path, &got), 0);
		put = numbers(n);
		seqstore_post(s, &put);
		seqstore_close(s);
	}
	fd = open(path, O_RDWR);
	CU_ASSERT_EQUAL(pwrite(fd, "torn", 4, 24), 4); /* the second is in the first place */
	CU_ASSERT_EQUAL_FATAL(seqstore_open(&s, path, &got), 0);
	CU_ASSERT_EQUAL(got.next_in, 1);
	seqstore_close(s);
	CU_ASSERT_EQUAL(pwrite(fd, "torn", 4, 24), 4);
	CU_ASSERT_EQUAL(pwrite(fd, "torn", 4, 512 + 24), 4);
	CU_ASSERT_EQUAL(seqstore_open(&s, path, &got), -EBADMSG);
	close(fd);
	unlink(path);
}

/* A copy that has all its bytes: FNV-1a over them, as the store has it. */
static void write_copy(uint64_t magic, const struct seqstore_numbers *n)
{
	struct {
		uint64_t magic, turn;
		struct seqstore_numbers numbers;
		uint64_t sum;
	} c = {.magic = magic, .turn = 1, .numbers = *n, .sum = UINT64_C(0xcbf29ce484222325)};
	const uint8_t *at;
	int fd = open(path, O_RDWR);

	for (at = (const uint8_t *)&c; at < (const uint8_t *)&c.sum; at++)
		c.sum = (c.sum ^ *at) * UINT64_C(0x100000001b3);
	CU_ASSERT_EQUAL(pwrite(fd, &c, sizeof(c), 0), (ssize_t)sizeof(c));
	close(fd);
}

/* A file of another kind, and a name that has no end. */
static void whose_file_it_is(void)
{
	struct seqstore_numbers got, put = numbers(5);
	struct seqstore *s;

	new_path();
	write_copy(UINT64_C(0x3165726f74737271), &put);
	CU_ASSERT_EQUAL(seqstore_open(&s, path, &got), -EBADMSG);
	memset(put.session, 'x', sizeof(put.session));
	write_copy(UINT64_C(0x3165726f74737270), &put);
	CU_ASSERT_EQUAL_FATAL(seqstore_open(&s, path, &got), 0);
	CU_ASSERT_EQUAL(got.next_in, 5);
	CU_ASSERT_EQUAL(strnlen(got.session, sizeof(got.session)), sizeof(got.session) - 1);
	CU_ASSERT_EQUAL(seqstore_close(s), 0);
	unlink(path);
}

/* A ceiling is not raised before the disk has it; that it could not be had is said at the end. */
static void a_disk_that_fails(void)
{
	struct seqstore_numbers got, put = numbers(5);
	struct seqstore *s;

	new_path();
	CU_ASSERT_EQUAL_FATAL(seqstore_open(&s, path, &got), 0);
	seqstore_post(s, &put);
	CU_ASSERT_EQUAL(seqstore_close(s), 0);
	CU_ASSERT_TRUE(synced > 0);
	CU_ASSERT_EQUAL_FATAL(seqstore_open(&s, path, &got), 0);
	sync_error = EIO;
	put = numbers(6);
	seqstore_post(s, &put);
	for (synced = 0; synced == 0;)
		usleep(1000);
	CU_ASSERT_EQUAL(seqstore_ceiling(s), 50);
	CU_ASSERT_EQUAL(seqstore_close(s), -EIO);
	sync_error = 0;
	unlink(path);
}

/* Does the thread of that status file block signals? */
static bool blocks(const char *status)
{
	unsigned long long mask = 0;
	FILE *f = fopen(status, "r");
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "SigBlk: %llx", &mask) == 1)
			break;
	if (f)
		fclose(f);
	return mask >> (SIGINT - 1) & mask >> (SIGUSR1 - 1) & 1;
}

/* Signals are the app's: the store's thread takes none. */
static void signals(void)
{
	struct seqstore_numbers got;
	unsigned blocked = 0;
	struct seqstore *s;
	glob_t threads;
	size_t i;

	new_path();
	CU_ASSERT_EQUAL_FATAL(seqstore_open(&s, path, &got), 0);
	CU_ASSERT_EQUAL_FATAL(glob("/proc/self/task/*/status", 0, NULL, &threads), 0);
	for (i = 0; i < threads.gl_pathc; i++)
		blocked += blocks(threads.gl_pathv[i]);
	CU_ASSERT_EQUAL(threads.gl_pathc, 2);
	CU_ASSERT_EQUAL(blocked, 1);
	globfree(&threads);
	seqstore_close(s);
	unlink(path);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"over a close", over_a_close},
		{"one owner", one_owner},
		{"over kill -9", over_kill_9},
		{"over a torn write", over_a_torn_write},
		{"writes", writes},
		{"whose file it is", whose_file_it_is},
		{"a disk that fails", a_disk_that_fails},
		{"signals", signals},
		{NULL, NULL},
	};

	return suite_main("sequence store", cases, argc, argv);
}
