/* SPDX-License-Identifier: BSD-3-Clause
 * An engine's life: open, run or poll, stop, close.
 */
#include "engine/lcore.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "drivers-glue/eal.h"
#include "engine/config.h"
#include "sched/dump.h"
#include "tcp-lite/tcp.h"

static int choose_seed(struct perch *e, const struct perch_config *cfg, struct perch_why *why)
{
	e->seed = e->playback ? perch_playback_seed(e->playback) : cfg->seed;
	if (e->seed == 0 && getrandom(&e->seed, sizeof(e->seed), 0) != sizeof(e->seed))
		return perch_why(why, -EIO, "the kernel gave no random seed");
	return 0;
}

static int open_lcores(
	struct perch *e, const struct perch_config *cfg, const int *cpus, struct perch_why *why)
{
	struct perch_sched_config sched;
	struct perch_net_config net;
	struct perch_port_info port;
	unsigned i, k, wanted = e->n_lcores;
	int rc;

	perch_port_info(e->port, &port);
	rc = perch_config_net(cfg, &port, e->seed, &net, why);
	if (rc < 0)
		return rc;
	perch_config_sched(cfg, &sched);
	e->n_lcores = 0;
	e->lcores = calloc(wanted, sizeof(*e->lcores));
	if (!e->lcores || perch_groups_open(&e->groups, (wanted - 1) * net.max_memberships) < 0)
		return perch_why(why, -ENOMEM, "out of memory");
	for (i = 0; i < wanted; i++) {
		rc = perch_lcore_open(&e->lcores[i], e, i, cpus[i], &net, &sched);
		if (rc < 0)
			return perch_why(why, rc, "lcore %u cannot get the memory for its limits "
				"(%u connections): %s", i, net.max_flows, strerror(-rc));
		e->lcores[i]->rx_burst = cfg->rx_burst ? cfg->rx_burst : PERCH_BURST;
		e->lcores[i]->stages.always = cfg->stamp_turns;
		if (cfg->count_cycles)
			perch_sched_count_cycles(e->lcores[i]->sched, true);
		e->n_lcores++;
	}
	for (i = 0; i < wanted; i++)
		for (k = 0; k < wanted; k++)
			if (i != k && cpus[i] == cpus[k])
				e->lcores[i]->shared_cpu = true;
	return 0;
}

/* Under a playback one thread runs all lcores, wherever it is. */
static int choose_lcores(
	struct perch *e, const struct perch_config *cfg, int *cpus, struct perch_why *why)
{
	int n = perch_config_lcores(cfg, cpus, why), i;

	if (n < 0 || !e->playback)
		return n;
	if (perch_playback_lcores(e->playback))
		n = (int)perch_playback_lcores(e->playback);
	for (i = 0; i < n; i++)
		cpus[i] = -1;
	return n;
}

static int open_parts(struct perch *e, const struct perch_config *cfg, struct perch_why *why)
{
	char text[sizeof(why->text)] = "";
	struct perch_eal_config eal;
	struct perch_port_config port;
	int cpus[PERCH_MAX_LCORES], rc;

	perch_config_eal(cfg, e->playback != NULL, &eal);
	rc = perch_eal_start(&eal, text, sizeof(text));
	if (rc < 0)
		return perch_why(why, rc, "%s", text);
	rc = choose_lcores(e, cfg, cpus, why);
	if (rc < 0)
		return rc;
	e->n_lcores = (unsigned)rc;
	perch_config_port(cfg, e->n_lcores, cpus, e->playback, &port);
	rc = perch_port_open(&e->port, &port, text, sizeof(text));
	if (rc < 0) {
		e->n_lcores = 0;
		return perch_why(why, rc, "%s", text);
	}
	return open_lcores(e, cfg, cpus, why);
}

static int start_recording(
	struct perch *e, const struct perch_config *cfg, struct perch_why *why)
{
	int rc = perch_record_open(&e->recorder, e, cfg, why);
	unsigned i;

	for (i = 0; i < e->n_lcores; i++) {
		e->lcores[i]->recorded = e->recorder != NULL;
		if (e->recorder) /* whoever plays it has no port that cuts */
			perch_tcp_cut_all(e->lcores[i]->net);
		e->lcores[i]->scripted = e->playback && perch_playback_is_script(e->playback);
	}
	return rc;
}

int perch_open(struct perch **out, const struct perch_config *cfg, struct perch_why *why)
{
	struct perch *e;
	int rc;

	if (!out || !cfg)
		return perch_why(why, -EINVAL, "perch_open needs a place for the engine and a "
			"configuration");
	*out = NULL;
	rc = perch_config_check(cfg, why);
	if (rc < 0)
		return rc;
	e = calloc(1, sizeof(*e));
	if (!e)
		return perch_why(why, -ENOMEM, "out of memory");
	pthread_mutex_init(&e->groups.lock, NULL);
	e->idle = cfg->idle;
	e->until_idle_ns = cfg->until_idle_ns;
	e->drain_ns = cfg->drain_ns ? cfg->drain_ns : INT64_C(1000000000);
	rc = perch_playback_open(&e->playback, cfg, why);
	if (rc == 0)
		rc = choose_seed(e, cfg, why);
	if (rc == 0 && cfg->report_overflows)
		rc = perch_overflow_open(&e->overflow);
	if (rc == 0)
		rc = open_parts(e, cfg, why);
	if (rc == 0)
		rc = start_recording(e, cfg, why);
	if (rc < 0) {
		perch_close(e);
		return rc;
	}
	*out = e;
	return 0;
}

void perch_close(struct perch *e)
{
	unsigned i;

	if (!e)
		return;
	perch_record_close(e->recorder, e);
	for (i = 0; i < e->n_lcores; i++)
		perch_lcore_close(e->lcores[i]);
	free(e->lcores);
	if (e->port)
		perch_port_close(e->port);
	perch_playback_close(e->playback);
	if (e->poll_entered)
		perch_eal_leave_thread();
	perch_overflow_close(e->overflow);
	perch_groups_close(&e->groups);
	free(e);
}

static void run_until_stopped(struct perch_lcore *l)
{
	perch_lcore_self = l;
	while (l->phase != PERCH_STOPPED)
		if (perch_lcore_turn(l) == 0)
			perch_lcore_idle(l);
	perch_lcore_self = NULL;
	atomic_store(&l->ended, true);
}

static void *lcore_main(void *arg)
{
	struct perch_lcore *l = arg;
	bool entered = perch_eal_enter_thread() == 0; /* else slower: no mempool cache */
	struct perch_overflow_watch *watch = NULL;

	if (l->engine->overflow) /* without memory for it an overflow is a bare SIGSEGV */
		perch_overflow_watch(&watch, l->engine->overflow, l->sched);
	run_until_stopped(l);
	perch_overflow_unwatch(watch);
	if (entered)
		perch_eal_leave_thread();
	return NULL;
}

static int start_thread(struct perch_lcore *l)
{
	pthread_attr_t attr;
	cpu_set_t cpus;
	char name[16];
	int rc;

	pthread_attr_init(&attr);
	if (l->cpu >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET((unsigned)l->cpu, &cpus);
		pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	}
	rc = pthread_create(&l->thread, &attr, lcore_main, l);
	pthread_attr_destroy(&attr);
	if (rc != 0)
		return -rc;
	snprintf(name, sizeof(name), "perch-%u", l->id);
	pthread_setname_np(l->thread, name);
	l->has_thread = true;
	return 0;
}

int perch_run(struct perch *e)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
	sigset_t all, before;
	unsigned i;
	int rc = 0;

	if (atomic_exchange(&e->running, true))
		return -EBUSY;
	if (e->playback) {
		rc = perch_playback_run(e);
		atomic_store(&e->running, false);
		return rc;
	}
	/* The lcores' threads take no signals: those are the caller's. But their own faults. */
	sigfillset(&all);
	for (i = 0; i < RTE_DIM(faults); i++)
		sigdelset(&all, faults[i]);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (i = 0; i < e->n_lcores && rc == 0; i++)
		rc = start_thread(e->lcores[i]);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc < 0)
		perch_stop(e);
	for (i = 0; i < e->n_lcores; i++) {
		if (e->lcores[i]->has_thread)
			pthread_join(e->lcores[i]->thread, NULL);
		e->lcores[i]->has_thread = false;
	}
	perch_port_send_rest(e->port);
	atomic_store(&e->running, false);
	return rc;
}

int perch_poll(struct perch *e, unsigned turns)
{
	struct perch_lcore *l = e->lcores[0], *outer = perch_lcore_self;
	unsigned done, work = 0;

	if (e->playback)
		return perch_playback_poll(e, turns);
	if (e->n_lcores != 1)
		return -EINVAL;
	if (l->phase == PERCH_STOPPED)
		return -ESHUTDOWN;
	if (unlikely(!e->poll_entered))
		e->poll_entered = perch_eal_enter_thread() == 0;
	perch_lcore_self = l;
	while (turns-- > 0 && (done = perch_lcore_turn(l)) > 0)
		work += done;
	perch_lcore_self = outer;
	if (unlikely(l->phase == PERCH_STOPPED))
		atomic_store(&l->ended, true);
	return (int)RTE_MIN(work, (unsigned)INT32_MAX);
}

void perch_stop(struct perch *e)
{
	atomic_store(&e->stop, true);
}

void perch_mute(struct perch *e, bool muted)
{
	atomic_store(&e->muted, muted);
}

unsigned perch_lcores(const struct perch *e)
{
	return e->n_lcores;
}
