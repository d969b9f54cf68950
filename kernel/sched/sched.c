/*
 * sched.c: which thread runs where.
 *
 * What:       one queue of runnable threads per CPU, first in first out. A thread runs until it
 *             parks, or, when others wait for the CPU, until its slice is over. A thread that is
 *             woken shortens the running one's slice to a granule, so that it need not wait long.
 *
 *               RUNNABLE -> RUNNING   [schedule]        RUNNING -> PARKED    [sched_park]
 *               RUNNING  -> RUNNABLE  [yield, slice]    PARKED  -> RUNNABLE  [sched_unpark]
 *               RUNNING  -> DEAD      [sched_exit]
 *
 * Invariants: (1) a thread is on exactly one queue while RUNNABLE, on none else. (2) the queue lock of
 *             the CPU is held across a switch and released by the thread that arrives: so nobody
 *             takes a thread from a queue before it has left its stack. (3) an unpark is never
 *             lost: it either makes the thread runnable or sets wake_pending.
 * Locking:    cpu.rq_lock, LOCK_SCHED. Never sleeps with it.
 * Failure:    none.
 * Source:     xv6's hand-off of the lock across the switch.
 */
#include "kernel/sched/sched.h"

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"

enum {
	SLICE_NS = 4000000, /* how long a thread runs while others wait */
	GRANULE_NS = 500000, /* how long it runs at least once another wakes */
};

struct cpu cpus[CPUS_MAX];
uint32_t cpu_count = 1;

static void enqueue_locked(struct cpu *c, struct thread *t)
{
	lock_assert_held(&c->rq_lock);
	t->state = THREAD_RUNNABLE;
	t->cpu = c->arch.id;
	TAILQ_INSERT_TAIL(&c->runnable, t, run_link);
	c->runnable_count++;
}

/* When others wait, the running thread's slice ends some time. */
static void start_slice(struct cpu *c, uint64_t now_ns, uint64_t least_ns)
{
	uint64_t end = c->current->switched_in_ns + least_ns;

	if (c->current == c->idle)
		return; /* the idle loop looks at its queue by itself */
	end = MAX(end, now_ns);
	if (c->slice_end_ns && c->slice_end_ns <= end)
		return;
	c->slice_end_ns = end;
	if (end <= now_ns)
		c->need_resched = true;
	else
		timer_program_hardware();
}

static void finish_switch(void)
{
	struct cpu *c = this_cpu();
	struct thread *dead = c->dead;

	c->dead = NULL;
	spin_unlock(&c->rq_lock); /* (2) */
	if (dead)
		thread_free(dead);
}

/* Switches to the next runnable thread, or the idle one. Caller holds rq_lock and has given the
 * current thread its new state; on return the lock is released. */
static void schedule_locked(struct cpu *c)
{
	struct thread *from = c->current, *to = TAILQ_FIRST(&c->runnable);
	uint64_t now = clock_now_ns();

	lock_assert_held(&c->rq_lock);
	if (to) {
		TAILQ_REMOVE(&c->runnable, to, run_link);
		c->runnable_count--;
	} else {
		to = c->idle;
	}
	ASSERT(from->kstack_canary == NULL || *from->kstack_canary == KSTACK_CANARY);
	from->cpu_time_ns += now - from->switched_in_ns;
	to->switched_in_ns = now;
	to->state = THREAD_RUNNING;
	to->wake_pending = false; /* it is about to test its condition anyway */
	c->need_resched = false;
	c->slice_end_ns = 0;
	if (to == from) {
		finish_switch();
		return;
	}
	c->current = to;
	stat_inc(STAT_context_switches);
	if (c->runnable_count)
		start_slice(c, now, SLICE_NS);
	arch_switch(&from->arch, &to->arch, (uint64_t)to->kstack + ARCH_KSTACK_BYTES);
	finish_switch();
}

void sched_first_run(void)
{
	finish_switch();
}

static void park_timeout(struct timer *timer)
{
	sched_unpark(container_of(timer, struct thread, park_timer));
}

void sched_park(uint64_t deadline_ns, bool signals)
{
	struct cpu *c = this_cpu();
	struct thread *t = c->current;

	lock_assert_none();
	ASSERT(t != c->idle);
	if (signals && signal_is_deliverable(t))
		return;
	if (deadline_ns != TIME_NEVER_NS) {
		timer_init(&t->park_timer, park_timeout);
		timer_arm(&t->park_timer, deadline_ns);
	}
	spin_lock(&c->rq_lock);
	if (t->wake_pending) {
		t->wake_pending = false; /* (3) */
		spin_unlock(&c->rq_lock);
	} else {
		t->state = THREAD_PARKED;
		schedule_locked(c);
	}
	if (deadline_ns != TIME_NEVER_NS)
		timer_cancel(&t->park_timer);
}

void sched_unpark(struct thread *t)
{
	struct cpu *c = &cpus[t->cpu];

	spin_lock(&c->rq_lock);
	if (t->state != THREAD_PARKED) {
		t->wake_pending = true; /* (3) */
	} else {
		enqueue_locked(c, t);
		start_slice(c, clock_now_ns(), GRANULE_NS);
	}
	spin_unlock(&c->rq_lock);
}

void sched_start(struct thread *t)
{
	struct cpu *c = this_cpu();

	spin_lock(&c->rq_lock);
	enqueue_locked(c, t);
	start_slice(c, clock_now_ns(), GRANULE_NS);
	spin_unlock(&c->rq_lock);
}

void sched_yield_cpu(void)
{
	struct cpu *c = this_cpu();

	lock_assert_none();
	if (c->current == c->idle)
		return;
	spin_lock(&c->rq_lock);
	if (!c->runnable_count) {
		spin_unlock(&c->rq_lock);
		return;
	}
	enqueue_locked(c, c->current);
	schedule_locked(c);
}

void sched_relax(void)
{
	lock_assert_none();
	arch_irq_window();
	sched_return_to_program();
}

void sched_return_to_program(void)
{
	struct cpu *c = this_cpu();

	if (!c->need_resched)
		return;
	c->need_resched = false;
	c->slice_end_ns = 0;
	sched_yield_cpu();
}

void sched_exit(void)
{
	struct cpu *c = this_cpu();

	spin_lock(&c->rq_lock);
	c->current->state = THREAD_DEAD;
	c->dead = c->current;
	schedule_locked(c);
	__builtin_unreachable();
}

void sched_kick(struct thread *t)
{
	/* Partner: sched_park's test of signal_is_deliverable; wake_pending closes the gap. */
	sched_unpark(t);
}

void kernel_handle_reschedule(void)
{
}

int sched_set_affinity(struct thread *t, uint64_t mask)
{
	uint64_t online = cpu_count >= 64 ? UINT64_MAX : (1ull << cpu_count) - 1;

	if (!(mask & online))
		return -EINVAL;
	t->affinity = mask & online;
	return 0;
}

uint64_t sched_thread_cpu_ns(struct thread *t)
{
	uint64_t ns = t->cpu_time_ns;

	if (t->state == THREAD_RUNNING)
		ns += clock_now_ns() - t->switched_in_ns;
	return ns;
}

void sched_idle_loop(void)
{
	struct cpu *c = this_cpu();

	for (;;) {
		spin_lock(&c->rq_lock);
		if (c->runnable_count) {
			c->current->state = THREAD_RUNNABLE; /* not queued: it is the idle thread */
			schedule_locked(c);
			continue;
		}
		spin_unlock(&c->rq_lock);
		stat_inc(STAT_idle_waits);
		arch_idle_wait();
	}
}

void sched_init(struct thread *boot_thread)
{
	for (uint32_t i = 0; i < CPUS_MAX; i++) {
		spinlock_init(&cpus[i].rq_lock, LOCK_SCHED);
		TAILQ_INIT(&cpus[i].runnable);
	}
	boot_thread->state = THREAD_RUNNING;
	cpus[0].idle = boot_thread;
	cpus[0].current = boot_thread;
}
