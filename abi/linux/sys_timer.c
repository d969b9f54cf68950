/*
 * sys_timer.c: timers that send signals: timer_create and setitimer.
 *
 * What:       the table of timers by number, and the three that setitimer knows. What each does is
 *             alarm.c's.
 * Invariants: (1) system calls hold timers.mutex; after they have cancelled the kernel timer the
 *             alarm's fields are theirs alone, else they are the callback's. (2) a signal carries
 *             the number of the setting that sent it, and counts while that stands.
 * Locking:    timers.mutex (sleeps).
 * Failure:    -EAGAIN: too many timers, or no memory.
 * Source:     timer_create(2), setitimer(2); Linux 6.18 for what becomes of a pending signal. Go
 *             runtime/os_linux.go setThreadCPUProfiler: SIGPROF must come with SI_TIMER from the
 *             one and SI_KERNEL from the other.
 */
#include <linux/time.h>
#include <linux/time_types.h>

#include <asm/siginfo.h>
#include <asm/signal.h>

#include "abi/linux/alarm_priv.h"
#include "abi/linux/sysargs.h"
#include "abi/linux/time.h"
#include "base/assert.h"
#include "base/units.h"
#include "fs/mutex.h"
#include "kernel/mm/kmem.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/time/step.h"

enum { TIMERS_MAX = 32768 };

struct posix_timer { /* [m] timers.mutex */
	struct alarm alarm; /* [m] */
	RB_ENTRY(posix_timer) node; /* [m] */
	int32_t id; /* [I] */
	int32_t overrun; /* [m] of the last delivery */
};

RB_HEAD(posix_timer_tree, posix_timer);

static struct {
	struct fs_mutex mutex;
	struct posix_timer_tree tree; /* [m] by id */
	int32_t next_id; /* [m] */
	uint32_t count; /* [m] */
	bool listens; /* [m] to steps of the wall clock */
	struct alarm itimers[3]; /* [m] ITIMER_REAL, _VIRTUAL, _PROF */
} timers = {
	.mutex = {
		.lock = SPINLOCK_INIT(LOCK_FS),
		.waiters = { TAILQ_HEAD_INITIALIZER(timers.mutex.waiters.waiters) },
	},
	.itimers = {
		ALARM_OF_KERNEL(alarm_fire, CLOCK_KIND_MONOTONIC, false, SIGALRM),
		ALARM_OF_KERNEL(alarm_fire, CLOCK_KIND_PROCESS, true, SIGVTALRM),
		ALARM_OF_KERNEL(alarm_fire, CLOCK_KIND_PROCESS, false, SIGPROF),
	},
};

static int compare(const struct posix_timer *a, const struct posix_timer *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}

TREE_GENERATE(posix_timer_tree, posix_timer, node, compare)

/* ------------------------------------------------------------------ timer_create and its kin */
static struct posix_timer *find_locked(int32_t id)
{
	struct posix_timer key = { .id = id };

	return RB_FIND(posix_timer_tree, &timers.tree, &key);
}

bool linux_signal_taken(struct signal_info *info)
{
	struct posix_timer *t;
	bool stands;

	if (!info->timer_setting)
		return true;
	fs_mutex_lock(&timers.mutex);
	t = find_locked(info->timer_id);
	stands = t && t->alarm.info.timer_setting == info->timer_setting; /* (2) */
	if (stands) {
		cputimer_cancel(&t->alarm.timer); /* (1) */
		alarm_taken(&t->alarm, info);
		t->overrun = info->overrun;
	}
	fs_mutex_unlock(&timers.mutex);
	return stands;
}

static void clock_stepped(int64_t delta_ns)
{
	struct posix_timer *t;

	fs_mutex_lock(&timers.mutex);
	RB_FOREACH(t, posix_timer_tree, &timers.tree) {
		cputimer_cancel(&t->alarm.timer);
		alarm_stepped(&t->alarm, delta_ns);
	}
	fs_mutex_unlock(&timers.mutex);
}

static struct step_listener listener = { .stepped = clock_stepped };

static int check_event(const struct sigevent *ev)
{
	switch (ev->sigev_notify) {
	case SIGEV_NONE:
		return 0;
	case SIGEV_SIGNAL:
	case SIGEV_THREAD: /* the C library's; the kernel only sends the signal */
	case SIGEV_THREAD_ID:
		return ev->sigev_signo >= 1 && ev->sigev_signo <= SIGNALS_MAX ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static bool is_tid(struct thread *t, void *arg)
{
	return t->tid == *(const int32_t *)arg && t->arch.fpu;
}

static int load_event(struct sigevent *ev, uaddr_t ua)
{
	int err;

	if (!ua) {
		*ev = (struct sigevent){ .sigev_signo = SIGALRM, .sigev_notify = SIGEV_SIGNAL };
		return 0;
	}
	if (user_copy_in(ev, ua, sizeof(*ev)))
		return -EFAULT;
	err = check_event(ev);
	if (!err && ev->sigev_notify == SIGEV_THREAD_ID &&
		!thread_find(is_tid, &ev->_sigev_un._tid))
		return -EINVAL;
	return err;
}

static int add(struct posix_timer *al, bool id_as_value)
{
	int err = 0;

	fs_mutex_lock(&timers.mutex);
	if (timers.count >= TIMERS_MAX) {
		err = -EAGAIN;
	} else {
		do {
			al->id = timers.next_id;
			timers.next_id = timers.next_id == INT32_MAX ? 0 : timers.next_id + 1;
		} while (RB_INSERT(posix_timer_tree, &timers.tree, al));
		timers.count++;
		al->alarm.info.timer_id = al->id;
		if (id_as_value)
			al->alarm.info.value = (uint64_t)al->id;
		if (!timers.listens)
			step_listen(&listener);
		timers.listens = true;
	}
	fs_mutex_unlock(&timers.mutex);
	return err;
}

static void take(struct posix_timer *al)
{
	cputimer_cancel(&al->alarm.timer); /* (1) */
	RB_REMOVE(posix_timer_tree, &timers.tree, al);
	timers.count--;
	signal_unreserve();
	kmem_free(al);
}

long sys_timer_delete(const struct sysargs *a)
{
	struct posix_timer *al;

	fs_mutex_lock(&timers.mutex);
	al = find_locked(sysarg_int(a, 0));
	if (al)
		take(al);
	fs_mutex_unlock(&timers.mutex);
	return al ? 0 : -EINVAL;
}

long sys_timer_create(const struct sysargs *a)
{
	struct sigevent ev;
	struct linux_clock clock;
	struct posix_timer *al;
	int err = linux_clock_decode(sysarg_int(a, 0), &clock);
	int32_t id;

	if (!err)
		err = load_event(&ev, a->arg[1]);
	if (err)
		return err;
	al = kmem_zalloc(sizeof(*al));
	if (!al)
		return -EAGAIN;
	timer_init(&al->alarm.timer.timer, alarm_fire);
	al->alarm.timer.tid = clock.kind == CLOCK_KIND_THREAD ? clock.tid : 0;
	al->alarm.clock = clock;
	al->alarm.target_tid = ev.sigev_notify == SIGEV_THREAD_ID ? ev._sigev_un._tid : 0;
	al->alarm.silent = ev.sigev_notify == SIGEV_NONE;
	al->alarm.info.signo = ev.sigev_signo;
	al->alarm.info.code = SI_TIMER;
	al->alarm.info.timer_setting = 1;
	al->alarm.info.value = (uint64_t)ev.sigev_value.sival_ptr;
	err = signal_reserve() ? 0 : -EAGAIN;
	if (!err) {
		err = add(al, !a->arg[1]);
		if (err)
			signal_unreserve();
	}
	if (err) {
		kmem_free(al);
		return err;
	}
	id = al->id;
	if (!user_store_u32(a->arg[2], (uint32_t)id))
		return 0;
	fs_mutex_lock(&timers.mutex);
	al = find_locked(id); /* another thread may have guessed its number */
	if (al)
		take(al);
	fs_mutex_unlock(&timers.mutex);
	return -EFAULT;
}

static int store_itimerspec(uaddr_t ua, const struct alarm_setting *s)
{
	if (linux_store_timespec(ua, s->interval_ns))
		return -EFAULT;
	return linux_store_timespec(ua + sizeof(struct __kernel_timespec), s->value_ns);
}

static int load_itimerspec(uaddr_t ua, struct alarm_setting *s)
{
	int err = linux_load_timespec(ua, &s->interval_ns);

	return err ? err : linux_load_timespec(ua + sizeof(struct __kernel_timespec), &s->value_ns);
}

/* (2) What is pending of the old one is not told any more. */
static void begin_setting_locked(struct posix_timer *al)
{
	struct signal_info *info = &al->alarm.info;

	info->timer_setting = info->timer_setting == UINT32_MAX ? 1 : info->timer_setting + 1;
	al->overrun = 0;
}

long sys_timer_settime(const struct sysargs *a)
{
	bool absolute = sysarg_int(a, 1) & TIMER_ABSTIME;
	struct alarm_setting fresh, old = { 0 };
	struct posix_timer *al;
	int err = a->arg[2] ? load_itimerspec(a->arg[2], &fresh) : -EINVAL;

	if (err)
		return err;
	if (!fresh.value_ns)
		fresh.interval_ns = 0; /* as Linux tells it afterwards */
	fs_mutex_lock(&timers.mutex);
	al = find_locked(sysarg_int(a, 0));
	if (al) {
		cputimer_cancel(&al->alarm.timer); /* (1) */
		old = alarm_get(&al->alarm);
		begin_setting_locked(al);
		alarm_put(&al->alarm, &fresh, absolute);
	}
	fs_mutex_unlock(&timers.mutex);
	if (!al)
		return -EINVAL;
	return a->arg[3] ? store_itimerspec(a->arg[3], &old) : 0;
}

long sys_timer_gettime(const struct sysargs *a)
{
	struct alarm_setting s = { 0 };
	struct posix_timer *al;

	fs_mutex_lock(&timers.mutex);
	al = find_locked(sysarg_int(a, 0));
	if (al) {
		cputimer_cancel(&al->alarm.timer); /* (1) */
		s = alarm_get(&al->alarm);
		alarm_resume(&al->alarm);
	}
	fs_mutex_unlock(&timers.mutex);
	return al ? store_itimerspec(a->arg[1], &s) : -EINVAL;
}

long sys_timer_getoverrun(const struct sysargs *a)
{
	struct posix_timer *al;
	long result = -EINVAL;

	fs_mutex_lock(&timers.mutex);
	al = find_locked(sysarg_int(a, 0));
	if (al)
		result = al->overrun;
	fs_mutex_unlock(&timers.mutex);
	return result;
}

/* ------------------------------------------------------------------ setitimer and its kin */
static struct alarm_setting change_itimer(struct alarm *al, const struct alarm_setting *fresh)
{
	struct alarm_setting old;

	fs_mutex_lock(&timers.mutex);
	cputimer_cancel(&al->timer); /* (1) */
	old = alarm_get(al);
	if (fresh)
		alarm_put(al, fresh, false);
	else
		alarm_resume(al);
	fs_mutex_unlock(&timers.mutex);
	return old;
}

static int store_itimerval(uaddr_t ua, const struct alarm_setting *s)
{
	struct __kernel_old_timeval tv[2] = {
		{ (long)(s->interval_ns / NS_PER_S),
			(long)(s->interval_ns % NS_PER_S / NS_PER_US) },
		{ (long)(s->value_ns / NS_PER_S), (long)(s->value_ns % NS_PER_S / NS_PER_US) },
	};

	return user_copy_out(ua, tv, sizeof(tv));
}

long sys_getitimer(const struct sysargs *a)
{
	uint32_t which = (uint32_t)a->arg[0];
	struct alarm_setting s;

	if (which >= ARRAY_LEN(timers.itimers))
		return -EINVAL;
	s = change_itimer(&timers.itimers[which], NULL);
	return store_itimerval(a->arg[1], &s);
}

long sys_setitimer(const struct sysargs *a)
{
	uint32_t which = (uint32_t)a->arg[0];
	struct alarm_setting fresh = { 0 }, old;
	int err;

	if (which >= ARRAY_LEN(timers.itimers))
		return -EINVAL;
	if (a->arg[1]) {
		err = linux_load_timeval(a->arg[1], &fresh.interval_ns);
		if (!err)
			err = linux_load_timeval(a->arg[1] + sizeof(struct __kernel_old_timeval),
				&fresh.value_ns);
		if (err)
			return err;
	}
	if (which == ITIMER_REAL && !fresh.value_ns)
		fresh.interval_ns = 0; /* so does Linux, but not for the other two */
	old = change_itimer(&timers.itimers[which], &fresh);
	return a->arg[2] ? store_itimerval(a->arg[2], &old) : 0;
}

long sys_alarm(const struct sysargs *a)
{
	struct alarm_setting fresh = { .value_ns = (uint64_t)(uint32_t)a->arg[0] * NS_PER_S };
	struct alarm_setting old = change_itimer(&timers.itimers[ITIMER_REAL], &fresh);

	return (long)((old.value_ns + NS_PER_S - 1) / NS_PER_S); /* 0 would say that none was set */
}
