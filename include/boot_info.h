/*
 * boot_info.h: what every boot protocol is converted into, first of all, in kernel memory.
 */
#pragma once

#include "base/types.h"

#define BOOT_RANGES_MAX 64u
#define BOOT_CMDLINE_MAX 65536u

enum boot_protocol { BOOT_PVH = 1, BOOT_MULTIBOOT2 = 2, BOOT_LINUX64 = 4 };

struct boot_range {
	paddr_t start, end;
};

struct boot_info {
	enum boot_protocol protocol;
	uint32_t ram_count;
	struct boot_range ram[BOOT_RANGES_MAX]; /* usable RAM, ascending, not overlapping */
	uint32_t module_count;
	struct boot_range modules[BOOT_RANGES_MAX]; /* loaded by the boot loader: not free */
	paddr_t rsdp_pa; /* 0: none */
	uint32_t cmdline_bytes;
	char cmdline[BOOT_CMDLINE_MAX]; /* NUL-terminated */
};
