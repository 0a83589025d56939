/* SPDX-License-Identifier: BSD-3-Clause
 * The FIX session: sequence numbers both ways, and what to do when they do not agree.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/trade/fix_inside.h"

enum { DEFAULT_BEAT_S = 30, DEFAULT_KEPT = 10, HEAD_BYTES = 256, BEAT_MAX_S = 86400 };

#define SECOND_NS INT64_C(1000000000)

/* ---- open ----------------------------------------------------------------------------------- */

static bool id_ok(const char *id)
{
	return id && *id && strlen(id) < FIX_ID && !strchr(id, SOH);
}

static bool secret_ok(const char *text)
{
	return !text || id_ok(text);
}

int fix_open(struct fix_session **out, const struct fix_config *cfg)
{
	struct fix_session *s;
	int rc;

	*out = NULL;
	if (!cfg->version ||
		(strcmp(cfg->version, "FIX.4.2") != 0 && strcmp(cfg->version, "FIX.4.4") != 0) ||
		!id_ok(cfg->sender) || !id_ok(cfg->target) || !secret_ok(cfg->username) ||
		!secret_ok(cfg->password) || cfg->kept_bytes > FIX_MESSAGE_MAX)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->cfg = *cfg;
	snprintf(s->version, sizeof(s->version), "%s", cfg->version);
	snprintf(s->sender, sizeof(s->sender), "%s", cfg->sender);
	snprintf(s->target, sizeof(s->target), "%s", cfg->target);
	snprintf(s->username, sizeof(s->username), "%s", cfg->username ? cfg->username : "");
	snprintf(s->password, sizeof(s->password), "%s", cfg->password ? cfg->password : "");
	s->next_in = cfg->next_in && !cfg->reset ? cfg->next_in : 1;
	s->next_out = cfg->next_out && !cfg->reset ? cfg->next_out : 1;
	s->beat_ns = (cfg->heartbeat_s ? cfg->heartbeat_s : DEFAULT_BEAT_S) * SECOND_NS;
	s->kept_ahead = 1 - s->next_out;
	rc = archive_open(&s->kept, cfg->log2_kept ? cfg->log2_kept : DEFAULT_KEPT,
		cfg->kept_bytes ? cfg->kept_bytes : FIX_MESSAGE_MAX);
	if (rc < 0) {
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void fix_close(struct fix_session *s)
{
	if (!s)
		return;
	archive_close(s->kept);
	free(s);
}

/* ---- the way out ---------------------------------------------------------------------------- */

void fix_put_head(const struct fix_session *s, struct fix_body *h, const char *type,
	uint64_t number, const char *first_sent, int64_t now_ns)
{
	fix_put(h, 35, type);
	fix_put(h, 49, s->sender);
	fix_put(h, 56, s->target);
	fix_put_number(h, 34, number);
	if (first_sent)
		fix_put(h, 43, "Y");
	fix_put_time(h, 52, now_ns + s->cfg.utc_offset_ns);
	if (first_sent)
		fix_put(h, 122, first_sent);
}

/* One message with everything around its body. Returns where its fields are, from 35 on, and their
 * length; NULL: fix_out is full. */
static const char *put_message(struct fix_session *s, const char *type, uint64_t number,
	const char *body, size_t len, const char *first_sent, int64_t now_ns, size_t *fields_len)
{
	struct fix_body h = {0};
	char *at = s->out + s->out_len;
	size_t room = sizeof(s->out) - s->out_len;
	int fields_at, n;

	fix_put_head(s, &h, type, number, first_sent, now_ns);
	if (room < h.len + len + HEAD_BYTES)
		return NULL;
	*fields_len = h.len + len;
	fields_at = snprintf(at, room, "8=%s%c9=%zu%c", s->version, SOH, *fields_len, SOH);
	memcpy(at + fields_at, h.text, h.len);
	memcpy(at + fields_at + h.len, body, len);
	n = fields_at + (int)*fields_len;
	n += snprintf(at + n, 8, "10=%03u%c", fix_sum(at, (size_t)n), SOH);
	s->out_len += (size_t)n;
	s->sent_ns = now_ns;
	s->counters.out++;
	return at + fields_at;
}

void fix_keep(struct fix_session *s, const char *fields, size_t len)
{
	if (!archive_add(s->kept, fields, len))
		archive_add(s->kept, "", 0);
	s->next_out++;
}

static bool send(struct fix_session *s, const char *type, const struct fix_body *body,
	bool application, int64_t now_ns)
{
	const char *fields;
	size_t len;

	if (body->full)
		return false;
	fields = put_message(s, type, s->next_out, body->text, body->len, NULL, now_ns, &len);
	if (!fields)
		return false;
	fix_keep(s, fields, application ? len : 0);
	return true;
}

static void put_secret(const struct fix_session *s, struct fix_body *b)
{
	if (strcmp(s->version, "FIX.4.2") == 0) {
		fix_put_number(b, 95, strlen(s->password));
		fix_put(b, 96, s->password);
		return;
	}
	fix_put(b, 553, s->username[0] ? s->username : s->sender);
	fix_put(b, 554, s->password);
}

static void send_logon(struct fix_session *s, int64_t now_ns)
{
	struct fix_body b = {0};

	fix_put(&b, 98, "0");
	fix_put_number(&b, 108, (uint64_t)(s->beat_ns / SECOND_NS));
	if (s->cfg.reset)
		fix_put(&b, 141, "Y");
	if (s->password[0] && !s->cfg.accepts)
		put_secret(s, &b);
	send(s, "A", &b, false, now_ns);
}

/* Our numbers begin at 1 again; what was sent under others is not to be had any more. */
static void restart(struct fix_session *s)
{
	s->next_out = 1;
	s->kept_ahead = archive_next(s->kept) - 1;
	s->kept_from = 0;
}

void fix_disconnected(struct fix_session *s)
{
	s->state = FIX_S_IDLE;
	s->out_len = 0;
	s->resend_at = s->resend_end = 0;
}

void fix_connected(struct fix_session *s, int64_t now_ns)
{
	if (s->cfg.reset) { /* until one was answered, every Logon is the first */
		restart(s);
		s->next_in = 1;
	}
	s->state = FIX_S_LOGGING_ON;
	s->heard_ns = s->sent_ns = now_ns;
	s->tested = false;
	s->asked_to = 0;
	s->resend_at = s->resend_end = 0;
	s->out_len = 0;
	s->now_ns = now_ns;
	if (!s->cfg.accepts)
		send_logon(s, now_ns);
}

bool fix_is_ready(const struct fix_session *s)
{
	return s->state == FIX_S_ON && s->resend_at == s->resend_end &&
	       sizeof(s->out) - s->out_len >= FIX_MESSAGE_MAX + HEAD_BYTES;
}

uint64_t fix_send(
	struct fix_session *s, const char *type, const struct fix_body *body, int64_t now_ns)
{
	return fix_is_ready(s) && send(s, type, body, true, now_ns) ? s->next_out - 1 : 0;
}

void fix_forget(struct fix_session *s)
{
	s->kept_from = s->next_out;
}

static void send_text(
	struct fix_session *s, const char *type, unsigned tag, const char *text, int64_t now_ns)
{
	struct fix_body b = {0};

	if (text)
		fix_put(&b, tag, text);
	send(s, type, &b, false, now_ns);
}

void fix_log_out(struct fix_session *s, const char *text, int64_t now_ns)
{
	if (s->state != FIX_S_ON && s->state != FIX_S_LOGGING_ON)
		return;
	send_text(s, "5", 58, text, now_ns);
	s->state = FIX_S_LOGGING_OUT;
}

size_t fix_out(const struct fix_session *s, const char **data)
{
	*data = s->out;
	return s->out_len;
}

/* ---- sending again -------------------------------------------------------------------------- */

/* first .. end - 1 were of the session level, or are forgotten. */
static void fill_gap(struct fix_session *s, uint64_t first, uint64_t end)
{
	struct fix_body b = {0}, when = {0};
	size_t len;

	if (first == end)
		return;
	fix_put(&b, 123, "Y");
	fix_put_number(&b, 36, end);
	fix_put_time(&when, 1, s->now_ns + s->cfg.utc_offset_ns);
	when.text[when.len - 1] = '\0';
	put_message(s, "4", first, b.text, b.len, when.text + 2, s->now_ns, &len);
	s->counters.gap_filled += end - first;
}

/* What fix_keep has under that number: NULL for one that is to be filled. */
static const char *kept(const struct fix_session *s, uint64_t number, size_t *len)
{
	const char *data = archive_get(s->kept, number + s->kept_ahead, len);

	return data && *len > 0 && number >= s->kept_from ? data : NULL;
}

static void resend_one(struct fix_session *s, uint64_t number)
{
	struct fix_message m = {0};
	char type_text[8], when_text[32];
	const char *type, *when, *body;
	int type_len, when_len;
	size_t len;

	m.body = kept(s, number, &m.body_len);
	type_len = fix_get(&m, 35, &type);
	when_len = fix_get(&m, 52, &when);
	snprintf(type_text, sizeof(type_text), "%.*s", type_len, type);
	snprintf(when_text, sizeof(when_text), "%.*s", when_len, when);
	body = when + when_len + 1; /* 52 is the head's last field */
	put_message(s, type_text, number, body, m.body_len - (size_t)(body - m.body), when_text,
		s->now_ns, &len);
	s->counters.resent++;
}

/* As much of it as there is room for; the rest follows when that was taken. */
static void resend_more(struct fix_session *s)
{
	const size_t room = 2 * (FIX_MESSAGE_MAX + HEAD_BYTES);
	uint64_t i;
	size_t len;

	while (s->resend_at < s->resend_end && sizeof(s->out) - s->out_len >= room) {
		for (i = s->resend_at; i < s->resend_end && !kept(s, i, &len);)
			i++;
		fill_gap(s, s->resend_at, i);
		if (i < s->resend_end)
			resend_one(s, i++);
		s->resend_at = i;
	}
}

static void resend(struct fix_session *s, const struct fix_message *m)
{
	uint64_t begin, end;

	if (fix_get_number(m, 7, &begin) < 0 || fix_get_number(m, 16, &end) < 0 || begin == 0 ||
		begin >= s->next_out)
		return;
	s->resend_at = begin;
	s->resend_end = end == 0 || end >= s->next_out ? s->next_out : end + 1;
	if (s->resend_end < begin)
		s->resend_end = begin;
	resend_more(s);
}

void fix_taken(struct fix_session *s, size_t len)
{
	s->out_len -= len;
	memmove(s->out, s->out + len, s->out_len);
	resend_more(s);
}

/* ---- the way in ----------------------------------------------------------------------------- */

static void end_session(struct fix_session *s, struct fix_event *ev)
{
	s->state = FIX_S_OVER;
	ev->kind = FIX_LOGGED_OUT;
}

static void refuse(struct fix_session *s, const char *why, int64_t now_ns, struct fix_event *ev)
{
	s->counters.refused++;
	send_text(s, "5", 58, why, now_ns);
	end_session(s, ev);
}

static void ask_for(struct fix_session *s, uint64_t got, int64_t now_ns)
{
	struct fix_body b = {0};

	if (s->asked_to && (got < s->asked_to || now_ns < s->asked_ns + s->beat_ns))
		return; /* it is on its way, all there is */
	s->counters.gaps++;
	s->asked_to = got + 1;
	s->asked_ns = now_ns;
	fix_put_number(&b, 7, s->next_in);
	fix_put_number(&b, 16, 0);
	send(s, "2", &b, false, now_ns);
}

static void logon(struct fix_session *s, const struct fix_message *m, uint64_t number,
	int64_t now_ns, struct fix_event *ev)
{
	uint64_t beat_s;

	if (s->cfg.accepts && s->password[0] && !fix_is(m, 554, s->password) &&
		!fix_is(m, 96, s->password)) {
		refuse(s, "unknown user or password", now_ns, ev);
		return;
	}
	if (number < s->next_in && !fix_is(m, 141, "Y") && !ev->duplicate) {
		refuse(s, "MsgSeqNum too low", now_ns, ev);
		return;
	}
	if (fix_get_number(m, 108, &beat_s) == 0 && beat_s > 0 && beat_s <= BEAT_MAX_S &&
		s->cfg.accepts)
		s->beat_ns = (int64_t)beat_s * SECOND_NS;
	if (fix_is(m, 141, "Y")) {
		s->next_in = number;
		if (s->cfg.accepts) {
			restart(s);
			s->cfg.reset = true; /* and our Logon says so */
		}
	}
	s->state = FIX_S_ON;
	ev->kind = FIX_LOGGED_ON;
	if (s->cfg.accepts)
		send_logon(s, now_ns);
	s->cfg.reset = false;
}

/* SequenceReset (4): the peer has nothing to send again, or begins anew. Numbers only rise. */
static void sequence_reset(struct fix_session *s, const struct fix_message *m)
{
	uint64_t next;

	if (fix_get_number(m, 36, &next) == 0 && next > s->next_in)
		s->next_in = next;
}

static void heartbeat_for(struct fix_session *s, const struct fix_message *m, int64_t now_ns)
{
	const char *id;
	int n = fix_get(m, 112, &id);
	char text[64];

	snprintf(text, sizeof(text), "%.*s", n > 0 ? n : 0, n > 0 ? id : "");
	send_text(s, "0", 112, n > 0 ? text : NULL, now_ns);
}

/* A message whose turn it is. */
static void take(
	struct fix_session *s, const struct fix_message *m, int64_t now_ns, struct fix_event *ev)
{
	if (ev->type[1] || !strchr("0123A5", ev->type[0])) {
		ev->kind = FIX_APPLICATION;
		return;
	}
	switch (ev->type[0]) {
	case '1': heartbeat_for(s, m, now_ns); break;
	case '2': resend(s, m); break;
	case '3': ev->kind = FIX_REJECTED; break;
	case '5':
		if (s->state != FIX_S_LOGGING_OUT)
			send_text(s, "5", 58, NULL, now_ns);
		end_session(s, ev);
		break;
	default: break;
	}
}

static bool is_ours(const struct fix_session *s, const struct fix_message *m)
{
	return memcmp(m->begin_string, s->version, 7) == 0 && fix_is(m, 49, s->target) &&
	       fix_is(m, 56, s->sender);
}

/* Too low: the peer has lost count, which cannot be mended; unless it says that it comes again. */
static void too_low(struct fix_session *s, int64_t now_ns, struct fix_event *ev)
{
	if (ev->duplicate)
		s->counters.duplicates++;
	else
		refuse(s, "MsgSeqNum too low", now_ns, ev);
}

static void in_turn(
	struct fix_session *s, const struct fix_message *m, int64_t now_ns, struct fix_event *ev)
{
	bool gap_fill = strcmp(ev->type, "4") == 0;

	if (gap_fill && !fix_is(m, 123, "Y")) { /* reset: whatever its own number is */
		sequence_reset(s, m);
		return;
	}
	if (ev->sequence < s->next_in) {
		too_low(s, now_ns, ev);
		return;
	}
	if (ev->sequence > s->next_in) {
		if (strcmp(ev->type, "2") == 0) /* both may have gaps: theirs first */
			resend(s, m);
		ask_for(s, ev->sequence, now_ns);
		return;
	}
	s->next_in++;
	if (gap_fill)
		sequence_reset(s, m);
	else
		take(s, m, now_ns, ev);
	if (s->next_in >= s->asked_to)
		s->asked_to = 0;
}

static void hear(
	struct fix_session *s, const struct fix_message *m, int64_t now_ns, struct fix_event *ev)
{
	const char *type;
	int n = fix_get(m, 35, &type);

	if (!is_ours(s, m)) {
		refuse(s, "BeginString or CompID is not of this session", now_ns, ev);
		return;
	}
	if (n <= 0 || n >= (int)sizeof(ev->type) || fix_get_number(m, 34, &ev->sequence) < 0) {
		refuse(s, "MsgType or MsgSeqNum is missing", now_ns, ev);
		return;
	}
	memcpy(ev->type, type, (size_t)n);
	ev->duplicate = fix_is(m, 43, "Y");
	if (s->state == FIX_S_LOGGING_ON) {
		if (strcmp(ev->type, "A") != 0) {
			if (strcmp(ev->type, "5") == 0)
				end_session(s, ev);
			else
				refuse(s, "the first message is not a Logon", now_ns, ev);
			return;
		}
		logon(s, m, ev->sequence, now_ns, ev);
		if (s->state != FIX_S_ON)
			return;
	}
	in_turn(s, m, now_ns, ev);
}

int64_t fix_input(
	struct fix_session *s, const char *data, size_t len, int64_t now_ns, struct fix_event *ev)
{
	size_t skip;
	int64_t n;

	memset(ev, 0, sizeof(*ev));
	s->now_ns = now_ns;
	n = fix_parse(data, len, &ev->message, &skip);
	if (n == 0)
		return 0;
	if (n < 0) {
		s->counters.garbled++;
		return (int64_t)skip;
	}
	s->counters.in++;
	s->heard_ns = now_ns;
	s->tested = false;
	if (s->state != FIX_S_OVER && s->state != FIX_S_IDLE)
		hear(s, &ev->message, now_ns, ev);
	return n;
}

/* ---- silence -------------------------------------------------------------------------------- */

/* The peer's silence is judged after its interval and a fifth of it, for the way takes time. */
static int64_t patience_ns(const struct fix_session *s)
{
	return s->beat_ns + s->beat_ns / 5;
}

int64_t fix_due(const struct fix_session *s)
{
	int64_t silence = s->heard_ns + patience_ns(s) * (s->tested ? 2 : 1);
	int64_t beat = s->sent_ns + s->beat_ns;

	if (s->state == FIX_S_OVER || s->state == FIX_S_IDLE)
		return INT64_MAX;
	return s->state == FIX_S_ON && beat < silence ? beat : silence;
}

int fix_tick(struct fix_session *s, int64_t now_ns)
{
	s->now_ns = now_ns;
	if (s->state == FIX_S_OVER || s->state == FIX_S_IDLE)
		return 0;
	if (now_ns >= s->heard_ns + patience_ns(s) * 2 ||
		(s->state != FIX_S_ON && now_ns >= s->heard_ns + patience_ns(s))) {
		s->state = FIX_S_OVER;
		return -ETIMEDOUT;
	}
	if (s->state == FIX_S_ON && !s->tested && now_ns >= s->heard_ns + patience_ns(s)) {
		s->tested = true;
		s->counters.test_requests++;
		send_text(s, "1", 112, "are you there", now_ns);
	}
	if (s->state == FIX_S_ON && now_ns >= s->sent_ns + s->beat_ns)
		send_text(s, "0", 112, NULL, now_ns);
	return 0;
}

/* ---- looking -------------------------------------------------------------------------------- */

bool fix_is_on(const struct fix_session *s)
{
	return s->state == FIX_S_ON;
}

void fix_set_utc_offset(struct fix_session *s, int64_t ns)
{
	s->cfg.utc_offset_ns = ns;
}

int64_t fix_utc_offset(const struct fix_session *s)
{
	return s->cfg.utc_offset_ns;
}

void fix_numbers(const struct fix_session *s, uint64_t *next_in, uint64_t *next_out)
{
	*next_in = s->next_in;
	*next_out = s->next_out;
}

const struct fix_counters *fix_counters(const struct fix_session *s)
{
	return &s->counters;
}
