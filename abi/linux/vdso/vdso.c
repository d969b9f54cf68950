/*
 * vdso.c: time without a system call: code of the kernel's that runs as the program's.
 *
 * What:       a shared object of its own, linked by vdso.ld, embedded in the kernel by vdso_blob.S.
 *             It reads the clock's parameters from the page before it.
 * Invariants: (1) base, rate and offset used together are of one moment: seq was even and the same
 *             before and after. (2) the counter is read after seq and before the second look at
 *             it. (3) no stack frame to speak of: gettimeofday runs on goroutine stacks.
 * Locking:    none; a reader never writes.
 * Failure:    clocks that it does not know go to the system call.
 * Source:     vdso(7); Go runtime/vdso_linux.go; Intel SDM 2B, RDTSC (ordering by LFENCE).
 */
#include "abi/linux/vdso/vdso_abi.h"

#include <asm/unistd_64.h>

#include "base/types.h"
#include "base/units.h"
#include "kernel/time/clock.h"

enum { NS_IN_S = 1000000000, NS_IN_US = 1000 };

/* vdso.ld: the page before this object. Hidden, so that it is reached relative to the code; not
 * const, or the compiler would believe that two looks at it give the same. */
extern struct vdso_data vdso_page __attribute__((visibility("hidden")));

static uint64_t read_cycles(void)
{
	uint32_t lo, hi;

	/* (2) LFENCE keeps RDTSC from running before the loads in front of it. */
	__asm__ volatile("lfence\n\trdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

/* The counters of this machine's CPUs differ: only the kernel can make time of them. */
static bool must_call(void)
{
	return vdso_page.counters_differ;
}

/* Monotonic time; *real_offset_ns belongs to the same moment. */
static uint64_t read_clock(int64_t *real_offset_ns)
{
	const struct vdso_data *d = &vdso_page;
	uint64_t ns, mult, base_tsc, cycles;
	uint32_t seq;

	do {
		/* Partner: begin_write and end_write in kernel/time/clock.c. */
		while ((seq = atomic_load_explicit(&d->seq, memory_order_acquire)) & 1)
			__asm__ volatile("pause");
		mult = d->mult;
		base_tsc = d->base_tsc;
		ns = d->base_ns;
		*real_offset_ns = d->real_offset_ns;
		cycles = read_cycles();
		atomic_thread_fence(memory_order_acquire);
	} while (seq != atomic_load_explicit(&d->seq, memory_order_relaxed)); /* (1) */
	/* Another CPU's counter may be a little behind the one that set the base. */
	if ((int64_t)(cycles - base_tsc) > 0)
		ns += (uint64_t)((unsigned __int128)(cycles - base_tsc) * mult >> 32);
	return ns;
}

static long call(long number, uint64_t a, uint64_t b)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b)
			 : "rcx", "r11", "memory");
	return result;
}

int __vdso_clock_gettime(int clock, struct __kernel_timespec *ts)
{
	int64_t offset;
	uint64_t ns;

	if (must_call())
		return (int)call(__NR_clock_gettime, (uint64_t)clock, (uint64_t)ts);
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI:
		ns = read_clock(&offset);
		ns += (uint64_t)offset;
		break;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		ns = read_clock(&offset);
		break;
	default:
		return (int)call(__NR_clock_gettime, (uint64_t)clock, (uint64_t)ts);
	}
	ts->tv_sec = (int64_t)(ns / NS_IN_S);
	ts->tv_nsec = (int64_t)(ns % NS_IN_S);
	return 0;
}

int __vdso_clock_getres(int clock, struct __kernel_timespec *ts)
{
	return (int)call(__NR_clock_getres, (uint64_t)clock, (uint64_t)ts);
}

static uint64_t read_real_ns(void)
{
	int64_t offset;
	uint64_t ns = read_clock(&offset);

	return ns + (uint64_t)offset;
}

int __vdso_gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz)
{
	uint64_t ns;

	if (must_call())
		return (int)call(__NR_gettimeofday, (uint64_t)tv, (uint64_t)tz);
	if (tv) {
		ns = read_real_ns();
		tv->tv_sec = (long)(ns / NS_IN_S);
		tv->tv_usec = (long)(ns % NS_IN_S / NS_IN_US);
	}
	if (tz) {
		tz->tz_minuteswest = 0;
		tz->tz_dsttime = 0;
	}
	return 0;
}

long __vdso_time(long *out)
{
	long s;

	if (must_call())
		return call(__NR_time, (uint64_t)out, 0);
	s = (long)(read_real_ns() / NS_IN_S);
	if (out)
		*out = s;
	return s;
}
