/*
 * cputime.c: CPU time of threads and of the process: the program's own and the kernel's.
 *
 * What:       the scheduler counts what a thread runs. To time every system call would cost two
 *             readings of the counter each; so calls and faults are sampled, at distances that
 *             vary, or of a program that makes the same calls in turn always the same is timed.
 * Invariants: (1) a sample's weight is the number of entries since the one before. (2) neither part
 *             goes back, and their sum is exact: where the sampled part would overtake, it waits.
 * Locking:    a thread's own fields; told values of the process by cputime.lock, LOCK_CLOCK.
 * Failure:    none.
 * Source:     getrusage(2); Linux cputime_adjust has the same problem and the same answer.
 */
#include "kernel/sched/cputime.h"

#include "kernel/sched/sched.h"
#include "kernel/sync/spinlock.h"
#include "kernel/time/clock.h"

enum { DISTANCE_LEAST = 8, DISTANCE_SPREAD = 16 };

static struct {
	struct spinlock lock;
	struct cputime told; /* [lock] */
} cputime = { .lock = SPINLOCK_INIT(LOCK_CLOCK) };

uint64_t cputime_begin_sample(struct thread *t)
{
	/* the counter's low bits are as good as random here */
	uint32_t next = DISTANCE_LEAST + (uint32_t)(arch_cycles() >> 4) % DISTANCE_SPREAD;

	t->sample_weight = t->entries_next; /* (1) */
	t->entries_next = t->entries_left = next;
	return sched_thread_cpu_ns(t) + 1; /* never 0 */
}

void cputime_end_sample(struct thread *t, uint64_t began_ns)
{
	uint64_t ns = sched_thread_cpu_ns(t) + 1 - began_ns;

	t->system_ns += ns * MAX(t->sample_weight, 1u);
}

struct cputime cputime_split(uint64_t total_ns, uint64_t system_ns, struct cputime *told)
{
	struct cputime now;

	now.system_ns = MAX(MIN(system_ns, total_ns), told->system_ns);
	now.user_ns = total_ns > now.system_ns ? total_ns - now.system_ns : 0;
	if (now.user_ns < told->user_ns) { /* (2) */
		now.user_ns = told->user_ns;
		now.system_ns = total_ns > now.user_ns ? total_ns - now.user_ns : 0;
		now.system_ns = MAX(now.system_ns, told->system_ns);
	}
	*told = now;
	return now;
}

struct cputime cputime_of_thread(struct thread *t)
{
	struct cputime unused = { 0 };

	/* Its own told value when it asks itself: others' looks may be a little behind. */
	return cputime_split(sched_thread_cpu_ns(t), t->system_ns,
		t == thread_current() ? &t->told : &unused);
}

struct cputime cputime_of_process(void)
{
	uint64_t system_ns = sched_process_system_ns(), total_ns = sched_process_cpu_ns();
	struct cputime t;

	spin_lock(&cputime.lock);
	/* another CPU's reading may be newer than ours */
	total_ns = MAX(total_ns, cputime.told.user_ns + cputime.told.system_ns);
	t = cputime_split(total_ns, system_ns, &cputime.told);
	spin_unlock(&cputime.lock);
	return t;
}
