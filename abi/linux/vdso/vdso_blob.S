/*
 * vdso_blob.S: the vDSO's image, for the page after its data (boot/linker.ld).
 */
	.section .vdso, "ax"
	.balign 4096
	.globl vdso_start, vdso_end
vdso_start:
	.incbin "vdso.so"
vdso_end:
	.section .note.GNU-stack, "", @progbits
