/*
 * sys_file.c: calls on descriptors: close, dup, fcntl, ioctl, pipe, eventfd, sync, locks.
 *
 * What:       decode, then the file's own ops or fs/.
 * Invariants: none; no state.
 * Locking:    none held; everything may sleep.
 * Failure:    -errno of the manual pages. close never gives -EINTR.
 * Source:     fcntl(2) dup(2) close_range(2) pipe(2) eventfd(2) flock(2) fsync(2) memfd_create(2).
 */
#include "abi/linux/sys_file.h"

#include <asm/ioctls.h>
#include <linux/close_range.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/memfd.h>

#include "abi/linux/sys_net_priv.h"
#include "abi/linux/sysargs.h"
#include "base/assert.h"
#include "base/units.h"
#include "fs/data.h"
#include "fs/eventfd.h"
#include "fs/fdtable.h"
#include "fs/pipe.h"
#include "fs/vfs.h"
#include "lib/string.h"

#define MEMFD_NAME_MAX 250u
#ifndef MFD_EXEC /* the same: include/uapi/linux/memfd.h */
#define MFD_NOEXEC_SEAL 0x0008U
#define MFD_EXEC 0x0010U
#endif
#define LINUX_EFD_SEMAPHORE 1u /* Linux include/uapi/linux/eventfd.h; the others are O_* */

long sys_close(const struct sysargs *a)
{
	return fdtable_close(sysarg_int(a, 0));
}

long sys_close_range(const struct sysargs *a)
{
	uint32_t first = (uint32_t)a->arg[0], last = (uint32_t)a->arg[1];
	uint32_t flags = (uint32_t)a->arg[2];

	if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last)
		return -EINVAL;
	if (first >= FDTABLE_LIMIT)
		return 0;
	last = MIN(last, FDTABLE_LIMIT - 1);
	for (int fd = fdtable_next((int)first); fd >= 0 && fd <= (int)last;
		fd = fdtable_next(fd + 1)) {
		int r = flags & CLOSE_RANGE_CLOEXEC ? fdtable_set_flags(fd, true)
						    : fdtable_close(fd);

		if (r < 0)
			continue; /* another thread was faster */
	}
	return 0;
}

/* ------------------------------------------------------------------ dup */

static long dup_from(int old_fd, uint32_t min, bool close_on_exec)
{
	struct file *f;
	int fd, r = fdtable_get(old_fd, &f);

	if (r < 0)
		return r;
	r = fdtable_install(f, min, close_on_exec, &fd);
	if (r < 0)
		file_put(f);
	return r < 0 ? r : fd;
}

long sys_dup(const struct sysargs *a)
{
	return dup_from(sysarg_int(a, 0), 0, false);
}

long sys_dup2(const struct sysargs *a)
{
	int old_fd = sysarg_int(a, 0), new_fd = sysarg_int(a, 1), r;

	if (old_fd == new_fd) {
		r = fdtable_get_flags(old_fd);
		return r < 0 ? r : new_fd;
	}
	r = new_fd < 0 ? -EBADF : fdtable_dup_at(old_fd, (uint32_t)new_fd, false);
	return r < 0 ? r : new_fd;
}

long sys_dup3(const struct sysargs *a)
{
	int old_fd = sysarg_int(a, 0), new_fd = sysarg_int(a, 1), r;
	uint32_t flags = (uint32_t)a->arg[2];

	if (flags & ~(uint32_t)O_CLOEXEC || old_fd == new_fd)
		return -EINVAL;
	if (new_fd < 0)
		return -EBADF;
	r = fdtable_dup_at(old_fd, (uint32_t)new_fd, (flags & O_CLOEXEC) != 0);
	return r < 0 ? r : new_fd;
}

/* ------------------------------------------------------------------ locks */

long sys_flock(const struct sysargs *a)
{
	return linux_flock(sysarg_int(a, 0), (uint32_t)a->arg[1]);
}

/* ------------------------------------------------------------------ fcntl */

static long pipe_size(struct file *f, uint32_t command, uint64_t arg)
{
	if (!file_is_pipe(f))
		return -EBADF;
	if (command == F_GETPIPE_SZ)
		return pipe_capacity_bytes(file_pipe(f));
	return pipe_set_capacity(file_pipe(f), (uint32_t)arg);
}

static long change_seals(struct file *f, uint32_t command, uint64_t arg)
{
	if (!file_is_regular(f))
		return -EINVAL;
	if (command == F_GET_SEALS)
		return f->inode->data.seals;
	if (arg &
		~(uint64_t)(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
			F_SEAL_FUTURE_WRITE | F_SEAL_EXEC))
		return -EINVAL;
	if (!file_can_write(f))
		return -EPERM;
	return data_add_seals(f->inode, (uint32_t)arg);
}

static long set_file_flags(struct file *f, uint32_t flags)
{
	if (flags & ~file_flags(f) & O_DIRECT && !file_is_regular(f))
		return -EINVAL;
	file_set_flags(f, flags);
	return 0;
}

static long fcntl_file(struct file *f, const struct sysargs *a)
{
	uint32_t command = (uint32_t)a->arg[1];

	switch (command) {
	case F_GETFL:
		return file_flags(f);
	case F_SETFL:
		return set_file_flags(f, (uint32_t)a->arg[2]);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return linux_record_lock(f, command, a->arg[2]);
	case F_SETPIPE_SZ:
	case F_GETPIPE_SZ:
		return pipe_size(f, command, a->arg[2]);
	case F_ADD_SEALS:
	case F_GET_SEALS:
		return change_seals(f, command, a->arg[2]);
	case F_GETOWN:
		return 0; /* nobody gets SIGIO */
	default:
		return -EINVAL;
	}
}

long sys_fcntl(const struct sysargs *a)
{
	int fd = sysarg_int(a, 0);
	uint32_t command = (uint32_t)a->arg[1];
	struct file *f;
	long r = fdtable_get(fd, &f);

	if (r < 0)
		return r;
	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
		uint32_t min = (uint32_t)a->arg[2];

		r = min >= fdtable_limits().soft ? -EINVAL
						 : dup_from(fd, min, command == F_DUPFD_CLOEXEC);
	} else if (command == F_GETFD) {
		r = fdtable_get_flags(fd);
	} else if (command == F_SETFD) {
		r = fdtable_set_flags(fd, (a->arg[2] & FD_CLOEXEC) != 0);
	} else if (file_flags(f) & O_PATH && command != F_GETFL) {
		r = -EBADF;
	} else {
		r = fcntl_file(f, a);
	}
	file_put(f);
	return r;
}

/* ------------------------------------------------------------------ ioctl */

static long set_nonblocking(struct file *f, uaddr_t arg)
{
	uint32_t on, flags = file_flags(f) & ~(uint32_t)O_NONBLOCK;

	if (user_load_u32(&on, arg) < 0)
		return -EFAULT;
	file_set_flags(f, on ? flags | O_NONBLOCK : flags);
	return 0;
}

static long regular_ioctl(struct file *f, uint32_t command, uaddr_t arg)
{
	int64_t left;

	if (!file_is_regular(f))
		return -ENOTTY;
	if (command == FICLONE || command == FICLONERANGE || command == FIDEDUPERANGE)
		return -EOPNOTSUPP; /* no two files share a page */
	if (command != FIONREAD)
		return -ENOTTY;
	left = (int64_t)data_size(f->inode) - f->position_bytes;
	return user_store_u32(arg, (uint32_t)MIN(left, INT32_MAX));
}

static long ioctl_file(struct file *f, int fd, uint32_t command, uaddr_t arg)
{
	int error;

	if (file_flags(f) & O_PATH)
		return -EBADF;
	error = linux_interface_ioctl(f, command, arg);
	if (error != -ENOTTY)
		return error;
	switch (command) {
	case FIONBIO:
		return set_nonblocking(f, arg);
	case FIOCLEX:
	case FIONCLEX:
		return fdtable_set_flags(fd, command == FIOCLEX);
	default:
		return f->ops->ioctl ? f->ops->ioctl(f, command, arg)
				     : regular_ioctl(f, command, arg);
	}
}

long sys_ioctl(const struct sysargs *a)
{
	struct file *f;
	long r = fdtable_get(sysarg_int(a, 0), &f);

	if (r < 0)
		return r;
	r = ioctl_file(f, sysarg_int(a, 0), (uint32_t)a->arg[1], a->arg[2]);
	file_put(f);
	return r;
}

/* ------------------------------------------------------------------ making descriptors */

static long install_new(struct file *f, uint32_t flags)
{
	int fd, r = fdtable_install(f, 0, (flags & O_CLOEXEC) != 0, &fd);

	if (r < 0)
		file_put(f);
	return r < 0 ? r : fd;
}

static long make_pipe(uaddr_t fds_ua, uint32_t flags)
{
	struct file *ends[2];
	long fds[2] = { -1, -1 };
	int r = pipe_create(flags & ~(uint32_t)O_CLOEXEC, &ends[0], &ends[1]);

	if (r < 0)
		return r;
	fds[0] = install_new(ends[0], flags);
	fds[1] = install_new(ends[1], flags);
	if (fds[0] < 0 || fds[1] < 0)
		r = fds[0] < 0 ? (int)fds[0] : (int)fds[1];
	else if (user_store_u64(fds_ua, (uint64_t)fds[1] << 32 | (uint64_t)fds[0]) < 0)
		r = -EFAULT;
	for (int i = 0; r < 0 && i < 2; i++)
		if (fds[i] >= 0 && fdtable_close((int)fds[i]) < 0)
			continue; /* another thread closed it already */
	return r;
}

long sys_pipe(const struct sysargs *a)
{
	return make_pipe(a->arg[0], 0);
}

long sys_pipe2(const struct sysargs *a)
{
	uint32_t flags = (uint32_t)a->arg[1];

	/* O_DIRECT (packets) and O_NOTIFICATION_PIPE do not exist here. */
	if (flags & ~(uint32_t)(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	return make_pipe(a->arg[0], flags);
}

static long make_eventfd(uint32_t initial, uint32_t flags)
{
	struct file *f;
	int r;

	if (flags & ~(LINUX_EFD_SEMAPHORE | (uint32_t)(O_CLOEXEC | O_NONBLOCK)))
		return -EINVAL;
	r = eventfd_create(initial, (flags & LINUX_EFD_SEMAPHORE) != 0, flags & O_NONBLOCK, &f);
	return r < 0 ? r : install_new(f, flags);
}

long sys_eventfd(const struct sysargs *a)
{
	return make_eventfd((uint32_t)a->arg[0], 0);
}

long sys_eventfd2(const struct sysargs *a)
{
	return make_eventfd((uint32_t)a->arg[0], (uint32_t)a->arg[1]);
}

long sys_memfd_create(const struct sysargs *a)
{
	uint32_t flags = (uint32_t)a->arg[1];
	bool no_exec = (flags & MFD_NOEXEC_SEAL) != 0;
	uint32_t seals = no_exec ? F_SEAL_EXEC : flags & MFD_ALLOW_SEALING ? 0 : F_SEAL_SEAL;
	static const char prefix[] = "memfd:";
	char name[sizeof(prefix) + MEMFD_NAME_MAX];
	struct file *f;
	long r;

	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC | MFD_NOEXEC_SEAL) ||
		(flags & MFD_EXEC && no_exec))
		return -EINVAL;
	memcpy(name, prefix, sizeof(prefix));
	r = user_copy_str(name + sizeof(prefix) - 1, a->arg[0], MEMFD_NAME_MAX);
	if (r < 0)
		return r == -ENAMETOOLONG ? -EINVAL : r;
	r = vfs_make_memfd(name, no_exec ? 0666 : 0777, seals, &f);
	return r < 0 ? r : install_new(f, flags & MFD_CLOEXEC ? O_CLOEXEC : 0);
}

/* ------------------------------------------------------------------ size and durability */

static long sync_file(int fd, bool data_only)
{
	struct file *f;
	int r = fdtable_get_open(fd, &f);

	if (r < 0)
		return r;
	r = f->ops->sync ? f->ops->sync(f, data_only) : -EINVAL;
	file_put(f);
	return r;
}

long sys_fsync(const struct sysargs *a)
{
	return sync_file(sysarg_int(a, 0), false);
}

long sys_fdatasync(const struct sysargs *a)
{
	return sync_file(sysarg_int(a, 0), true);
}

long sys_sync_file_range(const struct sysargs *a)
{
	struct file *f;
	int r = fdtable_get_open(sysarg_int(a, 0), &f);

	if (r < 0)
		return r;
	if ((int64_t)a->arg[1] < 0 || (int64_t)a->arg[2] < 0 || a->arg[3] & ~7ul)
		r = -EINVAL;
	else
		r = f->ops->sync ? f->ops->sync(f, true) : -ESPIPE;
	file_put(f);
	return r;
}

long sys_sync(const struct sysargs *a)
{
	(void)a;
	return 0;
}

long sys_syncfs(const struct sysargs *a)
{
	int r = fdtable_get_flags(sysarg_int(a, 0));

	return MIN(r, 0);
}

long sys_ftruncate(const struct sysargs *a)
{
	int64_t bytes = (int64_t)a->arg[1];
	struct file *f;
	int r = bytes < 0 ? -EINVAL : fdtable_get_open(sysarg_int(a, 0), &f);

	if (r < 0)
		return r;
	if (!file_can_write(f) || !f->ops->truncate)
		r = -EINVAL;
	else
		r = f->ops->truncate(f, bytes);
	file_put(f);
	return r;
}

/* ------------------------------------------------------------------ fallocate and advice */

/* Those that Linux knows, 1 to 0x80, but for 4. */
#define FALLOCATE_MODES 0xfbu

static int allocate(struct file *f, uint32_t mode, uint64_t offset, uint64_t bytes)
{
	bool keep = (mode & FALLOC_FL_KEEP_SIZE) != 0, hole = (mode & FALLOC_FL_PUNCH_HOLE) != 0;

	if (mode & ~FALLOCATE_MODES || (hole && !keep))
		return -EOPNOTSUPP;
	if (!file_can_write(f))
		return -EBADF;
	if (f->inode && inode_is_dir(f->inode))
		return -EISDIR;
	if (!file_is_regular(f))
		return file_is_pipe(f) ? -ESPIPE : -ENODEV;
	if (bytes > INT64_MAX - offset)
		return -EFBIG;
	if (mode & ~(uint32_t)(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	return hole ? data_make_hole(f->inode, offset, bytes)
		    : data_allocate(f->inode, offset, bytes, keep);
}

long sys_fallocate(const struct sysargs *a)
{
	int64_t offset = (int64_t)a->arg[2], bytes = (int64_t)a->arg[3];
	struct file *f;
	int r = fdtable_get_open(sysarg_int(a, 0), &f);

	if (r < 0)
		return r;
	if (offset < 0 || bytes <= 0)
		r = -EINVAL;
	else
		r = allocate(f, (uint32_t)a->arg[1], (uint64_t)offset, (uint64_t)bytes);
	file_put(f);
	return r;
}

static long check_advice(const struct sysargs *a, uint64_t advice)
{
	struct file *f;
	long r = fdtable_get(sysarg_int(a, 0), &f);

	if (r < 0)
		return r;
	if (!f->ops->seek)
		r = f->inode ? -EINVAL : -ESPIPE;
	else if (advice > 5 || (int64_t)a->arg[2] < 0)
		r = -EINVAL;
	file_put(f);
	return r;
}

long sys_fadvise64(const struct sysargs *a)
{
	return check_advice(a, a->arg[3]);
}

long sys_readahead(const struct sysargs *a)
{
	long r = check_advice(a, 0);

	return r == -ESPIPE ? -EINVAL : r;
}
