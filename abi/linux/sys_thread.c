/*
 * sys_thread.c: system calls on threads: made, ended, placed.
 *
 * What:       clone makes threads of the one process, exactly in the form that Go and C libraries
 *             use; another process cannot be made.
 * Invariants: (1) exit touches no program memory but clear_tid_ua and a robust list: Go has freed
 *             the stack. (2) a thread that is going blocks all signals first, so that none is
 *             offered to it any more.
 * Locking:    none held; LOCK_THREADS inside thread_find.
 * Failure:    -ENOSYS for a new process: os/exec reports it cleanly.
 * Source:     clone(2), sched_setaffinity(2), arch_prctl(2); Go runtime/os_linux.go.
 */
#include <asm/prctl.h>
#include <linux/sched.h>

#include "abi/linux/sysargs.h"
#include "abi/linux/thread_priv.h"
#include "base/units.h"
#include "kernel/process.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"

#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
/* What else may be asked for; the last three change nothing here: one IPC namespace without undo
 * lists, no tracer. */
#define THREAD_OPTIONS \
	(CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | \
		CLONE_SYSVSEM | CLONE_DETACHED | CLONE_UNTRACED)

#define FS_END (ARCH_USER_END - PAGE_SIZE) /* Linux's TASK_SIZE */

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

	if (((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND)) ||
		((flags & CLONE_SIGHAND) && !(flags & CLONE_VM)))
		return -EINVAL;
	if (!(flags & CLONE_THREAD))
		return -ENOSYS; /* a new process */
	if ((flags & THREAD_FLAGS) != THREAD_FLAGS || (flags & ~(THREAD_FLAGS | THREAD_OPTIONS)))
		return -EINVAL;
	if (start.fs_base >= FS_END)
		return -EPERM;
	if (!linux_may_add_thread())
		return -EAGAIN;
	err = thread_clone(&start, &tid);
	return err ? err : tid;
}

long sys_exit(const struct sysargs *a)
{
	signal_set_mask(UINT64_MAX); /* (2) */
	linux_robust_exit(thread_current());
	thread_exit(sysarg_int(a, 0));
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
		if (a->arg[1] >= FS_END)
			return -EPERM;
		arch_set_fs_base(&t->arch, a->arg[1]);
		return 0;
	case ARCH_GET_FS:
		return user_store_u64(a->arg[1], t->arch.fs_base);
	default: /* GS is the kernel's */
		return -EINVAL;
	}
}
