/* SPDX-License-Identifier: BSD-3-Clause
 * The mailbox (see mailbox.h): a ring whose slots carry turn numbers (Vyukov's bounded queue).
 *
 * A slot may be written in turn t when its number is t, and read when it is t + 1; reading sets it
 * to t + slots, the next turn in which it may be written. A sender claims a turn by advancing the
 * tail, so senders never wait for each other, and the one reader needs no atomic of its own.
 */
#include "sched/mailbox.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#include "sched/region.h"

enum {
	DEFAULT_SLOTS = 1024,
	MAX_SLOTS = 1 << 24,
	CACHE_LINE = 64,
};

struct slot {
	_Atomic uint64_t turn;
	struct perch_mail mail;
};

struct perch_mailbox {
	struct perch_sched *sched;
	void (*alarm)(void *arg);
	void *alarm_arg;
	struct slot *slot;
	uint64_t mask;
	_Alignas(CACHE_LINE) uint64_t head; /* the owner's */
	_Alignas(CACHE_LINE) _Atomic uint64_t tail; /* the senders' */
	_Atomic uint64_t refused;
	_Atomic bool resting;
};

static uint64_t slots_of(const struct perch_mailbox_config *cfg)
{
	uint64_t slots = 1, wanted = cfg->slots ? cfg->slots : DEFAULT_SLOTS;

	while (slots < wanted)
		slots *= 2;
	return slots;
}

int perch_mailbox_open(struct perch_mailbox **out, const struct perch_mailbox_config *cfg)
{
	struct perch_mailbox *m;
	uint64_t i, slots;

	if (cfg->sched == NULL || cfg->slots > MAX_SLOTS)
		return -EINVAL;
	slots = slots_of(cfg);
	m = perch_region_map(sizeof(*m), -1);
	if (m == NULL)
		return -ENOMEM;
	m->slot = perch_region_map(slots * sizeof(*m->slot), -1);
	if (m->slot == NULL) {
		perch_region_unmap(m, sizeof(*m));
		return -ENOMEM;
	}
	m->sched = cfg->sched;
	m->alarm = cfg->alarm;
	m->alarm_arg = cfg->alarm_arg;
	m->mask = slots - 1;
	for (i = 0; i < slots; i++)
		atomic_init(&m->slot[i].turn, i);
	*out = m;
	return 0;
}

void perch_mailbox_close(struct perch_mailbox *m)
{
	if (m == NULL)
		return;
	perch_region_unmap(m->slot, (m->mask + 1) * sizeof(*m->slot));
	perch_region_unmap(m, sizeof(*m));
}

/* ---- sending ---- */

/* The slot of the turn claimed, or NULL: the ring is full. */
static struct slot *claim(struct perch_mailbox *m, uint64_t *turn)
{
	uint64_t t = atomic_load_explicit(&m->tail, memory_order_relaxed);

	for (;;) {
		struct slot *slot = &m->slot[t & m->mask];
		uint64_t now = atomic_load_explicit(&slot->turn, memory_order_acquire);

		if (now == t) {
			if (atomic_compare_exchange_weak_explicit(&m->tail, &t, t + 1,
								  memory_order_relaxed,
								  memory_order_relaxed)) {
				*turn = t;
				return slot;
			}
		} else if (now < t) {
			return NULL; /* not read since the last time round */
		} else {
			t = atomic_load_explicit(&m->tail, memory_order_relaxed);
		}
	}
}

/* Pairs with rest: "the mail is there" and "the owner rests" are written before the other is read,
 * all sequentially consistent, so one of the two sides sees both. */
static void alarm_if_resting(struct perch_mailbox *m)
{
	if (atomic_load(&m->resting) && atomic_exchange(&m->resting, false) && m->alarm != NULL)
		m->alarm(m->alarm_arg);
}

static int send_mail(struct perch_mailbox *m, struct perch_mail mail)
{
	uint64_t turn;
	struct slot *slot = claim(m, &turn);

	if (slot == NULL) {
		atomic_fetch_add_explicit(&m->refused, 1, memory_order_relaxed);
		return -ENOBUFS;
	}
	slot->mail = mail;
	atomic_store(&slot->turn, turn + 1);
	alarm_if_resting(m);
	return 0;
}

int perch_mailbox_post(struct perch_mailbox *m, perch_co_fn fn, void *arg)
{
	return send_mail(m, (struct perch_mail){.kind = PERCH_MAIL_CALL, .fn = fn, .arg = arg});
}

int perch_mailbox_spawn(struct perch_mailbox *m, perch_co_fn fn, void *arg, unsigned flags)
{
	return send_mail(m, (struct perch_mail){.kind = PERCH_MAIL_SPAWN, .fn = fn, .arg = arg,
						.word = (int32_t)flags});
}

int perch_mailbox_signal(struct perch_mailbox *m, struct perch_co_ref ref, int value)
{
	return send_mail(m, (struct perch_mail){.kind = PERCH_MAIL_SIGNAL, .ref = ref,
						.word = value});
}

int perch_mailbox_cancel(struct perch_mailbox *m, struct perch_co_ref ref)
{
	return send_mail(m, (struct perch_mail){.kind = PERCH_MAIL_CANCEL, .ref = ref});
}

uint64_t perch_mailbox_refused(const struct perch_mailbox *m)
{
	return atomic_load_explicit(&m->refused, memory_order_relaxed);
}

/* ---- receiving ---- */

static void carry_out(struct perch_mailbox *m, const struct perch_mail *mail)
{
	struct perch_co *co;

	switch (mail->kind) {
	case PERCH_MAIL_CALL:
		mail->fn(mail->arg);
		break;
	case PERCH_MAIL_SPAWN:
		perch_co_spawn(m->sched, mail->fn, mail->arg, (unsigned)mail->word);
		break;
	case PERCH_MAIL_SIGNAL:
		perch_co_signal(m->sched, mail->ref, mail->word);
		break;
	case PERCH_MAIL_CANCEL:
		co = perch_co_find(m->sched, mail->ref);
		if (co != NULL)
			perch_co_cancel(m->sched, co);
		break;
	}
}

static bool arrived(const struct perch_mailbox *m, uint64_t at, memory_order order)
{
	const struct slot *slot = &m->slot[at & m->mask];

	return atomic_load_explicit(&slot->turn, order) == at + 1;
}

static void carry_first(struct perch_mailbox *m)
{
	struct slot *slot = &m->slot[m->head & m->mask];
	struct perch_mail mail = slot->mail;

	atomic_store_explicit(&slot->turn, m->head + m->mask + 1, memory_order_release);
	m->head++;
	carry_out(m, &mail);
}

unsigned perch_mailbox_drain(struct perch_mailbox *m, unsigned budget)
{
	unsigned n;

	for (n = 0; n < budget && arrived(m, m->head, memory_order_acquire); n++)
		carry_first(m);
	return n;
}

bool perch_mailbox_ready(const struct perch_mailbox *m)
{
	return arrived(m, m->head, memory_order_acquire);
}

unsigned perch_mailbox_waiting(const struct perch_mailbox *m, unsigned budget)
{
	unsigned n = 0;

	while (n < budget && arrived(m, m->head + n, memory_order_acquire))
		n++;
	return n;
}

const struct perch_mail *perch_mailbox_look(const struct perch_mailbox *m, unsigned i)
{
	return &m->slot[(m->head + i) & m->mask].mail;
}

/* What has arrived is the owner's to move, until its slot is given back. */
void perch_mailbox_carry(struct perch_mailbox *m, unsigned i)
{
	struct perch_mail mail = *perch_mailbox_look(m, i);

	for (; i > 0; i--)
		m->slot[(m->head + i) & m->mask].mail = m->slot[(m->head + i - 1) & m->mask].mail;
	m->slot[m->head & m->mask].mail = mail;
	carry_first(m);
}

bool perch_mailbox_rest(struct perch_mailbox *m)
{
	atomic_store(&m->resting, true);
	if (!arrived(m, m->head, memory_order_seq_cst))
		return true;
	perch_mailbox_rise(m);
	return false;
}

void perch_mailbox_rise(struct perch_mailbox *m)
{
	atomic_store_explicit(&m->resting, false, memory_order_relaxed);
}
