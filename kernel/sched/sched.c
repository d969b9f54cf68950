/*
 * sched.c: which thread runs where.
 *
 * What:       one queue of runnable threads per CPU, ordered by what they have had of it (runq.c).
 *             A thread runs until it parks, or, when others wait for the CPU, until its turn is
 *             over: when it is half a turn ahead of the first that waits. One that has slept comes
 *             back behind the others by a credit, and so cuts the turn of whoever runs to what is
 *             left of a granule. Where a thread that comes is queued is place.c's; what a CPU does
 *             without threads idle.c's. Nothing is timed on a CPU that only one thread wants.
 *
 *               RUNNABLE -> RUNNING   [switch]          RUNNING -> PARKED    [sched_park]
 *               RUNNING  -> RUNNABLE  [give_way]        PARKED  -> WAKING    [sched_unpark]
 *               RUNNING  -> DEAD      [sched_exit]      WAKING  -> RUNNABLE  [sched_place]
 *
 * Invariants: (1) a thread is on exactly one queue while RUNNABLE, on none else. (2) the queue lock
 *             of the CPU is held across a switch and released by the thread that arrives: so nobody
 *             takes a thread from a queue before it has left its stack. (3) an unpark is never
 *             lost: it either makes the thread runnable or sets wake_pending. (4) a thread's cpu
 *             changes only while it is WAKING, under the queue lock of the CPU that it leaves: so
 *             who holds the lock of thread.cpu knows that its state stays. (5) a thread that may
 *             not run where it runs has need_resched set there, and moves on return to the program.
 *             (6) a CPU that a thread was queued on is interrupted only when this one has let go of
 *             its locks: a waker's locks are what the woken thread takes first. Nothing returns to
 *             the program, switches, idles or opens a window before it has sent its kicks.
 * Locking:    cpu.rq_lock, LOCK_SCHED, one at a time. Never sleeps with it.
 * Failure:    none.
 * Source:     xv6's hand-off of the lock across the switch.
 */
#include "kernel/sched/sched_priv.h"

#include "base/assert.h"
#include "kernel/sched/cputimer.h"
#include "kernel/sched/torture.h"
#include "kernel/signal/signal.h"
#include "kernel/time/clock.h"
#include "kernel/trace.h"

struct cpu cpus[CPUS_MAX];
uint32_t cpu_count = 1;

uint64_t sched_turn_end_locked(struct cpu *c)
{
	lock_assert_held(&c->rq_lock);
	return c->current->switched_in_ns + (uint64_t)runq_turn_ns(&c->runq, c->current);
}

void sched_limit_turn_locked(struct cpu *c, uint64_t now_ns)
{
	uint64_t end;

	lock_assert_held(&c->rq_lock);
	if (c->current == c->idle || !c->runq.count)
		return; /* the idle loop looks at its queue by itself */
	end = sched_turn_end_locked(c);
	if (c->slice_end_ns && c->slice_end_ns <= end)
		return;
	end = MAX(end, now_ns);
	/* Partner: the look in must_hear_locked. */
	__atomic_store_n(&c->slice_end_ns, end, __ATOMIC_RELAXED);
	if (end <= now_ns)
		c->need_resched = true;
	else
		timer_program_hardware();
}

void sched_account_locked(struct cpu *c, uint64_t now_ns)
{
	struct thread *t = c->current;
	uint64_t ran = now_ns - t->switched_in_ns;

	lock_assert_held(&c->rq_lock);
	t->cpu_time_ns += ran;
	t->vtime_ns += runq_virtual_ns(t, (int64_t)ran);
	t->switched_in_ns = now_ns;
}

static void finish_switch(void)
{
	struct cpu *c = this_cpu();
	struct thread *dead = c->dead, *moving = c->moving;

	c->dead = NULL;
	c->moving = NULL;
	spin_unlock(&c->rq_lock); /* (2) */
	if (dead)
		thread_free(dead);
	if (moving)
		sched_place(&cpus[moving->cpu], moving);
	if (unlikely(cputimer_is_awaited(c->current)))
		cputimer_resume(c->current);
	sched_send_kicks(); /* (6) */
}

static struct thread *take_next_locked(struct cpu *c)
{
	struct thread *to = runq_first(&c->runq);

	if (!to)
		return c->idle;
	runq_raise_floor(&c->runq, NULL, 0);
	runq_remove(&c->runq, to);
	return to;
}

void sched_switch_locked(struct cpu *c, uint64_t now_ns)
{
	struct thread *from = c->current, *to;

	lock_assert_held(&c->rq_lock);
	ASSERT(from->kstack_canary == NULL || *from->kstack_canary == KSTACK_CANARY);
	sched_account_locked(c, now_ns);
	to = take_next_locked(c);
	to->switched_in_ns = now_ns;
	to->state = THREAD_RUNNING;
	to->wake_pending = false; /* it is about to test its condition anyway */
	c->need_resched = false;
	c->slice_end_ns = 0;
	c->current = to;
	if (c->runq.count)
		sched_limit_turn_locked(c, now_ns);
	if (to == from) {
		finish_switch();
		return;
	}
	if (from == c->idle)
		arch_set_idle(false); /* flushes what the idle CPU was spared */
	else if (to == c->idle)
		arch_set_idle(true);
	stat_inc(STAT_context_switches);
	if (from->state == THREAD_PARKED)
		from->sleeps++;
	else
		from->preemptions++;
	trace(TRACE_switch, (uint64_t)from->tid, (uint64_t)to->tid);
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
	sched_send_kicks(); /* (6) before the switch, which takes its time */
	if (signals && signal_is_deliverable(t))
		return;
	if (deadline_ns != TIME_NEVER_NS) {
		timer_init(&t->park_timer, park_timeout);
		timer_arm_loosely(&t->park_timer, deadline_ns, t->slack_ns);
	}
	spin_lock(&c->rq_lock);
	if (t->wake_pending) {
		t->wake_pending = false; /* (3) */
		spin_unlock(&c->rq_lock);
	} else {
		t->state = THREAD_PARKED;
		sched_switch_locked(c, clock_now_ns());
	}
	if (deadline_ns != TIME_NEVER_NS)
		timer_cancel(&t->park_timer);
}

/* The CPU that runs t right now, or NULL. */
static struct cpu *unpark(struct thread *t)
{
	struct cpu *c = sched_lock_home(t), *running = NULL;

	if (t->state != THREAD_PARKED) {
		t->wake_pending = true; /* (3) */
		if (t->state == THREAD_RUNNING)
			running = c;
		spin_unlock(&c->rq_lock);
		return running;
	}
	running = sched_send_away_locked(t);
	spin_unlock(&c->rq_lock);
	sched_place(running, t);
	return NULL;
}

void sched_unpark(struct thread *t)
{
	(void)unpark(t);
}

void sched_start(struct thread *t)
{
	struct cpu *c = this_cpu();

	spin_lock(&c->rq_lock);
	t->cpu = c->arch.id; /* nobody else has it yet, or not for waking it */
	t->vtime_ns = c->runq.floor_ns + RUNQ_DEBIT_NS;
	c = sched_send_away_locked(t);
	spin_unlock(&this_cpu()->rq_lock);
	sched_place(c, t);
}

/* The current thread goes on later, or elsewhere. elsewhere: where another CPU has less to do. */
static void give_way(struct cpu *c, bool elsewhere)
{
	struct thread *t = c->current;
	uint64_t now;

	lock_assert_none();
	if (t == c->idle)
		return;
	spin_lock(&c->rq_lock);
	now = clock_now_ns();
	sched_account_locked(c, now);
	if (!sched_may_run_on(t, c->arch.id) ||
		(elsewhere && c->runq.count && sched_choose_cpu(t) != c->arch.id)) {
		(void)sched_send_away_locked(t); /* (5) */
		c->moving = t;
	} else if (c->runq.count) {
		if (!elsewhere)
			runq_fall_behind(&c->runq, t);
		sched_enqueue_locked(c, t);
	} else {
		spin_unlock(&c->rq_lock);
		return;
	}
	sched_switch_locked(c, now);
}

void sched_yield_cpu(void)
{
	give_way(this_cpu(), false);
}

void sched_relax(void)
{
	lock_assert_none();
	arch_irq_window();
	sched_send_kicks(); /* (6) */
	sched_return_to_program();
}

void sched_return_to_program(void)
{
	struct cpu *c = this_cpu();

	if (!c->need_resched && !torture_chance(16))
		return;
	c->need_resched = false;
	c->slice_end_ns = 0;
	stat_inc(STAT_preemptions);
	give_way(c, true);
}

void sched_exit(void)
{
	struct cpu *c = this_cpu();

	spin_lock(&c->rq_lock);
	c->current->state = THREAD_DEAD;
	c->dead = c->current;
	sched_switch_locked(c, clock_now_ns());
	__builtin_unreachable();
}

void sched_kick(struct thread *t)
{
	/* Partner: sched_park's test of signal_is_deliverable; wake_pending closes the gap. A
	 * thread that is not running is switched to under the lock that unpark held, and looks
	 * after. */
	struct cpu *c = unpark(t);

	if (c && c != this_cpu())
		lapic_send_ipi(c->arch.apic_id, VECTOR_RESCHEDULE);
}

/* Another CPU queued a thread here, or wants the running one to look at its signals. */
void kernel_handle_reschedule(void)
{
	struct cpu *c = this_cpu();

	if (c->current == c->idle)
		return; /* its loop looks */
	spin_lock(&c->rq_lock);
	if (sched_may_run_on(c->current, c->arch.id))
		sched_limit_turn_locked(c, clock_now_ns());
	else
		c->need_resched = true; /* (5) */
	spin_unlock(&c->rq_lock);
}

void sched_interrupt_others(void)
{
	for (uint32_t i = 0; i < cpu_count; i++)
		if (&cpus[i] != this_cpu())
			lapic_send_ipi(cpus[i].arch.apic_id, VECTOR_RESCHEDULE);
}

uint64_t sched_thread_cpu_ns(struct thread *t)
{
	/* Between the two stores of sched_account_locked another's time would count twice, and who
	 * was told so would be told nothing new until it had caught up. */
	struct cpu *c = t == thread_current() ? NULL : sched_lock_home(t);
	uint64_t ns = t->cpu_time_ns;

	if (t->state == THREAD_RUNNING)
		ns += clock_now_ns() - t->switched_in_ns;
	if (c)
		spin_unlock(&c->rq_lock);
	return ns;
}

void sched_set_nice(struct thread *t, int32_t nice)
{
	struct cpu *c = sched_lock_home(t);

	if (t->state == THREAD_RUNNING)
		sched_account_locked(c, clock_now_ns()); /* what it has had was as it was before */
	t->nice = nice;
	spin_unlock(&c->rq_lock);
}

void sched_init(struct thread *boot_thread)
{
	for (uint32_t i = 0; i < CPUS_MAX; i++) {
		spinlock_init(&cpus[i].rq_lock, LOCK_SCHED);
		runq_init(&cpus[i].runq);
	}
	sched_adopt_idle(boot_thread);
}

void sched_adopt_idle(struct thread *idle)
{
	struct cpu *c = this_cpu();

	idle->state = THREAD_RUNNING;
	idle->cpu = c->arch.id;
	c->idle = idle;
	c->current = idle;
}
