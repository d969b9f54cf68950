/*
 * ap_start.S: the first instructions of every CPU but the boot CPU.
 *
 * A start-up IPI begins execution in real mode at the page this code was copied to. It switches to
 * long mode with the kernel's page tables (the page is identity-mapped, executable, meanwhile) and
 * jumps to ap_entry in the kernel's text with the stack that ap_mailbox names.
 *
 * Source: Intel SDM 3A 9.4 (MP initialisation), 10.8.5 (IA-32e mode).
 */
#include "arch/x86_64/regs.h"

#define AT(label) (label - ap_start_begin)

	.section .rodata.ap_start, "a"
	.balign 16
	.globl ap_start_begin, ap_start_end, ap_start_mailbox
ap_start_begin:
	.code16
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	/* CS is the page's address by 16: patch nothing, compute the linear base in EBX. */
	movzwl %ax, %ebx
	shll $4, %ebx
	/* The descriptor table's own base, and the far pointers, are linear. */
	leal AT(gdt)(%ebx), %eax
	movl %eax, AT(gdtr) + 2
	leal AT(in_32)(%ebx), %eax
	movl %eax, AT(far_32)
	leal AT(in_64)(%ebx), %eax
	movl %eax, AT(far_64)
	lgdtl AT(gdtr)
	movl %cr0, %eax
	orl $1, %eax
	movl %eax, %cr0
	ljmpl *AT(far_32)

	.code32
in_32:
	movl $SELECTOR_DATA, %eax
	movl %eax, %ds
	movl %eax, %ss
	movl %cr4, %eax
	orl $CR4_PAE, %eax
	movl %eax, %cr4
	movl AT(mailbox_cr3)(%ebx), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME | EFER_NXE, %eax
	wrmsr
	movl %cr0, %eax
	andl $~(CR0_EM | CR0_TS), %eax
	orl $0x80000001 | CR0_MP | CR0_WP, %eax
	movl %eax, %cr0
	ljmpl *AT(far_64)(%ebx)

	.code64
in_64:
	movq AT(mailbox_stack)(%rbx), %rsp
	movq AT(mailbox_cpu)(%rbx), %rdi
	xorl %ebp, %ebp
	movq AT(mailbox_entry)(%rbx), %rax
	call *%rax
	ud2

	.balign 8
gdt:
	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
gdtr:
	.word . - gdt - 1
	.long 0
	.balign 4
far_32:
	.long 0
	.word 0x18
	.balign 4
far_64:
	.long 0
	.word SELECTOR_CODE
	.balign 8
/* struct ap_mailbox (smp.c) */
ap_start_mailbox:
mailbox_cr3:
	.quad 0
mailbox_stack:
	.quad 0
mailbox_cpu:
	.quad 0
mailbox_entry:
	.quad 0
ap_start_end:

	.section .note.GNU-stack, "", @progbits
