/*
 * sys_wait.c: what poll, select and epoll's waits share: how long, and under which signal mask.
 *
 * What:       deadlines from the program's times, and the exchange of a thread's signal mask.
 * Invariants: a temporary signal mask is put back when the call ends, or, when a signal ended it,
 *             by that signal's delivery.
 * Locking:    none held.
 * Failure:    -EFAULT, -EINVAL; what cannot be stored after a wait is no error.
 * Source:     ppoll(2) pselect(2) epoll_pwait2(2); Linux fs/select.c.
 */
#include "abi/linux/sys_wait_priv.h"

#include "abi/linux/sysargs.h"
#include "abi/linux/time.h"
#include "base/errno.h"
#include "base/units.h"
#include "kernel/sched/thread.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"

#define SIGSET_BYTES 8u

uint64_t linux_wait_deadline_ms(int64_t ms)
{
	if (ms < 0)
		return TIME_NEVER_NS;
	return ms == 0 ? 0 : linux_deadline_after((uint64_t)ms * NS_PER_MS);
}

int linux_wait_deadline(uaddr_t ua, uint64_t *deadline_ns)
{
	uint64_t ns;
	int r;

	*deadline_ns = TIME_NEVER_NS;
	if (!ua)
		return 0;
	r = linux_load_timespec(ua, &ns);
	if (r == 0)
		*deadline_ns = ns == 0 ? 0 : linux_deadline_after(ns);
	return r;
}

long linux_wait_end(uaddr_t ua, bool timeval, uint64_t deadline_ns, long result)
{
	uint64_t left_ns;
	int err;

	if (!ua || !deadline_ns)
		return result;
	left_ns = linux_time_left_ns(deadline_ns);
	err = timeval ? linux_store_timeval(ua, left_ns) : linux_store_timespec(ua, left_ns);
	return err && result == -ERESTARTNOHAND ? -EINTR : result;
}

int linux_wait_mask_enter(uaddr_t set_ua, uint64_t set_bytes, struct linux_wait_mask *m)
{
	uint64_t set;

	m->changed = set_ua != 0;
	if (!m->changed)
		return 0;
	if (set_bytes != SIGSET_BYTES)
		return -EINVAL;
	if (user_load_u64(&set, set_ua) < 0)
		return -EFAULT;
	m->old = signal_get_mask();
	signal_set_mask(set);
	return 0;
}

long linux_wait_mask_leave(const struct linux_wait_mask *m, long result)
{
	struct thread *t = thread_current();

	if (!m->changed)
		return result;
	if (result == -EINTR || result == -ERESTARTNOHAND) {
		t->saved_mask = m->old;
		t->restore_mask = true;
		atomic_store_explicit(&t->signal_work, true, memory_order_relaxed);
	} else {
		signal_set_mask(m->old);
	}
	return result;
}
