/*
 * sys_timerfd.c: timerfd_create and its kin.
 *
 * What:       struct itimerspec into a monotonic deadline and an interval, and back.
 * Invariants: none; no state.
 * Locking:    none held.
 * Failure:    -errno of the manual page.
 * Source:     timerfd_create(2).
 */
#include <linux/fcntl.h>
#include <linux/time.h>
#include <linux/timerfd.h>

#include "abi/linux/sysargs.h"
#include "abi/linux/time.h"
#include "base/units.h"
#include "fs/fdtable.h"
#include "fs/timerfd.h"

#define TIMESPEC_BYTES 16u

long sys_timerfd_create(const struct sysargs *a)
{
	uint32_t clock = (uint32_t)a->arg[0], flags = (uint32_t)a->arg[1];
	struct file *f;
	int fd, r;

	if (flags & ~(uint32_t)(TFD_CLOEXEC | TFD_NONBLOCK))
		return -EINVAL;
	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
		clock != CLOCK_REALTIME_ALARM && clock != CLOCK_BOOTTIME_ALARM)
		return -EINVAL;
	r = timerfd_create(clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM,
		flags & TFD_NONBLOCK, &f);
	if (r < 0)
		return r;
	r = fdtable_install(f, 0, (flags & TFD_CLOEXEC) != 0, &fd);
	if (r < 0)
		file_put(f);
	return r < 0 ? r : fd;
}

static int load_setting(uaddr_t ua, bool absolute, bool real, struct timerfd_setting *s)
{
	uint64_t first;
	int r = linux_load_timespec(ua, &s->interval_ns);

	if (r == 0)
		r = linux_load_timespec(ua + TIMESPEC_BYTES, &first);
	if (r != 0)
		return r;
	if (first == 0)
		s->deadline_ns = 0;
	else
		s->deadline_ns = absolute ? linux_deadline_at(first, real)
					  : linux_deadline_after(first);
	if (first != 0 && s->deadline_ns == 0)
		s->deadline_ns = 1; /* long past, but armed */
	return 0;
}

static int store_setting(uaddr_t ua, const struct timerfd_setting *s)
{
	int r = linux_store_timespec(ua, s->interval_ns);

	return r < 0 ? r : linux_store_timespec(ua + TIMESPEC_BYTES, s->deadline_ns);
}

static int get_timerfd(int fd, struct file **f)
{
	int r = fdtable_get(fd, f);

	if (r < 0)
		return r;
	if (file_is_timerfd(*f))
		return 0;
	file_put(*f);
	return -EINVAL;
}

long sys_timerfd_settime(const struct sysargs *a)
{
	uint32_t flags = (uint32_t)a->arg[1];
	struct timerfd_setting s, old = { 0 };
	struct file *f;
	int r;

	if (flags & ~(uint32_t)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	r = get_timerfd(sysarg_int(a, 0), &f);
	if (r < 0)
		return r;
	r = load_setting(a->arg[2], (flags & TFD_TIMER_ABSTIME) != 0, timerfd_is_real(f), &s);
	if (r == 0) {
		s.follows_real = timerfd_is_real(f) && (flags & TFD_TIMER_ABSTIME);
		s.cancel_on_set = s.follows_real && (flags & TFD_TIMER_CANCEL_ON_SET);
		r = timerfd_set(f, &s, &old);
	}
	file_put(f);
	if ((r == 0 || r == -ECANCELED) && a->arg[3] && store_setting(a->arg[3], &old))
		return -EFAULT;
	return r;
}

long sys_timerfd_gettime(const struct sysargs *a)
{
	struct timerfd_setting s;
	struct file *f;
	int r = get_timerfd(sysarg_int(a, 0), &f);

	if (r < 0)
		return r;
	timerfd_get(f, &s);
	file_put(f);
	return store_setting(a->arg[1], &s);
}
