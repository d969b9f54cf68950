/*
 * alarm.c: something that sends a signal when a clock says so.
 *
 * What:       an alarm counts on monotonic time, on the wall clock, or on CPU time of the process
 *             or of a thread. Of CPU time a cputimer says when the limit could be reached at the
 *             earliest, again and again until it is.
 *
 *               idle -> armed [put]   armed -> armed [fire: too early, or periodic; stepped]
 *               armed -> idle [fire: one shot; put; the thread whose time counts is gone]
 *
 * Invariants: (1) never early, and the next time of a periodic one not before LEAST_NS: shorter
 *             intervals become overruns, or nothing else would ever run again. (2) a time of the
 *             wall clock is kept as one of the monotonic clock, and moved when the wall clock is
 *             set. (3) one that has sent a signal and is still armed is periodic.
 * Locking:    the owner's (alarm_priv.h). The callback takes LOCK_THREADS and LOCK_SIGNAL.
 * Failure:    none.
 * Source:     timer_settime(2), setitimer(2).
 */
#include "abi/linux/alarm_priv.h"

#include "abi/linux/time.h"
#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "kernel/sched/cpu.h"
#include "kernel/time/clock.h"

enum { LEAST_NS = 100000 };

/* (2) False: what it counts on is gone. */
static bool read_clock(const struct alarm *al, uint64_t *now_ns)
{
	if (linux_clock_is_cpu_time(&al->clock))
		return linux_clock_read(&al->clock, now_ns);
	*now_ns = clock_now_ns();
	return true;
}

/* Arms the kernel timer for the earliest moment at which the alarm may be due, and not before
 * least_ns of its clock. */
static void arm(struct alarm *al, uint64_t now_ns, uint64_t least_ns)
{
	uint64_t due = MAX(al->expires_ns, least_ns);
	uint64_t left = due > now_ns ? due - now_ns : 0;

	if (linux_clock_is_cpu_time(&al->clock))
		cputimer_arm(&al->timer, left);
	else
		timer_arm(&al->timer.timer, due);
}

static void count(struct signal_info *info, uint64_t missed)
{
	info->overrun = (int32_t)MIN((uint64_t)info->overrun + missed, (uint64_t)INT32_MAX);
}

static void expire(struct alarm *al, uint64_t now_ns)
{
	uint64_t missed = al->interval_ns ? (now_ns - al->expires_ns) / al->interval_ns : 0;
	struct signal_info info = al->info;

	al->armed = al->interval_ns != 0;
	al->expires_ns += (missed + 1) * al->interval_ns;
	if (al->silent)
		return;
	al->sent = true;
	count(&info, missed);
	if (!al->target_tid)
		(void)signal_send_process(&info);
	else if (signal_send_tid(al->target_tid, &info) == -ESRCH)
		al->armed = false; /* the thread that was to hear it is gone */
}

void alarm_fire(struct timer *t)
{
	struct alarm *al = container_of(t, struct alarm, timer.timer);
	uint64_t now;

	if (!read_clock(al, &now)) {
		al->armed = false;
		return;
	}
	if (now >= al->expires_ns) /* (1) */
		expire(al, now);
	if (al->armed)
		arm(al, now, now + LEAST_NS);
}

void alarm_taken(struct alarm *al, struct signal_info *info)
{
	uint64_t now, missed;

	if (!al->armed || !read_clock(al, &now))
		return;
	if (al->sent && now >= al->expires_ns) { /* (3) */
		missed = (now - al->expires_ns) / al->interval_ns + 1;
		al->expires_ns += missed * al->interval_ns;
		count(info, missed);
	}
	al->sent = false;
	arm(al, now, al->interval_ns < LEAST_NS ? now + LEAST_NS : 0); /* (1) */
}

struct alarm_setting alarm_get(const struct alarm *al)
{
	struct alarm_setting s = { .interval_ns = al->interval_ns };
	uint64_t now;

	if (al->armed && read_clock(al, &now) &&
		!(al->silent && !al->interval_ns && al->expires_ns <= now)) /* nobody is to hear */
		s.value_ns = al->expires_ns > now ? al->expires_ns - now : 1; /* 0 would say idle */
	return s;
}

void alarm_resume(struct alarm *al)
{
	uint64_t now;

	if (al->armed && read_clock(al, &now))
		arm(al, now, 0);
}

void alarm_put(struct alarm *al, const struct alarm_setting *s, bool absolute)
{
	uint64_t now;

	al->interval_ns = s->interval_ns;
	al->sent = false;
	al->armed = s->value_ns != 0 && read_clock(al, &now);
	al->follows_real = absolute && al->clock.kind == CLOCK_KIND_REAL;
	if (!al->armed)
		return;
	if (al->follows_real)
		al->expires_ns = linux_deadline_at(s->value_ns, true);
	else
		al->expires_ns = absolute ? s->value_ns
					  : MIN(now + s->value_ns, (uint64_t)INT64_MAX);
	arm(al, now, 0);
}

void alarm_stepped(struct alarm *al, int64_t delta_ns)
{
	if (al->armed && al->follows_real)
		al->expires_ns = delta_ns > 0 && al->expires_ns < (uint64_t)delta_ns
			? 0
			: al->expires_ns - (uint64_t)delta_ns;
	alarm_resume(al);
}
