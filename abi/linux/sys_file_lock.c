/*
 * sys_file_lock.c: flock and record locks: Linux's arguments into ranges.
 *
 * What:       struct flock's whence, start and length become first and last byte.
 * Invariants: none; no state.
 * Locking:    none held; may sleep.
 * Failure:    -errno of the manual pages.
 * Source:     flock(2), fcntl(2).
 */
#include "abi/linux/sys_file.h"

#include <linux/fcntl.h>
#include <linux/fs.h>

#include "abi/linux/sysargs.h"
#include "base/assert.h"
#include "fs/data.h"
#include "fs/fdtable.h"
#include "fs/lock.h"
#include "kernel/process.h"

STATIC_ASSERT(sizeof(struct flock) == 32, "Linux's struct flock on 64 bits");

static long flock_file(struct file *f, uint32_t operation)
{
	struct lock_range all = { .last = UINT64_MAX };

	if (!f->inode || file_flags(f) & O_PATH)
		return -EBADF;
	switch (operation & ~(uint32_t)LOCK_NB) {
	case LOCK_UN:
		return lock_clear(f, LOCK_KIND_FLOCK, &all);
	case LOCK_EX:
		all.exclusive = true;
		/* fallthrough */
	case LOCK_SH:
		return lock_set(f, LOCK_KIND_FLOCK, &all, !(operation & LOCK_NB));
	default:
		return -EINVAL;
	}
}

long linux_flock(int fd, uint32_t operation)
{
	struct file *f;
	long r = fdtable_get(fd, &f);

	if (r < 0)
		return r;
	r = flock_file(f, operation);
	file_put(f);
	return r;
}

static int get_base(struct file *f, const struct flock *fl, int64_t *base)
{
	switch (fl->l_whence) {
	case SEEK_SET:
		*base = 0;
		return 0;
	case SEEK_CUR:
		*base = f->ops->seek ? f->ops->seek(f, 0, SEEK_CUR) : 0;
		return 0;
	case SEEK_END:
		*base = inode_is_regular(f->inode) && !f->inode->ops ? (int64_t)data_size(f->inode)
								     : 0;
		return 0;
	default:
		return -EINVAL;
	}
}

static int decode_range(struct file *f, const struct flock *fl, struct lock_range *r)
{
	int64_t base, first, end;

	if (get_base(f, fl, &base) < 0)
		return -EINVAL;
	if (__builtin_add_overflow(base, fl->l_start, &first) ||
		__builtin_add_overflow(first, fl->l_len, &end))
		return -EOVERFLOW;
	if (fl->l_len < 0) {
		int64_t swap = first;

		first = end;
		end = swap;
	}
	if (first < 0)
		return -EINVAL;
	r->first = (uint64_t)first;
	r->last = fl->l_len == 0 ? UINT64_MAX : (uint64_t)end - 1;
	return 0;
}

static int check_mode(const struct file *f, int16_t type)
{
	uint32_t mode = file_flags(f) & O_ACCMODE;

	if (type == F_RDLCK && mode == O_WRONLY)
		return -EBADF;
	return type == F_WRLCK && mode == O_RDONLY ? -EBADF : 0;
}

static long test_lock(struct file *f, struct lock_range *r, struct flock *fl, uaddr_t flock_ua)
{
	if (lock_test(f, r)) {
		fl->l_type = r->exclusive ? F_WRLCK : F_RDLCK;
		fl->l_whence = SEEK_SET;
		fl->l_start = (int64_t)r->first;
		fl->l_len = r->last == UINT64_MAX ? 0 : (int64_t)(r->last - r->first + 1);
		fl->l_pid = r->of_process ? PROCESS_PID : -1;
	} else {
		fl->l_type = F_UNLCK;
	}
	return user_copy_out(flock_ua, fl, sizeof(*fl));
}

long linux_record_lock(struct file *f, uint32_t command, uaddr_t flock_ua)
{
	bool of_description = command >= F_OFD_GETLK;
	struct lock_range r = { .of_process = !of_description };
	struct flock fl;
	int err;

	if (user_copy_in(&fl, flock_ua, sizeof(fl)) < 0)
		return -EFAULT;
	if (!f->inode)
		return -EBADF;
	if (fl.l_type != F_RDLCK && fl.l_type != F_WRLCK && fl.l_type != F_UNLCK)
		return -EINVAL;
	if (of_description && fl.l_pid != 0)
		return -EINVAL;
	err = decode_range(f, &fl, &r);
	if (err < 0)
		return err;
	r.exclusive = fl.l_type == F_WRLCK;
	if (command == F_GETLK || command == F_OFD_GETLK)
		return fl.l_type == F_UNLCK ? -EINVAL : test_lock(f, &r, &fl, flock_ua);
	if (fl.l_type == F_UNLCK)
		return lock_clear(f, LOCK_KIND_RECORD, &r);
	err = check_mode(f, fl.l_type);
	if (err < 0)
		return err;
	return lock_set(f, LOCK_KIND_RECORD, &r, command == F_SETLKW || command == F_OFD_SETLKW);
}
