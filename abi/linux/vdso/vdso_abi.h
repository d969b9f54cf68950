/*
 * vdso_abi.h: the functions of the vDSO, as programs find them by name (vdso(7)).
 *
 * They may run anywhere the program runs: any stack, any moment, several at once. They use no
 * vector registers (Go relies on XMM15), keep no state, and never fault but on the program's own
 * pointers. Results are those of the system calls of the same name.
 */
#pragma once

#include <linux/time.h>
#include <linux/time_types.h>

#define VDSO_EXPORT __attribute__((visibility("default")))

VDSO_EXPORT int __vdso_clock_gettime(int clock, struct __kernel_timespec *ts);
VDSO_EXPORT int __vdso_clock_getres(int clock, struct __kernel_timespec *ts);
VDSO_EXPORT int __vdso_gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz);
VDSO_EXPORT long __vdso_time(long *out);
