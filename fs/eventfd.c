/*
 * eventfd.c: a counter that is waited for: Go's way to wake its poller.
 *
 * What:       write adds, read takes all (or one) and waits while the counter is 0.
 * Invariants: (1) count <= COUNT_MAX. (2) the counter changes under the lock, notification follows.
 * Locking:    e->lock, LOCK_PIPE. Read and write sleep.
 * Failure:    -EAGAIN, -EINVAL (short buffer, forbidden value), -ERESTARTSYS, -EFAULT.
 * Source:     eventfd(2); Linux fs/eventfd.c.
 */
#include "fs/eventfd.h"

#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "base/errno.h"
#include "base/units.h"
#include "fs/stat.h"
#include "fs/vfs.h"
#include "kernel/mm/kmem.h"
#include "kernel/sched/waitq.h"

#define COUNT_MAX (UINT64_MAX - 1)

struct eventfd {
	struct spinlock lock;
	uint64_t count; /* [lock] (1) */
	bool semaphore; /* [I] */
	struct waitq wait_read, wait_write; /* [lock] */
	struct pollq pollq;
};

static int take_locked(struct eventfd *e, bool nonblock, uint64_t *value)
{
	lock_assert_held(&e->lock);
	while (e->count == 0) {
		int r = -EAGAIN;

		if (!nonblock)
			r = waitq_wait(&e->wait_read, &e->lock, TIME_NEVER_NS, WAIT_SIGNALS);
		if (r < 0)
			return r;
	}
	*value = e->semaphore ? 1 : e->count;
	e->count -= *value;
	waitq_wake_all(&e->wait_write);
	if (e->count > 0)
		waitq_wake_all(&e->wait_read);
	return 0;
}

static long eventfd_read(struct file *f, struct uio *u, int64_t offset_bytes)
{
	struct eventfd *e = f->object;
	uint64_t value = 0;
	long r;

	if (offset_bytes != FILE_AT_POSITION)
		return -ESPIPE;
	if (u->left_bytes < sizeof(value))
		return -EINVAL;
	spin_lock(&e->lock);
	r = take_locked(e, file_is_nonblocking(f), &value);
	spin_unlock(&e->lock);
	if (r < 0)
		return r;
	pollq_notify(&e->pollq, EPOLLOUT);
	r = uio_copy_to(u, &value, sizeof(value));
	return r == (long)sizeof(value) ? r : -EFAULT;
}

static int give_locked(struct eventfd *e, bool nonblock, uint64_t value)
{
	lock_assert_held(&e->lock);
	while (value > COUNT_MAX - e->count) {
		int r = -EAGAIN;

		if (!nonblock)
			r = waitq_wait(&e->wait_write, &e->lock, TIME_NEVER_NS, WAIT_SIGNALS);
		if (r < 0)
			return r;
	}
	e->count += value;
	if (e->count > 0)
		waitq_wake_all(&e->wait_read);
	return 0;
}

static long eventfd_write(struct file *f, struct uio *u, int64_t offset_bytes)
{
	struct eventfd *e = f->object;
	uint64_t value;
	long r;

	if (offset_bytes != FILE_AT_POSITION)
		return -ESPIPE;
	if (u->left_bytes != sizeof(value)) /* exactly; a read may have more room */
		return -EINVAL;
	if (uio_copy_from(u, &value, sizeof(value)) != (long)sizeof(value))
		return -EFAULT;
	if (value == UINT64_MAX)
		return -EINVAL;
	spin_lock(&e->lock);
	r = give_locked(e, file_is_nonblocking(f), value);
	spin_unlock(&e->lock);
	if (r < 0)
		return r;
	pollq_notify(&e->pollq, EPOLLIN); /* (2) */
	return (long)sizeof(value);
}

static uint32_t eventfd_poll(struct file *f)
{
	struct eventfd *e = f->object;
	uint32_t events = 0;

	spin_lock(&e->lock);
	if (e->count > 0)
		events |= EPOLLIN;
	if (e->count < COUNT_MAX)
		events |= EPOLLOUT;
	spin_unlock(&e->lock);
	return events;
}

static struct pollq *eventfd_pollq(struct file *f)
{
	struct eventfd *e = f->object;

	return &e->pollq;
}

static int eventfd_stat(struct file *f, struct file_stat *out)
{
	(void)f;
	vfs_stat_anonymous(out);
	return 0;
}

static void eventfd_release(struct file *f)
{
	kmem_free(f->object);
}

static const struct file_ops eventfd_ops = {
	.kind = "anon_inode:[eventfd]",
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.pollq = eventfd_pollq,
	.stat = eventfd_stat,
	.release = eventfd_release,
};

int eventfd_create(uint64_t initial, bool semaphore, uint32_t flags, struct file **out)
{
	struct eventfd *e = kmem_zalloc(sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	spinlock_init(&e->lock, LOCK_PIPE);
	e->count = initial;
	e->semaphore = semaphore;
	waitq_init(&e->wait_read);
	waitq_init(&e->wait_write);
	pollq_init(&e->pollq);
	r = file_alloc(&eventfd_ops, e, flags | O_RDWR, out);
	if (r < 0)
		kmem_free(e);
	return r;
}
