/*
 * timer.c: one-shot callbacks, and the hardware timer that they and time slices share.
 *
 * What:       a tree of timers per CPU. The hardware is armed for the earliest of the first timer
 *             and the end of the slice; when that moves later the hardware is left alone and finds
 *             nothing to do once, which is cheaper than arming it at every cancelled timeout.
 * Invariants: (1) hardware fires at or before the earliest deadline. (2) a callback runs after its
 *             deadline, never before. (3) a timer is in the tree of timer.cpu exactly while armed.
 * Locking:    q.lock, LOCK_TIMER; released around callbacks.
 * Failure:    none.
 * Source:     none.
 */
#include "kernel/time/timer.h"

#include "arch/arch.h"
#include "base/assert.h"
#include "kernel/sched/cpu.h"
#include "kernel/time/clock.h"

RB_HEAD(timer_tree, timer);

struct timer_queue {
	struct spinlock lock;
	struct timer_tree tree; /* [lock] */
	struct timer *firing; /* [lock] */
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
		queues[i].armed_ns = TIME_NEVER_NS;
	}
}

void timer_init(struct timer *t, void (*fire)(struct timer *t))
{
	*t = (struct timer){ .fire = fire };
}

/* What the counter did since it was armed, for the clock's rate. */
static void sample(struct timer_queue *q)
{
	uint32_t count = lapic_count_read();
	uint64_t cycles = arch_cycles();

	if (count && count < q->armed_count)
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
	if (clock_wants_samples()) {
		q->armed_count = lapic_count_read();
		q->armed_at_cycles = arch_cycles();
	}
}

void timer_program_hardware(void)
{
	struct cpu *c = this_cpu();
	struct timer_queue *q = &queues[c->arch.id];
	struct timer *first = RB_MIN(timer_tree, &q->tree);
	uint64_t deadline = first ? first->deadline_ns : TIME_NEVER_NS;

	if (c->slice_end_ns)
		deadline = MIN(deadline, c->slice_end_ns);
	if (deadline < q->armed_ns) /* (1) */
		arm_hardware(q, deadline);
}

void timer_arm(struct timer *t, uint64_t deadline_ns)
{
	struct timer_queue *q;

	timer_cancel(t);
	t->cpu = this_cpu()->arch.id;
	q = &queues[t->cpu];
	spin_lock(&q->lock);
	t->deadline_ns = deadline_ns;
	t->armed = true;
	RB_INSERT(timer_tree, &q->tree, t);
	if (deadline_ns < q->armed_ns)
		arm_hardware(q, deadline_ns);
	spin_unlock(&q->lock);
}

bool timer_cancel(struct timer *t)
{
	struct timer_queue *q = &queues[t->cpu];
	bool was;

	spin_lock(&q->lock);
	while (q->firing == t && t->cpu != this_cpu()->arch.id) {
		spin_unlock(&q->lock);
		arch_pause();
		spin_lock(&q->lock);
	}
	was = t->armed;
	if (was) {
		RB_REMOVE(timer_tree, &q->tree, t);
		t->armed = false;
	}
	spin_unlock(&q->lock);
	return was;
}

/* (2) Runs what is due. */
static void run_due(struct timer_queue *q)
{
	struct timer *t;

	spin_lock(&q->lock);
	while ((t = RB_MIN(timer_tree, &q->tree)) && t->deadline_ns <= clock_now_ns()) {
		RB_REMOVE(timer_tree, &q->tree, t);
		t->armed = false;
		q->firing = t;
		spin_unlock(&q->lock);
		t->fire(t);
		spin_lock(&q->lock);
		q->firing = NULL;
	}
	spin_unlock(&q->lock);
}

void kernel_handle_timer(void)
{
	struct cpu *c = this_cpu();
	struct timer_queue *q = &queues[c->arch.id];

	stat_inc(STAT_timer_interrupts);
	q->armed_ns = TIME_NEVER_NS;
	run_due(q);
	if (c->slice_end_ns && clock_now_ns() >= c->slice_end_ns) {
		c->slice_end_ns = 0;
		c->need_resched = true;
	}
	timer_program_hardware();
}
