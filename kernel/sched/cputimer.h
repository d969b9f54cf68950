/*
 * cputimer.h: one-shot callbacks for who waits until a thread, or the whole process, has had some
 * CPU time.
 *
 * They look at the earliest moment at which that could be so, and only while the thread runs, or
 * any one of the process: a machine whose program sleeps is not woken. Whoever is called reads the
 * CPU time and arms again for what is left.
 *
 * The owner arms and cancels from one place at a time, beside the callback. Nothing sleeps or
 * fails.
 */
#pragma once

#include "base/tree.h"
#include "kernel/sched/thread.h"

struct cputimer {
	struct timer timer; /* its fire is what is called: timer.h */
	int32_t tid; /* [I] whose time counts; 0: the process's */
	LIST_ENTRY(cputimer) link; /* [cputimers lock] while it waits */
	uint64_t left_ns; /* [cputimers lock] when it waits */
	bool waits; /* [cputimers lock] until what it counts goes on */
	bool stopped; /* [cputimers lock] is being cancelled */
};

/* fire is called when left_ns more could have been had. Any lock below LOCK_THREADS may be held. A
 * thread that has ended is never heard of again. */
void cputimer_arm(struct cputimer *ct, uint64_t left_ns);
/* After it returns fire is not running and will not run. No lock held. */
void cputimer_cancel(struct cputimer *ct);

/* ------------------------------------------------------------------ for the scheduler */
extern _Atomic bool cputimer_process_waits; /* [a] changes under the cputimers lock */
/* The current thread goes on, and somebody may wait for that. */
void cputimer_resume(struct thread *t);
void cputimer_forget(struct thread *t); /* it has ended, and nobody can find it any more */
static inline bool cputimer_is_awaited(const struct thread *t)
{
	/* Partner: the store in wait_for_process; arch_set_idle's lies between the CPU's leaving
	 * the idle loop and this. */
	return t->cputimers_wait ||
		atomic_load_explicit(&cputimer_process_waits, memory_order_relaxed);
}
