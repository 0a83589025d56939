/* SPDX-License-Identifier: BSD-3-Clause
 * What trading apps take from their command lines beyond numbers: lists, and addresses with ports.
 */
#ifndef PERCH_APPS_TRADE_TEXT_H
#define PERCH_APPS_TRADE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <perch.h>

/* The next piece of a list "A,B,C": *at moves on. Returns false at the end, and for a piece that is
 * empty or has no room (then *at points to it). */
bool text_piece(const char **at, char *out, size_t size);

/* "10.0.0.1:80" or "[fd00::1]:80". Returns 0 or -EINVAL. */
int text_addr(const char *text, struct perch_addr *out);

#endif
