/* SPDX-License-Identifier: BSD-3-Clause
 * How two captures differ. Where a packet is missing on one side, the two are brought in step
 * again, so that one lost packet is one difference.
 */
#include "tools/compare.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pcap/pcap.h>

#include "tools/decode.h"

enum { LOOK_AHEAD = 64 }; /* packets that may be missing in a row */

struct packet {
	int64_t time_ns;
	uint32_t len;
	uint64_t at; /* offset in the bytes of its file */
};

struct capture {
	const char *path;
	struct packet *packets;
	uint8_t *bytes;
	uint64_t n, room, n_bytes, room_bytes;
};

/* ---- reading -------------------------------------------------------------------------------- */

static bool grow(void **p, uint64_t *room, uint64_t wanted, size_t size)
{
	uint64_t bigger = *room ? *room : 1024;
	void *q;

	if (wanted <= *room)
		return true;
	while (bigger < wanted)
		bigger *= 2;
	q = realloc(*p, bigger * size);
	if (!q)
		return false;
	*p = q;
	*room = bigger;
	return true;
}

static bool keep(struct capture *c, const struct pcap_pkthdr *h, const u_char *data)
{
	if (!grow((void **)&c->packets, &c->room, c->n + 1, sizeof(*c->packets)) ||
		!grow((void **)&c->bytes, &c->room_bytes, c->n_bytes + h->caplen, 1))
		return false;
	c->packets[c->n++] = (struct packet){
		(int64_t)h->ts.tv_sec * 1000000000 + h->ts.tv_usec, h->caplen, c->n_bytes};
	memcpy(c->bytes + c->n_bytes, data, h->caplen);
	c->n_bytes += h->caplen;
	return true;
}

static bool load(const char *who, struct capture *c, const char *path)
{
	char error[PCAP_ERRBUF_SIZE] = "";
	pcap_t *p = pcap_open_offline_with_tstamp_precision(
		path, PCAP_TSTAMP_PRECISION_NANO, error);
	struct pcap_pkthdr *h;
	const u_char *data;
	int rc;

	c->path = path;
	if (!p) {
		fprintf(stderr, "%s: %s\n", who, error);
		return false;
	}
	while ((rc = pcap_next_ex(p, &h, &data)) == 1)
		if (!keep(c, h, data)) {
			fprintf(stderr, "%s: %s: out of memory\n", who, path);
			pcap_close(p);
			return false;
		}
	if (rc != PCAP_ERROR_BREAK)
		fprintf(stderr, "%s: %s: after packet %" PRIu64 ": %s\n", who, path, c->n,
			pcap_geterr(p));
	pcap_close(p);
	return rc == PCAP_ERROR_BREAK;
}

static void unload(struct capture *c)
{
	free(c->packets);
	free(c->bytes);
}

/* ---- equal? --------------------------------------------------------------------------------- */

static bool is_ignored(const struct compare_options *o, const char *name)
{
	unsigned i;
	size_t n;

	for (i = 0; i < o->n_ignored; i++) {
		n = strlen(o->ignored[i]);
		if (strncmp(name, o->ignored[i], n) == 0 && (name[n] == '\0' || name[n] == '.'))
			return true;
	}
	return false;
}

static bool same_field(const struct decode_field *a, const struct decode_field *b)
{
	return strcmp(a->text, b->text) == 0 && a->len == b->len &&
		(a->len == 0 || memcmp(a->bytes, b->bytes, a->len) == 0);
}

/* Fields of a that b lacks, or has otherwise; with `print`, they are described. */
static unsigned different_fields(const struct decoded *a, const struct decoded *b,
	const struct compare_options *o, bool print)
{
	const struct decode_field *f, *g;
	unsigned n = 0;

	for (f = a->fields; f < a->fields + a->n; f++) {
		g = decode_find(b, f->name);
		if (is_ignored(o, f->name) || (g && same_field(f, g)))
			continue;
		n++;
		if (print)
			printf("  %-16s %s\n  %-16s %s\n", f->name, f->text, "", g ? g->text : "-");
	}
	for (f = b->fields; f < b->fields + b->n; f++)
		if (!is_ignored(o, f->name) && !decode_find(a, f->name)) {
			n++;
			if (print)
				printf("  %-16s %s\n  %-16s %s\n", f->name, "-", "", f->text);
		}
	return n;
}

static bool same_time(
	const struct packet *a, const struct packet *b, const struct compare_options *o)
{
	int64_t apart = a->time_ns - b->time_ns;

	return o->any_time || (apart < 0 ? -apart : apart) <= o->time_ns;
}

static bool same_bytes(const struct capture *a, uint64_t i, const struct capture *b, uint64_t k,
	const struct compare_options *o)
{
	const struct packet *p = &a->packets[i], *q = &b->packets[k];
	struct decoded da, db;

	if (p->len == q->len && memcmp(a->bytes + p->at, b->bytes + q->at, p->len) == 0)
		return true;
	if (o->n_ignored == 0)
		return false;
	decode_packet(&da, a->bytes + p->at, p->len);
	decode_packet(&db, b->bytes + q->at, q->len);
	return different_fields(&da, &db, o, false) == 0;
}

static bool same(const struct capture *a, uint64_t i, const struct capture *b, uint64_t k,
	const struct compare_options *o)
{
	return same_time(&a->packets[i], &b->packets[k], o) && same_bytes(a, i, b, k, o);
}

/* ---- told ----------------------------------------------------------------------------------- */

static void print_time(const char *label, int64_t ns)
{
	printf("  %-16s %" PRId64 ".%09" PRId64 "\n", label, ns / 1000000000, ns % 1000000000);
}

static void tell_missing(const struct capture *in, uint64_t i, const struct capture *not_in)
{
	const struct packet *p = &in->packets[i];
	struct decoded d;
	char line[256];

	decode_packet(&d, in->bytes + p->at, p->len);
	decode_line(&d, line, sizeof(line));
	printf("only in %s (not in %s): packet %" PRIu64 ": %s\n", in->path, not_in->path, i + 1,
		line);
	print_time("time", p->time_ns);
}

static void tell_changed(const struct capture *a, uint64_t i, const struct capture *b, uint64_t k,
	const struct compare_options *o)
{
	const struct packet *p = &a->packets[i], *q = &b->packets[k];
	struct decoded da, db;
	char line[256];

	decode_packet(&da, a->bytes + p->at, p->len);
	decode_packet(&db, b->bytes + q->at, q->len);
	decode_line(&da, line, sizeof(line));
	printf("%s: packet %" PRIu64 ": %s\n", a->path, i + 1, line);
	decode_line(&db, line, sizeof(line));
	printf("%s: packet %" PRIu64 ": %s\n", b->path, k + 1, line);
	if (!same_time(p, q, o)) {
		print_time("time", p->time_ns);
		print_time("", q->time_ns);
	}
	different_fields(&da, &db, o, true);
}

/* ---- in step -------------------------------------------------------------------------------- */

struct walk {
	const struct capture *a, *b;
	uint64_t i, k;
	uint64_t equal, changed, only_a, only_b;
	const struct compare_options *o;
};

/* How many packets of x, from i on, come before one that is y's k'th; 0: none soon. */
static uint64_t distance(const struct capture *x, uint64_t i, const struct capture *y, uint64_t k,
	const struct compare_options *o)
{
	uint64_t d;

	for (d = 1; d <= LOOK_AHEAD && i + d < x->n; d++)
		if (same(x, i + d, y, k, o))
			return d;
	return 0;
}

static bool may_tell(const struct walk *w)
{
	return w->changed + w->only_a + w->only_b < w->o->show;
}

static void one_step(struct walk *w)
{
	bool has_a = w->i < w->a->n, has_b = w->k < w->b->n;
	uint64_t da, db;

	if (has_a && has_b && same(w->a, w->i, w->b, w->k, w->o)) {
		w->equal++;
		w->i++;
		w->k++;
		return;
	}
	da = has_a && has_b ? distance(w->a, w->i, w->b, w->k, w->o) : 0;
	db = has_a && has_b ? distance(w->b, w->k, w->a, w->i, w->o) : 0;
	if (!has_b || (da && (!db || da <= db))) {
		if (may_tell(w))
			tell_missing(w->a, w->i, w->b);
		w->only_a++;
		w->i++;
	} else if (!has_a || db) {
		if (may_tell(w))
			tell_missing(w->b, w->k, w->a);
		w->only_b++;
		w->k++;
	} else {
		if (may_tell(w))
			tell_changed(w->a, w->i, w->b, w->k, w->o);
		w->changed++;
		w->i++;
		w->k++;
	}
}

int compare_files(
	const char *who, const char *a, const char *b, const struct compare_options *options)
{
	struct capture ca = {0}, cb = {0};
	struct walk w = {.a = &ca, .b = &cb, .o = options};
	int rc = 2;

	if (load(who, &ca, a) && load(who, &cb, b)) {
		while (w.i < ca.n || w.k < cb.n)
			one_step(&w);
		rc = w.changed || w.only_a || w.only_b;
		if (rc)
			printf("%s: they differ: %" PRIu64 " packets equal, %" PRIu64 " changed, %"
				PRIu64 " only in %s, %" PRIu64 " only in %s\n", who, w.equal,
				w.changed, w.only_a, a, w.only_b, b);
		else
			printf("%s: %" PRIu64 " packets equal\n", who, w.equal);
	}
	unload(&ca);
	unload(&cb);
	return rc;
}

/* ---- digest --------------------------------------------------------------------------------- */

extern char **environ;

/* coreutils does that better than code of ours would. */
const char *digest_file(const char *who, const char *path, char buf[65])
{
	char *const argv[] = {(char[]){"sha256sum"}, NULL};
	posix_spawn_file_actions_t io;
	int fds[2], status = -1, rc;
	ssize_t n = 0;
	pid_t pid;

	if (pipe(fds) < 0)
		return NULL;
	posix_spawn_file_actions_init(&io);
	posix_spawn_file_actions_addopen(&io, STDIN_FILENO, path, O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&io, fds[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&io, fds[0]);
	rc = posix_spawnp(&pid, argv[0], &io, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&io);
	close(fds[1]);
	if (rc == 0) {
		while (n < 64 && (rc = (int)read(fds[0], buf + n, (size_t)(64 - n))) > 0)
			n += rc;
		waitpid(pid, &status, 0);
	}
	close(fds[0]);
	buf[64] = '\0';
	if (n == 64 && status == 0)
		return buf;
	fprintf(stderr, "%s: sha256sum cannot read %s\n", who, path);
	return NULL;
}
