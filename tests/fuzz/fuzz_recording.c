/* SPDX-License-Identifier: BSD-3-Clause
 * Captures and recordings of any bytes: reading them ends, every byte of every frame is there,
 * times can be reckoned with, and what is wrong is told in one sentence, with the offset.
 *
 * The first byte says what the rest is: a capture, read under that policy; a recording; the ring of
 * one; or a recording, and from the offset in the next two bytes (in words) on its ring.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers-glue/capture.h"
#include "drivers-glue/recording.h"
#include "tests/fuzz/target.h"

static char folder[] = "/tmp/perch-fuzz-XXXXXX", file[64], ring[64];
static volatile uint8_t sink;

static void clean_up(void)
{
	unlink(file);
	unlink(ring);
	rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	promise(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/day", folder);
	snprintf(ring, sizeof(ring), "%s/day.ring", folder);
	atexit(clean_up);
	return 0;
}

static void put_file(const char *path, const uint8_t *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	promise(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	close(fd);
}

static void touch(const uint8_t *data, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		sink ^= data[i];
}

static void one_sentence(const char *why, bool with_offset)
{
	promise(why[0] && !strchr(why, '\n'));
	promise(!with_offset || strstr(why, "offset"));
}

static void read_capture(uint8_t policy, size_t len)
{
	const struct perch_capture_config cfg = {.path = file,
		.filter = policy & 1 ? "udp or ip6" : NULL,
		.backwards = policy / 2 % 3, .snapped = policy / 8 % 3,
		.truncated = policy / 32 % 2};
	struct perch_capture *c;
	int64_t last_ns = 0;
	struct perch_frame f;
	char why[256] = "";
	size_t n = 0;
	int rc;

	if (perch_capture_open(&c, &cfg, why, sizeof(why)) < 0) {
		one_sentence(why, false);
		return;
	}
	while ((rc = perch_capture_next(c, &f)) == 1) {
		promise(f.len <= 65535 && f.time_ns >= last_ns && f.time_ns <= INT64_MAX / 2);
		promise(n++ <= len / 16); /* the head of a packet in a classic capture */
		last_ns = f.time_ns;
		touch(f.data, f.len);
	}
	promise(rc == 0 || rc == -EBADMSG);
	if (rc < 0)
		one_sentence(perch_capture_error(c), true);
	perch_capture_close(c);
}

/* All turns of an lcore. */
static void read_lcore(struct perch_recording *r, unsigned lcore, size_t len)
{
	struct perch_recorded_turn turn;
	int64_t last_ns = 0;
	char why[256] = "";
	size_t n = 0;
	uint32_t i;
	int rc;

	perch_recording_has_start(r, lcore);
	perch_recording_peek(r, lcore);
	while ((rc = perch_recording_next(r, lcore, &turn, why, sizeof(why))) == 1) {
		promise(turn.n <= PERCH_RECORDED_BURST && turn.now_ns >= last_ns);
		promise(turn.now_ns <= INT64_MAX / 2 && n++ <= len / 12);
		promise(turn.n_mail <= PERCH_RECORDED_MAILS);
		last_ns = turn.now_ns;
		for (i = 0; i < turn.n; i++)
			touch(turn.data[i], turn.len[i]);
	}
	promise(rc == 0 || rc == -EBADMSG);
	if (rc < 0)
		one_sentence(why, true);
}

static void in_order(const struct perch_recorded_lefts *l, size_t len)
{
	size_t i;

	promise(l->n <= len / 12);
	for (i = 0; i < l->n; i++)
		promise(l->at[i].lcore < PERCH_RECORDED_LCORES &&
			(i == 0 || l->at[i].order >= l->at[i - 1].order));
}

static void read_recording(const char *path, size_t len)
{
	struct perch_recording *r;
	char why[256] = "", value[64];
	unsigned lcore;

	perch_recording_is(path);
	if (perch_recording_open(&r, path, why, sizeof(why)) < 0) {
		one_sentence(why, false);
		return;
	}
	perch_recording_config(r, "mac", value, sizeof(value));
	promise(perch_recording_damage(r) <= (int64_t)len);
	for (lcore = 0; lcore < PERCH_RECORDED_LCORES; lcore++)
		read_lcore(r, lcore, len);
	in_order(perch_recording_left(r), len);
	in_order(perch_recording_shared(r), len);
	perch_recording_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = {data, data + len};
	uint8_t kind = fuzz_take8(&in);
	size_t cut = kind & 0x80 && kind & 0x40 ? 4u * fuzz_take16(&in) : 0;
	size_t left = (size_t)(in.end - in.at);

	if (!(kind & 0x80)) {
		put_file(file, in.at, left);
		read_capture(kind, left);
	} else if (!(kind & 0x40)) {
		put_file(kind & 0x20 ? ring : file, in.at, left);
		read_recording(kind & 0x20 ? ring : file, left);
	} else {
		cut = cut < left ? cut : left;
		put_file(file, in.at, cut);
		put_file(ring, in.at + cut, left - cut);
		read_recording(file, left);
	}
	unlink(ring);
	return 0;
}
