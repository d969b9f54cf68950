/*
 * xattr.c: extended attributes.
 *
 * What:       a list per node, newest last. A value that is replaced is a new item, so that
 *             nothing is changed when memory is short.
 * Invariants: (1) a name is at most once on a list. (2) all names of a node are at most
 *             XATTR_LIST_MAX bytes, so that they can be listed.
 * Locking:    inode.lock, LOCK_OBJECT, guards the list; held over copies of at most 64 KiB.
 * Failure:    see xattr.h.
 * Source:     xattr(7), setxattr(2), getxattr(2), listxattr(2); Linux fs/xattr.c
 *             xattr_permission, and tmpfs for which names there are.
 */
#include "fs/xattr.h"

#include <linux/capability.h>
#include <linux/inotify.h>

#include "base/errno.h"
#include "base/tree.h"
#include "base/units.h"
#include "fs/inotify.h"
#include "fs/perm.h"
#include "fs/vfs.h"
#include "kernel/cred.h"
#include "kernel/mm/kmem.h"
#include "lib/string.h"

struct xattr {
	TAILQ_ENTRY(xattr) link;
	size_t name_bytes, value_bytes; /* name_bytes: with the NUL */
	char data[]; /* name, value */
};

struct xattr_list {
	TAILQ_HEAD(xattr_items, xattr) items;
	size_t names_bytes;
};

/* ------------------------------------------------------------------ who may have which names */

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* user.*: files and directories only, by their permission bits. */
static int check_user(struct inode *i, bool write)
{
	if (!inode_is_regular(i) && !inode_is_dir(i))
		return write ? -EPERM : -ENODATA;
	if (write && inode_is_dir(i) && i->mode & S_ISVTX && !perm_is_owner(i))
		return -EPERM;
	return perm_check(i, write ? PERM_WRITE : PERM_READ);
}

static int check_name(struct inode *i, const char *name, bool write)
{
	static const char *const prefixes[] = { "user.", "trusted.", "security." };
	const char *found = NULL;

	if (i->device == VFS_DEVICE_PROC)
		return -EOPNOTSUPP;
	for (size_t n = 0; n < ARRAY_LEN(prefixes) && !found; n++)
		if (has_prefix(name, prefixes[n]))
			found = prefixes[n];
	if (!found)
		return -EOPNOTSUPP;
	if (!name[strlen(found)])
		return -EINVAL;
	if (found == prefixes[0])
		return check_user(i, write);
	if (cred_can(CAP_SYS_ADMIN) || (found == prefixes[2] && !write))
		return 0;
	return write ? -EPERM : -ENODATA;
}

/* ------------------------------------------------------------------ the list */

static struct xattr *find_locked(struct inode *i, const char *name)
{
	struct xattr *x;

	lock_assert_held(&i->lock);
	if (!i->xattrs)
		return NULL;
	TAILQ_FOREACH(x, &i->xattrs->items, link)
		if (strcmp(x->data, name) == 0)
			return x;
	return NULL;
}

static void take_locked(struct inode *i, struct xattr *x)
{
	lock_assert_held(&i->lock);
	TAILQ_REMOVE(&i->xattrs->items, x, link);
	i->xattrs->names_bytes -= x->name_bytes;
}

static int make(const char *name, const void *value, size_t bytes, struct xattr **out)
{
	size_t name_bytes = strlen(name) + 1;
	struct xattr *x = vfs_is_full() ? NULL : kmem_alloc(sizeof(*x) + name_bytes + bytes);

	if (!x)
		return -ENOSPC;
	x->name_bytes = name_bytes;
	x->value_bytes = bytes;
	memcpy(x->data, name, name_bytes);
	memcpy(x->data + name_bytes, value, bytes);
	*out = x;
	return 0;
}

/* spare is an empty list; it is taken when the node has none. */
static int put_locked(struct inode *i, struct xattr *made, enum xattr_how how,
	struct xattr_list **spare, struct xattr **old)
{
	struct xattr *x = find_locked(i, made->data);

	lock_assert_held(&i->lock);
	if (how == XATTR_NEW && x)
		return -EEXIST;
	if (how == XATTR_OLD && !x)
		return -ENODATA;
	if (!i->xattrs) {
		i->xattrs = *spare;
		*spare = NULL;
	}
	if (!x && i->xattrs->names_bytes + made->name_bytes > XATTR_LIST_MAX)
		return -ENOSPC; /* (2) */
	if (x)
		take_locked(i, x);
	*old = x;
	TAILQ_INSERT_TAIL(&i->xattrs->items, made, link);
	i->xattrs->names_bytes += made->name_bytes;
	i->ctime_ns = vfs_now_ns();
	return 0;
}

int xattr_set(struct inode *i, const char *name, const void *value, size_t bytes,
	enum xattr_how how)
{
	struct xattr_list *spare;
	struct xattr *made = NULL, *old = NULL;
	int r = check_name(i, name, true);

	if (r == 0)
		r = make(name, value, bytes, &made);
	if (r != 0)
		return r;
	spare = kmem_zalloc(sizeof(*spare));
	if (!spare) {
		kmem_free(made);
		return -ENOMEM;
	}
	TAILQ_INIT(&spare->items);
	spin_lock(&i->lock);
	r = put_locked(i, made, how, &spare, &old);
	spin_unlock(&i->lock);
	kmem_free(spare);
	kmem_free(r == 0 ? old : made);
	if (r == 0)
		inotify_touch(i, IN_ATTRIB);
	return r;
}

int xattr_remove(struct inode *i, const char *name)
{
	struct xattr *x;
	int r = check_name(i, name, true);

	if (r < 0)
		return r;
	spin_lock(&i->lock);
	x = find_locked(i, name);
	if (x) {
		take_locked(i, x);
		i->ctime_ns = vfs_now_ns();
	}
	spin_unlock(&i->lock);
	kmem_free(x);
	if (x)
		inotify_touch(i, IN_ATTRIB);
	return x ? 0 : -ENODATA;
}

long xattr_get(struct inode *i, const char *name, void *buf, size_t size)
{
	const struct xattr *x;
	long r = check_name(i, name, false);

	if (r < 0)
		return r;
	spin_lock(&i->lock);
	x = find_locked(i, name);
	r = x ? (long)x->value_bytes : -ENODATA;
	if (r > 0 && size && (size_t)r > size)
		r = -ERANGE;
	if (r > 0 && size)
		memcpy(buf, x->data + x->name_bytes, x->value_bytes);
	spin_unlock(&i->lock);
	return r;
}

long xattr_list(struct inode *i, char *buf, size_t size)
{
	bool all = cred_can(CAP_SYS_ADMIN);
	const struct xattr *x;
	size_t n = 0;

	spin_lock(&i->lock);
	if (i->xattrs) {
		TAILQ_FOREACH(x, &i->xattrs->items, link) {
			if (!all && has_prefix(x->data, "trusted."))
				continue;
			if (n + x->name_bytes <= size)
				memcpy(buf + n, x->data, x->name_bytes);
			n += x->name_bytes;
		}
	}
	spin_unlock(&i->lock);
	return size && n > size ? -ERANGE : (long)n;
}

void xattr_inode_freed(struct inode *i)
{
	struct xattr *x;

	while (i->xattrs && (x = TAILQ_FIRST(&i->xattrs->items))) {
		TAILQ_REMOVE(&i->xattrs->items, x, link);
		kmem_free(x);
	}
	kmem_free(i->xattrs);
}
