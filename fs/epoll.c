/*
 * epoll.c: epoll sets: registration and notification.
 *
 * What:       an item ties one file to one set. The file's pollq calls the item's watcher at each
 *             change; the item then goes on the set's ready list, if it is not there, and a
 *             waiter is woken. Whether it really is ready is asked by the waiter (epoll_wait.c).
 * Invariants: (1) an item is in its set's tree, in its file's list and on the file's pollq, or in
 *             none of them and dead. (2) an item in the tree has a file whose memory is valid:
 *             file_put removes items, under the registry's lock, before it frees.
 *             (3) set.ready holds every item whose file became ready since it was last looked at.
 * Locking:    epoll.lock (registry, LOCK_PIPE) -> pollq.lock -> set.lock (LOCK_EPOLL). A watcher
 *             runs under its pollq's lock, so it can't announce on the set's own pollq: a timer
 *             that fires at once does. file->ops->poll is called without any of them.
 * Failure:    -EPERM -EEXIST -ENOENT -EINVAL -ELOOP -ENOMEM.
 * Source:     epoll(7), epoll_ctl(2); Linux fs/eventpoll.c for corner cases.
 */
#include "fs/epoll.h"

#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "base/assert.h"
#include "base/errno.h"
#include "base/units.h"
#include "fs/epoll_priv.h"
#include "fs/vfs.h"
#include "kernel/mm/kmem.h"
#include "kernel/time/clock.h"

#define NEST_MAX 5u /* sets within sets */
#define ALWAYS (EPOLLERR | EPOLLHUP)

static struct {
	struct spinlock lock; /* the registry: see epoll_priv.h */
} epoll = { SPINLOCK_INIT(LOCK_PIPE) };

static const struct file_ops epoll_ops;

static int item_compare(const struct epoll_item *a, const struct epoll_item *b)
{
	if (a->file != b->file)
		return (uintptr_t)a->file < (uintptr_t)b->file ? -1 : 1;
	return (a->fd > b->fd) - (a->fd < b->fd);
}

TREE_GENERATE(epoll_tree, epoll_item, node, item_compare)

void epoll_init(void)
{
	spinlock_init(&epoll.lock, LOCK_PIPE);
}

void epoll_registry_lock(void)
{
	spin_lock(&epoll.lock);
}

void epoll_registry_unlock(void)
{
	spin_unlock(&epoll.lock);
}

bool file_is_epoll(const struct file *f)
{
	return f->ops == &epoll_ops;
}

void epoll_item_put(struct epoll_item *item)
{
	if (atomic_fetch_sub_explicit(&item->refs, 1, memory_order_acq_rel) == 1)
		kmem_free(item);
}

/* ------------------------------------------------------------------ notification */

void epoll_mark_ready_locked(struct epoll_set *set, struct epoll_item *item)
{
	lock_assert_held(&set->lock);
	if (!item->ready) {
		item->ready = true;
		TAILQ_INSERT_TAIL(&set->ready, item, ready_link);
	}
	waitq_wake_one(&set->waiters);
	/* Who adds himself to the pollq looks at the set afterwards, under set->lock: either he
	 * sees the item, or this sees him. */
	if (!TAILQ_EMPTY(&set->pollq.watchers))
		timer_arm(&set->announce, clock_now_ns());
}

static void item_notify(struct pollq_watcher *w, uint32_t events)
{
	struct epoll_item *item = container_of(w, struct epoll_item, watcher);
	struct epoll_set *set = item->set;

	spin_lock(&set->lock);
	if (!item->dead && (item->events & events))
		epoll_mark_ready_locked(set, item);
	spin_unlock(&set->lock);
}

static void announce(struct timer *t)
{
	struct epoll_set *set = container_of(t, struct epoll_set, announce);

	pollq_notify(&set->pollq, EPOLLIN);
}

/* ------------------------------------------------------------------ registration */

static struct epoll_item *find_locked(struct epoll_set *set, int fd, struct file *f)
{
	struct epoll_item key = { .file = f, .fd = fd };

	lock_assert_held(&epoll.lock);
	return RB_FIND(epoll_tree, &set->items, &key);
}

/* Longest chain of sets that ends in set and goes towards those that contain it. */
static unsigned depth_above_locked(const struct epoll_set *set, unsigned limit)
{
	const struct epoll_items *in = set->file->epoll_items;
	const struct epoll_item *item;
	unsigned depth = 0;

	if (!in || limit == 0)
		return 1;
	TAILQ_FOREACH(item, &in->list, file_link) {
		unsigned d = depth_above_locked(item->set, limit - 1);

		depth = MAX(depth, d);
	}
	return depth + 1;
}

/* Longest chain of sets from set downwards; NEST_MAX + 1 when it meets `forbidden`. */
static unsigned depth_below_locked(struct epoll_set *set, const struct epoll_set *forbidden,
	unsigned limit)
{
	struct epoll_item *item;
	unsigned depth = 0;

	if (set == forbidden)
		return NEST_MAX + 1;
	if (limit == 0)
		return 1;
	RB_FOREACH(item, epoll_tree, &set->items) {
		unsigned d;

		if (!file_is_epoll(item->file))
			continue;
		d = depth_below_locked(item->file->object, forbidden, limit - 1);
		depth = MAX(depth, d);
	}
	return depth + 1;
}

static int check_nesting_locked(const struct epoll_set *set, struct file *f)
{
	if (!file_is_epoll(f))
		return 0;
	if (depth_above_locked(set, NEST_MAX) + depth_below_locked(f->object, set, NEST_MAX) >
		NEST_MAX)
		return -ELOOP;
	return 0;
}

static int insert_locked(struct epoll_set *set, struct epoll_item *item)
{
	struct file *f = item->file;
	int r;

	lock_assert_held(&epoll.lock);
	if (find_locked(set, item->fd, f))
		return -EEXIST;
	r = check_nesting_locked(set, f);
	if (r < 0)
		return r;
	if (!f->epoll_items) {
		struct epoll_items *items = kmem_alloc(sizeof(*items));

		if (!items)
			return -ENOMEM;
		TAILQ_INIT(&items->list);
		f->epoll_items = items;
	}
	RB_INSERT(epoll_tree, &set->items, item);
	TAILQ_INSERT_TAIL(&f->epoll_items->list, item, file_link);
	pollq_add(item->pollq, &item->watcher);
	return 0;
}

/* (1): out of everything. The caller's look may still hold a reference. */
static void take_locked(struct epoll_item *item)
{
	struct epoll_set *set = item->set;

	lock_assert_held(&epoll.lock);
	RB_REMOVE(epoll_tree, &set->items, item);
	TAILQ_REMOVE(&item->file->epoll_items->list, item, file_link);
	pollq_take(item->pollq, &item->watcher);
	spin_lock(&set->lock);
	item->dead = true;
	if (item->ready)
		TAILQ_REMOVE(&set->ready, item, ready_link);
	item->ready = false;
	spin_unlock(&set->lock);
	epoll_item_put(item);
}

/* Registration reports what holds now. */
static void look_now(struct epoll_item *item, struct epoll_set *set, struct file *f)
{
	uint32_t now = f->ops->poll(f);

	spin_lock(&set->lock);
	if (!item->dead && (item->events & now))
		epoll_mark_ready_locked(set, item);
	spin_unlock(&set->lock);
}

static int check_target(const struct file *ep, const struct file *f)
{
	if (!f->ops->poll || (file_flags(f) & O_PATH))
		return file_flags(f) & O_PATH ? -EBADF : -EPERM;
	if (!file_is_epoll(ep) || ep == f)
		return -EINVAL;
	return 0;
}

int epoll_add(struct file *ep, int fd, struct file *f, uint32_t events, uint64_t data)
{
	struct epoll_item *item;
	int r = check_target(ep, f);

	if (r < 0)
		return r;
	item = kmem_zalloc(sizeof(*item));
	if (!item)
		return -ENOMEM;
	item->watcher.notify = item_notify;
	item->pollq = f->ops->pollq(f);
	item->set = ep->object;
	item->file = f;
	item->fd = fd;
	item->events = events | ALWAYS;
	item->data = data;
	atomic_init(&item->refs, 2); /* the registry's and ours */
	spin_lock(&epoll.lock);
	r = insert_locked(ep->object, item);
	spin_unlock(&epoll.lock);
	if (r < 0)
		epoll_item_put(item);
	else
		look_now(item, ep->object, f);
	epoll_item_put(item);
	return r;
}

int epoll_change(struct file *ep, int fd, struct file *f, uint32_t events, uint64_t data)
{
	struct epoll_set *set = ep->object;
	struct epoll_item *item;
	int r = check_target(ep, f);

	if (r < 0)
		return r;
	spin_lock(&epoll.lock);
	item = find_locked(set, fd, f);
	if (!item) {
		r = -ENOENT;
	} else if (item->events & EPOLLEXCLUSIVE) {
		r = -EINVAL;
	} else {
		atomic_fetch_add_explicit(&item->refs, 1, memory_order_relaxed);
		spin_lock(&set->lock);
		item->events = events | ALWAYS;
		item->data = data;
		spin_unlock(&set->lock);
	}
	spin_unlock(&epoll.lock);
	if (r < 0)
		return r;
	look_now(item, set, f);
	epoll_item_put(item);
	return 0;
}

int epoll_remove(struct file *ep, int fd, struct file *f)
{
	struct epoll_item *item;
	int r = check_target(ep, f);

	if (r < 0)
		return r;
	spin_lock(&epoll.lock);
	item = find_locked(ep->object, fd, f);
	if (item)
		take_locked(item);
	spin_unlock(&epoll.lock);
	return item ? 0 : -ENOENT;
}

void epoll_file_closed(struct file *f)
{
	struct epoll_item *item;

	if (!f->epoll_items)
		return;
	spin_lock(&epoll.lock);
	while ((item = TAILQ_FIRST(&f->epoll_items->list)))
		take_locked(item);
	spin_unlock(&epoll.lock);
	kmem_free(f->epoll_items);
	f->epoll_items = NULL;
}

/* ------------------------------------------------------------------ the set as a file */

static struct pollq *set_pollq(struct file *f)
{
	struct epoll_set *set = f->object;

	return &set->pollq;
}

static int set_stat(struct file *f, struct file_stat *out)
{
	(void)f;
	vfs_stat_anonymous(out);
	return 0;
}

static void set_release(struct file *f)
{
	struct epoll_set *set = f->object;
	struct epoll_item *item;

	spin_lock(&epoll.lock);
	while ((item = RB_MIN(epoll_tree, &set->items)))
		take_locked(item);
	spin_unlock(&epoll.lock);
	timer_cancel(&set->announce);
	kmem_free(set);
}

static const struct file_ops epoll_ops = {
	.kind = "anon_inode:[eventpoll]",
	.poll = epoll_set_poll,
	.pollq = set_pollq,
	.stat = set_stat,
	.release = set_release,
};

int epoll_create(struct file **out)
{
	struct epoll_set *set = kmem_zalloc(sizeof(*set));
	int r;

	if (!set)
		return -ENOMEM;
	RB_INIT(&set->items);
	TAILQ_INIT(&set->ready);
	spinlock_init(&set->lock, LOCK_EPOLL);
	waitq_init(&set->waiters);
	pollq_init(&set->pollq);
	timer_init(&set->announce, announce);
	r = file_alloc(&epoll_ops, set, O_RDWR, &set->file);
	if (r < 0) {
		kmem_free(set);
		return r;
	}
	*out = set->file;
	return 0;
}
