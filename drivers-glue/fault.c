/* SPDX-License-Identifier: BSD-3-Clause
 * Fault rules: as text, and as what they do to a frame.
 */
#include "drivers-glue/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_common.h>

#include "drivers-glue/edit.h"
#include "drivers-glue/why.h"

/* ---- rules as text -------------------------------------------------------------------------- */

static bool parse_number(const char *text, uint64_t *out, const char **end)
{
	char *stop;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &stop, 0);
	*end = stop;
	return errno == 0;
}

static bool parse_range(const char *text, struct perch_fault_rule *r)
{
	const char *end;

	if (!parse_number(text, &r->first, &end))
		return false;
	r->last = r->first;
	if (*end == '-' && !parse_number(end + 1, &r->last, &end))
		return false;
	return *end == '\0' && r->first <= r->last;
}

static bool parse_chance(const char *text, struct perch_fault_rule *r)
{
	char *end;
	double p = strtod(text, &end);

	if (end == text || *end != '\0' || !(p >= 0 && p <= 1))
		return false;
	r->chance = (uint64_t)(p * 4294967296.0);
	return true;
}

static bool parse_field(char *field, struct perch_fault_rule *r, unsigned *selectors)
{
	char *value = strchr(field, '=');
	const char *end;
	uint64_t n;

	if (!value)
		return false;
	*value++ = '\0';
	if (strcmp(field, "p") == 0) {
		r->by = PERCH_FAULT_BY_CHANCE;
		++*selectors;
		return parse_chance(value, r);
	}
	if (strcmp(field, "packet") == 0 || strcmp(field, "seq") == 0) {
		r->by = field[0] == 's' ? PERCH_FAULT_BY_SEQUENCE : PERCH_FAULT_BY_PACKET;
		++*selectors;
		return parse_range(value, r);
	}
	if (!parse_number(value, &n, &end) || *end != '\0')
		return false;
	if (strcmp(field, "ns") == 0 && n < INT64_MAX / 4)
		r->delay_ns = (int64_t)n;
	else if (strcmp(field, "by") == 0 && n >= 1 && n <= PERCH_FAULT_OVERTAKEN)
		r->overtaken_by = (uint32_t)n;
	else if (strcmp(field, "byte") == 0 && n <= UINT16_MAX)
		r->byte = (int32_t)n;
	else
		return false;
	return true;
}

static bool parse_action(const char *word, struct perch_fault_rule *r)
{
	static const char *const names[] = {"drop", "duplicate", "delay", "reorder", "corrupt"};
	unsigned i;

	for (i = 0; i < RTE_DIM(names); i++)
		if (strcmp(word, names[i]) == 0) {
			r->action = (enum perch_fault_action)i;
			return true;
		}
	return false;
}

int perch_fault_add(struct perch_fault *f, const char *text, char *why, size_t why_bytes)
{
	struct perch_fault_rule r = {.byte = -1, .overtaken_by = 1};
	char copy[128], *fields, *field, *rest;
	unsigned selectors = 0;
	bool good;

	if (f->n_rules == PERCH_FAULT_RULES)
		return perch_glue_why(why, why_bytes, -EINVAL, "more than %d faults",
			PERCH_FAULT_RULES);
	good = strlen(text) < sizeof(copy) && (fields = strchr(strcpy(copy, text), ':'));
	if (good) {
		*fields++ = '\0';
		good = parse_action(copy, &r);
		for (field = strtok_r(fields, ",", &rest); good && field;
			field = strtok_r(NULL, ",", &rest))
			good = parse_field(field, &r, &selectors);
	}
	good = good && selectors == 1 && (r.action != PERCH_FAULT_DELAY || r.delay_ns > 0);
	if (!good)
		return perch_glue_why(why, why_bytes, -EINVAL, "'%s' is no fault: say, "
			"for example, drop:p=0.01, delay:packet=7,ns=50000, reorder:p=0.1,by=2, "
			"corrupt:packet=3-5 or drop:seq=14764496", text);
	f->rules[f->n_rules++] = r;
	return 0;
}

/* ---- frames --------------------------------------------------------------------------------- */

/* SplitMix64. */
static uint32_t roll(struct perch_fault *f)
{
	uint64_t z = f->rng += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (uint32_t)((z ^ (z >> 31)) >> 32);
}

/* Does a MoldUDP64 packet (20 bytes: session, sequence of the first message, their count) have one
 * of the messages? */
static bool has_sequence(const struct perch_fault_rule *r, const struct perch_frame *frame)
{
	uint32_t len, at = perch_edit_udp_payload(frame->data, frame->len, &len);
	uint64_t first;
	uint16_t count;

	if (at == 0 || len < 20)
		return false;
	memcpy(&first, frame->data + at + 10, sizeof(first));
	memcpy(&count, frame->data + at + 18, sizeof(count));
	first = rte_be_to_cpu_64(first);
	count = rte_be_to_cpu_16(count);
	return count != 0 && count != UINT16_MAX && first <= r->last &&
		first + count - 1 >= r->first;
}

/* Chance is rolled for every frame, whatever else befalls it, so that a rule added or taken away
 * leaves the dice of those before it as they were. */
static bool applies(
	struct perch_fault *f, const struct perch_fault_rule *r, const struct perch_frame *frame)
{
	switch (r->by) {
	case PERCH_FAULT_BY_CHANCE: return roll(f) < r->chance;
	case PERCH_FAULT_BY_PACKET: return f->packets >= r->first && f->packets <= r->last;
	case PERCH_FAULT_BY_SEQUENCE: return has_sequence(r, frame);
	}
	return false;
}

static int overtake(struct perch_fault *f, const struct perch_frame *frame, uint32_t by)
{
	struct perch_held_frame *e;

	if (f->n_overtaken == PERCH_FAULT_OVERTAKEN)
		return -ENOBUFS;
	e = malloc(sizeof(*e) + frame->len);
	if (!e)
		return -ENOMEM;
	e->f = *frame;
	e->f.data = memcpy(e + 1, frame->data, frame->len);
	f->overtaken[f->n_overtaken].frame = e;
	f->overtaken[f->n_overtaken++].to_go = by;
	return 0;
}

/* A frame has gone by the first n of them: those that have been overtaken often enough follow. */
static int let_follow(struct perch_fault *f, unsigned n, int64_t now_ns, struct perch_held *held)
{
	unsigned i, kept = 0;
	int rc = 0;

	for (i = 0; i < f->n_overtaken; i++) {
		if (i >= n || --f->overtaken[i].to_go > 0) {
			f->overtaken[kept++] = f->overtaken[i];
			continue;
		}
		if (f->overtaken[i].frame->f.time_ns < now_ns)
			f->overtaken[i].frame->f.time_ns = now_ns;
		if (perch_held_put(held, &f->overtaken[i].frame->f) < 0)
			rc = -ENOMEM;
		free(f->overtaken[i].frame);
	}
	f->n_overtaken = kept;
	return rc;
}

struct fate {
	bool drop, duplicate, corrupt;
	uint32_t overtaken_by;
	int64_t delay_ns;
	int32_t byte;
};

static struct fate decide(struct perch_fault *f, const struct perch_frame *frame)
{
	struct fate fate = {.byte = -1};
	const struct perch_fault_rule *r;

	for (r = f->rules; r < f->rules + f->n_rules; r++) {
		if (!applies(f, r, frame))
			continue;
		fate.drop |= r->action == PERCH_FAULT_DROP;
		fate.duplicate |= r->action == PERCH_FAULT_DUPLICATE;
		if (r->action == PERCH_FAULT_CORRUPT) {
			fate.corrupt = true;
			fate.byte = r->byte;
		}
		if (r->action == PERCH_FAULT_DELAY)
			fate.delay_ns = RTE_MIN(fate.delay_ns + r->delay_ns, INT64_MAX / 4);
		if (r->action == PERCH_FAULT_REORDER)
			fate.overtaken_by = r->overtaken_by;
	}
	return fate;
}

static void corrupt(struct perch_fault *f, const struct fate *fate, uint8_t *data, uint32_t len)
{
	uint32_t byte = fate->byte >= 0 ? (uint32_t)fate->byte : roll(f);

	data[byte % len] ^= (uint8_t)(1u << (roll(f) % 8));
	f->stats.corrupted++;
}

static int send_on(struct perch_fault *f, const struct fate *fate, const struct perch_frame *frame,
	struct perch_held *held)
{
	f->stats.delayed += fate->delay_ns > 0;
	if (fate->overtaken_by && overtake(f, frame, fate->overtaken_by) == 0) {
		f->stats.reordered++;
		return 0;
	}
	f->stats.duplicated += fate->duplicate;
	if (fate->duplicate && perch_held_put(held, frame) < 0)
		return -ENOMEM;
	return perch_held_put(held, frame);
}

int perch_fault_pass(
	struct perch_fault *f, const struct perch_frame *frame, struct perch_held *held)
{
	struct perch_frame changed = *frame;
	unsigned behind = f->n_overtaken;
	uint8_t *copy = NULL;
	struct fate fate;
	int rc;

	f->packets++;
	fate = decide(f, frame);
	f->stats.dropped += fate.drop;
	if (fate.drop)
		return 0;
	if (fate.corrupt && frame->len > 0) {
		copy = malloc(frame->len);
		if (!copy)
			return -ENOMEM;
		changed.data = memcpy(copy, frame->data, frame->len);
		corrupt(f, &fate, copy, frame->len);
	}
	changed.time_ns += fate.delay_ns;
	rc = send_on(f, &fate, &changed, held);
	free(copy);
	return rc < 0 ? rc : let_follow(f, behind, frame->time_ns, held);
}

int perch_fault_end(struct perch_fault *f, struct perch_held *held)
{
	unsigned i;

	for (i = 0; i < f->n_overtaken; i++)
		f->overtaken[i].to_go = 1;
	return let_follow(f, f->n_overtaken, INT64_MIN, held);
}

void perch_fault_clear(struct perch_fault *f)
{
	while (f->n_overtaken > 0)
		free(f->overtaken[--f->n_overtaken].frame);
}
