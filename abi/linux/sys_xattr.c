/*
 * sys_xattr.c: calls on extended attributes.
 *
 * What:       find the node, copy name and value in, then fs/xattr.h.
 * Invariants: none; no state.
 * Locking:    none held; may sleep.
 * Failure:    -errno of the manual pages.
 * Source:     setxattr(2) getxattr(2) listxattr(2) removexattr(2); Linux fs/xattr.c for the order
 *             of checks.
 */
#include <linux/fcntl.h>
#include <linux/xattr.h>

#include "abi/linux/fsargs.h"
#include "abi/linux/sysargs.h"
#include "base/units.h"
#include "fs/fdtable.h"
#include "fs/xattr.h"
#include "kernel/mm/kmem.h"

enum target { BY_PATH, BY_LINK, BY_FD };

static int get_target(const struct sysargs *a, enum target by, struct inode **out)
{
	if (by != BY_FD)
		return fsargs_inode_get(AT_FDCWD, a->arg[0], 0, by == BY_PATH, out);
	return fsargs_fd_inode_get(sysarg_int(a, 0), -EOPNOTSUPP, out);
}

static int get_name(uaddr_t ua, char name[XATTR_NAME_MAX + 1])
{
	long n = user_copy_str(name, ua, XATTR_NAME_MAX + 1);

	if (n == 0 || n == -ENAMETOOLONG)
		return -ERANGE;
	return (int)MIN(n, 0);
}

/* ------------------------------------------------------------------ set */

/* The value is looked at before the file. */
static int set(const char *name, const struct sysargs *a, enum target by)
{
	uint64_t bytes = a->arg[3];
	enum xattr_how how = a->arg[4] & XATTR_CREATE ? XATTR_NEW
		: a->arg[4] & XATTR_REPLACE           ? XATTR_OLD
						      : XATTR_ANY;
	char *value = kmem_alloc(MAX(bytes, 1ul));
	struct inode *i;
	int r;

	if (!value)
		return -ENOMEM;
	r = user_copy_in(value, a->arg[2], bytes) < 0 ? -EFAULT : get_target(a, by, &i);
	if (r == 0) {
		r = xattr_set(i, name, value, bytes, how);
		inode_put(i);
	}
	kmem_free(value);
	return r;
}

static long set_by(const struct sysargs *a, enum target by)
{
	char name[XATTR_NAME_MAX + 1];
	int r;

	if ((uint32_t)a->arg[4] & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	r = get_name(a->arg[1], name);
	if (r == 0 && a->arg[3] > XATTR_VALUE_MAX)
		r = -E2BIG;
	return r < 0 ? r : set(name, a, by);
}

long sys_setxattr(const struct sysargs *a)
{
	return set_by(a, BY_PATH);
}

long sys_lsetxattr(const struct sysargs *a)
{
	return set_by(a, BY_LINK);
}

long sys_fsetxattr(const struct sysargs *a)
{
	return set_by(a, BY_FD);
}

/* ------------------------------------------------------------------ get and list */

/* name NULL: lists. */
static long get(struct inode *i, const char *name, uaddr_t ua, uint64_t size)
{
	char *buf;
	long n;

	size = MIN(size, (uint64_t)XATTR_VALUE_MAX);
	buf = kmem_alloc(MAX(size, 1ul));
	if (!buf)
		return -ENOMEM;
	n = name ? xattr_get(i, name, buf, size) : xattr_list(i, buf, size);
	if (n > 0 && size && user_copy_out(ua, buf, (size_t)n) < 0)
		n = -EFAULT;
	kmem_free(buf);
	return n;
}

static long get_by(const struct sysargs *a, enum target by)
{
	char name[XATTR_NAME_MAX + 1];
	struct inode *i;
	long r = get_name(a->arg[1], name);

	if (r == 0)
		r = get_target(a, by, &i);
	if (r < 0)
		return r;
	r = get(i, name, a->arg[2], a->arg[3]);
	inode_put(i);
	return r;
}

long sys_getxattr(const struct sysargs *a)
{
	return get_by(a, BY_PATH);
}

long sys_lgetxattr(const struct sysargs *a)
{
	return get_by(a, BY_LINK);
}

long sys_fgetxattr(const struct sysargs *a)
{
	return get_by(a, BY_FD);
}

static long list_by(const struct sysargs *a, enum target by)
{
	struct inode *i;
	long r = get_target(a, by, &i);

	if (r < 0)
		return r;
	r = get(i, NULL, a->arg[1], a->arg[2]);
	inode_put(i);
	return r;
}

long sys_listxattr(const struct sysargs *a)
{
	return list_by(a, BY_PATH);
}

long sys_llistxattr(const struct sysargs *a)
{
	return list_by(a, BY_LINK);
}

long sys_flistxattr(const struct sysargs *a)
{
	return list_by(a, BY_FD);
}

/* ------------------------------------------------------------------ remove */

static long remove_by(const struct sysargs *a, enum target by)
{
	char name[XATTR_NAME_MAX + 1];
	struct inode *i;
	int r = get_name(a->arg[1], name);

	if (r == 0)
		r = get_target(a, by, &i);
	if (r < 0)
		return r;
	r = xattr_remove(i, name);
	inode_put(i);
	return r;
}

long sys_removexattr(const struct sysargs *a)
{
	return remove_by(a, BY_PATH);
}

long sys_lremovexattr(const struct sysargs *a)
{
	return remove_by(a, BY_LINK);
}

long sys_fremovexattr(const struct sysargs *a)
{
	return remove_by(a, BY_FD);
}
