/*
 * sys_fs.c: calls that change names: mkdir, unlink, rename, links, working directory.
 *
 * What:       copy the paths in, then fs/vfs.h.
 * Invariants: none; no state.
 * Locking:    none held; everything may sleep.
 * Failure:    -errno of the manual pages.
 * Source:     mkdirat(2) mknodat(2) unlinkat(2) renameat2(2) linkat(2) symlinkat(2) readlinkat(2)
 *             chdir(2) getcwd(2) umask(2).
 */
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#include "abi/linux/fsargs.h"
#include "abi/linux/sysargs.h"
#include "base/units.h"
#include "fs/fdtable.h"
#include "kernel/cred.h"
#include "kernel/mm/kmem.h"

/* ------------------------------------------------------------------ making */

static long make_dir(int dirfd, uaddr_t path_ua, uint32_t mode)
{
	struct fsargs_path p;
	int r = fsargs_path_get(dirfd, path_ua, false, &p);

	if (r < 0)
		return r;
	r = vfs_make_dir(&p.at, mode);
	fsargs_path_put(&p);
	return r;
}

long sys_mkdir(const struct sysargs *a)
{
	return make_dir(AT_FDCWD, a->arg[0], (uint32_t)a->arg[1]);
}

long sys_mkdirat(const struct sysargs *a)
{
	return make_dir(sysarg_int(a, 0), a->arg[1], (uint32_t)a->arg[2]);
}

static long make_node(int dirfd, uaddr_t path_ua, uint32_t mode)
{
	struct fsargs_path p;
	int r;

	switch (mode & S_IFMT) {
	case 0:
		mode |= S_IFREG;
		break;
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFDIR:
	case S_IFCHR:
	case S_IFBLK:
		return -EPERM; /* the devices that exist are in /dev */
	default:
		return -EINVAL;
	}
	r = fsargs_path_get(dirfd, path_ua, false, &p);
	if (r < 0)
		return r;
	r = vfs_make_node(&p.at, mode, 0, NULL);
	fsargs_path_put(&p);
	return r;
}

long sys_mknod(const struct sysargs *a)
{
	return make_node(AT_FDCWD, a->arg[0], (uint32_t)a->arg[1]);
}

long sys_mknodat(const struct sysargs *a)
{
	return make_node(sysarg_int(a, 0), a->arg[1], (uint32_t)a->arg[2]);
}

static long make_symlink(uaddr_t target_ua, int dirfd, uaddr_t path_ua)
{
	struct fsargs_path target, p;
	int r = fsargs_path_get(AT_FDCWD, target_ua, false, &target);

	if (r < 0)
		return r;
	r = fsargs_path_get(dirfd, path_ua, false, &p);
	if (r == 0) {
		r = vfs_symlink(target.text, &p.at);
		fsargs_path_put(&p);
	}
	fsargs_path_put(&target);
	return r;
}

long sys_symlink(const struct sysargs *a)
{
	return make_symlink(a->arg[0], AT_FDCWD, a->arg[1]);
}

long sys_symlinkat(const struct sysargs *a)
{
	return make_symlink(a->arg[0], sysarg_int(a, 1), a->arg[2]);
}

/* ------------------------------------------------------------------ two names */

struct two_paths {
	struct fsargs_path from, to;
};

static int get_two(int from_fd, uaddr_t from_ua, int to_fd, uaddr_t to_ua, struct two_paths *p)
{
	int r = fsargs_path_get(from_fd, from_ua, false, &p->from);

	if (r < 0)
		return r;
	r = fsargs_path_get(to_fd, to_ua, false, &p->to);
	if (r < 0)
		fsargs_path_put(&p->from);
	return r;
}

static void put_two(struct two_paths *p)
{
	fsargs_path_put(&p->from);
	fsargs_path_put(&p->to);
}

static long link_paths(int from_fd, uaddr_t from_ua, int to_fd, uaddr_t to_ua, uint32_t at_flags)
{
	bool follow = (at_flags & AT_SYMLINK_FOLLOW) != 0;
	struct fsargs_path to;
	struct inode *i;
	int r = fsargs_inode_get(from_fd, from_ua, at_flags, follow, &i);

	if (r < 0)
		return r;
	r = fsargs_path_get(to_fd, to_ua, false, &to);
	if (r == 0) {
		r = vfs_link(i, &to.at);
		fsargs_path_put(&to);
	}
	inode_put(i);
	return r;
}

long sys_link(const struct sysargs *a)
{
	return link_paths(AT_FDCWD, a->arg[0], AT_FDCWD, a->arg[1], 0);
}

long sys_linkat(const struct sysargs *a)
{
	uint32_t flags = (uint32_t)a->arg[4];

	if (flags & ~(uint32_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH && !cred_can(CAP_DAC_READ_SEARCH))
		return -ENOENT;
	return link_paths(sysarg_int(a, 0), a->arg[1], sysarg_int(a, 2), a->arg[3], flags);
}

static long rename_paths(int from_fd, uaddr_t from_ua, int to_fd, uaddr_t to_ua, uint32_t flags)
{
	struct two_paths p;
	int r;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
		flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	r = get_two(from_fd, from_ua, to_fd, to_ua, &p);
	if (r < 0)
		return r;
	r = vfs_rename(&p.from.at, &p.to.at, flags);
	put_two(&p);
	return r;
}

long sys_rename(const struct sysargs *a)
{
	return rename_paths(AT_FDCWD, a->arg[0], AT_FDCWD, a->arg[1], 0);
}

long sys_renameat(const struct sysargs *a)
{
	return rename_paths(sysarg_int(a, 0), a->arg[1], sysarg_int(a, 2), a->arg[3], 0);
}

long sys_renameat2(const struct sysargs *a)
{
	return rename_paths(sysarg_int(a, 0), a->arg[1], sysarg_int(a, 2), a->arg[3],
		(uint32_t)a->arg[4]);
}

/* ------------------------------------------------------------------ removing, reading links */

static long unlink_path(int dirfd, uaddr_t path_ua, bool remove_dir)
{
	struct fsargs_path p;
	int r = fsargs_path_get(dirfd, path_ua, false, &p);

	if (r < 0)
		return r;
	r = vfs_unlink(&p.at, remove_dir);
	fsargs_path_put(&p);
	return r;
}

long sys_unlink(const struct sysargs *a)
{
	return unlink_path(AT_FDCWD, a->arg[0], false);
}

long sys_rmdir(const struct sysargs *a)
{
	return unlink_path(AT_FDCWD, a->arg[0], true);
}

long sys_unlinkat(const struct sysargs *a)
{
	uint32_t flags = (uint32_t)a->arg[2];

	if (flags & ~(uint32_t)AT_REMOVEDIR)
		return -EINVAL;
	return unlink_path(sysarg_int(a, 0), a->arg[1], flags != 0);
}

/* The empty path: of the descriptor itself, which must be a link's. */
static long read_own_link(const struct fsargs_path *p, char *text, size_t size)
{
	long n = p->at.base ? vfs_readlink_inode(p->at.base, text, size) : -ENOENT;

	return n == -EINVAL ? -ENOENT : n;
}

static long read_link(int dirfd, uaddr_t path_ua, uaddr_t buf_ua, int32_t size)
{
	size_t room = MIN((size_t)size, VFS_PATH_MAX);
	struct fsargs_path p;
	char *text;
	long n;

	if (size <= 0)
		return -EINVAL;
	n = fsargs_path_get(dirfd, path_ua, dirfd != AT_FDCWD, &p);
	if (n < 0)
		return n;
	text = kmem_alloc(VFS_PATH_MAX);
	if (!text)
		n = -ENOMEM;
	else
		n = p.text[0] ? vfs_readlink(&p.at, text, room) : read_own_link(&p, text, room);
	if (n > 0 && user_copy_out(buf_ua, text, (size_t)n) < 0)
		n = -EFAULT;
	kmem_free(text);
	fsargs_path_put(&p);
	return n;
}

long sys_readlink(const struct sysargs *a)
{
	return read_link(AT_FDCWD, a->arg[0], a->arg[1], sysarg_int(a, 2));
}

long sys_readlinkat(const struct sysargs *a)
{
	return read_link(sysarg_int(a, 0), a->arg[1], a->arg[2], sysarg_int(a, 3));
}

/* ------------------------------------------------------------------ where we are */

long sys_chdir(const struct sysargs *a)
{
	struct inode *dir;
	int r = fsargs_inode_get(AT_FDCWD, a->arg[0], 0, true, &dir);

	if (r < 0)
		return r;
	r = vfs_set_cwd(dir);
	inode_put(dir);
	return r;
}

long sys_fchdir(const struct sysargs *a)
{
	struct file *f;
	int r = fdtable_get(sysarg_int(a, 0), &f);

	if (r < 0)
		return r;
	r = f->inode ? vfs_set_cwd(f->inode) : -ENOTDIR;
	file_put(f);
	return r;
}

long sys_getcwd(const struct sysargs *a)
{
	size_t size = MIN(a->arg[1], VFS_PATH_MAX);
	char *text = kmem_alloc(VFS_PATH_MAX);
	long n;

	if (!text)
		return -ENOMEM;
	n = vfs_get_cwd(text, size);
	if (n > 0 && user_copy_out(a->arg[0], text, (size_t)n) < 0)
		n = -EFAULT;
	kmem_free(text);
	return n;
}

long sys_umask(const struct sysargs *a)
{
	return vfs_swap_umask((uint32_t)a->arg[0]);
}

long sys_truncate(const struct sysargs *a)
{
	struct fsargs_path p;
	int r;

	if ((int64_t)a->arg[1] < 0)
		return -EINVAL;
	r = fsargs_path_get(AT_FDCWD, a->arg[0], false, &p);
	if (r < 0)
		return r;
	r = vfs_truncate(&p.at, (int64_t)a->arg[1]);
	fsargs_path_put(&p);
	return r;
}
