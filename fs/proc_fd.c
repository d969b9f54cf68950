/*
 * proc_fd.c: /proc/self/fd and fdinfo: the open descriptors.
 *
 * What:       two directories whose names are made when they are asked for.
 * Invariants: (1) a name is the decimal number of an open descriptor, without leading zeros.
 * Locking:    look-ups run under the tree's lock and take LOCK_FDTABLE.
 * Failure:    -ENOENT for what is not open.
 * Source:     proc(5).
 */
#include <linux/fcntl.h>

#include "base/errno.h"
#include "base/units.h"
#include "fs/fdtable.h"
#include "fs/proc_priv.h"
#include "fs/tree_priv.h"
#include "kernel/mm/kmem.h"
#include "lib/fmt.h"
#include "lib/string.h"

#define FD_ORDER 3u /* of descriptor 0 in the directory */

/* ------------------------------------------------------------------ fd */

/* The link's private. A file that was looked at under the tree's lock is put when the link is
 * freed, without it: it might be the last reference, and closing takes locks. */
struct fd_link {
	int fd;
	struct file *held; /* [t] */
};

static long file_text(struct file *f, char *buf, size_t size)
{
	size_t len = strlen(f->ops->kind);
	struct file_stat st;
	char text[64];

	if (f->ops->kind[len - 1] == ':' && file_stat(f, &st) == 0)
		fmt_snprintf(text, sizeof(text), "%s[%lu]", f->ops->kind, st.inode);
	else
		strlcpy(text, f->ops->kind, sizeof(text));
	return proc_copy_link(buf, size, text);
}

static long fd_readlink(struct inode *i, char *buf, size_t size)
{
	struct fd_link *l = i->private;
	struct inode *node;
	long n;

	if (l->held)
		return file_text(l->held, buf, size);
	if (fdtable_get_node(l->fd, &node, &l->held) < 0)
		return -ENOENT;
	if (!node)
		return file_text(l->held, buf, size);
	n = tree_path_locked(node, buf, size);
	inode_put(node);
	return n;
}

static int fd_follow(struct inode *i, struct inode **to, struct file **file)
{
	const struct fd_link *l = i->private;

	return fdtable_get_node(l->fd, to, file) < 0 ? -ENOENT : 0;
}

static void fd_free(struct inode *i)
{
	struct fd_link *l = i->private;

	if (l->held)
		file_put(l->held);
	kmem_free(l);
}

static const struct inode_ops fd_ops = {
	.readlink = fd_readlink,
	.follow = fd_follow,
	.free = fd_free,
};

static int fd_dir_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	int fd = proc_parse_number(name, len), r;
	struct fd_link *l;

	(void)dir;
	if (fd < 0 || fdtable_get_flags(fd) < 0)
		return -ENOENT;
	l = kmem_zalloc(sizeof(*l));
	if (!l)
		return -ENOMEM;
	r = inode_alloc(S_IFLNK | 0700, out);
	if (r < 0) {
		kmem_free(l);
		return r;
	}
	l->fd = fd;
	(*out)->ops = &fd_ops;
	(*out)->private = l;
	(*out)->device = VFS_DEVICE_PROC;
	(*out)->links = 1;
	return 0;
}

static int fd_dir_list(struct inode *dir, uint64_t after, struct dir_item *out)
{
	int fd = fdtable_next(after < FD_ORDER ? 0 : (int)(after - FD_ORDER) + 1);

	if (fd < 0)
		return -ENOENT;
	*out = (struct dir_item){
		.order = FD_ORDER + (uint64_t)fd,
		.inode = dir->number + 1000000 + (uint64_t)fd,
		.mode = S_IFLNK,
	};
	out->len = (uint32_t)fmt_snprintf(out->name, sizeof(out->name), "%d", fd);
	return 0;
}

/* As Linux since 6.2: so it can be asked without a list of them all. */
static uint64_t fd_dir_size(void)
{
	uint64_t open = 0;

	for (int fd = fdtable_next(0); fd >= 0; fd = fdtable_next(fd + 1))
		open++;
	return open;
}

const struct inode_ops proc_fd_ops = {
	.lookup = fd_dir_lookup,
	.list = fd_dir_list,
	.size = fd_dir_size,
};

/* ------------------------------------------------------------------ fdinfo */

static void make_fdinfo(struct proc_text *t, uint64_t fd)
{
	struct file_stat st = { 0 };
	uint32_t flags;
	struct file *f;

	if (fdtable_get((int)fd, &f) < 0)
		return; /* closed meanwhile */
	flags = file_flags(f) | (fdtable_get_flags((int)fd) > 0 ? (uint32_t)O_CLOEXEC : 0);
	if (file_stat(f, &st) < 0)
		st.inode = 0;
	proc_print(t, "pos:\t%ld\nflags:\t0%o\nmnt_id:\t%u\nino:\t%lu\n", f->position_bytes, flags,
		st.device == VFS_DEVICE_PROC ? 22u : 21u, st.inode);
	file_put(f);
}

static int fdinfo_dir_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	int fd = proc_parse_number(name, len);

	(void)dir;
	if (fd < 0 || fdtable_get_flags(fd) < 0)
		return -ENOENT;
	return proc_make_text_node((uint64_t)fd, make_fdinfo, out);
}

static int fdinfo_dir_list(struct inode *dir, uint64_t after, struct dir_item *out)
{
	int r = fd_dir_list(dir, after, out);

	if (r == 0)
		out->mode = S_IFREG;
	return r;
}

const struct inode_ops proc_fdinfo_ops = { .lookup = fdinfo_dir_lookup, .list = fdinfo_dir_list };
