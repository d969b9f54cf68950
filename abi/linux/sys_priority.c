/*
 * sys_priority.c: how nice threads are, their I/O priorities, and the one scheduling policy.
 *
 * What:       niceness is a thread's own, as on Linux: setpriority of the process's number changes
 *             its first thread only, that of its group or user all of the program's threads.
 *             So is a priority of I/O, which is kept: files are in memory, nothing queues for them.
 * Invariants: (1) who lets threads go first keeps that right only with CAP_SYS_NICE or within
 *             RLIMIT_NICE. (2) no policy but SCHED_OTHER, and nobody is told that there is one.
 * Locking:    LOCK_THREADS inside thread_find; LOCK_SCHED within it.
 * Failure:    -ESRCH nobody is meant, -EPERM another user's thread, -EACCES (1), -EINVAL.
 * Source:     Linux kernel/sys.c (set_one_prio: which error wins), block/ioprio.c, getpriority(2),
 *             ioprio_set(2), sched(7).
 */
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/resource.h>
#include <linux/sched.h>

#include "abi/linux/limits_priv.h"
#include "abi/linux/sysargs.h"
#include "base/errno.h"
#include "kernel/process.h"
#include "kernel/sched/runq.h"
#include "kernel/sched/sched.h"

/* Linux's form of a niceness where negative numbers are errors: 40 to 1. */
#define RANK_OF(nice) (RUNQ_NICE_MAX + 1 - (nice))

#define IO_LEVEL_MASK 7u /* of a priority of I/O; between it and the class are hints */

struct request {
	int32_t which;
	uint32_t who; /* 0 has become a number */
	int32_t nice; /* set: to this … */
	uint16_t io_priority; /* … or this; or what the best one has */
	uint64_t limit; /* … by who may have this rank (RLIMIT_NICE) */
	long result;
};

static bool is_meant(const struct thread *t, const struct request *r)
{
	if (t->arch.fpu == NULL)
		return false; /* the kernel's own */
	switch (r->which) {
	case PRIO_PROCESS:
		return (uint32_t)t->tid == r->who;
	case PRIO_PGRP:
		return r->who == PROCESS_PID;
	default:
		return t->cred.uid == r->who;
	}
}

static int decode(const struct sysargs *a, struct request *r)
{
	r->which = sysarg_int(a, 0);
	r->who = (uint32_t)sysarg_int(a, 1);
	r->result = -ESRCH;
	if (r->which < PRIO_PROCESS || r->which > PRIO_USER)
		return -EINVAL;
	if (r->who != 0)
		return 0;
	if (r->which == PRIO_PROCESS)
		r->who = (uint32_t)thread_current()->tid;
	else
		r->who = r->which == PRIO_PGRP ? PROCESS_PID : cred_current()->uid;
	return 0;
}

static bool get_one(struct thread *t, void *arg)
{
	struct request *r = arg;

	if (is_meant(t, r))
		r->result = MAX(r->result, RANK_OF(t->nice));
	return false;
}

long sys_getpriority(const struct sysargs *a)
{
	struct request r;
	int error = decode(a, &r);

	if (error == 0)
		(void)thread_find(get_one, &r);
	return error != 0 ? error : r.result;
}

static int may_set(const struct thread *t, const struct request *r)
{
	const struct cred *own = cred_current();

	if (cred_can(CAP_SYS_NICE))
		return 0;
	if (t->cred.uid != own->euid && t->cred.euid != own->euid)
		return -EPERM;
	/* (1) */
	return r->nice >= t->nice || (uint64_t)RANK_OF(r->nice) <= r->limit ? 0 : -EACCES;
}

/* Of several errors the last one is told; success only when there was none. */
static bool set_one(struct thread *t, void *arg)
{
	struct request *r = arg;
	int error;

	if (!is_meant(t, r))
		return false;
	error = may_set(t, r);
	if (error == 0)
		sched_set_nice(t, r->nice);
	if (error != 0 || r->result == -ESRCH)
		r->result = error;
	return false;
}

long sys_setpriority(const struct sysargs *a)
{
	struct request r;
	int error = decode(a, &r);

	r.limit = linux_soft_limit(RLIMIT_NICE);
	r.nice = MIN(MAX(sysarg_int(a, 2), RUNQ_NICE_MIN), RUNQ_NICE_MAX);
	if (error == 0)
		(void)thread_find(set_one, &r);
	return error != 0 ? error : r.result;
}

/* ------------------------------------------------------------------ I/O */
/* What a thread has that was never given one, or gave it back: by its niceness. */
static uint16_t acting_io_priority(const struct thread *t)
{
	if (IOPRIO_PRIO_CLASS(t->io_priority) != IOPRIO_CLASS_NONE)
		return t->io_priority;
	return (uint16_t)(IOPRIO_CLASS_BE << IOPRIO_CLASS_SHIFT | (t->nice - RUNQ_NICE_MIN) / 5);
}

/* IOPRIO_WHO_PROCESS is PRIO_PROCESS + 1, and so on. */
static int decode_io(const struct sysargs *a, struct request *r)
{
	struct sysargs b = *a;

	b.arg[0] = (uint32_t)(sysarg_int(a, 0) - (IOPRIO_WHO_PROCESS - PRIO_PROCESS));
	return decode(&b, r);
}

/* The lower the number the better. Of one thread, what it was given. */
static bool get_one_io(struct thread *t, void *arg)
{
	struct request *r = arg;
	uint16_t priority = r->which == PRIO_PROCESS ? t->io_priority : acting_io_priority(t);

	if (is_meant(t, r))
		r->result = r->result < 0 ? priority : MIN(r->result, priority);
	return false;
}

long sys_ioprio_get(const struct sysargs *a)
{
	struct request r;
	int error = decode_io(a, &r);

	if (error == 0)
		(void)thread_find(get_one_io, &r);
	return error != 0 ? error : r.result;
}

static int may_have_io_priority(uint16_t priority)
{
	switch (IOPRIO_PRIO_CLASS(priority)) {
	case IOPRIO_CLASS_RT:
		return cred_can(CAP_SYS_ADMIN) || cred_can(CAP_SYS_NICE) ? 0 : -EPERM;
	case IOPRIO_CLASS_BE:
	case IOPRIO_CLASS_IDLE:
		return 0;
	case IOPRIO_CLASS_NONE:
		return (priority & IO_LEVEL_MASK) == 0 ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static bool set_one_io(struct thread *t, void *arg)
{
	const struct cred *own = cred_current();
	struct request *r = arg;

	if (!is_meant(t, r))
		return false;
	r->result = 0;
	if (t->cred.uid != own->euid && t->cred.uid != own->uid && !cred_can(CAP_SYS_NICE))
		r->result = -EPERM;
	else
		t->io_priority = r->io_priority;
	return r->result != 0;
}

long sys_ioprio_set(const struct sysargs *a)
{
	struct request r;
	int error;

	r.io_priority = (uint16_t)a->arg[2];
	error = may_have_io_priority(r.io_priority);
	if (error == 0)
		error = decode_io(a, &r);
	if (error == 0)
		(void)thread_find(set_one_io, &r);
	return error != 0 ? error : r.result;
}

/* ------------------------------------------------------------------ policies: (2) */
long sys_sched_getscheduler(const struct sysargs *a)
{
	return sysarg_int(a, 0) < 0 ? -EINVAL : SCHED_NORMAL;
}

long sys_sched_getparam(const struct sysargs *a)
{
	if (sysarg_int(a, 0) < 0 || !a->arg[1])
		return -EINVAL;
	return user_store_u32(a->arg[1], 0);
}

long sys_sched_setscheduler(const struct sysargs *a)
{
	uint32_t priority;

	if (sysarg_int(a, 0) < 0 || !a->arg[2])
		return -EINVAL;
	if (user_load_u32(&priority, a->arg[2]))
		return -EFAULT;
	if (sysarg_int(a, 1) != SCHED_NORMAL)
		return -EPERM;
	return priority ? -EINVAL : 0;
}

static bool is_realtime(int32_t policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static bool is_policy(int32_t policy)
{
	return policy >= SCHED_NORMAL && policy <= SCHED_DEADLINE && policy != 4;
}

long sys_sched_get_priority_max(const struct sysargs *a)
{
	if (!is_policy(sysarg_int(a, 0)))
		return -EINVAL;
	return is_realtime(sysarg_int(a, 0)) ? 99 : 0;
}

long sys_sched_get_priority_min(const struct sysargs *a)
{
	if (!is_policy(sysarg_int(a, 0)))
		return -EINVAL;
	return is_realtime(sysarg_int(a, 0)) ? 1 : 0;
}
