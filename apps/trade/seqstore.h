/* SPDX-License-Identifier: BSD-3-Clause
 * The sequence store: the few numbers that a trading session must still know after kill -9, in a
 * file that a control thread writes. The loop posts the newest numbers without waiting; the thread
 * writes whatever is newest, a few hundred times a second at the most.
 *
 * So the file lags behind. Inbound numbers may: what was heard twice is recognised by its number.
 * Outbound references and MsgSeqNums must never come twice, so they are taken from below a ceiling
 * that is in the file already, and a restart begins at that ceiling.
 */
#ifndef PERCH_APPS_TRADE_SEQSTORE_H
#define PERCH_APPS_TRADE_SEQSTORE_H

#include <stdint.h>

struct seqstore;

struct seqstore_numbers {
	char session[16];     /* the SoupBinTCP session that next_in belongs to; empty: none */
	uint64_t next_in;     /* the sequenced message that is expected next */
	uint64_t ref_ceiling; /* all references that were ever used are below it */
	uint64_t fix_next_in; /* MsgSeqNum (34) that is expected next */
	uint64_t fix_ceiling; /* all that were ever sent are below it; 0: none was */
};

/* Open or create the file, read what it holds into *restored (zero when it is new), and start the
 * thread. Returns 0 or a negative errno; -EBADMSG: neither copy in the file is whole; -EBUSY:
 * another process has it open. Control thread. */
int seqstore_open(struct seqstore **out, const char *path, struct seqstore_numbers *restored);

/* These are the numbers now. Never waits, never enters the kernel. The loop's thread. */
void seqstore_post(struct seqstore *s, const struct seqstore_numbers *now);

/* The ceilings that the file holds for certain, of references and of MsgSeqNum. Any thread. */
uint64_t seqstore_ceiling(const struct seqstore *s);
uint64_t seqstore_fix_ceiling(const struct seqstore *s);

/* Write what was posted last and close. Returns 0, or the first error that the thread met. Control
 * thread. NULL is fine. */
int seqstore_close(struct seqstore *s);

#endif
