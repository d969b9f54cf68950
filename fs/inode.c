/*
 * inode.c: nodes of the tree: their life and their attributes.
 *
 * What:       a node lives as long as a name, a description, a mapping or a walk refers to it.
 * Invariants: (1) refs reached 0: nobody can find the node, so it is freed without the tree's lock.
 * Locking:    inode.lock, LOCK_OBJECT, for attributes.
 * Failure:    -ENOMEM at creation.
 * Source:     inode(7); mount(8) for relatime.
 */
#include "fs/inode.h"

#include <linux/inotify.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "fs/inotify.h"
#include "fs/lock.h"
#include "fs/pipe.h"
#include "fs/tree_priv.h"
#include "fs/xattr.h"
#include "kernel/mm/kmem.h"

#define BLOCK_BYTES 4096u
#define DAY_NS (86400ll * 1000000000ll)

int inode_alloc(uint32_t mode, struct inode **out)
{
	struct inode *i = kmem_zalloc(sizeof(*i));

	if (!i)
		return -ENOMEM;
	atomic_init(&i->refs, 1);
	spinlock_init(&i->lock, LOCK_OBJECT);
	i->number = vfs_next_inode_number();
	i->mode = mode;
	i->device = VFS_DEVICE_ROOT;
	i->atime_ns = i->mtime_ns = i->ctime_ns = i->btime_ns = vfs_now_ns();
	LIST_INIT(&i->names);
	LIST_INIT(&i->watches);
	if (S_ISDIR(mode))
		dir_init(i);
	else if (S_ISREG(mode))
		data_init(i);
	*out = i;
	return 0;
}

void inode_get(struct inode *i)
{
	uint32_t old = atomic_fetch_add_explicit(&i->refs, 1, memory_order_relaxed);

	ASSERT(old > 0);
}

/* Frees what i owns; its last parent, if it had one, is the caller's to put. */
static struct inode *free_inode(struct inode *i)
{
	struct inode *parent = i->gone ? i->gone->parent : NULL;

	ASSERT(LIST_EMPTY(&i->names)); /* (1) */
	if (i->ops && i->ops->free)
		i->ops->free(i);
	inotify_inode_freed(i);
	lock_inode_freed(i);
	xattr_inode_freed(i);
	kmem_free(i->gone);
	if (inode_is_regular(i))
		data_free(i);
	else if (inode_is_link(i))
		kmem_free(i->target);
	else if (S_ISFIFO(i->mode) && i->pipe)
		pipe_put(i->pipe);
	kmem_free(i);
	return parent;
}

void inode_put(struct inode *i)
{
	/* A loop, not a recursion: removed directories may hang together in a long chain. */
	while (i) {
		uint32_t old = atomic_fetch_sub_explicit(&i->refs, 1, memory_order_acq_rel);

		ASSERT(old > 0);
		i = old == 1 ? free_inode(i) : NULL;
	}
}

void inode_put_relaxed(struct inode *i)
{
	/* Names have references of their own: nobody can find a node whose only one is ours. */
	if (inode_is_regular(i) && atomic_load_explicit(&i->refs, memory_order_acquire) == 1)
		data_empty(i);
	inode_put(i);
}

static void get_data_stat_locked(const struct inode *i, struct file_stat *out)
{
	uint64_t in_image = ROUND_UP(i->data.archive_bytes, PAGE_SIZE);

	out->size_bytes = i->data.size_bytes;
	out->allocated_bytes = MAX(i->data.pages.pages << PAGE_SHIFT, in_image);
}

void inode_get_stat(struct inode *i, struct file_stat *out)
{
	*out = (struct file_stat){ .device = i->device, .inode = i->number };
	out->block_bytes = BLOCK_BYTES;
	out->special_device = i->special_device;
	spin_lock(&i->lock);
	out->mode = i->mode;
	out->uid = i->uid;
	out->gid = i->gid;
	out->links = i->links;
	out->atime_ns = i->atime_ns;
	out->mtime_ns = i->mtime_ns;
	out->ctime_ns = i->ctime_ns;
	out->btime_ns = i->btime_ns;
	if (inode_is_regular(i) && !i->ops)
		get_data_stat_locked(i, out);
	else if (inode_is_dir(i))
		out->size_bytes = i->ops ? 0 : BLOCK_BYTES;
	else if (inode_is_link(i) && i->target)
		out->size_bytes = i->target_bytes;
	spin_unlock(&i->lock);
	if (i->ops && i->ops->size)
		out->size_bytes = i->ops->size();
}

void inode_set_mode(struct inode *i, uint32_t mode)
{
	spin_lock(&i->lock);
	i->mode = (i->mode & S_IFMT) | (mode & 07777);
	i->ctime_ns = vfs_now_ns();
	spin_unlock(&i->lock);
	inotify_touch(i, IN_ATTRIB);
}

void inode_set_owner(struct inode *i, uint32_t uid, uint32_t gid)
{
	spin_lock(&i->lock);
	if (uid != UINT32_MAX)
		i->uid = uid;
	if (gid != UINT32_MAX)
		i->gid = gid;
	if (!S_ISDIR(i->mode) && (i->mode & 0111))
		i->mode &= ~(uint32_t)(S_ISUID | S_ISGID);
	i->ctime_ns = vfs_now_ns();
	spin_unlock(&i->lock);
	inotify_touch(i, IN_ATTRIB);
}

void inode_set_times(struct inode *i, int64_t atime_ns, int64_t mtime_ns)
{
	/* One alone is told as what it stands for. */
	uint32_t event = mtime_ns == INT64_MIN ? IN_ACCESS
		: atime_ns == INT64_MIN        ? IN_MODIFY
					       : IN_ATTRIB;

	spin_lock(&i->lock);
	if (atime_ns != INT64_MIN)
		i->atime_ns = atime_ns;
	if (mtime_ns != INT64_MIN)
		i->mtime_ns = mtime_ns;
	i->ctime_ns = vfs_now_ns();
	spin_unlock(&i->lock);
	inotify_touch(i, event);
}

void inode_touch_read(struct inode *i)
{
	spin_lock(&i->lock);
	if (i->atime_ns <= i->mtime_ns || i->atime_ns <= i->ctime_ns) {
		i->atime_ns = vfs_now_ns();
	} else {
		int64_t now = vfs_now_ns();

		if (now - i->atime_ns > DAY_NS)
			i->atime_ns = now;
	}
	spin_unlock(&i->lock);
}

void inode_touch_write(struct inode *i)
{
	spin_lock(&i->lock);
	i->mtime_ns = i->ctime_ns = vfs_now_ns();
	spin_unlock(&i->lock);
}

void inode_change_links(struct inode *i, int delta)
{
	spin_lock(&i->lock);
	i->links += (uint32_t)delta;
	i->ctime_ns = vfs_now_ns();
	spin_unlock(&i->lock);
}
