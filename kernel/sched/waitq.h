/*
 * waitq.h: sleep until somebody says that a condition may hold: a condition variable.
 *
 * A waitq is guarded by the lock of the object it belongs to. The waiter tests its condition under
 * that lock, waitq_wait puts it on the queue, releases the lock, sleeps, takes the lock again; it
 * then tests again. A waker changes the condition under the lock and wakes. So no wake-up is lost.
 */
#pragma once

#include "base/tree.h"
#include "kernel/sync/spinlock.h"

struct thread;

struct waiter {
	TAILQ_ENTRY(waiter) link;
	struct thread *thread;
	bool queued;
};

struct waitq {
	TAILQ_HEAD(waitq_waiters, waiter) waiters; /* guarded by the object's lock */
};

#define WAIT_SIGNALS 1u /* a deliverable signal ends the wait */

void waitq_init(struct waitq *q);
/*
 * Sleeps once. Caller holds lock and no other. Returns with lock held:
 *   0             woken (or spuriously): test the condition again
 *   -ETIMEDOUT    deadline_ns (monotonic; TIME_NEVER_NS: none) has passed
 *   -ERESTARTSYS  a signal is deliverable (only with WAIT_SIGNALS)
 */
int waitq_wait(struct waitq *q, struct spinlock *lock, uint64_t deadline_ns,
	unsigned flags) must_check;
/* Caller holds the object's lock. From interrupts too. Return how many were woken. */
unsigned waitq_wake_one(struct waitq *q);
unsigned waitq_wake_all(struct waitq *q);
bool waitq_has_waiters(const struct waitq *q);
