/*
 * strace_memory.c: arguments that point at something: strings, bytes, times, sets, events.
 *
 * What:       one small function per kind of syscalls.def. A line is written when its call is
 *             over, so what is shown is what the call left.
 * Invariants: (1) memory is only read, through user_copy_in and its kin; what cannot be read is
 *             shown as an address.
 * Locking:    none; may sleep.
 * Failure:    none.
 * Source:     strace(1) for the form; the calls' manual pages for the structures.
 */
#include <asm/signal.h>
#include <asm/stat.h>
#include <linux/eventpoll.h>
#include <linux/poll.h>
#include <linux/resource.h>
#include <linux/stat.h>
#include <linux/time_types.h>

#include "abi/linux/strace_priv.h"
#include "base/units.h"
#include "kernel/uio.h"
#include "lib/string.h"

#define N(name) \
	{ \
		(uint64_t)(name), #name \
	}
#define FLAGS(t, v, names, zero) strace_put_flags(t, v, names, ARRAY_LEN(names), zero)

enum { SHOWN_BYTES = 32, SHOWN_STRING = 128, SHOWN_ITEMS = 4 };

static void put_address(struct strace_text *t, uint64_t ua)
{
	if (ua)
		strace_put(t, "%#llx", (unsigned long long)ua);
	else
		strace_put(t, "NULL");
}

/* Copies a structure; puts the address when that fails. */
static bool load(struct strace_text *t, uint64_t ua, void *out, size_t n)
{
	if (ua && !user_copy_in(out, ua, n))
		return true;
	put_address(t, ua); /* (1) */
	return false;
}

/* ------------------------------------------------------------------ bytes */
static void show_string(struct strace_text *t, const struct strace_arg *a)
{
	char s[SHOWN_STRING];
	long n = user_copy_str(s, a->value, sizeof(s));

	if (n == -ENAMETOOLONG)
		strace_put_bytes(t, s, sizeof(s));
	else if (n < 0)
		put_address(t, a->value);
	else
		strace_put_bytes(t, s, (size_t)n);
	if (n == -ENAMETOOLONG)
		strace_put(t, "...");
}

static void put_buffer(struct strace_text *t, uint64_t ua, uint64_t bytes)
{
	size_t n = MIN(bytes, (uint64_t)SHOWN_BYTES);
	char s[SHOWN_BYTES];

	if (!load(t, ua, s, n))
		return;
	strace_put_bytes(t, s, n);
	if (n < bytes)
		strace_put(t, "...");
}

/* To be written: all that was given. */
static void show_data(struct strace_text *t, const struct strace_arg *a)
{
	put_buffer(t, a->value, a->after);
}

/* To be filled: what the call put there. */
static void show_buffer(struct strace_text *t, const struct strace_arg *a)
{
	if (a->result < 0)
		put_address(t, a->value);
	else
		put_buffer(t, a->value, MIN((uint64_t)a->result, a->after));
}

void strace_put_iovec(struct strace_text *t, uint64_t ua, uint64_t count, uint64_t bytes)
{
	struct uio_range r[SHOWN_ITEMS];
	size_t n = MIN(count, (uint64_t)SHOWN_ITEMS);

	if (!load(t, ua, r, n * sizeof(r[0])))
		return;
	strace_put(t, "[");
	for (size_t i = 0; i < n; i++) {
		uint64_t moved = MIN(bytes, r[i].bytes);

		strace_put(t, "%s{", i ? ", " : "");
		put_buffer(t, r[i].base, moved);
		strace_put(t, ", %llu}", (unsigned long long)r[i].bytes);
		bytes -= moved;
	}
	strace_put(t, n < count ? ", ...]" : "]");
}

static void show_iovec(struct strace_text *t, const struct strace_arg *a)
{
	strace_put_iovec(t, a->value, (uint32_t)a->after, a->result < 0 ? 0 : (uint64_t)a->result);
}

/* ------------------------------------------------------------------ times */
static void put_timespec(struct strace_text *t, const struct __kernel_timespec *ts)
{
	strace_put(t, "{tv_sec=%lld, tv_nsec=%lld}", (long long)ts->tv_sec, (long long)ts->tv_nsec);
}

static void show_timespec(struct strace_text *t, const struct strace_arg *a)
{
	struct __kernel_timespec ts;

	if (load(t, a->value, &ts, sizeof(ts)))
		put_timespec(t, &ts);
}

static void show_timespecout(struct strace_text *t, const struct strace_arg *a)
{
	if (a->result < 0)
		put_address(t, a->value);
	else
		show_timespec(t, a);
}

static void show_itimerspec(struct strace_text *t, const struct strace_arg *a)
{
	struct __kernel_itimerspec its;

	if (!load(t, a->value, &its, sizeof(its)))
		return;
	strace_put(t, "{it_interval=");
	put_timespec(t, &its.it_interval);
	strace_put(t, ", it_value=");
	put_timespec(t, &its.it_value);
	strace_put(t, "}");
}

static void show_itimerval(struct strace_text *t, const struct strace_arg *a)
{
	struct __kernel_old_itimerval v;

	if (load(t, a->value, &v, sizeof(v)))
		strace_put(t, "{it_interval={%lld, %lld}, it_value={%lld, %lld}}",
			(long long)v.it_interval.tv_sec, (long long)v.it_interval.tv_usec,
			(long long)v.it_value.tv_sec, (long long)v.it_value.tv_usec);
}

/* ------------------------------------------------------------------ signals, CPUs, limits */
static void show_sigset(struct strace_text *t, const struct strace_arg *a)
{
	uint64_t set;

	if (load(t, a->value, &set, sizeof(set)))
		strace_put_sigset(t, set);
}

/* As arch/x86's kernel has it: handler, flags, restorer, mask. */
static void show_sigaction(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { N(SA_NOCLDSTOP), N(SA_NOCLDWAIT), N(SA_SIGINFO),
		N(SA_ONSTACK), N(SA_RESTART), N(SA_NODEFER), N(SA_RESETHAND), N(SA_RESTORER) };
	struct {
		uint64_t handler, flags, restorer, mask;
	} action;

	if (!load(t, a->value, &action, sizeof(action)))
		return;
	if (action.handler < 2)
		strace_put(t, "{sa_handler=%s, sa_mask=", action.handler ? "SIG_IGN" : "SIG_DFL");
	else
		strace_put(t, "{sa_handler=%#llx, sa_mask=", (unsigned long long)action.handler);
	strace_put_sigset(t, action.mask);
	strace_put(t, ", sa_flags=");
	FLAGS(t, action.flags, names, NULL);
	strace_put(t, "}");
}

static void show_sigactionout(struct strace_text *t, const struct strace_arg *a)
{
	if (a->result < 0)
		put_address(t, a->value);
	else
		show_sigaction(t, a);
}

static void show_sigstack(struct strace_text *t, const struct strace_arg *a)
{
	static const struct strace_name names[] = { { 1, "SS_ONSTACK" }, { 2, "SS_DISABLE" },
		{ 1u << 31, "SS_AUTODISARM" } };
	stack_t s;

	if (a->result < 0) {
		put_address(t, a->value);
	} else if (load(t, a->value, &s, sizeof(s))) {
		strace_put(t, "{ss_sp=%#llx, ss_flags=", (unsigned long long)(uint64_t)s.ss_sp);
		FLAGS(t, (uint32_t)s.ss_flags, names, NULL);
		strace_put(t, ", ss_size=%llu}", (unsigned long long)s.ss_size);
	}
}

/* A set of CPUs; the length in bytes comes before. */
static void show_cpuset(struct strace_text *t, const struct strace_arg *a)
{
	uint64_t set = 0;

	if (a->result < 0 || a->before < sizeof(set))
		put_address(t, a->value);
	else if (load(t, a->value, &set, sizeof(set)))
		strace_put(t, "[%#llx]", (unsigned long long)set);
}

static void show_rlimitval(struct strace_text *t, const struct strace_arg *a)
{
	struct rlimit64 limit;

	if (a->result < 0)
		put_address(t, a->value);
	else if (load(t, a->value, &limit, sizeof(limit)))
		strace_put(t, "{rlim_cur=%lld, rlim_max=%lld}", (long long)limit.rlim_cur,
			(long long)limit.rlim_max);
}

/* ------------------------------------------------------------------ files and events */
static void show_fdpair(struct strace_text *t, const struct strace_arg *a)
{
	int32_t fds[2];

	if (a->result < 0)
		put_address(t, a->value);
	else if (load(t, a->value, fds, sizeof(fds)))
		strace_put(t, "[%d, %d]", fds[0], fds[1]);
}

static void put_file_type(struct strace_text *t, uint32_t mode)
{
	static const struct strace_name types[] = { N(S_IFREG), N(S_IFDIR), N(S_IFLNK), N(S_IFCHR),
		N(S_IFIFO), N(S_IFSOCK), N(S_IFBLK) };

	strace_put(t, "{st_mode=");
	strace_put_name(t, mode & S_IFMT, types, ARRAY_LEN(types));
	strace_put(t, "|0%o", mode & 07777);
}

static void show_stat(struct strace_text *t, const struct strace_arg *a)
{
	struct stat st;

	if (a->result < 0) {
		put_address(t, a->value);
	} else if (load(t, a->value, &st, sizeof(st))) {
		put_file_type(t, st.st_mode);
		strace_put(t, ", st_size=%lld, ...}", (long long)st.st_size);
	}
}

static void show_statx(struct strace_text *t, const struct strace_arg *a)
{
	struct statx st;

	if (a->result < 0) {
		put_address(t, a->value);
	} else if (load(t, a->value, &st, sizeof(st))) {
		put_file_type(t, st.stx_mode);
		strace_put(t, ", stx_size=%llu, ...}", (unsigned long long)st.stx_size);
	}
}

static void put_poll_bits(struct strace_text *t, uint64_t v)
{
	static const struct strace_name names[] = { N(POLLIN), N(POLLPRI), N(POLLOUT), N(POLLERR),
		N(POLLHUP), N(POLLNVAL), N(POLLRDHUP) };

	FLAGS(t, v, names, NULL);
}

static void show_pollfds(struct strace_text *t, const struct strace_arg *a)
{
	struct pollfd p[SHOWN_ITEMS];
	size_t n = MIN((uint32_t)a->after, (uint32_t)SHOWN_ITEMS);

	if (!load(t, a->value, p, n * sizeof(p[0])))
		return;
	strace_put(t, "[");
	for (size_t i = 0; i < n; i++) {
		strace_put(t, "%s{fd=%d, events=", i ? ", " : "", p[i].fd);
		put_poll_bits(t, (uint16_t)p[i].events);
		if (a->result > 0 && p[i].revents) {
			strace_put(t, ", revents=");
			put_poll_bits(t, (uint16_t)p[i].revents);
		}
		strace_put(t, "}");
	}
	strace_put(t, n < (uint32_t)a->after ? ", ...]" : "]");
}

static void put_epoll_event(struct strace_text *t, const struct epoll_event *e)
{
	static const struct strace_name names[] = { N(EPOLLIN), N(EPOLLPRI), N(EPOLLOUT),
		N(EPOLLERR), N(EPOLLHUP), N(EPOLLRDHUP), N(EPOLLEXCLUSIVE), N(EPOLLONESHOT),
		N(EPOLLET) };

	strace_put(t, "{events=");
	FLAGS(t, e->events, names, NULL);
	strace_put(t, ", data=%#llx}", (unsigned long long)e->data);
}

static void show_epollevent(struct strace_text *t, const struct strace_arg *a)
{
	struct epoll_event e;

	if (load(t, a->value, &e, sizeof(e)))
		put_epoll_event(t, &e);
}

/* As many as the call says. */
static void show_epollevents(struct strace_text *t, const struct strace_arg *a)
{
	uint64_t count = a->result < 0 ? 0 : (uint64_t)a->result;
	size_t n = MIN(count, (uint64_t)SHOWN_ITEMS);
	struct epoll_event e[SHOWN_ITEMS];

	if (!load(t, a->value, e, n * sizeof(e[0])))
		return;
	strace_put(t, "[");
	for (size_t i = 0; i < n; i++) {
		strace_put(t, i ? ", " : "");
		put_epoll_event(t, &e[i]);
	}
	strace_put(t, n < count ? ", ...]" : "]");
}

const struct strace_kind strace_memory_kinds[] = {
	{ "str", show_string },
	{ "data", show_data },
	{ "buf", show_buffer },
	{ "iovec", show_iovec },
	{ "ts", show_timespec },
	{ "tsout", show_timespecout },
	{ "its", show_itimerspec },
	{ "itv", show_itimerval },
	{ "sigset", show_sigset },
	{ "sigaction", show_sigaction },
	{ "sigactionout", show_sigactionout },
	{ "sigstack", show_sigstack },
	{ "cpuset", show_cpuset },
	{ "rlimitval", show_rlimitval },
	{ "fdpair", show_fdpair },
	{ "stat", show_stat },
	{ "statx", show_statx },
	{ "pollfds", show_pollfds },
	{ "epollevent", show_epollevent },
	{ "epollevents", show_epollevents },
};
const size_t strace_memory_kind_count = ARRAY_LEN(strace_memory_kinds);
