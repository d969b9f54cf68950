/*
 * signalfd.c: pending signals that are read.
 *
 * What:       a read takes signals of the set that are pending for the thread that reads or for the
 *             process; poll looks on behalf of the thread that polls.
 * Invariants: none.
 * Locking:    the set is atomic; signals are kernel/signal's. Read sleeps.
 * Failure:    -EAGAIN, -EINVAL (short buffer), -ERESTARTSYS, -EFAULT.
 * Source:     signalfd(2); Linux fs/signalfd.c for the fields of each kind of signal.
 */
#include "fs/signalfd.h"

#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/signalfd.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "fs/poll.h"
#include "fs/stat.h"
#include "fs/vfs.h"
#include "kernel/mm/kmem.h"
#include "kernel/signal/signal.h"
#include "kernel/signal/watch.h"
#include "kernel/time/clock.h"

STATIC_ASSERT(sizeof(struct signalfd_siginfo) == 128, "as read");

struct signalfd {
	_Atomic uint64_t set; /* [a] */
};

static const struct file_ops signalfd_ops;

static uint64_t set_of(const struct file *f)
{
	const struct signalfd *s = f->object;

	return atomic_load_explicit(&s->set, memory_order_relaxed);
}

static uint32_t signalfd_poll(struct file *f)
{
	return signal_pending_set() & set_of(f) ? EPOLLIN : 0;
}

static struct pollq *signalfd_pollq(struct file *f)
{
	(void)f;
	return signal_watch_pollq();
}

static void fill(const struct signal_info *i, struct signalfd_siginfo *out)
{
	*out = (struct signalfd_siginfo){
		.ssi_signo = (uint32_t)i->signo,
		.ssi_errno = i->error,
		.ssi_code = i->code,
		.ssi_pid = (uint32_t)i->pid,
		.ssi_uid = (uint32_t)i->uid,
		.ssi_tid = (uint32_t)i->timer_id,
		.ssi_overrun = (uint32_t)i->overrun,
		.ssi_ptr = i->value,
		.ssi_int = (int32_t)i->value,
		.ssi_addr = i->addr,
	};
}

/* 0: one was taken. */
static int take(struct file *f, bool wait, struct signal_info *info)
{
	for (;;) {
		struct poll_request q = { .file = f, .events = EPOLLIN };
		long r;

		if (signal_take_set(set_of(f), info))
			return 0;
		if (!wait)
			return -EAGAIN;
		r = poll_wait(&q, 1, TIME_NEVER_NS);
		if (r < 0)
			return r == -EINTR ? -ERESTARTSYS : (int)r;
	}
}

static long signalfd_read(struct file *f, struct uio *u, int64_t offset_bytes)
{
	struct signalfd_siginfo out;
	struct signal_info info;
	long done = 0;

	if (offset_bytes != FILE_AT_POSITION)
		return -ESPIPE;
	if (u->left_bytes < sizeof(out))
		return -EINVAL;
	while (u->left_bytes >= sizeof(out)) {
		int r = take(f, !done && !file_is_nonblocking(f), &info);

		if (r < 0)
			return done ? done : r;
		fill(&info, &out);
		if (uio_copy_to(u, &out, sizeof(out)) != (long)sizeof(out))
			return done ? done : -EFAULT;
		done += (long)sizeof(out);
	}
	return done;
}

static int signalfd_stat(struct file *f, struct file_stat *out)
{
	(void)f;
	vfs_stat_anonymous(out);
	return 0;
}

static void signalfd_release(struct file *f)
{
	signal_watch_end();
	kmem_free(f->object);
}

static const struct file_ops signalfd_ops = {
	.kind = "anon_inode:[signalfd]",
	.read = signalfd_read,
	.poll = signalfd_poll,
	.pollq = signalfd_pollq,
	.stat = signalfd_stat,
	.release = signalfd_release,
};

int signalfd_create(uint64_t set, uint32_t flags, struct file **out)
{
	struct signalfd *s = kmem_zalloc(sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	atomic_init(&s->set, set);
	r = file_alloc(&signalfd_ops, s, flags | O_RDWR, out);
	if (r < 0)
		kmem_free(s);
	else
		signal_watch_begin();
	return r;
}

int signalfd_change(struct file *f, uint64_t set)
{
	struct signalfd *s = f->object;

	if (f->ops != &signalfd_ops)
		return -EINVAL;
	atomic_store_explicit(&s->set, set, memory_order_relaxed);
	signal_watch_tell(); /* what is pending may be in it now */
	return 0;
}
