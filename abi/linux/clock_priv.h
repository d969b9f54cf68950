/*
 * clock_priv.h: Linux's clock numbers, for sys_time.c and sys_timer.c.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

enum clock_kind { CLOCK_KIND_REAL, CLOCK_KIND_MONOTONIC, CLOCK_KIND_PROCESS, CLOCK_KIND_THREAD };

int linux_clock_kind(int32_t clock, enum clock_kind *kind) must_check; /* -EINVAL */
uint64_t linux_real_ns(void);
