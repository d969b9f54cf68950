/*
 * sys_thread.c: system calls on threads: made, ended, placed, waiting.
 *
 * What:       clone makes threads of the one process, exactly in the form that Go and C libraries
 *             use; another process cannot be made.
 * Invariants: (1) exit touches no program memory but clear_tid_ua: Go has freed the stack. (2) a
 *             thread that is going blocks all signals first, so that none is offered to it any
 *             more.
 * Locking:    none held; LOCK_THREADS inside thread_find.
 * Failure:    -ENOSYS for a new process: os/exec reports it cleanly.
 * Source:     clone(2), futex(2), sched_setaffinity(2), arch_prctl(2); Go runtime/os_linux.go.
 */
#include <asm/prctl.h>
#include <linux/futex.h>
#include <linux/sched.h>

#include "abi/linux/sysargs.h"
#include "abi/linux/time.h"
#include "base/units.h"
#include "kernel/process.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/sync/futex.h"

#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
/* What else may be asked for; the last three change nothing here: one IPC namespace without undo
 * lists, no tracer. */
#define THREAD_OPTIONS \
	(CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | \
		CLONE_SYSVSEM | CLONE_DETACHED | CLONE_UNTRACED)

long sys_clone(const struct sysargs *a)
{
	uint64_t flags = a->arg[0];
	struct thread_start start = {
		.stack_ua = a->arg[1],
		.fs_base = flags & CLONE_SETTLS ? a->arg[4] : 0,
		.frame = a->frame,
		.parent_tid_ua = flags & CLONE_PARENT_SETTID ? a->arg[2] : 0,
		.child_tid_ua = flags & CLONE_CHILD_SETTID ? a->arg[3] : 0,
		.clear_tid_ua = flags & CLONE_CHILD_CLEARTID ? a->arg[3] : 0,
	};
	int32_t tid;
	int err;

	if (!(flags & CLONE_THREAD))
		return -ENOSYS; /* a new process */
	if ((flags & THREAD_FLAGS) != THREAD_FLAGS || (flags & ~(THREAD_FLAGS | THREAD_OPTIONS)))
		return -EINVAL;
	if (start.fs_base >= ARCH_USER_END)
		return -EPERM;
	err = thread_clone(&start, &tid);
	return err ? err : tid;
}

long sys_exit(const struct sysargs *a unused_arg)
{
	signal_set_mask(UINT64_MAX); /* (2) */
	thread_exit();
}

long sys_exit_group(const struct sysargs *a)
{
	process_exit(sysarg_int(a, 0) & 0xff);
}

long sys_gettid(const struct sysargs *a unused_arg)
{
	return thread_current()->tid;
}

long sys_set_tid_address(const struct sysargs *a)
{
	struct thread *t = thread_current();

	t->clear_tid_ua = a->arg[0];
	return t->tid;
}

long sys_sched_yield(const struct sysargs *a unused_arg)
{
	sched_yield_cpu();
	return 0;
}

/* ------------------------------------------------------------------ CPUs */
struct affinity_request {
	int32_t tid;
	bool set;
	uint64_t mask;
	int result;
};

static bool do_affinity(struct thread *t, void *arg)
{
	struct affinity_request *r = arg;

	if (t->tid != r->tid)
		return false;
	r->result = 0;
	if (r->set)
		r->result = sched_set_affinity(t, r->mask);
	else
		r->mask = t->affinity;
	return true;
}

static int affinity(struct affinity_request *r)
{
	r->result = -ESRCH;
	if (r->tid < 0)
		return -EINVAL;
	if (!r->tid)
		r->tid = thread_current()->tid;
	thread_find(do_affinity, r);
	return r->result;
}

static uint64_t online_cpus(void)
{
	return cpu_count >= 64 ? UINT64_MAX : (1ull << cpu_count) - 1;
}

long sys_sched_getaffinity(const struct sysargs *a)
{
	struct affinity_request r = { .tid = sysarg_int(a, 0) };
	uint32_t bytes = (uint32_t)a->arg[1];
	int err;

	if (bytes < sizeof(r.mask) || bytes % sizeof(r.mask))
		return -EINVAL;
	err = affinity(&r);
	if (err)
		return err;
	if (user_store_u64(a->arg[2], r.mask & online_cpus()))
		return -EFAULT;
	return sizeof(r.mask);
}

long sys_sched_setaffinity(const struct sysargs *a)
{
	struct affinity_request r = { .tid = sysarg_int(a, 0), .set = true };
	uint64_t bytes = MIN((uint64_t)(uint32_t)a->arg[1], sizeof(r.mask));

	if (user_copy_in(&r.mask, a->arg[2], bytes))
		return -EFAULT;
	return affinity(&r);
}

long sys_getcpu(const struct sysargs *a)
{
	if (a->arg[0] && user_store_u32(a->arg[0], this_cpu()->arch.id))
		return -EFAULT;
	if (a->arg[1] && user_store_u32(a->arg[1], 0)) /* one NUMA node */
		return -EFAULT;
	return 0;
}

long sys_arch_prctl(const struct sysargs *a)
{
	struct thread *t = thread_current();

	switch (sysarg_int(a, 0)) {
	case ARCH_SET_FS:
		if (a->arg[1] >= ARCH_USER_END)
			return -EPERM;
		arch_set_fs_base(&t->arch, a->arg[1]);
		return 0;
	case ARCH_GET_FS:
		return user_store_u64(a->arg[1], t->arch.fs_base);
	default: /* GS is the kernel's */
		return -EINVAL;
	}
}

/* ------------------------------------------------------------------ futex */

/* TIME_NEVER_NS without one. WAIT: relative; WAIT_BITSET: absolute. */
static int futex_deadline(uaddr_t ua, int operation, uint64_t *deadline_ns)
{
	uint64_t ns;
	int err;

	*deadline_ns = TIME_NEVER_NS;
	if (!ua)
		return 0;
	err = linux_load_timespec(ua, &ns);
	if (err)
		return err;
	if ((operation & FUTEX_CMD_MASK) == FUTEX_WAIT)
		*deadline_ns = linux_deadline_after(ns);
	else
		*deadline_ns = linux_deadline_at(ns, operation & FUTEX_CLOCK_REALTIME);
	return 0;
}

static long wait(const struct sysargs *a, uint32_t bitset)
{
	uint64_t deadline;
	int err = futex_deadline(a->arg[3], sysarg_int(a, 1), &deadline);

	if (err)
		return err;
	if (!bitset)
		return -EINVAL;
	err = futex_wait(a->arg[0], (uint32_t)a->arg[2], deadline, bitset);
	/* With a time limit a restart would begin it again: Linux, too, gives EINTR after a
	 * handler. */
	return err == -ERESTARTSYS && deadline != TIME_NEVER_NS ? -EINTR : err;
}

static long wake(const struct sysargs *a, uint32_t bitset)
{
	int32_t count = sysarg_int(a, 2);

	if (!bitset)
		return -EINVAL;
	/* Linux wakes one for 0, too. */
	return futex_wake(a->arg[0], count > 0 ? (uint32_t)count : 1, bitset);
}

static long requeue(const struct sysargs *a, bool check)
{
	int32_t wakes = sysarg_int(a, 2), moves = (int32_t)a->arg[3];

	if (wakes < 0 || moves < 0 || (a->arg[4] & 3))
		return -EINVAL;
	return futex_requeue(a->arg[0], (uint32_t)wakes, (uint32_t)moves, a->arg[4], check,
		(uint32_t)a->arg[5]);
}

long sys_futex(const struct sysargs *a)
{
	int operation = sysarg_int(a, 1);

	if (a->arg[0] & 3)
		return -EINVAL;
	if (a->arg[0] >= ARCH_USER_END)
		return -EFAULT;
	switch (operation & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
		return wait(a, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAIT_BITSET:
		return wait(a, (uint32_t)a->arg[5]);
	case FUTEX_WAKE:
		return wake(a, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return wake(a, (uint32_t)a->arg[5]);
	case FUTEX_REQUEUE:
		return requeue(a, false);
	case FUTEX_CMP_REQUEUE:
		return requeue(a, true);
	default: /* WAKE_OP, priority inheritance */
		return -ENOSYS;
	}
}
