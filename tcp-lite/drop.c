/* SPDX-License-Identifier: BSD-3-Clause
 * The names and sentences of the drop counters, in the order of enum perch_drop.
 */
#include "tcp-lite/drop.h"

const struct perch_drop_text perch_drop_texts[] = {
#define X(name, text) {#name, text},
	PERCH_DROPS(X)
#undef X
};
