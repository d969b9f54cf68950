/*
 * floor.S: the smallest guest there is. Entered by PVH, it writes "floor\n" to the first serial
 * port and resets the machine. What it takes is QEMU's own share of every boot.
 */
	.section .note.pvh, "a", @note
	.align 4
	.long 4, 4, 18		/* name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long _start

	.text
	.code32
	.globl _start
_start:
	mov $text, %esi
1:	lodsb
	test %al, %al
	jz 2f
	mov $0x3f8, %dx
	out %al, %dx
	jmp 1b
2:	lidt nothing		/* a triple fault resets, and -no-reboot makes that the end */
	int3
nothing:
	.word 0
	.long 0
text:	.asciz "floor\n"
	.section .note.GNU-stack, "", @progbits
