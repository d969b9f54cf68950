/*
 * xattr.h: extended attributes: small values by name, kept with a node.
 *
 * Names are whole ("user.mime_type") and at most XATTR_NAME_MAX bytes; values at most
 * XATTR_VALUE_MAX. Which names exist for whom is checked here: -EOPNOTSUPP for a prefix that is not
 * user, trusted or security; -EPERM or -ENODATA for what this node or thread may not have.
 */
#pragma once

#include "base/compiler.h"
#include "fs/inode.h"

#define XATTR_NAME_MAX 255u
#define XATTR_VALUE_MAX 65536u
#define XATTR_LIST_MAX 65536u

enum xattr_how { XATTR_ANY, XATTR_NEW, XATTR_OLD }; /* NEW: -EEXIST; OLD: -ENODATA */

int xattr_set(struct inode *i, const char *name, const void *value, size_t bytes,
	enum xattr_how how) must_check; /* -ENOSPC, -ENOMEM */
int xattr_remove(struct inode *i, const char *name) must_check; /* -ENODATA */
/* Bytes of the value; -ERANGE: more than size; size 0: only asks. -ENODATA. */
long xattr_get(struct inode *i, const char *name, void *buf, size_t size) must_check;
/* Bytes of all names with their NULs; otherwise the same. */
long xattr_list(struct inode *i, char *buf, size_t size) must_check;
void xattr_inode_freed(struct inode *i);
