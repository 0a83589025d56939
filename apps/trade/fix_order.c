/* SPDX-License-Identifier: BSD-3-Clause
 * A desk's orders as FIX messages, and what comes back.
 */
#include "apps/trade/fix_order.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REF_DIGITS = 14, SHARES_DIGITS = 10, PRICE_WIDTH = 20 };

/* Side (54). */
static char side_of(char side)
{
	return side == 'B' ? '1' : side == 'T' ? '5' : side == 'E' ? '6' : '2';
}

/* ---- to prepare ----------------------------------------------------------------------------- */

/* Everything that orders of a symbol have in common, and room for the rest. The symbol comes last,
 * so that all before it lies in the same place in every one of them. */
static int prepare(struct fix_order_desk *f, unsigned symbol)
{
	struct fix_body b = {0};

	fix_put(&b, 11, "00000000000000");
	fix_put(&b, 21, "1"); /* HandlInst: automated, no broker */
	fix_put(&b, 54, "1");
	fix_put(&b, 38, "0000000000");
	fix_put(&b, 40, "2"); /* OrdType: limit */
	fix_put(&b, 44, "000000000000000.0000");
	fix_put(&b, 59, "0");
	fix_put_time(&b, 60, 0);
	fix_put(&b, 55, f->desk->symbols[symbol].name);
	return fix_prepare(f->session, "D", &b, &f->orders[symbol]);
}

static uint16_t place(const struct fix_order_desk *f, unsigned tag)
{
	unsigned width;

	return (uint16_t)(fix_prepared_at(&f->orders[0], tag, &width) - f->orders[0].fields_at);
}

int fix_order_open(struct fix_order_desk *f, const char *version, struct fix_session *session,
	const struct desk *desk)
{
	unsigned i;
	int rc = 0;

	*f = (struct fix_order_desk){.session = session,
		.desk = desk,
		.has_mass_cancel = strcmp(version, "FIX.4.4") == 0};
	f->orders = calloc(desk->n_symbols + 1u, sizeof(*f->orders));
	if (!f->orders)
		return -ENOMEM;
	for (i = 0; i < desk->n_symbols && rc == 0; i++)
		rc = prepare(f, i);
	if (rc < 0) {
		fix_order_close(f);
		return rc;
	}
	if (desk->n_symbols) {
		f->at_ref = place(f, 11);
		f->at_side = place(f, 54);
		f->at_shares = place(f, 38);
		f->at_price = place(f, 44);
		f->at_tif = place(f, 59);
	}
	return 0;
}

void fix_order_close(struct fix_order_desk *f)
{
	free(f->orders);
	f->orders = NULL;
}

/* ---- to send -------------------------------------------------------------------------------- */

static struct fix_prepared *patch(
	struct fix_order_desk *f, const struct desk_intent *i, uint64_t ref)
{
	struct fix_prepared *p = &f->orders[i->symbol];

	fix_patch_number(p, p->fields_at + f->at_ref, REF_DIGITS, ref);
	fix_patch_letter(p, p->fields_at + f->at_side, side_of(i->side));
	fix_patch_number(p, p->fields_at + f->at_shares, SHARES_DIGITS, i->shares);
	fix_patch_price(p, p->fields_at + f->at_price, PRICE_WIDTH, i->price);
	fix_patch_letter(p, p->fields_at + f->at_tif, i->ioc ? '3' : '0');
	return p;
}

bool fix_order_enter(
	struct fix_order_desk *f, const struct desk_intent *i, uint64_t ref, int64_t now_ns)
{
	return fix_send_prepared(f->session, patch(f, i, ref), now_ns) != 0;
}

/* The fields stay patched: the next order writes each of them again. */
size_t fix_order_rehearse(struct fix_order_desk *f, const struct desk_intent *i, uint64_t ref,
	int64_t now_ns, char *out)
{
	return fix_write_prepared(f->session, patch(f, i, ref), now_ns, out);
}

static void put_ref(struct fix_body *b, unsigned tag, const char *form, uint64_t ref)
{
	char text[24];

	snprintf(text, sizeof(text), form, ref);
	fix_put(b, tag, text);
}

static void put_now(const struct fix_order_desk *f, struct fix_body *b, int64_t now_ns)
{
	fix_put_time(b, 60, now_ns + fix_utc_offset(f->session));
}

bool fix_order_cancel(struct fix_order_desk *f, const struct desk_order *o, int64_t now_ns)
{
	const char side[2] = {side_of(o->side), '\0'};
	struct fix_body b = {0};

	put_ref(&b, 41, "%014" PRIu64, o->ref);
	put_ref(&b, 11, "C%013" PRIu64, o->ref);
	fix_put(&b, 55, f->desk->symbols[o->symbol].name);
	fix_put(&b, 54, side);
	fix_put_number(&b, 38, o->open);
	put_now(f, &b, now_ns);
	return fix_send(f->session, "F", &b, now_ns) != 0;
}

bool fix_order_cancel_all(struct fix_order_desk *f, int64_t now_ns)
{
	struct fix_body b = {0};

	if (!f->has_mass_cancel)
		return false;
	put_ref(&b, 11, "M%013" PRIu64, ++f->mass_cancels);
	fix_put(&b, 530, "7"); /* MassCancelRequestType: all orders */
	put_now(f, &b, now_ns);
	return fix_send(f->session, "q", &b, now_ns) != 0;
}

/* ---- what comes back ------------------------------------------------------------------------ */

static int letter_of(const struct fix_message *m, unsigned tag)
{
	const char *v;

	return fix_get(m, tag, &v) == 1 ? v[0] : 0;
}

/* The desk's reference: digits are one; the ClOrdID of a cancel names it in OrigClOrdID (41). */
static int ref_of(const struct fix_message *m, unsigned tag, uint64_t *ref)
{
	int rc = fix_get_number(m, tag, ref);

	return rc < 0 ? fix_get_number(m, 41, ref) : 0;
}

/* What is in an acceptance, for an order that the desk must adopt. */
static int take_order(const struct fix_message *m, struct ouch *out)
{
	const char *v;
	int n = fix_get(m, 55, &v);

	if (n <= 0 || n > 8 || fix_get_number(m, 151, &out->shares) < 0)
		return -EBADMSG;
	memcpy(out->symbol, v, (size_t)n);
	out->side = letter_of(m, 54) == '1' ? 'B' : 'S';
	out->state = out->shares ? 'L' : 'D';
	return fix_get_price(m, 44, &out->price) == -EBADMSG ? -EBADMSG : 0;
}

static int take_fill(const struct fix_message *m, struct ouch *out)
{
	out->type = OUCH_EXECUTED;
	return fix_get_number(m, 32, &out->shares) < 0 || fix_get_price(m, 31, &out->price) < 0
		       ? -EBADMSG
		       : 0;
}

/* ExecType (150); 4.2 tells of breaks and corrections by ExecTransType (20). */
static int take_execution(const struct fix_message *m, struct ouch *out)
{
	int type = letter_of(m, 150), trans = letter_of(m, 20);

	if (trans == '1' || trans == '2')
		type = 'H';
	switch (type) {
	case '0': out->type = OUCH_ACCEPTED; return take_order(m, out);
	case '1':
	case '2':
	case 'F': return take_fill(m, out);
	case '3': /* done for the day, canceled, expired: all that was left */
	case '4':
	case 'C':
		out->type = OUCH_CANCELED;
		out->shares = UINT32_MAX;
		return 0;
	case '8': out->type = OUCH_REJECTED; return 0;
	case 'G':
	case 'H': out->type = OUCH_BROKEN; return 0;
	default: return type ? -ENOMSG : -EBADMSG;
	}
}

int fix_order_report(const struct fix_event *ev, struct ouch *out)
{
	const struct fix_message *m = &ev->message;

	memset(out, 0, sizeof(*out));
	if (strcmp(ev->type, "8") == 0)
		return ref_of(m, 11, &out->ref) < 0 ? -EBADMSG : take_execution(m, out);
	if (strcmp(ev->type, "9") == 0) {
		out->type = OUCH_CANCEL_REJECT;
		return ref_of(m, 41, &out->ref) < 0 ? -EBADMSG : 0;
	}
	if (strcmp(ev->type, "j") == 0) { /* BusinessRejectRefID: of an order, or of no use here */
		out->type = OUCH_REJECTED;
		return fix_get_number(m, 379, &out->ref) < 0 ? -ENOMSG : 0;
	}
	return -ENOMSG;
}
