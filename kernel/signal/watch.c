/*
 * watch.c: who wants to hear that signals become pending.
 *
 * What:       one queue of watchers for all signals: those who are told look for themselves.
 * Invariants: (1) count is how many watch; while it is 0, sending a signal costs one load.
 * Locking:    LOCK_POLLQ inside.
 * Failure:    none.
 * Source:     signalfd(2).
 */
#include "kernel/signal/watch.h"

#include <linux/eventpoll.h>

static struct {
	_Atomic uint32_t count; /* [a] (1) */
	struct pollq pollq;
} watch = { .pollq = { SPINLOCK_INIT(LOCK_POLLQ), TAILQ_HEAD_INITIALIZER(watch.pollq.watchers) } };

struct pollq *signal_watch_pollq(void)
{
	return &watch.pollq;
}

/* Whoever begins looks at what is pending afterwards: a signal that was sent before is found there,
 * and one that is sent later is told. Both are sequentially consistent with the sender's store. */
void signal_watch_begin(void)
{
	atomic_fetch_add_explicit(&watch.count, 1, memory_order_seq_cst);
}

void signal_watch_end(void)
{
	atomic_fetch_sub_explicit(&watch.count, 1, memory_order_seq_cst);
}

void signal_watch_tell(void)
{
	if (atomic_load_explicit(&watch.count, memory_order_seq_cst) > 0)
		pollq_notify(&watch.pollq, EPOLLIN);
}
