/*
 * shootdown.c: making other CPUs forget translations.
 *
 * What:       flushes are numbered. Each CPU is told the number of the last, and interrupted,
 *             unless it is away: idle, or spinning for a lock. Who is away looks before it touches
 *             anything of the program's again. A CPU that is one flush behind forgets the pages
 *             that this flush named; one that has missed more forgets all.
 * Invariants: (1) a CPU that may hold stale translations has answered less than it was asked. It
 *             answers up to the number it read before it flushed, never more: a request may come
 *             in between. (2) a CPU that waits with interrupts off answers by arch_poll_requests,
 *             away or not: so two CPUs that wait for each other's locks never wait for each other's
 *             flushes, shootdown_finish's included. (3) the named pages are those of the flush
 *             whose number is read before and after them. test/models/shootdown.pml checks all
 *             three.
 * Locking:    flushing: the caller's LOCK_VM, so one at a time.
 * Failure:    none.
 * Source:     Intel SDM 3A 4.10.4, 4.10.5 (propagation of paging changes).
 */
#include <stdatomic.h>

#include "arch/arch.h"
#include "arch/x86_64/cpu_priv.h"
#include "base/assert.h"

static struct {
	uint64_t last; /* [vm lock] number of the last flush */
	/* The pages that flush `named` is for; 0: being changed, or the last flush is for all. */
	_Atomic uint64_t named; /* [a] */
	_Atomic uint64_t start, end; /* [a] */
} shootdown;

void shootdown_add_cpu(struct arch_cpu *c)
{
	atomic_store_explicit(&c->tlb_requested, shootdown.last, memory_order_relaxed);
	atomic_store_explicit(&c->tlb_done, shootdown.last, memory_order_relaxed);
}

static void forget_all(void)
{
	__asm__ volatile("movq %%cr3, %%rax\n\tmovq %%rax, %%cr3" : : : "rax", "memory");
}

static void forget(uint64_t start, uint64_t end)
{
	if (start == end)
		forget_all();
	for (uint64_t va = start; va < end; va += PAGE_SIZE)
		__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* (3) The pages of that flush; false: they are not known. */
static bool pages_of(uint64_t flush, uint64_t *start, uint64_t *end)
{
	/* Partner: the stores in name_pages. */
	if (atomic_load_explicit(&shootdown.named, memory_order_acquire) != flush)
		return false;
	*start = atomic_load_explicit(&shootdown.start, memory_order_relaxed);
	*end = atomic_load_explicit(&shootdown.end, memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&shootdown.named, memory_order_relaxed) == flush;
}

static void name_pages(uint64_t flush, uint64_t start, uint64_t end)
{
	atomic_store_explicit(&shootdown.named, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&shootdown.start, start, memory_order_relaxed);
	atomic_store_explicit(&shootdown.end, end, memory_order_relaxed);
	/* Partner: the loads in pages_of. */
	atomic_store_explicit(&shootdown.named, start == end ? 0 : flush, memory_order_release);
}

void arch_poll_requests(void)
{
	struct arch_cpu *self = arch_cpu_self();
	uint64_t asked = atomic_load_explicit(&self->tlb_requested, memory_order_acquire);
	uint64_t done = atomic_load_explicit(&self->tlb_done, memory_order_relaxed);
	uint64_t start, end;

	if (asked == done)
		return;
	if (asked == done + 1 && pages_of(asked, &start, &end)) {
		forget(start, end);
		self->tlb.ranges++;
	} else {
		forget_all();
		self->tlb.full++;
	}
	/* Partner: the wait in shootdown_flush. */
	atomic_store_explicit(&self->tlb_done, asked, memory_order_release); /* (1) */
}

bool arch_set_away(bool away)
{
	struct arch_cpu *self = arch_cpu_self();
	bool was = atomic_load_explicit(&self->away, memory_order_relaxed);

	/* Sequentially consistent with tlb_requested in ask: either we see the request now, or the
	 * other CPU sees that we are back and interrupts us. */
	atomic_store_explicit(&self->away, away, memory_order_seq_cst);
	if (!away)
		arch_poll_requests();
	return was;
}

void arch_set_idle(bool idle)
{
	atomic_store_explicit(&arch_cpu_self()->idle, idle, memory_order_relaxed);
	(void)arch_set_away(idle);
}

static bool has_answered(struct arch_cpu *c)
{
	return atomic_load_explicit(&c->tlb_done, memory_order_acquire) == shootdown.last;
}

static bool is_away(struct arch_cpu *c)
{
	return atomic_load_explicit(&c->away, memory_order_seq_cst);
}

/* Asks c for the last flush; true when it is interrupted for it, and so to be waited for. */
static bool ask(struct arch_cpu *self, struct arch_cpu *c)
{
	atomic_store_explicit(&c->tlb_requested, shootdown.last, memory_order_seq_cst);
	if (is_away(c)) {
		self->tlb.spared++;
		return false;
	}
	lapic_send_ipi(c->apic_id, VECTOR_TLB);
	self->tlb.ipis++;
	return true;
}

static void wait_for(uint64_t asked, bool also_away)
{
	for (; asked; asked &= asked - 1) {
		struct arch_cpu *c = smp_cpu((uint32_t)__builtin_ctzll(asked));

		while (!has_answered(c) && (also_away || !is_away(c)))
			arch_pause();
	}
}

uint64_t shootdown_flush(uint64_t start, uint64_t end)
{
	struct arch_cpu *self = arch_cpu_self();
	uint32_t n = smp_cpu_count();
	uint64_t asked = 0, since;

	forget(start, end);
	shootdown.last++;
	if (n <= 1)
		return shootdown.last;
	arch_poll_requests(); /* what was asked of this CPU before */
	atomic_store_explicit(&self->tlb_requested, shootdown.last, memory_order_relaxed);
	atomic_store_explicit(&self->tlb_done, shootdown.last, memory_order_relaxed);
	name_pages(shootdown.last, start, end);
	for (uint32_t i = 0; i < n; i++)
		if (smp_cpu(i) != self && ask(self, smp_cpu(i)))
			asked |= 1ull << i;
	self->tlb.shootdowns++;
	since = arch_cycles();
	wait_for(asked, false);
	self->tlb.wait_cycles += arch_cycles() - since;
	return shootdown.last;
}

bool shootdown_is_done(uint64_t flush)
{
	for (uint32_t i = 0, n = smp_cpu_count(); i < n; i++)
		if (n > 1 &&
			atomic_load_explicit(&smp_cpu(i)->tlb_done, memory_order_acquire) < flush)
			return false;
	return shootdown.last >= flush;
}

void shootdown_finish(void)
{
	struct arch_cpu *self = arch_cpu_self();
	uint64_t asked = 0;

	for (uint32_t i = 0, n = smp_cpu_count(); i < n; i++) {
		if (smp_cpu(i) == self || has_answered(smp_cpu(i)))
			continue;
		lapic_send_ipi(smp_cpu(i)->apic_id, VECTOR_TLB);
		self->tlb.ipis++;
		asked |= 1ull << i;
	}
	wait_for(asked, true);
}
