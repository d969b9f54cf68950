/*
 * timer.c: one-shot callbacks, and the hardware timer that they and time slices share.
 *
 * What:       a tree of timers per CPU. The hardware is armed for the earliest of the first timer
 *             and the end of the slice; when that moves later the hardware is left alone and finds
 *             nothing to do once, which is cheaper than arming it at every cancelled timeout.
 *             A timer may have slack: the tree is ordered by when it must fire, and an interrupt
 *             for another one fires it before that, but not too early.
 * Invariants: (1) hardware fires at or before the earliest deadline. (2) a callback runs after
 *             its earliest time, never before. (3) a timer is in the tree of timer.cpu exactly
 *             while armed; timer.cpu changes under the lock of the queue that it leaves. (4) a
 *             timer that is armed while its callback runs stays with that CPU, which looks again
 *             after it: so arming never waits for a callback, which may want a lock that the
 *             caller holds.
 * Locking:    q.lock, LOCK_TIMER; released around callbacks. Whoever owns a timer arms it from one
 *             place at a time; cancelling needs no order.
 * Failure:    none.
 * Source:     none.
 */
#include "kernel/time/timer.h"

#include "arch/arch.h"
#include "base/assert.h"
#include "kernel/dev/pagereport.h"
#include "kernel/sched/cpu.h"
#include "kernel/time/clock.h"
#include "kernel/trace.h"

RB_HEAD(timer_tree, timer);

struct timer_queue {
	struct spinlock lock;
	struct timer_tree tree; /* [lock] */
	struct timer *firing; /* [lock] */
	/* [c] no timer of the tree is due before; others' cancelling leaves it */
	uint64_t first_ns;
	uint64_t armed_ns; /* [c] what the hardware waits for; TIME_NEVER_NS: nothing */
	uint64_t armed_at_cycles; /* [c] */
	uint32_t armed_count; /* [c] the counter right after arming */
};

static struct timer_queue queues[CPUS_MAX];

static int compare(const struct timer *a, const struct timer *b)
{
	if (a->deadline_ns != b->deadline_ns)
		return a->deadline_ns < b->deadline_ns ? -1 : 1;
	return a < b ? -1 : a > b;
}

TREE_GENERATE(timer_tree, timer, node, compare)

void timer_setup(void)
{
	for (uint32_t i = 0; i < CPUS_MAX; i++) {
		spinlock_init(&queues[i].lock, LOCK_TIMER);
		RB_INIT(&queues[i].tree);
		queues[i].first_ns = TIME_NEVER_NS;
		queues[i].armed_ns = TIME_NEVER_NS;
	}
}

void timer_init(struct timer *t, void (*fire)(struct timer *t))
{
	*t = (struct timer){ .fire = fire, .cpu = this_cpu()->arch.id };
}

/* What the counter did since it was armed, for the clock's rate. */
static void sample(struct timer_queue *q)
{
	uint64_t cycles;
	uint32_t count;

	if (clock_read_reference(&count, &cycles) && count && count < q->armed_count)
		clock_sample((uint64_t)(q->armed_count - count) * NS_PER_MS /
				(lapic_timer_hz() / 1000),
			cycles - q->armed_at_cycles);
}

static void arm_hardware(struct timer_queue *q, uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns();

	if (clock_wants_samples() && q->armed_ns != TIME_NEVER_NS)
		sample(q);
	q->armed_ns = deadline_ns;
	lapic_timer_arm(deadline_ns > now ? deadline_ns - now : 0);
	if (clock_wants_samples() && !clock_read_reference(&q->armed_count, &q->armed_at_cycles))
		q->armed_count = 0; /* no sample of this time */
}

void timer_program_hardware(void)
{
	struct cpu *c = this_cpu();
	struct timer_queue *q = &queues[c->arch.id];
	uint64_t deadline = q->first_ns; /* not the tree: callers hold LOCK_SCHED */

	if (c->slice_end_ns)
		deadline = MIN(deadline, c->slice_end_ns);
	if (deadline < q->armed_ns) /* (1) */
		arm_hardware(q, deadline);
}

static struct timer_queue *lock_queue_of(const struct timer *t)
{
	for (;;) {
		uint32_t cpu = __atomic_load_n(&t->cpu, __ATOMIC_RELAXED);

		spin_lock(&queues[cpu].lock);
		if (cpu == t->cpu)
			return &queues[cpu];
		spin_unlock(&queues[cpu].lock); /* it moved meanwhile */
	}
}

static bool take_locked(struct timer_queue *q, struct timer *t)
{
	bool was = t->armed;

	lock_assert_held(&q->lock);
	if (was)
		RB_REMOVE(timer_tree, &q->tree, t);
	t->armed = false;
	return was;
}

static uint64_t first_locked(struct timer_queue *q)
{
	struct timer *first = RB_MIN(timer_tree, &q->tree);

	lock_assert_held(&q->lock);
	return first ? first->deadline_ns : TIME_NEVER_NS;
}

void timer_arm(struct timer *t, uint64_t deadline_ns)
{
	timer_arm_loosely(t, deadline_ns, 0);
}

void timer_arm_loosely(struct timer *t, uint64_t earliest_ns, uint64_t slack_ns)
{
	struct timer_queue *q = lock_queue_of(t), *own = &queues[this_cpu()->arch.id];
	uint64_t deadline_ns = earliest_ns + MIN(slack_ns, TIME_NEVER_NS - earliest_ns);

	(void)take_locked(q, t);
	if (q != own && q->firing != t) { /* (4) */
		__atomic_store_n(&t->cpu, this_cpu()->arch.id, __ATOMIC_RELAXED); /* (3) */
		spin_unlock(&q->lock);
		q = own;
		spin_lock(&q->lock);
	}
	t->earliest_ns = earliest_ns;
	t->deadline_ns = deadline_ns;
	t->armed = true;
	RB_INSERT(timer_tree, &q->tree, t);
	if (q == own) {
		q->first_ns = MIN(q->first_ns, deadline_ns);
		if (deadline_ns < q->armed_ns)
			arm_hardware(q, deadline_ns);
	}
	spin_unlock(&q->lock);
}

bool timer_cancel(struct timer *t)
{
	struct timer_queue *own = &queues[this_cpu()->arch.id], *q = lock_queue_of(t);
	bool was;

	while (q->firing == t && q != own) {
		spin_unlock(&q->lock);
		arch_poll_requests(); /* its callback may wait for one who waits for our flush */
		arch_pause();
		q = lock_queue_of(t);
	}
	was = take_locked(q, t);
	if (q == own)
		q->first_ns = first_locked(q);
	spin_unlock(&q->lock);
	return was;
}

/* (2) Runs what is due. */
static void run_due(struct timer_queue *q)
{
	struct timer *t;

	spin_lock(&q->lock);
	while ((t = RB_MIN(timer_tree, &q->tree)) && t->earliest_ns <= clock_now_ns()) {
		(void)take_locked(q, t);
		/* That is over. Whoever fire wakes has the hardware armed for the end of its turn,
		 * and would have it armed for this once more. */
		q->first_ns = TIME_NEVER_NS;
		q->firing = t;
		spin_unlock(&q->lock);
		t->fire(t);
		spin_lock(&q->lock);
		q->firing = NULL;
	}
	q->first_ns = first_locked(q);
	spin_unlock(&q->lock);
}

void kernel_handle_timer(void)
{
	struct cpu *c = this_cpu();
	struct timer_queue *q = &queues[c->arch.id];

	stat_inc(STAT_timer_interrupts);
	trace(TRACE_irq, VECTOR_TIMER, 0);
	q->armed_ns = TIME_NEVER_NS;
	run_due(q);
	pagereport_poll();
	if (c->slice_end_ns && clock_now_ns() >= c->slice_end_ns) {
		c->slice_end_ns = 0;
		c->need_resched = true;
	}
	timer_program_hardware();
}
