/* SPDX-License-Identifier: BSD-3-Clause
 * The EAL starts once, shares itself, says what is wrong, and leaves the process as it was.
 */
#define ALLOW_EXPERIMENTAL_API /* rte_intr_instance_alloc and its setters */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include <rte_lcore.h>

#include "drivers-glue/eal.h"
#include "tests/suite.h"

static char why[256];

static const struct perch_eal_config plain = {.no_huge = true, .memory_mb = 64};

/* In a child, for a process has only one start. False: it failed, or wrote to stdout or stderr. */
static bool in_child(bool (*f)(void))
{
	int out[2], status;
	char said[200];
	ssize_t n;
	pid_t pid;

	if (pipe(out) < 0)
		return false;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		close(out[1]);
		_exit(f() ? 0 : 1);
	}
	close(out[1]);
	n = read(out[0], said, sizeof(said) - 1);
	close(out[0]);
	waitpid(pid, &status, 0);
	if (n > 0)
		printf("  said: %.*s\n", (int)n, said);
	return n == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- what stays as it was ------------------------------------------------------------------- */

struct process { /* what belongs to the caller */
	cpu_set_t cpus;
	struct sigaction actions[NSIG];
	sigset_t blocked;
	struct stat fds[3];
	int optind_, opterr_;
	char cwd[256];
	mode_t mask;
};

static void look(struct process *p)
{
	int i;

	memset(p, 0, sizeof(*p));
	sched_getaffinity(0, sizeof(p->cpus), &p->cpus);
	for (i = 1; i < NSIG; i++)
		sigaction(i, NULL, &p->actions[i]);
	sigprocmask(SIG_BLOCK, NULL, &p->blocked);
	for (i = 0; i < 3; i++)
		fstat(i, &p->fds[i]);
	p->optind_ = optind;
	p->opterr_ = opterr;
	if (!getcwd(p->cwd, sizeof(p->cwd)))
		p->cwd[0] = '\0';
	p->mask = umask(0);
	umask(p->mask);
}

static bool same(const struct process *a, const struct process *b)
{
	int i;

	for (i = 1; i < NSIG; i++)
		if (a->actions[i].sa_handler != b->actions[i].sa_handler)
			return false;
	for (i = 0; i < 3; i++)
		if (a->fds[i].st_ino != b->fds[i].st_ino || a->fds[i].st_dev != b->fds[i].st_dev)
			return false;
	return CPU_EQUAL(&a->cpus, &b->cpus) && a->optind_ == b->optind_ &&
		a->opterr_ == b->opterr_ && strcmp(a->cwd, b->cwd) == 0 && a->mask == b->mask &&
		memcmp(&a->blocked, &b->blocked, sizeof(a->blocked)) == 0;
}

static void on_usr1(int sig)
{
	(void)sig;
}

static bool starts_and_leaves_alone(const struct perch_eal_config *cfg)
{
	struct process before, after;

	signal(SIGUSR1, on_usr1);
	optind = 3;
	opterr = 0;
	look(&before);
	if (perch_eal_start(cfg, why, sizeof(why)) < 0)
		return false;
	look(&after);
	return same(&before, &after);
}

static bool by_config(void)
{
	return starts_and_leaves_alone(&plain);
}

static bool by_arguments(void)
{
	char *v[] = {"--no-huge", "-m", "64", "--no-pci", "-l", "0", "--file-prefix=perch-eal"};

	return starts_and_leaves_alone(&(struct perch_eal_config){.argc = 7, .argv = v});
}

static void leaves_the_process_alone(void)
{
	CU_ASSERT(in_child(by_config));
	CU_ASSERT(in_child(by_arguments));
}

/* ---- what is wrong with it ------------------------------------------------------------------ */

static bool one_sentence(const char *part)
{
	return strstr(why, part) && !strchr(why, '\n');
}

static bool unknown_argument(void)
{
	char *v[] = {"--no-huge", "--no-pci", "--frobnicate"};
	struct perch_eal_config cfg = {.argc = 3, .argv = v};

	return perch_eal_start(&cfg, why, sizeof(why)) == -EINVAL &&
		one_sentence("frobnicate") &&
		perch_eal_start(&plain, why, sizeof(why)) == -EALREADY && one_sentence("once");
}

static bool contradiction(void)
{
	char *v[] = {"--no-huge", "--in-memory"};
	struct perch_eal_config cfg = {.argc = 2, .argv = v};

	return perch_eal_start(&cfg, why, sizeof(why)) == -EINVAL &&
		one_sentence("--in-memory") &&
		perch_eal_start(&plain, why, sizeof(why)) == 0; /* found before it was tried */
}

static bool no_such_vdev(void)
{
	const char *vdevs[] = {"net_nosuch0", NULL};
	struct perch_eal_config cfg = plain;

	cfg.vdevs = vdevs;
	return perch_eal_start(&cfg, why, sizeof(why)) == -EINVAL && one_sentence("net_nosuch0");
}

static bool no_such_interface(void)
{
	const char *vdevs[] = {"net_af_packet0,iface=nosuch0", NULL};
	struct perch_eal_config cfg = plain;

	cfg.vdevs = vdevs;
	return perch_eal_start(&cfg, why, sizeof(why)) == -ENODEV && one_sentence("interface");
}

static void says_what_is_wrong(void)
{
	CU_ASSERT(in_child(unknown_argument));
	CU_ASSERT(in_child(contradiction));
	CU_ASSERT(in_child(no_such_vdev));
	CU_ASSERT(in_child(no_such_interface));
}

/* ---- from here on it runs ------------------------------------------------------------------- */

static void second_start_adds_devices(void)
{
	const char *vdevs[] = {"net_null7", NULL}, *bad[] = {"net_nosuch7", NULL};
	struct perch_eal_config cfg = plain;
	uint16_t id;

	CU_ASSERT_EQUAL_FATAL(perch_eal_start(&plain, why, sizeof(why)), 0);
	CU_ASSERT_NOT_EQUAL(rte_eth_dev_get_port_by_name("net_null7", &id), 0);
	cfg.vdevs = vdevs;
	CU_ASSERT_EQUAL(perch_eal_start(&cfg, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(rte_eth_dev_get_port_by_name("net_null7", &id), 0);
	cfg.vdevs = bad;
	CU_ASSERT_EQUAL(perch_eal_start(&cfg, why, sizeof(why)), -ENODEV);
	CU_ASSERT(one_sentence("net_nosuch7"));
	CU_ASSERT_EQUAL(perch_eal_start(&plain, NULL, 0), 0); /* and nothing has become of it */
}

static void threads_get_an_lcore_id(void)
{
	CU_ASSERT_EQUAL_FATAL(perch_eal_start(&plain, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(perch_eal_enter_thread(), 0);
	CU_ASSERT_NOT_EQUAL(rte_lcore_id(), LCORE_ID_ANY);
	perch_eal_leave_thread(); /* the one that started EAL had its id before, and keeps it */
	CU_ASSERT_NOT_EQUAL(rte_lcore_id(), LCORE_ID_ANY);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void look_away(void *arg)
{
	(void)arg;
}

/* An event that nobody takes keeps the interrupt thread walking through its sources. */
static bool never_quiet(void)
{
	struct rte_intr_handle *h = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_SHARED);

	return h != NULL && rte_intr_fd_set(h, eventfd(1, 0)) == 0 &&
		rte_intr_type_set(h, RTE_INTR_HANDLE_EXT) == 0 &&
		rte_intr_callback_register(h, look_away, NULL) == 0;
}

/* Ends by exit, and so does, before it, a child that has no interrupt thread. */
static void end_by_exit(void)
{
	int status = 1;
	pid_t pid;

	if (perch_eal_start(&plain, why, sizeof(why)) < 0 || !never_quiet())
		_exit(1);
	pid = fork();
	if (pid == 0)
		exit(0);
	waitpid(pid, &status, 0);
	exit(status == 0 ? 0 : 2);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* EAL is cleaned up at exit, under the feet of nobody and without waiting for anybody. */
static void ends_while_interrupts_come(void)
{
	double start;
	int status = 1, i;
	pid_t pid;

	for (i = 0; i < 10; i++) {
		fflush(stdout);
		start = now_s();
		pid = fork();
		if (pid == 0)
			end_by_exit();
		waitpid(pid, &status, 0);
		CU_ASSERT_EQUAL(status, 0);
		CU_ASSERT(now_s() - start < 2);
	}
}

int main(int argc, char **argv)
{
	const struct suite_case cases[] = {
		{"leaves_the_process_alone", leaves_the_process_alone}, /* before EAL runs */
		{"ends_while_interrupts_come", ends_while_interrupts_come}, /* too */
		{"says_what_is_wrong", says_what_is_wrong},
		{"second_start_adds_devices", second_start_adds_devices},
		{"threads_get_an_lcore_id", threads_get_an_lcore_id},
		{NULL, NULL},
	};

	return suite_main("eal", cases, argc, argv);
}
