/* SPDX-License-Identifier: BSD-3-Clause
 * The name of a function by its address, for dumps and for the last words of a dying process.
 */
#ifndef PERCH_SCHED_SYMBOL_H
#define PERCH_SCHED_SYMBOL_H

#include <stddef.h>

/* Writes "name+0x12", or "file+0x1234" or "0x1234" if no name is known. Static functions are found
 * too, by the symbol table of the file that they came from. Allocates nothing, takes no lock of
 * the C library's allocator, and may be called by a signal handler of a thread that faulted. */
void perch_symbol_name(const void *address, char *name, size_t bytes);

#endif
