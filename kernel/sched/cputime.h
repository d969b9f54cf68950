/*
 * cputime.h: CPU time of threads and of the process: the program's own and the kernel's.
 *
 * The sum is exact. What of it is the kernel's is sampled: one entry to the kernel of 8 to 23 is
 * timed, and counts for all of them; so an entry costs a decrement. Locking: LOCK_THREADS inside
 * cputime_of_process.
 */
#pragma once

#include "kernel/sched/thread.h"

struct cputime cputime_of_thread(struct thread *t); /* under LOCK_THREADS, or its own */
struct cputime cputime_of_process(void);
/* What the counts say, in such a way that neither part goes back: told is what was said before. */
struct cputime cputime_split(uint64_t total_ns, uint64_t system_ns, struct cputime *told);

/* Around what the kernel does for a thread of the program. */
uint64_t cputime_begin_sample(struct thread *t);
void cputime_end_sample(struct thread *t, uint64_t began_ns);
static inline uint64_t cputime_enter(struct thread *t)
{
	return likely(--t->entries_left) ? 0 : cputime_begin_sample(t);
}
static inline void cputime_leave(struct thread *t, uint64_t began_ns)
{
	if (unlikely(began_ns))
		cputime_end_sample(t, began_ns);
}
