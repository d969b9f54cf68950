/*
 * pollq.c: the list of those who watch one object's readiness.
 *
 * What:       watchers are called, in the order in which they came, at every notification.
 * Invariants: (1) a watcher is on at most one list.
 * Locking:    q->lock, LOCK_POLLQ, held while watchers are called: so a watcher that was taken is
 *             neither running nor will it run.
 * Failure:    none.
 * Source:     Linux's wait queues as epoll uses them; only the edge counts here.
 */
#include "kernel/sync/pollq.h"

void pollq_init(struct pollq *q)
{
	spinlock_init(&q->lock, LOCK_POLLQ);
	TAILQ_INIT(&q->watchers);
}

void pollq_add(struct pollq *q, struct pollq_watcher *w)
{
	spin_lock(&q->lock);
	TAILQ_INSERT_TAIL(&q->watchers, w, link);
	spin_unlock(&q->lock);
}

void pollq_take(struct pollq *q, struct pollq_watcher *w)
{
	spin_lock(&q->lock);
	TAILQ_REMOVE(&q->watchers, w, link);
	spin_unlock(&q->lock);
}

void pollq_notify(struct pollq *q, uint32_t events)
{
	struct pollq_watcher *w;

	spin_lock(&q->lock);
	TAILQ_FOREACH(w, &q->watchers, link)
		w->notify(w, events);
	spin_unlock(&q->lock);
}
