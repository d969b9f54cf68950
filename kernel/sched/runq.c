/*
 * runq.c: the threads that wait for one CPU, and whose turn it is.
 *
 * What:       a tree by virtual time. In the long run threads that always want the CPU get the same
 *             of it, to about a turn; who sleeps more than that gets in within a granule.
 * Invariants: (1) the floor never falls, and rises whenever the least of the CPU's threads does.
 *             So whoever waits comes first in the end: threads that were asleep have their credit
 *             once, and new ones, which may come without end, begin behind it. (2) threads of one
 *             virtual time keep the order in which they came. (3) what is measured on the clock
 *             becomes virtual time by runq_virtual_ns, and only there.
 * Locking:    the caller's run-queue lock.
 * Failure:    none.
 * Source:     Linux Documentation/scheduler/sched-design-CFS, for the idea of a virtual time;
 *             sched-nice-design: a step of niceness is worth 10 % of the CPU between two threads.
 */
#include "kernel/sched/runq.h"

#include "base/assert.h"
#include "kernel/sched/thread.h"

#define SCALE_ONE 1024

/* Virtual time for SCALE_ONE of CPU: 1.25 to the power of the niceness, from -20 to 19. */
static const int32_t scales[RUNQ_NICE_MAX - RUNQ_NICE_MIN + 1] = {
	12,
	15,
	18,
	23,
	29,
	36,
	45,
	56,
	70,
	88,
	110,
	137,
	172,
	215,
	268,
	336,
	419,
	524,
	655,
	819,
	1024,
	1280,
	1600,
	2000,
	2500,
	3125,
	3906,
	4883,
	6104,
	7629,
	9537,
	11921,
	14901,
	18626,
	23283,
	29104,
	36380,
	45475,
	56843,
	71054,
};

static int64_t scale_of(const struct thread *t)
{
	return scales[t->nice - RUNQ_NICE_MIN];
}

/* In parts: a thread may have run for months. */
int64_t runq_virtual_ns(const struct thread *t, int64_t ran_ns)
{
	int64_t scale = scale_of(t);

	return ran_ns / SCALE_ONE * scale + ran_ns % SCALE_ONE * scale / SCALE_ONE;
}

/* Never 0: who comes goes behind its equals (2). */
static int compare(const struct thread *fresh, const struct thread *t)
{
	return fresh->vtime_ns < t->vtime_ns ? -1 : 1;
}

TREE_GENERATE(runq_tree, thread, run_link, compare)

void runq_init(struct runq *q)
{
	*q = (struct runq){ .count = 0 };
}

void runq_insert(struct runq *q, struct thread *t)
{
	if (!q->first || t->vtime_ns < q->first->vtime_ns)
		q->first = t;
	RB_INSERT(runq_tree, &q->tree, t);
	q->count++;
}

void runq_remove(struct runq *q, struct thread *t)
{
	ASSERT(q->count);
	if (q->first == t)
		q->first = RB_NEXT(runq_tree, &q->tree, t);
	RB_REMOVE(runq_tree, &q->tree, t);
	q->count--;
}

struct thread *runq_first_for(const struct runq *q, uint32_t cpu)
{
	struct thread *t = q->first;

	while (t && !(t->affinity >> cpu & 1))
		t = RB_NEXT(runq_tree, &q->tree, t);
	return t;
}

void runq_fall_behind(const struct runq *q, struct thread *t)
{
	const struct thread *last = RB_ROOT(&q->tree);

	while (last && RB_RIGHT(last, run_link))
		last = RB_RIGHT(last, run_link);
	if (last)
		t->vtime_ns = MAX(t->vtime_ns, last->vtime_ns);
}

void runq_raise_floor(struct runq *q, const struct thread *running, int64_t ran_ns)
{
	const struct thread *first = q->first;
	int64_t least = INT64_MAX;

	if (running)
		least = running->vtime_ns + runq_virtual_ns(running, MAX(ran_ns, 0)); /* (3) */
	if (first)
		least = MIN(least, first->vtime_ns);
	if (least != INT64_MAX)
		q->floor_ns = MAX(q->floor_ns, least); /* (1) */
}

void runq_leave(const struct runq *q, struct thread *t)
{
	t->vtime_ns -= q->floor_ns;
}

void runq_arrive(const struct runq *q, struct thread *t)
{
	t->vtime_ns = q->floor_ns + MAX(t->vtime_ns, -(int64_t)RUNQ_CREDIT_NS); /* (1) */
}

int64_t runq_turn_ns(const struct runq *q, const struct thread *running)
{
	const struct thread *first = q->first;
	int64_t lead;

	ASSERT(first);
	lead = first->vtime_ns - running->vtime_ns + RUNQ_TURN_NS / 2;
	/* The product is in bounds: the nicest one's turn is 70 times as much virtual time. */
	lead = MIN(lead, 100ll * RUNQ_TURN_NS) * SCALE_ONE / scale_of(running);
	return MIN(MAX(lead, RUNQ_GRANULE_NS), RUNQ_TURN_NS);
}
