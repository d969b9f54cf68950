/*
 * spinlock.c: ticket locks. Debug builds check their use: lockcheck.c.
 *
 * What:       first come, first served, so that no CPU starves. A waiting CPU has interrupts
 *             off, and so looks itself for what other CPUs ask of it.
 * Invariants: (1) after spinlock_ignore_all only the CPU that called it goes on past a lock that is
 *             held; the others stop when they come to one.
 * Locking:    this is it.
 * Failure:    none.
 * Source:     none.
 */
#include "kernel/sync/spinlock.h"

#include "base/assert.h"
#include "kernel/sched/cpu.h"
#include "kernel/sync/lockcheck_priv.h"

static struct {
	_Atomic uint32_t ignored_by; /* [a] set by panic, never cleared: its cpu id + 1 */
} spinlock;

static bool are_ignored(void)
{
	return unlikely(atomic_load_explicit(&spinlock.ignored_by, memory_order_relaxed) != 0);
}

/* Whoever else waits for a lock of a machine that panics stops here, so that the report is whole. */
static void stop_others(void)
{
	if (atomic_load_explicit(&spinlock.ignored_by, memory_order_relaxed) !=
		this_cpu()->arch.id + 1)
		arch_halt_forever();
}

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

	if (!are_ignored())
		lockcheck_acquire(l);
	ticket = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);
	/* Acquire pairs with the release in spin_unlock. */
	while (atomic_load_explicit(&l->serving, memory_order_acquire) != ticket) {
		if (are_ignored()) {
			stop_others();
			break;
		}
		arch_poll_requests();
		arch_pause();
	}
	l->owner = this_cpu()->arch.id + 1;
	if (!are_ignored())
		lockcheck_acquired();
}

bool spin_trylock(struct spinlock *l)
{
	uint32_t serving = atomic_load_explicit(&l->serving, memory_order_relaxed);

	if (!atomic_compare_exchange_strong_explicit(&l->next, &serving, serving + 1,
		    memory_order_acquire, memory_order_relaxed))
		return false;
	l->owner = this_cpu()->arch.id + 1;
	if (!are_ignored()) {
		lockcheck_acquire(l);
		lockcheck_acquired();
	}
	return true;
}

void spin_unlock(struct spinlock *l)
{
	if (!are_ignored())
		lockcheck_release(l, (uint64_t)__builtin_return_address(0));
	l->owner = 0;
	atomic_store_explicit(&l->serving,
		atomic_load_explicit(&l->serving, memory_order_relaxed) + 1, memory_order_release);
}

void spinlock_ignore_all(void)
{
	uint32_t none = 0;

	/* The first CPU wins; another one that panics too stops. */
	if (!atomic_compare_exchange_strong_explicit(&spinlock.ignored_by, &none,
		    this_cpu()->arch.id + 1, memory_order_relaxed, memory_order_relaxed))
		stop_others();
}

void lock_assert_held(const struct spinlock *l)
{
	DASSERT(are_ignored() || l->owner == this_cpu()->arch.id + 1);
}

void lock_assert_none(void)
{
	if (!are_ignored())
		lockcheck_none_held();
}
