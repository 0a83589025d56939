/* SPDX-License-Identifier: BSD-3-Clause
 * What the hot path never does: call the kernel, or an allocator. Two engines on net_ring echo TCP
 * and UDP to each other; after a warm-up, a seccomp filter that kills is installed, or every
 * allocator of the process is counted, and a million turns go on; then the same with a recording.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <seccomp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "engine/perch_mbuf.h"
#include "tests/engine/pair.h"
#include "tests/suite.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { PORT = 7, PACKET_PORT = 8, LENT = 3000, CONNS = 16, WARM_UP = 20000, TURNS = 1000000 };
enum { RECORDED_TURNS = TURNS / 10 }; /* they go to a disk */

static volatile bool over;
static volatile uint64_t echoes, datagrams, loans;
static struct perch_memory *memory;

static void echo(struct perch_conn *c, void *arg)
{
	struct perch_bytes b;

	(void)arg;
	while ((b = perch_next(c, PERCH_FOREVER)).len > 0)
		if (perch_write(c, b.data, (size_t)b.len, PERCH_FOREVER) < 0)
			break;
}

static void client(void *arg)
{
	struct perch_addr to;
	struct perch_conn *c;
	char back[64];

	(void)arg;
	perch_addr_parse(PAIR_B4, PORT, &to);
	if (perch_dial(&to, NULL, &c, PERCH_FOREVER) < 0)
		return;
	while (!over && perch_write(c, "sixteen bytes..", 16, PERCH_FOREVER) == 16 &&
		perch_read(c, back, sizeof(back), PERCH_FOREVER) == 16)
		echoes = echoes + 1;
	perch_hangup(c);
}

/* To and fro without a copy: lent memory there, packets as they are back. */
static void packet_echo(struct perch_conn *c, void *arg)
{
	struct rte_mbuf *m;

	(void)arg;
	while (perch_next_mbuf(c, &m, PERCH_FOREVER) > 0)
		if (perch_write_mbuf(c, m, PERCH_FOREVER) < 0) {
			rte_pktmbuf_free(m);
			break;
		}
}

static void lender(void *arg)
{
	struct perch_bytes b = {NULL, 1};
	struct perch_addr to;
	struct perch_conn *c;
	int64_t got;

	(void)arg;
	perch_addr_parse(PAIR_B4, PACKET_PORT, &to);
	if (perch_dial(&to, NULL, &c, PERCH_FOREVER) < 0)
		return;
	while (!over && perch_lend(c, memory, 0, LENT, PERCH_FOREVER) == LENT) {
		for (got = 0; got < LENT && b.len > 0; got += b.len)
			b = perch_next(c, PERCH_FOREVER);
		loans = loans + 1;
	}
	perch_hangup(c);
}

static void udp_server(void *arg)
{
	struct perch_datagram d;
	struct perch_udp *u;

	(void)arg;
	if (perch_bind(NULL, PORT, &u) < 0)
		return;
	while (perch_recv(u, &d, PERCH_FOREVER) == 0)
		perch_reply(u, &d, d.data, d.len);
}

/* One datagram in flight, and a timer that fires now and then. The first may be lost: more wait for
 * the neighbour's MAC address than there is room for. */
static void udp_client(void *arg)
{
	struct perch_datagram d;
	struct perch_addr to;
	struct perch_udp *u;
	int rc = 0;

	(void)arg;
	perch_addr_parse(PAIR_B4, PORT, &to);
	if (perch_bind(NULL, 0, &u) < 0)
		return;
	while (!over && perch_send(u, &to, "tick", 4) == 0 && rc != -ECANCELED) {
		rc = perch_recv(u, &d, perch_now() + 5000000);
		datagrams = datagrams + (rc == 0);
		perch_sleep(perch_now() + 100000);
	}
}

static void turn(struct pair *p, unsigned turns)
{
	while (turns-- > 0) {
		perch_poll(p->a, 1);
		perch_poll(p->b, 1);
	}
}

static bool start(struct pair *p, const struct perch_config *cfg)
{
	int i;

	if (!pair_open(p, cfg))
		return false;
	perch_listen(p->b, NULL, PORT, echo, NULL);
	perch_listen(p->b, NULL, PACKET_PORT, packet_echo, NULL);
	if (perch_memory_open(&memory, p->a, NULL, LENT) < 0)
		return false;
	perch_start(p->b, 0, udp_server, NULL, 0);
	perch_start(p->a, 0, udp_client, NULL, 0);
	for (i = 0; i < CONNS; i++)
		perch_start(p->a, 0, client, NULL, 0);
	turn(p, 1000); /* only so many packets wait for one MAC address */
	perch_start(p->a, 0, lender, NULL, 0);
	return true;
}

/* ---- no syscalls ---------------------------------------------------------------------------- */

/* In a child: only write and exit_group are allowed from here on; all else kills. */
static int turns_without_kernel(int report, const struct perch_config *cfg)
{
	struct pair p;
	unsigned turns = cfg ? RECORDED_TURNS : TURNS;
	uint64_t before[3], after[3];
	scmp_filter_ctx filter;
	ssize_t written;

	if (!start(&p, cfg))
		return 2;
	turn(&p, WARM_UP);
	before[0] = echoes;
	before[1] = datagrams;
	before[2] = loans;
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 0);
	seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(exit_group), 0);
	if (seccomp_load(filter) != 0)
		return 3;
	turn(&p, turns);
	after[0] = echoes - before[0];
	after[1] = datagrams - before[1];
	after[2] = loans - before[2];
	written = write(report, after, sizeof(after));
	_exit(written == sizeof(after) ? 0 : 4);
}

static void without_kernel(const struct perch_config *cfg)
{
	unsigned turns = cfg ? RECORDED_TURNS : TURNS;
	uint64_t done[3] = {0, 0, 0};
	int fds[2], status = 0;
	pid_t child;

	if (SANITIZED) {
		suite_skip("a sanitizer makes syscalls of its own");
		return;
	}
	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(turns_without_kernel(fds[1], cfg));
	close(fds[1]);
	CU_ASSERT_EQUAL(read(fds[0], done, sizeof(done)), sizeof(done));
	close(fds[0]);
	waitpid(child, &status, 0);
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	if (WIFSIGNALED(status))
		printf("  a syscall was made: killed by signal %d\n", WTERMSIG(status));
	CU_ASSERT_TRUE(done[0] > turns / 10); /* there was traffic */
	CU_ASSERT_TRUE(done[1] > 10);
	CU_ASSERT_TRUE(done[2] > turns / 100);
}

static void no_syscalls(void)
{
	without_kernel(NULL);
}

/* ---- the same while it is recorded ---------------------------------------------------------- */

struct recording {
	char folder[32], file[48];
};

static struct perch_config recorded(struct recording *r)
{
	snprintf(r->folder, sizeof(r->folder), "/tmp/perch-hot-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(r->folder));
	snprintf(r->file, sizeof(r->file), "%s/day", r->folder);
	return (struct perch_config){.record = r->file, .record_mb = 4};
}

static void remove_recording(const struct recording *r)
{
	struct stat st = {0};
	char ring[64];

	snprintf(ring, sizeof(ring), "%s.ring", r->file);
	unlink(ring);
	stat(r->file, &st);
	if (!SANITIZED) /* it was recorded: more than a byte for each turn */
		CU_ASSERT_TRUE(st.st_size > TURNS);
	unlink(r->file);
	CU_ASSERT_EQUAL(rmdir(r->folder), 0);
}

/* Blocks go to a mapped ring; the thread that moves them to the file was there before the filter
 * was, and is none of the hot path. */
static void no_syscalls_recorded(void)
{
	struct recording r;
	struct perch_config cfg = recorded(&r);

	without_kernel(&cfg);
	remove_recording(&r);
}

/* The filter does notice: the same turns with one getppid among them die. */
static void the_filter_kills(void)
{
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

		seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(exit_group), 0);
		seccomp_load(filter);
		getppid();
		_exit(0);
	}
	waitpid(child, &status, 0);
	CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

/* ---- no allocation -------------------------------------------------------------------------- */

/* These stand in for libc's in the whole process, shared libraries included. */
static _Atomic bool counting;
static _Atomic uint64_t allocations;

#if !SANITIZED
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

static void count(void)
{
	if (counting)
		allocations++;
}

void *malloc(size_t size)
{
	count();
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	count();
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	count();
	return __libc_realloc(p, size);
}

void free(void *p)
{
	if (p)
		count();
	__libc_free(p);
}
#endif

/* Every stage of a turn has its time, and together they had no more than there was. */
static void stages_add_up(const struct pair *p, uint64_t cycles)
{
	static const char *const stages[] = {"stage_rx_cycles", "stage_input_cycles",
		"stage_timers_cycles", "stage_wake_cycles", "stage_handlers_cycles",
		"stage_output_cycles", "stage_tx_cycles"};
	uint64_t sum = 0, value;
	unsigned i;

	CU_ASSERT_TRUE(pair_counter(p->b, "stage_turns") > TURNS / 1000);
	CU_ASSERT_TRUE(pair_counter(p->b, "stage_packets") > TURNS / 1000);
	for (i = 0; i < RTE_DIM(stages); i++) {
		value = pair_counter(p->b, stages[i]);
		CU_ASSERT_TRUE(value > 0);
		sum += value;
	}
	CU_ASSERT_TRUE(sum < cycles / 16); /* one turn in 64 is stamped, and a has its own */
}

static void without_allocator(const struct perch_config *cfg)
{
	unsigned turns = cfg ? RECORDED_TURNS : TURNS;
	uint64_t tsc = rte_rdtsc();
	struct pair p;
	void *volatile canary;

	if (SANITIZED) {
		suite_skip("a sanitizer owns the allocator");
		return;
	}
	allocations = 0;
	over = false;
	CU_ASSERT_TRUE_FATAL(start(&p, cfg));
	turn(&p, WARM_UP);
	counting = true;
	turn(&p, turns);
	counting = false;
	CU_ASSERT_EQUAL(allocations, 0);
	counting = true; /* and it would have noticed */
	canary = malloc(1);
	counting = false;
	CU_ASSERT_EQUAL(allocations, 1);
	free(canary);
	if (!cfg)
		stages_add_up(&p, rte_rdtsc() - tsc);
	over = true;
	pair_close(&p);
}

static void no_allocations(void)
{
	without_allocator(NULL);
}

static void no_allocations_recorded(void)
{
	struct recording r;
	struct perch_config cfg = recorded(&r);

	without_allocator(&cfg);
	remove_recording(&r);
}

int main(int argc, char **argv)
{
	const struct suite_case cases[] = {
		{"the_filter_kills", the_filter_kills},
		{"no_syscalls", no_syscalls}, /* in a child that starts EAL, so before this process does */
		{"no_syscalls_recorded", no_syscalls_recorded},
		{"no_allocations", no_allocations},
		{"no_allocations_recorded", no_allocations_recorded},
		{NULL, NULL},
	};

	return suite_main("hot_path", cases, argc, argv);
}
