/* SPDX-License-Identifier: BSD-3-Clause
 * perch: TCP and UDP over DPDK, each flow handled by a coroutine written as plain blocking code.
 *
 *	static void echo(struct perch_conn *c, void *arg)
 *	{
 *		struct perch_bytes b;
 *
 *		while ((b = perch_next(c, PERCH_FOREVER)).len > 0)
 *			if (perch_write(c, b.data, b.len, PERCH_FOREVER) < 0)
 *				break;
 *	}
 *
 *	struct perch_config cfg = {.vdevs = (const char *[]){"net_tap0", NULL},
 *		.addrs = (const char *[]){"10.99.0.2/24", NULL}};
 *	struct perch *engine;
 *
 *	perch_open(&engine, &cfg, NULL);
 *	perch_listen(engine, NULL, 7, echo, NULL);
 *	perch_run(engine);
 *	perch_close(engine);
 *
 * Conventions. Zero means default in every configuration field. Handles are opaque. Errors are
 * negative errno values; errno itself is never set, for coroutines share a thread. Every call that
 * can park takes an absolute deadline in nanoseconds of perch_now(), last; then it returns
 * -ETIMEDOUT. After perch_stop all parking calls return -ECANCELED: return from your coroutine.
 *
 * Contexts. "Control": any ordinary thread. "Coroutine": code that perch runs on an lcore, that is
 * handlers and what they call. A handle belongs to the lcore of the coroutine that got it.
 *
 * A coroutine's stack moves out of the way while it is parked: addresses of its locals are good for
 * itself, and for the calls below, but must not be given to another coroutine or thread. Spawn with
 * PERCH_PRIVATE_STACK for code that needs that, or that holds more than about 2 KB of locals.
 */
#ifndef PERCH_H
#define PERCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PERCH_API __attribute__((visibility("default")))

#define PERCH_VERSION "0.1.0"

/* A deadline that never comes. */
#define PERCH_FOREVER INT64_MAX

struct perch;      /* an engine: a port, and the lcores that serve it */
struct perch_conn; /* a TCP connection */
struct perch_udp;  /* a bound UDP socket */

/* ---- addresses ------------------------------------------------------------------------------ */

/* An IPv6 address, or an IPv4 one as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), and a port. */
struct perch_addr {
	uint8_t ip[16]; /* network order */
	uint16_t port;  /* host order */
};

/* From "10.0.0.1" or "fd00::1". Returns 0 or -EINVAL. Any context. */
PERCH_API int perch_addr_parse(const char *ip, uint16_t port, struct perch_addr *out);

enum { PERCH_ADDR_TEXT = 64 };
/* To "10.0.0.1:80" or "[fd00::1]:80". Returns buf. Any context. */
PERCH_API char *perch_addr_text(const struct perch_addr *a, char buf[PERCH_ADDR_TEXT]);

/* ---- an engine ------------------------------------------------------------------------------ */

enum perch_profile {
	PERCH_LATENCY, /* RTO floor 5 ms, no delayed ACKs, cwnd kept: data centres, the default */
	PERCH_WAN,     /* RTO floor 200 ms, ACKs delayed by up to 40 ms, cwnd decays when idle */
};

enum perch_idle_cwnd { /* the congestion window after idle time: RFC 5681, 4.1 */
	PERCH_CWND_BY_PROFILE,
	PERCH_CWND_KEEP,    /* the first burst after a pause goes out as one */
	PERCH_CWND_RESTART, /* halved for each timeout of the pause, down to the initial window */
};

enum perch_idle {
	PERCH_BUSY_POLL, /* never sleep: lowest latency, one CPU at 100 % per lcore */
	PERCH_BACK_OFF,  /* sleep in growing steps up to 100 us when nothing happens */
};

enum perch_dad {          /* are the addresses ours alone? */
	PERCH_DAD_OPTIMISTIC, /* IPv6: asked while in use (RFC 4429); IPv4: only announced */
	PERCH_DAD_STRICT,     /* both: asked first, for some 2 (IPv4: 7) seconds (RFC 4862, 5227) */
	PERCH_DAD_OFF,
};

struct perch_config {
	/* EAL, started once per process; a second engine adds its vdevs to it. Raw EAL arguments, as
	 * on a DPDK command line without argv[0], replace the other four fields. */
	int eal_argc;
	char *const *eal_argv;
	const char *const *vdevs; /* "net_tap0,iface=perch0", ..., NULL */
	bool no_huge;             /* ordinary pages: no root needed, no physical NIC, slower */
	bool pci;                 /* probe PCI devices */
	uint32_t memory_mb;

	/* The port. */
	const char *port;         /* ethdev name or PCI address; NULL: the port number port_index */
	uint16_t port_index;
	const char *const *addrs; /* required: "10.99.0.2/24", "fd00:99::2/64", ..., NULL; a range
	                           * "10.99.0.2-10.99.0.200/24" owns every address in it */
	const char *gw4, *gw6;
	enum perch_dad dad;       /* an address that another host has is given up, and counted */
	uint16_t mtu;             /* IP bytes; default 1500 */
	uint16_t vlan;            /* 802.1Q VLAN, 1 to 4094; 0: untagged frames */
	bool promiscuous;
	bool no_offloads;         /* checksums and cutting (TSO) in software */
	bool soft_offloads;       /* those that net_tap makes in software, too: only to test what
	                           * a NIC is asked for */

	/* The lcores: threads that perch_run makes, or one, driven by perch_poll. */
	uint16_t lcores;          /* default: what EAL was given by -l or --lcores, else 1 */
	const int *cpus;          /* CPU of each lcore, -1 not pinned; default: as EAL was told */
	enum perch_idle idle;
	uint16_t rx_burst;        /* packets received per turn, at most; default and most 32. Fewer:
	                           * the first one's handler waits for less, and each costs more */

	/* Limits, each per lcore. Reserved at open; beyond them requests are refused and counted. */
	uint32_t max_conns;       /* TCP connections, TIME_WAIT included; default 4,096 */
	uint32_t max_coroutines;  /* default max_conns + 1,024 */
	uint32_t max_listeners;   /* default 64 */
	uint32_t max_udp;         /* default 64 */
	uint32_t max_reassemblies; /* fragmented datagrams at a time, 66 KB each; default 32 */
	uint32_t max_memberships; /* perch_join: a socket, a group, a source; default 256 */
	uint32_t mbufs;           /* packet buffers of 2 KB; default 16,384. Queues share them, but
	                           * for 2,560 of the port (a quarter at least, half at most) */
	uint32_t stack_bytes;     /* the stack that coroutines run on; default 256 KB */
	bool share_one_stack;     /* all of them; default: the first 64 alive have one each, so that
	                           * nothing is copied while they are few */
	size_t saved_stack_bytes; /* for the stacks of those that wait; address space until it is
	                           * touched; default 512 for each coroutine and some. Beyond it
	                           * a wait returns -ENOMEM */
	uint32_t max_private_stacks;  /* default 1,024 */
	uint32_t private_stack_bytes; /* each; default 64 KB */

	/* TCP. */
	enum perch_profile profile;
	uint32_t sndbuf_bytes, rcvbuf_bytes; /* per connection, at most: they grow beyond 256 KB
	                           * where the path needs it; default 4 MB */
	uint32_t backlog;         /* per listener; default 1,024 */
	int64_t time_wait_ns;     /* 2 MSL; default 60 s */
	int64_t keepalive_ns;     /* idle time before the first probe; 0: off (perch_keepalive) */
	int64_t user_timeout_ns;  /* a connection is given up when what it wrote makes no progress
	                           * for so long; 0: after 15 tries. See perch_user_timeout */
	enum perch_idle_cwnd idle_cwnd;
	const char *cc;           /* congestion control: cubic (default) or newreno */

	int64_t until_idle_ns;    /* stop when nothing happens for so long: net_pcap tells no other
	                           * way that its capture has ended; 0: never */
	int64_t drain_ns;         /* how long a stop waits for connections to finish; default 1 s */
	uint64_t seed;            /* for all randomness; 0: from the kernel */

	const char *replay;       /* run from captures under a virtual clock, see perch-replay;
	                           * NULL: if the environment's PERCH_REPLAY says so */

	/* Record what comes from outside to one pcapng file that perch-replay plays again. NULL: to
	 * what the environment's PERCH_RECORD names, if anything (of port N > 0: that name and
	 * ".pN"). Beside it, in FILE.ring, lies a ring that outlives a crash. In a replay only
	 * PERCH_RECORD is followed, for the same command line once wrote what is replayed. */
	const char *record;
	uint32_t record_mb;       /* of that ring, per lcore; default 64 */
	bool record_last;         /* keep only the last record_mb */

	/* For people who look at it. */
	bool count_cycles;        /* per coroutine: two reads of the TSC at each switch */
	bool stamp_turns;         /* every turn's stages, not one's in 64: a read of the TSC each */
	bool report_overflows;    /* a SIGSEGV handler for perch_run's threads: a stack overflow is
	                           * reported to stderr by the name of the coroutine's function,
	                           * then the handler that was there before is called */
};

/* One sentence that says what went wrong and what to do. */
struct perch_why {
	char text[256];
};

/* Open an engine: EAL, port, pools, one of everything for each lcore. cfg and its strings are not
 * kept. why may be NULL. Control. Returns 0, or a negative errno with why filled in. */
PERCH_API int perch_open(struct perch **out, const struct perch_config *cfg, struct perch_why *why);

/* Make the lcores' threads, and wait until they have stopped. Signals, affinity and stdio of the
 * process are left alone. Control. Returns 0, -EBUSY if the engine is running, or why no thread
 * could be made. */
PERCH_API int perch_run(struct perch *e);

/* Or drive a one-lcore engine from a thread of your own, always the same: at most `turns` turns,
 * fewer when there is nothing to do. Returns how many packets, timers and coroutines were dealt
 * with (0: idle), -ESHUTDOWN when a stop is complete, or -EINVAL with several lcores. */
PERCH_API int perch_poll(struct perch *e, unsigned turns);

/* Stop: accept no more, cancel the coroutines, finish what is queued for at most drain_ns. Returns
 * at once. Any context, signal handlers too. */
PERCH_API void perch_stop(struct perch *e);

/* The kill switch: from its next turn on, every lcore drops what it would send, and counts it
 * (tx_stopped). false lets go again. Any context, signal handlers too. */
PERCH_API void perch_mute(struct perch *e, bool muted);

/* Free everything. The engine must have stopped or never have run. Control. NULL is fine. */
PERCH_API void perch_close(struct perch *e);

/* How many lcores the engine has. Any context. */
PERCH_API unsigned perch_lcores(const struct perch *e);

/* ---- coroutines ----------------------------------------------------------------------------- */

enum perch_spawn_flags {
	PERCH_PRIVATE_STACK = 1u << 0, /* a stack whose addresses stay valid while parked */
	PERCH_CHILD = 1u << 1,         /* perch_spawn only: never outlives the caller */
};

enum { PERCH_EVERY_LCORE = -1 };

/* Run fn(arg) as a coroutine on that lcore, or one on each: the door from other threads, and from
 * coroutines of other lcores. By a ring: no lock, no allocation. Any context. What comes before
 * perch_run runs, up to where it first parks, before a packet is received: nothing is too early for
 * what it binds. Returns 0, -EINVAL, or -ENOBUFS: 4,096 messages wait there already (counted). An
 * lcore that has no coroutine left for it counts that (co_refused). */
PERCH_API int perch_start(struct perch *e, int lcore, void (*fn)(void *), void *arg, unsigned flags);

/* The same on the caller's lcore. Coroutine. Returns 0, -EINVAL or -ENOBUFS (counted). */
PERCH_API int perch_spawn(void (*fn)(void *), void *arg, unsigned flags);

/* Park until then. Coroutine. Returns 0 or -ECANCELED. */
PERCH_API int perch_sleep(int64_t deadline_ns);

/* Let the others run. Coroutine. Returns 0 or -ECANCELED. */
PERCH_API int perch_yield(void);

/* The time of this turn: when its receive burst was back. Coroutine. */
PERCH_API int64_t perch_now(void);
/* The time at this instant, on the same clock: for measuring, as perch_now stands still within a
 * turn. A read of the TSC. Coroutine. */
PERCH_API int64_t perch_clock(void);

/* When this turn began, and when its stages were over, on the same clock. 0: there was none, or
 * not yet. */
struct perch_stamps {
	int64_t begin_ns;
	int64_t rx_ns;     /* the receive burst; perch_now() is read right after it */
	int64_t input_ns;  /* protocols: events of flows */
	int64_t ready_ns;  /* timers, and coroutines made ready */
	int64_t output_ns; /* the last perch_push of this turn: its segments had their headers */
	int64_t tx_ns;     /* its transmit burst */
};

/* Coroutine. Returns 0, or -ENODATA: this turn is not stamped (perch_config.stamp_turns). */
PERCH_API int perch_stamps(struct perch_stamps *out);

/* The engine and the lcore number of the caller. Coroutine. */
PERCH_API struct perch *perch_self(void);
PERCH_API unsigned perch_lcore(void);

/* Children, spawned with PERCH_CHILD. Who returns with children alive cancels them and waits for
 * their end first, so that they may use what is his: the handler of a connection, for example,
 * closes it only after its children have gone. */

/* Wait until no child is alive. Coroutine. Returns 0, -ETIMEDOUT or -ECANCELED. */
PERCH_API int perch_wait_children(int64_t deadline_ns);
/* From now on the children's waits return -ECANCELED. Does not wait: join. Coroutine. */
PERCH_API void perch_cancel_children(void);

/* The name of a coroutine: copy it, give it to any thread. After the coroutine has finished it
 * names nobody, although id will have another owner. */
struct perch_ref {
	uint32_t lcore, id, birth;
};

/* The caller's. Coroutine. */
PERCH_API struct perch_ref perch_me(void);
/* perch_spawn that tells whom. Coroutine. */
PERCH_API int perch_spawn_ref(
	struct perch_ref *out, void (*fn)(void *), void *arg, unsigned flags);

/* Wait for a perch_wake, from wherever it comes; one that came before is kept (of several the last
 * one), so none is missed. Coroutine. Returns its value, -ETIMEDOUT or -ECANCELED. */
PERCH_API int perch_park(int64_t deadline_ns);
/* Give value >= 0 to the coroutine's perch_park; its other waits are not disturbed. Any context.
 * Returns 0, -EINVAL, -ENOBUFS (too many messages wait at its lcore), or -ESRCH: on the caller's
 * own lcore, it has finished. */
PERCH_API int perch_wake(struct perch *e, struct perch_ref who, int value);
/* Ask it to return: this and all later waits of it return -ECANCELED. Any context. Returns what
 * perch_wake does. */
PERCH_API int perch_cancel(struct perch *e, struct perch_ref who);

/* ---- channels and wait groups: between coroutines of one lcore ------------------------------- */

struct perch_chan;
enum {
	PERCH_CHAN_MAX_BYTES = 48, /* of a value; send a pointer to more */
	PERCH_SELECT_MAX = 8,      /* cases */
};

/* A channel of values of that size: `capacity` of them are buffered; with 0 a value is handed over
 * when both sides are there. Allocates: not for every packet. The caller owns it. Coroutine.
 * Returns 0, -EINVAL or -ENOMEM. All calls below return -EXDEV on another lcore than that of the
 * open; who must reach one starts a coroutine there. */
PERCH_API int perch_chan_open(struct perch_chan **out, size_t value_bytes, uint32_t capacity);
/* Nothing more will be sent: receivers get what is buffered and then -EPIPE, senders -EPIPE. */
PERCH_API int perch_chan_close(struct perch_chan *ch);
/* Close it; it is gone when those who wait have been told. NULL is fine. */
PERCH_API int perch_chan_free(struct perch_chan *ch);

/* Coroutine. Return 0, -EPIPE (closed), -ETIMEDOUT or -ECANCELED: then nothing was sent, or
 * received. A deadline that has passed makes it a try. */
PERCH_API int perch_chan_send(struct perch_chan *ch, const void *value, int64_t deadline_ns);
PERCH_API int perch_chan_recv(struct perch_chan *ch, void *value, int64_t deadline_ns);

struct perch_case {
	struct perch_chan *chan;
	const void *send; /* the value to send, or NULL */
	void *recv;       /* where to receive to, or NULL; one of the two */
	int err;          /* out, of the case that was done: 0 or -EPIPE */
};

/* Do one case, the first that can be done; if several can, each gets its turn. Coroutine. Returns
 * its index, -ETIMEDOUT, -ECANCELED or -EINVAL. */
PERCH_API int perch_select(struct perch_case *cases, unsigned n, int64_t deadline_ns);

struct perch_group; /* a count of things under way, and who waits until it is zero */

/* Allocates. The caller owns it. Coroutine. Returns 0 or -ENOMEM. */
PERCH_API int perch_group_open(struct perch_group **out);
/* Those who wait are told -EPIPE. NULL is fine. */
PERCH_API int perch_group_free(struct perch_group *g);
/* So many more; one less. Coroutine. Return 0, -EOVERFLOW; -EINVAL: none was under way. */
PERCH_API int perch_group_add(struct perch_group *g, uint32_t n);
PERCH_API int perch_group_done(struct perch_group *g);
/* Coroutine. Returns 0 when the count is zero, -EPIPE, -ETIMEDOUT or -ECANCELED. */
PERCH_API int perch_group_wait(struct perch_group *g, int64_t deadline_ns);

/* ---- looking at coroutines ------------------------------------------------------------------- */

struct perch_co_info {
	void (*fn)(void *);    /* what it was started with; the handler, if it has a connection */
	void *arg;             /* with it; the connection */
	const char *state;     /* "new", "ready", "running", "parked" */
	bool private_stack, cancelled;
	size_t live_bytes;     /* of its stack, at its last wait */
	size_t peak_bytes;     /* the most at any wait */
	uint32_t switches;     /* how often it was resumed */
	uint64_t cycles;       /* used, if perch_config.count_cycles */
	const void *parked_at; /* the code that its wait returns to; NULL: it does not wait */
	int64_t deadline_ns;   /* of its wait, or PERCH_FOREVER */
};

/* Of a coroutine of the caller's lcore. Coroutine. Returns 0, -ESRCH or -EXDEV. */
PERCH_API int perch_co_info(struct perch_ref who, struct perch_co_info *out);

enum perch_dump_flags {
	PERCH_BACKTRACES = 1u << 0,
};

/* Give line() a text line about each coroutine of that lcore, or of all, with a hint at those whose
 * stacks are dear to save, and with their backtraces if asked for. It is called by the caller's
 * thread, in its context: it may park, it may send the line to a connection. The lcores go on
 * meanwhile: each looks at a few coroutines a turn. Coroutine; or control, while perch_run runs or
 * on the thread that polls. Returns 0, -EINVAL, -ENOMEM, or -ESHUTDOWN: an lcore has ended. */
PERCH_API int perch_dump(struct perch *e, int lcore, unsigned flags,
	void (*line)(void *arg, const char *text), void *arg);

/* ---- TCP ------------------------------------------------------------------------------------ */

/* Handles one accepted connection; returning closes it. */
typedef void (*perch_handler)(struct perch_conn *c, void *arg);

/* Accept on that port of local (NULL: every address, both families): each connection gets a
 * coroutine that runs fn(c, arg). In control, before the engine runs: on all its lcores. In a
 * coroutine: on the caller's lcore. Returns 0, -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL, -EBUSY or
 * -ENOBUFS. */
PERCH_API int perch_listen(struct perch *e, const struct perch_addr *local, uint16_t port,
	perch_handler fn, void *arg);

/* Connect. from NULL, or its port 0: chosen so that the answers come to this lcore (RFC 6056).
 * Coroutine. Returns 0 and the caller owns *out until perch_hangup or perch_abort; or
 * -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH, -ENETUNREACH, -EADDRINUSE, -EADDRNOTAVAIL, -ENOBUFS. */
PERCH_API int perch_dial(const struct perch_addr *to, const struct perch_addr *from,
	struct perch_conn **out, int64_t deadline_ns);

/* A view of received bytes: len > 0 bytes at data; 0 the peer has finished; < 0 an error. */
struct perch_bytes {
	const void *data;
	int64_t len;
};

/* The next received bytes, as they lie in the packets: no copy. The view of the call before is
 * given back; this one is good until the next perch_next, perch_read, perch_take or close on c. A
 * view that is written as a whole by perch_write, to c or another connection of this lcore, is sent
 * in the packet that it came in.
 * Coroutine. */
PERCH_API struct perch_bytes perch_next(struct perch_conn *c, int64_t deadline_ns);

/* perch_next of all that has come in order, as it lies in several packets: at most n views, of 1 or
 * more. They are good for as long as one of perch_next. A handler is woken once for what a burst
 * brought, and this shows it at once. Coroutine. Returns how many views, 0 at the end, or < 0. */
PERCH_API int perch_next_many(
	struct perch_conn *c, struct perch_bytes *views, unsigned n, int64_t deadline_ns);

/* Copy 1 .. len received bytes to buf. Coroutine. Returns how many, 0 at the end, or < 0. */
PERCH_API int64_t perch_read(struct perch_conn *c, void *buf, size_t len, int64_t deadline_ns);

/* For framed protocols: wait until n bytes (at most PERCH_WANT_MAX) have come and view them, or
 * more, in one piece, without taking them. Fewer only when the peer has finished. Coroutine. */
enum { PERCH_WANT_MAX = 1400 };
PERCH_API struct perch_bytes perch_want(struct perch_conn *c, size_t n, int64_t deadline_ns);
/* The first n bytes of the last perch_want are done with. Coroutine. Returns 0 or -EINVAL. */
PERCH_API int perch_take(struct perch_conn *c, size_t n);

/* Queue len bytes for sending (copied); parks while the send buffer is full. They leave at the end
 * of this turn. Coroutine. Returns len, or an error: then some may have been queued. */
PERCH_API int64_t perch_write(
	struct perch_conn *c, const void *data, size_t len, int64_t deadline_ns);

/* What c has to send leaves now, by a transmit burst of its own, and does not wait for the other
 * coroutines and connections of this turn: for an order, not for a stream, as each burst costs what
 * the end of a turn costs. Datagrams that wait to be sent leave with it. A port that does not take
 * all of it has the rest at its next turn. Coroutine. Returns 0 or -EBADF: it was hung up. */
PERCH_API int perch_push(struct perch_conn *c);

/* perch_write and perch_push of len bytes, at most a segment's, without sending them. For who sends
 * seldom: caches and branch predictors that have not seen the way for a millisecond or more make
 * the next send several times slower, and this, from time to time while nothing is to be done,
 * keeps them up: all of the way is gone up to the packet, and the port is given a burst of none.
 * Nothing of c changes by it, nor what leaves, when, and which bytes, nor a counter but tcp_warmed.
 * Coroutine. Returns 0; -EAGAIN: c has bytes on their way or unread, something waits to be sent in
 * this turn, or these bytes would have to wait; -EINVAL: len; -EPERM: the engine is mute; -EBADF:
 * c was hung up; or as perch_write. */
PERCH_API int perch_warm(struct perch_conn *c, const void *data, size_t len);

/* Wait until the peer has acknowledged all that was written to c, but for at most the last `left`
 * bytes. Waits as a writer does: not beside one. Coroutine. Returns 0, -ETIMEDOUT, -ECANCELED, or
 * why the connection is over. */
PERCH_API int perch_wait_acked(struct perch_conn *c, size_t left, int64_t deadline_ns);

/* Memory that is sent from where it lies, opened once and lent as often as one likes. The bytes
 * stay the caller's to read; those that were lent must not change before they are acknowledged,
 * which perch_wait_acked waits for, and the whole must stay until perch_memory_close has returned
 * 0. A reset, an abort, a close and the end of the engine all give back what was lent; what is in
 * the hands of the port comes back when it was sent. */
struct perch_memory;

/* own: memory of the caller's; or NULL, and so many bytes of EAL's are reserved, which every port
 * can read: a NIC takes no other. Allocates. Control or coroutine.
 * Returns 0, -EINVAL, -ENOMEM, or -ENOTSUP: the port cannot read own. */
PERCH_API int perch_memory_open(
	struct perch_memory **out, struct perch *e, void *own, size_t bytes);
PERCH_API void *perch_memory_data(const struct perch_memory *m);
/* How many segments refer to it now, waiting, not acknowledged or on their way. Any context. */
PERCH_API uint32_t perch_memory_lent(const struct perch_memory *m);
/* Control or coroutine. NULL is fine. Returns 0, or -EBUSY: some of it is lent. */
PERCH_API int perch_memory_close(struct perch_memory *m);

/* perch_write of len bytes from offset of m on, without a copy. For 2 KB and more at a time: each
 * call begins a segment of its own. 60,000 segments at a time may refer to one memory; beyond that
 * it waits (counted: tcp_loans_refused). A port that takes no packets in pieces (net_af_xdp, a
 * net_memif with zero-copy=yes) gets copies. To connections of any lcore. Coroutine. Returns len,
 * -EINVAL (not within m), or as perch_write. */
PERCH_API int64_t perch_lend(struct perch_conn *c, struct perch_memory *m, size_t offset,
	size_t len, int64_t deadline_ns);

/* FIN after what is queued; reading goes on. Coroutine. */
PERCH_API void perch_shutdown(struct perch_conn *c);

/* Done with a connection: queued bytes and FIN are sent in the background. For a dialled one; in a
 * handler it is the same as returning soon. c must not be used afterwards. Coroutine. */
PERCH_API void perch_hangup(struct perch_conn *c);

/* RST. c must not be used afterwards. Coroutine. */
PERCH_API void perch_abort(struct perch_conn *c);

/* Probe this connection when it is idle, or do not (RFC 9293 section 3.8.4): after perch_config's
 * keepalive_ns, or two hours. Coroutine. */
PERCH_API void perch_keepalive(struct perch_conn *c, bool on);
/* Give this connection up, with -ETIMEDOUT, when what was written makes no progress for ns: is not
 * acknowledged, or held up by a closed window (RFC 9293 section 3.8.3, RFC 5482). 0: as
 * perch_config says. Rounded up to 8.4 ms. Coroutine. Returns 0 or -EINVAL: negative, or more
 * than 549 s. */
PERCH_API int perch_user_timeout(struct perch_conn *c, int64_t ns);

/* When the packet came of which the last view or read began. Coroutine. */
PERCH_API int64_t perch_rx_time(const struct perch_conn *c);

struct perch_flow_info {
	struct perch_addr local, remote;
	const char *state;         /* RFC 9293 section 3.3.2 */
	uint32_t readable_bytes, unsent_bytes, unacked_bytes;
	uint32_t mss_bytes, cwnd_bytes, peer_window_bytes;
	int64_t srtt_ns, rto_ns;   /* 0: no sample yet */
};
PERCH_API void perch_flow_info(const struct perch_conn *c, struct perch_flow_info *out);

/* ---- UDP ------------------------------------------------------------------------------------ */

/* Bind on the caller's lcore; it receives what RSS brings to this lcore, so a service starts one on
 * every lcore. local NULL: every address; port 0: chosen. Coroutine. Returns 0, -EADDRINUSE,
 * -EADDRNOTAVAIL or -ENOBUFS. */
PERCH_API int perch_bind(const struct perch_addr *local, uint16_t port, struct perch_udp **out);

struct perch_datagram {
	const void *data;
	size_t len;
	struct perch_addr from, to;
	int64_t time_ns; /* when it came */
};

/* The next datagram, as it lies in its packet; good until the next perch_recv or perch_unbind.
 * Coroutine. Returns 0, -ETIMEDOUT, -ECANCELED, or once what ICMP said of a datagram that a
 * connected socket had sent: -ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH, -EPROTO. */
PERCH_API int perch_recv(struct perch_udp *u, struct perch_datagram *d, int64_t deadline_ns);

/* Send one datagram of at most 65,507 bytes (IPv6: 65,527), copied; in fragments if it is longer
 * than the path takes. Never parks. Coroutine. Returns 0, -EMSGSIZE, -ENETUNREACH, -EHOSTUNREACH
 * or -ENOBUFS. */
PERCH_API int perch_send(
	struct perch_udp *u, const struct perch_addr *to, const void *data, size_t len);
/* The same to the sender of d, from the address that d was sent to. */
PERCH_API int perch_reply(
	struct perch_udp *u, const struct perch_datagram *d, const void *data, size_t len);

/* Connect u to one peer: it receives from that peer only, and perch_recv tells of ICMP errors,
 * which an unconnected socket, as with other stacks, never sees. NULL undoes it. Coroutine. Returns
 * 0, -EINVAL or -ENETUNREACH. */
PERCH_API int perch_connect(struct perch_udp *u, const struct perch_addr *peer);

PERCH_API void perch_unbind(struct perch_udp *u);

/* Join a group: u receives what any host (source NULL) or that source (RFC 4607; call again for
 * more of them) sends to group and u's port, whichever lcore the NIC gives it to. Bind u to every
 * address, or to the group's own; then several sockets may share the port, and each gets every
 * datagram. Routers and switches are told by IGMPv3 and MLDv2, or the older version that they
 * speak (RFC 3376, 3810). Ports of group and source are not looked at. Coroutine. Returns 0;
 * -EINVAL: not a group or not a source, a family that the engine has no address of, any source of
 * an SSM group (RFC 4604), or any and single sources on one socket; -EADDRINUSE: joined already;
 * -ENOBUFS: max_memberships are in use (counted). */
PERCH_API int perch_join(
	struct perch_udp *u, const struct perch_addr *group, const struct perch_addr *source);
/* Undo that; perch_unbind does it for all. Coroutine. Returns 0 or -EADDRNOTAVAIL. */
PERCH_API int perch_leave(
	struct perch_udp *u, const struct perch_addr *group, const struct perch_addr *source);

/* How many routers datagrams of u to groups may cross, and one more; 0: the default, 1, which
 * stays on the link. What is sent to a group does not come back to its sender. Coroutine. */
PERCH_API void perch_group_hops(struct perch_udp *u, uint8_t hops);

/* ---- what happened -------------------------------------------------------------------------- */

struct perch_counter {
	const char *name; /* "tcp_segments_in", "drop_udp_no_port", ... */
	const char *text; /* one sentence */
	uint64_t value;
};

/* Write at most max counters of an lcore, or the sums over all (PERCH_EVERY_LCORE), always in the
 * same order; returns how many there are. Any context; the engine may be running. */
PERCH_API unsigned perch_counters(
	const struct perch *e, int lcore, struct perch_counter *out, unsigned max);

#ifdef __cplusplus
}
#endif

#endif
