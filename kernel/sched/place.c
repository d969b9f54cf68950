/*
 * place.c: which CPU a thread runs on.
 *
 * What:       a thread that comes goes to the CPU it ran on last if that has nothing to do, else to
 *             one that has nothing to do, else to its last one, unless another has less.
 *             An idle CPU takes waiting threads from others before it halts; and whoever is
 *             preempted looks whether another CPU has become better.
 * Invariants: those of sched.c: (1), (4), (5), (6).
 * Locking:    cpu.rq_lock, LOCK_SCHED, one at a time. What is read of other CPUs without it is a
 *             hint: a wrong one costs time, no thread.
 * Failure:    -EINVAL: affinity to no CPU that is online.
 * Source:     none.
 */
#include "kernel/sched/sched_priv.h"

#include "base/assert.h"
#include "base/errno.h"
#include "kernel/sched/torture.h"
#include "kernel/time/clock.h"

static uint64_t online_mask(void)
{
	return cpu_count >= 64 ? UINT64_MAX : (1ull << cpu_count) - 1;
}

void sched_enqueue_locked(struct cpu *c, struct thread *t)
{
	lock_assert_held(&c->rq_lock);
	t->state = THREAD_RUNNABLE;
	t->cpu = c->arch.id;
	runq_insert(&c->runq, t);
}

static bool is_idle(const struct cpu *c)
{
	return atomic_load_explicit(&c->arch.idle, memory_order_relaxed);
}

/* How many threads want that CPU, without t. */
static uint32_t load_without(uint32_t cpu, const struct thread *t)
{
	const struct cpu *c = &cpus[cpu];
	uint32_t running = is_idle(c) || c->current == t ? 0 : 1;

	return c->runq.count + running;
}

uint32_t sched_choose_cpu(const struct thread *t)
{
	uint32_t best = UINT32_MAX, best_load = UINT32_MAX;

	if (torture_is_on())
		return torture_pick(t->affinity & online_mask());
	for (uint32_t i = 0; i < cpu_count; i++) {
		uint32_t cpu = (t->cpu + i) % cpu_count, load;

		if (!sched_may_run_on(t, cpu))
			continue;
		load = load_without(cpu, t);
		if (!load)
			return cpu;
		if (best == UINT32_MAX || load < best_load) {
			best = cpu;
			best_load = load;
		}
	}
	return best == UINT32_MAX ? t->cpu : best;
}

struct cpu *sched_send_away_locked(struct thread *t)
{
	struct cpu *c = &cpus[t->cpu];

	lock_assert_held(&c->rq_lock);
	t->state = THREAD_WAKING;
	runq_leave(&c->runq, t);
	/* Partner: the look in sched_lock_home. */
	__atomic_store_n(&t->cpu, sched_choose_cpu(t), __ATOMIC_RELAXED); /* (4) */
	return &cpus[t->cpu];
}

/* Whether c, another CPU, must hear of what was queued there: a CPU whose turn ends soon enough
 * looks by itself. */
static bool must_hear_locked(struct cpu *c)
{
	uint64_t end = __atomic_load_n(&c->slice_end_ns, __ATOMIC_RELAXED);

	return c->current == c->idle || !end || sched_turn_end_locked(c) < end;
}

void sched_place(struct cpu *c, struct thread *t)
{
	const struct thread *running;
	uint64_t now;

	spin_lock(&c->rq_lock);
	while (!sched_may_run_on(t, c->arch.id)) { /* since it was sent here */
		struct cpu *other;

		runq_arrive(&c->runq, t);
		other = sched_send_away_locked(t);
		spin_unlock(&c->rq_lock);
		c = other;
		spin_lock(&c->rq_lock);
	}
	now = clock_now_ns();
	running = c->current == c->idle ? NULL : c->current;
	runq_raise_floor(&c->runq, running, running ? (int64_t)(now - running->switched_in_ns) : 0);
	runq_arrive(&c->runq, t);
	sched_enqueue_locked(c, t);
	if (c == this_cpu())
		sched_limit_turn_locked(c, now);
	else if (must_hear_locked(c))
		this_cpu()->kicks |= 1ull << c->arch.id; /* (6) */
	spin_unlock(&c->rq_lock);
}

static __attribute__((noinline)) void send_kicks(struct cpu *self)
{
	uint64_t kicks = self->kicks;

	self->kicks = 0;
	/* Partner: the fence in poll_for_work: it sees what we queued, or we that it has ended. */
	atomic_thread_fence(memory_order_seq_cst);
	for (; kicks; kicks &= kicks - 1) {
		struct cpu *c = &cpus[__builtin_ctzll(kicks)];

		/* Hints are enough: we have queued there, so 0 says that the thread was taken. */
		if (!c->runq.count || atomic_load_explicit(&c->polling, memory_order_relaxed))
			continue;
		stat_inc(STAT_reschedule_ipis);
		lapic_send_ipi(c->arch.apic_id, VECTOR_RESCHEDULE);
	}
}

void sched_send_kicks(void)
{
	if (unlikely(this_cpu()->kicks))
		send_kicks(this_cpu());
}

struct cpu *sched_lock_home(const struct thread *t)
{
	for (;;) {
		uint32_t cpu = __atomic_load_n(&t->cpu, __ATOMIC_RELAXED);

		spin_lock(&cpus[cpu].rq_lock);
		if (cpu == __atomic_load_n(&t->cpu, __ATOMIC_RELAXED))
			return &cpus[cpu];
		spin_unlock(&cpus[cpu].rq_lock); /* it moved meanwhile */
	}
}

int sched_set_affinity(struct thread *t, uint64_t mask)
{
	struct cpu *c, *to = NULL;
	bool running;

	mask &= online_mask();
	if (!mask)
		return -EINVAL;
	c = sched_lock_home(t);
	t->affinity = mask;
	running = t->state == THREAD_RUNNING;
	if (t->state == THREAD_RUNNABLE && !sched_may_run_on(t, c->arch.id)) {
		runq_remove(&c->runq, t);
		to = sched_send_away_locked(t);
	}
	spin_unlock(&c->rq_lock);
	if (to)
		sched_place(to, t);
	else if (running && c != this_cpu())
		lapic_send_ipi(c->arch.apic_id, VECTOR_RESCHEDULE);
	else if (running && !sched_may_run_on(t, c->arch.id))
		c->need_resched = true; /* (5) */
	return 0;
}

/* An idle CPU is about to run what it was just given. */
static bool has_spare(const struct cpu *c)
{
	return c->runq.count && !is_idle(c);
}

bool sched_can_steal(const struct cpu *self)
{
	for (uint32_t i = 0; i < cpu_count; i++)
		if (&cpus[i] != self && has_spare(&cpus[i]))
			return true;
	return false;
}

struct thread *sched_steal(struct cpu *self)
{
	struct thread *t = NULL;

	for (uint32_t i = 1; i < cpu_count && !t; i++) {
		struct cpu *c = &cpus[(self->arch.id + i) % cpu_count];

		if (!has_spare(c)) /* a hint; the lock decides */
			continue;
		spin_lock(&c->rq_lock);
		t = runq_first_for(&c->runq, self->arch.id);
		if (t) {
			runq_remove(&c->runq, t);
			runq_leave(&c->runq, t);
			t->state = THREAD_WAKING;
			t->cpu = self->arch.id; /* (4) */
			stat_inc(STAT_steals);
		}
		spin_unlock(&c->rq_lock);
	}
	return t;
}
