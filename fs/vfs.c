/*
 * vfs.c: the tree: its lock, its root, the working directory, and looking things up.
 *
 * What:       the state that all of the tree shares, and the calls that change no name.
 * Invariants: (1) root and cwd hold a reference each.
 * Locking:    tree.lock, LOCK_FS; nodes are put after it is released.
 * Failure:    as vfs.h says.
 * Source:     path_resolution(7), getcwd(3).
 */
#include "fs/vfs.h"

#include <linux/fcntl.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "fs/archive.h"
#include "fs/perm.h"
#include "fs/tree_priv.h"
#include "kernel/mm/kmem.h"
#include "kernel/mm/pmm.h"
#include "kernel/time/clock.h"
#include "lib/string.h"

#define RESERVE_PAGES_MIN 256u
#define RESERVE_PART 64u /* of all pages */

static struct {
	struct spinlock lock;
	struct inode *root; /* [I] after vfs_init */
	struct inode *cwd; /* [lock] */
	uint32_t umask; /* [lock] */
	int64_t boot_time_ns; /* [I] */
	_Atomic uint64_t last_number; /* [a] */
} tree = { .lock = SPINLOCK_INIT(LOCK_FS), .umask = 022 };

void tree_lock(void)
{
	spin_lock(&tree.lock);
}

void tree_unlock(void)
{
	spin_unlock(&tree.lock);
}

void tree_assert_locked(void)
{
	lock_assert_held(&tree.lock);
}

struct inode *tree_root(void)
{
	return tree.root;
}

struct inode *tree_cwd_locked(void)
{
	tree_assert_locked();
	return tree.cwd;
}

uint64_t vfs_next_inode_number(void)
{
	return atomic_fetch_add_explicit(&tree.last_number, 1, memory_order_relaxed) + 16;
}

int64_t vfs_now_ns(void)
{
	return (int64_t)clock_now_ns() + clock_real_offset_ns();
}

int64_t vfs_boot_time_ns(void)
{
	return tree.boot_time_ns;
}

uint64_t vfs_room_pages(void)
{
	uint64_t reserve = MAX(pmm_total_pages() / RESERVE_PART, RESERVE_PAGES_MIN);
	uint64_t free_pages = pmm_free_pages();

	return free_pages < reserve ? 0 : free_pages - reserve + 1;
}

bool vfs_is_full(void)
{
	return vfs_room_pages() == 0;
}

void vfs_get_usage(struct vfs_usage *out)
{
	out->total_bytes = pmm_total_pages() << PAGE_SHIFT;
	out->free_bytes = vfs_room_pages() << PAGE_SHIFT;
	out->nodes = atomic_load_explicit(&tree.last_number, memory_order_relaxed);
}

void vfs_stat_anonymous(struct file_stat *out)
{
	out->device = VFS_DEVICE_ANON;
	out->inode = 1;
	out->mode = 0600;
}

void vfs_init(void)
{
	struct archive_entry e;

	tree.boot_time_ns = vfs_now_ns();
	if (inode_alloc(S_IFDIR | 0755, &tree.root) < 0)
		ASSERT(!"memory for the root directory");
	tree.root->links = 2;
	if (archive_get(0, &e) == 0) {
		tree.root->mode = e.mode;
		tree.root->dir.in_archive = e.child_count > 0;
	}
	tree.cwd = tree.root;
	inode_get(tree.cwd);
}

uint32_t vfs_swap_umask(uint32_t mask)
{
	uint32_t old;

	tree_lock();
	old = tree.umask;
	tree.umask = mask & 0777;
	tree_unlock();
	return old;
}

uint32_t tree_umask_locked(void)
{
	tree_assert_locked();
	return tree.umask;
}

/* ------------------------------------------------------------------ looking up */

int vfs_resolve(const struct vfs_at *at, enum vfs_follow follow, struct inode **out)
{
	struct walk w;
	int r;

	tree_lock();
	r = walk_locked(at, follow, &w);
	tree_unlock();
	if (r == 0 && !w.inode)
		r = -ENOENT;
	if (r == 0) {
		*out = w.inode;
		w.inode = NULL; /* the reference is the caller's now */
	}
	walk_end(&w);
	return r;
}

int vfs_stat(const struct vfs_at *at, enum vfs_follow follow, struct file_stat *out)
{
	struct walk w;
	int r;

	tree_lock();
	r = walk_locked(at, follow, &w);
	tree_unlock();
	if (r == 0 && w.file)
		r = file_stat(w.file, out);
	else if (r == 0 && w.inode)
		inode_get_stat(w.inode, out);
	else if (r == 0)
		r = -ENOENT;
	walk_end(&w);
	return r;
}

static long readlink_locked(struct inode *i, char *buf, size_t size)
{
	long n;

	tree_assert_locked();
	if (!inode_is_link(i))
		return -EINVAL;
	if (!i->target) {
		ASSERT(i->ops && i->ops->readlink);
		return i->ops->readlink(i, buf, size);
	}
	n = (long)MIN(i->target_bytes, size);
	memcpy(buf, i->target, (size_t)n);
	return n;
}

long vfs_readlink_inode(struct inode *i, char *buf, size_t size)
{
	long n;

	tree_lock();
	n = readlink_locked(i, buf, size);
	tree_unlock();
	return n;
}

long vfs_readlink(const struct vfs_at *at, char *buf, size_t size)
{
	struct walk w;
	long n;

	tree_lock();
	n = walk_locked(at, VFS_NO_FOLLOW, &w);
	if (n == 0)
		n = w.inode ? readlink_locked(w.inode, buf, size) : -ENOENT;
	tree_unlock();
	walk_end(&w);
	return n;
}

int vfs_truncate(const struct vfs_at *at, int64_t bytes)
{
	struct inode *i;
	int r = vfs_resolve(at, VFS_FOLLOW, &i);

	if (r != 0)
		return r;
	if (inode_is_dir(i))
		r = -EISDIR;
	else if (!inode_is_regular(i) || i->ops || bytes < 0)
		r = -EINVAL;
	else
		r = i->is_running ? -ETXTBSY : perm_check(i, PERM_WRITE);
	if (r == 0)
		r = data_truncate(i, bytes);
	inode_put(i);
	return r;
}

/* ------------------------------------------------------------------ where things are */

int vfs_set_cwd(struct inode *dir)
{
	struct inode *old;
	int r;

	if (!inode_is_dir(dir))
		return -ENOTDIR;
	r = perm_check(dir, PERM_EXEC);
	if (r < 0)
		return r;
	inode_get(dir);
	tree_lock();
	old = tree.cwd;
	tree.cwd = dir;
	tree_unlock();
	inode_put(old);
	return 0;
}

static bool is_gone(const struct inode *i)
{
	return i != tree.root && LIST_EMPTY(&i->names);
}

/* Writes the path from the end of buf backwards; the first byte's place, or -ENAMETOOLONG. What has
 * no name any more goes by its last one; -ENOENT: it never had one. */
static long path_backwards_locked(struct inode *i, char *buf, size_t size)
{
	size_t at = size;

	tree_assert_locked();
	while (i != tree.root) {
		const struct dir_entry *e = LIST_EMPTY(&i->names) ? i->gone : LIST_FIRST(&i->names);

		if (!e)
			return -ENOENT;
		if (at < e->len + 1u)
			return -ENAMETOOLONG;
		at -= e->len;
		memcpy(buf + at, e->name, e->len);
		buf[--at] = '/';
		i = e->parent;
	}
	if (at == size) {
		if (size == 0)
			return -ENAMETOOLONG;
		buf[--at] = '/';
	}
	return (long)at;
}

long tree_path_locked(struct inode *i, char *buf, size_t size)
{
	static const char deleted[] = " (deleted)";
	size_t tail = is_gone(i) ? sizeof(deleted) - 1 : 0, len;
	long at;

	if (size < tail)
		return -ENAMETOOLONG;
	at = path_backwards_locked(i, buf, size - tail);
	if (at < 0)
		return at;
	len = size - tail - (size_t)at;
	memmove(buf, buf + at, len);
	memcpy(buf + len, deleted, tail);
	return (long)(len + tail);
}

long vfs_inode_path(struct inode *i, char *buf, size_t size)
{
	long n;

	tree_lock();
	n = tree_path_locked(i, buf, size);
	tree_unlock();
	return n;
}

long vfs_get_cwd(char *buf, size_t size)
{
	long at;

	tree_lock();
	at = is_gone(tree.cwd) ? -ENOENT
			       : path_backwards_locked(tree.cwd, buf, size ? size - 1 : 0);
	tree_unlock();
	if (at < 0 || size == 0)
		return at == -ENOENT ? -ENOENT : -ERANGE;
	memmove(buf, buf + at, size - 1 - (size_t)at);
	buf[size - 1 - (size_t)at] = 0;
	return (long)(size - (size_t)at);
}
