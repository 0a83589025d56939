/* SPDX-License-Identifier: BSD-3-Clause
 * What coroutines may do with each other, through the public header: channels, groups, children,
 * wakes from other threads, and being looked at.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "drivers-glue/vdev.h"
#include "tests/engine/pair.h"
#include "tests/suite.h"

enum { PORT = 7, MS = 1000000 };

static int64_t in_ms(int64_t ms)
{
	return perch_now() + ms * MS;
}

/* What a coroutine found; static where coroutines of several cases write to it. */
struct found {
	bool done;
	int rc[8], n, sum;
};

static struct pair pair;

static void open_pair(const struct perch_config *cfg)
{
	CU_ASSERT_TRUE_FATAL(pair_open(&pair, cfg));
}

static void run(void (*fn)(void *), struct found *f)
{
	CU_ASSERT_EQUAL(perch_start(pair.a, 0, fn, f, 0), 0);
	CU_ASSERT_TRUE(pair_turn(&pair, &f->done, 3000));
}

/* ---- channels and groups -------------------------------------------------------------------- */

struct line {
	struct perch_chan *chan;
	struct perch_group *group;
	int sum, count, err;
};

static void takes(void *arg)
{
	struct line *l = arg;
	int value;

	while ((l->err = perch_chan_recv(l->chan, &value, PERCH_FOREVER)) == 0) {
		l->sum += value;
		l->count++;
	}
	perch_group_done(l->group);
}

static void sends(void *arg)
{
	struct found *f = arg;
	static struct line l;
	int i;

	for (f->n = 0; f->n < 2; f->n++) { /* by hand-over, then buffered */
		memset(&l, 0, sizeof(l));
		f->rc[0] |= perch_chan_open(&l.chan, sizeof(int), f->n ? 8 : 0);
		f->rc[0] |= perch_group_open(&l.group);
		f->rc[0] |= perch_group_add(l.group, 1);
		f->rc[0] |= perch_spawn(takes, &l, 0);
		for (i = 1; i <= 100; i++)
			f->rc[0] |= perch_chan_send(l.chan, &i, in_ms(1000));
		perch_chan_close(l.chan);
		f->rc[1] = perch_chan_send(l.chan, &i, PERCH_FOREVER);
		f->rc[0] |= perch_group_wait(l.group, in_ms(1000));
		f->sum += l.sum;
		f->rc[2] = l.err;
		perch_chan_free(l.chan);
		perch_group_free(l.group);
	}
	f->done = true;
}

static void channel(void)
{
	struct found f = {.n = 0};

	open_pair(NULL);
	run(sends, &f);
	CU_ASSERT_EQUAL(f.rc[0], 0);
	CU_ASSERT_EQUAL(f.rc[1], -EPIPE);
	CU_ASSERT_EQUAL(f.rc[2], -EPIPE);
	CU_ASSERT_EQUAL(f.sum, 2 * 5050);
	pair_close(&pair);
}

static void sends_one(void *arg)
{
	int value = 42;

	perch_chan_send(arg, &value, in_ms(1000));
}

static void selects(void *arg)
{
	struct found *f = arg;
	struct perch_chan *in, *out;
	int got = 0, give = 7;

	f->rc[0] = perch_chan_open(&in, sizeof(int), 0) | perch_chan_open(&out, sizeof(int), 1);
	struct perch_case cases[] = {{.chan = in, .recv = &got}, {.chan = out, .send = &give}};

	f->rc[1] = perch_select(cases, 2, in_ms(1000)); /* nobody sends, but out has room */
	f->rc[2] = perch_select(cases, 1, in_ms(1));
	perch_spawn(sends_one, in, 0);
	f->rc[3] = perch_select(cases, 2, in_ms(1000)); /* out is full now */
	f->sum = got;
	f->rc[4] = perch_chan_recv(out, &got, 0) | (got != 7);
	perch_chan_close(in);
	f->rc[5] = perch_select(cases, 1, PERCH_FOREVER);
	f->rc[6] = cases[0].err;
	cases[0].send = &give; /* both ways: nonsense */
	f->rc[7] = perch_select(cases, 1, PERCH_FOREVER);
	f->n = perch_select(cases, 0, PERCH_FOREVER);
	perch_chan_free(in);
	perch_chan_free(out);
	perch_chan_free(NULL);
	f->done = true;
}

static void select_one(void)
{
	struct found f = {.n = 0};

	open_pair(NULL);
	run(selects, &f);
	CU_ASSERT_EQUAL(f.rc[0], 0);
	CU_ASSERT_EQUAL(f.rc[1], 1);
	CU_ASSERT_EQUAL(f.rc[2], -ETIMEDOUT);
	CU_ASSERT_EQUAL(f.rc[3], 0);
	CU_ASSERT_EQUAL(f.sum, 42);
	CU_ASSERT_EQUAL(f.rc[4], 0);
	CU_ASSERT_EQUAL(f.rc[5], 0);
	CU_ASSERT_EQUAL(f.rc[6], -EPIPE);
	CU_ASSERT_EQUAL(f.rc[7], -EINVAL);
	CU_ASSERT_EQUAL(f.n, -EINVAL);
	pair_close(&pair);
}

/* ---- children ------------------------------------------------------------------------------- */

static void child(void *arg)
{
	struct found *f = arg;

	f->n++;
	f->sum += perch_sleep(PERCH_FOREVER) == -ECANCELED;
}

static void quick_child(void *arg)
{
	struct found *f = arg;

	f->n++;
}

static void parent(void *arg)
{
	struct found *f = arg;

	f->rc[0] = perch_spawn(quick_child, f, PERCH_CHILD);
	f->rc[1] = perch_wait_children(in_ms(1000));
	f->rc[2] = f->n;
	perch_spawn(child, f, PERCH_CHILD);
	perch_spawn(child, f, PERCH_CHILD | PERCH_PRIVATE_STACK);
	f->rc[3] = perch_wait_children(in_ms(2));
	perch_cancel_children();
	f->rc[4] = perch_wait_children(in_ms(1000));
	f->rc[5] = f->sum;
	f->rc[6] = perch_spawn(child, f, 1u << 9);
	f->done = true;
}

static void children(void)
{
	struct found f = {.n = 0};

	open_pair(NULL);
	run(parent, &f);
	CU_ASSERT_EQUAL(f.rc[0], 0);
	CU_ASSERT_EQUAL(f.rc[1], 0);
	CU_ASSERT_EQUAL(f.rc[2], 1);
	CU_ASSERT_EQUAL(f.rc[3], -ETIMEDOUT);
	CU_ASSERT_EQUAL(f.rc[4], 0);
	CU_ASSERT_EQUAL(f.rc[5], 2);
	CU_ASSERT_EQUAL(f.rc[6], -EINVAL);
	pair_close(&pair);
}

/* A child reads from its parent's connection; the parent returns meanwhile. */
static struct {
	struct perch_conn *c;
	int rc;
	bool open_still, done;
} shared;

static void reader(void *arg)
{
	struct perch_flow_info info;

	(void)arg;
	shared.rc = (int)perch_next(shared.c, PERCH_FOREVER).len;
	perch_flow_info(shared.c, &info);
	shared.open_still = strcmp(info.state, "ESTABLISHED") == 0;
	shared.done = true;
}

static void leaves_child(struct perch_conn *c, void *arg)
{
	(void)arg;
	shared.c = c;
	perch_spawn(reader, NULL, PERCH_CHILD);
	perch_sleep(in_ms(1));
}

static void dials(void *arg)
{
	struct found *f = arg;
	struct perch_addr to;
	struct perch_conn *c;

	perch_addr_parse(PAIR_B4, PORT, &to);
	f->rc[0] = perch_dial(&to, NULL, &c, in_ms(2000));
	if (f->rc[0] == 0) {
		f->rc[1] = (int)perch_next(c, in_ms(2000)).len; /* until they close */
		perch_hangup(c);
	}
	f->done = true;
}

static void handler_waits_for_its_children(void)
{
	struct found f = {.rc[1] = 1};

	memset(&shared, 0, sizeof(shared));
	open_pair(NULL);
	CU_ASSERT_EQUAL(perch_listen(pair.b, NULL, PORT, leaves_child, NULL), 0);
	run(dials, &f);
	CU_ASSERT_EQUAL(f.rc[0], 0);
	CU_ASSERT_EQUAL(f.rc[1], 0);
	CU_ASSERT_TRUE(shared.done);
	CU_ASSERT_EQUAL(shared.rc, -ECANCELED);
	CU_ASSERT_TRUE(shared.open_still);
	pair_close(&pair);
}

/* ---- across lcores -------------------------------------------------------------------------- */

static struct {
	struct perch *e;
	pthread_t thread;
	struct perch_ref waiter, stuck;
	struct perch_chan *chan;
	atomic_int wakes, foreign, cancelled;
	atomic_bool done, ready;
} two;

static void *run_engine(void *arg)
{
	CU_ASSERT_EQUAL(perch_run(arg), 0);
	return NULL;
}

static bool open_two(struct perch_config *cfg)
{
	static unsigned n;
	const char *addrs[] = {PAIR_A4 "/24", NULL};
	char a[32], b[32];

	memset(&two, 0, sizeof(two));
	if (!pair_eal())
		return false;
	snprintf(a, sizeof(a), "net_ring_t%u", n);
	snprintf(b, sizeof(b), "net_ring_u%u", n++);
	if (perch_vdev_ring_pair(a, b, 256) < 0)
		return false;
	cfg->no_huge = true;
	cfg->lcores = 2;
	cfg->port = a;
	cfg->addrs = addrs;
	cfg->mbufs = 2048;
	cfg->idle = PERCH_BACK_OFF;
	return perch_open(&two.e, cfg, NULL) == 0;
}

static void close_two(void)
{
	perch_stop(two.e);
	pthread_join(two.thread, NULL);
	perch_close(two.e);
}

static bool wait_for(atomic_bool *what)
{
	int i;

	for (i = 0; i < 5000 && !*what; i++)
		nanosleep(&(struct timespec){.tv_nsec = MS}, NULL);
	return *what;
}

enum { ROUNDS = 500 };

/* On lcore 1: what another lcore's channel says, and a wake for the coroutine on lcore 0. */
static void answers(void *arg)
{
	int value = 1;

	if (perch_lcore() != 1 || perch_chan_send(two.chan, &value, 0) != -EXDEV ||
		perch_chan_free(two.chan) != -EXDEV)
		two.foreign++;
	perch_wake(perch_self(), two.waiter, (int)(intptr_t)arg);
}

static void asks(void *arg)
{
	int i;

	(void)arg;
	two.waiter = perch_me();
	perch_chan_open(&two.chan, sizeof(int), 1);
	for (i = 0; i < ROUNDS; i++) {
		if (perch_start(perch_self(), 1, answers, (void *)(intptr_t)i, 0) < 0)
			break;
		if (i % 7 == 0)
			perch_sleep(in_ms(1)); /* the wake may come before it is waited for */
		two.wakes += perch_park(in_ms(5000)) == i;
	}
	perch_chan_free(two.chan);
	two.done = true;
}

static void stuck(void *arg)
{
	(void)arg;
	two.stuck = perch_me();
	two.ready = true;
	two.cancelled = perch_park(PERCH_FOREVER);
	two.done = true;
}

static void wakes_cross_lcores(void)
{
	struct perch_config cfg = {.drain_ns = 200 * MS};

	CU_ASSERT_TRUE_FATAL(open_two(&cfg));
	CU_ASSERT_EQUAL(perch_start(two.e, 0, asks, NULL, 0), 0);
	pthread_create(&two.thread, NULL, run_engine, two.e);
	CU_ASSERT_TRUE(wait_for(&two.done));
	CU_ASSERT_EQUAL(two.wakes, ROUNDS);
	CU_ASSERT_EQUAL(two.foreign, 0);
	two.done = false;
	CU_ASSERT_EQUAL(perch_start(two.e, 1, stuck, NULL, 0), 0);
	CU_ASSERT_TRUE(wait_for(&two.ready));
	CU_ASSERT_EQUAL(perch_wake(two.e, two.stuck, -1), -EINVAL);
	CU_ASSERT_EQUAL(perch_wake(two.e, (struct perch_ref){.lcore = 2}, 0), -EINVAL);
	CU_ASSERT_EQUAL(perch_cancel(two.e, (struct perch_ref){.lcore = 2}), -EINVAL);
	CU_ASSERT_EQUAL(perch_wake(two.e, two.waiter, 0), 0); /* it has finished: nothing */
	CU_ASSERT_EQUAL(perch_cancel(two.e, two.stuck), 0);   /* from a control thread */
	CU_ASSERT_TRUE(wait_for(&two.done));
	CU_ASSERT_EQUAL(two.cancelled, -ECANCELED);
	close_two();
}

/* More than fit: refused, and counted by the lcore that did not get them. */
static void full_mailbox_refuses(void)
{
	struct found f = {.n = 0};
	int i, rc = 0;

	open_pair(NULL);
	for (i = 0; i < 100000 && rc == 0; i++)
		rc = perch_start(pair.a, 0, quick_child, &f, 0);
	CU_ASSERT_EQUAL(rc, -ENOBUFS);
	CU_ASSERT_EQUAL(pair_counter(pair.a, "mail_refused"), 1);
	while (f.n < i - 1 && perch_poll(pair.a, 64) > 0)
		;
	CU_ASSERT_EQUAL(f.n, i - 1);
	pair_close(&pair);
}

/* ---- looking -------------------------------------------------------------------------------- */

static void idles(void *arg)
{
	(void)arg;
	perch_sleep(PERCH_FOREVER);
}

static void idles_large(void *arg)
{
	char large[2000];

	(void)arg;
	__asm__ volatile("" : : "r"(large) : "memory"); /* all of it may be read and written */
	perch_sleep(PERCH_FOREVER);
	__asm__ volatile("" : : "r"(large) : "memory");
}

static void looks(void *arg)
{
	struct found *f = arg;
	struct perch_co_info info;
	struct perch_ref who, far;

	f->rc[0] = perch_spawn_ref(&who, idles_large, f, 0);
	f->rc[1] = perch_co_info(who, &info) | (strcmp(info.state, "new") != 0);
	perch_yield();
	f->rc[2] = perch_co_info(who, &info);
	CU_ASSERT_PTR_EQUAL(info.arg, f);
	CU_ASSERT_TRUE(info.fn == idles_large);
	CU_ASSERT_STRING_EQUAL(info.state, "parked");
	CU_ASSERT_EQUAL(info.switches, 1);
	CU_ASSERT_TRUE(info.live_bytes > 2000);
	CU_ASSERT_TRUE(info.peak_bytes >= info.live_bytes);
	CU_ASSERT_TRUE(info.cycles > 0);
	CU_ASSERT_PTR_NOT_NULL(info.parked_at);
	CU_ASSERT_EQUAL(info.deadline_ns, PERCH_FOREVER);
	f->rc[3] = perch_cancel(perch_self(), who);
	perch_yield();
	f->rc[4] = perch_co_info(who, &info);
	f->rc[5] = perch_wake(perch_self(), who, 0);
	far = who;
	far.lcore = 1;
	f->rc[6] = perch_co_info(far, &info);
	f->done = true;
}

static void info_tells(void)
{
	const struct perch_config cfg = {.count_cycles = true};
	struct found f = {.n = 0};

	open_pair(&cfg);
	run(looks, &f);
	CU_ASSERT_EQUAL(f.rc[0], 0);
	CU_ASSERT_EQUAL(f.rc[1], 0);
	CU_ASSERT_EQUAL(f.rc[2], 0);
	CU_ASSERT_EQUAL(f.rc[3], 0);
	CU_ASSERT_EQUAL(f.rc[4], -ESRCH);
	CU_ASSERT_EQUAL(f.rc[5], -ESRCH);
	CU_ASSERT_EQUAL(f.rc[6], -EXDEV);
	pair_close(&pair);
}

static struct perch_ref echo_of;

static void echoes(struct perch_conn *c, void *arg)
{
	struct perch_bytes b;

	(void)arg;
	echo_of = perch_me();
	while ((b = perch_next(c, PERCH_FOREVER)).len > 0)
		if (perch_write(c, b.data, (size_t)b.len, PERCH_FOREVER) < 0)
			break;
}

static void uses_once(void *arg)
{
	struct found *f = arg;
	struct perch_addr to;
	struct perch_conn *c;
	char text[64] = "";

	perch_addr_parse(PAIR_B4, PORT, &to);
	f->rc[0] = perch_dial(&to, NULL, &c, in_ms(2000));
	if (f->rc[0] == 0) {
		f->rc[1] = (int)perch_write(c, text, sizeof(text), in_ms(2000));
		f->rc[2] = (int)perch_next(c, in_ms(2000)).len;
	}
	f->done = true;
}

static void looks_at_echo(void *arg)
{
	struct perch_co_info info = {.live_bytes = 0};
	struct found *f = arg;

	f->rc[3] = perch_co_info(echo_of, &info);
	f->n = (int)info.live_bytes;
	f->done = true;
}

/* What an idle connection leaves on the stack is copied at each of its events, and is most of what
 * it costs: two lines. */
static void idle_handler_is_small(void)
{
	struct found f = {.n = 0}, seen = {.n = 0};

	open_pair(NULL);
	CU_ASSERT_EQUAL(perch_listen(pair.b, NULL, PORT, echoes, NULL), 0);
	run(uses_once, &f);
	CU_ASSERT_EQUAL(f.rc[1], 64);
	CU_ASSERT_EQUAL(f.rc[2], 64);
	CU_ASSERT_EQUAL(perch_start(pair.b, 0, looks_at_echo, &seen, 0), 0);
	CU_ASSERT_TRUE(pair_turn(&pair, &seen.done, 3000));
	CU_ASSERT_EQUAL(seen.rc[3], 0);
	CU_ASSERT_TRUE(seen.n > 0);
#if defined(__x86_64__) && defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && \
	!defined(__SANITIZE_THREAD__)
	CU_ASSERT_TRUE(seen.n <= 128);
#endif
	pair_close(&pair);
}

struct text {
	int idle, large, hints, frames, lines, handlers;
	bool parks, done;
	int rc;
};

static void read_line(void *arg, const char *line)
{
	struct text *t = arg;

	t->lines++;
	t->idle += strstr(line, "parked idles+0x0") != NULL;
	t->large += strstr(line, "parked idles_large+0x0") != NULL;
	t->handlers += strstr(line, "parked leaves_child+0x0") != NULL;
	t->hints += strstr(line, "hint:") != NULL;
	t->frames += strstr(line, "    #") != NULL;
	if (t->parks && t->lines % 50 == 0)
		perch_sleep(perch_now() + MS / 10);
}

static void dumps(void *arg)
{
	struct text *t = arg;

	t->rc = perch_dump(perch_self(), 0, PERCH_BACKTRACES, read_line, t);
	t->done = true;
}

enum { IDLERS = 150 }; /* more than one slice */

static void start_idlers(struct perch *e, int lcore)
{
	int i;

	for (i = 0; i < IDLERS; i++)
		CU_ASSERT_EQUAL(perch_start(e, lcore, i == 70 ? idles_large : idles, NULL, 0), 0);
}

static void check_text(const struct text *t, bool backtraces)
{
	CU_ASSERT_EQUAL(t->rc, 0);
	CU_ASSERT_EQUAL(t->idle, IDLERS - 1);
	CU_ASSERT_EQUAL(t->large, 1);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they walk no other stack */
	CU_ASSERT_EQUAL(t->hints, 1);
	CU_ASSERT_EQUAL(t->frames > 2 * IDLERS, backtraces);
#else
	(void)backtraces;
#endif
}

static void dump_from_polling_thread_and_coroutine(void)
{
	struct text control = {.rc = 1}, co = {.parks = true};

	open_pair(NULL);
	start_idlers(pair.a, 0);
	while (pair_counter(pair.a, "co_switches") < IDLERS && perch_poll(pair.a, 64) > 0)
		;
	control.rc = perch_dump(pair.a, PERCH_EVERY_LCORE, 0, read_line, &control);
	check_text(&control, false);
	CU_ASSERT_EQUAL(perch_start(pair.a, 0, dumps, &co, 0), 0);
	CU_ASSERT_TRUE(pair_turn(&pair, &co.done, 3000));
	check_text(&co, true);
	CU_ASSERT_EQUAL(perch_dump(pair.a, 1, 0, read_line, &control), -EINVAL);
	CU_ASSERT_EQUAL(perch_dump(pair.a, 0, 0, NULL, &control), -EINVAL);
	pair_close(&pair);
}

/* The handler's name, not that of the function which calls it. */
static void dump_names_handlers(void)
{
	struct text t = {.rc = 1};
	struct found f = {.n = 0};

	open_pair(NULL);
	CU_ASSERT_EQUAL(perch_listen(pair.b, NULL, PORT, leaves_child, NULL), 0);
	CU_ASSERT_EQUAL(perch_start(pair.a, 0, dials, &f, 0), 0);
	memset(&shared, 0, sizeof(shared));
	while (!shared.c)
		pair_turn(&pair, NULL, 0), perch_poll(pair.a, 1), perch_poll(pair.b, 1);
	t.rc = perch_dump(pair.b, 0, 0, read_line, &t);
	CU_ASSERT_EQUAL(t.handlers, 1);
	CU_ASSERT_TRUE(pair_turn(&pair, &f.done, 3000));
	pair_close(&pair);
}

static void dump_of_running_lcores(void)
{
	struct perch_config cfg = {.drain_ns = 200 * MS};
	struct text control = {.rc = 1}, after = {.rc = 1};

	CU_ASSERT_TRUE_FATAL(open_two(&cfg));
	start_idlers(two.e, 1);
	CU_ASSERT_EQUAL(perch_start(two.e, 1, stuck, NULL, 0), 0);
	pthread_create(&two.thread, NULL, run_engine, two.e);
	CU_ASSERT_TRUE(wait_for(&two.ready));
	nanosleep(&(struct timespec){.tv_nsec = 5 * MS}, NULL);
	control.rc = perch_dump(two.e, PERCH_EVERY_LCORE, PERCH_BACKTRACES, read_line, &control);
	check_text(&control, true);
	perch_stop(two.e);
	pthread_join(two.thread, NULL);
	after.rc = perch_dump(two.e, PERCH_EVERY_LCORE, 0, read_line, &after);
	CU_ASSERT_EQUAL(after.rc, 0);
	CU_ASSERT_EQUAL(after.lines, 2); /* one for each lcore: nobody is left */
	perch_close(two.e);
}

/* ---- limits --------------------------------------------------------------------------------- */

static void refused_wait(void *arg)
{
	struct found *f = arg;
	char large[6000];
	int rc;

	__asm__ volatile("" : : "r"(large) : "memory");
	rc = perch_sleep(PERCH_FOREVER);
	__asm__ volatile("" : : "r"(large) : "memory");
	f->n += rc == -ENOMEM;
}

/* There is memory for the stacks of some; the waits of the others are refused, and counted. */
static void saved_stacks_are_limited(void)
{
	const struct perch_config cfg = {.saved_stack_bytes = 64 << 10, .stack_bytes = 64 << 10};
	struct found f = {.n = 0};
	int i;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	suite_skip("sanitizer builds save no stacks");
	return;
#endif
	open_pair(&cfg); /* whose first side has all share one stack */
	for (i = 0; i < 30; i++)
		perch_start(pair.a, 0, refused_wait, &f, 0);
	pair_turn(&pair, NULL, 20);
	CU_ASSERT_TRUE(f.n >= 20);
	CU_ASSERT_TRUE(f.n < 30);
	CU_ASSERT_EQUAL(pair_counter(pair.a, "co_save_refused"), (uint64_t)f.n);
	pair_close(&pair);
}

static volatile unsigned depth_seen;

static __attribute__((noinline)) unsigned runs_off(unsigned depth)
{
	volatile unsigned frame[64];

	frame[depth % 64] = depth;
	depth_seen = depth;
	return depth == UINT32_MAX ? 0 : runs_off(depth + 1) + frame[depth % 64];
}

static void overflows(void *arg)
{
	(void)arg;
	depth_seen = runs_off(0);
}

/* In a child, which dies of it. */
static void overflow_names_the_function(void)
{
	struct perch_config cfg = {.report_overflows = true};
	char text[512] = "";
	int fds[2], status = 0;
	pid_t pid;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	suite_skip("the sanitizer reports overflows itself");
	return;
#endif
	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		if (!open_two(&cfg) || perch_start(two.e, 1, overflows, NULL, 0) != 0)
			_exit(1);
		perch_run(two.e);
		_exit(2);
	}
	close(fds[1]);
	CU_ASSERT_TRUE(read(fds[0], text, sizeof(text) - 1) > 0);
	close(fds[0]);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "stack overflow in coroutine"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "started at overflows"));
	CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

int main(int argc, char **argv)
{
	const struct suite_case cases[] = {
		/* It forks, so before EAL is up. */
		{"overflow_names_the_function", overflow_names_the_function},
		{"channel", channel},
		{"select", select_one},
		{"children", children},
		{"handler_waits_for_its_children", handler_waits_for_its_children},
		{"wakes_cross_lcores", wakes_cross_lcores},
		{"full_mailbox_refuses", full_mailbox_refuses},
		{"info_tells", info_tells},
		{"idle_handler_is_small", idle_handler_is_small},
		{"dump_from_polling_thread_and_coroutine", dump_from_polling_thread_and_coroutine},
		{"dump_names_handlers", dump_names_handlers},
		{"dump_of_running_lcores", dump_of_running_lcores},
		{"saved_stacks_are_limited", saved_stacks_are_limited},
		{NULL, NULL},
	};

	return suite_main("coroutines", cases, argc, argv);
}
