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
/* What is left of a time is stored where it was read, as on Linux; a place that cannot be written
 * is no error. A time of 0 stays what it is. */
void linux_wait_store_left(uaddr_t ua, uint64_t deadline_ns);

struct linux_wait_mask {
	bool changed;
	uint64_t old;
};

/* The calling thread's signal mask becomes the set at set_ua, if there is one. -EFAULT, -EINVAL. */
int linux_wait_mask_enter(uaddr_t set_ua, uint64_t set_bytes, struct linux_wait_mask *m) must_check;
/* It becomes what it was, for -EINTR only after the signal's delivery; returns result. */
long linux_wait_mask_leave(const struct linux_wait_mask *m, long result);
