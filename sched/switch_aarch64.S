/* SPDX-License-Identifier: BSD-3-Clause
 * AArch64: where a coroutine starts and where it leaves, and the out-of-line forms of the switch
 * (see switch.h).
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

	.macro	save_all
	hint	#34			/* bti c */
	stp	d8, d9, [sp, #-160]!
	.cfi_def_cfa_offset 160
	stp	d10, d11, [sp, #16]
	stp	d12, d13, [sp, #32]
	stp	d14, d15, [sp, #48]
	stp	x19, x20, [sp, #64]
	.cfi_rel_offset x19, 64
	.cfi_rel_offset x20, 72
	stp	x21, x22, [sp, #80]
	.cfi_rel_offset x21, 80
	.cfi_rel_offset x22, 88
	stp	x23, x24, [sp, #96]
	.cfi_rel_offset x23, 96
	.cfi_rel_offset x24, 104
	stp	x25, x26, [sp, #112]
	.cfi_rel_offset x25, 112
	.cfi_rel_offset x26, 120
	stp	x27, x28, [sp, #128]
	.cfi_rel_offset x27, 128
	.cfi_rel_offset x28, 136
	stp	x29, x30, [sp, #144]
	.cfi_rel_offset x29, 144
	.cfi_rel_offset x30, 152
	.endm

	.macro	restore_all
	ldp	x29, x30, [sp, #144]
	ldp	x27, x28, [sp, #128]
	ldp	x25, x26, [sp, #112]
	ldp	x23, x24, [sp, #96]
	ldp	x21, x22, [sp, #80]
	ldp	x19, x20, [sp, #64]
	ldp	d14, d15, [sp, #48]
	ldp	d12, d13, [sp, #32]
	ldp	d10, d11, [sp, #16]
	ldp	d8, d9, [sp], #160
	.endm

/* A frame as switch_stack leaves it, in *x0. */
	.macro	leave_frame
	adr	x9, back
	stp	x29, x9, [sp, #-16]!
	mov	x10, sp
	str	x10, [x0]
	.endm

/* int perch_switch_leave(struct switch_place *place, void *to_sp) */
	.globl	perch_switch_leave
	.hidden	perch_switch_leave
	.type	perch_switch_leave, %function
perch_switch_leave:
	.cfi_startproc
	save_all
	mov	x10, sp
	str	x10, [x0]
	.globl	perch_switch_left	/* a debugger finds the coroutine as it was here */
	.hidden	perch_switch_left
perch_switch_left:
	mov	sp, x1
	ldp	x29, x9, [sp], #16
	br	x9
	.cfi_endproc
	.size	perch_switch_leave, . - perch_switch_leave

/* void perch_switch_resume(void **save_sp, const struct switch_place *place, int result) */
	.globl	perch_switch_resume
	.hidden	perch_switch_resume
	.type	perch_switch_resume, %function
perch_switch_resume:
	.cfi_startproc
	save_all
	leave_frame
	.globl	perch_switch_return	/* where the inline form goes on */
	.hidden	perch_switch_return
perch_switch_return:
	ldr	x9, [x1]
	mov	sp, x9
	mov	w0, w2
	restore_all
	ret
	.cfi_endproc
	.size	perch_switch_resume, . - perch_switch_resume

/* void *perch_switch_stack(void **save_sp, void *to_sp) */
	.globl	perch_switch_stack
	.hidden	perch_switch_stack
	.type	perch_switch_stack, %function
perch_switch_stack:
	.cfi_startproc
	save_all
	leave_frame
	mov	sp, x1
	ldp	x29, x9, [sp], #16
	br	x9
back:	hint	#36			/* bti j */
	restore_all
	ret
	.cfi_endproc
	.size	perch_switch_stack, . - perch_switch_stack

/* void perch_switch_trace(void **save_sp, const struct switch_place *place) */
	.globl	perch_switch_trace
	.hidden	perch_switch_trace
	.type	perch_switch_trace, %function
perch_switch_trace:
	.cfi_startproc
	save_all
	leave_frame
	ldr	x9, [x1]
	mov	sp, x9
	adr	x30, perch_switch_left
	b	perch_co_trace
	.cfi_endproc
	.size	perch_switch_trace, . - perch_switch_trace

	.section .note.GNU-stack, "", %progbits
