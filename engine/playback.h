/* SPDX-License-Identifier: BSD-3-Clause
 * Running an engine from captures under a virtual clock: the turn is the production one, but time
 * goes from event to event (the next packet, the next timer) and one thread runs all lcores, so
 * that the same captures, seed and configuration give the same bytes out.
 *
 * What to play is text, one KEY=VALUE a line, as tools/replay.c writes it to PERCH_REPLAY:
 *
 *	rx=PORT:PATH       a capture; PORT is perch_config.port_index; several are merged. Or one
 *	                   recording: seed, MAC address, lcores and times come from it, and of what
 *	                   follows only tx, speed, tx-cost, override and report mean anything
 *	tx=PORT:PATH       where what is sent is written
 *	seed=N             the engine's seed; default that of the configuration, or 1
 *	speed=N            N times as fast as the captures; 0: as fast as can be (default)
 *	bursts=full        a turn receives all that it can, whatever the packets' times
 *	loop=N             play the captures N times
 *	filter=TEXT        pcap-filter(7), for all captures
 *	backwards=clamp|sort|error   snapped=error|skip|pass   truncated=error|skip
 *	checksums=verify|ignore|fix  vlan=keep|strip           mac=PORT:XX:XX:XX:XX:XX:XX
 *	peers=as-is|ours|captured    TCP clients of the captures, see drivers-glue/peer.h
 *	fault=RULE         see drivers-glue/fault.h
 *	tx-cost=NS         from the turn to the time of a sent packet
 *	linger=NS          virtual time from the last packet to the stop; default 1 s
 *	lcores=N           default that of the configuration
 *	override=no|yes    a recording: play it although the configuration is another
 *	report=FD          where counts go when the engine closes, KEY=VALUE lines
 */
#ifndef PERCH_ENGINE_PLAYBACK_H
#define PERCH_ENGINE_PLAYBACK_H

#include "drivers-glue/replay.h"
#include "engine/perch.h"

struct perch_playback;

/* *out is NULL when neither the configuration nor the environment asks for one. Returns 0 or a
 * negative errno. Control. */
int perch_playback_open(
	struct perch_playback **out, const struct perch_config *cfg, struct perch_why *why);

/* Close the files and write the report; the engine has stopped. NULL is fine. */
void perch_playback_close(struct perch_playback *v);

struct perch_replay *perch_playback_port(struct perch_playback *v);
uint64_t perch_playback_seed(const struct perch_playback *v);
/* 0: as configured */
unsigned perch_playback_lcores(const struct perch_playback *v);
/* When the lcore opens: a little before the first packet, or as recorded. */
int64_t perch_playback_start(const struct perch_playback *v, unsigned lcore);

/* Is path one of the files that it plays? */
bool perch_playback_reads(const struct perch_playback *v, const char *path);

/* Is it a recording? Then its turns are had again, one by one. */
bool perch_playback_is_script(const struct perch_playback *v);

struct perch_lcore;
/* Stop, mute, whether timers waited and groups were followed: as it was in this turn of a
 * recording, whatever threads ask for now. */
void perch_playback_flags(struct perch_lcore *l);

/* In a turn of a recording: carry out the messages that were carried out then. Returns how many. */
unsigned perch_playback_mail(struct perch_lcore *l);

/* Groups that lcores share in a recording: what one of them wants waits until lcore 0 follows, for
 * in a turn it follows no more than it did; fn is given each, in the order in which they were
 * wanted. */
struct perch_share;
int perch_playback_share(struct perch_lcore *l, const struct perch_share *s);
void perch_playback_groups(
	struct perch_lcore *l, void (*fn)(struct perch *e, const struct perch_share *s));

/* As perch_run and perch_poll; a turn waits for the time at which it has something to do. */
int perch_playback_run(struct perch *e);
int perch_playback_poll(struct perch *e, unsigned turns);

#endif
