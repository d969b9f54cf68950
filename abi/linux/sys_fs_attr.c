/*
 * sys_fs_attr.c: calls that change a file's attributes: mode, owner, times; and access.
 *
 * What:       find the node, by path or descriptor, then fs/inode.h.
 * Invariants: none; no state.
 * Locking:    none held; may sleep.
 * Failure:    -errno of the manual pages. The process is root: permission is never denied but for
 *             running what nobody may run.
 * Source:     chmod(2) chown(2) utimensat(2) access(2).
 */
#include <asm/posix_types.h>
#include <linux/fcntl.h>
#include <linux/time_types.h>

#include "abi/linux/fsargs.h"
#include "abi/linux/sysargs.h"
#include "base/units.h"
#include "fs/fdtable.h"

/* Neither is in the published headers (Linux: include/linux/stat.h). */
#define LINUX_UTIME_NOW 0x3fffffffl
#define LINUX_UTIME_OMIT 0x3ffffffel
#define SECOND_NS 1000000000l
#define X_OK 1u

static int get_fd_inode(int fd, struct inode **out)
{
	struct file *f;
	int r = fdtable_get(fd, &f);

	if (r < 0)
		return r;
	if (file_flags(f) & O_PATH) {
		r = -EBADF;
	} else if (!f->inode) {
		r = -EINVAL; /* pipes and sockets have no attributes to change here */
	} else {
		inode_get(f->inode);
		*out = f->inode;
	}
	file_put(f);
	return r;
}

/* ------------------------------------------------------------------ mode */

static long set_mode(int dirfd, uaddr_t path_ua, uint32_t mode, uint32_t at_flags)
{
	bool follow = !(at_flags & AT_SYMLINK_NOFOLLOW);
	struct inode *i;
	int r = fsargs_inode_get(dirfd, path_ua, at_flags, follow, &i);

	if (r < 0)
		return r;
	if (inode_is_link(i))
		r = -EOPNOTSUPP;
	else
		inode_set_mode(i, mode);
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
	int r = get_fd_inode(sysarg_int(a, 0), &i);

	if (r < 0)
		return r;
	inode_set_mode(i, (uint32_t)a->arg[1]);
	inode_put(i);
	return 0;
}

/* ------------------------------------------------------------------ owner */

static long set_owner(int dirfd, uaddr_t path_ua, uint64_t uid, uint64_t gid, uint32_t at_flags)
{
	bool follow = !(at_flags & AT_SYMLINK_NOFOLLOW);
	struct inode *i;
	int r = fsargs_inode_get(dirfd, path_ua, at_flags, follow, &i);

	if (r < 0)
		return r;
	inode_set_owner(i, (uint32_t)uid, (uint32_t)gid);
	inode_put(i);
	return 0;
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
	int r = get_fd_inode(sysarg_int(a, 0), &i);

	if (r < 0)
		return r;
	inode_set_owner(i, (uint32_t)a->arg[1], (uint32_t)a->arg[2]);
	inode_put(i);
	return 0;
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

static int get_times(uaddr_t ua, int64_t *atime_ns, int64_t *mtime_ns)
{
	struct __kernel_timespec ts[2];
	int r;

	if (!ua) {
		*atime_ns = *mtime_ns = vfs_now_ns();
		return 0;
	}
	if (user_copy_in(ts, ua, sizeof(ts)) < 0)
		return -EFAULT;
	r = decode_time(&ts[0], atime_ns);
	return r < 0 ? r : decode_time(&ts[1], mtime_ns);
}

long sys_utimensat(const struct sysargs *a)
{
	uint32_t flags = (uint32_t)a->arg[3];
	int64_t atime_ns, mtime_ns;
	struct inode *i;
	int r;

	if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	r = get_times(a->arg[2], &atime_ns, &mtime_ns);
	if (r < 0)
		return r;
	if (a->arg[1])
		r = fsargs_inode_get(sysarg_int(a, 0), a->arg[1], flags,
			!(flags & AT_SYMLINK_NOFOLLOW), &i);
	else
		r = flags ? -EINVAL : get_fd_inode(sysarg_int(a, 0), &i);
	if (r < 0)
		return r;
	if (atime_ns != INT64_MIN || mtime_ns != INT64_MIN)
		inode_set_times(i, atime_ns, mtime_ns);
	inode_put(i);
	return 0;
}

/* ------------------------------------------------------------------ access */

static long check_access(int dirfd, uaddr_t path_ua, uint32_t mode, uint32_t at_flags)
{
	struct inode *i;
	int r;

	if (mode & ~7u || at_flags & ~(uint32_t)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	r = fsargs_inode_get(dirfd, path_ua, at_flags, !(at_flags & AT_SYMLINK_NOFOLLOW), &i);
	if (r < 0)
		return r;
	if (mode & X_OK && !inode_is_dir(i) && !(i->mode & 0111))
		r = -EACCES;
	inode_put(i);
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
