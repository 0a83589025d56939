/* SPDX-License-Identifier: BSD-3-Clause
 * An lcore owns one of everything: its queue of the port, its net, its scheduler, its timing wheel,
 * its clock and counters. Nothing in it is touched by another thread but the mailbox and the
 * flags marked so.
 */
#ifndef PERCH_ENGINE_LCORE_H
#define PERCH_ENGINE_LCORE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "drivers-glue/port.h"
#include "engine/clock.h"
#include "engine/playback.h"
#include "engine/record.h"
#include "engine/perch.h"
#include "engine/stage.h"
#include "sched/coro.h"
#include "sched/mailbox.h"
#include "sched/overflow.h"
#include "sched/wheel.h"
#include "tcp-lite/net.h"

enum perch_lcore_limits {
	PERCH_BURST = 32,      /* packets received per turn at most: two vector bursts */
	PERCH_MAIL = 4096,     /* messages that may wait for an lcore: starts, wakes, questions */
};

enum perch_phase {        /* the life of an lcore, driven by its own turns */
	PERCH_RUNNING,
	PERCH_SETTLING,   /* stop was asked for: accepts no more, deals with what came before */
	PERCH_UNWINDING,  /* coroutines are cancelled, connections finish */
	PERCH_STOPPED,
};

struct perch_listener { /* the cookie of tcp-lite's listener */
	struct perch_addr local;
	perch_handler fn;
	void *arg;
};

struct perch_lcore {
	/* The turn. */
	int64_t now_ns;
	struct perch_port *port;
	struct perch_net *net;
	struct perch_sched *sched;
	struct perch_wheel *flow_timers; /* ids are TCP flow ids */
	struct perch_clock clock;
	struct perch_mailbox *mail; /* the one way in for other threads */
	struct perch_tcb *viewed; /* whose bytes the last perch_next showed; may be gone by now */
	bool shared_cpu;          /* another lcore has the same CPU: give way when idle */
	bool stop_now, muted_now; /* what the engine's flags were when the turn began */
	bool recorded;            /* engine->recorder is there */
	bool scripted;            /* a recording says what happens in each turn */
	enum perch_phase phase;
	int64_t phase_until_ns;   /* when the current phase ends at the latest */
	int64_t unwind_until_ns;  /* but not before, while coroutines go on returning */
	uint32_t unwinding;       /* how many were left when that was last put off */
	int64_t busy_ns;          /* the last turn that found something to do */
	bool timers_wait;         /* for the next turn */
	unsigned late_bursts;     /* so many full ones may come before timers fire: see turn.c */
	int64_t tx_held_ns;       /* since when the port has taken nothing; 0: it does */
	uint64_t turns, idle_turns;
	uint16_t rx_burst;        /* packets received per turn, at most PERCH_BURST */
	bool tx_full;             /* in this turn the port did not take all that it was given */
	uint64_t tx_taken;        /* packets that the port took */
	uint64_t tx_before;       /* of them, before this turn */
	uint32_t groups_told;     /* net->group_gen that the port knows of */
	uint32_t groups_seen;     /* lcore 0: engine->groups.gen that it has followed */
	struct perch_stages stages;

	/* Set up once. */
	struct perch *engine;
	unsigned id;
	int cpu;                  /* -1: not pinned */
	struct perch_listener *listeners;
	unsigned n_listeners, max_listeners;
	void *net_memory;
	size_t net_memory_bytes;
	pthread_t thread;
	bool has_thread;
	_Atomic bool ended;       /* its mail is read no more */
};

/* Groups that lcores other than 0 have joined: lcore 0 joins them for all, so that one host speaks
 * to routers with one voice, and nobody's leave cuts off another lcore. */
struct perch_shared_group {
	struct perch_ip group, source;
	uint32_t wanted; /* memberships; 0 and not joined: free */
	bool joined;     /* by lcore 0 */
};

struct perch_share { /* of one lcore, by +1 or -1 */
	struct perch_ip group, source;
	int by;
};

struct perch_shared_groups {
	pthread_mutex_t lock; /* taken to join, to leave, and by a turn of lcore 0 after that */
	_Atomic uint32_t gen; /* changes with entries */
	uint32_t n;
	struct perch_shared_group *entries;
};

struct perch {
	unsigned n_lcores;
	struct perch_lcore **lcores;
	struct perch_port *port;
	struct perch_playback *playback; /* NULL: real time and a device */
	struct perch_recorder *recorder; /* NULL: not asked for */
	enum perch_idle idle;
	int64_t drain_ns, until_idle_ns;
	uint64_t seed;
	_Atomic bool stop, muted, running;
	bool poll_entered;        /* perch_poll gave its thread an lcore id */
	struct perch_shared_groups groups;
	struct perch_overflow *overflow; /* NULL: not asked for */
};

/* The lcore whose turn this thread runs, or NULL. The one thread-local of perch: it is what makes
 * plain calls like perch_sleep(deadline) possible in a handler. */
extern __thread struct perch_lcore *perch_lcore_self;

/* Set up and tear down; the port is open. Returns 0 or a negative errno. Control. */
int perch_lcore_open(struct perch_lcore **out, struct perch *e, unsigned id, int cpu,
	const struct perch_net_config *net, const struct perch_sched_config *sched);
void perch_lcore_close(struct perch_lcore *l);

/* One turn. Returns how many packets, timers, events and coroutines it dealt with. */
unsigned perch_lcore_turn(struct perch_lcore *l);

/* Would a turn at l->now_ns do anything, if no packet came? */
bool perch_lcore_has_work(struct perch_lcore *l);

/* Wait as the idle policy says, after a turn that found nothing. */
void perch_lcore_idle(struct perch_lcore *l);

/* Listen on this lcore. Its own thread, or control while it does not run. */
int perch_lcore_listen(
	struct perch_lcore *l, const struct perch_addr *local, perch_handler fn, void *arg);
void perch_lcore_unlisten(struct perch_lcore *l);

/* Tell the port, and for lcore 0 the routers, what has been joined and left since the last call. */
void perch_lcore_follow_groups(struct perch_lcore *l);
static inline bool perch_lcore_groups_moved(const struct perch_lcore *l)
{
	return l->groups_told != l->net->group_gen ||
		(l->id == 0 && l->groups_seen !=
			atomic_load_explicit(&l->engine->groups.gen, memory_order_relaxed));
}
/* Memory for what n other lcores may join. Returns 0 or -ENOMEM. Control. */
int perch_groups_open(struct perch_shared_groups *s, uint32_t n);
void perch_groups_close(struct perch_shared_groups *s);

/* A connection's segments leave now, before the end of the turn, and with them what lies in net->tx
 * already. From a coroutine of the turn that is on. */
void perch_lcore_push(struct perch_lcore *l, struct perch_tcb *t);

/* Give an accepted connection its coroutine. */
void perch_conn_accept(struct perch_lcore *l, struct perch_flow *f);

#endif
