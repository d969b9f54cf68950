/*
 * node_file.c: regular files, directories and O_PATH descriptions as open files.
 *
 * What:       the struct file_ops over a node of the tree.
 * Invariants: (1) file->inode is the node, with a reference that file_put gives back.
 * Locking:    position_mutex is held over a read or write that moves the position.
 * Failure:    -EISDIR, -EINVAL, what data.c says.
 * Source:     read(2), write(2), lseek(2).
 */
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/inotify.h>

#include "base/errno.h"
#include "base/units.h"
#include "fs/data.h"
#include "fs/inotify.h"
#include "fs/tree_priv.h"

/* What would end behind every possible end, also of a read. */
static bool ends_nowhere(int64_t offset_bytes, const struct uio *u)
{
	return offset_bytes > 0 && u->left_bytes > (uint64_t)(INT64_MAX - offset_bytes);
}

static long read_at(struct file *f, struct uio *u, int64_t offset_bytes)
{
	return ends_nowhere(offset_bytes, u) ? -EINVAL
					     : data_read(f->inode, u, (uint64_t)offset_bytes);
}

static long regular_read(struct file *f, struct uio *u, int64_t offset_bytes)
{
	long n;

	if (offset_bytes != FILE_AT_POSITION) {
		n = read_at(f, u, offset_bytes);
	} else {
		fs_mutex_lock(&f->position_mutex);
		n = read_at(f, u, f->position_bytes);
		if (n > 0)
			f->position_bytes += n;
		fs_mutex_unlock(&f->position_mutex);
	}
	if (n >= 0 && !(file_flags(f) & O_NOATIME))
		inode_touch_read(f->inode);
	if (n > 0)
		inotify_touch(f->inode, IN_ACCESS);
	return n;
}

static long write_at(struct file *f, struct uio *u, int64_t offset_bytes, bool append,
	uint64_t *end)
{
	return ends_nowhere(offset_bytes, u)
		? -EINVAL
		: data_write(f->inode, u, (uint64_t)offset_bytes, append, end);
}

static long regular_write(struct file *f, struct uio *u, int64_t offset_bytes)
{
	bool append = file_flags(f) & O_APPEND || offset_bytes <= FILE_AT_END;
	uint64_t end;
	long n;

	if (offset_bytes != FILE_AT_POSITION && offset_bytes != FILE_AT_END_MOVING)
		return write_at(f, u, offset_bytes, append, &end);
	fs_mutex_lock(&f->position_mutex);
	n = write_at(f, u, f->position_bytes, append, &end);
	if (n > 0)
		f->position_bytes = (int64_t)end;
	fs_mutex_unlock(&f->position_mutex);
	return n;
}

static int64_t new_position(struct file *f, int64_t offset_bytes, int whence)
{
	int64_t base = 0;

	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		base = f->position_bytes;
		break;
	case SEEK_END:
		base = (int64_t)data_size(f->inode);
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		if (offset_bytes < 0)
			return -ENXIO;
		return data_seek(f->inode, (uint64_t)offset_bytes, whence == SEEK_DATA);
	default:
		return -EINVAL;
	}
	if (offset_bytes > 0 && base > INT64_MAX - offset_bytes)
		return -EINVAL;
	return base + offset_bytes < 0 ? -EINVAL : base + offset_bytes;
}

static int64_t regular_seek(struct file *f, int64_t offset_bytes, int whence)
{
	int64_t to;

	fs_mutex_lock(&f->position_mutex);
	to = new_position(f, offset_bytes, whence);
	if (to >= 0)
		f->position_bytes = to;
	fs_mutex_unlock(&f->position_mutex);
	return to;
}

static int regular_truncate(struct file *f, int64_t bytes)
{
	return data_truncate(f->inode, bytes);
}

static int node_sync(struct file *f, bool data_only)
{
	(void)f;
	(void)data_only;
	return 0; /* memory is where these files live: nothing is more durable than it already is */
}

static int regular_map(struct file *f, bool shared, struct vm_object **out)
{
	struct inode *i = f->inode;

	data_note_mapping(i, shared);
	inode_get(i);
	*out = &i->vm_object;
	return 0;
}

static const struct file_ops regular_ops = {
	.kind = "file:",
	.read = regular_read,
	.write = regular_write,
	.seek = regular_seek,
	.truncate = regular_truncate,
	.sync = node_sync,
	.map = regular_map,
};

/* ------------------------------------------------------------------ directories */

static long dir_read(struct file *f, struct uio *u, int64_t offset_bytes)
{
	(void)f;
	(void)u;
	(void)offset_bytes;
	return -EISDIR;
}

static int64_t dir_seek(struct file *f, int64_t offset_bytes, int whence)
{
	int64_t to = -EINVAL;

	fs_mutex_lock(&f->position_mutex);
	if (whence == SEEK_CUR &&
		__builtin_add_overflow(offset_bytes, f->position_bytes, &offset_bytes))
		whence = -1;
	if ((whence == SEEK_SET || whence == SEEK_CUR) && offset_bytes >= 0)
		to = f->position_bytes = offset_bytes;
	fs_mutex_unlock(&f->position_mutex);
	return to;
}

static const struct file_ops dir_ops = {
	.kind = "directory:",
	.read = dir_read,
	.seek = dir_seek,
	.sync = node_sync,
};

/* Reading and writing are refused with -EBADF before these ops are asked. */
static const struct file_ops path_ops = {
	.kind = "path:",
};

bool file_is_regular(const struct file *f)
{
	return f->ops == &regular_ops;
}

int node_open(struct inode *i, uint32_t flags, struct file **out)
{
	const struct file_ops *ops = inode_is_dir(i) ? &dir_ops : &regular_ops;

	if (ops == &regular_ops && (flags & O_ACCMODE) != O_RDONLY)
		data_note_writer(i);
	return file_alloc(flags & O_PATH ? &path_ops : ops, NULL, flags, out);
}

/* The position is the order of the last item shown. */
int vfs_read_dir(struct file *f, bool (*emit)(const struct dir_item *item, void *arg), void *arg)
{
	struct dir_item item;
	int r = 0;

	if (!f->inode || f->ops != &dir_ops)
		return -ENOTDIR;
	if (f->inode->links == 0)
		return -ENOENT; /* it was removed */
	fs_mutex_lock(&f->position_mutex);
	while (r == 0) {
		r = dir_list(f->inode, (uint64_t)f->position_bytes, &item);
		if (r < 0 || !emit(&item, arg))
			break;
		f->position_bytes = (int64_t)item.order;
	}
	fs_mutex_unlock(&f->position_mutex);
	inotify_touch(f->inode, IN_ACCESS);
	return r == -ENOENT ? 0 : r;
}
