/*
 * spinlock.h: the one kind of lock.
 *
 * Kernel code runs with interrupts off and is not preempted, so a lock is held for a short,
 * bounded time and needs no irq-safe variant. A lock may be taken only while every lock already
 * held by this CPU has a lower rank; enum lock_rank, read downwards, is the lock order.
 * A debug build checks rank, owner and irq state, and measures how long each rank is held.
 */
#pragma once

#include <stdatomic.h>

#include "base/compiler.h"
#include "base/types.h"

enum lock_rank {
	LOCK_NONE,
	LOCK_FS, /* fs: one tree or one open file */
	LOCK_FDTABLE, /* fs/fdtable.c */
	LOCK_PIPE, /* fs: pipe, eventfd and the like */
	LOCK_NET, /* net: the protocol core and all sockets */
	LOCK_NETDEV, /* drivers: one queue of a network device */
	LOCK_DEVICE, /* drivers: a small device (balloon, rng) */
	LOCK_CONSOLE, /* drivers: host channel */
	LOCK_POLLQ, /* kernel/sync/pollq.c: list of watchers of one object */
	LOCK_EPOLL, /* fs/epoll.c: one interest set, its ready list, its waiters */
	LOCK_FUTEX, /* kernel/sync/futex.c: one bucket */
	LOCK_SIGNAL, /* kernel/signal: actions, process-wide pending set */
	LOCK_THREADS, /* kernel/sched/thread.c: list of all threads */
	LOCK_VM, /* kernel/mm/vm.c: address space and page tables */
	LOCK_OBJECT, /* memory objects behind mappings (page cache of one file) */
	LOCK_ENTROPY, /* kernel/entropy.c */
	LOCK_IRQ, /* kernel/irq.c: the interrupt controller */
	LOCK_CPUTIMER, /* kernel/sched/cputimer.c: who waits for CPU time to go on */
	LOCK_TIMER, /* kernel/time/timer.c: timers of one CPU */
	LOCK_SCHED, /* kernel/sched/sched.c: run queue of one CPU */
	LOCK_CLOCK, /* kernel/time/clock.c: whoever changes rate or wall-clock time */
	LOCK_KMEM, /* kernel/mm/kmem.c */
	LOCK_PMM, /* kernel/mm/pmm.c */
	LOCK_LOG, /* kernel/log.c: nearly innermost, so that everybody may log */
	LOCK_OUTBOX, /* drivers: the control port's way out, taken by the log's sink */
	LOCK_RANKS
};

struct spinlock {
	_Atomic uint32_t owner; /* [a] id + 1 of the CPU that holds it; 0: free */
	uint32_t rank; /* [I] enum lock_rank */
};

#define SPINLOCK_INIT(r) \
	{ \
		0, (r) \
	}

void spinlock_init(struct spinlock *l, enum lock_rank rank);
void spin_lock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
bool spin_trylock(struct spinlock *l) must_check;
/* panic: from now on this CPU waits for no lock and nothing is checked; another CPU stops at the
 * next lock that is held, and when it calls this. */
void spinlock_ignore_all(void);
#ifdef GOSOLO_DEBUG
/* First line of every function named _locked. */
void lock_assert_held(const struct spinlock *l);
/* Before anything that may sleep or touch program memory. */
void lock_assert_none(void);
/* One line per rank that was ever held: the longest hold. Takes no lock of its own. */
void lock_report(void (*line)(const char *text, void *arg), void *arg);
#else
static inline void lock_assert_held(const struct spinlock *l)
{
	(void)l;
}
static inline void lock_assert_none(void)
{
}
static inline void lock_report(void (*line)(const char *text, void *arg), void *arg)
{
	(void)line;
	(void)arg;
}
#endif
