/*
 * pipe_ring.c: the bytes in a pipe: pages that come when written and go when read.
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
#include "fs/pipe_priv.h"

#include <linux/eventpoll.h>
#include <linux/inotify.h>

#include "base/errno.h"
#include "fs/inode.h"
#include "fs/inotify.h"
#include "kernel/mm/pmm.h"
#include "kernel/process.h"
#include "kernel/sched/thread.h"
#include "kernel/signal/signal.h"

#define SIGNAL_PIPE 13

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

/* Piece by piece: what lies in one page at a time. */
static long drain_pages(struct pipe *p, uint64_t from, uint64_t to, pipe_mover *drain, void *arg)
{
	uint64_t pos = from;

	while (pos < to) {
		uint64_t n = MIN(to - pos, PAGE_SIZE - (pos & PAGE_MASK));
		long got = drain(slot_page(p, pos) + (pos & PAGE_MASK), n, arg);

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

/* n bytes were read, or -errno. */
static void end_read(struct pipe *p, long n)
{
	bool was_writable, both;

	spin_lock(&p->lock);
	was_writable = pipe_is_writable(p);
	p->reader_busy = false;
	if (n > 0)
		p->read_pos += (uint64_t)n;
	restart_empty_locked(p);
	waitq_wake_all(&p->wait_read);
	waitq_wake_all(&p->wait_write);
	was_writable = was_writable || !pipe_is_writable(p);
	both = p->both > 0;
	spin_unlock(&p->lock);
	if (was_writable)
		return;
	pollq_notify(&p->pollq_write, EPOLLOUT);
	if (both)
		pollq_notify(&p->pollq_read, EPOLLOUT);
}

long pipe_drain(struct pipe *p, uint64_t max, bool nonblock, bool keep, pipe_mover *drain,
	void *arg)
{
	uint64_t from, to;
	long n;

	spin_lock(&p->lock);
	n = begin_read_locked(p, nonblock);
	from = p->read_pos;
	to = p->write_pos;
	spin_unlock(&p->lock);
	if (n <= 0)
		return n;
	n = drain_pages(p, from, MIN(to, from + max), drain, arg);
	if (n > 0 && !keep)
		free_read_pages(p, from, from + (uint64_t)n);
	end_read(p, keep ? 0 : n);
	return n;
}

static long drain_to_uio(void *buf, uint64_t bytes, void *arg)
{
	return uio_copy_all_to(arg, buf, bytes);
}

long pipe_read(struct file *f, struct uio *u, int64_t offset_bytes)
{
	long n;

	if (offset_bytes != FILE_AT_POSITION)
		return -ESPIPE;
	if (u->left_bytes == 0)
		return 0;
	n = pipe_drain(f->object, u->left_bytes, file_is_nonblocking(f), false, drain_to_uio, u);
	if (n > 0 && f->inode) { /* a FIFO's */
		inode_touch_read(f->inode);
		inotify_touch(f->inode, IN_ACCESS);
	}
	return n;
}

/* ------------------------------------------------------------------ writing */

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
		} else if (pipe_free_bytes(p) >= need) {
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

static long fill_pages(struct pipe *p, uint64_t from, uint64_t to, pipe_mover *fill, void *arg)
{
	uint64_t pos = from;

	while (pos < to) {
		uint64_t n = MIN(to - pos, PAGE_SIZE - (pos & PAGE_MASK));
		pfn_t *slot = &p->pages[(pos >> PAGE_SHIFT) & (p->slots - 1)];
		long got = -ENOMEM;

		if (*slot == PFN_NONE)
			*slot = pmm_alloc(0, PMM_PIPE);
		if (*slot != PFN_NONE)
			got = fill((char *)pfn_to_virt(*slot) + (pos & PAGE_MASK), n, arg);
		if (got < 0)
			return pos > from ? (long)(pos - from) : got;
		pos += (uint64_t)got;
		if ((uint64_t)got < n)
			break;
	}
	return (long)(pos - from);
}

static void send_sigpipe(void)
{
	struct signal_info info = { .signo = SIGNAL_PIPE, .pid = PROCESS_PID };

	signal_send_thread(thread_current(), &info);
}

/* One round: waits for room, fills as much as fits. */
long pipe_fill(struct pipe *p, uint64_t max, bool nonblock, pipe_mover *fill, void *arg)
{
	uint64_t from, room;
	long n;

	spin_lock(&p->lock);
	n = begin_write_locked(p, max <= PIPE_ATOMIC_BYTES ? max : 1, nonblock);
	from = p->write_pos;
	room = pipe_free_bytes(p);
	spin_unlock(&p->lock);
	if (n == -EPIPE)
		send_sigpipe();
	if (n < 0)
		return n;
	n = fill_pages(p, from, from + MIN(room, max), fill, arg);
	spin_lock(&p->lock);
	p->writer_busy = false;
	if (n > 0)
		p->write_pos += (uint64_t)n; /* (3) */
	restart_empty_locked(p);
	waitq_wake_all(&p->wait_read);
	waitq_wake_all(&p->wait_write);
	spin_unlock(&p->lock);
	if (n > 0)
		pollq_notify(&p->pollq_read, EPOLLIN);
	return n;
}

uint64_t pipe_room(struct pipe *p)
{
	uint64_t room;

	spin_lock(&p->lock);
	room = pipe_free_bytes(p);
	spin_unlock(&p->lock);
	return MAX(room, 1ul);
}

int pipe_wait_room(struct pipe *p)
{
	int r = 0;

	spin_lock(&p->lock);
	while (r == 0 && p->readers > 0 && pipe_free_bytes(p) == 0)
		r = waitq_wait(&p->wait_write, &p->lock, TIME_NEVER_NS, WAIT_SIGNALS);
	spin_unlock(&p->lock);
	return r;
}

static long fill_from_uio(void *buf, uint64_t bytes, void *arg)
{
	return uio_copy_all_from(arg, buf, bytes);
}

long pipe_write(struct file *f, struct uio *u, int64_t offset_bytes)
{
	struct pipe *p = f->object;
	long done = 0, n = 0;

	if (offset_bytes != FILE_AT_POSITION)
		return -ESPIPE;
	while (u->left_bytes > 0) {
		n = pipe_fill(p, u->left_bytes, file_is_nonblocking(f), fill_from_uio, u);
		if (n < 0)
			break;
		done += n;
	}
	if (done && f->inode) { /* a FIFO's */
		inode_touch_write(f->inode);
		inotify_touch(f->inode, IN_MODIFY);
	}
	return done ? done : n;
}
