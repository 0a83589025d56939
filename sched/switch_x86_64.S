/* SPDX-License-Identifier: BSD-3-Clause
 * x86-64: where a new coroutine starts, and the out-of-line form of the switch (see switch.h).
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

/* void *perch_switch_stack(void **save_sp, void *to_sp) */
	.globl	perch_switch_stack
	.hidden	perch_switch_stack
	.type	perch_switch_stack, @function
perch_switch_stack:
	.cfi_startproc
	endbr64
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	lea	1f(%rip), %rax
	push	%rax
	push	%rbp
	mov	%rsp, (%rdi)
	mov	%rsi, %rsp
	pop	%rbp
	pop	%rax
	jmp	*%rax
1:	endbr64
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	mov	%rdi, %rax
	ret
	.cfi_endproc
	.size	perch_switch_stack, . - perch_switch_stack

/* void perch_switch_trace(void **save_sp, void *sp): the saved address becomes a return address. */
	.globl	perch_switch_trace
	.hidden	perch_switch_trace
	.type	perch_switch_trace, @function
perch_switch_trace:
	.cfi_startproc
	endbr64
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	lea	1f(%rip), %rax
	push	%rax
	push	%rbp
	mov	%rsp, (%rdi)
	mov	(%rsi), %rbp
	lea	8(%rsi), %rsp
	jmp	perch_co_trace
1:	endbr64
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	ret
	.cfi_endproc
	.size	perch_switch_trace, . - perch_switch_trace

	.section .note.GNU-stack, "", @progbits
