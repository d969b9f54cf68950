/*
 * poll.c: waiting for any of several files.
 *
 * What:       watchers are put on all files first, then the files are asked, then the thread
 *             sleeps until a watcher was called: so nothing that happens in between is missed.
 * Invariants: (1) all watchers are taken off before the call ends: they lie in its memory.
 * Locking:    table.lock, LOCK_EPOLL: watchers are called under LOCK_POLLQ.
 * Failure:    -EINTR, -ENOMEM.
 * Source:     poll(2), select(2).
 */
#include "fs/poll.h"

#include <linux/eventpoll.h>

#include "base/errno.h"
#include "base/units.h"
#include "kernel/mm/kmem.h"
#include "kernel/sched/waitq.h"
#include "kernel/signal/signal.h"

struct poll_table {
	struct spinlock lock;
	struct waitq waiters; /* [lock] */
	bool called; /* [lock] a watcher was called since the last look */
};

struct poll_watcher {
	struct pollq_watcher watcher;
	struct poll_table *table;
	struct pollq *pollq; /* NULL: the file's readiness never changes */
};

static void watcher_called(struct pollq_watcher *w, uint32_t events)
{
	struct poll_table *t = container_of(w, struct poll_watcher, watcher)->table;

	(void)events;
	spin_lock(&t->lock);
	t->called = true;
	waitq_wake_all(&t->waiters);
	spin_unlock(&t->lock);
}

static long look(struct poll_request *requests, uint32_t count)
{
	long ready = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct poll_request *r = &requests[i];

		if (!r->file)
			continue;
		r->ready = file_poll(r->file) & (r->events | EPOLLERR | EPOLLHUP);
		ready += r->ready != 0;
	}
	return ready;
}

static void watch(struct poll_request *requests, struct poll_watcher *watchers, uint32_t count,
	struct poll_table *t)
{
	for (uint32_t i = 0; i < count; i++) {
		struct file *f = requests[i].file;
		struct poll_watcher *w = &watchers[i];

		*w = (struct poll_watcher){ .watcher.notify = watcher_called, .table = t };
		w->pollq = f && f->ops->pollq ? f->ops->pollq(f) : NULL;
		if (w->pollq)
			pollq_add(w->pollq, &w->watcher);
	}
}

static int sleep_until_called(struct poll_table *t, uint64_t deadline_ns)
{
	int r = 0;

	spin_lock(&t->lock);
	while (r == 0 && !t->called)
		r = waitq_wait(&t->waiters, &t->lock, deadline_ns, WAIT_SIGNALS);
	t->called = false;
	spin_unlock(&t->lock);
	return r;
}

static long wait_watching(struct poll_request *requests, uint32_t count, struct poll_table *t,
	uint64_t deadline_ns)
{
	for (;;) {
		long ready = look(requests, count);
		int r;

		if (ready > 0)
			return ready;
		r = sleep_until_called(t, deadline_ns);
		if (r == 0)
			continue;
		ready = look(requests, count);
		if (ready > 0)
			return ready;
		return r == -ETIMEDOUT ? 0 : -EINTR;
	}
}

/* That nothing is ready is not said where a signal is there, too. */
static long unless_signalled(long ready)
{
	return ready == 0 && signal_is_deliverable(thread_current()) ? -EINTR : ready;
}

long poll_wait(struct poll_request *requests, uint32_t count, uint64_t deadline_ns)
{
	struct poll_watcher *watchers = NULL;
	struct poll_table t;
	long ready = look(requests, count);

	if (ready > 0)
		return ready;
	if (deadline_ns == 0)
		return unless_signalled(0);
	spinlock_init(&t.lock, LOCK_EPOLL);
	waitq_init(&t.waiters);
	t.called = false;
	if (count > 0) {
		watchers = kmem_alloc(count * sizeof(*watchers));
		if (!watchers)
			return -ENOMEM;
	}
	watch(requests, watchers, count, &t);
	ready = wait_watching(requests, count, &t, deadline_ns);
	for (uint32_t i = 0; i < count; i++)
		if (watchers[i].pollq)
			pollq_take(watchers[i].pollq, &watchers[i].watcher); /* (1) */
	kmem_free(watchers);
	return unless_signalled(ready);
}
