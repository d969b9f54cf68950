/*
 * file.c: open file descriptions: their life, and the checks common to all kinds.
 *
 * What:       counts references; the last one leaves the epoll sets, then the kind's release
 *             runs, then the inode goes.
 * Invariants: (1) after refs reached 0 nobody can get the description any more: file_get_live
 *             refuses, and the descriptor table holds a reference of its own.
 * Locking:    none of its own; references are atomic.
 * Failure:    -ENOMEM at creation; -EBADF when the access mode forbids the operation.
 * Source:     POSIX open file descriptions; Linux's fs/file_table.c and fs/read_write.c for checks.
 */
#include "fs/file.h"

#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "base/assert.h"
#include "base/errno.h"
#include "fs/epoll.h"
#include "fs/inode.h"
#include "fs/inotify.h"
#include "fs/lock.h"
#include "fs/stat.h"
#include "kernel/mm/kmem.h"

#define SETTABLE_FLAGS ((uint32_t)(O_APPEND | O_NONBLOCK | O_NOATIME | O_DIRECT))
#define ALWAYS_READY (EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM)

int file_alloc(const struct file_ops *ops, void *object, uint32_t flags, struct file **out)
{
	struct file *f = kmem_zalloc(sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->ops = ops;
	f->object = object;
	atomic_init(&f->refs, 1);
	atomic_init(&f->flags, flags);
	spinlock_init(&f->lock, LOCK_FS);
	fs_mutex_init(&f->position_mutex);
	*out = f;
	return 0;
}

void file_get(struct file *f)
{
	uint32_t old = atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);

	ASSERT(old > 0);
}

bool file_get_live(struct file *f)
{
	uint32_t refs = atomic_load_explicit(&f->refs, memory_order_relaxed);

	while (refs > 0) {
		if (atomic_compare_exchange_weak_explicit(&f->refs, &refs, refs + 1,
			    memory_order_acquire, memory_order_relaxed))
			return true;
	}
	return false;
}

static void tell_closed(struct file *f)
{
	uint32_t flags = file_flags(f);

	if (!(flags & O_PATH))
		inotify_touch(f->inode,
			(flags & O_ACCMODE) == O_RDONLY ? IN_CLOSE_NOWRITE : IN_CLOSE_WRITE);
}

void file_put(struct file *f)
{
	uint32_t old = atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel);

	ASSERT(old > 0);
	if (old > 1)
		return;
	epoll_file_closed(f);
	if (f->inode) {
		lock_file_closed(f);
		tell_closed(f);
	}
	if (f->ops->release)
		f->ops->release(f);
	if (f->inode)
		inode_put_relaxed(f->inode);
	kmem_free(f);
}

/* The mode 3 opens for neither, as on Linux: for ioctls. */
bool file_can_read(const struct file *f)
{
	uint32_t mode = file_flags(f) & (O_ACCMODE | O_PATH);

	return mode == O_RDONLY || mode == O_RDWR;
}

bool file_can_write(const struct file *f)
{
	uint32_t mode = file_flags(f) & (O_ACCMODE | O_PATH);

	return mode == O_WRONLY || mode == O_RDWR;
}

long file_read(struct file *f, struct uio *u, int64_t offset_bytes)
{
	if (!file_can_read(f))
		return -EBADF;
	if (!f->ops->read)
		return -EINVAL;
	return f->ops->read(f, u, offset_bytes);
}

long file_write(struct file *f, struct uio *u, int64_t offset_bytes)
{
	if (!file_can_write(f))
		return -EBADF;
	if (!f->ops->write)
		return -EINVAL;
	return f->ops->write(f, u, offset_bytes);
}

uint32_t file_poll(struct file *f)
{
	return f->ops->poll ? f->ops->poll(f) : ALWAYS_READY;
}

int file_stat(struct file *f, struct file_stat *out)
{
	*out = (struct file_stat){ .links = 1, .block_bytes = 4096 };
	if (f->ops->stat)
		return f->ops->stat(f, out);
	if (!f->inode)
		return -EBADF;
	inode_get_stat(f->inode, out);
	return 0;
}

void file_set_flags(struct file *f, uint32_t flags)
{
	uint32_t old = file_flags(f);

	while (!atomic_compare_exchange_weak_explicit(&f->flags, &old,
		(old & ~SETTABLE_FLAGS) | (flags & SETTABLE_FLAGS), memory_order_relaxed,
		memory_order_relaxed))
		;
	if (f->ops->flags_changed)
		f->ops->flags_changed(f);
}
