/*
 * sys_wait_priv.h: how long poll, select and epoll wait, and under which signal mask.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

/* Monotonic deadline after a time in milliseconds. Negative: no end. 0 stays 0: only look. */
uint64_t linux_wait_deadline_ms(int64_t ms);
/* The same after the struct timespec at ua, no end for none. -EFAULT, -EINVAL. */
int linux_wait_deadline(uaddr_t ua, uint64_t *deadline_ns) must_check;
/* What poll's and select's waits return, when -ERESTARTNOHAND is that of one that a signal ended:
 * what is left of the time is stored where it was read, for a restart, too. A place that cannot be
 * written is no error, but then there is none. A time of 0 stays what it is. timeval: not a
 * struct timespec. */
long linux_wait_end(uaddr_t ua, bool timeval, uint64_t deadline_ns, long result);

struct linux_wait_mask {
	bool changed;
	uint64_t old;
};

/* The calling thread's signal mask becomes the set at set_ua, if there is one. -EFAULT, -EINVAL. */
int linux_wait_mask_enter(uaddr_t set_ua, uint64_t set_bytes, struct linux_wait_mask *m) must_check;
/* It becomes what it was, where a signal ended the wait only after its delivery; returns result. */
long linux_wait_mask_leave(const struct linux_wait_mask *m, long result);
