/* SPDX-License-Identifier: BSD-3-Clause
 * What a playback is told, and how its clock moves.
 */
#include "engine/playback.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "drivers-glue/eal.h"
#include "drivers-glue/recording.h"
#include "engine/config.h"
#include "engine/lcore.h"
#include "engine/letter.h"
#include "engine/terms.h"

#define LINGER_DEFAULT_NS INT64_C(1000000000)
#define OPEN_BEFORE_NS    INT64_C(1000000) /* so that services listen when the first packet comes */
#define STOP_STEP_NS      INT64_C(1000000) /* while it stops, for it watches for quiet */
#define HORIZON_NS        (INT64_MAX / 16) /* of a span: no sum of times overflows */
#define SPIN_NS           INT64_C(60000)   /* sleeps end about that late */
#define MAIL_PATIENCE_NS  INT64_C(10000000000) /* real time, for the app's other threads */

enum {
	ANY_MAIL = UINT16_MAX, /* in a turn: as much as there is */
	VERSION = 3,           /* of recordings */
};

struct script { /* what a recording says of an lcore's next turn */
	struct perch_recorded_turn turn;
	bool looked_up;
	int rc; /* 1; 0: there is none; negative, and why */
	char why[192];
};

struct share_entry {
	struct perch_share share;
	struct share_entry *next;
};

struct share_list { /* what an lcore has shared, and lcore 0 has not followed */
	struct share_entry *first, *last;
};

struct perch_playback {
	struct perch_replay *files;
	struct perch_recording *recording; /* NULL: captures */
	struct perch_recorded_turn turn;   /* of the recording: the one that runs */
	struct script next[PERCH_MAX_LCORES];
	struct share_list shares[PERCH_MAX_LCORES];
	size_t at_shared;                  /* of those of the recording */
	bool ended;                        /* the recording: its last turn is over */
	const char *unfit;                 /* a key that means nothing to a recording, or NULL */
	bool override, forgiving;          /* of another configuration, of a file that is cut */
	bool other_build;                  /* than the recorded one: its functions lie elsewhere */
	bool impatient;                    /* a message has not come in time: none is waited for */
	unsigned n_files;
	int64_t open_ns[PERCH_MAX_LCORES]; /* of the recording: when each lcore was opened */
	struct perch_replay_config cfg;
	struct perch_fault faults;
	unsigned port, lcores;
	uint64_t seed, speed;
	int64_t linger_ns, now_ns, end_ns;
	int64_t next_ns;   /* the next event, as is_settled saw it; 0: not known */
	int64_t wall_ns;   /* when the first turn began, of CLOCK_MONOTONIC */
	int64_t took_ns;   /* from there to the last turn */
	unsigned at;       /* the lcore whose turn is next */
	unsigned quiet;    /* lcores in a row that had nothing left to do at this time */
	uint64_t turns;
	int report_fd;
	char *strings;     /* what cfg points into */
	char error[256], warning[256];
};

/* ---- what it is told ------------------------------------------------------------------------ */

struct words {
	const char *key;
	const char *values[4];
};

static const struct words words[] = {
	{"backwards", {"clamp", "sort", "error", NULL}},
	{"snapped", {"error", "skip", "pass", NULL}},
	{"truncated", {"error", "skip", NULL}},
	{"checksums", {"verify", "ignore", "fix", NULL}},
	{"vlan", {"keep", "strip", NULL}},
	{"bursts", {"timed", "full", NULL}},
	{"peers", {"as-is", "ours", "captured", NULL}},
	{"override", {"no", "yes", NULL}},
};

/* Which of the words that the key may have, or -1; -2: it is no such key. */
static int which_word(const char *key, const char *value)
{
	unsigned i;
	int k;

	for (i = 0; i < RTE_DIM(words); i++) {
		if (strcmp(key, words[i].key) != 0)
			continue;
		for (k = 0; words[i].values[k]; k++)
			if (strcmp(value, words[i].values[k]) == 0)
				return k;
		return -1;
	}
	return -2;
}

static void set_word(struct perch_playback *v, const char *key, int n)
{
	unsigned i;

	if (strcmp(key, "checksums") == 0)
		v->cfg.checksums = (enum perch_replay_checksums)n;
	else if (strcmp(key, "vlan") == 0)
		v->cfg.untag = n == 1;
	else if (strcmp(key, "bursts") == 0)
		v->cfg.full_bursts = n == 1;
	else if (strcmp(key, "override") == 0)
		v->override = n == 1;
	else if (strcmp(key, "peers") == 0) {
		v->cfg.tcp_peers = n > 0;
		v->cfg.isn = n == 2 ? PERCH_PEER_ISN_CAPTURED : PERCH_PEER_ISN_OURS;
	}
	for (i = 0; i < PERCH_REPLAY_CAPTURES; i++) {
		if (strcmp(key, "backwards") == 0)
			v->cfg.captures[i].backwards = (enum perch_capture_backwards)n;
		else if (strcmp(key, "snapped") == 0)
			v->cfg.captures[i].snapped = (enum perch_capture_damage)n;
		else if (strcmp(key, "truncated") == 0)
			v->cfg.captures[i].truncated = (enum perch_capture_damage)n;
	}
	if (strcmp(key, "truncated") == 0)
		v->forgiving = n == 1;
}

static bool set_number(struct perch_playback *v, const char *key, const char *text)
{
	char *end;
	uint64_t n;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (*end != '\0' || errno)
		return false;
	if (strcmp(key, "seed") == 0)
		v->seed = n;
	else if (strcmp(key, "speed") == 0)
		v->speed = n;
	else if (strcmp(key, "loop") == 0 && n >= 1 && n <= UINT32_MAX)
		v->cfg.loops = (uint32_t)n;
	else if (strcmp(key, "tx-cost") == 0 && n < (uint64_t)HORIZON_NS)
		v->cfg.tx_cost_ns = (int64_t)n;
	else if (strcmp(key, "linger") == 0 && n < (uint64_t)HORIZON_NS)
		v->linger_ns = (int64_t)n;
	else if (strcmp(key, "lcores") == 0 && n >= 1 && n <= PERCH_MAX_LCORES)
		v->lcores = (unsigned)n;
	else if (strcmp(key, "report") == 0 && n <= INT32_MAX)
		v->report_fd = (int)n;
	else
		return false;
	return true;
}

static int add_capture(struct perch_playback *v, const char *path, struct perch_why *why)
{
	if (v->cfg.n_captures == PERCH_REPLAY_CAPTURES)
		return perch_why(why, -EINVAL, "replay: more than %d captures for port %u",
			PERCH_REPLAY_CAPTURES, v->port);
	v->cfg.captures[v->cfg.n_captures++].path = path;
	return 0;
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
	int n = 0;

	return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2],
		       &mac[3], &mac[4], &mac[5], &n) == 6 && text[n] == '\0' && !(mac[0] & 1);
}

/* rx, tx and mac: "PORT:" and what it is. Those of other ports are other engines'. */
static int set_of_port(
	struct perch_playback *v, const char *key, char *text, struct perch_why *why)
{
	char *value;
	unsigned long port = strtoul(text, &value, 10);

	if (value == text || *value != ':')
		return perch_why(why, -EINVAL, "replay: %s wants PORT:..., not '%s'", key, text);
	value++;
	if (port != v->port)
		return 0;
	if (strcmp(key, "rx") == 0)
		return add_capture(v, value, why);
	if (strcmp(key, "tx") == 0)
		v->cfg.tx_path = value;
	else if (!parse_mac(value, v->cfg.mac))
		return perch_why(why, -EINVAL, "replay: '%s' is no MAC address of a port", value);
	return 0;
}

static void set_filter(struct perch_playback *v, const char *filter)
{
	unsigned i;

	for (i = 0; i < PERCH_REPLAY_CAPTURES; i++)
		v->cfg.captures[i].filter = filter;
}

static int set_one(struct perch_playback *v, const char *key, char *value, struct perch_why *why)
{
	char text[192];
	int n;

	if (strcmp(key, "rx") == 0 || strcmp(key, "tx") == 0 || strcmp(key, "mac") == 0)
		return set_of_port(v, key, value, why);
	if (strcmp(key, "filter") == 0) {
		set_filter(v, value);
		return 0;
	}
	if (strcmp(key, "fault") == 0) {
		n = perch_fault_add(&v->faults, value, text, sizeof(text));
		return n < 0 ? perch_why(why, n, "replay: %s", text) : 0;
	}
	n = which_word(key, value);
	if (n >= 0)
		set_word(v, key, n);
	else if (n == -1 || !set_number(v, key, value))
		return perch_why(why, -EINVAL, "replay: %s does not take '%s'", key, value);
	return 0;
}

/* A recording has its own answer to most of what may be asked of captures. */
static bool fits_recording(const char *key)
{
	static const char *const keys[] = {
		"rx", "tx", "speed", "tx-cost", "truncated", "override", "report"};
	unsigned i;

	for (i = 0; i < RTE_DIM(keys); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static int parse(struct perch_playback *v, struct perch_why *why)
{
	char *line, *value, *rest;
	int rc = 0;

	for (line = strtok_r(v->strings, "\n", &rest); line && rc == 0;
		line = strtok_r(NULL, "\n", &rest)) {
		value = strchr(line, '=');
		if (!value)
			return perch_why(why, -EINVAL, "replay: '%s' is not KEY=VALUE", line);
		*value++ = '\0';
		rc = set_one(v, line, value, why);
		if (!fits_recording(line))
			v->unfit = line;
	}
	return rc;
}

/* ---- open and close ------------------------------------------------------------------------- */

static int64_t recorded_number(const struct perch_playback *v, const char *key)
{
	char text[32] = "0";

	perch_recording_config(v->recording, key, text, sizeof(text));
	return (int64_t)strtoull(text, NULL, 10);
}

/* The run that is had again must be the one that was. */
static int hold_to_terms(
	struct perch_playback *v, const struct perch_config *cfg, struct perch_why *why)
{
	char text[160] = "";
	unsigned n = perch_terms_differ(v->recording, cfg, text, sizeof(text));

	if (n == 0 && cfg->seed && cfg->seed != v->seed) {
		n = 1;
		snprintf(text, sizeof(text), "seed was %" PRIu64 ", and is %" PRIu64 " now",
			v->seed, cfg->seed);
	}
	if (n == 0)
		return 0;
	if (!v->override)
		return perch_why(why, -EINVAL, "replay: this is not what was recorded: %s%s; "
			"--override plays it all the same", text, n > 1 ? ", and more" : "");
	snprintf(v->warning, sizeof(v->warning), "not what was recorded: %s%s", text,
		n > 1 ? ", and more" : "");
	return 0;
}

static int read_head(struct perch_playback *v, struct perch_why *why)
{
	char text[64], key[32], build[64];
	bool good;
	unsigned i;

	if (recorded_number(v, "version") != VERSION)
		return perch_why(why, -EINVAL, "replay: the recording is of another version of "
			"perch");
	perch_letter_build(build, sizeof(build));
	v->other_build = !perch_recording_config(v->recording, "build", text, sizeof(text)) ||
		!build[0] || strcmp(text, build) != 0;

	v->seed = (uint64_t)recorded_number(v, "seed");
	v->lcores = (unsigned)recorded_number(v, "lcores");
	good = v->lcores >= 1 && v->lcores <= PERCH_MAX_LCORES &&
		perch_recording_config(v->recording, "mac", text, sizeof(text)) &&
		parse_mac(text, v->cfg.mac);
	for (i = 0; good && i < v->lcores; i++) {
		snprintf(key, sizeof(key), "start_ns.%u", i);
		v->open_ns[i] = recorded_number(v, key);
		good = v->open_ns[i] >= 0 && v->open_ns[i] < INT64_MAX / 2;
	}
	return good ? 0 : perch_why(why, -EINVAL, "replay: the recording's head is damaged");
}

/* What a recording says takes the place of what the configuration says. */
static int open_recording(
	struct perch_playback *v, const struct perch_config *cfg, struct perch_why *why)
{
	const char *path = v->cfg.captures[0].path;
	char text[192];
	int rc;

	if (v->cfg.n_captures == 0 || !perch_recording_is(path))
		return 0;
	if (v->cfg.n_captures > 1 || v->unfit)
		return perch_why(why, -EINVAL, "replay: %s is a recording: it stands alone, "
			"without other captures%s%s", path, v->unfit ? " and --" : "",
			v->unfit ? v->unfit : "");
	rc = perch_recording_open(&v->recording, path, text, sizeof(text));
	if (rc < 0)
		return perch_why(why, -EINVAL, "replay: %s", text);
	v->cfg.n_captures = 0;
	rc = read_head(v, why);
	return rc < 0 ? rc : hold_to_terms(v, cfg, why);
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && S_ISREG(x.st_mode) &&
		x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool perch_playback_reads(const struct perch_playback *v, const char *path)
{
	unsigned i;

	for (i = 0; i < v->n_files; i++)
		if (same_file(v->cfg.captures[i].path, path))
			return true;
	return false;
}

/* Writing truncates what reading has not come to yet. */
static int check_files(struct perch_playback *v, struct perch_why *why)
{
	v->n_files = v->cfg.n_captures;
	if (v->cfg.tx_path && perch_playback_reads(v, v->cfg.tx_path))
		return perch_why(why, -EINVAL, "replay: %s cannot be read and written at once",
			v->cfg.tx_path);
	return 0;
}

int perch_playback_open(
	struct perch_playback **out, const struct perch_config *cfg, struct perch_why *why)
{
	const char *text = cfg->replay ? cfg->replay : getenv("PERCH_REPLAY");
	struct perch_playback *v;
	int rc;

	*out = NULL;
	if (!text)
		return 0;
	v = calloc(1, sizeof(*v));
	if (!v || !(v->strings = strdup(text))) {
		free(v);
		return perch_why(why, -ENOMEM, "out of memory");
	}
	v->port = cfg->port_index;
	v->seed = cfg->seed ? cfg->seed : 1;
	v->linger_ns = LINGER_DEFAULT_NS;
	v->report_fd = -1;
	rc = parse(v, why);
	if (rc == 0)
		rc = check_files(v, why);
	if (rc == 0)
		rc = open_recording(v, cfg, why);
	v->cfg.seed = v->seed;
	v->cfg.faults = &v->faults;
	if (rc == 0) {
		rc = perch_replay_open(&v->files, &v->cfg, v->error, sizeof(v->error));
		if (rc < 0)
			rc = perch_why(
				why, rc == -ENOMEM ? rc : -EINVAL, "replay: %s", v->error);
	}
	if (rc < 0) {
		v->report_fd = -1; /* there was no run to report */
		perch_playback_close(v);
		return rc;
	}
	v->now_ns = perch_playback_start(v, 0);
	perch_replay_advance(v->files, v->now_ns);
	if (v->recording)
		perch_replay_order(v->files, perch_recording_left(v->recording));
	*out = v;
	return 0;
}

static int64_t wall_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void write_report(
	const struct perch_playback *v, const struct perch_replay_stats *s, int64_t virtual_ns)
{
	const struct {
		const char *key;
		uint64_t value;
	} lines[] = {
		{"rx", s->rx_packets},
		{"tx", s->tx_packets},
		{"turns", v->turns},
		{"virtual_ns", (uint64_t)virtual_ns},
		{"wall_ns", (uint64_t)v->took_ns},
		{"times_clamped", s->captures.clamped},
		{"snapped", s->captures.snapped},
		{"truncated", s->captures.truncated},
		{"too_long", s->too_long},
		{"waits_for_buffers", s->no_buffer},
		{"dropped_by_faults", s->faults.dropped},
		{"duplicated", s->faults.duplicated},
		{"delayed", s->faults.delayed},
		{"reordered", s->faults.reordered},
		{"corrupted", s->faults.corrupted},
	};
	unsigned i;

	for (i = 0; i < RTE_DIM(lines); i++)
		dprintf(v->report_fd, "%s=%" PRIu64 "\n", lines[i].key, lines[i].value);
	dprintf(v->report_fd, "warning=%s\nerror=%s\n", v->warning, v->error);
}

/* All of the recording was played. Was it all of the run? */
static void look_at_end(struct perch_playback *v)
{
	int64_t damage = perch_recording_damage(v->recording);
	uint64_t lost = perch_recording_lost(v->recording);

	if (damage >= 0 && !v->forgiving)
		snprintf(v->error, sizeof(v->error), "the recording is cut or damaged at offset %"
			PRId64 ": nothing behind it is known", damage);
	else if (lost > 0)
		snprintf(v->error, sizeof(v->error), "the recording lacks %" PRIu64 " blocks at "
			"its end: its ring was full (see --record-mb), or its disk", lost);
}

static void drop_shares(struct perch_playback *v)
{
	struct share_entry *e;
	unsigned i;

	for (i = 0; i < PERCH_MAX_LCORES; i++)
		while ((e = v->shares[i].first)) {
			v->shares[i].first = e->next;
			free(e);
		}
}

void perch_playback_close(struct perch_playback *v)
{
	struct perch_replay_stats s = {0};
	int64_t virtual_ns;
	int rc;

	if (!v)
		return;
	virtual_ns = v->now_ns - perch_playback_start(v, 0);
	if (v->files)
		perch_replay_stats(v->files, &s);
	if (v->recording && v->files)
		perch_replay_leave(v->files, UINT64_MAX);
	if (v->recording && !v->error[0])
		look_at_end(v);
	if (v->files && perch_replay_error(v->files))
		snprintf(v->error, sizeof(v->error), "%s", perch_replay_error(v->files));
	rc = perch_replay_close(v->files);
	perch_recording_close(v->recording);
	drop_shares(v);
	if (rc < 0 && !v->error[0])
		snprintf(v->error, sizeof(v->error), "%s: %s", v->cfg.tx_path, strerror(-rc));
	if (v->report_fd >= 0)
		write_report(v, &s, virtual_ns);
	free(v->strings);
	free(v);
}

struct perch_replay *perch_playback_port(struct perch_playback *v)
{
	return v->files;
}

uint64_t perch_playback_seed(const struct perch_playback *v)
{
	return v->seed;
}

unsigned perch_playback_lcores(const struct perch_playback *v)
{
	return v->lcores;
}

bool perch_playback_is_script(const struct perch_playback *v)
{
	return v->recording != NULL;
}

int64_t perch_playback_start(const struct perch_playback *v, unsigned lcore)
{
	int64_t first_ns = v->files ? perch_replay_start(v->files) : 0;

	if (v->recording)
		return v->open_ns[lcore];
	return RTE_MAX(first_ns, OPEN_BEFORE_NS) - OPEN_BEFORE_NS;
}

/* ---- the clock ------------------------------------------------------------------------------ */

static int64_t next_timer(const struct perch_lcore *l)
{
	int64_t next_ns = RTE_MIN(perch_sched_next_deadline(l->sched),
		perch_wheel_next(l->flow_timers));

	return RTE_MIN(next_ns, perch_net_next_tick(l->net));
}

static int64_t next_event(const struct perch *e)
{
	int64_t next_ns = perch_replay_next(e->playback->files);
	unsigned i;

	for (i = 0; i < e->n_lcores; i++)
		next_ns = RTE_MIN(next_ns, next_timer(e->lcores[i]));
	return next_ns;
}

/* One after the other, at the captures' pace. */
static void wait_for(const struct perch_playback *v, int64_t next_ns)
{
	int64_t at_ns = v->wall_ns + (next_ns - perch_playback_start(v, 0)) / (int64_t)v->speed;
	int64_t left_ns;
	struct timespec ts;

	while ((left_ns = at_ns - wall_now()) > 0) {
		if (left_ns <= SPIN_NS)
			continue;
		left_ns = RTE_MIN(left_ns - SPIN_NS, INT64_C(100000000));
		ts = (struct timespec){.tv_nsec = left_ns};
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
	}
}

/* Everything that can happen now has happened: on to when something happens next. Behind the last
 * packet timers run for a while, then the engine is stopped; it drains as ever. */
static void move_clock(struct perch *e)
{
	struct perch_playback *v = e->playback;
	int64_t next_ns = v->next_ns ? v->next_ns : next_event(e);
	unsigned i;

	v->next_ns = 0;
	if (perch_replay_next(v->files) != PERCH_REPLAY_NEVER)
		v->end_ns = perch_replay_next(v->files) + v->linger_ns;
	else
		v->end_ns = RTE_MAX(v->end_ns, perch_playback_start(v, 0) + v->linger_ns);
	if (atomic_load(&e->stop)) {
		next_ns = RTE_MIN(next_ns, v->now_ns + STOP_STEP_NS);
	} else if (next_ns > v->end_ns) {
		next_ns = next_ns == INT64_MAX ? v->now_ns : v->end_ns;
		perch_stop(e);
	}
	next_ns = RTE_MAX(next_ns, v->now_ns);
	if (v->speed)
		wait_for(v, next_ns);
	v->now_ns = next_ns;
	perch_replay_advance(v->files, next_ns);
	for (i = 0; i < e->n_lcores; i++)
		perch_clock_set(&e->lcores[i]->clock, next_ns);
}

/* With one lcore: is there nothing for a second turn at the same time? Several may have handed
 * each other work, so only turns that find nothing tell. */
static bool is_settled(
	struct perch *e, const struct perch_lcore *l, unsigned work, uint64_t sent)
{
	if (work == 0 && sent == 0) /* a tick of the net sends, and counts for no work */
		return true;
	if (e->n_lcores > 1 || sent >= PERCH_NET_TX / 2 || perch_sched_ready(l->sched) ||
		l->net->ready_end > 0 || l->net->n_tx > 0 || perch_mailbox_ready(l->mail))
		return false;
	e->playback->next_ns = next_event(e);
	return e->playback->next_ns > e->playback->now_ns;
}

/* ---- a recording ---------------------------------------------------------------------------- */

/* Nothing more is known: what is left comes to its end in silence. */
static void end_recording(struct perch *e)
{
	struct perch_playback *v = e->playback;
	unsigned i;

	v->ended = true;
	v->quiet = e->n_lcores;
	for (i = 0; i < e->n_lcores; i++) {
		v->now_ns = RTE_MAX(v->now_ns, e->lcores[i]->now_ns);
		e->lcores[i]->scripted = false;
	}
	perch_mute(e, true);
	perch_stop(e);
}

/* A ring that went round has lost the beginning: what was started before the run is started by a
 * turn of its own. */
static bool needs_start(const struct perch_playback *v, const struct perch_lcore *l)
{
	return l->turns == 0 && !perch_recording_has_start(v->recording, l->id);
}

/* What the lcore did next, looked up once. */
static struct script *next_turn(struct perch_playback *v, const struct perch_lcore *l)
{
	struct script *s = &v->next[l->id];

	if (s->looked_up)
		return s;
	s->looked_up = true;
	s->rc = 1;
	if (needs_start(v, l))
		s->turn = (struct perch_recorded_turn){.n_mail = ANY_MAIL, .taken = UINT32_MAX,
			.now_ns = perch_recording_peek(v->recording, l->id)};
	else
		s->rc = perch_recording_next(
			v->recording, l->id, &s->turn, s->why, sizeof(s->why));
	return s;
}

static bool is_letter(const struct perch_playback *v, const struct perch_mail *mail,
	const struct perch_recorded_mail *wanted)
{
	struct perch_recorded_mail m = perch_letter_of(mail);

	return m.what == wanted->what && (m.where == wanted->where || v->other_build);
}

/* Which of the messages that wait it is, the lcore's skip-th of that kind; -1: it has not come. */
static int find_letter(const struct perch_lcore *l, const struct perch_recorded_mail *wanted,
	unsigned skip)
{
	unsigned i, n = perch_mailbox_waiting(l->mail, PERCH_MAIL);

	for (i = 0; i < n; i++)
		if (is_letter(l->engine->playback, perch_mailbox_look(l->mail, i), wanted) &&
			skip-- == 0)
			return (int)i;
	return -1;
}

static bool has_mail(const struct perch_lcore *l, const struct script *s)
{
	const struct perch_recorded_mail *m = s->turn.mail;
	unsigned i, k, same;

	if (s->turn.n_mail == ANY_MAIL)
		return true;
	for (i = 0; i < s->turn.n_mail; i++) {
		for (k = same = 0; k < i; k++)
			same += m[k].what == m[i].what &&
				(m[k].where == m[i].where || l->engine->playback->other_build);
		if (find_letter(l, &m[i], same) < 0)
			return false;
	}
	return true;
}

/* Other threads of the app send it, when they come to it. */
static void wait_for_mail(
	struct perch_playback *v, const struct perch_lcore *l, const struct script *s)
{
	const struct timespec pause = {.tv_nsec = 100000};
	int64_t until_ns = wall_now() + MAIL_PATIENCE_NS;

	while (!has_mail(l, s) && !v->impatient) {
		nanosleep(&pause, NULL);
		v->impatient = wall_now() > until_ns;
	}
}

/* The lcore whose turn was next, or NULL: none is left. What other lcores sent to it has been sent
 * by now. */
static struct perch_lcore *recorded_lcore(struct perch *e)
{
	struct perch_playback *v = e->playback;
	struct perch_lcore *l, *first = NULL;
	struct script *s;
	unsigned i;

	for (i = 0; i < e->n_lcores; i++) {
		l = e->lcores[i];
		s = next_turn(v, l);
		if (s->rc != 0 && l->phase != PERCH_STOPPED &&
			(!first || s->turn.order < v->next[first->id].turn.order))
			first = l;
	}
	return first;
}

static unsigned recorded_step(struct perch *e)
{
	struct perch_playback *v = e->playback;
	struct perch_lcore *l = recorded_lcore(e);
	struct script *s = l ? &v->next[l->id] : NULL;
	unsigned work;

	if (!s || s->rc < 0 || perch_replay_error(v->files)) {
		if (s && s->rc < 0)
			snprintf(v->error, sizeof(v->error), "%s", s->why);
		end_recording(e);
		return 0;
	}
	wait_for_mail(v, l, s);
	perch_replay_leave(v->files, s->turn.order);
	v->turn = s->turn;
	s->looked_up = false;
	v->now_ns = RTE_MAX(v->now_ns, v->turn.now_ns);
	if (v->speed)
		wait_for(v, v->now_ns);
	perch_clock_set(&l->clock, v->turn.now_ns);
	perch_replay_advance(v->files, v->now_ns);
	perch_replay_feed(v->files, &v->turn);
	perch_lcore_self = l;
	work = perch_lcore_turn(l);
	perch_replay_feed(v->files, NULL);
	v->turns++;
	return work;
}

void perch_playback_flags(struct perch_lcore *l)
{
	const struct perch_recorded_turn *turn = &l->engine->playback->turn;
	uint32_t flags = turn->flags;

	if (l->id == 0)
		l->groups_seen = atomic_load(&l->engine->groups.gen) - (turn->groups > 0);
	l->stop_now = (flags & PERCH_RECORDED_STOP) != 0;
	l->muted_now = (flags & PERCH_RECORDED_MUTE) != 0;
	l->timers_wait = (flags & PERCH_RECORDED_WAIT) != 0;
}

int perch_playback_share(struct perch_lcore *l, const struct perch_share *s)
{
	struct share_list *of = &l->engine->playback->shares[l->id];
	struct share_entry *e = malloc(sizeof(*e));

	if (!e)
		return -ENOBUFS;
	*e = (struct share_entry){.share = *s};
	if (of->last)
		of->last->next = e;
	else
		of->first = e;
	of->last = e;
	return 0;
}

void perch_playback_groups(
	struct perch_lcore *l, void (*fn)(struct perch *e, const struct perch_share *s))
{
	struct perch_playback *v = l->engine->playback;
	const struct perch_recorded_lefts *shared = perch_recording_shared(v->recording);
	struct share_list *of;
	struct share_entry *e;

	for (; v->at_shared < shared->n; v->at_shared++) {
		if (shared->at[v->at_shared].order >= v->turn.groups)
			break;
		of = &v->shares[shared->at[v->at_shared].lcore];
		e = of->first;
		if (!e)
			continue; /* an app that is another by now */
		fn(l->engine, &e->share);
		of->first = e->next;
		of->last = of->first ? of->last : NULL;
		free(e);
	}
}

unsigned perch_playback_mail(struct perch_lcore *l)
{
	struct perch_playback *v = l->engine->playback;
	unsigned i, n = 0;
	int k;

	if (v->turn.n_mail == ANY_MAIL)
		return perch_mailbox_drain(l->mail, ANY_MAIL);
	for (i = 0; i < v->turn.n_mail; i++) {
		k = find_letter(l, &v->turn.mail[i], 0);
		if (k < 0)
			continue;
		if (l->recorded)
			perch_record_mail(l, (unsigned)k);
		perch_mailbox_carry(l->mail, (unsigned)k);
		n++;
	}
	if (n < v->turn.n_mail && !v->error[0])
		snprintf(v->error, sizeof(v->error), "not as recorded: lcore %u was sent %u "
			"messages by other threads here, and now %u of them", l->id,
			v->turn.n_mail, n);
	return n;
}

/* ---- turn by turn --------------------------------------------------------------------------- */

/* Returns what the turn dealt with. */
static unsigned step(struct perch *e)
{
	struct perch_playback *v = e->playback;
	struct perch_lcore *l;
	uint64_t sent;
	unsigned work;

	if (v->recording && !v->ended)
		return recorded_step(e);
	if (v->quiet >= e->n_lcores) {
		move_clock(e);
		v->quiet = 0;
		v->at = 0;
	}
	l = e->lcores[v->at];
	perch_lcore_self = l;
	sent = l->tx_taken;
	work = perch_lcore_turn(l);
	v->turns++;
	v->next_ns = 0;
	v->quiet = is_settled(e, l, work, l->tx_taken - sent) ? v->quiet + 1 : 0;
	v->at = (v->at + 1) % e->n_lcores;
	return work;
}

static bool has_stopped(const struct perch *e)
{
	unsigned i;

	for (i = 0; i < e->n_lcores; i++)
		if (e->lcores[i]->phase != PERCH_STOPPED)
			return false;
	e->playback->took_ns = wall_now() - e->playback->wall_ns;
	return true;
}

static void begin(struct perch *e)
{
	if (e->playback->wall_ns == 0)
		e->playback->wall_ns = wall_now();
	if (!e->poll_entered)
		e->poll_entered = perch_eal_enter_thread() == 0;
}

int perch_playback_run(struct perch *e)
{
	begin(e);
	while (!has_stopped(e))
		step(e);
	perch_lcore_self = NULL;
	perch_port_send_rest(e->port);
	return perch_replay_error(e->playback->files) || e->playback->error[0] ? -EIO : 0;
}

int perch_playback_poll(struct perch *e, unsigned turns)
{
	struct perch_lcore *outer = perch_lcore_self;
	unsigned work = 0;

	begin(e);
	if (has_stopped(e))
		return -ESHUTDOWN;
	while (turns-- > 0 && !has_stopped(e))
		work += step(e);
	perch_lcore_self = outer;
	return (int)RTE_MIN(work, (unsigned)INT32_MAX);
}
