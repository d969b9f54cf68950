/*
 * sys_signalfd.c: signalfd and signalfd4.
 *
 * What:       decode, then fs/signalfd.h.
 * Invariants: none; no state.
 * Locking:    none held.
 * Failure:    -errno of the manual page.
 * Source:     signalfd(2).
 */
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/signalfd.h>

#include "abi/linux/sysargs.h"
#include "fs/fdtable.h"
#include "fs/signalfd.h"
#include "kernel/signal/signal.h"

#define SIGSET_BYTES 8u
#define NEVER_TAKEN (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))

static long make(uint64_t set, uint32_t flags)
{
	struct file *f;
	int fd, r = signalfd_create(set, flags & SFD_NONBLOCK, &f);

	if (r < 0)
		return r;
	r = fdtable_install(f, 0, (flags & SFD_CLOEXEC) != 0, &fd);
	if (r < 0)
		file_put(f);
	return r < 0 ? r : fd;
}

static long change(int fd, uint64_t set)
{
	struct file *f;
	int r = fdtable_get(fd, &f);

	if (r < 0)
		return r;
	r = signalfd_change(f, set);
	file_put(f);
	return r < 0 ? r : fd;
}

static long signalfd(const struct sysargs *a, uint32_t flags)
{
	int fd = sysarg_int(a, 0);
	uint64_t set;

	if (a->arg[2] != SIGSET_BYTES || flags & ~(uint32_t)(SFD_CLOEXEC | SFD_NONBLOCK))
		return -EINVAL;
	if (user_load_u64(&set, a->arg[1]) < 0)
		return -EFAULT;
	set &= ~NEVER_TAKEN;
	return fd == -1 ? make(set, flags) : change(fd, set);
}

long sys_signalfd(const struct sysargs *a)
{
	return signalfd(a, 0);
}

long sys_signalfd4(const struct sysargs *a)
{
	return signalfd(a, (uint32_t)a->arg[3]);
}
