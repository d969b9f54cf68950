/*
 * sys_epoll.c: epoll.
 *
 * What:       decodes events, timeouts and signal masks, then fs/epoll.h.
 * Invariants: what a call looks up it holds a reference of until it ends.
 * Locking:    none held; may sleep.
 * Failure:    -errno of the manual pages; an interrupted wait is -EINTR, never restarted.
 * Source:     epoll_create(2) epoll_ctl(2) epoll_wait(2); Linux fs/eventpoll.c.
 */
#include <linux/eventpoll.h>

#include "abi/linux/sys_wait_priv.h"
#include "abi/linux/sysargs.h"
#include "base/assert.h"
#include "base/errno.h"
#include "fs/epoll.h"
#include "fs/fdtable.h"

#define EVENT_BYTES 12u /* packed on x86-64 */
#define EVENTS_MAX (INT32_MAX / EVENT_BYTES)

STATIC_ASSERT(sizeof(struct epoll_event) == EVENT_BYTES, "copied as it is");

static long install(struct file *f, bool close_on_exec)
{
	int fd, r = fdtable_install(f, 0, close_on_exec, &fd);

	if (r < 0)
		file_put(f);
	return r < 0 ? r : fd;
}

long sys_epoll_create1(const struct sysargs *a)
{
	uint32_t flags = (uint32_t)a->arg[0];
	struct file *f;
	int r;

	if (flags & ~(uint32_t)EPOLL_CLOEXEC)
		return -EINVAL;
	r = epoll_create(&f);
	return r < 0 ? r : install(f, flags != 0);
}

long sys_epoll_create(const struct sysargs *a)
{
	struct file *f;
	int r = sysarg_int(a, 0) <= 0 ? -EINVAL : epoll_create(&f);

	return r < 0 ? r : install(f, false);
}

/* EPOLLEXCLUSIVE goes with few others, and only with ADD. */
static int check_exclusive(int op, uint32_t events, const struct file *f)
{
	uint32_t allowed = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET |
		EPOLLEXCLUSIVE;

	if (!(events & EPOLLEXCLUSIVE) || op == EPOLL_CTL_DEL)
		return 0;
	if (op == EPOLL_CTL_MOD || file_is_epoll(f) || events & ~allowed)
		return -EINVAL;
	return 0;
}

static long control(struct file *ep, struct file *f, const struct sysargs *a,
	const struct epoll_event *e)
{
	int op = sysarg_int(a, 1), fd = sysarg_int(a, 2);
	int r = f->ops->poll ? check_exclusive(op, e->events, f) : -EPERM;

	if (r == 0 && (!file_is_epoll(ep) || ep == f))
		r = -EINVAL;
	if (r < 0)
		return r;
	switch (op) {
	case EPOLL_CTL_ADD:
		return epoll_add(ep, fd, f, e->events, e->data);
	case EPOLL_CTL_MOD:
		return epoll_change(ep, fd, f, e->events, e->data);
	case EPOLL_CTL_DEL:
		return epoll_remove(ep, fd, f);
	default:
		return -EINVAL;
	}
}

long sys_epoll_ctl(const struct sysargs *a)
{
	struct epoll_event e = { 0 };
	struct file *ep, *f;
	long r;

	if (sysarg_int(a, 1) != EPOLL_CTL_DEL && user_copy_in(&e, a->arg[3], sizeof(e)) < 0)
		return -EFAULT;
	r = fdtable_get(sysarg_int(a, 0), &ep);
	if (r < 0)
		return r;
	r = fdtable_get(sysarg_int(a, 2), &f);
	if (r == 0) {
		r = control(ep, f, a, &e);
		file_put(f);
	}
	file_put(ep);
	return r;
}

struct events_sink {
	struct epoll_sink sink;
	uaddr_t events_ua;
};

static int store_event(struct epoll_sink *sink, uint32_t index, const struct epoll_result *result)
{
	uaddr_t ua = container_of(sink, struct events_sink, sink)->events_ua;
	struct epoll_event event = { .events = result->events, .data = result->data };

	return user_copy_out(ua + (uint64_t)index * EVENT_BYTES, &event, EVENT_BYTES);
}

static long epoll_wait_fd(const struct sysargs *a, uint64_t deadline_ns)
{
	struct events_sink to = { .sink.store = store_event, .events_ua = a->arg[1] };
	int32_t max = sysarg_int(a, 2);
	struct file *ep;
	long r;

	if (max <= 0 || (uint32_t)max > EVENTS_MAX)
		return -EINVAL;
	if (!user_can_be(a->arg[1], (uint64_t)max * EVENT_BYTES))
		return -EFAULT;
	r = fdtable_get(sysarg_int(a, 0), &ep);
	if (r < 0)
		return r;
	r = epoll_wait(ep, &to.sink, (uint32_t)max, deadline_ns);
	file_put(ep);
	return r;
}

long sys_epoll_wait(const struct sysargs *a)
{
	return epoll_wait_fd(a, linux_wait_deadline_ms(sysarg_int(a, 3)));
}

static long epoll_wait_masked(const struct sysargs *a, uint64_t deadline_ns)
{
	struct linux_wait_mask m = { 0 };
	int r = linux_wait_mask_enter(a->arg[4], a->arg[5], &m);

	return r < 0 ? r : linux_wait_mask_leave(&m, epoll_wait_fd(a, deadline_ns));
}

long sys_epoll_pwait(const struct sysargs *a)
{
	return epoll_wait_masked(a, linux_wait_deadline_ms(sysarg_int(a, 3)));
}

long sys_epoll_pwait2(const struct sysargs *a)
{
	uint64_t deadline_ns;
	int r = linux_wait_deadline(a->arg[3], &deadline_ns);

	return r < 0 ? r : epoll_wait_masked(a, deadline_ns);
}
