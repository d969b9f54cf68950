/*
 * sys_time.c: clocks and sleeping.
 *
 * What:       monotonic, wall-clock and CPU-time clocks as Linux numbers them. The vDSO answers the
 *             common ones without coming here.
 * Invariants: (1) a sleep that a signal ends tells what was left; it is not restarted. (2) the wall
 *             clock is never before the machine's start: Linux refuses that, too.
 * Locking:    none; sleeping calls sleep.
 * Failure:    -EINVAL for clocks that are not here.
 * Source:     clock_gettime(2), clock_nanosleep(2), time(2), times(2).
 */
#include <linux/capability.h>
#include <linux/time.h>
#include <linux/times.h>

#include "abi/linux/clock_priv.h"
#include "abi/linux/sysargs.h"
#include "abi/linux/time.h"
#include "base/units.h"
#include "kernel/cred.h"
#include "kernel/process.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "kernel/time/step.h"

#define FAR_NS ((uint64_t)INT64_MAX)

enum { TICKS_PER_S = 100, NS_PER_TICK = 1000000000 / TICKS_PER_S };

uint64_t linux_real_ns(void)
{
	return clock_now_ns() + (uint64_t)clock_real_offset_ns();
}

int linux_clock_kind(int32_t clock, enum clock_kind *kind)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI: /* no leap-second table: as on a Linux that was not told the offset */
		*kind = CLOCK_KIND_REAL;
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME: /* the machine does not suspend */
		*kind = CLOCK_KIND_MONOTONIC;
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*kind = CLOCK_KIND_PROCESS;
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*kind = CLOCK_KIND_THREAD;
		return 0;
	default:
		return -EINVAL;
	}
}

static uint64_t read_kind(enum clock_kind kind)
{
	switch (kind) {
	case CLOCK_KIND_REAL:
		return linux_real_ns();
	case CLOCK_KIND_MONOTONIC:
		return clock_now_ns();
	case CLOCK_KIND_PROCESS:
		return sched_process_cpu_ns();
	case CLOCK_KIND_THREAD:
		break;
	}
	return sched_thread_cpu_ns(thread_current());
}

long sys_clock_gettime(const struct sysargs *a)
{
	enum clock_kind kind;
	int err = linux_clock_kind(sysarg_int(a, 0), &kind);

	return err ? err : linux_store_timespec(a->arg[1], read_kind(kind));
}

long sys_clock_getres(const struct sysargs *a)
{
	enum clock_kind kind;
	int err = linux_clock_kind(sysarg_int(a, 0), &kind);

	if (err || !a->arg[1])
		return err;
	return linux_store_timespec(a->arg[1], 1); /* the coarse ones are no coarser here */
}

/* (2) */
static long set_real(uint64_t ns)
{
	if (!cred_can(CAP_SYS_TIME))
		return -EPERM;
	if (ns >= FAR_NS || ns < clock_now_ns())
		return -EINVAL;
	step_set_real((int64_t)ns);
	return 0;
}

long sys_clock_settime(const struct sysargs *a)
{
	uint64_t ns;
	int err;

	if (sysarg_int(a, 0) != CLOCK_REALTIME)
		return -EINVAL;
	err = linux_load_timespec(a->arg[1], &ns);
	return err ? err : set_real(ns);
}

long sys_settimeofday(const struct sysargs *a)
{
	uint64_t ns;
	int err;

	if (a->arg[1])
		return -EINVAL; /* time zones are the C library's and Go's business */
	if (!a->arg[0])
		return 0;
	err = linux_load_timeval(a->arg[0], &ns);
	return err ? err : set_real(ns);
}

long sys_gettimeofday(const struct sysargs *a)
{
	uint64_t ns = linux_real_ns();
	struct __kernel_old_timeval tv = {
		.tv_sec = (long)(ns / NS_PER_S),
		.tv_usec = (long)(ns % NS_PER_S / NS_PER_US),
	};

	if (a->arg[0] && user_copy_out(a->arg[0], &tv, sizeof(tv)))
		return -EFAULT;
	return a->arg[1] ? user_zero(a->arg[1], sizeof(struct timezone)) : 0;
}

long sys_time(const struct sysargs *a)
{
	uint64_t s = linux_real_ns() / NS_PER_S;

	if (a->arg[0] && user_store_u64(a->arg[0], s))
		return -EFAULT;
	return (long)s;
}

long sys_times(const struct sysargs *a)
{
	struct tms t = { .tms_utime = (__kernel_clock_t)(sched_process_cpu_ns() / NS_PER_TICK) };

	if (a->arg[0] && user_copy_out(a->arg[0], &t, sizeof(t)))
		return -EFAULT;
	return (long)(clock_now_ns() / NS_PER_TICK);
}

/* ------------------------------------------------------------------ sleeping */

/* (1) left_ua: where to put the rest of a relative sleep; 0: nowhere. */
static long sleep_then_tell(uint64_t deadline_ns, uaddr_t left_ua)
{
	int err = linux_sleep_until((struct clock_deadline){ .ns = deadline_ns });
	uint64_t now;

	if (err && left_ua) {
		now = clock_now_ns();
		if (linux_store_timespec(left_ua, deadline_ns > now ? deadline_ns - now : 0))
			return -EFAULT;
	}
	return err;
}

long sys_nanosleep(const struct sysargs *a)
{
	uint64_t ns;
	int err = linux_load_timespec(a->arg[0], &ns);

	return err ? err : sleep_then_tell(linux_deadline_after(ns), a->arg[1]);
}

long sys_clock_nanosleep(const struct sysargs *a)
{
	bool absolute = sysarg_int(a, 1) & TIMER_ABSTIME;
	enum clock_kind kind;
	uint64_t ns;
	int err = linux_clock_kind(sysarg_int(a, 0), &kind);

	if (!err && (kind == CLOCK_KIND_THREAD || kind == CLOCK_KIND_PROCESS))
		return -EOPNOTSUPP;
	if (!err)
		err = linux_load_timespec(a->arg[2], &ns);
	if (err)
		return err;
	if (absolute)
		return linux_sleep_until((struct clock_deadline){ ns, kind == CLOCK_KIND_REAL });
	return sleep_then_tell(linux_deadline_after(ns), a->arg[3]);
}
