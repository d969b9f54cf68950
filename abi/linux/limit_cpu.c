/*
 * limit_cpu.c: RLIMIT_CPU: what happens when the process has had its CPU time.
 *
 * What:       SIGXCPU at the soft limit and each second after, SIGKILL at the hard one: an alarm
 *             for each, on the CPU time of the process.
 * Invariants: none of its own.
 * Locking:    the caller's, who changes limits one at a time: it is the alarms' owner.
 * Failure:    none.
 * Source:     getrlimit(2); Linux kernel/time/posix-cpu-timers.c (check_process_timers). CAVEAT:
 *             Linux also adds a second to the soft limit with each SIGXCPU.
 */
#include <asm/signal.h>

#include "abi/linux/alarm_priv.h"
#include "abi/linux/limits_priv.h"
#include "base/units.h"

static struct alarm soft = ALARM_OF_KERNEL(alarm_fire, CLOCK_KIND_PROCESS, false, SIGXCPU);
static struct alarm hard = ALARM_OF_KERNEL(alarm_fire, CLOCK_KIND_PROCESS, false, SIGKILL);

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
