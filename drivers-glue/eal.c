/* SPDX-License-Identifier: BSD-3-Clause
 * EAL is one per process, and so is what this file remembers of it: the one exception to the rule
 * that nothing below engine/ is global.
 */
#define ALLOW_EXPERIMENTAL_API /* rte_intr_instance_alloc and its setters */

#include "drivers-glue/eal.h"

#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include <rte_lcore.h>
#include <rte_log.h>

#include "drivers-glue/crowd.h"

enum { MAX_ARGS = 128, DEFAULT_NO_HUGE_MB = 512, REST_MS = 2000 };

struct eal_args {
	int n;
	char *v[MAX_ARGS + 1];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool running;
static char last_error[256];
static int last_words = STDERR_FILENO; /* where a panic is printed, also while stderr is held */

static __thread bool entered; /* this thread got its lcore id from perch_eal_enter_thread */

static int fail(char *why, size_t why_bytes, int rc, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int fail(char *why, size_t why_bytes, int rc, const char *fmt, ...)
{
	va_list args;

	if (why && why_bytes) {
		va_start(args, fmt);
		vsnprintf(why, why_bytes, fmt, args);
		va_end(args);
	}
	return rc;
}

/* ---- EAL's log ------------------------------------------------------------------------------ */

/* Keep the last line that complains; print nothing, unless the user asked for a log level. */
static ssize_t take_log(void *cookie, const char *buf, size_t len)
{
	bool print = *(bool *)cookie;
	size_t n = len < sizeof(last_error) ? len : sizeof(last_error) - 1;

	if (print)
		return (ssize_t)fwrite(buf, 1, len, stderr);
	if (rte_log_cur_msg_loglevel() <= (int)RTE_LOG_CRIT) /* rte_panic's: it does not return */
		return write(last_words, buf, len);
	if (rte_log_cur_msg_loglevel() <= (int)RTE_LOG_ERR) {
		memcpy(last_error, buf, n);
		last_error[n] = '\0';
		last_error[strcspn(last_error, "\n")] = '\0';
	}
	return (ssize_t)len;
}

static void take_over_log(bool print)
{
	static bool to_stderr;
	const cookie_io_functions_t io = {.write = take_log};
	FILE *f = fopencookie(&to_stderr, "w", io);

	to_stderr = print;
	if (f) {
		setvbuf(f, NULL, _IOLBF, 0);
		rte_openlog_stream(f);
	}
}

const char *perch_eal_last_error(void)
{
	return last_error;
}

/* ---- arguments ------------------------------------------------------------------------------ */

/* EAL keeps pointers into its arguments: these copies last as long as the process. */
static void add(struct eal_args *a, const char *arg)
{
	if (a->n < MAX_ARGS)
		a->v[a->n++] = strdup(arg);
}

static void add_number(struct eal_args *a, const char *option, unsigned n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	add(a, option);
	add(a, text);
}

static bool has(const struct eal_args *a, const char *arg)
{
	int i;

	for (i = 0; i < a->n; i++)
		if (strcmp(a->v[i], arg) == 0)
			return true;
	return false;
}

static unsigned first_cpu(void)
{
	unsigned cpu;
	cpu_set_t set;

	if (pthread_getaffinity_np(pthread_self(), sizeof(set), &set) == 0)
		for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &set))
				return cpu;
	return 0;
}

static void build_args(const struct perch_eal_config *cfg, struct eal_args *a)
{
	char prefix[48];
	unsigned i;

	add(a, "perch");
	if (cfg->argc > 0) {
		for (i = 0; i < (unsigned)cfg->argc; i++)
			add(a, cfg->argv[i]);
		if (has(a, "--no-huge")) { /* nothing of it can be shared: keep the disk clean */
			add(a, "--no-telemetry");
			add(a, "--no-shconf");
		}
		return;
	}
	add_number(a, "-l", first_cpu());
	add(a, "--no-telemetry");
	if (!cfg->pci)
		add(a, "--no-pci");
	if (cfg->no_huge) {
		add(a, "--no-huge");
		add(a, "--no-shconf");
		add_number(a, "-m", cfg->memory_mb ? cfg->memory_mb : DEFAULT_NO_HUGE_MB);
		snprintf(prefix, sizeof(prefix), "--file-prefix=perch-%d", (int)getpid());
		add(a, prefix);
	} else {
		add(a, "--in-memory");
		if (cfg->memory_mb)
			add_number(a, "-m", cfg->memory_mb);
	}
	for (i = 0; cfg->vdevs && cfg->vdevs[i]; i++) {
		if (perch_crowd_is(cfg->vdevs[i]))
			continue; /* none of EAL's */
		add(a, "--vdev");
		add(a, cfg->vdevs[i]);
	}
}

/* ---- what may be wrong ---------------------------------------------------------------------- */

static unsigned long free_huge_pages(void)
{
	unsigned long sum = 0, n;
	glob_t g;
	size_t i;
	FILE *f;

	if (glob("/sys/kernel/mm/hugepages/*/free_hugepages", 0, NULL, &g) != 0)
		return 0;
	for (i = 0; i < g.gl_pathc; i++) {
		f = fopen(g.gl_pathv[i], "r");
		if (f && fscanf(f, "%lu", &n) == 1)
			sum += n;
		if (f)
			fclose(f);
	}
	globfree(&g);
	return sum;
}

static int check_args(const struct eal_args *a, char *why, size_t why_bytes)
{
	if (a->n == MAX_ARGS)
		return fail(why, why_bytes, -EINVAL, "more than %d EAL arguments", MAX_ARGS - 1);
	if (has(a, "--no-huge") && has(a, "--in-memory"))
		return fail(why, why_bytes, -EINVAL, "--no-huge and --in-memory exclude each "
			"other: leave out one of them");
	if (!has(a, "--no-huge") && free_huge_pages() == 0)
		return fail(why, why_bytes, -ENOMEM, "no huge pages are free: run 'sysctl "
			"vm.nr_hugepages=512' as root, or add --no-huge");
	return 0;
}

static const char *vdev_of(const struct eal_args *a, int *i)
{
	for (; *i < a->n; (*i)++) {
		if (strcmp(a->v[*i], "--vdev") == 0 && *i + 1 < a->n)
			return a->v[++*i];
		if (strncmp(a->v[*i], "--vdev=", 7) == 0)
			return a->v[*i] + 7;
	}
	return NULL;
}

static bool exists(const char *vdev)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	uint16_t id;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(vdev, ","), vdev);
	return rte_eth_dev_get_port_by_name(name, &id) == 0;
}

static int no_vdev(const char *vdev, char *why, size_t why_bytes)
{
	const char *hint = strstr(vdev, "iface=")
		? "does the interface exist, and may this user open it?" : "";

	return fail(why, why_bytes, -ENODEV, "the device '%s' cannot be made: %s%s%s", vdev,
		last_error[0] ? last_error : "the driver says no more", hint[0] ? "; " : "", hint);
}

/* EAL goes on without a vdev that it could not make. */
static int check_vdevs(const struct eal_args *a, char *why, size_t why_bytes)
{
	const char *vdev;
	int i = 0;

	for (; (vdev = vdev_of(a, &i)); i++)
		if (!exists(vdev))
			return no_vdev(vdev, why, why_bytes);
	return 0;
}

/* ---- start ---------------------------------------------------------------------------------- */

struct stdio_capture {
	int file, out, err;
};

/* For raw arguments, EAL and getopt write what they think of them, and a page of usage, to stdout
 * and stderr: hold that back while rte_eal_init runs. */
static void hold_stdio(struct stdio_capture *c)
{
	fflush(stdout);
	fflush(stderr);
	c->file = memfd_create("perch-eal", MFD_CLOEXEC);
	if (c->file < 0)
		return;
	c->out = dup(STDOUT_FILENO);
	c->err = dup(STDERR_FILENO);
	dup2(c->file, STDOUT_FILENO);
	dup2(c->file, STDERR_FILENO);
	last_words = c->err;
}

/* Give stdio back; the first line that was written goes to text. */
static void release_stdio(struct stdio_capture *c, char *text, size_t size)
{
	ssize_t n;

	text[0] = '\0';
	if (c->file < 0)
		return;
	fflush(stdout);
	fflush(stderr);
	dup2(c->out, STDOUT_FILENO);
	dup2(c->err, STDERR_FILENO);
	last_words = STDERR_FILENO;
	close(c->out);
	close(c->err);
	n = pread(c->file, text, size - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	close(c->file);
}

static int explain(int error, const char *said, char *why, size_t why_bytes)
{
	const char *text = last_error[0] ? last_error : said;

	if (strncmp(said, "perch: ", 7) == 0) /* getopt knows which argument it is */
		text = said + 7;
	if (error == EACCES || error == EPERM)
		return fail(why, why_bytes, -EPERM, "EAL lacks a permission (%s): run as root, or "
			"add --no-huge --no-pci", text);
	if (error == ENOMEM)
		return fail(why, why_bytes, -ENOMEM, "EAL got no memory (%s): reserve more huge "
			"pages, or give less with -m", text);
	return fail(why, why_bytes, -EINVAL, "EAL does not start: %s", text[0] ? text
		: rte_strerror(error));
}

/* rte_eal_init pins the calling thread and walks getopt: both are put back. */
static int init(struct eal_args *a, bool raw, char *why, size_t why_bytes)
{
	struct stdio_capture held = {.file = -1};
	int old_optind = optind, old_opterr = opterr, rc, error;
	char said[200] = "", *v[MAX_ARGS + 1];
	cpu_set_t affinity;
	bool pinned = pthread_getaffinity_np(pthread_self(), sizeof(affinity), &affinity) == 0;

	memcpy(v, a->v, sizeof(v));
	if (raw && !has(a, "-h") && !has(a, "--help"))
		hold_stdio(&held);
	rc = rte_eal_init(a->n, v);
	error = rte_errno;
	release_stdio(&held, said, sizeof(said));
	optind = old_optind;
	opterr = old_opterr;
	if (pinned)
		pthread_setaffinity_np(pthread_self(), sizeof(affinity), &affinity);
	return rc < 0 ? explain(error, said, why, why_bytes) : 0;
}

static struct {
	pid_t pid; /* a child that exits has no EAL to end */
	sem_t resting;
} end;

static void rest(void *arg)
{
	(void)arg;
	sem_post(&end.resting);
	for (;;)
		pause();
}

/* An event of our own, in whose callback EAL's interrupt thread stays. */
static bool stop_interrupts(void)
{
	struct rte_intr_handle *h = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
	int fd = eventfd(1, EFD_CLOEXEC), tries = REST_MS;
	bool registered = h && fd >= 0 && rte_intr_fd_set(h, fd) == 0 &&
		rte_intr_type_set(h, RTE_INTR_HANDLE_EXT) == 0 &&
		rte_intr_callback_register(h, rest, NULL) == 0;

	rte_intr_instance_free(h); /* EAL keeps a copy */
	if (!registered)
		return false;
	for (; sem_trywait(&end.resting) < 0; usleep(1000))
		if (tries-- == 0)
			return false;
	return true;
}

/* rte_eal_cleanup unmaps what EAL's interrupt thread still walks through, and does not end that
 * thread first. */
static void clean_up(void)
{
	if (getpid() == end.pid && stop_interrupts())
		rte_eal_cleanup();
}

static int first_start(const struct perch_eal_config *cfg, char *why, size_t why_bytes)
{
	static bool tried; /* rte_eal_init works once, whatever it returned */
	static struct eal_args a;
	int rc;

	if (tried)
		return fail(why, why_bytes, -EALREADY, "EAL has failed to start before in this "
			"process, and can be started only once");
	while (a.n > 0) /* of an earlier call, whose arguments were refused */
		free(a.v[--a.n]);
	a = (struct eal_args){.n = 0};
	build_args(cfg, &a);
	rc = check_args(&a, why, why_bytes);
	if (rc < 0)
		return rc;
	tried = true;
	take_over_log(cfg->log_level != NULL);
	if (cfg->log_level)
		rte_log_set_global_level(RTE_LOG_DEBUG);
	rc = init(&a, cfg->argc > 0, why, why_bytes);
	if (rc < 0)
		return rc;
	end.pid = getpid();
	sem_init(&end.resting, 0, 0);
	atexit(clean_up);
	running = true;
	return check_vdevs(&a, why, why_bytes);
}

static int add_vdevs(const char *const *vdevs, char *why, size_t why_bytes)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	size_t len;

	for (; vdevs && *vdevs; vdevs++) {
		if (perch_crowd_is(*vdevs))
			continue;
		len = strcspn(*vdevs, ",");
		snprintf(name, sizeof(name), "%.*s", (int)len, *vdevs);
		if (rte_eal_hotplug_add("vdev", name, (*vdevs)[len] ? *vdevs + len + 1 : "") < 0)
			return no_vdev(*vdevs, why, why_bytes);
	}
	return 0;
}

static int add_crowds(const char *const *vdevs, char *why, size_t why_bytes)
{
	int rc = 0;

	for (; vdevs && *vdevs && rc == 0; vdevs++)
		if (perch_crowd_is(*vdevs))
			rc = perch_crowd_open(*vdevs, why, why_bytes);
	return rc;
}

int perch_eal_start(const struct perch_eal_config *cfg, char *why, size_t why_bytes)
{
	int rc;

	pthread_mutex_lock(&lock);
	last_error[0] = '\0';
	if (!running)
		rc = first_start(cfg, why, why_bytes);
	else
		rc = add_vdevs(cfg->vdevs, why, why_bytes);
	if (rc == 0)
		rc = add_crowds(cfg->vdevs, why, why_bytes);
	pthread_mutex_unlock(&lock);
	return rc;
}

/* ---- threads -------------------------------------------------------------------------------- */

int perch_eal_enter_thread(void)
{
	if (rte_lcore_id() != LCORE_ID_ANY)
		return 0;
	if (rte_thread_register() != 0)
		return -ENOSPC;
	entered = true;
	return 0;
}

void perch_eal_leave_thread(void)
{
	if (entered)
		rte_thread_unregister();
	entered = false;
}

unsigned perch_eal_lcores(int *cpus, unsigned max)
{
	unsigned id, n = 0, cpu;
	rte_cpuset_t set;

	RTE_LCORE_FOREACH(id) {
		set = rte_lcore_cpuset(id);
		if (n < max) {
			cpus[n] = -1;
			for (cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&set) == 1; cpu++)
				if (CPU_ISSET(cpu, &set))
					cpus[n] = (int)cpu;
		}
		n++;
	}
	return n;
}
