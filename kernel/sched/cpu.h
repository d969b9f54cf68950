/*
 * cpu.h: the kernel's per-CPU state.
 */
#pragma once

#include "arch/arch.h"
#include "base/assert.h"
#include "base/tree.h"
#include "kernel/sched/runq.h"
#include "kernel/stats.h"
#include "kernel/sync/spinlock.h"

#define CPUS_MAX ARCH_CPUS_MAX

struct thread;

/* How long this CPU polls for work before it halts: idle.c. */
struct idle_poll {
	uint64_t window_ns; /* 0: not at all */
	uint32_t misses; /* polls that led to window 0 since one found work; bounded */
	uint32_t hold_off; /* so many early wake-ups more until it polls again */
};

struct cpu {
	struct arch_cpu arch; /* must be first: GS base */
	struct thread *current; /* [c] */
	struct thread *idle; /* [I] */
	struct thread *dead; /* [rq_lock] left its stack in the switch under way; freed after it */
	struct thread *moving; /* [rq_lock] left its stack likewise; goes to another CPU */
	bool need_resched; /* [c] looked at on return to the program */
	struct spinlock rq_lock; /* LOCK_SCHED */
	struct runq runq; /* [rq_lock] without the current thread */
	uint64_t slice_end_ns; /* [c] when the current thread's turn is over; 0: nobody waits */
	_Atomic bool polling; /* [a] looks at its queue by itself: needs no interrupt */
	struct idle_poll poll; /* [c] */
	uint32_t locks_held; /* [c] debug builds */
	const struct spinlock *lock_stack[8]; /* [c] debug builds */
	uint64_t stats[STAT_COUNT]; /* [c] */
	uint32_t pagereport_rounds; /* [c] that it has emptied its caches of frames for */
	uint64_t kicks; /* [c] bit per CPU that was given a thread and is still to be interrupted */
};

static inline struct cpu *this_cpu(void)
{
	return (struct cpu *)arch_cpu_self();
}

STATIC_ASSERT(CPUS_MAX <= 64, "sets of CPUs are 64 bits");

extern struct cpu cpus[CPUS_MAX];
extern uint32_t cpu_count; /* [I] after bring-up */
