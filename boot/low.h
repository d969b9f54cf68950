/*
 * low.h: memory as the first page tables map it: physical = virtual, 4 GiB (boot/entry.S).
 */
#pragma once

#include "base/types.h"

/* bytes at pa; NULL: not all of them are mapped. Before boot_memory_init only. */
const void *boot_at(paddr_t pa, uint64_t bytes);
uint64_t boot_room(paddr_t pa); /* how many bytes at pa are mapped */
