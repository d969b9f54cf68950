/*
 * vdso.c: the time functions that the program calls without entering the kernel.
 *
 * What:       reads the rate and base that kernel/time/clock.c publishes on the page before this
 *             image, and the time stamp counter. This code counts as the program's: it may be
 *             interrupted and signalled anywhere, takes no lock and keeps nothing per CPU.
 * Invariants: (1) no vector register is touched: Go expects X15 to be zero across the call. (2) a
 *             reader that meets a change under way begins again. (3) stack use stays below 200
 *             bytes: Go calls gettimeofday on a goroutine's stack.
 * Locking:    none; sequence counter, partner is kernel/time/clock.c.
 * Failure:    clocks that are not here go on to the kernel by a system call.
 * Source:     vdso(7); clock_gettime(2); Go runtime/vdso_linux_amd64.go.
 */
#include <asm/errno.h>
#include <asm/unistd.h>
#include <linux/time.h>

#include "kernel/time/clock.h"

#define EXPORT __attribute__((visibility("default")))
#define NS_PER_S 1000000000ll

/* vdso.ld puts the symbol one page before this image. */
extern const struct vdso_data vdso_data_page __attribute__((visibility("hidden")));

EXPORT int __vdso_clock_gettime(int clock, struct __kernel_timespec *ts);
EXPORT int __vdso_clock_getres(int clock, struct __kernel_timespec *res);
EXPORT int __vdso_gettimeofday(struct __kernel_old_timeval *tv, void *tz);
EXPORT long __vdso_time(long *t);

static long call_kernel(long number, long a, long b)
{
	long result = number;

	__asm__ volatile("syscall" : "+a"(result) : "D"(a), "S"(b) : "rcx", "r11", "memory");
	return result;
}

static uint64_t ordered_cycles(void)
{
	uint32_t lo, hi;

	/* LFENCE: the counter is not read before what precedes it in the program. */
	__asm__ volatile("lfence\n\trdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

/* Monotonic ns; *real_offset_ns belongs to the same moment. */
static uint64_t read_clock(int64_t *real_offset_ns)
{
	const struct vdso_data *d = &vdso_data_page;
	uint64_t ns;
	uint32_t seq;

	do {
		seq = atomic_load_explicit(&d->seq, memory_order_acquire);
		ns = d->base_ns +
			(uint64_t)((unsigned __int128)(ordered_cycles() - d->base_tsc) * d->mult >> 32);
		*real_offset_ns = d->real_offset_ns;
		atomic_thread_fence(memory_order_acquire);
	} while ((seq & 1) || seq != atomic_load_explicit(&d->seq, memory_order_relaxed)); /* (2) */
	return ns;
}

int __vdso_clock_gettime(int clock, struct __kernel_timespec *ts)
{
	int64_t offset, ns;

	switch (clock) {
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		ns = (int64_t)read_clock(&offset);
		break;
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI:
		ns = (int64_t)read_clock(&offset);
		ns += offset;
		break;
	default:
		return (int)call_kernel(__NR_clock_gettime, clock, (long)ts);
	}
	ts->tv_sec = ns / NS_PER_S;
	ts->tv_nsec = ns % NS_PER_S;
	return 0;
}

int __vdso_clock_getres(int clock, struct __kernel_timespec *res)
{
	return (int)call_kernel(__NR_clock_getres, clock, (long)res);
}

int __vdso_gettimeofday(struct __kernel_old_timeval *tv, void *tz)
{
	int64_t offset, ns;

	if (tz)
		return (int)call_kernel(__NR_gettimeofday, (long)tv, (long)tz);
	ns = (int64_t)read_clock(&offset);
	ns += offset;
	if (tv) {
		tv->tv_sec = ns / NS_PER_S;
		tv->tv_usec = ns % NS_PER_S / 1000;
	}
	return 0;
}

long __vdso_time(long *t)
{
	int64_t offset, ns = (int64_t)read_clock(&offset);

	ns = (ns + offset) / NS_PER_S;
	if (t)
		*t = ns;
	return ns;
}
