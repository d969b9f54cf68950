/*
 * signalfd.h: pending signals that are read.
 */
#pragma once

#include "base/compiler.h"
#include "fs/file.h"

/* set: bit n-1 for signal n, which the readers block. flags: O_NONBLOCK. -ENOMEM. */
int signalfd_create(uint64_t set, uint32_t flags, struct file **out) must_check;
int signalfd_change(struct file *f, uint64_t set) must_check; /* -EINVAL: not a signalfd */
