/*
 * memory.h: from the memory map to an allocator and page tables of our own.
 */
#pragma once

#include "boot_info.h"
#include "gosolo_abi.h"

/* Checks that the image and its archive lie in RAM (else panic_bad_image), gives what is left to
 * pmm, builds the final page tables and activates them. */
void boot_memory_init(const struct boot_info *info, const struct gosolo_image *image);
