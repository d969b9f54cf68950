/*
 * pipe.c: a byte stream between descriptors, kept in pages that come when written and go when read.
 *
 * What:       a ring of page slots. read_pos and write_pos count bytes for ever; the byte at
 *             position p lies in slot (p / 4096) % slots. Copies to and from the program run
 *             without a lock: the one writer whose turn it is owns the free part, the one reader
 *             whose turn it is owns the filled part.
 * Invariants: (1) write_pos never enters the slot that read_pos is in from behind: it is at most
 *             slots * 4096 past the start of read_pos's page. (2) at most one thread writes
 *             (writer_busy) and one reads (reader_busy); only they move their position and slots.
 *             (3) a write of at most PIPE_ATOMIC_BYTES is committed in one step.
 * Locking:    p->lock, LOCK_PIPE; never held over a copy. Read and write sleep.
 * Failure:    -EAGAIN, -EPIPE with SIGPIPE, -ERESTARTSYS, -ENOMEM, -EFAULT; short counts.
 * Source:     pipe(7); Linux fs/pipe.c for what poll reports.
 */
#include "fs/pipe.h"

#include <asm/ioctls.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "fs/inode.h"
#include "fs/stat.h"
#include "fs/vfs.h"
#include "kernel/mm/kmem.h"
#include "kernel/mm/pmm.h"
#include "kernel/process.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/waitq.h"
#include "kernel/signal/signal.h"

#define SLOTS_DEFAULT 16u
#define SLOTS_MAX 4096u /* 16 MiB */
#define SIGNAL_PIPE 13

struct pipe {
	struct spinlock lock;
	_Atomic uint32_t refs; /* [a] open ends, and the FIFO's inode */
	uint32_t readers, writers; /* [lock] open ends */
	uint64_t opened_read,
		opened_write; /* [lock] ends ever opened: for those who wait in open */
	uint32_t slots; /* [lock] a power of two; changes only while nobody is busy */
	pfn_t *pages; /* (2) PFN_NONE: empty slot */
	uint64_t read_pos, write_pos; /* [lock] */
	bool reader_busy, writer_busy; /* [lock] (2) */
	struct waitq wait_read, wait_write, wait_open; /* [lock] */
	struct pollq pollq;
	uint64_t inode_number; /* [I] */
	int64_t created_ns; /* [I] */
};

static const struct file_ops pipe_ops;

bool file_is_pipe(const struct file *f)
{
	return f->ops == &pipe_ops;
}

struct pipe *file_pipe(const struct file *f)
{
	return f->object;
}

static bool can_read(const struct file *f)
{
	return (file_flags(f) & O_ACCMODE) != O_WRONLY;
}

static bool can_write(const struct file *f)
{
	return (file_flags(f) & O_ACCMODE) != O_RDONLY;
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
	pollq_init(&p->pollq);
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

static void count_end_locked(struct pipe *p, const struct file *f)
{
	lock_assert_held(&p->lock);
	if (can_read(f)) {
		p->readers++;
		p->opened_read++;
	}
	if (can_write(f)) {
		p->writers++;
		p->opened_write++;
	}
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

static void pipe_release(struct file *f)
{
	struct pipe *p = f->object;

	spin_lock(&p->lock);
	p->readers -= can_read(f);
	p->writers -= can_write(f);
	waitq_wake_all(&p->wait_read);
	waitq_wake_all(&p->wait_write);
	spin_unlock(&p->lock);
	pollq_notify(&p->pollq, EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR | EPOLLRDHUP);
	pipe_put(p);
}

/* ------------------------------------------------------------------ reading */

/* 1: it is the caller's turn and there are bytes; 0: end of file; -errno. */
static int begin_read_locked(struct pipe *p, bool nonblock)
{
	lock_assert_held(&p->lock);
	for (;;) {
		unsigned wait = WAIT_SIGNALS;
		int r;

		if (p->reader_busy) {
			wait = 0; /* only copying: soon over, whatever O_NONBLOCK says */
		} else if (p->read_pos < p->write_pos) {
			p->reader_busy = true;
			return 1;
		} else if (p->writers == 0) {
			return 0;
		} else if (nonblock) {
			return -EAGAIN;
		}
		r = waitq_wait(&p->wait_read, &p->lock, TIME_NEVER_NS, wait);
		if (r < 0)
			return r;
	}
}

static char *slot_page(struct pipe *p, uint64_t pos)
{
	return pfn_to_virt(p->pages[(pos >> PAGE_SHIFT) & (p->slots - 1)]);
}

/* (2): pages that have been read to their end are given back. */
static void free_read_pages(struct pipe *p, uint64_t from, uint64_t to)
{
	for (uint64_t page = from >> PAGE_SHIFT; page < to >> PAGE_SHIFT; page++) {
		pfn_t *slot = &p->pages[page & (p->slots - 1)];

		pmm_put(*slot);
		*slot = PFN_NONE;
	}
}

static long copy_out(struct pipe *p, struct uio *u, uint64_t from, uint64_t to)
{
	uint64_t pos = from;

	while (pos < to && u->left_bytes > 0) {
		uint64_t n = MIN(to - pos, PAGE_SIZE - (pos & PAGE_MASK));
		long got;

		n = MIN(n, u->left_bytes);
		got = uio_copy_to(u, slot_page(p, pos) + (pos & PAGE_MASK), n);
		if (got < 0)
			return pos > from ? (long)(pos - from) : got;
		pos += (uint64_t)got;
		if ((uint64_t)got < n)
			break;
	}
	return (long)(pos - from);
}

/* An empty pipe starts again at the start of its page: so a full PIPE_ATOMIC_BYTES always fits in
 * the end, and the page is used again. */
static void restart_empty_locked(struct pipe *p)
{
	lock_assert_held(&p->lock);
	if (p->read_pos == p->write_pos && !p->reader_busy && !p->writer_busy)
		p->read_pos = p->write_pos = ROUND_DOWN(p->read_pos, PAGE_SIZE);
}

static long pipe_read(struct file *f, struct uio *u, int64_t offset_bytes)
{
	struct pipe *p = f->object;
	uint64_t from, to;
	long n;

	if (offset_bytes != FILE_AT_POSITION)
		return -ESPIPE;
	if (u->left_bytes == 0)
		return 0;
	spin_lock(&p->lock);
	n = begin_read_locked(p, file_is_nonblocking(f));
	from = p->read_pos;
	to = p->write_pos;
	spin_unlock(&p->lock);
	if (n <= 0)
		return n;
	n = copy_out(p, u, from, to);
	if (n > 0)
		free_read_pages(p, from, from + (uint64_t)n);
	spin_lock(&p->lock);
	p->reader_busy = false;
	if (n > 0)
		p->read_pos += (uint64_t)n;
	restart_empty_locked(p);
	waitq_wake_all(&p->wait_read);
	waitq_wake_all(&p->wait_write);
	spin_unlock(&p->lock);
	if (n > 0)
		pollq_notify(&p->pollq, EPOLLOUT);
	return n;
}

/* ------------------------------------------------------------------ writing */

/* (1) */
static uint64_t free_bytes_locked(const struct pipe *p)
{
	uint64_t end = ROUND_DOWN(p->read_pos, PAGE_SIZE) + ((uint64_t)p->slots << PAGE_SHIFT);

	return end - p->write_pos;
}

/* 0: it is the caller's turn, and there is room for need bytes at least. */
static int begin_write_locked(struct pipe *p, uint64_t need, bool nonblock)
{
	lock_assert_held(&p->lock);
	for (;;) {
		unsigned wait = WAIT_SIGNALS;
		int r;

		if (p->readers == 0)
			return -EPIPE;
		if (p->writer_busy) {
			wait = 0;
		} else if (free_bytes_locked(p) >= need) {
			p->writer_busy = true;
			return 0;
		} else if (nonblock) {
			return -EAGAIN;
		}
		r = waitq_wait(&p->wait_write, &p->lock, TIME_NEVER_NS, wait);
		if (r < 0)
			return r;
	}
}

static long copy_in(struct pipe *p, struct uio *u, uint64_t from, uint64_t room)
{
	uint64_t pos = from;

	while (pos < from + room && u->left_bytes > 0) {
		uint64_t n = MIN(from + room - pos, PAGE_SIZE - (pos & PAGE_MASK));
		pfn_t *slot = &p->pages[(pos >> PAGE_SHIFT) & (p->slots - 1)];
		long got;

		n = MIN(n, u->left_bytes);
		if (*slot == PFN_NONE)
			*slot = pmm_alloc(0, PMM_KERNEL);
		if (*slot == PFN_NONE)
			return pos > from ? (long)(pos - from) : -ENOMEM;
		got = uio_copy_from(u, (char *)pfn_to_virt(*slot) + (pos & PAGE_MASK), n);
		if (got < 0)
			return pos > from ? (long)(pos - from) : got;
		pos += (uint64_t)got;
		if ((uint64_t)got < n)
			break;
	}
	return (long)(pos - from);
}

/* One round: waits for room, copies as much as fits. */
static long write_some(struct pipe *p, struct uio *u, bool nonblock)
{
	uint64_t need = u->left_bytes <= PIPE_ATOMIC_BYTES ? u->left_bytes : 1;
	uint64_t from, room;
	long n;

	spin_lock(&p->lock);
	n = begin_write_locked(p, need, nonblock);
	from = p->write_pos;
	room = free_bytes_locked(p);
	spin_unlock(&p->lock);
	if (n < 0)
		return n;
	n = copy_in(p, u, from, room);
	spin_lock(&p->lock);
	p->writer_busy = false;
	if (n > 0)
		p->write_pos += (uint64_t)n; /* (3) */
	restart_empty_locked(p);
	waitq_wake_all(&p->wait_read);
	waitq_wake_all(&p->wait_write);
	spin_unlock(&p->lock);
	if (n > 0)
		pollq_notify(&p->pollq, EPOLLIN);
	return n;
}

static void send_sigpipe(void)
{
	struct signal_info info = { .signo = SIGNAL_PIPE, .pid = PROCESS_PID };

	signal_send_thread(thread_current(), &info);
}

static long pipe_write(struct file *f, struct uio *u, int64_t offset_bytes)
{
	struct pipe *p = f->object;
	long done = 0;

	if (offset_bytes != FILE_AT_POSITION)
		return -ESPIPE;
	while (u->left_bytes > 0) {
		long n = write_some(p, u, file_is_nonblocking(f));

		if (n == -EPIPE)
			send_sigpipe();
		if (n < 0)
			return done ? done : n;
		done += n;
	}
	return done;
}

/* ------------------------------------------------------------------ the rest */

static uint32_t pipe_poll(struct file *f)
{
	struct pipe *p = f->object;
	uint32_t events = 0;

	spin_lock(&p->lock);
	if (can_read(f)) {
		if (p->read_pos < p->write_pos)
			events |= EPOLLIN | EPOLLRDNORM;
		/* A FIFO that never had a writer does not report a hang-up. */
		if (p->writers == 0 && p->opened_write > 0)
			events |= EPOLLHUP;
	}
	if (can_write(f)) {
		if (free_bytes_locked(p) >= PIPE_ATOMIC_BYTES)
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

	return &p->pollq;
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
	if (p->reader_busy || p->writer_busy || last - first >= slots)
		return -EBUSY;
	for (uint64_t page = first; page <= last; page++) {
		pages[page & (slots - 1)] = p->pages[page & (p->slots - 1)];
		p->pages[page & (p->slots - 1)] = PFN_NONE;
	}
	for (uint32_t i = 0; i < p->slots; i++)
		ASSERT(p->pages[i] == PFN_NONE);
	return 0;
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
	old = p->pages;
	r = move_slots_locked(p, pages, slots);
	if (r == 0) {
		p->pages = pages;
		p->slots = slots;
		waitq_wake_all(&p->wait_write);
	}
	spin_unlock(&p->lock);
	kmem_free(r == 0 ? old : pages);
	if (r == 0)
		pollq_notify(&p->pollq, EPOLLOUT);
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
