/* SPDX-License-Identifier: BSD-3-Clause
 * What is told about coroutines: figures, backtraces, and the last words of one that ran off its
 * stack.
 */
#include "sched/dump.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sched/fiber.h"
#include "sched/overflow.h"
#include "sched/symbol.h"
#include "tests/suite.h"

#define NEVER PERCH_SCHED_NEVER

#ifdef PERCH_DEBUG
enum { STACKS_CHECKED = 1 };
#else
enum { STACKS_CHECKED = 0 };
#endif

static struct perch_sched *s;

static uint32_t in_place = PERCH_SCHED_NONE_IN_PLACE;

static void open_case(void)
{
	struct perch_sched_config cfg = {.max_co = 16, .max_private = 4, .max_in_place = in_place};

	CU_ASSERT_EQUAL_FATAL(perch_sched_open(&s, &cfg), 0);
}

static void close_case(void)
{
	perch_sched_cancel_all(s);
	while (perch_sched_ready(s))
		perch_sched_run(s, UINT32_MAX);
	perch_sched_close(s);
}

__attribute__((noinline)) static void parks_deep(unsigned depth)
{
	volatile char frame[200];
	size_t i;

	for (i = 0; i < sizeof(frame); i++)
		frame[i] = (char)depth;
	if (depth > 0)
		parks_deep(depth - 1);
	else
		perch_co_park(s, NEVER);
	for (i = 0; i < sizeof(frame); i++)
		CU_ASSERT(frame[i] == (char)depth);
}

static void shallow_handler(void *arg)
{
	int err = perch_co_park(s, 7000);

	CU_ASSERT(arg == NULL || err != -ENOMEM); /* and no tail call, which would leave no frame */
}

static void deep_handler(void *arg)
{
	(void)arg;
	parks_deep(8);
	parks_deep(0);
}

static void info_tells(void)
{
	struct perch_co *flat, *deep;
	struct perch_co_description info;

	open_case();
	perch_sched_count_cycles(s, true);
	flat = perch_co_spawn(s, shallow_handler, &info, 0);
	deep = perch_co_spawn(s, deep_handler, NULL, PERCH_CO_PRIVATE);
	CU_ASSERT_EQUAL(perch_co_describe(s, flat, &info), 0);
	CU_ASSERT_STRING_EQUAL(info.state, "new");
	CU_ASSERT_PTR_NULL(info.parked_at);
	perch_sched_run(s, 2);
	CU_ASSERT_EQUAL(perch_co_describe(s, flat, &info), 0);
	CU_ASSERT_STRING_EQUAL(info.state, "parked");
	CU_ASSERT(info.fn == shallow_handler);
	CU_ASSERT_PTR_EQUAL(info.arg, &info);
	CU_ASSERT_EQUAL(info.deadline_ns, 7000);
	CU_ASSERT_EQUAL(info.switches, 1);
	CU_ASSERT(info.cycles > 0);
	CU_ASSERT(info.live_bytes >= 64 && info.live_bytes < 4096);
	CU_ASSERT_PTR_NOT_NULL(info.parked_at);
	perch_co_wake(s, deep, 0);
	perch_sched_run(s, 1);
	CU_ASSERT_EQUAL(perch_co_describe(s, deep, &info), 0);
	CU_ASSERT(info.on_private);
	CU_ASSERT_EQUAL(info.switches, 2);
	CU_ASSERT(info.live_bytes < info.peak_bytes);
	CU_ASSERT(info.peak_bytes > 1600);
	perch_co_wake(s, flat, 0);
	perch_sched_run(s, 1);
	CU_ASSERT_EQUAL(perch_co_describe(s, flat, &info), -ESRCH);
	close_case();
}

__attribute__((noinline)) static int flow_waits(void)
{
	int rc = perch_co_park(s, NEVER);

	__asm__ volatile("" : "+r"(rc)); /* no tail call: the frame counts */
	return rc;
}

__attribute__((noinline)) static int app_waits(uint64_t *sum)
{
	int rc = flow_waits();

	*sum += (uint64_t)(rc > 0);
	return rc;
}

static void waits_three_deep(void *arg)
{
	uint64_t sum = 0;

	while (app_waits(&sum) >= 0)
		*(uint64_t *)arg = sum;
}

/* Each word that a park adds is memory of every idle coroutine, and copied at each event. */
static void image_is_small(void)
{
	struct perch_co_description info;
	struct perch_co *co;
	uint64_t sum = 0;

	open_case();
	co = perch_co_spawn(s, waits_three_deep, &sum, 0);
	perch_sched_run(s, 1);
	perch_co_wake(s, co, 1);
	perch_sched_run(s, 1);
	CU_ASSERT_EQUAL(sum, 1);
	CU_ASSERT_EQUAL(perch_co_describe(s, co, &info), 0);
#if defined(__x86_64__) && defined(__OPTIMIZE__)
	CU_ASSERT(FIBER_PRIVATE || info.live_bytes <= 128);
#endif
	close_case();
}

/* The text of a dump. Free it. */
static char *dump_text(bool backtraces)
{
	char *text = NULL;
	uint32_t from = 0;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	while (from != PERCH_CO_NONE) /* in slices, as an engine does */
		from = perch_sched_dump(s, f, backtraces, from, 2);
	fclose(f);
	return text;
}

static unsigned occurrences(const char *text, const char *of)
{
	unsigned n = 0;

	for (; (text = strstr(text, of)) != NULL; text++)
		n++;
	return n;
}

static void dump_backtraces_everybody(unsigned flags)
{
	struct perch_co *co[3];
	char *text;
	int i;

	open_case();
	for (i = 0; i < 3; i++)
		co[i] = perch_co_spawn(s, i == 1 ? deep_handler : shallow_handler, NULL, flags);
	perch_sched_run(s, 3);
	text = dump_text(true);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "parked deep_handler+0x0"));
	CU_ASSERT_EQUAL(occurrences(text, "coroutine "), 3);
	CU_ASSERT_EQUAL(occurrences(text, "3 coroutines, 0 ready"), 1);
	CU_ASSERT_EQUAL(occurrences(text, " hint: "), flags == 0 && !FIBER_PRIVATE);
	if (!FIBER_PRIVATE) {
		CU_ASSERT_EQUAL(occurrences(text, " perch_switch_leave"), 3);
		CU_ASSERT_EQUAL(occurrences(text, " parks_deep"), 9);
		CU_ASSERT_EQUAL(occurrences(text, " shallow_handler"), 4);
	}
	free(text);
	for (i = 0; i < 3; i++) /* and all go on as if nothing had been */
		perch_co_wake(s, co[i], 0);
	CU_ASSERT_EQUAL(perch_sched_run(s, 3), 3);
	text = dump_text(true);
	CU_ASSERT_EQUAL(occurrences(text, "coroutine "), 1);
	free(text);
	close_case();
}

static void dump_of_shared_stacks(void)
{
	dump_backtraces_everybody(0);
}

static void dump_of_stacks_in_place(void)
{
	in_place = 1; /* the others share */
	dump_backtraces_everybody(0);
	in_place = PERCH_SCHED_NONE_IN_PLACE;
}

static void dump_of_private_stacks(void)
{
	dump_backtraces_everybody(PERCH_CO_PRIVATE);
}

static void symbols_have_names(void)
{
	char name[128];

	perch_symbol_name((const char *)(uintptr_t)shallow_handler + 1, name, sizeof(name));
	CU_ASSERT_STRING_EQUAL(name, "shallow_handler+0x1");
	perch_symbol_name((const void *)16, name, sizeof(name));
	CU_ASSERT_STRING_EQUAL(name, "0x10");
	perch_symbol_name((const void *)(uintptr_t)getenv, name, sizeof(name));
	CU_ASSERT(strlen(name) > 0);
}

/* ---- overflow, in a child that dies of it ---- */

__attribute__((noinline)) static unsigned runs_off(unsigned depth)
{
	volatile unsigned frame[64];

	frame[depth % 64] = depth;
	return depth == UINT32_MAX ? 0 : runs_off(depth + 1) + frame[depth % 64];
}

static void overflowing_handler(void *arg)
{
	*(volatile unsigned *)arg = runs_off(0);
}

static void before_us(int sig)
{
	(void)sig;
	_exit(42);
}

static void die_of_overflow(unsigned flags, bool chained, int to)
{
	struct sigaction action = {.sa_handler = before_us, .sa_flags = SA_ONSTACK};
	struct perch_overflow_watch *w;
	struct perch_overflow *o;
	unsigned result;

	dup2(to, STDERR_FILENO);
	if (chained)
		sigaction(SIGSEGV, &action, NULL);
	open_case();
	if (perch_overflow_open(&o) < 0 || perch_overflow_watch(&w, o, s) < 0)
		_exit(1);
	perch_co_spawn(s, overflowing_handler, &result, flags);
	perch_sched_run(s, 1);
	_exit(2);
}

static void overflow_is_reported(unsigned flags, bool chained, const char *whose)
{
	char text[1024] = "";
	int fd[2], status;
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(pipe(fd), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		die_of_overflow(flags, chained, fd[1]);
	close(fd[1]);
	CU_ASSERT(read(fd[0], text, sizeof(text) - 1) > 0);
	close(fd[0]);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "stack overflow in coroutine 0"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "started at overflowing_handler"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, whose));
	if (chained)
		CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	if (!chained)
		CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void overflow_names_its_coroutine(void)
{
	if (FIBER_PRIVATE) {
		suite_skip("the sanitizer reports overflows itself");
		return;
	}
	overflow_is_reported(0, false, "the shared stack");
	overflow_is_reported(0, true, "the shared stack");
	overflow_is_reported(PERCH_CO_PRIVATE, false, "its private stack");
	in_place = 1;
	overflow_is_reported(0, false, STACKS_CHECKED ? "the shared stack" : "256 KB of its stack");
	in_place = PERCH_SCHED_NONE_IN_PLACE;
}

static void overflow_handler_is_put_back(void)
{
	struct sigaction before, after;
	struct perch_overflow_watch *w;
	struct perch_overflow *o;
	stack_t stack;

	open_case();
	sigaction(SIGSEGV, NULL, &before);
	CU_ASSERT_EQUAL_FATAL(perch_overflow_open(&o), 0);
	CU_ASSERT_EQUAL_FATAL(perch_overflow_watch(&w, o, s), 0);
	sigaction(SIGSEGV, NULL, &after);
	CU_ASSERT(before.sa_handler != after.sa_handler);
	perch_overflow_unwatch(w);
	perch_overflow_close(o);
	sigaction(SIGSEGV, NULL, &after);
	CU_ASSERT(before.sa_handler == after.sa_handler);
	sigaltstack(NULL, &stack);
	CU_ASSERT(stack.ss_sp != (void *)w);
	perch_overflow_unwatch(NULL);
	perch_overflow_close(NULL);
	close_case();
}

#ifdef PERCH_DEBUG
static int *lent;

static void lends(void *arg)
{
	int local = 0;

	(void)arg;
	lent = &local;
	perch_co_park(s, NEVER);
}

/* Debug builds find out who writes to a parked coroutine's stack. */
static void stale_pointer_is_found_out(void)
{
	struct perch_co *co;
	int status;
	pid_t pid;

	if (FIBER_PRIVATE) {
		suite_skip("sanitizer builds have no shared stack");
		return;
	}
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(STDERR_FILENO);
		open_case();
		co = perch_co_spawn(s, lends, NULL, 0);
		perch_sched_run(s, 1);
		*lent = 1;
		perch_co_wake(s, co, 0);
		perch_sched_run(s, 1);
		_exit(0);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
#endif

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"info tells", info_tells},
		{"an image is small", image_is_small},
		{"dump of shared stacks", dump_of_shared_stacks},
		{"dump of stacks in place", dump_of_stacks_in_place},
		{"dump of private stacks", dump_of_private_stacks},
		{"symbols have names", symbols_have_names},
		{"an overflow names its coroutine", overflow_names_its_coroutine},
		{"the overflow handler is put back", overflow_handler_is_put_back},
#ifdef PERCH_DEBUG
		{"a stale pointer is found out", stale_pointer_is_found_out},
#endif
		{NULL, NULL},
	};

	return suite_main("sched dump", cases, argc, argv);
}
