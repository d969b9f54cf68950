/*
 * waitq.c: condition variables over park and unpark.
 *
 * What:       a waiter lies on the sleeper's stack and is linked while the object's lock is held.
 * Invariants: (1) a waiter is linked exactly while queued is set; both change under the object's
 *             lock. (2) a waiter that was unlinked by a waker has been unparked.
 * Locking:    the object's lock, the caller's. Takes LOCK_SCHED and LOCK_TIMER inside.
 * Failure:    as in the header; no allocation.
 * Source:     none.
 */
#include "kernel/sched/waitq.h"

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"

void waitq_init(struct waitq *q)
{
	TAILQ_INIT(&q->waiters);
}

int waitq_wait(struct waitq *q, struct spinlock *lock, uint64_t deadline_ns, unsigned flags)
{
	struct thread *t = thread_current();
	struct waiter w = { .thread = t, .queued = true };

	lock_assert_held(lock);
	if ((flags & WAIT_SIGNALS) && signal_is_deliverable(t))
		return -ERESTARTSYS;
	TAILQ_INSERT_TAIL(&q->waiters, &w, link);
	spin_unlock(lock);
	sched_park(deadline_ns, flags & WAIT_SIGNALS);
	spin_lock(lock);
	if (!w.queued)
		return 0;
	TAILQ_REMOVE(&q->waiters, &w, link);
	if ((flags & WAIT_SIGNALS) && signal_is_deliverable(t))
		return -ERESTARTSYS;
	if (deadline_ns != TIME_NEVER_NS && clock_now_ns() >= deadline_ns)
		return -ETIMEDOUT;
	return 0;
}

unsigned waitq_wake_one(struct waitq *q)
{
	struct waiter *w = TAILQ_FIRST(&q->waiters);
	struct thread *t;

	if (!w)
		return 0;
	TAILQ_REMOVE(&q->waiters, w, link);
	t = w->thread;
	w->queued = false; /* (2): w may be gone once its thread runs */
	sched_unpark(t);
	return 1;
}

unsigned waitq_wake_all(struct waitq *q)
{
	unsigned n = 0;

	while (waitq_wake_one(q))
		n++;
	return n;
}

bool waitq_has_waiters(const struct waitq *q)
{
	return !TAILQ_EMPTY(&q->waiters);
}
