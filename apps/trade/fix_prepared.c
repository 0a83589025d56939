/* SPDX-License-Identifier: BSD-3-Clause
 * FIX messages that are written once and sent often. Fields keep their width, so BodyLength stays
 * what it was; the check sum moves with each byte that is patched. A clock's second is written out
 * once in a second; between, three digits move.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apps/trade/fix_inside.h"

enum { NUMBER_DIGITS = 9, TRAILER = 7, MS_AT = FIX_TIME - 3 };

#define SECOND_NS INT64_C(1000000000)

static inline void put(struct fix_prepared *p, unsigned at, char c)
{
	p->sum = (uint8_t)(p->sum + (uint8_t)c - (uint8_t)p->text[at]);
	p->text[at] = c;
}

void fix_patch_letter(struct fix_prepared *p, unsigned at, char value)
{
	put(p, at, value);
}

void fix_patch_number(struct fix_prepared *p, unsigned at, unsigned width, uint64_t value)
{
	while (width-- > 0) {
		put(p, at + width, (char)('0' + value % 10));
		value /= 10;
	}
}

void fix_patch_price(struct fix_prepared *p, unsigned at, unsigned width, uint64_t price)
{
	fix_patch_number(p, at + width - 4, 4, price % 10000);
	fix_patch_number(p, at, width - 5, price / 10000);
}

/* ---- to prepare ----------------------------------------------------------------------------- */

int fix_prepared_at(const struct fix_prepared *p, unsigned tag, unsigned *width)
{
	const struct fix_message m = {
		.body = p->text + p->fields_at, .body_len = p->len - TRAILER - p->fields_at};
	const char *value;
	int n = fix_get(&m, tag, &value);

	if (n < 0)
		return n;
	*width = (unsigned)n;
	return (int)(value - p->text);
}

int fix_prepare(const struct fix_session *s, const char *type, const struct fix_body *body,
	struct fix_prepared *p)
{
	struct fix_body h = {0};
	unsigned width;
	int n, at;

	memset(p, 0, sizeof(*p));
	snprintf(p->type, sizeof(p->type), "%s", type);
	fix_put_head(s, &h, type, 100000000 /* nine digits */, NULL, 0);
	n = snprintf(
		p->text, sizeof(p->text), "8=%s%c9=%zu%c", s->version, SOH, h.len + body->len, SOH);
	if (body->full || n + h.len + body->len + TRAILER > sizeof(p->text))
		return -EMSGSIZE;
	p->fields_at = (uint16_t)n;
	memcpy(p->text + n, h.text, h.len);
	memcpy(p->text + n + h.len, body->text, body->len);
	p->len = (uint16_t)((size_t)n + h.len + body->len);
	p->sum = fix_sum(p->text, p->len);
	memcpy(p->text + p->len, "10=000\001", TRAILER);
	p->len += TRAILER;
	p->sec = -1;
	p->at_number = (uint16_t)fix_prepared_at(p, 34, &width);
	p->at_sent = (uint16_t)fix_prepared_at(p, 52, &width);
	at = fix_prepared_at(p, 60, &width);
	p->at_happened = at > 0 && width == FIX_TIME ? (uint16_t)at : 0;
	return 0;
}

/* ---- to send -------------------------------------------------------------------------------- */

static void put_second(struct fix_prepared *p, int64_t utc_ns)
{
	char text[FIX_TIME + 1];
	unsigned i;

	fix_time_text(text, utc_ns);
	for (i = 0; i < FIX_TIME; i++) {
		put(p, p->at_sent + i, text[i]);
		if (p->at_happened)
			put(p, p->at_happened + i, text[i]);
	}
	p->sec = utc_ns / SECOND_NS;
}

static void put_time(struct fix_prepared *p, int64_t utc_ns)
{
	unsigned ms = (unsigned)(utc_ns / 1000000 % 1000);

	if (utc_ns / SECOND_NS != p->sec) {
		put_second(p, utc_ns);
		return;
	}
	fix_patch_number(p, p->at_sent + MS_AT, 3, ms);
	if (p->at_happened)
		fix_patch_number(p, p->at_happened + MS_AT, 3, ms);
}

size_t fix_write_prepared(
	const struct fix_session *s, struct fix_prepared *p, int64_t now_ns, char *at)
{
	uint16_t body_end = (uint16_t)(p->len - TRAILER);

	if (!fix_is_ready(s))
		return 0;
	fix_patch_number(p, p->at_number, NUMBER_DIGITS, s->next_out);
	put_time(p, now_ns + s->cfg.utc_offset_ns);
	memcpy(at, p->text, p->len);
	at[body_end + 3] = (char)('0' + p->sum / 100);
	at[body_end + 4] = (char)('0' + p->sum / 10 % 10);
	at[body_end + 5] = (char)('0' + p->sum % 10);
	return p->len;
}

uint64_t fix_send_prepared(struct fix_session *s, struct fix_prepared *p, int64_t now_ns)
{
	char *at = s->out + s->out_len;
	size_t len = fix_write_prepared(s, p, now_ns, at);

	if (len == 0)
		return 0;
	s->out_len += len;
	s->sent_ns = now_ns;
	s->counters.out++;
	fix_keep(s, at + p->fields_at, len - TRAILER - p->fields_at);
	return s->next_out - 1;
}
