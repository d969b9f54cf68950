/*
 * sys_poll.c: poll and select.
 *
 * What:       decodes sets, timeouts and signal masks, then fs/poll.h.
 * Invariants: each request holds a reference of its file until the call ends.
 * Locking:    none held; may sleep.
 * Failure:    -errno of the manual pages; an interrupted wait is -EINTR, never restarted.
 * Source:     poll(2) select(2); Linux fs/select.c.
 */
#include <asm/poll.h>
#include <linux/eventpoll.h>

#include "abi/linux/sys_wait_priv.h"
#include "abi/linux/sysargs.h"
#include "abi/linux/time.h"
#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "fs/fdtable.h"
#include "fs/poll.h"
#include "kernel/mm/kmem.h"

#define SELECT_FDS_MAX 1024u

STATIC_ASSERT(sizeof(struct pollfd) == 8, "copied as it is");
STATIC_ASSERT(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLERR == EPOLLERR &&
		POLLHUP == EPOLLHUP && POLLRDHUP == EPOLLRDHUP && POLLPRI == EPOLLPRI,
	"poll's bits are epoll's");

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
	uint64_t deadline_ns = linux_wait_deadline_ms(sysarg_int(a, 2));

	return poll_program(a->arg[0], (uint32_t)a->arg[1], deadline_ns);
}

long sys_ppoll(const struct sysargs *a)
{
	uint64_t deadline_ns;
	struct linux_wait_mask m = { 0 };
	int r = linux_wait_deadline(a->arg[2], &deadline_ns);
	long n;

	if (r == 0)
		r = linux_wait_mask_enter(a->arg[3], a->arg[4], &m);
	if (r < 0)
		return r;
	n = linux_wait_mask_leave(&m, poll_program(a->arg[0], (uint32_t)a->arg[1], deadline_ns));
	linux_wait_store_left(a->arg[2], deadline_ns);
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
	struct linux_wait_mask m = { 0 };
	int r = linux_wait_deadline(a->arg[4], &deadline_ns);
	long n;

	if (r == 0 && a->arg[5] && user_copy_in(mask, a->arg[5], sizeof(mask)) < 0)
		r = -EFAULT;
	if (r == 0)
		r = linux_wait_mask_enter(mask[0], mask[1], &m);
	if (r < 0)
		return r;
	n = linux_wait_mask_leave(&m, select_program(a, deadline_ns));
	linux_wait_store_left(a->arg[4], deadline_ns);
	return n;
}
