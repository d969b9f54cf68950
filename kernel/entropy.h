/*
 * entropy.h: random bytes for the program and the kernel.
 *
 * A fast-key-erasure generator on a well-kept ChaCha20, keyed from RDSEED/RDRAND, virtio-rng and
 * timing. Never a constant seed. Locking: LOCK_ENTROPY inside. Any context. Never blocks.
 */
#pragma once

#include "base/types.h"

void entropy_init(void); /* early: CPU and timing */
void entropy_mix(const void *data, size_t bytes); /* more input, for example from virtio-rng */
void entropy_fill(void *out, size_t bytes);
