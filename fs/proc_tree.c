/*
 * proc_tree.c: the directories of /proc and /sys: names that are made when they are asked for.
 *
 * What:       a node's path is in a table; a directory knows the prefix that its nodes' paths have.
 *             A look-up searches the tables and adds what it finds to the directory, where it stays
 *             as any other name does; listing a directory adds all. A boot makes none of them, and
 *             programs ask for few.
 * Invariants: (1) a path is looked for until it is made, then it is an entry of its directory.
 *             (2) tables do not change when boot is over.
 * Locking:    the tree's.
 * Failure:    -ENOENT, -ENOMEM; no memory at boot: ASSERT.
 * Source:     none; fs/dir.c does the same with the names of the archive.
 */
#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "fs/proc_priv.h"
#include "fs/tree_priv.h"
#include "kernel/mm/kmem.h"
#include "lib/string.h"

/* A directory's private. */
struct prefix {
	const char *text; /* some node's path begins with it, or the root of all */
	size_t len; /* up to and with its last slash */
};

static struct {
	struct proc_table *tables; /* [I] after boot */
} proc_tree;

void proc_add(struct proc_table *table)
{
	table->next = proc_tree.tables;
	proc_tree.tables = table;
}

/* What comes behind a prefix in a path; NULL: it has another one. */
static const char *behind(const char *path, const char *prefix, size_t len)
{
	for (; len; len--)
		if (*path++ != *prefix++) /* the path's NUL is no character of a prefix */
			return NULL;
	return path;
}

static void free_prefix(struct inode *dir)
{
	kmem_free(dir->private);
}

static int lookup(struct inode *dir, const char *name, size_t len, struct inode **out);
static int fill(struct inode *dir);
static const struct inode_ops dir_ops = { .lookup = lookup, .fill = fill, .free = free_prefix };

static int become_dir(struct inode *i, const char *text, size_t len)
{
	struct prefix *p = kmem_alloc(sizeof(*p));

	if (!p)
		return -ENOMEM;
	*p = (struct prefix){ text, len };
	i->private = p;
	i->ops = &dir_ops;
	return 0;
}

static int become_link(struct inode *i, const char *target)
{
	i->target_bytes = strlen(target);
	i->target = kmem_alloc(i->target_bytes + 1);
	if (!i->target)
		return -ENOMEM;
	memcpy(i->target, target, i->target_bytes + 1);
	return 0;
}

/* dir_len: the first bytes of the path, which name a directory; 0: it is the file itself. */
static int become(struct inode *i, const struct proc_file *f, size_t dir_len)
{
	i->device = VFS_DEVICE_PROC;
	if (dir_len)
		return become_dir(i, f->path, dir_len);
	if (f->target)
		return become_link(i, f->target);
	i->ops = f->generate ? &proc_generated_ops : f->ops;
	i->private = (void *)(uintptr_t)f->generate;
	return 0;
}

static int make(struct inode *dir, const char *name, size_t len, const struct proc_file *f,
	size_t dir_len, struct inode **out)
{
	uint32_t mode = dir_len ? S_IFDIR | 0555 : f->generate ? S_IFREG | 0444 : f->mode;
	struct inode *i;
	int r = inode_alloc(mode, &i);

	if (r < 0)
		return r;
	r = become(i, f, dir_len);
	if (r == 0)
		r = dir_add_locked(dir, name, len, i);
	if (r == 0)
		*out = i;
	else
		inode_put(i);
	return r;
}

static int lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	const struct prefix *p = dir->private;

	for (const struct proc_table *t = proc_tree.tables; t; t = t->next)
		for (size_t n = 0; n < t->count; n++) {
			const char *path = t->files[n].path;
			const char *rest = behind(path, p->text, p->len);

			rest = rest ? behind(rest, name, len) : NULL;
			if (rest && (*rest == 0 || *rest == '/'))
				return make(dir, name, len, &t->files[n],
					*rest ? (size_t)(rest + 1 - path) : 0, out);
		}
	return -ENOENT;
}

/* The first name behind a prefix. None: the prefix is "", and the path is absolute. */
static size_t name_bytes(const char *rest)
{
	const char *slash = strchr(rest, '/');

	return slash ? (size_t)(slash - rest) : strlen(rest);
}

static int fill(struct inode *dir)
{
	const struct prefix *p = dir->private;
	int r = 0;

	for (const struct proc_table *t = proc_tree.tables; t; t = t->next)
		for (size_t n = 0; n < t->count && r == 0; n++) {
			const char *rest = behind(t->files[n].path, p->text, p->len);
			struct inode *made;

			if (!rest || name_bytes(rest) == 0)
				continue;
			r = dir_find_locked(dir, rest, name_bytes(rest), &made); /* (1) */
			if (r == 0)
				inode_put(made);
		}
	return r;
}

void proc_tree_init(const char *path, const char *prefix)
{
	struct vfs_at at = { .path = path, .by_kernel = true };
	struct inode *dir;

	if (vfs_resolve(&at, VFS_FOLLOW, &dir) < 0)
		return; /* the image has something else there: fs/fs.c has told */
	dir->device = VFS_DEVICE_PROC;
	if (inode_is_dir(dir) && become_dir(dir, prefix, strlen(prefix)) < 0)
		ASSERT(!"memory for generated files");
	inode_put(dir);
}
