/*
 * vfs_setup.c: making directories, devices and small files from inside the kernel.
 *
 * What:       thin combinations of the tree's calls, without umask.
 * Invariants: none.
 * Locking:    as vfs.h; no lock held by the caller.
 * Failure:    the tree's.
 * Source:     none.
 */
#include <linux/fcntl.h>

#include "base/errno.h"
#include "fs/data.h"
#include "fs/tree_priv.h"
#include "kernel/mm/kmem.h"
#include "lib/string.h"

static int make_one_dir(const char *path, uint32_t mode)
{
	struct vfs_at at = { .path = path, .by_kernel = true };
	struct inode *dir;
	int r = vfs_make_dir(&at, 0755);

	if (r == -EEXIST)
		return 0;
	if (r < 0)
		return r;
	r = vfs_resolve(&at, VFS_NO_FOLLOW, &dir);
	if (r < 0)
		return r;
	inode_set_mode(dir, mode);
	inode_put(dir);
	return 0;
}

int vfs_make_dirs(const char *path, uint32_t mode)
{
	size_t len = strlen(path);
	char *copy;
	int r = 0;

	if (len >= VFS_PATH_MAX)
		return -ENAMETOOLONG;
	copy = kmem_alloc(len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, path, len + 1);
	for (size_t i = 1; r == 0 && i < len; i++) {
		if (copy[i] != '/')
			continue;
		copy[i] = 0;
		r = make_one_dir(copy, 0755);
		copy[i] = '/';
	}
	if (r == 0)
		r = make_one_dir(copy, mode);
	kmem_free(copy);
	return r;
}

int vfs_make_special(const char *path, uint32_t mode, uint64_t special_device,
	const struct inode_ops *ops, void *private, struct inode **out)
{
	struct vfs_at at = { .path = path, .by_kernel = true };
	struct inode *i;
	int r = vfs_make_node(&at, mode, special_device, &i);

	if (r < 0)
		return r;
	i->ops = ops;
	i->private = private;
	inode_set_mode(i, mode);
	*out = i;
	inode_put(i);
	return 0;
}

int vfs_write_file(const char *path, const void *data, size_t bytes, uint32_t mode)
{
	struct vfs_at at = { .path = path, .by_kernel = true };
	struct file *f;
	struct uio u;
	long n;
	int r = vfs_open(&at, O_WRONLY | O_CREAT | O_TRUNC, mode, &f);

	if (r < 0)
		return r;
	/* Written from: the pointer's const is kept by uio_copy_from. */
	uio_init_kernel(&u, (void *)(uintptr_t)data, bytes);
	n = file_write(f, &u, 0);
	file_put(f);
	return n < 0 ? (int)n : 0;
}
