/* SPDX-License-Identifier: BSD-3-Clause
 * AArch64: where a new coroutine starts, and the out-of-line form of the switch (see switch.h).
 */
	.text

/* Entered by a branch, with the scheduler in x29 and fn, arg on the stack. It keeps the scheduler
 * in a register that fn preserves. The zero in x30 is the return address of perch_co_end, which
 * never returns; to the debugger this is the outermost frame. */
	.globl	perch_switch_entry
	.hidden	perch_switch_entry
	.type	perch_switch_entry, %function
perch_switch_entry:
	.cfi_startproc
	.cfi_undefined x30
	hint	#36			/* bti j */
	mov	x19, x29
	mov	x29, xzr
	ldp	x9, x0, [sp], #16
	blr	x9
	mov	x0, x19
	mov	x30, xzr
	b	perch_co_end
	.cfi_endproc
	.size	perch_switch_entry, . - perch_switch_entry

/* void *perch_switch_stack(void **save_sp, void *to_sp) */
	.globl	perch_switch_stack
	.hidden	perch_switch_stack
	.type	perch_switch_stack, %function
perch_switch_stack:
	.cfi_startproc
	hint	#34			/* bti c */
	stp	d8, d9, [sp, #-160]!
	stp	d10, d11, [sp, #16]
	stp	d12, d13, [sp, #32]
	stp	d14, d15, [sp, #48]
	stp	x19, x20, [sp, #64]
	stp	x21, x22, [sp, #80]
	stp	x23, x24, [sp, #96]
	stp	x25, x26, [sp, #112]
	stp	x27, x28, [sp, #128]
	str	x30, [sp, #144]
	adr	x9, 1f
	stp	x29, x9, [sp, #-16]!
	mov	x10, sp
	str	x10, [x0]
	mov	sp, x1
	ldp	x29, x9, [sp], #16
	br	x9
1:
restore:
	hint	#36			/* bti j */
	ldr	x30, [sp, #144]
	ldp	x27, x28, [sp, #128]
	ldp	x25, x26, [sp, #112]
	ldp	x23, x24, [sp, #96]
	ldp	x21, x22, [sp, #80]
	ldp	x19, x20, [sp, #64]
	ldp	d14, d15, [sp, #48]
	ldp	d12, d13, [sp, #32]
	ldp	d10, d11, [sp, #16]
	ldp	d8, d9, [sp], #160
	ret
	.cfi_endproc
	.size	perch_switch_stack, . - perch_switch_stack

/* void perch_switch_trace(void **save_sp, void *sp): the saved address becomes a return address. */
	.globl	perch_switch_trace
	.hidden	perch_switch_trace
	.type	perch_switch_trace, %function
perch_switch_trace:
	.cfi_startproc
	hint	#34			/* bti c */
	stp	d8, d9, [sp, #-160]!
	stp	d10, d11, [sp, #16]
	stp	d12, d13, [sp, #32]
	stp	d14, d15, [sp, #48]
	stp	x19, x20, [sp, #64]
	stp	x21, x22, [sp, #80]
	stp	x23, x24, [sp, #96]
	stp	x25, x26, [sp, #112]
	stp	x27, x28, [sp, #128]
	str	x30, [sp, #144]
	adr	x9, restore
	stp	x29, x9, [sp, #-16]!
	mov	x10, sp
	str	x10, [x0]
	ldp	x29, x30, [x1]
	add	sp, x1, #16
	b	perch_co_trace
	.cfi_endproc
	.size	perch_switch_trace, . - perch_switch_trace

	.section .note.GNU-stack, "", %progbits
