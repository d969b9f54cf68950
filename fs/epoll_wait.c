/*
 * epoll_wait.c: epoll sets: waiting and reporting.
 *
 * What:       takes items off the ready list, asks their files, reports those that are ready.
 *             A level-triggered item that was reported goes back to the list's end, so that the
 *             next wait asks again; an edge-triggered one comes back by its next notification.
 * Invariants: (1) an item is taken off the list before its file is asked, so a change during the
 *             question puts it back: no edge is lost. (2) what maxevents leaves is still on the
 *             list. (3) when a waiter leaves with items on the list, another waiter is woken.
 * Locking:    as fs/epoll.c; files are asked with no lock held and a reference of their own.
 * Failure:    -EINTR, -EINVAL.
 * Source:     epoll_wait(2); Linux ep_send_events, ep_poll.
 */
#include <linux/eventpoll.h>

#include "base/errno.h"
#include "base/units.h"
#include "fs/epoll.h"
#include "fs/epoll_priv.h"

#define BATCH 16u
/* Bits that are options, not events: what a fired EPOLLONESHOT item is left with. */
#define OPTIONS (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

struct look {
	struct epoll_item *item; /* with a reference */
	struct file *file; /* with a reference */
};

static uint64_t next_scan(void)
{
	static _Atomic uint64_t last;

	return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

/* (1) Up to max items that this scan has not seen. */
static unsigned take_batch(struct epoll_set *set, struct look *looks, unsigned max, uint64_t scan)
{
	struct epoll_item *item;
	unsigned n = 0;

	epoll_registry_lock();
	spin_lock(&set->lock);
	while (n < max && (item = TAILQ_FIRST(&set->ready)) && item->scan != scan) {
		TAILQ_REMOVE(&set->ready, item, ready_link);
		item->ready = false;
		item->scan = scan;
		if (!file_get_live(item->file))
			continue; /* its last close is under way */
		atomic_fetch_add_explicit(&item->refs, 1, memory_order_relaxed);
		looks[n++] = (struct look){ item, item->file };
	}
	spin_unlock(&set->lock);
	epoll_registry_unlock();
	return n;
}

static void put_back_locked(struct epoll_set *set, struct epoll_item *item)
{
	lock_assert_held(&set->lock);
	if (item->ready)
		return;
	item->ready = true;
	TAILQ_INSERT_TAIL(&set->ready, item, ready_link);
}

/* True when the item is reported in *out. peek: nothing changes for those who wait. */
static bool ask(struct epoll_set *set, const struct look *look, struct epoll_result *out, bool peek)
{
	uint32_t now = look->file->ops->poll(look->file);
	struct epoll_item *item = look->item;
	uint32_t hit;

	spin_lock(&set->lock);
	hit = item->dead ? 0 : now & item->events & ~OPTIONS;
	if (hit) {
		*out = (struct epoll_result){ .data = item->data, .events = hit };
		if (peek)
			put_back_locked(set, item);
		else if (item->events & EPOLLONESHOT)
			item->events &= OPTIONS;
		else if (!(item->events & EPOLLET))
			put_back_locked(set, item);
	}
	spin_unlock(&set->lock);
	file_put(look->file);
	epoll_item_put(item);
	return hit != 0;
}

static uint32_t scan_ready(struct epoll_set *set, struct epoll_result *out, uint32_t max,
	uint64_t scan, bool peek)
{
	struct look looks[BATCH];
	uint32_t found = 0;
	unsigned n;

	do {
		n = take_batch(set, looks, MIN(max - found, BATCH), scan);
		for (unsigned i = 0; i < n; i++)
			found += ask(set, &looks[i], &out[found], peek);
	} while (n > 0 && found < max);
	return found;
}

static void wake_next(struct epoll_set *set)
{
	spin_lock(&set->lock);
	if (!TAILQ_EMPTY(&set->ready))
		waitq_wake_one(&set->waiters); /* (3) */
	spin_unlock(&set->lock);
}

/* 0: something may be ready. */
static int wait_ready(struct epoll_set *set, uint64_t deadline_ns)
{
	int r = 0;

	spin_lock(&set->lock);
	while (r == 0 && TAILQ_EMPTY(&set->ready))
		r = waitq_wait(&set->waiters, &set->lock, deadline_ns, WAIT_SIGNALS);
	if (!TAILQ_EMPTY(&set->ready))
		r = 0; /* (3): the wake may have been meant for this one */
	spin_unlock(&set->lock);
	return r;
}

long epoll_wait(struct file *ep, struct epoll_result *out, uint32_t max, uint64_t deadline_ns,
	uint64_t *scan)
{
	struct epoll_set *set = ep->object;

	if (!file_is_epoll(ep) || max == 0)
		return -EINVAL;
	if (*scan == 0)
		*scan = next_scan();
	for (;;) {
		uint32_t n = scan_ready(set, out, max, *scan, false);
		int r;

		if (n > 0) {
			wake_next(set);
			return n;
		}
		if (deadline_ns == 0)
			return 0;
		r = wait_ready(set, deadline_ns);
		if (r < 0)
			return r == -ETIMEDOUT ? 0 : -EINTR;
		*scan = next_scan();
	}
}

uint32_t epoll_set_poll(struct file *f)
{
	struct epoll_result ignored;

	return scan_ready(f->object, &ignored, 1, next_scan(), true) ? EPOLLIN | EPOLLRDNORM : 0;
}
