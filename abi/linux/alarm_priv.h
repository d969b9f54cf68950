/*
 * alarm_priv.h: something that sends a signal when a clock says so, for sys_timer.c.
 *
 * Its owner calls these one at a time, under a lock of its own that may sleep; before each of
 * them but alarm_resume it cancels al->timer (cputimer_cancel): then the fields are its alone, else
 * they are the callback's.
 */
#pragma once

#include <asm/siginfo.h>

#include "abi/linux/clock_priv.h"
#include "kernel/sched/cputimer.h"
#include "kernel/signal/signal.h"

struct alarm {
	struct cputimer timer; /* for other clocks its ordinary timer alone is used */
	struct linux_clock clock; /* [I] */
	int32_t target_tid; /* [I] 0: the process */
	bool silent; /* [I] SIGEV_NONE */
	struct signal_info info; /* [I] what is sent */
	bool armed;
	bool sent; /* a signal since it was set: it may be pending */
	bool follows_real; /* waits for a time of the wall clock, which may be set */
	uint64_t expires_ns; /* on its clock; of the wall clock: by the monotonic one */
	uint64_t interval_ns; /* 0: one shot */
};

/* A static alarm that sends a signal as the kernel's own; fire is alarm_fire, or calls it. */
#define ALARM_OF_KERNEL(fire_fn, clock_kind, counts_user_only, number) \
	{ \
		.timer = { .timer = { .fire = (fire_fn) } }, \
		.clock = { .kind = (clock_kind), .user_only = (counts_user_only) }, .info = { \
			.signo = (number), \
			.code = SI_KERNEL \
		} \
	}

struct alarm_setting {
	uint64_t value_ns, interval_ns; /* value: until the next expiry; 0: idle */
};

void alarm_fire(struct timer *t); /* for timer_init */
struct alarm_setting alarm_get(const struct alarm *al);
void alarm_resume(struct alarm *al); /* after alarm_get without alarm_put */
void alarm_put(struct alarm *al, const struct alarm_setting *s, bool absolute);
/* info is its signal, and has been taken: what was missed since it was sent counts, too. */
void alarm_taken(struct alarm *al, struct signal_info *info);
/* The wall clock went forward by delta_ns; the timer is cancelled. */
void alarm_stepped(struct alarm *al, int64_t delta_ns);
