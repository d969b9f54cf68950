/*
 * sys_fs_attr.c: calls that change a file's attributes: mode, owner, times; and access.
 *
 * What:       find the node, by path or descriptor, then fs/inode.h.
 * Invariants: none; no state.
 * Locking:    none held; may sleep.
 * Failure:    -errno of the manual pages.
 * Source:     chmod(2) chown(2) utimensat(2) access(2).
 */
#include <asm/posix_types.h>
#include <linux/fcntl.h>
#include <linux/securebits.h>
#include <linux/time_types.h>

#include "abi/linux/fsargs.h"
#include "abi/linux/sysargs.h"
#include "base/assert.h"
#include "base/units.h"
#include "fs/data.h"
#include "fs/perm.h"
#include "kernel/cred.h"

/* Neither is in the published headers (Linux: include/linux/stat.h). */
#define LINUX_UTIME_NOW 0x3fffffffl
#define LINUX_UTIME_OMIT 0x3ffffffel
#define SECOND_NS 1000000000l

/* ------------------------------------------------------------------ mode */

static int change_mode(struct inode *i, uint32_t mode)
{
	int r = perm_check_mode(i, &mode);

	if (r == 0 && inode_is_regular(i) && i->data.seals & F_SEAL_EXEC && (mode ^ i->mode) & 0111)
		r = -EPERM;
	if (r == 0)
		inode_set_mode(i, mode);
	return r;
}

static long set_mode(int dirfd, uaddr_t path_ua, uint32_t mode, uint32_t at_flags)
{
	bool follow = !(at_flags & AT_SYMLINK_NOFOLLOW);
	struct inode *i;
	int r = fsargs_inode_get(dirfd, path_ua, at_flags, follow, &i);

	if (r < 0)
		return r;
	r = inode_is_link(i) ? -EOPNOTSUPP : change_mode(i, mode);
	inode_put(i);
	return r;
}

long sys_chmod(const struct sysargs *a)
{
	return set_mode(AT_FDCWD, a->arg[0], (uint32_t)a->arg[1], 0);
}

long sys_fchmodat(const struct sysargs *a)
{
	return set_mode(sysarg_int(a, 0), a->arg[1], (uint32_t)a->arg[2], 0);
}

long sys_fchmodat2(const struct sysargs *a)
{
	uint32_t flags = (uint32_t)a->arg[3];

	if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return set_mode(sysarg_int(a, 0), a->arg[1], (uint32_t)a->arg[2], flags);
}

long sys_fchmod(const struct sysargs *a)
{
	struct inode *i;
	int r = fsargs_fd_inode_get(sysarg_int(a, 0), -EINVAL, &i);

	if (r < 0)
		return r;
	r = change_mode(i, (uint32_t)a->arg[1]);
	inode_put(i);
	return r;
}

/* ------------------------------------------------------------------ owner */

static int change_owner(struct inode *i, uint32_t uid, uint32_t gid)
{
	int r = perm_check_owner(i, uid, gid);

	if (r == 0)
		inode_set_owner(i, uid, gid);
	return r;
}

static long set_owner(int dirfd, uaddr_t path_ua, uint64_t uid, uint64_t gid, uint32_t at_flags)
{
	bool follow = !(at_flags & AT_SYMLINK_NOFOLLOW);
	struct inode *i;
	int r = fsargs_inode_get(dirfd, path_ua, at_flags, follow, &i);

	if (r < 0)
		return r;
	r = change_owner(i, (uint32_t)uid, (uint32_t)gid);
	inode_put(i);
	return r;
}

long sys_chown(const struct sysargs *a)
{
	return set_owner(AT_FDCWD, a->arg[0], a->arg[1], a->arg[2], 0);
}

long sys_lchown(const struct sysargs *a)
{
	return set_owner(AT_FDCWD, a->arg[0], a->arg[1], a->arg[2], AT_SYMLINK_NOFOLLOW);
}

long sys_fchownat(const struct sysargs *a)
{
	uint32_t flags = (uint32_t)a->arg[4];

	if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return set_owner(sysarg_int(a, 0), a->arg[1], a->arg[2], a->arg[3], flags);
}

long sys_fchown(const struct sysargs *a)
{
	struct inode *i;
	int r = fsargs_fd_inode_get(sysarg_int(a, 0), -EINVAL, &i);

	if (r < 0)
		return r;
	r = change_owner(i, (uint32_t)a->arg[1], (uint32_t)a->arg[2]);
	inode_put(i);
	return r;
}

/* ------------------------------------------------------------------ times */

static int decode_time(const struct __kernel_timespec *ts, int64_t *ns)
{
	if (ts->tv_nsec == LINUX_UTIME_OMIT)
		*ns = INT64_MIN;
	else if (ts->tv_nsec == LINUX_UTIME_NOW)
		*ns = vfs_now_ns();
	else if (ts->tv_nsec < 0 || ts->tv_nsec >= SECOND_NS)
		return -EINVAL;
	else if (__builtin_mul_overflow(ts->tv_sec, SECOND_NS, ns) ||
		__builtin_add_overflow(*ns, ts->tv_nsec, ns))
		*ns = ts->tv_sec < 0 ? INT64_MIN + 1 : INT64_MAX; /* 1677 … 2262 is what is kept */
	return 0;
}

struct times {
	int64_t atime_ns, mtime_ns; /* INT64_MIN: as it is */
	bool now; /* both are the present: who may write may say so */
};

static int get_times(uaddr_t ua, struct times *t)
{
	struct __kernel_timespec ts[2];
	int r;

	*t = (struct times){ .now = true };
	if (!ua) {
		t->atime_ns = t->mtime_ns = vfs_now_ns();
		return 0;
	}
	if (user_copy_in(ts, ua, sizeof(ts)) < 0)
		return -EFAULT;
	t->now = ts[0].tv_nsec == LINUX_UTIME_NOW && ts[1].tv_nsec == LINUX_UTIME_NOW;
	r = decode_time(&ts[0], &t->atime_ns);
	return r < 0 ? r : decode_time(&ts[1], &t->mtime_ns);
}

static int change_times(struct inode *i, const struct times *t)
{
	if (t->atime_ns == INT64_MIN && t->mtime_ns == INT64_MIN)
		return 0;
	if (!perm_is_owner(i)) {
		int r = t->now ? perm_check(i, PERM_WRITE) : -EPERM;

		if (r < 0)
			return r;
	}
	inode_set_times(i, t->atime_ns, t->mtime_ns);
	return 0;
}

long sys_utimensat(const struct sysargs *a)
{
	uint32_t flags = (uint32_t)a->arg[3];
	struct times t;
	struct inode *i;
	int r;

	if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	r = get_times(a->arg[2], &t);
	if (r < 0)
		return r;
	if (a->arg[1] || sysarg_int(a, 0) == AT_FDCWD)
		r = fsargs_inode_get(sysarg_int(a, 0), a->arg[1], flags,
			!(flags & AT_SYMLINK_NOFOLLOW), &i);
	else
		r = flags ? -EINVAL : fsargs_fd_inode_get(sysarg_int(a, 0), -EINVAL, &i);
	if (r < 0)
		return r;
	r = change_times(i, &t);
	inode_put(i);
	return r;
}

/* ------------------------------------------------------------------ access */

STATIC_ASSERT(PERM_EXEC == 1 && PERM_WRITE == 2 && PERM_READ == 4, "X_OK, W_OK, R_OK");

/* access(2) asks for the real user, who is not the one that runs a set-user program. */
static void act_as_real(struct cred *old)
{
	struct cred real = *cred_current();

	*old = real;
	real.fsuid = real.uid;
	real.fsgid = real.gid;
	if (!(real.securebits & SECBIT_NO_SETUID_FIXUP))
		real.effective = real.uid == 0 ? real.permitted : 0;
	cred_set(&real);
}

static long check_access(int dirfd, uaddr_t path_ua, uint32_t mode, uint32_t at_flags)
{
	bool as_real = !(at_flags & AT_EACCESS);
	struct cred old;
	struct inode *i;
	int r;

	if (mode & ~7u || at_flags & ~(uint32_t)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (as_real)
		act_as_real(&old);
	r = fsargs_inode_get(dirfd, path_ua, at_flags, !(at_flags & AT_SYMLINK_NOFOLLOW), &i);
	if (r == 0) {
		r = mode ? perm_check(i, mode) : 0;
		inode_put(i);
	}
	if (as_real)
		cred_set(&old);
	return r;
}

long sys_access(const struct sysargs *a)
{
	return check_access(AT_FDCWD, a->arg[0], (uint32_t)a->arg[1], 0);
}

long sys_faccessat(const struct sysargs *a)
{
	return check_access(sysarg_int(a, 0), a->arg[1], (uint32_t)a->arg[2], 0);
}

long sys_faccessat2(const struct sysargs *a)
{
	return check_access(sysarg_int(a, 0), a->arg[1], (uint32_t)a->arg[2], (uint32_t)a->arg[3]);
}
