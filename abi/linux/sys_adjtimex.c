/*
 * sys_adjtimex.c: adjtimex and clock_adjtime: what disciplines the wall clock.
 *
 * What:       nothing disciplines it: it is set to the host's time now and then, and between two
 *             times nobody knows how far off it is. Linux says the same of a clock that no NTP
 *             daemon looks after: not synchronized, the largest error. Changes are refused.
 * Invariants: none.
 * Locking:    none.
 * Failure:    -EFAULT, then -EINVAL or -EOPNOTSUPP for other clocks, then -EINVAL for modes that
 *             do not go together, -EPERM, -EOPNOTSUPP for changes.
 * Source:     adjtimex(2); Linux kernel/time/timekeeping.c (timekeeping_validate_timex),
 *             kernel/time/ntp.c for what an undisciplined clock says.
 */
#include <linux/capability.h>
#include <linux/time.h>
#include <linux/timex.h>

#include "abi/linux/clock_priv.h"
#include "abi/linux/sysargs.h"
#include "abi/linux/time.h"
#include "base/errno.h"
#include "base/units.h"
#include "kernel/cred.h"

#define ADJTIME 0x8000u /* as adjtime(3) has it: Linux's own include/linux/timex.h */
#define READ_ONLY 0x2000u
#define SINGLE_SHOT 0x0001u
#define UNKNOWN_ERROR_US 16000000 /* Linux's NTP_PHASE_LIMIT */
#define TOLERANCE (500 << 16) /* 500 ppm: Linux's MAXFREQ_SCALED */
#define TICK_US 10000 /* of USER_HZ */
#define TIME_CONSTANT 2

enum { CLOCK_KIND_MASK = 7, CLOCK_OF_DESCRIPTOR = 3 }; /* of negative numbers */

static int check_modes(uint32_t modes)
{
	if (modes & ADJTIME) {
		if (!(modes & SINGLE_SHOT))
			return -EINVAL;
		if (modes & READ_ONLY)
			return 0;
	}
	if (modes == 0)
		return 0;
	return cred_can(CAP_SYS_TIME) ? -EOPNOTSUPP : -EPERM;
}

/* A clock's state, as both calls return it. */
static long adjust(uaddr_t timex_ua, struct __kernel_timex *t)
{
	uint64_t now = linux_real_ns();
	int err = check_modes(t->modes);

	if (err)
		return err;
	*t = (struct __kernel_timex){
		.modes = t->modes,
		.maxerror = UNKNOWN_ERROR_US,
		.esterror = UNKNOWN_ERROR_US,
		.status = STA_UNSYNC,
		.constant = TIME_CONSTANT,
		.precision = 1,
		.tolerance = TOLERANCE,
		.time.tv_sec = (long long)(now / NS_PER_S),
		.time.tv_usec = (long long)(now % NS_PER_S / NS_PER_US),
		.tick = TICK_US,
	};
	return user_copy_out(timex_ua, t, sizeof(*t)) ? -EFAULT : TIME_ERROR;
}

long sys_adjtimex(const struct sysargs *a)
{
	struct __kernel_timex t;

	if (user_copy_in(&t, a->arg[0], sizeof(t)))
		return -EFAULT;
	return adjust(a->arg[0], &t);
}

long sys_clock_adjtime(const struct sysargs *a)
{
	int32_t number = sysarg_int(a, 0);
	struct __kernel_timex t;
	struct linux_clock c;

	if (user_copy_in(&t, a->arg[1], sizeof(t)))
		return -EFAULT;
	if (number == CLOCK_REALTIME)
		return adjust(a->arg[1], &t);
	if (number < 0 && (number & CLOCK_KIND_MASK) != CLOCK_OF_DESCRIPTOR)
		return -EOPNOTSUPP; /* CPU time, be it anybody's or nobody's */
	return linux_clock_decode(number, &c) ? -EINVAL : -EOPNOTSUPP;
}
