/*
 * fsargs.c: path and vector arguments of system calls.
 *
 * What:       copies the path in and finds the directory that it is relative to.
 * Invariants: (1) an absolute path never looks at dirfd, as on Linux.
 * Locking:    none; may sleep.
 * Failure:    see fsargs.h.
 * Source:     openat(2), readv(2); path_resolution(7).
 */
#include "abi/linux/fsargs.h"

#include <linux/fcntl.h>
#include <linux/uio.h>

#include "base/assert.h"
#include "base/units.h"
#include "fs/fdtable.h"
#include "kernel/mm/kmem.h"

#define IOV_MAX 1024u

STATIC_ASSERT(sizeof(struct iovec) == sizeof(struct uio_range), "copied in as it is");

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

/* ------------------------------------------------------------------ vectors */

static int load_ranges(uaddr_t iov_ua, struct fsargs_vector *v)
{
	uint64_t total = 0;

	if (user_copy_in(v->ranges, iov_ua, v->count * sizeof(*v->ranges)) < 0)
		return -EFAULT;
	for (uint32_t i = 0; i < v->count; i++) {
		struct uio_range *r = &v->ranges[i];

		if ((int64_t)r->bytes < 0)
			return -EINVAL;
		if (!user_can_be(r->base, r->bytes))
			return -EFAULT;
		r->bytes = MIN(r->bytes, FSARGS_BYTES_MAX - total);
		total += r->bytes;
	}
	return 0;
}

int fsargs_vector_get(uaddr_t iov_ua, uint64_t count, struct fsargs_vector *v)
{
	int r;

	if (count > IOV_MAX)
		return -EINVAL;
	v->count = (uint32_t)count;
	v->ranges = v->on_stack;
	if (count > FSARGS_RANGES_ON_STACK)
		v->ranges = kmem_alloc(count * sizeof(*v->ranges));
	if (!v->ranges)
		return -ENOMEM;
	r = load_ranges(iov_ua, v);
	if (r < 0)
		fsargs_vector_put(v);
	return r;
}

void fsargs_vector_put(struct fsargs_vector *v)
{
	if (v->ranges != v->on_stack)
		kmem_free(v->ranges);
}
