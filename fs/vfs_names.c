/*
 * vfs_names.c: operations that make, move and remove names.
 *
 * What:       each call walks to its names and changes them in one hold of the tree's lock, so
 *             every call is atomic for all others.
 * Invariants: (1) no directory is moved below itself. (2) nothing is made in a removed directory.
 * Locking:    the tree's lock inside; nodes are put after it is released.
 * Failure:    checked before anything is changed.
 * Source:     mkdir(2) mknod(2) symlink(2) link(2) unlink(2) rmdir(2) rename(2).
 */

#include <linux/inotify.h>

#include "base/errno.h"
#include "base/units.h"
#include "fs/inotify.h"
#include "fs/perm.h"
#include "fs/tree_priv.h"
#include "kernel/mm/kmem.h"
#include "lib/string.h"

/* Where a new name may be made; refused is the answer for generated directories. */
static int check_new_place(const struct walk *w, int refused)
{
	int r = 0;

	if (w->file || w->inode)
		return -EEXIST;
	if (w->dir->device == VFS_DEVICE_PROC && !w->by_kernel)
		return refused;
	if (w->dir->links == 0)
		return -ENOENT; /* (2) */
	if (!w->by_kernel)
		r = perm_check_create(w->dir);
	return r == 0 && vfs_is_full() ? -ENOSPC : r;
}

int tree_make_locked(struct walk *w, uint32_t mode, struct inode **out)
{
	struct inode *i;
	int r = check_new_place(w, -ENOENT);

	if (r < 0)
		return r;
	r = inode_alloc((mode & S_IFMT) | (mode & 07777 & ~tree_umask_locked()), &i);
	if (r < 0)
		return r;
	if (!w->by_kernel)
		perm_inherit(w->dir, i);
	i->device = w->dir->device;
	r = dir_add_locked(w->dir, w->name, w->len, i);
	if (r < 0) {
		inode_put(i);
		return r;
	}
	inode_touch_write(w->dir);
	inotify_name_locked(w->dir, w->name, w->len, i, IN_CREATE, 0);
	*out = i;
	return 0;
}

int vfs_make_dir(const struct vfs_at *at, uint32_t mode)
{
	struct inode *made = NULL;
	struct walk w;
	int r;

	tree_lock();
	r = walk_locked(at, VFS_LAST_NAME, &w);
	if (r == 0)
		r = tree_make_locked(&w, S_IFDIR | (mode & 01777), &made);
	tree_unlock();
	walk_end(&w);
	if (made)
		inode_put(made);
	return r;
}

int vfs_make_node(const struct vfs_at *at, uint32_t mode, uint64_t special_device,
	struct inode **out)
{
	struct inode *made = NULL;
	struct walk w;
	int r;

	tree_lock();
	r = walk_locked(at, VFS_LAST_NAME, &w);
	if (r == 0 && w.slash && !w.inode)
		r = -ENOENT;
	if (r == 0)
		r = tree_make_locked(&w, mode, &made);
	if (r == 0)
		made->special_device = special_device;
	tree_unlock();
	walk_end(&w);
	if (made && out)
		*out = made;
	else if (made)
		inode_put(made);
	return r;
}

int vfs_symlink(const char *target, const struct vfs_at *at)
{
	size_t bytes = strlen(target);
	struct inode *made = NULL;
	char *copy;
	struct walk w;
	int r;

	if (bytes == 0)
		return -ENOENT;
	copy = kmem_alloc(bytes + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, target, bytes + 1);
	tree_lock();
	r = walk_locked(at, VFS_LAST_NAME, &w);
	if (r == 0 && w.slash && !w.inode)
		r = -ENOENT;
	if (r == 0)
		r = tree_make_locked(&w, S_IFLNK | 0777, &made);
	if (r == 0) {
		made->mode = S_IFLNK | 0777; /* the umask does not apply */
		made->target = copy;
		made->target_bytes = bytes;
	} else {
		kmem_free(copy);
	}
	tree_unlock();
	walk_end(&w);
	if (made)
		inode_put(made);
	return r;
}

static int link_locked(struct inode *i, struct walk *w)
{
	int r;

	if (w->file || w->inode)
		return -EEXIST;
	if (i->links == 0 && !i->linkable)
		return -ENOENT;
	if (inode_is_dir(i) || i->device == VFS_DEVICE_PROC)
		return -EPERM;
	if (w->slash)
		return -ENOENT;
	r = check_new_place(w, -EXDEV);
	if (r < 0)
		return r;
	r = dir_add_locked(w->dir, w->name, w->len, i);
	if (r < 0)
		return r;
	inode_touch_write(w->dir);
	inotify_self_locked(i, IN_ATTRIB);
	inotify_name_locked(w->dir, w->name, w->len, i, IN_CREATE, 0);
	return 0;
}

int vfs_link(struct inode *i, const struct vfs_at *to)
{
	struct walk w;
	int r;

	tree_lock();
	r = walk_locked(to, VFS_LAST_NAME, &w);
	if (r == 0)
		r = link_locked(i, &w);
	tree_unlock();
	walk_end(&w);
	return r;
}

/* ------------------------------------------------------------------ removing */

static int check_removable(const struct walk *w, bool remove_dir)
{
	int r;

	if (w->file)
		return -EPERM;
	if (w->last == WALK_DOT && remove_dir)
		return w->dotdot ? -ENOTEMPTY : w->inode == tree_root() ? -EBUSY : -EINVAL;
	if (w->last == WALK_DOT)
		return -EISDIR;
	if (!w->inode)
		return -ENOENT;
	if (w->slash && !remove_dir)
		return inode_is_dir(w->inode) ? -EISDIR : -ENOTDIR;
	r = perm_check_remove(w->dir, w->inode);
	if (r < 0)
		return r;
	if (inode_is_dir(w->inode) != remove_dir)
		return remove_dir ? -ENOTDIR : -EISDIR;
	if (w->dir->device == VFS_DEVICE_PROC)
		return -EPERM;
	return 0;
}

/* For those who watch a node that lost a name: its link count changed. */
static void tell_lost_name(struct inode *i)
{
	if (!inode_is_dir(i))
		inotify_self_locked(i, IN_ATTRIB);
}

static int unlink_locked(struct walk *w, bool remove_dir, struct inode **gone)
{
	struct dir_entry *e;
	bool empty = true;
	int r = check_removable(w, remove_dir);

	if (r == 0 && remove_dir)
		r = dir_is_empty_locked(w->inode, &empty);
	if (r == 0 && !empty)
		r = -ENOTEMPTY;
	if (r == 0)
		r = dir_entry_locked(w->dir, w->name, w->len, &e);
	if (r != 0)
		return r;
	*gone = dir_take_locked(e);
	inode_touch_write(w->dir);
	tell_lost_name(*gone);
	inotify_name_locked(w->dir, w->name, w->len, *gone, IN_DELETE, 0);
	return 0;
}

int vfs_unlink(const struct vfs_at *at, bool remove_dir)
{
	struct inode *gone = NULL;
	struct walk w;
	int r;

	tree_lock();
	r = walk_locked(at, VFS_LAST_NAME, &w);
	if (r == 0)
		r = unlink_locked(&w, remove_dir, &gone);
	tree_unlock();
	walk_end(&w);
	if (gone)
		inode_put_relaxed(gone);
	return r;
}

/* ------------------------------------------------------------------ moving */

/* (1) */
static bool is_below(struct inode *i, const struct inode *top)
{
	while (i != top && i != dir_parent_locked(i))
		i = dir_parent_locked(i);
	return i == top;
}

/* Only a directory's name may have a slash behind it, old or new. */
static int check_slashes(const struct walk *from, const struct walk *to, unsigned flags)
{
	bool dir = inode_is_dir(from->inode);
	bool to_dir = flags & VFS_RENAME_EXCHANGE ? inode_is_dir(to->inode) : dir;

	return (to->slash && !to_dir) || (from->slash && !dir) ? -ENOTDIR : 0;
}

static int check_target(const struct walk *from, const struct walk *to, unsigned flags)
{
	bool dir = inode_is_dir(from->inode), empty = true;
	int r;

	if (to->inode && flags & VFS_RENAME_NOREPLACE)
		return -EEXIST;
	if (!to->inode && flags & VFS_RENAME_EXCHANGE)
		return -ENOENT;
	r = check_slashes(from, to, flags);
	if (r == 0 && dir && is_below(to->dir, from->inode))
		return -EINVAL; /* (1) */
	if (r < 0 || !to->inode)
		return r;
	if (is_below(from->dir, to->inode))
		return flags & VFS_RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	if (flags & VFS_RENAME_EXCHANGE)
		return 0;
	if (to->inode == from->inode)
		return 0;
	if (inode_is_dir(to->inode) != dir)
		return dir ? -ENOTDIR : -EISDIR;
	if (dir)
		r = dir_is_empty_locked(to->inode, &empty);
	return r == 0 && !empty ? -ENOTEMPTY : r;
}

/* Both names change, and ".." of a directory that gets another parent. */
static int check_rename_allowed(const struct walk *from, const struct walk *to)
{
	int r = perm_check_remove(from->dir, from->inode);

	if (r == 0)
		r = to->inode ? perm_check_remove(to->dir, to->inode) : perm_check_create(to->dir);
	if (r == 0 && from->dir != to->dir && inode_is_dir(from->inode))
		r = perm_check(from->inode, PERM_WRITE);
	return r;
}

static int check_rename(const struct walk *from, const struct walk *to, unsigned flags)
{
	if (from->file || from->last == WALK_DOT)
		return -EBUSY;
	if (to->file || to->last == WALK_DOT)
		return flags & VFS_RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (!from->inode)
		return -ENOENT;
	if (from->dir->device == VFS_DEVICE_PROC || to->dir->device == VFS_DEVICE_PROC)
		return from->dir->device == to->dir->device ? -EPERM : -EXDEV;
	if (to->dir->links == 0)
		return -ENOENT; /* (2) */
	return check_target(from, to, flags);
}

/* The old name goes last: what can fail comes first. */
static int move_locked(struct walk *from, struct walk *to, struct inode **replaced)
{
	struct dir_entry *old_entry, *target = NULL;
	int r = dir_entry_locked(from->dir, from->name, from->len, &old_entry);

	if (r == 0 && to->inode)
		r = dir_entry_locked(to->dir, to->name, to->len, &target);
	if (r < 0)
		return r;
	if (target) {
		dir_swap_locked(old_entry, target);
		*replaced = dir_take_locked(old_entry);
		if (LIST_EMPTY(&(*replaced)->names) &&
			dir_call_locked(*replaced, to->dir, to->name, to->len) < 0)
			return 0; /* no memory: it is remembered by the other's old name */
		return 0;
	}
	/* The new entry's reference and link replace the old one's. */
	r = dir_add_locked(to->dir, to->name, to->len, from->inode);
	if (r == 0)
		*replaced = dir_take_locked(old_entry);
	return r;
}

static int exchange_locked(struct walk *from, struct walk *to)
{
	struct dir_entry *a, *b;
	int r = dir_entry_locked(from->dir, from->name, from->len, &a);

	if (r == 0)
		r = dir_entry_locked(to->dir, to->name, to->len, &b);
	if (r == 0) {
		dir_swap_locked(a, b);
		inode_change_links(to->inode, 0); /* ctime */
	}
	return r;
}

static void tell_moved(const struct walk *from, const struct walk *to)
{
	uint32_t cookie = inotify_next_cookie();

	inotify_name_locked(from->dir, from->name, from->len, from->inode, IN_MOVED_FROM, cookie);
	inotify_name_locked(to->dir, to->name, to->len, from->inode, IN_MOVED_TO, cookie);
	inotify_self_locked(from->inode, IN_MOVE_SELF);
}

/* Acts, and tells of it. */
static int rename_locked(struct walk *from, struct walk *to, unsigned flags,
	struct inode **replaced)
{
	int r;

	if (to->inode == from->inode)
		return 0; /* names of one file: both stay, and nothing has happened */
	r = flags & VFS_RENAME_EXCHANGE ? exchange_locked(from, to)
					: move_locked(from, to, replaced);
	if (r != 0)
		return r;
	inode_change_links(from->inode, 0); /* ctime */
	inode_touch_write(from->dir);
	inode_touch_write(to->dir);
	tell_moved(from, to);
	if (flags & VFS_RENAME_EXCHANGE)
		tell_moved(to, from);
	if (*replaced)
		tell_lost_name(*replaced);
	return 0;
}

int vfs_rename(const struct vfs_at *from_at, const struct vfs_at *to_at, unsigned flags)
{
	struct walk from, to = { 0 };
	struct inode *replaced = NULL;
	int r;

	tree_lock();
	r = walk_locked(from_at, VFS_LAST_NAME, &from);
	if (r == 0)
		r = walk_locked(to_at, VFS_LAST_NAME, &to);
	if (r == 0)
		r = check_rename(&from, &to, flags);
	if (r == 0)
		r = check_rename_allowed(&from, &to);
	if (r == 0)
		r = rename_locked(&from, &to, flags, &replaced);
	tree_unlock();
	walk_end(&from);
	walk_end(&to);
	if (replaced)
		inode_put_relaxed(replaced);
	return r;
}
