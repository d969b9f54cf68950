/*
 * spinlock.c: ticket locks, with rank checks in debug builds.
 *
 * What:       first come, first served, so that no CPU starves. A waiting CPU has interrupts
 *             off, and so looks itself for what other CPUs ask of it.
 * Invariants: (1) ranks of the locks a CPU holds ascend. (2) interrupts are off while one is held.
 * Locking:    this is it.
 * Failure:    a broken invariant is a panic in debug builds.
 * Source:     none.
 */
#include "kernel/sync/spinlock.h"

#include "base/assert.h"
#include "kernel/sched/cpu.h"

static bool ignored; /* set by panic, never cleared */

#ifdef GOSOLO_DEBUG
static void check_acquire(const struct spinlock *l)
{
	struct cpu *c = this_cpu();

	if (ignored)
		return;
	ASSERT(!arch_irqs_enabled()); /* (2) */
	ASSERT(l->rank > LOCK_NONE && l->rank < LOCK_RANKS);
	ASSERT(c->locks_held < ARRAY_LEN(c->lock_stack));
	if (c->locks_held)
		ASSERT(c->lock_stack[c->locks_held - 1]->rank < l->rank); /* (1) */
	c->lock_stack[c->locks_held++] = l;
}

static void check_release(const struct spinlock *l)
{
	struct cpu *c = this_cpu();
	uint32_t i = c->locks_held;

	if (ignored)
		return;
	while (i > 0 && c->lock_stack[i - 1] != l)
		i--;
	ASSERT(i > 0);
	for (; i < c->locks_held; i++)
		c->lock_stack[i - 1] = c->lock_stack[i];
	c->locks_held--;
}
#else
static void check_acquire(const struct spinlock *l unused_arg)
{
}
static void check_release(const struct spinlock *l unused_arg)
{
}
#endif

void spinlock_init(struct spinlock *l, enum lock_rank rank)
{
	atomic_init(&l->next, 0);
	atomic_init(&l->serving, 0);
	l->rank = rank;
	l->owner = 0;
}

void spin_lock(struct spinlock *l)
{
	uint32_t ticket;

	check_acquire(l);
	ticket = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);
	/* Acquire pairs with the release in spin_unlock. */
	while (atomic_load_explicit(&l->serving, memory_order_acquire) != ticket) {
		if (unlikely(ignored))
			break;
		arch_poll_requests();
		arch_pause();
	}
	l->owner = this_cpu()->arch.id + 1;
}

bool spin_trylock(struct spinlock *l)
{
	uint32_t serving = atomic_load_explicit(&l->serving, memory_order_relaxed);

	if (!atomic_compare_exchange_strong_explicit(&l->next, &serving, serving + 1,
		    memory_order_acquire, memory_order_relaxed))
		return false;
	check_acquire(l);
	l->owner = this_cpu()->arch.id + 1;
	return true;
}

void spin_unlock(struct spinlock *l)
{
	check_release(l);
	l->owner = 0;
	atomic_store_explicit(&l->serving,
		atomic_load_explicit(&l->serving, memory_order_relaxed) + 1, memory_order_release);
}

void spinlock_ignore_all(void)
{
	ignored = true;
}

void lock_assert_held(const struct spinlock *l)
{
	DASSERT(ignored || l->owner == this_cpu()->arch.id + 1);
}

void lock_assert_none(void)
{
	DASSERT(ignored || this_cpu()->locks_held == 0);
}
