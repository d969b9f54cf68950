/*
 * sys_mlock.c: memory that stays: mlock and its kin.
 *
 * What:       pages never leave memory here, so locking is filling; it also forbids to discard.
 *             Who lacks CAP_IPC_LOCK may have RLIMIT_MEMLOCK of it.
 * Invariants: (1) the limit is held against what is locked when the call begins: two threads at
 *             once may go beyond it. CAVEAT: so may a locked stack that grows.
 * Locking:    none here; vm.lock inside.
 * Failure:    -ENOMEM: a hole, no memory, or (1); -EPERM: nothing may be locked.
 * Source:     mlock(2), getrlimit(2); Linux mm/mlock.c for the order of errors.
 */
#include <linux/capability.h>
#include <linux/mman.h>
#include <linux/resource.h>

#include "abi/linux/limits_priv.h"
#include "abi/linux/sysargs.h"
#include "base/units.h"
#include "kernel/cred.h"
#include "kernel/mm/vm.h"

/* What is locked outside of a range. */
struct locked_sum {
	uint64_t start, end, bytes;
};

static int add_locked(const struct vm_region *r, void *arg)
{
	struct locked_sum *s = arg;
	uint64_t start = MAX(r->start, s->start), end = MIN(r->end, s->end);

	if (r->flags & VM_LOCKED)
		s->bytes += r->end - r->start - (start < end ? end - start : 0);
	return 0;
}

static bool may_lock(uint64_t limit_bytes)
{
	return limit_bytes != 0 || cred_can(CAP_IPC_LOCK);
}

/* Whether [start, start + bytes) may be locked, too. */
static bool is_within(uint64_t start, uint64_t bytes, uint64_t limit_bytes)
{
	struct locked_sum s = { .start = start, .end = start + bytes };

	if (limit_bytes == UINT64_MAX || cred_can(CAP_IPC_LOCK))
		return true;
	vm_each(add_locked, &s);
	return s.bytes <= limit_bytes && bytes <= limit_bytes - s.bytes;
}

int linux_may_grow_locked(uint64_t bytes)
{
	uint64_t limit_bytes = linux_soft_limit(RLIMIT_MEMLOCK);

	return bytes > ARCH_USER_END || is_within(0, ROUND_UP(bytes, PAGE_SIZE), limit_bytes)
		? 0
		: -EAGAIN;
}

int linux_may_map_locked(uint64_t bytes)
{
	return may_lock(linux_soft_limit(RLIMIT_MEMLOCK)) ? linux_may_grow_locked(bytes) : -EPERM;
}

/* The pages of a range; -errno: it cannot be one. */
static int find_pages(const struct sysargs *a, uint64_t *start, uint64_t *bytes)
{
	uint64_t addr = a->arg[0];

	*start = ROUND_DOWN(addr, PAGE_SIZE);
	*bytes = a->arg[1];
	if (*bytes > ROUND_DOWN(-addr - 1, PAGE_SIZE)) {
		*bytes = 0;
		return a->arg[1] ? -EINVAL : 0;
	}
	if (!user_can_be(addr, *bytes))
		return -ENOMEM;
	*bytes = ROUND_UP(addr + *bytes, PAGE_SIZE) - *start;
	return 0;
}

static long lock(const struct sysargs *a, bool fill)
{
	uint64_t start, bytes, limit_bytes = linux_soft_limit(RLIMIT_MEMLOCK);
	int err;

	if (!may_lock(limit_bytes))
		return -EPERM;
	err = find_pages(a, &start, &bytes);
	if (err)
		return err;
	if (!is_within(start, bytes, limit_bytes)) /* (1) */
		return -ENOMEM;
	err = vm_advise(start, bytes, VM_LOCKED, 0);
	if (!err && fill && bytes) /* a range that may not be read stays empty */
		err = vm_populate(start, bytes, false);
	return err ? -ENOMEM : 0;
}

long sys_mlock(const struct sysargs *a)
{
	return lock(a, true);
}

long sys_mlock2(const struct sysargs *a)
{
	uint64_t flags = a->arg[2];

	if (flags & ~(uint64_t)MLOCK_ONFAULT)
		return -EINVAL;
	return lock(a, !(flags & MLOCK_ONFAULT));
}

long sys_munlock(const struct sysargs *a)
{
	uint64_t start, bytes;
	int err = find_pages(a, &start, &bytes);

	if (err)
		return err;
	return vm_advise(start, bytes, 0, VM_LOCKED) ? -ENOMEM : 0;
}

/* Holes are everywhere, and no error here. */
static int lock_all(bool lock)
{
	int err = vm_advise(0, ARCH_USER_END, lock ? VM_LOCKED : 0, lock ? 0 : VM_LOCKED);

	return err == -ENOMEM ? 0 : err;
}

/* Of all that is mapped, be it filled or not. */
static bool is_all_within(void)
{
	uint64_t limit_bytes = linux_soft_limit(RLIMIT_MEMLOCK);
	struct vm_stats s;

	vm_get_stats(&s);
	return s.reserved_bytes <= limit_bytes || cred_can(CAP_IPC_LOCK);
}

long sys_mlockall(const struct sysargs *a)
{
	uint64_t flags = a->arg[0];
	bool fill = !(flags & MCL_ONFAULT);
	int err = 0;

	if (flags == 0 || flags & ~(uint64_t)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) ||
		flags == MCL_ONFAULT)
		return -EINVAL;
	if (!may_lock(linux_soft_limit(RLIMIT_MEMLOCK)))
		return -EPERM;
	if (flags & MCL_CURRENT && !is_all_within())
		return -ENOMEM;
	vm_set_future(flags & MCL_FUTURE ? VM_LOCKED : 0, flags & MCL_FUTURE && fill);
	if (flags & MCL_CURRENT)
		err = lock_all(true);
	if (!err && flags & MCL_CURRENT && fill)
		vm_fill(0, ARCH_USER_END);
	return err;
}

long sys_munlockall(const struct sysargs *a)
{
	(void)a;
	vm_set_future(0, false);
	return lock_all(false);
}
