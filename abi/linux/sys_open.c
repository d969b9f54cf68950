/*
 * sys_open.c: open, openat, creat, openat2.
 *
 * What:       decode flags and the path, then vfs_open.
 * Invariants: none; no state.
 * Locking:    none held; opening a FIFO sleeps.
 * Failure:    -errno of the manual pages.
 * Source:     open(2), openat2(2); Linux fs/open.c build_open_flags for what goes together.
 */
#include <linux/fcntl.h>
#include <linux/openat2.h>

#include "abi/linux/fsargs.h"
#include "abi/linux/sysargs.h"
#include "base/assert.h"
#include "base/units.h"
#include "fs/fdtable.h"

/* Every flag that openat knows; it ignores others. */
#define OPEN_FLAGS \
	((uint32_t)(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | \
		O_DSYNC | FASYNC | O_DIRECT | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | \
		O_SYNC | O_PATH | O_TMPFILE))
#define LARGEFILE 0100000u /* always so here; <linux/fcntl.h> has 0 */
#define PATH_FLAGS ((uint32_t)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
#define TMPFILE_BIT ((uint32_t)(O_TMPFILE & ~O_DIRECTORY))
#define RESOLVE_FLAGS \
	((uint64_t)(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | \
		RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED))

STATIC_ASSERT(VFS_RESOLVE_NO_XDEV == RESOLVE_NO_XDEV &&
		VFS_RESOLVE_NO_MAGIC == RESOLVE_NO_MAGICLINKS &&
		VFS_RESOLVE_NO_LINKS == RESOLVE_NO_SYMLINKS &&
		VFS_RESOLVE_BENEATH == RESOLVE_BENEATH && VFS_RESOLVE_IN_ROOT == RESOLVE_IN_ROOT,
	"Linux's values");
STATIC_ASSERT(sizeof(struct open_how) == 24, "its first version");

static long open_path(int dirfd, uaddr_t path_ua, const struct open_how *how)
{
	uint32_t flags = (uint32_t)how->flags & OPEN_FLAGS;
	struct fsargs_path p;
	struct file *f = NULL;
	int fd, r = fsargs_path_get(dirfd, path_ua, false, &p);

	if (r < 0)
		return r;
	/* RESOLVE_CACHED: everything always is. */
	p.at.resolve = (uint32_t)how->resolve & ~(uint32_t)RESOLVE_CACHED;
	if (p.at.resolve & (VFS_RESOLVE_BENEATH | VFS_RESOLVE_IN_ROOT) && !p.at.base)
		r = fsargs_base_get(dirfd, false, &p.at.base); /* the top, of absolute paths too */
	if (r == 0)
		r = vfs_open(&p.at, flags, (uint32_t)how->mode & 07777, &f);
	fsargs_path_put(&p);
	if (r < 0)
		return r;
	r = fdtable_install(f, 0, (flags & O_CLOEXEC) != 0, &fd);
	if (r < 0)
		file_put(f);
	return r < 0 ? r : fd;
}

long sys_open(const struct sysargs *a)
{
	struct open_how how = { .flags = (uint32_t)a->arg[1], .mode = (uint32_t)a->arg[2] };

	return open_path(AT_FDCWD, a->arg[0], &how);
}

long sys_openat(const struct sysargs *a)
{
	struct open_how how = { .flags = (uint32_t)a->arg[2], .mode = (uint32_t)a->arg[3] };

	return open_path(sysarg_int(a, 0), a->arg[1], &how);
}

long sys_creat(const struct sysargs *a)
{
	struct open_how how = { .flags = O_CREAT | O_WRONLY | O_TRUNC,
		.mode = (uint32_t)a->arg[1] };

	return open_path(AT_FDCWD, a->arg[0], &how);
}

/* ------------------------------------------------------------------ openat2 */

/* A longer struct is one of a newer kernel's: what it has more must be 0. */
static int load_how(uaddr_t ua, uint64_t bytes, struct open_how *how)
{
	if (bytes < sizeof(*how))
		return -EINVAL;
	if (bytes > PAGE_SIZE)
		return -E2BIG;
	if (user_copy_in(how, ua, sizeof(*how)) < 0)
		return -EFAULT;
	for (uint64_t at = sizeof(*how); at < bytes; at++) {
		uint8_t byte;

		if (user_copy_in(&byte, ua + at, 1) < 0)
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return 0;
}

static int check_how(const struct open_how *how)
{
	bool makes = how->flags & (O_CREAT | TMPFILE_BIT);

	if (how->flags & ~(uint64_t)(OPEN_FLAGS | LARGEFILE) || how->resolve & ~RESOLVE_FLAGS)
		return -EINVAL;
	if (how->resolve & RESOLVE_BENEATH && how->resolve & RESOLVE_IN_ROOT)
		return -EINVAL;
	if (makes ? how->mode & ~07777ull : how->mode)
		return -EINVAL;
	if (how->flags & O_PATH && how->flags & ~(uint64_t)PATH_FLAGS)
		return -EINVAL;
	/* What would have to wait or to change something is not cached. */
	if (how->resolve & RESOLVE_CACHED && how->flags & (O_TRUNC | O_CREAT | TMPFILE_BIT))
		return -EAGAIN;
	return 0;
}

long sys_openat2(const struct sysargs *a)
{
	struct open_how how;
	int r = load_how(a->arg[2], a->arg[3], &how);

	if (r == 0)
		r = check_how(&how);
	return r < 0 ? r : open_path(sysarg_int(a, 0), a->arg[1], &how);
}
