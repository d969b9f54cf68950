/*
 * limits.c: limits of the process.
 *
 * What:       a table of soft and hard limits. The one of descriptors is the descriptor table's,
 *             those of threads and locked memory are asked when there is more of them, others are
 *             told to who enforces them; some limit what is not there (core dumps, priorities,
 *             message queues).
 * Invariants: (1) changes and what follows from them are made one at a time.
 * Locking:    limits.changing (sleeps), then limits.lock, LOCK_FS; LOCK_FDTABLE inside.
 * Failure:    -EPERM: a hard limit raised without CAP_SYS_RESOURCE. -EINVAL.
 * Source:     getrlimit(2); Linux kernel/sys.c for the order of errors.
 */
#include <linux/capability.h>
#include <linux/resource.h>

#include "abi/linux/limits_priv.h"
#include "abi/linux/sysargs.h"
#include "abi/linux/thread_priv.h"
#include "base/assert.h"
#include "base/units.h"
#include "fs/fdtable.h"
#include "fs/mutex.h"
#include "fs/size_limit.h"
#include "kernel/cred.h"
#include "kernel/mm/vm.h"
#include "kernel/process.h"
#include "kernel/sched/thread.h"
#include "kernel/signal/signal.h"
#include "kernel/sync/spinlock.h"
#include "lib/fmt.h"
#include "lib/string.h"

#define NONE UINT64_MAX
#define ANY \
	{ \
		NONE, NONE \
	}

static struct {
	struct fs_mutex changing; /* (1) */
	struct spinlock lock;
	struct rlimit64 table[RLIM_NLIMITS]; /* [lock] without RLIMIT_NOFILE's */
} limits = {
	.changing = {
		.lock = SPINLOCK_INIT(LOCK_FS),
		.waiters = { TAILQ_HEAD_INITIALIZER(limits.changing.waiters.waiters) },
	},
	.lock = SPINLOCK_INIT(LOCK_FS),
	.table = {
		[RLIMIT_CPU] = ANY,
		[RLIMIT_FSIZE] = ANY,
		[RLIMIT_DATA] = ANY,
		[RLIMIT_STACK] = { VM_STACK_MAX_BYTES, NONE },
		[RLIMIT_CORE] = { 0, NONE },
		[RLIMIT_RSS] = ANY,
		[RLIMIT_NPROC] = ANY,
		[RLIMIT_MEMLOCK] = ANY,
		[RLIMIT_AS] = ANY,
		[RLIMIT_LOCKS] = ANY,
		[RLIMIT_SIGPENDING] = { SIGNALS_QUEUED_MAX, SIGNALS_QUEUED_MAX },
		[RLIMIT_MSGQUEUE] = ANY,
		[RLIMIT_NICE] = { 0, 0 },
		[RLIMIT_RTPRIO] = { 0, 0 },
		[RLIMIT_RTTIME] = ANY,
	},
};

/* What nobody may have more of here. */
static uint64_t most(uint32_t resource)
{
	switch (resource) {
	case RLIMIT_NOFILE:
		return FDTABLE_LIMIT;
	case RLIMIT_SIGPENDING:
		return SIGNALS_QUEUED_MAX;
	default:
		return NONE;
	}
}

static struct rlimit64 get_locked(uint32_t resource)
{
	lock_assert_held(&limits.lock);
	if (resource == RLIMIT_NOFILE)
		return (struct rlimit64){ fdtable_limits().soft, fdtable_limits().hard };
	return limits.table[resource];
}

static int set_locked(uint32_t resource, const struct rlimit64 *fresh)
{
	struct rlimit64 now = get_locked(resource);

	if (fresh->rlim_cur > fresh->rlim_max)
		return -EINVAL;
	if (fresh->rlim_max > most(resource))
		return -EPERM;
	if (fresh->rlim_max > now.rlim_max && !cred_can(CAP_SYS_RESOURCE))
		return -EPERM;
	if (resource == RLIMIT_NOFILE)
		fdtable_set_limits((struct fdtable_limits){
			.soft = (uint32_t)fresh->rlim_cur, .hard = (uint32_t)fresh->rlim_max });
	else
		limits.table[resource] = *fresh;
	return 0;
}

/* fresh NULL: only asked. */
static int exchange(uint32_t resource, const struct rlimit64 *fresh, struct rlimit64 *old)
{
	int err;

	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	spin_lock(&limits.lock);
	*old = get_locked(resource);
	err = fresh ? set_locked(resource, fresh) : 0;
	spin_unlock(&limits.lock);
	return err;
}

uint64_t linux_soft_limit(uint32_t resource)
{
	struct rlimit64 r = { 0 };
	int err = exchange(resource, NULL, &r);

	return NEVER(err) ? 0 : r.rlim_cur;
}

/* Tells those who enforce it. */
static void apply(uint32_t resource, const struct rlimit64 *r)
{
	switch (resource) {
	case RLIMIT_FSIZE:
		atomic_store_explicit(&size_limit_bytes, r->rlim_cur, memory_order_relaxed);
		break;
	case RLIMIT_SIGPENDING:
		signal_set_queue_limit((uint32_t)r->rlim_cur);
		break;
	case RLIMIT_CPU:
		linux_set_cpu_limits(r->rlim_cur, r->rlim_max);
		break;
	case RLIMIT_AS:
	case RLIMIT_DATA:
		vm_set_limits(linux_soft_limit(RLIMIT_AS), linux_soft_limit(RLIMIT_DATA));
		break;
	case RLIMIT_STACK:
		vm_set_stack_limit(r->rlim_cur);
		break;
	default:
		break;
	}
}

void linux_raise_cpu_limit(uint64_t from_s, uint64_t to_s)
{
	struct rlimit64 *r = &limits.table[RLIMIT_CPU];

	spin_lock(&limits.lock);
	if (r->rlim_cur == from_s)
		r->rlim_cur = to_s;
	spin_unlock(&limits.lock);
}

static int change(uint32_t resource, const struct rlimit64 *fresh, struct rlimit64 *old)
{
	int err;

	fs_mutex_lock(&limits.changing); /* (1) */
	err = exchange(resource, fresh, old);
	if (!err)
		apply(resource, fresh);
	fs_mutex_unlock(&limits.changing);
	return err;
}

/* ------------------------------------------------------------------ /proc/self/limits */
static void print_limit(char text[24], uint64_t value)
{
	if (value == NONE)
		strlcpy(text, "unlimited", 24);
	else
		fmt_snprintf(text, 24, "%lu", value);
}

void linux_make_limits(struct proc_text *t)
{
	static const struct {
		uint32_t resource;
		const char *name, *units;
	} rows[] = { { RLIMIT_CPU, "Max cpu time", "seconds" },
		{ RLIMIT_FSIZE, "Max file size", "bytes" },
		{ RLIMIT_DATA, "Max data size", "bytes" },
		{ RLIMIT_STACK, "Max stack size", "bytes" },
		{ RLIMIT_CORE, "Max core file size", "bytes" },
		{ RLIMIT_RSS, "Max resident set", "bytes" },
		{ RLIMIT_NPROC, "Max processes", "processes" },
		{ RLIMIT_NOFILE, "Max open files", "files" },
		{ RLIMIT_MEMLOCK, "Max locked memory", "bytes" },
		{ RLIMIT_AS, "Max address space", "bytes" },
		{ RLIMIT_LOCKS, "Max file locks", "locks" },
		{ RLIMIT_SIGPENDING, "Max pending signals", "signals" },
		{ RLIMIT_MSGQUEUE, "Max msgqueue size", "bytes" },
		{ RLIMIT_NICE, "Max nice priority", "" },
		{ RLIMIT_RTPRIO, "Max realtime priority", "" },
		{ RLIMIT_RTTIME, "Max realtime timeout", "us" } };
	char soft[24], hard[24];
	struct rlimit64 r;

	proc_print(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)exchange(rows[i].resource, NULL, &r);
		print_limit(soft, r.rlim_cur);
		print_limit(hard, r.rlim_max);
		proc_print(t, "%-25s %-20s %-20s ", rows[i].name, soft, hard);
		proc_print(t, rows[i].units[0] ? "%-10s\n" : "%s\n", rows[i].units);
	}
}

bool linux_may_add_thread(void)
{
	const struct cred *c = cred_current();

	if (!c->uid || cred_has(c, CAP_SYS_RESOURCE) || cred_has(c, CAP_SYS_ADMIN))
		return true;
	return thread_count() < linux_soft_limit(RLIMIT_NPROC);
}

long sys_getrlimit(const struct sysargs *a)
{
	struct rlimit64 r;
	int err = exchange((uint32_t)a->arg[0], NULL, &r);

	return err ? err : user_copy_out(a->arg[1], &r, sizeof(r));
}

long sys_setrlimit(const struct sysargs *a)
{
	struct rlimit64 r, old;

	if (user_copy_in(&r, a->arg[1], sizeof(r)))
		return -EFAULT;
	return change((uint32_t)a->arg[0], &r, &old);
}

long sys_prlimit64(const struct sysargs *a)
{
	uint32_t resource = (uint32_t)a->arg[1];
	int32_t pid = sysarg_int(a, 0);
	struct rlimit64 fresh, old;
	int err;

	if (a->arg[2] && user_copy_in(&fresh, a->arg[2], sizeof(fresh)))
		return -EFAULT;
	if (pid && pid != PROCESS_PID)
		return -ESRCH;
	err = a->arg[2] ? change(resource, &fresh, &old) : exchange(resource, NULL, &old);
	if (err)
		return err;
	return a->arg[3] ? user_copy_out(a->arg[3], &old, sizeof(old)) : 0;
}
