/*
 * host_threads.c: real threads as CPUs: replaces what host.c does for one thread.
 *
 * What:       every thread is a CPU of its own; spinlocks spin, and give way to the host.
 * Invariants: (1) a lock is taken only while all held ones rank lower.
 * Locking:    that is what it is about.
 * Failure:    as host.c.
 * Source:     kernel/sync/spinlock.h.
 */
#include <sched.h>

#include "host.h"
#include "host_threads.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/sched.h"

static struct cpu host_thread_cpus[HOST_THREADS_MAX];
static _Thread_local struct {
	unsigned cpu;
	const struct spinlock *held[8];
	unsigned count;
} self;

void host_thread_enter(unsigned cpu)
{
	CHECK(cpu < HOST_THREADS_MAX);
	self.cpu = cpu;
	host_thread_cpus[cpu].arch.id = cpu;
}

struct arch_cpu *host_cpu_self(void)
{
	return &host_thread_cpus[self.cpu].arch;
}

void spin_lock(struct spinlock *l)
{
	CHECK(self.count == 0 || self.held[self.count - 1]->rank < l->rank); /* (1) */
	while (atomic_exchange_explicit(&l->owner, 1, memory_order_acquire))
		sched_yield();
	self.held[self.count++] = l;
}

void spin_unlock(struct spinlock *l)
{
	CHECK(self.count > 0 && self.held[self.count - 1] == l);
	host_check_unlock(l);
	self.count--;
	atomic_store_explicit(&l->owner, 0, memory_order_release);
}

bool host_holds(enum lock_rank rank)
{
	for (unsigned i = 0; i < self.count; i++)
		if (self.held[i]->rank == rank)
			return true;
	return false;
}

unsigned host_locks_held(void)
{
	return self.count;
}

void lock_assert_held(const struct spinlock *l)
{
	CHECK(host_holds((enum lock_rank)l->rank));
}

void lock_assert_none(void)
{
	CHECK(self.count == 0);
}

void sched_relax(void)
{
	CHECK(self.count == 0);
	sched_yield();
}
