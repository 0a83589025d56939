/* SPDX-License-Identifier: BSD-3-Clause
 * What a message to an lcore is in every run of a program, wherever that run has its memory: so a
 * recording can say which message came first, and a replay finds it among those that wait.
 */
#ifndef PERCH_ENGINE_LETTER_H
#define PERCH_ENGINE_LETTER_H

#include <stddef.h>

#include "drivers-glue/recording.h"
#include "sched/mailbox.h"

/* A coroutine, a value, a function and an argument that is a number or lies in the program are
 * looked at; an address on the heap or on a stack tells nothing. Any context. */
struct perch_recorded_mail perch_letter_of(const struct perch_mail *mail);

/* The identity that the linker gave the program, in hexadecimal, or "": only two runs of one build
 * have their functions in the same places. Control. */
void perch_letter_build(char *text, size_t size);

#endif
