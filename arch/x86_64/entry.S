/*
 * entry.S: every way from the program into the kernel and back.
 *
 * All code runs at CPL 0, so the CPU switches stacks only through the interrupt stack table. Every
 * vector therefore has an IST slot: the stacks of Go are tiny and Go up to 1.25 stores below RSP.
 * The entry copies the CPU's frame from the IST stack at once, with interrupts off, so that the
 * slot is free again: to the top of the thread's kernel stack when the program was interrupted, or
 * below the interrupted stack pointer when the kernel was. Which it was, RIP tells: the kernel's
 * text is one range. The vDSO lies outside it and counts as program.
 *
 * Source: Intel SDM 3A 6.14; AMD APM 2 6.1 (SYSCALL); Linux ABI as in abi/linux/dispatch.c.
 */
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/regs.h"

	.text

	/* Pushes the general registers of struct trapframe; rax already has its slot's value in \rax. */
	.macro push_registers rax
	pushq %rdi
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq \rax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	.endm

	.macro pop_registers
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
	.endm

/*
 * System call. The CPU has put RIP into RCX and RFLAGS into R11, cleared IF (FMASK), and left RSP.
 */
	.globl entry_syscall
	.type entry_syscall, @function
entry_syscall:
	movq %rsp, %gs:ARCH_CPU_SCRATCH
	movq %gs:ARCH_CPU_KSTACK_TOP, %rsp
	pushq $SELECTOR_DATA
	pushq %gs:ARCH_CPU_SCRATCH
	pushq %r11
	pushq $SELECTOR_CODE
	pushq %rcx
	pushq %rax
	pushq $0x100 /* TRAP_CALL */
	push_registers %rax
	movq %rsp, %rdi
	xorl %ebp, %ebp
	call linux_handle_syscall
	/* fall through */

/* The frame lies at RSP; the stack holds nothing else. */
return_to_program:
	movq %rsp, %rdi
	call kernel_return_to_program
	/* As after SYSRET: allowed only when RCX and R11 are what the call left there. */
	movq FRAME_RIP(%rsp), %rcx
	cmpq %rcx, FRAME_RCX(%rsp)
	jne return_full
	movq FRAME_RFLAGS(%rsp), %r11
	cmpq %r11, FRAME_R11(%rsp)
	jne return_full
	testl $0x100, %r11d /* TF: would trap in here */
	jnz return_full
	pop_registers
	/* RSP is now at the frame's vector; RFLAGS is 32 bytes, the program's RSP 40 bytes above. */
	btrl $9, 32(%rsp)
	pushq 32(%rsp)
	popfq
	movq 40(%rsp), %rsp
	sti /* takes effect after the jump: nobody sees the program's stack in here */
	jmp *%rcx

return_full:
	pop_registers
	addq $16, %rsp
	iretq

/* void arch_enter_program(struct trapframe *tf) */
	.globl arch_enter_program
	.type arch_enter_program, @function
arch_enter_program:
	movq %rdi, %rsp
	jmp return_to_program

/*
 * Exceptions and interrupts: stubs that leave vector and error code, then one common path.
 */
	.macro stub vector
	.balign 16
	.if \vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17 || \vector == 21
	/* the CPU pushed an error code */
	.else
	pushq $0
	.endif
	pushq $\vector
	.if \vector == VECTOR_DOUBLE_FAULT || \vector == VECTOR_MACHINE_CHECK
	jmp entry_fatal
	.elseif \vector == VECTOR_NMI
	jmp entry_nmi
	.else
	jmp entry_common
	.endif
	.endm

	.balign 16
	.globl entry_stubs
entry_stubs:
	.altmacro
	.set v, 0
	.rept 256
	stub %v
	.set v, v + 1
	.endr
	.noaltmacro

/* What the CPU pushed and the vector, from the IST stack at %rax to the stack in %rsp. */
.macro copy_frame
	.irp offset, 56, 48, 40, 32, 24, 16, 8
	pushq \offset(%rax)
	.endr
.endm

entry_common:
	/* On an IST stack: vector, error, rip, cs, rflags, rsp, ss. */
	pushq %rax
	movq 24(%rsp), %rax
	cmpq $kernel_text_start, %rax
	jb from_program
	cmpq $kernel_text_end, %rax
	jb from_kernel
from_program:
	movq %rsp, %rax
	movq %gs:ARCH_CPU_KSTACK_TOP, %rsp
	copy_frame
	push_registers (%rax)
	cld
	movq %rsp, %rdi
	xorl %ebp, %ebp
	call arch_trap_program
	jmp return_to_program

from_kernel:
	movq %rsp, %rax
	movq 48(%rax), %rsp
	andq $-16, %rsp
	copy_frame
	push_registers (%rax)
	cld
	movq %rsp, %rdi
	call arch_trap_kernel
	jmp return_full

/* Double fault, machine check: report from the IST stack and stop. */
entry_fatal:
	push_registers %rax
	cld
	movq %rsp, %rdi
	call arch_trap_fatal
1:	hlt
	jmp 1b

/* The host wants a report; the machine ends with it, so nothing that was interrupted goes on. */
entry_nmi:
	push_registers %rax
	cld
	movq %rsp, %rdi
	call kernel_handle_nmi

/*
 * void switch_stacks(uint64_t *from_ksp, uint64_t to_ksp)
 * Callee-saved registers lie on the stack that is left.
 */
	.globl switch_stacks
	.type switch_stacks, @function
switch_stacks:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

/* First instructions of a new thread: entry in RBX, argument in R12 (arch/x86_64/thread.c). */
	.globl thread_trampoline
thread_trampoline:
	movq %r12, %rdi
	xorl %ebp, %ebp
	call *%rbx
	ud2

/*
 * Program memory. A fault between uaccess_start and uaccess_end that cannot be resolved continues at
 * uaccess_fault: these functions keep nothing on the stack. Between peek_start and peek_end no
 * attempt to resolve is made.
 */
	.balign 16
	.globl uaccess_start
uaccess_start:
/* int uaccess_copy(void *dst, const void *src, size_t n) */
	.globl uaccess_copy
	.type uaccess_copy, @function
uaccess_copy:
	movq %rdx, %rcx
	shrq $5, %rcx
	jz 2f
1:	movq (%rsi), %rax
	movq 8(%rsi), %r8
	movq 16(%rsi), %r9
	movq 24(%rsi), %r10
	movq %rax, (%rdi)
	movq %r8, 8(%rdi)
	movq %r9, 16(%rdi)
	movq %r10, 24(%rdi)
	addq $32, %rsi
	addq $32, %rdi
	decq %rcx
	jnz 1b
2:	andl $31, %edx
	movl %edx, %ecx
	shrl $3, %ecx
	jz 4f
3:	movq (%rsi), %rax
	movq %rax, (%rdi)
	addq $8, %rsi
	addq $8, %rdi
	decl %ecx
	jnz 3b
4:	andl $7, %edx
	jz 6f
5:	movb (%rsi), %al
	movb %al, (%rdi)
	incq %rsi
	incq %rdi
	decl %edx
	jnz 5b
6:	xorl %eax, %eax
	ret

/* long uaccess_str(char *dst, const char *src, size_t max): length, or max when there is no NUL */
	.globl uaccess_str
	.type uaccess_str, @function
uaccess_str:
	xorl %eax, %eax
1:	cmpq %rdx, %rax
	jae 2f
	movb (%rsi,%rax), %cl
	movb %cl, (%rdi,%rax)
	testb %cl, %cl
	jz 2f
	incq %rax
	jmp 1b
2:	ret

/* int uaccess_zero(void *dst, size_t n) */
	.globl uaccess_zero
	.type uaccess_zero, @function
uaccess_zero:
	xorl %eax, %eax
	movq %rsi, %rcx
	shrq $3, %rcx
	jz 2f
1:	movq %rax, (%rdi)
	addq $8, %rdi
	decq %rcx
	jnz 1b
2:	andl $7, %esi
	jz 4f
3:	movb %al, (%rdi)
	incq %rdi
	decl %esi
	jnz 3b
4:	ret

/* int uaccess_cas_u32(uint32_t *dst, uint32_t expected, uint32_t desired, uint32_t *seen) */
	.globl uaccess_cas_u32
	.type uaccess_cas_u32, @function
uaccess_cas_u32:
	movl %esi, %eax
	lock cmpxchgl %edx, (%rdi)
	movl %eax, (%rcx)
	xorl %eax, %eax
	ret
	.globl uaccess_end
uaccess_end:

	.globl peek_start
peek_start:
/* int uaccess_peek_u32(uint32_t *out, const uint32_t *src) */
	.globl uaccess_peek_u32
	.type uaccess_peek_u32, @function
uaccess_peek_u32:
	movl (%rsi), %eax
	movl %eax, (%rdi)
	xorl %eax, %eax
	ret
	.globl peek_end
peek_end:

	.globl uaccess_fault
uaccess_fault:
	movq $-14, %rax /* -EFAULT */
	ret

	.section .note.GNU-stack, "", @progbits
