/*
 * spinlock.c: locks that are waited for by spinning. Debug builds check their use: lockcheck.c.
 *
 * What:       who finds a lock free takes it. There is no order among those who wait: a hypervisor
 *             stops CPUs at any time, and a lock that must go to a CPU that is stopped is a lock
 *             that nobody has (docs/tricks.md). A waiting CPU has interrupts off, and so looks
 *             itself for what other CPUs ask of it.
 * Invariants: (1) after spinlock_ignore_all only the CPU that called it goes on past a lock that is
 *             held; the others stop when they come to one.
 * Locking:    this is it.
 * Failure:    none.
 * Source:     Linux's virt_spin_lock, for the same reason.
 */
#include "kernel/sync/spinlock.h"

#include "base/assert.h"
#include "kernel/sched/cpu.h"
#include "kernel/sync/lockcheck_priv.h"

/* Emulators leave their loop at each PAUSE and take locks of their own: far longer than most of
 * ours are held. */
enum { SPINS_BEFORE_PAUSE = 100 };

static struct {
	_Atomic uint32_t ignored_by; /* [a] set by panic, never cleared: its cpu id + 1 */
} spinlock;

static bool are_ignored(void)
{
	return unlikely(atomic_load_explicit(&spinlock.ignored_by, memory_order_relaxed) != 0);
}

static bool are_checked(void)
{
	return LOCKCHECK_IS_ON && !are_ignored();
}

/* Whoever else waits for a lock of a machine that panics stops here, so that the report is
 * whole. */
static void stop_others(void)
{
	if (atomic_load_explicit(&spinlock.ignored_by, memory_order_relaxed) !=
		this_cpu()->arch.id + 1)
		arch_halt_forever();
}

void spinlock_init(struct spinlock *l, enum lock_rank rank)
{
	atomic_init(&l->owner, 0);
	l->rank = rank;
}

/* Acquire pairs with the release in spin_unlock. */
static bool take(struct spinlock *l)
{
	uint32_t nobody = 0;

	return atomic_compare_exchange_strong_explicit(&l->owner, &nobody, this_cpu()->arch.id + 1,
		memory_order_acquire, memory_order_relaxed);
}

static bool is_free(const struct spinlock *l)
{
	return !atomic_load_explicit(&l->owner, memory_order_relaxed) || are_ignored();
}

static void wait_until_free(const struct spinlock *l)
{
	bool was_away;

	for (uint32_t n = 0; n < SPINS_BEFORE_PAUSE; n++) {
		if (is_free(l))
			return;
		arch_poll_requests();
	}
	was_away = arch_set_away(true); /* nobody needs to wait for us meanwhile */
	while (!is_free(l)) {
		arch_pause();
		arch_poll_requests(); /* save who frees page tables, perhaps with the lock held */
	}
	(void)arch_set_away(was_away);
}

/* Apart, so that the usual way needs no registers. */
static __attribute__((noinline)) void wait_and_take(struct spinlock *l)
{
	do {
		wait_until_free(l);
		if (are_ignored()) {
			stop_others();
			break; /* (1) */
		}
	} while (!take(l));
}

void spin_lock(struct spinlock *l)
{
	if (are_checked())
		lockcheck_acquire(l);
	if (unlikely(!take(l)))
		wait_and_take(l);
	if (are_checked())
		lockcheck_acquired();
}

bool spin_trylock(struct spinlock *l)
{
	if (!take(l))
		return false;
	if (are_checked()) {
		lockcheck_acquire(l);
		lockcheck_acquired();
	}
	return true;
}

void spin_unlock(struct spinlock *l)
{
	if (are_checked())
		lockcheck_release(l, (uint64_t)__builtin_return_address(0));
	atomic_store_explicit(&l->owner, 0, memory_order_release);
}

void spinlock_ignore_all(void)
{
	uint32_t none = 0;

	/* The first CPU wins; another one that panics too stops. */
	if (!atomic_compare_exchange_strong_explicit(&spinlock.ignored_by, &none,
		    this_cpu()->arch.id + 1, memory_order_relaxed, memory_order_relaxed))
		stop_others();
}

#ifdef GOSOLO_DEBUG
void lock_assert_held(const struct spinlock *l)
{
	ASSERT(are_ignored() ||
		atomic_load_explicit(&l->owner, memory_order_relaxed) == this_cpu()->arch.id + 1);
}

void lock_assert_none(void)
{
	if (are_checked())
		lockcheck_none_held();
}
#endif
