/*
 * limits_priv.h: the limits of the process, for those who enforce or show them.
 */
#pragma once

#include "fs/proc.h"

uint64_t linux_soft_limit(uint32_t resource); /* RLIMIT_*; UINT64_MAX: none. Never sleeps */
/* sys_mlock.c: whether so much more may be locked, because a new mapping asks for it (-EPERM,
 * -EAGAIN), or because what is mapped is locked anyway (-EAGAIN). Never sleep. */
int linux_may_map_locked(uint64_t bytes) must_check;
int linux_may_grow_locked(uint64_t bytes) must_check;
/* The soft limit of CPU time was reached; it is more now, unless another one was set meanwhile. Any
 * context that may take LOCK_FS. */
void linux_raise_cpu_limit(uint64_t from_s, uint64_t to_s);
/* limit_cpu.c: seconds of CPU time, UINT64_MAX: none; called one at a time. May sleep. */
void linux_set_cpu_limits(uint64_t soft_s, uint64_t hard_s);
void linux_make_limits(struct proc_text *t); /* /proc/self/limits; no lock, never sleeps */
