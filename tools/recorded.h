/* SPDX-License-Identifier: BSD-3-Clause
 * The command line of the app that a recording is of, and how it compares with another one.
 */
#ifndef PERCH_TOOLS_RECORDED_H
#define PERCH_TOOLS_RECORDED_H

#include <stdbool.h>

enum { RECORDED_WORDS = 512 };

struct recorded {
	char *words[RECORDED_WORDS + 1]; /* of malloc, NULL-terminated */
	unsigned n;                      /* 0: the recording does not hold them */
};

/* Is path a recording, or the ring of one? Then its words are in out; else out is empty. */
bool recorded_read(const char *path, struct recorded *out);
void recorded_free(struct recorded *r);

/* Is the last word of a command the recorded program, wherever it is now? Then its arguments may
 * follow. */
bool recorded_is_program(const struct recorded *r, const char *word);

/* Do both start the app alike? What says only where its packets come from, how it idles, and what
 * is recorded, is not looked at. argv may have another program in front, as in gdb --args APP. */
bool recorded_same(const struct recorded *r, char *const *argv);

/* As one would type it. Returns buf. */
char *recorded_text(char *const *words, char *buf, unsigned size);

#endif
