/* SPDX-License-Identifier: BSD-3-Clause
 * What the tcp_*.c files share: the state of one net's TCP, the side blocks of busy connections,
 * and the calls between the files, in the order in which a segment meets them.
 */
#ifndef PERCH_TCP_LITE_TCP_INSIDE_H
#define PERCH_TCP_LITE_TCP_INSIDE_H

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "tcp-lite/flow_table.h"
#include "tcp-lite/ip.h"
#include "tcp-lite/tcp.h"
#include "tcp-lite/tcp_cc.h"
#include "tcp-lite/tcp_opts.h"
#include "tcp-lite/tcp_seq.h"

#define MS_NS INT64_C(1000000)
#define S_NS  INT64_C(1000000000)

enum tcp_limits {
	TCP_HEADER = 20,
	FIRST_EPHEMERAL = 65536 - PERCH_TCP_PORTS,
	TCP_HEADER_MAX = 60,
	PAYLOAD_OFF = 128,       /* of a segment to send: all headers fit in front */
	MSS_DEFAULT = 536,       /* RFC 9293 section 3.7.1 */
	MSS_DEFAULT6 = 1220,
	MSS_MIN = 64,            /* a peer cannot make us send dust (CVE-2019-11479) */
	BYTES_PER_MBUF = 512,    /* a queue holds a packet buffer per so many bytes of its limit */
	MBUFS_MIN = 16,
	DUP_ACKS = 3,            /* RFC 5681 section 3.2 */
	CHALLENGE_MS = 500,      /* between challenge ACKs of one connection */
	FLOWS_IN_CACHE = 512,    /* so few are there without being asked for, outbox and all */
	ANSWER_MS = 10,          /* between ACKs that answer unacceptable ones: see answer_ack */
};

enum perch_tcp_flag { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32 };

enum perch_tcp_timer { /* one at a time: each belongs to a condition that excludes the others */
	TIMER_NONE,
	TIMER_RESEND,     /* RFC 6298: something is in flight */
	TIMER_PERSIST,    /* RFC 9293 section 3.8.6.1: the peer's window holds up all we have */
	TIMER_KEEPALIVE,  /* RFC 1122 section 4.2.3.6: nothing is in flight */
	TIMER_FIN_WAIT_2, /* nothing is in flight, nobody listens here, the peer goes on */
	TIMER_TIME_WAIT,
};

enum perch_tcp_mark {
	TCB_OWNED = 1u << 0,      /* the layer above holds the pointer (or its ACCEPTED event) */
	TCB_FIN_QUEUED = 1u << 1, /* a FIN follows the data in the outbox */
	TCB_FIN_SENT = 1u << 2,   /* it has: the FIN's number is snd_nxt - 1 */
	TCB_FIN_RCVD = 1u << 3,
	TCB_ACK_NOW = 1u << 4,    /* an ACK leaves with the next output */
	TCB_ACK_LATER = 1u << 5,  /* or at delack_us */
	TCB_WANTS_ROOM = 1u << 6, /* a writer was told that the send buffer is full */
	TCB_TS = 1u << 7,         /* timestamps were agreed (RFC 7323) */
	TCB_SACK = 1u << 8,       /* selective ACKs were agreed (RFC 2018) */
	TCB_ON_OUTPUT = 1u << 9,  /* in that list of net->lists */
	TCB_ON_ARM = 1u << 10,    /* likewise */
	TCB_PATIENCE = 1u << 11,  /* backoff, retries or user_timeout may not be 0 */
	TCB_ZOMBIE = 1u << 12,    /* free as soon as it is on no list */
	TCB_PROBE = 1u << 13,     /* a segment that the peer must answer leaves with the next output */
	TCB_RESEND = 1u << 14,    /* the SYN or the FIN, alone in flight, is to be sent again */
	TCB_SCALE = 1u << 15,     /* window scaling was agreed (RFC 7323) */
};

/* Bytes received and not yet consumed, and what came early. It exists while it holds a packet, so
 * one for each packet buffer of the pool is always enough. */
struct perch_inbox {
	struct rte_mbuf *head, *tail; /* in order; data is payload only */
	struct rte_mbuf *early;       /* beyond a hole: sorted, without overlaps; in runs that are
	                               * linked as those of SACKed segments are in the outbox */
	struct rte_mbuf *lent;        /* sent on as it was, and still being read: a reference */
	uint32_t bytes;               /* readable: those in head .. tail */
	uint16_t mbufs, early_mbufs;
	uint16_t dup_acks;            /* owed, one for each early arrival (RFC 5681 section 4.2) */
	uint8_t n_recent;
	uint32_t recent[TCP_SACK_MAX]; /* where the runs of the latest arrivals begin (RFC 2018) */
	struct perch_tcp_block dsack; /* arrived twice, to be told (RFC 2883); empty: nothing */
	struct rte_mbuf *early_last;
	struct perch_inbox *next_free;
} __rte_cache_aligned;

enum perch_segment_flag { /* perch_pkt.tcp.flags */
	SEG_LOST = 1u << 0,   /* outbox: to be sent again */
	SEG_SACKED = 1u << 1, /* outbox: the peer has it (RFC 2018) */
	SEG_AGAIN = 1u << 2,  /* outbox: sent more than once, so its ACK times nothing (Karn) */
	SEG_FIN = 1u << 3,    /* inbox: the stream ends with it */
	SEG_TRIAL = 1u << 4,  /* outbox: longer than mss, to see whether that goes */
	SEG_LENT = 1u << 5,   /* outbox: its payload is not ours to add to: see perch_tcp_lend */
};

enum perch_outbox_phase {
	PHASE_OPEN,     /* all is well, or only a few duplicate ACKs */
	PHASE_RECOVERY, /* RFC 6582, RFC 6675: lost segments are sent again while ACKs flow */
	PHASE_LOSS,     /* after a timeout: slow start again */
};

enum perch_outbox_tlp { /* RFC 8985 section 7.3: which probe is under way */
	TLP_NONE,
	TLP_NEW,   /* it carried new data */
	TLP_AGAIN, /* it was the last segment, once more */
};

enum perch_outbox_trial { /* RFC 4821 section 7: of the segment that is longer than mss */
	TRIAL_NONE,
	TRIAL_OUT,
	TRIAL_ARRIVED,
	TRIAL_LOST,
};

enum perch_outbox_undo {
	UNDO_NOTHING,
	UNDO_WATCHING, /* nothing was sent again yet */
	UNDO_STAMPED,
};

/* Data queued for sending or in flight, one mbuf per segment: [head .. unsent) are in flight,
 * [unsent .. tail] wait. perch_pkt(m)->tcp says where the payload is; data_off and data_len of
 * something sent include its headers. It exists while it holds a packet, as the inbox does.
 *
 * It is the scoreboard too. A segment in flight is on its way, lost, or SACKed. Those on their way
 * are linked in the order in which they were sent (older, newer). SACKed neighbours are a run, of
 * which `newer` of the first leads to the last and `older` of the last to the first, so that
 * walks step over runs and cost as much as there are holes. */
struct perch_outbox {
	struct rte_mbuf *head, *tail;
	struct rte_mbuf *unsent; /* NULL: all were sent */
	struct rte_mbuf *lost;   /* no segment before this one is lost; NULL: none is */
	struct rte_mbuf *oldest, *newest; /* of those on their way */
	struct rte_mbuf *high;   /* the SACKed segment with the highest number, or NULL */
	uint32_t end;            /* sequence number after the last byte */
	uint32_t pipe;           /* bytes on their way: sent, not lost, not sacked (RFC 6675) */
	uint32_t sacked;         /* bytes */
	uint32_t recover;        /* what was SND.NXT when the last recovery began (RFC 6582) */
	uint16_t mbufs;
	uint16_t sacked_mbufs;
	uint16_t dup_acks;
	uint8_t phase;           /* enum perch_outbox_phase */
	uint8_t urgent;          /* so many segments go out whatever cwnd and SWS avoidance say */
	int64_t rto_base_ns;     /* from when the retransmission timeout counts */
	int64_t progress_ns;     /* when SND.UNA last moved, or the first of this was written */
	int64_t pto_ns, reo_ns;  /* a loss probe, the reordering timer: when due, or NEVER */

	/* RFC 8985. RACK.segment is the one sent last of those that have arrived. */
	int64_t rack_ns;         /* RACK.xmit_ts; 0: none has arrived */
	uint32_t rack_end, rack_rtt_us, rack_fack, min_rtt_us;
	uint32_t dsack_round;
	uint32_t tlp_end;
	uint8_t reo_mult, reo_persist; /* reo_mult 0: no reordering was seen */
	uint8_t tlp;             /* enum perch_outbox_tlp */
	uint8_t n_seen;
	struct perch_tcp_block seen[TCP_SACK_MAX]; /* of the last ACK: nothing new in them */

	/* What a recovery that was none gives back. */
	uint8_t undo;            /* enum perch_outbox_undo */
	uint16_t undo_resent;    /* segments sent again since, and not yet D-SACKed */
	uint32_t undo_cwnd, undo_ssthresh;
	uint32_t undo_from;      /* SND.UNA when it began */
	uint32_t undo_stamp;     /* our timestamp when something was first sent again */

	/* RFC 6937. */
	uint32_t prr_delivered, prr_out, prr_flight;

	/* The path's MTU: tcp_mtu.c. */
	uint32_t told_seq;       /* which segment a router could not forward, it says ... */
	uint16_t told_mtu;       /* ... to a link of so many bytes; 0: none says so */
	uint16_t trial_bytes;
	uint8_t trial;           /* enum perch_outbox_trial */

	uint64_t cc[PERCH_TCP_CC_ROOM / sizeof(uint64_t)]; /* the congestion control's own */
	struct perch_outbox *next_free;
} __rte_cache_aligned;

/* What one ACK told, as it goes through the files. */
struct perch_tcp_ack {
	const struct perch_segment *s;
	uint32_t rtt_us;       /* of the last of them that was sent once; 0: none */
	uint32_t segments;     /* taken out of the outbox */
	uint32_t advance;      /* bytes by which SND.UNA moved */
	uint32_t delivered;    /* bytes that have newly arrived: acknowledged or SACKed */
	uint32_t dsack_from, dsacked; /* bytes that arrived twice (RFC 2883) */
	int64_t sent_ns;       /* when the last of the acknowledged segments was sent */
	int64_t resent_ns;     /* when the first of those sent more than once was last sent; or 0 */
	bool again;            /* one of them was sent more than once */
	bool limited;          /* cwnd was what held us back */
	bool in_order;         /* nothing was known to be reordered before it */
};

struct perch_tcp_listener {
	struct perch_ip laddr;
	uint16_t lport;
	bool open;          /* false: closed, but connections of it still know its cookie */
	uint32_t backlog;
	uint32_t half_open; /* in SYN_RECEIVED */
	uint32_t refs;      /* TCBs that name it */
	uint32_t next;      /* same hash: index + 1, 0 ends */
	int64_t cookies_until_ns; /* ACKs of SYN cookies may come until then */
	void *cookie;
};

enum { LISTENER_HEADS = 256 };

struct perch_tcp_limit { /* so many events per second, drawn anew each second */
	int64_t until_ns;
	uint32_t left;
};

enum { TCP_SEARCHES = 256, TCP_PORT_COUNTS = 1024 };

struct perch_tcp_search { /* for a wider path: of connection `id`, if next_ns is not 0 */
	uint32_t id;
	uint16_t high;   /* a segment of so many bytes was lost; 0: none yet */
	int64_t next_ns; /* nothing is tried before */
};

struct perch_tcp_list { /* of TCBs, by id */
	uint32_t head, tail;
};

struct perch_tcp {
	struct perch_flow_table table;
	struct perch_tcb *tcbs;
	uint32_t born;      /* ids below this have been in use */
	uint32_t free_head; /* last in, first out, through next_free */
	struct perch_tcp_list wait;
	uint32_t output_first, output_end, n_arm; /* of net->lists; both 0: nobody has to send */
	struct perch_inbox *inboxes, *free_inbox;
	struct perch_outbox *outboxes, *free_outbox;
	uint32_t max_boxes, born_inboxes, born_outboxes;
	uint16_t in_mbufs_max, out_mbufs_max; /* per connection */
	uint8_t rcv_scale;  /* what we offer */
	bool sums;          /* some interface leaves TCP's checksum to us */
	uint16_t super_pieces; /* of a packet that the port cuts (TSO); 0: none does */
	struct perch_tcp_listener *listeners;
	uint32_t listener_heads[LISTENER_HEADS]; /* by port: index + 1, 0 none */
	struct perch_tcp_limit challenges, resets;
	uint32_t *answered_ms; /* by id: when a segment that was not acceptable was last answered */
	struct perch_tcp_search searches[TCP_SEARCHES]; /* by id, modulo */
	uint32_t port_counts[TCP_PORT_COUNTS];          /* RFC 6056: by hash of the destination */
	const struct perch_tcp_cc *cc;
	struct perch_tcp_counters counters;
};

/* One received segment, taken apart. */
struct perch_segment {
	struct perch_rx *rx;
	uint32_t seq, ack;
	uint32_t len;          /* payload bytes; SYN and FIN not counted */
	uint16_t wnd;          /* as it stands in the header */
	uint8_t flags;         /* enum perch_tcp_flag */
	uint8_t header_len;
	struct perch_tcp_opts opts;
	struct perch_tuple tuple;
};

/* ---- tcp.c: memory and lists */
static inline uint32_t tcb_id(const struct perch_net *net, const struct perch_tcb *c)
{
	return (uint32_t)(c - net->tcp->tcbs);
}

/* Side blocks lie behind the TCBs, in one memory, so the distance tells where: that is half a
 * pointer, and needs no net to be followed. In words of 8 bytes, by which a processor scales as it
 * goes, it reaches PERCH_TCP_BYTES_MAX. */
static inline uint32_t tcb_distance(const struct perch_tcb *c, const void *box)
{
	return (uint32_t)(((uintptr_t)box - (uintptr_t)c) / 8);
}

/* c's own, if c->inbox is not 0. */
static inline struct perch_inbox *tcb_inbox(const struct perch_tcb *c)
{
	return (struct perch_inbox *)((uintptr_t)c + (uintptr_t)c->inbox * 8);
}

static inline struct perch_outbox *tcb_outbox(const struct perch_tcb *c)
{
	return (struct perch_outbox *)((uintptr_t)c + (uintptr_t)c->outbox * 8);
}

/* A TCB in the table, or NULL (counted): the oldest TIME_WAIT makes room. */
struct perch_tcb *perch_tcb_new(struct perch_net *net, const struct perch_tuple *tuple);
/* The connection is over: out of the table, timers off, nothing more is sent. */
void perch_tcb_end(struct perch_net *net, struct perch_tcb *c);
/* And nobody holds it: give its slot back. */
void perch_tcb_free(struct perch_net *net, struct perch_tcb *c);
struct perch_tcb *perch_tcb_find(struct perch_net *net, const struct perch_tuple *tuple);
/* It has something to send: visit it at the next output. */
void perch_tcb_touch(struct perch_net *net, struct perch_tcb *c);
struct perch_inbox *perch_inbox_new(struct perch_net *net, struct perch_tcb *c);
struct perch_outbox *perch_outbox_new(struct perch_net *net, struct perch_tcb *c);
/* Free the block, and the packets that may still be in it. */
void perch_inbox_free(struct perch_net *net, struct perch_tcb *c);
void perch_outbox_free(struct perch_net *net, struct perch_tcb *c);
/* The same of one that holds nothing. */
static inline void tcp_give_inbox(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_inbox *in = tcb_inbox(c);

	in->next_free = net->tcp->free_inbox;
	net->tcp->free_inbox = in;
	c->inbox = 0;
}

static inline void tcp_give_outbox(struct perch_net *net, struct perch_tcb *c)
{
	struct perch_outbox *o = tcb_outbox(c);

	o->next_free = net->tcp->free_outbox;
	net->tcp->free_outbox = o;
	c->outbox = 0;
}

/* May one more event happen in this second? */
bool perch_tcp_limit_take(struct perch_net *net, struct perch_tcp_limit *l, uint32_t per_second);

/* ---- tcp_open.c: how connections begin and end */
struct perch_tcp_listener *perch_tcp_listener_find(
	struct perch_net *net, const struct perch_ip *laddr, uint16_t lport);
/* A SYN for a listener. The connection, or NULL: refused, or answered by a cookie. */
struct perch_tcb *perch_tcp_passive_open(
	struct perch_net *net, struct perch_tcp_listener *l, const struct perch_segment *s);
/* The same, long ago: `syn` is what a cookie remembers of it. NULL: no room (counted). */
struct perch_tcb *perch_tcp_cookie_open(
	struct perch_net *net, struct perch_tcp_listener *l, const struct perch_segment *syn,
	uint32_t isn);
/* IP and TCP headers without options. */
static inline uint16_t tcp_headers_bytes(const struct perch_ip *raddr)
{
	return TCP_HEADER + (perch_ip_is_v4(raddr) ? 20 : 40);
}
/* What our SYN and the peer's have agreed on. */
void perch_tcp_agree(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *syn);
/* The handshake is done. */
void perch_tcp_opened(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s);
/* It broke; err is a positive errno. An owner is told, otherwise it is freed. */
void perch_tcp_fail(struct perch_net *net, struct perch_tcb *c, int err);
/* It ended well. */
void perch_tcp_finish(struct perch_net *net, struct perch_tcb *c);
void perch_tcp_enter_time_wait(struct perch_net *net, struct perch_tcb *c);
/* The MSS option of our SYN. */
uint16_t perch_tcp_mss_offer(const struct perch_net *net, const struct perch_ip *raddr);
/* The payload of a full segment towards the peer, for its MSS, the MTU and our options. */
uint16_t perch_tcp_mss(const struct perch_net *net, const struct perch_tcb *c);

/* ---- tcp_isn.c */
struct perch_tcp_numbers {
	uint32_t isn, ts_offset;
};
struct perch_tcp_numbers perch_tcp_numbers(
	const struct perch_net *net, const struct perch_tuple *tuple);

/* SipHash, keyed by the net's secret, of n words: hashes of different lengths are unrelated. */
uint64_t perch_tcp_keyed_hash(const struct perch_net *net, const uint64_t *words, unsigned n);

/* What a SYN says of the MSS, or what it says by saying nothing (RFC 9293 section 3.7.1). */
static inline uint16_t tcp_mss_of(const struct perch_segment *syn)
{
	if (syn->opts.mss)
		return RTE_MAX(syn->opts.mss, (uint16_t)MSS_MIN);
	return perch_ip_is_v4(syn->tuple.raddr) ? MSS_DEFAULT : MSS_DEFAULT6;
}

/* ---- tcp_cookie.c: RFC 4987 section 3.6 */
/* Answer a SYN and remember nothing. False: no packet buffer. */
bool perch_tcp_cookie_answer(
	struct perch_net *net, struct perch_tcp_listener *l, const struct perch_segment *syn);
/* Does s acknowledge a cookie of ours? Then *syn gets what the cookie remembers of the SYN. */
bool perch_tcp_cookie_ok(const struct perch_net *net, const struct perch_tcp_listener *l,
	const struct perch_segment *s, struct perch_segment *syn);

/* ---- tcp_ack.c: what ACKs do (RFC 9293 section 3.10.7.4, fifth) */
/* SEG.ACK lies in (SND.UNA, SND.NXT]. */
void perch_tcp_acked(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s);
/* SEG.ACK = SND.UNA: is it a duplicate ACK, or a new window? */
void perch_tcp_acked_nothing(
	struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s);

/* ---- tcp_rtt.c: RFC 6298 */
void perch_tcp_rtt_open(struct perch_tcb *c);
void perch_tcp_rtt_sample(struct perch_tcb *c, int64_t rtt_us);

/* The timeout before any backing off: (2.2) to (2.5). */
static inline int64_t tcp_rto_ns(const struct perch_net *net, const struct perch_tcb *c)
{
	int64_t rto_ns = ((int64_t)(c->srtt_us >> 3) + c->rttvar_us) * 1000;

	return RTE_MIN(RTE_MAX(rto_ns, net->cfg.rto_min_ns), net->cfg.rto_max_ns);
}

/* And backed off. */
static inline int64_t tcp_backed_off_ns(const struct perch_net *net, const struct perch_tcb *c)
{
	int64_t rto_ns = tcp_rto_ns(net, c);

	if (unlikely(c->marks & TCB_PATIENCE))
		rto_ns <<= c->backoff;
	return RTE_MIN(rto_ns, net->cfg.rto_max_ns);
}

/* When what is in flight is sent again, if nothing is heard: there is an outbox. */
static inline int64_t tcp_rto_at_ns(const struct perch_net *net, const struct perch_tcb *c)
{
	return tcb_outbox(c)->rto_base_ns + tcp_backed_off_ns(net, c);
}

/* The peer was heard, or something else is waited for: nothing was tried in vain yet. */
static inline void tcp_forget_tries(struct perch_tcb *c)
{
	if (likely(!(c->marks & TCB_PATIENCE)))
		return;
	c->backoff = c->retries = 0;
	if (c->user_timeout == 0)
		c->marks &= (uint16_t)~TCB_PATIENCE;
}

/* ---- tcp_sack.c: the scoreboard */
/* m was sent, now. */
void perch_outbox_sent(struct perch_outbox *o, struct rte_mbuf *m);
void perch_outbox_lose(struct perch_outbox *o, struct rte_mbuf *m);
/* m, which was thought lost, is on its way after all. */
void perch_outbox_unlose(struct perch_outbox *o, struct rte_mbuf *m);
/* The first `bytes` of the head have arrived; with all of them it leaves the lists (RFC 2018). */
void perch_outbox_forget(struct perch_outbox *o, struct rte_mbuf *m, uint32_t bytes);
/* The peer has thrown away what it SACKed (RFC 2018 section 8). */
void perch_outbox_renege(struct perch_outbox *o);
/* If m was a trial, this is how it went. */
static inline void outbox_tried(struct perch_outbox *o, struct rte_mbuf *m, uint8_t trial)
{
	if (likely(!(perch_pkt(m)->tcp.flags & SEG_TRIAL)))
		return;
	perch_pkt(m)->tcp.flags &= (uint8_t)~SEG_TRIAL;
	o->trial = trial;
}
/* What the SACK blocks of an ACK tell. */
void perch_tcp_sack(const struct perch_net *net, struct perch_tcb *c, struct perch_tcp_ack *a);
/* The first segment after the run of SACKed ones that m begins, or after m. */
static inline struct rte_mbuf *outbox_step(struct rte_mbuf *m)
{
	struct perch_pkt *p = perch_pkt(m);

	return p->tcp.flags & SEG_SACKED ? perch_pkt(p->tcp.newer)->next : p->next;
}

/* ---- tcp_rack.c: RFC 8985, when SACK was agreed */
/* m has arrived. */
void perch_rack_arrived(const struct perch_net *net, const struct perch_tcb *c,
	const struct rte_mbuf *m, const struct perch_tcp_opts *opts);
/* Which segments are lost? Returns how many are that were not. */
unsigned perch_rack_detect(struct perch_net *net, struct perch_tcb *c);
/* Segments were sent twice in vain: reordering is larger than we thought (section 6.2 step 4). */
void perch_rack_dsacked(struct perch_tcb *c, uint32_t ack);
/* One that was thought lost came after all, so long after it was sent again. */
void perch_rack_late(struct perch_tcb *c, int64_t late_ns);
/* A recovery is over. */
void perch_rack_recovered(struct perch_outbox *o);
/* When is a loss probe due? No later than the retransmission at rto_at_ns. */
void perch_tlp_schedule(const struct perch_net *net, struct perch_tcb *c, int64_t rto_at_ns);
/* It is. */
void perch_tlp_send(struct perch_net *net, struct perch_tcb *c);
/* The outbox goes, or another comes, and only the next ACK tells what the probe did. */
void perch_tlp_suspend(struct perch_tcb *c);
void perch_tlp_resume(struct perch_outbox *o, struct perch_tcb *c);
/* What an ACK tells about the probe. True: it repaired a loss. */
bool perch_tlp_acked(struct perch_tcb *c, const struct perch_tcp_ack *a);

/* ---- tcp_recover.c: from one phase to the next */
/* An ACK came when not all is well: see outbox_is_calm. */
void perch_tcp_recover(struct perch_net *net, struct perch_tcb *c, const struct perch_tcp_ack *a);
void perch_tcp_recover_dup_ack(struct perch_net *net, struct perch_tcb *c);
/* The reordering timer has run out. */
void perch_tcp_recover_late(struct perch_net *net, struct perch_tcb *c);
void perch_tcp_recover_timeout(struct perch_net *net, struct perch_tcb *c);
/* mss became smaller than segments in flight. */
void perch_tcp_recover_narrow(struct perch_net *net, struct perch_tcb *c);

/* Nothing is lost or SACKed, and no probe is out. */
static inline bool outbox_is_calm(const struct perch_outbox *o)
{
	return !(o->phase | o->tlp | o->sacked_mbufs | o->dup_acks);
}

/* For how many bytes an ACK may open the congestion window: RFC 5681 section 3.1's, which it
 * acknowledges. Where order is not kept those come in leaps, of which slow start takes only a part;
 * there, as soon as that is known, each byte counts when it is SACKed, as in Linux. */
static inline uint32_t outbox_growth(const struct perch_outbox *o, const struct perch_tcp_ack *a)
{
	return o->phase == PHASE_OPEN && !a->in_order ? a->delivered : a->advance;
}

/* ---- tcp_undo.c: recoveries that were none */
/* One begins. */
void perch_undo_begin(struct perch_tcb *c);
/* A segment was sent again. */
void perch_undo_resent(const struct perch_net *net, struct perch_tcb *c);
/* Does this ACK tell that it was needless? Then it is over. */
void perch_undo_check(struct perch_net *net, struct perch_tcb *c, const struct perch_tcp_ack *a);

/* ---- tcp_recv.c: text into the inbox (seventh) */
/* SEG.SEQ = RCV.NXT, it fits the window, and nothing is early. Consumes m, whose data is the
 * payload. */
void perch_tcp_deliver(struct perch_net *net, struct perch_tcb *c, struct rte_mbuf *m);
/* Any text or FIN that overlaps the window. Consumes s->rx->m. */
void perch_tcp_text(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s);
/* An in-order FIN (eighth). */
void perch_tcp_fin(struct perch_net *net, struct perch_tcb *c);
/* The window field to send: moves rcv_edge on. That of a SYN is not scaled. */
uint16_t perch_tcp_offer(struct perch_net *net, struct perch_tcb *c);
uint16_t perch_tcp_offer_syn(struct perch_net *net, struct perch_tcb *c);
/* s is older than RCV.NXT, in part at least: the peer may want to know (RFC 2883). */
void perch_tcp_twice(struct perch_net *net, struct perch_tcb *c, const struct perch_segment *s);
/* It was told; the inbox may be gone. */
void perch_tcp_dsack_told(struct perch_net *net, struct perch_tcb *c);
/* What lies beyond holes, as SACK blocks, the latest first. Returns how many, at most max. */
unsigned perch_tcp_sack_blocks(
	const struct perch_tcb *c, struct perch_tcp_block *blocks, unsigned max);
/* RFC 7323's Rcv.Wind.Shift: ours is the same for all that have agreed on scaling. */
static inline uint8_t tcp_rcv_scale(const struct perch_net *net, const struct perch_tcb *c)
{
	return c->marks & TCB_SCALE ? net->tcp->rcv_scale : 0;
}
/* Segments arrived in order: acknowledge now or a little later. */
void perch_tcp_owe_ack(struct perch_net *net, struct perch_tcb *c);

/* Is the window worth an update, now that something was read? And is the inbox still needed? */
void perch_tcp_was_read(struct perch_net *net, struct perch_tcb *c);
/* The same where the inbox is: what was read is lent. */
void perch_tcp_was_moved(struct perch_net *net, struct perch_tcb *c);

/* ---- tcp_send.c: the outbox */
/* Cut m so that it holds len bytes; a new mbuf after it has the rest. False: no mbuf. */
bool perch_tcp_split(struct perch_net *net, struct perch_tcb *c, struct rte_mbuf *m, uint32_t len);
/* m is lost: put the lost ones behind it into it too, as far as they fit (RFC 9293's SHLD-28). */
void perch_tcp_gather(struct perch_net *net, struct perch_tcb *c, struct rte_mbuf *m);
/* A peer that made room in the send buffer may have made a writer's day. */
void perch_tcp_tell_room(struct perch_net *net, struct perch_tcb *c);

/* ---- tcp_output.c */
/* Send what c may send now. False: the transmit list or the pool is exhausted, come back. */
bool perch_tcp_send_some(struct perch_net *net, struct perch_tcb *c);
/* Bytes on their way, for congestion control. */
uint32_t perch_tcp_pipe(const struct perch_tcb *c);
/* An RST of a connection of ours. */
void perch_tcp_send_reset(struct perch_net *net, struct perch_tcb *c);
/* RFC 9293 section 3.10.7.1: an RST in answer to s, which belongs to nobody. Takes nothing. */
void perch_tcp_refuse(struct perch_net *net, const struct perch_segment *s);
/* The SYN-ACK of no connection; adds the MSS to opts. False: no packet buffer. */
bool perch_tcp_send_cookie(struct perch_net *net, const struct perch_segment *syn, uint32_t cookie,
	struct perch_tcp_opts *opts);
/* RFC 5961: an ACK to whoever sent this, if the limits allow. */
void perch_tcp_challenge(struct perch_net *net, struct perch_tcb *c);
/* An ACK in answer to one that was not acceptable, but not so often that two peers who have lost
 * each other's numbers could keep each other busy. */
void perch_tcp_answer_ack(struct perch_net *net, struct perch_tcb *c);

/* ---- tcp_mtu.c */
/* A router says that seq was too long for its next link. False: not to be believed yet. */
bool perch_tcp_mtu_told(struct perch_net *net, struct perch_tcb *c, uint32_t mtu, uint32_t seq);
/* Data timed out: there is an outbox, and retries counts this one. */
void perch_tcp_mtu_timeout(struct perch_net *net, struct perch_tcb *c);
/* mss may be less than the path takes, and data waits: make a longer segment of it, if it is
 * time. */
void perch_tcp_mtu_try(struct perch_net *net, struct perch_tcb *c);
/* It is known how that went. True: it was lost, and nothing else needs to be. */
bool perch_tcp_mtu_judge(struct perch_net *net, struct perch_tcb *c);

/* ---- tcp_timer.c */
/* Start the timer that the connection's state calls for, or leave it running. */
void perch_tcp_timer_choose(struct perch_net *net, struct perch_tcb *c);
/* As if it had not been running. */
void perch_tcp_timer_restart(struct perch_net *net, struct perch_tcb *c);
void perch_tcp_timer_set(
	struct perch_net *net, struct perch_tcb *c, enum perch_tcp_timer timer, int64_t at_ns);
void perch_tcp_delay_ack(struct perch_net *net, struct perch_tcb *c);
/* Idle time before the first probe. */
int64_t perch_tcp_keepalive_ns(const struct perch_net *net);
/* When c wants to be named, or PERCH_NET_NEVER. */
int64_t perch_tcp_deadline(const struct perch_net *net, const struct perch_tcb *c);

/* Deadlines agreed with the timing wheel, to 65 us: rounding down costs at most a needless arming.
 * They lie less than the 39 hours ahead that a comparison of 32 bits allows. */
#define TICK_NEVER UINT32_MAX

static inline uint32_t tcp_tick(int64_t at_ns)
{
	uint32_t tick = (uint32_t)(at_ns >> 16);

	return tick == TICK_NEVER ? 0 : tick;
}

/* The timestamp clock: 1 ms grain (RFC 7323 section 5.4 wants 1 ms to 1 s). */
static inline uint32_t tcp_now_ms(const struct perch_net *net)
{
	return net->now_ms;
}

/* Times to 1 ms that cost a shift. */
static inline uint32_t tcp_coarse(int64_t at_ns)
{
	return (uint32_t)(at_ns >> 20);
}

static inline int64_t tcp_coarse_age_ns(const struct perch_net *net, uint32_t then)
{
	return (int64_t)(tcp_coarse(net->now_ns) - then) << 20;
}

/* A clock for ages of weeks: it goes round in 49 days, as the one above does. */
static inline uint16_t tcp_now_minute(const struct perch_net *net)
{
	return (uint16_t)(tcp_now_ms(net) >> 16);
}

static inline bool tcp_synchronized(const struct perch_tcb *c)
{
	return c->state >= PERCH_TCP_ESTABLISHED;
}

/* May the peer still send us text? */
static inline bool tcp_receiving(const struct perch_tcb *c)
{
	return c->state == PERCH_TCP_ESTABLISHED || c->state == PERCH_TCP_FIN_WAIT_1 ||
		c->state == PERCH_TCP_FIN_WAIT_2;
}

/* Is it in the hands of the layer above, or still on its way there? */
static inline bool tcb_undelivered(const struct perch_tcb *c)
{
	return c->flow.events & PERCH_FLOW_ACCEPTED;
}

#endif
