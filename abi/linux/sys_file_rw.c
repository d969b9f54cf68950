/*
 * sys_file_rw.c: calls that move bytes: read, write and their kin.
 *
 * What:       decode into struct uio, then file_read or file_write.
 * Invariants: (1) a call moves at most FSARGS_BYTES_MAX bytes, as on Linux.
 * Locking:    none held; everything may sleep.
 * Failure:    -errno of the manual pages.
 * Source:     read(2) readv(2) pread(2) lseek(2) sendfile(2) copy_file_range(2); Linux
 *             fs/read_write.c for the order of checks.
 */
#include <linux/fcntl.h>
#include <linux/fs.h>

#include "abi/linux/fsargs.h"
#include "abi/linux/sysargs.h"
#include "base/units.h"
#include "fs/data.h"
#include "fs/fdtable.h"
#include "kernel/mm/kmem.h"
#include "kernel/sched/sched.h"
#include "kernel/stats.h"

#define BOUNCE_BYTES (64 * KIB) /* or less, when memory is in small pieces */

static bool is_positioned(const struct file *f)
{
	return f->ops->seek != NULL;
}

static long move(struct file *f, struct uio *u, bool write, int64_t offset_bytes)
{
	long n = write ? file_write(f, u, offset_bytes) : file_read(f, u, offset_bytes);

	stat_inc(write ? STAT_write_calls : STAT_read_calls);
	if (n > 0)
		stat_add(write ? STAT_write_bytes : STAT_read_bytes, (uint64_t)n);
	return n;
}

static long move_one(const struct sysargs *a, bool write, bool positioned)
{
	struct uio_range range = { a->arg[1], MIN(a->arg[2], FSARGS_BYTES_MAX) };
	int64_t offset = positioned ? (int64_t)a->arg[3] : FILE_AT_POSITION;
	struct file *f;
	struct uio u;
	long r;

	if (positioned && offset < 0)
		return -EINVAL;
	r = fdtable_get_open(sysarg_int(a, 0), &f);
	if (r < 0)
		return r;
	uio_init_range(&u, &range);
	if (positioned && !is_positioned(f))
		r = -ESPIPE;
	else if (!user_can_be(range.base, range.bytes))
		r = -EFAULT;
	else
		r = move(f, &u, write, offset);
	file_put(f);
	return r;
}

long sys_read(const struct sysargs *a)
{
	return move_one(a, false, false);
}

long sys_write(const struct sysargs *a)
{
	return move_one(a, true, false);
}

long sys_pread64(const struct sysargs *a)
{
	return move_one(a, false, true);
}

long sys_pwrite64(const struct sysargs *a)
{
	return move_one(a, true, true);
}

/* ------------------------------------------------------------------ vectors */

static long move_ranges(struct file *f, const struct sysargs *a, bool write, int64_t offset)
{
	struct fsargs_vector v;
	struct uio u;
	long r = fsargs_vector_get(a->arg[1], a->arg[2], &v);

	if (r < 0)
		return r;
	uio_init_ranges(&u, v.ranges, v.count);
	r = move(f, &u, write, offset);
	fsargs_vector_put(&v);
	return r;
}

static long move_vector(const struct sysargs *a, bool write, int64_t offset)
{
	struct file *f;
	long r = fdtable_get_open(sysarg_int(a, 0), &f);

	if (r < 0)
		return r;
	if (offset != FILE_AT_POSITION && !is_positioned(f))
		r = -ESPIPE;
	else
		r = move_ranges(f, a, write, offset);
	file_put(f);
	return r;
}

long sys_readv(const struct sysargs *a)
{
	return move_vector(a, false, FILE_AT_POSITION);
}

long sys_writev(const struct sysargs *a)
{
	return move_vector(a, true, FILE_AT_POSITION);
}

long sys_preadv(const struct sysargs *a)
{
	return (int64_t)a->arg[3] < 0 ? -EINVAL : move_vector(a, false, (int64_t)a->arg[3]);
}

long sys_pwritev(const struct sysargs *a)
{
	return (int64_t)a->arg[3] < 0 ? -EINVAL : move_vector(a, true, (int64_t)a->arg[3]);
}

/* RWF_HIPRI, RWF_DSYNC and RWF_SYNC ask for what is always so. RWF_NOWAIT and RWF_APPEND are for
 * regular files: those never wait, for they are in memory; others would have to be told. */
static int check_rwf(const struct file *f, uint32_t flags)
{
	if (flags & ~(uint32_t)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND))
		return -EOPNOTSUPP;
	return flags & (RWF_NOWAIT | RWF_APPEND) && !file_is_regular(f) ? -EOPNOTSUPP : 0;
}

static long move_vector2(const struct sysargs *a, bool write)
{
	uint32_t flags = (uint32_t)a->arg[5];
	int64_t offset = (int64_t)a->arg[3];
	struct file *f;
	long r;

	if (offset < FILE_AT_POSITION)
		return -EINVAL;
	r = fdtable_get_open(sysarg_int(a, 0), &f);
	if (r < 0)
		return r;
	r = check_rwf(f, flags);
	if (r == 0 && write && flags & RWF_APPEND && offset != FILE_AT_POSITION)
		offset = FILE_AT_END;
	else if (r == 0 && write && flags & RWF_APPEND)
		offset = FILE_AT_END_MOVING;
	if (r == 0 && offset >= 0 && !is_positioned(f))
		r = -ESPIPE;
	if (r == 0)
		r = move_ranges(f, a, write, offset);
	file_put(f);
	return r;
}

long sys_preadv2(const struct sysargs *a)
{
	return move_vector2(a, false);
}

long sys_pwritev2(const struct sysargs *a)
{
	return move_vector2(a, true);
}

long sys_lseek(const struct sysargs *a)
{
	struct file *f;
	int64_t r = fdtable_get_open(sysarg_int(a, 0), &f);

	if (r < 0)
		return r;
	if (!f->ops->seek)
		r = -ESPIPE;
	else
		r = f->ops->seek(f, (int64_t)a->arg[1], (int)a->arg[2]);
	file_put(f);
	return r;
}

/* ------------------------------------------------------------------ from file to file */

struct transfer {
	struct file *in, *out;
	int64_t in_at, out_at; /* out_at: FILE_AT_POSITION for streams */
	uint64_t left_bytes;
	char *bounce;
	uint64_t bounce_bytes;
};

/* One piece; what out did not take is not taken from in. */
static long transfer_piece(struct transfer *t)
{
	struct uio u;
	long got, put;

	uio_init_kernel(&u, t->bounce, MIN(t->left_bytes, t->bounce_bytes));
	got = file_read(t->in, &u, t->in_at);
	if (got <= 0)
		return got;
	uio_init_kernel(&u, t->bounce, (uint64_t)got);
	put = file_write(t->out, &u, t->out_at);
	if (put <= 0)
		return put;
	t->in_at += put;
	t->left_bytes -= (uint64_t)put;
	if (t->out_at != FILE_AT_POSITION)
		t->out_at += put;
	if (put < got)
		t->left_bytes = 0;
	return put;
}

static long transfer_all(struct transfer *t)
{
	long done = 0;

	if (t->left_bytes == 0)
		return 0;
	t->bounce_bytes = MIN(BOUNCE_BYTES, ROUND_UP(t->left_bytes, PAGE_SIZE));
	while (t->bounce_bytes >= PAGE_SIZE && !(t->bounce = kmem_alloc(t->bounce_bytes)))
		t->bounce_bytes /= 2;
	if (!t->bounce)
		return -ENOMEM;
	while (t->left_bytes > 0) {
		long n = transfer_piece(t);

		if (n < 0 && !done)
			done = n;
		if (n <= 0)
			break;
		done += n;
		sched_relax();
	}
	kmem_free(t->bounce);
	return done;
}

/* Where a transfer starts: *ua when there is one, else the file's position. */
static int get_start(struct file *f, uaddr_t ua, int64_t *at)
{
	if (!f->ops->seek)
		return ua ? -ESPIPE : -EINVAL;
	if (ua) {
		uint64_t v;

		if (user_load_u64(&v, ua) < 0)
			return -EFAULT;
		*at = (int64_t)v;
	} else {
		*at = f->ops->seek(f, 0, SEEK_CUR);
	}
	return *at < 0 ? -EINVAL : 0;
}

static int put_end(struct file *f, uaddr_t ua, int64_t at)
{
	if (ua)
		return user_store_u64(ua, (uint64_t)at);
	return f->ops->seek(f, at, SEEK_SET) < 0 ? -EINVAL : 0;
}

static long send_file(struct transfer *t, uaddr_t offset_ua)
{
	long done;
	int r = file_can_read(t->in) ? get_start(t->in, offset_ua, &t->in_at) : -EBADF;

	if (r == 0 && !file_can_write(t->out))
		r = -EBADF;
	if (r < 0)
		return r;
	if (t->in->inode && inode_is_dir(t->in->inode))
		return -EINVAL;
	if (file_flags(t->out) & O_APPEND || t->left_bytes > (uint64_t)(INT64_MAX - t->in_at))
		return -EINVAL;
	done = transfer_all(t);
	if (done > 0 && put_end(t->in, offset_ua, t->in_at) < 0)
		return -EFAULT;
	return done;
}

static int get_two(int in, int out, struct transfer *t)
{
	int r = fdtable_get_open(in, &t->in);

	if (r < 0)
		return r;
	r = fdtable_get_open(out, &t->out);
	if (r < 0)
		file_put(t->in);
	return r;
}

long sys_sendfile(const struct sysargs *a)
{
	struct transfer t = { .out_at = FILE_AT_POSITION };
	long r = get_two(sysarg_int(a, 1), sysarg_int(a, 0), &t);

	if (r < 0)
		return r;
	t.left_bytes = MIN(a->arg[3], FSARGS_BYTES_MAX);
	r = send_file(&t, a->arg[2]);
	file_put(t.in);
	file_put(t.out);
	return r;
}

static int check_copy(const struct transfer *t)
{
	const struct inode *in = t->in->inode, *out = t->out->inode;

	if (!in || !out || in->ops || out->ops)
		return -EINVAL;
	if (inode_is_dir(in) || inode_is_dir(out))
		return -EISDIR;
	if (!inode_is_regular(in) || !inode_is_regular(out))
		return -EINVAL;
	if (!file_can_read(t->in) || !file_can_write(t->out) || file_flags(t->out) & O_APPEND)
		return -EBADF;
	return 0;
}

/* Ends the copy where the first file ends, and at the last possible byte of the second. */
static int cut_copy(struct transfer *t)
{
	uint64_t in = (uint64_t)t->in_at, out = (uint64_t)t->out_at;
	uint64_t size = data_size(t->in->inode);

	t->left_bytes = in < size ? MIN(t->left_bytes, size - in) : 0;
	if (t->left_bytes > 0 && out == INT64_MAX)
		return -EFBIG;
	t->left_bytes = MIN(t->left_bytes, INT64_MAX - out);
	if (t->in->inode == t->out->inode && in < out + t->left_bytes && out < in + t->left_bytes)
		return -EINVAL; /* they overlap */
	return 0;
}

static long copy_range(struct transfer *t, uaddr_t in_ua, uaddr_t out_ua)
{
	long done;
	int r = check_copy(t);

	if (r == 0)
		r = get_start(t->in, in_ua, &t->in_at);
	if (r == 0)
		r = get_start(t->out, out_ua, &t->out_at);
	if (r < 0)
		return r;
	r = cut_copy(t);
	if (r < 0)
		return r;
	done = transfer_all(t);
	if (done > 0 &&
		(put_end(t->in, in_ua, t->in_at) < 0 || put_end(t->out, out_ua, t->out_at) < 0))
		return -EFAULT;
	return done;
}

long sys_copy_file_range(const struct sysargs *a)
{
	struct transfer t = { 0 };
	long r;

	if (a->arg[5] != 0)
		return -EINVAL;
	r = get_two(sysarg_int(a, 0), sysarg_int(a, 2), &t);
	if (r < 0)
		return r;
	t.left_bytes = MIN(a->arg[4], FSARGS_BYTES_MAX);
	r = copy_range(&t, a->arg[1], a->arg[3]);
	file_put(t.in);
	file_put(t.out);
	return r;
}
