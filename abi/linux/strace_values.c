/*
 * strace_values.c: arguments that are numbers: flags and constants by name.
 *
 * What:       one small function per kind of syscalls.def, with the names that Go programs use;
 *             what has no name here is shown as a number.
 * Invariants: none.
 * Locking:    none.
 * Failure:    none.
 * Source:     Linux's headers where they are published, else the numbers of its own.
 */
#include <asm/fcntl.h>
#include <asm/ioctls.h>
#include <asm/prctl.h>
#include <asm/resource.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/futex.h>
#include <linux/in.h>
#include <linux/inotify.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/sched.h>

#include "abi/linux/strace_priv.h"
#include "base/units.h"

#define N(name) \
	{ \
		(uint64_t)(name), #name \
	}
#define FLAGS(t, v, names, zero) strace_put_flags(t, v, names, ARRAY_LEN(names), zero)
#define NAME(t, v, names) strace_put_name(t, v, names, ARRAY_LEN(names))

/* ------------------------------------------------------------------ plain numbers */
static void show_int(struct strace_text *t, const struct strace_arg *a)
{
	strace_put(t, "%lld", (long long)(int)a->value);
}

static void show_unsigned(struct strace_text *t, const struct strace_arg *a)
{
	strace_put(t, "%llu", (unsigned long long)a->value);
}

static void show_signed(struct strace_text *t, const struct strace_arg *a)
{
	strace_put(t, "%lld", (long long)a->value);
}

static void show_hex(struct strace_text *t, const struct strace_arg *a)
{
	strace_put(t, "%#llx", (unsigned long long)a->value);
}

static void show_mode(struct strace_text *t, const struct strace_arg *a)
{
	strace_put(t, a->value ? "0%o" : "0", (unsigned)a->value);
}

static void show_pointer(struct strace_text *t, const struct strace_arg *a)
{
	if (a->value)
		strace_put(t, "%#llx", (unsigned long long)a->value);
	else
		strace_put(t, "NULL");
}

static void show_dirfd(struct strace_text *t, const struct strace_arg *a)
{
	if ((int32_t)a->value == AT_FDCWD)
		strace_put(t, "AT_FDCWD");
	else
		show_int(t, a);
}

static void show_signal(struct strace_text *t, const struct strace_arg *a)
{
	const char *name = strace_signal_name((int)a->value);

	if (name)
		strace_put(t, "%s", name);
	else
		show_int(t, a);
}

/* ------------------------------------------------------------------ memory */
static void show_prot(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { N(PROT_READ), N(PROT_WRITE), N(PROT_EXEC) };

	FLAGS(t, a->value, names, "PROT_NONE");
}

static void show_mapflags(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { N(MAP_SHARED_VALIDATE), N(MAP_SHARED),
		N(MAP_PRIVATE), N(MAP_FIXED_NOREPLACE), N(MAP_FIXED), N(MAP_ANONYMOUS),
		N(MAP_NORESERVE), N(MAP_POPULATE), N(MAP_GROWSDOWN), N(MAP_LOCKED), N(MAP_STACK),
		N(MAP_HUGETLB), N(MAP_NONBLOCK) };

	FLAGS(t, a->value, names, NULL);
}

static void show_madvice(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { N(MADV_NORMAL), N(MADV_RANDOM),
		N(MADV_SEQUENTIAL), N(MADV_WILLNEED), N(MADV_DONTNEED), N(MADV_FREE),
		N(MADV_REMOVE), N(MADV_HUGEPAGE), N(MADV_NOHUGEPAGE), N(MADV_COLLAPSE),
		N(MADV_DONTDUMP), N(MADV_DODUMP), N(MADV_DONTFORK), N(MADV_MERGEABLE), N(MADV_COLD),
		N(MADV_PAGEOUT), N(MADV_POPULATE_READ), N(MADV_POPULATE_WRITE) };

	NAME(t, (uint32_t)a->value, names);
}

/* ------------------------------------------------------------------ threads, time, limits */
static void show_cloneflags(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { N(CLONE_VM), N(CLONE_FS), N(CLONE_FILES),
		N(CLONE_SIGHAND), N(CLONE_THREAD), N(CLONE_SYSVSEM), N(CLONE_SETTLS),
		N(CLONE_PARENT_SETTID), N(CLONE_CHILD_CLEARTID), N(CLONE_CHILD_SETTID),
		N(CLONE_VFORK), N(CLONE_PIDFD) };

	FLAGS(t, a->value, names, NULL);
}

static void show_futexop(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { N(FUTEX_WAIT), N(FUTEX_WAKE), N(FUTEX_FD),
		N(FUTEX_REQUEUE), N(FUTEX_CMP_REQUEUE), N(FUTEX_WAKE_OP), N(FUTEX_LOCK_PI),
		N(FUTEX_UNLOCK_PI), N(FUTEX_TRYLOCK_PI), N(FUTEX_WAIT_BITSET),
		N(FUTEX_WAKE_BITSET) };

	NAME(t, a->value & (uint32_t)FUTEX_CMD_MASK, names);
	if (a->value & FUTEX_PRIVATE_FLAG)
		strace_put(t, "_PRIVATE");
	if (a->value & FUTEX_CLOCK_REALTIME)
		strace_put(t, "|FUTEX_CLOCK_REALTIME");
}

static void show_clock(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { { 0, "CLOCK_REALTIME" },
		{ 1, "CLOCK_MONOTONIC" }, { 2, "CLOCK_PROCESS_CPUTIME_ID" },
		{ 3, "CLOCK_THREAD_CPUTIME_ID" }, { 4, "CLOCK_MONOTONIC_RAW" },
		{ 5, "CLOCK_REALTIME_COARSE" }, { 6, "CLOCK_MONOTONIC_COARSE" },
		{ 7, "CLOCK_BOOTTIME" } };

	NAME(t, (uint32_t)a->value, names);
}

static void show_timerflags(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { { 1, "TIMER_ABSTIME" },
		{ 2, "TFD_TIMER_CANCEL_ON_SET" } };

	FLAGS(t, (uint32_t)a->value, names, NULL);
}

static void show_how(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { { 0, "SIG_BLOCK" }, { 1, "SIG_UNBLOCK" },
		{ 2, "SIG_SETMASK" } };

	NAME(t, (uint32_t)a->value, names);
}

static void show_rlimit(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { N(RLIMIT_CPU), N(RLIMIT_FSIZE), N(RLIMIT_DATA),
		N(RLIMIT_STACK), N(RLIMIT_CORE), N(RLIMIT_RSS), N(RLIMIT_NPROC), N(RLIMIT_NOFILE),
		N(RLIMIT_MEMLOCK), N(RLIMIT_AS) };

	NAME(t, (uint32_t)a->value, names);
}

static void show_prctl(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { N(PR_SET_NAME), N(PR_GET_NAME),
		N(PR_SET_PDEATHSIG), N(PR_GET_PDEATHSIG), N(PR_SET_DUMPABLE), N(PR_GET_DUMPABLE),
		N(PR_SET_NO_NEW_PRIVS), N(PR_GET_NO_NEW_PRIVS), N(PR_SET_VMA), N(PR_SET_KEEPCAPS),
		N(PR_SET_TIMERSLACK), N(PR_GET_TIMERSLACK), N(PR_GET_KEEPCAPS),
		N(PR_CAPBSET_READ) };

	NAME(t, (uint32_t)a->value, names);
}

static void show_archprctl(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { N(ARCH_SET_GS), N(ARCH_SET_FS), N(ARCH_GET_FS),
		N(ARCH_GET_GS) };

	NAME(t, (uint32_t)a->value, names);
}

/* ------------------------------------------------------------------ files */
static void show_openflags(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name access[] = { N(O_RDONLY), N(O_WRONLY), N(O_RDWR) };
	static const struct strace_name names[] = { N(O_CREAT), N(O_EXCL), N(O_NOCTTY), N(O_TRUNC),
		N(O_APPEND), N(O_NONBLOCK), N(O_SYNC), N(O_DSYNC), N(O_DIRECT),
		{ 0100000, "O_LARGEFILE" }, { 020200000, "O_TMPFILE" }, N(O_DIRECTORY),
		N(O_NOFOLLOW), N(O_NOATIME), N(O_CLOEXEC), N(O_PATH) };
	uint32_t v = (uint32_t)a->value;

	NAME(t, v & O_ACCMODE, access);
	if (!(v & ~(uint32_t)O_ACCMODE))
		return;
	strace_put(t, "|");
	FLAGS(t, v & ~(uint32_t)O_ACCMODE, names, NULL);
}

/* pipe2, dup3, eventfd2, epoll_create1, inotify_init1, timerfd_create, accept4: the same bits. */
static void show_fdflags(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { N(O_NONBLOCK), N(O_CLOEXEC), N(O_DIRECT),
		{ 1, "EFD_SEMAPHORE" } };

	FLAGS(t, (uint32_t)a->value, names, NULL);
}

static void show_atflags(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { N(AT_SYMLINK_NOFOLLOW), N(AT_REMOVEDIR),
		N(AT_SYMLINK_FOLLOW), N(AT_NO_AUTOMOUNT), N(AT_EMPTY_PATH) };

	FLAGS(t, (uint32_t)a->value, names, NULL);
}

static void show_whence(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { { 0, "SEEK_SET" }, { 1, "SEEK_CUR" },
		{ 2, "SEEK_END" }, { 3, "SEEK_DATA" }, { 4, "SEEK_HOLE" } };

	NAME(t, (uint32_t)a->value, names);
}

static void show_fcntl(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { N(F_DUPFD), N(F_GETFD), N(F_SETFD), N(F_GETFL),
		N(F_SETFL), N(F_GETLK), N(F_SETLK), N(F_SETLKW), N(F_OFD_GETLK), N(F_OFD_SETLK),
		N(F_OFD_SETLKW), N(F_DUPFD_CLOEXEC), N(F_GETPIPE_SZ), N(F_SETPIPE_SZ),
		N(F_ADD_SEALS), N(F_GET_SEALS) };

	NAME(t, (uint32_t)a->value, names);
}

static void show_fcntlarg(struct strace_text *t, const struct strace_arg *a)
{
	switch ((int)a->before) {
	case F_SETFL:
		show_openflags(t, a);
		break;
	case F_SETFD:
		strace_put(t, a->value == FD_CLOEXEC ? "FD_CLOEXEC" : "%#llx",
			(unsigned long long)a->value);
		break;
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		show_int(t, a);
		break;
	default:
		show_hex(t, a);
	}
}

static void show_ioctl(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { N(TCGETS), N(TCSETS), N(TIOCGWINSZ),
		N(TIOCGPGRP), N(TIOCSPGRP), N(FIONREAD), N(FIONBIO), N(FIOCLEX),
		{ 0x8905, "SIOCATMARK" } };

	NAME(t, (uint32_t)a->value, names);
}

static void show_flockop(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { N(LOCK_SH), N(LOCK_EX), N(LOCK_NB),
		N(LOCK_UN) };

	FLAGS(t, (uint32_t)a->value, names, NULL);
}

static void show_inmask(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { N(IN_ALL_EVENTS), N(IN_ACCESS), N(IN_MODIFY),
		N(IN_ATTRIB), N(IN_CLOSE_WRITE), N(IN_CLOSE_NOWRITE), N(IN_OPEN), N(IN_MOVED_FROM),
		N(IN_MOVED_TO), N(IN_CREATE), N(IN_DELETE), N(IN_DELETE_SELF), N(IN_MOVE_SELF),
		N(IN_ONLYDIR), N(IN_DONT_FOLLOW), N(IN_MASK_ADD), N(IN_ONESHOT) };

	FLAGS(t, (uint32_t)a->value, names, NULL);
}

static void show_epollop(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { N(EPOLL_CTL_ADD), N(EPOLL_CTL_DEL),
		N(EPOLL_CTL_MOD) };

	NAME(t, (uint32_t)a->value, names);
}

const struct strace_kind strace_value_kinds[] = {
	{ "fd", show_int },
	{ "int", show_int },
	{ "uint", show_unsigned },
	{ "len", show_unsigned },
	{ "off", show_signed },
	{ "hex", show_hex },
	{ "flags", show_hex },
	{ "ptr", show_pointer },
	{ "mode", show_mode },
	{ "dirfd", show_dirfd },
	{ "sig", show_signal },
	{ "prot", show_prot },
	{ "mapflags", show_mapflags },
	{ "madvice", show_madvice },
	{ "cloneflags", show_cloneflags },
	{ "futexop", show_futexop },
	{ "clock", show_clock },
	{ "timerflags", show_timerflags },
	{ "how", show_how },
	{ "rlimit", show_rlimit },
	{ "prctl", show_prctl },
	{ "archprctl", show_archprctl },
	{ "openflags", show_openflags },
	{ "fdflags", show_fdflags },
	{ "atflags", show_atflags },
	{ "whence", show_whence },
	{ "fcntl", show_fcntl },
	{ "fcntlarg", show_fcntlarg },
	{ "ioctl", show_ioctl },
	{ "flockop", show_flockop },
	{ "inmask", show_inmask },
	{ "epollop", show_epollop },
};
const size_t strace_value_kind_count = ARRAY_LEN(strace_value_kinds);
