/*
 * sys_poll.c: epoll, poll and select.
 *
 * What:       decode sets, timeouts and signal masks, then fs/epoll.h or fs/poll.h.
 * Invariants: (1) a temporary signal mask is put back when the call ends, or, when a signal ended
 *             it, by that signal's delivery.
 * Locking:    none held; may sleep.
 * Failure:    -errno of the manual pages; an interrupted wait is -EINTR, never restarted.
 * Source:     epoll_ctl(2) epoll_wait(2) poll(2) select(2); Linux fs/eventpoll.c, fs/select.c.
 */
#include <asm/poll.h>
#include <linux/eventpoll.h>
#include <linux/posix_types.h>

#include "abi/linux/sysargs.h"
#include "abi/linux/time.h"
#include "base/assert.h"
#include "base/units.h"
#include "fs/epoll.h"
#include "fs/fdtable.h"
#include "fs/poll.h"
#include "kernel/mm/kmem.h"
#include "kernel/sched/thread.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"
#include "lib/string.h"

#define EVENT_BYTES 12u /* packed on x86-64 */
#define EVENTS_MAX (INT32_MAX / EVENT_BYTES)
#define SELECT_FDS_MAX 1024u
#define SIGSET_BYTES 8u

STATIC_ASSERT(sizeof(struct epoll_event) == EVENT_BYTES, "copied as it is");
STATIC_ASSERT(sizeof(struct pollfd) == 8, "copied as it is");
STATIC_ASSERT(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLERR == EPOLLERR &&
		POLLHUP == EPOLLHUP && POLLRDHUP == EPOLLRDHUP && POLLPRI == EPOLLPRI,
	"poll's bits are epoll's");

/* ------------------------------------------------------------------ timeouts and masks */

/* Milliseconds; negative: no end. 0 stays 0: only look. */
static uint64_t deadline_ms(int64_t ms)
{
	if (ms < 0)
		return TIME_NEVER_NS;
	return ms == 0 ? 0 : linux_deadline_after((uint64_t)ms * NS_PER_MS);
}

static int deadline_timespec(uaddr_t ua, uint64_t *deadline_ns)
{
	uint64_t ns;
	int r;

	*deadline_ns = TIME_NEVER_NS;
	if (!ua)
		return 0;
	r = linux_load_timespec(ua, &ns);
	if (r == 0)
		*deadline_ns = ns == 0 ? 0 : linux_deadline_after(ns);
	return r;
}

/* What is left of a time is stored where it was read, as on Linux; a place that cannot be written
 * is no error. A time of 0 stays what it is. */
static void store_time_left(uaddr_t ua, uint64_t deadline_ns)
{
	if (!ua || !deadline_ns)
		return;
	if (linux_store_timespec(ua, linux_time_left_ns(deadline_ns)) < 0)
		return;
}

struct mask {
	bool changed;
	uint64_t old;
};

static int mask_enter(uaddr_t set_ua, uint64_t set_bytes, struct mask *m)
{
	uint64_t set;

	m->changed = set_ua != 0;
	if (!m->changed)
		return 0;
	if (set_bytes != SIGSET_BYTES)
		return -EINVAL;
	if (user_load_u64(&set, set_ua) < 0)
		return -EFAULT;
	m->old = signal_get_mask();
	signal_set_mask(set);
	return 0;
}

/* (1) */
static long mask_leave(const struct mask *m, long result)
{
	struct thread *t = thread_current();

	if (!m->changed)
		return result;
	if (result == -EINTR) {
		t->saved_mask = m->old;
		t->restore_mask = true;
		atomic_store_explicit(&t->signal_work, true, memory_order_relaxed);
	} else {
		signal_set_mask(m->old);
	}
	return result;
}

/* ------------------------------------------------------------------ epoll */

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
	return epoll_wait_fd(a, deadline_ms(sysarg_int(a, 3)));
}

static long epoll_wait_masked(const struct sysargs *a, uint64_t deadline_ns)
{
	struct mask m = { 0 };
	int r = mask_enter(a->arg[4], a->arg[5], &m);

	return r < 0 ? r : mask_leave(&m, epoll_wait_fd(a, deadline_ns));
}

long sys_epoll_pwait(const struct sysargs *a)
{
	return epoll_wait_masked(a, deadline_ms(sysarg_int(a, 3)));
}

long sys_epoll_pwait2(const struct sysargs *a)
{
	uint64_t deadline_ns;
	int r = deadline_timespec(a->arg[3], &deadline_ns);

	return r < 0 ? r : epoll_wait_masked(a, deadline_ns);
}

/* ------------------------------------------------------------------ poll */

/* Files that do not exist are reported at once, as POLLNVAL. */
static uint32_t open_requests(struct pollfd *fds, struct poll_request *q, uint32_t count)
{
	uint32_t bad = 0;

	for (uint32_t i = 0; i < count; i++) {
		q[i] = (struct poll_request){ .events = (uint16_t)fds[i].events };
		fds[i].revents = 0;
		if (fds[i].fd >= 0 && fdtable_get(fds[i].fd, &q[i].file) < 0) {
			q[i].file = NULL;
			fds[i].revents = POLLNVAL;
			bad++;
		}
	}
	return bad;
}

static long poll_fds(struct pollfd *fds, struct poll_request *q, uint32_t count,
	uint64_t deadline_ns)
{
	uint32_t bad = open_requests(fds, q, count);
	long ready = poll_wait(q, count, bad ? 0 : deadline_ns);

	for (uint32_t i = 0; i < count; i++) {
		if (!q[i].file)
			continue;
		fds[i].revents = (int16_t)q[i].ready;
		file_put(q[i].file);
	}
	if (ready == -EINTR && bad)
		ready = 0; /* there is something to tell */
	return ready < 0 ? ready : ready + bad;
}

static long poll_program(uaddr_t fds_ua, uint64_t count, uint64_t deadline_ns)
{
	size_t bytes = (size_t)count * sizeof(struct pollfd);
	struct pollfd *fds;
	struct poll_request *q;
	long r = -ENOMEM;

	if (count > FDTABLE_LIMIT)
		return -EINVAL;
	if (count == 0)
		return poll_wait(NULL, 0, deadline_ns);
	fds = kmem_alloc(bytes);
	q = kmem_alloc((size_t)count * sizeof(*q));
	if (fds && q)
		r = user_copy_in(fds, fds_ua, bytes) < 0 ? -EFAULT : 0;
	if (r == 0)
		r = poll_fds(fds, q, (uint32_t)count, deadline_ns);
	if (r >= 0 && user_copy_out(fds_ua, fds, bytes) < 0)
		r = -EFAULT;
	kmem_free(fds);
	kmem_free(q);
	return r;
}

long sys_poll(const struct sysargs *a)
{
	return poll_program(a->arg[0], (uint32_t)a->arg[1], deadline_ms(sysarg_int(a, 2)));
}

long sys_ppoll(const struct sysargs *a)
{
	uint64_t deadline_ns;
	struct mask m = { 0 };
	int r = deadline_timespec(a->arg[2], &deadline_ns);
	long n;

	if (r == 0)
		r = mask_enter(a->arg[3], a->arg[4], &m);
	if (r < 0)
		return r;
	n = mask_leave(&m, poll_program(a->arg[0], (uint32_t)a->arg[1], deadline_ns));
	store_time_left(a->arg[2], deadline_ns);
	return n;
}

/* ------------------------------------------------------------------ select */

enum select_set { SELECT_IN, SELECT_OUT, SELECT_EXCEPT, SELECT_SETS };

/* What each set asks for, and what puts a descriptor in it (Linux: fs/select.c). */
static const struct {
	uint32_t ask, in;
} select_bits[SELECT_SETS] = {
	{ EPOLLIN | EPOLLRDNORM | EPOLLRDHUP, EPOLLIN | EPOLLRDNORM | EPOLLHUP | EPOLLERR },
	{ EPOLLOUT | EPOLLWRNORM, EPOLLOUT | EPOLLWRNORM | EPOLLERR },
	{ EPOLLPRI, EPOLLPRI },
};

struct select_sets {
	uint64_t bits[SELECT_SETS][SELECT_FDS_MAX / 64];
};

static bool is_in(const struct select_sets *s, unsigned set, uint32_t fd)
{
	return s->bits[set][fd / 64] >> (fd % 64) & 1;
}

static int open_selected(const struct select_sets *s, struct poll_request *q, uint32_t count)
{
	int r = 0;

	for (uint32_t fd = 0; fd < count; fd++) {
		q[fd] = (struct poll_request){ 0 };
		for (unsigned set = 0; set < SELECT_SETS; set++)
			if (is_in(s, set, fd))
				q[fd].events |= select_bits[set].ask;
		if (r == 0 && q[fd].events)
			r = fdtable_get((int)fd, &q[fd].file);
		if (r < 0)
			q[fd].file = NULL;
	}
	return r;
}

static long collect_selected(struct select_sets *s, const struct poll_request *q, uint32_t count)
{
	struct select_sets out = { 0 };
	long bits = 0;

	for (uint32_t fd = 0; fd < count; fd++) {
		for (unsigned set = 0; set < SELECT_SETS; set++) {
			if (!is_in(s, set, fd) || !(q[fd].ready & select_bits[set].in))
				continue;
			out.bits[set][fd / 64] |= 1ull << (fd % 64);
			bits++;
		}
	}
	*s = out;
	return bits;
}

static long select_fds(struct select_sets *s, uint32_t count, uint64_t deadline_ns)
{
	struct poll_request *q = kmem_alloc(MAX(count, 1u) * sizeof(*q));
	long r;

	if (!q)
		return -ENOMEM;
	r = open_selected(s, q, count);
	if (r == 0)
		r = poll_wait(q, count, deadline_ns);
	if (r >= 0)
		r = collect_selected(s, q, count);
	for (uint32_t fd = 0; fd < count; fd++)
		if (q[fd].file)
			file_put(q[fd].file);
	kmem_free(q);
	return r;
}

static long select_program(const struct sysargs *a, uint64_t deadline_ns)
{
	uint32_t count = MIN((uint32_t)a->arg[0], SELECT_FDS_MAX);
	size_t bytes = ROUND_UP(count, 64u) / 8;
	struct select_sets s = { 0 };
	long r;

	if (sysarg_int(a, 0) < 0)
		return -EINVAL;
	for (unsigned set = 0; set < SELECT_SETS; set++)
		if (a->arg[1 + set] && user_copy_in(s.bits[set], a->arg[1 + set], bytes) < 0)
			return -EFAULT;
	r = select_fds(&s, count, deadline_ns);
	for (unsigned set = 0; r >= 0 && set < SELECT_SETS; set++)
		if (a->arg[1 + set] && user_copy_out(a->arg[1 + set], s.bits[set], bytes) < 0)
			r = -EFAULT;
	return r;
}

long sys_select(const struct sysargs *a)
{
	uint64_t deadline_ns = TIME_NEVER_NS, ns;
	long n;

	if (a->arg[4]) {
		int r = linux_load_timeval(a->arg[4], &ns);

		if (r < 0)
			return r;
		deadline_ns = ns == 0 ? 0 : linux_deadline_after(ns);
	}
	n = select_program(a, deadline_ns);
	if (a->arg[4] && deadline_ns &&
		linux_store_timeval(a->arg[4], linux_time_left_ns(deadline_ns)) < 0)
		return n; /* as above: no error */
	return n;
}

long sys_pselect6(const struct sysargs *a)
{
	uint64_t deadline_ns, mask[2] = { 0, 0 };
	struct mask m = { 0 };
	int r = deadline_timespec(a->arg[4], &deadline_ns);
	long n;

	if (r == 0 && a->arg[5] && user_copy_in(mask, a->arg[5], sizeof(mask)) < 0)
		r = -EFAULT;
	if (r == 0)
		r = mask_enter(mask[0], mask[1], &m);
	if (r < 0)
		return r;
	n = mask_leave(&m, select_program(a, deadline_ns));
	store_time_left(a->arg[4], deadline_ns);
	return n;
}
