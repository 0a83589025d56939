/* SPDX-License-Identifier: BSD-3-Clause
 * Orders that are judged and written as all are, by the same code, and then were not: what that
 * changed of the desk is put back. A file of its own, so that the compiler makes no second copy of
 * that code here, which would be warm in its place.
 */
#include "apps/trade/desk.h"

#include <string.h>

struct before {
	struct desk_order *slot, order; /* of the next reference */
	struct desk_symbol *symbol, of;
	uint64_t next_ref, gross, tokens_ns, verdicts[DESK_VERDICTS_N];
	int64_t bucket_ns;
	uint32_t open;
};

static void note(struct desk *d, uint16_t symbol, struct before *b)
{
	b->slot = &d->orders[d->next_ref & d->mask];
	b->order = *b->slot;
	b->symbol = &d->symbols[symbol];
	b->of = *b->symbol;
	b->next_ref = d->next_ref;
	b->gross = d->gross;
	b->tokens_ns = d->tokens_ns;
	memcpy(b->verdicts, d->verdicts, sizeof(b->verdicts));
	b->bucket_ns = d->bucket_ns;
	b->open = d->open;
}

static void put_back(struct desk *d, const struct before *b)
{
	*b->slot = b->order;
	*b->symbol = b->of;
	d->next_ref = b->next_ref;
	d->gross = b->gross;
	d->tokens_ns = b->tokens_ns;
	memcpy(d->verdicts, b->verdicts, sizeof(d->verdicts));
	d->bucket_ns = b->bucket_ns;
	d->open = b->open;
}

enum desk_verdict desk_rehearse(
	struct desk *d, const struct desk_intent *i, int64_t now_ns, void *out, size_t *len)
{
	struct before before;
	enum desk_verdict v;

	*len = 0;
	if (i->symbol >= d->n_symbols)
		return DESK_symbol;
	note(d, i->symbol, &before);
	v = desk_enter(d, i, now_ns, out, len);
	put_back(d, &before);
	return v;
}

enum desk_verdict desk_rehearse_admit(
	struct desk *d, const struct desk_intent *i, int64_t now_ns, uint64_t *ref)
{
	struct before before;
	enum desk_verdict v;

	if (i->symbol >= d->n_symbols)
		return DESK_symbol;
	note(d, i->symbol, &before);
	v = desk_admit(d, i, now_ns, ref);
	put_back(d, &before);
	return v;
}
