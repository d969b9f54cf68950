/*
 * time.c: Linux's time structures, and nanoseconds.
 *
 * What:       conversions that refuse what Linux refuses and saturate what would overflow: Go
 *             sleeps for years. And the one sleep that all sleeping calls share.
 * Invariants: (1) a sleep never ends early but by a signal.
 * Locking:    none held; all but the conversions of numbers may sleep.
 * Failure:    -EFAULT, -EINVAL, -EINTR.
 * Source:     clock_nanosleep(2), futex(2).
 */
#include "abi/linux/time.h"

#include <linux/time_types.h>

#include "arch/arch.h"
#include "base/errno.h"
#include "base/units.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"

/* Some 290 years: what fits Linux's ktime_t. */
#define FAR_NS ((uint64_t)INT64_MAX)
#define FAR_SECONDS (INT64_MAX / (int64_t)NS_PER_S)

static int combine(int64_t seconds, int64_t fraction, int64_t limit, uint64_t unit_ns, uint64_t *ns)
{
	if (seconds < 0 || fraction < 0 || fraction >= limit)
		return -EINVAL;
	if (seconds >= FAR_SECONDS)
		*ns = FAR_NS;
	else
		*ns = (uint64_t)seconds * NS_PER_S + (uint64_t)fraction * unit_ns;
	return 0;
}

int linux_load_timespec(uaddr_t ua, uint64_t *ns)
{
	struct __kernel_timespec ts;

	if (user_copy_in(&ts, ua, sizeof(ts)))
		return -EFAULT;
	return combine(ts.tv_sec, ts.tv_nsec, (int64_t)NS_PER_S, 1, ns);
}

int linux_load_timeval(uaddr_t ua, uint64_t *ns)
{
	struct __kernel_old_timeval tv;

	if (user_copy_in(&tv, ua, sizeof(tv)))
		return -EFAULT;
	return combine(tv.tv_sec, tv.tv_usec, 1000000, NS_PER_US, ns);
}

int linux_store_timespec(uaddr_t ua, uint64_t ns)
{
	struct __kernel_timespec ts = {
		.tv_sec = (int64_t)(ns / NS_PER_S),
		.tv_nsec = (int64_t)(ns % NS_PER_S),
	};

	return user_copy_out(ua, &ts, sizeof(ts));
}

int linux_store_timeval(uaddr_t ua, uint64_t ns)
{
	struct __kernel_old_timeval tv = {
		.tv_sec = (int64_t)(ns / NS_PER_S),
		.tv_usec = (int64_t)(ns % NS_PER_S / 1000),
	};

	return user_copy_out(ua, &tv, sizeof(tv));
}

uint64_t linux_time_left_ns(uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns();

	return deadline_ns > now ? deadline_ns - now : 0;
}

uint64_t linux_deadline_after(uint64_t ns)
{
	uint64_t now = clock_now_ns();

	return ns >= FAR_NS - now ? FAR_NS : now + ns;
}

uint64_t linux_deadline_at(uint64_t ns, bool real)
{
	return clock_deadline_ns((struct clock_deadline){ MIN(ns, FAR_NS), real });
}

int linux_sleep_until(struct clock_deadline deadline)
{
	while (clock_now_ns() < clock_deadline_ns(deadline)) { /* (1) */
		if (signal_is_deliverable(thread_current()))
			return -EINTR;
		sched_park(clock_deadline_ns(deadline), true);
	}
	return 0;
}
