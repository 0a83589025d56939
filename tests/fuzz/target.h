/* SPDX-License-Identifier: BSD-3-Clause
 * What a fuzz target defines (libFuzzer's names), and what the targets share: reading their input,
 * a net that ends where its packets do, and promises whose breach is a finding.
 */
#ifndef PERCH_TESTS_FUZZ_TARGET_H
#define PERCH_TESTS_FUZZ_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tcp-lite/net.h"
#include "tests/tcp-lite/packets.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* ---- input: zeros after its end */
struct fuzz_input {
	const uint8_t *at, *end;
};

uint8_t fuzz_take8(struct fuzz_input *in);
uint16_t fuzz_take16(struct fuzz_input *in);

/* A breach: says so and aborts. */
_Noreturn void fuzz_found(const char *what);
#define promise(what) ((what) ? (void)0 : fuzz_found(#what))

/* ---- a net in virtual time */
#define FUZZ_MS INT64_C(1000000)

struct fuzz_net {
	struct perch_net *net;
	int64_t now_ns;
	/* Called for every frame that the net sends. */
	void (*sent)(struct fuzz_net *f, const struct frame *frame);
};

/* Once per process. */
void fuzz_start(const char *name);
/* We are 02:..:01, 10.0.0.1/24 and fd00::1/64. What is 0 in cfg beside the interface is default. */
void fuzz_open(struct fuzz_net *f, struct perch_net_config *cfg);
/* Promises that no packet is missing. */
void fuzz_close(struct fuzz_net *f);
void fuzz_rx(struct fuzz_net *f, const struct frame *frame, uint64_t ol_flags);
/* One turn: output, deadlines, and what was sent. */
void fuzz_turn(struct fuzz_net *f);
void fuzz_pass(struct fuzz_net *f, int64_t ns);
/* From the peer (02:..:02, 10.0.0.2, fd00::2) to us. */
struct ends fuzz_ends(bool v6);
/* The peer's MAC address becomes known. */
void fuzz_meet_peer(struct fuzz_net *f);

#endif
