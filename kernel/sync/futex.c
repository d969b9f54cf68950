/*
 * futex.c: wait queues keyed by a program address.
 *
 * What:       a waiter lies on its thread's kernel stack, linked into the bucket of its address.
 *             The word is compared under the bucket's lock, so that a wake-up between the
 *             comparison and the sleep finds the waiter. A requeue takes waiters off one bucket and
 *             puts them on another, never holding both locks: meanwhile they are in transit.
 *
 *               QUEUED  -> WOKEN    [wake]         QUEUED  -> TRANSIT  [requeue, detach]
 *               QUEUED  -> gone     [time, signal] TRANSIT -> QUEUED   [requeue, attach]
 *
 * Invariants: (1) waiter.state changes under the lock of waiter.bucket; TRANSIT is set under the
 *             old bucket's lock and ends under the new one's, and bucket changes with it. (2) a
 *             waiter returns only after it has taken its bucket's lock once more: so the waker's
 *             use of it, under that lock, is over. (3) while bucket.incoming is not 0 a waker of
 *             that bucket that is not satisfied waits: no wake-up misses a waiter in transit.
 * Locking:    bucket.lock, LOCK_FUTEX, one at a time. LOCK_SCHED inside. futex_wait sleeps; waking
 *             works in any context.
 * Failure:    as in the header; no allocation.
 * Source:     futex(2).
 */
#include "kernel/sync/futex.h"

#include "arch/arch.h"
#include "base/assert.h"
#include "base/errno.h"
#include "base/tree.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/stats.h"
#include "kernel/sync/spinlock.h"

enum { BUCKETS = 256 };

enum waiter_state { WAITER_QUEUED, WAITER_TRANSIT, WAITER_WOKEN };

struct futex_waiter {
	TAILQ_ENTRY(futex_waiter) link; /* [b] */
	struct futex_bucket *_Atomic bucket; /* [a] (1) */
	_Atomic enum waiter_state state; /* [b] atomic for the look at TRANSIT */
	uaddr_t addr; /* [b] */
	uint32_t bitset; /* [I] */
	struct thread *thread; /* [I] */
};

TAILQ_HEAD(futex_list, futex_waiter);

struct futex_bucket { /* [b]: lock */
	struct spinlock lock;
	struct futex_list waiters; /* [b] oldest first */
	uint32_t incoming; /* [b] requeues under way */
};

static struct {
	struct futex_bucket buckets[BUCKETS];
} futex;

void futex_init(void)
{
	for (uint32_t i = 0; i < BUCKETS; i++) {
		spinlock_init(&futex.buckets[i].lock, LOCK_FUTEX);
		TAILQ_INIT(&futex.buckets[i].waiters);
	}
}

static struct futex_bucket *bucket_of(uaddr_t addr)
{
	/* Fibonacci hashing: words of neighbouring objects spread. */
	return &futex.buckets[((addr >> 2) * 0x9e3779b97f4a7c15ull) >> 56];
}

/* Under a bucket's lock. -EFAULT: the page is not there. */
static int compare_locked(uaddr_t addr, uint32_t expected)
{
	uint32_t value;

	if (user_peek_u32(&value, addr))
		return -EFAULT;
	return value == expected ? 0 : -EAGAIN;
}

/* Locks b with *addr == expected known under the lock; on error nothing is locked. */
static int lock_if_equal(struct futex_bucket *b, uaddr_t addr, uint32_t expected)
{
	uint32_t value;
	int err;

	do {
		if (user_load_u32(&value, addr)) /* fills the page when it is not there */
			return -EFAULT;
		spin_lock(&b->lock);
		err = compare_locked(addr, expected);
		if (err)
			spin_unlock(&b->lock);
	} while (err == -EFAULT); /* dropped again since */
	return err;
}

/* (1) The bucket that w belongs to, locked; w is not in transit. */
static struct futex_bucket *lock_waiter(struct futex_waiter *w)
{
	for (;;) {
		struct futex_bucket *b = atomic_load_explicit(&w->bucket, memory_order_acquire);

		spin_lock(&b->lock);
		if (b == atomic_load_explicit(&w->bucket, memory_order_relaxed) &&
			atomic_load_explicit(&w->state, memory_order_relaxed) != WAITER_TRANSIT)
			return b;
		spin_unlock(&b->lock);
		arch_poll_requests();
		arch_pause();
	}
}

/* After a park. 1: wait on. */
static int wait_result(struct futex_waiter *w, struct clock_deadline deadline)
{
	struct futex_bucket *b = lock_waiter(w); /* (2) */
	int result = 1;

	if (atomic_load_explicit(&w->state, memory_order_relaxed) == WAITER_WOKEN)
		result = 0;
	else if (deadline.ns != TIME_NEVER_NS && clock_now_ns() >= clock_deadline_ns(deadline))
		result = -ETIMEDOUT; /* also when a signal came, as on Linux */
	else if (signal_is_deliverable(w->thread))
		result = -ERESTARTSYS;
	if (result < 0)
		TAILQ_REMOVE(&b->waiters, w, link);
	spin_unlock(&b->lock);
	return result;
}

int futex_wait(uaddr_t addr, uint32_t expected, struct clock_deadline deadline, uint32_t bitset)
{
	struct futex_bucket *b = bucket_of(addr);
	struct futex_waiter w = { .addr = addr, .bitset = bitset, .thread = thread_current() };
	int err = lock_if_equal(b, addr, expected);

	if (err)
		return err;
	atomic_init(&w.bucket, b);
	atomic_init(&w.state, WAITER_QUEUED);
	TAILQ_INSERT_TAIL(&b->waiters, &w, link);
	spin_unlock(&b->lock);
	stat_inc(STAT_futex_waits);
	do {
		sched_park(clock_deadline_ns(deadline), true);
		err = wait_result(&w, deadline);
	} while (err > 0);
	return err;
}

static long wake_locked(struct futex_bucket *b, uaddr_t addr, uint32_t count, uint32_t bitset)
{
	struct futex_waiter *w, *next;
	long woken = 0;

	lock_assert_held(&b->lock);
	TAILQ_FOREACH_SAFE(w, &b->waiters, link, next) {
		if (woken >= (long)count)
			break;
		if (w->addr != addr || !(w->bitset & bitset))
			continue;
		TAILQ_REMOVE(&b->waiters, w, link);
		atomic_store_explicit(&w->state, WAITER_WOKEN, memory_order_relaxed);
		sched_unpark(w->thread); /* (2): w and its thread live until the lock is free */
		woken++;
	}
	return woken;
}

long futex_wake(uaddr_t addr, uint32_t count, uint32_t bitset)
{
	struct futex_bucket *b = bucket_of(addr);
	long woken = 0;
	bool again;

	do {
		spin_lock(&b->lock);
		woken += wake_locked(b, addr, count - (uint32_t)woken, bitset);
		again = b->incoming && woken < (long)count; /* (3) */
		spin_unlock(&b->lock);
		if (again) {
			arch_poll_requests();
			arch_pause();
		}
	} while (again);
	stat_add(STAT_futex_wakes, (uint64_t)woken);
	return woken;
}

static void add_incoming(struct futex_bucket *b, uint32_t change)
{
	spin_lock(&b->lock);
	b->incoming += change;
	spin_unlock(&b->lock);
}

/* Takes up to count waiters of addr off from, to be put on to. Caller holds from's lock. */
static long detach_locked(struct futex_bucket *from, uaddr_t addr, uint32_t count,
	struct futex_bucket *to, struct futex_list *moving)
{
	struct futex_waiter *w, *next;
	long moved = 0;

	lock_assert_held(&from->lock);
	TAILQ_FOREACH_SAFE(w, &from->waiters, link, next) {
		if (moved >= (long)count)
			break;
		if (w->addr != addr)
			continue;
		TAILQ_REMOVE(&from->waiters, w, link);
		TAILQ_INSERT_TAIL(moving, w, link);
		atomic_store_explicit(&w->state, WAITER_TRANSIT, memory_order_relaxed);
		atomic_store_explicit(&w->bucket, to, memory_order_release); /* (1) */
		moved++;
	}
	return moved;
}

static void attach(struct futex_bucket *to, uaddr_t addr, struct futex_list *moving)
{
	struct futex_waiter *w;

	spin_lock(&to->lock);
	while ((w = TAILQ_FIRST(moving)) != NULL) {
		TAILQ_REMOVE(moving, w, link);
		w->addr = addr;
		TAILQ_INSERT_TAIL(&to->waiters, w, link);
		atomic_store_explicit(&w->state, WAITER_QUEUED, memory_order_relaxed);
	}
	to->incoming--;
	spin_unlock(&to->lock);
}

/* (3) Locks from, having announced that waiters may come to to; on error neither. Nothing here may
 * sleep after the announcement: wakers of to spin meanwhile. */
static int announce_requeue(struct futex_bucket *from, struct futex_bucket *to, uaddr_t addr,
	bool check, uint32_t expected)
{
	uint32_t value;
	int err;

	do {
		if (check && user_load_u32(&value, addr))
			return -EFAULT;
		add_incoming(to, 1);
		spin_lock(&from->lock);
		err = check ? compare_locked(addr, expected) : 0;
		if (err) {
			spin_unlock(&from->lock);
			add_incoming(to, -1u);
		}
	} while (err == -EFAULT);
	return err;
}

long futex_requeue(uaddr_t addr, uint32_t wake_count, uint32_t requeue_count, uaddr_t addr2,
	bool check, uint32_t expected)
{
	struct futex_bucket *from = bucket_of(addr), *to = bucket_of(addr2);
	struct futex_list moving = TAILQ_HEAD_INITIALIZER(moving);
	int err = announce_requeue(from, to, addr, check, expected);
	long done;

	if (err)
		return err;
	done = wake_locked(from, addr, wake_count, UINT32_MAX);
	stat_add(STAT_futex_wakes, (uint64_t)done);
	done += detach_locked(from, addr, requeue_count, to, &moving);
	spin_unlock(&from->lock);
	attach(to, addr2, &moving);
	return done;
}
