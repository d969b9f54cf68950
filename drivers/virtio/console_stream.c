/*
 * console_stream.c: the program's standard input, output and error.
 *
 * What:       output: copied into pages that the device takes in order; a write waits only for a
 *             free page. Input: pages that the device fills; a page goes back when it is consumed,
 *             so that a program that does not read holds the host up.
 * Invariants: (1) a buffer has one place: free or ready list, backlog, device, or the one caller
 *             that copies. (2) a queue has an entry for every buffer, so adding cannot fail but
 *             on a broken device. (3) whoever is told to wait for room has set want_room.
 * Locking:    console.lock; the caller that copies holds a buffer, not the lock.
 * Failure:    -EIO after the device broke; -ENOMEM when a stream cannot have even one page.
 * Source:     kernel/dev/hostchan.h; pipe(7) for the semantics that programs expect.
 */
#include <linux/eventpoll.h>

#include "arch/arch.h"
#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "drivers/virtio/console_priv.h"
#include "kernel/mm/pmm.h"
#include "kernel/options.h"
#include "kernel/process.h"
#include "kernel/stats.h"
#include "kernel/time/clock.h"
#include "lib/string.h"

#define REST_NS (20 * NS_PER_MS)

static struct console_out *get_out(enum hostchan_stream s)
{
	return s == HOSTCHAN_STDERR ? &console.err : &console.out;
}

static enum hostchan_stream stream_of(const struct console_out *o)
{
	return o == &console.err ? HOSTCHAN_STDERR : HOSTCHAN_STDOUT;
}

static bool is_broken(void)
{
	return virtio_is_broken(&console.device);
}

static void init_out(struct console_out *o)
{
	STAILQ_INIT(&o->free);
	STAILQ_INIT(&o->backlog);
	waitq_init(&o->room);
}

int console_streams_init(void)
{
	init_out(&console.out);
	init_out(&console.err);
	STAILQ_INIT(&console.in.ready);
	waitq_init(&console.in.data);
	console.in.eof_bytes = UINT64_MAX;
	for (int i = 0; i < CONSOLE_IN_BUFFERS; i++) {
		pfn_t pfn = pmm_alloc(0, PMM_KERNEL);

		if (pfn == PFN_NONE)
			return -ENOMEM;
		console.in.buffers[i].page = pfn_to_virt(pfn);
	}
	return 0;
}

/* ------------------------------------------------------------------ output */
static void reap_out_locked(struct console_out *o)
{
	struct console_buffer *b;
	uint32_t bytes;
	void *cookie;
	int got;

	if (!o->port)
		return;
	while ((got = virtq_take(&o->port->tx, &cookie, &bytes)) == 1) {
		b = cookie;
		STAILQ_INSERT_HEAD(&o->free, b, link); /* the one that is still in the cache */
	}
	if (got < 0)
		virtio_fail(&console.device, "bad used ring of an output queue");
}

static void submit_locked(struct console_out *o, struct console_buffer *b)
{
	if (!o->port) {
		STAILQ_INSERT_TAIL(&o->backlog, b, link);
		return;
	}
	if (virtq_add_out(&o->port->tx, b->page, b->bytes, b) != 0) {
		virtio_fail(&console.device, "output queue"); /* (2) */
		STAILQ_INSERT_HEAD(&o->free, b, link);
	}
}

static void flush_locked(struct console_out *o)
{
	if (o->port)
		virtio_kick(&console.device, &o->port->tx);
}

void console_out_open_locked(struct console_out *o, struct console_port *p)
{
	struct console_buffer *b;

	if (o->port)
		return;
	o->port = p;
	while ((b = STAILQ_FIRST(&o->backlog)) != NULL) {
		STAILQ_REMOVE_HEAD(&o->backlog, link);
		submit_locked(o, b);
	}
	flush_locked(o);
}

/* NULL: all are in use. */
static struct console_buffer *try_take_locked(struct console_out *o)
{
	struct console_buffer *b = STAILQ_FIRST(&o->free);
	pfn_t pfn;

	if (!b) {
		reap_out_locked(o);
		b = STAILQ_FIRST(&o->free);
	}
	if (b) {
		STAILQ_REMOVE_HEAD(&o->free, link);
		return b;
	}
	if (o->made == CONSOLE_QUEUE_SIZE || (pfn = pmm_alloc(0, PMM_KERNEL)) == PFN_NONE)
		return NULL;
	b = &o->buffers[o->made++];
	b->page = pfn_to_virt(pfn);
	return b;
}

/* Arranges for a wake-up when a buffer comes back. False: one came meanwhile. */
static bool want_room_locked(struct console_out *o)
{
	o->want_room = true;
	flush_locked(o); /* the device must see what shall come back */
	if (!o->port || !virtq_interrupts_on(&o->port->tx))
		return true;
	reap_out_locked(o);
	return STAILQ_EMPTY(&o->free);
}

static int take_buffer(struct console_out *o, bool nonblock, struct console_buffer **out)
{
	int err = 0;

	console_enter(&console.lock);
	while (!err) {
		if (is_broken() || process_is_ending()) {
			/* After the program's end nothing is written any more, as on Linux. */
			err = is_broken() ? -EIO : -ERESTARTSYS;
			break;
		}
		*out = try_take_locked(o);
		if (*out)
			break;
		if (o->made == 0)
			err = -ENOMEM;
		else if (!want_room_locked(o))
			continue;
		else if (nonblock)
			err = -EAGAIN;
		else
			err = waitq_wait(&o->room, &console.lock, TIME_NEVER_NS, WAIT_SIGNALS);
	}
	console_leave(&console.lock);
	return err;
}

/* Ends of a copy: the filled buffer to the device, or an unused one back. */
static void put_buffer(struct console_out *o, struct console_buffer *b, long bytes, bool is_last)
{
	console_enter(&console.lock);
	if (bytes > 0) {
		b->bytes = (uint32_t)bytes;
		submit_locked(o, b);
	} else {
		STAILQ_INSERT_HEAD(&o->free, b, link);
	}
	if (is_last)
		flush_locked(o);
	console_leave(&console.lock);
}

long console_write(enum hostchan_stream s, struct uio *u, bool nonblock)
{
	struct console_out *o = get_out(s);
	struct console_buffer *b;
	long total = 0;

	while (u->left_bytes) {
		long n = take_buffer(o, nonblock, &b);

		if (n == 0) {
			n = uio_copy_from(u, b->page, PAGE_SIZE);
			put_buffer(o, b, n, n <= 0 || u->left_bytes == 0);
		}
		if (n <= 0) {
			if (total == 0)
				return n;
			break;
		}
		total += n;
	}
	stat_add(STAT_channel_out_bytes, (uint64_t)total);
	return total;
}

static void service_out_locked(struct console_out *o)
{
	if (!o->want_room || console_is_alone()) {
		reap_out_locked(o);
		return;
	}
	reap_out_locked(o);
	if (STAILQ_EMPTY(&o->free) && !is_broken() && want_room_locked(o))
		return;
	o->want_room = false; /* (3) */
	if (o->port)
		virtq_interrupts_off(&o->port->tx);
	(void)waitq_wake_all(&o->room);
	pollq_notify(hostchan_pollq(stream_of(o)), is_broken() ? EPOLLOUT | EPOLLERR : EPOLLOUT);
}

static uint32_t poll_out(struct console_out *o)
{
	bool has_room;

	console_enter(&console.lock);
	has_room = is_broken() || !STAILQ_EMPTY(&o->free) || o->made < CONSOLE_QUEUE_SIZE;
	if (!has_room) {
		reap_out_locked(o);
		has_room = !STAILQ_EMPTY(&o->free) || !want_room_locked(o);
	}
	console_leave(&console.lock);
	if (is_broken())
		return EPOLLOUT | EPOLLERR;
	return has_room ? EPOLLOUT : 0;
}

static bool is_drained_locked(struct console_out *o)
{
	reap_out_locked(o);
	return STAILQ_EMPTY(&o->backlog) && (!o->port || virtq_in_flight(&o->port->tx) == 0);
}

bool console_streams_are_drained(void)
{
	bool is_drained;

	if (is_broken())
		return true;
	console_enter(&console.lock);
	is_drained = is_drained_locked(&console.out) && is_drained_locked(&console.err);
	console_leave(&console.lock);
	return is_drained;
}

void console_streams_rest(void)
{
	struct console_out *o;
	int err = 0;

	console_enter(&console.lock);
	o = is_drained_locked(&console.out) ? &console.err : &console.out;
	o->want_room = true;
	if (!o->port || !virtq_interrupts_on(&o->port->tx))
		err = waitq_wait(&o->room, &console.lock, clock_now_ns() + REST_NS, 0);
	console_leave(&console.lock);
	(void)err; /* woken or late: the caller looks again */
}

void console_panic_write(enum hostchan_stream s, const void *data, uint32_t bytes)
{
	struct console_out *o = get_out(s);
	uint64_t start_ns = clock_now_ns();
	const char *from = data;

	atomic_store_explicit(&console.is_alone, true, memory_order_relaxed);
	while (bytes && !is_broken()) {
		struct console_buffer *b = try_take_locked(o);
		uint32_t n = MIN(bytes, (uint32_t)PAGE_SIZE);

		if (!b) {
			console_poll_device();
			if (console_is_hopeless(start_ns))
				return;
			continue;
		}
		memcpy(b->page, from, n);
		put_buffer(o, b, n, true);
		from += n;
		bytes -= n;
	}
}

/* ------------------------------------------------------------------ input */
static void post_in_locked(struct console_buffer *b)
{
	if (virtq_add_in(&console.in.port->rx, b->page, PAGE_SIZE, b) != 0)
		virtio_fail(&console.device, "input queue"); /* (2) */
}

void console_in_open_locked(struct console_port *p)
{
	if (console.in.port)
		return;
	console.in.port = p;
	for (int i = 0; i < CONSOLE_IN_BUFFERS; i++)
		post_in_locked(&console.in.buffers[i]);
	/* Kicked by the next service: only after PORT_OPEN does QEMU look for input. */
}

static bool is_eof_locked(void)
{
	return console.in.consumed_bytes >= console.in.eof_bytes;
}

static void notify_in_locked(void)
{
	if (console_is_alone())
		return;
	(void)waitq_wake_all(&console.in.data);
	pollq_notify(hostchan_pollq(HOSTCHAN_STDIN), EPOLLIN);
}

/* Input ends once: a program that has read the end must not find more. */
void console_set_eof_locked(uint64_t total_bytes)
{
	if (console.in.eof_bytes != UINT64_MAX)
		return;
	console.in.eof_bytes = total_bytes;
	notify_in_locked();
}

/* True: there is something to read. */
static bool take_in_locked(struct console_buffer *b, uint32_t bytes)
{
	if (bytes == 0) {
		post_in_locked(b);
		return false;
	}
	b->bytes = bytes;
	b->done_bytes = 0;
	STAILQ_INSERT_TAIL(&console.in.ready, b, link);
	return true;
}

static void service_in_locked(void)
{
	struct virtq *q;
	bool is_news = false;
	uint32_t bytes;
	void *cookie;
	int got;

	if (!console.in.port)
		return;
	q = &console.in.port->rx;
	do {
		while ((got = virtq_take(q, &cookie, &bytes)) == 1)
			is_news = take_in_locked(cookie, bytes) || is_news;
		if (got < 0)
			virtio_fail(&console.device, "bad used ring of the input queue");
		virtio_kick(&console.device, q);
	} while (virtq_interrupts_on(q));
	if (is_news)
		notify_in_locked();
}

void console_streams_service_locked(void)
{
	service_in_locked();
	service_out_locked(&console.out);
	service_out_locked(&console.err);
	if (is_broken())
		notify_in_locked(); /* readers shall hear of it */
}

/* The oldest ready buffer for the caller to copy from (*out), or the result of the read. */
static long begin_read(bool nonblock, struct console_buffer **out, uint64_t *bytes)
{
	struct console_in *in = &console.in;
	long err = 0;

	*out = NULL;
	console_enter(&console.lock);
	while (!err) {
		if (!in->is_busy && is_eof_locked())
			break;
		if (!in->is_busy && (*out = STAILQ_FIRST(&in->ready)) != NULL) {
			in->is_busy = true;
			*bytes = MIN((uint64_t)(*out)->bytes - (*out)->done_bytes,
				in->eof_bytes - in->consumed_bytes);
			break;
		}
		if (is_broken())
			err = -EIO;
		else if (nonblock)
			err = -EAGAIN;
		else
			err = waitq_wait(&in->data, &console.lock, TIME_NEVER_NS, WAIT_SIGNALS);
	}
	console_leave(&console.lock);
	return err;
}

static void end_read(struct console_buffer *b, long n)
{
	struct console_in *in = &console.in;

	console_enter(&console.lock);
	in->is_busy = false;
	if (n > 0) {
		b->done_bytes += (uint32_t)n;
		in->consumed_bytes += (uint64_t)n;
	}
	if (b->done_bytes == b->bytes) {
		STAILQ_REMOVE_HEAD(&in->ready, link);
		post_in_locked(b);
		virtio_kick(&console.device, &in->port->rx);
	}
	if (!STAILQ_EMPTY(&in->ready) || is_eof_locked())
		notify_in_locked();
	else
		(void)waitq_wake_all(&in->data); /* who found it busy looks again */
	console_leave(&console.lock);
}

long console_read(struct uio *u, bool nonblock)
{
	struct console_buffer *b;
	uint64_t bytes;
	long n;

	if (u->left_bytes == 0)
		return 0;
	n = begin_read(nonblock, &b, &bytes);
	if (!b)
		return n;
	n = uio_copy_to(u, b->page + b->done_bytes, bytes);
	end_read(b, n);
	if (n > 0)
		stat_add(STAT_channel_in_bytes, (uint64_t)n);
	return n;
}

static uint32_t poll_in(void)
{
	uint32_t events = 0;

	console_enter(&console.lock);
	if (is_eof_locked())
		events = options.tty[0] ? EPOLLIN : EPOLLIN | EPOLLHUP;
	else if (!STAILQ_EMPTY(&console.in.ready))
		events = EPOLLIN;
	else if (is_broken())
		events = EPOLLIN | EPOLLERR;
	console_leave(&console.lock);
	return events;
}

uint32_t console_poll(enum hostchan_stream s)
{
	return s == HOSTCHAN_STDIN ? poll_in() : poll_out(get_out(s));
}
