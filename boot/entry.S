/*
 * entry.S: the first instructions: what each boot protocol gives, until C can run in 64-bit mode.
 *
 * A loader may enter at
 *   entry_pvh         PVH note: 32-bit, paging off, EBX = hvm_start_info
 *   entry_multiboot2  entry-address tag: 32-bit, paging off, EBX = information, EAX = magic
 *   entry_any         e_entry: at CPL 3 a Linux process begins: go on to Go's own entry with every
 *                     register as it was; at CPL 0 the 64-bit boot protocol, RSI = boot_params
 * All give boot_main(protocol, address) an identity map of the first 4 GiB, and the same again at
 * ARCH_DIRECT_MAP; where the local APIC is it is not cached.
 *
 * Source: Xen docs/misc/pvh; Multiboot2 3.2; Linux Documentation/x86/boot 1.14.
 */
#include "arch/x86_64/regs.h"

#define PAGE_DEVICE 0x18 /* PCD, PWT */
#define LAPIC_PD_ENTRY (0xfee00000 >> 21)

#define __ASSEMBLY__
#include <xen/elfnote.h>

	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 4, XEN_ELFNOTE_PHYS32_ENTRY
	.asciz "Xen"
	.long entry_pvh

	.section .text.boot, "ax"
	.code64
	.globl entry_any
	.type entry_any, @function
entry_any:
	/* RAX is free: the process start ABI gives RDX only, the boot protocol RSI only. */
	movl %cs, %eax
	testb $3, %al
	jz 1f
	jmp *gosolo_image + 24(%rip) /* .go_entry */
1:	cli
	cld
	leaq boot_stack_end(%rip), %rsp
	call build_tables_64
	movl $4, %edi /* BOOT_LINUX64 */
	jmp enter_c

	.code32
	.globl entry_pvh
entry_pvh:
	movl $1, %esi /* BOOT_PVH */
	jmp from_32
	.globl entry_multiboot2
entry_multiboot2:
	movl $2, %esi /* BOOT_MULTIBOOT2 */
from_32:
	cli
	cld
	movl $boot_stack_end, %esp
	movl $boot_pml4, %edi
	movl $(boot_pd - boot_pml4) / 4, %ecx
	xorl %eax, %eax
	rep stosl /* up to boot_pd */
	/* 4 GiB by 2 MiB pages: 2048 entries in four consecutive tables. */
	movl $0x83, %eax
	movl $2048, %ecx
1:	movl %eax, (%edi)
	movl $0, 4(%edi)
	addl $0x200000, %eax
	addl $8, %edi
	decl %ecx
	jnz 1b
	orl $PAGE_DEVICE, boot_pd + LAPIC_PD_ENTRY * 8
	movl $boot_pdpt, %edi
	movl $boot_pd + 3, %eax
	movl $4, %ecx
2:	movl %eax, (%edi)
	movl $0, 4(%edi)
	addl $4096, %eax
	addl $8, %edi
	decl %ecx
	jnz 2b
	movl $boot_pdpt + 3, boot_pml4
	movl $0, boot_pml4 + 4
	movl $boot_pdpt + 3, boot_pml4 + 273 * 8
	movl $0, boot_pml4 + 273 * 8 + 4
	movl %cr4, %eax
	orl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $boot_pml4, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl %cr0, %eax
	andl $~(CR0_EM | CR0_TS), %eax
	orl $0x80000001 | CR0_MP, %eax
	movl %eax, %cr0
	lgdt boot_gdtr
	ljmp $SELECTOR_CODE, $1f
	.code64
1:	movl $SELECTOR_DATA, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	movl %esi, %edi
	movl %ebx, %esi
enter_c:
	/* No loader is trusted to have zeroed anything. */
	movq %rdi, %rdx
	leaq kernel_bss_start(%rip), %rdi
	leaq kernel_bss_end(%rip), %rcx
	subq %rdi, %rcx
	shrq $3, %rcx
	xorl %eax, %eax
	rep stosq
	movq %rdx, %rdi
	leaq boot_stack_end(%rip), %rsp
	xorl %ebp, %ebp
	call boot_main
	ud2

/* The 64-bit protocol brings tables of the loader's; ours replace them. */
build_tables_64:
	leaq boot_pml4(%rip), %rdi
	movl $(boot_pd - boot_pml4) / 8, %ecx
	xorl %eax, %eax
	rep stosq /* up to boot_pd */
	movl $0x83, %eax
	movl $2048, %ecx
1:	movq %rax, (%rdi)
	addq $0x200000, %rax
	addq $8, %rdi
	decl %ecx
	jnz 1b
	orl $PAGE_DEVICE, boot_pd + LAPIC_PD_ENTRY * 8(%rip)
	leaq boot_pdpt(%rip), %rdi
	leaq boot_pd + 3(%rip), %rax
	movl $4, %ecx
2:	movq %rax, (%rdi)
	addq $4096, %rax
	addq $8, %rdi
	decl %ecx
	jnz 2b
	leaq boot_pdpt + 3(%rip), %rax
	movq %rax, boot_pml4(%rip)
	movq %rax, boot_pml4 + 273 * 8(%rip)
	leaq boot_pml4(%rip), %rax
	movq %rax, %cr3
	ret

	.section .rodata.boot, "a"
	.balign 8
boot_gdt:
	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdtr:
	.word . - boot_gdt - 1
	.long boot_gdt

	/* Before kernel_bss_start: what is in it is written here, or needs no value. */
	.section .bss.boot, "aw", @nobits
	.balign 4096
boot_pml4: /* these three in a row */
	.skip 4096
boot_pdpt:
	.skip 4096
boot_pd:
	.skip 4 * 4096
	.skip 16384 /* becomes the idle thread's: interrupts run the network on it */
boot_stack_end:

	.section .note.GNU-stack, "", @progbits
