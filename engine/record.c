/* SPDX-License-Identifier: BSD-3-Clause
 * What is recorded of a turn, and the thread that writes it to a file.
 */
#include "engine/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drivers-glue/recording.h"
#include "engine/config.h"
#include "engine/lcore.h"
#include "engine/letter.h"
#include "engine/terms.h"

enum {
	RING_MB_DEFAULT = 64,
	PAUSE_NS = 1000000, /* between two looks at the rings */
	HEAD_ROOM = 20480,
};

struct perch_recorder {
	struct perch_tape *tape;
	char *path;
	bool last_only;   /* no file grows: the ring is it */
	int fd;
	_Atomic int error; /* an errno value; the file is as it was then */
	unsigned n_lcores;
	int64_t epoch_ns; /* added to the engine's time, for readers of the packets */
	pthread_t thread;
	bool has_thread;
	_Atomic bool stop;
	_Atomic uint64_t order; /* of the last event of any lcore */
	struct {
		uint64_t number, lost_told;
	} lcores[PERCH_RECORDED_LCORES];
};

/* ---- in a turn ------------------------------------------------------------------------------ */

/* A turn draws its order when it has seen what others did, and before others can see what it does:
 * the highest of its events but TX says it. A replay plays turns in that order, one after another,
 * whatever overlapped. */
static bool put(struct perch_recorder *r, struct perch_lcore *l, struct perch_recorded_event e)
{
	e.lcore = l->id;
	e.flags = (l->stop_now ? PERCH_RECORDED_STOP : 0) |
		(l->muted_now ? PERCH_RECORDED_MUTE : 0) |
		(l->timers_wait ? PERCH_RECORDED_WAIT : 0);
	e.number = r->lcores[l->id].number + 1;
	e.order = 1 + atomic_fetch_add_explicit(&r->order, 1, memory_order_relaxed);
	e.turn = l->turns;
	e.now_ns = l->now_ns;
	if (!perch_tape_event(r->tape, &e))
		return false;
	r->lcores[l->id].number++;
	return true;
}

/* Before anything else after a loss: there is a hole here. */
static bool tell_lost(struct perch_recorder *r, struct perch_lcore *l)
{
	uint64_t lost = perch_tape_lost(r->tape, l->id);

	if (likely(lost == r->lcores[l->id].lost_told))
		return true;
	if (!put(r, l, (struct perch_recorded_event){.kind = PERCH_RECORDED_LOST,
			    .n = (uint32_t)(lost - r->lcores[l->id].lost_told)}))
		return false;
	r->lcores[l->id].lost_told = lost;
	return true;
}

static bool record(struct perch_lcore *l, struct perch_recorded_event e)
{
	struct perch_recorder *r = l->engine->recorder;

	if (tell_lost(r, l) && put(r, l, e))
		return true;
	perch_tape_lose(r->tape, l->id);
	return false;
}

void perch_record_turn(struct perch_lcore *l, struct rte_mbuf **pkts, uint16_t n, uint64_t learn)
{
	struct perch_recorded_event e = {.kind = PERCH_RECORDED_TURN, .n = n, .learn = learn};
	struct perch_recorder *r = l->engine->recorder;
	uint16_t i;

	if (n == 0 && !perch_lcore_has_work(l))
		return;
	for (i = 0; i < n; i++)
		perch_recorded_sums_note(&e.sums, i, pkts[i]->ol_flags);
	if (!record(l, e))
		return; /* its packets are of no use without it */
	for (i = 0; i < n; i++)
		if (!perch_tape_packet(r->tape, l->id, l->now_ns + r->epoch_ns, pkts[i]))
			perch_tape_lose(r->tape, l->id);
}

void perch_record_mail(struct perch_lcore *l, unsigned i)
{
	record(l, (struct perch_recorded_event){.kind = PERCH_RECORDED_MAIL, .n = 1,
		.mail = perch_letter_of(perch_mailbox_look(l->mail, i))});
}

void perch_record_share(struct perch_lcore *l)
{
	record(l, (struct perch_recorded_event){.kind = PERCH_RECORDED_SHARED, .n = 1,
		.from = l->id});
}

void perch_record_groups(struct perch_lcore *l)
{
	record(l, (struct perch_recorded_event){.kind = PERCH_RECORDED_GROUPS});
}

/* Of a port with several lcores: by the thread of lcore `by`. */
static void record_left(void *engine, unsigned by, unsigned of, uint16_t n)
{
	struct perch *e = engine;

	record(e->lcores[by], (struct perch_recorded_event){.kind = PERCH_RECORDED_LEFT, .n = n,
		.from = of});
}

void perch_record_tx(struct perch_lcore *l, unsigned n)
{
	record(l, (struct perch_recorded_event){.kind = PERCH_RECORDED_TX, .n = n});
}

uint64_t perch_record_lost(const struct perch_recorder *r)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < r->n_lcores; i++)
		sum += perch_tape_lost(r->tape, i);
	return sum;
}

int perch_record_errno(const struct perch_recorder *r)
{
	return r->error;
}

/* ---- the file ------------------------------------------------------------------------------- */

static void write_all(struct perch_recorder *r, const uint8_t *p, size_t n)
{
	ssize_t done;

	while (n > 0 && r->error == 0) {
		done = write(r->fd, p, n);
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		} else if (done == 0 || errno != EINTR) {
			r->error = done == 0 ? EIO : errno;
		}
	}
}

/* After an error nothing is taken any more: the rings fill up, and what is lost is counted. */
static void move_to_file(struct perch_recorder *r)
{
	const uint8_t *at;
	unsigned i;
	size_t n;

	for (i = 0; i < r->n_lcores; i++) {
		n = perch_tape_look(r->tape, i, &at);
		write_all(r, at, n);
		if (r->error == 0)
			perch_tape_take(r->tape, i, n);
	}
}

static void *write_main(void *arg)
{
	struct perch_recorder *r = arg;
	const struct timespec pause = {.tv_nsec = PAUSE_NS};

	while (!atomic_load(&r->stop)) {
		move_to_file(r);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static int start_thread(struct perch_recorder *r)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&r->thread, NULL, write_main, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		return -rc;
	pthread_setname_np(r->thread, "perch-record");
	r->has_thread = true;
	return 0;
}

/* ---- open and close ------------------------------------------------------------------------- */

/* What a replay must know. */
static void describe(const struct perch *e, const struct perch_config *cfg, int64_t epoch_ns,
	char *text, size_t size)
{
	struct perch_port_info port;
	const uint8_t *m = port.mac;
	char build[64];
	size_t n;
	unsigned i;

	perch_port_info(e->port, &port);
	perch_letter_build(build, sizeof(build));
	n = (size_t)snprintf(text, size, "version=3\nseed=%" PRIu64 "\nlcores=%u\nmtu=%u\n"
		"mac=%02x:%02x:%02x:%02x:%02x:%02x\nepoch_ns=%" PRId64 "\nbuild=%s\n", e->seed,
		e->n_lcores, port.mtu, m[0], m[1], m[2], m[3], m[4], m[5], epoch_ns, build);
	for (i = 0; i < e->n_lcores && n < size; i++)
		n += (size_t)snprintf(text + n, size - n, "start_ns.%u=%" PRId64 "\n", i,
			e->lcores[i]->now_ns);
	n = perch_terms_config(cfg, text, n, size);
	perch_terms_arguments(text, n, size);
}

static int64_t epoch_of(const struct perch *e)
{
	struct timespec ts;

	if (e->playback)
		return 0; /* its times are those of the captures already */
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec -
		perch_clock_now(&e->lcores[0]->clock);
}

static int open_file(struct perch_recorder *r, struct perch_why *why)
{
	uint8_t head[HEAD_ROOM];
	size_t n;

	r->fd = open(r->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (r->fd < 0)
		return perch_why(why, -errno, "%s: cannot be written: %s", r->path,
			strerror(errno));
	n = perch_tape_head(r->tape, head, sizeof(head));
	write_all(r, head, n);
	return r->error ? perch_why(why, -r->error, "%s: %s", r->path, strerror(r->error)) : 0;
}

static int open_parts(struct perch_recorder *r, struct perch *e, const struct perch_config *cfg,
	struct perch_why *why)
{
	uint32_t mb = cfg->record_mb ? cfg->record_mb : RING_MB_DEFAULT;
	char config[PERCH_RECORDED_CONFIG], text[sizeof(why->text)] = "";
	int rc;

	if (e->playback && perch_playback_reads(e->playback, r->path))
		return perch_why(why, -EINVAL, "record: %s is what is being replayed", r->path);
	r->epoch_ns = epoch_of(e);
	describe(e, cfg, r->epoch_ns, config, sizeof(config));
	rc = perch_tape_create(&r->tape, r->path, e->n_lcores, (size_t)mb << 20, r->last_only,
		config, text, sizeof(text));
	if (rc < 0)
		return perch_why(why, rc, "record: %s", text);
	rc = open_file(r, why);
	if (rc == 0 && !r->last_only)
		rc = start_thread(r);
	return rc;
}

/* The same command line makes a replay of what it once recorded, so then it is not followed: it
 * would write over that. */
static int choose_path(const struct perch *e, const struct perch_config *cfg, char **path)
{
	const char *given = e->playback ? NULL : cfg->record, *all = getenv("PERCH_RECORD");

	if (given || (all && cfg->port_index == 0))
		*path = strdup(given ? given : all);
	else if (all && asprintf(path, "%s.p%u", all, cfg->port_index) < 0)
		*path = NULL;
	return (given || all) && !*path ? -ENOMEM : 0;
}

int perch_record_open(struct perch_recorder **out, struct perch *e, const struct perch_config *cfg,
	struct perch_why *why)
{
	struct perch_recorder *r;
	char *path = NULL;
	int rc;

	*out = NULL;
	rc = choose_path(e, cfg, &path);
	if (rc < 0 || !path)
		return rc < 0 ? perch_why(why, rc, "out of memory") : 0;
	r = calloc(1, sizeof(*r));
	if (!r) {
		free(path);
		return perch_why(why, -ENOMEM, "out of memory");
	}
	r->path = path;
	r->fd = -1;
	r->n_lcores = e->n_lcores;
	r->last_only = cfg->record_last;
	rc = open_parts(r, e, cfg, why);
	if (rc < 0) {
		perch_record_close(r, NULL);
		return rc;
	}
	perch_port_tell_left(e->port, record_left, e);
	*out = r;
	return 0;
}

/* The rings have room again: what was lost at the very end is told, too. */
static void tell_all_lost(struct perch_recorder *r, struct perch *e)
{
	unsigned i;

	for (i = 0; i < r->n_lcores && e; i++)
		tell_lost(r, e->lcores[i]);
	move_to_file(r);
}

void perch_record_close(struct perch_recorder *r, struct perch *e)
{
	if (!r)
		return;
	if (e)
		perch_port_tell_left(e->port, NULL, NULL);
	atomic_store(&r->stop, true);
	if (r->has_thread)
		pthread_join(r->thread, NULL);
	if (r->fd >= 0) {
		move_to_file(r);
		if (!r->last_only)
			tell_all_lost(r, e);
		close(r->fd);
	}
	perch_tape_close(r->tape, r->error != 0);
	free(r->path);
	free(r);
}
