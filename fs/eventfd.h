/*
 * eventfd.h: a counter that is waited for.
 */
#pragma once

#include "base/compiler.h"
#include "fs/file.h"

/* semaphore: a read takes one, not all. flags: O_NONBLOCK. -ENOMEM. */
int eventfd_create(uint64_t initial, bool semaphore, uint32_t flags, struct file **out) must_check;
