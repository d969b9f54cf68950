/*
 * trial.h: a tiny guest that shows whether a hypervisor really runs 64-bit code with what the
 * kernel needs. It ends QEMU through isa-debug-exit.
 */
#pragma once

#include <stdint.h>

extern const uint8_t trial_image_start[]; /* an ELF file with a PVH note */
extern const uint8_t trial_image_end[];

enum { TRIAL_EXIT_PORT = 0xf4 };

/* What the guest writes to the port; QEMU's exit status is twice that plus one. */
enum trial_verdict {
	TRIAL_GOOD = 0x20,
	TRIAL_NO_LONG_MODE = 0x21,
	TRIAL_NO_XSAVE = 0x22,
	TRIAL_NO_APIC = 0x23,
};
