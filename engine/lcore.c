/* SPDX-License-Identifier: BSD-3-Clause
 * How an lcore comes and goes: all its memory is taken here, on its NUMA node, and given back here.
 */
#include "engine/lcore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drivers-glue/placement.h"
#include "engine/address.h"
#include "tcp-lite/tcp.h"

enum { FLOW_TICK_NS = 100000 }; /* grain of TCP's timers: a fiftieth of the smallest RTO floor */

static int open_net(struct perch_lcore *l, const struct perch_net_config *given, int node)
{
	struct perch_net_config cfg = *given;

	cfg.pool = perch_port_pool(l->port, l->id);
	cfg.passive = l->id != 0; /* lcore 0 announces our addresses for all */
	cfg.seed += l->id;
	cfg.now_ns = l->now_ns;
	l->net_memory_bytes = perch_net_bytes(&cfg);
	l->net_memory = perch_numa_alloc(l->net_memory_bytes, node);
	if (!l->net_memory)
		return -ENOMEM;
	return perch_net_open(&l->net, l->net_memory, &cfg);
}

static int64_t flow_due(void *lcore, uint32_t id)
{
	return perch_net_due(((struct perch_lcore *)lcore)->net, id);
}

/* The wheel's words are in the TCBs, which it thereby fetches. */
static int open_flow_timers(struct perch_lcore *l, uint32_t max_flows)
{
	struct perch_wheel_config cfg = {
		.max_ids = max_flows, .tick_ns = FLOW_TICK_NS, .now_ns = l->now_ns,
		.due = flow_due, .due_arg = l};

	cfg.words = perch_net_wheel_words(l->net, &cfg.word_stride_bytes);
	return perch_wheel_open(&l->flow_timers, &cfg);
}

int perch_lcore_open(struct perch_lcore **out, struct perch *e, unsigned id, int cpu,
	const struct perch_net_config *net, const struct perch_sched_config *sched)
{
	int node = perch_numa_node_of_cpu(cpu), rc;
	struct perch_sched_config sched_cfg = *sched;
	struct perch_lcore *l = perch_numa_alloc(sizeof(*l), node);

	if (!l)
		return -ENOMEM;
	l->engine = e;
	l->id = id;
	l->cpu = cpu;
	l->port = e->port;
	perch_clock_start(&l->clock);
	if (e->playback)
		perch_clock_set(&l->clock, perch_playback_start(e->playback, id));
	l->now_ns = l->busy_ns = perch_clock_now(&l->clock);
	l->max_listeners = net->max_listeners;
	l->listeners = calloc(l->max_listeners, sizeof(*l->listeners));
	rc = l->listeners ? open_net(l, net, node) : -ENOMEM;
	if (rc == 0) {
		sched_cfg.numa_node = node + 1;
		rc = perch_sched_open(&l->sched, &sched_cfg);
	}
	if (rc == 0)
		rc = perch_mailbox_open(&l->mail,
			&(struct perch_mailbox_config){.sched = l->sched, .slots = PERCH_MAIL});
	if (rc == 0)
		rc = open_flow_timers(l, net->max_flows);
	if (rc < 0) {
		perch_lcore_close(l);
		return rc;
	}
	*out = l;
	return 0;
}

void perch_lcore_close(struct perch_lcore *l)
{
	if (l->flow_timers)
		perch_wheel_close(l->flow_timers);
	perch_mailbox_close(l->mail);
	if (l->sched)
		perch_sched_close(l->sched);
	if (l->net)
		perch_net_close(l->net);
	perch_numa_free(l->net_memory, l->net_memory_bytes);
	free(l->listeners);
	perch_numa_free(l, sizeof(*l));
}

int perch_lcore_listen(
	struct perch_lcore *l, const struct perch_addr *local, perch_handler fn, void *arg)
{
	struct perch_ip ip = perch_ip_of(local);
	struct perch_listener *n = &l->listeners[l->n_listeners];
	int rc;

	if (l->n_listeners == l->max_listeners)
		return -ENOBUFS;
	*n = (struct perch_listener){.local = *local, .fn = fn, .arg = arg};
	rc = perch_tcp_listen(l->net, &ip, local->port, 0, n);
	if (rc == 0)
		l->n_listeners++;
	return rc;
}

void perch_lcore_unlisten(struct perch_lcore *l)
{
	struct perch_ip ip;

	while (l->n_listeners > 0) {
		l->n_listeners--;
		ip = perch_ip_of(&l->listeners[l->n_listeners].local);
		perch_tcp_unlisten(l->net, &ip, l->listeners[l->n_listeners].local.port);
	}
}
