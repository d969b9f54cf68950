/*
 * fuzz_memory.h: memory for fuzz targets: a heap that is forgotten at once, and the program's.
 *
 * kernel/mm/kmem.h over malloc. The program's memory, for user_copy_in and its kin, is a copy of a
 * piece of the input at FUZZ_BASE_UA; everything else is a bad address.
 */
#pragma once

#include "base/types.h"

#define FUZZ_BASE_UA 0x10000ul

void fuzz_memory_set(const uint8_t *data, size_t size); /* the program's memory */
void fuzz_memory_reset(void); /* frees all that kmem gave, and the program's memory */
