/*
 * vfs_open.c: from a path, or a node, to an open file.
 *
 * What:       finds or makes the node under the tree's lock, then opens it without: devices,
 *             FIFOs and generated files may take time.
 * Invariants: (1) with O_CREAT | O_EXCL the node was made by this very call.
 * Locking:    the tree's lock inside. Opening a FIFO sleeps.
 * Failure:    as open(2).
 * Source:     open(2); Linux fs/namei.c for the order of errors.
 */
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "base/errno.h"
#include "base/units.h"
#include "fs/console.h"
#include "fs/data.h"
#include "fs/inotify.h"
#include "fs/pipe.h"
#include "fs/perm.h"
#include "fs/tree_priv.h"
#include "kernel/cred.h"
#include "kernel/mm/kmem.h"
#include "lib/fmt.h"
#include "lib/string.h"

/* Bits that say how to open and are not kept. */
#define OPEN_ONLY ((uint32_t)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC))
#define TMPFILE_BIT ((uint32_t)(O_TMPFILE & ~O_DIRECTORY))

static bool wants_write(uint32_t flags)
{
	return (flags & O_ACCMODE) != O_RDONLY;
}

/* Another description of what a descriptor that has no node refers to. */
static int reopen(struct file *f, uint32_t flags, struct file **out)
{
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	if (file_is_pipe(f))
		return pipe_open(file_pipe(f), flags & ~OPEN_ONLY, false, out);
	if (file_is_console(f))
		return console_reopen(f, flags & ~OPEN_ONLY, out);
	return -ENXIO;
}

static int open_fifo(struct inode *i, uint32_t flags, struct file **out)
{
	struct pipe *p = NULL, *made = NULL;

	spin_lock(&i->lock);
	p = i->pipe;
	spin_unlock(&i->lock);
	if (!p) {
		int r = pipe_alloc(&made);

		if (r < 0)
			return r;
		spin_lock(&i->lock);
		if (!i->pipe) {
			i->pipe = made;
			made = NULL;
		}
		p = i->pipe;
		spin_unlock(&i->lock);
		if (made)
			pipe_put(made);
	}
	return pipe_open(p, flags, true, out);
}

static int open_by_type(struct inode *i, uint32_t flags, struct file **out)
{
	if (flags & O_PATH)
		return node_open(i, flags, out);
	if (i->ops && i->ops->open)
		return i->ops->open(i, flags, out);
	switch (inode_type(i)) {
	case S_IFIFO:
		return open_fifo(i, flags, out);
	case S_IFREG:
	case S_IFDIR:
		return node_open(i, flags, out);
	case S_IFLNK:
		return -ELOOP;
	default:
		return -ENXIO;
	}
}

int vfs_open_inode(struct inode *i, uint32_t flags, struct file **out)
{
	int r = open_by_type(i, (flags & ~OPEN_ONLY) | (flags & O_PATH ? 0 : O_LARGEFILE_BIT), out);

	if (r == 0 && !(*out)->inode) {
		inode_get(i);
		(*out)->inode = i;
	}
	if (r == 0 && !(flags & O_PATH))
		inotify_touch(i, IN_OPEN);
	if (r == 0 && flags & O_TRUNC && !(flags & O_PATH) && inode_is_regular(i) && !i->ops) {
		r = data_truncate(i, 0);
		if (r < 0)
			file_put(*out);
	}
	return r;
}

/* As Linux's file systems in memory: regular files, for which it changes nothing. */
static bool can_be_direct(const struct inode *i)
{
	return inode_is_regular(i) && !i->ops;
}

static int check_allowed(const struct walk *w, uint32_t flags)
{
	static const unsigned masks[] = { PERM_READ, PERM_WRITE, PERM_READ | PERM_WRITE,
		PERM_READ | PERM_WRITE };
	unsigned mask = masks[flags & O_ACCMODE] | (flags & O_TRUNC ? PERM_WRITE : 0);
	int r;

	if (flags & O_PATH || w->by_kernel)
		return 0;
	r = perm_check(w->inode, mask);
	if (r == 0 && mask & PERM_WRITE && w->inode->is_running)
		return -ETXTBSY;
	return r == 0 && flags & O_NOATIME && !perm_is_owner(w->inode) ? -EPERM : r;
}

static int check_existing(const struct walk *w, uint32_t flags)
{
	if ((flags & O_CREAT) && (flags & O_EXCL))
		return -EEXIST;
	if (w->file)
		return 0;
	if (inode_is_link(w->inode))
		return flags & O_PATH && !(flags & O_DIRECTORY) ? 0
			: flags & O_DIRECTORY                   ? -ENOTDIR
								: -ELOOP;
	if ((flags & O_DIRECTORY) && !inode_is_dir(w->inode))
		return -ENOTDIR;
	if (inode_is_dir(w->inode) && !(flags & O_PATH) &&
		(wants_write(flags) || (flags & O_CREAT) || (flags & O_TRUNC)))
		return -EISDIR;
	if (flags & O_DIRECT && !(flags & O_PATH) && !can_be_direct(w->inode))
		return -EINVAL;
	return check_allowed(w, flags);
}

/* A new file has nothing to truncate: O_TRUNC leaves *flags. */
static int find_or_make_locked(struct walk *w, uint32_t *flags, uint32_t mode)
{
	if (w->inode || w->file)
		return check_existing(w, *flags);
	if (!(*flags & O_CREAT))
		return -ENOENT;
	*flags &= ~(uint32_t)O_TRUNC;
	return tree_make_locked(w, S_IFREG | (mode & 07777), &w->inode);
}

static int make_unnamed(struct inode *dir, uint32_t mode, bool linkable, struct inode **out)
{
	char name[24];
	int r;

	tree_lock();
	r = perm_check_create(dir);
	if (r == 0)
		r = vfs_is_full()
			? -ENOSPC
			: inode_alloc(S_IFREG | (mode & 07777 & ~tree_umask_locked()), out);
	if (r == 0) {
		perm_inherit(dir, *out);
		(*out)->linkable = linkable;
		fmt_snprintf(name, sizeof(name), "#%lu", (*out)->number);
		r = dir_call_locked(*out, dir, name, strlen(name));
		if (r < 0)
			inode_put(*out);
	}
	tree_unlock();
	return r;
}

/* A file without a name, in the file system of the directory. */
static int open_unnamed(const struct vfs_at *at, uint32_t flags, uint32_t mode, struct file **out)
{
	struct inode *dir, *i;
	int r = wants_write(flags) ? 0 : -EINVAL;

	if (r == 0)
		r = vfs_resolve(at, VFS_FOLLOW, &dir);
	if (r != 0)
		return r;
	if (!inode_is_dir(dir))
		r = -ENOTDIR;
	else if (dir->device == VFS_DEVICE_PROC)
		r = -EOPNOTSUPP;
	if (r == 0)
		r = make_unnamed(dir, mode, !(flags & O_EXCL), &i);
	inode_put(dir);
	if (r != 0)
		return r;
	r = vfs_open_inode(i, flags & ~(uint32_t)O_DIRECTORY, out);
	inode_put(i);
	return r;
}

/* What would be made and has a slash behind it is looked at by its name only. */
static enum vfs_follow how_to_follow(const char *path, uint32_t flags)
{
	size_t len = strlen(path);

	if (flags & O_CREAT && len > 0 && path[len - 1] == '/')
		return VFS_LAST_NAME;
	return flags & O_NOFOLLOW || (flags & O_CREAT && flags & O_EXCL) ? VFS_NO_FOLLOW
									 : VFS_FOLLOW;
}

int vfs_open(const struct vfs_at *at, uint32_t flags, uint32_t mode, struct file **out)
{
	struct walk w;
	int r;

	if (flags & O_PATH)
		flags &= (uint32_t)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (flags & TMPFILE_BIT)
		return flags & O_DIRECTORY ? open_unnamed(at, flags & ~TMPFILE_BIT, mode, out)
					   : -EINVAL;
	if ((flags & O_CREAT) && (flags & O_DIRECTORY))
		return -EINVAL;
	tree_lock();
	r = walk_locked(at, how_to_follow(at->path, flags), &w);
	if (flags & O_CREAT && w.slash && w.last == WALK_NAME && r == 0)
		r = -EISDIR; /* whatever is there */
	if (r == 0)
		r = find_or_make_locked(&w, &flags, mode);
	tree_unlock();
	if (r == 0 && w.file)
		r = reopen(w.file, flags, out);
	else if (r == 0)
		r = vfs_open_inode(w.inode, flags, out);
	walk_end(&w);
	return r;
}

int vfs_make_memfd(const char *name, uint32_t mode, uint32_t seals, struct file **out)
{
	struct inode *i;
	int r = inode_alloc(S_IFREG | mode, &i);

	if (r < 0)
		return r;
	i->data.seals = seals;
	i->device = VFS_DEVICE_MEMFD;
	i->uid = cred_current()->fsuid;
	i->gid = cred_current()->fsgid;
	tree_lock();
	r = dir_call_locked(i, tree_root(), name, strlen(name));
	tree_unlock();
	if (r == 0)
		r = vfs_open_inode(i, O_RDWR, out);
	inode_put(i);
	return r;
}

int vfs_make_shared_memory(uint64_t bytes, struct vm_object **out)
{
	struct inode *i;
	int r = inode_alloc(S_IFREG | 0777, &i);

	if (r == 0)
		r = data_truncate(i, (int64_t)bytes);
	if (r < 0)
		return r; /* a new file grows without memory: nothing but inode_alloc fails */
	data_note_mapping(i, true);
	*out = &i->vm_object;
	return 0;
}
