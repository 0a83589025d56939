/* SPDX-License-Identifier: BSD-3-Clause
 * The store's way from the loop to its thread, interleaved by hand: whatever the one has done so
 * far, the other sees all of an older state or all of a newer one, or waits. Threads would have to
 * be lucky to meet at the wrong word, and x86 hides a missing barrier from them; so every atomic
 * access of the two is a place where the other may run, and the order that it asks for is noted.
 */
#include <setjmp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

static void real_store(_Atomic uint64_t *p, uint64_t v)
{
	atomic_store_explicit(p, v, memory_order_relaxed);
}

static uint64_t real_load(const _Atomic uint64_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

enum { STEPS = 256 };

static struct {
	void (*meet)(void); /* who runs at step `at`, before its access */
	unsigned at, step;
	char what[STEPS];   /* 's' store, 'l' load, 'f' fence */
	int order[STEPS];
} turn;

static void step(char what, int order)
{
	void (*meet)(void) = turn.meet;

	if (turn.step < STEPS) {
		turn.what[turn.step] = what;
		turn.order[turn.step] = order;
	}
	if (turn.step++ == turn.at && meet) {
		turn.meet = NULL; /* who is met is not interrupted in turn */
		meet();
	}
}

static void stepped_store(_Atomic uint64_t *p, uint64_t v, int order)
{
	step('s', order);
	real_store(p, v);
}

static uint64_t stepped_load(const _Atomic uint64_t *p, int order)
{
	step('l', order);
	return real_load(p);
}

#undef atomic_store
#undef atomic_load
#undef atomic_store_explicit
#undef atomic_load_explicit
#undef atomic_thread_fence
#define atomic_store(p, v)             (*(p) = (v))
#define atomic_load(p)                 (*(p))
#define atomic_store_explicit(p, v, o) stepped_store(p, v, o)
#define atomic_load_explicit(p, o)     stepped_load(p, o)
#define atomic_thread_fence(o)         step('f', o)
#include "apps/trade/seqstore.c"

#include "tests/suite.h"

static struct seqstore s;
static struct seqstore_numbers seen;
static uint64_t seen_version;
static unsigned posted;

static struct seqstore_numbers numbers(uint64_t n)
{
	struct seqstore_numbers all;

	memset(&all, 0, sizeof(all));
	memset(all.session, (int)('A' + n), sizeof(all.session) - 1);
	all.next_in = all.ref_ceiling = all.fix_next_in = all.fix_ceiling = n;
	return all;
}

static bool is_whole(const struct seqstore_numbers *got, uint64_t n)
{
	struct seqstore_numbers all = numbers(n);

	return memcmp(got, &all, sizeof(all)) == 0;
}

static void begin(void (*meet)(void), unsigned at)
{
	memset(&s, 0, sizeof(s));
	posted = 0;
	turn.meet = NULL;
	seqstore_post(&s, &(struct seqstore_numbers){.next_in = 0});
	memset(&turn, 0, sizeof(turn));
	turn.meet = meet;
	turn.at = at;
}

static void post_one(void)
{
	struct seqstore_numbers all = numbers(++posted);

	seqstore_post(&s, &all);
}

/* ---- a post while the thread reads ----------------------------------------------------------- */

static void posted_meanwhile(void)
{
	struct seqstore_numbers got;
	unsigned at, places;

	begin(NULL, 0);
	post_one();
	turn.step = 0;
	read_posted(&s, &got);
	places = turn.step;
	CU_ASSERT(places > WORDS);
	for (at = 0; at < places; at++) {
		begin(NULL, 0);
		post_one();
		turn.step = 0;
		turn.at = at;
		turn.meet = post_one;
		seen_version = read_posted(&s, &got);
		CU_ASSERT(is_whole(&got, 2));
		CU_ASSERT_EQUAL(seen_version, real_load(&s.version));
	}
}

/* ---- a look while the loop posts ------------------------------------------------------------- */

static jmp_buf out;
static bool waited;

static void give_up(void)
{
	longjmp(out, 1);
}

/* Looks for three rounds at most: a reader that waits is right, too. */
static void look(void)
{
	unsigned before = turn.step;

	waited = true;
	turn.step = 0;
	turn.at = 3 * (WORDS + 3);
	turn.meet = give_up;
	if (setjmp(out) == 0) {
		seen_version = read_posted(&s, &seen);
		waited = false;
	}
	turn.meet = NULL;
	turn.step = before + 1000; /* past every place: once is enough */
}

static void looked_meanwhile(void)
{
	unsigned at, places, waits = 0;

	begin(NULL, 0);
	post_one();
	places = turn.step;
	CU_ASSERT_EQUAL(places, WORDS + 4); /* version, version, fence, words, version */
	for (at = 0; at < places; at++) {
		begin(NULL, 0);
		post_one();
		turn.step = 0;
		turn.at = at;
		turn.meet = look;
		post_one();
		waits += waited;
		CU_ASSERT(waited || is_whole(&seen, 1));
		read_posted(&s, &seen);
		CU_ASSERT(is_whole(&seen, 2));
	}
	CU_ASSERT_EQUAL(waits, places - 2); /* but before, and at the first store */
}

/* ---- the order that is asked for ------------------------------------------------------------- */

/* Where the reader may begin (acquire) and must have ended (fence, then the version again), and the
 * writer likewise: without these another CPU than x86 may see new words under an old version. */
static void barriers(void)
{
	struct seqstore_numbers got;
	unsigned end;

	begin(NULL, 0);
	post_one();
	end = turn.step - 1;
	CU_ASSERT(turn.what[1] == 's' && turn.what[2] == 'f');
	CU_ASSERT_EQUAL(turn.order[2], memory_order_release);
	CU_ASSERT(turn.what[end] == 's' && turn.order[end] == memory_order_release);
	turn.step = 0;
	read_posted(&s, &got);
	end = turn.step - 1;
	CU_ASSERT(turn.what[0] == 'l' && turn.order[0] == memory_order_acquire);
	CU_ASSERT(turn.what[end] == 'l' && turn.what[end - 1] == 'f');
	CU_ASSERT_EQUAL(turn.order[end - 1], memory_order_acquire);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		{"posted meanwhile", posted_meanwhile},
		{"looked meanwhile", looked_meanwhile},
		{"barriers", barriers},
		{NULL, NULL},
	};

	return suite_main("sequence store, interleaved", cases, argc, argv);
}
