/*
 * sys_time.c: clocks and sleeping.
 *
 * What:       monotonic, wall-clock and CPU-time clocks as Linux numbers them. The vDSO answers the
 *             common ones without coming here.
 * Invariants: (1) a sleep that a signal ends tells what was left; where no handler ran it goes on
 *             until the same time. (2) the wall
 *             clock is never before the machine's start: Linux refuses that, too.
 * Locking:    none; sleeping calls sleep.
 * Failure:    -EINVAL for clocks that are not here.
 * Source:     clock_gettime(2), clock_nanosleep(2), time(2), times(2).
 */
#include <linux/capability.h>
#include <linux/time.h>
#include <linux/times.h>

#include "abi/linux/clock_priv.h"
#include "abi/linux/restart_priv.h"
#include "abi/linux/sysargs.h"
#include "abi/linux/time.h"
#include "base/units.h"
#include "kernel/cred.h"
#include "kernel/sched/cputime.h"
#include "kernel/time/clock.h"
#include "kernel/time/follow.h"
#include "kernel/time/step.h"

#define FAR_NS ((uint64_t)INT64_MAX)

enum { TICKS_PER_S = 100, NS_PER_TICK = 1000000000 / TICKS_PER_S, LOOK_AGAIN_NS = 100000 };

long sys_clock_gettime(const struct sysargs *a)
{
	struct linux_clock c;
	uint64_t ns;
	int err = linux_clock_decode(sysarg_int(a, 0), &c);

	if (err)
		return err;
	return linux_clock_read(&c, &ns) ? linux_store_timespec(a->arg[1], ns) : -EINVAL;
}

long sys_clock_getres(const struct sysargs *a)
{
	struct linux_clock c;
	int err = linux_clock_decode(sysarg_int(a, 0), &c);

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
	follow_stop();
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
	struct timezone zone;
	uint64_t ns;
	int err = a->arg[0] ? linux_load_timeval(a->arg[0], &ns) : 0;

	if (err)
		return err;
	if (a->arg[1]) /* time zones are the C library's and Go's business */
		return user_copy_in(&zone, a->arg[1], sizeof(zone)) ? -EFAULT : -EINVAL;
	return a->arg[0] ? set_real(ns) : 0;
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
	struct cputime cpu = cputime_of_process();
	struct tms t = {
		.tms_utime = (__kernel_clock_t)(cpu.user_ns / NS_PER_TICK),
		.tms_stime = (__kernel_clock_t)(cpu.system_ns / NS_PER_TICK),
	};

	if (a->arg[0] && user_copy_out(a->arg[0], &t, sizeof(t)))
		return -EFAULT;
	return (long)(clock_now_ns() / NS_PER_TICK);
}

/* ------------------------------------------------------------------ sleeping */

/* (1) left_ua: where to put the rest of a relative sleep; 0: nowhere. */
static long sleep_then_tell(uint64_t deadline_ns, uaddr_t left_ua)
{
	if (!linux_sleep_until((struct clock_deadline){ .ns = deadline_ns }))
		return 0;
	if (left_ua && linux_store_timespec(left_ua, linux_time_left_ns(deadline_ns)))
		return -EFAULT;
	return linux_restart_until(deadline_ns);
}

long sys_nanosleep(const struct sysargs *a)
{
	uint64_t ns, deadline_ns;
	int err;

	if (!linux_take_deadline(&deadline_ns)) {
		err = linux_load_timespec(a->arg[0], &ns);
		if (err)
			return err;
		deadline_ns = linux_deadline_after(ns);
	}
	return sleep_then_tell(deadline_ns, a->arg[1]);
}

/* CPU time has no alarm: looks again when it could be over at the earliest. Only while the process
 * runs elsewhere does its time go on, so this thread looks at least at every tick. (1) */
static long sleep_on_cpu_time(const struct linux_clock *c, uint64_t until_ns)
{
	uint64_t now;
	int err = 0;

	while (!err && linux_clock_read(c, &now) && now < until_ns) {
		uint64_t wait = MAX((until_ns - now) / cpu_count, (uint64_t)LOOK_AGAIN_NS);

		err = linux_sleep_until((struct clock_deadline){
			.ns = linux_deadline_after(MIN(wait, (uint64_t)NS_PER_TICK)),
		});
	}
	return err;
}

static long sleep_on_cpu_time_then_tell(const struct linux_clock *c, uint64_t until_ns,
	uaddr_t left_ua)
{
	uint64_t now;

	if (!sleep_on_cpu_time(c, until_ns))
		return 0;
	if (left_ua && linux_clock_read(c, &now) &&
		linux_store_timespec(left_ua, until_ns > now ? until_ns - now : 0))
		return -EFAULT;
	return linux_restart_until(until_ns);
}

static bool is_own_time(const struct linux_clock *c)
{
	return c->kind == CLOCK_KIND_THREAD && c->tid == thread_current()->tid;
}

static bool is_clock_to_sleep_on(int32_t number)
{
	return number != CLOCK_THREAD_CPUTIME_ID && number != CLOCK_MONOTONIC_RAW &&
		number != CLOCK_REALTIME_COARSE && number != CLOCK_MONOTONIC_COARSE;
}

static long sleep_until(const struct linux_clock *c, uint64_t ns)
{
	long err = linux_clock_is_cpu_time(c)
		? sleep_on_cpu_time(c, ns)
		: linux_sleep_until((struct clock_deadline){ ns, c->kind == CLOCK_KIND_REAL });

	return err ? -ERESTARTNOHAND : 0;
}

/* until_ns: of a sleep that goes on, on its clock; 0: it begins. */
static long clock_sleep(const struct linux_clock *c, const struct sysargs *a, uint64_t until_ns)
{
	bool is_cpu_time = linux_clock_is_cpu_time(c);
	uint64_t ns = 0, now = 0;
	int err = until_ns ? 0 : linux_load_timespec(a->arg[2], &ns);

	if (err)
		return err;
	if (is_cpu_time && (is_own_time(c) || !linux_clock_read(c, &now)))
		return -EINVAL; /* it would never come */
	if (sysarg_int(a, 1) & TIMER_ABSTIME)
		return sleep_until(c, ns);
	if (is_cpu_time)
		return sleep_on_cpu_time_then_tell(c, until_ns ? until_ns : MIN(now + ns, FAR_NS),
			a->arg[3]);
	return sleep_then_tell(until_ns ? until_ns : linux_deadline_after(ns), a->arg[3]);
}

long sys_clock_nanosleep(const struct sysargs *a)
{
	int32_t number = sysarg_int(a, 0);
	struct linux_clock c;
	uint64_t until_ns;
	int err;

	if (!linux_take_deadline(&until_ns))
		until_ns = 0;
	err = linux_clock_decode(number, &c);
	if (!err && !is_clock_to_sleep_on(number))
		err = -EOPNOTSUPP;
	return err ? err : clock_sleep(&c, a, until_ns);
}
