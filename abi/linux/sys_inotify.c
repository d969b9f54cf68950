/*
 * sys_inotify.c: inotify_init and its kin.
 *
 * What:       decode, find the node, then fs/inotify.h.
 * Invariants: none; no state.
 * Locking:    none held; may sleep.
 * Failure:    -errno of the manual pages.
 * Source:     inotify(7).
 */
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "abi/linux/fsargs.h"
#include "abi/linux/sysargs.h"
#include "fs/fdtable.h"
#include "fs/inotify.h"

static long init(uint32_t flags)
{
	struct file *f;
	int fd, r;

	if (flags & ~(uint32_t)(IN_CLOEXEC | IN_NONBLOCK))
		return -EINVAL;
	r = inotify_create(flags & IN_NONBLOCK, &f);
	if (r < 0)
		return r;
	r = fdtable_install(f, 0, (flags & IN_CLOEXEC) != 0, &fd);
	if (r < 0)
		file_put(f);
	return r < 0 ? r : fd;
}

long sys_inotify_init(const struct sysargs *a)
{
	(void)a;
	return init(0);
}

long sys_inotify_init1(const struct sysargs *a)
{
	return init((uint32_t)a->arg[0]);
}

static int get_queue(int fd, struct file **f)
{
	int r = fdtable_get(fd, f);

	if (r < 0)
		return r;
	if (file_is_inotify(*f))
		return 0;
	file_put(*f);
	return -EINVAL;
}

static long add_watch(struct file *f, uaddr_t path_ua, uint32_t mask)
{
	struct inode *i;
	int r = fsargs_inode_get(AT_FDCWD, path_ua, 0, !(mask & IN_DONT_FOLLOW), &i);

	if (r < 0)
		return r;
	if (mask & IN_ONLYDIR && !inode_is_dir(i))
		r = -ENOTDIR;
	else
		r = inotify_add(f, i, mask);
	inode_put(i);
	return r;
}

long sys_inotify_add_watch(const struct sysargs *a)
{
	uint32_t mask = (uint32_t)a->arg[2];
	struct file *f;
	long r;

	if (!(mask & IN_ALL_EVENTS) || (mask & IN_MASK_ADD && mask & IN_MASK_CREATE))
		return -EINVAL;
	r = get_queue(sysarg_int(a, 0), &f);
	if (r < 0)
		return r;
	r = add_watch(f, a->arg[1], mask);
	file_put(f);
	return r;
}

long sys_inotify_rm_watch(const struct sysargs *a)
{
	struct file *f;
	long r = get_queue(sysarg_int(a, 0), &f);

	if (r < 0)
		return r;
	r = inotify_remove(f, sysarg_int(a, 1));
	file_put(f);
	return r;
}
