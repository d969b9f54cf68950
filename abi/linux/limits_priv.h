/*
 * limits_priv.h: the limits of the process, for those who enforce or show them.
 */
#pragma once

#include "fs/proc.h"

uint64_t linux_soft_limit(uint32_t resource); /* RLIMIT_*; UINT64_MAX: none. Never sleeps */
/* sys_mlock.c: whether a mapping of that size may be locked: -EPERM, -EAGAIN. Never sleeps. */
int linux_may_map_locked(uint64_t bytes) must_check;
/* limit_cpu.c: seconds of CPU time, UINT64_MAX: none; called one at a time. May sleep. */
void linux_set_cpu_limits(uint64_t soft_s, uint64_t hard_s);
void linux_make_limits(struct proc_text *t); /* /proc/self/limits; no lock, never sleeps */
