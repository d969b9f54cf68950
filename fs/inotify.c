/*
 * inotify.c: queues of what happens to watched nodes.
 *
 * What:       a watch ties a node to a queue. Whoever changes the tree or a file's contents calls
 *             one of three functions, which put an event on the queue of each watch that asked.
 * Invariants: (1) watch_count is 0 exactly when no node has a watch. (2) a watch is on
 *             its node's list and on its queue's; it holds no reference: a node whose last
 *             reference goes takes its watches with it, and that is when IN_DELETE_SELF is told.
 *             (3) a queue holds at most EVENTS_MAX events, then one that says so.
 * Locking:    inotify.lock, LOCK_PIPE, for all watches and queues; taken under the tree's lock.
 *             Read sleeps.
 * Failure:    no memory for an event: it is lost, and the queue says that one was.
 * Source:     inotify(7).
 */
#include "fs/inotify.h"

#include <asm/ioctls.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "base/errno.h"
#include "base/units.h"
#include "fs/tree_priv.h"
#include "kernel/mm/kmem.h"
#include "kernel/sched/waitq.h"
#include "lib/string.h"

#define EVENTS_MAX 16384u

struct queued_event {
	TAILQ_ENTRY(queued_event) link;
	struct inotify_event event; /* as read, name behind it */
};

struct inotify_queue {
	TAILQ_HEAD(, queued_event) events;
	LIST_HEAD(, inotify_watch) watches;
	struct waitq wait_read;
	struct pollq pollq;
	uint32_t count; /* of events */
	int32_t last_watch; /* number of the newest watch */
	bool lost; /* an event was lost since the last IN_Q_OVERFLOW */
};

struct inotify_watch {
	LIST_ENTRY(inotify_watch) of_queue, of_inode;
	struct inotify_queue *queue;
	struct inode *inode; /* (2) */
	int32_t number;
	uint32_t mask;
};

static struct {
	struct spinlock lock; /* guards all of the above */
	_Atomic uint32_t watch_count; /* [lock] for writing; (1) */
	_Atomic uint32_t last_cookie; /* [a] */
} inotify = { .lock = SPINLOCK_INIT(LOCK_PIPE) };

static const struct file_ops inotify_ops;

bool file_is_inotify(const struct file *f)
{
	return f->ops == &inotify_ops;
}

uint32_t inotify_next_cookie(void)
{
	return atomic_fetch_add_explicit(&inotify.last_cookie, 1, memory_order_relaxed) + 1;
}

static bool is_unwatched(void)
{
	return atomic_load_explicit(&inotify.watch_count, memory_order_relaxed) == 0;
}

/* ------------------------------------------------------------------ queueing */

static uint32_t padded_len(size_t len)
{
	return len ? ROUND_UP((uint32_t)len + 1, (uint32_t)sizeof(struct inotify_event)) : 0;
}

static bool is_repeated(const struct inotify_queue *q, const struct inotify_event *e,
	const char *name, size_t len)
{
	const struct queued_event *last = TAILQ_LAST_FAST(&q->events, queued_event, link);

	return last && last->event.wd == e->wd && last->event.mask == e->mask &&
		last->event.cookie == e->cookie && last->event.len == e->len &&
		memcmp(last->event.name, name, len) == 0;
}

static void append_locked(struct inotify_queue *q, const struct inotify_event *e, const char *name,
	size_t len)
{
	struct queued_event *n;

	lock_assert_held(&inotify.lock);
	if (is_repeated(q, e, name, len))
		return;
	n = q->count < EVENTS_MAX ? kmem_zalloc(sizeof(*n) + e->len) : NULL;
	if (!n) {
		q->lost = true; /* (3) */
		return;
	}
	n->event = *e;
	memcpy(n->event.name, name, len);
	TAILQ_INSERT_TAIL(&q->events, n, link);
	q->count++;
	waitq_wake_all(&q->wait_read);
	pollq_notify(&q->pollq, EPOLLIN);
}

static void queue_locked(struct inotify_watch *w, uint32_t mask, uint32_t cookie, const char *name,
	size_t len)
{
	struct inotify_event e = {
		.wd = w->number,
		.mask = mask,
		.cookie = cookie,
		.len = padded_len(len),
	};

	append_locked(w->queue, &e, name, len);
}

static void end_watch_locked(struct inotify_watch *w)
{
	lock_assert_held(&inotify.lock);
	queue_locked(w, IN_IGNORED, 0, "", 0);
	LIST_REMOVE(w, of_queue);
	LIST_REMOVE(w, of_inode);
	kmem_free(w);
	atomic_fetch_sub_explicit(&inotify.watch_count, 1, memory_order_relaxed);
}

/* An event as it is told to the watches of one node. */
struct told {
	uint32_t mask, is_dir, cookie;
	const char *name;
	size_t len;
	uint32_t not_for; /* watches with such a bit hear nothing */
};

static void tell_watches(struct inode *i, const struct told *e)
{
	struct inotify_watch *w, *next;

	spin_lock(&inotify.lock);
	LIST_FOREACH_SAFE(w, &i->watches, of_inode, next) {
		if (w->mask & e->not_for || !(w->mask & e->mask))
			continue;
		queue_locked(w, (e->mask & w->mask) | e->is_dir, e->cookie, e->name, e->len);
		if (w->mask & IN_ONESHOT)
			end_watch_locked(w);
	}
	spin_unlock(&inotify.lock);
}

void inotify_inode_freed(struct inode *i)
{
	struct inotify_watch *w, *next;

	if (is_unwatched())
		return;
	spin_lock(&inotify.lock);
	LIST_FOREACH_SAFE(w, &i->watches, of_inode, next) {
		if (w->mask & IN_DELETE_SELF)
			queue_locked(w, IN_DELETE_SELF, 0, "", 0);
		end_watch_locked(w);
	}
	spin_unlock(&inotify.lock);
}

static uint32_t dir_bit(const struct inode *i)
{
	return inode_is_dir(i) ? IN_ISDIR : 0;
}

void inotify_name_locked(struct inode *dir, const char *name, size_t len, const struct inode *i,
	uint32_t mask, uint32_t cookie)
{
	struct told e = { mask, dir_bit(i), cookie, name, len, 0 };

	tree_assert_locked();
	if (!is_unwatched())
		tell_watches(dir, &e);
}

void inotify_self_locked(struct inode *i, uint32_t mask)
{
	struct told e = { mask, mask == IN_ATTRIB ? dir_bit(i) : 0, 0, "", 0, 0 };

	tree_assert_locked();
	if (!is_unwatched())
		tell_watches(i, &e);
}

/* By the name in a directory, which may be one that the node had last. */
static void tell_parent_locked(struct inode *i, const struct dir_entry *name, uint32_t mask,
	uint32_t not_for)
{
	struct told e = { mask, dir_bit(i), 0, name->name, name->len, not_for };

	if (name->parent->device == i->device)
		tell_watches(name->parent, &e);
}

void inotify_touch(struct inode *i, uint32_t mask)
{
	struct told self = { mask, dir_bit(i), 0, "", 0, 0 };
	struct dir_entry *e;

	if (is_unwatched())
		return;
	tree_lock();
	LIST_FOREACH(e, &i->names, of_inode)
		tell_parent_locked(i, e, mask, 0);
	if (LIST_EMPTY(&i->names) && i->gone)
		tell_parent_locked(i, i->gone, mask, IN_EXCL_UNLINK);
	tell_watches(i, &self);
	tree_unlock();
}

/* ------------------------------------------------------------------ watches */

static struct inotify_watch *find_inode_locked(struct inotify_queue *q, const struct inode *i)
{
	struct inotify_watch *w;

	LIST_FOREACH(w, &q->watches, of_queue)
		if (w->inode == i)
			return w;
	return NULL;
}

static int change_locked(struct inotify_watch *w, uint32_t mask)
{
	uint32_t bits = mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK);

	if (mask & IN_MASK_CREATE)
		return -EEXIST;
	w->mask = mask & IN_MASK_ADD ? w->mask | bits : bits;
	return w->number;
}

int inotify_add(struct file *f, struct inode *i, uint32_t mask)
{
	struct inotify_queue *q = f->object;
	struct inotify_watch *w, *made = kmem_zalloc(sizeof(*made));
	int r;

	if (!made)
		return -ENOMEM;
	spin_lock(&inotify.lock);
	w = find_inode_locked(q, i);
	if (w) {
		r = change_locked(w, mask);
	} else {
		r = ++q->last_watch;
		*made = (struct inotify_watch){ .queue = q, .inode = i, .number = r };
		made->mask = mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK);
		LIST_INSERT_HEAD(&q->watches, made, of_queue);
		LIST_INSERT_HEAD(&i->watches, made, of_inode);
		atomic_fetch_add_explicit(&inotify.watch_count, 1, memory_order_relaxed);
		made = NULL;
	}
	spin_unlock(&inotify.lock);
	kmem_free(made);
	return r;
}

int inotify_remove(struct file *f, int watch)
{
	struct inotify_queue *q = f->object;
	struct inotify_watch *w;

	spin_lock(&inotify.lock);
	LIST_FOREACH(w, &q->watches, of_queue)
		if (w->number == watch)
			break;
	if (w)
		end_watch_locked(w);
	spin_unlock(&inotify.lock);
	return w ? 0 : -EINVAL;
}

/* ------------------------------------------------------------------ the queue as a file */

/* The next event that fits, taken off the queue. NULL: none, and *error says why. */
static struct queued_event *take_event_locked(struct inotify_queue *q, uint64_t room, int *error)
{
	struct queued_event *e = TAILQ_FIRST(&q->events);

	lock_assert_held(&inotify.lock);
	*error = e || q->lost ? -EINVAL : -EAGAIN;
	if (!e && q->lost && room >= sizeof(e->event)) {
		e = kmem_zalloc(sizeof(*e));
		q->lost = !e;
		if (e)
			e->event = (struct inotify_event){ .wd = -1, .mask = IN_Q_OVERFLOW };
		return e;
	}
	if (!e || sizeof(e->event) + e->event.len > room)
		return NULL;
	TAILQ_REMOVE(&q->events, e, link);
	q->count--;
	return e;
}

static struct queued_event *wait_event(struct inotify_queue *q, uint64_t room, bool wait,
	int *error)
{
	struct queued_event *e;

	spin_lock(&inotify.lock);
	e = take_event_locked(q, room, error);
	while (!e && *error == -EAGAIN && wait) {
		int r = waitq_wait(&q->wait_read, &inotify.lock, TIME_NEVER_NS, WAIT_SIGNALS);

		e = take_event_locked(q, room, error);
		if (!e && r < 0) {
			*error = r;
			break;
		}
	}
	spin_unlock(&inotify.lock);
	return e;
}

static long inotify_read(struct file *f, struct uio *u, int64_t offset_bytes)
{
	struct queued_event *e;
	long done = 0;
	int error;

	if (offset_bytes != FILE_AT_POSITION)
		return -ESPIPE;
	for (;;) {
		bool wait = !done && !file_is_nonblocking(f);
		uint64_t bytes;
		long n;

		e = wait_event(f->object, u->left_bytes, wait, &error);
		if (!e)
			return done ? done : error;
		bytes = sizeof(e->event) + e->event.len;
		n = uio_copy_to(u, &e->event, bytes);
		kmem_free(e);
		if (n != (long)bytes)
			return done ? done : -EFAULT;
		done += n;
	}
}

static uint32_t inotify_poll(struct file *f)
{
	struct inotify_queue *q = f->object;
	uint32_t events;

	spin_lock(&inotify.lock);
	events = TAILQ_EMPTY(&q->events) && !q->lost ? 0 : EPOLLIN | EPOLLRDNORM;
	spin_unlock(&inotify.lock);
	return events;
}

static struct pollq *inotify_pollq(struct file *f)
{
	struct inotify_queue *q = f->object;

	return &q->pollq;
}

static long inotify_ioctl(struct file *f, uint32_t command, uaddr_t arg)
{
	struct uio_range range = { .base = arg, .bytes = sizeof(int32_t) };
	struct inotify_queue *q = f->object;
	struct queued_event *e;
	int32_t bytes = 0;
	struct uio u;

	if (command != FIONREAD)
		return -ENOTTY;
	spin_lock(&inotify.lock);
	TAILQ_FOREACH(e, &q->events, link)
		bytes += (int32_t)(sizeof(e->event) + e->event.len);
	spin_unlock(&inotify.lock);
	uio_init_range(&u, &range);
	return uio_copy_to(&u, &bytes, sizeof(bytes)) == (long)sizeof(bytes) ? 0 : -EFAULT;
}

static int inotify_stat(struct file *f, struct file_stat *out)
{
	(void)f;
	vfs_stat_anonymous(out);
	return 0;
}

static void inotify_release(struct file *f)
{
	struct inotify_queue *q = f->object;
	struct inotify_watch *w;
	struct queued_event *e;

	do {
		spin_lock(&inotify.lock);
		w = LIST_FIRST(&q->watches);
		if (w)
			end_watch_locked(w);
		spin_unlock(&inotify.lock);
	} while (w);
	while ((e = TAILQ_FIRST(&q->events))) { /* no watch, so nobody else */
		TAILQ_REMOVE(&q->events, e, link);
		kmem_free(e);
	}
	kmem_free(q);
}

static const struct file_ops inotify_ops = {
	.kind = "anon_inode:inotify",
	.read = inotify_read,
	.poll = inotify_poll,
	.pollq = inotify_pollq,
	.ioctl = inotify_ioctl,
	.stat = inotify_stat,
	.release = inotify_release,
};

int inotify_create(uint32_t flags, struct file **out)
{
	struct inotify_queue *q = kmem_zalloc(sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	TAILQ_INIT(&q->events);
	LIST_INIT(&q->watches);
	waitq_init(&q->wait_read);
	pollq_init(&q->pollq);
	r = file_alloc(&inotify_ops, q, flags | O_RDONLY, out);
	if (r < 0)
		kmem_free(q);
	return r;
}
