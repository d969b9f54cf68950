/*
 * sys_timer.c: timers that send signals: timer_create and setitimer.
 *
 * What:       each timer counts on a clock: monotonic time, or CPU time of the process or of a
 *             thread. CPU time has no alarm of its own: a kernel timer looks again when the limit
 *             could be reached at the earliest, until it is.
 *
 *               idle -> armed [set]   armed -> armed [fire: too early, or periodic]
 *               armed -> idle [fire: one shot; set; the thread whose time counts is gone]
 *
 * Invariants: (1) system calls hold timers.mutex; after they have cancelled the kernel timer the
 *             fields are theirs alone, else they are the callback's. (2) never early.
 * Locking:    timers.mutex (sleeps). The callback takes LOCK_THREADS and LOCK_SIGNAL, not the
 *             mutex.
 * Failure:    -EAGAIN: too many timers, or no memory.
 * Source:     timer_create(2), setitimer(2); Go runtime/os_linux.go setThreadCPUProfiler: SIGPROF
 *             must come with SI_TIMER from the one and SI_KERNEL from the other.
 */
#include <linux/time.h>
#include <linux/time_types.h>

#include <asm/siginfo.h>
#include <asm/signal.h>

#include "abi/linux/clock_priv.h"
#include "abi/linux/sysargs.h"
#include "abi/linux/time.h"
#include "base/assert.h"
#include "base/units.h"
#include "fs/mutex.h"
#include "kernel/mm/kmem.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"

enum { TIMERS_MAX = 32768, LOOK_AGAIN_NS = 100000 };

struct alarm { /* [m] timers.mutex and (1) */
	struct timer timer;
	RB_ENTRY(alarm) node; /* [m] */
	int32_t id; /* [I] */
	enum clock_kind kind; /* [I] what it counts on; REAL: monotonic, after conversion */
	int32_t counted_tid; /* [I] CLOCK_KIND_THREAD */
	int32_t target_tid; /* [I] 0: the process */
	bool silent; /* [I] SIGEV_NONE */
	struct signal_info info; /* [I] what is sent */
	bool armed;
	uint64_t expires_ns; /* on its clock */
	uint64_t interval_ns; /* 0: one shot */
	int32_t overrun; /* of the last expiry */
};

RB_HEAD(alarm_tree, alarm);

static void fire(struct timer *t);

#define ITIMER(clock, number) \
	{ \
		.timer = { .fire = fire }, .kind = (clock), .info = { \
			.signo = (number), \
			.code = SI_KERNEL \
		} \
	}

static struct {
	struct fs_mutex mutex;
	struct alarm_tree tree; /* [m] by id */
	int32_t next_id; /* [m] */
	uint32_t count; /* [m] */
	struct alarm itimers[3]; /* [m] ITIMER_REAL, _VIRTUAL, _PROF */
} timers = {
	.mutex = {
		.lock = SPINLOCK_INIT(LOCK_FS),
		.waiters = { TAILQ_HEAD_INITIALIZER(timers.mutex.waiters.waiters) },
	},
	.itimers = {
		ITIMER(CLOCK_KIND_MONOTONIC, SIGALRM),
		ITIMER(CLOCK_KIND_PROCESS, SIGVTALRM),
		ITIMER(CLOCK_KIND_PROCESS, SIGPROF),
	},
};

static int compare(const struct alarm *a, const struct alarm *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}

TREE_GENERATE(alarm_tree, alarm, node, compare)

/* ------------------------------------------------------------------ counting */
struct thread_time {
	int32_t tid;
	uint64_t ns;
};

static bool read_thread_time(struct thread *t, void *arg)
{
	struct thread_time *r = arg;

	if (t->tid != r->tid)
		return false;
	r->ns = sched_thread_cpu_ns(t);
	return true;
}

/* False: what it counts on is gone. */
static bool read_clock(const struct alarm *al, uint64_t *now_ns)
{
	struct thread_time r = { .tid = al->counted_tid };

	switch (al->kind) {
	case CLOCK_KIND_REAL:
	case CLOCK_KIND_MONOTONIC:
		*now_ns = clock_now_ns();
		return true;
	case CLOCK_KIND_PROCESS:
		*now_ns = sched_process_cpu_ns();
		return true;
	case CLOCK_KIND_THREAD:
		break;
	}
	if (!thread_find(read_thread_time, &r))
		return false;
	*now_ns = r.ns;
	return true;
}

static bool is_cpu_time(const struct alarm *al)
{
	return al->kind == CLOCK_KIND_PROCESS || al->kind == CLOCK_KIND_THREAD;
}

/* Arms the kernel timer for the earliest moment at which the alarm may be due. */
static void arm(struct alarm *al, uint64_t now_ns)
{
	uint64_t left = al->expires_ns > now_ns ? al->expires_ns - now_ns : 0;

	if (!is_cpu_time(al)) {
		timer_arm(&al->timer, al->expires_ns);
		return;
	}
	if (al->kind == CLOCK_KIND_PROCESS)
		left /= cpu_count; /* all CPUs may run the process */
	timer_arm(&al->timer, linux_deadline_after(MAX(left, (uint64_t)LOOK_AGAIN_NS)));
}

static void expire(struct alarm *al, uint64_t now_ns)
{
	uint64_t missed = al->interval_ns ? (now_ns - al->expires_ns) / al->interval_ns : 0;
	struct signal_info info = al->info;

	al->overrun = (int32_t)MIN(missed, (uint64_t)INT32_MAX);
	al->armed = al->interval_ns != 0;
	al->expires_ns += (missed + 1) * al->interval_ns;
	if (al->silent)
		return;
	info.overrun = al->overrun;
	if (!al->target_tid)
		signal_send_process(&info);
	else if (signal_send_tid(al->target_tid, &info))
		al->armed = false; /* the thread that was to hear it is gone */
}

static void fire(struct timer *t)
{
	struct alarm *al = container_of(t, struct alarm, timer);
	uint64_t now;

	if (!read_clock(al, &now)) {
		al->armed = false;
		return;
	}
	if (now >= al->expires_ns) /* (2) */
		expire(al, now);
	if (al->armed)
		arm(al, now);
}

struct setting {
	uint64_t value_ns, interval_ns; /* value: until the next expiry; 0: idle */
};

/* Caller holds the mutex and has cancelled the timer. */
static struct setting get_setting(const struct alarm *al)
{
	struct setting s = { .interval_ns = al->interval_ns };
	uint64_t now;

	if (al->armed && read_clock(al, &now))
		s.value_ns = al->expires_ns > now ? al->expires_ns - now : 1; /* 0 would say idle */
	return s;
}

static void resume(struct alarm *al)
{
	uint64_t now;

	if (al->armed && read_clock(al, &now))
		arm(al, now);
}

/* Caller holds the mutex and has cancelled the timer. absolute: value is a time of its clock. */
static void put_setting(struct alarm *al, const struct setting *s, bool absolute)
{
	uint64_t now;

	al->interval_ns = s->interval_ns;
	al->armed = s->value_ns != 0 && read_clock(al, &now);
	al->overrun = 0;
	if (!al->armed)
		return;
	al->expires_ns = absolute ? s->value_ns : MIN(now + s->value_ns, (uint64_t)INT64_MAX);
	arm(al, now);
}

/* ------------------------------------------------------------------ timer_create and its kin */
static struct alarm *find_locked(int32_t id)
{
	struct alarm key = { .id = id };

	return RB_FIND(alarm_tree, &timers.tree, &key);
}

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

static int add(struct alarm *al, bool id_as_value)
{
	int err = 0;

	fs_mutex_lock(&timers.mutex);
	if (timers.count >= TIMERS_MAX) {
		err = -EAGAIN;
	} else {
		do {
			al->id = timers.next_id;
			timers.next_id = timers.next_id == INT32_MAX ? 0 : timers.next_id + 1;
		} while (RB_INSERT(alarm_tree, &timers.tree, al));
		timers.count++;
		al->info.timer_id = al->id;
		if (id_as_value)
			al->info.value = (uint64_t)al->id;
	}
	fs_mutex_unlock(&timers.mutex);
	return err;
}

static void take(struct alarm *al)
{
	timer_cancel(&al->timer); /* (1) */
	RB_REMOVE(alarm_tree, &timers.tree, al);
	timers.count--;
	kmem_free(al);
}

long sys_timer_delete(const struct sysargs *a)
{
	struct alarm *al;

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
	enum clock_kind kind;
	struct alarm *al;
	int err = linux_clock_kind(sysarg_int(a, 0), &kind);
	int32_t id;

	if (!err)
		err = load_event(&ev, a->arg[1]);
	if (err)
		return err;
	al = kmem_zalloc(sizeof(*al));
	if (!al)
		return -EAGAIN;
	timer_init(&al->timer, fire);
	al->kind = kind;
	al->counted_tid = thread_current()->tid;
	al->target_tid = ev.sigev_notify == SIGEV_THREAD_ID ? ev._sigev_un._tid : 0;
	al->silent = ev.sigev_notify == SIGEV_NONE;
	al->info.signo = ev.sigev_signo;
	al->info.code = SI_TIMER;
	al->info.value = (uint64_t)ev.sigev_value.sival_ptr;
	err = add(al, !a->arg[1]);
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

static int store_itimerspec(uaddr_t ua, const struct setting *s)
{
	if (linux_store_timespec(ua, s->interval_ns))
		return -EFAULT;
	return linux_store_timespec(ua + sizeof(struct __kernel_timespec), s->value_ns);
}

static int load_itimerspec(uaddr_t ua, struct setting *s)
{
	int err = linux_load_timespec(ua, &s->interval_ns);

	return err ? err : linux_load_timespec(ua + sizeof(struct __kernel_timespec), &s->value_ns);
}

long sys_timer_settime(const struct sysargs *a)
{
	bool absolute = sysarg_int(a, 1) & TIMER_ABSTIME;
	struct setting fresh, old = { 0 };
	struct alarm *al;
	int err = load_itimerspec(a->arg[2], &fresh);

	if (err)
		return err;
	fs_mutex_lock(&timers.mutex);
	al = find_locked(sysarg_int(a, 0));
	if (al) {
		timer_cancel(&al->timer); /* (1) */
		old = get_setting(al);
		if (absolute && fresh.value_ns && al->kind == CLOCK_KIND_REAL)
			fresh.value_ns = MAX(linux_deadline_at(fresh.value_ns, true), 1ul);
		put_setting(al, &fresh, absolute);
	}
	fs_mutex_unlock(&timers.mutex);
	if (!al)
		return -EINVAL;
	return a->arg[3] ? store_itimerspec(a->arg[3], &old) : 0;
}

long sys_timer_gettime(const struct sysargs *a)
{
	struct setting s = { 0 };
	struct alarm *al;

	fs_mutex_lock(&timers.mutex);
	al = find_locked(sysarg_int(a, 0));
	if (al) {
		timer_cancel(&al->timer); /* (1) */
		s = get_setting(al);
		resume(al);
	}
	fs_mutex_unlock(&timers.mutex);
	return al ? store_itimerspec(a->arg[1], &s) : -EINVAL;
}

long sys_timer_getoverrun(const struct sysargs *a)
{
	struct alarm *al;
	long result = -EINVAL;

	fs_mutex_lock(&timers.mutex);
	al = find_locked(sysarg_int(a, 0));
	if (al)
		result = al->overrun;
	fs_mutex_unlock(&timers.mutex);
	return result;
}

/* ------------------------------------------------------------------ setitimer and its kin */
static struct setting change_itimer(struct alarm *al, const struct setting *fresh)
{
	struct setting old;

	fs_mutex_lock(&timers.mutex);
	timer_cancel(&al->timer); /* (1) */
	old = get_setting(al);
	if (fresh)
		put_setting(al, fresh, false);
	else
		resume(al);
	fs_mutex_unlock(&timers.mutex);
	return old;
}

static int store_itimerval(uaddr_t ua, const struct setting *s)
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
	struct setting s;

	if (which >= ARRAY_LEN(timers.itimers))
		return -EINVAL;
	s = change_itimer(&timers.itimers[which], NULL);
	return store_itimerval(a->arg[1], &s);
}

long sys_setitimer(const struct sysargs *a)
{
	uint32_t which = (uint32_t)a->arg[0];
	struct setting fresh = { 0 }, old;
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
	old = change_itimer(&timers.itimers[which], &fresh);
	return a->arg[2] ? store_itimerval(a->arg[2], &old) : 0;
}

long sys_alarm(const struct sysargs *a)
{
	struct setting fresh = { .value_ns = (uint64_t)(uint32_t)a->arg[0] * NS_PER_S };
	struct setting old = change_itimer(&timers.itimers[ITIMER_REAL], &fresh);

	return (long)((old.value_ns + NS_PER_S - 1) / NS_PER_S); /* 0 would say that none was set */
}
