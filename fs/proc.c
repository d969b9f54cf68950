/*
 * proc.c: generated files.
 *
 * What:       opening makes the whole text, which the description keeps; reading is a copy of it.
 *             So a reader sees one moment, however slowly it reads.
 * Invariants: (1) a description's text never changes.
 * Locking:    position_mutex for the position; generators take what they need.
 * Failure:    -ENOMEM at open.
 * Source:     proc(5); Linux fs/seq_file.c for sizes (0) and seeking.
 */
#include "fs/proc.h"

#include <linux/fcntl.h>
#include <linux/fs.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "fs/proc_priv.h"
#include "fs/tree_priv.h"
#include "fs/vfs.h"
#include "kernel/mm/kmem.h"
#include "lib/fmt.h"
#include "lib/string.h"

#define FIRST_ROOM 512u

static bool make_room(struct proc_text *t, size_t more)
{
	size_t room = MAX(t->room, FIRST_ROOM);
	char *data;

	while (room < t->len + more)
		room *= 2;
	if (room == t->room)
		return true;
	data = t->failed ? NULL : kmem_realloc(t->data, room);
	t->failed |= !data;
	if (!data)
		return false;
	t->data = data;
	t->room = room;
	return true;
}

void proc_append(struct proc_text *t, const void *data, size_t bytes)
{
	if (!make_room(t, bytes))
		return;
	memcpy(t->data + t->len, data, bytes);
	t->len += bytes;
}

void proc_print(struct proc_text *t, const char *format, ...)
{
	va_list ap;
	int n;

	if (!make_room(t, 1))
		return;
	va_start(ap, format);
	n = fmt_vsnprintf(t->data + t->len, t->room - t->len, format, ap);
	va_end(ap);
	if (n > 0 && (size_t)n >= t->room - t->len) {
		if (!make_room(t, (size_t)n + 1))
			return;
		va_start(ap, format);
		n = fmt_vsnprintf(t->data + t->len, t->room - t->len, format, ap);
		va_end(ap);
	}
	t->len += n > 0 ? (size_t)n : 0;
}

/* ------------------------------------------------------------------ the open file */

static long copy_text(const struct proc_text *t, struct uio *u, uint64_t from)
{
	if (from >= t->len)
		return 0;
	return uio_copy_to(u, t->data + from, t->len - from);
}

static long text_read(struct file *f, struct uio *u, int64_t offset_bytes)
{
	long n;

	if (offset_bytes != FILE_AT_POSITION)
		return copy_text(f->object, u, (uint64_t)offset_bytes);
	fs_mutex_lock(&f->position_mutex);
	n = copy_text(f->object, u, (uint64_t)f->position_bytes);
	if (n > 0)
		f->position_bytes += n;
	fs_mutex_unlock(&f->position_mutex);
	return n;
}

static long text_write(struct file *f, struct uio *u, int64_t offset_bytes)
{
	(void)f;
	(void)u;
	(void)offset_bytes;
	return -EIO; /* as Linux's files without a write method */
}

static int64_t text_seek(struct file *f, int64_t offset_bytes, int whence)
{
	const struct proc_text *t = f->object;
	int64_t to = -EINVAL;

	fs_mutex_lock(&f->position_mutex);
	if (whence == SEEK_CUR)
		offset_bytes += f->position_bytes;
	else if (whence == SEEK_END)
		offset_bytes += (int64_t)t->len;
	if (whence >= SEEK_SET && whence <= SEEK_END && offset_bytes >= 0)
		to = f->position_bytes = offset_bytes;
	fs_mutex_unlock(&f->position_mutex);
	return to;
}

static void text_release(struct file *f)
{
	struct proc_text *t = f->object;

	kmem_free(t->data);
	kmem_free(t);
}

static const struct file_ops text_ops = {
	.kind = "proc:",
	.read = text_read,
	.write = text_write,
	.seek = text_seek,
	.release = text_release,
};

static int open_text(struct proc_text *t, uint32_t flags, struct file **out)
{
	int r = t->failed ? -ENOMEM : file_alloc(&text_ops, t, flags, out);

	if (r < 0) {
		kmem_free(t->data);
		kmem_free(t);
	}
	return r;
}

static int generated_open(struct inode *i, uint32_t flags, struct file **out)
{
	proc_generator *generate = (proc_generator *)(uintptr_t)i->private;
	struct proc_text *t = kmem_zalloc(sizeof(*t));

	if (!t)
		return -ENOMEM;
	generate(t);
	return open_text(t, flags, out);
}

const struct inode_ops proc_generated_ops = { .open = generated_open };

/* ------------------------------------------------------------------ nodes that come and go */

struct numbered {
	proc_numbered_generator *generate;
	uint64_t number;
};

static int numbered_open(struct inode *i, uint32_t flags, struct file **out)
{
	const struct numbered *n = i->private;
	struct proc_text *t = kmem_zalloc(sizeof(*t));

	if (!t)
		return -ENOMEM;
	n->generate(t, n->number);
	return open_text(t, flags, out);
}

static void numbered_free(struct inode *i)
{
	kmem_free(i->private);
}

static const struct inode_ops numbered_ops = { .open = numbered_open, .free = numbered_free };

int proc_make_text_node(uint64_t number, proc_numbered_generator *generate, struct inode **out)
{
	struct numbered *n = kmem_alloc(sizeof(*n));
	int r;

	if (!n)
		return -ENOMEM;
	*n = (struct numbered){ generate, number };
	r = inode_alloc(S_IFREG | 0444, out);
	if (r < 0) {
		kmem_free(n);
		return r;
	}
	(*out)->ops = &numbered_ops;
	(*out)->private = n;
	(*out)->device = VFS_DEVICE_PROC;
	(*out)->links = 1;
	return 0;
}

int proc_make_link_node(const char *target, struct inode **out)
{
	size_t bytes = strlen(target);
	char *copy = kmem_alloc(bytes + 1);
	int r;

	if (!copy)
		return -ENOMEM;
	r = inode_alloc(S_IFLNK | 0777, out);
	if (r < 0) {
		kmem_free(copy);
		return r;
	}
	memcpy(copy, target, bytes + 1);
	(*out)->target = copy;
	(*out)->target_bytes = bytes;
	(*out)->device = VFS_DEVICE_PROC;
	(*out)->links = 1;
	return 0;
}

int proc_make_dir_node(uint64_t number, const struct inode_ops *ops, struct inode *parent,
	const char *name, size_t len, struct inode **out)
{
	int r = inode_alloc(S_IFDIR | 0555, out);

	if (r < 0)
		return r;
	(*out)->ops = ops;
	(*out)->private = (void *)(uintptr_t)number;
	(*out)->device = VFS_DEVICE_PROC;
	(*out)->links = 2;
	r = dir_call_locked(*out, parent, name, len);
	if (r < 0)
		inode_put(*out);
	return r;
}

uint64_t proc_dir_number(const struct inode *dir)
{
	return (uint64_t)(uintptr_t)dir->private;
}

int proc_parse_number(const char *name, size_t len)
{
	int n = 0;

	if (len == 0 || len > 7 || (name[0] == '0' && len > 1))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		n = n * 10 + (name[i] - '0');
	}
	return n;
}

long proc_copy_link(char *buf, size_t size, const char *text)
{
	size_t n = MIN(strlen(text), size);

	memcpy(buf, text, n);
	return (long)n;
}

void proc_init(void)
{
	proc_tree_init("/proc", "");
	proc_tree_init("/sys", "/sys/");
	proc_add_self();
	proc_add_system();
	proc_add_gosolo();
}
