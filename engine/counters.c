/* SPDX-License-Identifier: BSD-3-Clause
 * What an engine tells about itself: counters by name, drops among them. They are plain words that
 * their lcore writes; a reader elsewhere sees each of them whole, but not all at one instant.
 */
#include <rte_common.h>

#include "engine/lcore.h"
#include "tcp-lite/drop.h"
#include "tcp-lite/tcp.h"

struct scrape {
	struct perch_counter *out;
	unsigned max, n;
	bool add; /* a further lcore: its values are added to those of the first */
};

static void put(struct scrape *s, const char *name, const char *text, uint64_t value)
{
	if (s->n < s->max) {
		if (s->add)
			s->out[s->n].value += value;
		else
			s->out[s->n] = (struct perch_counter){name, text, value};
	}
	s->n++;
}

static void put_lcore(struct scrape *s, const struct perch_lcore *l)
{
	struct perch_sched_stats sched;

	perch_sched_stats(l->sched, &sched);
	put(s, "turns", "times round the loop", l->turns);
	put(s, "idle_turns", "turns that found nothing to do", l->idle_turns);
	put(s, "rx_packets", "packets received", l->net->rx_packets);
	put(s, "rx_bytes", "bytes received, Ethernet headers included", l->net->rx_bytes);
	put(s, "tx_packets", "packets made", l->net->tx_packets);
	put(s, "tx_bytes", "bytes made, Ethernet headers included", l->net->tx_bytes);
	put(s, "tx_taken", "packets that the port took", l->tx_taken);
	put(s, "co_spawned", "coroutines started", sched.spawned);
	put(s, "co_finished", "coroutines that returned", sched.finished);
	put(s, "co_switches", "times a coroutine was resumed", sched.switches);
	put(s, "co_alive", "coroutines alive now", sched.alive);
	put(s, "co_refused", "coroutines refused: none left, or no stack", sched.refused_co +
		sched.refused_private);
	put(s, "co_save_refused", "waits refused: no memory to save the stack meanwhile",
		sched.refused_save);
	put(s, "co_saved_bytes", "saved stacks of waiting coroutines now", sched.saved_bytes);
	put(s, "mail_refused", "starts and wakes from other threads refused: too many waited",
		perch_mailbox_refused(l->mail));
}

/* Cycles a packet and stage: stage_X_cycles / stage_packets. */
static void put_stages(struct scrape *s, const struct perch_lcore *l)
{
	const uint64_t *cycles = l->stages.cycles;

	put(s, "stage_turns", "turns that were stamped and found something to do", l->stages.turns);
	put(s, "stage_packets", "packets that those received", l->stages.packets);
	put(s, "stage_rx_cycles", "TSC cycles of those: the port's receive burst",
		cycles[PERCH_STAGE_RX]);
	put(s, "stage_input_cycles", "protocol input", cycles[PERCH_STAGE_INPUT]);
	put(s, "stage_timers_cycles", "timers", cycles[PERCH_STAGE_TIMERS]);
	put(s, "stage_wake_cycles", "events that make coroutines ready", cycles[PERCH_STAGE_WAKE]);
	put(s, "stage_handlers_cycles", "coroutines", cycles[PERCH_STAGE_HANDLERS]);
	put(s, "stage_output_cycles", "protocol output", cycles[PERCH_STAGE_OUTPUT]);
	put(s, "stage_tx_cycles", "the port's transmit burst", cycles[PERCH_STAGE_TX]);
}

static void put_tcp(struct scrape *s, const struct perch_lcore *l)
{
	const struct perch_tcp_counters *c = perch_tcp_counters(l->net);

	put(s, "tcp_flows", "TCP connections now, TIME_WAIT included", c->flows);
	put(s, "tcp_time_wait", "of those in TIME_WAIT", c->time_wait);
	put(s, "tcp_opened_active", "connections that we dialled", c->opened_active);
	put(s, "tcp_opened_passive", "connections that peers dialled", c->opened_passive);
	put(s, "tcp_accepted", "connections given to a handler", c->accepted);
	put(s, "tcp_closed", "connections finished", c->closed);
	put(s, "tcp_segments_in", "TCP segments received", c->segs_in);
	put(s, "tcp_segments_out", "TCP segments sent", c->segs_out);
	put(s, "tcp_supers", "packets of several of them that the port cut (TSO)", c->supers);
	put(s, "tcp_bytes_in", "payload bytes received in order", c->bytes_in);
	put(s, "tcp_bytes_out", "payload bytes sent, repeats included", c->bytes_out);
	put(s, "tcp_forwarded", "payloads sent on in the packet that they came in", c->forwarded);
	put(s, "tcp_warmed", "segments that were made and not sent (perch_warm)", c->warmed);
	put(s, "tcp_lent", "segments sent from memory that was lent", c->lent);
	put(s, "tcp_loans_refused", "loans that had to wait: too many segments refer to the memory",
		c->loans_refused);
	put(s, "tcp_retransmits", "segments sent again", c->retransmits);
	put(s, "tcp_rto_fired", "retransmission timeouts", c->rto_fired);
	put(s, "tcp_fast_retransmits", "recoveries without a timeout", c->fast_retransmits);
	put(s, "tcp_spurious_recoveries", "recoveries that were none", c->spurious_recoveries);
	put(s, "tcp_loss_probes", "segments that asked for the tail", c->loss_probes);
	put(s, "tcp_out_of_order", "segments that came early", c->out_of_order);
	put(s, "tcp_dup_acks_in", "duplicate ACKs received", c->dup_acks_in);
	put(s, "tcp_zero_window_probes", "probes of a closed window", c->zero_window_probes);
	put(s, "tcp_black_holes", "paths that swallow long segments", c->black_holes);
	put(s, "tcp_mtu_reports_doubted", "path MTUs told that may be lies",
		c->mtu_reports_doubted);
	put(s, "tcp_mtu_trials", "segments sent to see whether longer ones go", c->mtu_trials);
	put(s, "tcp_mtu_trials_lost", "of those that were lost", c->mtu_trials_lost);
	put(s, "tcp_challenge_acks", "challenge ACKs sent", c->challenge_acks);
	put(s, "tcp_cookies_sent", "SYNs answered by a cookie", c->cookies_sent);
	put(s, "tcp_cookies_accepted", "connections begun by a cookie", c->cookies_accepted);
	put(s, "tcp_resets_sent", "RST segments sent", c->reset_sent);
	put(s, "tcp_resets_received", "RST segments accepted", c->reset_received);
}

static const struct perch_counter drop_texts[] = {
#define X(name, text) {"drop_" #name, text, 0},
	PERCH_DROPS(X)
#undef X
};

static void put_drops(struct scrape *s, const struct perch_lcore *l)
{
	unsigned i;

	for (i = 0; i < PERCH_DROP_COUNT; i++)
		put(s, drop_texts[i].name, drop_texts[i].text, l->net->drops[i]);
}

static void put_port(struct scrape *s, const struct perch *e)
{
	struct perch_port_stats p;
	struct perch_port_info i;

	perch_port_stats(e->port, &p);
	perch_port_info(e->port, &i);
	put(s, "port_queues", "queue pairs of the device in use", i.hw_queues);
	put(s, "port_rx_checksums", "1: the device checks those of TCP and UDP",
		!!(i.offloads & PERCH_PORT_RX_CKSUM));
	put(s, "port_tx_checksums", "1: the device fills in TCP's",
		!!(i.offloads & PERCH_PORT_TX_TCP_CKSUM));
	put(s, "port_tso", "1: the device cuts TCP into segments",
		!!(i.offloads & PERCH_PORT_TX_TCP_TSO));
	put(s, "port_rx_missed", "packets that the device dropped: its ring was full", p.rx_missed);
	put(s, "port_rx_errors", "packets that the device found damaged", p.rx_errors);
	put(s, "port_rx_nombuf", "packets that the device dropped: no packet buffer", p.rx_nombuf);
	put(s, "port_tx_errors", "packets that the device failed to send", p.tx_errors);
	put(s, "record_lost", "blocks that had no room in the recording's ring",
		e->recorder ? perch_record_lost(e->recorder) : 0);
	put(s, "record_errno", "why the recording's file could not be written on",
		e->recorder ? (uint64_t)perch_record_errno(e->recorder) : 0);
	put(s, "drop_steer_ring_full", "packets for another lcore whose ring was full",
		p.steer_dropped);
}

unsigned perch_counters(const struct perch *e, int lcore, struct perch_counter *out, unsigned max)
{
	struct scrape s = {.out = out, .max = max};
	unsigned i;

	for (i = 0; i < e->n_lcores; i++) {
		if (lcore != PERCH_EVERY_LCORE && lcore != (int)i)
			continue;
		s.n = 0;
		put_lcore(&s, e->lcores[i]);
		put_stages(&s, e->lcores[i]);
		put_tcp(&s, e->lcores[i]);
		put_drops(&s, e->lcores[i]);
		s.add = true;
	}
	if (s.add) {
		s.add = false;
		put_port(&s, e);
	}
	return s.n;
}
