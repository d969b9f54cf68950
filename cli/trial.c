/*
 * trial.c: a tiny guest that shows whether a hypervisor really runs 64-bit code.
 *
 * What:       an ELF file written in assembly: entered by PVH, it asks CPUID for what the kernel
 *             needs, enters long mode, uses XSAVE, touches 512 pages and counts to a million. A
 *             /dev/kvm that is emulated, or crawls, does not get through in time.
 * Invariants: (1) position: the file is loaded whole at 0x200000, so a label's address is
 *             0x200000 plus its offset in the file.
 * Locking:    none.
 * Failure:    a verdict other than TRIAL_GOOD; a fault resets the guest, which ends QEMU.
 * Source:     Xen docs/misc/pvh; Intel SDM 3A 9.8.5 (entering IA-32e mode), 13.1 (XSAVE).
 */
#include "cli/trial.h"

__asm__(".pushsection .rodata.trial, \"a\"\n"
	".balign 16\n"
	".globl trial_image_start, trial_image_end\n"
	"trial_image_start:\n"
	/* ELF header */
	".byte 0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0\n"
	".short 2, 62\n .long 1\n"
	".quad 0x200000 + trial_code - trial_image_start\n"
	".quad 64, 0\n .long 0\n .short 64, 56, 2, 64, 0, 0\n"
	/* PT_LOAD with zeros behind the file's bytes: page tables, stack, XSAVE area */
	".long 1, 7\n .quad 0, 0x200000, 0x200000\n"
	".quad trial_image_end - trial_image_start, 0x20000, 0x200000\n"
	/* PT_NOTE */
	".long 4, 4\n .quad trial_note - trial_image_start\n"
	".quad 0x200000 + trial_note - trial_image_start, 0x200000 + trial_note - "
	"trial_image_start\n"
	".quad 20, 20, 4\n"
	"trial_note:\n"
	".long 4, 4, 18\n .asciz \"Xen\"\n .long 0x200000 + trial_code - trial_image_start\n"
	".code32\n"
	"trial_code:\n"
	"	mov $0x210000, %esp\n"
	"	mov $0x80000001, %eax\n	cpuid\n"
	"	mov $0x21, %bl\n"
	"	bt $29, %edx\n	jnc 9f\n"
	"	mov $1, %eax\n	cpuid\n"
	"	mov $0x22, %bl\n"
	"	bt $26, %ecx\n	jnc 9f\n"
	"	mov $0x23, %bl\n"
	"	bt $9, %edx\n	jnc 9f\n"
	/* 16 MiB mapped one to one by 2 MiB pages */
	"	movl $0x212003, 0x211000\n"
	"	movl $0x213003, 0x212000\n"
	"	mov $0x83, %eax\n	mov $0x213000, %edi\n	mov $8, %ecx\n"
	"1:	mov %eax, (%edi)\n	add $0x200000, %eax\n	add $8, %edi\n	loop 1b\n"
	/* PAE, OSFXSR, OSXMMEXCPT, OSXSAVE */
	"	mov %cr4, %eax\n	or $0x40620, %eax\n	mov %eax, %cr4\n"
	"	mov $0x211000, %eax\n	mov %eax, %cr3\n"
	"	mov $0xc0000080, %ecx\n	rdmsr\n	or $0x100, %eax\n	wrmsr\n"
	"	mov %cr0, %eax\n	and $~6, %eax\n	or $0x80000001, %eax\n	mov %eax, %cr0\n"
	"	lgdt 0x200000 + trial_gdtr - trial_image_start\n"
	"	ljmp $8, $(0x200000 + trial_long - trial_image_start)\n"
	"9:	mov %bl, %al\n	out %al, $0xf4\n"
	"8:	hlt\n	jmp 8b\n"
	".code64\n"
	"trial_long:\n"
	"	mov $16, %eax\n	mov %eax, %ss\n	mov %eax, %ds\n"
	"	xor %ecx, %ecx\n	xgetbv\n	or $3, %eax\n	xsetbv\n"
	"	mov $0x214000, %edi\n	mov $3, %eax\n	xor %edx, %edx\n"
	"	xsave (%rdi)\n	xrstor (%rdi)\n"
	"	mov $0x400000, %edi\n	mov $512, %ecx\n"
	"1:	mov %rdi, (%rdi)\n	add $4096, %rdi\n	loop 1b\n"
	"	mov $1000000, %ecx\n"
	"1:	dec %ecx\n	jnz 1b\n"
	"	mov $0x20, %al\n	out %al, $0xf4\n"
	"8:	hlt\n	jmp 8b\n"
	".balign 8\n"
	"trial_gdt: .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff\n"
	"trial_gdtr: .short 23\n .long 0x200000 + trial_gdt - trial_image_start\n"
	"trial_image_end:\n"
	".popsection\n");
