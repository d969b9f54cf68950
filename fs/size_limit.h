/*
 * size_limit.h: how large the program may make files (RLIMIT_FSIZE).
 *
 * No lock; never sleeps, but for size_limit_refuse, which takes LOCK_SIGNAL.
 */
#pragma once

#include <stdatomic.h>

#include "base/compiler.h"
#include "base/types.h"

extern _Atomic uint64_t size_limit_bytes; /* [a] UINT64_MAX: none */

/* A file may end at end_bytes. */
static inline bool size_limit_allows(uint64_t end_bytes)
{
	return end_bytes <= atomic_load_explicit(&size_limit_bytes, memory_order_relaxed);
}
/* Of bytes at offset those that may be written. */
uint64_t size_limit_room(uint64_t offset_bytes, uint64_t bytes);
/* The thread is sent SIGXFSZ: -EFBIG. */
int size_limit_refuse(void) must_check;
