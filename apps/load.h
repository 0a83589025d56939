/* SPDX-License-Identifier: BSD-3-Clause
 * What the parts of perch-load share: what was asked for, and what each lcore has counted.
 */
#ifndef PERCH_APPS_LOAD_H
#define PERCH_APPS_LOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <perch.h>

#include "apps/hist.h"

enum load_limits {
	LOAD_LARGEST = 64 << 10,     /* bytes of a message */
	LOAD_LARGEST_DATAGRAM = 1400,
	LOAD_DEPTH_MAX = 256,        /* requests in flight on one connection */
	LOAD_IN_FLIGHT_MAX = 128 << 10, /* bytes, so that a send buffer always has room for them */
	LOAD_OPENING = 256,          /* connections that are being opened at a time */
	LOAD_MAX_LCORES = 64,
};

enum load_phase { LOAD_OPENS, LOAD_WARMS_UP, LOAD_MEASURES, LOAD_OVER };

struct load { /* what was asked for; constant while the engine runs, but for what is _Atomic */
	struct perch_addr to;
	struct perch_addr from; /* the first of n_from consecutive addresses to dial from */
	uint32_t n_from;
	uint64_t conns, hot, size, reply, depth, rate, duration_s, warm_up_s, time_wait_ms;
	uint64_t connect, udp, bulk, send, receive, lend, check, json, quiet;
	uint32_t ring_mask;     /* a job's ring has one slot more: a power of two */
	uint8_t *out;           /* depth messages in a row: what is sent; one-way, the pattern */
	struct perch_memory *memory; /* the same, to be lent; NULL: it is copied */
	_Atomic unsigned working; /* lcores that have not finished */
	unsigned n_workers;
	struct load_worker *workers;
};

/* A stream one way, of RFC 864's pattern; any stream, for which there are no requests. */
static inline bool load_is_one_way(const struct load *l)
{
	return l->send || l->receive;
}

static inline bool load_is_bulk(const struct load *l)
{
	return l->bulk || load_is_one_way(l);
}

/* One lcore's share. Its own coroutines write it; the progress line reads it meanwhile. */
struct load_worker {
	const struct load *load;
	enum load_phase phase;
	uint32_t conns, hot;    /* its share */
	double interval_ns;     /* between two requests of its share of the rate; 0: closed loop */
	struct load_job *jobs;
	uint32_t opened, opening, refused;
	int64_t start_ns, end_ns; /* of what is measured */
	/* The open loop: request number `ticket` is due at open_ns + ticket * interval_ns. */
	uint64_t ticket;
	int64_t open_ns;
	uint64_t requests, bytes, errors, lost, wrong; /* measured */
	int first_error;        /* a negative errno */
	struct hist hist;       /* ns from when a request was due to its last byte's arrival */
};

/* A connection, or a UDP socket, and the requests on their way on it: one cache line, for there may
 * be a million. */
struct load_job {
	struct load_worker *worker;
	union {
		struct perch_conn *conn; /* NULL: not open */
		struct perch_udp *udp;
	};
	uint32_t head, tail;     /* requests begun and finished, modulo 2^32 */
	uint64_t got;            /* bytes of the reply that is coming in; one-way: so far */
	uint32_t number;
	int64_t *ring;           /* when each request in flight was due; UDP: which are out */
	int64_t only_slot;       /* that ring, if depth is 1 */
	uint64_t unused;
};
_Static_assert(sizeof(struct load_job) == 64, "one cache line");

/* The coroutine that conducts an lcore's share; arg: the struct load. */
void load_conduct(void *arg);

/* What a job's coroutine does once its connection is open (load_tcp.c), or on its own socket
 * (load_udp.c); arg: the job. */
void load_tcp(struct load_job *j);
void load_connect(struct load_job *j);
void load_bulk(struct load_job *j);
void load_send(struct load_job *j);
void load_receive(struct load_job *j);
void load_udp(struct load_job *j);

/* Send one request that was due then. False: the job has as many in flight as it may. */
bool load_tcp_send(struct load_job *j, int64_t due_ns);
bool load_udp_send(struct load_job *j, int64_t due_ns);

/* Dial the target from the job's own address. */
int load_dial(struct load_job *j, struct perch_conn **c);

/* When the next request of the open loop is due; takes the ticket. */
int64_t load_take_ticket(struct load_worker *w);

/* Count one answered request, if this is the time that is measured. */
void load_answered(struct load_worker *w, int64_t due_ns, uint64_t bytes);
void load_failed(struct load_worker *w, int error);

#endif
