/*
 * dev.c: /dev: null, zero, full, random, urandom, tty, and links to the standard files.
 *
 * What:       one inode_ops for all; the inode's private is the file_ops of the device.
 * Invariants: none.
 * Locking:    none; devices have no state.
 * Failure:    full: -ENOSPC on every write. tty: -ENXIO when no standard file is a terminal.
 * Source:     null(4), full(4), random(4), tty(4); numbers: Linux's devices.txt.
 */
#include "fs/dev.h"

#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "fs/console.h"
#include "fs/inode.h"
#include "fs/vfs.h"
#include "kernel/entropy.h"
#include "kernel/sched/sched.h"

#define DEVICE(major, minor) ((uint64_t)(major) << 8 | (minor))
#define PIECE_BYTES 256u

static long null_read(struct file *f, struct uio *u, int64_t offset_bytes)
{
	(void)f;
	(void)u;
	(void)offset_bytes;
	return 0;
}

static long null_write(struct file *f, struct uio *u, int64_t offset_bytes)
{
	(void)f;
	(void)offset_bytes;
	return (long)u->left_bytes;
}

static long zero_read(struct file *f, struct uio *u, int64_t offset_bytes)
{
	long done = 0;

	(void)f;
	(void)offset_bytes;
	while (u->left_bytes > 0) {
		long n = uio_zero(u, MIB);

		if (n <= 0)
			return done ? done : n;
		done += n;
		sched_relax();
	}
	return done;
}

static long full_write(struct file *f, struct uio *u, int64_t offset_bytes)
{
	(void)f;
	(void)u;
	(void)offset_bytes;
	return -ENOSPC;
}

static long random_read(struct file *f, struct uio *u, int64_t offset_bytes)
{
	uint8_t piece[PIECE_BYTES];
	long done = 0;

	(void)f;
	(void)offset_bytes;
	while (u->left_bytes > 0) {
		size_t want = MIN(u->left_bytes, sizeof(piece));
		long n;

		entropy_fill(piece, want);
		n = uio_copy_to(u, piece, want);
		if (n <= 0)
			return done ? done : n;
		done += n;
		if (done % (long)(64 * KIB) == 0)
			sched_relax();
	}
	return done;
}

static long random_write(struct file *f, struct uio *u, int64_t offset_bytes)
{
	uint8_t piece[PIECE_BYTES];
	long done = 0;

	(void)f;
	(void)offset_bytes;
	while (u->left_bytes > 0) {
		long n = uio_copy_from(u, piece, sizeof(piece));

		if (n <= 0)
			return done ? done : n;
		entropy_mix(piece, (size_t)n);
		done += n;
	}
	return done;
}

/* Positions mean nothing here, but asking for one is no error. */
static int64_t device_seek(struct file *f, int64_t offset_bytes, int whence)
{
	(void)f;
	(void)offset_bytes;
	return whence >= 0 && whence <= 2 ? 0 : -EINVAL;
}

static const struct file_ops null_ops = {
	.kind = "/dev/null",
	.read = null_read,
	.write = null_write,
	.seek = device_seek,
};
/* Zeroes that are written to are anonymous memory. */
static int zero_map(struct file *f, bool shared, struct vm_object **out)
{
	(void)f;
	(void)shared;
	*out = NULL;
	return 0;
}

static const struct file_ops zero_ops = {
	.kind = "/dev/zero",
	.map = zero_map,
	.read = zero_read,
	.write = null_write,
	.seek = device_seek,
};
static const struct file_ops full_ops = {
	.kind = "/dev/full",
	.read = zero_read,
	.write = full_write,
	.seek = device_seek,
};
static const struct file_ops random_ops = {
	.kind = "/dev/urandom",
	.read = random_read,
	.write = random_write,
	.seek = device_seek,
};

static int device_open(struct inode *i, uint32_t flags, struct file **out)
{
	return file_alloc(i->private, NULL, flags, out);
}

static int tty_open(struct inode *i, uint32_t flags, struct file **out)
{
	(void)i;
	return console_open_tty(flags, out);
}

static const struct inode_ops device_ops = { .open = device_open };
static int console_open_any(struct inode *i, uint32_t flags, struct file **out)
{
	(void)i;
	return console_open((flags & O_ACCMODE) == O_RDONLY ? 0 : 1, flags, out);
}

static const struct inode_ops tty_ops = { .open = tty_open };
/* What is written there goes where the program's output goes. */
static const struct inode_ops console_ops = { .open = console_open_any };

static void make_device(const char *path, uint64_t number, const struct inode_ops *ops,
	const struct file_ops *files)
{
	struct inode *i;
	/* private is for every kind of node; device_open only reads through it. */
	int r = vfs_make_special(path, S_IFCHR | 0666, number, ops, (void *)(uintptr_t)files, &i);

	ASSERT(r == 0 || r == -EEXIST);
}

static void make_link(const char *path, const char *target)
{
	struct vfs_at at = { .path = path };
	int r = vfs_symlink(target, &at);

	ASSERT(r == 0 || r == -EEXIST);
}

void dev_init(void)
{
	make_device("/dev/null", DEVICE(1, 3), &device_ops, &null_ops);
	make_device("/dev/zero", DEVICE(1, 5), &device_ops, &zero_ops);
	make_device("/dev/full", DEVICE(1, 7), &device_ops, &full_ops);
	make_device("/dev/random", DEVICE(1, 8), &device_ops, &random_ops);
	make_device("/dev/urandom", DEVICE(1, 9), &device_ops, &random_ops);
	make_device("/dev/tty", DEVICE(5, 0), &tty_ops, NULL);
	make_device("/dev/console", DEVICE(5, 1), &console_ops, NULL);
	make_link("/dev/fd", "/proc/self/fd");
	make_link("/dev/stdin", "/proc/self/fd/0");
	make_link("/dev/stdout", "/proc/self/fd/1");
	make_link("/dev/stderr", "/proc/self/fd/2");
}
