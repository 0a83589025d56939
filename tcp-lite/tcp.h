/* SPDX-License-Identifier: BSD-3-Clause
 * TCP of one lcore (RFC 9293): connections, listeners, and what the layer above may ask of them.
 *
 * A connection is a struct perch_tcb in the net's memory. The layer above holds it from
 * perch_tcp_connect, or from the PERCH_FLOW_ACCEPTED event, until perch_tcp_close or
 * perch_tcp_abort; after that the net finishes the connection by itself and the pointer is dead.
 * No call blocks; events on the flow say when to try again.
 */
#ifndef PERCH_TCP_LITE_TCP_H
#define PERCH_TCP_LITE_TCP_H

#include "tcp-lite/net.h"
#include "tcp-lite/tcb.h"

/* Accept connections on laddr (:: = any address of ours, both families) port lport. `cookie` is
 * given to each connection. backlog 0 = the net's default.
 * Returns 0, -EADDRINUSE, -EADDRNOTAVAIL or -ENOBUFS (max_listeners are open). */
int perch_tcp_listen(struct perch_net *net, const struct perch_ip *laddr, uint16_t lport,
	uint32_t backlog, void *cookie);
/* Stop accepting. Half-open connections are reset; accepted ones live on.
 * Returns 0 or -ENOENT. */
int perch_tcp_unlisten(struct perch_net *net, const struct perch_ip *laddr, uint16_t lport);

/* What perch_tcp_listen was given for the listener of c; NULL for an active open. */
void *perch_tcp_cookie(const struct perch_net *net, const struct perch_tcb *c);

/* Active open from laddr:lport (both given; the caller picks the port, for it knows RSS) to
 * raddr:rport. The SYN leaves at the next perch_net_output. Later PERCH_FLOW_CONNECTED or
 * PERCH_FLOW_FAILED. Returns 0, -EADDRINUSE (that 4-tuple exists), -EADDRNOTAVAIL, -ENETUNREACH or
 * -ENOBUFS (max_flows are in use). */
int perch_tcp_connect(struct perch_net *net, const struct perch_ip *laddr, uint16_t lport,
	const struct perch_ip *raddr, uint16_t rport, int64_t now_ns, struct perch_tcb **out);

/* Local ports for connections from laddr to raddr:rport: the next of a sequence that is this
 * destination's, that outsiders cannot foresee, and that repeats none of PERCH_TCP_PORTS before all
 * have had their turn. Ask until one suits: perch_tcp_connect refuses those that are in use, or in
 * TIME_WAIT. */
enum { PERCH_TCP_PORTS = 32768 };
struct perch_tcp_ports {
	uint32_t offset, *count; /* the net's */
};
struct perch_tcp_ports perch_tcp_ports(struct perch_net *net, const struct perch_ip *laddr,
	const struct perch_ip *raddr, uint16_t rport);
uint16_t perch_tcp_next_port(struct perch_tcp_ports *p);

/* Has the handshake succeeded? It stays so until the connection fails or is closed. */
bool perch_tcp_is_open(const struct perch_tcb *c);

/* Bytes that can be read in order now. */
uint32_t perch_tcp_readable(const struct perch_tcb *c);
/* The peer has finished and nothing is left to read. */
bool perch_tcp_at_eof(const struct perch_tcb *c);
/* The first contiguous bytes of the receive queue: *data, returns their number (0: none). They
 * stay valid until consumed. */
uint32_t perch_tcp_peek(struct perch_tcb *c, const void **data);
/* What lies in the packet behind that one: *data, returns its length (0: there is none). *at is
 * NULL for the first, and the packet afterwards. */
uint32_t perch_tcp_peek_on(struct perch_tcb *c, struct rte_mbuf **at, const void **data);
/* Copy up to len bytes from `offset` bytes into the receive queue, without consuming them. Returns
 * how many. */
uint32_t perch_tcp_copy(struct perch_tcb *c, uint32_t offset, void *to, uint32_t len);
/* Make the first n readable bytes contiguous, so that the next peek shows at least as many.
 * Returns 0, -EMSGSIZE (more than one packet buffer holds, or than are readable) or -ENOBUFS. */
int perch_tcp_pull(struct perch_net *net, struct perch_tcb *c, uint32_t n);
/* When the packet came of which the last peek or copy began. */
int64_t perch_tcp_rx_time(const struct perch_tcb *c);
/* The first n readable bytes are done with; the window may open (n <= readable). */
void perch_tcp_consume(struct perch_net *net, struct perch_tcb *c, uint32_t n);

/* Room in the send buffer. */
uint32_t perch_tcp_writable(const struct perch_net *net, const struct perch_tcb *c);
/* What may be sent of c now goes to net->tx, ahead of what other connections have, and without
 * waiting for perch_net_output. */
void perch_tcp_push(struct perch_net *net, struct perch_tcb *c);
/* Write and push len bytes, at most a segment's, without sending them: all that they would meet on
 * their way is gone through, and nothing of c, nor what is sent next, is changed by it. *out is the
 * packet that would have left, the caller's to free. Returns 0; or *out is NULL, and -EAGAIN (c has
 * something queued, in flight or unread; anybody has something to send now; the window has no room;
 * the peer's MAC address would be asked for), -EINVAL (len), or as perch_tcp_write. */
int perch_tcp_warm(struct perch_net *net, struct perch_tcb *c, const void *data, uint32_t len,
	struct rte_mbuf **out);
/* Queue up to len bytes (copied) for sending; they leave at the next perch_net_output. Returns how
 * many were taken (0: buffer full, wait for WRITABLE), -EPIPE after shutdown or reset by us, the
 * connection's error, -ENOTCONN before it is open, or -ENOBUFS (no packet buffer: try later). */
int64_t perch_tcp_write(struct perch_net *net, struct perch_tcb *c, const void *data, uint32_t len);

/* Memory of the layer above, whose users `shared` counts: one for each segment that refers to it,
 * until that is acknowledged (or the connection is over) and no packet is on its way with it. */
struct perch_tcp_loan {
	const void *data;
	rte_iova_t iova; /* of data; the memory is contiguous there, too */
	struct rte_mbuf_ext_shared_info *shared; /* NULL: the port cannot read it: copies go */
};

/* perch_tcp_write without a copy: segments of their own refer to data, which lies in the loan and
 * does not change until it is acknowledged. What is sent again may be a copy. -ENOBUFS also says
 * that too many segments refer to the loan (counted). */
int64_t perch_tcp_lend(struct perch_net *net, struct perch_tcb *c,
	const struct perch_tcp_loan *loan, const void *data, uint32_t len);
/* Queue m, whose data is payload in one piece that is nobody else's, with as much headroom in front
 * as an mbuf of the net's pool has. Returns 0 and m is the net's; -EAGAIN (buffer full, wait for
 * WRITABLE), -EINVAL, or as perch_tcp_write. */
int perch_tcp_write_mbuf(struct perch_net *net, struct perch_tcb *c, struct rte_mbuf *m);
/* Take the first packet out of the receive queue; its data is payload. NULL: there is none. */
struct rte_mbuf *perch_tcp_take_mbuf(struct perch_net *net, struct perch_tcb *c);

/* Bytes that were written and are not acknowledged; WRITABLE tells of changes. */
uint32_t perch_tcp_unacked(struct perch_tcb *c);

/* Send on c what the last peek of `from` (which may be c) showed, n bytes at data, without copying
 * it: the packet moves from one queue to the other. It is then read in from, but stays in place
 * until perch_tcp_release(from). False: it cannot be done (it is not the whole packet, somebody
 * else holds it, c has no room or may not send), and nothing has happened. */
bool perch_tcp_forward(struct perch_net *net, struct perch_tcb *from, struct perch_tcb *c,
	const void *data, uint32_t n);
void perch_tcp_release(struct perch_net *net, struct perch_tcb *from);

/* No more data from us: FIN after what is queued. Reading goes on (half-close). */
void perch_tcp_shutdown(struct perch_net *net, struct perch_tcb *c);
/* The layer above is done: send what is queued, FIN, and finish in the background; unread or later
 * data is answered by RST (RFC 2525 section 2.17). The pointer is dead afterwards. */
void perch_tcp_close(struct perch_net *net, struct perch_tcb *c);
/* RST now, drop everything. The pointer is dead afterwards. */
void perch_tcp_abort(struct perch_net *net, struct perch_tcb *c);

/* Probe this one when it is idle (RFC 9293 section 3.8.4), or do not: at first as the net's
 * keepalive_ns says. */
void perch_tcp_set_keepalive(struct perch_net *net, struct perch_tcb *c, bool on);
/* Give it up (-ETIMEDOUT) when what was written is unacknowledged, or held up by a closed window,
 * for so long without progress (RFC 9293 section 3.8.3). 0: as the net's user_timeout_ns says.
 * Rounded up to 8.4 ms. Returns 0 or -EINVAL (more than 549 s, or negative). */
int perch_tcp_set_user_timeout(struct perch_net *net, struct perch_tcb *c, int64_t ns);

/* Cut all segments here, whatever the port can do. */
void perch_tcp_cut_all(struct perch_net *net);

/* 0, -ECONNRESET, -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH or -ENETUNREACH. */
int perch_tcp_error(const struct perch_tcb *c);

struct perch_tcp_info {
	const char *state; /* as in RFC 9293 section 3.3.2 */
	uint32_t unsent_bytes, unacked_bytes;
	uint32_t mss_bytes, cwnd_bytes, peer_window_bytes;
	int64_t srtt_ns, rto_ns; /* srtt_ns 0: no sample yet */
};
void perch_tcp_info(
	const struct perch_net *net, const struct perch_tcb *c, struct perch_tcp_info *out);

struct perch_tcp_counters {
	uint64_t opened_active, opened_passive, accepted, closed, reset_sent, reset_received;
	uint64_t segs_in, segs_out, bytes_in, bytes_out;
	uint64_t supers;    /* packets of several segments that the port cut */
	uint64_t forwarded; /* payloads sent on as they lay */
	uint64_t warmed;    /* segments that were made and not sent: perch_tcp_warm */
	uint64_t lent, loans_refused; /* segments that refer to memory lent; too many did */
	uint64_t retransmits, rto_fired, fast_retransmits, loss_probes, out_of_order, dup_acks_in;
	uint64_t spurious_recoveries, zero_window_probes, challenge_acks;
	uint64_t black_holes;         /* mss lowered: long segments vanish without a word */
	uint64_t mtu_reports_doubted; /* of a router: full segments had gone through (RFC 5927) */
	uint64_t mtu_trials, mtu_trials_lost; /* segments longer than mss */
	uint64_t cookies_sent, cookies_accepted; /* SYN cookies */
	uint32_t flows, time_wait, listeners; /* now */
};
const struct perch_tcp_counters *perch_tcp_counters(const struct perch_net *net);

/* Connections alive, from id *next on: for dumps and drains. NULL at the end. */
struct perch_tcb *perch_tcp_each(struct perch_net *net, uint32_t *next);

/* ---- inside the folder */
#define PERCH_TCP_BYTES_MAX ((size_t)UINT32_MAX * 8)
size_t perch_tcp_bytes(const struct perch_net_config *cfg);
void perch_tcp_init(struct perch_net *net, void *mem);
void perch_tcp_fini(struct perch_net *net);
/* What a burst's TCP segments will need, asked for in stages: the table, then the TCBs, then, if
 * there are many flows, what is in flight. Then each is processed. */
void perch_tcp_prefetch(struct perch_net *net, struct perch_rx *rx, unsigned n);
void perch_tcp_input(struct perch_net *net, struct perch_rx *rx);
/* The same of one flow, whose timers are to run. */
void perch_tcp_prefetch_flow(const struct perch_net *net, uint32_t id);
int64_t perch_tcp_expire(struct perch_net *net, uint32_t id);
/* When the timing wheel is to name it, which will then do so; or PERCH_NET_NEVER. */
int64_t perch_tcp_due(struct perch_net *net, uint32_t id);
uint32_t *perch_tcp_wheel_words(const struct perch_net *net, size_t *stride_bytes);
void perch_tcp_output(struct perch_net *net);
bool perch_tcp_next_arm(struct perch_net *net, uint32_t *id, int64_t *deadline_ns);

/* An ICMP error that quotes a segment of ours: from local laddr:lport to raddr:rport, with this
 * sequence number. err is a negative errno (-ECONNREFUSED, -EHOSTUNREACH, -EMSGSIZE ...); mtu is
 * for -EMSGSIZE, and set to 0 if it is not to be believed yet. Checked against the window
 * (RFC 5927). False: no such flow. */
struct perch_icmp_error {
	struct perch_ip laddr, raddr;
	uint16_t lport, rport;
	uint32_t seq;
	int err;
	uint32_t mtu;
};
bool perch_tcp_icmp_error(struct perch_net *net, struct perch_icmp_error *e);

#endif
