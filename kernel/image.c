/*
 * image.c: the object that the packer fills in.
 *
 * What:       lies in initialised data, found by its symbol and its magic.
 * Invariants: none.
 * Locking:    none; read-only.
 * Failure:    none.
 * Source:     gosolo_abi.h.
 */
#include "kernel/image.h"

#include "base/compiler.h"
#include "kernel/log.h"

/* In .data, not .rodata: the packer looks there, and the compiler must not fold the zeros. */
const struct gosolo_image gosolo_image in_section(".data.gosolo_image") = {
	.magic = GOSOLO_IMAGE_MAGIC,
	.abi_version = GOSOLO_ABI_VERSION,
	.struct_bytes = sizeof(struct gosolo_image),
	.log_pa = (uint64_t)&log_memory, /* the kernel lies at its physical addresses */
	.log_bytes = sizeof(log_memory),
};
