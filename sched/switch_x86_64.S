/* SPDX-License-Identifier: BSD-3-Clause
 * x86-64: where a coroutine starts and where it leaves, and the out-of-line forms of the switch
 * (see switch.h).
 */
	.text

/* Entered by a jump, with the scheduler in %rbp and fn, arg on the stack, which is 16-byte aligned
 * above them. It keeps the scheduler in a register that fn preserves, so that the coroutine's
 * first frame is one word. The zero pushed is the return address of perch_co_end, which never
 * returns; to the debugger this is the outermost frame. */
	.globl	perch_switch_entry
	.hidden	perch_switch_entry
	.type	perch_switch_entry, @function
perch_switch_entry:
	.cfi_startproc
	.cfi_undefined %rip
	endbr64
	mov	%rbp, %rbx
	xor	%ebp, %ebp
	pop	%rax
	pop	%rdi
	call	*%rax
	mov	%rbx, %rdi
	push	%rbp
	jmp	perch_co_end
	.cfi_endproc
	.size	perch_switch_entry, . - perch_switch_entry

/* int perch_switch_leave(struct switch_place *place, void *to_sp): six words of the caller's stack
 * are kept, the return address and the registers that a function must preserve, but for %rbx. */
	.globl	perch_switch_leave
	.hidden	perch_switch_leave
	.type	perch_switch_leave, @function
perch_switch_leave:
	.cfi_startproc
	push	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	push	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	push	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r13, 0
	push	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r14, 0
	push	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r15, 0
	mov	%rbx, 8(%rdi)
	mov	%rsp, (%rdi)
	.globl	perch_switch_left	/* a debugger finds the coroutine as it was here */
	.hidden	perch_switch_left
perch_switch_left:
	mov	%rsi, %rsp
	pop	%rbp
	pop	%rax
	jmp	*%rax
	.cfi_endproc
	.size	perch_switch_leave, . - perch_switch_leave

/* A frame as switch_stack leaves it, in *%rdi, above it the registers that `back` restores. */
	.macro	leave_frame
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	lea	back(%rip), %rcx
	push	%rcx
	push	%rbp
	mov	%rsp, (%rdi)
	.endm

/* void perch_switch_resume(void **save_sp, const struct switch_place *place, int result) */
	.globl	perch_switch_resume
	.hidden	perch_switch_resume
	.type	perch_switch_resume, @function
perch_switch_resume:
	.cfi_startproc
	endbr64
	leave_frame
	mov	%edx, %eax
	mov	(%rsi), %rsp
	mov	8(%rsi), %rbx
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	ret
	.cfi_endproc
	.size	perch_switch_resume, . - perch_switch_resume

/* void *perch_switch_stack(void **save_sp, void *to_sp) */
	.globl	perch_switch_stack
	.hidden	perch_switch_stack
	.type	perch_switch_stack, @function
perch_switch_stack:
	.cfi_startproc
	endbr64
	leave_frame
	mov	%rsi, %rsp
	pop	%rbp
	pop	%rax
	jmp	*%rax
back:	endbr64
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	mov	%rdi, %rax
	ret
	.cfi_endproc
	.size	perch_switch_stack, . - perch_switch_stack

/* void perch_switch_trace(void **save_sp, const struct switch_place *place) */
	.globl	perch_switch_trace
	.hidden	perch_switch_trace
	.type	perch_switch_trace, @function
perch_switch_trace:
	.cfi_startproc
	endbr64
	leave_frame
	mov	8(%rsi), %rbx
	mov	(%rsi), %rsp
	lea	perch_switch_left(%rip), %rax
	push	%rax
	jmp	perch_co_trace
	.cfi_endproc
	.size	perch_switch_trace, . - perch_switch_trace

	.section .note.GNU-stack, "", @progbits
