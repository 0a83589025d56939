/* SPDX-License-Identifier: BSD-3-Clause
 * Lists as text, as command lines have them.
 */
#ifndef PERCH_APPS_TRADE_TEXT_H
#define PERCH_APPS_TRADE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* The next piece of a list "A,B,C": *at moves on. Returns false at the end, and for a piece that is
 * empty or has no room (then *at points to it). */
bool text_piece(const char **at, char *out, size_t size);

#endif
