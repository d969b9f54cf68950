/*
 * vdso_blob.S: the vDSO inside the kernel. boot/linker.ld puts the section on the page after the
 * clock's data page and maps it for the program.
 */
	.section .vdso, "ax", @progbits
	.balign 4096
	.globl vdso_start, vdso_end
vdso_start:
	.incbin "vdso.so"
vdso_end:

	.section .note.GNU-stack, "", @progbits
