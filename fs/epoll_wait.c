/*
 * epoll_wait.c: epoll sets: waiting and reporting.
 *
 * What:       takes items off the ready list, asks their files, reports those that are ready.
 *             A level-triggered item that was reported goes back to the list's end, so that the
 *             next wait asks again; an edge-triggered one comes back by its next notification.
 * Invariants: (1) an item is taken off the list before its file is asked, so a change during the
 *             question puts it back: no edge is lost. (2) what maxevents leaves is still on the
 *             list. (3) when a waiter leaves with items on the list, another waiter is woken.
 *             (4) what could not be stored is on the list again, and armed.
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

/* One wait's tour of the list. */
struct tour {
	struct epoll_sink *sink; /* NULL: it only looks, and nothing changes for those who wait */
	uint64_t scan;
	uint32_t max, found;
	int error; /* of the sink: no more can be stored */
};

/* The events of an item that is reported; 0: none. *asked is what it was armed for. */
static uint32_t take_events(struct epoll_set *set, struct epoll_item *item, uint32_t now,
	const struct tour *t, struct epoll_result *result, uint32_t *asked)
{
	spin_lock(&set->lock);
	*asked = item->events;
	*result = (struct epoll_result){ .data = item->data,
		.events = item->dead ? 0 : now & item->events & ~OPTIONS };
	if (!result->events)
		; /* its next notification puts it back */
	else if (!t->sink)
		put_back_locked(set, item);
	else if (item->events & EPOLLONESHOT)
		item->events &= OPTIONS;
	else if (!(item->events & EPOLLET))
		put_back_locked(set, item);
	spin_unlock(&set->lock);
	return result->events;
}

/* (4) It was not told: as if it had not been looked at, at the head of the list. Who has changed it
 * since has armed it. */
static void untake(struct epoll_set *set, struct epoll_item *item, uint32_t asked)
{
	spin_lock(&set->lock);
	if (!item->dead) {
		if (!(item->events & ~OPTIONS))
			item->events |= asked;
		if (item->ready)
			TAILQ_REMOVE(&set->ready, item, ready_link);
		item->ready = true;
		TAILQ_INSERT_HEAD(&set->ready, item, ready_link);
	}
	spin_unlock(&set->lock);
}

static void ask(struct epoll_set *set, const struct look *look, struct tour *t)
{
	uint32_t now = look->file->ops->poll(look->file), asked;
	struct epoll_result result;

	if (take_events(set, look->item, now, t, &result, &asked)) {
		if (t->sink)
			t->error = t->sink->store(t->sink, t->found, &result);
		if (t->error)
			untake(set, look->item, asked);
		else
			t->found++;
	}
}

/* How many were told, or had nothing to tell. */
static unsigned ask_batch(struct epoll_set *set, const struct look *looks, unsigned n,
	struct tour *t)
{
	unsigned i = 0;

	while (i < n) {
		ask(set, &looks[i], t);
		if (t->error)
			break;
		i++;
	}
	return i;
}

static void scan_ready(struct epoll_set *set, struct tour *t)
{
	struct look looks[BATCH];
	unsigned n, asked;

	do {
		n = take_batch(set, looks, MIN(t->max - t->found, BATCH), t->scan);
		asked = ask_batch(set, looks, n, t);
		for (unsigned i = n; i-- > 0;) {
			if (i >= asked)
				untake(set, looks[i].item, 0);
			file_put(looks[i].file);
			epoll_item_put(looks[i].item);
		}
	} while (n > 0 && t->found < t->max && !t->error);
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

long epoll_wait(struct file *ep, struct epoll_sink *sink, uint32_t max, uint64_t deadline_ns)
{
	struct epoll_set *set = ep->object;

	if (!file_is_epoll(ep) || max == 0)
		return -EINVAL;
	for (;;) {
		struct tour t = { .sink = sink, .scan = next_scan(), .max = max };
		int r;

		scan_ready(set, &t);
		if (t.found > 0 || t.error) {
			wake_next(set);
			return t.found ? (long)t.found : t.error;
		}
		if (deadline_ns == 0)
			return 0;
		r = wait_ready(set, deadline_ns);
		if (r < 0)
			return r == -ETIMEDOUT ? 0 : -EINTR;
	}
}

uint32_t epoll_set_poll(struct file *f)
{
	struct tour t = { .scan = next_scan(), .max = 1 };

	scan_ready(f->object, &t);
	return t.found ? EPOLLIN | EPOLLRDNORM : 0;
}
