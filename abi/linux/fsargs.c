/*
 * fsargs.c: path arguments of system calls.
 *
 * What:       copies the path in and finds the directory that it is relative to.
 * Invariants: (1) an absolute path never looks at dirfd, as on Linux.
 * Locking:    none; may sleep.
 * Failure:    see fsargs.h.
 * Source:     openat(2); path_resolution(7).
 */
#include "abi/linux/fsargs.h"

#include <linux/fcntl.h>

#include "fs/fdtable.h"
#include "kernel/mm/kmem.h"

int fsargs_base_get(int dirfd, bool any_file, struct inode **base)
{
	struct file *f;
	int r;

	if (dirfd == AT_FDCWD)
		return 0;
	r = fdtable_get(dirfd, &f);
	if (r < 0)
		return r;
	if (!any_file && (!f->inode || !inode_is_dir(f->inode))) {
		r = -ENOTDIR;
	} else if (f->inode) {
		inode_get(f->inode);
		*base = f->inode;
	}
	file_put(f);
	return r;
}

int fsargs_path_get(int dirfd, uaddr_t path_ua, bool empty_ok, struct fsargs_path *p)
{
	long len;
	int r = 0;

	*p = (struct fsargs_path){ .text = kmem_alloc(VFS_PATH_MAX) };
	if (!p->text)
		return -ENOMEM;
	p->at.path = p->text;
	len = user_copy_str(p->text, path_ua, VFS_PATH_MAX);
	if (len < 0)
		r = (int)len;
	else if (len == 0 && !empty_ok)
		r = -ENOENT;
	else if (p->text[0] != '/') /* (1) */
		r = fsargs_base_get(dirfd, len == 0, &p->at.base);
	if (r < 0)
		fsargs_path_put(p);
	return r;
}

void fsargs_path_put(struct fsargs_path *p)
{
	if (p->at.base)
		inode_put(p->at.base);
	kmem_free(p->text);
}

/* The empty path: dirfd's own node. */
static int get_own_inode(int dirfd, struct fsargs_path *p, struct inode **out)
{
	struct vfs_at here = { .path = "." };

	if (dirfd == AT_FDCWD)
		return vfs_resolve(&here, VFS_FOLLOW, out);
	if (!p->at.base)
		return -EINVAL; /* a file without node: pipe, socket */
	inode_get(p->at.base);
	*out = p->at.base;
	return 0;
}

int fsargs_inode_get(int dirfd, uaddr_t path_ua, uint32_t at_flags, bool follow, struct inode **out)
{
	struct fsargs_path p;
	int r = fsargs_path_get(dirfd, path_ua, (at_flags & AT_EMPTY_PATH) != 0, &p);

	if (r < 0)
		return r;
	if (p.text[0] == 0)
		r = get_own_inode(dirfd, &p, out);
	else
		r = vfs_resolve(&p.at, follow ? VFS_FOLLOW : VFS_NO_FOLLOW, out);
	fsargs_path_put(&p);
	return r;
}

int fsargs_fd_inode_get(int fd, int no_node, struct inode **out)
{
	struct file *f;
	int r = fdtable_get(fd, &f);

	if (r < 0)
		return r;
	if (file_flags(f) & O_PATH) {
		r = -EBADF;
	} else if (!f->inode) {
		r = no_node;
	} else {
		inode_get(f->inode);
		*out = f->inode;
	}
	file_put(f);
	return r;
}
