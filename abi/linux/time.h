/*
 * time.h: Linux's time structures, and nanoseconds.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"
#include "kernel/time/clock.h"

/* struct timespec at ua. -EFAULT; -EINVAL: negative, or tv_nsec out of range. Far values
 * saturate. */
int linux_load_timespec(uaddr_t ua, uint64_t *ns) must_check;
int linux_store_timespec(uaddr_t ua, uint64_t ns) must_check;
/* struct timeval at ua; same errors. */
int linux_load_timeval(uaddr_t ua, uint64_t *ns) must_check;
int linux_store_timeval(uaddr_t ua, uint64_t ns) must_check;
/* How far deadline_ns is off; 0: it has passed. */
uint64_t linux_time_left_ns(uint64_t deadline_ns);
/* Monotonic time after ns from now; never TIME_NEVER_NS, however far. */
uint64_t linux_deadline_after(uint64_t ns);
/* Monotonic deadline, as of now, for an absolute time of a wall clock (real) or of the monotonic
 * one. */
uint64_t linux_deadline_at(uint64_t ns, bool real);
/* Sleeps until the deadline; 0, or -EINTR when a signal is deliverable. */
int linux_sleep_until(struct clock_deadline deadline) must_check;
