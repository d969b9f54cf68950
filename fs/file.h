/*
 * file.h: an open file: the interface that files, pipes and sockets implement.
 *
 * struct file is the open file description: dup shares it. Letters: [I] immutable, [a] atomic,
 * [f] the file's own lock.
 */
#pragma once

#include <stdatomic.h>

#include "base/compiler.h"
#include "base/types.h"
#include "fs/mutex.h"
#include "kernel/sync/pollq.h"
#include "kernel/sync/spinlock.h"
#include "kernel/uio.h"

struct file;
struct file_stat; /* fs/stat.h */
struct inode; /* fs/vfs.h */
struct vm_object;

struct file_ops {
	const char *kind; /* "socket:", "pipe:", "anon_inode:[eventpoll]": for /proc/self/fd */
	/* Bytes moved, 0 at the end, -errno. May sleep. offset_bytes: where, or FILE_AT_POSITION
	 * for the file's own position or for streams. NULL: -EINVAL (-EBADF by mode is checked
	 * before). */
	long (*read)(struct file *f, struct uio *u, int64_t offset_bytes);
	long (*write)(struct file *f, struct uio *u, int64_t offset_bytes);
	/* EPOLL* bits that hold now. NULL: not pollable, and epoll_ctl gives -EPERM. */
	uint32_t (*poll)(struct file *f);
	struct pollq *(*pollq)(struct file *f); /* with poll: where changes are announced */
	long (*ioctl)(struct file *f, uint32_t command, uaddr_t arg); /* NULL: -ENOTTY */
	int (*stat)(struct file *f, struct file_stat *out); /* NULL: -EBADF */
	int64_t (*seek)(struct file *f, int64_t offset_bytes, int whence); /* NULL: -ESPIPE */
	int (*truncate)(struct file *f, int64_t bytes); /* NULL: -EINVAL */
	int (*sync)(struct file *f, bool data_only); /* NULL: -EINVAL */
	/* Source of pages for mmap, with a reference for the caller; NULL op: -ENODEV. */
	int (*map)(struct file *f, bool shared, struct vm_object **out);
	/* O_NONBLOCK, O_APPEND … changed by fcntl; NULL: nothing to do. */
	void (*flags_changed)(struct file *f);
	/* Last reference went: free what is behind. May sleep only if the file can. */
	void (*release)(struct file *f);
};

#define FILE_AT_POSITION (-1)
/* For writes to regular files only: at their end, whatever their flags say; the position stays, or
 * moves behind what was written. */
#define FILE_AT_END (-2)
#define FILE_AT_END_MOVING (-3)

struct file {
	const struct file_ops *ops; /* [I] */
	_Atomic uint32_t refs; /* [a] */
	_Atomic uint32_t flags; /* [a] access mode and O_* status flags, Linux values */
	void *object; /* [I] what is behind: a socket, a pipe, an inode … */
	int64_t position_bytes; /* [f] */
	struct spinlock lock; /* LOCK_FS */
	/* fs/epoll.c: registrations of this description; NULL: none */
	struct epoll_items *epoll_items;
	/* [I] its node in the tree, with a reference; NULL: pipes, sockets … */
	struct inode *inode;
	struct fs_mutex position_mutex; /* held over a read or write at position_bytes */
};

/* A new description with one reference; object is taken. -ENOMEM (object stays the caller's). */
int file_alloc(const struct file_ops *ops, void *object, uint32_t flags,
	struct file **out) must_check;
void file_get(struct file *f);
bool file_get_live(struct file *f); /* for holders of weak pointers; false: already closed */
void file_put(struct file *f); /* last one: leaves epoll sets, then release */

/* Check the access mode and go to ops. What ops->read and ops->write say, and -EBADF. */
long file_read(struct file *f, struct uio *u, int64_t offset_bytes) must_check;
long file_write(struct file *f, struct uio *u, int64_t offset_bytes) must_check;
/* Readiness for poll and select: files without ops->poll are always ready, as on Linux. */
uint32_t file_poll(struct file *f);
int file_stat(struct file *f, struct file_stat *out) must_check;
bool file_can_read(const struct file *f); /* by its access mode; never one of O_PATH */
bool file_can_write(const struct file *f);
bool file_is_regular(const struct file *f); /* with contents in the page cache, not O_PATH */
/* Replaces the flags that F_SETFL may change. */
void file_set_flags(struct file *f, uint32_t flags);

static inline uint32_t file_flags(const struct file *f)
{
	return atomic_load_explicit(&f->flags, memory_order_relaxed);
}

static inline bool file_is_nonblocking(const struct file *f)
{
	return (atomic_load_explicit(&f->flags, memory_order_relaxed) & 04000) !=
		0; /* O_NONBLOCK */
}
