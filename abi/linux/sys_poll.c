/*
 * sys_poll.c: poll and select.
 *
 * What:       decodes sets, timeouts and signal masks, then fs/poll.h.
 * Invariants: each request holds a reference of its file until the call ends.
 * Locking:    none held; may sleep.
 * Failure:    -errno of the manual pages; a wait that a signal ended is -EINTR after any handler,
 *             and goes on where none ran.
 * Source:     poll(2) select(2); Linux fs/select.c.
 */
#include <asm/poll.h>
#include <linux/eventpoll.h>

#include "abi/linux/restart_priv.h"
#include "abi/linux/sys_wait_priv.h"
#include "abi/linux/sysargs.h"
#include "abi/linux/time.h"
#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "fs/fdtable.h"
#include "fs/poll.h"
#include "kernel/mm/kmem.h"

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

	if (count > fdtable_limits().soft)
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
	uint64_t deadline_ns;
	long n;

	if (!linux_take_deadline(&deadline_ns))
		deadline_ns = linux_wait_deadline_ms(sysarg_int(a, 2));
	n = poll_program(a->arg[0], (uint32_t)a->arg[1], deadline_ns);
	return n == -EINTR ? linux_restart_until(deadline_ns) : n;
}

/* A wait that is made again with what is left of its time. */
static long restartable(long n)
{
	return n == -EINTR ? -ERESTARTNOHAND : n;
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
	n = restartable(poll_program(a->arg[0], (uint32_t)a->arg[1], deadline_ns));
	return linux_wait_end(a->arg[2], false, deadline_ns, linux_wait_mask_leave(&m, n));
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
	uint32_t count; /* of the descriptors that are looked at: 0, 1, … */
	uint32_t words; /* of a set */
	uint64_t *bits; /* SELECT_SETS sets, one after the other */
};

static uint64_t *set_word(const struct select_sets *s, unsigned set, uint32_t word)
{
	return &s->bits[set * s->words + word];
}

/* The descriptors of a word that are in any set. */
static uint64_t asked_in(const struct select_sets *s, uint32_t word)
{
	uint64_t asked = 0;

	for (unsigned set = 0; set < SELECT_SETS; set++)
		asked |= *set_word(s, set, word);
	if (word == s->count / 64)
		asked &= (1ull << (s->count % 64)) - 1;
	return asked;
}

/* Requests for what is in the sets, in its order; *got of them have a file, also after an error. */
static int open_selected(const struct select_sets *s, struct poll_request *q, uint32_t *got)
{
	for (uint32_t word = 0; word < s->words; word++) {
		for (uint64_t asked = asked_in(s, word); asked; asked &= asked - 1) {
			unsigned bit = (unsigned)__builtin_ctzll(asked);
			int r = fdtable_get((int)(word * 64 + bit), &q[*got].file);

			if (r < 0)
				return r;
			q[*got].events = 0;
			for (unsigned set = 0; set < SELECT_SETS; set++)
				if (*set_word(s, set, word) >> bit & 1)
					q[*got].events |= select_bits[set].ask;
			(*got)++;
		}
	}
	return 0;
}

/* The sets become what is ready of them; how many bits that is. */
static long collect_selected(struct select_sets *s, const struct poll_request *q)
{
	long bits = 0;

	for (uint32_t word = 0; word < s->words; word++) {
		uint64_t out[SELECT_SETS] = { 0 };

		for (uint64_t asked = asked_in(s, word); asked; asked &= asked - 1, q++) {
			uint64_t bit = asked & -asked;

			for (unsigned set = 0; set < SELECT_SETS; set++)
				if (*set_word(s, set, word) & bit &&
					q->ready & select_bits[set].in) {
					out[set] |= bit;
					bits++;
				}
		}
		for (unsigned set = 0; set < SELECT_SETS; set++)
			*set_word(s, set, word) = out[set];
	}
	return bits;
}

static long select_fds(struct select_sets *s, uint64_t deadline_ns)
{
	struct poll_request *q;
	uint32_t asked = 0, got = 0;
	long r;

	for (uint32_t word = 0; word < s->words; word++)
		for (uint64_t fds = asked_in(s, word); fds; fds &= fds - 1)
			asked++; /* without libgcc's __popcountdi2 */
	q = kmem_alloc(MAX(asked, 1u) * sizeof(*q));
	if (!q)
		return -ENOMEM;
	r = open_selected(s, q, &got);
	if (r == 0)
		r = poll_wait(q, got, deadline_ns);
	if (r >= 0)
		r = collect_selected(s, q);
	for (uint32_t i = 0; i < got; i++)
		file_put(q[i].file);
	kmem_free(q);
	return r;
}

static long select_program(const struct sysargs *a, uint64_t deadline_ns)
{
	uint32_t count = MIN((uint32_t)a->arg[0], fdtable_size());
	struct select_sets s = { .count = count, .words = ROUND_UP(count, 64u) / 64 };
	size_t bytes = s.words * sizeof(*s.bits);
	long r = 0;

	if (sysarg_int(a, 0) < 0)
		return -EINVAL;
	s.bits = kmem_zalloc(MAX(SELECT_SETS * bytes, 1u));
	if (!s.bits)
		return -ENOMEM;
	for (unsigned set = 0; r == 0 && set < SELECT_SETS; set++)
		if (a->arg[1 + set] &&
			user_copy_in(&s.bits[set * s.words], a->arg[1 + set], bytes) < 0)
			r = -EFAULT;
	if (r == 0)
		r = select_fds(&s, deadline_ns);
	for (unsigned set = 0; r >= 0 && set < SELECT_SETS; set++)
		if (a->arg[1 + set] &&
			user_copy_out(a->arg[1 + set], &s.bits[set * s.words], bytes) < 0)
			r = -EFAULT;
	kmem_free(s.bits);
	return r;
}

long sys_select(const struct sysargs *a)
{
	uint64_t deadline_ns = TIME_NEVER_NS, ns;

	if (a->arg[4]) {
		int r = linux_load_timeval(a->arg[4], &ns);

		if (r < 0)
			return r;
		deadline_ns = ns == 0 ? 0 : linux_deadline_after(ns);
	}
	return linux_wait_end(a->arg[4], true, deadline_ns,
		restartable(select_program(a, deadline_ns)));
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
	n = restartable(select_program(a, deadline_ns));
	return linux_wait_end(a->arg[4], false, deadline_ns, linux_wait_mask_leave(&m, n));
}
