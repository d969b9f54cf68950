/*
 * limit_cpu.c: RLIMIT_CPU: what happens when the process has had its CPU time.
 *
 * What:       SIGXCPU at the soft limit, which then is a second more, SIGKILL at the hard one: an
 *             alarm for each, on the CPU time of the process.
 * Invariants: none of its own.
 * Locking:    the caller's, who changes limits one at a time: it is the alarms' owner. The callback
 *             takes LOCK_FS, too (linux_raise_cpu_limit).
 * Failure:    none.
 * Source:     getrlimit(2); Linux kernel/time/posix-cpu-timers.c (check_process_timers).
 */
#include <asm/signal.h>

#include "abi/linux/alarm_priv.h"
#include "abi/linux/limits_priv.h"
#include "base/units.h"

static void soft_fire(struct timer *t);

static struct alarm soft = ALARM_OF_KERNEL(soft_fire, CLOCK_KIND_PROCESS, false, SIGXCPU);
static struct alarm hard = ALARM_OF_KERNEL(alarm_fire, CLOCK_KIND_PROCESS, false, SIGKILL);

/* The alarm's fields are its callback's. */
static void soft_fire(struct timer *t)
{
	uint64_t reached_ns = soft.expires_ns;

	alarm_fire(t);
	if (soft.expires_ns != reached_ns) /* it was time */
		linux_raise_cpu_limit(reached_ns / NS_PER_S, soft.expires_ns / NS_PER_S);
}

static void set(struct alarm *al, uint64_t limit_s, uint64_t interval_ns)
{
	struct alarm_setting s = { 0 };

	cputimer_cancel(&al->timer);
	if (limit_s <= (uint64_t)INT64_MAX / NS_PER_S)
		s = (struct alarm_setting){ MAX(limit_s * NS_PER_S, 1u), interval_ns };
	alarm_put(al, &s, true);
}

void linux_set_cpu_limits(uint64_t soft_s, uint64_t hard_s)
{
	/* At the hard one it is over. */
	set(&soft, soft_s < hard_s ? soft_s : UINT64_MAX, NS_PER_S);
	set(&hard, hard_s, 0);
}
