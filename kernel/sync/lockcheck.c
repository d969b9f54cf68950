/*
 * lockcheck.c: what a debug build checks at every lock, and how long each kind of lock was held.
 *
 * What:       every CPU keeps a stack of the locks it holds, with the cycle at which it got each.
 *             The longest hold of each rank, and who released it, is part of the statistics. A hold
 *             above the bound is logged, later, when the CPU holds no lock.
 * Invariants: (1) ranks of the locks a CPU holds ascend. (2) interrupts are off while one is held.
 * Locking:    none: each CPU has its own; a report is a moment's view.
 * Failure:    a broken invariant is a panic. A hypervisor may stop a CPU for any time while it
 *             holds a lock, so there the bound is one that no host reaches.
 * Source:     none.
 */
#include "kernel/sync/lockcheck_priv.h"

#ifdef GOSOLO_DEBUG
#include "base/assert.h"
#include "kernel/log.h"
#include "kernel/sched/cpu.h"
#include "kernel/time/clock.h"
#include "lib/fmt.h"

/* About 4 ms and 2 min at 2.5 GHz: a time slice, and what no host stops a running CPU for. */
#define BOUND_CYCLES 10000000ull
#define BOUND_VIRTUAL_CYCLES 300000000000ull

struct hold {
	uint64_t cycles;
	uint64_t released_at; /* in the kernel's text */
};

static struct {
	struct per_cpu {
		uint64_t since[8]; /* [c] of cpu.lock_stack */
		struct hold longest[LOCK_RANKS]; /* [c] */
		uint32_t late_rank; /* [c] to be logged; LOCK_NONE: nothing */
		struct hold late; /* [c] */
	} cpus[CPUS_MAX];
} lockcheck;

static const char *const names[LOCK_RANKS] = {
	[LOCK_FS] = "fs",
	[LOCK_FDTABLE] = "fdtable",
	[LOCK_PIPE] = "pipe",
	[LOCK_NET] = "net",
	[LOCK_NETDEV] = "netdev",
	[LOCK_DEVICE] = "device",
	[LOCK_CONSOLE] = "console",
	[LOCK_POLLQ] = "pollq",
	[LOCK_EPOLL] = "epoll",
	[LOCK_FUTEX] = "futex",
	[LOCK_SIGNAL] = "signal",
	[LOCK_THREADS] = "threads",
	[LOCK_VM] = "vm",
	[LOCK_OBJECT] = "object",
	[LOCK_ENTROPY] = "entropy",
	[LOCK_IRQ] = "irq",
	[LOCK_TIMER] = "timer",
	[LOCK_SCHED] = "sched",
	[LOCK_CLOCK] = "clock",
	[LOCK_KMEM] = "kmem",
	[LOCK_PMM] = "pmm",
	[LOCK_LOG] = "log",
	[LOCK_OUTBOX] = "outbox",
};

STATIC_ASSERT(ARRAY_LEN(lockcheck.cpus[0].since) == ARRAY_LEN(cpus[0].lock_stack), "one each");

void lockcheck_acquire(const struct spinlock *l)
{
	struct cpu *c = this_cpu();

	ASSERT(!arch_irqs_enabled()); /* (2) */
	ASSERT(l->rank > LOCK_NONE && l->rank < LOCK_RANKS);
	ASSERT(c->locks_held < ARRAY_LEN(c->lock_stack));
	if (c->locks_held)
		ASSERT(c->lock_stack[c->locks_held - 1]->rank < l->rank); /* (1) */
	c->lock_stack[c->locks_held++] = l;
}

void lockcheck_acquired(void)
{
	struct cpu *c = this_cpu();

	lockcheck.cpus[c->arch.id].since[c->locks_held - 1] = arch_cycles();
}

static uint64_t bound_cycles(void)
{
	return arch_is_virtual() ? BOUND_VIRTUAL_CYCLES : BOUND_CYCLES;
}

static void note_hold(struct per_cpu *p, uint32_t rank, uint64_t since, uint64_t return_address)
{
	struct hold h = { arch_cycles() - since, return_address };

	if (h.cycles <= p->longest[rank].cycles)
		return;
	p->longest[rank] = h;
	if (h.cycles > BOUND_CYCLES && h.cycles > bound_cycles()) {
		p->late_rank = rank;
		p->late = h;
	}
}

void lockcheck_release(const struct spinlock *l, uint64_t return_address)
{
	struct cpu *c = this_cpu();
	struct per_cpu *p = &lockcheck.cpus[c->arch.id];
	uint32_t i = c->locks_held;

	while (i > 0 && c->lock_stack[i - 1] != l)
		i--;
	ASSERT(i > 0);
	ASSERT(l->owner == c->arch.id + 1);
	note_hold(p, l->rank, p->since[i - 1], return_address);
	for (; i < c->locks_held; i++) {
		c->lock_stack[i - 1] = c->lock_stack[i];
		p->since[i - 1] = p->since[i];
	}
	c->locks_held--;
}

void lockcheck_none_held(void)
{
	struct cpu *c = this_cpu();
	struct per_cpu *p = &lockcheck.cpus[c->arch.id];
	uint32_t rank = p->late_rank;

	ASSERT(c->locks_held == 0);
	if (likely(rank == LOCK_NONE))
		return;
	p->late_rank = LOCK_NONE;
	log_warn("lock %s was held for %llu cycles, released at %#llx", names[rank],
		(unsigned long long)p->late.cycles, (unsigned long long)p->late.released_at);
}

void lock_report(void (*line)(const char *text, void *arg), void *arg)
{
	char text[96];

	for (uint32_t rank = LOCK_NONE + 1; rank < LOCK_RANKS; rank++) {
		struct hold longest = { 0, 0 };

		for (uint32_t i = 0; i < cpu_count; i++)
			if (lockcheck.cpus[i].longest[rank].cycles > longest.cycles)
				longest = lockcheck.cpus[i].longest[rank];
		if (!longest.cycles)
			continue;
		(void)fmt_snprintf(text, sizeof(text), "lock_hold_max.%s %llu ns", names[rank],
			(unsigned long long)clock_cycles_to_ns(longest.cycles));
		line(text, arg);
	}
}
#endif
