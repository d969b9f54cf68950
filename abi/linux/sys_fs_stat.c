/*
 * sys_fs_stat.c: calls that tell about files: stat, statx, statfs, getdents64.
 *
 * What:       neutral struct file_stat and struct dir_item into Linux's layouts.
 * Invariants: none; no state.
 * Locking:    none held; may sleep.
 * Failure:    -errno of the manual pages.
 * Source:     stat(2) statx(2) statfs(2) getdents(2).
 */
#include <linux/stat.h>
/* After it: fs/stat.h gives what it leaves out. */
#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/magic.h>

#include "abi/linux/fsargs.h"
#include "abi/linux/sysargs.h"
#include "base/assert.h"
#include "base/units.h"
#include "fs/fdtable.h"
#include "fs/stat.h"
#include "lib/string.h"

#define SECOND_NS 1000000000l
#define SECTOR_BYTES 512u
#define AT_STATX_SYNC_BITS 0x6000u

STATIC_ASSERT(sizeof(struct stat) == 144, "Linux's struct stat on x86-64");
STATIC_ASSERT(sizeof(struct statx) == 256, "Linux's struct statx");
STATIC_ASSERT(sizeof(struct statfs) == 120, "Linux's struct statfs on x86-64");

/* Rounded towards the past, so that the nanoseconds are never negative. */
static int64_t whole_seconds(int64_t ns)
{
	return ns >= 0 ? ns / SECOND_NS : -((-ns + SECOND_NS - 1) / SECOND_NS);
}

static uint64_t rest_ns(int64_t ns)
{
	return (uint64_t)(ns - whole_seconds(ns) * SECOND_NS);
}

static long store_stat(uaddr_t ua, const struct file_stat *s)
{
	struct stat out = {
		.st_dev = s->device,
		.st_ino = s->inode,
		.st_nlink = s->links,
		.st_mode = s->mode,
		.st_uid = s->uid,
		.st_gid = s->gid,
		.st_rdev = s->special_device,
		.st_size = (long)s->size_bytes,
		.st_blksize = s->block_bytes,
		.st_blocks = (long)(s->allocated_bytes / SECTOR_BYTES),
		.st_atime = (unsigned long)whole_seconds(s->atime_ns),
		.st_atime_nsec = rest_ns(s->atime_ns),
		.st_mtime = (unsigned long)whole_seconds(s->mtime_ns),
		.st_mtime_nsec = rest_ns(s->mtime_ns),
		.st_ctime = (unsigned long)whole_seconds(s->ctime_ns),
		.st_ctime_nsec = rest_ns(s->ctime_ns),
	};

	return user_copy_out(ua, &out, sizeof(out));
}

static int stat_fd(int fd, struct file_stat *out)
{
	struct file *f;
	int r = fdtable_get(fd, &f);

	if (r < 0)
		return r;
	r = file_stat(f, out);
	file_put(f);
	return r;
}

static int stat_path(int dirfd, uaddr_t path_ua, uint32_t at_flags, struct file_stat *out)
{
	struct fsargs_path p;
	int r = fsargs_path_get(dirfd, path_ua, (at_flags & AT_EMPTY_PATH) != 0, &p);

	if (r < 0)
		return r;
	if (p.text[0] == 0 && dirfd != AT_FDCWD) {
		r = stat_fd(dirfd, out);
	} else {
		if (p.text[0] == 0)
			p.at.path = ".";
		r = vfs_stat(&p.at, at_flags & AT_SYMLINK_NOFOLLOW ? VFS_NO_FOLLOW : VFS_FOLLOW,
			out);
	}
	fsargs_path_put(&p);
	return r;
}

long sys_fstat(const struct sysargs *a)
{
	struct file_stat s;
	int r = stat_fd(sysarg_int(a, 0), &s);

	return r < 0 ? r : store_stat(a->arg[1], &s);
}

static long stat_at(int dirfd, uaddr_t path_ua, uaddr_t out_ua, uint32_t at_flags)
{
	struct file_stat s;
	int r;

	if (at_flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	r = stat_path(dirfd, path_ua, at_flags, &s);
	return r < 0 ? r : store_stat(out_ua, &s);
}

long sys_stat(const struct sysargs *a)
{
	return stat_at(AT_FDCWD, a->arg[0], a->arg[1], 0);
}

long sys_lstat(const struct sysargs *a)
{
	return stat_at(AT_FDCWD, a->arg[0], a->arg[1], AT_SYMLINK_NOFOLLOW);
}

long sys_newfstatat(const struct sysargs *a)
{
	return stat_at(sysarg_int(a, 0), a->arg[1], a->arg[2], (uint32_t)a->arg[3]);
}

/* ------------------------------------------------------------------ statx */

static struct statx_timestamp statx_time(int64_t ns)
{
	return (struct statx_timestamp){
		.tv_sec = whole_seconds(ns),
		.tv_nsec = (uint32_t)rest_ns(ns),
	};
}

static uint32_t major_of(uint64_t device)
{
	return (uint32_t)(device >> 8) & 0xfff;
}

static uint32_t minor_of(uint64_t device)
{
	return (uint32_t)(device & 0xff);
}

static long store_statx(uaddr_t ua, const struct file_stat *s)
{
	struct statx out = {
		.stx_mask = STATX_BASIC_STATS | (s->btime_ns ? STATX_BTIME : 0),
		.stx_blksize = s->block_bytes,
		.stx_nlink = s->links,
		.stx_uid = s->uid,
		.stx_gid = s->gid,
		.stx_mode = (uint16_t)s->mode,
		.stx_ino = s->inode,
		.stx_size = s->size_bytes,
		.stx_blocks = s->allocated_bytes / SECTOR_BYTES,
		.stx_atime = statx_time(s->atime_ns),
		.stx_btime = statx_time(s->btime_ns),
		.stx_ctime = statx_time(s->ctime_ns),
		.stx_mtime = statx_time(s->mtime_ns),
		.stx_rdev_major = major_of(s->special_device),
		.stx_rdev_minor = minor_of(s->special_device),
		.stx_dev_major = major_of(s->device),
		.stx_dev_minor = minor_of(s->device),
	};

	return user_copy_out(ua, &out, sizeof(out));
}

long sys_statx(const struct sysargs *a)
{
	uint32_t flags = (uint32_t)a->arg[2];
	struct file_stat s;
	int r;

	if (flags &
			~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH |
				AT_STATX_SYNC_BITS) ||
		a->arg[3] & STATX__RESERVED)
		return -EINVAL;
	r = stat_path(sysarg_int(a, 0), a->arg[1], flags, &s);
	return r < 0 ? r : store_statx(a->arg[4], &s);
}

/* ------------------------------------------------------------------ statfs */

static long store_statfs(uaddr_t ua, uint64_t device)
{
	struct statfs out = {
		.f_type = RAMFS_MAGIC,
		.f_bsize = PAGE_SIZE,
		.f_namelen = VFS_NAME_MAX,
		.f_frsize = PAGE_SIZE,
	};
	struct vfs_usage u;

	if (device == VFS_DEVICE_PROC) {
		out.f_type = PROC_SUPER_MAGIC;
	} else if (device == VFS_DEVICE_PIPE) {
		out.f_type = PIPEFS_MAGIC;
	} else {
		vfs_get_usage(&u);
		out.f_blocks = (long)(u.total_bytes >> PAGE_SHIFT);
		out.f_bfree = out.f_bavail = (long)(u.free_bytes >> PAGE_SHIFT);
		/* A node needs memory as a block does. */
		out.f_files = (long)u.nodes + out.f_bfree;
		out.f_ffree = out.f_bfree;
	}
	return user_copy_out(ua, &out, sizeof(out));
}

long sys_statfs(const struct sysargs *a)
{
	struct file_stat s;
	int r = stat_path(AT_FDCWD, a->arg[0], 0, &s);

	return r < 0 ? r : store_statfs(a->arg[1], s.device);
}

long sys_fstatfs(const struct sysargs *a)
{
	struct file_stat s;
	int r = stat_fd(sysarg_int(a, 0), &s);

	return r < 0 ? r : store_statfs(a->arg[1], s.device);
}

/* ------------------------------------------------------------------ getdents64 */

/* Linux: include/linux/dirent.h, struct linux_dirent64. */
struct dirent64_head {
	uint64_t d_ino;
	int64_t d_off;
	uint16_t d_reclen;
	uint8_t d_type; /* DT_*: the mode's type bits */
} __attribute__((packed));
STATIC_ASSERT(sizeof(struct dirent64_head) == 19, "d_name follows at once");

struct dirents {
	uaddr_t next_ua;
	uint64_t left_bytes;
	int error;
	bool any;
};

static bool emit_item(const struct dir_item *item, void *arg)
{
	struct dirents *d = arg;
	uint32_t length = ROUND_UP((uint32_t)sizeof(struct dirent64_head) + item->len + 1, 8u);
	struct dirent64_head head = {
		.d_ino = item->inode,
		.d_off = (int64_t)item->order,
		.d_reclen = (uint16_t)length,
		.d_type = (uint8_t)(item->mode >> 12),
	};

	if (length > d->left_bytes) {
		d->error = d->any ? 0 : -EINVAL;
		return false;
	}
	if (user_copy_out(d->next_ua, &head, sizeof(head)) < 0 ||
		user_copy_out(d->next_ua + sizeof(head), item->name, item->len + 1) < 0) {
		d->error = d->any ? 0 : -EFAULT;
		return false;
	}
	d->next_ua += length;
	d->left_bytes -= length;
	d->any = true;
	return true;
}

long sys_getdents64(const struct sysargs *a)
{
	struct dirents d = { .next_ua = a->arg[1], .left_bytes = (uint32_t)a->arg[2] };
	struct file *f;
	long r = fdtable_get(sysarg_int(a, 0), &f);

	if (r < 0)
		return r;
	r = file_flags(f) & O_PATH ? -EBADF : vfs_read_dir(f, emit_item, &d);
	file_put(f);
	if (r == 0)
		r = d.error;
	return r < 0 ? r : (long)(d.next_ua - a->arg[1]);
}
