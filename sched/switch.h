/* SPDX-License-Identifier: BSD-3-Clause
 * The change from one stack to another: the only machine-dependent act of the scheduler.
 *
 * Who goes to a coroutine leaves a frame that is the same on every path: at the saved stack pointer
 * lies the frame pointer, above it the address to go on from. All other registers are declared lost
 * instead of being saved, so that the compiler saves just those that it uses. A coroutine that
 * leaves (perch_switch_leave) keeps what a call must preserve, and nothing else: every word of its
 * stack is copied when others run. It goes on where that call returns to, so there is no address
 * to be kept, and one of the registers lies in its control block.
 *
 * Nothing here leaves the processor's return stack with an entry too many or too few: the call of
 * the coroutine that leaves is answered by the return of the one that goes on, which in most
 * handlers has waited in the same place. With a switch that is called and returns, every return of
 * the handler that runs next would be mispredicted (25 ns an event against 9). Floating-point
 * control words are not switched: rounding modes are a constant of the lcore.
 *
 * The including file must be compiled with -mno-red-zone on x86, because the switch pushes.
 * PERCH_SWITCH_CALL chooses the out-of-line form, for a compiler without GNU assembly.
 */
#ifndef PERCH_SCHED_SWITCH_H
#define PERCH_SCHED_SWITCH_H

#if defined(__x86_64__) || defined(__aarch64__)
#else
#error "sched: no stack switch for this processor"
#endif

#include <stdint.h>

/* A coroutine that left, as these functions know it: its control block begins so. */
struct switch_place {
	void *sp;       /* what perch_switch_leave has pushed */
	uintptr_t kept; /* a register that it has not (x86-64) */
};

/* Of what perch_switch_leave has pushed, the word that is its return address. */
#ifdef __x86_64__
enum { SWITCH_RETURN_WORD = 5 };
#else
enum { SWITCH_RETURN_WORD = 19 };
#endif

/* In switch_*.S, like all that follows. Leave the stack of a coroutine for to_sp, which
 * switch_stack or switch_resume saved. Returns when switch_resume comes back, with what that was
 * given. */
int perch_switch_leave(struct switch_place *place, void *to_sp);

/* Out of line: same arguments and results as switch_stack and switch_resume. */
void *perch_switch_stack(void **save_sp, void *to_sp);
void perch_switch_resume(void **save_sp, const struct switch_place *place, int result);

/* Enter perch_co_trace(save_sp) on the stack of a coroutine that left, as if perch_switch_leave had
 * called it. Returns when somebody switches to *save_sp. */
void perch_switch_trace(void **save_sp, const struct switch_place *place);

/* Where a new coroutine starts: calls the function above it on the stack with the argument above
 * that, then perch_co_end with the frame pointer's value. */
void perch_switch_entry(void);

#if defined(__CET__) && (__CET__ & 1)
#define LANDING "endbr64\n\t"
#elif defined(__ARM_FEATURE_BTI_DEFAULT)
#define LANDING "hint #36\n\t" /* bti j */
#else
#define LANDING ""
#endif

#ifdef __x86_64__
#define SWITCH_LOSES "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", \
	"cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", \
	"xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15" SWITCH_LOSES_WIDE
#ifdef __AVX512F__
#define SWITCH_LOSES_WIDE , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", \
	"xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", \
	"k2", "k3", "k4", "k5", "k6", "k7"
#else
#define SWITCH_LOSES_WIDE
#endif
#else
#define SWITCH_LOSES "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", \
	"x15", "x16", "x17", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", \
	"x30", "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", \
	"v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", \
	"v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31"
#endif

/* switch_stack: save this stack's pointer to *save_sp and go on from to_sp, a frame as described
 * above; when somebody switches back, returns the save_sp of that somebody. switch_resume: the same
 * to a coroutine that left; its perch_switch_leave returns `result`. */
#ifdef PERCH_SWITCH_CALL
#define switch_stack perch_switch_stack
#define switch_resume perch_switch_resume
#elif defined(__x86_64__)
static inline __attribute__((always_inline)) void *switch_stack(void **save_sp, void *to_sp)
{
	void *from = save_sp;

	__asm__ volatile("lea 1f(%%rip), %%rax\n\t"
			 "push %%rax\n\t"
			 "push %%rbp\n\t"
			 "mov %%rsp, (%%rdi)\n\t"
			 "mov %%rsi, %%rsp\n\t"
			 "pop %%rbp\n\t"
			 "pop %%rax\n\t"
			 "jmp *%%rax\n"
			 "1:\n\t" LANDING
			 : "+D"(from), "+S"(to_sp)
			 :
			 : "rax", "rbx", SWITCH_LOSES);
	return from;
}

static inline __attribute__((always_inline)) void switch_resume(
	void **save_sp, const struct switch_place *place, int result)
{
	__asm__ volatile("lea 1f(%%rip), %%rcx\n\t"
			 "push %%rcx\n\t"
			 "push %%rbp\n\t"
			 "mov %%rsp, (%%rdi)\n\t"
			 "mov (%%rsi), %%rsp\n\t"
			 "mov 8(%%rsi), %%rbx\n\t"
			 "pop %%r15\n\t"
			 "pop %%r14\n\t"
			 "pop %%r13\n\t"
			 "pop %%r12\n\t"
			 "pop %%rbp\n\t"
			 "ret\n"
			 "1:\n\t" LANDING
			 : "+D"(save_sp), "+S"(place), "+a"(result)
			 :
			 : "rbx", SWITCH_LOSES);
}
#else
static inline __attribute__((always_inline)) void *switch_stack(void **save_sp, void *to_sp)
{
	register void *from __asm__("x0") = save_sp;
	register void *to __asm__("x1") = to_sp;

	__asm__ volatile("adr x9, 1f\n\t"
			 "stp x29, x9, [sp, #-16]!\n\t"
			 "mov x10, sp\n\t"
			 "str x10, [x0]\n\t"
			 "mov sp, x1\n\t"
			 "ldp x29, x9, [sp], #16\n\t"
			 "br x9\n"
			 "1:\n\t" LANDING
			 : "+r"(from), "+r"(to)
			 :
			 : "x2", SWITCH_LOSES);
	return from;
}

static inline __attribute__((always_inline)) void switch_resume(
	void **save_sp, const struct switch_place *place, int result)
{
	register void *from __asm__("x0") = save_sp;
	register const void *to __asm__("x1") = place;
	register int given __asm__("x2") = result;

	__asm__ volatile("adr x9, 1f\n\t"
			 "stp x29, x9, [sp, #-16]!\n\t"
			 "mov x10, sp\n\t"
			 "str x10, [x0]\n\t"
			 "b perch_switch_return\n"
			 "1:\n\t" LANDING
			 : "+r"(from), "+r"(to), "+r"(given)
			 :
			 : SWITCH_LOSES);
}
#endif

#endif
