/*
 * pipe.c: pipes and FIFOs: their life, their ends, and what poll says.
 *
 * What:       a pipe lives as long as it has an open end or is a FIFO's. The bytes are
 *             fs/pipe_ring.c's.
 * Invariants: those of fs/pipe_ring.c.
 * Locking:    p->lock, LOCK_PIPE. Opening a FIFO sleeps.
 * Failure:    -ENXIO, -ERESTARTSYS, -ENOMEM, -EBUSY.
 * Source:     pipe(7), fifo(7); Linux fs/pipe.c for what poll reports.
 */
#include "fs/pipe.h"

#include <asm/ioctls.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "base/assert.h"
#include "base/errno.h"
#include "fs/inode.h"
#include "fs/pipe_priv.h"
#include "fs/stat.h"
#include "fs/vfs.h"
#include "kernel/mm/kmem.h"
#include "kernel/mm/pmm.h"

#define SLOTS_DEFAULT 16u
#define SLOTS_MAX 4096u /* 16 MiB */

static const struct file_ops pipe_ops;

bool file_is_pipe(const struct file *f)
{
	return f->ops == &pipe_ops;
}

struct pipe *file_pipe(const struct file *f)
{
	return f->object;
}

int pipe_alloc(struct pipe **out)
{
	struct pipe *p = kmem_zalloc(sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->pages = kmem_zalloc(SLOTS_DEFAULT * sizeof(pfn_t));
	if (!p->pages) {
		kmem_free(p);
		return -ENOMEM;
	}
	spinlock_init(&p->lock, LOCK_PIPE);
	atomic_init(&p->refs, 1);
	p->slots = SLOTS_DEFAULT;
	waitq_init(&p->wait_read);
	waitq_init(&p->wait_write);
	waitq_init(&p->wait_open);
	pollq_init(&p->pollq_read);
	pollq_init(&p->pollq_write);
	p->inode_number = vfs_next_inode_number();
	p->created_ns = vfs_now_ns();
	*out = p;
	return 0;
}

void pipe_put(struct pipe *p)
{
	if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (uint32_t i = 0; i < p->slots; i++)
		if (p->pages[i] != PFN_NONE)
			pmm_put(p->pages[i]);
	kmem_free(p->pages);
	kmem_free(p);
}

/* ------------------------------------------------------------------ opening */

/* Until the other side has been opened since; -ENXIO as open(2) says. */
static int wait_for_peer_locked(struct pipe *p, uint32_t flags)
{
	bool reading = (flags & O_ACCMODE) == O_RDONLY;
	uint64_t before = reading ? p->opened_write : p->opened_read;

	lock_assert_held(&p->lock);
	if ((flags & O_ACCMODE) == O_RDWR || (reading ? p->writers : p->readers) > 0)
		return 0;
	if (flags & O_NONBLOCK)
		return reading ? 0 : -ENXIO;
	while ((reading ? p->opened_write : p->opened_read) == before) {
		int r = waitq_wait(&p->wait_open, &p->lock, TIME_NEVER_NS, WAIT_SIGNALS);

		if (r < 0)
			return r;
	}
	return 0;
}

/* A pipe's position is not one: it is the number of writers that were there before, for an end that
 * was opened when there was none. Only those that came since have hung up on it. */
static void note_writers_locked(const struct pipe *p, struct file *f)
{
	lock_assert_held(&p->lock);
	if (!file_can_write(f) && file_is_nonblocking(f) && p->writers == 0)
		f->position_bytes = (int64_t)p->opened_write;
}

static void count_end_locked(struct pipe *p, const struct file *f)
{
	lock_assert_held(&p->lock);
	if (file_can_read(f)) {
		p->readers++;
		p->opened_read++;
	}
	if (file_can_write(f)) {
		p->writers++;
		p->opened_write++;
	}
	p->both += file_can_read(f) && file_can_write(f);
	waitq_wake_all(&p->wait_open);
}

int pipe_open(struct pipe *p, uint32_t flags, bool wait_peer, struct file **out)
{
	struct file *f;
	int r = file_alloc(&pipe_ops, p, flags, &f);

	if (r < 0)
		return r;
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	spin_lock(&p->lock);
	note_writers_locked(p, f);
	count_end_locked(p, f);
	if (wait_peer)
		r = wait_for_peer_locked(p, flags);
	spin_unlock(&p->lock);
	if (r < 0)
		file_put(f);
	else
		*out = f;
	return r;
}

int pipe_create(uint32_t flags, struct file **read_end, struct file **write_end)
{
	struct pipe *p;
	int r = pipe_alloc(&p);

	if (r < 0)
		return r;
	r = pipe_open(p, flags | O_RDONLY, false, read_end);
	if (r == 0) {
		r = pipe_open(p, flags | O_WRONLY, false, write_end);
		if (r < 0)
			file_put(*read_end);
	}
	pipe_put(p);
	return r;
}

/* Nobody has it open any more: what a FIFO held is gone, and it is as new. */
static void empty_locked(struct pipe *p)
{
	lock_assert_held(&p->lock);
	for (uint32_t i = 0; i < p->slots; i++) {
		if (p->pages[i] != PFN_NONE)
			pmm_put(p->pages[i]);
		p->pages[i] = PFN_NONE;
	}
	p->read_pos = p->write_pos = 0;
	p->opened_read = p->opened_write = 0; /* who waits for others to open has an end himself */
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->object;

	spin_lock(&p->lock);
	p->readers -= file_can_read(f);
	p->writers -= file_can_write(f);
	p->both -= file_can_read(f) && file_can_write(f);
	if (p->readers + p->writers == 0)
		empty_locked(p);
	waitq_wake_all(&p->wait_read);
	waitq_wake_all(&p->wait_write);
	spin_unlock(&p->lock);
	pollq_notify(&p->pollq_read, EPOLLIN | EPOLLHUP | EPOLLRDHUP);
	pollq_notify(&p->pollq_write, EPOLLOUT | EPOLLERR);
	pipe_put(p);
}

/* ------------------------------------------------------------------ the rest */

static uint32_t pipe_poll(struct file *f)
{
	struct pipe *p = f->object;
	uint32_t events = 0;

	spin_lock(&p->lock);
	if (file_can_read(f)) {
		if (p->read_pos < p->write_pos)
			events |= EPOLLIN | EPOLLRDNORM;
		/* A FIFO that had no writer since then does not report a hang-up. */
		if (p->writers == 0 && p->opened_write != (uint64_t)f->position_bytes)
			events |= EPOLLHUP;
	}
	if (file_can_write(f)) {
		if (pipe_is_writable(p))
			events |= EPOLLOUT | EPOLLWRNORM;
		if (p->readers == 0)
			events |= EPOLLERR;
	}
	spin_unlock(&p->lock);
	return events;
}

static struct pollq *pipe_pollq(struct file *f)
{
	struct pipe *p = f->object;

	return file_can_read(f) ? &p->pollq_read : &p->pollq_write;
}

static long pipe_ioctl(struct file *f, uint32_t command, uaddr_t arg)
{
	struct pipe *p = f->object;
	struct uio_range range = { .base = arg, .bytes = sizeof(int32_t) };
	struct uio u;
	int32_t filled;
	long r;

	if (command != FIONREAD)
		return -ENOTTY;
	spin_lock(&p->lock);
	filled = (int32_t)(p->write_pos - p->read_pos);
	spin_unlock(&p->lock);
	uio_init_range(&u, &range);
	r = uio_copy_to(&u, &filled, sizeof(filled));
	return r == (long)sizeof(filled) ? 0 : -EFAULT;
}

static int pipe_stat(struct file *f, struct file_stat *out)
{
	struct pipe *p = f->object;

	if (f->inode) {
		inode_get_stat(f->inode, out);
		return 0;
	}
	out->device = VFS_DEVICE_PIPE;
	out->inode = p->inode_number;
	out->mode = S_IFIFO | 0600;
	out->atime_ns = out->mtime_ns = out->ctime_ns = p->created_ns;
	return 0;
}

uint32_t pipe_capacity_bytes(struct pipe *p)
{
	uint32_t slots;

	spin_lock(&p->lock);
	slots = p->slots;
	spin_unlock(&p->lock);
	return slots << PAGE_SHIFT;
}

/* Moves the pages in use to their slots in the new ring; -EBUSY when they do not fit. */
static int move_slots_locked(struct pipe *p, pfn_t *pages, uint32_t slots)
{
	uint64_t first = p->read_pos >> PAGE_SHIFT;
	uint64_t last = MAX(p->write_pos, p->read_pos + 1) - 1;

	lock_assert_held(&p->lock);
	last >>= PAGE_SHIFT;
	if (last - first >= slots)
		return -EBUSY;
	for (uint64_t page = first; page <= last; page++) {
		pages[page & (slots - 1)] = p->pages[page & (p->slots - 1)];
		p->pages[page & (p->slots - 1)] = PFN_NONE;
	}
	/* Pages that a writer has got and not filled: it met a fault, or a file's end. */
	for (uint32_t i = 0; i < p->slots; i++)
		if (p->pages[i] != PFN_NONE)
			pmm_put(p->pages[i]);
	return 0;
}

/* Slots change hands while nobody copies. */
static int wait_idle_locked(struct pipe *p)
{
	int r = 0;

	lock_assert_held(&p->lock);
	while (r == 0 && (p->reader_busy || p->writer_busy))
		r = waitq_wait(&p->wait_write, &p->lock, TIME_NEVER_NS, WAIT_SIGNALS);
	return r;
}

long pipe_set_capacity(struct pipe *p, uint64_t bytes)
{
	uint32_t slots = 1;
	pfn_t *pages, *old;
	int r;

	if (bytes > (uint64_t)SLOTS_MAX << PAGE_SHIFT)
		return bytes > INT32_MAX ? -EINVAL : -EPERM;
	while ((uint64_t)slots << PAGE_SHIFT < bytes)
		slots *= 2;
	pages = kmem_zalloc(slots * sizeof(pfn_t));
	if (!pages)
		return -ENOMEM;
	spin_lock(&p->lock);
	r = wait_idle_locked(p);
	old = p->pages;
	if (r == 0)
		r = move_slots_locked(p, pages, slots);
	if (r == 0) {
		p->pages = pages;
		p->slots = slots;
		waitq_wake_all(&p->wait_write);
	}
	spin_unlock(&p->lock);
	kmem_free(r == 0 ? old : pages);
	if (r == 0)
		pollq_notify(&p->pollq_write, EPOLLOUT);
	return r == 0 ? (long)slots << PAGE_SHIFT : r;
}

static const struct file_ops pipe_ops = {
	.kind = "pipe:",
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.pollq = pipe_pollq,
	.ioctl = pipe_ioctl,
	.stat = pipe_stat,
	.release = pipe_release,
};
