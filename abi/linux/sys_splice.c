/*
 * sys_splice.c: splice, tee, vmsplice.
 *
 * What:       decode, find out which ends are pipes, then fs/splice.h.
 * Invariants: none; no state.
 * Locking:    none held; everything may sleep.
 * Failure:    -errno of the manual pages.
 * Source:     splice(2) tee(2) vmsplice(2); Linux fs/splice.c for the order of checks.
 */
#include <linux/fcntl.h>
#include <linux/fs.h>

#include "abi/linux/fsargs.h"
#include "abi/linux/sysargs.h"
#include "base/units.h"
#include "fs/fdtable.h"
#include "fs/splice.h"

/* Linux include/linux/splice.h: not in the published headers. */
#define SPLICE_NONBLOCK 2u
#define SPLICE_FLAGS 15u /* MOVE and GIFT are hints, MORE too */

struct ends {
	struct file *in, *out;
	struct pipe *in_pipe, *out_pipe; /* NULL: not a pipe */
};

static int get_ends(int in, int out, struct ends *e)
{
	int r = fdtable_get_open(in, &e->in);

	if (r < 0)
		return r;
	r = fdtable_get_open(out, &e->out);
	if (r < 0) {
		file_put(e->in);
		return r;
	}
	e->in_pipe = file_is_pipe(e->in) ? file_pipe(e->in) : NULL;
	e->out_pipe = file_is_pipe(e->out) ? file_pipe(e->out) : NULL;
	return 0;
}

static void put_ends(struct ends *e)
{
	file_put(e->in);
	file_put(e->out);
}

static bool is_nonblocking(const struct file *pipe, uint32_t flags)
{
	return flags & SPLICE_NONBLOCK || file_is_nonblocking(pipe);
}

/* *at: the offset in the program's memory, or the file's own position. */
static int load_offset(const struct file *f, uaddr_t ua, uint64_t bytes, int64_t *at)
{
	uint64_t v;

	if (f->inode && inode_is_dir(f->inode))
		return -EINVAL;
	*at = FILE_AT_POSITION;
	if (!ua)
		return 0;
	if (!f->ops->seek)
		return -EINVAL;
	if (user_load_u64(&v, ua) < 0)
		return -EFAULT;
	*at = (int64_t)v;
	return *at < 0 || bytes > (uint64_t)(INT64_MAX - *at) ? -EINVAL : 0;
}

static long from_file(struct ends *e, uaddr_t ua, uint64_t bytes, uint32_t flags)
{
	int64_t at;
	long n = load_offset(e->in, ua, bytes, &at);

	if (n < 0)
		return n;
	n = splice_from_file(e->in, &at, e->out_pipe, bytes, is_nonblocking(e->out, flags));
	if (n > 0 && ua && user_store_u64(ua, (uint64_t)at) < 0)
		return -EFAULT;
	return n;
}

static long to_file(struct ends *e, uaddr_t ua, uint64_t bytes, uint32_t flags)
{
	int64_t at;
	long n = load_offset(e->out, ua, bytes, &at);

	if (n < 0)
		return n;
	if (file_flags(e->out) & O_APPEND)
		return -EINVAL;
	n = splice_to_file(e->in_pipe, e->out, &at, bytes, is_nonblocking(e->in, flags));
	if (n > 0 && ua && user_store_u64(ua, (uint64_t)at) < 0)
		return -EFAULT;
	return n;
}

static long splice_ends(struct ends *e, const struct sysargs *a)
{
	uint64_t bytes = MIN(a->arg[4], FSARGS_BYTES_MAX);
	uint32_t flags = (uint32_t)a->arg[5];

	if (!file_can_read(e->in) || !file_can_write(e->out))
		return -EBADF;
	if (!e->in_pipe && !e->out_pipe)
		return -EINVAL;
	if ((e->in_pipe && a->arg[1]) || (e->out_pipe && a->arg[3]))
		return -ESPIPE;
	if (e->in_pipe == e->out_pipe)
		return -EINVAL;
	if (e->in_pipe && e->out_pipe)
		return splice_between_pipes(e->in_pipe, e->out_pipe, bytes,
			is_nonblocking(e->in, flags) || is_nonblocking(e->out, flags), false);
	return e->in_pipe ? to_file(e, a->arg[3], bytes, flags)
			  : from_file(e, a->arg[1], bytes, flags);
}

long sys_splice(const struct sysargs *a)
{
	struct ends e;
	long r;

	if (a->arg[4] == 0)
		return 0;
	if ((uint32_t)a->arg[5] & ~SPLICE_FLAGS)
		return -EINVAL;
	r = get_ends(sysarg_int(a, 0), sysarg_int(a, 2), &e);
	if (r < 0)
		return r;
	r = splice_ends(&e, a);
	put_ends(&e);
	return r;
}

static long tee_ends(struct ends *e, uint64_t bytes, uint32_t flags)
{
	if (!file_can_read(e->in) || !file_can_write(e->out))
		return -EBADF;
	if (!e->in_pipe || !e->out_pipe || e->in_pipe == e->out_pipe)
		return -EINVAL;
	return splice_between_pipes(e->in_pipe, e->out_pipe, bytes,
		is_nonblocking(e->in, flags) || is_nonblocking(e->out, flags), true);
}

long sys_tee(const struct sysargs *a)
{
	struct ends e;
	long r;

	if ((uint32_t)a->arg[3] & ~SPLICE_FLAGS)
		return -EINVAL;
	if (a->arg[2] == 0)
		return 0;
	r = get_ends(sysarg_int(a, 0), sysarg_int(a, 1), &e);
	if (r < 0)
		return r;
	r = tee_ends(&e, MIN(a->arg[2], FSARGS_BYTES_MAX), (uint32_t)a->arg[3]);
	put_ends(&e);
	return r;
}

static long move_memory(struct file *f, const struct sysargs *a)
{
	bool to_pipe = file_can_write(f);
	struct fsargs_vector v;
	struct uio u;
	long r;

	if (!file_is_pipe(f))
		return -EBADF;
	r = fsargs_vector_get(a->arg[1], a->arg[2], &v);
	if (r < 0)
		return r;
	uio_init_ranges(&u, v.ranges, v.count);
	r = splice_memory(file_pipe(f), &u, to_pipe, is_nonblocking(f, (uint32_t)a->arg[3]));
	fsargs_vector_put(&v);
	return r;
}

long sys_vmsplice(const struct sysargs *a)
{
	struct file *f;
	long r;

	if ((uint32_t)a->arg[3] & ~SPLICE_FLAGS)
		return -EINVAL;
	r = fdtable_get_open(sysarg_int(a, 0), &f);
	if (r < 0)
		return r;
	r = move_memory(f, a);
	file_put(f);
	return r;
}
