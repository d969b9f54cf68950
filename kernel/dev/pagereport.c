/*
 * pagereport.c: when the host is told of free memory.
 *
 * What:       the page allocator notes that a large block became free; a CPU that has nothing else
 *             to do, or was interrupted by its timer anyway, sees the note and arms a timer; when
 *             that fires, the driver tells the host of every such block. Once for each round every
 *             CPU gives back the single frames that it keeps for later: one of them is enough to
 *             keep a block from being whole.
 * Invariants: (1) at most one round at a time, and at most one in DELAY_NS: a program that frees
 *             and allocates all the time does not keep the host busy. (2) no note, no timer: what
 *             cannot be told (memory is short) is told after the next note, not tried again.
 * Locking:    none; [a] atomics.
 * Failure:    none: memory that is not told of stays the machine's.
 * Source:     Linux mm/page_reporting.c (the delay of 2 s, the order of 2 MiB).
 */
#include "kernel/dev/pagereport.h"

#include <stdatomic.h>

#include "base/assert.h"
#include "base/units.h"
#include "kernel/mm/pmm.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"

#define DELAY_NS (2 * NS_PER_S)

static struct {
	void (*start)(void); /* [I] NULL: no driver */
	_Atomic uint32_t rounds; /* [a] that were ever due */
	_Atomic bool is_busy; /* [a] a round is due or under way */
	struct timer timer;
} pagereport;

static void fire(struct timer *t unused_arg)
{
	(void)pmm_report_has_news(); /* what is free by now needs no round of its own */
	pagereport.start();
}

void pagereport_register(void (*start)(void))
{
	ASSERT(!pagereport.start);
	timer_init(&pagereport.timer, fire);
	pagereport.start = start;
}

void pagereport_done(void)
{
	/* Pairs with the exchange below: the next round sees what this one did. */
	atomic_store_explicit(&pagereport.is_busy, false, memory_order_release);
}

/* Once for each round. */
static void empty_caches(struct cpu *c)
{
	uint32_t rounds = atomic_load_explicit(&pagereport.rounds, memory_order_relaxed);

	if (c->pagereport_rounds == rounds)
		return;
	c->pagereport_rounds = rounds;
	(void)pmm_single_spill();
}

void pagereport_poll(void)
{
	struct cpu *c = this_cpu();

	empty_caches(c);
	if (!pagereport.start || atomic_load_explicit(&pagereport.is_busy, memory_order_relaxed) ||
		!pmm_report_has_news() || /* (2) */
		atomic_exchange_explicit(&pagereport.is_busy, true, memory_order_acquire))
		return;
	timer_arm(&pagereport.timer, clock_now_ns() + DELAY_NS); /* (1) */
	atomic_fetch_add_explicit(&pagereport.rounds, 1, memory_order_relaxed);
	empty_caches(c);
	sched_interrupt_others(); /* who sleeps does so too, before the round begins */
}
